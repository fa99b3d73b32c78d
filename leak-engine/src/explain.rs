//! Why a route is in a VRF, or which step keeps it out.
//!
//! The steps are those that a route really takes: from the neighbour into the exporter's table, through the decision
//! there, over the edge, into the importer's. The findings are closed lists, so that a program can act on them; as text they are
//! what an operator reads.

use std::{fmt, sync::Arc};

use bgp_wire::NextHop;
use ipnet::IpNet;
use rib::{Origination, Step, Verdict, VrfId};

use crate::{Engine, ImportRefusal, Refusal, Route};

/// The way of one prefix into one VRF, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The VRF that was asked about.
    pub vrf: VrfId,
    /// The prefix that was asked about.
    pub prefix: IpNet,
    /// The exporter whose route was followed; nothing for a native route of `vrf`.
    pub from: Option<VrfId>,
    /// The steps in order, as far as the route comes: only the last may block.
    pub stages: Vec<Stage>,
}

/// One step and what was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The step.
    pub check: Check,
    /// What was found.
    pub finding: Finding,
}

/// The steps on the way of a route, in order. Displayed by a short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// There is a route at all: received, connected, or configured.
    Received,
    /// The import policy accepts it.
    ImportPolicy,
    /// It has not been here before.
    Loop,
    /// Its next hop is reachable.
    NextHop,
    /// It is the best one in its own VRF.
    BestPath,
    /// That VRF holds it itself.
    Native,
    /// An edge leads on.
    Edge,
    /// The exporter exposes it, or it is in the default export set.
    Exposed,
    /// It is outside the importer's own space.
    OwnSpace,
    /// It does not overlap the space of an older exporter.
    OlderSpace,
    /// Policy lets it through.
    Policy,
    /// The edge has room for it.
    Limit,
    /// No other route for the prefix comes first.
    Conflict,
    /// It is in the table.
    Selected,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Received => "received",
            Self::ImportPolicy => "import policy",
            Self::Loop => "loop",
            Self::NextHop => "next hop",
            Self::BestPath => "best path",
            Self::Native => "native",
            Self::Edge => "edge",
            Self::Exposed => "exposed",
            Self::OwnSpace => "own space",
            Self::OlderSpace => "older space",
            Self::Policy => "policy",
            Self::Limit => "limit",
            Self::Conflict => "conflict",
            Self::Selected => "selected",
        })
    }
}

/// What was found at a step. VRFs are named as they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// So many paths stand in the VRF.
    Paths {
        /// The VRF.
        vrf: String,
        /// Their number.
        count: usize,
    },
    /// No path stands, but announcements were refused.
    OnlyRefused {
        /// The VRF.
        vrf: String,
    },
    /// Blocks: nobody has announced it there.
    NotReceived {
        /// The VRF.
        vrf: String,
    },
    /// The step lets it pass.
    Passes,
    /// Blocks: the import policy refused it.
    ImportRefused(ImportRefusal),
    /// The next hop is reachable.
    Reachable(NextHop),
    /// Blocks: no path has a reachable next hop; this is one of them.
    Unreachable(NextHop),
    /// The best path, and the step of the decision in which the last other one lost; nothing if there is no other.
    Best {
        /// How the best path came into its VRF.
        origin: Origin,
        /// The deciding step.
        step: Option<Step>,
    },
    /// The VRF holds it itself.
    Native,
    /// Blocks: it is itself leaked, from this exporter ([`Refusal::NotNative`]).
    ItselfLeaked {
        /// Its exporter.
        exporter: String,
    },
    /// The edge of this peering leads on.
    Peering(Arc<str>),
    /// Blocks, by the refusal.
    Refused(Refusal),
    /// Blocks: another VRF's route for the same prefix comes first.
    Lost {
        /// Why.
        reason: Refusal,
        /// Whose route is selected instead.
        winner: String,
    },
    /// It is in the table.
    Selected,
    /// Blocks, and not for long: the engine has not come to it yet.
    Pending,
}

/// How a path came into its VRF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Connected to an interface.
    Connected,
    /// Configured or injected.
    Static,
    /// From a neighbour.
    Neighbor(std::net::IpAddr),
    /// Over an edge.
    Leaked,
}

