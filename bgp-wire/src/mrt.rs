//! A reader of MRT dumps (RFC 6396, RFC 8050): what route collectors publish, for tests and measurements with real routes.
//!
//! Is given the octets of an uncompressed file; borrows everything it gives. Reads messages and tables of IPv4 and IPv6 unicast, and
//! passes over records of other types by their length.

use crate::attributes::{Attributes, code};
use crate::{DecodeCtx, Family, FamilySet, Ipv4Unicast, Ipv6Unicast, NextHop, PeerKind};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipnet::IpNet;

/// A record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MrtError {
    /// Where the record starts, in octets from the start of the file.
    pub offset: usize,
    /// Whether the file ends within the record; else the record's content does not fit its length, and reading goes on after it.
    pub truncated: bool,
}

impl fmt::Display for MrtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.truncated {
            "the file ends within the MRT record"
        } else {
            "the MRT record does not fit its length"
        };
        write!(f, "{what} at octet {}", self.offset)
    }
}

impl core::error::Error for MrtError {}

/// The records of a file, in order. After a record that is wrong in itself it goes on; after the file's end it stops.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Over the octets of a file.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When, in seconds since 1970.
    pub seconds: u32,
    /// The part of a second, in microseconds; 0 where the record type has none.
    pub microseconds: u32,
    /// What.
    pub body: Body<'a>,
}

/// What a record holds.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// A message as a peer sent it (BGP4MP_MESSAGE and its variants).
    Message(PeerMessage<'a>),
    /// Routes of a table (TABLE_DUMP): one, or in the oldest dumps as many as fit the record.
    Table(TableRoutes<'a>),
    /// The peers that the routes after it refer to by number (TABLE_DUMP_V2, PEER_INDEX_TABLE).
    Peers(Peers<'a>),
    /// A prefix of a table with the routes to it (TABLE_DUMP_V2, RIB_IPV4_UNICAST and its variants).
    Rib(Rib<'a>),
    /// A record of another kind.
    Other {
        /// The MRT type.
        kind: u16,
        /// The MRT subtype.
        subtype: u16,
    },
}

/// A message between two speakers.
#[derive(Clone, Copy, Debug)]
pub struct PeerMessage<'a> {
    /// The peer's AS number.
    pub peer_as: u32,
    /// The collector's AS number.
    pub local_as: u32,
    /// The peer's address.
    pub peer: IpAddr,
    /// The collector's address.
    pub local: IpAddr,
    /// How to parse the message.
    pub ctx: DecodeCtx,
    /// The whole message, header included.
    pub message: &'a [u8],
}

/// The routes of one TABLE_DUMP record.
#[derive(Clone, Copy, Debug)]
pub struct TableRoutes<'a> {
    entries: &'a [u8],
    ipv6: bool,
}

impl<'a> TableRoutes<'a> {
    /// The routes.
    pub fn iter(&self) -> impl Iterator<Item = TableRoute<'a>> + use<'a> {
        let (mut cursor, ipv6) = (Cursor(self.entries), self.ipv6);
        core::iter::from_fn(move || cursor.table_route(ipv6))
    }
}

/// A route of one peer.
#[derive(Clone, Copy, Debug)]
pub struct TableRoute<'a> {
    /// The prefix.
    pub prefix: IpNet,
    /// The peer's address.
    pub peer: IpAddr,
    /// The peer's AS number.
    pub peer_as: u32,
    /// When the route came, in seconds since 1970.
    pub originated: u32,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

/// A table of peers.
#[derive(Clone, Copy, Debug)]
pub struct Peers<'a> {
    /// The collector's identifier.
    pub collector: Ipv4Addr,
    count: u16,
    entries: &'a [u8],
}

/// One peer of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its BGP identifier.
    pub identifier: Ipv4Addr,
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub asn: u32,
}

