//! Messages in JSON.

use bgp_wire::attributes::{Aggregator, Attributes, code};
use bgp_wire::{AsPath, Capability, Notification, Open, RouteRefresh, SegmentKind, Update};
use serde_json::{Map, Value, json};

use super::{families, hex, routes};

pub(super) fn notification(notification: &Notification) -> Value {
    json!({"code": notification.code, "subcode": notification.subcode, "data": hex(&notification.data)})
}

pub(super) fn route_refresh(refresh: &RouteRefresh, octets: &[u8]) -> Value {
    let mut out = json!({"family": families::name(refresh.family), "subtype": refresh.subtype.octet()});
    if let (Some(filters @ [_, ..]), Some(fields)) = (octets.get(RouteRefresh::LEN..), out.as_object_mut()) {
        fields.insert("orf".to_owned(), json!(hex(filters)));
    }
    out
}

pub(super) fn open(open: &Open<'_>) -> Value {
    json!({
        "version": 4,
        "my_as": open.my_as,
        "hold_time": open.hold_time,
        "bgp_id": open.identifier.to_string(),
        "capabilities": open.raw_capabilities().map(|(code, value)| capability(code, value)).collect::<Vec<_>>(),
        "ext_params": open.extended_parameters(),
        "asn": open.asn(),
    })
}

fn capability(code: u8, value: &[u8]) -> Value {
    let name = match code {
        1 => "multiprotocol",
        2 => "route-refresh",
        3 => "orf",
        4 => "multiple-routes",
        5 => "extended-next-hop",
        6 => "extended-message",
        7 => "bgpsec",
        8 => "multiple-labels",
        9 => "role",
        64 => "graceful-restart",
        65 => "as4",
        67 => "dynamic",
        68 => "multisession",
        69 => "add-path",
        70 => "enhanced-route-refresh",
        71 => "llgr",
        72 => "routing-policy-distribution",
        73 => "fqdn",
        74 => "bfd-strict",
        75 => "software-version",
        76 => "paths-limit",
        77 => "link-local-next-hop",
        128 => "route-refresh(cisco)",
        130 => "orf(cisco)",
        _ => "unknown",
    };
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("code", json!(code));
    put("name", json!(name));
    put("value", json!(hex(value)));
    match Capability::decode(code, value) {
        Capability::Multiprotocol(family) => put("family", json!(families::name(family))),
        Capability::ExtendedNextHop(entries) => {
            let tuple = |entry: &bgp_wire::ExtendedNextHop| json!({"family": families::name(entry.family), "nh_afi": entry.next_hop_afi});
            put("tuples", entries.iter().map(tuple).collect());
        }
        Capability::Role(role) => put("role", json!(role.octet())),
        Capability::GracefulRestart(restart) => {
            put("restart", json!(restart.restarted));
            put("notification", json!(restart.notification));
            put("time", json!(restart.restart_time));
            let family = |entry: &bgp_wire::GracefulRestartFamily| json!({"family": families::name(entry.family), "forwarding": entry.forwarding_kept});
            put("families", restart.families.iter().map(family).collect());
        }
        Capability::FourOctetAs(asn) => put("asn", json!(asn)),
        // As they came: an entry with a mode of no meaning is shown too.
        Capability::AddPath(_) => {
            let tuple = |&[a, b, safi, mode]: &[u8; 4]| {
                let family = bgp_wire::AfiSafi::new(u16::from_be_bytes([a, b]), safi);
                json!({"family": families::name(family), "mode": mode})
            };
            put("tuples", value.as_chunks::<4>().0.iter().map(tuple).collect());
        }
        Capability::Fqdn { host, domain } => {
            put("host", json!(host));
            put("domain", json!(domain));
        }
        Capability::LongLivedGracefulRestart(entries) => {
            let family = |entry: &bgp_wire::LongLivedFamily| json!({"family": families::name(entry.family), "forwarding": entry.forwarding_kept, "time": entry.stale_time});
            put("families", entries.iter().map(family).collect());
        }
        _ => {}
    }
    Value::Object(out)
}

