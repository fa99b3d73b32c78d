//! The routing table of one VRF and family: destinations, their paths, and which paths are selected.
//!
//! A hash index of 32-bit ids leads into a slab of destinations; each heads a list, in order of arrival, of paths in a
//! second slab. An IPv4 route with one path takes 16 + 24 octets and its share of the index (measured at a
//! million prefixes: an ordered trie takes four times as long for a replacement, and 13 times the memory for a small VRF).
//!
//! The table is given paths by id and decides at once, incrementally: it looks at all paths of a destination only when
//! the best one got worse or left, or when MEDs make comparing by pairs unsound. It counts what its paths refer to in
//! [`Pools`], reports each change of a selected set, and never acts on it.

use core::fmt;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::decision::{self, Candidate, Verdict};
use crate::hash::Key;
use crate::slab::{NONE, Slab, Slot, make_room};
use crate::way::{Way, WayId, Ways};
use crate::{AttrId, DestId, NextHopId, PathRef, Pools, SourceId};

/// What a path is made of. (`source`, `path_id`) names it within its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it came from.
    pub source: SourceId,
    /// Tells paths of one source apart (RFC 7911); 0 where there is one.
    pub path_id: u32,
    /// Its attributes.
    pub attrs: AttrId,
    /// Its next hop.
    pub next_hop: NextHopId,
}

/// The selected set of a destination changed, in its members or in what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The destination. If no path is left and nobody holds it, it is already gone.
    pub dest: DestId,
    /// There was a best path before.
    pub was_reachable: bool,
    /// There is a best path now.
    pub is_reachable: bool,
}

/// Who may hold a destination, so that its id keeps its meaning after its last path has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// [`adj_out`](crate::adj_out).
    AdjOut,
    /// The engine above: its change is yet to be taken.
    Engine,
    /// The engine above: it last saw a selected set here.
    Selected,
    /// The engine above: that set was native.
    Native,
}

impl Holder {
    fn flag(self) -> u8 {
        match self {
            Holder::AdjOut => 4,
            Holder::Engine => 8,
            Holder::Selected => 16,
            Holder::Native => 32,
        }
    }
}

const HOLE: u8 = 1;
/// Some path may carry a MED above 0.
const MED: u8 = 2;
const HELD: u8 = 4 | 8 | 16 | 32;

#[derive(Debug)]
struct DestSlot<K> {
    key: K,
    flags: u8,
    /// The size of the selected set.
    members: u16,
    /// The oldest path; in a hole, its successor.
    first: u32,
    best: u32,
}

impl<K: Key> Slot for DestSlot<K> {
    fn hole(next: u32) -> Self {
        DestSlot { key: K::default(), flags: HOLE, members: 0, first: next, best: NONE }
    }

    fn next_hole(&self) -> Option<u32> {
        (self.flags & HOLE != 0).then_some(self.first)
    }
}

#[derive(Debug)]
struct PathSlot {
    /// Its destination, with [`SELECTED`]; [`NONE`] in a hole.
    dest: u32,
    /// The next younger path; in a hole, its successor.
    next: u32,
    attrs: AttrId,
    way: WayId,
}

const SELECTED: u32 = 1 << 31;

impl Slot for PathSlot {
    fn hole(next: u32) -> Self {
        PathSlot { dest: NONE, next, attrs: AttrId(NONE), way: NONE }
    }

    fn next_hole(&self) -> Option<u32> {
        (self.dest == NONE).then_some(self.next)
    }
}

impl PathSlot {
    fn is_selected(&self) -> bool {
        self.dest & SELECTED != 0
    }

    #[inline]
    fn path(&self, ways: &Ways) -> Path {
        let Way { source, path_id, next_hop } = *ways.get(self.way);
        Path { source, path_id, attrs: self.attrs, next_hop }
    }
}

impl Path {
    fn way(&self) -> Way {
        Way { source: self.source, path_id: self.path_id, next_hop: self.next_hop }
    }
}

