//! What a daemon answers: the evaluation's word on peerings joined with what the speaker has done about them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bgp_wire::AfiSafi;
use ipnet::IpNet;
use network_peering::{Bgp, DEFAULT_NAMESPACE, Name, NetworkId, PeeringState, PeeringStatus, Phase, Reason, Status};
use speaker::{
    Binding, EdgeState, EdgeStatus, NeighborStatus, PathFrom, PeerAddress, PolicyState, RouteView, RoutesQuery,
    SessionState, State,
};

use super::Daemon;
use super::plan::View;
use crate::api::schema::{self, Failure, Kind, Leak};

/// How many destinations are asked of the speaker at once.
const PAGE: usize = 10_000;

impl Daemon {
    /// All networks.
    pub(crate) async fn networks(&self) -> Result<Vec<schema::Network>, Failure> {
        let view = self.view();
        let edges = self.speaker.status().await.map_err(failure)?.edges;
        let networks = view.outcome.networks.iter().map(|network| {
            let entries = network.entries.iter().map(|entry| {
                let target = NetworkId { name: entry.target.clone(), api: network.id.api };
                let leaks = leaks(&view, &edges, &network.id, Some(&target));
                let plane = with_data_plane(&view, &entry.status, &leaks, [&network.id, &target], true);
                schema::PeeringEntry {
                    name: entry.name.clone(),
                    phase: format!("{:?}", entry.status.phase),
                    last_phase_transition_time: entry.status.since.to_string(),
                    prefixes: if plane.state == PeeringState::Ready { entry.prefixes.clone() } else { Vec::new() },
                    state: format!("{:?}", plane.state),
                    reason: plane.reason.map(|reason| reason.to_string()),
                    message: plane.message,
                }
            });
            let claims = network.claims.iter().map(|claim| schema::Claim {
                namespace: claim.network.namespace.clone(),
                name: claim.network.name.clone(),
                uid: claim.uid.clone(),
            });
            schema::Network {
                namespace: network.id.name.namespace.clone(),
                name: network.id.name.name.clone(),
                uid: network.uid.clone(),
                state: format!("{:?}", network.state),
                vrf: view.vrfs.get(&network.id.to_string()).cloned(),
                peerings: entries.collect(),
                incoming_peerings: claims.collect(),
            }
        });
        Ok(networks.collect())
    }

    /// All peerings: the `Peering` objects, then the entries of networks.
    pub(crate) async fn peerings(&self) -> Result<Vec<schema::Peering>, Failure> {
        let view = self.view();
        let edges = self.speaker.status().await.map_err(failure)?.edges;
        let row = |name: String, network1: &NetworkId, network2: Option<&NetworkId>, status: &Status, entry: bool| {
            let leaks = leaks(&view, &edges, network1, network2);
            let plane = match network2 {
                Some(network2) => with_data_plane(&view, status, &leaks, [network1, network2], entry),
                None => Plane::of(status),
            };
            schema::Peering {
                name,
                network1: network1.to_string(),
                network2: network2.map(NetworkId::to_string),
                peering_type: if network2.is_none() { "external" } else { "local" }.to_owned(),
                phase: format!("{:?}", status.phase),
                state: format!("{:?}", plane.state),
                reason: plane.reason.map(|reason| reason.to_string()),
                message: plane.message,
                last_phase_transition_time: status.since.to_string(),
                leaks: leaks.into_iter().map(leak).collect(),
            }
        };
        let objects = view.outcome.peerings.iter().map(|peering| {
            let (network1, network2) = (&peering.network1, peering.network2.as_ref());
            let status = if self.needs_nat(&view, &edges, peering) {
                peering.status_with_nat()
            } else if let Some(bgp) = &peering.bgp {
                self.session_status(&view, peering, bgp)
            } else {
                peering.status.clone()
            };
            row(shown(&peering.name), network1, network2, &status, false)
        });
        let entries = view.outcome.networks.iter().flat_map(|network| {
            let row = &row;
            network.entries.iter().map(move |entry| {
                let target = NetworkId { name: entry.target.clone(), api: network.id.api };
                let name = format!("{}/{}", network.id, entry.name);
                row(name, &network.id, Some(&target), &entry.status, true)
            })
        });
        Ok(objects.chain(entries).collect())
    }

