//! Arbitrary values of the crate's types, for property tests.
#![allow(dead_code, missing_docs, unreachable_pub)]

use bgp_wire::routes::{
    EthernetSegmentId, EvpnRoute, FlowComponent, Labels, Mac, Operations, RouteDistinguisher, TargetMembership,
};
use bgp_wire::{
    AddPath, AddPathMode, Administrator, AfiSafi, Aggregator, AsPathBuf, AttributesBuilder, Capability, Community,
    EncodeCtx, ExtendedCommunity, ExtendedNextHop, FamilySet, FilterList, GracefulRestart, GracefulRestartFamily,
    Ipv6ExtendedCommunity, LargeCommunity, LongLivedFamily, MultipleLabels, NextHop, Origin, PathsLimit, PmsiTunnel,
    PmsiTunnelKind, PrefixFilter, PrefixFilterAction, PrefixSid, PrefixSidTlv, RouteFilterFamily, RouteFilterMode,
    RouteFilters, SegmentKind, SidStructure, Srv6Service, Srv6Sid, SubTlv, Tunnel, TypedCommunity,
};
use ipnet::IpNet;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub fn ipv4() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from_bits)
}

pub fn ipv6() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(Ipv6Addr::from_bits)
}

pub fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![ipv4().prop_map(IpAddr::from), ipv6().prop_map(IpAddr::from)]
}

/// A prefix of the family's kind of address, its host bits zero.
pub fn prefix(is_ipv6: bool) -> BoxedStrategy<IpNet> {
    if is_ipv6 {
        (ipv6(), 0..=128u8).prop_map(|(address, len)| IpNet::new_assert(address.into(), len).trunc()).boxed()
    } else {
        (ipv4(), 0..=32u8).prop_map(|(address, len)| IpNet::new_assert(address.into(), len).trunc()).boxed()
    }
}

pub fn distinguisher() -> impl Strategy<Value = RouteDistinguisher> {
    prop_oneof![
        any::<[u8; 8]>().prop_map(RouteDistinguisher),
        any::<(u16, u32)>().prop_map(|(asn, number)| RouteDistinguisher::as2(asn, number)),
        any::<(u32, u16)>().prop_map(|(asn, number)| RouteDistinguisher::as4(asn, number)),
        (ipv4(), any::<u16>()).prop_map(|(address, number)| RouteDistinguisher::ipv4(address, number)),
    ]
}

/// The octets of a label stack that fits beside a distinguisher and an IPv6 prefix. Nothing in it looks like the placeholder of a
/// withdrawal.
pub fn labels() -> impl Strategy<Value = Vec<u8>> {
    vec(1..1u32 << 19, 1..3).prop_map(|labels| Labels::encode(&labels))
}

pub fn evpn() -> impl Strategy<Value = EvpnRoute<'static>> {
    let head = (distinguisher(), any::<[u8; 10]>().prop_map(EthernetSegmentId), any::<u32>());
    let label = 0..1u32 << 24;
    let parts = (any::<[u8; 6]>(), option::of(address()), label.clone(), option::of(label), address());
    let nets =
        prop_oneof![(prefix(false), ipv4().prop_map(IpAddr::from)), (prefix(true), ipv6().prop_map(IpAddr::from))];
    (head, parts, nets, 1..=5u8).prop_map(|(head, parts, (prefix, gateway), kind)| {
        let (distinguisher, segment, tag) = head;
        let (mac, address, label, label2, originator) = parts;
        match kind {
            1 => EvpnRoute::AutoDiscovery { distinguisher, segment, tag, label },
            2 => EvpnRoute::MacIp { distinguisher, segment, tag, mac: Mac(mac), address, label, label2 },
            3 => EvpnRoute::InclusiveMulticast { distinguisher, tag, originator },
            4 => EvpnRoute::EthernetSegment { distinguisher, segment, originator },
            _ => EvpnRoute::Prefix { distinguisher, segment, tag, prefix, gateway, label },
        }
    })
}

