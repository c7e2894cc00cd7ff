//! The session as the application uses it.

mod handle;
mod intents;
mod state;
mod values;

pub use handle::SessionHandle;
pub use intents::Rotation;
pub(crate) use state::{Base, Ending, Live, Outgoing, Phase, SessionState};
