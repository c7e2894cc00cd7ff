//! What is said to the server: commands of the meta protocol.

use std::io::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};

/// A command, whole but for the number that its reply repeats.
pub(crate) struct Command {
    /// The line, without that number and without its end.
    line: Vec<u8>,
    /// What is to be kept.
    block: Option<Bytes>,
    /// How much of the server's limit for an item it needs at most.
    size: usize,
}

/// On what condition something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The key is free.
    Absent,
    /// What is there still has this mark.
    Marked(u64),
}

/// What the server keeps beside a name and a value, in bytes: 59 today, and some to spare.
pub(crate) const ITEM_OVERHEAD: usize = 128;

impl Command {
    /// Reads a value and its mark.
    pub(crate) fn get(name: &str) -> Self {
        Self::line(format_args!("mg {name} c v"))
    }

    /// Keeps a value until a time, and asks for its mark.
    pub(crate) fn set(name: &str, block: Bytes, until: u64, condition: Condition) -> Self {
        let length = block.len();
        let mut command = match condition {
            Condition::Absent => Self::line(format_args!("ms {name} {length} T{until} ME c")),
            Condition::Marked(mark) => {
                Self::line(format_args!("ms {name} {length} T{until} C{mark} c"))
            }
        };
        command.size = item_size(name.len(), length);
        command.block = Some(block);
        command
    }

    /// Removes a value, whatever it is.
    pub(crate) fn delete(name: &str) -> Self {
        Self::line(format_args!("md {name}"))
    }

    /// How much of the server's limit for an item it needs at most, in bytes.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Writes it as it is sent. Its reply repeats the number.
    pub(crate) fn encode(&self, number: u64, target: &mut BytesMut) {
        target.put_slice(&self.line);
        // Neither can fail: the target grows.
        let _ = write!(target.writer(), " O{number}\r\n");
        if let Some(block) = &self.block {
            target.put_slice(block);
            target.put_slice(b"\r\n");
        }
    }

    fn line(arguments: std::fmt::Arguments<'_>) -> Self {
        let mut line = Vec::with_capacity(192);
        let _ = line.write_fmt(arguments);
        Self {
            line,
            block: None,
            size: 0,
        }
    }
}

/// How much of the server's limit an item needs at most, in bytes.
pub(crate) const fn item_size(name: usize, block: usize) -> usize {
    block.saturating_add(name).saturating_add(ITEM_OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(command: &Command) -> String {
        let mut bytes = BytesMut::new();
        command.encode(7, &mut bytes);
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn commands_are_written_as_the_protocol_says() {
        let get = Command::get("p:cart:07");
        assert_eq!(encoded(&get), "mg p:cart:07 c v O7\r\n");
        let block = Bytes::from_static(b"\r\nxy");
        let add = Command::set("k", block.clone(), 9, Condition::Absent);
        assert_eq!(encoded(&add), "ms k 4 T9 ME c O7\r\n\r\nxy\r\n");
        let swap = Command::set("k", block, 0, Condition::Marked(u64::MAX));
        let line = "ms k 4 T0 C18446744073709551615 c O7\r\n";
        assert_eq!(encoded(&swap), format!("{line}\r\nxy\r\n"));
        assert_eq!(encoded(&Command::delete("k")), "md k O7\r\n");
    }
}
