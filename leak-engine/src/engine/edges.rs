//! The set of edges: swapped as a whole, by difference, so that only the routes of a changed edge are walked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bgp_wire::AfiSafi;
use ipnet::IpNet;
use rib::{DestId, Leak, Origination, Source, SourceId, VrfId};

use super::{Engine, Walk, reconcile::Cause};
use crate::{EdgeSpec, Refusal, shard::take_place};

/// The place of an edge in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct EdgeNo(pub(super) u32);

impl EdgeNo {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An edge as it stands.
pub(super) struct Edge {
    pub(super) spec: EdgeSpec,
    /// Where its copies come from, in the importer's table.
    pub(super) source: SourceId,
    /// No longer wanted: lets nothing pass, and goes when its walk is over.
    pub(super) removed: bool,
    /// While its walk goes on: the first destination of the exporter that it has still to see.
    pub(super) walk: Option<(AfiSafi, DestId)>,
    /// The walk decides and reports standing copies again.
    pub(super) again: bool,
    /// The exporter has more than the limit: the walk gathers what passes, and its end admits the first in order of prefix.
    pub(super) gathering: bool,
    /// Destinations with copies in the importer.
    pub(super) held: usize,
    /// The same in all shards together, where there are several and the edge has a limit.
    held_by_all: Option<Arc<AtomicUsize>>,
    /// What passes but is above the limit.
    pub(super) overflow: BTreeSet<IpNet>,
    /// Native destinations that the filter refuses, by refusal, of those that the walk has seen.
    pub(super) filtered: [usize; Refusal::ALL.len()],
    /// Destinations with copies that lose in the importer, by refusal.
    pub(super) lost: [usize; Refusal::ALL.len()],
}

impl Edge {
    pub(super) fn check(&self, prefix: IpNet) -> Result<(), Refusal> {
        if self.removed { Err(Refusal::NotPeered) } else { self.spec.filter.check(prefix) }
    }

    /// Whether one more destination would be too many.
    pub(super) fn is_full(&self) -> bool {
        let held = || self.held_by_all.as_ref().map_or(self.held, |held| held.load(Ordering::Acquire));
        self.gathering || self.spec.limit.is_some_and(|limit| held() >= limit)
    }

    /// Whether it has a limit that holds for several shards together.
    pub(super) fn shares_places(&self) -> bool {
        self.held_by_all.is_some()
    }

    /// Destinations that the other shards hold, where they share its limit.
    pub(super) fn held_elsewhere(&self) -> usize {
        let all = self.held_by_all.as_ref().map_or(self.held, |held| held.load(Ordering::Acquire));
        all.saturating_sub(self.held)
    }

    /// Counts one more destination, unless that would be too many.
    pub(super) fn take_place(&mut self) -> bool {
        let taken = match (&self.held_by_all, self.spec.limit) {
            _ if self.gathering => false,
            (Some(held), Some(limit)) => take_place(held, limit),
            (None, Some(limit)) => self.held < limit,
            (_, None) => true,
        };
        self.held += usize::from(taken);
        taken
    }

    /// Counts one destination less. Says whether another shard could take its place.
    pub(super) fn give_place(&mut self) -> bool {
        self.held -= 1;
        if let Some(held) = &self.held_by_all {
            held.fetch_sub(1, Ordering::AcqRel);
        }
        self.held_by_all.is_some()
    }

    /// Keeps `filtered` right. What the walk has not seen is counted when it comes there.
    pub(super) fn count(
        &mut self,
        family: AfiSafi,
        dest: DestId,
        cause: Cause,
        native: bool,
        verdict: Result<(), Refusal>,
    ) {
        let Err(refusal) = verdict else { return };
        let seen = self.walk.is_none_or(|next| (family, dest) < next);
        let (before, now) = (cause.counted && seen, native && seen);
        let count = &mut self.filtered[refusal as usize];
        *count = *count + usize::from(now) - usize::from(before);
    }
}

/// Why a set of edges cannot stand; nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeError {
    /// The exporter or the importer is not known or is being removed.
    UnknownVrf {
        /// The edge's peering.
        peering: Arc<str>,
        /// The VRF.
        vrf: VrfId,
    },
    /// An edge from a VRF to itself.
    ToItself {
        /// The edge's peering.
        peering: Arc<str>,
        /// The VRF.
        vrf: VrfId,
    },
    /// Two edges from one VRF to one other.
    Duplicate {
        /// The second edge's peering.
        peering: Arc<str>,
        /// The exporter.
        from: VrfId,
        /// The importer.
        to: VrfId,
    },
}

