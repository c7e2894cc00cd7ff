//! [cloakroom]'s sessions for everything on tower, and extractors for axum.
//!
//! [`SessionLayer`] gives each request its sessions and commits them before the response's head is
//! sent. It touches nothing of a request whose handler asks for no session: no store call, no
//! cookie, no header.
//!
//! With the feature `axum`, handlers take `Session<N>`, `Option<Session<N>>` or `Sessions` as
//! arguments; other services find [`RequestSessions`] in the request's extensions.
//!
//! [`CsrfLayer`] refuses what another site may have made a browser send, with or without tokens;
//! `CsrfForm` is a form whose token was checked.
//!
//! With the feature `panel`, `PanelLayer` around all of it is the debug toolbar.
//!
//! # Which scheme
//! Whether a request came over https is what its [`Scheme`] extension says, else the scheme of its
//! URI, else it is plain http. A server that ends TLS sets the extension; behind a proxy that you
//! trust, set it from the proxy's header. No header is trusted by default.
//!
//! # Deployment
//! The layer must see the routes: `Router::layer` covers the routes that were added before it.
//! Put a layer that catches panics inside it or outside it: a panic saves nothing, carries out
//! `end`, and goes on.
//!
//! [cloakroom]: https://docs.rs/cloakroom

mod answer;
#[cfg(feature = "axum")]
mod axum;
mod csrf;
mod head;
mod layer;
#[cfg(feature = "panel")]
mod panel;

#[cfg(feature = "axum")]
pub use axum::{CsrfForm, Session, SessionRejection, Sessions};
pub use cloakroom_core::{NamespaceName, RequestSessions, Scheme};
pub use csrf::{CsrfLayer, CsrfService, CsrfTokenLayer};
pub use head::RequestView;
pub use layer::{SessionLayer, SessionService};
#[cfg(feature = "panel")]
pub use panel::{ConnectInfo, PanelLayer, PanelService};
