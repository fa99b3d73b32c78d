//! The leaf's neighbours: machines, a storage host and an ISP, each a speaker of its own with one session.
//!
//! Given the leaf's address, it starts them and tells them what to announce. It expects nothing of the leaf.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bgp_wire::{AsPathBuf, AttributesBuilder, Origin};
use ipnet::IpNet;
use speaker::{Config, Injected, NeighborConfig, RemoteAs, Speaker, VrfConfig};

/// AS number of the leaf.
pub(crate) const LEAF_AS: u32 = 4_200_000_001;

/// A neighbour of the leaf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) asn: u32,
    pub(crate) address: Ipv4Addr,
    /// The leaf's VRF that it is in.
    pub(crate) vrf: &'static str,
    /// What it announces from the start.
    pub(crate) announces: &'static [&'static str],
}

/// Everyone but the ISP's table.
pub(crate) const PEERS: [Peer; 4] = [
    Peer {
        name: "machine A",
        asn: 4_200_000_011,
        address: Ipv4Addr::new(127, 0, 0, 11),
        vrf: "privnet1",
        announces: &["10.0.1.11/32", "203.0.113.11/32"],
    },
    Peer {
        name: "machine B",
        asn: 4_200_000_012,
        address: Ipv4Addr::new(127, 0, 0, 12),
        vrf: "privnet2",
        announces: &["10.0.2.12/32"],
    },
    Peer {
        name: "storage host",
        asn: 4_200_000_013,
        address: Ipv4Addr::new(127, 0, 0, 13),
        vrf: "storage",
        announces: &["10.0.100.13/32"],
    },
    Peer { name: "ISP", asn: 64_500, address: Ipv4Addr::new(127, 0, 0, 14), vrf: "internet", announces: &[] },
];

/// The one VRF of a peer.
pub(crate) const PEER_VRF: &str = "main";

/// Starts `peer`, which connects to the leaf at `leaf`, and has it announce its prefixes.
///
/// # Errors
/// What the speaker said.
pub(crate) async fn start(peer: &Peer, leaf: SocketAddr) -> Result<Speaker, speaker::Error> {
    let mut neighbor = NeighborConfig::new(PEER_VRF, leaf.ip(), RemoteAs::Is(LEAF_AS));
    neighbor.port = leaf.port();
    neighbor.local_address = Some(IpAddr::V4(peer.address));
    let config = Config {
        name: peer.name.replace(' ', "-").to_lowercase(),
        asn: peer.asn,
        router_id: peer.address,
        vrfs: vec![VrfConfig { name: PEER_VRF.to_owned(), ..VrfConfig::default() }],
        neighbors: vec![neighbor],
        ..Config::default()
    };
    let speaker = Speaker::builder().config(config).start().await?;
    let mut attributes = AttributesBuilder::new(Origin::Igp);
    attributes.as_path(&AsPathBuf::default());
    let attributes = bytes::Bytes::from(attributes.build());
    let prefixes = peer.announces.iter().filter_map(|prefix| prefix.parse::<IpNet>().ok());
    let routes = prefixes.map(|prefix| Injected { prefix, attributes: attributes.clone(), next_hop: None });
    speaker.inject(PEER_VRF, routes.collect()).await?;
    Ok(speaker)
}
