//! Speaking to the right node of a cluster.
//!
//! The cluster client of the driver follows a redirection only where it also sends again what broke
//! off, with one number for both, so this is our own: it sends a command again only to a node that
//! has not seen it, because another refused it or because there was no connection.

mod map;
mod slot;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use cloakroom_store::{Operation, StoreError};
use redis::{Cmd, ServerError};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout_at},
};

pub(crate) use self::map::Node;
use self::{
    map::{Map, Range, read_slots},
    slot::slot_of,
};
use crate::{
    address::Address,
    attempt::Target,
    call::Call,
    dial::Settings,
    error::{Fault, code},
    link::{Alarm, Exchange, Link, Reply},
};

/// The nodes of a cluster.
pub(crate) struct Cluster {
    this: Weak<Cluster>,
    seeds: Vec<Address>,
    settings: Arc<Settings>,
    links: Mutex<HashMap<Address, Arc<Link>>>,
    map: RwLock<Arc<Map>>,
    is_asking: AtomicBool,
    /// When the nodes were last asked who has which slots.
    asked: watch::Sender<Option<Instant>>,
}

/// How often a command is sent on. Two nodes that point at each other are not followed for ever.
const REDIRECTIONS: usize = 5;

/// How long what the nodes have said is believed although a node does not answer.
const FRESH: Duration = Duration::from_millis(100);

impl Cluster {
    pub(crate) fn new(seeds: Vec<Address>, settings: Arc<Settings>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            seeds,
            settings,
            links: Mutex::default(),
            map: RwLock::default(),
            is_asking: AtomicBool::new(false),
            asked: watch::Sender::new(None),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a command to the node that has the key.
    pub(crate) async fn ask(
        &self,
        call: &Call,
        key: &[u8],
        command: &Cmd,
    ) -> Result<Reply, StoreError> {
        let slot = slot_of(key);
        let mut to = Hop {
            node: self.owner(slot, call).await?,
            asking: false,
        };
        for _ in 0..REDIRECTIONS {
            let Exchange { reply, was_sent } =
                to.node.link.exchange(call, command, to.asking).await;
            let next = match &reply {
                Ok(Err(refusal)) => self.after_refusal(refusal, slot, &to, call).await,
                Err(_) if !was_sent => self.new_owner(slot, &to, call).await,
                Ok(Ok(_)) | Err(_) => None,
            };
            match next {
                Some(next) => to = next,
                None => return reply,
            }
        }
        Err(Fault::Astray.during(call.operation))
    }

    /// All primaries, in the order of their addresses.
    pub(crate) async fn nodes(&self, call: &Call) -> Result<Vec<Node>, StoreError> {
        if self.map().nodes().is_empty() {
            self.ask_who_has_what(call).await;
        }
        match self.map().nodes() {
            [] => Err(self.unknown(call.operation)),
            nodes => Ok(nodes.to_vec()),
        }
    }

    /// Who is to be asked after a node has refused; nobody when the refusal is the answer.
    async fn after_refusal(
        &self,
        refusal: &ServerError,
        slot: u16,
        from: &Hop,
        call: &Call,
    ) -> Option<Hop> {
        match code(refusal) {
            "MOVED" => {
                self.start_asking();
                self.hop(refusal, from, false)
            }
            "ASK" => self.hop(refusal, from, true),
            // It was a primary until a moment ago.
            "READONLY" => self.new_owner(slot, from, call).await,
            "CLUSTERDOWN" | "MASTERDOWN" => {
                self.start_asking_again();
                None
            }
            _ => None,
        }
    }

    /// Where a redirection leads.
    fn hop(&self, refusal: &ServerError, from: &Hop, asking: bool) -> Option<Hop> {
        let (_slot, address) = refusal.details()?.split_once(' ')?;
        let address = Address::parse(address)?.or_host_of(&from.node.address);
        let link = self.link(&address);
        Some(Hop {
            node: Node { address, link },
            asking,
        })
    }

    /// The owner of a slot, if it is another one now.
    async fn new_owner(&self, slot: u16, from: &Hop, call: &Call) -> Option<Hop> {
        let is_fresh = |asked: Option<Instant>| asked.is_some_and(|at| at.elapsed() < FRESH);
        if !is_fresh(*self.asked.borrow()) {
            self.ask_who_has_what(call).await;
        }
        let map = self.map();
        let owner = map.owner(slot)?;
        (owner.address != from.node.address).then(|| Hop {
            node: owner.clone(),
            asking: false,
        })
    }

    async fn owner(&self, slot: u16, call: &Call) -> Result<Node, StoreError> {
        if let Some(owner) = self.map().owner(slot) {
            return Ok(owner.clone());
        }
        self.ask_who_has_what(call).await;
        let map = self.map();
        let owner = map.owner(slot).cloned();
        owner.ok_or_else(|| self.unknown(call.operation))
    }

    fn unknown(&self, operation: Operation) -> StoreError {
        if Handle::try_current().is_err() {
            return Fault::NoRuntime.during(operation);
        }
        let seeds: Vec<String> = self.seeds.iter().map(ToString::to_string).collect();
        Fault::NoCluster(seeds.join(", ")).during(operation)
    }

    /// Waits until the nodes have said who has which slots, or for the call's deadline.
    async fn ask_who_has_what(&self, call: &Call) {
        let mut asked = self.asked.subscribe();
        self.start_asking();
        // Without a runtime nobody asks, and there is no clock to wait by.
        if Handle::try_current().is_ok() {
            let _ = timeout_at(call.deadline, asked.changed()).await;
        }
    }

    /// Asks the nodes in a task of its own, if nobody does.
    fn start_asking(&self) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.is_asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let asking = Asking(Weak::clone(&self.this));
        runtime.spawn(async move {
            if let Some(cluster) = asking.0.upgrade() {
                cluster.read_map().await;
            }
        });
    }

