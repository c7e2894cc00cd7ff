//! What the panel itself answers.

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use cloakroom_panel::{
    FEED_BEGINNING, Feed, LARGEST_BODY, Panel, PanelBody as Answered, PanelRequest, frame, respond,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use tokio::time::{Instant, timeout_at};

use super::PanelBody;
use crate::{csrf::read, future, head::RequestView};

/// A feed ends after this long, and its page asks again: a server that is to stop waits for it.
const LONGEST_FEED: Duration = Duration::from_secs(8);

pub(super) fn answer<B, R>(
    panel: Panel,
    peer: Option<IpAddr>,
    request: Request<B>,
) -> impl Future<Output = Response<PanelBody<R>>> + Send
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let (parts, body) = request.into_parts();
    async move {
        let is_head = parts.method == Method::HEAD;
        let body = match parts.method == Method::POST {
            true => read(body, LARGEST_BODY).await,
            false => Ok(bytes::Bytes::new()),
        };
        let body = match body {
            Ok(body) => body,
            Err(refusal) => return future::answer(&refusal.respond()).map(text_body),
        };
        let answering = respond(
            &panel,
            &PanelRequest {
                head: &RequestView::from(&parts),
                peer,
                body: &body,
            },
        );
        let answered = answering.await;
        let mut response = Response::new(match answered.body {
            Answered::Full(text) if !is_head => PanelBody::whole(text),
            Answered::Feed(feed) if !is_head => PanelBody::events(Events::new(panel, feed)),
            _ => PanelBody::whole(""),
        });
        *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or_default();
        for (name, value) in answered.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response
                    .headers_mut()
                    .append(HeaderName::from_static(name), value);
            }
        }
        response
            .headers_mut()
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        response
    }
}

fn text_body<R>(text: &'static str) -> PanelBody<R> {
    PanelBody::whole(text)
}

/// The live feed as text; `None` when it has ended.
pub(super) struct Events(Waiting);

type Waiting = Pin<Box<dyn Future<Output = Option<(String, Panel, Feed, Instant)>> + Send>>;

impl Events {
    fn new(panel: Panel, feed: Feed) -> Self {
        let ends = Instant::now() + LONGEST_FEED;
        let beginning = FEED_BEGINNING.to_owned();
        Self(Box::pin(
            async move { Some((beginning, panel, feed, ends)) },
        ))
    }
}

impl Future for Events {
    type Output = Option<String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
        self.0.as_mut().poll(context).map(|next| {
            let (text, panel, mut feed, ends) = next?;
            self.0 = Box::pin(async move {
                let event = timeout_at(ends, feed.next()).await.ok()??;
                Some((frame(&panel, event), panel, feed, ends))
            });
            Some(text)
        })
    }
}
