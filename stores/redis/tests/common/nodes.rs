//! Clusters.

use cloakroom_store::Key;
use redis::Value;

use super::{
    node::{Node, run},
    until,
};

/// What every node of a cluster is started with.
pub(crate) const SETTINGS: &str = "cluster-enabled yes\ncluster-node-timeout 1000\n\
    cluster-replica-validity-factor 0\nrepl-diskless-sync-delay 0\n";

/// The nodes of a cluster.
pub(crate) struct Nodes(pub(crate) Vec<Node>);

impl Nodes {
    /// Three primaries, and as many replicas for each.
    pub(crate) async fn start(replicas: usize) -> Option<Self> {
        let mut nodes = Vec::new();
        for _ in 0..3 * (1 + replicas) {
            nodes.push(Node::start(SETTINGS).await?);
        }
        let addresses: Vec<String> = nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        let addresses = addresses.join(" ");
        let create = format!(
            "redis-cli --cluster create {addresses} --cluster-replicas {replicas} --cluster-yes"
        );
        run(&create, nodes[0].path()).await;
        let nodes = Self(nodes);
        for node in &nodes.0 {
            until("the cluster is whole", async || {
                format!("{:?}", node.tell("CLUSTER INFO").await).contains("cluster_state:ok")
            })
            .await;
        }
        Some(nodes)
    }

    pub(crate) fn url(&self) -> String {
        let ports = self.0.iter().map(|node| format!("127.0.0.1:{}", node.port));
        format!("redis-cluster://{}", ports.collect::<Vec<_>>().join(","))
    }

    /// The node that has a record.
    pub(crate) async fn owner(&mut self, prefix: &str, key: &Key) -> &mut Node {
        for index in 0..self.0.len() {
            let exists = self.0[index]
                .tell_anyway(&format!("EXISTS {prefix}:s:{key}"))
                .await;
            if exists == Some(Value::Int(1)) {
                return &mut self.0[index];
            }
        }
        panic!("nobody has {key}");
    }
}

impl Node {
    pub(crate) async fn has_no_replica_behind(&self) -> bool {
        let info = self.tell("INFO replication").await;
        let info: String = redis::from_redis_value(info).unwrap();
        let after = |what: &str| {
            let (_, rest) = info.split_once(what)?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().ok()
        };
        let own = after("master_repl_offset:");
        info.contains("role:slave") || (info.contains("online") && after(",offset=") == own)
    }

    pub(crate) async fn tell_anyway(&self, line: &str) -> Option<Value> {
        let mut command = redis::Cmd::new();
        line.split(' ').for_each(|word| {
            command.arg(word);
        });
        command
            .query_async(&mut super::raw(&self.url()).await)
            .await
            .ok()
    }
}
