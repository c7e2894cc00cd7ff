//! A connection on which the server tells what changes.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
    time::Duration,
};

use cloakroom_store::StoreErrorKind;
use tokio::time::timeout;
use tokio_postgres::{Client, Statement};

use super::told::Told;
use crate::{
    error::Failure,
    lane::Lane,
    source::{Session, Source},
    tell::{QUESTION, Telling},
    values::Row,
};

/// How often it is tried whether anything gets through, and how long that may take.
const TRIALS: u32 = 3;
pub(super) const TRIAL: Duration = Duration::from_millis(200);

/// It ends when this is dropped.
pub(super) struct Line {
    session: Session,
    check: Statement,
    telling: Telling,
    channel: String,
}

impl Line {
    /// Listens to the channel of a table.
    pub(super) async fn open(
        source: &Source,
        table: &str,
        patience: Duration,
        told: &Arc<Told>,
    ) -> Result<Self, Failure> {
        let session = source.open_listening(patience, Arc::clone(told)).await?;
        let client = client(&session)?;
        let check = client.prepare(&Telling::query(table)).await?;
        let telling = Telling::read(&ask(client, &check).await?)?;
        let channel = telling.channel()?;
        let listen = format!("LISTEN {channel}");
        client.batch_execute(&listen).await.map_err(no_listen)?;
        Ok(Self {
            session,
            check,
            telling,
            channel,
        })
    }

    /// Has the server answer on this connection, and say that all changes are still told. It has
    /// told what was changed before.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let client = client(&self.session)?;
        let telling = Telling::read(&ask(client, &self.check).await?)?;
        telling.channel()?;
        if telling != self.telling {
            let what = "the session table is another one than before";
            return Err(Failure::said(StoreErrorKind::Unavailable, what));
        }
        Ok(())
    }

    /// Finds out whether what is notified through another connection is heard on this one while it
    /// is idle. A pooler may execute `LISTEN` on a session that is another's a moment later, and
    /// answer every question.
    pub(super) async fn try_out(&self, other: &Lane, told: &Told) -> Result<(), Failure> {
        for _ in 0..TRIALS {
            let question = RandomState::new().build_hasher().finish();
            told.expect(question);
            let channel = &self.channel;
            let notify =
                format!("SELECT pg_catalog.pg_notify('{channel}', '{QUESTION}{question:x}')");
            other.live().await?.run_text(&notify).await?;
            let _ = timeout(TRIAL, told.heard()).await;
            if !told.waits() {
                return Ok(());
            }
        }
        self.check().await?;
        if !told.waits() {
            return Err(super::told::silent());
        }
        let what = "notifications do not get through to who listens: a pooler between that gives \
                    each statement another session, or an engine that ignores LISTEN";
        Err(Failure::said(StoreErrorKind::Unsupported, what))
    }
}

async fn ask(client: &Client, check: &Statement) -> Result<Vec<Row>, Failure> {
    let rows = client.query(check, &[]).await?;
    Ok(rows.into_iter().map(Row::Driver).collect())
}

fn client(session: &Session) -> Result<&Client, Failure> {
    let gone = || Failure::said(StoreErrorKind::Unavailable, "the connection is gone");
    session.client().ok_or_else(gone)
}

/// An engine that does not know the statement never will.
fn no_listen(error: tokio_postgres::Error) -> Failure {
    let mut failure = Failure::from(error);
    // feature_not_supported, syntax_error, undefined_function, insufficient_privilege
    let is_never = ["0A000", "42601", "42883", "42501"]
        .iter()
        .any(|code| failure.is_sql_state(code));
    if is_never {
        failure.kind = StoreErrorKind::Unsupported;
    }
    failure
}
