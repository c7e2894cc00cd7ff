//! Beaker's settings in the file that a Pylons or Pyramid application has them in.

use cloakroom_settings::Settings;

use crate::{describe, files::write, table::messages};

const PYLONS: &str = "\
[DEFAULT]
debug = true
email_to = you@yourdomain.com

[server:main]
use = egg:Paste#http
host = 0.0.0.0

[app:main]
use = egg:shop
full_stack = true
cache_dir = %(here)s/data
beaker.session.key = shop
beaker.session.secret = somesecret
beaker.session.timeout = 1800
beaker.cache.type = memory
sqlalchemy.url: sqlite:///%(here)s/shop.db

[loggers]
keys = root
  , shop
";

#[tokio::test]
async fn the_file_of_a_pylons_project() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "production.ini", PYLONS);
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let sessions = Settings::new()
        .beaker(file, "app:main")
        .build()
        .await
        .unwrap();
    let seen = describe(&sessions);
    assert!(seen.contains("session = __Host-shop: "), "{seen}");
    assert!(seen.contains("idle: Some(1800s), absolute: None"), "{seen}");
    assert!(
        folder.path().join("data/sessions").is_dir(),
        "as Pylons has it"
    );
    assert!(!seen.contains("somesecret"), "{seen}");
}

#[tokio::test]
async fn beakers_namespace_beside_others() {
    let folder = tempfile::tempdir().unwrap();
    let ini = "[app:main]\nsession.type = ext:database\nsession.url = sqlite:///old.db\n\
               session.table_name = logins\nsession.namespace = account\n";
    let old = write(folder.path(), "old.ini", ini);
    let new = write(
        folder.path(),
        "new.toml",
        "stores.main.type = \"memory\"\nnamespaces.cart = {}\n",
    );
    let sessions = Settings::from_file(new)
        .beaker(old, "app:main")
        .build()
        .await
        .unwrap();
    let names = sessions
        .manager()
        .namespaces()
        .map(|namespace| namespace.name());
    assert!(names.eq(["cart", "account"]));
    assert!(folder.path().join("old.db").is_file());
}

#[test]
fn what_is_wrong_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.ini").display().to_string();
    for (text, expected) in [
        (
            "[app:other]\nuse = egg:shop\n",
            ": it has no section [app:main]; it has [app:other]",
        ),
        (
            "[app:main]\nbeaker.sesion.type = memory\n",
            ":2: beaker.sesion.type: Beaker has no such setting; its sessions' begin with \
             beaker.session., as in beaker.session.type",
        ),
        (
            "[app:main]\nbeaker.session.timeuot = 1\n",
            ":2: beaker.session.timeuot: there is no such setting; did you mean timeout?",
        ),
        (
            "[app:main]\nbeaker.session.type = memory\nsession.type = file\n",
            ":3: beaker.session.type: this is set twice, on line 2 too",
        ),
        (
            "[app:main]\nbeaker.session.data_dir = %(hear)s/data\n",
            ":2: beaker.session.data_dir: %(hear)s is neither in this section nor in [DEFAULT]",
        ),
        (
            "[app:main]\na = %(b)s\nb = %(a)s\nbeaker.session.data_dir = %(a)s\n",
            ":4: beaker.session.data_dir: %(b)s goes round in circles",
        ),
        (
            "[app:main]\nbeaker.session.data_dir = 100%\n",
            ":2: beaker.session.data_dir: a % stands before (name)s, or is written %%",
        ),
        (
            "[app:main]\nbeaker.session.type = memory ; for now\n",
            ":2: beaker.session.type: this is ambiguous: a comment stands on a line of its own, and a \
             value that has # or ; after a space stands in double quotes",
        ),
    ] {
        let file = write(folder.path(), "app.ini", text);
        let settings = Settings::new().beaker(file, "app:main");
        assert_eq!(messages(&settings), [format!("{path}{expected}")], "{text}");
    }
}

#[test]
fn the_section_of_all_applications_counts_too() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[DEFAULT]\nbeaker.session.type = dbm\nbeaker.session.timeout = 60\n\
                [app:main]\nbeaker.session.type = memory\n";
    let file = write(folder.path(), "app.ini", text);
    assert_eq!(
        messages(&Settings::new().beaker(file, "app:main")),
        ["nothing"]
    );
}
