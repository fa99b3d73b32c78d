//! The five messages, and what a session negotiated about how they are written.

use crate::frame::{self, MAX_EXTENDED_LEN, MAX_LEN};
use crate::{ErrorCode, FamilySet, Malformed, Notification, Open, RouteRefresh, Update};

/// Who sent a message; decides which attributes may come from there (RFC 7606 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum PeerKind {
    /// A peer in another AS: LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST are discarded, confederation segments are malformed.
    #[default]
    External,
    /// A peer in the same AS.
    Internal,
    /// A peer in another member AS of the same confederation.
    Confederation,
    /// Not known, as for a message from a dump: nothing is refused for who sent it.
    Unknown,
}

/// How to read what a peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct DecodeCtx {
    /// AS numbers have four octets (RFC 6793).
    pub as4: bool,
    /// Families whose routes come with path identifiers (RFC 7911).
    pub add_path: FamilySet,
    /// Messages may be longer than 4096 octets (RFC 8654).
    pub extended_message: bool,
    /// Families whose routes may come with an IPv6 next hop though they are not IPv6 (RFC 8950).
    pub extended_next_hop: FamilySet,
    /// Who sends.
    pub peer: PeerKind,
}

impl DecodeCtx {
    /// Longest message to accept, in octets.
    pub const fn max_len(&self) -> usize {
        if self.extended_message { MAX_EXTENDED_LEN } else { MAX_LEN }
    }
}

/// How to write what a peer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct EncodeCtx {
    /// AS numbers have four octets (RFC 6793).
    pub as4: bool,
    /// Families whose routes go with path identifiers (RFC 7911).
    pub add_path: FamilySet,
    /// Messages may be longer than 4096 octets (RFC 8654).
    pub extended_message: bool,
    /// Families whose routes may go with an IPv6 next hop though they are not IPv6 (RFC 8950).
    pub extended_next_hop: FamilySet,
}

impl EncodeCtx {
    /// Longest message to write, in octets.
    pub const fn max_len(&self) -> usize {
        if self.extended_message { MAX_EXTENDED_LEN } else { MAX_LEN }
    }
}

/// A parsed message.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// OPEN.
    Open(Open<'a>),
    /// UPDATE.
    Update(Update<'a>),
    /// NOTIFICATION.
    Notification(Notification),
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH.
    RouteRefresh(RouteRefresh),
}

impl<'a> Message<'a> {
    /// Parses exactly one whole message, header included. Allocates nothing, but for the data of a NOTIFICATION.
    ///
    /// # Errors
    /// What must end the session. An UPDATE's milder faults come with the [`Update`].
    #[inline]
    pub fn parse(frame: &'a [u8], ctx: &DecodeCtx) -> Result<Self, Malformed> {
        match frame::peek(frame, ctx.max_len())? {
            Some(len) if len == frame.len() => {}
            _ => {
                return Err(Malformed::with_data(
                    ErrorCode::BadMessageLength,
                    16,
                    frame.get(16..18).unwrap_or_default(),
                ));
            }
        }
        Ok(match frame[18] {
            frame::UPDATE => Self::Update(Update::parse(frame, ctx)?),
            frame::KEEPALIVE => Self::Keepalive,
            frame::OPEN => Self::Open(Open::parse(frame)?),
            frame::NOTIFICATION => Self::Notification(Notification::parse(frame)),
            // The header's check leaves no other type.
            _ => Self::RouteRefresh(RouteRefresh::parse(frame)?),
        })
    }
}
