//! Sessions and routes in VRF devices, which the kernel that tests run on may lack: in a virtual machine with Debian's own.
//!
//! Each VRF has the near end of an interface pair. The far ends are outside any VRF, so that a neighbour there is another host to
//! the VRF, in the same namespace.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;
#[path = "../../fib/tests/support/mod.rs"]
mod support;

use common::raw::{self, Raw};
use common::*;
use speaker::{Binding, Config, EdgeState, FibMode, NeighborConfig, RemoteAs, VrfConfig};
use support::guest::in_guest;
use support::{ip, lines};

fn device(name: &str) -> VrfConfig {
    VrfConfig { name: name.to_owned(), binding: Binding::Device(name.to_owned()), ..VrfConfig::default() }
}

fn fabric(vrf: &str, address: [u8; 4]) -> NeighborConfig {
    NeighborConfig::new(vrf, address.into(), RemoteAs::External)
}

#[test]
fn sessions_run_inside_vrf_devices_and_what_leaks_is_in_the_table_of_the_other_device() {
    in_guest(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(body());
    });
}

async fn body() {
    for words in [
        // As the kernel's documentation of VRF devices has it: the VRF's own table before the local one. Else the far ends' addresses,
        // local to this host, could not come in from outside.
        "rule add pref 32765 table local",
        "rule del pref 0",
        "link add red type vrf table 100",
        "link add blue type vrf table 200",
        "link set red up",
        "link set blue up",
        "link add a0 type veth peer name a1",
        "link add b0 type veth peer name b1",
        "link set a0 master red",
        "link set b0 master blue",
        "link set a0 up",
        "link set a1 up",
        "link set b0 up",
        "link set b1 up",
        "address add 10.1.0.1/24 dev a0",
        "address add 10.1.0.2/24 dev a1",
        "address add 10.2.0.1/24 dev b0",
        "address add 10.2.0.2/24 dev b1",
    ] {
        ip(words);
    }
    // The neighbour in blue accepts, so that the leaf connects out of the device; the one in red connects to it.
    let mut blue = config(65002, [10, 2, 0, 2].into(), &["default"]);
    blue.listen = vec!["10.2.0.2:1790".parse().unwrap()];
    blue.neighbors = vec![passive("default", [10, 2, 0, 2].into(), [10, 2, 0, 1].into(), A_AS)];
    let blue = start(blue).await;
    inject(&blue, "default", &["10.20.0.0/16"]).await;

    let leaf = start(Config {
        listen: vec!["0.0.0.0:179".parse().unwrap()],
        vrfs: vec![device("red"), device("blue")],
        neighbors: vec![
            NeighborConfig { passive: true, ..fabric("red", [10, 1, 0, 2]) },
            NeighborConfig { port: 1790, ..fabric("blue", [10, 2, 0, 2]) },
        ],
        edges: vec![edge("red", "blue"), edge("blue", "red")],
        fib: FibMode::Linux,
        ..config(A_AS, [10, 1, 0, 1].into(), &[])
    })
    .await;
    let mut red = Raw::establish([10, 1, 0, 2].into(), "10.1.0.1:179".parse().unwrap(), 65001).await;
    red.send(&raw::update(&raw::mandatory(0, 65001, [10, 1, 0, 2].into()), &[16, 10, 10])).await;
    for address in [[10, 1, 0, 2], [10, 2, 0, 2]] {
        established(&leaf, address.into()).await;
    }
    for (table, prefix, via) in [
        (100, "10.10.0.0/16", "via 10.1.0.2 dev a0"),
        (200, "10.10.0.0/16", "via 10.1.0.2 dev a0"),
        (100, "10.20.0.0/16", "via 10.2.0.2 dev b0"),
        (200, "10.20.0.0/16", "via 10.2.0.2 dev b0"),
    ] {
        eventually(&format!("{prefix} in table {table}"), async || {
            let routes = lines(&format!("route show table {table}"));
            let wanted = format!("{prefix} {via}");
            if routes.iter().any(|route| route.starts_with(&wanted)) { Ok(()) } else { Err(routes) }
        })
        .await;
    }
    eventually("both edges are programmed", async || {
        let edges = leaf.status().await.unwrap().edges;
        if edges.iter().all(|edge| edge.state == EdgeState::Programmed) { Ok(()) } else { Err(edges) }
    })
    .await;
    let vrfs = leaf.vrfs().await.unwrap();
    assert_eq!(vrfs.iter().map(|vrf| vrf.table).collect::<Vec<_>>(), [Some(100), Some(200)]);

    // Who is a neighbour in red is a stranger outside of it.
    let mut stranger = Raw::connect([127, 0, 0, 1].into(), "127.0.0.1:179".parse().unwrap()).await;
    assert_eq!(stranger.notification().await.subcode, bgp_wire::notification::cease::CONNECTION_REJECTED);

    drop(red);
    leaf.stop().await;
    blue.stop().await;
    for table in [100, 200] {
        let routes = lines(&format!("route show table {table} proto 179"));
        assert_eq!(routes, [] as [&str; 0], "table {table}");
    }
}
