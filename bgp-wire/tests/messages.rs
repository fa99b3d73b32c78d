//! Each message from and to octets that were written down by hand.

mod util;

use bgp_wire::notification::cease;
use bgp_wire::{
    AddPath, AddPathMode, AfiSafi, Capability, DecodeCtx, ErrorCode, ExtendedNextHop, FamilySet, GracefulRestart,
    GracefulRestartFamily, Message, NextHop, Notification, Open, OpenBuf, Origin, PeerKind, RefreshSubtype, Role,
    RouteRefresh, SegmentKind, Update, frame,
};
use bytes::Bytes;
use util::*;

fn error(octets: &[u8]) -> (u8, u8, Vec<u8>) {
    let malformed = Message::parse(octets, &EXTERNAL).expect_err("refused");
    let notification = Notification::from(&malformed);
    (notification.code, notification.subcode, notification.data.to_vec())
}

fn open(octets: &[u8]) -> Open<'_> {
    match Message::parse(octets, &EXTERNAL) {
        Ok(Message::Open(open)) => open,
        other => panic!("not an OPEN: {other:?}"),
    }
}

#[test]
fn a_header_that_is_not_complete_is_waited_for() {
    assert_eq!(frame::peek(&frame::KEEPALIVE_MESSAGE[..18], frame::MAX_LEN), Ok(None));
    assert_eq!(frame::peek(&frame::KEEPALIVE_MESSAGE, frame::MAX_LEN), Ok(Some(19)));
    let long = message(2, &[0; 100]);
    assert_eq!(
        frame::peek(&long[..30], frame::MAX_LEN),
        Ok(Some(119)),
        "the length is known before the message is all there"
    );
}

#[test]
fn header_errors_carry_what_the_rfc_asks_for() {
    let mut marker = frame::KEEPALIVE_MESSAGE;
    marker[3] = 0;
    assert_eq!(error(&marker), (1, 1, vec![]));
    assert_eq!(error(&message(9, &[])), (1, 3, vec![9]));
    assert_eq!(error(&message(4, &[0])), (1, 2, vec![0, 20]), "a KEEPALIVE with a body");
    assert_eq!(error(&message(2, &[0, 0])), (1, 2, vec![0, 21]), "an UPDATE too short for its length fields");
    assert_eq!(error(&message(2, &[0; 4090])), (1, 2, vec![0x10, 0x0d]), "a message longer than 4096");
    assert_eq!(error(&frame::KEEPALIVE_MESSAGE[..10]).1, 2, "part of a message");
}

#[test]
fn extended_messages_may_be_long_but_open_may_not() {
    let extended = DecodeCtx { extended_message: true, ..EXTERNAL };
    let mut body = vec![0, 0, 0x20, 0];
    body.extend_from_slice(&[0xd0, 99, 0x1f, 0xfc]);
    body.extend_from_slice(&[0; 0x1ffc]);
    assert!(matches!(Message::parse(&message(2, &body), &extended), Ok(Message::Update(_))));
    let open = message(1, &[0; 5000]);
    assert_eq!(Message::parse(&open, &extended).expect_err("too long").code, ErrorCode::BadMessageLength);
}

