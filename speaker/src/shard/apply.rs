//! Bringing the shard from one configuration to the next, and local routes given by hand.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bgp_wire::AfiSafi;
use ipnet::IpNet;
use leak_engine::EdgeSpec;
use rib::VrfId;
use tracing::{error, warn};

use super::ShardNeighbor;
use super::neighbor::Neighbor;
use super::program::EdgeTrack;
use super::vrf::{Vrf, ignore_gone, next_hop, nowhere};
use super::worker::Worker;
use crate::Injected;
use crate::config::{Config, FibMode};
use crate::error::Error;
use crate::kernel::Links;
use crate::session::NeighborId;

impl Worker {
    /// Returns which neighbours are to be asked for their routes again, and of which families.
    pub(super) fn apply(&mut self, config: Arc<Config>, neighbors: Vec<ShardNeighbor>) -> Vec<(NeighborId, AfiSafi)> {
        self.config = Arc::clone(&config);
        if self.mode == FibMode::Memory {
            self.links = Links::imagined(&config);
        }
        self.drop_neighbors(&neighbors);
        // Edges first lose what leaves with a VRF, then gain what comes with one: never an edge without its ends.
        let kept = |name: &str| config.vrf(name).is_some() && self.names.contains_key(name);
        let standing: Vec<EdgeSpec> = config
            .edges
            .iter()
            .filter(|edge| kept(&edge.from) && kept(&edge.to))
            .filter_map(|edge| self.edge_spec(edge))
            .collect();
        let leaving: Vec<String> = self.names.keys().filter(|name| config.vrf(name).is_none()).cloned().collect();
        if !leaving.is_empty() {
            self.set_edges(standing);
            for name in leaving {
                self.remove_vrf(&name);
            }
        }
        for vrf in &config.vrfs {
            self.put_vrf(vrf);
        }
        let mut again = Vec::new();
        for neighbor in neighbors {
            self.put_neighbor(neighbor, &mut again);
        }
        let edges = config.edges.iter().filter_map(|edge| self.edge_spec(edge)).collect();
        self.set_edges(edges);
        self.update_vrfs();
        again
    }

    /// Interfaces came, went or changed.
    pub(super) fn links_changed(&mut self, links: Links) {
        self.links = links;
        self.update_vrfs();
    }

    /// Brings every VRF in line with its configuration and the interfaces there are.
    fn update_vrfs(&mut self) {
        let ids: Vec<VrfId> = self.vrfs.keys().copied().collect();
        for id in ids {
            let Some(vrf) = self.vrfs.get_mut(&id) else {
                continue;
            };
            let table = vrf.wanted_table(&self.links);
            let (differs, connected) = vrf.update(&mut self.engine, &self.links);
            self.rebind(id, table);
            if differs {
                self.resolve_all(id);
                self.connected_changed(id, connected);
            }
        }
        if self.is_first() {
            let rules: BTreeMap<String, u32> = self.vrfs.values().flat_map(|vrf| vrf.rules(self.mode)).collect();
            self.common.installer.rules(rules);
        }
    }

    fn put_vrf(&mut self, config: &crate::config::VrfConfig) {
        let id = match self.names.get(&config.name) {
            Some(id) => *id,
            None => {
                let id = self.fresh_vrf();
                match Vrf::new(&mut self.engine, id, &config.name) {
                    Ok(mut vrf) => {
                        let needed = self.common.indirect(|indirect| indirect.of(id));
                        vrf.indirect = needed.into_iter().map(|address| (address, BTreeSet::new())).collect();
                        self.vrfs.insert(id, vrf);
                        self.names.insert(config.name.clone(), id);
                    }
                    // Numbers are never used twice, so that it cannot exist.
                    Err(error) => return error!(vrf = config.name, %error, "cannot add VRF"),
                }
                id
            }
        };
        if let Some(vrf) = self.vrfs.get_mut(&id) {
            vrf.config = config.clone();
        }
    }

