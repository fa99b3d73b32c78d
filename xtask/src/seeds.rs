//! What the fuzz targets start from: a few sound inputs for each, put together here and written below `fuzz/corpus`.
//!
//! The first octets of an input are what `fuzz/src/lib.rs` and the targets say.

use std::fs;

use crate::run;

/// Contexts: plain; AS numbers of four octets from an internal peer; all of that with path identifiers and IPv6 next hops.
const CONTEXTS: [(&str, [u8; 2]); 3] = [("narrow", [0x08, 0]), ("wide", [0x07, 0]), ("add-path", [0x17, 0xff])];

const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
const NEXT_HOP: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];

/// A name and the octets.
type Seed = (String, Vec<u8>);

/// Writes the seeds of every target; those that stand already are written again.
pub(crate) fn write() -> Result<(), String> {
    let updates = updates();
    let with_kind = |kind: u8, (name, octets): Seed| (name, [&octets[..2], &[kind], &octets[2..]].concat());
    let mut messages: Vec<Seed> = updates.iter().cloned().map(|seed| with_kind(2, seed)).collect();
    for (kind, (name, body)) in small_messages() {
        messages.push((name, [&[0x07, 0, kind][..], &body].concat()));
    }
    for target in ["update", "naive", "round_trip"] {
        save(target, &updates)?;
    }
    save("message", &messages)?;
    save("nlri", &nlri())?;
    save("attributes", &[("all".to_owned(), attributes(true).concat()), ("few".to_owned(), ORIGIN.to_vec())])?;
    save("open", &opens())?;
    save("mrt", &dumps())?;
    save("bmp", &monitoring())?;
    save("text", &texts())?;
    save("session", &sessions())?;
    save("manifests", &manifests())
}

fn save(target: &str, seeds: &[Seed]) -> Result<(), String> {
    let folder = run::root().join("fuzz/corpus").join(target);
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    for (name, octets) in seeds {
        fs::write(folder.join(format!("seed-{name}")), octets).map_err(failed)?;
    }
    Ok(())
}

fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let mut octets = match u8::try_from(value.len()) {
        Ok(length) => vec![flags, code, length],
        Err(_) => [&[flags | 0x10, code][..], &(value.len() as u16).to_be_bytes()].concat(),
    };
    octets.extend_from_slice(value);
    octets
}

fn as_path(wide: bool) -> Vec<u8> {
    let value: &[u8] = if wide {
        &[3, 1, 0, 0, 0xfc, 1, 2, 2, 0, 0, 0xfb, 0xf4, 0, 1, 0x86, 0xa0, 1, 2, 0, 0, 0xfb, 0xf5, 0, 0, 0xfb, 0xf6]
    } else {
        &[3, 1, 0xfc, 1, 2, 2, 0xfb, 0xf4, 0x5b, 0xa0, 1, 2, 0xfb, 0xf5, 0xfb, 0xf6]
    };
    attribute(0x40, 2, value)
}

