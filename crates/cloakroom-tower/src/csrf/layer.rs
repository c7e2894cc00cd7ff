use std::{
    sync::Arc,
    task::{Context, Poll},
};

use cloakroom_core::{OriginRules, RequestSessions};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::CsrfFuture;
use crate::{future::answer, head::RequestView};

/// Refuses what another site may have made a browser send: 403, no details, and an event.
///
/// It judges by [`OriginRules`], which are those of Go 1.25: `GET`, `HEAD` and `OPTIONS` pass, and
/// of the others whatever the browser vouches for (`Sec-Fetch-Site`, or `Origin` and `Host`). It
/// needs neither tokens nor sessions. What comes from no browser, with neither header, passes; use
/// a [`CsrfTokenLayer`](crate::CsrfTokenLayer) where it is not to. The path that a rule lets pass
/// is the one that the layer sees, which below `Router::nest` is without the prefix.
///
/// The response body must be made of text (`From<&'static str>`), as for
/// [`SessionLayer`](crate::SessionLayer). A response that refuses has the
/// [`CsrfRefusal`](cloakroom_core::CsrfRefusal) in its extensions, for a layer outside that wants
/// to answer with a page of its own.
///
/// ```
/// use cloakroom_core::OriginRules;
/// use cloakroom_tower::CsrfLayer;
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let handler = service_fn(async |_: Request<()>| -> Result<Response<&str>, std::io::Error> {
///     Ok(Response::new("Bought."))
/// });
/// let rules = OriginRules::new().trusted_origin("https://pay.example")?;
/// let app = CsrfLayer::from(rules).layer(handler);
/// let request = Request::post("/buy").header("sec-fetch-site", "cross-site").body(())?;
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let response = app.oneshot(request).await?;
/// assert_eq!(response.status(), 403);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a layer does nothing by itself"]
pub struct CsrfLayer {
    /// `None` for the plain rules, so that nothing is counted for each request.
    rules: Option<Arc<OriginRules>>,
}

impl CsrfLayer {
    /// The layer with the plain rules: nobody is trusted, and nothing let past.
    pub const fn new() -> Self {
        Self { rules: None }
    }
}

impl From<OriginRules> for CsrfLayer {
    fn from(rules: OriginRules) -> Self {
        let rules = Some(Arc::new(rules));
        Self { rules }
    }
}

impl<S> Layer<S> for CsrfLayer {
    type Service = CsrfService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CsrfService {
            inner,
            rules: self.rules.clone(),
        }
    }
}

/// The service that [`CsrfLayer`] makes.
#[derive(Debug, Clone)]
pub struct CsrfService<S> {
    inner: S,
    rules: Option<Arc<OriginRules>>,
}

impl<S, B, R> Service<Request<B>> for CsrfService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<&'static str>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CsrfFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        const PLAIN: &OriginRules = &OriginRules::new();
        let rules = self.rules.as_deref().unwrap_or(PLAIN);
        let sessions = request.extensions().get::<RequestSessions>();
        match rules.check(&RequestView::from(&request), sessions) {
            Ok(_) => CsrfFuture::passed(self.inner.call(request)),
            Err(refused) => CsrfFuture::refused(answer(&refused)),
        }
    }
}
