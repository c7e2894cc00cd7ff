use std::{
    mem,
    task::{Context, Poll},
};

use bytes::Bytes;
use cloakroom_core::{CsrfTokenRules, RequestSessions, SessionError, UnopenedCheck};
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{CsrfFuture, body};
use crate::{future::answer, head::RequestView};

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
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing by itself"]
pub struct CsrfTokenLayer {
    rules: CsrfTokenRules,
}

impl From<CsrfTokenRules> for CsrfTokenLayer {
    fn from(rules: CsrfTokenRules) -> Self {
        Self { rules }
    }
}

impl<S> Layer<S> for CsrfTokenLayer {
    type Service = CsrfTokenService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CsrfTokenService {
            inner,
            rules: self.rules.clone(),
        }
    }
}

/// The service that [`CsrfTokenLayer`] makes.
#[derive(Debug, Clone)]
pub struct CsrfTokenService<S> {
    inner: S,
    rules: CsrfTokenRules,
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
        let sessions = request.extensions().get::<RequestSessions>();
        match self.rules.check(&RequestView::from(&request), sessions) {
            Err(refused) => CsrfFuture::refused(answer(&refused)),
            Ok(None) => CsrfFuture::passed(self.inner.call(request)),
            Ok(Some(check)) => {
                // The service that is ready is the one that is called; its clone waits for the next.
                let clone = self.inner.clone();
                let mut inner = mem::replace(&mut self.inner, clone);
                CsrfFuture::checking(async move {
                    match verify(check, request).await {
                        Ok(request) => inner.call(request).await,
                        Err(error) => Ok(answer(&error.respond())),
                    }
                })
            }
        }
    }
}

/// The request, if it has a token that is good.
async fn verify<B: Body + From<Bytes>>(
    check: UnopenedCheck,
    request: Request<B>,
) -> Result<Request<B>, SessionError> {
    let check = check.open().await?;
    let Some(limit) = check.needs_body() else {
        return Ok(request);
    };
    let (parts, body) = request.into_parts();
    let form = body::read(body, limit).await;
    let form = form.map_err(|refusal| check.refuse(refusal))?;
    check.form(&form)?;
    Ok(Request::from_parts(parts, B::from(form)))
}