impl fmt::Display for EdgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVrf { peering, vrf } => write!(f, "peering {peering}: VRF {} is not known", vrf.0),
            Self::ToItself { peering, vrf } => write!(f, "peering {peering}: VRF {} cannot peer with itself", vrf.0),
            Self::Duplicate { peering, from, to } => {
                write!(f, "peering {peering}: there is already an edge from VRF {} to VRF {}", from.0, to.0)
            }
        }
    }
}

impl std::error::Error for EdgeError {}

impl Engine {
    /// Replaces all edges by `specs`. Edges that do not differ are not touched; of the others only their own routes are
    /// walked, in the steps of [`tick`](Self::tick), and each destination goes from the old state to the new at once.
    ///
    /// # Errors
    ///
    /// The first edge that cannot stand. Then nothing is changed.
    pub fn set_edges(&mut self, specs: Vec<EdgeSpec>) -> Result<(), EdgeError> {
        let mut wanted = self.checked(specs)?;
        for no in 0..self.edges.len() {
            let Some(edge) = &self.edges[no] else { continue };
            let no = EdgeNo(no as u32);
            match wanted.remove(&(edge.spec.from, edge.spec.to)) {
                Some(spec) => self.change_edge(no, spec),
                None => self.remove_edge(no),
            }
        }
        for spec in wanted.into_values() {
            self.add_edge(spec);
        }
        self.rank_edges();
        Ok(())
    }

    fn checked(&self, specs: Vec<EdgeSpec>) -> Result<BTreeMap<(VrfId, VrfId), EdgeSpec>, EdgeError> {
        let mut wanted = BTreeMap::new();
        for spec in specs {
            let (from, to, peering) = (spec.from, spec.to, spec.peering.clone());
            for vrf in [from, to] {
                if self.vrfs.get(&vrf).is_none_or(|vrf| vrf.closing) {
                    return Err(EdgeError::UnknownVrf { peering, vrf });
                }
            }
            if from == to {
                return Err(EdgeError::ToItself { peering, vrf: from });
            }
            if wanted.insert((from, to), spec).is_some() {
                return Err(EdgeError::Duplicate { peering, from, to });
            }
        }
        Ok(wanted)
    }

    fn add_edge(&mut self, spec: EdgeSpec) {
        let free = self.edges.iter().position(Option::is_none);
        let no = EdgeNo(free.unwrap_or(self.edges.len()) as u32);
        let leak = Leak { edge: no.0, rank: u32::MAX, advertise: spec.advertise };
        let source = self.pools.sources.add(Source { vrf: spec.to, origination: Origination::Leaked(leak) });
        for (vrf, leaves) in [(spec.from, true), (spec.to, false)] {
            if let Some(vrf) = self.vrfs.get_mut(&vrf) {
                if leaves { &mut vrf.out } else { &mut vrf.into }.push(no);
            }
        }
        let edge = Edge {
            spec,
            source,
            removed: false,
            walk: None,
            again: false,
            gathering: false,
            held: 0,
            held_by_all: None,
            overflow: BTreeSet::new(),
            filtered: Default::default(),
            lost: Default::default(),
        };
        match self.edges.get_mut(no.index()) {
            Some(slot) => *slot = Some(edge),
            None => self.edges.push(Some(edge)),
        }
        self.share_limit(no);
        self.start_edge_walk(no);
    }

    /// Counts what an edge with a limit holds together with the other shards, if there are any.
    fn share_limit(&mut self, no: EdgeNo) {
        let Some(Some(edge)) = self.edges.get_mut(no.index()) else { return };
        let shared = edge.spec.limit.is_some() && !self.shard.is_only();
        match (&edge.held_by_all, shared) {
            (None, true) => {
                let held = self.places.of(edge.spec.from, edge.spec.to);
                held.fetch_add(edge.held, Ordering::AcqRel);
                edge.held_by_all = Some(held);
            }
            (Some(held), false) => {
                held.fetch_sub(edge.held, Ordering::AcqRel);
                edge.held_by_all = None;
            }
            _ => {}
        }
    }

