//! The sessions of a subject, listed and ended from outside of them.

mod calls;
mod together;

use std::fmt;

use cloakroom_store::{
    Cursor, Key, Operation, SessionId, StoreError, StoreErrorKind, Subject, Summary, Timestamp,
};
use tokio::time::Instant;

use self::together::try_together;
use crate::{call::Budget, error::SessionError, manager::SessionManager, trace::Trace};

/// The longest page.
const MOST: usize = 100;

/// How many sessions of a page are looked at at the same time.
const AT_ONCE: usize = 16;

/// How many sessions are ended at the same time.
const BATCH: usize = 32;

/// Ending all sessions of a subject may take this many times as long as a commit.
const PATIENCE: u32 = 20;

/// The sessions of a namespace, by whom they belong to: for a page of devices, a new password, or
/// an account that is closed. [`SessionManager::subjects`] and
/// [`SessionHandle::subjects`](crate::SessionHandle::subjects) give it. Cheap to clone.
///
/// It works on sessions from outside, without their tokens. A request whose own session is ended
/// so keeps its cookie; to end that one, use [`SessionHandle::end`](crate::SessionHandle::end).
///
/// # What runs at the same time
/// Whose a session is never changes: a login as somebody else ends the session and begins another
/// one, with an id of its own. So what is ended here is never the session of somebody else, and a
/// rotation or a change on the way does not save it. Once an end has succeeded, no slow request
/// brings the session back; what it stores is void. A login that is under way may make a new
/// session, since the visitor has just proved who it is.
///
/// Cancel safety: dropping a future ends no more sessions; those that were ended stay ended.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
/// use cloakroom_core::store::Subject;
/// # let account = Namespace::new("account", MemoryStore::new());
/// # let manager = SessionManager::builder().namespace(account).build()?;
/// # doc::block_on(async {
/// # let mut phone = doc::Browser::of(&manager);
/// # phone.again().await.login("user-17")?;
/// # phone.end().await;
/// // The support has a call: a phone was stolen.
/// let subject = Subject::new("user-17")?;
/// assert_eq!(manager.subjects("account")?.end_all(&subject).await?, 1);
/// # assert!(phone.again().await.is_new());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Subjects {
    manager: SessionManager,
    index: usize,
    trace: Trace,
}

impl SessionManager {
    /// The sessions of a namespace, by whom they belong to. Asks no store.
    ///
    /// # Errors
    /// [`SessionError::UnknownNamespace`], and [`SessionError::Unsupported`] when the sessions of
    /// the namespace are in their cookies: nobody knows how many there are.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let sessions = SessionManager::builder()
    ///     .namespace(Namespace::new("account", MemoryStore::new()))
    ///     .build()?;
    /// assert!(sessions.subjects("account").is_ok());
    /// assert!(sessions.subjects("admin").is_err()); // there is no such namespace
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn subjects(&self, namespace: &str) -> Result<Subjects, SessionError> {
        match self.index_of(namespace) {
            Some(index) => Subjects::new(self.clone(), index, Trace::default()),
            None => Err(SessionError::UnknownNamespace {
                name: namespace.to_owned(),
                known: self.namespaces().map(|n| n.name().to_owned()).collect(),
            }),
        }
    }
}

impl Subjects {
    /// What is traced is told of those calls too.
    pub(crate) fn new(
        manager: SessionManager,
        index: usize,
        trace: Trace,
    ) -> Result<Self, SessionError> {
        let subjects = Self {
            manager,
            index,
            trace,
        };
        subjects.parts()?;
        Ok(subjects)
    }

    /// The sessions of a subject that have not expired, up to `limit` and at most 100 a page, in
    /// no particular order. `after` is the page before; `None` begins.
    ///
    /// A session that lives while all pages are read is on one of them, and none is on two. A page
    /// may be empty although others follow. It costs one store call a page, and one more for each
    /// session that the namespace's limits would have ended since its creation and its last use:
    /// it may have a lifetime of its own. Up to 16 of these are under way at the same time.
    ///
    /// # Errors
    /// [`SessionError::Unsupported`] when the store of the namespace can't list by subject.
    /// [`SessionError::Store`] when it fails, or does not answer within the deadline for opening;
    /// and for a cursor that is none of its own, so hand those of a client on with care.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// session.login("user-17")?;
    /// # let mut elsewhere = browser.clone();
    /// # elsewhere.again().await.login("user-17")?;
    /// # elsewhere.end().await;
    /// # let session = browser.next().await;
    /// // A later request shows where its visitor is logged in.
    /// let subject = session.subject().ok_or("nobody is logged in")?;
    /// let page = session.subjects()?.sessions_of(&subject, None, 20).await?;
    /// assert_eq!(page.sessions.len(), 2);
    /// let here = page.sessions.iter().find(|other| Some(other.id) == session.id());
    /// assert_eq!(here.unwrap().created, session.created());
    /// assert!(page.next.is_none());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn sessions_of(
        &self,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<SessionPage, SessionError> {
        let deadlines = self.manager.state().deadlines;
        let mut budget = Budget::new(deadlines.open, deadlines.call);
        let limit = limit.clamp(1, MOST);
        let page = self
            .page("sessions_of", subject, after.cloned(), limit, &mut budget)
            .await?;
        let now = self.manager.state().now();
        let budget = budget.begun();
        let looked_at = page.sessions.iter().map(async |summary| {
            let is_alive = self.is_alive(summary, now, budget).await?;
            Ok::<_, SessionError>(is_alive.then(|| SessionSummary::of(summary)))
        });
        let sessions = try_together(looked_at, AT_ONCE).await?;
        Ok(SessionPage {
            sessions: sessions.into_iter().flatten().collect(),
            next: page.next,
        })
    }

