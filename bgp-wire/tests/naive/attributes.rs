//! Path attributes: where each stands, what is wrong with it, what it says.

use super::*;
use bgp_wire::PeerKind;

/// An attribute as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    pub flags: u8,
    pub code: u8,
    pub value: Vec<u8>,
}

/// The attributes that could be told apart.
pub struct List {
    pub attributes: Vec<Attribute>,
    pub is_cut_short: bool,
}

/// RFC 4271 section 4.3, RFC 7606 section 4.
pub fn split(octets: &[u8], verdict: &mut Verdict) -> List {
    let mut rest = Octets(octets);
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let mut next = |rest: &mut Octets<'_>| {
            let flags = rest.octet()?;
            let code = rest.octet()?;
            let length = if flags & 0x10 != 0 { rest.number(2) } else { rest.number(1) };
            let value = length.and_then(|length| rest.take(length as usize));
            // RFC 7606 section 3 j: what cannot be read may hold routes.
            if value.is_none() && (code == MP_REACH || code == MP_UNREACH) {
                verdict.reset(MALFORMED_LIST);
            }
            Some(Attribute { flags, code, value: value?.to_vec() })
        };
        match next(&mut rest) {
            Some(attribute) => attributes.push(attribute),
            None => {
                verdict.withdraw(MALFORMED_LIST);
                verdict.withdraw(LENGTH);
                return List { attributes, is_cut_short: true };
            }
        }
    }
    List { attributes, is_cut_short: false }
}

/// A multiprotocol attribute, and whether it has no octets of routes.
pub struct Found<T> {
    pub value: T,
    pub is_empty: bool,
}

#[derive(Default)]
pub struct Block {
    pub standing: Vec<Attribute>,
    pub reach: Option<Found<Reach>>,
    pub unreach: Option<Found<Unreach>>,
    /// Whether MP_REACH_NLRI has octets of routes, be they sound or not.
    pub announces: bool,
}

/// Optional and Transitive, as the RFC that defines the attribute has them; `None` for one that is not defined here.
fn flags_of(code: u8) -> Option<u8> {
    match code {
        // ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF, ATOMIC_AGGREGATE: well-known.
        1 | 2 | 3 | 5 | 6 => Some(0x40),
        // MULTI_EXIT_DISC, ORIGINATOR_ID, CLUSTER_LIST, MP_REACH_NLRI, MP_UNREACH_NLRI, AIGP, BGP-LS: optional, not transitive.
        4 | 9 | 10 | 14 | 15 | 26 | 29 => Some(0x80),
        // AGGREGATOR, COMMUNITIES, EXTENDED COMMUNITIES, AS4_PATH, AS4_AGGREGATOR, LARGE_COMMUNITY, OTC, PMSI_TUNNEL,
        // TUNNEL_ENCAPSULATION, IPv6 extended communities, PREFIX_SID: optional and transitive.
        7 | 8 | 16 | 17 | 18 | 32 | 35 | 22 | 23 | 25 | 40 => Some(0xc0),
        _ => None,
    }
}

pub fn check(attributes: &[Attribute], ctx: &DecodeCtx, verdict: &mut Verdict) -> Block {
    let mut block = Block::default();
    let mut seen = Vec::new();
    for attribute in attributes {
        // RFC 7606 section 3 g.
        if seen.contains(&attribute.code) {
            match attribute.code {
                MP_REACH | MP_UNREACH => verdict.reset(MALFORMED_LIST),
                _ => verdict.discard(),
            }
            continue;
        }
        seen.push(attribute.code);
        match attribute.code {
            MP_REACH => block.reach = reach(attribute, ctx, verdict, &mut block.announces),
            MP_UNREACH => block.unreach = unreach(attribute, ctx, verdict),
            _ => {
                if stands(attribute, ctx, verdict) {
                    block.standing.push(attribute.clone());
                }
            }
        }
    }
    block
}

