use std::{error::Error, fmt, io::Write, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::random::{self, OsRandom, Random, RandomError};

/// A secret key of 32 to 64 bytes. Wiped from memory when dropped, shown by nothing.
///
/// ```
/// use cloakroom_core::SecretKey;
/// let key = SecretKey::generate()?;
/// // Keep it where the configuration is kept:
/// let text = key.to_base64();
/// assert_eq!(SecretKey::from_base64(&text)?.id(), key.id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SecretKey(Zeroizing<Vec<u8>>);

const MIN_LENGTH: usize = 32;
const MAX_LENGTH: usize = 64;

impl SecretKey {
    /// A new key of 32 random bytes.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new(vec![0; MIN_LENGTH]);
        OsRandom.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// From base64, standard or URL-safe, with or without padding; white space around it is
    /// ignored.
    ///
    /// # Errors
    /// When it is no base64, too short or too long, or plainly not random.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let standard: Zeroizing<String> = Zeroizing::new(
            text.trim()
                .trim_end_matches('=')
                .chars()
                .map(|character| match character {
                    '-' => '+',
                    '_' => '/',
                    other => other,
                })
                .collect(),
        );
        let bytes = STANDARD_NO_PAD
            .decode(standard.as_bytes())
            .map_err(|_| KeyError::NotBase64)?;
        Self::from_bytes(&Zeroizing::new(bytes))
    }

    /// From bytes.
    ///
    /// # Errors
    /// When there are fewer than 32 or more than 64, or they are plainly not random: text, a
    /// counter, a repeated pattern.
    ///
    /// ```
    /// use cloakroom_core::{KeyError, SecretKey};
    /// # use cloakroom_core::{OsRandom, Random};
    /// # let mut bytes = [0; 32];
    /// # OsRandom.fill(&mut bytes)?;
    /// assert!(SecretKey::from_bytes(&bytes).is_ok()); // 32 random ones
    /// let error = SecretKey::from_bytes(b"correct horse battery staple and more").unwrap_err();
    /// assert!(matches!(error, KeyError::WellKnown));
    /// # Ok::<(), cloakroom_core::RandomError>(())
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if !(MIN_LENGTH..=MAX_LENGTH).contains(&bytes.len()) {
            return Err(KeyError::WrongLength(bytes.len()));
        }
        if !looks_random(bytes) {
            return Err(KeyError::WellKnown);
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// From an environment variable that holds base64.
    ///
    /// # Errors
    /// When it is not set, and as [`SecretKey::from_base64`].
    ///
    /// ```
    /// use cloakroom_core::{KeyError, SecretKey};
    /// // Where it is not set:
    /// let missing = SecretKey::from_env("SHOP_SESSION_KEY").unwrap_err();
    /// assert!(matches!(missing, KeyError::NotSet(_)));
    /// assert!(missing.to_string().contains("openssl rand -base64 32"));
    /// ```
    pub fn from_env(variable: &str) -> Result<Self, KeyError> {
        let text = std::env::var(variable).map_err(|_| KeyError::NotSet(variable.to_owned()))?;
        Self::from_base64(&Zeroizing::new(text))
    }

    /// From a file that holds base64.
    ///
    /// # Errors
    /// When it can't be read, and as [`SecretKey::from_base64`].
    ///
    /// ```
    /// use cloakroom_core::SecretKey;
    /// # let name = format!("cloakroom-from-file-{}", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// let key = SecretKey::generate()?;
    /// std::fs::write(&path, &*key.to_base64())?;
    /// assert_eq!(SecretKey::from_file(&path)?.id(), key.id());
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let text = std::fs::read_to_string(path.as_ref())
            .map_err(|error| KeyError::Unreadable(path.as_ref().display().to_string(), error))?;
        Self::from_base64(&Zeroizing::new(text))
    }

    /// From a file, as [`from_file`](Self::from_file). When there is none, a new key is put there
    /// first, whole or not at all, readable by its owner alone; of several processes that start at
    /// the same time all get the same key.
    ///
    /// # Errors
    /// When the file can't be read or made, and as [`SecretKey::from_base64`].
    ///
    /// ```no_run
    /// use cloakroom_core::SecretKey;
    /// let key = SecretKey::from_file_or_generate("data/session.key")?;
    /// assert_eq!(SecretKey::from_file("data/session.key")?.id(), key.id());
    /// # Ok::<(), cloakroom_core::KeyError>(())
    /// ```
    pub fn from_file_or_generate(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let fail = |error| KeyError::Unreadable(path.display().to_string(), error);
        if !path.try_exists().map_err(fail)? {
            let key = Self::generate().map_err(KeyError::Random)?;
            publish(path, key.to_base64().as_bytes()).map_err(fail)?;
        }
        Self::from_file(path)
    }

    /// The key as base64, to be kept. This is the secret itself.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(&*self.0))
    }

    /// 4 bytes that name the key in what it seals, and tell nothing of it.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut id = [0; 4];
        self.expand(&[b"cloakroom key id 1"], &mut id);
        KeyId(id)
    }

    pub(crate) fn subkey(&self, context: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut subkey = Zeroizing::new([0; 32]);
        self.expand(context, &mut *subkey);
        subkey
    }

    fn expand(&self, context: &[&[u8]], target: &mut [u8]) {
        let hkdf = Hkdf::<Sha256>::new(None, &self.0);
        // Fails only for more than 8,160 bytes.
        let _ = hkdf.expand_multi_info(context, target);
    }
}

