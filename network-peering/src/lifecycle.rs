//! Which networks exist: uids, deletions and what holds a deleted network (rules R2, R11, R24–R26).
//!
//! It is given a world and the state of the last evaluation and yields the networks there are now. It binds nothing.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use crate::{
    bind,
    error::Place,
    evaluate::Options,
    hash,
    model::{Api, Entry, IroncoreNetwork, MetalNetwork, Name, Network, NetworkId, NetworkSpec, Side, World},
    state::{EntryState, NetworkState, State},
    timestamp::Timestamp,
};

/// A network that exists, if only until nothing holds it any more.
pub(crate) struct Present<'a> {
    pub(crate) network: Cow<'a, Network>,
    pub(crate) uid: String,
    /// Whether the uid is one that this evaluation made.
    generated: bool,
    /// Since when it is being deleted.
    pub(crate) deletion: Option<Timestamp>,
    pub(crate) available: bool,
    /// What is remembered of this very object.
    remembered: Option<&'a NetworkState>,
    remembered_entries: HashMap<&'a str, &'a EntryState>,
    /// The positions of its entries, by the network they name.
    pub(crate) entries: HashMap<Name, usize>,
    /// The uids of the networks that keep it from going (rule R24); only for one that is being deleted.
    pub(crate) holders: BTreeSet<String>,
}

impl<'a> Present<'a> {
    fn new(network: Cow<'a, Network>, uid: String, generated: bool, remembered: Option<&'a NetworkState>) -> Self {
        let remembered_entries = remembered.into_iter().flat_map(|remembered| &remembered.entries);
        let entries = network.entries().iter().enumerate();
        Self {
            uid,
            generated,
            deletion: None,
            available: false,
            remembered,
            remembered_entries: remembered_entries.map(|entry| (entry.name.as_str(), entry)).collect(),
            entries: entries.map(|(at, entry)| (entry.target.clone(), at)).collect(),
            holders: BTreeSet::new(),
            network,
        }
    }

    /// The entry that names `target`; an ironcore network has one at most.
    pub(crate) fn entry_for(&self, target: &Name) -> Option<&Entry> {
        self.entries.get(target).and_then(|at| self.network.entries().get(*at))
    }

    /// What is remembered of the entry of this name.
    pub(crate) fn remembered_entry(&self, name: &str) -> Option<&'a EntryState> {
        self.remembered_entries.get(name).copied()
    }

    /// The uid that the target of `entry` must have, where one was given or seen before (rule R11). An entry whose uid
    /// was taken back, or that names another network now, begins anew.
    pub(crate) fn expected_uid<'s>(&'s self, entry: &'s Entry) -> Option<&'s str> {
        if entry.uid.is_some() {
            return entry.uid.as_deref();
        }
        let remembered = self.remembered_entry(&entry.name)?;
        let same = !remembered.explicit && remembered.target == entry.target.to_string();
        remembered.uid.as_deref().filter(|_| same)
    }
}

/// The networks there are, by identity.
pub(crate) type Networks<'a> = BTreeMap<NetworkId, Present<'a>>;

/// The networks that exist at `now`. `generations` of the state makes the uids it generates new ones; the second value
/// says whether any was.
pub(crate) fn networks<'a>(
    world: &'a World,
    state: &'a State,
    now: Timestamp,
    options: &Options,
) -> (Networks<'a>, bool) {
    let mut networks = Networks::new();
    for network in world.networks.values() {
        let remembered = state.network(&network.id);
        let uid = network.uid.as_ref().or(remembered.map(|remembered| &remembered.uid));
        let remembered = remembered.filter(|remembered| Some(&remembered.uid) == uid);
        let generated = uid.is_none();
        let uid = uid.cloned().unwrap_or_else(|| new_uid(&network.id, state, options));
        let present = Present {
            deletion: network.deletion.or(remembered.and_then(|remembered| remembered.deletion)),
            available: available(network, state, options),
            ..Present::new(Cow::Borrowed(network), uid, generated, remembered)
        };
        networks.insert(network.id.clone(), present);
    }
    for id in state.network_ids().into_iter().filter(|id| !world.networks.contains_key(id)) {
        let Some(remembered) = state.network(&id) else { continue };
        let network = remnant(&id, remembered);
        let present = Present {
            deletion: remembered.deletion.or(Some(now)),
            available: available(&network, state, options),
            ..Present::new(Cow::Owned(network), remembered.uid.clone(), false, Some(remembered))
        };
        networks.insert(id, present);
    }
    let gone = collect_holders(&mut networks, world);
    for id in gone {
        networks.remove(&id);
        // A document that came back while its network was going stands for a new one, once that is gone.
        if let Some(network) = world.networks.get(&id).filter(|network| network.deletion.is_none()) {
            let uid = network.uid.clone().unwrap_or_else(|| new_uid(&id, state, options));
            let present = Present {
                available: available(network, state, options),
                ..Present::new(Cow::Borrowed(network), uid, network.uid.is_none(), None)
            };
            networks.insert(id, present);
        }
    }
    let generated = networks.values().any(|present| present.generated);
    (networks, generated)
}

