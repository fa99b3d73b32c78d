//! Extended communities (RFC 4360, RFC 5668), those of EVPN and of tunnels typed, and the longer ones for IPv6 (RFC 5701).

use crate::community::Listed;
use crate::routes::Mac;
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

/// An extended community: eight octets, the first one or two a type (RFC 4360). [`Self::typed`] says what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExtendedCommunity(pub [u8; 8]);

/// What a community is about: whose number it is, and the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Administrator {
    /// Of an AS with a number of two octets (RFC 4360 section 3.1).
    As2 {
        /// The AS.
        asn: u16,
        /// Its number.
        number: u32,
    },
    /// Of an address (RFC 4360 section 3.2).
    Ipv4 {
        /// The address.
        address: Ipv4Addr,
        /// Its number.
        number: u16,
    },
    /// Of an AS with a number of four octets (RFC 5668).
    As4 {
        /// The AS.
        asn: u32,
        /// Its number.
        number: u16,
    },
}

/// The meaning of an extended community.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TypedCommunity {
    /// The VPNs that take the route (RFC 4360 section 4).
    RouteTarget(Administrator),
    /// The site the route comes from (RFC 4360 section 5).
    RouteOrigin(Administrator),
    /// Bandwidth towards the destination (draft-ietf-idr-link-bandwidth); does not leave the AS.
    LinkBandwidth {
        /// The AS that says so.
        asn: u16,
        /// Octets per second.
        bandwidth: f32,
    },
    /// A colour that tunnels are chosen by (RFC 9012 section 4.3).
    Color {
        /// Flags.
        flags: u16,
        /// The colour.
        color: u32,
    },
    /// The kind of tunnel, by its number as in [`crate::Tunnel::kind`] (RFC 9012 section 4.1): 8 is VXLAN.
    Encapsulation(u16),
    /// The gateway of the subnet is here (RFC 7432 section 7.8).
    DefaultGateway,
    /// How often a MAC address moved (RFC 7432 section 7.7).
    MacMobility {
        /// Flags; see [`Self::STICKY`].
        flags: u8,
        /// Rises with each move.
        sequence: u32,
    },
    /// The label of an Ethernet segment (RFC 7432 section 7.5).
    EsiLabel {
        /// Flags; see [`Self::SINGLE_ACTIVE`].
        flags: u8,
        /// The label field, 24 bits.
        label: u32,
    },
    /// The routers on an Ethernet segment take the route (RFC 7432 section 7.6).
    EsImport(Mac),
    /// The MAC address of the router that routes between the subnets (RFC 9135 section 8.1).
    RouterMac(Mac),
    /// Any other.
    Other(ExtendedCommunity),
}

const ROUTE_TARGET: u8 = 2;
const ROUTE_ORIGIN: u8 = 3;
const OPAQUE: u8 = 0x03;
const EVPN: u8 = 0x06;

impl ExtendedCommunity {
    /// The route target `asn:value`, with a 2-octet AS number (RFC 4360 section 4).
    pub const fn route_target_as2(asn: u16, value: u32) -> Self {
        Administrator::As2 { asn, number: value }.community(ROUTE_TARGET)
    }

    /// The route target `asn:value`, with a 4-octet AS number (RFC 5668).
    pub const fn route_target_as4(asn: u32, value: u16) -> Self {
        Administrator::As4 { asn, number: value }.community(ROUTE_TARGET)
    }

    /// The route target `address:value`.
    pub const fn route_target_ipv4(address: Ipv4Addr, value: u16) -> Self {
        Administrator::Ipv4 { address, number: value }.community(ROUTE_TARGET)
    }

    /// Whether the community may leave the AS (the bit of the type that would forbid it is not set).
    pub const fn is_transitive(self) -> bool {
        self.0[0] & 0x40 == 0
    }

    /// What it means. One that is not as its RFC has it, with a reserved octet in use, is [`TypedCommunity::Other`]: nothing is lost on
    /// the way back.
    pub const fn typed(self) -> TypedCommunity {
        match self.0 {
            [kind @ 0..=2, ROUTE_TARGET, a, b, c, d, e, f] => {
                TypedCommunity::RouteTarget(Administrator::read(kind, [a, b, c, d, e, f]))
            }
            [kind @ 0..=2, ROUTE_ORIGIN, a, b, c, d, e, f] => {
                TypedCommunity::RouteOrigin(Administrator::read(kind, [a, b, c, d, e, f]))
            }
            [0x40, 4, a, b, c, d, e, f] => TypedCommunity::LinkBandwidth {
                asn: u16::from_be_bytes([a, b]),
                bandwidth: f32::from_bits(u32::from_be_bytes([c, d, e, f])),
            },
            [OPAQUE, 0x0b, a, b, c, d, e, f] => {
                TypedCommunity::Color { flags: u16::from_be_bytes([a, b]), color: u32::from_be_bytes([c, d, e, f]) }
            }
            [OPAQUE, 0x0c, 0, 0, 0, 0, a, b] => TypedCommunity::Encapsulation(u16::from_be_bytes([a, b])),
            [OPAQUE, 0x0d, 0, 0, 0, 0, 0, 0] => TypedCommunity::DefaultGateway,
            [EVPN, 0, flags, 0, a, b, c, d] => {
                TypedCommunity::MacMobility { flags, sequence: u32::from_be_bytes([a, b, c, d]) }
            }
            [EVPN, 1, flags, 0, 0, a, b, c] => {
                TypedCommunity::EsiLabel { flags, label: u32::from_be_bytes([0, a, b, c]) }
            }
            [EVPN, 2, a, b, c, d, e, f] => TypedCommunity::EsImport(Mac([a, b, c, d, e, f])),
            [EVPN, 3, a, b, c, d, e, f] => TypedCommunity::RouterMac(Mac([a, b, c, d, e, f])),
            _ => TypedCommunity::Other(self),
        }
    }
}

