use cloakroom_core::{Namespace, SessionError, SessionHandle, SessionManager};
use cloakroom_store::Store;
use cloakroom_testkit::TestBrowser;

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

    /// Serves a request of a browser, whose cookie it may change. Changes may be void.
    pub(crate) async fn serve<T>(
        &self,
        jar: &mut Option<String>,
        handle: impl FnOnce(&SessionHandle) -> T,
    ) -> T {
        let mut browser = TestBrowser::new(&self.0);
        browser.receive(jar.iter());
        let mut answer = None;
        let visit = browser.visit("account", async |session| {
            answer = Some(handle(session));
            Ok(())
        });
        match visit.await {
            Ok(()) | Err(SessionError::Ended { .. }) => {}
            Err(error) => unreachable!("{error}"),
        }
        *jar = Some(browser.cookie_header()).filter(|cookie| !cookie.is_empty());
        answer.unwrap()
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
