//! The way from a call to the threads and back.

use std::{
    sync::{
        Arc,
        mpsc::{self, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use cloakroom_store::{Cursor, Key, Operation, Page, Record, StoreError, StoreErrorKind};
use tokio::sync::{Semaphore, oneshot};

use crate::{
    checkpoint::{self, Checkpoints},
    connection::{Connection, Settings},
    error::{Failure, Reason},
    readers::{ReadJob, Reader, Readers},
    row::{self, Listing},
    stats::Counters,
    timer::Timer,
    write::Write,
    writer::{Job, Writer},
};

/// A call that a thread of the store has not answered for so long is given up: the disk hangs.
const GIVE_UP: Duration = Duration::from_secs(2);

/// Room for what waits, in units. Each call takes one, and one for each so many bytes of data.
const ROOM: u32 = 4096;
const BYTES_PER_UNIT: usize = 4096;

/// A store: its threads, what they wait for, and the connections of the callers.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) counters: Arc<Counters>,
    writes: Sender<Job>,
    room_for_writes: Arc<Semaphore>,
    pub(crate) readers: Arc<Readers>,
    reads: Sender<ReadJob>,
    room_for_reads: Arc<Semaphore>,
    timer: Timer,
}

impl Shared {
    pub(crate) fn start(
        settings: Arc<Settings>,
        writer: Connection,
        inline_loads: usize,
    ) -> Result<Self, Reason> {
        let counters = Arc::new(Counters::default());
        let readers = Readers::new(Arc::clone(&settings), Arc::clone(&counters), inline_loads);
        let readers = Arc::new(readers);
        // What fails here is tried again with the first load.
        let _ = readers.refill();
        let (writes, jobs) = mpsc::channel();
        let (checkpoints, due) = Checkpoints::new();
        let log = Arc::clone(&settings);
        spawn("cloakroom-log", move || checkpoint::run(&log, &due))?;
        let (own, counted) = (Arc::clone(&settings), Arc::clone(&counters));
        let writer = Writer::new(own, counted, writer, checkpoints);
        spawn("cloakroom-writer", move || writer.run(&jobs))?;
        let (reads, jobs) = mpsc::channel();
        let reader = Reader::new(Arc::clone(&readers));
        spawn("cloakroom-reader", move || reader.run(&jobs))?;
        let room = || Arc::new(Semaphore::new(usize::try_from(ROOM).unwrap_or(1)));
        Ok(Self {
            settings,
            counters,
            writes,
            room_for_writes: room(),
            readers,
            reads,
            room_for_reads: room(),
            timer: Timer::start().map_err(Reason::Io)?,
        })
    }

    /// Hands a change to the writer and waits for its commit.
    pub(crate) async fn write(
        &self,
        operation: Operation,
        write: Write,
    ) -> Result<usize, StoreError> {
        let began = Instant::now();
        let units = u32::try_from(1 + write.size() / BYTES_PER_UNIT).unwrap_or(ROOM);
        let answer = async {
            let room = Arc::clone(&self.room_for_writes);
            let room = room.acquire_many_owned(units.min(ROOM)).await;
            let room = room.map_err(|_| thread_is_gone())?;
            let (answer, result) = oneshot::channel();
            let job = Job {
                write,
                began,
                answer,
                room,
            };
            self.writes.send(job).map_err(|_| thread_is_gone())?;
            result.await.unwrap_or_else(|_| Err(thread_is_gone()))
        };
        let result = self.timer.limit(GIVE_UP, answer).await;
        let result = result.unwrap_or_else(|| Err(Failure::timed_out("the disk hangs")));
        result.map_err(|failure| failure.during(operation))
    }

    /// Reads on the thread of the store.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: Operation,
        read: impl FnOnce(&Connection, &Settings) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let settings = Arc::clone(&self.settings);
        let answer = async {
            let room = Arc::clone(&self.room_for_reads).acquire_owned().await;
            let room = room.map_err(|_| thread_is_gone())?;
            let (answer, result) = oneshot::channel();
            let read = move |connection: Result<&Connection, Failure>| {
                let _room = room;
                if answer.is_closed() {
                    return false;
                }
                let result = connection.and_then(|connection| read(connection, &settings));
                let broken = result.as_ref().is_err_and(Failure::breaks_connection);
                let _ = answer.send(result);
                broken
            };
            let read = Box::new(read);
            let sent = self.reads.send(ReadJob { began, read });
            sent.map_err(|_| thread_is_gone())?;
            result.await.unwrap_or_else(|_| Err(thread_is_gone()))
        };
        let result = self.timer.limit(GIVE_UP, answer).await;
        let result = result.unwrap_or_else(|| Err(Failure::timed_out("the disk hangs")));
        result.map_err(|failure| failure.during(operation))
    }

    pub(crate) async fn list(
        &self,
        operation: Operation,
        listing: Listing,
        limit: usize,
        cursor: impl FnOnce(&Key) -> Cursor,
    ) -> Result<Page, StoreError> {
        let read = move |connection: &Connection, settings: &Settings| {
            row::list(connection, settings, &listing, limit)
        };
        let (sessions, last) = self.read(operation, read).await?;
        Ok(Page::new(sessions, last.as_ref().map(cursor)))
    }

    pub(crate) fn check_size(
        &self,
        record: &Record,
        operation: Operation,
    ) -> Result<(), StoreError> {
        let (size, limit) = (record.data.len(), self.settings.max_data_size);
        if size <= limit {
            return Ok(());
        }
        let source = format!("the record has {size} bytes of data, {limit} are allowed");
        Err(StoreError::new(StoreErrorKind::TooLarge, operation).with_source(source))
    }
}

fn thread_is_gone() -> Failure {
    Failure::unavailable("a thread of the store has ended")
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Reason> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(drop).map_err(Reason::Io)
}
