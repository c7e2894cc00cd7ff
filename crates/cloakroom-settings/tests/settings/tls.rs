//! What stores need for TLS, from files and variables.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use cloakroom_settings::{Settings, SettingsFormat};

use crate::{files::write, table::messages};

const REDIS: &str = "rediss://127.0.0.1:1";
const POSTGRES: &str = "postgres://app@127.0.0.1:1/app?sslmode=require";
const MYSQL: &str = "mysql://app@127.0.0.1:1/app?require_ssl=true";

/// A certificate for `localhost`, of nobody whom anybody trusts, and its key.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBkjCCATigAwIBAgIUay0jAWvfY0S1KsmSCWLcyed2FEUwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTIzMTQyNFoYDzIxMjYxMDI4
MjMxNDI0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATNhhCEAxP2rCX2vbzWhXXpKZws6slk0t0RWwy1VVfyCgJPOeLZV9j5
JKCJt1Q+6+/IUeU/mcZdQ50CEQPLJR/Ao2YwZDAdBgNVHQ4EFgQUejN/3UsW8rYD
N0WbIL7lBvk2dXswHwYDVR0jBBgwFoAUejN/3UsW8rYDN0WbIL7lBvk2dXswFAYD
VR0RBA0wC4IJbG9jYWxob3N0MAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSAAw
RQIgUE+aDyEzwqHoKc/EBqXJsEtHRZD0EuolxrdiEr1jTFMCIQCXkCFO12iArRnI
f0x3H9AC9552yGyFzReJU8fRhSqiYw==
-----END CERTIFICATE-----
";
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNOPsYof/HE0JB19i
DFH5lQTEMNsHRgPJzJJw4bc4s8ehRANCAATNhhCEAxP2rCX2vbzWhXXpKZws6slk
0t0RWwy1VVfyCgJPOeLZV9j5JKCJt1Q+6+/IUeU/mcZdQ50CEQPLJR/A
-----END PRIVATE KEY-----
";

/// A store that connects when it is first used, with these settings on lines from 4 on.
fn settings(folder: &Path, url: &str, options: &str) -> Settings {
    let text = format!(
        "[stores.main]\nurl = \"{url}\"\nconnect_lazily = true\n{options}\n[namespaces.cart]\n"
    );
    Settings::new()
        .text(SettingsFormat::Toml, text)
        .folder(folder)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "ca.pem", CERTIFICATE);
    write(folder.path(), "client.pem", CERTIFICATE);
    write(folder.path(), "words.pem", "no certificate");
    // It begins as one, and goes on otherwise.
    let broken = CERTIFICATE.replace('M', "#");
    write(folder.path(), "broken.pem", &broken);
    secret(folder.path(), "client.key", KEY, 0o600);
    secret(folder.path(), "broken.key", &broken, 0o600);
    secret(folder.path(), "open.key", KEY, 0o644);
    folder
}

