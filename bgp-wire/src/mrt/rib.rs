//! TABLE_DUMP_V2 (RFC 6396 section 4.3, RFC 8050 section 4): a table of peers, and for each prefix the routes by peer number.

use super::error::Bad;
use super::{MrtError, MrtFault, WriteError, write};
use crate::attributes::code;
use crate::cursor::Cursor;
use crate::routes::{self, Form};
use crate::{AfiSafi, Attributes, Family, Ipv4Unicast, Ipv6Unicast, NextHop};
use alloc::vec::Vec;
use core::iter::FusedIterator;
use core::net::{IpAddr, Ipv4Addr};
use ipnet::IpNet;

/// A table of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers<'a> {
    /// The collector's identifier.
    pub collector: Ipv4Addr,
    /// The view's name; mostly empty, and meant to be UTF-8.
    pub view: &'a [u8],
    count: u16,
    peers: &'a [u8],
}

/// One peer of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Its BGP identifier.
    pub identifier: Ipv4Addr,
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub asn: u32,
    /// Whether the record has four octets for the AS number.
    pub as4: bool,
}

impl Peer {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Bad> {
        let kind = cursor.u8()?;
        let (ipv6, as4) = (kind & 1 != 0, kind & 2 != 0);
        let identifier = cursor.u32()?.into();
        Ok(Self { identifier, address: cursor.address(ipv6)?, asn: cursor.asn(as4)?, as4 })
    }

    /// Appends the peer, for [`Peers::new`].
    ///
    /// # Errors
    /// The AS number does not fit the octets there are for it; then nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let narrow = u16::try_from(self.asn);
        if !self.as4 && narrow.is_err() {
            return Err(WriteError::WideAs(self.asn));
        }
        out.push(u8::from(self.address.is_ipv6()) | u8::from(self.as4) << 1);
        out.extend_from_slice(&self.identifier.octets());
        write::address(self.address, out);
        match narrow {
            Ok(narrow) if !self.as4 => out.extend_from_slice(&narrow.to_be_bytes()),
            _ => out.extend_from_slice(&self.asn.to_be_bytes()),
        }
        Ok(())
    }
}

impl<'a> Peers<'a> {
    /// The table of the peers in these octets, as [`Peer::write`] appends them.
    ///
    /// # Errors
    /// Where and how the octets are no peers, or that they are more than 65535; offsets count from their start.
    pub fn new(collector: Ipv4Addr, view: &'a [u8], peers: &'a [u8]) -> Result<Self, MrtError> {
        let count = write::count(peers, |cursor| Peer::read(cursor).map(drop))?;
        Ok(Self { collector, view, count, peers })
    }

    pub(super) fn read(mut cursor: Cursor<'a>) -> Result<Self, Bad> {
        let (collector, view, count) = (cursor.u32()?.into(), cursor.counted()?, cursor.u16()?);
        let peers = cursor.rest();
        for _ in 0..count {
            Peer::read(&mut cursor)?;
        }
        Ok(Self { collector, view, count, peers: &peers[..peers.len() - cursor.rest().len()] })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        out.extend_from_slice(&self.collector.octets());
        out.extend_from_slice(&u16::try_from(self.view.len()).map_err(|_| WriteError::TooLong)?.to_be_bytes());
        out.extend_from_slice(self.view);
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(self.peers);
        Ok(())
    }

    /// The peers in the order of their numbers, from 0.
    pub fn iter(&self) -> impl FusedIterator<Item = Peer> + Clone + use<'a> {
        let mut cursor = Cursor::new(self.peers);
        core::iter::from_fn(move || Peer::read(&mut cursor).ok()).fuse()
    }
}

/// Where the path identifiers of a [`Rib`] stand (RFC 8050 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathIds {
    /// There are none.
    None,
    /// Each entry has its own: the subtypes of IPv4 and IPv6, and RIB_GENERIC_ADDPATH as GoBGP and OpenBGPD write it.
    Entries,
    /// One, before the route: RIB_GENERIC_ADDPATH as the RFC has it.
    Route(u32),
}

/// The routes to one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rib<'a> {
    /// The record's number within the dump.
    pub sequence: u32,
    /// The family.
    pub family: AfiSafi,
    /// The prefix, or in other families whatever is announced, as it stands in an UPDATE, without path identifier.
    pub nlri: &'a [u8],
    /// Where path identifiers stand.
    pub path_ids: PathIds,
    /// Whether the record names its family itself (RIB_GENERIC). IPv4 and IPv6 unicast and multicast have subtypes of their own.
    pub generic: bool,
    count: u16,
    entries: &'a [u8],
}

