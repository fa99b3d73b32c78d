//! What another set of edges would change, found without changing anything.
//!
//! Given edges, it looks at the tables as they are and yields the leaked routes that would come, go or change hands, and how full each
//! changed edge would be. Only importers of edges that differ are looked at. It computes from the tables and [`Filter::check`], not with
//! the engine's own steps, so that a property test can hold the two against each other.
//!
//! [`Filter::check`]: crate::Filter::check

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rib::{Advertise, SourceId, VrfId};

use super::{Engine, TableKey, edges::Edge, reconcile::is_native};
use crate::{EdgeSpec, Refusal};

/// What [`Engine::set_edges`] would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The leaked routes that differ, by importer and prefix.
    pub routes: Vec<PlannedRoute>,
    /// The edges that differ, by exporter and importer.
    pub edges: Vec<PlannedEdge>,
    /// Prefixes of edges that differ which two networks would claim, by importer and prefix.
    pub conflicts: Vec<PlannedConflict>,
    /// Pairs of exporter and importer between which something would leak and nothing does now.
    pub connected: Vec<(VrfId, VrfId)>,
    /// Pairs between which something leaks now and nothing would.
    pub disconnected: Vec<(VrfId, VrfId)>,
    /// Pairs of exporter and importer, and how many routes leak between them now, and how many would.
    pub counts: Vec<((VrfId, VrfId), (usize, usize))>,
    /// Nothing of an earlier change is still being worked on; otherwise that may change as well.
    pub settled: bool,
}

/// A prefix in an importer's table whose leaked route differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRoute {
    /// The importer.
    pub vrf: VrfId,
    /// The prefix.
    pub prefix: IpNet,
    /// What leaks there now, if anything does.
    pub before: Option<PlannedLeak>,
    /// What would.
    pub after: Option<PlannedLeak>,
}

/// Whose route leaks, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedLeak {
    /// The exporter.
    pub from: VrfId,
    /// Where the importer passes it on to.
    pub advertise: Advertise,
}

/// A prefix that an edge would not bring because another network has a claim to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlannedConflict {
    /// The importer.
    pub vrf: VrfId,
    /// The prefix.
    pub prefix: IpNet,
    /// The exporter whose route would be refused.
    pub from: VrfId,
    /// [`Refusal::OwnSpace`], [`Refusal::NativeWins`] or [`Refusal::OlderBindingWins`].
    pub reason: Refusal,
    /// The VRF whose route would be selected instead, where two compete for the prefix.
    pub winner: Option<VrfId>,
}

/// An edge that comes, goes or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedEdge {
    /// The exporter.
    pub from: VrfId,
    /// The importer.
    pub to: VrfId,
    /// The name of the peering; of one that goes, its name now.
    pub peering: Arc<str>,
    /// Routes of it that are selected in the importer now; nothing if it does not stand.
    pub before: Option<usize>,
    /// Those that would be; nothing if it goes.
    pub after: Option<usize>,
    /// Native routes of the exporter that would not reach the importer, by refusal.
    pub refused: BTreeMap<Refusal, usize>,
}

/// An edge into one importer, as it would stand.
struct Candidate<'a> {
    spec: &'a EdgeSpec,
    /// The source of its standing copies.
    source: Option<SourceId>,
    differs: bool,
    /// Places of its limit that other shards have taken.
    elsewhere: usize,
    /// What it would hold where that is not all that passes.
    held: Option<HashSet<IpNet>>,
    planned: PlannedEdge,
}

