//! Where the daemons run: a network namespace of their own, joined to the harness by a veth pair, and who has which address there.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use ipnet::IpNet;

const MARK: &str = "PEERAGE_BENCH_INSIDE";

/// The target's AS number.
pub const AS: u32 = 65_000;

/// The target's BGP identifier, and its address in IPv4.
pub const TARGET: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 1);

/// How many feeders there can be.
pub const FEEDERS: usize = 512;
/// How many sinks.
pub const SINKS: usize = 32;
/// How many witnesses.
pub const WITNESSES: usize = 4;

/// The family of a run: of its routes, and of the sessions that carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 unicast.
    Ipv4,
    /// IPv6 unicast.
    Ipv6,
}

impl Family {
    /// The family of a prefix.
    pub fn of(prefix: IpNet) -> Self {
        match prefix {
            IpNet::V4(_) => Self::Ipv4,
            IpNet::V6(_) => Self::Ipv6,
        }
    }

    /// The target's address.
    pub fn target(self) -> IpAddr {
        match self {
            Self::Ipv4 => TARGET.into(),
            Self::Ipv6 => Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1).into(),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        })
    }
}

/// A neighbour of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Announces; is told nothing.
    Feeder(usize),
    /// Is told; announces nothing.
    Sink(usize),
    /// Neither: it has a hold time of three seconds and looks how late keepalives come.
    Witness(usize),
}

impl Who {
    fn numbers(self) -> (u8, usize) {
        match self {
            Self::Feeder(n) => (0, n),
            Self::Sink(n) => (1, n),
            Self::Witness(n) => (2, n),
        }
    }

    /// Its AS number.
    pub fn asn(self) -> u32 {
        let (kind, n) = self.numbers();
        4_200_000_000 + 10_000 * u32::from(kind) + n as u32
    }

    /// Its BGP identifier, and its address in IPv4.
    pub fn identifier(self) -> Ipv4Addr {
        let (kind, n) = self.numbers();
        Ipv4Addr::new(10, 99, 64 * kind + (n / 200) as u8, (n % 200) as u8 + 1)
    }

    /// Its address.
    pub fn address(self, family: Family) -> IpAddr {
        let (kind, n) = self.numbers();
        match family {
            Family::Ipv4 => self.identifier().into(),
            Family::Ipv6 => Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, u16::from(kind) + 1, n as u16 + 1).into(),
        }
    }

    /// Its hold time in seconds.
    pub fn hold_time(self) -> u16 {
        match self {
            Self::Feeder(_) | Self::Sink(_) => 240,
            Self::Witness(_) => 3,
        }
    }

    fn everyone() -> impl Iterator<Item = Self> {
        let sinks = (0..SINKS).map(Self::Sink).chain((0..WITNESSES).map(Self::Witness));
        (0..FEEDERS).map(Self::Feeder).chain(sinks)
    }
}

/// True if the process has all rights of root here, not only over namespaces of its own.
pub fn is_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let whole = map.split_whitespace().nth(2).and_then(|count| count.parse::<u64>().ok());
    whole.is_some_and(|count| count > 60_000) && id("-u") == "0"
}

fn id(flag: &str) -> String {
    let output = Command::new("id").arg(flag).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

/// Returns once this process runs in namespaces of its own. Outside it runs itself again there, with
/// the same arguments, and answers the exit status as an error.
pub fn enter() -> Result<(), i32> {
    if std::env::var_os(MARK).is_some() {
        return Ok(());
    }
    // As root without a user namespace, where that is allowed: some daemons want a user of their own.
    let plain = is_root()
        && Command::new("unshare").args(["-nm", "true"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    let status = std::env::current_exe().and_then(|program| {
        Command::new("unshare")
            .arg(if plain { "-nm" } else { "-rnm" })
            .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"])
            .arg(program)
            .args(std::env::args_os().skip(1))
            .env(MARK, "1")
            .status()
    });
    match status {
        Ok(status) => Err(status.code().unwrap_or(1)),
        Err(error) => {
            eprintln!("`unshare -rnm` (Debian package util-linux) did not start: {error}");
            Err(1)
        }
    }
}

/// Makes the target's namespace and every address of the harness.
pub fn build() -> Result<(), String> {
    run("mount", &["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])?;
    run("mkdir", &["-p", "/run/netns", "/run/target", "/run/openbgpd"])?;
    ip("link set lo up")?;
    ip("netns add target")?;
    ip("link add h0 type veth peer name t0 netns target")?;
    ip("link set h0 up")?;
    ip("-n target link set lo up")?;
    ip("-n target link set t0 up")?;
    ip(&format!("-n target addr add {TARGET}/16 dev t0"))?;
    ip(&format!("-n target addr add {}/64 dev t0 nodad", Family::Ipv6.target()))?;
    let mut batch = String::new();
    for who in Who::everyone() {
        batch += &format!("addr add {}/16 dev h0\n", who.address(Family::Ipv4));
        batch += &format!("addr add {}/64 dev h0 nodad\n", who.address(Family::Ipv6));
    }
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("ip did not start: {error} (Debian package iproute2)"))?;
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(batch.as_bytes()));
    match (written, child.wait()) {
        (Some(Ok(())), Ok(status)) if status.success() => Ok(()),
        (_, status) => Err(format!("ip -batch, the addresses of the harness: {status:?}")),
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    run("ip", &arguments.split(' ').collect::<Vec<_>>())
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} {}: {status}", arguments.join(" "))),
        Err(error) => Err(format!("{program} did not start: {error} (Debian packages: iproute2, util-linux)")),
    }
}
