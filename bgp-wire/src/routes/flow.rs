//! Flow specifications (RFC 8955, RFC 8956): which packets a rule is about, and those of a VPN.

use super::{Form, Route, RouteDistinguisher, is_ipv6, sealed};
use crate::{AfiSafi, FamilySet};
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use ipnet::IpNet;

/// A flow specification: packets match if they match every component.
///
/// Parsing an UPDATE checks where each specification ends, not what is in it; see [`Self::is_sound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowRoute<'a> {
    /// The VPN's distinguisher, in the VPN families.
    pub distinguisher: Option<RouteDistinguisher>,
    ipv6: bool,
    octets: &'a [u8],
}

impl<'a> FlowRoute<'a> {
    /// Of the octets of components, as [`FlowComponent::write`] writes them. Whether they are about IPv6 is the family's to say.
    pub fn from_octets(octets: &'a [u8], ipv6: bool, distinguisher: Option<RouteDistinguisher>) -> Self {
        Self { distinguisher, ipv6, octets }
    }

    /// The components' octets.
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The components, in the order of the wire; ends at octets that are none.
    pub fn components(&self) -> impl Iterator<Item = FlowComponent<'a>> + use<'a> {
        let (mut rest, ipv6) = (self.octets, self.ipv6);
        core::iter::from_fn(move || {
            let (component, after) = FlowComponent::split(rest, ipv6)?;
            rest = after;
            Some(component)
        })
    }

    /// Whether every component is one that is known and they ascend by type (RFC 8955 section 4.2). A route that is not sound is not
    /// to be used.
    pub fn is_sound(&self) -> bool {
        let (mut rest, mut last) = (self.octets, 0);
        while let Some((component, after)) = FlowComponent::split(rest, self.ipv6) {
            if component.kind() <= last {
                return false;
            }
            last = component.kind();
            rest = after;
        }
        rest.is_empty() && last > 0
    }
}

/// A flow specification that owns its octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowRouteBuf {
    pub(crate) distinguisher: Option<RouteDistinguisher>,
    pub(crate) ipv6: bool,
    pub(crate) octets: Vec<u8>,
}

impl<'a> From<&'a FlowRouteBuf> for FlowRoute<'a> {
    fn from(route: &'a FlowRouteBuf) -> Self {
        Self { distinguisher: route.distinguisher, ipv6: route.ipv6, octets: &route.octets }
    }
}

impl From<FlowRoute<'_>> for FlowRouteBuf {
    fn from(route: FlowRoute<'_>) -> Self {
        Self { distinguisher: route.distinguisher, ipv6: route.ipv6, octets: route.octets.to_vec() }
    }
}

/// As [`FlowRoute`] is shown.
impl fmt::Display for FlowRouteBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FlowRoute::from(self).fmt(f)
    }
}

/// From here on a length takes two octets, the first of which starts with four ones (RFC 8955 section 4.1).
const LONG: usize = 0xf0;
const MAX_LEN: usize = 0x0fff;

impl<'a> Route<'a> for FlowRoute<'a> {
    const FAMILIES: FamilySet = FamilySet::EMPTY
        .with(AfiSafi::IPV4_FLOWSPEC)
        .with(AfiSafi::IPV6_FLOWSPEC)
        .with(AfiSafi::IPV4_FLOWSPEC_VPN)
        .with(AfiSafi::IPV6_FLOWSPEC_VPN);

    fn split(octets: &'a [u8], form: Form) -> Option<(Self, &'a [u8])> {
        let (length, rest) = match octets {
            [high @ 0xf0..=0xff, low, rest @ ..] => (usize::from(high & 0x0f) << 8 | usize::from(*low), rest),
            [length @ ..0xf0, rest @ ..] => (usize::from(*length), rest),
            _ => return None,
        };
        let (octets, rest) = rest.split_at_checked(length)?;
        let (distinguisher, octets) = if form.family.safi == AfiSafi::IPV4_FLOWSPEC_VPN.safi {
            let (distinguisher, octets) = RouteDistinguisher::split(octets)?;
            (Some(distinguisher), octets)
        } else {
            (None, octets)
        };
        Some((Self { distinguisher, ipv6: is_ipv6(form), octets }, rest))
    }

    fn fits(&self, form: Form) -> bool {
        let vpn = form.family.safi == AfiSafi::IPV4_FLOWSPEC_VPN.safi;
        let room = MAX_LEN - if vpn { 8 } else { 0 };
        self.distinguisher.is_some() == vpn && self.ipv6 == is_ipv6(form) && self.octets.len() <= room
    }

    fn write(&self, out: &mut Vec<u8>) {
        let distinguisher = self.distinguisher.as_ref().map_or(&[][..], |distinguisher| &distinguisher.0);
        let octets = &self.octets[..self.octets.len().min(MAX_LEN - distinguisher.len())];
        let length = distinguisher.len() + octets.len();
        if length < LONG {
            out.push(length as u8);
        } else {
            out.extend_from_slice(&(0xf000 | length as u16).to_be_bytes());
        }
        out.extend_from_slice(distinguisher);
        out.extend_from_slice(octets);
    }
}

