//! What is offered, and what both sides' offers come to.

mod sim;

use std::net::Ipv4Addr;

use bgp_session::{Config, Connection, Event, Input, Negotiated, RemoteAs, State};
use bgp_wire::{
    AddPath, AddPathMode, AfiSafi, FamilySet, GracefulRestart, GracefulRestartFamily, RefreshSubtype, Role,
    RouteRefresh,
};
use sim::lone::{KEEPALIVE, Lone, Open, capabilities, open};
use sim::{SECOND, Sim, config, message};

const OUT: Connection = Connection::Outgoing;
const V4: AfiSafi = AfiSafi::IPV4_UNICAST;
const V6: AfiSafi = AfiSafi::IPV6_UNICAST;

fn set(families: &[AfiSafi]) -> FamilySet {
    families.iter().copied().collect()
}

/// What our OPEN offers.
fn offered(config: Config) -> Vec<(u8, Vec<u8>)> {
    let mut lone = Lone::new(config);
    lone.input(Input::Connected(OUT));
    capabilities(&lone.sent(OUT)[0])
}

/// The terms with a neighbour played by hand.
fn terms(config: Config, open: &Open) -> Negotiated {
    Lone::established(config, &open.bytes()).session.negotiated().expect("established").clone()
}

/// The terms both ends of a pair see.
fn both(a: Config, b: Config) -> (Negotiated, Negotiated) {
    let mut pair = Sim::pair(a, b);
    pair.start();
    pair.expect_up(60 * SECOND);
    (pair.terms(0).clone(), pair.terms(1).clone())
}

fn everything(number: u8) -> Config {
    let mut config = Config { families: vec![V4, V6], ..config(number) };
    config.capabilities.extended_next_hop = vec![V4];
    config.capabilities.add_path = vec![AddPath { family: V4, mode: AddPathMode::Both }];
    config.capabilities.role = Some(Role::Peer);
    config.capabilities.hostname = Some(format!("leaf-{number}"));
    config.capabilities.graceful_restart = Some(GracefulRestart {
        restart_time: 120,
        families: vec![GracefulRestartFamily { family: V4, forwarding_kept: true }],
        ..GracefulRestart::default()
    });
    config
}

#[test]
fn every_configured_capability_is_offered_and_none_besides() {
    let mut codes: Vec<_> = offered(everything(1)).into_iter().map(|(code, _)| code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [1, 1, 2, 5, 6, 9, 64, 65, 69, 70, 73]);
    let mut bare = config(1);
    bare.capabilities.route_refresh = false;
    bare.capabilities.enhanced_route_refresh = false;
    bare.capabilities.extended_message = false;
    assert_eq!(offered(bare), [(1, vec![0, 1, 0, 1]), (65, 65001_u32.to_be_bytes().to_vec())]);
}

#[test]
fn two_speakers_that_offer_everything_agree_on_everything() {
    let (a, b) = both(everything(1), everything(2));
    assert_eq!((a.remote_as, a.remote_id), (65002, Ipv4Addr::new(10, 0, 0, 2)));
    assert_eq!((b.remote_as, b.remote_id), (65001, Ipv4Addr::new(10, 0, 0, 1)));
    for (here, there) in [(&a, &b), (&b, &a)] {
        assert!(!here.internal);
        assert_eq!(here.hold_time, there.hold_time);
        assert_eq!(here.families, set(&[V4, V6]));
        assert!(here.encode.as4 && here.encode.extended_message);
        assert!(here.route_refresh && here.enhanced_route_refresh);
        assert_eq!(here.encode.extended_next_hop, set(&[V4]));
        assert_eq!(here.encode.add_path, there.decode.add_path);
        assert_eq!(here.encode.add_path, set(&[V4]));
        assert_eq!(here.role, Some(Role::Peer));
        assert_eq!(here.graceful_restart.as_ref().map(|restart| restart.restart_time), Some(120));
    }
    assert_eq!(a.remote_hostname.as_deref(), Some("leaf-2"));
}

#[test]
fn only_families_that_both_offer_are_negotiated() {
    let of = |number, families: &[AfiSafi]| Config { families: families.to_vec(), ..config(number) };
    let (a, b) = both(of(1, &[V4, V6]), of(2, &[V6]));
    assert_eq!(a.families, set(&[V6]));
    assert_eq!(b.families, set(&[V6]));
}

#[test]
fn a_neighbour_without_the_multiprotocol_capability_has_ipv4_unicast_alone() {
    assert_eq!(terms(everything(1), &open()).families, set(&[V4]));
    assert_eq!(terms(everything(1), &open().with(1, &[0, 2, 0, 1])).families, set(&[V6]));
}

