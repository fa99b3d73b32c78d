//! Where the daemons run: a network namespace of their own, joined to the harness by a veth pair.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

const MARK: &str = "PEERAGE_BENCH_INSIDE";

/// The target's address.
pub const TARGET: Ipv4Addr = Ipv4Addr::new(10, 99, 255, 1);

/// The address of feeder `n`.
pub fn feeder(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 0, n + 1)
}

/// The address of sink `n`.
pub fn sink(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 1, n + 1)
}

/// True once this process runs in namespaces of its own. Outside it runs itself again there, with
/// the same arguments, and answers the exit status.
pub fn enter() -> Result<(), i32> {
    if std::env::var_os(MARK).is_some() {
        return Ok(());
    }
    let status = std::env::current_exe().and_then(|program| {
        Command::new("unshare")
            .args(["-rnm", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
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
    run("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
    run("mkdir", &["-p", "/run/netns", "/run/target"])?;
    ip("link set lo up")?;
    ip("netns add target")?;
    ip("link add h0 type veth peer name t0 netns target")?;
    ip("link set h0 up")?;
    ip("-n target link set lo up")?;
    ip("-n target link set t0 up")?;
    ip(&format!("-n target addr add {TARGET}/16 dev t0"))?;
    for n in 0..32 {
        ip(&format!("addr add {}/16 dev h0", feeder(n)))?;
        ip(&format!("addr add {}/16 dev h0", sink(n)))?;
    }
    Ok(())
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
