//! Every network's table, computed from scratch: native routes and edges in; selected routes, refusals and conflicts out.
//!
//! It is the plain statement of rules R29–R36, R42, R43 and R45 that the one-shot evaluator shows. It keeps nothing between
//! calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use leak_engine::Refusal;

use crate::{
    edges::{Edge, Owner},
    error::Warning,
    evaluate::{Options, Outcome, Status},
    model::{Api, NetworkId, World},
    reason::{PeeringState, Reason, message},
    routes::Route,
};

/// What every table holds and what was kept out.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// The tables of all networks, sorted by namespace and name.
    pub tables: Vec<Table>,
    /// What does not reach an importer, sorted by prefix, exporter, importer.
    pub refused: Vec<Refused>,
    /// Where two networks claim one prefix, sorted by prefix, importer, loser.
    pub conflicts: Vec<Conflict>,
    /// Rows that belong to no network.
    pub warnings: Vec<Warning>,
}

/// The selected routes of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The network.
    pub network: NetworkId,
    /// One for each prefix, sorted by family, address, length.
    pub routes: Vec<Selected>,
}

/// The selected route of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The destination.
    pub prefix: IpNet,
    /// Where it was leaked from, and by the importer's which peering; none for a native route.
    pub leaked: Option<(NetworkId, String)>,
    /// The best path's next hop.
    pub next_hop: Option<IpAddr>,
    /// The best path's autonomous systems.
    pub as_path: Vec<u32>,
    /// The next hops of all equally good paths, ascending.
    pub next_hops: Vec<IpAddr>,
}

/// A native route that does not reach an importer, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The destination.
    pub prefix: IpNet,
    /// The exporter.
    pub from: NetworkId,
    /// The importer.
    pub to: NetworkId,
    /// Why.
    pub reason: Refusal,
}

/// Two networks that claim one prefix in an importer's table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The destination.
    pub prefix: IpNet,
    /// The importer.
    pub network: NetworkId,
    /// Whose route stands.
    pub winner: NetworkId,
    /// Whose route does not.
    pub loser: NetworkId,
    /// The rule that decides.
    pub rule: &'static str,
}

type Paths<'a> = Vec<&'a Route>;
type Native<'a> = BTreeMap<&'a NetworkId, BTreeMap<IpNet, Paths<'a>>>;

/// Computes the tables that `outcome`'s edges make of native `routes`, and completes the statuses that depend on routes:
/// limits that are exceeded (rule R36) and private routes that need NAT (rule R43).
pub fn tables(world: &World, outcome: &mut Outcome, routes: &[Route], options: &Options) -> Tables {
    let mut tables = Tables::default();
    let ids: Vec<NetworkId> = outcome.networks.iter().map(|status| status.id.clone()).collect();
    let mut native = Native::new();
    for route in routes {
        let mut known = false;
        for api in [Api::Ironcore, Api::Metal] {
            let id = NetworkId { name: route.network.clone(), api };
            let Some(status) = outcome.network(&id) else { continue };
            known = true;
            if let (Some(_), Ok(at)) = (status.vni, ids.binary_search(&id)) {
                native.entry(&ids[at]).or_default().entry(route.prefix).or_default().push(route);
            }
        }
        if !known {
            let message = format!("there is no network {}; the route is ignored", route.network);
            tables.warnings.push(Warning { place: route.place.clone(), message });
        }
    }
    let mut over_limit = BTreeSet::new();
    let mut leaked: BTreeMap<&NetworkId, Vec<Selected>> = BTreeMap::new();
    for into in outcome.edges.chunk_by(|a, b| a.to == b.to) {
        let mut import = Import { world, options, native: &native, tables: &mut tables, over_limit: &mut over_limit };
        let routes = import.run(into);
        if let Some(Ok(at)) = into.first().map(|edge| ids.binary_search(&edge.to)) {
            leaked.insert(&ids[at], routes);
        }
    }
    for id in &ids {
        let of_network = native.get(id).into_iter().flatten();
        let mut routes: Vec<_> =
            of_network.map(|(prefix, paths)| select(*prefix, paths.iter().copied(), None, options)).collect();
        routes.extend(leaked.remove(id).into_iter().flatten());
        routes.sort_by_key(|route| route.prefix);
        tables.tables.push(Table { network: id.clone(), routes });
    }
    tables.refused.sort();
    tables.conflicts.sort();
    let exceeded: Vec<Edge> = outcome
        .edges
        .iter()
        .filter(|edge| over_limit.contains(&(edge.from.clone(), edge.to.clone())))
        .cloned()
        .collect();
    for edge in exceeded {
        exceed(outcome, &edge);
    }
    need_nat(outcome, &native);
    tables
}

/// The import of everything that edges lend to one network.
struct Import<'a, 'r> {
    world: &'a World,
    options: &'a Options,
    native: &'a Native<'r>,
    tables: &'a mut Tables,
    over_limit: &'a mut BTreeSet<(NetworkId, NetworkId)>,
}

