//! The proof that what is leaked is what may be, and all of it: every copy has a witness, and no destination lacks one.
//!
//! It looks at each destination from the inputs alone (native selected sets, edges, [`Filter::check`]) and never with the steps that put
//! the copies there. It goes through the tables in parts, between which the engine may change: what holds of a destination at one time
//! is decided by what stands at that time. An edge with a limit may lack copies while it is full.
//!
//! [`Filter::check`]: crate::Filter::check

use std::{collections::HashMap, fmt, sync::Arc};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rib::{AttrId, DestId, Destination, NextHopId, PathView, SourceId, VrfId};

use super::{Engine, TableKey, Vrf, edges::Edge, reconcile::is_native, view::find};
use crate::Refusal;

/// How far an audit has come. The default one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    next: Option<(VrfId, bool, DestId)>,
    finished: bool,
    /// Leaked paths whose witness was found.
    pub witnessed: usize,
    /// Destinations looked at.
    pub destinations: usize,
    /// Native destinations that an edge's limit keeps out.
    pub limited: usize,
    /// Destinations passed over because an edge was still being walked.
    pub unsettled: usize,
}

impl Audit {
    /// Whether everything was looked at.
    pub fn is_finished(&self) -> bool {
        self.finished
    }
}

/// A destination that is not as the inputs say: the counter-example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The importer.
    pub vrf: VrfId,
    /// The prefix.
    pub prefix: IpNet,
    /// The exporter, where there is one.
    pub from: Option<VrfId>,
    /// The peering of its edge.
    pub peering: Option<Arc<str>>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A copy stands whose edge does not.
    NoEdge,
    /// A copy stands and the exporter has no native route for the prefix.
    NoNative,
    /// A copy stands that the edge refuses.
    Refused(Refusal),
    /// The copies are not the exporter's selected set.
    Differs,
    /// A native route that the edge lets pass has no copy, and the edge is not full.
    Missing,
    /// The selected route is not the one that comes first: native, then the oldest edge.
    Order,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEdge => f.write_str("it is leaked and no edge stands"),
            Self::NoNative => f.write_str("it is leaked and the exporter has no native route"),
            Self::Refused(refusal) => write!(f, "it is leaked and the edge refuses it: {refusal}"),
            Self::Differs => f.write_str("what is leaked is not what the exporter selects"),
            Self::Missing => f.write_str("the edge lets it pass and it is not leaked"),
            Self::Order => f.write_str("another route comes first than the order says"),
        }
    }
}

/// The member of a selected set, whatever brought it.
type Member = (AttrId, NextHopId);

impl Engine {
    /// Looks at about `budget` more destinations and gives what is wrong with them: nothing, ever, or there is a fault in the engine.
    pub fn audit_part(&self, audit: &mut Audit, budget: usize) -> Vec<Violation> {
        let mut violations = Vec::new();
        let edges: HashMap<SourceId, &Edge> = self.edges.iter().flatten().map(|edge| (edge.source, edge)).collect();
        let mut left = budget.max(1);
        while left > 0 && !audit.finished {
            let (vrf, ipv6, from) = match audit.next {
                Some(place) => place,
                None => match self.vrfs.keys().next() {
                    Some(first) => (*first, false, DestId(0)),
                    None => {
                        audit.finished = true;
                        break;
                    }
                },
            };
            let Some(owner) = self.vrfs.get(&vrf) else {
                self.audit_next_vrf(audit, vrf);
                continue;
            };
            let end = if ipv6 {
                self.audit_table::<Ipv6Net>(audit, (vrf, owner), from, &mut left, &edges, &mut violations)
            } else {
                self.audit_table::<Ipv4Net>(audit, (vrf, owner), from, &mut left, &edges, &mut violations)
            };
            match (end, ipv6) {
                (Some(next), _) => audit.next = Some((vrf, ipv6, next)),
                (None, false) => audit.next = Some((vrf, true, DestId(0))),
                (None, true) => self.audit_next_vrf(audit, vrf),
            }
        }
        violations
    }

    fn audit_next_vrf(&self, audit: &mut Audit, vrf: VrfId) {
        let next = self.vrfs.range((std::ops::Bound::Excluded(vrf), std::ops::Bound::Unbounded)).next();
        audit.next = next.map(|(id, _)| (*id, false, DestId(0)));
        audit.finished = next.is_none();
    }

    /// Where the next part begins; nothing at the table's end.
    fn audit_table<K: TableKey>(
        &self,
        audit: &mut Audit,
        (vrf, owner): (VrfId, &Vrf),
        from: DestId,
        left: &mut usize,
        edges: &HashMap<SourceId, &Edge>,
        violations: &mut Vec<Violation>,
    ) -> Option<DestId> {
        let table = K::table(owner);
        for destination in table.destinations_from(from) {
            if *left == 0 {
                return Some(destination.id);
            }
            *left -= 1;
            audit.destinations += 1;
            self.audit_copies(audit, vrf, &destination, edges, violations);
            if is_native(&self.pools, &destination) {
                self.audit_exports(audit, owner, &destination, violations);
            }
        }
        None
    }

