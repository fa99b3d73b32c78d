//! Routes of every family, as owned values.

use super::{Item, Numbers, Octets};
use bgp_wire::{AfiSafi, DecodeCtx};

/// An address prefix: the length in bits and the octets of the address, those beyond the prefix zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub bits: u8,
    pub address: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Prefix(Prefix),
    Labelled { labels: Vec<u32>, prefix: Prefix },
    Vpn { labels: Vec<u32>, distinguisher: [u8; 8], prefix: Prefix },
    Evpn(Evpn),
    Target { bits: u8, octets: Vec<u8> },
    Flow { distinguisher: Option<[u8; 8]>, components: Option<Vec<Component>>, octets: Vec<u8> },
    Opaque(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evpn {
    AutoDiscovery {
        distinguisher: [u8; 8],
        segment: [u8; 10],
        tag: u32,
        label: u32,
    },
    MacIp {
        distinguisher: [u8; 8],
        segment: [u8; 10],
        tag: u32,
        mac: [u8; 6],
        address: Vec<u8>,
        label: u32,
        label2: Option<u32>,
    },
    InclusiveMulticast {
        distinguisher: [u8; 8],
        tag: u32,
        originator: Vec<u8>,
    },
    EthernetSegment {
        distinguisher: [u8; 8],
        segment: [u8; 10],
        originator: Vec<u8>,
    },
    Prefix {
        distinguisher: [u8; 8],
        segment: [u8; 10],
        tag: u32,
        prefix: Prefix,
        gateway: Vec<u8>,
        label: u32,
    },
    Other {
        kind: u8,
        value: Vec<u8>,
    },
}

/// A component of a flow specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Component {
    Prefix { kind: u8, offset: u8, prefix: Prefix },
    Field { kind: u8, operations: Vec<(u8, u64)> },
}

/// The routes of a field or attribute; `None` if one of them makes no sense or is cut short.
pub fn read(octets: &[u8], family: Numbers, ctx: &DecodeCtx, withdrawn: bool) -> Option<Vec<Item>> {
    let add_path = ctx.add_path.contains(AfiSafi::new(family.0, family.1));
    let mut rest = Octets(octets);
    let mut items = Vec::new();
    while !rest.is_empty() {
        // RFC 7911 section 3.
        let path_id = if add_path { Some(rest.four()?) } else { None };
        items.push((path_id, route(&mut rest, family, withdrawn)?));
    }
    Some(items)
}

fn route(rest: &mut Octets<'_>, family: Numbers, withdrawn: bool) -> Option<Route> {
    match family {
        (afi @ (1 | 2), 1 | 2) => {
            let bits = rest.octet()?;
            prefix(rest, bits, afi).map(Route::Prefix)
        }
        (afi @ (1 | 2), 4) => {
            let bits = rest.octet()?;
            let mut field = Octets(rest.take(octets_for(bits))?);
            let labels = labels(&mut field, bits, 0, withdrawn)?;
            let prefix = prefix(&mut field, bits - 24 * labels.len() as u8, afi)?;
            Some(Route::Labelled { labels, prefix })
        }
        (afi @ (1 | 2), 128) => {
            let bits = rest.octet()?;
            let mut field = Octets(rest.take(octets_for(bits))?);
            let labels = labels(&mut field, bits, 64, withdrawn)?;
            let distinguisher = field.array()?;
            let prefix = prefix(&mut field, bits - 24 * labels.len() as u8 - 64, afi)?;
            Some(Route::Vpn { labels, distinguisher, prefix })
        }
        (25, 70) => {
            let kind = rest.octet()?;
            let length = rest.octet()?;
            evpn(kind, rest.take(length.into())?).map(Route::Evpn)
        }
        (1, 132) => {
            // RFC 4684 section 4: the origin AS is no prefix, so that there is nothing between 0 and 32 bits.
            let bits = rest.octet()?;
            if bits > 96 || (bits > 0 && bits < 32) {
                return None;
            }
            let mut octets = rest.take(octets_for(bits))?.to_vec();
            clear_beyond(&mut octets, bits.into());
            Some(Route::Target { bits, octets })
        }
        (afi @ (1 | 2), safi @ (133 | 134)) => {
            // RFC 8955 section 4.1.
            let mut length = usize::from(rest.octet()?);
            if length >= 0xf0 {
                length = (length & 0x0f) * 256 + usize::from(rest.octet()?);
            }
            let mut field = Octets(rest.take(length)?);
            let distinguisher = if safi == 134 { Some(field.array()?) } else { None };
            Some(Route::Flow { distinguisher, components: components(field, afi), octets: field.0.to_vec() })
        }
        _ => opaque(rest, family).map(|octets| Route::Opaque(octets.to_vec())),
    }
}

