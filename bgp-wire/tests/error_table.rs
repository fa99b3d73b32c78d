//! What is wrong, and what becomes of it: one table, made by breaking every rule once and looking at what the codec does.
//!
//! `docs/bgp-wire-errors.md` has the table. Where the two differ, `UPDATE_DOCS=1 cargo test -p bgp-wire --test error_table` writes it.

mod util;

use bgp_wire::attributes::{self, code};
use bgp_wire::{DecodeCtx, ErrorCode, Message, Notification, PeerKind};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use util::*;

const CONFEDERATION: DecodeCtx = DecodeCtx { peer: PeerKind::Confederation, ..EXTERNAL };

struct Case {
    what: &'static str,
    rfc: &'static str,
    ctx: DecodeCtx,
    octets: Vec<u8>,
}

fn case(what: &'static str, rfc: &'static str, ctx: DecodeCtx, octets: Vec<u8>) -> Case {
    Case { what, rfc, ctx, octets }
}

/// An UPDATE with one more attribute than it needs, from an external peer.
fn with(what: &'static str, rfc: &'static str, attribute: &[u8]) -> Case {
    case(what, rfc, EXTERNAL, announcing_with(attribute))
}

fn headers() -> Vec<Case> {
    let mut marker = message(4, &[]);
    marker[3] = 0;
    let mut long = message(4, &[0]);
    long[17] = 20;
    vec![
        case("marker not all ones", "4271 6.1", EXTERNAL, marker),
        case("length not one of KEEPALIVE", "4271 6.1", EXTERNAL, long),
        case("length below that of OPEN", "4271 6.1", EXTERNAL, message(1, &[4])),
        case("length below that of UPDATE", "4271 6.1", EXTERNAL, message(2, &[0, 0, 0])),
        case("length below that of NOTIFICATION", "4271 6.1", EXTERNAL, message(3, &[6])),
        case("length below that of ROUTE-REFRESH", "4271 6.1", EXTERNAL, message(5, &[0, 1, 0])),
        case("longer than 4096 without extended messages", "4271 6.1, 8654 4", EXTERNAL, message(2, &[0; 4078])),
        case(
            "OPEN longer than 4096",
            "8654 4",
            DecodeCtx { extended_message: true, ..EXTERNAL },
            message(1, &[0; 4078]),
        ),
        case("type not known", "4271 6.1", EXTERNAL, message(9, &[])),
    ]
}

fn opens() -> Vec<Case> {
    let open = |what, rfc, body: &[u8]| case(what, rfc, EXTERNAL, message(1, body));
    vec![
        open("version other than 4", "4271 6.2", &[3, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 0]),
        open("AS 0", "7607 2", &[4, 0, 0, 0, 90, 10, 0, 0, 1, 0]),
        open("AS 0 in the capability", "7607 2", &[4, 0x5b, 0xa0, 0, 90, 10, 0, 0, 1, 8, 2, 6, 65, 4, 0, 0, 0, 0]),
        open("identifier 0.0.0.0", "6286 2.2", &[4, 0xfb, 0xf4, 0, 90, 0, 0, 0, 0, 0]),
        open("hold time of 1 or 2 s", "4271 6.2", &[4, 0xfb, 0xf4, 0, 2, 10, 0, 0, 1, 0]),
        open("parameter other than capabilities", "4271 6.2, 5492 5", &[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 3, 1, 1, 0]),
        open("parameters shorter than their length", "4271 6.2", &[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 9]),
        open("capability cut short", "5492 5", &[4, 0xfb, 0xf4, 0, 90, 10, 0, 0, 1, 4, 2, 2, 1, 4]),
    ]
}

