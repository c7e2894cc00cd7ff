//! The debug toolbar around an application.

use std::{
    error::Error,
    future::ready,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, to_bytes};
pub use axum::extract::ConnectInfo;
use bytes::Bytes;
use cloakroom_core::Tracer;
use cloakroom_panel::{
    KeptHead, LARGEST_BODY, Panel, PanelBody, PanelRequest, Recording, RequestEnd, ResponseParts,
    respond,
};
use futures_util::{FutureExt, StreamExt, TryFutureExt, future::BoxFuture, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_LENGTH,
};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use tower_layer::Layer;
use tower_service::Service;

use crate::head::RequestView;

/// The debug toolbar: records what the sessions of each request are, answers what lies below the
/// panel's path, and puts a button into pages.
///
/// Put it around everything: what is inside is recorded. It changes no session, cookie or store
/// call. A page gets the button only when it is HTML with a whole `body` in one piece of at most
/// 2 MiB that is at hand, and only for those who may see the panel; everything else passes
/// untouched.
///
/// It needs to know whose connection a request came by: [`ConnectInfo<SocketAddr>`](ConnectInfo) in
/// the request's extensions says it. axum puts it there; a server that is not axum's does so itself,
/// and never by a header, which anybody may write.
///
/// ```no_run
/// # use cloakroom_core::{Namespace, SessionManager};
/// # use cloakroom_memory::MemoryStore;
/// use std::net::SocketAddr;
/// use axum::{Router, routing::get};
/// use cloakroom_panel::Panel;
/// use cloakroom_tower::{PanelLayer, SessionLayer};
///
/// # async fn serve(sessions: SessionManager) -> Result<(), Box<dyn std::error::Error>> {
/// let mut app = Router::new()
///     .route("/", get(async || "Welcome."))
///     .layer(SessionLayer::new(sessions));
/// if cfg!(debug_assertions) {
///     app = app.layer(PanelLayer::new(Panel::builder().build()?));
/// }
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// let service = app.into_make_service_with_connect_info::<SocketAddr>();
/// axum::serve(listener, service).await?; // and see http://localhost:3000/_cloakroom/
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PanelLayer {
    panel: Panel,
}

impl PanelLayer {
    /// The layer of a panel.
    #[must_use]
    pub fn new(panel: Panel) -> Self {
        Self { panel }
    }
}

impl<S> Layer<S> for PanelLayer {
    type Service = PanelService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let panel = self.panel.clone();
        PanelService { inner, panel }
    }
}

/// What a [`PanelLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct PanelService<S> {
    inner: S,
    panel: Panel,
}

impl<S, B, R> Service<Request<B>> for PanelService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    R: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if request.extensions().get::<Arc<Recording>>().is_some() {
            // A panel outside of this one has it.
            let handling = self.inner.call(request);
            return handling.map_ok(|response| response.map(Body::new)).boxed();
        }
        let connected = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = connected.map(|ConnectInfo(address)| address.ip());
        if self.panel.owns(request.uri().path()) {
            return answer(self.panel.clone(), peer, request).map(Ok).boxed();
        }
        let head = KeptHead::of(&RequestView::from(&request), named(request.headers()));
        let recording = self.panel.begin(head, peer);
        let guard = recording.guard();
        let extensions = request.extensions_mut();
        extensions.insert::<Arc<dyn Tracer>>(recording.clone());
        extensions.insert(recording);
        let handling = self.inner.call(request);
        Box::pin(async move {
            let failed = |_: &S::Error| guard.end(RequestEnd::Failed);
            let response = handling.await.inspect_err(failed)?;
            let header = |name: &str| Some(response.headers().get(name)?.as_bytes());
            guard.answered(response.status().as_u16(), header);
            Ok(add_button(&guard, response.map(Body::new)))
        })
    }
}

async fn answer<B>(panel: Panel, peer: Option<IpAddr>, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST_BODY).await.ok();
    let answering = respond(
        &panel,
        &PanelRequest {
            head: &RequestView::from(&parts),
            peer,
            body: body.as_deref(),
        },
    );
    let answered = answering.await;
    let mut response = Response::new(match answered.body {
        PanelBody::Full(text) => Body::from(text),
        PanelBody::Feed(feed) => Body::from_stream(feed),
    });
    *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or_default();
    set(response.headers_mut(), answered.headers);
    response
}

/// The response with the button in its page, or as it was.
fn add_button(recording: &Recording, response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let headers: Vec<_> = named(&head.headers).collect();
    let parts = ResponseParts {
        status: head.status.as_u16(),
        headers: &headers,
    };
    let length = body.size_hint().exact();
    let takes = recording.takes_button(&parts, length);
    let page = if takes { whole(body) } else { Err(body) };
    let body = match page {
        Err(body) => {
            if let Some(length) = length.filter(|_| takes) {
                // The frames that it has become know their length no more.
                head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
            }
            body
        }
        Ok(page) => match recording.add_button(&parts, &page) {
            None => Body::from(page),
            Some(injection) => {
                set(&mut head.headers, injection.set);
                Body::from(injection.body)
            }
        },
    };
    Response::from_parts(head, body)
}

/// A page that is at hand in one piece; else the body as it was. Never waits.
fn whole(mut body: Body) -> Result<Bytes, Body> {
    match body.frame().now_or_never().flatten() {
        None => Err(body),
        Some(Ok(frame)) if frame.is_data() && body.is_end_stream() => {
            Ok(frame.into_data().unwrap_or_default())
        }
        Some(frame) => {
            let first = stream::once(ready(frame));
            Err(Body::new(StreamBody::new(
                first.chain(BodyStream::new(body)),
            )))
        }
    }
}

/// The headers, by their names.
fn named(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    let headers = headers.iter();
    headers.map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn set(headers: &mut HeaderMap, values: Vec<(&'static str, String)>) {
    for (name, value) in values {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
