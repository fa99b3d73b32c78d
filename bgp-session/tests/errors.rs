//! What a neighbour's mistakes are answered with: code, subcode and data of RFC 4271 section 6 and its successors.

mod sim;

use bgp_session::{Config, Connection, DownReason, Event, Input, RemoteAs, State};
use bgp_wire::{AfiSafi, Notification, notification::cease};
use bytes::Bytes;
use sim::lone::{KEEPALIVE, Lone, open};
use sim::{SECOND, config, message, shutdown, update};

const OUT: Connection = Connection::Outgoing;

/// What an OPEN is answered with.
#[track_caller]
fn answer(config: Config, open: &[u8]) -> (u8, u8, Vec<u8>) {
    let mut lone = Lone::open_sent(config);
    lone.receive(OUT, open);
    assert_eq!(lone.session.state(), State::Idle);
    lone.last_words(OUT)
}

#[track_caller]
fn accepted(config: Config, open: &[u8]) {
    let lone = Lone::open_confirm(config, open);
    assert_eq!(lone.session.state(), State::OpenConfirm);
}

#[test]
fn a_message_without_the_marker_is_answered_with_connection_not_synchronized() {
    let mut keepalive = message(KEEPALIVE, &[]);
    keepalive[3] = 0;
    assert_eq!(answer(config(1), &keepalive), (1, 1, vec![]));
}

#[test]
fn a_length_out_of_bounds_is_answered_with_bad_message_length_and_the_length() {
    for (kind, len) in [(4, 18_u16), (4, 20), (1, 28), (1, 4097), (2, 22), (2, 4097), (3, 20), (2, 0)] {
        let mut octets = message(kind, &[]);
        octets[16..18].copy_from_slice(&len.to_be_bytes());
        assert_eq!(answer(config(1), &octets), (1, 2, len.to_be_bytes().to_vec()), "type {kind}, length {len}");
    }
}

#[test]
fn an_unknown_message_type_is_answered_with_bad_message_type_and_the_type() {
    assert_eq!(answer(config(1), &message(77, &[])), (1, 3, vec![77]));
}

#[test]
fn a_header_error_before_our_delayed_open_is_answered_too() {
    let mut lone = Lone::new(Config { delay_open: Some(5 * SECOND), ..config(1) });
    lone.input(Input::Connected(OUT));
    lone.receive(OUT, &message(77, &[]));
    assert_eq!(lone.last_words(OUT), (1, 3, vec![77]));
}

#[test]
fn another_version_is_answered_with_the_version_we_speak_in_two_octets() {
    let open = sim::lone::Open { version: 3, ..open() };
    assert_eq!(answer(config(1), &open.bytes()), (2, 1, vec![0, 4]));
}

#[test]
fn an_open_from_the_wrong_as_is_answered_with_bad_peer_as() {
    let expected = |remote_as| Config { remote_as, ..config(1) };
    for remote_as in [RemoteAs::Is(65003), RemoteAs::Internal] {
        assert_eq!(answer(expected(remote_as), &open().bytes()), (2, 2, vec![]));
    }
    for remote_as in [RemoteAs::Is(65002), RemoteAs::External] {
        accepted(expected(remote_as), &open().bytes());
    }
    let ours = sim::lone::Open { asn: 65001, capabilities: vec![], ..open() };
    assert_eq!(answer(expected(RemoteAs::External), &ours.bytes()), (2, 2, vec![]));
    accepted(expected(RemoteAs::Internal), &ours.bytes());
}

#[test]
fn as_0_and_as_trans_are_nobodys_as() {
    let zero = sim::lone::Open { asn: 0, capabilities: vec![], ..open() };
    assert_eq!(answer(config(1), &zero.bytes()), (2, 2, vec![]));
    let zero = sim::lone::Open { capabilities: vec![(65, vec![0; 4])], ..open() };
    assert_eq!(answer(config(1), &zero.bytes()), (2, 2, vec![]));
    let trans = sim::lone::Open { asn: 23456, capabilities: vec![], ..open() };
    assert_eq!(answer(config(1), &trans.bytes()), (2, 2, vec![]));
}

#[test]
fn identifier_0_is_answered_with_bad_identifier() {
    let open = sim::lone::Open { identifier: [0; 4], ..open() };
    assert_eq!(answer(config(1), &open.bytes()), (2, 3, vec![]));
}

#[test]
fn our_own_identifier_is_refused_within_our_as_and_allowed_across_ases() {
    let same = |asn| sim::lone::Open { asn, identifier: [10, 0, 0, 1], capabilities: vec![], ..open() };
    let internal = Config { remote_as: RemoteAs::Internal, ..config(1) };
    assert_eq!(answer(internal, &same(65001).bytes()), (2, 3, vec![]));
    accepted(config(1), &same(65002).bytes());
}

#[test]
fn an_identifier_that_is_no_unicast_address_is_allowed() {
    accepted(config(1), &sim::lone::Open { identifier: [255, 255, 255, 255], ..open() }.bytes());
    accepted(config(1), &sim::lone::Open { identifier: [0, 0, 0, 1], ..open() }.bytes());
}