/// The octets of operators and numbers.
pub fn operations() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![any::<u8>().prop_map(u64::from), any::<u16>().prop_map(u64::from), any::<u64>()];
    // The first has nothing before it that it could be joined to.
    vec((0..8u8, any::<bool>(), number), 1..4).prop_map(|pairs| {
        let join = |(at, (operator, and, number)): (usize, (u8, bool, u64))| {
            (if and && at > 0 { operator | 0x40 } else { operator }, number)
        };
        Operations::encode(pairs.into_iter().enumerate().map(join))
    })
}

/// The octets of a sound flow specification's components.
pub fn flow(is_ipv6: bool) -> impl Strategy<Value = Vec<u8>> {
    let fields = btree_set(3..if is_ipv6 { 14u8 } else { 13 }, 1..5);
    let offset = (any::<u8>(), any::<bool>());
    (option::of(prefix(is_ipv6)), option::of((prefix(is_ipv6), offset)), fields, vec(operations(), 5)).prop_map(
        move |(destination, source, fields, operations)| {
            let mut out = Vec::new();
            if let Some(prefix) = destination {
                FlowComponent::Destination { prefix, offset: 0 }.write(&mut out);
            }
            if let Some((prefix, (offset, some))) = source {
                let offset = if is_ipv6 && some { offset.min(prefix.prefix_len().saturating_sub(1)) } else { 0 };
                // The bits before the offset do not count, and are zero.
                let prefix = match prefix {
                    IpNet::V6(net) => {
                        let bits = net.addr().to_bits() & u128::MAX.checked_shr(offset.into()).unwrap_or(0);
                        IpNet::new_assert(Ipv6Addr::from_bits(bits).into(), net.prefix_len())
                    }
                    prefix => prefix,
                };
                FlowComponent::Source { prefix, offset }.write(&mut out);
            }
            for (kind, octets) in fields.into_iter().zip(&operations) {
                let operations = Operations::from_octets(octets).expect("operations");
                FlowComponent::Field { kind, operations }.write(&mut out);
            }
            out
        },
    )
}

/// Length in bits and octets of a wish for route targets.
pub fn target() -> impl Strategy<Value = (u8, Vec<u8>)> {
    prop_oneof![
        Just((0, Vec::new())),
        (any::<u32>(), ext_community()).prop_map(|(asn, rt)| (96, TargetMembership::encode(asn, rt).to_vec())),
        (32..96u8, any::<[u8; 12]>())
            .prop_map(|(bits, octets)| { (bits, octets[..usize::from(bits).div_ceil(8)].to_vec()) }),
    ]
}

pub fn administrator() -> impl Strategy<Value = Administrator> {
    prop_oneof![
        any::<(u16, u32)>().prop_map(|(asn, number)| Administrator::As2 { asn, number }),
        any::<(u32, u16)>().prop_map(|(asn, number)| Administrator::As4 { asn, number }),
        (ipv4(), any::<u16>()).prop_map(|(address, number)| Administrator::Ipv4 { address, number }),
    ]
}

pub fn mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(Mac)
}

/// Every kind of extended community, of any content.
pub fn ext_community() -> impl Strategy<Value = ExtendedCommunity> {
    let typed = prop_oneof![
        administrator().prop_map(TypedCommunity::RouteTarget),
        administrator().prop_map(TypedCommunity::RouteOrigin),
        any::<(u16, u32)>()
            .prop_map(|(asn, bits)| TypedCommunity::LinkBandwidth { asn, bandwidth: f32::from_bits(bits) }),
        (0..2u16, any::<u32>()).prop_map(|(flags, color)| TypedCommunity::Color { flags, color }),
        prop_oneof![0..20u16, any::<u16>()].prop_map(TypedCommunity::Encapsulation),
        Just(TypedCommunity::DefaultGateway),
        (0..4u8, any::<u32>()).prop_map(|(flags, sequence)| TypedCommunity::MacMobility { flags, sequence }),
        (0..4u8, 0..1u32 << 24).prop_map(|(flags, label)| TypedCommunity::EsiLabel { flags, label }),
        mac().prop_map(TypedCommunity::EsImport),
        mac().prop_map(TypedCommunity::RouterMac),
    ];
    prop_oneof![4 => typed.prop_map(ExtendedCommunity::from), 1 => any::<[u8; 8]>().prop_map(ExtendedCommunity)]
}