fn updates() -> Vec<Case> {
    let body = |what, rfc, body: &[u8]| case(what, rfc, EXTERNAL, message(2, body));
    let attributes = |what, rfc, attributes: &[&[u8]]| case(what, rfc, EXTERNAL, update(&[], attributes, PREFIX));
    vec![
        body("withdrawn routes longer than the message", "4271 6.3", &[0, 9, 0, 0]),
        body("attributes longer than the message", "4271 6.3", &[0, 0, 0, 9, 0]),
        case(
            "withdrawn prefix longer than 32 bits",
            "4271 6.3, 7606 5.3",
            EXTERNAL,
            update(&[33, 1, 1, 1, 1, 1], &[], &[]),
        ),
        case(
            "prefix longer than 32 bits",
            "4271 6.3, 7606 5.3",
            EXTERNAL,
            update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[33, 1, 1, 1, 1, 1]),
        ),
        case("prefix cut short", "4271 6.3, 7606 5.3", EXTERNAL, update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[24, 1])),
        with("attribute longer than the attributes", "7606 4", &[0xc0, 8, 9, 0]),
        with("fewer octets than an attribute's header", "7606 4", &[0xc0, 8]),
        with("attribute there twice", "7606 3 g", ORIGIN),
        with("well-known attribute of a type not known", "4271 6.3", &[0x40, 99, 0]),
        attributes("no ORIGIN", "7606 3 d", &[AS_PATH, NEXT_HOP]),
        attributes("no AS_PATH", "7606 3 d", &[ORIGIN, NEXT_HOP]),
        attributes("no NEXT_HOP", "7606 3 d", &[ORIGIN, AS_PATH]),
        case(
            "fault in attributes without routes",
            "7606 5.2",
            EXTERNAL,
            update(&[], &[ORIGIN, AS_PATH, &[0x80, 4, 1, 0]], &[]),
        ),
    ]
}

fn mandatory() -> Vec<Case> {
    let origin =
        |what, rfc, origin: &[u8]| case(what, rfc, EXTERNAL, update(&[], &[origin, AS_PATH, NEXT_HOP], PREFIX));
    let path = |what, rfc, path: &[u8]| case(what, rfc, EXTERNAL, update(&[], &[ORIGIN, path, NEXT_HOP], PREFIX));
    let hop = |what, rfc, hop: &[u8]| case(what, rfc, EXTERNAL, update(&[], &[ORIGIN, AS_PATH, hop], PREFIX));
    let confed = [0x40, 2, 6, 3, 1, 0, 0, 0xfb, 0xf4];
    let internal = |octets| case("segments of a confederation, from an internal peer", "5065 5", INTERNAL, octets);
    let within = |octets| case("segments of a confederation, from a peer within it", "5065 5", CONFEDERATION, octets);
    vec![
        origin("flags", "7606 3 c", &[0xc0, 1, 1, 0]),
        origin("length other than 1", "7606 7.1", &[0x40, 1, 2, 0, 0]),
        origin("value above 2", "7606 7.1", &[0x40, 1, 1, 3]),
        path("flags", "7606 3 c", &[0xc0, 2, 0]),
        path("segment of a type not known", "7606 7.2", &[0x40, 2, 6, 9, 1, 0, 0, 0, 1]),
        path("segment without AS numbers", "7606 7.2", &[0x40, 2, 2, 2, 0]),
        path("segment cut short", "7606 7.2", &[0x40, 2, 4, 2, 1, 0, 0]),
        path("one octet left", "7606 7.2", &[0x40, 2, 7, 2, 1, 0, 0, 0, 1, 2]),
        path("AS 0", "7607 2", &[0x40, 2, 6, 2, 1, 0, 0, 0, 0]),
        path("segments of a confederation, from an external peer", "5065 5", &confed),
        internal(update(&[], &[ORIGIN, &confed, NEXT_HOP], PREFIX)),
        within(update(&[], &[ORIGIN, &confed, NEXT_HOP], PREFIX)),
        hop("flags", "7606 3 c", &[0x80, 3, 4, 192, 0, 2, 1]),
        hop("length other than 4", "7606 7.3", &[0x40, 3, 5, 192, 0, 2, 1, 0]),
    ]
}

