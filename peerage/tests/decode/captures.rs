//! `--pcap`: BGP sessions in captured packets, whatever the network did to them.

use std::fs;

use etherparse::PacketBuilder;

use super::*;

const SERVER: u16 = 179;
const CLIENT: u16 = 40_000;

/// One end's packets towards the other, and its sequence number.
#[derive(Clone, Copy)]
struct End {
    ipv6: bool,
    client: bool,
    /// Sequence number of the next octet.
    next: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Link {
    Ethernet,
    Vlan,
    Cooked,
    Raw,
}

impl End {
    fn new(client: bool, first: u32) -> Self {
        Self { ipv6: false, client, next: first }
    }

    /// A packet with these octets, `ahead` of what comes next.
    fn packet(&self, link: Link, ahead: u32, syn: bool, acknowledged: u32, octets: &[u8]) -> Vec<u8> {
        let (source, destination) = if self.client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        let (near, far) = if self.client { (7, 9) } else { (9, 7) };
        let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, near], [2, 0, 0, 0, 0, far]);
        let v4 = |last| [192, 0, 2, last];
        let v6 = |last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        let ip = match (link, self.ipv6) {
            (Link::Ethernet, false) => ethernet.ipv4(v4(near), v4(far), 64),
            (Link::Ethernet, true) => ethernet.ipv6(v6(near), v6(far), 64),
            (Link::Vlan, false) => ethernet.single_vlan(100.try_into().unwrap()).ipv4(v4(near), v4(far), 64),
            (Link::Vlan, true) => ethernet.single_vlan(100.try_into().unwrap()).ipv6(v6(near), v6(far), 64),
            (_, false) => PacketBuilder::ipv4(v4(near), v4(far), 64),
            (_, true) => PacketBuilder::ipv6(v6(near), v6(far), 64),
        };
        let mut tcp = ip.tcp(source, destination, self.next.wrapping_add(ahead), 65_535).ack(acknowledged);
        if syn {
            tcp = tcp.syn();
        }
        let mut packet = Vec::new();
        if link == Link::Cooked {
            packet.extend_from_slice(&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, near, 0, 0]);
            packet.extend_from_slice(if self.ipv6 { &[0x86, 0xdd] } else { &[8, 0] });
        }
        tcp.write(&mut packet, octets).unwrap();
        packet
    }

    /// A packet with the octets that come next.
    fn send(&mut self, link: Link, octets: &[u8]) -> Vec<u8> {
        let packet = self.packet(link, 0, false, 0, octets);
        self.next = self.next.wrapping_add(octets.len() as u32);
        packet
    }

    fn syn(&mut self, link: Link) -> Vec<u8> {
        let packet = self.packet(link, 0, true, 0, &[]);
        self.next = self.next.wrapping_add(1);
        packet
    }
}

/// A capture file; the packets are a second apart.
fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file =
        [&0xa1b2_c3d4u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 8], &65_535u32.to_le_bytes(), &link.to_le_bytes()]
            .concat();
    for (second, packet) in (1_000_000_000u32..).zip(packets) {
        let len = (packet.len() as u32).to_le_bytes();
        file.extend([&second.to_le_bytes()[..], &5u32.to_le_bytes(), &len, &len, packet].concat());
    }
    file
}

/// The same in the newer form, with times in nanoseconds.
fn pcapng(link: u16, packets: &[Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let len = (12 + body.len() + padding.len()) as u32;
        [&kind.to_le_bytes()[..], &len.to_le_bytes(), body, &padding, &len.to_le_bytes()].concat()
    };
    let section = [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let interface = [&link.to_le_bytes()[..], &[0; 6], &[9, 0, 1, 0, 9, 0, 0, 0], &[0; 4]].concat();
    let mut file = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    for (second, packet) in (1_000_000_000u64..).zip(packets) {
        let time = second * 1_000_000_000 + 5_000;
        let len = (packet.len() as u32).to_le_bytes();
        let (high, low) = ((time >> 32) as u32, time as u32);
        file.extend(block(6, &[&[0; 4][..], &high.to_le_bytes(), &low.to_le_bytes(), &len, &len, packet].concat()));
    }
    file
}

fn decoded(file: &[u8], arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("session.pcap");
    fs::write(&path, file).unwrap();
    decode(&[arguments, &["--pcap", path.to_str().unwrap()]].concat())
}

/// The prefixes announced, in the order shown.
fn announced(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix("announced")).map(str::trim).collect()
}

