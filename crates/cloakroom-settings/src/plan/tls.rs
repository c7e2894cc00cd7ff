//! TLS to a server: whom to trust, and what to show to it.

use super::{
    Place, StoreKind,
    keys::{KeySource, NoSource},
    needs_feature,
};
use crate::{error::Problems, schema::Section};

/// Where what a store needs for TLS is, and never what it is.
#[derive(Default)]
pub(crate) struct TlsPlan {
    /// Whom to trust instead of those whom the system trusts.
    pub(crate) roots: Option<(Place, KeySource)>,
    /// The client's certificate, and its key.
    pub(crate) identity: Option<[(Place, KeySource); 2]>,
}

impl TlsPlan {
    /// Of a store of this kind. Its URL may hold a password, and stands at `place`.
    pub(super) fn new(
        kind: StoreKind,
        url: &str,
        place: &Place,
        options: &Section,
        problems: &mut Problems,
    ) -> Self {
        let mut speaking = SPEAKING.into_iter();
        let Some((_, is_available, asking)) = speaking.find(|(other, ..)| *other == kind) else {
            return Self::default(); // that there are no such settings is said elsewhere
        };
        let asks = asks(kind, url);
        if asks && !is_available {
            let feature = format!("{}-tls", kind.name());
            problems.add(place.origin.clone(), &place.path, needs_feature(&feature));
        }
        let mut wrong = |name: &str, message: String| {
            let place = Place::of(options, name);
            problems.add(place.origin, &place.path, message);
        };
        for name in SETTINGS.into_iter().filter(|name| options.has(name)) {
            let missing = match name {
                "tls_certificate" => !options.has("tls_key"),
                "tls_key" => !options.has("tls_certificate"),
                _ => false,
            };
            if !asks {
                wrong(name, format!("the url does not ask for TLS: {asking}"));
            } else if missing {
                wrong(name, "a certificate and its key need each other".to_owned());
            }
        }
        let [roots, certificate, key] = SETTINGS.map(|name| source(options, name, problems));
        Self {
            roots,
            identity: certificate.zip(key).map(<[_; 2]>::from),
        }
    }
}

/// Which stores speak TLS, whether they can here, and how a URL asks for it.
const SPEAKING: [(StoreKind, bool, &str); 3] = [
    (
        StoreKind::Postgres,
        cfg!(feature = "postgres-tls"),
        "write sslmode=require into it",
    ),
    (
        StoreKind::Mysql,
        cfg!(feature = "mysql-tls"),
        "write require_ssl=true into it",
    ),
    (
        StoreKind::Redis,
        cfg!(feature = "redis-tls"),
        "write rediss:// instead of redis://",
    ),
];

const SETTINGS: [&str; 3] = ["tls_roots", "tls_certificate", "tls_key"];

fn source(options: &Section, name: &str, problems: &mut Problems) -> Option<(Place, KeySource)> {
    let entry = options.get(name)?;
    let place = Place::of(options, name);
    let source = KeySource::parse(options.text(name)?, &entry.origin)
        .map_err(|why| match why {
            // A certificate is no secret.
            NoSource::Inline if name != "tls_key" => "write where it is: file:PATH or env:NAME",
            why => why.message(),
        })
        .map_err(|message| problems.add(place.origin.clone(), &place.path, message));
    Some((place, source.ok()?))
}

fn asks(kind: StoreKind, url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    let has = |pair| query.split('&').any(|other| other == pair);
    match kind {
        StoreKind::Postgres => has("sslmode=require"),
        StoreKind::Mysql => has("require_ssl=true"),
        StoreKind::Redis => url.starts_with("rediss") || url.starts_with("valkeys"),
        _ => false,
    }
}
