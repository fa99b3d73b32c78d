//! What the property test and the soak share: random events, the inputs kept by naive means, and an engine that lives through them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests, of which each program uses a part"
)]

use std::collections::{BTreeMap, BTreeSet};

use bgp_wire::{AfiSafi, NextHop};
use ipnet::IpNet;
use leak_engine::{Advertise, EdgeSpec, Filter, ImportPolicy, PrefixSet, Rank, Refusal, shard_of, twin};
use proptest::{option, prelude::*, sample::subsequence};
use rib::{SourceId, VrfId};

use crate::common::*;

const VRFS: u32 = 4;
const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
const NEIGHBORS: usize = 12;
/// All prefixes that events are about.
pub const PREFIXES: [&str; 8] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.5/32",
    "10.1.0.0/16",
    "::/0",
    "2001:db8::/32",
    "2001:db8:1::/48",
];

#[derive(Clone, Debug)]
pub enum Event {
    /// Neighbour, prefixes, attributes, next hop.
    Announce(usize, Vec<IpNet>, usize, u8),
    Withdraw(usize, Vec<IpNet>),
    /// The session of a neighbour is lost; whether its source goes as well.
    Lose(usize, bool),
    Edges(Vec<EdgeSpec>),
    /// One of the edges gets another rank, filter or switch and the rest stays.
    Edge(usize, u8, Box<EdgeSpec>),
    /// VRF, next hop, metric if it is reachable.
    NextHop(u32, u8, Option<u32>),
    /// Work, then changes to follow.
    Tick(usize, usize),
    /// A VRF is removed with all that is in it, and comes back.
    Restart(u32),
}

fn attribute_sets() -> [Vec<u8>; 4] {
    [
        attributes(&[65001], None),
        attributes(&[65002], None),
        attributes(&[65001, 65002], None),
        attributes(&[65003; 3], Some(200)),
    ]
}

fn any_prefixes() -> impl Strategy<Value = Vec<IpNet>> {
    subsequence(PREFIXES.to_vec(), 1..4).prop_map(|texts| texts.into_iter().map(net).collect())
}

fn any_set() -> impl Strategy<Value = PrefixSet> {
    subsequence(PREFIXES.to_vec(), 0..4).prop_map(|texts| texts.into_iter().map(net).collect())
}

fn rarely_any_set() -> impl Strategy<Value = PrefixSet> {
    prop_oneof![9 => Just(PrefixSet::default()), 1 => any_set()]
}

fn any_edge(from: u32, to: u32) -> impl Strategy<Value = EdgeSpec> {
    let filter = (
        option::weighted(0.15, any_set()),
        option::weighted(0.15, any_set()),
        any::<bool>(),
        rarely_any_set(),
        rarely_any_set(),
        option::weighted(0.1, any_set()),
    );
    (filter, 0i64..3, any::<bool>()).prop_map(move |(filter, bound_since, ebgp)| {
        let (exposed, declared, default_route, own_space, overlaps, policy) = filter;
        EdgeSpec {
            filter: Filter { exposed, declared, default_route, own_space, overlaps, policy },
            rank: Rank { bound_since, ..edge(from, to).rank },
            advertise: if ebgp { Advertise::Ebgp } else { Advertise::None },
            ..edge(from, to)
        }
    })
}

fn any_edges() -> impl Strategy<Value = Vec<EdgeSpec>> {
    let pairs: Vec<(u32, u32)> =
        (1..=VRFS).flat_map(|from| (1..=VRFS).map(move |to| (from, to))).filter(|(from, to)| from != to).collect();
    subsequence(pairs, 2..=12)
        .prop_flat_map(|pairs| pairs.into_iter().map(|(from, to)| any_edge(from, to)).collect::<Vec<_>>())
}

pub fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..NEIGHBORS, any_prefixes(), 0usize..4, 1u8..5).prop_map(|(n, p, a, h)| Event::Announce(n, p, a, h)),
        4 => (0..NEIGHBORS, any_prefixes()).prop_map(|(n, p)| Event::Withdraw(n, p)),
        1 => (0..NEIGHBORS, any::<bool>()).prop_map(|(n, gone)| Event::Lose(n, gone)),
        2 => any_edges().prop_map(Event::Edges),
        3 => (0usize..12, 0u8..3, any_edge(1, 2)).prop_map(|(at, part, edge)| Event::Edge(at, part, Box::new(edge))),
        3 => (1..=VRFS, 1u8..5, option::weighted(0.7, 0u32..4)).prop_map(|(v, h, m)| Event::NextHop(v, h, m)),
        4 => (1usize..6, 0usize..4).prop_map(|(budget, changes)| Event::Tick(budget, changes)),
        1 => (1..=VRFS).prop_map(Event::Restart),
    ]
}

