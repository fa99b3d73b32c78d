//! What the crate reads, laid out in the values of this decoder.

use super::attributes::{PrefixSidPart, Sid, joined};
use super::routes::{Component, Evpn, Prefix, Route};
use super::*;
use bgp_wire::routes::{EvpnRoute, FlowComponent, FlowRoute, OpaqueRoutes, TargetMembership};
use bgp_wire::{
    Action, AfiSafi, AsPath, Attributes, Form, LabelledPrefix, MpReach, MpUnreach, NextHop, Notification, PrefixSidTlv,
    Routes, Segment, SegmentKind, SidStructure, Srv6Service, VpnPrefix,
};
use ipnet::IpNet;
use std::net::IpAddr;

/// What the crate and this decoder make of an UPDATE, where it is not the same.
pub fn disagreement(frame: &[u8], ctx: &DecodeCtx) -> Option<String> {
    match (bgp_wire::Update::parse(frame, ctx), read(frame, ctx)) {
        (Err(malformed), Reading::Reset(expected)) => {
            let notification = Notification::from(&malformed);
            let found = (notification.code, notification.subcode);
            if expected.contains(&found) && malformed.offset <= frame.len() {
                return None;
            }
            Some(format!("the view: {malformed:?}\nthe naive decoder: {expected:?}"))
        }
        (Ok(update), Reading::Update(expected)) => {
            let found = of(&update, ctx);
            if found == *expected {
                return None;
            }
            let mut differences = format!("faults: {:?}\n", update.faults().collect::<Vec<_>>());
            let mut compare = |what: &str, found: String, expected: String| {
                if found != expected {
                    differences += &format!("{what}, the view:\n{found}\nthe naive decoder:\n{expected}\n");
                }
            };
            compare("treatment", format!("{:?}", found.treatment), format!("{:?}", expected.treatment));
            compare("disabled", format!("{:?}", found.disables), format!("{:?}", expected.disables));
            compare("withdrawn", format!("{:?}", found.withdrawn), format!("{:?}", expected.withdrawn));
            compare("announced", format!("{:?}", found.announced), format!("{:?}", expected.announced));
            compare("MP_REACH_NLRI", format!("{:?}", found.reach), format!("{:?}", expected.reach));
            compare("MP_UNREACH_NLRI", format!("{:?}", found.unreach), format!("{:?}", expected.unreach));
            compare("End-of-RIB", format!("{:?}", found.end_of_rib), format!("{:?}", expected.end_of_rib));
            compare("attributes", format!("{:?}", found.attributes), format!("{:?}", expected.attributes));
            compare("values", format!("{:?}", found.values), format!("{:?}", expected.values));
            Some(differences)
        }
        (found, expected) => Some(format!("the view: {found:?}\nthe naive decoder: {expected:?}")),
    }
    .map(|differences| format!("{differences}\nin {ctx:?}, {frame:02x?}"))
}

/// Checks that the crate and this decoder make the same of an UPDATE.
#[track_caller]
pub fn assert_agree(frame: &[u8], ctx: &DecodeCtx) {
    if let Some(difference) = disagreement(frame, ctx) {
        panic!("{difference}");
    }
}

/// What the crate reads.
pub fn of(update: &bgp_wire::Update<'_>, ctx: &DecodeCtx) -> Update {
    let treatment = match update.action() {
        None => Treatment::Accept,
        Some(Action::AttributeDiscard) => Treatment::Discard,
        Some(Action::TreatAsWithdraw) => Treatment::Withdraw,
        Some(Action::DisableFamily) => Treatment::DisableFamily,
        Some(action) => panic!("{action:?} is not for an UPDATE that was read"),
    };
    let plain = |routes: bgp_wire::Nlri<'_, bgp_wire::Ipv4Unicast>| {
        routes.map(|(id, key)| (id, Route::Prefix(prefix(key.into())))).collect()
    };
    let view = update.attributes();
    let (attributes, values) =
        if treatment >= Treatment::Withdraw { Default::default() } else { (standing(&view), values(&view, update)) };
    Update {
        treatment,
        disables: disabled(update),
        withdrawn: plain(update.withdrawn()),
        announced: plain(update.nlri()),
        reach: update.mp_reach().map(|reach| of_reach(&reach, ctx)),
        unreach: update.mp_unreach().map(|unreach| of_unreach(&unreach, ctx)),
        end_of_rib: update.end_of_rib().map(|family| (family.afi, family.safi)),
        attributes,
        values,
    }
}

