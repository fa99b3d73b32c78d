//! Leaks between VRFs, seen end to end: from a neighbour in one VRF to the table, the neighbours and the kernel's side of another.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::IpAddr;

use bgp_wire::AfiSafi;
use common::*;
use speaker::{Advertise, Binding, Config, EdgeState, PathFrom, Refusal, Speaker, Static, Via};

/// A leaf with a VRF per neighbour, in the plain namespace: each neighbour has a local address of ours of its own.
struct Leaf {
    speaker: Speaker,
    config: Config,
    peers: Vec<Speaker>,
    peer_addresses: Vec<IpAddr>,
}

impl Leaf {
    async fn start(vrfs: &[&str], edit: impl FnOnce(&mut Config)) -> Self {
        let locals: Vec<IpAddr> = vrfs.iter().map(|_| address()).collect();
        let peer_addresses: Vec<IpAddr> = vrfs.iter().map(|_| address()).collect();
        let mut leaf = config(A_AS, locals[0], vrfs);
        leaf.listen = locals.iter().map(|local| (*local, 0).into()).collect();
        for (table, vrf) in (100..).zip(&mut leaf.vrfs) {
            vrf.binding = Binding::Table(table);
        }
        leaf.neighbors = vrfs
            .iter()
            .zip(&locals)
            .zip(&peer_addresses)
            .zip(65001..)
            .map(|(((vrf, local), peer), asn)| passive(vrf, *local, *peer, asn))
            .collect();
        edit(&mut leaf);
        let speaker = start(leaf.clone()).await;
        let listening = speaker.status().await.unwrap().listening;
        let mut peers = Vec::new();
        for ((local, peer), asn) in locals.iter().zip(&peer_addresses).zip(65001..) {
            let to = listening.iter().find(|address| address.ip() == *local).unwrap();
            let mut config = config(asn, *peer, &["default"]);
            config.listen.clear();
            config.neighbors = vec![neighbor("default", *peer, *local, A_AS)];
            config.neighbors[0].port = to.port();
            peers.push(start(config).await);
        }
        for peer in &peer_addresses {
            established(&speaker, *peer).await;
        }
        Self { speaker, config: leaf, peers, peer_addresses }
    }

    async fn set_edges(&mut self, edges: Vec<speaker::EdgeConfig>) {
        self.config.edges = edges;
        self.speaker.apply(self.config.clone()).await.unwrap();
    }

    async fn stop(self) {
        for speaker in self.peers.iter().chain([&self.speaker]) {
            speaker.stop().await;
        }
    }
}

#[tokio::test]
async fn a_route_leaks_while_its_edge_stands_in_both_families() {
    let mut leaf = Leaf::start(&["red", "blue"], |_| {}).await;
    inject(&leaf.peers[1], "default", &["10.2.0.0/16", "2001:db8:b::/48"]).await;
    has_route(&leaf.speaker, "blue", "10.2.0.0/16").await;
    has_route(&leaf.speaker, "blue", "2001:db8:b::/48").await;
    assert_eq!(leaf.speaker.route("red", net("10.2.0.0/16")).await.unwrap(), None, "no edge, no leak");

    leaf.set_edges(vec![edge("blue", "red")]).await;
    for prefix in ["10.2.0.0/16", "2001:db8:b::/48"] {
        let route = has_route(&leaf.speaker, "red", prefix).await;
        let from = PathFrom::Leaked { vrf: "blue".to_owned(), peering: "blue-to-red".to_owned() };
        assert_eq!(route.paths[0].from, from);
        assert_eq!(route.paths[0].as_numbers, [65002]);
    }

    let way = leaf.speaker.explain("red", net("10.2.0.0/16"), None).await.unwrap();
    assert_eq!((way.from.as_deref(), way.blocked()), (Some("blue"), None), "{way}");

    leaf.set_edges(vec![]).await;
    let way = leaf.speaker.explain("red", net("10.2.0.0/16"), Some("blue")).await.unwrap();
    let blocked = way.blocked().and_then(|stage| stage.finding.refusal());
    assert_eq!(blocked, Some(Refusal::NotPeered), "{way}");
    has_no_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    has_no_route(&leaf.speaker, "red", "2001:db8:b::/48").await;
    has_route(&leaf.speaker, "blue", "10.2.0.0/16").await;
    leaf.stop().await;
}

