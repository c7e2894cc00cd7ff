//! The session as the application uses it.

mod flash;
mod handle;
mod intents;
mod key;
mod phase;
mod state;
mod values;

pub use flash::{Flash, FlashQueue, Level};
pub use handle::SessionHandle;
pub use intents::Rotation;
pub use key::{Key, KeyName, KeyOf};
pub(crate) use phase::Begun;
pub(crate) use state::{Base, Ending, Live, Outgoing, SessionState};
