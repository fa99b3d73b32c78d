//! Connecting, accepting, and collisions (RFC 4271 section 6.8, RFC 6286) between two sessions.

mod sim;

use std::net::Ipv4Addr;
use std::time::Duration;

use bgp_session::{Config, Connection, DownReason, Event, Input, State};
use bytes::Bytes;
use sim::lone::{KEEPALIVE, Lone, open};
use sim::{MILLISECOND, SECOND, Sim, config, message, shutdown, update};

const OUT: Connection = Connection::Outgoing;
const IN: Connection = Connection::Incoming;

fn up(a: Config, b: Config) -> Sim {
    let mut pair = Sim::pair(a, b);
    pair.start();
    pair.expect_up(30 * SECOND);
    pair.run_for(SECOND);
    assert!(pair.all_up());
    assert_eq!(pair.open_sockets(), 1, "one connection is left");
    pair
}

#[test]
fn the_connection_that_the_higher_identifier_opened_survives_a_collision() {
    for (a, b, winner) in [(1, 2, 1), (2, 1, 0)] {
        let mut pair = Sim::pair(config(a), config(b));
        // Whatever both do at once arrives at once.
        pair.network.latency = MILLISECOND..MILLISECOND + Duration::from_nanos(1);
        pair.start();
        pair.expect_up(SECOND);
        assert_eq!(pair.peers[winner].session.established(), Some(OUT));
        assert_eq!(pair.peers[1 - winner].session.established(), Some(IN));
        for peer in &pair.peers {
            assert!(matches!(peer.failures[..], [(_, DownReason::Collision)]), "{:?}", peer.failures);
        }
        pair.run_for(SECOND);
        assert_eq!(pair.open_sockets(), 1);
    }
}

#[test]
fn two_speakers_that_connect_at_once_are_left_with_one_connection_and_neither_goes_down() {
    for seed in 0..1000 {
        let mut pair = Sim::pair(config(1), Config { seed, ..config(2) });
        pair.network.latency = MILLISECOND..[2, 5, 20, 200][seed as usize % 4] * MILLISECOND;
        pair.start();
        pair.expect_up(2 * SECOND);
        pair.run_for(20 * SECOND);
        assert_eq!(pair.open_sockets(), 1);
        let ends: Vec<_> = pair.peers.iter().map(|peer| peer.session.established()).collect();
        assert!(ends == [Some(OUT), Some(IN)] || ends == [Some(IN), Some(OUT)], "{ends:?}");
        assert!(pair.peers.iter().all(|peer| peer.ups == 1 && peer.downs.is_empty()), "seed {seed}");
    }
}

#[test]
fn the_loser_of_a_collision_is_told_by_cease_and_its_connection_closed() {
    let colliding = |identifier: [u8; 4]| {
        let open = sim::lone::Open { identifier, ..open() }.bytes();
        let mut lone = Lone::open_sent(config(1));
        lone.input(Input::Connected(IN));
        lone.sent(IN);
        lone.receive(OUT, &open);
        lone.receive(IN, &open);
        let loser = if lone.closed(OUT) { OUT } else { IN };
        assert_eq!(lone.last_words(loser), (6, 7, vec![]));
        assert!(!lone.closed(loser.other()));
        assert_eq!(lone.session.state(), State::OpenConfirm);
        lone.receive(loser.other(), &message(KEEPALIVE, &[]));
        assert_eq!(lone.session.established(), Some(loser.other()));
        loser
    };
    assert_eq!(colliding([10, 0, 0, 2]), OUT, "theirs is higher, theirs stays");
    assert_eq!(colliding([10, 0, 0, 0]), IN, "ours is higher, ours stays");
    assert_eq!(colliding([9, 255, 255, 255]), IN, "they compare as numbers");
}

#[test]
fn with_equal_identifiers_the_connection_that_the_higher_as_opened_survives() {
    let same = |number| Config { router_id: Ipv4Addr::new(10, 0, 0, 9), ..config(number) };
    let pair = up(same(1), same(2));
    assert_eq!(pair.peers[1].session.established(), Some(OUT));
}

#[test]
fn no_second_connection_is_wanted_once_the_neighbours_open_came_on_the_first() {
    let mut lone = Lone::open_sent(config(1));
    assert!(lone.session.accepts());
    lone.receive(OUT, &open().bytes());
    for _ in 0..2 {
        assert!(!lone.session.accepts());
        lone.input(Input::Connected(IN));
        assert!(lone.closed(IN));
        assert_eq!(lone.sent(IN), Vec::<Vec<u8>>::new());
        lone.events.clear();
        lone.receive(OUT, &message(KEEPALIVE, &[]));
    }
    assert_eq!(lone.session.established(), Some(OUT));
}

