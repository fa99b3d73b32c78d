//! The kernel's tables, seen with `ip` as an operator would.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use std::{
    env,
    io::{BufRead, BufReader},
    net::IpAddr,
    process::{Command, Stdio},
};

use fib::{Change, Hop, METRIC, Netlink, Outcome, Reconciler, Route, RouteState, Sink};
use serde_json::{Value, json};
use support::{in_namespace, index, ip, lines, table, this_test, veth};

const ALL: usize = usize::MAX;
const TABLE: u32 = 1000;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn route(prefix: &str, hops: impl Into<fib::NextHops>) -> Route {
    Route::unicast(TABLE, prefix.parse().unwrap(), hops)
}

/// Two interfaces with addresses, and a reconciler over the kernel.
fn setup() -> (u32, u32, Reconciler<Netlink>) {
    veth("left", "left-far");
    veth("right", "right-far");
    ip("address add 10.0.0.1/24 dev left");
    ip("address add 10.0.1.1/24 dev right");
    ip("address add 2001:db8::1/64 dev left nodad");
    ip("address add 2001:db8:1::1/64 dev right nodad");
    let fib = Reconciler::new(Netlink::open().unwrap());
    (index("left"), index("right"), fib)
}

fn program(fib: &mut Reconciler<Netlink>, routes: impl IntoIterator<Item = Route>) {
    fib.want_exactly(routes);
    for acknowledgement in fib.flush(ALL).unwrap() {
        if let Err(error) = acknowledgement.result {
            panic!("{}: {error}", acknowledgement.key);
        }
    }
}

/// The only route of the table, without what every route of ours has.
fn only(family: &str) -> Value {
    let mut routes = table(family, TABLE);
    assert_eq!(routes.len(), 1, "{routes:?}");
    let route = routes.remove(0);
    assert_eq!(route["protocol"], "179");
    assert_eq!(route["metric"], METRIC);
    assert_eq!(route["type"], "unicast");
    route
}

#[test]
fn an_ipv4_route_stands_with_gateway_and_interface() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        program(&mut fib, [route("192.0.2.0/24", Hop::via(address("10.0.0.2"), left))]);
        let standing = only("-4");
        assert_eq!(standing["dst"], "192.0.2.0/24");
        assert_eq!(standing["gateway"], "10.0.0.2");
        assert_eq!(standing["dev"], "left");
    });
}

#[test]
fn an_ipv6_route_stands_with_gateway_and_interface() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        program(&mut fib, [route("2001:db8:f::/48", Hop::via(address("fe80::2"), left))]);
        let standing = only("-6");
        assert_eq!(standing["dst"], "2001:db8:f::/48");
        assert_eq!(standing["gateway"], "fe80::2");
        assert_eq!(standing["dev"], "left");
    });
}

#[test]
fn an_ipv4_route_can_go_via_an_ipv6_gateway() {
    in_namespace(|| {
        let (left, right, mut fib) = setup();
        let hop = Hop::via(address("fe80::2"), left);
        program(&mut fib, [route("192.0.2.0/24", hop)]);
        let standing = only("-4");
        assert_eq!(standing["via"], json!({"family": "inet6", "host": "fe80::2"}));
        assert_eq!(standing["dev"], "left");
        assert!(lines("route show table 1000")[0].contains("via inet6 fe80::2 dev left"));

        let other = Hop::via(address("fe80::2"), right);
        program(&mut fib, [route("192.0.2.0/24", vec![hop, other])]);
        let hops = only("-4")["nexthops"].clone();
        assert_eq!(hops[0]["via"]["host"], "fe80::2");
        assert_eq!((&hops[0]["dev"], &hops[1]["dev"]), (&json!("left"), &json!("right")));
    });
}

#[test]
fn an_onlink_gateway_needs_no_prefix_on_the_interface() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        let hop = Hop::via(address("203.0.113.9"), left).onlink();
        program(&mut fib, [route("192.0.2.0/24", hop)]);
        let standing = only("-4");
        assert_eq!(standing["gateway"], "203.0.113.9");
        assert!(standing["flags"].as_array().unwrap().contains(&json!("onlink")));
    });
}

