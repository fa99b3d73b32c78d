//! The least that turns one configuration into another. Pure.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;

use crate::config::{Binding, Config, EdgeConfig, NeighborConfig, NeighborKey, VrfConfig};

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The changes, empty when what was applied stood already.
    pub changes: Vec<Change>,
}

/// One change from one configuration to the next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// AS number or router id: every session starts over.
    Identity,
    /// Name, zone, or what happens at start and stop: nothing moves.
    Settings,
    /// Listening on one more address.
    ListenAdded(SocketAddr),
    /// Listening on one address less; established sessions stay.
    ListenRemoved(SocketAddr),
    /// A new VRF.
    VrfAdded(String),
    /// A VRF is gone with all its routes.
    VrfRemoved(String),
    /// A VRF has another binding, interfaces, connected or static routes.
    VrfChanged(String),
    /// A new neighbour.
    NeighborAdded(NeighborKey),
    /// A neighbour is gone; it is sent CEASE (peer deconfigured).
    NeighborRemoved(NeighborKey),
    /// A neighbour differs in what a session is made of; its session, and no other, starts over.
    NeighborReset(NeighborKey),
    /// A neighbour differs in policy, limit or description; its session stays.
    NeighborUpdated(NeighborKey),
    /// A new edge.
    EdgeAdded(EdgeName),
    /// An edge is gone with its leaked routes.
    EdgeRemoved(EdgeName),
    /// An edge has another filter, rank, advertise switch, limit or name.
    EdgeChanged(EdgeName),
}

/// What an edge is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EdgeName {
    /// The exporter's VRF.
    pub from: String,
    /// The importer's VRF.
    pub to: String,
}

impl fmt::Display for EdgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)
    }
}

impl EdgeConfig {
    /// What the edge is known by.
    pub fn name(&self) -> EdgeName {
        EdgeName { from: self.from.clone(), to: self.to.clone() }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("AS number or router id changed"),
            Self::Settings => f.write_str("settings changed"),
            Self::ListenAdded(address) => write!(f, "listening on {address}"),
            Self::ListenRemoved(address) => write!(f, "no longer listening on {address}"),
            Self::VrfAdded(vrf) => write!(f, "VRF {vrf} added"),
            Self::VrfRemoved(vrf) => write!(f, "VRF {vrf} removed"),
            Self::VrfChanged(vrf) => write!(f, "VRF {vrf} changed"),
            Self::NeighborAdded(key) => write!(f, "neighbour {key} added"),
            Self::NeighborRemoved(key) => write!(f, "neighbour {key} removed"),
            Self::NeighborReset(key) => write!(f, "neighbour {key} changed and starts over"),
            Self::NeighborUpdated(key) => write!(f, "neighbour {key} changed"),
            Self::EdgeAdded(edge) => write!(f, "edge {edge} added"),
            Self::EdgeRemoved(edge) => write!(f, "edge {edge} removed"),
            Self::EdgeChanged(edge) => write!(f, "edge {edge} changed"),
        }
    }
}

/// What has to be done to get from `old` to `new`.
pub fn difference(old: &Config, new: &Config) -> Applied {
    let mut changes = Vec::new();
    let identity = old.asn != new.asn || old.router_id != new.router_id;
    if identity {
        changes.push(Change::Identity);
    }
    let settings = |c: &Config| (c.name.clone(), c.zone.clone(), c.keep_routes, c.convergence);
    if settings(old) != settings(new) {
        changes.push(Change::Settings);
    }
    let listen: HashSet<_> = new.listen.iter().collect();
    let listened: HashSet<_> = old.listen.iter().collect();
    for address in old.listen.iter().filter(|address| !listen.contains(address)) {
        changes.push(Change::ListenRemoved(*address));
    }
    for address in new.listen.iter().filter(|address| !listened.contains(address)) {
        changes.push(Change::ListenAdded(*address));
    }
    compare(
        &old.vrfs,
        &new.vrfs,
        |vrf| vrf.name.clone(),
        |was, is| (was != is).then(|| Change::VrfChanged(is.name.clone())),
        (Change::VrfAdded, Change::VrfRemoved),
        &mut changes,
    );
    let rebound: HashSet<&str> = old
        .vrfs
        .iter()
        .filter(|vrf| new.vrf(&vrf.name).is_some_and(|is| device(is) != device(vrf)))
        .map(|vrf| vrf.name.as_str())
        .collect();
    compare(
        &old.neighbors,
        &new.neighbors,
        NeighborConfig::key,
        |was, is| {
            if identity || rebound.contains(is.vrf.as_str()) || !same_session(was, is) {
                Some(Change::NeighborReset(is.key()))
            } else {
                (was != is).then(|| Change::NeighborUpdated(is.key()))
            }
        },
        (Change::NeighborAdded, Change::NeighborRemoved),
        &mut changes,
    );
    compare(
        &old.edges,
        &new.edges,
        EdgeConfig::name,
        |was, is| (was != is).then(|| Change::EdgeChanged(is.name())),
        (Change::EdgeAdded, Change::EdgeRemoved),
        &mut changes,
    );
    Applied { changes }
}

