//! The server side of the API: it listens on the socket, bounds what a client may cost, and hands each request to the
//! daemon.
//!
//! Given a [`Daemon`] and a path. A request has a limit in size and in time, and so has the number of clients; what it
//! asks is answered from snapshots and through the speaker's asynchronous handle, so that no client can hold up routing.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Router, middleware};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::schema;
use crate::daemon::{ApplyOptions, Daemon};

/// Longest request body, in octets.
const BODY_LIMIT: usize = 16 << 20;
/// Longest that answering may take.
const ANSWER_TIME: Duration = Duration::from_secs(50);
/// Longest that a client may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Most clients at once; further ones wait to be accepted.
const CLIENTS: usize = 64;
/// Most routes in one page.
const PAGE: usize = 10_000;

/// A bound socket that is not served yet.
#[derive(Debug)]
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds `path` with mode 0660. A socket that an earlier run left behind is replaced; one that answers is not.
    ///
    /// # Errors
    /// `AddrInUse` when another daemon answers there or the path is no socket; otherwise what the system said.
    pub(crate) async fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "the path exists and is no socket"));
            }
            Ok(_) if tokio::net::UnixStream::connect(path).await.is_ok() => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another daemon answers there"));
            }
            Ok(_) => std::fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent)?;
                }
            }
            Err(error) => return Err(error),
        }
        // It gets its place once it has its mode, so that nobody can connect before.
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let _ = std::fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside)?;
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o660))?;
        std::fs::rename(&beside, path)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves until the task that runs this is dropped; then open connections end with it and the socket is removed.
    pub(crate) async fn serve(self, daemon: Arc<Daemon>) {
        let router = router(daemon);
        let places = Arc::new(Semaphore::new(CLIENTS));
        let mut connections = JoinSet::new();
        loop {
            // The semaphore is never closed, so a place always comes.
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            while connections.try_join_next().is_some() {}
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "the API socket does not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let service = TowerToHyperService::new(router.clone().layer(Extension(Who::of(&stream))));
            connections.spawn(async move {
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIME)
                    .serve_connection(TokioIo::new(stream), service);
                if let Err(error) = connection.await {
                    debug!(%error, "an API client went away");
                }
                drop(place);
            });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            debug!(%error, "the API socket could not be removed");
        }
    }
}

fn router(daemon: Arc<Daemon>) -> Router {
    Router::new()
        .route("/v1/version", get(version))
        .route("/v1/networks", get(networks))
        .route("/v1/peerings", get(peerings))
        .route("/v1/peering", delete(delete_peering))
        .route("/v1/accept", post(accept))
        .route("/v1/audit", get(audit))
        .route("/v1/confirm", post(confirm))
        .route("/v1/history", get(history))
        .route("/v1/plan", post(plan))
        .route("/v1/rollback", post(rollback))
        .route("/v1/conflicts", get(conflicts))
        .route("/v1/neighbors", get(neighbors))
        .route("/v1/vrfs", get(vrfs))
        .route("/v1/routes", get(routes))
        .route("/v1/explain", get(explain))
        .route("/v1/apply", post(apply))
        .fallback(async || Error(schema::Failure::new("NotFound", "there is no such path in this API")))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(in_bounds))
        .with_state(daemon)
}

/// Answers within a time, and a body that says it is too long at once, before any of it comes.
async fn in_bounds(request: Request, next: Next) -> Response {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY_LIMIT) {
        let message = format!("a request has at most {BODY_LIMIT} octets");
        return Error(schema::Failure::new("TooLarge", message)).into_response();
    }
    match tokio::time::timeout(ANSWER_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Error(schema::Failure::new("Timeout", "the answer took too long")).into_response(),
    }
}

type Answer<T> = Result<Json<T>, Error>;

async fn version() -> Answer<schema::Version> {
    Ok(Json(schema::Version { version: env!("CARGO_PKG_VERSION").to_owned() }))
}

async fn networks(State(daemon): State<Arc<Daemon>>) -> Answer<Vec<schema::Network>> {
    Ok(Json(daemon.networks().await?))
}

async fn peerings(State(daemon): State<Arc<Daemon>>) -> Answer<Vec<schema::Peering>> {
    Ok(Json(daemon.peerings().await?))
}

async fn neighbors(State(daemon): State<Arc<Daemon>>) -> Answer<Vec<schema::Neighbor>> {
    Ok(Json(daemon.neighbors().await?))
}

async fn vrfs(State(daemon): State<Arc<Daemon>>) -> Answer<Vec<schema::Vrf>> {
    Ok(Json(daemon.vrfs().await?))
}

async fn delete_peering(
    State(daemon): State<Arc<Daemon>>,
    Extension(Who(who)): Extension<Who>,
    Query(query): Query<NameQuery>,
) -> Answer<schema::Applied> {
    to_the_end(async move { daemon.delete_peering(&query.name, &who).await }).await
}

