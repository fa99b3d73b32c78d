//! `--mrt`: tables and messages of collectors, in every form of the output.

use std::fs;
use std::path::PathBuf;

use bgp_wire::AfiSafi;
use bgp_wire::mrt::{Between, Body, PathIds, Peer, PeerMessage, Peers, Record, Rib, RibEntry, StateChange};
use serde_json::json;

use super::*;

/// Records, one after another.
#[derive(Default)]
struct Dump(Vec<u8>);

impl Dump {
    fn record(mut self, microseconds: Option<u32>, body: Body<'_>) -> Self {
        Record { offset: 0, seconds: 1_445_565_678, microseconds, body }.write(&mut self.0).unwrap();
        self
    }

    fn message(self, peer: &str, peer_as: u32, message: &[u8]) -> Self {
        let between = between(peer, peer_as);
        self.record(None, Body::Message(PeerMessage { between, sent: false, add_path: false, message }))
    }

    /// A table of two peers, and a prefix that both have.
    fn table(self) -> Self {
        let (mut peers, mut entries) = (Vec::new(), Vec::new());
        for (asn, last) in [(64500, 7), (70000, 9)] {
            let (identifier, address) = ([10, 0, 0, last].into(), [192, 0, 2, last].into());
            Peer { identifier, address, asn, as4: true }.write(&mut peers).unwrap();
        }
        let octets = [ORIGIN, AS_PATH, NEXT_HOP].concat();
        for peer in 0..2 {
            let entry = RibEntry { peer, originated: 1_000_000_000, path_id: None, octets: &octets };
            entry.write(PathIds::None, &mut entries).unwrap();
        }
        self.record(None, Body::Peers(Peers::new([10, 0, 0, 1].into(), b"", &peers).unwrap()))
            .record(None, Body::Rib(Rib::new(0, AfiSafi::IPV4_UNICAST, PREFIX, PathIds::None, &entries).unwrap()))
    }

    /// The file, in a directory that goes away with the guard.
    fn file(&self) -> (tempfile::TempDir, String) {
        written(&self.0)
    }
}

fn written(octets: &[u8]) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("dump.mrt");
    fs::write(&path, octets).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

fn between(peer: &str, peer_as: u32) -> Between {
    let local = "192.0.2.200".parse().unwrap();
    Between { peer_as, local_as: 64999, interface: 0, peer: peer.parse().unwrap(), local, as4: true }
}

/// A table, an UPDATE of each of two peers, a KEEPALIVE and a state change.
fn dump() -> Dump {
    let other_path: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf5];
    let v6 = [&[0x80, 14, 26, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1, 0, 32, 0x20, 1, 0xd, 0xb8]].concat();
    Dump::default()
        .table()
        .message("192.0.2.7", 64500, &update(&[8, 10], &[ORIGIN, AS_PATH, NEXT_HOP], &[16, 172, 16, 24, 172, 16, 1]))
        .message("192.0.2.9", 64501, &update(&[], &[ORIGIN, other_path, &v6], &[]))
        .message("192.0.2.9", 64501, &message(4, &[]))
        .record(Some(42), Body::StateChange(StateChange { between: between("192.0.2.9", 64501), old: 6, new: 1 }))
}

