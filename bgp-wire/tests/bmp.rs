//! BMP messages of every type: what is read is written again, and what is wrong is told with its place.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod util;

use bgp_wire::bmp::{
    BmpError, BmpFault, Counter, CounterValue, DownReason, Message, PeerDown, PeerHeader, PeerType, PeerUp, Rib,
    RouteMirroring, RouteMonitoring, Statistics, Tlv, Tlvs, counter, information, mirroring, peek, termination,
};
use bgp_wire::{AfiSafi, FamilySet, Message as Bgp, RouteDistinguisher};
use std::net::IpAddr;
use util::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn header() -> PeerHeader {
    PeerHeader { seconds: 1_000, microseconds: 5, ..PeerHeader::new(PEER, 64500, [10, 0, 0, 2].into()) }
}

fn tlvs(items: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    items.iter().for_each(|(kind, value)| Tlv { kind: *kind, value }.write(&mut out).unwrap());
    out
}

/// An OPEN with these capabilities.
fn open(capabilities: &[u8]) -> Vec<u8> {
    let len = capabilities.len() as u8;
    message(1, &[&[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, len + 2, 2, len][..], capabilities].concat())
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out).unwrap();
    out
}

#[track_caller]
fn comes_back(message: Message<'_>) -> Vec<u8> {
    let octets = written(&message);
    assert_eq!(peek(&octets), Ok(Some(octets.len())));
    let read = Message::parse(&octets).unwrap();
    assert_eq!(read, message);
    assert_eq!(written(&read), octets);
    octets
}

#[test]
fn every_type_of_message_is_read_as_it_was_written() {
    let update = announcing_with(&[]);
    let notification = message(3, &[6, 2]);
    let (sent, received) = (open(&[]), open(&[65, 4, 0, 0, 0xfb, 0xf4]));
    let strings = tlvs(&[(information::SYS_NAME, b"leaf01"), (information::STRING, "grün".as_bytes())]);
    let ended = tlvs(&[(termination::REASON, &termination::REDUNDANT.to_be_bytes())]);
    let mirrored = tlvs(&[(mirroring::INFORMATION, &[0, 1]), (mirroring::MESSAGE, &update)]);
    let peer = header();
    comes_back(Message::RouteMonitoring(RouteMonitoring { peer, message: &update }));
    comes_back(Message::Initiation(Tlvs::new(&strings).unwrap()));
    comes_back(Message::Termination(Tlvs::new(&ended).unwrap()));
    comes_back(Message::RouteMirroring(RouteMirroring { peer, items: Tlvs::new(&mirrored).unwrap() }));
    comes_back(Message::Other { kind: 9, octets: &[1, 2, 3] });
    comes_back(Message::PeerUp(PeerUp {
        peer,
        local_address_octets: [0; 16],
        local_port: 179,
        remote_port: 40_000,
        sent_open: &sent,
        received_open: &received,
        information: Tlvs::new(&strings).unwrap(),
    }));
    let table = tlvs(&[(information::TABLE_NAME, b"blue")]);
    for reason in [
        DownReason::LocalNotification(&notification),
        DownReason::LocalEvent(18),
        DownReason::RemoteNotification(&notification),
        DownReason::RemoteClosed,
        DownReason::Deconfigured,
        DownReason::LocalClosed(Tlvs::new(&table).unwrap()),
        DownReason::Other { reason: 200, octets: &[1] },
    ] {
        comes_back(Message::PeerDown(PeerDown { peer, reason }));
    }
}

#[test]
fn a_monitored_update_is_parsed_as_the_peer_header_says() {
    let narrow = update(&[], &[ORIGIN, &[0x40, 2, 4, 2, 1, 0xfb, 0xf4], NEXT_HOP], PREFIX);
    let peer = PeerHeader { flags: PeerHeader::NARROW_AS, ..header() };
    let octets = written(&Message::RouteMonitoring(RouteMonitoring { peer, message: &narrow }));
    let Message::RouteMonitoring(monitoring) = Message::parse(&octets).unwrap() else { panic!("route monitoring") };
    let Ok(Bgp::Update(update)) = Bgp::parse(monitoring.message, &monitoring.peer.ctx(FamilySet::EMPTY)) else {
        panic!("an UPDATE")
    };
    assert_eq!((update.action(), update.attributes().as_path().to_string()), (None, "64500".to_owned()));
    assert_eq!(routes(&update), ["198.51.100.0/24"]);
}

