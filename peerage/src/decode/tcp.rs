//! BGP sessions out of TCP segments: in order, each octet once, and what is missing passed over.
//!
//! Is given segments as they were captured, in whatever order; shows each message when its last octet is there. A session's OPENs, where
//! they were captured, say how its messages are to be read.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;

use bgp_wire::{AddPath, Capability, DecodeCtx, FamilySet, Message, Open, frame};

use super::Assumed;
use super::hexadecimal::ctx;
use super::show::Show;
use super::sighting::{End, Seen, Sighting, Time, What};
use crate::output::grouped;

/// Octets out of order that one direction holds, waiting for those before them.
const WAITING_LIMIT: usize = 4 << 20;

pub(super) struct Segment<'a> {
    pub(super) time: Time,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) acknowledged: Option<u32>,
    pub(super) syn: bool,
    /// FIN or RST.
    pub(super) ends: bool,
    pub(super) octets: &'a [u8],
}

/// Every session of a capture.
pub(super) struct Sessions {
    assumed: Assumed,
    sessions: HashMap<(SocketAddr, SocketAddr), Session>,
    /// How many there were.
    pub(super) count: u64,
    /// How many segments they had.
    pub(super) segments: u64,
}

impl Sessions {
    pub(super) fn new(assumed: Assumed) -> Self {
        Self { assumed, sessions: HashMap::new(), count: 0, segments: 0 }
    }

    pub(super) fn segment(&mut self, segment: &Segment<'_>, show: &mut Show) -> io::Result<()> {
        self.segments += 1;
        let ends = [segment.from.min(segment.to), segment.from.max(segment.to)];
        let sender = usize::from(segment.from != ends[0]);
        let (count, assumed) = (&mut self.count, self.assumed);
        let session = self.sessions.entry((ends[0], ends[1])).or_insert_with(|| {
            *count += 1;
            Session { ends, assumed, directions: Default::default() }
        });
        session.segment(segment, sender, show)
    }

    /// Shows what is left, though octets before it are missing.
    pub(super) fn finish(&mut self, show: &mut Show) -> io::Result<()> {
        let mut sessions: Vec<_> = self.sessions.drain().collect();
        sessions.sort_by_key(|(ends, _)| *ends);
        sessions.into_iter().try_for_each(|(_, mut session)| session.finish(show))
    }
}

struct Session {
    ends: [SocketAddr; 2],
    assumed: Assumed,
    /// By sender, in the order of `ends`.
    directions: [Direction; 2],
}

/// What one end sends.
#[derive(Default)]
struct Direction {
    /// The sequence number of the octet that comes next; `None` before the first segment.
    next: Option<u32>,
    /// Octets passed so far.
    position: u64,
    /// In order, not yet shown.
    ready: Vec<u8>,
    /// Where in `ready` messages start is known.
    in_step: bool,
    /// Ahead of `next`, by position.
    waiting: BTreeMap<u64, Vec<u8>>,
    waiting_len: usize,
    last: Option<Time>,
    open: Option<Offer>,
}

/// What an OPEN says about how messages are written.
#[derive(Clone, Copy)]
struct Offer {
    asn: u32,
    as4: bool,
    sends: FamilySet,
    receives: FamilySet,
}

impl Session {
    fn segment(&mut self, segment: &Segment<'_>, sender: usize, show: &mut Show) -> io::Result<()> {
        let direction = &mut self.directions[sender];
        direction.last = Some(segment.time);
        if segment.syn && direction.next != Some(segment.sequence.wrapping_add(1)) {
            // A new connection of the same ends; what the old one left is shown first.
            self.finish_direction(sender, show)?;
            self.directions[sender] = Direction {
                next: Some(segment.sequence.wrapping_add(1)),
                in_step: true,
                last: Some(segment.time),
                ..Direction::default()
            };
        }
        let sequence = if segment.syn { segment.sequence.wrapping_add(1) } else { segment.sequence };
        self.directions[sender].put(sequence, segment.octets);
        self.messages(sender, show)?;
        if self.directions[sender].waiting_len > WAITING_LIMIT || segment.ends {
            self.pass_gaps(sender, show)?;
        }
        // What the receiver acknowledged was sent; if it is not here by now, it was not captured.
        let other = 1 - sender;
        if let Some(acknowledged) = segment.acknowledged
            && self.directions[other].lost(acknowledged)
        {
            self.pass_gap(other, show)?;
        }
        Ok(())
    }