#[test]
fn weights_of_several_next_hops_stand_in_both_families() {
    in_namespace(|| {
        let (left, right, mut fib) = setup();
        let hops =
            |one: &str, other: &str| vec![Hop::via(address(one), left).weight(3), Hop::via(address(other), right)];
        program(
            &mut fib,
            [
                route("192.0.2.0/24", hops("10.0.0.2", "10.0.1.2")),
                route("2001:db8:f::/48", hops("2001:db8::2", "2001:db8:1::2")),
            ],
        );
        for (family, one, other) in [("-4", "10.0.0.2", "10.0.1.2"), ("-6", "2001:db8::2", "2001:db8:1::2")] {
            let standing = only(family);
            let mut told: Vec<(String, String, u64)> = standing["nexthops"]
                .as_array()
                .unwrap()
                .iter()
                .map(|hop| {
                    let word = |name: &str| hop[name].as_str().unwrap().to_owned();
                    (word("dev"), word("gateway"), hop["weight"].as_u64().unwrap())
                })
                .collect();
            told.sort();
            let expected = [("left".to_owned(), one.to_owned(), 3), ("right".to_owned(), other.to_owned(), 1)];
            assert_eq!(told, expected);
        }
    });
}

#[test]
fn a_preferred_source_and_a_connected_route_stand() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        let mut wanted = route("192.0.2.0/24", Hop::interface(left));
        wanted.pref_src = Some(address("10.0.1.1"));
        program(&mut fib, [wanted]);
        let standing = only("-4");
        assert_eq!(standing["prefsrc"], "10.0.1.1");
        assert_eq!(standing["scope"], "link");
        assert_eq!(standing["dev"], "left");
        assert!(standing.get("gateway").is_none());
    });
}

#[test]
fn an_unreachable_default_is_the_last_resort_beside_a_learned_default() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        let default = "0.0.0.0/0".parse().unwrap();
        let last = [Route::unreachable(TABLE, default), Route::unreachable(TABLE, "::/0".parse().unwrap())];
        program(&mut fib, last.clone());
        assert_eq!(lines("-4 route show table 1000"), ["unreachable default proto 179 metric 4278198272"]);
        let six = lines("-6 route show table 1000");
        assert!(six[0].starts_with("unreachable default dev lo proto 179 metric 4278198272"));

        let learned = route("0.0.0.0/0", Hop::via(address("10.0.0.2"), left));
        program(&mut fib, last.into_iter().chain([learned]));
        assert_eq!(
            lines("-4 route show table 1000"),
            ["default via 10.0.0.2 dev left proto 179 metric 1179", "unreachable default proto 179 metric 4278198272"]
        );
    });
}

#[test]
fn a_changed_route_is_replaced_and_an_unwanted_one_removed() {
    in_namespace(|| {
        let (left, right, mut fib) = setup();
        for (prefix, one, other) in
            [("192.0.2.0/24", "10.0.0.2", "10.0.1.2"), ("2001:db8:f::/48", "2001:db8::2", "2001:db8:1::2")]
        {
            let family = if prefix.contains(':') { "-6" } else { "-4" };
            let a = Hop::via(address(one), left);
            let b = Hop::via(address(other), right);
            for hops in [vec![a], vec![b], vec![a, b], vec![Hop::interface(left)], vec![a]] {
                let wanted = route(prefix, hops.clone());
                program(&mut fib, [wanted]);
                let standing = only(family);
                let count = standing["nexthops"].as_array().map_or(1, Vec::len);
                assert_eq!(count, hops.len(), "{standing}");
                assert!(!fib.compare().unwrap().drifted(), "{standing}");
                assert_eq!(fib.pending(), 0);
            }
            program(&mut fib, []);
            assert!(table(family, TABLE).is_empty());
        }
    });
}

