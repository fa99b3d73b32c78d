//! The rules of network peering as the running daemon carries them out, seen at its command line and at its neighbours.

use std::net::SocketAddr;

use serde_json::Value;
use speaker::{Config, NeighborConfig, RemoteAs, Speaker, VrfConfig};

use crate::live::{PEERING, Rig, apply, leaked, ready};
use crate::support::{Daemon, LEAF_AS, Place, peer, stderr, stdout, until};

/// One ironcore network with an entry for the other, if it has one, and this `metadata`.
fn ironcore(name: &str, metadata: &str, vni: u32, target: &str) -> String {
    let entry = if target.is_empty() {
        String::new()
    } else {
        format!("{{name: to-{target}, networkRef: {{name: {target}}}}}")
    };
    format!(
        "---\n{{apiVersion: networking.ironcore.dev/v1alpha1, kind: Network, metadata: {{name: {name}{metadata}}}, \
         spec: {{providerID: 'ironcore-net://x/{name}/{vni}/u', peerings: [{entry}]}}}}\n"
    )
}

/// A daemon named `leaf` with these VRFs, each of the network of its name, and neighbours.
fn leaf(vrfs: &[&str], neighbors: &[String], listen: &str) -> String {
    let vrfs = vrfs
        .iter()
        .map(|name| format!("  - {{name: {name}, network: {name}, connected: [127.0.0.0/8], staticRoutes: []}}\n"));
    format!(
        "apiVersion: peerage.dev/v1alpha1\nkind: Speaker\nmetadata: {{name: leaf}}\nspec:\n  asn: {LEAF_AS}\n  \
         routerId: 10.255.0.1\n  listen: [{listen}]\n  fib: memory\n  api: {{socket: DIRECTORY/api.sock}}\n  \
         stateFile: DIRECTORY/state.json\n  vrfs:\n{}  neighbors:\n{}",
        vrfs.collect::<String>(),
        if neighbors.is_empty() { "    []\n".to_owned() } else { neighbors.concat() }
    )
}

