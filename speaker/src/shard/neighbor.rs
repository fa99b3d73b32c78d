//! A neighbour on the shard: what its session says, what is accepted of it, what it is told, and what leads to it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp_session::Negotiated;
use bgp_wire::notification::{CEASE, cease};
use bgp_wire::{AfiSafi, EncodeCtx, FamilySet, NextHop, Notification, RefreshSubtype, RouteRefresh, Update};
use bytes::{BufMut, BytesMut};
use ipnet::IpNet;
use leak_engine::{Accept, ImportPolicy};
use rib::adj_out::{Blanket, ExportKey, ExportPolicy, ExportRoute, PeerClass, PolicyId, Sent};
use rib::{NextHopId, NextHopState, Origination, SourceId, VrfId};
use tokio::sync::mpsc;
use tracing::warn;

use super::ShardNeighbor;
use super::resolve::BgpRoute;
use super::vrf::{address, ignore_gone};
use super::worker::Worker;
use crate::config::{Class, NeighborConfig, NeighborKey};
use crate::session::{Batch, Command, Ends, FromSession, Milestone, Milestones, NeighborId, Outbox};
use crate::watch::Event;

/// The families that a speaker keeps routes of.
pub(super) const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];

#[derive(Debug)]
pub(super) struct Neighbor {
    pub(super) id: NeighborId,
    pub(super) key: NeighborKey,
    pub(super) vrf: VrfId,
    pub(super) config: NeighborConfig,
    import: ImportPolicy,
    commands: mpsc::Sender<Command>,
    pub(super) live: Option<Live>,
}

/// A session that is up, as the shard sees it.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) source: SourceId,
    /// The address that the session shows to be reachable.
    reachable: Option<IpAddr>,
    pub(super) families: FamilySet,
    pub(super) end_of_rib: FamilySet,
    /// It has sent nothing for a while.
    quiet: bool,
    /// Nothing is taken of these any more.
    disabled: FamilySet,
    enhanced_refresh: bool,
    outbox: Outbox,
    milestones: Arc<Milestones>,
    /// Its queue is full.
    pub(super) behind: bool,
    /// It was told to end for too many prefixes.
    ending: bool,
}

impl Live {
    /// It has sent everything. Who does not mark the end has once it is quiet.
    fn is_complete(&self) -> bool {
        self.quiet || self.families.difference(self.end_of_rib).difference(self.disabled).is_empty()
    }
}

impl Neighbor {
    pub(super) fn new(new: ShardNeighbor, vrf: VrfId, own: (u32, Ipv4Addr)) -> Self {
        Self {
            id: new.id,
            key: new.config.key(),
            vrf,
            import: import_policy(&new.config, own),
            config: new.config,
            commands: new.commands,
            live: None,
        }
    }

    /// The families of its session.
    pub(super) fn families(&self) -> impl Iterator<Item = AfiSafi> + '_ {
        self.live.iter().flat_map(|live| live.families.iter())
    }

    /// Takes what may change under a session. Says whether the neighbour's routes are needed again.
    pub(super) fn reconfigure(&mut self, config: NeighborConfig, own: (u32, Ipv4Addr)) -> bool {
        let import = ImportPolicy { families: self.import.families, ..import_policy(&config, own) };
        let differs = self.import.accept != import.accept;
        self.import = import;
        self.config = config;
        differs && self.live.is_some()
    }

    /// It is up and has sent everything.
    pub(super) fn is_complete(&self) -> bool {
        self.live.as_ref().is_some_and(Live::is_complete)
    }

    fn command(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            // Its queue only fills while the session ends.
            warn!(neighbor = %self.key, "session is busy");
        }
    }

    /// Whether its address is on a link of ours, so that the session itself shows that it can be reached.
    fn is_single_hop(&self) -> bool {
        self.config.multihop.is_none_or(|hops| hops == 1)
    }
}

