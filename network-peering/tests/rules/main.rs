//! The rules of network peering, one test or more for each, named after it.

mod binding;
mod common;
mod deletion;
mod leaking;
mod metal;
mod properties;
mod validation;
