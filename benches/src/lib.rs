//! The side-by-side harness: deterministic tables, sessions that speak just enough BGP to load a daemon and to see that
//! it told the right routes on, adapters that start each daemon the same way, measurement and reports.
//!
//! The harness is given nothing but programs on the machine. A run is complete when the sinks hold exactly what they
//! should, prefix by prefix with its path; what a daemon says of itself is not asked for.

pub mod bars;
pub mod measure;
pub mod peer;
pub mod place;
pub mod plot;
pub mod report;
pub mod run;
pub mod scenario;
pub mod supply;
pub mod table;
pub mod target;
pub mod world;
