//! A visitor's browser: reqwest, whose jar knows domains, paths and `Secure`.

use std::sync::Arc;

use reqwest::{
    Client, Method, Response, StatusCode, Url,
    cookie::{CookieStore, Jar},
};

use crate::process::Program;

/// The two programs on one folder, each at its host of the domain.
pub(crate) struct World {
    site: Program,
    api: Program,
    _data: tempfile::TempDir,
}

impl World {
    /// On plain http, as in development.
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let site = Program::site(data.path(), &["--insecure-http"]);
        // The site's pages may post to the api.
        let origin = at("www.shop.localhost", &site, "/").origin();
        let trust = ["--insecure-http", "--trust", &origin.ascii_serialization()];
        Self {
            api: Program::api(data.path(), &trust),
            site,
            _data: data,
        }
    }

    /// The same address for a page of the site.
    pub(crate) fn site(&self, path: &str) -> Url {
        at("www.shop.localhost", &self.site, path)
    }

    pub(crate) fn api(&self, path: &str) -> Url {
        at("api.shop.localhost", &self.api, path)
    }
}

fn at(host: &str, program: &Program, path: &str) -> Url {
    let port = program.address.port();
    Url::parse(&format!("http://{host}:{port}{path}")).unwrap()
}

/// Clones are tabs of one browser.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    jar: Arc<Jar>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let jar = Arc::new(Jar::default());
        // Names below localhost are this machine, whatever the system's resolver thinks.
        let here = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let client = Client::builder()
            .cookie_provider(Arc::clone(&jar))
            .resolve("www.shop.localhost", here(0))
            .resolve("api.shop.localhost", here(0))
            .no_proxy()
            .build()
            .unwrap();
        Self { client, jar }
    }

    pub(crate) async fn send(&self, method: Method, url: Url) -> Response {
        self.client.request(method, url).send().await.unwrap()
    }

    /// The text of an answer that is 200.
    pub(crate) async fn get(&self, url: Url) -> String {
        text(self.send(Method::GET, url).await).await
    }

    pub(crate) async fn post(&self, url: Url) -> String {
        text(self.send(Method::POST, url).await).await
    }

    /// What a page of `origin` posts.
    pub(crate) async fn post_from(&self, origin: &str, url: Url) -> StatusCode {
        let request = self.client.post(url).header("origin", origin);
        request.send().await.unwrap().status()
    }

    /// The names of the cookies that an address is sent.
    pub(crate) fn sends(&self, url: &Url) -> Vec<String> {
        let header = self.jar.cookies(url);
        let header = header.map(|value| value.to_str().unwrap().to_owned());
        let header = header.unwrap_or_default();
        let pairs = header.split("; ").filter(|pair| !pair.is_empty());
        let mut names: Vec<_> = pairs
            .map(|pair| pair.split('=').next().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// The `Cookie` header that an address is sent.
    pub(crate) fn cookies(&self, url: &Url) -> String {
        let header = self.jar.cookies(url).expect("it is sent no cookie");
        header.to_str().unwrap().to_owned()
    }
}

async fn text(response: Response) -> String {
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{url}: {text}");
    text
}
