//! Next-hop resolution in one VRF: which interface and gateway lead to an address.
//!
//! It is given what is connected, the static routes and the single-hop neighbours that are up, and asks its caller for BGP
//! routes. It remembers nothing of next hops; who tracks them asks again when something changed.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::map::JointPrefixMap;
use rib::{Egress, NextHopState};

/// An interface that is not known: of a VRF that has none, or one that has not appeared yet.
pub(crate) const NO_INTERFACE: u32 = 0;

/// Most routes looked up for one next hop before it counts as a loop.
const DEPTH: usize = 8;

/// What leads somewhere in one VRF, beside BGP.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    fixed: Fixed,
    /// Established single-hop neighbours, and how many sessions each has.
    sessions: HashMap<IpAddr, usize>,
}

/// Connected prefixes, with their interfaces, and static routes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fixed {
    connected: JointPrefixMap<IpNet, u32>,
    statics: JointPrefixMap<IpNet, Target>,
}

/// Where a static route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Gateway(IpAddr),
    Interface(u32),
    Both(IpAddr, u32),
    Unreachable,
}

/// What BGP knows of an address: the longest route and its next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BgpRoute {
    pub(crate) prefix: IpNet,
    pub(crate) next_hop: IpAddr,
}

impl Reach {
    /// What is connected and static.
    pub(crate) fn fixed(
        connected: impl IntoIterator<Item = (IpNet, u32)>,
        statics: impl IntoIterator<Item = (IpNet, Target)>,
    ) -> Fixed {
        Fixed { connected: connected.into_iter().collect(), statics: statics.into_iter().collect() }
    }

    /// Replaces what is connected and static. Says whether it differs, and which connected prefixes do.
    pub(crate) fn replace_fixed(&mut self, fixed: Fixed) -> (bool, Vec<IpNet>) {
        if self.fixed == fixed {
            return (false, Vec::new());
        }
        let was = std::mem::replace(&mut self.fixed, fixed).connected;
        let is = &self.fixed.connected;
        let left = was.iter().map(|(prefix, _)| prefix).filter(|prefix| is.get(prefix).is_none());
        let came = is.iter().filter(|(prefix, interface)| was.get(prefix) != Some(interface)).map(|(prefix, _)| prefix);
        let changed = left.chain(came).collect();
        (true, changed)
    }

    /// The interface of a connected prefix, where it is known.
    pub(crate) fn connected(&self, prefix: &IpNet) -> Option<u32> {
        self.fixed.connected.get(prefix).copied().filter(|interface| *interface != NO_INTERFACE)
    }

    /// All connected prefixes.
    pub(crate) fn all_connected(&self) -> Vec<IpNet> {
        self.fixed.connected.iter().map(|(prefix, _)| prefix).collect()
    }

    pub(crate) fn session_up(&mut self, address: IpAddr) {
        *self.sessions.entry(address).or_default() += 1;
    }

    pub(crate) fn session_down(&mut self, address: IpAddr) {
        if let Some(count) = self.sessions.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.sessions.remove(&address);
            }
        }
    }

    /// The interface that an address is connected by.
    pub(crate) fn interface(&self, address: IpAddr) -> Option<u32> {
        self.fixed.connected.get_lpm(&host(address)).map(|(_, interface)| *interface)
    }

    /// What leads to `address`: a session with it, else the longest of connected, static and BGP routes, in this order for
    /// equal lengths; through gateways until a link is reached. A BGP route leads on only to what needs no further one, so that
    /// routes cannot resolve each other in a circle.
    pub(crate) fn resolve(&self, address: IpAddr, bgp: &dyn Fn(IpAddr) -> Option<BgpRoute>) -> NextHopState {
        let mut shown = address;
        let mut through_bgp = false;
        for _ in 0..DEPTH {
            let address = shown.to_canonical();
            if self.sessions.contains_key(&address) {
                let interface = self.interface(address).unwrap_or(NO_INTERFACE);
                return resolved(shown, interface);
            }
            let connected = self.fixed.connected.get_lpm(&host(address));
            let fixed = self.fixed.statics.get_lpm(&host(address));
            let learned = if through_bgp { None } else { bgp(address) };
            let length = |prefix: &IpNet| i16::from(prefix.prefix_len());
            let connected_length = connected.as_ref().map_or(-1, |(prefix, _)| length(prefix));
            let static_length = fixed.as_ref().map_or(-1, |(prefix, _)| length(prefix));
            let bgp_length = learned.as_ref().map_or(-1, |route| length(&route.prefix));
            if connected_length >= static_length.max(bgp_length) {
                let Some((_, interface)) = connected else {
                    return NextHopState::Unreachable;
                };
                return resolved(shown, *interface);
            }
            if static_length >= bgp_length {
                match fixed.map(|(_, target)| *target) {
                    Some(Target::Gateway(gateway)) => shown = gateway,
                    Some(Target::Interface(interface)) => return resolved(shown, interface),
                    Some(Target::Both(gateway, interface)) => {
                        return resolved(gateway, interface);
                    }
                    Some(Target::Unreachable) | None => return NextHopState::Unreachable,
                }
            } else {
                match learned {
                    Some(route) => {
                        shown = route.next_hop;
                        through_bgp = true;
                    }
                    None => return NextHopState::Unreachable,
                }
            }
        }
        NextHopState::Unreachable
    }
}

