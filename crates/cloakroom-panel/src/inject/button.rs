use maud::{Markup, PreEscaped, html};

use super::policy::Styling;
use crate::{assets, doctor::examine_request, panel::Panel, record::Access};

/// What the button says, and where it leads.
#[derive(Debug, Clone, Copy)]
pub struct Button<'a> {
    /// The panel's path, without a slash at its end.
    pub base: &'a str,
    /// The number of the request that the page answers.
    pub number: u64,
    /// How many sessions the application has opened.
    pub opened: usize,
    /// How many there are.
    pub namespaces: usize,
    /// How many findings there are about this request.
    pub findings: usize,
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

impl Panel {
    /// The button for the page that answers a request; `None` when the request is not kept any
    /// more.
    #[must_use]
    pub fn button(&self, number: u64) -> Option<Button<'_>> {
        let recording = self.recording(number)?;
        let base = self.base();
        Some(recording.view(|request| {
            let namespaces = request.namespaces.iter();
            let opened = namespaces.filter(|namespace| namespace.access == Access::Opened);
            Button {
                base,
                number,
                opened: opened.count(),
                namespaces: request.namespaces.len(),
                findings: examine_request(request).len(),
            }
        }))
    }
}

fn style() -> Markup {
    PreEscaped(assets::BUTTON_CSS.trim_end().to_owned())
}
