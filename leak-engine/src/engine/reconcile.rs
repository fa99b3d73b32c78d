//! What follows from a changed destination: its report, its copies over each edge, and who loses to whom.

use ipnet::IpNet;
use rib::{DestId, Destination, Holder, Path, Pools, VrfId};

use super::{EdgeNo, Engine, Report, TableKey, Vrf};
use crate::Refusal;

/// Why a destination is reconciled over an edge.
#[derive(Clone, Copy, Default)]
pub(super) struct Cause {
    /// The edge had counted it as a native destination before, unless its walk has yet to come there.
    pub(super) counted: bool,
    /// A next hop in the selected set changed, or the edge's rank or advertisement: standing copies are decided and
    /// reported again.
    pub(super) again: bool,
}

/// A destination whose selected set changed, and how.
#[derive(Clone, Copy)]
pub(super) struct Settled<K> {
    pub(super) key: K,
    pub(super) dest: DestId,
    was_native: bool,
    native: bool,
    /// Leaked copies may lose here, or may have lost.
    contested: bool,
}

impl<K> Settled<K> {
    /// Whether it matters to the edges that leave the VRF, and how.
    pub(super) fn leaves(&self) -> Option<Cause> {
        (self.native || self.was_native).then_some(Cause { counted: self.was_native, again: false })
    }
}

/// Room for the destinations that are reconciled over an edge together.
pub(crate) struct Batch<K> {
    /// What changed, for all edges.
    pub(super) settled: Vec<Settled<K>>,
    /// What an edge's walk has come to.
    pub(super) native: Vec<(K, DestId, Cause)>,
    wanted: Vec<(K, DestId, Path)>,
    copies: Vec<DestId>,
    /// Those that are more than one new path over the edge.
    others: Vec<(K, DestId, Cause)>,
}

impl<K> Default for Batch<K> {
    fn default() -> Self {
        Self { settled: Vec::new(), native: Vec::new(), wanted: Vec::new(), copies: Vec::new(), others: Vec::new() }
    }
}

impl Report {
    /// Notes a changed selected set of `dest`, to be handed out once, and keeps count of what `owner` holds.
    #[inline]
    pub(super) fn note<K: TableKey>(
        &mut self,
        pools: &Pools,
        vrf: VrfId,
        owner: &mut Vrf,
        dest: DestId,
    ) -> Option<Settled<K>> {
        let found = K::table(owner).destination(dest)?;
        let (key, alone) = (found.key(), !found.is_contested());
        let (reachable, native) = (found.best().is_some(), is_native(pools, &found));
        let (was_reachable, was_native) = (found.is_held(Holder::Selected), found.is_held(Holder::Native));
        let waits = found.is_held(Holder::Engine);
        // A reachable destination is held, so that it is still there to be settled when its last path leaves.
        let holds = [(Holder::Engine, true), (Holder::Selected, reachable), (Holder::Native, native)];
        K::table_mut(owner).set_holds(dest, holds);
        if !waits {
            let changes = K::changes_mut(owner);
            if changes.is_empty() {
                self.tables.push_back((vrf, K::FAMILY));
            }
            changes.push_back(dest);
            self.pending += 1;
        }
        let counts = K::counts_mut(owner);
        let leaked = |reachable: bool, native: bool| usize::from(reachable && !native);
        counts.native = counts.native + usize::from(native) - usize::from(was_native);
        counts.leaked = counts.leaked + leaked(reachable, native) - leaked(was_reachable, was_native);
        let contested = !owner.into.is_empty() && (!alone || !owner.conflicts.is_empty());
        Some(Settled { key, dest, was_native, native, contested })
    }
}

impl Engine {
    /// Acts on a changed selected set of `dest`: reports it once, and reconciles it over every edge out of `vrf`.
    pub(super) fn settle<K: TableKey>(&mut self, vrf: VrfId, dest: DestId, next_hop: bool) {
        let Self { vrfs, pools, report, .. } = self;
        let Some(owner) = vrfs.get_mut(&vrf) else { return };
        let exports = owner.out.len();
        let Some(settled) = report.note::<K>(pools, vrf, owner, dest) else { return };
        if let Some(cause) = settled.leaves() {
            let cause = Cause { again: next_hop, ..cause };
            for at in 0..exports {
                let Some(&edge) = self.vrfs.get(&vrf).and_then(|owner| owner.out.get(at)) else { break };
                self.reconcile(edge, settled.key, dest, cause);
            }
        }
        if settled.contested {
            self.note_conflicts(vrf, settled.key, Some(dest));
        }
    }

