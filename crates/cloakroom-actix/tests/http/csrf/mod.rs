//! Middleware and extractor against requests that other sites have made a browser send.

use std::sync::{Arc, Mutex};

use actix_web::{http::header, test::TestRequest};
use cloakroom_core::{CsrfRefusal, Event, EventKind, Namespace, Observer, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::SpyStore;

use crate::browser::{Answer, Browser};

mod bodies;
mod forms;
mod login;
mod origins;
mod refusals;
#[path = "../../../../cloakroom-core/tests/engine/csrf_table.rs"]
mod table;
mod tokens;

const FORM: &str = "application/x-www-form-urlencoded";

/// `account` always open, `admin` closed, and a `cart`; with the store's calls and the refusals.
fn manager() -> (SessionManager, SpyStore<MemoryStore>, Refusals) {
    let store = SpyStore::new(MemoryStore::new());
    let refusals = Refusals::default();
    let account = Namespace::new("account", store.clone());
    let manager = SessionManager::builder()
        .namespace(account.insecure_http())
        .namespace(Namespace::new("admin", store.clone()).only_if(|_| false))
        .namespace(Namespace::new("cart", store.clone()))
        .observer(refusals.clone())
        .build()
        .unwrap();
    (manager, store, refusals)
}

/// The refusals that were events, with their namespaces.
#[derive(Debug, Clone, Default)]
struct Refusals(Arc<Mutex<Vec<(String, CsrfRefusal)>>>);

impl Refusals {
    fn take(&self) -> Vec<(String, CsrfRefusal)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Those of the account's session, and no others.
    fn of_account(&self) -> Vec<CsrfRefusal> {
        let refusals = self.take().into_iter();
        let of_account = refusals.map(|(namespace, refusal)| {
            assert_eq!(namespace, "account");
            refusal
        });
        of_account.collect()
    }
}

impl Observer for Refusals {
    fn on_event(&self, event: &Event<'_>) {
        if let EventKind::CsrfRefused(refusal) = event.kind {
            let mut refusals = self.0.lock().unwrap();
            refusals.push((event.namespace.to_owned(), refusal));
        }
    }
}

impl Browser {
    /// Posts a form as a page of the application does.
    async fn post_form(&mut self, path: &str, form: impl Into<String>) -> Answer {
        let request = self
            .request("POST", path)
            .insert_header((header::CONTENT_TYPE, FORM))
            .insert_header((header::ORIGIN, "https://shop.example"))
            .insert_header(("sec-fetch-site", "same-origin"));
        self.send(request.set_payload(form.into())).await
    }

    fn post(&self, path: &str, headers: &[(&'static str, &str)]) -> TestRequest {
        let add = |request: TestRequest, pair: &(&'static str, &str)| request.append_header(*pair);
        headers.iter().fold(self.request("POST", path), add)
    }
}

impl Answer {
    /// The token of the hidden field on a page.
    fn token(&self) -> &str {
        let (_, after) = self
            .text
            .split_once(r#"name="csrf_token" value=""#)
            .expect("a token");
        after.split('"').next().unwrap()
    }
}