#[test]
fn an_open_is_read_with_all_its_capabilities() {
    let capabilities: &[u8] = &[
        1, 4, 0, 2, 0, 1, // IPv6 unicast
        2, 0, // route refresh
        5, 6, 0, 1, 0, 1, 0, 2, // IPv4 unicast with IPv6 next hops
        6, 0, // extended message
        9, 1, 3, // customer
        64, 6, 0x80, 0x78, 0, 1, 1, 0x80, // graceful restart
        65, 4, 0, 0x01, 0x86, 0xa0, // AS 100000
        69, 4, 0, 1, 1, 3, // add-path both ways
        70, 0, // enhanced refresh
        73, 10, 4, b'l', b'e', b'a', b'f', 4, b't', b'e', b's', b't', // name
        200, 2, 0xab, 0xcd, // unknown
    ];
    let mut body = vec![4, 0x5b, 0xa0, 0, 90, 10, 0, 0, 1, capabilities.len() as u8 + 2, 2, capabilities.len() as u8];
    body.extend_from_slice(capabilities);
    let octets = message(1, &body);
    let open = open(&octets);
    assert_eq!((open.my_as, open.asn(), open.four_octet_as()), (23456, 100_000, Some(100_000)));
    assert_eq!((open.hold_time, open.identifier.to_string()), (90, "10.0.0.1".to_owned()));
    let expected = [
        Capability::Multiprotocol(AfiSafi::IPV6_UNICAST),
        Capability::RouteRefresh,
        Capability::ExtendedNextHop(vec![ExtendedNextHop { family: AfiSafi::IPV4_UNICAST, next_hop_afi: 2 }]),
        Capability::ExtendedMessage,
        Capability::Role(Role::Customer),
        Capability::GracefulRestart(GracefulRestart {
            restarted: true,
            notification: false,
            restart_time: 120,
            families: vec![GracefulRestartFamily { family: AfiSafi::IPV4_UNICAST, forwarding_kept: true }],
        }),
        Capability::FourOctetAs(100_000),
        Capability::AddPath(vec![AddPath { family: AfiSafi::IPV4_UNICAST, mode: AddPathMode::Both }]),
        Capability::EnhancedRouteRefresh,
        Capability::Fqdn { host: "leaf".into(), domain: "test".into() },
        Capability::Unknown { code: 200, value: Bytes::from_static(&[0xab, 0xcd]) },
    ];
    assert_eq!(open.capabilities().collect::<Vec<_>>(), expected);
    assert_eq!(encode(|out| OpenBuf::from(open).encode(out)), octets, "and written the same");
}

#[test]
fn capabilities_in_several_parameters_are_all_read() {
    let octets = message(1, &[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 8, 2, 2, 2, 0, 2, 2, 70, 0]);
    assert_eq!(
        open(&octets).capabilities().collect::<Vec<_>>(),
        [Capability::RouteRefresh, Capability::EnhancedRouteRefresh]
    );
}

#[test]
fn a_capability_of_a_length_not_its_own_is_kept_as_octets() {
    let octets = message(1, &[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 5, 2, 3, 65, 1, 7]);
    let unknown = Capability::Unknown { code: 65, value: Bytes::from_static(&[7]) };
    assert_eq!(open(&octets).capabilities().collect::<Vec<_>>(), [unknown]);
    assert_eq!(open(&octets).asn(), 64500);
}

#[test]
fn parameters_beyond_255_octets_use_the_extended_form() {
    let value = Bytes::from(vec![7; 200]);
    let capabilities =
        vec![Capability::Unknown { code: 201, value: value.clone() }, Capability::Unknown { code: 202, value }];
    let sent = OpenBuf { asn: 64500, hold_time: 90, identifier: [10, 0, 0, 1].into(), capabilities };
    let octets = encode(|out| sent.encode(out));
    assert_eq!(octets[28..35], [255, 255, 0x01, 0x97, 2, 0x01, 0x94]);
    let received = open(&octets);
    assert!(received.extended_parameters());
    assert_eq!(OpenBuf::from(received), sent);
}

#[test]
fn open_errors_carry_what_the_rfc_asks_for() {
    let with = |body: &[u8]| error(&message(1, body));
    assert_eq!(with(&[3, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 0]), (2, 1, vec![0, 4]), "version 3");
    assert_eq!(with(&[4, 0, 0, 0, 90, 10, 0, 0, 1, 0]).1, 2, "AS 0");
    assert_eq!(with(&[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 8, 2, 6, 65, 4, 0, 0, 0, 0]).1, 2, "AS 0 in four octets");
    assert_eq!(with(&[4, 0xfb, 0xf4, 0, 90, 0, 0, 0, 0, 0]).1, 3, "identifier 0.0.0.0");
    assert_eq!(with(&[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 3, 1, 1, 0]).1, 4, "an authentication parameter");
    assert_eq!(with(&[4, 0xfb, 0xf4, 0, 2, 10, 0, 0, 1, 0]).1, 6, "a hold time of two seconds");
    assert_eq!(with(&[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 9]), (2, 0, vec![]), "parameters shorter than said");
    assert_eq!(with(&[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 4, 2, 2, 1, 4]), (2, 0, vec![]), "a capability cut short");
    assert_eq!(with(&[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1]), (1, 2, vec![0, 28]), "too short for its fixed fields");
}

