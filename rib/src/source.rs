//! Sources: where paths come from.
//!
//! A source is a neighbour's session, a local protocol of a VRF, or an edge into it. Paths carry its 32-bit id; what the
//! decision process and the export function need to know of it is here once. The table counts paths per source.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use crate::slab::{Slab, Slot};
use crate::{SourceId, VrfId};

/// How a path came into its VRF. All but [`Leaked`](Self::Leaked) are native.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origination {
    /// A connected network of an interface in the VRF.
    Connected,
    /// Configured or injected by the operator.
    Static,
    /// Learned from a neighbour.
    Session(Neighbor),
    /// Put there by an edge from another VRF.
    Leaked(Leak),
}

/// The facts about a neighbour that the decision process asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// In another AS (eBGP).
    pub external: bool,
    /// Its AS.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Its address.
    pub address: IpAddr,
}

/// The facts about an edge that the decision process and the export function ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The edge's number, as its owner counts them.
    pub edge: u32,
    /// The edge's standing among those into the VRF: the lower one wins a prefix that several leak. Distinct per VRF.
    pub rank: u32,
    /// To whom the importer may pass its routes on.
    pub advertise: Advertise,
}

/// To whom an importer may advertise what was leaked into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Advertise {
    /// Nobody.
    #[default]
    None,
    /// Its external neighbours.
    Ebgp,
    /// As EVPN routes.
    Evpn,
    /// All its neighbours.
    All,
}

/// `none`, `ebgp`, `evpn` or `all`.
impl fmt::Display for Advertise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Advertise::None => "none",
            Advertise::Ebgp => "ebgp",
            Advertise::Evpn => "evpn",
            Advertise::All => "all",
        })
    }
}

/// One source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The VRF whose table its paths are in.
    pub vrf: VrfId,
    /// What it is.
    pub origination: Origination,
}

impl Source {
    /// Not an edge.
    pub fn is_native(&self) -> bool {
        !matches!(self.origination, Origination::Leaked(_))
    }
}

#[derive(Debug)]
enum Entry {
    Source { source: Source, paths: u32 },
    Hole(u32),
}

impl Slot for Entry {
    fn hole(next: u32) -> Self {
        Entry::Hole(next)
    }

    fn next_hole(&self) -> Option<u32> {
        match self {
            Entry::Source { .. } => None,
            Entry::Hole(next) => Some(*next),
        }
    }
}

/// All sources of one shard.
#[derive(Debug, Default)]
pub struct Sources(Slab<Entry>);

impl Sources {
    /// Adds a source without paths.
    pub fn add(&mut self, source: Source) -> SourceId {
        SourceId(self.0.insert(Entry::Source { source, paths: 0 }))
    }

    /// Removes a source that has no paths left; otherwise, or if it is unknown, changes nothing and returns false.
    pub fn remove(&mut self, id: SourceId) -> bool {
        let removable = matches!(self.0.get(id.0), Some(Entry::Source { paths: 0, .. }));
        if removable {
            self.0.remove(id.0);
        }
        removable
    }

    /// Replaces what is known of a source and returns true if that differs. The caller then decides the destinations of its paths again
    /// ([`Table::redecide`](crate::Table::redecide)). An unknown id changes nothing.
    pub fn set(&mut self, id: SourceId, new: Source) -> bool {
        if self.get(id).is_none_or(|old| *old == new) {
            return false;
        }
        if let Entry::Source { source, .. } = &mut self.0[id.0] {
            *source = new;
        }
        true
    }

    /// The source `id`, if it is known.
    #[inline]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        match self.0.get(id.0)? {
            Entry::Source { source, .. } => Some(source),
            Entry::Hole(_) => None,
        }
    }

    /// The number of paths from `id` in all tables.
    pub fn paths(&self, id: SourceId) -> u32 {
        match self.0.get(id.0) {
            Some(Entry::Source { paths, .. }) => *paths,
            _ => 0,
        }
    }

    #[inline]
    pub(crate) fn add_path(&mut self, id: SourceId) {
        if let Entry::Source { paths, .. } = &mut self.0[id.0] {
            *paths += 1;
        }
    }

    #[inline]
    pub(crate) fn remove_path(&mut self, id: SourceId) {
        if let Entry::Source { paths, .. } = &mut self.0[id.0] {
            *paths -= 1;
        }
    }

    /// Every source.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0..self.0.end()).filter_map(|id| Some((SourceId(id), self.get(SourceId(id))?)))
    }

    /// The number of sources.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is no source.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_with_paths_cannot_be_removed() {
        let mut sources = Sources::default();
        let id = sources.add(Source { vrf: VrfId(1), origination: Origination::Static });
        sources.add_path(id);
        assert!(!sources.remove(id));
        sources.remove_path(id);
        assert!(sources.remove(id) && !sources.remove(id));
        assert!(sources.is_empty() && sources.get(id).is_none());
    }
}