#[test]
fn a_hold_time_of_one_or_two_seconds_is_answered_with_unacceptable_hold_time() {
    for hold_time in [1, 2] {
        let open = sim::lone::Open { hold_time, ..open() };
        assert_eq!(answer(config(1), &open.bytes()), (2, 6, vec![]));
    }
    for hold_time in [0, 3, 65535] {
        accepted(config(1), &sim::lone::Open { hold_time, ..open() }.bytes());
    }
}

#[test]
fn an_optional_parameter_that_is_not_capabilities_is_answered_with_unsupported_optional_parameter() {
    let mut body = vec![4, 0xfd, 0xea, 0, 9, 10, 0, 0, 2];
    body.extend_from_slice(&[4, 1, 2, 0, 0]);
    let (code, subcode, _) = answer(config(1), &message(1, &body));
    assert_eq!((code, subcode), (2, 4));
}

#[test]
fn optional_parameters_that_do_not_fit_their_lengths_are_answered_with_an_unspecific_open_error() {
    for parameters in [&[3_u8, 2, 9, 65][..], &[4, 2, 2, 65, 4], &[9, 2, 0]] {
        let mut body = vec![4, 0xfd, 0xea, 0, 9, 10, 0, 0, 2];
        body.extend_from_slice(parameters);
        let (code, subcode, _) = answer(config(1), &message(1, &body));
        assert_eq!((code, subcode), (2, 0), "{parameters:?}");
    }
}

#[test]
fn a_neighbour_without_a_common_family_is_answered_with_unsupported_capability_and_what_we_need() {
    let config = Config { families: vec![AfiSafi::IPV6_UNICAST], ..config(1) };
    let need = vec![1, 4, 0, 2, 0, 1];
    assert_eq!(answer(config.clone(), &open().bytes()), (2, 7, need.clone()));
    assert_eq!(answer(config, &open().with(1, &[0, 1, 0, 1]).bytes()), (2, 7, need));
}

#[test]
fn a_message_out_of_turn_is_answered_with_the_state_it_came_in_and_its_type() {
    for kind in [2, 4, 5] {
        let body: &[u8] = if kind == 4 { &[] } else { &[0, 0, 0, 0] };
        assert_eq!(answer(config(1), &message(kind, body)), (5, 1, vec![kind]));
    }
    for (kind, octets) in [(1, open().bytes()), (2, update(1)), (5, message(5, &[0, 1, 0, 1]))] {
        let mut lone = Lone::open_confirm(config(1), &open().bytes());
        lone.receive(OUT, &octets);
        assert_eq!(lone.last_words(OUT), (5, 2, vec![kind]));
    }
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.receive(OUT, &open().bytes());
    assert_eq!(lone.last_words(OUT), (5, 3, vec![1]));
}

#[test]
fn a_message_before_our_delayed_open_that_is_no_open_ends_the_connection_without_a_word() {
    let mut lone = Lone::new(Config { delay_open: Some(5 * SECOND), ..config(1) });
    lone.input(Input::Connected(OUT));
    lone.receive(OUT, &message(KEEPALIVE, &[]));
    assert!(lone.closed(OUT));
    assert_eq!(lone.sent(OUT), Vec::<Vec<u8>>::new());
    assert_eq!(*lone.reason(), DownReason::UnexpectedBeforeOpen);
}

#[test]
fn an_update_whose_lengths_contradict_each_other_ends_the_session_with_malformed_attribute_list() {
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.receive(OUT, &message(2, &[0, 9, 0, 0]));
    let (code, subcode, _) = lone.last_words(OUT);
    assert_eq!((code, subcode), (3, 1));
    assert!(matches!(lone.events[..], [.., Event::Down(DownReason::Malformed(_)), Event::Close(OUT)]));
}

#[test]
fn an_update_that_is_treated_as_withdrawal_is_delivered_and_the_session_stays() {
    let mut lone = Lone::established(config(1), &open().bytes());
    // ORIGIN 9, an empty AS_PATH, NEXT_HOP 192.0.2.1; 10.0.0.0/8.
    let attributes = [0x40, 1, 1, 9, 0x40, 2, 0, 0x40, 3, 4, 192, 0, 2, 1];
    let mut body = vec![0, 0, 0, attributes.len() as u8];
    body.extend_from_slice(&attributes);
    body.extend_from_slice(&[8, 10]);
    lone.receive(OUT, &message(2, &body));
    let Some(Event::Update { frame, index }) = lone.events.last() else {
        panic!("an UPDATE: {:?}", lone.events.last())
    };
    let update = bgp_wire::Update::from_index(frame, index);
    assert_eq!(update.action(), Some(bgp_wire::Action::TreatAsWithdraw));
    assert_eq!(update.nlri().count(), 1);
    assert_eq!(lone.session.state(), State::Established);
}

