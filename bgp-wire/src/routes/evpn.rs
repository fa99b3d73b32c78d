//! EVPN routes: types 1 to 4 (RFC 7432 section 7) and 5 (RFC 9136 section 3).

use super::{Form, Route, RouteDistinguisher, sealed};
use crate::{AfiSafi, FamilySet};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use ipnet::IpNet;

/// Names an Ethernet segment: the links of one site to several routers (RFC 7432 section 5). All zero if there is one link only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EthernetSegmentId(pub [u8; 10]);

/// `00:11:22:33:44:55:66:77:88:99`.
impl fmt::Display for EthernetSegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        colons(&self.0, f)
    }
}

/// A MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

/// `00:53:00:00:00:01`.
impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        colons(&self.0, f)
    }
}

fn colons(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    octets.iter().enumerate().try_for_each(|(at, octet)| write!(f, "{}{octet:02x}", if at > 0 { ":" } else { "" }))
}

/// An EVPN route. Labels are the 24 bits of the field: a VNI as it stands (RFC 8365 section 5.1.3), an MPLS label in the upper 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvpnRoute<'a> {
    /// Ethernet auto-discovery, of a segment or of one of its instances (type 1).
    AutoDiscovery {
        /// The distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegmentId,
        /// The Ethernet tag; `u32::MAX` for the whole segment.
        tag: u32,
        /// The label field.
        label: u32,
    },
    /// Where a MAC address is, and its IP address (type 2).
    MacIp {
        /// The distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegmentId,
        /// The Ethernet tag.
        tag: u32,
        /// The MAC address.
        mac: Mac,
        /// The IP address, if one is given.
        address: Option<IpAddr>,
        /// The label field for bridging.
        label: u32,
        /// The label field for routing, if there is one.
        label2: Option<u32>,
    },
    /// Who wants the flooded traffic of a tag (type 3).
    InclusiveMulticast {
        /// The distinguisher.
        distinguisher: RouteDistinguisher,
        /// The Ethernet tag.
        tag: u32,
        /// The originating router.
        originator: IpAddr,
    },
    /// Who is attached to a segment (type 4).
    EthernetSegment {
        /// The distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegmentId,
        /// The originating router.
        originator: IpAddr,
    },
    /// An IP prefix (type 5).
    Prefix {
        /// The distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment, if it is the overlay index.
        segment: EthernetSegmentId,
        /// The Ethernet tag.
        tag: u32,
        /// The prefix, its host bits zero.
        prefix: IpNet,
        /// The gateway, of the prefix's address family; unspecified if there is none.
        gateway: IpAddr,
        /// The label field.
        label: u32,
    },
    /// A route of a type not known here, which is to be ignored.
    Other {
        /// The type.
        kind: u8,
        /// What follows type and length.
        value: &'a [u8],
    },
}

/// Takes fields off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (octets, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*octets)
    }

    fn distinguisher(&mut self) -> Option<RouteDistinguisher> {
        self.take().map(RouteDistinguisher)
    }

    fn segment(&mut self) -> Option<EthernetSegmentId> {
        self.take().map(EthernetSegmentId)
    }

    fn tag(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn label(&mut self) -> Option<u32> {
        self.take().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    fn address(&mut self, bits: u8) -> Option<IpAddr> {
        match bits {
            32 => self.take::<4>().map(IpAddr::from),
            128 => self.take::<16>().map(IpAddr::from),
            _ => None,
        }
    }

    /// An address after its length in bits.
    fn sized_address(&mut self) -> Option<IpAddr> {
        let [bits] = self.take()?;
        self.address(bits)
    }
}

impl<'a> EvpnRoute<'a> {
    /// The route type on the wire.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::AutoDiscovery { .. } => 1,
            Self::MacIp { .. } => 2,
            Self::InclusiveMulticast { .. } => 3,
            Self::EthernetSegment { .. } => 4,
            Self::Prefix { .. } => 5,
            Self::Other { kind, .. } => *kind,
        }
    }

    fn read(kind: u8, value: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(value);
        let route = match kind {
            1 => Self::AutoDiscovery {
                distinguisher: fields.distinguisher()?,
                segment: fields.segment()?,
                tag: fields.tag()?,
                label: fields.label()?,
            },
            2 => {
                let (distinguisher, segment, tag) = (fields.distinguisher()?, fields.segment()?, fields.tag()?);
                let ([48], mac) = (fields.take()?, Mac(fields.take()?)) else { return None };
                let address = match fields.take()? {
                    [0] => None,
                    [bits] => Some(fields.address(bits)?),
                };
                let label = fields.label()?;
                let label2 = if fields.0.is_empty() { None } else { Some(fields.label()?) };
                Self::MacIp { distinguisher, segment, tag, mac, address, label, label2 }
            }
            3 => Self::InclusiveMulticast {
                distinguisher: fields.distinguisher()?,
                tag: fields.tag()?,
                originator: fields.sized_address()?,
            },
            4 => Self::EthernetSegment {
                distinguisher: fields.distinguisher()?,
                segment: fields.segment()?,
                originator: fields.sized_address()?,
            },
            5 => {
                let (distinguisher, segment, tag) = (fields.distinguisher()?, fields.segment()?, fields.tag()?);
                let [bits] = fields.take()?;
                // The length of the whole says of which family prefix and gateway are.
                let family = if value.len() == 34 { 32 } else { 128 };
                let prefix = IpNet::new(fields.address(family)?, bits).ok()?.trunc();
                let gateway = fields.address(family)?;
                Self::Prefix { distinguisher, segment, tag, prefix, gateway, label: fields.label()? }
            }
            kind => return Some(Self::Other { kind, value }),
        };
        fields.0.is_empty().then_some(route)
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        let put_label = |label: u32, out: &mut Vec<u8>| out.extend_from_slice(&label.to_be_bytes()[1..]);
        let put_address = |address: IpAddr, out: &mut Vec<u8>| match address {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        };
        let put_sized = |address: IpAddr, out: &mut Vec<u8>| {
            out.push(if address.is_ipv4() { 32 } else { 128 });
            put_address(address, out);
        };
        match *self {
            Self::AutoDiscovery { distinguisher, segment, tag, label } => {
                out.extend_from_slice(&distinguisher.0);
                out.extend_from_slice(&segment.0);
                out.extend_from_slice(&tag.to_be_bytes());
                put_label(label, out);
            }
            Self::MacIp { distinguisher, segment, tag, mac, address, label, label2 } => {
                out.extend_from_slice(&distinguisher.0);
                out.extend_from_slice(&segment.0);
                out.extend_from_slice(&tag.to_be_bytes());
                out.push(48);
                out.extend_from_slice(&mac.0);
                match address {
                    Some(address) => put_sized(address, out),
                    None => out.push(0),
                }
                put_label(label, out);
                if let Some(label) = label2 {
                    put_label(label, out);
                }
            }
            Self::InclusiveMulticast { distinguisher, tag, originator } => {
                out.extend_from_slice(&distinguisher.0);
                out.extend_from_slice(&tag.to_be_bytes());
                put_sized(originator, out);
            }
            Self::EthernetSegment { distinguisher, segment, originator } => {
                out.extend_from_slice(&distinguisher.0);
                out.extend_from_slice(&segment.0);
                put_sized(originator, out);
            }
            Self::Prefix { distinguisher, segment, tag, prefix, gateway, label } => {
                out.extend_from_slice(&distinguisher.0);
                out.extend_from_slice(&segment.0);
                out.extend_from_slice(&tag.to_be_bytes());
                out.push(prefix.prefix_len());
                put_address(prefix.network(), out);
                put_address(gateway, out);
                put_label(label, out);
            }
            Self::Other { value, .. } => out.extend_from_slice(&value[..value.len().min(255)]),
        }
    }
}