    /// Whether the private side of a pair with a NATed external network has routes that the edge between them keeps (rule R43).
    fn needs_nat(&self, view: &View, edges: &[EdgeStatus], peering: &PeeringStatus) -> bool {
        let vrf = |network: &NetworkId| view.vrfs.get(&network.to_string());
        let Some(from) = peering.natted().and_then(vrf) else { return false };
        edges.iter().any(|edge| {
            let outside = |reason| matches!(reason, speaker::Refusal::PolicyDenied | speaker::Refusal::DefaultRoute);
            edge.from == *from
                && edge.peering == peering.name.name
                && edge.refused.iter().any(|(reason, _)| outside(*reason))
        })
    }

    /// The status of an external peering: ready once its session is established (rule R44).
    fn session_status(&self, view: &View, peering: &PeeringStatus, bgp: &Bgp) -> Status {
        let mut status = peering.status.clone();
        if status.phase != Phase::Bound {
            return status;
        }
        let own = &view.settings.speaker.name;
        let (state, reason, message) = match view.sessions.get(&peering.name) {
            _ if bgp.switch != *own => {
                let message = format!("the session runs on {}; this is {own}", bgp.switch);
                (PeeringState::Pending, Reason::NotProgrammed, message)
            }
            None => {
                let network = &peering.network1;
                let message = format!("no VRF of this speaker belongs to {network}; add one with network: {network}");
                (PeeringState::Pending, Reason::NotProgrammed, message)
            }
            Some(Err(message)) => (PeeringState::Error, Reason::ProgrammingFailed, message.clone()),
            Some(Ok(key)) => match self.speaker.session(key) {
                Ok(Some(session)) if session.state == State::Established => return status,
                Ok(Some(SessionState { state, last_down })) => {
                    let why = last_down.map(|why| format!(": {why}")).unwrap_or_default();
                    let message = format!("the session with {key} is in state {state:?}{why}");
                    (PeeringState::Pending, Reason::NotProgrammed, message)
                }
                Ok(None) | Err(_) => {
                    (PeeringState::Pending, Reason::NotProgrammed, "the speaker is stopping".to_owned())
                }
            },
        };
        (status.state, status.reason, status.message) = (state, Some(reason), Some(message));
        status
    }

    /// Every prefix that two networks claim in a table of this speaker, by prefix, importer and loser.
    pub(crate) async fn conflicts(&self) -> Result<Vec<schema::Conflict>, Failure> {
        let view = self.view();
        let mut found = Vec::new();
        for edge in &view.outcome.edges {
            let network = |vrf: &str| {
                let of = view.vrfs.iter().find(|(_, name)| *name == vrf);
                of.map_or_else(|| vrf.to_owned(), |(network, _)| network.clone())
            };
            let vrf = |network: &NetworkId| view.vrfs.get(&network.to_string());
            let (Some(from), Some(to)) = (vrf(&edge.from), vrf(&edge.to)) else { continue };
            for refused in self.speaker.refused(from, to).await.map_err(failure)? {
                let (winner, rule) = match (refused.reason, refused.winner) {
                    (speaker::Refusal::OwnSpace, _) => (edge.to.to_string(), "R34"),
                    (speaker::Refusal::NativeWins | speaker::Refusal::OlderBindingWins, Some(winner)) => {
                        (network(&winner), "R34")
                    }
                    (speaker::Refusal::OlderBindingWins, None) => {
                        let older = edge.older_space(&view.outcome.edges, &view.world, refused.prefix);
                        (older.map(NetworkId::to_string).unwrap_or_default(), "R42")
                    }
                    _ => continue,
                };
                found.push(schema::Conflict {
                    prefix: refused.prefix,
                    network: edge.to.to_string(),
                    winner,
                    loser: edge.from.to_string(),
                    rule: rule.to_owned(),
                });
            }
        }
        found.sort_by(|a, b| (a.prefix, &a.network, &a.loser).cmp(&(b.prefix, &b.network, &b.loser)));
        Ok(found)
    }

