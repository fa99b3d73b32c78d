//! The desired state of a speaker as plain data.
//!
//! Owns the types a user fills in and the check that they make sense together. It is given values, never files, and it never
//! looks at the system: whether an interface exists is found out when the configuration runs.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bgp_session::RemoteAs;
use bgp_wire::AfiSafi;
use ipnet::IpNet;
use leak_engine::{Accept, Advertise, Filter, PrefixList, PrefixRule, Rank};

/// The well-known port of BGP (RFC 4271 section 8).
pub const BGP_PORT: u16 = 179;

/// Everything a speaker is told. Two equal values mean the same speaker; applying an equal one does nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The name shown in status and sent as host name capability.
    pub name: String,
    /// Our AS number, 1 to 4294967295.
    pub asn: u32,
    /// Our BGP identifier, not 0.0.0.0 (RFC 6286).
    pub router_id: Ipv4Addr,
    /// The partition or zone that this box is in.
    pub zone: Option<String>,
    /// Addresses to accept connections on. Port 0 takes any free port (see [`crate::Status::listening`]).
    pub listen: Vec<SocketAddr>,
    /// The VRFs.
    pub vrfs: Vec<VrfConfig>,
    /// The neighbours, each in one VRF.
    pub neighbors: Vec<NeighborConfig>,
    /// The leaks between VRFs, one direction each.
    pub edges: Vec<EdgeConfig>,
    /// Where selected routes go.
    pub fib: FibMode,
    /// Leave the installed routes in place on a clean stop.
    pub keep_routes: bool,
    /// How long after a start to wait for all neighbours' End-of-RIB before routes of an earlier run are swept.
    pub convergence: Duration,
    /// How many threads share the prefixes out among them, from 1 to [`Config::MAX_SHARDS`].
    pub shards: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "peerage".to_owned(),
            asn: 0,
            router_id: Ipv4Addr::UNSPECIFIED,
            zone: None,
            listen: Vec::new(),
            vrfs: Vec::new(),
            neighbors: Vec::new(),
            edges: Vec::new(),
            fib: FibMode::Memory,
            keep_routes: false,
            convergence: Duration::from_secs(60),
            shards: 1,
        }
    }
}

/// One routing table and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VrfConfig {
    /// The name, unique on the box.
    pub name: String,
    /// The network (`namespace/name`) whose table this is.
    pub network: Option<String>,
    /// What it is in the kernel.
    pub binding: Binding,
    /// The interfaces whose traffic is looked up in this VRF. With a [`Binding::Device`] the kernel's own membership counts too.
    pub interfaces: Vec<String>,
    /// Prefixes that are directly connected, declared rather than read from interfaces. This is how a VRF without interfaces
    /// (memory mode) has any; they are added to those read.
    pub connected: Vec<Connected>,
    /// Whether connected prefixes become native routes, that is: are advertised and may leak. They resolve next hops either way.
    pub redistribute_connected: bool,
    /// Static routes; always native.
    pub statics: Vec<Static>,
}

/// What a VRF is in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Binding {
    /// Nothing: routes are selected and advertised and not installed.
    #[default]
    None,
    /// A routing table by number, reached by one rule per interface.
    Table(u32),
    /// A VRF device by name, whose table is the device's. Sessions of the VRF are bound to the device.
    Device(String),
}

/// A directly connected prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The prefix; host bits are ignored.
    pub prefix: IpNet,
    /// The interface that leads there, when there is one.
    pub interface: Option<String>,
}

/// A static route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Static {
    /// The destination; host bits are ignored.
    pub prefix: IpNet,
    /// Where to.
    pub via: Via,
}

/// The target of a static route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A gateway, resolved in the route's VRF.
    Address(IpAddr),
    /// An interface, on link.
    Interface(String),
    /// A gateway on a named interface, taken as on link.
    AddressOn(IpAddr, String),
    /// Nowhere: packets are refused as unreachable.
    Unreachable,
}

/// How far a neighbour is trusted without policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Inside the fabric (leaf, spine, machine, firewall): no policy is needed.
    Fabric,
    /// Anyone else: without a policy nothing comes in and nothing goes out (RFC 8212).
    External,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fabric => "fabric",
            Self::External => "external",
        })
    }
}

