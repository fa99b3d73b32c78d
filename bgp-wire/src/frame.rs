//! The header every message starts with (RFC 4271 section 4.1): where one message ends and the next begins.

use crate::{ErrorCode, Malformed};

/// Octets of the header: marker, length, type.
pub const HEADER_LEN: usize = 19;
/// Longest message, in octets, unless extended messages were negotiated.
pub const MAX_LEN: usize = 4096;
/// Longest message, in octets, with extended messages (RFC 8654). OPEN and KEEPALIVE stay below [`MAX_LEN`] even then.
pub const MAX_EXTENDED_LEN: usize = 65535;

/// OPEN's type code.
pub const OPEN: u8 = 1;
/// UPDATE's type code.
pub const UPDATE: u8 = 2;
/// NOTIFICATION's type code.
pub const NOTIFICATION: u8 = 3;
/// KEEPALIVE's type code.
pub const KEEPALIVE: u8 = 4;
/// ROUTE-REFRESH's type code (RFC 2918).
pub const ROUTE_REFRESH: u8 = 5;

/// A whole KEEPALIVE; the message has no content.
pub const KEEPALIVE_MESSAGE: [u8; HEADER_LEN] = header(HEADER_LEN as u16, KEEPALIVE);

/// The header of a message of `len` octets in all.
pub(crate) const fn header(len: u16, kind: u8) -> [u8; HEADER_LEN] {
    let mut octets = [0xff; HEADER_LEN];
    let len = len.to_be_bytes();
    octets[16] = len[0];
    octets[17] = len[1];
    octets[18] = kind;
    octets
}

/// Reads the header at the start of what was received so far: the length in octets of the whole message, header included, or `None`
/// while the header is not all there. The message may still be incomplete: compare with `received.len()`.
///
/// `max_len` is [`MAX_LEN`] or [`MAX_EXTENDED_LEN`].
///
/// # Errors
/// The three errors of RFC 4271 section 6.1. A length is held against the bounds of its message type, so that a message which can
/// only be refused is refused before its octets are waited for.
#[inline]
pub fn peek(received: &[u8], max_len: usize) -> Result<Option<usize>, Malformed> {
    let Some(header) = received.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    if header[..16] != [0xff; 16] {
        return Err(Malformed::new(ErrorCode::ConnectionNotSynchronized, 0));
    }
    let len = usize::from(u16::from_be_bytes([header[16], header[17]]));
    if header[18] == UPDATE && (23..=max_len).contains(&len) {
        return Ok(Some(len));
    }
    let (min, max) = match header[18] {
        OPEN => (29, MAX_LEN),
        UPDATE => (23, max_len),
        NOTIFICATION => (21, max_len),
        KEEPALIVE => (HEADER_LEN, HEADER_LEN),
        ROUTE_REFRESH => (23, max_len),
        kind if (HEADER_LEN..=max_len).contains(&len) => {
            return Err(Malformed::with_data(ErrorCode::BadMessageType, 18, &[kind]));
        }
        _ => (HEADER_LEN, max_len),
    };
    if len < min || len > max {
        return Err(Malformed::with_data(ErrorCode::BadMessageLength, 16, &header[16..18]));
    }
    Ok(Some(len))
}
