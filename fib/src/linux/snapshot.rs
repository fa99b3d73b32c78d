//! What the kernel says of links, addresses and the routes of others, as plain data.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use netlink_packet_core::{NetlinkBuffer, Parseable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage},
    link::{InfoData, InfoVrf, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};

use super::{
    connection::Connection,
    message::{Form, Standing},
    monitor::Event,
    sink::dump_routes,
};
use crate::{Kind, PROTOCOL, RouteKey, SinkError};

/// An interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it was set up (`ip link set up`).
    pub up: bool,
    /// Whether it can carry packets: it is up and has a carrier.
    pub running: bool,
    /// The number of the bridge, bond or VRF device that it belongs to.
    pub master: Option<u32>,
    /// The routing table's number, if it is a VRF device.
    pub vrf_table: Option<u32>,
}

/// An address of an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The interface's number.
    pub interface: u32,
    /// The address.
    pub local: IpAddr,
    /// The prefix that is on the link; host bits are zero.
    pub network: IpNet,
    /// Whether it may not be used yet, or not at all, since duplicate address detection goes on or
    /// failed (RFC 4862).
    pub tentative: bool,
}

/// A route that is not ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignRoute {
    /// Table, prefix and metric. Routes that differ in less are told as one with several next hops.
    pub key: RouteKey,
    /// Who installed it (`rtm_protocol`): 2 the kernel, 3 boot, 4 static, 12 BIRD, 186 FRR's BGP.
    pub protocol: u8,
    /// What happens to a packet. Blackholes and prohibitions are told as unreachable.
    pub kind: Kind,
}

/// Links, addresses and routes of others at one time.
///
/// Routes that the kernel makes for its own addresses, and multicast routes, are left out.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Snapshot {
    links: BTreeMap<u32, Link>,
    addresses: BTreeMap<(u32, IpAddr, IpNet), Address>,
    routes: BTreeMap<RouteKey, ForeignRoute>,
}

impl Snapshot {
    /// Reads everything from the kernel.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn take() -> Result<Self, SinkError> {
        Self::read(&mut Connection::open()?)
    }

    /// The interfaces by number.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The interface with this number.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The interface with this name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
    }

    /// The VRF device that an interface belongs to, if it does.
    pub fn vrf_of(&self, index: u32) -> Option<&Link> {
        let master = self.link(self.link(index)?.master?)?;
        master.vrf_table.map(|_| master)
    }

    /// The interfaces that belong to a VRF device.
    pub fn members(&self, vrf: u32) -> impl Iterator<Item = &Link> {
        self.links.values().filter(move |link| link.master == Some(vrf))
    }

    /// All addresses.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.values()
    }

    /// The addresses of one interface.
    pub fn addresses_of(&self, interface: u32) -> impl Iterator<Item = &Address> {
        self.addresses().filter(move |address| address.interface == interface)
    }

    /// The routes of others, by key.
    pub fn routes(&self) -> impl Iterator<Item = &ForeignRoute> {
        self.routes.values()
    }

    pub(super) fn read(connection: &mut Connection) -> Result<Self, SinkError> {
        let mut snapshot = Self::default();
        let mut ask = RouteNetlinkMessage::GetLink(LinkMessage::default());
        connection.dump(&ask, |message| {
            match message {
                None => snapshot.links.clear(),
                Some(message) => {
                    if let Some(link) = read_link(&message) {
                        snapshot.set_link(link);
                    }
                }
            }
            Ok(())
        })?;
        ask = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        connection.dump(&ask, |message| {
            match message {
                None => snapshot.addresses.clear(),
                Some(message) => {
                    if let Some(address) = read_address(&message) {
                        snapshot.set_address(address);
                    }
                }
            }
            Ok(())
        })?;
        snapshot.read_routes(connection)?;
        Ok(snapshot)
    }

    /// Reads the routes anew.
    pub(super) fn read_routes(&mut self, connection: &mut Connection) -> Result<(), SinkError> {
        let mut routes = BTreeMap::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let found: Self = dump_routes(connection, family, |found: &mut Self, route| {
                found.add_route(route, false);
            })?;
            routes.extend(found.routes);
        }
        self.routes = routes;
        Ok(())
    }

    pub(super) fn set_link(&mut self, link: Link) -> Option<Event> {
        let old = self.links.insert(link.index, link.clone());
        (old.as_ref() != Some(&link)).then_some(Event::Link(link))
    }

    pub(super) fn remove_link(&mut self, index: u32) -> Option<Event> {
        self.links.remove(&index).map(Event::LinkGone)
    }

    pub(super) fn set_address(&mut self, address: Address) -> Option<Event> {
        let old = self.addresses.insert(address_key(&address), address.clone());
        (old.as_ref() != Some(&address)).then_some(Event::Address(address))
    }

    pub(super) fn remove_address(&mut self, address: &Address) -> Option<Event> {
        self.addresses.remove(&address_key(address)).map(Event::AddressGone)
    }

    /// Adds a route. Next hops of routes with the same key come together unless it replaces them.
    pub(super) fn add_route(&mut self, standing: Standing, replaces: bool) -> Option<Event> {
        let route = foreign_route(standing)?;
        let old = self.routes.get(&route.key);
        let route = match (old.map(|old| &old.kind), &route.kind) {
            (Some(Kind::Unicast { next_hops: old }), Kind::Unicast { next_hops }) if !replaces => ForeignRoute {
                kind: Kind::Unicast { next_hops: old.iter().chain(next_hops.iter()).copied().collect() },
                ..route
            },
            _ => route,
        };
        if old == Some(&route) {
            return None;
        }
        self.routes.insert(route.key, route.clone());
        Some(Event::Route(route))
    }

    /// Removes a route, or those of its next hops that are told.
    pub(super) fn remove_route(&mut self, gone: Standing) -> Option<Event> {
        let gone = foreign_route(gone)?;
        let standing = self.routes.get_mut(&gone.key)?;
        if let (Kind::Unicast { next_hops: old }, Kind::Unicast { next_hops: gone }) = (&mut standing.kind, &gone.kind)
        {
            let left: Vec<_> = old
                .iter()
                .filter(|hop| !gone.iter().any(|g| (g.via, g.interface) == (hop.via, hop.interface)))
                .copied()
                .collect();
            if !left.is_empty() {
                *old = left.into();
                return Some(Event::Route(standing.clone()));
            }
        }
        self.routes.remove(&gone.key).map(Event::RouteGone)
    }

    /// What has to be told to one who knows `self` so that he knows `new`.
    pub(super) fn events_to(&self, new: &Self) -> Vec<Event> {
        let mut events = Vec::new();
        difference(&self.links, &new.links, &mut events, Event::LinkGone, Event::Link);
        difference(&self.addresses, &new.addresses, &mut events, Event::AddressGone, Event::Address);
        difference(&self.routes, &new.routes, &mut events, Event::RouteGone, Event::Route);
        events
    }
}

