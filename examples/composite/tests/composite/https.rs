//! As it is delivered: behind a proxy that ends TLS, with cookies for https alone. The client
//! speaks to the programs as the proxy would, and keeps the cookies as the browser would.

use reqwest::{
    Client, Url,
    cookie::{CookieStore, Jar},
    header,
};

use crate::process::Program;

/// Posts to a program what the browser sends to `url`, and keeps what comes back.
async fn post(jar: &Jar, program: &Program, url: &Url) -> Vec<String> {
    let inside = format!("http://{}{}", program.address, url.path());
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(inside);
    request = request.header(header::HOST, url.host_str().unwrap());
    if let Some(cookies) = jar.cookies(url) {
        request = request.header(header::COOKIE, cookies);
    }
    let response = request.send().await.unwrap().error_for_status().unwrap();
    let set: Vec<_> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap().to_owned())
        .collect();
    set.iter()
        .for_each(|cookie| jar.add_cookie_str(cookie, url));
    set
}

fn is_sent(jar: &Jar, url: &str) -> bool {
    jar.cookies(&Url::parse(url).unwrap()).is_some()
}

#[tokio::test]
async fn the_cookie_of_a_domain_is_for_https_and_for_the_hosts_of_the_domain() {
    let data = tempfile::tempdir().unwrap();
    let options = ["--domain", "shop.example"];
    let site = Program::site(data.path(), &options);
    let api = Program::api(data.path(), &options);
    let jar = Jar::default();
    let at_site = |path| Url::parse("https://www.shop.example").unwrap().join(path);
    let set = post(&jar, &site, &at_site("/login/dana").unwrap()).await;
    let [cookie] = &*set else {
        panic!("{set:?}");
    };
    // RFC 6265bis, section 4.1.3: `__Host-` is for one host, `__Secure-` goes with a domain.
    assert!(cookie.starts_with("__Secure-account="), "{cookie}");
    let attributes = "; Domain=shop.example; Path=/; Secure; HttpOnly; SameSite=Lax";
    assert!(cookie.ends_with(attributes), "{cookie}");

    assert!(is_sent(&jar, "https://www.shop.example/"));
    assert!(is_sent(&jar, "https://api.shop.example/"));
    assert!(is_sent(&jar, "https://shop.example/"));
    assert!(!is_sent(&jar, "http://api.shop.example/"));
    assert!(!is_sent(&jar, "https://evilshop.example/"));
    assert!(!is_sent(&jar, "https://shop.example.evil/"));

    // A session of one host alone has the stronger prefix.
    let set = post(&jar, &site, &at_site("/shop/add/apple").unwrap()).await;
    assert!(set[0].starts_with("__Host-cart="), "{set:?}");
    assert!(!set[0].contains("Domain"), "{set:?}");

    // The other program knows the session, and removes the cookie by the same attributes.
    let out = Url::parse("https://api.shop.example/logout").unwrap();
    let set = post(&jar, &api, &out).await;
    assert_eq!(set, [format!("__Secure-account={attributes}; Max-Age=0")]);
    assert!(!is_sent(&jar, "https://api.shop.example/"));
    assert!(is_sent(&jar, "https://www.shop.example/")); // the cart
}