pub fn ipv6_ext_community() -> impl Strategy<Value = Ipv6ExtendedCommunity> {
    (prop_oneof![Just(0), Just(0x40), any::<u8>()], prop_oneof![2..4u8, any::<u8>()], ipv6(), any::<u16>())
        .prop_map(|(kind, subtype, address, number)| Ipv6ExtendedCommunity::new(kind, subtype, address, number))
}

/// A tunnel's flags, kind, label and identifier.
pub fn pmsi() -> impl Strategy<Value = (u8, PmsiTunnelKind, u32, Vec<u8>)> {
    let identifier = prop_oneof![
        Just(Vec::new()),
        ipv4().prop_map(|address| address.octets().to_vec()),
        ipv6().prop_map(|address| address.octets().to_vec()),
        vec(any::<u8>(), 0..40),
    ];
    (any::<u8>(), prop_oneof![0..9u8, any::<u8>()].prop_map(PmsiTunnelKind::from), 0..1u32 << 24, identifier)
}

/// The octets of one to three tunnels.
pub fn tunnels() -> impl Strategy<Value = Vec<u8>> {
    let sub_tlv = (any::<u8>(), vec(any::<u8>(), 0..30));
    vec((prop_oneof![Just(8), any::<u16>()], vec(sub_tlv, 0..5)), 1..4).prop_map(|tunnels| {
        let mut out = Vec::new();
        for (kind, sub_tlvs) in &tunnels {
            let sub_tlvs = sub_tlvs.iter().map(|(kind, value)| SubTlv { kind: *kind, value });
            Tunnel::encode(*kind, sub_tlvs, &mut out);
        }
        out
    })
}

fn srv6_sid() -> impl Strategy<Value = Srv6Sid> {
    let structure = any::<[u8; 6]>().prop_map(|[block, node, function, argument, transposed, transposed_at]| {
        SidStructure { block, node, function, argument, transposed, transposed_at }
    });
    (ipv6(), any::<u8>(), any::<u16>(), option::of(structure)).prop_map(|(sid, flags, behavior, structure)| Srv6Sid {
        sid,
        flags,
        behavior,
        structure,
    })
}

/// The octets of what PREFIX_SID says.
pub fn prefix_sid() -> impl Strategy<Value = Vec<u8>> {
    let label_index = any::<(u16, u32)>().prop_map(|(flags, index)| {
        let mut out = Vec::new();
        PrefixSidTlv::LabelIndex { flags, index }.write(&mut out);
        out
    });
    let srgb = (any::<u16>(), vec(any::<[u8; 6]>(), 1..4)).prop_map(|(flags, ranges)| {
        let mut out = Vec::new();
        PrefixSidTlv::OriginatorSrgb { flags, ranges: &ranges }.write(&mut out);
        out
    });
    let service = (any::<bool>(), vec(srv6_sid(), 0..3)).prop_map(|(l2, sids)| {
        let (octets, mut out) = (Srv6Service::encode(&sids), Vec::new());
        let service = Srv6Service::from_octets(&octets).expect("a service");
        assert_eq!(service.sids().collect::<Vec<_>>(), sids);
        if l2 { PrefixSidTlv::Srv6L2Service(service) } else { PrefixSidTlv::Srv6L3Service(service) }.write(&mut out);
        out
    });
    let other = (7..=255u8, vec(any::<u8>(), 0..20)).prop_map(|(kind, value)| {
        let mut out = Vec::new();
        PrefixSidTlv::Other { kind, value: &value }.write(&mut out);
        out
    });
    vec(prop_oneof![label_index, srgb, service, other], 1..4).prop_map(|tlvs| tlvs.concat())
}

/// The octets of TLVs with a type and a length in two octets each.
pub fn link_state() -> impl Strategy<Value = Vec<u8>> {
    vec((any::<u16>(), vec(any::<u8>(), 0..30)), 1..5).prop_map(|tlvs| {
        let tlv = |(kind, value): (u16, Vec<u8>)| {
            [&kind.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), &value].concat()
        };
        tlvs.into_iter().flat_map(tlv).collect()
    })
}

pub fn asn() -> impl Strategy<Value = u32> {
    prop_oneof![1..=70_000u32, Just(23456), 1..=u32::MAX]
}

