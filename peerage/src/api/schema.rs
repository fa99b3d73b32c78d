//! The documents of the API. Their JSON is a contract: fields may be added, none renamed or taken away; a snapshot test
//! in this module pins them.
//!
//! Plain data: nothing here computes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A network as the daemon sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Network {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// `Pending` or `Available`.
    pub(crate) state: String,
    /// The VRF on this speaker that holds its table.
    pub(crate) vrf: Option<String>,
    /// One entry for each of `spec.peerings`, in its order; empty for a metal network.
    pub(crate) peerings: Vec<PeeringEntry>,
    /// The bound peers that name this network.
    pub(crate) incoming_peerings: Vec<Claim>,
}

/// The status of one `spec.peerings` entry of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeeringEntry {
    pub(crate) name: String,
    /// `Pending` or `Bound`.
    pub(crate) phase: String,
    /// `Pending`, `Ready` or `Error`.
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    /// RFC 3339, UTC, whole seconds; when `phase` last changed.
    pub(crate) last_phase_transition_time: String,
    /// The prefixes that this side exposes.
    pub(crate) prefixes: Vec<IpNet>,
}

/// A bound peer of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// A peering: a `Peering` object, or one entry of a network's `spec.peerings`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Peering {
    /// The object's name; of an entry, `<namespace>/<network>/<entry>`.
    pub(crate) name: String,
    pub(crate) network1: String,
    /// `None` with an external neighbour.
    pub(crate) network2: Option<String>,
    /// `local` or `external`.
    pub(crate) peering_type: String,
    /// `Pending` or `Bound`.
    pub(crate) phase: String,
    /// `Pending`, `Ready` or `Error`.
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    /// RFC 3339, UTC, whole seconds; when `phase` last changed.
    pub(crate) last_phase_transition_time: String,
    /// What passes on this speaker, one row for each direction that is in force.
    pub(crate) leaks: Vec<Leak>,
}

/// One direction of a peering, as this speaker carries it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leak {
    /// The exporter's VRF.
    pub(crate) from: String,
    /// The importer's VRF.
    pub(crate) to: String,
    /// Routes of the exporter that are in the importer's table.
    pub(crate) routes: u64,
    /// Native routes of the exporter that were refused, counted by reason.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// Two networks that claim one prefix in an importer's table (rules R34, R42).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Conflict {
    pub(crate) prefix: IpNet,
    /// The importer.
    pub(crate) network: String,
    /// Whose route stands.
    pub(crate) winner: String,
    /// Whose route does not.
    pub(crate) loser: String,
    /// The rule that decides.
    pub(crate) rule: String,
}

/// Something that a request names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) name: String,
}

/// A BGP neighbour and its session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Neighbor {
    pub(crate) vrf: String,
    /// As configured; one known by its interface has none.
    pub(crate) address: Option<IpAddr>,
    /// The interface it is known by.
    pub(crate) interface: Option<String>,
    /// Where it is connected, or is looked for.
    pub(crate) remote_address: Option<IpAddr>,
    pub(crate) description: Option<String>,
    pub(crate) local_as: u32,
    /// What the neighbour said, once it did.
    pub(crate) remote_as: Option<u32>,
    pub(crate) remote_id: Option<Ipv4Addr>,
    pub(crate) remote_hostname: Option<String>,
    /// `fabric` or `external`.
    pub(crate) class: String,
    /// A state of RFC 4271 section 8.2.2, such as `Established`.
    pub(crate) state: String,
    /// Seconds in `Established`.
    pub(crate) uptime: Option<u64>,
    /// How often it was established since the speaker's start.
    pub(crate) established_count: u64,
    /// Why the last session ended, or what keeps routes from passing.
    pub(crate) reason: Option<String>,
    /// Negotiated, in seconds.
    pub(crate) hold_time: Option<u64>,
    pub(crate) families: Vec<String>,
    /// Prefixes of the neighbour that were let in and stand.
    pub(crate) accepted: u64,
    /// Announcements that were kept out since the session came up, counted by reason.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Prefixes that stand at the neighbour.
    pub(crate) advertised: u64,
}

