//! The timers of RFC 4271 sections 4.4, 6.5, 8 and 10, and of RFC 9687, on virtual time.

mod sim;

use std::time::Duration;

use bgp_session::{Config, Connection, DownReason, Event, Input, Instant, SendHold, State};
use bytes::Bytes;
use sim::lone::{KEEPALIVE, Lone, open};
use sim::{MILLISECOND, SECOND, Sim, config, message, shutdown, update};

const OUT: Connection = Connection::Outgoing;

fn held(config: Config, hold_time: u16) -> (Duration, Duration) {
    let open = sim::lone::Open { hold_time, ..open() };
    let lone = Lone::established(config, &open.bytes());
    let terms = lone.session.negotiated().expect("established");
    (terms.hold_time, terms.keepalive)
}

#[test]
fn the_smaller_hold_time_counts_and_a_third_of_it_is_the_keepalive_time() {
    let config = |hold_time| Config { hold_time, ..config(1) };
    assert_eq!(held(config(90 * SECOND), 30), (30 * SECOND, 10 * SECOND));
    assert_eq!(held(config(30 * SECOND), 90), (30 * SECOND, 10 * SECOND));
    assert_eq!(held(config(9 * SECOND), 3), (3 * SECOND, SECOND));
}

#[test]
fn a_lower_configured_keepalive_time_counts_and_a_higher_one_does_not() {
    let config = |hold: u32, keepalive: u32| Config {
        hold_time: hold * SECOND,
        keepalive_time: Some(keepalive * SECOND),
        ..config(1)
    };
    assert_eq!(held(config(90, 5), 90), (90 * SECOND, 5 * SECOND));
    assert_eq!(held(config(90, 60), 90), (90 * SECOND, 30 * SECOND));
    assert_eq!(held(config(8, 2), 3), (3 * SECOND, SECOND), "timers 2 8 meets 1 3");
}