    /// Whether every leaked route has a witness and none is missing.
    pub(crate) async fn audit(&self) -> Result<schema::Audit, Failure> {
        let report = self.speaker.audit().await.map_err(failure)?;
        let violation = |violation: speaker::AuditViolation| schema::Violation {
            vrf: violation.vrf,
            prefix: violation.prefix,
            from: violation.from,
            peering: violation.peering,
            fault: violation.fault.to_string(),
        };
        Ok(schema::Audit {
            destinations: report.destinations as u64,
            witnessed: report.witnessed as u64,
            limited: report.limited as u64,
            unsettled: report.unsettled as u64,
            faults: report.faults as u64,
            violations: report.violations.into_iter().map(violation).collect(),
        })
    }

    /// All neighbours, in the order of the configuration.
    pub(crate) async fn neighbors(&self) -> Result<Vec<schema::Neighbor>, Failure> {
        let local_as = self.view().settings.speaker.asn;
        let neighbors = self.speaker.neighbors().await.map_err(failure)?;
        Ok(neighbors.into_iter().map(|neighbor| self::neighbor(neighbor, local_as)).collect())
    }

    /// All VRFs, in the order of the configuration.
    pub(crate) async fn vrfs(&self) -> Result<Vec<schema::Vrf>, Failure> {
        let settings = self.settings();
        let vrfs = self.speaker.vrfs().await.map_err(failure)?;
        let vrfs = vrfs.into_iter().map(|vrf| {
            let leaked: usize = vrf.families.iter().map(|family| family.leaked).sum();
            let all: usize = vrf.families.iter().map(|family| family.destinations).sum();
            let interfaces = settings.speaker.vrf(&vrf.name).map(|vrf| vrf.interfaces.clone());
            schema::Vrf {
                network: vrf.network,
                binding: match vrf.binding {
                    Binding::None => "none".to_owned(),
                    Binding::Table(table) => format!("table {table}"),
                    Binding::Device(device) => format!("device {device}"),
                },
                interfaces: interfaces.unwrap_or_default(),
                native: (all - leaked.min(all)) as u64,
                leaked: leaked as u64,
                name: vrf.name,
            }
        });
        Ok(vrfs.collect())
    }

