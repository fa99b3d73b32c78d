//! MRT records written out by hand, of each kind that is read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod util;

use bgp_wire::mrt::{
    Between, Body, MAX_RECORD_LEN, MrtError, MrtFault, PathIds, Peer, Peers, Reader, Record, Rib, RibEntry,
    StateChange, Stream, TableRoute, TableRoutes, WriteError,
};
use bgp_wire::{AfiSafi, Message, NextHop};
use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write as _};
use util::*;

fn record(kind: u16, subtype: u16, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let mut record = 1_000_000u32.to_be_bytes().to_vec();
    record.extend_from_slice(&kind.to_be_bytes());
    record.extend_from_slice(&subtype.to_be_bytes());
    record.extend_from_slice(&(body.len() as u32).to_be_bytes());
    record.extend_from_slice(&body);
    record
}

fn with_length(attributes: &[&[u8]]) -> Vec<u8> {
    let attributes = attributes.concat();
    [&(attributes.len() as u16).to_be_bytes()[..], &attributes].concat()
}

const PEERS: [u8; 8] = [192, 0, 2, 7, 192, 0, 2, 8];

#[test]
fn messages_are_read_with_the_width_of_their_as_numbers() {
    let wide = update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX);
    let narrow = update(&[], &[ORIGIN, &[0x40, 2, 4, 2, 1, 0xfb, 0xf4], NEXT_HOP], PREFIX);
    let file = [
        record(16, 1, &[&[0xfb, 0xf4, 0xfb, 0xf5, 0, 0, 0, 1], &PEERS, &narrow]),
        record(17, 4, &[&[0, 0, 0, 5], &[0, 0, 0xfb, 0xf4, 0, 0, 0xfb, 0xf5, 0, 0, 0, 1], &PEERS, &wide]),
    ]
    .concat();
    let records: Vec<_> = Reader::new(&file).map(Result::unwrap).collect();
    assert_eq!(records.iter().map(|record| record.microseconds).collect::<Vec<_>>(), [None, Some(5)]);
    for record in records {
        let Body::Message(message) = record.body else { panic!("a message") };
        assert_eq!((message.between.peer_as, message.between.peer.to_string()), (64500, "192.0.2.7".to_owned()));
        let Ok(Message::Update(update)) = Message::parse(message.message, &message.ctx()) else { panic!("an UPDATE") };
        assert_eq!(update.action(), None);
        assert_eq!(update.attributes().as_path().to_string(), "64500");
    }
}

fn table_dump_route(last: u8) -> Vec<u8> {
    let attributes = with_length(&[ORIGIN, &[0x40, 2, 4, 2, 1, 0xfb, 0xf4], NEXT_HOP]);
    [&[198, 51, last, 0, 24, 1, 0, 0, 0, 9, 192, 0, 2, 7, 0xfb, 0xf4][..], &attributes].concat()
}

#[test]
fn table_dump_routes_are_read_one_by_one_and_many_to_a_record() {
    let view_and_sequence = [0; 4];
    let single = record(12, 1, &[&view_and_sequence, &table_dump_route(1)]);
    let several = record(12, 1, &[&view_and_sequence, &table_dump_route(2), &table_dump_route(3)]);
    // The oldest dumps leave view and sequence number out of the length.
    let mut short = record(12, 1, &[&view_and_sequence, &table_dump_route(4), &table_dump_route(5)]);
    let len = (short.len() - 12 - 4) as u32;
    short[8..12].copy_from_slice(&len.to_be_bytes());
    let file = [single.clone(), several, short, single].concat();
    let prefixes: Vec<_> = Reader::new(&file)
        .flat_map(|record| match record.unwrap().body {
            Body::Table(table) => table.iter().collect::<Vec<_>>(),
            _ => panic!("routes of a table"),
        })
        .inspect(|route| assert_eq!(route.attributes().as_path().first_as(), Some(64500)))
        .map(|route| route.prefix.to_string())
        .collect();
    let expected = [1, 2, 3, 4, 5, 1].map(|last| format!("198.51.{last}.0/24"));
    assert_eq!(prefixes, expected);
}