impl<'r> Import<'_, 'r> {
    /// `edges` all lead to one network and are sorted by rank.
    fn run(&mut self, edges: &[Edge]) -> Vec<Selected> {
        let nothing = BTreeMap::new();
        let of = |id: &NetworkId| self.native.get(id).unwrap_or(&nothing);
        let mut candidates: BTreeMap<IpNet, Vec<(usize, Paths<'r>)>> = BTreeMap::new();
        let mut refused = Vec::new();
        for (at, edge) in edges.iter().enumerate() {
            for (prefix, paths) in of(&edge.from) {
                match self.offer(edge, *prefix, paths) {
                    Ok(paths) if of(&edge.to).contains_key(prefix) => {
                        drop(paths);
                        refused.push((at, *prefix, Refusal::NativeWins));
                    }
                    Ok(paths) => candidates.entry(*prefix).or_default().push((at, paths)),
                    Err(refusal) => refused.push((at, *prefix, refusal)),
                }
            }
        }
        for (at, prefix, refusal) in refused {
            self.refuse(&edges[at], prefix, refusal);
            match refusal {
                Refusal::OwnSpace | Refusal::NativeWins => self.conflict(&edges[at], prefix, &edges[at].to, "R34"),
                Refusal::OlderBindingWins => {
                    if let Some(older) = edges[at].older_space(edges, self.world, prefix) {
                        self.conflict(&edges[at], prefix, older, "R42");
                    }
                }
                _ => {}
            }
        }
        let mut installed = vec![0; edges.len()];
        let mut selected = Vec::new();
        for (prefix, offers) in candidates {
            let mut winner: Option<usize> = None;
            for (at, paths) in offers {
                let edge = &edges[at];
                if let Some(winner) = winner {
                    self.refuse(edge, prefix, Refusal::OlderBindingWins);
                    self.conflict(edge, prefix, &edges[winner].from, "R34");
                } else if installed[at] >= edge.limit {
                    self.refuse(edge, prefix, Refusal::PrefixLimit);
                    self.over_limit.insert((edge.from.clone(), edge.to.clone()));
                } else {
                    installed[at] += 1;
                    winner = Some(at);
                    let leaked = Some((edge.from.clone(), edge.peering.clone()));
                    selected.push(select(prefix, paths.into_iter(), leaked, self.options));
                }
            }
        }
        selected
    }

    /// The paths of a native route that an edge offers to its importer.
    fn offer(&self, edge: &Edge, prefix: IpNet, paths: &[&'r Route]) -> Result<Paths<'r>, Refusal> {
        edge.filter.check(prefix)?;
        let offered: Vec<_> = paths.iter().copied().filter(|path| self.in_scope(edge, path)).collect();
        if offered.is_empty() { Err(Refusal::ScopePartition) } else { Ok(offered) }
    }

    /// Rule R45: an edge confined to a partition carries nothing from one partition to another.
    fn in_scope(&self, edge: &Edge, path: &Route) -> bool {
        let Some(zone) = self.options.zone.as_ref().filter(|_| edge.partition_scope) else { return true };
        let partition = |id| self.world.networks.get(id).and_then(|network| network.metal()?.partition.as_ref());
        let Some(origin) = path.zone.as_ref().or_else(|| partition(&edge.from)) else { return true };
        origin == zone && partition(&edge.to).is_none_or(|destination| destination == origin)
    }

    fn refuse(&mut self, edge: &Edge, prefix: IpNet, reason: Refusal) {
        self.tables.refused.push(Refused { prefix, from: edge.from.clone(), to: edge.to.clone(), reason });
    }

    fn conflict(&mut self, edge: &Edge, prefix: IpNet, winner: &NetworkId, rule: &'static str) {
        let (network, winner, loser) = (edge.to.clone(), winner.clone(), edge.from.clone());
        self.tables.conflicts.push(Conflict { prefix, network, winner, loser, rule });
    }
}

/// The best of a route's paths, with all that are equally good: own zone, AS path length, origin; then the lowest next hop.
fn select<'a>(
    prefix: IpNet,
    paths: impl Iterator<Item = &'a Route>,
    leaked: Option<(NetworkId, String)>,
    options: &Options,
) -> Selected {
    let foreign = |path: &Route| options.zone.is_some() && path.zone != options.zone;
    let merit = |path: &Route| (foreign(path), path.as_path.len(), path.origin);
    let tie = |path: &Route| (path.next_hop.is_none(), path.next_hop, path.as_path.clone());
    let mut paths: Vec<&Route> = paths.collect();
    paths.sort_by_cached_key(|path| (merit(path), tie(path)));
    let Some(best) = paths.first().copied() else {
        return Selected { prefix, leaked, next_hop: None, as_path: Vec::new(), next_hops: Vec::new() };
    };
    let equal = paths.iter().take_while(|path| merit(path) == merit(best));
    let mut next_hops: Vec<_> = equal.filter_map(|path| path.next_hop).collect();
    next_hops.dedup();
    Selected { prefix, leaked, next_hop: best.next_hop, as_path: best.as_path.clone(), next_hops }
}

/// Rule R36: the exporter's status says that its limit is exceeded.
fn exceed(outcome: &mut Outcome, edge: &Edge) {
    let say = |status: &mut Status| {
        status.state = PeeringState::Error;
        status.reason = Some(Reason::PrefixLimit);
        status.message = Some(message(Reason::PrefixLimit, &edge.from.to_string(), &edge.to.to_string()));
    };
    match edge.owner {
        Owner::Entry(at) => {
            let network = outcome.networks.iter_mut().find(|status| status.id == edge.from);
            if let Some(entry) = network.and_then(|status| status.entries.get_mut(at)) {
                say(&mut entry.status);
                entry.prefixes.clear();
            }
        }
        Owner::Peering(at) => {
            if let Some(peering) = outcome.peerings.get_mut(at) {
                say(&mut peering.status);
            }
        }
    }
}

/// Rule R43: a ready peering with a NATed external network says if the private one has routes that need it.
fn need_nat(outcome: &mut Outcome, native: &Native<'_>) {
    for peering in &mut outcome.peerings {
        let Some((private, prefixes)) = &peering.nat else { continue };
        let outside = native.get(private).is_some_and(|routes| routes.keys().any(|prefix| !prefixes.covers(*prefix)));
        if outside {
            peering.status = peering.status_with_nat();
        }
    }
}
