//! The evaluation: a world, what is remembered and the time in; statuses and edges out.
//!
//! A pure function of the set of objects. It changes the state and nothing else.

use std::{collections::BTreeSet, fmt, sync::Arc};

use ipnet::IpNet;
use leak_engine::PrefixSet;

use crate::{
    bind,
    edges::{self, Edge},
    error::Warning,
    lifecycle::{self, Networks, Present},
    model::{Api, Bgp, Entry, Exposed, MetalKind, MetalNetwork, Name, NetworkId, NetworkSpec, Side, World},
    reason::{NetworkState, PeeringState, Phase, Reason, message},
    state::{self, EntryState, State},
    timestamp::Timestamp,
};

/// The limit of an edge that sets none: destinations per direction (rule R36).
pub const DEFAULT_LIMIT: usize = 24_000;
/// How many networks of one project are peered automatically at most (rule R46).
pub const MAX_AUTO_PEERED: usize = 32;

/// What an evaluation is told beside the objects.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The limit of edges that set none; [`DEFAULT_LIMIT`] if not given.
    pub limit: Option<usize>,
    /// Networks (`namespace/name`) that are not available; the state remembers them.
    pub unavailable: BTreeSet<String>,
    /// The zone of the box whose tables are computed (rule R45).
    pub zone: Option<String>,
    /// What generated uids are derived from, with the identity and the state.
    pub seed: u64,
}

/// What an evaluation finds.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Every network, sorted by namespace and name.
    pub networks: Vec<NetworkStatus>,
    /// Every metal-stack peering, explicit and virtual, sorted by namespace and name.
    pub peerings: Vec<PeeringStatus>,
    /// The edges of every bound peering, both directions, sorted by importer, then rank.
    pub edges: Vec<Edge>,
    /// What the evaluation has to say that is no status.
    pub warnings: Vec<Warning>,
}

/// The status of one network.
#[derive(Clone, Debug)]
pub struct NetworkStatus {
    /// Its identity.
    pub id: NetworkId,
    /// Its uid, given or generated.
    pub uid: String,
    /// The network identifier of its table.
    pub vni: Option<u32>,
    /// Whether it can be used.
    pub state: NetworkState,
    /// Since when it is being deleted.
    pub deletion: Option<Timestamp>,
    /// Every bound ironcore peer, sorted (rule R17).
    pub claims: Vec<Claim>,
    /// One for each entry of `spec.peerings`, in its order (rule R19).
    pub entries: Vec<EntryStatus>,
}

/// A bound peer as `spec.incomingPeerings` lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The peer.
    pub network: Name,
    /// Its uid.
    pub uid: String,
}

/// The status that both proposals' peerings share (rules R20, R21).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The control plane's view.
    pub phase: Phase,
    /// The data plane's view.
    pub state: PeeringState,
    /// Why it is not ready, or what it lacks.
    pub reason: Option<Reason>,
    /// What would change the reason.
    pub message: Option<String>,
    /// When the phase last changed.
    pub since: Timestamp,
}

impl Status {
    fn new(phase: Phase, reason: Option<Reason>, since: Timestamp, names: (&str, &str)) -> Self {
        let state = match (phase, reason) {
            (Phase::Bound, None) => PeeringState::Ready,
            (_, Some(reason)) if reason.is_policy() => PeeringState::Error,
            _ => PeeringState::Pending,
        };
        Self { phase, state, reason, message: reason.map(|reason| message(reason, names.0, names.1)), since }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} since {}", self.phase, self.state, self.since)?;
        if let (Some(reason), Some(message)) = (self.reason, &self.message) {
            write!(f, ": {reason}: {message}")?;
        }
        Ok(())
    }
}

/// The status of one entry of `spec.peerings`.
#[derive(Clone, Debug)]
pub struct EntryStatus {
    /// The entry's name.
    pub name: String,
    /// The network it names.
    pub target: Name,
    /// Its status.
    pub status: Status,
    /// The resolved prefixes it exposes, while it is ready (rule R22).
    pub prefixes: Vec<IpNet>,
}

