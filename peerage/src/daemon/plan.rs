//! From documents to what the speaker shall do: the one place where peerings become edges. Pure but for its input.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use network_peering::{ErrorType, InputError, Options, Outcome, Place, State, Timestamp, Warning, World};
use speaker::{Config, EdgeConfig};
use tracing::error;

use super::sessions::{self, Sessions};
use super::set::DocumentSet;
use crate::config::Settings;
use crate::documents::{self, Checked};

/// What follows from the documents in force.
#[derive(Debug)]
pub(super) struct Plan {
    /// The speaker's configuration, edges included.
    pub(super) config: Config,
    /// What the evaluation remembers.
    pub(super) state: State,
    pub(super) view: View,
}

/// What queries look at.
#[derive(Debug)]
pub(super) struct View {
    pub(super) settings: Settings,
    pub(super) world: World,
    pub(super) outcome: Outcome,
    /// The sessions of external peerings that this speaker runs.
    pub(super) sessions: Sessions,
    /// The VRF of a network (`namespace/name`), where it has one here.
    pub(super) vrfs: HashMap<String, String>,
}

/// Checks and evaluates the documents in force.
///
/// # Errors
/// Every fault. The warnings come in either case.
pub(super) fn make(
    documents: &DocumentSet,
    mut state: State,
    now: Timestamp,
) -> (Result<Plan, Vec<InputError>>, Vec<Warning>) {
    let (checked, warnings) = documents::check(&documents.in_force(), &state);
    let Checked { world, settings } = match checked {
        Ok(checked) => checked,
        Err(faults) => return (Err(faults), warnings),
    };
    let Some(settings) = settings else {
        return (Err(vec![no_speaker()]), warnings);
    };
    let seed = RandomState::new().build_hasher().finish();
    let options = Options { zone: settings.speaker.zone.clone(), seed, ..Options::default() };
    let outcome = network_peering::evaluate(&world, &mut state, now, &options);
    let vrfs: HashMap<String, String> =
        settings.speaker.vrfs.iter().filter_map(|vrf| Some((vrf.network.clone()?, vrf.name.clone()))).collect();
    // An edge whose networks are not both here is another box's business.
    let edges = outcome.edges.iter().filter_map(|edge| {
        if let Err(reason) = edge.check(&world) {
            error!(peering = edge.peering, from = %edge.from, to = %edge.to, %reason, "an edge that must not be is not programmed");
            return None;
        }
        Some(EdgeConfig {
            from: vrfs.get(&edge.from.to_string())?.clone(),
            to: vrfs.get(&edge.to.to_string())?.clone(),
            peering: edge.peering.clone(),
            filter: edge.filter.clone(),
            rank: edge.rank.clone(),
            advertise: edge.advertise,
            limit: Some(edge.limit),
        })
    });
    let mut config = Config { edges: edges.collect(), ..settings.speaker.clone() };
    let sessions = sessions::add(&mut config, &world, &outcome, &vrfs);
    (Ok(Plan { config, state, view: View { settings, world, outcome, sessions, vrfs } }), warnings)
}

fn no_speaker() -> InputError {
    InputError {
        place: Place { file: "-".into(), document: 0, path: "kind".to_owned(), line: 0 },
        error_type: ErrorType::Required,
        message: "no document of kind Speaker is left; the running one stays".to_owned(),
    }
}
