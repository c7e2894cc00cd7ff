//! The style sheets and the script. They are served by the panel itself; nothing comes from elsewhere.

/// The button in the application's pages. Well-formed in XML too: it has none of `<`, `>` and `&`.
pub(crate) const BUTTON_CSS: &str = include_str!("button.css");

/// The panel's pages.
pub(crate) const PANEL_CSS: &str = include_str!("panel.css");

/// What the pages do by themselves: they work without it.
pub(crate) const PANEL_JS: &str = include_str!("panel.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_button_s_style_can_stand_in_xml() {
        assert!(BUTTON_CSS.is_ascii());
        assert!(!BUTTON_CSS.contains(['<', '>', '&']));
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for asset in [BUTTON_CSS, PANEL_CSS, PANEL_JS] {
            for other in ["//", "@import", "url("] {
                let lines = asset
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                assert!(
                    !lines.into_iter().any(|line| line.contains(other)),
                    "{other}"
                );
            }
        }
    }
}
