//! One statement for calls of one kind.

use crate::{
    call::{Call, Columns},
    error::Failure,
    lane::Lane,
    row,
    sql::Query,
    values::{self, Row},
};

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// Something else than expected was there, or nothing, or something.
    Refused,
    /// Somebody else has locked the row.
    Locked,
}

type Parameter<'a> = &'a (dyn values::Parameter + Sync);

/// Sends calls of one kind as one statement. Each has a fate of its own.
pub(crate) async fn together(lane: &Lane, calls: &[Call]) -> Result<Vec<Fate>, Failure> {
    let Some(first) = calls.first() else {
        return Ok(Vec::new());
    };
    let c = Columns::of(calls);
    let query = first.change.query();
    let key: [Parameter<'_>; 2] = [&c.id, &c.namespace];
    let record: [Parameter<'_>; 6] = [
        &c.version,
        &c.created,
        &c.last_seen,
        &c.expires,
        &c.subject,
        &c.data,
    ];
    let touch: [Parameter<'_>; 4] = [&c.expected, &c.last_seen, &c.expires, &c.deadline];
    let rest: Vec<Parameter<'_>> = match query {
        Query::Create => record.to_vec(),
        Query::Replace => [&record[..], &[&c.expected]].concat(),
        Query::Touch => touch.to_vec(),
        _ => Vec::new(),
    };
    let rows = lane.run(query, &[&key[..], &rest].concat()).await?;
    fates(&rows, calls.len())
}

fn fates(rows: &[Row], count: usize) -> Result<Vec<Fate>, Failure> {
    let mut fates = vec![Fate::Refused; count];
    for answer in rows {
        let number: i64 = row::column(answer, 0)?;
        let fate = match row::column(answer, 1)? {
            true => Fate::Done,
            false => Fate::Locked,
        };
        // They are numbered from 1.
        let index = usize::try_from(number).unwrap_or(0).checked_sub(1);
        if let Some(own) = index.and_then(|index| fates.get_mut(index)) {
            *own = fate;
        }
    }
    Ok(fates)
}

/// Sends one call as the plainest statement there is.
pub(crate) async fn alone(lane: &Lane, call: &Call) -> Result<Fate, Failure> {
    let c = Columns::of(std::slice::from_ref(call));
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    push(&mut parameters, &c.id);
    push(&mut parameters, &c.namespace);
    match call.change.query() {
        Query::Touch => {
            for column in [&c.expected, &c.last_seen, &c.expires, &c.deadline] {
                push(&mut parameters, column);
            }
        }
        _ => {
            for column in [&c.version, &c.created, &c.last_seen, &c.expires] {
                push(&mut parameters, column);
            }
            push(&mut parameters, &c.subject);
            push(&mut parameters, &c.data);
            push(&mut parameters, &c.expected);
        }
    }
    let rows = lane.run(call.change.query_alone(), &parameters).await?;
    Ok(match rows.is_empty() {
        true => Fate::Refused,
        false => Fate::Done,
    })
}

/// The value of a column of one call, if its kind has that column.
fn push<'a, T: values::Parameter + Sync>(parameters: &mut Vec<Parameter<'a>>, column: &'a [T]) {
    parameters.extend(column.first().map(|value| -> Parameter<'a> { value }));
}
