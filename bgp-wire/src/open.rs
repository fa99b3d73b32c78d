//! OPEN (RFC 4271 section 4.2): who the peer is and what it offers, with the optional parameters in both lengths (RFC 9072).

use crate::capability::code;
use crate::frame::{self, HEADER_LEN};
use crate::{AS_TRANS, Capability, ErrorCode, Malformed};
use alloc::vec;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use core::fmt;
use core::net::Ipv4Addr;

const PARAMETERS_START: usize = HEADER_LEN + 10;
const CAPABILITIES: u8 = 2;
/// The parameter type that says the lengths have two octets (RFC 9072 section 2).
const EXTENDED: u8 = 255;

/// A view on a received OPEN.
#[derive(Clone, Copy)]
pub struct Open<'a> {
    /// The 2-octet AS number; [`AS_TRANS`] if the real one needs four. See [`Self::asn`].
    pub my_as: u16,
    /// The proposed hold time in seconds: 0 for none, or at least 3.
    pub hold_time: u16,
    /// The BGP identifier; never 0.0.0.0.
    pub identifier: Ipv4Addr,
    parameters: &'a [u8],
    extended: bool,
}

impl<'a> Open<'a> {
    /// From a whole message of at least [`PARAMETERS_START`] octets.
    pub(crate) fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        let short = || Malformed::with_data(ErrorCode::BadMessageLength, 16, frame.get(16..18).unwrap_or_default());
        let &[version, as0, as1, hold0, hold1, a, b, c, d, len, ref rest @ ..] =
            frame.get(HEADER_LEN..).ok_or_else(short)?
        else {
            return Err(short());
        };
        let malformed = |offset| Malformed::new(ErrorCode::MalformedOpen, offset);
        if version != 4 {
            return Err(Malformed::with_data(ErrorCode::UnsupportedVersion, HEADER_LEN, &[0, 4]));
        }
        let (my_as, hold_time) = (u16::from_be_bytes([as0, as1]), u16::from_be_bytes([hold0, hold1]));
        let identifier = Ipv4Addr::new(a, b, c, d);
        // RFC 9072: the one-octet length should be 255 with the extended form; what counts is the type octet, and a length that is not 0.
        let (extended, parameters) = match rest {
            [EXTENDED, len0, len1, rest @ ..] if len != 0 => {
                let len = usize::from(u16::from_be_bytes([*len0, *len1]));
                (true, rest.get(..len).filter(|parameters| parameters.len() == rest.len()))
            }
            rest => (false, rest.get(..usize::from(len)).filter(|parameters| parameters.len() == rest.len())),
        };
        let Some(parameters) = parameters else {
            return Err(malformed(PARAMETERS_START - 1));
        };
        let open = Self { my_as, hold_time, identifier, parameters, extended };
        open.check_parameters(if extended { PARAMETERS_START + 3 } else { PARAMETERS_START })?;
        if open.asn() == 0 {
            return Err(Malformed::new(ErrorCode::BadPeerAs, HEADER_LEN + 1));
        }
        if matches!(hold_time, 1 | 2) {
            return Err(Malformed::new(ErrorCode::UnacceptableHoldTime, HEADER_LEN + 3));
        }
        if identifier.is_unspecified() {
            return Err(Malformed::new(ErrorCode::BadIdentifier, HEADER_LEN + 5));
        }
        Ok(open)
    }

    fn check_parameters(&self, start: usize) -> Result<(), Malformed> {
        let mut rest = self.parameters;
        while !rest.is_empty() {
            let offset = start + self.parameters.len() - rest.len();
            let malformed = Malformed::new(ErrorCode::MalformedOpen, offset);
            let Some((kind, value)) = split_parameter(&mut rest, self.extended) else {
                return Err(malformed);
            };
            if kind != CAPABILITIES {
                return Err(Malformed::new(ErrorCode::UnsupportedOptionalParameter, offset));
            }
            let mut value = value;
            while !value.is_empty() {
                if split_capability(&mut value).is_none() {
                    return Err(malformed);
                }
            }
        }
        Ok(())
    }

    /// The capabilities, in order, over however many parameters they are spread. A repeated one is given each time.
    pub fn capabilities(&self) -> Capabilities<'a> {
        Capabilities { parameters: self.parameters, extended: self.extended, rest: &[] }
    }

    /// The capabilities' codes and values, as they came.
    pub fn raw_capabilities(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut raw = self.capabilities();
        core::iter::from_fn(move || raw.next_raw())
    }

    /// The AS number of the four-octet capability, if there is one (RFC 6793).
    pub fn four_octet_as(&self) -> Option<u32> {
        self.raw_capabilities()
            .find_map(|(kind, value)| (kind == code::FOUR_OCTET_AS).then(|| value.try_into().ok()).flatten())
            .map(u32::from_be_bytes)
    }

    /// The peer's AS number: four octets if it has them, else two.
    pub fn asn(&self) -> u32 {
        self.four_octet_as().unwrap_or(self.my_as.into())
    }

    /// Whether the parameters came with lengths of two octets (RFC 9072).
    pub fn extended_parameters(&self) -> bool {
        self.extended
    }
}

