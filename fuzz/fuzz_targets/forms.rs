//! Whole requests with any form, to an application that asks for a CSRF token: by the layer, and
//! by the extractor. They pass with exactly one token that is good, no larger than the limit; what
//! the application gets is what was sent, and by the extractor all fields but the token's.
#![no_main]

use std::{
    borrow::Cow,
    sync::{LazyLock, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, header},
    routing::post,
};
use cloakroom_core::{Csrf, Namespace, OriginRules, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_tower::{
    CsrfForm, CsrfTokenLayer, NamespaceName, Session, SessionLayer, SessionRejection,
};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use url::form_urlencoded::{Serializer, parse};

/// How large a form may be for the layer.
const LIMIT: usize = 256;

const KINDS: [&str; 4] = [
    "application/x-www-form-urlencoded",
    "Application/X-WWW-Form-Urlencoded; charset=utf-8",
    "multipart/form-data; boundary=x",
    "text/plain",
];

struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

type Fields = Vec<(String, String)>;

async fn token(account: Session<Account>) -> Result<String, SessionRejection> {
    Ok(account.csrf().token()?)
}

async fn echo(body: Bytes) -> Bytes {
    body
}

async fn fields(form: CsrfForm<Fields, Account>) -> String {
    Serializer::new(String::new()).extend_pairs(&*form).finish()
}

struct World {
    app: Router,
    runtime: Runtime,
    cookie: String,
    token: String,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new()));

/// What came back: the status, the cookie that was set, and the body.
struct Answer(u16, String, Bytes);

impl World {
    fn new() -> Self {
        let namespace = Namespace::new(Account::NAME, MemoryStore::new()).insecure_http();
        let manager = SessionManager::builder().namespace(namespace).build();
        let asks = OriginRules::new().require_token(Account::NAME).body_limit(LIMIT);
        let app = Router::new()
            .route("/layer", post(echo).layer(CsrfTokenLayer::from(asks)))
            .route("/form", post(fields).get(token))
            .layer(SessionLayer::new(
                manager.expect("the configuration is fine"),
            ));
        let runtime = Builder::new_current_thread().enable_time().build();
        let mut world = Self {
            app,
            runtime: runtime.expect("a runtime without sockets needs nothing"),
            cookie: String::new(),
            token: String::new(),
        };
        let Answer(_, cookie, token) = world.send(Request::get("/form"), &[]);
        world.cookie = cookie;
        world.token = String::from_utf8_lossy(&token).into_owned();
        assert_eq!(world.token.len(), 86);
        world
    }

    fn send(&self, request: axum::http::request::Builder, body: &[u8]) -> Answer {
        let request = request.header(header::COOKIE, &self.cookie);
        let body = Body::from(body.to_vec());
        let request = request.body(body).expect("the head is fine");
        self.runtime.block_on(async {
            let Ok(response) = self.app.clone().oneshot(request).await;
            let (head, body) = response.into_parts();
            let cookie = head.headers.get(header::SET_COOKIE);
            let cookie = cookie.and_then(|cookie| cookie.to_str().ok()?.split(';').next());
            let cookie = cookie.unwrap_or_default().to_owned();
            let body = body.collect().await.expect("the body is there").to_bytes();
            Answer(head.status.as_u16(), cookie, body)
        })
    }

    /// A byte that no form has stands for the token, which no fuzzer can guess.
    fn spell_out(&self, bytes: &[u8]) -> Vec<u8> {
        let spelt = bytes.iter().map(|byte| match byte {
            1 => Cow::Borrowed(self.token.as_bytes()),
            2 => Cow::Borrowed(Csrf::FIELD.as_bytes()),
            other => Cow::Owned(vec![*other]),
        });
        spelt.collect::<Vec<_>>().concat()
    }
}

fuzz_target!(|bytes: &[u8]| {
    let world = WORLD.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((flags, form)) = bytes.split_first() else {
        return;
    };
    let flags = usize::from(*flags);
    let (kind, header) = (KINDS[flags % 4], flags / 4 % 3);
    let form = world.spell_out(form);
    let is_form = flags % 4 < 2;

    let (tokens, others): (Fields, Fields) = parse(&form)
        .into_owned()
        .partition(|(name, _)| name == Csrf::FIELD);
    let has_token = matches!(&*tokens, [(_, token)] if *token == world.token);
    let headers = ["", &world.token, "wrong"];
    let post = |path: &str| {
        let request = Request::post(path).header(header::CONTENT_TYPE, kind);
        let request = match header {
            0 => request,
            _ => request.header(Csrf::HEADER, headers[header]),
        };
        world.send(request, &form)
    };

    let Answer(status, cookie, body) = post("/layer");
    let expected = match header {
        1 => 200,
        2 => 403,
        _ if !is_form => 403,
        _ if form.len() > LIMIT => 413,
        _ if has_token => 200,
        _ => 403,
    };
    assert_eq!((status, &*cookie), (expected, ""), "the layer");
    assert!(status != 200 || body == form, "another body");

    let Answer(status, cookie, body) = post("/form");
    let expected = match header {
        1 if is_form => 200,
        1 => 415,
        2 => 403,
        _ if is_form && has_token => 200,
        _ => 403,
    };
    assert_eq!((status, &*cookie), (expected, ""), "the extractor");
    if status == 200 {
        assert_eq!(parse(&body).into_owned().collect::<Fields>(), others);
    }
});
