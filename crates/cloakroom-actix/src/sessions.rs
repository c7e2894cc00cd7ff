use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use cloakroom_core::SessionsHandle;

use crate::{attached::request_sessions, head::RequestView, rejection::SessionRejection};

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
    type Future = Ready<Result<Self, SessionRejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let judged = request_sessions(request)
            .map(|sessions| Self(sessions.judge_all(&RequestView::from(request))));
        ready(judged.map_err(|error| SessionRejection::of_extractor(error, request)))
    }
}
