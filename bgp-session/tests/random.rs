//! What holds for every seed: of the network, of the sessions' jitter, and of hostile octets.

mod sim;

use std::time::Duration;

use bgp_session::{Config, Connection, Input, Instant, RemoteAs, SendHold, Session, State};
use bgp_wire::{AddPath, AddPathMode, AfiSafi, Notification, Role};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use sim::lone::open;
use sim::{MILLISECOND, Network, Random, SECOND, Sim, config, message, shutdown, update};

/// Two configurations that can peer, drawn from a seed.
fn peers(random: &mut Random) -> [Config; 2] {
    let internal = random.percent(20);
    let passive = random.below(6);
    let same_identifier = !internal && random.percent(20);
    let roles =
        [(Role::Provider, Role::Customer), (Role::Peer, Role::Peer), (Role::RouteServerClient, Role::RouteServer)];
    let (a, b) = roles[random.below(3) as usize];
    [(1, a), (2, b)].map(|(number, role)| {
        let hold_time = [0, 3, 9, 30, 90][random.below(5) as usize];
        let mut config = Config {
            hold_time: hold_time * SECOND,
            keepalive_time: random.percent(30).then(|| 2 * SECOND),
            connect_retry: (1 + random.below(20) as u32) * SECOND,
            idle_hold: random.below(3000) as u32 * MILLISECOND,
            delay_open: random.percent(30).then(|| random.below(3000) as u32 * MILLISECOND),
            passive: passive == u64::from(number),
            send_hold: SendHold::Standard,
            families: vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST],
            seed: random.next(),
            ..config(number)
        };
        if internal {
            (config.local_as, config.remote_as) = (65000, RemoteAs::Internal);
        }
        if same_identifier {
            config.router_id = [10, 9, 9, 9].into();
        }
        let capabilities = &mut config.capabilities;
        capabilities.extended_message = random.percent(50);
        capabilities.enhanced_route_refresh = random.percent(50);
        capabilities.role = random.percent(50).then_some(role);
        if random.percent(50) {
            capabilities.extended_next_hop = vec![AfiSafi::IPV4_UNICAST];
        }
        if random.percent(50) {
            let mode = [AddPathMode::Receive, AddPathMode::Send, AddPathMode::Both][random.below(3) as usize];
            capabilities.add_path = vec![AddPath { family: AfiSafi::IPV4_UNICAST, mode }];
        }
        config
    })
}

fn network(random: &mut Random) -> Network {
    let most = [2, 20, 200, 1500][random.below(4) as usize];
    Network {
        latency: MILLISECOND..most * MILLISECOND,
        piece: [usize::MAX, 100, 10, 1][random.below(4) as usize],
        refuse: random.below(40),
        swallow: random.below(30),
        reset: random.below(4),
    }
}

/// A calm network: whatever was wrong before, sessions come up and stay.
fn calm(sim: &mut Sim) {
    let latency = sim.network.latency.clone();
    sim.network = Network { latency, ..Network::default() };
    for index in 0..sim.peers.len() {
        if sim.peers[index].frozen {
            sim.thaw(index);
        }
        if !sim.peers[index].session.is_running() {
            sim.input(index, Input::Start);
        }
    }
}

fn assert_agreement(sim: &Sim) {
    for (a, b) in (0..sim.peers.len()).step_by(2).map(|first| (first, first + 1)) {
        let (here, there) = (&sim.peers[a].session, &sim.peers[b].session);
        assert_eq!(here.established().map(Connection::other), there.established(), "both ends of one connection");
        let (x, y) = (sim.terms(a), sim.terms(b));
        assert_eq!((x.remote_as, x.remote_id), (there.config().local_as, there.config().router_id));
        assert_eq!((y.remote_as, y.remote_id), (here.config().local_as, here.config().router_id));
        assert_eq!((x.internal, x.hold_time, x.families), (y.internal, y.hold_time, y.families));
        assert_eq!(x.enhanced_route_refresh, y.enhanced_route_refresh);
        for (out, back) in [(x, y), (y, x)] {
            assert_eq!(out.encode.as4, back.decode.as4);
            assert_eq!(out.encode.add_path, back.decode.add_path);
            assert_eq!(out.encode.extended_next_hop, back.decode.extended_next_hop);
            assert!(back.decode.extended_message || !out.encode.extended_message);
            assert!(out.hold_time.is_zero() == out.keepalive.is_zero() && out.keepalive <= out.hold_time / 3);
        }
    }
}

