use std::{
    collections::BTreeMap,
    error::Error,
    fs::File,
    io::{self, Read},
    path::Path,
};

use cloakroom_core::{KeyError, KeyRing, Namespace, SecretKey};
use zeroize::Zeroizing;

use crate::{
    error::Problems,
    file_mode::others_mode,
    plan::{Keeper, KeysPlan, NamespacePlan, Plan, keys::KeySource},
    source::Environment,
};

/// A key takes up to 88 letters of base64.
const MAX_LENGTH: u64 = 1024;

/// The key rings that namespaces use, by their names.
pub(crate) struct Rings(BTreeMap<String, KeyRing>);

impl Rings {
    /// `may_generate` says whether keys that are to be made are made.
    pub(crate) fn load(
        plan: &Plan,
        environment: &Environment,
        may_generate: bool,
        problems: &mut Problems,
    ) -> Self {
        let mut rings = BTreeMap::new();
        for keys in &plan.keys {
            let uses = |namespace: &NamespacePlan| matches!(&namespace.keeper, Keeper::Cookie { keys: name, .. } if *name == keys.name);
            if !plan.namespaces.iter().any(uses) {
                continue;
            }
            if let Some(ring) = load(keys, environment, may_generate, problems) {
                rings.insert(keys.name.clone(), ring);
            }
        }
        Self(rings)
    }

    /// A namespace in its cookie; `None` when its keys could not be loaded.
    pub(crate) fn namespace(
        &self,
        name: &str,
        keys: &str,
        signed: bool,
        accept_replay: bool,
    ) -> Option<Namespace> {
        let mut namespace = Namespace::in_cookie(name, self.0.get(keys)?);
        if signed {
            namespace = namespace.signed();
        }
        Some(match accept_replay {
            true => namespace.accept_replay(),
            false => namespace,
        })
    }
}

fn load(
    plan: &KeysPlan,
    environment: &Environment,
    may_generate: bool,
    problems: &mut Problems,
) -> Option<KeyRing> {
    let mut ring: Option<KeyRing> = None;
    let mut is_whole = true;
    for (place, source) in &plan.sources {
        let generate = plan.generate && ring.is_none() && is_whole;
        match key(source, environment, generate, may_generate) {
            Ok(key) => {
                ring = Some(match ring {
                    None => KeyRing::new(key),
                    Some(ring) => ring.with_older(key),
                });
            }
            Err(message) => {
                is_whole = false;
                problems.add(place.origin.clone(), &place.path, message);
            }
        }
    }
    ring.filter(|_| is_whole)
}

fn key(
    source: &KeySource,
    environment: &Environment,
    generate: bool,
    may_generate: bool,
) -> Result<SecretKey, String> {
    let said = |error: KeyError| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    match source {
        KeySource::Inline(text) => SecretKey::from_base64(text).map_err(said),
        KeySource::Variable(name) => match environment.get(name) {
            Ok(Some(text)) if !text.is_empty() => {
                let text = Zeroizing::new(text);
                SecretKey::from_base64(&text).map_err(|error| format!("{name}: {}", said(error)))
            }
            Ok(_) => Err(said(KeyError::NotSet(name.clone()))),
            Err(()) => Err(format!("the variable {name} is no UTF-8")),
        },
        KeySource::File(path) if generate && !path.exists() => match may_generate {
            true => make_folder_of(path)
                .map_err(|error| unreadable(path, &error))
                .and_then(|()| SecretKey::from_file_or_generate(path).map_err(said)),
            false => SecretKey::generate().map_err(|error| error.to_string()),
        },
        KeySource::File(path) => from_file(path),
    }
}

fn from_file(path: &Path) -> Result<SecretKey, String> {
    let name = path.display();
    let unreadable = |error| unreadable(path, &error);
    let file = File::open(path).map_err(unreadable)?;
    if let Some(mode) = others_mode(&file).map_err(unreadable)? {
        return Err(format!(
            "the key file {name} has mode {mode:04o}, so others than its owner and group can get at \
             it: chmod 600 {name}"
        ));
    }
    let mut text = Zeroizing::new(String::new());
    let length = file
        .take(MAX_LENGTH + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_LENGTH) {
        return Err(format!("the key file {name} holds more than a key"));
    }
    SecretKey::from_base64(&text).map_err(|error| format!("the key file {name}: {error}"))
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!(
        "the key file {} can't be read or made: {error}",
        path.display()
    )
}

/// For its owner alone.
fn make_folder_of(path: &Path) -> io::Result<()> {
    let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