/// Every attribute that has a rule of its own, in order of type.
fn attributes(wide: bool) -> Vec<Vec<u8>> {
    let aggregator: &[u8] = if wide { &[0, 0, 0xfb, 0xf4, 10, 0, 0, 1] } else { &[0x5b, 0xa0, 10, 0, 0, 1] };
    let mut all = vec![
        ORIGIN.to_vec(),
        as_path(wide),
        attribute(0x80, 4, &[0, 0, 0, 50]),
        attribute(0x40, 5, &[0, 0, 0, 100]),
        attribute(0x40, 6, &[]),
        attribute(0xc0, 7, aggregator),
        attribute(0xc0, 8, &[0xfb, 0xf4, 0, 1, 0xff, 0xff, 0xff, 1]),
        attribute(0x80, 9, &[10, 0, 0, 2]),
        attribute(0x80, 10, &[10, 0, 0, 3, 10, 0, 0, 4]),
        attribute(0xc0, 16, &[0, 2, 0xfb, 0xf4, 0, 0, 0, 100, 6, 3, 2, 0, 0, 0, 0, 1]),
    ];
    if !wide {
        all.push(attribute(0xc0, 17, &[2, 1, 0, 1, 0x86, 0xa0, 1, 2, 0, 0, 0xfb, 0xf5, 0, 0, 0xfb, 0xf6]));
        all.push(attribute(0xc0, 18, &[0, 1, 0x86, 0xa0, 10, 0, 0, 1]));
    }
    all.extend([
        attribute(0xc0, 22, &[0, 6, 0, 1, 0x40, 192, 0, 2, 1]),
        attribute(0xc0, 23, &[0, 8, 0, 4, 4, 2, 0x12, 0xb5]),
        attribute(0xc0, 25, &[&[0, 2][..], &[0x20; 16], &[0, 1]].concat()),
        attribute(0x80, 26, &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9]),
        attribute(0x80, 29, &[4, 2, 0, 3, b'l', b'a', b'b']),
        attribute(0xc0, 32, &[0, 0, 0xfb, 0xf4, 0, 0, 0, 1, 0, 0, 0, 2]),
        attribute(0xc0, 35, &[0, 0, 0xfb, 0xf4]),
        attribute(0xc0, 40, &[1, 0, 7, 0, 0, 0, 0, 0, 0, 5]),
        attribute(0xc0, 99, &[1, 2, 3]),
    ]);
    all
}

