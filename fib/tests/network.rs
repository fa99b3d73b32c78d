//! What the kernel says of links, addresses and others' routes, and binding interfaces to tables by rules.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
    time::Duration,
};

use fib::{
    Hop, Netlink, Reconciler, Route,
    linux::{Event, Monitor, ReversePath, Rules, Snapshot, Stopper, reverse_path, strict_reverse_paths},
};
use support::{Host, eventually, in_namespace, index, ip, lines, veth};

/// A monitor in a thread of its own, as a daemon runs it.
struct Watch {
    events: Receiver<Event>,
    thread: JoinHandle<Snapshot>,
    stopper: Stopper,
}

impl Watch {
    fn start() -> Self {
        let (mut monitor, stopper) = Monitor::open().unwrap();
        let (told, events) = channel();
        let thread = std::thread::spawn(move || {
            while let Some(events) = monitor.wait().unwrap() {
                assert!(!events.is_empty());
                for event in events {
                    told.send(event).unwrap();
                }
            }
            monitor.snapshot().clone()
        });
        Self { events, thread, stopper }
    }

    /// Waits for an event that is wanted; others may come before.
    fn sees<T>(&self, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            match self.events.recv_timeout(Duration::from_secs(30)) {
                Ok(event) => {
                    if let Some(found) = wanted(&event) {
                        return found;
                    }
                }
                Err(error) => panic!("{what} was not told: {error}"),
            }
        }
    }

    fn stop(self) -> (Snapshot, Vec<Event>) {
        drop(self.stopper);
        let snapshot = self.thread.join().unwrap();
        (snapshot, self.events.try_iter().collect())
    }
}

#[test]
fn a_monitor_sees_an_address_come_and_go() {
    in_namespace(|| {
        veth("left", "right");
        let left = index("left");
        let watch = Watch::start();
        ip("address add 192.0.2.1/24 dev left");
        watch.sees("an IPv4 address", |event| match event {
            Event::Address(a) if a.local.to_string() == "192.0.2.1" => {
                assert_eq!((a.interface, a.network.to_string().as_str()), (left, "192.0.2.0/24"));
                Some(())
            }
            _ => None,
        });
        ip("address add 2001:db8::1/64 dev left nodad");
        watch.sees("an IPv6 address", |event| match event {
            Event::Address(a) => (a.local.to_string() == "2001:db8::1" && !a.tentative).then_some(()),
            _ => None,
        });
        ip("address del 192.0.2.1/24 dev left");
        watch.sees("the end of an address", |event| match event {
            Event::AddressGone(a) => (a.local.to_string() == "192.0.2.1").then_some(()),
            _ => None,
        });
        let (snapshot, _) = watch.stop();
        let left: Vec<String> = snapshot.addresses_of(left).map(|a| a.local.to_string()).collect();
        assert!(left.contains(&"2001:db8::1".to_owned()), "{left:?}");
        assert!(!left.contains(&"192.0.2.1".to_owned()), "{left:?}");
    });
}

#[test]
fn a_monitor_sees_when_a_link_local_address_becomes_usable() {
    in_namespace(|| {
        let watch = Watch::start();
        veth("left", "right");
        let left = index("left");
        watch.sees("a usable link-local address", |event| match event {
            Event::Address(a) => {
                let link_local = a.local.to_string().starts_with("fe80:");
                (a.interface == left && link_local && !a.tentative).then_some(())
            }
            _ => None,
        });
    });
}

#[test]
fn a_monitor_sees_links_come_go_and_join_a_bridge() {
    in_namespace(|| {
        let watch = Watch::start();
        ip("link add left type veth peer name right");
        let left = index("left");
        let link = |event: &Event| match event {
            Event::Link(link) if link.index == left => Some(link.clone()),
            _ => None,
        };
        assert!(!watch.sees("a link", link).up);
        ip("link set right up");
        ip("link set left up");
        watch.sees("a running link", |event| link(event).filter(|l| l.up && l.running));
        ip("link set right down");
        watch.sees("a link without carrier", |event| link(event).filter(|l| l.up && !l.running));
        ip("link add bridge type bridge");
        ip("link set left master bridge");
        let bridge = index("bridge");
        watch.sees("a bridge's port", |event| link(event).filter(|l| l.master == Some(bridge)));
        ip("link set left nomaster");
        watch.sees("a port leaving", |event| link(event).filter(|l| l.master.is_none()));
        ip("link del left");
        watch.sees("the end of a link", |event| match event {
            Event::LinkGone(link) => (link.name == "left").then_some(()),
            _ => None,
        });
    });
}

