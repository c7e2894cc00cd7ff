//! Telling what changes, by what servers offer for caches at their clients.

mod line;
mod roster;
mod told;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use cloakroom_store::{Change, Feed, Operation, StoreError, StoreErrorKind, Watch};
use futures_util::future::select_ok;
use redis::{ErrorKind, RedisError, ServerError};
use tokio::{
    runtime::Handle,
    task::AbortHandle,
    time::{Instant, sleep_until, timeout, timeout_at},
};

use self::{
    line::{Ear, Lines, roster_question},
    roster::Roster,
    told::{LIMIT, Told},
};
use crate::{
    RedisStore,
    address::Address,
    attempt::Target,
    call::Call,
    cluster::Cluster,
    dial::Settings,
    error::{Fault, refused},
    link::Link,
    servers::Servers,
};

/// How often the servers are asked.
const PACE: Duration = Duration::from_millis(250);

/// Tells which sessions change, from [`RedisStore::watch`](Watch::watch).
///
/// The server tells it of each record when it is written (`CLIENT TRACKING` in broadcast mode, on a
/// connection of its own that speaks RESP3), whoever writes it: usually within a millisecond. Every
/// 250 ms the feed asks whether the server is there and still the primary. **While the link is up
/// a change is told as soon as it gets here; a link that is down without a sign of it is an error
/// after 900 ms**, counted from the last question that was answered. A connection that breaks is an
/// error at once.
///
/// After an error [`watch`](Watch::watch) makes another feed, which leads to the primary of then.
/// It is an error too, within those 250 ms, that the server has become a replica, or that a cluster
/// has other primaries than before: a new one, also one without slots yet, or a fail-over. Until the
/// cluster's nodes agree on who they are there is no feed. A move of slots between nodes that are
/// primaries already is no error.
///
/// # Costs
/// - Each write of any session under the prefix is told to every feed: about 32 bytes and the name
///   of its key, 84 in all with the prefix `cloakroom` and a namespace of 7 letters. Several writes
///   of a session in one turn of the server are told once, and expired sessions may be told.
/// - Telling it takes about a microsecond of the server's time for each feed. The server keeps no
///   memory for each key, but what a feed has not read yet; `client-output-buffer-limit normal`
///   bounds that, and a feed that is cut off by it says so with an error.
/// - Here at most 1024 keys wait to be told; if there are more, [`Change::All`] takes their place.
/// - A task, and one connection to the server, or to each primary of a cluster. Four times a second
///   each of these answers a `ROLE`, in a cluster `CLUSTER NODES`: some 150 bytes for each node.
///
/// # What it needs
/// Of the user `+client|tracking` and `+role`, in a cluster `+client|tracking` and `+cluster|nodes`;
/// of the server RESP3, which what stands between may not speak. Otherwise `watch` is `Unsupported`.
///
/// # Limits
/// All databases of a server are listened to: the same key in another one is told, and `FLUSHDB` of
/// another is [`Change::All`]. `SWAPDB` is not told by the server. Who is cut off from the others
/// together with an old primary goes on listening to that one, and reading from it.
///
/// # Examples
/// ```no_run
/// use cloakroom_redis::RedisStore;
/// use cloakroom_store::{Change, Feed, Watch};
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = RedisStore::connect("redis://localhost").await?;
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
pub struct RedisFeed {
    told: Arc<Told>,
    keeper: AbortHandle,
}

impl Feed for RedisFeed {
    const SILENCE: Duration = Duration::from_secs(1);

    async fn next(&mut self) -> Result<Change, StoreError> {
        let next = self.told.next().await;
        next.map_err(|fault| fault.during(Operation::Load))
    }
}

impl Drop for RedisFeed {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl fmt::Debug for RedisFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisFeed").finish_non_exhaustive()
    }
}

impl Watch for RedisStore {
    type Feed = RedisFeed;

