//! What holds for every message: what is written is read back the same, and no octets at all make the crate panic.

mod support;
mod util;

use bgp_wire::{
    AddPath, AddPathMode, AfiSafi, Aggregator, AsPathBuf, Attributes, AttributesBuilder, Capability, Community,
    DecodeCtx, EncodeCtx, ExtendedCommunity, ExtendedNextHop, Family, FamilySet, GracefulRestart,
    GracefulRestartFamily, Ipv4Unicast, Ipv6Unicast, LargeCommunity, Message, NextHop, Nlri, Notification, OpenBuf,
    Origin, PeerKind, RefreshSubtype, Role, RouteRefresh, Update, UpdateEncoder, frame, mrt,
};
use bytes::{Bytes, BytesMut};
use ipnet::{Ipv4Net, Ipv6Net};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use support::{as_path, asn};
use util::*;

fn family() -> impl Strategy<Value = AfiSafi> {
    (any::<u16>(), any::<u8>()).prop_map(|(afi, safi)| AfiSafi::new(afi, safi))
}

fn family_set() -> impl Strategy<Value = FamilySet> {
    vec(prop_oneof![Just(AfiSafi::IPV4_UNICAST), Just(AfiSafi::IPV6_UNICAST)], 0..3).prop_map(FamilySet::from_iter)
}

fn peer() -> impl Strategy<Value = PeerKind> {
    prop_oneof![
        Just(PeerKind::External),
        Just(PeerKind::Internal),
        Just(PeerKind::Confederation),
        Just(PeerKind::Unknown)
    ]
}

fn decode_ctx() -> impl Strategy<Value = DecodeCtx> {
    (any::<bool>(), family_set(), any::<bool>(), family_set(), peer()).prop_map(
        |(as4, add_path, extended_message, extended_next_hop, peer)| DecodeCtx {
            as4,
            add_path,
            extended_message,
            extended_next_hop,
            peer,
        },
    )
}

fn address() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from_bits)
}

fn key4() -> impl Strategy<Value = Ipv4Net> {
    (any::<u32>(), 0..=32u8).prop_map(|(bits, len)| Ipv4Net::new_assert(bits.into(), len).trunc())
}

fn key6() -> impl Strategy<Value = Ipv6Net> {
    (any::<u128>(), 0..=128u8).prop_map(|(bits, len)| Ipv6Net::new_assert(bits.into(), len).trunc())
}

fn attributes() -> impl Strategy<Value = Vec<u8>> {
    let first = (
        prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)],
        as_path(),
        option::of(any::<u32>()),
        option::of(any::<u32>()),
        any::<bool>(),
        option::of((asn(), address())),
    );
    let lists = (
        vec(any::<u32>(), 0..5),
        vec(any::<[u8; 8]>(), 0..4),
        vec(any::<(u32, u32, u32)>(), 0..4),
        option::of(address()),
        vec(address(), 0..3),
        option::of(any::<u32>()),
        vec((36..=255u8, vec(any::<u8>(), 0..300)), 0..3),
    );
    (first, lists).prop_map(|(first, lists)| {
        let (origin, path, med, local_pref, atomic, aggregator) = first;
        let (communities, extended, large, originator, clusters, otc, unknown) = lists;
        let mut builder = AttributesBuilder::new(origin);
        builder.as_path(&path).med(med).local_pref(local_pref).atomic_aggregate(atomic);
        builder.aggregator(aggregator.map(|(asn, identifier)| Aggregator { asn, identifier }));
        builder.communities(communities.into_iter().map(Community));
        builder.ext_communities(extended.into_iter().map(ExtendedCommunity));
        builder.large_communities(large.into_iter().map(|(a, b, c)| LargeCommunity::new(a, b, c)));
        builder.originator_id(originator).cluster_list(clusters).only_to_customer(otc);
        for (code, value) in &unknown {
            builder.unknown(*code, value);
        }
        builder.build()
    })
}

/// Reads a context that reads what the other writes.
fn reader(ctx: &EncodeCtx) -> DecodeCtx {
    DecodeCtx {
        as4: ctx.as4,
        add_path: ctx.add_path,
        extended_message: ctx.extended_message,
        extended_next_hop: ctx.extended_next_hop,
        peer: PeerKind::Internal,
    }
}

fn encode_ctx() -> impl Strategy<Value = EncodeCtx> {
    (any::<bool>(), family_set(), any::<bool>(), family_set()).prop_map(
        |(as4, add_path, extended_message, extended_next_hop)| EncodeCtx {
            as4,
            add_path,
            extended_message,
            extended_next_hop,
        },
    )
}

type Routes<F> = Vec<(Option<u32>, <F as Family>::Key)>;

