//! What can be wrong with a message, and what RFC 7606 has the receiver do about it.
//!
//! Two grades: [`Malformed`] ends the session and becomes a NOTIFICATION; a [`Fault`] is met inside an UPDATE whose routes can still
//! be told apart, and asks for something milder.

use crate::Notification;
use crate::attributes::{RawAttribute, code};
use bytes::Bytes;
use core::fmt;

/// What is wrong. Each has the NOTIFICATION code and subcode that RFC 4271 section 6 gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The marker is not all ones (RFC 4271 section 6.1).
    ConnectionNotSynchronized,
    /// The header's length is out of bounds for the message type, or not the length of the frame.
    BadMessageLength,
    /// The message type is unknown.
    BadMessageType,
    /// OPEN carries a version other than 4.
    UnsupportedVersion,
    /// OPEN carries AS 0 (RFC 7607).
    BadPeerAs,
    /// OPEN carries the BGP identifier 0.0.0.0 (RFC 6286).
    BadIdentifier,
    /// OPEN carries an optional parameter other than capabilities.
    UnsupportedOptionalParameter,
    /// OPEN carries a hold time of one or two seconds.
    UnacceptableHoldTime,
    /// The optional parameters of OPEN do not fit their length fields.
    MalformedOpen,
    /// A length field of the UPDATE or of its attribute list contradicts the octets there are.
    MalformedAttributeList,
    /// An attribute came more than once; the first is kept (RFC 7606 section 3 g).
    DuplicateAttribute,
    /// An attribute is marked well-known but has no meaning known here.
    UnrecognizedWellKnownAttribute,
    /// A well-known mandatory attribute is missing while routes are announced.
    MissingWellKnownAttribute,
    /// The Optional or Transitive flag contradicts the attribute's type.
    AttributeFlags,
    /// The attribute has a length its type does not allow.
    AttributeLength,
    /// ORIGIN is none of IGP, EGP, INCOMPLETE.
    InvalidOrigin,
    /// AS_PATH or AS4_PATH has an unknown or empty segment, or one that runs past its end.
    MalformedAsPath,
    /// A confederation segment came from a peer outside the confederation (RFC 5065 section 5).
    ConfederationSegment,
    /// AS 0 appears in a path or an aggregator (RFC 7607).
    AsZero,
    /// The attribute is not meant to come from this kind of peer.
    UnexpectedAttribute,
    /// MP_REACH_NLRI or MP_UNREACH_NLRI is too short, or its next hop is of no length the family allows.
    MalformedMultiprotocol,
    /// A prefix in MP_REACH_NLRI or MP_UNREACH_NLRI is longer than its family allows or runs past the attribute's end.
    InvalidMultiprotocolNlri,
    /// A prefix in the NLRI or withdrawn field is longer than its family allows or runs past the field's end.
    InvalidNetworkField,
    /// ROUTE-REFRESH has a length other than that of its subtype (RFC 7313 section 5).
    InvalidRefreshLength,
}

impl ErrorCode {
    /// Every code, in the order of the messages they are met in.
    pub const ALL: [Self; 24] = [
        Self::ConnectionNotSynchronized,
        Self::BadMessageLength,
        Self::BadMessageType,
        Self::UnsupportedVersion,
        Self::BadPeerAs,
        Self::BadIdentifier,
        Self::UnsupportedOptionalParameter,
        Self::UnacceptableHoldTime,
        Self::MalformedOpen,
        Self::MalformedAttributeList,
        Self::DuplicateAttribute,
        Self::UnrecognizedWellKnownAttribute,
        Self::MissingWellKnownAttribute,
        Self::AttributeFlags,
        Self::AttributeLength,
        Self::InvalidOrigin,
        Self::MalformedAsPath,
        Self::ConfederationSegment,
        Self::AsZero,
        Self::UnexpectedAttribute,
        Self::MalformedMultiprotocol,
        Self::InvalidMultiprotocolNlri,
        Self::InvalidNetworkField,
        Self::InvalidRefreshLength,
    ];

