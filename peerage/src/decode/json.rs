//! `-o json`: one document per line, in the forms that JSON lines are answered in.

use bgp_wire::Message;
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::sighting::{End, Sighting, TableRoute, Time, What};
use super::{cases, families, hex, messages};

pub(super) fn write(sighting: &Sighting<'_>, filter: &Filter, out: &mut Vec<u8>) {
    let mut document = Map::new();
    let mut put = |key: &str, value: Value| drop(document.insert(key.to_owned(), value));
    if let Some(time) = sighting.time {
        put("time", self::time(time));
    }
    put("type", json!(kind(&sighting.what)));
    if let Some(peer) = sighting.peer {
        put("peer", end(peer));
    }
    if let Some(local) = sighting.local {
        put("local", end(local));
    }
    match &sighting.what {
        What::Message(seen) => {
            if seen.sent {
                put("sent", json!(true));
            }
            match &seen.message {
                Ok(message) => {
                    cases::describe(message, seen.octets, &mut document);
                    if let Message::Update(update) = message {
                        let faults: Vec<String> = update.faults().map(|fault| fault.to_string()).collect();
                        if !faults.is_empty() {
                            document.insert("faults".to_owned(), json!(faults));
                        }
                        let path = filter.path(Some(update.attributes().as_path()));
                        if let Some(update) = document.get_mut("update") {
                            prune(update, filter, path);
                        }
                    }
                }
                Err(malformed) => {
                    cases::refuse(malformed, &mut document);
                    document.insert("octets".to_owned(), json!(hex(seen.octets)));
                }
            }
        }
        What::StateChange { old, new } => {
            put("old", json!(old));
            put("new", json!(new));
        }
        What::Route(route) => table_route(route, &mut document),
        What::Peers(peers) => {
            put("collector", json!(peers.collector));
            put("view", json!(String::from_utf8_lossy(peers.view)));
            let peer =
                |peer: bgp_wire::mrt::Peer| json!({"address": peer.address, "as": peer.asn, "bgp_id": peer.identifier});
            put("peers", peers.iter().map(peer).collect());
        }
        What::Other { kind, subtype, len } => {
            put("mrt_type", json!(kind));
            put("mrt_subtype", json!(subtype));
            put("length", json!(len));
        }
    }
    // Neither a map with text for keys nor a vector fails to be written.
    let _ = serde_json::to_writer(&mut *out, &document);
    out.push(b'\n');
}

fn kind(what: &What<'_>) -> &'static str {
    match what {
        What::Message(seen) => match &seen.message {
            Ok(Message::Open(_)) => "open",
            Ok(Message::Update(_)) => "update",
            Ok(Message::Notification(_)) => "notification",
            Ok(Message::Keepalive) => "keepalive",
            Ok(Message::RouteRefresh(_)) => "route-refresh",
            Err(_) => "malformed",
        },
        What::StateChange { .. } => "state-change",
        What::Route(_) => "route",
        What::Peers(_) => "peers",
        What::Other { .. } => "other",
    }
}

/// Seconds since 1970, with a fraction where it is told.
fn time(time: Time) -> Value {
    match time.microseconds {
        None => json!(time.seconds),
        Some(microseconds) => json!(f64::from(time.seconds) + f64::from(microseconds) / 1e6),
    }
}

fn end(end: End) -> Value {
    match end.asn {
        Some(asn) => json!({"address": end.address, "as": asn}),
        None => json!({"address": end.address}),
    }
}

fn table_route(route: &TableRoute<'_>, document: &mut Map<String, Value>) {
    let mut put = |key: &str, value: Value| drop(document.insert(key.to_owned(), value));
    put("family", json!(families::name(route.family)));
    match route.prefix {
        Some(prefix) => put("prefix", json!(prefix)),
        None => put("nlri", json!(hex(route.nlri))),
    }
    if let Some(id) = route.path_id {
        put("path_id", json!(id));
    }
    put("originated", json!(route.originated));
    if let Some(next_hop) = route.next_hop {
        put("next_hop", json!(super::tally::address(next_hop)));
    }
    put("attrs", messages::attributes(&route.attributes));
}

/// Leaves out the routes that are not asked for.
fn prune(update: &mut Value, filter: &Filter, path: bool) {
    let prefix = |route: &Value| route["prefix"].as_str().and_then(|text| text.parse::<IpNet>().ok());
    for (pointer, withdrawn) in
        [("/withdrawn", true), ("/nlri", false), ("/mp_reach/nlri", false), ("/mp_unreach/nlri", true)]
    {
        if let Some(Value::Array(routes)) = update.pointer_mut(pointer) {
            routes.retain(|route| {
                filter.route(withdrawn, if filter.asks_prefixes() { prefix(route) } else { None }, path)
            });
        }
    }
}
