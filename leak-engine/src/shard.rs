//! How several engines share all prefixes out among them, and the one thing that they have to agree on.
//!
//! Address and length of a prefix decide whose it is, never a VRF or a label: so every VRF's routes for a prefix are in one engine, and
//! what leaks, leaks inside it. Engines know of each other only how many destinations an edge with a limit holds.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use ipnet::IpNet;
use rib::{Key, VrfId};

/// The engine, of `count` ones from 0 on, that keeps a prefix; host bits are ignored.
pub fn shard_of(prefix: IpNet, count: usize) -> usize {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let number = match prefix.trunc() {
        IpNet::V4(key) => number_of(&key, count),
        IpNet::V6(key) => number_of(&key, count),
    };
    number as usize
}

/// Not the seed of any table, lest the prefixes of one shard crowd in a part of its tables.
const SEED: u64 = 0x5a0a_61ed_7e33_c159;

#[inline]
fn number_of<K: Key>(key: &K, count: u32) -> u32 {
    let spread = key.seeded_hash(SEED) >> 32;
    ((spread * u64::from(count)) >> 32) as u32
}

/// Which one of several engines one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) number: u32,
    pub(crate) count: u32,
}

impl Shard {
    pub(crate) const ONLY: Self = Self { number: 0, count: 1 };

    pub(crate) fn is_only(self) -> bool {
        self.count <= 1
    }

    /// Whether it keeps this prefix.
    #[inline]
    pub(crate) fn keeps<K: Key>(self, key: &K) -> bool {
        self.is_only() || number_of(key, self.count) == self.number
    }
}

/// How many destinations each edge with a limit holds in all engines together.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<BTreeMap<(VrfId, VrfId), Weak<AtomicUsize>>>);

impl Places {
    /// The count of one edge, the same for all who ask while one of them keeps it.
    pub(crate) fn of(&self, from: VrfId, to: VrfId) -> Arc<AtomicUsize> {
        let mut edges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = edges.get(&(from, to)).and_then(Weak::upgrade) {
            return held;
        }
        edges.retain(|_, held| held.strong_count() > 0);
        let held = Arc::<AtomicUsize>::default();
        edges.insert((from, to), Arc::downgrade(&held));
        held
    }
}

/// Takes one of `limit` places, unless all are taken.
pub(crate) fn take_place(held: &AtomicUsize, limit: usize) -> bool {
    let more = |held: usize| (held < limit).then_some(held + 1);
    held.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_kept_by_one_shard_and_each_gets_its_share() {
        for count in [1, 2, 7] {
            let mut kept = vec![0; count];
            for n in 0..7000u32 {
                let v4 = ipnet::Ipv4Net::new((0x0a00_0000 | n << 8).into(), 24).unwrap();
                let v6 = ipnet::Ipv6Net::new((0x2001_0db8u128 << 96 | u128::from(n) << 80).into(), 48).unwrap();
                let keeps = |number| {
                    let shard = Shard { number, count: count as u32 };
                    (shard.keeps(&v4), shard.keeps(&v6))
                };
                let (mut in_v4, mut in_v6) = (0, 0);
                for number in 0..count as u32 {
                    let (v4_kept, v6_kept) = keeps(number);
                    in_v4 += usize::from(v4_kept);
                    in_v6 += usize::from(v6_kept);
                }
                assert_eq!((in_v4, in_v6), (1, 1));
                kept[shard_of(v4.into(), count)] += 1;
                assert!(keeps(shard_of(v4.into(), count) as u32).0);
                assert!(keeps(shard_of(v6.into(), count) as u32).1);
            }
            let fair = 7000 / count;
            assert!(kept.iter().all(|kept| (fair * 8 / 10..=fair * 12 / 10).contains(kept)), "{kept:?}");
        }
    }

    #[test]
    fn host_bits_do_not_move_a_prefix() {
        let (a, b): (IpNet, IpNet) = ("10.1.2.3/16".parse().unwrap(), "10.1.0.0/16".parse().unwrap());
        assert_eq!(shard_of(a, 1000), shard_of(b, 1000));
    }

    #[test]
    fn no_more_places_are_taken_than_there_are() {
        let places = Places::default();
        let (a, b) = (places.of(VrfId(1), VrfId(2)), places.of(VrfId(1), VrfId(2)));
        assert!(take_place(&a, 2) && take_place(&b, 2) && !take_place(&a, 2));
        b.fetch_sub(1, Ordering::AcqRel);
        assert!(take_place(&a, 2));
        drop((a, b));
        assert_eq!(places.of(VrfId(1), VrfId(2)).load(Ordering::Acquire), 0);
    }
}