impl From<&Origination> for Origin {
    fn from(origination: &Origination) -> Self {
        match origination {
            Origination::Connected => Self::Connected,
            Origination::Static => Self::Static,
            Origination::Session(neighbor) => Self::Neighbor(neighbor.address),
            Origination::Leaked(_) => Self::Leaked,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Static => f.write_str("static"),
            Self::Neighbor(address) => write!(f, "neighbor {address}"),
            Self::Leaked => f.write_str("leaked"),
        }
    }
}

impl Finding {
    /// Whether the route gets no further.
    pub fn blocks(&self) -> bool {
        match self {
            Self::NotReceived { .. }
            | Self::ImportRefused(_)
            | Self::Unreachable(_)
            | Self::ItselfLeaked { .. }
            | Self::Refused(_)
            | Self::Lost { .. }
            | Self::Pending => true,
            Self::Paths { .. }
            | Self::OnlyRefused { .. }
            | Self::Passes
            | Self::Reachable(_)
            | Self::Best { .. }
            | Self::Native
            | Self::Peering(_)
            | Self::Selected => false,
        }
    }

    /// The name of what blocks, of a closed list: a [`Refusal`], or where the route does not get so far, one of `NotReceived`,
    /// `ImportRefused`, `NextHopUnreachable` and `NotProcessed`.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::NotReceived { .. } => Some("NotReceived"),
            Self::ImportRefused(_) => Some("ImportRefused"),
            Self::Unreachable(_) => Some("NextHopUnreachable"),
            Self::Pending => Some("NotProcessed"),
            _ => self.refusal().map(Refusal::name),
        }
    }

    /// The nearest change that would let the route pass this step; nothing if it does.
    pub fn change(&self) -> Option<String> {
        Some(match self {
            Self::NotReceived { vrf } => format!("have somebody announce it in {vrf}, or configure it there"),
            Self::ImportRefused(refusal) => match refusal {
                ImportRefusal::NoPolicy => "give the neighbour an import policy".to_owned(),
                ImportRefusal::PrefixList => "permit the prefix in the neighbour's import policy".to_owned(),
                ImportRefusal::OwnAs => "take our AS out of its AS_PATH, or raise the neighbour's allowAsIn".to_owned(),
                ImportRefusal::OwnOriginator => {
                    "announce it from another speaker: this one is its originator".to_owned()
                }
                ImportRefusal::MaximumPrefixes => {
                    "raise the neighbour's maxPrefixes, or have it announce fewer".to_owned()
                }
            },
            Self::Unreachable(next_hop) => format!("make {next_hop} reachable in the VRF that the route is in"),
            Self::ItselfLeaked { exporter } => format!("peer with {exporter} directly: leaked routes do not leak on"),
            Self::Lost { reason: Refusal::NativeWins, winner } => {
                format!("withdraw the route that {winner} has itself")
            }
            Self::Lost { winner, .. } => format!("end the older peering with {winner}, or have it export less"),
            Self::Refused(refusal) => match refusal {
                Refusal::NotPeered => "peer the two networks, so that both agree",
                Refusal::NotExposed => "add the prefix to those that the exporter's entry lists",
                Refusal::OutsideDeclared => "declare the prefix in the exporter's prefixes",
                Refusal::DefaultRoute => {
                    "announce more specific routes: only an external network exports a default route"
                }
                Refusal::OwnSpace => "renumber: the prefix is inside the importer's own prefixes",
                Refusal::OlderBindingWins => {
                    "renumber: an exporter with an older peering declares space inside or around the prefix"
                }
                Refusal::PrefixLimit => "raise the peering's limit, or export fewer routes",
                Refusal::PolicyDenied => "announce a prefix that belongs to the external network, or use NAT",
                Refusal::ScopePartition => "take the peering's scope away: it stays inside a partition",
                Refusal::NativeWins => "withdraw the importer's own route",
                Refusal::NotNative => "peer with the network that has the route itself",
            }
            .to_owned(),
            Self::Pending => "wait: an earlier change is still being worked on".to_owned(),
            _ => return None,
        })
    }

    /// The refusal, where that is what blocks.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::ItselfLeaked { .. } => Some(Refusal::NotNative),
            Self::Refused(refusal) | Self::Lost { reason: refusal, .. } => Some(*refusal),
            _ => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paths { vrf, count: 1 } => write!(f, "1 path in {vrf}"),
            Self::Paths { vrf, count } => write!(f, "{count} paths in {vrf}"),
            Self::OnlyRefused { vrf } => write!(f, "announced in {vrf}"),
            Self::NotReceived { vrf } => write!(f, "no route in {vrf}"),
            Self::Passes => f.write_str("passes"),
            Self::ImportRefused(refusal) => write!(f, "refused: {refusal}"),
            Self::Reachable(next_hop) => write!(f, "{next_hop} is reachable"),
            Self::Unreachable(next_hop) => write!(f, "{next_hop} is not reachable"),
            Self::Best { origin, step: Some(step) } => write!(f, "{origin}, by {step}"),
            Self::Best { origin, step: None } => write!(f, "{origin}, the only one"),
            Self::Native => f.write_str("native"),
            Self::ItselfLeaked { exporter } => write!(f, "{}: itself leaked from {exporter}", Refusal::NotNative),
            Self::Peering(peering) => write!(f, "peering {peering}"),
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::Lost { reason, winner } => write!(f, "{reason}: the route of {winner} comes first"),
            Self::Selected => f.write_str("in the table"),
            Self::Pending => f.write_str("not processed yet"),
        }
    }
}

