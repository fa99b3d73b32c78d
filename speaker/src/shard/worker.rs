//! A shard's loop: takes what came, does a bounded amount of the work that follows from it, and begins again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use leak_engine::{Accept, Changed, Engine};
use rib::adj_out::PolicyId;
use rib::{DestId, SourceId, VrfId};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, info};

use super::common::Common;
use super::neighbor::Neighbor;
use super::program::EdgeTrack;
use super::vrf::Vrf;
use super::{Reply, Request};
use crate::config::{Config, FibMode};
use crate::error::Error;
use crate::install::{Report, Stop, Wisher};
use crate::kernel::Links;
use crate::session::{FromSession, NeighborId};
use crate::watch::{ChangedRoute, Event};

/// Routes looked at per step of work that was put off.
const TICK: usize = 4096;

/// Changed destinations programmed per step.
const CHANGES: usize = 8192;

/// Destinations told to each neighbour per step: as many as change, so that none pile up between the two.
const TOLD: usize = CHANGES;

/// While so many changes wait, nothing more is taken from sessions, which then stop reading. So few that what a route touches is
/// still in the processor's cache when it is programmed and told.
const TOO_MANY: usize = CHANGES / 2;

/// Most batches taken from sessions per step.
const TAKEN: usize = 16;

pub(super) struct Worker {
    /// Which shard it is.
    pub(super) shard: usize,
    pub(super) common: Arc<Common>,
    pub(super) engine: Engine,
    pub(super) config: Arc<Config>,
    pub(super) vrfs: BTreeMap<VrfId, Vrf>,
    pub(super) names: HashMap<String, VrfId>,
    next_vrf: u32,
    pub(super) neighbors: HashMap<NeighborId, Neighbor>,
    /// Neighbours that are up, by the source of their routes.
    pub(super) live: HashMap<SourceId, NeighborId>,
    /// Export policies by [`PolicyId`], each once.
    pub(super) policies: Vec<Accept>,
    pub(super) links: Links,
    follower: Option<watch::Receiver<Links>>,
    pub(super) mode: FibMode,
    pub(super) wisher: Wisher,
    reports: mpsc::Receiver<Report>,
    /// What the installer last said.
    pub(super) report: Report,
    pub(super) failures: BTreeMap<fib::RouteKey, String>,
    /// The number of the last wish.
    pub(super) wished: u64,
    /// The speaker is stopping: nothing is wished for any more.
    pub(super) frozen: bool,
    /// Walks over tables whose VRF got a kernel table.
    pub(super) refill: VecDeque<Refill>,
    pub(super) edges: HashMap<(VrfId, VrfId), EdgeTrack>,
    /// Room for changes that are being passed on.
    pub(super) changed: Vec<Changed>,
    pub(super) routes: Vec<ChangedRoute>,
    pub(super) converged: bool,
    deadline: Instant,
    /// How many configurations there were.
    pub(super) configured: u64,
}

/// A walk that wishes for all routes of a VRF.
pub(super) struct Refill {
    pub(super) vrf: VrfId,
    pub(super) ipv6: bool,
    pub(super) next: DestId,
}

impl Worker {
    pub(super) fn new(
        shard: usize,
        engine: Engine,
        config: &Config,
        common: Arc<Common>,
        reports: mpsc::Receiver<Report>,
    ) -> Self {
        let follower = common.links();
        let links = follower.as_ref().map(|links| links.borrow().clone()).unwrap_or_default();
        let wisher = common.installer.wisher(shard);
        Self {
            shard,
            common,
            engine,
            config: Arc::new(Config::default()),
            vrfs: BTreeMap::new(),
            names: HashMap::new(),
            next_vrf: 1,
            neighbors: HashMap::new(),
            live: HashMap::new(),
            policies: vec![Accept::Everything, Accept::Nothing],
            links,
            follower,
            mode: config.fib,
            wisher,
            reports,
            report: Report::default(),
            failures: BTreeMap::new(),
            wished: 0,
            frozen: false,
            refill: VecDeque::new(),
            edges: HashMap::new(),
            changed: Vec::new(),
            routes: Vec::new(),
            converged: false,
            deadline: Instant::now() + config.convergence,
            configured: 0,
        }
    }

    /// Whether it is the one that does what is to be done once.
    pub(super) fn is_first(&self) -> bool {
        self.shard == 0
    }

