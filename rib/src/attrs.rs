//! Interned path attributes: every distinct set is stored once, whatever the number of paths that carry it.
//!
//! The interner is given canonical blocks ([`bgp_wire::Update::canonical_attributes`]) and keys on their octets. What the decision
//! process asks of a set is decoded once, when it is first seen, and kept as 32 octets in a vector of its own beside
//! the octets: comparing paths touches no attribute bytes. Counts are plain integers; an interner belongs to one shard.

use bgp_wire::Attributes;
use core::hash::BuildHasher;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::AttrId;
use crate::slab::{NONE, Slab, Slot, make_room};

/// What the decision process and the export function ask of a set of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hot {
    /// LOCAL_PREF inverted, AS_PATH length, ORIGIN, in falling significance: the lower value is preferred
    /// (RFC 4271 9.1.1, 9.1.2.2 a and b).
    rank: u64,
    /// MULTI_EXIT_DISC; 0 where absent, the most preferred (RFC 4271 9.1.2.2 c).
    pub med: u32,
    /// The leftmost AS of AS_PATH if it begins with a sequence, else 0: the AS that MED compares within.
    pub neighbor_as: u32,
    /// ORIGINATOR_ID (RFC 4456), or 0 where absent.
    pub originator_id: u32,
    /// Length of CLUSTER_LIST in identifiers (RFC 4456); 0 where absent.
    pub cluster_len: u16,
    flags: u16,
}

impl Hot {
    /// LOCAL_PREF of routes that carry none.
    pub const DEFAULT_LOCAL_PREF: u32 = 100;

    const NO_EXPORT: u16 = 1;
    const NO_ADVERTISE: u16 = 2;
    const NO_EXPORT_SUBCONFED: u16 = 4;
    const OTC: u16 = 8;
    const INTERNAL_COMMUNITIES: u16 = 16;

    fn of(attributes: &Attributes<'_>) -> Hot {
        let local_pref = attributes.local_pref().unwrap_or(Self::DEFAULT_LOCAL_PREF);
        let path = attributes.as_path();
        let path_len = path.path_length().min(u32::from(u16::MAX));
        let origin = attributes.origin().map_or(2, |origin| origin as u8);
        let mut flags = 0;
        for community in attributes.communities() {
            flags |= match community.0 {
                0xffff_ff01 => Self::NO_EXPORT,
                0xffff_ff02 => Self::NO_ADVERTISE,
                0xffff_ff03 => Self::NO_EXPORT_SUBCONFED,
                _ => 0,
            };
        }
        if attributes.only_to_customer().is_some() {
            flags |= Self::OTC;
        }
        if attributes.ext_communities().any(|community| !community.is_transitive()) {
            flags |= Self::INTERNAL_COMMUNITIES;
        }
        Hot {
            rank: u64::from(!local_pref) << 32 | u64::from(path_len) << 8 | u64::from(origin),
            med: attributes.med().unwrap_or(0),
            neighbor_as: path.first_as().unwrap_or(0),
            originator_id: attributes.originator_id().map_or(0, u32::from),
            cluster_len: attributes.cluster_list().count().min(usize::from(u16::MAX)) as u16,
            flags,
        }
    }

    /// The three steps before MED as one number; the lower value is preferred.
    #[inline]
    pub(crate) fn rank(&self) -> u64 {
        self.rank
    }

    /// LOCAL_PREF, 100 where absent.
    pub fn local_pref(&self) -> u32 {
        !((self.rank >> 32) as u32)
    }

    /// The length of AS_PATH as RFC 4271 9.1.2.2 a counts it; an AS_SET is one.
    pub fn path_len(&self) -> u16 {
        (self.rank >> 8) as u16
    }

    /// ORIGIN as on the wire: 0 IGP, 1 EGP, 2 INCOMPLETE (also where absent).
    pub fn origin(&self) -> u8 {
        self.rank as u8
    }

    /// Carries NO_EXPORT (RFC 1997).
    pub fn no_export(&self) -> bool {
        self.flags & Self::NO_EXPORT != 0
    }

    /// Carries NO_ADVERTISE (RFC 1997).
    pub fn no_advertise(&self) -> bool {
        self.flags & Self::NO_ADVERTISE != 0
    }

    /// Carries NO_EXPORT_SUBCONFED (RFC 1997).
    pub fn no_export_subconfed(&self) -> bool {
        self.flags & Self::NO_EXPORT_SUBCONFED != 0
    }

    /// Carries an extended community that is not to leave the AS (RFC 4360 section 6).
    pub(crate) fn internal_communities(&self) -> bool {
        self.flags & Self::INTERNAL_COMMUNITIES != 0
    }

    /// Carries Only to Customer (RFC 9234).
    pub fn otc(&self) -> bool {
        self.flags & Self::OTC != 0
    }
}

#[derive(Debug)]
struct Entry {
    hot: Hot,
    /// 0 in a hole, whose successor is `hot.med`.
    count: u32,
}

impl Slot for Entry {
    fn hole(next: u32) -> Self {
        let hot = Hot { rank: 0, med: next, neighbor_as: 0, originator_id: 0, cluster_len: 0, flags: 0 };
        Entry { hot, count: 0 }
    }

    fn next_hole(&self) -> Option<u32> {
        (self.count == 0).then_some(self.hot.med)
    }
}

/// One interned set of attributes.
#[derive(Clone, Copy, Debug)]
pub struct Attr<'a> {
    /// The canonical block. [`bgp_wire::Attributes::canonical`] reads it.
    pub bytes: &'a [u8],
    /// Its decision fields.
    pub hot: &'a Hot,
}

impl<'a> Attr<'a> {
    /// The typed view of the block.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::canonical(self.bytes)
    }
}