#[test]
fn a_dump_is_shown_for_people() {
    let (_guard, path) = dump().file();
    let output = decode(&["--mrt", &path]);
    assert_eq!(
        sound(&output),
        "\
2015-10-23T02:01:18Z  peers
  collector           10.0.0.1
  peer                0: AS64500 192.0.2.7 (identifier 10.0.0.7)
  peer                1: AS70000 192.0.2.9 (identifier 10.0.0.9)
2015-10-23T02:01:18Z  AS64500 192.0.2.7  route
  prefix              198.51.100.0/24
  originated          2001-09-09T01:46:40Z
  next hop            192.0.2.1
  origin              igp
  AS path             64500 70000
2015-10-23T02:01:18Z  AS70000 192.0.2.9  route
  prefix              198.51.100.0/24
  originated          2001-09-09T01:46:40Z
  next hop            192.0.2.1
  origin              igp
  AS path             64500 70000
2015-10-23T02:01:18Z  AS64500 192.0.2.7 to AS64999 192.0.2.200  UPDATE
  withdrawn           10.0.0.0/8
  announced           172.16.0.0/16, 172.16.1.0/24
  next hop            192.0.2.1
  origin              igp
  AS path             64500 70000
2015-10-23T02:01:18Z  AS64501 192.0.2.9 to AS64999 192.0.2.200  UPDATE
  family              ipv6-unicast
  announced           2001:db8::/32
  next hop            2001:db8::1
  origin              igp
  AS path             64501
2015-10-23T02:01:18Z  AS64501 192.0.2.9 to AS64999 192.0.2.200  KEEPALIVE
2015-10-23T02:01:18.000042Z  AS64501 192.0.2.9 to AS64999 192.0.2.200  state change
  state               Established to Idle
"
    );
    assert_eq!(
        stderr(&output),
        format!(
            "{path}: 6 records in {} octets\n  2 UPDATEs, 1 KEEPALIVE, 1 state change\n  \
             2 routes in tables, 3 routes announced, 1 route withdrawn, 2 peers\n  7 shown\n",
            dump().0.len()
        )
    );
}

#[test]
fn a_dump_is_shown_as_bgpdump_shows_it() {
    let (_guard, path) = dump().file();
    assert_eq!(
        sound(&decode(&["-o", "bgpdump", "--mrt", &path])),
        "\
TABLE_DUMP2|1445565678|B|192.0.2.7|64500|198.51.100.0/24|64500 70000|IGP|192.0.2.1|0|0||NAG||
TABLE_DUMP2|1445565678|B|192.0.2.9|70000|198.51.100.0/24|64500 70000|IGP|192.0.2.1|0|0||NAG||
BGP4MP|1445565678|W|192.0.2.7|64500|10.0.0.0/8
BGP4MP|1445565678|A|192.0.2.7|64500|172.16.0.0/16|64500 70000|IGP|192.0.2.1|0|0||NAG||
BGP4MP|1445565678|A|192.0.2.7|64500|172.16.1.0/24|64500 70000|IGP|192.0.2.1|0|0||NAG||
BGP4MP|1445565678|A|192.0.2.9|64501|2001:db8::/32|64501|IGP|2001:db8::1|0|0||NAG||
BGP4MP_ET|1445565678.000042|STATE|192.0.2.9|64501|6|1
"
    );
}