/// The routes of one VRF and family.
pub struct Table<K> {
    index: HashTable<u32>,
    dests: Slab<DestSlot<K>>,
    paths: Slab<PathSlot>,
    ways: Ways,
    seed: u64,
    max_paths: u16,
}

impl<K: Key> Table<K> {
    /// An empty table that selects at most `max_paths` (at least one) equal paths per destination. `seed` salts its hash.
    pub fn new(max_paths: u16, seed: u64) -> Self {
        let max_paths = max_paths.max(1);
        Table {
            index: HashTable::new(),
            dests: Slab::default(),
            paths: Slab::default(),
            ways: Ways::default(),
            seed,
            max_paths,
        }
    }

    /// Adds a path, or replaces the one of the same source and path id, and decides.
    ///
    /// Host bits of `key` must be zero. The counts of attributes and next hop go up by one for a new path; the caller keeps its own.
    /// A source that is not in `pools` changes nothing.
    pub fn insert(&mut self, pools: &mut Pools, key: K, path: Path) -> Option<Change> {
        pools.sources.get(path.source)?;
        let dest = self.find_or_add(key);
        self.insert_at(pools, dest, path)
    }

    /// Finds the destination of a prefix, or adds it. It is to be given to [`insert_reserved`](Self::insert_reserved) before anything
    /// but further reservations happens to the table.
    ///
    /// Looking a prefix up is a cache miss; those of a whole UPDATE, looked up with nothing between, overlap.
    #[inline]
    pub fn reserve(&mut self, key: K) -> DestId {
        DestId(self.find_or_add(key))
    }

    /// As [`insert`](Self::insert), for a destination that [`reserve`](Self::reserve) gave; its source must be known.
    #[inline]
    pub fn insert_reserved(&mut self, pools: &mut Pools, dest: DestId, path: Path) -> Option<Change> {
        self.insert_at(pools, dest.0, path)
    }

    #[inline]
    fn insert_at(&mut self, pools: &mut Pools, dest: u32, path: Path) -> Option<Change> {
        let first = self.dests[dest].first;
        if first == NONE {
            return self.insert_first(pools, dest, path);
        }
        let was_reachable = self.dests[dest].best != NONE;
        let (mut last, mut at) = (NONE, first);
        while at != NONE {
            let slot = &self.paths[at];
            if self.ways.is_of(slot.way, path.source, path.path_id) {
                return self.replace(pools, dest, at, path);
            }
            (last, at) = (at, slot.next);
        }
        let new = self.add_path(pools, path, dest);
        self.paths[last].next = new;
        self.place(pools, dest, new).then(|| self.change(dest, was_reachable))
    }

    /// Gives a destination without paths its first: most of what a full table brings, and nothing to decide.
    #[inline]
    fn insert_first(&mut self, pools: &mut Pools, dest: u32, path: Path) -> Option<Change> {
        let reachable = pools.next_hops.metric(path.next_hop).is_some();
        let med = reachable && pools.attrs.hot(path.attrs).med != 0;
        let new = self.add_path(pools, path, if reachable { dest | SELECTED } else { dest });
        let slot = &mut self.dests[dest];
        slot.first = new;
        if med {
            slot.flags |= MED;
        }
        if !reachable {
            return None;
        }
        (slot.best, slot.members) = (new, 1);
        Some(Change { dest: DestId(dest), was_reachable: false, is_reachable: true })
    }

    #[inline]
    fn add_path(&mut self, pools: &mut Pools, path: Path, dest: u32) -> u32 {
        pools.attrs.retain(path.attrs);
        pools.sources.add_path(path.source);
        let way = self.ways.intern(&mut pools.next_hops, path.way());
        self.paths.insert(PathSlot { dest, next: NONE, attrs: path.attrs, way })
    }