#[test]
fn four_octet_as_numbers_need_both_and_an_as_above_65535_appears_as_as_trans() {
    let old = Open { capabilities: vec![], ..open() };
    assert!(!terms(config(1), &old).decode.as4);
    assert!(terms(config(1), &open()).decode.as4);
    let big = |number| Config { local_as: 4_200_000_000 + u32::from(number), ..config(number) };
    let mut lone = Lone::new(big(1));
    lone.input(Input::Connected(OUT));
    assert_eq!(lone.sent(OUT)[0][20..22], 23456_u16.to_be_bytes());
    let (a, _) = both(big(1), big(2));
    assert_eq!(a.remote_as, 4_200_000_002);
}

#[test]
fn internal_peers_know_each_other_as_such() {
    let internal = |number| Config { local_as: 65000, remote_as: RemoteAs::Internal, ..config(number) };
    let (a, b) = both(internal(1), internal(2));
    assert!(a.internal && b.internal);
    assert_eq!(a.decode.peer, bgp_wire::PeerKind::Internal);
}

#[test]
fn long_messages_are_sent_only_if_both_offer_them_and_taken_if_we_do() {
    let mut lone = Lone::established(config(1), &open().bytes());
    assert!(!lone.session.negotiated().expect("established").encode.extended_message);
    let mut long = message(2, &[0; 5000]);
    long[19..23].copy_from_slice(&[0x13, 0x84, 0, 0]);
    lone.receive(OUT, &long);
    assert!(lone.events.iter().any(|event| matches!(event, Event::Update { frame, .. } if frame.len() == 5019)));
    assert!(terms(config(1), &open().with(6, &[])).encode.extended_message);

    let mut short = config(1);
    short.capabilities.extended_message = false;
    let mut lone = Lone::established(short, &open().with(6, &[]).bytes());
    assert!(!lone.session.negotiated().expect("established").encode.extended_message);
    lone.receive(OUT, &long);
    assert_eq!(lone.last_words(OUT), (1, 2, 5019_u16.to_be_bytes().to_vec()));
}

#[test]
fn an_open_is_never_longer_than_4096_octets() {
    let mut lone = Lone::established(config(1), &open().with(6, &[]).bytes());
    lone.receive(OUT, &message(1, &[0; 5000]));
    assert_eq!(lone.last_words(OUT), (1, 2, 5019_u16.to_be_bytes().to_vec()));
}

#[test]
fn an_ipv6_next_hop_for_ipv4_needs_both() {
    let with = |number, families: &[AfiSafi]| {
        let mut config = config(number);
        config.capabilities.extended_next_hop = families.to_vec();
        config
    };
    let (a, b) = both(with(1, &[V4]), with(2, &[]));
    assert!(a.encode.extended_next_hop.is_empty() && b.decode.extended_next_hop.is_empty());
    assert_eq!(terms(with(1, &[V4]), &open().with(5, &[0, 1, 0, 1, 0, 2])).decode.extended_next_hop, set(&[V4]));
    let other = open().with(5, &[0, 1, 0, 1, 0, 1]);
    assert!(terms(with(1, &[V4]), &other).encode.extended_next_hop.is_empty(), "another next hop's family");
}

#[test]
fn several_paths_go_from_a_side_that_sends_to_one_that_receives() {
    let with = |number, mode: Option<AddPathMode>| {
        let mut config = config(number);
        config.capabilities.add_path = mode.into_iter().map(|mode| AddPath { family: V4, mode }).collect();
        config
    };
    use AddPathMode::{Both, Receive, Send};
    for (ours, theirs, out, back) in [
        (Some(Send), Some(Receive), true, false),
        (Some(Receive), Some(Receive), false, false),
        (Some(Both), Some(Send), false, true),
        (Some(Both), Some(Both), true, true),
        (Some(Send), None, false, false),
    ] {
        let (a, b) = both(with(1, ours), with(2, theirs));
        assert_eq!(
            (a.encode.add_path.contains(V4), b.decode.add_path.contains(V4)),
            (out, out),
            "{ours:?} to {theirs:?}"
        );
        assert_eq!(
            (b.encode.add_path.contains(V4), a.decode.add_path.contains(V4)),
            (back, back),
            "{theirs:?} to {ours:?}"
        );
    }
}

#[test]
fn several_paths_are_not_negotiated_in_a_family_that_is_not() {
    let of_both = open().with(1, &[0, 1, 0, 1]).with(69, &[0, 1, 1, 3, 0, 2, 1, 3]);
    let mut config = everything(1);
    config.capabilities.add_path.push(AddPath { family: V6, mode: AddPathMode::Both });
    assert_eq!(terms(config, &of_both).decode.add_path, set(&[V4]));
}

