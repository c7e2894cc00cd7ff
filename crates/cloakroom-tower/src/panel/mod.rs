//! The debug toolbar around an application.

mod button;
mod layer;

pub use self::layer::{PanelLayer, PanelService};