/// Checks what was written for `routes`: all of them, in order, in messages none of which had room for the next one's first route.
fn assert_packed<F: Family>(
    out: &[u8],
    ctx: &EncodeCtx,
    routes: &Routes<F>,
    read: impl for<'a> Fn(&Update<'a>) -> Option<Nlri<'a, F>>,
    also: impl Fn(&Update<'_>),
) {
    let add_path = ctx.add_path.contains(F::AFI_SAFI);
    let mut seen = Routes::<F>::new();
    let mut room = None;
    for frame in frames(out, ctx.max_len()) {
        let update = Update::parse(frame, &reader(ctx)).expect("an UPDATE");
        assert_eq!(update.action(), None, "{:?}", update.faults().collect::<Vec<_>>());
        let found: Routes<F> = read(&update).into_iter().flatten().collect();
        let net: ipnet::IpNet = found[0].1.into();
        let taken = 1 + usize::from(net.prefix_len()).div_ceil(8) + if add_path { 4 } else { 0 };
        assert!(room.is_none_or(|room| room < taken), "a message was closed with {room:?} octets left");
        room = Some(ctx.max_len() - frame.len());
        also(&update);
        seen.extend(found);
    }
    let expected: Routes<F> = routes.iter().map(|(id, key)| (add_path.then_some(id.unwrap_or(0)), *key)).collect();
    assert_eq!(seen, expected);
}

/// Looks at everything a parsed message offers.
fn look_at(message: &Message<'_>) {
    let _ = format!("{message:?}");
    match message {
        Message::Open(open) => {
            assert_eq!(OpenBuf::from(*open).capabilities.len(), open.capabilities().count());
        }
        Message::Update(update) => {
            assert_ne!(update.action(), Some(bgp_wire::Action::SessionReset));
            assert_eq!(update.action(), update.faults().map(|fault| fault.action).max());
            let attributes = update.attributes();
            assert_eq!(attributes.iter().filter(|a| attributes.get(a.code) != Some(*a)).count(), 0);
            assert_eq!(
                attributes.as_path().asns().count(),
                attributes.as_path().segments().flat_map(|s| s.asns).count()
            );
            let mut canonical = Vec::new();
            update.canonical_attributes(&mut canonical);
            let mut again = Vec::new();
            Attributes::canonical(&canonical).write_canonical(&mut again);
            assert_eq!(canonical, again, "the canonical form is its own canonical form");
            let (path, read) = (attributes.as_path(), Attributes::canonical(&canonical).as_path());
            assert_eq!(read.path_length(), path.path_length());
            assert!(read.asns().eq(path.asns()));
            assert_eq!(AttributesBuilder::from_canonical(&canonical).build(), canonical);
        }
        Message::Notification(notification) => drop(notification.to_string()),
        Message::Keepalive | Message::RouteRefresh(_) => {}
    }
}