    fn replace(&mut self, pools: &mut Pools, dest: u32, at: u32, path: Path) -> Option<Change> {
        let PathSlot { attrs: old_attrs, way: old_way, .. } = self.paths[at];
        if old_attrs == path.attrs && *self.ways.get(old_way) == path.way() {
            return None;
        }
        let was_reachable = self.dests[dest].best != NONE;
        let selected = self.paths[at].is_selected();
        let matters = selected || self.dests[dest].flags & MED != 0;
        let before = if matters { self.candidate(pools, at, 0) } else { None };
        pools.attrs.retain(path.attrs);
        let way = self.ways.intern(&mut pools.next_hops, path.way());
        let slot = &mut self.paths[at];
        (slot.attrs, slot.way) = (path.attrs, way);
        pools.attrs.release(old_attrs);
        self.ways.release(&mut pools.next_hops, old_way);
        let changed = if selected {
            // Whatever the decision says, what a selected path carries has changed.
            let after = self.candidate(pools, at, 0);
            if !self.still_selected(dest, at, before, after) {
                self.decide(pools, dest);
            }
            true
        } else {
            match before {
                Some(before) if self.matters_unselected(pools, dest, &before) => self.decide(pools, dest),
                _ => self.place(pools, dest, at),
            }
        };
        changed.then(|| self.change(dest, was_reachable))
    }

    /// Whether a selected path that turned from `before` into `after` leaves the set as it is.
    fn still_selected(&self, dest: u32, at: u32, before: Option<Candidate>, after: Option<Candidate>) -> bool {
        let (Some(before), Some(after)) = (before, after) else { return false };
        let slot = &self.dests[dest];
        let tail = after.tail_cmp(&before);
        if after.ties(&before) {
            return tail.is_eq() || tail.is_lt() && slot.best == at;
        }
        let no_med = slot.flags & MED == 0 && after.med == 0;
        let better = (after.head(), after.cost()) <= (before.head(), before.cost()) && tail.is_le();
        no_med && self.max_paths == 1 && better
    }

    /// Withdraws the path of `source` with `path_id`, and decides.
    pub fn withdraw(&mut self, pools: &mut Pools, key: &K, source: SourceId, path_id: u32) -> Option<Change> {
        self.find(key).and_then(|dest| self.withdraw_from(pools, DestId(dest), source, path_id))
    }

    /// As [`withdraw`](Self::withdraw), for a destination in use.
    pub fn withdraw_from(&mut self, pools: &mut Pools, dest: DestId, source: SourceId, path_id: u32) -> Option<Change> {
        let dest = dest.0;
        let was_reachable = self.dests.get(dest)?.best != NONE;
        let (mut last, mut at) = (NONE, self.dests[dest].first);
        while at != NONE && !self.ways.is_of(self.paths[at].way, source, path_id) {
            (last, at) = (at, self.paths[at].next);
        }
        if at == NONE {
            return None;
        }
        // An unselected path matters only by its MED.
        let selected = self.paths[at].is_selected();
        let by_med = !selected && self.dests[dest].flags & MED != 0;
        let candidate = if by_med { self.candidate(pools, at, 0) } else { None };
        let slot = self.paths.remove(at);
        match last {
            NONE => self.dests[dest].first = slot.next,
            last => self.paths[last].next = slot.next,
        }
        let changed = if selected {
            self.drop_selected(pools, dest, at);
            true
        } else {
            candidate
                .is_some_and(|candidate| self.matters_unselected(pools, dest, &candidate) && self.decide(pools, dest))
        };
        pools.attrs.release(slot.attrs);
        self.ways.release(&mut pools.next_hops, slot.way);
        pools.sources.remove_path(source);
        let change = changed.then(|| self.change(dest, was_reachable));
        self.free_if_unused(dest);
        change
    }

