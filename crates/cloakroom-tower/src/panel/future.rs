use std::{
    any::Any,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use cloakroom_panel::{Panel, Recording, RequestEnd};
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{PanelBody, button::add_button};

pin_project! {
    /// The future of a [`PanelService`](crate::PanelService).
    ///
    /// Cancel safety: dropped, it drops the application's, and notes that the client has left.
    pub struct PanelFuture<F, R> {
        #[pin]
        stage: Stage<F, R>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, R> {
        Passed { #[pin] inner: F },
        // The panel is there for those who may see it.
        Recorded { #[pin] inner: F, recording: Ending, panel: Option<Panel> },
        Answering { answer: Answering<R> },
    }
}

type Answering<R> = Pin<Box<dyn Future<Output = Response<PanelBody<R>>> + Send>>;

/// Notes that the client has left, unless something else was noted.
struct Ending(Arc<Recording>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end(RequestEnd::Dropped);
    }
}

impl<F, R> PanelFuture<F, R> {
    pub(super) fn passed(inner: F) -> Self {
        let stage = Stage::Passed { inner };
        Self { stage }
    }

    pub(super) fn recorded(inner: F, recording: Arc<Recording>, panel: Option<Panel>) -> Self {
        let recording = Ending(recording);
        let stage = Stage::Recorded {
            inner,
            recording,
            panel,
        };
        Self { stage }
    }

    pub(super) fn answering(
        answer: impl Future<Output = Response<PanelBody<R>>> + Send + 'static,
    ) -> Self {
        let answer: Answering<R> = Box::pin(answer);
        let stage = Stage::Answering { answer };
        Self { stage }
    }
}

impl<F, R, E> Future for PanelFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes> + Unpin,
{
    type Output = Result<Response<PanelBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().stage.project() {
            StageProjection::Passed { inner } => {
                let response = ready!(inner.poll(context))?;
                Poll::Ready(Ok(response.map(PanelBody::passed)))
            }
            StageProjection::Answering { answer } => answer.as_mut().poll(context).map(Ok),
            StageProjection::Recorded {
                inner,
                recording: Ending(recording),
                panel,
            } => {
                let handled = catch_unwind(AssertUnwindSafe(|| inner.poll(context)));
                let response = match handled {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(Ok(response))) => response,
                    Ok(Poll::Ready(Err(error))) => {
                        recording.end(RequestEnd::Failed);
                        return Poll::Ready(Err(error));
                    }
                    Err(panic) => return panicked(recording, panic),
                };
                let header = |name: &str| Some(response.headers().get(name)?.as_bytes());
                recording.answered(response.status().as_u16(), header);
                Poll::Ready(Ok(match panel {
                    Some(panel) => add_button(panel, recording, response, context),
                    None => response.map(PanelBody::passed),
                }))
            }
        }
    }
}

fn panicked<T>(recording: &Recording, panic: Box<dyn Any + Send>) -> T {
    recording.end(RequestEnd::Panicked);
    resume_unwind(panic)
}

impl<F, R> fmt::Debug for PanelFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanelFuture").finish_non_exhaustive()
    }
}