fn optional() -> Vec<Case> {
    let internal = |what, rfc, attribute: &[u8]| case(what, rfc, INTERNAL, announcing_with(attribute));
    vec![
        with("flags", "7606 3 c", &[0xc0, 4, 4, 0, 0, 0, 1]),
        with("length other than 4", "7606 7.4", &[0x80, 4, 3, 0, 0, 0]),
        with("from an external peer", "7606 7.5", &[0x40, 5, 4, 0, 0, 0, 100]),
        internal("flags", "7606 3 c", &[0xc0, 5, 4, 0, 0, 0, 100]),
        internal("length other than 4", "7606 7.5", &[0x40, 5, 3, 0, 0, 100]),
        with("flags", "7606 3 c", &[0xc0, 6, 0]),
        with("length other than 0", "7606 7.6", &[0x40, 6, 1, 0]),
        with("flags", "7606 3 c", &[0x40, 7, 8, 0, 0, 0xfb, 0xf4, 10, 0, 0, 9]),
        with("length other than 8 (6 with 2-octet AS numbers)", "7606 7.7", &[0xc0, 7, 6, 0xfb, 0xf4, 10, 0, 0, 9]),
        with("AS 0", "7607 2", &[0xc0, 7, 8, 0, 0, 0, 0, 10, 0, 0, 9]),
        with("flags", "7606 3 c", &[0x80, 8, 4, 0, 0, 0, 1]),
        with("length not a multiple of 4, or 0", "7606 7.8", &[0xc0, 8, 5, 0, 0, 0, 1, 0]),
        with("from an external peer", "7606 7.9", &[0x80, 9, 4, 10, 0, 0, 1]),
        internal("flags", "7606 3 c", &[0xc0, 9, 4, 10, 0, 0, 1]),
        internal("length other than 4", "7606 7.9", &[0x80, 9, 3, 10, 0, 0]),
        with("from an external peer", "7606 7.10", &[0x80, 10, 4, 10, 0, 0, 1]),
        internal("flags", "7606 3 c", &[0xc0, 10, 4, 10, 0, 0, 1]),
        internal("length not a multiple of 4, or 0", "7606 7.10", &[0x80, 10, 0]),
        with("flags", "7606 3 c", &[0x80, 16, 8, 0, 2, 0xfb, 0xf4, 0, 0, 0, 1]),
        with("length not a multiple of 8, or 0", "7606 7.14", &[0xc0, 16, 7, 0, 2, 0xfb, 0xf4, 0, 0, 0]),
        with("flags", "7606 3 c", &[0x80, 25, 0]),
        with("length not a multiple of 20, or 0", "7606 7.15", &[0xc0, 25, 8, 0, 2, 0xfb, 0xf4, 0, 0, 0, 1]),
        with("flags", "7606 3 c, 8092 6", &[0x80, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
        with("length not a multiple of 12, or 0", "8092 6", &[0xc0, 32, 8, 0, 0, 0, 1, 0, 0, 0, 2]),
        with("flags", "7606 3 c", &[0x80, 35, 4, 0, 0, 0xfb, 0xf4]),
        with("length other than 4", "9234 5", &[0xc0, 35, 2, 0xfb, 0xf4]),
        with("flags", "7606 3 c", &[0x80, 22, 5, 0, 0, 0, 0, 0]),
        with("length below 5", "6514 5", &[0xc0, 22, 4, 0, 6, 0, 0]),
        with("flags", "9012 13", &[0x80, 23, 4, 0, 8, 0, 0]),
        with("no tunnel", "9012 13", &[0xc0, 23, 0]),
        with("tunnel or sub-TLV cut short", "9012 13", &[0xc0, 23, 6, 0, 8, 0, 2, 6, 9]),
        with("flags", "7311 3", &[0xc0, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 1, 0]),
        with("TLV cut short, or a metric of other than 8 octets", "7311 3", &[0x80, 26, 4, 1, 0, 4, 0]),
        with("flags", "9552 8.2.2", &[0xc0, 29, 4, 4, 4, 0, 0]),
        with("TLV cut short", "9552 8.2.2", &[0x80, 29, 4, 4, 4, 0, 9]),
        with("flags", "8669 6", &[0x80, 40, 10, 1, 0, 7, 0, 0, 0, 0, 0, 0, 1]),
        with("TLV cut short, or of a length not its own", "8669 6, 9252 7", &[0xc0, 40, 5, 1, 0, 2, 0, 0]),
    ]
}

fn as4() -> Vec<Case> {
    let narrow = |what, rfc, attribute: &[u8]| {
        let path = [0x40, 2, 4, 2, 1, 0x5b, 0xa0];
        case(what, rfc, NARROW, update(&[], &[ORIGIN, &path, NEXT_HOP, attribute], PREFIX))
    };
    vec![
        with("from a peer with 4-octet AS numbers", "6793 6", &[0xc0, 17, 6, 2, 1, 0, 1, 0x86, 0xa0]),
        narrow("flags", "7606 3 c", &[0x80, 17, 6, 2, 1, 0, 1, 0x86, 0xa0]),
        narrow("segment as AS_PATH must not have it", "6793 6", &[0xc0, 17, 6, 9, 1, 0, 1, 0x86, 0xa0]),
        narrow("AS 0", "7607 2", &[0xc0, 17, 6, 2, 1, 0, 0, 0, 0]),
        with("from a peer with 4-octet AS numbers", "6793 6", &[0xc0, 18, 8, 0, 1, 0x86, 0xa0, 10, 0, 0, 9]),
        narrow("flags", "7606 3 c", &[0x80, 18, 8, 0, 1, 0x86, 0xa0, 10, 0, 0, 9]),
        narrow("length other than 8", "6793 6", &[0xc0, 18, 6, 0x86, 0xa0, 10, 0, 0, 9]),
        narrow("AS 0", "7607 2", &[0xc0, 18, 8, 0, 0, 0, 0, 10, 0, 0, 9]),
    ]
}

fn multiprotocol() -> Vec<Case> {
    let next_hop = [0x20; 16];
    let reach = |what, rfc, flags, family: &[u8], next_hop: &[u8], routes: &[u8]| {
        let value = [family, &[next_hop.len() as u8], next_hop, &[0], routes].concat();
        case(what, rfc, EXTERNAL, update(&[], &[&[flags, 14, value.len() as u8], &value, ORIGIN, AS_PATH], &[]))
    };
    let v6 = &[0, 2, 1];
    let unreach = |what, rfc, attribute: &[u8]| case(what, rfc, EXTERNAL, update(&[], &[attribute], &[]));
    let twice = [0x80, 15, 3, 0, 2, 1];
    vec![
        reach("flags", "7606 3 c", 0xc0, v6, &next_hop, &[8, 0x20]),
        reach("next hop of no length the family has", "7606 7.11", 0x80, v6, &next_hop[..5], &[8, 0x20]),
        case(
            "shorter than its fields",
            "7606 5.3",
            EXTERNAL,
            update(&[], &[&[0x80, 14, 4, 0, 2, 1, 16], ORIGIN, AS_PATH], &[]),
        ),
        case(
            "longer than the attributes",
            "7606 3 j",
            EXTERNAL,
            update(&[], &[ORIGIN, AS_PATH, &[0x80, 14, 90, 0, 2, 1, 16]], &[]),
        ),
        reach("route longer than its family allows, or cut short", "7606 3 j, 5.3", 0x80, v6, &next_hop, &[129, 0x20]),
        unreach("flags", "7606 3 c", &[0xc0, 15, 5, 0, 2, 1, 8, 0x20]),
        unreach("shorter than its fields", "7606 5.3", &[0x80, 15, 2, 0, 2]),
        unreach(
            "route longer than its family allows, or cut short",
            "7606 3 j, 5.3",
            &[0x80, 15, 5, 0, 2, 1, 129, 0x20],
        ),
        case("there twice", "7606 3 g", EXTERNAL, update(&[], &[&twice, &twice], &[])),
    ]
}

fn refreshes() -> Vec<Case> {
    vec![case("mark of a refresh that is longer than it should be", "7313 5", EXTERNAL, message(5, &[0, 1, 1, 1, 0]))]
}

/// One row: what, RFC, attribute, code, action, NOTIFICATION, its data, offset.
fn row(case: &Case, codes: &mut BTreeSet<String>, attribute_rows: &mut BTreeSet<(u8, ErrorName)>) -> String {
    let frame = &case.octets[..];
    let (code, attribute, offset, action, notification) = match Message::parse(frame, &case.ctx) {
        Err(malformed) => {
            let notification = Notification::from(&malformed);
            (malformed.code, malformed.attribute, malformed.offset, "session reset".to_owned(), notification)
        }
        Ok(Message::Update(update)) => match update.faults().next() {
            Some(fault) => {
                let action = match fault.action {
                    bgp_wire::Action::AttributeDiscard => "attribute discard",
                    bgp_wire::Action::TreatAsWithdraw => "treat as withdraw",
                    bgp_wire::Action::DisableFamily => "disable family",
                    bgp_wire::Action::SessionReset => "session reset",
                };
                (fault.code, fault.attribute, fault.offset, action.to_owned(), fault.notification(frame))
            }
            None => return format!("| {} | RFC {} | | none: it is accepted | | | |\n", case.what, case.rfc),
        },
        Ok(other) => panic!("{}: nothing is wrong with {other:?}", case.what),
    };
    codes.insert(format!("{code:?}"));
    if let Some(attribute) = attribute {
        attribute_rows.insert((attribute, format!("{code:?}")));
    }
    let attribute = attribute.map_or_else(String::new, |code| {
        attributes::name(code).map_or_else(|| format!("type {code}"), ToOwned::to_owned)
    });
    format!(
        "| {} | RFC {} | {attribute} | {action} | {code:?} | {}/{} | {} | {offset} |\n",
        case.what,
        case.rfc,
        notification.code,
        notification.subcode,
        data(&notification.data, frame, offset),
    )
}

type ErrorName = String;

/// What the data of a NOTIFICATION is of the message it is about.
fn data(data: &[u8], frame: &[u8], offset: usize) -> &'static str {
    match data {
        [] => "",
        data if data == frame => "the message",
        [0, 4] if frame[18] == 1 => "the version, 4",
        [one] if frame[18] == 2 && attributes::name(*one).is_some() => "the type of the attribute",
        [one] if *one == frame[18] => "the type of the message",
        data if *data == frame[16..18] => "the length of the message",
        data if frame[offset..].starts_with(data) => "the attribute",
        _ => panic!("data of no known meaning: {data:02x?}"),
    }
}

const INTRODUCTION: &str = "\
# What is wrong, and what becomes of it

Made from the code by `UPDATE_DOCS=1 cargo test -p bgp-wire --test error_table`, which breaks every rule once and writes down what the
codec does. A test fails where this page says something else.

*Code* is `ErrorCode`. *NOTIFICATION* is code and subcode, of `Malformed` where the session is reset, else of `Fault::notification` for a
caller who ends the session all the same. *At* is the offset of the example in octets, from the start of the message. Peers are external
unless said otherwise; of a peer of kind `Unknown`, as in a dump, nothing is refused for who sent it. A fault that asks for more than to
discard an attribute resets the session if the message has no routes to withdraw (RFC 7606 section 5.2). Not here, since they depend on
more than the message: the peer's AS and role (RFC 4271 section 6.2, RFC 9234 section 4.2), equal identifiers (RFC 6286), whether a next hop
is usable (RFC 4271 section 6.3).
";

fn table() -> String {
    let sections = [
        ("Any message", headers()),
        ("OPEN", opens()),
        ("UPDATE: its fields", updates()),
        ("UPDATE: attributes every route has", mandatory()),
        ("UPDATE: further attributes", optional()),
        ("UPDATE: attributes that carry 4-octet AS numbers past 2-octet speakers", as4()),
        ("UPDATE: MP_REACH_NLRI and MP_UNREACH_NLRI", multiprotocol()),
        ("ROUTE-REFRESH", refreshes()),
    ];
    let (mut codes, mut attribute_rows) = (BTreeSet::new(), BTreeSet::new());
    let mut out = INTRODUCTION.to_owned();
    for (title, cases) in &sections {
        let _ = write!(
            out,
            "\n## {title}\n\n| What is wrong | Rule | Attribute | Action | Code | NOTIFICATION | Data | At |\n"
        );
        out += "|---|---|---|---|---|---|---|---|\n";
        cases.iter().for_each(|case| out += &row(case, &mut codes, &mut attribute_rows));
    }
    for code in ErrorCode::ALL {
        assert!(codes.contains(&format!("{code:?}")), "no row shows {code:?}");
    }
    for code in (0..=255).filter(|code| attributes::name(*code).is_some()) {
        let flags = attribute_rows.contains(&(code, "AttributeFlags".to_owned()));
        let content = attribute_rows.iter().any(|(of, what)| *of == code && what != "AttributeFlags");
        assert!(flags && content, "no row shows the flags or the content of {:?}", attributes::name(code));
    }
    out
}

#[test]
fn the_page_in_the_docs_says_what_the_codec_does() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bgp-wire-errors.md");
    let table = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &table).expect("the page is written");
    }
    let checked_in = std::fs::read_to_string(&page).expect("docs/bgp-wire-errors.md");
    assert_eq!(checked_in, table, "run UPDATE_DOCS=1 cargo test -p bgp-wire --test error_table");
}

#[test]
fn a_fault_has_the_notification_of_the_rfc() {
    let frame = announcing_with(&[0x80, 4, 1, 0]);
    let fault = faults(&frame, &EXTERNAL).unwrap()[0];
    let notification = fault.notification(&frame);
    assert_eq!((notification.code, notification.subcode, &notification.data[..]), (3, 5, &[0x80, 4, 1, 0][..]));
    let frame = update(&[], &[ORIGIN, AS_PATH], PREFIX);
    let fault = faults(&frame, &EXTERNAL).unwrap()[0];
    assert_eq!((fault.attribute, &fault.notification(&frame).data[..]), (Some(code::NEXT_HOP), &[3][..]));
    assert_eq!(fault.notification(&[]).data[..], [3], "of another message it does no harm");
}
