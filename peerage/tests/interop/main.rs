//! Real daemons, real kernel tables, real packets, in network namespaces.
#![allow(unreachable_pub)]

mod daemons;
mod forwarding;
mod peerage;
mod peers;
mod rig;
mod unnumbered;
