//! Leaks routes between peered VRFs: the leaked view kept incrementally, checked against a naive twin.
//!
//! A leaked route is computed, not copied: `leaked(V) = f(native routes, edges)`. [`Engine`] keeps that view as routes
//! and edges come and go; [`twin::leaked`] computes it from scratch, and the two must agree. From this follow: no stale
//! leak (when an input goes, its output goes), no transitive leak (a leaked route is no input), and an answer to every
//! "why" ([`Engine::explain`]).
//!
//! An [`EdgeSpec`] says what one VRF lends another; its [`Filter`] is the one place where a prefix alone decides. An
//! [`ImportPolicy`] says what a VRF accepts from a neighbour.
//!
//! ```
//! use bgp_wire::{AttributesBuilder, NextHop, Origin};
//! use leak_engine::{Advertise, EdgeSpec, Engine, Filter, Rank};
//! use rib::{Egress, NextHopState, Origination, VrfId};
//!
//! let (storage, machines) = (VrfId(1), VrfId(2));
//! let mut engine = Engine::default();
//! engine.add_vrf(storage, "storage")?;
//! engine.add_vrf(machines, "machines")?;
//!
//! // A static route of the storage network, and the state of its next hop.
//! let source = engine.add_source(storage, Origination::Static, None)?;
//! let attributes = AttributesBuilder::new(Origin::Igp).build();
//! let prefix = "10.1.0.0/24".parse()?;
//! engine.insert(source, prefix, 0, &attributes, NextHop::Ipv4([192, 0, 2, 1].into()), None)?;
//! while let Some(next_hop) = engine.poll_new_next_hop() {
//!     let egress = Box::new([Egress { gateway: None, interface: 1 }]);
//!     engine.set_next_hop_state(next_hop, NextHopState::Resolved { metric: 0, egress });
//! }
//!
//! // Storage lends the machines what it has.
//! engine.set_edges(vec![EdgeSpec {
//!     from: storage,
//!     to: machines,
//!     peering: "machines-to-storage".into(),
//!     filter: Filter::default(),
//!     rank: Rank { bound_since: 0, exporter: "default/storage".into() },
//!     advertise: Advertise::None,
//!     limit: Some(24_000),
//! }])?;
//! while engine.tick(1000) {}
//! engine.take_changes(1000, |changed| println!("VRF {} {}", changed.vrf.0, changed.prefix));
//!
//! let route = engine.selected(machines, prefix).next().expect("a leaked route");
//! assert_eq!(route.edge.map(|edge| edge.from), Some(storage));
//! assert!(engine.explain(machines, prefix, None).blocked().is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod edge;
mod engine;
mod explain;
mod import;
mod prefix_set;
mod shard;
pub mod twin;

pub use edge::{EdgeSpec, Filter, Rank, Refusal};
pub use engine::{
    Applied, Audit, Changed, Counts, Difference, EdgeError, EdgeStatus, Engine, EngineError, Fault, Plan,
    PlannedConflict, PlannedEdge, PlannedLeak, PlannedRoute, Refused, Route, Violation,
};
pub use explain::{Check, Explanation, Finding, Origin, Stage};
pub use import::{Accept, BadPrefixRule, ImportPolicy, ImportRefusal, PrefixList, PrefixRule, SetAttributes};
pub use prefix_set::PrefixSet;
pub use rib::Advertise;
pub use shard::shard_of;

/// A shard may be moved to a thread of its own.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Engine>();
};