#[test]
fn bgpdump_lines_have_every_attribute_and_what_the_rfcs_would_drop() {
    let rich: &[&[u8]] = &[
        &[0x40, 1, 1, 2],
        // 1 2 {3,4} and, in a confederation, (5) [6].
        &[
            0x40, 2, 36, 2, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 0, 0, 0, 3, 0, 0, 0, 4, 3, 1, 0, 0, 0, 5, 4, 2, 0, 0, 0,
            6, 0, 0, 0, 7,
        ],
        NEXT_HOP,
        &[0x80, 4, 4, 0, 0, 0, 50],
        &[0x40, 5, 4, 0, 0, 0, 200],
        &[0x40, 6, 0],
        &[0xc0, 7, 8, 0, 1, 0x11, 0x70, 10, 0, 0, 1],
        &[0xc0, 8, 16, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 2, 0xff, 0xff, 0xff, 3, 0xfb, 0xf4, 0, 9],
    ];
    let as_zero: &[u8] = &[0x40, 2, 10, 2, 2, 0, 0, 0xfb, 0xf4, 0, 0, 0, 0];
    let aggregator_zero: &[u8] = &[0xc0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let (_guard, path) = Dump::default()
        .message("192.0.2.7", 64500, &update(&[], rich, PREFIX))
        .message("192.0.2.7", 64500, &update(&[], &[as_zero, NEXT_HOP, aggregator_zero], PREFIX))
        .message("192.0.2.7", 64500, &update(&[], &[ORIGIN, AS_PATH], PREFIX))
        .file();
    assert_eq!(
        sound(&decode(&["-o", "bgpdump", "--mrt", &path])),
        "\
BGP4MP|1445565678|A|192.0.2.7|64500|198.51.100.0/24|1 2 {3,4} (5) [6,7]|INCOMPLETE|192.0.2.1|200|50|no-export no-advertise local-AS 64500:9|AG|70000 10.0.0.1|
BGP4MP|1445565678|A|192.0.2.7|64500|198.51.100.0/24|64500 0|INCOMPLETE|192.0.2.1|0|0||NAG|0 0.0.0.0|
BGP4MP|1445565678|A|192.0.2.7|64500|198.51.100.0/24|64500 70000|IGP|255.255.255.255|0|0||NAG||
"
    );
}

#[test]
fn a_dump_is_shown_as_json_lines() {
    let (_guard, path) = dump().file();
    let lines = json_lines(&sound(&decode(&["-o", "json", "--mrt", &path])));
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["peers", "route", "route", "update", "update", "keepalive", "state-change"]);
    let attrs =
        json!({"origin": "igp", "as_path": [{"type": "sequence", "asns": [64500, 70000]}], "next_hop": "192.0.2.1"});
    assert_eq!(
        lines[1],
        json!({
            "time": 1_445_565_678, "type": "route", "peer": {"address": "192.0.2.7", "as": 64500},
            "family": "ipv4-unicast", "prefix": "198.51.100.0/24", "originated": 1_000_000_000,
            "next_hop": "192.0.2.1", "attrs": attrs,
        })
    );
    assert_eq!(lines[3]["peer"], json!({"address": "192.0.2.7", "as": 64500}));
    assert_eq!(lines[3]["update"]["withdrawn"], json!([{"prefix": "10.0.0.0/8"}]));
    assert_eq!(
        lines[6],
        json!({
            "time": 1_445_565_678.000_042, "type": "state-change", "peer": {"address": "192.0.2.9", "as": 64501},
            "local": {"address": "192.0.2.200", "as": 64999}, "old": 6, "new": 1,
        })
    );
}

/// The routes shown with these filters: prefix and peer of each, `-` before a withdrawn one.
#[track_caller]
fn filtered(filters: &[&str]) -> Vec<String> {
    let (_guard, path) = dump().file();
    let arguments = [filters, &["-o", "bgpdump", "--mrt", &path]].concat();
    let route = |line: &str| {
        let fields: Vec<&str> = line.split('|').collect();
        match fields[2] {
            "W" => format!("-{} {}", fields[5], fields[4]),
            "STATE" => format!("state {}", fields[4]),
            _ => format!("{} {}", fields[5], fields[4]),
        }
    };
    let routes: Vec<String> = sound(&decode(&arguments)).lines().map(route).collect();
    // The other forms show the same routes.
    let arguments = [filters, &["-o", "json", "--mrt", &path]].concat();
    let shown = json_lines(&sound(&decode(&arguments)));
    let count = |value: &Value, pointer| value.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len);
    let lists = ["/update/nlri", "/update/withdrawn", "/update/mp_reach/nlri"];
    let in_json: usize = shown
        .iter()
        .map(|line| match line["type"].as_str().unwrap() {
            "route" | "state-change" => 1,
            _ => lists.iter().map(|list| count(line, list)).sum(),
        })
        .sum();
    assert_eq!(in_json, routes.len(), "{shown:?}");
    routes
}

