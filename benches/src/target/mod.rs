//! The daemons under measurement. An adapter finds the program, writes a configuration for one layout of tables and
//! neighbours, says how to start and how to reload it. Nothing here looks at what a daemon prints.

mod bird;
mod frr;
mod gobgp;
mod openbgpd;
mod peerage;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::measure::Meter;
use crate::place::{Family, Who};

/// What a run asks of a target.
#[derive(Clone)]
pub struct Layout {
    /// The family of routes and sessions.
    pub family: Family,
    /// How many tables; with one there is no VRF.
    pub vrfs: usize,
    /// Every neighbour, with the number of its table.
    pub neighbors: Vec<(Who, usize)>,
    /// Tables that leak their own routes to each other, and never further.
    pub peerings: Vec<(usize, usize)>,
    /// What may leak: these prefixes and what is inside them.
    pub filter: Option<Arc<[IpNet]>>,
}

impl Layout {
    /// The feeders of a table.
    fn feeders(&self, vrf: usize) -> impl Iterator<Item = usize> {
        self.neighbors.iter().filter_map(move |(who, of)| match who {
            Who::Feeder(n) if *of == vrf => Some(*n),
            _ => None,
        })
    }

    /// True if a table has a sink, so that what leaks to it is told on.
    fn has_sink(&self, vrf: usize) -> bool {
        self.neighbors.iter().any(|(who, of)| matches!(who, Who::Sink(_)) && *of == vrf)
    }

    /// Why one who has a single table cannot do this.
    fn needs_vrfs(&self, reason: &'static str) -> Option<&'static str> {
        (self.vrfs > 1).then_some(reason)
    }
}

/// A daemon that can be measured.
pub trait Target {
    /// Its name in reports.
    fn name(&self) -> &'static str;
    /// Where its program is looked for, unless one is named.
    fn program(&self) -> PathBuf;
    /// Where to get it.
    fn origin(&self) -> &'static str;
    /// Its version.
    fn version(&self, program: &Path) -> Result<String, String>;
    /// Why it cannot run this layout, if so.
    fn unable(&self, layout: &Layout) -> Option<&'static str>;
    /// The arguments to start it with, after its configuration was written to `folder`.
    fn configure(&self, layout: &Layout, folder: &Path) -> std::io::Result<Vec<String>>;
    /// The command that makes it take up what was configured anew. Only peerings differ.
    fn reload(&self, _program: &Path, _folder: &Path) -> Option<Command> {
        None
    }
    /// How many leaked routes it holds by its own account, where it has one.
    fn leaked(&self, _program: &Path, _folder: &Path) -> Option<usize> {
        None
    }
}

/// A target that is there.
pub struct Found {
    adapter: Box<dyn Target>,
    program: PathBuf,
    /// Its version.
    pub version: String,
}

impl Found {
    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        self.adapter.name()
    }

    /// Why it cannot run this layout, if so. `reloads`: its peerings will change while it runs.
    pub fn unable(&self, layout: &Layout, reloads: bool) -> Option<&'static str> {
        let cannot_reload = reloads && self.adapter.reload(&self.program, Path::new("")).is_none();
        self.adapter.unable(layout).or(cannot_reload.then_some("it has no reload that the harness could use"))
    }

    /// Starts it; it listens on port 179 of the target's address soon after.
    pub fn start(&self, layout: &Layout) -> Result<Running<'_>, String> {
        let folder = PathBuf::from("/run/target").join(self.name());
        let start = || -> std::io::Result<Running<'_>> {
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir_all(&folder)?;
            let arguments = self.adapter.configure(layout, &folder)?;
            let log = fs::File::create(folder.join("log"))?;
            let child = Command::new("ip")
                .args(["netns", "exec", "target"])
                .arg(&self.program)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()?;
            Ok(Running { found: self, child, folder: folder.clone() })
        };
        start().map_err(|error| format!("{} did not start: {error}", self.name()))
    }
}

/// A started target; dropping it ends it. `ip netns exec` becomes the program, so the child is the program.
pub struct Running<'a> {
    found: &'a Found,
    child: Child,
    folder: PathBuf,
}

impl Running<'_> {
    /// Its first process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True until it ends.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The end of what it printed.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines().rev().take(10).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Writes the configuration of a layout whose peerings differ; answers the command that makes it count.
    pub fn prepare(&self, layout: &Layout) -> Result<Command, String> {
        let written = self.found.adapter.configure(layout, &self.folder);
        written.map_err(|error| format!("{}: {error}", self.found.name()))?;
        let reload = self.found.adapter.reload(&self.found.program, &self.folder);
        reload.ok_or_else(|| format!("{} has no reload", self.found.name()))
    }

    /// How many leaked routes it holds by its own account, where it has one.
    pub fn leaked(&self) -> Option<usize> {
        self.found.adapter.leaked(&self.found.program, &self.folder)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Children that outlive the first process would hold the port for the next target.
        let processes = Meter::new(self.pid(), Duration::ZERO).processes();
        let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
        let _ = Command::new("sh").args(["-c", &format!("kill -9 {}", processes.join(" "))]).status();
        let _ = self.child.wait();
    }
}

/// Every target that the harness knows, this project's with so many shards.
pub fn all(shards: usize) -> Vec<Box<dyn Target>> {
    vec![
        Box::new(peerage::Peerage { shards }),
        Box::new(bird::Bird::two()),
        Box::new(bird::Bird::three()),
        Box::new(frr::Frr),
        Box::new(gobgp::GoBgp::go()),
        Box::new(openbgpd::OpenBgpd),
        Box::new(gobgp::GoBgp::rust()),
    ]
}

/// Looks for a target at the path that `named` has for it, or where it is usually. An error says what is missing.
pub fn find(adapter: Box<dyn Target>, named: &HashMap<String, PathBuf>) -> Result<Found, String> {
    let program = named.get(adapter.name()).cloned().unwrap_or_else(|| adapter.program());
    if !program.exists() {
        return Err(format!("missing: {}; {} is not there", adapter.origin(), program.display()));
    }
    let version = adapter.version(&program)?;
    Ok(Found { adapter, program, version })
}

/// The first line that a program prints.
fn first_line(program: &Path, flag: &str) -> Result<String, String> {
    let output = Command::new(program).arg(flag).output().map_err(|error| format!("{}: {error}", program.display()))?;
    let text = [output.stdout, output.stderr].concat();
    let line = String::from_utf8_lossy(&text).lines().next().map(str::to_owned);
    line.ok_or_else(|| format!("{} {flag} printed nothing", program.display()))
}
