use maud::{Markup, PreEscaped, html};

use super::{Injection, ResponseParts, inject, is_page, policy::Styling, takes_button};
use crate::{
    assets,
    doctor::examine_request,
    panel::Panel,
    record::{Access, Recording},
};

/// What the button says, and where it leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Button<'a> {
    /// The panel's path, without a slash at its end.
    pub(super) base: &'a str,
    /// The number of the request that the page answers.
    pub(super) number: u64,
    /// How many sessions the application has opened.
    pub(super) opened: usize,
    /// How many there are.
    pub(super) namespaces: usize,
    /// How many findings there are about this request.
    pub(super) findings: usize,
}

impl Button<'_> {
    /// ASCII alone, well-formed as HTML and as XML, on no more than the page's policies allow.
    pub(super) fn markup(&self, styling: &Styling) -> String {
        let base = self.base;
        html! {
            @match styling {
                Styling::Inline => style { (style()) },
                Styling::Nonce(nonce) => style nonce=(nonce) { (style()) },
                Styling::Linked => {
                    (PreEscaped("<link rel=\"stylesheet\" href=\"")) (base) "/button.css" (PreEscaped("\" />"))
                },
                Styling::None => {}
            }
            // A landmark, since everything on a page should be in one.
            aside id="cloakroom-button" aria-label="Session panel" {
                a href={ (base) "/requests/" (self.number) } target="_blank" rel="noopener" {
                    "Sessions " b { (self.opened) "/" (self.namespaces) }
                    @if self.findings > 0 {
                        " " i { (self.findings) @if self.findings == 1 { " finding" } @else { " findings" } }
                    }
                }
            }
        }
        .into_string()
    }
}

/// A larger page passes untouched.
const LARGEST_PAGE: u64 = 2 * 1024 * 1024;

impl Recording {
    /// Whether the response gets the button, as far as the heads tell: it is a page that a browser
    /// shows by itself, in an encoding that ASCII can be put into, nothing vouches for its bytes,
    /// and whoever has asked may see the panel. `length` is that of the body, in bytes, where it is
    /// known; a page of more than 2 MiB gets none.
    ///
    /// Ask before the body is read: what gets no button passes untouched.
    ///
    /// ```
    /// # use cloakroom_core::Scheme;
    /// use cloakroom_panel::{KeptHead, Panel, ResponseParts};
    ///
    /// # let panel = Panel::builder().build()?;
    /// let mut request = KeptHead::new("GET", "/", None, Scheme::Http);
    /// request.add_header("host", b"localhost:3000");
    /// let recording = panel.begin(request, Some([127, 0, 0, 1].into()));
    ///
    /// let page: [(&str, &[u8]); 1] = [("content-type", b"text/html; charset=utf-8")];
    /// let data: [(&str, &[u8]); 1] = [("content-type", b"application/json")];
    /// let response = |headers| ResponseParts { status: 200, headers };
    /// assert!(recording.takes_button(&response(&page), Some(512)));
    /// assert!(!recording.takes_button(&response(&page), None)); // a stream
    /// assert!(!recording.takes_button(&response(&data), Some(512)));
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    #[must_use]
    pub fn takes_button(&self, response: &ResponseParts<'_>, length: Option<u64>) -> bool {
        let is_small = length.is_some_and(|length| (1..=LARGEST_PAGE).contains(&length));
        if !is_small || !is_page(response) {
            return false;
        }
        let (head, peer) = self.head_and_peer();
        let is_admitted = |panel: Panel| head.is_whole() && panel.admits(&*head, peer);
        takes_button(&*head, response) && self.panel().is_some_and(is_admitted)
    }

    /// Puts the button before the end of the page's body. `None` when it is no whole page, or the
    /// request is not kept any more: it passes untouched.
    ///
    /// A strong `ETag` becomes a weak one, since the bytes are no longer those that it was made
    /// for.
    ///
    /// ```
    /// # use cloakroom_core::Scheme;
    /// use cloakroom_panel::{KeptHead, Panel, ResponseParts};
    ///
    /// # let panel = Panel::builder().build()?;
    /// # let recording = panel.begin(KeptHead::new("GET", "/", None, Scheme::Http), None);
    /// let headers: [(&str, &[u8]); 2] = [("content-type", b"text/html"), ("etag", b"\"v1\"")];
    /// let response = ResponseParts { status: 200, headers: &headers };
    /// let page = b"<!doctype html><body><h1>Cart</h1></body>";
    /// let injection = recording.add_button(&response, page).unwrap();
    /// assert!(injection.body.starts_with(b"<!doctype html><body><h1>Cart</h1><style"));
    /// assert!(injection.body.ends_with(b"</a></aside></body>"));
    /// assert_eq!(injection.set[0], ("content-length", injection.body.len().to_string()));
    /// assert_eq!(injection.set[1], ("etag", "W/\"v1\"".to_owned()));
    ///
    /// assert_eq!(recording.add_button(&response, b"<li>a fragment</li>"), None);
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    #[must_use]
    pub fn add_button(&self, response: &ResponseParts<'_>, page: &[u8]) -> Option<Injection> {
        let panel = self.panel()?;
        let (base, number) = (panel.base(), self.number());
        panel.recording(number)?;
        let button = self.view(|request| {
            let namespaces = request.namespaces.iter();
            let opened = namespaces.filter(|namespace| namespace.access == Access::Opened);
            Button {
                base,
                number,
                opened: opened.count(),
                namespaces: request.namespaces.len(),
                findings: examine_request(request).len(),
            }
        });
        inject(response, page, &button)
    }
}

fn style() -> Markup {
    PreEscaped(assets::BUTTON_CSS.trim_end().to_owned())
}
