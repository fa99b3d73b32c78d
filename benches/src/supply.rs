//! Where the tables of a run come from: the generator, or an MRT dump; and what a sink should hold of them.

use std::collections::{BinaryHeap, HashMap};
use std::io::Read;
use std::net::IpAddr;
use std::ops::{Add, Sub};
use std::path::Path;
use std::sync::Arc;

use bgp_wire::{
    Attributes, AttributesBuilder, EncodeCtx, Ipv4Unicast, Ipv6Unicast, Message, NextHop, UpdateEncoder, mrt,
};
use bytes::BytesMut;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::place::{AS, Family, Who};
use crate::table::{self, Group, Hops, Random, mix};

/// Routes that a sink should hold: how many, and a sum over their prefixes and AS paths that any missing, wrong
/// or further route changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Goal {
    /// Prefixes.
    pub count: usize,
    /// The sum.
    pub fingerprint: u64,
}

impl Add for Goal {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { count: self.count + other.count, fingerprint: self.fingerprint.wrapping_add(other.fingerprint) }
    }
}

impl Sub for Goal {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { count: self.count - other.count, fingerprint: self.fingerprint.wrapping_sub(other.fingerprint) }
    }
}

impl Goal {
    /// One route: a prefix by [`key`], its path by [`tag`].
    pub fn route(key: u64, tag: u64) -> Self {
        Self { count: 1, fingerprint: mix(key ^ tag.rotate_left(17)) }
    }
}

/// A prefix as a number: exact for IPv4, as good as exact for IPv6.
pub fn key(prefix: IpNet) -> u64 {
    match prefix {
        IpNet::V4(prefix) => u64::from(u32::from(prefix.addr())) << 8 | u64::from(prefix.prefix_len()),
        IpNet::V6(prefix) => {
            let bits = u128::from(prefix.addr());
            mix((bits >> 64) as u64).wrapping_add(mix(bits as u64 ^ u64::from(prefix.prefix_len()) << 56))
        }
    }
}

/// The hops of an AS path as a number.
pub fn tag(hops: impl Iterator<Item = u32>) -> u64 {
    hops.fold(0x51_7c_c1_b7, |sum, hop| (sum ^ u64::from(hop)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29))
}

/// What one feeder sends at once, and what a sink holds after it.
#[derive(Clone)]
pub struct Load {
    /// UPDATE messages.
    pub stream: Arc<[u8]>,
    /// Their routes.
    pub goal: Goal,
    /// Those of them that win, where others announce the same prefixes.
    pub won: Goal,
}

/// The source of all tables of a run.
pub struct Supply {
    /// Which family.
    pub family: Family,
    dump: Option<Vec<Group<IpNet>>>,
}

impl Supply {
    /// Generated tables.
    pub fn synthetic(family: Family) -> Self {
        Self { family, dump: None }
    }