    /// The NOTIFICATION code and subcode.
    pub const fn notification(self) -> (u8, u8) {
        match self {
            Self::ConnectionNotSynchronized => (1, 1),
            Self::BadMessageLength => (1, 2),
            Self::BadMessageType => (1, 3),
            Self::MalformedOpen => (2, 0),
            Self::UnsupportedVersion => (2, 1),
            Self::BadPeerAs => (2, 2),
            Self::BadIdentifier => (2, 3),
            Self::UnsupportedOptionalParameter => (2, 4),
            Self::UnacceptableHoldTime => (2, 6),
            Self::MalformedAttributeList | Self::DuplicateAttribute | Self::MalformedMultiprotocol => (3, 1),
            Self::UnrecognizedWellKnownAttribute => (3, 2),
            Self::MissingWellKnownAttribute => (3, 3),
            Self::AttributeFlags => (3, 4),
            Self::AttributeLength => (3, 5),
            Self::InvalidOrigin => (3, 6),
            Self::UnexpectedAttribute | Self::InvalidMultiprotocolNlri => (3, 9),
            Self::InvalidNetworkField => (3, 10),
            Self::MalformedAsPath | Self::ConfederationSegment | Self::AsZero => (3, 11),
            Self::InvalidRefreshLength => (7, 1),
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::ConnectionNotSynchronized => "the marker is not all ones",
            Self::BadMessageLength => "the message length is out of bounds",
            Self::BadMessageType => "the message type is unknown",
            Self::UnsupportedVersion => "the BGP version is not 4",
            Self::BadPeerAs => "the peer's AS is 0",
            Self::BadIdentifier => "the BGP identifier is 0.0.0.0",
            Self::UnsupportedOptionalParameter => "an optional parameter is not capabilities",
            Self::UnacceptableHoldTime => "the hold time is below three seconds",
            Self::MalformedOpen => "the optional parameters do not fit their lengths",
            Self::MalformedAttributeList => "a length contradicts the octets there are",
            Self::DuplicateAttribute => "the attribute came before",
            Self::UnrecognizedWellKnownAttribute => "a well-known attribute is not known here",
            Self::MissingWellKnownAttribute => "a mandatory attribute is missing",
            Self::AttributeFlags => "the flags contradict the attribute's type",
            Self::AttributeLength => "the attribute's length is not one its type allows",
            Self::InvalidOrigin => "the origin is unknown",
            Self::MalformedAsPath => "an AS path segment is unknown, empty or cut short",
            Self::ConfederationSegment => "a confederation segment came from outside the confederation",
            Self::AsZero => "AS 0 is not allowed",
            Self::UnexpectedAttribute => "the attribute is not meant to come from this kind of peer",
            Self::MalformedMultiprotocol => "the attribute is too short or its next hop has a wrong length",
            Self::InvalidMultiprotocolNlri => "a prefix of the attribute is too long or cut short",
            Self::InvalidNetworkField => "a prefix is too long or cut short",
            Self::InvalidRefreshLength => "the ROUTE-REFRESH has the wrong length",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A message that cannot be used at all: the session has to end with a NOTIFICATION.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub code: ErrorCode,
    /// Where, in octets from the start of the message.
    pub offset: usize,
    /// The attribute concerned, by type.
    pub attribute: Option<u8>,
    /// The data field of the NOTIFICATION, as RFC 4271 section 6 asks for this code.
    pub data: Bytes,
}

impl Malformed {
    #[cold]
    pub(crate) fn new(code: ErrorCode, offset: usize) -> Self {
        Self { code, offset, attribute: None, data: Bytes::new() }
    }

    #[cold]
    pub(crate) fn with_data(code: ErrorCode, offset: usize, data: &[u8]) -> Self {
        Self { code, offset, attribute: None, data: Bytes::copy_from_slice(data) }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(attribute) = self.attribute {
            write!(f, "attribute {attribute}: ")?;
        }
        write!(f, "{} (at octet {})", self.code, self.offset)
    }
}

impl core::error::Error for Malformed {}

impl From<&Malformed> for Notification {
    fn from(malformed: &Malformed) -> Self {
        let (code, subcode) = malformed.code.notification();
        Self { code, subcode, data: malformed.data.clone() }
    }
}

/// What RFC 7606 section 2 has the receiver do, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// The attribute is dropped, the routes stand.
    AttributeDiscard,
    /// Every route the UPDATE announces counts as withdrawn.
    TreatAsWithdraw,
    /// Every route of the family goes, and further ones are ignored ("AFI/SAFI disable", RFC 4760 section 7); whatever else the UPDATE
    /// announces counts as withdrawn. Where no other family is left, the session ends: see [`crate::Update::reset`].
    DisableFamily,
    /// The session ends.
    SessionReset,
}

/// Something wrong in an UPDATE that leaves the session standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// What to do about it; [`crate::Update`] has already left a discarded attribute out.
    pub action: Action,
    /// What is wrong.
    pub code: ErrorCode,
    /// The attribute concerned, by type; `None` where the attribute list itself is cut short.
    pub attribute: Option<u8>,
    /// Where, in octets from the start of the message.
    pub offset: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::AttributeDiscard => "attribute discarded",
            Action::TreatAsWithdraw => "treated as withdrawal",
            Action::DisableFamily => "family disabled",
            Action::SessionReset => "session reset",
        };
        if let Some(attribute) = self.attribute {
            write!(f, "attribute {attribute}: ")?;
        }
        write!(f, "{} (at octet {}): {action}", self.code, self.offset)
    }
}

impl Fault {
    /// The NOTIFICATION for this fault, for a caller who ends the session all the same (RFC 4271 section 6.3). `frame` is the message
    /// the fault was met in: the data is the attribute from there, or the type of one that is missing.
    pub fn notification(&self, frame: &[u8]) -> Notification {
        let (code, subcode) = match (self.code, self.attribute) {
            // Malformed AS_PATH would be the wrong name.
            (ErrorCode::AsZero, Some(code::AGGREGATOR | code::AS4_AGGREGATOR)) => (3, 9),
            _ => self.code.notification(),
        };
        let data = match self.code {
            ErrorCode::MissingWellKnownAttribute => self.attribute.into_iter().collect(),
            ErrorCode::DuplicateAttribute => Bytes::new(),
            _ => {
                let found = RawAttribute::read(frame.get(self.offset..).unwrap_or_default());
                let taken = found.map_or(0, |(_, taken)| taken);
                Bytes::copy_from_slice(frame.get(self.offset..self.offset + taken).unwrap_or_default())
            }
        };
        Notification { code, subcode, data }
    }
}
