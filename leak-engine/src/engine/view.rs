//! Looking: routes, counts, edges and refusals. Nothing here changes anything.

use std::{collections::BTreeMap, net::IpAddr};

use bgp_wire::AfiSafi;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rib::{
    Attr, AttrId, Destination, NextHopEntry, NextHopId, Origination, PathView, Source, SourceId, Verdict, VrfId,
};

use super::{Edge, Engine, TableKey, Vrf, reconcile::edge_of};
use crate::{EdgeSpec, ImportRefusal, Refusal, twin};

/// One path of a destination, with all that it refers to.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// Its prefix.
    pub prefix: IpNet,
    /// Where it came from: a neighbour, a local protocol, or an edge.
    pub source: SourceId,
    /// What the source is.
    pub origination: &'a Origination,
    /// Tells paths of one source apart.
    pub path_id: u32,
    /// The id of its attributes. A leaked route has its exporter's.
    pub attrs: AttrId,
    /// Its attributes.
    pub attr: Attr<'a>,
    /// The id of its next hop. A leaked route has its exporter's, resolved in the exporter's VRF.
    pub next_hop: NextHopId,
    /// Its next hop, with its state.
    pub via: &'a NextHopEntry,
    /// It is in the selected set.
    pub selected: bool,
    /// It is the best path.
    pub best: bool,
    /// The edge that brought it, if it is leaked; `edge.from` is the exporter.
    pub edge: Option<&'a EdgeSpec>,
}

/// How many routes a VRF holds, per family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Destinations with a selected native route.
    pub native: usize,
    /// Destinations with a selected leaked route.
    pub leaked: usize,
    /// All paths, selected or not.
    pub paths: usize,
}

/// How an edge stands.
#[derive(Clone, Debug)]
pub struct EdgeStatus<'a> {
    /// What it is.
    pub spec: &'a EdgeSpec,
    /// Destinations that it holds in the importer, selected there or not.
    pub held: usize,
    /// Native destinations of the exporter that do not reach the importer, by refusal; those without any are left out.
    pub refused: BTreeMap<Refusal, usize>,
    /// It has walked all destinations of the exporter since it was last changed.
    pub settled: bool,
}

/// A native route of an exporter that does not reach an importer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The prefix.
    pub prefix: IpNet,
    /// Why.
    pub reason: Refusal,
    /// The VRF whose route is selected in the importer instead, where the reason is a conflict over the prefix.
    pub winner: Option<VrfId>,
}

impl Engine {
    /// The VRFs and their names, those being removed included.
    pub fn vrfs(&self) -> impl Iterator<Item = (VrfId, &str)> {
        self.vrfs.iter().map(|(id, vrf)| (*id, vrf.name.as_str()))
    }

    /// All paths for exactly `prefix` in `vrf`, oldest first.
    pub fn paths(&self, vrf: VrfId, prefix: IpNet) -> impl Iterator<Item = Route<'_>> {
        let owner = self.vrfs.get(&vrf);
        let (v4, v6) = match prefix.trunc() {
            IpNet::V4(key) => (owner.and_then(|owner| find(owner, &key)), None),
            IpNet::V6(key) => (None, owner.and_then(|owner| find(owner, &key))),
        };
        let v4 = v4.into_iter().flat_map(|found: Destination<'_, Ipv4Net>| self.routes_of(found));
        let v6 = v6.into_iter().flat_map(|found: Destination<'_, Ipv6Net>| self.routes_of(found));
        v4.chain(v6)
    }

    /// The selected set for exactly `prefix` in `vrf`: the best path and those equal to it, oldest first.
    pub fn selected(&self, vrf: VrfId, prefix: IpNet) -> impl Iterator<Item = Route<'_>> {
        self.paths(vrf, prefix).filter(|route| route.selected)
    }

