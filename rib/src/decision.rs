//! The decision process: which paths of a destination are selected (RFC 4271 9.1), and which step decided.
//!
//! It is given candidates, everything that the order looks at of one path each, and never reads a table. The order:
//!
//! 1. A path whose next hop is unreachable is no candidate at all (9.1.2.1).
//! 2. [`Step::Native`]: native before leaked.
//! 3. [`Step::Edge`]: among leaked paths, those of the edge with the lower rank.
//! 4. [`Step::Origination`]: connected, then static, then learned.
//! 5. [`Step::LocalPref`]: the higher LOCAL_PREF.
//! 6. [`Step::AsPathLength`]: the shorter AS_PATH.
//! 7. [`Step::Origin`]: the lower ORIGIN.
//! 8. [`Step::Med`]: among paths through one neighbouring AS, the lower MED. A path is out if *any* remaining path of its
//!    AS has a lower one, so the outcome does not depend on the order of arrival.
//! 9. [`Step::External`]: eBGP before iBGP.
//! 10. [`Step::IgpMetric`]: the lower interior cost. Paths that are equal so far are one multipath set, whatever ASes their
//!     AS_PATHs name ("relaxed").
//! 11. [`Step::Oldest`]: among external paths, the one that has stood longest (RFC 5004). A replacement keeps its place. It applies
//!     to neighbours with one BGP identifier too, without which the order would have cycles.
//! 12. [`Step::RouterId`]: the lower ORIGINATOR_ID or BGP identifier (RFC 4456 9).
//! 13. [`Step::ClusterLength`]: the shorter CLUSTER_LIST (RFC 4456 9).
//! 14. [`Step::PeerAddress`]: the lower neighbour address, IPv4 before IPv6.
//! 15. [`Step::PathId`]: the lower path identifier, then the lower source, which makes the order total.
//!
//! Without step 8 this is a total order of paths; with it, a total order of the paths that step 8 leaves.

use core::cmp::Ordering;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use crate::source::{Origination, Source};
use crate::table::Path;
use crate::{Hot, PathRef};

/// A step of the decision process; the module says what each prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the module describes the steps in order")]
pub enum Step {
    NextHop,
    Native,
    Edge,
    Origination,
    LocalPref,
    AsPathLength,
    Origin,
    Med,
    External,
    IgpMetric,
    Oldest,
    RouterId,
    ClusterLength,
    PeerAddress,
    PathId,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::NextHop => "next hop unreachable",
            Step::Native => "native before leaked",
            Step::Edge => "older peering",
            Step::Origination => "connected, static, learned",
            Step::LocalPref => "higher LOCAL_PREF",
            Step::AsPathLength => "shorter AS_PATH",
            Step::Origin => "lower ORIGIN",
            Step::Med => "lower MED within the neighbouring AS",
            Step::External => "eBGP before iBGP",
            Step::IgpMetric => "lower interior cost",
            Step::Oldest => "oldest external path",
            Step::RouterId => "lower BGP identifier",
            Step::ClusterLength => "shorter CLUSTER_LIST",
            Step::PeerAddress => "lower neighbour address",
            Step::PathId => "lower path identifier",
        })
    }
}

/// All that the order looks at of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) path: PathRef,
    /// Steps 2 to 4: native or leaked, edge rank, origination.
    class: u64,
    /// Steps 5 to 7.
    rank: u64,
    pub(crate) med: u32,
    neighbor_as: u32,
    /// Steps 9 and 10.
    cost: u64,
    /// Place in the destination's list, oldest first; given to external paths only.
    age: u32,
    router_id: u32,
    cluster_len: u16,
    address: IpAddr,
    path_id: u32,
    source: u32,
}

impl Candidate {
    /// `age` is the place of the path among those of its destination, in order of arrival.
    #[inline]
    pub(crate) fn new(at: PathRef, path: &Path, source: &Source, hot: &Hot, metric: u32, age: u32) -> Candidate {
        let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let (class, external, router_id, address) = match &source.origination {
            Origination::Connected => (0, true, 0, unspecified),
            Origination::Static => (1, true, 0, unspecified),
            Origination::Session(peer) => (2, peer.external, peer.router_id.to_bits(), peer.address),
            Origination::Leaked(leak) => (LEAKED | u64::from(leak.rank), true, 0, unspecified),
        };
        let mut candidate = Candidate {
            path: at,
            class,
            rank: hot.rank(),
            med: hot.med,
            neighbor_as: hot.neighbor_as,
            cost: u64::from(!external) << 32 | u64::from(metric),
            age: 0,
            router_id: if hot.originator_id != 0 { hot.originator_id } else { router_id },
            cluster_len: hot.cluster_len,
            address,
            path_id: path.path_id,
            source: path.source.0,
        };
        candidate.set_age(age);
        candidate
    }

    /// Sets the age of an external path; others have none.
    #[inline]
    pub(crate) fn set_age(&mut self, age: u32) {
        self.age = if self.class == LEARNED && self.cost >> 32 == 0 { age } else { 0 };
    }

    /// Steps 2 to 7.
    #[inline]
    pub(crate) fn head(&self) -> (u64, u64) {
        (self.class, self.rank)
    }

