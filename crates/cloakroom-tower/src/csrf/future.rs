use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// The future of a [`CsrfService`](crate::CsrfService) and of a
    /// [`CsrfTokenService`](crate::CsrfTokenService).
    pub struct CsrfFuture<F, R, E> {
        #[pin]
        stage: Stage<F, R, E>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, R, E> {
        Passed { #[pin] inner: F },
        Refused { answer: Option<Box<Response<R>>> },
        Checking { checked: Checking<R, E> },
    }
}

type Checking<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>;

impl<F, R, E> CsrfFuture<F, R, E> {
    pub(super) fn passed(inner: F) -> Self {
        let stage = Stage::Passed { inner };
        Self { stage }
    }

    pub(super) fn refused(answer: Response<R>) -> Self {
        let answer = Some(Box::new(answer));
        let stage = Stage::Refused { answer };
        Self { stage }
    }

    pub(super) fn checking(
        checked: impl Future<Output = Result<Response<R>, E>> + Send + 'static,
    ) -> Self {
        let checked: Checking<R, E> = Box::pin(checked);
        let stage = Stage::Checking { checked };
        Self { stage }
    }
}

impl<F, R, E> Future for CsrfFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().stage.project() {
            StageProjection::Passed { inner } => inner.poll(context),
            StageProjection::Checking { checked } => checked.as_mut().poll(context),
            StageProjection::Refused { answer } => match answer.take() {
                Some(answer) => Poll::Ready(Ok(*answer)),
                None => Poll::Pending,
            },
        }
    }
}

impl<F, R, E> fmt::Debug for CsrfFuture<F, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfFuture").finish_non_exhaustive()
    }
}
