//! Arbitrary values of the crate's types, for property tests.
#![allow(dead_code, missing_docs, unreachable_pub)]

use bgp_wire::routes::{
    EthernetSegmentId, EvpnRoute, FlowComponent, Labels, Mac, Operations, RouteDistinguisher, TargetMembership,
};
use bgp_wire::{
    AddPath, AddPathMode, AfiSafi, Capability, EncodeCtx, ExtendedCommunity, ExtendedNextHop, FamilySet, FilterList,
    GracefulRestart, GracefulRestartFamily, LongLivedFamily, MultipleLabels, NextHop, PathsLimit, PrefixFilter,
    PrefixFilterAction, RouteFilterFamily, RouteFilterMode, RouteFilters,
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

/// The octets of a label stack that fits beside a distinguisher and an IPv6 prefix.
pub fn labels() -> impl Strategy<Value = Vec<u8>> {
    vec(0..1u32 << 20, 1..3).prop_map(|labels| Labels::encode(&labels))
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

pub fn ext_community() -> impl Strategy<Value = ExtendedCommunity> {
    any::<[u8; 8]>().prop_map(ExtendedCommunity)
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
