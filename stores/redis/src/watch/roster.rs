//! The primaries of a cluster, as one of its nodes names them in `CLUSTER NODES`.

use redis::Value;

use crate::address::Address;

/// Who a node is, and which primaries it knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Roster {
    /// The id of the node itself, if it is a primary.
    pub(crate) myself: Option<String>,
    /// All that have slots or may be given some, in the order of their ids.
    pub(crate) primaries: Vec<Primary>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Primary {
    pub(crate) id: String,
    /// Where it may be reached: its IP address, and its name if it announces one.
    pub(crate) addresses: Vec<Address>,
}

impl Roster {
    /// From what the node at `asked` has answered; `None` when it is something else.
    pub(crate) fn read(answer: Value, asked: &Address) -> Option<Self> {
        let text = match answer {
            Value::BulkString(text) => String::from_utf8(text).ok()?,
            Value::VerbatimString { text, .. } => text,
            _ => return None,
        };
        let mut roster = Self {
            myself: None,
            primaries: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            roster.add(line, asked)?;
        }
        roster.primaries.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Some(roster)
    }

    /// `id host:port@bus,name flags master ping pong epoch link slot ..`
    fn add(&mut self, line: &str, asked: &Address) -> Option<()> {
        let mut fields = line.split(' ');
        let (id, place, flags) = (fields.next()?, fields.next()?, fields.next()?);
        // Slots in brackets are on their way to or from it.
        let has_slots = fields.skip(5).any(|slot| !slot.starts_with('['));
        let is = |flag: &str| flags.split(',').any(|known| known == flag);
        if !is("master") {
            return Some(());
        }
        if is("myself") {
            self.myself = Some(id.to_owned());
        }
        // One that has nothing and can't be reached gets nothing either.
        if !has_slots && (is("fail") || is("noaddr") || is("handshake")) {
            return Some(());
        }
        self.primaries.push(Primary {
            id: id.to_owned(),
            addresses: read_place(place, asked)?,
        });
        Some(())
    }

    /// Whether a node names the same primaries.
    pub(crate) fn names(&self, primaries: &[Primary]) -> bool {
        let ids = self.primaries.iter().map(|primary| &primary.id);
        ids.eq(primaries.iter().map(|primary| &primary.id))
    }
}

fn read_place(place: &str, asked: &Address) -> Option<Vec<Address>> {
    let mut parts = place.split(',');
    let (address, _bus) = parts.next()?.split_once('@')?;
    let address = Address::parse(address)?.or_host_of(asked);
    let name = parts
        .next()
        .filter(|name| !name.is_empty() && !name.contains('='));
    let named = match (name, &address) {
        (Some(name), Address::Tcp(_, port)) => Some(Address::Tcp(name.to_owned(), *port)),
        _ => None,
    };
    Some([address].into_iter().chain(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    fn read(text: &str) -> Option<Roster> {
        let answer = Value::BulkString(text.as_bytes().to_vec());
        Roster::read(answer, &tcp("asked", 1))
    }

    #[test]
    fn primaries_are_read() {
        let roster = read(
            "c ::1:7003@17003 master - 0 1 3 connected 5461-10922 [93->-a]\n\
             a :7000@17000 myself,master - 0 0 1 connected 0-5460 5470\n\
             b 10.0.0.2:7001@17001,b.example,shard-id=9 master,fail - 1 1 2 disconnected 10923-16383\n\
             d 10.0.0.4:7004@17004,,shard-id=8 master - 0 0 0 connected [93-<-c]\n\
             e 10.0.0.5:7005@17005 slave a 0 0 0 connected\n\
             f 10.0.0.6:7006@17006 master,fail - 0 0 0 disconnected\n\
             g :0@0 master,noaddr - 0 0 0 disconnected\n",
        )
        .unwrap();
        assert_eq!(roster.myself.as_deref(), Some("a"));
        let found: Vec<_> = roster
            .primaries
            .iter()
            .map(|p| (&*p.id, &*p.addresses))
            .collect();
        assert_eq!(
            found,
            [
                ("a", &[tcp("asked", 7000)][..]),
                ("b", &[tcp("10.0.0.2", 7001), tcp("b.example", 7001)]),
                ("c", &[tcp("::1", 7003)]),
                ("d", &[tcp("10.0.0.4", 7004)]),
            ]
        );
        assert!(roster.names(&roster.primaries));
        assert!(!roster.names(&roster.primaries[1..]));
    }

    #[test]
    fn a_replica_is_no_primary() {
        let roster = read("a h:1@2 myself,slave b 0 0 1 connected\n").unwrap();
        assert_eq!((roster.myself, roster.primaries), (None, Vec::new()));
    }

    #[test]
    fn nonsense_is_none() {
        for nonsense in [
            "x",
            "a b",
            "a b master",
            "a h:1 master",
            "a h:x@1 master - 0",
        ] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert_eq!(Roster::read(Value::Nil, &tcp("asked", 1)), None);
    }
}
