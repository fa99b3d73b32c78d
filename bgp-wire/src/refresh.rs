//! ROUTE-REFRESH (RFC 2918), with the demarcation of RFC 7313 and the route filters of RFC 5291.

use crate::frame::{self, HEADER_LEN};
use crate::{AfiSafi, ErrorCode, Malformed, RouteFilters};
use bytes::{BufMut, BytesMut};

/// The second octet of a ROUTE-REFRESH, reserved in RFC 2918 and given meaning by RFC 7313 section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshSubtype {
    /// Send me your routes again.
    Request,
    /// The routes that follow are a refresh (BoRR).
    BeginOfRr,
    /// The refresh is over; what was not sent again is gone (EoRR).
    EndOfRr,
    /// A subtype that is to be ignored.
    Other(u8),
}

impl RefreshSubtype {
    /// The octet on the wire.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Request => 0,
            Self::BeginOfRr => 1,
            Self::EndOfRr => 2,
            Self::Other(octet) => octet,
        }
    }
}

impl From<u8> for RefreshSubtype {
    fn from(octet: u8) -> Self {
        match octet {
            0 => Self::Request,
            1 => Self::BeginOfRr,
            2 => Self::EndOfRr,
            octet => Self::Other(octet),
        }
    }
}

/// A ROUTE-REFRESH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteRefresh {
    /// The family concerned.
    pub family: AfiSafi,
    /// What is asked or marked.
    pub subtype: RefreshSubtype,
}

impl RouteRefresh {
    /// Octets of the whole message.
    pub const LEN: usize = HEADER_LEN + 4;

    /// From a whole message. For the route filters that may follow a request, see [`RouteFilters::parse`].
    pub(crate) fn parse(frame: &[u8]) -> Result<Self, Malformed> {
        let too_short = || Malformed::with_data(ErrorCode::BadMessageLength, 16, frame.get(16..18).unwrap_or_default());
        let Some(&[afi0, afi1, subtype, safi, ref filters @ ..]) = frame.get(HEADER_LEN..) else {
            return Err(too_short());
        };
        let subtype = RefreshSubtype::from(subtype);
        if !filters.is_empty() && matches!(subtype, RefreshSubtype::BeginOfRr | RefreshSubtype::EndOfRr) {
            return Err(Malformed::with_data(ErrorCode::InvalidRefreshLength, 16, frame));
        }
        Ok(Self { family: AfiSafi::new(u16::from_be_bytes([afi0, afi1]), safi), subtype })
    }

    /// Appends the whole message.
    pub fn encode(&self, out: &mut BytesMut) {
        self.put(&[], out);
    }

    /// Appends the whole message, with route filters after it. Those that do not fit a message of `max_len` octets are left out, the
    /// last first; true if none was.
    pub fn encode_with(&self, filters: &RouteFilters, max_len: usize, out: &mut BytesMut) -> bool {
        let (octets, whole) = filters.octets(max_len.saturating_sub(Self::LEN));
        self.put(&octets, out);
        whole
    }

    fn put(&self, filters: &[u8], out: &mut BytesMut) {
        out.put_slice(&frame::header((Self::LEN + filters.len()) as u16, frame::ROUTE_REFRESH));
        out.put_u16(self.family.afi);
        out.put_u8(self.subtype.octet());
        out.put_u8(self.family.safi);
        out.put_slice(filters);
    }
}
