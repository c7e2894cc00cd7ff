use std::{fmt, marker::PhantomData, ops::Deref};

use axum_core::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use cloakroom_core::{Csrf, NamespaceName, SessionError};
use http::{HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::{
    axum::{Session, SessionRejection},
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
pub struct CsrfForm<T, N: NamespaceName> {
    value: T,
    namespace: PhantomData<fn() -> N>,
}

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
        self.value
    }
}

impl<T, N: NamespaceName> Deref for CsrfForm<T, N> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug, N: NamespaceName> fmt::Debug for CsrfForm<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CsrfForm").field(&self.value).finish()
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
        let session = Session::<N>::from_request_parts(&mut parts, state).await?;
        let check = session.csrf().check(&RequestView::from(&parts))?;
        if !Csrf::is_form(&RequestView::from(&parts)) {
            return Err(CsrfFormRejection::NoForm);
        }
        let request = Request::from_parts(parts, body);
        let form = Bytes::from_request(request, state).await;
        let form = form.map_err(|rejection| CsrfFormRejection::Body(rejection.into_response()))?;
        check.form(&form)?;
        let value = serde_html_form::from_bytes(&Csrf::without_token(&form));
        Ok(Self {
            value: value.map_err(|error| CsrfFormRejection::Fields(error.to_string()))?,
            namespace: PhantomData,
        })
    }
}

/// Why there is no [`CsrfForm`]. As a response it tells the client no details.
#[derive(Debug)]
#[non_exhaustive]
pub enum CsrfFormRejection {
    /// The token is missing or not good, or the session can't be had: 403, or as the error says.
    Session(SessionRejection),
    /// The body is no form, although the token is good: 415.
    NoForm,
    /// The body can't be read, or is larger than axum's limit: as this response says.
    Body(Response),
    /// The fields do not make the type that was asked for: 422. The text is for logs: it may have
    /// what the client sent.
    Fields(String),
}

impl From<SessionRejection> for CsrfFormRejection {
    fn from(rejection: SessionRejection) -> Self {
        Self::Session(rejection)
    }
}

impl From<SessionError> for CsrfFormRejection {
    fn from(error: SessionError) -> Self {
        Self::Session(error.into())
    }
}

impl fmt::Display for CsrfFormRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(rejection) => rejection.fmt(f),
            Self::NoForm => f.write_str("the body is no form"),
            Self::Body(response) => {
                write!(f, "the body can't be read: status {}", response.status())
            }
            Self::Fields(error) => write!(f, "the fields do not fit: {error}"),
        }
    }
}

impl std::error::Error for CsrfFormRejection {}

impl IntoResponse for CsrfFormRejection {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Session(rejection) => return rejection.into_response(),
            Self::Body(response) => return response,
            Self::NoForm => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "This is no form.\n"),
            Self::Fields(error) => {
                tracing::debug!(target: "cloakroom", "the fields of a form do not fit: {error}");
                let message = "Something is missing in the form, or is not as it should be.\n";
                (StatusCode::UNPROCESSABLE_ENTITY, message)
            }
        };
        let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (status, no_store, message).into_response()
    }
}
