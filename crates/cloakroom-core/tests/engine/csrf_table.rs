//! Requests and the verdict of Go 1.25's `CrossOriginProtection`, written down row by row from its
//! rules. The layer of `cloakroom-tower` is tested with the same rows.

/// The origin that is trusted, and what is let past.
pub(crate) const TRUSTED: &str = "https://trusted.example";
pub(crate) const BYPASSES: [&str; 3] = ["/hooks/", "/shops/{id}/hook", "PUT /notify"];

/// Method, `Sec-Fetch-Site`, `Origin`, host, path, and whether it passes. `-` is no such header.
pub(crate) type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
);

const HOST: &str = "shop.example";

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // Safe methods pass, whoever sends them.
    ("GET",     "cross-site",  "https://evil.example", HOST, "/", true),
    ("GET",     "same-site",   "-",                    HOST, "/", true),
    ("GET",     "-",           "https://evil.example", HOST, "/", true),
    ("GET",     "-",           "null",                 HOST, "/", true),
    ("HEAD",    "cross-site",  "https://evil.example", HOST, "/", true),
    ("HEAD",    "-",           "https://evil.example", HOST, "/", true),
    ("OPTIONS", "cross-site",  "https://evil.example", HOST, "/", true),
    ("OPTIONS", "-",           "null",                 HOST, "/", true),
    // All others are judged, known or not. Methods are compared byte by byte.
    ("POST",    "cross-site",  "https://evil.example", HOST, "/", false),
    ("PUT",     "cross-site",  "https://evil.example", HOST, "/", false),
    ("PATCH",   "cross-site",  "https://evil.example", HOST, "/", false),
    ("DELETE",  "cross-site",  "https://evil.example", HOST, "/", false),
    ("TRACE",   "cross-site",  "https://evil.example", HOST, "/", false),
    ("QUERY",   "cross-site",  "https://evil.example", HOST, "/", false),
    ("PROPFIND","cross-site",  "https://evil.example", HOST, "/", false),
    ("get",     "cross-site",  "https://evil.example", HOST, "/", false),
    ("Head",    "cross-site",  "https://evil.example", HOST, "/", false),
    ("DELETE",  "same-origin", "-",                    HOST, "/", true),
    ("QUERY",   "none",        "-",                    HOST, "/", true),
    // Sec-Fetch-Site decides, whatever Origin says.
    ("POST",    "same-origin", "-",                    HOST, "/", true),
    ("POST",    "same-origin", "https://shop.example", HOST, "/", true),
    ("POST",    "same-origin", "https://evil.example", HOST, "/", true),
    ("POST",    "same-origin", "null",                 HOST, "/", true),
    ("POST",    "none",        "-",                    HOST, "/", true),
    ("POST",    "none",        "https://evil.example", HOST, "/", true),
    ("POST",    "same-site",   "-",                    HOST, "/", false),
    ("POST",    "same-site",   "https://www.shop.example", HOST, "/", false),
    ("POST",    "same-site",   "https://shop.example", HOST, "/", false),
    ("POST",    "cross-site",  "-",                    HOST, "/", false),
    ("POST",    "cross-site",  "https://shop.example", HOST, "/", false),
    ("POST",    "cross-site",  "null",                 HOST, "/", false),
    // What it does not know is no permission.
    ("POST",    "Same-Origin", "-",                    HOST, "/", false),
    ("POST",    "SAME-ORIGIN", "https://shop.example", HOST, "/", false),
    ("POST",    "None",        "-",                    HOST, "/", false),
    ("POST",    "same-origin, none", "-",              HOST, "/", false),
    ("POST",    "same",        "-",                    HOST, "/", false),
    ("POST",    "?",           "https://shop.example", HOST, "/", false),
    // An empty one is none.
    ("POST",    "",            "-",                    HOST, "/", true),
    ("POST",    "",            "https://shop.example", HOST, "/", true),
    ("POST",    "",            "https://evil.example", HOST, "/", false),
    // Without it and without Origin no browser has sent it.
    ("POST",    "-",           "-",                    HOST, "/", true),
    ("DELETE",  "-",           "-",                    HOST, "/", true),
    ("POST",    "-",           "",                     HOST, "/", true),
    ("POST",    "-",           "-",                    "other.example", "/", true),
    // Without it, Origin is compared with the host and its port; the scheme is not.
    ("POST",    "-",           "https://shop.example", HOST, "/", true),
    ("POST",    "-",           "http://shop.example",  HOST, "/", true),
    ("PUT",     "-",           "https://shop.example", HOST, "/", true),
    ("POST",    "-",           "https://evil.example", HOST, "/", false),
    ("POST",    "-",           "https://www.shop.example", HOST, "/", false),
    ("POST",    "-",           "https://shop.example", "www.shop.example", "/", false),
    ("POST",    "-",           "https://shop.example.evil.example", HOST, "/", false),
    ("POST",    "-",           "https://evilshop.example", HOST, "/", false),
    ("POST",    "-",           "https://shop.example:8443", "shop.example:8443", "/", true),
    ("POST",    "-",           "https://shop.example:8443", HOST, "/", false),
    ("POST",    "-",           "https://shop.example", "shop.example:8443", "/", false),
    ("POST",    "-",           "https://shop.example:443", HOST, "/", false),
    ("POST",    "-",           "https://shop.example", "shop.example:443", "/", false),
    ("POST",    "-",           "https://SHOP.example", HOST, "/", false),
    ("POST",    "-",           "http://localhost:3000", "localhost:3000", "/", true),
    ("POST",    "-",           "http://localhost:3001", "localhost:3000", "/", false),
    ("POST",    "-",           "http://127.0.0.1:3000", "127.0.0.1:3000", "/", true),
    ("POST",    "-",           "http://127.0.0.1:3000", "localhost:3000", "/", false),
    ("POST",    "-",           "http://[::1]:3000",    "[::1]:3000", "/", true),
    ("POST",    "-",           "http://[::1]:3001",    "[::1]:3000", "/", false),
    ("POST",    "-",           "null",                 HOST, "/", false),
    ("POST",    "-",           "shop.example",         HOST, "/", false),
    ("POST",    "-",           "https:shop.example",   HOST, "/", false),
    ("POST",    "-",           "https://",             HOST, "/", false),
    ("POST",    "-",           "https://shop.example https://evil.example", HOST, "/", false),
    ("POST",    "-",           "https://evil.example/shop.example", HOST, "/", false),
    // A trusted origin passes, byte by byte.
    ("POST",    "cross-site",  "https://trusted.example", HOST, "/", true),
    ("POST",    "same-site",   "https://trusted.example", HOST, "/", true),
    ("DELETE",  "-",           "https://trusted.example", HOST, "/", true),
    ("POST",    "?",           "https://trusted.example", HOST, "/", true),
    ("POST",    "cross-site",  "http://trusted.example",  HOST, "/", false),
    ("POST",    "-",           "http://trusted.example",  HOST, "/", false),
    ("POST",    "cross-site",  "https://trusted.example:443", HOST, "/", false),
    ("POST",    "cross-site",  "https://trusted.example/", HOST, "/", false),
    ("POST",    "cross-site",  "https://Trusted.example", HOST, "/", false),
    ("POST",    "-",           "https://sub.trusted.example", HOST, "/", false),
    ("POST",    "cross-site",  "https://trusted.example.evil.example", HOST, "/", false),
    ("POST",    "cross-site",  "-",                    "trusted.example", "/", false),
    // What is let past passes, whoever sends it; what only looks like it does not.
    ("POST",    "cross-site",  "https://evil.example", HOST, "/hooks/", true),
    ("POST",    "cross-site",  "https://evil.example", HOST, "/hooks/stripe", true),
    ("POST",    "-",           "https://evil.example", HOST, "/hooks/a/b", true),
    ("DELETE",  "cross-site",  "null",                 HOST, "/hooks/stripe", true),
    ("POST",    "cross-site",  "https://evil.example", HOST, "/hooks", false),
    ("POST",    "cross-site",  "https://evil.example", HOST, "/hooks/../admin", false),
    ("POST",    "cross-site",  "https://evil.example", HOST, "/admin/../hooks/a", false),
    ("POST",    "cross-site",  "https://evil.example", HOST, "/Hooks/stripe", false),
    ("POST",    "cross-site",  "https://evil.example", HOST, "/admin/hooks/", false),
    ("POST",    "-",           "https://evil.example", HOST, "/shops/7/hook", true),
    ("POST",    "-",           "https://evil.example", HOST, "/shops/7/8/hook", false),
    ("PUT",     "cross-site",  "https://evil.example", HOST, "/notify", true),
    ("POST",    "cross-site",  "https://evil.example", HOST, "/notify", false),
    ("PUT",     "cross-site",  "https://evil.example", HOST, "/notify/all", false),
    ("POST",    "cross-site",  "https://evil.example", HOST, "/admin?/hooks/", false),
];
