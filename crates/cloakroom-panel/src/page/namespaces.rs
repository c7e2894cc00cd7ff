//! How the namespaces are configured.

use maud::{Markup, html};

use super::words::{bytes, limit};
use crate::record::ConfigurationRow;

/// The table of all namespaces.
pub(crate) fn namespaces(rows: &[ConfigurationRow]) -> Markup {
    html! {
        h1 { "Namespaces" }
        @if rows.is_empty() {
            p {
                "None is known yet: a namespace is listed once a request has come through the session layer "
                "that has it. If requests have, see that SessionLayer is inside PanelLayer."
            }
        } @else {
            p.quiet { "As the engine has them, with every default filled in. Keys are shown by their ids." }
            div.card {
                table.configuration {
                    thead { tr {
                        @for column in ["Namespace", "Tokens", "Store", "Limits", "Condition", "Keys", "Saves"] {
                            th scope="col" { (column) }
                        }
                    } }
                    tbody { @for row in rows { (configuration(row)) } }
                }
            }
        }
    }
}

fn configuration(row: &ConfigurationRow) -> Markup {
    html! {
        tr {
            th.name scope="row" { (row.namespace) }
            (cell("Tokens", &tokens(row)))
            (cell("Store", &html! {
                @if row.is_client_side { "in the cookie itself" } @else {
                    code { (row.store) } br;
                    small { "at most " (bytes(row.max_size)) }
                }
            }))
            (cell("Limits", &limits(row)))
            (cell("Condition", &html! { @if row.has_condition { "only_if" } @else { span.none { "always open" } } }))
            (cell("Keys", &html! {
                @if row.key_ids.is_empty() { span.none { "none" } }
                @for (at, id) in row.key_ids.iter().enumerate() {
                    @if at > 0 { br; }
                    code { (id) }
                    @if at == 0 && row.key_ids.len() > 1 { " " small { "current" } }
                }
            }))
            (cell("Saves", &html! {
                (row.save_mode) br;
                small { (row.codec) }
                @for note in &row.notes { br; small { (note) } }
            }))
        }
    }
}

fn cell(label: &str, content: &Markup) -> Markup {
    html! { td data-label=(label) { div { (content) } } }
}

fn tokens(row: &ConfigurationRow) -> Markup {
    html! {
        @for (at, transport) in row.transports.iter().enumerate() {
            @if at > 0 { br; }
            (transport)
        }
        @if let Some(attributes) = &row.cookie_attributes { br; small { code { (attributes) } } }
        @if row.is_persistent { br; small { "persistent: it outlives the browser" } }
    }
}

fn limits(row: &ConfigurationRow) -> Markup {
    html! {
        @match row.idle {
            Some(idle) => { "idle " (limit(idle)) },
            None => "no idle limit",
        }
        br;
        @match row.absolute {
            Some(absolute) => { "absolute " (limit(absolute)) },
            None => "no absolute limit",
        }
        @if let Some(every) = row.rotate_every { br; "rotated every " (limit(every)) }
        @if !row.is_client_side {
            br;
            small {
                "a call " (limit(row.call_deadline)) br;
                "opening " (limit(row.open_deadline)) ", committing " (limit(row.commit_deadline))
            }
        }
    }
}
