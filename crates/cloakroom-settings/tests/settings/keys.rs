//! Keys: from files and variables, made and refused, and never shown.

use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::Path};

use cloakroom_core::SecretKey;
use cloakroom_settings::Settings;

use crate::{
    files::write,
    table::{VARIABLES, messages},
};

const TEXT: &str =
    "[keys.main]\ncurrent = \"file:session.key\"\n[namespaces.prefs]\nin_cookie = \"signed\"\n";

/// A folder with settings, and a key file of some mode.
fn settings(folder: &Path, key: &str, mode: u32) -> Settings {
    let file = write(folder, "sessions.toml", TEXT);
    let key = write(folder, "session.key", key);
    std::fs::set_permissions(key, Permissions::from_mode(mode)).unwrap();
    Settings::from_file(file)
}

#[tokio::test]
async fn a_key_from_a_file_beside_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let key = SecretKey::generate().unwrap();
    for mode in [0o600, 0o400, 0o640] {
        let settings = settings(folder.path(), &key.to_base64(), mode);
        let sessions = settings.build().await.unwrap();
        assert!(
            sessions
                .manager()
                .namespaces()
                .next()
                .unwrap()
                .is_client_side()
        );
        std::fs::remove_file(folder.path().join("session.key")).unwrap();
    }
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = SecretKey::generate().unwrap();
    let path = folder.path().join("session.key").display().to_string();
    let file = folder.path().join("sessions.toml").display().to_string();
    for mode in [0o644, 0o604, 0o602, 0o620, 0o666] {
        let settings = settings(folder.path(), &key.to_base64(), mode);
        let expected = format!(
            "{file}:2: keys.main.current: the key file {path} has mode {mode:04o}, so others than \
             its owner and group can get at it: chmod 600 {path}"
        );
        assert_eq!(messages(&settings), [expected]);
    }
}

#[test]
fn a_key_file_that_holds_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.key").display().to_string();
    let file = folder.path().join("sessions.toml").display().to_string();
    let long = "A".repeat(2000);
    for (text, message) in [
        ("hunter2!", "the key is no base64"),
        (
            "c2hvcnQ=",
            "a key has 32 to 64 bytes, this one has 5: make one with `openssl rand -base64 32`",
        ),
        (
            VARIABLES[1].1,
            "the key is not random: make one with `openssl rand -base64 32`",
        ),
    ] {
        let settings = settings(folder.path(), text, 0o600);
        let expected = format!("{file}:2: keys.main.current: the key file {path}: {message}");
        assert_eq!(messages(&settings), [expected]);
    }
    let settings = settings(folder.path(), &long, 0o600);
    let expected =
        format!("{file}:2: keys.main.current: the key file {path} holds more than a key");
    assert_eq!(messages(&settings), [expected]);
}

#[tokio::test]
async fn a_key_is_made_when_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let text = TEXT.replace("[namespaces", "generate = true\n[namespaces");
    let text = text.replace("session.key", "keys/session.key");
    let file = write(folder.path(), "sessions.toml", text);
    let key = folder.path().join("keys/session.key");
    let settings = || Settings::from_file(&file);

    settings().check().unwrap();
    assert!(!key.exists(), "a check makes nothing");
    settings().build().await.unwrap();
    let made = std::fs::read_to_string(&key).unwrap();
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    settings().build().await.unwrap();
    assert_eq!(std::fs::read_to_string(&key).unwrap(), made);
}

#[test]
fn a_key_stands_in_a_variable() {
    let good = VARIABLES[0].1;
    let settings = Settings::new().env("SHOP").variables([
        ("SHOP__KEYS__MAIN__CURRENT", good),
        ("SHOP__KEYS__MAIN__OLDER", "env:OLD"),
        ("OLD", good),
        ("SHOP__NAMESPACES__PREFS__IN_COOKIE", "encrypted"),
    ]);
    assert_eq!(messages(&settings), ["nothing"]);
}

#[test]
fn a_key_may_not_stand_in_a_list_of_a_file() {
    let good = VARIABLES[0].1;
    let text = format!(
        "[keys.main]\ncurrent = \"env:GOOD\"\nolder = [\n  \"env:GOOD\",\n  \"{good}\",\n]\n\
                        [namespaces.prefs]\nin_cookie = \"signed\"\n"
    );
    let settings = Settings::new()
        .text(cloakroom_settings::SettingsFormat::Toml, text)
        .variables(VARIABLES);
    assert_eq!(
        messages(&settings),
        [
            "line 5: keys.main.older: a key does not stand in the settings, which go into version \
          control and backups: write file:PATH or env:NAME"
        ]
    );
}