/// A name, AFI and SAFI, a next hop and some routes.
type Family = (&'static str, u16, u8, Vec<u8>, Vec<Vec<u8>>);

fn families() -> Vec<Family> {
    let (v4, v6) = (vec![192, 0, 2, 1], vec![0x20; 16]);
    let distinguisher = [0, 0, 0xfb, 0xf4, 0, 0, 0, 7];
    let distinguished = |address: &[u8]| [&[0; 8][..], address].concat();
    let v4_prefix = |before: &[u8]| [&[24 + 8 * before.len() as u8], before, &[198, 51, 100]].concat();
    let v6_prefix = |before: &[u8]| [&[48 + 8 * before.len() as u8], before, &[0x20, 1, 0xd, 0xb8, 0, 1]].concat();
    let label = [0, 6, 0x41];
    let two_labels = [0, 6, 0x40, 0, 7, 0x01];
    let vpn = [&label[..], &distinguisher].concat();
    let evpn = |kind: u8, value: &[&[u8]]| {
        let value = value.concat();
        [&[kind, value.len() as u8][..], &value].concat()
    };
    let (segment, tag, mac) = ([0u8; 10], [0, 0, 0, 5], [48, 2, 0, 0, 0, 0, 1]);
    let flow4 = [1, 24, 198, 51, 100, 3, 0x81, 6, 5, 0x01, 80, 0x91, 1, 0xbb, 9, 0x80, 2];
    let flow6 = [1, 48, 0, 0x20, 1, 0xd, 0xb8, 0, 1, 2, 64, 32, 1, 2, 3, 4, 13, 0xa1, 0, 0, 0, 9];
    let flow = |value: &[u8]| [&[value.len() as u8], value].concat();
    vec![
        ("ipv4", 1, 1, v4.clone(), vec![v4_prefix(&[]), vec![0]]),
        ("ipv6", 2, 1, v6.clone(), vec![v6_prefix(&[]), vec![0]]),
        ("ipv6-pair", 2, 1, [&v6[..], &[0xfe; 16]].concat(), vec![v6_prefix(&[])]),
        ("ipv4-multicast", 1, 2, v4.clone(), vec![v4_prefix(&[])]),
        ("ipv6-multicast", 2, 2, v6.clone(), vec![v6_prefix(&[])]),
        ("ipv4-labelled", 1, 4, v4.clone(), vec![v4_prefix(&label), v4_prefix(&two_labels)]),
        ("ipv6-labelled", 2, 4, v6.clone(), vec![v6_prefix(&label)]),
        ("ipv4-vpn", 1, 128, distinguished(&v4), vec![v4_prefix(&vpn)]),
        ("ipv6-vpn", 2, 128, distinguished(&v6), vec![v6_prefix(&vpn)]),
        (
            "evpn",
            25,
            70,
            v4.clone(),
            vec![
                evpn(1, &[&distinguisher, &segment, &tag, &label]),
                evpn(2, &[&distinguisher, &segment, &tag, &mac, &[0], &label]),
                evpn(2, &[&distinguisher, &segment, &tag, &mac, &[32, 10, 0, 0, 1], &label, &label]),
                evpn(3, &[&distinguisher, &tag, &[32, 192, 0, 2, 1]]),
                evpn(4, &[&distinguisher, &segment, &[128], &v6]),
                evpn(5, &[&distinguisher, &segment, &tag, &[24, 10, 0, 0, 0], &[0; 4], &label]),
                evpn(9, &[&[1, 2]]),
            ],
        ),
        (
            "route-targets",
            1,
            132,
            v4.clone(),
            vec![
                vec![0],
                [&[96, 0, 0, 0xfb, 0xf4][..], &[0, 2], &distinguisher[2..]].concat(),
                vec![32, 0, 0, 0xfb, 0xf4],
            ],
        ),
        ("ipv4-flowspec", 1, 133, vec![], vec![flow(&flow4)]),
        ("ipv6-flowspec", 2, 133, vec![], vec![flow(&flow6)]),
        ("ipv4-flowspec-vpn", 1, 134, vec![], vec![flow(&[&distinguisher[..], &flow4].concat())]),
        ("ipv6-flowspec-vpn", 2, 134, vec![], vec![flow(&[&distinguisher[..], &flow6].concat())]),
        ("mvpn", 1, 5, v4.clone(), vec![vec![1, 2, 3, 4]]),
        ("vpls", 25, 65, v4.clone(), vec![[&[0, 17][..], &[3; 17]].concat()]),
        ("link-state", 16388, 71, v4.clone(), vec![vec![0, 1, 0, 3, 1, 2, 3]]),
        ("unknown", 1, 66, v4, vec![vec![1, 2, 3]]),
    ]
}

fn with_ids(routes: &[Vec<u8>], add_path: bool) -> Vec<u8> {
    let id: &[u8] = if add_path { &[0, 0, 0, 9] } else { &[] };
    routes.iter().flat_map(|route| [id, route].concat()).collect()
}

/// Context and body of UPDATEs: each family announced and withdrawn, every attribute, an End-of-RIB.
fn updates() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (context, choice) in CONTEXTS {
        let (wide, add_path) = (choice[0] & 1 != 0, choice[1] != 0);
        let mut add = |name: &str, withdrawn: &[u8], attributes: &[Vec<u8>], nlri: &[u8]| {
            let attributes = attributes.concat();
            let mut octets = choice.to_vec();
            octets.extend((withdrawn.len() as u16).to_be_bytes());
            octets.extend(withdrawn);
            octets.extend((attributes.len() as u16).to_be_bytes());
            octets.extend(attributes);
            octets.extend(nlri);
            seeds.push((format!("{name}-{context}"), octets));
        };
        let plain = with_ids(&[vec![24, 198, 51, 100], vec![0], vec![32, 203, 0, 113, 1]], add_path);
        let mut all = attributes(wide);
        all.insert(2, NEXT_HOP.to_vec());
        add("attributes", &plain, &all, &plain);
        add("end", &[], &[], &[]);
        add("end-ipv6", &[], &[attribute(0x80, 15, &[0, 2, 1])], &[]);
        for (name, afi, safi, next_hop, routes) in families() {
            let known = matches!(safi, 1 | 2 | 4 | 70 | 128 | 132..=134);
            let family = [&afi.to_be_bytes()[..], &[safi]].concat();
            let routes = with_ids(&routes, add_path && known);
            let reach = [&family[..], &[next_hop.len() as u8], &next_hop, &[0], &routes].concat();
            let unreach = [&family[..], &routes].concat();
            let reach = [attribute(0x80, 14, &reach), ORIGIN.to_vec(), as_path(wide)];
            add(name, &[], &reach, &[]);
            add(&format!("{name}-withdrawn"), &[], &[attribute(0x80, 15, &unreach)], &[]);
        }
    }
    seeds
}

