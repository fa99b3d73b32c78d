//! The documents of ironcore: `Network` with its peerings (rules R4–R9), and `Prefix`.

use std::collections::BTreeSet;

use leak_engine::Advertise;

use crate::{
    error::ErrorType,
    fields::{At, Mapping, Sink},
    manifest::{Metadata, Object},
    model::{Api, Entry, Exposed, IroncoreNetwork, Name, Network, NetworkId, NetworkSpec},
};

pub(crate) const MAX_VNI: u32 = 0xff_ffff;
pub(crate) const ADVERTISE: [(&str, Advertise); 4] =
    [("none", Advertise::None), ("ebgp", Advertise::Ebgp), ("evpn", Advertise::Evpn), ("all", Advertise::All)];
pub(crate) const SCOPES: [(&str, bool); 1] = [("partition", true)];

pub(crate) fn network(object: Mapping<'_>, sink: &Sink<'_>) -> Option<Object> {
    let mut metadata = Metadata::read(&object, sink);
    let own = metadata.full_name();
    let mut network = IroncoreNetwork::default();
    let mut vni = None;
    if let Some(labels) = metadata.labels.take() {
        network.project = labels.field("metal-stack.io/project").and_then(|at| at.string(sink));
    }
    if let Some(annotations) = metadata.annotations.take() {
        read_annotations(&annotations, &mut network, sink);
    }
    if let Some(spec) = object.mapping("spec", sink) {
        if let Some(at) = spec.field("providerID") {
            network.provider_id = at.string(sink).filter(|text| !text.is_empty());
            vni = network.provider_id.as_deref().and_then(|text| vni_of(text, &at, sink));
        }
        network.entries = entries(&spec, &metadata.namespace, own.as_ref(), sink);
        claims(&spec, &metadata.namespace, own.as_ref(), sink);
        spec.finish(sink);
    }
    object.ignore(&["apiVersion", "kind", "status"]);
    let place = sink.place(&object.at);
    object.finish(sink);
    Some(Object::Network(Network {
        id: NetworkId { name: own?, api: Api::Ironcore },
        uid: metadata.uid,
        deletion: metadata.deletion,
        vni,
        spec: NetworkSpec::Ironcore(network),
        place,
    }))
}

fn read_annotations(annotations: &Mapping<'_>, network: &mut IroncoreNetwork, sink: &Sink<'_>) {
    for (key, at) in annotations.entries() {
        match key {
            "peerage.dev/limit" => {
                let limit = at.string(sink).and_then(|text| match text.parse::<u32>() {
                    Ok(limit) => Some(limit as usize),
                    Err(_) => {
                        sink.error(&at, ErrorType::Invalid, format!("{text:?} is not a number of routes"));
                        None
                    }
                });
                network.limit = limit;
            }
            "peerage.dev/advertise" => network.advertise = at.one_of(&ADVERTISE, sink).unwrap_or_default(),
            "peerage.dev/scope" => network.partition_scope = at.one_of(&SCOPES, sink).unwrap_or_default(),
            _ if key.starts_with("peerage.dev/") => {
                sink.warn(&at, format!("the annotation {key} is unknown and is ignored"));
            }
            _ => {}
        }
    }
}

/// Rule R4: `<id>` of `ironcore-net://<namespace>/<name>/<id>/<uid>`.
fn vni_of(provider_id: &str, at: &At<'_>, sink: &Sink<'_>) -> Option<u32> {
    let parts: Vec<_> = provider_id.strip_prefix("ironcore-net://")?.split('/').collect();
    let [namespace, name, id, uid] = parts[..] else { return None };
    let digits = !id.is_empty() && id.bytes().all(|octet| octet.is_ascii_digit());
    if namespace.is_empty() || name.is_empty() || uid.is_empty() || !digits {
        return None;
    }
    let vni = id.parse().ok().filter(|vni| (1..=MAX_VNI).contains(vni));
    if vni.is_none() {
        sink.error(at, ErrorType::Invalid, format!("the network id {id} is not from 1 to {MAX_VNI}"));
    }
    vni
}

fn entries(spec: &Mapping<'_>, namespace: &str, own: Option<&Name>, sink: &Sink<'_>) -> Vec<Entry> {
    let (mut names, mut targets) = (BTreeSet::new(), BTreeSet::new());
    let mut entries = Vec::new();
    for at in spec.sequence("peerings", sink) {
        let Some(fields) = at.mapping(sink) else { continue };
        let name = fields.name("name", sink);
        if let Some(name) = &name
            && !names.insert(name.clone())
        {
            let message = format!("another entry is named {name}; names are unique in a network");
            let at = fields.field("name").unwrap_or_else(|| at.clone());
            sink.error(&at, ErrorType::Duplicate, message);
        }
        let reference = fields.required("networkRef", sink);
        let target = reference.as_ref().and_then(|at| network_ref(at, namespace, sink));
        if let (Some(at), Some((target, _))) = (&reference, &target) {
            if Some(target) == own {
                sink.error(at, ErrorType::Forbidden, "a network cannot peer with itself");
            } else if !targets.insert(target.clone()) {
                let message = format!("another entry peers with {target}; one entry per network is enough");
                sink.error(at, ErrorType::Duplicate, message);
            }
        }
        let prefixes = fields.field("prefixes").map_or_else(Vec::new, |at| exposed(&at, sink));
        fields.finish(sink);
        if let (Some(name), Some((target, uid))) = (name, target) {
            entries.push(Entry { name, target, uid, prefixes });
        }
    }
    entries
}

