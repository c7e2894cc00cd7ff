use std::{
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use cloakroom_core::{RequestSessions, ServeFuture, SessionManager, Tracer};
use futures_util::future::Either;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    answer::{Tower, answer},
    head::OriginalPath,
};

/// Gives each request its sessions, and commits them with the response.
///
/// Layers nest: one for a part of the application brings its own namespaces and sees those of the
/// layers around it. Two layers with a namespace or a cookie of one name answer 500, and the log
/// says which.
///
/// A request is traced by the `Arc<dyn Tracer>` in its extensions, if there is one.
///
/// The response body must be made of text (`From<&'static str>`), for the response that takes the
/// place of one whose sessions can't be saved; `axum::body::Body` and `http_body_util::Full` are.
/// For others put tower-http's `MapResponseBodyLayer` inside.
///
/// ```
/// use cloakroom_core::{Namespace, SessionManager};
/// use cloakroom_memory::MemoryStore;
/// use cloakroom_tower::SessionLayer;
///
/// let sessions = SessionManager::builder()
///     .namespace(Namespace::new("account", MemoryStore::new()))
///     .build()?;
/// let layer = SessionLayer::new(sessions);
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SessionLayer {
    manager: SessionManager,
}

impl SessionLayer {
    /// The layer of a manager.
    ///
    /// Handlers that are no axum handlers find the sessions in the request's extensions:
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use cloakroom_core::{Namespace, SessionManager};
    /// # use cloakroom_memory::MemoryStore;
    /// use cloakroom_tower::{RequestSessions, RequestView, SessionLayer};
    /// use http::{Request, Response};
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// async fn count(request: Request<()>) -> Result<Response<String>, Infallible> {
    ///     let sessions = request.extensions().get::<RequestSessions>().unwrap();
    ///     let visits = sessions.judge("visits", &RequestView::from(&request)).unwrap().unwrap();
    ///     let visits = visits.open().await.unwrap();
    ///     visits.insert("count", 1).unwrap();
    ///     Ok(Response::new("Welcome.".to_owned()))
    /// }
    ///
    /// # let visits = Namespace::new("visits", MemoryStore::new());
    /// # let manager = SessionManager::builder().namespace(visits).build().unwrap();
    /// let app = SessionLayer::new(manager).layer(service_fn(count));
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let response = app.oneshot(Request::new(())).await.unwrap();
    /// assert!(response.headers().contains_key("set-cookie"));
    /// # });
    /// ```
    #[must_use]
    pub fn new(manager: SessionManager) -> Self {
        Self { manager }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let manager = self.manager.clone();
        SessionService { inner, manager }
    }
}

/// The service that [`SessionLayer`] makes.
#[derive(Debug, Clone)]
pub struct SessionService<S> {
    inner: S,
    manager: SessionManager,
}

impl<S, B, R> Service<Request<B>> for SessionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<&'static str>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future =
        Either<ServeFuture<Tower<R, S::Error>, S::Future>, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let extensions = request.extensions();
        let outer = extensions.get::<RequestSessions>().cloned();
        let tracer = extensions.get::<Arc<dyn Tracer>>().cloned();
        let sessions = match RequestSessions::enter(&self.manager, outer, tracer) {
            Ok(sessions) => sessions,
            Err(refused) => return Either::Right(ready(Ok(answer(&refused)))),
        };
        if self.manager.may_redirect() {
            let path = OriginalPath(request.uri().clone());
            request.extensions_mut().get_or_insert_with(|| path);
        }
        request.extensions_mut().insert(sessions.clone());
        Either::Left(sessions.serve(self.inner.call(request)))
    }
}
