//! Written UPDATEs: full to the octet, in the form the session negotiated, and refused as a value where they cannot be.

mod util;

use bgp_wire::attributes::code;
use bgp_wire::{
    Aggregator, AsPathBuf, AttributesBuilder, Community, DecodeCtx, EncodeCtx, EncodeError, FamilySet, Ipv4Unicast,
    Ipv6Unicast, NextHop, Origin, PeerKind, SegmentKind, Update, UpdateEncoder,
};
use bytes::BytesMut;
use util::*;

const WIDE: EncodeCtx =
    EncodeCtx { as4: true, add_path: FamilySet::EMPTY, extended_message: false, extended_next_hop: FamilySet::EMPTY };
const V4: NextHop = NextHop::Ipv4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const V6: NextHop = NextHop::Ipv6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

fn attributes() -> Vec<u8> {
    let mut builder = AttributesBuilder::new(Origin::Igp);
    builder.as_path(&AsPathBuf::sequence([64500])).build()
}

fn hosts(count: u32) -> impl Iterator<Item = (Option<u32>, Key)> {
    (0..count).map(|host| (None, Key::new_assert((0x0a00_0000 + host).into(), 32)))
}

fn announce(ctx: EncodeCtx, attributes: &[u8], count: u32) -> Result<BytesMut, EncodeError> {
    let mut out = BytesMut::new();
    UpdateEncoder::new(ctx).announce::<Ipv4Unicast>(attributes, V4, hosts(count), &mut out).map(|()| out)
}

#[test]
fn an_announcement_is_written_octet_for_octet_as_by_hand() {
    let key = "198.51.100.0/24".parse().unwrap();
    let out = encode(|out| {
        UpdateEncoder::new(WIDE).announce::<Ipv4Unicast>(&attributes(), V4, [(None, key)], out).unwrap();
    });
    assert_eq!(out, update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX));
}

#[test]
fn a_withdrawal_is_written_octet_for_octet_as_by_hand() {
    let out = encode(|out| {
        UpdateEncoder::new(WIDE).withdraw::<Ipv4Unicast>([(None, "198.51.100.0/24".parse().unwrap())], out)
    });
    assert_eq!(out, update(PREFIX, &[], &[]));
    let out =
        encode(|out| UpdateEncoder::new(WIDE).withdraw::<Ipv6Unicast>([(None, "2001:db8::/32".parse().unwrap())], out));
    assert_eq!(out, update(&[], &[&[0x90, 15, 0, 8, 0, 2, 1, 32, 0x20, 0x01, 0x0d, 0xb8]], &[]));
}

#[test]
fn the_multiprotocol_attribute_comes_first() {
    let out = encode(|out| {
        let key = "2001:db8::/32".parse().unwrap();
        UpdateEncoder::new(WIDE).announce::<Ipv6Unicast>(&attributes(), V6, [(None, key)], out).unwrap();
    });
    let update = Update::parse(&out, &EXTERNAL).unwrap();
    assert_eq!(update.attributes().iter().map(|a| a.code).collect::<Vec<_>>(), [code::MP_REACH_NLRI, 1, 2]);
    assert_eq!(update.mp_reach().unwrap().next_hop(), Some(V6));
}

#[test]
fn messages_are_filled_to_their_limit() {
    // 43 octets stand around the routes; each takes 5.
    let full = (4096 - 43) / 5;
    let out = announce(WIDE, &attributes(), full + 1).unwrap();
    let lengths: Vec<_> = frames(&out, 4096).iter().map(|frame| frame.len()).collect();
    assert_eq!(lengths, [43 + 5 * full as usize, 48]);
    let extended = EncodeCtx { extended_message: true, ..WIDE };
    let out = announce(extended, &attributes(), 20_000).unwrap();
    let lengths: Vec<_> = frames(&out, 65535).iter().map(|frame| frame.len()).collect();
    assert_eq!(lengths, [65533, 43 + 5 * (20_000 - (65535 - 43) / 5)]);
}