#[test]
fn an_update_is_read_with_all_its_attributes() {
    let attributes: &[&[u8]] = &[
        ORIGIN,
        &[0x40, 2, 16, 2, 2, 0, 0, 0xfb, 0xf4, 0, 1, 0x86, 0xa0, 1, 1, 0, 0, 0xfb, 0xf5],
        NEXT_HOP,
        &[0x80, 4, 4, 0, 0, 0, 20],
        &[0x40, 5, 4, 0, 0, 0, 200],
        &[0x40, 6, 0],
        &[0xc0, 7, 8, 0, 0, 0xfb, 0xf4, 10, 0, 0, 9],
        &[0xc0, 8, 8, 0xfb, 0xf4, 0, 100, 0xff, 0xff, 0xff, 1],
        &[0x80, 9, 4, 10, 0, 0, 7],
        &[0x80, 10, 8, 10, 0, 0, 8, 10, 0, 0, 9],
        &[0xc0, 16, 8, 0, 2, 0xfb, 0xf4, 0, 0, 0, 100],
        &[0xc0, 32, 12, 0, 0, 0xfb, 0xf4, 0, 0, 0, 1, 0, 0, 0, 2],
        &[0xc0, 35, 4, 0, 0, 0xfb, 0xf4],
        &[0xc0, 99, 2, 1, 2],
    ];
    let octets = update(&[8, 10], attributes, &[24, 198, 51, 100, 32, 192, 0, 2, 9, 0, 20, 172, 16, 0xff]);
    let update = Update::parse(&octets, &INTERNAL).unwrap();
    assert_eq!(update.action(), None);
    assert_eq!(routes(&update), ["198.51.100.0/24", "192.0.2.9/32", "0.0.0.0/0", "172.16.240.0/20"]);
    assert_eq!(update.withdrawn().map(|(_, key)| key.to_string()).collect::<Vec<_>>(), ["10.0.0.0/8"]);
    assert_eq!(update.next_hop(), Some(NextHop::Ipv4([192, 0, 2, 1].into())));
    let attributes = update.attributes();
    assert_eq!(attributes.origin(), Some(Origin::Igp));
    assert_eq!(attributes.as_path().to_string(), "64500 100000 {64501}");
    assert_eq!(attributes.as_path().path_length(), 3);
    assert_eq!((attributes.as_path().first_as(), attributes.as_path().origin_as()), (Some(64500), None));
    assert_eq!((attributes.med(), attributes.local_pref()), (Some(20), Some(200)));
    assert!(attributes.atomic_aggregate());
    assert_eq!(attributes.aggregator().map(|aggregator| aggregator.to_string()).as_deref(), Some("64500 10.0.0.9"));
    assert_eq!(attributes.communities().map(|c| c.to_string()).collect::<Vec<_>>(), ["64500:100", "no-export"]);
    assert_eq!(attributes.ext_communities().map(|c| c.to_string()).collect::<Vec<_>>(), ["rt:64500:100"]);
    assert_eq!(attributes.large_communities().map(|c| c.to_string()).collect::<Vec<_>>(), ["64500:1:2"]);
    assert_eq!(attributes.originator_id().map(|id| id.to_string()).as_deref(), Some("10.0.0.7"));
    assert_eq!(attributes.cluster_list().map(|id| id.to_string()).collect::<Vec<_>>(), ["10.0.0.8", "10.0.0.9"]);
    assert_eq!(attributes.only_to_customer(), Some(64500));
    assert_eq!(
        attributes.unknown().map(|attribute| (attribute.code, attribute.value)).collect::<Vec<_>>(),
        [(99, &[1, 2][..])]
    );
}

