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

/// What keeps the peering of `own` with `peer` back, and what would change it.
pub(crate) fn message(reason: Reason, own: &str, peer: &str) -> String {
    match reason {
        Reason::NetworkNotFound => format!("{own} or {peer} does not exist; it binds once both do"),
        Reason::NotReciprocated => format!(
            "{peer} has no entry for {own}, or one for another object of that name; it binds once {peer} has one"
        ),
        Reason::UIDMismatch => format!(
            "{peer} is not the object this entry was made for; to accept the new one, clear or replace networkRef.uid or add the entry again"
        ),
        Reason::NetworkNotAvailable => format!(
            "{own} or {peer} is not available or has no network id; it binds once both have one and are available"
        ),
        Reason::PeerDeleting => format!("{own} or {peer} is being deleted; remove this peering to let it go"),
        Reason::PrefixRefUnresolved => format!(
            "none of the prefixes listed for {peer} is allocated, so nothing is exposed; create one of the Prefix objects or list an inline prefix"
        ),
        Reason::CrossProject => {
            format!("{own} and {peer} do not belong to one project; only networks of one project may peer")
        }
        Reason::PartitionMismatch => {
            format!("{own} and {peer} belong to different partitions; private networks peer within one")
        }
        Reason::NotPeerable => format!(
            "{own} and {peer} are of kinds that never peer, or one has no VRF; private networks peer with private, shared and external ones"
        ),
        Reason::SameVRF => format!("{own} and {peer} are two names of one VRF; they share their routes already"),
        Reason::Conflict => {
            format!("the prefixes of {own} and {peer} overlap; renumber one of them, or write a peering of your own")
        }
        Reason::PrefixLimit => {
            format!("there are more routes between {own} and {peer} than the limit; raise the limit or announce fewer")
        }
        Reason::NotProgrammed => {
            format!("the routes between {own} and {peer} are not yet programmed everywhere; it is ready once they are")
        }
        Reason::ProgrammingFailed => {
            format!("a route between {own} and {peer} could not be programmed; the log of the switch says why")
        }
        Reason::NATRequired => format!(
            "private addresses stay inside; between {own} and {peer} they need NAT, or a public address announced in the private network"
        ),
    }
}