#[test]
fn attributes_that_fill_a_message_leave_room_for_exactly_one_route_or_are_refused() {
    // Header 19, lengths 4, ORIGIN 4, AS_PATH 9, NEXT_HOP 7, and the header of an attribute with a long length: 4.
    let with_unknown = |len: usize| {
        let mut builder = AttributesBuilder::from_canonical(&attributes());
        builder.unknown(99, &vec![0; len]).build()
    };
    let room = 4096 - 47 - 5;
    let out = announce(WIDE, &with_unknown(room), 2).unwrap();
    assert_eq!(frames(&out, 4096).iter().map(|frame| frame.len()).collect::<Vec<_>>(), [4096, 4096]);
    let refused = announce(WIDE, &with_unknown(room + 1), 2);
    assert_eq!(refused, Err(EncodeError::AttributesTooLong { needed: 4097, limit: 4096 }));
}

#[test]
fn what_was_refused_leaves_nothing_behind() {
    let mut builder = AttributesBuilder::from_canonical(&attributes());
    let long = builder.unknown(99, &vec![0; 4096 - 47 - 2]).build();
    let mut out = BytesMut::from(&b"before"[..]);
    // The first route fits, the second does not.
    let keys = [(None, "10.0.0.0/8".parse().unwrap()), (None, "10.0.0.1/32".parse().unwrap())];
    let refused = UpdateEncoder::new(WIDE).announce::<Ipv4Unicast>(&long, V4, keys, &mut out);
    assert!(refused.is_err());
    assert_eq!(out, &b"before"[..]);
}

#[test]
fn next_hops_go_only_with_the_families_that_were_negotiated_for_them() {
    let mut encoder = UpdateEncoder::new(WIDE);
    let mut out = BytesMut::new();
    let v6_keys = [(None, "2001:db8::/32".parse().unwrap())];
    assert!(encoder.announce::<Ipv6Unicast>(&attributes(), V4, v6_keys, &mut out).is_err());
    assert!(encoder.announce::<Ipv4Unicast>(&attributes(), V6, hosts(1), &mut out).is_err());
    assert!(out.is_empty());
    let extended_next_hop = FamilySet::EMPTY.with(bgp_wire::AfiSafi::IPV4_UNICAST);
    let mut encoder = UpdateEncoder::new(EncodeCtx { extended_next_hop, ..WIDE });
    encoder.announce::<Ipv4Unicast>(&attributes(), V6, hosts(1), &mut out).unwrap();
    let update = Update::parse(&out, &DecodeCtx { extended_next_hop, ..EXTERNAL }).unwrap();
    assert_eq!(update.mp_reach().unwrap().ipv4().unwrap().count(), 1);
}

#[test]
fn nothing_to_say_is_no_message() {
    let mut out = BytesMut::new();
    let mut encoder = UpdateEncoder::new(WIDE);
    encoder.announce::<Ipv4Unicast>(&attributes(), V4, hosts(0), &mut out).unwrap();
    encoder.withdraw::<Ipv4Unicast>(hosts(0), &mut out);
    assert!(out.is_empty());
}

#[test]
fn towards_two_octets_large_as_numbers_travel_beside_the_path() {
    let mut builder = AttributesBuilder::new(Origin::Igp);
    let mut path = AsPathBuf::sequence([64500, 100_000]);
    path.push(SegmentKind::Set, [64501, 100_001]);
    builder.as_path(&path).aggregator(Some(Aggregator { asn: 100_000, identifier: [10, 0, 0, 9].into() }));
    let out = announce(EncodeCtx { as4: false, ..WIDE }, &builder.build(), 1).unwrap();
    let update = Update::parse(&out, &NARROW).unwrap();
    let attributes = update.attributes();
    assert_eq!(attributes.unmerged_as_path().to_string(), "64500 23456 {64501,23456}");
    assert_eq!(attributes.as4_path().unwrap().to_string(), "64500 100000 {64501,100001}");
    assert_eq!(attributes.unmerged_aggregator().unwrap().asn, 23456);
    assert_eq!(attributes.as4_aggregator().unwrap().asn, 100_000);
    let mut canonical = Vec::new();
    update.canonical_attributes(&mut canonical);
    assert_eq!(canonical, builder.build(), "and come together again");
}

