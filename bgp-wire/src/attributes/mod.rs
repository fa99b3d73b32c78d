//! Path attributes (RFC 4271 section 5): their headers, the rule RFC 7606 section 7 sets for each, and a typed view on a block of them.
//!
//! A view never decodes more than it is asked for, and holds nothing but the block and where in it each known attribute stands.

mod check;
mod plain;
mod standing;
mod view;

pub(crate) use check::check;
pub(crate) use plain::{is_plainly_sound, plain_run, split_plain};
pub(crate) use standing::{Seen, Standing};
pub use view::{Attributes, AttributesIter};

use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

/// Type codes of the attributes this crate knows.
pub mod code {
    /// ORIGIN (RFC 4271).
    pub const ORIGIN: u8 = 1;
    /// AS_PATH (RFC 4271).
    pub const AS_PATH: u8 = 2;
    /// NEXT_HOP (RFC 4271).
    pub const NEXT_HOP: u8 = 3;
    /// MULTI_EXIT_DISC (RFC 4271).
    pub const MED: u8 = 4;
    /// LOCAL_PREF (RFC 4271).
    pub const LOCAL_PREF: u8 = 5;
    /// ATOMIC_AGGREGATE (RFC 4271).
    pub const ATOMIC_AGGREGATE: u8 = 6;
    /// AGGREGATOR (RFC 4271).
    pub const AGGREGATOR: u8 = 7;
    /// COMMUNITIES (RFC 1997).
    pub const COMMUNITIES: u8 = 8;
    /// ORIGINATOR_ID (RFC 4456).
    pub const ORIGINATOR_ID: u8 = 9;
    /// CLUSTER_LIST (RFC 4456).
    pub const CLUSTER_LIST: u8 = 10;
    /// MP_REACH_NLRI (RFC 4760).
    pub const MP_REACH_NLRI: u8 = 14;
    /// MP_UNREACH_NLRI (RFC 4760).
    pub const MP_UNREACH_NLRI: u8 = 15;
    /// EXTENDED COMMUNITIES (RFC 4360).
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    /// AS4_PATH (RFC 6793).
    pub const AS4_PATH: u8 = 17;
    /// AS4_AGGREGATOR (RFC 6793).
    pub const AS4_AGGREGATOR: u8 = 18;
    /// PMSI_TUNNEL (RFC 6514).
    pub const PMSI_TUNNEL: u8 = 22;
    /// TUNNEL_ENCAPSULATION (RFC 9012).
    pub const TUNNEL_ENCAPSULATION: u8 = 23;
    /// IPV6_ADDRESS_SPECIFIC_EXTENDED_COMMUNITIES (RFC 5701).
    pub const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
    /// AIGP, the accumulated IGP metric (RFC 7311).
    pub const AIGP: u8 = 26;
    /// BGP-LS, what is said of a link or node (RFC 9552).
    pub const LINK_STATE: u8 = 29;
    /// LARGE_COMMUNITY (RFC 8092).
    pub const LARGE_COMMUNITIES: u8 = 32;
    /// OTC, Only to Customer (RFC 9234).
    pub const ONLY_TO_CUSTOMER: u8 = 35;
    /// PREFIX_SID (RFC 8669, RFC 9252).
    pub const PREFIX_SID: u8 = 40;
}

/// Bits of the octet before an attribute's type (RFC 4271 section 4.3).
pub mod flag {
    /// Not well-known.
    pub const OPTIONAL: u8 = 0x80;
    /// To be passed on.
    pub const TRANSITIVE: u8 = 0x40;
    /// Some speaker on the way did not know the attribute.
    pub const PARTIAL: u8 = 0x20;
    /// The length field has two octets.
    pub const EXTENDED_LENGTH: u8 = 0x10;
}

/// ORIGIN: how the route came to be known. Lower is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Origin {
    /// Interior to the originating AS.
    Igp = 0,
    /// Learned by EGP.
    Egp = 1,
    /// Learned by other means.
    Incomplete = 2,
}

