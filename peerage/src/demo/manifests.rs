//! The demo's files, as an operator would write them. The demo prints those that it applies.

/// The leaf switch; `DIRECTORY` stands for a directory of the demo's own.
pub(crate) const LEAF: &str = "\
apiVersion: peerage.dev/v1alpha1
kind: Speaker
metadata:
  name: leaf
spec:
  asn: 4200000001
  routerId: 10.255.0.1
  zone: partition-1
  listen: [\"127.0.0.1:0\"]
  api: { socket: DIRECTORY/peerage.sock }
  stateFile: DIRECTORY/state.json
  fib: memory
  vrfs:
  - { name: privnet1, network: privnet1, connected: [127.0.0.11/32] }
  - { name: privnet2, network: privnet2, connected: [127.0.0.12/32] }
  - { name: storage, network: storage, connected: [127.0.0.13/32] }
  - { name: internet, network: internet, connected: [127.0.0.14/32] }
  - { name: privnet3, network: privnet3, connected: [10.0.3.0/24], redistributeConnected: true }
  neighbors:
  - { vrf: privnet1, address: 127.0.0.11, passive: true, remoteAs: 4200000011, class: fabric, description: machine A }
  - { vrf: privnet2, address: 127.0.0.12, passive: true, remoteAs: 4200000012, class: fabric, description: machine B }
  - { vrf: storage, address: 127.0.0.13, passive: true, remoteAs: 4200000013, class: fabric, description: storage host }
  - { vrf: internet, address: 127.0.0.14, passive: true, remoteAs: 64500, class: external, import: accept, description: ISP }
";

/// The networks, as `metalctl network describe -o yaml` prints them.
pub(crate) const NETWORKS: &str = "\
id: privnet1
projectid: project-a
partitionid: partition-1
prefixes: [10.0.1.0/24]
parentnetworkid: tenant-super
vrf: 104001
---
id: privnet2
projectid: project-a
partitionid: partition-1
prefixes: [10.0.2.0/24]
parentnetworkid: tenant-super
vrf: 104002
---
id: privnet3
projectid: project-b
partitionid: partition-1
prefixes: [10.0.3.0/24]
parentnetworkid: tenant-super
vrf: 104003
---
id: storage
projectid: storage-project
partitionid: partition-1
prefixes: [10.0.100.0/24]
parentnetworkid: tenant-super
shared: true
vrf: 104010
---
id: internet
prefixes: [203.0.113.0/24]
destinationprefixes: [0.0.0.0/0, \"::/0\"]
vrf: 104009
";

/// A peering of two networks; `limit` is how many routes may leak each way, if not the usual 24,000.
pub(crate) fn peering(network1: &str, network2: &str, limit: Option<u64>) -> String {
    let limit = limit.map(|limit| format!(", limit: {limit}")).unwrap_or_default();
    format!(
        "apiVersion: metal-stack.io/v1\nkind: Peering\nmetadata: {{ name: {network1}-to-{network2} }}\n\
         spec: {{ network1: {network1}, network2: {network2}, peeringType: local{limit} }}\n"
    )
}