/// The routes alone, behind the family's number and the flags; the numbers are those of `family` in `fuzz/src/lib.rs`.
fn nlri() -> Vec<Seed> {
    let order = [
        "ipv4",
        "ipv6",
        "ipv4-multicast",
        "ipv6-multicast",
        "ipv4-labelled",
        "ipv6-labelled",
        "ipv4-vpn",
        "ipv6-vpn",
        "route-targets",
        "ipv4-flowspec",
        "ipv6-flowspec",
        "ipv4-flowspec-vpn",
        "ipv6-flowspec-vpn",
        "evpn",
        "mvpn",
        "vpls",
        "sr-policy",
        "link-state",
        "unknown",
    ];
    let number = |name: &str| order.iter().position(|known| *known == name);
    let known = families().into_iter().filter_map(|(name, _, _, _, routes)| Some((name, number(name)?, routes)));
    let mut seeds = Vec::new();
    for (name, number, routes) in known {
        for flags in 0..4u8 {
            let octets = [&[number as u8, flags][..], &with_ids(&routes, flags & 1 != 0)].concat();
            seeds.push((format!("{name}-{flags}"), octets));
        }
    }
    seeds
}

fn opens() -> Vec<Seed> {
    let capabilities: [&[u8]; 17] = [
        &[1, 4, 0, 1, 0, 1],
        &[1, 4, 0, 2, 0, 1],
        &[2, 0],
        &[3, 7, 0, 1, 0, 1, 1, 64, 3],
        &[5, 6, 0, 1, 0, 1, 0, 2],
        &[6, 0],
        &[8, 4, 0, 1, 1, 8],
        &[9, 1, 4],
        &[64, 6, 0x80, 120, 0, 1, 1, 0x80],
        &[65, 4, 0, 1, 0x86, 0xa0],
        &[69, 4, 0, 1, 1, 3],
        &[70, 0],
        &[71, 7, 0, 1, 1, 0x80, 0, 0x0e, 0x10],
        &[73, 8, 3, b'l', b'a', b'b', 3, b'n', b'e', b't'],
        &[75, 3, 2, b'v', b'1'],
        &[76, 5, 0, 1, 1, 0, 8],
        &[200, 2, 1, 2],
    ];
    let capabilities = capabilities.concat();
    let length = capabilities.len() as u8;
    let start = [4, 0x5b, 0xa0, 0, 90, 10, 0, 0, 1];
    let plain = [&start[..], &[length + 2, 2, length], &capabilities].concat();
    let extended = [&start[..], &[255, 255, 0, length + 3, 2, 0, length], &capabilities].concat();
    let bare = [&start[..], &[0]].concat();
    vec![("plain".to_owned(), plain), ("extended".to_owned(), extended), ("bare".to_owned(), bare)]
}

/// Messages other than UPDATE and OPEN's body, by type.
fn small_messages() -> Vec<(u8, Seed)> {
    let mut all: Vec<(u8, Seed)> =
        opens().into_iter().map(|(name, body)| (1, (format!("open-{name}"), body))).collect();
    let filters = [0, 1, 0, 1, 1, 64, 0, 12, 0, 0, 0, 0, 5, 0, 24, 24, 198, 51, 100, 0x80];
    let others: [(u8, &str, &[u8]); 5] = [
        (3, "shutdown", &[6, 2, 4, b'd', b'o', b'n', b'e']),
        (3, "notification", &[3, 1]),
        (4, "keepalive", &[]),
        (5, "refresh", &[0, 1, 0, 1]),
        (5, "filters", &filters),
    ];
    all.extend(others.map(|(kind, name, body)| (kind, (name.to_owned(), body.to_vec()))));
    all
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[0xff; 16][..], &(19 + body.len() as u16).to_be_bytes(), &[kind], body].concat()
}

