//! Files: their formats, their folders, one over another.

use std::path::Path;

use cloakroom_settings::{Settings, SettingsFormat};

use crate::table::messages;

pub(crate) fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn paths_are_relative_to_the_file_that_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[stores]\nfiles.url = \"file:data/sessions\"\ndatabase.url = \"sqlite:my%20data.db\"\n\
                [namespaces]\ncart.store = \"files\"\naccount.store = \"database\"\n";
    let path = write(folder.path(), "sessions.toml", text);
    let sessions = Settings::from_file(path).build().await.unwrap();
    assert!(folder.path().join("data/sessions").is_dir());
    assert!(folder.path().join("my data.db").is_file());
    let names = sessions.stores().map(|(name, _)| name);
    assert!(names.eq(["database", "files"]));
}

#[tokio::test]
async fn paths_in_variables_are_relative_to_the_first_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        "sessions.ini",
        "[namespaces.cart]\nstore = main\n",
    );
    let settings = Settings::from_file(path).env("SHOP");
    let settings = settings.variables([("SHOP__STORES__MAIN__URL", "file:sessions")]);
    settings.build().await.unwrap();
    assert!(folder.path().join("sessions").is_dir());
}

#[tokio::test]
async fn later_sources_take_the_place_of_earlier_ones_setting_by_setting() {
    let folder = tempfile::tempdir().unwrap();
    let base = "[stores.main]\nurl = \"redis://nowhere\"\nprefix = \"shop\"\n\
                [namespaces.cart.limits]\nidle = \"30m\"\nabsolute = \"12h\"\n";
    let base = write(folder.path(), "base.toml", base);
    let over = r#"{ "stores": { "test": { "type": "memory" } },
                    "namespaces": { "cart": { "store": "test", "limits": { "idle": "10m" } } } }"#;
    let over = write(folder.path(), "test.json", over);
    let sessions = Settings::from_file(base)
        .file(over)
        .env("SHOP")
        .variables([("SHOP__NAMESPACES__CART__LIMITS__ABSOLUTE", "6h")])
        .build()
        .await
        .unwrap();
    let limits = sessions.manager().namespaces().next().unwrap().limits();
    assert_eq!(limits.idle_limit().unwrap().as_secs(), 600);
    assert_eq!(limits.absolute_limit().unwrap().as_secs(), 21_600);
}

#[test]
fn a_problem_names_the_file_that_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let one = write(
        folder.path(),
        "one.toml",
        "[stores.main]\ntype = \"memory\"\n",
    );
    let two = write(
        folder.path(),
        "two.ini",
        "[namespaces.cart.limits]\n\nidel = 30m\n",
    );
    let settings = Settings::new().file(&one).file(&two);
    let error = settings.check().unwrap_err();
    let [problem] = error.problems() else {
        panic!("{error}");
    };
    assert_eq!(problem.origin().unwrap(), format!("{}:3", two.display()));
    assert_eq!(problem.setting(), "namespaces.cart.limits.idel");
    assert_eq!(
        problem.message(),
        "there is no such setting; did you mean idle?"
    );
}

#[test]
fn files_that_can_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    write(folder.path(), "sessions.yaml", "");
    write(folder.path(), "large.toml", vec![b'\n'; (1 << 20) + 1]);
    write(
        folder.path(),
        "latin.ini",
        b"[stores.main]\ntype = memory\n; caf\xe9\n",
    );
    for (name, message) in [
        (
            "missing.toml",
            ": it can't be read: No such file or directory (os error 2)",
        ),
        (
            "sessions.yaml",
            ": its name ends in none of .toml, .ini and .json, so its format can't be told",
        ),
        (
            "large.toml",
            ": it has more than 1 MiB: these are no settings",
        ),
        ("latin.ini", ":3: it is no UTF-8"),
    ] {
        let settings = Settings::from_file(folder.path().join(name));
        assert_eq!(messages(&settings), [format!("{}{message}", at(name))]);
    }
}

#[test]
fn windows_writes_files_too() {
    for (format, text) in [
        (
            SettingsFormat::Toml,
            "[stores.main]\r\ntype = \"memory\"\r\n[namespaces.cart]\r\n",
        ),
        (
            SettingsFormat::Ini,
            "[stores.main]\r\ntype = memory\r\n[namespaces.cart]\r\nstrict = true\r\n",
        ),
        (
            SettingsFormat::Json,
            "{\"stores\": {\"main\": {\"type\": \"memory\"}},\r\n \"namespaces\": {\"cart\": {}}}",
        ),
    ] {
        let text = format!("\u{feff}{text}");
        assert!(
            Settings::new().text(format, text).check().is_ok(),
            "{format:?}"
        );
    }
}

#[test]
fn deeply_nested_json_overflows_no_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!(
            "{{\"application\": {}1{}}}",
            open.repeat(5000),
            close.repeat(5000)
        );
        let error = Settings::new()
            .text(SettingsFormat::Json, deep)
            .check()
            .unwrap_err();
        assert!(
            error.to_string().contains("no setting is nested so deeply"),
            "{error}"
        );
    }
}