impl Explanation {
    /// The step that keeps the route out; nothing if the route is in the table.
    pub fn blocked(&self) -> Option<&Stage> {
        self.stages.last().filter(|stage| stage.finding.blocks())
    }

    fn passes(&mut self, check: Check, finding: Finding) -> bool {
        let blocks = finding.blocks();
        self.stages.push(Stage { check, finding });
        !blocks
    }
}

/// One step a line, the blocking one marked.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Stage { check, finding } in &self.stages {
            let mark = if finding.blocks() { "BLOCKED" } else { "ok" };
            writeln!(f, "{mark:<8}{check:<15}{finding}")?;
        }
        Ok(())
    }
}

impl Engine {
    /// Why exactly `prefix` is in `vrf`, or what keeps it out.
    ///
    /// With `from`, the way of that exporter's route is followed. Without, it is the way of the selected route; if
    /// there is none, of what comes closest: a native route of `vrf` itself, else one of a VRF with an edge to it, else one of any other VRF.
    pub fn explain(&self, vrf: VrfId, prefix: IpNet, from: Option<VrfId>) -> Explanation {
        let prefix = prefix.trunc();
        let from = from.or_else(|| self.likely_exporter(vrf, prefix)).filter(|from| *from != vrf);
        let mut explanation = Explanation { vrf, prefix, from, stages: Vec::new() };
        match from {
            None => {
                if self.explain_best(&mut explanation, vrf) {
                    explanation.passes(Check::Selected, Finding::Selected);
                }
            }
            Some(from) => drop(self.explain_leak(&mut explanation, from)),
        }
        explanation
    }

    fn likely_exporter(&self, vrf: VrfId, prefix: IpNet) -> Option<VrfId> {
        if let Some(best) = self.paths(vrf, prefix).find(|route| route.best) {
            return best.edge.map(|edge| edge.from);
        }
        let known = |vrf: VrfId| self.paths(vrf, prefix).next().is_some() || self.refused_import(vrf, prefix).is_some();
        if known(vrf) {
            return None;
        }
        let exporters = self.edges().map(|edge| edge.spec).filter(|edge| edge.to == vrf).map(|edge| edge.from);
        let others = self.vrfs().map(|(id, _)| id).filter(|id| *id != vrf);
        exporters.chain(others).find(|from| known(*from))
    }

