//! Answers to questions about the tables: snapshots of names and plain data, nothing borrowed.

use std::collections::HashMap;

use bgp_wire::AfiSafi;
use bgp_wire::attributes::Attributes;
use ipnet::IpNet;
use leak_engine::{ImportRefusal, Route};
use rib::{NextHopState, Origination, SourceId, VrfId};

use super::neighbor::{FAMILIES, Neighbor};
use super::vrf::{Vrf, address};
use super::worker::Worker;
use super::{NeighborRoutes, Summary};
use crate::config::NeighborKey;
use crate::error::Error;
use crate::status::{
    EdgeState, EdgeStatus, Explanation, FailedRoute, FamilyStatus, FibStatus, PathFrom, PathView, RefusedRoute,
    RouteView, RoutesPage, RoutesQuery, VrfFamily, VrfStatus,
};

/// Failed routes shown.
pub(super) const FAILED: usize = 20;

/// Refused routes listed.
pub(super) const REFUSED: usize = 10_000;

impl Worker {
    pub(super) fn summary(&self) -> Summary {
        let failed = self.failures.iter().take(FAILED);
        Summary {
            converged: self.converged,
            attributes: self.engine.pools().attrs.len(),
            fib: FibStatus {
                mode: self.mode,
                pending: self.wished.saturating_sub(self.report.through),
                failures: self.failures.len(),
                failed: failed
                    .map(|(key, error)| FailedRoute { table: key.table, prefix: key.prefix, error: error.clone() })
                    .collect(),
                error: self.report.error.clone(),
            },
            edges: self.edge_statuses(),
        }
    }

    fn edge_statuses(&self) -> Vec<EdgeStatus> {
        let status = |edge: &crate::config::EdgeConfig| {
            let ends = (*self.names.get(&edge.from)?, *self.names.get(&edge.to)?);
            let stands = self.engine.edge(ends.0, ends.1)?;
            let state = self.edges.get(&ends).map(|track| track.state.clone());
            Some(EdgeStatus {
                from: edge.from.clone(),
                to: edge.to.clone(),
                peering: edge.peering.clone(),
                leaked: stands.held,
                refused: stands.refused.into_iter().collect(),
                state: state.unwrap_or(EdgeState::Pending),
            })
        };
        self.config.edges.iter().filter_map(status).collect()
    }

    pub(super) fn neighbor_routes(&self) -> HashMap<NeighborKey, NeighborRoutes> {
        let accepted = self.accepted();
        self.neighbors
            .values()
            .map(|neighbor| {
                let routes = NeighborRoutes {
                    families: self.families(neighbor, &accepted),
                    refused: self.import_refusals(neighbor),
                };
                (neighbor.key.clone(), routes)
            })
            .collect()
    }

    /// Standing paths by source and family.
    fn accepted(&self) -> HashMap<(SourceId, AfiSafi), usize> {
        let mut accepted = HashMap::new();
        for id in self.vrfs.keys() {
            let Some((v4, v6)) = self.engine.tables(*id) else {
                continue;
            };
            for (source, paths) in v4.sources() {
                *accepted.entry((source, AfiSafi::IPV4_UNICAST)).or_default() += paths;
            }
            for (source, paths) in v6.sources() {
                *accepted.entry((source, AfiSafi::IPV6_UNICAST)).or_default() += paths;
            }
        }
        accepted
    }

    fn families(&self, neighbor: &Neighbor, accepted: &HashMap<(SourceId, AfiSafi), usize>) -> Vec<FamilyStatus> {
        let Some(live) = &neighbor.live else {
            let configured = neighbor.config.families.iter();
            return configured.map(|family| FamilyStatus::down(*family)).collect();
        };
        let shared = FAMILIES.into_iter().filter(|family| live.families.contains(*family));
        shared
            .map(|family| {
                let told = self.told(neighbor.vrf, live.source, family);
                FamilyStatus {
                    family,
                    accepted: accepted.get(&(live.source, family)).copied().unwrap_or(0),
                    advertised: told.map_or(0, |told| told.announced),
                    in_sync: told.is_some_and(|told| told.in_sync),
                    end_of_rib: live.end_of_rib.contains(family),
                    behind: live.behind,
                }
            })
            .collect()
    }

    fn told(&self, vrf: VrfId, source: SourceId, family: AfiSafi) -> Option<rib::adj_out::MemberStatus> {
        let owner = self.vrfs.get(&vrf)?;
        let (v4, v6) = self.engine.tables(vrf)?;
        match family {
            AfiSafi::IPV4_UNICAST => owner.out4.status(v4, source),
            _ => owner.out6.status(v6, source),
        }
    }

    /// How many announcements of a neighbour its import policy refused, by reason.
    fn import_refusals(&self, neighbor: &Neighbor) -> Vec<(ImportRefusal, u64)> {
        let refused = neighbor.live.as_ref().map(|live| self.engine.import_refusals(live.source));
        refused.into_iter().flatten().collect()
    }

