//! A small network of hosts in network namespaces, made and torn down by each test.
//!
//! A test calls [`inside`] first: it runs the same test again in fresh user, network, mount and
//! process namespaces (no root is needed where unprivileged user namespaces are allowed), so
//! whatever a test starts ends with it, and nothing of the machine is touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "PEERAGE_INTEROP_INSIDE";

/// How long a condition may take before the test fails.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// True in the namespaces made for the test. Outside it runs the test named by the current thread
/// there, passes its failure on, and answers false.
pub fn inside() -> bool {
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    need("/usr/bin/unshare", "util-linux");
    need("/sbin/ip", "iproute2");
    need("/bin/ping", "iputils-ping");
    need("/usr/bin/traceroute", "traceroute");
    let test = std::thread::current().name().expect("a test's thread has its name").to_owned();
    let output = Command::new("unshare")
        .args(["-rnm", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(std::env::current_exe().expect("the test program has a path"))
        .args(["--exact", &test, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .stdin(Stdio::null())
        .output()
        .expect("unshare starts");
    let text = shown(&output);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test} failed in its namespaces (`unshare -rnm` needs unprivileged user namespaces):\n{text}"
    );
    false
}

/// Fails and names the Debian package when `program` is not there.
pub fn need(program: &str, package: &str) {
    assert!(Path::new(program).exists(), "{program} is missing: install the Debian package {package}");
}

/// What a program printed, for a failure's message.
pub fn shown(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Waits until `holds`, or fails with what was awaited and what `state` shows then.
pub fn until_within(
    limit: Duration,
    awaited: &str,
    mut holds: impl FnMut() -> bool,
    state: impl FnOnce() -> String,
) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "{awaited}: not within {limit:?}; now:\n{}", state());
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

/// [`until_within`] the common deadline.
pub fn until(awaited: &str, holds: impl FnMut() -> bool, state: impl FnOnce() -> String) {
    until_within(DEADLINE, awaited, holds, state);
}

/// The hosts of one test and a folder for their files.
pub struct Rig {
    folder: PathBuf,
}

impl Rig {
    /// An empty network.
    pub fn new() -> Self {
        for folder in ["/run", "/var/tmp"] {
            run("mount", &["-t", "tmpfs", "tmpfs", folder]);
        }
        fs::create_dir_all("/run/netns").expect("a folder for the namespaces");
        let folder = PathBuf::from("/run/rig");
        fs::create_dir_all(&folder).expect("a folder for the test's files");
        run("ip", &["link", "set", "lo", "up"]);
        Self { folder }
    }

    /// A new host: a network namespace with its loopback up, forwarding off.
    pub fn host(&self, name: &'static str) -> Host {
        run("ip", &["netns", "add", name]);
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).expect("a folder for the host's files");
        let host = Host { name, folder };
        host.ip("link set lo up");
        host.sysctl("net.ipv6.conf.all.accept_dad", "0");
        host.sysctl("net.ipv6.conf.default.accept_dad", "0");
        host
    }

    /// A cable between two hosts: (host, interface, addresses) on each end, both ends up.
    pub fn cable(&self, a: (&Host, &str, &[&str]), b: (&Host, &str, &[&str])) {
        let arguments = ["link", "add", a.1, "netns", a.0.name, "type", "veth", "peer", "name", b.1, "netns", b.0.name];
        run("ip", &arguments);
        for (host, interface, addresses) in [a, b] {
            for address in addresses {
                let nodad = if address.contains(':') { " nodad" } else { "" };
                host.ip(&format!("addr add {address} dev {interface}{nodad}"));
            }
            host.ip(&format!("link set {interface} up"));
        }
    }
}

/// Runs a program outside any host and fails if it fails.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}:\n{}", shown(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A network namespace and the folder of its files.
#[derive(Clone)]
pub struct Host {
    /// The namespace's name.
    pub name: &'static str,
    /// Where the host's programs keep their files.
    pub folder: PathBuf,
}

impl Host {
    /// A command that will run on this host.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.name, program]).stdin(Stdio::null());
        command
    }

    /// Runs a program here to its end.
    pub fn try_run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    /// Runs a program here and fails if it fails; answers its standard output.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.try_run(program, arguments);
        assert!(output.status.success(), "{} on {}: {arguments:?}\n{}", program, self.name, shown(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// `ip ARGUMENTS`, split at spaces, on this host.
    pub fn ip(&self, arguments: &str) -> String {
        let mut all = vec!["-n", self.name];
        all.extend(arguments.split_whitespace());
        run("ip", &all)
    }

    /// Sets one kernel variable of this host.
    pub fn sysctl(&self, key: &str, value: &str) {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        self.run("sh", &["-c", &format!("echo {value} > {path}")]);
    }

    /// Lets this host forward packets, with the reverse-path filter off.
    pub fn forwards(&self) {
        for key in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding"] {
            self.sysctl(key, "1");
        }
        for key in ["net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter"] {
            self.sysctl(key, "0");
        }
    }

    /// True if one echo request from here to `address` is answered within a second.
    pub fn pings(&self, address: &str) -> bool {
        self.try_run("ping", &["-n", "-c1", "-W1", address]).status.success()
    }

    /// Writes a file of this host and answers its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path.display().to_string()
    }

    /// Starts a program that stays; its output goes to `LABEL.log` among the host's files.
    pub fn start(&self, label: &str, program: &str, arguments: &[&str]) -> Daemon {
        let log = self.folder.join(format!("{label}.log"));
        let file = fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        let child = self
            .command(program)
            .args(arguments)
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        Daemon { child, log }
    }
}

/// A program that runs on a host until it is told or dropped. `ip netns exec` replaces itself with
/// the program, so the child's process is the program's own.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Sends a signal by name: STOP, CONT, TERM, KILL, HUP.
    pub fn signal(&self, name: &str) {
        run("kill", &[&format!("-{name}"), &self.child.id().to_string()]);
    }

    /// Ends the program with `signal` and waits for its end.
    pub fn end(&mut self, signal: &str) {
        self.signal(signal);
        self.wait();
    }

    /// Waits for the end of a program that was told to end.
    pub fn wait(&mut self) -> bool {
        let start = Instant::now();
        loop {
            match self.child.try_wait().expect("the child can be waited for") {
                Some(status) => return status.success(),
                None => assert!(start.elapsed() < DEADLINE, "it does not end:\n{}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
