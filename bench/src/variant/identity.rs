//! A tower layer that hands every request on as it is.

use axum::Router;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

use super::bare;

pub(super) fn router() -> Router {
    bare::router().layer(Identity)
}

#[derive(Clone)]
struct Identity;

impl<S> Layer<S> for Identity {
    type Service = HandOn<S>;

    fn layer(&self, inner: S) -> HandOn<S> {
        HandOn(inner)
    }
}

#[derive(Clone)]
struct HandOn<S>(S);

impl<S: Service<R>, R> Service<R> for HandOn<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}
