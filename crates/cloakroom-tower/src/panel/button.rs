//! The button in a page.

use std::{
    collections::VecDeque,
    pin::pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use cloakroom_panel::{Injection, Panel, Recording, ResponseParts, inject};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame};

use super::PanelBody;

/// A larger page has no button.
const LARGEST_PAGE: u64 = 2 * 1024 * 1024;

/// Puts the button into a page that is at hand. Whatever else it is passes untouched.
pub(super) fn add_button<R: Body<Data = Bytes> + Unpin>(
    panel: &Panel,
    recording: &Recording,
    response: Response<R>,
    context: &mut Context<'_>,
) -> Response<PanelBody<R>> {
    let size = response.body().size_hint().exact();
    let is_small = size.is_some_and(|size| size > 0 && size <= LARGEST_PAGE);
    let takes_button = with_parts(&response, |parts| recording.takes_button(parts));
    if !is_small || !takes_button {
        return response.map(PanelBody::passed);
    }
    let (head, body) = response.into_parts();
    let page = match read(body, context) {
        Read::Whole(page) => page,
        Read::Other(read, rest) => {
            return Response::from_parts(head, PanelBody::replayed(read, rest));
        }
    };
    let response = Response::from_parts(head, page);
    let injection = panel
        .button(recording.number())
        .and_then(|button| with_parts(&response, |parts| inject(parts, response.body(), &button)));
    let (mut head, page) = response.into_parts();
    let page = match injection {
        Some(injection) => change(&mut head.headers, injection),
        None => page,
    };
    Response::from_parts(head, PanelBody::whole(page))
}

fn change(headers: &mut HeaderMap, injection: Injection) -> Bytes {
    for name in injection.remove {
        headers.remove(name);
    }
    for (name, value) in injection.set {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    injection.body.into()
}

fn with_parts<R, T>(response: &Response<R>, look: impl FnOnce(&ResponseParts<'_>) -> T) -> T {
    let headers = response.headers().iter();
    let headers: Vec<(&str, &[u8])> = headers
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    look(&ResponseParts {
        status: StatusCode::as_u16(&response.status()),
        headers: &headers,
    })
}

enum Read<R> {
    Whole(Bytes),
    /// It has to be waited for, fails, or is more than bytes: what was read, and the rest.
    Other(VecDeque<Frame<Bytes>>, R),
}

/// Reads a body without waiting for it.
fn read<R: Body<Data = Bytes> + Unpin>(mut body: R, context: &mut Context<'_>) -> Read<R> {
    let mut frames = VecDeque::new();
    loop {
        match pin!(&mut body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let is_data = frame.is_data();
                frames.push_back(frame);
                if !is_data {
                    return Read::Other(frames, body);
                }
            }
            Poll::Ready(None) => return Read::Whole(joined(frames)),
            Poll::Ready(Some(Err(_))) | Poll::Pending => return Read::Other(frames, body),
        }
    }
}

fn joined(frames: VecDeque<Frame<Bytes>>) -> Bytes {
    let mut parts = frames
        .into_iter()
        .filter_map(|frame| frame.into_data().ok());
    let first = parts.next().unwrap_or_default();
    let Some(second) = parts.next() else {
        return first;
    };
    let mut whole = BytesMut::from(first);
    whole.extend_from_slice(&second);
    parts.for_each(|part| whole.extend_from_slice(&part));
    whole.freeze()
}
