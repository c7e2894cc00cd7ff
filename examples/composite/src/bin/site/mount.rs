//! Puts an application with sessions of its own into one that has some already.

use axum::Router;
use cloakroom::{RequestSessions, SessionLayer, SessionManager};

/// An application that brings sessions.
pub(crate) struct Application {
    pub(crate) sessions: SessionManager,
    pub(crate) routes: Router,
}

/// Mounts `inner` at `path` of `app`, which is to have the sessions `outer`.
///
/// A namespace or a cookie that both have would be a 500 for each request, with a line in the log.
/// Here it keeps the program from starting, and the error says which application it is.
pub(crate) fn at(
    app: Router,
    path: &str,
    inner: Application,
    outer: &SessionManager,
) -> Result<Router, String> {
    RequestSessions::begin_inside(&inner.sessions, RequestSessions::begin(outer))
        .map_err(|error| format!("the application at {path}: {error}"))?;
    let routes = inner.routes.layer(SessionLayer::new(inner.sessions));
    Ok(app.nest(path, routes))
}

#[cfg(test)]
mod tests {
    use cloakroom::{Cookie, FileStore, Namespace};

    use super::*;

    fn mounted(inner: impl FnOnce(FileStore) -> Namespace) -> Result<Router, String> {
        let data = tempfile::tempdir().unwrap();
        let store = composite::store(data.path()).unwrap();
        let manager = |namespace| {
            let sessions = SessionManager::builder().namespace(namespace);
            sessions.build().unwrap()
        };
        let outer = manager(Namespace::new("account", store.clone()));
        let inner = Application {
            sessions: manager(inner(store)),
            routes: Router::new(),
        };
        at(Router::new(), "/admin", inner, &outer)
    }

    #[test]
    fn an_application_may_bring_what_nobody_has() {
        assert!(mounted(|store| Namespace::new("admin", store)).is_ok());
    }

    #[test]
    fn a_name_that_is_there_already_is_refused_and_the_error_says_where() {
        let error = mounted(|store| {
            let cookie = Cookie::named("other");
            Namespace::new("account", store).cookie(cookie)
        });
        let expected = "the application at /admin: the session configuration is wrong\n  - namespace \
                        \"account\", name: an outer session layer has a namespace of this name: \
                        rename one, or leave it to the outer layer";
        assert_eq!(error.unwrap_err(), expected);
    }

    #[test]
    fn so_is_a_cookie() {
        let error = mounted(|store| {
            let cookie = Cookie::named("account");
            Namespace::new("admin", store).cookie(cookie)
        });
        let error = error.unwrap_err();
        assert!(error.starts_with("the application at /admin: "), "{error}");
        assert!(error.contains("\"admin\", cookie: "), "{error}");
        assert!(error.contains("__Host-account"), "{error}");
    }
}
