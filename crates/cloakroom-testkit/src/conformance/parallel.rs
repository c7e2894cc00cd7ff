use std::{future::Future, sync::Arc};

use cloakroom_store::{StoreError, StoreErrorKind};
use tokio::{sync::Barrier, task::JoinHandle};

use super::case::{CaseResult, Finding, check};

pub(super) const TASKS: usize = 8;
pub(super) const ROUNDS: usize = 12;

/// Runs a task for each number at the same time and gives what they answer.
pub(super) async fn at_once<T, F>(tasks: usize, task: impl Fn(usize) -> F) -> CaseResult<Vec<T>>
where
    F: Future<Output = CaseResult<T>> + Send + 'static,
    T: Send + 'static,
{
    let barrier = Arc::new(Barrier::new(tasks));
    let start = |number| -> JoinHandle<CaseResult<T>> {
        let (barrier, work) = (Arc::clone(&barrier), task(number));
        tokio::spawn(async move {
            barrier.wait().await;
            work.await
        })
    };
    let handles: Vec<_> = (0..tasks).map(start).collect();
    let mut answers = Vec::new();
    for handle in handles {
        answers.push(handle.await??);
    }
    Ok(answers)
}

/// Whether a call succeeded; a finding when it was refused for another reason than this.
pub(super) fn won<T>(result: Result<T, StoreError>, lost: StoreErrorKind) -> CaseResult<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == lost => Ok(false),
        Err(error) => Err(Finding::from(error)),
    }
}

/// The number of the task that has won, which has to be one.
pub(super) fn winner(answers: &[bool]) -> CaseResult<usize> {
    let winners = answers.iter().filter(|won| **won).count();
    check(winners == 1, || {
        format!("{winners} of {} succeeded", answers.len())
    })?;
    Ok(answers.iter().position(|won| *won).unwrap_or_default())
}
