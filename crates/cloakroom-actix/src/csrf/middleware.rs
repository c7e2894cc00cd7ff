use std::{
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage,
    body::{BodyStream, MessageBody, to_bytes_limited},
    dev::{Payload, Service, ServiceRequest, ServiceResponse, Transform},
};
use cloakroom_core::{CsrfRefusal, CsrfTokenRules, ErrorResponse, OriginRules, UnopenedCheck};
use futures_util::future::{LocalBoxFuture, Ready, ready};

use crate::{attached::Attached, commit::Response, head::RequestView, rejection::answer};

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
    origins: OriginRules,
    /// In the place of those, where they ask for tokens too.
    tokens: Option<CsrfTokenRules>,
}

impl CsrfMiddleware {
    /// The middleware with the plain rules: nobody is trusted, and nothing let past.
    pub fn new() -> Self {
        Self::default()
    }

    fn check(&self, request: &ServiceRequest) -> Result<Option<UnopenedCheck>, ErrorResponse> {
        let sessions = Attached::sessions(&request.extensions());
        let head = RequestView::from(request.request());
        match &self.tokens {
            Some(rules) => rules.check(&head, sessions.as_ref()),
            None => self.origins.check(&head, sessions.as_ref()).map(|_| None),
        }
    }
}

impl From<OriginRules> for CsrfMiddleware {
    fn from(origins: OriginRules) -> Self {
        let tokens = None;
        Self { origins, tokens }
    }
}

impl From<CsrfTokenRules> for CsrfMiddleware {
    fn from(rules: CsrfTokenRules) -> Self {
        let (origins, tokens) = (OriginRules::new(), Some(rules));
        Self { origins, tokens }
    }
}

impl<S, B> Transform<S, ServiceRequest> for CsrfMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Response<B>;
    type Error = Error;
    type Transform = CsrfService<S>;
    type InitError = ();
    type Future = Ready<Result<CsrfService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let (inner, middleware) = (Rc::new(inner), self.clone());
        ready(Ok(CsrfService { inner, middleware }))
    }
}

/// The service that [`CsrfMiddleware`] makes.
#[derive(Debug)]
pub struct CsrfService<S> {
    inner: Rc<S>,
    middleware: CsrfMiddleware,
}

impl<S, B> Service<ServiceRequest> for CsrfService<S>
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

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        // Judged before the first await.
        let checked = self.middleware.check(&request);
        let inner = Rc::clone(&self.inner);
        Box::pin(async move {
            let refused = match checked {
                Ok(None) => None,
                Ok(Some(check)) => verify(check, &mut request).await.err(),
                Err(refused) => Some(refused),
            };
            Ok(match refused {
                None => inner.call(request).await?.map_into_left_body(),
                Some(refused) => request
                    .into_response(answer(&refused))
                    .map_into_right_body(),
            })
        })
    }
}

/// Whether a request has a token that is good. Its body is there again afterwards.
async fn verify(check: UnopenedCheck, request: &mut ServiceRequest) -> Result<(), ErrorResponse> {
    let check = check.open().await.map_err(|error| error.respond())?;
    let Some(limit) = check.needs_body() else {
        return Ok(());
    };
    let body = BodyStream::new(request.take_payload());
    let verified = match to_bytes_limited(body, limit).await {
        Ok(Ok(form)) => check.form(&form).map(|()| form),
        Ok(Err(_)) => Err(check.refuse(CsrfRefusal::UnreadableBody)),
        Err(_) => Err(check.refuse(CsrfRefusal::BodyTooLarge)),
    };
    let form = verified.map_err(|error| error.respond())?;
    request.set_payload(Payload::from(form));
    Ok(())
}
