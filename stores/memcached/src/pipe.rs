//! One connection: the commands of all calls go through it one behind the other, and their replies
//! come back in the same order. Nobody waits for the reply to another's command.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, OnceLock},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use crate::{
    command::Command,
    reply::{Decoder, Malformed, Numbered, Reply},
};

/// How many commands may wait to be sent.
const MAX_QUEUED: usize = 256;
/// How many commands may be under way.
const MAX_UNANSWERED: usize = 1024;
/// From how many bytes on that could not be sent yet no more commands are taken.
const MAX_UNSENT: usize = 256 * 1024;
/// How many bytes are read at once, and more where a value is longer.
const READ: usize = 8 * 1024;

/// A connection. It is closed when it is dropped; what was not sent then never will be.
#[derive(Debug)]
pub(crate) struct Pipe {
    requests: mpsc::Sender<Request>,
    driver: AbortHandle,
    end: Arc<OnceLock<Arc<io::Error>>>,
}

struct Request {
    command: Command,
    answer: oneshot::Sender<Reply>,
}

impl Pipe {
    /// Takes over a connection that has nothing under way. `decoder` reads its replies.
    pub(crate) fn new<R, W>(reader: R, writer: W, decoder: Decoder) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, requests) = mpsc::channel(MAX_QUEUED);
        let end = Arc::new(OnceLock::new());
        let driver = Driver {
            reader,
            writer,
            decoder,
            requests,
            unanswered: VecDeque::new(),
            sent: 0,
            input: BytesMut::new(),
            output: BytesMut::new(),
        };
        let driver = tokio::spawn(driver.run(Arc::clone(&end)));
        Self {
            requests: sender,
            driver: driver.abort_handle(),
            end,
        }
    }

    /// Sends a command once and waits for its reply. When this is dropped before the command was
    /// sent, it never will be.
    pub(crate) async fn ask(&self, command: Command) -> Result<Reply, Arc<io::Error>> {
        let (answer, reply) = oneshot::channel();
        let request = Request { command, answer };
        if self.requests.send(request).await.is_err() {
            return Err(self.end());
        }
        reply.await.map_err(|_| self.end())
    }

    /// Whether it has broken.
    pub(crate) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    fn end(&self) -> Arc<io::Error> {
        let end = self.end.get().cloned();
        end.unwrap_or_else(|| Arc::new(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

struct Driver<R, W> {
    reader: R,
    writer: W,
    decoder: Decoder,
    requests: mpsc::Receiver<Request>,
    /// Who waits for the reply to the last commands sent, the first first.
    unanswered: VecDeque<oneshot::Sender<Reply>>,
    sent: u64,
    input: BytesMut,
    output: BytesMut,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Driver<R, W> {
    async fn run(mut self, end: Arc<OnceLock<Arc<io::Error>>>) {
        let ended = self.work().await;
        let why = ended
            .err()
            .unwrap_or_else(|| io::ErrorKind::ConnectionAborted.into());
        // Before those who wait learn that it is over.
        let _ = end.set(Arc::new(why));
    }

    async fn work(&mut self) -> io::Result<()> {
        loop {
            self.input
                .reserve(self.decoder.missing(&self.input).max(READ));
            let has_room = self.has_room();
            tokio::select! {
                biased;
                read = self.reader.read_buf(&mut self.input) => {
                    if read? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.hand_out()?;
                }
                request = self.requests.recv(), if has_room => {
                    let Some(request) = request else {
                        return Ok(());
                    };
                    self.accept(request);
                    while self.has_room() && let Ok(request) = self.requests.try_recv() {
                        self.accept(request);
                    }
                }
                written = self.writer.write_buf(&mut self.output), if !self.output.is_empty() => {
                    if written? == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                }
            }
        }
    }

    fn has_room(&self) -> bool {
        self.unanswered.len() < MAX_UNANSWERED && self.output.len() < MAX_UNSENT
    }

    fn accept(&mut self, Request { command, answer }: Request) {
        // Nobody waits for it any more.
        if answer.is_closed() {
            return;
        }
        command.encode(self.sent, &mut self.output);
        self.sent += 1;
        self.unanswered.push_back(answer);
    }

    /// Gives all replies that have come to those who wait for them.
    fn hand_out(&mut self) -> io::Result<()> {
        let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        while let Some(numbered) = self.decoder.next(&mut self.input).map_err(malformed)? {
            let reply = self.check(numbered).map_err(malformed)?;
            // What it takes for the next command may be the block of this one, and what it says
            // next an answer to that.
            let is_over =
                matches!(&reply, Reply::Refused(refusal) if refusal.is_misunderstanding());
            let answer = self.unanswered.pop_front();
            // Whoever is gone does not need it.
            let _ = answer.ok_or(Malformed).map_err(malformed)?.send(reply);
            if is_over {
                return Err(malformed(Malformed));
            }
        }
        Ok(())
    }

    /// That a reply is the one to the command that is first in line: nobody is ever given what is
    /// another's. Only a value has to say so; before 1.6.18 not all others do.
    fn check(&self, Numbered { number, reply }: Numbered) -> Result<Reply, Malformed> {
        let unanswered = u64::try_from(self.unanswered.len()).map_err(|_| Malformed)?;
        let expected = self.sent - unanswered;
        let has_to = matches!(
            reply,
            Reply::Value { .. } | Reply::TooLong(_) | Reply::Done { .. }
        );
        match number {
            Some(number) if number != expected => Err(Malformed),
            None if has_to => Err(Malformed),
            _ => Ok(reply),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex, split};

    use super::*;

    fn pipe(capacity: usize) -> (Pipe, DuplexStream) {
        let (ours, theirs) = duplex(capacity);
        let (reader, writer) = split(ours);
        (Pipe::new(reader, writer, Decoder::new(100)), theirs)
    }

    async fn sees(server: &mut DuplexStream, expected: &str) {
        let mut seen = vec![0; expected.len()];
        server.read_exact(&mut seen).await.unwrap();
        assert_eq!(String::from_utf8(seen).unwrap(), expected);
    }

    #[tokio::test]
    async fn replies_go_to_those_who_have_asked() {
        let (pipe, mut server) = pipe(1024);
        let (get, delete) = (Command::get("a"), Command::delete("b"));
        let serve = async {
            sees(&mut server, "mg a c v O0\r\nmd b O1\r\n").await;
            server
                .write_all(b"VA 1 c5 O0\r\nx\r\nNF O1\r\n")
                .await
                .unwrap();
        };
        let (got, deleted, ()) = tokio::join!(pipe.ask(get), pipe.ask(delete), serve);
        assert!(matches!(got, Ok(Reply::Value { .. })), "{got:?}");
        assert!(matches!(deleted, Ok(Reply::Absent)), "{deleted:?}");
    }

    #[tokio::test]
    async fn whoever_left_is_answered_by_nobody() {
        let (pipe, mut server) = pipe(1024);
        {
            let mut first = std::pin::pin!(pipe.ask(Command::get("a")));
            tokio::select! {
                biased;
                _ = &mut first => panic!("there is no reply"),
                () = sees(&mut server, "mg a c v O0\r\n") => {}
            }
        }
        let serve = async {
            sees(&mut server, "mg b c v O1\r\n").await;
            let both = b"VA 1 c5 O0\r\na\r\nVA 1 c6 O1\r\nb\r\n";
            server.write_all(both).await.unwrap();
        };
        let (got, ()) = tokio::join!(pipe.ask(Command::get("b")), serve);
        let Ok(Reply::Value { value, .. }) = got else {
            panic!("{got:?}");
        };
        assert_eq!(value, "b");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_sent() {
        // The server reads nothing, so that commands are left.
        let (pipe, mut server) = pipe(4);
        let pipe = Arc::new(pipe);
        let mut tasks = Vec::new();
        for _ in 0..MAX_UNANSWERED + MAX_QUEUED {
            let pipe = Arc::clone(&pipe);
            tasks.push(tokio::spawn(
                async move { pipe.ask(Command::get("a")).await },
            ));
        }
        while pipe.requests.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.abort();
        }
        let mut later = std::pin::pin!(pipe.ask(Command::delete("b")));
        let mut seen = String::new();
        let mut buffer = [0; 64];
        let mut answered = 0;
        while !seen.contains("md b") {
            tokio::select! {
                biased;
                reply = &mut later => panic!("{reply:?}"),
                read = server.read(&mut buffer) => {
                    seen.push_str(std::str::from_utf8(&buffer[..read.unwrap()]).unwrap());
                }
            }
            while answered < seen.matches("\r\n").count() {
                let reply = format!("EN O{answered}\r\n");
                server.write_all(reply.as_bytes()).await.unwrap();
                answered += 1;
            }
        }
        let sent = seen.matches("mg a").count();
        assert!(sent <= MAX_UNANSWERED, "{sent}");
    }

    #[tokio::test]
    async fn a_reply_to_another_command_ends_the_connection() {
        for reply in [
            "VA 1 c5 O1\r\nx\r\n",
            "VA 1 c5\r\nx\r\n",
            "VA 999 c5\r\n",
            "HD c5\r\n",
            "EN O1\r\n",
            "HTTP/1.1 200 OK\r\n",
        ] {
            let (pipe, mut server) = pipe(1024);
            let serve = async {
                sees(&mut server, "mg a c v O0\r\n").await;
                server.write_all(reply.as_bytes()).await.unwrap();
                // As long as it is skipped.
                server.write_all(&[b'x'; 1001]).await.unwrap_or_default();
            };
            let (got, ()) = tokio::join!(pipe.ask(Command::get("a")), serve);
            let error = got.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{reply:?}");
            assert!(pipe.is_closed());
            let again = pipe.ask(Command::get("a")).await.unwrap_err();
            assert_eq!(again.kind(), io::ErrorKind::InvalidData, "{reply:?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_believed_after_a_misunderstanding() {
        for refusal in ["ERROR\r\n", "CLIENT_ERROR bad data chunk\r\n"] {
            let (pipe, mut server) = pipe(1024);
            let serve = async {
                sees(&mut server, "mg a c v O0\r\nmd b O1\r\n").await;
                // The second line may be about what was the block of the first command.
                let said = format!("{refusal}NF\r\n");
                server.write_all(said.as_bytes()).await.unwrap();
            };
            let (get, delete) = (Command::get("a"), Command::delete("b"));
            let (got, deleted, ()) = tokio::join!(pipe.ask(get), pipe.ask(delete), serve);
            assert!(matches!(got, Ok(Reply::Refused(_))), "{got:?}");
            assert_eq!(deleted.unwrap_err().kind(), io::ErrorKind::InvalidData);
            assert!(pipe.is_closed());
        }
    }

    #[tokio::test]
    async fn a_reply_that_nobody_asked_for_ends_the_connection() {
        let (pipe, mut server) = pipe(1024);
        server.write_all(b"HD O0\r\n").await.unwrap();
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
        assert!(pipe.is_closed());
    }

    #[tokio::test]
    async fn a_dropped_pipe_is_closed_at_once() {
        let (pipe, mut server) = pipe(1024);
        drop(pipe);
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    }
}