#[test]
fn table_dump_v2_gives_peers_and_the_routes_to_each_prefix() {
    let peers: &[&[u8]] = &[
        &[10, 0, 0, 1, 0, 2, b'r', b'c', 0, 2],
        &[0, 10, 0, 0, 2, 192, 0, 2, 7, 0xfb, 0xf4],
        &[3, 10, 0, 0, 3, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0x86, 0xa0],
    ];
    let v4 = with_length(&[ORIGIN, AS_PATH, NEXT_HOP]);
    let abbreviated = with_length(&[ORIGIN, AS_PATH, &[&[0x80, 14, 17, 16][..], &[0x20; 16]].concat()]);
    let whole = with_length(&[ORIGIN, AS_PATH, &[&[0x80, 14, 21, 0, 2, 1, 16][..], &[0x20; 16], &[0]].concat()]);
    let file = [
        record(13, 1, peers),
        record(13, 2, &[&[0, 0, 0, 1], PREFIX, &[0, 1], &[0, 1, 0, 0, 0, 9], &v4]),
        record(13, 8, &[&[0, 0, 0, 2], PREFIX, &[0, 1], &[0, 0, 0, 0, 0, 9, 0, 0, 0, 77], &v4]),
        record(
            13,
            4,
            &[&[0, 0, 0, 3, 16, 0x20, 1, 0, 2], &[0, 0, 0, 0, 0, 9], &abbreviated, &[0, 1, 0, 0, 0, 9], &whole],
        ),
    ]
    .concat();
    let mut records = Reader::new(&file).map(|record| record.unwrap().body);
    let Some(Body::Peers(peers)) = records.next() else { panic!("peers") };
    assert_eq!(
        peers.iter().map(|peer| format!("{} {}", peer.address, peer.asn)).collect::<Vec<_>>(),
        ["192.0.2.7 64500", "2001:db8::9 100000"]
    );
    let shown: Vec<_> = records
        .flat_map(|body| {
            let Body::Rib(rib) = body else { panic!("routes to a prefix") };
            rib.entries().map(move |entry| {
                let next_hop = entry.next_hop().as_ref().map(NextHop::to_string).unwrap_or_default();
                format!("{} peer {} path {:?} via {next_hop}", rib.prefix().unwrap(), entry.peer, entry.path_id)
            })
        })
        .collect();
    assert_eq!(
        shown,
        [
            "198.51.100.0/24 peer 1 path None via 192.0.2.1",
            "198.51.100.0/24 peer 0 path Some(77) via 192.0.2.1",
            "2001::/16 peer 0 path None via 2020:2020:2020:2020:2020:2020:2020:2020",
            "2001::/16 peer 1 path None via 2020:2020:2020:2020:2020:2020:2020:2020",
        ]
    );
}

#[test]
fn a_wrong_record_is_passed_over_and_a_cut_one_ends_the_file() {
    let wrong = record(16, 4, &[&[1, 2, 3]]);
    let other = record(99, 1, &[&[0; 7]]);
    let file = [&wrong[..], &other, &other[..15]].concat();
    let mut records = Reader::new(&file);
    let error =
        |record: usize, at: usize, fault| MrtError { record: record as u64, offset: (record + at) as u64, fault };
    assert_eq!(records.next().unwrap().unwrap_err(), error(0, 12, MrtFault::CutShort));
    assert!(matches!(
        records.next().unwrap().unwrap().body,
        Body::Other { kind: 99, subtype: 1, octets: [0, 0, 0, 0, 0, 0, 0] }
    ));
    assert_eq!(records.next().unwrap().unwrap_err(), error(wrong.len() + other.len(), 15, MrtFault::Torn));
    assert!(records.next().is_none());
}

