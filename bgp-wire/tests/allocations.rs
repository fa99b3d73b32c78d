//! What each entry point allocates, at most, for each octet it is given: a peer that sends the worst it can gets no more than that.
//!
//! The bounds are those of the crate's documentation, section "What it costs".

mod util;

use allocation_counter::{AllocationInfo, measure};
use bgp_wire::attributes::code;
use bgp_wire::bmp;
use bgp_wire::mrt::{self, Stream};
use bgp_wire::{
    AsPathBuf, Attributes, AttributesBuilder, DecodeCtx, FamilySet, Message, OpenBuf, PeerKind, Update, frame,
};
use std::hint::black_box;
use util::*;

const WIDE: DecodeCtx = DecodeCtx {
    as4: true,
    add_path: FamilySet::EMPTY,
    extended_message: true,
    extended_next_hop: FamilySet::ALL,
    peer: PeerKind::Unknown,
};
const NARROW_LONG: DecodeCtx = DecodeCtx { as4: false, ..WIDE };
const ADD_PATH: DecodeCtx = DecodeCtx { add_path: FamilySet::ALL, ..WIDE };

/// What a stream reads at a time, whatever the file's length.
const CHUNK: usize = 256 * 1024;

/// Octets of attributes and routes that still fit the longest message.
const ROOM: usize = frame::MAX_EXTENDED_LEN - frame::HEADER_LEN - 4;