#[test]
fn towards_two_octets_small_as_numbers_need_nothing_beside_the_path() {
    let mut builder = AttributesBuilder::new(Origin::Igp);
    builder.prepend(64500, 3).aggregator(Some(Aggregator { asn: 64500, identifier: [10, 0, 0, 9].into() }));
    let out = announce(EncodeCtx { as4: false, ..WIDE }, &builder.build(), 1).unwrap();
    let update = Update::parse(&out, &NARROW).unwrap();
    assert!(update.attributes().as4_path().is_none() && update.attributes().as4_aggregator().is_none());
}

#[test]
fn the_end_of_a_family_is_written_as_it_is_read() {
    for family in FamilySet::ALL.iter() {
        let out = encode(|out| UpdateEncoder::new(WIDE).end_of_rib(family, out));
        assert_eq!(Update::parse(&out, &EXTERNAL).unwrap().end_of_rib(), Some(family));
    }
}

#[test]
fn attributes_in_any_order_have_one_canonical_form() {
    let communities: &[u8] = &[0xc0, 8, 4, 0xfb, 0xf4, 0, 100];
    let long_length: &[u8] = &[0xd0, 8, 0, 4, 0xfb, 0xf4, 0, 100];
    let canonical = |attributes: &[&[u8]]| {
        let mut canonical = Vec::new();
        Update::parse(&update(&[], attributes, PREFIX), &EXTERNAL).unwrap().canonical_attributes(&mut canonical);
        canonical
    };
    let expected = [ORIGIN, AS_PATH, communities].concat();
    assert_eq!(canonical(&[ORIGIN, AS_PATH, NEXT_HOP, communities]), expected);
    assert_eq!(canonical(&[long_length, NEXT_HOP, AS_PATH, ORIGIN]), expected);
    let unknown: &[u8] = &[0xc0, 99, 1, 7];
    let untransitive: &[u8] = &[0x80, 100, 1, 7];
    assert_eq!(
        canonical(&[unknown, untransitive, ORIGIN, NEXT_HOP, AS_PATH]),
        [ORIGIN, AS_PATH, &[0xe0, 99, 1, 7]].concat()
    );
}

#[test]
fn a_builder_changes_what_it_is_told_and_nothing_else() {
    let mut builder = AttributesBuilder::from_canonical(&attributes());
    builder.prepend(64999, 2).med(Some(5)).local_pref(Some(200)).add_community(Community::NO_EXPORT);
    builder.add_community(Community::NO_EXPORT).add_community(Community::new(64500, 1)).only_to_customer(Some(64500));
    let block = builder.build();
    let attributes = bgp_wire::Attributes::canonical(&block);
    assert_eq!(attributes.as_path().to_string(), "64999 64999 64500");
    assert_eq!(
        (attributes.med(), attributes.local_pref(), attributes.only_to_customer()),
        (Some(5), Some(200), Some(64500))
    );
    assert_eq!(attributes.communities().map(|c| c.to_string()).collect::<Vec<_>>(), ["no-export", "64500:1"]);
    builder.remove_internal().remove_community(Community::NO_EXPORT).remove_community(Community::new(64500, 1));
    builder.only_to_customer(None);
    let block = builder.build();
    let attributes = bgp_wire::Attributes::canonical(&block);
    assert_eq!(attributes.iter().map(|attribute| attribute.code).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_path_of_more_than_255_ases_is_several_segments_of_one_length() {
    let mut builder = AttributesBuilder::new(Origin::Igp);
    builder.prepend(64500, 600);
    for as4 in [true, false] {
        let out = announce(EncodeCtx { as4, ..WIDE }, &builder.build(), 1).unwrap();
        let ctx = DecodeCtx { as4, peer: PeerKind::External, ..EXTERNAL };
        let update = Update::parse(&out, &ctx).unwrap();
        assert_eq!(update.action(), None);
        assert_eq!(update.attributes().as_path().path_length(), 600);
        assert_eq!(update.attributes().as_path().segments().count(), 3);
    }
}