impl From<TypedCommunity> for ExtendedCommunity {
    fn from(typed: TypedCommunity) -> Self {
        match typed {
            TypedCommunity::RouteTarget(administrator) => administrator.community(ROUTE_TARGET),
            TypedCommunity::RouteOrigin(administrator) => administrator.community(ROUTE_ORIGIN),
            TypedCommunity::LinkBandwidth { asn, bandwidth } => {
                let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), bandwidth.to_bits().to_be_bytes());
                Self([0x40, 4, a, b, c, d, e, f])
            }
            TypedCommunity::Color { flags, color } => {
                let ([a, b], [c, d, e, f]) = (flags.to_be_bytes(), color.to_be_bytes());
                Self([OPAQUE, 0x0b, a, b, c, d, e, f])
            }
            TypedCommunity::Encapsulation(kind) => {
                let [a, b] = kind.to_be_bytes();
                Self([OPAQUE, 0x0c, 0, 0, 0, 0, a, b])
            }
            TypedCommunity::DefaultGateway => Self([OPAQUE, 0x0d, 0, 0, 0, 0, 0, 0]),
            TypedCommunity::MacMobility { flags, sequence } => {
                let [a, b, c, d] = sequence.to_be_bytes();
                Self([EVPN, 0, flags, 0, a, b, c, d])
            }
            TypedCommunity::EsiLabel { flags, label } => {
                let [_, a, b, c] = label.to_be_bytes();
                Self([EVPN, 1, flags, 0, 0, a, b, c])
            }
            TypedCommunity::EsImport(Mac([a, b, c, d, e, f])) => Self([EVPN, 2, a, b, c, d, e, f]),
            TypedCommunity::RouterMac(Mac([a, b, c, d, e, f])) => Self([EVPN, 3, a, b, c, d, e, f]),
            TypedCommunity::Other(community) => community,
        }
    }
}

impl TypedCommunity {
    /// Flag of [`Self::MacMobility`]: the MAC address does not move.
    pub const STICKY: u8 = 1;
    /// Flag of [`Self::EsiLabel`]: only one router of the segment forwards.
    pub const SINGLE_ACTIVE: u8 = 1;

    /// Numbers of [`Self::Encapsulation`] with a name.
    pub(crate) const ENCAPSULATIONS: [(u16, &'static str); 8] = [
        (1, "l2tpv3"),
        (2, "gre"),
        (7, "ip-in-ip"),
        (8, "vxlan"),
        (9, "nvgre"),
        (10, "mpls"),
        (12, "vxlan-gpe"),
        (19, "geneve"),
    ];
}

impl Administrator {
    pub(crate) const fn read(kind: u8, [a, b, c, d, e, f]: [u8; 6]) -> Self {
        match kind {
            0 => Self::As2 { asn: u16::from_be_bytes([a, b]), number: u32::from_be_bytes([c, d, e, f]) },
            1 => Self::Ipv4 { address: Ipv4Addr::new(a, b, c, d), number: u16::from_be_bytes([e, f]) },
            _ => Self::As4 { asn: u32::from_be_bytes([a, b, c, d]), number: u16::from_be_bytes([e, f]) },
        }
    }

    /// The first octet of what is about it, in extended communities, and in the second octet of route distinguishers.
    pub(crate) const fn kind(self) -> u8 {
        match self {
            Self::As2 { .. } => 0,
            Self::Ipv4 { .. } => 1,
            Self::As4 { .. } => 2,
        }
    }

    pub(crate) const fn octets(self) -> [u8; 6] {
        match self {
            Self::As2 { asn, number } => {
                let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), number.to_be_bytes());
                [a, b, c, d, e, f]
            }
            Self::Ipv4 { address, number } => {
                let ([a, b, c, d], [e, f]) = (address.octets(), number.to_be_bytes());
                [a, b, c, d, e, f]
            }
            Self::As4 { asn, number } => {
                let ([a, b, c, d], [e, f]) = (asn.to_be_bytes(), number.to_be_bytes());
                [a, b, c, d, e, f]
            }
        }
    }

    const fn community(self, subtype: u8) -> ExtendedCommunity {
        let [a, b, c, d, e, f] = self.octets();
        ExtendedCommunity([self.kind(), subtype, a, b, c, d, e, f])
    }
}

