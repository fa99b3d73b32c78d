//! Adj-RIB-Out, seen by receivers: whoever applies the messages ends with exactly what the naive export of the table says.

mod common;

use std::collections::BTreeMap;

use bgp_wire::{
    Community, DecodeCtx, EncodeCtx, Family, FamilySet, Ipv4Unicast, Ipv6Unicast, Message, NextHop, PeerKind,
    RefreshSubtype, Update, frame,
};
use bytes::Bytes;
use common::{Attrs, edge, local, next_hop, resolved, session};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use rib::adj_out::{AdjOut, ExportKey, ExportRoute, Flushed, PeerClass, PolicyId, Sent, export};
use rib::{Advertise, NextHopId, NextHopState, Origination, Path, Pools, SourceId, Table};

type Route = (Vec<u8>, NextHop);

/// The far end of a session: applies what it is sent.
#[derive(Debug, Default)]
struct Receiver {
    routes: BTreeMap<Ipv4Net, Route>,
    /// Routes not heard of since the beginning of a refresh.
    stale: Option<BTreeMap<Ipv4Net, Route>>,
    messages: usize,
    announced: usize,
    withdrawn: usize,
    ends_of_rib: usize,
    refreshes: usize,
}

impl Receiver {
    fn receive(&mut self, ctx: &EncodeCtx, mut octets: &[u8]) {
        let peer = PeerKind::Internal;
        let EncodeCtx { as4, add_path, extended_message, extended_next_hop } = *ctx;
        let ctx = DecodeCtx { as4, add_path, extended_message, extended_next_hop, peer };
        while !octets.is_empty() {
            let length = frame::peek(octets, ctx.max_len()).expect("a frame within the limit").expect("a whole frame");
            let (message, rest) = octets.split_at(length);
            octets = rest;
            self.messages += 1;
            match Message::parse(message, &ctx).expect("a message") {
                Message::Update(update) => self.apply(&update),
                Message::RouteRefresh(refresh) => match refresh.subtype {
                    RefreshSubtype::BeginOfRr => self.stale = Some(self.routes.clone()),
                    RefreshSubtype::EndOfRr => {
                        let stale = self.stale.take().expect("EoRR follows BoRR");
                        stale.keys().for_each(|key| drop(self.routes.remove(key)));
                        self.refreshes += 1;
                    }
                    other => panic!("unasked {other:?}"),
                },
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn apply(&mut self, update: &Update<'_>) {
        assert_eq!(update.action(), None, "{:?}", update.faults().collect::<Vec<_>>());
        if let Some(family) = update.end_of_rib() {
            assert_eq!(family, Ipv4Unicast::AFI_SAFI);
            self.ends_of_rib += 1;
        }
        for (_, key) in update.withdrawn() {
            self.withdrawn += 1;
            self.forget_stale(key);
            self.routes.remove(&key);
        }
        let mut attributes = Vec::new();
        update.canonical_attributes(&mut attributes);
        let reached = update.mp_reach().and_then(|reach| Some((reach.next_hop()?, reach.ipv4()?)));
        let by_attribute = update.next_hop().map(|next_hop| (next_hop, update.nlri()));
        for (next_hop, nlri) in by_attribute.into_iter().chain(reached) {
            for (_, key) in nlri {
                self.announced += 1;
                self.forget_stale(key);
                self.routes.insert(key, (attributes.clone(), next_hop));
            }
        }
    }

    fn forget_stale(&mut self, key: Ipv4Net) {
        if let Some(stale) = &mut self.stale {
            stale.remove(&key);
        }
    }
}

/// A policy that refuses the prefixes whose second octet has a bit of the mask.
fn policy(mask: u8) -> impl Fn(PolicyId, IpNet, &ExportRoute<'_>) -> bool {
    move |_, prefix, _| match prefix {
        IpNet::V4(prefix) => prefix.addr().octets()[1] & mask == 0,
        IpNet::V6(_) => false,
    }
}

fn prefix(n: u32) -> Ipv4Net {
    Ipv4Net::new((0x0a00_0000 | n << 8).into(), 24).expect("24 is a length")
}

const PLAIN: EncodeCtx =
    EncodeCtx { as4: true, add_path: FamilySet::EMPTY, extended_message: false, extended_next_hop: FamilySet::EMPTY };

fn external() -> ExportKey {
    ExportKey {
        local_as: 65000,
        internal: false,
        class: PeerClass::External,
        role: None,
        local_next_hop: NextHop::Ipv4([192, 0, 2, 1].into()),
        next_hop_self: false,
        encode: PLAIN,
        policy: PolicyId(1),
    }
}

fn internal() -> ExportKey {
    ExportKey { internal: true, class: PeerClass::Fabric, ..external() }
}

struct World {
    pools: Pools,
    table: Table<Ipv4Net>,
    out: AdjOut<Ipv4Unicast>,
    receivers: BTreeMap<SourceId, (ExportKey, Receiver)>,
    mask: u8,
    sent: Vec<(SourceId, Bytes)>,
}

impl World {
    fn new() -> Self {
        World {
            pools: Pools::default(),
            table: Table::new(1, 3),
            out: AdjOut::default(),
            receivers: BTreeMap::new(),
            mask: 0,
            sent: Vec::new(),
        }
    }

    fn join(&mut self, peer: SourceId, key: ExportKey) {
        self.out.join(&mut self.table, &mut self.pools, peer, key);
        self.receivers.insert(peer, (key, Receiver::default()));
    }

    fn leave(&mut self, peer: SourceId) {
        self.out.leave(&mut self.table, &mut self.pools, peer);
        self.receivers.remove(&peer);
    }

    fn insert(&mut self, key: Ipv4Net, source: SourceId, attrs: &Attrs, next_hop: NextHopId) {
        let attrs = attrs.intern(&mut self.pools);
        let path = Path { source, path_id: 0, attrs, next_hop };
        if let Some(change) = self.table.insert(&mut self.pools, key, path) {
            self.out.mark(change.dest);
        }
        self.pools.attrs.release(attrs);
    }

    fn withdraw(&mut self, key: Ipv4Net, source: SourceId) {
        if let Some(change) = self.table.withdraw(&mut self.pools, &key, source, 0) {
            self.out.mark(change.dest);
        }
    }

    fn flush(&mut self, budget: usize) -> Flushed {
        self.sent.clear();
        let policy = policy(self.mask);
        let send = |peer, sent: Sent| self.sent.push((peer, sent.octets().clone()));
        let flushed = self.out.flush(&mut self.table, &mut self.pools, &policy, budget, send);
        for (peer, messages) in &self.sent {
            let (key, receiver) = self.receivers.get_mut(peer).expect("only members are told");
            receiver.receive(&key.encode, messages);
        }
        flushed
    }

    /// Flushes until nothing is left to do; returns the routes that could not be encoded.
    fn settle(&mut self, budget: usize) -> usize {
        let mut unencodable = 0;
        for _ in 0..100_000 {
            let flushed = self.flush(budget);
            assert!(flushed.overrun.is_empty());
            unencodable += flushed.unencodable;
            if !flushed.more {
                return unencodable;
            }
        }
        panic!("flushing does not come to an end");
    }

    /// What `peer` must end with: the export of every best route that did not come from it.
    fn expected(&self, peer: SourceId) -> BTreeMap<Ipv4Net, Route> {
        let key = &self.receivers[&peer].0;
        let route = |dest: rib::Destination<'_, Ipv4Net>| {
            let path = dest.best()?.path;
            let route = ExportRoute {
                source_id: path.source,
                source: self.pools.sources.get(path.source)?,
                attr: self.pools.attrs.attributes(path.attrs),
                next_hop: self.pools.next_hops.get(path.next_hop)?,
            };
            let permitted = policy(self.mask)(key.policy, dest.key().into(), &route);
            let exported = export::<Ipv4Unicast>(key, &route).filter(|_| path.source != peer && permitted)?;
            Some((dest.key(), exported))
        };
        self.table.iter().filter_map(route).collect()
    }

    fn receiver(&self, peer: SourceId) -> &Receiver {
        &self.receivers[&peer].1
    }

    #[track_caller]
    fn check(&self, peer: SourceId) {
        assert_eq!(self.receiver(peer).routes, self.expected(peer), "{peer:?}");
    }

    #[track_caller]
    fn check_empty(&mut self, sources: &[SourceId], next_hops: &[NextHopId]) {
        for source in sources {
            for dest in 0..self.table.end().0 {
                if let Some(key) = self.table.destination(rib::DestId(dest)).map(|dest| dest.key()) {
                    self.withdraw(key, *source);
                }
            }
        }
        self.settle(100);
        let peers: Vec<SourceId> = self.receivers.keys().copied().collect();
        for peer in peers {
            self.check(peer);
            assert_eq!(
                self.out.status(&self.table, peer).map(|status| (status.pending, status.announced)),
                Some((0, 0))
            );
        }
        assert!(self.table.is_empty(), "{:?}", self.table.iter().collect::<Vec<_>>());
        assert!(self.pools.attrs.is_empty(), "{:?}", self.pools.attrs);
        sources.iter().for_each(|source| self.leave(*source));
        sources.iter().for_each(|source| assert!(self.pools.sources.remove(*source)));
        next_hops.iter().for_each(|id| self.pools.next_hops.release(*id));
        assert!(self.pools.is_empty() && self.out.is_empty());
    }
}

#[test]
fn members_in_sync_share_the_very_same_octets_and_the_source_gets_nothing() {
    let mut world = World::new();
    let nh = next_hop(&mut world.pools, 1, 0);
    let peers = [1, 2, 3, 4].map(|n| session(&mut world.pools, true, 65000 + u32::from(n), n));
    peers.iter().for_each(|peer| world.join(*peer, external()));
    world.settle(1000);
    assert!(peers.iter().all(|peer| world.receiver(*peer).ends_of_rib == 1));

    (0..500).for_each(|n| world.insert(prefix(n), peers[0], &Attrs::path([65001, n / 100]), nh));
    world.flush(1000);
    let octets: Vec<_> = world.sent.iter().map(|(_, messages)| messages.as_ptr()).collect();
    assert_eq!(octets.len(), 3);
    assert!(octets.iter().all(|at| *at == octets[0]), "one encoding for three members");
    peers.iter().for_each(|peer| world.check(*peer));
    assert_eq!(world.receiver(peers[1]).messages, 1 + 5, "End-of-RIB and one message for each of five attribute sets");

    (0..500).for_each(|n| world.withdraw(prefix(n), peers[0]));
    world.settle(1000);
    assert_eq!((world.receiver(peers[0]).messages, world.receiver(peers[0]).withdrawn), (1, 0));
    world.check_empty(&peers, &[nh]);
}

#[test]
fn a_neighbour_that_becomes_the_source_is_told_to_forget_what_it_was_told() {
    let mut world = World::new();
    let nh = next_hop(&mut world.pools, 1, 0);
    let [a, b] = [1, 2].map(|n| session(&mut world.pools, true, 65000 + u32::from(n), n));
    world.join(a, external());
    world.join(b, external());
    world.insert(prefix(1), a, &Attrs::path([65001, 9]), nh);
    world.settle(10);
    assert_eq!((world.receiver(a).routes.len(), world.receiver(b).routes.len()), (0, 1));
    world.insert(prefix(1), b, &Attrs::path([65002]), nh);
    world.settle(10);
    assert_eq!((world.receiver(a).routes.len(), world.receiver(b).routes.len()), (1, 0));
    assert_eq!((world.receiver(a).withdrawn, world.receiver(b).withdrawn), (0, 1));
    world.check(a);
    world.check(b);
    world.check_empty(&[a, b], &[nh]);
}

#[test]
fn a_slow_member_catches_up_coalesced_and_rejoins() {
    let mut world = World::new();
    let nh = next_hop(&mut world.pools, 1, 0);
    let [feeder, fast, slow] = [1, 2, 3].map(|n| session(&mut world.pools, true, 65000 + u32::from(n), n));
    [feeder, fast, slow].into_iter().for_each(|peer| world.join(peer, external()));
    world.settle(100);
    world.out.set_blocked(slow, true);
    for round in 0..50 {
        for n in 0..20 {
            world.insert(prefix(n), feeder, &Attrs::path([65001, round]), nh);
        }
        assert!(!world.flush(100).more, "a blocked member is no work");
    }
    world.check(fast);
    assert_eq!(world.receiver(slow).announced, 0);
    let status = world.out.status(&world.table, slow).expect("a member");
    assert_eq!((status.in_sync, status.pending, status.group_size), (false, 20, 3));
    world.out.set_blocked(slow, false);
    assert!(world.flush(7).more);
    world.settle(7);
    world.check(slow);
    assert_eq!((world.receiver(fast).announced, world.receiver(slow).announced), (50 * 20, 20));
    assert!(world.out.status(&world.table, slow).is_some_and(|status| status.in_sync));

    world.insert(prefix(3), feeder, &Attrs::path([65001]), nh);
    world.flush(100);
    assert!(world.sent.len() == 2 && world.sent[0].1.as_ptr() == world.sent[1].1.as_ptr(), "it shares again");
    world.check_empty(&[feeder, fast, slow], &[nh]);
}

#[test]
fn a_late_joiner_walks_in_parts_while_the_table_changes_and_then_gets_end_of_rib() {
    let mut world = World::new();
    let nh = next_hop(&mut world.pools, 1, 0);
    let [feeder, early, late] = [1, 2, 3].map(|n| session(&mut world.pools, true, 65000 + u32::from(n), n));
    world.join(early, external());
    (0..300).for_each(|n| world.insert(prefix(n), feeder, &Attrs::path([65001, n % 7]), nh));
    world.settle(1000);
    world.join(late, external());
    for n in 0..10 {
        world.flush(20);
        world.withdraw(prefix(n), feeder);
        world.insert(prefix(n + 150), feeder, &Attrs::path([65001, 99]), nh);
    }
    assert_eq!(world.receiver(late).ends_of_rib, 0);
    world.settle(20);
    assert_eq!((world.receiver(late).ends_of_rib, world.receiver(early).ends_of_rib), (1, 1));
    [early, late].iter().for_each(|peer| world.check(*peer));
    world.check_empty(&[feeder, early, late], &[nh]);
}

#[test]
fn a_refresh_tells_everything_again_between_its_marks() {
    let mut world = World::new();
    let nh = next_hop(&mut world.pools, 1, 0);
    let [feeder, plain, enhanced] = [1, 2, 3].map(|n| session(&mut world.pools, true, 65000 + u32::from(n), n));
    [plain, enhanced].into_iter().for_each(|peer| world.join(peer, external()));
    (0..30).for_each(|n| world.insert(prefix(n), feeder, &Attrs::default(), nh));
    world.settle(100);
    world.out.refresh(plain, false);
    world.out.refresh(enhanced, true);
    world.settle(4);
    for (peer, refreshes) in [(plain, 0), (enhanced, 1)] {
        world.check(peer);
        let receiver = world.receiver(peer);
        assert_eq!((receiver.announced, receiver.refreshes, receiver.ends_of_rib), (60, refreshes, 1));
        assert!(receiver.stale.is_none());
    }
    world.check_empty(&[feeder, plain, enhanced], &[nh]);
}

#[test]
fn messages_are_filled_to_the_limit() {
    let mut world = World::new();
    let nh = next_hop(&mut world.pools, 1, 0);
    let [feeder, plain, extended] = [1, 2, 3].map(|n| session(&mut world.pools, true, 65000 + u32::from(n), n));
    world.join(plain, external());
    world.join(extended, ExportKey { encode: EncodeCtx { extended_message: true, ..PLAIN }, ..external() });
    world.settle(100);
    (0..20_000).for_each(|n| world.insert(prefix(n), feeder, &Attrs::default(), nh));
    world.settle(20_000);
    for (peer, limit) in [(plain, 4096), (extended, 65_535)] {
        let octets: usize = world.receiver(peer).messages;
        // 19 header, 2 + 2 lengths, attributes: ORIGIN 4, AS_PATH 3 + 2 + 8, NEXT_HOP 7; 4 octets for each /24.
        let per_message = (limit - 19 - 4 - 4 - 13 - 7) / 4;
        assert_eq!(octets - 1, 20_000usize.div_ceil(per_message));
        world.check(peer);
    }
    world.check_empty(&[feeder, plain, extended], &[nh]);
}

#[test]
fn attributes_that_fit_no_message_withdraw_the_route_there_and_are_reported() {
    let mut world = World::new();
    let nh = next_hop(&mut world.pools, 1, 0);
    let [feeder, plain, extended] = [1, 2, 3].map(|n| session(&mut world.pools, true, 65000 + u32::from(n), n));
    world.join(plain, external());
    world.join(extended, ExportKey { encode: EncodeCtx { extended_message: true, ..PLAIN }, ..external() });
    world.insert(prefix(1), feeder, &Attrs::default(), nh);
    assert_eq!(world.settle(100), 0);
    let many = Attrs { communities: (0..1100).map(|n| Community::new(1, n)).collect(), ..Attrs::default() };
    world.insert(prefix(1), feeder, &many, nh);
    assert_eq!(world.settle(100), 1);
    assert_eq!((world.receiver(plain).routes.len(), world.receiver(extended).routes.len()), (0, 1));
    world.check(extended);
}

#[test]
fn a_neighbour_that_is_stuck_while_the_world_churns_is_given_up() {
    let mut world = World::new();
    let nh = next_hop(&mut world.pools, 1, 0);
    let [feeder, fast, stuck] = [1, 2, 3].map(|n| session(&mut world.pools, true, 65000 + u32::from(n), n));
    [fast, stuck].into_iter().for_each(|peer| world.join(peer, external()));
    world.settle(100);
    world.out.set_blocked(stuck, true);
    let path = Attrs::default().intern(&mut world.pools);
    let mut overrun = Vec::new();
    // Ever new prefixes, each gone at once: no table grows, only what the stuck one has yet to hear.
    for batch in 0..300u32 {
        for n in batch * 4096..(batch + 1) * 4096 {
            let key = Ipv4Net::new((n << 4).into(), 28).expect("28 is a length");
            let path = Path { source: feeder, path_id: 0, attrs: path, next_hop: nh };
            let change = world.table.insert(&mut world.pools, key, path).expect("a new route");
            world.out.mark(change.dest);
        }
        let policy = policy(0);
        let mut flush = |world: &mut World| {
            let flushed = world.out.flush(&mut world.table, &mut world.pools, &policy, 8192, |_, _| ());
            overrun.extend(flushed.overrun);
        };
        flush(&mut world);
        for n in batch * 4096..(batch + 1) * 4096 {
            let key = Ipv4Net::new((n << 4).into(), 28).expect("28 is a length");
            let change = world.table.withdraw(&mut world.pools, &key, feeder, 0).expect("a known route");
            world.out.mark(change.dest);
        }
        flush(&mut world);
        if !overrun.is_empty() {
            break;
        }
    }
    assert_eq!(overrun, [stuck]);
    assert!(world.table.is_empty(), "what it was not told is let go of");
    assert!(world.out.status(&world.table, stuck).is_none());
    assert!(world.out.status(&world.table, fast).is_some_and(|status| status.in_sync));
}

#[test]
fn ipv6_routes_go_out_and_away_in_their_own_family() {
    let mut pools = Pools::default();
    let mut table = Table::<Ipv6Net>::new(1, 9);
    let mut out = AdjOut::<Ipv6Unicast>::default();
    let [feeder, sink] = [1, 2].map(|n| session(&mut pools, true, 65000 + u32::from(n), n));
    let ourselves = NextHop::Ipv6("2001:db8:ffff::1".parse().unwrap());
    out.join(&mut table, &mut pools, sink, ExportKey { local_next_hop: ourselves, ..external() });
    let nh = pools.next_hops.intern(common::VRF, &NextHop::Ipv6("2001:db8::2".parse().unwrap()), None);
    pools.next_hops.set_state(nh, resolved(0));
    let attrs = Attrs::default().intern(&mut pools);
    let keys: Vec<Ipv6Net> =
        (0..2000u128).map(|n| Ipv6Net::new((0x2001_0db8 << 96 | n << 80).into(), 48).unwrap()).collect();
    for key in &keys {
        let path = Path { source: feeder, path_id: 0, attrs, next_hop: nh };
        out.mark(table.insert(&mut pools, *key, path).expect("a new route").dest);
    }
    let ctx = DecodeCtx {
        as4: true,
        add_path: FamilySet::EMPTY,
        extended_message: false,
        extended_next_hop: FamilySet::EMPTY,
        peer: PeerKind::External,
    };
    let mut routes = BTreeMap::new();
    let mut ends = 0;
    let mut settle = |out: &mut AdjOut<Ipv6Unicast>, table: &mut Table<Ipv6Net>, pools: &mut Pools| {
        let mut sent = Vec::new();
        let policy = |_: PolicyId, _: IpNet, _: &ExportRoute<'_>| true;
        while out.flush(table, pools, &policy, 300, |_, messages| sent.extend_from_slice(messages.octets())).more {}
        let mut octets = &sent[..];
        while !octets.is_empty() {
            let length = frame::peek(octets, ctx.max_len()).expect("a frame").expect("a whole frame");
            let Message::Update(update) = Message::parse(&octets[..length], &ctx).expect("a message") else {
                panic!("only UPDATEs are due")
            };
            octets = &octets[length..];
            assert_eq!(update.action(), None);
            ends += usize::from(update.end_of_rib() == Some(Ipv6Unicast::AFI_SAFI));
            for (_, key) in update.mp_unreach().and_then(|unreach| unreach.ipv6()).into_iter().flatten() {
                routes.remove(&key);
            }
            if let Some(reach) = update.mp_reach() {
                let path: Vec<u32> = update.attributes().as_path().asns().collect();
                for (_, key) in reach.ipv6().into_iter().flatten() {
                    routes.insert(key, (reach.next_hop(), path.clone()));
                }
            }
        }
        (routes.clone(), ends)
    };
    let (routes, ends) = settle(&mut out, &mut table, &mut pools);
    let expected: BTreeMap<_, _> = keys.iter().map(|key| (*key, (Some(ourselves), vec![65000, 65001]))).collect();
    assert!(routes == expected && ends == 1, "{} routes, {ends} ends", routes.len());
    for key in &keys {
        out.mark(table.withdraw(&mut pools, key, feeder, 0).expect("a known route").dest);
    }
    let (routes, ends) = settle(&mut out, &mut table, &mut pools);
    assert!(routes.is_empty() && ends == 1 && table.is_empty());
}

// Against the naive export.

#[derive(Clone, Debug)]
enum Event {
    Insert { prefix: u32, source: usize, attrs: usize, next_hop: usize },
    Withdraw { prefix: u32, source: usize },
    Drop { source: usize },
    NextHop { next_hop: usize, metric: Option<u32> },
    Join { peer: usize, key: usize },
    Leave { peer: usize },
    Block { peer: usize, blocked: bool },
    Refresh { peer: usize, enhanced: bool },
    Policy { mask: u8 },
    Flush { budget: usize },
}

const PREFIXES: u32 = 8;

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..PREFIXES, 0..6usize, 0..5usize, 0..3usize)
            .prop_map(|(prefix, source, attrs, next_hop)| Event::Insert { prefix, source, attrs, next_hop }),
        6 => (0..PREFIXES, 0..6usize).prop_map(|(prefix, source)| Event::Withdraw { prefix, source }),
        1 => (0..6usize).prop_map(|source| Event::Drop { source }),
        1 => (0..3usize, prop::option::of(0..3u32)).prop_map(|(next_hop, metric)| Event::NextHop { next_hop, metric }),
        3 => (0..4usize, 0..4usize).prop_map(|(peer, key)| Event::Join { peer, key }),
        1 => (0..4usize).prop_map(|peer| Event::Leave { peer }),
        4 => (0..4usize, any::<bool>()).prop_map(|(peer, blocked)| Event::Block { peer, blocked }),
        1 => (0..4usize, any::<bool>()).prop_map(|(peer, enhanced)| Event::Refresh { peer, enhanced }),
        1 => (0..4u8).prop_map(|mask| Event::Policy { mask }),
        12 => (1..6usize).prop_map(|budget| Event::Flush { budget }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn after_any_events_every_receiver_ends_with_the_naive_export(events in prop::collection::vec(event(), 1..120)) {
        let mut world = World::new();
        let pools = &mut world.pools;
        let sources = [
            session(pools, true, 65001, 1),
            session(pools, true, 70_000, 2),
            session(pools, false, 65000, 3),
            session(pools, false, 65000, 4),
            local(pools, Origination::Static),
            edge(pools, 1, Advertise::Ebgp),
        ];
        let next_hops = [1, 2, 3].map(|n| next_hop(pools, n, u32::from(n)));
        let keys = [
            external(),
            ExportKey { encode: EncodeCtx { as4: false, ..PLAIN }, ..external() },
            internal(),
            ExportKey { next_hop_self: true, ..internal() },
        ];
        let attrs = [
            Attrs::path([70_000, 5]),
            Attrs::path([65001, 6]),
            Attrs { communities: vec![Community::NO_EXPORT], ..Attrs::path([65001]) },
            Attrs { med: Some(3), local_pref: Some(150), ..Attrs::path([1, 2, 3]) },
            Attrs { communities: vec![Community::NO_ADVERTISE], ..Attrs::path([1]) },
        ];
        for event in events {
            match event {
                Event::Insert { prefix: n, source, attrs: i, next_hop } => {
                    // The second octet is what the policy looks at.
                    let key = prefix(n << 8);
                    world.insert(key, sources[source], &attrs[i], next_hops[next_hop]);
                }
                Event::Withdraw { prefix: n, source } => world.withdraw(prefix(n << 8), sources[source]),
                Event::Drop { source } => {
                    (0..PREFIXES).for_each(|n| world.withdraw(prefix(n << 8), sources[source]));
                }
                Event::NextHop { next_hop, metric } => {
                    let state = metric.map_or(NextHopState::Unreachable, resolved);
                    world.pools.next_hops.set_state(next_hops[next_hop], state);
                    for dest in 0..world.table.end().0 {
                        if let Some(change) = world.table.redecide(&mut world.pools, rib::DestId(dest)) {
                            world.out.mark(change.dest);
                        }
                    }
                }
                Event::Join { peer, key } => world.join(sources[peer], keys[key]),
                Event::Leave { peer } => world.leave(sources[peer]),
                Event::Block { peer, blocked } => world.out.set_blocked(sources[peer], blocked),
                Event::Refresh { peer, enhanced } => world.out.refresh(sources[peer], enhanced),
                Event::Policy { mask } => {
                    world.mask = mask;
                    world.out.reevaluate();
                }
                Event::Flush { budget } => {
                    if !world.flush(budget).more {
                        for (peer, (_, receiver)) in &world.receivers {
                            if world.out.status(&world.table, *peer).is_some_and(|status| status.in_sync) {
                                prop_assert_eq!(&receiver.routes, &world.expected(*peer), "{:?}", peer);
                            }
                        }
                    }
                }
            }
        }
        sources.iter().for_each(|peer| world.out.set_blocked(*peer, false));
        world.settle(3);
        for (peer, (_, receiver)) in &world.receivers {
            prop_assert_eq!(&receiver.routes, &world.expected(*peer), "{:?}", peer);
            prop_assert!(receiver.ends_of_rib == 1 && receiver.stale.is_none());
            for dest in world.table.iter() {
                let said = world.out.advertised(&world.pools, *peer, dest.id);
                prop_assert_eq!(said.as_ref(), receiver.routes.get(&dest.key()));
            }
        }
        world.check_empty(&sources, &next_hops);
    }
}
