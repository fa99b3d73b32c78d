//! What a group's members have been told, interned: distinct advertisements, counted by the destinations that carry them.

use bgp_wire::NextHop;
use hashbrown::HashTable;

use crate::hash::pair;
use crate::slab::{NONE, Slab, Slot};
use crate::{AttrId, Interner, SourceId};

/// What is said of a destination. It is not said to the neighbour `except`, which the route came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Attributes and next hop; none for a withdrawal that some member may yet need.
    pub(super) announced: Option<(AttrId, NextHop)>,
    pub(super) except: SourceId,
}

/// The id of a [`Said`] in a [`Pool`], or 0 for nothing ever said.
pub(super) type SaidId = u32;

#[derive(Debug)]
struct Entry {
    said: Said,
    /// 0 in a hole, whose successor is `said.except`.
    count: u32,
}

impl Slot for Entry {
    fn hole(next: u32) -> Self {
        Entry { said: Said { announced: None, except: SourceId(next) }, count: 0 }
    }

    fn next_hole(&self) -> Option<u32> {
        (self.count == 0).then_some(self.said.except.0)
    }
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    index: HashTable<u32>,
    entries: Slab<Entry>,
}

impl Pool {
    /// The id of `said`, its count raised by one. A first use takes a count of the attributes.
    pub(super) fn intern(&mut self, attrs: &mut Interner, said: Said) -> SaidId {
        let Pool { index, entries } = self;
        let hash = hash(&said);
        if let Some(&id) = index.find(hash, |&id| entries[id].said == said) {
            entries[id].count += 1;
            return id + 1;
        }
        if let Some((id, _)) = said.announced {
            attrs.retain(id);
        }
        let id = entries.insert(Entry { said, count: 1 });
        index.insert_unique(hash, id, |&id| self::hash(&entries[id].said));
        id + 1
    }

    #[inline]
    pub(super) fn retain(&mut self, id: SaidId) {
        if id != 0 {
            self.entries[id - 1].count += 1;
        }
    }

    #[inline]
    pub(super) fn release(&mut self, attrs: &mut Interner, id: SaidId) {
        if id == 0 {
            return;
        }
        let entry = &mut self.entries[id - 1];
        if entry.count > 1 {
            entry.count -= 1;
            return;
        }
        let said = entry.said;
        if let Ok(entry) = self.index.find_entry(hash(&said), |&other| other == id - 1) {
            entry.remove();
        }
        self.entries.remove(id - 1);
        if let Some((id, _)) = said.announced {
            attrs.release(id);
        }
    }

    /// What `id` stands for; none for 0.
    #[inline]
    pub(super) fn get(&self, id: SaidId) -> Option<&Said> {
        self.entries.get(id.wrapping_sub(1)).map(|entry| &entry.said)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Empties the pool, whatever the counts.
    pub(super) fn clear(&mut self, attrs: &mut Interner) {
        for id in 0..self.entries.end() {
            if let Some(Entry { said: Said { announced: Some((attr, _)), .. }, .. }) = self.entries.get(id) {
                attrs.release(*attr);
            }
        }
        *self = Pool::default();
    }
}

fn hash(said: &Said) -> u64 {
    // Of one set of attributes there are few next hops, so the pair spreads well enough.
    pair(said.announced.map_or(NONE, |(attrs, _)| attrs.0), said.except.0)
}
