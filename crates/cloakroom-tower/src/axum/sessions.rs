use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use cloakroom_core::SessionsHandle;
use http::request::Parts;

use super::{SessionRejection, request_sessions};
use crate::head::RequestView;

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