/// Writes a file under its name, unless there is one of the name already.
fn publish(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let [a, b] = random::bytes(&OsRandom).map_err(std::io::Error::other)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.{a:02x}{b:02x}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    // A link takes no other file's place, unlike a rename.
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path));
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

const STANDARD_NO_PAD: base64::engine::GeneralPurpose =
    base64::engine::general_purpose::STANDARD_NO_PAD;

/// Random keys of 32 bytes have about 30 different ones; 16 is out of their reach. Text and
/// counters give themselves away, whatever their length.
fn looks_random(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        if let Some(entry) = seen.get_mut(usize::from(*byte)) {
            *entry = true;
        }
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let is_text = bytes
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    let steps = bytes.windows(2).filter_map(|pair| match pair {
        [a, b] => Some(b.wrapping_sub(*a)),
        _ => None,
    });
    let first_step = steps.clone().next();
    let is_counter = steps.clone().all(|step| Some(step) == first_step);
    distinct >= 16 && !is_text && !is_counter
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id())
    }
}

/// The public name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// The current key and the older ones that are still accepted.
///
/// The first key seals, all open. To change the key: add the new one as an older key everywhere,
/// make it the current one everywhere, and drop the old one when all that it sealed has expired.
///
/// ```
/// use cloakroom_core::{KeyRing, SecretKey};
/// let (current, older) = (SecretKey::generate()?, SecretKey::generate()?);
/// let keys = KeyRing::new(current.clone()).with_older(older.clone());
/// assert!(keys.ids().eq([current.id(), older.id()]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct KeyRing(Vec<SecretKey>);

impl KeyRing {
    /// A ring of one key.
    #[must_use]
    pub fn new(current: SecretKey) -> Self {
        Self(vec![current])
    }

    /// Accepts an older key too.
    #[must_use]
    pub fn with_older(mut self, key: SecretKey) -> Self {
        self.0.push(key);
        self
    }

    /// From an environment variable with one or more keys in base64, separated by white space or
    /// commas, the current one first.
    ///
    /// # Errors
    /// When it is not set or empty, or a key is no good.
    ///
    /// ```
    /// use cloakroom_core::KeyRing;
    /// // Where SHOP_SESSION_KEYS="NEW,OLD" is missing:
    /// let missing = KeyRing::from_env("SHOP_SESSION_KEYS").unwrap_err();
    /// assert!(missing.to_string().starts_with("SHOP_SESSION_KEYS is not set"));
    /// ```
    pub fn from_env(variable: &str) -> Result<Self, KeyError> {
        let text = std::env::var(variable).map_err(|_| KeyError::NotSet(variable.to_owned()))?;
        let text = Zeroizing::new(text);
        let words = text.split(|c: char| c.is_whitespace() || c == ',');
        let keys: Result<Vec<_>, _> = words
            .filter(|word| !word.is_empty())
            .map(SecretKey::from_base64)
            .collect();
        match keys? {
            keys if keys.is_empty() => Err(KeyError::NotSet(variable.to_owned())),
            keys => Ok(Self(keys)),
        }
    }

