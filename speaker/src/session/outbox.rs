//! The queue of encoded messages from the shard to one session: bounded in octets, never waited for by the shard.
//!
//! The shard keeps an [`Outbox`], the session task the [`Inbox`]. A push that fills the queue says so, upon which the shard pushes no more;
//! the session is told, by what it pops, when the shard is to go on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// With this many octets waiting, the peer is behind: nothing more is pushed until it caught up.
const LIMIT: usize = 1 << 20;

/// With fewer octets than this a shard that stopped is told to go on.
const LOW: usize = LIMIT / 4;

/// The shard's end.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(Arc<Queue>);

/// The session's end. After it is dropped every push goes nowhere: the session is over, and the shard will hear so.
#[derive(Debug)]
pub(crate) struct Inbox(Arc<Queue>);

/// Whole messages to send.
#[derive(Debug)]
pub(crate) struct Popped {
    pub(crate) messages: Bytes,
    /// The shard stopped because the queue was full and can go on now: tell it.
    pub(crate) room: bool,
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Bytes>,
    octets: usize,
    stopped: bool,
    closed: bool,
}

pub(crate) fn pair() -> (Outbox, Inbox) {
    let queue = Arc::new(Queue { state: Mutex::default(), filled: Notify::new() });
    (Outbox(Arc::clone(&queue)), Inbox(queue))
}

impl Outbox {
    /// Appends whole messages. False: the queue is full now, and the session reports [`Popped::room`] once it is not.
    #[must_use]
    pub(crate) fn push(&self, messages: Bytes) -> bool {
        let mut state = self.0.lock();
        if state.closed {
            return true;
        }
        state.octets += messages.len();
        state.waiting.push_back(messages);
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
        let messages = state.waiting.pop_front()?;
        state.octets -= messages.len();
        let room = state.stopped && state.octets < LOW;
        if room {
            state.stopped = false;
        }
        Some(Popped { messages, room })
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        *state = State { closed: true, ..State::default() };
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

    #[test]
    fn a_full_queue_says_so_and_once_when_there_is_room() {
        let (outbox, mut inbox) = pair();
        let message = Bytes::from(vec![0; LIMIT / 8]);
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
        let (outbox, inbox) = pair();
        drop(inbox);
        assert!((0..32).all(|_| outbox.push(Bytes::from(vec![0; LIMIT]))));
    }

    #[tokio::test]
    async fn a_push_wakes_the_waiting_session() {
        let (outbox, mut inbox) = pair();
        let reader = tokio::spawn(async move { inbox.pop().await.messages });
        assert!(outbox.push(Bytes::from_static(b"hello")));
        assert_eq!(reader.await.unwrap(), "hello");
    }
}