    fn remove_vrf(&mut self, name: &str) {
        let Some(id) = self.names.remove(name) else {
            return;
        };
        self.rebind(id, None);
        // Its neighbours have left before: a configuration names no VRF that it does not have.
        self.vrfs.remove(&id);
        self.common.indirect(|indirect| indirect.leave_vrf(self.shard, id));
        ignore_gone(self.engine.remove_vrf(id));
    }

    fn drop_neighbors(&mut self, neighbors: &[ShardNeighbor]) {
        let kept: HashSet<_> = neighbors.iter().map(|neighbor| neighbor.id).collect();
        let gone: Vec<_> = self.neighbors.keys().filter(|id| !kept.contains(id)).copied().collect();
        for id in gone {
            self.down(id);
            self.neighbors.remove(&id);
        }
    }

    fn put_neighbor(&mut self, new: ShardNeighbor, again: &mut Vec<(NeighborId, AfiSafi)>) {
        let Some(vrf) = self.names.get(&new.config.vrf).copied() else {
            return;
        };
        let own = (self.config.asn, self.config.router_id);
        match self.neighbors.get_mut(&new.id) {
            None => {
                let neighbor = Neighbor::new(new, vrf, own);
                self.neighbors.insert(neighbor.id, neighbor);
            }
            Some(neighbor) => {
                if neighbor.reconfigure(new.config, own) {
                    again.extend(neighbor.families().map(|family| (neighbor.id, family)));
                }
            }
        }
    }

    pub(super) fn edge_spec(&self, edge: &crate::config::EdgeConfig) -> Option<EdgeSpec> {
        Some(EdgeSpec {
            from: *self.names.get(&edge.from)?,
            to: *self.names.get(&edge.to)?,
            peering: edge.peering.as_str().into(),
            filter: edge.filter.clone(),
            rank: edge.rank.clone(),
            advertise: edge.advertise,
            limit: edge.limit,
        })
    }

    fn set_edges(&mut self, specs: Vec<EdgeSpec>) {
        let before = self.edge_specs();
        if let Err(error) = self.engine.set_edges(specs) {
            // The configuration was checked; what stands, stands.
            return warn!(%error, "edges cannot be changed");
        }
        let after = self.edge_specs();
        for (ends, _) in self.edges.extract_if(|ends, _| !after.contains_key(ends)) {
            self.common.edge_left(ends, self.shard);
        }
        let mut advertise_differs = false;
        for (ends, spec) in &after {
            let was = before.get(ends);
            if was != Some(spec) {
                self.edges.insert(*ends, EdgeTrack::default());
                self.common.edge_began(*ends, self.shard, self.configured);
            }
            advertise_differs |= was.is_some_and(|was| was.advertise != spec.advertise);
        }
        if advertise_differs {
            for vrf in self.vrfs.values_mut() {
                vrf.out4.reevaluate();
                vrf.out6.reevaluate();
            }
        }
    }

    fn edge_specs(&self) -> BTreeMap<(VrfId, VrfId), EdgeSpec> {
        self.engine.edges().map(|edge| ((edge.spec.from, edge.spec.to), edge.spec.clone())).collect()
    }

    pub(super) fn inject(&mut self, vrf: &str, routes: Vec<Injected>) -> Result<(), Error> {
        let id = self.vrf_id(vrf)?;
        let Some(source) = self.vrfs.get(&id).map(|vrf| vrf.sources.injected) else {
            return Err(Error::UnknownVrf(vrf.to_owned()));
        };
        for route in routes {
            let via = route.next_hop.map_or_else(|| nowhere(&route.prefix), next_hop);
            let put = self.engine.insert(source, route.prefix, 0, &route.attributes, via, None);
            ignore_gone(put);
        }
        Ok(())
    }

    pub(super) fn withdraw(&mut self, vrf: &str, prefixes: &[IpNet]) -> Result<(), Error> {
        let id = self.vrf_id(vrf)?;
        let Some(source) = self.vrfs.get(&id).map(|vrf| vrf.sources.injected) else {
            return Err(Error::UnknownVrf(vrf.to_owned()));
        };
        for prefix in prefixes {
            ignore_gone(self.engine.withdraw(source, *prefix, 0));
        }
        Ok(())
    }
}
