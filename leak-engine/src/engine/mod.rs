//! One shard of the box: every VRF's tables, what they share, and the edges between them.
//!
//! The engine owns the tables and the leaked view in them. It is given parsed UPDATEs, local routes, edges and states
//! of next hops, all through `&mut`, and does the rest at once or, where many routes are touched, in steps that
//! [`Engine::tick`] bounds. It never does I/O, reads no clock and starts no thread: the same calls in the same order
//! give the same tables.
//!
//! One thing happens whenever the selected set of a destination changes: [`Engine::settle`]. It reports the change and
//! reconciles the destination over each edge that leaves its VRF: wanted copies, computed anew from the native selected set and
//! the edge's filter, against standing ones. Nothing else ever adds or removes a leaked path.

mod apply;
mod audit;
mod edges;
mod plan;
mod reconcile;
mod view;
mod walk;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Arc,
};

use bgp_wire::AfiSafi;
use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rib::{
    DestId, Holder, Key, NextHopChange, NextHopId, NextHopState, Origination, Path, PathRef, Pools, Source, SourceId,
    Table, VrfId,
};

pub use apply::Applied;
pub use audit::{Audit, Fault, Violation};
pub use edges::EdgeError;
pub use plan::{Plan, PlannedConflict, PlannedEdge, PlannedLeak, PlannedRoute};
pub use view::{Counts, Difference, EdgeStatus, Refused, Route};

use crate::{
    ImportRefusal, Refusal,
    shard::{Places, Shard},
};
use edges::{Edge, EdgeNo};
use reconcile::Batch;
use walk::Walk;

/// One shard: all VRFs' tables, attributes, next hops, sources and edges.
pub struct Engine {
    pools: Pools,
    vrfs: BTreeMap<VrfId, Vrf>,
    edges: Vec<Option<Edge>>,
    /// By [`SourceId`]; nothing for the sources of edges.
    inbound: Vec<Option<Inbound>>,
    walks: VecDeque<Walk>,
    report: Report,
    /// Walks under way that decide again because a metric, a state or a rank changed. Until they are over a standing decision
    /// may rest on what no longer holds, so each destination that is touched meanwhile is decided from scratch.
    stale: usize,
    scratch: Scratch,
    seed: u64,
    shard: Shard,
    /// What it has in common with the engines of the other shards.
    places: Arc<Places>,
    /// Places of edges with a limit were given back.
    freed: bool,
}

/// What was not handed out yet.
#[derive(Default)]
struct Report {
    /// Tables with changes, each once.
    tables: VecDeque<(VrfId, AfiSafi)>,
    /// How many changes there are in all tables.
    pending: usize,
}

/// Equal paths that are selected together at most.
const MAX_PATHS: u16 = 64;

/// A destination whose selected set, or what its members carry, has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Changed {
    /// The VRF.
    pub vrf: VrfId,
    /// The prefix.
    pub prefix: IpNet,
    /// The destination's id in the VRF's table of the prefix's family. It may already be gone.
    pub dest: DestId,
}

pub(crate) struct Vrf {
    name: String,
    v4: Table<Ipv4Net>,
    v6: Table<Ipv6Net>,
    v4_changes: VecDeque<DestId>,
    v6_changes: VecDeque<DestId>,
    v4_counts: Counts,
    v6_counts: Counts,
    /// Edges that leave the VRF.
    out: Vec<EdgeNo>,
    /// Edges that lead into the VRF.
    into: Vec<EdgeNo>,
    /// Leaked destinations that stand and are not selected, and to what they lost.
    conflicts: HashMap<IpNet, Vec<(EdgeNo, Refusal)>, foldhash::fast::FixedState>,
    /// On its way out: takes no more routes, and goes when it is empty.
    closing: bool,
}

/// What the engine knows of a source of native routes beyond [`Source`].
#[derive(Default)]
struct Inbound {
    /// The interface its link-local next hops are on.
    interface: Option<u32>,
    refused: [u64; ImportRefusal::ALL.len()],
    /// What it last refused by prefix, at most [`REFUSED_KEPT`].
    refused_prefixes: BTreeMap<IpNet, ImportRefusal>,
    /// The paths it has announced since a refresh began, by family: IPv4, IPv6.
    refresh: [Option<Seen>; 2],
    /// Its routes are being withdrawn.
    flushing: bool,
    /// It goes when its routes are gone.
    closing: bool,
}