/// The families that are to be disabled. Those that the crate does not know are never in use and in no set; their fault says which.
fn disabled(update: &bgp_wire::Update<'_>) -> Vec<Numbers> {
    let faults = update.faults().filter(|fault| fault.action == Action::DisableFamily);
    let mut families: Vec<Numbers> = faults
        .map(|fault| {
            let attribute = &update.frame()[fault.offset..];
            let mut value = Octets(if attribute[0] & 0x10 == 0 { &attribute[3..] } else { &attribute[4..] });
            (value.two().unwrap_or(0), value.octet().unwrap_or(0))
        })
        .collect();
    families.sort();
    families.dedup();
    assert_eq!(
        families.iter().map(|(afi, safi)| AfiSafi::new(*afi, *safi)).collect::<bgp_wire::FamilySet>(),
        update.disables()
    );
    assert_eq!(update.reset().is_some(), !families.is_empty());
    families
}

fn of_reach(reach: &MpReach<'_>, ctx: &DecodeCtx) -> Reach {
    let family = (reach.family.afi, reach.family.safi);
    if matches!(family, (1 | 2, 1 | 2 | 4 | 128) | (25, 70) | (1, 132)) {
        assert_eq!(reach.next_hop(), next_hop(reach.next_hop_octets, family.1 == 128));
    }
    let routes = Parts { family: reach.family, octets: reach.nlri_octets }.items(
        reach.routes(),
        reach.routes(),
        reach.routes(),
        reach.routes(),
        reach.routes(),
        reach.routes(),
    );
    match family {
        (1, 1) => assert_same_prefixes(reach.ipv4(), &routes),
        (2, 1) => assert_same_prefixes(reach.ipv6(), &routes),
        _ => assert!(reach.ipv4().is_none() && reach.ipv6().is_none()),
    }
    assert!(ctx.add_path.contains(reach.family) || routes.iter().all(|(id, _)| id.is_none()));
    Reach { family, next_hop: reach.next_hop_octets.to_vec(), routes }
}

fn of_unreach(unreach: &MpUnreach<'_>, ctx: &DecodeCtx) -> Unreach {
    let family = (unreach.family.afi, unreach.family.safi);
    let routes = Parts { family: unreach.family, octets: unreach.nlri_octets }.items(
        unreach.routes(),
        unreach.routes(),
        unreach.routes(),
        unreach.routes(),
        unreach.routes(),
        unreach.routes(),
    );
    match family {
        (1, 1) => assert_same_prefixes(unreach.ipv4(), &routes),
        (2, 1) => assert_same_prefixes(unreach.ipv6(), &routes),
        _ => assert!(unreach.ipv4().is_none() && unreach.ipv6().is_none()),
    }
    assert!(ctx.add_path.contains(unreach.family) || routes.iter().all(|(id, _)| id.is_none()));
    Unreach { family, routes }
}

/// The fast way to unicast prefixes gives what the general one gives.
fn assert_same_prefixes<K: Into<IpNet>>(fast: Option<impl Iterator<Item = (Option<u32>, K)>>, routes: &[Item]) {
    let fast: Vec<Item> = fast.into_iter().flatten().map(|(id, key)| (id, Route::Prefix(prefix(key.into())))).collect();
    assert_eq!(fast, routes);
}

/// The addresses a next hop field consists of, each behind eight octets of distinguisher in the VPN families.
fn next_hop(octets: &[u8], distinguished: bool) -> Option<NextHop> {
    let mut rest = Octets(octets);
    let mut address = |width: usize| {
        if distinguished {
            rest.take(8)?;
        }
        rest.take(width)
    };
    let v6 = |octets: &[u8]| <[u8; 16]>::try_from(octets).ok().map(std::net::Ipv6Addr::from);
    match octets.len() - if distinguished { 8 } else { 0 } {
        4 => address(4).and_then(|octets| <[u8; 4]>::try_from(octets).ok()).map(|octets| NextHop::Ipv4(octets.into())),
        16 => address(16).and_then(v6).map(NextHop::Ipv6),
        _ => {
            let global = address(16).and_then(v6)?;
            Some(NextHop::Ipv6LinkLocal { global, link_local: address(16).and_then(v6)? })
        }
    }
}

fn prefix(net: IpNet) -> Prefix {
    Prefix { bits: net.prefix_len(), address: octets(net.addr()) }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The routes in these octets, up to the first that is none.
pub fn items(octets: &[u8], add_path: bool, form: Form) -> Vec<Item> {
    Parts { family: form.family, octets }.items(
        Routes::new(octets, add_path, form),
        Routes::new(octets, add_path, form),
        Routes::new(octets, add_path, form),
        Routes::new(octets, add_path, form),
        Routes::new(octets, add_path, form),
        Routes::new(octets, add_path, form),
    )
}

/// The routes of an attribute, of whichever kind its family has.
struct Parts<'a> {
    family: AfiSafi,
    octets: &'a [u8],
}