    /// Ends one session of a subject, and says whether there was one to end. Ids are public, so
    /// the subject is asked for too: the id of somebody else's session ends nothing.
    ///
    /// # Errors
    /// [`SessionError::Store`] when the store fails, or does not answer within the deadline for
    /// committing: it is not known then whether the session was ended. Say it again.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// # use cloakroom_core::store::Subject;
    /// session.login("user-17")?;
    /// # let session = browser.next().await;
    /// # let (id, subject) = (session.id().unwrap(), session.subject().unwrap());
    /// # let subjects = session.subjects()?;
    /// let somebody_else = Subject::new("user-18")?;
    /// assert!(!subjects.end(&somebody_else, id).await?);
    /// assert!(subjects.end(&subject, id).await?);
    /// assert!(!subjects.end(&subject, id).await?); // it is gone
    /// # assert!(browser.again().await.is_new());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn end(&self, subject: &Subject, id: SessionId) -> Result<bool, SessionError> {
        let key = Key::new(self.parts()?.0.id, id);
        let mut budget = self.commit_budget();
        let loaded = self.latest(key, &mut budget).await?;
        // Whose it is never changes, so what is deleted is what was loaded. An expired one is
        // deleted too: a slow request that still has it open could prolong its life.
        match loaded.and_then(|loaded| loaded.record.subject) {
            Some(other) if other == *subject => self.delete(key, budget).await,
            _ => Ok(false),
        }
    }

    /// Ends all sessions of a subject, and says how many there were.
    ///
    /// Every session whose login was answered before this began is ended when it succeeds; one
    /// that logs in meanwhile may be or not be.
    ///
    /// # Errors
    /// As [`end`](Self::end), and [`SessionError::Unsupported`] when the store of the namespace
    /// can't list by subject. It goes on with the others when one can't be ended, and gives up
    /// when none can, or after 20 times the deadline for committing. Those that were ended stay
    /// ended, so say it again.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// # let mut elsewhere = browser.clone();
    /// # elsewhere.again().await.login("user-17")?;
    /// # elsewhere.end().await;
    /// session.login("user-17")?;
    /// # let session = browser.next().await;
    /// # let (subject, subjects) = (session.subject().unwrap(), session.subjects()?);
    /// // The account is closed.
    /// assert_eq!(subjects.end_all(&subject).await?, 2); // a phone and a laptop
    /// assert_eq!(subjects.end_all(&subject).await?, 0);
    /// # assert!(browser.again().await.is_new());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn end_all(&self, subject: &Subject) -> Result<usize, SessionError> {
        self.end_but("end_all", subject, None).await
    }

    /// Ends all sessions of a subject but one, and says how many there were. For the session of
    /// the request itself, [`SessionHandle::end_others`](crate::SessionHandle::end_others) is
    /// shorter.
    ///
    /// # Errors
    /// As [`end_all`](Self::end_all), whose promise it makes for all others.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # doc::example(async |session, mut browser| {
    /// # let mut elsewhere = browser.clone();
    /// # elsewhere.again().await.login("user-17")?;
    /// # elsewhere.end().await;
    /// session.login("user-17")?;
    /// # let session = browser.next().await;
    /// # let (keep, subject) = (session.id().unwrap(), session.subject().unwrap());
    /// assert_eq!(session.subjects()?.end_others(&subject, keep).await?, 1);
    /// # assert!(elsewhere.again().await.is_new());
    /// # assert!(!browser.again().await.is_new());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn end_others(
        &self,
        subject: &Subject,
        keep: SessionId,
    ) -> Result<usize, SessionError> {
        self.end_but("end_others", subject, Some(keep)).await
    }

    async fn end_but(
        &self,
        operation: &'static str,
        subject: &Subject,
        keep: Option<SessionId>,
    ) -> Result<usize, SessionError> {
        let deadlines = self.manager.state().deadlines;
        let began = Instant::now();
        let patience = deadlines.commit.saturating_mul(PATIENCE);
        let (mut after, mut ended, mut failure) = (None, 0, None);
        loop {
            let mut budget = Budget::new(deadlines.call, deadlines.call);
            let page = self
                .page(operation, subject, after, BATCH, &mut budget)
                .await?;
            let keys = page.sessions.iter().map(|session| session.key);
            let (count, failed) = self
                .delete_all(keys.filter(|key| Some(key.id) != keep))
                .await;
            ended += count;
            if count == 0
                && let Some(error) = failed
            {
                return Err(error);
            }
            failure = failure.or(failed);
            after = page.next;
            if after.is_none() {
                return failure.map_or(Ok(ended), Err);
            }
            if began.elapsed() >= patience {
                let error = StoreError::new(StoreErrorKind::TimedOut, Operation::BySubject);
                return Err(failure.unwrap_or_else(|| self.failed(None, error)));
            }
            // Others have a turn between two pages.
            tokio::task::yield_now().await;
        }
    }
}

impl fmt::Debug for Subjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subjects")
            .field("namespace", &self.name())
            .finish_non_exhaustive()
    }
}

/// One page of the sessions of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPage {
    /// The sessions on this page.
    pub sessions: Vec<SessionSummary>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<Cursor>,
}

/// What a list of sessions shows of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionSummary {
    /// The public id. It opens nothing.
    pub id: SessionId,
    /// When the session began.
    pub created: Timestamp,
    /// When it was last used, to within the touch threshold.
    pub last_seen: Timestamp,
    /// When it ends by its limits, unless it is used.
    pub expires: Timestamp,
}

impl SessionSummary {
    const fn of(summary: &Summary) -> Self {
        Self {
            id: summary.key.id,
            created: summary.created,
            last_seen: summary.last_seen,
            expires: summary.expires,
        }
    }
}
