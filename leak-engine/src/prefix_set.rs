//! A set of prefixes that answers containment questions.
//!
//! It owns sorted lists and is given whole lists only; it never remembers a prefix that another one of the set covers,
//! because neither question can tell the difference.

use std::fmt;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Address space named by prefixes of either family.
///
/// Only the widest prefixes are kept, so two sets that name the same prefixes are equal whatever order and redundancy
/// they were given in. A check is one binary search over plain numbers and allocates nothing. (Adjacent halves are not merged into
/// their parent: `10.0.0.0/25` with `10.0.0.128/25` does not cover `10.0.0.0/24`.)
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct PrefixSet {
    v4: Widest<u32>,
    v6: Widest<u128>,
}

/// Prefixes of one family, none of which shares an address with another, by address: the first address of each, then the last of each.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Widest<A>(Box<[A]>);

impl<A: Copy + Ord> Widest<A> {
    fn new(mut prefixes: Vec<(A, A)>) -> Self {
        // By first address, then by size: whatever covers a prefix stands before it, and is the last one kept.
        prefixes.sort_unstable_by_key(|(first, last)| (*first, std::cmp::Reverse(*last)));
        prefixes.dedup_by(|(_, last), (_, kept)| *last <= *kept);
        let (first, last) = (prefixes.iter().map(|(first, _)| *first), prefixes.iter().map(|(_, last)| *last));
        Self(first.chain(last).collect())
    }

    fn ends(&self) -> (&[A], &[A]) {
        self.0.split_at(self.0.len() / 2)
    }

    /// Whether one of the prefixes holds all addresses from `from` to `to`, which are those of a prefix.
    #[inline]
    fn covers(&self, from: A, to: A) -> bool {
        let (first, last) = self.ends();
        let after = first.partition_point(|member| *member <= from);
        after > 0 && to <= last[after - 1]
    }

    /// Whether one of the prefixes holds any address from `from` to `to`.
    #[inline]
    fn overlaps(&self, from: A, to: A) -> bool {
        let (first, last) = self.ends();
        let after = first.partition_point(|member| *member <= to);
        after > 0 && from <= last[after - 1]
    }

    fn iter(&self) -> impl Iterator<Item = (A, A)> + '_ {
        let (first, last) = self.ends();
        first.iter().copied().zip(last.iter().copied())
    }
}

impl PrefixSet {
    /// Whether a prefix of the set is equal to `prefix` or less specific than it.
    pub fn covers(&self, prefix: IpNet) -> bool {
        match prefix {
            IpNet::V4(prefix) => self.v4.covers(prefix.network().to_bits(), prefix.broadcast().to_bits()),
            IpNet::V6(prefix) => self.v6.covers(prefix.network().to_bits(), prefix.broadcast().to_bits()),
        }
    }

    /// Whether a prefix of the set shares an address with `prefix`: equal, around it, or inside it.
    pub fn overlaps(&self, prefix: IpNet) -> bool {
        match prefix {
            IpNet::V4(prefix) => self.v4.overlaps(prefix.network().to_bits(), prefix.broadcast().to_bits()),
            IpNet::V6(prefix) => self.v6.overlaps(prefix.network().to_bits(), prefix.broadcast().to_bits()),
        }
    }

    /// Whether the set names no prefix; then it covers nothing.
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    /// The widest prefixes of the set, IPv4 first, by address.
    pub fn iter(&self) -> impl Iterator<Item = IpNet> + '_ {
        let v4 = self
            .v4
            .iter()
            .map(|(first, last)| IpNet::V4(Ipv4Net::new_assert(first.into(), (first ^ last).leading_zeros() as u8)));
        let v6 = self
            .v6
            .iter()
            .map(|(first, last)| IpNet::V6(Ipv6Net::new_assert(first.into(), (first ^ last).leading_zeros() as u8)));
        v4.chain(v6)
    }
}

impl FromIterator<IpNet> for PrefixSet {
    /// Collects prefixes; host bits are zeroed.
    fn from_iter<I: IntoIterator<Item = IpNet>>(prefixes: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            match prefix {
                IpNet::V4(prefix) => v4.push((prefix.network().to_bits(), prefix.broadcast().to_bits())),
                IpNet::V6(prefix) => v6.push((prefix.network().to_bits(), prefix.broadcast().to_bits())),
            }
        }
        Self { v4: Widest::new(v4), v6: Widest::new(v6) }
    }
}

impl fmt::Debug for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn set(texts: &[&str]) -> PrefixSet {
        texts.iter().map(|text| net(text)).collect()
    }

    #[test]
    fn an_equal_or_more_specific_prefix_is_covered_and_a_less_specific_one_is_not() {
        let exposed = set(&["10.0.0.0/24", "2001:db8::/32"]);
        assert!(exposed.covers(net("10.0.0.0/24")));
        assert!(exposed.covers(net("10.0.0.128/25")));
        assert!(exposed.covers(net("2001:db8:1::/48")));
        assert!(!exposed.covers(net("10.0.0.0/8")));
        assert!(!exposed.covers(net("10.0.1.0/24")));
        assert!(!exposed.covers(net("::/0")));
    }

    #[test]
    fn the_two_families_are_independent() {
        let all_ipv4 = set(&["0.0.0.0/0"]);
        assert!(all_ipv4.covers(net("192.0.2.1/32")));
        assert!(!all_ipv4.covers(net("2001:db8::/32")));
        assert!(!all_ipv4.overlaps(net("::/0")));
    }

    #[test]
    fn order_and_redundancy_do_not_matter_to_equality() {
        assert_eq!(set(&["10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8"]), set(&["10.0.0.0/8", "10.2.0.0/16"]));
    }

    fn any_net() -> impl Strategy<Value = IpNet> {
        prop_oneof![
            (0u8..4, 0u8..=32).prop_map(|(bits, len)| {
                let addr = u32::from(bits) << 30 | u32::from(bits) << 3;
                IpNet::new(std::net::Ipv4Addr::from(addr).into(), len).unwrap().trunc()
            }),
            (0u8..4, 0u8..=128).prop_map(|(bits, len)| {
                let addr = u128::from(bits) << 126 | u128::from(bits) << 3;
                IpNet::new(std::net::Ipv6Addr::from(addr).into(), len).unwrap().trunc()
            }),
        ]
    }

    proptest! {
        #[test]
        fn both_questions_agree_with_a_scan_of_the_list(
            members in proptest::collection::vec(any_net(), 0..12),
            asked in any_net(),
        ) {
            let set: PrefixSet = members.iter().copied().collect();
            prop_assert_eq!(set.covers(asked), members.iter().any(|m| m.contains(&asked)));
            prop_assert_eq!(
                set.overlaps(asked),
                members.iter().any(|m| m.contains(&asked) || asked.contains(m))
            );
        }
    }
}
