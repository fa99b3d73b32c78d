//! What a speaker shows of itself: plain data, a snapshot each.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgp_session::{RemoteAs, State};
use bgp_wire::AfiSafi;
use ipnet::IpNet;
use leak_engine::{Accept, Advertise, Fault, ImportRefusal, Refusal, Stage};

use crate::config::{Binding, Class, FibMode, NeighborConfig, NeighborKey};
use crate::diff::Change;
use crate::session::View;
use crate::shard::NeighborRoutes;

/// The speaker as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its AS number.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Its zone.
    pub zone: Option<String>,
    /// How long it has run.
    pub uptime: Duration,
    /// The addresses it listens on, with the real ports.
    pub listening: Vec<SocketAddr>,
    /// Whether all neighbours' routes are here after the start, or the deadline for it passed.
    pub converged: bool,
    /// Number of neighbours.
    pub neighbors: usize,
    /// Of these, established.
    pub established: usize,
    /// Sets of path attributes kept: on each shard every distinct one once.
    pub attributes: usize,
    /// The state of installed routes.
    pub fib: FibStatus,
    /// The edges, in the order of the configuration.
    pub edges: Vec<EdgeStatus>,
}

/// What became of the selected routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FibStatus {
    /// Where they go.
    pub mode: FibMode,
    /// Changes not acknowledged yet, at most.
    pub pending: u64,
    /// How many routes the kernel refused.
    pub failures: usize,
    /// The first few of them.
    pub failed: Vec<FailedRoute>,
    /// Why nothing can be installed at all, if so.
    pub error: Option<String>,
}

/// A route that could not be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRoute {
    /// The kernel's table.
    pub table: u32,
    /// The destination.
    pub prefix: IpNet,
    /// What the kernel said.
    pub error: String,
}

/// One direction of a peering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeStatus {
    /// The exporter's VRF.
    pub from: String,
    /// The importer's VRF.
    pub to: String,
    /// The peering's name.
    pub peering: String,
    /// Routes that stand in the importer through this edge.
    pub leaked: usize,
    /// Routes kept back, by reason.
    pub refused: Vec<(Refusal, usize)>,
    /// The data plane.
    pub state: EdgeState,
}

/// A route of an exporter that does not reach an importer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRoute {
    /// The destination.
    pub prefix: IpNet,
    /// Why.
    pub reason: Refusal,
    /// The VRF whose route is selected in the importer instead, where two compete for the prefix.
    pub winner: Option<String>,
}

/// The way of one prefix into one VRF, step by step. Displayed one step a line, the blocking one marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The VRF that was asked about.
    pub vrf: String,
    /// The prefix that was asked about; host bits are zero.
    pub prefix: IpNet,
    /// The exporter whose route was followed; `None` for a native route of the VRF.
    pub from: Option<String>,
    /// The steps in order, as far as the route comes: only the last may block.
    pub stages: Vec<Stage>,
    /// Whether the selected route is in the kernel; nothing if none is selected.
    pub installed: Option<Installed>,
    /// Every neighbour of the VRF, and why it is not told of the selected route, if it is not.
    pub told: Vec<Told>,
}

/// Whether a selected route is in the data plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// In this table, and acknowledged.
    Table(u32),
    /// The VRF has no table in the kernel.
    Nowhere,
    /// Not acknowledged yet.
    Pending,
    /// Refused; what the kernel said.
    Failed(String),
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "in table {table}"),
            Self::Nowhere => f.write_str("nowhere: the VRF has no table in the kernel"),
            Self::Pending => f.write_str("not acknowledged yet"),
            Self::Failed(error) => write!(f, "refused: {error}"),
        }
    }
}

/// A neighbour, and whether it is told of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The neighbour.
    pub neighbor: NeighborKey,
    /// Why not; nothing if it is.
    pub kept_back: Option<KeptBack>,
}

/// Why a neighbour is not told of a route. A closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBack {
    /// Its session is not established.
    Down,
    /// The session does not carry the family.
    Family,
    /// The best path came from it.
    CameFromIt,
    /// A well-known community keeps the route (RFC 1997).
    Community,
    /// The peering that leaked the route says so (rule R43).
    Advertise(Advertise),
    /// Routes of internal neighbours are not told to internal ones (RFC 4271 section 9.2).
    Internal,
    /// The export policy does not permit it, or there is none for an external neighbour (RFC 8212).
    Policy,
    /// Routes of providers and peers are told to customers only (RFC 9234).
    Role,
    /// It will be, and has not been yet.
    NotYet,
}

