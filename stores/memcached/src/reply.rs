//! What the server says to commands, read with suspicion.

use std::{error::Error, fmt};

use bytes::{Buf as _, Bytes, BytesMut};

/// What the server says to a command.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(crate) enum Reply {
    /// What the key has.
    Value { mark: Option<u64>, value: Bytes },
    /// What the key has is longer than anything that is read; how long it is, in bytes.
    TooLong(u64),
    /// It is done; the mark of what is kept now, where the server tells it.
    Done { mark: Option<u64> },
    /// Nothing has the key.
    Absent,
    /// Something has the key that is to be free.
    Taken,
    /// What has the key has another mark.
    Changed,
    /// It is not done.
    Refused(Refusal),
}

/// A server's own words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(String);

impl Refusal {
    pub(crate) fn is_too_large(&self) -> bool {
        self.0.starts_with("SERVER_ERROR object too large")
    }

    /// Whether the server understands the command and can't do it now.
    pub(crate) fn is_passing(&self) -> bool {
        self.0.starts_with("SERVER_ERROR") && !self.is_too_large()
    }

    /// Whether the server does not know what it was told.
    pub(crate) fn is_misunderstanding(&self) -> bool {
        !self.0.starts_with("SERVER_ERROR")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {:?}", self.0)
    }
}

impl Error for Refusal {}

/// A reply, and the number of the command that it repeats if it does.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(crate) struct Numbered {
    pub(crate) number: Option<u64>,
    pub(crate) reply: Reply,
}

/// What came is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server sent something that is no reply to a command of memcached")
    }
}

impl Error for Malformed {}

/// The longest line of a reply. The server's are shorter.
const MAX_LINE: usize = 2048;

/// No server keeps longer values than 1 GiB.
const MAX_VALUE: usize = 1 << 30;

/// Cuts what comes from the server into replies.
#[derive(Debug)]
pub(crate) struct Decoder {
    max_value: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Line,
    /// A value of this length follows, and the end of its line.
    Value(Line, usize),
    /// So many bytes follow that nobody wants.
    Skipped {
        length: u64,
        left: u64,
        number: Option<u64>,
    },
}

impl Decoder {
    /// One that keeps no value longer than `max_value` bytes.
    pub(crate) fn new(max_value: usize) -> Self {
        Self {
            max_value: max_value.min(MAX_VALUE),
            state: State::Line,
        }
    }

    /// Takes the next reply out of `input`; `None` when there is no whole one.
    pub(crate) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Numbered>, Malformed> {
        loop {
            match &mut self.state {
                State::Line => {
                    let Some(text) = take_line(input)? else {
                        return Ok(None);
                    };
                    let line = Line::read(&text)?;
                    let Some(length) = line.length else {
                        return line.into_reply(&text).map(Some);
                    };
                    self.state = match usize::try_from(length) {
                        Ok(length) if length <= self.max_value => State::Value(line, length),
                        _ => State::Skipped {
                            length,
                            left: length.checked_add(2).ok_or(Malformed)?,
                            number: line.number,
                        },
                    };
                }
                State::Value(line, length) => {
                    let Some(bytes) = input.get(..*length + 2) else {
                        return Ok(None);
                    };
                    // A copy: a slice would keep all that was read with it.
                    let value = bytes.strip_suffix(b"\r\n").ok_or(Malformed)?;
                    let value = Bytes::copy_from_slice(value);
                    let numbered = Numbered {
                        number: line.number,
                        reply: Reply::Value {
                            mark: line.mark,
                            value,
                        },
                    };
                    input.advance(*length + 2);
                    self.state = State::Line;
                    return Ok(Some(numbered));
                }
                State::Skipped {
                    length,
                    left,
                    number,
                } => {
                    let here =
                        usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                    input.advance(here);
                    *left -= u64::try_from(here).map_err(|_| Malformed)?;
                    if *left > 0 {
                        return Ok(None);
                    }
                    let (number, reply) = (*number, Reply::TooLong(*length));
                    self.state = State::Line;
                    return Ok(Some(Numbered { number, reply }));
                }
            }
        }
    }

