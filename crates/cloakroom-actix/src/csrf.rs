use std::{fmt, marker::PhantomData, ops::Deref, rc::Rc};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::{BodyStream, to_bytes_limited},
    dev::{Payload, Service, ServiceRequest, ServiceResponse},
    web::Bytes,
};
use cloakroom_core::{
    CsrfRefusal, CsrfTokenRules, ErrorResponse, FormError, NamespaceName, OriginRules,
    RequestSessions, SessionError,
};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::{
    around::{Around, Response, Surround, refuse},
    head::RequestView,
    middleware::ask,
    rejection::SessionRejection,
    session::Session,
};

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
pub type CsrfMiddleware = Around<CsrfRules>;

/// What a [`CsrfMiddleware`] asks for.
#[derive(Debug, Clone, Default)]
pub struct CsrfRules(OriginRules, Option<CsrfTokenRules>);

impl CsrfMiddleware {
    /// The middleware with the plain rules: nobody is trusted, and nothing let past.
    pub fn new() -> Self {
        Self::default()
    }
}

impl From<OriginRules> for CsrfMiddleware {
    fn from(origins: OriginRules) -> Self {
        Self(CsrfRules(origins, None))
    }
}

impl From<CsrfTokenRules> for CsrfMiddleware {
    fn from(rules: CsrfTokenRules) -> Self {
        Self(CsrfRules(OriginRules::new(), Some(rules)))
    }
}

impl CsrfRules {
    /// Whether a request may pass. Its body is there again afterwards.
    async fn check(&self, request: &mut ServiceRequest) -> Result<(), ErrorResponse> {
        let sessions = ask(request.request(), RequestSessions::clone).ok();
        let head = RequestView::from(request.request());
        let Self(origins, tokens) = self;
        let check = match tokens {
            Some(rules) => rules.check(&head, sessions.as_ref())?,
            None => origins.check(&head, sessions.as_ref()).map(|_| None)?,
        };
        let Some(check) = check else {
            return Ok(());
        };
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
}

impl<S, B> Surround<S, B> for CsrfRules
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
{
    type Future = LocalBoxFuture<'static, Result<Response<B>, Error>>;

    fn serve(rules: &Rc<Self>, mut request: ServiceRequest, inner: &Rc<S>) -> Self::Future {
        let (rules, inner) = (Rc::clone(rules), Rc::clone(inner));
        Box::pin(async move {
            match rules.check(&mut request).await {
                Ok(()) => Ok(inner.call(request).await?.map_into_left_body()),
                Err(refused) => Ok(refuse(request, &refused)),
            }
        })
    }
}

/// A form whose token was checked: `web::Form` for handlers without a middleware that asks for
/// tokens.
///
/// The token is one of the session of `N`, as the field `csrf_token` or in the header
/// `X-CSRF-Token`. Without a token that is good the answer is 403, and the handler is not called.
/// The field is taken out before the others become a `T`. A field that comes several times can be a
/// `Vec`. The query string is never read, whatever the method.
///
/// The body is limited by actix-web's `PayloadConfig`, 256 KiB unless it is set: 413. What is no
/// form is answered 415, and fields that do not make a `T` 422, with no word of which.
///
/// ```
/// # use cloakroom_actix::{CsrfForm, NamespaceName, Session, SessionRejection};
/// use actix_web::{App, web};
///
/// # struct Account;
/// # impl NamespaceName for Account {
/// #     const NAME: &'static str = "account";
/// # }
/// #[derive(serde::Deserialize)]
/// struct Login {
///     name: String,
/// }
///
/// async fn form(account: Session<Account>) -> Result<web::Html, SessionRejection> {
///     let form = account.csrf().open_form("/login")?;
///     Ok(web::Html::new(format!("{form}<input name=name><button>Log in</button></form>")))
/// }
///
/// async fn login(
///     account: Session<Account>,
///     form: CsrfForm<Login, Account>,
/// ) -> Result<web::Redirect, SessionRejection> {
///     account.login(form.name.as_str())?; // the token from before is void
///     Ok(web::Redirect::to("/").see_other())
/// }
///
/// let app = App::new()
///     .route("/login", web::get().to(form))
///     .route("/login", web::post().to(login));
/// ```
pub struct CsrfForm<T, N: NamespaceName>(T, PhantomData<fn() -> N>);

impl<T, N: NamespaceName> CsrfForm<T, N> {
    /// The form.
    ///
    /// ```
    /// # use cloakroom_actix::{CsrfForm, NamespaceName};
    /// # struct Account;
    /// # impl NamespaceName for Account {
    /// #     const NAME: &'static str = "account";
    /// # }
    /// #[derive(serde::Deserialize)]
    /// struct Rename {
    ///     name: String,
    /// }
    ///
    /// async fn rename(form: CsrfForm<Rename, Account>) -> String {
    ///     let Rename { name } = form.into_inner();
    ///     format!("You are {name} now.")
    /// }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T, N: NamespaceName> Deref for CsrfForm<T, N> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug, N: NamespaceName> fmt::Debug for CsrfForm<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CsrfForm").field(&self.0).finish()
    }
}

impl<T: DeserializeOwned, N: NamespaceName> FromRequest for CsrfForm<T, N> {
    type Error = SessionRejection;
    type Future = LocalBoxFuture<'static, Result<Self, SessionRejection>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = Session::<N>::from_request(request, payload);
        let body = Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let session = session.await?;
            let check = session.csrf().check_form(&RequestView::from(&request))?;
            let unread =
                |error: Error| FormError::of_body(error.as_response_error().status_code().as_u16());
            let fields = check.fields(&body.await.map_err(unread).map_err(SessionError::from)?)?;
            match serde_html_form::from_bytes(&fields) {
                Ok(value) => Ok(Self(value, PhantomData)),
                Err(error) => Err(SessionError::from(FormError::Fields(error.to_string())).into()),
            }
        })
    }
}