/// The set of all path attributes in use on one shard.
///
/// Every [`intern`](Self::intern) and [`retain`](Self::retain) adds one to a count and must be met by one
/// [`release`](Self::release); at zero the attributes are gone and the id is reused.
#[derive(Debug, Default)]
pub struct Interner {
    index: HashTable<u32>,
    entries: Slab<Entry>,
    blocks: Vec<Box<[u8]>>,
    hasher: FixedState,
}

impl Interner {
    /// An empty interner whose hash depends on `seed`, so that a neighbour cannot choose attributes that collide.
    pub fn with_seed(seed: u64) -> Self {
        Interner { hasher: FixedState::with_seed(seed), ..Self::default() }
    }

    /// The id of a canonical block, with its count raised by one. Call once per UPDATE, not once per prefix.
    pub fn intern(&mut self, canonical: &[u8]) -> AttrId {
        let hash = self.hasher.hash_one(canonical);
        let Interner { index, entries, blocks, hasher } = self;
        if let Some(&id) = index.find(hash, |&id| *blocks[id as usize] == *canonical) {
            entries[id].count += 1;
            return AttrId(id);
        }
        make_room(index, entries, |id| hasher.hash_one(&*blocks[id as usize]));
        let id = entries.insert(Entry { hot: Hot::of(&Attributes::canonical(canonical)), count: 1 });
        if id as usize == blocks.len() {
            blocks.push(canonical.into());
        } else {
            blocks[id as usize] = canonical.into();
        }
        index.insert_unique(hash, id, |&id| hasher.hash_one(&*blocks[id as usize]));
        AttrId(id)
    }

    /// Raises the count of `id` by one.
    #[inline]
    pub fn retain(&mut self, id: AttrId) {
        self.entries[id.0].count += 1;
    }

    /// Lowers the count of `id` by one, and forgets the attributes at zero.
    #[inline]
    pub fn release(&mut self, id: AttrId) {
        let entry = &mut self.entries[id.0];
        debug_assert!(entry.count > 0, "{id:?} released too often");
        if entry.count > 1 {
            entry.count -= 1;
        } else {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: AttrId) {
        let block = core::mem::take(&mut self.blocks[id.index()]);
        let hash = self.hasher.hash_one(&*block);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == id.0) {
            entry.remove();
        }
        self.entries.remove(id.0);
        if self.entries.len() == 0 {
            self.blocks = Vec::new();
            self.index = HashTable::new();
        }
    }

    /// The attributes of `id`.
    #[inline]
    pub fn attributes(&self, id: AttrId) -> Attr<'_> {
        Attr { bytes: &self.blocks[id.index()], hot: &self.entries[id.0].hot }
    }

    /// The decision fields of `id` alone.
    #[inline]
    pub fn hot(&self, id: AttrId) -> &Hot {
        &self.entries[id.0].hot
    }

    /// How many holders `id` has.
    pub fn count(&self, id: AttrId) -> u32 {
        self.entries.get(id.0).map_or(0, |entry| entry.count)
    }

    /// The number of distinct sets.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No attributes are held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of memory held: index, decision fields and blocks.
    pub fn memory(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(|block| block.len()).sum();
        self.index.allocation_size() + self.entries.memory() + self.blocks.capacity() * size_of::<Box<[u8]>>() + blocks
    }
}

const _: () = assert!(size_of::<Entry>() == 32 && NONE == u32::MAX);

#[cfg(test)]
mod tests {
    use super::*;
    use bgp_wire::{AttributesBuilder, Community, Origin};

    fn block(n: u32) -> Vec<u8> {
        AttributesBuilder::new(Origin::Igp).prepend(n, 1).build()
    }

    #[test]
    fn equal_attributes_have_one_id_and_are_gone_with_the_last_holder() {
        let mut interner = Interner::with_seed(5);
        let ids: Vec<AttrId> = (0..1000).map(|n| interner.intern(&block(n))).collect();
        assert_eq!(interner.len(), 1000);
        for (n, id) in (0..).zip(&ids) {
            assert_eq!(interner.intern(&block(n)), *id);
            assert_eq!((interner.count(*id), interner.attributes(*id).bytes), (2, &*block(n)));
            assert_eq!(interner.hot(*id).neighbor_as, n);
        }
        for id in ids.iter().chain(&ids) {
            interner.release(*id);
        }
        assert!(interner.is_empty());
        assert_eq!(interner.memory(), 0);
    }

    #[test]
    fn the_decision_fields_are_those_of_the_block() {
        let mut interner = Interner::default();
        let mut builder = AttributesBuilder::new(Origin::Egp);
        builder.prepend(9, 1).prepend(7, 2).med(Some(30)).local_pref(Some(250)).only_to_customer(Some(1));
        builder.originator_id(Some([0, 0, 1, 0].into())).cluster_list([[1; 4].into(), [2; 4].into()]);
        builder.communities([Community::NO_EXPORT, Community::NO_ADVERTISE, Community::NO_EXPORT_SUBCONFED]);
        let id = interner.intern(&builder.build());
        let hot = *interner.hot(id);
        assert_eq!((hot.local_pref(), hot.path_len(), hot.origin(), hot.med), (250, 3, 1, 30));
        assert_eq!((hot.neighbor_as, hot.originator_id, hot.cluster_len), (7, 256, 2));
        assert!(hot.no_export() && hot.no_advertise() && hot.no_export_subconfed() && hot.otc());

        let id = interner.intern(&AttributesBuilder::new(Origin::Igp).build());
        let hot = *interner.hot(id);
        assert_eq!((hot.local_pref(), hot.path_len(), hot.origin(), hot.med, hot.neighbor_as), (100, 0, 0, 0, 0));
        assert!(!(hot.no_export() || hot.no_advertise() || hot.no_export_subconfed() || hot.otc()));
    }
}