fn check_flags(attribute: &Attribute, verdict: &mut Verdict) -> bool {
    // RFC 7606 section 3 c.
    let right = flags_of(attribute.code).is_none_or(|flags| attribute.flags & 0xc0 == flags);
    if !right {
        verdict.withdraw(FLAGS);
    }
    right
}

/// RFC 4760 section 3, RFC 7606 sections 5.3 and 7.11.
fn reach(attribute: &Attribute, ctx: &DecodeCtx, verdict: &mut Verdict, announces: &mut bool) -> Option<Found<Reach>> {
    check_flags(attribute, verdict);
    let mut rest = Octets(&attribute.value);
    let mut fields = || {
        let family = (rest.two()?, rest.octet()?);
        let length = rest.octet()?;
        let next_hop = rest.take(length.into())?.to_vec();
        rest.octet()?;
        Some((family, next_hop))
    };
    let Some((family, next_hop)) = fields().filter(|(family, next_hop)| next_hop_fits(*family, next_hop.len(), ctx))
    else {
        verdict.reset(MALFORMED_LIST);
        verdict.reset(OPTIONAL_ATTRIBUTE);
        return None;
    };
    *announces = !rest.is_empty();
    let Some(routes) = routes::read(rest.0, family, ctx, false) else {
        // RFC 7606 section 3 j, RFC 4760 section 7: only the routes of this family cannot be told apart.
        verdict.disables.push(family);
        return None;
    };
    Some(Found { is_empty: !*announces, value: Reach { family, next_hop, routes } })
}

fn next_hop_fits(family: Numbers, length: usize, ctx: &DecodeCtx) -> bool {
    let extended = ctx.extended_next_hop.contains(bgp_wire::AfiSafi::new(family.0, family.1));
    match family {
        // RFC 4760, RFC 8277; with RFC 8950 an IPv6 address, or two.
        (1, 1 | 2 | 4) => length == 4 || (extended && (length == 16 || length == 32)),
        // RFC 2545 section 3, RFC 4798.
        (2, 1 | 2 | 4) => length == 16 || length == 32,
        // RFC 4364 section 4.3.2: a distinguisher of zeros in front; RFC 8950 section 3.
        (1, 128) => length == 12 || (extended && (length == 24 || length == 48)),
        // RFC 4659 section 3.2.1.
        (2, 128) => length == 24 || length == 48,
        // RFC 7432 section 9.2, RFC 4684 section 3: an address of either kind; nothing is said against the pair of RFC 2545.
        (25, 70) | (1, 132) => length == 4 || length == 16 || length == 32,
        // Flow specifications: ignored (RFC 8955 section 4). Others are not known.
        _ => true,
    }
}

/// RFC 4760 section 4, RFC 7606 sections 5.3 and 7.12.
fn unreach(attribute: &Attribute, ctx: &DecodeCtx, verdict: &mut Verdict) -> Option<Found<Unreach>> {
    check_flags(attribute, verdict);
    let mut rest = Octets(&attribute.value);
    let mut family = || Some((rest.two()?, rest.octet()?));
    let Some(family) = family() else {
        verdict.reset(MALFORMED_LIST);
        verdict.reset(OPTIONAL_ATTRIBUTE);
        return None;
    };
    let Some(routes) = routes::read(rest.0, family, ctx, true) else {
        verdict.disables.push(family);
        return None;
    };
    Some(Found { is_empty: rest.is_empty(), value: Unreach { family, routes } })
}