    /// How many more bytes the reply needs that has begun, as far as that is known.
    pub(crate) fn missing(&self, input: &BytesMut) -> usize {
        match &self.state {
            State::Value(_, length) => (length + 2).saturating_sub(input.len()),
            State::Line | State::Skipped { .. } => 0,
        }
    }
}

/// Takes a line, without its end.
fn take_line(input: &mut BytesMut) -> Result<Option<BytesMut>, Malformed> {
    let Some(at) = input.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
        return match input.len() < MAX_LINE {
            true => Ok(None),
            false => Err(Malformed),
        };
    };
    let mut line = input.split_to(at + 1);
    if !line.ends_with(b"\r\n") {
        return Err(Malformed);
    }
    line.truncate(at - 1);
    Ok(Some(line))
}

/// The line of a reply.
#[derive(Debug)]
struct Line {
    code: [u8; 2],
    /// Of the value that follows.
    length: Option<u64>,
    number: Option<u64>,
    mark: Option<u64>,
}

impl Line {
    fn read(text: &[u8]) -> Result<Self, Malformed> {
        let mut words = text
            .split(|byte| *byte == b' ')
            .filter(|word| !word.is_empty());
        let mut line = Self {
            // What is no code of two letters is a refusal.
            code: words
                .next()
                .and_then(|word| word.try_into().ok())
                .unwrap_or_default(),
            length: None,
            number: None,
            mark: None,
        };
        if &line.code == b"VA" {
            line.length = Some(words.next().and_then(number).ok_or(Malformed)?);
        }
        if line.code != [0; 2] {
            for word in words {
                match word {
                    [b'O', digits @ ..] => line.number = Some(number(digits).ok_or(Malformed)?),
                    [b'c', digits @ ..] => line.mark = Some(number(digits).ok_or(Malformed)?),
                    // Others mean nothing to what was asked.
                    _ => {}
                }
            }
        }
        Ok(line)
    }

    fn into_reply(self, text: &[u8]) -> Result<Numbered, Malformed> {
        let reply = match &self.code {
            b"HD" => Reply::Done { mark: self.mark },
            b"EN" | b"NF" => Reply::Absent,
            b"NS" => Reply::Taken,
            b"EX" => Reply::Changed,
            _ if is_refusal(text) => {
                Reply::Refused(Refusal(String::from_utf8_lossy(text).into_owned()))
            }
            _ => return Err(Malformed),
        };
        Ok(Numbered {
            number: self.number,
            reply,
        })
    }
}