    /// Does for destinations that were noted what [`settle`](Self::settle) does for one.
    pub(super) fn settle_all<K: TableKey>(&mut self, vrf: VrfId, settled: &[Settled<K>]) {
        let exports = self.vrfs.get(&vrf).map_or(0, |owner| owner.out.len());
        for at in 0..exports {
            let Some(&edge) = self.vrfs.get(&vrf).and_then(|owner| owner.out.get(at)) else { break };
            let leaves = settled.iter().filter_map(|one| Some((one.key, one.dest, one.leaves()?)));
            self.reconcile_all(edge, leaves);
        }
        for one in settled.iter().filter(|one| one.contested) {
            self.note_conflicts(vrf, one.key, Some(one.dest));
        }
    }

    /// Makes the copies of native destinations over one edge what they should be. Almost all have one path, which is new over the
    /// edge: these are looked up together, since what takes the time is waiting for memory.
    pub(super) fn reconcile_all<K: TableKey>(
        &mut self,
        no: EdgeNo,
        dests: impl Iterator<Item = (K, DestId, Cause)> + Clone,
    ) {
        let mut batch = std::mem::take(K::batch_mut(&mut self.scratch));
        self.reconcile_new(no, dests, &mut batch);
        for (key, dest, cause) in batch.others.drain(..) {
            self.reconcile(no, key, dest, cause);
        }
        *K::batch_mut(&mut self.scratch) = batch;
    }

    fn reconcile_new<K: TableKey>(
        &mut self,
        no: EdgeNo,
        dests: impl Iterator<Item = (K, DestId, Cause)> + Clone,
        batch: &mut Batch<K>,
    ) {
        let Self { vrfs, pools, edges, report, stale, .. } = self;
        let Some(Some(edge)) = edges.get_mut(no.index()) else { return };
        let Some(exporter) = vrfs.get(&edge.spec.from) else { return };
        let Batch { wanted, copies, others, .. } = batch;
        let room = |limit: usize| !edge.shares_places() && limit.saturating_sub(edge.held) >= dests.clone().count();
        if *stale > 0 || edge.gathering || !edge.overflow.is_empty() || !edge.spec.limit.is_none_or(room) {
            others.extend(dests);
            return;
        }
        for (key, dest, cause) in dests {
            let sole = K::table(exporter).destination(dest).and_then(|found| found.sole());
            let native = sole.filter(|path| pools.sources.get(path.source).is_some_and(|source| source.is_native()));
            match native {
                Some(path) if !cause.again && edge.check(key.into()).is_ok() => {
                    wanted.push((key, dest, Path { source: edge.source, path_id: 0, ..path }));
                }
                _ => others.push((key, dest, cause)),
            }
        }
        let Some(importer) = vrfs.get_mut(&edge.spec.to) else { return wanted.clear() };
        let table = K::table_mut(importer);
        copies.clear();
        copies.extend(wanted.iter().map(|(key, ..)| table.reserve(*key)));
        for ((key, dest, path), copy) in wanted.drain(..).zip(copies) {
            let table = K::table_mut(importer);
            if table.destination(*copy).is_none_or(|found| found.has_paths()) {
                // Nothing of it is counted by the filter, since it passes.
                others.push((key, dest, Cause::default()));
                continue;
            }
            edge.held += 1;
            if table.insert_reserved(pools, *copy, path).is_some() {
                report.note::<K>(pools, edge.spec.to, importer, *copy);
            }
        }
    }

