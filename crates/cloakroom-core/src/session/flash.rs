//! Messages for the next page.

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _,
};

use super::handle::SessionHandle;
use crate::{codec::CodecFailure, error::SessionError};

/// The key of the queue without a name; that of another one is this, a dot and its name.
const KEY: &str = "_flash";

/// What kind of message it is. Stored, and shown, as its name in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Level {
    /// Something to know.
    #[default]
    Info,
    /// Something has been done.
    Success,
    /// Something needs attention.
    Warning,
    /// Something has failed.
    Error,
}

impl Level {
    const ALL: [Self; 4] = [Self::Info, Self::Success, Self::Warning, Self::Error];

    /// The name, such as `success`: for a CSS class.
    ///
    /// ```
    /// assert_eq!(cloakroom_core::Level::Success.as_str(), "success");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let level = Self::ALL.into_iter().find(|level| level.as_str() == name);
        level.ok_or_else(|| D::Error::custom("there is no such level"))
    }
}

/// A message, and of what kind it is. Serialized as the list of both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flash<T = String> {
    /// Of what kind it is.
    pub level: Level,
    /// What it says.
    pub message: T,
}

impl<T: Serialize> Serialize for Flash<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.level, &self.message).serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Flash<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (level, message) = Deserialize::deserialize(deserializer)?;
        Ok(Self { level, message })
    }
}

impl SessionHandle {
    /// Leaves a message for the page that is shown next, after a redirect as a rule.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// use cloakroom_core::{Flash, Level};
    ///
    /// session.flash(Level::Success, "Your order is on its way.")?;
    /// # let session = browser.next().await;
    /// // In the request for the next page:
    /// let messages: Vec<Flash> = session.flashes().await?;
    /// assert_eq!(messages[0].level, Level::Success);
    /// assert_eq!(messages[0].message, "Your order is on its way.");
    /// # let session = browser.next().await;
    /// // And in the one after it:
    /// assert!(session.flashes::<String>().await?.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    pub fn flash(&self, level: Level, message: impl Serialize) -> Result<(), SessionError> {
        self.flash_queue("").push(level, message)
    }

    /// Takes the messages, the oldest first, to be shown on this page. See
    /// [`FlashQueue::take`].
    ///
    /// # Errors
    /// As [`FlashQueue::take`].
    pub async fn flashes<T: DeserializeOwned>(&self) -> Result<Vec<Flash<T>>, SessionError> {
        self.flash_queue("").take().await
    }

    /// A queue of messages of its own, such as for one part of a page. The queue without a name is
    /// that of [`flash`](Self::flash). It is kept under the key `_flash`, or `_flash.` and its
    /// name.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, _| {
    /// use cloakroom_core::Level;
    ///
    /// let basket = session.flash_queue("basket");
    /// basket.push(Level::Warning, "There is one left.")?;
    /// assert_eq!(basket.peek::<String>()?.len(), 1);
    /// assert!(session.flash_queue("").peek::<String>()?.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn flash_queue(&self, name: &str) -> FlashQueue<'_> {
        let key = match name {
            "" => KEY.to_owned(),
            name => format!("{KEY}.{name}"),
        };
        FlashQueue { session: self, key }
    }
}

/// Messages for the next page, in the order in which they came.
///
/// A message is of any serde type; all messages of a queue that are taken together are taken as one type.
#[derive(Debug)]
pub struct FlashQueue<'a> {
    session: &'a SessionHandle,
    key: String,
}

