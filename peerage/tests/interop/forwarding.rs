//! The main job with packets: machine A runs BIRD, storage runs FRR, the ISP runs GoBGP, a machine
//! of a third network runs BIRD as well, and the leaf between them runs peerage on kernel tables.

use std::time::Duration;

use super::daemons::{self, Peer, Sessions};
use super::peerage::Peerage;
use super::rig::{Host, Rig, inside, need, until, until_within};

const LEAF: &str = r#"
apiVersion: peerage.dev/v1alpha1
kind: Speaker
metadata: {name: leaf}
spec:
  asn: 65000
  routerId: 10.255.0.1
  fib: linux
  api: {socket: SOCKET}
  stateFile: STATE
  vrfs:
    - {name: privnet1, network: privnet1, table: 101, interfaces: [toa], redistributeConnected: true}
    - {name: storage, network: storage, table: 102, interfaces: [tos], redistributeConnected: true}
    - {name: privnet3, network: privnet3, table: 103, interfaces: [toc], redistributeConnected: true}
    - {name: internet, network: internet, table: 104, interfaces: [toi], redistributeConnected: true}
  neighbors:
    - {vrf: privnet1, address: 10.1.0.2, remoteAs: 65001, class: fabric, timers: {connectRetry: 1}}
    - {vrf: storage, address: 10.2.0.2, remoteAs: 65002, class: fabric, timers: {connectRetry: 1}}
    - {vrf: privnet3, address: 10.3.0.2, remoteAs: 65003, class: fabric, timers: {connectRetry: 1}}
    - {vrf: internet, address: 192.0.2.2, remoteAs: 65004, class: external, import: accept, export: accept, timers: {connectRetry: 1}}
---
id: privnet1
projectid: p1
parentnetworkid: tenant-super
prefixes: [10.1.0.0/16]
vrf: 101
---
id: storage
projectid: p2
parentnetworkid: tenant-super
shared: true
prefixes: [10.2.0.0/16]
vrf: 102
---
id: privnet3
projectid: p3
parentnetworkid: tenant-super
prefixes: [10.3.0.0/16]
vrf: 103
---
id: internet
prefixes: [192.0.2.0/24]
destinationprefixes: [0.0.0.0/0]
vrf: 104
"#;

const A_TO_STORAGE: &str = "apiVersion: metal-stack.io/v1\nkind: Peering\nmetadata: {name: privnet1-to-storage}\nspec: {network1: privnet1, network2: storage}\n";
const C_TO_STORAGE: &str = "apiVersion: metal-stack.io/v1\nkind: Peering\nmetadata: {name: privnet3-to-storage}\nspec: {network1: privnet3, network2: storage}\n";

/// Addresses that live behind the machines, announced by their daemons.
const A: &str = "10.1.100.1";
const STORAGE: &str = "10.2.100.1";
const C: &str = "10.3.100.1";

struct Net {
    _rig: Rig,
    a: Host,
    storage: Host,
    c: Host,
    leaf: Host,
    peerage: Peerage,
    storage_daemon: Box<dyn Peer>,
    _others: Vec<Box<dyn Peer>>,
}

fn sessions(
    local_as: u32,
    router_id: &'static str,
    local: &'static str,
    remote: &'static str,
    announce: &[&str],
) -> Sessions {
    Sessions {
        local_as,
        remote_as: 65000,
        router_id,
        ipv4: (local, remote),
        ipv6: None,
        announce4: announce.iter().map(|prefix| (*prefix).to_owned()).collect(),
        announce6: Vec::new(),
        hold: 9,
    }
}