#[test]
fn what_the_kernel_shows_is_what_was_wanted_for_every_shape_of_route() {
    in_namespace(|| {
        let (left, right, mut fib) = setup();
        let mut sourced = route("10.5.0.0/16", Hop::via(address("10.0.0.2"), left));
        sourced.pref_src = Some(address("10.0.0.1"));
        let mut sourced6 = route("2001:db8:5::/48", Hop::via(address("fe80::2"), left));
        sourced6.pref_src = Some(address("2001:db8::1"));
        let routes = vec![
            sourced,
            sourced6,
            route("10.1.0.0/16", Hop::gateway(address("10.0.0.2"))),
            route("10.2.0.0/16", Hop::via(address("fe80::2"), left).onlink()),
            route("10.3.0.0/16", Hop::via(address("203.0.113.9"), left).onlink()),
            route("10.4.0.1/32", Hop::interface(left)),
            route(
                "10.6.0.0/16",
                vec![
                    Hop::via(address("fe80::2"), left).onlink().weight(255),
                    Hop::via(address("10.0.1.2"), right),
                    Hop::via(address("10.0.1.3"), right),
                ],
            ),
            route("2001:db8:1:1::/64", Hop::gateway(address("2001:db8::2"))),
            route("2001:db8:2::/48", Hop::via(address("fe80::2"), left).onlink()),
            route("2001:db8:3::1/128", Hop::interface(right)),
            route(
                "2001:db8:6::/48",
                vec![
                    Hop::via(address("fe80::2"), left).weight(2),
                    Hop::via(address("fe80::3"), left),
                    Hop::via(address("fe80::2"), right),
                ],
            ),
            Route::unreachable(TABLE, "0.0.0.0/0".parse().unwrap()),
            Route::unreachable(TABLE, "::/0".parse().unwrap()),
            Route::unicast(4_000_000_000, "10.1.0.0/16".parse().unwrap(), Hop::interface(left)),
            Route::unicast(77, "10.1.0.0/16".parse().unwrap(), Hop::interface(left)),
        ];
        program(&mut fib, routes.clone());
        let found = fib.compare().unwrap();
        assert_eq!(found.standing, routes.len());
        assert!(!found.drifted());

        let mut restarted = Reconciler::new(Netlink::open().unwrap());
        restarted.want_exactly(routes);
        assert_eq!(restarted.compare().unwrap().unwanted, 0);
        for acknowledgement in restarted.flush(ALL).unwrap() {
            assert_eq!(acknowledgement.result, Ok(Outcome::Programmed));
        }
    });
}

#[test]
fn routes_of_others_are_untouched_even_at_the_same_prefix() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        for foreign in [
            "192.0.2.0/24 via 10.0.0.9 dev left table 1000",
            "192.0.2.0/24 via 10.0.0.9 dev left table 1000 proto 186 metric 20",
            "192.0.2.0/24 via 10.0.0.9 dev left table 1000 proto bird metric 5000",
            "2001:db8:f::/48 via fe80::9 dev left table 1000",
            "2001:db8:f::/48 via fe80::9 dev left table 1000 proto 186 metric 20",
        ] {
            ip(&format!("route add {foreign}"));
        }
        let before = [lines("-4 route show table 1000"), lines("-6 route show table 1000")];
        let routes = [
            route("192.0.2.0/24", Hop::via(address("10.0.0.2"), left)),
            route("2001:db8:f::/48", Hop::via(address("fe80::2"), left)),
        ];
        program(&mut fib, routes.clone());
        assert_eq!(lines("-4 route show table 1000").len(), 4);
        assert_eq!(lines("-6 route show table 1000").len(), 3);
        let wins = fib.shadows().iter().filter(|s| s.foreign_wins()).count();
        assert_eq!((fib.shadows().len(), wins), (5, 4));

        let moved = routes.map(|r| Route::unicast(r.table, r.prefix, Hop::interface(left)));
        program(&mut fib, moved);
        fib.converged();
        fib.compare().unwrap();
        program(&mut fib, []);
        let after = [lines("-4 route show table 1000"), lines("-6 route show table 1000")];
        assert_eq!(after, before);
    });
}

#[test]
fn a_foreign_route_with_our_very_metric_is_not_replaced() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        ip("route add 192.0.2.0/24 via 10.0.0.9 dev left table 1000 metric 1179");
        ip("route add 2001:db8:f::/48 via fe80::9 dev left table 1000 metric 1179");
        let before = [lines("-4 route show table 1000"), lines("-6 route show table 1000")];
        let routes = [
            route("192.0.2.0/24", Hop::via(address("10.0.0.2"), left)),
            route("2001:db8:f::/48", Hop::via(address("fe80::2"), left)),
        ];
        fib.want_exactly(routes.clone());
        fib.flush(ALL).unwrap();
        for route in &routes {
            let state = fib.state(&route.key()).unwrap().to_string();
            assert_eq!(state, "failed: File exists (errno 17)");
            fib.withdraw(&route.key());
        }
        fib.flush(ALL).unwrap();
        let after = [lines("-4 route show table 1000"), lines("-6 route show table 1000")];
        assert_eq!(after, before);
    });
}

