use std::{
    sync::Arc,
    task::{Context, Poll},
};

use cloakroom_core::{ConfigError, OriginRules};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{CsrfFuture, CsrfTokenLayer, refused, token::When, view::OriginView};

/// Refuses what another site may have made a browser send: 403, no details, and an event.
///
/// It judges by [`OriginRules`], which are those of Go 1.25: `GET`, `HEAD` and `OPTIONS` pass, and
/// of the others whatever the browser vouches for (`Sec-Fetch-Site`, or `Origin` and `Host`). It
/// needs neither tokens nor sessions. What comes from no browser, with neither header, passes; ask
/// for a token with [`require_token_unless_vouched`](Self::require_token_unless_vouched) where it
/// is not to, and with [`require_token`](Self::require_token) everywhere.
///
/// The response body must be made of text (`From<&'static str>`), as for
/// [`SessionLayer`](crate::SessionLayer). A response that refuses has the
/// [`CsrfRefusal`](cloakroom_core::CsrfRefusal) in its extensions, for a layer outside that wants
/// to answer with a page of its own.
///
/// ```
/// use cloakroom_tower::CsrfLayer;
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let handler = service_fn(async |_: Request<()>| -> Result<Response<&str>, std::io::Error> {
///     Ok(Response::new("Bought."))
/// });
/// let app = CsrfLayer::new().trusted_origin("https://pay.example")?.layer(handler);
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
    /// The layer with the plain rules.
    pub const fn new() -> Self {
        Self { rules: None }
    }

    /// Lets pass what pages of another origin send. See [`OriginRules::trusted_origin`].
    ///
    /// # Errors
    /// A [`ConfigError`] for what is no origin as browsers write it.
    ///
    /// ```
    /// use cloakroom_tower::CsrfLayer;
    /// assert!(CsrfLayer::new().trusted_origin("https://pay.example").is_ok());
    /// assert!(CsrfLayer::new().trusted_origin("pay.example").is_err());
    /// ```
    pub fn trusted_origin(self, origin: impl Into<String>) -> Result<Self, ConfigError> {
        let rules = self.into_rules().trusted_origin(origin)?;
        Ok(Self::from(rules))
    }

    /// Lets requests to a path pass, without a token too. Insecure, unless their handlers look at
    /// no session. See [`OriginRules::insecure_bypass`]; the path is the one that the layer sees,
    /// which below `Router::nest` is without the prefix.
    ///
    /// # Errors
    /// A [`ConfigError`] for what is no pattern.
    ///
    /// ```
    /// use cloakroom_tower::CsrfLayer;
    /// assert!(CsrfLayer::new().insecure_bypass("POST /hooks/").is_ok());
    /// assert!(CsrfLayer::new().insecure_bypass("hooks").is_err());
    /// ```
    pub fn insecure_bypass(self, pattern: &str) -> Result<Self, ConfigError> {
        let rules = self.into_rules().insecure_bypass(pattern)?;
        Ok(Self::from(rules))
    }

    /// Asks each request with another method than `GET`, `HEAD` and `OPTIONS` for a token of the
    /// session of this namespace, also where the browser vouches for it. What was let past needs
    /// none.
    ///
    /// ```
    /// # use cloakroom_core::{Namespace, NamespaceName, SessionManager};
    /// # use cloakroom_memory::MemoryStore;
    /// # use cloakroom_tower::*;
    /// use axum::{Router, routing::get};
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
    /// let app: Router = Router::new()
    ///     .route("/password", get(form).post(set))
    ///     .layer(CsrfLayer::new().require_token(Account::NAME))
    ///     .layer(SessionLayer::new(manager)); // outside, since the token is the session's
    /// # Ok::<(), cloakroom_core::ConfigError>(())
    /// ```
    pub fn require_token(self, namespace: impl Into<String>) -> CsrfTokenLayer {
        CsrfTokenLayer::new(self.into_rules(), namespace.into(), When::Always)
    }

    /// The same only where nobody vouches for the request: it has neither `Sec-Fetch-Site` nor
    /// `Origin`, and is not of a trusted origin. The plain rules let such a request pass, since no
    /// browser of the last years sends it.
    ///
    /// ```
    /// use cloakroom_tower::CsrfLayer;
    /// let layer = CsrfLayer::new().require_token_unless_vouched("account");
    /// ```
    pub fn require_token_unless_vouched(self, namespace: impl Into<String>) -> CsrfTokenLayer {
        CsrfTokenLayer::new(self.into_rules(), namespace.into(), When::Unvouched)
    }

    fn into_rules(self) -> OriginRules {
        self.rules.map(Arc::unwrap_or_clone).unwrap_or_default()
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
        match rules.judge(&OriginView::new(&request)).refusal() {
            None => CsrfFuture::passed(self.inner.call(request)),
            Some(refusal) => {
                refused::note(&request, refusal);
                CsrfFuture::refused(refused::answer(refusal))
            }
        }
    }
}
