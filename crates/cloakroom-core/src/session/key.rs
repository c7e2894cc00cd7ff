use std::{fmt, marker::PhantomData};

/// The name of a value, and its type: for constants that the whole program uses.
///
/// With it a value can't be written as one type and read as another by mistake. Wherever a key is
/// asked for, a name as text does too; then the type is inferred.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// use cloakroom_core::Key;
///
/// const HITS: Key<u32> = Key::new("hits");
///
/// # doc::example(async |session, _| {
/// session.update(HITS, |hits| *hits += 1)?;
/// assert_eq!(session.get(HITS)?, Some(1));
/// assert_eq!(session.get::<u32>("hits")?, Some(1));
/// # Ok(())
/// # });
/// ```
///
/// Another type does not compile:
///
/// ```compile_fail
/// use cloakroom_core::{Key, SessionError, SessionHandle};
///
/// const HITS: Key<u32> = Key::new("hits");
///
/// fn greet(session: &SessionHandle) -> Result<(), SessionError> {
///     session.insert(HITS, "hello")
/// }
/// ```
pub struct Key<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// The key of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            value: PhantomData,
        }
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.name).finish()
    }
}

/// What names a value: text, or a [`Key`].
pub trait KeyName {
    /// The name.
    fn name(&self) -> &str;
}

/// What names a value of the type `T`: text, or a `Key<T>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the key of a value of type `{T}`",
    label = "this key is of a value of another type"
)]
pub trait KeyOf<T>: KeyName {}

impl KeyName for &str {
    fn name(&self) -> &str {
        self
    }
}

impl<T> KeyOf<T> for &str {}

impl KeyName for &String {
    fn name(&self) -> &str {
        self
    }
}

impl<T> KeyOf<T> for &String {}

impl<T> KeyName for Key<T> {
    fn name(&self) -> &str {
        self.name
    }
}

impl<T> KeyOf<T> for Key<T> {}