/// `igp`, `egp`, `incomplete`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Origin {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Igp => "igp",
            Self::Egp => "egp",
            Self::Incomplete => "incomplete",
        }
    }
}

/// AGGREGATOR: who formed an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aggregator {
    /// The aggregating AS.
    pub asn: u32,
    /// The aggregating speaker's identifier.
    pub identifier: Ipv4Addr,
}

impl Aggregator {
    /// From the value of AGGREGATOR or AS4_AGGREGATOR as it came, AS 0 included; `None` where its length is that of neither.
    pub fn as_sent(value: &[u8]) -> Option<Self> {
        read_aggregator(value)
    }
}

/// `64500 192.0.2.1`.
impl fmt::Display for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.asn, self.identifier)
    }
}

/// One attribute as it stands in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawAttribute<'a> {
    /// The flags, by [`flag`].
    pub flags: u8,
    /// The type, by [`code`].
    pub code: u8,
    /// The value, without header.
    pub value: &'a [u8],
}

impl<'a> RawAttribute<'a> {
    /// The attribute at the start of `rest` and how many octets it takes. `None` where header or value run past the end.
    #[inline(always)]
    pub(crate) fn read(rest: &'a [u8]) -> Option<(Self, usize)> {
        let &[flags, code, length, ..] = rest else {
            return None;
        };
        let (start, length) = if flags & flag::EXTENDED_LENGTH == 0 {
            (3, usize::from(length))
        } else {
            (4, usize::from(u16::from_be_bytes([length, *rest.get(3)?])))
        };
        let value = rest.get(start..start + length)?;
        Some((Self { flags, code, value }, start + length))
    }

    /// The attribute at the start of `rest`, and what comes after it; `None` as with [`Self::read`].
    #[inline(always)]
    fn split(rest: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (attribute, taken) = Self::read(rest)?;
        Some((attribute, &rest[taken..]))
    }

    /// Whether the attribute is optional and to be passed on though this crate does not know it.
    pub const fn is_transitive(&self) -> bool {
        self.flags & flag::TRANSITIVE != 0
    }

    /// Appends the attribute with the shorter length field that holds its length. What makes values sees to it that none is longer
    /// than 65535 octets; a longer one would be cut.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let value = &self.value[..self.value.len().min(usize::from(u16::MAX))];
        let [high, low] = (value.len() as u16).to_be_bytes();
        let flags = self.flags & !flag::EXTENDED_LENGTH;
        if high == 0 {
            out.extend_from_slice(&[flags, self.code, low]);
        } else {
            out.extend_from_slice(&[flags | flag::EXTENDED_LENGTH, self.code, high, low]);
        }
        out.extend_from_slice(value);
    }
}

/// The known types by name.
const NAMED: [(u8, &str); 23] = [
    (code::ORIGIN, "ORIGIN"),
    (code::AS_PATH, "AS_PATH"),
    (code::NEXT_HOP, "NEXT_HOP"),
    (code::MED, "MULTI_EXIT_DISC"),
    (code::LOCAL_PREF, "LOCAL_PREF"),
    (code::ATOMIC_AGGREGATE, "ATOMIC_AGGREGATE"),
    (code::AGGREGATOR, "AGGREGATOR"),
    (code::COMMUNITIES, "COMMUNITIES"),
    (code::ORIGINATOR_ID, "ORIGINATOR_ID"),
    (code::CLUSTER_LIST, "CLUSTER_LIST"),
    (code::MP_REACH_NLRI, "MP_REACH_NLRI"),
    (code::MP_UNREACH_NLRI, "MP_UNREACH_NLRI"),
    (code::EXTENDED_COMMUNITIES, "EXTENDED_COMMUNITIES"),
    (code::AS4_PATH, "AS4_PATH"),
    (code::AS4_AGGREGATOR, "AS4_AGGREGATOR"),
    (code::PMSI_TUNNEL, "PMSI_TUNNEL"),
    (code::TUNNEL_ENCAPSULATION, "TUNNEL_ENCAPSULATION"),
    (code::IPV6_EXTENDED_COMMUNITIES, "IPV6_EXTENDED_COMMUNITIES"),
    (code::AIGP, "AIGP"),
    (code::LINK_STATE, "BGP-LS"),
    (code::LARGE_COMMUNITIES, "LARGE_COMMUNITY"),
    (code::ONLY_TO_CUSTOMER, "OTC"),
    (code::PREFIX_SID, "PREFIX_SID"),
];