/// An UPDATE with 4-octet AS numbers and without path identifiers.
fn an_update() -> Vec<u8> {
    let (name, plain) = ("attributes-wide", updates());
    let body = plain.iter().find(|(known, _)| known == name).map(|(_, octets)| octets[2..].to_vec());
    framed(2, &body.unwrap_or_default())
}

fn dumps() -> Vec<Seed> {
    let record = |kind: u16, subtype: u16, octets: &[u8]| {
        let length = (octets.len() as u32).to_be_bytes();
        [&[0x65, 0, 0, 0][..], &kind.to_be_bytes(), &subtype.to_be_bytes(), &length, octets].concat()
    };
    let between = [0, 0, 0xfb, 0xf4, 0, 0, 0xfb, 0xf5, 0, 0, 0, 1, 192, 0, 2, 1, 192, 0, 2, 2];
    let message = [&between[..], &an_update()].concat();
    let peers =
        [&[10, 0, 0, 1, 0, 3, b'l', b'a', b'b', 0, 1, 2, 10, 0, 0, 2, 192, 0, 2, 1][..], &[0, 0, 0xfb, 0xf4]].concat();
    let block = [ORIGIN.to_vec(), as_path(true), NEXT_HOP.to_vec()].concat();
    let entry = [&[0, 0, 0x65, 0, 0, 0][..], &(block.len() as u16).to_be_bytes(), &block].concat();
    let entry_with_id = [&[0, 0, 0x65, 0, 0, 0, 0, 0, 0, 9][..], &(block.len() as u16).to_be_bytes(), &block].concat();
    let rib = [&[0, 0, 0, 1, 24, 198, 51, 100, 0, 1][..], &entry].concat();
    let rib_with_ids = [&[0, 0, 0, 1, 24, 198, 51, 100, 0, 1][..], &entry_with_id].concat();
    let generic = [&[0, 0, 0, 1, 0, 1, 1, 24, 198, 51, 100, 0, 1][..], &entry].concat();
    let narrow = [ORIGIN.to_vec(), as_path(false), NEXT_HOP.to_vec()].concat();
    let table = [
        &[0, 0, 0, 1, 198, 51, 100, 0, 24, 1, 0x65, 0, 0, 0, 192, 0, 2, 1, 0xfb, 0xf4][..],
        &(narrow.len() as u16).to_be_bytes(),
        &narrow,
    ]
    .concat();
    let records = [
        ("message", record(16, 4, &message)),
        ("message-et", record(17, 4, &[&[0, 1, 0, 0][..], &message].concat())),
        ("state", record(16, 5, &[&between[..], &[0, 3, 0, 6]].concat())),
        ("peers", record(13, 1, &peers)),
        ("rib", record(13, 2, &rib)),
        ("rib-add-path", record(13, 8, &rib_with_ids)),
        ("rib-generic", record(13, 6, &generic)),
        ("table", record(12, 1, &table)),
        ("other", record(11, 0, &[1, 2, 3])),
    ];
    let all = ("all".to_owned(), records.iter().flat_map(|(_, octets)| octets.clone()).collect());
    records.into_iter().map(|(name, octets)| (name.to_owned(), octets)).chain([all]).collect()
}

