use std::sync::{LazyLock, Mutex, PoisonError};

use cloakroom_store::{Key, NamespaceId, SessionId};

use super::{
    application::Application,
    input::{Input, Response},
};
use crate::{
    commit::Outcome,
    error::SessionError,
    head::{RequestHead, ResponseHeader, Scheme},
    namespace::Namespace,
    request::RequestSessions,
    session::SessionHandle,
    token::Token,
    transport::Transport,
};

const NAMESPACE: &str = "cart";
const PARAMETER: &str = "sid";
const HOSTS: [&str; 4] = [
    "shop.example",
    "localhost:3000",
    "shop.example:443",
    "[::1]:8080",
];

/// More values of a parameter than these are not looked at.
const LOOKED_AT: usize = 4;

struct World {
    application: Application,
    /// The token of a visitor, and the session that it opens.
    token: String,
    id: SessionId,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new()));

/// A `GET`, as far as addresses go.
struct Address {
    host: &'static str,
    path: String,
    query: Option<String>,
}

impl RequestHead for Address {
    fn method(&self) -> &str {
        "GET"
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if name == "host" {
            visit(self.host.as_bytes());
        }
    }
}

/// A request for any address, in an application whose sessions are in the query string, and any
/// address that it answers with or links to. A token goes to no other origin, in whose eyes ever
/// `leaves` is: whether an address, followed on a page, leads to another one. Other parameters stay
/// as they are, in their order, and what was written is read again.
pub fn addresses(bytes: &[u8], leaves: impl Fn(&str, &str) -> bool) {
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let mut input = Input::new(bytes);
    let flags = usize::from(input.byte());
    let host = HOSTS.get(flags % HOSTS.len()).copied().unwrap_or_default();
    // A `?` ends the path and a `#` the address, before anybody hears of it.
    let path = world.spell_out(input.short()).replace(['?', '#'], "");
    let query = world.spell_out(input.short()).replace('#', "");
    let asked = Address {
        host,
        path,
        query: (flags & 4 == 0).then_some(query),
    };
    let answered = world.spell_out(input.rest());
    let page = format!("https://{host}/a/b?x=1");
    world.asks_for(&asked, |url| leaves(&page, url));
    world.answers_with(host, &answered, |url| leaves(&page, url));
}

impl World {
    fn new() -> Self {
        let query = Transport::query(PARAMETER);
        let application = Application::new(|builder, store| {
            builder.namespace(Namespace::new(NAMESPACE, store.clone()).transports([query]))
        });
        let mut world = Self {
            application,
            token: String::new(),
            id: SessionId::from_bytes([0; 16]),
        };
        let first = Address {
            host: "shop.example",
            path: "/".to_owned(),
            query: None,
        };
        let to = world.open(&first).expect_err("a first visit is redirected");
        world.token = to
            .split_once("?sid=")
            .expect("there is a token")
            .1
            .to_owned();
        let token = Token::parse(world.token.as_bytes());
        world.id = token.expect("what was handed out is a token").id();
        world
    }

    /// A byte that no address has stands for the token, which no fuzzer can guess.
    fn spell_out(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace('\u{1}', &self.token)
    }

    /// What a request opens, or where it is sent.
    fn open(&self, head: &Address) -> Result<SessionHandle, String> {
        let sessions = RequestSessions::begin(&self.application.manager);
        let all = sessions.judge_all(head);
        let opened = self.application.runtime.block_on(all.open(NAMESPACE));
        match opened {
            Ok(session) => Ok(session.expect("a namespace without condition is open")),
            Err(SessionError::Redirect { to, .. }) => Err(to.location().to_owned()),
            Err(error) => unreachable!("{error}"),
        }
    }

