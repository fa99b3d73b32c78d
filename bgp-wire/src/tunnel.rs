//! How packets get to a route's next hop: PMSI_TUNNEL for those to many (RFC 6514), TUNNEL_ENCAPSULATION for the rest (RFC 9012).

use crate::attributes::{Attributes, code};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

/// PMSI_TUNNEL: the tunnel for traffic to many (RFC 6514 section 5; for EVPN, RFC 7432 section 11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PmsiTunnel<'a> {
    /// Flags; see [`Self::LEAF_INFORMATION_REQUIRED`].
    pub flags: u8,
    /// The kind of tunnel.
    pub kind: PmsiTunnelKind,
    /// The 24 bits of the label field: a VNI as it stands (RFC 8365 section 5.1.3), an MPLS label in the upper 20; 0 for none.
    pub label: u32,
    /// The tunnel's name, in a form of its kind's own.
    pub identifier: &'a [u8],
}

/// What a [`PmsiTunnel`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PmsiTunnelKind {
    /// None; leaves are asked to say that they are there.
    NoTunnel,
    /// RSVP-TE point to multipoint.
    RsvpTe,
    /// mLDP point to multipoint.
    Mldp,
    /// PIM source-specific.
    PimSsm,
    /// PIM sparse mode.
    PimSm,
    /// Bidirectional PIM.
    BidirPim,
    /// A copy for each receiver; the identifier is the address of this one.
    IngressReplication,
    /// mLDP multipoint to multipoint.
    MldpMultipoint,
    /// A kind this crate does not name.
    Other(u8),
}

impl PmsiTunnelKind {
    const NAMED: [(Self, &'static str); 8] = [
        (Self::NoTunnel, "no-tunnel"),
        (Self::RsvpTe, "rsvp-te"),
        (Self::Mldp, "mldp"),
        (Self::PimSsm, "pim-ssm"),
        (Self::PimSm, "pim-sm"),
        (Self::BidirPim, "bidir-pim"),
        (Self::IngressReplication, "ingress-replication"),
        (Self::MldpMultipoint, "mldp-mp2mp"),
    ];

    /// The octet on the wire.
    pub fn octet(self) -> u8 {
        match self {
            Self::Other(octet) => octet,
            kind => Self::NAMED.iter().position(|(named, _)| *named == kind).unwrap_or(0) as u8,
        }
    }
}

impl From<u8> for PmsiTunnelKind {
    fn from(octet: u8) -> Self {
        Self::NAMED.get(usize::from(octet)).map_or(Self::Other(octet), |(kind, _)| *kind)
    }
}

/// A name such as `ingress-replication`, or `type-99`.
impl fmt::Display for PmsiTunnelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(kind, _)| kind == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "type-{}", self.octet()),
        }
    }
}

impl<'a> PmsiTunnel<'a> {
    /// Flag: who takes the traffic is to say so.
    pub const LEAF_INFORMATION_REQUIRED: u8 = 1;

    pub(crate) fn read(value: &'a [u8]) -> Option<Self> {
        let (&[flags, kind, a, b, c], identifier) = value.split_first_chunk()?;
        Some(Self { flags, kind: kind.into(), label: u32::from_be_bytes([0, a, b, c]), identifier })
    }

    /// The address of the receiver, of [`PmsiTunnelKind::IngressReplication`].
    pub fn endpoint(&self) -> Option<IpAddr> {
        (self.kind == PmsiTunnelKind::IngressReplication).then(|| address(self.identifier)).flatten()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let [_, a, b, c] = self.label.to_be_bytes();
        out.extend_from_slice(&[self.flags, self.kind.octet(), a, b, c]);
        out.extend_from_slice(self.identifier);
    }
}

/// `ingress-replication label 1000 192.0.2.1`.
impl fmt::Display for PmsiTunnel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} label {}", self.kind, self.label)?;
        match self.endpoint() {
            Some(address) => write!(f, " {address}"),
            None if self.identifier.is_empty() => Ok(()),
            None => {
                f.write_str(" ")?;
                self.identifier.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => octets.first_chunk::<4>().map(|octets| (*octets).into()),
        16 => octets.first_chunk::<16>().map(|octets| (*octets).into()),
        _ => None,
    }
}

/// TUNNEL_ENCAPSULATION: the tunnels to the next hop, as they are asked for (RFC 9012 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnels<'a>(&'a [u8]);

/// One tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel<'a> {
    /// The kind, by its number: 8 is VXLAN, 15 an SR policy.
    pub kind: u16,
    sub_tlvs: &'a [u8],
}

