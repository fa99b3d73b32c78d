//! `-o bgpdump`: one line per route, fields between bars, as `bgpdump -m` writes them.
//!
//! What was sent is shown, also where RFC 7606 makes something else of it. Messages other than UPDATE, and routes other than prefixes,
//! have no line in this form.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use bgp_wire::attributes::{Attributes, code};
use bgp_wire::{Aggregator, AsPath, Community, Message, Nlri, Origin, Update};
use ipnet::IpNet;

use super::filter::Filter;
use super::sighting::{End, Seen, Sighting, TableRoute, Time, What};
use super::tally::address;

/// Stands where a next hop is missing.
const NO_NEXT_HOP: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);
/// Stands where the peer is not known.
const NO_PEER: End = End { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), asn: None };

pub(super) fn write(sighting: &Sighting<'_>, filter: &Filter, out: &mut Vec<u8>) {
    let peer = sighting.peer.unwrap_or(NO_PEER);
    let time = sighting.time.unwrap_or(Time { seconds: 0, microseconds: None });
    match &sighting.what {
        What::Message(seen) => {
            if let Ok(Message::Update(update)) = &seen.message {
                self::update(seen, update, time, peer, filter, out);
            }
        }
        What::StateChange { old, new } => {
            head(&["BGP4MP", extended(time)], time, "STATE", peer, out);
            number(*old, out);
            out.push(b'|');
            number(*new, out);
            out.push(b'\n');
        }
        What::Route(route) => table_route(route, time, peer, out),
        What::Peers(_) | What::Other { .. } => {}
    }
}

fn extended(time: Time) -> &'static str {
    if time.microseconds.is_some() { "_ET" } else { "" }
}

/// The fields up to the one that differs by the kind of line.
fn head(kind: &[&str], time: Time, letter: &str, peer: End, out: &mut Vec<u8>) {
    kind.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    out.push(b'|');
    number(time.seconds, out);
    if let Some(microseconds) = time.microseconds {
        // Writing to a vector cannot fail.
        let _ = write!(out, ".{microseconds:06}");
    }
    out.push(b'|');
    out.extend_from_slice(letter.as_bytes());
    out.push(b'|');
    ip(peer.address, out);
    out.push(b'|');
    number(peer.asn.unwrap_or_default(), out);
    out.push(b'|');
}

fn update(seen: &Seen<'_>, update: &Update<'_>, time: Time, peer: End, filter: &Filter, out: &mut Vec<u8>) {
    let kind = match (seen.add_path, seen.sent) {
        (true, _) => "_AP",
        (false, true) => "_LOCAL",
        (false, false) => "",
    };
    let kind = ["BGP4MP", extended(time), kind];
    let mut line = Vec::with_capacity(64);
    let path = filter.path(Some(update.attributes().as_path()));
    head(&kind, time, "W", peer, &mut line);
    let mut withdraw = |prefix: IpNet, path_id: Option<u32>| {
        if filter.route(true, Some(prefix), path) {
            out.extend_from_slice(&line);
            route(prefix, path_id, out);
            out.push(b'\n');
        }
    };
    prefixes(update.withdrawn(), &mut withdraw);
    if let Some(unreach) = update.mp_unreach() {
        unreach.routes::<IpNet>().into_iter().flatten().for_each(|(path_id, prefix)| withdraw(prefix, path_id));
    }
    line.clear();
    head(&kind, time, "A", peer, &mut line);
    let mut tail = Vec::new();
    let mut announce = |prefix: IpNet, path_id: Option<u32>, tail: &[u8]| {
        if filter.route(false, Some(prefix), path) {
            out.extend_from_slice(&line);
            route(prefix, path_id, out);
            out.extend_from_slice(tail);
        }
    };
    let attributes = update.attributes();
    let as4 = update.index().ctx().as4;
    if !update.nlri().is_empty() {
        let next_hop = update.next_hop().map_or(NO_NEXT_HOP, address);
        self::attributes(&attributes, as4, next_hop, &mut tail);
        prefixes(update.nlri(), &mut |prefix, path_id| announce(prefix, path_id, &tail));
    }
    if let Some(reach) = update.mp_reach()
        && let Some(routes) = reach.routes::<IpNet>()
    {
        tail.clear();
        self::attributes(&attributes, as4, reach.next_hop().map_or(NO_NEXT_HOP, address), &mut tail);
        routes.for_each(|(path_id, prefix)| announce(prefix, path_id, &tail));
    }
}

