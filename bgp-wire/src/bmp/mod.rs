//! BMP (RFC 7854, Adj-RIB-Out of RFC 8671, Loc-RIB of RFC 9069): what a router tells a monitoring station, read and written.
//!
//! Owns the layout of the messages. Is given whole messages (see [`peek`] for finding them in a stream) and borrows everything it gives.
//! BGP messages inside are handed out as their octets and how to read them; this module never decodes their content.
//!
//! ```
//! use bgp_wire::bmp::{Message, Tlv, Tlvs, information};
//!
//! let mut tlvs = Vec::new();
//! Tlv { kind: information::SYS_NAME, value: b"leaf01" }.write(&mut tlvs)?;
//! let mut stream = Vec::new();
//! Message::Initiation(Tlvs::new(&tlvs)?).write(&mut stream)?;
//!
//! let len = bgp_wire::bmp::peek(&stream)?.expect("a whole header");
//! let Message::Initiation(told) = Message::parse(&stream[..len])? else { panic!("an initiation") };
//! assert_eq!(told.text(information::SYS_NAME), Some("leaf01"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod message;
mod peer;
mod statistics;
mod tlv;

pub use error::{BmpError, BmpFault, WriteError};
pub use message::{DownReason, Message, PeerDown, PeerUp, RouteMirroring, RouteMonitoring, peek};
pub use peer::{PeerHeader, PeerType, Rib};
pub use statistics::{Counter, CounterValue, Statistics, counter};
pub use tlv::{Tlv, Tlvs, information, mirroring, termination};

/// The version of RFC 7854, which its successors kept.
pub const VERSION: u8 = 3;
/// Octets of the header that every message starts with: version, length, type.
pub const HEADER_LEN: usize = 6;