impl Peers<'_> {
    /// The peers in the order of their numbers, from 0.
    pub fn iter(&self) -> impl Iterator<Item = Peer> {
        let mut cursor = Cursor(self.entries);
        (0..self.count).map_while(move |_| {
            let kind = cursor.u8()?;
            Some(Peer {
                identifier: cursor.u32()?.into(),
                address: cursor.address(kind & 1 != 0)?,
                asn: cursor.asn(kind & 2 != 0)?,
            })
        })
    }
}

/// The routes to one prefix.
#[derive(Clone, Copy, Debug)]
pub struct Rib<'a> {
    /// The record's number within the dump.
    pub sequence: u32,
    /// The prefix.
    pub prefix: IpNet,
    add_path: bool,
    count: u16,
    entries: &'a [u8],
}

/// A route of a [`Rib`].
#[derive(Clone, Copy, Debug)]
pub struct RibEntry<'a> {
    /// The peer, by its number in [`Peers`].
    pub peer: u16,
    /// When the route came, in seconds since 1970.
    pub originated: u32,
    /// The path identifier, where the table has them.
    pub path_id: Option<u32>,
    /// Its attributes.
    pub attributes: Attributes<'a>,
}

impl<'a> Rib<'a> {
    /// The routes.
    pub fn entries(&self) -> impl Iterator<Item = RibEntry<'a>> + use<'a> {
        let (mut cursor, add_path) = (Cursor(self.entries), self.add_path);
        (0..self.count).map_while(move |_| {
            let (peer, originated) = (cursor.u16()?, cursor.u32()?);
            let path_id = if add_path { Some(cursor.u32()?) } else { None };
            let len = cursor.u16()?;
            let attributes = Attributes::from_dump(cursor.take(len.into())?, true);
            Some(RibEntry { peer, originated, path_id, attributes })
        })
    }
}

impl RibEntry<'_> {
    /// The next hop: NEXT_HOP, or the one field that is left of MP_REACH_NLRI in a dump (RFC 6396 section 4.3.4). Some collectors write
    /// the whole attribute instead, which is understood too.
    pub fn next_hop(&self) -> Option<NextHop> {
        if let Some(address) = self.attributes.next_hop() {
            return Some(NextHop::Ipv4(address));
        }
        let value = self.attributes.get(code::MP_REACH_NLRI)?.value;
        let mut cursor = Cursor(if value.first() == Some(&0) { value.get(3..)? } else { value });
        let len = cursor.u8()?;
        let mut octets = Cursor(cursor.take(len.into())?);
        match len {
            4 => Some(NextHop::Ipv4(octets.u32()?.into())),
            16 => Some(NextHop::Ipv6(octets.u128()?.into())),
            32 => Some(NextHop::Ipv6LinkLocal { global: octets.u128()?.into(), link_local: octets.u128()?.into() }),
            _ => None,
        }
    }
}

const TABLE_DUMP: u16 = 12;
const TABLE_DUMP_V2: u16 = 13;
const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, MrtError>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.at;
        let mut cursor = Cursor(self.octets.get(offset..).filter(|rest| !rest.is_empty())?);
        let Some((seconds, kind, subtype, body)) = cursor.record() else {
            self.at = self.octets.len();
            return Some(Err(MrtError { offset, truncated: true }));
        };
        self.at = self.octets.len() - cursor.0.len();
        Some(Cursor(body).body(seconds, kind, subtype).ok_or(MrtError { offset, truncated: false }))
    }
}

