//! Removes what has expired, by statements that are short.

use std::sync::Arc;

use cloakroom_store::{Operation, StoreError, Timestamp};
use mysql_async::Value;

use crate::{
    error::{Failure, Remedy},
    row,
    shared::Shared,
    sql::{KEYS, Query},
};

/// The most rows that are looked for at once.
const MOST_ROWS: usize = 500;

/// `id`, `namespace`
type Expired = [Value; 2];

pub(crate) async fn sweep(
    shared: &Arc<Shared>,
    now: Timestamp,
    limit: usize,
) -> Result<usize, StoreError> {
    let mut removed = 0;
    while removed < limit {
        let most = (limit - removed).min(MOST_ROWS);
        let mut count = 0;
        let result = shared
            .slowly(Operation::Sweep, step(shared, now, most, &mut count))
            .await;
        removed += count;
        match result {
            // What was locked, or is no longer expired, comes back if it is looked for at once.
            Ok(found) if found < most || count == 0 => break,
            Ok(_) => {}
            // What is gone is gone; the next sweep meets the error again.
            Err(_) if removed > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// Adds to `removed`, and says how many were found.
async fn step(
    shared: &Shared,
    now: Timestamp,
    most: usize,
    removed: &mut usize,
) -> Result<usize, Failure> {
    let values = || vec![row::time(now), row::count(most)];
    let answer = shared.slow.read(Query::FindExpired, values).await?;
    let mut expired: Vec<Expired> = Vec::with_capacity(answer.rows.len());
    for found in &answer.rows {
        expired.push([
            row::bytes(row::text(found, 0)?),
            row::bytes(row::text(found, 1)?),
        ]);
    }
    // All programs go through keys in one order, so that no two wait for each other.
    expired.sort_by(|[a, b], [c, d]| {
        bytes_of(a)
            .cmp(bytes_of(c))
            .then(bytes_of(b).cmp(bytes_of(d)))
    });
    for keys in expired.chunks(KEYS) {
        *removed += delete(shared, now, keys).await?;
    }
    Ok(expired.len())
}

async fn delete(shared: &Shared, now: Timestamp, keys: &[Expired]) -> Result<usize, Failure> {
    if let [_, .., last] = keys {
        // The statement has a place for each key of a full batch; the last one may be named often.
        let places = keys.iter().chain(std::iter::repeat(last)).take(KEYS);
        let now = [row::time(now)];
        let values = now.into_iter().chain(places.flatten().cloned()).collect();
        match shared.slow.run(Query::DeleteAllExpired, values).await {
            Ok(answer) if answer.affected > keys.len() => return Err(Failure::no_answer()),
            Ok(answer) => return Ok(answer.affected),
            // One of them has been locked since.
            Err(failure) if failure.remedy == Remedy::Again => {}
            Err(failure) => return Err(failure),
        }
    }
    let mut removed = 0;
    for [id, namespace] in keys {
        let values = vec![row::time(now), id.clone(), namespace.clone()];
        match shared.slow.run(Query::DeleteExpired, values).await {
            Ok(answer) => removed += answer.affected,
            Err(failure) if failure.remedy == Remedy::Again => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(removed)
}

fn bytes_of(value: &Value) -> &[u8] {
    match value {
        Value::Bytes(bytes) => bytes,
        _ => &[],
    }
}
