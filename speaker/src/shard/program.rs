//! From changed destinations to what others must know of them: wishes for the installer, marks for the neighbours, events for the
//! watchers; and from the installer's answers to the state of each edge.

use fib::{Hop, Kind, METRIC, NextHops, Route, RouteKey};
use ipnet::IpNet;
use leak_engine::{Changed, shard_of};
use rib::{DestId, NextHopState, VrfId};
use tracing::info;

use super::resolve::NO_INTERFACE;
use super::worker::{Refill, Worker};
use crate::install::Report;
use crate::status::EdgeState;
use crate::watch::{ChangedRoute, Standing};

/// How far an edge has got in the data plane.
#[derive(Debug, Default)]
pub(super) struct EdgeTrack {
    /// The wish after which all its routes are in, once they have all been wished for.
    settled: Option<u64>,
    pub(super) state: EdgeState,
}

/// A wish for a route, or for none.
type Wish = (RouteKey, Option<Route>);

impl Worker {
    /// Passes on up to `max` changed destinations. Says whether there are more.
    pub(super) fn take_changes(&mut self, max: usize) -> bool {
        let mut changed = std::mem::take(&mut self.changed);
        let more = self.engine.take_changes(max, |change| changed.push(change));
        for run in changed.chunk_by(|a, b| a.vrf == b.vrf) {
            self.pass_on(run[0].vrf, run);
        }
        let ring = &self.common.ring;
        if !ring.keeps_events() {
            ring.pass_over(changed.len());
        } else if !changed.is_empty() {
            // Looked up first, since the ring is locked while it takes them.
            let mut routes = std::mem::take(&mut self.routes);
            let route =
                |change: &Changed| ChangedRoute { vrf: change.vrf, prefix: change.prefix, now: self.standing(change) };
            let known = changed.iter().filter(|change| self.vrfs.contains_key(&change.vrf));
            routes.extend(known.map(route));
            self.common.ring.push_routes(routes.drain(..), |vrf| self.vrfs.get(&vrf).map(|vrf| vrf.name.clone()));
            self.routes = routes;
        }
        changed.clear();
        self.changed = changed;
        more
    }

    /// Passes on changed destinations of one VRF.
    fn pass_on(&mut self, id: VrfId, changed: &[Changed]) {
        let Some(vrf) = self.vrfs.get_mut(&id) else {
            return;
        };
        for change in changed {
            match change.prefix {
                IpNet::V4(_) => vrf.out4.mark(change.dest),
                IpNet::V6(_) => vrf.out6.mark(change.dest),
            }
        }
        let table = vrf.table;
        if !vrf.indirect.is_empty() {
            changed.iter().for_each(|change| self.resolve_inside(id, change.prefix));
        }
        if let Some(table) = table {
            let wishes = changed.iter().map(|change| self.wish(id, table, change.prefix)).collect();
            self.send_wishes(wishes);
        }
    }

    /// What stands for a destination that was just handed out. By its id, since most of the cost of a change is looking it up.
    fn standing(&self, change: &Changed) -> Standing {
        let best = self.engine.tables(change.vrf).and_then(|(v4, v6)| match change.prefix {
            IpNet::V4(_) => v4.destination(change.dest)?.best(),
            IpNet::V6(_) => v6.destination(change.dest)?.best(),
        });
        match best.and_then(|best| self.engine.pools().sources.get(best.path.source)) {
            None => Standing::Gone,
            Some(source) if source.is_native() => Standing::Native,
            Some(_) => Standing::Leaked,
        }
    }

    fn send_wishes(&mut self, wishes: Vec<Wish>) {
        if !wishes.is_empty() && !self.frozen {
            self.wished = self.wisher.wish(wishes);
        }
    }

    /// What should be installed for a prefix.
    fn wish(&self, vrf: VrfId, table: u32, prefix: IpNet) -> Wish {
        let key = RouteKey::unicast(table, prefix);
        (key, self.kind(vrf, prefix).map(|kind| Route { table, prefix, metric: METRIC, kind, pref_src: None }))
    }