async fn accept(
    State(daemon): State<Arc<Daemon>>,
    Extension(Who(who)): Extension<Who>,
    Json(named): Json<schema::Named>,
) -> Answer<schema::Applied> {
    to_the_end(async move { daemon.accept(&named.name, &who).await }).await
}

async fn conflicts(State(daemon): State<Arc<Daemon>>) -> Answer<Vec<schema::Conflict>> {
    Ok(Json(daemon.conflicts().await?))
}

async fn audit(State(daemon): State<Arc<Daemon>>) -> Answer<schema::Audit> {
    Ok(Json(daemon.audit().await?))
}

async fn history(State(daemon): State<Arc<Daemon>>) -> Answer<Vec<schema::Change>> {
    Ok(Json(daemon.history().await))
}

async fn plan(State(daemon): State<Arc<Daemon>>, Json(apply): Json<schema::Apply>) -> Answer<schema::Plan> {
    Ok(Json(daemon.plan(apply.files).await?))
}

async fn confirm(State(daemon): State<Arc<Daemon>>, Extension(Who(who)): Extension<Who>) -> Answer<schema::Change> {
    to_the_end(async move { daemon.confirm(&who).await }).await
}

async fn rollback(
    State(daemon): State<Arc<Daemon>>,
    Extension(Who(who)): Extension<Who>,
    Json(rollback): Json<schema::Rollback>,
) -> Answer<schema::Applied> {
    to_the_end(async move { daemon.rollback(rollback.to, &who).await }).await
}

async fn apply(
    State(daemon): State<Arc<Daemon>>,
    Extension(Who(who)): Extension<Who>,
    Json(apply): Json<schema::Apply>,
) -> Answer<schema::Applied> {
    let options = ApplyOptions { plan: apply.plan, confirm_within: apply.confirm_within.map(Duration::from_secs) };
    to_the_end(async move { daemon.apply(apply.files, options, &who).await }).await
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
struct Who(String);

impl Who {
    /// The user by name where the system knows one, else by number.
    fn of(stream: &tokio::net::UnixStream) -> Self {
        let Ok(credentials) = stream.peer_cred() else { return Self("somebody".to_owned()) };
        let uid = credentials.uid().to_string();
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid).then(|| name.to_owned())
        });
        Self(named.unwrap_or_else(|| format!("uid {uid}")))
    }
}

/// Carries out a change even if the client goes away meanwhile.
async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, schema::Failure>> + Send + 'static,
) -> Answer<T> {
    match tokio::spawn(change).await {
        Ok(done) => Ok(Json(done?)),
        Err(error) => Err(Error(schema::Failure::new("Internal", error.to_string()))),
    }
}

async fn routes(State(daemon): State<Arc<Daemon>>, Query(query): Query<RoutesQuery>) -> Answer<schema::Routes> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let leaked = query.leaked.unwrap_or(false);
    Ok(Json(daemon.routes(&query.vrf, query.prefix, leaked, query.after, limit).await?))
}

async fn explain(State(daemon): State<Arc<Daemon>>, Query(query): Query<ExplainQuery>) -> Answer<schema::Explanation> {
    Ok(Json(daemon.explain(&query.vrf, query.prefix, query.from.as_deref()).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameQuery {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutesQuery {
    vrf: String,
    prefix: Option<IpNet>,
    leaked: Option<bool>,
    after: Option<IpNet>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplainQuery {
    vrf: String,
    prefix: IpNet,
    from: Option<String>,
}

/// axum's `Json`, with refusals in the API's own form.
struct Json<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let axum::Json(value) = axum::Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

impl<T: serde::Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// axum's `Query`, with refusals in the API's own form.
struct Query<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let axum::extract::Query(value) = axum::extract::Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A refusal as an answer.
struct Error(schema::Failure);

impl From<schema::Failure> for Error {
    fn from(failure: schema::Failure) -> Self {
        Self(failure)
    }
}

impl From<JsonRejection> for Error {
    fn from(rejection: JsonRejection) -> Self {
        let reason = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { "TooLarge" } else { "Invalid" };
        Self(schema::Failure::new(reason, rejection.body_text()))
    }
}

impl From<QueryRejection> for Error {
    fn from(rejection: QueryRejection) -> Self {
        Self(schema::Failure::new("Invalid", rejection.body_text()))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self.0.reason.as_str() {
            "NotFound" => StatusCode::NOT_FOUND,
            "Invalid" => StatusCode::UNPROCESSABLE_ENTITY,
            "Forbidden" => StatusCode::FORBIDDEN,
            "Conflict" => StatusCode::CONFLICT,
            "TooLarge" => StatusCode::PAYLOAD_TOO_LARGE,
            "Timeout" => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, axum::Json(self.0)).into_response()
    }
}
