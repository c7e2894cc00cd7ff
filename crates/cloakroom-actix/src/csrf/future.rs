use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Error,
    body::{BoxBody, EitherBody},
    dev::ServiceResponse,
};
use pin_project_lite::pin_project;

pin_project! {
    /// The future of a [`CsrfService`](crate::CsrfService).
    pub struct CsrfFuture<F, B> {
        #[pin]
        stage: Stage<F, B>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, B> {
        Passed { #[pin] inner: F },
        Checking { checked: Checking<B> },
    }
}

type Response<B> = ServiceResponse<EitherBody<B, BoxBody>>;
type Checking<B> = Pin<Box<dyn Future<Output = Result<Response<B>, Error>>>>;

impl<F, B> CsrfFuture<F, B> {
    pub(super) fn passed(inner: F) -> Self {
        let stage = Stage::Passed { inner };
        Self { stage }
    }

    pub(super) fn checking(
        checked: impl Future<Output = Result<Response<B>, Error>> + 'static,
    ) -> Self {
        let checked: Checking<B> = Box::pin(checked);
        let stage = Stage::Checking { checked };
        Self { stage }
    }
}

impl<F, B> Future for CsrfFuture<F, B>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<Response<B>, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().stage.project() {
            StageProjection::Passed { inner } => inner
                .poll(context)
                .map_ok(ServiceResponse::map_into_left_body),
            StageProjection::Checking { checked } => checked.as_mut().poll(context),
        }
    }
}

impl<F, B> fmt::Debug for CsrfFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfFuture").finish_non_exhaustive()
    }
}
