//! What becomes of responses.

use std::marker::PhantomData;

use cloakroom_core::{ErrorResponse, Framework, ResponseHead};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::head::ResponseView;

/// Everything on tower, whose handlers come to a response or an error.
#[derive(Debug)]
pub struct Tower<R, E>(PhantomData<fn() -> (R, E)>);

impl<R: From<&'static str>, E> Framework for Tower<R, E> {
    type Handled = Result<Response<R>, E>;

    fn status(handled: &Self::Handled) -> u16 {
        let status = handled.as_ref().map(Response::status);
        status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).as_u16()
    }

    fn head<T>(
        handled: &mut Self::Handled,
        look: impl FnOnce(&mut dyn ResponseHead) -> T,
    ) -> Option<T> {
        let response = handled.as_mut().ok()?;
        Some(look(&mut ResponseView(response.headers_mut())))
    }

    fn replace(handled: Self::Handled, error: &ErrorResponse) -> Self::Handled {
        handled.map(|replaced| {
            let mut response = answer(error);
            response
                .headers_mut()
                .extend(take_tokens(replaced.headers()));
            response
        })
    }
}

/// Cookies, and tokens in headers of their own: those are marked.
fn take_tokens(headers: &HeaderMap) -> HeaderMap {
    let is_token = |name: &HeaderName, value: &HeaderValue| {
        *name == header::SET_COOKIE || (value.is_sensitive() && *name != header::LOCATION)
    };
    headers
        .iter()
        .filter(|(name, value)| is_token(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What the client is told of an error. Why a request was refused is in the extensions alone.
pub(crate) fn answer<R: From<&'static str>>(error: &ErrorResponse) -> Response<R> {
    let mut response = Response::new(R::from(error.message()));
    let status = StatusCode::from_u16(error.status());
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    error.write_head(&mut ResponseView(response.headers_mut()));
    if let Some(refusal) = error.refusal() {
        response.extensions_mut().insert(refusal);
    }
    response
}
