//! What can be wrong with a record, read or written.

use crate::cursor::CutShort;
use core::fmt;

/// A record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MrtError {
    /// Where the record starts, in octets from the start of the (uncompressed) file.
    pub record: u64,
    /// Where the fault is, in octets from the start of the file.
    pub offset: u64,
    /// What is wrong.
    pub fault: MrtFault,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MrtFault {
    /// The file ends within the record; nothing can follow.
    Torn,
    /// A field runs past the record's end; reading goes on after the record.
    CutShort,
    /// The address family of the peer's address is neither IPv4 nor IPv6; reading goes on after the record.
    AddressFamily(u16),
    /// A prefix is longer than its family allows or runs past the record's end; reading goes on after the record.
    Prefix,
    /// The record is longer than a stream holds at once; reading goes on after the record.
    Oversized(u32),
}

impl fmt::Display for MrtFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn => f.write_str("the file ends within the record"),
            Self::CutShort => f.write_str("a field runs past the end of the record"),
            Self::AddressFamily(afi) => write!(f, "the peer's address family is {afi}, neither IPv4 (1) nor IPv6 (2)"),
            Self::Prefix => f.write_str("a prefix is too long or runs past the end of the record"),
            Self::Oversized(len) => write!(f, "the record claims {len} octets, more than any record has"),
        }
    }
}

impl fmt::Display for MrtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MRT record at octet {}: {} (at octet {})", self.record, self.fault, self.offset)
    }
}

impl core::error::Error for MrtError {}

/// A fault and where it is within the octets that were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bad {
    pub(super) at: usize,
    pub(super) fault: MrtFault,
}

impl From<CutShort> for Bad {
    fn from(CutShort(at): CutShort) -> Self {
        Self { at, fault: MrtFault::CutShort }
    }
}

/// A record that cannot be written; nothing was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// A field is longer than the record's length fields can say.
    TooLong,
    /// The peer's address and the collector's are of different families.
    MixedAddresses,
    /// An AS number needs four octets in a record that has two for it.
    WideAs(u32),
    /// The record's type has no microseconds, or lacks those it needs.
    Microseconds,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("a field is too long for the record's length fields"),
            Self::MixedAddresses => f.write_str("the peer's address and the collector's are of different families"),
            Self::WideAs(asn) => write!(f, "AS {asn} does not fit the two octets that the record has for it"),
            Self::Microseconds => f.write_str("the record's type has no microseconds, or needs them"),
        }
    }
}

impl core::error::Error for WriteError {}