    /// A page of a VRF's routes: IPv4 before IPv6, by address and length; every path with one prefix, otherwise the
    /// selected ones.
    pub(crate) async fn routes(
        &self,
        vrf: &str,
        prefix: Option<IpNet>,
        leaked: bool,
        after: Option<IpNet>,
        limit: usize,
    ) -> Result<schema::Routes, Failure> {
        let mut page = schema::Routes { vrf: vrf.to_owned(), routes: Vec::new(), next: None };
        let wanted = |route: &schema::Route| !leaked || route.kind == Kind::Leaked;
        if let Some(prefix) = prefix {
            let route = self.speaker.route(vrf, prefix.trunc()).await.map_err(failure)?;
            page.routes = route.iter().flat_map(paths).filter(wanted).collect();
            return Ok(page);
        }
        let families = match after {
            Some(IpNet::V6(_)) => &[AfiSafi::IPV6_UNICAST][..],
            _ => &[AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST],
        };
        let mut after = after;
        for family in families {
            loop {
                // Few leaked routes may lie far apart, so that pages are large whatever is asked for.
                let query = RoutesQuery { vrf: vrf.to_owned(), family: *family, after, limit: PAGE };
                let answer = self.speaker.routes(query).await.map_err(failure)?;
                for route in &answer.routes {
                    let found = paths(route).filter(|route| route.selected && wanted(route));
                    page.routes.extend(found);
                    if page.routes.len() >= limit {
                        page.next = Some(route.prefix);
                        return Ok(page);
                    }
                }
                after = answer.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(page)
    }
}

pub(super) fn failure(error: speaker::Error) -> Failure {
    let reason = match &error {
        speaker::Error::UnknownVrf(_) | speaker::Error::UnknownNeighbor(_) => "NotFound",
        _ => "Internal",
    };
    Failure::new(reason, error.to_string())
}

/// A metal-stack peering's name as its users write it: without the namespace that it has unless told.
pub(super) fn shown(name: &Name) -> String {
    if name.namespace == DEFAULT_NAMESPACE { name.name.clone() } else { name.to_string() }
}

/// The edges on this speaker between two networks, first the one that leads into the first network.
fn leaks<'a>(
    view: &View,
    edges: &'a [EdgeStatus],
    network1: &NetworkId,
    network2: Option<&NetworkId>,
) -> Vec<&'a EdgeStatus> {
    let vrf = |network: &NetworkId| view.vrfs.get(&network.to_string());
    let (Some(vrf1), Some(vrf2)) = (vrf(network1), network2.and_then(vrf)) else {
        return Vec::new();
    };
    let find = |from: &String, to: &String| edges.iter().find(|edge| edge.from == *from && edge.to == *to);
    [find(vrf2, vrf1), find(vrf1, vrf2)].into_iter().flatten().collect()
}

fn leak(edge: &EdgeStatus) -> Leak {
    let refused: BTreeMap<String, u64> =
        edge.refused.iter().map(|(reason, count)| (reason.to_string(), *count as u64)).collect();
    Leak { from: edge.from.clone(), to: edge.to.clone(), routes: edge.leaked as u64, refused }
}

/// State, reason and message of a peering, once the data plane has been heard (rule R20).
struct Plane {
    state: PeeringState,
    reason: Option<Reason>,
    message: Option<String>,
}

impl Plane {
    fn of(status: &Status) -> Self {
        Self { state: status.state, reason: status.reason, message: status.message.clone() }
    }

    fn new(state: PeeringState, reason: Reason, message: String) -> Self {
        Self { state, reason: Some(reason), message: Some(message) }
    }
}

/// What the data plane makes of the status of the peering of two networks. The limit is the exporter's trouble: the one `entry` of a
/// network tells of its own direction only, a `Peering` of both (rule R36).
fn with_data_plane(
    view: &View,
    status: &Status,
    leaks: &[&EdgeStatus],
    networks: [&NetworkId; 2],
    entry: bool,
) -> Plane {
    if status.phase != Phase::Bound || status.state != PeeringState::Ready {
        return Plane::of(status);
    }
    if let Some(absent) = networks.into_iter().find(|network| !view.vrfs.contains_key(&network.to_string())) {
        let message = format!("no VRF of this speaker belongs to {absent}; add one with network: {absent}");
        return Plane::new(PeeringState::Pending, Reason::NotProgrammed, message);
    }
    let failed = leaks.iter().find_map(|edge| match &edge.state {
        EdgeState::Failed(why) => Some((edge, why)),
        _ => None,
    });
    if let Some((edge, why)) = failed {
        let message = format!("{} -> {}: {why}", edge.from, edge.to);
        return Plane::new(PeeringState::Error, Reason::ProgrammingFailed, message);
    }
    let own = view.vrfs.get(&networks[0].to_string());
    let over = leaks
        .iter()
        .filter(|edge| !entry || Some(&edge.from) == own)
        .find(|edge| edge.refused.iter().any(|(reason, _)| *reason == speaker::Refusal::PrefixLimit));
    if let Some(edge) = over {
        let raise = if entry { "the annotation peerage.dev/limit" } else { "spec.limit" };
        let message = format!(
            "{} -> {}: {} routes stand, which is the limit; raise {raise} or export fewer",
            edge.from, edge.to, edge.leaked
        );
        return Plane::new(PeeringState::Error, Reason::PrefixLimit, message);
    }
    if leaks.len() < 2 || leaks.iter().any(|edge| edge.state == EdgeState::Pending) {
        let message = "its routes are being installed".to_owned();
        return Plane::new(PeeringState::Pending, Reason::NotProgrammed, message);
    }
    Plane::of(status)
}

