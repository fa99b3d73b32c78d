//! The documents of metal-stack: `Network` (bare or wrapped), `Peering` (rules R37, R44) and `Project`.

use std::net::IpAddr;

use ipnet::IpNet;
use leak_engine::Advertise;

use crate::{
    document::Value,
    error::ErrorType,
    fields::{At, Mapping, Sink, parse_network},
    ironcore::{ADVERTISE, MAX_VNI, SCOPES},
    manifest::{Metadata, Object, pair_of},
    model::{
        Api, Bgp, DEFAULT_NAMESPACE, MetalKind, MetalNetwork, Name, Network, NetworkId, NetworkSpec, Peering, Project,
        Side,
    },
};

const TYPES: [(&str, MetalKind); 6] = [
    ("child", MetalKind::Private),
    ("child-shared", MetalKind::Shared),
    ("external", MetalKind::External),
    ("underlay", MetalKind::Underlay),
    ("super", MetalKind::Super),
    ("super-namespaced", MetalKind::Super),
];

pub(crate) fn network(object: Mapping<'_>, sink: &Sink<'_>) -> Option<Object> {
    let metadata = Metadata::read(&object, sink);
    if metadata.namespace != DEFAULT_NAMESPACE {
        let message = format!("metal networks have no namespace; this one is read as {DEFAULT_NAMESPACE}");
        sink.warn(&object.at.missing("metadata").missing("namespace"), message);
    }
    let (spec, vni) = match object.mapping("spec", sink) {
        Some(fields) => body(fields, sink),
        None => (MetalNetwork::default_external(), None),
    };
    object.ignore(&["apiVersion", "kind", "status"]);
    let place = sink.place(&object.at);
    object.finish(sink);
    Some(Object::Network(Network {
        id: NetworkId { name: Name::in_default(metadata.name?), api: Api::Metal },
        uid: metadata.uid,
        deletion: metadata.deletion,
        vni,
        spec: NetworkSpec::Metal(spec),
        place,
    }))
}

pub(crate) fn bare_network(object: Mapping<'_>, sink: &Sink<'_>) -> Option<Object> {
    let place = sink.place(&object.at);
    let id = object.name("id", sink);
    let (spec, vni) = body(object, sink);
    Some(Object::Network(Network {
        id: NetworkId { name: Name::in_default(id?), api: Api::Metal },
        uid: None,
        deletion: None,
        vni,
        spec: NetworkSpec::Metal(spec),
        place,
    }))
}

impl MetalNetwork {
    /// What a network without any field is (rule R1).
    fn default_external() -> Self {
        Self { kind: MetalKind::External, ..Self::default() }
    }
}

/// The keys that metal-api gives a network.
fn body(fields: Mapping<'_>, sink: &Sink<'_>) -> (MetalNetwork, Option<u32>) {
    let flag = |key| fields.field(key).and_then(|at| at.boolean(sink)).unwrap_or(false);
    let prefixes = |key| fields.sequence(key, sink).iter().filter_map(|at| at.prefix(sink)).collect();
    let (underlay, is_super, shared) = (flag("underlay"), flag("privatesuper"), flag("shared"));
    let has_parent = fields.text("parentnetworkid", sink).is_some();
    let given = fields.field("type").filter(|at| at.node.text() != Some(""));
    let kind = match given.and_then(|at| at.one_of(&TYPES, sink)) {
        Some(kind) => kind,
        None if underlay => MetalKind::Underlay,
        None if is_super => MetalKind::Super,
        None if shared => MetalKind::Shared,
        None if has_parent => MetalKind::Private,
        None => MetalKind::External,
    };
    let vni = fields.field("vrf").and_then(|at| at.number(0..=MAX_VNI, sink)).filter(|vni| *vni > 0);
    let network = MetalNetwork {
        kind,
        project: fields.text("projectid", sink),
        partition: fields.text("partitionid", sink),
        prefixes: prefixes("prefixes"),
        destination_prefixes: prefixes("destinationprefixes"),
        nat: flag("nat"),
    };
    flag("vrfshared");
    fields.ignore(&[
        "additionalannouncablecidrs",
        "addressfamilies",
        "addressfamily",
        "changed",
        "consumption",
        "created",
        "defaultchildprefixlength",
        "description",
        "id",
        "labels",
        "minchildprefixlength",
        "name",
        "nattype",
        "usage",
    ]);
    fields.finish(sink);
    (network, vni)
}

