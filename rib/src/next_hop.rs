//! Next hops, interned, with what is known of their reachability.
//!
//! A next hop belongs to the VRF that resolves it, which for a leaked path is the exporter's. The table is told states
//! by whoever tracks the kernel; it never resolves anything. A new next hop is unreachable until told otherwise.

use core::net::IpAddr;
use std::collections::VecDeque;

use bgp_wire::NextHop;
use hashbrown::HashTable;

use crate::hash::{fold, pair};
use crate::slab::{Slab, Slot};
use crate::{NextHopId, VrfId};

/// What is known of a next hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NextHopState {
    /// No route leads to it: paths through it are excluded from the decision (RFC 4271 9.1.2.1).
    #[default]
    Unreachable,
    /// A route leads to it.
    Resolved {
        /// The interior cost (RFC 4271 9.1.2.2 e); 0 for a connected next hop.
        metric: u32,
        /// Where packets leave; several for a multipath interior route.
        egress: Box<[Egress]>,
    },
}

impl NextHopState {
    /// Paths through it may be selected.
    pub fn is_resolved(&self) -> bool {
        matches!(self, NextHopState::Resolved { .. })
    }
}

/// One way out of the box toward a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Egress {
    /// The router on the link; none where the destination itself is on it.
    pub gateway: Option<IpAddr>,
    /// The interface index.
    pub interface: u32,
}

/// What a change of a next hop's state asks of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHopChange {
    /// Nothing: the state is what it was.
    Nothing,
    /// Decisions stand, but routes through it leave the box differently.
    Egress,
    /// Destinations with a path through it must be decided again.
    Decision,
}

/// One next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHopEntry {
    /// The VRF that resolves it.
    pub vrf: VrfId,
    /// Its address.
    pub address: NextHop,
    /// The interface it is bound to: always for a link-local address, never for others learned from a session.
    pub interface: Option<u32>,
    /// What is known of it.
    pub state: NextHopState,
    /// 0 in a hole, whose successor is `vrf`.
    count: u32,
    metric: u32,
}

impl Slot for NextHopEntry {
    fn hole(next: u32) -> Self {
        NextHopEntry {
            vrf: VrfId(next),
            address: NextHop::Ipv4(core::net::Ipv4Addr::UNSPECIFIED),
            interface: None,
            state: NextHopState::Unreachable,
            count: 0,
            metric: UNREACHABLE,
        }
    }

    fn next_hole(&self) -> Option<u32> {
        (self.count == 0).then_some(self.vrf.0)
    }
}

/// The metric kept for unreachable next hops, so that the decision reads one field.
const UNREACHABLE: u32 = u32::MAX;

/// All next hops in use on one shard, counted like attributes.
#[derive(Debug, Default)]
pub struct NextHops {
    index: HashTable<u32>,
    entries: Slab<NextHopEntry>,
    fresh: VecDeque<NextHopId>,
}

impl NextHops {
    /// The id of a next hop, with its count raised by one.
    pub fn intern(&mut self, vrf: VrfId, address: &NextHop, interface: Option<u32>) -> NextHopId {
        let hash = hash(vrf, address, interface);
        let entries = &mut self.entries;
        let same = |&id: &u32| {
            let entry = &entries[id];
            entry.address == *address && entry.vrf == vrf && entry.interface == interface
        };
        if let Some(&id) = self.index.find(hash, same) {
            entries[id].count += 1;
            return NextHopId(id);
        }
        let state = NextHopState::Unreachable;
        let id =
            entries.insert(NextHopEntry { vrf, address: *address, interface, state, count: 1, metric: UNREACHABLE });
        let rehash = |&id: &u32| self::hash(entries[id].vrf, &entries[id].address, entries[id].interface);
        self.index.insert_unique(hash, id, rehash);
        self.fresh.push_back(NextHopId(id));
        NextHopId(id)
    }

    /// Raises the count of `id` by one.
    #[inline]
    pub fn retain(&mut self, id: NextHopId) {
        self.entries[id.0].count += 1;
    }

    /// Lowers the count of `id` by one, and forgets the next hop and its state at zero.
    #[inline]
    pub fn release(&mut self, id: NextHopId) {
        let entry = &mut self.entries[id.0];
        debug_assert!(entry.count > 0, "{id:?} released too often");
        if entry.count > 1 {
            entry.count -= 1;
        } else {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: NextHopId) {
        let entry = &self.entries[id.0];
        let hash = hash(entry.vrf, &entry.address, entry.interface);
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == id.0) {
            entry.remove();
        }
        self.entries.remove(id.0);
        self.fresh.retain(|&other| other != id);
        if self.entries.len() == 0 {
            *self = NextHops::default();
        }
    }

