//! This project's daemon: one VRF per table, an ironcore network per VRF, a pair of entries per peering.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Layout, Target, first_line};
use crate::place::{AS, Family, TARGET, Who};

pub(super) struct Peerage {
    pub(super) shards: usize,
}

impl Target for Peerage {
    fn name(&self) -> &'static str {
        "peerage"
    }

    /// Beside this harness's own program.
    fn program(&self) -> PathBuf {
        std::env::current_exe().unwrap_or_default().with_file_name("peerage")
    }

    fn origin(&self) -> &'static str {
        "cargo build --release -p peerage"
    }

    fn version(&self, program: &Path) -> Result<String, String> {
        first_line(program, "version")
    }

    fn unable(&self, _: &Layout) -> Option<&'static str> {
        None
    }

    fn configure(&self, layout: &Layout, folder: &Path) -> std::io::Result<Vec<String>> {
        let files = [("speaker.yaml", speaker(layout, folder, self.shards)), ("networks.yaml", networks(layout))];
        let mut arguments = vec!["run".to_owned()];
        for (name, text) in files {
            fs::write(folder.join(name), &text)?;
            if text.is_empty() {
                continue;
            }
            arguments.extend(["-f".to_owned(), folder.join(name).display().to_string()]);
        }
        Ok(arguments)
    }

    fn reload(&self, program: &Path, folder: &Path) -> Option<Command> {
        let mut command = Command::new(program);
        command.arg("apply").arg("--socket").arg(folder.join("api.sock")).arg("-f").arg(folder.join("networks.yaml"));
        Some(command)
    }

    fn leaked(&self, program: &Path, folder: &Path) -> Option<usize> {
        let mut command = Command::new(program);
        command.args(["get", "vrfs", "-o", "json", "--socket"]).arg(folder.join("api.sock"));
        let output = command.output().ok()?;
        let vrfs: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let counts = vrfs.as_array()?.iter().map(|vrf| vrf.get("leaked").and_then(serde_json::Value::as_u64));
        counts.sum::<Option<u64>>().and_then(|sum| usize::try_from(sum).ok())
    }
}

fn speaker(layout: &Layout, folder: &Path, shards: usize) -> String {
    let (address, family) = match layout.family {
        Family::Ipv4 => (TARGET.to_string(), "ipv4-unicast"),
        Family::Ipv6 => (format!("[{}]", layout.family.target()), "ipv6-unicast"),
    };
    let folder = folder.display();
    let mut text = format!(
        "apiVersion: peerage.dev/v1alpha1\nkind: Speaker\nmetadata: {{name: bench}}\nspec:\n  asn: {AS}\n  \
         routerId: {TARGET}\n  listen: [\"{address}:179\"]\n  fib: memory\n  shards: {shards}\n  api: {{socket: {folder}/api.sock}}\n  \
         stateFile: {folder}/state.json\n  vrfs:\n"
    );
    for vrf in 0..layout.vrfs {
        let _ = match layout.vrfs {
            1 => writeln!(text, "  - {{name: v0}}"),
            _ => writeln!(text, "  - {{name: v{vrf}, network: n{vrf}}}"),
        };
    }
    text += "  neighbors:\n";
    for (who, vrf) in &layout.neighbors {
        let policies = match who {
            Who::Feeder(_) => "import: accept, export: deny",
            Who::Sink(_) => "import: deny, export: accept",
            Who::Witness(_) => "import: deny, export: deny",
        };
        let _ = writeln!(
            text,
            "  - {{vrf: v{vrf}, address: \"{}\", remoteAs: {}, class: fabric, passive: true, families: [{family}], \
             timers: {{hold: {}}}, {policies}}}",
            who.address(layout.family),
            who.asn(),
            who.hold_time()
        );
    }
    text
}

/// One network per VRF. What leaks to a VRF with a sink is told to it; nothing else is told on.
fn networks(layout: &Layout) -> String {
    if layout.vrfs == 1 {
        return String::new();
    }
    let mut peers = vec![Vec::new(); layout.vrfs];
    for (a, b) in &layout.peerings {
        peers[*a].push(*b);
        peers[*b].push(*a);
    }
    let mut exposed = String::new();
    if let Some(filter) = &layout.filter {
        exposed += ", prefixes: [";
        for (n, prefix) in filter.iter().enumerate() {
            let _ = write!(exposed, "{{name: x{n}, prefix: \"{prefix}\"}}, ");
        }
        exposed += "]";
    }
    let mut text = String::new();
    for (vrf, peers) in peers.iter().enumerate() {
        let advertise = if layout.has_sink(vrf) { "all" } else { "none" };
        let vni = 100 + vrf;
        let _ = writeln!(
            text,
            "---\napiVersion: networking.ironcore.dev/v1alpha1\nkind: Network\nmetadata: {{name: n{vrf}, annotations: \
             {{peerage.dev/advertise: {advertise}, peerage.dev/limit: \"10000000\"}}}}\nspec:\n  \
             providerID: \"ironcore-net://default/n{vrf}/{vni}/n{vrf}\"\n  peerings:"
        );
        for peer in peers {
            let exposed = if layout.feeders(vrf).next().is_some() { exposed.as_str() } else { "" };
            let _ = writeln!(text, "  - {{name: p{peer}, networkRef: {{name: n{peer}}}{exposed}}}");
        }
    }
    text
}