    /// Withdraws every path of a destination in use that is to go, and decides once.
    pub fn withdraw_where(
        &mut self,
        pools: &mut Pools,
        dest: DestId,
        goes: impl Fn(PathRef, &Path) -> bool,
    ) -> Option<Change> {
        let dest = dest.0;
        let slot = self.dests.get(dest)?;
        let (was_reachable, paths) = (slot.best != NONE, self.paths.len());
        let (mut last, mut at, mut selected) = (NONE, slot.first, false);
        while at != NONE {
            let slot = &self.paths[at];
            let (path, next) = (slot.path(&self.ways), slot.next);
            if !goes(PathRef(at), &path) {
                (last, at) = (at, next);
                continue;
            }
            let removed = self.paths.remove(at);
            match last {
                NONE => self.dests[dest].first = next,
                last => self.paths[last].next = next,
            }
            if removed.is_selected() {
                let slot = &mut self.dests[dest];
                slot.members -= 1;
                slot.best = if slot.best == at { NONE } else { slot.best };
                selected = true;
            }
            pools.attrs.release(removed.attrs);
            self.ways.release(&mut pools.next_hops, removed.way);
            pools.sources.remove_path(path.source);
            at = next;
        }
        if self.paths.len() == paths {
            return None;
        }
        let slot = &self.dests[dest];
        let decides = slot.first != NONE && (selected || slot.flags & MED != 0);
        let changed = decides && self.decide(pools, dest);
        let change = (selected || changed).then(|| self.change(dest, was_reachable));
        self.free_if_unused(dest);
        change
    }

    /// Decides a destination again, after a next hop or a source of it changed.
    pub fn redecide(&mut self, pools: &mut Pools, dest: DestId) -> Option<Change> {
        let was_reachable = self.dests.get(dest.0)?.best != NONE;
        self.decide(pools, dest.0).then(|| self.change(dest.0, was_reachable))
    }

    fn change(&self, dest: u32, was_reachable: bool) -> Change {
        Change { dest: DestId(dest), was_reachable, is_reachable: self.dests[dest].best != NONE }
    }

    // The incremental decision.

    #[inline]
    fn candidate(&self, pools: &Pools, at: u32, age: u32) -> Option<Candidate> {
        let path = self.paths[at].path(&self.ways);
        let metric = pools.next_hops.metric(path.next_hop)?;
        let source = pools.sources.get(path.source)?;
        Some(Candidate::new(PathRef(at), &path, source, pools.attrs.hot(path.attrs), metric, age))
    }

    /// Decides after an unselected path came in or got better; true if the selected set changed.
    fn place(&mut self, pools: &mut Pools, dest: u32, at: u32) -> bool {
        let Some(new) = self.candidate(pools, at, 0) else { return false };
        if new.med != 0 {
            self.dests[dest].flags |= MED;
        }
        let slot = &self.dests[dest];
        if slot.best == NONE {
            self.select_alone(dest, at);
            return true;
        }
        let Some(best) = self.candidate(pools, slot.best, 0) else { return self.decide(pools, dest) };
        if new.head() != best.head() {
            return new.head() < best.head() && self.select_alone(dest, at);
        }
        if slot.flags & MED != 0 {
            return self.decide(pools, dest);
        }
        if new.cost() != best.cost() {
            return new.cost() < best.cost() && self.select_alone(dest, at);
        }
        if self.max_paths > 1 {
            return self.decide(pools, dest);
        }
        let (new, best) = self.with_ages(dest, new, best);
        new.tail_cmp(&best).is_lt() && self.select_alone(dest, at)
    }

    /// Gives two candidates of one destination their ages relative to each other.
    fn with_ages(&self, dest: u32, mut a: Candidate, mut b: Candidate) -> (Candidate, Candidate) {
        let mut at = self.dests[dest].first;
        while at != a.path.0 && at != b.path.0 && at != NONE {
            at = self.paths[at].next;
        }
        a.set_age(u32::from(at != a.path.0));
        b.set_age(u32::from(at != b.path.0));
        (a, b)
    }

    /// Decides after the selected path `at` left the list.
    fn drop_selected(&mut self, pools: &mut Pools, dest: u32, at: u32) {
        let slot = &mut self.dests[dest];
        let was_full = slot.members == self.max_paths;
        slot.members -= 1;
        let was_best = slot.best == at;
        if was_best {
            slot.best = NONE;
        }
        if slot.first != NONE && (was_best || was_full || slot.flags & MED != 0) {
            self.decide(pools, dest);
        }
    }

