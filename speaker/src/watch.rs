//! The event stream: a bounded ring that every watcher reads at its own pace.
//!
//! Owns the last events and their numbers. Writers never wait and never allocate per watcher; a reader that falls behind the
//! ring is told how many events it missed and goes on from the oldest kept one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use rib::VrfId;
use tokio::sync::Notify;

use crate::config::NeighborKey;
use crate::status::EdgeState;

/// A place in the event stream: the number of the next event to read. Numbers only grow, so one that was kept can be given to
/// [`crate::Speaker::watch`] later to go on where the reader stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

/// What a watcher reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// The next event, with its number.
    Event(Cursor, Event),
    /// The reader was too slow: this many events are lost, and what it knows should be read anew.
    Gap(u64),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A session is established.
    Established(NeighborKey),
    /// A session ended; the text says why.
    Down(NeighborKey, Arc<str>),
    /// A neighbour sent all its routes of all negotiated families.
    EndOfRib(NeighborKey),
    /// A configuration was applied with this many changes.
    Applied(usize),
    /// All configured neighbours are established and sent End-of-RIB, or the deadline for it passed.
    Converged,
    /// An edge's data plane changed state.
    Edge {
        /// The exporter's VRF.
        from: Arc<str>,
        /// The importer's VRF.
        to: Arc<str>,
        /// The new state.
        state: EdgeState,
    },
    /// The selected route for a prefix is another one.
    Route {
        /// The VRF.
        vrf: Arc<str>,
        /// The destination.
        prefix: IpNet,
        /// What stands now.
        now: Standing,
    },
}

/// What stands for a prefix after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A route of the VRF's own.
    Native,
    /// A route that a peering put there.
    Leaked,
    /// No route.
    Gone,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Leaked => "leaked",
            Self::Gone => "gone",
        })
    }
}

/// One reader of the event stream.
#[derive(Debug)]
pub struct Watch {
    ring: Arc<Ring>,
    next: u64,
}

impl Watch {
    /// The next event or gap, when there is one; `None` once the speaker has stopped and all is read.
    ///
    /// Cancel safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Watched> {
        loop {
            let ring = Arc::clone(&self.ring);
            let mut changed = std::pin::pin!(ring.changed.notified());
            changed.as_mut().enable();
            match self.poll() {
                Poll::Ready(item) => return Some(item),
                Poll::Closed => return None,
                Poll::Pending => changed.await,
            }
        }
    }

    /// What [`Watch::next`] would give at once, or `None` when there is nothing new.
    pub fn try_next(&mut self) -> Option<Watched> {
        match self.poll() {
            Poll::Ready(item) => Some(item),
            Poll::Closed | Poll::Pending => None,
        }
    }

    /// Where this reader is.
    pub fn cursor(&self) -> Cursor {
        Cursor(self.next)
    }

    fn poll(&mut self) -> Poll {
        let kept = self.ring.lock();
        let oldest = kept.next - kept.events.len() as u64;
        if self.next < oldest {
            let missed = oldest - self.next;
            self.next = oldest;
            return Poll::Ready(Watched::Gap(missed));
        }
        match kept.event((self.next - oldest) as usize) {
            Some(event) => {
                let at = Cursor(self.next);
                self.next += 1;
                Poll::Ready(Watched::Event(at, event))
            }
            None if kept.closed => Poll::Closed,
            None => Poll::Pending,
        }
    }
}

enum Poll {
    Ready(Watched),
    Pending,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Ring {
    keeps_events: bool,
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Debug)]
struct Kept {
    events: VecDeque<Stored>,
    /// The names of the VRFs that stored routes are in.
    vrfs: BTreeMap<VrfId, Arc<str>>,
    capacity: usize,
    /// The number of the event that comes next.
    next: u64,
    closed: bool,
}

/// [`Event::Route`], by the number of its VRF, which no other VRF of the speaker ever has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangedRoute {
    pub(crate) vrf: VrfId,
    pub(crate) prefix: IpNet,
    pub(crate) now: Standing,
}

/// An event as it is kept. Changed routes are most of them and come by the million, so they are kept small and share their names.
#[derive(Debug)]
enum Stored {
    Route(ChangedRoute),
    Other(Box<Event>),
}

/// With so many names, those that are not needed are looked for. More than the VRFs that a box has.
const MAX_NAMES: usize = 16_384;

impl Kept {
    fn event(&self, at: usize) -> Option<Event> {
        Some(match self.events.get(at)? {
            Stored::Route(ChangedRoute { vrf, prefix, now }) => {
                Event::Route { vrf: self.vrfs.get(vrf)?.clone(), prefix: *prefix, now: *now }
            }
            Stored::Other(event) => (**event).clone(),
        })
    }