/// The status of one metal-stack peering.
#[derive(Clone, Debug)]
pub struct PeeringStatus {
    /// Its name; `auto/<network>/<network>` for a virtual one.
    pub name: Name,
    /// Its first network.
    pub network1: NetworkId,
    /// Its second network; none if it is external.
    pub network2: Option<NetworkId>,
    /// The session of an external one.
    pub bgp: Option<Bgp>,
    /// Whether it stems from a project's label.
    pub is_virtual: bool,
    /// Its status.
    pub status: Status,
    /// A private network whose routes outside of these prefixes need NAT to reach the external one (rule R43).
    pub(crate) nat: Option<(NetworkId, PrefixSet)>,
}

impl PeeringStatus {
    /// The private network of a bound pair with a NATed external one: its routes outside of the external network's prefixes need NAT
    /// (rule R43).
    pub fn natted(&self) -> Option<&NetworkId> {
        self.nat.as_ref().map(|(private, _)| private)
    }

    /// Its status as it stands while the private network has such routes.
    pub fn status_with_nat(&self) -> Status {
        let mut status = self.status.clone();
        if let Some(private) = self.natted()
            && status.phase == Phase::Bound
            && status.reason.is_none()
        {
            let external = self.network2.as_ref().filter(|id| *id != private).unwrap_or(&self.network1);
            status.reason = Some(Reason::NATRequired);
            status.message = Some(message(Reason::NATRequired, &private.to_string(), &external.to_string()));
        }
        status
    }
}

/// Evaluates `world` after what `state` remembers, at `now`, and updates the state.
///
/// The same call again finds the same, and changes nothing in the state.
pub fn evaluate(world: &World, state: &mut State, now: Timestamp, options: &Options) -> Outcome {
    let before = state.clone();
    let (networks, generated) = lifecycle::networks(world, &before, now, options);
    let mut after = State::default();
    after.generations = before.generations + u64::from(generated);
    after.unavailable = before.unavailable.union(&options.unavailable).cloned().collect();

    let mut outcome = Outcome { networks: Vec::new(), peerings: Vec::new(), edges: Vec::new(), warnings: Vec::new() };
    for present in networks.values() {
        let status = network_status(present, &networks, world, now);
        remember_network(present, &status, &networks, &mut after);
        outcome.networks.push(status);
    }
    let mut warnings = Vec::new();
    for peering in all_peerings(world, &networks, &mut warnings) {
        let key = peering.name.to_string();
        let remembered = before
            .peerings
            .get(&key)
            .filter(|remembered| peering.uid.is_none() || remembered.uid.is_none() || peering.uid == remembered.uid);
        let status = peering_status(&peering, remembered, &networks, now);
        if !peering.is_virtual && status.status.phase == Phase::Bound {
            claim(&status, &networks, &mut after);
        }
        let uid = peering.uid.clone().or_else(|| remembered?.uid.clone());
        let remembered = state::PeeringState { uid, phase: status.status.phase, since: status.status.since };
        after.peerings.insert(key, remembered);
        outcome.peerings.push(status);
    }
    outcome.warnings = warnings;
    outcome.edges = edges::edges(world, &networks, &outcome, options);
    *state = after;
    outcome
}

fn since(remembered: Option<(Phase, Timestamp)>, phase: Phase, now: Timestamp) -> Timestamp {
    remembered.filter(|(before, _)| *before == phase).map_or(now, |(_, since)| since)
}

fn network_status(own: &Present<'_>, networks: &Networks<'_>, world: &World, now: Timestamp) -> NetworkStatus {
    let mut claims = Vec::new();
    let mut entries = Vec::new();
    for entry in own.network.entries() {
        let refused = bind::entry_reason(own, entry, networks);
        let phase = if refused.is_none() { Phase::Bound } else { Phase::Pending };
        if phase == Phase::Bound {
            let target = NetworkId { name: entry.target.clone(), api: Api::Ironcore };
            claims.extend(networks.get(&target).map(|peer| Claim { network: target.name, uid: peer.uid.clone() }));
        }
        let resolved = resolve(own, entry, world);
        let unresolved = phase == Phase::Bound && !entry.prefixes.is_empty() && resolved.is_empty();
        let reason = refused.or(unresolved.then_some(Reason::PrefixRefUnresolved));
        let remembered = own.remembered_entry(&entry.name).map(|entry| (entry.phase, entry.since));
        let names = (own.network.id.to_string(), entry.target.to_string());
        let status = Status::new(phase, reason, since(remembered, phase, now), (&names.0, &names.1));
        let prefixes = if status.state == PeeringState::Ready { resolved } else { Vec::new() };
        entries.push(EntryStatus { name: entry.name.clone(), target: entry.target.clone(), status, prefixes });
    }
    claims.sort();
    NetworkStatus {
        id: own.network.id.clone(),
        uid: own.uid.clone(),
        vni: own.network.vni,
        state: if own.available { NetworkState::Available } else { NetworkState::Pending },
        deletion: own.deletion,
        claims,
        entries,
    }
}

