//! Leaks routes between peered VRFs: the leaked view kept incrementally, checked against a naive twin.
//!
//! A leaked route is computed, not copied: `leaked(V) = f(native routes, edges)`.

mod edge;
mod prefix_set;

pub use edge::{Advertise, Filter, Rank, Refusal};
pub use prefix_set::PrefixSet;
