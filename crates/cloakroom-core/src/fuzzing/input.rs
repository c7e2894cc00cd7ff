//! Structure from a fuzzer's bytes, and the heads of requests and responses.

use std::borrow::Cow;

use crate::head::{RequestHead, ResponseHead, ResponseHeader, Scheme};

/// Takes parts off the front. What is not there is zero or empty, so every input means something.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(super) fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// At most seven bytes, so that much comes after them.
    pub(super) fn few(&mut self) -> &'a [u8] {
        let length = self.byte() % 8;
        self.bytes(usize::from(length))
    }

    /// A length in one byte, and as many bytes.
    #[cfg(feature = "client-side")]
    pub(super) fn short(&mut self) -> &'a [u8] {
        let length = self.byte();
        self.bytes(usize::from(length))
    }

    #[cfg(feature = "client-side")]
    pub(super) fn length(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    #[cfg(feature = "client-side")]
    pub(super) fn number(&mut self) -> u64 {
        let mut number = [0; 8];
        for (target, byte) in number.iter_mut().zip(self.bytes(8)) {
            *target = *byte;
        }
        u64::from_le_bytes(number)
    }

    #[cfg(feature = "client-side")]
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// A request with these `Cookie` headers.
pub(super) struct Cookies(pub(super) Vec<Vec<u8>>);

impl RequestHead for Cookies {
    fn method(&self) -> &str {
        "GET"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if name == "cookie" {
            self.0.iter().for_each(|value| visit(value));
        }
    }
}

/// A response's headers.
#[derive(Default)]
#[cfg_attr(
    not(feature = "client-side"),
    expect(dead_code, reason = "whole requests need the feature")
)]
pub(super) struct Response(pub(super) Vec<(ResponseHeader, String)>);

impl ResponseHead for Response {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(name, _)| *name == header) {
            visit(value.as_bytes());
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.0.push((header, value.into_owned()));
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.0.retain(|(name, _)| *name != header);
        self.append(header, value);
    }
}