/// MP_UNREACH_NLRI with one IPv6 prefix of 129 bits.
fn unreadable_ipv6() -> Vec<u8> {
    message(2, &[0, 0, 0, 7, 0x80, 15, 4, 0, 2, 1, 129])
}

#[test]
fn routes_that_cannot_be_told_apart_disable_their_family_once_and_the_other_goes_on() {
    let families = vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
    let both = open().with(1, &[0, 1, 0, 1]).with(1, &[0, 2, 0, 1]);
    let mut lone = Lone::established(Config { families, ..config(1) }, &both.bytes());
    let disabled = |lone: &Lone| {
        let events = lone.events.iter();
        events.filter(|event| matches!(event, Event::FamilyDisabled(AfiSafi::IPV6_UNICAST))).count()
    };
    lone.receive(OUT, &unreadable_ipv6());
    lone.receive(OUT, &unreadable_ipv6());
    assert_eq!((disabled(&lone), lone.session.state()), (1, State::Established));
    // The last family takes the session along.
    let unreadable_ipv4 = message(2, &[0, 0, 0, 7, 0x80, 15, 4, 0, 1, 1, 33]);
    lone.receive(OUT, &unreadable_ipv4);
    assert_eq!(lone.last_words(OUT), (3, 9, vec![0x80, 15, 4, 0, 1, 1, 33]));
}

#[test]
fn routes_of_the_only_family_that_cannot_be_told_apart_end_the_session_with_the_attribute() {
    let families = vec![AfiSafi::IPV6_UNICAST];
    let mut lone = Lone::established(Config { families, ..config(1) }, &open().with(1, &[0, 2, 0, 1]).bytes());
    lone.receive(OUT, &unreadable_ipv6());
    assert_eq!(lone.last_words(OUT), (3, 9, vec![0x80, 15, 4, 0, 2, 1, 129]));
}

#[test]
fn routes_of_a_family_that_is_not_in_use_end_nothing() {
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.receive(OUT, &unreadable_ipv6());
    assert_eq!(lone.session.state(), State::Established);
    assert!(!lone.events.iter().any(|event| matches!(event, Event::FamilyDisabled(_))));
}

#[test]
fn a_mark_of_a_refresh_with_the_wrong_length_is_answered_with_invalid_message_length_and_the_message() {
    let mut lone = Lone::established(config(1), &open().bytes());
    let mark = message(5, &[0, 1, 1, 1, 0]);
    lone.receive(OUT, &mark);
    assert_eq!(lone.last_words(OUT), (7, 1, mark));
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.receive(OUT, &message(5, &[0, 1, 0]));
    assert_eq!(lone.last_words(OUT), (1, 2, vec![0, 22]), "one too short for a subtype is bad in its header");
}

#[test]
fn a_notification_is_never_answered() {
    let notification = message(3, &[6, 2]);
    let mut lone = Lone::open_sent(config(1));
    lone.receive(OUT, &notification);
    assert!(lone.closed(OUT));
    assert_eq!(lone.sent(OUT), Vec::<Vec<u8>>::new());
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.input(Input::Send(Bytes::from(update(1))));
    lone.receive(OUT, &notification);
    assert!(lone.closed(OUT));
    assert_eq!(lone.sent(OUT), Vec::<Vec<u8>>::new());
    assert_eq!(*lone.reason(), DownReason::Received(shutdown()));
}

#[test]
fn nothing_after_a_fatal_message_is_looked_at() {
    let mut lone = Lone::established(config(1), &open().bytes());
    let octets = [update(1), message(77, &[]), update(2)].concat();
    assert_eq!(lone.receive(OUT, &octets), 0);
    assert_eq!(lone.events.iter().filter(|event| matches!(event, Event::Update { .. })).count(), 1);
}

#[test]
fn a_stop_says_its_reason_to_the_neighbour_in_words() {
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.input(Input::Stop(Notification::cease_with_text(cease::ADMINISTRATIVE_SHUTDOWN, "moving racks")));
    let (code, subcode, data) = lone.last_words(OUT);
    assert_eq!((code, subcode), (6, 2));
    assert_eq!(data, b"\x0cmoving racks");
    assert!(lone.events.iter().any(|event| matches!(event, Event::Down(DownReason::AdminStop))));
    assert_eq!(lone.session.poll_timeout(), None, "a stopped session waits for nothing");
}

#[test]
fn the_neighbours_words_are_shown() {
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.receive(OUT, &message(3, b"\x06\x02\x0cmoving racks"));
    let line = lone.reason().to_string();
    assert!(line.contains("administrative shutdown") && line.contains("moving racks"), "{line}");
}

#[test]
fn a_reset_sends_its_notification_and_the_session_comes_back() {
    let mut lone = Lone::established(config(1), &open().bytes());
    lone.input(Input::Reset(Notification::cease(cease::ADMINISTRATIVE_RESET)));
    assert_eq!(lone.last_words(OUT), (6, 4, vec![]));
    let attempts = lone.attempts();
    lone.wait(SECOND);
    assert_eq!(lone.attempts(), attempts + 1);
}
