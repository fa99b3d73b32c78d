//! The program under test on a host, and its own command line as the way to look at it.

use super::rig::{Daemon, Host, need, shown, until};

/// The built program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_peerage");

/// A running `peerage run`.
pub struct Peerage {
    host: Host,
    /// The process.
    pub daemon: Daemon,
    folder: String,
    socket: String,
}

impl Peerage {
    /// Starts it on a folder that holds one file, `speaker.yaml`, and waits until its API answers.
    /// `SOCKET` and `STATE` in the text become paths among the host's files.
    pub fn start(host: &Host, text: &str) -> Self {
        Self::under(&[], host, text)
    }

    /// As [`Peerage::start`], without the privilege to open raw sockets.
    pub fn unprivileged(host: &Host, text: &str) -> Self {
        need("/usr/bin/setpriv", "util-linux");
        Self::under(&["setpriv", "--inh-caps=-net_raw", "--bounding-set=-net_raw"], host, text)
    }

    /// Starts it by way of another program.
    fn under(launcher: &[&str], host: &Host, text: &str) -> Self {
        let folder = host.folder.join("documents");
        std::fs::create_dir_all(&folder).expect("a folder for the documents");
        let socket = host.folder.join("api.sock").display().to_string();
        host.file("documents/speaker.yaml", &filled(host, text));
        let folder = folder.display().to_string();
        let words = [launcher, &[PROGRAM, "run", "-f", &folder]].concat();
        let daemon = host.start("peerage", words[0], &words[1..]);
        let peerage = Self { host: host.clone(), daemon, folder, socket };
        peerage.ready();
        peerage
    }

    fn ready(&self) {
        until("peerage answers", || self.try_cli(&["get", "vrfs"]).0, || self.daemon.log());
    }

    /// Starts it again after it ended, from the same documents.
    pub fn restart(&mut self) {
        self.daemon = self.host.start("peerage", PROGRAM, &["run", "-f", &self.folder]);
        self.ready();
    }

    /// Runs a subcommand against the daemon: whether it succeeded, and what it printed.
    pub fn try_cli(&self, arguments: &[&str]) -> (bool, String) {
        let mut all = arguments.to_vec();
        all.extend(["--socket", &self.socket]);
        let output = self.host.try_run(PROGRAM, &all);
        (output.status.success(), shown(&output))
    }

    /// Runs a subcommand and fails if it fails.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let (success, text) = self.try_cli(arguments);
        assert!(success, "peerage {arguments:?}:\n{text}\n{}", self.daemon.log());
        text
    }

    /// One neighbour as the API shows it, by its interface.
    pub fn neighbor_on(&self, interface: &str) -> serde_json::Value {
        let text = self.cli(&["get", "neighbors", "-o", "json"]);
        let list: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let list = list.as_array().or_else(|| list["neighbors"].as_array()).cloned().unwrap_or_default();
        let found = list.into_iter().find(|neighbor| neighbor["interface"] == interface);
        found.unwrap_or_else(|| panic!("no neighbour on {interface}: {text}"))
    }

    /// Writes documents, with the same words replaced as at the start, and applies them.
    pub fn apply(&self, name: &str, text: &str) {
        let path = self.host.file(name, &filled(&self.host, text));
        self.cli(&["apply", "-f", &path]);
    }

    /// Everything that helps to understand a failure.
    pub fn state(&self) -> String {
        let parts: [&[&str]; 4] = [
            &["get", "neighbors", "-o", "wide"],
            &["get", "peerings", "-o", "wide"],
            &["get", "vrfs"],
            &["get", "networks"],
        ];
        let mut text: String = parts.iter().map(|part| self.try_cli(part).1).collect();
        text += &self.daemon.log();
        text
    }
}

fn filled(host: &Host, text: &str) -> String {
    let path = |name: &str| host.folder.join(name).display().to_string();
    text.replace("SOCKET", &path("api.sock")).replace("STATE", &path("state.json"))
}