    /// Begins to listen; what that means and costs is said at [`RedisFeed`]. It takes no longer than
    /// the timeouts for [connecting](crate::RedisStoreBuilder::connect_timeout) and for
    /// [a call](crate::RedisStoreBuilder::timeout) together.
    ///
    /// # Errors
    /// `Unsupported` when the user may not listen, or the server has no RESP3. Else as a call; and
    /// while the nodes of a cluster don't agree on who its primaries are.
    async fn watch(&self) -> Result<RedisFeed, StoreError> {
        let inner = self.inner();
        let during = |fault: Fault| fault.during(Operation::Load);
        let runtime = Handle::try_current().map_err(|_| during(Fault::NoRuntime))?;
        let settings = inner.servers.settings();
        let patience = settings.connect_timeout.saturating_add(settings.timeout);
        let ear = Ear {
            told: Arc::new(Told::new()),
            names: inner.names.clone(),
        };
        let told = Arc::clone(&ear.told);
        let listening = async {
            let lines = listen(&inner.servers, settings, ear).await?;
            let asked = Instant::now();
            lines.check().await.map_err(during)?;
            told.answered(asked);
            Ok(lines)
        };
        let lines = match timeout(patience, listening).await {
            Ok(lines) => lines.map_err(judge)?,
            Err(_) => return Err(during(Fault::Silent("the server".to_owned(), patience))),
        };
        let keeper = runtime.spawn(keep(lines, Ending(Arc::clone(&told))));
        Ok(RedisFeed {
            told,
            keeper: keeper.abort_handle(),
        })
    }
}

async fn listen(servers: &Servers, settings: &Settings, ear: Ear) -> Result<Lines, StoreError> {
    let lines = match servers {
        Servers::One(link) => match find(link, settings).await {
            Ok(address) => Lines::one(address, settings, ear).await,
            Err(fault) => Err(fault),
        },
        Servers::Cluster(cluster) => {
            let roster = ask_any(cluster, settings).await?;
            Lines::cluster(roster.primaries, settings, &ear).await
        }
    };
    lines.map_err(|fault| fault.during(Operation::Load))
}

/// Where the one server is now.
async fn find(link: &Link, settings: &Settings) -> Result<Address, Fault> {
    match &**link.target() {
        Target::Address(address) => Ok(address.clone()),
        Target::Sentinels(sentinels) => {
            let found = sentinels.find(settings).await;
            let found = found.map_err(|error| Fault::Connect(link.target().to_string(), error));
            found.map(|(_, address)| address)
        }
    }
}

/// Who the primaries are, by the node that answers first.
async fn ask_any(cluster: &Cluster, settings: &Settings) -> Result<Roster, StoreError> {
    let call = Call::new(Operation::Load, settings.timeout);
    let nodes = cluster.nodes(&call).await?;
    let asked = nodes.into_iter().map(|node| {
        Box::pin(async move {
            let answer = node.link.exchange(&call, &roster_question(), false).await;
            let answer = answer.reply?;
            let answer = answer.map_err(|refusal| refused(refusal, call.operation))?;
            let other = || Fault::OtherPrimaries(node.address.to_string());
            let roster = Roster::read(answer, &node.address);
            roster.ok_or_else(|| other().during(call.operation))
        })
    });
    let (roster, _) = select_ok(asked).await?;
    Ok(roster)
}

/// Asks the servers until one does not answer as it should.
async fn keep(lines: Lines, ending: Ending) {
    let Ending(told) = &ending;
    loop {
        let asked = Instant::now();
        match timeout_at(told.deadline(), lines.check()).await {
            Ok(Ok(())) => told.answered(asked),
            Ok(Err(fault)) => return told.end(fault),
            Err(_) => return told.end(Fault::Silent(lines.servers(), LIMIT)),
        }
        sleep_until(asked + PACE).await;
    }
}

/// Says that nobody asks any more, also when the runtime is gone.
struct Ending(Arc<Told>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end(Fault::NoRuntime);
    }
}

/// An error of the beginning: it may be that there is no listening at all.
fn judge(error: StoreError) -> StoreError {
    let mut behind: Option<&(dyn Error + 'static)> = error.source();
    while let Some(source) = behind {
        if never_will(source) {
            let kind = StoreErrorKind::Unsupported;
            return StoreError::new(kind, error.operation()).with_source(error);
        }
        behind = source.source();
    }
    error
}

/// Whether a server has refused to be listened to: it does not know a command, or the user may not.
fn never_will(error: &(dyn Error + 'static)) -> bool {
    let (code, details) = if let Some(error) = error.downcast_ref::<RedisError>() {
        if error.kind() == ErrorKind::RESP3NotSupported {
            return true;
        }
        (error.code(), error.detail())
    } else if let Some(error) = error.downcast_ref::<ServerError>() {
        (Some(error.code()), error.details())
    } else {
        return false;
    };
    let details = details.unwrap_or_default().to_ascii_lowercase();
    match code {
        Some("NOPERM" | "NOPROTO") => true,
        Some("ERR") => details.starts_with("unknown"),
        _ => false,
    }
}
