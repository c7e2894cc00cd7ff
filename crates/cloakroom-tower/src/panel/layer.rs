use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use axum::extract::ConnectInfo;
use bytes::Bytes;
use cloakroom_core::RequestHead;
use cloakroom_panel::{KeptHead, Panel};
use http::{Extensions, Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{IS_IN_USE, PanelBody, PanelFuture, Recorded, answer::answer};
use crate::head::RequestView;

/// Says whose connection a request came by.
type Peer = Arc<dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync>;

/// The debug toolbar: records what the sessions of each request are, answers what lies below the
/// panel's path, and puts a button into pages.
///
/// Put it around everything: what is inside is recorded. It changes no session, cookie or store
/// call. A page gets the button only when it is HTML with a whole `body` in one piece of at most
/// 2 MiB that is at hand, and only for those who may see the panel; everything else passes
/// untouched.
///
/// It needs to know whose connection a request came by: of axum's `ConnectInfo<SocketAddr>`, or by
/// [`peer`](Self::peer).
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
#[derive(Clone)]
pub struct PanelLayer {
    panel: Panel,
    peer: Peer,
}

impl PanelLayer {
    /// The layer of a panel.
    #[must_use]
    pub fn new(panel: Panel) -> Self {
        IS_IN_USE.store(true, Ordering::Relaxed);
        Self {
            panel,
            peer: Arc::new(connect_info),
        }
    }

    /// Says whose connection a request came by, where it is no `ConnectInfo<SocketAddr>` that
    /// tells. Never take it from a header: anybody may write one.
    ///
    /// ```
    /// # use std::net::IpAddr;
    /// # #[derive(Clone)]
    /// # struct Connection { peer: IpAddr }
    /// # use cloakroom_panel::Panel;
    /// # use cloakroom_tower::PanelLayer;
    /// # let panel = Panel::builder().build()?;
    /// // A server that puts a `Connection` of its own into the extensions of its requests:
    /// let layer = PanelLayer::new(panel)
    ///     .peer(|extensions| extensions.get::<Connection>().map(|connection| connection.peer));
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    #[must_use]
    pub fn peer(
        self,
        peer: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self {
            peer: Arc::new(peer),
            ..self
        }
    }
}

fn connect_info(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(address) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip())
}

impl fmt::Debug for PanelLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanelLayer")
            .field("panel", &self.panel)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for PanelLayer {
    type Service = PanelService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PanelService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`PanelLayer`] makes.
#[derive(Debug, Clone)]
pub struct PanelService<S> {
    inner: S,
    layer: PanelLayer,
}

impl<S, B, R> Service<Request<B>> for PanelService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body + Send + 'static,
    B::Data: Send,
    R: Body<Data = Bytes> + Unpin + 'static,
{
    type Response = Response<PanelBody<R>>;
    type Error = S::Error;
    type Future = PanelFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let panel = &self.layer.panel;
        let peer = (self.layer.peer)(request.extensions());
        if request.extensions().get::<Recorded>().is_some() {
            // A panel around this one has it.
            return PanelFuture::passed(self.inner.call(request));
        }
        if panel.owns(request.uri().path()) {
            return PanelFuture::answering(answer(panel.clone(), peer, request));
        }
        let view = RequestView::from(&request);
        let is_admitted = panel.admits(&view, peer);
        let recording = panel.begin(kept(&request), peer);
        request.extensions_mut().insert(Recorded(recording.clone()));
        let panel = is_admitted.then(|| panel.clone());
        PanelFuture::recorded(self.inner.call(request), recording, panel)
    }
}

/// The head, as conditions see it.
fn kept<B>(request: &Request<B>) -> KeptHead {
    let view = RequestView::from(request);
    let mut head = KeptHead::new(view.method(), view.path(), view.query(), view.scheme());
    view.header("host", &mut |value| head.add_header("host", value));
    for (name, value) in request.headers() {
        if *name != http::header::HOST {
            head.add_header(name.as_str(), value.as_bytes());
        }
    }
    head
}
