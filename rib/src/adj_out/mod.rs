//! Adj-RIB-Out: turns changes of a table into the messages that its neighbours must get.
//!
//! Neighbours that are told the same, because their [`ExportKey`]s are equal, form a group. A group keeps per destination one
//! 32-bit id of what was said; a neighbour is no more than a position. One that keeps up shares every encoded message with the
//! others that do; one that joins late or is slow falls behind, takes the rest in parts, and rejoins. So nothing grows
//! with neighbours × prefixes, and a slow neighbour costs a position and the coalesced log of what it has yet to hear.
//!
//! It is given marked destinations, an [`ExportPolicy`], and a place to send whole messages to ([`Sent`]). It never decides, never
//! waits, and sends nothing of its own accord: everything happens in [`AdjOut::flush`].
//!
//! *Split horizon without breaking the sharing*: what is said of a destination includes whom not to say it to, the neighbour that the best
//! path came from. Routes are packed by that neighbour, and each piece goes to all but it; it gets a withdrawal only if it may have been
//! told otherwise before.

mod export;
mod group;
mod log;
mod pool;

use core::fmt;
use core::marker::PhantomData;
use std::collections::VecDeque;

use bgp_wire::{AfiSafi, Family, NextHop};
use bytes::Bytes;

pub use export::{Blanket, ExportKey, ExportPolicy, ExportRoute, PeerClass, PolicyId, export};
use group::{Flush, Group, Member};

use crate::{DestId, Holder, Key, Pools, SourceId, Table};

/// What came of a flush.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// There is more to do that needs no further input: flush again.
    pub more: bool,
    /// Routes that were not announced (and are withdrawn) because they do not fit a message with their attributes, or because
    /// the session cannot carry their next hop.
    pub unencodable: usize,
    /// Neighbours that were blocked for so long that too much waits for them. They have left; the caller resets their sessions.
    pub overrun: Vec<SourceId>,
}

/// Whole messages for a neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// UPDATEs.
    Updates(Bytes),
    /// A mark, and the message that says it. Whoever joins what several tables of a family say to a neighbour has to say it once.
    Mark(Mark, Bytes),
}

/// What is said of a family beside its routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// All routes that stood when the session came up have been announced (RFC 4724).
    EndOfRib(AfiSafi),
    /// A refresh begins (RFC 7313).
    BeginOfRr(AfiSafi),
    /// A refresh ends (RFC 7313).
    EndOfRr(AfiSafi),
}

impl Sent {
    /// The octets of the messages.
    pub fn octets(&self) -> &Bytes {
        match self {
            Self::Updates(octets) | Self::Mark(_, octets) => octets,
        }
    }
}

/// How one neighbour stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// It has been told everything.
    pub in_sync: bool,
    /// Destinations that it has yet to hear of, at most.
    pub pending: usize,
    /// The destinations its group announces.
    pub announced: usize,
    /// How many neighbours share its messages, itself included.
    pub group_size: usize,
}

/// The Adj-RIB-Out of all neighbours in one table.
pub struct AdjOut<F: Family> {
    groups: Vec<Group>,
    /// Destinations to export again, each once.
    marked: VecDeque<DestId>,
    is_marked: Vec<u64>,
    /// Everything from here on is to be exported again.
    reevaluate: Option<DestId>,
    /// No group has said or may say anything: no destination needs to be marked.
    silent: bool,
    family: PhantomData<F>,
}

impl<F: Family> Default for AdjOut<F> {
    fn default() -> Self {
        AdjOut {
            groups: Vec::new(),
            marked: VecDeque::new(),
            is_marked: Vec::new(),
            reevaluate: None,
            silent: false,
            family: PhantomData,
        }
    }
}

impl<F: Family<Key: Key>> AdjOut<F> {
    /// Adds a neighbour whose session has come up. The next flushes tell it everything, then End-of-RIB. If it is a member already,
    /// it leaves first.
    pub fn join(&mut self, table: &mut Table<F::Key>, pools: &mut Pools, peer: SourceId, key: ExportKey) {
        self.leave(table, pools, peer);
        let group = match self.groups.iter_mut().position(|group| group.key == key) {
            Some(index) => index,
            None => {
                self.groups.push(Group::new(key));
                self.silent = false;
                self.groups.len() - 1
            }
        };
        self.groups[group].join(peer);
    }

    /// Removes a neighbour whose session has gone. Nothing is sent. The last one of a group takes all that the group held along.
    pub fn leave(&mut self, table: &mut Table<F::Key>, pools: &mut Pools, peer: SourceId) {
        for group in &mut self.groups {
            group.members.retain(|member| member.peer != peer);
        }
        self.tidy(table, pools);
    }

    /// Tells a neighbour everything again, on its request (RFC 2918); between BoRR and EoRR if `enhanced` (RFC 7313).
    pub fn refresh(&mut self, peer: SourceId, enhanced: bool) {
        if let Some(member) = self.groups.iter_mut().find_map(|group| group.member(peer)) {
            member.position.walk = Some(0);
            member.position.begin_of_rr |= enhanced;
            member.position.end_of_rr |= enhanced;
        }
    }