/// What is accepted, from the configuration. RFC 8212: an external neighbour without a policy gives nothing.
fn import_policy(config: &NeighborConfig, (asn, router_id): (u32, Ipv4Addr)) -> ImportPolicy {
    let accept = match (&config.import, config.class) {
        (Some(accept), _) => accept.clone(),
        (None, Class::Fabric) => Accept::Everything,
        (None, Class::External) => Accept::Nothing,
    };
    ImportPolicy {
        accept,
        allow_own_as: config.allow_as_in,
        own_id: Some(router_id),
        maximum_prefixes: config.max_prefixes.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        ..ImportPolicy::accept_all(config.local_as.unwrap_or(asn))
    }
}

impl Worker {
    /// Takes what a session says. One whose neighbour is not configured any more says nothing that counts.
    pub(super) fn session(&mut self, id: NeighborId, message: FromSession) {
        if !self.neighbors.contains_key(&id) {
            return;
        }
        match message {
            FromSession::Established { negotiated, ends, outbox, milestones } => {
                self.up(id, &negotiated, ends, (outbox, Arc::clone(&milestones)));
                self.reach(id, &milestones, Milestone::Up, Event::Established);
            }
            FromSession::Updates(batch) => self.updates(id, &batch),
            FromSession::Refresh(refresh) => self.refresh(id, refresh),
            FromSession::Disabled(family) => self.disable(id, family),
            FromSession::Quiet => self.quiet(id),
            FromSession::Room => self.room(id),
            FromSession::Down(reason, milestones) => {
                self.down(id);
                self.reach(id, &milestones, Milestone::Down, |key| Event::Down(key, reason));
            }
        }
    }

    /// A session has come to a milestone here; the last shard that it does so on tells of it.
    fn reach(&self, id: NeighborId, all: &Milestones, milestone: Milestone, event: impl FnOnce(NeighborKey) -> Event) {
        if let Some(neighbor) = self.neighbors.get(&id)
            && all.reach(milestone)
        {
            self.tell_of(event(neighbor.key.clone()));
        }
    }

    fn up(&mut self, id: NeighborId, terms: &Negotiated, ends: Ends, with: (Outbox, Arc<Milestones>)) {
        let (outbox, milestones) = with;
        self.down(id);
        let Some(neighbor) = self.neighbors.get(&id) else {
            return;
        };
        let address = neighbor.key.address.ip().unwrap_or(ends.remote).to_canonical();
        let origination = Origination::Session(rib::Neighbor {
            external: !terms.internal,
            asn: terms.remote_as,
            router_id: terms.remote_id,
            address,
        });
        let connected = || self.vrfs.get(&neighbor.vrf).and_then(|vrf| vrf.reach.interface(address));
        let interface = ends.interface.or_else(connected);
        let vrf = neighbor.vrf;
        let source = match self.engine.add_source(vrf, origination, interface) {
            Ok(source) => source,
            // Its VRF is on the way out, and so is it.
            Err(error) => return warn!(neighbor = %neighbor.key, %error, "no source"),
        };
        // An address that means nothing without its interface leads nowhere by itself.
        let reachable = (neighbor.is_single_hop() && !is_link_local(address)).then_some(address);
        let config = neighbor.config.clone();
        for family in FAMILIES {
            if terms.families.contains(family) {
                let export = self.export_key(&config, vrf, terms, ends.local, family);
                self.join(vrf, source, family, export);
            }
        }
        if let Some(neighbor) = self.neighbors.get_mut(&id) {
            neighbor.import.families = terms.families;
            neighbor.live = Some(Live {
                source,
                reachable,
                families: terms.families,
                end_of_rib: FamilySet::default(),
                quiet: false,
                disabled: FamilySet::EMPTY,
                enhanced_refresh: terms.enhanced_route_refresh,
                outbox,
                milestones,
                behind: false,
                ending: false,
            });
        }
        self.live.insert(source, id);
        if let (Some(address), Some(vrf)) = (reachable, self.vrfs.get_mut(&vrf)) {
            vrf.reach.session_up(address);
        }
        self.resolve_all(vrf);
    }

