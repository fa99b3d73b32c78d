//! Where a selected route goes from a VRF: into the kernel, and to which neighbours, and why not to the others.

use bgp_wire::AfiSafi;
use fib::RouteKey;
use ipnet::IpNet;
use leak_engine::{Accept, Advertise, Route};
use rib::adj_out::{ExportKey, PeerClass};
use rib::{Origination, VrfId};

use super::neighbor::Neighbor;
use super::worker::Worker;
use crate::status::{Installed, KeptBack, Told};

impl Worker {
    /// What became of the selected route for a prefix; nothing if none is selected.
    pub(super) fn onward(&self, vrf: VrfId, prefix: IpNet) -> Option<(Installed, Vec<Told>)> {
        let best = self.engine.paths(vrf, prefix).find(|route| route.best)?;
        let neighbors = self.neighbors.values().filter(|neighbor| neighbor.vrf == vrf);
        let mut told: Vec<Told> = neighbors
            .map(|neighbor| Told { neighbor: neighbor.key.clone(), kept_back: self.kept_back(neighbor, &best) })
            .collect();
        told.sort_by(|a, b| a.neighbor.cmp(&b.neighbor));
        Some((self.installed(vrf, prefix), told))
    }

    fn installed(&self, vrf: VrfId, prefix: IpNet) -> Installed {
        let Some(table) = self.vrfs.get(&vrf).and_then(|vrf| vrf.table) else { return Installed::Nowhere };
        match self.failures.get(&RouteKey::unicast(table, prefix)) {
            Some(error) => Installed::Failed(error.clone()),
            None if self.report.error.is_some() || self.wished > self.report.through => Installed::Pending,
            None => Installed::Table(table),
        }
    }

    /// Why a neighbour is not told of a route; nothing if it is.
    fn kept_back(&self, neighbor: &Neighbor, best: &Route<'_>) -> Option<KeptBack> {
        let Some(live) = &neighbor.live else { return Some(KeptBack::Down) };
        let (Some(vrf), Some((v4, v6))) = (self.vrfs.get(&neighbor.vrf), self.engine.tables(neighbor.vrf)) else {
            return Some(KeptBack::Down);
        };
        let family = if best.prefix.addr().is_ipv4() { AfiSafi::IPV4_UNICAST } else { AfiSafi::IPV6_UNICAST };
        if !live.families.contains(family) {
            return Some(KeptBack::Family);
        }
        let pools = self.engine.pools();
        let (said, key) = match best.prefix {
            IpNet::V4(prefix) => {
                let dest = v4.get(&prefix);
                (dest.and_then(|dest| vrf.out4.advertised(pools, live.source, dest)), vrf.out4.key(live.source))
            }
            IpNet::V6(prefix) => {
                let dest = v6.get(&prefix);
                (dest.and_then(|dest| vrf.out6.advertised(pools, live.source, dest)), vrf.out6.key(live.source))
            }
        };
        if said.is_some() {
            return None;
        }
        if best.source == live.source {
            return Some(KeptBack::CameFromIt);
        }
        Some(key.map_or(KeptBack::NotYet, |key| self.refused_by(key, best)))
    }

    /// The first thing that keeps a route from neighbours with this key.
    fn refused_by(&self, key: &ExportKey, best: &Route<'_>) -> KeptBack {
        let hot = best.attr.hot;
        if hot.no_advertise() || (!key.internal && (hot.no_export() || hot.no_export_subconfed())) {
            return KeptBack::Community;
        }
        let advertise = best.edge.map(|edge| edge.advertise);
        let allowed = match advertise {
            None | Some(Advertise::All) => true,
            Some(Advertise::Ebgp) => !key.internal && key.class == PeerClass::External,
            Some(Advertise::None | Advertise::Evpn) => false,
        };
        if let Some(advertise) = advertise.filter(|_| !allowed) {
            return KeptBack::Advertise(advertise);
        }
        if key.internal && matches!(best.origination, Origination::Session(peer) if !peer.external) {
            return KeptBack::Internal;
        }
        match self.policies.get(key.policy.0 as usize) {
            Some(Accept::Everything) => {}
            Some(Accept::Listed(list)) if list.permits(best.prefix) => {}
            _ => return KeptBack::Policy,
        }
        if key.role.is_some() && hot.otc() { KeptBack::Role } else { KeptBack::NotYet }
    }
}