/// One peer.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborConfig {
    /// The VRF it is in.
    pub vrf: String,
    /// Where it is.
    pub address: PeerAddress,
    /// Our address toward it. It selects the source address, and tells neighbours of one address apart that are in different VRFs of
    /// the plain namespace.
    pub local_address: Option<IpAddr>,
    /// The port to connect to.
    pub port: u16,
    /// Only accept, never connect (RFC 4271 section 8.1.1).
    pub passive: bool,
    /// Our AS number toward it, in the place of the speaker's: in OPEN, in front of AS_PATH, and as the one that a received AS_PATH
    /// must not hold.
    pub local_as: Option<u32>,
    /// Its AS number, or which ones will do.
    pub remote_as: RemoteAs,
    /// How far it is trusted.
    pub class: Class,
    /// The families offered.
    pub families: Vec<AfiSafi>,
    /// Hold time, 0 or at least 3 s; the smaller of both sides counts (RFC 4271 section 4.2).
    pub hold_time: Duration,
    /// Time between keepalives; a third of the negotiated hold time unless given, and never more.
    pub keepalive: Option<Duration>,
    /// Time between attempts to connect.
    pub connect_retry: Duration,
    /// TTL of what we send to an external neighbour; `None` is 1, for one directly connected.
    pub multihop: Option<u8>,
    /// How often our own AS number may be in a received AS_PATH.
    pub allow_as_in: u8,
    /// Most prefixes accepted, of all families; one more ends the session with CEASE/1 (RFC 4486), and it rests for a minute.
    pub max_prefixes: Option<u32>,
    /// Offer IPv4 routes with IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// Rewrite the next hop to ours toward an internal neighbour. Toward an external one it always is.
    pub next_hop_self: bool,
    /// What is taken from it. `None`: everything from a fabric neighbour, nothing from an external one.
    pub import: Option<Accept>,
    /// What is sent to it. `None`: everything to a fabric neighbour, nothing to an external one.
    pub export: Option<Accept>,
    /// Free text for people.
    pub description: Option<String>,
}

impl NeighborConfig {
    /// A fabric neighbour with the timers of a data centre: hold time 9 s, connect retry 10 s, IPv4 and IPv6 unicast.
    pub fn new(vrf: impl Into<String>, address: IpAddr, remote_as: RemoteAs) -> Self {
        Self::at(vrf.into(), PeerAddress::Ip(address), remote_as)
    }

    /// As [`NeighborConfig::new`], for whoever is at the other end of an interface; IPv4 routes are offered with IPv6 next hops.
    pub fn on_interface(vrf: impl Into<String>, interface: &str, remote_as: RemoteAs) -> Self {
        let address = PeerAddress::Interface(interface.into());
        Self { extended_next_hop: true, ..Self::at(vrf.into(), address, remote_as) }
    }

    fn at(vrf: String, address: PeerAddress, remote_as: RemoteAs) -> Self {
        Self {
            vrf,
            address,
            local_address: None,
            port: BGP_PORT,
            passive: false,
            local_as: None,
            remote_as,
            class: Class::Fabric,
            families: vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST],
            hold_time: Duration::from_secs(9),
            keepalive: None,
            connect_retry: Duration::from_secs(10),
            multihop: None,
            allow_as_in: 0,
            max_prefixes: None,
            extended_next_hop: false,
            next_hop_self: false,
            import: None,
            export: None,
            description: None,
        }
    }

    /// What the neighbour is known by.
    pub fn key(&self) -> NeighborKey {
        NeighborKey { vrf: self.vrf.as_str().into(), address: self.address.clone() }
    }
}

/// A policy that passes what is equal to or inside one of these prefixes.
pub fn permit_within(prefixes: impl IntoIterator<Item = IpNet>) -> Accept {
    let rules = prefixes.into_iter().map(|prefix| PrefixRule {
        prefix,
        ge: None,
        le: Some(prefix.max_prefix_len()),
        permit: true,
    });
    // From a prefix's own length to the family's longest is in order for every prefix.
    Accept::Listed(Arc::new(PrefixList::new(rules).unwrap_or_default()))
}

/// Where a neighbour is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerAddress {
    /// At this address.
    Ip(IpAddr),
    /// At the other end of this interface, whatever its address is there ("unnumbered"). Its link-local address is learned from its
    /// router advertisements (RFC 4861), which we send as well; where none are heard, the other address of an IPv4 /30 or /31 is taken.
    Interface(Arc<str>),
}

impl PeerAddress {
    /// The address, if it is configured.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Interface(_) => None,
        }
    }
}