/// The prefixes an entry lists, as far as they are resolved, in its order (rule R31).
pub(crate) fn resolve(own: &Present<'_>, entry: &Entry, world: &World) -> Vec<IpNet> {
    let namespace = &own.network.id.name.namespace;
    let resolved = entry.prefixes.iter().filter_map(|exposed| match exposed {
        Exposed::Inline(prefix) => Some(*prefix),
        Exposed::Reference(name) => *world.prefixes.get(&Name::new(namespace.clone(), name.clone()))?,
    });
    resolved.collect()
}

fn remember_network(own: &Present<'_>, status: &NetworkStatus, networks: &Networks<'_>, after: &mut State) {
    let entries = own.network.entries().iter().zip(&status.entries).map(|(entry, status)| {
        let target = NetworkId { name: entry.target.clone(), api: Api::Ironcore };
        let seen = networks.get(&target).map(|target| target.uid.as_str());
        EntryState {
            name: entry.name.clone(),
            target: entry.target.to_string(),
            uid: own.expected_uid(entry).or(seen).map(str::to_owned),
            explicit: entry.uid.is_some(),
            phase: status.status.phase,
            since: status.status.since,
        }
    });
    let remembered = state::NetworkState {
        uid: own.uid.clone(),
        provider_id: own.network.ironcore().and_then(|network| network.provider_id.clone()),
        vni: own.network.vni,
        deletion: own.deletion,
        claims: match own.deletion {
            Some(_) => own.holders.clone(),
            None => status.claims.iter().map(|claim| claim.uid.clone()).collect(),
        },
        entries: entries.collect(),
    };
    after.networks_mut(own.network.id.api).insert(own.network.id.to_string(), remembered);
}

/// Two bound metal networks hold each other.
fn claim(status: &PeeringStatus, networks: &Networks<'_>, after: &mut State) {
    let Some(network2) = &status.network2 else { return };
    for (own, peer) in [(&status.network1, network2), (network2, &status.network1)] {
        let Some(peer) = networks.get(peer) else { continue };
        if let Some(remembered) = after.networks_mut(Api::Metal).get_mut(&own.to_string()) {
            remembered.claims.insert(peer.uid.clone());
        }
    }
}

/// A metal-stack peering, of a document or of a project's label.
struct AnyPeering {
    name: Name,
    uid: Option<String>,
    network1: NetworkId,
    side: Side,
    is_virtual: bool,
}

fn metal_id(name: &str) -> NetworkId {
    NetworkId { name: Name::in_default(name), api: Api::Metal }
}

