//! TABLE_DUMP (RFC 6396 section 4.2), the older form of a table: every route with its peer.

use super::error::Bad;
use super::{MrtFault, WriteError};
use crate::cursor::Cursor;
use crate::{Attributes, NextHop};
use alloc::vec::Vec;
use core::iter::FusedIterator;
use core::net::IpAddr;
use ipnet::IpNet;

/// The routes of one TABLE_DUMP record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRoutes<'a> {
    /// The view, where the collector has several tables.
    pub view: u16,
    /// The record's number within the dump; wraps around.
    pub sequence: u16,
    ipv6: bool,
    routes: &'a [u8],
}

impl<'a> TableRoutes<'a> {
    /// The routes in these octets, as [`TableRoute::write`] appends them; a record of its own for each is what RFC 6396 has.
    ///
    /// # Errors
    /// Where and how the octets are no routes of IPv4 or, if `ipv6`, IPv6; offsets count from their start.
    pub fn new(view: u16, sequence: u16, ipv6: bool, routes: &'a [u8]) -> Result<Self, super::MrtError> {
        Self::checked(view, sequence, ipv6, routes).map_err(|bad| super::MrtError {
            record: 0,
            offset: bad.at as u64,
            fault: bad.fault,
        })
    }

    fn checked(view: u16, sequence: u16, ipv6: bool, routes: &'a [u8]) -> Result<Self, Bad> {
        if !are_whole(routes, ipv6) {
            let mut cursor = Cursor::new(routes);
            while !cursor.is_empty() {
                TableRoute::read(&mut cursor, ipv6)?;
            }
        }
        Ok(Self { view, sequence, ipv6, routes })
    }

    /// Whether the routes are IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.ipv6
    }

    /// The routes.
    pub fn iter(&self) -> impl FusedIterator<Item = TableRoute<'a>> + Clone + use<'a> {
        let (mut cursor, ipv6) = (Cursor::new(self.routes), self.ipv6);
        core::iter::from_fn(move || TableRoute::read(&mut cursor, ipv6).ok()).fuse()
    }

    pub(super) fn read(mut cursor: Cursor<'a>, ipv6: bool) -> Result<Self, Bad> {
        let (view, sequence) = (cursor.u16()?, cursor.u16()?);
        let start = cursor.at();
        Self::checked(view, sequence, ipv6, cursor.rest()).map_err(|bad| Bad { at: start + bad.at, ..bad })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.view.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(self.routes);
    }

    /// Whether a record's length leaves out the view and sequence numbers, as it does in the oldest dumps: the last route then ends four
    /// octets after it. `rest` is what follows the record's header.
    pub(super) fn length_is_short(rest: &[u8], len: usize, ipv6: bool) -> bool {
        len > 0 && rest.get(4..len.saturating_add(4)).is_some_and(|routes| are_whole(routes, ipv6))
    }
}

/// Whether the octets are routes and nothing else, by a look at their lengths alone.
fn are_whole(mut routes: &[u8], ipv6: bool) -> bool {
    let address = if ipv6 { 16 } else { 4 };
    // Prefix, its length, status, time, peer, its AS, the length of the attributes.
    let start = 2 * address + 10;
    while let Some((head, rest)) = routes.split_at_checked(start) {
        let [.., high, low] = *head else { return false };
        match rest.get(usize::from(u16::from_be_bytes([high, low]))..) {
            Some(rest) if usize::from(head[address]) <= 8 * address => routes = rest,
            _ => return false,
        }
    }
    routes.is_empty()
}

/// A route of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRoute<'a> {
    /// The prefix, host bits as they came.
    pub prefix: IpNet,
    /// A field that RFC 6396 sets to 1 and gives no meaning.
    pub status: u8,
    /// When the route came, in seconds since 1970.
    pub originated: u32,
    /// The peer's address; of the same family as the prefix.
    pub peer: IpAddr,
    /// The peer's AS number.
    pub peer_as: u16,
    /// Its path attributes, with 2-octet AS numbers.
    pub octets: &'a [u8],
}

impl<'a> TableRoute<'a> {
    /// A view on its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::from_dump(self.octets, false)
    }

    /// The next hop: NEXT_HOP, or that of MP_REACH_NLRI.
    pub fn next_hop(&self) -> Option<NextHop> {
        super::rib::next_hop(&self.attributes())
    }

    fn read(cursor: &mut Cursor<'a>, ipv6: bool) -> Result<Self, Bad> {
        let (at, address, len) = (cursor.at(), cursor.address(ipv6)?, cursor.u8()?);
        let prefix = IpNet::new(address, len).map_err(|_| Bad { at, fault: MrtFault::Prefix })?;
        let (status, originated) = (cursor.u8()?, cursor.u32()?);
        let (peer, peer_as, octets) = (cursor.address(ipv6)?, cursor.u16()?, cursor.counted()?);
        Ok(Self { prefix, status, originated, peer, peer_as, octets })
    }

    /// Appends the route, for [`TableRoutes::new`].
    ///
    /// # Errors
    /// The peer's address is of another family than the prefix, or the attributes are longer than 65535 octets; then nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let len = u16::try_from(self.octets.len()).map_err(|_| WriteError::TooLong)?;
        if self.prefix.addr().is_ipv6() != self.peer.is_ipv6() {
            return Err(WriteError::MixedAddresses);
        }
        super::write::address(self.prefix.addr(), out);
        out.extend_from_slice(&[self.prefix.prefix_len(), self.status]);
        out.extend_from_slice(&self.originated.to_be_bytes());
        super::write::address(self.peer, out);
        out.extend_from_slice(&self.peer_as.to_be_bytes());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(self.octets);
        Ok(())
    }
}
