//! Next hops that a route of BGP may lead to, of which any shard may have the longest.
//!
//! Whoever needs one asks here. Every shard then says which of its own routes leads there, and says so again when that changes; who
//! asked looks again. With one shard nobody is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use rib::VrfId;

use super::resolve::BgpRoute;

#[derive(Debug)]
pub(super) struct Indirect {
    shards: usize,
    known: BTreeMap<(VrfId, IpAddr), Entry>,
    /// What each shard has to look at.
    look: Vec<BTreeSet<(VrfId, IpAddr)>>,
    wake: BTreeSet<usize>,
}

#[derive(Debug)]
struct Entry {
    /// The longest route of each shard.
    longest: Vec<Option<BgpRoute>>,
    /// Shards with next hops that depend on it.
    needed_by: BTreeSet<usize>,
}

impl Indirect {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards, known: BTreeMap::new(), look: vec![BTreeSet::new(); shards], wake: BTreeSet::new() }
    }

    /// A shard needs to know what leads to an address, for which it has this route itself. Returns the longest of all, as far as
    /// the others have said.
    pub(super) fn need(
        &mut self,
        shard: usize,
        vrf: VrfId,
        address: IpAddr,
        own: Option<BgpRoute>,
    ) -> Option<BgpRoute> {
        let shards = self.shards;
        let known = self.known.contains_key(&(vrf, address));
        let entry = || Entry { longest: vec![None; shards], needed_by: BTreeSet::new() };
        let entry = self.known.entry((vrf, address)).or_insert_with(entry);
        entry.needed_by.insert(shard);
        if !known {
            self.tell(shard, vrf, address, 0..shards);
        }
        self.found(shard, vrf, address, own);
        let entry = self.known.get(&(vrf, address))?;
        entry.longest.iter().flatten().copied().max_by_key(|route| route.prefix.prefix_len())
    }

    /// A shard has this route to an address. Those who need to know look again if it is another one.
    pub(super) fn found(&mut self, shard: usize, vrf: VrfId, address: IpAddr, own: Option<BgpRoute>) {
        let Some(entry) = self.known.get_mut(&(vrf, address)) else { return };
        if std::mem::replace(&mut entry.longest[shard], own) != own {
            let needed_by = entry.needed_by.clone();
            self.tell(shard, vrf, address, needed_by);
        }
    }

    /// A shard does not need this one any more.
    pub(super) fn leave(&mut self, shard: usize, vrf: VrfId, address: IpAddr) {
        let Some(entry) = self.known.get_mut(&(vrf, address)) else { return };
        if entry.needed_by.remove(&shard) && entry.needed_by.is_empty() {
            self.known.remove(&(vrf, address));
            self.tell(shard, vrf, address, 0..self.shards);
        }
    }

    /// A shard has no such VRF any more.
    pub(super) fn leave_vrf(&mut self, shard: usize, vrf: VrfId) {
        for address in self.of(vrf) {
            self.found(shard, vrf, address, None);
            self.leave(shard, vrf, address);
        }
    }

    /// Whether any shard needs it.
    pub(super) fn is_needed(&self, vrf: VrfId, address: IpAddr) -> bool {
        self.known.contains_key(&(vrf, address))
    }

    /// The addresses that anybody needs in a VRF.
    pub(super) fn of(&self, vrf: VrfId) -> Vec<IpAddr> {
        let known = self.known.keys().filter(|(of, _)| *of == vrf);
        known.map(|(_, address)| *address).collect()
    }

    /// What a shard has to look at since it last asked: addresses that somebody began to need or ceased to, and those to which another
    /// shard has another route now.
    pub(super) fn look(&mut self, shard: usize) -> BTreeSet<(VrfId, IpAddr)> {
        std::mem::take(&mut self.look[shard])
    }

    /// The shards that have got something to look at since this was last asked.
    pub(super) fn take_woken(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.wake)
    }

    fn tell(&mut self, shard: usize, vrf: VrfId, address: IpAddr, whom: impl IntoIterator<Item = usize>) {
        for other in whom.into_iter().filter(|other| *other != shard) {
            self.look[other].insert((vrf, address));
            self.wake.insert(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VRF: VrfId = VrfId(1);

    fn route(prefix: &str) -> Option<BgpRoute> {
        Some(BgpRoute { prefix: prefix.parse().unwrap(), next_hop: [192, 0, 2, 1].into() })
    }

    #[test]
    fn who_needs_an_address_hears_of_the_longest_route_of_all_shards() {
        let mut indirect = Indirect::new(3);
        let address: IpAddr = [10, 1, 2, 3].into();
        assert_eq!(indirect.need(1, VRF, address, route("10.0.0.0/8")), route("10.0.0.0/8"));
        assert_eq!(indirect.take_woken(), [0, 2].into());
        assert_eq!(indirect.look(0), [(VRF, address)].into());
        indirect.found(0, VRF, address, route("10.1.0.0/16"));
        indirect.found(2, VRF, address, None);
        assert_eq!((indirect.take_woken(), indirect.look(1)), ([1].into(), [(VRF, address)].into()));
        assert_eq!(indirect.need(1, VRF, address, route("10.0.0.0/8")), route("10.1.0.0/16"));
        indirect.found(0, VRF, address, None);
        assert_eq!(indirect.need(1, VRF, address, route("10.0.0.0/8")), route("10.0.0.0/8"));
    }

    #[test]
    fn an_address_that_nobody_needs_any_more_is_forgotten_by_all() {
        let mut indirect = Indirect::new(2);
        let address: IpAddr = [10, 1, 2, 3].into();
        indirect.need(0, VRF, address, None);
        indirect.need(1, VRF, address, None);
        indirect.look(1);
        indirect.leave(0, VRF, address);
        assert!(indirect.is_needed(VRF, address), "the other shard does");
        indirect.leave_vrf(1, VRF);
        assert!(!indirect.is_needed(VRF, address));
        assert_eq!(indirect.look(0), [(VRF, address)].into());
        assert!(indirect.of(VRF).is_empty());
    }
}
