//! The further attributes, and extended communities by their meaning: octets written down from the RFCs, and what is written is read
//! back the same.

mod support;
mod util;

use bgp_wire::attributes::code;
use bgp_wire::routes::Mac;
use bgp_wire::{
    Action, Attributes, AttributesBuilder, DecodeCtx, EncodeCtx, ExtendedCommunity, Ipv4Unicast, Ipv6ExtendedCommunity,
    NextHop, Origin, PeerKind, PmsiTunnel, PmsiTunnelKind, PrefixSidTlv, SidStructure, Srv6Service, Srv6Sid, SubTlv,
    Tunnel, TypedCommunity, Update, UpdateEncoder,
};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use support::*;
use util::{EXTERNAL, INTERNAL, announcing_with};

fn canonical(update: &Update<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    update.canonical_attributes(&mut out);
    out
}

/// RFC 7432 section 11.2: a VNI, and a copy for each receiver.
#[test]
fn a_tunnel_for_flooded_traffic_is_read() {
    let octets = announcing_with(&[0xc0, 22, 9, 0, 6, 0, 0x03, 0xe8, 192, 0, 2, 1]);
    let update = Update::parse(&octets, &EXTERNAL).unwrap();
    assert_eq!(update.action(), None);
    let tunnel = update.attributes().pmsi_tunnel().unwrap();
    let expected =
        PmsiTunnel { flags: 0, kind: PmsiTunnelKind::IngressReplication, label: 1000, identifier: &[192, 0, 2, 1] };
    assert_eq!((tunnel, tunnel.to_string().as_str()), (expected, "ingress-replication label 1000 192.0.2.1"));
    let built = AttributesBuilder::from_canonical(&canonical(&update)).pmsi_tunnel(Some(tunnel)).build();
    assert_eq!(built, canonical(&update));
}

/// RFC 9012 sections 2, 3.1 and 3.4: VXLAN to an address, with a colour and a port.
#[test]
fn tunnels_to_the_next_hop_are_read() {
    let color = [0x03, 0x0b, 0, 0, 0, 0, 0, 100];
    let mut octets = Vec::new();
    let sub_tlvs = [
        SubTlv { kind: 6, value: &[0, 0, 0, 0, 0, 1, 192, 0, 2, 1] },
        SubTlv { kind: 4, value: &color },
        SubTlv { kind: 8, value: &[0x12, 0xb5] },
        SubTlv { kind: 130, value: &[7; 3] },
    ];
    Tunnel::encode(8, sub_tlvs, &mut octets);
    assert_eq!(octets[..6], [0, 8, 0, 32, 6, 10]);
    assert_eq!(octets[30..], [130, 0, 3, 7, 7, 7]);
    let octets = announcing_with(&[&[0xc0, 23, octets.len() as u8], &octets[..]].concat());
    let update = Update::parse(&octets, &EXTERNAL).unwrap();
    let tunnels: Vec<_> = update.attributes().tunnels().collect();
    assert_eq!((update.action(), tunnels.len(), tunnels[0].kind), (None, 1, 8));
    assert_eq!(tunnels[0].endpoint(), Some([192, 0, 2, 1].into()));
    assert_eq!((tunnels[0].color(), tunnels[0].udp_port(), tunnels[0].protocol()), (Some(100), Some(4789), None));
    assert!(tunnels[0].sub_tlvs().eq(sub_tlvs));
}

/// RFC 8669 section 3, RFC 9252 sections 2 and 3.
#[test]
fn segment_identifiers_of_a_prefix_are_read() {
    let structure = SidStructure { block: 40, node: 24, function: 16, argument: 0, transposed: 16, transposed_at: 64 };
    let sid = Srv6Sid { sid: "2001:db8:1::".parse().unwrap(), flags: 0, behavior: 71, structure: Some(structure) };
    let service = [
        &[5, 0, 34, 0, 1, 0, 30, 0, 0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 71, 0][..],
        &[1, 0, 6, 40, 24, 16, 0, 16, 64],
    ]
    .concat();
    let value =
        [&[1, 0, 7, 0, 0, 0, 0, 0, 0, 100], &[3, 0, 8, 0, 0, 0, 0x3e, 0x80, 0, 0x1f, 0x40][..], &service].concat();
    let octets = announcing_with(&[&[0xc0, 40, value.len() as u8], &value[..]].concat());
    let update = Update::parse(&octets, &EXTERNAL).unwrap();
    assert_eq!(update.action(), None);
    let encoded = Srv6Service::encode(&[sid]);
    let expected = [
        PrefixSidTlv::LabelIndex { flags: 0, index: 100 },
        PrefixSidTlv::OriginatorSrgb { flags: 0, ranges: &[[0, 0x3e, 0x80, 0, 0x1f, 0x40]] },
        PrefixSidTlv::Srv6L3Service(Srv6Service::from_octets(&encoded).unwrap()),
    ];
    let found: Vec<_> = update.attributes().prefix_sid().collect();
    assert_eq!(found, expected);
    let Some(PrefixSidTlv::Srv6L3Service(service)) = found.last() else { panic!("a service") };
    assert_eq!(service.sids().collect::<Vec<_>>(), [sid]);
    let built = AttributesBuilder::from_canonical(&canonical(&update)).prefix_sid(found).build();
    assert_eq!(built, canonical(&update));
}

