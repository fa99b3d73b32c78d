//! What follows from a changed destination: its report, its copies over each edge, and who loses to whom.

use bgp_wire::AfiSafi;
use ipnet::IpNet;
use rib::{DestId, Destination, Holder, Path, Pools, VrfId};

use super::{EdgeNo, Engine, TableKey, Unreported};
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

impl Engine {
    /// Acts on a changed selected set of `dest`: reports it once, and reconciles it over every edge out of `vrf`.
    pub(super) fn settle<K: TableKey>(&mut self, vrf: VrfId, dest: DestId, next_hop: bool) {
        let Self { vrfs, pools, changes, .. } = self;
        let Some(owner) = vrfs.get_mut(&vrf) else { return };
        let table = K::table_mut(owner);
        let Some(found) = table.destination(dest) else { return };
        let key = found.key();
        let reachable = found.best().is_some();
        let native = is_native(pools, &found);
        let (was_reachable, was_native) = (found.is_held(Holder::Selected), found.is_held(Holder::Native));
        if !found.is_held(Holder::Engine) {
            table.hold(dest, Holder::Engine);
            changes.push_back(Unreported { vrf, dest, ipv6: K::FAMILY == AfiSafi::IPV6_UNICAST });
        }
        // A reachable destination is held, so that it is still there to be settled when its last path leaves.
        for (holder, holds) in [(Holder::Selected, reachable), (Holder::Native, native)] {
            if holds {
                table.hold(dest, holder);
            } else {
                table.drop_hold(dest, holder);
            }
        }
        let counts = K::counts_mut(owner);
        let leaked = |reachable: bool, native: bool| usize::from(reachable && !native);
        counts.native = counts.native + usize::from(native) - usize::from(was_native);
        counts.leaked = counts.leaked + leaked(reachable, native) - leaked(was_reachable, was_native);
        let (exports, imports) = (owner.out.len(), !owner.into.is_empty());
        if native || was_native {
            let cause = Cause { counted: was_native, again: next_hop };
            for at in 0..exports {
                let Some(&edge) = self.vrfs.get(&vrf).and_then(|owner| owner.out.get(at)) else { break };
                self.reconcile(edge, key, dest, cause);
            }
        }
        if imports {
            self.note_conflicts(vrf, key, Some(dest));
        }
    }

    /// Makes the copies of one native destination over one edge what they should be.
    pub(super) fn reconcile<K: TableKey>(&mut self, no: EdgeNo, key: K, dest: DestId, cause: Cause) {
        let Some(Some(edge)) = self.edges.get_mut(no.index()) else { return };
        let (Some(exporter), Some(_)) = (self.vrfs.get(&edge.spec.from), self.vrfs.get(&edge.spec.to)) else { return };
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
        let copy = table.get(&key);
        if let Some(found) = copy.and_then(|dest| table.destination(dest)) {
            standing.extend(found.paths().map(|view| view.path).filter(|path| path.source == edge.source));
        }

        if standing.is_empty() {
            if wanted.is_empty() {
                edge.overflow.remove(&prefix);
                return;
            }
            if edge.is_full() {
                edge.overflow.insert(prefix);
                return;
            }
            edge.overflow.remove(&prefix);
        }

        let mut touched = false;
        let mut changed = None;
        for path in wanted.iter().filter(|path| !standing.contains(path)) {
            touched = true;
            changed = match copy {
                Some(copy) => table.insert_reserved(&mut self.pools, copy, *path),
                None => table.insert(&mut self.pools, key, *path),
            }
            .or(changed);
        }
        for path in standing.iter().filter(|path| path.path_id as usize >= wanted.len()) {
            touched = true;
            if let Some(copy) = copy {
                changed = table.withdraw_from(&mut self.pools, copy, path.source, path.path_id).or(changed);
            }
        }
        let mut promoted = None;
        match (standing.is_empty(), wanted.is_empty()) {
            (true, false) => edge.held += 1,
            (false, true) => {
                edge.held -= 1;
                promoted = if edge.is_full() { None } else { edge.overflow.pop_first() };
            }
            _ => {}
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
        let alone = found.is_none_or(|found| found.paths().nth(1).is_none());
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