fn long_attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    [&[flags | 0x10, code][..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// As many copies as fit `room` octets.
fn repeated(octets: &[u8], room: usize) -> Vec<u8> {
    octets.repeat(room / octets.len())
}

fn path(segment: &[u8], room: usize) -> Vec<u8> {
    long_attribute(0x40, code::AS_PATH, &repeated(segment, room - 4))
}

/// The longest UPDATEs, each of as many of one thing as there can be.
fn worst_updates() -> Vec<(&'static str, DecodeCtx, Vec<u8>)> {
    let most = ROOM - 64;
    let different: Vec<u8> = (0..=255u8).flat_map(|code| [0xc0, code, 0]).collect();
    let backwards: Vec<u8> = (0..=255u8).rev().flat_map(|code| [0xc0, code, 0]).collect();
    let mandatory = [ORIGIN, AS_PATH, NEXT_HOP].concat();
    let multiprotocol = |code: u8, value: &[u8]| long_attribute(0x80, code, value);
    let reach = |family: &[u8], next_hop: &[u8], routes: &[u8]| {
        let room = ROOM - 64 - next_hop.len();
        let head = [family, &[next_hop.len() as u8], next_hop, &[0]].concat();
        multiprotocol(code::MP_REACH_NLRI, &[head, repeated(routes, room)].concat())
    };
    vec![
        ("the same tiny attribute", WIDE, update(&[], &[&mandatory, &repeated(&[0xc0, 99, 0], most)], PREFIX)),
        ("faulty tiny attributes", WIDE, update(&[], &[&mandatory, &repeated(&[0xc0, 8, 0], most)], PREFIX)),
        ("every type of attribute", WIDE, update(&[], &[&mandatory, &repeated(&different, most)], PREFIX)),
        ("every type, backwards", WIDE, update(&[], &[&mandatory, &repeated(&backwards, most)], PREFIX)),
        ("default routes", WIDE, update(&repeated(&[0], most / 2), &[&mandatory], &repeated(&[0], most / 2))),
        ("default routes with ids", ADD_PATH, update(&[], &[&mandatory], &repeated(&[0, 0, 0, 1, 0], most))),
        ("IPv6 default routes", WIDE, update(&[], &[ORIGIN, AS_PATH, &reach(&[0, 2, 1], &[1; 16], &[0])], &[])),
        ("empty EVPN routes", WIDE, update(&[], &[ORIGIN, AS_PATH, &reach(&[0, 25, 70], &[1; 4], &[9, 0])], &[])),
        ("empty flows", WIDE, update(&[], &[ORIGIN, AS_PATH, &reach(&[0, 1, 133], &[], &[0])], &[])),
        ("routes cut short", WIDE, update(&[], &[ORIGIN, AS_PATH, &reach(&[0, 2, 1], &[1; 16], &[200])], &[])),
        ("segments of one", WIDE, update(&[], &[ORIGIN, &path(&[2, 1, 0, 0, 0, 1], most), NEXT_HOP], PREFIX)),
        (
            "narrow segments of one",
            NARROW_LONG,
            update(&[], &[ORIGIN, &path(&[1, 1, 0, 1], most / 4), NEXT_HOP], PREFIX),
        ),
        (
            "communities",
            WIDE,
            update(&[], &[&mandatory, &long_attribute(0xc0, code::COMMUNITIES, &repeated(&[0; 4], most))], PREFIX),
        ),
        (
            "an unknown attribute",
            WIDE,
            update(&[], &[&mandatory, &long_attribute(0xc0, 99, &vec![0; most - 8])], PREFIX),
        ),
        ("an attribute cut short", WIDE, update(&[], &[&mandatory, &repeated(&[0x50, 2, 255, 255], most)], PREFIX)),
    ]
}

/// Octets that stood at once, for each octet of input; a small constant is left out.
fn ratio(info: &AllocationInfo, input: usize) -> f64 {
    info.bytes_max.saturating_sub(512) as f64 / input as f64
}

#[track_caller]
fn assert_at_most(multiple: f64, what: &str, input: usize, work: impl FnOnce()) {
    let info = measure(work);
    assert!(ratio(&info, input) <= multiple, "{what}: {info:?} for {input} octets");
}

#[track_caller]
fn assert_none(what: &str, work: impl FnOnce()) {
    let info = measure(work);
    assert_eq!(info.count_total, 0, "{what}: {info:?}");
}

#[test]
fn reading_an_update_and_all_that_is_in_it_allocates_nothing() {
    for (what, ctx, frame) in worst_updates() {
        if Update::parse(&frame, &ctx).is_err() {
            continue;
        }
        assert_none(what, || {
            let Ok(Message::Update(update)) = Message::parse(&frame, &ctx) else { panic!("an UPDATE") };
            black_box((update.action(), update.next_hop(), update.end_of_rib(), update.disables()));
            black_box(update.faults().count());
            black_box(update.nlri().chain(update.withdrawn()).count());
            let reach = update.mp_reach();
            black_box(reach.and_then(|reach| reach.ipv6()).map(Iterator::count));
            black_box(reach.and_then(|reach| reach.routes::<bgp_wire::EvpnRoute<'_>>()).map(Iterator::count));
            let attributes = update.attributes();
            black_box(attributes.iter().count() + attributes.unknown().count());
            black_box((attributes.as_path().path_length(), attributes.as_path().asns().count()));
            black_box((attributes.communities().count(), attributes.large_communities().count()));
            black_box((attributes.origin(), attributes.aggregator(), attributes.only_to_customer()));
        });
    }
}

#[test]
fn an_error_holds_no_more_than_the_message() {
    for (what, ctx, frame) in worst_updates() {
        if Update::parse(&frame, &ctx).is_err() {
            assert_at_most(1.0, what, frame.len(), || drop(black_box(Message::parse(&frame, &ctx))));
        }
    }
    let notification = message(frame::NOTIFICATION, &[6; ROOM]);
    assert_at_most(1.0, "a NOTIFICATION", notification.len(), || drop(black_box(Message::parse(&notification, &WIDE))));
}

#[test]
fn canonical_attributes_take_no_more_than_a_multiple_of_the_update() {
    for (what, ctx, frame) in worst_updates() {
        if let Ok(update) = Update::parse(&frame, &ctx) {
            let mut block = Vec::new();
            assert_at_most(4.0, what, frame.len(), || update.canonical_attributes(black_box(&mut block)));
            let len = block.len().max(1);
            assert_at_most(4.0, what, len, || drop(black_box(AttributesBuilder::from_canonical(&block))));
            let view = Attributes::canonical(&block);
            assert_at_most(16.0, what, len, || drop(black_box(AsPathBuf::from(view.as_path()))));
        }
    }
}

#[test]
fn an_open_takes_no_more_than_a_multiple_of_its_octets() {
    let start = [4, 0, 1, 0, 90, 10, 0, 0, 1];
    for capability in
        [&[2, 0][..], &[200, 0], &[69, 4, 0, 1, 1, 3], &[5, 6, 0, 1, 0, 1, 0, 2], &[64, 0], &[73, 2, 0, 0]]
    {
        let room = frame::MAX_LEN - frame::HEADER_LEN - 16;
        let all = repeated(capability, room);
        let length = (all.len() as u16).to_be_bytes();
        let parameters = [&(all.len() as u16 + 3).to_be_bytes()[..], &[2], &length, &all].concat();
        let frame = message(frame::OPEN, &[&start[..], &[255, 255], &parameters].concat());
        let Ok(Message::Open(open)) = Message::parse(&frame, &DecodeCtx::default()) else { panic!("an OPEN") };
        assert_none("the view of an OPEN", || drop(black_box(Message::parse(&frame, &DecodeCtx::default()))));
        assert_at_most(64.0, &format!("{capability:?}"), frame.len(), || drop(black_box(OpenBuf::from(open))));
    }
}

#[test]
fn a_file_that_claims_more_than_it_has_takes_no_more_than_a_multiple_of_what_it_has() {
    for claimed in [0, 1, 4096, 65_536, 1 << 20, 1 << 24, u32::MAX] {
        for there in [0, 100, 70_000] {
            let head = [&[0, 0, 0, 1, 0, 16, 0, 4][..], &u32::to_be_bytes(claimed)].concat();
            let file = [head, vec![0; there]].concat();
            assert_none("the reader", || assert!(black_box(mrt::Reader::new(&file).count()) <= file.len()));
            let what = format!("a record of {claimed} octets in a file of {}", file.len());
            let info = measure(|| {
                let mut stream = Stream::new(&file[..]);
                while stream.next_record().is_some() {}
            });
            assert!(info.bytes_max <= (CHUNK + 2 * file.len()) as u64, "{what}: {info:?}");
        }
    }
}

#[test]
fn reading_bmp_allocates_nothing() {
    for kind in 0..8 {
        for body in [vec![0; 60_000], repeated(&[0, 1, 0, 0], 60_000)] {
            let octets = [&[3][..], &(6 + body.len() as u32).to_be_bytes(), &[kind], &body].concat();
            assert_none("BMP", || assert!(black_box(bmp::Message::parse(&octets)).is_ok() || kind < 7));
        }
    }
}

#[test]
fn text_takes_no_more_than_a_multiple_of_its_length() {
    for text in ["1 ".repeat(30_000), "{1} ".repeat(15_000), "(1) ".repeat(15_000), "{1,".repeat(20_000)] {
        assert_at_most(48.0, &text[..6], text.len(), || drop(black_box(text.parse::<AsPathBuf>())));
    }
}