    /// Every copy that stands for a destination has its witness, and the right one is selected.
    fn audit_copies<K: TableKey>(
        &self,
        audit: &mut Audit,
        vrf: VrfId,
        destination: &Destination<'_, K>,
        edges: &HashMap<SourceId, &Edge>,
        violations: &mut Vec<Violation>,
    ) {
        let prefix: IpNet = destination.key().into();
        let leaked: Vec<PathView> = destination.paths().filter(|view| !self.is_native_path(view)).collect();
        if leaked.is_empty() {
            return;
        }
        let mut sources: Vec<SourceId> = leaked.iter().map(|view| view.path.source).collect();
        sources.sort_unstable();
        sources.dedup();
        let mut first: Option<&Edge> = None;
        for source in sources {
            let edge = edges.get(&source).copied();
            let mut report = |fault| {
                let (from, peering) = edge.map(|edge| (edge.spec.from, edge.spec.peering.clone())).unzip();
                violations.push(Violation { vrf, prefix, from, peering, fault });
            };
            let Some(edge) = edge.filter(|edge| edge.spec.to == vrf) else {
                report(Fault::NoEdge);
                continue;
            };
            if edge.walk.is_some() {
                audit.unsettled += 1;
                return;
            }
            if first.is_none_or(|first| (&edge.spec.rank, edge.spec.from) < (&first.spec.rank, first.spec.from)) {
                first = Some(edge);
            }
            let exporter = self.vrfs.get(&edge.spec.from).and_then(|exporter| find(exporter, &destination.key()));
            let Some(native) = exporter.filter(|native| is_native(&self.pools, native)) else {
                report(Fault::NoNative);
                continue;
            };
            if let Err(refusal) = edge.check(prefix) {
                report(Fault::Refused(refusal));
                continue;
            }
            let copies = leaked.iter().filter(|view| view.path.source == source);
            if members(copies.copied()) != members(native.selected()) {
                report(Fault::Differs);
                continue;
            }
            audit.witnessed += leaked.iter().filter(|view| view.path.source == source).count();
        }
        let native = destination.paths().any(|view| self.is_native_path(&view) && self.is_reachable(&view));
        let best = destination.best();
        let right = match (&best, native) {
            (Some(best), true) => self.is_native_path(best),
            (Some(best), false) => first.is_none_or(|first| best.path.source == first.source),
            (None, _) => !native && first.is_none(),
        };
        if !right {
            let edge = first.map(|edge| (edge.spec.from, edge.spec.peering.clone()));
            let (from, peering) = edge.unzip();
            violations.push(Violation { vrf, prefix, from, peering, fault: Fault::Order });
        }
    }

    /// Every native destination has its copies wherever an edge lets it pass.
    fn audit_exports<K: TableKey>(
        &self,
        audit: &mut Audit,
        owner: &Vrf,
        native: &Destination<'_, K>,
        violations: &mut Vec<Violation>,
    ) {
        let prefix: IpNet = native.key().into();
        for edge in owner.out.iter().filter_map(|no| self.edges.get(no.index())?.as_ref()) {
            if edge.walk.is_some() {
                audit.unsettled += 1;
                continue;
            }
            if edge.check(prefix).is_err() {
                continue;
            }
            let importer = self.vrfs.get(&edge.spec.to).and_then(|importer| find(importer, &native.key()));
            let stands = importer.is_some_and(|found| found.paths().any(|view| view.path.source == edge.source));
            if stands {
                continue;
            }
            if edge.is_full() {
                audit.limited += 1;
                continue;
            }
            if edge.shares_places() && edge.overflow.contains(&prefix) {
                // Another shard gave a place back that is about to be claimed.
                audit.unsettled += 1;
                continue;
            }
            let (from, peering) = (Some(edge.spec.from), Some(edge.spec.peering.clone()));
            violations.push(Violation { vrf: edge.spec.to, prefix, from, peering, fault: Fault::Missing });
        }
    }

    fn is_native_path(&self, view: &PathView) -> bool {
        self.pools.sources.get(view.path.source).is_some_and(rib::Source::is_native)
    }

    fn is_reachable(&self, view: &PathView) -> bool {
        self.pools.next_hops.get(view.path.next_hop).is_some_and(|entry| entry.state.is_resolved())
    }
}

/// A set of paths, without what only the table that they are in gave them.
fn members(paths: impl Iterator<Item = PathView>) -> Vec<Member> {
    let mut members: Vec<Member> = paths.map(|view| (view.path.attrs, view.path.next_hop)).collect();
    members.sort_unstable();
    members
}

#[cfg(test)]
mod tests {
    use bgp_wire::{AttributesBuilder, NextHop, Origin};
    use rib::{Advertise, Egress, NextHopState, Origination, Path};

    use super::*;
    use crate::{EdgeSpec, Filter, Rank};

    const IMPORTER: VrfId = VrfId(2);