impl Neighbor {
    /// Its address, or the interface that it is known by.
    pub(crate) fn name(&self) -> String {
        match (&self.interface, self.address) {
            (Some(interface), _) => interface.clone(),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// A VRF of the speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vrf {
    pub(crate) name: String,
    pub(crate) network: Option<String>,
    /// `none`, `table N` or `device NAME`.
    pub(crate) binding: String,
    pub(crate) interfaces: Vec<String>,
    /// Prefixes whose selected route the VRF holds itself.
    pub(crate) native: u64,
    /// Prefixes whose selected route a peering put there.
    pub(crate) leaked: u64,
}

/// A page of a VRF's routes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Routes {
    pub(crate) vrf: String,
    pub(crate) routes: Vec<Route>,
    /// Where the next page begins; `None` after the last one.
    pub(crate) next: Option<IpNet>,
}

/// Whether a VRF holds a route itself or a peering put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The VRF's own.
    Native,
    /// Put there by a peering.
    Leaked,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Leaked => "leaked",
        })
    }
}

/// A route of a VRF.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Route {
    pub(crate) prefix: IpNet,
    pub(crate) kind: Kind,
    /// Whether the decision process selected it.
    pub(crate) selected: bool,
    /// Whether its next hop can be reached.
    pub(crate) reachable: bool,
    /// The VRF that a leaked route is native to.
    pub(crate) from: Option<String>,
    /// The peering that leaked it.
    pub(crate) peering: Option<String>,
    /// Where it was learned: `neighbor ADDRESS`, `connected`, `static`, `injected`; `leaked` where it was not.
    pub(crate) source: String,
    pub(crate) next_hop: Option<String>,
    /// As text, with sets and confederations as RFC 4271 and 5065 write them.
    pub(crate) as_path: String,
    /// `igp`, `egp` or `incomplete`.
    pub(crate) origin: String,
    pub(crate) local_pref: Option<u32>,
    pub(crate) med: Option<u32>,
    pub(crate) communities: Vec<String>,
}

/// Why a prefix is in a VRF, or which step keeps it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    pub(crate) vrf: String,
    pub(crate) prefix: IpNet,
    /// The VRF that was asked about as exporter.
    pub(crate) from: Option<String>,
    /// `native`, `leaked` or `absent`.
    pub(crate) verdict: String,
    /// The reason that keeps it out, of a closed list, if one does.
    pub(crate) reason: Option<String>,
    /// The nearest change that would let it pass that step.
    pub(crate) change: Option<String>,
    /// What was looked at, in order; the first that did not pass decided.
    pub(crate) steps: Vec<Step>,
}

/// One step of an explanation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Step {
    /// The step's name, such as `import policy`.
    pub(crate) check: String,
    pub(crate) passed: bool,
    /// What was found there.
    pub(crate) what: String,
}

/// Documents for the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Apply {
    /// With `plan` none are needed.
    #[serde(default)]
    pub(crate) files: Vec<File>,
    /// The token of a plan: only if what it says is still what would happen.
    #[serde(default)]
    pub(crate) plan: Option<String>,
    /// Seconds after which the change is taken back unless it is confirmed.
    #[serde(default)]
    pub(crate) confirm_within: Option<u64>,
}

/// Which change to go back to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// Its number; before the last one if not given.
    #[serde(default)]
    pub(crate) to: Option<u64>,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    pub(crate) number: u64,
    /// RFC 3339, UTC, whole seconds.
    pub(crate) at: String,
    /// The user, or what made it.
    pub(crate) who: String,
    /// What was done, and what became of each document.
    pub(crate) what: Vec<String>,
    /// When it is taken back unless it is confirmed.
    pub(crate) confirm_by: Option<String>,
}