/// UPDATEs that announce 10.0.n.0/24.
fn numbered(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|n| update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[24, 10, 0, n])).collect()
}

fn prefixes(numbers: impl IntoIterator<Item = u8>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("10.0.{n}.0/24")).collect()
}

/// A handshake, OPENs with path identifiers both ways, and an UPDATE of the client.
fn session(link: Link, ipv6: bool) -> Vec<Vec<u8>> {
    // The sequence numbers wrap around within the OPEN.
    let (mut client, mut server) = (End::new(true, u32::MAX - 10), End::new(false, 1));
    (client.ipv6, server.ipv6) = (ipv6, ipv6);
    let with_id = update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[&[0, 0, 0, 7][..], PREFIX].concat());
    vec![
        client.syn(link),
        server.syn(link),
        client.send(link, &open(64500, true)),
        server.send(link, &open(70000, true)),
        client.send(link, &[message(4, &[]), with_id].concat()),
    ]
}

const SHOWN: &str = "\
2001-09-09T01:46:42.000005Z  AS64500 192.0.2.7 to 192.0.2.9  OPEN
  AS                  64500
  hold time           90 s
  identifier          10.0.0.1
  capability          as4 asn 64500
  capability          add-path tuples family ipv4-unicast mode 3
2001-09-09T01:46:43.000005Z  AS70000 192.0.2.9 to AS64500 192.0.2.7  OPEN
  AS                  70000
  hold time           90 s
  identifier          10.0.0.1
  capability          as4 asn 70000
  capability          add-path tuples family ipv4-unicast mode 3
2001-09-09T01:46:44.000005Z  AS64500 192.0.2.7 to AS70000 192.0.2.9  KEEPALIVE
2001-09-09T01:46:44.000005Z  AS64500 192.0.2.7 to AS70000 192.0.2.9  UPDATE
  announced           198.51.100.0/24 #7
  next hop            192.0.2.1
  origin              igp
  AS path             64500 70000
";

#[test]
fn a_session_is_shown_with_what_its_opens_agreed_on() {
    let output = decoded(&pcap(1, &session(Link::Ethernet, false)), &[]);
    assert_eq!(sound(&output), SHOWN);
    let told = stderr(&output);
    assert!(
        told.contains("session.pcap: 5 packets, 5 of them of 1 BGP sessions\n  1 UPDATE, 2 OPENs, 1 KEEPALIVE\n"),
        "{told}"
    );
}

#[test]
fn every_kind_of_capture_and_link_shows_the_same() {
    let files = [
        pcapng(1, &session(Link::Ethernet, false)),
        pcap(1, &session(Link::Vlan, false)),
        pcap(113, &session(Link::Cooked, false)),
        pcap(101, &session(Link::Raw, false)),
        pcapng(228, &session(Link::Raw, false)),
    ];
    for file in files {
        assert_eq!(sound(&decoded(&file, &[])), SHOWN);
    }
    let over_ipv6 = SHOWN.replace("192.0.2.7", "2001:db8::7").replace("192.0.2.9", "2001:db8::9");
    for link in [Link::Ethernet, Link::Vlan] {
        assert_eq!(sound(&decoded(&pcap(1, &session(link, true)), &[])), over_ipv6);
    }
    assert_eq!(sound(&decoded(&pcap(113, &session(Link::Cooked, true)), &[])), over_ipv6);
}

