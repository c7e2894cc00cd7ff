//! Layers that refuse what another site may have made a browser send, and an extractor of forms.

#[cfg(feature = "axum")]
mod form;
mod layer;

#[cfg(feature = "axum")]
pub use form::CsrfForm;
pub use layer::{CsrfLayer, CsrfService, CsrfTokenLayer};
