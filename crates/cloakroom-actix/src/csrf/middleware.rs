use std::{
    future::{Ready, poll_fn, ready},
    pin::pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform},
    web::{Bytes, BytesMut},
};
use cloakroom_core::{
    CsrfRefusal, CsrfTokenRules, ErrorResponse, OriginRules, RequestSessions, SessionError,
    UnopenedCheck,
};
use futures_core::Stream;

use super::CsrfFuture;
use crate::{head::RequestView, rejection::answer};

/// Refuses what another site may have made a browser send: 403, no details, and an event.
///
/// Made of [`OriginRules`] it judges by what the browser says of where a request comes from, and
/// needs neither tokens nor sessions. Made of [`CsrfTokenRules`] it asks for a token of a session
/// too; then it must lie inside the [`SessionMiddleware`](crate::SessionMiddleware) that has the
/// namespace, else it answers 500, and the log says so. That opens the session, which costs a load.
/// A form that was read for its token is handed on as it was.
///
/// A response that refuses has the [`CsrfRefusal`] in its extensions, for a middleware outside that
/// wants to answer with a page of its own.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::{CsrfMiddleware, SessionMiddleware};
/// use cloakroom_core::{Namespace, OriginRules, SessionManager};
/// use cloakroom_memory::MemoryStore;
///
/// async fn set() -> &'static str {
///     "Your password was changed."
/// }
///
/// let account = Namespace::new("account", MemoryStore::new());
/// let sessions = SessionManager::builder().namespace(account).build()?;
/// let rules = OriginRules::new()
///     .trusted_origin("https://pay.example")?
///     .require_token("account");
/// let app = App::new()
///     .route("/password", web::post().to(set))
///     .wrap(CsrfMiddleware::from(rules))
///     .wrap(SessionMiddleware::new(sessions)); // outside, since the token is the session's
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "middleware does nothing by itself"]
pub struct CsrfMiddleware {
    rules: Rules,
}

#[derive(Debug, Clone)]
enum Rules {
    Origins(OriginRules),
    Tokens(CsrfTokenRules),
}

impl Default for Rules {
    fn default() -> Self {
        Self::Origins(OriginRules::new())
    }
}

impl CsrfMiddleware {
    /// The middleware with the plain rules: nobody is trusted, and nothing let past.
    pub fn new() -> Self {
        Self::default()
    }
}

impl From<OriginRules> for CsrfMiddleware {
    fn from(rules: OriginRules) -> Self {
        let rules = Rules::Origins(rules);
        Self { rules }
    }
}

impl From<CsrfTokenRules> for CsrfMiddleware {
    fn from(rules: CsrfTokenRules) -> Self {
        let rules = Rules::Tokens(rules);
        Self { rules }
    }
}

impl<S, B> Transform<S, ServiceRequest> for CsrfMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Transform = CsrfService<S>;
    type InitError = ();
    type Future = Ready<Result<CsrfService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(CsrfService {
            inner: Rc::new(inner),
            rules: self.rules.clone(),
        }))
    }
}

/// The service that [`CsrfMiddleware`] makes.
#[derive(Debug)]
pub struct CsrfService<S> {
    inner: Rc<S>,
    rules: Rules,
}

impl<S, B> Service<ServiceRequest> for CsrfService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = Error;
    type Future = CsrfFuture<S::Future, B>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let check = match self.rules.check(&request) {
            Ok(None) => return CsrfFuture::passed(self.inner.call(request)),
            Ok(Some(check)) => Ok(check),
            Err(refused) => Err(refused),
        };
        let inner = Rc::clone(&self.inner);
        CsrfFuture::checking(async move {
            let verified = match check {
                Ok(check) => verify(check, &mut request)
                    .await
                    .map_err(|error| error.respond()),
                Err(refused) => Err(refused),
            };
            match verified {
                Ok(()) => inner
                    .call(request)
                    .await
                    .map(ServiceResponse::map_into_left_body),
                Err(refused) => {
                    let response = request.into_response(answer(&refused));
                    Ok(response.map_into_right_body())
                }
            }
        })
    }
}

impl Rules {
    fn check(&self, request: &ServiceRequest) -> Result<Option<UnopenedCheck>, ErrorResponse> {
        let sessions = request.extensions().get::<RequestSessions>().cloned();
        let head = RequestView::from(request.request());
        match self {
            Self::Origins(rules) => rules.check(&head, sessions.as_ref()).map(|_| None),
            Self::Tokens(rules) => rules.check(&head, sessions.as_ref()),
        }
    }
}

/// Whether a request has a token that is good. Its body is there again afterwards.
async fn verify(check: UnopenedCheck, request: &mut ServiceRequest) -> Result<(), SessionError> {
    let check = check.open().await?;
    let Some(limit) = check.needs_body() else {
        return Ok(());
    };
    let form = read(request.take_payload(), limit).await;
    let form = form.map_err(|refusal| check.refuse(refusal))?;
    check.form(&form)?;
    request.set_payload(Payload::from(form));
    Ok(())
}

/// The whole body, if it has at most `limit` bytes. Reads no more than that.
async fn read(body: Payload, limit: usize) -> Result<Bytes, CsrfRefusal> {
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        let chunk = chunk.map_err(|_| CsrfRefusal::UnreadableBody)?;
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(CsrfRefusal::BodyTooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}