#[test]
fn a_route_deleted_or_changed_by_hand_is_repaired() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        program(
            &mut fib,
            [
                route("192.0.2.0/24", Hop::via(address("10.0.0.2"), left)),
                route("198.51.100.0/24", Hop::via(address("10.0.0.2"), left)),
                route("2001:db8:f::/48", Hop::via(address("fe80::2"), left)),
            ],
        );
        fib.converged();
        let before = [lines("-4 route show table 1000"), lines("-6 route show table 1000")];
        ip("route del 192.0.2.0/24 table 1000");
        ip("route replace 198.51.100.0/24 via 10.0.0.7 table 1000 proto 179 metric 1179");
        ip("route add blackhole 203.0.113.0/24 table 1000 proto 179 metric 7");
        ip("-6 route del 2001:db8:f::/48 table 1000");
        let found = fib.compare().unwrap();
        assert_eq!((found.missing, found.differing, found.unwanted), (2, 1, 1));
        fib.flush(ALL).unwrap();
        let after = [lines("-4 route show table 1000"), lines("-6 route show table 1000")];
        assert_eq!(after, before);
    });
}

#[test]
fn routes_that_vanish_with_their_link_come_back_with_it() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        let wanted = route("192.0.2.0/24", Hop::via(address("10.0.0.2"), left));
        program(&mut fib, [wanted.clone()]);
        ip("link set left down");
        assert_eq!(fib.compare().unwrap().missing, 1);
        fib.flush(ALL).unwrap();
        let state = fib.state(&wanted.key());
        assert!(matches!(state, Some(RouteState::Failed(_))), "{state:?}");
        ip("link set left up");
        fib.compare().unwrap();
        fib.flush(ALL).unwrap();
        assert_eq!(fib.state(&wanted.key()), Some(RouteState::Programmed));
        assert_eq!(only("-4")["dst"], "192.0.2.0/24");
    });
}

#[test]
fn a_refused_route_is_reported_in_the_kernels_words_and_hinders_no_other() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        let routes = (0..=255_u8).flat_map(|a| (0..4_u8).map(move |b| (a, b))).map(|(a, b)| {
            let via = if a.is_multiple_of(3) { "203.0.113.1" } else { "10.0.0.2" };
            let prefix = format!("172.{}.{a}.0/24", 16 + b);
            route(&prefix, Hop::via(address(via), left))
        });
        fib.want_exactly(routes);
        let mut failed = 0;
        for acknowledgement in fib.flush(ALL).unwrap() {
            let octets = acknowledgement.key.prefix.addr().to_string();
            let a: u8 = octets.split('.').nth(2).unwrap().parse().unwrap();
            match acknowledgement.result {
                Ok(outcome) => assert_eq!((outcome, a.is_multiple_of(3)), (Outcome::Programmed, false)),
                Err(error) => {
                    assert_eq!(error.to_string(), "Nexthop has invalid gateway (errno 101)");
                    assert_eq!(a % 3, 0);
                    failed += 1;
                }
            }
        }
        assert_eq!(failed, 86 * 4);
        assert_eq!(table("-4", TABLE).len(), 1024 - failed);
        assert_eq!(fib.failures().count(), failed);
    });
}

#[test]
fn every_answer_arrives_when_all_of_ten_thousand_are_refused() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        fib.want_exactly((0..10_000_u32).map(|i| {
            let prefix = format!("{}.{}.0.0/16", 11 + i / 256, i % 256);
            route(&prefix, Hop::via(address("203.0.113.1"), left))
        }));
        for acknowledgement in fib.flush(ALL).unwrap() {
            let error = acknowledgement.result.unwrap_err().to_string();
            assert_eq!(error, "Nexthop has invalid gateway (errno 101)");
        }
        assert!(table("-4", TABLE).is_empty());
    });
}

#[test]
fn routes_with_many_next_hops_go_through_a_socket_of_ordinary_size() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        let hops: Vec<Hop> = (1..=256_u32).map(|i| Hop::via(address(&format!("fe80::{i:x}")), left)).collect();
        let routes = (0..200).map(|i| route(&format!("172.16.{i}.0/24"), hops.clone()));
        program(&mut fib, routes);
        let mut restarted = Reconciler::new(Netlink::open().unwrap());
        assert_eq!(restarted.compare().unwrap().standing, 200);
        assert!(!fib.compare().unwrap().drifted());
    });
}