fn neighbor(vrf: &str, at: SocketAddr, asn: u32, more: &str) -> String {
    let (address, port) = (at.ip(), at.port());
    format!(
        "  - {{vrf: {vrf}, address: {address}, port: {port}, localAddress: 127.0.0.1, remoteAs: {asn}, {more}, \
         timers: {{connectRetry: 1}}}}\n"
    )
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// What a neighbour was told: the prefixes in its table that are not its own.
fn told(runtime: &tokio::runtime::Runtime, peer: &Speaker, prefix: &str) -> Option<Vec<u32>> {
    let route = runtime.block_on(peer.route("main", prefix.parse().unwrap())).unwrap()?;
    Some(route.paths[0].as_numbers.clone())
}

fn statuses(peerings: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows = peerings.as_array().unwrap().iter();
    rows.map(|row| {
        let [name, phase, state, reason] = ["name", "phase", "state", "reason"].map(|key| text(&row[key]));
        format!("{name} {phase} {state} {reason}")
    })
    .collect()
}

#[test]
fn r11_the_daemon_keeps_the_first_object_until_another_is_accepted() {
    let place = Place::new();
    place.write("leaf.yaml", &leaf(&["a", "b"], &[], ""));
    place.write("a.yaml", &ironcore("a", "", 101, "b"));
    place.write("b.yaml", &ironcore("b", ", uid: one", 102, "a"));
    let daemon = place.start();
    let bound = |peerings: &Value| peerings[0]["phase"] == "Bound" && peerings[1]["phase"] == "Bound";
    daemon.json_until(&["get", "peerings"], bound);

    place.write("b.yaml", &ironcore("b", ", uid: two", 102, "a"));
    daemon.signal("HUP");
    let peerings = daemon.json_until(&["get", "peerings"], |peerings| !bound(peerings));
    assert_eq!(statuses(&peerings)[0], "default/a/to-b Pending Pending UIDMismatch");

    let unknown = daemon.ask(&["network", "peering", "accept", "default/a/to-c"]);
    assert!(!unknown.status.success() && stderr(&unknown).contains("NotFound"), "{}", stderr(&unknown));
    let accepted = daemon.ask(&["network", "peering", "accept", "default/a/to-b"]);
    assert!(accepted.status.success(), "{}", stderr(&accepted));
    daemon.json_until(&["get", "peerings"], bound);
    assert!(daemon.stop());
    let daemon = place.start();
    assert!(bound(&daemon.json(&["get", "peerings"])), "what was accepted outlives a restart");
}

#[test]
fn r28_deleting_what_does_not_exist_is_not_found_unless_that_is_ignored() {
    let rig = Rig::new();
    let daemon = rig.start();
    let answer = daemon.ask(&["network", "peering", "delete", "nothing"]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(stderr(&answer).contains("NotFound"), "{}", stderr(&answer));
    assert!(daemon.ask(&["network", "peering", "delete", "nothing", "--ignore-not-found"]).status.success());
}

#[test]
fn r34_conflicts_are_listed_with_winner_loser_and_rule() {
    let rig = Rig::new();
    let daemon = rig.start();
    let attributes = bytes::Bytes::from(bgp_wire::AttributesBuilder::new(bgp_wire::Origin::Igp).build());
    let within = speaker::Injected { prefix: "10.0.1.128/25".parse().unwrap(), attributes, next_hop: None };
    rig.runtime.block_on(rig.storage.inject("main", vec![within])).unwrap();
    apply(&daemon, "peering.yaml", PEERING);
    // Outside of what storage declares it would not be offered at all.
    place_networks(&rig, &daemon, "prefixes: [10.0.100.0/24]", "prefixes: [10.0.100.0/24, 10.0.1.128/25]");
    let expected = serde_json::json!([{
        "prefix": "10.0.1.128/25", "network": "default/privnet1", "winner": "default/privnet1",
        "loser": "default/storage", "rule": "R34",
    }]);
    daemon.json_until(&["get", "conflicts"], |conflicts| *conflicts == expected);
    assert!(stdout(&daemon.ask(&["get", "conflicts"])).contains("10.0.1.128/25"));
}

/// Changes the networks' manifests and has them read again.
fn place_networks(rig: &Rig, daemon: &Daemon<'_>, old: &str, new: &str) {
    rig.place.write("networks.yaml", &crate::live::NETWORKS.replace(old, new));
    daemon.signal("HUP");
}

#[test]
fn r36_a_limit_is_the_trouble_of_the_exporters_entry_alone() {
    let runtime = runtime();
    let (_machine, at) = runtime.block_on(peer(65_001, "127.0.0.31", &["10.1.0.0/24", "10.1.1.0/24"]));
    let place = Place::new();
    place.write("leaf.yaml", &leaf(&["a", "b"], &[neighbor("a", at, 65_001, "class: fabric")], ""));
    let annotations = ", annotations: {peerage.dev/limit: '1'}";
    place.write("a.yaml", &(ironcore("a", annotations, 101, "b") + &ironcore("b", "", 102, "a")));
    let daemon = place.start();
    let peerings = daemon.json_until(&["get", "peerings"], |peerings| peerings[0]["state"] == "Error");
    assert_eq!(statuses(&peerings), ["default/a/to-b Bound Error PrefixLimit", "default/b/to-a Bound Ready -"]);
    assert_eq!(leaked(&daemon, "b").len(), 1);
}

/// Two neighbours in an importer's VRF, one of the fabric and one outside, and a machine in the exporter's.
struct Onward {
    runtime: tokio::runtime::Runtime,
    /// Fabric, external, machine.
    peers: Vec<Speaker>,
    place: Place,
}

impl Onward {
    fn new(importer: &str, block: u8) -> Self {
        let runtime = runtime();
        let mut peers = Vec::new();
        let mut neighbors = Vec::new();
        let plans = [
            (65_011, "to", "class: fabric", &["192.0.2.1/32"][..]),
            (65_012, "to", "class: external, import: accept, export: accept", &["192.0.2.2/32"]),
            (65_013, "from", "class: fabric", &["203.0.113.7/32", "10.0.1.7/32"]),
        ];
        for (last, (asn, vrf, more, prefixes)) in plans.into_iter().enumerate() {
            let address = format!("127.0.{block}.{}", last + 1);
            let (speaker, at) = runtime.block_on(peer(asn, &address, prefixes));
            peers.push(speaker);
            neighbors.push(neighbor(vrf, at, asn, more));
        }
        let place = Place::new();
        place.write("leaf.yaml", &leaf(&["to", "from"], &neighbors, ""));
        place.write("networks.yaml", &format!(
            "{{id: from, projectid: p, parentnetworkid: super, prefixes: [10.0.1.0/24, 203.0.113.0/24], vrf: 101}}\n---\n{{id: to, vrf: 110, {importer}}}\n"
        ));
        Self { runtime, peers, place }
    }

    /// Who hears of `prefix` under each mode, once they have heard of a later route: F the fabric's neighbour, E the external one.
    fn heard(&self, daemon: &Daemon<'_>, mode: &str, prefix: &str) -> String {
        let manifest = format!(
            "apiVersion: metal-stack.io/v1\nkind: Peering\nmetadata: {{name: p}}\nspec: {{network1: from, network2: to, advertise: {{network2: {mode}}}}}\n"
        );
        apply(daemon, "peering.yaml", &manifest);
        daemon.json_until(&["get", "peerings"], ready);
        assert!(leaked(daemon, "to").contains(&prefix.to_owned()), "{:?}", leaked(daemon, "to"));
        // What a neighbour is told comes in order: with the other neighbour's new route it would have had the leaked one.
        let attributes = bytes::Bytes::from(bgp_wire::AttributesBuilder::new(bgp_wire::Origin::Igp).build());
        for (last, peer) in self.peers[..2].iter().enumerate() {
            let marker = format!("198.18.{}.{last}/32", mode.len() + usize::from(mode.as_bytes()[1])).parse().unwrap();
            let route = speaker::Injected { prefix: marker, attributes: attributes.clone(), next_hop: None };
            self.runtime.block_on(peer.inject("main", vec![route])).unwrap();
            let other = &self.peers[1 - last];
            until("the marker", || told(&self.runtime, other, &marker.to_string()).ok_or_else(|| daemon.place.log()));
        }
        let names = ["F", "E"].into_iter().zip(&self.peers);
        names.filter(|(_, peer)| told(&self.runtime, peer, prefix).is_some()).map(|(name, _)| name).collect()
    }
}

#[test]
fn r43_an_external_importer_tells_whom_the_mode_names_and_of_its_own_prefixes_only() {
    let onward = Onward::new("prefixes: [203.0.113.0/24], destinationprefixes: [0.0.0.0/0]", 41);
    let daemon = onward.place.start();
    daemon.json_until(&["get", "neighbors"], |all| {
        all.as_array().unwrap().iter().all(|one| one["state"] == "Established" && one["accepted"].as_u64() > Some(0))
    });
    for (mode, heard) in [("none", ""), ("ebgp", "E"), ("all", "FE"), ("evpn", ""), ("ebgp", "E"), ("none", "")] {
        assert_eq!(onward.heard(&daemon, mode, "203.0.113.7/32"), heard, "{mode}");
        for peer in &onward.peers[..2] {
            assert_eq!(told(&onward.runtime, peer, "10.0.1.7/32"), None, "a private prefix left under {mode}");
        }
    }
}

#[test]
fn r43_ebgp_is_for_external_networks_alone() {
    let onward = Onward::new("projectid: s, parentnetworkid: super, shared: true, prefixes: [10.0.100.0/24]", 42);
    let daemon = onward.place.start();
    daemon.json_until(&["get", "neighbors"], |all| {
        all.as_array().unwrap().iter().all(|one| one["state"] == "Established" && one["accepted"].as_u64() > Some(0))
    });
    for (mode, heard) in [("none", ""), ("ebgp", ""), ("all", "FE"), ("none", "")] {
        assert_eq!(onward.heard(&daemon, mode, "10.0.1.7/32"), heard, "{mode}");
    }
}

#[test]
fn r44_an_external_peering_is_a_session_in_its_networks_vrf_on_its_switch() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let runtime = runtime();
    let (machine, at) = runtime.block_on(peer(65_001, "127.0.0.51", &["198.51.100.7/32", "10.0.1.7/32"]));
    let place = Place::new();
    place.write(
        "leaf.yaml",
        &leaf(&["internet"], &[neighbor("internet", at, 65_001, "class: fabric")], &free.to_string()),
    );
    place.write(
        "internet.yaml",
        "{id: internet, vrf: 5, prefixes: [198.51.100.0/24], destinationprefixes: [0.0.0.0/0]}\n",
    );
    let daemon = place.start();
    let manifest = |switch: &str, import: &str| {
        format!(
            "apiVersion: metal-stack.io/v1\nkind: Peering\nmetadata: {{name: isp}}\nspec:\n  network1: internet\n  peeringType: external\n  \
             bgp:\n    local: {{as: 65000, cidr: 127.0.0.1/8, port: Ethernet0@{switch}}}\n    remote: {{as: 64500, cidr: 127.0.0.52/8}}\n    \
             import: [{import}]\n"
        )
    };
    apply(&daemon, "isp.yaml", &manifest("exit01", ""));
    let peerings = daemon.json(&["get", "peerings"]);
    assert_eq!(statuses(&peerings), ["isp Bound Pending NotProgrammed"]);
    assert!(peerings[0]["message"].as_str().unwrap().contains("exit01"), "{peerings}");
    assert_eq!(daemon.json(&["get", "neighbors"]).as_array().unwrap().len(), 1, "another switch does not act");

    let isp = runtime.block_on(isp(free));
    apply(&daemon, "isp.yaml", &manifest("leaf", ""));
    daemon.json_until(&["get", "peerings"], ready);
    // RFC 8212: out goes what is the network's own and public, in comes nothing.
    until("the public route", || {
        told(&runtime, &isp, "198.51.100.7/32").filter(|path| *path == [65_000, 65_001]).ok_or_else(|| place.log())
    });
    assert_eq!(told(&runtime, &isp, "10.0.1.7/32"), None);
    let neighbors = daemon.json(&["get", "neighbors"]);
    let session = neighbors.as_array().unwrap().iter().find(|one| one["remoteAs"] == 64_500).unwrap();
    assert_eq!(
        (&session["vrf"], &session["class"], &session["accepted"]),
        (&"internet".into(), &"external".into(), &0.into())
    );

    // With a filter its routes come in, but for our own and private space.
    apply(&daemon, "isp.yaml", &manifest("leaf", "0.0.0.0/0"));
    until("the ISP's route", || {
        match daemon
            .json(&["routes", "--vrf", "internet"])
            .as_array()
            .unwrap()
            .iter()
            .map(|route| route["prefix"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
        {
            all if all.contains(&"0.0.0.0/0".to_owned()) => Ok(all),
            all => Err(format!("{all:?}")),
        }
    });
    for kept in ["198.51.100.9/32", "10.9.0.0/16"] {
        assert!(!daemon.ask(&["routes", "--vrf", "internet", kept]).status.success(), "{kept} came in");
    }
    assert!(daemon.ask(&["network", "peering", "delete", "isp"]).status.success());
    assert_eq!(daemon.json(&["get", "neighbors"]).as_array().unwrap().len(), 1);
    drop(machine);
}

/// An ISP at 127.0.0.52 that connects to us.
async fn isp(leaf: SocketAddr) -> Speaker {
    let config = Config {
        name: "isp".to_owned(),
        asn: 64_500,
        router_id: [127, 0, 0, 52].into(),
        vrfs: vec![VrfConfig { name: "main".to_owned(), ..VrfConfig::default() }],
        neighbors: vec![NeighborConfig {
            port: leaf.port(),
            local_address: Some([127, 0, 0, 52].into()),
            connect_retry: std::time::Duration::from_secs(1),
            ..NeighborConfig::new("main", leaf.ip(), RemoteAs::Is(65_000))
        }],
        ..Config::default()
    };
    let speaker = Speaker::builder().config(config).start().await.unwrap();
    let attributes = bytes::Bytes::from(bgp_wire::AttributesBuilder::new(bgp_wire::Origin::Igp).build());
    let routes = ["0.0.0.0/0", "198.51.100.9/32", "10.9.0.0/16"].map(|prefix| speaker::Injected {
        prefix: prefix.parse().unwrap(),
        attributes: attributes.clone(),
        next_hop: None,
    });
    speaker.inject("main", routes.into()).await.unwrap();
    speaker
}

#[test]
fn r50_every_transition_and_refusal_is_logged_with_the_peering_both_uids_and_the_reason() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "peering.yaml", PEERING);
    apply(
        &daemon,
        "refused.yaml",
        &PEERING.replace("to-storage", "refused").replace("network2: storage", "network2: foreign"),
    );
    assert!(daemon.ask(&["network", "peering", "delete", "to-storage"]).status.success());
    let networks = daemon.json(&["get", "networks"]);
    let uid = |name: &str| {
        let found = networks.as_array().unwrap().iter().find(|network| network["name"] == name);
        found.unwrap()["uid"].as_str().unwrap().to_owned()
    };
    let log: String = rig.place.log().chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let lines = |words: &[&str]| log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    let (privnet1, storage, foreign) = (uid("privnet1"), uid("storage"), uid("foreign"));
    assert_eq!(lines(&["default/to-storage", &privnet1, &storage, "in force"]), 1, "{log}");
    assert_eq!(lines(&["default/to-storage", &privnet1, &storage, "gone"]), 1, "{log}");
    assert_eq!(lines(&["default/refused", &privnet1, &foreign, "CrossProject"]), 1, "{log}");
}

#[test]
fn r51_after_a_crash_everything_stands_as_before() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "peering.yaml", PEERING);
    let before = daemon.json_until(&["get", "peerings"], ready);
    let networks = daemon.json(&["get", "networks"]);
    drop(daemon);
    let daemon = rig.start();
    let after = daemon.json_until(&["get", "peerings"], |peerings| ready(peerings) && peerings[0] == before[0]);
    assert_eq!(after, before);
    assert_eq!(daemon.json(&["get", "networks"]), networks, "uids are kept");
    assert_eq!(leaked(&daemon, "storage"), ["10.0.1.11/32"]);
}