#[test]
fn the_reserved_octet_of_a_label_index_is_ignored() {
    let octets = announcing_with(&[0xc0, 40, 10, 1, 0, 7, 0xff, 0, 0, 0, 0, 0, 100]);
    let update = Update::parse(&octets, &EXTERNAL).unwrap();
    let index = PrefixSidTlv::LabelIndex { flags: 0, index: 100 };
    assert_eq!((update.action(), update.attributes().prefix_sid().collect()), (None, vec![index]));
}

#[test]
fn what_is_said_of_a_link_is_carried_unread() {
    let octets = announcing_with(&[0x80, 29, 8, 4, 4, 0, 4, 10, 0, 0, 1]);
    let update = Update::parse(&octets, &EXTERNAL).unwrap();
    assert_eq!(update.attributes().link_state(), Some(&[4, 4, 0, 4, 10, 0, 0, 1][..]));
    assert_eq!(Attributes::canonical(&canonical(&update)).link_state(), update.attributes().link_state());
}

#[test]
fn an_accumulated_metric_is_written_only_where_it_is_put_in() {
    let block = AttributesBuilder::new(Origin::Igp).aigp(Some(256)).build();
    let mut out = BytesMut::new();
    let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, ..EncodeCtx::default() });
    let key = "10.0.0.0/8".parse().unwrap();
    encoder.announce::<Ipv4Unicast>(&block, NextHop::Ipv4([192, 0, 2, 1].into()), [(None, key)], &mut out).unwrap();
    let update = Update::parse(&out, &INTERNAL).unwrap();
    assert_eq!(update.attributes().aigp(), Some(256));
    assert_eq!(Attributes::canonical(&canonical(&update)).aigp(), None, "and not passed on by itself");
}

/// Octets from the RFC of each kind, their meaning, and the text.
#[test]
fn extended_communities_say_what_they_mean() {
    let mac = Mac([0, 0x53, 0, 0, 0, 1]);
    let cases = [
        (
            [0x40, 4, 0xfb, 0xf4, 0x47, 0xf4, 0x24, 0],
            TypedCommunity::LinkBandwidth { asn: 64500, bandwidth: 125_000. },
            "link-bandwidth:64500:125000",
        ),
        ([3, 0x0b, 0, 0, 0, 0, 0, 100], TypedCommunity::Color { flags: 0, color: 100 }, "color:100"),
        ([3, 0x0c, 0, 0, 0, 0, 0, 8], TypedCommunity::Encapsulation(8), "encapsulation:vxlan"),
        ([3, 0x0c, 0, 0, 0, 0, 0, 99], TypedCommunity::Encapsulation(99), "encapsulation:99"),
        ([3, 0x0d, 0, 0, 0, 0, 0, 0], TypedCommunity::DefaultGateway, "default-gateway"),
        ([6, 0, 1, 0, 0, 0, 0, 5], TypedCommunity::MacMobility { flags: 1, sequence: 5 }, "mac-mobility:5:sticky"),
        ([6, 0, 0, 0, 0, 0, 0, 5], TypedCommunity::MacMobility { flags: 0, sequence: 5 }, "mac-mobility:5"),
        (
            [6, 1, 1, 0, 0, 0, 3, 0xe8],
            TypedCommunity::EsiLabel { flags: 1, label: 1000 },
            "esi-label:1000:single-active",
        ),
        ([6, 2, 0, 0x53, 0, 0, 0, 1], TypedCommunity::EsImport(mac), "es-import:00:53:00:00:00:01"),
        ([6, 3, 0, 0x53, 0, 0, 0, 1], TypedCommunity::RouterMac(mac), "router-mac:00:53:00:00:00:01"),
    ];
    for (octets, typed, text) in cases {
        let community = ExtendedCommunity(octets);
        assert_eq!((community.typed(), community.to_string().as_str()), (typed, text));
        assert_eq!((ExtendedCommunity::from(typed), text.parse()), (community, Ok(community)));
    }
    let route_target = Ipv6ExtendedCommunity::route_target("2001:db8::1".parse().unwrap(), 100);
    assert_eq!(route_target.to_string(), "rt:[2001:db8::1]:100");
    let octets = announcing_with(&[&[0xc0, 25, 20], &route_target.0[..]].concat());
    let update = Update::parse(&octets, &EXTERNAL).unwrap();
    assert_eq!(update.attributes().ipv6_ext_communities().collect::<Vec<_>>(), [route_target]);
}