#[test]
fn filters_leave_what_is_asked_for() {
    assert_eq!(filtered(&["--prefix", "172.16.0.0/16"]), ["172.16.0.0/16 64500"]);
    assert_eq!(filtered(&["--longer", "172.16.0.0/12"]), ["172.16.0.0/16 64500", "172.16.1.0/24 64500"]);
    assert_eq!(filtered(&["--covering", "172.16.0.1/32"]), ["172.16.0.0/16 64500"]);
    assert_eq!(
        filtered(&["--prefix", "10.0.0.0/8", "--longer", "2001::/16"]),
        ["-10.0.0.0/8 64500", "2001:db8::/32 64501"]
    );
    assert_eq!(filtered(&["--peer-as", "64501"]), ["2001:db8::/32 64501", "state 64501"]);
    assert_eq!(filtered(&["--origin-as", "64501"]), ["2001:db8::/32 64501"]);
    assert_eq!(filtered(&["--as", "64500", "--longer", "0.0.0.0/0", "--peer-as", "70000"]), ["198.51.100.0/24 70000"]);
    assert_eq!(filtered(&["--origin-as", "64500"]), [""; 0]);
}

#[test]
fn a_packed_dump_and_one_on_standard_input_are_read_alike() {
    let plain = dump().0;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&plain).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    bzip2.write_all(&plain).unwrap();
    let shown = sound(&decode_input(&["--mrt", "-"], &plain));
    assert!(shown.contains("172.16.1.0/24"), "{shown}");
    for packed in [gzip.finish().unwrap(), bzip2.finish().unwrap()] {
        let (_guard, path) = written(&packed);
        assert_eq!(sound(&decode(&["--mrt", &path])), shown);
        assert_eq!(sound(&decode_input(&["--mrt", "-"], &packed)), shown);
    }
}

#[test]
fn a_torn_dump_shows_what_came_before_and_fails() {
    let whole = dump().0;
    let (_guard, path) = written(&whole[..whole.len() - 1]);
    let (shown, told) = unsound(&decode(&["-o", "bgpdump", "--mrt", &path]));
    assert_eq!(shown.lines().count(), 6, "{shown}");
    let record = whole.len() - 40;
    let line = format!(
        "{path}: MRT record at octet {record}: the file ends within the record (at octet {})\n",
        whole.len() - 1
    );
    assert!(told.starts_with(&line), "{told}");
    assert!(told.contains("1 fault in the file\n"), "{told}");
}

#[test]
fn a_record_that_is_wrong_is_told_and_the_next_is_shown() {
    let mut octets = dump().0;
    let wrong = [&[0u8; 4][..], &[0, 16, 0, 4, 0, 0, 0, 3, 1, 2, 3]].concat();
    octets.splice(..0, wrong);
    let (_guard, path) = written(&octets);
    let (shown, told) = unsound(&decode(&["-o", "bgpdump", "--mrt", &path]));
    assert_eq!(shown.lines().count(), 7, "{shown}");
    assert!(told.contains("MRT record at octet 0: a field runs past the end of the record (at octet 12)"), "{told}");
}

#[test]
fn what_is_no_dump_at_all_is_told() {
    let (_guard, path) = written(b"this is a text");
    let (_, told) = unsound(&decode(&["--mrt", &path]));
    assert!(told.contains("is it an MRT file (RFC 6396)?"), "{told}");
    let (_, told) = unsound(&decode(&["--mrt", "/nonexistent/dump.mrt"]));
    assert!(told.starts_with("/nonexistent/dump.mrt: No such file"), "{told}");
}

#[test]
fn a_route_of_a_peer_that_the_dump_lacks_is_shown_and_told() {
    let octets = dump().0;
    // The table of peers is the first record.
    let first = 12 + u32::from_be_bytes(octets[8..12].try_into().unwrap()) as usize;
    let (_guard, path) = written(&octets[first..]);
    let (shown, told) = unsound(&decode(&["-o", "bgpdump", "--mrt", &path]));
    assert!(shown.starts_with("TABLE_DUMP2|1445565678|B|0.0.0.0|0|198.51.100.0/24|64500 70000|"), "{shown}");
    assert!(told.contains("a route of peer 0, which the table of peers lacks"), "{told}");
}
