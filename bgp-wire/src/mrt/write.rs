//! From records to octets.

use super::error::Bad;
use super::{
    BGP4MP, BGP4MP_ET, Body, HEADER_LEN, MrtError, MrtFault, Record, TABLE_DUMP, TABLE_DUMP_V2, WriteError, is_extended,
};
use crate::cursor::Cursor;
use alloc::vec::Vec;
use core::net::IpAddr;

impl Record<'_> {
    /// Appends the record. What [`super::Reader`] read is written octet for octet, but for octets that a record had left over at its end
    /// and for lengths that left out a part of it.
    ///
    /// # Errors
    /// What does not fit the record; then nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let start = out.len();
        let written = self.append(out, start);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn append(&self, out: &mut Vec<u8>, start: usize) -> Result<(), WriteError> {
        let bgp4mp = if self.microseconds.is_some() { BGP4MP_ET } else { BGP4MP };
        let (kind, subtype) = match &self.body {
            Body::Message(message) => (bgp4mp, message.subtype()),
            Body::StateChange(change) => (bgp4mp, if change.between.as4 { 5 } else { 0 }),
            Body::Table(routes) => (TABLE_DUMP, if routes.is_ipv6() { 2 } else { 1 }),
            Body::Peers(_) => (TABLE_DUMP_V2, 1),
            Body::Rib(rib) => (TABLE_DUMP_V2, rib.subtype()),
            Body::Other { kind, subtype, .. } => (*kind, *subtype),
        };
        out.extend_from_slice(&self.seconds.to_be_bytes());
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&subtype.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        match self.microseconds {
            Some(microseconds) if is_extended(kind) => out.extend_from_slice(&microseconds.to_be_bytes()),
            None if !is_extended(kind) => {}
            _ => return Err(WriteError::Microseconds),
        }
        match &self.body {
            Body::Message(message) => {
                message.between.write(out)?;
                out.extend_from_slice(message.message);
            }
            Body::StateChange(change) => {
                change.between.write(out)?;
                out.extend_from_slice(&change.old.to_be_bytes());
                out.extend_from_slice(&change.new.to_be_bytes());
            }
            Body::Table(routes) => routes.write(out),
            Body::Peers(peers) => peers.write(out)?,
            Body::Rib(rib) => rib.write(out),
            Body::Other { octets, .. } => out.extend_from_slice(octets),
        }
        let len = u32::try_from(out.len() - start - HEADER_LEN).map_err(|_| WriteError::TooLong)?;
        if let Some(field) = out.get_mut(start + HEADER_LEN - 4..start + HEADER_LEN) {
            field.copy_from_slice(&len.to_be_bytes());
        }
        Ok(())
    }
}

pub(super) fn address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
    }
}

/// How many items the octets hold, all of them sound.
pub(super) fn count<'a>(octets: &'a [u8], read: impl Fn(&mut Cursor<'a>) -> Result<(), Bad>) -> Result<u16, MrtError> {
    let mut cursor = Cursor::new(octets);
    let mut count = 0u16;
    while !cursor.is_empty() {
        let at = cursor.at();
        let counted =
            read(&mut cursor).and_then(|()| count.checked_add(1).ok_or(Bad { at, fault: MrtFault::CutShort }));
        count = counted.map_err(|bad| MrtError { record: 0, offset: bad.at as u64, fault: bad.fault })?;
    }
    Ok(count)
}
