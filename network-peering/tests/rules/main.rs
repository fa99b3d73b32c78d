//! The rules of network peering, one test or more for each, named after it.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod binding;
mod common;
mod deletion;
mod documentation;
mod input;
mod leaking;
mod metal;
mod properties;
mod proposals;
mod validation;
