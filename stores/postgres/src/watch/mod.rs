//! Telling what changes, by `LISTEN` and `NOTIFY`.

mod line;
mod told;

use std::{fmt, sync::Arc, time::Duration};

use cloakroom_store::{Change, Feed, Operation, StoreError, StoreErrorKind, Watch};
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, sleep_until, timeout, timeout_at},
};

pub(crate) use self::told::Told;
use self::{
    line::{Line, TRIAL},
    told::silent,
};
use crate::{PostgresStore, error::Failure};

/// How often the server is asked.
const PACE: Duration = Duration::from_millis(100);

/// Tells which sessions change, from [`PostgresStore::watch`](Watch::watch).
///
/// Triggers on the table, which [`tell_changes`](crate::PostgresStoreBuilder::tell_changes) makes,
/// notify who listens of each row that is created, changed or removed, in the transaction that does
/// it: whoever writes it, a statement typed into `psql` included. A feed is told as soon as that
/// transaction has committed, usually within a millisecond. Every 100 ms it asks, on the same
/// connection, whether the server is there and the triggers are. **A change is told as soon as it
/// gets here, and a link that is down without a sign of it is an error after 450 ms**, counted from
/// the last question that was answered; so what a cache serves that follows a feed is at most
/// 500 ms old. A connection that breaks is an error at once. After an error
/// [`watch`](Watch::watch) makes another feed.
///
/// # Costs
/// - **Every transaction that notifies takes a lock of the whole server when it commits**, and holds
///   it while the disk is synced: such commits go one after another, those of other tables and
///   databases that notify included, and share no sync of the disk. Writes that wait in a store are
///   one transaction, which is what keeps this bearable; the more processes write, the less it
///   does. How much is lost on a server tells
///   `cargo test -p cloakroom-postgres --release --test telling_speed -- --ignored --nocapture`.
///   Where it is too much, leave the setting off and give copies a short maximum age.
/// - A trigger's function runs for each statement that writes, for all of its rows together. A
///   statement of one row notifies 32 bytes and twice the length of the namespace's name; one of
///   many rows, of 80 at a time. Rows that are swept are told too.
/// - The server wakes each connection that listens anywhere in the database. It keeps what one has
///   not read yet, up to 8 GB for all; when that is full no transaction that notifies can commit. A
///   feed reads always, and keeps at most 1024 keys; if there are more, [`Change::All`] takes their
///   place.
/// - A task and one connection, on which the server answers ten small queries in a second.
///
/// # What it needs
/// - A store with a URL, not a pool of the application's: a pool keeps notifications to itself.
/// - A connection that is a session: PgBouncer in transaction mode answers `LISTEN` and tells
///   nothing. It is tried out when a feed begins; if nothing gets through, `watch` is `Unsupported`.
/// - PostgreSQL itself: CockroachDB and YugabyteDB have no notifications, Citus no such triggers on a
///   distributed table. `watch` is `Unsupported` there.
///
/// # Limits
/// What is changed with triggers switched off is not told: `session_replication_role = replica`,
/// logical replication into the table, or `ALTER TABLE .. DISABLE TRIGGER` until the next question
/// (then the feed is `Unsupported`). Each user of the database may notify on any channel: what is
/// said there that no trigger says is taken for [`Change::All`].
///
/// # Examples
/// ```no_run
/// use cloakroom_postgres::PostgresStore;
/// use cloakroom_store::{Change, Feed, Watch};
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = PostgresStore::builder("postgres://app:secret@localhost/shop");
/// let store = builder.tell_changes(true).connect().await?;
/// let mut feed = store.watch().await?;
/// loop {
///     match feed.next().await? {
///         Change::Key(key) => println!("{key} has changed"),
///         Change::Nothing => {}
///         _ => println!("anything may have changed"),
///     }
/// }
/// # }
/// ```
pub struct PostgresFeed {
    told: Arc<Told>,
    keeper: AbortHandle,
}

impl Feed for PostgresFeed {
    const SILENCE: Duration = Duration::from_millis(500);

    async fn next(&mut self) -> Result<Change, StoreError> {
        let next = self.told.next().await;
        next.map_err(|failure| failure.during(Operation::Load))
    }
}

impl Drop for PostgresFeed {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl fmt::Debug for PostgresFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresFeed").finish_non_exhaustive()
    }
}

impl Watch for PostgresStore {
    type Feed = PostgresFeed;

    /// Begins to listen; what that means and costs is said at [`PostgresFeed`]. It takes no longer
    /// than twice the [connect timeout](crate::PostgresStoreBuilder::connect_timeout) and 1 second.
    ///
    /// # Errors
    /// `Unsupported` when the table does not tell its changes
    /// ([`tell_changes`](crate::PostgresStoreBuilder::tell_changes)), the engine can't, what is
    /// notified does not get through, or the store has the application's pool. Else as a call.
    async fn watch(&self) -> Result<PostgresFeed, StoreError> {
        let during = |failure: Failure| failure.during(Operation::Load);
        let runtime = Handle::try_current()
            .map_err(|error| during(Failure::new(StoreErrorKind::Other, error)))?;
        let shop = self.shared().shop();
        let patience = shop.connect_timeout;
        let told = Arc::new(Told::new());
        let listening = async {
            let table = &self.shared().settings.table;
            let line = Line::open(&shop.source, table, patience, &told).await?;
            line.try_out(self.shared().reader()?.lane(), &told).await?;
            let asked = Instant::now();
            line.check().await?;
            told.answered(asked);
            Ok(line)
        };
        let limit = (patience * 2).saturating_add(TRIAL * 5);
        let line = match timeout(limit, listening).await {
            Ok(line) => line.map_err(during)?,
            Err(_) => return Err(during(Failure::timed_out())),
        };
        let keeper = runtime.spawn(keep(line, Ending(Arc::clone(&told))));
        Ok(PostgresFeed {
            told,
            keeper: keeper.abort_handle(),
        })
    }
}

/// Asks the server until it does not answer as it should.
async fn keep(line: Line, ending: Ending) {
    let Ending(told) = &ending;
    loop {
        let asked = Instant::now();
        match timeout_at(told.deadline(), line.check()).await {
            Ok(Ok(())) => told.answered(asked),
            Ok(Err(failure)) => return told.end(failure),
            Err(_) => return told.end(silent()),
        }
        sleep_until(asked + PACE).await;
    }
}

/// Says that nobody asks any more, also when the runtime is gone.
struct Ending(Arc<Told>);

impl Drop for Ending {
    fn drop(&mut self) {
        let what = "the runtime that was listening has ended";
        let failure = Failure::said(StoreErrorKind::Unavailable, what);
        self.0.end(failure);
    }
}
