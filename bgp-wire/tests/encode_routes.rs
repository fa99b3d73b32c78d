//! UPDATEs of the families beyond unicast as they are written: full to the octet, with what the family and the session ask for, and
//! read back the same.

mod support;
mod util;

use bgp_wire::routes::{
    EvpnRoute, FlowRoute, LabelledPrefix, Labels, OpaqueRoutes, Route, RouteDistinguisher, TargetMembership, VpnPrefix,
};
use bgp_wire::{
    AfiSafi, AsPathBuf, AttributesBuilder, DecodeCtx, EncodeCtx, EncodeError, FamilySet, Form, NextHop, Origin,
    PeerKind, Update, UpdateEncoder,
};
use bytes::BytesMut;
use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use support::*;
use util::{encode, frames};

const V4: NextHop = NextHop::Ipv4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const V6: NextHop = NextHop::Ipv6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
const PAIR: NextHop = NextHop::Ipv6LinkLocal {
    global: std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    link_local: std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
};

fn attributes() -> Vec<u8> {
    AttributesBuilder::new(Origin::Igp).as_path(&AsPathBuf::sequence([64500])).build()
}

fn reader(ctx: &EncodeCtx) -> DecodeCtx {
    DecodeCtx {
        as4: ctx.as4,
        add_path: ctx.add_path,
        extended_message: ctx.extended_message,
        extended_next_hop: ctx.extended_next_hop,
        peer: PeerKind::Internal,
    }
}

type Found = Vec<(Option<u32>, Vec<u8>)>;

fn octets_of<'a, R: Route<'a>>(routes: impl Iterator<Item = (Option<u32>, R)>) -> Found {
    routes
        .map(|(id, route)| {
            let mut octets = Vec::new();
            route.write(&mut octets);
            (id, octets)
        })
        .collect()
}

/// Announces and withdraws the routes, and finds all of them again, in messages none of which had room for the next one's first route.
fn assert_written_and_read<'r, R: Route<'r>>(
    family: AfiSafi,
    ctx: EncodeCtx,
    routes: &[(Option<u32>, R)],
    read: impl for<'a> Fn(&'a [u8], bool, Form) -> Found,
) {
    let (mut announced, mut withdrawn) = (BytesMut::new(), BytesMut::new());
    let mut encoder = UpdateEncoder::new(ctx);
    let next_hop = Some(if family.afi == 2 { V6 } else { V4 });
    encoder.announce_routes(family, &attributes(), next_hop, routes.iter().copied(), &mut announced).expect("sound");
    encoder.withdraw_routes(family, routes.iter().copied(), &mut withdrawn).expect("sound");
    let add_path = ctx.add_path.contains(family);
    let expected = octets_of(routes.iter().map(|(id, route)| (add_path.then(|| id.unwrap_or(0)), *route)));
    for (out, withdrawn) in [(announced, false), (withdrawn, true)] {
        let (mut seen, mut room) = (Found::new(), None);
        for frame in frames(&out, ctx.max_len()) {
            let reader = reader(&ctx);
            let update = Update::parse(frame, &reader).expect("an UPDATE");
            assert_eq!(update.action(), None, "{:?}", update.faults().collect::<Vec<_>>());
            let octets = if withdrawn {
                update.mp_unreach().expect("routes").nlri_octets
            } else {
                let reach = update.mp_reach().expect("routes");
                assert_eq!(reach.next_hop(), next_hop);
                let mut canonical = Vec::new();
                update.canonical_attributes(&mut canonical);
                assert_eq!(canonical, attributes());
                reach.nlri_octets
            };
            let found = read(octets, add_path, Form { family, withdrawn });
            let taken = found[0].1.len() + if add_path { 4 } else { 0 };
            assert!(room.is_none_or(|room| room < taken), "a message was closed with {room:?} octets left");
            room = Some(ctx.max_len() - frame.len());
            seen.extend(found);
        }
        assert_eq!(seen, expected);
    }
}

/// Reads routes of the kind `$kind`.
macro_rules! read {
    ($kind:ty) => {
        |octets, add_path, form| {
            octets_of(bgp_wire::Routes::<$kind>::new(octets, add_path, form).expect("routes of this kind"))
        }
    };
}