impl fmt::Debug for Open<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OpenBuf::from(*self).fmt(f)
    }
}

fn split_parameter<'a>(rest: &mut &'a [u8], extended: bool) -> Option<(u8, &'a [u8])> {
    let (kind, len, body) = match (extended, *rest) {
        (false, [kind, len, body @ ..]) => (*kind, usize::from(*len), body),
        (true, [kind, len0, len1, body @ ..]) => (*kind, usize::from(u16::from_be_bytes([*len0, *len1])), body),
        _ => return None,
    };
    let (value, after) = body.split_at_checked(len)?;
    *rest = after;
    Some((kind, value))
}

fn split_capability<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    split_parameter(rest, false)
}

/// The capabilities of an OPEN, decoded as they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities<'a> {
    parameters: &'a [u8],
    extended: bool,
    rest: &'a [u8],
}

impl<'a> Capabilities<'a> {
    fn next_raw(&mut self) -> Option<(u8, &'a [u8])> {
        while self.rest.is_empty() {
            self.rest = split_parameter(&mut self.parameters, self.extended)?.1;
        }
        split_capability(&mut self.rest)
    }
}

impl Iterator for Capabilities<'_> {
    type Item = Capability;

    fn next(&mut self) -> Option<Capability> {
        self.next_raw().map(|(code, value)| Capability::decode(code, value))
    }
}

/// An OPEN to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBuf {
    /// The sender's AS number. One that needs four octets is also to be given as [`Capability::FourOctetAs`].
    pub asn: u32,
    /// The proposed hold time in seconds.
    pub hold_time: u16,
    /// The BGP identifier.
    pub identifier: Ipv4Addr,
    /// The capabilities, in the order they are sent.
    pub capabilities: Vec<Capability>,
}

impl OpenBuf {
    /// Appends the whole message. The capabilities go into one parameter, in the extended form only if they need it; those that would
    /// not fit a message of [`frame::MAX_LEN`] octets are left out.
    pub fn encode(&self, out: &mut BytesMut) {
        const EXTENDED_OVERHEAD: usize = 6;
        let room = frame::MAX_LEN - PARAMETERS_START - EXTENDED_OVERHEAD;
        let mut capabilities = Vec::new();
        for capability in &self.capabilities {
            let before = capabilities.len();
            capability.encode(&mut capabilities);
            if capabilities.len() > room {
                capabilities.truncate(before);
            }
        }
        let parameters = match capabilities.len() {
            0 => vec![0],
            len @ 1..=253 => [&[len as u8 + 2, CAPABILITIES, len as u8], &capabilities[..]].concat(),
            len => {
                let ([a, b], [c, d]) = ((len as u16 + 3).to_be_bytes(), (len as u16).to_be_bytes());
                [&[EXTENDED, EXTENDED, a, b, CAPABILITIES, c, d], &capabilities[..]].concat()
            }
        };
        out.put_slice(&frame::header((PARAMETERS_START - 1 + parameters.len()) as u16, frame::OPEN));
        out.put_u8(4);
        out.put_u16(u16::try_from(self.asn).unwrap_or(AS_TRANS));
        out.put_u16(self.hold_time);
        out.put_slice(&self.identifier.octets());
        out.put_slice(&parameters);
    }
}

impl From<Open<'_>> for OpenBuf {
    fn from(open: Open<'_>) -> Self {
        Self {
            asn: open.asn(),
            hold_time: open.hold_time,
            identifier: open.identifier,
            capabilities: open.capabilities().collect(),
        }
    }
}
