//! The daemons under measurement. An adapter finds the program, writes a configuration for one
//! scenario, starts it in the target's namespace and knows which process to account.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::place;

/// The target's AS number.
pub const AS: u32 = 65_000;

/// What a run asks of a target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Every feeder and sink in one table.
    Plain,
    /// Feeders in one VRF, sinks in another, everything leaked from the first to the second.
    Leak,
}

/// The sessions of a run; neighbour `n` has the AS number that [`feeder_as`] or [`sink_as`] gives.
#[derive(Clone, Copy)]
pub struct Layout {
    /// How tables are joined.
    pub shape: Shape,
    /// How many feeders.
    pub feeders: u8,
    /// How many sinks.
    pub sinks: u8,
}

/// The AS number of feeder `n`.
pub fn feeder_as(n: u8) -> u32 {
    65_001 + u32::from(n)
}

/// The AS number of sink `n`.
pub fn sink_as(n: u8) -> u32 {
    65_101 + u32::from(n)
}

/// A daemon that can be measured.
pub trait Target {
    /// Its name in reports.
    fn name(&self) -> &'static str;
    /// Its version, or which Debian package is missing.
    fn version(&self) -> Result<String, String>;
    /// Why it cannot run this shape, if so.
    fn unable(&self, shape: Shape) -> Option<&'static str>;
    /// The program and its arguments, after its configuration was written to `folder`.
    fn prepare(&self, layout: Layout, folder: &Path) -> std::io::Result<(PathBuf, Vec<String>)>;

    /// Starts it; it listens on port 179 of the target's address soon after.
    fn start(&self, layout: Layout) -> Result<Running, String> {
        let folder = PathBuf::from("/run/target").join(self.name());
        let prepared = fs::create_dir_all(&folder).and_then(|()| self.prepare(layout, &folder));
        let (program, arguments) = prepared.map_err(|error| format!("{}: {error}", self.name()))?;
        let log = fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let child = Command::new("ip")
            .args(["netns", "exec", "target"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.name()))?;
        Ok(Running { child, log: folder.join("log") })
    }
}

/// A started target; dropping it ends it. `ip netns exec` becomes the program, so the child is the program.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// The process to account.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it printed.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().rev().take(10).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every target that the harness knows.
pub fn all() -> Vec<Box<dyn Target>> {
    vec![Box::new(Peerage), Box::new(Bird), Box::new(Frr)]
}

fn version_of(program: &str, flag: &str, package: &str) -> Result<String, String> {
    let output = Command::new(program).arg(flag).output().map_err(|_| format!("missing: Debian package {package}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().map(str::to_owned).ok_or_else(|| format!("{program} {flag} printed nothing"))
}

struct Peerage;

/// The release build beside this harness's own program.
fn peerage_program() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.with_file_name("peerage")
}

impl Target for Peerage {
    fn name(&self) -> &'static str {
        "peerage"
    }

    fn version(&self) -> Result<String, String> {
        let program = peerage_program();
        if !program.exists() {
            return Err("not built: cargo build --release -p peerage".to_owned());
        }
        version_of(&program.display().to_string(), "version", "none")
    }

    fn unable(&self, _: Shape) -> Option<&'static str> {
        None
    }

    fn prepare(&self, layout: Layout, folder: &Path) -> std::io::Result<(PathBuf, Vec<String>)> {
        let target = place::TARGET;
        let (feeders, sinks) = match layout.shape {
            Shape::Plain => ("main", "main"),
            Shape::Leak => ("from", "to"),
        };
        let mut neighbors = String::new();
        let mut neighbor = |vrf: &str, address, remote_as| {
            neighbors += &format!(
                "    - {{vrf: {vrf}, address: {address}, remoteAs: {remote_as}, class: fabric, passive: true, \
                 families: [ipv4-unicast], timers: {{hold: 240}}}}\n"
            );
        };
        for n in 0..layout.feeders {
            neighbor(feeders, place::feeder(n), feeder_as(n));
        }
        for n in 0..layout.sinks {
            neighbor(sinks, place::sink(n), sink_as(n));
        }
        let (vrfs, documents) = match layout.shape {
            Shape::Plain => ("    - {name: main}\n".to_owned(), String::new()),
            Shape::Leak => {
                ("    - {name: from, network: from}\n    - {name: to, network: to}\n".to_owned(), leak_documents())
            }
        };
        let config = folder.join("peerage.yaml");
        fs::write(
            &config,
            format!(
                "apiVersion: peerage.dev/v1alpha1\nkind: Speaker\nmetadata: {{name: bench}}\nspec:\n  asn: {AS}\n  \
                 routerId: {target}\n  listen: [\"{target}:179\"]\n  fib: memory\n  api: {{socket: {}}}\n  stateFile: {}\n  \
                 vrfs:\n{vrfs}  neighbors:\n{neighbors}{documents}",
                folder.join("api.sock").display(),
                folder.join("state.json").display()
            ),
        )?;
        Ok((peerage_program(), vec!["run".into(), "-f".into(), config.display().to_string()]))
    }
}