/// A record of each kind and variant, in the form in which it is written.
fn every_kind() -> Vec<u8> {
    let wide = update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX);
    let narrow = update(&[], &[ORIGIN, &[0x40, 2, 4, 2, 1, 0xfb, 0xf4], NEXT_HOP], PREFIX);
    let (ases, narrow_ases): (&[u8], &[u8]) = (&[0, 1, 0x11, 0x70, 0, 0, 0xfb, 0xf5], &[0xfb, 0xf4, 0xfb, 0xf5]);
    let (v4, v6): (&[u8], &[u8]) =
        (&[0, 3, 0, 1, 192, 0, 2, 7, 192, 0, 2, 8], &[&[0, 3, 0, 2][..], &[0x20; 32]].concat());
    let mut file = Vec::new();
    for (kind, subsecond) in [(16, &[][..]), (17, &[0, 0, 0x30, 0x39])] {
        for subtype in [1, 6, 8, 10] {
            file.extend(record(kind, subtype, &[subsecond, narrow_ases, v4, &narrow]));
        }
        for subtype in [4, 7, 9, 11] {
            file.extend(record(kind, subtype, &[subsecond, ases, v6, &wide]));
        }
        file.extend(record(kind, 0, &[subsecond, narrow_ases, v4, &[0, 3, 0, 4]]));
        file.extend(record(kind, 5, &[subsecond, ases, v6, &[0, 6, 0, 1]]));
    }
    file.extend(record(12, 1, &[&[0, 1, 0, 2], &table_dump_route(1)]));
    let route6 = [&[0x20; 16][..], &[128, 1, 0, 0, 0, 9], &[0x20; 16], &[0xfb, 0xf4], &with_length(&[ORIGIN])].concat();
    file.extend(record(12, 2, &[&[0, 1, 0, 3], &route6]));
    let peers: &[&[u8]] = &[&[10, 0, 0, 1, 0, 2, b'r', b'c', 0, 1], &[2, 10, 0, 0, 2, 192, 0, 2, 7, 0, 1, 0x11, 0x70]];
    file.extend(record(13, 1, peers));
    let attributes = with_length(&[ORIGIN, AS_PATH, NEXT_HOP]);
    let entry: &[u8] = &[&[0, 0, 0, 0, 0, 9][..], &attributes].concat();
    let entry_with_id: &[u8] = &[&[0, 0, 0, 0, 0, 9, 0, 0, 0, 77][..], &attributes].concat();
    let prefix6: &[u8] = &[32, 0x20, 1, 0xd, 0xb8];
    for (plain, add_path, prefix) in [(2, 8, PREFIX), (3, 9, PREFIX), (4, 10, prefix6), (5, 11, prefix6)] {
        file.extend(record(13, plain, &[&[0, 0, 0, 1], prefix, &[0, 2], entry, entry]));
        file.extend(record(13, add_path, &[&[0, 0, 0, 1], prefix, &[0, 1], entry_with_id]));
    }
    let vpn: &[u8] = &[112, 0, 6, 0x41, 0, 0, 0xfb, 0xf4, 0, 0, 0, 100, 198, 51, 100];
    file.extend(record(13, 6, &[&[0, 0, 0, 1, 0, 1, 128], vpn, &[0, 1], entry]));
    file.extend(record(13, 6, &[&[0, 0, 0, 1, 0, 1, 1], PREFIX, &[0, 1], entry]));
    file.extend(record(13, 12, &[&[0, 0, 0, 1, 0, 1, 128], vpn, &[0, 1], entry_with_id]));
    file.extend(record(13, 12, &[&[0, 0, 0, 1, 0, 1, 128, 0, 0, 0, 77], vpn, &[0, 1], entry]));
    file.extend(record(13, 7, &[&[1, 2, 3]]));
    file.extend(record(33, 0, &[&[0, 0, 0, 9, 1, 2, 3]]));
    file
}

#[test]
fn what_is_read_is_written_octet_for_octet() {
    let file = every_kind();
    let mut written = Vec::new();
    let (mut records, mut others) = (0, 0);
    for record in Reader::new(&file) {
        let record = record.unwrap();
        record.write(&mut written).unwrap();
        records += 1;
        others += usize::from(matches!(record.body, Body::Other { .. }));
    }
    assert_eq!((records, others), (37, 2));
    assert_eq!(written, file);
}

#[test]
fn a_route_outside_the_own_subtypes_is_read_with_its_family_and_path_identifier() {
    let file = every_kind();
    let ribs: Vec<_> = Reader::new(&file)
        .filter_map(|record| match record.unwrap().body {
            Body::Rib(rib) if rib.generic => {
                Some((rib.family.to_string(), rib.path_ids, rib.entries().next().unwrap()))
            }
            _ => None,
        })
        .map(|(family, path_ids, entry)| (family, path_ids, entry.path_id))
        .collect();
    let vpn = || "ipv4-vpn".to_owned();
    let expected = [
        (vpn(), PathIds::None, None),
        ("ipv4-unicast".to_owned(), PathIds::None, None),
        (vpn(), PathIds::Entries, Some(77)),
        (vpn(), PathIds::Route(77), Some(77)),
    ];
    assert_eq!(ribs, expected);
}

