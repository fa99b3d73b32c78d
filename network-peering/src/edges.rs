//! The edges that bound peerings stand for: who lends to whom, what may pass, and how old the right to it is (rules R29–R36,
//! R42, R43).
//!
//! It is given statuses and yields filters; it never looks at a route.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use leak_engine::{Advertise, Filter, PrefixSet, Rank};

use crate::{
    bind,
    evaluate::{DEFAULT_LIMIT, EntryStatus, Options, Outcome, PeeringStatus, resolve},
    lifecycle::{Networks, Present},
    model::{Api, IroncoreNetwork, MetalKind, NetworkId, World},
    reason::{Phase, Reason},
};

/// One direction of a bound peering.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The exporter.
    pub from: NetworkId,
    /// The importer.
    pub to: NetworkId,
    /// The name the importer knows the peering by: its entry, or the metal-stack peering.
    pub peering: String,
    /// The status that the exporter's troubles are shown on.
    pub owner: Owner,
    /// What may pass.
    pub filter: Filter,
    /// Who wins between two exporters.
    pub rank: Rank,
    /// What the importer may pass on.
    pub advertise: Advertise,
    /// How many destinations may be installed.
    pub limit: usize,
    /// Whether it carries only routes of its own partition (rule R45).
    pub partition_scope: bool,
}

/// Which status tells of an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The exporter's entry at this position.
    Entry(usize),
    /// The peering at this position of [`Outcome::peerings`].
    Peering(usize),
}

impl Edge {
    /// Whether the objects allow this edge, asked anew of them alone: what programs an edge asks it again (rule R39).
    ///
    /// # Errors
    ///
    /// The refusal by policy: another project or partition, kinds that never peer, or one table.
    pub fn check(&self, world: &World) -> Result<(), Reason> {
        let (Some(from), Some(to)) = (world.networks.get(&self.from), world.networks.get(&self.to)) else {
            return Err(Reason::NetworkNotFound);
        };
        match (from.metal(), to.metal()) {
            (Some(_), Some(_)) => bind::metal_refusal(from, to, true),
            (None, None) => bind::ironcore_refusal(from, to),
            _ => Some(Reason::NotPeerable),
        }
        .map_or(Ok(()), Err)
    }

    /// The oldest of the `others` into the same importer, all older than this edge, whose exporter declares space that meets `prefix`
    /// (rule R42).
    pub fn older_space<'a>(&self, others: &'a [Self], world: &World, prefix: IpNet) -> Option<&'a NetworkId> {
        let declares = |edge: &&Self| {
            let metal = world.networks.get(&edge.from).and_then(|network| network.metal());
            metal.is_some_and(|metal| metal.prefixes.iter().any(|own| own.contains(&prefix) || prefix.contains(own)))
        };
        let older =
            others.iter().filter(|edge| edge.to == self.to && (&edge.rank, &edge.from) < (&self.rank, &self.from));
        older.min_by_key(|edge| (!declares(edge), &edge.rank)).filter(declares).map(|edge| &edge.from)
    }
}

pub(crate) fn edges(world: &World, networks: &Networks<'_>, outcome: &Outcome, options: &Options) -> Vec<Edge> {
    let default_limit = options.limit.unwrap_or(DEFAULT_LIMIT);
    let mut edges = Vec::new();
    for exporter in networks.values() {
        let Some(ironcore) = exporter.network.ironcore() else { continue };
        edges.extend(outcome.network(&exporter.network.id).into_iter().flat_map(|status| {
            status.entries.iter().enumerate().filter_map(|(at, entry)| {
                entry_edge(exporter, ironcore, (at, entry), world, networks, outcome, default_limit)
            })
        }));
    }
    for (at, peering) in outcome.peerings.iter().enumerate() {
        edges.extend(peering_edges(at, peering, world, networks, default_limit));
    }
    older_spaces(&mut edges, networks);
    edges.sort_by(|a, b| (&a.to, &a.rank, &a.from).cmp(&(&b.to, &b.rank, &b.from)));
    edges
}

fn entry_edge(
    exporter: &Present<'_>,
    ironcore: &IroncoreNetwork,
    (at, status): (usize, &EntryStatus),
    world: &World,
    networks: &Networks<'_>,
    outcome: &Outcome,
    default_limit: usize,
) -> Option<Edge> {
    if status.status.phase != Phase::Bound {
        return None;
    }
    let entry = &ironcore.entries[at];
    let to = NetworkId { name: entry.target.clone(), api: Api::Ironcore };
    let peer = networks.get(&to)?;
    let at_peer = peer.entries.get(&exporter.network.id.name)?;
    let other = outcome.network(&to)?.entries.get(*at_peer).filter(|entry| entry.status.phase == Phase::Bound)?;
    let importer = peer.network.ironcore()?;
    let exposed = || resolve(exporter, entry, world).into_iter().collect::<PrefixSet>();
    Some(Edge {
        from: exporter.network.id.clone(),
        peering: other.name.clone(),
        owner: Owner::Entry(at),
        filter: Filter { exposed: (!entry.prefixes.is_empty()).then(exposed), ..Filter::default() },
        rank: Rank {
            bound_since: status.status.since.max(other.status.since).unix_seconds(),
            exporter: Outcome::shared_name(&exporter.network.id),
        },
        advertise: onward(importer.advertise, networks.get(&to)?),
        limit: ironcore.limit.unwrap_or(default_limit),
        partition_scope: ironcore.partition_scope,
        to,
    })
}

