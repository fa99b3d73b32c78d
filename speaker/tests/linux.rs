//! The Linux kernel's tables under a speaker, in a network namespace of its own: rules, connected, leaked and static routes, and what
//! stays or goes at stop and restart.
//!
//! The neighbour is in the same namespace; its session runs between the ends of an interface pair.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;
#[path = "../../fib/tests/support/mod.rs"]
mod support;

use std::process::Command;

use bgp_wire::{AsPathBuf, AttributesBuilder, EncodeCtx, Ipv4Unicast, Ipv6Unicast, NextHop, Origin, UpdateEncoder};
use bytes::BytesMut;
use common::raw::{self, Raw};
use common::*;
use ipnet::IpNet;
use speaker::{
    Advertise, Binding, Config, EdgeState, FibMode, Injected, NeighborConfig, RemoteAs, Speaker, Static, Via, VrfConfig,
};
use support::ip;

/// Runs a test's body on a runtime in new user and network namespaces.
macro_rules! in_namespace {
    ($body:expr) => {
        support::in_namespace(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on($body);
        })
    };
}

/// The line of a table, as `ip` shows it, that begins with this; none: empty.
fn route(family: &str, table: u32, begins: &str) -> String {
    let output = Command::new("ip").args([family, "route", "show", "table", &table.to_string()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with(begins)).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn sees(what: &str, mut look: impl FnMut() -> String, has: &[&str]) {
    eventually(what, async || {
        let seen = look();
        if has.iter().all(|word| seen.contains(word)) { Ok(()) } else { Err(seen) }
    })
    .await;
}

async fn gone(what: &str, mut look: impl FnMut() -> String) {
    eventually(what, async || {
        let seen = look();
        if seen.is_empty() { Ok(()) } else { Err(seen) }
    })
    .await;
}

/// A VRF with one interface and a table.
fn bound(name: &str, table: u32, interface: &str) -> VrfConfig {
    VrfConfig {
        name: name.to_owned(),
        binding: Binding::Table(table),
        interfaces: vec![interface.to_owned()],
        ..VrfConfig::default()
    }
}

/// A leaf between red (10.1.0.0/24, table 101) and blue (10.2.0.0/24, table 102).
fn leaf() -> Config {
    let fabric = |vrf: &str, local: [u8; 4], remote: [u8; 4]| NeighborConfig {
        local_address: Some(local.into()),
        passive: true,
        ..NeighborConfig::new(vrf, remote.into(), RemoteAs::External)
    };
    Config {
        listen: vec!["10.1.0.1:0".parse().unwrap(), "10.2.0.1:0".parse().unwrap()],
        vrfs: vec![bound("red", 101, "red0"), bound("blue", 102, "blue0")],
        neighbors: vec![fabric("red", [10, 1, 0, 1], [10, 1, 0, 2]), fabric("blue", [10, 2, 0, 1], [10, 2, 0, 2])],
        edges: vec![edge("red", "blue"), edge("blue", "red")],
        fib: FibMode::Linux,
        ..config(A_AS, [10, 1, 0, 1].into(), &[])
    }
}

/// The neighbour in blue, by hand, so that it names another host as next hop: its own address is local in this namespace, and no
/// kernel takes a local address as gateway. Sends these and End-of-RIB.
async fn blue(leaf: &Speaker, prefixes: &[&str]) -> Raw {
    let listening = leaf.status().await.unwrap().listening;
    let to = listening.iter().find(|to| to.ip() == std::net::IpAddr::from([10, 2, 0, 1])).unwrap();
    let mut raw = Raw::establish([10, 2, 0, 2].into(), *to, 65002).await;
    let path = AsPathBuf::sequence([65002]);
    let attributes = AttributesBuilder::new(Origin::Igp).as_path(&path).build();
    let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, ..EncodeCtx::default() });
    let mut messages = BytesMut::new();
    for prefix in prefixes {
        match net(prefix) {
            IpNet::V4(prefix) => {
                let next_hop = NextHop::Ipv4([10, 2, 0, 9].into());
                encoder.announce::<Ipv4Unicast>(&attributes, next_hop, [(None, prefix)], &mut messages).unwrap();
            }
            IpNet::V6(prefix) => {
                let next_hop = NextHop::Ipv6("2001:db8:2::9".parse().unwrap());
                encoder.announce::<Ipv6Unicast>(&attributes, next_hop, [(None, prefix)], &mut messages).unwrap();
            }
        }
    }
    raw.send(&messages).await;
    raw.send(&raw::end_of_rib()).await;
    raw
}

