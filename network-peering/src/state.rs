//! What an evaluation remembers for the next one: uids, pins, transition times, deletion marks, claims, unavailable
//! networks and providerIDs.
//!
//! It is plain data with one versioned JSON form; only the evaluation changes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    model::{Api, Name, NetworkId},
    reason::Phase,
    timestamp::Timestamp,
};

/// The version of the JSON form that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// The memory between evaluations. The default one remembers nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    version: u32,
    /// How many evaluations generated a uid; it makes the uid of a network that comes back a new one.
    pub(crate) generations: u64,
    #[serde(default)]
    pub(crate) ironcore_networks: BTreeMap<String, NetworkState>,
    #[serde(default)]
    pub(crate) metal_networks: BTreeMap<String, NetworkState>,
    #[serde(default)]
    pub(crate) peerings: BTreeMap<String, PeeringState>,
    /// Networks (`namespace/name`) that are not available.
    #[serde(default)]
    pub(crate) unavailable: BTreeSet<String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: VERSION,
            generations: 0,
            ironcore_networks: BTreeMap::new(),
            metal_networks: BTreeMap::new(),
            peerings: BTreeMap::new(),
            unavailable: BTreeSet::new(),
        }
    }
}

/// What is remembered of a network, as long as it exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NetworkState {
    pub(crate) uid: String,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "providerID")]
    pub(crate) provider_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vni: Option<u32>,
    /// Since when it is being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deletion: Option<Timestamp>,
    /// The uids of the networks that hold it (rule R24).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) claims: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) entries: Vec<EntryState>,
}

/// What is remembered of one entry of `spec.peerings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EntryState {
    pub(crate) name: String,
    /// `namespace/name` of the network it names.
    pub(crate) target: String,
    /// The uid the target must have: the one the entry gives, or the one first seen (rule R11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<String>,
    /// Whether the entry gives it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) explicit: bool,
    pub(crate) phase: Phase,
    pub(crate) since: Timestamp,
}

/// What is remembered of a metal-stack peering, explicit or virtual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PeeringState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uid: Option<String>,
    pub(crate) phase: Phase,
    pub(crate) since: Timestamp,
}

/// Why a state cannot be read.
#[derive(Debug)]
pub enum StateError {
    /// It is not the JSON of a state.
    Malformed(serde_json::Error),
    /// A newer program wrote it.
    Version(u32),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "this is not the JSON of a state: {error}"),
            Self::Version(version) => {
                write!(f, "the state has version {version}, and this program knows {VERSION}; use the newer program")
            }
        }
    }
}

impl std::error::Error for StateError {}

/// Why the object that an entry names now cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptError {
    /// There is no such network, or it has no such entry.
    UnknownEntry,
    /// The entry's own `networkRef.uid` says which object it is for.
    GivenUid,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownEntry => "there is no network with such an entry",
            Self::GivenUid => "the entry gives networkRef.uid itself; clear or replace it in the manifest",
        })
    }
}

impl std::error::Error for AcceptError {}

impl State {
    /// Forgets the uid that the entry of an ironcore network was pinned to: the next evaluation pins the object that it finds under
    /// the name then (rule R11).
    ///
    /// # Errors
    ///
    /// [`AcceptError`]; nothing changed then.
    pub fn accept(&mut self, network: &Name, entry: &str) -> Result<(), AcceptError> {
        let network = self.ironcore_networks.get_mut(&network.to_string());
        let entries = network.into_iter().flat_map(|network| &mut network.entries);
        let pinned = entries.into_iter().find(|known| known.name == entry).ok_or(AcceptError::UnknownEntry)?;
        if pinned.explicit {
            return Err(AcceptError::GivenUid);
        }
        pinned.uid = None;
        Ok(())
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// The bytes are not the JSON form, or that of a version this program does not know.
    pub fn from_json(bytes: &[u8]) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(bytes).map_err(StateError::Malformed)?;
        if version != VERSION {
            return Err(StateError::Version(version));
        }
        serde_json::from_slice(bytes).map_err(StateError::Malformed)
    }

    /// Writes the JSON form, indented, with a final newline.
    pub fn to_json(&self) -> Vec<u8> {
        // The keys are strings and the values plain data, so this cannot fail; an empty text would be refused on reading.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    pub(crate) fn network(&self, id: &NetworkId) -> Option<&NetworkState> {
        self.networks(id.api).get(&id.to_string())
    }

    pub(crate) fn networks(&self, api: Api) -> &BTreeMap<String, NetworkState> {
        match api {
            Api::Ironcore => &self.ironcore_networks,
            Api::Metal => &self.metal_networks,
        }
    }

    pub(crate) fn networks_mut(&mut self, api: Api) -> &mut BTreeMap<String, NetworkState> {
        match api {
            Api::Ironcore => &mut self.ironcore_networks,
            Api::Metal => &mut self.metal_networks,
        }
    }

    /// Every network remembered.
    pub(crate) fn network_ids(&self) -> Vec<NetworkId> {
        [Api::Ironcore, Api::Metal]
            .into_iter()
            .flat_map(|api| {
                let names = self.networks(api).keys().filter_map(|text| Name::parse(text));
                names.map(move |name| NetworkId { name, api })
            })
            .collect()
    }

    /// The providerID once set for a network, if it is still the same object (rule R10).
    pub(crate) fn provider_id(&self, id: &NetworkId, uid: Option<&str>) -> Option<&str> {
        let state = self.network(id)?;
        if uid.is_some_and(|uid| uid != state.uid) {
            return None;
        }
        state.provider_id.as_deref()
    }
}