/// A set of paths of one table, a bit each. A path put into a place that another left is in the set if it came while the set grew, so
/// that no path which stands since before is taken for one that came.
#[derive(Default)]
struct Seen(Vec<u64>);

impl Seen {
    fn insert(&mut self, PathRef(path): PathRef) {
        let word = (path / 64) as usize;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (path % 64);
    }

    fn contains(&self, PathRef(path): PathRef) -> bool {
        self.0.get((path / 64) as usize).is_some_and(|word| word & 1 << (path % 64) != 0)
    }
}

/// The place of a family among the two that routes are kept of.
fn slot(family: AfiSafi) -> Option<usize> {
    match family {
        Ipv4Net::FAMILY => Some(Ipv4Net::SLOT),
        Ipv6Net::FAMILY => Some(Ipv6Net::SLOT),
        _ => None,
    }
}

/// Room for so many changes is kept in each table between bursts.
const CHANGES_KEPT: usize = 256;

/// Prefixes refused by import policy that are remembered per source, for an operator who asks.
const REFUSED_KEPT: usize = 4096;

/// Room that is kept so that a route costs no allocation.
#[derive(Default)]
pub(crate) struct Scratch {
    attributes: Vec<u8>,
    wanted: Vec<Path>,
    standing: Vec<Path>,
    dests: Vec<DestId>,
    reserved: Vec<DestId>,
    v4: Batch<Ipv4Net>,
    v6: Batch<Ipv6Net>,
}

/// A call named something that the engine does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// There is no VRF of this id, or it is being removed.
    UnknownVrf(VrfId),
    /// There is a VRF of this id already, perhaps one that is still being removed: run [`Engine::tick`] to its end.
    VrfExists(VrfId),
    /// There is no native source of this id, or it is being removed.
    UnknownSource(SourceId),
    /// Sources of edges belong to the engine.
    LeakedSource,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownVrf(vrf) => write!(f, "VRF {} is not known or is being removed", vrf.0),
            Self::VrfExists(vrf) => write!(f, "VRF {} exists or is still being removed", vrf.0),
            Self::UnknownSource(source) => write!(f, "source {} is not known or is being removed", source.0),
            Self::LeakedSource => f.write_str("a source of leaked routes comes with its edge and cannot be added"),
        }
    }
}

impl std::error::Error for EngineError {}

impl Default for Engine {
    fn default() -> Self {
        Self::with_seed(0)
    }
}