/// The inputs as they should stand, kept without any of the engine's means.
#[derive(Default)]
struct Model {
    /// VRF, prefix, neighbour: attributes, next hop.
    routes: BTreeMap<(u32, IpNet, usize), (usize, u8)>,
    metrics: BTreeMap<(u32, u8), Option<u32>>,
    edges: Vec<EdgeSpec>,
}

/// A neighbour's place: three in each VRF, of which one is internal.
fn place(neighbor: usize) -> (u32, u8, bool) {
    (neighbor as u32 / 3 + 1, neighbor as u8 + 1, !neighbor.is_multiple_of(3))
}

fn is_of(prefix: &IpNet, family: AfiSafi) -> bool {
    matches!((prefix, family), (IpNet::V4(_), AfiSafi::IPV4_UNICAST) | (IpNet::V6(_), AfiSafi::IPV6_UNICAST))
}

fn mapped(prefix: &IpNet, next_hop: u8) -> NextHop {
    match (prefix, hop(next_hop)) {
        (IpNet::V6(_), NextHop::Ipv4(address)) => NextHop::Ipv6(address.to_ipv6_mapped()),
        (_, address) => address,
    }
}

impl Model {
    /// The selected native sets, by sorting.
    fn natives(&self) -> twin::Natives<(Vec<u8>, String)> {
        let sets = attribute_sets();
        let mut best: BTreeMap<(VrfId, IpNet), (_, Vec<_>)> = BTreeMap::new();
        for ((vrf, prefix, neighbor), (attribute, next_hop)) in &self.routes {
            let Some(metric) = self.metrics.get(&(*vrf, *next_hop)).copied().unwrap_or(Some(0)) else { continue };
            let (local_pref, length) = [(100, 1), (100, 1), (100, 2), (200, 3)][*attribute];
            let key = (-local_pref, length, !place(*neighbor).2, metric);
            let shown = show_next_hop(VrfId(*vrf), mapped(prefix, *next_hop), &resolved(metric));
            let member = (sets[*attribute].clone(), shown);
            let (standing, members) = best.entry((VrfId(*vrf), *prefix)).or_insert((key, Vec::new()));
            if key < *standing {
                (*standing, *members) = (key, Vec::new());
            }
            if key == *standing {
                members.push(member);
            }
        }
        best.into_iter().map(|(at, (_, members))| (at, members)).collect()
    }
}

pub struct World {
    /// Each keeps its share of the prefixes and is told everything.
    pub shards: Vec<Shard>,
    model: Model,
    /// Each neighbour's source on each shard.
    sources: Vec<Vec<SourceId>>,
}

impl World {
    pub fn new(shards: usize) -> Self {
        let mut shards = Shard::several(shards, VRFS);
        let sources = (0..NEIGHBORS).map(|neighbor| join(&mut shards, neighbor)).collect();
        Self { shards, model: Model::default(), sources }
    }

    /// Does all pending work on all shards, until none has a place of an edge to give to another.
    pub fn drain(&mut self) {
        loop {
            self.shards.iter_mut().for_each(Shard::drain);
            if !self.shards.iter_mut().any(|shard| shard.engine.freed_places()) {
                return;
            }
            self.shards.iter_mut().for_each(|shard| shard.engine.claim_places());
        }
    }

    /// The shard that keeps a prefix.
    fn keeper(&self, prefix: IpNet) -> &Shard {
        &self.shards[shard_of(prefix, self.shards.len())]
    }

