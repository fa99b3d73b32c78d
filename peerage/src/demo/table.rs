//! A generated table that looks like the Internet's: lengths, de-aggregation, AS paths and shared attributes in about
//! the proportions of a real IPv4 table.
//!
//! Given a count and a seed, it yields the same routes on every machine. It knows no session and no speaker.

use ipnet::Ipv4Net;

/// What one generated network announces: some prefixes with one set of attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announcement {
    /// The AS path behind the ISP, nearest AS first; the last one is the origin.
    pub(crate) as_path: Vec<u32>,
    /// MULTI_EXIT_DISC, if sent.
    pub(crate) med: Option<u32>,
    /// Standard communities, as 32-bit values (RFC 1997).
    pub(crate) communities: Vec<u32>,
    /// The prefixes, in no order.
    pub(crate) prefixes: Vec<Ipv4Net>,
}

/// Space that no Internet table holds (RFC 6890), and the demo's own 203.0.113.0/24, as first and last address.
const NOT_GLOBAL: [(u32, u32); 12] = [
    (0x0000_0000, 0x00ff_ffff),
    (0x0a00_0000, 0x0aff_ffff),
    (0x6440_0000, 0x647f_ffff),
    (0x7f00_0000, 0x7fff_ffff),
    (0xa9fe_0000, 0xa9fe_ffff),
    (0xac10_0000, 0xac1f_ffff),
    (0xc000_0000, 0xc000_02ff),
    (0xc0a8_0000, 0xc0a8_ffff),
    (0xc612_0000, 0xc613_ffff),
    (0xc633_6400, 0xc633_64ff),
    (0xcb00_7100, 0xcb00_71ff),
    (0xe000_0000, 0xffff_ffff),
];

/// How often a holder's block has which length, in thousandths.
const BLOCK_LENGTHS: [(u8, u32); 11] =
    [(24, 489), (23, 95), (22, 190), (21, 65), (20, 70), (19, 45), (18, 22), (17, 10), (16, 12), (15, 1), (14, 1)];

/// The large transit networks that paths begin with.
const TRANSIT: [u32; 12] =
    [64_601, 64_602, 64_603, 64_604, 64_605, 64_606, 64_607, 64_608, 64_609, 64_610, 64_611, 64_612];

/// A table of exactly `count` different prefixes.
pub(crate) fn generate(count: usize, seed: u64) -> Vec<Announcement> {
    let mut random = SplitMix(seed);
    let mut space = Space { next: 0x0100_0000 };
    let mut table = Vec::new();
    let mut left = count;
    let mut origin = 0_u32;
    while left > 0 {
        origin += 1;
        let as_path = path(&mut random, origin);
        let mut prefixes = Vec::new();
        // Most networks announce a few blocks, some announce very many.
        let blocks = if random.below(20) == 0 { 8 + random.below(40) } else { 1 + random.below(4) };
        for _ in 0..blocks {
            let Some(block) = space.take(block_length(&mut random)) else {
                break;
            };
            prefixes.push(block);
            // A third of the larger blocks is announced in pieces as well.
            if block.prefix_len() < 24 && random.below(3) == 0 {
                pieces(&mut random, block, &mut prefixes);
            }
        }
        if prefixes.is_empty() {
            break;
        }
        prefixes.truncate(left);
        left -= prefixes.len();
        let communities = (0..random.below(5)).map(|_| (as_path[0] << 16) | random.below(4000)).collect();
        let med = (random.below(8) == 0).then(|| random.below(200));
        table.push(Announcement { as_path, med, communities, prefixes });
    }
    table
}

/// A path of two to seven ASes that ends at the origin, sometimes prepended there.
fn path(random: &mut SplitMix, origin: u32) -> Vec<u32> {
    let mut path = vec![TRANSIT[random.below(12) as usize]];
    // Lengths of a real table: most paths have three to five hops behind the first.
    let middle = [0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4][random.below(11) as usize];
    for _ in 0..middle {
        // Private AS numbers (RFC 6996), so that nobody's is borrowed; none is that of a speaker of the demo.
        path.push(4_200_100_000 + random.below(3_000));
    }
    let prepends = [0, 0, 0, 0, 0, 0, 1, 2][random.below(8) as usize];
    for _ in 0..=prepends {
        path.push(4_200_010_000 + origin);
    }
    path
}

fn block_length(random: &mut SplitMix) -> u8 {
    let mut roll = random.below(1000);
    for (length, share) in BLOCK_LENGTHS {
        if roll < share {
            return length;
        }
        roll -= share;
    }
    24
}

/// Adds some more-specific prefixes of `block`, each once.
fn pieces(random: &mut SplitMix, block: Ipv4Net, prefixes: &mut Vec<Ipv4Net>) {
    let length = if random.below(4) == 0 { block.prefix_len() + 1 } else { 24 };
    let wanted = 1 + random.below(12) as usize;
    // Both lengths lie in block.prefix_len() + 1 ..= 24, so that subnets() cannot refuse them.
    let subnets = block.subnets(length).into_iter().flatten();
    prefixes.extend(subnets.take(wanted));
}

/// Public address space, handed out upwards.
struct Space {
    next: u32,
}

impl Space {
    /// The next free block of this length, or `None` when the space is used up.
    fn take(&mut self, length: u8) -> Option<Ipv4Net> {
        let size = 1_u32 << (32 - length);
        loop {
            let start = self.next.checked_next_multiple_of(size)?;
            let end = start.checked_add(size - 1)?;
            match NOT_GLOBAL.iter().find(|(first, last)| start <= *last && end >= *first) {
                Some((_, last)) => self.next = last.checked_add(1)?,
                None => {
                    self.next = end.checked_add(1)?;
                    return Ipv4Net::new(start.into(), length).ok();
                }
            }
        }
    }
}

/// The generator of Steele, Lea and Flood (2014): small, fast, the same everywhere.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_table_has_exactly_the_prefixes_asked_for_each_once_and_none_is_reserved() {
        for count in [1, 100, 2_000, 200_000, 1_000_000] {
            let mut seen = HashSet::new();
            for prefix in generate(count, 1).iter().flat_map(|announcement| &announcement.prefixes) {
                assert!(seen.insert(*prefix), "{prefix} twice");
                let (first, last) = (u32::from(prefix.network()), u32::from(prefix.broadcast()));
                assert!(!NOT_GLOBAL.iter().any(|(from, to)| first <= *to && last >= *from), "{prefix}");
                assert_eq!(prefix.trunc(), *prefix);
            }
            assert_eq!(seen.len(), count);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_table() {
        assert_eq!(generate(5_000, 7), generate(5_000, 7));
        assert_ne!(generate(5_000, 7), generate(5_000, 8));
    }

    #[test]
    fn lengths_and_paths_are_about_those_of_a_real_table() {
        let table = generate(200_000, 1);
        let prefixes = || table.iter().flat_map(|announcement| &announcement.prefixes);
        let share = |length: u8| prefixes().filter(|prefix| prefix.prefix_len() == length).count() as f64 / 200_000.0;
        assert!((0.5..0.7).contains(&share(24)), "{}", share(24));
        assert!(prefixes().all(|prefix| (8..=24).contains(&prefix.prefix_len())));
        let hops: usize =
            table.iter().map(|announcement| announcement.as_path.len() * announcement.prefixes.len()).sum();
        let average = hops as f64 / 200_000.0;
        assert!((3.0..5.0).contains(&average), "{average}");
    }
}