/// Takes values off the front of a slice.
#[derive(Clone)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_be_bytes)
    }

    fn address(&mut self, ipv6: bool) -> Option<IpAddr> {
        if ipv6 {
            self.u128().map(|bits| Ipv6Addr::from(bits).into())
        } else {
            self.u32().map(|bits| Ipv4Addr::from(bits).into())
        }
    }

    fn asn(&mut self, wide: bool) -> Option<u32> {
        if wide { self.u32() } else { self.u16().map(u32::from) }
    }

    fn record(&mut self) -> Option<(u32, u16, u16, &'a [u8])> {
        let (seconds, kind, subtype, len) = (self.u32()?, self.u16()?, self.u16()?, self.u32()?);
        let mut len = usize::try_from(len).ok()?;
        if kind == TABLE_DUMP && self.short_table_dump(len, subtype == 2) {
            len += 4;
        }
        Some((seconds, kind, subtype, self.take(len)?))
    }

    /// Whether a TABLE_DUMP record's length leaves out the view and sequence numbers, as it does in the oldest dumps: the last route
    /// then ends four octets after it.
    fn short_table_dump(&self, len: usize, ipv6: bool) -> bool {
        let mut routes = Cursor(self.0.get(4..len.saturating_add(4)).unwrap_or_default());
        let size = routes.0.len();
        while routes.0.len() > 4 && routes.table_route(ipv6).is_some() {}
        size > 0 && routes.0.is_empty()
    }

    fn body(mut self, seconds: u32, kind: u16, subtype: u16) -> Option<Record<'a>> {
        let microseconds = if kind == BGP4MP_ET { self.u32()? } else { 0 };
        let body = match (kind, subtype) {
            (BGP4MP | BGP4MP_ET, 1 | 4 | 6..=11) => Body::Message(self.message(subtype)?),
            (TABLE_DUMP, 1 | 2) => {
                let (_view, _sequence) = (self.u16()?, self.u16()?);
                Body::Table(TableRoutes { entries: self.0, ipv6: subtype == 2 })
            }
            (TABLE_DUMP_V2, 1) => Body::Peers(self.peers()?),
            (TABLE_DUMP_V2, 2 | 8) => Body::Rib(self.rib::<Ipv4Unicast>(subtype == 8)?),
            (TABLE_DUMP_V2, 4 | 10) => Body::Rib(self.rib::<Ipv6Unicast>(subtype == 10)?),
            _ => Body::Other { kind, subtype },
        };
        Some(Record { seconds, microseconds, body })
    }

    /// BGP4MP_MESSAGE and, by subtype, its variants for 4-octet AS numbers, messages sent by the collector, and ADD-PATH.
    fn message(mut self, subtype: u16) -> Option<PeerMessage<'a>> {
        let as4 = matches!(subtype, 4 | 7 | 9 | 11);
        let (peer_as, local_as) = (self.asn(as4)?, self.asn(as4)?);
        let (_interface, afi) = (self.u16()?, self.u16()?);
        let (peer, local) = (self.address(afi == 2)?, self.address(afi == 2)?);
        let add_path = if subtype >= 8 { FamilySet::ALL } else { FamilySet::EMPTY };
        let ctx = DecodeCtx {
            as4,
            add_path,
            extended_message: true,
            extended_next_hop: FamilySet::ALL,
            peer: PeerKind::Unknown,
        };
        Some(PeerMessage { peer_as, local_as, peer, local, ctx, message: self.0 })
    }

    fn table_route(&mut self, ipv6: bool) -> Option<TableRoute<'a>> {
        let address = self.address(ipv6)?;
        let (len, _status, originated) = (self.u8()?, self.u8()?, self.u32()?);
        let (peer, peer_as, attributes_len) = (self.address(ipv6)?, self.u16()?.into(), self.u16()?);
        let attributes = Attributes::from_dump(self.take(attributes_len.into())?, false);
        Some(TableRoute { prefix: IpNet::new(address, len).ok()?.trunc(), peer, peer_as, originated, attributes })
    }

    fn peers(mut self) -> Option<Peers<'a>> {
        let (collector, name_len) = (self.u32()?.into(), self.u16()?);
        self.take(name_len.into())?;
        Some(Peers { collector, count: self.u16()?, entries: self.0 })
    }

    fn rib<F: Family>(mut self, add_path: bool) -> Option<Rib<'a>> {
        let sequence = self.u32()?;
        let (key, taken) = F::read(self.0)?;
        self.take(taken)?;
        Some(Rib { sequence, prefix: key.into(), add_path, count: self.u16()?, entries: self.0 })
    }
}
