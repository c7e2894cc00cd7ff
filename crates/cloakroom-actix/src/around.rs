use std::{
    future::Future,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};
use cloakroom_core::ErrorResponse;
use futures_util::future::{LocalBoxFuture, Ready, ready};

use crate::rejection::answer;

/// A middleware of this crate, which does `R` around what is inside.
#[derive(Debug, Default, Clone)]
#[must_use = "middleware does nothing by itself"]
pub struct Around<R>(pub(crate) R);

pub(crate) type Response<B> = ServiceResponse<EitherBody<B, BoxBody>>;

/// What a middleware does with a request, and with the response.
pub(crate) trait Surround: Clone + 'static {
    fn serve<B: MessageBody + 'static>(
        self: Rc<Self>,
        request: ServiceRequest,
        inner: impl AsyncFnOnce(ServiceRequest) -> Result<ServiceResponse<B>, Error> + 'static,
    ) -> impl Future<Output = Result<Response<B>, Error>> + 'static;
}

/// An answer in the place of the application's.
pub(crate) fn refuse<B>(request: ServiceRequest, refused: &ErrorResponse) -> Response<B> {
    let response = request.into_response(answer(refused));
    response.map_into_right_body()
}

impl<R, S, B> Transform<S, ServiceRequest> for Around<R>
where
    R: Surround,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Response<B>;
    type Error = Error;
    type Transform = AroundService<R, S>;
    type InitError = ();
    type Future = Ready<Result<AroundService<R, S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let rules = Rc::new(self.0.clone());
        ready(Ok(AroundService(rules, Rc::new(inner))))
    }
}

/// The service that [`Around`] makes.
#[derive(Debug)]
pub struct AroundService<R, S>(Rc<R>, Rc<S>);

impl<R, S, B> Service<ServiceRequest> for AroundService<R, S>
where
    R: Surround,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Response<B>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Response<B>, Error>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.1.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (rules, inner) = (Rc::clone(&self.0), Rc::clone(&self.1));
        Box::pin(rules.serve(request, move |request| inner.call(request)))
    }
}
