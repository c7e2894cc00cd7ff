//! Layers that refuse what another site may have made a browser send, and an extractor of forms.

mod body;
#[cfg(feature = "axum")]
mod form;
mod future;
mod layer;
mod token;

#[cfg(feature = "panel")]
pub(crate) use body::read;
#[cfg(feature = "axum")]
pub use form::{CsrfForm, CsrfFormRejection};
pub use future::CsrfFuture;
pub use layer::{CsrfLayer, CsrfService};
pub use token::{CsrfTokenLayer, CsrfTokenService};