    fn kind(&self, vrf: VrfId, prefix: IpNet) -> Option<Kind> {
        let owner = self.vrfs.get(&vrf)?;
        // What is on a link is reached by it, whether it is told to anyone or not. A VRF device has these routes by itself.
        if let Some(interface) = owner.reach.connected(&prefix) {
            return (!owner.is_device()).then(|| Kind::Unicast { next_hops: Hop::interface(interface).into() });
        }
        let mut hops: Vec<Hop> = Vec::new();
        let mut refused = false;
        for route in self.engine.selected(vrf, prefix) {
            let NextHopState::Resolved { egress, .. } = &route.via.state else {
                continue;
            };
            // A leaked route has the next hop of the native one, in the exporter's VRF.
            let exporter = self.vrfs.get(&route.via.vrf)?;
            let native = match route.edge {
                None => route.source,
                Some(edge) => self.engine.selected(edge.from, prefix).next()?.source,
            };
            // A static route to nowhere refuses; what is injected without a next hop is the box itself.
            refused |= egress.is_empty() && native == exporter.sources.statics;
            hops.extend(egress.iter().filter_map(hop));
        }
        if hops.is_empty() {
            refused.then_some(Kind::Unreachable)
        } else {
            let next_hops: NextHops = hops.into();
            Some(Kind::Unicast { next_hops })
        }
    }

    /// Whether a prefix is this shard's to wish for.
    fn keeps(&self, prefix: IpNet) -> bool {
        shard_of(prefix, self.common.shards) == self.shard
    }

    /// Prefixes came onto a link of a VRF, or left it.
    pub(super) fn connected_changed(&mut self, id: VrfId, prefixes: Vec<IpNet>) {
        if let Some(table) = self.vrfs.get(&id).and_then(|vrf| vrf.table) {
            let own = prefixes.into_iter().filter(|prefix| self.keeps(*prefix));
            let wishes = own.map(|prefix| self.wish(id, table, prefix)).collect();
            self.send_wishes(wishes);
        }
    }

    /// Gives a VRF another table in the kernel, or none.
    pub(super) fn rebind(&mut self, id: VrfId, table: Option<u32>) {
        let Some(vrf) = self.vrfs.get_mut(&id) else {
            return;
        };
        let was = std::mem::replace(&mut vrf.table, table);
        if was == table {
            return;
        }
        self.refill.retain(|refill| refill.vrf != id);
        if let Some(was) = was
            && !self.frozen
        {
            self.wished = self.wisher.withdraw_table(was);
        }
        if let Some(table) = table {
            info!(vrf = %vrf.name, table, "bound to a table");
            // What is withdrawn must not fall through to another table.
            let own = DEFAULTS.into_iter().filter(|prefix| self.keeps(*prefix));
            let routes = own.map(|prefix| Route::unreachable(table, prefix));
            self.send_wishes(routes.map(|route| (route.key(), Some(route))).collect());
            let connected = self.vrfs.get(&id).map(|vrf| vrf.reach.all_connected()).unwrap_or_default();
            self.connected_changed(id, connected);
            for ipv6 in [false, true] {
                self.refill.push_back(Refill { vrf: id, ipv6, next: DestId(0) });
            }
        }
        for ((from, to), edge) in &mut self.edges {
            if *from == id || *to == id {
                *edge = EdgeTrack::default();
                self.common.edge_began((*from, *to), self.shard, self.configured);
            }
        }
    }