/// Whether the attribute may be used; says so to the verdict if not.
fn stands(attribute: &Attribute, ctx: &DecodeCtx, verdict: &mut Verdict) -> bool {
    let Attribute { flags, code, ref value } = *attribute;
    let length = value.len();
    let Some(right_flags) = flags_of(code) else {
        // RFC 4271 section 6.3: not optional, so well-known; but not known.
        if flags & 0x80 == 0 {
            verdict.reset(UNRECOGNIZED_WELL_KNOWN);
            return false;
        }
        return true;
    };
    // RFC 7606 sections 7.5, 7.9, 7.10: discarded from an external neighbour, whatever is in it.
    if ctx.peer == PeerKind::External && matches!(code, 5 | 9 | 10) {
        verdict.discard();
        return false;
    }
    // RFC 6793 section 6: discarded from a speaker with 4-octet AS numbers.
    if ctx.as4 && ctx.peer != PeerKind::Unknown && matches!(code, 17 | 18) {
        verdict.discard();
        return false;
    }
    // RFC 7311 section 3: AIGP with the Transitive bit is malformed, and what is malformed of it is discarded. So is what is wrong with
    // TUNNEL_ENCAPSULATION (RFC 9012 section 13), BGP-LS (RFC 9552 section 8.2.2) and PREFIX_SID (RFC 8669 section 6).
    if matches!(code, 23 | 26 | 29 | 40) && flags & 0xc0 != right_flags {
        verdict.discard();
        return false;
    }
    if flags & 0xc0 != right_flags {
        verdict.withdraw(FLAGS);
        return false;
    }
    let width = if ctx.as4 { 4 } else { 2 };
    let list_of = |size: usize| length > 0 && length % size == 0;
    let sound = match code {
        ORIGIN => {
            if length != 1 {
                verdict.withdraw(LENGTH);
                return false;
            }
            if value[0] > 2 {
                verdict.withdraw(INVALID_ORIGIN);
                return false;
            }
            true
        }
        AS_PATH => {
            let confederation = ctx.peer != PeerKind::External;
            match segments(value, width) {
                Some(path) if path.iter().all(|(kind, asns)| (confederation || *kind <= 2) && !asns.contains(&0)) => {
                    true
                }
                _ => {
                    verdict.withdraw(MALFORMED_PATH);
                    return false;
                }
            }
        }
        NEXT_HOP | 4 | 5 | 9 | 35 => length == 4,
        8 | 10 => list_of(4),
        16 => list_of(8),
        32 => list_of(12),
        // RFC 7606 section 7.15.
        25 => list_of(20),
        // RFC 6514 section 5: flags, type, label.
        22 => length >= 5,
        // RFC 9012 section 13: without any tunnel it is discarded, one that is cut short withdraws.
        23 if length == 0 => {
            verdict.discard();
            return false;
        }
        23 => all_tlvs(value, 2, 2, &mut |_, tunnel| all_sub_tlvs(tunnel)),
        // Those below are discarded (RFC 7606 sections 7.6 and 7.7, RFC 6793 section 6, RFC 7311 section 3).
        _ => {
            let sound = match code {
                6 => length == 0,
                7 => length == width + 4 && value[..width].iter().any(|octet| *octet != 0),
                18 => length == 8 && value[..4] != [0; 4],
                // RFC 6793 section 6; RFC 7607 section 2.
                17 => segments(value, 4).is_some_and(|path| path.iter().all(|(_, asns)| !asns.contains(&0))),
                29 => all_tlvs(value, 2, 2, &mut |_, _| true),
                40 => all_tlvs(value, 1, 2, &mut prefix_sid_part_is_sound),
                _ => aigp_is_sound(value),
            };
            if !sound {
                verdict.discard();
            }
            return sound;
        }
    };
    if !sound {
        verdict.withdraw(LENGTH);
    }
    sound
}

/// TLVs to the end of the value, each with a type and a length of so many octets; all of them have to be `sound`.
fn all_tlvs(value: &[u8], kind: usize, length: usize, sound: &mut dyn FnMut(u64, &[u8]) -> bool) -> bool {
    let mut rest = Octets(value);
    while !rest.is_empty() {
        let mut next = || {
            let (kind, length) = (rest.number(kind)?, rest.number(length)?);
            Some((kind, rest.take(length as usize)?))
        };
        match next() {
            Some((kind, value)) if sound(kind, value) => {}
            _ => return false,
        }
    }
    true
}

