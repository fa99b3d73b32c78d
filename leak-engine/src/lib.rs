//! Leaks routes between peered VRFs: the leaked view kept incrementally, checked against a naive twin.
//!
//! A leaked route is computed, not copied: `leaked(V) = f(native routes, edges)`. [`Engine`] keeps that view as routes
//! and edges come and go; [`twin::leaked`] computes it from scratch, and the two must agree. From this follow: no stale
//! leak (when an input goes, its output goes), no transitive leak (a leaked route is no input), and an answer to every
//! "why" ([`Engine::explain`]).
//!
//! An [`EdgeSpec`] says what one VRF lends another; its [`Filter`] is the one place where a prefix alone decides. An
//! [`ImportPolicy`] says what a VRF accepts from a neighbour.

mod edge;
mod engine;
mod explain;
mod import;
mod prefix_set;
pub mod twin;

pub use edge::{EdgeSpec, Filter, Rank, Refusal};
pub use engine::{Applied, Changed, Counts, Difference, EdgeError, EdgeStatus, Engine, EngineError, Refused, Route};
pub use explain::{Check, Explanation, Finding, Origin, Stage};
pub use import::{Accept, BadPrefixRule, ImportPolicy, ImportRefusal, PrefixList, PrefixRule, SetAttributes};
pub use prefix_set::PrefixSet;
pub use rib::Advertise;
