//! Several things at the same time, but not all of them.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// Runs futures, up to `most` at the same time, and gives what they give in the order of the
/// futures. The first error ends it: no more are begun, and those under way are dropped.
pub(super) async fn try_together<T, E, F>(
    futures: impl Iterator<Item = F>,
    most: usize,
) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut futures = futures.fuse().enumerate();
    let mut under_way: Vec<(usize, Pin<Box<F>>)> = Vec::new();
    let (mut done, mut failure) = (Vec::new(), None);
    poll_fn(|context| {
        loop {
            while under_way.len() < most
                && let Some((number, future)) = futures.next()
            {
                under_way.push((number, Box::pin(future)));
            }
            let before = under_way.len();
            under_way.retain_mut(|(number, future)| match future.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(Ok(value)) => {
                    done.push((*number, value));
                    false
                }
                Poll::Ready(Err(error)) => {
                    failure.get_or_insert(error);
                    false
                }
            });
            if before == 0 || failure.is_some() {
                return Poll::Ready(());
            }
            // Where one has ended the next is begun.
            if under_way.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    done.sort_by_key(|(number, _)| *number);
    match failure {
        Some(error) => Err(error),
        None => Ok(done.into_iter().map(|(_, value)| value).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use tokio::time::{Instant, sleep};

    use super::*;

    /// Waits longer the sooner it is begun, and counts those that wait with it.
    async fn wait(number: u32, now: &Cell<u32>, most: &Cell<u32>) -> Result<u32, u32> {
        now.set(now.get() + 1);
        most.set(most.get().max(now.get()));
        sleep(Duration::from_millis(u64::from(100 - number))).await;
        now.set(now.get() - 1);
        Ok(number)
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_under_way_and_their_order_stays() {
        for (count, at_once) in [(0, 0), (1, 1), (7, 7), (8, 8), (50, 8)] {
            let (now, most) = (Cell::new(0), Cell::new(0));
            let futures = (0..count).map(|number| wait(number, &now, &most));
            let expected: Vec<u32> = (0..count).collect();
            assert_eq!(try_together(futures, 8).await, Ok(expected));
            assert_eq!((now.get(), most.get()), (0, at_once), "of {count}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_ends_it() {
        let (begun, began) = (Cell::new(0), Instant::now());
        let futures = (0..50).map(|number| {
            let begun = &begun;
            async move {
                begun.set(begun.get() + 1);
                sleep(Duration::from_millis(10)).await;
                match number {
                    3 => Err("no"),
                    _ => std::future::pending().await,
                }
            }
        });
        assert_eq!(try_together::<(), _, _>(futures, 8).await, Err("no"));
        assert_eq!(begun.get(), 8);
        assert!(began.elapsed() < Duration::from_millis(20));
    }

    #[test]
    fn what_is_ready_needs_no_runtime() {
        let futures = (0..100).map(|number| std::future::ready(Ok::<_, ()>(number)));
        let mut all = std::pin::pin!(try_together(futures, 8));
        let polled = all
            .as_mut()
            .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        assert_eq!(polled, Poll::Ready(Ok((0..100).collect())));
    }
}