    /// Wishes for some more routes of VRFs that got a table. Says whether there are more.
    pub(super) fn refill(&mut self, budget: usize) -> bool {
        let Some(Refill { vrf, ipv6, next }) = self.refill.pop_front() else {
            return false;
        };
        let table = self.vrfs.get(&vrf).and_then(|vrf| vrf.table);
        let (Some(table), Some((v4, v6))) = (table, self.engine.tables(vrf)) else {
            return !self.refill.is_empty();
        };
        let mut prefixes: Vec<(DestId, IpNet)> = Vec::with_capacity(budget);
        if ipv6 {
            let dests = v6.destinations_from(next).take(budget);
            prefixes.extend(dests.map(|dest| (dest.id, dest.key().into())));
        } else {
            let dests = v4.destinations_from(next).take(budget);
            prefixes.extend(dests.map(|dest| (dest.id, dest.key().into())));
        }
        if prefixes.len() == budget
            && let Some((last, _)) = prefixes.last()
        {
            let next = DestId(last.0 + 1);
            self.refill.push_front(Refill { vrf, ipv6, next });
        }
        let wishes = prefixes
            .into_iter()
            .map(|(_, prefix)| self.wish(vrf, table, prefix))
            .filter(|(_, route)| route.is_some())
            .collect();
        self.send_wishes(wishes);
        !self.refill.is_empty()
    }

    /// The installer says what became of the wishes.
    pub(super) fn reported(&mut self, mut report: Report) {
        for (key, failure) in report.failures.drain(..) {
            match failure {
                Some(error) => self.failures.insert(key, error),
                None => self.failures.remove(&key),
            };
        }
        self.report = report;
        self.judge_edges();
    }

    /// Everything that follows from what came in has been wished for: edges whose walk is over are in once that is done.
    pub(super) fn settle_edges(&mut self) {
        if self.edges.values().all(|track| track.settled.is_some()) {
            return;
        }
        for edge in self.engine.edges().filter(|edge| edge.settled) {
            if let Some(track) = self.edges.get_mut(&(edge.spec.from, edge.spec.to)) {
                track.settled.get_or_insert(self.wished);
            }
        }
        self.judge_edges();
    }

    fn judge_edges(&mut self) {
        let failed = self.failed_edges();
        for (ends, track) in &mut self.edges {
            let done = track.settled.is_some_and(|settled| settled <= self.report.through);
            let state = match failed.get(ends) {
                Some(why) => EdgeState::Failed(why.as_str().into()),
                None if done => EdgeState::Programmed,
                // What stood stays so while it changes.
                None if track.settled.is_some() && track.state == EdgeState::Programmed => EdgeState::Programmed,
                None => EdgeState::Pending,
            };
            if state == track.state {
                continue;
            }
            let name = |vrf| self.vrfs.get(vrf).map(|vrf| vrf.name.clone());
            if let (Some(from), Some(to)) = (name(&ends.0), name(&ends.1)) {
                self.common.edge_is(*ends, self.shard, state.clone(), [from, to]);
            }
            track.state = state;
        }
    }

    /// For each edge with a route that the kernel refused, which and why.
    fn failed_edges(&self) -> std::collections::HashMap<(VrfId, VrfId), String> {
        let mut failed = std::collections::HashMap::new();
        for (key, error) in &self.failures {
            let vrf = self.vrfs.iter().find(|(_, vrf)| vrf.table == Some(key.table));
            let Some((id, _)) = vrf else { continue };
            let best = self.engine.selected(*id, key.prefix).find(|route| route.best);
            if let Some(edge) = best.and_then(|route| route.edge) {
                failed.entry((edge.from, edge.to)).or_insert_with(|| format!("{}: {error}", key.prefix));
            }
        }
        failed
    }
}

/// A way out, as the kernel takes it. A gateway on a known interface is taken to be on the link: for a leaked route the interface is in
/// another VRF, where the kernel would not look for it.
fn hop(egress: &rib::Egress) -> Option<Hop> {
    match (egress.gateway, egress.interface) {
        (Some(gateway), NO_INTERFACE) => Some(Hop::gateway(gateway)),
        (Some(gateway), interface) => Some(Hop::via(gateway, interface).onlink()),
        (None, NO_INTERFACE) => None,
        (None, interface) => Some(Hop::interface(interface)),
    }
}

const DEFAULTS: [IpNet; 2] = [
    IpNet::V4(ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 0)),
    IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::UNSPECIFIED, 0)),
];