proptest! {
    #[test]
    fn announced_ipv4_routes_are_read_back_the_same(
        ctx in encode_ctx(), block in attributes(), routes in vec((option::of(any::<u32>()), key4()), 1..1500), next_hop in address(),
    ) {
        let mut out = BytesMut::new();
        let next_hop = NextHop::Ipv4(next_hop);
        UpdateEncoder::new(ctx).announce::<Ipv4Unicast>(&block, next_hop, routes.iter().copied(), &mut out).unwrap();
        assert_packed::<Ipv4Unicast>(&out, &ctx, &routes, |update| Some(update.nlri()), |update| {
            let mut canonical = Vec::new();
            update.canonical_attributes(&mut canonical);
            assert_eq!(canonical, block);
            assert_eq!(update.next_hop(), Some(next_hop));
        });
    }

    #[test]
    fn attributes_for_another_as_are_the_same_in_one_pass_as_step_by_step(
        block in prop_oneof![3 => attributes(), 1 => vec(any::<u8>(), 0..60)], asn in asn(), ctx in encode_ctx(), key in key4(), next_hop in address(),
    ) {
        let (mut at_once, mut steps) = (AttributesBuilder::default(), AttributesBuilder::default());
        at_once.reset_external(&block, asn);
        steps.reset(&block).prepend(asn, 1).remove_internal();
        prop_assert_eq!(&at_once, &steps);
        let (mut trusted, mut checked) = (BytesMut::new(), BytesMut::new());
        let (next_hop, keys) = (NextHop::Ipv4(next_hop), [(Some(1), key)]);
        UpdateEncoder::new(ctx).announce_built::<Ipv4Unicast>(&at_once, next_hop, keys, &mut trusted).unwrap();
        UpdateEncoder::new(ctx).announce::<Ipv4Unicast>(steps.octets(), next_hop, keys, &mut checked).unwrap();
        prop_assert_eq!(trusted, checked);
    }

    #[test]
    fn announced_ipv6_routes_are_read_back_the_same(
        ctx in encode_ctx(), block in attributes(), routes in vec((option::of(any::<u32>()), key6()), 1..600), global: u128, link_local: Option<u128>,
    ) {
        let mut out = BytesMut::new();
        let next_hop = match link_local {
            Some(link_local) => NextHop::Ipv6LinkLocal { global: global.into(), link_local: link_local.into() },
            None => NextHop::Ipv6(global.into()),
        };
        UpdateEncoder::new(ctx).announce::<Ipv6Unicast>(&block, next_hop, routes.iter().copied(), &mut out).unwrap();
        assert_packed::<Ipv6Unicast>(&out, &ctx, &routes, |update| update.mp_reach()?.ipv6(), |update| {
            let mut canonical = Vec::new();
            update.canonical_attributes(&mut canonical);
            assert_eq!(canonical, block);
            assert_eq!(update.mp_reach().unwrap().next_hop(), Some(next_hop));
        });
    }

    #[test]
    fn withdrawn_routes_are_read_back_the_same(
        ctx in encode_ctx(), ipv4 in vec((option::of(any::<u32>()), key4()), 1..1500), ipv6 in vec((option::of(any::<u32>()), key6()), 1..600),
    ) {
        let mut out = BytesMut::new();
        UpdateEncoder::new(ctx).withdraw::<Ipv4Unicast>(ipv4.iter().copied(), &mut out);
        assert_packed::<Ipv4Unicast>(&out, &ctx, &ipv4, |update| Some(update.withdrawn()), |_| {});
        out.clear();
        UpdateEncoder::new(ctx).withdraw::<Ipv6Unicast>(ipv6.iter().copied(), &mut out);
        assert_packed::<Ipv6Unicast>(&out, &ctx, &ipv6, |update| update.mp_unreach()?.ipv6(), |_| {});
    }

    #[test]
    fn an_open_is_read_back_the_same(
        asn in 1..=u32::MAX, hold_time in prop_oneof![Just(0u16), 3..=u16::MAX], identifier in 1..=u32::MAX,
        families in vec(family(), 0..6), next_hops in vec((family(), any::<u16>()), 0..4), paths in vec((family(), 0..3usize), 0..4),
        restart in (any::<bool>(), any::<bool>(), 0..4096u16, vec((family(), any::<bool>()), 0..4)),
        role: u8, names in ("[a-z.]{0,64}", "[a-z.]{0,64}"), unknown in vec((128..=255u8, vec(any::<u8>(), 0..256)), 0..4),
    ) {
        let mode = |at: usize| [AddPathMode::Receive, AddPathMode::Send, AddPathMode::Both][at];
        let mut capabilities: Vec<_> = families.into_iter().map(Capability::Multiprotocol).collect();
        capabilities.extend([
            Capability::FourOctetAs(asn), Capability::RouteRefresh, Capability::EnhancedRouteRefresh, Capability::ExtendedMessage,
            Capability::Role(Role::from(role)), Capability::Fqdn { host: names.0, domain: names.1 },
            Capability::ExtendedNextHop(next_hops.into_iter().map(|(family, next_hop_afi)| ExtendedNextHop { family, next_hop_afi }).collect()),
            Capability::AddPath(paths.into_iter().map(|(family, at)| AddPath { family, mode: mode(at) }).collect()),
            Capability::GracefulRestart(GracefulRestart {
                restarted: restart.0, notification: restart.1, restart_time: restart.2,
                families: restart.3.into_iter().map(|(family, forwarding_kept)| GracefulRestartFamily { family, forwarding_kept }).collect(),
            }),
        ]);
        capabilities.extend(unknown.into_iter().map(|(code, value)| Capability::Unknown { code, value: value.into() }));
        let sent = OpenBuf { asn, hold_time, identifier: Ipv4Addr::from_bits(identifier), capabilities };
        let octets = encode(|out| sent.encode(out));
        let Ok(Message::Open(open)) = Message::parse(&octets, &EXTERNAL) else { panic!("an OPEN") };
        prop_assert_eq!(OpenBuf::from(open), sent);
    }

    #[test]
    fn small_messages_are_read_back_the_same(code: u8, subcode: u8, data in vec(any::<u8>(), 0..300), family in family(), subtype: u8) {
        let notification = Notification { code, subcode, data: Bytes::from(data) };
        let octets = encode(|out| notification.encode(out));
        let Ok(Message::Notification(read)) = Message::parse(&octets, &EXTERNAL) else { panic!("a NOTIFICATION") };
        prop_assert_eq!(read, notification);
        let refresh = RouteRefresh { family, subtype: RefreshSubtype::from(subtype) };
        let octets = encode(|out| refresh.encode(out));
        let Ok(Message::RouteRefresh(read)) = Message::parse(&octets, &EXTERNAL) else { panic!("a ROUTE-REFRESH") };
        prop_assert_eq!(read, refresh);
    }

    #[test]
    fn text_forms_are_read_back_the_same(community: u32, extended: [u8; 8], large: (u32, u32, u32), asns in vec(any::<u32>(), 0..9)) {
        let community = Community(community);
        prop_assert_eq!(community.to_string().parse(), Ok(community));
        let extended = ExtendedCommunity(extended);
        prop_assert_eq!(extended.to_string().parse(), Ok(extended));
        let large = LargeCommunity::new(large.0, large.1, large.2);
        prop_assert_eq!(large.to_string().parse(), Ok(large));
        let path = AsPathBuf::sequence(asns);
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn any_octets_are_a_message_or_an_error(ctx in decode_ctx(), kind in 0..7u8, body in vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::parse(&message(kind, &body), &ctx) {
            look_at(&message);
        }
        let _ = Message::parse(&body, &ctx);
        let _ = frame::peek(&body, ctx.max_len());
    }

    #[test]
    fn a_sound_update_with_octets_changed_is_a_message_or_an_error(
        ctx in decode_ctx(), encode_ctx in encode_ctx(), block in attributes(), routes in vec((Just(None), key6()), 1..4),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut out = BytesMut::new();
        UpdateEncoder::new(encode_ctx).announce::<Ipv6Unicast>(&block, NextHop::Ipv6(1.into()), routes, &mut out).unwrap();
        for (at, octet) in changes {
            let at = 19 + at.index(out.len() - 19);
            out[at] = octet;
        }
        if let Ok(message) = Message::parse(&out, &ctx) {
            look_at(&message);
        }
    }

    #[test]
    fn an_index_used_with_other_octets_does_no_harm(ctx in decode_ctx(), block in attributes(), routes in vec((Just(None), key4()), 1..4), other in vec(any::<u8>(), 0..200)) {
        let mut out = BytesMut::new();
        UpdateEncoder::new(EncodeCtx { as4: ctx.as4, ..EncodeCtx::default() })
            .announce::<Ipv4Unicast>(&block, NextHop::Ipv4(Ipv4Addr::LOCALHOST), routes, &mut out)
            .unwrap();
        if let Ok(update) = Update::parse(&out, &ctx) {
            let _ = format!("{:?}", Update::from_index(&other, &update.index()));
        }
    }

    #[test]
    fn any_octets_are_a_block_of_attributes_or_less(block in vec(any::<u8>(), 0..200)) {
        let _ = format!("{:?}", Attributes::canonical(&block));
        let canonical = AttributesBuilder::from_canonical(&block).build();
        prop_assert_eq!(AttributesBuilder::from_canonical(&canonical).build(), &canonical[..]);
        let mut again = Vec::new();
        Attributes::canonical(&canonical).write_canonical(&mut again);
        prop_assert_eq!(canonical, again);
    }

    #[test]
    fn any_octets_are_a_dump_or_an_error(octets in vec(any::<u8>(), 0..200), kind in 12..18u16, subtype in 0..12u16) {
        let mut file = vec![0; 4];
        file.extend_from_slice(&kind.to_be_bytes());
        file.extend_from_slice(&subtype.to_be_bytes());
        file.extend_from_slice(&(octets.len() as u32).to_be_bytes());
        file.extend_from_slice(&octets);
        file.extend_from_slice(&octets);
        for record in mrt::Reader::new(&file).flatten() {
            match record.body {
                mrt::Body::Rib(rib) => drop(rib.entries().map(|entry| format!("{entry:?} {:?}", entry.next_hop())).count()),
                mrt::Body::Table(table) => drop(table.iter().map(|route| format!("{route:?}")).count()),
                mrt::Body::Peers(peers) => drop(peers.iter().count()),
                body => drop(format!("{body:?}")),
            }
        }
    }

    #[test]
    fn any_text_is_a_value_or_an_error(text in "[0-9a-zA-Z:.{},() \\[\\]é]{0,30}") {
        let _ = text.parse::<Community>().map_err(|error| error.to_string());
        let _ = text.parse::<ExtendedCommunity>().map_err(|error| error.to_string());
        let _ = text.parse::<LargeCommunity>().map_err(|error| error.to_string());
        let _ = text.parse::<AsPathBuf>().map_err(|error| error.to_string());
    }
}

#[test]
fn a_builder_puts_the_flags_of_what_it_is_given_right_and_drops_what_is_not_passed_on() {
    let block = [0x4f, 1, 1, 0, 0x0a, 24, 0, 0x80, 98, 0, 0xc0, 99, 0];
    assert_eq!(AttributesBuilder::from_canonical(&block).build(), [0x40, 1, 1, 0, 0xe0, 99, 0]);
}