fn monitoring() -> Vec<Seed> {
    let message = |kind: u8, octets: &[&[u8]]| {
        let octets = octets.concat();
        [&[3][..], &(6 + octets.len() as u32).to_be_bytes(), &[kind], &octets].concat()
    };
    let address = [&[0; 12][..], &[192, 0, 2, 1]].concat();
    let peer = [&[0, 0][..], &[0; 8], &address, &[0, 0, 0xfb, 0xf4, 10, 0, 0, 2, 0x65, 0, 0, 0, 0, 0, 0, 1]].concat();
    let open = framed(1, &opens().remove(0).1);
    let notification = framed(3, &[6, 2]);
    let counters = [0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 7, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 1, 0];
    let messages = [
        ("monitoring", message(0, &[&peer, &an_update()])),
        ("statistics", message(1, &[&peer, &counters])),
        ("down-local", message(2, &[&peer, &[1], &notification])),
        ("down-event", message(2, &[&peer, &[2, 0, 24]])),
        ("down-closed", message(2, &[&peer, &[4]])),
        ("up", message(3, &[&peer, &address, &[0, 179, 0xc0, 0], &open, &open, &[0, 0, 0, 1, b'x']])),
        ("initiation", message(4, &[&[0, 1, 0, 3, b'l', b'a', b'b', 0, 2, 0, 1, b'r']])),
        ("termination", message(5, &[&[0, 1, 0, 2, 0, 1]])),
        (
            "mirroring",
            message(6, &[&peer, &[0, 1, 0, 2, 0, 1, 0, 0], &(notification.len() as u16).to_be_bytes(), &notification]),
        ),
    ];
    let all = ("all".to_owned(), messages.iter().flat_map(|(_, octets)| octets.clone()).collect());
    messages.into_iter().map(|(name, octets)| (name.to_owned(), octets)).chain([all]).collect()
}

fn texts() -> Vec<Seed> {
    let texts = [
        "64500:100",
        "no-export",
        "blackhole",
        "64500:1:2",
        "rt:64500:100",
        "rt:192.0.2.1:100",
        "rt:64500L:100",
        "0x0002fbf400000064",
        "64500 64501 {64502,64503} (64504)",
        "1.34464",
        "4294967295",
        "198.51.100.0/24",
        "2001:db8::/32",
        "192.0.2.1:7",
    ];
    texts.iter().enumerate().map(|(at, text)| (at.to_string(), text.as_bytes().to_vec())).collect()
}

/// Manifests; behind a NUL routes, and behind another the state before.
fn manifests() -> Vec<Seed> {
    let network = |name: &str, vni: u32, other: &str, more: &str| {
        format!(
            "---\n{{apiVersion: networking.ironcore.dev/v1alpha1, kind: Network, metadata: {{namespace: default, name: {name}}}, \
             spec: {{providerID: 'ironcore-net://x/y/{vni}/z', peerings: [{{name: to-{other}, networkRef: {{name: {other}}}{more}}}]}}}}\n"
        )
    };
    let pair = network("a", 101, "b", "") + &network("b", 102, "a", ", prefixes: [{name: p, prefix: 10.0.0.0/8}]");
    let metal = "---\n{id: n1, vrf: 7, parentnetworkid: super, projectid: p, prefixes: [10.7.0.0/16]}\n\
                 ---\n{id: n2, vrf: 8, parentnetworkid: super, shared: true, prefixes: [10.8.0.0/16]}\n";
    let routed = format!("{pair}\0{{network: default/a, prefix: 10.1.0.0/16}}\n");
    let texts = [("pair", pair), ("metal", metal.to_owned()), ("routed", routed)];
    texts.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect()
}

/// A choice of configuration and steps: started, connected, OPEN and KEEPALIVE received, an UPDATE received and one sent.
fn sessions() -> Vec<Seed> {
    let update =
        [0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea, 0x40, 3, 4, 192, 0, 2, 1, 24, 198, 51, 100];
    let steps: [&[u8]; 8] = [
        &[5],
        &[6],
        &[1, 6, 1, 4, 0, 1, 0, 1],
        &[2 | 0x40],
        &[3, update.len() as u8],
        &update,
        &[13, 1],
        &[14, 30, 15, 9],
    ];
    let up = steps.concat();
    let late: &[u8] = &[5, 7, 15, 0x86, 0x81, 0, 0xc2, 15, 15];
    vec![("up".to_owned(), [&[0], &up[..]].concat()), ("late".to_owned(), [&[0x7e], late].concat())]
}