    fn change_edge(&mut self, no: EdgeNo, spec: EdgeSpec) {
        let Some(Some(edge)) = self.edges.get_mut(no.index()) else { return };
        let again = edge.spec.rank != spec.rank || edge.spec.advertise != spec.advertise;
        let walk = again || edge.removed || edge.spec.filter != spec.filter || edge.spec.limit != spec.limit;
        edge.spec = spec;
        edge.removed = false;
        if again && !edge.again {
            edge.again = true;
            self.stale += 1;
        }
        self.share_limit(no);
        if walk {
            self.start_edge_walk(no);
        }
    }

    /// Whether places of edges with a limit were given back since this was last asked, which other shards may have routes for: they
    /// are to [`claim_places`](Self::claim_places). With one shard there is nothing to tell.
    pub fn freed_places(&mut self) -> bool {
        std::mem::take(&mut self.freed)
    }

    /// Admits routes that the limit of their edge kept out while there is room, since other shards may have given places back.
    pub fn claim_places(&mut self) {
        for no in 0..self.edges.len() {
            while let Some(Some(edge)) = self.edges.get_mut(no)
                && !edge.is_full()
                && let Some(next) = edge.overflow.pop_first()
            {
                let no = EdgeNo(no as u32);
                match next {
                    IpNet::V4(next) => self.promote(no, next),
                    IpNet::V6(next) => self.promote(no, next),
                }
            }
        }
    }

    /// Closes an edge; its walk takes its routes away.
    pub(super) fn remove_edge(&mut self, no: EdgeNo) {
        let Some(Some(edge)) = self.edges.get_mut(no.index()) else { return };
        if !edge.removed {
            edge.removed = true;
            self.start_edge_walk(no);
        }
    }

    /// Sends a walk over all destinations of the exporter, from the beginning.
    fn start_edge_walk(&mut self, no: EdgeNo) {
        let Some(Some(edge)) = self.edges.get_mut(no.index()) else { return };
        let Some(exporter) = self.vrfs.get(&edge.spec.from) else { return };
        let offered = exporter.v4.len() + exporter.v6.len();
        edge.gathering = !edge.removed && edge.spec.limit.is_some_and(|limit| offered > limit);
        edge.overflow.clear();
        edge.filtered = Default::default();
        if edge.walk.replace((AfiSafi::IPV4_UNICAST, DestId(0))).is_none() {
            self.walks.push_back(Walk::edge(no));
        }
    }

    /// The walk of an edge is over: forgets it if it is no longer wanted.
    pub(super) fn edge_walked(&mut self, no: EdgeNo) {
        let Some(slot) = self.edges.get_mut(no.index()) else { return };
        let Some(edge) = slot else { return };
        edge.walk = None;
        self.stale -= usize::from(std::mem::take(&mut edge.again));
        if !edge.removed {
            return;
        }
        let (from, to, source) = (edge.spec.from, edge.spec.to, edge.source);
        *slot = None;
        self.pools.sources.remove(source);
        for vrf in [from, to] {
            if let Some(vrf) = self.vrfs.get_mut(&vrf) {
                vrf.out.retain(|other| *other != no);
                vrf.into.retain(|other| *other != no);
            }
        }
        if self.edges.iter().all(Option::is_none) {
            self.edges = Vec::new();
        }
    }

    /// Tells the tables who is older. Edges whose own rank did not change keep their order, so only walks of those
    /// that did need to decide again.
    fn rank_edges(&mut self) {
        let mut order: Vec<&Edge> = self.edges.iter().flatten().collect();
        order.sort_by_key(|edge| (edge.spec.to, &edge.spec.rank, edge.spec.from));
        let mut ranked = Vec::with_capacity(order.len());
        for (rank, edge) in order.into_iter().enumerate() {
            ranked.push((edge.source, edge.spec.to, rank as u32, edge.spec.advertise));
        }
        for (source, vrf, rank, advertise) in ranked {
            let Some(Source { origination: Origination::Leaked(leak), .. }) = self.pools.sources.get(source) else {
                continue;
            };
            let origination = Origination::Leaked(Leak { rank, advertise, ..*leak });
            self.pools.sources.set(source, Source { vrf, origination });
        }
    }
}
