//! BIRD: a table per VRF, a pipe per peering. A pipe would pass on what another pipe brought, so one between tables that
//! both have routes of their own lets only those through.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Layout, Target, first_line};
use crate::place::{AS, Family, TARGET, Who};

pub(super) struct Bird {
    name: &'static str,
    program: &'static str,
    origin: &'static str,
    major: &'static str,
}

impl Bird {
    pub(super) fn two() -> Self {
        Self { name: "bird", program: "/usr/sbin/bird", origin: "Debian package bird2", major: "2." }
    }

    /// Both install one program name, so a second one is named with `--program`.
    pub(super) fn three() -> Self {
        Self { name: "bird3", program: "/usr/sbin/bird", origin: "Debian package bird3 (from trixie on)", major: "3." }
    }
}

impl Target for Bird {
    fn name(&self) -> &'static str {
        self.name
    }

    fn program(&self) -> PathBuf {
        self.program.into()
    }

    fn origin(&self) -> &'static str {
        self.origin
    }

    fn version(&self, program: &Path) -> Result<String, String> {
        let version = first_line(program, "--version")?;
        let number = version.rsplit(' ').next().unwrap_or_default();
        if !number.starts_with(self.major) {
            return Err(format!("missing: {}; {} is {version}", self.origin, program.display()));
        }
        Ok(version)
    }

    fn unable(&self, _: &Layout) -> Option<&'static str> {
        None
    }

    fn configure(&self, layout: &Layout, folder: &Path) -> std::io::Result<Vec<String>> {
        let file = folder.join("bird.conf");
        fs::write(&file, configuration(layout))?;
        let socket = folder.join("bird.ctl");
        Ok(vec!["-f".into(), "-c".into(), file.display().to_string(), "-s".into(), socket.display().to_string()])
    }

    fn reload(&self, program: &Path, folder: &Path) -> Option<Command> {
        let mut command = Command::new(program.with_file_name("birdc"));
        command.arg("-s").arg(folder.join("bird.ctl")).arg("configure");
        Some(command)
    }
}

fn configuration(layout: &Layout) -> String {
    let family = layout.family.to_string();
    let target = layout.family.target();
    let table = |vrf: usize| match (layout.vrfs, layout.family) {
        (1, Family::Ipv4) => "master4".to_owned(),
        (1, Family::Ipv6) => "master6".to_owned(),
        _ => format!("t{vrf}"),
    };
    let mut text = format!("router id {TARGET};\nprotocol device {{}}\n");
    if layout.vrfs > 1 {
        for vrf in 0..layout.vrfs {
            let _ = writeln!(text, "{family} table {};", table(vrf));
        }
    }
    if let Some(filter) = &layout.filter {
        let entries: Vec<String> = filter.iter().map(|prefix| format!("{prefix}+")).collect();
        let _ = writeln!(text, "define EXPOSED = [ {} ];", entries.join(",\n"));
    }
    for (from, to) in &layout.peerings {
        let passes = |vrf: usize, other: usize| {
            let own: Vec<String> = layout.feeders(vrf).map(|n| format!("proto = \"feeder{n}\"")).collect();
            let mut conditions = Vec::new();
            if own.is_empty() {
                return "none".to_owned();
            }
            if layout.feeders(other).next().is_some() {
                conditions.push(format!("({})", own.join(" || ")));
            }
            if layout.filter.is_some() {
                conditions.push("net ~ EXPOSED".to_owned());
            }
            if conditions.is_empty() { "all".to_owned() } else { format!("where {}", conditions.join(" && ")) }
        };
        let _ = writeln!(
            text,
            "protocol pipe p{from}_{to} {{ table {}; peer table {}; export {}; import {}; }}",
            table(*from),
            table(*to),
            passes(*from, *to),
            passes(*to, *from)
        );
    }
    for (who, vrf) in &layout.neighbors {
        let (name, import, export) = match who {
            Who::Feeder(n) => (format!("feeder{n}"), "all", "none"),
            Who::Sink(n) => (format!("sink{n}"), "none", "all"),
            Who::Witness(n) => (format!("witness{n}"), "none", "none"),
        };
        let _ = writeln!(
            text,
            "protocol bgp {name} {{ local {target} as {AS}; neighbor {} as {}; passive; hold time {}; \
             {family} {{ table {}; import {import}; export {export}; }}; }}",
            who.address(layout.family),
            who.asn(),
            who.hold_time(),
            table(*vrf)
        );
    }
    text
}
