//! The manifests that the two proposals publish, word for word.

use serde_json::json;

use crate::common::*;

/// IEP-9, the first example.
const IEP_PAIR: &str = r#"apiVersion: networking.ironcore.dev/v1alpha1
kind: Network
metadata:
  name: my-network-1
  uid: 2020dcf9-e030-427e-b0fc-4fec2016e73a
spec:
  peerings:
  # name is the name of the peering configuration
  - name: my-network-peering
    networkRef:
      name: my-network-2
      # If unset, uid will be filled in by the Network controller
      # uid: 3030dcf9-f031-801b-f0f0-4fec2016e73a
status:
  peerings:
  - name: my-network-peering
    # The phase shows the binding progress between two networks.
    # The initial state is 'Pending' until both peers accept.
    phase: Bound
    lastPhaseTransitionTime: "2023-02-16T15:06:58Z"
---
apiVersion: networking.ironcore.dev/v1alpha1
kind: Network
metadata:
  name: my-network-2
  uid: 3030dcf9-f031-801b-f0f0-4fec2016e73a
spec:
  # Both networks have to have the semantically same peering configuration.
  peerings:
  - name: my-network-peering
    networkRef:
      name: my-network-1
      # If unset, uid will be filled in by the Network controller
      # uid: 2020dcf9-e030-427e-b0fc-4fec2016e73a
status:
  peerings:
  - name: my-network-peering
    phase: Bound
    lastPhaseTransitionTime: "2023-02-16T15:06:58Z"
"#;

/// IEP-9, the example across namespaces.
const IEP_NAMESPACES: &str = r#"apiVersion: networking.ironcore.dev/v1alpha1
kind: Network
metadata:
  namespace: ns-1
  name: my-network-1
spec:
  peerings:
  - name: my-network-peering
    networkRef:
      namespace: ns-2
      name: my-network-2
---
apiVersion: networking.ironcore.dev/v1alpha1
kind: Network
metadata:
  namespace: ns-2
  name: my-network-2
spec:
  peerings:
  - name: my-network-peering
    networkRef:
      namespace: ns-1
      name: my-network-1
"#;

/// The metal-stack proposal's `Peering`, with its optional part.
const MEP: &str = r#"apiVersion: metal-stack.io/v1
kind: Peering
metadata:
  name: privnet1-to-storage
spec:
  network1: privnet1-id
  network2: storage-id
  peeringType: local  # local for peering VRFs at leaf switches, external for peering a with an external peer
  # Optional: BGP peering for external peering
  bgp:
    local:
        as: 65000
        cidr: 172.16.0.1/30
        port: "Ethernet0@exit01" 
    remote:
        as: 65001
        cidr: 172.16.0.2/30
"#;

/// What a provider adds to a network once it has a table for it.
fn with_vni(manifest: &str, name: &str, vni: u32) -> String {
    let at = manifest.find(&format!("name: {name}\n")).unwrap();
    let spec = at + manifest[at..].find("spec:\n").unwrap() + "spec:\n".len();
    format!("{}  providerID: ironcore-net://ns/net/{vni}/uid\n{}", &manifest[..spec], &manifest[spec..])
}

#[test]
fn the_published_ironcore_pair_is_read_without_a_warning_waits_for_its_provider_and_binds_then() {
    for (manifest, namespaces) in [(IEP_PAIR, ["default", "default"]), (IEP_NAMESPACES, ["ns-1", "ns-2"])] {
        assert_eq!(warnings(manifest), Vec::<String>::new());
        let names = [format!("{}/my-network-1", namespaces[0]), format!("{}/my-network-2", namespaces[1])];
        let mut play = Play::default();
        let waiting = play.at(0, manifest, "");
        for name in &names {
            let entry = waiting.entry(name, "my-network-peering");
            assert_eq!(status(entry), "Pending Pending NetworkNotAvailable", "its own status means nothing");
        }
        let ready = with_vni(&with_vni(manifest, "my-network-1", 101), "my-network-2", 102);
        let rows = format!("- {{network: {}, prefix: 10.0.0.0/24}}\n", names[1]);
        let bound = play.at(1, &ready, &rows);
        for name in &names {
            assert_eq!(status(bound.entry(name, "my-network-peering")), "Bound Ready");
        }
        let table = &bound.json["tables"][0];
        assert_eq!((&table["network"], &table["routes"][0]["from"]), (&json!(names[0]), &json!(names[1])));
    }
}

#[test]
fn the_published_metal_peering_joins_the_two_without_its_optional_part_and_is_external_with_it() {
    assert_eq!(faults(MEP), ["spec.bgp Invalid"], "one object is not both");
    let (local, bgp) = MEP.split_at(MEP.find("  # Optional").unwrap());
    let networks = private("privnet1-id", 1) + &shared("storage-id", 2);
    let answer = eval(&format!("{local}{networks}"), &routes(&[("storage-id", "10.2.0.0/24")]));
    assert_eq!(status(answer.peering("privnet1-to-storage")), "Bound Ready");
    assert_eq!(answer.table("privnet1-id"), ["10.2.0.0/24 < storage-id"]);

    let external = local.replace("  network2: storage-id\n", "").replace("peeringType: local", "peeringType: external");
    let answer = eval(&format!("{external}{bgp}{networks}"), "");
    let peering = answer.peering("privnet1-to-storage");
    assert_eq!((status(peering).as_str(), text(&peering["peeringType"])), ("Bound Ready", "external"));
}

/// As `metalctl network describe -o yaml` prints a private and an external network.
const METALCTL: &str = r#"---
additionalannouncablecidrs: []
addressfamilies:
- IPv4
changed: "2024-01-16T10:20:30.123Z"
consumption:
  ipv4:
    available_ips: 1024
    available_prefixes: 256
    used_ips: 2
    used_prefixes: 0
created: "2024-01-16T10:20:30.123Z"
defaultchildprefixlength: {}
description: a private network
destinationprefixes: []
id: 2d2c0350-3f66-4597-ae97-ef6797232212
labels: {}
name: privnet
nat: false
parentnetworkid: tenant-super-network-fra-equ01
partitionid: fra-equ01
prefixes:
- 10.6.0.0/22
privatesuper: false
projectid: 793bb6cd-8b46-479d-9209-0fedca428fe1
shared: false
underlay: false
usage:
  available_ips: 1024
  available_prefixes: 256
  used_ips: 2
  used_prefixes: 0
vrf: 23
vrfshared: false
---
description: the Internet
destinationprefixes:
- 0.0.0.0/0
id: internet
labels:
  network.metal-stack.io/default-external: ""
name: Internet
nat: true
partitionid: ""
prefixes:
- 203.0.113.0/24
privatesuper: false
projectid: ""
underlay: false
vrf: 104009
vrfshared: false
"#;

#[test]
fn r1_a_network_as_metal_api_prints_it_is_read_as_it_is() {
    assert_eq!(warnings(METALCTL), Vec::<String>::new());
    let joined = METALCTL.to_owned() + &peering("p", "2d2c0350-3f66-4597-ae97-ef6797232212", "internet");
    let answer = eval(&joined, &routes(&[("internet", "0.0.0.0/0")]));
    assert_eq!(status(answer.peering("p")), "Bound Ready");
    assert_eq!(answer.table("2d2c0350-3f66-4597-ae97-ef6797232212"), ["0.0.0.0/0 < internet"]);
}