fn difference<K: Ord, V: Clone + PartialEq>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    events: &mut Vec<Event>,
    gone: impl Fn(V) -> Event,
    set: impl Fn(V) -> Event,
) {
    let missing = old.iter().filter(|(key, _)| !new.contains_key(key));
    events.extend(missing.map(|(_, value)| gone(value.clone())));
    let changed = new.iter().filter(|(key, value)| old.get(key) != Some(value));
    events.extend(changed.map(|(_, value)| set(value.clone())));
}

fn address_key(address: &Address) -> (u32, IpAddr, IpNet) {
    (address.interface, address.local, address.network)
}

fn foreign_route(standing: Standing) -> Option<ForeignRoute> {
    if standing.protocol == PROTOCOL || standing.form == Form::Local {
        return None;
    }
    Some(ForeignRoute { key: standing.route.key(), protocol: standing.protocol, kind: standing.route.kind })
}

/// Reads a link message. `None` if it is not of the link itself but of its place in a bridge, or
/// cannot be read.
pub(super) fn read_link(message: &NetlinkBuffer<&[u8]>) -> Option<Link> {
    let message = LinkMessage::parse(message.payload()).ok()?;
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        up: message.header.flags.contains(LinkFlags::Up),
        running: message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        master: None,
        vrf_table: None,
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Controller(master) => link.master = Some(master),
            LinkAttribute::LinkInfo(infos) => {
                link.vrf_table = infos.iter().find_map(|info| match info {
                    LinkInfo::Data(InfoData::Vrf(data)) => data.iter().find_map(|d| match d {
                        InfoVrf::TableId(table) => Some(*table),
                        _ => None,
                    }),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(link)
}

/// Reads an address message; `None` if it is of another family or cannot be read.
pub(super) fn read_address(message: &NetlinkBuffer<&[u8]>) -> Option<Address> {
    let message = AddressMessage::parse(message.payload()).ok()?;
    let header = &message.header;
    let mut local = None;
    let mut network = None;
    let mut tentative = header.flags.intersects(AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => network = Some(*address),
            AddressAttribute::Flags(flags) => {
                tentative = flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed)
                    && !flags.contains(AddressFlags::Optimistic);
            }
            _ => {}
        }
    }
    let network = network.or(local)?;
    Some(Address {
        interface: header.index,
        local: local.unwrap_or(network),
        network: IpNet::new(network, header.prefix_len).ok()?.trunc(),
        tentative,
    })
}
