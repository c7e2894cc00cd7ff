use std::{rc::Rc, sync::Arc};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BodySize, BodyStream, BoxBody, MessageBody, to_bytes_limited},
    dev::{Service, ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName, HeaderValue},
};
use cloakroom_core::Tracer;
use cloakroom_panel::{
    Injection, KeptHead, LARGEST_BODY, Panel, PanelBody, PanelRequest, Recording, ResponseParts,
    respond,
};
use futures_util::future::LocalBoxFuture;

use crate::{
    around::{Around, Response, Surround},
    head::RequestView,
    rejection::status,
};

/// The debug toolbar: records what the sessions of each request are, answers what lies below the
/// panel's path, and puts a button into pages.
///
/// Put it around everything: what is inside is recorded. It changes no session, cookie or store
/// call. A page gets the button only when it is HTML with a whole `body` of at most 2 MiB that is
/// in memory, and only for those who may see the panel; everything else passes untouched.
///
/// Each worker has an application of its own, so build the panel outside of the closure of
/// `HttpServer::new`, and clone it. Whose connection a request came by is what the server says,
/// never what a header says.
///
/// ```no_run
/// # use cloakroom_core::{Namespace, SessionManager};
/// # use cloakroom_memory::MemoryStore;
/// use actix_web::{App, HttpServer, web};
/// use cloakroom_actix::{PanelMiddleware, SessionMiddleware};
/// use cloakroom_panel::Panel;
///
/// # async fn serve(sessions: SessionManager) -> Result<(), Box<dyn std::error::Error>> {
/// let panel = match cfg!(debug_assertions) {
///     true => Some(Panel::builder().build()?),
///     false => None,
/// };
/// let app = move || {
///     App::new()
///         .route("/", web::get().to(async || "Welcome."))
///         .wrap(SessionMiddleware::new(sessions.clone()))
///         .wrap(PanelMiddleware::new(panel.clone())) // outside, since it is added last
/// };
/// HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?; // and see http://localhost:3000/_cloakroom/
/// # Ok(())
/// # }
/// ```
pub type PanelMiddleware = Around<Option<Panel>>;

impl PanelMiddleware {
    /// The middleware of a panel. With `None` it does nothing, since there is no way to leave
    /// middleware out of an `App` at run time.
    pub fn new(panel: impl Into<Option<Panel>>) -> Self {
        Self(panel.into())
    }
}

impl<S, B> Surround<S, B> for Option<Panel>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody,
{
    type Future = LocalBoxFuture<'static, Result<Response<B>, Error>>;

    fn serve(panel: &Rc<Self>, request: ServiceRequest, inner: &Rc<S>) -> Self::Future {
        // A panel around this one has the requests that are recorded already.
        let is_recorded = request.extensions().contains::<Arc<Recording>>();
        let panel = panel.as_ref().clone().filter(|_| !is_recorded);
        let inner = Rc::clone(inner);
        Box::pin(async move {
            let Some(panel) = panel else {
                return Ok(inner.call(request).await?.map_into_left_body());
            };
            if panel.owns(request.path()) {
                return Ok(answer(&panel, request).await.map_into_right_body());
            }
            let head = RequestView::from(request.request());
            let head = KeptHead::of(&head, pairs(request.headers()));
            let recording = panel.begin(head, request.peer_addr().map(|peer| peer.ip()));
            let guard = recording.guard();
            let tracer: Arc<dyn Tracer> = recording.clone();
            request.extensions_mut().insert(tracer);
            request.extensions_mut().insert(recording);
            match inner.call(request).await {
                Ok(response) => Ok(with_button(response, &guard)),
                Err(mut error) => {
                    // Its response is made later, and what is inside has a say in it.
                    error.add_response_mapper(move |response| note(&guard, response));
                    Err(error)
                }
            }
        })
    }
}

/// Notes how the application has answered.
fn note<B>(recording: &Recording, response: HttpResponse<B>) -> HttpResponse<B> {
    let header = |name: &str| Some(response.headers().get(name)?.as_bytes());
    recording.answered(response.status().as_u16(), header);
    response
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    let headers = headers.iter();
    headers.map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// The response, with the button if it is a page for somebody who may see the panel.
fn with_button<B: MessageBody>(response: ServiceResponse<B>, recording: &Recording) -> Response<B> {
    let (request, response) = response.into_parts();
    let (mut response, body) = note(recording, response).into_parts();
    let headers: Vec<_> = pairs(response.headers()).collect();
    let parts = ResponseParts {
        status: response.status().as_u16(),
        headers: &headers,
    };
    let length = match body.size() {
        BodySize::Sized(length) => Some(length),
        BodySize::None | BodySize::Stream => None,
    };
    let page = match recording.takes_button(&parts, length) {
        true => body.try_into_bytes(),
        false => Err(body),
    };
    let response = match page {
        Err(body) => response.set_body(body).map_into_left_body(),
        Ok(page) => {
            let body = match recording.add_button(&parts, &page) {
                Some(injection) => BoxBody::new(change(response.headers_mut(), injection)),
                None => BoxBody::new(page),
            };
            response.set_body(body).map_into_right_body()
        }
    };
    ServiceResponse::new(request, response)
}

fn change(headers: &mut HeaderMap, injection: Injection) -> Vec<u8> {
    for (name, value) in injection.set {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    injection.body
}

/// What the panel itself answers.
async fn answer(panel: &Panel, mut request: ServiceRequest) -> ServiceResponse {
    let body = to_bytes_limited(BodyStream::new(request.take_payload()), LARGEST_BODY).await;
    let body = body.ok().and_then(Result::ok);
    let asked = PanelRequest {
        head: &RequestView::from(request.request()),
        peer: request.peer_addr().map(|peer| peer.ip()),
        body: body.as_deref(),
    };
    let answered = respond(panel, &asked).await;
    let mut response = HttpResponse::build(status(answered.status));
    for header in answered.headers {
        response.append_header(header);
    }
    request.into_response(match answered.body {
        PanelBody::Full(text) => response.body(text),
        PanelBody::Feed(feed) => response.streaming(feed),
    })
}
