//! The log of a group: which destinations changed since the slowest member was last served, each once.
//!
//! Every member is a position in the log. Members at its end are in sync and get the same messages; one that lags
//! finds everything it has missed after its position, coalesced, since a destination that changes again moves to the end.
//! The log holds no routes: what to say about a destination is looked up when it is said. Its length is bounded
//! by the number of destinations, whatever the number of members and of changes.

use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::hash::pair;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) dest: u32,
    /// The neighbour that the route came from may have been told of the destination since the log began.
    pub(super) tell_source: bool,
}

/// Where a destination's newest entry is.
#[derive(Debug)]
struct Live {
    dest: u32,
    seq: u64,
    tell_source: bool,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<Entry>,
    live: HashTable<Live>,
    end: u64,
}

/// Superseded entries beyond as many as there are live ones, and this many, are swept out.
const SLACK: usize = 4096;

impl Log {
    /// The position after the newest entry.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The number of destinations in the log.
    pub(super) fn len(&self) -> usize {
        self.live.len()
    }

    /// The number of destinations after `position`.
    pub(super) fn pending(&self, position: u64) -> usize {
        self.live_from(position).count()
    }

    /// Moves `dest` to the end. `tell_source` adds to what is already known of it.
    pub(super) fn push(&mut self, dest: u32, tell_source: bool) {
        let seq = self.end;
        self.end += 1;
        let hash = |dest: u32| pair(dest, 0);
        let tell_source = match self.live.find_mut(hash(dest), |live| live.dest == dest) {
            Some(live) => {
                live.seq = seq;
                live.tell_source |= tell_source;
                live.tell_source
            }
            None => {
                self.live.insert_unique(hash(dest), Live { dest, seq, tell_source }, |live| hash(live.dest));
                tell_source
            }
        };
        self.entries.push_back(Entry { seq, dest, tell_source });
        if self.entries.len() > 2 * self.live.len() + SLACK {
            let Log { entries, live, .. } = self;
            entries.retain(|entry| is_live(live, entry));
        }
    }

    /// The newest entry of each destination after `position`, in order.
    pub(super) fn live_from(&self, position: u64) -> impl Iterator<Item = &Entry> {
        let first = self.entries.partition_point(|entry| entry.seq < position);
        self.entries.range(first..).filter(|entry| is_live(&self.live, entry))
    }

    /// Drops what lies before `position` and returns it, superseded entries left out, one by one.
    pub(super) fn pop_before(&mut self, position: u64) -> Option<u32> {
        while let Some(entry) = self.entries.front().copied().filter(|entry| entry.seq < position) {
            self.entries.pop_front();
            let newest = |live: &Live| live.dest == entry.dest && live.seq == entry.seq;
            if let Ok(live) = self.live.find_entry(pair(entry.dest, 0), newest) {
                live.remove();
                return Some(entry.dest);
            }
        }
        if self.entries.is_empty() {
            // A burst is over; its room is not kept.
            self.entries.shrink_to(SLACK);
            self.live.shrink_to(SLACK, |live| pair(live.dest, 0));
        }
        None
    }
}

fn is_live(live: &HashTable<Live>, entry: &Entry) -> bool {
    live.find(pair(entry.dest, 0), |live| live.dest == entry.dest && live.seq == entry.seq).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dests(log: &Log, position: u64) -> Vec<u32> {
        log.live_from(position).map(|entry| entry.dest).collect()
    }

    #[test]
    fn a_destination_that_changes_again_moves_to_the_end() {
        let mut log = Log::default();
        for dest in [1, 2, 3, 1] {
            log.push(dest, false);
        }
        assert_eq!(dests(&log, 0), [2, 3, 1]);
        assert_eq!(dests(&log, 3), [1]);
        assert_eq!((log.len(), log.pending(2)), (3, 2));
        assert_eq!(std::iter::from_fn(|| log.pop_before(3)).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(std::iter::from_fn(|| log.pop_before(4)).collect::<Vec<_>>(), [1]);
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn a_source_that_may_have_been_told_stays_so_until_the_entry_is_gone() {
        let mut log = Log::default();
        log.push(1, true);
        log.push(1, false);
        assert!(log.live_from(0).all(|entry| entry.tell_source));
        assert_eq!(log.pop_before(log.end()), Some(1));
        log.push(1, false);
        assert!(log.live_from(0).all(|entry| !entry.tell_source));
    }

    #[test]
    fn a_few_flapping_destinations_never_make_the_log_long() {
        let mut log = Log::default();
        for n in 0..100_000 {
            log.push(n % 10, false);
        }
        assert!(log.entries.len() <= SLACK + 20, "{} entries", log.entries.len());
        assert_eq!(dests(&log, 0), (0..10).collect::<Vec<_>>());
    }
}
