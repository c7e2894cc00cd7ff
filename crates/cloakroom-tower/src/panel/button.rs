//! The button in a page that is at hand.

use axum::body::Body;
use bytes::Bytes;
use cloakroom_panel::{Recording, ResponseParts};
use futures_util::{FutureExt, StreamExt, stream};
use http::Response;
use http_body::Body as _;
use http_body_util::{BodyStream, StreamBody};

use super::layer::{named, set};

/// The response with the button in its page, or as it was. Never waits: a page that comes in parts
/// goes on in parts.
pub(super) fn add_button(recording: &Recording, response: Response<Body>) -> Response<Body> {
    let length = response.body().size_hint().exact();
    let takes = |headers: &[(&str, &[u8])]| {
        let status = response.status().as_u16();
        recording.takes_button(&ResponseParts { status, headers }, length)
    };
    if !takes(&named(response.headers()).collect::<Vec<_>>()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let body = match read(body) {
        Err(unread) => unread,
        Ok(page) => {
            let status = head.status.as_u16();
            let headers: Vec<_> = named(&head.headers).collect();
            let parts = ResponseParts {
                status,
                headers: &headers,
            };
            match recording.add_button(&parts, &page) {
                None => Body::from(page),
                Some(injection) => {
                    injection
                        .remove
                        .into_iter()
                        .for_each(|name| _ = head.headers.remove(name));
                    set(&mut head.headers, injection.set);
                    Body::from(injection.body)
                }
            }
        }
    };
    Response::from_parts(head, body)
}

/// A page, if it is all there; else the body as it was.
fn read(body: Body) -> Result<Bytes, Body> {
    let mut rest = BodyStream::new(body);
    let mut frames = Vec::new();
    let is_whole = loop {
        match rest.next().now_or_never() {
            Some(Some(frame)) => {
                let is_data = frame.as_ref().is_ok_and(|frame| frame.is_data());
                frames.push(frame);
                if !is_data {
                    break false;
                }
            }
            Some(None) => break true,
            None => break false,
        }
    };
    if !is_whole {
        return Err(Body::new(StreamBody::new(stream::iter(frames).chain(rest))));
    }
    let data = frames
        .into_iter()
        .flatten()
        .filter_map(|frame| frame.into_data().ok());
    Ok(data.collect::<Vec<_>>().concat().into())
}
