//! The pages, as HTML. What stands in `( )` is escaped.

use std::{collections::BTreeMap, time::Duration};

use cloakroom::Flash;
use maud::{DOCTYPE, Markup, html};

use crate::{
    language::Language,
    products::{PRODUCTS, Product},
};

/// What all pages but one have to know of the visitor.
pub(crate) struct Page {
    pub(crate) language: Language,
    pub(crate) in_cart: u32,
}

/// A browser that the visitor is logged in with.
pub(crate) struct Login {
    pub(crate) id: String,
    /// How long ago it began, and was used last.
    pub(crate) began: Duration,
    pub(crate) used: Duration,
    pub(crate) is_this_one: bool,
}

impl Page {
    pub(crate) fn say(&self, english: &'static str, german: &'static str) -> &'static str {
        self.language.say(english, german)
    }

    pub(crate) fn home(&self) -> Markup {
        let say = |english, german| self.say(english, german);
        self.show(say("Everything for the way home", "Alles für den Heimweg"), html! {
            ul.products {
                @for product in &PRODUCTS {
                    li {
                        span.picture { (product.picture) }
                        h2 { (product.name(self.language)) }
                        p.price { (self.language.price(product.cents)) }
                        (button("/cart/add/", product.item, say("Add to cart", "In den Warenkorb")))
                    }
                }
            }
        })
    }

    pub(crate) fn cart(&self, items: &BTreeMap<String, u32>) -> Markup {
        let say = |english, german| self.say(english, german);
        let price = |item: &str, count: u32| {
            Product::of(item).map_or(0, |product| product.cents.saturating_mul(count))
        };
        let prices = items.iter().map(|(item, count)| price(item, *count));
        let total = prices.fold(0, u32::saturating_add);
        self.show(say("Your cart", "Ihr Warenkorb"), html! {
            @if items.is_empty() {
                p { (say("There is nothing in it yet.", "Es ist noch nichts darin.")) }
                p { a href="/" { (say("To the shop", "Zum Laden")) } }
            } @else {
                ul.cart {
                    @for (item, count) in items {
                        @let product = Product::of(item);
                        li {
                            span.picture { (product.map_or("🎁", |product| product.picture)) }
                            span.name {
                                (product.map_or(item.as_str(), |product| product.name(self.language)))
                                small { " × " (count) }
                            }
                            span.price { (self.language.price(price(item, *count))) }
                            span.buttons {
                                (button("/cart/add/", item, say("One more", "Noch eins")))
                                (button("/cart/remove/", item, say("Remove", "Entfernen")))
                            }
                        }
                    }
                }
                p.total { (say("Total", "Summe")) " " strong { (self.language.price(total)) } }
            }
        })
    }

    pub(crate) fn login(&self, failed: bool) -> Markup {
        let say = |english, german| self.say(english, german);
        self.show(say("Log in", "Anmelden"), html! {
            form.card method="post" action="/login" {
                @if failed {
                    p.wrong role="alert" {
                        (say("That was not right. Please try again.", "Das war nicht richtig. Bitte noch einmal."))
                    }
                }
                label { (say("User name", "Benutzername")) input name="username" autocomplete="username" required; }
                label { (say("Password", "Passwort")) input name="password" type="password" autocomplete="current-password" required; }
                button { (say("Log in", "Anmelden")) }
                p { (say("This is a demonstration: both are ", "Dies ist eine Vorführung: beides ist ")) code { "demo" } "." }
            }
        })
    }

    pub(crate) fn no_login_here(&self, link: &str) -> Markup {
        let say = |english, german| self.say(english, german);
        self.show(say("Log in", "Anmelden"), html! {
            div.card {
                p { (say(
                    "You have come over plain http, where everybody on the way can read along. So there is no login here.",
                    "Sie sind über einfaches http hier, und da kann unterwegs jeder mitlesen. Darum gibt es hier keine Anmeldung.",
                )) }
                p { a.button href=(link) { (say("Log in over https", "Über https anmelden")) } }
                p { (say("Your cart comes along.", "Ihr Warenkorb kommt mit.")) }
            }
        })
    }

    pub(crate) fn account(&self, name: &str, logins: &[Login], messages: &[Flash]) -> Markup {
        let say = |english, german| self.say(english, german);
        self.show(say("Your account", "Ihr Konto"), html! {
            @for flash in messages { p.flash.(flash.level) role="status" { (flash.message) } }
            div.card {
                p { (say("Good to see you, ", "Schön, dass Sie da sind, ")) strong { (name) } "." }
                form method="post" action="/logout" { button { (say("Log out", "Abmelden")) } }
                p { (say(
                    "Your cart and your language stay when you log out.",
                    "Ihr Warenkorb und Ihre Sprache bleiben, wenn Sie sich abmelden.",
                )) }
            }
            @if !logins.is_empty() {
                h2 { (say("Where you are logged in", "Wo Sie angemeldet sind")) }
                ul.cart {
                    @for login in logins {
                        li {
                            span.name {
                                (say("Logged in", "Angemeldet")) " " (self.language.ago(login.began))
                                small { ", " (say("last seen", "zuletzt gesehen")) " " (self.language.ago(login.used)) }
                                @if login.is_this_one { " " strong { (say("this browser", "dieser Browser")) } }
                            }
                            span.buttons { (button("/account/end/", &login.id, say("End", "Beenden"))) }
                        }
                    }
                }
            }
            @if logins.len() > 1 {
                (button("/account/", "end-others", say("End all others", "Alle anderen beenden")))
            }
        })
    }

    fn show(&self, title: &str, body: Markup) -> Markup {
        let say = |english, german| self.say(english, german);
        let links = html! {
            a href="/account" { (say("Account", "Konto")) }
            a href="/cart" {
                (say("Cart", "Warenkorb"))
                @if self.in_cart > 0 { span.count { (self.in_cart) } }
            }
            @for other in Language::ALL.into_iter().filter(|other| *other != self.language) {
                form method="post" action={ "/language/" (other.code()) } {
                    button.link lang=(other.code()) { (other.name()) }
                }
            }
        };
        layout(self.language, title, &links, &body)
    }
}

