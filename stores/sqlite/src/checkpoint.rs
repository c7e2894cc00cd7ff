//! Moves the log to the database, beside the writer: that waits for the disk twice, and no change
//! has to wait with it.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use crate::connection::{Connection, Role, Settings};

/// How many pages the log grows by from one checkpoint to the next.
const PAGES: usize = 1000;

/// A log that is as long as this has grown under each checkpoint, so the writer pauses for one.
/// The log then begins anew.
const MOST_PAGES: usize = 8 * PAGES;

/// Decides when a checkpoint is due.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    due: SyncSender<()>,
    next: usize,
    last: usize,
}

impl Checkpoints {
    /// And what [`run`] waits for.
    pub(crate) fn new() -> (Self, Receiver<()>) {
        let (due, receiver) = sync_channel(1);
        let checkpoints = Self {
            due,
            next: PAGES,
            last: 0,
        };
        (checkpoints, receiver)
    }

    /// After each commit of the writer.
    pub(crate) fn after_commit(&mut self, writer: &Connection) {
        let pages = writer.log_pages();
        if pages < self.last {
            self.next = PAGES;
        }
        self.last = pages;
        if pages >= MOST_PAGES {
            writer.checkpoint();
        } else if pages >= self.next {
            self.next = pages + PAGES;
            // One that is under way or due already is enough.
            let _ = self.due.try_send(());
        }
    }
}

/// Works until the writer is gone. What fails is tried again when the log has grown.
pub(crate) fn run(settings: &Settings, due: &Receiver<()>) {
    let mut kept: Option<Connection> = None;
    while due.recv().is_ok() {
        if let Some(mut connection) = kept.take() {
            if connection.is_current(settings, Duration::ZERO) {
                kept = Some(connection);
            } else {
                connection.abandon();
            }
        }
        if kept.is_none() {
            kept = Connection::open(settings, Role::Reader, Instant::now()).ok();
        }
        if !kept.as_ref().is_some_and(Connection::checkpoint) {
            kept = None;
        }
    }
}