impl Engine {
    /// An engine without VRFs. `seed` salts the hashes, so that a neighbour cannot choose routes that collide.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            pools: Pools::with_seed(seed),
            vrfs: BTreeMap::new(),
            edges: Vec::new(),
            inbound: Vec::new(),
            walks: VecDeque::new(),
            report: Report::default(),
            stale: 0,
            scratch: Scratch::default(),
            seed,
            shard: Shard::ONLY,
            places: Arc::default(),
            freed: false,
        }
    }

    /// `count` engines, one at least, that share all prefixes out among them as [`shard_of`](crate::shard_of) says. Each is to be given
    /// all VRFs, sources, routes, edges and states of next hops, takes what is for its own prefixes, and ignores what is not. The limits
    /// of edges hold for all together: see [`claim_places`](Self::claim_places). A neighbour's maximum of prefixes holds for each alone.
    pub fn shards(seed: u64, count: usize) -> Vec<Self> {
        let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        let places = Arc::<Places>::default();
        let shard =
            |number| Self { shard: Shard { number, count }, places: Arc::clone(&places), ..Self::with_seed(seed) };
        (0..count).map(shard).collect()
    }

    /// Adds an empty VRF; `name` is what it is shown as.
    ///
    /// # Errors
    ///
    /// [`EngineError::VrfExists`].
    pub fn add_vrf(&mut self, vrf: VrfId, name: &str) -> Result<(), EngineError> {
        if self.vrfs.contains_key(&vrf) {
            return Err(EngineError::VrfExists(vrf));
        }
        let new = Vrf {
            name: name.to_owned(),
            v4: Table::new(MAX_PATHS, self.seed),
            v6: Table::new(MAX_PATHS, self.seed),
            v4_changes: VecDeque::new(),
            v6_changes: VecDeque::new(),
            v4_counts: Counts::default(),
            v6_counts: Counts::default(),
            out: Vec::new(),
            into: Vec::new(),
            conflicts: HashMap::with_hasher(foldhash::fast::FixedState::with_seed(self.seed)),
            closing: false,
        };
        self.vrfs.insert(vrf, new);
        Ok(())
    }

    /// Removes a VRF with its sources, routes, and the edges that touch it, in the steps of [`tick`](Self::tick). It
    /// takes nothing more from now on.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownVrf`].
    pub fn remove_vrf(&mut self, vrf: VrfId) -> Result<(), EngineError> {
        let leaving = self.vrfs.get_mut(&vrf).filter(|leaving| !leaving.closing);
        let leaving = leaving.ok_or(EngineError::UnknownVrf(vrf))?;
        leaving.closing = true;
        let touching: Vec<EdgeNo> = leaving.out.iter().chain(&leaving.into).copied().collect();
        for edge in touching {
            self.remove_edge(edge);
        }
        let sources: Vec<SourceId> =
            self.pools.sources.iter().filter(|(_, s)| s.vrf == vrf).map(|(id, _)| id).collect();
        for source in sources {
            if let Some(Some(inbound)) = self.inbound.get_mut(source.index()) {
                inbound.closing = true;
            }
        }
        self.walks.push_back(Walk::clear(vrf));
        Ok(())
    }

    /// Adds a source of native routes: a neighbour's session, or connected or static routes. `interface` is the one
    /// that link-local next hops from it are on.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownVrf`] or [`EngineError::LeakedSource`].
    pub fn add_source(
        &mut self,
        vrf: VrfId,
        origination: Origination,
        interface: Option<u32>,
    ) -> Result<SourceId, EngineError> {
        if matches!(origination, Origination::Leaked(_)) {
            return Err(EngineError::LeakedSource);
        }
        if self.vrfs.get(&vrf).is_none_or(|vrf| vrf.closing) {
            return Err(EngineError::UnknownVrf(vrf));
        }
        let id = self.pools.sources.add(Source { vrf, origination });
        if self.inbound.len() <= id.index() {
            self.inbound.resize_with(id.index() + 1, || None);
        }
        self.inbound[id.index()] = Some(Inbound { interface, ..Inbound::default() });
        Ok(id)
    }

    /// Withdraws every route that `source` has announced so far, in the steps of [`tick`](Self::tick). The source stays.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownSource`].
    pub fn flush_source(&mut self, source: SourceId) -> Result<(), EngineError> {
        self.open_source(source)?;
        self.start_flush(source);
        Ok(())
    }

    /// `source` is about to announce all its routes of `family` again (RFC 7313): until [`end_refresh`](Self::end_refresh) it is noted
    /// which come. A refresh that has not ended begins anew. Of another family than the two unicast ones nothing is kept.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownSource`].
    pub fn begin_refresh(&mut self, source: SourceId, family: AfiSafi) -> Result<(), EngineError> {
        let inbound = self.open_source(source)?;
        let Some(slot) = slot(family) else { return Ok(()) };
        inbound.refresh[slot] = Some(Seen::default());
        inbound.refused_prefixes.retain(|prefix, _| matches!(prefix, IpNet::V6(_)) != (slot == Ipv6Net::SLOT));
        self.walks.retain(|walk| !walk.sweeps(source, Some(family)));
        Ok(())
    }

    /// Withdraws, in the steps of [`tick`](Self::tick), every route of `source` and `family` that was not announced since the refresh
    /// began. Nothing happens if none did.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownSource`].
    pub fn end_refresh(&mut self, source: SourceId, family: AfiSafi) -> Result<(), EngineError> {
        let inbound = self.open_source(source)?;
        if slot(family).is_some_and(|slot| inbound.refresh[slot].is_some())
            && let Some(known) = self.pools.sources.get(source)
            && !self.walks.iter().any(|walk| walk.sweeps(source, Some(family)))
        {
            self.walks.push_back(Walk::sweep(known.vrf, source, family));
        }
        Ok(())
    }

    /// Withdraws every route of `source` in the steps of [`tick`](Self::tick), then forgets it. It takes nothing more
    /// from now on, and its id must not be used again by the caller.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownSource`].
    pub fn remove_source(&mut self, source: SourceId) -> Result<(), EngineError> {
        self.open_source(source)?.closing = true;
        self.start_flush(source);
        Ok(())
    }

    fn open_source(&mut self, source: SourceId) -> Result<&mut Inbound, EngineError> {
        let inbound = self.inbound.get_mut(source.index()).and_then(Option::as_mut);
        inbound.filter(|inbound| !inbound.closing).ok_or(EngineError::UnknownSource(source))
    }

    fn start_flush(&mut self, source: SourceId) {
        let Some(Some(inbound)) = self.inbound.get_mut(source.index()) else { return };
        inbound.refused_prefixes = BTreeMap::new();
        inbound.refresh = [None, None];
        self.walks.retain(|walk| !walk.sweeps(source, None));
        inbound.flushing = true;
        self.stop_flush_walk(source);
        match self.pools.sources.get(source) {
            Some(known) if self.pools.sources.paths(source) > 0 => self.start_flush_walk(known.vrf, source),
            _ => self.flushed(source),
        }
    }

    /// The last route of a source is gone.
    fn flushed(&mut self, source: SourceId) {
        let Some(slot) = self.inbound.get_mut(source.index()) else { return };
        if let Some(inbound) = slot {
            inbound.flushing = false;
            if inbound.closing {
                *slot = None;
                self.pools.sources.remove(source);
            }
        }
        if self.inbound.iter().all(Option::is_none) {
            self.inbound = Vec::new();
        }
    }

    /// A next hop that came into use since the last call, and whose state the caller must find out; until told by
    /// [`set_next_hop_state`](Self::set_next_hop_state) it is unreachable.
    pub fn poll_new_next_hop(&mut self) -> Option<NextHopId> {
        self.pools.next_hops.poll_fresh()
    }

    /// Records what is known of a next hop. What follows from it is done in the steps of [`tick`](Self::tick), and is
    /// reported as changes also where only the egress differs. An id that is not in use is ignored.
    pub fn set_next_hop_state(&mut self, next_hop: NextHopId, state: NextHopState) {
        if self.pools.next_hops.set_state(next_hop, state) == NextHopChange::Nothing {
            return;
        }
        let Some(vrf) = self.pools.next_hops.get(next_hop).map(|entry| entry.vrf) else { return };
        self.start_next_hop_walk(vrf, next_hop);
    }

    /// Hands out at most `max` destinations whose selected set changed since they were last handed out, each once, and returns
    /// whether there are more. Those of one table come together, oldest change first; the tables take turns.
    pub fn take_changes(&mut self, max: usize, mut take: impl FnMut(Changed)) -> bool {
        let mut left = max;
        while let Some((id, family)) = self.report.tables.front().copied() {
            let before = left;
            let more = self.vrfs.get_mut(&id).is_some_and(|vrf| match family {
                AfiSafi::IPV6_UNICAST => hand_out::<Ipv6Net>(id, vrf, &mut left, &mut take),
                _ => hand_out::<Ipv4Net>(id, vrf, &mut left, &mut take),
            });
            self.report.pending -= before - left;
            self.report.tables.pop_front();
            if more {
                self.report.tables.push_back((id, family));
                return true;
            }
        }
        false
    }

    /// The number of destinations that [`take_changes`](Self::take_changes) would hand out.
    pub fn pending_changes(&self) -> usize {
        self.report.pending
    }

    /// Attributes, next hops and sources.
    pub fn pools(&self) -> &Pools {
        &self.pools
    }

    /// The pools together with the tables of `vrf`, for an Adj-RIB-Out, which interns attributes and holds destinations.
    /// The caller inserts, withdraws and decides nothing through it.
    pub fn tables_mut(&mut self, vrf: VrfId) -> Option<(&mut Pools, &mut Table<Ipv4Net>, &mut Table<Ipv6Net>)> {
        let vrf = self.vrfs.get_mut(&vrf)?;
        Some((&mut self.pools, &mut vrf.v4, &mut vrf.v6))
    }

    /// The tables of `vrf`.
    pub fn tables(&self, vrf: VrfId) -> Option<(&Table<Ipv4Net>, &Table<Ipv6Net>)> {
        self.vrfs.get(&vrf).map(|vrf| (&vrf.v4, &vrf.v6))
    }

    /// Nothing is left: no VRF, source, edge, attribute, next hop, and nothing to do or to report.
    pub fn is_empty(&self) -> bool {
        self.vrfs.is_empty()
            && self.pools.is_empty()
            && self.edges.iter().all(Option::is_none)
            && self.inbound.is_empty()
            && self.walks.is_empty()
            && self.report.tables.is_empty()
            && self.stale == 0
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("vrfs", &self.vrfs.values().map(|vrf| &vrf.name).collect::<Vec<_>>())
            .field("edges", &self.edges.iter().flatten().map(|edge| &edge.spec).collect::<Vec<_>>())
            .field("walks", &self.walks.len())
            .field("changes", &self.report.pending)
            .finish_non_exhaustive()
    }
}