fn interfaces() {
    for (near, far, net) in [("red0", "red1", 1), ("blue0", "blue1", 2)] {
        ip(&format!("link add {near} type veth peer name {far}"));
        for (interface, host) in [(near, 1), (far, 2)] {
            ip(&format!("link set {interface} up"));
            ip(&format!("addr add 10.{net}.0.{host}/24 dev {interface}"));
            ip(&format!("addr add 2001:db8:{net}::{host}/64 dev {interface} nodad"));
        }
    }
}

#[test]
fn a_leak_is_in_the_kernel_at_the_real_egress_and_all_is_gone_after_a_stop() {
    in_namespace!(async {
        interfaces();
        let leaf = start(leaf()).await;
        let raw = blue(&leaf, &["10.20.0.0/16", "2001:db8:20::/48"]).await;

        sees("blue's own route", || route("-4", 102, "10.20.0.0/16"), &["via 10.2.0.9 dev blue0 proto 179"]).await;
        sees("the leak", || route("-4", 101, "10.20.0.0/16"), &["via 10.2.0.9 dev blue0 proto 179", "onlink"]).await;
        sees("the IPv6 leak", || route("-6", 101, "2001:db8:20::/48"), &["via 2001:db8:2::9 dev blue0 proto 179"])
            .await;
        sees("red's connected prefix", || route("-4", 101, "10.1.0.0/24"), &["dev red0"]).await;
        sees("the last resort", || route("-4", 101, "unreachable default"), &["metric 4278198272"]).await;
        sees("the rule", || ip("rule show"), &["iif red0 lookup 101", "iif blue0 lookup 102"]).await;
        eventually("both edges are programmed", async || {
            let edges = leaf.status().await.unwrap().edges;
            if edges.iter().all(|edge| edge.state == EdgeState::Programmed) { Ok(()) } else { Err(edges) }
        })
        .await;

        drop(raw);
        gone("the leak", || route("-4", 101, "10.20.0.0/16")).await;
        gone("blue's own route", || route("-4", 102, "10.20.0.0/16")).await;
        leaf.stop().await;
        for table in [101, 102] {
            assert_eq!(route("-4", table, ""), "", "table {table}");
            assert_eq!(route("-6", table, ""), "", "table {table}");
        }
        assert!(!ip("rule show").contains("iif"), "{}", ip("rule show"));
    });
}

#[test]
fn connected_prefixes_come_and_go_with_addresses_and_links() {
    in_namespace!(async {
        interfaces();
        let mut config = leaf();
        for vrf in &mut config.vrfs {
            vrf.redistribute_connected = true;
        }
        let leaf = start(config).await;
        has_route(&leaf, "red", "10.1.0.0/24").await;
        has_route(&leaf, "red", "2001:db8:1::/64").await;
        // Connected prefixes are native, so they leak, on the link.
        has_route(&leaf, "red", "10.2.0.0/24").await;
        sees("the leaked connected prefix", || route("-4", 101, "10.2.0.0/24"), &["dev blue0"]).await;
        ip("addr add 10.9.0.1/24 dev red0");
        has_route(&leaf, "red", "10.9.0.0/24").await;
        ip("addr del 10.9.0.1/24 dev red0");
        has_no_route(&leaf, "red", "10.9.0.0/24").await;
        ip("link set blue0 down");
        has_no_route(&leaf, "blue", "10.2.0.0/24").await;
        has_no_route(&leaf, "red", "10.2.0.0/24").await;
        ip("link set blue0 up");
        has_route(&leaf, "red", "10.2.0.0/24").await;
        leaf.stop().await;
    });
}