    /// From the neighbour to the best path of `vrf`; false where that ends.
    fn explain_best(&self, explanation: &mut Explanation, vrf: VrfId) -> bool {
        let prefix = explanation.prefix;
        let name = || self.vrf_name(vrf);
        let paths: Vec<Route<'_>> = self.paths(vrf, prefix).collect();
        let Some(first) = paths.first() else {
            let Some(refusal) = self.refused_import(vrf, prefix) else {
                return explanation.passes(Check::Received, Finding::NotReceived { vrf: name() });
            };
            explanation.passes(Check::Received, Finding::OnlyRefused { vrf: name() });
            let looped = matches!(refusal, ImportRefusal::OwnAs | ImportRefusal::OwnOriginator);
            if looped {
                explanation.passes(Check::ImportPolicy, Finding::Passes);
            }
            let check = if looped { Check::Loop } else { Check::ImportPolicy };
            return explanation.passes(check, Finding::ImportRefused(refusal));
        };
        explanation.passes(Check::Received, Finding::Paths { vrf: name(), count: paths.len() });
        if paths.iter().any(|route| route.edge.is_none()) {
            explanation.passes(Check::ImportPolicy, Finding::Passes);
            explanation.passes(Check::Loop, Finding::Passes);
        }
        let Some(best) = paths.iter().find(|route| route.best) else {
            return explanation.passes(Check::NextHop, Finding::Unreachable(first.via.address));
        };
        explanation.passes(Check::NextHop, Finding::Reachable(best.via.address));
        let lost = self.verdicts(vrf, prefix).into_iter().filter_map(|(_, verdict)| match verdict {
            Verdict::Lost { step, .. } => Some(step),
            Verdict::Best | Verdict::Multipath | Verdict::MultipathLimit => None,
        });
        let step = lost.max();
        explanation.passes(Check::BestPath, Finding::Best { origin: best.origination.into(), step })
    }

    /// From the exporter's neighbour to the importer's table; false where that ends.
    fn explain_leak(&self, explanation: &mut Explanation, from: VrfId) -> bool {
        let (vrf, prefix) = (explanation.vrf, explanation.prefix);
        if !self.explain_best(explanation, from) {
            return false;
        }
        let best = self.paths(from, prefix).find(|route| route.best);
        if let Some(edge) = best.and_then(|best| best.edge) {
            let exporter = self.vrf_name(edge.from);
            return explanation.passes(Check::Native, Finding::ItselfLeaked { exporter });
        }
        explanation.passes(Check::Native, Finding::Native);
        let Some(edge) = self.edge(from, vrf) else {
            return explanation.passes(Check::Edge, Finding::Refused(Refusal::NotPeered));
        };
        explanation.passes(Check::Edge, Finding::Peering(edge.spec.peering.clone()));

        let refused = self.refusal((from, vrf), prefix);
        let refused_at = refused.map(|refused| match (refused.reason, refused.winner) {
            (Refusal::OwnSpace, _) => Check::OwnSpace,
            (Refusal::OlderBindingWins, None) => Check::OlderSpace,
            (Refusal::PolicyDenied, _) => Check::Policy,
            (Refusal::PrefixLimit, _) => Check::Limit,
            (_, Some(_)) => Check::Conflict,
            _ => Check::Exposed,
        });
        let checks = [Check::Exposed, Check::OwnSpace, Check::OlderSpace, Check::Policy, Check::Limit, Check::Conflict];
        for check in checks {
            match refused.filter(|_| refused_at == Some(check)) {
                None => explanation.passes(check, Finding::Passes),
                Some(refused) => {
                    let finding = match refused.winner {
                        None => Finding::Refused(refused.reason),
                        Some(winner) => Finding::Lost { reason: refused.reason, winner: self.vrf_name(winner) },
                    };
                    return explanation.passes(check, finding);
                }
            };
        }
        let stands =
            self.paths(vrf, prefix).any(|route| route.best && route.edge.is_some_and(|edge| edge.from == from));
        explanation.passes(Check::Selected, if stands { Finding::Selected } else { Finding::Pending })
    }

    fn refused_import(&self, vrf: VrfId, prefix: IpNet) -> Option<ImportRefusal> {
        let sources = self.sources().filter(|(_, source, _)| source.vrf == vrf);
        sources.map(|(id, _, _)| self.import_refusal(id, prefix)).find_map(|refusal| refusal)
    }

    fn vrf_name(&self, vrf: VrfId) -> String {
        self.vrfs().find(|(id, _)| *id == vrf).map_or_else(|| format!("VRF {}", vrf.0), |(_, name)| name.to_owned())
    }
}
