//! Tokens that are asked for while the session is being committed: every order of the store calls.

use cloakroom_core::{EventKind, Namespace, RequestSessions, SessionManager, hours};
use cloakroom_testkit::TestRandom;

use crate::support::{
    ACCOUNT, Browser, Events, Flight, GatedStore, Handler, Order, Response, in_every_order,
};

struct Gated {
    manager: SessionManager,
    store: GatedStore,
    events: Events,
}

impl Gated {
    fn new() -> Self {
        let store = GatedStore::new(true);
        let events = Events::default();
        let manager = SessionManager::builder()
            .namespace(Namespace::new(ACCOUNT, store.clone()))
            .observer(events.clone())
            .random(TestRandom::new(7))
            // The test takes its time.
            .call_deadline(hours(1))
            .open_deadline(hours(1))
            .commit_deadline(hours(1))
            .build()
            .unwrap();
        Self {
            manager,
            store,
            events,
        }
    }

    fn begin(&self, browser: &Browser) -> Flight {
        Flight {
            head: browser.request(),
            sessions: RequestSessions::begin(&self.manager),
        }
    }

    async fn known(&self) -> Browser {
        let mut browser = Browser::new();
        let flight = self.begin(&browser);
        let session = flight.open(ACCOUNT).await;
        session.insert("known", true).unwrap();
        browser.receive(&flight.finish().await);
        browser
    }

    async fn is_good(&self, browser: &Browser, token: &str) -> bool {
        let session = self.begin(browser).open(ACCOUNT).await;
        session.csrf().verify(token).is_ok()
    }
}

/// Runs a request to its end, with an early save where there is one, beside another request of the
/// browser. The handler's own task asks for a token whenever a store call waits.
async fn race(
    app: &Gated,
    browser: &mut Browser,
    (saves, handler): (bool, Handler),
    other: Option<Handler>,
    order: &mut Order,
) -> Vec<String> {
    let flight = app.begin(browser);
    let session = flight.open(ACCOUNT).await;
    handler(&session).unwrap();
    let beside = app.begin(browser);
    if let Some(other) = other {
        other(&beside.open(ACCOUNT).await).unwrap();
    }
    let saved = session.clone();
    let ours = async {
        if saves {
            saved.save().await.unwrap();
        }
        flight.finish().await
    };
    let theirs = async {
        match other {
            Some(_) => beside.finish().await,
            None => Response::new(200),
        }
    };
    let mut tokens = Vec::new();
    let ask = async || tokens.push(session.csrf().token().unwrap());
    // The store holds calls up before the first of them comes.
    let ((), ours, theirs) = tokio::join!(app.store.drive(order, ask), ours, theirs);
    assert_eq!(ours.status, 200);
    browser.receive(&theirs);
    browser.receive(&ours);
    tokens
}

const HANDLERS: [(&str, Handler); 5] = [
    ("token", |s| s.csrf().token().map(drop)),
    ("insert", |s| s.insert("k", 1)),
    ("login", |s| s.login("alice")),
    ("renew", |s| s.csrf().renew()),
    ("rotate", |s| {
        s.insert("k", 1)?;
        s.rotate().map(drop)
    }),
];

#[tokio::test(start_paused = true)]
async fn a_token_asked_for_during_the_commit_is_good_after_it() {
    for (name, handler) in HANDLERS {
        for is_known in [false, true] {
            for saves in [false, true] {
                in_every_order(async |order| {
                    let app = Gated::new();
                    let mut browser = match is_known {
                        true => app.known().await,
                        false => Browser::new(),
                    };
                    let case = (saves, handler);
                    let tokens = race(&app, &mut browser, case, None, order).await;
                    let writes = !(is_known && name == "token");
                    assert!(tokens.len() > usize::from(writes));
                    for token in tokens {
                        assert!(
                            app.is_good(&browser, &token).await,
                            "{name} {is_known} {saves}"
                        );
                    }
                    assert!(
                        !app.events.has(EventKind::Dropped),
                        "{name} {is_known} {saves}"
                    );
                })
                .await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_good_too_when_the_commit_meets_the_changes_of_others() {
    let others: [(&str, Handler); 2] = [
        ("insert", |s| s.insert("other", 1)),
        ("rotate", |s| s.rotate().map(drop)),
    ];
    // To ask for a token in a session that is there writes nothing.
    for (name, handler) in HANDLERS.into_iter().skip(1) {
        for (other_name, other) in others {
            let orders = in_every_order(async |order| {
                let app = Gated::new();
                let mut browser = app.known().await;
                let case = (false, handler);
                let tokens = race(&app, &mut browser, case, Some(other), order).await;
                for token in tokens {
                    assert!(app.is_good(&browser, &token).await, "{name} {other_name}");
                }
            })
            .await;
            assert!(orders > 1, "{name} {other_name}");
        }
    }
}
