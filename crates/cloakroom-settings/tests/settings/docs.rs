//! docs/settings.md has every setting.

use cloakroom_settings::{Settings, SettingsFormat};

#[test]
fn the_page_has_every_setting_of_every_group() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
    let page = std::fs::read_to_string(page).unwrap();
    for group in [
        "",
        "namespaces.n.",
        "namespaces.n.cookie.",
        "namespaces.n.limits.",
        "stores.n.",
        "keys.n.",
        "deadlines.",
        "sweeper.",
        "beaker.session.",
    ] {
        // The error for a name that is like none lists them all.
        let text = format!("{group}qqqqqqqq = 1");
        let error = Settings::new()
            .text(SettingsFormat::Toml, text)
            .check()
            .unwrap_err();
        let message = error.problems()[0].message();
        let known = message.split_once("there are ").unwrap().1;
        let inner = ["cookie.", "limits."]
            .into_iter()
            .find(|inner| group.ends_with(inner));
        let outer = ["deadlines.", "sweeper."]
            .into_iter()
            .find(|outer| group == *outer);
        let before = inner.or(outer).unwrap_or_default();
        let has = |name: &str| {
            page.contains(&format!("`{before}{name}`")) || page.contains(&format!("`{name}."))
        };
        for name in known.split(", ") {
            // `namespace` is in the text above the table.
            let is_there = has(name) || page.contains(&format!("`{group}{name}`"));
            assert!(is_there, "docs/settings.md says nothing of {group}{name}");
        }
    }
}
