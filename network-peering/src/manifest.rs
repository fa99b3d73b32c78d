//! From documents to objects: which kind a document is, what all kinds share, and what several documents say together.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    document::{Document, Node, Value},
    error::{ErrorType, InputError, Warning},
    fields::{At, Mapping, Sink},
    ironcore, metal,
    model::{DEFAULT_NAMESPACE, Name, Network, Peering, Project, Side, World},
    state::State,
    timestamp::Timestamp,
};

/// One parsed document. A faulty document yields one too, as far as its identity is known, so that faults between
/// documents are found in the same pass.
pub(crate) enum Object {
    Network(Network),
    Peering { name: Name, pair: Option<(String, String)>, peering: Option<Peering> },
    Project { name: Name, project: Project },
    Prefix { name: Name, prefix: Option<ipnet::IpNet> },
}

/// What an object is told apart by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    Network(crate::model::NetworkId),
    Peering(Name),
    Project(Name),
    Prefix(Name),
}

impl Object {
    fn identity(&self) -> Identity {
        match self {
            Self::Network(network) => Identity::Network(network.id.clone()),
            Self::Peering { name, .. } => Identity::Peering(name.clone()),
            Self::Project { name, .. } => Identity::Project(name.clone()),
            Self::Prefix { name, .. } => Identity::Prefix(name.clone()),
        }
    }
}

/// `metadata`, read.
pub(crate) struct Metadata<'a> {
    pub(crate) name: Option<String>,
    pub(crate) namespace: String,
    pub(crate) uid: Option<String>,
    pub(crate) deletion: Option<Timestamp>,
    pub(crate) labels: Option<Mapping<'a>>,
    pub(crate) annotations: Option<Mapping<'a>>,
}

impl Metadata<'_> {
    pub(crate) fn full_name(&self) -> Option<Name> {
        Some(Name::new(self.namespace.clone(), self.name.clone()?))
    }
}

impl<'a> Metadata<'a> {
    pub(crate) fn read(object: &Mapping<'a>, sink: &Sink<'_>) -> Self {
        let mut metadata = Self {
            name: None,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            uid: None,
            deletion: None,
            labels: None,
            annotations: None,
        };
        let Some(at) = object.field("metadata") else {
            let missing = object.at.missing("metadata").missing("name");
            sink.error(&missing, ErrorType::Required, "every object needs a name");
            return metadata;
        };
        let Some(fields) = at.mapping(sink) else { return metadata };
        metadata.name = fields.name("name", sink);
        if let Some(at) = fields.field("namespace").filter(|at| at.node.text() != Some(""))
            && let Some(namespace) = at.label(sink)
        {
            metadata.namespace = namespace;
        }
        metadata.uid = fields.text("uid", sink);
        metadata.deletion = fields.field("deletionTimestamp").and_then(|at| at.timestamp(sink));
        metadata.labels = fields.mapping("labels", sink);
        metadata.annotations = fields.mapping("annotations", sink);
        fields.ignore(&[
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "finalizers",
            "generateName",
            "generation",
            "managedFields",
            "ownerReferences",
            "resourceVersion",
            "selfLink",
        ]);
        fields.finish(sink);
        metadata
    }
}

const BARE_KEYS: [&str; 14] = [
    "id",
    "projectid",
    "partitionid",
    "prefixes",
    "destinationprefixes",
    "vrf",
    "vrfshared",
    "shared",
    "nat",
    "underlay",
    "privatesuper",
    "parentnetworkid",
    "labels",
    "type",
];

fn parse(document: &Document, sink: &Sink<'_>) -> Option<Object> {
    let root = At::root(document);
    if root.node.is_null() {
        return None;
    }
    let object = root.mapping(sink)?;
    let text = |key| object.field(key).and_then(|at| at.node.text().map(str::to_owned));
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    match (api_version.as_deref(), kind.as_deref()) {
        (Some("networking.ironcore.dev/v1alpha1"), Some("Network")) => ironcore::network(object, sink),
        (Some("ipam.ironcore.dev/v1alpha1"), Some("Prefix")) => ironcore::prefix(object, sink),
        (Some("metal-stack.io/v1"), Some("Peering")) => metal::peering(object, sink),
        (Some("metal-stack.io/v1"), Some("Network")) => metal::network(object, sink),
        (Some("metal-stack.io/v1"), Some("Project")) => metal::project(object, sink),
        (None, None)
            if ["apiVersion", "kind"].iter().all(|key| root.node.field(key).is_none())
                && BARE_KEYS.iter().any(|key| root.node.field(key).is_some()) =>
        {
            metal::bare_network(object, sink)
        }
        (api_version, kind) => {
            let at = object.field("kind").unwrap_or_else(|| root.missing("kind"));
            let message = format!(
                "document {} of {} is of kind {:?} in apiVersion {:?}, which is not known here; known are Network \
                 (networking.ironcore.dev/v1alpha1, metal-stack.io/v1), Prefix (ipam.ironcore.dev/v1alpha1), Peering \
                 and Project (metal-stack.io/v1)",
                document.index,
                document.file,
                kind.unwrap_or_default(),
                api_version.unwrap_or_default(),
            );
            sink.error(&at, ErrorType::NotSupported, message);
            None
        }
    }
}

