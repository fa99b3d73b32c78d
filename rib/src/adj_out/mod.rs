//! Adj-RIB-Out.

mod export;

pub use export::{ExportKey, ExportPolicy, ExportRoute, PeerClass, PolicyId, export};