/// An announcement of one route of the family.
fn one_route(family: AfiSafi, ctx: EncodeCtx, next_hop: Option<NextHop>) -> Result<BytesMut, EncodeError> {
    let prefix: IpNet = if family.afi == 2 { "2001:db8::/32" } else { "10.0.0.0/8" }.parse().expect("sound");
    let (labels, distinguisher) =
        (Labels::from_octets(&[0, 6, 0x41]).expect("sound"), RouteDistinguisher::as2(64500, 1));
    let (mut out, mut encoder, attributes) = (BytesMut::new(), UpdateEncoder::new(ctx), attributes());
    match family.safi {
        1 | 2 => encoder.announce_routes(family, &attributes, next_hop, [(None, prefix)], &mut out),
        4 => {
            let route = LabelledPrefix { labels, prefix };
            encoder.announce_routes(family, &attributes, next_hop, [(None, route)], &mut out)
        }
        128 => {
            let route = VpnPrefix { labels, distinguisher, prefix };
            encoder.announce_routes(family, &attributes, next_hop, [(None, route)], &mut out)
        }
        132 => encoder.announce_routes(family, &attributes, next_hop, [(None, TargetMembership::ANY)], &mut out),
        133 | 134 => {
            let route =
                FlowRoute::from_octets(&[3, 0x81, 6], family.afi == 2, (family.safi == 134).then_some(distinguisher));
            encoder.announce_routes(family, &attributes, next_hop, [(None, route)], &mut out)
        }
        _ => {
            let route = EvpnRoute::InclusiveMulticast { distinguisher, tag: 0, originator: [192, 0, 2, 1].into() };
            encoder.announce_routes(family, &attributes, next_hop, [(None, route)], &mut out)
        }
    }?;
    Ok(out)
}

#[test]
fn each_family_takes_the_next_hops_its_rfc_gives_it() {
    let plain = EncodeCtx { as4: true, ..EncodeCtx::default() };
    let extended = EncodeCtx { extended_next_hop: FamilySet::ALL, ..plain };
    for family in FamilySet::ALL.iter() {
        let indifferent = matches!(family.safi, 70 | 132 | 133 | 134);
        for (next_hop, wide) in [(V4, false), (V6, true), (PAIR, true)] {
            for (ctx, negotiated) in [(plain, false), (extended, true)] {
                let allowed = indifferent || if wide { family.afi == 2 || negotiated } else { family.afi == 1 };
                match one_route(family, ctx, Some(next_hop)) {
                    Ok(out) => {
                        assert!(allowed, "{family} over {next_hop}");
                        let reader = reader(&ctx);
                        let update = Update::parse(&out, &reader).unwrap();
                        assert_eq!(update.mp_reach().unwrap().next_hop(), Some(next_hop), "{family}");
                    }
                    Err(error) => {
                        assert!(!allowed, "{family} over {next_hop}");
                        assert_eq!(error, EncodeError::NextHopFamily { family, next_hop });
                    }
                }
            }
        }
        let without = one_route(family, plain, None);
        assert_eq!(without.is_ok(), matches!(family.safi, 133 | 134), "{family} without a next hop: {without:?}");
    }
}

#[test]
fn a_vpn_route_is_written_octet_for_octet_as_in_the_rfc() {
    let out = one_route(AfiSafi::IPV4_VPN, EncodeCtx { as4: true, ..EncodeCtx::default() }, Some(V4)).unwrap();
    let reach = [
        &[0x90, 14, 0, 30, 0, 1, 128, 12, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1, 0][..],
        // 24 bits of label, 64 of distinguisher, 8 of prefix.
        &[96, 0, 6, 0x41, 0, 0, 0xfb, 0xf4, 0, 0, 0, 1, 10],
    ];
    assert_eq!(out, util::update(&[], &[&reach.concat(), util::ORIGIN, util::AS_PATH], &[]));
}

#[test]
fn a_withdrawn_label_is_the_placeholder() {
    let route = LabelledPrefix { labels: Labels::WITHDRAWN, prefix: "10.0.0.0/8".parse().unwrap() };
    let out = encode(|out| {
        let mut encoder = UpdateEncoder::new(EncodeCtx::default());
        encoder.withdraw_routes(AfiSafi::IPV4_LABELLED, [(None, route)], out).unwrap();
    });
    assert_eq!(out, util::update(&[], &[&[0x90, 15, 0, 8, 0, 1, 4, 32, 0x80, 0, 0, 10]], &[]));
}

