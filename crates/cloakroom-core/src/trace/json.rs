//! Any value as JSON, without its type.

use std::fmt::{self, Write};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::data::ShownValue;
use crate::codec::{Codec, MAX_DEPTH};

/// The first `room` bytes of a value. What a store holds may be anything: neither the text nor the
/// stack grows beyond a limit.
pub(super) fn show(codec: Codec, bytes: &[u8], room: usize) -> ShownValue {
    let mut text = Text {
        json: String::new(),
        room,
        is_cut: false,
    };
    let is_read = match codec {
        Codec::MessagePack => {
            let mut rest = bytes;
            let mut decoder = rmp_serde::Deserializer::new(&mut rest);
            decoder.set_max_depth(MAX_DEPTH);
            let is_read = Value(&mut text).deserialize(&mut decoder).is_ok();
            is_read && rest.is_empty()
        }
        #[cfg(feature = "json")]
        Codec::Json => {
            let mut decoder = serde_json::Deserializer::from_slice(bytes);
            Value(&mut text).deserialize(&mut decoder).is_ok() && decoder.end().is_ok()
        }
    };
    ShownValue {
        is_undecodable: !is_read && !text.is_cut,
        is_cut: text.is_cut,
        json: text.json,
    }
}

struct Text {
    json: String,
    room: usize,
    is_cut: bool,
}

impl Text {
    /// Writes as much as there is room for; an error ends the reading.
    fn put<E: Error>(&mut self, text: &str) -> Result<(), E> {
        let left = self.room.saturating_sub(self.json.len());
        if text.len() <= left {
            self.json.push_str(text);
            return Ok(());
        }
        self.json.push_str(beginning(text, left));
        self.is_cut = true;
        Err(E::custom("there is no room for more"))
    }

    fn put_all<E: Error>(&mut self, value: impl fmt::Display) -> Result<(), E> {
        self.put(&value.to_string())
    }

    fn put_string<E: Error>(&mut self, text: &str) -> Result<(), E> {
        self.put("\"")?;
        let mut buffer = String::new();
        for character in text.chars() {
            buffer.clear();
            // Writing to a string does not fail.
            let _ = match character {
                '"' => buffer.write_str("\\\""),
                '\\' => buffer.write_str("\\\\"),
                '\n' => buffer.write_str("\\n"),
                '\r' => buffer.write_str("\\r"),
                '\t' => buffer.write_str("\\t"),
                control if control.is_control() => {
                    write!(buffer, "\\u{:04x}", u32::from(control))
                }
                other => buffer.write_char(other),
            };
            self.put(&buffer)?;
        }
        self.put("\"")
    }

    fn put_bytes<E: Error>(&mut self, bytes: &[u8]) -> Result<(), E> {
        self.put_all(format_args!("\"{} bytes: ", bytes.len()))?;
        for byte in bytes {
            self.put_all(format_args!("{byte:02x}"))?;
        }
        self.put("\"")
    }
}

/// The beginning of a text, cut between two characters.
fn beginning(text: &str, length: usize) -> &str {
    let mut ends = (0..=length.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

struct Value<'a>(&'a mut Text);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        decoder.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.put_all(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.put_all(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.put_all(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match value.is_finite() {
            true => self.0.put_all(format_args!("{value:?}")),
            false => self.0.put_string(&value.to_string()),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.put_string(value)
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<(), E> {
        self.0.put_bytes(value)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.put("null")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.0.put("null")
    }

    fn visit_some<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        self.deserialize(decoder)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        self.deserialize(decoder)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.0.put("[")?;
        let mut is_first = true;
        while elements
            .next_element_seed(Element {
                text: &mut *self.0,
                is_first,
            })?
            .is_some()
        {
            is_first = false;
        }
        self.0.put("]")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.put("{")?;
        let mut is_first = true;
        while entries
            .next_key_seed(MapKey {
                text: &mut *self.0,
                is_first,
            })?
            .is_some()
        {
            is_first = false;
            self.0.put(": ")?;
            entries.next_value_seed(Value(&mut *self.0))?;
        }
        self.0.put("}")
    }
}

struct Element<'a> {
    text: &'a mut Text,
    is_first: bool,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        if !self.is_first {
            self.text.put(", ")?;
        }
        Value(self.text).deserialize(decoder)
    }
}

struct MapKey<'a> {
    text: &'a mut Text,
    is_first: bool,
}

impl<'de> DeserializeSeed<'de> for MapKey<'_> {
    type Value = ();

    /// What is no string is quoted.
    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        if !self.is_first {
            self.text.put(", ")?;
        }
        let mut key = Text {
            json: String::new(),
            room: self.text.room,
            is_cut: false,
        };
        let read = Value(&mut key).deserialize(decoder);
        if key.is_cut {
            return self.text.put(&key.json).and(read);
        }
        read?;
        match key.json.starts_with('"') {
            true => self.text.put(&key.json),
            false => self.text.put_string(&key.json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<T: serde::Serialize>(value: T, room: usize) -> ShownValue {
        let bytes = Codec::MessagePack.encode(&value).unwrap();
        show(Codec::MessagePack, &bytes, room)
    }

    #[test]
    fn values_are_shown_as_json() {
        let map = std::collections::BTreeMap::from([(1, vec![2]), (3, vec![])]);
        for (shown, expected) in [
            (shown(1_u8, 100), "1"),
            (shown(-5_i32, 100), "-5"),
            (shown(1.0_f64, 100), "1.0"),
            (shown(f64::NAN, 100), "\"NaN\""),
            (shown(u64::MAX, 100), "18446744073709551615"),
            (
                shown("a\"b\\\n\u{1}<b>", 100),
                "\"a\\\"b\\\\\\n\\u0001<b>\"",
            ),
            (shown(["a", "b"], 100), "[\"a\", \"b\"]"),
            (shown(Vec::<u8>::new(), 100), "[]"),
            (shown(Some(true), 100), "true"),
            (shown((), 100), "null"),
            (shown(map, 100), "{\"1\": [2], \"3\": []}"),
        ] {
            assert_eq!(shown.json, expected);
            assert!(!shown.is_cut && !shown.is_undecodable, "{expected}");
        }
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let whole = shown("äöü", 100).json;
        for room in 0..whole.len() {
            let cut = shown("äöü", room);
            assert!(cut.is_cut && !cut.is_undecodable, "{room}");
            assert!(cut.json.len() <= room && whole.starts_with(&cut.json));
        }
        assert!(shown(vec![0; 1_000_000], 64).json.len() <= 64);
        let key = std::collections::BTreeMap::from([("k".repeat(1000), 1)]);
        let cut = shown(key, 64);
        assert!(cut.is_cut && cut.json.len() <= 64);
    }

    #[test]
    fn bytes_are_shown_in_hexadecimal() {
        let shown = show(Codec::MessagePack, &[0xc4, 2, 0xab, 0x01], 100);
        assert_eq!(shown.json, "\"2 bytes: ab01\"");
    }

    #[test]
    fn hostile_bytes_are_no_values() {
        let deep = vec![0x91; 100_000];
        let lying = [0xdd, 0xff, 0xff, 0xff, 0xff, 0x01];
        for bytes in [&[][..], &[0xc1], &[1, 1], &deep, &lying] {
            let shown = show(Codec::MessagePack, bytes, 1000);
            assert!(shown.is_undecodable, "{} bytes", bytes.len());
        }
    }
}
