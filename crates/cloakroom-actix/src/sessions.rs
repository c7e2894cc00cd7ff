use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use cloakroom_core::{RequestSessions, SessionError, SessionHandle};

use crate::{attached::request_sessions, head::RequestView, rejection::SessionRejection};

/// All namespaces of a request, opened when they are asked for.
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
    /// # use cloakroom_actix::{SessionRejection, Sessions};
    /// async fn home(sessions: Sessions) -> Result<String, SessionRejection> {
    ///     match sessions.open("admin").await? {
    ///         Some(admin) => Ok(format!("{} notes", admin.len())),
    ///         None => Ok("This is not available here.".to_owned()),
    ///     }
    /// }
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
    /// # use cloakroom_actix::{SessionRejection, Sessions};
    /// async fn menu(sessions: Sessions) -> Result<&'static str, SessionRejection> {
    ///     Ok(match sessions.is_open("admin")? {
    ///         true => "Cart, admin",
    ///         false => "Cart",
    ///     })
    /// }
    /// ```
    pub fn is_open(&self, name: &str) -> Result<bool, SessionError> {
        self.0.is_open(name)
    }

    /// The names of all namespaces, those of outer middleware first.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.names()
    }

    /// The names of the namespaces that this request has opened.
    #[must_use]
    pub fn opened(&self) -> Vec<&str> {
        self.0.opened()
    }

    /// Ends the sessions of all namespaces that are open on this request. One that can't be ended
    /// does not stop the others; it is returned, with its name.
    ///
    /// ```
    /// # use cloakroom_actix::{SessionRejection, Sessions};
    /// async fn forget_me(sessions: Sessions) -> Result<&'static str, SessionRejection> {
    ///     let failures = sessions.end_all().await;
    ///     match failures.into_iter().next() {
    ///         Some((_, error)) => Err(error.into()),
    ///         None => Ok("We know nothing of you."),
    ///     }
    /// }
    /// ```
    #[must_use = "some sessions may not have been ended"]
    pub async fn end_all(&self) -> Vec<(String, SessionError)> {
        self.0.end_all().await
    }
}

impl FromRequest for Sessions {
    type Error = SessionRejection;
    type Future = Ready<Result<Self, SessionRejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let sessions = request_sessions(request);
        if let Ok(sessions) = &sessions {
            sessions.judge_all(&RequestView::from(request));
        }
        let rejected = |error| SessionRejection::of_extractor(error, request);
        ready(sessions.map(Self).map_err(rejected))
    }
}
