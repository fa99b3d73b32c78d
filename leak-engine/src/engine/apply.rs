//! Native routes in and out: UPDATEs from neighbours through an import policy, and local routes.

use std::collections::BTreeSet;

use bgp_wire::{Action, AfiSafi, AttributesBuilder, Family, Ipv4Unicast, Ipv6Unicast, NextHop, Update};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rib::{AttrId, Change, DestId, Key, NextHopId, Path, SourceId, VrfId};

use super::{Engine, EngineError, Inbound, REFUSED_KEPT, TableKey};
use crate::{
    Accept, ImportPolicy, ImportRefusal,
    shard::{Shard, shard_of},
};

/// What one UPDATE came to, in routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Accepted, whether new, changed or repeated.
    pub accepted: usize,
    /// Withdrawn by the neighbour, or treated so (RFC 7606), whether they stood or not.
    pub withdrawn: usize,
    /// Refused by the import policy; an older route for the same prefix is gone.
    pub refused: usize,
    /// The source has reached its maximum number of prefixes and announced more.
    pub over_maximum: bool,
}

/// The routes of one UPDATE that share attributes and next hop.
struct Announcement<'p> {
    vrf: VrfId,
    source: SourceId,
    attrs: AttrId,
    next_hop: NextHopId,
    import: &'p ImportPolicy,
}

impl Engine {
    /// Takes in one UPDATE from a neighbour. Its attributes are interned once.
    ///
    /// If the message asks to be treated as a withdrawal (RFC 7606 section 2), its routes are withdrawn. A route that the
    /// import policy refuses replaces an older one for the same prefix by nothing. If a flush of the source is still under way, it is ended first.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownSource`]; then nothing is changed.
    pub fn apply_update(
        &mut self,
        source: SourceId,
        update: &Update<'_>,
        import: &ImportPolicy,
    ) -> Result<Applied, EngineError> {
        let (vrf, interface) = self.writable(source)?;
        let mut applied = Applied::default();
        let shard = self.shard;
        let wanted = |family| import.families.contains(family);
        let plain_wanted = wanted(AfiSafi::IPV4_UNICAST);
        if plain_wanted {
            self.withdraw_all::<Ipv4Unicast>(vrf, source, own(shard, update.withdrawn()), &mut applied);
        }
        if let Some(unreach) = update.mp_unreach().filter(|unreach| wanted(unreach.family)) {
            let (ipv4, ipv6) = (unreach.ipv4().into_iter().flatten(), unreach.ipv6().into_iter().flatten());
            self.withdraw_all::<Ipv4Unicast>(vrf, source, own(shard, ipv4), &mut applied);
            self.withdraw_all::<Ipv6Unicast>(vrf, source, own(shard, ipv6), &mut applied);
        }
        let reach = update.mp_reach().filter(|reach| wanted(reach.family));
        let plain = own(shard, Some(update.nlri()).filter(|_| plain_wanted).into_iter().flatten());
        let ipv4 = own(shard, reach.as_ref().and_then(|reach| reach.ipv4()).into_iter().flatten());
        let ipv6 = own(shard, reach.as_ref().and_then(|reach| reach.ipv6()).into_iter().flatten());
        if update.action() >= Some(Action::TreatAsWithdraw) {
            self.withdraw_all::<Ipv4Unicast>(vrf, source, plain.chain(ipv4), &mut applied);
            self.withdraw_all::<Ipv6Unicast>(vrf, source, ipv6, &mut applied);
            return Ok(applied);
        }
        let any = plain.clone().next().is_some() || ipv4.clone().next().is_some() || ipv6.clone().next().is_some();
        if !any {
            return Ok(applied);
        }
        if let Err(refusal) = import.check_attributes(&update.attributes()) {
            self.refuse_all::<Ipv4Unicast>(vrf, source, plain.chain(ipv4), refusal, &mut applied);
            self.refuse_all::<Ipv6Unicast>(vrf, source, ipv6, refusal, &mut applied);
            return Ok(applied);
        }

        let attrs = self.intern_edited(update, import);
        if let Some(next_hop) = &update.next_hop() {
            self.announce_all::<Ipv4Unicast>(vrf, source, attrs, (next_hop, interface), import, plain, &mut applied);
        }
        if let Some(next_hop) = &reach.as_ref().and_then(|reach| reach.next_hop()) {
            self.announce_all::<Ipv4Unicast>(vrf, source, attrs, (next_hop, interface), import, ipv4, &mut applied);
            self.announce_all::<Ipv6Unicast>(vrf, source, attrs, (next_hop, interface), import, ipv6, &mut applied);
        }
        self.pools.attrs.release(attrs);
        Ok(applied)
    }

