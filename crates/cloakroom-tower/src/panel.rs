//! The debug toolbar around an application.

use std::{
    error::Error,
    future::ready,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
};
use bytes::Bytes;
use cloakroom_core::Tracer;
use cloakroom_panel::{
    KeptHead, LARGEST_BODY, Panel, PanelBody, PanelRequest, Recording, RequestEnd, ResponseParts,
    respond,
};
use futures_util::{FutureExt, StreamExt, TryFutureExt, future::BoxFuture, stream};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
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
/// It needs to know whose connection a request came by: axum's `ConnectInfo<SocketAddr>` says it,
/// or a `SocketAddr` in the request's extensions. Never take that from a header: anybody may write
/// one.
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
        if request.extensions().get::<Arc<dyn Tracer>>().is_some() {
            // It is traced already, by a panel outside of this one.
            return self
                .inner
                .call(request)
                .map_ok(|r| r.map(Body::new))
                .boxed();
        }
        let peer = peer(request.extensions());
        if self.panel.owns(request.uri().path()) {
            return answer(self.panel.clone(), peer, request).map(Ok).boxed();
        }
        let head = RequestView::from(&request);
        let recording = self
            .panel
            .begin(KeptHead::of(&head, named(request.headers())), peer);
        let guard = recording.guard();
        let tracer: Arc<dyn Tracer> = recording.clone();
        request.extensions_mut().insert(tracer);
        let handling = self.inner.call(request);
        Box::pin(async move {
            let _guard = guard;
            let failed = |_: &S::Error| recording.end(RequestEnd::Failed);
            let response = handling.await.inspect_err(failed)?;
            let header = |name: &str| Some(response.headers().get(name)?.as_bytes());
            recording.answered(response.status().as_u16(), header);
            Ok(add_button(&recording, response.map(Body::new)))
        })
    }
}

/// Who is at the other end of the connection.
fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let connected = extensions.get::<ConnectInfo<SocketAddr>>();
    let address = connected.map(|ConnectInfo(address)| address);
    Some(address.or_else(|| extensions.get())?.ip())
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
    let page = match recording.takes_button(&parts, body.size_hint().exact()) {
        true => whole(body),
        false => Err(body),
    };
    let body = match page {
        Err(body) => body,
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
