//! Whether the kernel's reverse path filter (RFC 3704) lets the replies of leaked routes pass.

use std::{fmt, fs, io::ErrorKind, path::Path};

use super::connection::io_error;
use crate::SinkError;

/// What the filter does on an interface, for IPv4. There is none for IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReversePath {
    /// Every source address passes.
    Off,
    /// The source address must be routed out of the very interface.
    Strict,
    /// The source address must be routed, no matter where to.
    Loose,
}

/// Why packets of leaked routes are dropped on an interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReversePathProblem {
    /// The interface's name.
    pub interface: String,
    /// What the filter does there.
    pub mode: ReversePath,
}

impl fmt::Display for ReversePathProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            ReversePath::Off => "off",
            ReversePath::Strict => "strict",
            ReversePath::Loose => "loose",
        };
        write!(
            f,
            "the {mode} reverse path filter of {interface} drops packets from peered networks; \
             set net.ipv4.conf.{interface}.rp_filter and net.ipv4.conf.all.rp_filter to 0",
            interface = self.interface
        )
    }
}

/// Reads the filter's mode for an interface of this network namespace: the greater of its own and
/// that of `all`, as the kernel takes it.
///
/// # Errors
/// If there is no such interface or `/proc/sys` cannot be read.
pub fn reverse_path(interface: &str) -> Result<ReversePath, SinkError> {
    let mode = read(interface)?.max(read("all")?);
    Ok(match mode {
        0 => ReversePath::Off,
        1 => ReversePath::Strict,
        _ => ReversePath::Loose,
    })
}

/// Whether the filter of an interface hinders leaking.
///
/// The strict filter does, since a source in the other VRF is not routed out of the interface that its
/// packets come in on. Where interfaces are bound by rules (`by_rules`) the loose one does too: the filter
/// looks the source up without an incoming interface, so no rule of ours leads it to a table.
///
/// # Errors
/// Like [`reverse_path`].
pub fn reverse_path_problem(interface: &str, by_rules: bool) -> Result<Option<ReversePathProblem>, SinkError> {
    let mode = reverse_path(interface)?;
    let drops = match mode {
        ReversePath::Off => false,
        ReversePath::Strict => true,
        ReversePath::Loose => by_rules,
    };
    Ok(drops.then(|| ReversePathProblem { interface: interface.to_owned(), mode }))
}

fn read(interface: &str) -> Result<u8, SinkError> {
    if interface.contains('/') {
        return Err(io_error("reading rp_filter", &ErrorKind::NotFound.into()));
    }
    let path = Path::new("/proc/sys/net/ipv4/conf").join(interface).join("rp_filter");
    fs::read_to_string(path)
        .and_then(|text| text.trim().parse().map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "not a number")))
        .map_err(|e| io_error("reading rp_filter", &e))
}
