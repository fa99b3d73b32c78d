//! Neighbours that are known by an interface alone: found by router advertisements, reached over link-local addresses, with IPv4
//! routes by IPv6 next hops.

use std::time::Duration;

use super::daemons::{Frr, Peer};
use super::peerage::Peerage;
use super::rig::{Host, Rig, inside, until, until_within};

/// A speaker whose neighbours are those on `interfaces`; `vrf` is the rest of its VRF.
fn speaker(asn: u32, id: u8, vrf: &str, interfaces: &[&str]) -> String {
    let neighbors: String = interfaces
        .iter()
        .map(|name| {
            format!(
                "    - {{vrf: main, interface: {name}, remoteAs: external, class: fabric, timers: {{hold: 6, connectRetry: 1}}}}\n"
            )
        })
        .collect();
    format!(
        "apiVersion: peerage.dev/v1alpha1\nkind: Speaker\nmetadata: {{name: as{asn}}}\nspec:\n  asn: {asn}\n  \
         routerId: 10.255.0.{id}\n  fib: linux\n  convergence: 8\n  api: {{socket: SOCKET}}\n  stateFile: STATE\n  vrfs:\n    \
         - {{name: main, table: 100, {vrf}}}\n  neighbors:\n{neighbors}"
    )
}

fn established(peerage: &Peerage, interface: &str) -> bool {
    peerage.neighbor_on(interface)["state"] == "Established"
}

/// Replaces the link-local address of an interface.
fn link_local(host: &Host, interface: &str, address: &str) {
    host.ip(&format!("-6 addr flush dev {interface} scope link"));
    host.ip(&format!("addr add {address}/64 dev {interface} nodad"));
}

const FRR: &str = "hostname peer
router bgp 65009
 bgp router-id 10.9.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast
 timers bgp 2 6
 neighbor eth0 interface remote-as external
 neighbor eth0 timers connect 1
 address-family ipv4 unicast
  neighbor eth0 activate
  network 198.51.100.0/24
 exit-address-family
 address-family ipv6 unicast
  neighbor eth0 activate
  network 2001:db8:b::/48
 exit-address-family
";

#[test]
fn frr_on_an_interface_is_found_and_packets_pass_over_a_link_without_ipv4_addresses() {
    if !inside() {
        return;
    }
    let rig = Rig::new();
    let (leaf, peer, machine) = (rig.host("leaf"), rig.host("peer"), rig.host("machine"));
    leaf.forwards();
    rig.cable((&leaf, "topeer", &[]), (&peer, "eth0", &[]));
    rig.cable((&leaf, "tom", &["10.8.0.1/24", "fd00:8::1/64"]), (&machine, "eth0", &["10.8.0.2/24", "fd00:8::2/64"]));
    machine.ip("route add default via 10.8.0.1");
    machine.ip("route add default via fd00:8::1");
    peer.ip("addr add 198.51.100.1/32 dev lo");
    peer.ip("addr add 2001:db8:b::1/128 dev lo nodad");
    let frr = Frr::configured(&peer, FRR);
    let vrf = "interfaces: [topeer, tom], redistributeConnected: true";
    let peerage = Peerage::start(&leaf, &speaker(65000, 1, vrf, &["topeer"]));
    let state = || {
        let tables = ["route show table 100", "-6 route show table 100"].map(|show| leaf.ip(show));
        let neighbor = frr.query("show bgp neighbors eth0");
        format!("{}\n{}\n{neighbor}\n{tables:#?}", peerage.state(), frr.state())
    };

    let route = |table: &str| {
        let text = leaf.ip(table);
        text.lines().any(|line| line.contains("via inet6 fe80:") && line.contains("dev topeer"))
    };
    until(
        "the leaf's kernel has FRR's IPv4 route by an IPv6 next hop",
        || route("route show table 100 198.51.100.0/24"),
        state,
    );
    until(
        "FRR has the leaf's routes of both families",
        || frr.learned(false).contains("10.8.0.0/24") && frr.learned(true).contains("fd00:8::/64"),
        state,
    );
    let neighbor = frr.query("show bgp neighbors eth0 json");
    assert!(neighbor.contains("advertisedAndReceived"), "extended next hop both ways: {neighbor}");
    until("an IPv4 packet comes back", || machine.pings("198.51.100.1"), state);
    until("an IPv6 packet comes back", || machine.pings("2001:db8:b::1"), state);

    // The neighbour's address changes; it is found again.
    link_local(&peer, "eth0", "fe80::77");
    let moved = || {
        let neighbor = peerage.neighbor_on("topeer");
        neighbor["state"] == "Established" && neighbor["remoteAddress"] == "fe80::77"
    };
    until("the session is with the new address", moved, state);
    until("packets pass by the new address", || machine.pings("198.51.100.1"), state);
    assert!(leaf.ip("route show table 100 198.51.100.0/24").contains("fe80::77"), "{}", state());
}

