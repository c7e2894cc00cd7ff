//! What stores need for TLS, loaded: certificates and keys in PEM.

use std::{fs::File, io::Read, path::Path};

use zeroize::Zeroizing;

use crate::{
    error::Problems,
    file_mode::others_mode,
    plan::{Place, keys::KeySource, tls::TlsPlan},
    source::Environment,
};

/// All certificates that a system trusts take a quarter of it.
const MAX_LENGTH: u64 = 1 << 20;

pub(crate) type Pem = Zeroizing<Vec<u8>>;

/// Of one store.
#[derive(Default)]
pub(crate) struct Tls {
    #[cfg_attr(
        not(any(feature = "postgres-tls", feature = "mysql-tls", feature = "redis-tls")),
        expect(dead_code, reason = "nothing speaks TLS")
    )]
    pub(crate) roots: Option<Pem>,
    /// A certificate, and its key.
    #[cfg_attr(
        not(feature = "redis-tls"),
        expect(dead_code, reason = "nobody wants to see it")
    )]
    pub(crate) identity: Option<[Pem; 2]>,
}

impl Tls {
    pub(crate) fn load(plan: &TlsPlan, environment: &Environment, problems: &mut Problems) -> Self {
        let mut load = |(place, source): &(Place, KeySource), is_secret| {
            pem(source, environment, is_secret)
                .map_err(|message| problems.add(place.origin.clone(), &place.path, message))
                .ok()
        };
        let roots = plan.roots.as_ref().and_then(|roots| load(roots, false));
        let identity = plan.identity.as_ref().and_then(|[certificate, key]| {
            let (certificate, key) = (load(certificate, false), load(key, true));
            Some([certificate?, key?])
        });
        Self { roots, identity }
    }
}

/// The error never repeats what is read: it may be a key.
fn pem(source: &KeySource, environment: &Environment, is_secret: bool) -> Result<Pem, String> {
    let (bytes, name) = match source {
        KeySource::Inline(text) => (text.clone().into_bytes(), "this".to_owned()),
        KeySource::Variable(name) => match environment.get(name) {
            Ok(Some(text)) => (text.into_bytes(), format!("the variable {name}")),
            Ok(None) => return Err(format!("the variable {name} is not set")),
            Err(()) => return Err(format!("the variable {name} is no UTF-8")),
        },
        KeySource::File(path) => (
            read(path, is_secret)?,
            format!("the file {}", path.display()),
        ),
    };
    let bytes = Zeroizing::new(bytes);
    match bytes.windows(BEGIN.len()).any(|window| window == BEGIN) {
        true => Ok(bytes),
        false => Err(format!("{name} holds no PEM, which begins with -----BEGIN")),
    }
}

const BEGIN: &[u8] = b"-----BEGIN ";

fn read(path: &Path, is_secret: bool) -> Result<Vec<u8>, String> {
    let name = path.display();
    let unreadable = |error| format!("the file {name} can't be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    if let Some(mode) = others_mode(&file)
        .map_err(unreadable)?
        .filter(|_| is_secret)
    {
        return Err(format!(
            "the key file {name} has mode {mode:04o}, so others than its owner and group can get at \
             it: chmod 600 {name}"
        ));
    }
    let mut bytes = Vec::new();
    let mut limited = file.take(MAX_LENGTH + 1);
    limited.read_to_end(&mut bytes).map_err(unreadable)?;
    match limited.limit() {
        0 => Err(format!("the file {name} has more than 1 MiB")),
        _ => Ok(bytes),
    }
}