#[test]
fn ipv6_routes_come_with_one_or_two_next_hops() {
    let reach = |next_hop: &[u8]| {
        let value = [&[0, 2, 1, next_hop.len() as u8], next_hop, &[0, 32, 0x20, 0x01, 0x0d, 0xb8, 0]].concat();
        update(&[], &[&[0x80, 14, value.len() as u8], &value, ORIGIN, AS_PATH], &[])
    };
    let global = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let link_local = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    for (octets, expected) in
        [(reach(&global), "2001:db8::1"), (reach(&[global, link_local].concat()), "2001:db8::1 fe80::2")]
    {
        let update = Update::parse(&octets, &EXTERNAL).unwrap();
        let reach = update.mp_reach().unwrap();
        assert_eq!(reach.family, AfiSafi::IPV6_UNICAST);
        assert_eq!(reach.next_hop().unwrap().to_string(), expected);
        assert_eq!(
            reach.ipv6().unwrap().map(|(_, key)| key.to_string()).collect::<Vec<_>>(),
            ["2001:db8::/32", "::/0"]
        );
        assert!(reach.ipv4().is_none());
    }
}

#[test]
fn ipv4_routes_take_an_ipv6_next_hop_only_where_that_was_negotiated() {
    let reach = [&[0x80, 14, 25, 0, 1, 1, 16][..], &[0x20; 16], &[0, 24, 198, 51, 100]].concat();
    let octets = update(&[], &[&reach, ORIGIN, AS_PATH], &[]);
    assert!(Update::parse(&octets, &EXTERNAL).is_err());
    let negotiated = DecodeCtx { extended_next_hop: FamilySet::ALL, ..EXTERNAL };
    let update = Update::parse(&octets, &negotiated).unwrap();
    let reach = update.mp_reach().unwrap();
    assert!(matches!(reach.next_hop(), Some(NextHop::Ipv6(_))));
    assert_eq!(reach.ipv4().unwrap().map(|(_, key)| key.to_string()).collect::<Vec<_>>(), ["198.51.100.0/24"]);
}

#[test]
fn path_identifiers_are_read_where_they_were_negotiated() {
    let ctx = DecodeCtx { add_path: FamilySet::EMPTY.with(AfiSafi::IPV4_UNICAST), ..EXTERNAL };
    let octets = update(&[0, 0, 0, 9, 8, 10], &[ORIGIN, AS_PATH, NEXT_HOP], &[0, 0, 1, 0, 24, 198, 51, 100]);
    let update = Update::parse(&octets, &ctx).unwrap();
    assert_eq!(update.nlri().next(), Some((Some(256), "198.51.100.0/24".parse().unwrap())));
    assert_eq!(update.withdrawn().next(), Some((Some(9), "10.0.0.0/8".parse().unwrap())));
}

#[test]
fn a_family_that_is_not_known_is_passed_over() {
    let reach = [0x80, 14, 9, 0, 25, 66, 1, 7, 0, 1, 2, 3];
    let octets = update(&[], &[&reach, ORIGIN, AS_PATH], &[]);
    let update = Update::parse(&octets, &EXTERNAL).unwrap();
    let reach = update.mp_reach().unwrap();
    assert_eq!(reach.family.to_string(), "afi-25-safi-66");
    assert_eq!((reach.next_hop(), reach.nlri_octets), (None, &[1, 2, 3][..]));
    assert!(reach.ipv4().is_none() && reach.ipv6().is_none());
}