/// A route of a [`Rib`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RibEntry<'a> {
    /// The peer, by its number in [`Peers`].
    pub peer: u16,
    /// When the route came, in seconds since 1970.
    pub originated: u32,
    /// The path identifier, where the table has them.
    pub path_id: Option<u32>,
    /// Its path attributes, with 4-octet AS numbers.
    pub octets: &'a [u8],
}

/// The subtypes that say their family, without and with path identifiers.
const SUBTYPES: [(u16, u16, AfiSafi); 4] = [
    (2, 8, AfiSafi::IPV4_UNICAST),
    (3, 9, AfiSafi::IPV4_MULTICAST),
    (4, 10, AfiSafi::IPV6_UNICAST),
    (5, 11, AfiSafi::IPV6_MULTICAST),
];
const GENERIC: u16 = 6;
const GENERIC_ADD_PATH: u16 = 12;

impl<'a> Rib<'a> {
    /// The routes to `nlri` in these octets, as [`RibEntry::write`] appends them; with their own subtype for the families that have one,
    /// else as RIB_GENERIC.
    ///
    /// # Errors
    /// Where and how the octets are no entries, or that they are more than 65535; offsets count from their start.
    pub fn new(
        sequence: u32,
        family: AfiSafi,
        nlri: &'a [u8],
        path_ids: PathIds,
        entries: &'a [u8],
    ) -> Result<Self, MrtError> {
        let generic = matches!(path_ids, PathIds::Route(_)) || !SUBTYPES.iter().any(|(.., known)| *known == family);
        let count = write::count(entries, |cursor| RibEntry::read(cursor, path_ids).map(drop))?;
        Ok(Self { sequence, family, nlri, path_ids, generic, count, entries })
    }

    /// `None` for a subtype that is no RIB, and a route that is not understood.
    pub(super) fn read(subtype: u16, mut cursor: Cursor<'a>) -> Option<Result<Self, Bad>> {
        for (plain, add_path, family) in SUBTYPES {
            if subtype == plain || subtype == add_path {
                let path_ids = if subtype == add_path { PathIds::Entries } else { PathIds::None };
                let rib = cursor.u32().map_err(Bad::from).and_then(|sequence| {
                    Self::rest(sequence, family, path_ids, cursor)?
                        .ok_or(Bad { at: cursor.at(), fault: MrtFault::Prefix })
                });
                return Some(rib);
            }
        }
        if matches!(subtype, GENERIC | GENERIC_ADD_PATH) {
            Self::read_generic(subtype == GENERIC_ADD_PATH, cursor).transpose()
        } else {
            None
        }
    }

    fn read_generic(add_path: bool, mut cursor: Cursor<'a>) -> Result<Option<Self>, Bad> {
        let (sequence, afi, safi) = (cursor.u32()?, cursor.u16()?, cursor.u8()?);
        let family = AfiSafi::new(afi, safi);
        let generic = |rib: Self| Self { generic: true, ..rib };
        if !add_path {
            return Ok(Self::rest(sequence, family, PathIds::None, cursor)?.map(generic));
        }
        // Only one of the two forms in use fills the record to its end.
        let mut after = cursor;
        let id = after.u32()?;
        match Self::rest(sequence, family, PathIds::Route(id), after) {
            Ok(Some(rib)) if rib.end() == after.rest().len() => Ok(Some(generic(rib))),
            first => match Self::rest(sequence, family, PathIds::Entries, cursor) {
                Ok(Some(rib)) if rib.end() == cursor.rest().len() => Ok(Some(generic(rib))),
                _ => Ok(first?.map(generic)),
            },
        }
    }

    /// From the route on. `None` where that is none, or of a family whose routes cannot be told apart.
    fn rest(sequence: u32, family: AfiSafi, path_ids: PathIds, mut cursor: Cursor<'a>) -> Result<Option<Self>, Bad> {
        let Some(len) = nlri_len(cursor.rest(), family) else { return Ok(None) };
        let (nlri, count) = (cursor.take(len)?, cursor.u16()?);
        let entries = cursor.rest();
        for _ in 0..count {
            RibEntry::read(&mut cursor, path_ids)?;
        }
        let entries = &entries[..entries.len() - cursor.rest().len()];
        Ok(Some(Self { sequence, family, nlri, path_ids, generic: false, count, entries }))
    }

    /// Octets from the route to the end of the entries.
    fn end(&self) -> usize {
        self.nlri.len() + 2 + self.entries.len()
    }

