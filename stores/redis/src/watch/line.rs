//! Connections on which servers tell what changes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::{select_ok, try_join_all};
use redis::{Cmd, PushInfo, PushKind, RedisError, Value};

use super::{
    roster::{Primary, Roster},
    told::Told,
};
use crate::{
    address::Address,
    dial::{Live, Settings, dial_listening},
    error::Fault,
    names::Names,
    sentinel::is_primary,
};

/// Where to put what is heard.
#[derive(Clone)]
pub(crate) struct Ear {
    pub(crate) told: Arc<Told>,
    pub(crate) names: Names,
}

/// A connection on which a server tells of each record that it changes.
struct Line {
    address: Address,
    live: Live,
}

impl Line {
    async fn open(address: Address, settings: &Settings, ear: Ear) -> Result<Self, Fault> {
        let mut track = redis::cmd("CLIENT");
        track.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX");
        track.arg(ear.names.record_prefix());
        let name = address.to_string();
        // Until it is open, its end is an error of this function alone: another may do.
        let is_open = Arc::new(AtomicBool::new(false));
        let opened = Arc::clone(&is_open);
        let hear = move |said: PushInfo| {
            match said.kind {
                PushKind::Disconnection if !is_open.load(Ordering::Acquire) => {}
                PushKind::Disconnection => ear.told.end(broken(&name)),
                _ => ear.told.hear(said, &ear.names),
            }
            Ok::<(), ()>(())
        };
        let dialed = dial_listening(&address, settings, hear).await;
        let live = dialed.map_err(|error| Fault::Connect(address.to_string(), error))?;
        let line = Self { address, live };
        line.ask(&track).await?;
        opened.store(true, Ordering::Release);
        Ok(line)
    }

    async fn ask(&self, command: &Cmd) -> Result<Value, Fault> {
        let server = || self.address.to_string();
        let answer = self.live.send(command).await;
        let answer = answer.map_err(|error| Fault::Lost(server(), error))?;
        let answer = answer.extract_error();
        answer.map_err(|error| Fault::Refused(server(), error))
    }
}

fn broken(server: &str) -> Fault {
    let ended = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    Fault::Lost(server.to_owned(), RedisError::from(ended))
}

/// One connection to each server that takes writes.
pub(crate) struct Lines(Kind);

enum Kind {
    One(Line),
    Cluster(Vec<(Primary, Line)>),
}

impl Lines {
    /// To the one server.
    pub(crate) async fn one(
        address: Address,
        settings: &Settings,
        ear: Ear,
    ) -> Result<Self, Fault> {
        Ok(Self(Kind::One(Line::open(address, settings, ear).await?)))
    }

    /// To the primaries of a cluster.
    pub(crate) async fn cluster(
        primaries: Vec<Primary>,
        settings: &Settings,
        ear: &Ear,
    ) -> Result<Self, Fault> {
        let open = async |primary: Primary| {
            // Its name is what a certificate may be for, and may be unknown to the resolver.
            let addresses = primary.addresses.iter().cloned();
            let attempts = addresses.map(|to| Box::pin(Line::open(to, settings, ear.clone())));
            let (line, _) = select_ok(attempts).await?;
            Ok::<_, Fault>((primary, line))
        };
        let lines = try_join_all(primaries.into_iter().map(open)).await?;
        Ok(Self(Kind::Cluster(lines)))
    }

    /// Has every server answer that it is still the one to listen to. What it has changed before is
    /// heard before that.
    pub(crate) async fn check(&self) -> Result<(), Fault> {
        match &self.0 {
            Kind::One(line) => match is_primary(line.ask(&redis::cmd("ROLE")).await?) {
                true => Ok(()),
                false => Err(Fault::Deposed(line.address.to_string())),
            },
            Kind::Cluster(lines) => {
                let primaries: Vec<Primary> =
                    lines.iter().map(|(primary, _)| primary.clone()).collect();
                let checks = lines.iter().map(|line| check_node(line, &primaries));
                try_join_all(checks).await.map(drop)
            }
        }
    }

    /// Whom they lead to.
    pub(crate) fn servers(&self) -> String {
        match &self.0 {
            Kind::One(line) => line.address.to_string(),
            Kind::Cluster(_) => "a node of the cluster".to_owned(),
        }
    }
}

/// A slot goes to a node only after its owner has got to know that node, so a change of the
/// primaries shows with the owner first.
async fn check_node((node, line): &(Primary, Line), primaries: &[Primary]) -> Result<(), Fault> {
    let answer = line.ask(&roster_question()).await?;
    let other = || Fault::OtherPrimaries(line.address.to_string());
    let roster = Roster::read(answer, &line.address).ok_or_else(other)?;
    if roster.myself.as_deref() != Some(&*node.id) {
        return Err(Fault::Deposed(line.address.to_string()));
    }
    match roster.names(primaries) {
        true => Ok(()),
        false => Err(other()),
    }
}

/// What a [`Roster`] is the answer to.
pub(crate) fn roster_question() -> Cmd {
    let mut question = redis::cmd("CLUSTER");
    question.arg("NODES");
    question
}
