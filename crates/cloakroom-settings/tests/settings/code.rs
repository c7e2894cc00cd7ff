//! What code adds, variables over files, and what nothing shows.

use cloakroom_core::{Namespace, SessionManagerBuilder, SystemClock};
use cloakroom_memory::MemoryStore;
use cloakroom_settings::{Settings, SettingsFormat};

use crate::{BAD, bad, table::messages};

const TEXT: &str =
    "[stores.main]\ntype = \"memory\"\n[namespaces.account]\n[namespaces.shopping-cart]\n";

fn settings() -> Settings {
    Settings::new().text(SettingsFormat::Toml, TEXT)
}

#[tokio::test]
async fn code_adjusts_a_namespace_by_its_name() {
    let settings = settings()
        .namespace("account", |account| {
            account.only_if(|request| request.is_https())
        })
        .namespace("account", |account| account.max_size(1024));
    let sessions = settings.build().await.unwrap();
    let namespaces: Vec<_> = sessions.manager().namespaces().collect();
    assert!(namespaces[0].has_condition() && !namespaces[1].has_condition());
    assert!(format!("{:?}", namespaces[0]).contains("max_size: 1024"));
}

#[test]
fn code_that_adjusts_what_is_not_there_is_an_error() {
    let settings = settings().namespace("acount", |account| account);
    let expected = "namespaces.acount: code adjusts it, but there is no namespace \"acount\"; did \
                    you mean \"account\"?";
    assert_eq!(messages(&settings), [expected]);
}

#[test]
fn what_code_gets_wrong_has_the_place_of_the_namespace() {
    let settings = settings().namespace("account", |account| account.max_size(0));
    let expected = "line 3: namespaces.account: no value fits into 0 bytes";
    assert_eq!(messages(&settings), [expected]);
}

#[tokio::test]
async fn code_adjusts_the_manager() {
    let add = |manager: SessionManagerBuilder| {
        manager.namespace(Namespace::new("extra", MemoryStore::new()))
    };
    let settings = settings()
        .manager(add)
        .manager(|manager| manager.clock(SystemClock));
    let sessions = settings.build().await.unwrap();
    let names = sessions
        .manager()
        .namespaces()
        .map(|namespace| namespace.name());
    assert!(names.eq(["account", "shopping-cart", "extra"]));
}

#[tokio::test]
async fn a_variable_finds_a_name_with_a_hyphen() {
    let settings = settings().env("SHOP").variables([
        ("SHOP__NAMESPACES__SHOPPING_CART__PERSISTENT", "30d"),
        ("SHOP_SERVICE_HOST", "10.0.0.1"), // Kubernetes sets such ones
        ("OTHER__THING", "1"),
    ]);
    let sessions = settings.build().await.unwrap();
    let limits: Vec<_> = sessions
        .manager()
        .namespaces()
        .map(|one| one.limits())
        .collect();
    assert_eq!(
        limits[1].absolute_limit().unwrap().as_secs(),
        30 * 24 * 3600
    );
}

#[test]
fn no_error_shows_a_key_or_a_password() {
    let rows = BAD.iter().copied().flatten().map(|row| row.settings());
    let of_variables = bad::variables::ROWS.iter().map(|row| {
        Settings::new()
            .env("SHOP")
            .variables(row.variables.iter().copied())
    });
    for settings in rows.chain(of_variables) {
        let shown = format!(
            "{settings:?} {:?} {}",
            settings.check(),
            messages(&settings).join(" ")
        );
        for secret in ["hunter2", "c2VjcmV0", "AAAAAAAA"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn namespaces_that_name_one_store_share_it() {
    let sessions = settings().build().await.unwrap();
    let main = sessions.store("main").unwrap();
    assert!(
        sessions
            .stores()
            .all(|(name, store)| name == "main" && store.is_same(main))
    );
    assert_eq!(sessions.sweeper().sweep().await, 0);
}