impl From<IpAddr> for PeerAddress {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl PartialEq<IpAddr> for PeerAddress {
    fn eq(&self, other: &IpAddr) -> bool {
        self.ip() == Some(*other)
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Interface(interface) => f.write_str(interface),
        }
    }
}

/// What a neighbour is known by: its VRF, and its address or interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NeighborKey {
    /// The VRF's name.
    pub vrf: Arc<str>,
    /// The neighbour's address or interface.
    pub address: PeerAddress,
}

impl fmt::Display for NeighborKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.address, self.vrf)
    }
}

/// One direction of one peering: routes native to `from` that appear in `to`.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeConfig {
    /// The exporter's VRF.
    pub from: String,
    /// The importer's VRF.
    pub to: String,
    /// The name shown with each leaked route.
    pub peering: String,
    /// Which prefixes pass.
    pub filter: Filter,
    /// Which of two edges wins for one prefix.
    pub rank: Rank,
    /// What the importer may pass on.
    pub advertise: Advertise,
    /// Most routes installed.
    pub limit: Option<usize>,
}

/// Where selected routes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FibMode {
    /// Kept in memory: no privilege is needed and no packet is moved.
    #[default]
    Memory,
    /// The Linux kernel's tables, over netlink.
    Linux,
}

/// Something in a configuration that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where, as a path into [`Config`]: `neighbors[2].vrf`.
    pub path: String,
    /// What is wrong.
    pub fault: ConfigFault,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.fault)
    }
}

impl std::error::Error for ConfigError {}

/// What can be wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigFault {
    /// The AS number is 0 (RFC 7607).
    #[error("AS 0 is reserved (RFC 7607); give the AS number of this speaker or neighbour")]
    AsZero,
    /// The router identifier is 0.0.0.0.
    #[error("the router id must not be 0.0.0.0 (RFC 6286)")]
    RouterIdZero,
    /// No shard, or more than there may be.
    #[error("{0} shards are not usable; give from 1 to {max}", max = Config::MAX_SHARDS)]
    Shards(usize),
    /// A name is used twice.
    #[error("{0:?} is given twice")]
    DuplicateName(String),
    /// A name is empty.
    #[error("a name is needed")]
    NoName,
    /// A VRF is named that does not exist.
    #[error("there is no VRF {0:?}")]
    UnknownVrf(String),
    /// Two VRFs use one table.
    #[error("table {0} belongs to VRF {1:?} already")]
    DuplicateTable(u32, String),
    /// The table number cannot be used.
    #[error("table {0} is not usable: 0 is unspecified and 253 to 255 are the system's")]
    ReservedTable(u32),
    /// Two VRFs use one device.
    #[error("device {0:?} belongs to VRF {1:?} already")]
    DuplicateDevice(String, String),
    /// An interface is in two VRFs.
    #[error("interface {0:?} is in VRF {1:?} already")]
    DuplicateInterface(String, String),
    /// Two neighbours of one VRF have one address.
    #[error("neighbour {0} is given twice")]
    DuplicateNeighbor(NeighborKey),
    /// Two neighbours could not be told apart when they connect.
    #[error(
        "neighbour {0} has the same address; without VRF devices each needs a `local_address` of its own, since an accepted connection is matched by both addresses"
    )]
    AmbiguousNeighbor(NeighborKey),
    /// The address is not one a neighbour can have.
    #[error("{0} is not the address of one host")]
    NotAHost(IpAddr),
    /// The local address is of the other family.
    #[error("{0} and the neighbour's address are of different families")]
    MixedFamilies(IpAddr),
    /// A local address for a neighbour that is known by its interface.
    #[error("a neighbour known by its interface is reached from the interface's own address; leave out {0}")]
    LocalAddressOnInterface(IpAddr),
    /// A timer is out of bounds.
    #[error("{0}")]
    Session(bgp_session::ConfigError),
    /// A port is 0.
    #[error("port 0 cannot be connected to; make the neighbour passive or give its port")]
    PortZero,
    /// A TTL is 0.
    #[error("a TTL of 0 reaches nobody")]
    TtlZero,
    /// A family that routes are not kept for.
    #[error("family {0} is not supported; use ipv4-unicast or ipv6-unicast")]
    UnsupportedFamily(AfiSafi),
    /// A gateway of another family than its destination.
    #[error("gateway {0} is of another family than the destination")]
    GatewayFamily(IpAddr),
    /// An edge from a VRF to itself.
    #[error("a VRF cannot leak to itself")]
    SelfEdge,
    /// Two edges for one pair of VRFs.
    #[error("there is an edge from {0:?} to {1:?} already")]
    DuplicateEdge(String, String),
}

