//! The one writer: takes what waits, and commits it together.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    checkpoint::Checkpoints,
    connection::{Connection, Role, Settings},
    error::{Failure, is_busy},
    stats::Counters,
    write::Write,
};

/// How long a call waits for other processes, below what the engine gives a call.
pub(crate) const PATIENCE: Duration = Duration::from_millis(400);

/// No commit holds more changes than this.
const MOST_CHANGES: usize = 256;

/// A transaction that has taken this long takes in no more changes.
const LONGEST: Duration = Duration::from_millis(20);

/// A change, and who waits for it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) write: Write,
    pub(crate) began: Instant,
    pub(crate) answer: oneshot::Sender<Result<usize, Failure>>,
    /// Gives room in the queue to another, once it is dropped.
    pub(crate) room: OwnedSemaphorePermit,
}

impl Job {
    fn answer(self, result: Result<usize, Failure>) {
        // The caller may have gone since it was begun.
        let _ = self.answer.send(result);
        drop(self.room);
    }
}

pub(crate) struct Writer {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    connection: Option<Connection>,
    checkpoints: Checkpoints,
    waiting: VecDeque<Job>,
    /// So many of those waiting go out alone: they were undone together.
    alone: usize,
}

impl Writer {
    pub(crate) fn new(
        settings: Arc<Settings>,
        counters: Arc<Counters>,
        connection: Connection,
        checkpoints: Checkpoints,
    ) -> Self {
        Self {
            settings,
            counters,
            connection: Some(connection),
            checkpoints,
            waiting: VecDeque::new(),
            alone: 0,
        }
    }

    /// Works until all senders are gone and nothing waits any more.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            if self.waiting.is_empty() {
                match jobs.recv() {
                    Ok(job) => self.waiting.push_back(job),
                    Err(_) => return,
                }
            }
            self.waiting.extend(jobs.try_iter().take(MOST_CHANGES));
            self.turn();
        }
    }

    /// Carries out what waits, or a part of it. Whose lock is with another process waits on.
    fn turn(&mut self) {
        self.dismiss();
        let Some(first) = self.waiting.front() else {
            self.alone = 0;
            return;
        };
        let deadline = first.began + PATIENCE;
        let connection = match self.connect(deadline) {
            Ok(connection) => connection,
            Err(failure) => return self.fail_all(&failure),
        };
        let broken = if self.alone > 0 || self.waiting.len() == 1 {
            self.alone = self.alone.saturating_sub(1);
            self.one(&connection, deadline)
        } else {
            self.several(&connection, MOST_CHANGES)
        };
        if !broken {
            self.checkpoints.after_commit(&connection);
            self.connection = Some(connection);
        }
    }

    /// Sends away who has gone, and who has waited too long. Nothing has happened for them.
    fn dismiss(&mut self) {
        let now = Instant::now();
        let mut waiting = std::mem::take(&mut self.waiting);
        for job in waiting.drain(..) {
            if job.answer.is_closed() {
                continue;
            }
            if now >= job.began + PATIENCE {
                job.answer(Err(Failure::timed_out("the database was locked or busy")));
            } else {
                self.waiting.push_back(job);
            }
        }
    }

    fn connect(&mut self, deadline: Instant) -> Result<Connection, Failure> {
        if let Some(mut connection) = self.connection.take() {
            if connection.is_current(&self.settings, Duration::ZERO) {
                connection.wait_until(deadline);
                return Ok(connection);
            }
            connection.abandon();
        }
        Connection::open(&self.settings, Role::Writer, deadline)
    }

    fn fail_all(&mut self, failure: &Failure) {
        for job in self.waiting.drain(..) {
            job.answer(Err(failure.clone()));
        }
    }

    /// One change, which is a transaction by itself. Whether the connection is broken.
    ///
    /// Where it has to wait for a lock, it waits before the change, not in it: the caller may go.
    fn one(&mut self, connection: &Connection, deadline: Instant) -> bool {
        connection.wait_until(Instant::now());
        let Some(job) = self.waiting.pop_front() else {
            return false;
        };
        match self.execute(&job, connection) {
            Ok(changed) => {
                self.counters.commit(1);
                job.answer(Ok(changed));
                false
            }
            Err(error) if is_busy(&error) => {
                self.waiting.push_front(job);
                connection.wait_until(deadline);
                self.several(connection, 1)
            }
            Err(error) => {
                let failure = Failure::from(error);
                let broken = failure.breaks_connection();
                job.answer(Err(failure));
                broken
            }
        }
    }

    /// Several changes in one transaction. Whether the connection is broken.
    fn several(&mut self, connection: &Connection, most: usize) -> bool {
        self.counters.statement();
        match connection.raw().execute_batch("BEGIN IMMEDIATE") {
            Ok(()) => {}
            Err(error) if is_busy(&error) => return false,
            Err(error) => {
                let failure = Failure::from(error);
                self.fail_all(&failure);
                return failure.breaks_connection();
            }
        }
        let begun = Instant::now();
        let mut done: Vec<(Job, Result<usize, Failure>)> = Vec::new();
        while done.len() < most
            && begun.elapsed() < LONGEST
            && let Some(job) = self.waiting.pop_front()
        {
            if job.answer.is_closed() {
                continue;
            }
            let result = self.execute(&job, connection).map_err(Failure::from);
            // Some errors undo the whole transaction, so that nothing at all has happened.
            let is_undone = result.is_err() && connection.raw().is_autocommit();
            done.push((job, result));
            if is_undone {
                return self.separate(done);
            }
        }
        self.commit(connection, done)
    }

    /// Takes up again, one by one, what was undone together.
    fn separate(&mut self, undone: Vec<(Job, Result<usize, Failure>)>) -> bool {
        self.alone = undone.len();
        let mut broken = false;
        for (job, result) in undone.into_iter().rev() {
            broken |= result.is_err_and(|failure| failure.breaks_connection());
            self.waiting.push_front(job);
        }
        broken
    }

    fn commit(&self, connection: &Connection, done: Vec<(Job, Result<usize, Failure>)>) -> bool {
        self.counters.statement();
        let committed = connection.raw().execute_batch("COMMIT");
        let Err(error) = committed else {
            self.counters.commit(done.len());
            let mut broken = false;
            for (job, result) in done {
                broken |= result.as_ref().is_err_and(Failure::breaks_connection);
                job.answer(result);
            }
            return broken;
        };
        // What of it has reached the disk is unknown, so nothing is tried again.
        let failure = Failure::from(error);
        let is_ended =
            connection.raw().is_autocommit() || connection.raw().execute_batch("ROLLBACK").is_ok();
        for (job, result) in done {
            job.answer(result.and(Err(failure.clone())));
        }
        failure.breaks_connection() || !is_ended
    }

    fn execute(&self, job: &Job, connection: &Connection) -> rusqlite::Result<usize> {
        self.counters.statement();
        job.write
            .execute(connection.raw(), &self.settings.statements)
    }
}