#[test]
fn a_monitor_sees_routes_of_others_and_not_our_own() {
    in_namespace(|| {
        veth("left", "right");
        ip("address add 10.0.0.1/24 dev left");
        let left = index("left");
        let watch = Watch::start();
        let mut fib = Reconciler::new(Netlink::open().unwrap());
        fib.want_exactly((0..2000_u32).map(|i| {
            let prefix = format!("172.{}.{}.0/24", 16 + i / 256, i % 256);
            Route::unicast(254, prefix.parse().unwrap(), Hop::interface(left))
        }));
        fib.flush(usize::MAX).unwrap();
        ip("route add 192.0.2.0/24 via 10.0.0.9 table 7 metric 5 proto bird");
        let route = watch.sees("a foreign route", |event| match event {
            Event::Route(route) if route.protocol == 12 => Some(route.clone()),
            Event::Route(route) => panic!("{route:?} is no route of others"),
            _ => None,
        });
        assert_eq!(route.key.to_string(), "192.0.2.0/24 table 7 metric 5");
        let hop = Hop::via("10.0.0.9".parse().unwrap(), left);
        assert_eq!(route.kind, fib::NextHops::from(hop).into());
        ip("route del 192.0.2.0/24 table 7");
        watch.sees("the end of a foreign route", |event| match event {
            Event::RouteGone(gone) => (gone.key == route.key).then_some(()),
            _ => None,
        });
    });
}

#[test]
fn a_monitor_sees_routes_that_the_kernel_drops_in_silence() {
    in_namespace(|| {
        veth("left", "right");
        ip("address add 10.0.0.1/24 dev left");
        ip("address add 10.0.9.1/32 dev lo");
        let routes = ["192.0.2.0/24 via 10.0.0.9 table 7", "198.51.100.0/24 dev right src 10.0.9.1"];
        for route in routes {
            ip(&format!("route add {route}"));
        }
        let watch = Watch::start();
        let gone = |prefix: &'static str| {
            move |event: &Event| match event {
                Event::RouteGone(route) => (route.key.prefix.to_string() == prefix).then_some(()),
                _ => None,
            }
        };
        ip("address del 10.0.9.1/32 dev lo");
        watch.sees("a route without its source", gone("198.51.100.0/24"));
        ip("link set left down");
        watch.sees("a route without its link", gone("192.0.2.0/24"));
    });
}

#[test]
fn a_monitors_events_add_up_to_what_stands_after_a_storm() {
    in_namespace(|| {
        veth("left", "right");
        ip("address add 10.0.0.1/16 dev left");
        ip("address add 2001:db8::1/64 dev left nodad");
        let (mut monitor, _stopper) = Monitor::open().unwrap();
        // More than the socket can hold while nobody reads, so that some notifications are lost.
        let mut storm = String::new();
        for i in 0..20_000_u32 {
            let net = format!("172.{}.{}.0/24", 16 + i / 256 % 16, i % 256);
            storm += &format!("route replace {net} via 10.0.0.{} table {}\n", 2 + i % 7, 7 + i / 4096);
        }
        for i in 0..300 {
            storm += &format!("address add 10.1.{}.1/32 dev left\n", i % 256);
            storm += &format!("route append 2001:db8:{:x}::/48 via fe80::{i:x} dev left\n", i % 50);
            if i % 3 == 0 {
                storm += &format!("route del 2001:db8:{:x}::/48 via fe80::{i:x} dev left\n", i % 50);
            }
            storm += &format!("address del 10.1.{}.1/32 dev left\n", i % 256);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), storm).unwrap();
        ip(&format!("-force -batch {}", file.path().display()));
        ip("link add other type veth peer name another");
        eventually("the monitor's snapshot is what stands", || {
            let events = monitor.wait().unwrap().unwrap();
            assert!(!events.is_empty());
            *monitor.snapshot() == Snapshot::take().unwrap()
        });
        assert!(monitor.snapshot().routes().count() > 15_000);
        assert!(monitor.resync().unwrap().is_empty(), "nothing was missed");
    });
}

