//! From octets to records.

use super::error::Bad;
use super::{
    BGP4MP, BGP4MP_ET, Body, HEADER_LEN, MrtError, MrtFault, PeerMessage, Peers, Record, Rib, StateChange, TABLE_DUMP,
    TABLE_DUMP_V2, TableRoutes, is_extended,
};
use crate::cursor::{Cursor, CutShort};
use core::iter::FusedIterator;

/// The records of a file, in order. After a record that is wrong in itself it goes on; after a torn one it stops.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Over the octets of an uncompressed file.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, MrtError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.at as u64;
        let rest = self.octets.get(self.at..).filter(|rest| !rest.is_empty())?;
        let Some(header) = Header::read(rest) else { return self.torn(offset) };
        let Some(octets) = header.len(rest).and_then(|len| rest.get(..len)) else { return self.torn(offset) };
        self.at += octets.len();
        Some(header.record(octets, offset))
    }
}

impl FusedIterator for Reader<'_> {}

impl<'a> Reader<'a> {
    fn torn(&mut self, offset: u64) -> Option<<Self as Iterator>::Item> {
        self.at = self.octets.len();
        Some(Err(torn(offset, self.at as u64)))
    }
}

pub(super) fn torn(record: u64, end: u64) -> MrtError {
    MrtError { record, offset: end, fault: MrtFault::Torn }
}

/// What stands before every record's content.
#[derive(Clone, Copy)]
pub(super) struct Header {
    seconds: u32,
    kind: u16,
    subtype: u16,
    pub(super) content_len: u32,
}

impl Header {
    #[inline]
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, f, g, h, i, j, k, l] = octets.first_chunk::<HEADER_LEN>()?;
        Some(Self {
            seconds: u32::from_be_bytes([a, b, c, d]),
            kind: u16::from_be_bytes([e, f]),
            subtype: u16::from_be_bytes([g, h]),
            content_len: u32::from_be_bytes([i, j, k, l]),
        })
    }

    #[cfg(feature = "stream")]
    /// Octets after those that the header tells of that decide where the record ends.
    pub(super) fn look_ahead(&self) -> usize {
        if self.kind == TABLE_DUMP { 4 } else { 0 }
    }

    /// Octets of the record, header included. `rest` is the file from the record on, with [`Self::look_ahead`] octets after the record
    /// where there are any.
    #[inline]
    pub(super) fn len(&self, rest: &[u8]) -> Option<usize> {
        let len = usize::try_from(self.content_len).ok()?;
        let short =
            self.kind == TABLE_DUMP && TableRoutes::length_is_short(rest.get(HEADER_LEN..)?, len, self.subtype == 2);
        len.checked_add(HEADER_LEN)?.checked_add(if short { 4 } else { 0 })
    }

    /// The record, from its octets, header included.
    #[inline]
    pub(super) fn record<'a>(&self, octets: &'a [u8], offset: u64) -> Result<Record<'a>, MrtError> {
        self.content(octets)
            .map(|(microseconds, body)| Record { offset, seconds: self.seconds, microseconds, body })
            .map_err(|bad| MrtError { record: offset, offset: offset + bad.at as u64, fault: bad.fault })
    }

    #[inline]
    fn content<'a>(&self, octets: &'a [u8]) -> Result<(Option<u32>, Body<'a>), Bad> {
        let mut cursor = Cursor::new(octets);
        cursor.take(HEADER_LEN)?;
        let microseconds = if is_extended(self.kind) { Some(cursor.u32()?) } else { None };
        let known = match (self.kind, self.subtype) {
            (BGP4MP | BGP4MP_ET, 0 | 5) => Some(Body::StateChange(StateChange::read(self.subtype == 5, &mut cursor)?)),
            (BGP4MP | BGP4MP_ET, subtype) => {
                let mut cursor = cursor;
                PeerMessage::read(subtype, &mut cursor).transpose()?.map(Body::Message)
            }
            (TABLE_DUMP, 1 | 2) => Some(Body::Table(TableRoutes::read(cursor, self.subtype == 2)?)),
            (TABLE_DUMP_V2, 1) => Some(Body::Peers(Peers::read(cursor)?)),
            (TABLE_DUMP_V2, subtype) => Rib::read(subtype, cursor).transpose()?.map(Body::Rib),
            _ => None,
        };
        let other = || Body::Other { kind: self.kind, subtype: self.subtype, octets: cursor.rest() };
        Ok((microseconds, known.unwrap_or_else(other)))
    }
}

impl From<CutShort> for MrtFault {
    fn from(_: CutShort) -> Self {
        Self::CutShort
    }
}
