//! The panel's pages, from what was recorded. What stands in `( )` is escaped.

mod filter;
mod findings;
mod list;
mod namespaces;
mod request;
mod sessions;
mod timeline;
mod value;
mod words;

use maud::{DOCTYPE, Markup, html};

pub(crate) use self::{
    filter::Filter, findings::findings, list::row, namespaces::namespaces, request::request,
    sessions::Peeked, words::bytes,
};

/// What all pages have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// The panel's path, without a slash at its end.
    pub(crate) base: &'a str,
    /// What this response's policy allows scripts and styles by.
    pub(crate) nonce: &'a str,
    /// What the panel's own forms carry.
    pub(crate) token: &'a str,
    /// How many problems there are, and how much advice.
    pub(crate) findings: (usize, usize),
}

/// Which page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Requests,
    Namespaces,
    Findings,
}

/// The list of requests, and one of them.
pub(crate) struct Requests<'a> {
    /// The rows of those that the filter lets through, newest first.
    pub(crate) rows: Vec<Markup>,
    /// How many there are without the filter.
    pub(crate) recorded: usize,
    /// How many are kept.
    pub(crate) capacity: usize,
    pub(crate) filter: &'a Filter,
    /// The namespaces that the filter can choose.
    pub(crate) namespaces: &'a [String],
    /// The request that is shown, with its title.
    pub(crate) shown: Option<(String, Markup)>,
    /// Its number.
    pub(crate) number: Option<u64>,
    /// The newest request is shown, whichever that is.
    pub(crate) follows: bool,
}

impl Frame<'_> {
    /// The page with the list of requests.
    pub(crate) fn requests(&self, page: Requests<'_>) -> String {
        let (title, shown) = match page.shown {
            Some((title, shown)) => (title, shown),
            None => ("Requests".to_owned(), nothing_yet(page.recorded)),
        };
        let class = match page.follows {
            true => "many",
            false => "one",
        };
        let capacity = page.capacity.to_string();
        let follows = page.follows.to_string();
        let body = html! {
            main.both id="main" {
                h1.unseen { "Requests" }
                section.requests aria-label="All requests" {
                    (page.filter.form(self.base, page.namespaces))
                    ol id="requests" data-capacity=(capacity) data-follows=(follows) {
                        @for row in &page.rows { (row) }
                    }
                    p.empty id="empty" hidden[!page.rows.is_empty()] {
                        @if page.recorded == 0 { "No request was recorded yet." }
                        @else { "No request of these is recorded." }
                    }
                    div.foot {
                        small { span id="shown-count" { (page.rows.len()) } " of the newest " (page.capacity) }
                        form method="post" action={ (self.base) "/clear" } {
                            (self.token())
                            button { "Clear" }
                        }
                    }
                }
                article.content id="shown" tabindex="0" aria-label="The request" data-number=[page.number] {
                    div.inner { (shown) }
                }
            }
        };
        self.page(&title, Some(Tab::Requests), class, &body)
    }

    /// The page with the configuration.
    pub(crate) fn namespaces(&self, content: &Markup) -> String {
        self.wide("Namespaces", Some(Tab::Namespaces), content)
    }

    /// The page with what the doctor found.
    pub(crate) fn findings(&self, content: &Markup) -> String {
        self.wide("Findings", Some(Tab::Findings), content)
    }

    /// A page that says why there is none.
    pub(crate) fn refusal(&self, title: &str, text: &str) -> String {
        let content = html! {
            h1 { (title) }
            p { (text) }
        };
        self.wide(title, None, &content)
    }

    fn wide(&self, title: &str, tab: Option<Tab>, content: &Markup) -> String {
        let body = html! {
            main.wide.content id="main" tabindex="0" { div.inner { (content) } }
        };
        self.page(title, tab, "one", &body)
    }

    fn page(&self, title: &str, tab: Option<Tab>, class: &str, body: &Markup) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) " · cloakroom" }
                    link rel="stylesheet" href={ (self.base) "/panel.css" } nonce=(self.nonce);
                    link rel="icon" href=(ICON);
                    script src={ (self.base) "/panel.js" } nonce=(self.nonce) defer {}
                }
                body.(class) data-base=(self.base) {
                    a.skip href="#main" { "Skip to the content" }
                    (self.bar(tab))
                    (body)
                    (help())
                }
            }
        }
        .into_string()
    }

    fn bar(&self, current: Option<Tab>) -> Markup {
        let (problems, advice) = self.findings;
        let tab = |tab: Tab| (Some(tab) == current).then_some("page");
        html! {
            header.bar {
                a.brand href={ (self.base) "/" } { "cloakroom" }
                nav aria-label="Panel" {
                    a href={ (self.base) "/" } aria-current=[tab(Tab::Requests)] { "Requests" }
                    a href={ (self.base) "/namespaces" } aria-current=[tab(Tab::Namespaces)] { "Namespaces" }
                    a href={ (self.base) "/findings" } aria-current=[tab(Tab::Findings)] {
                        "Findings"
                        @if problems > 0 { " " span.count.bad { (problems) } }
                        @else if advice > 0 { " " span.count.notable { (advice) } }
                    }
                }
                div.end {
                    @if current == Some(Tab::Requests) { span id="live" role="status" { "static" } }
                    button id="help-button" aria-label="Help" { "?" }
                }
            }
        }
    }

    /// What makes a form one of the panel's own.
    fn token(&self) -> Markup {
        html! { input type="hidden" name="token" value=(self.token); }
    }
}

fn nothing_yet(recorded: usize) -> Markup {
    html! {
        h2 { @if recorded == 0 { "Waiting for the first request" } @else { "No request is shown" } }
        p {
            "Use the application in another tab: each of its requests appears here by itself, with what "
            "became of every session, and why."
        }
    }
}

fn help() -> Markup {
    html! {
        dialog id="help" aria-labelledby="help-title" {
            h1 id="help-title" { "Keys" }
            dl {
                @for (keys, what) in [
                    ("j ↓", "the next request, an older one"),
                    ("k ↑", "the request before it"),
                    ("n", "the newest, and those that follow"),
                    ("/", "filter: words of method, path and status"),
                    ("Esc", "clear the filter, close this"),
                    ("?", "this"),
                ] {
                    dt { @for key in keys.split(' ') { kbd { (key) } " " } }
                    dd { (what) }
                }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}

const ICON: &str = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>\
<path d='M8 6V4.5a1.5 1.5 0 1 1 1.5 1.5M8 6l6 5H2z' fill='none' stroke='%23a8506a' stroke-width='1.5'/></svg>";

#[cfg(test)]
mod tests;
