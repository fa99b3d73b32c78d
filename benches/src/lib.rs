//! The side-by-side harness: a deterministic table generator, feeders and sinks that speak just
//! enough BGP to load a daemon, adapters that start each daemon the same way, and measurement.
//!
//! The harness is given nothing but programs on the machine. It never parses what a daemon prints:
//! a run is complete when the sink holds what the feeder sent.

pub mod measure;
pub mod peer;
pub mod place;
pub mod table;
pub mod target;
