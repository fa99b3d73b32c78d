//! The shard: one thread that owns every table of the speaker, and the handle that others ask it by.
//!
//! It is given what sessions received, configurations, and what became of installed routes; it gives encoded messages to the sessions'
//! queues, wishes to the installer and events to the watchers. It never waits for any of them.

mod apply;
mod neighbor;
mod program;
mod resolve;
mod view;
mod vrf;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use ipnet::IpNet;
use leak_engine::ImportRefusal;
use tokio::sync::{mpsc, oneshot};

use crate::Injected;
use crate::config::{Config, NeighborConfig, NeighborKey};
use crate::error::Error;
use crate::session::{Command, FromSession, NeighborId};
use crate::status::{
    EdgeStatus, Explanation, FamilyStatus, FibStatus, RefusedRoute, RouteView, RoutesPage, RoutesQuery, VrfStatus,
};
use crate::watch::Ring;

/// Batches from sessions that wait for the shard. What is read but not here waits in the sessions, and then in the peers.
const BATCHES: usize = 64;

/// Requests that wait for the shard.
const REQUESTS: usize = 16;

/// A neighbour as the shard is told of it.
#[derive(Debug)]
pub(crate) struct ShardNeighbor {
    pub(crate) id: NeighborId,
    pub(crate) config: NeighborConfig,
    pub(crate) commands: mpsc::Sender<Command>,
}

/// What the shard shows of itself.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) converged: bool,
    pub(crate) attributes: usize,
    pub(crate) fib: FibStatus,
    pub(crate) edges: Vec<EdgeStatus>,
}

/// What a neighbour's session came to in routes.
#[derive(Debug, Default)]
pub(crate) struct NeighborRoutes {
    pub(crate) families: Vec<FamilyStatus>,
    /// Announcements that import refused since the session came up.
    pub(crate) refused: Vec<(ImportRefusal, u64)>,
}

type Reply<T> = oneshot::Sender<T>;

/// What the shard is asked.
enum Request {
    Apply(Arc<Config>, Vec<ShardNeighbor>, Reply<()>),
    Inject(String, Vec<Injected>, Reply<Result<(), Error>>),
    Withdraw(String, Vec<IpNet>, Reply<Result<(), Error>>),
    Summary(Reply<Summary>),
    NeighborRoutes(Reply<HashMap<NeighborKey, NeighborRoutes>>),
    Vrfs(Reply<Vec<VrfStatus>>),
    Routes(RoutesQuery, Reply<Result<RoutesPage, Error>>),
    Route(String, IpNet, Reply<Result<Option<RouteView>, Error>>),
    Refused(String, String, Reply<Result<Vec<RefusedRoute>, Error>>),
    Explain(String, IpNet, Option<String>, Reply<Result<Explanation, Error>>),
    Freeze(Reply<()>),
    Stop(Reply<()>),
}

/// How the shard is asked.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    requests: mpsc::Sender<Request>,
    sessions: mpsc::Sender<(NeighborId, FromSession)>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// Starts the shard's thread and the installer's.
pub(crate) fn start(config: &Config, ring: Arc<Ring>) -> Result<Handle, Error> {
    let (requests, asked) = mpsc::channel(REQUESTS);
    let (sessions, received) = mpsc::channel(BATCHES);
    let worker = worker::Worker::new(config, ring)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Error::Thread)?;
    let thread = std::thread::Builder::new()
        .name("shard".to_owned())
        .spawn(move || runtime.block_on(worker.run(asked, received)))
        .map_err(Error::Thread)?;
    Ok(Handle { requests, sessions, thread: Arc::new(Mutex::new(Some(thread))) })
}

impl Handle {
    /// Where sessions send what they received.
    pub(crate) fn sessions(&self) -> mpsc::Sender<(NeighborId, FromSession)> {
        self.sessions.clone()
    }

    pub(crate) async fn apply(&self, config: Arc<Config>, neighbors: Vec<ShardNeighbor>) -> Result<(), Error> {
        self.ask(|reply| Request::Apply(config, neighbors, reply)).await
    }

    pub(crate) async fn inject(&self, vrf: &str, routes: Vec<Injected>) -> Result<(), Error> {
        self.ask(|reply| Request::Inject(vrf.to_owned(), routes, reply)).await?
    }

    pub(crate) async fn withdraw(&self, vrf: &str, prefixes: Vec<IpNet>) -> Result<(), Error> {
        self.ask(|reply| Request::Withdraw(vrf.to_owned(), prefixes, reply)).await?
    }

    pub(crate) async fn summary(&self) -> Result<Summary, Error> {
        self.ask(Request::Summary).await
    }

    pub(crate) async fn neighbor_routes(&self) -> Result<HashMap<NeighborKey, NeighborRoutes>, Error> {
        self.ask(Request::NeighborRoutes).await
    }

    pub(crate) async fn vrfs(&self) -> Result<Vec<VrfStatus>, Error> {
        self.ask(Request::Vrfs).await
    }

    pub(crate) async fn routes(&self, query: RoutesQuery) -> Result<RoutesPage, Error> {
        self.ask(|reply| Request::Routes(query, reply)).await?
    }

    pub(crate) async fn route(&self, vrf: &str, prefix: IpNet) -> Result<Option<RouteView>, Error> {
        self.ask(|reply| Request::Route(vrf.to_owned(), prefix, reply)).await?
    }

    pub(crate) async fn refused(&self, from: &str, to: &str) -> Result<Vec<RefusedRoute>, Error> {
        self.ask(|reply| Request::Refused(from.to_owned(), to.to_owned(), reply)).await?
    }

    pub(crate) async fn explain(&self, vrf: &str, prefix: IpNet, from: Option<&str>) -> Result<Explanation, Error> {
        let from = from.map(str::to_owned);
        self.ask(|reply| Request::Explain(vrf.to_owned(), prefix, from, reply)).await?
    }

    /// From now on nothing changes in the kernel's tables until the end.
    pub(crate) async fn freeze(&self) {
        // An error means that it has ended.
        let _ = self.ask(Request::Freeze).await;
    }

    /// Ends the threads; returns when they are gone.
    pub(crate) async fn stop(&self) {
        // An error means that it ended before.
        let _ = self.ask(Request::Stop).await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)
    }
}