    /// The ids of the keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(SecretKey::id)
    }

    pub(crate) fn keys(&self) -> &[SecretKey] {
        &self.0
    }
}

/// A key is missing or no good.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The environment variable is not set, or empty.
    NotSet(String),
    /// The file can't be read.
    Unreadable(String, std::io::Error),
    /// The text is no base64.
    NotBase64,
    /// There are fewer than 32 or more than 64 bytes.
    WrongLength(usize),
    /// The bytes are not random: a phrase, a counter, a pattern.
    WellKnown,
    /// There were no random bytes to make a key of.
    Random(RandomError),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet(variable) => write!(
                f,
                "{variable} is not set: put a key there, for example from `openssl rand -base64 32`"
            ),
            Self::Unreadable(path, _) => write!(f, "the key file {path} can't be read or made"),
            Self::NotBase64 => f.write_str("the key is no base64"),
            Self::Random(error) => fmt::Display::fmt(error, f),
            Self::WrongLength(length) => write!(
                f,
                "a key has {MIN_LENGTH} to {MAX_LENGTH} bytes, this one has {length}: make one \
                 with `openssl rand -base64 32`"
            ),
            Self::WellKnown => {
                f.write_str("the key is not random: make one with `openssl rand -base64 32`")
            }
        }
    }
}

impl Error for KeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_and_well_known_keys_are_refused() {
        let counter: Vec<u8> = (0..32).collect();
        for bytes in [
            &[0; 32][..],
            &[0xab; 64],
            &counter,
            b"please-change-me-it-is-important-please",
            b"0123456789abcdef0123456789abcdef",
            &[1, 2, 3, 4, 5, 6, 7, 8].repeat(4),
        ] {
            assert!(matches!(
                SecretKey::from_bytes(bytes),
                Err(KeyError::WellKnown)
            ));
        }
        for length in [0, 16, 31, 65] {
            let error = SecretKey::from_bytes(&vec![7; length]).unwrap_err();
            assert!(matches!(error, KeyError::WrongLength(l) if l == length));
        }
        assert!(matches!(
            SecretKey::from_base64("!!"),
            Err(KeyError::NotBase64)
        ));
    }

    #[test]
    fn generated_keys_pass_in_every_spelling() {
        for _ in 0..1000 {
            let key = SecretKey::generate().unwrap();
            let text = key.to_base64();
            for spelling in [
                text.to_string(),
                text.trim_end_matches('=').to_owned(),
                text.replace('+', "-").replace('/', "_"),
                format!(" {}\n", *text),
            ] {
                assert_eq!(SecretKey::from_base64(&spelling).unwrap().id(), key.id());
            }
        }
    }

    #[test]
    fn debug_shows_the_id_alone() {
        let key = SecretKey::generate().unwrap();
        let ring = KeyRing::new(key.clone());
        assert_eq!(
            format!("{ring:?}"),
            format!("KeyRing([SecretKey({})])", key.id())
        );
    }

    #[test]
    fn subkeys_differ_by_context() {
        let key = SecretKey::generate().unwrap();
        assert_ne!(key.subkey(&[b"a", b"b"]), key.subkey(&[b"a", b"c"]));
        assert_eq!(key.subkey(&[b"a"]), key.clone().subkey(&[b"a"]));
    }

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_alone() {
        let folder = std::env::temp_dir().join(format!("cloakroom-key-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("session.key");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || SecretKey::from_file_or_generate(path).unwrap().id())
            })
            .collect();
        let ids: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn environment_and_files_report_what_is_wrong() {
        let error = SecretKey::from_env("CLOAKROOM_TEST_UNSET").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("CLOAKROOM_TEST_UNSET is not set")
        );
        let error = SecretKey::from_file("/nonexistent/key").unwrap_err();
        assert!(error.to_string().contains("/nonexistent/key"));
        assert!(error.source().is_some());
    }
}