    pub(super) async fn run(
        mut self,
        mut asked: mpsc::Receiver<Request>,
        mut received: mpsc::Receiver<(NeighborId, FromSession)>,
    ) {
        let mut more = false;
        loop {
            let room = self.has_room();
            tokio::select! {
                biased;
                request = asked.recv() => match request {
                    Some(Request::Stop(reply)) => {
                        drop(received);
                        self.finish(Some(reply));
                        return;
                    }
                    Some(request) => self.request(request),
                    None => {
                        drop(received);
                        self.finish(None);
                        return;
                    }
                },
                Some(report) = self.reports.recv() => self.reported(report),
                links = changed(&mut self.follower) => self.links_changed(links),
                Some((neighbor, message)) = received.recv(), if room => {
                    self.session(neighbor, message);
                    for _ in 1..TAKEN {
                        if !self.has_room() {
                            break;
                        }
                        match received.try_recv() {
                            Ok((neighbor, message)) => self.session(neighbor, message),
                            Err(_) => break,
                        }
                    }
                }
                () = self.common.woken(self.shard) => self.woken(),
                () = std::future::ready(()), if more => {}
                () = tokio::time::sleep_until(self.deadline), if !self.converged => {}
            }
            more = self.step();
        }
    }

    fn has_room(&self) -> bool {
        self.engine.pending_changes() < TOO_MANY
    }

    /// Does some of what is to be done; says whether there is more.
    fn step(&mut self) -> bool {
        self.resolve_new();
        let mut more = self.engine.tick(TICK);
        more |= self.take_changes(CHANGES);
        more |= self.refill(TICK);
        more |= self.tell(TOLD);
        if !more {
            self.settle_edges();
            self.consider_converged();
        }
        if self.engine.freed_places() {
            self.common.wake_others(self.shard);
        }
        more
    }

    /// Tells the watchers.
    pub(super) fn tell_of(&self, event: Event) {
        self.common.ring.push([event]);
    }

    /// Another shard has something for this one to look at.
    fn woken(&mut self) {
        self.engine.claim_places();
        self.look_at_next_hops();
    }

    /// After a start, once everybody has said everything, what an earlier run left in the kernel can go.
    fn consider_converged(&mut self) {
        if self.converged || self.configured == 0 {
            return;
        }
        let complete = self.neighbors.values().all(Neighbor::is_complete);
        if !complete && Instant::now() < self.deadline {
            return;
        }
        self.converged = true;
        if self.common.converged() {
            self.tell_of(Event::Converged);
            info!(complete, "converged");
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Apply(config, neighbors, reply) => {
                self.configured += 1;
                answer(reply, self.apply(config, neighbors));
            }
            Request::Inject(vrf, routes, reply) => answer(reply, self.inject(&vrf, routes)),
            Request::Withdraw(vrf, prefixes, reply) => {
                answer(reply, self.withdraw(&vrf, &prefixes));
            }
            Request::Summary(reply) => answer(reply, self.summary()),
            Request::NeighborRoutes(reply) => answer(reply, self.neighbor_routes()),
            Request::Vrfs(reply) => answer(reply, self.vrf_statuses()),
            Request::Routes(query, reply) => answer(reply, self.routes_page(&query)),
            Request::Route(vrf, prefix, reply) => answer(reply, self.route(&vrf, prefix)),
            Request::Refused(from, to, reply) => answer(reply, self.refused(&from, &to)),
            Request::Explain(vrf, prefix, from, reply) => answer(reply, self.explain(&vrf, prefix, from.as_deref())),
            Request::Plan(config, reply) => answer(reply, self.plan(&config)),
            Request::Audit(audit, reply) => answer(reply, self.audit_part(audit)),
            Request::Freeze(reply) => {
                self.frozen = true;
                answer(reply, ());
            }
            Request::Stop(reply) => answer(reply, ()),
        }
    }

    fn finish(self, reply: Option<Reply<()>>) {
        // The installer must not wait for us while somebody waits for it.
        drop(self.reports);
        let stop = match reply {
            Some(_) if !self.config.keep_routes => Stop::Remove,
            _ => Stop::Keep,
        };
        drop(self.follower);
        // The last shard to end takes along what they have in common.
        if let Some(common) = Arc::into_inner(self.common) {
            common.stop(stop);
        }
        debug!(shard = self.shard, "shard ended");
        if let Some(reply) = reply {
            answer(reply, ());
        }
    }

    pub(super) fn vrf_id(&self, name: &str) -> Result<VrfId, Error> {
        let id = self.names.get(name).copied();
        id.ok_or_else(|| Error::UnknownVrf(name.to_owned()))
    }

    /// A number for a VRF that never was in use.
    pub(super) fn fresh_vrf(&mut self) -> VrfId {
        let id = VrfId(self.next_vrf);
        self.next_vrf += 1;
        id
    }

    /// The number of an export policy.
    pub(super) fn policy(&mut self, accept: &Accept) -> PolicyId {
        let at = self.policies.iter().position(|known| known == accept);
        let at = at.unwrap_or_else(|| {
            self.policies.push(accept.clone());
            self.policies.len() - 1
        });
        PolicyId(u32::try_from(at).unwrap_or(u32::MAX))
    }
}

/// The next state of the interfaces; never, in memory mode.
async fn changed(follower: &mut Option<watch::Receiver<Links>>) -> Links {
    if let Some(links) = follower
        && links.changed().await.is_ok()
    {
        return links.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// An asker that has gone does not want the answer.
fn answer<T>(reply: Reply<T>, value: T) {
    let _ = reply.send(value);
}
