//! The contract of a forwarding table: what can be asked of it and what it answers.

use ipnet::IpNet;

use crate::{InvalidRoute, Route, RouteKey};

/// A forwarding table, or a set of them, that holds routes for us.
pub trait Sink: Send {
    /// Makes the changes in the order given, and says for each whether it was made.
    ///
    /// The answer has as many elements as `changes`. A change that fails leaves what stood and
    /// does not hinder the others.
    fn apply(&mut self, changes: &[Change<'_>]) -> Vec<Result<(), SinkError>>;

    /// What stands.
    ///
    /// # Errors
    /// If the table could not be read completely; never a part of it.
    fn dump(&mut self) -> Result<Dump, SinkError>;
}

/// One change to a forwarding table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<'a> {
    /// Install a route where none stands. Fails with [`SinkError::Refused`] and errno 17 (EEXIST) if one with this
    /// key stands, whose ever it is, so that a foreign one is never replaced.
    Add(&'a Route),
    /// Put a route in place of ours with the same key, without a gap in forwarding.
    Replace(&'a Route),
    /// Remove our route with this key. That none stands is no failure.
    Remove(RouteKey),
}

/// What stands in a forwarding table.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Dump {
    /// Our routes, by protocol number. One in a form that we never write has a kind
    /// [`Unicast`](crate::Kind::Unicast) without next hops, and so never equals a valid route.
    pub ours: Vec<Route>,
    /// The routes of others.
    pub foreign: Vec<Foreign>,
}

/// A route of another protocol, as far as it matters to ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Foreign {
    /// The routing table's number.
    pub table: u32,
    /// The destination.
    pub prefix: IpNet,
    /// The metric; lower is preferred.
    pub metric: u32,
    /// Who installed it (`rtm_protocol`): 2 the kernel, 3 boot, 4 static, 12 BIRD, 186 FRR's BGP.
    pub protocol: u8,
}

/// Why a sink could not do what was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SinkError {
    /// No forwarding table can hold such a route. It was not tried.
    #[error(transparent)]
    Invalid(#[from] InvalidRoute),
    /// The kernel refused the change.
    #[error("{text} (errno {errno})")]
    Refused {
        /// The error number, positive, as in errno(3).
        errno: i32,
        /// The kernel's own text where it gave one, else the error number's.
        text: String,
    },
    /// The change was sent but its answer was lost; the next comparison tells what stands.
    #[error("the kernel's answer was lost")]
    Unconfirmed,
    /// The table changed all the time while it was read.
    #[error("the kernel's tables changed {0} times while they were read; trying again later")]
    Interrupted(u32),
    /// The kernel said something that cannot be understood.
    #[error("unexpected answer from the kernel: {0}")]
    Protocol(String),
    /// The connection to the kernel failed.
    #[error("{call}: {text} (errno {errno})")]
    Io {
        /// What was being done.
        call: &'static str,
        /// The error number, positive, as in errno(3); 0 if there is none.
        errno: i32,
        /// Its text.
        text: String,
    },
}

impl SinkError {
    /// Whether a route was not added because one with its key stands (EEXIST).
    pub(crate) fn stands_already(&self) -> bool {
        matches!(self, Self::Refused { errno: 17, .. })
    }

    /// Whether the change was looked at and not made, as opposed to nobody knowing.
    pub(crate) fn refused(&self) -> bool {
        matches!(self, Self::Invalid(_) | Self::Refused { .. })
    }
}
