//! Layers that refuse what another site may have made a browser send.

use std::{
    error::Error,
    future::{Ready, ready},
    mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use cloakroom_core::{
    CsrfRefusal, CsrfTokenRules, OriginRules, RequestSessions, SessionError, UnopenedCheck,
};
use futures_util::future::{BoxFuture, Either};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_layer::Layer;
use tower_service::Service;

use crate::{answer::answer, head::RequestView};

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
pub struct CsrfLayer<R = OriginRules> {
    rules: Arc<R>,
}

/// Asks for a token of a session, besides what [`CsrfLayer`](crate::CsrfLayer) does:
/// [`CsrfTokenRules`] say which.
///
/// It must lie inside the [`SessionLayer`](crate::SessionLayer) that has the namespace; else it
/// answers 500, and the log says so. It opens the session, which costs a load. A form that was read
/// for its token is handed on as it was, without trailers.
///
/// The request body must be made of bytes (`From<Bytes>`), so that it can be handed on;
/// `axum::body::Body` and `http_body_util::Full` are. The handlers' service is cloned for a request
/// that needs a token.
///
/// ```
/// # use cloakroom_core::{Namespace, NamespaceName, SessionManager};
/// # use cloakroom_memory::MemoryStore;
/// # use cloakroom_tower::*;
/// use axum::{Router, routing::get};
/// use cloakroom_core::OriginRules;
///
/// struct Account;
/// impl NamespaceName for Account {
///     const NAME: &'static str = "account";
/// }
///
/// async fn form(account: Session<Account>) -> Result<String, SessionRejection> {
///     Ok(account.csrf().open_form("/password")? + "<input name=password></form>")
/// }
///
/// async fn set() -> &'static str {
///     "Your password was changed."
/// }
///
/// # let account = Namespace::new("account", MemoryStore::new());
/// # let manager = SessionManager::builder().namespace(account).build()?;
/// let rules = OriginRules::new().require_token(Account::NAME);
/// let app: Router = Router::new()
///     .route("/password", get(form).post(set))
///     .layer(CsrfTokenLayer::from(rules))
///     .layer(SessionLayer::new(manager)); // outside, since the token is the session's
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
pub type CsrfTokenLayer = CsrfLayer<CsrfTokenRules>;

impl CsrfLayer {
    /// The layer with the plain rules: nobody is trusted, and nothing let past.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R> From<R> for CsrfLayer<R> {
    fn from(rules: R) -> Self {
        let rules = Arc::new(rules);
        Self { rules }
    }
}

impl<S, R> Layer<S> for CsrfLayer<R> {
    type Service = CsrfService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        let rules = Arc::clone(&self.rules);
        CsrfService { inner, rules }
    }
}

/// What a [`CsrfLayer`] or a [`CsrfTokenLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct CsrfService<S, R = OriginRules> {
    inner: S,
    rules: Arc<R>,
}

impl<S, B, R> Service<Request<B>> for CsrfService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<&'static str>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let sessions = request.extensions().get::<RequestSessions>();
        match self.rules.check(&RequestView::from(&request), sessions) {
            Ok(_) => Either::Left(self.inner.call(request)),
            Err(refused) => Either::Right(ready(Ok(answer(&refused)))),
        }
    }
}

impl<S, B, R> Service<Request<B>> for CsrfService<S, CsrfTokenRules>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + From<Bytes> + Send + 'static,
    R: From<&'static str> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let sessions = request.extensions().get::<RequestSessions>();
        let check = match self.rules.check(&RequestView::from(&request), sessions) {
            Ok(None) => return Either::Left(self.inner.call(request)),
            Ok(Some(check)) => check,
            Err(refused) => return Either::Right(Box::pin(ready(Ok(answer(&refused))))),
        };
        // The one that is ready takes the request; its clone waits for the next.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        Either::Right(Box::pin(async move {
            match verify(check, request).await {
                Ok(request) => inner.call(request).await,
                Err(error) => Ok(answer(&error.respond())),
            }
        }))
    }
}

/// The request, with its form as it came.
async fn verify<B>(check: UnopenedCheck, request: Request<B>) -> Result<Request<B>, SessionError>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + From<Bytes>,
{
    let check = check.open().await?;
    let Some(limit) = check.needs_body() else {
        return Ok(request);
    };
    let (parts, body) = request.into_parts();
    let refuse = |error: Box<dyn Error + Send + Sync>| match error.is::<LengthLimitError>() {
        true => check.refuse(CsrfRefusal::BodyTooLarge),
        false => check.refuse(CsrfRefusal::UnreadableBody),
    };
    // In one buffer: many small frames take no more memory than a large one.
    let (mut body, mut form) = (pin!(Limited::new(body, limit)), BytesMut::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(refuse)?.into_data() {
            form.put(data);
        }
    }
    check.form(&form)?;
    Ok(Request::from_parts(parts, B::from(form.freeze())))
}