/// Families that are only told apart: RFC 6514 (type and length), RFC 4761 (length; RFC 6074 has the shortest, of 12 octets), RFC 9830 (length in bits), RFC 9552 (type and
/// length, two octets each). Of any other family all octets are one piece.
fn opaque<'a>(rest: &mut Octets<'a>, family: Numbers) -> Option<&'a [u8]> {
    let whole = rest.0;
    let mut header = *rest;
    let length = match family {
        (1 | 2, 5) => {
            header.octet()?;
            2 + usize::from(header.octet()?)
        }
        (25, 65) => 2 + usize::from(header.two().filter(|length| *length >= 12)?),
        (1 | 2, 73) => 1 + octets_for(header.octet()?),
        (16388, 71 | 72) => {
            header.two()?;
            4 + usize::from(header.two()?)
        }
        _ => whole.len(),
    };
    rest.take(length)
}

fn octets_for(bits: u8) -> usize {
    usize::from(bits).div_ceil(8)
}

pub fn clear_beyond(octets: &mut [u8], bits: usize) {
    for (at, octet) in octets.iter_mut().enumerate() {
        for bit in 0..8 {
            if at * 8 + bit >= bits {
                *octet &= !(0x80 >> bit);
            }
        }
    }
}

/// RFC 4271 section 4.3, RFC 4760 section 5.
fn prefix(rest: &mut Octets<'_>, bits: u8, afi: u16) -> Option<Prefix> {
    let width = if afi == 1 { 4 } else { 16 };
    if usize::from(bits) > width * 8 {
        return None;
    }
    let mut address = rest.take(octets_for(bits))?.to_vec();
    address.resize(width, 0);
    clear_beyond(&mut address, bits.into());
    Some(Prefix { bits, address })
}

/// RFC 8277: a stack ends at the label with the S bit (section 2.3); in a withdrawal at 0x800000 or, of old, 0x000000 (section 2.4).
/// Whether a stack or a single label was negotiated is not said, so that a stack without end is a single label, whose S bit counts for
/// nothing (section 2.2).
fn labels(field: &mut Octets<'_>, bits: u8, after: u8, withdrawn: bool) -> Option<Vec<u32>> {
    let room = usize::from(bits.checked_sub(after)?) / 24;
    let mut stack = *field;
    let mut labels = Vec::new();
    while labels.len() < room {
        let label = stack.number(3)? as u32;
        labels.push(label >> 4);
        if label & 1 == 1 || (withdrawn && (label == 0x80_0000 || label == 0)) {
            *field = stack;
            return Some(labels);
        }
    }
    labels.truncate(1);
    field.take(3 * labels.len())?;
    if labels.is_empty() { None } else { Some(labels) }
}