    pub fn happens(&mut self, event: &Event) {
        match event {
            Event::Announce(neighbor, prefixes, attribute, next_hop) => {
                let messages = announce(prefixes, &attribute_sets()[*attribute], hop(*next_hop));
                let import = ImportPolicy::accept_all(OWN_AS);
                let mut accepted = 0;
                for (shard, source) in self.shards.iter_mut().zip(&self.sources[*neighbor]) {
                    accepted += shard.receive(*source, &messages, &import).accepted;
                }
                assert_eq!(accepted, prefixes.len());
                for prefix in prefixes {
                    self.model.routes.insert((place(*neighbor).0, *prefix, *neighbor), (*attribute, *next_hop));
                }
                self.tell_states();
            }
            Event::Withdraw(neighbor, prefixes) => {
                for (shard, source) in self.shards.iter_mut().zip(&self.sources[*neighbor]) {
                    shard.receive(*source, &withdraw(prefixes), &ImportPolicy::accept_all(OWN_AS));
                }
                for prefix in prefixes {
                    self.model.routes.remove(&(place(*neighbor).0, *prefix, *neighbor));
                }
            }
            Event::Lose(neighbor, gone) => {
                for (shard, source) in self.shards.iter_mut().zip(&self.sources[*neighbor]) {
                    if *gone {
                        shard.engine.remove_source(*source).unwrap();
                    } else {
                        shard.engine.flush_source(*source).unwrap();
                    }
                }
                if *gone {
                    self.sources[*neighbor] = join(&mut self.shards, *neighbor);
                }
                self.model.routes.retain(|(_, _, other), _| other != neighbor);
            }
            Event::Edges(edges) => {
                self.model.edges = edges.clone();
                self.set_edges();
            }
            Event::Edge(at, part, like) => {
                let count = self.model.edges.len();
                let Some(edge) = self.model.edges.get_mut(at % count.max(1)) else { return };
                match part {
                    0 => edge.rank.bound_since = like.rank.bound_since,
                    1 => edge.filter = like.filter.clone(),
                    _ => edge.advertise = like.advertise,
                }
                self.set_edges();
            }
            Event::NextHop(vrf, next_hop, metric) => {
                self.model.metrics.insert((*vrf, *next_hop), *metric);
                self.tell_states();
            }
            Event::Tick(budget, changes) => {
                for shard in &mut self.shards {
                    shard.engine.tick(*budget);
                    let mut taken = Vec::new();
                    shard.engine.take_changes(*changes, |changed| taken.push(changed));
                    for changed in taken {
                        let at = (changed.vrf, changed.prefix);
                        match shard.shown(at.0, at.1) {
                            Some(shown) => drop(shard.followed.insert(at, shown)),
                            None => drop(shard.followed.remove(&at)),
                        }
                    }
                }
            }
            Event::Restart(vrf) => {
                for shard in &mut self.shards {
                    shard.engine.remove_vrf(VrfId(*vrf)).unwrap();
                }
                self.drain();
                for shard in &mut self.shards {
                    shard.engine.add_vrf(VrfId(*vrf), "again").unwrap();
                }
                for neighbor in (0..NEIGHBORS).filter(|neighbor| place(*neighbor).0 == *vrf) {
                    self.sources[neighbor] = join(&mut self.shards, neighbor);
                }
                self.model.routes.retain(|(of, _, _), _| of != vrf);
                self.model.edges.retain(|edge| edge.from.0 != *vrf && edge.to.0 != *vrf);
            }
        }
    }

    fn set_edges(&mut self) {
        for shard in &mut self.shards {
            shard.engine.set_edges(self.model.edges.clone()).unwrap();
        }
    }

    /// Tells the engines the states of next hops, as one who tracks them would.
    fn tell_states(&mut self) {
        for ((vrf, next_hop), metric) in &self.model.metrics {
            for prefix in ["0.0.0.0/0", "::/0"] {
                for shard in &mut self.shards {
                    if let Some(id) = shard.next_hop(*vrf, mapped(&net(prefix), *next_hop)) {
                        let state = metric.map(resolved).unwrap_or_default();
                        shard.engine.set_next_hop_state(id, state);
                    }
                }
            }
        }
    }