#[test]
fn a_monitor_stops_when_it_is_told_to() {
    in_namespace(|| {
        let watch = Watch::start();
        let (snapshot, _) = watch.stop();
        assert_eq!(snapshot.link(1).unwrap().name, "lo");
    });
}

fn bindings(pairs: &[(&str, u32)]) -> BTreeMap<String, u32> {
    pairs.iter().map(|(interface, table)| ((*interface).to_owned(), *table)).collect()
}

fn rules() -> [Vec<String>; 2] {
    ["-4 rule show", "-6 rule show"].map(|words| {
        let mut rules = lines(words);
        rules.retain(|rule| rule.contains("179"));
        rules
    })
}

#[test]
fn interfaces_are_bound_to_their_tables_by_rules_of_ours() {
    in_namespace(|| {
        veth("left", "right");
        let mut binder = Rules::open().unwrap();
        let changes = binder.apply(&bindings(&[("left", 1000), ("later", 2000)])).unwrap();
        assert_eq!((changes.added.len(), changes.removed.len(), changes.failed.len()), (4, 0, 0));
        for family in rules() {
            assert_eq!(
                family,
                [
                    "1179: from all iif later [detached] lookup 2000 proto 179",
                    "1179: from all iif left lookup 1000 proto 179"
                ]
            );
        }
        let nothing = binder.apply(&bindings(&[("left", 1000), ("later", 2000)])).unwrap();
        assert_eq!(nothing, fib::linux::RuleChanges::default());
    });
}

#[test]
fn rules_that_are_not_wanted_any_more_are_swept_and_those_of_others_stay() {
    in_namespace(|| {
        veth("left", "right");
        ip("rule add iif left lookup 5 pref 100");
        ip("rule add iif left lookup 6 pref 1179");
        ip("-6 rule add iif left lookup 6 pref 1179 proto 12");
        let before = [lines("-4 rule show"), lines("-6 rule show")];
        Rules::open().unwrap().apply(&bindings(&[("left", 1000), ("right", 1001)])).unwrap();

        let mut restarted = Rules::open().unwrap();
        let changes = restarted.apply(&bindings(&[("left", 1002)])).unwrap();
        assert_eq!((changes.added.len(), changes.removed.len()), (2, 4));
        assert_eq!(changes.added[0].to_string(), "ipv4 iif left lookup 1002");
        restarted.apply(&BTreeMap::new()).unwrap();
        assert_eq!([lines("-4 rule show"), lines("-6 rule show")], before);
    });
}

#[test]
fn a_rule_for_an_impossible_interface_name_is_reported_and_hinders_no_other() {
    in_namespace(|| {
        veth("left", "right");
        let wanted = bindings(&[("a-name-of-more-than-fifteen", 1000), ("left", 1000)]);
        let changes = Rules::open().unwrap().apply(&wanted).unwrap();
        assert_eq!((changes.added.len(), changes.failed.len()), (2, 2));
    });
}

#[test]
fn a_strict_reverse_path_filter_is_reported() {
    in_namespace(|| {
        veth("left", "right");
        let set = |interface: &str, mode: &str| {
            fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/rp_filter"), mode).unwrap();
        };
        set("all", "0");
        set("left", "0");
        assert_eq!(reverse_path("left"), Ok(ReversePath::Off));
        set("left", "2");
        assert_eq!(reverse_path("left"), Ok(ReversePath::Loose));
        set("left", "0");
        set("right", "2");
        set("all", "1");
        assert_eq!(reverse_path("left"), Ok(ReversePath::Strict));
        let strict = strict_reverse_paths(["left", "right", "absent"]);
        assert_eq!(strict.len(), 1, "the greater of both numbers counts");
        assert_eq!(
            strict[0].to_string(),
            "the strict reverse path filter of left drops packets of peered networks that come by another interface \
             than the way back; set net.ipv4.conf.left.rp_filter or net.ipv4.conf.all.rp_filter to 2, or both to 0"
        );
        assert!(reverse_path("absent").is_err());
        assert!(reverse_path("../../../kernel").is_err());
    });
}