#[test]
fn a_hold_time_of_zero_on_either_side_means_no_keepalives_and_no_hold_timer() {
    for (ours, theirs) in [(0, 90), (90, 0), (0, 0)] {
        let config = Config { hold_time: ours * SECOND, ..config(1) };
        let open = sim::lone::Open { hold_time: theirs, ..open() };
        let mut lone = Lone::established(config, &open.bytes());
        assert_eq!(lone.session.poll_timeout(), None);
        lone.wait(3600 * SECOND);
        assert_eq!(lone.session.state(), State::Established);
        assert_eq!(lone.sent(OUT), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn without_a_hold_time_the_wait_for_the_first_keepalive_is_bounded_all_the_same() {
    let mut lone = Lone::open_confirm(Config { hold_time: Duration::ZERO, ..config(1) }, &open().bytes());
    lone.wait(241 * SECOND);
    assert_eq!(lone.last_words(OUT), (4, 0, vec![]));
}

#[test]
fn a_neighbour_that_sends_no_open_is_given_four_minutes() {
    let mut lone = Lone::open_sent(config(1));
    lone.wait(239 * SECOND);
    assert_eq!(lone.session.state(), State::OpenSent);
    lone.wait(SECOND);
    assert_eq!(lone.last_words(OUT), (4, 0, vec![]));
    assert_eq!(*lone.reason(), DownReason::HoldTimerExpired);
}

#[test]
fn a_neighbour_silent_for_the_hold_time_is_told_and_given_up() {
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.wait(5 * SECOND);
    lone.receive(OUT, &message(KEEPALIVE, &[]));
    lone.wait(5 * SECOND);
    lone.receive(OUT, &update(1));
    lone.wait(9 * SECOND - MILLISECOND);
    assert_eq!(lone.session.state(), State::Established);
    lone.wait(MILLISECOND);
    assert_eq!(lone.last_words(OUT), (4, 0, vec![]));
    assert!(lone.events.iter().any(|event| matches!(event, Event::Down(DownReason::HoldTimerExpired))));
}

#[test]
fn part_of_a_message_does_not_keep_a_session_alive() {
    let mut lone = Lone::established(config(1), &open().bytes());
    for _ in 0..9 {
        assert_eq!(lone.receive(OUT, &update(1)[..22]), 22);
        lone.wait(SECOND);
    }
    assert_eq!(*lone.reason(), DownReason::HoldTimerExpired);
}

#[test]
fn octets_that_a_busy_caller_has_not_read_yet_prove_that_the_neighbour_lives() {
    let mut lone = Lone::established(config(1), &open().bytes());
    for _ in 0..10 {
        lone.wait(8 * SECOND);
        lone.input(Input::Unread(OUT));
    }
    assert_eq!(lone.session.state(), State::Established);
    lone.wait(9 * SECOND);
    assert_eq!(*lone.reason(), DownReason::HoldTimerExpired);
}

#[test]
fn keepalives_come_every_keepalive_time_less_up_to_a_quarter() {
    let mut lone = Lone::established(
        Config { hold_time: 90 * SECOND, ..config(1) },
        &sim::lone::Open { hold_time: 90, ..open() }.bytes(),
    );
    let mut gaps = Vec::new();
    let mut last = lone.now;
    while gaps.len() < 200 {
        lone.wait(10 * MILLISECOND);
        lone.receive(OUT, &message(KEEPALIVE, &[]));
        for sent in lone.sent(OUT) {
            assert_eq!(sent, message(KEEPALIVE, &[]));
            gaps.push(lone.now - last);
            last = lone.now;
        }
    }
    assert!(gaps.iter().all(|gap| (22_500 * MILLISECOND..=30_010 * MILLISECOND).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().any(|gap| *gap < 24 * SECOND) && gaps.iter().any(|gap| *gap > 29 * SECOND), "they are spread");
}

#[test]
fn keepalives_never_come_more_often_than_once_a_second() {
    let mut pair = Sim::pair(Config { hold_time: 3 * SECOND, ..config(1) }, config(2));
    // Without any jitter of the network, arrival times are sending times.
    pair.network.latency = MILLISECOND..MILLISECOND + Duration::from_nanos(1);
    pair.start();
    pair.expect_up(10 * SECOND);
    pair.run_for(60 * SECOND);
    assert_eq!(pair.peers[0].downs, []);
    let heard: Vec<_> = pair.peers[1].heard.iter().filter(|(_, kind)| *kind == KEEPALIVE).map(|(at, _)| *at).collect();
    assert!(heard.len() > 50);
    assert!(heard.windows(2).skip(1).all(|two| two[1] - two[0] >= SECOND - MILLISECOND), "{heard:?}");
}

#[test]
fn keepalives_leave_on_time_past_a_backlog_that_takes_minutes() {
    let mut lone = Lone::established(config(1), &open().bytes());
    let backlog: Vec<u8> = (0..400_000).flat_map(update).collect();
    lone.input(Input::Send(Bytes::from(backlog.clone())));
    assert_eq!(lone.session.backlog(), backlog.len());
    let (mut updates, mut keepalives) = (0, Vec::new());
    // The socket takes one chunk a second.
    while lone.session.backlog() > 0 {
        lone.wait(SECOND);
        lone.receive(OUT, &message(KEEPALIVE, &[]));
        let Some(chunk) = lone.session.poll_transmit(OUT) else { break };
        lone.input(Input::Written(OUT, chunk.len()));
        for message in sim::lone::messages(&chunk) {
            if message[18] == KEEPALIVE {
                keepalives.push(lone.now);
            } else {
                assert_eq!(message, update(updates));
                updates += 1;
            }
        }
    }
    assert_eq!(updates, 400_000);
    assert!(lone.now > Instant(0) + 120 * SECOND);
    assert!(keepalives.windows(2).all(|two| two[1] - two[0] <= 5 * SECOND), "{keepalives:?}");
    assert!(keepalives.len() > 30);
    assert_eq!(lone.session.backlog(), 0);
}

#[test]
fn a_neighbour_that_takes_nothing_for_the_send_hold_time_is_given_up_though_it_speaks() {
    let mut lone = Lone::established(Config { send_hold: SendHold::After(60 * SECOND), ..config(1) }, &open().bytes());
    lone.input(Input::Send(Bytes::from(update(1))));
    let chunk = lone.session.poll_transmit(OUT).expect("the UPDATE");
    let speak = |lone: &mut Lone, seconds: u32| {
        for _ in 0..seconds {
            lone.wait(SECOND);
            lone.receive(OUT, &message(KEEPALIVE, &[]));
        }
    };
    speak(&mut lone, 59);
    lone.input(Input::Written(OUT, chunk.len() - 1));
    speak(&mut lone, 59);
    assert_eq!(lone.session.state(), State::Established, "progress gives it more time");
    speak(&mut lone, 1);
    assert_eq!(*lone.reason(), DownReason::SendHoldTimerExpired);
    assert_eq!(lone.last_words(OUT).0, 8);
}

#[test]
fn the_send_hold_time_is_eight_minutes_or_twice_the_hold_time_and_can_be_off() {
    let gives_up_after = |send_hold, hold_time: u16| {
        let config = Config { hold_time: u32::from(hold_time) * SECOND, send_hold, ..config(1) };
        let mut lone = Lone::established(config, &sim::lone::Open { hold_time, ..open() }.bytes());
        lone.input(Input::Send(Bytes::from(update(1))));
        while lone.session.state() == State::Established && lone.now < Instant(0) + 3600 * SECOND {
            lone.wait(SECOND);
            lone.receive(OUT, &message(KEEPALIVE, &[]));
        }
        (lone.session.state() != State::Established).then(|| lone.now - Instant(0))
    };
    assert_eq!(gives_up_after(SendHold::Standard, 9), Some(480 * SECOND));
    assert_eq!(gives_up_after(SendHold::Standard, 300), Some(600 * SECOND));
    assert_eq!(gives_up_after(SendHold::Off, 9), None);
    assert_eq!(gives_up_after(SendHold::Standard, 0), None, "no hold time, no send hold time");
}

#[test]
fn a_process_that_is_stopped_is_given_up_by_its_neighbour_within_the_hold_time_and_comes_back_when_it_goes_on() {
    let mut pair = Sim::pair(config(1), config(2));
    pair.start();
    pair.expect_up(10 * SECOND);
    pair.run_for(20 * SECOND);
    pair.freeze(1);
    pair.run_for(9 * SECOND + 100 * MILLISECOND);
    assert_eq!(pair.peers[0].downs, [DownReason::HoldTimerExpired]);
    pair.run_for(30 * SECOND);
    pair.thaw(1);
    pair.expect_up(60 * SECOND);
}

#[test]
fn a_refused_attempt_is_repeated_after_the_connect_retry_time_less_up_to_a_quarter() {
    let mut lone = Lone::new(config(1));
    for attempt in 1..20 {
        assert_eq!(lone.attempts(), attempt);
        assert_eq!(lone.session.state(), State::Connect);
        lone.input(Input::ConnectFailed);
        assert_eq!(lone.session.state(), State::Active);
        lone.wait(7_499 * MILLISECOND);
        assert_eq!(lone.attempts(), attempt);
        let wait = lone.session.poll_timeout().expect("a timer") - lone.now;
        lone.wait(wait);
        assert!(wait <= 2_501 * MILLISECOND);
    }
}

#[test]
fn an_attempt_without_an_answer_is_given_up_after_the_connect_retry_time_and_repeated() {
    let mut lone = Lone::new(config(1));
    lone.wait(10 * SECOND);
    assert!(matches!(lone.events[..], [Event::Connect, Event::Close(OUT), Event::Connect]), "{:?}", lone.events);
}

#[test]
fn failures_in_a_row_double_the_wait_in_idle_up_to_two_minutes() {
    let mut lone = Lone::new(config(1));
    let mut waits = Vec::new();
    for _ in 0..12 {
        lone.input(Input::Connected(OUT));
        lone.receive(OUT, &message(3, &[2, 2]));
        assert_eq!(lone.session.state(), State::Idle);
        assert!(!lone.session.accepts());
        let wait = lone.session.poll_timeout().expect("a timer") - lone.now;
        waits.push(wait);
        lone.wait(wait);
        assert_eq!(lone.session.state(), State::Connect);
    }
    for (nominal, wait) in [1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120, 120].into_iter().zip(&waits) {
        let nominal = nominal * SECOND;
        assert!((nominal * 3 / 4..=nominal).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_session_that_stood_long_comes_back_soon_and_a_start_forgets_failures() {
    let fail = |lone: &mut Lone| {
        lone.receive(OUT, &message(3, &[2, 2]));
        lone.session.poll_timeout().expect("a timer") - lone.now
    };
    let mut lone = Lone::open_sent(config(1));
    for _ in 0..8 {
        let wait = fail(&mut lone);
        lone.wait(wait);
        lone.input(Input::Connected(OUT));
    }
    lone.receive(OUT, &open().bytes());
    for _ in 0..120 {
        lone.receive(OUT, &message(KEEPALIVE, &[]));
        lone.wait(SECOND);
    }
    assert!(fail(&mut lone) <= SECOND, "it stood for two minutes");
    lone.wait(SECOND);
    for _ in 0..8 {
        lone.input(Input::Connected(OUT));
        let wait = fail(&mut lone);
        lone.wait(wait);
    }
    lone.input(Input::Stop(shutdown()));
    lone.input(Input::Start);
    lone.input(Input::Connected(OUT));
    assert!(fail(&mut lone) <= SECOND, "it was started anew");
}

#[test]
fn a_delayed_open_waits_for_its_timer_or_the_neighbours_open() {
    let delayed = Config { delay_open: Some(5 * SECOND), ..config(1) };
    let mut lone = Lone::new(delayed.clone());
    lone.input(Input::Connected(OUT));
    assert_eq!(lone.session.state(), State::Connect);
    lone.wait(3_749 * MILLISECOND);
    assert_eq!(lone.sent(OUT), Vec::<Vec<u8>>::new());
    lone.wait(1_251 * MILLISECOND);
    assert_eq!(lone.sent(OUT).len(), 1);
    assert_eq!(lone.session.state(), State::OpenSent);

    let mut lone = Lone::new(delayed);
    lone.input(Input::Connected(OUT));
    lone.receive(OUT, &open().bytes());
    let sent: Vec<_> = lone.sent(OUT).iter().map(|message| message[18]).collect();
    assert_eq!(sent, [1, KEEPALIVE]);
    assert_eq!(lone.session.state(), State::OpenConfirm);
}

#[test]
fn two_speakers_that_both_delay_their_open_come_up() {
    let delayed = |number| Config { delay_open: Some(5 * SECOND), ..config(number) };
    let mut pair = Sim::pair(delayed(1), delayed(2));
    pair.start();
    pair.expect_up(60 * SECOND);
}

#[test]
fn a_connection_lost_before_the_neighbours_open_leads_to_active_not_to_idle() {
    let mut lone = Lone::open_sent(config(1));
    lone.input(Input::Closed(OUT));
    assert_eq!(lone.session.state(), State::Active);
    assert!(lone.session.accepts());
    lone.wait(10 * SECOND);
    assert_eq!(lone.attempts(), 2);
}
