//! The ways that paths came: source, path identifier and next hop, interned.
//!
//! A table of a million paths knows only a few of these. A path keeps the 32-bit id of its way, which makes it 16 octets instead
//! of 24. Ways are counted like attributes, and hold their next hop while any path came by them.

use hashbrown::HashTable;

use crate::hash::{fold, pair};
use crate::slab::{NONE, Slab, Slot, make_room};
use crate::{NextHopId, NextHops, SourceId};

/// How a path came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) source: SourceId,
    pub(crate) path_id: u32,
    pub(crate) next_hop: NextHopId,
}

impl Way {
    fn hash(&self) -> u64 {
        fold(pair(self.source.0, self.path_id) ^ u64::from(self.next_hop.0), 0x9e37_79b9_7f4a_7c15)
    }
}

/// The id of a [`Way`] in use.
pub(crate) type WayId = u32;

#[derive(Debug)]
struct Entry {
    way: Way,
    /// 0 in a hole, whose successor is the source of its way.
    count: u32,
}

impl Slot for Entry {
    fn hole(next: u32) -> Self {
        Entry { way: Way { source: SourceId(next), path_id: 0, next_hop: NextHopId(NONE) }, count: 0 }
    }

    fn next_hole(&self) -> Option<u32> {
        (self.count == 0).then_some(self.way.source.0)
    }
}

/// All ways in use in one table.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    index: HashTable<u32>,
    entries: Slab<Entry>,
    /// Of the last sources seen, the way last seen.
    recent: [WayId; 8],
}

impl Ways {
    /// The id of `way`, with its count raised by one. A new one takes a count of the next hop.
    #[inline]
    pub(crate) fn intern(&mut self, next_hops: &mut NextHops, way: Way) -> WayId {
        let recent = way.source.index() % self.recent.len();
        let id = self.recent[recent];
        if let Some(entry) = self.entries.get_mut(id)
            && entry.way == way
        {
            entry.count += 1;
            return id;
        }
        let id = self.intern_another(next_hops, way);
        self.recent[recent] = id;
        id
    }

    fn intern_another(&mut self, next_hops: &mut NextHops, way: Way) -> WayId {
        let Ways { index, entries, .. } = self;
        let hash = way.hash();
        if let Some(&id) = index.find(hash, |&id| entries[id].way == way) {
            entries[id].count += 1;
            return id;
        }
        make_room(index, entries, |id| entries[id].way.hash());
        next_hops.retain(way.next_hop);
        let id = entries.insert(Entry { way, count: 1 });
        index.insert_unique(hash, id, |&id| entries[id].way.hash());
        id
    }

    /// Lowers the count of `id` by one, and forgets the way at zero.
    #[inline]
    pub(crate) fn release(&mut self, next_hops: &mut NextHops, id: WayId) {
        let entry = &mut self.entries[id];
        debug_assert!(entry.count > 0, "way {id} released too often");
        if entry.count > 1 {
            entry.count -= 1;
        } else {
            self.forget(next_hops, id);
        }
    }

    fn forget(&mut self, next_hops: &mut NextHops, id: WayId) {
        let way = self.entries[id].way;
        if let Ok(entry) = self.index.find_entry(way.hash(), |&other| other == id) {
            entry.remove();
        }
        self.entries.remove(id);
        next_hops.release(way.next_hop);
        if self.entries.len() == 0 {
            self.index = HashTable::new();
        }
    }

    /// The way of an id in use.
    #[inline]
    pub(crate) fn get(&self, id: WayId) -> &Way {
        &self.entries[id].way
    }

    /// Every way, with the number of paths that came by it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Way, u32)> {
        (0..self.entries.end()).filter_map(|id| self.entries.get(id)).map(|entry| (&entry.way, entry.count))
    }

    /// Octets of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.index.allocation_size() + self.entries.memory()
    }

    /// Whether a path that came by `id` is the one of `source` and `path_id`.
    #[inline]
    pub(crate) fn is_of(&self, id: WayId, source: SourceId, path_id: u32) -> bool {
        let way = self.get(id);
        way.source == source && way.path_id == path_id
    }
}

const _: () = assert!(size_of::<Entry>() == 16);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VrfId;
    use bgp_wire::NextHop;

    #[test]
    fn a_way_holds_its_next_hop_as_long_as_a_path_came_by_it() {
        let (mut ways, mut next_hops) = (Ways::default(), NextHops::default());
        let next_hop = next_hops.intern(VrfId(0), &NextHop::Ipv4([10, 0, 0, 1].into()), None);
        let way = |source, path_id| Way { source: SourceId(source), path_id, next_hop };
        let ids: Vec<WayId> = (0..100).map(|n| ways.intern(&mut next_hops, way(n % 20, n / 20))).collect();
        let again: Vec<WayId> = (0..100).map(|n| ways.intern(&mut next_hops, way(n % 20, n / 20))).collect();
        assert_eq!((&ids, next_hops.count(next_hop)), (&again, 101));
        assert!((0..100).all(|n| ways.is_of(ids[n as usize], SourceId(n % 20), n / 20)));
        for id in ids.iter().chain(&again) {
            ways.release(&mut next_hops, *id);
        }
        assert_eq!((ways.entries.len(), next_hops.count(next_hop)), (0, 1));
        next_hops.release(next_hop);
    }
}