fn network_ref(at: &At<'_>, namespace: &str, sink: &Sink<'_>) -> Option<(Name, Option<String>)> {
    let fields = at.mapping(sink)?;
    let name = fields.name("name", sink);
    let given = fields.field("namespace").filter(|at| at.node.text() != Some(""));
    let namespace = match given {
        Some(at) => at.label(sink),
        None => Some(namespace.to_owned()),
    };
    let uid = fields.text("uid", sink);
    fields.finish(sink);
    Some((Name { namespace: namespace?, name: name? }, uid))
}

fn exposed(at: &At<'_>, sink: &Sink<'_>) -> Vec<Exposed> {
    let items = at.sequence(sink);
    if matches!(&at.node.value, crate::document::Value::Sequence(items) if items.is_empty()) {
        sink.warn(at, "an empty list counts as absent: the default export set is exposed");
    }
    let (mut names, mut references) = (BTreeSet::new(), BTreeSet::new());
    let mut exposed = Vec::new();
    for at in items {
        let Some(fields) = at.mapping(sink) else { continue };
        if let Some(name_at) = fields.field("name").filter(|at| at.node.text() != Some(""))
            && let Some(name) = name_at.subdomain(sink)
            && !names.insert(name.clone())
        {
            let message = format!("another prefix of this peering is named {name}");
            sink.error(&name_at, ErrorType::Duplicate, message);
        }
        let inline = fields.field("prefix");
        let prefix = inline.as_ref().and_then(|at| at.prefix(sink));
        let reference = fields.field("prefixRef").and_then(|at| prefix_ref(&at, sink).map(|name| (at, name)));
        if let Some((at, Some(name))) = &reference
            && !references.insert(name.clone())
        {
            let message = format!("another prefix of this peering refers to {name}");
            sink.error(at, ErrorType::Duplicate, message);
        }
        fields.finish(sink);
        match (inline.is_some(), reference) {
            (true, Some(_)) => {
                sink.error(&at, ErrorType::Invalid, "prefix and prefixRef exclude each other; keep one of the two");
            }
            (false, None) => sink.error(&at, ErrorType::Required, "prefix or prefixRef must be given"),
            (true, None) => exposed.extend(prefix.map(Exposed::Inline)),
            (false, Some((_, name))) => exposed.extend(name.map(Exposed::Reference)),
        }
    }
    exposed
}

/// The name a `prefixRef` holds: outer `None` for an empty reference, inner `None` for a faulty one.
fn prefix_ref(at: &At<'_>, sink: &Sink<'_>) -> Option<Option<String>> {
    if let Some(text) = at.node.text() {
        return (!text.is_empty()).then(|| at.subdomain(sink));
    }
    let Some(fields) = at.mapping(sink) else { return Some(None) };
    let name = fields.field("name").filter(|at| at.node.text() != Some("")).map(|at| at.subdomain(sink));
    fields.finish(sink);
    name
}

/// `spec.incomingPeerings` belongs to the controller: it is checked, and means nothing.
fn claims(spec: &Mapping<'_>, namespace: &str, own: Option<&Name>, sink: &Sink<'_>) {
    let mut seen = BTreeSet::new();
    for at in spec.sequence("incomingPeerings", sink) {
        let Some((claim, _)) = network_ref(&at, namespace, sink) else { continue };
        if Some(&claim) == own {
            sink.error(&at, ErrorType::Forbidden, "a network cannot claim itself");
        } else if !seen.insert(claim.clone()) {
            sink.error(&at, ErrorType::Duplicate, format!("{claim} claims this network already"));
        }
    }
}

pub(crate) fn prefix(object: Mapping<'_>, sink: &Sink<'_>) -> Option<Object> {
    let metadata = Metadata::read(&object, sink);
    let prefix = object.mapping("spec", sink).and_then(|spec| {
        let prefix = spec.field("prefix").and_then(|at| at.prefix(sink));
        spec.ignore(&["ipFamily", "prefixLength", "parentRef", "parentSelector"]);
        spec.finish(sink);
        prefix
    });
    let allocated = object.mapping("status", sink).is_some_and(|status| {
        let phase = status.text("phase", sink);
        phase.as_deref() == Some("Allocated")
    });
    object.ignore(&["apiVersion", "kind"]);
    object.finish(sink);
    Some(Object::Prefix { name: metadata.full_name()?, prefix: prefix.filter(|_| allocated) })
}