/// Hands out at most `left` changes of one table, and says whether there are more. Their destinations were held until now, so that
/// their prefixes can be looked up.
fn hand_out<K: TableKey>(id: VrfId, vrf: &mut Vrf, left: &mut usize, take: &mut impl FnMut(Changed)) -> bool {
    let mut changes = std::mem::take(K::changes_mut(vrf));
    let table = K::table_mut(vrf);
    let now = changes.len().min(*left);
    *left -= now;
    for dest in changes.drain(..now) {
        if let Some(found) = table.destination(dest) {
            let prefix = found.key().into();
            table.drop_hold(dest, Holder::Engine);
            take(Changed { vrf: id, prefix, dest });
        }
    }
    if changes.is_empty() {
        changes.shrink_to(CHANGES_KEPT);
    }
    let more = !changes.is_empty();
    *K::changes_mut(vrf) = changes;
    more
}

/// The key of one of the two tables of a VRF.
pub(crate) trait TableKey: Key {
    const FAMILY: AfiSafi;
    /// Its place among the two.
    const SLOT: usize;

    fn table(vrf: &Vrf) -> &Table<Self>;
    fn table_mut(vrf: &mut Vrf) -> &mut Table<Self>;
    fn batch_mut(scratch: &mut Scratch) -> &mut Batch<Self>;
    fn changes_mut(vrf: &mut Vrf) -> &mut VecDeque<DestId>;
    fn counts_mut(vrf: &mut Vrf) -> &mut Counts;
}