    pub(super) fn down(&mut self, id: NeighborId) {
        let Some(neighbor) = self.neighbors.get_mut(&id) else {
            return;
        };
        let Some(live) = neighbor.live.take() else {
            return;
        };
        let id = neighbor.vrf;
        self.live.remove(&live.source);
        if let Some(vrf) = self.vrfs.get_mut(&id) {
            if let Some(address) = live.reachable {
                vrf.reach.session_down(address);
            }
            if let Some((pools, v4, v6)) = self.engine.tables_mut(id) {
                vrf.out4.leave(v4, pools, live.source);
                vrf.out6.leave(v6, pools, live.source);
            }
        }
        ignore_gone(self.engine.remove_source(live.source));
        self.resolve_all(id);
    }

    fn updates(&mut self, id: NeighborId, batch: &Batch) {
        let Some(neighbor) = self.neighbors.get_mut(&id) else {
            return;
        };
        let Some(live) = &mut neighbor.live else {
            return;
        };
        if live.ending {
            return;
        }
        let mut over = None;
        let mut completed = false;
        for (frame, index) in &batch.updates {
            let update = Update::from_index(frame, index);
            if let Some(family) = update.end_of_rib() {
                let before = live.is_complete();
                live.end_of_rib.insert(family);
                completed |= live.is_complete() && !before;
                continue;
            }
            let applied = self.engine.apply_update(live.source, &update, &neighbor.import);
            if ignore_gone(applied).is_some_and(|applied| applied.over_maximum) {
                over = Some(family_of(&update));
                break;
            }
        }
        // With one shard the table counts, and refuses what is too much; with more the neighbour is stopped after the batch.
        if let Some(limit) = neighbor.import.maximum_prefixes
            && self.common.shards > 1
            && let Some(standing) = batch.taken(self.engine.pools().sources.paths(live.source) as usize)
            && standing > limit
        {
            let last = batch.updates.last().map(|(frame, index)| family_of(&Update::from_index(frame, index)));
            over = over.or(last);
        }
        if let Some(family) = over {
            live.ending = true;
            let limit = neighbor.config.max_prefixes.unwrap_or(u32::MAX);
            neighbor.command(Command::Pause(too_many(family, limit)));
        }
        if completed {
            self.complete(id);
        }
        self.resolve_new();
    }

    /// A neighbour has announced all its routes.
    fn complete(&self, id: NeighborId) {
        if let Some(live) = self.neighbors.get(&id).and_then(|neighbor| neighbor.live.as_ref()) {
            self.reach(id, &live.milestones, Milestone::Complete, Event::EndOfRib);
        }
    }

    fn quiet(&mut self, id: NeighborId) {
        if let Some((_, live)) = self.live_in(id)
            && !live.is_complete()
        {
            live.quiet = true;
            self.complete(id);
        }
    }

    fn disable(&mut self, id: NeighborId, family: AfiSafi) {
        let Some(neighbor) = self.neighbors.get_mut(&id) else {
            return;
        };
        let disabled = FamilySet::EMPTY.with(family);
        neighbor.import.families = neighbor.import.families.difference(disabled);
        let Some(live) = &mut neighbor.live else {
            return;
        };
        // A refresh in which nothing comes.
        ignore_gone(self.engine.begin_refresh(live.source, family));
        ignore_gone(self.engine.end_refresh(live.source, family));
        live.disabled.insert(family);
    }

    fn refresh(&mut self, id: NeighborId, refresh: RouteRefresh) {
        let Some((vrf, live)) = self.live_in(id) else {
            return;
        };
        let (source, enhanced) = (live.source, live.enhanced_refresh);
        match refresh.subtype {
            RefreshSubtype::Request => {}
            RefreshSubtype::BeginOfRr => {
                ignore_gone(self.engine.begin_refresh(source, refresh.family));
                return;
            }
            RefreshSubtype::EndOfRr => {
                ignore_gone(self.engine.end_refresh(source, refresh.family));
                return;
            }
            RefreshSubtype::Other(_) => return,
        }
        if let Some(vrf) = self.vrfs.get_mut(&vrf) {
            match refresh.family {
                AfiSafi::IPV4_UNICAST => vrf.out4.refresh(source, enhanced),
                _ => vrf.out6.refresh(source, enhanced),
            }
        }
    }

