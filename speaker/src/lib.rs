//! A BGP speaker for tokio: sockets, timers, redistribution and the embeddable handle.
//!
//! A [`Speaker`] is given a [`Config`], plain data, and brings the running sessions, tables, leaks and installed routes to
//! it; giving another one later is an [`apply`](Speaker::apply), which does the least that differs. Any number of
//! speakers run in one process.
//!
//! Routes are computed by the shards, threads that share the prefixes out among them, one unless [`Config::shards`] says more; sessions are
//! tasks on the runtime that [`start`](Builder::start) was called on, and installing routes has a thread of its own. None waits for a slow one behind it but by
//! bounded queues, whose back-pressure reaches the peers' TCP windows. This crate reads no files and no environment.

mod clock;
mod config;
mod diff;
mod error;
mod install;
mod kernel;
mod limit;
mod listener;
mod manager;
mod session;
mod shard;
mod status;
mod unnumbered;
mod watch;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::AfiSafi;
use bytes::Bytes;
use ipnet::IpNet;
use tokio::sync::Mutex;

pub use bgp_session::{RemoteAs, State};
pub use config::{
    BGP_PORT, Binding, Class, Config, ConfigError, ConfigFault, Connected, EdgeConfig, FibMode, NeighborConfig,
    NeighborKey, PeerAddress, Static, Via, VrfConfig, permit_within,
};
pub use diff::{Applied, Change, EdgeName, difference};
pub use error::Error;
pub use leak_engine::{
    Accept, Advertise, Check, Fault, Filter, Finding, ImportRefusal, PrefixList, PrefixRule, PrefixSet, Rank, Refusal,
    Stage,
};
pub use status::*;
pub use watch::{Cursor, Event, Standing, Watch, Watched};

use manager::{Manager, Shown};
use watch::Ring;

/// A running speaker. Clones are handles to the same one; it runs until [`stop`](Speaker::stop). When the last handle goes without
/// that it ends in the background, and leaves installed routes where they are.
#[derive(Debug, Clone)]
pub struct Speaker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` once stopped.
    manager: Mutex<Option<Manager>>,
    shown: Arc<Shown>,
    shard: shard::Handle,
    ring: Arc<Ring>,
    began: Instant,
}

/// How to start a speaker.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    config: Config,
    events_kept: Option<usize>,
}

impl Builder {
    /// What it starts with.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How many events are kept for watchers, 65536 unless told. With 0 none are, and routes cost less; a watcher then reads only how
    /// many it missed.
    #[must_use]
    pub fn events_kept(mut self, events: usize) -> Self {
        self.events_kept = Some(events);
        self
    }

    /// Starts the speaker on the runtime of the caller, whose I/O and time drivers must be on.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Listen`], [`Error::Fib`] or [`Error::Thread`]; nothing runs then.
    pub async fn start(self) -> Result<Speaker, Error> {
        self.config.check().map_err(Error::Config)?;
        let ring = Ring::new(self.events_kept.unwrap_or(1 << 16));
        let shard = shard::start(&self.config, Arc::clone(&ring))?;
        let shown = Arc::<Shown>::default();
        let mut manager = Manager::new(self.config.clone(), Arc::clone(&shown), shard.clone(), Arc::clone(&ring));
        if let Err(error) = manager.apply(self.config).await {
            manager.stop().await;
            return Err(error);
        }
        Ok(Speaker {
            inner: Arc::new(Inner { manager: Mutex::new(Some(manager)), shown, shard, ring, began: Instant::now() }),
        })
    }
}

/// A route given by the program that embeds the speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// The destination; host bits are ignored.
    pub prefix: IpNet,
    /// Its path attributes in canonical form, as [`bgp_wire::AttributesBuilder`] builds them.
    pub attributes: Bytes,
    /// Where packets go; `None`: the speaker itself, and nothing is installed.
    pub next_hop: Option<IpAddr>,
}

impl Speaker {
    /// Begins a speaker.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Brings the speaker to another configuration: what does not differ is not touched, and no session but a changed neighbour's
    /// moves. Edges change at once, old or new and never a mixture. Runs to its end even if the future is dropped.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Listen`], [`Error::FibMode`], [`Error::Shards`] or [`Error::Stopped`]; nothing changed then.
    pub async fn apply(&self, config: Config) -> Result<Applied, Error> {
        let inner = Arc::clone(&self.inner);
        let apply = async move {
            let mut manager = inner.manager.lock().await;
            manager.as_mut().ok_or(Error::Stopped)?.apply(config).await
        };
        tokio::spawn(apply).await.unwrap_or(Err(Error::Stopped))
    }

