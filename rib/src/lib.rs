//! Per-VRF routing tables, interned attributes, the decision process and Adj-RIB-Out groups.
//!
//! The crate owns what a BGP speaker knows: [`Interner`] (attributes), [`NextHops`], [`Sources`], shared by all tables of a shard
//! as [`Pools`]; a [`Table`] per VRF and family with the [`decision`] process; and [`adj_out`], which turns changes
//! of a table into the messages its neighbours must get. It is given parsed routes and states of next hops. It does no
//! I/O, reads no clock, starts no thread, and knows nothing of leaking beyond "a path may come from an edge".
//!
//! Everything is plain data with 32-bit ids and non-atomic counts: one shard owns it and mutates it through `&mut`.
//! The same calls in the same order always give the same ids and the same messages.

pub mod adj_out;
mod attrs;
pub mod decision;
mod hash;
mod id;
mod next_hop;
mod slab;
mod source;
mod table;
mod way;

pub use attrs::{Attr, Hot, Interner};
use decision::Candidate;
pub use decision::{Step, Verdict};
pub use hash::Key;
pub use id::{AttrId, DestId, NextHopId, PathRef, SourceId, VrfId};
pub use next_hop::{Egress, NextHopChange, NextHopEntry, NextHopState, NextHops};
pub use source::{Advertise, Leak, Neighbor, Origination, Source, Sources};
pub use table::{Change, Destination, Holder, Path, PathView, Table};

/// What all tables of one shard share.
#[derive(Debug, Default)]
pub struct Pools {
    /// Interned attributes.
    pub attrs: Interner,
    /// Interned next hops with their states.
    pub next_hops: NextHops,
    /// Where paths come from.
    pub sources: Sources,
    /// Room to decide in, kept so that a decision allocates nothing.
    candidates: Vec<Candidate>,
}

impl Pools {
    /// Empty pools; `seed` salts the hash of attributes.
    pub fn with_seed(seed: u64) -> Self {
        Pools { attrs: Interner::with_seed(seed), ..Self::default() }
    }

    /// Nothing is interned and no source is known.
    pub fn is_empty(&self) -> bool {
        self.attrs.is_empty() && self.next_hops.is_empty() && self.sources.is_empty()
    }
}