    fn room(&mut self, id: NeighborId) {
        let Some((vrf, live)) = self.live_in(id) else {
            return;
        };
        live.behind = false;
        let source = live.source;
        if let Some(vrf) = self.vrfs.get_mut(&vrf) {
            vrf.out4.set_blocked(source, false);
            vrf.out6.set_blocked(source, false);
        }
    }

    fn live_in(&mut self, id: NeighborId) -> Option<(VrfId, &mut Live)> {
        let neighbor = self.neighbors.get_mut(&id)?;
        Some((neighbor.vrf, neighbor.live.as_mut()?))
    }

    fn join(&mut self, vrf: VrfId, source: SourceId, family: AfiSafi, key: ExportKey) {
        let Some((pools, v4, v6)) = self.engine.tables_mut(vrf) else {
            return;
        };
        if let Some(vrf) = self.vrfs.get_mut(&vrf) {
            match family {
                AfiSafi::IPV4_UNICAST => vrf.out4.join(v4, pools, source, key),
                _ => vrf.out6.join(v6, pools, source, key),
            }
        }
    }

    fn export_key(
        &mut self,
        config: &NeighborConfig,
        vrf: VrfId,
        terms: &Negotiated,
        local: IpAddr,
        family: AfiSafi,
    ) -> ExportKey {
        let accept = match (&config.export, config.class) {
            (Some(accept), _) => accept.clone(),
            (None, Class::Fabric) => Accept::Everything,
            (None, Class::External) => Accept::Nothing,
        };
        // A link-local address may be ours on many interfaces.
        let siblings = self.vrfs.get(&vrf).filter(|_| !is_link_local(local));
        let sibling = siblings.and_then(|vrf| vrf.sibling(&self.links, local.to_canonical()));
        ExportKey {
            local_as: config.local_as.unwrap_or(self.config.asn),
            internal: terms.internal,
            class: match config.class {
                Class::Fabric => PeerClass::Fabric,
                Class::External => PeerClass::External,
            },
            role: terms.role,
            local_next_hop: local_next_hop(local.to_canonical(), sibling, family, &terms.encode, self.config.router_id),
            next_hop_self: config.next_hop_self,
            encode: terms.encode,
            policy: self.policy(&accept),
        }
    }

    /// Tells neighbours what they have not heard. Says whether there is more to tell.
    pub(super) fn tell(&mut self, budget: usize) -> bool {
        let mut more = false;
        let mut overrun = Vec::new();
        let policies = Policies(&self.policies);
        let (live, neighbors) = (&self.live, &mut self.neighbors);
        for (id, vrf) in &mut self.vrfs {
            let Some((pools, v4, v6)) = self.engine.tables_mut(*id) else {
                continue;
            };
            let mut full = Vec::new();
            let mut send = |source: SourceId, messages: Sent| {
                let neighbor = live.get(&source).and_then(|id| neighbors.get_mut(id));
                if let Some(live) = neighbor.and_then(|neighbor| neighbor.live.as_mut())
                    && !live.outbox.push(messages)
                {
                    live.behind = true;
                    full.push(source);
                }
            };
            let told4 = vrf.out4.flush(v4, pools, &policies, budget, &mut send);
            let told6 = vrf.out6.flush(v6, pools, &policies, budget, &mut send);
            for source in full {
                vrf.out4.set_blocked(source, true);
                vrf.out6.set_blocked(source, true);
            }
            more |= told4.more || told6.more;
            if told4.unencodable + told6.unencodable > 0 {
                let routes = told4.unencodable + told6.unencodable;
                warn!(vrf = %vrf.name, routes, "routes cannot be announced: too long, or no next hop of ours fits");
            }
            overrun.extend(told4.overrun);
            overrun.extend(told6.overrun);
        }
        for source in overrun {
            let neighbor = self.live.get(&source).and_then(|id| self.neighbors.get(id));
            if let Some(neighbor) = neighbor {
                warn!(neighbor = %neighbor.key, "too slow for what it must be told; starting over");
                neighbor.command(Command::Reset(Notification::cease(cease::OUT_OF_RESOURCES)));
            }
        }
        more
    }

    /// Finds out about next hops that were never seen before.
    pub(super) fn resolve_new(&mut self) {
        while let Some(next_hop) = self.engine.poll_new_next_hop() {
            self.resolve(next_hop);
        }
    }