fn prefixes<F: bgp_wire::Family>(nlri: Nlri<'_, F>, visit: &mut impl FnMut(IpNet, Option<u32>)) {
    nlri.for_each(|(path_id, key)| visit(key.into(), path_id));
}

fn route(prefix: IpNet, path_id: Option<u32>, out: &mut Vec<u8>) {
    ip(prefix.addr(), out);
    out.push(b'/');
    number(prefix.prefix_len(), out);
    if let Some(id) = path_id {
        out.push(b'|');
        number(id, out);
    }
}

fn table_route(shown: &TableRoute<'_>, time: Time, peer: End, out: &mut Vec<u8>) {
    let Some(prefix) = shown.prefix else { return };
    let kind = match (shown.old_form, shown.path_id) {
        (true, _) => "TABLE_DUMP",
        (false, None) => "TABLE_DUMP2",
        (false, Some(_)) => "TABLE_DUMP2_AP",
    };
    head(&[kind], time, "B", peer, out);
    route(prefix, shown.path_id, out);
    let next_hop = shown.next_hop.map_or(NO_NEXT_HOP, address);
    attributes(&shown.attributes, !shown.old_form, next_hop, out);
}

/// The fields after the route, and the line's end.
fn attributes(attributes: &Attributes<'_>, as4: bool, next_hop: IpAddr, out: &mut Vec<u8>) {
    // Also an attribute that does not stand was sent.
    let sent = |code| {
        let standing = attributes.get(code);
        standing
            .or_else(|| attributes.as_sent().find(|attribute| attribute.code == code))
            .map(|attribute| attribute.value)
    };
    let value = |code| sent(code)?.first_chunk().map_or(Some(0), |octets| Some(u32::from_be_bytes(*octets)));
    out.push(b'|');
    let path = match attributes.as_path() {
        path if path.is_empty() => AsPath::as_sent(sent(code::AS_PATH).unwrap_or_default(), as4),
        path => path,
    };
    // Writing to a vector cannot fail, here and below.
    let _ = write!(out, "{path}");
    out.extend_from_slice(match attributes.origin() {
        Some(Origin::Igp) => b"|IGP|",
        Some(Origin::Egp) => b"|EGP|",
        Some(Origin::Incomplete) | None => b"|INCOMPLETE|",
    });
    ip(next_hop, out);
    out.push(b'|');
    number(value(code::LOCAL_PREF).unwrap_or_default(), out);
    out.push(b'|');
    number(value(code::MED).unwrap_or_default(), out);
    out.push(b'|');
    for (at, community) in attributes.communities().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        match community {
            Community::NO_EXPORT => out.extend_from_slice(b"no-export"),
            Community::NO_ADVERTISE => out.extend_from_slice(b"no-advertise"),
            Community::NO_EXPORT_SUBCONFED => out.extend_from_slice(b"local-AS"),
            Community(other) => {
                number(other >> 16, out);
                out.push(b':');
                number(other & 0xffff, out);
            }
        }
    }
    out.extend_from_slice(if sent(code::ATOMIC_AGGREGATE).is_some() { b"|AG|" } else { b"|NAG|" });
    let aggregator = attributes.aggregator().or_else(|| Aggregator::as_sent(sent(code::AGGREGATOR)?));
    if let Some(aggregator) = aggregator {
        number(aggregator.asn, out);
        out.push(b' ');
        ip(aggregator.identifier.into(), out);
    }
    out.extend_from_slice(b"|\n");
}

fn ip(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            for (at, octet) in address.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                number(octet, out);
            }
        }
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

/// Such numbers are most of the output; the formatting machinery takes several times as long for them.
fn number(number: impl Into<u32>, out: &mut Vec<u8>) {
    let (mut left, mut digits, mut at) = (number.into(), [0; 10], 10);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
