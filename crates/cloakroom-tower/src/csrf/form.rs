use std::{fmt, marker::PhantomData, ops::Deref};

use axum_core::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use cloakroom_core::{Csrf, FormError, NamespaceName, SessionError};
use serde::de::DeserializeOwned;

use crate::{
    axum::{Session, SessionRejection},
    future::answer,
    head::RequestView,
};

/// A form whose token was checked: `axum::Form` for handlers without a layer that asks for tokens.
///
/// The token is one of the session of `N`, as the field `csrf_token` or in the header
/// `X-CSRF-Token`. Without a token that is good the answer is 403, and the handler is not called.
/// The field is taken out before the others become a `T`. A field that comes several times can be a
/// `Vec`. The query string is never read, whatever the method.
///
/// The body is limited by axum's `DefaultBodyLimit`, 2 MB unless it is set.
///
/// ```
/// # use cloakroom_tower::{CsrfForm, NamespaceName, Session, SessionRejection};
/// use axum::{Router, response::{Html, Redirect}, routing::get};
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
/// async fn form(account: Session<Account>) -> Result<Html<String>, SessionRejection> {
///     let form = account.csrf().open_form("/login")?;
///     Ok(Html(format!("{form}<input name=name><button>Log in</button></form>")))
/// }
///
/// async fn login(
///     account: Session<Account>,
///     form: CsrfForm<Login, Account>,
/// ) -> Result<Redirect, SessionRejection> {
///     account.login(form.name.as_str())?; // the token from before is void
///     Ok(Redirect::to("/"))
/// }
///
/// let app: Router = Router::new().route("/login", get(form).post(login));
/// ```
pub struct CsrfForm<T, N: NamespaceName>(T, PhantomData<fn() -> N>);

impl<T, N: NamespaceName> CsrfForm<T, N> {
    /// The form.
    ///
    /// ```
    /// # use cloakroom_tower::{CsrfForm, NamespaceName};
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
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::post(rename));
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

impl<S, T, N> FromRequest<S> for CsrfForm<T, N>
where
    S: Send + Sync,
    T: DeserializeOwned,
    N: NamespaceName,
{
    type Rejection = CsrfFormRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, CsrfFormRejection> {
        let (mut parts, body) = request.into_parts();
        let session = Session::<N>::from_request_parts(&mut parts, state).await;
        let session = session.map_err(SessionRejection::into_error)?;
        let check = session.csrf().check(&RequestView::from(&parts))?;
        if !Csrf::is_form(&RequestView::from(&parts)) {
            return Err(FormError::NotAForm.into());
        }
        let request = Request::from_parts(parts, body);
        let form = Bytes::from_request(request, state).await;
        let form = form.map_err(|rejection| CsrfFormRejection::Body(rejection.into_response()))?;
        check.form(&form)?;
        let value = serde_html_form::from_bytes(&Csrf::without_token(&form));
        match value {
            Ok(value) => Ok(Self(value, PhantomData)),
            Err(error) => Err(FormError::Fields(error.to_string()).into()),
        }
    }
}

/// Why there is no [`CsrfForm`]. As a response it tells the client no details.
#[derive(Debug)]
#[non_exhaustive]
pub enum CsrfFormRejection {
    /// The token is missing or not good, or the session can't be had: 403, or as the error says.
    Session(SessionError),
    /// The body can't be read, or is too large: the response of axum's own extractors.
    Body(Response),
    /// The body is no form, or its fields do not fit.
    Form(FormError),
}

impl From<SessionError> for CsrfFormRejection {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<FormError> for CsrfFormRejection {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl fmt::Display for CsrfFormRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(error) => error.fmt(f),
            Self::Form(error) => error.fmt(f),
            Self::Body(response) => write!(f, "the body can't be read: {}", response.status()),
        }
    }
}

impl std::error::Error for CsrfFormRejection {}

impl IntoResponse for CsrfFormRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Session(error) => answer(&error.respond()),
            Self::Form(error) => answer(&error.respond()),
            Self::Body(response) => response,
        }
    }
}
