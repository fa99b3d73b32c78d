//! What can be wrong with a message, read or written.

use crate::cursor::CutShort;
use core::fmt;

/// A message that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BmpError {
    /// Where, in octets from the start of the message (of the list, for a list that is made).
    pub offset: usize,
    /// What is wrong.
    pub fault: BmpFault,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BmpFault {
    /// The version is not [`super::VERSION`].
    Version(u8),
    /// The length is below that of the header, or not that of the octets given.
    Length(u32),
    /// A field runs past the message's end.
    CutShort,
    /// What should be a BGP message is none: wrong marker, length or type.
    BgpMessage,
    /// A count contradicts what is there: statistics that are more or fewer than told.
    Count,
}

impl fmt::Display for BmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            BmpFault::Version(version) => write!(f, "the BMP version is {version}, not {}", super::VERSION)?,
            BmpFault::Length(len) => write!(f, "the BMP message's length, {len}, is not that of a whole message")?,
            BmpFault::CutShort => f.write_str("a field runs past the end of the BMP message")?,
            BmpFault::BgpMessage => f.write_str("the BMP message lacks the BGP message that belongs here")?,
            BmpFault::Count => f.write_str("the count does not go with the items")?,
        }
        write!(f, " (at octet {})", self.offset)
    }
}

impl core::error::Error for BmpError {}

impl From<CutShort> for BmpError {
    fn from(CutShort(offset): CutShort) -> Self {
        Self { offset, fault: BmpFault::CutShort }
    }
}

/// A message that cannot be written because a field is longer than its length field can say; nothing was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteError;

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field is too long for the BMP message's length fields")
    }
}

impl core::error::Error for WriteError {}
