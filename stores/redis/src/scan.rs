//! Walking over all keys with `SCAN`, server by server.
//!
//! A server answers with all keys of some slots of its table, however many those are. Where that is
//! more than fits on a page, the next page asks for the same slots again and leaves out what has
//! been seen. What comes on two pages all the same is said in the documentation of the crate.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use cloakroom_store::{Key, Operation, Page, StoreError, StoreErrorKind, Summary};
use futures_util::future::try_join_all;
use redis::Value;
use tokio::time::Instant;

use crate::{
    blob,
    call::Call,
    cursor::{MAX_SEEN, Position},
    error::Unexpected,
    servers::Server,
    store::Inner,
};

/// How many steps a page makes at most, where there are few records among many other keys.
const STEPS: usize = 16;

/// What `COUNT` is at least and at most. A table of the least size is walked in one step.
const STEP: (usize, usize) = (512, 1_000);

impl Inner {
    /// A page of all sessions.
    pub(crate) async fn walk(
        &self,
        call: &Call,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.max(1);
        let servers = self.servers.all(call).await?;
        let mut walk = Walk::new(servers, after, limit, call).await?;
        let mut sessions = Vec::new();
        let half_time = Call::new(call.operation, self.timeout / 2).deadline;
        for _ in 0..STEPS {
            // Each step has the time of a call: nobody's request waits for it.
            let call = Call::new(call.operation, self.timeout);
            let more = self.step(&call, &mut walk, limit - sessions.len()).await?;
            sessions.extend(more);
            if walk.is_over || sessions.len() == limit || Instant::now() > half_time {
                break;
            }
        }
        let next = (!walk.is_over).then(|| walk.position.to_cursor());
        Ok(Page::new(sessions, next))
    }

    /// Looks at the keys of some slots, and goes on if all of them fit.
    async fn step(
        &self,
        call: &Call,
        walk: &mut Walk,
        room: usize,
    ) -> Result<Vec<Summary>, StoreError> {
        let mut scan = redis::cmd("SCAN");
        let pattern = self.names.record_pattern();
        scan.arg(walk.position.cursor).arg("MATCH").arg(pattern);
        scan.arg("COUNT").arg(walk.position.step);
        let (next, names) = read_step(walk.server.ask(call, &scan).await?)?;
        let seen: HashSet<u64> = walk.position.seen.iter().copied().collect();
        let keys = names.iter().filter(|name| !seen.contains(&hash(name)));
        let keys = keys.filter_map(|name| Some((name, self.names.read_record(name)?)));
        let mut keys: Vec<(&Vec<u8>, Key)> = keys.collect();
        let all_fit = keys.len() <= room;
        keys.truncate(room);
        let found = keys.iter().map(|(_, key)| self.summary(call, *key));
        let found = try_join_all(found).await?;
        if !all_fit || !walk.position.seen.is_empty() {
            walk.remember(keys.iter().map(|(name, _)| hash(name)));
        }
        if all_fit {
            walk.go_on(next, call).await?;
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// A walk over the keys of all servers.
struct Walk {
    server: Server,
    /// Those that follow, the next one last.
    others: Vec<Server>,
    position: Position,
    is_over: bool,
}

impl Walk {
    async fn new(
        servers: Vec<Server>,
        after: Option<Position>,
        limit: usize,
        call: &Call,
    ) -> Result<Self, StoreError> {
        let mut others = servers;
        others.reverse();
        let name = after.as_ref().map(|after| after.server.clone());
        let is_it = |server: &Server| name.as_ref().is_none_or(|name| *name == server.name);
        while others.pop_if(|server| !is_it(server)).is_some() {}
        let server = others.pop().ok_or_else(changed)?;
        let run = run_of(&server, call).await?;
        let step = u16::try_from((limit / 2).clamp(STEP.0, STEP.1)).unwrap_or(u16::MAX);
        let position = after.unwrap_or_else(|| Position {
            server: server.name.clone(),
            run,
            step,
            ..Position::default()
        });
        if position.run != run {
            return Err(changed());
        }
        Ok(Self {
            server,
            others,
            position,
            is_over: false,
        })
    }

    fn remember(&mut self, hashes: impl Iterator<Item = u64>) {
        let seen = &mut self.position.seen;
        seen.extend(hashes);
        // Those of this step, and some from before if the table has grown meanwhile.
        let kept = (usize::from(self.position.step) * 3).min(MAX_SEEN);
        seen.drain(..seen.len().saturating_sub(kept));
    }

    async fn go_on(&mut self, cursor: u64, call: &Call) -> Result<(), StoreError> {
        self.position.cursor = cursor;
        if cursor != 0 {
            return Ok(());
        }
        match self.others.pop() {
            None => self.is_over = true,
            Some(server) => {
                self.position.run = run_of(&server, call).await?;
                self.position.server.clone_from(&server.name);
                self.position.seen.clear();
                self.server = server;
            }
        }
        Ok(())
    }
}

/// What tells one run of a server from another; 0 where the user may not know.
async fn run_of(server: &Server, call: &Call) -> Result<u64, StoreError> {
    let mut info = redis::cmd("INFO");
    info.arg("server");
    let info = match server.ask(call, &info).await {
        Err(error) if error.kind() == StoreErrorKind::Other => return Ok(0),
        info => blob::bytes(info?, call.operation)?,
    };
    Ok(field(&info, "run_id").map_or(0, |run| hash(run.as_bytes())))
}

/// A field of what `INFO` says.
pub(crate) fn field<'a>(info: &'a Bytes, name: &str) -> Option<&'a str> {
    let info = std::str::from_utf8(info).ok()?;
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(value).map(str::trim)
}

fn changed() -> StoreError {
    StoreError::new(StoreErrorKind::Other, Operation::Scan).with_source(
        "the listing can't go on: the server it was at has been restarted or replaced; begin again",
    )
}

fn read_step(answer: Value) -> Result<(u64, BTreeSet<Vec<u8>>), StoreError> {
    let unexpected = || Unexpected::during(Operation::Scan);
    let parts = match answer {
        Value::Array(parts) => <[Value; 2]>::try_from(parts).ok(),
        _ => None,
    };
    let Some([Value::BulkString(cursor), Value::Array(names)]) = parts else {
        return Err(unexpected());
    };
    let cursor = std::str::from_utf8(&cursor).ok();
    let cursor = cursor.and_then(|cursor| cursor.parse().ok());
    let names = names.into_iter().filter_map(|name| match name {
        Value::BulkString(name) => Some(name),
        _ => None,
    });
    Ok((cursor.ok_or_else(unexpected)?, names.collect()))
}

/// FNV-1a: the same in all processes and versions.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
