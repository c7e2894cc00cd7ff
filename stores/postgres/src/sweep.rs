//! Removes what has expired, by statements that are short.

use std::sync::Arc;

use cloakroom_store::{Operation, StoreError, Timestamp};

use crate::{
    error::{Failure, Remedy},
    row,
    shared::Shared,
    sql::Query,
};

/// The most rows of one statement, and so of one transaction.
const MOST_ROWS: usize = 500;

pub(crate) async fn sweep(
    shared: &Arc<Shared>,
    now: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let mut removed = 0;
    while removed < limit {
        let most = (limit - removed).min(MOST_ROWS);
        let result = shared
            .slowly(Operation::Sweep, step(shared, now, most))
            .await;
        match result {
            Ok((count, found)) => {
                removed += count;
                if found < most {
                    break;
                }
            }
            // What is gone is gone; the next sweep meets the error again.
            Err(_) if removed > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// How many were removed, and how many were found.
async fn step(shared: &Shared, now: Timestamp, most: usize) -> Result<(usize, usize), Failure> {
    if shared.is_plain() {
        return step_plainly(shared, now, most).await;
    }
    let parameters = (row::bound(now), count(most));
    let rows = shared
        .slow
        .read(Query::Sweep, &[&parameters.0, &parameters.1])
        .await;
    match rows {
        Ok(rows) => Ok((rows.len(), rows.len())),
        Err(failure) if failure.remedy == Remedy::Plainer => {
            shared.be_plain();
            step_plainly(shared, now, most).await
        }
        Err(failure) => Err(failure),
    }
}

/// For an engine that can't lock rows of several shards in one statement.
async fn step_plainly(
    shared: &Shared,
    now: Timestamp,
    most: usize,
) -> Result<(usize, usize), Failure> {
    let (now, most) = (row::bound(now), count(most));
    let expired = shared.slow.read(Query::FindExpired, &[&now, &most]).await?;
    let mut removed = 0;
    for key in &expired {
        let (id, namespace): (&[u8], &[u8]) = (row::column(key, 0)?, row::column(key, 1)?);
        let deleted = shared
            .slow
            .read(Query::DeleteExpired, &[&id, &namespace, &now])
            .await?;
        removed += deleted.len();
    }
    Ok((removed, expired.len()))
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