pub(super) fn update(update: &Update<'_>) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    if let Some(family) = update.end_of_rib() {
        put("eor", json!(families::name(family)));
    }
    if !update.withdrawn().is_empty() {
        put("withdrawn", routes::plain(update.withdrawn()).into());
    }
    if !update.nlri().is_empty() {
        put("nlri", routes::plain(update.nlri()).into());
    }
    if let Some(reach) = update.mp_reach() {
        put("mp_reach", routes::reach(&reach));
    }
    if let Some(unreach) = update.mp_unreach() {
        put("mp_unreach", routes::unreach(&unreach));
    }
    put("attrs", attributes(&update.attributes()));
    Value::Object(out)
}

/// The attributes that stand.
pub(super) fn attributes(attributes: &Attributes<'_>) -> Value {
    let mut out = Map::new();
    let mut unknown = Vec::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    fn list(items: impl Iterator<Item = impl ToString>) -> Value {
        items.map(|item| Value::from(item.to_string())).collect()
    }
    for attribute in attributes.iter() {
        let raw = || hex(attribute.value);
        match attribute.code {
            code::ORIGIN => put("origin", json!(attributes.origin().map(|origin| origin.to_string()))),
            code::AS_PATH => put("as_path", as_path(attributes.unmerged_as_path())),
            code::NEXT_HOP => put("next_hop", json!(attributes.next_hop())),
            code::MED => put("med", json!(attributes.med())),
            code::LOCAL_PREF => put("local_pref", json!(attributes.local_pref())),
            code::ATOMIC_AGGREGATE => put("atomic_aggregate", json!(true)),
            code::AGGREGATOR => put("aggregator", attributes.unmerged_aggregator().map_or(Value::Null, aggregator)),
            code::COMMUNITIES => {
                let text = |community: bgp_wire::Community| format!("{}:{}", community.asn(), community.value());
                put("communities", list(attributes.communities().map(text)));
            }
            code::ORIGINATOR_ID => put("originator_id", json!(attributes.originator_id())),
            code::CLUSTER_LIST => put("cluster_list", list(attributes.cluster_list())),
            code::EXTENDED_COMMUNITIES => {
                put("ext_communities", list(attributes.ext_communities().map(|community| hex(&community.0))));
            }
            code::AS4_PATH => put("as4_path", as_path(attributes.as4_path().unwrap_or_default())),
            code::AS4_AGGREGATOR => put("as4_aggregator", attributes.as4_aggregator().map_or(Value::Null, aggregator)),
            code::LARGE_COMMUNITIES => put("large_communities", list(attributes.large_communities())),
            code::ONLY_TO_CUSTOMER => put("otc", json!(attributes.only_to_customer())),
            code::MP_REACH_NLRI | code::MP_UNREACH_NLRI | code::PREFIX_SID => {}
            code::PMSI_TUNNEL => put("pmsi", json!({"raw": raw()})),
            code::TUNNEL_ENCAPSULATION => put("tunnel_encap", json!({"raw": raw()})),
            code::IPV6_EXTENDED_COMMUNITIES => {
                put("ipv6_ext_communities", list(attributes.ipv6_ext_communities().map(|community| hex(&community.0))));
            }
            code::AIGP => put("aigp", json!({"metric": attributes.aigp(), "raw": raw()})),
            code::LINK_STATE => put("bgp_ls", json!({"raw": raw()})),
            kind => unknown.push(json!({"type": kind, "flags": attribute.flags, "value": raw()})),
        }
    }
    // Of this one no value is shown, but its octets; those of one that was discarded too.
    if let Some(attribute) = attributes.as_sent().find(|attribute| attribute.code == code::PREFIX_SID) {
        put("prefix_sid", json!({"raw": hex(attribute.value)}));
    }
    if !unknown.is_empty() {
        put("unknown", unknown.into());
    }
    Value::Object(out)
}

pub(super) fn aggregator(aggregator: Aggregator) -> Value {
    json!({"asn": aggregator.asn, "addr": aggregator.identifier})
}

fn as_path(path: AsPath<'_>) -> Value {
    path.segments()
        .map(|segment| {
            let kind = match segment.kind {
                SegmentKind::Set => "set",
                SegmentKind::Sequence => "sequence",
                SegmentKind::ConfedSequence => "confed-sequence",
                SegmentKind::ConfedSet => "confed-set",
            };
            json!({"type": kind, "asns": segment.asns.collect::<Vec<_>>()})
        })
        .collect()
}
