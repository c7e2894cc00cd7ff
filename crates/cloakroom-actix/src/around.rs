use std::{
    future::Future,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error,
    body::{BoxBody, EitherBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
};
use cloakroom_core::ErrorResponse;
use futures_util::future::{Ready, ready};

use crate::rejection::answer;

/// A middleware of this crate, which does `R` around what is inside.
#[derive(Debug, Default, Clone)]
#[must_use = "middleware does nothing by itself"]
pub struct Around<R>(pub(crate) R);

pub(crate) type Response<B> = ServiceResponse<EitherBody<B, BoxBody>>;

/// What a middleware does with a request, and with the response of the service inside.
pub trait Surround<S, B>: Clone {
    type Future: Future<Output = Result<Response<B>, Error>>;

    fn serve(rules: &Rc<Self>, request: ServiceRequest, inner: &Rc<S>) -> Self::Future;
}

/// An answer in the place of the application's.
pub(crate) fn refuse<B>(request: ServiceRequest, refused: &ErrorResponse) -> Response<B> {
    let response = request.into_response(answer(refused));
    response.map_into_right_body()
}

impl<R, S, B> Transform<S, ServiceRequest> for Around<R>
where
    R: Surround<S, B>,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
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
    R: Surround<S, B>,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = Response<B>;
    type Error = Error;
    type Future = R::Future;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.1.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        R::serve(&self.0, request, &self.1)
    }
}
