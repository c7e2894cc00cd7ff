//! The debug toolbar around an application.

mod button;
mod layer;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cloakroom_core::Tracer;
use cloakroom_panel::Recording;
use http::Extensions;

pub use self::layer::{PanelLayer, PanelService};

/// Whether this program has a panel. Where it has none, nothing is looked for in a request.
static IS_IN_USE: AtomicBool = AtomicBool::new(false);

/// Who records a request, if somebody does.
pub(crate) fn tracer(extensions: &Extensions) -> Option<Arc<dyn Tracer>> {
    if !IS_IN_USE.load(Ordering::Relaxed) {
        return None;
    }
    let recording = extensions.get::<Arc<Recording>>()?;
    Some(Arc::<Recording>::clone(recording))
}
