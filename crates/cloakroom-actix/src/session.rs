use std::{fmt, marker::PhantomData, ops::Deref};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use cloakroom_core::{NamespaceName, SessionError, SessionHandle, Unopened};
use futures_util::future::LocalBoxFuture;

use crate::{attached::request_sessions, head::RequestView, rejection::SessionRejection};

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
pub struct Session<N: NamespaceName> {
    handle: SessionHandle,
    namespace: PhantomData<fn() -> N>,
}

impl<N: NamespaceName> Session<N> {
    fn new(handle: SessionHandle) -> Self {
        let namespace = PhantomData;
        Self { handle, namespace }
    }

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
        self.handle
    }
}

impl<N: NamespaceName> Deref for Session<N> {
    type Target = SessionHandle;

    fn deref(&self) -> &SessionHandle {
        &self.handle
    }
}

impl<N: NamespaceName> Clone for Session<N> {
    fn clone(&self) -> Self {
        Self::new(self.handle.clone())
    }
}

impl<N: NamespaceName> fmt::Debug for Session<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

impl<N: NamespaceName> FromRequest for Session<N> {
    type Error = SessionRejection;
    type Future = LocalBoxFuture<'static, Result<Self, SessionRejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let unopened = judge::<N>(request);
        let request = request.clone();
        Box::pin(async move {
            let opened = async { unopened?.open().await }.await;
            opened
                .map(Self::new)
                .map_err(|error| SessionRejection::of_extractor(error, &request))
        })
    }
}

/// Before the first await, so that its condition is judged by the request as it is.
fn judge<N: NamespaceName>(request: &HttpRequest) -> Result<Unopened, SessionError> {
    let judged = request_sessions(request)?.judge(N::NAME, &RequestView::from(request))?;
    judged.ok_or_else(|| SessionError::Closed {
        namespace: N::NAME.to_owned(),
    })
}