    /// A next hop seen for the first time since the last call, for the one who tracks reachability.
    pub fn poll_fresh(&mut self) -> Option<NextHopId> {
        self.fresh.pop_front()
    }

    /// Records what is known of `id` and says what follows from it. An id that is not in use changes nothing.
    pub fn set_state(&mut self, id: NextHopId, state: NextHopState) -> NextHopChange {
        if self.get(id).is_none_or(|entry| entry.state == state) {
            return NextHopChange::Nothing;
        }
        let entry = &mut self.entries[id.0];
        let metric = match &state {
            NextHopState::Unreachable => UNREACHABLE,
            NextHopState::Resolved { metric, .. } => (*metric).min(UNREACHABLE - 1),
        };
        let change = if metric == entry.metric { NextHopChange::Egress } else { NextHopChange::Decision };
        (entry.state, entry.metric) = (state, metric);
        change
    }

    /// The next hop `id`, if it is in use.
    pub fn get(&self, id: NextHopId) -> Option<&NextHopEntry> {
        self.entries.get(id.0)
    }

    /// The interior cost of `id`; none while it is unreachable.
    #[inline]
    pub fn metric(&self, id: NextHopId) -> Option<u32> {
        let metric = self.entries[id.0].metric;
        (metric != UNREACHABLE).then_some(metric)
    }

    /// Every next hop in use.
    pub fn iter(&self) -> impl Iterator<Item = (NextHopId, &NextHopEntry)> {
        (0..self.entries.end()).filter_map(|id| Some((NextHopId(id), self.entries.get(id)?)))
    }

    /// How many holders `id` has.
    pub fn count(&self, id: NextHopId) -> u32 {
        self.get(id).map_or(0, |entry| entry.count)
    }

    /// The number of next hops.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// No next hop is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn hash(vrf: VrfId, address: &NextHop, interface: Option<u32>) -> u64 {
    let base = pair(vrf.0, interface.unwrap_or(0));
    let v6 = |base: u64, address: &core::net::Ipv6Addr| {
        let bits = address.to_bits();
        fold(fold(base ^ (bits >> 64) as u64, 0x9e37_79b9_7f4a_7c15) ^ bits as u64, 0xd6e8_feb8_6659_fd93)
    };
    match address {
        NextHop::Ipv4(address) => fold(base ^ u64::from(address.to_bits()), 0x9e37_79b9_7f4a_7c15),
        NextHop::Ipv6(address) => v6(base, address),
        NextHop::Ipv6LinkLocal { global, link_local } => v6(v6(base, global), link_local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(metric: u32, interface: u32) -> NextHopState {
        NextHopState::Resolved { metric, egress: Box::new([Egress { gateway: None, interface }]) }
    }

    #[test]
    fn one_address_in_two_vrfs_or_on_two_interfaces_is_two_next_hops() {
        let mut next_hops = NextHops::default();
        let address = NextHop::Ipv6("fe80::1".parse().unwrap());
        let a = next_hops.intern(VrfId(1), &address, Some(3));
        let b = next_hops.intern(VrfId(1), &address, Some(4));
        let c = next_hops.intern(VrfId(2), &address, Some(3));
        assert_eq!(next_hops.intern(VrfId(1), &address, Some(3)), a);
        assert_eq!((next_hops.len(), next_hops.count(a)), (3, 2));
        for id in [a, a, b, c] {
            next_hops.release(id);
        }
        assert!(next_hops.is_empty() && next_hops.poll_fresh().is_none());
    }

    #[test]
    fn only_a_change_of_reachability_or_metric_asks_for_decisions() {
        let mut next_hops = NextHops::default();
        let id = next_hops.intern(VrfId(0), &NextHop::Ipv4([10, 0, 0, 1].into()), None);
        assert_eq!(next_hops.poll_fresh(), Some(id));
        assert_eq!(next_hops.metric(id), None);
        assert_eq!(next_hops.set_state(id, resolved(5, 1)), NextHopChange::Decision);
        assert_eq!(next_hops.metric(id), Some(5));
        assert_eq!(next_hops.set_state(id, resolved(5, 2)), NextHopChange::Egress);
        assert_eq!(next_hops.set_state(id, resolved(5, 2)), NextHopChange::Nothing);
        assert_eq!(next_hops.set_state(id, resolved(6, 2)), NextHopChange::Decision);
        assert_eq!(next_hops.set_state(id, NextHopState::Unreachable), NextHopChange::Decision);
        next_hops.release(id);
        assert_eq!(next_hops.set_state(id, resolved(1, 1)), NextHopChange::Nothing);
    }
}