proptest! {
    #[test]
    fn whatever_attributes_there_are_come_back_the_same(as4: bool, block in attributes()) {
        let mut out = BytesMut::new();
        let ctx = EncodeCtx { as4, extended_message: true, ..EncodeCtx::default() };
        let key = "10.0.0.0/8".parse().unwrap();
        let next_hop = NextHop::Ipv4([192, 0, 2, 1].into());
        UpdateEncoder::new(ctx).announce::<Ipv4Unicast>(&block, next_hop, [(None, key)], &mut out).unwrap();
        let reader = DecodeCtx { as4, extended_message: true, peer: PeerKind::Internal, ..DecodeCtx::default() };
        let update = Update::parse(&out, &reader).unwrap();
        prop_assert_eq!(update.action(), None, "{:?}", update.faults().collect::<Vec<_>>());
        let expected = AttributesBuilder::from_canonical(&block).aigp(None).build();
        prop_assert_eq!(canonical(&update), expected);
        prop_assert_eq!(update.attributes().aigp(), Attributes::canonical(&block).aigp());
        prop_assert_eq!(AttributesBuilder::from_canonical(&block).build(), block);
    }

    #[test]
    fn the_parts_of_attributes_are_written_as_they_were_read(block in attributes()) {
        let attributes = Attributes::canonical(&block);
        let mut builder = AttributesBuilder::from_canonical(&block);
        builder.ext_communities(attributes.ext_communities().map(|community| ExtendedCommunity::from(community.typed())));
        builder.pmsi_tunnel(attributes.pmsi_tunnel()).prefix_sid(attributes.prefix_sid());
        let mut tunnels = Vec::new();
        attributes.tunnels().for_each(|tunnel| Tunnel::encode(tunnel.kind, tunnel.sub_tlvs(), &mut tunnels));
        builder.tunnels(&tunnels);
        prop_assert_eq!(builder.build(), block);
    }

    #[test]
    fn any_octets_are_a_value_of_an_attribute_or_a_fault(kind in prop::sample::select(vec![22u8, 23, 25, 26, 29, 40]), value in vec(prop_oneof![0..8u8, any::<u8>()], 0..80)) {
        let flags = if matches!(kind, code::AIGP | code::LINK_STATE) { 0x80 } else { 0xc0 };
        let octets = announcing_with(&[&[flags, kind, value.len() as u8], &value[..]].concat());
        let update = Update::parse(&octets, &EXTERNAL).unwrap();
        let attributes = update.attributes();
        let _ = attributes.pmsi_tunnel().map(|tunnel| (tunnel.to_string(), tunnel.endpoint()));
        for tunnel in attributes.tunnels() {
            let _ = (tunnel.endpoint(), tunnel.color(), tunnel.protocol(), tunnel.udp_port(), tunnel.sub_tlvs().count());
        }
        let sids: usize = attributes.prefix_sid().map(|tlv| match tlv {
            PrefixSidTlv::Srv6L3Service(service) | PrefixSidTlv::Srv6L2Service(service) => service.sids().count(),
            _ => 0,
        }).sum();
        prop_assert!(sids <= value.len());
        prop_assert_eq!(update.action().is_none(), attributes.get(kind).is_some());
        prop_assert!(update.action().is_none_or(|action| action < Action::SessionReset));
    }
}
