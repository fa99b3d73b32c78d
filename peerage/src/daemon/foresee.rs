//! What a change would do, said before it is done: the evaluation's word on peerings and the speaker's on its live tables.
//!
//! Given documents that are not in force, it yields the API's plan. It changes nothing.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use network_peering::{NetworkId, State};
use speaker::{Change, Refusal};

use super::plan::{self, Plan, View};
use super::set::DocumentSet;
use super::status::{failure, shown};
use super::{Daemon, invalid, now};
use crate::api::schema::{
    AppliedDocument, Conflict, Failure, PlanBody, PlannedLeak, PlannedNeighbor, PlannedPeering, PlannedRoute,
    PlannedVrf, Reachable,
};

/// Most routes of one kind that a plan lists for a VRF or a neighbour; all are counted.
const LISTED: usize = 10_000;

impl Daemon {
    /// What `documents` would change. The same ground gives the same plan.
    pub(super) async fn foresee(
        &self,
        documents: &DocumentSet,
        state: State,
        results: Vec<AppliedDocument>,
    ) -> Result<PlanBody, Failure> {
        let (plan, _) = plan::make(documents, state, now());
        let plan = plan.map_err(|faults| invalid(&faults))?;
        let found = self.speaker.plan(plan.config.clone()).await.map_err(|error| match error {
            speaker::Error::Config(_) => Failure::new("Invalid", error.to_string()),
            _ => failure(error),
        })?;
        let before = self.view();
        let reset = |change: &Change| match change {
            Change::NeighborReset(key) | Change::NeighborRemoved(key) => Some(key.to_string()),
            _ => None,
        };
        let network = |vrf: &str| network_of(&plan.view, vrf);
        let reachable = |pairs: &[(String, String)]| {
            pairs.iter().map(|(from, to)| Reachable { from: network(from), to: network(to) }).collect::<Vec<_>>()
        };
        Ok(PlanBody {
            documents: results,
            changes: found.changes.iter().map(ToString::to_string).collect(),
            peerings: peerings(&before, &plan),
            vrfs: vrfs(&found),
            leaks: found
                .edges
                .iter()
                .map(|edge| PlannedLeak {
                    from: edge.from.clone(),
                    to: edge.to.clone(),
                    peering: edge.peering.clone(),
                    before: edge.before.map(|count| count as u64),
                    after: edge.after.map(|count| count as u64),
                    refused: edge.refused.iter().map(|(reason, count)| (reason.to_string(), *count as u64)).collect(),
                })
                .collect(),
            conflicts: conflicts(&plan.view, &found),
            neighbors: found
                .told
                .iter()
                .map(|telling| PlannedNeighbor {
                    neighbor: telling.neighbor.to_string(),
                    announced: telling.announced.len() as u64,
                    replaced: telling.replaced.len() as u64,
                    withdrawn: telling.withdrawn.len() as u64,
                    announces: telling.announced.iter().take(LISTED).copied().collect(),
                    withdraws: telling.withdrawn.iter().take(LISTED).copied().collect(),
                })
                .collect(),
            reachable: reachable(&found.connected),
            unreachable: reachable(&found.disconnected),
            sessions_reset: found.changes.iter().filter_map(reset).collect(),
            settled: found.settled,
            digest: digest(&found),
        })
    }
}

/// A number that stands for all that a plan says, listed or not.
fn digest(plan: &speaker::Plan) -> String {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let told: Vec<_> = plan
        .told
        .iter()
        .map(|telling| (&telling.neighbor, &telling.announced, &telling.replaced, &telling.withdrawn))
        .collect();
    let routes: Vec<_> =
        plan.routes.iter().map(|route| (&route.vrf, route.prefix, &route.before, &route.after)).collect();
    format!("{:016x}", hasher.hash_one((told, routes)))
}

fn network_of(view: &View, vrf: &str) -> String {
    let found = view.vrfs.iter().find(|(_, name)| *name == vrf);
    found.map_or_else(|| vrf.to_owned(), |(network, _)| network.clone())
}

/// The peerings whose status would be another one.
fn peerings(before: &View, plan: &Plan) -> Vec<PlannedPeering> {
    let known = all(before);
    let after = all(&plan.view);
    let names: Vec<&String> = known.keys().chain(after.keys().filter(|name| !known.contains_key(*name))).collect();
    let mut differing: Vec<PlannedPeering> = names
        .into_iter()
        .filter(|name| known.get(*name) != after.get(*name))
        .map(|name| PlannedPeering {
            name: name.clone(),
            before: known.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect();
    differing.sort_by(|a, b| a.name.cmp(&b.name));
    differing
}

/// Every peering's phase, and the reason that keeps it from being in force with what would change that.
fn all(view: &View) -> BTreeMap<String, String> {
    let text = |status: &network_peering::Status| {
        let mut text = format!("{:?}", status.phase);
        if let (Some(reason), Some(message)) = (status.reason, &status.message) {
            text = format!("{text} {:?} {reason}: {message}", status.state);
        }
        text
    };
    let objects = view.outcome.peerings.iter().map(|peering| (shown(&peering.name), text(&peering.status)));
    let entries = view.outcome.networks.iter().flat_map(|network| {
        network.entries.iter().map(move |entry| (format!("{}/{}", network.id, entry.name), text(&entry.status)))
    });
    objects.chain(entries).collect()
}

fn vrfs(plan: &speaker::Plan) -> Vec<PlannedVrf> {
    let mut vrfs: BTreeMap<&str, PlannedVrf> = BTreeMap::new();
    for table in &plan.tables {
        vrfs.insert(
            &table.vrf,
            PlannedVrf {
                vrf: table.vrf.clone(),
                table: table.table,
                destinations_before: table.before as u64,
                destinations_after: table.after as u64,
                ..PlannedVrf::default()
            },
        );
    }
    for route in &plan.routes {
        let Some(vrf) = vrfs.get_mut(route.vrf.as_str()) else { continue };
        let (count, list) = match (&route.before, &route.after) {
            (None, _) => (&mut vrf.added, &mut vrf.adds),
            (_, None) => (&mut vrf.removed, &mut vrf.removes),
            _ => (&mut vrf.changed, &mut vrf.changes),
        };
        *count += 1;
        if list.len() < LISTED {
            list.push(PlannedRoute { prefix: route.prefix, before: route.before.clone(), after: route.after.clone() });
        }
    }
    vrfs.into_values().collect()
}

fn conflicts(view: &View, plan: &speaker::Plan) -> Vec<Conflict> {
    let edge = |from: &str, to: &str| {
        let (from, to) = (network_of(view, from), network_of(view, to));
        view.outcome.edges.iter().find(move |edge| edge.from.to_string() == from && edge.to.to_string() == to)
    };
    let conflict = |conflict: &speaker::PlannedConflict| {
        let (network, loser) = (network_of(view, &conflict.vrf), network_of(view, &conflict.from));
        let (winner, rule) = match (conflict.refused.reason, &conflict.refused.winner) {
            (Refusal::OwnSpace, _) => (network.clone(), "R34"),
            (_, Some(winner)) => (network_of(view, winner), "R34"),
            (_, None) => {
                let edge = edge(&conflict.from, &conflict.vrf)?;
                let older = edge.older_space(&view.outcome.edges, &view.world, conflict.refused.prefix);
                (older.map(NetworkId::to_string)?, "R42")
            }
        };
        Some(Conflict { prefix: conflict.refused.prefix, network, winner, loser, rule: rule.to_owned() })
    };
    plan.conflicts.iter().filter_map(conflict).take(LISTED).collect()
}