impl Engine {
    /// What [`set_edges`](Self::set_edges) would change with these edges, once all that follows from it is done. Edges that name an
    /// unknown VRF are passed over. Costs in proportion to the routes of changed edges' exporters.
    pub fn plan(&self, edges: &[EdgeSpec]) -> Plan {
        let standing: BTreeMap<(VrfId, VrfId), &Edge> =
            self.edges.iter().flatten().map(|edge| ((edge.spec.from, edge.spec.to), edge)).collect();
        let wanted: BTreeMap<(VrfId, VrfId), &EdgeSpec> = edges
            .iter()
            .filter(|spec| self.vrfs.contains_key(&spec.from) && self.vrfs.contains_key(&spec.to))
            .map(|spec| ((spec.from, spec.to), spec))
            .collect();
        let same = |pair: &(VrfId, VrfId)| {
            let stands = standing.get(pair).filter(|edge| !edge.removed).map(|edge| &edge.spec);
            stands == wanted.get(pair).copied()
        };
        let differing: BTreeSet<(VrfId, VrfId)> =
            standing.keys().chain(wanted.keys()).filter(|pair| !same(pair)).copied().collect();
        let importers: BTreeSet<VrfId> = differing.iter().map(|(_, to)| *to).collect();
        let mut plan = Plan { settled: self.walks.is_empty(), ..Plan::default() };
        for to in importers {
            let gone = differing.iter().filter(|pair| pair.1 == to && !wanted.contains_key(pair));
            let gone: Vec<&Edge> = gone.filter_map(|pair| standing.get(pair).copied()).collect();
            let into = wanted.iter().filter(|((_, importer), _)| *importer == to);
            let mut candidates: Vec<Candidate<'_>> = into
                .map(|(pair, spec)| {
                    let edge = standing.get(pair).copied();
                    Candidate {
                        spec,
                        source: edge.map(|edge| edge.source),
                        differs: differing.contains(pair),
                        elsewhere: edge.map_or(0, Edge::held_elsewhere),
                        held: None,
                        planned: PlannedEdge { after: Some(0), ..planned(edge, spec) },
                    }
                })
                .collect();
            candidates.sort_by(|a, b| (&a.spec.rank, a.spec.from).cmp(&(&b.spec.rank, b.spec.from)));
            self.plan_importer::<Ipv4Net, Ipv6Net>(to, &mut candidates, &gone, &mut plan);
            let changed = candidates.into_iter().filter(|candidate| candidate.differs);
            plan.edges.extend(changed.map(|candidate| candidate.planned));
            let removed = gone.iter().filter(|edge| !edge.removed);
            plan.edges.extend(removed.map(|edge| planned(Some(edge), &edge.spec)));
        }
        plan.edges.sort_by_key(|edge| (edge.from, edge.to));
        plan.conflicts.sort_unstable();
        self.count_pairs(&mut plan, &standing);
        plan
    }