impl fmt::Display for KeptBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("its session is not established"),
            Self::Family => f.write_str("its session does not carry the family"),
            Self::CameFromIt => f.write_str("the best path came from it"),
            Self::Community => f.write_str("a well-known community keeps it (RFC 1997)"),
            Self::Advertise(mode) => write!(f, "the peering's advertise is {mode}"),
            Self::Internal => f.write_str("routes of internal neighbours are not told to internal ones"),
            Self::Policy => f.write_str("its export policy does not permit it"),
            Self::Role => f.write_str("routes of providers and peers are told to customers only (RFC 9234)"),
            Self::NotYet => f.write_str("not yet told"),
        }
    }
}

impl Explanation {
    /// The step that keeps the route out; `None` if it is in the table.
    pub fn blocked(&self) -> Option<&Stage> {
        self.stages.last().filter(|stage| stage.finding.blocks())
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Stage { check, finding } in &self.stages {
            let mark = if finding.blocks() { "BLOCKED" } else { "ok" };
            writeln!(f, "{mark:<8}{check:<15}{finding}")?;
        }
        Ok(())
    }
}

/// Whether an edge's routes are in the data plane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EdgeState {
    /// Routes are being computed or not all acknowledged yet.
    #[default]
    Pending,
    /// Every route that stands is acknowledged.
    Programmed,
    /// A route was refused by the kernel; the text says which and why.
    Failed(Arc<str>),
}

impl EdgeState {
    /// What the states of the parts of an edge are together: failed if one is, and programmed if all are.
    pub(crate) fn together(parts: impl IntoIterator<Item = Self>) -> Self {
        let worse = |state: Self, part: Self| match (&state, &part) {
            (Self::Failed(_), _) | (_, Self::Programmed) => state,
            (_, Self::Failed(_)) | (Self::Programmed, _) => part,
            _ => Self::Pending,
        };
        parts.into_iter().reduce(worse).unwrap_or_default()
    }
}

impl fmt::Display for EdgeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("pending"),
            Self::Programmed => f.write_str("programmed"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// One neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborStatus {
    /// Its VRF, and its address or interface.
    pub key: NeighborKey,
    /// Its address: as connected, else as configured or found.
    pub remote_address: Option<IpAddr>,
    /// Why it is not known where a neighbour is that is known by its interface.
    pub nowhere: Option<String>,
    /// Our address toward it: as connected, else as configured.
    pub local_address: Option<IpAddr>,
    /// Free text from the configuration.
    pub description: Option<String>,
    /// How far it is trusted.
    pub class: Class,
    /// Its AS number: as negotiated, else as configured if one number is.
    pub remote_as: Option<u32>,
    /// Its BGP identifier, once established.
    pub router_id: Option<Ipv4Addr>,
    /// Its host name, if it sent one.
    pub hostname: Option<String>,
    /// The state of the session (RFC 4271 section 8.2.2).
    pub state: State,
    /// Since when it is established.
    pub established_since: Option<SystemTime>,
    /// How often it was established.
    pub established_count: u64,
    /// Why it last went down.
    pub last_down: Option<String>,
    /// Negotiated hold time.
    pub hold_time: Option<Duration>,
    /// Negotiated keepalive time.
    pub keepalive: Option<Duration>,
    /// Messages received and sent over all its sessions.
    pub messages: MessageCounts,
    /// What import does.
    pub import: PolicyState,
    /// What export does.
    pub export: PolicyState,
    /// Announcements refused since the session came up, by reason.
    pub refused: Vec<(ImportRefusal, u64)>,
    /// Families whose routes the neighbour sent so that they could not be told apart: what it announced of them is gone, and nothing more
    /// of them is taken until the session starts over (RFC 7606).
    pub disabled: Vec<AfiSafi>,
    /// The families of the session; the configured ones while it is not established.
    pub families: Vec<FamilyStatus>,
}

impl NeighborStatus {
    pub(crate) fn new(config: &NeighborConfig, view: View, routes: NeighborRoutes) -> Self {
        let negotiated = view.negotiated.as_ref();
        let configured = match config.remote_as {
            RemoteAs::Is(asn) => Some(asn),
            RemoteAs::External | RemoteAs::Internal => None,
        };
        Self {
            key: config.key(),
            remote_address: view.remote_address,
            nowhere: view.nowhere.as_deref().map(str::to_owned),
            local_address: view.local_address.or(config.local_address),
            description: config.description.clone(),
            class: config.class,
            remote_as: negotiated.map(|terms| terms.remote_as).or(configured),
            router_id: negotiated.map(|terms| terms.remote_id),
            hostname: negotiated.and_then(|terms| terms.remote_hostname.clone()),
            state: view.state,
            established_since: view.established_since,
            established_count: view.established_count,
            last_down: view.last_down.as_deref().map(str::to_owned),
            hold_time: negotiated.map(|terms| terms.hold_time),
            keepalive: negotiated.map(|terms| terms.keepalive),
            messages: view.messages,
            import: PolicyState::of(config.class, config.import.as_ref()),
            export: PolicyState::of(config.class, config.export.as_ref()),
            refused: routes.refused,
            disabled: view.disabled.iter().collect(),
            families: routes.families,
        }
    }
}

