//! The sessions of external peerings (rule R44): a neighbour of the speaker for each that has its port on this switch.
//!
//! Given a configuration and what the evaluation says, it adds neighbours to the configuration. It opens nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ipnet::IpNet;
use network_peering::{Bgp, DEFAULT_LIMIT, Name, Outcome, PeeringStatus, Phase, World};
use speaker::{Accept, Class, Config, NeighborConfig, NeighborKey, PeerAddress, PrefixList, PrefixRule, RemoteAs};

/// What became of each bound external peering whose switch this is.
pub(super) type Sessions = BTreeMap<Name, Result<NeighborKey, String>>;

/// Addresses that belong to nobody on the Internet: private, shared, link-local and loopback space (RFC 1918, 6598, 3927, 4193, 4291,
/// 1122).
const PRIVATE: [&str; 12] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
    "::/127",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Adds the neighbours to `config`, in the VRFs that `vrfs` gives the networks.
pub(super) fn add(config: &mut Config, world: &World, outcome: &Outcome, vrfs: &HashMap<String, String>) -> Sessions {
    let mut sessions = Sessions::new();
    for peering in outcome.peerings.iter().filter(|peering| peering.status.phase == Phase::Bound) {
        let Some(bgp) = peering.bgp.as_ref().filter(|bgp| bgp.switch == config.name) else { continue };
        let Some(vrf) = vrfs.get(&peering.network1.to_string()) else { continue };
        let neighbor = neighbor(peering, bgp, vrf, world);
        let key = neighbor.key();
        let taken = config.neighbors.iter().any(|known| known.key() == key);
        let session = if taken {
            Err(format!("{key} is a neighbour already; a neighbour has one session"))
        } else {
            own_interface(config, &bgp.interface, vrf);
            config.neighbors.push(neighbor);
            Ok(key)
        };
        sessions.insert(peering.name.clone(), session);
    }
    sessions
}

/// Puts the port into the session's VRF, unless it is somewhere already.
fn own_interface(config: &mut Config, interface: &str, vrf: &str) {
    let in_vrf = config.vrfs.iter().any(|vrf| vrf.interfaces.iter().any(|known| known == interface));
    let unnumbered = config
        .neighbors
        .iter()
        .any(|neighbor| matches!(&neighbor.address, PeerAddress::Interface(known) if **known == *interface));
    if !in_vrf
        && !unnumbered
        && let Some(vrf) = config.vrfs.iter_mut().find(|known| known.name == vrf)
    {
        vrf.interfaces.push(interface.to_owned());
    }
}

fn neighbor(peering: &PeeringStatus, bgp: &Bgp, vrf: &str, world: &World) -> NeighborConfig {
    let network = world.networks.get(&peering.network1).and_then(|network| network.metal());
    let own: &[IpNet] = network.map_or(&[], |network| &network.prefixes);
    let limit = world.peerings.get(&peering.name).and_then(|peering| peering.limit).unwrap_or(DEFAULT_LIMIT);
    NeighborConfig {
        local_address: Some(bgp.local.addr()),
        local_as: Some(bgp.local_as),
        class: Class::External,
        max_prefixes: Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        import: (!bgp.import.is_empty())
            .then(|| list(PRIVATE.iter().flat_map(|net| net.parse()).chain(own.iter().copied()), &bgp.import)),
        export: Some(list(PRIVATE.iter().flat_map(|net| net.parse()), own)),
        description: Some(format!("peering {}", peering.name.name)),
        ..NeighborConfig::new(vrf, bgp.remote, RemoteAs::Is(bgp.remote_as))
    }
}

/// What lies in one of `permitted`, but nothing that lies in one of `denied`.
fn list(denied: impl Iterator<Item = IpNet>, permitted: &[IpNet]) -> Accept {
    let rule = |permit| move |prefix: IpNet| PrefixRule { prefix, ge: None, le: Some(prefix.max_prefix_len()), permit };
    let rules = denied.map(rule(false)).chain(permitted.iter().copied().map(rule(true)));
    // From a prefix's own length to the family's longest is in order for every prefix.
    PrefixList::new(rules).map_or(Accept::Nothing, |list| Accept::Listed(Arc::new(list)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(accept: &Accept, prefix: &str) -> bool {
        let Accept::Listed(list) = accept else { panic!("a list is expected") };
        list.permits(prefix.parse().unwrap())
    }

    #[test]
    fn r44_every_private_space_is_one() {
        assert_eq!(PRIVATE.iter().flat_map(|net| net.parse::<IpNet>()).count(), PRIVATE.len());
    }

    #[test]
    fn r44_out_go_public_prefixes_of_the_network_and_in_comes_what_the_filter_lets_in_but_for_own_and_private_space() {
        let manifests = "{id: internet, vrf: 5, prefixes: [198.51.100.0/24, 10.9.0.0/16], destinationprefixes: [0.0.0.0/0]}\n---\n\
            {apiVersion: metal-stack.io/v1, kind: Peering, metadata: {name: isp}, spec: {network1: internet, limit: 7, bgp: \
            {local: {as: 65000, cidr: 172.16.0.1, port: Ethernet0@exit01}, remote: {as: 65001, cidr: 172.16.0.2}, import: [0.0.0.0/0]}}}\n";
        let world = network_peering::load([("f".to_owned(), manifests)]).unwrap();
        let now = network_peering::Timestamp::from_unix_seconds(0);
        let outcome =
            network_peering::evaluate(&world, &mut network_peering::State::default(), now, &Default::default());
        let vrfs = HashMap::from([("default/internet".to_owned(), "internet".to_owned())]);
        let mut config = Config { name: "leaf01".to_owned(), ..Config::default() };
        assert!(add(&mut config, &world, &outcome, &vrfs).is_empty(), "only the switch of the port acts");
        config.name = "exit01".to_owned();
        let sessions = add(&mut config, &world, &outcome, &vrfs);
        assert!(sessions.values().all(Result::is_ok) && sessions.len() == 1);
        let neighbor = &config.neighbors[0];
        assert_eq!(
            (neighbor.local_as, neighbor.remote_as, neighbor.max_prefixes),
            (Some(65000), RemoteAs::Is(65001), Some(7))
        );
        let export = neighbor.export.as_ref().unwrap();
        assert!(permits(export, "198.51.100.7/32"));
        for kept in ["0.0.0.0/0", "10.9.0.0/16", "203.0.113.0/24"] {
            assert!(!permits(export, kept), "{kept} must stay");
        }
        let import = neighbor.import.as_ref().unwrap();
        assert!(permits(import, "0.0.0.0/0") && permits(import, "203.0.113.0/24"));
        for kept in ["198.51.100.0/25", "192.168.1.0/24", "172.16.0.0/30"] {
            assert!(!permits(import, kept), "{kept} must not come in");
        }
    }
}
