//! Runs tests in network namespaces of their own, and looks at the kernel as a user does.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![allow(dead_code, reason = "no test uses all of it")]

pub(crate) mod guest;

use std::{
    any::type_name_of_val,
    env,
    io::{BufRead, BufReader},
    panic::UnwindSafe,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

const INSIDE: &str = "FIB_TEST_NAMESPACE";

/// Runs a test's body in a new user and network namespace: the test starts itself again there.
pub(crate) fn in_namespace(body: impl Fn() + UnwindSafe) {
    let name = test_name(&body);
    if env::var(INSIDE).as_deref() == Ok(&name) {
        ip("link set lo up");
        return body();
    }
    let output = Command::new("unshare")
        .args(["-rn", "--"])
        .args(this_test(&name))
        .env(INSIDE, &name)
        .output()
        .expect("no unshare; install the Debian package util-linux");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        !stderr.contains("unshare failed") && !stderr.contains("unshare: "),
        "no user and network namespace; this kernel must allow unprivileged user namespaces \
         (kernel.unprivileged_userns_clone, user.max_user_namespaces): {stderr}"
    );
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "nothing ran: {stdout}{stderr}");
}

/// The words that start the test with this name again.
pub(crate) fn this_test(name: &str) -> Vec<String> {
    let program = env::current_exe().unwrap();
    let mut words = vec![program.to_str().unwrap().to_owned()];
    words.extend(["--exact", name, "--nocapture", "--test-threads=1"].map(String::from));
    words
}

/// The name of the test that a closure was written in.
pub(crate) fn test_name<F>(body: &F) -> String {
    let path = type_name_of_val(body).trim_end_matches("::{{closure}}");
    let (_, name) = path.split_once("::").unwrap();
    name.to_owned()
}

/// Runs `ip` with these words.
pub(crate) fn ip(words: &str) -> String {
    run("ip", words)
}

/// Runs `ip -j` with these words.
pub(crate) fn ip_json(words: &str) -> Vec<Value> {
    let text = ip(&format!("-j {words}"));
    if text.trim().is_empty() {
        return Vec::new();
    }
    serde_json::from_str(&text).unwrap()
}

/// The routes of a table as `ip` shows them; `family` is `-4` or `-6`.
pub(crate) fn table(family: &str, table: u32) -> Vec<Value> {
    ip_json(&format!("-d {family} route show table {table}"))
}

/// The same in text, one line each, sorted, without the flags that depend on timing.
pub(crate) fn lines(words: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        ip(words).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.sort();
    lines
}

/// Runs a program and gives what it prints.
pub(crate) fn run(program: &str, words: &str) -> String {
    let output = Command::new(program)
        .args(words.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("no {program} ({error}); install the Debian packages iproute2, iputils-ping"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The number of an interface.
pub(crate) fn index(interface: &str) -> u32 {
    let link = ip_json(&format!("link show dev {interface}"));
    u32::try_from(link[0]["ifindex"].as_u64().unwrap()).unwrap()
}

/// Makes a pair of interfaces that are up, without addresses.
pub(crate) fn veth(one: &str, other: &str) {
    ip(&format!("link add {one} type veth peer name {other}"));
    ip(&format!("link set {one} up"));
    ip(&format!("link set {other} up"));
}

/// Waits until a condition holds, and fails if that takes longer than half a minute.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A host: a network namespace of its own, held by a process.
pub(crate) struct Host {
    process: Child,
    /// Kept open: its process ends when nobody can read what it writes.
    _output: BufReader<ChildStdout>,
}

impl Host {
    /// A host with the far end of an interface pair.
    pub(crate) fn at(near: &str, far: &str, configuration: &[&str]) -> Self {
        let mut process = Command::new("unshare")
            .args(["-n", "sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let host = Self { process, _output: output };
        host.run("ip link set lo up");
        host.attach(near, far);
        for words in configuration {
            host.run(words);
        }
        host
    }

    /// Gives the host the far end of another interface pair.
    pub(crate) fn attach(&self, near: &str, far: &str) {
        // Made under a name that is free here, since the far one may not be.
        veth(near, "far-end");
        ip(&format!("link set far-end netns {} name {far}", self.process.id()));
        self.run(&format!("ip link set {far} up"));
    }

    /// Runs a command on the host.
    pub(crate) fn run(&self, words: &str) -> String {
        run("nsenter", &format!("-t {} -n {words}", self.process.id()))
    }

    /// Whether a ping from the host is answered, within a few tries.
    pub(crate) fn reaches(&self, address: &str) -> bool {
        (0..3).any(|_| self.pings(address))
    }

    /// Whether a ping from the host is answered, at the first try within a second.
    pub(crate) fn pings(&self, address: &str) -> bool {
        let ping = format!("-t {} -n ping -c 1 -W 1 {address}", self.process.id());
        let output = Command::new("nsenter").args(ping.split_whitespace()).output();
        output.unwrap().status.success()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