/// RFC 9012 section 2: the length of a sub-TLV has one octet for types up to 127, two for the others.
fn all_sub_tlvs(tunnel: &[u8]) -> bool {
    let mut rest = Octets(tunnel);
    while !rest.is_empty() {
        let mut next = || {
            let kind = rest.octet()?;
            let length = rest.number(if kind <= 127 { 1 } else { 2 })?;
            rest.take(length as usize)
        };
        if next().is_none() {
            return false;
        }
    }
    true
}

/// RFC 8669 sections 3.1 and 3.2: a label index has 7 octets, an SRGB two of flags and at least one range of six. RFC 9252 sections 2 and
/// 3.1: a service has a reserved octet and sub-TLVs, of which an SID has 21 octets and TLVs of its own.
fn prefix_sid_part_is_sound(kind: u64, value: &[u8]) -> bool {
    match kind {
        1 => value.len() == 7,
        3 => value.len() >= 8 && (value.len() - 2).is_multiple_of(6),
        5 | 6 => {
            let sid = |value: &[u8]| value.len() >= 21 && all_tlvs(&value[21..], 1, 2, &mut |_, _| true);
            !value.is_empty() && all_tlvs(&value[1..], 1, 2, &mut |kind, value| kind != 1 || sid(value))
        }
        _ => true,
    }
}

/// RFC 7311 section 3: TLVs, of which the first of type 1 has eight octets.
fn aigp_is_sound(value: &[u8]) -> bool {
    let mut rest = Octets(value);
    while !rest.is_empty() {
        let mut tlv = || {
            let kind = rest.octet()?;
            let length = usize::from(rest.two()?);
            let value = rest.take(length.checked_sub(3)?)?;
            Some((kind, value))
        };
        match tlv() {
            Some((1, value)) if value.len() != 8 => return false,
            Some(_) => {}
            None => return false,
        }
    }
    true
}

/// RFC 4271 section 4.3, RFC 5065 section 3, RFC 7606 section 7.2: the segments, if all are of a known type, whole and not empty.
pub fn segments(value: &[u8], width: usize) -> Option<Vec<(u8, Vec<u32>)>> {
    let mut rest = Octets(value);
    let mut segments = Vec::new();
    while !rest.is_empty() {
        let kind = rest.octet()?;
        let count = rest.octet()?;
        if !(1..=4).contains(&kind) || count == 0 {
            return None;
        }
        let mut asns = Vec::new();
        for _ in 0..count {
            asns.push(rest.number(width)? as u32);
        }
        segments.push((kind, asns));
    }
    Some(segments)
}

/// What the attributes say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    pub origin: Option<u8>,
    /// AS4_PATH merged in; adjacent sequences are joined, since it does not matter where one ends.
    pub as_path: Vec<(u8, Vec<u32>)>,
    pub path_length: u32,
    pub next_hop: Option<[u8; 4]>,
    pub med: Option<u32>,
    pub local_pref: Option<u32>,
    pub atomic_aggregate: bool,
    pub aggregator: Option<(u32, [u8; 4])>,
    pub communities: Vec<u32>,
    pub originator_id: Option<[u8; 4]>,
    pub cluster_list: Vec<[u8; 4]>,
    pub ext_communities: Vec<[u8; 8]>,
    pub aigp: Option<u64>,
    pub large_communities: Vec<(u32, u32, u32)>,
    pub only_to_customer: Option<u32>,
    /// Flags, type, label and identifier of PMSI_TUNNEL.
    pub pmsi_tunnel: Option<(u8, u8, u32, Vec<u8>)>,
    pub tunnels: Vec<Tunnel>,
    pub ipv6_ext_communities: Vec<[u8; 20]>,
    pub link_state: Option<Vec<u8>>,
    pub prefix_sid: Vec<PrefixSidPart>,
}

/// A tunnel of TUNNEL_ENCAPSULATION: its type, and type and value of each sub-TLV.
pub type Tunnel = (u16, Vec<(u8, Vec<u8>)>);