impl Config {
    /// Most shards of a speaker.
    pub const MAX_SHARDS: usize = 64;

    /// All that is wrong, in the order of the fields; `Ok` means it can be applied.
    ///
    /// # Errors
    /// Every fault with its path. Nothing is applied while there is one.
    pub fn check(&self) -> Result<(), Vec<ConfigError>> {
        let mut errors = Errors::default();
        if self.asn == 0 {
            errors.add("asn", ConfigFault::AsZero);
        }
        if self.router_id.is_unspecified() {
            errors.add("router_id", ConfigFault::RouterIdZero);
        }
        if !(1..=Self::MAX_SHARDS).contains(&self.shards) {
            errors.add("shards", ConfigFault::Shards(self.shards));
        }
        self.check_vrfs(&mut errors);
        self.check_neighbors(&mut errors);
        self.check_edges(&mut errors);
        if errors.0.is_empty() { Ok(()) } else { Err(errors.0) }
    }

    /// The VRF of this name.
    pub fn vrf(&self, name: &str) -> Option<&VrfConfig> {
        self.vrfs.iter().find(|vrf| vrf.name == name)
    }

    fn check_vrfs(&self, errors: &mut Errors) {
        let mut names = HashSet::new();
        let mut tables = HashMap::new();
        let mut devices = HashMap::new();
        let mut interfaces = HashMap::new();
        for (i, vrf) in self.vrfs.iter().enumerate() {
            if vrf.name.is_empty() {
                errors.add(format!("vrfs[{i}].name"), ConfigFault::NoName);
            } else if !names.insert(vrf.name.as_str()) {
                errors.add(format!("vrfs[{i}].name"), ConfigFault::DuplicateName(vrf.name.clone()));
            }
            let at = format!("vrfs[{i}].binding");
            match &vrf.binding {
                Binding::None => {}
                Binding::Table(table @ (0 | 253..=255)) => {
                    errors.add(at, ConfigFault::ReservedTable(*table));
                }
                Binding::Table(table) => {
                    if let Some(other) = tables.insert(*table, &vrf.name) {
                        errors.add(at, ConfigFault::DuplicateTable(*table, other.clone()));
                    }
                }
                Binding::Device(device) => {
                    if device.is_empty() {
                        errors.add(at, ConfigFault::NoName);
                    } else if let Some(other) = devices.insert(device, &vrf.name) {
                        errors.add(at, ConfigFault::DuplicateDevice(device.clone(), other.clone()));
                    }
                }
            }
            for (j, interface) in vrf.interfaces.iter().enumerate() {
                let at = format!("vrfs[{i}].interfaces[{j}]");
                if interface.is_empty() {
                    errors.add(at, ConfigFault::NoName);
                } else if let Some(other) = interfaces.insert(interface, &vrf.name) {
                    errors.add(at, ConfigFault::DuplicateInterface(interface.clone(), other.clone()));
                }
            }
            for (j, route) in vrf.statics.iter().enumerate() {
                if let Via::Address(via) = &route.via
                    && via.is_ipv4() != route.prefix.addr().is_ipv4()
                {
                    errors.add(format!("vrfs[{i}].statics[{j}].via"), ConfigFault::GatewayFamily(*via));
                }
            }
        }
    }

