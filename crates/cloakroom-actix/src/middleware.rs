use std::task::{Context, Poll};

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};
use cloakroom_core::{ErrorResponse, RequestSessions, SessionManager};
use futures_util::future::{LocalBoxFuture, Ready, ready};

use crate::{
    attached::Attached,
    commit::{Response, serve},
    rejection::answer,
};

/// Gives each request its sessions, and commits them with the response.
///
/// It nests: one around a scope brings its own namespaces and sees those of the ones around it. Two
/// with a namespace or a cookie of one name answer 500, and the log says which.
///
/// Where middleware inside answers with an error instead of a response, the response that the error
/// makes gets the cookies.
///
/// Cancel safety: a client that disconnects while the handler runs leaves nothing saved; while the
/// sessions are committed, the commit goes on in a task of its own.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::{NamespaceName, Session, SessionMiddleware, SessionRejection};
/// use cloakroom_core::{Namespace, SessionManager};
/// use cloakroom_memory::MemoryStore;
///
/// struct Visits;
/// impl NamespaceName for Visits {
///     const NAME: &'static str = "visits";
/// }
///
/// async fn count(visits: Session<Visits>) -> Result<String, SessionRejection> {
///     let count = visits.update("count", |count: &mut u32| {
///         *count += 1;
///         *count
///     })?;
///     Ok(format!("Visit {count}"))
/// }
///
/// let sessions = SessionManager::builder()
///     .namespace(Namespace::new("visits", MemoryStore::new()))
///     .build()?;
/// let app = App::new()
///     .wrap(SessionMiddleware::new(sessions))
///     .route("/", web::get().to(count));
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SessionMiddleware {
    manager: SessionManager,
}

impl SessionMiddleware {
    /// The middleware of a manager.
    #[must_use]
    pub fn new(manager: SessionManager) -> Self {
        Self { manager }
    }
}

impl<S, B> Transform<S, ServiceRequest> for SessionMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Response<B>;
    type Error = Error;
    type Transform = SessionService<S>;
    type InitError = ();
    type Future = Ready<Result<SessionService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let manager = self.manager.clone();
        ready(Ok(SessionService { inner, manager }))
    }
}

/// The service that [`SessionMiddleware`] makes.
#[derive(Debug, Clone)]
pub struct SessionService<S> {
    inner: S,
    manager: SessionManager,
}

impl<S, B> Service<ServiceRequest> for SessionService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Response<B>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let outer = Attached::sessions(&request.extensions());
        let sessions = match outer {
            None => RequestSessions::begin(&self.manager),
            Some(outer) => match RequestSessions::begin_inside(&self.manager, outer) {
                Ok(sessions) => sessions,
                Err(error) => {
                    tracing::error!(target: "cloakroom", "an inner session middleware is refused: {error}");
                    let refused = answer(&ErrorResponse::misconfigured());
                    let refused = request.into_response(refused).map_into_right_body();
                    return Box::pin(ready(Ok(refused)));
                }
            },
        };
        Attached::put(sessions.clone(), &mut request.extensions_mut());
        Box::pin(serve(self.inner.call(request), sessions))
    }
}