#[test]
fn a_route_that_is_not_one_of_the_family_is_refused_and_leaves_nothing_behind() {
    let (v4, v6): (IpNet, IpNet) = ("10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap());
    let mut out = BytesMut::from(&b"before"[..]);
    let mut encoder = UpdateEncoder::new(EncodeCtx::default());
    let family = AfiSafi::IPV4_MULTICAST;
    let refused = Err(EncodeError::RouteFamily { family });
    let routes = [(None, v4), (None, v6)];
    assert_eq!(encoder.announce_routes(family, &attributes(), Some(V4), routes, &mut out), refused);
    assert_eq!(encoder.withdraw_routes(family, routes, &mut out), refused);
    let family = AfiSafi::IPV6_LABELLED;
    let many = Labels::encode(&[100; 8]);
    let route =
        LabelledPrefix { labels: Labels::from_octets(&many).unwrap(), prefix: "2001:db8::/127".parse().unwrap() };
    let refused = Err(EncodeError::RouteFamily { family });
    assert_eq!(encoder.withdraw_routes(family, [(None, route)], &mut out), refused, "319 bits");
    let family = AfiSafi::L2VPN_EVPN;
    assert_eq!(encoder.withdraw_routes(family, [(None, v4)], &mut out), Err(EncodeError::RouteFamily { family }));
    assert_eq!(out, &b"before"[..]);
}

#[test]
fn opaque_routes_that_can_be_told_apart_fill_one_message_after_the_other() {
    let family = AfiSafi::new(16388, 71);
    let route = [&[0, 2, 1, 0][..], &[7; 256]].concat();
    let routes = route.repeat(40);
    let each = || OpaqueRoutes::new(&routes, family).unwrap();
    let out = encode(|out| {
        let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, ..EncodeCtx::default() });
        encoder.announce_opaque(family, &attributes(), &[192, 0, 2, 1], each(), out).unwrap();
    });
    let mut seen = Vec::new();
    for frame in frames(&out, 4096) {
        seen.extend_from_slice(Update::parse(frame, &util::EXTERNAL).unwrap().mp_reach().unwrap().nlri_octets);
    }
    assert_eq!((seen, frames(&out, 4096).len()), (routes, 3));
    let mut out = BytesMut::new();
    let all_at_once =
        UpdateEncoder::new(EncodeCtx::default()).withdraw_opaque(family, [&route.repeat(40)[..]], &mut out);
    assert!(matches!(all_at_once, Err(EncodeError::AttributesTooLong { limit: 4096, .. })));
}

