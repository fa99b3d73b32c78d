//! The parts under the small benches and the instruction counts: a RIB as a session fills it and a group of neighbours reads
//! it, and an engine with two VRFs.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use bgp_wire::{AfiSafi, AsPathBuf, AttributesBuilder, EncodeCtx, FamilySet, Ipv4Unicast, NextHop, Origin};
use ipnet::{IpNet, Ipv4Net};
use leak_engine::{EdgeSpec, Engine, Filter, PrefixSet, Rank};
use rib::adj_out::{AdjOut, ExportKey, ExportRoute, PeerClass, PolicyId, Sent};
use rib::{Egress, Neighbor, NextHopId, NextHopState, Origination, Path, Pools, Source, SourceId, Table, VrfId};

use crate::table::Group;

/// A table with its pools and sources.
pub struct World {
    /// Attributes, next hops, sources.
    pub pools: Pools,
    /// The table.
    pub table: Table<Ipv4Net>,
    /// External neighbours.
    pub sources: Vec<SourceId>,
    /// A next hop that is reachable.
    pub next_hop: NextHopId,
}

impl World {
    /// An empty table and so many neighbours.
    pub fn new(sources: u32) -> Self {
        let mut pools = Pools::default();
        let source = |n: u32| {
            let address = Ipv4Addr::from(0x0a00_0000 + n);
            let neighbor =
                Neighbor { external: true, asn: 65_000 + n, router_id: address, address: IpAddr::V4(address) };
            Source { vrf: VrfId(0), origination: Origination::Session(neighbor) }
        };
        let sources = (0..sources).map(|n| pools.sources.add(source(n))).collect();
        let next_hop = pools.next_hops.intern(VrfId(0), &NextHop::Ipv4(Ipv4Addr::new(10, 0, 0, 1)), None);
        let egress = Box::new([Egress { gateway: None, interface: 1 }]);
        pools.next_hops.set_state(next_hop, NextHopState::Resolved { metric: 0, egress });
        World { pools, table: Table::new(1, 1), sources, next_hop }
    }

    /// Puts in a table as a session would: interned once per set of attributes.
    pub fn load(&mut self, source: usize, groups: &[Group], mut changed: impl FnMut(rib::DestId)) {
        for group in groups {
            let attrs = self.pools.attrs.intern(&group.attributes);
            let path = Path { source: self.sources[source], path_id: 0, attrs, next_hop: self.next_hop };
            for key in &group.prefixes {
                if let Some(change) = self.table.insert(&mut self.pools, *key, path) {
                    changed(change.dest);
                }
            }
            self.pools.attrs.release(attrs);
        }
    }

    /// Withdraws what a neighbour announced.
    pub fn unload(&mut self, source: usize, groups: &[Group]) {
        let source = self.sources[source];
        for key in groups.iter().flat_map(|group| &group.prefixes) {
            black_box(self.table.withdraw(&mut self.pools, key, source, 0));
        }
    }

    /// Tells the members of a group everything that is due.
    pub fn flush(&mut self, out: &mut AdjOut<Ipv4Unicast>) {
        let policy = |_: PolicyId, _: IpNet, _: &ExportRoute<'_>| true;
        let mut octets = 0;
        let mut send = |_: SourceId, sent: Sent| octets += sent.octets().len();
        while out.flush(&mut self.table, &mut self.pools, &policy, 4096, &mut send).more {}
        black_box(octets);
    }
}

/// What external fabric neighbours of one policy share.
pub fn export_key() -> ExportKey {
    ExportKey {
        local_as: 64_999,
        internal: false,
        class: PeerClass::Fabric,
        role: None,
        local_next_hop: NextHop::Ipv4(Ipv4Addr::new(192, 0, 2, 1)),
        next_hop_self: false,
        encode: EncodeCtx {
            as4: true,
            add_path: FamilySet::EMPTY,
            extended_message: false,
            extended_next_hop: FamilySet::EMPTY,
        },
        policy: PolicyId(0),
    }
}

const BUDGET: usize = 10_000;
/// Routes that come before the engine's own work has its turn.
const BATCH: u32 = 1000;
const FROM: VrfId = VrfId(1);
const TO: VrfId = VrfId(2);

/// Two VRFs, the first with or without routes: one set of attributes for ten prefixes, 16 next hops.
pub struct Shard {
    /// The engine.
    pub engine: Engine,
    source: SourceId,
    attributes: Vec<Vec<u8>>,
    routes: u32,
}

impl Shard {
    /// Empty, for so many routes.
    pub fn new(routes: u32) -> Self {
        let mut engine = Engine::with_seed(1);
        for (vrf, name) in [(FROM, "exporter"), (TO, "importer")] {
            engine.add_vrf(vrf, name).unwrap_or_else(|error| panic!("a new VRF: {error}"));
        }
        let source = engine.add_source(FROM, Origination::Static, None);
        let source = source.unwrap_or_else(|error| panic!("a source in a VRF that stands: {error}"));
        let attributes = (0..routes.div_ceil(10)).map(|n| {
            let mut builder = AttributesBuilder::new(Origin::Igp);
            builder.as_path(&AsPathBuf::sequence([65001, 65002, 1000 + n])).build()
        });
        Self { attributes: attributes.collect(), engine, source, routes }
    }

    /// All routes come.
    pub fn announce(&mut self) {
        for n in 0..self.routes {
            let next_hop = NextHop::Ipv4([192, 0, 2, (n % 16) as u8].into());
            let attributes = &self.attributes[n as usize / 10];
            let inserted = self.engine.insert(self.source, prefix(n), 0, attributes, next_hop, None);
            inserted.unwrap_or_else(|error| panic!("a route of a source that stands: {error}"));
            while let Some(new) = self.engine.poll_new_next_hop() {
                let state = NextHopState::Resolved { metric: 0, egress: Box::new([]) };
                self.engine.set_next_hop_state(new, state);
            }
            if n % BATCH == 0 {
                self.drain();
            }
        }
        self.drain();
    }

    /// All routes go.
    pub fn withdraw(&mut self) {
        self.engine.flush_source(self.source).unwrap_or_else(|error| panic!("a source that stands: {error}"));
        self.drain();
    }

    /// The edge between the two VRFs comes or goes.
    pub fn set_edge(&mut self, stands: bool) {
        let edges = if stands { vec![edge()] } else { Vec::new() };
        self.engine.set_edges(edges).unwrap_or_else(|error| panic!("an edge between two VRFs: {error}"));
        self.drain();
    }

    /// How many copies stand in the importer.
    pub fn leaked(&self) -> usize {
        self.engine.counts(TO, AfiSafi::IPV4_UNICAST).leaked
    }

    fn drain(&mut self) {
        loop {
            let more = self.engine.tick(BUDGET);
            let pending = self.engine.take_changes(BUDGET, |changed| {
                black_box(changed);
            });
            if !more && !pending {
                break;
            }
        }
    }
}

fn prefix(n: u32) -> IpNet {
    Ipv4Net::new_assert((0x0a00_0000 + (n << 4)).into(), 28).into()
}

fn edge() -> EdgeSpec {
    let all = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8));
    let exposed: PrefixSet = (0..16).map(|n| prefix(n << 16)).chain([all]).collect();
    EdgeSpec {
        from: FROM,
        to: TO,
        peering: "bench".into(),
        filter: Filter { exposed: Some(exposed), ..Filter::default() },
        rank: Rank { bound_since: 0, exporter: "default/exporter".into() },
        advertise: leak_engine::Advertise::None,
        limit: None,
    }
}