impl<'a> Parts<'a> {
    fn items(
        &self,
        prefixes: Option<Routes<'a, IpNet>>,
        labelled: Option<Routes<'a, LabelledPrefix<'a>>>,
        vpn: Option<Routes<'a, VpnPrefix<'a>>>,
        evpn: Option<Routes<'a, EvpnRoute<'a>>>,
        targets: Option<Routes<'a, TargetMembership<'a>>>,
        flows: Option<Routes<'a, FlowRoute<'a>>>,
    ) -> Vec<Item> {
        let mut items = Vec::new();
        let mut kinds = 0;
        let mut add = |found: Option<Vec<Item>>| {
            kinds += usize::from(found.is_some());
            items.extend(found.unwrap_or_default());
        };
        add(prefixes.map(|list| list.map(|(id, net)| (id, Route::Prefix(prefix(net)))).collect()));
        add(labelled.map(|list| {
            list.map(|(id, route)| {
                (id, Route::Labelled { labels: route.labels.iter().collect(), prefix: prefix(route.prefix) })
            })
            .collect()
        }));
        add(vpn.map(|list| {
            list.map(|(id, route)| {
                let labels = route.labels.iter().collect();
                (id, Route::Vpn { labels, distinguisher: route.distinguisher.0, prefix: prefix(route.prefix) })
            })
            .collect()
        }));
        add(evpn.map(|list| list.map(|(id, route)| (id, Route::Evpn(of_evpn(&route)))).collect()));
        add(targets.map(|list| list.map(|(id, route)| (id, target(&route))).collect()));
        add(flows.map(|list| list.map(|(id, route)| (id, flow(&route))).collect()));
        if kinds == 0 {
            let pieces: Vec<&[u8]> = match OpaqueRoutes::new(self.octets, self.family) {
                Some(routes) => routes.collect(),
                None => std::iter::once(self.octets).filter(|octets| !octets.is_empty()).collect(),
            };
            return pieces.into_iter().map(|octets| (None, Route::Opaque(octets.to_vec()))).collect();
        }
        assert_eq!(kinds, 1, "the routes of {} are of one kind", self.family);
        items
    }
}

fn of_evpn(route: &EvpnRoute<'_>) -> Evpn {
    match *route {
        EvpnRoute::AutoDiscovery { distinguisher, segment, tag, label } => {
            Evpn::AutoDiscovery { distinguisher: distinguisher.0, segment: segment.0, tag, label }
        }
        EvpnRoute::MacIp { distinguisher, segment, tag, mac, address, label, label2 } => Evpn::MacIp {
            distinguisher: distinguisher.0,
            segment: segment.0,
            tag,
            mac: mac.0,
            address: address.map(octets).unwrap_or_default(),
            label,
            label2,
        },
        EvpnRoute::InclusiveMulticast { distinguisher, tag, originator } => {
            Evpn::InclusiveMulticast { distinguisher: distinguisher.0, tag, originator: octets(originator) }
        }
        EvpnRoute::EthernetSegment { distinguisher, segment, originator } => {
            Evpn::EthernetSegment { distinguisher: distinguisher.0, segment: segment.0, originator: octets(originator) }
        }
        EvpnRoute::Prefix { distinguisher, segment, tag, prefix: net, gateway, label } => Evpn::Prefix {
            distinguisher: distinguisher.0,
            segment: segment.0,
            tag,
            prefix: prefix(net),
            gateway: octets(gateway),
            label,
        },
        EvpnRoute::Other { kind, value } => Evpn::Other { kind, value: value.to_vec() },
    }
}

fn target(route: &TargetMembership<'_>) -> Route {
    let mut octets = route.origin_as().map(|asn| asn.to_be_bytes().to_vec()).unwrap_or_default();
    octets.extend_from_slice(route.target_octets());
    // What stands behind the last bit that counts is shown as it came.
    routes::clear_beyond(&mut octets, route.bits.into());
    Route::Target { bits: route.bits, octets }
}

fn flow(route: &FlowRoute<'_>) -> Route {
    let components = route.components().map(|component| match component {
        FlowComponent::Destination { prefix: net, offset } | FlowComponent::Source { prefix: net, offset } => {
            Component::Prefix { kind: component.kind(), offset, prefix: prefix(net) }
        }
        FlowComponent::Field { kind, operations } => Component::Field { kind, operations: operations.iter().collect() },
    });
    Route::Flow {
        distinguisher: route.distinguisher.map(|distinguisher| distinguisher.0),
        components: route.is_sound().then(|| components.collect()),
        octets: route.octets().to_vec(),
    }
}

