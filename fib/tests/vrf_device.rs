//! VRF devices, which the kernel that tests run on may lack: in a virtual machine.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use std::fs;

use fib::{
    Hop, Netlink, Reconciler, Route,
    linux::{Event, Monitor, Snapshot, strict_reverse_paths},
};
use support::{Host, guest::in_guest, index, ip, lines};

#[test]
fn a_leaked_route_forwards_between_vrf_devices_and_stops_when_it_is_withdrawn() {
    in_guest(|| {
        let one = Host::at(
            "a0",
            "eth0",
            &[
                "ip address add 10.1.0.2/24 dev eth0",
                "ip address add 2001:db8:1::2/64 dev eth0 nodad",
                "ip route add default via 10.1.0.1",
                "ip route add default via 2001:db8:1::1",
            ],
        );
        let _other = Host::at(
            "b0",
            "eth0",
            &[
                "ip address add 10.2.0.2/24 dev eth0",
                "ip address add 10.2.5.1/32 dev lo",
                "ip address add 10.2.6.1/32 dev lo",
                "ip address add fe80::b/64 dev eth0 nodad",
                "ip address add 2001:db8:2::2/64 dev eth0 nodad",
                "ip route add default via 10.2.0.1",
                "ip route add default via 2001:db8:2::1",
            ],
        );
        let (mut monitor, _stopper) = Monitor::open().unwrap();
        for words in [
            "link add red type vrf table 100",
            "link add blue type vrf table 200",
            "link set red up",
            "link set blue up",
            "link set a0 master red",
            "link set b0 master blue",
            "address add 10.1.0.1/24 dev a0",
            "address add 10.2.0.1/24 dev b0",
            "address add 2001:db8:1::1/64 dev a0 nodad",
            "address add 2001:db8:2::1/64 dev b0 nodad",
        ] {
            ip(words);
        }
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        let (a0, b0) = (index("a0"), index("b0"));

        // The device tells its table, and who belongs to it.
        let snapshot = Snapshot::take().unwrap();
        let red = snapshot.link_named("red").unwrap();
        assert_eq!(red.vrf_table, Some(100));
        assert_eq!(snapshot.vrf_of(a0), Some(red));
        assert_eq!(snapshot.vrf_of(b0).unwrap().vrf_table, Some(200));
        assert_eq!(snapshot.vrf_of(red.index), None);
        let members: Vec<&str> = snapshot.members(red.index).map(|link| link.name.as_str()).collect();
        assert_eq!(members, ["a0"]);
        let mut joined = false;
        while !joined {
            let events = monitor.wait().unwrap().unwrap();
            joined = events.iter().any(|e| matches!(e, Event::Link(l) if l.index == b0 && l.master.is_some()));
        }

        let net = |text: &str| text.parse().unwrap();
        let mut fib = Reconciler::new(Netlink::open().unwrap());
        for table in [100, 200] {
            fib.want(Route::unreachable(table, net("0.0.0.0/0")));
            fib.want(Route::unreachable(table, net("::/0")));
        }
        let gateway = Hop::via("10.2.0.2".parse().unwrap(), b0);
        fib.want(Route::unicast(200, net("10.2.5.0/24"), gateway));
        flush(&mut fib);
        let there = ["10.2.0.2", "10.2.5.1", "10.2.6.1", "2001:db8:2::2"];
        for address in there {
            assert!(!one.pings(address), "{address} is not leaked yet");
        }

        // Each in the importer's table, at the exporter's real interface.
        let leaked = [
            Route::unicast(100, net("10.2.0.0/24"), Hop::interface(b0)),
            Route::unicast(100, net("10.2.5.0/24"), gateway),
            Route::unicast(100, net("10.2.6.0/24"), Hop::via("fe80::b".parse().unwrap(), b0)),
            Route::unicast(100, net("2001:db8:2::/64"), Hop::interface(b0)),
            Route::unicast(200, net("10.1.0.0/24"), Hop::interface(a0)),
            Route::unicast(200, net("2001:db8:1::/64"), Hop::interface(a0)),
        ];
        leaked.iter().for_each(|route| fib.want(route.clone()));
        flush(&mut fib);
        for line in [
            "10.2.0.0/24 dev b0 proto 179 scope link metric 1179",
            "10.2.5.0/24 via 10.2.0.2 dev b0 proto 179 metric 1179",
            "10.2.6.0/24 via inet6 fe80::b dev b0 proto 179 metric 1179",
        ] {
            let red = lines("route show vrf red");
            assert!(red.contains(&line.to_owned()), "{red:?}");
        }
        for address in there {
            assert!(one.reaches(address), "{address} is leaked");
        }
        assert!(!fib.compare().unwrap().drifted());
        fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "1").unwrap();
        assert_eq!(strict_reverse_paths(["a0", "b0"]).len(), 2);
        assert!(one.reaches("10.2.5.1"), "the way back is the same interface, so the strict filter passes it");

        leaked.iter().for_each(|route| fib.withdraw(&route.key()));
        flush(&mut fib);
        for address in there {
            assert!(!one.pings(address), "{address} is withdrawn");
        }
    });
}

fn flush(fib: &mut Reconciler<Netlink>) {
    for acknowledgement in fib.flush(usize::MAX).unwrap() {
        acknowledgement.result.unwrap_or_else(|error| panic!("{}: {error}", acknowledgement.key));
    }
}
