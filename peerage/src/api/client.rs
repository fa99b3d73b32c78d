//! The client side of the API: one request on one connection to the daemon's socket.
//!
//! Given a socket's path and a request, it yields the typed answer or says what went wrong. It never retries.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::schema::Failure;

/// Longest that a request may take, whole.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer that is read, in octets. A page of routes stays far below it.
const ANSWER_LIMIT: usize = 256 << 20;

/// Reaches the daemon behind one socket.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    socket: PathBuf,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// Nobody listens on the socket, or it may not be opened.
    Connect(PathBuf, std::io::Error),
    /// The conversation broke off.
    Transport(String),
    /// The daemon did not answer in time.
    Timeout,
    /// The daemon refused; its own words.
    Refused(Box<Failure>),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(path, error) => write!(
                f,
                "no daemon at {}: {error}; is `peerage run` up, and is this its socket (--socket, PEERAGE_SOCKET)?",
                path.display()
            ),
            Self::Transport(error) => write!(f, "the daemon's answer could not be read: {error}"),
            Self::Timeout => write!(f, "the daemon did not answer within {} s", TIMEOUT.as_secs()),
            Self::Refused(failure) => {
                write!(f, "{}: {}", failure.reason, failure.message)?;
                for fault in &failure.errors {
                    write!(f, "\n{fault}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ClientError {}

impl Client {
    /// A client of the daemon at `socket`. Nothing is opened yet.
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Asks for `path` with a query.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<T, ClientError> {
        let query = serde_urlencoded::to_string(query).map_err(transport)?;
        let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        self.request(Method::GET, &uri, Bytes::new()).await
    }

    /// Sends `body` as JSON.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(transport)?;
        self.request(Method::POST, path, body.into()).await
    }

    /// Deletes what `path` and the query name.
    pub(crate) async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, ClientError> {
        let query = serde_urlencoded::to_string(query).map_err(transport)?;
        self.request(Method::DELETE, &format!("{path}?{query}"), Bytes::new()).await
    }

    async fn request<T: DeserializeOwned>(&self, method: Method, uri: &str, body: Bytes) -> Result<T, ClientError> {
        let exchange = async {
            let stream = UnixStream::connect(&self.socket)
                .await
                .map_err(|error| ClientError::Connect(self.socket.clone(), error))?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(transport)?;
            let driver = tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(uri)
                .header("host", "peerage")
                .header("content-type", "application/json")
                .body(Full::new(body))
                .map_err(transport)?;
            let answer = sender.send_request(request).await.map_err(transport)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await.map_err(transport)?.to_bytes();
            driver.abort();
            read(status, &body)
        };
        tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| ClientError::Timeout)?
    }
}

fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, ClientError> {
    if status.is_success() {
        return serde_json::from_slice(body).map_err(transport);
    }
    let failure = serde_json::from_slice(body)
        .map_err(|_| transport(format!("HTTP {status}: {}", String::from_utf8_lossy(body))))?;
    Err(ClientError::Refused(Box::new(failure)))
}

fn transport(error: impl ToString) -> ClientError {
    ClientError::Transport(error.to_string())
}