fn resolved(gateway: IpAddr, interface: u32) -> NextHopState {
    NextHopState::Resolved { metric: 0, egress: Box::new([Egress { gateway: Some(gateway), interface }]) }
}

/// The prefix of one address.
pub(crate) fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn no_bgp(_: IpAddr) -> Option<BgpRoute> {
        None
    }

    fn reach() -> Reach {
        let mut reach = Reach::default();
        reach.replace_fixed(Reach::fixed(
            [(net("10.0.0.0/24"), 3), (net("2001:db8::/64"), 4)],
            [
                (net("10.9.0.0/16"), Target::Gateway(ip("10.0.0.9"))),
                (net("10.9.9.0/24"), Target::Unreachable),
                (net("10.8.0.0/16"), Target::Both(ip("10.0.1.1"), 7)),
            ],
        ));
        reach
    }

    #[test]
    fn a_connected_address_is_its_own_gateway() {
        let reach = reach();
        assert_eq!(reach.resolve(ip("10.0.0.5"), &no_bgp), resolved(ip("10.0.0.5"), 3));
        assert_eq!(reach.resolve(ip("2001:db8::5"), &no_bgp), resolved(ip("2001:db8::5"), 4));
        assert_eq!(reach.resolve(ip("192.0.2.1"), &no_bgp), NextHopState::Unreachable);
    }

    #[test]
    fn static_routes_lead_on_and_the_longest_decides() {
        let reach = reach();
        assert_eq!(reach.resolve(ip("10.9.0.1"), &no_bgp), resolved(ip("10.0.0.9"), 3));
        assert_eq!(reach.resolve(ip("10.9.9.1"), &no_bgp), NextHopState::Unreachable);
        assert_eq!(reach.resolve(ip("10.8.0.1"), &no_bgp), resolved(ip("10.0.1.1"), 7));
    }

    #[test]
    fn a_neighbor_is_reachable_while_a_session_with_it_is_up() {
        let mut reach = Reach::default();
        let neighbor = ip("127.0.0.2");
        reach.session_up(neighbor);
        reach.session_up(neighbor);
        assert_eq!(reach.resolve(ip("::ffff:127.0.0.2"), &no_bgp), resolved(ip("::ffff:127.0.0.2"), NO_INTERFACE));
        reach.session_down(neighbor);
        assert!(reach.resolve(neighbor, &no_bgp).is_resolved());
        reach.session_down(neighbor);
        assert!(!reach.resolve(neighbor, &no_bgp).is_resolved());
    }

    #[test]
    fn a_route_of_bgp_leads_to_a_next_hop_and_a_loop_leads_nowhere() {
        let reach = reach();
        let route = |next_hop: &str| {
            let next_hop = ip(next_hop);
            move |address: IpAddr| {
                (net("172.16.0.0/12").contains(&address)).then_some(BgpRoute { prefix: net("172.16.0.0/12"), next_hop })
            }
        };
        assert_eq!(reach.resolve(ip("172.16.0.1"), &route("10.0.0.7")), resolved(ip("10.0.0.7"), 3));
        assert!(!reach.resolve(ip("172.16.0.1"), &route("172.16.0.2")).is_resolved());
    }
}
