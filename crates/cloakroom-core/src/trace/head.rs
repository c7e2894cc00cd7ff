//! A response's head whose changes are told.

use std::borrow::Cow;

use super::{SentCookie, StepKind, Trace};
use crate::head::{ResponseHead, ResponseHeader};

pub(crate) struct TracedHead<'a> {
    head: &'a mut dyn ResponseHead,
    trace: &'a Trace,
    namespace: &'a str,
}

impl Trace {
    /// Writes to a head, and tells what is written.
    #[cold]
    #[inline(never)]
    pub(crate) fn write(
        &self,
        namespace: &str,
        head: &mut dyn ResponseHead,
        write: impl FnOnce(&mut dyn ResponseHead),
    ) {
        write(&mut TracedHead {
            head,
            trace: self,
            namespace,
        });
    }
}

impl TracedHead<'_> {
    fn tell(&self, header: ResponseHeader, value: &str) {
        use ResponseHeader as H;
        let cookie = match header {
            H::SetCookie => sent_cookie(value),
            _ => None,
        };
        // An address or another header may have a token.
        let is_public = matches!(header, H::Vary | H::CacheControl | H::ReferrerPolicy);
        self.trace.tell(self.namespace, || StepKind::HeaderAdded {
            name: header.name(),
            value: is_public.then_some(value),
            cookie,
        });
    }
}

impl ResponseHead for TracedHead<'_> {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        self.head.values(header, visit);
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.tell(header, &value);
        self.head.append(header, value);
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.tell(header, &value);
        self.head.replace(header, value);
    }
}

/// A cookie as it is set, without its value.
fn sent_cookie(text: &str) -> Option<SentCookie<'_>> {
    let (pair, attributes) = text.split_once(';').unwrap_or((text, ""));
    let (name, value) = pair.split_once('=')?;
    let is_age = |attribute: &str| attribute.trim().eq_ignore_ascii_case("Max-Age=0");
    Some(SentCookie {
        name,
        attributes: attributes.trim(),
        value_length: value.len(),
        is_removal: attributes.split(';').any(is_age),
    })
}