    /// Tables out of an MRT dump, compressed with gzip or not: the routes of the peer that has the most.
    pub fn mrt(family: Family, path: &Path) -> Result<Self, String> {
        let octets = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let octets = if octets.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            let mut decoder = flate2::read::MultiGzDecoder::new(octets.as_slice());
            decoder.read_to_end(&mut plain).map_err(|error| format!("{}: {error}", path.display()))?;
            plain
        } else {
            octets
        };
        let groups = dump(family, &octets);
        if groups.is_empty() {
            return Err(format!("{}: no {family} routes that could be announced", path.display()));
        }
        Ok(Self { family, dump: Some(groups) })
    }

    /// How many prefixes there are at most.
    pub fn most(&self) -> usize {
        self.dump.as_ref().map_or(2_000_000, |groups| groups.iter().map(|group| group.prefixes.len()).sum())
    }

    /// `count` routes of feeder `n`.
    pub fn table(&self, count: usize, n: usize) -> Vec<Group<IpNet>> {
        self.groups(count, Who::Feeder(n).asn(), 1, |_| None)
    }

    /// What feeder `n` of `feeders` says of `count` prefixes that all of them announce, in one round of changes. Each
    /// prefix is won, by the shorter path, by one of them; the next round changes the paths and the winners.
    pub fn contested(&self, count: usize, n: usize, feeders: usize, round: u64) -> Load {
        let wins = |index: usize| mix(index as u64 ^ round << 40) % feeders as u64 == n as u64;
        let groups = self.groups(count, Who::Feeder(n).asn(), 2 + round, |index| Some(wins(index)));
        let won = groups.iter().enumerate().filter(|(index, _)| wins(*index)).map(|(_, group)| group_goal(group));
        Load { won: won.fold(Goal::default(), Add::add), ..self.encode(&groups, n) }
    }

    /// `count` routes of feeder `n`.
    pub fn load(&self, count: usize, n: usize) -> Load {
        self.encode(&self.table(count, n), n)
    }

    /// `each` routes of every feeder, different ones.
    pub fn parts(&self, each: usize, feeders: usize) -> Vec<Load> {
        let mut all = self.groups(each * feeders, 64_999, 1, |_| None).into_iter();
        let mut rest: Option<Group<IpNet>> = None;
        let part = |n| {
            let (mut groups, mut left) = (Vec::new(), each);
            while let Some(mut group) = rest.take().or_else(|| all.next()) {
                let here = group.prefixes.len().min(left);
                let attributes = group.attributes.clone();
                let further = group.prefixes.split_off(here);
                left -= here;
                group.attributes =
                    AttributesBuilder::from_canonical(&attributes).prepend(Who::Feeder(n).asn(), 1).build();
                groups.push(group);
                if !further.is_empty() {
                    rest = Some(Group { attributes, prefixes: further });
                }
                if left == 0 {
                    break;
                }
            }
            self.encode(&groups, n)
        };
        (0..feeders).map(part).collect()
    }

    fn groups(&self, count: usize, asn: u32, seed: u64, wins: impl Fn(usize) -> Option<bool>) -> Vec<Group<IpNet>> {
        let hops = |index| match wins(index) {
            None => Hops::Any,
            Some(true) => Hops::Short,
            Some(false) => Hops::Long,
        };
        let Some(dump) = &self.dump else {
            return match self.family {
                Family::Ipv4 => table::either(table::ipv4(count, asn, seed, hops)),
                Family::Ipv6 => table::either(table::ipv6(count, asn, seed, hops)),
            };
        };
        let mut random = Random(seed ^ u64::from(asn) << 16);
        let mut left = count;
        let mut groups = Vec::new();
        for (index, group) in dump.iter().enumerate() {
            if left == 0 {
                break;
            }
            let prefixes: Vec<IpNet> = group.prefixes.iter().take(left).copied().collect();
            left -= prefixes.len();
            let mut builder = AttributesBuilder::from_canonical(&group.attributes);
            // The round changes a path's second hop, and a loser is longer than any winner.
            let times = if wins(index) == Some(false) { 2 + random.below(2) as usize } else { 1 };
            if wins(index).is_some() {
                builder.prepend(1_000 + random.below(40), 1);
            }
            builder.prepend(asn, times);
            groups.push(Group { attributes: builder.build(), prefixes });
        }
        groups
    }

    fn encode(&self, groups: &[Group<IpNet>], n: usize) -> Load {
        let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, ..EncodeCtx::default() });
        let mut out = BytesMut::new();
        let next_hop = match Who::Feeder(n).address(self.family) {
            IpAddr::V4(address) => NextHop::Ipv4(address),
            IpAddr::V6(address) => NextHop::Ipv6(address),
        };
        for group in groups {
            let keys4 = group.prefixes.iter().filter_map(|prefix| match prefix {
                IpNet::V4(prefix) => Some((None, *prefix)),
                IpNet::V6(_) => None,
            });
            let keys6 = group.prefixes.iter().filter_map(|prefix| match prefix {
                IpNet::V6(prefix) => Some((None, *prefix)),
                IpNet::V4(_) => None,
            });
            let encoded = match self.family {
                Family::Ipv4 => encoder.announce::<Ipv4Unicast>(&group.attributes, next_hop, keys4, &mut out),
                Family::Ipv6 => encoder.announce::<Ipv6Unicast>(&group.attributes, next_hop, keys6, &mut out),
            };
            encoded.unwrap_or_else(|error| panic!("a route of a table does not fit a message: {error}"));
        }
        let goal = groups.iter().map(group_goal).fold(Goal::default(), Add::add);
        Load { stream: out.to_vec().into(), goal, won: goal }
    }
}

fn group_goal(group: &Group<IpNet>) -> Goal {
    let tag = tag(Attributes::canonical(&group.attributes).as_path().asns());
    group.prefixes.iter().map(|prefix| Goal::route(key(*prefix), tag)).fold(Goal::default(), Add::add)
}