    /// Whether an unselected path may have kept others out: by a MED lower than theirs.
    fn matters_unselected(&self, pools: &Pools, dest: u32, candidate: &Candidate) -> bool {
        let slot = &self.dests[dest];
        let tied = |best: Candidate| best.head() == candidate.head();
        slot.flags & MED != 0 && slot.best != NONE && self.candidate(pools, slot.best, 0).is_none_or(tied)
    }

    fn select_alone(&mut self, dest: u32, at: u32) -> bool {
        let Table { dests, paths, .. } = self;
        let slot = &mut dests[dest];
        if slot.members == 1 && slot.best != NONE {
            paths[slot.best].dest = dest;
        } else if slot.members > 0 {
            let mut path = slot.first;
            while path != NONE {
                paths[path].dest = dest;
                path = paths[path].next;
            }
        }
        (slot.best, slot.members) = (at, 1);
        paths[at].dest = dest | SELECTED;
        true
    }

    /// The whole decision over all paths of `dest`; true if the selected set or the best path changed.
    fn decide(&mut self, pools: &mut Pools, dest: u32) -> bool {
        let mut candidates = core::mem::take(&mut pools.candidates);
        candidates.clear();
        let slot = &self.dests[dest];
        let (mut at, mut age, mut med) = (slot.first, 0, false);
        while at != NONE {
            if let Some(candidate) = self.candidate(pools, at, age) {
                med |= candidate.med != 0;
                candidates.push(candidate);
            }
            (at, age) = (self.paths[at].next, age + 1);
        }
        decision::select(&mut candidates, self.max_paths);

        let Table { dests, paths, .. } = self;
        let slot = &mut dests[dest];
        let best = candidates.first().map_or(NONE, |best| best.path.0);
        let members = candidates.len() as u16;
        let kept = candidates.iter().all(|c| paths[c.path.0].is_selected());
        let changed = best != slot.best || members != slot.members || !kept;
        if changed {
            let mut at = slot.first;
            while at != NONE {
                paths[at].dest = dest;
                at = paths[at].next;
            }
            for candidate in &candidates {
                paths[candidate.path.0].dest |= SELECTED;
            }
            (slot.best, slot.members) = (best, members);
        }
        slot.flags = slot.flags & !MED | if med { MED } else { 0 };
        pools.candidates = candidates;
        changed
    }

    // The index.

    #[inline]
    fn find(&self, key: &K) -> Option<u32> {
        self.index.find(key.seeded_hash(self.seed), |&id| self.dests[id].key == *key).copied()
    }