/// The attributes that stand, but for the multiprotocol ones.
pub fn standing(view: &Attributes<'_>) -> Vec<Attribute> {
    let found: Vec<Attribute> = view
        .iter()
        .inspect(|attribute| assert_eq!(view.get(attribute.code), Some(*attribute)))
        .map(|attribute| Attribute { flags: attribute.flags, code: attribute.code, value: attribute.value.to_vec() })
        .collect();
    found.into_iter().filter(|attribute| !matches!(attribute.code, MP_REACH | MP_UNREACH)).collect()
}

fn path(path: &AsPath<'_>) -> Vec<(u8, Vec<u32>)> {
    let number = |segment: &Segment<'_>| match segment.kind {
        SegmentKind::Set => 1,
        SegmentKind::Sequence => 2,
        SegmentKind::ConfedSequence => 3,
        SegmentKind::ConfedSet => 4,
    };
    let segments: Vec<_> =
        path.segments().map(|segment| (number(&segment), segment.asns.collect::<Vec<_>>())).collect();
    assert!(segments.iter().flat_map(|(_, asns)| asns.iter().copied()).eq(path.asns()));
    joined(segments)
}

fn values(view: &Attributes<'_>, update: &bgp_wire::Update<'_>) -> Values {
    let found = of_attributes(view);
    assert_eq!(update.next_hop(), found.next_hop.map(|address| NextHop::Ipv4(address.into())));
    found
}

/// What a view on attributes says.
pub fn of_attributes(view: &Attributes<'_>) -> Values {
    Values {
        origin: view.origin().map(|origin| origin as u8),
        as_path: path(&view.as_path()),
        path_length: view.as_path().path_length(),
        next_hop: view.next_hop().map(|address| address.octets()),
        med: view.med(),
        local_pref: view.local_pref(),
        atomic_aggregate: view.atomic_aggregate(),
        aggregator: view.aggregator().map(|node| (node.asn, node.identifier.octets())),
        communities: view.communities().map(|community| community.0).collect(),
        originator_id: view.originator_id().map(|address| address.octets()),
        cluster_list: view.cluster_list().map(|address| address.octets()).collect(),
        ext_communities: view.ext_communities().map(|community| community.0).collect(),
        aigp: view.aigp(),
        large_communities: view.large_communities().map(|one| (one.global, one.local1, one.local2)).collect(),
        only_to_customer: view.only_to_customer(),
        pmsi_tunnel: view
            .pmsi_tunnel()
            .map(|tunnel| (tunnel.flags, tunnel.kind.octet(), tunnel.label, tunnel.identifier.to_vec())),
        tunnels: view
            .tunnels()
            .map(|tunnel| (tunnel.kind, tunnel.sub_tlvs().map(|part| (part.kind, part.value.to_vec())).collect()))
            .collect(),
        ipv6_ext_communities: view.ipv6_ext_communities().map(|community| community.0).collect(),
        link_state: view.link_state().map(<[u8]>::to_vec),
        prefix_sid: view.prefix_sid().map(prefix_sid_part).collect(),
    }
}

fn prefix_sid_part(tlv: PrefixSidTlv<'_>) -> PrefixSidPart {
    let number = |octets: &[u8]| octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet));
    match tlv {
        PrefixSidTlv::LabelIndex { flags, index } => PrefixSidPart::LabelIndex { flags, index },
        PrefixSidTlv::OriginatorSrgb { flags, ranges } => PrefixSidPart::Srgb {
            flags,
            ranges: ranges.iter().map(|range| (number(&range[..3]), number(&range[3..]))).collect(),
        },
        PrefixSidTlv::Srv6L3Service(service) => PrefixSidPart::Service { kind: 5, sids: sids(service) },
        PrefixSidTlv::Srv6L2Service(service) => PrefixSidPart::Service { kind: 6, sids: sids(service) },
        PrefixSidTlv::Other { kind, value } => PrefixSidPart::Other(kind, value.to_vec()),
    }
}

fn sids(service: Srv6Service<'_>) -> Vec<Sid> {
    let structure = |parts: SidStructure| {
        [parts.block, parts.node, parts.function, parts.argument, parts.transposed, parts.transposed_at]
    };
    service
        .sids()
        .map(|sid| Sid {
            address: sid.sid.octets(),
            flags: sid.flags,
            behavior: sid.behavior,
            structure: sid.structure.map(structure),
        })
        .collect()
}
