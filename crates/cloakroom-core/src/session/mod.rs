//! The session as the application uses it.

mod handle;
mod intents;
mod phase;
mod state;
mod values;

pub use handle::SessionHandle;
pub use intents::Rotation;
pub(crate) use phase::Begun;
pub(crate) use state::{Base, Ending, Live, Outgoing, SessionState};
