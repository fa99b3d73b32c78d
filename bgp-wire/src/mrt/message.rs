//! BGP4MP and BGP4MP_ET (RFC 6396 section 4.4, RFC 8050 section 3): messages and state changes of sessions with the collector.

use super::error::Bad;
use super::{MrtFault, WriteError};
use crate::cursor::Cursor;
use crate::{DecodeCtx, FamilySet, PeerKind};
use alloc::vec::Vec;
use core::net::IpAddr;

/// The two ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    /// The peer's AS number.
    pub peer_as: u32,
    /// The collector's AS number.
    pub local_as: u32,
    /// The collector's interface, by its SNMP index; 0 where there is none.
    pub interface: u16,
    /// The peer's address.
    pub peer: IpAddr,
    /// The collector's address; of the same family as the peer's.
    pub local: IpAddr,
    /// Whether AS numbers have four octets, here and in the message.
    pub as4: bool,
}

impl Between {
    fn read(cursor: &mut Cursor<'_>, as4: bool) -> Result<Self, Bad> {
        let (peer_as, local_as, interface) = (cursor.asn(as4)?, cursor.asn(as4)?, cursor.u16()?);
        let at = cursor.at();
        let ipv6 = match cursor.u16()? {
            1 => false,
            2 => true,
            afi => return Err(Bad { at, fault: MrtFault::AddressFamily(afi) }),
        };
        Ok(Self { peer_as, local_as, interface, peer: cursor.address(ipv6)?, local: cursor.address(ipv6)?, as4 })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        for asn in [self.peer_as, self.local_as] {
            match u16::try_from(asn) {
                _ if self.as4 => out.extend_from_slice(&asn.to_be_bytes()),
                Ok(narrow) => out.extend_from_slice(&narrow.to_be_bytes()),
                Err(_) => return Err(WriteError::WideAs(asn)),
            }
        }
        out.extend_from_slice(&self.interface.to_be_bytes());
        match (self.peer, self.local) {
            (IpAddr::V4(peer), IpAddr::V4(local)) => {
                out.extend_from_slice(&[0, 1]);
                out.extend_from_slice(&peer.octets());
                out.extend_from_slice(&local.octets());
            }
            (IpAddr::V6(peer), IpAddr::V6(local)) => {
                out.extend_from_slice(&[0, 2]);
                out.extend_from_slice(&peer.octets());
                out.extend_from_slice(&local.octets());
            }
            _ => return Err(WriteError::MixedAddresses),
        }
        Ok(())
    }
}

/// A message between two speakers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerMessage<'a> {
    /// The session.
    pub between: Between,
    /// Whether the collector sent the message (the `_LOCAL` subtypes).
    pub sent: bool,
    /// Whether routes come with path identifiers, of every family in the message (RFC 8050 section 3).
    pub add_path: bool,
    /// The whole message, header included, as it came; not checked.
    pub message: &'a [u8],
}

impl<'a> PeerMessage<'a> {
    /// How to parse the message.
    pub fn ctx(&self) -> DecodeCtx {
        DecodeCtx {
            as4: self.between.as4,
            add_path: if self.add_path { FamilySet::ALL } else { FamilySet::EMPTY },
            extended_message: true,
            extended_next_hop: FamilySet::ALL,
            peer: PeerKind::Unknown,
        }
    }

    /// The four flags of the subtype: AS4, LOCAL, ADDPATH.
    const SUBTYPES: [(u16, bool, bool, bool); 8] = [
        (1, false, false, false),
        (4, true, false, false),
        (6, false, true, false),
        (7, true, true, false),
        (8, false, false, true),
        (9, true, false, true),
        (10, false, true, true),
        (11, true, true, true),
    ];

    /// `None` for a subtype that is no message.
    pub(super) fn read(subtype: u16, cursor: &mut Cursor<'a>) -> Option<Result<Self, Bad>> {
        let (_, as4, sent, add_path) = Self::SUBTYPES.into_iter().find(|(known, ..)| *known == subtype)?;
        let between = Between::read(cursor, as4);
        Some(between.map(|between| Self { between, sent, add_path, message: cursor.rest() }))
    }

    pub(super) fn subtype(&self) -> u16 {
        let flags = (self.between.as4, self.sent, self.add_path);
        // Every combination is in the list.
        Self::SUBTYPES
            .into_iter()
            .find(|(_, as4, sent, add_path)| (*as4, *sent, *add_path) == flags)
            .map_or(1, |(subtype, ..)| subtype)
    }
}

/// A session went from one state to another. The states are those of RFC 4271 section 8, by number: 1 is Idle, 6 Established; 0 and what
/// lies above 6 have no meaning there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The session.
    pub between: Between,
    /// The state before.
    pub old: u16,
    /// The state after.
    pub new: u16,
}

impl StateChange {
    pub(super) fn read(as4: bool, cursor: &mut Cursor<'_>) -> Result<Self, Bad> {
        Ok(Self { between: Between::read(cursor, as4)?, old: cursor.u16()?, new: cursor.u16()? })
    }

    /// The name of a state by its number: `Idle` to `Established`.
    pub const fn state_name(state: u16) -> Option<&'static str> {
        Some(match state {
            1 => "Idle",
            2 => "Connect",
            3 => "Active",
            4 => "OpenSent",
            5 => "OpenConfirm",
            6 => "Established",
            _ => return None,
        })
    }
}