    #[inline]
    fn find_or_add(&mut self, key: K) -> u32 {
        let hash = key.seeded_hash(self.seed);
        let Table { index, dests, seed, .. } = self;
        make_room(index, dests, |id| dests[id].key.seeded_hash(*seed));
        match index.entry(hash, |&id| dests[id].key == key, |&id| dests[id].key.seeded_hash(*seed)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let id = dests.insert(DestSlot { key, flags: 0, members: 0, first: NONE, best: NONE });
                place.insert(id);
                id
            }
        }
    }

    #[inline]
    fn free_if_unused(&mut self, dest: u32) {
        let slot = &self.dests[dest];
        if slot.first == NONE && slot.flags & HELD == 0 {
            self.free(dest);
        }
    }

    fn free(&mut self, dest: u32) {
        let slot = &self.dests[dest];
        if let Ok(entry) = self.index.find_entry(slot.key.seeded_hash(self.seed), |&id| id == dest) {
            entry.remove();
        }
        self.dests.remove(dest);
        if self.dests.len() == 0 {
            self.index = HashTable::new();
        }
    }

    /// Keeps the id of `dest` valid until [`drop_hold`](Self::drop_hold), even without paths. Holding twice is holding once.
    #[inline]
    pub fn hold(&mut self, dest: DestId, holder: Holder) {
        if let Some(slot) = self.dests.get_mut(dest.0) {
            slot.flags |= holder.flag();
        }
    }

    /// Ends a hold; a destination without paths or other holders is gone.
    #[inline]
    pub fn drop_hold(&mut self, dest: DestId, holder: Holder) {
        self.set_holds(dest, [(holder, false)]);
    }

    /// Begins and ends holds at once: each holder holds the destination or does not.
    #[inline]
    pub fn set_holds<const N: usize>(&mut self, dest: DestId, holds: [(Holder, bool); N]) {
        let Some(slot) = self.dests.get_mut(dest.0) else { return };
        for (holder, holds) in holds {
            slot.flags = slot.flags & !holder.flag() | if holds { holder.flag() } else { 0 };
        }
        self.free_if_unused(dest.0);
    }

    /// Changes how many equal paths are selected. The caller decides all destinations again.
    pub fn set_max_paths(&mut self, max_paths: u16) {
        self.max_paths = max_paths.max(1);
    }

    // Looking.

    /// The id of a prefix, if it has a path or is held.
    pub fn get(&self, key: &K) -> Option<DestId> {
        self.find(key).map(DestId)
    }

    /// What is known of `dest`, if it is in use.
    #[inline]
    pub fn destination(&self, dest: DestId) -> Option<Destination<'_, K>> {
        self.dests.get(dest.0)?;
        Some(Destination { table: self, id: dest })
    }

    /// Every destination in order of its id, held ones without paths included.
    pub fn iter(&self) -> impl Iterator<Item = Destination<'_, K>> {
        self.destinations_from(DestId(0))
    }

    /// The destinations from `first` on, in order of id: a walk that can be left and resumed while the table changes.
    pub fn destinations_from(&self, first: DestId) -> impl Iterator<Item = Destination<'_, K>> {
        (first.0..self.dests.end()).filter_map(|id| self.destination(DestId(id)))
    }

    /// One more than the highest destination id in use.
    pub fn end(&self) -> DestId {
        DestId(self.dests.end())
    }

    /// The paths from `first` on, in order of their place in memory, with their destinations: the walk that finds the paths of
    /// a source or of a next hop. It reads 16 octets per path and can be left and resumed while the table changes.
    pub fn paths_from(&self, first: PathRef) -> impl Iterator<Item = (PathRef, DestId, Path)> {
        (first.0..self.paths.end()).filter_map(|at| {
            let slot = self.paths.get(at)?;
            Some((PathRef(at), DestId(slot.dest & !SELECTED), slot.path(&self.ways)))
        })
    }

    /// The sources of the paths, each as often as it has ways to come, with how many paths came so.
    pub fn sources(&self) -> impl Iterator<Item = (SourceId, usize)> {
        self.ways.iter().map(|(way, count)| (way.source, count as usize))
    }

    /// One more than the highest path reference in use.
    pub fn path_end(&self) -> PathRef {
        PathRef(self.paths.end())
    }

    /// The first `limit` reachable or unreachable destinations with paths after `after` in order of address and length.
    /// It looks at the whole table and keeps `limit` keys.
    pub fn page(&self, after: Option<K>, limit: usize) -> Vec<DestId> {
        let mut heap = std::collections::BinaryHeap::with_capacity(limit.saturating_add(1).min(self.len() + 1));
        let wanted = |d: &Destination<'_, K>| d.path_count() > 0 && after.is_none_or(|after| d.key() > after);
        for dest in self.iter().filter(wanted) {
            if heap.len() < limit {
                heap.push((dest.key(), dest.id));
            } else if let Some(mut last) = heap.peek_mut().filter(|last| dest.key() < last.0) {
                *last = (dest.key(), dest.id);
            }
        }
        heap.into_sorted_vec().into_iter().map(|(_, id)| id).collect()
    }

    /// The number of destinations, held ones included.
    pub fn len(&self) -> usize {
        self.dests.len()
    }

    /// The number of paths.
    pub fn path_count(&self) -> usize {
        self.paths.len()
    }

    /// There is no destination.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of memory held, without the shared pools.
    pub fn memory(&self) -> usize {
        self.index.allocation_size() + self.dests.memory() + self.paths.memory() + self.ways.memory()
    }
}

