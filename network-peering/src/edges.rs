//! The edges that bound peerings stand for: who lends to whom, what may pass, and how old the right to it is (rules R29–R36,
//! R42, R43).
//!
//! It is given statuses and yields filters; it never looks at a route.

use std::collections::BTreeMap;

use leak_engine::{Advertise, Filter, PrefixSet, Rank};

use crate::{
    evaluate::{DEFAULT_LIMIT, EntryStatus, Options, Outcome, PeeringStatus, resolve},
    lifecycle::{Networks, Present},
    model::{Api, IroncoreNetwork, MetalKind, NetworkId, World},
    reason::Phase,
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
    let (_, other) = outcome.bound_entry(&to, &exporter.network.id.name)?;
    let importer = networks.get(&to)?.network.ironcore()?;
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
        advertise: importer.advertise,
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
            advertise,
            limit: spec.and_then(|spec| spec.limit).unwrap_or(default_limit),
            partition_scope: spec.is_some_and(|spec| spec.partition_scope),
        })
    };
    directions.into_iter().filter_map(edge).collect()
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
        let mut older = Vec::new();
        for at in into {
            edges[at].filter.overlaps = older.iter().copied().collect();
            let exporter = networks.get(&edges[at].from).and_then(|present| present.network.metal());
            older.extend(exporter.into_iter().flat_map(|metal| metal.prefixes.iter().copied()));
        }
    }
}
