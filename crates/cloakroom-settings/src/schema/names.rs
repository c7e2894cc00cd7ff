//! All settings: their names, and what they may be.

use Kind::{
    Bool, Choice, Count, Duration, Expires, KeySource, LooseBool, Refused, Seconds, Size, Table,
    Tables, Text, Texts, Url,
};

/// What a setting may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// Text that may hold a password.
    Url,
    /// Text that may be a key.
    KeySource,
    Texts,
    Bool,
    Duration,
    Size,
    /// A whole number from this one on.
    Count(u64),
    Choice(&'static [&'static str]),
    Table(&'static [Setting]),
    /// Tables whose names the application chooses. What one of them is, for errors.
    Tables(&'static [Setting]),
    /// Beaker's: `true, yes, on, y, t, 1` and their opposites.
    LooseBool,
    /// Beaker's: a bare number.
    Seconds,
    /// Beaker's: a bool, or seconds.
    Expires,
    /// Known, and not possible; why.
    Refused(&'static str),
}

#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

const fn of(name: &'static str, kind: Kind) -> Setting {
    Setting { name, kind }
}

pub(crate) const ROOT: &[Setting] = &[
    of("application", Text),
    of("namespaces", Tables(NAMESPACE)),
    of("stores", Tables(STORE)),
    of("keys", Tables(KEYS)),
    of("deadlines", Table(DEADLINES)),
    of("sweeper", Table(SWEEPER)),
    of("beaker", Table(BEAKERS)),
];

const DEADLINES: &[Setting] = &[
    of("open", Duration),
    of("commit", Duration),
    of("call", Duration),
];

const SWEEPER: &[Setting] = &[of("every", Duration), of("older_than", Duration)];

const KEYS: &[Setting] = &[
    of("current", KeySource),
    of("older", Texts),
    of("generate", Bool),
];

const NAMESPACE: &[Setting] = &[
    of("store", Text),
    of("in_cookie", Choice(&["encrypted", "signed"])),
    of("keys", Text),
    of("accept_replay", Bool),
    of("cookie", Table(COOKIE)),
    of("transports", Texts),
    of("answer_in", Text),
    of("insecure_http", Bool),
    of("limits", Table(LIMITS)),
    of("persistent", Duration),
    of("rotate_every", Duration),
    of("max_size", Size),
    of("codec", Choice(&["message_pack", "json"])),
    of("strict", Bool),
    of("save_mode", Choice(&["on_change", "explicit", "always"])),
    of("refuse_changes_on_get", Bool),
    of("save_on_server_error", Bool),
    of(
        "on_store_failure",
        Choice(&["respond_503", "keep_response"]),
    ),
    of(
        "on_ended",
        Choice(&["ignore", "respond_409", "respond_401"]),
    ),
    of("on_corrupt", Choice(&["reset", "fail"])),
    of("on_undecodable", Choice(&["fail", "discard"])),
    of("on_replaced_token", Choice(&["ignore", "end_session"])),
];

const COOKIE: &[Setting] = &[
    of("name", Text),
    of("domain", Text),
    of("path", Text),
    of("same_site", Choice(&["strict", "lax", "none"])),
    of("partitioned", Bool),
];

const LIMITS: &[Setting] = &[
    of("idle", Duration),
    of("absolute", Duration),
    of("touch_after", Duration),
    of(
        "preset",
        Choice(&["owasp", "nist_aal1", "nist_aal2", "nist_aal3"]),
    ),
];

/// Which of them a type of store has, `plan/stores.rs` knows.
pub(super) const STORE: &[Setting] = &[
    of(
        "type",
        Choice(&[
            "memory",
            "file",
            "sqlite",
            "postgres",
            "mysql",
            "redis",
            "memcached",
            "tiered",
        ]),
    ),
    of("url", Url),
    of("connect_lazily", Bool),
    of("prefix", Text),
    of("schema", Text),
    of("table", Text),
    of("migrate", Bool),
    of("connections", Count(1)),
    of("readers", Count(1)),
    of("writers", Count(1)),
    of("prepared", Bool),
    of("tell_changes", Bool),
    of("timeout", Duration),
    of("slow_timeout", Duration),
    of("connect_timeout", Duration),
    of("tls_roots", KeySource),
    of("tls_certificate", KeySource),
    of("tls_key", KeySource),
    of("max_data_size", Size),
    of("fsync", Choice(&["never", "file", "file_and_folder"])),
    of("allow_network_file_system", Bool),
    of("synchronous", Choice(&["off", "normal", "full"])),
    of("max_file_size", Size),
    of("inline_loads", Count(0)),
    of("max_sessions", Count(1)),
    of("max_bytes", Size),
    of("max_age", Duration),
    of("front_timeout", Duration),
];

const BEAKERS: &[Setting] = &[
    of("session", Table(BEAKER)),
    of(
        "cache",
        Refused("Beaker's caches are no sessions: take another crate for them"),
    ),
];

const DRIVER: &str = "each store brings the driver that is best for it";
const NO_LOCKS: &str = "no lock files are needed: leave it out";

const BEAKER: &[Setting] = &[
    of("namespace", Text), // ours: what the namespace is called
    of("type", Text),
    of("url", Url),
    of("urls", Url),
    of("data_dir", Text),
    of("file_dir", Text),
    of("table_name", Text),
    of("schema_name", Text),
    of("key", Text),
    of("secret", KeySource),
    of("validate_key", KeySource),
    of("encrypt_key", KeySource),
    of("timeout", Seconds),
    of("save_accessed_time", LooseBool),
    of("auto", LooseBool),
    of("invalidate_corrupt", LooseBool),
    of("data_serializer", Text),
    of("cookie_expires", Expires),
    of("cookie_domain", Text),
    of("cookie_path", Text),
    of("secure", LooseBool),
    of("httponly", LooseBool),
    of("samesite", Text),
    of("use_cookies", LooseBool),
    of(
        "id",
        Refused("a session's id is never chosen by the application: leave it out"),
    ),
    of("lock_dir", Refused(NO_LOCKS)),
    of(
        "dbm_dir",
        Refused("there is no dbm store: take type = sqlite, with a url"),
    ),
    of(
        "dbmmodule",
        Refused("there is no dbm store: take type = sqlite, with a url"),
    ),
    of(
        "crypto_type",
        Refused("client-side sessions use AES-256-GCM-SIV, and nothing else"),
    ),
    of(
        "encrypt_nonce_bits",
        Refused("client-side sessions use AES-256-GCM-SIV, and nothing else"),
    ),
    of("memcache_module", Refused(DRIVER)),
    of(
        "sa_opts",
        Refused("write what the database needs into the url"),
    ),
    of("sa", Refused("write what the database needs into the url")),
    of("bind", Refused("write the database's address into the url")),
    of("table", Refused("write the table's name as table_name")),
    of(
        "namespace_class",
        Refused("a class of Python can't be loaded: write a Store in Rust"),
    ),
    of(
        "session_class",
        Refused("a class of Python can't be loaded"),
    ),
    of(
        "webtest_varname",
        Refused("tests build a request with a session in it: leave it out"),
    ),
    of(
        "log_file",
        Refused("Beaker does nothing with it either: leave it out"),
    ),
    of(
        "cookie_on_exception",
        Refused("say it in the namespace's own settings: save_on_server_error"),
    ),
    of(
        "constant_csrf_token",
        Refused("a token that never changes protects nothing"),
    ),
];

/// What people from elsewhere write, and what to do instead.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("secure", "cookies are Secure unless insecure_http = true"),
    ("http_only", "cookies are HttpOnly, always"),
    ("httponly", "cookies are HttpOnly, always"),
    (
        "max_age",
        "a cookie lives as long as its session: set persistent",
    ),
    (
        "expires",
        "a cookie lives as long as its session: set persistent",
    ),
    ("cookie_name", "write [namespaces.NAME.cookie] name = .."),
    ("ttl", "a session has limits: idle and absolute"),
    ("timeout", "a session has limits: idle and absolute"),
    (
        "secret",
        "keys stand in [keys.NAME], and only namespaces with in_cookie need them",
    ),
    (
        "key",
        "keys stand in [keys.NAME], and only namespaces with in_cookie need them",
    ),
    (
        "password",
        "write it into the url, and have the url come from a variable: url = \"env:NAME\"",
    ),
    ("session", "Beaker's names stand below beaker.session"),
];
