//! The Debian packages that the tests and the benchmark of the codec use, and how they get onto the machine.

use std::process::{Command, Stdio};

/// A program that a test runs, and the Debian package that holds it.
struct Needed {
    program: &'static str,
    package: &'static str,
}

const NEEDED: &[Needed] = &[
    Needed { program: "/usr/lib/frr/bgpd", package: "frr" },
    Needed { program: "/usr/sbin/bird", package: "bird2" },
    Needed { program: "/usr/bin/gobgpd", package: "gobgpd" },
    Needed { program: "/usr/bin/bgpdump", package: "bgpdump" },
    Needed { program: "/usr/bin/python3", package: "python3" },
    Needed { program: "/sbin/ip", package: "iproute2" },
    Needed { program: "/bin/ping", package: "iputils-ping" },
    Needed { program: "/usr/bin/traceroute", package: "traceroute" },
    Needed { program: "/usr/bin/valgrind", package: "valgrind" },
    Needed { program: "/usr/bin/unshare", package: "util-linux" },
    Needed { program: "/usr/bin/qemu-system-x86_64", package: "qemu-system-x86" },
    Needed { program: "/boot", package: "linux-image-cloud-amd64" },
    Needed { program: "/bin/busybox", package: "busybox-static" },
    Needed { program: "/usr/bin/cpio", package: "cpio" },
];

fn present(needed: &Needed) -> bool {
    if needed.program == "/boot" {
        return std::fs::read_dir("/boot").is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with("vmlinuz-") && name.ends_with("-cloud-amd64")
            })
        });
    }
    std::path::Path::new(needed.program).exists()
}

fn missing() -> Vec<&'static str> {
    NEEDED.iter().filter(|needed| !present(needed)).map(|needed| needed.package).collect()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt(args: &[&str]) -> Result<(), String> {
    eprintln!("==> apt-get {}", args.join(" "));
    let status = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("apt-get did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("apt-get {} failed: {status}", args.join(" "))) }
}

/// Installs what is missing when it may (as root, with apt); otherwise names it. The tests that
/// need a missing package then fail and name it as well.
pub(crate) fn ensure() -> Result<(), String> {
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    if !is_root() {
        eprintln!("missing Debian packages, not installed without root: {}", wanted.join(" "));
        eprintln!("the tests that use them will fail; install them with: apt-get install {}", wanted.join(" "));
        return Ok(());
    }
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(&wanted);
    apt(&install)?;
    match missing().as_slice() {
        [] => Ok(()),
        left => Err(format!("still missing after apt-get install: {}", left.join(" "))),
    }
}
