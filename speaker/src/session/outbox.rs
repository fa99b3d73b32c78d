//! The queue of encoded messages from the shards to one session: bounded in octets, never waited for by a shard.
//!
//! Each shard keeps an [`Outbox`], the session task the [`Inbox`]. A push that fills the queue says so, upon which the shard pushes no more;
//! the session is told, by what it pops, when the shards are to go on. Of what every shard marks, the queue takes the first beginning and
//! the last end, so that the neighbour sees one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgp_wire::AfiSafi;
use bytes::Bytes;
use rib::adj_out::{Mark, Sent};
use tokio::sync::Notify;

/// With this many octets waiting, the peer is behind: nothing more is pushed until it caught up.
const LIMIT: usize = 1 << 20;

/// With fewer octets than this a shard that stopped is told to go on.
const LOW: usize = LIMIT / 4;

/// A shard's end.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(Arc<Queue>);

/// The session's end. After it is dropped every push goes nowhere: the session is over, and the shards will hear so.
#[derive(Debug)]
pub(crate) struct Inbox(Arc<Queue>);

/// Whole messages to send.
#[derive(Debug)]
pub(crate) struct Popped {
    pub(crate) messages: Bytes,
    /// Shards stopped because the queue was full and can go on now: tell them.
    pub(crate) room: bool,
    /// With these messages a refresh of this family ends.
    pub(crate) refreshed: Option<AfiSafi>,
}

#[derive(Debug)]
struct Queue {
    shards: usize,
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Sent>,
    /// How many shards have given a mark, of those that not all have given.
    marks: Vec<(Mark, usize)>,
    octets: usize,
    stopped: bool,
    closed: bool,
}

/// A queue that so many shards fill.
pub(crate) fn pair(shards: usize) -> (Outbox, Inbox) {
    let queue = Arc::new(Queue { shards, state: Mutex::default(), filled: Notify::new() });
    (Outbox(Arc::clone(&queue)), Inbox(queue))
}

impl Outbox {
    /// Appends whole messages. False: the queue is full now, and the session reports [`Popped::room`] once it is not.
    #[must_use]
    pub(crate) fn push(&self, sent: Sent) -> bool {
        let mut state = self.0.lock();
        if state.closed {
            return true;
        }
        if let Sent::Mark(mark, _) = sent
            && !state.counts(mark, self.0.shards)
        {
            return !state.stopped;
        }
        state.octets += sent.octets().len();
        state.waiting.push_back(sent);
        state.stopped = state.octets >= LIMIT;
        let room = !state.stopped;
        drop(state);
        self.0.filled.notify_one();
        room
    }
}

impl Inbox {
    /// The next messages, when there are any. Cancel safe.
    pub(crate) async fn pop(&mut self) -> Popped {
        loop {
            if let Some(popped) = self.try_pop() {
                return popped;
            }
            self.0.filled.notified().await;
        }
    }

    fn try_pop(&mut self) -> Option<Popped> {
        let mut state = self.0.lock();
        let sent = state.waiting.pop_front()?;
        state.octets -= sent.octets().len();
        let room = state.stopped && state.octets < LOW;
        if room {
            state.stopped = false;
        }
        let refreshed = match sent {
            Sent::Mark(Mark::EndOfRr(family), _) => Some(family),
            _ => None,
        };
        Some(Popped { messages: sent.octets().clone(), room, refreshed })
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        *state = State { closed: true, ..State::default() };
    }
}

impl State {
    /// Whether a mark that one more of the shards gives is for the neighbour. Each gives every mark once before any gives it again.
    fn counts(&mut self, mark: Mark, shards: usize) -> bool {
        let at = self.marks.iter().position(|(known, _)| *known == mark).unwrap_or_else(|| {
            self.marks.push((mark, 0));
            self.marks.len() - 1
        });
        self.marks[at].1 += 1;
        let given = self.marks[at].1;
        if given == shards {
            self.marks.swap_remove(at);
        }
        match mark {
            Mark::BeginOfRr(_) => given == 1,
            Mark::EndOfRib(_) | Mark::EndOfRr(_) => given == shards,
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: AfiSafi = AfiSafi::IPV4_UNICAST;
    const V6: AfiSafi = AfiSafi::IPV6_UNICAST;

    fn updates(octets: usize) -> Sent {
        Sent::Updates(Bytes::from(vec![0; octets]))
    }

    fn mark(mark: Mark, text: &'static str) -> Sent {
        Sent::Mark(mark, Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_full_queue_says_so_and_once_when_there_is_room() {
        let (outbox, mut inbox) = pair(1);
        let message = updates(LIMIT / 8);
        let pushed: Vec<bool> = (0..8).map(|_| outbox.push(message.clone())).collect();
        assert_eq!(pushed, [true, true, true, true, true, true, true, false]);
        let rooms: Vec<bool> = std::iter::from_fn(|| inbox.try_pop().map(|popped| popped.room)).collect();
        assert_eq!(rooms.iter().filter(|room| **room).count(), 1);
        assert_eq!(rooms.len(), 8);
        assert!(outbox.push(message));
        assert!(!inbox.try_pop().unwrap().room);
    }

    #[test]
    fn a_push_after_the_session_ended_goes_nowhere_and_always_has_room() {
        let (outbox, inbox) = pair(1);
        drop(inbox);
        assert!((0..32).all(|_| outbox.push(updates(LIMIT))));
    }

    #[tokio::test]
    async fn a_push_wakes_the_waiting_session() {
        let (outbox, mut inbox) = pair(1);
        let reader = tokio::spawn(async move { inbox.pop().await.messages });
        assert!(outbox.push(Sent::Updates(Bytes::from_static(b"hello"))));
        assert_eq!(reader.await.unwrap(), "hello");
    }

    #[test]
    fn the_end_that_every_shard_marks_comes_once_after_the_last_and_a_beginning_before_the_first() {
        let (outbox, mut inbox) = pair(3);
        let mut said =
            || -> Vec<Bytes> { std::iter::from_fn(|| inbox.try_pop().map(|popped| popped.messages)).collect() };
        for again in 0..2 {
            for shard in 0..3 {
                assert!(outbox.push(mark(Mark::BeginOfRr(V4), "begin")));
                assert!(outbox.push(mark(Mark::EndOfRib(V6), "end of the other")));
                assert!(outbox.push(mark(Mark::EndOfRr(V4), "end")));
                let expected: &[&str] = match shard {
                    0 => &["begin"],
                    1 => &[],
                    _ => &["end of the other", "end"],
                };
                assert_eq!(said(), expected, "shard {shard}, time {again}");
            }
        }
    }

    #[test]
    fn the_end_of_a_refresh_is_told_with_its_message() {
        let (outbox, mut inbox) = pair(1);
        assert!(outbox.push(mark(Mark::BeginOfRr(V4), "begin")) && outbox.push(mark(Mark::EndOfRr(V4), "end")));
        assert_eq!(inbox.try_pop().unwrap().refreshed, None);
        assert_eq!(inbox.try_pop().unwrap().refreshed, Some(V4));
    }
}