#[derive(Clone, Debug, PartialEq)]
pub enum PrefixSidPart {
    LabelIndex {
        flags: u16,
        index: u32,
    },
    /// First label and count of each range.
    Srgb {
        flags: u16,
        ranges: Vec<(u32, u32)>,
    },
    Service {
        kind: u8,
        sids: Vec<Sid>,
    },
    Other(u8, Vec<u8>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sid {
    pub address: [u8; 16],
    pub flags: u8,
    pub behavior: u16,
    pub structure: Option<[u8; 6]>,
}

/// RFC 9012 section 2.
fn tunnels(value: &[u8]) -> Vec<Tunnel> {
    let mut tunnels = Vec::new();
    all_tlvs(value, 2, 2, &mut |kind, tunnel| {
        let sub_tlvs = many(Some(Octets(tunnel)), |rest| {
            let kind = rest.octet()?;
            let length = rest.number(if kind <= 127 { 1 } else { 2 })?;
            Some((kind, rest.take(length as usize)?.to_vec()))
        });
        tunnels.push((kind as u16, sub_tlvs));
        true
    });
    tunnels
}

/// RFC 8669 section 3, RFC 9252 sections 2 and 3.
fn prefix_sid(value: &[u8]) -> Vec<PrefixSidPart> {
    let mut parts = Vec::new();
    all_tlvs(value, 1, 2, &mut |kind, value| {
        let mut rest = Octets(value);
        let part = match kind {
            1 => rest
                .octet()
                .and_then(|_reserved| Some(PrefixSidPart::LabelIndex { flags: rest.two()?, index: rest.four()? })),
            3 => rest.two().map(|flags| {
                let range = |rest: &mut Octets<'_>| Some((rest.number(3)? as u32, rest.number(3)? as u32));
                PrefixSidPart::Srgb { flags, ranges: many(Some(rest), range) }
            }),
            5 | 6 => rest.octet().map(|_reserved| {
                let mut sids = Vec::new();
                all_tlvs(rest.0, 1, 2, &mut |kind, value| {
                    sids.extend((kind == 1).then(|| sid(value)).flatten());
                    true
                });
                PrefixSidPart::Service { kind: kind as u8, sids }
            }),
            _ => None,
        };
        parts.push(part.unwrap_or_else(|| PrefixSidPart::Other(kind as u8, value.to_vec())));
        true
    });
    parts
}

/// RFC 9252 sections 3.1 and 3.2.1.
fn sid(value: &[u8]) -> Option<Sid> {
    let mut rest = Octets(value);
    let _reserved = rest.octet()?;
    let (address, flags, behavior) = (rest.array()?, rest.octet()?, rest.two()?);
    let _reserved = rest.octet()?;
    let mut structure = None;
    all_tlvs(rest.0, 1, 2, &mut |kind, value| {
        if kind == 1 && value.len() == 6 {
            structure = Octets(value).array();
        }
        true
    });
    Some(Sid { address, flags, behavior, structure })
}

impl Values {
    pub fn of(standing: &[Attribute], as4: bool) -> Self {
        let get = |code: u8| standing.iter().find(|attribute| attribute.code == code).map(|found| Octets(&found.value));
        let number = |code: u8| get(code).and_then(|mut value| value.four());
        let address = |code: u8| get(code).and_then(|mut value| value.array::<4>());
        let width = if as4 { 4 } else { 2 };
        let node = |code: u8, width: usize| {
            get(code).and_then(|mut value| Some((value.number(width)? as u32, value.array::<4>()?)))
        };
        let path = get(AS_PATH).and_then(|value| segments(value.0, width)).unwrap_or_default();
        let (aggregator, as4_aggregator) = (node(7, width), node(18, 4));
        // RFC 6793 section 4.2.3.
        let (aggregator, as4_path_counts) = match (aggregator, as4_aggregator) {
            (Some((asn, _)), Some(_)) if asn != 23456 => (aggregator, false),
            (Some(_), Some(_)) => (as4_aggregator, true),
            _ => (aggregator, true),
        };
        let as4_path = get(17).and_then(|value| segments(value.0, 4)).filter(|_| as4_path_counts && !as4);
        let as_path = match as4_path {
            Some(as4_path) => merge(path, as4_path),
            None => path,
        };
        Self {
            origin: get(ORIGIN).and_then(|mut value| value.octet()),
            path_length: length(&as_path),
            as_path: joined(as_path),
            next_hop: address(NEXT_HOP),
            med: number(4),
            local_pref: number(5),
            atomic_aggregate: get(6).is_some(),
            aggregator,
            communities: many(get(8), |rest| rest.four()),
            originator_id: address(9),
            cluster_list: many(get(10), |rest| rest.array()),
            ext_communities: many(get(16), |rest| rest.array()),
            aigp: get(26).and_then(|value| {
                let mut rest = value;
                loop {
                    let (kind, length) = (rest.octet()?, rest.two()?);
                    let mut value = Octets(rest.take(usize::from(length).checked_sub(3)?)?);
                    if kind == 1 {
                        return value.number(8);
                    }
                }
            }),
            large_communities: many(get(32), |rest| Some((rest.four()?, rest.four()?, rest.four()?))),
            only_to_customer: number(35),
            pmsi_tunnel: get(22).and_then(|mut value| {
                Some((value.octet()?, value.octet()?, value.number(3)? as u32, value.0.to_vec()))
            }),
            tunnels: get(23).map(|value| tunnels(value.0)).unwrap_or_default(),
            ipv6_ext_communities: many(get(25), |rest| rest.array()),
            link_state: get(29).map(|value| value.0.to_vec()),
            prefix_sid: get(40).map(|value| prefix_sid(value.0)).unwrap_or_default(),
        }
    }
}

fn many<T>(value: Option<Octets<'_>>, mut next: impl FnMut(&mut Octets<'_>) -> Option<T>) -> Vec<T> {
    let mut list = Vec::new();
    let Some(mut rest) = value else { return list };
    while let Some(value) = next(&mut rest) {
        list.push(value);
    }
    list
}

/// RFC 4271 section 9.1.2.2, RFC 5065 section 5.3: a set counts one, confederation segments nothing.
fn length(path: &[(u8, Vec<u32>)]) -> u32 {
    path.iter()
        .map(|(kind, asns)| match kind {
            1 => 1,
            2 => asns.len() as u32,
            _ => 0,
        })
        .sum()
}

/// RFC 6793 section 4.2.3, and section 6 for the confederation segments of AS4_PATH.
fn merge(path: Vec<(u8, Vec<u32>)>, mut as4_path: Vec<(u8, Vec<u32>)>) -> Vec<(u8, Vec<u32>)> {
    as4_path.retain(|(kind, _)| *kind <= 2);
    let Some(mut missing) = length(&path).checked_sub(length(&as4_path)) else { return path };
    let mut merged = Vec::new();
    for (kind, mut asns) in path {
        match kind {
            // Leading, or next to one that was taken: the first one that is not taken ends the loop.
            3 | 4 => merged.push((kind, asns)),
            _ if missing == 0 => break,
            1 => {
                missing -= 1;
                merged.push((kind, asns));
            }
            _ => {
                let whole = asns.len() as u32 <= missing;
                asns.truncate(missing as usize);
                missing -= asns.len() as u32;
                merged.push((kind, asns));
                if !whole {
                    break;
                }
            }
        }
    }
    merged.append(&mut as4_path);
    merged
}

pub fn joined(path: Vec<(u8, Vec<u32>)>) -> Vec<(u8, Vec<u32>)> {
    let mut joined: Vec<(u8, Vec<u32>)> = Vec::new();
    for (kind, mut asns) in path {
        match joined.last_mut() {
            Some((2, last)) if kind == 2 => last.append(&mut asns),
            _ => joined.push((kind, asns)),
        }
    }
    joined
}
