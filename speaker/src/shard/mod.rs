//! The shards: threads that own the tables of the speaker, and the handle that others ask them by.
//!
//! Each has every VRF, and in it the prefixes that are its own by address and length, so that what leaks, leaks on one shard. Each is
//! given all that sessions receive, configurations, and what became of its installed routes; it gives encoded messages to the sessions'
//! queues, wishes to the installer and events to the watchers. It never waits for any of them, nor for another shard.

mod answers;
mod apply;
mod common;
mod indirect;
mod neighbor;
mod plan;
mod program;
mod resolve;
mod told;
mod view;
mod vrf;
mod worker;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bgp_wire::AfiSafi;
use ipnet::IpNet;
use leak_engine::{Audit, Engine, ImportRefusal, shard_of};
use tokio::sync::{mpsc, oneshot};

use crate::Injected;
use crate::config::{Config, NeighborConfig, NeighborKey};
use crate::error::Error;
use crate::session::{Command, NeighborId, Shards};
use crate::status::{
    AuditReport, AuditViolation, EdgeStatus, Explanation, FamilyStatus, FibStatus, Plan, RefusedRoute, RouteView,
    RoutesPage, RoutesQuery, VrfStatus,
};
use crate::watch::Ring;
use common::Common;
use worker::Worker;

/// Batches from sessions that wait for a shard. What is read but not here waits in the sessions, and then in the peers.
const BATCHES: usize = 64;

/// Violations that an audit names one by one.
const VIOLATIONS: usize = 100;

/// Requests that wait for a shard.
const REQUESTS: usize = 16;

/// A neighbour as the shards are told of it.
#[derive(Debug, Clone)]
pub(crate) struct ShardNeighbor {
    pub(crate) id: NeighborId,
    pub(crate) config: NeighborConfig,
    pub(crate) commands: mpsc::Sender<Command>,
}

/// What a shard shows of itself, or all together.
#[derive(Debug, Default)]
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

/// What a shard is asked.
enum Request {
    Apply(Arc<Config>, Vec<ShardNeighbor>, Reply<Vec<(NeighborId, AfiSafi)>>),
    Inject(String, Vec<Injected>, Reply<Result<(), Error>>),
    Withdraw(String, Vec<IpNet>, Reply<Result<(), Error>>),
    Summary(Reply<Summary>),
    NeighborRoutes(Reply<HashMap<NeighborKey, NeighborRoutes>>),
    Vrfs(Reply<Vec<VrfStatus>>),
    Routes(RoutesQuery, Reply<Result<RoutesPage, Error>>),
    Route(String, IpNet, Reply<Result<Option<RouteView>, Error>>),
    Refused(String, String, Reply<Result<Vec<RefusedRoute>, Error>>),
    Explain(String, IpNet, Option<String>, Reply<Result<Explanation, Error>>),
    Plan(Arc<Config>, Reply<Plan>),
    Audit(Audit, Reply<(Audit, Vec<AuditViolation>)>),
    Freeze(Reply<()>),
    Stop(Reply<()>),
}

/// How the shards are asked.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    requests: Arc<[mpsc::Sender<Request>]>,
    sessions: Shards,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// Starts the threads of the shards and what they have in common.
pub(crate) fn start(config: &Config, ring: Arc<Ring>) -> Result<Handle, Error> {
    let (common, reports) = Common::start(config, ring)?;
    let engines = Engine::shards(u64::from(u32::from(config.router_id)), config.shards);
    let (mut requests, mut sessions, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for (shard, (engine, reports)) in engines.into_iter().zip(reports).enumerate() {
        let (sender, asked) = mpsc::channel(REQUESTS);
        requests.push(sender);
        let (sender, received) = mpsc::channel(BATCHES);
        sessions.push(sender);
        let worker = Worker::new(shard, engine, config, Arc::clone(&common), reports);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Error::Thread)?;
        let thread = std::thread::Builder::new()
            .name(format!("shard {shard}"))
            .spawn(move || runtime.block_on(worker.run(asked, received)))
            .map_err(Error::Thread)?;
        threads.push(thread);
    }
    Ok(Handle { requests: requests.into(), sessions: sessions.into(), threads: Arc::new(Mutex::new(threads)) })
}

impl Handle {
    /// Where sessions send what they received.
    pub(crate) fn sessions(&self) -> Shards {
        Arc::clone(&self.sessions)
    }

    /// Brings all shards to a configuration. Neighbours whose routes are to be judged anew are asked for them once all have it.
    pub(crate) async fn apply(&self, config: Arc<Config>, neighbors: Vec<ShardNeighbor>) -> Result<(), Error> {
        let asked = self.ask_all(|reply| Request::Apply(Arc::clone(&config), neighbors.clone(), reply)).await?;
        let again: BTreeSet<(NeighborId, AfiSafi)> = asked.into_iter().flatten().collect();
        for (id, family) in again {
            if let Some(neighbor) = neighbors.iter().find(|neighbor| neighbor.id == id) {
                // Its queue only fills, or closes, while the session ends.
                let _ = neighbor.commands.try_send(Command::Refresh(family));
            }
        }
        Ok(())
    }