/// Mischief of every kind for some minutes, then calm.
fn run(seed: u64) -> Sim {
    let mut sim = Sim::new(seed);
    let mut random = Random(seed.rotate_left(17) | 1);
    for _ in 0..1 + random.below(3) {
        let [a, b] = peers(&mut random);
        sim.join(a, b);
    }
    sim.network = network(&mut random);
    for peer in 0..sim.peers.len() {
        sim.input(peer, Input::Start);
        sim.run_for(random.below(5000) as u32 * MILLISECOND);
    }
    for _ in 0..random.below(12) {
        sim.run_for(random.below(30_000) as u32 * MILLISECOND);
        let peer = random.below(sim.peers.len() as u64) as usize;
        match random.below(9) {
            0 => sim.cut(),
            1 => sim.blackhole(),
            2 => sim.input(peer, Input::Stop(shutdown())),
            3 => sim.input(peer, Input::Start),
            4 => sim.input(peer, Input::Reset(Notification::cease(4))),
            5 => sim.freeze(peer),
            6 => sim.thaw(peer),
            7 => sim.network = network(&mut random),
            _ => sim.input(peer, Input::Send(Bytes::from((0..2000).flat_map(update).collect::<Vec<_>>()))),
        }
    }
    calm(&mut sim);
    sim
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn sessions_come_up_and_stay_whenever_the_network_lets_them_and_both_ends_agree(seed: u64) {
        let mut sim = run(seed);
        let pairs = sim.peers.len() / 2;
        // Without a hold time nobody notices a silent loss; the operator has to.
        for first in (0..sim.peers.len()).step_by(2) {
            let unwatched = sim.peers[first..first + 2].iter().any(|peer| peer.session.config().hold_time.is_zero());
            if unwatched {
                sim.input(first, Input::Reset(shutdown()));
                sim.input(first + 1, Input::Reset(shutdown()));
            }
        }
        let settled = |sim: &Sim| {
            let ends = |first: usize| [first, first + 1].map(|peer| sim.peers[peer].session.established());
            (0..pairs).all(|pair| matches!(ends(2 * pair), [Some(a), Some(b)] if a == b.other()))
        };
        prop_assert!(sim.run(900 * SECOND, settled), "seed {seed}: {:?}", states(&sim));
        sim.run_for(300 * SECOND);
        let downs: usize = sim.peers.iter().map(|peer| peer.downs.len()).sum();
        prop_assert!(settled(&sim), "seed {seed}: {:?}", states(&sim));
        assert_agreement(&sim);
        prop_assert_eq!(sim.open_sockets(), pairs, "exactly one connection each");
        sim.run_for(600 * SECOND);
        prop_assert_eq!(sim.peers.iter().map(|peer| peer.downs.len()).sum::<usize>(), downs, "and nothing moves any more");
    }

    #[test]
    fn a_seed_replays(seed: u64) {
        let log = |sim: Sim| sim.peers.into_iter().map(|p| (p.heard, p.downs, p.failures, p.attempts)).collect::<Vec<_>>();
        prop_assert_eq!(log(run(seed)), log(run(seed)));
    }

    #[test]
    fn no_octets_and_no_inputs_in_any_state_make_a_session_panic(seed: u64) {
        hostile(seed);
    }
}

fn states(sim: &Sim) -> Vec<(State, Option<String>)> {
    sim.peers.iter().map(|p| (p.session.state(), p.session.last_down().map(ToString::to_string))).collect()
}

/// A session fed with inputs in no sensible order and messages that are right, nearly right, or noise.
fn hostile(seed: u64) {
    let mut random = Random(seed | 1);
    let [config, _] = peers(&mut random);
    let mut session = Session::new(config);
    let mut buffers = [BytesMut::new(), BytesMut::new()];
    let mut now = Instant(0);
    let mut down = true;
    for _ in 0..300 {
        let slot = random.below(2) as usize;
        let connection = Connection::BOTH[slot];
        let buffer = &mut buffers[slot];
        match random.below(24) {
            0 => session.handle(now, Input::Start),
            1 => session.handle(now, Input::ConnectFailed),
            2 if random.percent(20) => session.handle(now, Input::Stop(shutdown())),
            3 if random.percent(20) => session.handle(now, Input::Reset(shutdown())),
            4 if random.percent(30) => session.handle(now, Input::Closed(connection)),
            5 => session.handle(now, Input::Send(Bytes::from(noise(&mut random)))),
            6 => session.handle(now, Input::Written(connection, random.next() as usize)),
            7 => session.handle(now, Input::RequestRefresh(AfiSafi::new(random.next() as u16, random.next() as u8))),
            8 => now = now + Duration::from_millis(random.below(20_000)),
            9 => now = session.poll_timeout().unwrap_or(now),
            10 | 11 => session.handle(now, Input::Connected(connection)),
            12 => session.handle(now, Input::Unread(connection)),
            _ => {
                let mut octets = match random.below(8) {
                    0 => noise(&mut random),
                    1 | 2 => open().with(random.below(80) as u8, &noise(&mut random)[..4]).bytes(),
                    3 => update(random.next() as u32),
                    4 => message(random.below(7) as u8, &noise(&mut random)),
                    5 => message(5, &[0, 1, random.below(4) as u8, 1]),
                    6 if random.percent(10) => message(3, &noise(&mut random)),
                    _ => message(4, &[]),
                };
                if random.percent(5) {
                    let at = random.below(octets.len() as u64) as usize;
                    octets[at] ^= 1 << random.below(8);
                }
                buffer.extend_from_slice(&octets);
                session.receive(now, connection, buffer);
            }
        }
        session.handle_timeout(now);
        assert!(session.poll_timeout().is_none_or(|next| next > now), "no timer stands that is due");
        while let Some(event) = session.poll_event() {
            match event {
                bgp_session::Event::Established(_) => assert!(std::mem::replace(&mut down, false), "up once"),
                bgp_session::Event::Down(_) => assert!(!std::mem::replace(&mut down, true), "down once"),
                _ => {}
            }
        }
        assert_eq!(down, session.state() != State::Established);
        if random.percent(50) {
            while let Some(chunk) = session.poll_transmit(connection) {
                assert!(!chunk.is_empty());
            }
        }
    }
}

fn noise(random: &mut Random) -> Vec<u8> {
    let len = 4 + random.below(60);
    (0..len).map(|_| random.next() as u8).collect()
}
