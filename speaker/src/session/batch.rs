//! What the shards have to agree on of one session, each of which sees all that it receives and keeps a part.

use std::sync::atomic::{AtomicUsize, Ordering};

use bgp_wire::UpdateIndex;
use bytes::Bytes;

/// Something that happens to a session once, and on every shard at its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Milestone {
    /// It is up.
    Up,
    /// The neighbour has announced all its routes.
    Complete,
    /// It is down.
    Down,
}

/// How many shards have come to each milestone of one session.
#[derive(Debug, Default)]
pub(crate) struct Milestones {
    shards: usize,
    reached: [AtomicUsize; 3],
}

impl Milestones {
    pub(crate) fn of(shards: usize) -> Self {
        Self { shards, reached: Default::default() }
    }

    /// One more shard has come here. Says whether it is the last, which then tells of it. Each comes once.
    pub(crate) fn reach(&self, milestone: Milestone) -> bool {
        self.reached[milestone as usize].fetch_add(1, Ordering::AcqRel) + 1 == self.shards
    }
}

/// UPDATEs in the order received, parsed once, of which each shard takes what is for its prefixes.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) updates: Vec<(Bytes, UpdateIndex)>,
    /// Shards that have yet to take their part.
    left: AtomicUsize,
    /// Routes of the neighbour that stand on the others after it.
    standing: AtomicUsize,
}

impl Batch {
    pub(crate) fn new(updates: Vec<(Bytes, UpdateIndex)>, shards: usize) -> Self {
        Self { updates, left: AtomicUsize::new(shards), standing: AtomicUsize::new(0) }
    }

    /// A shard has taken its part, after which so many routes of the neighbour stand there. To the last one it says how many stand on
    /// all together. What a faster shard has taken since is not in it, so that a route which moves is never counted twice.
    pub(crate) fn taken(&self, standing: usize) -> Option<usize> {
        self.standing.fetch_add(standing, Ordering::AcqRel);
        let last = self.left.fetch_sub(1, Ordering::AcqRel) == 1;
        last.then(|| self.standing.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_shard_tells_of_a_milestone() {
        let milestones = Milestones::of(3);
        let reach = |milestone| milestones.reach(milestone);
        assert_eq!([(); 3].map(|()| reach(Milestone::Up)), [false, false, true]);
        assert!(!reach(Milestone::Down));
    }

    #[test]
    fn the_last_shard_hears_how_many_routes_stand_on_all() {
        let batch = Batch::new(Vec::new(), 3);
        assert_eq!([2, 0, 5].map(|standing| batch.taken(standing)), [None, None, Some(7)]);
    }
}