pub(crate) fn about() -> Markup {
    let language = Language::default();
    let links = html! { a href="/" { "Shop" } };
    layout(
        language,
        "About this shop",
        &links,
        &html! {
            div.card {
                p { "Nothing here is for sale. The shop shows three sessions on one request: who is logged "
                    "in, what is in the cart, and which language you read." }
                p { "This page asks for none of them, so none was read to show it. That is also why it "
                    "does not know your language." }
                p lang="de" { "Hier wird nichts verkauft. Diese Seite liest keine Ihrer Sitzungen und kennt "
                    "darum auch Ihre Sprache nicht." }
            }
        },
    )
}

fn layout(language: Language, title: &str, links: &Markup, body: &Markup) -> Markup {
    let shop = language.say("Cloakroom", "Garderobe");
    html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · " (shop) }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 100'><text y='.9em' font-size='90'>🎩</text></svg>";
            }
            body {
                header {
                    a.sign href="/" { "🎩 " (shop) }
                    nav { (links) }
                }
                main {
                    h1 { (title) }
                    (body)
                }
                footer {
                    a href="/about" { (language.say("About", "Über uns")) }
                    a href="/state" { (language.say("What the shop knows", "Was der Laden weiß")) }
                }
            }
        }
    }
}

fn button(action: &str, item: &str, label: &str) -> Markup {
    html! {
        form method="post" action={ (action) (item) } { button { (label) } }
    }
}

#[cfg(test)]
mod tests {
    use cloakroom::Level;

    use super::*;

    #[test]
    fn what_visitors_write_is_escaped() {
        let page = Page {
            language: Language::English,
            in_cart: 1,
        };
        let hostile = r#""><script>alert(1)</script>"#;
        let message = Flash {
            level: Level::Info,
            message: hostile.to_owned(),
        };
        let items = BTreeMap::from([(hostile.to_owned(), 1)]);
        for markup in [
            page.cart(&items),
            page.account(hostile, &[], &[]),
            page.account("Dana", &[], &[message]),
            page.no_login_here(hostile),
        ] {
            let html = markup.into_string();
            assert!(!html.contains("<script>"), "{html}");
            assert!(html.contains("&quot;&gt;&lt;script&gt;"), "{html}");
        }
    }
}