fn of<T>(items: impl Strategy<Value = T>, most: usize) -> impl Strategy<Value = Vec<(Option<u32>, T)>>
where
    T: std::fmt::Debug,
{
    vec((option::of(any::<u32>()), items), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn multicast_routes_are_read_back_the_same(ctx in encode_ctx(), v4 in of(prefix(false), 900), v6 in of(prefix(true), 400)) {
        assert_written_and_read(AfiSafi::IPV4_MULTICAST, ctx, &v4, read!(IpNet));
        assert_written_and_read(AfiSafi::IPV6_MULTICAST, ctx, &v6, read!(IpNet));
        assert_written_and_read(AfiSafi::IPV6_UNICAST, ctx, &v6, read!(IpNet));
    }

    #[test]
    fn labelled_and_vpn_routes_are_read_back_the_same(
        ctx in encode_ctx(), v4 in of((labels(), distinguisher(), prefix(false)), 500), v6 in of((labels(), distinguisher(), prefix(true)), 300),
    ) {
        for (routes, labelled, vpn) in [
            (&v4, AfiSafi::IPV4_LABELLED, AfiSafi::IPV4_VPN),
            (&v6, AfiSafi::IPV6_LABELLED, AfiSafi::IPV6_VPN),
        ] {
            let stack = |octets| Labels::from_octets(octets).unwrap();
            let plain: Vec<_> = routes.iter()
                .map(|(id, (labels, _, prefix))| (*id, LabelledPrefix { labels: stack(labels), prefix: *prefix })).collect();
            assert_written_and_read(labelled, ctx, &plain, read!(LabelledPrefix<'_>));
            let within: Vec<_> = routes.iter().map(|(id, (labels, distinguisher, prefix))| {
                (*id, VpnPrefix { labels: stack(labels), distinguisher: *distinguisher, prefix: *prefix })
            }).collect();
            assert_written_and_read(vpn, ctx, &within, read!(VpnPrefix<'_>));
        }
    }

    #[test]
    fn evpn_routes_are_read_back_the_same(ctx in encode_ctx(), routes in of(evpn(), 200)) {
        assert_written_and_read(AfiSafi::L2VPN_EVPN, ctx, &routes, read!(EvpnRoute<'_>));
    }

    #[test]
    fn wishes_for_route_targets_are_read_back_the_same(ctx in encode_ctx(), wishes in of(target(), 500)) {
        let routes: Vec<_> = wishes.iter()
            .map(|(id, (bits, octets))| (*id, TargetMembership::from_octets(*bits, octets).unwrap())).collect();
        assert_written_and_read(AfiSafi::ROUTE_TARGETS, ctx, &routes, read!(TargetMembership<'_>));
    }

    #[test]
    fn flow_specifications_are_read_back_the_same(
        ctx in encode_ctx(), v4 in of((distinguisher(), flow(false)), 150), v6 in of((distinguisher(), flow(true)), 100),
    ) {
        for (routes, ipv6, plain, vpn) in [
            (&v4, false, AfiSafi::IPV4_FLOWSPEC, AfiSafi::IPV4_FLOWSPEC_VPN),
            (&v6, true, AfiSafi::IPV6_FLOWSPEC, AfiSafi::IPV6_FLOWSPEC_VPN),
        ] {
            let of = |with: bool| -> Vec<_> {
                routes.iter()
                    .map(|(id, (rd, octets))| (*id, FlowRoute::from_octets(octets, ipv6, with.then_some(*rd)))).collect()
            };
            prop_assert!(of(false).iter().all(|(_, route)| route.is_sound()));
            assert_written_and_read(plain, ctx, &of(false), read!(FlowRoute<'_>));
            assert_written_and_read(vpn, ctx, &of(true), read!(FlowRoute<'_>));
        }
    }

    #[test]
    fn the_components_of_a_flow_specification_are_written_as_they_were_read(ipv6: bool, v4 in flow(false), v6 in flow(true)) {
        let octets = if ipv6 { v6 } else { v4 };
        let mut written = Vec::new();
        FlowRoute::from_octets(&octets, ipv6, None).components().for_each(|component| component.write(&mut written));
        prop_assert_eq!(written, octets);
    }

    #[test]
    fn routes_of_a_family_that_is_not_read_are_passed_on_octet_for_octet(
        ctx in encode_ctx(), afi in 3..24u16, safi in 200..255u8, next_hop in vec(any::<u8>(), 0..40), nlri in vec(any::<u8>(), 1..2000),
    ) {
        let family = AfiSafi::new(afi, safi);
        let mut out = BytesMut::new();
        UpdateEncoder::new(ctx).announce_opaque(family, &attributes(), &next_hop, [&nlri[..]], &mut out).unwrap();
        let update = Update::parse(&out, &reader(&ctx)).unwrap();
        let reach = update.mp_reach().unwrap();
        prop_assert_eq!((reach.family, reach.next_hop_octets, reach.nlri_octets), (family, &next_hop[..], &nlri[..]));
        let mut again = BytesMut::new();
        let mut canonical = Vec::new();
        update.canonical_attributes(&mut canonical);
        UpdateEncoder::new(ctx).announce_opaque(family, &canonical, reach.next_hop_octets, [reach.nlri_octets], &mut again).unwrap();
        prop_assert_eq!(&again, &out);
        out.clear();
        UpdateEncoder::new(ctx).withdraw_opaque(family, [&nlri[..]], &mut out).unwrap();
        let update = Update::parse(&out, &reader(&ctx)).unwrap();
        prop_assert_eq!(update.mp_unreach().unwrap().nlri_octets, &nlri[..]);
    }
}