fn peering_edges(
    at: usize,
    peering: &PeeringStatus,
    world: &World,
    networks: &Networks<'_>,
    default_limit: usize,
) -> Vec<Edge> {
    let Some(network2) = peering.network2.as_ref().filter(|_| peering.status.phase == Phase::Bound) else {
        return Vec::new();
    };
    let spec = world.peerings.get(&peering.name).filter(|_| !peering.is_virtual);
    let [advertise1, advertise2] = spec.map_or_else(Default::default, |spec| spec.advertise);
    let directions = [(&peering.network1, network2, advertise2), (network2, &peering.network1, advertise1)];
    let edge = |(from, to, advertise): (&NetworkId, &NetworkId, Advertise)| {
        Some(Edge {
            filter: metal_filter(networks.get(from)?, networks.get(to)?)?,
            from: from.clone(),
            to: to.clone(),
            peering: peering.name.name.clone(),
            owner: Owner::Peering(at),
            rank: Rank { bound_since: peering.status.since.unix_seconds(), exporter: Outcome::shared_name(from) },
            advertise: onward(advertise, networks.get(to)?),
            limit: spec.and_then(|spec| spec.limit).unwrap_or(default_limit),
            partition_scope: spec.is_some_and(|spec| spec.partition_scope),
        })
    };
    directions.into_iter().filter_map(edge).collect()
}

/// Rule R43: only an external network passes leaked routes on to neighbours outside, and none but those inside its own prefixes, which
/// are all that it imports.
fn onward(advertise: Advertise, importer: &Present<'_>) -> Advertise {
    let external = importer.network.metal().is_some_and(|metal| metal.kind == MetalKind::External);
    if advertise == Advertise::Ebgp && !external { Advertise::None } else { advertise }
}

/// Rules R30, R34, R35 and R43: what one metal network lends another.
fn metal_filter(exporter: &Present<'_>, importer: &Present<'_>) -> Option<Filter> {
    let (from, to) = (exporter.network.metal()?, importer.network.metal()?);
    let mut declared = from.prefixes.clone();
    if from.kind != MetalKind::Private {
        declared.extend(&from.destination_prefixes);
    }
    let mut filter = Filter { default_route: from.kind == MetalKind::External, ..Filter::default() };
    if to.kind == MetalKind::External {
        // What belongs to the external network is announced inside the private one, outside its declared prefixes.
        filter.policy = Some(to.prefixes.iter().copied().collect());
    } else {
        filter.own_space = to.prefixes.iter().copied().collect();
        filter.declared = (!declared.is_empty()).then(|| declared.into_iter().collect());
    }
    Some(filter)
}

/// Rule R42: in a shared network's table, nothing of a younger exporter comes inside or around an older one's space.
fn older_spaces(edges: &mut [Edge], networks: &Networks<'_>) {
    let kind = |id: &NetworkId| Some(networks.get(id)?.network.metal()?.kind);
    let mut by_importer: BTreeMap<NetworkId, Vec<usize>> = BTreeMap::new();
    for (at, edge) in edges.iter().enumerate() {
        if kind(&edge.to) == Some(MetalKind::Shared) {
            by_importer.entry(edge.to.clone()).or_default().push(at);
        }
    }
    for mut into in by_importer.into_values() {
        into.sort_by(|a, b| edges[*a].rank.cmp(&edges[*b].rank));
        let mut older = Space::default();
        for at in into {
            // Only what meets the exporter's declared space can matter, since nothing else of it passes before.
            edges[at].filter.overlaps = match &edges[at].filter.declared {
                Some(declared) => declared.iter().flat_map(|own| older.meeting(own)).collect(),
                None => older.0.iter().copied().collect(),
            };
            let exporter = networks.get(&edges[at].from).and_then(|present| present.network.metal());
            exporter.into_iter().flat_map(|metal| &metal.prefixes).for_each(|prefix| older.add(*prefix));
        }
    }
}

/// Address space that grows: its widest prefixes.
#[derive(Default)]
struct Space(BTreeSet<IpNet>);

impl Space {
    fn add(&mut self, prefix: IpNet) {
        if self.around(prefix).is_some() {
            return;
        }
        for inside in self.inside(prefix) {
            self.0.remove(&inside);
        }
        self.0.insert(prefix);
    }

    /// What is equal to, around or inside `prefix`.
    fn meeting(&self, prefix: IpNet) -> Vec<IpNet> {
        self.around(prefix).map_or_else(|| self.inside(prefix), |around| vec![around])
    }

    /// Sorted by address, then length: whatever contains a prefix is the last one before it.
    fn around(&self, prefix: IpNet) -> Option<IpNet> {
        self.0.range(..=prefix).next_back().copied().filter(|around| around.contains(&prefix))
    }

    fn inside(&self, prefix: IpNet) -> Vec<IpNet> {
        self.0.range(prefix..).take_while(|inside| prefix.contains(*inside)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_prefix() -> impl Strategy<Value = IpNet> {
        (0u8..4, 0u8..4, 8u8..25).prop_map(|(a, b, length)| {
            let prefix = IpNet::new([10, a * 64, b * 64, 0].into(), length).unwrap();
            prefix.trunc()
        })
    }

    proptest! {
        #[test]
        fn growing_space_meets_what_its_widest_prefixes_meet(prefixes in prop::collection::vec(any_prefix(), 0..12), own in any_prefix()) {
            let mut space = Space::default();
            prefixes.iter().for_each(|prefix| space.add(*prefix));
            let all: PrefixSet = prefixes.into_iter().collect();
            prop_assert_eq!(space.0.iter().copied().collect::<PrefixSet>(), all.clone());
            let meeting: Vec<IpNet> = all.iter().filter(|prefix| prefix.contains(&own) || own.contains(prefix)).collect();
            prop_assert_eq!(space.meeting(own), meeting);
        }
    }
}