/// Two hosts in networks of their own, each bound to its table by rules, without a leak. The other has
/// 10.2.5.1 behind it and a second interface.
fn two_networks() -> (Host, Host, Reconciler<Netlink>) {
    let one = Host::at("a0", "eth0", &["ip address add 10.1.0.2/24 dev eth0", "ip route add default via 10.1.0.1"]);
    let other = Host::at("b0", "eth0", &["ip address add 10.2.0.2/24 dev eth0", "ip address add 10.2.5.1/32 dev lo"]);
    other.attach("b1", "eth1");
    other.run("ip address add 10.3.0.2/24 dev eth1");
    other.run("ip route add default via 10.2.0.1");
    for (interface, address) in [("a0", "10.1.0.1/24"), ("b0", "10.2.0.1/24"), ("b1", "10.3.0.1/24")] {
        ip(&format!("address add {address} dev {interface}"));
        reverse_path_filter(interface, "0");
    }
    reverse_path_filter("all", "0");
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    let wanted = bindings(&[("a0", 1000), ("b0", 2000), ("b1", 2000)]);
    Rules::open().unwrap().apply(&wanted).unwrap();
    let mut fib = Reconciler::new(Netlink::open().unwrap());
    let default = "0.0.0.0/0".parse().unwrap();
    fib.want(Route::unreachable(1000, default));
    fib.want(Route::unreachable(2000, default));
    for (table, prefix, interface) in
        [(1000, "10.1.0.0/24", "a0"), (2000, "10.2.0.0/24", "b0"), (2000, "10.3.0.0/24", "b1")]
    {
        fib.want(Route::unicast(table, prefix.parse().unwrap(), Hop::interface(index(interface))));
    }
    fib.want(Route::unicast(2000, "10.2.5.0/24".parse().unwrap(), behind_b0()));
    flush(&mut fib);
    (one, other, fib)
}

fn behind_b0() -> Hop {
    Hop::via("10.2.0.2".parse().unwrap(), index("b0"))
}

/// The routes of a leak: each in the importer's table, at the exporter's real interface.
fn leak() -> [Route; 2] {
    [
        Route::unicast(1000, "10.2.5.0/24".parse().unwrap(), behind_b0()),
        Route::unicast(2000, "10.1.0.0/24".parse().unwrap(), Hop::interface(index("a0"))),
    ]
}

fn flush(fib: &mut Reconciler<Netlink>) {
    for acknowledgement in fib.flush(usize::MAX).unwrap() {
        acknowledgement.result.unwrap();
    }
}

fn reverse_path_filter(interface: &str, mode: &str) {
    fs::write(format!("/proc/sys/net/ipv4/conf/{interface}/rp_filter"), mode).unwrap();
}

#[test]
fn a_leaked_route_forwards_between_two_tables_and_stops_when_it_is_withdrawn() {
    in_namespace(|| {
        let (one, _other, mut fib) = two_networks();
        assert!(!one.pings("10.2.5.1"), "nothing is leaked yet");
        let [there, back] = leak();
        fib.want(there.clone());
        fib.want(back);
        flush(&mut fib);
        assert!(one.reaches("10.2.5.1"));
        fib.withdraw(&there.key());
        flush(&mut fib);
        assert!(!one.pings("10.2.5.1"), "withdrawn, and the main table does not step in");
    });
}

#[test]
fn the_reverse_path_filter_that_is_reported_is_the_one_that_drops() {
    in_namespace(|| {
        let (one, other, mut fib) = two_networks();
        leak().into_iter().for_each(|route| fib.want(route));
        flush(&mut fib);
        // Replies come by b1 while the leaked route points at b0.
        other.run("ip route replace default via 10.3.0.1");
        for mode in ["0", "1", "2"] {
            reverse_path_filter("b1", mode);
            let reported = !strict_reverse_paths(["a0", "b0", "b1"]).is_empty();
            assert_eq!(one.reaches("10.2.5.1"), !reported, "rp_filter {mode}");
        }
    });
}