    pub fn check(&mut self) -> Result<(), TestCaseError> {
        let natives = self.model.natives();
        let view = twin::leaked(&natives, &self.model.edges);
        let mut wanted: BTreeMap<(VrfId, IpNet), Shown> = BTreeMap::new();
        for (at, members) in natives {
            wanted.insert(at, (None, BTreeSet::from_iter(members)));
        }
        for (at, (from, members)) in view.leaked {
            let edge = self.model.edges.iter().find(|edge| (edge.from, edge.to) == (from, at.0)).unwrap();
            let native = wanted.insert(at, (Some((from, edge.advertise)), BTreeSet::from_iter(members)));
            prop_assert!(native.is_none());
        }
        let mut stands = BTreeMap::new();
        let mut followed = BTreeMap::new();
        for vrf in 1..=VRFS {
            for family in FAMILIES {
                let counts = self.shards.iter().map(|shard| shard.engine.counts(VrfId(vrf), family));
                let counts = counts.fold((0, 0), |sum, counts| (sum.0 + counts.native, sum.1 + counts.leaked));
                let of = |leaked: bool| {
                    let here = wanted.iter().filter(|((of, prefix), _)| (of.0, is_of(prefix, family)) == (vrf, true));
                    here.filter(|(_, (from, _))| from.is_some() == leaked).count()
                };
                prop_assert_eq!(counts, (of(false), of(true)));
                for shard in &self.shards {
                    for route in shard.engine.routes(VrfId(vrf), family, None, 100).filter(|route| route.best) {
                        let shown = shard.shown(VrfId(vrf), route.prefix);
                        stands.extend(shown.map(|shown| ((VrfId(vrf), route.prefix), shown)));
                    }
                }
            }
        }
        prop_assert_eq!(&stands, &wanted, "the view is not the twin's");
        for ((vrf, prefix), (from, _)) in &stands {
            let explanation = self.keeper(*prefix).engine.explain(*vrf, *prefix, None);
            prop_assert_eq!(explanation.blocked(), None);
            prop_assert_eq!(explanation.from, from.map(|(exporter, _)| exporter));
        }
        for shard in &self.shards {
            followed.extend(shard.followed.clone());
            prop_assert_eq!(shard.engine.audit(), vec![]);
        }
        prop_assert_eq!(&followed, &wanted, "the changes did not tell all");

        let mut refused: BTreeMap<(VrfId, VrfId), BTreeMap<Refusal, usize>> = BTreeMap::new();
        for edge in &self.model.edges {
            refused.insert((edge.from, edge.to), BTreeMap::new());
        }
        for ((from, to, prefix), reason) in &view.refused {
            *refused.entry((*from, *to)).or_default().entry(*reason).or_default() += 1;
            let keeper = &self.keeper(*prefix).engine;
            prop_assert_eq!(keeper.refusal((*from, *to), *prefix).map(|refused| refused.reason), Some(*reason));
        }
        let mut counted: BTreeMap<(VrfId, VrfId), BTreeMap<Refusal, usize>> = BTreeMap::new();
        for shard in &self.shards {
            for edge in shard.engine.edges() {
                prop_assert!(edge.settled);
                let pair = (edge.spec.from, edge.spec.to);
                let list = |family| shard.engine.refused(pair, family, None, 100).0.len();
                prop_assert_eq!(FAMILIES.map(list).iter().sum::<usize>(), edge.refused.values().sum::<usize>());
                let sums = counted.entry(pair).or_default();
                edge.refused.iter().for_each(|(reason, count)| *sums.entry(*reason).or_default() += count);
            }
        }
        prop_assert_eq!(counted, refused, "refusals are miscounted");
        Ok(())
    }

    /// With limits the view depends on what came first; but an edge is always as full as it may be, and of what passes.
    pub fn check_limits(&self) -> Result<(), TestCaseError> {
        let natives = self.model.natives();
        for edge in &self.model.edges {
            let natives = natives.keys().filter(|(vrf, _)| *vrf == edge.from).map(|(_, prefix)| *prefix);
            let passing: BTreeSet<IpNet> = natives.filter(|prefix| edge.filter.check(*prefix).is_ok()).collect();
            let paths = |prefix: &&IpNet| {
                self.keeper(**prefix).engine.paths(edge.to, **prefix).any(|route| route.edge == Some(edge))
            };
            let all: Vec<IpNet> = PREFIXES.map(net).into();
            let held: BTreeSet<IpNet> = all.iter().filter(paths).copied().collect();
            prop_assert!(held.is_subset(&passing));
            prop_assert_eq!(held.len(), passing.len().min(edge.limit.unwrap()));
            let (mut counted, mut above) = (0, 0);
            for shard in &self.shards {
                let status = shard.engine.edge(edge.from, edge.to).unwrap();
                counted += status.held;
                above += status.refused.get(&Refusal::PrefixLimit).copied().unwrap_or(0);
            }
            prop_assert_eq!((counted, above), (held.len(), passing.len() - held.len()));
        }
        Ok(())
    }

    pub fn ends_empty(&mut self) -> Result<(), TestCaseError> {
        for sources in std::mem::take(&mut self.sources) {
            for (shard, source) in self.shards.iter_mut().zip(sources) {
                shard.engine.remove_source(source).unwrap();
            }
        }
        self.drain();
        for shard in &mut self.shards {
            prop_assert!(shard.engine.pools().attrs.is_empty() && shard.engine.pools().next_hops.is_empty());
            for vrf in 1..=VRFS {
                let (v4, v6) = shard.engine.tables(VrfId(vrf)).unwrap();
                prop_assert!(v4.is_empty() && v6.is_empty());
                prop_assert_eq!((v4.memory(), v6.memory()), (0, 0));
            }
            prop_assert!(shard.engine.edges().all(|edge| edge.held == 0 && edge.refused.is_empty()));
            prop_assert!(shard.followed.is_empty());
            for vrf in 1..=VRFS {
                shard.engine.remove_vrf(VrfId(vrf)).unwrap();
            }
            shard.drain();
            prop_assert!(shard.engine.is_empty(), "{:?}", shard.engine);
        }
        Ok(())
    }
}

/// The sources of a neighbour that has come up.
fn join(shards: &mut [Shard], neighbor: usize) -> Vec<SourceId> {
    let (vrf, last, external) = place(neighbor);
    shards.iter_mut().map(|shard| shard.neighbor(vrf, last, external)).collect()
}
