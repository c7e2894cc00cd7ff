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

mod attached;
mod commit;
mod csrf;
mod head;
mod middleware;
mod rejection;
mod session;
mod sessions;

pub use cloakroom_core::{NamespaceName, Scheme};
pub use csrf::{CsrfForm, CsrfFormRejection, CsrfMiddleware, CsrfService};
pub use head::RequestView;
pub use middleware::{SessionMiddleware, SessionService};
pub use rejection::SessionRejection;
pub use session::Session;
pub use sessions::Sessions;