    pub(super) fn subtype(&self) -> u16 {
        let own = SUBTYPES.iter().find(|(.., family)| !self.generic && *family == self.family);
        match (own, self.path_ids) {
            (Some((plain, ..)), PathIds::None) => *plain,
            (Some((_, add_path, _)), _) => *add_path,
            (None, PathIds::None) => GENERIC,
            (None, _) => GENERIC_ADD_PATH,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sequence.to_be_bytes());
        if matches!(self.subtype(), GENERIC | GENERIC_ADD_PATH) {
            out.extend_from_slice(&self.family.afi.to_be_bytes());
            out.push(self.family.safi);
            if let PathIds::Route(id) = self.path_ids {
                out.extend_from_slice(&id.to_be_bytes());
            }
        }
        out.extend_from_slice(self.nlri);
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(self.entries);
    }

    /// The prefix, host bits zeroed; `None` in a family beyond IPv4 and IPv6 unicast and multicast.
    pub fn prefix(&self) -> Option<IpNet> {
        match (self.family.afi, self.family.safi) {
            (1, 1 | 2) => Ipv4Unicast::read(self.nlri).map(|(net, _)| net.into()),
            (2, 1 | 2) => Ipv6Unicast::read(self.nlri).map(|(net, _)| net.into()),
            _ => None,
        }
    }

    /// The routes.
    pub fn entries(&self) -> impl FusedIterator<Item = RibEntry<'a>> + Clone + use<'a> {
        let (mut cursor, path_ids) = (Cursor::new(self.entries), self.path_ids);
        core::iter::from_fn(move || RibEntry::read(&mut cursor, path_ids).ok()).fuse()
    }
}

/// Octets of the route at the start.
fn nlri_len(octets: &[u8], family: AfiSafi) -> Option<usize> {
    match (family.afi, family.safi) {
        (1, 1 | 2) => Ipv4Unicast::read(octets).map(|(_, len)| len),
        (2, 1 | 2) => Ipv6Unicast::read(octets).map(|(_, len)| len),
        _ => routes::first_len(octets, Form { family, withdrawn: false }),
    }
}

impl<'a> RibEntry<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>, path_ids: PathIds) -> Result<Self, Bad> {
        let (peer, originated) = (cursor.u16()?, cursor.u32()?);
        let path_id = match path_ids {
            PathIds::None => None,
            PathIds::Entries => Some(cursor.u32()?),
            PathIds::Route(id) => Some(id),
        };
        Ok(Self { peer, originated, path_id, octets: cursor.counted()? })
    }

    /// Appends the entry, for [`Rib::new`]. A path identifier is written only where [`PathIds::Entries`] has it stand; without one, 0 is.
    ///
    /// # Errors
    /// The attributes are longer than 65535 octets; then nothing is appended.
    pub fn write(&self, path_ids: PathIds, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let len = u16::try_from(self.octets.len()).map_err(|_| WriteError::TooLong)?;
        out.extend_from_slice(&self.peer.to_be_bytes());
        out.extend_from_slice(&self.originated.to_be_bytes());
        if path_ids == PathIds::Entries {
            out.extend_from_slice(&self.path_id.unwrap_or_default().to_be_bytes());
        }
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(self.octets);
        Ok(())
    }

    /// A view on its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::from_dump(self.octets, true)
    }

    /// The next hop: NEXT_HOP, or the one field that is left of MP_REACH_NLRI in a dump (RFC 6396 section 4.3.4). Some collectors write
    /// the whole attribute instead, which is understood too.
    pub fn next_hop(&self) -> Option<NextHop> {
        next_hop(&self.attributes())
    }
}

/// The next hop of attributes in a dump.
pub(super) fn next_hop(attributes: &Attributes<'_>) -> Option<NextHop> {
    if let Some(address) = attributes.next_hop() {
        return Some(NextHop::Ipv4(address));
    }
    let value = attributes.get(code::MP_REACH_NLRI)?.value;
    let mut cursor = Cursor::new(if value.first() == Some(&0) { value.get(3..)? } else { value });
    let len = cursor.u8().ok()?;
    let octets = cursor.take(len.into()).ok()?;
    match len {
        4 => octets.first_chunk::<4>().map(|octets| NextHop::Ipv4((*octets).into())),
        16 => octets.first_chunk::<16>().map(|octets| NextHop::Ipv6((*octets).into())),
        32 => {
            let (global, link_local) = octets.split_first_chunk::<16>()?;
            let link_local = (*link_local.first_chunk::<16>()?).into();
            Some(NextHop::Ipv6LinkLocal { global: (*global).into(), link_local })
        }
        _ => None,
    }
}