#[test]
fn kept_routes_are_adopted_and_stale_ones_swept_once_all_is_said() {
    in_namespace!(async {
        interfaces();
        let mut config = leaf();
        config.keep_routes = true;
        config.neighbors.remove(0);
        let first = start(config.clone()).await;
        let raw = blue(&first, &["10.20.0.0/16", "10.21.0.0/16"]).await;
        sees("a leak", || route("-4", 101, "10.21.0.0/16"), &["via 10.2.0.9"]).await;
        sees("another", || route("-4", 101, "10.20.0.0/16"), &["via 10.2.0.9"]).await;
        drop(raw);
        first.stop().await;
        sees("what is kept", || route("-4", 101, "10.20.0.0/16"), &["via 10.2.0.9"]).await;

        let second = start(config).await;
        let raw = blue(&second, &["10.20.0.0/16"]).await;
        gone("what is stale", || route("-4", 101, "10.21.0.0/16")).await;
        sees("what is wanted", || route("-4", 101, "10.20.0.0/16"), &["via 10.2.0.9 dev blue0 proto 179"]).await;
        assert!(second.status().await.unwrap().converged);
        drop(raw);
        second.stop().await;
    });
}

#[test]
fn static_routes_go_by_gateway_interface_or_nowhere() {
    in_namespace!(async {
        interfaces();
        let mut config = leaf();
        let fixed = |prefix: &str, via| Static { prefix: net(prefix), via };
        config.vrfs[0].statics = vec![
            fixed("10.30.0.0/16", Via::Address([10, 1, 0, 9].into())),
            fixed("10.31.0.0/16", Via::Interface("red0".to_owned())),
            fixed("10.32.0.0/16", Via::AddressOn([192, 0, 2, 1].into(), "red0".to_owned())),
            fixed("10.33.0.0/16", Via::Unreachable),
        ];
        config.edges[0].advertise = Advertise::None;
        let leaf = start(config).await;
        for table in [101, 102] {
            sees("by gateway", || route("-4", table, "10.30.0.0/16"), &["via 10.1.0.9 dev red0"]).await;
            sees("by interface", || route("-4", table, "10.31.0.0/16"), &["dev red0"]).await;
            sees("by both", || route("-4", table, "10.32.0.0/16"), &["via 192.0.2.1 dev red0", "onlink"]).await;
            sees("nowhere", || route("-4", table, "unreachable 10.33.0.0/16"), &["proto 179"]).await;
        }
        // A table of its own is no state of the routes: it changes and they follow.
        let mut config = leaf.config().await.unwrap();
        config.vrfs[0].binding = Binding::Table(201);
        leaf.apply(config).await.unwrap();
        sees("in the new table", || route("-4", 201, "10.30.0.0/16"), &["via 10.1.0.9 dev red0"]).await;
        gone("in the old table", || route("-4", 101, "")).await;
        sees("the rule", || ip("rule show"), &["iif red0 lookup 201"]).await;
        leaf.stop().await;
    });
}

#[test]
fn a_route_that_the_kernel_refuses_fails_its_edge_and_no_other() {
    in_namespace!(async {
        interfaces();
        let leaf = start(leaf()).await;
        let attributes = own("10.40.0.0/16").attributes;
        // No kernel has an IPv6 route by an IPv4 gateway.
        let bad = Injected { prefix: net("2001:db8:40::/48"), attributes, next_hop: Some([10, 1, 0, 2].into()) };
        leaf.inject("red", vec![bad]).await.unwrap();
        leaf.inject("blue", vec![own("10.41.0.0/16")]).await.unwrap();
        let edges = eventually("one edge failed, the other is programmed", async || {
            let edges = leaf.status().await.unwrap().edges;
            let states = (&edges[0].state, &edges[1].state);
            if matches!(states, (EdgeState::Failed(_), EdgeState::Programmed)) { Ok(edges) } else { Err(edges) }
        })
        .await;
        assert!(edges[0].state.to_string().contains("2001:db8:40::/48"), "{}", edges[0].state);
        let status = leaf.status().await.unwrap();
        assert_eq!(status.fib.failures, 2, "in both tables: {:#?}", status.fib);
        leaf.withdraw("red", vec![net("2001:db8:40::/48")]).await.unwrap();
        eventually("both are programmed", async || {
            let edges = leaf.status().await.unwrap().edges;
            if edges.iter().all(|edge| edge.state == EdgeState::Programmed) { Ok(()) } else { Err(edges) }
        })
        .await;
        leaf.stop().await;
    });
}