#[tokio::test]
async fn a_leak_goes_with_the_neighbor_it_came_from() {
    let leaf = Leaf::start(&["red", "blue"], |config| config.edges = vec![edge("blue", "red")]).await;
    inject(&leaf.peers[1], "default", &["10.2.0.0/16"]).await;
    has_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    leaf.peers[1].stop().await;
    has_no_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    leaf.stop().await;
}

#[tokio::test]
async fn what_leaked_in_leaks_no_further() {
    let leaf = Leaf::start(&["a", "b", "c"], |config| {
        config.edges = vec![edge("a", "b"), edge("b", "a"), edge("b", "c"), edge("c", "b")];
    })
    .await;
    for (i, peer) in leaf.peers.iter().enumerate() {
        inject(peer, "default", &[&format!("10.{i}.0.0/16")]).await;
    }
    has_route(&leaf.speaker, "b", "10.0.0.0/16").await;
    has_route(&leaf.speaker, "b", "10.2.0.0/16").await;
    has_route(&leaf.speaker, "a", "10.1.0.0/16").await;
    has_route(&leaf.speaker, "c", "10.1.0.0/16").await;
    assert_eq!(leaf.speaker.route("c", net("10.0.0.0/16")).await.unwrap(), None);
    assert_eq!(leaf.speaker.route("a", net("10.2.0.0/16")).await.unwrap(), None);
    let refused = leaf.speaker.refused("a", "c").await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].prefix, refused[0].reason), (net("10.0.0.0/16"), Refusal::NotPeered));
    leaf.stop().await;
}

#[tokio::test]
async fn a_leaked_route_is_told_to_the_importers_neighbors_only_where_the_edge_says_so() {
    let mut leaf = Leaf::start(&["red", "blue"], |config| config.edges = vec![edge("blue", "red")]).await;
    inject(&leaf.peers[1], "default", &["10.2.0.0/16"]).await;
    has_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    // What the neighbour in red is told comes in order: with this one it would have had the other.
    leaf.speaker.inject("red", vec![own("10.99.0.0/16")]).await.unwrap();
    has_route(&leaf.peers[0], "default", "10.99.0.0/16").await;
    assert_eq!(leaf.peers[0].route("default", net("10.2.0.0/16")).await.unwrap(), None);

    let mut told = edge("blue", "red");
    told.advertise = Advertise::All;
    leaf.set_edges(vec![told]).await;
    let route = has_route(&leaf.peers[0], "default", "10.2.0.0/16").await;
    assert_eq!(route.paths[0].as_numbers, [A_AS, 65002]);

    leaf.set_edges(vec![edge("blue", "red")]).await;
    has_no_route(&leaf.peers[0], "default", "10.2.0.0/16").await;
    has_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    leaf.stop().await;
}

#[tokio::test]
async fn an_edge_is_programmed_once_its_routes_are_acknowledged() {
    let leaf = Leaf::start(&["red", "blue"], |config| config.edges = vec![edge("blue", "red")]).await;
    inject(&leaf.peers[1], "default", &["10.2.0.0/16", "10.3.0.0/16"]).await;
    has_route(&leaf.speaker, "red", "10.3.0.0/16").await;
    let edge = eventually("the edge is programmed", async || {
        let edge = leaf.speaker.status().await.unwrap().edges.remove(0);
        if edge.state == EdgeState::Programmed && edge.leaked == 2 { Ok(edge) } else { Err(edge) }
    })
    .await;
    assert_eq!((edge.from.as_str(), edge.to.as_str()), ("blue", "red"));
    let status = leaf.speaker.status().await.unwrap();
    assert_eq!((status.fib.failures, status.fib.error), (0, None));
    leaf.stop().await;
}