    /// Two exporters that lend an importer routes, some of them the same; all settled.
    fn engine() -> Engine {
        let mut engine = Engine::default();
        let attributes = AttributesBuilder::new(Origin::Igp).build();
        let mut sources = Vec::new();
        for id in 1..=3 {
            engine.add_vrf(VrfId(id), "v").unwrap();
            sources.push(engine.add_source(VrfId(id), Origination::Static, None).unwrap());
        }
        let routes = [
            (0, "10.0.0.0/24"),
            (0, "10.1.0.0/24"),
            (0, "2001:db8::/64"),
            (2, "10.0.0.0/24"),
            (2, "10.3.0.0/24"),
            (1, "10.2.0.0/24"),
        ];
        for (at, prefix) in routes {
            let next_hop = NextHop::Ipv4([192, 0, 2, at as u8 + 1].into());
            engine.insert(sources[at], prefix.parse().unwrap(), 0, &attributes, next_hop, None).unwrap();
        }
        while let Some(next_hop) = engine.poll_new_next_hop() {
            let egress = Box::new([Egress { gateway: None, interface: 1 }]);
            engine.set_next_hop_state(next_hop, NextHopState::Resolved { metric: 0, egress });
        }
        let edge = |from, bound_since| EdgeSpec {
            from: VrfId(from),
            to: IMPORTER,
            peering: "p".into(),
            filter: Filter { own_space: ["10.9.0.0/16".parse().unwrap()].into_iter().collect(), ..Filter::default() },
            rank: Rank { bound_since, exporter: "x".into() },
            advertise: Advertise::None,
            limit: Some(10),
        };
        engine.set_edges(vec![edge(1, 1), edge(3, 2)]).unwrap();
        while engine.tick(100) {}
        engine
    }

    fn audit(engine: &Engine) -> (Audit, Vec<Fault>) {
        let mut audit = Audit::default();
        let mut faults = Vec::new();
        while !audit.is_finished() {
            faults.extend(engine.audit_part(&mut audit, 2).into_iter().map(|violation| violation.fault));
        }
        faults.sort_unstable();
        (audit, faults)
    }

    /// The copies in the importer: prefix and path.
    fn copies(engine: &Engine) -> Vec<(Ipv4Net, Path)> {
        let table = &engine.vrfs[&IMPORTER].v4;
        let paths = table.iter().flat_map(|found| found.paths().map(move |view| (found.key(), view.path)));
        paths.filter(|(_, path)| !engine.pools.sources.get(path.source).unwrap().is_native()).collect()
    }

    fn change(
        engine: &mut Engine,
        change: impl FnOnce(&mut rib::Table<Ipv4Net>, &mut rib::Pools) -> Option<rib::Change>,
    ) {
        let Engine { vrfs, pools, .. } = engine;
        let _ = change(&mut vrfs.get_mut(&IMPORTER).unwrap().v4, pools);
    }

    #[test]
    fn every_leaked_route_has_its_witness() {
        let (audit, faults) = audit(&engine());
        assert_eq!(faults, []);
        assert_eq!((audit.witnessed, audit.destinations, audit.limited, audit.unsettled), (5, 10, 0, 0));
    }

    #[test]
    fn an_entry_that_goes_comes_or_changes_is_found_whichever_it_is() {
        let all = copies(&engine());
        assert_eq!(all.len(), 4);
        for (key, path) in &all {
            let mut gone = engine();
            change(&mut gone, |table, pools| table.withdraw(pools, key, path.source, path.path_id));
            assert!(audit(&gone).1.contains(&Fault::Missing), "{key}");

            let mut other = engine();
            let attributes = other.pools.attrs.intern(&AttributesBuilder::new(Origin::Egp).build());
            change(&mut other, |table, pools| table.insert(pools, *key, Path { attrs: attributes, ..*path }));
            assert_eq!(audit(&other).1, [Fault::Differs], "{key}");

            let mut more = engine();
            change(&mut more, |table, pools| table.insert(pools, *key, Path { path_id: 7, ..*path }));
            assert_eq!(audit(&more).1, [Fault::Differs], "{key}");
        }
        for (prefix, fault) in [("10.4.0.0/24", Fault::NoNative), ("10.9.1.0/24", Fault::NoNative)] {
            let mut stray = engine();
            let path = all[0].1;
            change(&mut stray, |table, pools| table.insert(pools, prefix.parse().unwrap(), path));
            assert_eq!(audit(&stray).1, [fault], "{prefix}");
        }
    }

    #[test]
    fn a_copy_that_the_edge_refuses_or_that_has_none_or_that_comes_first_wrongly_is_found() {
        let mut refused = engine();
        for edge in refused.edges.iter_mut().flatten() {
            edge.spec.filter.own_space = ["10.1.0.0/16".parse().unwrap()].into_iter().collect();
        }
        assert_eq!(audit(&refused).1, [Fault::Refused(Refusal::OwnSpace)]);

        let mut orphaned = engine();
        orphaned.edges[1] = None;
        assert_eq!(audit(&orphaned).1, [Fault::NoEdge, Fault::NoEdge]);

        let mut turned = engine();
        for edge in turned.edges.iter_mut().flatten() {
            edge.spec.rank.bound_since = -edge.spec.rank.bound_since;
        }
        assert_eq!(audit(&turned).1, [Fault::Order]);
    }
}
