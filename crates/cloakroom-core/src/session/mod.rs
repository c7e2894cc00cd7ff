//! The session as the application uses it.

mod claims;
mod csrf;
mod flash;
mod handle;
mod intents;
mod key;
mod phase;
mod read_only;
mod state;
mod url;
mod values;

pub use csrf::Csrf;
pub use flash::{Flash, FlashQueue, Level};
pub use handle::SessionHandle;
pub use intents::Rotation;
pub use key::{Key, KeyName, KeyOf};
pub(crate) use phase::Begun;
pub use read_only::ReadOnlySession;
pub(crate) use state::{Base, Ending, Live, Outgoing, SessionState};