/// `64500:100`, `192.0.2.1:100`, `64500L:100` where the AS number has four octets, which keeps one below 65536 apart.
impl fmt::Display for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::As2 { asn, number } => write!(f, "{asn}:{number}"),
            Self::Ipv4 { address, number } => write!(f, "{address}:{number}"),
            Self::As4 { asn, number } => write!(f, "{asn}L:{number}"),
        }
    }
}

/// `rt:64500:100` for a route target, `soo:…` for a route origin, and by name and number `link-bandwidth:64500:125000`, `color:7`,
/// `encapsulation:vxlan`, `default-gateway`, `mac-mobility:3`, `mac-mobility:3:sticky`, `esi-label:100`, `esi-label:100:single-active`,
/// `es-import:00:53:00:00:00:01`, `router-mac:00:53:00:00:00:01`; `0x` and 16 hexadecimal digits for any other.
impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.typed() {
            TypedCommunity::RouteTarget(administrator) => write!(f, "rt:{administrator}"),
            TypedCommunity::RouteOrigin(administrator) => write!(f, "soo:{administrator}"),
            // What is no amount is not shown as one.
            TypedCommunity::LinkBandwidth { asn, bandwidth }
                if bandwidth.is_finite() && bandwidth.is_sign_positive() =>
            {
                write!(f, "link-bandwidth:{asn}:{bandwidth}")
            }
            TypedCommunity::Color { flags: 0, color } => write!(f, "color:{color}"),
            TypedCommunity::Encapsulation(kind) => {
                match TypedCommunity::ENCAPSULATIONS.iter().find(|(number, _)| *number == kind) {
                    Some((_, name)) => write!(f, "encapsulation:{name}"),
                    None => write!(f, "encapsulation:{kind}"),
                }
            }
            TypedCommunity::DefaultGateway => f.write_str("default-gateway"),
            TypedCommunity::MacMobility { flags: flags @ 0..=TypedCommunity::STICKY, sequence } => {
                write!(f, "mac-mobility:{sequence}{}", if flags == 0 { "" } else { ":sticky" })
            }
            TypedCommunity::EsiLabel { flags: flags @ 0..=TypedCommunity::SINGLE_ACTIVE, label } => {
                write!(f, "esi-label:{label}{}", if flags == 0 { "" } else { ":single-active" })
            }
            TypedCommunity::EsImport(mac) => write!(f, "es-import:{mac}"),
            TypedCommunity::RouterMac(mac) => write!(f, "router-mac:{mac}"),
            _ => write!(f, "0x{:016x}", u64::from_be_bytes(self.0)),
        }
    }
}

/// An extended community about an IPv6 address: 20 octets, the first two a type (RFC 5701).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ipv6ExtendedCommunity(pub [u8; 20]);

impl Ipv6ExtendedCommunity {
    /// The route target `address:number`.
    pub const fn route_target(address: Ipv6Addr, number: u16) -> Self {
        Self::new(0, ROUTE_TARGET, address, number)
    }

    /// Of a type and subtype.
    pub const fn new(kind: u8, subtype: u8, address: Ipv6Addr, number: u16) -> Self {
        let (mut octets, address, [high, low]) = ([0; 20], address.octets(), number.to_be_bytes());
        octets[0] = kind;
        octets[1] = subtype;
        let mut at = 0;
        while at < 16 {
            octets[2 + at] = address[at];
            at += 1;
        }
        octets[18] = high;
        octets[19] = low;
        Self(octets)
    }

    /// The type, which says with its second bit that the community stays within the AS, and the subtype.
    pub const fn kind(self) -> [u8; 2] {
        [self.0[0], self.0[1]]
    }

    /// The address whose number it is.
    pub fn address(self) -> Ipv6Addr {
        self.0[2..].first_chunk::<16>().map_or(Ipv6Addr::UNSPECIFIED, |octets| (*octets).into())
    }

    /// The number.
    pub const fn number(self) -> u16 {
        u16::from_be_bytes([self.0[18], self.0[19]])
    }
}

/// `rt:[2001:db8::1]:100`, `soo:[2001:db8::1]:100`, `0x` and 40 hexadecimal digits for any other.
impl fmt::Display for Ipv6ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            [0, ROUTE_TARGET] => write!(f, "rt:[{}]:{}", self.address(), self.number()),
            [0, ROUTE_ORIGIN] => write!(f, "soo:[{}]:{}", self.address(), self.number()),
            _ => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

impl Listed for ExtendedCommunity {
    const LEN: usize = 8;

    fn read(octets: &[u8]) -> Option<Self> {
        octets.first_chunk().map(|octets| Self(*octets))
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Listed for Ipv6ExtendedCommunity {
    const LEN: usize = 20;

    fn read(octets: &[u8]) -> Option<Self> {
        octets.first_chunk().map(|octets| Self(*octets))
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}
