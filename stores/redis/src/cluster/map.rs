//! Which node of a cluster has which slots.

use std::sync::Arc;

use redis::Value;

use super::slot::SLOTS;
use crate::{address::Address, link::Link};

/// A primary and the slots it has.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) address: Address,
    pub(crate) link: Arc<Link>,
}

/// All primaries, by their addresses, and whose the slots are.
#[derive(Debug, Default)]
pub(crate) struct Map {
    nodes: Vec<Node>,
    owners: Vec<Option<u16>>,
}

impl Map {
    /// The owner of a slot, if somebody has it.
    pub(crate) fn owner(&self, slot: u16) -> Option<&Node> {
        let index = (*self.owners.get(usize::from(slot))?)?;
        self.nodes.get(usize::from(index))
    }

    /// All primaries, in the order of their addresses.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// From what a node has said, with the links to its nodes.
    pub(crate) fn new(ranges: &[Range], mut link: impl FnMut(&Address) -> Arc<Link>) -> Self {
        let mut addresses: Vec<&Address> = ranges.iter().map(|range| &range.primary).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let mut owners = vec![None; usize::from(SLOTS)];
        for range in ranges {
            let index = addresses.binary_search(&&range.primary).ok();
            let index = index.and_then(|index| u16::try_from(index).ok());
            let slots = usize::from(range.first)..usize::from(range.last) + 1;
            if let Some(slots) = owners.get_mut(slots) {
                slots.fill(index);
            }
        }
        let node = |address: &Address| Node {
            address: address.clone(),
            link: link(address),
        };
        Self {
            nodes: addresses.into_iter().map(node).collect(),
            owners,
        }
    }
}

/// Slots in a row, and who has them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Range {
    first: u16,
    last: u16,
    pub(crate) primary: Address,
    pub(crate) replicas: Vec<Address>,
}

/// Reads the answer to `CLUSTER SLOTS` of the node at `asked`; `None` when it is something else.
pub(crate) fn read_slots(answer: Value, asked: &Address) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else {
        return None;
    };
    ranges.into_iter().map(|range| read(range, asked)).collect()
}

fn read(range: Value, asked: &Address) -> Option<Range> {
    let Value::Array(parts) = range else {
        return None;
    };
    let mut parts = parts.into_iter();
    let first = number(parts.next()?)?;
    let last = number(parts.next()?)?;
    let primary = read_node(parts.next()?, asked)?;
    // A replica that is not understood is one less to ask.
    let replicas = parts.filter_map(|node| read_node(node, asked)).collect();
    (first <= last && last < SLOTS).then_some(Range {
        first,
        last,
        primary,
        replicas,
    })
}

fn read_node(node: Value, asked: &Address) -> Option<Address> {
    let Value::Array(parts) = node else {
        return None;
    };
    let mut parts = parts.into_iter();
    let host = match parts.next()? {
        Value::BulkString(host) => String::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        Value::Nil => String::new(),
        _ => return None,
    };
    let port = number(parts.next()?)?;
    Some(Address::Tcp(host, port).or_host_of(asked))
}

fn number(value: Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    fn node(host: &str, port: i64) -> Value {
        let host = Value::BulkString(host.as_bytes().to_vec());
        Value::Array(vec![host, Value::Int(port)])
    }

    fn range(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        let mut parts = vec![Value::Int(first), Value::Int(last)];
        parts.extend(nodes);
        Value::Array(parts)
    }

    #[test]
    fn slots_are_read() {
        let asked = tcp("asked", 1);
        let answer = Value::Array(vec![
            range(0, 99, vec![node("b", 7001), node("c", 7002)]),
            range(101, 16_383, vec![node("", 7000), Value::Nil]),
        ]);
        let ranges = read_slots(answer, &asked).unwrap();
        assert_eq!(ranges[0].replicas, [tcp("c", 7002)]);
        assert_eq!(ranges[1].primary, tcp("asked", 7000));
        assert_eq!((ranges[1].first, ranges[1].last), (101, 16_383));
    }

    #[test]
    fn nonsense_is_none() {
        let asked = tcp("asked", 1);
        for nonsense in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![range(5, 4, vec![node("a", 1)])]),
            Value::Array(vec![range(0, 16_384, vec![node("a", 1)])]),
            Value::Array(vec![range(-1, 4, vec![node("a", 1)])]),
            Value::Array(vec![range(0, 4, vec![])]),
            Value::Array(vec![range(0, 4, vec![node("a", 70_000)])]),
        ] {
            assert_eq!(read_slots(nonsense, &asked), None);
        }
    }
}