/// Every host and daemon, sessions up, the machines' routes in the leaf's kernel tables.
fn net() -> Net {
    let rig = Rig::new();
    let [a, storage, c, isp, leaf] = ["a", "storage", "c", "isp", "leaf"].map(|name| rig.host(name));
    leaf.forwards();
    rig.cable((&a, "eth0", &["10.1.0.2/24"]), (&leaf, "toa", &["10.1.0.1/24"]));
    rig.cable((&storage, "eth0", &["10.2.0.2/24"]), (&leaf, "tos", &["10.2.0.1/24"]));
    rig.cable((&c, "eth0", &["10.3.0.2/24"]), (&leaf, "toc", &["10.3.0.1/24"]));
    rig.cable((&isp, "eth0", &["192.0.2.2/24"]), (&leaf, "toi", &["192.0.2.1/24"]));
    for (host, address, gateway) in [(&a, A, "10.1.0.1"), (&storage, STORAGE, "10.2.0.1"), (&c, C, "10.3.0.1")] {
        host.ip(&format!("addr add {address}/32 dev lo"));
        host.ip(&format!("route add default via {gateway} src {address}"));
    }
    let peerage = Peerage::start(&leaf, LEAF);
    let others = vec![
        daemons::start("bird", &a, &sessions(65001, "10.1.0.2", "10.1.0.2", "10.1.0.1", &["10.1.100.1/32"])),
        daemons::start("bird", &c, &sessions(65003, "10.3.0.2", "10.3.0.2", "10.3.0.1", &["10.3.100.1/32"])),
        daemons::start("gobgp", &isp, &sessions(65004, "192.0.2.2", "192.0.2.2", "192.0.2.1", &["198.51.100.0/24"])),
    ];
    let storage_daemon =
        daemons::start("frr", &storage, &sessions(65002, "10.2.0.2", "10.2.0.2", "10.2.0.1", &["10.2.100.1/32"]));
    let net = Net { _rig: rig, a, storage, c, leaf, peerage, storage_daemon, _others: others };
    for (table, prefix) in [(101, A), (102, STORAGE), (103, C), (104, "198.51.100.0/24")] {
        net.until_routed(table, prefix, true);
    }
    net
}

impl Net {
    fn routed(&self, table: u32, prefix: &str) -> bool {
        self.leaf.ip(&format!("route show table {table} {prefix}")).contains(prefix)
    }

    fn until_routed(&self, table: u32, prefix: &str, wanted: bool) {
        let awaited = format!("{prefix} {} in table {table}", if wanted { "is" } else { "is not" });
        until(&awaited, || self.routed(table, prefix) == wanted, || self.state());
    }

    fn state(&self) -> String {
        let tables: String = (101..105)
            .map(|table| format!("table {table}:\n{}", self.leaf.ip(&format!("route show table {table}"))))
            .collect();
        format!("{tables}{}{}", self.leaf.ip("rule"), self.peerage.state())
    }

    fn peer_a_with_storage(&self) {
        self.peerage.apply("a-to-storage.yaml", A_TO_STORAGE);
        self.until_routed(101, STORAGE, true);
        self.until_routed(102, A, true);
    }
}

/// One line sent and echoed over TCP from `from` to `to`.
fn tcp_stream_passes(from: &Host, to: &Host, address: &str) -> bool {
    need("/usr/bin/python3", "python3");
    let server = to.start("echo", "sh", &["-c", "exec timeout 20 /usr/bin/python3 -c \"$0\"", ECHO]);
    let mut passed = false;
    until(
        "a TCP stream passes",
        || {
            let client = format!(
                "import socket; s=socket.create_connection(('{address}',7007),2); s.sendall(b'x'*200000); s.shutdown(1); n=0\nwhile True:\n b=s.recv(65536)\n if not b: break\n n+=len(b)\nassert n==200000"
            );
            passed = from.try_run("/usr/bin/python3", &["-c", &client]).status.success();
            passed
        },
        || server.log(),
    );
    server.signal("TERM");
    passed
}

const ECHO: &str = "import socket; l=socket.create_server(('0.0.0.0',7007)); c,_=l.accept()\nd=b''\nwhile True:\n b=c.recv(65536)\n if not b: break\n d+=b\nc.sendall(d); c.close()";

