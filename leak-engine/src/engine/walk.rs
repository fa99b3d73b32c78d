//! Work on many routes, cut into steps: flushes, walks of edges, changed next hops, leaving VRFs.
//!
//! A walk knows its place in a table by the table's own ids, so that the table may change under it. Walks take turns.

use std::collections::BTreeSet;

use bgp_wire::AfiSafi;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rib::{DestId, NextHopId, Path, PathRef, SourceId, VrfId};

use super::{EdgeNo, Engine, TableKey, Vrf, reconcile::Cause};

/// One piece of work in progress.
pub(super) enum Walk {
    /// An edge's, over the exporter's destinations; its place is with the edge.
    Edge(EdgeNo),
    /// Over the paths of a VRF.
    Paths { vrf: VrfId, purpose: Purpose, place: Place },
}

/// What is done with the paths of a VRF.
pub(super) enum Purpose {
    /// Those of the sources are withdrawn, all of a destination at once.
    Flush(BTreeSet<SourceId>),
    /// Those of the source and family that did not come again during a refresh are withdrawn.
    Sweep(SourceId, AfiSafi),
    /// The destinations of those through the next hops are decided again.
    NextHops(BTreeSet<NextHopId>),
    /// All native ones are withdrawn; edges take theirs away themselves.
    Clear,
}

/// Where a walk over the paths of a VRF stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// It is through with IPv4.
    ipv6: bool,
    /// The first path that it has still to see.
    path: PathRef,
    /// The first path, of IPv4 and of IPv6, that is none of its business.
    ends: [PathRef; 2],
}

impl Place {
    /// All paths.
    const START: Self = Self { ipv6: false, path: PathRef(0), ends: [PathRef(u32::MAX); 2] };
}

impl Walk {
    pub(super) fn edge(no: EdgeNo) -> Self {
        Self::Edge(no)
    }

    pub(super) fn sweep(vrf: VrfId, source: SourceId, family: AfiSafi) -> Self {
        let mut ends = [PathRef(0); 2];
        if let Some(slot) = super::slot(family) {
            ends[slot] = PathRef(u32::MAX);
        }
        Self::Paths { vrf, purpose: Purpose::Sweep(source, family), place: Place { ends, ..Place::START } }
    }

    /// Whether it ends a refresh of this source, and of this family if one is given.
    pub(super) fn sweeps(&self, source: SourceId, family: Option<AfiSafi>) -> bool {
        matches!(self, Self::Paths { purpose: Purpose::Sweep(swept, of), .. }
            if *swept == source && family.is_none_or(|family| family == *of))
    }

    pub(super) fn clear(vrf: VrfId) -> Self {
        Self::Paths { vrf, purpose: Purpose::Clear, place: Place::START }
    }

    pub(super) fn flushes(&self, source: SourceId) -> bool {
        matches!(self, Self::Paths { purpose: Purpose::Flush(flushed), .. } if flushed.contains(&source))
    }
}

/// Destinations of an edge's walk that are looked up together.
const TOGETHER: usize = 64;

/// How many routes one walk looks at before it is the next one's turn.
const TURN: usize = 1024;

impl Engine {
    /// Does pending work, looking at no more than `budget` routes, and returns whether there is more to do. A route
    /// that is looked at and needs nothing takes nanoseconds; one that moves over edges takes up to a microsecond for each.
    pub fn tick(&mut self, mut budget: usize) -> bool {
        while budget > 0 {
            let Some(walk) = self.walks.pop_front() else { break };
            let mut turn = budget.min(TURN);
            budget -= turn;
            let unfinished = self.step(walk, &mut turn);
            budget += turn;
            // A step that looked at nothing still counts, so that this loop ends.
            budget = budget.saturating_sub(1);
            self.walks.extend(unfinished);
        }
        self.reap();
        !self.walks.is_empty()
    }

    /// Sends a walk over the paths that were decided before the next hop changed. Those that come later are not walked: a new
    /// next hop is commonly heard of between its first route and a million more.
    pub(super) fn start_next_hop_walk(&mut self, vrf: VrfId, next_hop: NextHopId) {
        let Some(owner) = self.vrfs.get(&vrf) else { return };
        let ends = [owner.v4.path_end(), owner.v6.path_end()];
        for walk in &mut self.walks {
            if let Walk::Paths { vrf: walked, purpose: Purpose::NextHops(next_hops), place } = walk
                && *walked == vrf
                && !place.ipv6
                && place.path == PathRef(0)
            {
                next_hops.insert(next_hop);
                place.ends = ends;
                return;
            }
        }
        let purpose = Purpose::NextHops(BTreeSet::from([next_hop]));
        self.stale += 1;
        self.walks.push_back(Walk::Paths { vrf, purpose, place: Place { ends, ..Place::START } });
    }