impl<K: Key> fmt::Debug for Table<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} destinations, {} paths)", self.len(), self.path_count())
    }
}

/// A destination and its paths.
#[derive(Clone, Copy)]
pub struct Destination<'a, K> {
    table: &'a Table<K>,
    /// Its id.
    pub id: DestId,
}

impl<'a, K: Key> Destination<'a, K> {
    fn slot(&self) -> &'a DestSlot<K> {
        &self.table.dests[self.id.0]
    }

    /// The prefix.
    pub fn key(&self) -> K {
        self.slot().key
    }

    /// The best path.
    #[inline]
    pub fn best(&self) -> Option<PathView> {
        let best = self.slot().best;
        (best != NONE).then(|| self.view(best))
    }

    /// All paths, in order of arrival.
    pub fn paths(&self) -> impl Iterator<Item = PathView> + use<'a, K> {
        let this = Destination { table: self.table, id: self.id };
        let mut at = self.slot().first;
        core::iter::from_fn(move || {
            let path = this.table.paths.get(at).map(|_| this.view(at))?;
            at = this.table.paths[at].next;
            Some(path)
        })
    }

    /// The selected set: the best path and those equal to it, in order of arrival.
    pub fn selected(&self) -> impl Iterator<Item = PathView> + use<'a, K> {
        self.paths().filter(|path| path.selected)
    }

    /// The number of paths.
    pub fn path_count(&self) -> usize {
        self.paths().count()
    }

    /// It has any path.
    #[inline]
    pub fn has_paths(&self) -> bool {
        self.slot().first != NONE
    }

    /// Its path, if it has exactly one and that is selected.
    #[inline]
    pub fn sole(&self) -> Option<Path> {
        let first = self.table.paths.get(self.slot().first)?;
        (first.next == NONE && first.is_selected()).then(|| first.path(&self.table.ways))
    }

    /// It has more than one path.
    #[inline]
    pub fn is_contested(&self) -> bool {
        self.table.paths.get(self.slot().first).is_some_and(|first| first.next != NONE)
    }

    /// Whether `holder` holds it.
    #[inline]
    pub fn is_held(&self, holder: Holder) -> bool {
        self.slot().flags & holder.flag() != 0
    }

    /// Why each path is or is not selected, in order of arrival.
    pub fn explain(&self, pools: &Pools) -> Vec<(PathView, Verdict)> {
        let candidates: Vec<_> =
            self.paths().zip(0..).filter_map(|(p, age)| self.table.candidate(pools, p.id.0, age)).collect();
        let verdicts = decision::explain(&candidates, self.table.max_paths);
        let unreachable = Verdict::Lost { step: decision::Step::NextHop, to: None };
        let verdict = |p: &PathView| verdicts.iter().find(|(id, _)| *id == p.id).map_or(unreachable, |(_, v)| *v);
        self.paths().map(|path| (path, verdict(&path))).collect()
    }

    #[inline]
    fn view(&self, at: u32) -> PathView {
        let slot = &self.table.paths[at];
        let path = slot.path(&self.table.ways);
        PathView { id: PathRef(at), path, selected: slot.is_selected(), best: self.slot().best == at }
    }
}

impl<K: Key> fmt::Debug for Destination<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: ", self.id, self.key())?;
        f.debug_list().entries(self.paths()).finish()
    }
}

/// One path of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathView {
    /// Its reference.
    pub id: PathRef,
    /// What it is made of.
    pub path: Path,
    /// It is in the selected set.
    pub selected: bool,
    /// It is the best path.
    pub best: bool,
}

const _: () = assert!(size_of::<DestSlot<ipnet::Ipv4Net>>() == 16 && size_of::<PathSlot>() == 16);
