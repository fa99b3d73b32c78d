//! The messages (RFC 7854 section 4).

use super::{BmpError, BmpFault, HEADER_LEN, PeerHeader, Rib, Statistics, Tlvs, VERSION, WriteError};
use crate::cursor::Cursor;
use crate::{AddPath, Capability, FamilySet, Open, frame};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reads the header at the start of what was received so far: the length in octets of the whole message, header included, or `None` while
/// the header is not all there. The message may still be incomplete: compare with `received.len()`. BMP sets no limit to the length; the
/// caller does.
///
/// # Errors
/// The version is another, or the length below that of the header.
pub fn peek(received: &[u8]) -> Result<Option<usize>, BmpError> {
    let Some(&[version, a, b, c, d, _]) = received.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    if version != VERSION {
        return Err(BmpError { offset: 0, fault: BmpFault::Version(version) });
    }
    let len = u32::from_be_bytes([a, b, c, d]);
    match usize::try_from(len) {
        Ok(whole) if whole >= HEADER_LEN => Ok(Some(whole)),
        _ => Err(BmpError { offset: 1, fault: BmpFault::Length(len) }),
    }
}

/// A parsed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A change of a table.
    RouteMonitoring(RouteMonitoring<'a>),
    /// Counters.
    Statistics(Statistics<'a>),
    /// A peer's session ended.
    PeerDown(PeerDown<'a>),
    /// A peer's session stands.
    PeerUp(PeerUp<'a>),
    /// The first message: who the router is; types by [`super::information`].
    Initiation(Tlvs<'a>),
    /// The last message: why it ends; types by [`super::termination`].
    Termination(Tlvs<'a>),
    /// A message as the router received it.
    RouteMirroring(RouteMirroring<'a>),
    /// A message of a type of no meaning here, as it came after the header.
    Other {
        /// The type.
        kind: u8,
        /// The content.
        octets: &'a [u8],
    },
}

/// An UPDATE that gives a change of a table (RFC 7854 section 4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteMonitoring<'a> {
    /// Whose, and in which table.
    pub peer: PeerHeader,
    /// The whole BGP message, header included; parse it with [`PeerHeader::ctx`].
    pub message: &'a [u8],
}

/// What a router mirrors (RFC 7854 section 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteMirroring<'a> {
    /// Whose.
    pub peer: PeerHeader,
    /// Messages and what is to be said of them; types by [`super::mirroring`].
    pub items: Tlvs<'a>,
}

/// The end of a peer's session (RFC 7854 section 4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerDown<'a> {
    /// Whose.
    pub peer: PeerHeader,
    /// Why.
    pub reason: DownReason<'a>,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason<'a> {
    /// The router sent this NOTIFICATION, a whole BGP message.
    LocalNotification(&'a [u8]),
    /// The router closed without NOTIFICATION, for this event of RFC 4271 section 8.1; 0 if no event is known.
    LocalEvent(u16),
    /// The peer sent this NOTIFICATION, a whole BGP message.
    RemoteNotification(&'a [u8]),
    /// The peer closed without NOTIFICATION.
    RemoteClosed,
    /// The router no longer monitors the peer; the session may stand.
    Deconfigured,
    /// The router itself closed the table; information on which (RFC 9069 section 5.3).
    LocalClosed(Tlvs<'a>),
    /// A reason of no meaning here, or with octets after it that do not go with it.
    Other {
        /// The reason's number.
        reason: u8,
        /// What follows it.
        octets: &'a [u8],
    },
}

/// A session that stands (RFC 7854 section 4.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerUp<'a> {
    /// Whose.
    pub peer: PeerHeader,
    /// The router's address on the session as it came; see [`Self::local_address`].
    pub local_address_octets: [u8; 16],
    /// The router's port.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// The OPEN that the router sent, a whole BGP message.
    pub sent_open: &'a [u8],
    /// The OPEN that the router received, a whole BGP message.
    pub received_open: &'a [u8],
    /// Further information; types by [`super::information`].
    pub information: Tlvs<'a>,
}

impl PeerUp<'_> {
    /// The router's address on the session; `None` for Loc-RIB, which has none.
    pub fn local_address(&self) -> Option<IpAddr> {
        let address = Ipv6Addr::from(self.local_address_octets);
        match self.peer.address()? {
            IpAddr::V6(_) => Some(address.into()),
            IpAddr::V4(_) => Some(Ipv4Addr::from_bits(address.to_bits() as u32).into()),
        }
    }

    /// The families whose routes come with path identifiers in the monitored table: what the OPENs agreed on (RFC 7911 section 4), towards
    /// the router for Adj-RIB-In and from it for Adj-RIB-Out. Loc-RIB's OPENs are made up by the router and say the same.
    pub fn add_path(&self) -> FamilySet {
        let (sender, receiver) = match self.peer.rib() {
            Rib::InPrePolicy | Rib::InPostPolicy => (self.received_open, self.sent_open),
            Rib::OutPrePolicy | Rib::OutPostPolicy | Rib::Local => (self.sent_open, self.received_open),
        };
        let modes = |open: &[u8], sends: bool| -> FamilySet {
            let Ok(open) = Open::parse(open) else { return FamilySet::EMPTY };
            let mut families = FamilySet::EMPTY;
            for capability in open.capabilities() {
                if let Capability::AddPath(entries) = capability {
                    let wanted = |entry: &AddPath| if sends { entry.mode.sends() } else { entry.mode.receives() };
                    families = entries
                        .iter()
                        .filter(|entry| wanted(entry))
                        .fold(families, |set, entry| set.with(entry.family));
                }
            }
            families
        };
        modes(sender, true).intersection(modes(receiver, false))
    }
}

const ROUTE_MONITORING: u8 = 0;
const STATISTICS: u8 = 1;
const PEER_DOWN: u8 = 2;
const PEER_UP: u8 = 3;
const INITIATION: u8 = 4;
const TERMINATION: u8 = 5;
const ROUTE_MIRRORING: u8 = 6;

/// The whole BGP message at the cursor.
fn bgp_message<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], BmpError> {
    let bad = BmpError { offset: cursor.at(), fault: BmpFault::BgpMessage };
    match frame::peek(cursor.rest(), frame::MAX_EXTENDED_LEN) {
        Ok(Some(len)) => cursor.take(len).map_err(|_| bad),
        _ => Err(bad),
    }
}

/// The BGP message that is all there is left.
fn last_bgp_message<'a>(mut cursor: Cursor<'a>) -> Result<&'a [u8], BmpError> {
    let message = bgp_message(&mut cursor)?;
    if cursor.is_empty() { Ok(message) } else { Err(BmpError { offset: cursor.at(), fault: BmpFault::BgpMessage }) }
}

impl<'a> Message<'a> {
    /// Parses exactly one whole message, header included. Allocates nothing.
    ///
    /// # Errors
    /// Where and how the octets are no message. BGP messages inside are checked for their header only.
    pub fn parse(octets: &'a [u8]) -> Result<Self, BmpError> {
        let mut cursor = Cursor::new(octets);
        match peek(octets)? {
            Some(len) if len == octets.len() => cursor.take(HEADER_LEN - 1)?,
            Some(len) => return Err(BmpError { offset: 1, fault: BmpFault::Length(len as u32) }),
            None => return Err(BmpError { offset: octets.len(), fault: BmpFault::CutShort }),
        };
        let kind = cursor.u8()?;
        Ok(match kind {
            ROUTE_MONITORING => {
                let peer = PeerHeader::read(&mut cursor)?;
                Self::RouteMonitoring(RouteMonitoring { peer, message: last_bgp_message(cursor)? })
            }
            STATISTICS => Self::Statistics(Statistics::read(PeerHeader::read(&mut cursor)?, cursor)?),
            PEER_DOWN => {
                let peer = PeerHeader::read(&mut cursor)?;
                Self::PeerDown(PeerDown { peer, reason: DownReason::read(cursor)? })
            }
            PEER_UP => {
                let peer = PeerHeader::read(&mut cursor)?;
                let (local_address_octets, local_port, remote_port) = (cursor.array()?, cursor.u16()?, cursor.u16()?);
                Self::PeerUp(PeerUp {
                    peer,
                    local_address_octets,
                    local_port,
                    remote_port,
                    sent_open: bgp_message(&mut cursor)?,
                    received_open: bgp_message(&mut cursor)?,
                    information: Tlvs::read(cursor)?,
                })
            }
            INITIATION => Self::Initiation(Tlvs::read(cursor)?),
            TERMINATION => Self::Termination(Tlvs::read(cursor)?),
            ROUTE_MIRRORING => {
                let peer = PeerHeader::read(&mut cursor)?;
                Self::RouteMirroring(RouteMirroring { peer, items: Tlvs::read(cursor)? })
            }
            kind => Self::Other { kind, octets: cursor.rest() },
        })
    }

    /// The peer that the message is about, if it is about one.
    pub fn peer(&self) -> Option<&PeerHeader> {
        match self {
            Self::RouteMonitoring(message) => Some(&message.peer),
            Self::Statistics(message) => Some(&message.peer),
            Self::PeerDown(message) => Some(&message.peer),
            Self::PeerUp(message) => Some(&message.peer),
            Self::RouteMirroring(message) => Some(&message.peer),
            Self::Initiation(_) | Self::Termination(_) | Self::Other { .. } => None,
        }
    }

    /// Appends the message, header included; what was parsed, octet for octet.
    ///
    /// # Errors
    /// The message is longer than its length field can say; then nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let start = out.len();
        let kind = match self {
            Self::RouteMonitoring(_) => ROUTE_MONITORING,
            Self::Statistics(_) => STATISTICS,
            Self::PeerDown(_) => PEER_DOWN,
            Self::PeerUp(_) => PEER_UP,
            Self::Initiation(_) => INITIATION,
            Self::Termination(_) => TERMINATION,
            Self::RouteMirroring(_) => ROUTE_MIRRORING,
            Self::Other { kind, .. } => *kind,
        };
        out.extend_from_slice(&[VERSION, 0, 0, 0, 0, kind]);
        match self {
            Self::RouteMonitoring(message) => {
                message.peer.write(out);
                out.extend_from_slice(message.message);
            }
            Self::Statistics(statistics) => statistics.write(out),
            Self::PeerDown(down) => {
                down.peer.write(out);
                down.reason.write(out);
            }
            Self::PeerUp(up) => {
                up.peer.write(out);
                out.extend_from_slice(&up.local_address_octets);
                out.extend_from_slice(&up.local_port.to_be_bytes());
                out.extend_from_slice(&up.remote_port.to_be_bytes());
                for octets in [up.sent_open, up.received_open, up.information.octets()] {
                    out.extend_from_slice(octets);
                }
            }
            Self::Initiation(tlvs) | Self::Termination(tlvs) => out.extend_from_slice(tlvs.octets()),
            Self::RouteMirroring(message) => {
                message.peer.write(out);
                out.extend_from_slice(message.items.octets());
            }
            Self::Other { octets, .. } => out.extend_from_slice(octets),
        }
        match (u32::try_from(out.len() - start), out.get_mut(start + 1..start + 5)) {
            (Ok(len), Some(field)) => field.copy_from_slice(&len.to_be_bytes()),
            _ => {
                out.truncate(start);
                return Err(WriteError);
            }
        }
        Ok(())
    }
}

impl<'a> DownReason<'a> {
    fn read(mut cursor: Cursor<'a>) -> Result<Self, BmpError> {
        Ok(match cursor.u8()? {
            1 => Self::LocalNotification(last_bgp_message(cursor)?),
            2 if cursor.rest().len() == 2 => Self::LocalEvent(cursor.u16()?),
            3 => Self::RemoteNotification(last_bgp_message(cursor)?),
            4 if cursor.is_empty() => Self::RemoteClosed,
            5 if cursor.is_empty() => Self::Deconfigured,
            6 => Self::LocalClosed(Tlvs::read(cursor)?),
            reason => Self::Other { reason, octets: cursor.rest() },
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let event;
        let (reason, octets): (u8, &[u8]) = match *self {
            Self::LocalNotification(message) => (1, message),
            Self::LocalEvent(number) => {
                event = number.to_be_bytes();
                (2, &event)
            }
            Self::RemoteNotification(message) => (3, message),
            Self::RemoteClosed => (4, &[]),
            Self::Deconfigured => (5, &[]),
            Self::LocalClosed(tlvs) => (6, tlvs.octets()),
            Self::Other { reason, octets } => (reason, octets),
        };
        out.push(reason);
        out.extend_from_slice(octets);
    }
}