    /// Sends a walk that withdraws what came from a source. It joins one under way in the VRF, which begins again: where many
    /// neighbours are lost at once, each destination is decided once.
    pub(super) fn start_flush_walk(&mut self, vrf: VrfId, source: SourceId) {
        for walk in &mut self.walks {
            if let Walk::Paths { vrf: walked, purpose: Purpose::Flush(flushed), place } = walk
                && *walked == vrf
            {
                flushed.insert(source);
                *place = Place::START;
                return;
            }
        }
        let purpose = Purpose::Flush(BTreeSet::from([source]));
        self.walks.push_back(Walk::Paths { vrf, purpose, place: Place::START });
    }

    /// Forgets that what came from a source is to be withdrawn.
    pub(super) fn stop_flush_walk(&mut self, source: SourceId) {
        self.walks.retain_mut(|walk| match walk {
            Walk::Paths { purpose: Purpose::Flush(flushed), .. } => {
                flushed.remove(&source);
                !flushed.is_empty()
            }
            _ => true,
        });
    }

    /// Ends the flush of a source that has routes to announce again.
    pub(super) fn finish_flush(&mut self, source: SourceId) {
        while let Some(at) = self.walks.iter().position(|walk| walk.flushes(source)) {
            let Some(walk) = self.walks.remove(at) else { return };
            let mut turn = usize::MAX;
            let unfinished = self.step(walk, &mut turn);
            self.walks.extend(unfinished);
        }
    }

    /// One turn of a walk; what is left of it comes back.
    fn step(&mut self, walk: Walk, turn: &mut usize) -> Option<Walk> {
        match walk {
            Walk::Edge(no) => self.step_edge(no, turn).then_some(walk),
            Walk::Paths { vrf, purpose, mut place } => {
                let more = if place.ipv6 {
                    self.step_paths::<Ipv6Net>(vrf, &purpose, &mut place, turn)
                } else {
                    self.step_paths::<Ipv4Net>(vrf, &purpose, &mut place, turn)
                };
                if !more && !place.ipv6 {
                    place = Place { ipv6: true, path: PathRef(0), ..place };
                } else if !more && !self.ended(vrf, &purpose) {
                    place = Place::START;
                } else if !more {
                    return None;
                }
                Some(Walk::Paths { vrf, purpose, place })
            }
        }
    }

    /// A walk has seen all paths; false if it must begin again.
    fn ended(&mut self, vrf: VrfId, purpose: &Purpose) -> bool {
        match purpose {
            Purpose::Flush(sources) => sources.iter().for_each(|source| self.flushed(*source)),
            Purpose::Sweep(source, family) => {
                let inbound = self.inbound.get_mut(source.index()).and_then(Option::as_mut);
                if let (Some(inbound), Some(slot)) = (inbound, super::slot(*family)) {
                    inbound.refresh[slot] = None;
                }
            }
            Purpose::NextHops(_) => self.stale -= 1,
            Purpose::Clear => {
                let Some(left) = self.vrfs.get(&vrf) else { return true };
                if left.v4.path_count() + left.v6.path_count() > 0 || !left.out.is_empty() || !left.into.is_empty() {
                    return false;
                }
                let sources = self.pools.sources.iter();
                let own: Vec<SourceId> = sources.filter(|(_, source)| source.vrf == vrf).map(|(id, _)| id).collect();
                for source in own {
                    self.stop_flush_walk(source);
                    self.walks.retain(|walk| !walk.sweeps(source, None));
                    self.flushed(source);
                }
            }
        }
        true
    }

    fn step_paths<K: TableKey>(&mut self, vrf: VrfId, purpose: &Purpose, place: &mut Place, turn: &mut usize) -> bool {
        let Some(owner) = self.vrfs.get(&vrf) else { return false };
        let sources = &self.pools.sources;
        let seen = match purpose {
            Purpose::Sweep(source, _) => {
                let inbound = self.inbound.get(source.index()).and_then(Option::as_ref);
                inbound.and_then(|inbound| inbound.refresh[K::SLOT].as_ref())
            }
            _ => None,
        };
        let wanted = |at: PathRef, path: &Path| match purpose {
            Purpose::Flush(flushed) => flushed.contains(&path.source),
            Purpose::Sweep(source, _) => path.source == *source && seen.is_some_and(|seen| !seen.contains(at)),
            Purpose::NextHops(next_hops) => next_hops.contains(&path.next_hop),
            Purpose::Clear => sources.get(path.source).is_some_and(|source| source.is_native()),
        };
        let table = K::table(owner);
        let mut found: Vec<(K, DestId, Path)> = Vec::new();
        let mut more = false;
        let end = place.ends[usize::from(place.ipv6)];
        for (at, dest, path) in table.paths_from(place.path).take_while(|(at, ..)| *at < end) {
            if *turn == 0 {
                (place.path, more) = (at, true);
                break;
            }
            *turn -= 1;
            if wanted(at, &path)
                && let Some(dest) = table.destination(dest)
            {
                found.push((dest.key(), dest.id, path));
            }
        }
        for (key, dest, path) in found {
            match purpose {
                Purpose::NextHops(next_hops) => self.decide_again::<K>(vrf, dest, next_hops),
                Purpose::Flush(flushed) => self.take_paths_of(vrf, key, dest, flushed),
                _ => drop(self.take_path_from(vrf, key, dest, path.source, path.path_id)),
            }
        }
        more
    }

