//! The debug toolbar of [cloakroom]: what the sessions of each request were, what the engine did
//! for them, and why.
//!
//! It knows no framework: an integration such as `cloakroom-tower` (feature `panel`) begins a
//! recording with each request, gives it to the engine as its tracer, and answers what lies below
//! the panel's path with what the panel says. It shows what is in sessions, so it is for
//! development.
//!
//! [cloakroom]: https://docs.rs/cloakroom

mod assets;
mod builder;
mod decisions;
mod doctor;
mod feed;
#[cfg(test)]
mod fixture;
mod inject;
mod known;
mod page;
mod panel;
mod peek;
mod random;
mod record;
mod respond;
mod safety;

pub use builder::{PanelBuilder, PanelError};
pub use doctor::{Finding, FindingKind, Severity};
pub use feed::{Feed, FeedEvent, FeedStream};
pub use inject::{Injection, ResponseParts};
pub use panel::Panel;
pub use peek::{Peek, PeekError};
pub use record::{
    Access, Change, ConfigurationRow, EntryKind, EntryLevel, KeptHead, KeyChange, ReceivedCookie,
    RecordedCookie, RecordedNamespace, RecordedRequest, RecordedValue, Recording, RecordingGuard,
    RequestEnd, TimelineEntry,
};
pub use respond::{LARGEST_BODY, PanelBody, PanelRequest, PanelResponse, respond};
pub use safety::Refusal;
