//! The names of address families in JSON.

use bgp_wire::AfiSafi;

const NAMES: [(&str, u16, u8); 28] = [
    ("ipv4-unicast", 1, 1),
    ("ipv6-unicast", 2, 1),
    ("ipv4-multicast", 1, 2),
    ("ipv6-multicast", 2, 2),
    ("ipv4-labeled", 1, 4),
    ("ipv6-labeled", 2, 4),
    ("ipv4-mvpn", 1, 5),
    ("ipv6-mvpn", 2, 5),
    ("ipv4-mdt", 1, 66),
    ("ipv6-mdt", 2, 66),
    ("ipv4-srpolicy", 1, 73),
    ("ipv6-srpolicy", 2, 73),
    ("ipv4-mup", 1, 85),
    ("ipv6-mup", 2, 85),
    ("ipv4-vpn", 1, 128),
    ("ipv6-vpn", 2, 128),
    ("ipv4-mcast-vpn", 1, 129),
    ("ipv6-mcast-vpn", 2, 129),
    ("rtc", 1, 132),
    ("ipv4-flowspec", 1, 133),
    ("ipv6-flowspec", 2, 133),
    ("ipv4-flowspec-vpn", 1, 134),
    ("ipv6-flowspec-vpn", 2, 134),
    ("l2vpn-vpls", 25, 65),
    ("l2vpn-evpn", 25, 70),
    ("bgpls", 16388, 71),
    ("bgpls-vpn", 16388, 72),
    ("ipv6-rtc", 2, 132),
];

/// The name, or `25/1` for a family without one.
pub(super) fn name(family: AfiSafi) -> String {
    match NAMES.iter().find(|(_, afi, safi)| (*afi, *safi) == (family.afi, family.safi)) {
        Some((name, ..)) => (*name).to_owned(),
        None => format!("{}/{}", family.afi, family.safi),
    }
}

/// The family of a name, in either form.
pub(super) fn from_name(name: &str) -> Option<AfiSafi> {
    if let Some((_, afi, safi)) = NAMES.iter().find(|(known, ..)| *known == name) {
        return Some(AfiSafi::new(*afi, *safi));
    }
    let (afi, safi) = name.split_once('/')?;
    Some(AfiSafi::new(afi.parse().ok()?, safi.parse().ok()?))
}

/// An UPDATE that announces these NLRI octets, with a next hop of no meaning.
pub(super) fn announcing(family: AfiSafi, nlri: &[u8]) -> Vec<u8> {
    let next_hop: &[u8] = match (family.afi, family.safi) {
        (1, 128) => &[0; 12],
        (2, 128) => &[0; 24],
        (2, _) => &[0; 16],
        _ => &[0; 4],
    };
    let [afi0, afi1] = family.afi.to_be_bytes();
    let reach = [&[afi0, afi1, family.safi, next_hop.len() as u8], next_hop, &[0], nlri].concat();
    let [len0, len1] = (reach.len() as u16).to_be_bytes();
    // ORIGIN IGP and an empty AS_PATH.
    let attributes = [&[0x90, 14, len0, len1], &reach[..], &[0x40, 1, 1, 0, 0x40, 2, 0]].concat();
    let [len0, len1] = (attributes.len() as u16).to_be_bytes();
    let [all0, all1] = ((23 + attributes.len()) as u16).to_be_bytes();
    [&[0xff; 16], &[all0, all1, 2, 0, 0, len0, len1][..], &attributes].concat()
}
