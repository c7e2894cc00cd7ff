use std::{fmt, future, marker::PhantomData, ops::Deref};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use cloakroom_core::{NamespaceName, SessionError, SessionHandle, SessionsHandle};
use futures_util::future::LocalBoxFuture;

use crate::{head::RequestView, middleware::ask, rejection::SessionRejection};

/// The session of a namespace, opened.
///
/// As `Session<N>` it answers 403 where the namespace is closed; as `Option<Session<N>>` it is
/// `None` there. A store that fails is 503 in both cases: where a handler with an `Option` was
/// called all the same, its response is replaced and nothing is saved. As
/// `Result<Session<N>, SessionRejection>` it is yours to answer, once you have taken the error out
/// with [`into_error`](SessionRejection::into_error).
///
/// It dereferences to [`SessionHandle`], which helpers take.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::{NamespaceName, Session, SessionRejection};
///
/// struct Cart;
/// impl NamespaceName for Cart {
///     const NAME: &'static str = "cart";
/// }
///
/// async fn count(cart: Session<Cart>) -> Result<String, SessionRejection> {
///     let items: Vec<String> = cart.get_or_default("items")?;
///     Ok(format!("{} items", items.len()))
/// }
/// let app = App::new().route("/", web::get().to(count));
/// ```
///
/// A marker that names no namespace does not compile:
///
/// ```compile_fail
/// struct Cart;
/// async fn count(cart: cloakroom_actix::Session<Cart>) {}
/// ```
pub struct Session<N: NamespaceName>(SessionHandle, PhantomData<fn() -> N>);

impl<N: NamespaceName> Session<N> {
    /// The handle alone, for what outlives the handler.
    ///
    /// ```
    /// use cloakroom_actix::{NamespaceName, Session, SessionRejection};
    /// use cloakroom_core::{SessionError, SessionHandle};
    /// # struct Cart;
    /// # impl NamespaceName for Cart {
    /// #     const NAME: &'static str = "cart";
    /// # }
    ///
    /// async fn import(cart: Session<Cart>) -> Result<String, SessionRejection> {
    ///     cart.insert("imported", false)?; // so that the response has the cookie
    ///     actix_web::rt::spawn(note_import(cart.into_handle()));
    ///     Ok("We are at it.".to_owned())
    /// }
    ///
    /// async fn note_import(cart: SessionHandle) -> Result<(), SessionError> {
    ///     cart.insert("imported", true)?;
    ///     cart.save().await
    /// }
    /// ```
    #[must_use]
    pub fn into_handle(self) -> SessionHandle {
        self.0
    }
}

impl<N: NamespaceName> Deref for Session<N> {
    type Target = SessionHandle;

    fn deref(&self) -> &SessionHandle {
        &self.0
    }
}

impl<N: NamespaceName> Clone for Session<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<N: NamespaceName> fmt::Debug for Session<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<N: NamespaceName> FromRequest for Session<N> {
    type Error = SessionRejection;
    type Future = LocalBoxFuture<'static, Result<Self, SessionRejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Before the first await, so that its condition is judged by the request as it is.
        let head = RequestView::from(request);
        let judged = ask(request, |sessions| sessions.judge(N::NAME, &head));
        let request = request.clone();
        Box::pin(async move {
            let closed = || SessionError::closed(N::NAME);
            let open = async { judged??.ok_or_else(closed)?.open().await };
            match open.await {
                Ok(handle) => Ok(Self(handle, PhantomData)),
                Err(error) => Err(SessionRejection::of_extractor(error, &request)),
            }
        })
    }
}

/// All namespaces of a request, opened by their names when they are asked for: see
/// [`SessionsHandle`].
///
/// Extracting it loads nothing. There is no way to put a session into it or to take one out.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::{SessionRejection, Sessions};
///
/// async fn home(sessions: Sessions) -> Result<String, SessionRejection> {
///     let Some(prefs) = sessions.open("prefs").await? else {
///         return Ok("closed".to_owned());
///     };
///     Ok(prefs.get("language")?.unwrap_or_else(|| "en".to_owned()))
/// }
/// let app = App::new().route("/", web::get().to(home));
/// ```
#[derive(Debug, Clone)]
pub struct Sessions(SessionsHandle);

impl Deref for Sessions {
    type Target = SessionsHandle;

    fn deref(&self) -> &SessionsHandle {
        &self.0
    }
}

impl FromRequest for Sessions {
    type Error = SessionRejection;
    type Future = future::Ready<Result<Self, SessionRejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let head = RequestView::from(request);
        let judged = ask(request, |sessions| Self(sessions.judge_all(&head)));
        future::ready(judged.map_err(|error| SessionRejection::of_extractor(error, request)))
    }
}
