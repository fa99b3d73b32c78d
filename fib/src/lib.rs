//! Where selected routes go: this crate owns the programming of forwarding tables.
//!
//! It is given routes that the decision process has already selected, each with the numbers of
//! its table and interfaces, and brings a [`Sink`] (memory, or the Linux kernel) to hold exactly
//! those. It never decides between routes, never resolves a next hop, and never changes a route
//! that it did not install: its own are known by their protocol number, [`PROTOCOL`].
//!
//! Routes stay in the kernel when the process ends, whether it stops or crashes. The next one finds them,
//! keeps those that are still wanted and removes the rest once the caller says that it has
//! converged ([`Reconciler::converged`]).
//!
//! Everything is synchronous and blocks; the caller gives it a thread.

#[cfg(target_os = "linux")]
pub mod linux;
mod memory;
mod reconciler;
mod route;
mod sink;

#[cfg(target_os = "linux")]
pub use linux::Netlink;
pub use memory::MemorySink;
pub use reconciler::{Acknowledgement, Comparison, Outcome, Reconciler, RouteState, Shadow};
pub use route::{
    Hop, InvalidRoute, Kind, MAX_NEXT_HOPS, METRIC, NextHops, PROTOCOL, Route, RouteKey, UNREACHABLE_METRIC,
};
pub use sink::{Change, Dump, Foreign, Sink, SinkError};