    /// Adds or replaces one route of `source`: connected, static, or injected. `attributes` are in canonical form
    /// ([`AttributesBuilder`]); host bits of `prefix` are zeroed. A next hop is unreachable until its state is set.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownSource`]; then nothing is changed.
    pub fn insert(
        &mut self,
        source: SourceId,
        prefix: IpNet,
        path_id: u32,
        attributes: &[u8],
        next_hop: NextHop,
        interface: Option<u32>,
    ) -> Result<(), EngineError> {
        let (vrf, _) = self.writable(source)?;
        if shard_of(prefix, self.shard.count as usize) != self.shard.number as usize {
            return Ok(());
        }
        let attrs = self.pools.attrs.intern(attributes);
        let next_hop = self.pools.next_hops.intern(vrf, &next_hop, interface);
        let path = Path { source, path_id, attrs, next_hop };
        match prefix.trunc() {
            IpNet::V4(key) => self.put_path::<Ipv4Net>(vrf, key, path),
            IpNet::V6(key) => self.put_path::<Ipv6Net>(vrf, key, path),
        }
        self.pools.attrs.release(attrs);
        self.pools.next_hops.release(next_hop);
        Ok(())
    }

    /// Withdraws one route of `source` and returns whether it stood.
    ///
    /// # Errors
    ///
    /// [`EngineError::UnknownSource`]; then nothing is changed.
    pub fn withdraw(&mut self, source: SourceId, prefix: IpNet, path_id: u32) -> Result<bool, EngineError> {
        let (vrf, _) = self.writable(source)?;
        Ok(match prefix.trunc() {
            IpNet::V4(key) => self.take_path::<Ipv4Net>(vrf, key, source, path_id),
            IpNet::V6(key) => self.take_path::<Ipv6Net>(vrf, key, source, path_id),
        })
    }

    /// The VRF and interface of a source that may announce now.
    fn writable(&mut self, source: SourceId) -> Result<(VrfId, Option<u32>), EngineError> {
        let inbound = self.open_source(source)?;
        let (interface, flushing) = (inbound.interface, inbound.flushing);
        if flushing {
            self.finish_flush(source);
        }
        let vrf = self.pools.sources.get(source).ok_or(EngineError::UnknownSource(source))?.vrf;
        Ok((vrf, interface))
    }

