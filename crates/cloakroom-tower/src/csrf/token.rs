use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use cloakroom_core::{
    Csrf, CsrfRefusal, OriginRules, OriginVerdict, RequestSessions, SessionError, SessionHandle,
    Unopened,
};
use http::{HeaderName, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{CsrfFuture, body, refused, view::OriginView};
use crate::head::RequestView;

/// How much of a form is read to find its token, unless it is set otherwise.
const BODY_LIMIT: usize = 64 * 1024;

/// Asks for a token of a session, besides what [`CsrfLayer`](crate::CsrfLayer) does.
///
/// The token is what [`SessionHandle::csrf`] gives. It comes in the header `X-CSRF-Token`, or as
/// the field `csrf_token` of a form (`application/x-www-form-urlencoded`), never in the query
/// string. Where the header is, it alone counts, and the body is left alone. To find the field the
/// body is read, at most 64 KiB of it, and handed on as it was, without trailers; a form that is
/// larger is answered 413, and every other body, `multipart/form-data` too, needs the header.
/// Without a token that is good the answer is 403.
///
/// It must lie inside the [`SessionLayer`](crate::SessionLayer) that has the namespace; else it
/// answers 500, and the log says so. It opens the session, which costs a load.
///
/// The request body must be made of bytes (`From<Bytes>`), so that it can be handed on;
/// `axum::body::Body` and `http_body_util::Full` are. The handlers' service is cloned for a request
/// that needs a token.
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing by itself"]
pub struct CsrfTokenLayer {
    settings: Arc<Settings>,
}

#[derive(Debug, Clone)]
struct Settings {
    rules: OriginRules,
    namespace: String,
    when: When,
    action: Option<String>,
    header: HeaderName,
    body_limit: usize,
}

/// Which of the requests that may pass need a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Unvouched,
}

impl CsrfTokenLayer {
    pub(super) fn new(rules: OriginRules, namespace: String, when: When) -> Self {
        let settings = Settings {
            rules,
            namespace,
            when,
            action: None,
            header: HeaderName::from_static(Csrf::HEADER),
            body_limit: BODY_LIMIT,
        };
        Self {
            settings: Arc::new(settings),
        }
    }

    /// Asks for a token of one action, `csrf().action(..)`; no other is good. For a layer around
    /// one route.
    ///
    /// ```
    /// # use axum::{Router, routing::post};
    /// # use cloakroom_tower::CsrfLayer;
    /// # async fn close() {}
    /// let layer = CsrfLayer::new().require_token("account").for_action("close account");
    /// let app: Router = Router::new().route("/close", post(close).layer(layer));
    /// ```
    pub fn for_action(mut self, action: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.settings).action = Some(action.into());
        self
    }

    /// Takes the token from another header than `X-CSRF-Token`.
    ///
    /// ```
    /// use cloakroom_tower::CsrfLayer;
    /// use http::HeaderName;
    /// let name = HeaderName::from_static("x-xsrf-token");
    /// let layer = CsrfLayer::new().require_token("account").header(name);
    /// ```
    pub fn header(mut self, name: HeaderName) -> Self {
        Arc::make_mut(&mut self.settings).header = name;
        self
    }

    /// Reads at most this many bytes of a form; 64 KiB unless it is set.
    ///
    /// ```
    /// use cloakroom_tower::CsrfLayer;
    /// let layer = CsrfLayer::new().require_token("account").body_limit(1024 * 1024);
    /// ```
    pub fn body_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.settings).body_limit = bytes;
        self
    }
}

impl<S> Layer<S> for CsrfTokenLayer {
    type Service = CsrfTokenService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CsrfTokenService {
            inner,
            settings: Arc::clone(&self.settings),
        }
    }
}

/// The service that [`CsrfTokenLayer`] makes.
#[derive(Debug, Clone)]
pub struct CsrfTokenService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S, B, R> Service<Request<B>> for CsrfTokenService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + From<Bytes> + Send + 'static,
    B::Data: Send,
    R: From<&'static str> + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CsrfFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let settings = &self.settings;
        let verdict = settings.rules.judge(&OriginView::new(&request));
        if let Some(refusal) = verdict.refusal() {
            refused::note(&request, refusal);
            return CsrfFuture::refused(refused::answer(refusal));
        }
        if !settings.asks(verdict) {
            return CsrfFuture::passed(self.inner.call(request));
        }
        let unopened = match settings.judge(&request) {
            Ok(unopened) => unopened,
            Err(error) => return CsrfFuture::refused(refused::failed(&error)),
        };
        // The service that is ready is the one that is called; its clone waits for the next.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        CsrfFuture::checking(check(Arc::clone(settings), unopened, request, inner))
    }
}

/// Calls the inner service, if the request has a token that is good.
async fn check<S, B, R>(
    settings: Arc<Settings>,
    unopened: Unopened,
    request: Request<B>,
    mut inner: S,
) -> Result<Response<R>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + From<Bytes>,
    R: From<&'static str>,
{
    let checked = match unopened.open().await {
        Ok(session) => settings.verify(&session, request).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(request) => inner.call(request).await,
        Err(error) => Ok(refused::failed(&error)),
    }
}

impl Settings {
    fn asks(&self, verdict: OriginVerdict) -> bool {
        match verdict {
            OriginVerdict::Safe | OriginVerdict::Bypassed => false,
            OriginVerdict::Unknown => true,
            _ => self.when == When::Always,
        }
    }

    /// Before the first await, so that nothing of the request is held over it.
    fn judge<B>(&self, request: &Request<B>) -> Result<Unopened, SessionError> {
        let sessions = request.extensions().get::<RequestSessions>();
        let sessions = sessions.ok_or(SessionError::NoLayer {
            hint: "add `.layer(SessionLayer::new(manager))` after the layer that asks for tokens",
        })?;
        let unopened = sessions.judge(&self.namespace, &RequestView::from(request))?;
        unopened.ok_or_else(|| SessionError::Closed {
            namespace: self.namespace.clone(),
        })
    }

    /// The request, if it has a token that is good.
    async fn verify<B>(
        &self,
        session: &SessionHandle,
        request: Request<B>,
    ) -> Result<Request<B>, SessionError>
    where
        B: Body + From<Bytes>,
    {
        let csrf = match &self.action {
            Some(action) => session.csrf().action(action),
            None => session.csrf(),
        };
        let refuse = |refusal| csrf.refuse(refusal);
        if let Some(token) = body::token_of_header(request.headers(), &self.header) {
            csrf.verify(token.map_err(refuse)?)?;
            return Ok(request);
        }
        if !body::is_form(request.headers()) {
            return Err(refuse(CsrfRefusal::NoToken));
        }
        if session.is_new() {
            // No token can be good, so nothing is read.
            return Err(refuse(CsrfRefusal::NoSession));
        }
        let (parts, body) = request.into_parts();
        let form = body::read(body, self.body_limit).await.map_err(refuse)?;
        csrf.verify(&body::token_of_form(&form).map_err(refuse)?)?;
        Ok(Request::from_parts(parts, B::from(form)))
    }
}
