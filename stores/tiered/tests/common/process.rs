use std::borrow::Cow;

use cloakroom_core::{
    Namespace, Outcome, RequestHead, RequestSessions, ResponseHead, ResponseHeader, Scheme,
    SessionHandle, SessionManager,
};
use cloakroom_store::Store;

const COOKIE: &str = "__Host-account";

struct Head(Option<String>);

impl RequestHead for Head {
    fn method(&self) -> &str {
        "GET"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if let (Some(cookie), "cookie") = (&self.0, name) {
            visit(cookie.as_bytes());
        }
    }
}

#[derive(Default)]
struct Cookies(Vec<String>);

impl ResponseHead for Cookies {
    fn values(&self, _: ResponseHeader, _: &mut dyn FnMut(&[u8])) {}

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if header == ResponseHeader::SetCookie {
            self.0.push(value.into_owned());
        }
    }

    fn replace(&mut self, _: ResponseHeader, _: Cow<'static, str>) {}
}

/// A process of an application with one namespace.
pub(crate) struct Process(SessionManager);

impl Process {
    pub(crate) fn new(store: impl Store) -> Self {
        let namespace = Namespace::new("account", store);
        Self(
            SessionManager::builder()
                .namespace(namespace)
                .build()
                .unwrap(),
        )
    }

    /// Serves a request of a browser, whose cookie it may change.
    pub(crate) async fn serve<T>(
        &self,
        jar: &mut Option<String>,
        handle: impl FnOnce(&SessionHandle) -> T,
    ) -> T {
        let sessions = RequestSessions::begin(&self.0);
        sessions.judge_all(&Head(jar.clone()));
        let session = sessions.open("account").await.unwrap().unwrap();
        let answer = handle(&session);
        let verdict = sessions.commit(Outcome::Success).await;
        assert_eq!(verdict.status(), None);
        let mut cookies = Cookies::default();
        sessions.finish(&mut cookies);
        if let Some(cookie) = cookies.0.pop() {
            assert!(cookie.starts_with(COOKIE));
            let is_removal = cookie.contains("Max-Age=0");
            let pair = cookie.split(';').next().unwrap().to_owned();
            *jar = (!is_removal).then_some(pair);
        }
        answer
    }

    pub(crate) async fn user(&self, jar: &mut Option<String>) -> Option<String> {
        self.serve(jar, |session| {
            session.subject().map(|user| user.to_string())
        })
        .await
    }

    pub(crate) async fn visit(&self, jar: &mut Option<String>) {
        self.serve(jar, |session| session.insert("visited", true).unwrap())
            .await;
    }

    pub(crate) async fn login(&self, jar: &mut Option<String>) {
        self.serve(jar, |session| session.login("ann").unwrap())
            .await;
    }

    pub(crate) async fn end(&self, jar: &mut Option<String>) {
        self.serve(jar, |session| session.end().unwrap()).await;
    }
}
