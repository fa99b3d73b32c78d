//! A vector with holes that are reused: the storage under every table here.
//!
//! It hands out 32-bit indices and says nothing about what they mean. Growth is by a quarter rather than by
//! doubling: at a million routes the spare half of a doubled vector would cost more than the index over it, and large
//! blocks are moved by the allocator through the page table, not copied. An empty slab gives its memory back.

use hashbrown::HashTable;

/// The index that names nothing, and ends every list.
pub(crate) const NONE: u32 = u32::MAX;

/// More slots than this are refused: the top bit of an index belongs to the one who stores it.
const MAX_SLOTS: usize = (1 << 31) - 1;

/// A type that can mark one of its values as a hole and keep the number of the next hole in it.
pub(crate) trait Slot {
    /// A hole whose successor is `next` ([`NONE`] for the last).
    fn hole(next: u32) -> Self;
    /// The successor, if this is a hole.
    fn next_hole(&self) -> Option<u32>;
}

/// Makes room in an index of a slab for half as many values again, if it is full. It is built anew from the slab in order: reading
/// the values in the order of the old index would be a cache miss for each, and the old one is given back first.
#[inline]
pub(crate) fn make_room<T: Slot>(index: &mut HashTable<u32>, slab: &Slab<T>, hash: impl Fn(u32) -> u64) {
    if index.len() < index.capacity() {
        return;
    }
    let wanted = index.len() + index.len() / 2 + 3;
    *index = HashTable::new();
    *index = HashTable::with_capacity(wanted);
    for id in 0..slab.end() {
        if slab.get(id).is_some() {
            index.insert_unique(hash(id), id, |&id| hash(id));
        }
    }
}

#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<T>,
    first_hole: u32,
    holes: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { slots: Vec::new(), first_hole: NONE, holes: 0 }
    }
}

impl<T: Slot> Slab<T> {
    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.holes as usize
    }

    /// One more than the highest index in use; holes below it included.
    pub(crate) fn end(&self) -> u32 {
        self.slots.len() as u32
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.slots.get_mut(self.first_hole as usize) {
            let index = self.first_hole;
            self.first_hole = slot.next_hole().unwrap_or(NONE);
            self.holes -= 1;
            *slot = value;
            return index;
        }
        // 2^31 slots of 16 octets are 34 GB: memory ends before the numbers do.
        assert!(self.slots.len() < MAX_SLOTS, "a slab holds at most 2^31 values");
        if self.slots.len() == self.slots.capacity() {
            self.grow();
        }
        self.slots.push(value);
        (self.slots.len() - 1) as u32
    }

    #[cold]
    fn grow(&mut self) {
        self.slots.reserve_exact((self.slots.len() / 4).max(8));
    }

    pub(crate) fn remove(&mut self, index: u32) -> T {
        let value = core::mem::replace(&mut self.slots[index as usize], T::hole(self.first_hole));
        debug_assert!(value.next_hole().is_none(), "slot {index} removed twice");
        self.first_hole = index;
        self.holes += 1;
        if self.len() == 0 {
            *self = Slab::default();
        }
        value
    }

    /// The value at `index`, or nothing where there is a hole or the end.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize).filter(|slot| slot.next_hole().is_none())
    }

    /// As [`get`](Self::get), to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize).filter(|slot| slot.next_hole().is_none())
    }

    /// Octets of memory held.
    pub(crate) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<T>()
    }
}

impl<T> core::ops::Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, index: u32) -> &T {
        &self.slots[index as usize]
    }
}

impl<T> core::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.slots[index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Cell {
        Value(u8),
        Hole(u32),
    }

    impl Slot for Cell {
        fn hole(next: u32) -> Self {
            Cell::Hole(next)
        }
        fn next_hole(&self) -> Option<u32> {
            match self {
                Cell::Value(_) => None,
                Cell::Hole(next) => Some(*next),
            }
        }
    }

    #[test]
    fn holes_are_reused_last_out_first_in() {
        let mut slab = Slab::default();
        for value in 0..4 {
            assert_eq!(slab.insert(Cell::Value(value)), u32::from(value));
        }
        assert_eq!(slab.remove(1), Cell::Value(1));
        assert_eq!(slab.remove(2), Cell::Value(2));
        assert_eq!((slab.len(), slab.end()), (2, 4));
        assert!(slab.get(1).is_none() && slab.get(9).is_none());
        assert_eq!(slab.insert(Cell::Value(7)), 2);
        assert_eq!(slab.insert(Cell::Value(8)), 1);
        assert_eq!(slab.insert(Cell::Value(9)), 4);
        assert_eq!(slab[2], Cell::Value(7));
    }

    #[test]
    fn an_emptied_slab_holds_no_memory() {
        let mut slab = Slab::default();
        let indices: Vec<u32> = (0..100).map(|value| slab.insert(Cell::Value(value))).collect();
        assert!(slab.memory() > 0);
        for index in indices {
            slab.remove(index);
        }
        assert_eq!((slab.len(), slab.end(), slab.memory()), (0, 0, 0));
    }
}