    /// Finds out again about all next hops of a VRF.
    pub(super) fn resolve_all(&mut self, vrf: VrfId) {
        if let Some(vrf) = self.vrfs.get_mut(&vrf) {
            vrf.indirect.values_mut().for_each(BTreeSet::clear);
        }
        let next_hops: Vec<NextHopId> =
            self.engine.pools().next_hops.iter().filter(|(_, entry)| entry.vrf == vrf).map(|(id, _)| id).collect();
        for next_hop in next_hops {
            self.resolve(next_hop);
        }
        let Some(owner) = self.vrfs.get_mut(&vrf) else {
            return;
        };
        let shard = self.shard;
        self.common.indirect(|indirect| {
            owner.indirect.retain(|address, needed_for| {
                if needed_for.is_empty() {
                    indirect.leave(shard, vrf, *address);
                }
                !needed_for.is_empty() || indirect.is_needed(vrf, *address)
            });
        });
    }

    fn resolve(&mut self, id: NextHopId) {
        let Some(entry) = self.engine.pools().next_hops.get(id) else {
            return;
        };
        let (vrf_id, mut via, interface) = (entry.vrf, address(&entry.address), entry.interface);
        let link_local = match entry.address {
            NextHop::Ipv6LinkLocal { link_local, .. } if is_link_local(link_local.into()) => Some(link_local),
            _ => None,
        };
        let Some(vrf) = self.vrfs.get_mut(&vrf_id) else {
            return;
        };
        // Of two addresses of a neighbour the one on the link leads there, whether the other is on the link or not.
        if let (Some(link_local), Some(interface)) = (link_local, interface)
            && vrf.reach.interface(via) != Some(interface)
        {
            via = link_local.into();
        }
        let egress = |gateway, interface| NextHopState::Resolved {
            metric: 0,
            egress: Box::new([rib::Egress { gateway, interface }]),
        };
        let state = match interface {
            Some(interface) if via.is_unspecified() => egress(None, interface),
            Some(interface) => egress(Some(via), interface),
            // The box itself.
            None if via.is_unspecified() => NextHopState::Resolved { metric: 0, egress: Box::new([]) },
            None => {
                let asked = RefCell::new(Vec::new());
                let (engine, common, shard) = (&self.engine, &self.common, self.shard);
                let state = vrf.reach.resolve(via, &|address| {
                    asked.borrow_mut().push(address);
                    let own = bgp_route(engine, vrf_id, address);
                    if common.shards == 1 {
                        return own;
                    }
                    common.indirect(|indirect| indirect.need(shard, vrf_id, address, own))
                });
                for address in asked.into_inner() {
                    vrf.indirect.entry(address).or_default().insert(id);
                }
                state
            }
        };
        self.engine.set_next_hop_state(id, state);
    }

    /// The selected set of a prefix changed: next hops inside it may lead elsewhere now.
    pub(super) fn resolve_inside(&mut self, vrf: VrfId, prefix: IpNet) {
        let Some(indirect) = self.vrfs.get(&vrf).map(|vrf| &vrf.indirect) else {
            return;
        };
        if indirect.is_empty() {
            return;
        }
        let inside = indirect.range(prefix.network()..).map(|(address, _)| *address);
        let inside: Vec<IpAddr> = inside.take_while(|address| prefix.contains(address)).collect();
        for address in inside {
            self.resolve_through(vrf, address);
        }
    }

    /// Looks at next hops of any shard that routes of this one may lead to, and at those here that routes of others do.
    pub(super) fn look_at_next_hops(&mut self) {
        let look = self.common.indirect(|indirect| indirect.look(self.shard));
        for (id, address) in look {
            let needed = self.common.indirect(|indirect| indirect.is_needed(id, address));
            let Some(vrf) = self.vrfs.get_mut(&id) else {
                continue;
            };
            if needed {
                vrf.indirect.entry(address).or_default();
                self.resolve_through(id, address);
            } else if vrf.indirect.get(&address).is_some_and(BTreeSet::is_empty) {
                vrf.indirect.remove(&address);
            }
        }
    }