/// Confederation segments only in front and with small numbers: nothing else survives two octets (RFC 6793 section 4.2.2).
pub fn as_path() -> impl Strategy<Value = AsPathBuf> {
    let confed =
        (prop_oneof![Just(SegmentKind::ConfedSequence), Just(SegmentKind::ConfedSet)], vec(1..=65535u32, 1..4));
    let plain = (prop_oneof![3 => Just(SegmentKind::Sequence), 1 => Just(SegmentKind::Set)], vec(asn(), 1..6));
    (vec(confed, 0..2), vec(plain, 0..4)).prop_map(|(confed, plain)| {
        let mut path = AsPathBuf::new();
        confed.into_iter().chain(plain).for_each(|(kind, asns)| path.push(kind, asns));
        path
    })
}

/// A canonical block with any of the attributes there are.
pub fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let origin = prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)];
    let numbers = any::<(Option<u32>, Option<u32>, bool, Option<u32>, Option<u64>)>();
    let first = (origin, as_path(), numbers, option::of((asn(), ipv4())), option::of(ipv4()), vec(ipv4(), 0..3));
    let lists = (
        vec(any::<u32>().prop_map(Community), 0..5),
        vec(ext_community(), 0..4),
        vec(ipv6_ext_community(), 0..3),
        vec(any::<(u32, u32, u32)>().prop_map(|(a, b, c)| LargeCommunity::new(a, b, c)), 0..4),
    );
    let further = (
        option::of(pmsi()),
        prop_oneof![Just(Vec::new()), tunnels()],
        prop_oneof![Just(Vec::new()), prefix_sid()],
        prop_oneof![Just(Vec::new()), link_state()],
        vec((41..=255u8, vec(any::<u8>(), 0..300)), 0..3),
    );
    (first, lists, further).prop_map(|(first, lists, further)| {
        let (origin, path, (med, local_pref, atomic, otc, aigp), aggregator, originator, clusters) = first;
        let mut builder = AttributesBuilder::new(origin);
        builder.as_path(&path).med(med).local_pref(local_pref).atomic_aggregate(atomic).only_to_customer(otc);
        builder.aggregator(aggregator.map(|(asn, identifier)| Aggregator { asn, identifier }));
        builder.originator_id(originator).cluster_list(clusters).aigp(aigp);
        builder.communities(lists.0).ext_communities(lists.1).ipv6_ext_communities(lists.2).large_communities(lists.3);
        let (pmsi, tunnels, prefix_sid, link_state, unknown) = further;
        if let Some((flags, kind, label, identifier)) = &pmsi {
            builder.pmsi_tunnel(Some(PmsiTunnel { flags: *flags, kind: *kind, label: *label, identifier }));
        }
        builder.tunnels(&tunnels).prefix_sid(PrefixSid::of(&prefix_sid)).link_state(&link_state);
        for (code, value) in &unknown {
            builder.unknown(*code, value);
        }
        builder.build()
    })
}

pub fn next_hop() -> impl Strategy<Value = NextHop> {
    prop_oneof![
        ipv4().prop_map(NextHop::Ipv4),
        ipv6().prop_map(NextHop::Ipv6),
        (ipv6(), ipv6()).prop_map(|(global, link_local)| NextHop::Ipv6LinkLocal { global, link_local }),
    ]
}

pub fn families() -> impl Strategy<Value = FamilySet> {
    prop_oneof![
        Just(FamilySet::EMPTY),
        Just(FamilySet::ALL),
        vec(prop::sample::select(FamilySet::ALL.iter().collect::<Vec<AfiSafi>>()), 0..6).prop_map(FamilySet::from_iter),
    ]
}

pub fn encode_ctx() -> impl Strategy<Value = EncodeCtx> {
    (any::<bool>(), families(), any::<bool>(), families()).prop_map(
        |(as4, add_path, extended_message, extended_next_hop)| EncodeCtx {
            as4,
            add_path,
            extended_message,
            extended_next_hop,
        },
    )
}

/// Any family, known or not.
pub fn family() -> impl Strategy<Value = AfiSafi> {
    prop_oneof![
        prop::sample::select(FamilySet::ALL.iter().collect::<Vec<AfiSafi>>()),
        any::<(u16, u8)>().prop_map(|(afi, safi)| AfiSafi::new(afi, safi)),
    ]
}

