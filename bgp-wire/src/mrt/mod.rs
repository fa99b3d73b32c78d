//! MRT (RFC 6396, RFC 8050): the files in which route collectors keep messages and tables, read and written.
//!
//! Owns the layout of the records. [`Reader`] is given the octets of an uncompressed file and borrows everything it gives; `Stream`
//! (feature `stream`) is given any `std::io::Read` and holds one record at a time. Never decodes a BGP message or an attribute by itself:
//! a record hands out their octets, and how to read them.
//!
//! ```
//! use bgp_wire::mrt::{Body, Reader};
//! use bgp_wire::Message;
//!
//! # let file: Vec<u8> = Vec::new();
//! for record in Reader::new(&file) {
//!     match record?.body {
//!         Body::Message(message) => {
//!             if let Ok(Message::Update(update)) = Message::parse(message.message, &message.ctx()) {
//!                 println!("AS{}: {:?} via {:?}", message.between.peer_as, update.nlri(), update.next_hop());
//!             }
//!         }
//!         Body::Rib(rib) => println!("{:?}: {} routes", rib.prefix(), rib.entries().count()),
//!         _ => {}
//!     }
//! }
//! # Ok::<(), bgp_wire::mrt::MrtError>(())
//! ```

mod error;
mod message;
mod read;
mod rib;
#[cfg(feature = "stream")]
mod stream;
mod table;
mod write;

pub use error::{MrtError, MrtFault, WriteError};
pub use message::{Between, PeerMessage, StateChange};
pub use read::Reader;
pub use rib::{PathIds, Peer, Peers, Rib, RibEntry};
#[cfg(feature = "stream")]
pub use stream::{Decompressed, MAX_RECORD_LEN, Stream, StreamError};
pub use table::{TableRoute, TableRoutes};

/// Octets of the header that every record starts with: time, type, subtype, length.
pub const HEADER_LEN: usize = 12;

const TABLE_DUMP: u16 = 12;
const TABLE_DUMP_V2: u16 = 13;
const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;
const ISIS_ET: u16 = 33;
const OSPFV3_ET: u16 = 49;

/// Whether records of the type have microseconds after the header (RFC 6396 section 3).
const fn is_extended(kind: u16) -> bool {
    matches!(kind, BGP4MP_ET | ISIS_ET | OSPFV3_ET)
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where it starts, in octets from the start of the (uncompressed) file. Not written.
    pub offset: u64,
    /// When, in seconds since 1970.
    pub seconds: u32,
    /// The part of a second, in microseconds; `None` where the record type has none.
    pub microseconds: Option<u32>,
    /// What.
    pub body: Body<'a>,
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// A message between a peer and the collector (BGP4MP_MESSAGE and its variants).
    Message(PeerMessage<'a>),
    /// A session changed its state (BGP4MP_STATE_CHANGE, BGP4MP_STATE_CHANGE_AS4).
    StateChange(StateChange),
    /// Routes of a table (TABLE_DUMP): one, or in the oldest dumps as many as fit the record.
    Table(TableRoutes<'a>),
    /// The peers that the routes after it refer to by number (TABLE_DUMP_V2, PEER_INDEX_TABLE).
    Peers(Peers<'a>),
    /// A prefix of a table with the routes to it (TABLE_DUMP_V2, RIB_IPV4_UNICAST and its variants, RIB_GENERIC).
    Rib(Rib<'a>),
    /// A record of another kind, as it came: GEO_PEER_TABLE (RFC 6397), OSPF, IS-IS, deprecated and private types, and RIB_GENERIC of a
    /// family whose routes cannot be told apart here.
    Other {
        /// The MRT type.
        kind: u16,
        /// The MRT subtype.
        subtype: u16,
        /// What follows the header, and the microseconds if the type has them.
        octets: &'a [u8],
    },
}