    fn intern_edited(&mut self, update: &Update<'_>, import: &ImportPolicy) -> AttrId {
        let canonical = &mut self.scratch.attributes;
        canonical.clear();
        update.canonical_attributes(canonical);
        if import.set.is_empty() {
            return self.pools.attrs.intern(canonical);
        }
        let mut edited = AttributesBuilder::from_canonical(canonical);
        if let Some(local_pref) = import.set.local_pref {
            edited.local_pref(Some(local_pref));
        }
        if let Some(med) = import.set.med {
            edited.med(Some(med));
        }
        self.pools.attrs.intern(&edited.build())
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one announcement, used twice")]
    fn announce_all<F: Family<Key: TableKey>>(
        &mut self,
        vrf: VrfId,
        source: SourceId,
        attrs: AttrId,
        (address, interface): (&NextHop, Option<u32>),
        import: &ImportPolicy,
        routes: impl Iterator<Item = (Option<u32>, F::Key)> + Clone,
        applied: &mut Applied,
    ) {
        let interface = if is_on_link(address) { interface } else { None };
        let next_hop = self.pools.next_hops.intern(vrf, address, interface);
        if matches!(import.accept, Accept::Everything) && self.has_room(source, import, routes.clone()) {
            self.accept_all(vrf, Path { source, path_id: 0, attrs, next_hop }, routes, applied);
            return self.pools.next_hops.release(next_hop);
        }
        let announcement = Announcement { vrf, source, attrs, next_hop, import };
        for (path_id, key) in routes {
            match self.announce(&announcement, path_id.unwrap_or(0), key) {
                Ok(()) => applied.accepted += 1,
                Err(refusal) => {
                    applied.refused += 1;
                    applied.over_maximum |= refusal == ImportRefusal::MaximumPrefixes;
                    self.refuse(vrf, source, path_id.unwrap_or(0), key, refusal);
                }
            }
        }
        self.pools.next_hops.release(next_hop);
    }

    /// However many of the routes are new, the source's maximum is not exceeded.
    fn has_room(&self, source: SourceId, import: &ImportPolicy, routes: impl Iterator) -> bool {
        let room = |maximum: usize| maximum.saturating_sub(self.pools.sources.paths(source) as usize);
        import.maximum_prefixes.is_none_or(|maximum| routes.count() <= room(maximum))
    }

    /// Announces routes of which none is refused. All are looked up before anything is decided, since what takes the time is waiting
    /// for memory.
    fn accept_all<K: TableKey>(
        &mut self,
        vrf: VrfId,
        path: Path,
        routes: impl Iterator<Item = (Option<u32>, K)> + Clone,
        applied: &mut Applied,
    ) {
        let mut reserved = std::mem::take(&mut self.scratch.reserved);
        reserved.clear();
        if let Some(owner) = self.vrfs.get_mut(&vrf) {
            let table = K::table_mut(owner);
            reserved.extend(routes.clone().map(|(_, key)| table.reserve(key)));
        }
        let inbound = self.inbound.get(path.source.index()).and_then(Option::as_ref);
        let noted =
            inbound.is_some_and(|inbound| !inbound.refused_prefixes.is_empty() || inbound.refresh[K::SLOT].is_some());
        if noted || self.stale > 0 {
            for ((path_id, key), dest) in routes.zip(&reserved) {
                let Some(owner) = self.vrfs.get_mut(&vrf) else { break };
                applied.accepted += 1;
                let path = Path { path_id: path_id.unwrap_or(0), ..path };
                let change = K::table_mut(owner).insert_reserved(&mut self.pools, *dest, path);
                self.settle_change(vrf, key, change);
                self.accepted(path.source, key);
                self.saw(vrf, key, path.source, path.path_id);
            }
        } else {
            let mut settled = std::mem::take(&mut K::batch_mut(&mut self.scratch).settled);
            settled.clear();
            let Self { vrfs, pools, report, .. } = self;
            if let Some(owner) = vrfs.get_mut(&vrf) {
                for ((path_id, _), dest) in routes.zip(&reserved) {
                    applied.accepted += 1;
                    let path = Path { path_id: path_id.unwrap_or(0), ..path };
                    if K::table_mut(owner).insert_reserved(pools, *dest, path).is_some() {
                        settled.extend(report.note::<K>(pools, vrf, owner, *dest));
                    }
                }
            }
            self.settle_all(vrf, &settled);
            K::batch_mut(&mut self.scratch).settled = settled;
        }
        self.scratch.reserved = reserved;
    }

    fn announce<K: TableKey>(&mut self, route: &Announcement<'_>, path_id: u32, key: K) -> Result<(), ImportRefusal> {
        let Announcement { vrf, source, attrs, next_hop, import } = *route;
        let prefix: IpNet = key.into();
        import.check_prefix(prefix)?;
        if import.maximum_prefixes.is_some_and(|maximum| self.pools.sources.paths(source) as usize >= maximum)
            && !self.stands(vrf, key, source, path_id)
        {
            return Err(ImportRefusal::MaximumPrefixes);
        }
        self.accepted(source, key);
        self.put_path(vrf, key, Path { source, path_id, attrs, next_hop });
        self.saw(vrf, key, source, path_id);
        Ok(())
    }

    /// A path was announced: the refresh under way, if there is one, leaves it.
    fn saw<K: TableKey>(&mut self, vrf: VrfId, key: K, source: SourceId, path_id: u32) {
        let inbound = self.inbound.get_mut(source.index()).and_then(Option::as_mut);
        let Some(seen) = inbound.and_then(|inbound| inbound.refresh[K::SLOT].as_mut()) else { return };
        let table = self.vrfs.get(&vrf).map(K::table);
        let found = table.and_then(|table| table.destination(table.get(&key)?));
        let announced = |view: &rib::PathView| (view.path.source, view.path.path_id) == (source, path_id);
        if let Some(path) = found.and_then(|found| found.paths().find(announced)) {
            seen.insert(path.id);
        }
    }

    fn stands<K: TableKey>(&self, vrf: VrfId, key: K, source: SourceId, path_id: u32) -> bool {
        let table = self.vrfs.get(&vrf).map(K::table);
        let found = table.and_then(|table| table.destination(table.get(&key)?));
        found.is_some_and(|found| found.paths().any(|view| (view.path.source, view.path.path_id) == (source, path_id)))
    }

    fn withdraw_all<F: Family<Key: TableKey>>(
        &mut self,
        vrf: VrfId,
        source: SourceId,
        routes: impl Iterator<Item = (Option<u32>, F::Key)>,
        applied: &mut Applied,
    ) {
        for (path_id, key) in routes {
            applied.withdrawn += 1;
            self.accepted(source, key);
            self.take_path(vrf, key, source, path_id.unwrap_or(0));
        }
    }

    fn refuse_all<F: Family<Key: TableKey>>(
        &mut self,
        vrf: VrfId,
        source: SourceId,
        routes: impl Iterator<Item = (Option<u32>, F::Key)>,
        refusal: ImportRefusal,
        applied: &mut Applied,
    ) {
        for (path_id, key) in routes {
            applied.refused += 1;
            self.refuse(vrf, source, path_id.unwrap_or(0), key, refusal);
        }
    }

    fn refuse<K: TableKey>(&mut self, vrf: VrfId, source: SourceId, path_id: u32, key: K, refusal: ImportRefusal) {
        self.take_path(vrf, key, source, path_id);
        if let Some(Some(inbound)) = self.inbound.get_mut(source.index()) {
            inbound.refused[refusal as usize] += 1;
            let known = inbound.refused_prefixes.contains_key(&key.into());
            if known || inbound.refused_prefixes.len() < REFUSED_KEPT {
                inbound.refused_prefixes.insert(key.into(), refusal);
            }
        }
    }

    /// Forgets that a prefix was refused before.
    fn accepted<K: TableKey>(&mut self, source: SourceId, key: K) {
        if let Some(Some(Inbound { refused_prefixes, .. })) = self.inbound.get_mut(source.index())
            && !refused_prefixes.is_empty()
        {
            refused_prefixes.remove(&key.into());
        }
    }

    fn put_path<K: TableKey>(&mut self, vrf: VrfId, key: K, path: Path) {
        let Some(owner) = self.vrfs.get_mut(&vrf) else { return };
        let change = K::table_mut(owner).insert(&mut self.pools, key, path);
        self.settle_change(vrf, key, change);
    }

    /// Withdraws a path and returns whether it stood.
    fn take_path<K: TableKey>(&mut self, vrf: VrfId, key: K, source: SourceId, path_id: u32) -> bool {
        let dest = self.vrfs.get(&vrf).and_then(|owner| K::table(owner).get(&key));
        dest.is_some_and(|dest| self.take_path_from(vrf, key, dest, source, path_id))
    }

    /// As [`take_path`](Self::take_path), for the destination of `key`.
    pub(super) fn take_path_from<K: TableKey>(
        &mut self,
        vrf: VrfId,
        key: K,
        dest: DestId,
        source: SourceId,
        path_id: u32,
    ) -> bool {
        let Some(owner) = self.vrfs.get_mut(&vrf) else { return false };
        let before = self.pools.sources.paths(source);
        let change = K::table_mut(owner).withdraw_from(&mut self.pools, dest, source, path_id);
        self.settle_change(vrf, key, change);
        self.pools.sources.paths(source) < before
    }

    /// Withdraws all paths of a destination that came from the sources.
    pub(super) fn take_paths_of<K: TableKey>(
        &mut self,
        vrf: VrfId,
        key: K,
        dest: DestId,
        sources: &BTreeSet<SourceId>,
    ) {
        let Some(owner) = self.vrfs.get_mut(&vrf) else { return };
        let goes = |_, path: &Path| sources.contains(&path.source);
        let change = K::table_mut(owner).withdraw_where(&mut self.pools, dest, goes);
        self.settle_change(vrf, key, change);
    }

    fn settle_change<K: TableKey>(&mut self, vrf: VrfId, key: K, change: Option<Change>) {
        let mut change = change;
        if self.stale > 0
            && let Some(table) = self.vrfs.get_mut(&vrf).map(K::table_mut)
            && let Some(dest) = table.get(&key)
        {
            change = table.redecide(&mut self.pools, dest).or(change);
        }
        if let Some(change) = change {
            self.settle::<K>(vrf, change.dest, false);
        }
    }
}

/// Those of some routes that a shard keeps.
fn own<K: Key>(
    shard: Shard,
    routes: impl Iterator<Item = (Option<u32>, K)> + Clone,
) -> impl Iterator<Item = (Option<u32>, K)> + Clone {
    routes.filter(move |(_, key)| shard.keeps(key))
}

/// A next hop that means nothing without its interface.
fn is_on_link(next_hop: &NextHop) -> bool {
    match next_hop {
        NextHop::Ipv4(_) => false,
        NextHop::Ipv6(address) => address.is_unicast_link_local(),
        NextHop::Ipv6LinkLocal { .. } => true,
    }
}