#[test]
fn an_attempt_under_way_is_given_up_once_the_neighbours_open_came_on_the_accepted_connection() {
    let mut lone = Lone::new(config(1));
    lone.input(Input::Connected(IN));
    lone.receive(IN, &open().bytes());
    assert!(lone.closed(OUT));
    lone.receive(IN, &message(KEEPALIVE, &[]));
    assert_eq!(lone.session.established(), Some(IN));
    lone.wait(5 * SECOND);
    assert_eq!(lone.attempts(), 1);
}

/// Our OPEN is out on both connections; the neighbour's came, and was confirmed, on the one that would lose.
fn contested() -> Lone {
    let mut lone = Lone::open_sent(config(1));
    lone.input(Input::Connected(IN));
    lone.sent(IN);
    lone.receive(OUT, &open().bytes());
    lone.receive(OUT, &message(KEEPALIVE, &[]));
    assert_eq!(lone.session.state(), State::OpenConfirm, "the neighbour may yet choose the other");
    lone
}

#[test]
fn a_confirmed_connection_that_would_lose_gives_way_to_the_other_without_having_been_established() {
    let mut lone = contested();
    lone.receive(IN, &open().bytes());
    assert_eq!(lone.last_words(OUT), (6, 7, vec![]));
    lone.receive(IN, &message(KEEPALIVE, &[]));
    assert_eq!(lone.session.established(), Some(IN));
    assert!(!lone.events.iter().any(|event| matches!(event, Event::Down(_))));
}

#[test]
fn a_confirmed_connection_that_would_lose_is_established_when_the_other_is_gone() {
    let mut lone = contested();
    lone.input(Input::Closed(IN));
    assert_eq!(lone.session.established(), Some(OUT));
    let mut lone = contested();
    lone.receive(IN, &message(3, &[6, 7]));
    assert_eq!(lone.session.established(), Some(OUT));
}

#[test]
fn a_confirmed_connection_that_would_lose_is_established_when_the_neighbour_uses_it() {
    let mut lone = contested();
    lone.receive(OUT, &update(5));
    assert_eq!(lone.session.established(), Some(OUT));
    assert_eq!(lone.last_words(IN), (6, 7, vec![]));
    assert!(lone.events.iter().any(|event| matches!(event, Event::Update { frame, .. } if *frame == update(5))));
}

#[test]
fn a_confirmed_connection_that_would_lose_waits_five_seconds_for_the_other_and_no_longer() {
    let mut lone = contested();
    for _ in 0..5 {
        assert_eq!(lone.session.state(), State::OpenConfirm);
        lone.wait(SECOND);
        lone.receive(OUT, &message(KEEPALIVE, &[]));
    }
    assert_eq!(lone.last_words(IN), (4, 0, vec![]));
    assert_eq!(lone.session.established(), Some(OUT));
}

#[test]
fn an_established_connection_ends_one_that_had_no_open_yet() {
    let mut lone = Lone::open_sent(config(1));
    lone.input(Input::Connected(IN));
    lone.sent(IN);
    lone.receive(IN, &open().bytes());
    lone.receive(IN, &message(KEEPALIVE, &[]));
    assert_eq!(lone.session.established(), Some(IN));
    assert_eq!(lone.last_words(OUT), (6, 7, vec![]));
}

#[test]
fn a_passive_speaker_never_connects() {
    let pair = up(config(1), Config { passive: true, ..config(2) });
    assert_eq!(pair.peers[1].attempts, 0);
    assert_eq!(pair.peers[0].session.established(), Some(OUT));
    let mut lone = Lone::new(Config { passive: true, ..config(1) });
    lone.wait(3600 * SECOND);
    assert_eq!(lone.session.state(), State::Active);
    assert_eq!(lone.attempts(), 0);
}

#[test]
fn a_passive_speaker_that_failed_accepts_again_after_its_wait() {
    let mut pair = up(config(1), Config { passive: true, ..config(2) });
    pair.cut();
    assert!(pair.run(SECOND, |sim| sim.peers[1].downs == [DownReason::ConnectionLost]));
    pair.expect_up(60 * SECOND);
}

#[test]
fn a_speaker_started_late_is_found_by_its_neighbour() {
    let mut pair = Sim::pair(config(1), Config { passive: true, ..config(2) });
    pair.input(0, Input::Start);
    pair.run_for(100 * SECOND);
    pair.input(1, Input::Start);
    pair.expect_up(11 * SECOND);
}

#[test]
fn a_stopped_speaker_accepts_nothing_and_stays_stopped() {
    let mut pair = up(config(1), config(2));
    pair.input(1, Input::Stop(shutdown()));
    pair.run_for(300 * SECOND);
    assert_eq!(pair.peers[0].downs, [DownReason::Received(shutdown())]);
    assert_eq!(pair.peers[1].downs, [DownReason::AdminStop]);
    assert_eq!(pair.peers[1].session.state(), State::Idle);
    assert_eq!(pair.open_sockets(), 0);
    pair.input(1, Input::Start);
    pair.expect_up(30 * SECOND);
}