#[test]
fn two_links_with_the_same_addresses_at_both_ends_are_told_apart_and_a_stopped_router_says_so() {
    if !inside() {
        return;
    }
    let rig = Rig::new();
    let (leaf, a, b) = (rig.host("leaf"), rig.host("a"), rig.host("b"));
    leaf.forwards();
    rig.cable((&leaf, "toa", &[]), (&a, "eth0", &["10.11.0.1/24"]));
    rig.cable((&leaf, "tob", &[]), (&b, "eth0", &["10.12.0.1/24"]));
    for (host, interface, address) in
        [(&leaf, "toa", "fe80::1"), (&leaf, "tob", "fe80::1"), (&a, "eth0", "fe80::2"), (&b, "eth0", "fe80::2")]
    {
        link_local(host, interface, address);
    }
    let vrf = "interfaces: [eth0], redistributeConnected: true";
    let on_leaf = Peerage::start(&leaf, &speaker(65000, 1, "interfaces: [toa, tob]", &["toa", "tob"]));
    let mut on_a = Peerage::start(&a, &speaker(65001, 2, vrf, &["eth0"]));
    let on_b = Peerage::start(&b, &speaker(65002, 3, vrf, &["eth0"]));
    let state = || format!("{}\n{}\n{}", on_leaf.state(), on_b.state(), leaf.ip("route show table 100"));
    let leads = |prefix: &str, interface: &str| {
        leaf.ip(&format!("route show table 100 {prefix}")).contains(&format!("via inet6 fe80::2 dev {interface}"))
    };
    until(
        "each network is reached by its own link",
        || leads("10.11.0.0/24", "toa") && leads("10.12.0.0/24", "tob"),
        state,
    );
    for interface in ["toa", "tob"] {
        assert_eq!(on_leaf.neighbor_on(interface)["remoteAddress"], "fe80::2");
    }
    // Its last advertisement stood for 18 s: that it is forgotten at once shows that its end was advertised.
    on_a.daemon.end("TERM");
    until_within(
        Duration::from_secs(8),
        "the neighbour that stopped is not looked for any more",
        || on_leaf.neighbor_on("toa")["reason"].as_str().is_some_and(|why| why.contains("no router advertisement")),
        state,
    );
    assert!(established(&on_leaf, "tob"));
}

#[test]
fn without_the_privilege_the_status_says_so_and_a_link_with_two_addresses_works_all_the_same() {
    if !inside() {
        return;
    }
    let rig = Rig::new();
    let (leaf, a, b) = (rig.host("leaf"), rig.host("a"), rig.host("b"));
    rig.cable((&leaf, "toa", &["10.11.0.0/31"]), (&a, "eth0", &["10.11.0.1/31", "10.21.0.1/24"]));
    rig.cable((&leaf, "tob", &[]), (&b, "eth0", &[]));
    let vrf = "interfaces: [eth0], redistributeConnected: true";
    let on_leaf = Peerage::unprivileged(&leaf, &speaker(65000, 1, "interfaces: [toa, tob]", &["toa", "tob"]));
    let on_a = Peerage::start(&a, &speaker(65001, 2, vrf, &["eth0"]));
    let state = || format!("{}\n{}\n{}", on_leaf.state(), on_a.state(), leaf.ip("route show table 100"));
    until(
        "the status says what is missing",
        || on_leaf.neighbor_on("tob")["reason"].as_str().is_some_and(|why| why.contains("needs CAP_NET_RAW")),
        state,
    );
    until(
        "the neighbour on the /31 gives its routes",
        || leaf.ip("route show table 100 10.21.0.0/24").contains("via 10.11.0.1 dev toa"),
        state,
    );
    assert_eq!(on_leaf.neighbor_on("toa")["remoteAddress"], "10.11.0.1");
}
