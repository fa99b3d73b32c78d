//! NOTIFICATION: why a session ends (RFC 4271 section 4.5), with the text an operator may add (RFC 9003).

use crate::frame::{self, HEADER_LEN};
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;

/// Subcodes of OPEN message errors (code 2) that a session raises itself.
pub mod open {
    /// Unspecific.
    pub const UNSPECIFIC: u8 = 0;
    /// The version is not supported.
    pub const UNSUPPORTED_VERSION: u8 = 1;
    /// The peer's AS is not the one configured.
    pub const BAD_PEER_AS: u8 = 2;
    /// The identifier is not valid, or is our own on an internal session.
    pub const BAD_IDENTIFIER: u8 = 3;
    /// An optional parameter is not capabilities.
    pub const UNSUPPORTED_OPTIONAL_PARAMETER: u8 = 4;
    /// The hold time is not acceptable.
    pub const UNACCEPTABLE_HOLD_TIME: u8 = 6;
    /// A capability is missing (RFC 5492).
    pub const UNSUPPORTED_CAPABILITY: u8 = 7;
    /// The roles do not go together (RFC 9234).
    pub const ROLE_MISMATCH: u8 = 11;
}

/// Subcodes of finite state machine errors (code 5), by RFC 6608.
pub mod fsm {
    /// Unspecific.
    pub const UNSPECIFIC: u8 = 0;
    /// An unexpected message in OpenSent.
    pub const IN_OPEN_SENT: u8 = 1;
    /// An unexpected message in OpenConfirm.
    pub const IN_OPEN_CONFIRM: u8 = 2;
    /// An unexpected message in Established.
    pub const IN_ESTABLISHED: u8 = 3;
}

/// Subcodes of CEASE (code 6), by RFC 4486, 8538 and 9384.
pub mod cease {
    /// More prefixes than allowed.
    pub const MAXIMUM_PREFIXES: u8 = 1;
    /// The operator shut the session down.
    pub const ADMINISTRATIVE_SHUTDOWN: u8 = 2;
    /// The peer was removed from the configuration.
    pub const PEER_DECONFIGURED: u8 = 3;
    /// The operator reset the session.
    pub const ADMINISTRATIVE_RESET: u8 = 4;
    /// The connection was refused.
    pub const CONNECTION_REJECTED: u8 = 5;
    /// Some other change of configuration.
    pub const OTHER_CONFIGURATION_CHANGE: u8 = 6;
    /// Another connection to the same peer won.
    pub const CONNECTION_COLLISION: u8 = 7;
    /// The speaker is out of resources.
    pub const OUT_OF_RESOURCES: u8 = 8;
    /// A reset that ends graceful restart too.
    pub const HARD_RESET: u8 = 9;
    /// Bidirectional forwarding detection says the path is down.
    pub const BFD_DOWN: u8 = 10;
}

/// Message header error.
pub const MESSAGE_HEADER_ERROR: u8 = 1;
/// OPEN message error.
pub const OPEN_ERROR: u8 = 2;
/// UPDATE message error.
pub const UPDATE_ERROR: u8 = 3;
/// The hold timer expired.
pub const HOLD_TIMER_EXPIRED: u8 = 4;
/// A message came in a state where it may not.
pub const FSM_ERROR: u8 = 5;
/// The session ends for a reason that is no error of the protocol.
pub const CEASE: u8 = 6;
/// ROUTE-REFRESH message error (RFC 7313).
pub const ROUTE_REFRESH_ERROR: u8 = 7;
/// The peer took nothing from us for too long (RFC 9687).
pub const SEND_HOLD_TIMER_EXPIRED: u8 = 8;

/// A NOTIFICATION. It owns its data: it outlives the session it ends, so as to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notification {
    /// The error code, such as [`CEASE`].
    pub code: u8,
    /// The subcode, whose meaning depends on the code; 0 is unspecific.
    pub subcode: u8,
    /// Whatever the code asks for; cut on sending where it does not fit a message.
    pub data: Bytes,
}

impl Notification {
    /// Longest text of [`Self::cease_with_text`], in octets (RFC 9003 section 2).
    pub const MAX_TEXT: usize = 255;

    /// A NOTIFICATION without data.
    pub const fn new(code: u8, subcode: u8) -> Self {
        Self { code, subcode, data: Bytes::new() }
    }

    /// A CEASE without text.
    pub const fn cease(subcode: u8) -> Self {
        Self::new(CEASE, subcode)
    }

