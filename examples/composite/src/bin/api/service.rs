//! What the api answers: a function, with two layers around it.

use std::convert::Infallible;

use cloakroom::{
    CsrfLayer, NamespaceName, RequestSessions, RequestView, SessionError, SessionLayer,
    SessionManager, SessionsHandle,
};
use composite::{Account, count, describe};
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Bytes};
use tower::{Service, ServiceBuilder};

/// How often somebody has called: the api's own session.
pub(crate) const CALLS: &str = "calls";

type Answer = Response<Full<Bytes>>;

pub(crate) fn new<B: Send + 'static>(
    sessions: SessionManager,
    csrf: CsrfLayer,
) -> impl Service<Request<B>, Response = Answer, Error = Infallible, Future: Send> + Clone {
    ServiceBuilder::new()
        .layer(SessionLayer::new(sessions))
        .layer(csrf)
        .service_fn(answer)
}

async fn answer<B>(request: Request<B>) -> Result<Answer, Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let sessions = sessions(&request);
    drop(request);
    let answered = match sessions {
        Ok(sessions) => route(&sessions, &method, &path).await,
        Err(error) => Err(error),
    };
    Ok(answered.unwrap_or_else(|error| failed(&error)))
}

/// The sessions of a request, judged and not loaded: what is opened later is loaded then.
fn sessions<B>(request: &Request<B>) -> Result<SessionsHandle, SessionError> {
    let sessions = request.extensions().get::<RequestSessions>();
    let sessions = sessions.ok_or(SessionError::NoLayer {
        hint: "put a SessionLayer around the service",
    })?;
    Ok(sessions.judge_all(&RequestView::from(request)))
}

async fn route(
    sessions: &SessionsHandle,
    method: &Method,
    path: &str,
) -> Result<Answer, SessionError> {
    let account = async || {
        let account = sessions.open(Account::NAME).await?;
        account.ok_or_else(|| closed(Account::NAME))
    };
    let said = match (method, path) {
        (&Method::GET, "/") => describe(&account().await?)?,
        (&Method::POST, "/visits") => {
            count(&account().await?)?;
            "counted".to_owned()
        }
        (&Method::POST, "/logout") => {
            account().await?.logout()?;
            "good bye".to_owned()
        }
        (&Method::POST, "/calls") => {
            let calls = sessions.open(CALLS).await?;
            let calls = calls.ok_or_else(|| closed(CALLS))?;
            let calls = calls.update("count", |count: &mut u32| {
                *count = count.saturating_add(1);
                *count
            })?;
            format!("{calls} calls")
        }
        (&Method::POST, path) if path.starts_with("/login/") => {
            let name = path.trim_start_matches("/login/");
            account().await?.login(name)?;
            format!("welcome, {name}")
        }
        _ => return Ok(respond(StatusCode::NOT_FOUND, "there is nothing here")),
    };
    Ok(respond(StatusCode::OK, &said))
}

fn closed(namespace: &str) -> SessionError {
    SessionError::Closed {
        namespace: namespace.to_owned(),
    }
}

/// The client gets a status; the log gets what the engine has not told it already.
fn failed(error: &SessionError) -> Answer {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_server_error() && !error.is_reported() {
        tracing::error!("{error}");
    }
    respond(status, "this is not possible now")
}

fn respond(status: StatusCode, said: &str) -> Answer {
    let mut response = Response::new(Full::from(format!("api: {said}\n")));
    *response.status_mut() = status;
    response
}
