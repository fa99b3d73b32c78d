//! What every peer must see and do, one daemon after the other: BIRD, FRR, GoBGP.

use std::collections::BTreeSet;
use std::time::Duration;

use super::daemons::{self, Peer, Sessions};
use super::peerage::Peerage;
use super::rig::{Host, Rig, inside, until, until_within};

const HOLD: u32 = 6;

/// `IMPORT` becomes the policy for what comes in.
const SPEAKER: &str = r#"
apiVersion: peerage.dev/v1alpha1
kind: Speaker
metadata: {name: leaf}
spec:
  asn: 65000
  routerId: 10.255.0.1
  fib: memory
  listen: ["10.9.0.1:179", "[fd00:9::1]:179"]
  api: {socket: SOCKET}
  stateFile: STATE
  vrfs:
    - name: main
      connected: [10.9.0.0/24, "fd00:9::/64"]
      staticRoutes:
        - {prefix: 203.0.113.0/24, unreachable: true}
        - {prefix: 203.0.114.0/24, unreachable: true}
        - {prefix: "2001:db8:a::/48", unreachable: true}
  neighbors:
    - {vrf: main, address: 10.9.0.2, remoteAs: 65009, class: external, families: [ipv4-unicast], timers: {hold: 6, connectRetry: 1}, import: IMPORT, export: accept}
    - {vrf: main, address: "fd00:9::2", remoteAs: 65009, class: external, families: [ipv6-unicast], timers: {hold: 6, connectRetry: 1}, import: accept, export: accept}
"#;

fn speaker(import: &str) -> String {
    SPEAKER.replace("IMPORT", import)
}

struct Pair {
    _rig: Rig,
    kind: &'static str,
    host: Host,
    sessions: Sessions,
    peer: Box<dyn Peer>,
    peerage: Peerage,
}

fn pair(kind: &'static str) -> Pair {
    let rig = Rig::new();
    let (leaf, host) = (rig.host("leaf"), rig.host("peer"));
    rig.cable((&leaf, "topeer", &["10.9.0.1/24", "fd00:9::1/64"]), (&host, "eth0", &["10.9.0.2/24", "fd00:9::2/64"]));
    let sessions = Sessions {
        local_as: 65009,
        remote_as: 65000,
        router_id: "10.9.0.2",
        ipv4: ("10.9.0.2", "10.9.0.1"),
        ipv6: Some(("fd00:9::2", "fd00:9::1")),
        announce4: vec!["198.51.100.0/24".into(), "198.51.101.0/24".into()],
        announce6: vec!["2001:db8:b::/48".into()],
        hold: HOLD,
    };
    let peerage = Peerage::start(&leaf, &speaker("accept"));
    let peer = daemons::start(kind, &host, &sessions);
    let pair = Pair { _rig: rig, kind, host, sessions, peer, peerage };
    pair.until_exchanged();
    pair
}

fn set(prefixes: &[&str]) -> BTreeSet<String> {
    prefixes.iter().map(|prefix| (*prefix).to_owned()).collect()
}

impl Pair {
    fn state(&self) -> String {
        format!("{}\n{}", self.peer.state(), self.peerage.state())
    }

    /// Prefixes of the table that came from a session, as the user sees them.
    fn has(&self, prefix: &str) -> bool {
        let (found, text) = self.peerage.try_cli(&["routes", "--vrf", "main", prefix, "-o", "json"]);
        found && text.contains(prefix)
    }

    fn until_exchanged(&self) {
        until(
            "both sides have the other's routes of both families",
            || {
                self.has("198.51.100.0/24")
                    && self.has("198.51.101.0/24")
                    && self.has("2001:db8:b::/48")
                    && self.peer.learned(false).is_superset(&set(&["203.0.113.0/24", "203.0.114.0/24"]))
                    && self.peer.learned(true).contains("2001:db8:a::/48")
            },
            || self.state(),
        );
    }

    fn until_lost(&self, limit: Duration) {
        until_within(
            limit,
            "the peer's routes are gone",
            || !self.has("198.51.100.0/24") && !self.has("2001:db8:b::/48"),
            || self.state(),
        );
    }

    /// How long each session is established, in seconds.
    fn uptimes(&self) -> Vec<Option<u64>> {
        let text = self.peerage.cli(&["get", "neighbors", "-o", "json"]);
        let list: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let list = list.as_array().or_else(|| list["neighbors"].as_array()).cloned().unwrap_or_default();
        list.iter().map(|neighbor| neighbor["uptime"].as_u64()).collect()
    }
}

fn a_stopped_peer_is_gone_within_its_hold_time(kind: &'static str) {
    let mut pair = pair(kind);
    pair.peer.daemon().signal("STOP");
    // The hold time and what it takes to notice; without the hold timer it would never end.
    pair.until_lost(Duration::from_secs(u64::from(HOLD) + 4));
    pair.peer.daemon().signal("CONT");
    pair.until_exchanged();
}

fn either_side_may_restart(kind: &'static str) {
    let mut pair = pair(kind);
    pair.peer.daemon().end("KILL");
    pair.until_lost(Duration::from_secs(u64::from(HOLD) + 4));
    pair.peer = daemons::start(pair.kind, &pair.host, &pair.sessions);
    pair.until_exchanged();

    pair.peerage.daemon.end("TERM");
    until(
        "the peer has nothing from a speaker that stopped",
        || pair.peer.learned(false).is_empty() && pair.peer.learned(true).is_empty(),
        || pair.peer.state(),
    );
    pair.peerage.restart();
    pair.until_exchanged();
}

fn routes_come_again_on_refresh_both_ways(kind: &'static str) {
    let pair = pair(kind);
    let before = pair.peer.received();
    if pair.peer.refresh() {
        until("everything comes again", || pair.peer.received() > before, || pair.state());
    }
    let uptimes = pair.uptimes();

    // A stricter policy and back: what the policy dropped can only come again by asking for it.
    pair.peerage.apply("stricter.yaml", &speaker("[{permit: 198.51.100.0/24}]"));
    until("the policy holds", || !pair.has("198.51.101.0/24") && pair.has("198.51.100.0/24"), || pair.state());
    pair.peerage.apply("looser.yaml", &speaker("accept"));
    pair.until_exchanged();
    let later = pair.uptimes();
    assert_eq!(later.len(), 2);
    let kept = uptimes.iter().zip(&later).all(|(before, after)| before.is_some() && before <= after);
    assert!(kept, "a session was reset: {uptimes:?}, then {later:?}\n{}", pair.state());
}

macro_rules! each_daemon {
    ($($module:ident: $kind:literal),*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn a_stopped_peer_is_gone_within_its_hold_time() {
                if inside() {
                    super::a_stopped_peer_is_gone_within_its_hold_time($kind);
                }
            }

            #[test]
            fn either_side_may_restart() {
                if inside() {
                    super::either_side_may_restart($kind);
                }
            }

            #[test]
            fn routes_come_again_on_refresh_both_ways() {
                if inside() {
                    super::routes_come_again_on_refresh_both_ways($kind);
                }
            }
        }
    )*};
}

each_daemon!(bird: "bird", frr: "frr", gobgp: "gobgp");