#[test]
fn records_made_from_values_are_read_back() {
    let peer = Peer { identifier: [10, 0, 0, 2].into(), address: [192, 0, 2, 7].into(), asn: 70000, as4: true };
    let (mut peers, mut entries, mut routes, mut file) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    peer.write(&mut peers).unwrap();
    let attributes = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    let entry = RibEntry { peer: 0, originated: 9, path_id: Some(7), octets: &attributes };
    entry.write(PathIds::Entries, &mut entries).unwrap();
    let route = TableRoute {
        prefix: "198.51.100.0/24".parse().unwrap(),
        status: 1,
        originated: 9,
        peer: [192, 0, 2, 7].into(),
        peer_as: 64500,
        octets: &attributes,
    };
    route.write(&mut routes).unwrap();
    let between = Between {
        peer_as: 1,
        local_as: 2,
        interface: 0,
        peer: [192, 0, 2, 7].into(),
        local: [192, 0, 2, 8].into(),
        as4: false,
    };
    let bodies = [
        Body::Peers(Peers::new([10, 0, 0, 1].into(), b"view", &peers).unwrap()),
        Body::Rib(Rib::new(3, AfiSafi::IPV4_UNICAST, PREFIX, PathIds::Entries, &entries).unwrap()),
        Body::Table(TableRoutes::new(0, 1, false, &routes).unwrap()),
        Body::StateChange(StateChange { between, old: 1, new: 2 }),
    ];
    for body in bodies {
        Record { offset: 0, seconds: 5, microseconds: None, body }.write(&mut file).unwrap();
    }
    let read: Vec<_> = Reader::new(&file).map(|record| record.unwrap().body).collect();
    assert_eq!(read, bodies);
    let Body::Peers(table) = read[0] else { panic!("peers") };
    assert_eq!((table.view, table.iter().collect::<Vec<_>>()), (&b"view"[..], vec![peer]));
    let Body::Rib(rib) = read[1] else { panic!("routes") };
    assert_eq!(rib.entries().collect::<Vec<_>>(), [entry]);
    let Body::Table(table) = read[2] else { panic!("routes") };
    assert_eq!(table.iter().collect::<Vec<_>>(), [route]);
}

#[test]
fn what_does_not_fit_a_record_is_refused_and_nothing_is_written() {
    let between = Between {
        peer_as: 70000,
        local_as: 2,
        interface: 0,
        peer: [192, 0, 2, 7].into(),
        local: [192, 0, 2, 8].into(),
        as4: false,
    };
    let written = |between, microseconds, body: fn(Between) -> Body<'static>| {
        let mut out = vec![1];
        let error = Record { offset: 0, seconds: 0, microseconds, body: body(between) }.write(&mut out).unwrap_err();
        assert_eq!(out, [1]);
        error
    };
    let change = |between| Body::StateChange(StateChange { between, old: 1, new: 2 });
    assert_eq!(written(between, None, change), WriteError::WideAs(70000));
    let mixed = Between { peer_as: 1, local: [0; 16].into(), ..between };
    assert_eq!(written(mixed, None, change), WriteError::MixedAddresses);
    let table = |_| Body::Table(TableRoutes::new(0, 0, false, &[]).unwrap());
    assert_eq!(written(between, Some(1), table), WriteError::Microseconds);
    assert!(matches!(
        Rib::new(0, AfiSafi::IPV4_UNICAST, PREFIX, PathIds::None, &[0; 9]),
        Err(MrtError { offset: 8, .. })
    ));
}

#[test]
fn an_unknown_address_family_is_told_with_its_place() {
    let file = record(16, 4, &[&[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3], &PEERS]);
    let error = Reader::new(&file).next().unwrap().unwrap_err();
    assert_eq!((error.offset, error.fault), (22, MrtFault::AddressFamily(3)));
    assert_eq!(
        error.to_string(),
        "MRT record at octet 0: the peer's address family is 3, neither IPv4 (1) nor IPv6 (2) (at octet 22)"
    );
}

/// Gives a few octets at a time, and fails at the end if it is to.
struct Slow<'a>(&'a [u8], bool);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() && self.1 {
            return Err(io::Error::other("the disk is gone"));
        }
        let len = self.0.len().min(buffer.len()).min(7);
        let (now, later) = self.0.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.0 = later;
        Ok(len)
    }
}

