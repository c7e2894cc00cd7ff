use maud::{Markup, html};

use crate::record::{Access, RecordedRequest, RequestEnd};

/// Which requests are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Words that the method, the path or the status has, in lower case.
    words: Vec<String>,
    /// As it was written.
    text: String,
    /// The namespace that was touched; empty for any.
    namespace: String,
}

/// Longer filters filter nothing.
const LONGEST: usize = 256;

impl Filter {
    /// The filter in an address.
    pub(crate) fn of_query(query: Option<&str>) -> Self {
        let mut filter = Self::default();
        let query = query.unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.len() > LONGEST {
                continue;
            }
            match &*name {
                "path" => {
                    let words = value.split_whitespace();
                    filter.words = words.map(str::to_lowercase).collect();
                    filter.text = value.into_owned();
                }
                "namespace" => filter.namespace = value.into_owned(),
                _ => {}
            }
        }
        filter
    }

    /// Whether it lets a request through.
    pub(crate) fn admits(&self, request: &RecordedRequest) -> bool {
        let text = text(request).to_lowercase();
        self.words.iter().all(|word| text.contains(word))
            && (self.namespace.is_empty() || touched(request).any(|name| name == self.namespace))
    }

    /// The filter in an address, with its question mark; nothing for none.
    pub(crate) fn query(&self) -> String {
        if self.text.is_empty() && self.namespace.is_empty() {
            return String::new();
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("path", &self.text);
        query.append_pair("namespace", &self.namespace);
        format!("?{}", query.finish())
    }

    pub(super) fn form(&self, base: &str, namespaces: &[String]) -> Markup {
        html! {
            form.filter id="filter" role="search" method="get" action={ (base) "/" } {
                input type="search" name="path" value=(self.text) placeholder="Filter: /cart, post, 303"
                    aria-label="Filter by method, path and status" autocomplete="off";
                select name="namespace" aria-label="Filter by namespace" {
                    option value="" { "all namespaces" }
                    @for name in namespaces {
                        option value=(name) selected[*name == self.namespace] { (name) }
                    }
                }
                button id="filter-button" { "Filter" }
            }
        }
    }
}

/// What the words of a filter are looked for in.
pub(super) fn text(request: &RecordedRequest) -> String {
    let status = match request.end {
        Some(RequestEnd::Answered(status)) => status.to_string(),
        _ => String::new(),
    };
    format!("{} {} {status}", request.method, request.path)
}

/// The namespaces that the application asked for, the closed ones too.
pub(super) fn touched(request: &RecordedRequest) -> impl Iterator<Item = &str> {
    let namespaces = request.namespaces.iter();
    let touched = namespaces.filter(|namespace| namespace.access != Access::NotTouched);
    touched.map(|namespace| namespace.name())
}
