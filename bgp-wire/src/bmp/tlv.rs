//! Lists of type, length, value (RFC 7854 section 4.4), and the types in use.

use super::{BmpError, WriteError};
use crate::cursor::Cursor;
use alloc::vec::Vec;
use core::iter::FusedIterator;

/// Types in initiation, peer up, and in peer down of Loc-RIB.
pub mod information {
    /// Free text (RFC 7854 section 4.4).
    pub const STRING: u16 = 0;
    /// The system's description, as SNMP has it (RFC 7854 section 4.4).
    pub const SYS_DESCR: u16 = 1;
    /// The system's name, as SNMP has it (RFC 7854 section 4.4).
    pub const SYS_NAME: u16 = 2;
    /// The name of the VRF or table (RFC 9069 section 5.2.1).
    pub const TABLE_NAME: u16 = 3;
    /// A label of the operator's for the peer (RFC 8671 section 6.3.1).
    pub const ADMIN_LABEL: u16 = 4;
}

/// Types in termination, and the reasons it gives (RFC 7854 section 4.5).
pub mod termination {
    /// Free text.
    pub const STRING: u16 = 0;
    /// Why, in two octets: one of the constants below.
    pub const REASON: u16 = 1;

    /// The operator closed the session; it may come back.
    pub const ADMINISTRATIVELY_CLOSED: u16 = 0;
    /// No reason is given.
    pub const UNSPECIFIED: u16 = 1;
    /// The router ran out of something.
    pub const OUT_OF_RESOURCES: u16 = 2;
    /// There is another session with the same station.
    pub const REDUNDANT: u16 = 3;
    /// The operator closed the session for good.
    pub const PERMANENTLY_CLOSED: u16 = 4;
}

/// Types in route mirroring, and what its information says (RFC 7854 section 4.7).
pub mod mirroring {
    /// A BGP message, as it came.
    pub const MESSAGE: u16 = 0;
    /// What there is to say of the message, in two octets: one of the constants below.
    pub const INFORMATION: u16 = 1;

    /// The message was treated as a withdrawal.
    pub const ERRORED_PDU: u16 = 0;
    /// Messages before this one were not mirrored.
    pub const MESSAGES_LOST: u16 = 1;
}

/// One item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The type; what it means depends on the message.
    pub kind: u16,
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Tlv<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, BmpError> {
        Ok(Self { kind: cursor.u16()?, value: cursor.counted()? })
    }

    /// Appends the item, for [`Tlvs::new`].
    ///
    /// # Errors
    /// The value is longer than 65535 octets; then nothing is appended.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let len = u16::try_from(self.value.len()).map_err(|_| WriteError)?;
        out.extend_from_slice(&self.kind.to_be_bytes());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(self.value);
        Ok(())
    }

    /// The value as text, if it is UTF-8.
    pub fn text(&self) -> Option<&'a str> {
        core::str::from_utf8(self.value).ok()
    }

    /// The value as a number in two octets, as reasons and codes are.
    pub fn code(&self) -> Option<u16> {
        self.value.try_into().ok().map(u16::from_be_bytes)
    }
}

/// A list of items, known to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tlvs<'a>(&'a [u8]);

impl<'a> Tlvs<'a> {
    /// The items in these octets, as [`Tlv::write`] appends them.
    ///
    /// # Errors
    /// Where an item is cut short.
    pub fn new(octets: &'a [u8]) -> Result<Self, BmpError> {
        Self::read(Cursor::new(octets))
    }

    /// All that is left.
    pub(super) fn read(mut cursor: Cursor<'a>) -> Result<Self, BmpError> {
        let octets = cursor.rest();
        while !cursor.is_empty() {
            Tlv::read(&mut cursor)?;
        }
        Ok(Self(octets))
    }

    /// The items, in order.
    pub fn iter(&self) -> impl FusedIterator<Item = Tlv<'a>> + Clone + use<'a> {
        let mut cursor = Cursor::new(self.0);
        core::iter::from_fn(move || Tlv::read(&mut cursor).ok()).fuse()
    }

    /// The first item of a type.
    pub fn get(&self, kind: u16) -> Option<Tlv<'a>> {
        self.iter().find(|tlv| tlv.kind == kind)
    }

    /// The first item of a type as text.
    pub fn text(&self, kind: u16) -> Option<&'a str> {
        self.get(kind)?.text()
    }

    /// The list as it stands in the message.
    pub fn octets(&self) -> &'a [u8] {
        self.0
    }
}
