//! [cloakroom]'s sessions for actix-web 4: middleware and extractors.
//!
//! [`SessionMiddleware`] gives each request its sessions and commits them before the response's
//! head is sent. It touches nothing of a request whose handler asks for no session: no store call,
//! no cookie, no header. Handlers take [`Session<N>`](Session), `Option<Session<N>>` or
//! [`Sessions`] as arguments.
//!
//! [`CsrfMiddleware`] refuses what another site may have made a browser send, with or without
//! tokens; [`CsrfForm`] is a form whose token was checked.
//!
//! With the feature `panel` there is `PanelMiddleware`, the debug toolbar, for development.
//!
//! # Which scheme
//! Whether a request came over https is what its [`Scheme`] extension says, else whether the server
//! itself ended TLS. Behind a proxy that you trust, set the extension from the proxy's header, in a
//! middleware outside this one. No header is trusted by default, and so `ConnectionInfo` is not asked.
//!
//! # Deployment
//! One manager serves all workers: build it outside the closure of `HttpServer::new`, and clone it
//! into each application. `App::wrap` runs the middleware that was added last first: what lies
//! outside is added after what lies inside. A panic of a handler saves nothing, carries out `end`,
//! and goes on.
//!
//! [cloakroom]: https://docs.rs/cloakroom

mod around;
mod csrf;
mod head;
mod middleware;
#[cfg(feature = "panel")]
mod panel;
mod rejection;
mod session;

pub use around::{Around, AroundService};
pub use cloakroom_core::{NamespaceName, Scheme};
pub use csrf::{CsrfForm, CsrfMiddleware, CsrfRules};
pub use head::RequestView;
pub use middleware::SessionMiddleware;
#[cfg(feature = "panel")]
pub use panel::PanelMiddleware;
pub use rejection::SessionRejection;
pub use session::{Session, Sessions};
