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

/// A strict filter on an interface that leaked routes may use.
///
/// The kernel looks the source up as if the packet had come in on its way out, that is in the table of
/// the network it goes to. There the leaked route back may name another interface than the packet came by,
/// as it does wherever a network has several: then a strict filter drops it, and a loose one does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StrictReversePath {
    /// The interface's name.
    pub interface: String,
}

impl fmt::Display for StrictReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the strict reverse path filter of {0} drops packets of peered networks that come by another interface \
             than the way back; set net.ipv4.conf.{0}.rp_filter or net.ipv4.conf.all.rp_filter to 2, or both to 0",
            self.interface
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

/// Those of the interfaces whose filter is strict. One that cannot be read is passed over: it may be gone.
pub fn strict_reverse_paths<'a>(interfaces: impl IntoIterator<Item = &'a str>) -> Vec<StrictReversePath> {
    interfaces
        .into_iter()
        .filter(|interface| reverse_path(interface) == Ok(ReversePath::Strict))
        .map(|interface| StrictReversePath { interface: interface.to_owned() })
        .collect()
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