    /// The best path of the most specific destination in `vrf` that contains `address` and has one.
    pub fn lookup(&self, vrf: VrfId, address: IpAddr) -> Option<Route<'_>> {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let around = (0..=longest).rev().filter_map(|length| IpNet::new(address, length).ok());
        around.map(|prefix| self.paths(vrf, prefix).find(|route| route.best)).find_map(|best| best)
    }

    /// The paths of at most `limit` destinations of one family after `after`, in order of address and length. Looks at the
    /// whole table. Nothing for a family without a table.
    pub fn routes(
        &self,
        vrf: VrfId,
        family: AfiSafi,
        after: Option<IpNet>,
        limit: usize,
    ) -> impl Iterator<Item = Route<'_>> {
        let owner = self.vrfs.get(&vrf);
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        match (family, after, owner) {
            (AfiSafi::IPV4_UNICAST, Some(IpNet::V4(after)), Some(owner)) => v4 = owner.v4.page(Some(after), limit),
            (AfiSafi::IPV4_UNICAST, None, Some(owner)) => v4 = owner.v4.page(None, limit),
            (AfiSafi::IPV6_UNICAST, Some(IpNet::V6(after)), Some(owner)) => v6 = owner.v6.page(Some(after), limit),
            (AfiSafi::IPV6_UNICAST, None, Some(owner)) => v6 = owner.v6.page(None, limit),
            _ => {}
        }
        let v4 = v4.into_iter().filter_map(move |dest| owner?.v4.destination(dest));
        let v6 = v6.into_iter().filter_map(move |dest| owner?.v6.destination(dest));
        v4.flat_map(|found| self.routes_of(found)).chain(v6.flat_map(|found| self.routes_of(found)))
    }

    fn routes_of<'a, K: TableKey + 'a>(&'a self, found: Destination<'a, K>) -> impl Iterator<Item = Route<'a>> {
        let prefix: IpNet = found.key().into();
        found.paths().filter_map(move |view| self.route(prefix, view))
    }

    pub(crate) fn route(&self, prefix: IpNet, view: PathView) -> Option<Route<'_>> {
        let path = view.path;
        let edge = edge_of(&self.pools, &path).and_then(|no| self.edges.get(no.index())?.as_ref());
        Some(Route {
            prefix,
            source: path.source,
            origination: &self.pools.sources.get(path.source)?.origination,
            path_id: path.path_id,
            attrs: path.attrs,
            attr: self.pools.attrs.attributes(path.attrs),
            next_hop: path.next_hop,
            via: self.pools.next_hops.get(path.next_hop)?,
            selected: view.selected,
            best: view.best,
            edge: edge.map(|edge| &edge.spec),
        })
    }

    /// Why each path for exactly `prefix` in `vrf` is or is not selected, oldest first.
    pub fn verdicts(&self, vrf: VrfId, prefix: IpNet) -> Vec<(Route<'_>, Verdict)> {
        let Some(owner) = self.vrfs.get(&vrf) else { return Vec::new() };
        let verdicts = match prefix.trunc() {
            IpNet::V4(key) => find(owner, &key).map(|found| found.explain(&self.pools)),
            IpNet::V6(key) => find(owner, &key).map(|found| found.explain(&self.pools)),
        };
        let verdicts = verdicts.into_iter().flatten();
        verdicts.filter_map(|(view, verdict)| Some((self.route(prefix, view)?, verdict))).collect()
    }

    /// What the table of one family of `vrf` holds.
    pub fn counts(&self, vrf: VrfId, family: AfiSafi) -> Counts {
        match (self.vrfs.get(&vrf), family) {
            (Some(owner), AfiSafi::IPV4_UNICAST) => Counts { paths: owner.v4.path_count(), ..owner.v4_counts },
            (Some(owner), AfiSafi::IPV6_UNICAST) => Counts { paths: owner.v6.path_count(), ..owner.v6_counts },
            _ => Counts::default(),
        }
    }

    /// The native sources, with the number of routes that stand from each.
    pub fn sources(&self) -> impl Iterator<Item = (SourceId, &Source, u32)> {
        let sources = self.pools.sources.iter().filter(|(_, source)| source.is_native());
        sources.map(|(id, source)| (id, source, self.pools.sources.paths(id)))
    }

    /// How many announcements of `source` its import policy has refused so far, by reason; those without any are left out.
    pub fn import_refusals(&self, source: SourceId) -> BTreeMap<ImportRefusal, u64> {
        let counts = self.inbound.get(source.index()).and_then(Option::as_ref).map(|inbound| inbound.refused);
        ImportRefusal::ALL.into_iter().zip(counts.into_iter().flatten()).filter(|(_, count)| *count > 0).collect()
    }

    /// Why the last announcement of `prefix` by `source` was refused, if it was and is remembered: of many refused prefixes
    /// only the first 4096 are.
    pub fn import_refusal(&self, source: SourceId, prefix: IpNet) -> Option<ImportRefusal> {
        self.inbound.get(source.index())?.as_ref()?.refused_prefixes.get(&prefix.trunc()).copied()
    }

    /// All edges, by exporter and importer.
    pub fn edges(&self) -> impl Iterator<Item = EdgeStatus<'_>> {
        let mut edges: Vec<&Edge> = self.edges.iter().flatten().filter(|edge| !edge.removed).collect();
        edges.sort_by_key(|edge| (edge.spec.from, edge.spec.to));
        edges.into_iter().map(edge_status)
    }

    /// The edge from one VRF to another, if it stands.
    pub fn edge(&self, from: VrfId, to: VrfId) -> Option<EdgeStatus<'_>> {
        self.find_edge(from, to).map(edge_status)
    }

    pub(super) fn find_edge(&self, from: VrfId, to: VrfId) -> Option<&Edge> {
        let edge = self.edges.iter().flatten().find(|edge| (edge.spec.from, edge.spec.to) == (from, to));
        edge.filter(|edge| !edge.removed)
    }

    /// At most `limit` native destinations of `from` that do not reach `to`, of one family, after `after`, in order of
    /// address and length, and whether there may be more. Without an edge, each is refused as [`Refusal::NotPeered`].
    pub fn refused(
        &self,
        (from, to): (VrfId, VrfId),
        family: AfiSafi,
        after: Option<IpNet>,
        limit: usize,
    ) -> (Vec<Refused>, bool) {
        let mut refused = Vec::new();
        let mut after = after;
        loop {
            let mut page = self.routes(from, family, after, limit.max(1024)).filter(|route| route.best).peekable();
            let mut last = None;
            while let Some(route) = page.next() {
                last = Some(route.prefix);
                refused.extend(self.refusal((from, to), route.prefix));
                if refused.len() >= limit {
                    return (refused, page.peek().is_some() || self.routes(from, family, last, 1).next().is_some());
                }
            }
            match last {
                Some(last) => after = Some(last),
                None => return (refused, false),
            }
        }
    }

    /// Why a native destination of `from` does not reach `to`; nothing if it does, or if `from` has no native route for it.
    pub fn refusal(&self, (from, to): (VrfId, VrfId), prefix: IpNet) -> Option<Refused> {
        let best = self.paths(from, prefix).find(|route| route.best)?;
        if best.edge.is_some() {
            return None;
        }
        let verdict = |reason, winner| Some(Refused { prefix, reason, winner });
        let Some(edge) = self.find_edge(from, to) else { return verdict(Refusal::NotPeered, None) };
        if let Err(reason) = edge.check(prefix) {
            return verdict(reason, None);
        }
        if edge.overflow.contains(&prefix) {
            return verdict(Refusal::PrefixLimit, None);
        }
        let winner = self.paths(to, prefix).find(|route| route.best)?;
        match winner.edge {
            None => verdict(Refusal::NativeWins, Some(to)),
            Some(other) if other.from != from => verdict(Refusal::OlderBindingWins, Some(other.from)),
            Some(_) => None,
        }
    }

    /// Compares the leaked view with its [`twin`], and returns what differs: nothing, once [`tick`](Self::tick) says that there is no
    /// more to do. Copies the whole view; for tests and for an operator who wants to be sure.
    pub fn audit(&self) -> Vec<Difference> {
        let mut natives = twin::Natives::new();
        let mut stands = BTreeMap::new();
        for (id, owner) in &self.vrfs {
            self.selected_sets::<Ipv4Net>(*id, owner, &mut natives, &mut stands);
            self.selected_sets::<Ipv6Net>(*id, owner, &mut natives, &mut stands);
        }
        let edges: Vec<EdgeSpec> = self.edges().map(|edge| edge.spec.clone()).collect();
        let wanted = twin::leaked(&natives, &edges).leaked;
        let missing = wanted.iter().filter(|(at, leak)| stands.get(*at) != Some(*leak));
        let stale = stands.iter().filter(|(at, _)| !wanted.contains_key(*at));
        let at: std::collections::BTreeSet<_> = missing.map(|(at, _)| *at).chain(stale.map(|(at, _)| *at)).collect();
        let from = |leak: Option<&(VrfId, Set)>| leak.map(|(from, _)| *from);
        let differ = |at: (VrfId, IpNet)| {
            let (wanted, stands) = (from(wanted.get(&at)), from(stands.get(&at)));
            Difference { vrf: at.0, prefix: at.1, wanted, stands }
        };
        at.into_iter().map(differ).collect()
    }

    fn selected_sets<K: TableKey>(
        &self,
        vrf: VrfId,
        owner: &Vrf,
        natives: &mut twin::Natives<(AttrId, NextHopId)>,
        leaked: &mut BTreeMap<(VrfId, IpNet), (VrfId, Set)>,
    ) {
        for found in K::table(owner).iter() {
            let at = (vrf, found.key().into());
            let Some(best) = found.best() else { continue };
            let others = found.selected().filter(|view| !view.best);
            let set = std::iter::once(best).chain(others).map(|view| (view.path.attrs, view.path.next_hop)).collect();
            match edge_of(&self.pools, &best.path).and_then(|no| self.edges.get(no.index())?.as_ref()) {
                None => drop(natives.insert(at, set)),
                Some(edge) => drop(leaked.insert(at, (edge.spec.from, set))),
            }
        }
    }

    /// Octets of memory held by tables and attributes.
    pub fn memory(&self) -> usize {
        let tables = self.vrfs.values().map(|vrf| vrf.v4.memory() + vrf.v6.memory());
        tables.sum::<usize>() + self.pools.attrs.memory()
    }
}

type Set = Vec<(AttrId, NextHopId)>;

/// Where the leaked view is not what the edges make of the native routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The importer.
    pub vrf: VrfId,
    /// The prefix.
    pub prefix: IpNet,
    /// The exporter whose route should be selected, if any.
    pub wanted: Option<VrfId>,
    /// The exporter whose route is selected, if any. If it is the wanted one, the members of the set differ.
    pub stands: Option<VrfId>,
}

fn edge_status(edge: &Edge) -> EdgeStatus<'_> {
    let counts = edge.filtered.iter().zip(&edge.lost).map(|(filtered, lost)| filtered + lost);
    let mut refused: BTreeMap<Refusal, usize> = Refusal::ALL.into_iter().zip(counts).collect();
    *refused.entry(Refusal::PrefixLimit).or_default() += edge.overflow.len();
    refused.retain(|_, count| *count > 0);
    EdgeStatus { spec: &edge.spec, held: edge.held, refused, settled: edge.walk.is_none() }
}

pub(crate) fn find<'a, K: TableKey>(owner: &'a Vrf, key: &K) -> Option<Destination<'a, K>> {
    let table = K::table(owner);
    table.destination(table.get(key)?)
}