/// What applying documents would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    /// By it exactly this can be applied, as long as it would still do this.
    pub(crate) token: String,
    #[serde(flatten)]
    pub(crate) body: PlanBody,
}

/// What a plan says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanBody {
    /// Each document that was given, and what would become of it.
    pub(crate) documents: Vec<AppliedDocument>,
    /// What the speaker would change.
    pub(crate) changes: Vec<String>,
    /// Peerings whose status would be another one.
    pub(crate) peerings: Vec<PlannedPeering>,
    /// VRFs whose leaked routes would differ.
    pub(crate) vrfs: Vec<PlannedVrf>,
    /// Directions of peerings that would come, go or change.
    pub(crate) leaks: Vec<PlannedLeak>,
    /// Prefixes that two networks would claim.
    pub(crate) conflicts: Vec<Conflict>,
    /// What neighbours would be told.
    pub(crate) neighbors: Vec<PlannedNeighbor>,
    /// Networks between which something would leak and nothing does now.
    pub(crate) reachable: Vec<Reachable>,
    /// Networks between which something leaks now and nothing would.
    pub(crate) unreachable: Vec<Reachable>,
    /// Sessions that would end.
    pub(crate) sessions_reset: Vec<String>,
    /// Nothing of an earlier change is still being worked on.
    pub(crate) settled: bool,
    /// A number that stands for every route, listed or not.
    pub(crate) digest: String,
}

/// A peering whose status would be another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedPeering {
    pub(crate) name: String,
    /// Phase, and the reason if it is not in force; `None` if there is none.
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// A VRF whose leaked routes would differ.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedVrf {
    pub(crate) vrf: String,
    /// The kernel's table, where there is one.
    pub(crate) table: Option<u32>,
    /// Destinations in its table, native ones included.
    pub(crate) destinations_before: u64,
    pub(crate) destinations_after: u64,
    pub(crate) added: u64,
    pub(crate) removed: u64,
    pub(crate) changed: u64,
    /// The first 10,000 of each kind.
    pub(crate) adds: Vec<PlannedRoute>,
    pub(crate) removes: Vec<PlannedRoute>,
    pub(crate) changes: Vec<PlannedRoute>,
}

/// A leaked route that would differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedRoute {
    pub(crate) prefix: IpNet,
    /// The VRF it leaks from now.
    pub(crate) before: Option<String>,
    /// The VRF it would leak from; the same as before where only who is told of it differs.
    pub(crate) after: Option<String>,
}

/// A direction of a peering that would come, go or change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedLeak {
    /// The exporter's VRF.
    pub(crate) from: String,
    /// The importer's VRF.
    pub(crate) to: String,
    pub(crate) peering: String,
    /// Routes of the exporter in the importer's table; `None` if the direction is not in force.
    pub(crate) before: Option<u64>,
    pub(crate) after: Option<u64>,
    /// Native routes of the exporter that would be refused, counted by reason.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// What a neighbour would be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedNeighbor {
    /// Its address or interface, and its VRF.
    pub(crate) neighbor: String,
    pub(crate) announced: u64,
    pub(crate) replaced: u64,
    pub(crate) withdrawn: u64,
    /// The first 10,000 of each.
    pub(crate) announces: Vec<IpNet>,
    pub(crate) withdraws: Vec<IpNet>,
}

/// One network whose routes another has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reachable {
    /// The exporter.
    pub(crate) from: String,
    /// The importer.
    pub(crate) to: String,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Audit {
    /// Destinations looked at, of all VRFs.
    pub(crate) destinations: u64,
    /// Leaked paths whose witness was found.
    pub(crate) witnessed: u64,
    /// Native destinations that an edge's limit keeps out.
    pub(crate) limited: u64,
    /// Destinations passed over because a change of edges was under way.
    pub(crate) unsettled: u64,
    /// How much is wrong.
    pub(crate) faults: u64,
    /// The first hundred counter-examples.
    pub(crate) violations: Vec<Violation>,
}

