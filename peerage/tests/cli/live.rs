//! A daemon that runs, with real neighbours: apply, get, explain, reload, delete, restart.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use serde_json::Value;
use speaker::Speaker;

use crate::support::{Daemon, LEAF_AS, Place, peer, stderr, stdout, until};

pub(crate) const NETWORKS: &str = "\
id: privnet1
projectid: p
parentnetworkid: super
prefixes: [10.0.1.0/24]
vrf: 101
---
id: storage
projectid: s
parentnetworkid: super
shared: true
prefixes: [10.0.100.0/24]
vrf: 110
---
id: foreign
projectid: other
parentnetworkid: super
prefixes: [10.0.3.0/24]
vrf: 103
";

pub(crate) const PEERING: &str = "\
apiVersion: metal-stack.io/v1
kind: Peering
metadata: {name: to-storage}
spec: {network1: privnet1, network2: storage}
";

/// A speaker's document with these neighbours.
pub(crate) fn speaker(neighbors: &[String]) -> String {
    format!(
        "\
apiVersion: peerage.dev/v1alpha1
kind: Speaker
metadata: {{name: leaf}}
spec:
  asn: {LEAF_AS}
  routerId: 10.255.0.1
  listen: []
  fib: memory
  api: {{socket: DIRECTORY/api.sock}}
  stateFile: DIRECTORY/state.json
  vrfs:
  - {{name: privnet1, network: privnet1, connected: [127.0.0.21/32]}}
  - {{name: storage, network: storage, connected: [127.0.0.22/32]}}
  - {{name: foreign, network: foreign, connected: [10.0.3.0/24], redistributeConnected: true}}
  neighbors:
{}",
        neighbors.concat()
    )
}

pub(crate) fn neighbor(vrf: &str, address: std::net::SocketAddr, asn: u32) -> String {
    let (address, port) = (address.ip(), address.port());
    format!(
        "  - {{vrf: {vrf}, address: {address}, port: {port}, localAddress: 127.0.0.1, remoteAs: {asn}, class: fabric, timers: {{connectRetry: 1}}}}\n"
    )
}

/// A machine in privnet1 and a host in storage, and the place of a daemon that has both as neighbours.
pub(crate) struct Rig {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) machine: Speaker,
    pub(crate) storage: Speaker,
    pub(crate) neighbors: Vec<String>,
    pub(crate) place: Place,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (machine, at1) = runtime.block_on(peer(65_001, "127.0.0.21", &["10.0.1.11/32", "192.0.2.1/32"]));
        let (storage, at2) = runtime.block_on(peer(65_002, "127.0.0.22", &["10.0.100.13/32"]));
        let neighbors = vec![neighbor("privnet1", at1, 65_001), neighbor("storage", at2, 65_002)];
        let place = Place::new();
        place.write("leaf.yaml", &speaker(&neighbors));
        place.write("networks.yaml", NETWORKS);
        Self { runtime, machine, storage, neighbors, place }
    }

    /// The daemon, with both sessions established and both tables filled.
    pub(crate) fn start(&self) -> Daemon<'_> {
        let daemon = self.place.start();
        filled(&daemon);
        daemon
    }

    /// How often a peer's session was established.
    pub(crate) fn established(&self, peer: &Speaker) -> u64 {
        self.runtime.block_on(peer.neighbors()).unwrap()[0].established_count
    }
}

pub(crate) fn filled(daemon: &Daemon<'_>) {
    daemon
        .json_until(&["get", "neighbors"], |neighbors| neighbors[0]["accepted"] == 2 && neighbors[1]["accepted"] == 1);
}

/// Applies a manifest and gives what was printed; it must succeed.
pub(crate) fn apply(daemon: &Daemon<'_>, name: &str, text: &str) -> String {
    let file = daemon.place.path(name);
    std::fs::write(&file, text).unwrap();
    let answer = daemon.ask(&["apply", "-f", file.to_str().unwrap()]);
    assert!(answer.status.success(), "{}", stderr(&answer));
    stdout(&answer)
}

pub(crate) fn ready(peerings: &Value) -> bool {
    peerings[0]["state"] == "Ready"
}

