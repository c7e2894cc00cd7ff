//! What `fuzz/` searches for minutes, for some thousand inputs: anything that a client or a store
//! can send. `cloakroom_core::fuzzing` has the promises; here are inputs that get far.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use cloakroom_core::fuzzing;
use proptest::{collection::vec, prelude::*, sample::Index};
use url::Url;

const NOW: u64 = 1_800_000_000_000;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..most)
}

/// A record's data, as docs/format.md has it.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let flags =
        prop_oneof![6 => prop::sample::select(vec![1, 3, 5, 7]), 3 => 0..8_u8, 1 => any::<u8>()];
    let epoch = prop_oneof![Just(0), Just(u32::MAX), any::<u32>()];
    let numbers = (epoch, any::<[u64; 3]>());
    let hash = any::<[u8; 16]>();
    (flags, numbers, hash, frames()).prop_map(|(flags, numbers, hash, frames)| {
        let (epoch, [began, rotated, until]) = numbers;
        let mut data = vec![1, flags];
        data.extend(epoch.to_le_bytes());
        for time in [began, NOW, rotated] {
            data.extend(time.to_le_bytes());
        }
        data.extend(hash);
        if flags & 1 != 0 {
            data.extend([hash; 3].concat());
        }
        if flags & 2 != 0 {
            data.extend([hash; 2].concat());
            data.extend(until.to_le_bytes());
        }
        if flags & 4 != 0 {
            data.extend(until.to_le_bytes());
        }
        data.extend(frames);
        data
    })
}

/// Keys and values, some of which MessagePack can read.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        Just(b"mark".to_vec()),
        "[a-c]{0,2}".prop_map(String::into_bytes),
        bytes(4)
    ];
    let value = prop_oneof![
        Just(b"\x93\x01\x02\x03".to_vec()),
        Just(b"\xa4text".to_vec()),
        Just(b"\x91".repeat(300)),
        Just(b"\xdd\xff\xff\xff\xff".to_vec()),
        bytes(20),
    ];
    let frame = (key, value).prop_map(|(key, value)| {
        let key_length = u16::try_from(key.len()).unwrap().to_le_bytes();
        let value_length = u32::try_from(value.len()).unwrap().to_le_bytes();
        [&key_length[..], &value_length, &key, &value].concat()
    });
    vec(frame, 0..6).prop_map(|frames| frames.concat())
}

