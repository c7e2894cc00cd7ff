use std::{fmt, marker::PhantomData, ops::Deref};

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use cloakroom_core::{NamespaceName, SessionError, SessionHandle, SessionsHandle, Unopened};
use http::request::Parts;

use super::{SessionRejection, request_sessions};
use crate::head::RequestView;

/// The session of a namespace, opened.
///
/// As `Session<N>` it answers 403 where the namespace is closed; as `Option<Session<N>>` it is
/// `None` there. It dereferences to [`SessionHandle`], which helpers take.
///
/// ```
/// use cloakroom_tower::{NamespaceName, Session, SessionRejection};
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
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(count));
/// ```
///
/// A marker that names no namespace does not compile:
///
/// ```compile_fail
/// struct Cart;
/// async fn count(cart: cloakroom_tower::Session<Cart>) {}
/// ```
pub struct Session<N: NamespaceName>(SessionHandle, PhantomData<fn() -> N>);

impl<N: NamespaceName> Session<N> {
    /// The handle alone, for what outlives the handler.
    ///
    /// ```
    /// # use cloakroom_core::Namespace;
    /// use cloakroom_core::{SessionError, SessionHandle};
    /// # use cloakroom_tower::{NamespaceName, Session, SessionRejection};
    /// # struct Cart;
    /// # impl NamespaceName for Cart {
    /// #     const NAME: &'static str = "cart";
    /// # }
    /// async fn import(cart: Session<Cart>) -> Result<String, SessionRejection> {
    ///     cart.insert("imported", false)?; // so that the response has the cookie
    ///     tokio::spawn(note_import(cart.into_handle()));
    ///     Ok("We are at it.".to_owned())
    /// }
    ///
    /// async fn note_import(cart: SessionHandle) -> Result<(), SessionError> {
    ///     cart.insert("imported", true)?;
    ///     cart.save().await
    /// }
    /// # let store = cloakroom_memory::MemoryStore::new();
    /// # let manager = cloakroom_core::SessionManager::builder()
    /// #     .namespace(Namespace::new("cart", store.clone()))
    /// #     .build()
    /// #     .unwrap();
    /// # let app = axum::Router::new()
    /// #     .route("/", axum::routing::get(import))
    /// #     .layer(cloakroom_tower::SessionLayer::new(manager));
    /// # let request = http::Request::new(axum::body::Body::empty());
    /// # let response = tower::ServiceExt::oneshot(app, request);
    /// # let response = tokio::runtime::Runtime::new().unwrap().block_on(response).unwrap();
    /// # assert_eq!(response.status(), 200);
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

impl<S: Send + Sync, N: NamespaceName> FromRequestParts<S> for Session<N> {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionRejection> {
        let session = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state);
        let session = session.await?;
        Ok(session.ok_or_else(|| SessionError::closed(N::NAME))?)
    }
}

impl<S: Send + Sync, N: NamespaceName> OptionalFromRequestParts<S> for Session<N> {
    type Rejection = SessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, SessionRejection> {
        match judge::<N>(parts)? {
            Some(unopened) => Ok(Some(Self(unopened.open().await?, PhantomData))),
            None => Ok(None),
        }
    }
}

/// Before the first await, so that nothing of the request is held over it.
fn judge<N: NamespaceName>(parts: &Parts) -> Result<Option<Unopened>, SessionError> {
    request_sessions(parts)?.judge(N::NAME, &RequestView::from(parts))
}

/// All namespaces of a request, opened by their names when they are asked for: see
/// [`SessionsHandle`].
///
/// Extracting it loads nothing. There is no way to put a session into it or to take one out.
///
/// ```
/// use cloakroom_tower::{SessionRejection, Sessions};
///
/// async fn home(sessions: Sessions) -> Result<String, SessionRejection> {
///     let Some(prefs) = sessions.open("prefs").await? else {
///         return Ok("closed".to_owned());
///     };
///     Ok(prefs.get("language")?.unwrap_or_else(|| "en".to_owned()))
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(home));
/// ```
#[derive(Debug, Clone)]
pub struct Sessions(SessionsHandle);

impl Deref for Sessions {
    type Target = SessionsHandle;

    fn deref(&self) -> &SessionsHandle {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sessions {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        let sessions = request_sessions(parts)?;
        Ok(Self(sessions.judge_all(&RequestView::from(&*parts))))
    }
}