    pub(super) fn vrf_statuses(&self) -> Vec<VrfStatus> {
        let status = |config: &crate::config::VrfConfig| {
            let id = *self.names.get(&config.name)?;
            let vrf = self.vrfs.get(&id)?;
            let family = |family| {
                let counts = self.engine.counts(id, family);
                VrfFamily { family, destinations: counts.native + counts.leaked, leaked: counts.leaked }
            };
            Some(VrfStatus {
                name: config.name.clone(),
                network: config.network.clone(),
                binding: config.binding.clone(),
                table: vrf.table,
                neighbors: self.neighbors.values().filter(|n| n.vrf == id).count(),
                families: FAMILIES.map(family).into(),
            })
        };
        self.config.vrfs.iter().filter_map(status).collect()
    }

    pub(super) fn routes_page(&self, query: &RoutesQuery) -> Result<RoutesPage, Error> {
        let id = self.vrf_id(&query.vrf)?;
        let limit = query.limit.max(1);
        // One more than asked for, to know whether there is a next page.
        let paths = self.engine.routes(id, query.family, query.after, limit + 1);
        let mut routes = self.views(paths);
        let more = routes.len() > limit;
        routes.truncate(limit);
        let next = routes.last().map(|route| route.prefix).filter(|_| more);
        Ok(RoutesPage { routes, next })
    }

    pub(super) fn route(&self, vrf: &str, prefix: IpNet) -> Result<Option<RouteView>, Error> {
        let id = self.vrf_id(vrf)?;
        Ok(self.views(self.engine.paths(id, prefix)).pop())
    }

    /// Groups paths, which come destination by destination.
    fn views<'a>(&'a self, paths: impl Iterator<Item = Route<'a>>) -> Vec<RouteView> {
        let names = self.links.names();
        let mut views: Vec<RouteView> = Vec::new();
        for path in paths {
            let view = self.path_view(&path, &names);
            match views.last_mut() {
                Some(last) if last.prefix == path.prefix => last.paths.push(view),
                _ => views.push(RouteView { prefix: path.prefix, paths: vec![view] }),
            }
        }
        for view in &mut views {
            view.paths.sort_by_key(|path| (!path.best, !path.multipath));
        }
        views
    }

    fn path_view(&self, path: &Route<'_>, names: &HashMap<u32, String>) -> PathView {
        let attributes = Attributes::canonical(path.attr.bytes);
        let next_hop = address(&path.via.address);
        let interface = match &path.via.state {
            NextHopState::Resolved { egress, .. } => {
                egress.first().and_then(|egress| names.get(&egress.interface).cloned())
            }
            NextHopState::Unreachable => None,
        };
        let communities = attributes.communities().map(|c| c.to_string());
        let large = attributes.large_communities().map(|c| c.to_string());
        let extended = attributes.ext_communities().map(|c| c.to_string());
        PathView {
            best: path.best,
            multipath: path.selected && !path.best,
            from: self.path_from(path),
            next_hop: (!next_hop.is_unspecified()).then_some(next_hop),
            interface,
            reachable: path.via.state.is_resolved(),
            as_path: attributes.as_path().to_string(),
            as_numbers: attributes.as_path().asns().collect(),
            origin: attributes.origin().map_or_else(|| "incomplete".to_owned(), |origin| origin.to_string()),
            med: attributes.med(),
            local_pref: attributes.local_pref(),
            communities: communities.chain(large).chain(extended).collect(),
        }
    }

    fn path_from(&self, path: &Route<'_>) -> PathFrom {
        if let Some(edge) = path.edge {
            return PathFrom::Leaked { vrf: self.name(edge.from), peering: edge.peering.to_string() };
        }
        let sources = self.vrfs.get(&path.via.vrf).map(|vrf| vrf.sources);
        match path.origination {
            Origination::Session(neighbor) => PathFrom::Neighbor(neighbor.address),
            Origination::Connected => PathFrom::Connected,
            _ if sources.is_some_and(|sources| sources.injected == path.source) => PathFrom::Injected,
            _ => PathFrom::Static,
        }
    }

    pub(super) fn name(&self, id: VrfId) -> String {
        self.vrfs.get(&id).map_or_else(String::new, |vrf: &Vrf| vrf.name.to_string())
    }

    pub(super) fn refused(&self, from: &str, to: &str) -> Result<Vec<RefusedRoute>, Error> {
        let ends = (self.vrf_id(from)?, self.vrf_id(to)?);
        let mut listed = Vec::new();
        for family in FAMILIES {
            let limit = REFUSED - listed.len();
            if limit == 0 {
                break;
            }
            let (refused, _) = self.engine.refused(ends, family, None, limit);
            listed.extend(refused.into_iter().map(|refused| RefusedRoute {
                prefix: refused.prefix,
                reason: refused.reason,
                winner: refused.winner.map(|vrf| self.name(vrf)),
            }));
        }
        Ok(listed)
    }

    pub(super) fn explain(&self, vrf: &str, prefix: IpNet, from: Option<&str>) -> Result<Explanation, Error> {
        let id = self.vrf_id(vrf)?;
        let from = from.map(|name| self.vrf_id(name)).transpose()?;
        let found = self.engine.explain(id, prefix, from);
        let onward = found.blocked().is_none().then(|| self.onward(id, found.prefix)).flatten();
        let (installed, told) = onward.unzip();
        Ok(Explanation {
            installed,
            told: told.unwrap_or_default(),
            vrf: vrf.to_owned(),
            prefix: found.prefix,
            from: found.from.map(|from| self.name(from)),
            stages: found.stages,
        })
    }
}
