use std::{future::poll_fn, pin::pin};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use cloakroom_core::CsrfRefusal;
use http_body::Body;

/// The whole body, if it has at most `limit` bytes. Reads no more than that.
pub(crate) async fn read<B: Body>(body: B, limit: usize) -> Result<Bytes, CsrfRefusal> {
    let is_too_large = |size: u64| usize::try_from(size).map_or(true, |size| size > limit);
    if is_too_large(body.size_hint().lower()) {
        return Err(CsrfRefusal::BodyTooLarge);
    }
    let mut body = pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let frame = frame.map_err(|_| CsrfRefusal::UnreadableBody)?;
        if let Ok(data) = frame.into_data() {
            if bytes.len().saturating_add(data.remaining()) > limit {
                return Err(CsrfRefusal::BodyTooLarge);
            }
            bytes.put(data);
        }
    }
    Ok(bytes.freeze())
}