    fn finish(&mut self, show: &mut Show) -> io::Result<()> {
        (0..2).try_for_each(|sender| self.finish_direction(sender, show))
    }

    fn finish_direction(&mut self, sender: usize, show: &mut Show) -> io::Result<()> {
        self.pass_gaps(sender, show)?;
        let direction = &self.directions[sender];
        if direction.in_step && !direction.ready.is_empty() {
            let left = direction.ready.len() as u64;
            show.unreadable(&format!(
                "{}: the last message is cut short after {} octets",
                self.name(sender),
                grouped(left)
            ));
        }
        Ok(())
    }

    fn pass_gaps(&mut self, sender: usize, show: &mut Show) -> io::Result<()> {
        while !self.directions[sender].waiting.is_empty() {
            self.pass_gap(sender, show)?;
        }
        Ok(())
    }

    fn pass_gap(&mut self, sender: usize, show: &mut Show) -> io::Result<()> {
        if let Some(missing) = self.directions[sender].pass_gap() {
            show.unreadable(&format!(
                "{}: {} octets are missing from the capture",
                self.name(sender),
                grouped(missing)
            ));
            self.messages(sender, show)?;
        }
        Ok(())
    }

    fn name(&self, sender: usize) -> String {
        format!("{} to {}", self.ends[sender], self.ends[1 - sender])
    }

    /// Shows the whole messages that are ready.
    fn messages(&mut self, sender: usize, show: &mut Show) -> io::Result<()> {
        let ready = std::mem::take(&mut self.directions[sender].ready);
        let mut at = 0;
        while let Some(rest) = ready.get(at..).filter(|rest| !rest.is_empty()) {
            if !self.directions[sender].in_step {
                let Some(start) = find_message(rest) else {
                    // A marker may have begun in the last octets.
                    at += rest.len().saturating_sub(frame::HEADER_LEN - 1);
                    break;
                };
                at += start;
                self.directions[sender].in_step = true;
                continue;
            }
            let len = match frame::peek(rest, frame::MAX_EXTENDED_LEN) {
                Ok(None) => break,
                Ok(Some(len)) => len,
                // One of another type is passed over by its length.
                Err(error) if error.code == bgp_wire::ErrorCode::BadMessageType => {
                    usize::from(u16::from_be_bytes([rest[16], rest[17]]))
                }
                Err(error) => {
                    show.unreadable(&format!("{}: {error}; looking for the next message", self.name(sender)));
                    self.directions[sender].in_step = false;
                    at += 1;
                    continue;
                }
            };
            let Some(octets) = rest.get(..len) else { break };
            self.message(sender, octets, show)?;
            at += len;
        }
        let direction = &mut self.directions[sender];
        direction.ready = ready;
        direction.ready.drain(..at);
        Ok(())
    }

    fn message(&mut self, sender: usize, octets: &[u8], show: &mut Show) -> io::Result<()> {
        if octets.get(18) == Some(&frame::OPEN)
            && let Ok(Message::Open(open)) = Message::parse(octets, &DecodeCtx::default())
        {
            self.directions[sender].open = Some(Offer::of(&open));
        }
        let end =
            |side: usize| End { address: self.ends[side].ip(), asn: self.directions[side].open.map(|open| open.asn) };
        let (peer, local) = (end(sender), end(1 - sender));
        let what = What::Message(Seen::new(octets, &self.ctx(sender, octets), false));
        let time = self.directions[sender].last;
        show.sighting(&Sighting { time, peer: Some(peer), local: Some(local), what })
    }