    /// Steps 9 and 10.
    #[inline]
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    /// Steps 11 to 15.
    #[inline]
    pub(crate) fn tail_cmp(&self, other: &Candidate) -> Ordering {
        self.tail().cmp(&other.tail())
    }

    #[inline]
    fn tail(&self) -> (u32, u32, u16, IpAddr, u32, u32) {
        (self.age, self.router_id, self.cluster_len, self.address, self.path_id, self.source)
    }

    /// Equal in every step up to the interior cost, MED included.
    #[inline]
    pub(crate) fn ties(&self, other: &Candidate) -> bool {
        self.head() == other.head()
            && (self.med, self.neighbor_as, self.cost) == (other.med, other.neighbor_as, other.cost)
    }
}

const LEARNED: u64 = 2;
const LEAKED: u64 = 1 << 32;

/// Compares two candidates and names the step that decided; `Less` means that `a` is preferred.
///
/// MED is compared only where both came through one neighbouring AS, so over three or more paths this relation alone can
/// go in circles; [`select`] does not. Equal only for a candidate and itself.
pub(crate) fn compare(a: &Candidate, b: &Candidate) -> (Ordering, Step) {
    let med = if a.neighbor_as == b.neighbor_as { a.med.cmp(&b.med) } else { Ordering::Equal };
    let steps = [
        ((a.class >= LEAKED).cmp(&(b.class >= LEAKED)), Step::Native),
        (if a.class >= LEAKED { a.class.cmp(&b.class) } else { Ordering::Equal }, Step::Edge),
        (a.class.cmp(&b.class), Step::Origination),
        ((a.rank >> 32).cmp(&(b.rank >> 32)), Step::LocalPref),
        ((a.rank >> 8).cmp(&(b.rank >> 8)), Step::AsPathLength),
        (a.rank.cmp(&b.rank), Step::Origin),
        (med, Step::Med),
        ((a.cost >> 32).cmp(&(b.cost >> 32)), Step::External),
        (a.cost.cmp(&b.cost), Step::IgpMetric),
        (a.age.cmp(&b.age), Step::Oldest),
        (a.router_id.cmp(&b.router_id), Step::RouterId),
        (a.cluster_len.cmp(&b.cluster_len), Step::ClusterLength),
        (a.address.cmp(&b.address), Step::PeerAddress),
    ];
    let decided = steps.into_iter().find(|(ordering, _)| ordering.is_ne());
    decided.unwrap_or(((a.path_id, a.source).cmp(&(b.path_id, b.source)), Step::PathId))
}

/// Leaves in `candidates` the selected set, the best path first, of at most `max_paths` (at least one) members.
pub(crate) fn select(candidates: &mut Vec<Candidate>, max_paths: u16) {
    let Some(head) = candidates.iter().map(Candidate::head).min() else { return };
    candidates.retain(|c| c.head() == head);
    if candidates.iter().any(|c| c.med != 0) {
        candidates.sort_unstable_by_key(|c| (c.neighbor_as, c.med));
        let mut lowest = None;
        candidates.retain(|c| match lowest {
            Some((neighbor_as, med)) if neighbor_as == c.neighbor_as => med == c.med,
            _ => {
                lowest = Some((c.neighbor_as, c.med));
                true
            }
        });
    }
    let cost = candidates.iter().map(Candidate::cost).min().unwrap_or(0);
    candidates.retain(|c| c.cost == cost);
    candidates.sort_unstable_by(Candidate::tail_cmp);
    candidates.truncate(usize::from(max_paths.max(1)));
}

/// What became of one path in the decision, for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The best path.
    Best,
    /// Selected beside the best path.
    Multipath,
    /// Equal to the best path, but the set was full.
    MultipathLimit,
    /// Not selected: `step` preferred the path `to`, or excluded this one ([`Step::NextHop`], with no `to`).
    Lost {
        /// The deciding step.
        step: Step,
        /// The path that was preferred in it.
        to: Option<PathRef>,
    },
}

/// Why each of the `candidates` is or is not in the selected set of at most `max_paths`, in the order given.
pub(crate) fn explain(candidates: &[Candidate], max_paths: u16) -> Vec<(PathRef, Verdict)> {
    let mut selected = candidates.to_vec();
    select(&mut selected, max_paths);
    let verdict = |c: &Candidate| {
        let best = selected.first()?;
        Some(match selected.iter().position(|s| s.path == c.path) {
            Some(0) => Verdict::Best,
            Some(_) => Verdict::Multipath,
            None if c.head() == best.head() => {
                let lower_med =
                    |o: &&Candidate| o.head() == c.head() && o.neighbor_as == c.neighbor_as && o.med < c.med;
                match candidates.iter().filter(lower_med).min_by_key(|o| o.med) {
                    Some(other) => Verdict::Lost { step: Step::Med, to: Some(other.path) },
                    None if max_paths > 1 && c.cost == best.cost => Verdict::MultipathLimit,
                    None => Verdict::Lost { step: compare(best, c).1, to: Some(best.path) },
                }
            }
            None => Verdict::Lost { step: compare(best, c).1, to: Some(best.path) },
        })
    };
    candidates.iter().filter_map(|c| Some((c.path, verdict(c)?))).collect()
}