    /// The way to an address may be another one: says so to the other shards, and resolves what depends on it here.
    fn resolve_through(&mut self, vrf: VrfId, address: IpAddr) {
        if self.common.shards > 1 {
            let own = bgp_route(&self.engine, vrf, address);
            self.common.indirect(|indirect| indirect.found(self.shard, vrf, address, own));
        }
        let dependent = self.vrfs.get(&vrf).and_then(|vrf| vrf.indirect.get(&address)).cloned();
        for id in dependent.into_iter().flatten() {
            self.resolve(id);
        }
    }
}

/// Export policies by [`PolicyId`].
pub(super) struct Policies<'a>(pub(super) &'a [Accept]);

impl ExportPolicy for Policies<'_> {
    fn permits(&self, policy: PolicyId, prefix: IpNet, _: &ExportRoute<'_>) -> bool {
        match self.0.get(policy.0 as usize) {
            Some(Accept::Everything) => true,
            Some(Accept::Listed(list)) => list.permits(prefix),
            Some(Accept::Nothing) | None => false,
        }
    }

    fn blanket(&self, policy: PolicyId) -> Blanket {
        match self.0.get(policy.0 as usize) {
            Some(Accept::Everything) => Blanket::All,
            Some(Accept::Listed(_)) => Blanket::Depends,
            Some(Accept::Nothing) | None => Blanket::Nothing,
        }
    }
}

/// The longest native route of a VRF that leads to an address and does not contain its own next hop.
fn bgp_route(engine: &leak_engine::Engine, vrf: VrfId, address: IpAddr) -> Option<BgpRoute> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    (0..=longest).rev().find_map(|length| {
        let prefix = IpNet::new(address, length).ok()?.trunc();
        let best = engine.paths(vrf, prefix).find(|route| route.best)?;
        if !matches!(best.origination, Origination::Session(_)) {
            return None;
        }
        let next_hop = super::vrf::address(&best.via.address);
        (!prefix.contains(&next_hop)).then_some(BgpRoute { prefix, next_hop })
    })
}

/// Our own address to give as next hop. For the transport's family it is the session's; for the other one it is the one of the
/// same interface, or what stands for it: for IPv6 the IPv4-mapped address, for IPv4 an IPv6 next hop where negotiated, else the router id.
fn local_next_hop(
    local: IpAddr,
    sibling: Option<IpAddr>,
    family: AfiSafi,
    encode: &EncodeCtx,
    router_id: Ipv4Addr,
) -> NextHop {
    match (local, sibling, family) {
        (IpAddr::V4(local), _, AfiSafi::IPV4_UNICAST) => NextHop::Ipv4(local),
        (IpAddr::V6(local), _, AfiSafi::IPV4_UNICAST) if encode.extended_next_hop.contains(family) => {
            NextHop::Ipv6(local)
        }
        (IpAddr::V6(_), Some(IpAddr::V4(sibling)), AfiSafi::IPV4_UNICAST) => NextHop::Ipv4(sibling),
        (IpAddr::V6(_), _, AfiSafi::IPV4_UNICAST) => NextHop::Ipv4(router_id),
        (IpAddr::V6(local), _, _) => NextHop::Ipv6(local),
        (IpAddr::V4(_), Some(IpAddr::V6(sibling)), _) => NextHop::Ipv6(sibling),
        (IpAddr::V4(local), _, _) => NextHop::Ipv6(mapped(local)),
    }
}

/// The family of the routes of an UPDATE.
fn family_of(update: &Update<'_>) -> AfiSafi {
    update.mp_reach().map_or(AfiSafi::IPV4_UNICAST, |reach| reach.family)
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn mapped(address: Ipv4Addr) -> Ipv6Addr {
    address.to_ipv6_mapped()
}

/// CEASE for too many prefixes, with family and limit (RFC 4486 section 4).
fn too_many(family: AfiSafi, limit: u32) -> Notification {
    let mut data = BytesMut::with_capacity(7);
    data.put_u16(family.afi);
    data.put_u8(family.safi);
    data.put_u32(limit);
    Notification { code: CEASE, subcode: cease::MAXIMUM_PREFIXES, data: data.freeze() }
}
