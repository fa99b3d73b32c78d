//! Deterministic tables with the shape of the Internet's: the mix of prefix lengths, AS paths of
//! three to six hops, six to eight prefixes for each set of attributes, communities on half.

use std::net::{Ipv4Addr, Ipv6Addr};

use bgp_wire::{AsPathBuf, AttributesBuilder, Community, Origin};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Prefixes that share one set of attributes.
pub struct Group<K = Ipv4Net> {
    /// Path attributes in canonical form.
    pub attributes: Vec<u8>,
    /// The prefixes.
    pub prefixes: Vec<K>,
}

/// How long the AS paths of a set are, first AS included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hops {
    /// Three to six.
    Any,
    /// Three: shorter than any that is [`Hops::Long`].
    Short,
    /// Four to six.
    Long,
}

/// A small generator of pseudo-random numbers (SplitMix64): the same seed gives the same table.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        (self.next() % u64::from(limit)) as u32
    }
}

/// Spreads every bit of a number over all bits of the result.
pub(crate) fn mix(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Lengths of IPv4 prefixes and how many of 1000 prefixes have them.
const LENGTHS: &[(u8, u32)] =
    &[(24, 640), (23, 120), (22, 120), (21, 50), (20, 40), (19, 20), (18, 7), (17, 2), (16, 1)];

/// The same of IPv6.
const LENGTHS6: &[(u8, u32)] = &[(48, 470), (44, 100), (40, 110), (36, 60), (32, 220), (29, 40)];

/// `count` distinct prefixes, announced by a neighbour whose AS is `first_as`. Another `seed` gives
/// other attributes for the same prefixes. At most two million fit into the unicast space.
pub fn internet(count: usize, first_as: u32, seed: u64) -> Vec<Group> {
    ipv4(count, first_as, seed, |_| Hops::Any)
}

/// The same in IPv6.
pub fn internet6(count: usize, first_as: u32, seed: u64) -> Vec<Group<Ipv6Net>> {
    ipv6(count, first_as, seed, |_| Hops::Any)
}

pub(crate) fn ipv4(count: usize, first_as: u32, seed: u64, hops: impl Fn(usize) -> Hops) -> Vec<Group> {
    let mut cursor = u64::from(u32::from(Ipv4Addr::new(1, 0, 0, 0)));
    groups(count, first_as, seed, hops, |random| {
        let (mut start, mut length) = take(&mut cursor, random, LENGTHS, 32);
        if start >> 24 == 127 {
            // Loopback is refused by some.
            cursor = 128 << 24;
            (start, length) = take(&mut cursor, random, LENGTHS, 32);
        }
        Ipv4Net::new_assert(Ipv4Addr::from(start as u32), length)
    })
}

pub(crate) fn ipv6(count: usize, first_as: u32, seed: u64, hops: impl Fn(usize) -> Hops) -> Vec<Group<Ipv6Net>> {
    let mut cursor = 0x2a00_0000_0000_0000;
    groups(count, first_as, seed, hops, |random| {
        let (start, length) = take(&mut cursor, random, LENGTHS6, 64);
        Ipv6Net::new_assert(Ipv6Addr::from(u128::from(start) << 64), length)
    })
}

/// Any group as one of prefixes of either family.
pub(crate) fn either<K: Into<IpNet>>(groups: Vec<Group<K>>) -> Vec<Group<IpNet>> {
    let either = |group: Group<K>| Group {
        attributes: group.attributes,
        prefixes: group.prefixes.into_iter().map(Into::into).collect(),
    };
    groups.into_iter().map(either).collect()
}

fn groups<K>(
    count: usize,
    first_as: u32,
    seed: u64,
    hops: impl Fn(usize) -> Hops,
    mut next: impl FnMut(&mut Random) -> K,
) -> Vec<Group<K>> {
    let mut shape = Random(1);
    let mut random = Random(seed.wrapping_mul(0x1000) ^ u64::from(first_as));
    let mut groups = Vec::with_capacity(count / 6);
    let mut left = count;
    while left > 0 {
        let size = (6 + shape.below(3) as usize).min(left);
        let prefixes = (0..size).map(|_| next(&mut shape)).collect();
        groups.push(Group { attributes: attributes(first_as, hops(groups.len()), &mut random), prefixes });
        left -= size;
    }
    groups
}

/// The next free prefix of a random length at or after the cursor, in a space of `bits`.
fn take(cursor: &mut u64, random: &mut Random, lengths: &[(u8, u32)], bits: u8) -> (u64, u8) {
    let mut draw = random.below(1000);
    let mut length = lengths[0].0;
    for (candidate, share) in lengths {
        if draw < *share {
            length = *candidate;
            break;
        }
        draw -= share;
    }
    let size = 1u64 << (bits - length);
    let start = cursor.next_multiple_of(size);
    *cursor = start + size;
    (start, length)
}

fn attributes(first_as: u32, hops: Hops, random: &mut Random) -> Vec<u8> {
    let mut path = vec![first_as, 1_000 + random.below(40)];
    let between = match hops {
        Hops::Any => random.below(4),
        Hops::Short => 0,
        Hops::Long => 1 + random.below(3),
    };
    for _ in 0..between {
        path.push(10_000 + random.below(4_000));
    }
    path.push(100_000 + random.below(75_000));
    let mut builder = AttributesBuilder::new(Origin::Igp);
    let head = path[1];
    builder.as_path(&AsPathBuf::sequence(path));
    if random.below(2) == 0 {
        let communities: Vec<Community> =
            (0..1 + random.below(4)).map(|_| Community::new(head as u16, random.below(500) as u16)).collect();
        builder.communities(communities);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_table_has_as_many_distinct_prefixes_as_asked_for() {
        let prefixes: HashSet<Ipv4Net> =
            internet(50_000, 65_001, 7).iter().flat_map(|group| group.prefixes.clone()).collect();
        let prefixes6: HashSet<Ipv6Net> =
            internet6(50_000, 65_001, 7).iter().flat_map(|group| group.prefixes.clone()).collect();
        assert_eq!((prefixes.len(), prefixes6.len()), (50_000, 50_000));
    }

    #[test]
    fn two_million_prefixes_stay_below_the_multicast_space_and_out_of_loopback() {
        let table = internet(2_000_000, 65_001, 7);
        let prefixes = || table.iter().flat_map(|group| &group.prefixes);
        assert!(prefixes().all(|prefix| prefix.addr() < Ipv4Addr::new(224, 0, 0, 0)));
        assert!(prefixes().all(|prefix| !prefix.addr().is_loopback()));
    }

    #[test]
    fn another_seed_changes_attributes_and_keeps_prefixes() {
        let (one, two) = (internet(1_000, 65_001, 1), internet(1_000, 65_001, 2));
        assert!(one.iter().zip(&two).all(|(a, b)| a.prefixes == b.prefixes));
        assert!(one.iter().zip(&two).any(|(a, b)| a.attributes != b.attributes));
    }
}
