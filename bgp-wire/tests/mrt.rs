//! MRT records written out by hand, of each kind that is read.

mod util;

use bgp_wire::mrt::{Body, MrtError, MrtFault, Reader};
use bgp_wire::{Message, NextHop};
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
