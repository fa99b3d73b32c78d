//! `spec.neighbors[]`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use bgp_wire::AfiSafi;
use network_peering::ErrorType;
use network_peering::fields::{At, Mapping, Sink};
use speaker::{Accept, Class, NeighborConfig, PeerAddress, PrefixList, PrefixRule, RemoteAs};

use super::{parsed, seconds};

pub(super) fn read(at: &At<'_>, sink: &Sink<'_>) -> NeighborConfig {
    let mut neighbor = NeighborConfig::new(String::new(), Ipv4Addr::UNSPECIFIED.into(), RemoteAs::External);
    let Some(mapping) = at.mapping(sink) else {
        return neighbor;
    };
    neighbor.vrf = mapping.required("vrf", sink).and_then(|at| at.string(sink)).unwrap_or_default();
    if let Some(address) = address(&mapping, sink) {
        // Nobody gave an interface IPv4 addresses for its routes' next hops.
        neighbor.extended_next_hop = matches!(address, PeerAddress::Interface(_));
        neighbor.address = address;
    }
    neighbor.local_address =
        mapping.field("localAddress").and_then(|at| parsed(&at, "an address of this speaker", sink));
    if let Some(remote_as) = mapping.required("remoteAs", sink).and_then(|at| remote_as(&at, sink)) {
        neighbor.remote_as = remote_as;
    }
    let classes = [("fabric", Class::Fabric), ("external", Class::External)];
    if let Some(class) = mapping.required("class", sink).and_then(|at| at.one_of(&classes, sink)) {
        neighbor.class = class;
    }
    if let Some(port) = mapping.field("port").and_then(|at| at.number(0..=65_535, sink)?.try_into().ok()) {
        neighbor.port = port;
    }
    if mapping.field("families").is_some() {
        let families = mapping.sequence("families", sink);
        neighbor.families = families.iter().filter_map(|at| at.one_of(&FAMILIES, sink)).collect();
    }
    for (key, flag) in [
        ("passive", &mut neighbor.passive),
        ("extendedNextHop", &mut neighbor.extended_next_hop),
        ("nextHopSelf", &mut neighbor.next_hop_self),
    ] {
        if let Some(value) = mapping.field(key).and_then(|at| at.boolean(sink)) {
            *flag = value;
        }
    }
    if let Some(timers) = mapping.mapping("timers", sink) {
        read_timers(&timers, sink, &mut neighbor);
        timers.finish(sink);
    }
    neighbor.multihop = mapping.field("multihop").and_then(|at| octet(&at, sink));
    if let Some(times) = mapping.field("allowAsIn").and_then(|at| octet(&at, sink)) {
        neighbor.allow_as_in = times;
    }
    neighbor.max_prefixes = mapping.field("maxPrefixes").and_then(|at| at.number(1..=u32::MAX, sink));
    neighbor.import = mapping.field("import").map(|at| policy(&at, sink));
    neighbor.export = mapping.field("export").map(|at| policy(&at, sink));
    neighbor.description = mapping.text("description", sink);
    mapping.finish(sink);
    neighbor
}

const FAMILIES: [(&str, AfiSafi); 2] =
    [("ipv4-unicast", AfiSafi::IPV4_UNICAST), ("ipv6-unicast", AfiSafi::IPV6_UNICAST)];

fn address(mapping: &Mapping<'_>, sink: &Sink<'_>) -> Option<PeerAddress> {
    let Some(interface) = mapping.field("interface") else {
        return parsed(&mapping.required("address", sink)?, "the address of a neighbour", sink).map(PeerAddress::Ip);
    };
    if let Some(address) = mapping.field("address") {
        let message = "a neighbour is known by its address or by its interface, not by both";
        sink.error(&address, ErrorType::Invalid, message);
    }
    interface.string(sink).map(|name| PeerAddress::Interface(name.as_str().into()))
}

fn remote_as(at: &At<'_>, sink: &Sink<'_>) -> Option<RemoteAs> {
    match at.node.text() {
        Some("external") => Some(RemoteAs::External),
        Some("internal") => Some(RemoteAs::Internal),
        Some(other) => {
            let message = format!("{other:?} is neither an AS number nor external nor internal");
            sink.error(at, ErrorType::NotSupported, message);
            None
        }
        None => at.number(1..=u32::MAX, sink).map(RemoteAs::Is),
    }
}

fn read_timers(timers: &Mapping<'_>, sink: &Sink<'_>, neighbor: &mut NeighborConfig) {
    if let Some(time) = seconds(timers, "hold", 0..=65_535, sink) {
        neighbor.hold_time = time;
    }
    neighbor.keepalive = seconds(timers, "keepalive", 1..=21_845, sink);
    if let Some(time) = seconds(timers, "connectRetry", 1..=3_600, sink) {
        neighbor.connect_retry = time;
    }
}

/// A whole number that fits in an octet.
fn octet(at: &At<'_>, sink: &Sink<'_>) -> Option<u8> {
    at.number(0..=255, sink)?.try_into().ok()
}

/// `accept`, `deny`, or a list of rules of which the first that matches decides; what none matches is denied.
fn policy(at: &At<'_>, sink: &Sink<'_>) -> Accept {
    match at.node.text() {
        Some("accept") => Accept::Everything,
        Some("deny") => Accept::Nothing,
        Some(other) => {
            let message = format!("{other:?} is neither accept nor deny nor a list of rules");
            sink.error(at, ErrorType::NotSupported, message);
            Accept::Nothing
        }
        None => {
            let rules = at.sequence(sink).into_iter().filter_map(|at| rule(&at, sink));
            // Every rule was checked when it was read, so that the list is in order.
            PrefixList::new(rules).map_or(Accept::Nothing, |list| Accept::Listed(Arc::new(list)))
        }
    }
}

/// `{ permit | deny: PREFIX, ge: LENGTH, le: LENGTH }`; without lengths the prefix itself and nothing inside it.
fn rule(at: &At<'_>, sink: &Sink<'_>) -> Option<PrefixRule> {
    let mapping = at.mapping(sink)?;
    let (permit, deny) = (mapping.field("permit"), mapping.field("deny"));
    let [ge, le] = ["ge", "le"].map(|key| mapping.field(key));
    mapping.finish(sink);
    let (permit, prefix) = match (permit, deny) {
        (Some(prefix), None) => (true, prefix.prefix(sink)?),
        (None, Some(prefix)) => (false, prefix.prefix(sink)?),
        (None, None) => {
            sink.error(at, ErrorType::Required, "a rule permits or denies a prefix");
            return None;
        }
        (Some(_), Some(deny)) => {
            sink.error(&deny, ErrorType::Invalid, "a rule either permits or denies");
            return None;
        }
    };
    let longest = prefix.max_prefix_len();
    let length = |at: &At<'_>, shortest: u8| {
        let length = at.number(u32::from(shortest)..=u32::from(longest), sink)?;
        u8::try_from(length).ok()
    };
    let ge = match ge {
        Some(at) => Some(length(&at, prefix.prefix_len())?),
        None => None,
    };
    let le = match le {
        Some(at) => Some(length(&at, ge.unwrap_or(prefix.prefix_len()))?),
        None => None,
    };
    Some(PrefixRule { prefix, ge, le, permit })
}