/// One thing that is said of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubTlv<'a> {
    /// What, by its number.
    pub kind: u8,
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Iterator for Tunnels<'a> {
    type Item = Tunnel<'a>;

    fn next(&mut self) -> Option<Tunnel<'a>> {
        let (&[a, b, high, low], rest) = self.0.split_first_chunk()?;
        let (sub_tlvs, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        self.0 = rest;
        Some(Tunnel { kind: u16::from_be_bytes([a, b]), sub_tlvs })
    }
}

impl<'a> Tunnel<'a> {
    const ENDPOINT: u8 = 6;
    const COLOR: u8 = 4;
    const PROTOCOL: u8 = 2;
    const UDP_PORT: u8 = 8;

    /// Appends a tunnel. A value that its length field cannot hold is left out: it has one octet for kinds below 128, two for others.
    pub fn encode<'s>(kind: u16, sub_tlvs: impl IntoIterator<Item = SubTlv<'s>>, out: &mut Vec<u8>) {
        out.extend_from_slice(&kind.to_be_bytes());
        let start = out.len();
        out.extend_from_slice(&[0; 2]);
        for SubTlv { kind, value } in sub_tlvs {
            match (u8::try_from(value.len()), u16::try_from(value.len())) {
                (Ok(len), _) if kind < 128 => out.extend_from_slice(&[kind, len]),
                (_, Ok(len)) if kind >= 128 => {
                    out.push(kind);
                    out.extend_from_slice(&len.to_be_bytes());
                }
                _ => continue,
            }
            out.extend_from_slice(value);
        }
        let len = (out.len() - start - 2).min(usize::from(u16::MAX)) as u16;
        out[start..start + 2].copy_from_slice(&len.to_be_bytes());
    }

    /// What is said of the tunnel, in order.
    pub fn sub_tlvs(&self) -> impl Iterator<Item = SubTlv<'a>> + use<'a> {
        let mut rest = self.sub_tlvs;
        core::iter::from_fn(move || split_sub_tlv(&mut rest))
    }

    fn find(&self, kind: u8) -> Option<&'a [u8]> {
        self.sub_tlvs().find(|sub_tlv| sub_tlv.kind == kind).map(|sub_tlv| sub_tlv.value)
    }

    /// The far end of the tunnel (RFC 9012 section 3.1); `None` if it is the next hop, or not said.
    pub fn endpoint(&self) -> Option<IpAddr> {
        address(self.find(Self::ENDPOINT)?.get(6..)?)
    }

    /// The colour of the tunnel (RFC 9012 section 3.4.2).
    pub fn color(&self) -> Option<u32> {
        let community = self.find(Self::COLOR)?.first_chunk::<8>().copied()?;
        match crate::ExtendedCommunity(community).typed() {
            crate::TypedCommunity::Color { color, .. } => Some(color),
            _ => None,
        }
    }

    /// The Ethernet type of what is in the tunnel (RFC 9012 section 3.4.1).
    pub fn protocol(&self) -> Option<u16> {
        self.find(Self::PROTOCOL)?.first_chunk().map(|octets| u16::from_be_bytes(*octets))
    }

    /// The UDP port the tunnel goes to (RFC 9012 section 3.3.2).
    pub fn udp_port(&self) -> Option<u16> {
        self.find(Self::UDP_PORT)?.first_chunk().map(|octets| u16::from_be_bytes(*octets))
    }
}

fn split_sub_tlv<'a>(rest: &mut &'a [u8]) -> Option<SubTlv<'a>> {
    let (kind, len, body) = match **rest {
        [kind @ 0..128, len, ref body @ ..] => (kind, usize::from(len), body),
        [kind @ 128..=255, high, low, ref body @ ..] => (kind, usize::from(u16::from_be_bytes([high, low])), body),
        _ => return None,
    };
    let (value, after) = body.split_at_checked(len)?;
    *rest = after;
    Some(SubTlv { kind, value })
}

/// Whether the value is whole tunnels, each of whole sub-TLVs (RFC 9012 section 13).
pub(crate) fn tunnels_are_sound(value: &[u8]) -> bool {
    let mut tunnels = Tunnels(value);
    let whole = tunnels.by_ref().all(|tunnel| {
        let mut rest = tunnel.sub_tlvs;
        while split_sub_tlv(&mut rest).is_some() {}
        rest.is_empty()
    });
    whole && tunnels.0.is_empty()
}

impl<'a> Attributes<'a> {
    /// PMSI_TUNNEL.
    pub fn pmsi_tunnel(&self) -> Option<PmsiTunnel<'a>> {
        PmsiTunnel::read(self.get(code::PMSI_TUNNEL)?.value)
    }

    /// TUNNEL_ENCAPSULATION; empty where it is absent.
    pub fn tunnels(&self) -> Tunnels<'a> {
        Tunnels(self.get(code::TUNNEL_ENCAPSULATION).map(|attribute| attribute.value).unwrap_or_default())
    }
}