/// The records written again, and the errors between them.
fn streamed<R: Read>(mut stream: Stream<R>) -> (Vec<u8>, Vec<String>) {
    let (mut written, mut errors) = (Vec::new(), Vec::new());
    while let Some(record) = stream.next_record() {
        match record {
            Ok(record) => record.write(&mut written).unwrap(),
            Err(error) => errors.push(error.to_string()),
        }
    }
    assert!(stream.next_record().is_none(), "an end is an end");
    (written, errors)
}

#[test]
fn a_stream_gives_what_a_slice_gives_packed_or_not() {
    let file = every_kind();
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&file).unwrap();
    let mut bzip2 = BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bzip2.write_all(&file).unwrap();
    for packed in [file.clone(), gzip.finish().unwrap(), bzip2.finish().unwrap()] {
        let stream = Stream::decompressing(Slow(&packed, false)).unwrap();
        assert_eq!(streamed(stream), (file.clone(), Vec::new()));
    }
    assert_eq!(streamed(Stream::new(&file[..])), (file.clone(), Vec::new()));
    let offsets = |octets: &[u8]| Reader::new(octets).map(|record| record.unwrap().offset).collect::<Vec<_>>();
    let mut stream = Stream::new(Slow(&file, false));
    let mut told = Vec::new();
    while let Some(record) = stream.next_record() {
        told.push(record.unwrap().offset);
    }
    assert_eq!(told, offsets(&file));
}

#[test]
fn a_torn_stream_gives_every_record_before_the_tear_and_one_error() {
    let file = every_kind();
    let ends: Vec<usize> =
        Reader::new(&file).skip(1).map(|record| record.unwrap().offset as usize).chain([file.len()]).collect();
    for cut in (1..file.len()).step_by(11) {
        let whole = ends.iter().rev().find(|end| **end <= cut).copied().unwrap_or(0);
        let (written, errors) = streamed(Stream::new(&file[..cut]));
        assert_eq!(written, &file[..whole]);
        let expected = format!("MRT record at octet {whole}: the file ends within the record (at octet {cut})");
        assert_eq!(errors, if whole == cut { Vec::new() } else { vec![expected] });
        let (again, failures) = streamed(Stream::new(Slow(&file[..cut], true)));
        assert_eq!((again, failures), (written, vec![format!("reading on after octet {cut}: the disk is gone")]));
    }
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&file).unwrap();
    let packed = gzip.finish().unwrap();
    let (written, errors) = streamed(Stream::decompressing(&packed[..packed.len() - 9]).unwrap());
    assert!(file.starts_with(&written), "what came before the tear");
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn a_record_that_claims_too_much_is_passed_over_without_being_held() {
    let mut oversized = record(13, 2, &[]);
    oversized[8..12].copy_from_slice(&(MAX_RECORD_LEN + 1).to_be_bytes());
    let file = (&oversized[..]).chain(io::repeat(0).take(u64::from(MAX_RECORD_LEN) + 1));
    let after = every_kind();
    let (written, errors) = streamed(Stream::new(file.chain(&after[..])));
    assert_eq!(written, after);
    let told = format!(
        "MRT record at octet 0: the record claims {} octets, more than any record has (at octet 8)",
        MAX_RECORD_LEN + 1
    );
    assert_eq!(errors, [told]);
}

mod any {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// A record written by hand seldom is sound where octets are random; one with octets changed often is.
        #[test]
        fn record_with_octets_changed_is_written_as_it_is_read_or_an_error(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut file = every_kind();
            for (at, octet) in changes {
                let at = at.index(file.len());
                file[at] = octet;
            }
            let (mut written, mut streamed, mut bodies) = (Vec::new(), Vec::new(), Vec::new());
            for record in Reader::new(&file).flatten() {
                record.write(&mut written).unwrap();
                bodies.push(format!("{:?}", record.body));
            }
            let again: Vec<_> = Reader::new(&written).map(|record| format!("{:?}", record.unwrap().body)).collect();
            prop_assert_eq!(&again, &bodies);
            let mut stream = Stream::new(&file[..]);
            while let Some(record) = stream.next_record() {
                if let Ok(record) = record {
                    streamed.push(format!("{:?}", record.body));
                }
            }
            prop_assert_eq!(streamed, bodies);
        }
    }
}