pub(crate) fn leaked(daemon: &Daemon<'_>, vrf: &str) -> Vec<String> {
    let routes = daemon.json(&["routes", "--vrf", vrf, "--leaked"]);
    routes.as_array().unwrap().iter().map(|route| route["prefix"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_applied_peering_leaks_both_ways_is_explained_and_leaves_nothing_when_deleted() {
    let rig = Rig::new();
    let daemon = rig.start();
    assert_eq!(apply(&daemon, "peering.yaml", PEERING).lines().next(), Some("Peering default/to-storage created"));
    let peerings = daemon.json_until(&["get", "peerings"], ready);
    assert_eq!(peerings[0]["phase"], "Bound");
    assert_eq!(peerings[0]["reason"], Value::Null);
    assert_eq!(peerings[0]["leaks"][1]["refused"]["OutsideDeclared"], 1);
    assert_eq!(leaked(&daemon, "privnet1"), ["10.0.100.13/32"]);
    assert_eq!(leaked(&daemon, "storage"), ["10.0.1.11/32"]);

    let route = &daemon.json(&["routes", "--vrf", "privnet1", "10.0.100.13/32"])[0];
    assert_eq!((&route["from"], &route["peering"]), (&"storage".into(), &"to-storage".into()));
    assert_eq!((&route["nextHop"], &route["asPath"]), (&"127.0.0.22".into(), &"65002".into()));

    let text = stdout(&daemon.ask(&["explain", "--vrf", "privnet1", "10.0.100.13/32"]));
    assert!(text.starts_with("10.0.100.13/32 in privnet1: leaked\n"), "{text}");
    let why = daemon.json(&["explain", "--vrf", "storage", "192.0.2.1/32", "--from", "privnet1"]);
    assert_eq!((&why["verdict"], &why["reason"]), (&"absent".into(), &"OutsideDeclared".into()));

    let answer = daemon.ask(&["network", "peering", "delete", "to-storage"]);
    assert!(answer.status.success(), "{}", stderr(&answer));
    daemon.json_until(&["get", "vrfs"], |vrfs| vrfs.as_array().unwrap().iter().all(|vrf| vrf["leaked"] == 0));
    assert_eq!(daemon.json(&["get", "peerings"]), serde_json::json!([]));
    assert!(daemon.stop());
    assert!(!rig.place.path("api.sock").exists());
}

#[test]
fn applying_twice_changes_nothing_the_second_time() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "peering.yaml", PEERING);
    let before = daemon.json_until(&["get", "peerings"], ready);
    assert_eq!(apply(&daemon, "peering.yaml", PEERING), "Peering default/to-storage unchanged\n");
    assert_eq!(daemon.json(&["get", "peerings"]), before);
}

#[test]
fn a_faulty_manifest_is_refused_whole_with_every_fault_and_its_line() {
    let rig = Rig::new();
    let daemon = rig.start();
    let file = rig.place.path("bad.yaml");
    let bad = format!("{PEERING}---\nid: n\nvrf: 20000000\nprefixes: [x]\n");
    std::fs::write(&file, bad).unwrap();
    let answer = daemon.ask(&["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(answer.status.code(), Some(1));
    let text = stderr(&answer);
    for fault in ["bad.yaml:7: document 1: vrf: Invalid", "bad.yaml:8: document 1: prefixes[0]: Invalid"] {
        assert!(text.contains(fault), "{fault:?} is not in\n{text}");
    }
    assert_eq!(daemon.json(&["get", "peerings"]), serde_json::json!([]));
}

#[test]
fn a_peering_of_two_projects_is_refused_and_explain_says_so() {
    let rig = Rig::new();
    let daemon = rig.start();
    let answer = daemon.ask(&["network", "peering", "create", "--network1", "privnet1", "--network2", "foreign"]);
    assert!(answer.status.success(), "{}", stderr(&answer));
    let peering = &daemon.json(&["get", "peerings"])[0];
    assert_eq!(peering["name"], "privnet1-to-foreign");
    assert_eq!((&peering["state"], &peering["reason"]), (&"Error".into(), &"CrossProject".into()));
    assert_eq!(leaked(&daemon, "privnet1"), [""; 0]);
    let text = stdout(&daemon.ask(&["explain", "--vrf", "privnet1", "10.0.3.0/24", "--from", "foreign"]));
    assert!(text.contains("absent (NotPeered)") && text.contains("CrossProject"), "{text}");
}

#[test]
fn peerings_are_created_listed_described_and_deleted_by_flags() {
    let rig = Rig::new();
    let daemon = rig.start();
    let create = ["network", "peering", "create", "--network1", "privnet1", "--network2", "storage"];
    assert!(daemon.ask(&create).status.success());
    let again = daemon.ask(&create);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("Duplicate"), "{}", stderr(&again));
    let external = "network peering create --network1 privnet1 --localAs 65000 --localCidr 172.16.0.1 \
                    --localPort Ethernet0@exit01 --remoteAs 65001 --remoteCidr 172.16.0.2";
    let answer = daemon.ask(&external.split_whitespace().collect::<Vec<_>>());
    assert!(answer.status.success(), "{}", stderr(&answer));

    let list = stdout(&daemon.ask(&["network", "peering", "list"]));
    let names: Vec<_> = list.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["privnet1-to-as65001", "privnet1-to-storage"]);
    let described = stdout(&daemon.ask(&["network", "peering", "describe", "privnet1-to-storage"]));
    assert!(described.starts_with("name: privnet1-to-storage\nnetwork1: default/privnet1\n"), "{described}");

    assert!(daemon.ask(&["network", "peering", "delete", "privnet1-to-storage"]).status.success());
    for command in ["delete", "describe"] {
        let answer = daemon.ask(&["network", "peering", command, "privnet1-to-storage"]);
        assert_eq!(answer.status.code(), Some(1));
        assert!(stderr(&answer).contains("NotFound"), "{}", stderr(&answer));
    }
    let ignored = ["network", "peering", "delete", "privnet1-to-storage", "--ignore-not-found"];
    assert!(daemon.ask(&ignored).status.success());
}

#[test]
fn sighup_brings_what_is_new_and_moves_no_session_that_is_not_touched() {
    let rig = Rig::new();
    let daemon = rig.start();
    let (third, at) = rig.runtime.block_on(peer(65_003, "127.0.0.23", &["10.0.1.12/32"]));
    let mut neighbors = rig.neighbors.clone();
    neighbors.push(neighbor("privnet1", at, 65_003));
    rig.place.write("leaf.yaml", &speaker(&neighbors));
    rig.place.write("peering.yaml", PEERING);
    daemon.signal("HUP");
    daemon.json_until(&["get", "neighbors"], |neighbors| neighbors[2]["state"] == "Established");
    daemon.json_until(&["get", "peerings"], ready);
    for peer in [&rig.machine, &rig.storage, &third] {
        assert_eq!(rig.established(peer), 1);
    }

    // What a file defines cannot be deleted over the API.
    let answer = daemon.ask(&["network", "peering", "delete", "to-storage"]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(stderr(&answer).contains("peering.yaml"), "{}", stderr(&answer));
    std::fs::remove_file(rig.place.path("manifests/peering.yaml")).unwrap();
    daemon.signal("HUP");
    daemon.json_until(&["get", "peerings"], |peerings| *peerings == serde_json::json!([]));
    assert_eq!(leaked(&daemon, "storage"), [""; 0]);
    for peer in [&rig.machine, &rig.storage] {
        assert_eq!(rig.established(peer), 1);
    }
}

#[test]
fn sighup_with_a_fault_in_a_file_changes_nothing_and_logs_the_fault() {
    let rig = Rig::new();
    let daemon = rig.start();
    let before = daemon.json(&["get", "vrfs"]);
    rig.place.write("leaf.yaml", &speaker(&rig.neighbors).replace("10.255.0.1", "nowhere"));
    daemon.signal("HUP");
    until("the log line", || {
        let log = rig.place.log();
        if log.contains("spec.routerId: Invalid") && log.contains("nothing is reloaded") { Ok(()) } else { Err(log) }
    });
    assert_eq!(daemon.json(&["get", "vrfs"]), before);
    assert_eq!(rig.established(&rig.machine), 1);
}

#[test]
fn what_was_applied_outlives_a_restart_with_its_times() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "peering.yaml", PEERING);
    let before = daemon.json_until(&["get", "peerings"], ready);
    assert!(daemon.stop());
    let daemon = rig.start();
    let after = daemon.json_until(&["get", "peerings"], |peerings| ready(peerings) && peerings[0] == before[0]);
    assert_eq!(after[0]["lastPhaseTransitionTime"], before[0]["lastPhaseTransitionTime"]);
    assert_eq!(leaked(&daemon, "storage"), ["10.0.1.11/32"]);
}

