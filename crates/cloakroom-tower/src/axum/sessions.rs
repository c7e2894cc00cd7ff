use axum_core::extract::FromRequestParts;
use cloakroom_core::{RequestSessions, SessionError, SessionHandle};
use http::request::Parts;

use super::{SessionRejection, request_sessions};
use crate::head::RequestView;

/// All namespaces of a request, opened when they are asked for.
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
pub struct Sessions(RequestSessions);

impl Sessions {
    /// Opens a namespace; `None` when it is closed. The session is the same for the rest of the
    /// request.
    ///
    /// # Errors
    /// [`SessionError::UnknownNamespace`], and [`SessionError::Store`] when the store does not
    /// answer in time.
    ///
    /// ```
    /// # use cloakroom_core::Namespace;
    /// # use cloakroom_tower::{SessionRejection, Sessions};
    /// async fn home(sessions: Sessions) -> Result<String, SessionRejection> {
    ///     let cart = sessions.open("cart").await?.expect("it has no condition");
    ///     cart.insert("items", 3)?;
    ///     assert!(sessions.open("cart").await?.unwrap().contains("items")); // the same session
    ///     assert!(sessions.open("admin").await?.is_none()); // open below /admin alone
    ///     Ok("Welcome.".to_owned())
    /// }
    /// # let store = cloakroom_memory::MemoryStore::new();
    /// # let manager = cloakroom_core::SessionManager::builder()
    /// #     .namespace(Namespace::new("cart", store.clone()))
    /// #     .namespace(Namespace::new("admin", store.clone()).only_if(|r| r.path() == "/admin"))
    /// #     .build()
    /// #     .unwrap();
    /// # let app = axum::Router::new()
    /// #     .route("/", axum::routing::get(home))
    /// #     .layer(cloakroom_tower::SessionLayer::new(manager));
    /// # let request = http::Request::new(axum::body::Body::empty());
    /// # let response = tower::ServiceExt::oneshot(app, request);
    /// # let response = tokio::runtime::Runtime::new().unwrap().block_on(response).unwrap();
    /// # assert_eq!(response.status(), 200);
    /// ```
    pub async fn open(&self, name: &str) -> Result<Option<SessionHandle>, SessionError> {
        self.0.open(name).await
    }

    /// Whether a namespace is open on this request: its condition holds.
    ///
    /// # Errors
    /// [`SessionError::UnknownNamespace`].
    ///
    /// ```
    /// # use cloakroom_core::Namespace;
    /// # use cloakroom_tower::{SessionRejection, Sessions};
    /// async fn menu(sessions: Sessions) -> Result<String, SessionRejection> {
    ///     assert!(!sessions.is_open("admin")?); // it is open below /admin alone
    ///     assert!(sessions.is_open("acount").is_err()); // there is no such namespace
    ///     Ok("Cart, account".to_owned())
    /// }
    /// # let store = cloakroom_memory::MemoryStore::new();
    /// # let manager = cloakroom_core::SessionManager::builder()
    /// #     .namespace(Namespace::new("cart", store.clone()))
    /// #     .namespace(Namespace::new("admin", store.clone()).only_if(|r| r.path() == "/admin"))
    /// #     .build()
    /// #     .unwrap();
    /// # let app = axum::Router::new()
    /// #     .route("/", axum::routing::get(menu))
    /// #     .layer(cloakroom_tower::SessionLayer::new(manager));
    /// # let request = http::Request::new(axum::body::Body::empty());
    /// # let response = tower::ServiceExt::oneshot(app, request);
    /// # let response = tokio::runtime::Runtime::new().unwrap().block_on(response).unwrap();
    /// # assert_eq!(response.status(), 200);
    /// ```
    pub fn is_open(&self, name: &str) -> Result<bool, SessionError> {
        self.0.is_open(name)
    }

    /// The names of all namespaces, those of outer layers first.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.names()
    }

    /// The names of the namespaces that this request has opened.
    ///
    /// ```
    /// # use cloakroom_core::Namespace;
    /// # use cloakroom_tower::{SessionRejection, Sessions};
    /// async fn home(sessions: Sessions) -> Result<String, SessionRejection> {
    ///     sessions.open("cart").await?;
    ///     assert_eq!(sessions.names(), ["account", "cart"]);
    ///     assert_eq!(sessions.opened(), ["cart"]);
    ///     Ok("Welcome.".to_owned())
    /// }
    /// # let store = cloakroom_memory::MemoryStore::new();
    /// # let manager = cloakroom_core::SessionManager::builder()
    /// #     .namespace(Namespace::new("account", store.clone()))
    /// #     .namespace(Namespace::new("cart", store.clone()))
    /// #     .build()
    /// #     .unwrap();
    /// # let app = axum::Router::new()
    /// #     .route("/", axum::routing::get(home))
    /// #     .layer(cloakroom_tower::SessionLayer::new(manager));
    /// # let request = http::Request::new(axum::body::Body::empty());
    /// # let response = tower::ServiceExt::oneshot(app, request);
    /// # let response = tokio::runtime::Runtime::new().unwrap().block_on(response).unwrap();
    /// # assert_eq!(response.status(), 200);
    /// ```
    #[must_use]
    pub fn opened(&self) -> Vec<&str> {
        self.0.opened()
    }

    /// Ends the sessions of all namespaces that are open on this request. One that can't be ended
    /// does not stop the others; it is returned, with its name.
    ///
    /// ```
    /// # use cloakroom_core::Namespace;
    /// # use cloakroom_tower::{SessionRejection, Sessions};
    /// async fn forget_me(sessions: Sessions) -> Result<String, SessionRejection> {
    ///     let failures = sessions.end_all().await;
    ///     match failures.into_iter().next() {
    ///         Some((_, error)) => Err(error.into()),
    ///         None => Ok("We know nothing of you.".to_owned()),
    ///     }
    /// }
    /// # let store = cloakroom_memory::MemoryStore::new();
    /// # let manager = cloakroom_core::SessionManager::builder()
    /// #     .namespace(Namespace::new("account", store.clone()))
    /// #     .namespace(Namespace::new("cart", store.clone()))
    /// #     .build()
    /// #     .unwrap();
    /// # let app = axum::Router::new()
    /// #     .route("/", axum::routing::get(forget_me))
    /// #     .layer(cloakroom_tower::SessionLayer::new(manager));
    /// # let request = http::Request::new(axum::body::Body::empty());
    /// # let response = tower::ServiceExt::oneshot(app, request);
    /// # let response = tokio::runtime::Runtime::new().unwrap().block_on(response).unwrap();
    /// # assert_eq!(response.status(), 200);
    /// ```
    #[must_use = "some sessions may not have been ended"]
    pub async fn end_all(&self) -> Vec<(String, SessionError)> {
        self.0.end_all().await
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sessions {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        let sessions = request_sessions(parts)?;
        sessions.judge_all(&RequestView::from(&*parts));
        Ok(Self(sessions.clone()))
    }
}