impl sealed::Sealed for FlowRoute<'_> {}

/// The components by name: `destination 192.0.2.0/24 protocol =6 port >=80&<=90`.
impl fmt::Display for FlowRoute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(distinguisher) = self.distinguisher {
            write!(f, "{distinguisher} ")?;
        }
        for (at, component) in self.components().enumerate() {
            write!(f, "{}{component}", if at > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

/// One component of a flow specification (RFC 8955 section 4.2.2, RFC 8956 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowComponent<'a> {
    /// The destination address is within the prefix (type 1).
    Destination {
        /// The prefix; its first `offset` bits are zero and do not count.
        prefix: IpNet,
        /// Bits that are skipped; always 0 in IPv4.
        offset: u8,
    },
    /// The source address is within the prefix (type 2).
    Source {
        /// The prefix; its first `offset` bits are zero and do not count.
        prefix: IpNet,
        /// Bits that are skipped; always 0 in IPv4.
        offset: u8,
    },
    /// A field of the packet matches (types 3 to 13).
    Field {
        /// The type, which says which field.
        kind: u8,
        /// What it is held against.
        operations: Operations<'a>,
    },
}

const NAMES: [&str; 14] = [
    "",
    "destination",
    "source",
    "protocol",
    "port",
    "destination-port",
    "source-port",
    "icmp-type",
    "icmp-code",
    "tcp-flags",
    "packet-length",
    "dscp",
    "fragment",
    "flow-label",
];
const TCP_FLAGS: u8 = 9;
const FRAGMENT: u8 = 12;

impl<'a> FlowComponent<'a> {
    /// The type on the wire.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Destination { .. } => 1,
            Self::Source { .. } => 2,
            Self::Field { kind, .. } => *kind,
        }
    }

    /// The type with this name.
    pub(crate) fn kind_of(name: &str) -> Option<u8> {
        NAMES.iter().skip(1).position(|known| *known == name).map(|at| at as u8 + 1)
    }

    /// Whether the field's operators are about bits, not numbers (RFC 8955 section 4.2.1.2).
    pub(crate) const fn is_of_bits(kind: u8) -> bool {
        matches!(kind, TCP_FLAGS | FRAGMENT)
    }

    /// Appends the component.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.kind());
        match *self {
            Self::Destination { prefix, offset } | Self::Source { prefix, offset } => {
                out.push(prefix.prefix_len());
                let address = match prefix.trunc() {
                    IpNet::V4(net) => u128::from(net.addr().to_bits()) << 96,
                    IpNet::V6(net) => {
                        out.push(offset);
                        net.addr().to_bits().checked_shl(offset.into()).unwrap_or(0)
                    }
                };
                let bits = prefix.prefix_len().saturating_sub(offset);
                out.extend_from_slice(&address.to_be_bytes()[..usize::from(bits).div_ceil(8)]);
            }
            Self::Field { operations, .. } => out.extend_from_slice(operations.0),
        }
    }

    fn split(octets: &'a [u8], ipv6: bool) -> Option<(Self, &'a [u8])> {
        let (&kind, rest) = octets.split_first()?;
        match kind {
            1 | 2 => {
                let (prefix, offset, rest) = split_prefix(rest, ipv6)?;
                let component =
                    if kind == 1 { Self::Destination { prefix, offset } } else { Self::Source { prefix, offset } };
                Some((component, rest))
            }
            3..=12 => Operations::split(rest).map(|(operations, rest)| (Self::Field { kind, operations }, rest)),
            13 if ipv6 => Operations::split(rest).map(|(operations, rest)| (Self::Field { kind, operations }, rest)),
            _ => None,
        }
    }
}