#[test]
fn the_end_of_a_family_is_seen_in_either_form() {
    let end = |octets: &[u8]| Update::parse(octets, &EXTERNAL).unwrap().end_of_rib();
    assert_eq!(end(&update(&[], &[], &[])), Some(AfiSafi::IPV4_UNICAST));
    assert_eq!(end(&update(&[], &[&[0x80, 15, 3, 0, 2, 1]], &[])), Some(AfiSafi::IPV6_UNICAST));
    assert_eq!(end(&update(&[8, 10], &[], &[])), None);
    assert_eq!(end(&update(&[], &[&[0x80, 15, 4, 0, 2, 1, 0]], &[])), None);
    assert_eq!(end(&update(&[], &[ORIGIN, &[0x80, 15, 3, 0, 2, 1]], &[])), None);
    let discarded = [0x40, 5, 4, 0, 0, 0, 1];
    assert_eq!(end(&update(&[], &[&[0x80, 15, 3, 0, 2, 1], &discarded], &[])), None, "one that is discarded counts");
    assert_eq!(end(&update(&[], &[&discarded, &[0x80, 15, 3, 0, 2, 1]], &[])), None, "one that is discarded counts");
}

#[test]
fn as4_path_fills_in_what_two_octets_could_not_hold() {
    let merged = |as_path: &[u8], more: &[&[u8]]| {
        let as_path = [&[0x40, 2, as_path.len() as u8], as_path].concat();
        let octets = update(&[], &[&[ORIGIN, &as_path, NEXT_HOP], more].concat(), PREFIX);
        Update::parse(&octets, &NARROW).unwrap().attributes().as_path().to_string()
    };
    let trans = [0x5b, 0xa0];
    let three = [&[2, 3, 0xfb, 0xf4][..], &trans, &trans].concat();
    let as4_path = [0xc0, 17, 10, 2, 2, 0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa1];
    assert_eq!(merged(&three, &[&as4_path]), "64500 100000 100001");
    assert_eq!(merged(&[2, 1, 0xfb, 0xf4], &[&as4_path]), "64500", "a longer AS4_PATH is not believed");
    assert_eq!(merged(&[&[2, 2][..], &trans, &trans].concat(), &[&as4_path]), "100000 100001");
    let aggregator = [0xc0, 7, 6, 0xfb, 0xf4, 10, 0, 0, 9];
    let as4_aggregator = [0xc0, 18, 8, 0, 1, 0x86, 0xa0, 10, 0, 0, 9];
    assert_eq!(
        merged(&three, &[&aggregator, &as4_path, &as4_aggregator]),
        "64500 23456 23456",
        "aggregated on the way"
    );
    let confed = [0xc0, 17, 16, 3, 1, 0, 0, 0, 9, 2, 2, 0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa1];
    assert_eq!(merged(&three, &[&confed]), "64500 100000 100001", "confederation segments do not belong there");
    let set = [&[2, 1, 0xfb, 0xf4, 1, 2][..], &trans, &trans].concat();
    let as4_set = [0xc0, 17, 10, 1, 2, 0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa1];
    assert_eq!(merged(&set, &[&as4_set]), "64500 {100000,100001}");
}

#[test]
fn confederation_segments_next_to_a_prepended_segment_are_prepended() {
    let value = [2, 1, 0xfb, 0xf4, 3, 1, 0, 9, 2, 1, 0x5b, 0xa0];
    let as_path = [&[0x40, 2, value.len() as u8][..], &value].concat();
    let as4_path = [0xc0, 17, 6, 2, 1, 0, 1, 0x86, 0xa0];
    let octets = update(&[], &[ORIGIN, &as_path, NEXT_HOP, &as4_path], PREFIX);
    let narrow = DecodeCtx { peer: PeerKind::Confederation, ..NARROW };
    let update = Update::parse(&octets, &narrow).unwrap();
    assert_eq!(update.attributes().as_path().to_string(), "64500 (9) 100000");
    assert_eq!(update.attributes().as_path().path_length(), 2);
}

