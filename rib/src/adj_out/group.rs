//! One group: the neighbours that are told the same, what they are told, and how far each of them has got.

use bgp_wire::{AttributesBuilder, Family, NextHop, RefreshSubtype, RouteRefresh, UpdateEncoder};
use bytes::BytesMut;

use super::export::{self, Blanket, ExportKey, ExportPolicy, ExportRoute, Learning};
use super::log::Log;
use super::pool::{Announced, Pool, Said, SaidId};
use super::{Mark, Sent};
use crate::slab::NONE;
use crate::{AttrId, DestId, Holder, Key, NextHopId, Path, Pools, SourceId, Table};

/// How far a member has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The next destination of a walk over all of them: the first one after the session came up, or a refresh.
    pub(super) walk: Option<u32>,
    /// The walk is a refresh whose beginning is yet to be marked (RFC 7313).
    pub(super) begin_of_rr: bool,
    /// The walk is a refresh whose end is to be marked (RFC 7313).
    pub(super) end_of_rr: bool,
    /// The walk ends with End-of-RIB (RFC 4724).
    pub(super) end_of_rib: bool,
    /// Where it goes on in the log after the walk.
    log: u64,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) peer: SourceId,
    pub(super) position: Position,
    pub(super) blocked: bool,
}

/// A destination about to be encoded.
#[derive(Clone, Copy, Debug)]
struct Item {
    except: SourceId,
    said: SaidId,
    dest: u32,
    tell_source: bool,
}

/// What of a path the export function looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exported {
    source: SourceId,
    attrs: AttrId,
    next_hop: NextHopId,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: ExportKey,
    pub(super) members: Vec<Member>,
    /// What the group is told of each destination, by its id.
    state: Vec<SaidId>,
    /// The number of destinations that are announced.
    announced: usize,
    /// Destinations from here on have not been exported yet: the first walk does that.
    filled: u32,
    pool: Pool,
    log: Log,
    /// What the policy says of all routes.
    blanket: Blanket,
    /// Nothing is said of any destination, and nothing may be.
    pub(super) silent: bool,
    /// The last route exported in this flush and what it is told as, since routes come in runs.
    last: Option<(Exported, SaidId)>,
    /// In this flush changes go into the batch, not the log: all members know everything so far and can take more.
    direct: bool,
    /// Destinations of which nothing is said any more.
    done: Vec<DestId>,
    encoder: UpdateEncoder,
    exported: AttributesBuilder,
    compared: AttributesBuilder,
    batch: Vec<Item>,
    cohort: Vec<SourceId>,
    out: BytesMut,
}

/// What a flush is given besides the group.
pub(super) struct Flush<'a, K, P> {
    pub(super) table: &'a mut Table<K>,
    pub(super) pools: &'a mut Pools,
    pub(super) policy: &'a P,
    pub(super) budget: u32,
    pub(super) send: &'a mut dyn FnMut(SourceId, Sent),
    pub(super) unencodable: usize,
}

/// A stuck member may leave this many destinations waiting, or twice those that are announced.
const MAX_PENDING: usize = 1 << 20;

/// Room made for each route before it is encoded: what an Internet table takes.
const OCTETS_PER_ROUTE: usize = 16;

impl Group {
    pub(super) fn new(key: ExportKey) -> Self {
        Group {
            key,
            members: Vec::new(),
            state: Vec::new(),
            announced: 0,
            filled: 0,
            pool: Pool::default(),
            log: Log::default(),
            blanket: Blanket::Depends,
            silent: false,
            last: None,
            direct: false,
            done: Vec::new(),
            encoder: UpdateEncoder::new(key.encode),
            exported: AttributesBuilder::default(),
            compared: AttributesBuilder::default(),
            batch: Vec::new(),
            cohort: Vec::new(),
            out: BytesMut::new(),
        }
    }

    pub(super) fn join(&mut self, peer: SourceId) {
        let position =
            Position { walk: Some(0), begin_of_rr: false, end_of_rr: false, end_of_rib: true, log: self.log.end() };
        self.members.push(Member { peer, position, blocked: false });
    }