#[test]
fn counters_have_the_type_that_their_number_says() {
    let mut octets = Vec::new();
    let counters = [
        Counter { kind: counter::REJECTED, value: CounterValue::Count(7) },
        Counter { kind: counter::ADJ_RIB_IN, value: CounterValue::Gauge(1 << 40) },
        Counter { kind: counter::FAMILY_OUT_POST_POLICY, value: CounterValue::FamilyGauge(AfiSafi::IPV6_UNICAST, 3) },
        Counter { kind: counter::LOC_RIB, value: CounterValue::Other(&[1, 2, 3, 4]) },
        Counter { kind: 999, value: CounterValue::Other(&[9]) },
    ];
    counters.iter().for_each(|counter| counter.write(&mut octets).unwrap());
    let statistics = Statistics::new(header(), &octets).unwrap();
    assert_eq!(statistics.iter().collect::<Vec<_>>(), counters);
    let names: Vec<_> = statistics.iter().map(|counter| counter.name()).collect();
    assert_eq!(names, [Some("rejected"), Some("adj-rib-in"), Some("family-out-post-policy"), Some("loc-rib"), None]);
    let mut message = comes_back(Message::Statistics(statistics));
    message[6 + PeerHeader::LEN + 3] += 1;
    assert_eq!(Message::parse(&message), Err(BmpError { offset: 48, fault: BmpFault::Count }));
}

#[test]
fn the_table_and_the_addresses_are_told_by_type_and_flags() {
    let of = |peer_type, flags| PeerHeader { peer_type, flags, ..header() };
    let ribs = [
        (of(PeerType::Global, 0), Rib::InPrePolicy),
        (of(PeerType::Distinguished, PeerHeader::POST_POLICY), Rib::InPostPolicy),
        (of(PeerType::Local, PeerHeader::OUT), Rib::OutPrePolicy),
        (of(PeerType::Global, PeerHeader::OUT | PeerHeader::POST_POLICY), Rib::OutPostPolicy),
        (of(PeerType::LocRib, PeerHeader::IPV6), Rib::Local),
    ];
    for (header, rib) in ribs {
        assert_eq!(header.rib(), rib);
    }
    assert_eq!(header().address(), Some(PEER));
    let v6: IpAddr = "2001:db8::7".parse().unwrap();
    assert_eq!(PeerHeader::new(v6, 1, [10, 0, 0, 2].into()).address(), Some(v6));
    assert_eq!((ribs[4].0.address(), ribs[4].0.is_filtered()), (None, true));
    assert_eq!(header().distinguisher, RouteDistinguisher([0; 8]));
}

#[test]
fn path_identifiers_come_where_both_opens_agreed_on_that_direction() {
    // Send and receive IPv4 unicast; receive only.
    let (both, receives) = (open(&[69, 4, 0, 1, 1, 3]), open(&[69, 4, 0, 1, 1, 1]));
    let add_path = |flags, sent_open: &[u8], received_open: &[u8]| {
        let peer = PeerHeader { flags, ..header() };
        let up = PeerUp {
            peer,
            local_address_octets: [0; 16],
            local_port: 0,
            remote_port: 0,
            sent_open,
            received_open,
            information: Tlvs::default(),
        };
        up.add_path().contains(AfiSafi::IPV4_UNICAST)
    };
    assert!(add_path(0, &receives, &both));
    assert!(!add_path(0, &both, &receives));
    assert!(add_path(PeerHeader::OUT, &both, &receives));
    assert!(!add_path(PeerHeader::OUT, &receives, &both));
}

#[test]
fn a_wrong_message_is_refused_with_its_place() {
    assert_eq!(peek(&[3, 0, 0, 0]), Ok(None));
    assert_eq!(peek(&[4, 0, 0, 0, 6, 4]), Err(BmpError { offset: 0, fault: BmpFault::Version(4) }));
    assert_eq!(peek(&[3, 0, 0, 0, 5, 4]), Err(BmpError { offset: 1, fault: BmpFault::Length(5) }));
    let name = tlvs(&[(information::SYS_NAME, b"leaf01")]);
    let whole = written(&Message::Initiation(Tlvs::new(&name).unwrap()));
    assert_eq!(Message::parse(&whole[..9]), Err(BmpError { offset: 1, fault: BmpFault::Length(16) }));
    let mut long = whole.clone();
    long[9] = 7;
    assert_eq!(Message::parse(&long), Err(BmpError { offset: 10, fault: BmpFault::CutShort }));
    let update = announcing_with(&[]);
    let mut wrong = written(&Message::RouteMonitoring(RouteMonitoring { peer: header(), message: &update }));
    wrong[48] = 0;
    assert_eq!(Message::parse(&wrong), Err(BmpError { offset: 48, fault: BmpFault::BgpMessage }));
}

mod any {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn octets_are_a_message_that_is_written_the_same_or_an_error(
            kind in 0u8..8, body in vec(any::<u8>(), 0..160), update in any::<bool>(),
        ) {
            let mut octets = vec![3, 0, 0, 0, 0, kind];
            octets.extend_from_slice(&body);
            if update {
                octets.extend_from_slice(&announcing_with(&[]));
            }
            let len = (octets.len() as u32).to_be_bytes();
            octets[1..5].copy_from_slice(&len);
            if let Ok(message) = Message::parse(&octets) {
                let _ = format!("{message:?}");
                prop_assert_eq!(written(&message), octets);
            }
        }
    }
}
