//! The Linux kernel: its tables as a [`Sink`](crate::Sink), and what it says of links, addresses,
//! rules and others' routes.
//!
//! Everything goes over `rtnetlink` and works with the privileges of a user and network namespace.

mod connection;
mod message;
mod monitor;
mod reverse_path;
mod rules;
mod sink;
mod snapshot;

pub use monitor::{Event, Monitor, Stopper};
pub use reverse_path::{ReversePath, StrictReversePath, reverse_path, strict_reverse_paths};
pub use rules::{RULE_PRIORITY, Rule, RuleChanges, Rules};
pub use sink::Netlink;
pub use snapshot::{Address, ForeignRoute, Link, Snapshot};
