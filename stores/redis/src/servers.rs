use std::sync::Arc;

use cloakroom_store::StoreError;
use redis::{Cmd, ServerErrorKind, Value};

use crate::{
    call::Call,
    cluster::{Cluster, Node},
    dial::Settings,
    error::refused,
    link::{Link, Reply},
    script::Script,
};

/// One server, or the nodes of a cluster.
#[derive(Debug)]
pub(crate) enum Servers {
    One(Arc<Link>),
    Cluster(Arc<Cluster>),
}

impl Servers {
    /// What their connections have in common.
    pub(crate) fn settings(&self) -> &Settings {
        match self {
            Self::One(link) => link.settings(),
            Self::Cluster(cluster) => cluster.settings(),
        }
    }

    /// Sends a command about one key.
    pub(crate) async fn ask(
        &self,
        call: &Call,
        key: &[u8],
        command: &Cmd,
    ) -> Result<Value, StoreError> {
        let reply = self.reply(call, key, command).await?;
        reply.map_err(|refusal| refused(refusal, call.operation))
    }

    /// Runs a script about one key. A server that does not know it, after a restart, a fail-over or
    /// `SCRIPT FLUSH`, has not run it and gets its text.
    pub(crate) async fn run(
        &self,
        call: &Call,
        key: &[u8],
        script: &Script,
        arguments: &[&[u8]],
    ) -> Result<Value, StoreError> {
        let by_hash = script.by_hash(key, arguments);
        match self.reply(call, key, &by_hash).await? {
            Err(refusal) if refusal.kind() == Some(ServerErrorKind::NoScript) => {
                self.ask(call, key, &script.by_text(key, arguments)).await
            }
            reply => reply.map_err(|refusal| refused(refusal, call.operation)),
        }
    }

    /// All servers that have records, in an order that stays.
    pub(crate) async fn all(&self, call: &Call) -> Result<Vec<Server>, StoreError> {
        match self {
            Self::One(link) => Ok(vec![Server {
                name: String::new(),
                link: Arc::clone(link),
            }]),
            Self::Cluster(cluster) => {
                let nodes = cluster.nodes(call).await?;
                Ok(nodes.into_iter().map(Server::from).collect())
            }
        }
    }

    async fn reply(&self, call: &Call, key: &[u8], command: &Cmd) -> Result<Reply, StoreError> {
        match self {
            Self::One(link) => link.exchange(call, command, false).await.reply,
            Self::Cluster(cluster) => cluster.ask(call, key, command).await,
        }
    }
}

/// One of the servers.
pub(crate) struct Server {
    /// Which of a cluster's nodes it is.
    pub(crate) name: String,
    link: Arc<Link>,
}

impl Server {
    /// Sends a command about no key in particular.
    pub(crate) async fn ask(&self, call: &Call, command: &Cmd) -> Result<Value, StoreError> {
        let reply = self.link.exchange(call, command, false).await.reply?;
        reply.map_err(|refusal| refused(refusal, call.operation))
    }
}

impl From<Node> for Server {
    fn from(node: Node) -> Self {
        Self {
            name: node.address.to_string(),
            link: node.link,
        }
    }
}