impl FamilyStatus {
    /// A family of a session that is not up.
    pub(crate) fn down(family: AfiSafi) -> Self {
        Self { family, accepted: 0, advertised: 0, in_sync: false, end_of_rib: false, behind: false }
    }
}

/// Numbers of messages and octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageCounts {
    /// UPDATE messages received.
    pub updates_received: u64,
    /// UPDATEs received with an RFC 7606 fault.
    pub faulty_updates: u64,
    /// Octets received.
    pub octets_received: u64,
    /// Octets sent.
    pub octets_sent: u64,
}

/// What a policy lets pass, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyState {
    /// Everything: a fabric neighbour without a policy, or a policy that permits all.
    Everything,
    /// What the configured policy permits.
    Filtered,
    /// Nothing: an external neighbour without a policy (RFC 8212).
    DeniedWithoutPolicy,
}

impl PolicyState {
    fn of(class: Class, policy: Option<&Accept>) -> Self {
        match (class, policy) {
            (Class::Fabric, None) | (_, Some(Accept::Everything)) => Self::Everything,
            (Class::External, None) => Self::DeniedWithoutPolicy,
            (_, Some(_)) => Self::Filtered,
        }
    }
}

impl fmt::Display for PolicyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everything => "everything passes",
            Self::Filtered => "the configured policy decides",
            Self::DeniedWithoutPolicy => "nothing passes: an external neighbour needs a policy (RFC 8212)",
        })
    }
}

/// One family of one neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyStatus {
    /// The family.
    pub family: AfiSafi,
    /// Prefixes accepted and standing.
    pub accepted: usize,
    /// Prefixes advertised.
    pub advertised: usize,
    /// Whether it has been told everything.
    pub in_sync: bool,
    /// Whether it sent End-of-RIB.
    pub end_of_rib: bool,
    /// Whether it is too slow for its queue and is being caught up.
    pub behind: bool,
}

/// One VRF.
#[derive(Debug, Clone, PartialEq)]
pub struct VrfStatus {
    /// Its name.
    pub name: String,
    /// The network whose table it is.
    pub network: Option<String>,
    /// What it is in the kernel.
    pub binding: Binding,
    /// The kernel's table, where there is one.
    pub table: Option<u32>,
    /// Neighbours in it.
    pub neighbors: usize,
    /// Its routes by family.
    pub families: Vec<VrfFamily>,
}

/// One family of one VRF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VrfFamily {
    /// The family.
    pub family: AfiSafi,
    /// Destinations with a route.
    pub destinations: usize,
    /// Of these, leaked.
    pub leaked: usize,
}

/// Which routes to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutesQuery {
    /// The VRF.
    pub vrf: String,
    /// The family.
    pub family: AfiSafi,
    /// Only destinations after this one: the last of the page before.
    pub after: Option<IpNet>,
    /// Most destinations in the answer.
    pub limit: usize,
}

/// One page of routes, by address and length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoutesPage {
    /// The destinations.
    pub routes: Vec<RouteView>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<IpNet>,
}

/// One destination.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteView {
    /// The destination.
    pub prefix: IpNet,
    /// Its paths, the best first.
    pub paths: Vec<PathView>,
}

/// One path of a destination.
#[derive(Debug, Clone, PartialEq)]
pub struct PathView {
    /// Whether it is selected.
    pub best: bool,
    /// Whether it forwards beside the best.
    pub multipath: bool,
    /// Where it comes from.
    pub from: PathFrom,
    /// The next hop, as learned.
    pub next_hop: Option<IpAddr>,
    /// The interface it leaves by, where known.
    pub interface: Option<String>,
    /// Whether the next hop can be reached.
    pub reachable: bool,
    /// The AS_PATH as text.
    pub as_path: String,
    /// The AS numbers in it, sets flattened.
    pub as_numbers: Vec<u32>,
    /// ORIGIN as text: `IGP`, `EGP` or `incomplete`.
    pub origin: String,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// Communities, large and extended ones included, as text.
    pub communities: Vec<String>,
}

