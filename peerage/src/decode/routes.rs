//! Routes in JSON: one object for each, with the fields of its family.

use std::net::{IpAddr, Ipv6Addr};

use bgp_wire::routes::{EvpnRoute, FlowRoute, LabelledPrefix, OpaqueRoutes, Route, TargetMembership, VpnPrefix};
use bgp_wire::{AfiSafi, Family, MpReach, MpUnreach, Nlri, RouteDistinguisher, Routes};
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::{families, hex};

/// The prefixes of a plain field.
pub(super) fn plain<F: Family>(nlri: Nlri<'_, F>) -> Vec<Value> {
    nlri.map(|(path_id, key)| with_path_id(path_id, json!({"prefix": prefix(key.into())}))).collect()
}

/// MP_REACH_NLRI.
pub(super) fn reach(reach: &MpReach<'_>) -> Value {
    let mut out = Map::new();
    out.insert("family".to_owned(), json!(families::name(reach.family)));
    next_hop(reach, &mut out);
    let typed = all(
        reach.routes::<IpNet>(),
        reach.routes::<LabelledPrefix<'_>>(),
        reach.routes::<VpnPrefix<'_>>(),
        reach.routes::<EvpnRoute<'_>>(),
        reach.routes::<TargetMembership<'_>>(),
        reach.routes::<FlowRoute<'_>>(),
    );
    out.insert("nlri".to_owned(), typed.unwrap_or_else(|| opaque(reach.nlri_octets, reach.family)).into());
    Value::Object(out)
}

/// MP_UNREACH_NLRI.
pub(super) fn unreach(unreach: &MpUnreach<'_>) -> Value {
    let typed = all(
        unreach.routes::<IpNet>(),
        unreach.routes::<LabelledPrefix<'_>>(),
        unreach.routes::<VpnPrefix<'_>>(),
        unreach.routes::<EvpnRoute<'_>>(),
        unreach.routes::<TargetMembership<'_>>(),
        unreach.routes::<FlowRoute<'_>>(),
    );
    let nlri = typed.unwrap_or_else(|| opaque(unreach.nlri_octets, unreach.family));
    json!({"family": families::name(unreach.family), "nlri": nlri})
}

/// By its length; of a VPN's, the distinguisher apart.
fn next_hop(reach: &MpReach<'_>, out: &mut Map<String, Value>) {
    let mut octets = reach.next_hop_octets;
    let vpn = matches!(reach.family.safi, 128 | 129) && matches!(octets.len(), 12 | 24 | 48);
    if vpn && let Some((rd, rest)) = octets.split_first_chunk() {
        out.insert("nh_rd".to_owned(), json!(distinguisher(RouteDistinguisher(*rd))));
        octets = rest;
    }
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        out.insert("next_hop".to_owned(), json!(IpAddr::from(octets).to_string()));
    } else if let Some((global, link_local)) = octets.split_first_chunk::<16>() {
        out.insert("next_hop".to_owned(), json!(ipv6((*global).into())));
        if let Some(link_local) = link_local.get(if vpn { 8.. } else { 0.. }).and_then(<[u8]>::first_chunk::<16>) {
            out.insert("ll_next_hop".to_owned(), json!(ipv6((*link_local).into())));
        }
    } else if !octets.is_empty() {
        out.insert("next_hop".to_owned(), json!(hex(octets)));
    }
}

type Of<'a, R> = Option<Routes<'a, R>>;

/// The routes of whichever kind they are.
fn all<'a>(
    prefixes: Of<'a, IpNet>,
    labelled: Of<'a, LabelledPrefix<'a>>,
    vpn: Of<'a, VpnPrefix<'a>>,
    evpn: Of<'a, EvpnRoute<'a>>,
    targets: Of<'a, TargetMembership<'a>>,
    flows: Of<'a, FlowRoute<'a>>,
) -> Option<Vec<Value>> {
    fn each<'a, R: Route<'a>>(routes: Of<'a, R>, show: impl Fn(R) -> Value) -> Option<Vec<Value>> {
        routes.map(|routes| routes.map(|(path_id, route)| with_path_id(path_id, show(route))).collect())
    }
    each(prefixes, |net| json!({"prefix": prefix(net)}))
        .or_else(|| {
            each(
                labelled,
                |route| json!({"labels": route.labels.iter().collect::<Vec<_>>(), "prefix": prefix(route.prefix)}),
            )
        })
        .or_else(|| {
            each(vpn, |route| {
                json!({
                    "labels": route.labels.iter().collect::<Vec<_>>(),
                    "rd": distinguisher(route.distinguisher),
                    "prefix": prefix(route.prefix),
                })
            })
        })
        .or_else(|| each(evpn, |route| evpn_route(&route)))
        .or_else(|| {
            each(targets, |route| match route.origin_as() {
                Some(asn) => json!({"bits": route.bits, "origin_as": asn, "rt": hex(route.target_octets())}),
                None => json!({"bits": route.bits}),
            })
        })
        .or_else(|| {
            each(flows, |route| {
                let distinguisher = route.distinguisher.map(|rd| hex(&rd.0)).unwrap_or_default();
                json!({"raw": format!("{distinguisher}{}", hex(route.octets()))})
            })
        })
}