/// Every document as objects, or every fault, in the order of the documents. `broken` are files that end in a fault,
/// each with the number of documents that come before it.
pub(crate) fn assemble(
    documents: &[Document],
    broken: Vec<(usize, InputError)>,
    state: &State,
) -> Result<World, Vec<InputError>> {
    let mut errors: Vec<(usize, InputError)> = broken;
    let mut warnings: Vec<Warning> = Vec::new();
    let mut objects: Vec<(usize, Object)> = Vec::new();
    for (order, document) in documents.iter().enumerate() {
        let sink = Sink::new(document);
        let duplicates = document.duplicates();
        objects.extend(parse(document, &sink).map(|object| (order, object)));
        let mut found = sink.errors.into_inner();
        found.extend(duplicates);
        found.sort_by_key(|error| error.place.line);
        errors.extend(found.into_iter().map(|error| (order, error)));
        warnings.extend(sink.warnings.into_inner());
    }
    let objects = once_each(documents, objects, &mut errors);
    pairs_once(documents, &objects, &mut errors);
    provider_ids_stay(documents, &objects, state, &mut errors);
    if !errors.is_empty() {
        errors.sort_by_key(|(order, _)| *order);
        return Err(errors.into_iter().map(|(_, error)| error).collect());
    }
    let mut world = World { warnings, ..World::default() };
    for (_, object) in objects {
        match object {
            Object::Network(network) => {
                world.networks.insert(network.id.clone(), network);
            }
            Object::Peering { peering: Some(peering), .. } => {
                world.peerings.insert(peering.name.clone(), peering);
            }
            // Without an object there is an error, and then this point is not reached.
            Object::Peering { peering: None, .. } => {}
            Object::Project { project, .. } => {
                world.projects.entry(project.id.clone()).or_insert(project);
            }
            Object::Prefix { name, prefix } => {
                world.prefixes.insert(name, prefix);
            }
        }
    }
    Ok(world)
}

/// Rule R2: one identity twice is a fault unless the documents are equal; then the first one stands.
fn once_each(
    documents: &[Document],
    objects: Vec<(usize, Object)>,
    errors: &mut Vec<(usize, InputError)>,
) -> Vec<(usize, Object)> {
    let mut first: BTreeMap<Identity, usize> = BTreeMap::new();
    let mut kept = Vec::with_capacity(objects.len());
    for (order, object) in objects {
        let Some(before) = first.insert(object.identity(), order) else {
            kept.push((order, object));
            continue;
        };
        first.insert(object.identity(), before);
        let (document, earlier) = (&documents[order], &documents[before]);
        if canonical(&document.root) == canonical(&earlier.root) {
            continue;
        }
        let (path, node) = match document.root.field("metadata").and_then(|metadata| metadata.field("name")) {
            Some(node) => ("metadata.name", node),
            None => ("id", document.root.field("id").unwrap_or(&document.root)),
        };
        let message = format!(
            "this object is described before, in document {} of {}, and differently; keep one of the two",
            earlier.index, earlier.file
        );
        let place = document.place(path, node);
        errors.push((order, InputError { place, error_type: ErrorType::Duplicate, message }));
        kept.push((order, object));
    }
    kept
}

/// A document without what has no meaning: `status`, and a namespace that is the default one.
fn canonical(root: &Node) -> Node {
    let mut root = root.clone();
    let is_prefix = root.field("kind").and_then(Node::text) == Some("Prefix");
    if let Value::Mapping(fields) = &mut root.value {
        fields.retain(|(key, _)| key != "status" || is_prefix);
        if let Some((_, metadata)) = fields.iter_mut().find(|(key, _)| key == "metadata")
            && let Value::Mapping(fields) = &mut metadata.value
        {
            fields.retain(|(key, node)| {
                key != "namespace" || !(node.is_null() || matches!(node.text(), Some("" | DEFAULT_NAMESPACE)))
            });
        }
    }
    root
}

/// Rule R38: one pair of networks has one peering, whatever the order and the name.
fn pairs_once(documents: &[Document], objects: &[(usize, Object)], errors: &mut Vec<(usize, InputError)>) {
    let mut first: BTreeMap<BTreeSet<&str>, usize> = BTreeMap::new();
    for (order, object) in objects {
        let Object::Peering { pair: Some((network1, network2)), .. } = object else { continue };
        let pair = BTreeSet::from([network1.as_str(), network2.as_str()]);
        if pair.len() < 2 {
            continue;
        }
        if let Some(before) = first.get(&pair) {
            let (document, earlier) = (&documents[*order], &documents[*before]);
            let node = document.root.field("spec").and_then(|spec| spec.field("network2")).unwrap_or(&document.root);
            let message = format!(
                "{network1} and {network2} are peered before, in document {} of {}; one peering joins both directions",
                earlier.index, earlier.file
            );
            let place = document.place("spec.network2", node);
            errors.push((*order, InputError { place, error_type: ErrorType::Duplicate, message }));
        } else {
            first.insert(pair, *order);
        }
    }
}

/// Rule R10: a providerID that was once set stays, as long as the uid does.
fn provider_ids_stay(
    documents: &[Document],
    objects: &[(usize, Object)],
    state: &State,
    errors: &mut Vec<(usize, InputError)>,
) {
    for (order, object) in objects {
        let Object::Network(network) = object else { continue };
        let Some(ironcore) = network.ironcore() else { continue };
        let Some(set) = state.provider_id(&network.id, network.uid.as_deref()) else { continue };
        if ironcore.provider_id.as_deref() != Some(set) {
            let root = &documents[*order].root;
            let spec = root.field("spec").unwrap_or(root);
            let place = documents[*order].place("spec.providerID", spec.field("providerID").unwrap_or(spec));
            let message = format!("the providerID of a network cannot change; it was {set:?}");
            errors.push((*order, InputError { place, error_type: ErrorType::Forbidden, message }));
        }
    }
}

/// The pair that a parsed side names, for [`pairs_once`].
pub(crate) fn pair_of(network1: Option<&String>, side: Option<&Side>) -> Option<(String, String)> {
    match (network1, side) {
        (Some(network1), Some(Side::Network(network2))) => Some((network1.clone(), network2.clone())),
        _ => None,
    }
}