#[test]
fn a_merged_path_is_one_sequence_not_two() {
    let as_path = [0x40, 2, 6, 2, 2, 0xfb, 0xf4, 0x5b, 0xa0];
    let octets = update(&[], &[ORIGIN, &as_path, NEXT_HOP, &[0xc0, 17, 6, 2, 1, 0, 1, 0x86, 0xa0]], PREFIX);
    let update = Update::parse(&octets, &NARROW).unwrap();
    let segments: Vec<_> =
        update.attributes().as_path().segments().map(|s| (s.kind, s.asns.collect::<Vec<_>>())).collect();
    assert_eq!(segments, [(SegmentKind::Sequence, vec![64500, 100_000])]);
}

#[test]
fn the_index_of_an_update_gives_the_same_view_elsewhere() {
    let octets = Bytes::from(announcing_with(&[0x80, 4, 1, 0]));
    let index = Update::parse(&octets, &EXTERNAL).unwrap().index();
    let elsewhere = std::thread::spawn({
        let octets = octets.clone();
        move || {
            let update = Update::from_index(&octets, &index);
            (routes(&update), update.action(), update.faults().count(), update.attributes().med())
        }
    });
    let update = Update::parse(&octets, &EXTERNAL).unwrap();
    let here = (routes(&update), update.action(), update.faults().count(), update.attributes().med());
    assert_eq!(elsewhere.join().unwrap(), here);
}

#[test]
fn a_notification_is_shown_by_name_with_the_operators_text() {
    let octets = message(3, b"\x06\x02\x0bmaintenance");
    let Ok(Message::Notification(notification)) = Message::parse(&octets, &EXTERNAL) else { panic!("a NOTIFICATION") };
    assert_eq!(notification, Notification::cease_with_text(cease::ADMINISTRATIVE_SHUTDOWN, "maintenance"));
    assert_eq!(notification.to_string(), "cease: administrative shutdown (\"maintenance\")");
    assert_eq!(encode(|out| notification.encode(out)), octets);
    assert_eq!(Notification::new(4, 0).to_string(), "hold timer expired");
    assert_eq!(Notification::new(2, 99).to_string(), "OPEN message error: subcode 99");
    assert_eq!(Notification::new(77, 0).to_string(), "error code 77");
}

#[test]
fn a_shutdown_text_is_cut_at_a_character_and_never_trusted() {
    let text = "é".repeat(200);
    let notification = Notification::cease_with_text(cease::ADMINISTRATIVE_RESET, &text);
    assert_eq!(notification.shutdown_communication().unwrap().chars().count(), 127);
    let with_data = |data: &'static [u8]| Notification { data: Bytes::from_static(data), ..Notification::cease(2) };
    assert_eq!(with_data(b"\x05abc").shutdown_communication(), None, "longer than the data");
    assert_eq!(with_data(b"\x02\xff\xfe").shutdown_communication(), None, "not UTF-8");
    assert_eq!(with_data(b"\x00").shutdown_communication(), None, "empty");
    assert_eq!(with_data(b"").shutdown_communication(), None);
}

#[test]
fn route_refresh_asks_and_marks() {
    for (octet, subtype) in [
        (0, RefreshSubtype::Request),
        (1, RefreshSubtype::BeginOfRr),
        (2, RefreshSubtype::EndOfRr),
        (9, RefreshSubtype::Other(9)),
    ] {
        let octets = message(5, &[0, 2, octet, 1]);
        let Ok(Message::RouteRefresh(refresh)) = Message::parse(&octets, &EXTERNAL) else { panic!("a ROUTE-REFRESH") };
        assert_eq!(refresh, RouteRefresh { family: AfiSafi::IPV6_UNICAST, subtype });
        assert_eq!(encode(|out| refresh.encode(out)), octets);
    }
    assert_eq!(error(&message(5, &[0, 2, 1])), (1, 2, vec![0, 22]));
    let marker = message(5, &[0, 2, 1, 1, 0]);
    assert_eq!(error(&marker), (7, 1, marker), "a marker carries nothing more");
    assert!(Message::parse(&message(5, &[0, 2, 0, 1, 0, 0]), &EXTERNAL).is_ok(), "a request may carry filters");
}
