//! The per-peer header (RFC 7854 section 4.2): whose routes a message is about, and in which of the router's tables.

use super::BmpError;
use crate::cursor::Cursor;
use crate::{DecodeCtx, FamilySet, PeerKind, RouteDistinguisher};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of instance the peer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerType {
    /// The router's global instance.
    Global,
    /// A VRF, known by its route distinguisher.
    Distinguished,
    /// An instance that only the router itself can tell from others.
    Local,
    /// No peer: the router's own Loc-RIB (RFC 9069).
    LocRib,
    /// A type of no meaning here.
    Other(u8),
}

impl PeerType {
    /// From the number on the wire.
    pub const fn from_octet(octet: u8) -> Self {
        match octet {
            0 => Self::Global,
            1 => Self::Distinguished,
            2 => Self::Local,
            3 => Self::LocRib,
            other => Self::Other(other),
        }
    }

    /// The number on the wire.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Global => 0,
            Self::Distinguished => 1,
            Self::Local => 2,
            Self::LocRib => 3,
            Self::Other(other) => other,
        }
    }
}

/// Which table of the router a message shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rib {
    /// What the peer sent, before import policy.
    InPrePolicy,
    /// What import policy made of it.
    InPostPolicy,
    /// What is to be sent to the peer, before export policy (RFC 8671).
    OutPrePolicy,
    /// What was sent to the peer (RFC 8671).
    OutPostPolicy,
    /// The routes that the router selected (RFC 9069).
    Local,
}

/// Whose routes a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerHeader {
    /// The kind of instance.
    pub peer_type: PeerType,
    /// The flags as they came; see the methods for what they say.
    pub flags: u8,
    /// Tells instances apart: a route distinguisher for [`PeerType::Distinguished`], else the router's own number.
    pub distinguisher: RouteDistinguisher,
    /// The peer's address field as it came; see [`Self::address`].
    pub address_octets: [u8; 16],
    /// The peer's AS number.
    pub asn: u32,
    /// The peer's BGP identifier.
    pub identifier: Ipv4Addr,
    /// When the message's content was received or computed, in seconds since 1970; 0 if not told.
    pub seconds: u32,
    /// The part of a second, in microseconds.
    pub microseconds: u32,
}

impl PeerHeader {
    /// Octets on the wire.
    pub const LEN: usize = 42;
    /// The V flag: the address is IPv6. Of Loc-RIB, the F flag instead: the view is filtered (RFC 9069 section 4.2).
    pub const IPV6: u8 = 0x80;
    /// The L flag: after policy.
    pub const POST_POLICY: u8 = 0x40;
    /// The A flag: AS_PATH has 2-octet AS numbers.
    pub const NARROW_AS: u8 = 0x20;
    /// The O flag: Adj-RIB-Out (RFC 8671 section 4).
    pub const OUT: u8 = 0x10;

    /// A peer of the global instance, its table before import policy, no time told.
    pub fn new(address: IpAddr, asn: u32, identifier: Ipv4Addr) -> Self {
        let (flags, address_octets) = match address {
            IpAddr::V4(address) => (0, Ipv6Addr::from_bits(address.to_bits().into()).octets()),
            IpAddr::V6(address) => (Self::IPV6, address.octets()),
        };
        let (peer_type, distinguisher) = (PeerType::Global, RouteDistinguisher([0; 8]));
        Self { peer_type, flags, distinguisher, address_octets, asn, identifier, seconds: 0, microseconds: 0 }
    }

    /// The peer's address; `None` for Loc-RIB, which has no peer.
    pub fn address(&self) -> Option<IpAddr> {
        if self.peer_type == PeerType::LocRib {
            return None;
        }
        let address = Ipv6Addr::from(self.address_octets);
        Some(if self.flags & Self::IPV6 != 0 {
            address.into()
        } else {
            Ipv4Addr::from_bits(address.to_bits() as u32).into()
        })
    }

    /// The table shown.
    pub fn rib(&self) -> Rib {
        match (self.peer_type, self.flags & Self::OUT != 0, self.flags & Self::POST_POLICY != 0) {
            (PeerType::LocRib, ..) => Rib::Local,
            (_, false, false) => Rib::InPrePolicy,
            (_, false, true) => Rib::InPostPolicy,
            (_, true, false) => Rib::OutPrePolicy,
            (_, true, true) => Rib::OutPostPolicy,
        }
    }

    /// Whether only a part of Loc-RIB is shown.
    pub fn is_filtered(&self) -> bool {
        self.peer_type == PeerType::LocRib && self.flags & Self::IPV6 != 0
    }

    /// How to parse BGP messages of this peer, as far as this header says. Path identifiers are those that the peer's
    /// [`super::PeerUp::add_path`] told of.
    pub fn ctx(&self, add_path: FamilySet) -> DecodeCtx {
        DecodeCtx {
            as4: self.peer_type == PeerType::LocRib || self.flags & Self::NARROW_AS == 0,
            add_path,
            extended_message: true,
            extended_next_hop: FamilySet::ALL,
            peer: PeerKind::Unknown,
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, BmpError> {
        Ok(Self {
            peer_type: PeerType::from_octet(cursor.u8()?),
            flags: cursor.u8()?,
            distinguisher: RouteDistinguisher(cursor.array()?),
            address_octets: cursor.array()?,
            asn: cursor.u32()?,
            identifier: cursor.u32()?.into(),
            seconds: cursor.u32()?,
            microseconds: cursor.u32()?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.peer_type.octet(), self.flags]);
        out.extend_from_slice(&self.distinguisher.0);
        out.extend_from_slice(&self.address_octets);
        out.extend_from_slice(&self.asn.to_be_bytes());
        out.extend_from_slice(&self.identifier.octets());
        out.extend_from_slice(&self.seconds.to_be_bytes());
        out.extend_from_slice(&self.microseconds.to_be_bytes());
    }
}