    /// Says whether a neighbour can take more at present. A blocked one is left where it is until it is unblocked.
    pub fn set_blocked(&mut self, peer: SourceId, blocked: bool) {
        if let Some(member) = self.groups.iter_mut().find_map(|group| group.member(peer)) {
            member.blocked = blocked;
        }
    }

    /// Notes that the selected set of a destination changed. Marking twice is marking once.
    #[inline]
    pub fn mark(&mut self, dest: DestId) {
        if self.groups.is_empty() || self.silent {
            return;
        }
        let (word, bit) = (dest.index() / 64, 1 << (dest.index() % 64));
        if word >= self.is_marked.len() {
            self.is_marked.resize(word + 1, 0);
        }
        if self.is_marked[word] & bit == 0 {
            self.is_marked[word] |= bit;
            self.marked.push_back(dest);
        }
    }

    /// Notes that an export policy or an edge's advertise switch changed: all destinations are exported again, and what differs is said.
    pub fn reevaluate(&mut self) {
        self.reevaluate = Some(DestId(0));
    }

    /// Exports up to `budget` marked destinations, and tells each neighbour that is not blocked up to `budget` destinations that
    /// it has not heard of. `send` gets the messages, which neighbours that are equally far share.
    pub fn flush(
        &mut self,
        table: &mut Table<F::Key>,
        pools: &mut Pools,
        policy: &impl ExportPolicy,
        budget: usize,
        mut send: impl FnMut(SourceId, Sent),
    ) -> Flushed {
        let budget = u32::try_from(budget.max(1)).unwrap_or(u32::MAX);
        let mut flush = Flush { table, pools, policy, budget, send: &mut send, unencodable: 0 };
        self.groups.iter_mut().for_each(|group| group.begin(self.reevaluate.is_none(), policy));
        self.silent = self.groups.iter().all(|group| group.silent);
        for _ in 0..budget {
            let Some(dest) = self.marked.pop_front() else { break };
            self.is_marked[dest.index() / 64] &= !(1 << (dest.index() % 64));
            self.groups.iter_mut().for_each(|group| group.update::<F, _>(&mut flush, dest));
        }
        if let Some(from) = self.reevaluate {
            let to = DestId(flush.table.end().0.min(from.0.saturating_add(budget)));
            for dest in from.0..to.0 {
                self.groups.iter_mut().for_each(|group| group.update::<F, _>(&mut flush, DestId(dest)));
            }
            self.reevaluate = (to < flush.table.end()).then_some(to);
        }
        let mut overrun = Vec::new();
        for group in &mut self.groups {
            group.serve::<F, _>(&mut flush);
            overrun.append(&mut group.overrun());
        }
        let unencodable = flush.unencodable;
        self.tidy(table, pools);
        let more = !self.marked.is_empty() || self.reevaluate.is_some() || self.groups.iter().any(Group::has_work);
        Flushed { more, unencodable, overrun }
    }

    /// Drops empty groups and what all members have heard, and lets go of destinations of which nothing is said any more.
    fn tidy(&mut self, table: &mut Table<F::Key>, pools: &mut Pools) {
        let mut done = Vec::new();
        for group in &mut self.groups {
            group.trim(pools, &mut done);
        }
        for group in self.groups.extract_if(.., |group| group.members.is_empty()) {
            done.extend(group.dissolve(pools));
        }
        for dest in done {
            if !self.groups.iter().any(|group| group.said_anything(dest)) {
                table.drop_hold(dest, Holder::AdjOut);
            }
        }
        if self.groups.is_empty() {
            *self = AdjOut::default();
        }
    }

    // Looking.

    /// How a neighbour stands; none if it is not a member. It counts what is pending, one by one.
    pub fn status(&self, table: &Table<F::Key>, peer: SourceId) -> Option<MemberStatus> {
        let (group, member) = self.find(peer)?;
        Some(MemberStatus {
            in_sync: group.is_in_sync(member),
            pending: group.pending(member, table.end()),
            announced: group.announced(),
            group_size: group.members.len(),
        })
    }

    /// What a neighbour is told of `dest`, or will be once it has heard everything: canonical attributes and the next hop; none if
    /// nothing.
    pub fn advertised(&self, pools: &Pools, peer: SourceId, dest: DestId) -> Option<(Vec<u8>, NextHop)> {
        let (group, _) = self.find(peer)?;
        group.said(dest).filter(|said| said.except != peer)?.announced.map(|route| group.exported::<F>(pools, route))
    }

    /// What decides about what a neighbour is told; none if it is not a member.
    pub fn key(&self, peer: SourceId) -> Option<&ExportKey> {
        self.find(peer).map(|(group, _)| &group.key)
    }

    fn find(&self, peer: SourceId) -> Option<(&Group, &Member)> {
        let member = |group: &Group| group.members.iter().position(|member| member.peer == peer);
        self.groups.iter().find_map(|group| Some((group, &group.members[member(group)?])))
    }

    /// There is no neighbour.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

impl<F: Family> fmt::Debug for AdjOut<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdjOut").field("groups", &self.groups).field("marked", &self.marked.len()).finish()
    }
}