fn is_refusal(text: &[u8]) -> bool {
    let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    [&b"ERROR"[..], b"CLIENT_ERROR", b"SERVER_ERROR"].contains(&code)
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: usize = 10;

    /// All replies in what comes in pieces.
    fn read(pieces: &[&[u8]]) -> Result<Vec<Numbered>, Malformed> {
        let mut decoder = Decoder::new(LONGEST);
        let mut input = BytesMut::new();
        let mut replies = Vec::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            while let Some(reply) = decoder.next(&mut input)? {
                replies.push(reply);
            }
            assert!(
                input.len() <= MAX_LINE + LONGEST,
                "{} bytes are kept",
                input.len()
            );
        }
        Ok(replies)
    }

    fn one(text: &str) -> Result<(Option<u64>, Reply), Malformed> {
        let replies = read(&[text.as_bytes()])?;
        assert_eq!(replies.len(), 1, "{text:?}: {replies:?}");
        let numbered = replies.into_iter().next().unwrap();
        Ok((numbered.number, numbered.reply))
    }

    fn value(mark: u64, value: &'static str) -> Reply {
        let value = value.into();
        Reply::Value {
            mark: Some(mark),
            value,
        }
    }

    #[test]
    fn replies_are_read() {
        let done = |mark| Reply::Done { mark };
        let all = [
            ("VA 2 c5 O1\r\nab\r\n", Some(1), value(5, "ab")),
            (
                "VA 4 O1 c5 f0 W\r\n\r\nx\n\r\n",
                Some(1),
                value(5, "\r\nx\n"),
            ),
            (
                "VA 0 c18446744073709551615\r\n\r\n",
                None,
                value(u64::MAX, ""),
            ),
            ("HD c6 O2\r\n", Some(2), done(Some(6))),
            ("HD  O2 \r\n", Some(2), done(None)),
            ("EN\r\n", None, Reply::Absent),
            ("EN O3\r\n", Some(3), Reply::Absent),
            ("NF c0 O3\r\n", Some(3), Reply::Absent),
            ("NS c0 O3\r\n", Some(3), Reply::Taken),
            ("EX c0 O3\r\n", Some(3), Reply::Changed),
        ];
        for (text, number, reply) in all {
            assert_eq!(one(text), Ok((number, reply)), "{text:?}");
        }
    }

    #[test]
    fn refusals_are_told_apart() {
        let refusal = |text: &str| match one(text) {
            Ok((None, Reply::Refused(refusal))) => refusal,
            other => panic!("{other:?}"),
        };
        let too_large = refusal("SERVER_ERROR object too large for cache\r\n");
        assert!(too_large.is_too_large() && !too_large.is_passing());
        let full = refusal("SERVER_ERROR out of memory storing object\r\n");
        assert!(full.is_passing() && !full.is_too_large());
        for misunderstood in ["ERROR\r\n", "CLIENT_ERROR bad command line format\r\n"] {
            let refusal = refusal(misunderstood);
            assert!(refusal.is_misunderstanding());
            assert!(!refusal.is_passing() && !refusal.is_too_large());
        }
        let shown = refusal("SERVER_ERROR \x1b[2J\r\n").to_string();
        assert!(!shown.contains('\x1b'), "{shown}");
    }

    #[test]
    fn replies_may_come_in_any_pieces() {
        let text = b"VA 4 c5 O1\r\n\r\nab\r\nHD O2\r\nVA 99 O3\r\n";
        let text = [&text[..], &[b'x'; 99], b"\r\nEN O4\r\n"].concat();
        let whole = read(&[&text]).unwrap();
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[2].reply, Reply::TooLong(99));
        for size in 1..text.len() {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(read(&pieces).as_ref(), Ok(&whole), "{size}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bad in [
            "\r\n",
            "HD O1\n",
            "HD Ox\r\n",
            "HD O\r\n",
            "HD O-1\r\n",
            "HD O+1\r\n",
            "HD O18446744073709551616\r\n",
            "VA\r\n",
            "VA x\r\n",
            "VA -1\r\n",
            "VA c1\r\n",
            "VA 18446744073709551615\r\n",
            "VA 99999999999999999999\r\n",
            "VA 2 c1\r\nabcd",
            "hd O1\r\n",
            "HDx\r\n",
            "OK\r\n",
            "STORED\r\n",
            "VALUE k 0 1\r\nx\r\n",
            "ERRORS\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "\u{0}\r\n",
        ] {
            assert_eq!(read(&[bad.as_bytes()]), Err(Malformed), "{bad:?}");
        }
    }

    #[test]
    fn nothing_endless_is_kept() {
        assert_eq!(read(&[&[b'x'; MAX_LINE]]), Err(Malformed));
        assert_eq!(read(&vec![&b"VA "[..]; MAX_LINE]), Err(Malformed));
        let begun: &[u8] = b"VA 18446744073709551613 O1\r\n";
        let mut pieces = vec![begun];
        pieces.resize(1_000, &[b'x'; MAX_LINE]);
        assert_eq!(read(&pieces), Ok(Vec::new()));
    }
}
