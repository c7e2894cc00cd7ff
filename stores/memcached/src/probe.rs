//! Asking a server that has not answered for a while.

use std::{sync::Weak, time::Duration};

use cloakroom_store::Probe;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{dial::dial, link::Link};

/// How long one connection is waited for before the next is begun, and how many are made at once.
const PATIENCE: Duration = Duration::from_millis(500);
const MOST: usize = 3;
/// After one that was refused.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks the server until it answers on a new connection, which is the link's from then on, or until
/// the link is dropped. Whoever connects has asked it something.
///
/// A distant server may need the whole connect timeout for it, and a connection that was begun
/// before the server came back may never be made. So others are begun while one is waited for, and
/// the last of them is never waited for long.
pub(crate) async fn find_answering(link: Weak<Link>, probe: Probe) {
    let mut attempts = JoinSet::new();
    while let Some(held) = link.upgrade() {
        let (server, settings) = (held.server().clone(), held.settings());
        drop(held);
        if attempts.len() < MOST {
            let patience = match attempts.len() + 1 < MOST {
                true => settings.connect_timeout,
                false => PATIENCE,
            };
            attempts.spawn(async move {
                let asking = timeout(patience, dial(&server, settings.max_value));
                asking.await.ok()?.ok()
            });
        }
        let asked = timeout(PATIENCE, attempts.join_next()).await;
        if let Ok(Some(Ok(Some(live)))) = asked {
            if let Some(link) = link.upgrade() {
                link.take(live);
                probe.close();
            }
            return;
        }
        if asked.is_ok() {
            sleep(PAUSE).await;
        }
    }
}