#[test]
fn packets_pass_between_peered_networks_and_only_between_them() {
    if !inside() {
        return;
    }
    let net = net();
    assert!(!net.a.pings(STORAGE), "A reaches storage before any peering\n{}", net.state());

    net.peer_a_with_storage();
    until("A reaches storage", || net.a.pings(STORAGE), || net.state());
    assert!(net.storage.pings(A), "storage does not reach A\n{}", net.state());
    assert!(tcp_stream_passes(&net.a, &net.storage, STORAGE));
    assert!(tcp_stream_passes(&net.storage, &net.a, A));
    let trace = net.a.run("traceroute", &["-n", "-q1", "-w2", "-s", "10.1.0.2", STORAGE]);
    let hops: Vec<&str> = trace.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(hops, ["10.1.0.1", STORAGE], "the leaf is the only hop between A and storage:\n{trace}");

    net.peerage.apply("c-to-storage.yaml", C_TO_STORAGE);
    net.until_routed(103, STORAGE, true);
    net.until_routed(102, C, true);
    until("C reaches storage", || net.c.pings(STORAGE), || net.state());
    assert!(!net.c.pings(A), "C reaches A through storage's peerings\n{}", net.state());
    assert!(!net.routed(103, A) && !net.routed(101, C), "{}", net.state());
}

#[test]
fn deleting_a_peering_stops_the_packets_within_a_second() {
    if !inside() {
        return;
    }
    let net = net();
    net.peer_a_with_storage();
    until("A reaches storage", || net.a.pings(STORAGE), || net.state());
    net.peerage.cli(&["network", "peering", "delete", "privnet1-to-storage"]);
    until_within(
        Duration::from_secs(1),
        "the leaked routes are gone",
        || !net.routed(101, STORAGE) && !net.routed(102, A),
        || net.state(),
    );
    assert!(!net.a.pings(STORAGE), "A still reaches storage\n{}", net.state());
    assert!(net.routed(102, STORAGE) && net.routed(101, A), "native routes stay\n{}", net.state());
}

#[test]
fn a_leak_is_withdrawn_when_the_exporters_daemon_is_killed() {
    if !inside() {
        return;
    }
    let mut net = net();
    net.peer_a_with_storage();
    net.storage_daemon.daemon().end("KILL");
    net.until_routed(101, STORAGE, false);
    net.until_routed(102, STORAGE, false);
    assert!(net.routed(102, A), "the other direction stays\n{}", net.state());
}

#[test]
fn forwarding_goes_on_through_a_kill_and_a_restart_and_nothing_stale_stays() {
    if !inside() {
        return;
    }
    let mut net = net();
    net.peer_a_with_storage();
    until("A reaches storage", || net.a.pings(STORAGE), || net.state());
    // A route that an earlier run left and that nobody wants now; its protocol is ours.
    let ours = net.leaf.ip(&format!("route show table 101 {STORAGE}"));
    let protocol = ours.split_whitespace().skip_while(|word| *word != "proto").nth(1).expect("a protocol").to_owned();

    let mut pinger = net.a.start("ping", "ping", &["-n", "-i", "0.05", "-c", "200", "-W", "1", STORAGE]);
    net.peerage.daemon.end("KILL");
    assert!(net.routed(101, STORAGE), "the routes stay when the program is killed");
    net.leaf.ip(&format!("route add 10.2.77.0/24 via 10.2.0.2 dev tos table 101 proto {protocol} metric 20"));
    net.peerage.restart();
    pinger.wait();
    assert!(pinger.log().contains(" 0% packet loss"), "forwarding stopped:\n{}\n{}", pinger.log(), net.state());
    net.until_routed(101, "10.2.77.0/24", false);
    assert!(net.routed(101, STORAGE) && net.routed(102, A), "{}", net.state());
    assert!(net.a.pings(STORAGE));
}
