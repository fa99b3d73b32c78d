//! Real daemons, real kernel tables, real packets, in network namespaces.
#![allow(missing_docs, clippy::expect_used)]

mod daemons;
mod forwarding;
mod peerage;
mod peers;
mod rig;
