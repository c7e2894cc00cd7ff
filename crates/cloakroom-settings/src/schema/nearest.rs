//! What somebody may have meant.

use super::names::{ELSEWHERE, Kind, ROOT, Setting};

/// The known name that is most like `name`, if one is like it.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let plain = plain(name);
    let distances = known
        .into_iter()
        .map(|other| (strsim::osa_distance(&plain, &self::plain(other)), other));
    let (distance, other) = distances.min_by_key(|(distance, _)| *distance)?;
    // A third of the letters may be wrong, as long as some are right.
    let most = (other.len().max(plain.len()) / 3).max(1);
    (distance <= most && distance < other.len()).then_some(other)
}

/// `SameSite`, `sameSite` and `same-site` are `same_site`.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    let mut was_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && was_small {
            plain.push('_');
        }
        was_small = letter.is_ascii_lowercase();
        plain.push(match letter {
            '-' | ' ' => '_',
            letter => letter.to_ascii_lowercase(),
        });
    }
    plain
}

/// What to say of a setting that there is not.
pub(super) fn unknown(name: &str, path: &str, settings: &[Setting]) -> String {
    let known = || settings.iter().map(|setting| setting.name);
    if let Some(near) = nearest(name, known()) {
        return format!("there is no such setting; did you mean {near}?");
    }
    if !path.starts_with("beaker") {
        let hint = ELSEWHERE.iter().find(|(other, _)| *other == plain(name));
        if let Some((_, hint)) = hint {
            return format!("there is no such setting; {hint}");
        }
        if let Some(place) = place_of(&plain(name), ROOT, "") {
            let outside = if place.contains('.') {
                ""
            } else {
                ", outside of all groups"
            };
            return format!("there is no such setting here; did you mean {place}{outside}?");
        }
    }
    let known: Vec<_> = known().collect();
    format!("there is no such setting; there are {}", known.join(", "))
}

/// Where else there is a setting of a name.
fn place_of(name: &str, settings: &[Setting], above: &str) -> Option<String> {
    let settings = settings.iter().filter(|setting| setting.name != "beaker");
    let mut inner = Vec::new();
    for setting in settings {
        let path = format!("{above}{}", setting.name);
        if setting.name == name {
            return Some(path);
        }
        match setting.kind {
            Kind::Table(settings) => inner.push((settings, format!("{path}."))),
            Kind::Tables(settings) => inner.push((settings, format!("{path}.NAME."))),
            _ => {}
        }
    }
    inner
        .into_iter()
        .find_map(|(settings, path)| place_of(name, settings, &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_is_like_it() {
        let known = [
            "idle",
            "absolute",
            "touch_after",
            "preset",
            "same_site",
            "url",
        ];
        for (name, near) in [
            ("idel", Some("idle")),
            ("Idle", Some("idle")),
            ("absolut", Some("absolute")),
            ("touchAfter", Some("touch_after")),
            ("touch-after", Some("touch_after")),
            ("SameSite", Some("same_site")),
            ("uri", Some("url")),
            ("colour", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, known), near, "{name}");
        }
    }
}