    fn check_neighbors(&self, errors: &mut Errors) {
        let mut keys = HashSet::new();
        let members =
            self.vrfs.iter().flat_map(|vrf| vrf.interfaces.iter().map(|name| (name.as_str(), vrf.name.as_str())));
        let mut links: HashMap<&str, &str> = members.collect();
        let mut endpoints: HashMap<_, Vec<&NeighborConfig>> = HashMap::new();
        for (i, neighbor) in self.neighbors.iter().enumerate() {
            let at = |field: &str| format!("neighbors[{i}].{field}");
            let vrf = self.vrf(&neighbor.vrf);
            if vrf.is_none() {
                errors.add(at("vrf"), ConfigFault::UnknownVrf(neighbor.vrf.clone()));
            }
            neighbor.check(&at, errors);
            if !keys.insert(neighbor.key()) {
                errors.add(at("address"), ConfigFault::DuplicateNeighbor(neighbor.key()));
                continue;
            }
            let address = match &neighbor.address {
                PeerAddress::Ip(address) => *address,
                PeerAddress::Interface(interface) => {
                    let owner = *links.entry(interface).or_insert(&neighbor.vrf);
                    if owner != neighbor.vrf {
                        let (interface, owner) = (interface.to_string(), owner.to_owned());
                        errors.add(at("interface"), ConfigFault::DuplicateInterface(interface, owner));
                    }
                    continue;
                }
            };
            let device = match vrf.map(|vrf| &vrf.binding) {
                Some(Binding::Device(device)) => Some(device),
                _ => None,
            };
            let same = endpoints.entry((device, address)).or_default();
            let ambiguous = same.iter().find(|other| {
                other.local_address.is_none()
                    || neighbor.local_address.is_none()
                    || other.local_address == neighbor.local_address
            });
            if let Some(other) = ambiguous {
                errors.add(at("local_address"), ConfigFault::AmbiguousNeighbor(other.key()));
            }
            same.push(neighbor);
        }
    }

    fn check_edges(&self, errors: &mut Errors) {
        let mut pairs = HashSet::new();
        for (i, edge) in self.edges.iter().enumerate() {
            for (field, name) in [("from", &edge.from), ("to", &edge.to)] {
                if self.vrf(name).is_none() {
                    errors.add(format!("edges[{i}].{field}"), ConfigFault::UnknownVrf(name.clone()));
                }
            }
            if edge.from == edge.to {
                errors.add(format!("edges[{i}].to"), ConfigFault::SelfEdge);
            } else if !pairs.insert((&edge.from, &edge.to)) {
                errors.add(format!("edges[{i}]"), ConfigFault::DuplicateEdge(edge.from.clone(), edge.to.clone()));
            }
        }
    }
}

impl NeighborConfig {
    fn check(&self, at: &dyn Fn(&str) -> String, errors: &mut Errors) {
        match &self.address {
            PeerAddress::Ip(address) if address.is_unspecified() || address.is_multicast() => {
                errors.add(at("address"), ConfigFault::NotAHost(*address));
            }
            PeerAddress::Interface(interface) if interface.is_empty() => {
                errors.add(at("interface"), ConfigFault::NoName)
            }
            PeerAddress::Ip(_) | PeerAddress::Interface(_) => {}
        }
        if let Some(local) = self.local_address {
            let Some(address) = self.address.ip() else {
                return errors.add(at("local_address"), ConfigFault::LocalAddressOnInterface(local));
            };
            if local.is_ipv4() != address.is_ipv4() {
                errors.add(at("local_address"), ConfigFault::MixedFamilies(local));
            } else if local.is_unspecified() || local.is_multicast() {
                errors.add(at("local_address"), ConfigFault::NotAHost(local));
            }
        }
        if self.port == 0 && !self.passive {
            errors.add(at("port"), ConfigFault::PortZero);
        }
        if self.remote_as == RemoteAs::Is(0) {
            errors.add(at("remote_as"), ConfigFault::AsZero);
        }
        for (j, family) in self.families.iter().enumerate() {
            if !matches!(*family, AfiSafi::IPV4_UNICAST | AfiSafi::IPV6_UNICAST) {
                errors.add(at(&format!("families[{j}]")), ConfigFault::UnsupportedFamily(*family));
            }
        }
        let timers = bgp_session::Config {
            hold_time: self.hold_time,
            keepalive_time: self.keepalive,
            connect_retry: self.connect_retry,
            families: self.families.clone(),
            ..bgp_session::Config::new(1, Ipv4Addr::LOCALHOST, RemoteAs::External)
        };
        if let Err(error) = timers.check() {
            use bgp_session::ConfigError;
            let field = match error {
                ConfigError::HoldTime(_) => "hold_time",
                ConfigError::KeepaliveTime => "keepalive",
                ConfigError::ConnectRetry => "connect_retry",
                _ => "families",
            };
            errors.add(at(field), ConfigFault::Session(error));
        }
        if self.multihop == Some(0) {
            errors.add(at("multihop"), ConfigFault::TtlZero);
        }
    }
}

#[derive(Default)]
struct Errors(Vec<ConfigError>);

impl Errors {
    fn add(&mut self, path: impl Into<String>, fault: ConfigFault) {
        self.0.push(ConfigError { path: path.into(), fault });
    }
}
