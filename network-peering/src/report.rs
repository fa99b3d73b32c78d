//! The JSON contract of the one-shot evaluator.
//!
//! Only names and order of fields live here; nothing is decided.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use crate::{
    evaluate::{EntryStatus, NetworkStatus, Outcome, PeeringStatus},
    reason::{NetworkState, PeeringState, Phase, Reason},
    tables::{Selected, Tables},
    timestamp::Timestamp,
};

/// Everything an evaluation found, in the form that `-o json` prints.
#[derive(Debug, Serialize)]
pub struct Report {
    networks: Vec<Network>,
    peerings: Vec<Peering>,
    tables: Vec<Table>,
    refused: Vec<Refused>,
    conflicts: Vec<Conflict>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    namespace: String,
    name: String,
    uid: String,
    state: NetworkState,
    incoming_peerings: Vec<Claim>,
    peerings: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Claim {
    namespace: String,
    name: String,
    uid: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    phase: Phase,
    state: PeeringState,
    reason: Option<Reason>,
    message: Option<String>,
    last_phase_transition_time: Timestamp,
    prefixes: Vec<IpNet>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Peering {
    name: String,
    network1: String,
    network2: Option<String>,
    peering_type: &'static str,
    phase: Phase,
    state: PeeringState,
    reason: Option<Reason>,
    message: Option<String>,
    last_phase_transition_time: Timestamp,
}

#[derive(Debug, Serialize)]
struct Table {
    network: String,
    routes: Vec<Route>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    prefix: IpNet,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peering: Option<String>,
    next_hop: Option<IpAddr>,
    as_path: Vec<u32>,
    next_hops: Vec<IpAddr>,
}

#[derive(Debug, Serialize)]
struct Refused {
    prefix: IpNet,
    from: String,
    to: String,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct Conflict {
    prefix: IpNet,
    network: String,
    winner: String,
    loser: String,
    rule: &'static str,
}

impl Report {
    /// Puts an outcome and its tables into the contract's form.
    pub fn new(outcome: &Outcome, tables: &Tables) -> Self {
        Self {
            networks: outcome.networks.iter().map(network).collect(),
            peerings: outcome.peerings.iter().map(peering).collect(),
            tables: tables
                .tables
                .iter()
                .map(|table| Table {
                    network: table.network.to_string(),
                    routes: table.routes.iter().map(route).collect(),
                })
                .collect(),
            refused: tables
                .refused
                .iter()
                .map(|refused| Refused {
                    prefix: refused.prefix,
                    from: refused.from.to_string(),
                    to: refused.to.to_string(),
                    reason: refused.reason.name(),
                })
                .collect(),
            conflicts: tables
                .conflicts
                .iter()
                .map(|conflict| Conflict {
                    prefix: conflict.prefix,
                    network: conflict.network.to_string(),
                    winner: conflict.winner.to_string(),
                    loser: conflict.loser.to_string(),
                    rule: conflict.rule,
                })
                .collect(),
        }
    }
}

fn network(status: &NetworkStatus) -> Network {
    let claim = |claim: &crate::evaluate::Claim| Claim {
        namespace: claim.network.namespace.clone(),
        name: claim.network.name.clone(),
        uid: claim.uid.clone(),
    };
    Network {
        namespace: status.id.name.namespace.clone(),
        name: status.id.name.name.clone(),
        uid: status.uid.clone(),
        state: status.state,
        incoming_peerings: status.claims.iter().map(claim).collect(),
        peerings: status.entries.iter().map(entry).collect(),
    }
}

fn entry(status: &EntryStatus) -> Entry {
    Entry {
        name: status.name.clone(),
        phase: status.status.phase,
        state: status.status.state,
        reason: status.status.reason,
        message: status.status.message.clone(),
        last_phase_transition_time: status.status.since,
        prefixes: status.prefixes.clone(),
    }
}

fn peering(status: &PeeringStatus) -> Peering {
    Peering {
        name: status.name.name.clone(),
        network1: status.network1.to_string(),
        network2: status.network2.as_ref().map(ToString::to_string),
        peering_type: if status.bgp.is_some() { "external" } else { "local" },
        phase: status.status.phase,
        state: status.status.state,
        reason: status.status.reason,
        message: status.status.message.clone(),
        last_phase_transition_time: status.status.since,
    }
}

fn route(selected: &Selected) -> Route {
    let (from, peering) = selected.leaked.clone().unzip();
    Route {
        prefix: selected.prefix,
        kind: if from.is_some() { "leaked" } else { "native" },
        from: from.map(|from| from.to_string()),
        peering,
        next_hop: selected.next_hop,
        as_path: selected.as_path.clone(),
        next_hops: selected.next_hops.clone(),
    }
}
