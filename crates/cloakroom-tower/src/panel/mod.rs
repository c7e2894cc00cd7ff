//! The debug toolbar around an application.

mod answer;
mod body;
mod button;
mod future;
mod layer;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cloakroom_core::Tracer;
use cloakroom_panel::Recording;
use http::Extensions;

pub use self::{
    body::PanelBody,
    future::PanelFuture,
    layer::{PanelLayer, PanelService},
};

/// Whether this program has a panel. Where it has none, nothing is looked for in a request.
static IS_IN_USE: AtomicBool = AtomicBool::new(false);

/// The recording of a request, in its extensions.
#[derive(Clone)]
struct Recorded(Arc<Recording>);

/// Who records a request, if somebody does.
pub(crate) fn tracer(extensions: &Extensions) -> Option<Arc<dyn Tracer>> {
    if !IS_IN_USE.load(Ordering::Relaxed) {
        return None;
    }
    let Recorded(recording) = extensions.get::<Recorded>()?;
    let recording: Arc<dyn Tracer> = recording.clone();
    Some(recording)
}