fn neighbor(neighbor: NeighborStatus, local_as: u32) -> schema::Neighbor {
    let established = neighbor.state == State::Established;
    let silent = |state: PolicyState| state == PolicyState::DeniedWithoutPolicy;
    let policy = match (silent(neighbor.import), silent(neighbor.export)) {
        (true, true) => Some("nothing comes in or goes out"),
        (true, false) => Some("nothing comes in"),
        (false, true) => Some("nothing goes out"),
        (false, false) => None,
    };
    let policy = policy.map(|what| format!("{what}: an external neighbour needs a policy (RFC 8212)"));
    let disabled = neighbor.disabled.iter().map(|family| {
        format!("{family} is disabled until the session starts over: its routes could not be told apart (RFC 7606)")
    });
    let reason = if established {
        disabled.chain(policy).reduce(|all, one| format!("{all}; {one}"))
    } else {
        neighbor.nowhere.or(neighbor.last_down).or(policy)
    };
    let since = neighbor.established_since.filter(|_| established);
    let uptime = since.and_then(|since| SystemTime::now().duration_since(since).ok());
    let sum = |count: fn(&speaker::FamilyStatus) -> u64| neighbor.families.iter().map(count).sum();
    schema::Neighbor {
        vrf: neighbor.key.vrf.to_string(),
        address: neighbor.key.address.ip(),
        interface: match &neighbor.key.address {
            PeerAddress::Ip(_) => None,
            PeerAddress::Interface(interface) => Some(interface.to_string()),
        },
        remote_address: neighbor.remote_address,
        description: neighbor.description,
        local_as,
        remote_as: neighbor.remote_as,
        remote_id: neighbor.router_id,
        remote_hostname: neighbor.hostname,
        class: neighbor.class.to_string(),
        state: format!("{:?}", neighbor.state),
        uptime: uptime.map(|uptime| uptime.as_secs()),
        established_count: neighbor.established_count,
        reason,
        hold_time: neighbor.hold_time.map(|time| time.as_secs()),
        accepted: sum(|family| family.accepted as u64),
        refused: neighbor.refused.iter().map(|(reason, count)| (reason.to_string(), *count)).collect(),
        advertised: sum(|family| family.advertised as u64),
        families: neighbor.families.iter().map(|family| family.family.to_string()).collect(),
    }
}

fn paths(route: &RouteView) -> impl Iterator<Item = schema::Route> + '_ {
    route.paths.iter().map(|path| {
        let (kind, from, peering) = match &path.from {
            PathFrom::Leaked { vrf, peering } => (Kind::Leaked, Some(vrf.clone()), Some(peering.clone())),
            _ => (Kind::Native, None, None),
        };
        let next_hop = match (&path.next_hop, &path.interface) {
            (Some(address), Some(interface)) => Some(format!("{address} dev {interface}")),
            (Some(address), None) => Some(address.to_string()),
            (None, Some(interface)) => Some(format!("dev {interface}")),
            (None, None) => None,
        };
        schema::Route {
            prefix: route.prefix,
            kind,
            selected: path.best || path.multipath,
            reachable: path.reachable,
            from,
            peering,
            source: match &path.from {
                PathFrom::Neighbor(address) => format!("neighbor {address}"),
                PathFrom::Leaked { .. } => "leaked".to_owned(),
                other => other.to_string(),
            },
            next_hop,
            as_path: path.as_path.clone(),
            origin: path.origin.to_lowercase(),
            local_pref: path.local_pref,
            med: path.med,
            communities: path.communities.clone(),
        }
    })
}
