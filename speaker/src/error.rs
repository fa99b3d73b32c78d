//! What can go wrong at the handle.

use std::io;
use std::net::SocketAddr;

use crate::config::{ConfigError, NeighborKey};

/// Why a speaker could not do what it was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot work; all faults.
    #[error("{}", join(.0))]
    Config(Vec<ConfigError>),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        error: io::Error,
    },
    /// Where routes go cannot change while the speaker runs.
    #[error("the way routes are installed cannot change while the speaker runs; stop it and start it again")]
    FibMode,
    /// How prefixes are shared out cannot change while the speaker runs.
    #[error("the number of shards cannot change while the speaker runs; stop it and start it again")]
    Shards,
    /// The kernel's tables cannot be used.
    #[error("cannot use the kernel's routing tables: {0}")]
    Fib(String),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// The speaker was stopped.
    #[error("the speaker has stopped")]
    Stopped,
    /// No VRF of this name.
    #[error("there is no VRF {0:?}")]
    UnknownVrf(String),
    /// No such neighbour.
    #[error("there is no neighbour {0}")]
    UnknownNeighbor(NeighborKey),
}

fn join(errors: &[ConfigError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
