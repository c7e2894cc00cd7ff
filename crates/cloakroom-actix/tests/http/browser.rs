//! What the tests share: a browser of one tab, and the sessions of a shop.

use std::{future::Future, pin::Pin, rc::Rc};

use actix_web::{
    App, Error, HttpMessage, HttpResponse,
    body::{BoxBody, to_bytes},
    dev::{Service, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName},
    },
    test::{TestRequest, init_service},
    web::ServiceConfig,
};
use cloakroom_actix::Scheme;
use cloakroom_core::{CsrfRefusal, Namespace, NamespaceName, SessionManager, store::Store};

pub(crate) struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

pub(crate) struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

/// `cart` always open, `account` on https alone.
pub(crate) fn manager(store: impl Store + Clone) -> SessionManager {
    SessionManager::builder()
        .namespace(Namespace::new("cart", store.clone()))
        .namespace(Namespace::new("account", store).only_if(|request| request.is_https()))
        .build()
        .unwrap()
}

type Reply = Result<ServiceResponse<BoxBody>, Error>;
type Application = Rc<dyn Fn(TestRequest, Scheme) -> Pin<Box<dyn Future<Output = Reply>>>>;

#[derive(Clone)]
pub(crate) struct Browser {
    app: Application,
    cookies: Vec<(String, String)>,
    scheme: Scheme,
}

impl Browser {
    pub(crate) async fn new(configure: impl FnOnce(&mut ServiceConfig)) -> Self {
        let app = App::new().configure(configure).wrap(crate::around());
        let app = init_service(app).await;
        let app: Application = Rc::new(move |request, scheme| {
            let request = request.to_request();
            request.extensions_mut().insert(scheme);
            let reply = app.call(request);
            Box::pin(async move { reply.await.map(ServiceResponse::map_into_boxed_body) })
        });
        Self {
            app,
            cookies: Vec::new(),
            scheme: Scheme::Https,
        }
    }

    pub(crate) fn over(self, scheme: Scheme) -> Self {
        Self { scheme, ..self }
    }

    /// A request with the cookies that the browser has.
    pub(crate) fn request(&self, method: &str, path: &str) -> TestRequest {
        let request = TestRequest::with_uri(path)
            .method(method.parse().unwrap())
            .insert_header((header::HOST, "shop.example"));
        match self.cookie() {
            Some(cookies) => request.insert_header((header::COOKIE, cookies)),
            None => request,
        }
    }

    /// What it sends as `Cookie`.
    pub(crate) fn cookie(&self) -> Option<String> {
        let pair = |(name, value): &(String, String)| format!("{name}={value}");
        let pairs: Vec<String> = self.cookies.iter().map(pair).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The response before anybody has read its body.
    pub(crate) async fn reply(&mut self, request: TestRequest) -> Reply {
        let reply = (self.app)(request, self.scheme).await;
        if let Ok(response) = &reply {
            self.take_cookies(response.headers());
        }
        reply
    }

    pub(crate) async fn send(&mut self, request: TestRequest) -> Answer {
        let response = match self.reply(request).await {
            Ok(response) => response.into(),
            // As the server does it.
            Err(error) => error.error_response(),
        };
        self.take_cookies(response.headers());
        Answer::of(response).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    fn take_cookies(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(header::SET_COOKIE) {
            let text = header.to_str().unwrap();
            let (pair, attributes) = text.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) refusal: Option<CsrfRefusal>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: HttpResponse) -> Self {
        let status = response.status();
        let headers = response.headers().clone();
        let refusal = response.extensions().get().copied();
        let bytes = to_bytes(response.into_body()).await.unwrap();
        Self {
            status,
            headers,
            refusal,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) fn all(&self, name: HeaderName) -> Vec<&str> {
        let values = self.headers.get_all(name);
        values.map(|value| value.to_str().unwrap()).collect()
    }
}