/// Two ironcore networks, each naming the other; the importer may tell its neighbours.
fn leak_documents() -> String {
    let network = |name: &str, vni: u32, peer: &str| {
        format!(
            "---\napiVersion: networking.ironcore.dev/v1alpha1\nkind: Network\n\
             metadata: {{name: {name}, annotations: {{peerage.dev/advertise: all, peerage.dev/limit: \"10000000\"}}}}\n\
             spec: {{providerID: \"ironcore-net://default/{name}/{vni}/{name}\", peerings: [{{name: p, networkRef: {{name: {peer}}}}}]}}\n"
        )
    };
    network("from", 101, "to") + &network("to", 102, "from")
}

struct Bird;

impl Target for Bird {
    fn name(&self) -> &'static str {
        "bird"
    }

    fn version(&self) -> Result<String, String> {
        version_of("/usr/sbin/bird", "--version", "bird2")
    }

    fn unable(&self, _: Shape) -> Option<&'static str> {
        None
    }

    fn prepare(&self, layout: Layout, folder: &Path) -> std::io::Result<(PathBuf, Vec<String>)> {
        let target = place::TARGET;
        let mut text = format!("router id {target};\nprotocol device {{}}\n");
        let (feeders, sinks) = match layout.shape {
            Shape::Plain => ("master4", "master4"),
            Shape::Leak => {
                text += "ipv4 table from4;\nipv4 table to4;\nprotocol pipe { table from4; peer table to4; export all; import none; }\n";
                ("from4", "to4")
            }
        };
        let mut neighbor = |name: String, table: &str, address, remote_as, import: &str, export: &str| {
            text += &format!(
                "protocol bgp {name} {{ local {target} as {AS}; neighbor {address} as {remote_as}; passive; hold time 240; \
                 ipv4 {{ table {table}; import {import}; export {export}; }}; }}\n"
            );
        };
        for n in 0..layout.feeders {
            neighbor(format!("feeder{n}"), feeders, place::feeder(n), feeder_as(n), "all", "none");
        }
        for n in 0..layout.sinks {
            neighbor(format!("sink{n}"), sinks, place::sink(n), sink_as(n), "none", "all");
        }
        let config = folder.join("bird.conf");
        fs::write(&config, text)?;
        let socket = folder.join("bird.ctl");
        let arguments = ["-f", "-c"].map(str::to_owned).into_iter();
        let arguments = arguments.chain([config.display().to_string(), "-s".to_owned(), socket.display().to_string()]);
        Ok((PathBuf::from("/usr/sbin/bird"), arguments.collect()))
    }
}

struct Frr;

impl Target for Frr {
    fn name(&self) -> &'static str {
        "frr"
    }

    fn version(&self) -> Result<String, String> {
        version_of("/usr/lib/frr/bgpd", "--version", "frr")
    }

    fn unable(&self, shape: Shape) -> Option<&'static str> {
        (shape == Shape::Leak).then_some("its VRFs need VRF devices, which this kernel may not have")
    }

    fn prepare(&self, layout: Layout, folder: &Path) -> std::io::Result<(PathBuf, Vec<String>)> {
        let target = place::TARGET;
        let mut text = format!(
            "router bgp {AS}\n bgp router-id {target}\n no bgp ebgp-requires-policy\n no bgp network import-check\n timers bgp 80 240\n"
        );
        let mut families = " address-family ipv4 unicast\n".to_owned();
        let mut neighbor = |address, remote_as, filter: &str| {
            text += &format!(
                " neighbor {address} remote-as {remote_as}\n neighbor {address} passive\n neighbor {address} advertisement-interval 0\n"
            );
            families += &format!("  neighbor {address} route-map none {filter}\n");
        };
        for n in 0..layout.feeders {
            neighbor(place::feeder(n), feeder_as(n), "out");
        }
        for n in 0..layout.sinks {
            neighbor(place::sink(n), sink_as(n), "in");
        }
        let config = folder.join("bgpd.conf");
        fs::write(&config, format!("{text}{families} exit-address-family\nroute-map none deny 10\n"))?;
        let folder = folder.display();
        let arguments =
            format!("-S -Z -n -u root -g root -f {} -i {folder}/bgpd.pid --vty_socket {folder}", config.display());
        Ok((PathBuf::from("/usr/lib/frr/bgpd"), arguments.split(' ').map(str::to_owned).collect()))
    }
}