fn device(vrf: &VrfConfig) -> Option<&str> {
    match &vrf.binding {
        Binding::Device(device) => Some(device),
        Binding::None | Binding::Table(_) => None,
    }
}

/// Whether a session under one configuration can go on under the other. Export is among what cannot change under it, since its
/// update group is decided when it comes up.
fn same_session(was: &NeighborConfig, is: &NeighborConfig) -> bool {
    let session = |neighbor: &NeighborConfig| NeighborConfig {
        import: None,
        max_prefixes: None,
        description: None,
        ..neighbor.clone()
    };
    session(was) == session(is)
}

/// Removed ones first, then changed and added ones in the new order.
fn compare<T, K: Eq + std::hash::Hash>(
    old: &[T],
    new: &[T],
    key: impl Fn(&T) -> K,
    changed: impl Fn(&T, &T) -> Option<Change>,
    (added, removed): (impl Fn(K) -> Change, impl Fn(K) -> Change),
    changes: &mut Vec<Change>,
) {
    let before: HashMap<K, &T> = old.iter().map(|item| (key(item), item)).collect();
    let after: HashSet<K> = new.iter().map(&key).collect();
    for item in old {
        let key = key(item);
        if !after.contains(&key) {
            changes.push(removed(key));
        }
    }
    for item in new {
        match before.get(&key(item)) {
            Some(was) => changes.extend(changed(was, item)),
            None => changes.push(added(key(item))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bgp_session::RemoteAs;
    use leak_engine::{Advertise, Filter, Rank};
    use std::net::IpAddr;

    fn config() -> Config {
        let vrf = |name: &str| VrfConfig { name: name.to_owned(), ..VrfConfig::default() };
        let neighbor = |vrf: &str, last| NeighborConfig::new(vrf, [127, 0, 0, last].into(), RemoteAs::External);
        Config {
            asn: 64512,
            router_id: [10, 0, 0, 1].into(),
            vrfs: vec![vrf("a"), vrf("b")],
            neighbors: vec![neighbor("a", 2), neighbor("b", 3)],
            edges: vec![EdgeConfig {
                from: "a".to_owned(),
                to: "b".to_owned(),
                peering: "p".to_owned(),
                filter: Filter::default(),
                rank: Rank { bound_since: 0, exporter: "default/a".into() },
                advertise: Advertise::None,
                limit: None,
            }],
            ..Config::default()
        }
    }

    fn changes(edit: impl FnOnce(&mut Config)) -> Vec<Change> {
        let old = config();
        let mut new = old.clone();
        edit(&mut new);
        difference(&old, &new).changes
    }

    #[test]
    fn equal_configurations_differ_in_nothing() {
        assert_eq!(changes(|_| {}), []);
    }

    #[test]
    fn a_changed_neighbor_alone_starts_over() {
        let key = config().neighbors[1].key();
        assert_eq!(changes(|config| config.neighbors[1].hold_time *= 2), [Change::NeighborReset(key)]);
    }

    #[test]
    fn import_policy_limit_and_description_leave_the_session_up() {
        let key = config().neighbors[0].key();
        assert_eq!(
            changes(|config| {
                config.neighbors[0].max_prefixes = Some(7);
                config.neighbors[0].description = Some("x".to_owned());
            }),
            [Change::NeighborUpdated(key)]
        );
    }

    #[test]
    fn another_router_id_starts_every_session_over() {
        let [a, b] = [0, 1].map(|i: usize| config().neighbors[i].key());
        assert_eq!(
            changes(|config| config.router_id = [10, 0, 0, 9].into()),
            [Change::Identity, Change::NeighborReset(a), Change::NeighborReset(b)]
        );
    }

    #[test]
    fn another_table_moves_no_session_but_another_device_moves_those_of_its_vrf() {
        let key = config().neighbors[0].key();
        let vrf = Change::VrfChanged("a".to_owned());
        assert_eq!(changes(|config| config.vrfs[0].binding = Binding::Table(100)), std::slice::from_ref(&vrf));
        assert_eq!(
            changes(|config| config.vrfs[0].binding = Binding::Device("vrf-a".to_owned())),
            [vrf, Change::NeighborReset(key)]
        );
    }

    #[test]
    fn edges_come_change_and_go_by_their_pair_of_vrfs() {
        let edge = config().edges[0].name();
        assert_eq!(changes(|config| config.edges[0].limit = Some(1)), [Change::EdgeChanged(edge.clone())]);
        assert_eq!(changes(|config| config.edges.clear()), [Change::EdgeRemoved(edge)]);
    }

    #[test]
    fn removals_come_before_additions() {
        let key = config().neighbors[0].key();
        let added = |config: &mut Config| {
            config.neighbors[0].address = IpAddr::from([127, 0, 0, 9]).into();
        };
        let mut new = config();
        added(&mut new);
        assert_eq!(changes(added), [Change::NeighborRemoved(key), Change::NeighborAdded(new.neighbors[0].key())]);
    }
}
