//! Asking a server that has not answered for a while.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use cloakroom_store::Probe;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::link::Link;

/// How long one connection is waited for before the next is begun, and how many are made at once.
const PATIENCE: Duration = Duration::from_millis(500);
const MOST: usize = 3;
/// After one that was refused.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks the server until it answers on a new connection, which is the link's from then on, or until
/// the link is dropped.
///
/// A distant server may need the whole connect timeout for it, and a connection that was begun
/// before the server came back may never be made. So others are begun while one is waited for, and
/// the last of them is never waited for long.
pub(crate) async fn find_answering(link: Weak<Link>, probe: Probe) {
    let mut attempts = JoinSet::new();
    while let Some(held) = link.upgrade() {
        let (target, settings) = (Arc::clone(held.target()), Arc::clone(held.settings()));
        drop(held);
        if attempts.len() < MOST {
            let patience = match attempts.len() + 1 < MOST {
                true => settings.connect_timeout.saturating_add(settings.timeout),
                false => PATIENCE,
            };
            attempts.spawn(async move { target.ask(&settings, patience).await });
        }
        let asked = timeout(PATIENCE, attempts.join_next()).await;
        let Some(link) = link.upgrade() else { return };
        if let Ok(Some(Ok(Some(live)))) = asked {
            link.take(live);
            return probe.close();
        }
        link.ring();
        drop(link);
        if asked.is_ok() {
            sleep(PAUSE).await;
        }
    }
}