    /// Makes the copies of one native destination over one edge what they should be.
    pub(super) fn reconcile<K: TableKey>(&mut self, no: EdgeNo, key: K, dest: DestId, cause: Cause) {
        let Some(Some(edge)) = self.edges.get_mut(no.index()) else { return };
        let Some(exporter) = self.vrfs.get(&edge.spec.from) else { return };
        let prefix: IpNet = key.into();
        let native = K::table(exporter).destination(dest).filter(|found| is_native(&self.pools, found));

        let verdict = edge.check(prefix);
        edge.count(K::FAMILY, dest, cause, native.is_some(), verdict);

        let wanted = &mut self.scratch.wanted;
        wanted.clear();
        if let (Some(native), Ok(())) = (native, verdict) {
            let mut selected = native.selected();
            let best = native.best();
            let others = selected.by_ref().filter(|path| !path.best);
            let paths = best.into_iter().chain(others).zip(0..);
            wanted.extend(paths.map(|(from, path_id)| Path { source: edge.source, path_id, ..from.path }));
        }

        let Some(importer) = self.vrfs.get_mut(&edge.spec.to) else { return };
        let table = K::table_mut(importer);
        let standing = &mut self.scratch.standing;
        standing.clear();
        // What is wanted is put there unless the edge is full; what is not wanted is only looked for. Where places are shared one may be
        // gone when it is asked for.
        let fits = !wanted.is_empty() && !edge.shares_places() && !edge.is_full();
        let mut copy = if fits { Some(table.reserve(key)) } else { table.get(&key) };
        if let Some(found) = copy.and_then(|dest| table.destination(dest)) {
            standing.extend(found.paths().map(|view| view.path).filter(|path| path.source == edge.source));
        }

        if standing.is_empty() {
            if wanted.is_empty() {
                edge.overflow.remove(&prefix);
                return;
            }
            if !edge.take_place() {
                edge.overflow.insert(prefix);
                return;
            }
            edge.overflow.remove(&prefix);
            copy = copy.or_else(|| Some(table.reserve(key)));
        }

        let mut touched = false;
        let mut changed = None;
        if let Some(copy) = copy {
            for path in wanted.iter().filter(|path| !standing.contains(path)) {
                touched = true;
                changed = table.insert_reserved(&mut self.pools, copy, *path).or(changed);
            }
            for path in standing.iter().filter(|path| path.path_id as usize >= wanted.len()) {
                touched = true;
                changed = table.withdraw_from(&mut self.pools, copy, path.source, path.path_id).or(changed);
            }
        }
        let mut promoted = None;
        if !standing.is_empty() && wanted.is_empty() {
            self.freed |= edge.give_place();
            promoted = if edge.is_full() { None } else { edge.overflow.pop_first() };
        }
        let to = edge.spec.to;
        let mut settle = changed.map(|change| change.dest);
        if (cause.again || self.stale > 0)
            && let Some(copy) = table.get(&key)
        {
            let decided = table.redecide(&mut self.pools, copy).is_some();
            let reported = cause.again && table.destination(copy).is_some_and(|found| found.best().is_some());
            if decided || reported {
                settle = Some(copy);
            }
        }
        match settle {
            Some(copy) => self.settle::<K>(to, copy, false),
            None if touched => {
                let copy = self.vrfs.get(&to).and_then(|importer| K::table(importer).get(&key));
                self.note_conflicts(to, key, copy);
            }
            None => {}
        }
        match promoted {
            Some(IpNet::V4(next)) => self.promote(no, next),
            Some(IpNet::V6(next)) => self.promote(no, next),
            None => {}
        }
    }

    /// Reconciles a destination that the edge's limit kept out, now that there is room.
    pub(super) fn promote<K: TableKey>(&mut self, no: EdgeNo, key: K) {
        let Some(Some(edge)) = self.edges.get(no.index()) else { return };
        let Some(exporter) = self.vrfs.get(&edge.spec.from) else { return };
        if let Some(dest) = K::table(exporter).get(&key) {
            self.reconcile(no, key, dest, Cause { counted: true, again: false });
        }
    }

    /// Brings the record of leaked copies of `key` that stand in `vrf` without being selected up to date.
    fn note_conflicts<K: TableKey>(&mut self, vrf: VrfId, key: K, dest: Option<DestId>) {
        let Self { vrfs, pools, edges, .. } = self;
        let Some(importer) = vrfs.get_mut(&vrf) else { return };
        let prefix: IpNet = key.into();
        let table = K::table(importer);
        let found = dest.and_then(|dest| table.destination(dest));
        let alone = found.is_none_or(|found| !found.is_contested());
        if alone && importer.conflicts.is_empty() {
            return;
        }
        let mut losers = Vec::new();
        if let Some(found) = found
            && let Some(best) = found.best()
        {
            let reason = if is_native(pools, &found) { Refusal::NativeWins } else { Refusal::OlderBindingWins };
            let others = found.paths().filter(|view| !view.selected && view.path.path_id == 0);
            for view in others.filter(|view| view.path.source != best.path.source) {
                losers.extend(edge_of(pools, &view.path).map(|edge| (edge, reason)));
            }
        }
        let before = if losers.is_empty() {
            importer.conflicts.remove(&prefix)
        } else {
            importer.conflicts.insert(prefix, losers.clone())
        };
        if importer.conflicts.is_empty() && importer.conflicts.capacity() > 1024 {
            importer.conflicts.shrink_to_fit();
        }
        for (edge, reason) in before.into_iter().flatten() {
            if let Some(Some(edge)) = edges.get_mut(edge.index()) {
                edge.lost[reason as usize] -= 1;
            }
        }
        for (edge, reason) in losers {
            if let Some(Some(edge)) = edges.get_mut(edge.index()) {
                edge.lost[reason as usize] += 1;
            }
        }
    }
}

/// The best path is native, and with it, by the order of the decision, the whole selected set.
pub(super) fn is_native<K: TableKey>(pools: &Pools, found: &Destination<'_, K>) -> bool {
    found.best().and_then(|best| pools.sources.get(best.path.source)).is_some_and(|source| source.is_native())
}

pub(super) fn edge_of(pools: &Pools, path: &Path) -> Option<EdgeNo> {
    match pools.sources.get(path.source)?.origination {
        rib::Origination::Leaked(leak) => Some(EdgeNo(leak.edge)),
        _ => None,
    }
}
