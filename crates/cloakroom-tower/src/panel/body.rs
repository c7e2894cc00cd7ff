use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::answer::Events;

pin_project! {
    /// The body of a response that has passed a [`PanelLayer`](crate::PanelLayer): the
    /// application's, or the panel's.
    pub struct PanelBody<R> {
        #[pin]
        kind: Kind<R>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<R> {
        // What was read of it to look whether it is a page, and what comes after that.
        Passed { read: VecDeque<Frame<Bytes>>, #[pin] rest: R },
        Whole { bytes: Option<Bytes> },
        Events { events: Events },
    }
}

impl<R> PanelBody<R> {
    pub(super) fn passed(rest: R) -> Self {
        Self::replayed(VecDeque::new(), rest)
    }

    pub(super) fn replayed(read: VecDeque<Frame<Bytes>>, rest: R) -> Self {
        let kind = Kind::Passed { read, rest };
        Self { kind }
    }

    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty());
        let kind = Kind::Whole { bytes };
        Self { kind }
    }

    pub(super) fn events(events: Events) -> Self {
        let kind = Kind::Events { events };
        Self { kind }
    }
}

/// So that a session layer around it can answer for it.
impl<R: From<&'static str>> From<&'static str> for PanelBody<R> {
    fn from(text: &'static str) -> Self {
        Self::passed(R::from(text))
    }
}

impl<R: Body<Data = Bytes>> Body for PanelBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project().kind.project() {
            KindProjection::Passed { read, rest } => match read.pop_front() {
                Some(frame) => Poll::Ready(Some(Ok(frame))),
                None => rest.poll_frame(context),
            },
            KindProjection::Whole { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
            KindProjection::Events { events } => {
                let text = ready!(Pin::new(events).poll(context));
                Poll::Ready(text.map(|text| Ok(Frame::data(text.into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passed { read, rest } => read.is_empty() && rest.is_end_stream(),
            Kind::Whole { bytes } => bytes.is_none(),
            Kind::Events { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passed { read, rest } => {
                let frames = read.iter().filter_map(Frame::data_ref);
                let read: u64 = frames.map(length).sum();
                let rest = rest.size_hint();
                let mut hint = SizeHint::new();
                hint.set_lower(rest.lower().saturating_add(read));
                if let Some(upper) = rest.upper() {
                    hint.set_upper(upper.saturating_add(read));
                }
                hint
            }
            Kind::Whole { bytes } => SizeHint::with_exact(bytes.as_ref().map_or(0, length)),
            Kind::Events { .. } => SizeHint::default(),
        }
    }
}

fn length(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

impl<R> fmt::Debug for PanelBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanelBody").finish_non_exhaustive()
    }
}
