//! The program of the peers, which keeps their stores.

use std::cell::RefCell;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use cloakroom_load::{Crew, Kept, Round};

use crate::subject::Subject;

/// The program, built and started.
pub(crate) struct Peers {
    program: Child,
    lines: RefCell<Lines>,
}

struct Lines {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// How many crews the program has.
    count: usize,
}

impl Peers {
    /// Builds it, which takes minutes the first time.
    pub(crate) fn start() -> Rc<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/Cargo.toml");
        let mut command = Command::new(cargo);
        command.args(["run", "--release", "--quiet", "--locked"]);
        command.args(["--manifest-path", manifest, "--target-dir"]);
        let own = std::env::current_exe().expect("the path of this program");
        command.arg(own.ancestors().nth(2).unwrap_or(Path::new("target")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().expect("cargo");
        let to = program.stdin.take().expect("a pipe");
        let from = BufReader::new(program.stdout.take().expect("a pipe"));
        let lines = RefCell::new(Lines { to, from, count: 0 });
        Rc::new(Self { program, lines })
    }

    /// A store of tower-sessions.
    pub(crate) fn open(
        self: &Rc<Self>,
        name: &'static str,
        store: &str,
        settings: &str,
        url: &str,
        (width, is_shared): (usize, bool),
    ) -> Subject {
        let sharing = if is_shared { "shared" } else { "own" };
        let answer = self.say(&format!("open {store} {settings} {url} {width} {sharing}"));
        assert_eq!(answer, "ok");
        let mut lines = self.lines.borrow_mut();
        let crew = |number| Box::new(PeerCrew(Rc::clone(self), number));
        let subject = Subject::new(name, crew(lines.count), crew(lines.count + 1));
        lines.count += 2;
        subject
    }

    /// Ends all that was opened.
    pub(crate) fn close(&self) {
        assert_eq!(self.say("close"), "ok");
        self.lines.borrow_mut().count = 0;
    }

    /// Says a line, and gives the line that comes back.
    fn say(&self, line: &str) -> String {
        let mut lines = self.lines.borrow_mut();
        writeln!(lines.to, "{line}").expect("the peers' program listens");
        let mut answer = String::new();
        lines.from.read_line(&mut answer).expect("lines of text");
        assert!(
            !answer.is_empty(),
            "the peers' program has ended at: {line}"
        );
        answer.trim_end().to_owned()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It ends of itself when its input does.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Clients that are in the program of the peers.
struct PeerCrew(Rc<Peers>, usize);

impl Crew for PeerCrew {
    fn round(&mut self, width: usize, time: Duration) -> Pin<Box<dyn Future<Output = Round> + '_>> {
        let Self(peers, number) = self;
        let line = format!("round {number} {width} {}", time.as_millis());
        let round = peers.say(&line).parse().expect("a round");
        Box::pin(std::future::ready(round))
    }

    fn kept(&mut self) -> Pin<Box<dyn Future<Output = Option<Kept>> + '_>> {
        let Self(peers, number) = self;
        let answer = peers.say(&format!("kept {number}"));
        let numbers: Option<Vec<u64>> = answer.split(' ').map(|word| word.parse().ok()).collect();
        let kept = match numbers.as_deref() {
            Some(&[changes, kept]) => Some(Kept { changes, kept }),
            _ => None,
        };
        Box::pin(std::future::ready(kept))
    }
}
