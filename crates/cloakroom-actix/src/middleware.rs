use std::cell::{OnceCell, RefCell};
use std::{marker::PhantomData, rc::Rc, sync::Arc};

use actix_web::{
    Error, HttpMessage, HttpRequest,
    dev::{Service, ServiceRequest, ServiceResponse},
    error::InternalError,
};
use cloakroom_core::{
    ErrorResponse, Framework, RequestSessions, ResponseHead, ServeFuture, SessionError,
    SessionManager, Tracer,
};
use futures_util::future::{Either, MapOk, Ready, TryFutureExt, ready};

use crate::{
    around::{Around, Response, Surround, refuse},
    head::ResponseView,
    rejection::{Answer, in_place_of},
};

/// Gives each request its sessions, and commits them with the response.
///
/// It nests: one around a scope brings its own namespaces and sees those of the ones around it. Two
/// with a namespace or a cookie of one name answer 500, and the log says which.
///
/// A request is traced by the `Arc<dyn Tracer>` in its extensions, if there is one.
///
/// Where middleware inside answers with an error instead of a response, the response that the error
/// makes gets the cookies.
///
/// Cancel safety: a client that disconnects while the handler runs leaves nothing saved; while the
/// sessions are committed, the commit goes on in a task of its own.
///
/// ```
/// use actix_web::{App, web};
/// use cloakroom_actix::{NamespaceName, Session, SessionMiddleware, SessionRejection};
/// use cloakroom_core::{Namespace, SessionManager};
/// use cloakroom_memory::MemoryStore;
///
/// struct Visits;
/// impl NamespaceName for Visits {
///     const NAME: &'static str = "visits";
/// }
///
/// async fn count(visits: Session<Visits>) -> Result<String, SessionRejection> {
///     let count = visits.update("count", |count: &mut u32| {
///         *count += 1;
///         *count
///     })?;
///     Ok(format!("Visit {count}"))
/// }
///
/// let sessions = SessionManager::builder()
///     .namespace(Namespace::new("visits", MemoryStore::new()))
///     .build()?;
/// let app = App::new()
///     .wrap(SessionMiddleware::new(sessions))
///     .route("/", web::get().to(count));
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
pub type SessionMiddleware = Around<SessionManager>;

impl SessionMiddleware {
    /// The middleware of a manager.
    pub fn new(manager: SessionManager) -> Self {
        Self(manager)
    }
}

// In no box of its own, since the router puts it into one.
impl<S, B> Surround<S, B> for SessionManager
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Future = Either<
        ServeFuture<Actix<B>, MapOk<S::Future, fn(ServiceResponse<B>) -> Response<B>>>,
        Ready<Result<Response<B>, Error>>,
    >;

    fn serve(manager: &Rc<Self>, request: ServiceRequest, inner: &Rc<S>) -> Self::Future {
        match begin(manager, &request) {
            Ok(sessions) => Either::Left(sessions.serve(inner.call(request).map_ok(answered))),
            Err(refused) => Either::Right(ready(Ok(refuse(request, &refused)))),
        }
    }
}

/// What the handlers of actix-web come to.
#[derive(Debug)]
pub struct Actix<B>(PhantomData<B>);

impl<B> Framework for Actix<B> {
    type Handled = Result<Response<B>, Error>;

    fn status(handled: &Self::Handled) -> u16 {
        match handled {
            Ok(response) => response.status().as_u16(),
            Err(error) => error.as_response_error().status_code().as_u16(),
        }
    }

    fn head<T>(
        handled: &mut Self::Handled,
        look: impl FnOnce(&mut dyn ResponseHead) -> T,
    ) -> Option<T> {
        let response = handled.as_mut().ok()?;
        Some(look(&mut ResponseView(response.headers_mut())))
    }

    fn replace(handled: Self::Handled, error: &ErrorResponse) -> Self::Handled {
        match handled {
            Ok(response) => Ok(replace(response, error)),
            Err(failed) => {
                let response = in_place_of(failed.error_response(), error);
                Err(InternalError::from_response(failed, response).into())
            }
        }
    }

    fn finish(mut handled: Self::Handled, sessions: &RequestSessions) -> Self::Handled {
        match &mut handled {
            Ok(response) => sessions.finish(&mut ResponseView(response.headers_mut())),
            Err(error) => {
                // Its response may be made several times, and a session is finished once.
                let (sessions, finished) = (sessions.clone(), OnceCell::new());
                error.add_response_mapper(move |mut response| {
                    let headers = finished.get_or_init(|| {
                        sessions.finish(&mut ResponseView(response.headers_mut()));
                        response.headers().clone()
                    });
                    *response.headers_mut() = headers.clone();
                    response
                });
            }
        }
        handled
    }
}

/// The response, unless an extractor has failed and nobody has answered for that.
fn answered<B>(response: ServiceResponse<B>) -> Response<B> {
    let unanswered = |attached: &Attached| {
        let failures = attached.failures.borrow();
        failures.iter().find_map(|failure| failure.unanswered())
    };
    let failed = response.request().extensions().get().and_then(unanswered);
    match failed {
        None => response.map_into_left_body(),
        Some(failed) => replace(response, &failed),
    }
}

fn replace<A, B>(response: ServiceResponse<A>, error: &ErrorResponse) -> Response<B> {
    let (request, replaced) = response.into_parts();
    ServiceResponse::new(request, in_place_of(replaced, error)).map_into_right_body()
}

/// What the middleware leaves in a request for its extractors.
struct Attached {
    sessions: RequestSessions,
    /// What extractors could not open. actix-web makes `None` of an error where a handler takes an
    /// `Option`; a store that is down must not look like a namespace that is closed. In a cell of
    /// its own, so that an extractor needs no `extensions_mut`, which panics while others look.
    failures: RefCell<Vec<Arc<Answer>>>,
}

/// Notes that an extractor has failed.
pub(crate) fn note(request: &HttpRequest, failure: Arc<Answer>) {
    if let Some(attached) = request.extensions().get::<Attached>() {
        attached.failures.borrow_mut().push(failure);
    }
}

/// Gives a request its sessions. They take the place of those of the middleware around this one,
/// and have its failures.
fn begin(
    manager: &SessionManager,
    request: &ServiceRequest,
) -> Result<RequestSessions, ErrorResponse> {
    let mut extensions = request.extensions_mut();
    let outer = extensions
        .get()
        .map(|outer: &Attached| outer.sessions.clone());
    let tracer = extensions.get::<Arc<dyn Tracer>>().cloned();
    let sessions = RequestSessions::enter(manager, outer, tracer)?;
    let outer = extensions.insert(Attached {
        sessions: sessions.clone(),
        failures: RefCell::default(),
    });
    if let (Some(outer), Some(inner)) = (outer, extensions.get::<Attached>()) {
        inner.failures.swap(&outer.failures);
    }
    Ok(sessions)
}

/// Asks the sessions of a request, which are not counted for it.
pub(crate) fn ask<T>(
    request: &HttpRequest,
    question: impl FnOnce(&RequestSessions) -> T,
) -> Result<T, SessionError> {
    let extensions = request.extensions();
    let hint = "add `.wrap(SessionMiddleware::new(manager))` to the application";
    let attached: &Attached = extensions.get().ok_or(SessionError::NoLayer { hint })?;
    Ok(question(&attached.sessions))
}
