use std::{fmt, marker::PhantomData, ops::Deref};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError,
    body::BoxBody,
    dev::Payload,
    http::{StatusCode, header},
    web::Bytes,
};
use cloakroom_core::{Csrf, NamespaceName, SessionError};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::{
    head::RequestView,
    rejection::{SessionRejection, TEXT},
    session::Session,
};

/// A form whose token was checked: `web::Form` for handlers without a middleware that asks for
/// tokens.
///
/// The token is one of the session of `N`, as the field `csrf_token` or in the header
/// `X-CSRF-Token`. Without a token that is good the answer is 403, and the handler is not called.
/// The field is taken out before the others become a `T`. A field that comes several times can be a
/// `Vec`. The query string is never read, whatever the method.
///
/// The body is limited by actix-web's `PayloadConfig`, 256 KiB unless it is set.
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
pub struct CsrfForm<T, N: NamespaceName> {
    value: T,
    namespace: PhantomData<fn() -> N>,
}

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

impl<T: DeserializeOwned + 'static, N: NamespaceName> FromRequest for CsrfForm<T, N> {
    type Error = CsrfFormRejection;
    type Future = LocalBoxFuture<'static, Result<Self, CsrfFormRejection>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = Session::<N>::from_request(request, payload);
        let body = Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let check = session.await?.csrf().check(&RequestView::from(&request))?;
            if !Csrf::is_form(&RequestView::from(&request)) {
                return Err(CsrfFormRejection::NoForm);
            }
            let form = body.await.map_err(CsrfFormRejection::Body)?;
            check.form(&form)?;
            let value = serde_html_form::from_bytes(&Csrf::without_token(&form));
            let namespace = PhantomData;
            match value {
                Ok(value) => Ok(Self { value, namespace }),
                Err(error) => Err(CsrfFormRejection::Fields(error.to_string())),
            }
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
    /// The body can't be read, or is larger than actix-web's limit: as this error says.
    Body(actix_web::Error),
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
            Self::Body(error) => write!(f, "the body can't be read: {error}"),
            Self::Fields(error) => write!(f, "the fields do not fit: {error}"),
        }
    }
}

impl std::error::Error for CsrfFormRejection {}

impl ResponseError for CsrfFormRejection {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Session(rejection) => rejection.status_code(),
            Self::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(error) => error.as_response_error().status_code(),
            Self::Fields(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let message = match self {
            Self::Session(rejection) => return rejection.error_response(),
            Self::Body(error) => return error.error_response(),
            Self::NoForm => "This is no form.\n",
            Self::Fields(error) => {
                tracing::debug!(target: "cloakroom", "the fields of a form do not fit: {error}");
                "Something is missing in the form, or is not as it should be.\n"
            }
        };
        HttpResponse::build(self.status_code())
            .insert_header((header::CONTENT_TYPE, TEXT))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(message)
    }
}