fn add_path() -> impl Strategy<Value = AddPath> {
    let mode = prop_oneof![Just(AddPathMode::Receive), Just(AddPathMode::Send), Just(AddPathMode::Both)];
    (family(), mode).prop_map(|(family, mode)| AddPath { family, mode })
}

fn graceful_restart() -> impl Strategy<Value = GracefulRestart> {
    let entry = (family(), any::<bool>());
    let entry = entry.prop_map(|(family, forwarding_kept)| GracefulRestartFamily { family, forwarding_kept });
    (any::<(bool, bool)>(), 0..4096u16, vec(entry, 0..5)).prop_map(
        |((restarted, notification), restart_time, families)| GracefulRestart {
            restarted,
            notification,
            restart_time,
            families,
        },
    )
}

fn route_filter_family() -> impl Strategy<Value = RouteFilterFamily> {
    let mode = prop_oneof![Just(RouteFilterMode::Receive), Just(RouteFilterMode::Send), Just(RouteFilterMode::Both)];
    (family(), vec((any::<u8>(), mode), 0..4)).prop_map(|(family, kinds)| RouteFilterFamily { family, kinds })
}

fn long_lived() -> impl Strategy<Value = LongLivedFamily> {
    (family(), any::<bool>(), 0..1u32 << 24).prop_map(|(family, forwarding_kept, stale_time)| LongLivedFamily {
        family,
        forwarding_kept,
        stale_time,
    })
}

/// Every kind of capability.
pub fn capability() -> impl Strategy<Value = Capability> {
    let next_hop = (family(), any::<u16>()).prop_map(|(family, next_hop_afi)| ExtendedNextHop { family, next_hop_afi });
    let labels = (family(), any::<u8>()).prop_map(|(family, count)| MultipleLabels { family, count });
    let paths = (family(), any::<u16>()).prop_map(|(family, paths)| PathsLimit { family, paths });
    let first = prop_oneof![
        family().prop_map(Capability::Multiprotocol),
        Just(Capability::RouteRefresh),
        Just(Capability::EnhancedRouteRefresh),
        Just(Capability::ExtendedMessage),
        any::<u8>().prop_map(|role| Capability::Role(role.into())),
        any::<u32>().prop_map(Capability::FourOctetAs),
        vec(next_hop, 0..4).prop_map(Capability::ExtendedNextHop),
        vec(add_path(), 0..4).prop_map(Capability::AddPath),
        graceful_restart().prop_map(Capability::GracefulRestart),
    ];
    let second = prop_oneof![
        vec(route_filter_family(), 0..4).prop_map(Capability::RouteFilters),
        vec(labels, 0..4).prop_map(Capability::MultipleLabels),
        vec(long_lived(), 0..4).prop_map(Capability::LongLivedGracefulRestart),
        vec(paths, 0..4).prop_map(Capability::PathsLimit),
        "[ -~]{0,64}".prop_map(Capability::SoftwareVersion),
        ("[a-z.]{0,64}", "[a-z.]{0,64}").prop_map(|(host, domain)| Capability::Fqdn { host, domain }),
        (128..=255u8, vec(any::<u8>(), 0..256))
            .prop_map(|(code, value)| Capability::Unknown { code, value: value.into() }),
    ];
    prop_oneof![first, second]
}

/// Filters of a family whose addresses are of one kind.
pub fn route_filters(is_ipv6: bool) -> impl Strategy<Value = RouteFilters> {
    let change =
        (prefix(is_ipv6), any::<(bool, bool, u32, u8, u8)>()).prop_map(|(prefix, (add, deny, sequence, min, max))| {
            let action = if add { PrefixFilterAction::Add } else { PrefixFilterAction::Remove };
            PrefixFilter { action, deny, sequence, min, max, prefix }
        });
    let change = prop_oneof![5 => change, 1 => Just(PrefixFilter::remove_all())];
    let list = prop_oneof![
        vec(change, 0..20).prop_map(FilterList::Prefixes),
        (prop_oneof![0..64u8, 65..=255u8], vec(any::<u8>(), 0..40))
            .prop_map(|(kind, entries)| FilterList::Other { kind, entries: entries.into() }),
    ];
    (any::<bool>(), vec(list, 0..4)).prop_map(|(immediate, lists)| RouteFilters { immediate, lists })
}