#[test]
fn roles_that_do_not_go_together_are_answered_with_role_mismatch() {
    let roles = [Role::Provider, Role::RouteServer, Role::RouteServerClient, Role::Customer, Role::Peer];
    let fitting = [(0, 3), (3, 0), (1, 2), (2, 1), (4, 4)];
    for role in roles {
        for octet in 0..=5_u8 {
            let mut config = config(1);
            config.capabilities.role = Some(role);
            let mut lone = Lone::open_sent(config);
            lone.receive(OUT, &open().with(9, &[octet]).bytes());
            if fitting.contains(&(role.octet(), octet)) {
                assert_eq!(lone.session.state(), State::OpenConfirm, "{role:?} with {octet}");
            } else {
                assert_eq!(lone.last_words(OUT), (2, 11, vec![]), "{role:?} with {octet}");
            }
        }
    }
}

#[test]
fn a_neighbour_that_names_two_roles_is_answered_with_role_mismatch() {
    let mut config = config(1);
    config.capabilities.role = Some(Role::Provider);
    let mut lone = Lone::open_sent(config.clone());
    lone.receive(OUT, &open().with(9, &[3]).with(9, &[4]).bytes());
    assert_eq!(lone.last_words(OUT), (2, 11, vec![]));
    assert_eq!(terms(config, &open().with(9, &[3]).with(9, &[3])).role, Some(Role::Provider));
}

#[test]
fn our_role_stands_though_the_neighbour_tells_none_and_within_an_as_there_are_none() {
    let mut provider = config(1);
    provider.capabilities.role = Some(Role::Provider);
    assert_eq!(terms(provider.clone(), &open()).role, Some(Role::Provider));
    assert_eq!(terms(config(1), &open().with(9, &[3])).role, None);
    let internal = Config { remote_as: RemoteAs::Internal, ..provider };
    let ours = Open { asn: 65001, capabilities: vec![], ..open() }.with(9, &[0]);
    assert_eq!(terms(internal.clone(), &ours).role, None);
    assert!(offered(internal).iter().all(|(code, _)| *code != 9), "nor is one offered");
}

#[test]
fn a_request_for_routes_is_sent_only_to_a_neighbour_that_takes_it_and_for_a_shared_family() {
    let request = |open: &Open, family| {
        let mut lone = Lone::established(everything(1), &open.bytes());
        lone.input(Input::RequestRefresh(family));
        lone.sent(OUT)
    };
    let able = open().with(2, &[]);
    assert_eq!(request(&able, V4), [message(5, &[0, 1, 0, 1])]);
    assert_eq!(request(&able, V6), Vec::<Vec<u8>>::new());
    assert_eq!(request(&open(), V4), Vec::<Vec<u8>>::new());
}

#[test]
fn a_second_request_for_routes_waits_for_the_end_of_the_first_answer_where_the_end_is_marked() {
    let request = message(5, &[0, 1, 0, 1]);
    let mut plain = Lone::established(everything(1), &open().with(2, &[]).bytes());
    plain.input(Input::RequestRefresh(V4));
    plain.input(Input::RequestRefresh(V4));
    assert_eq!(plain.sent(OUT), vec![request.clone(); 2]);

    let mut marked = Lone::established(everything(1), &open().with(2, &[]).with(70, &[]).bytes());
    marked.input(Input::RequestRefresh(V4));
    marked.input(Input::RequestRefresh(V4));
    marked.input(Input::RequestRefresh(V4));
    assert_eq!(marked.sent(OUT), vec![request.clone()]);
    marked.receive(OUT, &message(5, &[0, 1, 1, 1]));
    assert_eq!(marked.sent(OUT), Vec::<Vec<u8>>::new());
    marked.receive(OUT, &message(5, &[0, 1, 2, 1]));
    assert_eq!(marked.sent(OUT), [request]);
    marked.receive(OUT, &message(5, &[0, 1, 2, 1]));
    assert_eq!(marked.sent(OUT), Vec::<Vec<u8>>::new());
}