    /// What it was last told.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn config(&self) -> Result<Config, Error> {
        Ok(self.inner.shown.standing()?.config.clone())
    }

    /// The speaker as a whole.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn status(&self) -> Result<Status, Error> {
        let standing = self.inner.shown.standing()?;
        let shard = self.inner.shard.summary().await?;
        let up = standing.sessions.values().filter(|session| session.view().state == State::Established);
        let config = &standing.config;
        Ok(Status {
            name: config.name.clone(),
            asn: config.asn,
            router_id: config.router_id,
            zone: config.zone.clone(),
            uptime: self.inner.began.elapsed(),
            listening: standing.listening.clone(),
            converged: shard.converged,
            neighbors: config.neighbors.len(),
            established: up.count(),
            attributes: shard.attributes,
            fib: shard.fib,
            edges: shard.edges,
        })
    }

    /// All neighbours, in the order of the configuration.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn neighbors(&self) -> Result<Vec<NeighborStatus>, Error> {
        let standing = self.inner.shown.standing()?;
        let mut routes = self.inner.shard.neighbor_routes().await?;
        let neighbors = standing.config.neighbors.iter();
        Ok(neighbors
            .filter_map(|neighbor| {
                let key = neighbor.key();
                let view = standing.sessions.get(&key)?.view();
                let routes = routes.remove(&key).unwrap_or_default();
                Some(NeighborStatus::new(neighbor, view, routes))
            })
            .collect())
    }

    /// The state of one neighbour's session and why it last went down; nothing for a neighbour that is not configured. Costs nothing.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub fn session(&self, neighbor: &NeighborKey) -> Result<Option<SessionState>, Error> {
        let standing = self.inner.shown.standing()?;
        Ok(standing.sessions.get(neighbor).map(|session| {
            let view = session.view();
            SessionState { state: view.state, last_down: view.last_down }
        }))
    }

    /// All VRFs, in the order of the configuration.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn vrfs(&self) -> Result<Vec<VrfStatus>, Error> {
        self.inner.shard.vrfs().await
    }

    /// One page of a VRF's routes, by address and length.
    ///
    /// # Errors
    /// [`Error::UnknownVrf`] or [`Error::Stopped`].
    pub async fn routes(&self, query: RoutesQuery) -> Result<RoutesPage, Error> {
        self.inner.shard.routes(query).await
    }

    /// One destination of a VRF with all its paths; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::UnknownVrf`] or [`Error::Stopped`].
    pub async fn route(&self, vrf: &str, prefix: IpNet) -> Result<Option<RouteView>, Error> {
        self.inner.shard.route(vrf, prefix).await
    }

    /// The native routes of one VRF that do not reach another, and why: `NotPeered` for all where there is no edge. At most the first
    /// 10,000.
    ///
    /// # Errors
    /// [`Error::UnknownVrf`] or [`Error::Stopped`].
    pub async fn refused(&self, from: &str, to: &str) -> Result<Vec<RefusedRoute>, Error> {
        self.inner.shard.refused(from, to).await
    }

    /// Why a VRF has a route for this prefix, or which step keeps it out; `from` names the exporter whose route is followed.
    ///
    /// # Errors
    /// [`Error::UnknownVrf`] or [`Error::Stopped`].
    pub async fn explain(&self, vrf: &str, prefix: IpNet, from: Option<&str>) -> Result<Explanation, Error> {
        self.inner.shard.explain(vrf, prefix, from).await
    }

    /// What [`apply`](Self::apply) with this configuration would change, of what follows from its edges, without changing anything.
    /// Sessions that would be reset and VRFs that would differ are among the changes; what then follows from these is not foreseen.
    ///
    /// # Errors
    /// [`Error::Config`] or [`Error::Stopped`].
    pub async fn plan(&self, config: Config) -> Result<Plan, Error> {
        config.check().map_err(Error::Config)?;
        let changes = difference(&self.inner.shown.standing()?.config, &config).changes;
        let plan = self.inner.shard.plan(Arc::new(config)).await?;
        Ok(Plan { changes, ..plan })
    }

    /// Proves that every leaked route has a witness and that none is missing, destination by destination, while routing goes on.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn audit(&self) -> Result<AuditReport, Error> {
        self.inner.shard.audit().await
    }

    /// Adds routes to a VRF, or replaces those injected before for the same prefixes. Native, and advertised as any.
    ///
    /// # Errors
    /// [`Error::UnknownVrf`] or [`Error::Stopped`].
    pub async fn inject(&self, vrf: &str, routes: Vec<Injected>) -> Result<(), Error> {
        self.inner.shard.inject(vrf, routes).await
    }

    /// Takes injected routes back. A prefix that was not injected is no error.
    ///
    /// # Errors
    /// [`Error::UnknownVrf`] or [`Error::Stopped`].
    pub async fn withdraw(&self, vrf: &str, prefixes: Vec<IpNet>) -> Result<(), Error> {
        self.inner.shard.withdraw(vrf, prefixes).await
    }

    /// Asks a neighbour for all its routes of a family again (RFC 2918). A neighbour that cannot is reset. Nothing happens while it
    /// is not established.
    ///
    /// # Errors
    /// [`Error::UnknownNeighbor`] or [`Error::Stopped`].
    pub async fn refresh(&self, neighbor: &NeighborKey, family: AfiSafi) -> Result<(), Error> {
        let standing = self.inner.shown.standing()?;
        let session = standing.sessions.get(neighbor).ok_or_else(|| Error::UnknownNeighbor(neighbor.clone()))?;
        session.commands.send(session::Command::Refresh(family)).await.map_err(|_| Error::Stopped)
    }

    /// The events from now on, or from a place kept from an earlier watch. A reader as slow as it likes delays nobody.
    pub fn watch(&self, from: Option<Cursor>) -> Watch {
        self.inner.ring.watch(from)
    }

    /// Ends the speaker: every neighbour is sent CEASE (administrative shutdown), installed routes are removed unless the
    /// configuration keeps them, and when this returns no task, thread or socket of it is left. Stopping again does nothing.
    pub async fn stop(&self) {
        let inner = Arc::clone(&self.inner);
        let stop = async move {
            if let Some(mut manager) = inner.manager.lock().await.take() {
                manager.stop().await;
            }
        };
        // It can only fail if the runtime ends, and then nothing of it is left either.
        let _ = tokio::spawn(stop).await;
    }
}
