//! The objects that documents describe, parsed: what stands here has passed the checks of its own document.
//!
//! Nothing here is derived from another object, from the past or from routes; that is the evaluation's part.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use ipnet::IpNet;
use leak_engine::Advertise;

use crate::{
    error::{Place, Warning},
    timestamp::Timestamp,
};

/// The namespace of whatever names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// A namespace and a name in it. Displayed as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The namespace, never empty.
    pub namespace: String,
    /// The name, never empty.
    pub name: String,
}

impl Name {
    /// `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// `name` in the default namespace.
    pub fn in_default(name: impl Into<String>) -> Self {
        Self::new(DEFAULT_NAMESPACE, name)
    }

    /// Reads `namespace/name`.
    pub fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        (!namespace.is_empty() && !name.is_empty()).then(|| Self::new(namespace, name))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Which of the two proposals an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// `networking.ironcore.dev/v1alpha1`.
    Ironcore,
    /// `metal-stack.io/v1`, or a bare network document of metal-api.
    Metal,
}

/// The identity of a network: two networks of one name but of different proposals are two networks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId {
    /// Namespace and name.
    pub name: Name,
    /// The proposal.
    pub api: Api,
}

impl fmt::Display for NetworkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// Every object of one input.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The networks of both proposals.
    pub networks: BTreeMap<NetworkId, Network>,
    /// The explicit metal-stack peerings.
    pub peerings: BTreeMap<Name, Peering>,
    /// The projects by their id.
    pub projects: BTreeMap<String, Project>,
    /// The prefix objects; `None` where nothing is allocated.
    pub prefixes: BTreeMap<Name, Option<IpNet>>,
    /// What the documents say that was accepted but is probably not meant.
    pub warnings: Vec<Warning>,
}

/// A network: the object, not its table.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its identity.
    pub id: NetworkId,
    /// `metadata.uid`, if the document gives one.
    pub uid: Option<String>,
    /// `metadata.deletionTimestamp`, if the document gives one.
    pub deletion: Option<Timestamp>,
    /// The virtual network identifier of its table (rule R4); without one it has no table.
    pub vni: Option<u32>,
    /// What only one of the proposals knows.
    pub spec: NetworkSpec,
    /// Where its document stands.
    pub place: Place,
}

/// The part of a network that belongs to one proposal.
#[derive(Clone, Debug)]
pub enum NetworkSpec {
    /// A network of ironcore.
    Ironcore(IroncoreNetwork),
    /// A network of metal-stack.
    Metal(MetalNetwork),
}

impl Network {
    /// The entries of `spec.peerings`; none for a metal network.
    pub fn entries(&self) -> &[Entry] {
        match &self.spec {
            NetworkSpec::Ironcore(network) => &network.entries,
            NetworkSpec::Metal(_) => &[],
        }
    }

    /// The metal-stack part, if it is a metal network.
    pub fn metal(&self) -> Option<&MetalNetwork> {
        match &self.spec {
            NetworkSpec::Metal(network) => Some(network),
            NetworkSpec::Ironcore(_) => None,
        }
    }

    /// The ironcore part, if it is an ironcore network.
    pub fn ironcore(&self) -> Option<&IroncoreNetwork> {
        match &self.spec {
            NetworkSpec::Ironcore(network) => Some(network),
            NetworkSpec::Metal(_) => None,
        }
    }
}

/// What an ironcore network says of itself.
#[derive(Clone, Debug, Default)]
pub struct IroncoreNetwork {
    /// `spec.providerID`.
    pub provider_id: Option<String>,
    /// The label `metal-stack.io/project`: its presence puts the network under the rule against crossing projects.
    pub project: Option<String>,
    /// The annotation `peerage.dev/limit`: how many routes one importer takes from here.
    pub limit: Option<usize>,
    /// The annotation `peerage.dev/advertise`: what this network, as importer, may pass on.
    pub advertise: Advertise,
    /// The annotation `peerage.dev/scope: partition`: this network, as exporter, stays inside a partition.
    pub partition_scope: bool,
    /// `spec.peerings`.
    pub entries: Vec<Entry>,
}

/// One entry of `spec.peerings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, unique in the network.
    pub name: String,
    /// The network to peer with, its namespace filled in.
    pub target: Name,
    /// `networkRef.uid`.
    pub uid: Option<String>,
    /// What is exposed; an empty list stands for the default export set.
    pub prefixes: Vec<Exposed>,
}

/// One entry of `prefixes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exposed {
    /// An inline prefix.
    Inline(IpNet),
    /// The name of a prefix object in the network's own namespace.
    Reference(String),
}

/// What a metal-stack network says of itself.
#[derive(Clone, Debug, Default)]
pub struct MetalNetwork {
    /// What it is for.
    pub kind: MetalKind,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The partition it belongs to.
    pub partition: Option<String>,
    /// Its own address space.
    pub prefixes: Vec<IpNet>,
    /// Where it leads.
    pub destination_prefixes: Vec<IpNet>,
    /// Whether what leaves it is masqueraded.
    pub nat: bool,
}

/// The kinds of a metal-stack network (rule R1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetalKind {
    /// Private to a project (`child`).
    #[default]
    Private,
    /// Private space that every project may use (`child-shared`).
    Shared,
    /// Outside of the fabric, such as the Internet.
    External,
    /// The fabric's own network.
    Underlay,
    /// A pool that private networks are taken from.
    Super,
}

impl fmt::Display for MetalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Shared => "shared",
            Self::External => "external",
            Self::Underlay => "underlay",
            Self::Super => "super",
        })
    }
}

/// A metal-stack `Peering` (rule R37).
#[derive(Clone, Debug)]
pub struct Peering {
    /// Namespace and name.
    pub name: Name,
    /// `metadata.uid`, if the document gives one.
    pub uid: Option<String>,
    /// `metadata.deletionTimestamp`, if the document gives one.
    pub deletion: Option<Timestamp>,
    /// The id of the first network.
    pub network1: String,
    /// The other side.
    pub side: Side,
    /// `spec.limit`.
    pub limit: Option<usize>,
    /// `spec.scope: partition`.
    pub partition_scope: bool,
    /// `spec.advertise`: what network1 and network2, as importers, may pass on.
    pub advertise: [Advertise; 2],
}

/// What the first network of a [`Peering`] is joined with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Another network (`peeringType: local`), by id.
    Network(String),
    /// A neighbour outside of the fabric (`peeringType: external`).
    Neighbor(Bgp),
}

/// The session of an external peering (rule R44).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bgp {
    /// Our autonomous system.
    pub local_as: u32,
    /// Our address and its prefix length.
    pub local: IpNet,
    /// The interface that the session runs over.
    pub interface: String,
    /// The switch that has this interface; no other one acts.
    pub switch: String,
    /// The neighbour's autonomous system.
    pub remote_as: u32,
    /// The neighbour's address.
    pub remote: IpAddr,
    /// `spec.bgp.import`: what is taken from the neighbour, with all that lies inside; nothing if it is empty (RFC 8212).
    pub import: Vec<IpNet>,
}

/// A metal-stack `Project`.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Whether its label `auto-peer` is exactly `"true"` (rule R46).
    pub auto_peer: bool,
    /// Where that label stands, or the document.
    pub place: Place,
}