    fn asks_for(&self, head: &Address, leaves: impl Fn(&str) -> bool) {
        let mut values = pairs(head.query()).filter_map(value).take(LOOKED_AT);
        let is_known = values.any(|value| value == self.token);
        let is_clean = |text: &str| !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
        let has_address =
            head.path.starts_with('/') && is_clean(&head.path) && head.query().is_none_or(is_clean);
        let to = match self.open(head) {
            Ok(session) => {
                assert!(is_known || !has_address, "nobody was redirected");
                return assert_eq!(session.id(), is_known.then_some(self.id));
            }
            Err(to) => to,
        };
        assert!(!is_known && has_address, "redirected to {to}");
        assert!(!leaves(&to), "redirected elsewhere: {to}");
        let (path, query) = to.split_once('?').expect("there is a query");
        assert!(path == head.path || path.strip_prefix("/.") == Some(&*head.path));
        let token = is_added(head.query(), query);
        assert!(to.len() < head.path.len() + head.query().map_or(0, str::len) + 80);
        let followed = Address {
            host: head.host,
            path: path.to_owned(),
            query: Some(query.to_owned()),
        };
        let session = self.open(&followed).expect("one redirect is enough");
        let id = Token::parse(token.as_bytes()).map(|token| token.id());
        assert!(id.is_some() && session.id() == id, "another session");
        // It is not needed any more, and there will be many.
        let known = self.key();
        let record = self.application.store.get(&known);
        self.application.store.clear();
        let record = record.expect("the known session is there");
        self.application.store.put(known, record);
    }

    fn key(&self) -> Key {
        let namespace = NamespaceId::new(NAMESPACE);
        Key::new(namespace.expect("it is a name"), self.id)
    }

    /// The address in a link, and in the response's `Location`.
    fn answers_with(&self, host: &'static str, url: &str, leaves: impl Fn(&str) -> bool) {
        let head = Address {
            host,
            path: "/a/b".to_owned(),
            query: Some(format!("x=1&{PARAMETER}={}", self.token)),
        };
        let sessions = RequestSessions::begin(&self.application.manager);
        let all = sessions.judge_all(&head);
        let mut response = Response(vec![(ResponseHeader::Location, url.to_owned())]);
        let link = self.application.runtime.block_on(async {
            let session = all.open(NAMESPACE).await.ok().flatten();
            let session = session.expect("the session is known");
            let link = session.url(url).into_owned();
            assert_eq!(session.url(&link), link, "twice is once");
            let verdict = sessions.commit(Outcome::Success).await;
            assert_eq!(verdict.status(), None);
            sessions.finish(&mut response);
            link
        });
        let sent = |header| {
            let mut of_it = response.0.iter().filter(move |(other, _)| *other == header);
            of_it.next().map(|(_, value)| value.as_str())
        };
        assert_eq!(sent(ResponseHeader::Location), Some(&*link));
        assert_eq!(sent(ResponseHeader::ReferrerPolicy), Some("no-referrer"));
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if link == url {
            let is_ours = url.strip_prefix('/').is_some_and(is_plain);
            return assert!(!is_ours, "{url} has no token");
        }
        assert!(!leaves(&link), "a token for others: {link}");
        let (before, fragment) = divide(&link, '#');
        let (path, query) = divide(before, '?');
        let (url, its_fragment) = divide(url, '#');
        let (its_path, its_query) = divide(url, '?');
        assert_eq!((path, fragment), (its_path, its_fragment));
        let token = is_added(its_query, query.expect("there is a query"));
        assert_eq!(token, self.token);
    }
}

fn divide(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = &str> {
    let query = query.filter(|query| !query.is_empty());
    query.into_iter().flat_map(|query| query.split('&'))
}

/// The value of the parameter, if the pair is one.
fn value(pair: &str) -> Option<&str> {
    match divide(pair, '=') {
        (PARAMETER, value) => Some(value.unwrap_or_default()),
        _ => None,
    }
}

/// The value that was added to a query string: after all others, which are what they were.
fn is_added<'a>(before: Option<&str>, after: &'a str) -> &'a str {
    let mut after: Vec<&str> = pairs(Some(after)).collect();
    let added = after.pop().and_then(value);
    let before = pairs(before).filter(|pair| value(pair).is_none());
    assert_eq!(after, before.collect::<Vec<_>>());
    added.expect("the parameter is the last one")
}