    fn ctx(&self, sender: usize, octets: &[u8]) -> DecodeCtx {
        let mut ctx = ctx(self.assumed);
        match (self.directions[sender].open, self.directions[1 - sender].open) {
            (Some(sent), Some(received)) => {
                ctx.as4 = sent.as4 && received.as4;
                ctx.add_path = sent.sends.intersection(received.receives);
            }
            (Some(open), None) | (None, Some(open)) => ctx.as4 = open.as4,
            // Neither says; a path that only makes sense in two octets is in two octets.
            (None, None) => {
                let sound = |as4| {
                    let parsed = Message::parse(octets, &DecodeCtx { as4, ..ctx });
                    matches!(parsed, Ok(Message::Update(update)) if update.action().is_none())
                };
                ctx.as4 = ctx.as4 && (sound(true) || !sound(false));
            }
        }
        ctx
    }
}

impl Offer {
    fn of(open: &Open<'_>) -> Self {
        let (mut sends, mut receives) = (FamilySet::EMPTY, FamilySet::EMPTY);
        for capability in open.capabilities() {
            if let Capability::AddPath(entries) = capability {
                let of = |wanted: fn(&AddPath) -> bool| {
                    entries.iter().filter(move |entry| wanted(entry)).map(|entry| entry.family)
                };
                sends = of(|entry| entry.mode.sends()).fold(sends, FamilySet::with);
                receives = of(|entry| entry.mode.receives()).fold(receives, FamilySet::with);
            }
        }
        Self { asn: open.asn(), as4: open.four_octet_as().is_some(), sends, receives }
    }
}

/// Where in the octets a message starts.
fn find_message(octets: &[u8]) -> Option<usize> {
    let starts = |at: &usize| matches!(frame::peek(&octets[*at..], frame::MAX_EXTENDED_LEN), Ok(Some(_)));
    (0..octets.len()).find(starts)
}

impl Direction {
    /// Takes a segment's octets: those that are next, those ahead for later, those that were there before not again.
    fn put(&mut self, sequence: u32, octets: &[u8]) {
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next).cast_signed();
        if ahead > 0 {
            let at = self.position + u64::from(ahead.unsigned_abs());
            let held = self.waiting.entry(at).or_default();
            if held.len() < octets.len() {
                self.waiting_len += octets.len() - held.len();
                *held = octets.to_vec();
            }
            if octets.is_empty() && self.waiting.get(&at).is_some_and(Vec::is_empty) {
                self.waiting.remove(&at);
            }
        } else {
            self.append(octets.get(ahead.unsigned_abs() as usize..).unwrap_or_default());
            self.join();
        }
    }

    fn append(&mut self, octets: &[u8]) {
        self.ready.extend_from_slice(octets);
        self.position += octets.len() as u64;
        // Sequence numbers wrap around.
        self.next = self.next.map(|next| next.wrapping_add(octets.len() as u32));
    }

    /// Takes what waited for the octets that came.
    fn join(&mut self) {
        while let Some(first) = self.waiting.first_entry()
            && *first.key() <= self.position
        {
            let (at, octets) = first.remove_entry();
            self.waiting_len -= octets.len();
            let known = (self.position - at) as usize;
            self.append(octets.get(known..).unwrap_or_default());
        }
    }

    /// Whether octets are missing that the other end acknowledged.
    fn lost(&self, acknowledged: u32) -> bool {
        let (Some(next), Some((first, _))) = (self.next, self.waiting.first_key_value()) else { return false };
        let ahead = acknowledged.wrapping_sub(next).cast_signed();
        ahead > 0 && self.position + u64::from(ahead.unsigned_abs()) >= *first
    }

    /// Goes on after the missing octets; how many they are.
    fn pass_gap(&mut self) -> Option<u64> {
        let missing = self.waiting.first_key_value()?.0.checked_sub(self.position)?;
        self.ready.clear();
        self.in_step = false;
        self.position += missing;
        self.next = self.next.map(|next| next.wrapping_add(missing as u32));
        self.join();
        Some(missing)
    }
}