/// Notes who holds each network that is being deleted, and returns those that nobody holds.
fn collect_holders(networks: &mut Networks<'_>, world: &World) -> Vec<NetworkId> {
    let deleting: Vec<_> =
        networks.iter().filter(|(_, present)| present.deletion.is_some()).map(|(id, _)| id.clone()).collect();
    if deleting.is_empty() {
        return deleting;
    }
    let mut naming: HashMap<NetworkId, Vec<NetworkId>> = HashMap::new();
    for (id, present) in networks.iter() {
        for entry in present.network.entries() {
            let target = NetworkId { name: entry.target.clone(), api: Api::Ironcore };
            naming.entry(target).or_default().push(id.clone());
        }
    }
    for peering in world.peerings.values().filter(|peering| peering.deletion.is_none()) {
        let Side::Network(network2) = &peering.side else { continue };
        let [one, two] =
            [&peering.network1, network2].map(|name| NetworkId { name: Name::in_default(name), api: Api::Metal });
        naming.entry(one.clone()).or_default().push(two.clone());
        naming.entry(two).or_default().push(one);
    }
    let mut gone = Vec::new();
    for id in deleting {
        let present = &networks[&id];
        let peers = naming.get(&id).into_iter().flatten().filter_map(|peer| networks.get(peer));
        let holders: BTreeSet<_> =
            peers.filter(|peer| peer.deletion.is_none() && holds(peer, present)).map(|peer| peer.uid.clone()).collect();
        if holders.is_empty() {
            gone.push(id);
        } else if let Some(present) = networks.get_mut(&id) {
            present.holders = holders;
        }
    }
    gone
}

/// Whether the live `peer`, which names `present`, keeps it from going: it was bound to it, or would be if it were not being deleted. Of
/// a network whose document is gone too little is known to say what would be.
fn holds(peer: &Present<'_>, present: &Present<'_>) -> bool {
    let claimed = present.remembered.is_some_and(|remembered| remembered.claims.contains(&peer.uid));
    if !claimed && matches!(present.network, Cow::Owned(_)) {
        return false;
    }
    match present.network.id.api {
        Api::Ironcore => {
            bind::entry_to(peer, present).is_some()
                && (claimed || bind::entry_to(present, peer).is_some() && bind::refusal(peer, present).is_none())
        }
        Api::Metal => {
            let available = peer.available && present.available;
            claimed || bind::metal_refusal(&peer.network, &present.network, available).is_none()
        }
    }
}

fn available(network: &Network, state: &State, options: &Options) -> bool {
    let name = network.id.to_string();
    network.vni.is_some() && !state.unavailable.contains(&name) && !options.unavailable.contains(&name)
}

/// What is left of a network whose document is gone.
fn remnant(id: &NetworkId, remembered: &NetworkState) -> Network {
    let entry = |state: &EntryState| {
        Some(Entry {
            name: state.name.clone(),
            target: Name::parse(&state.target)?,
            uid: state.uid.clone().filter(|_| state.explicit),
            prefixes: Vec::new(),
        })
    };
    let spec = match id.api {
        Api::Ironcore => NetworkSpec::Ironcore(IroncoreNetwork {
            provider_id: remembered.provider_id.clone(),
            entries: remembered.entries.iter().filter_map(entry).collect(),
            ..IroncoreNetwork::default()
        }),
        Api::Metal => NetworkSpec::Metal(MetalNetwork::default()),
    };
    let place = Place { file: "".into(), document: 0, path: String::new(), line: 0 };
    Network { id: id.clone(), uid: None, deletion: None, vni: remembered.vni, spec, place }
}

/// A uid in the form of RFC 9562 version 4, the same for the same seed, state and identity.
fn new_uid(id: &NetworkId, state: &State, options: &Options) -> String {
    let text = format!("{}/{}/{:?}/{id}", options.seed, state.generations, id.api);
    let value = hash::fnv1a_128(text.as_bytes());
    let value = value & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let hex = format!("{value:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