/// RFC 7432 section 7, RFC 9136 section 3.1.
fn evpn(kind: u8, value: &[u8]) -> Option<Evpn> {
    let mut rest = Octets(value);
    let route = match kind {
        1 => Evpn::AutoDiscovery {
            distinguisher: rest.array()?,
            segment: rest.array()?,
            tag: rest.four()?,
            label: rest.number(3)? as u32,
        },
        2 => Evpn::MacIp {
            distinguisher: rest.array()?,
            segment: rest.array()?,
            tag: rest.four()?,
            mac: if rest.octet()? == 48 { rest.array()? } else { return None },
            address: match rest.octet()? {
                0 => Vec::new(),
                32 => rest.take(4)?.to_vec(),
                128 => rest.take(16)?.to_vec(),
                _ => return None,
            },
            label: rest.number(3)? as u32,
            label2: if rest.is_empty() { None } else { Some(rest.number(3)? as u32) },
        },
        3 => {
            Evpn::InclusiveMulticast { distinguisher: rest.array()?, tag: rest.four()?, originator: router(&mut rest)? }
        }
        4 => Evpn::EthernetSegment {
            distinguisher: rest.array()?,
            segment: rest.array()?,
            originator: router(&mut rest)?,
        },
        5 => {
            let width = match value.len() {
                34 => 4,
                58 => 16,
                _ => return None,
            };
            let (distinguisher, segment, tag) = (rest.array()?, rest.array()?, rest.four()?);
            let bits = rest.octet()?;
            if usize::from(bits) > width * 8 {
                return None;
            }
            let mut address = rest.take(width)?.to_vec();
            clear_beyond(&mut address, bits.into());
            Evpn::Prefix {
                distinguisher,
                segment,
                tag,
                prefix: Prefix { bits, address },
                gateway: rest.take(width)?.to_vec(),
                label: rest.number(3)? as u32,
            }
        }
        // RFC 7606 section 5.4: types are not negotiated; one that is not known is no error.
        _ => return Some(Evpn::Other { kind, value: value.to_vec() }),
    };
    if rest.is_empty() { Some(route) } else { None }
}

fn router(rest: &mut Octets<'_>) -> Option<Vec<u8>> {
    match rest.octet()? {
        32 => rest.take(4).map(<[u8]>::to_vec),
        128 => rest.take(16).map(<[u8]>::to_vec),
        _ => None,
    }
}

/// RFC 8955 section 4.2, RFC 8956 section 3: the components if every one is known, whole, and of a higher type than the one before. One
/// there must be: a specification without any would match everything.
fn components(mut rest: Octets<'_>, afi: u16) -> Option<Vec<Component>> {
    let mut components = Vec::new();
    let mut last = 0;
    while !rest.is_empty() {
        let kind = rest.octet()?;
        if kind <= last {
            return None;
        }
        last = kind;
        components.push(match (kind, afi) {
            (1 | 2, 1) => {
                let bits = rest.octet()?;
                Component::Prefix { kind, offset: 0, prefix: prefix(&mut rest, bits, afi)? }
            }
            (1 | 2, _) => {
                let (bits, offset) = (rest.octet()?, rest.octet()?);
                if bits > 128 || (offset >= bits && (offset, bits) != (0, 0)) {
                    return None;
                }
                // The pattern starts after the bits that are skipped.
                let pattern = rest.take(octets_for(bits - offset))?;
                let mut address = vec![0; 16];
                for bit in 0..usize::from(bits - offset) {
                    if pattern[bit / 8] & (0x80 >> (bit % 8)) != 0 {
                        let at = bit + usize::from(offset);
                        address[at / 8] |= 0x80 >> (at % 8);
                    }
                }
                Component::Prefix { kind, offset, prefix: Prefix { bits, address } }
            }
            (3..=12, _) | (13, 2) => {
                let mut operations = Vec::new();
                loop {
                    let operator = rest.octet()?;
                    operations.push((operator, rest.number(1 << (operator >> 4 & 3))?));
                    if operator & 0x80 != 0 {
                        break;
                    }
                }
                Component::Field { kind, operations }
            }
            _ => return None,
        });
    }
    if components.is_empty() { None } else { Some(components) }
}