    fn push(&mut self, event: Stored) {
        self.next += 1;
        if self.capacity == 0 {
            return;
        }
        if self.events.len() == self.capacity {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Forgets the names that no stored route needs.
    fn prune(&mut self) {
        let stored = |event: &Stored| match event {
            Stored::Route(route) => Some(route.vrf),
            Stored::Other(_) => None,
        };
        let needed: BTreeSet<VrfId> = self.events.iter().filter_map(stored).collect();
        self.vrfs.retain(|vrf, _| needed.contains(vrf));
    }
}

impl Ring {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            keeps_events: capacity > 0,
            kept: Mutex::new(Kept { events: VecDeque::new(), vrfs: BTreeMap::new(), capacity, next: 0, closed: false }),
            changed: Notify::new(),
        })
    }

    /// Appends events and wakes the watchers once.
    pub(crate) fn push(&self, events: impl IntoIterator<Item = Event>) {
        {
            let mut kept = self.lock();
            events.into_iter().for_each(|event| kept.push(Stored::Other(Box::new(event))));
        }
        self.changed.notify_waiters();
    }

    /// Appends an [`Event::Route`] for each, and wakes the watchers once; `name` is asked for what each VRF is called.
    pub(crate) fn push_routes(
        &self,
        routes: impl IntoIterator<Item = ChangedRoute>,
        name: impl Fn(VrfId) -> Option<Arc<str>>,
    ) {
        {
            let mut kept = self.lock();
            for route in routes {
                if !kept.vrfs.contains_key(&route.vrf)
                    && let Some(name) = name(route.vrf)
                {
                    if kept.vrfs.len() >= MAX_NAMES {
                        kept.prune();
                    }
                    kept.vrfs.insert(route.vrf, name);
                }
                kept.push(Stored::Route(route));
            }
        }
        self.changed.notify_waiters();
    }

    /// Whether events are kept at all. Where none are, [`pass_over`](Self::pass_over) takes the place of [`push_routes`](Self::push_routes).
    pub(crate) fn keeps_events(&self) -> bool {
        self.keeps_events
    }

    /// Counts events that nobody can read.
    pub(crate) fn pass_over(&self, events: usize) {
        self.lock().next += events as u64;
        self.changed.notify_waiters();
    }

    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// A reader from this place on, or from now on. A place in the future is now.
    pub(crate) fn watch(self: &Arc<Self>, from: Option<Cursor>) -> Watch {
        let now = self.lock().next;
        Watch { ring: Arc::clone(self), next: from.map_or(now, |cursor| cursor.0.min(now)) }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(watch: &mut Watch) -> Vec<Watched> {
        std::iter::from_fn(|| watch.try_next()).collect()
    }

    #[test]
    fn a_reader_that_keeps_up_sees_every_event_in_order() {
        let ring = Ring::new(4);
        let mut watch = ring.watch(None);
        for i in 0..10 {
            ring.push([Event::Applied(i)]);
            assert_eq!(read(&mut watch), [Watched::Event(Cursor(i as u64), Event::Applied(i))]);
        }
    }

    #[test]
    fn a_slow_reader_is_told_how_many_it_missed_and_stops_nobody() {
        let ring = Ring::new(3);
        let mut watch = ring.watch(None);
        ring.push((0..10).map(Event::Applied));
        assert_eq!(
            read(&mut watch),
            [
                Watched::Gap(7),
                Watched::Event(Cursor(7), Event::Applied(7)),
                Watched::Event(Cursor(8), Event::Applied(8)),
                Watched::Event(Cursor(9), Event::Applied(9)),
            ]
        );
    }

    #[test]
    fn a_kept_cursor_goes_on_where_the_reader_stopped() {
        let ring = Ring::new(8);
        let mut watch = ring.watch(None);
        ring.push((0..4).map(Event::Applied));
        assert!(watch.try_next().is_some());
        let mut again = ring.watch(Some(watch.cursor()));
        assert_eq!(again.try_next(), Some(Watched::Event(Cursor(1), Event::Applied(1))));
        let mut future = ring.watch(Some(Cursor(99)));
        assert_eq!(future.cursor(), Cursor(4));
        assert_eq!(future.try_next(), None);
    }

    #[test]
    fn a_ring_that_keeps_nothing_still_says_how_many_events_there_were() {
        let ring = Ring::new(0);
        let mut watch = ring.watch(None);
        ring.push([Event::Converged]);
        ring.pass_over(3);
        assert_eq!(read(&mut watch), [Watched::Gap(4)]);
    }

    #[tokio::test]
    async fn the_stream_ends_after_the_last_event_once_closed() {
        let ring = Ring::new(8);
        let mut watch = ring.watch(None);
        ring.push([Event::Converged]);
        ring.close();
        assert_eq!(watch.next().await, Some(Watched::Event(Cursor(0), Event::Converged)));
        assert_eq!(watch.next().await, None);
    }
}