#[test]
fn requests_for_routes_are_passed_on_and_the_marks_of_a_refresh_only_if_agreed() {
    let passed = |open: &Open| {
        let mut lone = Lone::established(config(1), &open.bytes());
        for (afi, subtype) in [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0)] {
            lone.receive(OUT, &message(5, &[0, afi, subtype, 1]));
        }
        assert_eq!(lone.session.state(), State::Established);
        let refreshes = lone.events.iter().filter_map(|event| match event {
            Event::RouteRefresh(RouteRefresh { family: V4, subtype }) => Some(*subtype),
            Event::RouteRefresh(other) => panic!("{other:?}"),
            _ => None,
        });
        refreshes.collect::<Vec<_>>()
    };
    assert_eq!(passed(&open().with(2, &[])), [RefreshSubtype::Request]);
    let marks = [RefreshSubtype::Request, RefreshSubtype::BeginOfRr, RefreshSubtype::EndOfRr];
    assert_eq!(passed(&open().with(2, &[]).with(70, &[])), marks);
}

#[test]
fn graceful_restart_is_negotiated_only_if_both_offer_it() {
    let theirs = open().with(64, &[0x80, 30, 0, 1, 1, 0x80]);
    assert_eq!(terms(config(1), &theirs).graceful_restart, None);
    assert_eq!(terms(everything(1), &open()).graceful_restart, None);
    let restart = terms(everything(1), &theirs).graceful_restart.expect("both offer it");
    assert!(restart.restarted);
    assert_eq!(restart.restart_time, 30);
    assert_eq!(restart.families, [GracefulRestartFamily { family: V4, forwarding_kept: true }]);
}

#[test]
fn a_capability_nobody_knows_is_ignored() {
    let open = open().with(200, &[1, 2, 3]).with(1, &[9]).with(9, &[]);
    assert_eq!(terms(config(1), &open).families, set(&[V4]));
}

/// What the next OPEN offers after the last was answered with this.
fn offered_after(lone: &mut Lone, answer: &[u8]) -> Vec<u8> {
    lone.receive(OUT, &message(3, answer));
    lone.wait(SECOND);
    lone.input(Input::Connected(OUT));
    capabilities(&lone.sent(OUT)[0]).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn a_neighbour_that_knows_no_capabilities_is_offered_none_on_the_next_attempt() {
    let mut lone = Lone::open_sent(everything(1));
    assert_eq!(offered_after(&mut lone, &[2, 4]), []);
    lone.receive(OUT, &Open { capabilities: vec![], ..open() }.bytes());
    lone.receive(OUT, &message(KEEPALIVE, &[]));
    let terms = lone.session.negotiated().expect("established");
    assert_eq!(terms.families, set(&[V4]));
    assert!(!terms.decode.as4 && !terms.encode.extended_message);
}

#[test]
fn what_we_did_not_offer_is_not_negotiated_though_the_neighbour_offers_it() {
    let mut lone = Lone::open_sent(everything(1));
    assert_eq!(offered_after(&mut lone, &[2, 4]), []);
    lone.receive(OUT, &open().with(6, &[]).with(69, &[0, 1, 1, 3]).with(70, &[]).bytes());
    lone.receive(OUT, &message(KEEPALIVE, &[]));
    let terms = lone.session.negotiated().expect("established");
    assert!(!terms.decode.as4 && !terms.decode.extended_message && !terms.enhanced_route_refresh);
    assert!(terms.decode.add_path.is_empty());
}

#[test]
fn only_the_capabilities_that_a_neighbour_names_are_left_out_of_the_next_offer() {
    let mut lone = Lone::open_sent(everything(1));
    let codes = offered_after(&mut lone, &[2, 7, 69, 4, 0, 1, 1, 3, 73, 0]);
    assert_eq!(codes, [1, 1, 2, 70, 6, 5, 9, 64, 65]);
    assert_eq!(offered_after(&mut lone, &[2, 7, 6, 0]), [1, 1, 2, 70, 5, 9, 64, 65], "and what it names next");
    assert_eq!(offered_after(&mut lone, &[2, 7]), [], "or all, if it names none");
}

#[test]
fn everything_is_offered_again_after_the_narrower_offer_failed_too() {
    let mut lone = Lone::open_sent(everything(1));
    assert_eq!(offered_after(&mut lone, &[2, 4]), []);
    assert_eq!(offered_after(&mut lone, &[2, 2]).len(), 11);
}

#[test]
fn a_neighbour_that_refuses_every_offer_is_asked_ever_more_rarely() {
    let mut lone = Lone::open_sent(everything(1));
    for _ in 0..40 {
        lone.receive(OUT, &message(3, &[2, 7]));
        let wait = lone.session.poll_timeout().expect("a timer") - lone.now;
        lone.wait(wait);
        lone.input(Input::Connected(OUT));
        lone.sent(OUT);
    }
    assert!(lone.now - bgp_session::Instant(0) > 20 * 60 * SECOND, "{:?}", lone.now);
}