    /// A CEASE of the kinds [`cease::ADMINISTRATIVE_SHUTDOWN`] and [`cease::ADMINISTRATIVE_RESET`] with a text for the other side's
    /// operator (RFC 9003). Text beyond [`Self::MAX_TEXT`] octets is cut at a character's end.
    pub fn cease_with_text(subcode: u8, text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(Self::MAX_TEXT)];
        let mut data = BytesMut::with_capacity(1 + text.len());
        data.put_u8(text.len() as u8);
        data.put_slice(text.as_bytes());
        Self { code: CEASE, subcode, data: data.freeze() }
    }

    /// The text the other side's operator gave with a shutdown or reset (RFC 9003). `None` if there is none or it is not UTF-8.
    /// Control characters are for the caller to escape when showing it.
    pub fn shutdown_communication(&self) -> Option<&str> {
        if self.code != CEASE || !matches!(self.subcode, cease::ADMINISTRATIVE_SHUTDOWN | cease::ADMINISTRATIVE_RESET) {
            return None;
        }
        let (&len, text) = self.data.split_first()?;
        core::str::from_utf8(text.get(..usize::from(len))?).ok().filter(|text| !text.is_empty())
    }

    /// From a whole message; the header's checks leave nothing that could be wrong.
    pub(crate) fn parse(frame: &[u8]) -> Self {
        match frame.get(HEADER_LEN..) {
            Some([code, subcode, data @ ..]) => {
                Self { code: *code, subcode: *subcode, data: Bytes::copy_from_slice(data) }
            }
            _ => Self::new(0, 0),
        }
    }

    /// Appends the whole message, its data cut to what fits [`frame::MAX_LEN`].
    pub fn encode(&self, out: &mut BytesMut) {
        let room = frame::MAX_LEN - HEADER_LEN - 2;
        let data = &self.data[..self.data.len().min(room)];
        out.put_slice(&frame::header((HEADER_LEN + 2 + data.len()) as u16, frame::NOTIFICATION));
        out.put_slice(&[self.code, self.subcode]);
        out.put_slice(data);
    }

    fn names(&self) -> (Option<&'static str>, Option<&'static str>) {
        let (code, subcodes): (_, &[&str]) = match self.code {
            MESSAGE_HEADER_ERROR => {
                ("message header error", &["", "connection not synchronized", "bad message length", "bad message type"])
            }
            OPEN_ERROR => (
                "OPEN message error",
                &[
                    "",
                    "unsupported version number",
                    "bad peer AS",
                    "bad BGP identifier",
                    "unsupported optional parameter",
                    "",
                    "unacceptable hold time",
                    "unsupported capability",
                    "",
                    "",
                    "",
                    "role mismatch",
                ],
            ),
            UPDATE_ERROR => (
                "UPDATE message error",
                &[
                    "",
                    "malformed attribute list",
                    "unrecognized well-known attribute",
                    "missing well-known attribute",
                    "attribute flags error",
                    "attribute length error",
                    "invalid ORIGIN attribute",
                    "",
                    "invalid NEXT_HOP attribute",
                    "optional attribute error",
                    "invalid network field",
                    "malformed AS_PATH",
                ],
            ),
            HOLD_TIMER_EXPIRED => ("hold timer expired", &[]),
            FSM_ERROR => (
                "finite state machine error",
                &[
                    "",
                    "unexpected message in OpenSent",
                    "unexpected message in OpenConfirm",
                    "unexpected message in Established",
                ],
            ),
            CEASE => (
                "cease",
                &[
                    "",
                    "maximum number of prefixes reached",
                    "administrative shutdown",
                    "peer deconfigured",
                    "administrative reset",
                    "connection rejected",
                    "other configuration change",
                    "connection collision resolution",
                    "out of resources",
                    "hard reset",
                    "BFD down",
                ],
            ),
            ROUTE_REFRESH_ERROR => ("ROUTE-REFRESH message error", &["", "invalid message length"]),
            SEND_HOLD_TIMER_EXPIRED => ("send hold timer expired", &[]),
            _ => return (None, None),
        };
        (Some(code), subcodes.get(usize::from(self.subcode)).copied().filter(|name| !name.is_empty()))
    }
}

/// Code and subcode by name, then the operator's text if there is one; unknown numbers are shown as numbers.
impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, subcode) = self.names();
        match code {
            Some(name) => f.write_str(name)?,
            None => write!(f, "error code {}", self.code)?,
        }
        match subcode {
            Some(name) => write!(f, ": {name}")?,
            None if self.subcode != 0 => write!(f, ": subcode {}", self.subcode)?,
            None => {}
        }
        match self.shutdown_communication() {
            Some(text) => write!(f, " ({text:?})"),
            None => Ok(()),
        }
    }
}
