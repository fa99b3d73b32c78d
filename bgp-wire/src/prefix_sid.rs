//! PREFIX_SID: segment routing identifiers of a prefix, for MPLS (RFC 8669) and of services over IPv6 (RFC 9252).

use crate::attributes::{Attributes, code};
use alloc::vec::Vec;
use core::net::Ipv6Addr;

/// PREFIX_SID: what it says, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixSid<'a>(&'a [u8]);

/// One thing that [`PrefixSid`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixSidTlv<'a> {
    /// The prefix's number among the labels of each router (RFC 8669 section 3.1).
    LabelIndex {
        /// Flags.
        flags: u16,
        /// The number.
        index: u32,
    },
    /// The labels of the originator that numbers are among, as pairs of the first label and their count, three octets each (RFC 8669
    /// section 3.2).
    OriginatorSrgb {
        /// Flags.
        flags: u16,
        /// The pairs.
        ranges: &'a [[u8; 6]],
    },
    /// The identifiers of a layer 3 service (RFC 9252 section 2).
    Srv6L3Service(Srv6Service<'a>),
    /// The identifiers of a layer 2 service (RFC 9252 section 2).
    Srv6L2Service(Srv6Service<'a>),
    /// Something else, which is passed on as it came.
    Other {
        /// What, by its number.
        kind: u8,
        /// The value.
        value: &'a [u8],
    },
}

const LABEL_INDEX: u8 = 1;
const ORIGINATOR_SRGB: u8 = 3;
const SRV6_L3_SERVICE: u8 = 5;
const SRV6_L2_SERVICE: u8 = 6;
const SRV6_SID: u8 = 1;
const SID_STRUCTURE: u8 = 1;

/// The identifiers of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srv6Service<'a> {
    /// The value, the reserved octet in front.
    octets: &'a [u8],
}

/// One identifier of a service (RFC 9252 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srv6Sid {
    /// The identifier, an address.
    pub sid: Ipv6Addr,
    /// Flags.
    pub flags: u8,
    /// What its router does with packets to it, by the number RFC 8986 gives it.
    pub behavior: u16,
    /// How the identifier is built, if that is said.
    pub structure: Option<SidStructure>,
}

/// The parts of an identifier: lengths and an offset, in bits (RFC 9252 section 3.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SidStructure {
    /// Locator block.
    pub block: u8,
    /// Locator node.
    pub node: u8,
    /// Function.
    pub function: u8,
    /// Argument.
    pub argument: u8,
    /// Bits that stand in the label field of the route instead.
    pub transposed: u8,
    /// Where in the identifier those bits belong.
    pub transposed_at: u8,
}

/// Splits off a type in one octet, a length in two and the value.
fn split_tlv<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[kind, high, low], body) = rest.split_first_chunk()?;
    let (value, after) = body.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    *rest = after;
    Some((kind, value))
}

fn put_tlv(kind: u8, value: &[u8], out: &mut Vec<u8>) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    out.push(kind);
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
}

impl<'a> PrefixSid<'a> {
    /// Of the attribute's value. Octets that are none end the list.
    pub fn of(value: &'a [u8]) -> Self {
        Self(value)
    }
}

impl<'a> Iterator for PrefixSid<'a> {
    type Item = PrefixSidTlv<'a>;

    fn next(&mut self) -> Option<PrefixSidTlv<'a>> {
        let (kind, value) = split_tlv(&mut self.0)?;
        Some(PrefixSidTlv::read(kind, value).unwrap_or(PrefixSidTlv::Other { kind, value }))
    }
}

impl<'a> PrefixSidTlv<'a> {
    /// `None` if the value does not follow the rules of its kind.
    fn read(kind: u8, value: &'a [u8]) -> Option<Self> {
        match (kind, value) {
            // The first octet is reserved and ignored.
            (LABEL_INDEX, &[_, a, b, c, d, e, f]) => {
                Some(Self::LabelIndex { flags: u16::from_be_bytes([a, b]), index: u32::from_be_bytes([c, d, e, f]) })
            }
            (ORIGINATOR_SRGB, &[a, b, ref ranges @ ..]) if !ranges.is_empty() => {
                let (ranges, []) = ranges.as_chunks() else {
                    return None;
                };
                Some(Self::OriginatorSrgb { flags: u16::from_be_bytes([a, b]), ranges })
            }
            (SRV6_L3_SERVICE | SRV6_L2_SERVICE, octets) => {
                let service = Srv6Service { octets };
                service.is_sound().then_some(match kind {
                    SRV6_L3_SERVICE => Self::Srv6L3Service(service),
                    _ => Self::Srv6L2Service(service),
                })
            }
            _ => None,
        }
    }

