//! One VRF on the shard: its identity, its local routes, what leads where in it, and whom it tells.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp_wire::{AttributesBuilder, Ipv4Unicast, Ipv6Unicast, NextHop, Origin};
use ipnet::IpNet;
use leak_engine::{Engine, EngineError};
use rib::adj_out::AdjOut;
use rib::{NextHopId, Origination, SourceId, VrfId};

use super::resolve::{Reach, Target};
use crate::config::{Binding, FibMode, Via, VrfConfig};
use crate::kernel::Links;

/// A VRF as the shard keeps it.
#[derive(Debug)]
pub(super) struct Vrf {
    pub(super) name: Arc<str>,
    pub(super) config: VrfConfig,
    /// The kernel's table, when there is one.
    pub(super) table: Option<u32>,
    pub(super) reach: Reach,
    pub(super) sources: LocalSources,
    /// Local routes that stand.
    connected: BTreeMap<IpNet, Option<u32>>,
    statics: BTreeMap<IpNet, StaticHop>,
    pub(super) out4: AdjOut<Ipv4Unicast>,
    pub(super) out6: AdjOut<Ipv6Unicast>,
    /// Next hops that no session leads to, and so may depend on the VRF's routes.
    pub(super) indirect: BTreeMap<IpAddr, BTreeSet<NextHopId>>,
}

/// The sources of a VRF's own routes.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalSources {
    pub(super) connected: SourceId,
    pub(super) statics: SourceId,
    pub(super) injected: SourceId,
}

/// The next hop of a static route, in the engine's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StaticHop {
    address: NextHop,
    interface: Option<u32>,
}

impl Vrf {
    /// Adds the VRF to the engine.
    pub(super) fn new(engine: &mut Engine, id: VrfId, name: &str) -> Result<Self, EngineError> {
        engine.add_vrf(id, name)?;
        let sources = LocalSources {
            connected: engine.add_source(id, Origination::Connected, None)?,
            statics: engine.add_source(id, Origination::Static, None)?,
            injected: engine.add_source(id, Origination::Static, None)?,
        };
        Ok(Self {
            name: name.into(),
            config: VrfConfig::default(),
            table: None,
            reach: Reach::default(),
            sources,
            connected: BTreeMap::new(),
            statics: BTreeMap::new(),
            out4: AdjOut::default(),
            out6: AdjOut::default(),
            indirect: BTreeMap::new(),
        })
    }

    /// Brings local routes and reachability in line with configuration and interfaces. Says whether anything differs that next hops
    /// may depend on, and which connected prefixes do.
    pub(super) fn update(&mut self, engine: &mut Engine, links: &Links) -> (bool, Vec<IpNet>) {
        let connected = self.wanted_connected(links);
        let statics = self.wanted_statics(links);
        let targets: Vec<(IpNet, Target)> = self
            .config
            .statics
            .iter()
            .filter_map(|route| Some((route.prefix.trunc(), target(&route.via, links)?)))
            .collect();
        let reach =
            Reach::fixed(connected.iter().map(|(prefix, interface)| (*prefix, interface.unwrap_or(0))), targets);
        let differs = self.reach.replace_fixed(reach);

        let native = if self.config.redistribute_connected { connected } else { BTreeMap::new() };
        let attributes = local_attributes();
        for prefix in self.connected.keys() {
            if !native.contains_key(prefix) {
                ignore_gone(engine.withdraw(self.sources.connected, *prefix, 0));
            }
        }
        for (prefix, interface) in &native {
            if self.connected.get(prefix) != Some(interface) {
                ignore_gone(engine.insert(
                    self.sources.connected,
                    *prefix,
                    0,
                    &attributes,
                    nowhere(prefix),
                    *interface,
                ));
            }
        }
        self.connected = native;
        for prefix in self.statics.keys() {
            if !statics.contains_key(prefix) {
                ignore_gone(engine.withdraw(self.sources.statics, *prefix, 0));
            }
        }
        for (prefix, hop) in &statics {
            if self.statics.get(prefix) != Some(hop) {
                ignore_gone(engine.insert(self.sources.statics, *prefix, 0, &attributes, hop.address, hop.interface));
            }
        }
        self.statics = statics;
        differs
    }

    /// The kernel's table for what is configured and there.
    pub(super) fn wanted_table(&self, links: &Links) -> Option<u32> {
        match &self.config.binding {
            Binding::None => None,
            Binding::Table(table) => Some(*table),
            Binding::Device(device) => links.0.get(device)?.vrf_table,
        }
    }

    pub(super) fn is_device(&self) -> bool {
        matches!(self.config.binding, Binding::Device(_))
    }