/// A leaked route without a witness, or a route that should be leaked and is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Violation {
    pub(crate) vrf: String,
    pub(crate) prefix: IpNet,
    pub(crate) from: Option<String>,
    pub(crate) peering: Option<String>,
    /// What is wrong, as a sentence.
    pub(crate) fault: String,
}

/// A named text with any number of YAML or JSON documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// Where it is from, for messages.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// What an `apply` did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Applied {
    /// Each document that was given, and what became of it.
    pub(crate) documents: Vec<AppliedDocument>,
    /// What the speaker changed; empty when everything stood already.
    pub(crate) changes: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// When it is taken back unless it is confirmed.
    pub(crate) confirm_by: Option<String>,
}

/// A document of an `apply`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AppliedDocument {
    /// `Kind namespace/name`.
    pub(crate) document: String,
    /// `created`, `configured`, `unchanged` or `deleted`.
    pub(crate) result: String,
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) version: String,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// `NotFound`, `Invalid`, `Forbidden`, `Conflict`, `TooLarge`, `Timeout` or `Internal`.
    pub(crate) reason: String,
    pub(crate) message: String,
    /// Each fault of the documents, when the reason is `Invalid`.
    #[serde(default)]
    pub(crate) errors: Vec<Fault>,
}

impl Failure {
    /// A failure without faults of documents.
    pub(crate) fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into(), errors: Vec::new() }
    }
}