/// The routes of a dump's largest peer. Paths with sets or with the target's own AS stay out, since a sink could not tell
/// what should become of them; so do very long ones.
fn dump(family: Family, octets: &[u8]) -> Vec<Group<IpNet>> {
    let mut peers: HashMap<String, HashMap<IpNet, Vec<u8>>> = HashMap::new();
    let mut note = |peer: String, prefix: IpNet, attributes: Option<Attributes<'_>>| {
        if Family::of(prefix) != family {
            return;
        }
        let routes = peers.entry(peer).or_default();
        let path = attributes.map(|attributes| (attributes.as_path(), attributes));
        match path.filter(|(path, _)| {
            let hops = path.asns().count();
            hops > 0
                && hops < 100
                && path.path_length() as usize == hops
                && path.asns().all(|hop| hop != AS && hop != 0)
        }) {
            Some((_, attributes)) => {
                let mut block = Vec::new();
                attributes.write_canonical(&mut block);
                let mut builder = AttributesBuilder::from_canonical(&block);
                builder.remove_internal();
                routes.insert(prefix, builder.build());
            }
            None => drop(routes.remove(&prefix)),
        }
    };
    for record in mrt::Reader::new(octets).flatten() {
        match record.body {
            mrt::Body::Rib(rib) => {
                let Some(prefix) = rib.prefix() else { continue };
                for entry in rib.entries() {
                    note(entry.peer.to_string(), prefix, Some(entry.attributes()));
                }
            }
            mrt::Body::Table(routes) => {
                for route in routes.iter() {
                    note(route.peer.to_string(), route.prefix, Some(route.attributes()));
                }
            }
            mrt::Body::Message(message) => {
                let Ok(Message::Update(update)) = Message::parse(message.message, &message.ctx()) else { continue };
                let peer = message.between.peer.to_string();
                let (reach, unreach) = (update.mp_reach(), update.mp_unreach());
                let gone4 = update.withdrawn().map(|(_, prefix)| IpNet::V4(prefix));
                let gone6 = unreach.iter().flat_map(|unreach| unreach.ipv6()).flatten();
                for prefix in gone4.chain(gone6.map(|(_, prefix)| IpNet::V6(prefix))) {
                    note(peer.clone(), prefix, None);
                }
                let new4 = update.nlri().map(|(_, prefix)| IpNet::V4(prefix));
                let new6 = reach.iter().flat_map(|reach| reach.ipv6()).flatten();
                for prefix in new4.chain(new6.map(|(_, prefix)| IpNet::V6(prefix))) {
                    note(peer.clone(), prefix, Some(update.attributes()));
                }
            }
            _ => {}
        }
    }
    let mut largest: Vec<(String, HashMap<IpNet, Vec<u8>>)> = peers.into_iter().collect();
    largest.sort_by(|(a, of_a), (b, of_b)| (of_b.len(), a).cmp(&(of_a.len(), b)));
    let mut sets: HashMap<Vec<u8>, Vec<IpNet>> = HashMap::new();
    for (prefix, attributes) in largest.into_iter().next().map(|(_, routes)| routes).unwrap_or_default() {
        sets.entry(attributes).or_default().push(prefix);
    }
    let mut groups: Vec<Group<IpNet>> =
        sets.into_iter().map(|(attributes, prefixes)| Group { attributes, prefixes }).collect();
    groups.iter_mut().for_each(|group| group.prefixes.sort());
    groups.sort_by_key(|group| group.prefixes.first().copied());
    groups
}

/// At most `want` prefixes, as even in what is inside each as halving allows, which cover all those given.
pub fn cover(prefixes: impl IntoIterator<Item = IpNet>, want: usize) -> Vec<IpNet> {
    let mut all: Vec<IpNet> = prefixes.into_iter().collect();
    all.sort_by_key(|prefix| (prefix.network(), prefix.prefix_len()));
    let root = match all.first() {
        Some(IpNet::V4(_)) => IpNet::V4(Ipv4Net::default()),
        Some(IpNet::V6(_)) => IpNet::V6(Ipv6Net::default()),
        None => return Vec::new(),
    };
    let mut done = Vec::new();
    let mut blocks = BinaryHeap::from([(all.len(), root, 0, all.len())]);
    while done.len() + blocks.len() < want {
        let Some((_, block, from, to)) = blocks.pop() else { break };
        let halves = block.subnets(block.prefix_len() + 1).into_iter().flatten();
        if all[from] == block {
            done.push(block);
            continue;
        }
        for half in halves {
            let inside = from + all[from..to].partition_point(|prefix| prefix.network() < half.network());
            let end = from + all[from..to].partition_point(|prefix| prefix.network() <= half.broadcast());
            if end > inside {
                blocks.push((end - inside, half, inside, end));
            }
        }
    }
    done.extend(blocks.into_iter().map(|(_, block, _, _)| block));
    done.sort();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prefix_of_a_contested_table_is_won_once() {
        let supply = Supply::synthetic(Family::Ipv4);
        let all = (0..4).map(|n| supply.contested(1_000, n, 4, 0).won).fold(Goal::default(), Add::add);
        let later = (0..4).map(|n| supply.contested(1_000, n, 4, 1).won).fold(Goal::default(), Add::add);
        assert_eq!((all.count, later.count), (1_000, 1_000));
        assert_ne!(all, later);
    }

    #[test]
    fn a_cover_has_the_size_asked_for_and_leaves_none_out() {
        for family in [Family::Ipv4, Family::Ipv6] {
            let table = Supply::synthetic(family).table(5_000, 0);
            let prefixes: Vec<IpNet> = table.into_iter().flat_map(|group| group.prefixes).collect();
            let cover = cover(prefixes.clone(), 700);
            assert_eq!(cover.len(), 700);
            assert!(prefixes.iter().all(|prefix| cover.iter().any(|block| block.contains(prefix))));
        }
    }

    #[test]
    fn a_goal_tells_a_wrong_path_from_the_right_one() {
        let route = |path: [u32; 2]| Goal::route(key("10.0.0.0/24".parse().expect("a prefix")), tag(path.into_iter()));
        assert_ne!(route([1, 2]), route([2, 1]));
        assert_eq!(route([1, 2]) + route([3, 4]) - route([1, 2]), route([3, 4]));
    }
}