#[test]
fn a_connection_that_is_not_welcome_is_closed_at_once() {
    let mut lone = Lone::new(config(1));
    lone.input(Input::Stop(shutdown()));
    lone.events.clear();
    for connection in Connection::BOTH {
        lone.input(Input::Connected(connection));
        assert!(lone.closed(connection));
        assert_eq!(lone.sent(connection), Vec::<Vec<u8>>::new());
    }
    assert_eq!(lone.session.state(), State::Idle);
}

#[test]
fn sessions_come_back_after_a_cut_and_after_a_silent_loss() {
    let mut pair = up(config(1), config(2));
    pair.cut();
    assert!(pair.run(SECOND, |sim| sim.peers.iter().all(|peer| peer.downs == [DownReason::ConnectionLost])));
    pair.expect_up(30 * SECOND);
    pair.blackhole();
    assert!(pair.run(10 * SECOND, |sim| sim.peers.iter().all(|peer| peer.downs.len() == 2)));
    pair.expect_up(30 * SECOND);
}

#[test]
fn every_update_arrives_once_and_in_order_through_any_splitting() {
    let mut pair = Sim::pair(config(1), config(2));
    pair.network.piece = 7;
    pair.network.latency = MILLISECOND..50 * MILLISECOND;
    pair.start();
    pair.expect_up(60 * SECOND);
    for chunk in 0..10 {
        let octets: Vec<u8> = (chunk * 500..(chunk + 1) * 500).flat_map(update).collect();
        pair.input(0, Input::Send(Bytes::from(octets)));
    }
    assert!(pair.run(60 * SECOND, |sim| sim.peers[1].updates.len() == 5000));
    let numbers: Vec<_> = pair.peers[1].updates.iter().map(|frame| sim::number(frame)).collect();
    assert!(numbers.into_iter().eq(0..5000));
    assert_eq!(pair.peers[0].session.backlog(), 0);
    assert_eq!(pair.peers[1].session.statistics().received.update, 5000);
    assert_eq!(pair.peers[0].session.statistics().sent.update, 5000);
}

#[test]
fn a_neighbour_that_does_not_read_shows_as_backlog() {
    let mut pair = up(config(1), config(2));
    pair.freeze(1);
    let octets: Vec<u8> = (0..10_000).flat_map(update).collect();
    pair.input(0, Input::Send(Bytes::from(octets)));
    pair.run_for(SECOND);
    assert!(pair.peers[0].session.backlog() > 100_000);
    pair.thaw(1);
    assert!(pair.run(5 * SECOND, |sim| sim.peers[1].updates.len() == 10_000));
    assert_eq!(pair.peers[0].session.backlog(), 0);
}

#[test]
fn what_is_sent_outside_established_is_dropped() {
    let mut lone = Lone::open_confirm(config(1), &open().bytes());
    lone.input(Input::Send(Bytes::from(update(1))));
    lone.receive(OUT, &message(KEEPALIVE, &[]));
    assert_eq!(lone.sent(OUT), Vec::<Vec<u8>>::new());
    assert_eq!(lone.session.backlog(), 0);
}

#[test]
fn a_frame_is_handed_on_without_a_copy_and_an_incomplete_one_waits() {
    let mut lone = Lone::established(config(1), &open().bytes());
    let octets = [update(7), update(8)].concat();
    let mut buffer = bytes::BytesMut::from(&octets[..30]);
    let start = buffer.as_ptr();
    lone.session.receive(lone.now, OUT, &mut buffer);
    assert_eq!(buffer.len(), 30 - update(7).len());
    let Some(Event::Update { frame, .. }) = lone.session.poll_event() else { panic!("an UPDATE") };
    assert_eq!(frame, update(7));
    assert_eq!(frame.as_ptr(), start);
    buffer.extend_from_slice(&octets[30..]);
    lone.session.receive(lone.now, OUT, &mut buffer);
    assert!(matches!(lone.session.poll_event(), Some(Event::Update { frame, .. }) if frame == update(8)));
}

#[test]
fn the_last_word_does_not_wait_for_the_backlog_and_nothing_follows_it() {
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.input(Input::Send(Bytes::from((0..100_000).flat_map(update).collect::<Vec<_>>())));
    let begun = lone.session.poll_transmit(OUT).expect("some of the backlog");
    assert_eq!(sim::lone::messages(&begun).concat(), begun, "whole messages");
    lone.input(Input::Stop(shutdown()));
    let rest = lone.sent(OUT);
    assert_eq!(rest, [message(3, &[6, 2])]);
}

#[test]
fn a_neighbour_that_has_another_connection_or_wants_none_now_is_not_held_off_in_idle() {
    for subcode in [5, 7] {
        let mut lone = Lone::open_sent(config(1));
        lone.receive(OUT, &message(3, &[6, subcode]));
        assert_eq!(lone.session.state(), State::Active);
        assert!(lone.session.accepts());
    }
}