/// One fault of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// The field, as in `spec.peerings[0].name`.
    pub(crate) path: String,
    /// `Required`, `Invalid`, `Duplicate`, `Forbidden` or `NotSupported`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) file: String,
    /// The document in the file, from 0.
    pub(crate) document: usize,
    /// The line in the file, from 1.
    pub(crate) line: Option<usize>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": document {}: {}: {}: {}", self.document, self.path, self.kind, self.message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What JSON `document` is read as and written as again.
    fn round<T: Serialize + serde::de::DeserializeOwned>(document: &Value) -> Value {
        serde_json::to_value(serde_json::from_value::<T>(document.clone()).unwrap()).unwrap()
    }

    /// The contract: these documents, and no field of them less. Whoever changes one changes what programs rely on.
    #[test]
    fn the_json_of_every_answer_is_this() {
        let network = json!({
            "namespace": "default", "name": "n1", "uid": "u1", "state": "Available", "vrf": null,
            "peerings": [{
                "name": "p", "phase": "Bound", "state": "Ready", "reason": null, "message": null,
                "lastPhaseTransitionTime": "2023-02-16T15:06:58Z", "prefixes": ["10.0.0.0/24"],
            }],
            "incomingPeerings": [{ "namespace": "default", "name": "n2", "uid": "u2" }],
        });
        assert_eq!(round::<Network>(&network), network);
        let peering = json!({
            "name": "a-to-b", "network1": "default/a", "network2": null, "peeringType": "external",
            "phase": "Pending", "state": "Error", "reason": "CrossProject", "message": "why",
            "lastPhaseTransitionTime": "2023-02-16T15:06:58Z",
            "leaks": [{ "from": "b", "to": "a", "routes": 2, "refused": { "OwnSpace": 1 } }],
        });
        assert_eq!(round::<Peering>(&peering), peering);
        let neighbor = json!({
            "vrf": "a", "address": "10.0.0.1", "interface": null, "remoteAddress": "10.0.0.1", "description": null, "localAs": 1, "remoteAs": 2,
            "remoteId": "10.0.0.1", "remoteHostname": "host", "class": "fabric", "state": "Established",
            "uptime": 7, "establishedCount": 1, "reason": null, "holdTime": 9, "families": ["ipv4-unicast"], "accepted": 3,
            "refused": { "PrefixList": 1 }, "advertised": 4,
        });
        assert_eq!(round::<Neighbor>(&neighbor), neighbor);
        let conflict = json!({ "prefix": "10.0.0.0/24", "network": "default/a", "winner": "default/a", "loser": "default/b", "rule": "R34" });
        assert_eq!(round::<Conflict>(&conflict), conflict);
        assert_eq!(round::<Named>(&json!({ "name": "default/a/e" })), json!({ "name": "default/a/e" }));
        let vrf = json!({
            "name": "a", "network": "default/a", "binding": "table 7", "interfaces": ["swp1"], "native": 1, "leaked": 2,
        });
        assert_eq!(round::<Vrf>(&vrf), vrf);
        let routes = json!({
            "vrf": "a",
            "routes": [{
                "prefix": "10.0.0.0/24", "kind": "leaked", "selected": true, "reachable": true, "from": "b",
                "peering": "p", "source": "leaked", "nextHop": "10.0.0.1", "asPath": "65001 {1 2}", "origin": "igp",
                "localPref": null, "med": 5, "communities": ["65001:7"],
            }],
            "next": "10.0.0.0/24",
        });
        assert_eq!(round::<Routes>(&routes), routes);
        let explanation = json!({
            "vrf": "a", "prefix": "10.0.0.0/24", "from": "b", "verdict": "absent", "reason": "NotPeered", "change": "why",
            "steps": [{ "check": "edge", "passed": false, "what": "NotPeered" }],
        });
        assert_eq!(round::<Explanation>(&explanation), explanation);
        let applied = json!({
            "documents": [{ "document": "Peering default/p", "result": "created" }],
            "changes": ["edge a -> b added"], "warnings": [], "confirmBy": null,
        });
        assert_eq!(round::<Applied>(&applied), applied);
        let failure = json!({
            "reason": "Invalid", "message": "there is one fault; nothing was applied",
            "errors": [{
                "path": "spec.asn", "type": "Invalid", "message": "why", "file": "leaf.yaml", "document": 0, "line": 5,
            }],
        });
        assert_eq!(round::<Failure>(&failure), failure);
        let apply = json!({
            "files": [{ "name": "leaf.yaml", "text": "kind: Speaker" }], "plan": "0123", "confirm_within": 300,
        });
        let change =
            json!({ "number": 1, "at": "2023-02-16T15:06:58Z", "who": "root", "what": ["apply"], "confirmBy": null });
        assert_eq!(round::<Change>(&change), change);
        assert_eq!(round::<Rollback>(&json!({ "to": 3 })), json!({ "to": 3 }));
        let route = json!({ "prefix": "10.0.0.0/24", "before": null, "after": "b" });
        let plan = json!({
            "token": "0123", "documents": [], "changes": ["edge a -> b added"],
            "peerings": [{ "name": "p", "before": null, "after": "Bound" }],
            "vrfs": [{
                "vrf": "a", "table": 7, "destinationsBefore": 1, "destinationsAfter": 2, "added": 1, "removed": 0, "changed": 0,
                "adds": [route], "removes": [], "changes": [],
            }],
            "leaks": [{ "from": "b", "to": "a", "peering": "p", "before": null, "after": 1, "refused": { "OwnSpace": 1 } }],
            "conflicts": [conflict],
            "neighbors": [{
                "neighbor": "10.0.0.1 in a", "announced": 1, "replaced": 0, "withdrawn": 0, "announces": ["10.0.0.0/24"],
                "withdraws": [],
            }],
            "reachable": [{ "from": "default/b", "to": "default/a" }], "unreachable": [], "sessionsReset": [],
            "settled": true, "digest": "ab",
        });
        assert_eq!(round::<Plan>(&plan), plan);
        let audit = json!({
            "destinations": 2, "witnessed": 1, "limited": 0, "unsettled": 0, "faults": 1,
            "violations": [{ "vrf": "a", "prefix": "10.0.0.0/24", "from": "b", "peering": "p", "fault": "why" }],
        });
        assert_eq!(round::<Audit>(&audit), audit);
        assert_eq!(round::<Apply>(&apply), apply);
    }
}
