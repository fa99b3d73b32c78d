//! The hash of a prefix: address and length folded by one or two multiplications.
//!
//! Measured against the standard hashers on a million IPv4 prefixes it takes the smallest share of a lookup, which
//! is otherwise one cache miss. Tables take a seed so that a neighbour cannot choose prefixes that collide.

use core::fmt;
use core::hash::Hash;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A prefix that keys a [`Table`](crate::Table). Host bits are zero.
pub trait Key: Copy + Default + Eq + Ord + Hash + fmt::Debug + fmt::Display + Into<IpNet> {
    /// A well-mixed hash of address and length.
    fn seeded_hash(&self, seed: u64) -> u64;
}

impl Key for Ipv4Net {
    #[inline]
    fn seeded_hash(&self, seed: u64) -> u64 {
        let word = u64::from(self.addr().to_bits()) << 8 | u64::from(self.prefix_len());
        fold(word ^ seed, MULTIPLIER)
    }
}

impl Key for Ipv6Net {
    #[inline]
    fn seeded_hash(&self, seed: u64) -> u64 {
        let address = self.addr().to_bits();
        let half = fold((address >> 64) as u64 ^ seed, MULTIPLIER);
        fold(half ^ address as u64, MULTIPLIER ^ u64::from(self.prefix_len()) << 1)
    }
}

/// Odd, with bits spread evenly (from the digits of pi).
const MULTIPLIER: u64 = 0x243f_6a88_85a3_08d3;

/// The two halves of the 128-bit product, so that every bit of both inputs reaches the low and the high bits.
#[inline]
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// The hash of two ids, for the small indexes over pairs.
#[inline]
pub(crate) fn pair(a: u32, b: u32) -> u64 {
    fold((u64::from(a) << 32 | u64::from(b)) ^ MULTIPLIER.rotate_left(17), MULTIPLIER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_prefixes_spread_over_both_ends_of_the_hash() {
        let mut low = std::collections::HashSet::new();
        let mut high = [0u32; 128];
        for n in 0..65_536u32 {
            let net = Ipv4Net::new((0x0a00_0000 | n << 8).into(), 24).unwrap();
            let hash = net.seeded_hash(0);
            low.insert(hash & 0x1f_ffff);
            high[(hash >> 57) as usize] += 1;
        }
        assert!(low.len() > 60_000, "{} distinct buckets of 65536", low.len());
        assert!(high.iter().all(|&n| (256..1024).contains(&n)), "{high:?}");
    }

    #[test]
    fn length_alone_changes_the_hash() {
        let a: Ipv6Net = "2001:db8::/32".parse().unwrap();
        let b: Ipv6Net = "2001:db8::/48".parse().unwrap();
        assert_ne!(a.seeded_hash(0), b.seeded_hash(0));
        assert_ne!(a.seeded_hash(0), a.seeded_hash(1));
    }
}
