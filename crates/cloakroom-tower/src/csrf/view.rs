use cloakroom_core::{RequestHead, Scheme};
use http::{Request, uri::Authority};

use crate::head::RequestView;

/// A request as the rules for origins see it: its host is that of its target where the target has
/// one, as in HTTP/2.
pub(super) struct OriginView<'a> {
    view: RequestView<'a>,
    authority: Option<&'a Authority>,
}

impl<'a> OriginView<'a> {
    pub(super) fn new<B>(request: &'a Request<B>) -> Self {
        Self {
            view: RequestView::from(request),
            authority: request.uri().authority(),
        }
    }
}

impl RequestHead for OriginView<'_> {
    fn method(&self) -> &str {
        self.view.method()
    }

    fn path(&self) -> &str {
        self.view.path()
    }

    fn query(&self) -> Option<&str> {
        self.view.query()
    }

    fn scheme(&self) -> Scheme {
        self.view.scheme()
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        match self.authority {
            Some(authority) if name == "host" => {
                let text = authority.as_str();
                let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
                visit(host.as_bytes());
            }
            _ => self.view.header(name, visit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(request: http::request::Builder) -> Vec<String> {
        let request = request.body(()).unwrap();
        let mut hosts = Vec::new();
        OriginView::new(&request).header("host", &mut |value| {
            hosts.push(String::from_utf8(value.to_vec()).unwrap());
        });
        hosts
    }

    #[test]
    fn the_host_of_the_target_counts_before_the_header() {
        for (target, expected) in [
            ("/cart", "header.example"),
            ("https://shop.example/cart", "shop.example"),
            ("https://shop.example:8443/cart", "shop.example:8443"),
            ("https://user:word@shop.example/cart", "shop.example"),
        ] {
            let request = Request::post(target).header("host", "header.example");
            assert_eq!(host(request), [expected]);
        }
        assert!(host(Request::post("/cart")).is_empty());
    }
}
