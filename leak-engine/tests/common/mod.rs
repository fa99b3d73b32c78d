//! What the tests share: a box with a few VRFs, and a speaker that does no more than follow changes.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests, of which each program uses a part"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use bgp_wire::{
    AsPathBuf, AttributesBuilder, DecodeCtx, EncodeCtx, FamilySet, Ipv4Unicast, Ipv6Unicast, NextHop, Origin, PeerKind,
    Update, UpdateEncoder,
};
use bytes::BytesMut;
use ipnet::IpNet;
use leak_engine::{Advertise, Applied, EdgeSpec, Engine, Filter, ImportPolicy, PrefixSet, Rank, Refusal};
use rib::{Egress, Neighbor, NextHopId, NextHopState, Origination, SourceId, VrfId};

pub const OWN_AS: u32 = 64512;

pub fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub fn set(texts: &[&str]) -> PrefixSet {
    texts.iter().map(|text| net(text)).collect()
}

pub fn attributes(as_path: &[u32], local_pref: Option<u32>) -> Vec<u8> {
    let mut builder = AttributesBuilder::new(Origin::Igp);
    builder.as_path(&AsPathBuf::sequence(as_path.iter().copied())).local_pref(local_pref);
    builder.build()
}

pub fn resolved(metric: u32) -> NextHopState {
    NextHopState::Resolved { metric, egress: Box::new([Egress { gateway: None, interface: 1 }]) }
}

/// An edge that passes everything but default routes.
pub fn edge(from: u32, to: u32) -> EdgeSpec {
    EdgeSpec {
        from: VrfId(from),
        to: VrfId(to),
        peering: format!("{from}-{to}").into(),
        filter: Filter::default(),
        rank: Rank { bound_since: 0, exporter: format!("default/n{from}").into() },
        advertise: Advertise::None,
        limit: None,
    }
}

/// An UPDATE as it comes from the wire.
pub fn announce(prefixes: &[IpNet], attributes: &[u8], next_hop: NextHop) -> Vec<BytesMut> {
    let mut out = BytesMut::new();
    let ctx = EncodeCtx { as4: true, ..EncodeCtx::default() };
    let mut encoder = UpdateEncoder::new(ctx);
    let v4 = prefixes.iter().filter_map(|prefix| if let IpNet::V4(key) = prefix { Some((None, *key)) } else { None });
    let v6 = prefixes.iter().filter_map(|prefix| if let IpNet::V6(key) = prefix { Some((None, *key)) } else { None });
    if v4.clone().next().is_some() {
        encoder.announce::<Ipv4Unicast>(attributes, next_hop, v4, &mut out).unwrap();
    }
    if v6.clone().next().is_some() {
        let next_hop = match next_hop {
            NextHop::Ipv4(address) => NextHop::Ipv6(address.to_ipv6_mapped()),
            other => other,
        };
        encoder.announce::<Ipv6Unicast>(attributes, next_hop, v6, &mut out).unwrap();
    }
    messages(out)
}

pub fn withdraw(prefixes: &[IpNet]) -> Vec<BytesMut> {
    let mut out = BytesMut::new();
    let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, ..EncodeCtx::default() });
    for prefix in prefixes {
        match prefix {
            IpNet::V4(key) => encoder.withdraw::<Ipv4Unicast>([(None, *key)], &mut out),
            IpNet::V6(key) => encoder.withdraw::<Ipv6Unicast>([(None, *key)], &mut out),
        }
    }
    messages(out)
}

fn messages(mut out: BytesMut) -> Vec<BytesMut> {
    let mut messages = Vec::new();
    while let Some(length) = bgp_wire::frame::peek(&out, 4096).unwrap() {
        messages.push(out.split_to(length));
        if out.is_empty() {
            break;
        }
    }
    messages
}

pub fn decode_ctx(peer: PeerKind) -> DecodeCtx {
    DecodeCtx {
        as4: true,
        add_path: FamilySet::EMPTY,
        extended_message: false,
        extended_next_hop: FamilySet::EMPTY,
        peer,
    }
}

/// A selected set as an outsider sees it: the exporter and where to pass it on if it is leaked, and attributes and next hops.
pub type Shown = (Option<(VrfId, Advertise)>, BTreeSet<(Vec<u8>, String)>);

/// An engine and one who follows its changes.
pub struct Shard {
    pub engine: Engine,
    /// What the follower has seen last of every destination.
    pub followed: BTreeMap<(VrfId, IpNet), Shown>,
    /// Next hops get this state when they come into use.
    pub reachable: bool,
}

impl Shard {
    /// A box with the VRFs `1..=vrfs`.
    pub fn new(vrfs: u32) -> Self {
        Self::of(Engine::with_seed(7), vrfs)
    }

