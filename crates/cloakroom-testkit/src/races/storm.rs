//! Many requests on real threads, without a scheduler.

use cloakroom_core::{
    Namespace, Outcome, RequestSessions, SessionError, SessionHandle, SessionManager,
};
use cloakroom_store::AnyStore;
use tokio::task::JoinSet;

use super::{
    promise::{Broken, Promise},
    serve::{COOKIE, NAMESPACE},
};
use crate::heads::{RequestCookie, ResponseCookies};

/// Has `count` requests increment one counter and set a key of their own at the same time, and
/// looks whether all of it is there.
pub(super) async fn storm(store: &AnyStore, count: u64) -> Result<(), Broken> {
    let manager = SessionManager::builder()
        .namespace(Namespace::new(NAMESPACE, store.clone()))
        .build()
        .map_err(|error| broken(error.to_string()))?;
    let first = Request::open(&manager, None).await.map_err(failed)?;
    first.session.insert("n", 0_u64).map_err(failed)?;
    let token = first.commit().await?;
    let mut requests = JoinSet::new();
    for number in 0..count {
        let (manager, token) = (manager.clone(), token.clone());
        requests.spawn(async move {
            let request = Request::open(&manager, token.as_deref())
                .await
                .map_err(failed)?;
            let session = &request.session;
            session.update("n", |n: &mut u64| *n += 1).map_err(failed)?;
            session
                .insert(&format!("own-{number}"), number)
                .map_err(failed)?;
            request.commit().await
        });
    }
    while let Some(ended) = requests.join_next().await {
        match ended {
            Ok(result) => result.map(drop)?,
            Err(error) => return Err(broken(format!("a request panicked: {error}"))),
        }
    }
    let last = Request::open(&manager, token.as_deref())
        .await
        .map_err(failed)?;
    let n: Option<u64> = last.session.get("n").map_err(failed)?;
    let keys = last.session.len();
    last.session.end().map_err(failed)?;
    last.commit().await?;
    let own = usize::try_from(count).unwrap_or(usize::MAX);
    match n == Some(count) && keys == own.saturating_add(1) {
        true => Ok(()),
        false => Err(broken(format!(
            "of {count} requests that each increment n and set a key, n is {n:?} and there are {keys} keys"
        ))),
    }
}

fn broken(what: String) -> Broken {
    Broken::new(Promise::SerialOrder, what)
}

fn failed(error: SessionError) -> Broken {
    broken(format!("a request failed: {error}"))
}

struct Request {
    sessions: RequestSessions,
    session: SessionHandle,
}

impl Request {
    async fn open(manager: &SessionManager, token: Option<&str>) -> Result<Self, SessionError> {
        let sessions = RequestSessions::begin(manager);
        let all = sessions.judge_all(&RequestCookie::new(COOKIE, token));
        let session = all.open(NAMESPACE).await?;
        let closed = || SessionError::Closed {
            namespace: NAMESPACE.to_owned(),
        };
        Ok(Self {
            session: session.ok_or_else(closed)?,
            sessions,
        })
    }

    /// Gives the cookie that is set.
    async fn commit(self) -> Result<Option<String>, Broken> {
        let verdict = self.sessions.commit(Outcome::Success).await;
        if let Some(status) = verdict.status() {
            let what = format!("a request was answered with a {status}");
            return Err(Broken::new(Promise::EveryRequestEnds, what));
        }
        let mut cookies = ResponseCookies::default();
        self.sessions.finish(&mut cookies);
        Ok(cookies.change(COOKIE))
    }
}