    /// The interfaces whose connected prefixes are the VRF's.
    fn members<'a>(&'a self, links: &'a Links) -> impl Iterator<Item = &'a crate::kernel::Link> {
        let device = match &self.config.binding {
            Binding::Device(device) => links.index(device),
            Binding::None | Binding::Table(_) => None,
        };
        links
            .0
            .iter()
            .filter(move |(name, link)| {
                self.config.interfaces.contains(name) || device.is_some() && link.master == device
            })
            .map(|(_, link)| link)
    }

    fn wanted_connected(&self, links: &Links) -> BTreeMap<IpNet, Option<u32>> {
        let mut connected = BTreeMap::new();
        for link in self.members(links).filter(|link| link.running) {
            for (_, network) in &link.addresses {
                let link_local = match network {
                    IpNet::V4(_) => false,
                    IpNet::V6(network) => network.addr().is_unicast_link_local(),
                };
                if !link_local {
                    connected.insert(network.trunc(), Some(link.index));
                }
            }
        }
        for declared in &self.config.connected {
            let interface = declared.interface.as_deref().and_then(|name| links.index(name));
            connected.insert(declared.prefix.trunc(), interface);
        }
        connected
    }

    fn wanted_statics(&self, links: &Links) -> BTreeMap<IpNet, StaticHop> {
        let hop = |prefix: &IpNet, via: &Via| {
            Some(match via {
                Via::Address(gateway) => StaticHop { address: next_hop(*gateway), interface: None },
                Via::Interface(name) => StaticHop { address: nowhere(prefix), interface: Some(links.index(name)?) },
                Via::AddressOn(gateway, name) => {
                    StaticHop { address: next_hop(*gateway), interface: Some(links.index(name)?) }
                }
                Via::Unreachable => StaticHop { address: nowhere(prefix), interface: None },
            })
        };
        self.config
            .statics
            .iter()
            .filter_map(|route| {
                let prefix = route.prefix.trunc();
                Some((prefix, hop(&prefix, &route.via)?))
            })
            .collect()
    }

    /// Our address on the interface that `local` is on, of the other family.
    pub(super) fn sibling(&self, links: &Links, local: IpAddr) -> Option<IpAddr> {
        let link = links.0.values().find(|link| link.addresses.iter().any(|(address, _)| *address == local))?;
        let usable = |address: &IpAddr| match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_loopback(),
        };
        link.addresses
            .iter()
            .map(|(address, _)| *address)
            .find(|address| address.is_ipv4() != local.is_ipv4() && usable(address))
    }

    /// The rules that lead packets into the VRF's table.
    pub(super) fn rules(&self, mode: FibMode) -> impl Iterator<Item = (String, u32)> + '_ {
        let table = match (&self.config.binding, mode) {
            (Binding::Table(table), FibMode::Linux) => Some(*table),
            _ => None,
        };
        table.into_iter().flat_map(|table| self.config.interfaces.iter().map(move |name| (name.clone(), table)))
    }
}

/// The attributes of routes that come from the box itself.
fn local_attributes() -> Vec<u8> {
    AttributesBuilder::new(Origin::Incomplete).build()
}

/// An operation on a source that is being removed has no effect, which is right.
pub(super) fn ignore_gone<T>(result: Result<T, EngineError>) -> Option<T> {
    result.ok()
}

/// A static route that leads on to a gateway or interface; one whose interface is not there leads nowhere.
fn target(via: &Via, links: &Links) -> Option<Target> {
    Some(match via {
        Via::Address(gateway) => Target::Gateway(*gateway),
        Via::Interface(name) => Target::Interface(links.index(name)?),
        Via::AddressOn(gateway, name) => Target::Both(*gateway, links.index(name)?),
        Via::Unreachable => Target::Unreachable,
    })
}

pub(super) fn next_hop(address: IpAddr) -> NextHop {
    match address {
        IpAddr::V4(address) => NextHop::Ipv4(address),
        IpAddr::V6(address) => NextHop::Ipv6(address),
    }
}

/// The next hop of what is on the link or here.
pub(super) fn nowhere(prefix: &IpNet) -> NextHop {
    match prefix {
        IpNet::V4(_) => NextHop::Ipv4(Ipv4Addr::UNSPECIFIED),
        IpNet::V6(_) => NextHop::Ipv6(Ipv6Addr::UNSPECIFIED),
    }
}

/// The address that has to be reached for a next hop.
pub(super) fn address(next_hop: &NextHop) -> IpAddr {
    match next_hop {
        NextHop::Ipv4(address) => (*address).into(),
        NextHop::Ipv6(address) => (*address).into(),
        NextHop::Ipv6LinkLocal { global, link_local } => {
            if global.is_unspecified() {
                (*link_local).into()
            } else {
                (*global).into()
            }
        }
    }
}