    pub(crate) async fn inject(&self, vrf: &str, routes: Vec<Injected>) -> Result<(), Error> {
        let done = self.ask_all(|reply| Request::Inject(vrf.to_owned(), routes.clone(), reply)).await?;
        done.into_iter().collect()
    }

    pub(crate) async fn withdraw(&self, vrf: &str, prefixes: Vec<IpNet>) -> Result<(), Error> {
        let done = self.ask_all(|reply| Request::Withdraw(vrf.to_owned(), prefixes.clone(), reply)).await?;
        done.into_iter().collect()
    }

    pub(crate) async fn summary(&self) -> Result<Summary, Error> {
        self.ask_all(Request::Summary).await.map(answers::summary)
    }

    pub(crate) async fn neighbor_routes(&self) -> Result<HashMap<NeighborKey, NeighborRoutes>, Error> {
        self.ask_all(Request::NeighborRoutes).await.map(answers::neighbor_routes)
    }

    pub(crate) async fn vrfs(&self) -> Result<Vec<VrfStatus>, Error> {
        self.ask_all(Request::Vrfs).await.map(answers::vrfs)
    }

    pub(crate) async fn routes(&self, query: RoutesQuery) -> Result<RoutesPage, Error> {
        let pages = self.ask_all(|reply| Request::Routes(query.clone(), reply)).await?;
        let pages: Vec<RoutesPage> = pages.into_iter().collect::<Result<_, _>>()?;
        Ok(answers::routes(pages, query.limit.max(1)))
    }

    pub(crate) async fn route(&self, vrf: &str, prefix: IpNet) -> Result<Option<RouteView>, Error> {
        self.ask(prefix, |reply| Request::Route(vrf.to_owned(), prefix, reply)).await?
    }

    pub(crate) async fn refused(&self, from: &str, to: &str) -> Result<Vec<RefusedRoute>, Error> {
        let lists = self.ask_all(|reply| Request::Refused(from.to_owned(), to.to_owned(), reply)).await?;
        let lists: Vec<Vec<RefusedRoute>> = lists.into_iter().collect::<Result<_, _>>()?;
        Ok(answers::refused(lists))
    }

    pub(crate) async fn explain(&self, vrf: &str, prefix: IpNet, from: Option<&str>) -> Result<Explanation, Error> {
        let from = from.map(str::to_owned);
        self.ask(prefix, |reply| Request::Explain(vrf.to_owned(), prefix, from, reply)).await?
    }

    pub(crate) async fn plan(&self, config: Arc<Config>) -> Result<Plan, Error> {
        let parts = self.ask_all(|reply| Request::Plan(Arc::clone(&config), reply)).await?;
        Ok(plan::merged(parts, &config))
    }

    /// Audits each shard part by part, between which it goes on with its work.
    pub(crate) async fn audit(&self) -> Result<AuditReport, Error> {
        let mut report = AuditReport::default();
        for shard in self.requests.iter() {
            let mut audit = Audit::default();
            while !audit.is_finished() {
                let (reply, answer) = oneshot::channel();
                shard.send(Request::Audit(audit, reply)).await.map_err(|_| Error::Stopped)?;
                let (next, violations) = answer.await.map_err(|_| Error::Stopped)?;
                audit = next;
                report.faults += violations.len();
                let room = VIOLATIONS.saturating_sub(report.violations.len());
                report.violations.extend(violations.into_iter().take(room));
            }
            report.destinations += audit.destinations;
            report.witnessed += audit.witnessed;
            report.limited += audit.limited;
            report.unsettled += audit.unsettled;
        }
        Ok(report)
    }

    /// From now on nothing changes in the kernel's tables until the end.
    pub(crate) async fn freeze(&self) {
        self.tell_all(Request::Freeze).await;
    }

    /// Ends the threads; returns when they are gone.
    pub(crate) async fn stop(&self) {
        self.tell_all(Request::Stop).await;
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Asks the shard that a prefix belongs to.
    async fn ask<T>(&self, prefix: IpNet, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let shard = &self.requests[shard_of(prefix, self.requests.len())];
        shard.send(request(reply)).await.map_err(|_| Error::Stopped)?;
        answer.await.map_err(|_| Error::Stopped)
    }

    /// Asks all shards; returns when each has done it or had ended before.
    async fn tell_all(&self, request: impl Fn(Reply<()>) -> Request) {
        let mut asked = Vec::with_capacity(self.requests.len());
        for shard in self.requests.iter() {
            let (reply, answer) = oneshot::channel();
            let _ = shard.send(request(reply)).await;
            asked.push(answer);
        }
        for answer in asked {
            let _ = answer.await;
        }
    }

    /// Asks all shards; the answers are in their order.
    async fn ask_all<T>(&self, request: impl Fn(Reply<T>) -> Request) -> Result<Vec<T>, Error> {
        let mut asked = Vec::with_capacity(self.requests.len());
        for shard in self.requests.iter() {
            let (reply, answer) = oneshot::channel();
            shard.send(request(reply)).await.map_err(|_| Error::Stopped)?;
            asked.push(answer);
        }
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            answers.push(answer.await.map_err(|_| Error::Stopped)?);
        }
        Ok(answers)
    }
}