fn secret(folder: &Path, name: &str, text: &str, mode: u32) {
    let path = write(folder, name, text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
}

const IDENTITY: &str = "tls_certificate = \"file:client.pem\"\ntls_key = \"file:client.key\"";

#[tokio::test]
async fn certificates_reach_the_stores() {
    let folder = folder();
    let roots = "tls_roots = \"file:ca.pem\"";
    let both = format!("{roots}\n{IDENTITY}");
    for (url, options) in [
        (REDIS, &*both),
        (REDIS, roots),
        (REDIS, IDENTITY),
        (POSTGRES, roots),
        (MYSQL, roots),
    ] {
        let built = settings(folder.path(), url, options).build().await;
        built.unwrap_or_else(|error| panic!("{url}, {options}: {error}"));
    }

    // They do, since it is the stores that find out what is no certificate.
    for (url, options) in [
        (REDIS, "tls_roots = \"file:broken.pem\""),
        (POSTGRES, "tls_roots = \"file:broken.pem\""),
        (MYSQL, "tls_roots = \"file:broken.pem\""),
        (
            REDIS,
            "tls_certificate = \"file:broken.pem\"\ntls_key = \"file:client.key\"",
        ),
        (
            REDIS,
            "tls_certificate = \"file:client.pem\"\ntls_key = \"file:broken.key\"",
        ),
    ] {
        let built = settings(folder.path(), url, options).build().await;
        let error = built.expect_err(options).to_string();
        assert!(error.contains("line 2: stores.main.url: "), "{error}");
    }
}

/// A Redis that asks for the certificate above; `None` where there is none. It is killed when this is
/// dropped.
struct Redis(Child);

impl Redis {
    #[expect(clippy::print_stderr, reason = "who runs the tests is to know")]
    fn start(folder: &Path, port: u16) -> Option<Self> {
        let (port, folder) = (port.to_string(), folder.display());
        let process = Command::new("redis-server")
            .args(["--port", "0", "--bind", "127.0.0.1", "--save", ""])
            .args(["--tls-port", &port])
            .args(["--tls-cert-file", &format!("{folder}/ca.pem")])
            .args(["--tls-key-file", &format!("{folder}/client.key")])
            .args(["--tls-ca-cert-file", &format!("{folder}/client.pem")])
            .stdout(Stdio::null())
            .spawn();
        match process {
            Ok(process) => Some(Self(process)),
            Err(error) => {
                let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
                assert!(!in_ci, "redis-server: {error}");
                eprintln!("skipped: redis-server can't be started: {error}");
                None
            }
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_server_is_known_by_its_certificate_and_knows_the_client_by_its_own() {
    let folder = folder();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let Some(_redis) = Redis::start(folder.path(), port) else {
        return;
    };
    let url = format!("rediss://localhost:{port}");
    let open = async |options: &str| {
        let options = format!("{options}\ntimeout = \"2s\"\nconnect_timeout = \"2s\"");
        let text = format!("[stores.main]\nurl = \"{url}\"\n{options}\n[namespaces.cart]\n");
        let settings = Settings::new().text(SettingsFormat::Toml, text);
        settings.folder(folder.path()).build().await
    };
    let roots = "tls_roots = \"file:ca.pem\"";
    let known = format!("{roots}\n{IDENTITY}");
    let mut opened = open(&known).await;
    for _ in 0..50 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await; // it starts
        opened = open(&known).await;
    }
    opened.unwrap();
    assert!(open(roots).await.is_err(), "who is nobody is let in");
    assert!(open(IDENTITY).await.is_err(), "anybody is trusted");
}

#[tokio::test]
async fn they_may_be_in_variables() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("SHOP__STORES__MAIN__TLS_ROOTS", CERTIFICATE),
        ("SHOP__STORES__MAIN__TLS_CERTIFICATE", "env:CERTIFICATE"),
        ("SHOP__STORES__MAIN__TLS_KEY", KEY),
        ("CERTIFICATE", CERTIFICATE),
    ];
    let settings = settings(folder.path(), REDIS, "").env("SHOP");
    let built = settings.variables(variables).build().await;
    built.unwrap();
}

#[test]
fn what_is_wrong_is_said_before_a_store_is_opened() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (words, open, gone) = (path("words.pem"), path("open.key"), path("gone.pem"));
    for (url, options, expected) in [
        (
            "redis://127.0.0.1",
            "tls_roots = \"file:ca.pem\"",
            "tls_roots: the url does not ask for TLS: write rediss:// instead of redis://"
                .to_owned(),
        ),
        (
            "postgres://app@db/app?application_name=sslmode=require",
            "tls_roots = \"file:ca.pem\"",
            "tls_roots: the url does not ask for TLS: write sslmode=require into it".to_owned(),
        ),
        (
            "mysql://app@db/app",
            "tls_roots = \"file:ca.pem\"",
            "tls_roots: the url does not ask for TLS: write require_ssl=true into it".to_owned(),
        ),
        (
            REDIS,
            "tls_certificate = \"file:client.pem\"",
            "tls_certificate: a certificate and its key need each other".to_owned(),
        ),
        (
            REDIS,
            "tls_key = \"file:client.key\"",
            "tls_key: a certificate and its key need each other".to_owned(),
        ),
        (
            REDIS,
            "tls_roots = \"ca.pem\"",
            "tls_roots: write where it is: file:PATH or env:NAME".to_owned(),
        ),
        (
            REDIS,
            "tls_roots = \"file:words.pem\"",
            format!("tls_roots: the file {words} holds no PEM, which begins with -----BEGIN"),
        ),
        (
            REDIS,
            "tls_roots = \"file:gone.pem\"",
            format!(
                "tls_roots: the file {gone} can't be read: No such file or directory (os error 2)"
            ),
        ),
        (
            REDIS,
            "tls_roots = \"env:NOWHERE\"",
            "tls_roots: the variable NOWHERE is not set".to_owned(),
        ),
        (
            REDIS,
            "tls_certificate = \"file:client.pem\"\ntls_key = \"file:open.key\"",
            format!(
                "tls_key: the key file {open} has mode 0644, so others than its owner and group can \
                 get at it: chmod 600 {open}"
            ),
        ),
    ] {
        let line = 3 + options.lines().count();
        let expected = format!("line {line}: stores.main.{expected}");
        let settings = settings(folder.path(), url, options).variables::<&str, &str>([]);
        assert_eq!(messages(&settings), [expected], "{url}, {options}");
    }
    let settings = settings(folder.path(), POSTGRES, IDENTITY);
    let said = messages(&settings);
    let beginning =
        "line 4: stores.main.tls_certificate: a postgres store has no such setting; it has";
    assert!(said[0].starts_with(beginning), "{said:?}");
}

/// Whatever stands in the place of a key, no error repeats it.
#[test]
fn a_key_is_in_no_error() {
    let folder = folder();
    let options = "tls_certificate = \"file:client.pem\"\ntls_key = \"hunter2\"";
    let said = messages(&settings(folder.path(), REDIS, options));
    assert_eq!(
        said,
        [
            "line 5: stores.main.tls_key: a key does not stand in the settings, which go into version \
             control and backups: write file:PATH or env:NAME"
        ]
    );
    let settings = settings(
        folder.path(),
        REDIS,
        "tls_certificate = \"file:client.pem\"",
    );
    let settings = settings
        .env("SHOP")
        .variables([("SHOP__STORES__MAIN__TLS_KEY", "hunter2")]);
    let said = messages(&settings);
    assert_eq!(
        said,
        [
            "SHOP__STORES__MAIN__TLS_KEY: stores.main.tls_key: this holds no PEM, which begins with \
          -----BEGIN"
        ]
    );
}

/// What no namespace uses is left alone, its files too.
#[test]
fn a_store_that_nobody_uses_needs_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[stores.main]\ntype = \"memory\"\n[stores.other]\nurl = \"{REDIS}\"\n\
         tls_roots = \"file:gone.pem\"\n[namespaces.cart]\nstore = \"main\"\n"
    );
    let settings = Settings::new()
        .text(SettingsFormat::Toml, text)
        .folder(folder.path());
    assert_eq!(messages(&settings), ["nothing"]);
}