impl FlashQueue<'_> {
    /// Adds a message. Messages that other requests add at the same time stay.
    ///
    /// # Errors
    /// As [`SessionHandle::insert`].
    pub fn push(&self, level: Level, message: impl Serialize) -> Result<(), SessionError> {
        let codec = self.session.codec()?;
        let added = self.encode(&[Flash { level, message }])?;
        self.change(move |queue| match queue {
            Some(queue) => codec.join_lists(queue, &added),
            None => Ok(added.clone()),
        })
    }

    /// Adds a message unless it is there already; then it gets this level, and stays where it is.
    ///
    /// # Errors
    /// As [`SessionHandle::update`]; [`SessionError::Decode`] when the queue has a message of
    /// another type.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, _| {
    /// use cloakroom_core::Level;
    ///
    /// let queue = session.flash_queue("");
    /// for level in [Level::Info, Level::Warning] {
    ///     queue.push_once(level, "The shop closes at eight.".to_owned())?;
    /// }
    /// let messages = queue.peek::<String>()?;
    /// assert_eq!(messages.len(), 1);
    /// assert_eq!(messages[0].level, Level::Warning);
    /// # Ok(())
    /// # });
    /// ```
    pub fn push_once<T>(&self, level: Level, message: T) -> Result<(), SessionError>
    where
        T: Serialize + DeserializeOwned + Clone + PartialEq + Send + 'static,
    {
        let change = move |queue: &mut Vec<Flash<T>>| match queue
            .iter_mut()
            .find(|flash| flash.message == message)
        {
            Some(flash) => flash.level = level,
            None => queue.push(Flash {
                level,
                message: message.clone(),
            }),
        };
        self.session.update(&self.key, change)
    }

    /// Takes all messages, to be shown on this page.
    ///
    /// In a namespace with a store they are claimed before they are returned, by a commit of all
    /// that this request has changed so far: of several requests at the same time, one gets them.
    /// An empty queue changes nothing and asks no store. In a client-side namespace they go out of
    /// the cookie with this response; whoever sends an older cookie sees them again.
    ///
    /// # Errors
    /// As [`SessionHandle::save`], and [`SessionError::Decode`] when a message is not of type `T`;
    /// then they stay.
    pub async fn take<T: DeserializeOwned>(&self) -> Result<Vec<Flash<T>>, SessionError> {
        if self.peek::<T>()?.is_empty() {
            return Ok(Vec::new());
        }
        if self.session.has_store() {
            let taken = self.session.claim(&self.key).await?;
            return Ok(taken.unwrap_or_default());
        }
        let taken = self.peek()?;
        self.session.remove_unchecked(&self.key)?;
        Ok(taken)
    }

    /// The messages, which stay for the next page.
    ///
    /// # Errors
    /// As [`SessionHandle::get`].
    pub fn peek<T: DeserializeOwned>(&self) -> Result<Vec<Flash<T>>, SessionError> {
        self.session.get_or_default(&self.key)
    }

    /// Puts messages that were taken back, before those that have come since: where the page could
    /// not show them.
    ///
    /// # Errors
    /// As [`SessionHandle::insert`].
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, _| {
    /// # session.flash(cloakroom_core::Level::Info, "first")?;
    /// let messages = session.flashes::<String>().await?;
    /// // The visitor is sent on to another page, which is to show them.
    /// session.flash_queue("").keep(messages)?;
    /// # assert_eq!(session.flashes::<String>().await?.len(), 1);
    /// # Ok(())
    /// # });
    /// ```
    pub fn keep<T: Serialize>(&self, messages: Vec<Flash<T>>) -> Result<(), SessionError> {
        if messages.is_empty() {
            return Ok(());
        }
        let codec = self.session.codec()?;
        let kept = self.encode(&messages)?;
        self.change(move |queue| match queue {
            Some(queue) => codec.join_lists(&kept, queue),
            None => Ok(kept.clone()),
        })
    }

    /// Changes the queue as it is encoded, so that nobody has to know the type of what is in it.
    fn change(
        &self,
        change: impl Fn(Option<&[u8]>) -> Result<Bytes, CodecFailure> + Send + 'static,
    ) -> Result<(), SessionError> {
        self.session.check_method("flash")?;
        let run = move |queue: Option<&[u8]>| Ok(((), Some(change(queue)?)));
        self.session.journal_update(&self.key, run, None)
    }

    fn encode<T: Serialize>(&self, messages: &[Flash<T>]) -> Result<Bytes, SessionError> {
        let encoded = self.session.codec()?.encode(messages);
        encoded.map_err(|failure| failure.of(&self.key))
    }
}
