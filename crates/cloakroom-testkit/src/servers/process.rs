//! Processes: a server with its children, and what outlives the test to end them.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How long a signal may take to have its effect.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// A server's process. PostgreSQL has children, each in a session of its own, so that signals to a
/// group do not reach them.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: Pid,
}

impl Process {
    /// Starts a command, out of reach of the terminal's Ctrl-C, which is the test's.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let pid = Pid::from_child(&child);
        Ok(Self { child, pid })
    }

    /// The numbers of all its processes.
    pub(super) fn numbers(&self) -> io::Result<Vec<Pid>> {
        let children = self.children()?.into_iter();
        Ok(std::iter::once(self.pid).chain(children).collect())
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Stops it and its children where they are, before this returns.
    pub(super) fn freeze(&self) -> io::Result<()> {
        // The parent first, since it makes children.
        for pid in std::iter::once(self.pid).chain(self.children()?) {
            send(pid, Signal::STOP)?;
            wait_until(|| Ok(matches!(state(pid)?, None | Some('T' | 'Z'))))?;
        }
        for pid in self.children()? {
            send(pid, Signal::STOP)?;
        }
        Ok(())
    }

    pub(super) fn thaw(&self) -> io::Result<()> {
        for pid in self.children()?.into_iter().chain([self.pid]) {
            send(pid, Signal::CONT)?;
        }
        Ok(())
    }

    /// Ends it and its children at once.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.freeze()?;
        let children = self.children()?;
        send(self.pid, Signal::KILL)?;
        for pid in &children {
            send(*pid, Signal::KILL)?;
        }
        self.child.wait()?;
        // Children that live on would hold the memory that the next server wants to share.
        wait_until(|| {
            let mut states = children.iter().map(|pid| state(*pid));
            states.try_fold(true, |all, state| {
                Ok(all && matches!(state?, None | Some('Z')))
            })
        })
    }

    /// Asks it to end, and kills it if it doesn't.
    pub(super) fn end(&mut self, signal: Signal) -> io::Result<()> {
        self.thaw()?;
        send(self.pid, signal)?;
        match wait_until(|| Ok(self.child.try_wait()?.is_some())) {
            Ok(()) => Ok(()),
            Err(_) => self.kill(),
        }
    }

    /// The processes that it has started, and those that they have.
    fn children(&self) -> io::Result<Vec<Pid>> {
        let parents = parents()?;
        let descends = |mut pid: i32| {
            while let Some(parent) = parents.get(&pid) {
                if *parent == self.pid.as_raw_pid() {
                    return true;
                }
                pid = *parent;
            }
            false
        };
        let children = parents.keys().copied().filter(|pid| descends(*pid));
        Ok(children.filter_map(Pid::from_raw).collect())
    }
}

/// Ends a server and removes its folder when the test process ends without doing so: by a signal,
/// a timeout or an abort. It is a shell that waits for the end of its input.
#[derive(Debug)]
pub(super) struct Heir {
    shell: Child,
    told: ChildStdin,
}

impl Heir {
    pub(super) fn appoint(folder: &Path) -> io::Result<Self> {
        const SCRIPT: &str = "while read -r line; do pids=$line; done; \
            [ -z \"$pids\" ] || kill -KILL $pids; sleep 1; rm -rf \"$1\"";
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        match shell.stdin.take() {
            Some(told) => Ok(Self { shell, told }),
            None => Err(io::Error::other("no pipe to the shell")),
        }
    }

    /// Says which processes are the server now.
    pub(super) fn tell(&mut self, server: &[Pid]) -> io::Result<()> {
        let numbers: Vec<String> = server.iter().map(Pid::to_string).collect();
        writeln!(self.told, "{}", numbers.join(" "))
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        // Nothing is left to inherit.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Sends a signal to a process that may have ended already.
fn send(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill_process(pid, signal) {
        Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn wait_until(mut done: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let began = Instant::now();
    while !done()? {
        if began.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// A process's state as a letter, as `ps` has it. `None` when there is no such process.
fn state(pid: Pid) -> io::Result<Option<char>> {
    if !Path::new("/proc/self/stat").exists() {
        let state = ps(&["-o", "state=", "-p", &pid.to_string()])?;
        return Ok(state.trim().chars().next());
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let fields = stat.as_deref().and_then(fields);
    Ok(fields.and_then(|(state, _)| state.chars().next()))
}

/// The parent of each process.
fn parents() -> io::Result<HashMap<i32, i32>> {
    if !Path::new("/proc/self/stat").exists() {
        let pairs = ps(&["-A", "-o", "pid=,ppid="])?;
        let pairs = pairs.lines().filter_map(|line| {
            let (pid, parent) = line.trim().split_once(' ')?;
            Some((pid.parse().ok()?, parent.trim().parse().ok()?))
        });
        return Ok(pairs.collect());
    }
    let pairs = fs::read_dir("/proc")?.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, parent) = fields(&stat)?;
        Some((pid, parent))
    });
    Ok(pairs.collect())
}

/// State and parent of what Linux says of a process: `pid (name) state parent ...`.
fn fields(stat: &str) -> Option<(&str, i32)> {
    // The name may hold anything, so it is looked for from behind.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?, fields.next()?.parse().ok()?))
}

fn ps(options: &[&str]) -> io::Result<String> {
    let output = Command::new("ps").args(options).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
