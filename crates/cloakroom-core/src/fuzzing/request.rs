use std::sync::{LazyLock, Mutex, PoisonError};

use cloakroom_store::SessionId;

use super::{
    application::{Application, cookies_set},
    cookies::values,
    input::{Cookies, Response},
    sealed,
};
use crate::{commit::Outcome, namespace::Namespace, request::RequestSessions};

/// More cookies of a name than these are not looked at.
const LOOKED_AT: usize = 4;

const NAMES: [&str; 3] = ["account", "prefs", "look"];

struct World {
    application: Application,
    known: Vec<Known>,
}

/// A namespace, and two visitors that it knows.
struct Known {
    namespace: &'static str,
    cookie: String,
    visitors: Vec<(String, SessionId)>,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new()));

impl World {
    fn new() -> Self {
        let [account, prefs, look] = NAMES;
        let application = Application::new(|builder, store| {
            builder
                .namespace(Namespace::new(account, store.clone()))
                .namespace(Namespace::in_cookie(prefs, &sealed::keys()))
                .namespace(Namespace::in_cookie(look, &sealed::keys()).signed())
        });
        let known = NAMES
            .into_iter()
            .map(|namespace| {
                let visits = [0, 1].map(|number| first_visit(&application, namespace, number));
                let [(cookie, first), (_, second)] = visits;
                Known {
                    namespace,
                    cookie,
                    visitors: vec![first, second],
                }
            })
            .collect();
        Self { application, known }
    }

    /// Some bytes that no header has stand for what a fuzzer can't guess: the names of the
    /// cookies, and what the known visitors have.
    fn spell_out(&self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for byte in bytes {
            let (known, part) = (usize::from(*byte) / 4, *byte % 4);
            let known = self.known.get(known).filter(|_| part != 0);
            let visitor = usize::from(part).saturating_sub(2);
            match known {
                Some(known) if part == 1 => {
                    text.extend_from_slice(known.cookie.as_bytes());
                    text.push(b'=');
                }
                Some(known) => {
                    let visitor = known.visitors.get(visitor);
                    text.extend(visitor.iter().flat_map(|(value, _)| value.bytes()));
                }
                None => text.push(*byte),
            }
        }
        text
    }
}

/// The cookie that a first visit sets, its value, and the session.
fn first_visit(
    application: &Application,
    namespace: &str,
    number: usize,
) -> (String, (String, SessionId)) {
    let sessions = RequestSessions::begin(&application.manager);
    let all = sessions.judge_all(&Cookies(Vec::new()));
    let mut response = Response::default();
    let id = application.runtime.block_on(async {
        let session = all.open(namespace).await.ok().flatten();
        let session = session.expect("a namespace without condition is open");
        let inserted = session.insert("visitor", number);
        inserted.expect("a number fits into a session");
        let verdict = sessions.commit(Outcome::Success).await;
        assert_eq!(verdict.status(), None);
        sessions.finish(&mut response);
        session.id().expect("a session that was stored has an id")
    });
    let cookies = cookies_set(&response);
    let (name, value) = cookies.first().expect("a new session sets a cookie");
    ((*name).to_owned(), ((*value).to_owned(), id))
}

/// A whole request with any `Cookie` headers, divided by `|`, in an application with a session in
/// a store, an encrypted and a signed one. A session opens when exactly one that was handed out is
/// among the first four cookies of its name; reading it writes and sends nothing.
pub fn request(bytes: &[u8]) {
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let Application {
        manager,
        store,
        runtime,
        ..
    } = &world.application;
    let headers = bytes.split(|byte| *byte == b'|');
    let head = Cookies(headers.map(|header| world.spell_out(header)).collect());
    let sessions = RequestSessions::begin(manager);
    let all = sessions.judge_all(&head);
    let writes = store.writes();
    let mut response = Response::default();
    runtime.block_on(async {
        for known in &world.known {
            let expected = known.session_of(&head);
            let session = match all.open(known.namespace).await {
                Ok(session) => session.expect("a namespace without condition is open"),
                Err(error) => unreachable!("{}: {error}", known.namespace),
            };
            assert_eq!(session.id(), expected.map(|(_, id)| id));
            assert_eq!(session.is_new(), expected.is_none());
            let visitor = session.get::<usize>("visitor").ok().flatten();
            assert_eq!(visitor, expected.map(|(number, _)| number));
            assert_eq!(session.len(), usize::from(expected.is_some()));
        }
        let verdict = sessions.commit(Outcome::Success).await;
        assert_eq!(verdict.status(), None);
    });
    sessions.finish(&mut response);
    assert_eq!(store.writes(), writes, "a read writes");
    assert_eq!(cookies_set(&response), [], "a read sets a cookie");
}

impl Known {
    fn session_of(&self, head: &Cookies) -> Option<(usize, SessionId)> {
        let candidates = values(head, &self.cookie);
        let is_candidate = |value: &str| {
            let mut candidates = candidates.iter().take(LOOKED_AT);
            candidates.any(|candidate| candidate == value.as_bytes())
        };
        let mut opened = self
            .visitors
            .iter()
            .enumerate()
            .filter(|(_, (value, _))| is_candidate(value))
            .map(|(number, (_, id))| (number, *id));
        let first = opened.next();
        match opened.next() {
            Some(_) => None,
            None => first,
        }
    }
}