pub(crate) fn project(object: Mapping<'_>, sink: &Sink<'_>) -> Option<Object> {
    let metadata = Metadata::read(&object, sink);
    let label = metadata.labels.as_ref().and_then(|labels| labels.field("auto-peer"));
    let auto_peer = label.as_ref().is_some_and(|at| at.node.text() == Some("true"));
    if let Some(at) = label.as_ref().filter(|at| matches!(at.node.value, Value::Bool(true))) {
        sink.warn(at, "only the string \"true\" turns auto-peering on, and labels are strings: quote it");
    }
    let place = sink.place(label.as_ref().unwrap_or(&object.at));
    if let Some(spec) = object.mapping("spec", sink) {
        spec.ignore(&["name", "description", "tenantid", "quotas"]);
        spec.finish(sink);
    }
    object.ignore(&["apiVersion", "kind", "status"]);
    object.finish(sink);
    let name = metadata.full_name()?;
    let project = Project { id: name.name.clone(), auto_peer, place };
    Some(Object::Project { name, project })
}

pub(crate) fn peering(object: Mapping<'_>, sink: &Sink<'_>) -> Option<Object> {
    let metadata = Metadata::read(&object, sink);
    let mut limit = None;
    let mut partition_scope = false;
    let mut advertise = [Advertise::None; 2];
    let mut network1 = None;
    let mut side = None;
    match object.mapping("spec", sink) {
        None if object.field("spec").is_none() => {
            let at = object.at.missing("spec").missing("network1");
            sink.error(&at, ErrorType::Required, "a peering names its network1");
            sink.error(&at_sibling(&object), ErrorType::Required, "a local peering names its network2");
        }
        None => {}
        Some(spec) => {
            network1 = spec.name("network1", sink);
            side = read_side(&spec, network1.as_ref(), sink);
            limit = spec.field("limit").and_then(|at| at.number(0..=u32::MAX, sink)).map(|limit| limit as usize);
            partition_scope = spec.field("scope").and_then(|at| at.one_of(&SCOPES, sink)).unwrap_or_default();
            if let Some(modes) = spec.mapping("advertise", sink) {
                for (mode, key) in advertise.iter_mut().zip(["network1", "network2"]) {
                    *mode = modes.field(key).and_then(|at| at.one_of(&ADVERTISE, sink)).unwrap_or_default();
                }
                modes.finish(sink);
            }
            spec.finish(sink);
        }
    }
    object.ignore(&["apiVersion", "kind", "status"]);
    object.finish(sink);
    let name = metadata.full_name()?;
    let pair = pair_of(network1.as_ref(), side.as_ref());
    let peering = network1.zip(side).map(|(network1, side)| Peering {
        name: name.clone(),
        uid: metadata.uid,
        deletion: metadata.deletion,
        network1,
        side,
        limit,
        partition_scope,
        advertise,
    });
    Some(Object::Peering { name, pair, peering })
}

fn at_sibling<'a>(object: &Mapping<'a>) -> At<'a> {
    object.at.missing("spec").missing("network2")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PeeringType {
    Local,
    External,
}

fn read_side(spec: &Mapping<'_>, network1: Option<&String>, sink: &Sink<'_>) -> Option<Side> {
    let bgp = spec.field("bgp");
    let types = [("local", PeeringType::Local), ("external", PeeringType::External)];
    let given = spec.field("peeringType");
    let peering_type = match &given {
        Some(at) => at.one_of(&types, sink),
        None if bgp.is_some() => Some(PeeringType::External),
        None => Some(PeeringType::Local),
    };
    match peering_type {
        Some(PeeringType::Local) => {
            if let Some(at) = &bgp {
                let message = "a local peering has no BGP session: remove bgp, or make peeringType external";
                sink.error(at, ErrorType::Invalid, message);
                read_bgp(at, sink);
            }
            let network2 = spec.name("network2", sink)?;
            if network1 == Some(&network2) {
                let at = spec.field("network2")?;
                sink.error(&at, ErrorType::Forbidden, "a network cannot peer with itself");
            }
            Some(Side::Network(network2))
        }
        Some(PeeringType::External) => {
            if let Some(at) = spec.field("network2") {
                let message = "an external peering joins network1 with a neighbour: remove network2";
                sink.error(&at, ErrorType::Invalid, message);
            }
            read_bgp(&spec.required("bgp", sink)?, sink).map(Side::Neighbor)
        }
        None => {
            let network2 = spec.name_if_given("network2", sink);
            if let Some(at) = &bgp {
                read_bgp(at, sink);
            }
            network2.map(Side::Network)
        }
    }
}

