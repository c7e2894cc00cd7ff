//! Pages by key. A page goes on after the last key of the one before, whatever came and went.

use std::sync::Arc;

use cloakroom_store::{Cursor, Operation, Page, StoreError, Subject};

use crate::{
    cursor,
    error::Failure,
    row,
    shared::Shared,
    sql::Query,
    values::{Parameters, Row},
};

/// The most lines of one page.
const MOST_LINES: usize = 1_000;

pub(crate) async fn by_subject(
    shared: &Arc<Shared>,
    namespace: &str,
    subject: &Subject,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let after = cursor::read_of_subject(after)?;
    let most = limit.clamp(1, MOST_LINES);
    let list = async {
        let (subject, namespace) = (subject.as_str().as_bytes(), namespace.as_bytes());
        let count = i64::try_from(most).unwrap_or(i64::MAX);
        let parameters: Parameters<'_> = &[&subject, &namespace, &after, &count];
        let rows = shared.slow.read(Query::BySubject, parameters).await?;
        page(&rows, most, |id, _| cursor::of_subject(id))
    };
    shared.slowly(Operation::BySubject, list).await
}

pub(crate) async fn scan(
    shared: &Arc<Shared>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let (id, namespace) = cursor::read_of_scan(after)?;
    let most = limit.clamp(1, MOST_LINES);
    let list = async {
        let count = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = shared
            .slow
            .read(Query::Scan, &[&id, &namespace, &count])
            .await?;
        page(&rows, most, cursor::of_scan)
    };
    shared.slowly(Operation::Scan, list).await
}

fn page(
    rows: &[Row],
    most: usize,
    cursor: impl Fn(&[u8], &[u8]) -> Cursor,
) -> Result<Page, Failure> {
    let mut sessions = Vec::with_capacity(rows.len());
    for line in rows {
        sessions.extend(row::summary(line)?);
    }
    let next = match rows.last() {
        Some(last) if rows.len() >= most => {
            Some(cursor(row::column(last, 0)?, row::column(last, 1)?))
        }
        _ => None,
    };
    Ok(Page::new(sessions, next))
}