#[test]
fn the_socket_is_for_owner_and_group_and_a_second_daemon_is_refused() {
    let rig = Rig::new();
    let daemon = rig.start();
    let mode = std::fs::metadata(rig.place.path("api.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let second = crate::support::peerage(&["run", "-f", rig.place.path("manifests").to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("another daemon answers there"), "{}", stderr(&second));
    filled(&daemon);
}

#[test]
fn listings_come_as_tables_json_and_yaml() {
    let rig = Rig::new();
    let daemon = rig.start();
    let table = stdout(&daemon.ask(&["get", "neighbors"]));
    assert!(table.starts_with("VRF       ADDRESS     AS     CLASS   STATE"), "{table}");
    assert!(table.contains("privnet1  127.0.0.21  65001  fabric  Established"), "{table}");
    let wide = stdout(&daemon.ask(&["get", "neighbors", "-o", "wide"]));
    assert!(wide.contains("peer-65001"), "{wide}");
    let yaml = stdout(&daemon.ask(&["get", "networks", "-o", "yaml"]));
    assert!(yaml.starts_with("- namespace: default\n  name: foreign\n"), "{yaml}");
    let networks = daemon.json(&["get", "networks"]);
    assert_eq!(networks[1]["vrf"], "privnet1");
}

/// The status and the JSON of the answer to a request's head, to which no body is sent.
pub(crate) fn request(daemon: &Daemon<'_>, head: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(daemon.place.socket()).unwrap();
    write!(stream, "{head}\r\nhost: peerage\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn what_the_api_refuses_it_refuses_in_json_with_a_reason() {
    let rig = Rig::new();
    let daemon = rig.start();
    let large =
        format!("POST /v1/apply HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}", (16 << 20) + 1);
    for (head, status, reason) in [
        ("GET /v1/nothing HTTP/1.1", 404, "NotFound"),
        ("GET /v1/routes HTTP/1.1", 422, "Invalid"),
        ("GET /v1/routes?vrf=nowhere HTTP/1.1", 404, "NotFound"),
        ("GET /v1/explain?vrf=privnet1&prefix=x HTTP/1.1", 422, "Invalid"),
        ("DELETE /v1/peering?name=nothing HTTP/1.1", 404, "NotFound"),
        (&large, 413, "TooLarge"),
    ] {
        let (found, body) = request(&daemon, head);
        assert_eq!((found, &body["reason"]), (status, &reason.into()), "{head}");
        assert!(!body["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn a_table_is_listed_whole_and_in_order_page_by_page() {
    let rig = Rig::new();
    let routes = (0..600_u32).map(|n| speaker::Injected {
        prefix: ipnet::IpNet::new(std::net::Ipv4Addr::from(0x1400_0000 + (n << 8)).into(), 24).unwrap(),
        attributes: bytes::Bytes::from(bgp_wire::AttributesBuilder::new(bgp_wire::Origin::Igp).build()),
        next_hop: None,
    });
    rig.runtime.block_on(rig.machine.inject("main", routes.collect())).unwrap();
    let daemon = rig.place.start();
    daemon.json_until(&["get", "neighbors"], |neighbors| neighbors[0]["accepted"] == 602);
    let prefix = |route: &Value| route["prefix"].as_str().unwrap().parse::<ipnet::IpNet>().unwrap();
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let (status, page) = request(&daemon, &format!("GET /v1/routes?vrf=privnet1&limit=100{after} HTTP/1.1"));
        assert_eq!(status, 200);
        all.extend(page["routes"].as_array().unwrap().iter().map(prefix));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(all.len(), 602);
    assert!(all.is_sorted());
    let listed = daemon.json(&["routes", "--vrf", "privnet1"]);
    assert_eq!(listed.as_array().unwrap().iter().map(prefix).collect::<Vec<_>>(), all);
}

#[test]
fn a_peering_above_its_limit_is_in_error_and_keeps_what_stands() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "peering.yaml", &PEERING.replace("network2: storage", "network2: storage, limit: 1"));
    daemon.json_until(&["get", "peerings"], ready);
    let attributes = bytes::Bytes::from(bgp_wire::AttributesBuilder::new(bgp_wire::Origin::Igp).build());
    let second = speaker::Injected { prefix: "10.0.1.12/32".parse().unwrap(), attributes, next_hop: None };
    rig.runtime.block_on(rig.machine.inject("main", vec![second])).unwrap();
    let peerings = daemon.json_until(&["get", "peerings"], |peerings| peerings[0]["state"] == "Error");
    assert_eq!((&peerings[0]["phase"], &peerings[0]["reason"]), (&"Bound".into(), &"PrefixLimit".into()));
    assert_eq!(leaked(&daemon, "storage"), ["10.0.1.11/32"]);
    assert_eq!(leaked(&daemon, "privnet1"), ["10.0.100.13/32"]);

    rig.runtime.block_on(rig.machine.withdraw("main", vec!["10.0.1.12/32".parse().unwrap()])).unwrap();
    daemon.json_until(&["get", "peerings"], ready);
}

#[test]
fn a_peering_with_a_network_that_has_no_vrf_here_is_bound_and_not_programmed() {
    let rig = Rig::new();
    let daemon = rig.start();
    let elsewhere = "id: elsewhere\nprojectid: p\nparentnetworkid: super\nprefixes: [10.0.9.0/24]\nvrf: 109\n---\n";
    apply(&daemon, "elsewhere.yaml", &format!("{elsewhere}{}", PEERING.replace("storage", "elsewhere")));
    let peering = &daemon.json(&["get", "peerings"])[0];
    assert_eq!(
        (&peering["phase"], &peering["state"], &peering["reason"]),
        (&"Bound".into(), &"Pending".into(), &"NotProgrammed".into())
    );
    assert!(peering["message"].as_str().unwrap().contains("default/elsewhere"), "{peering}");
}
