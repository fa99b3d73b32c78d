//! What a group's members have been told, interned: distinct advertisements, counted by the destinations that carry them.
//!
//! An advertisement is kept as the route it was exported from. What the export function makes of it is computed when it is encoded,
//! which is most often once, and stored nowhere.

use hashbrown::HashTable;

use super::export::Learning;
use crate::hash::{fold, pair};
use crate::slab::{NONE, Slab, Slot, make_room};
use crate::{AttrId, NextHopId, Pools, SourceId};

/// What is said of a destination. It is not said to the neighbour `except`, which the route came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// None for a withdrawal that some member may yet need.
    pub(super) announced: Option<Announced>,
    pub(super) except: SourceId,
}

/// The route that was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) attrs: AttrId,
    /// None where the members are told our own.
    pub(super) next_hop: Option<NextHopId>,
    pub(super) learning: Learning,
}

/// The id of a [`Said`] in a [`Pool`], or 0 for nothing ever said.
pub(super) type SaidId = u32;

#[derive(Debug)]
struct Entry {
    /// [`NONE`] for a withdrawal.
    attrs: AttrId,
    /// [`NONE`] for our own.
    next_hop: NextHopId,
    except: SourceId,
    learning: Learning,
    /// 0 in a hole, whose successor is `except`.
    count: u32,
}

impl Entry {
    #[inline]
    fn of(said: Said) -> Self {
        let announced = said.announced;
        Entry {
            attrs: announced.map_or(AttrId(NONE), |announced| announced.attrs),
            next_hop: announced.and_then(|announced| announced.next_hop).unwrap_or(NextHopId(NONE)),
            except: said.except,
            learning: announced.map_or(Learning::Own, |announced| announced.learning),
            count: 1,
        }
    }

    #[inline]
    fn says_as(&self, other: &Self) -> bool {
        (self.attrs, self.next_hop, self.except, self.learning)
            == (other.attrs, other.next_hop, other.except, other.learning)
    }

    #[inline]
    fn said(&self) -> Said {
        let next_hop = (self.next_hop.0 != NONE).then_some(self.next_hop);
        let announced = Announced { attrs: self.attrs, next_hop, learning: self.learning };
        Said { announced: (self.attrs.0 != NONE).then_some(announced), except: self.except }
    }

    fn hash(&self) -> u64 {
        fold(pair(self.attrs.0, self.next_hop.0) ^ u64::from(self.except.0), 0x9e37_79b9_7f4a_7c15)
    }

    fn retain(&self, pools: &mut Pools) {
        if self.attrs.0 != NONE {
            pools.attrs.retain(self.attrs);
        }
        if self.next_hop.0 != NONE {
            pools.next_hops.retain(self.next_hop);
        }
    }

    fn release(&self, pools: &mut Pools) {
        if self.attrs.0 != NONE {
            pools.attrs.release(self.attrs);
        }
        if self.next_hop.0 != NONE {
            pools.next_hops.release(self.next_hop);
        }
    }
}

impl Slot for Entry {
    fn hole(next: u32) -> Self {
        let (attrs, next_hop) = (AttrId(NONE), NextHopId(NONE));
        Entry { attrs, next_hop, except: SourceId(next), learning: Learning::Own, count: 0 }
    }

    fn next_hole(&self) -> Option<u32> {
        (self.count == 0).then_some(self.except.0)
    }
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    index: HashTable<u32>,
    entries: Slab<Entry>,
    /// The last one interned, since routes come in runs: 0 or an id in use.
    last: SaidId,
}

impl Pool {
    /// The id of `said`, its count raised by one. A first use takes a count of the attributes and the next hop.
    pub(super) fn intern(&mut self, pools: &mut Pools, said: Said) -> SaidId {
        let Pool { index, entries, last } = self;
        let new = Entry::of(said);
        if *last != 0 && entries[*last - 1].says_as(&new) {
            entries[*last - 1].count += 1;
            return *last;
        }
        let hash = new.hash();
        if let Some(&id) = index.find(hash, |&id| entries[id].says_as(&new)) {
            entries[id].count += 1;
            *last = id + 1;
            return *last;
        }
        make_room(index, entries, |id| entries[id].hash());
        new.retain(pools);
        let id = entries.insert(new);
        index.insert_unique(hash, id, |&id| entries[id].hash());
        *last = id + 1;
        *last
    }

    /// Raises the count of the last one interned, if that is `id`; 0 is nothing ever said and needs no count.
    #[inline]
    pub(super) fn again(&mut self, id: SaidId) -> bool {
        if id != 0 && id == self.last {
            self.entries[id - 1].count += 1;
        }
        id == 0 || id == self.last
    }

    #[inline]
    pub(super) fn release(&mut self, pools: &mut Pools, id: SaidId) {
        if id == 0 {
            return;
        }
        let entry = &mut self.entries[id - 1];
        if entry.count > 1 {
            entry.count -= 1;
        } else {
            self.forget(pools, id);
        }
    }

    fn forget(&mut self, pools: &mut Pools, id: SaidId) {
        if let Ok(entry) = self.index.find_entry(self.entries[id - 1].hash(), |&other| other == id - 1) {
            entry.remove();
        }
        self.entries.remove(id - 1).release(pools);
        if self.last == id {
            self.last = 0;
        }
    }

    /// Whom an id in use is not said to.
    #[inline]
    pub(super) fn except(&self, id: SaidId) -> SourceId {
        self.entries[id - 1].except
    }

    /// Whether an id in use is no withdrawal.
    #[inline]
    pub(super) fn announces(&self, id: SaidId) -> bool {
        self.entries[id - 1].attrs.0 != NONE
    }

    /// What `id` stands for; none for 0.
    #[inline]
    pub(super) fn get(&self, id: SaidId) -> Option<Said> {
        self.entries.get(id.wrapping_sub(1)).map(Entry::said)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Empties the pool, whatever the counts.
    pub(super) fn clear(&mut self, pools: &mut Pools) {
        for id in 0..self.entries.end() {
            if let Some(entry) = self.entries.get(id) {
                entry.release(pools);
            }
        }
        *self = Pool::default();
    }
}
