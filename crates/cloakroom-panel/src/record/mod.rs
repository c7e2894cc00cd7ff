//! What is kept of the newest requests.

mod head;
mod mask;
mod model;
mod recording;
mod room;
mod text;
mod values;
mod view;

pub use self::{
    head::KeptHead,
    model::{
        Access, Change, ConfigurationRow, EntryKind, EntryLevel, KeyChange, ReceivedCookie,
        RecordedCookie, RecordedNamespace, RecordedRequest, RecordedValue, RequestEnd,
        TimelineEntry,
    },
    recording::{Recording, RecordingGuard},
};
pub(crate) use self::{mask::Masks, text::decision_text, values::keys_of};