impl<'a> Route<'a> for EvpnRoute<'a> {
    const FAMILIES: FamilySet = FamilySet::EMPTY.with(AfiSafi::L2VPN_EVPN);

    fn split(octets: &'a [u8], _: Form) -> Option<(Self, &'a [u8])> {
        let (&[kind, len], rest) = octets.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(len.into())?;
        Self::read(kind, value).map(|route| (route, rest))
    }

    fn fits(&self, _: Form) -> bool {
        match self {
            Self::Prefix { prefix, gateway, .. } => prefix.addr().is_ipv4() == gateway.is_ipv4(),
            Self::Other { kind, value } => !matches!(kind, 1..=5) && value.len() <= 255,
            _ => true,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind(), 0]);
        let start = out.len();
        self.write_value(out);
        out[start - 1] = (out.len() - start) as u8;
    }
}

impl sealed::Sealed for EvpnRoute<'_> {}

/// The fields in the order of the wire, the type in front: `prefix 64500:100 tag 0 10.0.0.0/24 label 1000`. Zero segments and
/// unspecified gateways are left out.
impl fmt::Display for EvpnRoute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let segment_part = |segment: &EthernetSegmentId, f: &mut fmt::Formatter<'_>| {
            if *segment == EthernetSegmentId::default() { Ok(()) } else { write!(f, " segment {segment}") }
        };
        match self {
            Self::AutoDiscovery { distinguisher, segment, tag, label } => {
                write!(f, "auto-discovery {distinguisher}")?;
                segment_part(segment, f)?;
                write!(f, " tag {tag} label {label}")
            }
            Self::MacIp { distinguisher, segment, tag, mac, address, label, label2 } => {
                write!(f, "mac-ip {distinguisher}")?;
                segment_part(segment, f)?;
                write!(f, " tag {tag} {mac}")?;
                if let Some(address) = address {
                    write!(f, " {address}")?;
                }
                write!(f, " label {label}")?;
                label2.map_or(Ok(()), |label| write!(f, "/{label}"))
            }
            Self::InclusiveMulticast { distinguisher, tag, originator } => {
                write!(f, "inclusive-multicast {distinguisher} tag {tag} {originator}")
            }
            Self::EthernetSegment { distinguisher, segment, originator } => {
                write!(f, "ethernet-segment {distinguisher}")?;
                segment_part(segment, f)?;
                write!(f, " {originator}")
            }
            Self::Prefix { distinguisher, segment, tag, prefix, gateway, label } => {
                write!(f, "prefix {distinguisher}")?;
                segment_part(segment, f)?;
                write!(f, " tag {tag} {prefix}")?;
                if !gateway.is_unspecified() {
                    write!(f, " gateway {gateway}")?;
                }
                write!(f, " label {label}")
            }
            Self::Other { kind, value } => {
                write!(f, "type {kind} ")?;
                value.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}
