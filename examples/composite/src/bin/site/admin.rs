//! The administration: an application with a session of its own, which lasts shorter, comes from no
//! other site and is sent to no other path.

use std::error::Error;

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cloakroom::{
    Cookie, FileStore, Key, Limits, Namespace, NamespaceName, SameSite, Session, SessionManager,
    SessionRejection, Sessions, hours, minutes,
};
use composite::{Account, Options};

use crate::mount::Application;

/// An administrator at work.
struct Admin;

impl NamespaceName for Admin {
    const NAME: &'static str = "admin";
}

/// The id of the account's session that it was made for.
const BESIDE: Key<String> = Key::new("beside");

const LOOKS: Key<u32> = Key::new("looks");

pub(crate) fn application(
    store: FileStore,
    options: &Options,
) -> Result<Application, Box<dyn Error>> {
    let cookie = Cookie::default().path("/admin").same_site(SameSite::Strict);
    let admin = Namespace::new(Admin::NAME, store)
        .cookie(cookie)
        .limits(Limits::idle(minutes(5)).absolute(hours(1)));
    Ok(Application {
        sessions: SessionManager::builder()
            .namespace(options.over(admin))
            .build()?,
        routes: Router::new()
            .route("/", get(panel))
            .route("/enter", post(enter))
            .route("/sessions", get(sessions)),
    })
}

/// Whoever is logged in may enter here. A real application asks for a second factor.
async fn enter(
    account: Session<Account>,
    admin: Session<Admin>,
) -> Result<Response, SessionRejection> {
    let (Some(name), Some(id)) = (account.subject(), account.id()) else {
        return Ok((StatusCode::FORBIDDEN, "admin: log in first\n").into_response());
    };
    admin.login(name.as_str())?;
    admin.insert(BESIDE, id.to_string())?;
    Ok(format!("admin: at your service, {name}\n").into_response())
}

/// A logout elsewhere in the domain knows nothing of this session. So it counts only beside the
/// session that it was made for: ids are public, and outlive rotations.
async fn panel(
    account: Session<Account>,
    admin: Session<Admin>,
) -> Result<Response, SessionRejection> {
    let beside = admin.get(BESIDE)?;
    if beside.is_none() || beside != account.id().map(|id| id.to_string()) {
        return Ok((StatusCode::FORBIDDEN, "admin: enter first\n").into_response());
    }
    let looks = admin.update(LOOKS, |looks| {
        *looks = looks.saturating_add(1);
        *looks
    })?;
    Ok(format!("admin: {looks} looks\n").into_response())
}

/// Its own, after those of the layer around it.
async fn sessions(sessions: Sessions) -> String {
    format!("admin: {}\n", sessions.names().join(", "))
}