const CRASH: &str = "FIB_TEST_CRASH";

#[test]
fn after_a_kill_and_restart_routes_are_adopted_and_leftovers_swept() {
    fn routes(left: u32) -> [Route; 3] {
        [
            route("192.0.2.0/24", Hop::via(address("10.0.0.2"), left)),
            route("198.51.100.0/24", Hop::via(address("10.0.0.2"), left)),
            route("2001:db8:f::/48", Hop::via(address("fe80::2"), left)),
        ]
    }
    in_namespace(|| {
        if env::var_os(CRASH).is_some() {
            let mut fib = Reconciler::new(Netlink::open().unwrap());
            program(&mut fib, routes(index("left")));
            println!("programmed");
            loop {
                std::thread::park();
            }
        }
        let (left, _, mut fib) = setup();
        let name = "after_a_kill_and_restart_routes_are_adopted_and_leftovers_swept";
        let words = this_test(name);
        let mut before =
            Command::new(&words[0]).args(&words[1..]).env(CRASH, "1").stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(before.stdout.take().unwrap());
        assert!(output.lines().any(|line| line.unwrap().contains("programmed")));
        before.kill().unwrap();
        before.wait().unwrap();
        assert_eq!(table("-4", TABLE).len(), 2, "routes outlive a crash");

        let mut notes = Command::new("ip").args(["monitor", "route"]).stdout(Stdio::piped()).spawn().unwrap();
        let [kept, _, kept6] = routes(left);
        fib.want(kept);
        fib.want(kept6);
        assert_eq!(fib.flush(ALL).unwrap().len(), 2);
        assert_eq!(table("-4", TABLE).len(), 2, "nothing is swept before convergence");
        fib.converged();
        fib.flush(ALL).unwrap();
        assert_eq!(only("-4")["dst"], "192.0.2.0/24");
        assert_eq!(only("-6")["dst"], "2001:db8:f::/48");

        // The only thing that the kernel was told is the removal.
        ip("route add 203.0.113.0/24 dev left");
        let output = BufReader::new(notes.stdout.take().unwrap());
        let told: Vec<String> =
            output.lines().map(Result::unwrap).take_while(|line| !line.contains("203.0.113.0/24")).collect();
        notes.kill().unwrap();
        notes.wait().unwrap();
        assert!(told.len() <= 1, "{told:?}");
        assert!(told.iter().all(|line| line.contains("Deleted 198.51.100.0/24")), "{told:?}");
    });
}

#[test]
fn no_route_is_lost_or_reported_failed_while_others_change_the_tables() {
    in_namespace(|| {
        let (left, _, mut fib) = setup();
        let routes: Vec<Route> = (0..10_000_u32)
            .map(|i| {
                let four = format!("{}.{}.0.0/16", 11 + i / 512, i / 2 % 256);
                let six = format!("2001:{:x}::/32", 0x1000 + i / 2);
                route(if i % 2 == 0 { &four } else { &six }, Hop::interface(left))
            })
            .collect();
        program(&mut fib, routes.clone());
        fib.converged();
        let churn = std::thread::spawn(move || {
            let mut other = Netlink::open().unwrap();
            let routes: Vec<Route> = (0..100_u32)
                .flat_map(|i| [format!("10.64.{i}.0/24"), format!("2000:{i:x}::/32")])
                .map(|prefix| Route { metric: 7, ..route(&prefix, Hop::interface(left)) })
                .collect();
            for _ in 0..100 {
                other.apply(&routes.iter().map(Change::Add).collect::<Vec<_>>());
                other.apply(&routes.iter().map(|route| Change::Remove(route.key())).collect::<Vec<_>>());
            }
        });
        while !churn.is_finished() {
            if fib.compare().is_ok() {
                for acknowledgement in fib.flush(ALL).unwrap() {
                    assert!(acknowledgement.result.is_ok(), "{acknowledgement:?}");
                }
            }
        }
        churn.join().unwrap();
        fib.compare().unwrap();
        fib.flush(ALL).unwrap();
        assert_eq!(table("-4", TABLE).len() + table("-6", TABLE).len(), routes.len());
        assert!(routes.iter().all(|route| fib.state(&route.key()) == Some(RouteState::Programmed)));
    });
}