impl TableKey for Ipv4Net {
    const FAMILY: AfiSafi = AfiSafi::IPV4_UNICAST;
    const SLOT: usize = 0;

    fn table(vrf: &Vrf) -> &Table<Self> {
        &vrf.v4
    }

    fn table_mut(vrf: &mut Vrf) -> &mut Table<Self> {
        &mut vrf.v4
    }

    fn batch_mut(scratch: &mut Scratch) -> &mut Batch<Self> {
        &mut scratch.v4
    }

    fn changes_mut(vrf: &mut Vrf) -> &mut VecDeque<DestId> {
        &mut vrf.v4_changes
    }

    fn counts_mut(vrf: &mut Vrf) -> &mut Counts {
        &mut vrf.v4_counts
    }
}

impl TableKey for Ipv6Net {
    const FAMILY: AfiSafi = AfiSafi::IPV6_UNICAST;
    const SLOT: usize = 1;

    fn table(vrf: &Vrf) -> &Table<Self> {
        &vrf.v6
    }

    fn table_mut(vrf: &mut Vrf) -> &mut Table<Self> {
        &mut vrf.v6
    }

    fn batch_mut(scratch: &mut Scratch) -> &mut Batch<Self> {
        &mut scratch.v6
    }

    fn changes_mut(vrf: &mut Vrf) -> &mut VecDeque<DestId> {
        &mut vrf.v6_changes
    }

    fn counts_mut(vrf: &mut Vrf) -> &mut Counts {
        &mut vrf.v6_counts
    }
}
