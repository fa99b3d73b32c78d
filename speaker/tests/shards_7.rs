//! What speakers do with one shard they do with seven: the tests of sessions, leaks and the rest again.

#![allow(clippy::duplicate_mod, reason = "each of the modules brings its helpers, as it does by itself")]

#[path = "leaks.rs"]
mod leaks;
#[path = "refresh.rs"]
mod refresh;
#[path = "sessions.rs"]
mod sessions;
