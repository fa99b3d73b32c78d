//! Phases, states and reasons of a peering: closed lists, and what would change each reason.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The control plane's view of a peering (rule R20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Not in force.
    Pending,
    /// In force.
    Bound,
}

/// The data plane's view of a peering (rule R20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum PeeringState {
    /// Not bound, or not programmed everywhere.
    Pending,
    /// Programmed and acknowledged.
    Ready,
    /// Refused by policy, or stopped by a conflict, a limit or a failure.
    Error,
}

/// Whether a network can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum NetworkState {
    /// It has no network identifier, or something keeps it from being used.
    Pending,
    /// It can be peered.
    Available,
}

/// Why a peering is not ready, or what a ready one lacks. The list is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Reason {
    /// A network that is named does not exist.
    NetworkNotFound,
    /// The other network does not name this one.
    NotReciprocated,
    /// The network of that name is another object than the one peered with.
    UIDMismatch,
    /// One of the networks is not available or has no network identifier.
    NetworkNotAvailable,
    /// One of the networks is being deleted.
    PeerDeleting,
    /// None of the listed prefixes is resolved.
    PrefixRefUnresolved,
    /// The networks belong to different projects.
    CrossProject,
    /// The networks belong to different partitions.
    PartitionMismatch,
    /// Networks of these kinds never peer.
    NotPeerable,
    /// Both names stand for one table.
    SameVRF,
    /// The networks' address spaces overlap.
    Conflict,
    /// More routes than the limit.
    PrefixLimit,
    /// Not yet programmed everywhere.
    NotProgrammed,
    /// Programming failed somewhere.
    ProgrammingFailed,
    /// Private addresses reach the external network only through NAT.
    NATRequired,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Reason {
    /// Whether this is a refusal by policy: phase `Pending`, state `Error`, and no claim.
    pub fn is_policy(self) -> bool {
        matches!(
            self,
            Self::SameVRF | Self::CrossProject | Self::PartitionMismatch | Self::NotPeerable | Self::Conflict
        )
    }
}