fn all_peerings(world: &World, networks: &Networks<'_>, warnings: &mut Vec<Warning>) -> Vec<AnyPeering> {
    let explicit = world.peerings.values().filter(|peering| peering.deletion.is_none());
    let mut all: Vec<_> = explicit
        .map(|peering| AnyPeering {
            name: peering.name.clone(),
            uid: peering.uid.clone(),
            network1: metal_id(&peering.network1),
            side: peering.side.clone(),
            is_virtual: false,
        })
        .collect();
    let pairs: BTreeSet<_> = all
        .iter()
        .filter_map(|peering| match &peering.side {
            Side::Network(network2) => Some(ordered(&peering.network1.name.name, network2)),
            Side::Neighbor(_) => None,
        })
        .collect();
    for project in world.projects.values().filter(|project| project.auto_peer) {
        let members: Vec<_> = networks
            .values()
            .filter(|present| present.deletion.is_none())
            .filter_map(|present| Some((present.network.id.name.name.as_str(), present.network.metal()?)))
            .filter(|(_, metal)| metal.kind == MetalKind::Private && metal.project.as_ref() == Some(&project.id))
            .collect();
        if members.len() > MAX_AUTO_PEERED {
            let message = format!(
                "the project has {} private networks; at most {MAX_AUTO_PEERED} are peered automatically, so none is",
                members.len()
            );
            warnings.push(Warning { place: project.place.clone(), message });
            continue;
        }
        for (i, (network1, metal1)) in members.iter().enumerate() {
            for (network2, metal2) in &members[i + 1..] {
                if bind::same_partition(metal1, metal2) && !pairs.contains(&ordered(network1, network2)) {
                    all.push(AnyPeering {
                        name: Name::in_default(format!("auto/{network1}/{network2}")),
                        uid: None,
                        network1: metal_id(network1),
                        side: Side::Network((*network2).to_owned()),
                        is_virtual: true,
                    });
                }
            }
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn ordered(a: &str, b: &str) -> (String, String) {
    if a < b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) }
}

fn peering_status(
    peering: &AnyPeering,
    remembered: Option<&state::PeeringState>,
    networks: &Networks<'_>,
    now: Timestamp,
) -> PeeringStatus {
    let network2 = match &peering.side {
        Side::Network(network2) => Some(metal_id(network2)),
        Side::Neighbor(_) => None,
    };
    let one = networks.get(&peering.network1);
    let two = network2.as_ref().map(|id| networks.get(id));
    let (reason, nat) = match (one, two) {
        (None, _) | (_, Some(None)) => (Some(Reason::NetworkNotFound), None),
        (Some(one), None) => (neighbor_refusal(one), None),
        (Some(one), Some(Some(two))) => {
            (pair_refusal(one, two, peering.is_virtual), nat(one, two).or_else(|| nat(two, one)))
        }
    };
    let phase = if reason.is_none() { Phase::Bound } else { Phase::Pending };
    let since = since(remembered.map(|remembered| (remembered.phase, remembered.since)), phase, now);
    let (name1, name2) = match &network2 {
        Some(network2) => (peering.network1.to_string(), network2.to_string()),
        None => (peering.network1.to_string(), "its neighbour".to_owned()),
    };
    PeeringStatus {
        name: peering.name.clone(),
        network1: peering.network1.clone(),
        network2,
        bgp: match &peering.side {
            Side::Neighbor(bgp) => Some(bgp.clone()),
            Side::Network(_) => None,
        },
        is_virtual: peering.is_virtual,
        status: Status::new(phase, reason, since, (&name1, &name2)),
        nat: nat.filter(|_| phase == Phase::Bound),
    }
}

fn neighbor_refusal(one: &Present<'_>) -> Option<Reason> {
    if one.deletion.is_some() {
        Some(Reason::PeerDeleting)
    } else if !bind::peerable(&one.network) {
        Some(Reason::NotPeerable)
    } else if !one.available {
        Some(Reason::NetworkNotAvailable)
    } else {
        None
    }
}

fn pair_refusal(one: &Present<'_>, two: &Present<'_>, is_virtual: bool) -> Option<Reason> {
    if one.deletion.is_some() || two.deletion.is_some() {
        return Some(Reason::PeerDeleting);
    }
    bind::metal_refusal(&one.network, &two.network, one.available && two.available).or_else(|| {
        let (NetworkSpec::Metal(one), NetworkSpec::Metal(two)) = (&one.network.spec, &two.network.spec) else {
            return None;
        };
        (is_virtual && bind::overlap(one, two)).then_some(Reason::Conflict)
    })
}

/// What needs NAT between a private network and a NATed external one.
fn nat(private: &Present<'_>, external: &Present<'_>) -> Option<(NetworkId, PrefixSet)> {
    let is = |present: &Present<'_>, kind| present.network.metal().is_some_and(|metal| metal.kind == kind);
    let natted: &MetalNetwork = external.network.metal().filter(|metal| metal.nat)?;
    (is(private, MetalKind::Private) && is(external, MetalKind::External))
        .then(|| (private.network.id.clone(), natted.prefixes.iter().copied().collect()))
}

impl Outcome {
    /// The status of a network.
    pub fn network(&self, id: &NetworkId) -> Option<&NetworkStatus> {
        self.networks.binary_search_by(|status| status.id.cmp(id)).ok().map(|at| &self.networks[at])
    }

    /// Edge names are shared text: one allocation per network, not per edge.
    pub(crate) fn shared_name(id: &NetworkId) -> Arc<str> {
        id.to_string().into()
    }
}
