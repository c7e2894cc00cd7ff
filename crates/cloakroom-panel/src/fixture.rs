//! Recorded requests for unit tests.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{Reasons, Scheme, store::Timestamp};

use crate::record::{
    Access, Change, ConfigurationRow, EntryKind, KeyChange, RecordedCookie, RecordedNamespace,
    RecordedRequest, RecordedValue, RequestEnd, TimelineEntry,
};

pub(crate) const AT: u64 = 1_763_765_432_109;

/// A `GET /cart` over https by a browser that sent nothing, answered 200.
pub(crate) fn request(number: u64) -> RecordedRequest {
    RecordedRequest {
        number,
        at: Timestamp::from_millis(AT),
        peer: Some([127, 0, 0, 1].into()),
        method: "GET".to_owned(),
        scheme: Scheme::Https,
        host: "shop.example".to_owned(),
        path: "/cart".to_owned(),
        query: None,
        end: Some(RequestEnd::Answered(200)),
        duration: Some(Duration::from_micros(3210)),
        content_type: Some("text/html; charset=utf-8".to_owned()),
        location: None,
        cookies: Vec::new(),
        cookie_bytes: 0,
        forwarded_proto: None,
        sent: Vec::new(),
        namespaces: vec![namespace("cart")],
        timeline: Vec::new(),
        left_out: 0,
    }
}

/// A namespace that was opened, with nothing in it.
pub(crate) fn namespace(name: &str) -> RecordedNamespace {
    RecordedNamespace {
        configuration: Arc::new(configuration(name)),
        access: Access::Opened,
        id: Some(format!("{name}-0123456789abcdef")),
        is_new: false,
        has_subject: false,
        created: Some(Timestamp::from_millis(AT - 60_000)),
        expires: Some(Timestamp::from_millis(AT + 60_000)),
        bytes_in: None,
        bytes_out: None,
        keys: Vec::new(),
        decision: None,
        may_peek: false,
    }
}

pub(crate) fn configuration(name: &str) -> ConfigurationRow {
    ConfigurationRow {
        namespace: name.to_owned(),
        transports: vec![format!("cookie __Host-{name}")],
        cookie_name: Some(format!("__Host-{name}")),
        cookie_attributes: Some("Path=/; Secure; HttpOnly; SameSite=Lax".to_owned()),
        store: "MemoryStore".to_owned(),
        is_client_side: false,
        key_ids: Vec::new(),
        has_condition: false,
        idle: Some(Duration::from_secs(1800)),
        absolute: Some(Duration::from_secs(43_200)),
        is_persistent: false,
        rotate_every: None,
        max_size: 65_536,
        save_mode: "on change",
        codec: "MessagePack",
        notes: Vec::new(),
        call_deadline: Duration::from_millis(500),
        open_deadline: Duration::from_secs(1),
        commit_deadline: Duration::from_secs(1),
    }
}

/// A cookie as the namespace of that name sets it, with a value of 64 bytes.
pub(crate) fn cookie(namespace: &str) -> RecordedCookie {
    RecordedCookie {
        namespace: namespace.to_owned(),
        name: format!("__Host-{namespace}"),
        attributes: "Path=/; Secure; HttpOnly; SameSite=Lax".to_owned(),
        value_length: 64,
        is_removal: false,
    }
}

pub(crate) fn value(json: &str) -> RecordedValue {
    RecordedValue {
        json: json.to_owned(),
        is_cut: false,
        bytes: json.len(),
        is_undecodable: false,
    }
}

/// A key, with the change that its values make.
pub(crate) fn key(name: &str, before: Option<&str>, after: Option<&str>) -> KeyChange {
    KeyChange {
        key: name.to_owned(),
        before: before.map(value),
        after: after.map(value),
        change: match (before, after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            (before, after) if before == after => Change::Unchanged,
            _ => Change::Changed,
        },
        is_masked: false,
    }
}

/// Values have changed, and nothing else.
pub(crate) fn changed() -> Reasons {
    let mut reasons = Reasons::default();
    reasons.values = true;
    reasons
}

pub(crate) fn entry(namespace: &str, kind: EntryKind) -> TimelineEntry {
    TimelineEntry {
        at: Duration::from_micros(120),
        namespace: Some(namespace.to_owned()),
        kind,
        is_after_head: false,
    }
}