/// Where a path comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathFrom {
    /// A session.
    Neighbor(IpAddr),
    /// A connected prefix.
    Connected,
    /// A static route.
    Static,
    /// Injected by the program that embeds the speaker.
    Injected,
    /// Leaked from another VRF by this peering.
    Leaked {
        /// The exporter's VRF.
        vrf: String,
        /// The peering's name.
        peering: String,
    },
}

impl fmt::Display for PathFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neighbor(address) => write!(f, "{address}"),
            Self::Connected => f.write_str("connected"),
            Self::Static => f.write_str("static"),
            Self::Injected => f.write_str("injected"),
            Self::Leaked { vrf, peering } => write!(f, "leaked from {vrf} by {peering}"),
        }
    }
}

/// One neighbour's session, in brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionState {
    /// Its state (RFC 4271 section 8.2.2).
    pub state: State,
    /// Why it last went down.
    pub last_down: Option<Arc<str>>,
}

/// What applying another configuration would change, of what follows from its edges. Nothing was changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What would differ between the configurations.
    pub changes: Vec<Change>,
    /// Leaked routes that would come, go or come from elsewhere, by VRF and prefix.
    pub routes: Vec<PlannedRoute>,
    /// Edges that would come, go or change.
    pub edges: Vec<PlannedEdge>,
    /// Prefixes of edges that differ which two networks would claim, by VRF and prefix.
    pub conflicts: Vec<PlannedConflict>,
    /// Neighbours that would be told something.
    pub told: Vec<PlannedTelling>,
    /// Importers' tables, and how many destinations they hold and would hold.
    pub tables: Vec<PlannedTable>,
    /// Pairs of exporter and importer between which something would leak and nothing does now.
    pub connected: Vec<(String, String)>,
    /// Pairs between which something leaks now and nothing would.
    pub disconnected: Vec<(String, String)>,
    /// Nothing of an earlier change is still being worked on, and no limit is to be shared out as routes come; otherwise the tables may
    /// come to differ from this.
    pub settled: bool,
    /// Pairs of exporter and importer, and how many routes leak between them now, and how many would.
    pub(crate) pairs: Vec<((String, String), (usize, usize))>,
}

/// A leaked route that would differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlannedRoute {
    /// The importer.
    pub vrf: String,
    /// The prefix.
    pub prefix: IpNet,
    /// The exporter whose route leaks now, if one does.
    pub before: Option<String>,
    /// The exporter whose route would. If it is the same one, only where the route is passed on to would change.
    pub after: Option<String>,
}

/// An edge that would come, go or change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedEdge {
    /// The exporter.
    pub from: String,
    /// The importer.
    pub to: String,
    /// The peering.
    pub peering: String,
    /// Routes of it that are selected in the importer now; nothing if it does not stand.
    pub before: Option<usize>,
    /// Those that would be; nothing if it goes.
    pub after: Option<usize>,
    /// Native routes of the exporter that would not reach the importer, by refusal.
    pub refused: Vec<(Refusal, usize)>,
}

/// A prefix that an edge would not bring because another network has a claim to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedConflict {
    /// The importer.
    pub vrf: String,
    /// The prefix, why it is refused, and the VRF whose route would be selected instead, where two compete for it.
    pub refused: RefusedRoute,
    /// The exporter.
    pub from: String,
}

/// What a neighbour would be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTelling {
    /// The neighbour.
    pub neighbor: NeighborKey,
    /// Prefixes that it does not have from us and would.
    pub announced: Vec<IpNet>,
    /// Prefixes of which it would be told something else.
    pub replaced: Vec<IpNet>,
    /// Prefixes that it has from us and would lose.
    pub withdrawn: Vec<IpNet>,
}

/// How full a table would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTable {
    /// The VRF.
    pub vrf: String,
    /// The kernel's table, where there is one.
    pub table: Option<u32>,
    /// Destinations now.
    pub before: usize,
    /// Destinations then.
    pub after: usize,
}

/// What an audit of the leaked routes found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Destinations looked at, of all VRFs.
    pub destinations: usize,
    /// Leaked paths whose witness was found: a native route, an edge that stands and lets it pass.
    pub witnessed: usize,
    /// Native destinations that an edge's limit keeps out.
    pub limited: usize,
    /// Destinations passed over because a change of edges was under way.
    pub unsettled: usize,
    /// What is wrong; at most the first hundred.
    pub violations: Vec<AuditViolation>,
    /// How much is wrong.
    pub faults: usize,
}

/// A destination that is not as the inputs say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditViolation {
    /// The importer.
    pub vrf: String,
    /// The prefix.
    pub prefix: IpNet,
    /// The exporter, where there is one.
    pub from: Option<String>,
    /// The peering.
    pub peering: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}