    /// Appends it as it stands in the attribute.
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::LabelIndex { flags, index } => {
                let ([a, b], [c, d, e, f]) = (flags.to_be_bytes(), index.to_be_bytes());
                put_tlv(LABEL_INDEX, &[0, a, b, c, d, e, f], out);
            }
            Self::OriginatorSrgb { flags, ranges } => {
                put_tlv(ORIGINATOR_SRGB, &[&flags.to_be_bytes(), ranges.as_flattened()].concat(), out);
            }
            Self::Srv6L3Service(service) => put_tlv(SRV6_L3_SERVICE, service.octets, out),
            Self::Srv6L2Service(service) => put_tlv(SRV6_L2_SERVICE, service.octets, out),
            Self::Other { kind, value } => put_tlv(kind, value, out),
        }
    }
}

impl<'a> Srv6Service<'a> {
    /// Of the octets of identifiers, such as those that [`Self::encode`] made; `None` if they are none.
    pub fn from_octets(octets: &'a [u8]) -> Option<Self> {
        Some(Self { octets }).filter(Self::is_sound)
    }

    /// The octets of a service with these identifiers.
    pub fn encode(sids: &[Srv6Sid]) -> Vec<u8> {
        let mut out = alloc::vec![0];
        for sid in sids {
            let mut value = alloc::vec![0];
            value.extend_from_slice(&sid.sid.octets());
            value.push(sid.flags);
            value.extend_from_slice(&sid.behavior.to_be_bytes());
            value.push(0);
            if let Some(parts) = sid.structure {
                let SidStructure { block, node, function, argument, transposed, transposed_at } = parts;
                put_tlv(SID_STRUCTURE, &[block, node, function, argument, transposed, transposed_at], &mut value);
            }
            put_tlv(SRV6_SID, &value, &mut out);
        }
        out
    }

    /// The octets, as they came.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The identifiers, in order; whatever else is said of the service is passed over.
    pub fn sids(&self) -> impl Iterator<Item = Srv6Sid> + use<'a> {
        let mut rest = self.octets.get(1..).unwrap_or_default();
        core::iter::from_fn(move || split_tlv(&mut rest))
            .filter_map(|(kind, value)| (kind == SRV6_SID).then(|| Srv6Sid::read(value)).flatten())
    }

    /// Whether there is the reserved octet and whole sub-TLVs after it, those of identifiers with all they need (RFC 9252 section 7).
    fn is_sound(&self) -> bool {
        let Some(mut rest) = self.octets.get(1..) else { return false };
        while let Some((kind, value)) = split_tlv(&mut rest) {
            if kind == SRV6_SID && Srv6Sid::read(value).is_none() {
                return false;
            }
        }
        rest.is_empty()
    }
}

impl Srv6Sid {
    fn read(value: &[u8]) -> Option<Self> {
        let (_reserved, rest) = value.split_first()?;
        let (sid, rest) = rest.split_first_chunk::<16>()?;
        let (&[flags, high, low, _reserved], mut rest) = rest.split_first_chunk()?;
        let (sid, behavior, mut structure) = ((*sid).into(), u16::from_be_bytes([high, low]), None);
        while let Some((kind, value)) = split_tlv(&mut rest) {
            if let (SID_STRUCTURE, &[block, node, function, argument, transposed, transposed_at]) = (kind, value) {
                structure = Some(SidStructure { block, node, function, argument, transposed, transposed_at });
            }
        }
        rest.is_empty().then_some(Self { sid, flags, behavior, structure })
    }
}

/// Whether the value is whole TLVs, those of known kinds with all they need (RFC 8669 section 6).
pub(crate) fn is_sound(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some((kind, value)) = split_tlv(&mut rest) {
        let known = matches!(kind, LABEL_INDEX | ORIGINATOR_SRGB | SRV6_L3_SERVICE | SRV6_L2_SERVICE);
        if known && PrefixSidTlv::read(kind, value).is_none() {
            return false;
        }
    }
    rest.is_empty()
}

impl<'a> Attributes<'a> {
    /// PREFIX_SID; empty where it is absent.
    pub fn prefix_sid(&self) -> PrefixSid<'a> {
        PrefixSid(self.get(code::PREFIX_SID).map(|attribute| attribute.value).unwrap_or_default())
    }
}