    /// Asks one node after the other, those first that have answered lately.
    async fn read_map(&self) {
        let mut known: Vec<(Address, Arc<Link>)> = self.links().clone().into_iter().collect();
        for seed in &self.seeds {
            if !known.iter().any(|(address, _)| address == seed) {
                known.push((seed.clone(), self.link(seed)));
            }
        }
        known.sort_by_key(|(_, link)| link.is_down());
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        for (address, link) in known {
            let call = Call::new(Operation::Load, self.settings.timeout / 2);
            let answer = link.exchange(&call, &question, false).await;
            let Ok(Ok(answer)) = answer.reply else {
                continue;
            };
            if let Some(ranges) = read_slots(answer, &address).filter(|ranges| !ranges.is_empty()) {
                return self.learn(&ranges);
            }
        }
    }

    fn learn(&self, ranges: &[Range]) {
        let map = Arc::new(Map::new(ranges, |address| self.link(address)));
        for range in ranges {
            range.replicas.iter().for_each(|replica| {
                self.link(replica);
            });
        }
        let is_there = |address: &Address| {
            let has = |range: &Range| range.primary == *address || range.replicas.contains(address);
            ranges.iter().any(has) || self.seeds.contains(address)
        };
        self.links().retain(|address, _| is_there(address));
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
    }

    fn link(&self, address: &Address) -> Arc<Link> {
        let mut links = self.links();
        let link = links.entry(address.clone()).or_insert_with(|| {
            let cluster = Weak::clone(&self.this);
            let alarm: Alarm = Arc::new(move || {
                if let Some(cluster) = cluster.upgrade() {
                    cluster.start_asking_again();
                }
            });
            let target = Target::Address(address.clone());
            Link::new(target, Arc::clone(&self.settings), Some(alarm))
        });
        Arc::clone(link)
    }

    /// As [`Self::start_asking`], unless that has just been done: a node does not answer, so another
    /// may have taken over.
    fn start_asking_again(&self) {
        let asked = *self.asked.borrow();
        if asked.is_none_or(|asked| asked.elapsed() >= FRESH) {
            self.start_asking();
        }
    }

    fn map(&self) -> Arc<Map> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&map)
    }

    fn links(&self) -> std::sync::MutexGuard<'_, HashMap<Address, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("seeds", &self.seeds)
            .field("nodes", &self.map().nodes())
            .finish_non_exhaustive()
    }
}

/// Where a command goes next.
struct Hop {
    node: Node,
    /// Whether the node has to be told that it was sent there by the one that still has the slot.
    asking: bool,
}

/// Says that the nodes have been asked, also when the asking was broken off.
struct Asking(Weak<Cluster>);

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(cluster) = self.0.upgrade() {
            cluster.is_asking.store(false, Ordering::Release);
            cluster.asked.send_replace(Some(Instant::now()));
        }
    }
}
