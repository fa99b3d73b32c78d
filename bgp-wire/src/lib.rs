//! BGP messages to and from bytes: borrowed views, exact encoding, RFC 7606 errors.
//!
//! Owns the layout of messages. Is given whole messages (see [`frame::peek`] for finding them in a stream) and the [`DecodeCtx`] that
//! the session negotiated; gives views on them, and messages as octets. Never does I/O, reads no clock, keeps no state between messages.
//! Needs `core` and `alloc` only.
//!
//! ```
//! use bgp_wire::{DecodeCtx, Message, frame};
//!
//! let received = frame::KEEPALIVE_MESSAGE;
//! let length = frame::peek(&received, frame::MAX_LEN)?.unwrap_or(0);
//! let message = Message::parse(&received[..length], &DecodeCtx::default())?;
//! assert!(matches!(message, Message::Keepalive));
//! # Ok::<(), bgp_wire::Malformed>(())
//! ```
//!
//! # What it costs
//!
//! No octets, however chosen, make it panic, take more than time linear in their number, or allocate more than this:
//!
//! | What | allocates at most |
//! |---|---|
//! | [`Message::parse`], the views it gives, [`mrt::Reader`], BMP | nothing; a NOTIFICATION and an error, the octets they quote |
//! | [`Update::canonical_attributes`], [`AttributesBuilder::from_canonical`] | 4 for each of the message or block |
//! | [`AsPathBuf`] of a view | 16 for each of the attribute |
//! | [`OpenBuf`] of a view | 64 for each of the message |
//! | text | 48 for each of the text |
//! | `mrt::Stream` | 256 KiB, and 2 for each of the file, but of no record more than its longest |
//!
//! To each come at most 512 octets whatever the input. Encoding takes what it writes, and a constant.

#![no_std]

extern crate alloc;
#[cfg(feature = "stream")]
extern crate std;

mod as_path;
pub mod attributes;
#[cfg(feature = "bmp")]
pub mod bmp;
mod builder;
mod capability;
mod community;
mod cursor;
mod encode;
mod error;
mod ext_community;
mod family;
mod filters;
pub mod frame;
mod message;
pub mod mrt;
mod nlri;
pub mod notification;
mod open;
mod prefix_sid;
mod refresh;
pub mod routes;
mod text;
mod tunnel;
mod update;

pub use as_path::{AS_TRANS, AsPath, AsPathBuf, Asns, Segment, SegmentKind, Segments};
pub use attributes::{Aggregator, Attributes, AttributesIter, Origin, RawAttribute};
pub use builder::{AttributeBlock, AttributesBuilder};
pub use capability::{
    AddPath, AddPathMode, Capability, ExtendedNextHop, GracefulRestart, GracefulRestartFamily, LongLivedFamily,
    MultipleLabels, PathsLimit, Role, RouteFilterFamily, RouteFilterMode,
};
pub use community::{Community, LargeCommunity, List, Listed};
pub use encode::{EncodeError, UpdateEncoder};
pub use error::{Action, ErrorCode, Fault, Malformed};
pub use ext_community::{Administrator, ExtendedCommunity, Ipv6ExtendedCommunity, TypedCommunity};
pub use family::{AfiSafi, Family, FamilySet, Ipv4Unicast, Ipv6Unicast};
pub use filters::{FilterList, PrefixFilter, PrefixFilterAction, RouteFilters};
pub use message::{DecodeCtx, EncodeCtx, Message, PeerKind};
pub use nlri::Nlri;
pub use notification::Notification;
pub use open::{Capabilities, Open, OpenBuf};
pub use prefix_sid::{PrefixSid, PrefixSidTlv, SidStructure, Srv6Service, Srv6Sid};
pub use refresh::{RefreshSubtype, RouteRefresh};
pub use routes::{EvpnRoute, Form, LabelledPrefix, RouteDistinguisher, Routes, VpnPrefix};
pub use text::{Asdot, TextError, parse_asn, parse_prefix};
pub use tunnel::{PmsiTunnel, PmsiTunnelKind, SubTlv, Tunnel, Tunnels};
pub use update::{MpReach, MpUnreach, NextHop, Update, UpdateIndex};

/// The programs of the page in the docs.
#[cfg(doctest)]
#[doc = include_str!("../../docs/bgp-wire.md")]
mod guide {}