/// The same, with a byte changed and the end cut off, some of the time.
fn damaged(whole: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<[bool; 2]>(), any::<[Index; 2]>(), any::<u8>());
    (whole, damage).prop_map(|(mut bytes, ([changes, cuts], [at, end], byte))| {
        if changes && !bytes.is_empty() {
            *at.get_mut(&mut bytes) = byte;
        }
        if cuts && !bytes.is_empty() {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

/// A plan as `fuzzing::stored` reads it, and the records of its two loads.
fn plan() -> impl Strategy<Value = Vec<u8>> {
    let record = || prop_oneof![2 => data(), 1 => damaged(data())];
    let records = (record(), record());
    (0..32_u8, bytes(12), records).prop_map(|(flags, operations, (first, second))| {
        let length = u16::try_from(first.len()).unwrap().to_le_bytes();
        let times = match flags & 8 {
            0 => Vec::new(),
            // Created, last seen by a machine whose clock is ahead, expires.
            _ => [NOW, NOW + 500, NOW + 5_000_000]
                .map(u64::to_le_bytes)
                .concat(),
        };
        let mut plan = vec![flags, u8::try_from(operations.len()).unwrap()];
        plan.extend(operations);
        plan.extend(length);
        for record in [first, second] {
            plan.extend(&times);
            plan.extend(b"\x03ann");
            plan.extend(record);
        }
        plan
    })
}

/// Whether an address, followed on a page, leads to another origin for a browser (WHATWG URL).
fn leaves(page: &str, url: &str) -> bool {
    let page = Url::parse(page).unwrap();
    page.join(url).is_ok_and(|to| to.origin() != page.origin())
}

/// Parts of addresses; the byte 1 stands for a token.
fn parts(most: usize) -> impl Strategy<Value = String> {
    let part = "[a?#&=:@.;/\\\\\u{1}]|sid=|&sid|evil\\.example|%2f|\\.\\.|[ \t\u{e4}]";
    vec(part, 0..most).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn cookies_are_read_as_a_slow_reader_reads_them(
        header in "(__Host-account|__Secure-a|a|b|[ \t;=\n\"a]){0,3}([ \t;=\n]{0,3}(a|__Host-account|x)){0,6}",
        bytes in bytes(60),
    ) {
        fuzzing::cookie_header(header.as_bytes());
        fuzzing::cookie_header(&bytes);
    }

    #[test]
    fn tokens_are_64_characters_of_base64url(
        text in "[A-Za-z0-9_-]{64}",
        at in 0..64_usize,
        (removed, put) in (0..3_usize, "[A-Z=+/ .\\n]{0,2}"),
    ) {
        fuzzing::token(text.as_bytes());
        let end = (at + removed).min(text.len());
        fuzzing::token(format!("{}{put}{}", &text[..at], &text[end..]).as_bytes());
    }

    #[test]
    fn sealed_values_open_unchanged_alone(
        protection: u8,
        at in prop_oneof![0..80_u16, 0..600_u16],
        (removed, put) in (0..3_u8, "[A-Za-z0-9_-]{0,2}|.{1}"),
        payload in prop_oneof![
            bytes(60),
            Just(vec![0; 3100]),
            data().prop_map(|data| {
                let length = u32::try_from(data.len()).unwrap().to_le_bytes();
                let numbers = [5, NOW, NOW + 1, NOW + 2].map(u64::to_le_bytes).concat();
                [&[0; 16][..], b"\x01\0\0\0", &length, &numbers, &data].concat()
            }),
        ],
    ) {
        let [low, high] = at.to_le_bytes();
        let length = u8::try_from(put.len()).unwrap();
        let plan = [protection, low, high, removed, length];
        fuzzing::unseal(&[&plan, put.as_bytes(), &payload].concat());
    }

    #[test]
    fn data_is_an_error_or_has_one_encoding(data in damaged(data())) {
        fuzzing::envelope(&data);
    }

    #[test]
    fn journals_change_a_map_as_a_plain_map_is_changed(bytes in bytes(80)) {
        fuzzing::journal(&bytes);
    }

    #[test]
    fn a_request_opens_what_was_handed_out(
        // The names and values of known visitors are spelt as single bytes.
        header in "([\u{1}\u{5}\u{9}][\u{2}\u{3}\u{6}\u{7}\u{a}\u{b}a]([;|]|; )){0,7}",
        bytes in bytes(60),
    ) {
        fuzzing::request(header.as_bytes());
        fuzzing::request(&bytes);
    }

    #[test]
    fn no_token_goes_to_another_origin(
        flags: u8,
        (root, path) in ("|/|//|/\\\\", parts(6)),
        query in parts(8),
        start in "|/|//|/\\\\|\\\\\\\\|https:|https://|https:\\\\\\\\",
        (host, rest) in ("|evil\\.example|shop\\.example(:443)?|a@", parts(8)),
        bytes in bytes(60),
    ) {
        let short = |text: &str| {
            let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
            [&[length], text.as_bytes()].concat()
        };
        let (path, query) = (short(&(root + &path)), short(&query));
        let answer = [start, host, rest].concat();
        let plan = [&[flags], &*path, &query, answer.as_bytes()];
        fuzzing::addresses(&plan.concat(), leaves);
        fuzzing::addresses(&bytes, leaves);
    }

    #[test]
    fn whatever_a_store_holds_no_request_panics(plan in plan()) {
        fuzzing::stored(&plan);
    }
}