fn evpn_route(route: &EvpnRoute<'_>) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    let rd = |rd: &RouteDistinguisher| json!(distinguisher(*rd));
    put("route_type", json!(route.kind()));
    let mut labels = [None, None];
    match route {
        EvpnRoute::AutoDiscovery { distinguisher, segment, tag, label } => {
            put("rd", rd(distinguisher));
            put("esi", json!(hex(&segment.0)));
            put("etag", json!(tag));
            labels[0] = Some(*label);
        }
        EvpnRoute::MacIp { distinguisher, segment, tag, mac, address, label, label2 } => {
            put("rd", rd(distinguisher));
            put("esi", json!(hex(&segment.0)));
            put("etag", json!(tag));
            put("mac", json!(mac.to_string()));
            if let Some(address) = address {
                put("ip", json!(ip(*address)));
            }
            labels = [Some(*label), *label2];
        }
        EvpnRoute::InclusiveMulticast { distinguisher, tag, originator } => {
            put("rd", rd(distinguisher));
            put("etag", json!(tag));
            put("ip", json!(ip(*originator)));
        }
        EvpnRoute::EthernetSegment { distinguisher, segment, originator } => {
            put("rd", rd(distinguisher));
            put("esi", json!(hex(&segment.0)));
            put("ip", json!(ip(*originator)));
        }
        EvpnRoute::Prefix { distinguisher, segment, tag, prefix: net, gateway, label } => {
            put("rd", rd(distinguisher));
            put("esi", json!(hex(&segment.0)));
            put("etag", json!(tag));
            put("prefix", json!(prefix(*net)));
            put("gw", json!(ip(*gateway)));
            labels[0] = Some(*label);
        }
        EvpnRoute::Other { value, .. } => {
            put("raw", json!(hex(value)));
            put("unknown_type", json!(true));
        }
    }
    // The field is a VNI as it stands, or a label in its upper 20 bits; which of the two, another attribute says.
    for (label, [label_key, vni_key]) in labels.into_iter().zip([["label", "vni"], ["label2", "vni2"]]) {
        if let Some(label) = label {
            put(label_key, json!(label >> 4));
            put(vni_key, json!(label));
        }
    }
    Value::Object(out)
}

/// Routes of a family that is not read: their octets, apart where that can be told.
fn opaque(octets: &[u8], family: AfiSafi) -> Vec<Value> {
    let Some(routes) = OpaqueRoutes::new(octets, family) else {
        return if octets.is_empty() { Vec::new() } else { vec![json!({"raw": hex(octets)})] };
    };
    let header_len = routes.header_len();
    routes
        .map(|route| {
            let (header, value) = route.split_at(header_len);
            match (family.afi, header) {
                (16388, [high, low, ..]) => {
                    json!({"nlri_type": u16::from_be_bytes([*high, *low]), "raw": hex(value)})
                }
                (25, _) => match value.first_chunk() {
                    Some(rd) => json!({"raw": hex(value), "rd": distinguisher(RouteDistinguisher(*rd))}),
                    None => json!({"raw": hex(value)}),
                },
                (_, [kind, _]) => json!({"route_type": kind, "raw": hex(value)}),
                _ => json!({"raw": hex(value)}),
            }
        })
        .collect()
}

fn with_path_id(path_id: Option<u32>, mut route: Value) -> Value {
    if let (Some(id), Some(fields)) = (path_id, route.as_object_mut()) {
        fields.insert("path_id".to_owned(), json!(id));
    }
    route
}

/// An AS number as a number, whatever its width.
fn distinguisher(distinguisher: RouteDistinguisher) -> String {
    match distinguisher.0 {
        [0, 2, a, b, c, d, e, f] => format!("{}:{}", u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f])),
        [0, 0 | 1, ..] => distinguisher.to_string(),
        octets => hex(&octets),
    }
}

fn prefix(net: IpNet) -> String {
    format!("{}/{}", ip(net.addr()), net.prefix_len())
}

fn ip(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => ipv6(address),
    }
}

/// In groups of hexadecimal digits throughout, also an address that maps an IPv4 one.
fn ipv6(address: Ipv6Addr) -> String {
    match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        _ => address.to_string(),
    }
}
