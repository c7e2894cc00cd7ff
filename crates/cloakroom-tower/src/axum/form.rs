use std::{fmt, marker::PhantomData, ops::Deref};

use axum_core::extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection};
use bytes::Bytes;
use cloakroom_core::{FormError, NamespaceName, SessionError};
use serde::de::DeserializeOwned;

use super::{Session, SessionRejection};
use crate::head::RequestView;

/// A form whose token was checked: `axum::Form` for handlers without a layer that asks for tokens.
///
/// The token is one of the session of `N`, as the field `csrf_token` or in the header
/// `X-CSRF-Token`. Without a token that is good the answer is 403, and the handler is not called.
/// The field is taken out before the others become a `T`. A field that comes several times can be a
/// `Vec`. The query string is never read, whatever the method.
///
/// The body is limited by axum's `DefaultBodyLimit`, 2 MB unless it is set: 413. What is no form is
/// answered 415, and fields that do not make a `T` 422, with no word of which.
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
    type Rejection = SessionRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, SessionRejection> {
        let (mut parts, body) = request.into_parts();
        let session = Session::<N>::from_request_parts(&mut parts, state).await?;
        let check = session.csrf().check_form(&RequestView::from(&parts))?;
        let request = Request::from_parts(parts, body);
        let form = Bytes::from_request(request, state).await;
        let unread = |error: BytesRejection| FormError::of_body(error.status().as_u16());
        let fields = check.fields(&form.map_err(unread).map_err(SessionError::from)?)?;
        match serde_html_form::from_bytes(&fields) {
            Ok(value) => Ok(Self(value, PhantomData)),
            Err(error) => Err(SessionError::from(FormError::Fields(error.to_string())).into()),
        }
    }
}
