//! The 32-bit names by which the tables of a shard refer to each other's contents.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as an index.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "#{}"), self.0)
            }
        }
    };
}

id!(
    /// A VRF of the box. Chosen by the owner of the tables; never reused while a table of it stands.
    VrfId
);
id!(
    /// One set of path attributes in an [`Interner`](crate::Interner). Valid while its count is above zero.
    AttrId
);
id!(
    /// One next hop in a [`NextHops`](crate::NextHops) table. Valid while its count is above zero.
    NextHopId
);
id!(
    /// Where a path came from, in a [`Sources`](crate::Sources) table: a neighbour, a local protocol, or an edge.
    SourceId
);
id!(
    /// One destination (prefix) of one [`Table`](crate::Table). Valid while it has a path or is held.
    DestId
);
id!(
    /// One path of one [`Table`](crate::Table). Valid until it is replaced by nothing, that is, withdrawn.
    PathRef
);