    pub(super) fn member(&mut self, peer: SourceId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.peer == peer)
    }

    pub(super) fn said(&self, dest: DestId) -> Option<Said> {
        self.pool.get(*self.state.get(dest.index())?)
    }

    /// What the members are told of a route.
    pub(super) fn exported<F: Family>(&self, pools: &Pools, route: Announced) -> (Vec<u8>, NextHop) {
        let mut attributes = AttributesBuilder::default();
        let next_hop = rewrite::<F>(&self.key, pools, route, &mut attributes);
        (attributes.build(), next_hop)
    }

    pub(super) fn said_anything(&self, dest: DestId) -> bool {
        self.state.get(dest.index()).is_some_and(|&said| said != 0)
    }

    pub(super) fn announced(&self) -> usize {
        self.announced
    }

    pub(super) fn is_in_sync(&self, member: &Member) -> bool {
        member.position.walk.is_none() && member.position.log == self.log.end()
    }

    pub(super) fn pending(&self, member: &Member, end: DestId) -> usize {
        let walk = member.position.walk.map_or(0, |next| end.0.saturating_sub(next) as usize);
        walk + self.log.pending(member.position.log)
    }

    /// Some member that can take more has not been told everything.
    pub(super) fn has_work(&self) -> bool {
        self.members.iter().any(|member| !member.blocked && !self.is_in_sync(member))
    }

    // What to say.

    /// Begins a flush, in which no destination is updated twice if `once`.
    pub(super) fn begin(&mut self, once: bool, policy: &impl ExportPolicy) {
        self.batch.clear();
        self.blanket = policy.blanket(self.key.policy);
        self.silent = self.pool.len() == 0 && self.blanket == Blanket::Nothing;
        // The ids in it may mean something else by now.
        self.last = None;
        let in_sync = |member: &Member| !member.blocked && self.is_in_sync(member);
        self.direct = once && self.log.len() == 0 && self.members.iter().all(in_sync);
    }

    /// Exports `dest` again, and notes it to be told if that makes a difference to what the members know.
    pub(super) fn update<F, P>(&mut self, flush: &mut Flush<'_, F::Key, P>, dest: DestId)
    where
        F: Family<Key: Key>,
        P: ExportPolicy,
    {
        if self.silent || dest.0 >= self.filled {
            return;
        }
        let mut new = self.export::<F, P>(flush, dest);
        let old = self.state.get(dest.index()).copied().unwrap_or(0);
        let before = if old == 0 { None } else { self.pool.get(old) };
        if new == 0
            && let Some(Said { announced: Some(_), except }) = before
        {
            new = self.pool.intern(flush.pools, Said { announced: None, except });
        }
        if new == 0 || new == old {
            self.pool.release(flush.pools, new);
            return;
        }
        let except = self.pool.except(new);
        let same = before.is_some_and(|before| self.says_as::<F>(flush.pools, before, new));
        self.set(flush, dest, new);
        if same {
            return;
        }
        let tell_source = before.is_some_and(|before| before.except != except);
        if self.direct {
            self.batch.push(Item { except, said: new, dest: dest.0, tell_source });
        } else {
            self.log.push(dest.0, tell_source);
        }
    }

    /// Whether two advertisements of different routes come to the same messages.
    fn says_as<F: Family>(&mut self, pools: &Pools, before: Said, after: SaidId) -> bool {
        let Some(after) = self.pool.get(after).filter(|after| after.except == before.except) else { return false };
        let (Some(was), Some(is)) = (before.announced, after.announced) else { return false };
        // Both are told with their ORIGIN and what AS_PATH they came with.
        let passed_on = |route: Announced| {
            let hot = pools.attrs.hot(route.attrs);
            (hot.neighbor_as, hot.path_len(), hot.origin())
        };
        if passed_on(was) != passed_on(is) {
            return false;
        }
        let old_hop = rewrite::<F>(&self.key, pools, was, &mut self.compared);
        let new_hop = rewrite::<F>(&self.key, pools, is, &mut self.exported);
        old_hop == new_hop && self.compared == self.exported
    }

    /// What `dest` is to be told as, with a count.
    fn export<F, P>(&mut self, flush: &mut Flush<'_, F::Key, P>, dest: DestId) -> SaidId
    where
        F: Family<Key: Key>,
        P: ExportPolicy,
    {
        let Some(destination) = flush.table.destination(dest) else { return 0 };
        let Some(best) = destination.best() else { return 0 };
        let Path { source, attrs, next_hop, .. } = best.path;
        let exported = Exported { source, attrs, next_hop };
        if self.blanket == Blanket::All
            && let Some((last, said)) = self.last
            && last == exported
            && self.pool.again(said)
        {
            return said;
        }
        let said = self.export_another::<F, P>(flush, destination.key(), exported);
        self.last = Some((exported, said));
        said
    }

    fn export_another<F, P>(&mut self, flush: &mut Flush<'_, F::Key, P>, key: F::Key, exported: Exported) -> SaidId
    where
        F: Family<Key: Key>,
        P: ExportPolicy,
    {
        let pools = &mut *flush.pools;
        let Exported { source: source_id, attrs, next_hop } = exported;
        let (Some(source), Some(hop)) = (pools.sources.get(source_id), pools.next_hops.get(next_hop)) else {
            return 0;
        };
        let attr = pools.attrs.attributes(attrs);
        let route = ExportRoute { source_id, source, attr, next_hop: hop };
        let permitted = match self.blanket {
            Blanket::All => true,
            Blanket::Nothing => false,
            Blanket::Depends => flush.policy.permits(self.key.policy, key.into(), &route),
        };
        if !permitted {
            return 0;
        }
        let Some(learning) = export::permitted(&self.key, &route) else { return 0 };
        let next_hop = export::keeps_next_hop(&self.key, learning).then_some(next_hop);
        let announced = Some(Announced { attrs, next_hop, learning });
        let except = if learning == Learning::Learned { source_id } else { SourceId(NONE) };
        self.pool.intern(pools, Said { announced, except })
    }

    /// Records `new`, whose count it takes over, as what is said of `dest`.
    fn set<K: Key, P>(&mut self, flush: &mut Flush<'_, K, P>, dest: DestId, new: SaidId) {
        if dest.index() >= self.state.len() {
            let wanted = flush.table.end().index().max(dest.index() + 1);
            if wanted > self.state.capacity() {
                self.state.reserve_exact(wanted + wanted / 8 - self.state.len());
            }
            self.state.resize(wanted, 0);
        }
        let announces = |said: SaidId| said != 0 && self.pool.announces(said);
        let old = core::mem::replace(&mut self.state[dest.index()], new);
        self.announced += usize::from(announces(new));
        self.announced -= usize::from(announces(old));
        if old == 0 {
            flush.table.hold(dest, Holder::AdjOut);
        }
        self.pool.release(flush.pools, old);
    }

    // Saying it.

    /// Tells every member that can take more the next part of what it does not know. Members that are equally far get the same
    /// messages.
    pub(super) fn serve<F, P>(&mut self, flush: &mut Flush<'_, F::Key, P>)
    where
        F: Family<Key: Key>,
        P: ExportPolicy,
    {
        if core::mem::take(&mut self.direct) {
            return self.tell_all::<F, P>(flush);
        }
        let mut served = 0;
        while let Some(position) = self.next_cohort(served) {
            let end = self.cohort_end(position, served);
            self.batch.clear();
            let after = match position.walk {
                Some(from) => self.walk::<F, P>(flush, position, from),
                None => self.follow_log(flush.budget as usize, position),
            };
            self.say::<F, P>(flush);
            if position.walk.is_some() && after.walk.is_none() {
                self.mark_end::<F, P>(flush, position);
            }
            for member in &mut self.members[served..end] {
                member.position = after;
            }
            served = end;
        }
    }

    /// Tells all members what changed in this flush.
    fn tell_all<F, P>(&mut self, flush: &mut Flush<'_, F::Key, P>)
    where
        F: Family<Key: Key>,
    {
        if self.batch.is_empty() {
            return;
        }
        self.cohort.clear();
        self.cohort.extend(self.members.iter().map(|member| member.peer));
        self.say::<F, P>(flush);
        let batch = core::mem::take(&mut self.batch);
        for items in batch.chunk_by(|a, b| a.said == b.said) {
            if self.pool.get(items[0].said).is_some_and(|said| said.announced.is_none()) {
                items.iter().for_each(|item| self.settle(flush.pools, item.dest));
            }
        }
        self.batch = batch;
    }

    /// Forgets a withdrawal that all members have got.
    fn settle(&mut self, pools: &mut Pools, dest: u32) {
        let said = core::mem::take(&mut self.state[dest as usize]);
        self.pool.release(pools, said);
        self.done.push(DestId(dest));
    }

    /// The position of the first member from `served` on that wants to be served.
    fn next_cohort(&self, served: usize) -> Option<Position> {
        let waits = |member: &&Member| !member.blocked && !self.is_in_sync(member);
        self.members[served..].iter().find(waits).map(|member| member.position)
    }

    /// Collects the members at `position` and moves them in front of those yet to be served; returns where these begin.
    fn cohort_end(&mut self, position: Position, served: usize) -> usize {
        self.cohort.clear();
        let mut end = served;
        for index in served..self.members.len() {
            let member = &self.members[index];
            if !member.blocked && member.position == position {
                self.cohort.push(member.peer);
                self.members.swap(index, end);
                end += 1;
            }
        }
        end
    }

    fn follow_log(&mut self, budget: usize, position: Position) -> Position {
        let mut log = self.log.end();
        for entry in self.log.live_from(position.log) {
            if self.batch.len() == budget {
                log = entry.seq;
                break;
            }
            let said = self.state[entry.dest as usize];
            if let Some(Said { except, .. }) = self.pool.get(said) {
                let (dest, tell_source) = (entry.dest, entry.tell_source);
                self.batch.push(Item { except, said, dest, tell_source });
            }
        }
        Position { log, ..position }
    }

    fn walk<F, P>(&mut self, flush: &mut Flush<'_, F::Key, P>, position: Position, from: u32) -> Position
    where
        F: Family<Key: Key>,
        P: ExportPolicy,
    {
        if position.begin_of_rr {
            let mark = Mark::BeginOfRr(F::AFI_SAFI);
            self.mark(flush, mark, |_, out| refresh::<F>(RefreshSubtype::BeginOfRr, out));
        }
        let end = flush.table.end().0;
        let from = if self.silent { end } else { from };
        let to = end.min(from.saturating_add(flush.budget));
        for dest in from..to {
            if dest >= self.filled {
                let said = self.export::<F, P>(flush, DestId(dest));
                if said != 0 {
                    self.set(flush, DestId(dest), said);
                }
                self.filled = dest + 1;
            }
            let said = self.state.get(dest as usize).copied().unwrap_or(0);
            if let Some(Said { announced: Some(_), except }) = self.pool.get(said) {
                self.batch.push(Item { except, said, dest, tell_source: false });
            }
        }
        if to == end {
            self.filled = NONE;
        }
        let walk = (to < end).then_some(to);
        let more = walk.is_some();
        Position {
            walk,
            begin_of_rr: false,
            end_of_rr: position.end_of_rr && more,
            end_of_rib: position.end_of_rib && more,
            log: position.log,
        }
    }

    fn mark_end<F: Family, P>(&mut self, flush: &mut Flush<'_, F::Key, P>, position: Position) {
        if position.end_of_rib {
            let mark = Mark::EndOfRib(F::AFI_SAFI);
            self.mark(flush, mark, |encoder, out| encoder.end_of_rib(F::AFI_SAFI, out));
        }
        if position.end_of_rr {
            let mark = Mark::EndOfRr(F::AFI_SAFI);
            self.mark(flush, mark, |_, out| refresh::<F>(RefreshSubtype::EndOfRr, out));
        }
    }

    fn mark<K, P>(
        &mut self,
        flush: &mut Flush<'_, K, P>,
        mark: Mark,
        write: impl FnOnce(&mut UpdateEncoder, &mut BytesMut),
    ) {
        write(&mut self.encoder, &mut self.out);
        let message = self.out.split().freeze();
        self.cohort.iter().for_each(|&peer| (flush.send)(peer, Sent::Mark(mark, message.clone())));
    }

    /// Encodes the batch for the cohort: routes with equal attributes side by side, those of one source in one piece,
    /// which goes to all but that source.
    fn say<F, P>(&mut self, flush: &mut Flush<'_, F::Key, P>)
    where
        F: Family<Key: Key>,
    {
        let Group { key, pool, encoder, exported, batch, cohort, out, .. } = self;
        out.reserve(OCTETS_PER_ROUTE * batch.len());
        batch.sort_unstable_by_key(|item| (item.except, item.said, item.dest));
        let Flush { table, pools, send, unencodable, .. } = flush;
        for items in batch.chunk_by(|a, b| a.except == b.except) {
            let source = items[0].except;
            let to_source = cohort.contains(&source);
            if !to_source || cohort.len() > 1 {
                for items in items.chunk_by(|a, b| a.said == b.said) {
                    let Some(Said { announced: Some(announced), .. }) = pool.get(items[0].said) else {
                        encoder.withdraw::<F>(keys(table, items), out);
                        continue;
                    };
                    let next_hop = rewrite::<F>(key, pools, announced, exported);
                    if encoder.announce_built::<F>(exported, next_hop, keys(table, items), out).is_err() {
                        *unencodable += items.len();
                        encoder.withdraw::<F>(keys(table, items), out);
                    }
                }
                let messages = out.split().freeze();
                let others = cohort.iter().filter(|peer| **peer != source);
                others.for_each(|&peer| send(peer, Sent::Updates(messages.clone())));
            }
            if to_source {
                for item in items.iter().filter(|item| item.tell_source) {
                    encoder.withdraw::<F>(keys(table, core::slice::from_ref(item)), out);
                }
                if !out.is_empty() {
                    send(source, Sent::Updates(out.split().freeze()));
                }
            }
        }
    }

    // Letting go.

    /// Drops from the log what all members have got, and puts into `done` the destinations of which nothing is said any more.
    pub(super) fn trim(&mut self, pools: &mut Pools, done: &mut Vec<DestId>) {
        let slowest = self.members.iter().map(|member| member.position.log).min().unwrap_or(self.log.end());
        while let Some(dest) = self.log.pop_before(slowest) {
            let said = self.state[dest as usize];
            if matches!(self.pool.get(said), Some(Said { announced: None, .. })) {
                self.settle(pools, dest);
            }
        }
        done.append(&mut self.done);
        if self.pool.len() == 0 {
            self.state = Vec::new();
        }
    }

    /// Removes and returns the blocked members that have left too much waiting.
    pub(super) fn overrun(&mut self) -> Vec<SourceId> {
        if self.log.len() <= MAX_PENDING.max(2 * self.announced) {
            return Vec::new();
        }
        let slowest = self.members.iter().map(|member| member.position.log).min();
        let stuck = |member: &mut Member| member.blocked && Some(member.position.log) == slowest;
        self.members.extract_if(.., stuck).map(|member| member.peer).collect()
    }

    /// Gives back everything; returns the destinations of which something was said.
    pub(super) fn dissolve(mut self, pools: &mut Pools) -> impl Iterator<Item = DestId> {
        self.pool.clear(pools);
        self.state.into_iter().zip(0..).filter(|(said, _)| *said != 0).map(|(_, dest)| DestId(dest))
    }
}

/// The attributes, into `out`, and the next hop that members are told.
fn rewrite<F: Family>(key: &ExportKey, pools: &Pools, route: Announced, out: &mut AttributesBuilder) -> NextHop {
    export::rewrite(key, route.learning, pools.attrs.attributes(route.attrs), out);
    let learned = route.next_hop.and_then(|next_hop| pools.next_hops.get(next_hop));
    learned.map_or(key.local_next_hop, |learned| export::next_hop::<F>(key, route.learning, learned))
}

/// The prefixes of some items, for the encoder.
fn keys<K: Key>(table: &Table<K>, items: &[Item]) -> impl Iterator<Item = (Option<u32>, K)> {
    items.iter().filter_map(|item| Some((None, table.destination(DestId(item.dest))?.key())))
}

fn refresh<F: Family>(subtype: RefreshSubtype, out: &mut BytesMut) {
    RouteRefresh { family: F::AFI_SAFI, subtype }.encode(out);
}
