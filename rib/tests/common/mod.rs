//! What the tests of this crate share: routes described in words, and pools that know their sources.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::net::{IpAddr, Ipv4Addr};

use bgp_wire::{AsPathBuf, AttributesBuilder, Community, NextHop, Origin};
use rib::{
    Advertise, AttrId, Egress, Leak, Neighbor, NextHopId, NextHopState, Origination, Pools, Source, SourceId, VrfId,
};

pub const VRF: VrfId = VrfId(1);

/// Attributes in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attrs {
    pub path: Vec<u32>,
    pub origin: Origin,
    pub med: Option<u32>,
    pub local_pref: Option<u32>,
    pub communities: Vec<Community>,
    pub originator: Option<Ipv4Addr>,
    pub clusters: Vec<Ipv4Addr>,
}

impl Default for Attrs {
    fn default() -> Self {
        Attrs {
            path: vec![65001],
            origin: Origin::Igp,
            med: None,
            local_pref: None,
            communities: Vec::new(),
            originator: None,
            clusters: Vec::new(),
        }
    }
}

impl Attrs {
    pub fn path(path: impl Into<Vec<u32>>) -> Self {
        Attrs { path: path.into(), ..Attrs::default() }
    }

    pub fn builder(&self) -> AttributesBuilder {
        let mut builder = AttributesBuilder::new(self.origin);
        builder
            .as_path(&AsPathBuf::sequence(self.path.iter().copied()))
            .med(self.med)
            .local_pref(self.local_pref)
            .communities(self.communities.iter().copied())
            .originator_id(self.originator)
            .cluster_list(self.clusters.iter().copied());
        builder
    }

    pub fn intern(&self, pools: &mut Pools) -> AttrId {
        pools.attrs.intern(&self.builder().build())
    }
}

pub fn session(pools: &mut Pools, external: bool, asn: u32, n: u8) -> SourceId {
    let neighbor = Neighbor {
        external,
        asn,
        router_id: Ipv4Addr::new(1, 1, 1, n),
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)),
    };
    pools.sources.add(Source { vrf: VRF, origination: Origination::Session(neighbor) })
}

pub fn local(pools: &mut Pools, origination: Origination) -> SourceId {
    pools.sources.add(Source { vrf: VRF, origination })
}

pub fn edge(pools: &mut Pools, rank: u32, advertise: Advertise) -> SourceId {
    local(pools, Origination::Leaked(Leak { edge: rank, rank, advertise }))
}

pub fn resolved(metric: u32) -> NextHopState {
    NextHopState::Resolved { metric, egress: Box::new([Egress { gateway: None, interface: 1 }]) }
}

/// A resolved next hop 10.0.0.`n` of this interior cost, with one count.
pub fn next_hop(pools: &mut Pools, n: u8, metric: u32) -> NextHopId {
    let id = pools.next_hops.intern(VRF, &NextHop::Ipv4(Ipv4Addr::new(10, 0, 0, n)), None);
    pools.next_hops.set_state(id, resolved(metric));
    id
}
