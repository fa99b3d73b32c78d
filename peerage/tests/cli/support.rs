//! A daemon of its own for each test, peers to talk to it, and the command line to ask it.

use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bgp_wire::{AttributesBuilder, Origin};
use serde_json::Value;
use speaker::{Config, Injected, NeighborConfig, RemoteAs, Speaker, VrfConfig};

/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the binary to its end.
pub(crate) fn peerage(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peerage")).args(arguments).env_remove("PEERAGE_SOCKET").output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Looks until `look` finds something; what it said last is in the failure.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(last) if began.elapsed() > PATIENCE => panic!("{what} did not come about: {last}"),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// A directory with a daemon's files, its socket and its state.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a manifest of the daemon; `DIRECTORY` in it stands for this place.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path("manifests").join(name);
        fs::create_dir_all(self.path("manifests")).unwrap();
        fs::write(&path, text.replace("DIRECTORY", self.directory.path().to_str().unwrap())).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn socket(&self) -> String {
        self.path("api.sock").to_str().unwrap().to_owned()
    }

    /// Starts a daemon on the manifests and waits until it answers.
    pub(crate) fn start(&self) -> Daemon<'_> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_peerage"))
            .args(["run", "-f", self.path("manifests").to_str().unwrap()])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let daemon = Daemon { place: self, child };
        until("an answer of the daemon", || {
            let answer = daemon.ask(&["get", "vrfs"]);
            if answer.status.success() { Ok(()) } else { Err(format!("{}{}", stderr(&answer), self.log())) }
        });
        daemon
    }

    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        fs::File::open(self.path("log")).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

/// A running daemon; killed when dropped.
pub(crate) struct Daemon<'a> {
    pub(crate) place: &'a Place,
    child: Child,
}

impl Daemon<'_> {
    /// Runs a client command against the daemon.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let socket = self.place.socket();
        let all: Vec<&str> = arguments.iter().copied().chain(["--socket", &socket]).collect();
        peerage(&all)
    }

    /// The JSON answer of a command that must succeed.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
        let answer = self.ask(&all);
        assert!(answer.status.success(), "{arguments:?}: {}", stderr(&answer));
        serde_json::from_slice(&answer.stdout).unwrap()
    }

    /// Waits until a listing satisfies `wanted`, and gives it.
    pub(crate) fn json_until(&self, arguments: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        until(&format!("the wanted answer to {arguments:?}"), || {
            let value = self.json(arguments);
            if wanted(&value) { Ok(value) } else { Err(format!("{value:#}\n{}", self.place.log())) }
        })
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -$0 $1", name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// Ends it by SIGTERM and waits; whether it ended well.
    pub(crate) fn stop(mut self) -> bool {
        self.signal("TERM");
        self.child.wait().unwrap().success()
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our AS number in all tests.
pub(crate) const LEAF_AS: u32 = 4_200_000_001;

/// A neighbour of the daemon that waits for its connection at a free port of `address` and announces `prefixes`.
pub(crate) async fn peer(asn: u32, address: &str, prefixes: &[&str]) -> (Speaker, SocketAddr) {
    let mut leaf = NeighborConfig::new("main", "127.0.0.1".parse().unwrap(), RemoteAs::Is(LEAF_AS));
    leaf.passive = true;
    let address: IpAddr = address.parse().unwrap();
    let config = Config {
        name: format!("peer-{asn}"),
        asn,
        router_id: match address {
            IpAddr::V4(address) => address,
            IpAddr::V6(_) => panic!("an IPv4 address is needed"),
        },
        listen: vec![SocketAddr::new(address, 0)],
        vrfs: vec![VrfConfig { name: "main".to_owned(), ..VrfConfig::default() }],
        neighbors: vec![leaf],
        ..Config::default()
    };
    let speaker = Speaker::builder().config(config).start().await.unwrap();
    let attributes = bytes::Bytes::from(AttributesBuilder::new(Origin::Igp).build());
    let route =
        |prefix: &&str| Injected { prefix: prefix.parse().unwrap(), attributes: attributes.clone(), next_hop: None };
    speaker.inject("main", prefixes.iter().map(route).collect()).await.unwrap();
    let listening = speaker.status().await.unwrap().listening[0];
    (speaker, listening)
}
