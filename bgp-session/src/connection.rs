//! One transport connection of a session: how far it got, and what is to be sent on it.
//!
//! It owns the transmit queue. It never decides anything; [`fsm`](crate::fsm) does.

use std::collections::VecDeque;

use bgp_wire::frame;
use bytes::Bytes;

use crate::event::MessageCounts;
use crate::open::Offer;
use crate::{Instant, Negotiated};

/// A connection that stands.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) phase: Phase,
    /// What our OPEN on it offers.
    pub(crate) offer: Offer,
}

/// How far a connection got.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Our OPEN waits for the DelayOpen timer or the neighbour's OPEN.
    Delaying,
    /// Our OPEN is out.
    OpenSent,
    /// The neighbour's OPEN was accepted, under these terms.
    OpenConfirm(Box<Negotiated>),
    /// The neighbour's KEEPALIVE came too, but the other connection would win a collision.
    Contested(Box<Negotiated>),
    /// KEEPALIVEs were exchanged, at this time.
    Established(Box<Negotiated>, Instant),
}

impl Phase {
    pub(crate) fn is_established(&self) -> bool {
        matches!(self, Self::Established(..))
    }

    pub(crate) fn negotiated(&self) -> Option<&Negotiated> {
        match self {
            Self::OpenConfirm(terms) | Self::Contested(terms) | Self::Established(terms, _) => Some(terms),
            Self::Delaying | Self::OpenSent => None,
        }
    }

    /// The longest message that may come in it, in octets.
    pub(crate) fn max_len(&self) -> usize {
        match self {
            Self::Contested(terms) | Self::Established(terms, _) => terms.decode.max_len(),
            _ => frame::MAX_LEN,
        }
    }
}

/// The octets on their way out of one connection, in whole messages.
///
/// Messages of the session itself (OPEN, KEEPALIVE, NOTIFICATION, ROUTE-REFRESH) overtake the backlog of the RIB, so that
/// a KEEPALIVE leaves on time however much is queued.
#[derive(Debug, Default)]
pub(crate) struct Transmit {
    urgent: VecDeque<Bytes>,
    backlog: VecDeque<Bytes>,
    queued: usize,
    in_flight: usize,
}

impl Transmit {
    /// The most that is handed out at a time, unless one message is longer: bounds how long an urgent one waits.
    const CHUNK: usize = 65_536;

    pub(crate) fn push_urgent(&mut self, message: Bytes) {
        self.queued += message.len();
        self.urgent.push_back(message);
    }

    pub(crate) fn push(&mut self, messages: Bytes) {
        if !messages.is_empty() {
            self.queued += messages.len();
            self.backlog.push_back(messages);
        }
    }

    /// Octets queued, or handed out and not yet written.
    pub(crate) fn outstanding(&self) -> usize {
        self.queued + self.in_flight
    }

    /// Whether a KEEPALIVE still waits behind which another would say nothing new.
    pub(crate) fn ends_with_keepalive(&self) -> bool {
        self.urgent.back().is_some_and(|message| message[..] == frame::KEEPALIVE_MESSAGE)
    }

    /// Forgets the RIB's messages; what was handed out before is still in flight.
    pub(crate) fn drop_backlog(&mut self) {
        self.queued -= self.backlog.iter().map(Bytes::len).sum::<usize>();
        self.backlog.clear();
    }

    /// The transport took `octets`; false if none were in flight.
    pub(crate) fn written(&mut self, octets: usize) -> bool {
        let progress = self.in_flight > 0 && octets > 0;
        self.in_flight = self.in_flight.saturating_sub(octets);
        progress
    }

    /// The next whole messages to write, and a count of them by type.
    pub(crate) fn poll(&mut self, counts: &mut MessageCounts) -> Option<Bytes> {
        let chunk = match self.urgent.pop_front() {
            Some(message) => {
                count(&message, message.len(), counts);
                message
            }
            None => {
                let mut messages = self.backlog.pop_front()?;
                let chunk = messages.split_to(count(&messages, Self::CHUNK, counts));
                if !messages.is_empty() {
                    self.backlog.push_front(messages);
                }
                chunk
            }
        };
        self.queued -= chunk.len();
        self.in_flight += chunk.len();
        Some(chunk)
    }
}

/// Counts the whole messages at the start of `messages`, `limit` octets at most but one message at least; returns their
/// length. Octets that are no message end the walk and count as part of the last one.
fn count(messages: &[u8], limit: usize, counts: &mut MessageCounts) -> usize {
    let mut end = 0;
    while let Some(header) = messages.get(end..end + frame::HEADER_LEN) {
        let len = usize::from(u16::from_be_bytes([header[16], header[17]]));
        if len < frame::HEADER_LEN || len > messages.len() - end {
            return messages.len();
        }
        if end > 0 && end + len > limit {
            return end;
        }
        counts.count(header[18]);
        end += len;
    }
    messages.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: u16, message_type: u8) -> Vec<u8> {
        let mut message = vec![0xff; 16];
        message.extend_from_slice(&len.to_be_bytes());
        message.push(message_type);
        message.resize(usize::from(len), 0);
        message
    }

    #[test]
    fn a_large_send_is_handed_out_in_chunks_that_end_at_message_boundaries() {
        let mut transmit = Transmit::default();
        let messages: Vec<u8> = (0..100).flat_map(|i| message(4000 + i, 2)).collect();
        transmit.push(Bytes::from(messages.clone()));
        let mut counts = MessageCounts::default();
        let mut out = Vec::new();
        while let Some(chunk) = transmit.poll(&mut counts) {
            assert!(chunk.len() <= Transmit::CHUNK);
            let mut rest = MessageCounts::default();
            assert_eq!(count(&chunk, usize::MAX, &mut rest), chunk.len());
            out.extend_from_slice(&chunk);
        }
        assert_eq!(out, messages);
        assert_eq!(counts.update, 100);
        assert_eq!(transmit.outstanding(), messages.len());
        assert!(transmit.written(messages.len()));
        assert_eq!(transmit.outstanding(), 0);
    }

    #[test]
    fn octets_that_are_no_message_are_handed_out_as_they_are() {
        for junk in [vec![0; 18], vec![0; 200], [message(19, 4), vec![1, 2, 3]].concat()] {
            let mut transmit = Transmit::default();
            transmit.push(Bytes::from(junk.clone()));
            assert_eq!(transmit.poll(&mut MessageCounts::default()).as_deref(), Some(&junk[..]));
        }
    }
}