    /// Decides a destination again, one of whose next hops changed.
    fn decide_again<K: TableKey>(&mut self, vrf: VrfId, dest: DestId, next_hops: &BTreeSet<NextHopId>) {
        let Self { vrfs, pools, .. } = self;
        let Some(table) = vrfs.get_mut(&vrf).map(K::table_mut) else { return };
        let changed = table.redecide(pools, dest).is_some();
        let through =
            |found: rib::Destination<'_, K>| found.selected().any(|view| next_hops.contains(&view.path.next_hop));
        if changed || table.destination(dest).is_some_and(through) {
            self.settle::<K>(vrf, dest, true);
        }
    }

    fn step_edge(&mut self, no: EdgeNo, turn: &mut usize) -> bool {
        while *turn > 0 {
            let Some(Some(edge)) = self.edges.get_mut(no.index()) else { return false };
            let Some(exporter) = self.vrfs.get(&edge.spec.from) else { return false };
            match edge.walk {
                Some((AfiSafi::IPV4_UNICAST, at)) => {
                    if !self.step_edge_in::<Ipv4Net>(no, at, turn)
                        && let Some(Some(edge)) = self.edges.get_mut(no.index())
                    {
                        edge.walk = Some((AfiSafi::IPV6_UNICAST, DestId(0)));
                    }
                }
                Some((AfiSafi::IPV6_UNICAST, at)) if at < exporter.v6.end() => {
                    if !self.step_edge_in::<Ipv6Net>(no, at, turn)
                        && let Some(Some(edge)) = self.edges.get_mut(no.index())
                    {
                        edge.walk = Some(END);
                    }
                }
                _ => {
                    edge.walk = Some(END);
                    edge.gathering = false;
                    let next = if edge.is_full() { None } else { edge.overflow.pop_first() };
                    *turn -= 1;
                    match next {
                        Some(IpNet::V4(next)) => self.promote(no, next),
                        Some(IpNet::V6(next)) => self.promote(no, next),
                        None => {
                            self.edge_walked(no);
                            return false;
                        }
                    }
                }
            }
        }
        true
    }

    /// Reconciles native destinations from `at` on; false at the end of the table.
    fn step_edge_in<K: TableKey>(&mut self, no: EdgeNo, at: DestId, turn: &mut usize) -> bool {
        let mut dests = std::mem::take(&mut self.scratch.dests);
        dests.clear();
        let mut more = false;
        if let Some(Some(edge)) = self.edges.get(no.index())
            && let Some(exporter) = self.vrfs.get(&edge.spec.from)
        {
            for found in K::table(exporter).destinations_from(at) {
                if *turn == 0 {
                    more = true;
                    break;
                }
                *turn -= 1;
                dests.push(found.id);
            }
        }
        for part in dests.chunks(TOGETHER) {
            let (Some(Some(edge)), Some(last)) = (self.edges.get_mut(no.index()), part.last()) else { break };
            edge.walk = Some((K::FAMILY, DestId(last.0 + 1)));
            let cause = Cause { counted: false, again: edge.again };
            let mut native = std::mem::take(&mut K::batch_mut(&mut self.scratch).native);
            native.clear();
            if let Some(exporter) = self.vrfs.get(&edge.spec.from) {
                let table = K::table(exporter);
                let held = part.iter().filter_map(|dest| table.destination(*dest));
                let held = held.filter(|found| found.is_held(rib::Holder::Native));
                native.extend(held.map(|found| (found.key(), found.id, cause)));
            }
            self.reconcile_all(no, native.iter().copied());
            K::batch_mut(&mut self.scratch).native = native;
        }
        self.scratch.dests = dests;
        more
    }

    /// Forgets VRFs that were removed and are empty.
    pub(super) fn reap(&mut self) {
        let Self { vrfs, walks, .. } = self;
        let clearing = |id: VrfId| {
            walks.iter().any(|walk| matches!(walk, Walk::Paths { vrf, purpose: Purpose::Clear, .. } if *vrf == id))
        };
        let gone = |id: VrfId, vrf: &Vrf| vrf.closing && vrf.v4.is_empty() && vrf.v6.is_empty() && !clearing(id);
        vrfs.retain(|id, vrf| !gone(*id, vrf));
    }
}

/// The place after all destinations.
const END: (AfiSafi, DestId) = (AfiSafi::IPV6_UNICAST, DestId(u32::MAX));