#[tokio::test]
async fn a_leaked_default_route_and_own_space_are_refused_and_listed() {
    let mut shared = edge("blue", "red");
    shared.filter.own_space = [net("10.1.0.0/16")].into_iter().collect();
    let leaf = Leaf::start(&["red", "blue"], |config| config.edges = vec![shared]).await;
    inject(&leaf.peers[1], "default", &["0.0.0.0/0", "10.1.7.0/24", "10.2.0.0/16"]).await;
    has_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    let refused = eventually("two routes are refused", async || {
        let refused = leaf.speaker.refused("blue", "red").await.unwrap();
        if refused.len() == 2 { Ok(refused) } else { Err(refused) }
    })
    .await;
    let reasons: Vec<_> = refused.iter().map(|refused| (refused.prefix, refused.reason)).collect();
    assert_eq!(reasons, [(net("0.0.0.0/0"), Refusal::DefaultRoute), (net("10.1.7.0/24"), Refusal::OwnSpace)]);
    let edge = leaf.speaker.status().await.unwrap().edges.remove(0);
    assert_eq!(edge.refused, [(Refusal::DefaultRoute, 1), (Refusal::OwnSpace, 1)]);
    leaf.stop().await;
}

#[tokio::test]
async fn connected_and_static_routes_are_advertised_and_leak() {
    let leaf = Leaf::start(&["red", "blue"], |config| {
        config.edges = vec![edge("blue", "red")];
        let blue = &mut config.vrfs[1];
        blue.connected = vec![connected("10.2.0.0/24")];
        blue.redistribute_connected = true;
        blue.statics = vec![Static { prefix: net("10.20.0.0/16"), via: Via::Address([10, 2, 0, 9].into()) }];
        let red = &mut config.vrfs[0];
        red.connected = vec![connected("10.1.0.0/24")];
    })
    .await;
    for prefix in ["10.2.0.0/24", "10.20.0.0/16"] {
        has_route(&leaf.peers[1], "default", prefix).await;
        has_route(&leaf.speaker, "red", prefix).await;
    }
    let route = has_route(&leaf.speaker, "red", "10.20.0.0/16").await;
    assert_eq!(route.paths[0].next_hop, Some([10, 2, 0, 9].into()));
    // Not redistributed: it resolves next hops and is no route.
    assert_eq!(leaf.speaker.route("red", net("10.1.0.0/24")).await.unwrap(), None);
    leaf.stop().await;
}

#[tokio::test]
async fn a_static_route_stands_while_its_gateway_can_be_reached() {
    let mut leaf = Leaf::start(&["red"], |config| {
        config.vrfs[0].statics = vec![Static { prefix: net("10.20.0.0/16"), via: Via::Address([10, 2, 0, 9].into()) }];
    })
    .await;
    eventually("its path is there and cannot be reached", async || {
        let route = leaf.speaker.route("red", net("10.20.0.0/16")).await.unwrap();
        match &route {
            Some(found) if !found.paths[0].reachable && !found.paths[0].best => Ok(()),
            _ => Err(route),
        }
    })
    .await;
    leaf.config.vrfs[0].connected = vec![connected("10.2.0.0/24")];
    leaf.speaker.apply(leaf.config.clone()).await.unwrap();
    has_route(&leaf.peers[0], "default", "10.20.0.0/16").await;
    leaf.config.vrfs[0].connected.clear();
    leaf.speaker.apply(leaf.config.clone()).await.unwrap();
    has_no_route(&leaf.peers[0], "default", "10.20.0.0/16").await;
    leaf.stop().await;
}