fn read_bgp(at: &At<'_>, sink: &Sink<'_>) -> Option<Bgp> {
    let fields = at.mapping(sink)?;
    let local = fields.required("local", sink).and_then(|at| at.mapping(sink));
    let remote = fields.required("remote", sink).and_then(|at| at.mapping(sink));
    let import = fields.sequence("import", sink).iter().filter_map(|at| at.prefix(sink)).collect();
    fields.finish(sink);
    let read_as = |side: &Mapping<'_>| side.required("as", sink).and_then(|at| at.number(1..=u32::MAX, sink));
    let local = local.map(|local| {
        let port = local.required("port", sink).and_then(|at| read_port(&at, sink));
        let read = (read_as(&local), local.required("cidr", sink).and_then(|at| read_address(&at, sink)), port);
        local.finish(sink);
        read
    });
    let remote = remote.map(|remote| {
        let at = remote.required("cidr", sink);
        let read = (read_as(&remote), at.as_ref().and_then(|at| read_address(at, sink)), at);
        remote.finish(sink);
        read
    });
    let ((local_as, local, port), (remote_as, remote, remote_at)) = (local?, remote?);
    let subnet = match common_subnet(local?, remote?) {
        Ok(subnet) => subnet,
        Err(message) => {
            sink.error(&remote_at?, ErrorType::Invalid, message);
            return None;
        }
    };
    let (interface, switch) = port?;
    let (local, _) = local?;
    let (remote, _) = remote?;
    let local = IpNet::new(local, subnet.prefix_len()).ok()?;
    let (local_as, remote_as) = (local_as?, remote_as?);
    if local_as == remote_as {
        sink.warn(at, format!("both sides are AS {local_as}; the session of an external peering is eBGP"));
    }
    Some(Bgp { local_as, local, interface, switch, remote_as, remote, import })
}

fn read_port(at: &At<'_>, sink: &Sink<'_>) -> Option<(String, String)> {
    let text = at.string(sink)?;
    match text.split_once('@') {
        Some((interface, switch)) if !interface.is_empty() && !switch.is_empty() && !switch.contains('@') => {
            Some((interface.to_owned(), switch.to_owned()))
        }
        _ => {
            sink.error(at, ErrorType::Invalid, format!("{text:?} is not <interface>@<switch>"));
            None
        }
    }
}

/// An address, with its prefix length if that is given.
type Address = (IpAddr, Option<u8>);

fn read_address(at: &At<'_>, sink: &Sink<'_>) -> Option<Address> {
    let text = at.string(sink)?;
    if let Some(net) = parse_network(&text) {
        return Some((net.addr(), Some(net.prefix_len())));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address, None));
    }
    let message = format!("{text:?} is not an address such as 172.16.0.1/30 or 172.16.0.1");
    sink.error(at, ErrorType::Invalid, message);
    None
}

/// Rule R44: the one subnet that both addresses are hosts of. A bare address has the length of the other one; of two
/// bare ones it is /31 if both fit one, else /30 (IPv6 /127, /126).
fn common_subnet((local, local_len): Address, (remote, remote_len): Address) -> Result<IpNet, String> {
    if local.is_ipv4() != remote.is_ipv4() {
        return Err(format!("{remote} and {local} are of different families"));
    }
    if local == remote {
        return Err(format!("{remote} is the local address; the two sides need different ones"));
    }
    let bits = if local.is_ipv4() { 32 } else { 128 };
    let lengths = match (local_len, remote_len) {
        (Some(a), Some(b)) if a != b => return Err(format!("{remote}/{b} and {local}/{a} are of different lengths")),
        (Some(len), _) | (None, Some(len)) => vec![len],
        (None, None) => vec![bits - 1, bits - 2],
    };
    lengths
        .iter()
        .filter_map(|len| IpNet::new(local, *len).ok())
        .map(|net| net.trunc())
        .find(|net| net.contains(&remote) && is_host(net, local) && is_host(net, remote))
        .ok_or_else(|| format!("{remote} and {local} are not two hosts of one subnet"))
}

/// Whether `address` is neither the network's nor the broadcast address of an IPv4 subnet; a /31 has none (RFC 3021).
fn is_host(net: &IpNet, address: IpAddr) -> bool {
    net.prefix_len() >= 31 || !address.is_ipv4() || (address != net.network() && address != net.broadcast())
}