#[test]
fn segments_out_of_order_again_and_overlapping_are_put_together() {
    let link = Link::Ethernet;
    let mut client = End::new(true, 100);
    let octets = numbered(3).concat();
    let whole = octets.len() as u32;
    let mut packets = vec![client.syn(link)];
    let part = |from: u32, to: u32| client.packet(link, from, false, 0, &octets[from as usize..to as usize]);
    packets.extend([part(90, whole), part(20, 70), part(0, 40), part(0, 40), part(60, 100), part(10, 50)]);
    let output = decoded(&pcap(1, &packets), &[]);
    assert_eq!(announced(&sound(&output)), prefixes(0..3));
}

#[test]
fn a_gap_is_told_and_the_next_whole_message_is_shown() {
    let link = Link::Ethernet;
    let (mut client, mut server) = (End::new(true, 100), End::new(false, 1));
    let updates = numbered(4);
    let len = updates[0].len() as u32;
    let mut packets = vec![client.syn(link), server.syn(link), client.send(link, &updates[0])];
    // The second UPDATE is lost, with the start of the third.
    client.next += len + 10;
    packets.push(client.send(link, &[&updates[2][10..], &updates[3]].concat()));
    // What is acknowledged was not captured, and is not waited for.
    packets.push(server.packet(link, 0, false, client.next, &[]));
    packets.push(server.send(link, &message(4, &[])));
    let (shown, told) = unsound(&decoded(&pcap(1, &packets), &[]));
    assert_eq!(announced(&shown), prefixes([0, 3]));
    assert!(shown.lines().last().is_some_and(|line| line.ends_with("KEEPALIVE")), "{shown}");
    let gap = format!("192.0.2.7:40000 to 192.0.2.9:179: {} octets are missing from the capture", len + 10);
    assert!(told.contains(&gap), "{told}");
}

#[test]
fn a_capture_that_starts_in_the_middle_is_read_from_the_first_whole_message_on() {
    let link = Link::Ethernet;
    let mut client = End::new(true, 100);
    let updates = numbered(3);
    let packets =
        [client.send(link, &updates[0][30..]), client.send(link, &updates[1]), client.send(link, &updates[2])];
    assert_eq!(announced(&sound(&decoded(&pcap(1, &packets), &[]))), prefixes([1, 2]));
}

#[test]
fn a_path_in_two_octets_is_known_without_an_open() {
    let mut client = End::new(true, 100);
    let packet = client.send(Link::Raw, &update(&[], &[ORIGIN, NARROW_AS_PATH, NEXT_HOP], PREFIX));
    let text = sound(&decoded(&pcap(101, &[packet]), &["-o", "bgpdump"]));
    assert_eq!(text, "BGP4MP_ET|1000000000.000005|A|192.0.2.7|0|198.51.100.0/24|64500|IGP|192.0.2.1|0|0||NAG||\n");
}

#[test]
fn a_message_cut_short_by_the_end_of_the_capture_is_told() {
    let mut client = End::new(true, 100);
    let packets = [client.syn(Link::Raw), client.send(Link::Raw, &announcement()[..30])];
    let (shown, told) = unsound(&decoded(&pcap(101, &packets), &[]));
    assert_eq!(shown, "");
    assert!(told.contains("the last message is cut short after 30 octets"), "{told}");
}

#[test]
fn a_torn_capture_shows_what_came_before() {
    let file = pcap(1, &session(Link::Ethernet, false));
    let (shown, told) = unsound(&decoded(&file[..file.len() - 3], &[]));
    assert_eq!(shown.matches("OPEN").count(), 2, "{shown}");
    assert!(told.contains("the file ends within a block"), "{told}");
    let (_, told) = unsound(&decoded(b"this is a text, and long enough for a header", &[]));
    assert!(told.contains("neither pcap nor pcapng"), "{told}");
}