/// The name that the RFCs have for an attribute of this type, such as `AS_PATH`; `None` for a type this crate does not know.
pub fn name(code: u8) -> Option<&'static str> {
    NAMED.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// The known types, each by the bit of its code.
const KNOWN: u64 = {
    let (mut known, mut at) = (0, 0);
    while at < NAMED.len() {
        known |= 1 << NAMED[at].0;
        at += 1;
    }
    known
};

/// Whether the type is one this crate knows.
#[inline]
pub(crate) const fn is_known(code: u8) -> bool {
    code < 64 && KNOWN & (1 << code) != 0
}

/// Whether attributes of this type can be part of a canonical block.
pub(crate) const fn is_canonical(code: u8) -> bool {
    !matches!(
        code,
        code::NEXT_HOP | code::MP_REACH_NLRI | code::MP_UNREACH_NLRI | code::AS4_PATH | code::AS4_AGGREGATOR
    )
}

/// Whether attributes of this type go from what was received into a canonical block. AIGP does not: it goes only where it is configured
/// to (RFC 7311 section 3.3).
const fn is_passed_on(code: u8) -> bool {
    is_canonical(code) && code != code::AIGP
}

/// The Optional and Transitive bits a known type must have.
#[inline]
pub(crate) const fn expected_flags(code: u8) -> u8 {
    match code {
        code::ORIGIN | code::AS_PATH | code::NEXT_HOP | code::LOCAL_PREF | code::ATOMIC_AGGREGATE => flag::TRANSITIVE,
        code::MED
        | code::ORIGINATOR_ID
        | code::CLUSTER_LIST
        | code::MP_REACH_NLRI
        | code::MP_UNREACH_NLRI
        | code::AIGP
        | code::LINK_STATE => flag::OPTIONAL,
        _ => flag::OPTIONAL | flag::TRANSITIVE,
    }
}

/// The flags an attribute has in canonical form; `None` for one that is not passed on, as it is neither known nor transitive.
pub(crate) const fn canonical_flags(attribute: &RawAttribute<'_>) -> Option<u8> {
    const PASSED_ON: u8 = flag::OPTIONAL | flag::TRANSITIVE;
    if is_known(attribute.code) {
        let expected = expected_flags(attribute.code);
        let partial = if expected == PASSED_ON { attribute.flags & flag::PARTIAL } else { 0 };
        Some(expected | partial)
    } else if attribute.is_transitive() {
        Some(PASSED_ON | flag::PARTIAL)
    } else {
        None
    }
}

fn read_aggregator(value: &[u8]) -> Option<Aggregator> {
    match *value {
        [a, b, c, d, e, f] => {
            Some(Aggregator { asn: u16::from_be_bytes([a, b]).into(), identifier: [c, d, e, f].into() })
        }
        [a, b, c, d, e, f, g, h] => {
            Some(Aggregator { asn: u32::from_be_bytes([a, b, c, d]), identifier: [e, f, g, h].into() })
        }
        _ => None,
    }
}

pub(crate) fn write_aggregator(aggregator: Aggregator) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (aggregator.asn.to_be_bytes(), aggregator.identifier.octets());
    [a, b, c, d, e, f, g, h]
}