#[tokio::test]
async fn a_vrf_that_goes_takes_its_leaks_and_neighbors_along() {
    let mut leaf = Leaf::start(&["red", "blue"], |config| config.edges = vec![edge("blue", "red")]).await;
    inject(&leaf.peers[1], "default", &["10.2.0.0/16"]).await;
    has_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    leaf.config.vrfs.pop();
    leaf.config.neighbors.pop();
    leaf.config.edges.clear();
    leaf.speaker.apply(leaf.config.clone()).await.unwrap();
    has_no_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    assert_eq!(leaf.speaker.vrfs().await.unwrap().len(), 1);
    assert_eq!(leaf.speaker.neighbors().await.unwrap().len(), 1);
    // And back again under the same name.
    leaf.config.vrfs.push(vrf("blue"));
    leaf.config.edges.push(edge("blue", "red"));
    leaf.speaker.apply(leaf.config.clone()).await.unwrap();
    leaf.speaker.inject("blue", vec![own("10.3.0.0/16")]).await.unwrap();
    has_route(&leaf.speaker, "red", "10.3.0.0/16").await;
    let peers = &leaf.peer_addresses;
    assert_eq!(neighbor_status(&leaf.speaker, peers[0]).await.established_count, 1, "red's neighbour did not move");
    leaf.stop().await;
}

#[tokio::test]
async fn an_external_neighbor_without_a_policy_gets_and_gives_nothing_and_the_status_says_why() {
    let mut leaf = Leaf::start(&["red"], |config| {
        config.neighbors[0] = external(config.neighbors[0].clone());
        config.vrfs[0].connected = vec![connected("10.1.0.0/24")];
        config.vrfs[0].redistribute_connected = true;
    })
    .await;
    let theirs = leaf.peer_addresses[0];
    inject(&leaf.peers[0], "default", &["10.2.0.0/16", "10.3.0.0/16"]).await;
    let status = eventually("both are refused", async || {
        let status = neighbor_status(&leaf.speaker, theirs).await;
        if status.refused.iter().map(|(_, count)| count).sum::<u64>() == 2 { Ok(status) } else { Err(status) }
    })
    .await;
    assert_eq!(leaf.speaker.route("red", net("10.2.0.0/16")).await.unwrap(), None);
    assert!(status.import.to_string().contains("RFC 8212"), "{}", status.import);
    assert!(status.export.to_string().contains("RFC 8212"), "{}", status.export);
    assert!(status.families.iter().all(|family| family.accepted == 0 && family.advertised == 0));
    assert_eq!(leaf.peers[0].route("default", net("10.1.0.0/24")).await.unwrap(), None);

    // With a policy, what it permits.
    leaf.config.neighbors[0].import = Some(speaker::permit_within([net("10.2.0.0/16")]));
    leaf.config.neighbors[0].export = Some(speaker::Accept::Everything);
    leaf.speaker.apply(leaf.config.clone()).await.unwrap();
    has_route(&leaf.speaker, "red", "10.2.0.0/16").await;
    has_route(&leaf.peers[0], "default", "10.1.0.0/24").await;
    assert_eq!(leaf.speaker.route("red", net("10.3.0.0/16")).await.unwrap(), None);
    leaf.stop().await;
}

#[tokio::test]
async fn the_list_of_routes_comes_in_pages() {
    let leaf = Leaf::start(&["red"], |_| {}).await;
    let prefixes: Vec<String> = (0..10).map(|i| format!("10.{i}.0.0/16")).collect();
    let own = prefixes.iter().map(|prefix| own(prefix)).collect();
    leaf.speaker.inject("red", own).await.unwrap();
    let mut query =
        speaker::RoutesQuery { vrf: "red".to_owned(), family: AfiSafi::IPV4_UNICAST, after: None, limit: 4 };
    let (mut listed, mut pages) = (Vec::new(), 0);
    loop {
        let page = leaf.speaker.routes(query.clone()).await.unwrap();
        listed.extend(page.routes.iter().map(|route| route.prefix.to_string()));
        pages += 1;
        query.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!((listed, pages), (prefixes, 3));
    leaf.stop().await;
}