fn split_prefix(octets: &[u8], ipv6: bool) -> Option<(IpNet, u8, &[u8])> {
    let (&bits, rest) = octets.split_first()?;
    let (offset, rest) = if ipv6 { rest.split_first().map(|(offset, rest)| (*offset, rest))? } else { (0, rest) };
    // RFC 8956 section 3.1: some bit has to count, but in the component of no bits at all.
    let pattern_bits = bits.checked_sub(offset).filter(|bits| *bits > 0 || offset == 0)?;
    let (pattern, rest) = rest.split_at_checked(usize::from(pattern_bits).div_ceil(8))?;
    let mut wide = [0; 16];
    wide.get_mut(..pattern.len())?.copy_from_slice(pattern);
    let address = u128::from_be_bytes(wide).checked_shr(offset.into()).unwrap_or(0);
    let prefix = if ipv6 {
        IpNet::new(Ipv6Addr::from_bits(address).into(), bits)
    } else {
        IpNet::new(Ipv4Addr::from_bits((address >> 96) as u32).into(), bits)
    };
    prefix.ok().map(|prefix| (prefix.trunc(), offset, rest))
}

impl fmt::Display for FlowComponent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.get(usize::from(self.kind())).copied().unwrap_or_default();
        match self {
            Self::Destination { prefix, offset } | Self::Source { prefix, offset } => {
                write!(f, "{name} {prefix}")?;
                if *offset > 0 { write!(f, " offset {offset}") } else { Ok(()) }
            }
            Self::Field { kind, operations } => {
                write!(f, "{name} ")?;
                operations.show(Self::is_of_bits(*kind), f)
            }
        }
    }
}

/// What a field is held against: pairs of an operator and a number, joined by and before or (RFC 8955 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations<'a>(&'a [u8]);

impl<'a> Operations<'a> {
    const END: u8 = 0x80;
    const AND: u8 = 0x40;

    fn split_one(octets: &[u8]) -> Option<(u8, u64, &[u8])> {
        let (&operator, rest) = octets.split_first()?;
        let (value, rest) = rest.split_at_checked(1 << (operator >> 4 & 3))?;
        Some((operator, value.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)), rest))
    }

    fn split(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut at = octets;
        loop {
            let (operator, _, rest) = Self::split_one(at)?;
            at = rest;
            if operator & Self::END != 0 {
                let (operations, rest) = octets.split_at_checked(octets.len() - rest.len())?;
                return Some((Self(operations), rest));
            }
        }
    }

    /// The octets of operators and numbers: each number takes as few octets as it can, and the last operator is marked as such. Of an
    /// operator only the bits that compare and join count.
    pub fn encode(operations: impl IntoIterator<Item = (u8, u64)>) -> Vec<u8> {
        let (mut out, mut last) = (Vec::new(), None);
        for (operator, value) in operations {
            let size = [0xff, 0xffff, 0xffff_ffff].iter().position(|most| value <= *most).unwrap_or(3);
            last = Some(out.len());
            out.push(operator & 0x47 | (size as u8) << 4);
            out.extend_from_slice(&value.to_be_bytes()[8 - (1 << size)..]);
        }
        if let Some(last) = last {
            out[last] |= Self::END;
        }
        out
    }

    /// Of octets such as those that [`Self::encode`] made; `None` unless they are whole operations, of which only the last is marked so.
    pub fn from_octets(octets: &'a [u8]) -> Option<Self> {
        Self::split(octets).filter(|(_, rest)| rest.is_empty()).map(|(operations, _)| operations)
    }

    /// The operator octets and the numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u64)> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (operator, value, after) = Self::split_one(rest)?;
            rest = after;
            Some((operator, value))
        })
    }

    /// `=80,>=100&<=200`; of bits `0x2`, all of which `=0x3`, not `!0x4`.
    fn show(&self, bits: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (operator, value)) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(if operator & Self::AND != 0 { "&" } else { "," })?;
            }
            if bits {
                f.write_str(["", "=", "!", "!="][usize::from(operator & 3)])?;
                write!(f, "0x{value:x}")?;
            } else {
                f.write_str(["false", "=", ">", ">=", "<", "<=", "!=", "true"][usize::from(operator & 7)])?;
                write!(f, "{value}")?;
            }
        }
        Ok(())
    }
}
