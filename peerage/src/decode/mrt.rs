//! `--mrt`: the records of MRT files.

use std::io::{self, Read};

use bgp_wire::AfiSafi;
use bgp_wire::mrt::{Between, Body, MrtFault, Peer, Record, Stream, StreamError};

use super::show::Show;
use super::sighting::{End, Seen, Sighting, TableRoute, Time, What};
use crate::output::grouped;

/// Shows every record. What cannot be read is told and passed over.
pub(super) fn run(file: Box<dyn Read + Send>, show: &mut Show) -> io::Result<()> {
    let mut stream = match Stream::decompressing(file) {
        Ok(stream) => stream,
        Err(error) => {
            show.unreadable(&error.to_string());
            return Ok(());
        }
    };
    let mut records = 0;
    let mut peers = Vec::new();
    while let Some(record) = stream.next_record() {
        match record {
            Ok(record) => {
                records += 1;
                self::record(&record, &mut peers, show)?;
            }
            Err(error) => {
                let foreign = matches!(
                    &error,
                    StreamError::Record(error) if matches!(error.fault, MrtFault::Torn | MrtFault::Oversized(_))
                );
                let hint = if foreign && records == 0 { "; is it an MRT file (RFC 6396)?" } else { "" };
                show.unreadable(&format!("{error}{hint}"));
            }
        }
    }
    show.read = format!("{} records in {} octets", grouped(records), grouped(stream.offset()));
    Ok(())
}

fn record(record: &Record<'_>, peers: &mut Vec<Peer>, show: &mut Show) -> io::Result<()> {
    let time = Some(Time { seconds: record.seconds, microseconds: record.microseconds });
    let between = |between: &Between, what| Sighting {
        time,
        peer: Some(End { address: between.peer, asn: Some(between.peer_as) }),
        local: Some(End { address: between.local, asn: Some(between.local_as) }),
        what,
    };
    match &record.body {
        Body::Message(message) => {
            let seen = Seen::new(message.message, &message.ctx(), message.sent);
            show.sighting(&between(&message.between, What::Message(seen)))
        }
        Body::StateChange(change) => {
            show.sighting(&between(&change.between, What::StateChange { old: change.old, new: change.new }))
        }
        Body::Table(routes) => routes.iter().try_for_each(|route| {
            let family = if routes.is_ipv6() { AfiSafi::IPV6_UNICAST } else { AfiSafi::IPV4_UNICAST };
            let attributes = route.attributes();
            let shown = TableRoute {
                family,
                prefix: Some(route.prefix.trunc()),
                nlri: &[],
                path_id: None,
                originated: route.originated,
                next_hop: route.next_hop(),
                attributes,
                old_form: true,
            };
            let peer = Some(End { address: route.peer, asn: Some(route.peer_as.into()) });
            show.sighting(&Sighting { time, peer, local: None, what: What::Route(shown) })
        }),
        Body::Peers(table) => {
            peers.clear();
            peers.extend(table.iter());
            show.sighting(&Sighting { time, peer: None, local: None, what: What::Peers(*table) })
        }
        Body::Rib(rib) => {
            let prefix = rib.prefix();
            rib.entries().try_for_each(|entry| {
                let peer = peers.get(usize::from(entry.peer));
                if peer.is_none() {
                    show.unreadable(&format!(
                        "MRT record at octet {}: a route of peer {}, which the table of peers lacks",
                        record.offset, entry.peer
                    ));
                }
                let peer = peer.map(|peer| End { address: peer.address, asn: Some(peer.asn) });
                let route = TableRoute {
                    family: rib.family,
                    prefix,
                    nlri: rib.nlri,
                    path_id: entry.path_id,
                    originated: entry.originated,
                    attributes: entry.attributes(),
                    next_hop: entry.next_hop(),
                    old_form: false,
                };
                show.sighting(&Sighting { time, peer, local: None, what: What::Route(route) })
            })
        }
        Body::Other { kind, subtype, octets } => {
            let what = What::Other { kind: *kind, subtype: *subtype, len: octets.len() };
            show.sighting(&Sighting { time, peer: None, local: None, what })
        }
    }
}