    fn plan_importer<V4: TableKey, V6: TableKey>(
        &self,
        to: VrfId,
        candidates: &mut [Candidate<'_>],
        gone: &[&Edge],
        plan: &mut Plan,
    ) {
        let mut touched: Vec<IpNet> = Vec::new();
        let leaving: HashSet<SourceId> = gone.iter().map(|edge| edge.source).collect();
        let changing = candidates.iter().filter(|candidate| candidate.differs);
        let watched: HashSet<SourceId> = changing.filter_map(|candidate| candidate.source).chain(leaving).collect();
        let mut standing: HashMap<SourceId, Vec<IpNet>> = HashMap::new();
        if !watched.is_empty() {
            self.copies::<V4>(to, &watched, &mut standing);
            self.copies::<V6>(to, &watched, &mut standing);
            touched.extend(standing.values().flatten());
        }
        for candidate in candidates.iter_mut().filter(|candidate| candidate.differs) {
            let mut passing = Vec::new();
            let refused = &mut candidate.planned.refused;
            self.passing::<V4>(candidate.spec, &mut passing, refused, &mut plan.conflicts);
            self.passing::<V6>(candidate.spec, &mut passing, refused, &mut plan.conflicts);
            // Of a limit that several shards share there is as much as the others have left.
            let others = candidate.elsewhere;
            let limit = candidate.spec.limit.unwrap_or(usize::MAX).saturating_sub(others);
            if passing.len() > limit {
                // What stands stays; the rest is admitted in order of prefix as far as there is room.
                passing.sort_unstable();
                let copies = candidate.source.and_then(|source| standing.get(&source));
                let copies: HashSet<&IpNet> = copies.into_iter().flatten().collect();
                let (kept, waiting): (Vec<IpNet>, Vec<IpNet>) =
                    passing.iter().partition(|prefix| copies.contains(prefix));
                let room = limit.saturating_sub(kept.len());
                let above = waiting.len().saturating_sub(room);
                if above > 0 {
                    candidate.planned.refused.insert(Refusal::PrefixLimit, above);
                }
                passing = kept.into_iter().chain(waiting.into_iter().take(room)).collect();
                candidate.held = Some(passing.iter().copied().collect());
            }
            touched.extend(passing);
        }
        touched.sort_unstable();
        touched.dedup();
        for prefix in touched {
            let route = self.plan_route(to, prefix, candidates, &mut plan.conflicts);
            plan.routes.extend(route);
        }
    }

    /// What would leak for one prefix, if that differs. Counts it for the edges that would hold it.
    fn plan_route(
        &self,
        to: VrfId,
        prefix: IpNet,
        candidates: &mut [Candidate<'_>],
        conflicts: &mut Vec<PlannedConflict>,
    ) -> Option<PlannedRoute> {
        let mut before = None;
        let mut native = false;
        let mut copies: Vec<SourceId> = Vec::new();
        for route in self.paths(to, prefix) {
            match route.edge {
                Some(edge) => {
                    copies.push(route.source);
                    if route.best {
                        before = Some(PlannedLeak { from: edge.from, advertise: edge.advertise });
                    }
                }
                None => native |= route.best,
            }
        }
        let mut after: Option<PlannedLeak> = None;
        for candidate in candidates {
            let holds = match (candidate.differs, &candidate.held) {
                (false, _) => candidate.source.is_some_and(|source| copies.contains(&source)),
                (true, Some(held)) => held.contains(&prefix),
                (true, None) => {
                    let best = self.paths(candidate.spec.from, prefix).find(|route| route.best);
                    best.is_some_and(|best| best.edge.is_none()) && candidate.spec.filter.check(prefix).is_ok()
                }
            };
            if !holds {
                continue;
            }
            let refusal = match (native, after) {
                (true, _) => Refusal::NativeWins,
                (false, Some(_)) => Refusal::OlderBindingWins,
                (false, None) => {
                    after = Some(PlannedLeak { from: candidate.spec.from, advertise: candidate.spec.advertise });
                    candidate.planned.after = candidate.planned.after.map(|count| count + 1);
                    continue;
                }
            };
            *candidate.planned.refused.entry(refusal).or_default() += 1;
            if candidate.differs {
                let winner = Some(after.map_or(to, |after| after.from));
                conflicts.push(PlannedConflict { vrf: to, prefix, from: candidate.spec.from, reason: refusal, winner });
            }
        }
        (before != after).then_some(PlannedRoute { vrf: to, prefix, before, after })
    }

    /// The prefixes of the copies that stand in `vrf` from any of these sources.
    fn copies<K: TableKey>(&self, vrf: VrfId, of: &HashSet<SourceId>, found: &mut HashMap<SourceId, Vec<IpNet>>) {
        let Some(owner) = self.vrfs.get(&vrf) else { return };
        for destination in K::table(owner).iter() {
            for view in destination.paths().filter(|view| view.path.path_id == 0 && of.contains(&view.path.source)) {
                found.entry(view.path.source).or_default().push(destination.key().into());
            }
        }
    }

    /// The native destinations of an edge's exporter that its filter lets pass; the others are counted.
    fn passing<K: TableKey>(
        &self,
        spec: &EdgeSpec,
        found: &mut Vec<IpNet>,
        refused: &mut BTreeMap<Refusal, usize>,
        conflicts: &mut Vec<PlannedConflict>,
    ) {
        let Some(owner) = self.vrfs.get(&spec.from) else { return };
        for destination in K::table(owner).iter().filter(|destination| is_native(&self.pools, destination)) {
            let prefix = destination.key().into();
            match spec.filter.check(prefix) {
                Ok(()) => found.push(prefix),
                Err(reason) => {
                    *refused.entry(reason).or_default() += 1;
                    if matches!(reason, Refusal::OwnSpace | Refusal::OlderBindingWins) {
                        let (vrf, from) = (spec.to, spec.from);
                        conflicts.push(PlannedConflict { vrf, prefix, from, reason, winner: None });
                    }
                }
            }
        }
    }

    /// Which pairs would be joined that are not, and the other way round.
    fn count_pairs(&self, plan: &mut Plan, standing: &BTreeMap<(VrfId, VrfId), &Edge>) {
        let mut counts: BTreeMap<(VrfId, VrfId), (usize, usize)> = BTreeMap::new();
        for (pair, edge) in standing {
            let selected = selected(edge);
            counts.insert(*pair, (selected, selected));
        }
        for route in &plan.routes {
            if let Some(before) = route.before {
                let (_, after) = counts.entry((before.from, route.vrf)).or_default();
                *after = after.saturating_sub(1);
            }
            if let Some(after) = route.after {
                counts.entry((after.from, route.vrf)).or_default().1 += 1;
            }
        }
        let pairs = |wanted: fn(usize, usize) -> bool| {
            let found = counts.iter().filter(|(_, (before, after))| wanted(*before, *after));
            found.map(|(pair, _)| *pair).collect()
        };
        plan.connected = pairs(|before, after| before == 0 && after > 0);
        plan.disconnected = pairs(|before, after| before > 0 && after == 0);
        plan.counts = counts.into_iter().collect();
    }

    /// The exporter of the leaked route that is selected for `prefix` in `vrf`, if one is.
    pub fn leaks_from(&self, vrf: VrfId, prefix: IpNet) -> Option<VrfId> {
        self.paths(vrf, prefix).find(|route| route.best)?.edge.map(|edge| edge.from)
    }
}

/// How many routes of an edge are selected in the importer.
fn selected(edge: &Edge) -> usize {
    edge.held - edge.lost.iter().sum::<usize>()
}

/// An edge that goes, or the beginning of one that comes.
fn planned(edge: Option<&Edge>, spec: &EdgeSpec) -> PlannedEdge {
    PlannedEdge {
        from: spec.from,
        to: spec.to,
        peering: spec.peering.clone(),
        before: edge.filter(|edge| !edge.removed).map(selected),
        after: None,
        refused: BTreeMap::new(),
    }
}