    /// Several boxes in one: each keeps its share of the prefixes.
    pub fn several(count: usize, vrfs: u32) -> Vec<Self> {
        Engine::shards(7, count).into_iter().map(|engine| Self::of(engine, vrfs)).collect()
    }

    fn of(mut engine: Engine, vrfs: u32) -> Self {
        for vrf in 1..=vrfs {
            engine.add_vrf(VrfId(vrf), &format!("n{vrf}")).unwrap();
        }
        Self { engine, followed: BTreeMap::new(), reachable: true }
    }

    pub fn neighbor(&mut self, vrf: u32, last: u8, external: bool) -> SourceId {
        let address = Ipv4Addr::new(192, 0, 2, last);
        let asn = if external { 65000 + u32::from(last) } else { OWN_AS };
        let neighbor = Neighbor { external, asn, router_id: address, address: address.into() };
        self.engine.add_source(VrfId(vrf), Origination::Session(neighbor), None).unwrap()
    }

    pub fn receive(&mut self, source: SourceId, messages: &[BytesMut], import: &ImportPolicy) -> Applied {
        let mut total = Applied::default();
        for message in messages {
            let ctx = decode_ctx(PeerKind::Internal);
            let applied = self.engine.apply_update(source, &Update::parse(message, &ctx).unwrap(), import).unwrap();
            total.accepted += applied.accepted;
            total.withdrawn += applied.withdrawn;
            total.refused += applied.refused;
            total.over_maximum |= applied.over_maximum;
        }
        self.resolve();
        total
    }

    /// Announces prefixes from a neighbour under an accepting policy.
    pub fn announce(&mut self, source: SourceId, prefixes: &[&str], as_path: &[u32]) {
        let prefixes: Vec<IpNet> = prefixes.iter().map(|text| net(text)).collect();
        let messages = announce(&prefixes, &attributes(as_path, None), hop(1));
        self.receive(source, &messages, &ImportPolicy::accept_all(OWN_AS));
    }

    pub fn withdraw(&mut self, source: SourceId, prefixes: &[&str]) {
        let prefixes: Vec<IpNet> = prefixes.iter().map(|text| net(text)).collect();
        self.receive(source, &withdraw(&prefixes), &ImportPolicy::accept_all(OWN_AS));
    }

    pub fn resolve(&mut self) {
        while let Some(next_hop) = self.engine.poll_new_next_hop() {
            if self.reachable {
                self.engine.set_next_hop_state(next_hop, resolved(0));
            }
        }
    }

    /// Does all pending work and follows all changes.
    pub fn drain(&mut self) {
        self.resolve();
        while self.engine.tick(1000) {}
        self.follow();
        // Empty VRFs that are being removed go once their changes are taken.
        self.engine.tick(1);
    }

    pub fn follow(&mut self) {
        let mut changes = Vec::new();
        while self.engine.take_changes(16, |changed| changes.push(changed)) {}
        for changed in changes {
            let at = (changed.vrf, changed.prefix);
            match self.shown(at.0, at.1) {
                Some(shown) => drop(self.followed.insert(at, shown)),
                None => drop(self.followed.remove(&at)),
            }
        }
    }

    pub fn shown(&self, vrf: VrfId, prefix: IpNet) -> Option<Shown> {
        let mut shown: Option<Shown> = None;
        for route in self.engine.selected(vrf, prefix) {
            let (_, members) =
                shown.get_or_insert_with(|| (route.edge.map(|edge| (edge.from, edge.advertise)), BTreeSet::new()));
            members
                .insert((route.attr.bytes.to_vec(), show_next_hop(route.via.vrf, route.via.address, &route.via.state)));
        }
        shown
    }

    /// The selected route's exporter (0 for a native route), if there is a route.
    pub fn from(&self, vrf: u32, prefix: &str) -> Option<u32> {
        let best = self.engine.paths(VrfId(vrf), net(prefix)).find(|route| route.best)?;
        Some(best.edge.map_or(0, |edge| edge.from.0))
    }

    pub fn set_edges(&mut self, edges: &[EdgeSpec]) {
        self.engine.set_edges(edges.to_vec()).unwrap();
        self.drain();
    }

    pub fn refusal(&self, from: u32, to: u32, prefix: &str) -> Option<Refusal> {
        self.engine.refusal((VrfId(from), VrfId(to)), net(prefix)).map(|refused| refused.reason)
    }

    pub fn next_hop(&self, vrf: u32, address: NextHop) -> Option<NextHopId> {
        let all = self.engine.pools().next_hops.iter();
        all.filter(|(_, entry)| entry.vrf == VrfId(vrf) && entry.address == address).map(|(id, _)| id).next()
    }
}

pub fn show_next_hop(vrf: VrfId, address: NextHop, state: &NextHopState) -> String {
    format!("{vrf:?} {address} {state:?}")
}

pub fn hop(last: u8) -> NextHop {
    NextHop::Ipv4(Ipv4Addr::new(192, 0, 2, last))
}
