//! GoBGP, and RustyBGP, which reads GoBGP's configuration: one table, and a policy that keeps feeders and witnesses untold.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Layout, Target, first_line};
use crate::place::{AS, TARGET, Who};

pub(super) struct GoBgp {
    name: &'static str,
    program: &'static str,
    origin: &'static str,
    arguments: &'static [&'static str],
}

impl GoBgp {
    pub(super) fn go() -> Self {
        Self {
            name: "gobgp",
            program: "/usr/bin/gobgpd",
            origin: "Debian package gobgpd",
            arguments: &["-t", "toml", "-l", "error", "-p", "-f"],
        }
    }

    pub(super) fn rust() -> Self {
        Self {
            name: "rustybgp",
            program: "/usr/local/bin/rustybgpd",
            origin: "built from https://github.com/osrg/rustybgp",
            arguments: &["-f"],
        }
    }
}

impl Target for GoBgp {
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
        first_line(program, "--version")
    }

    fn unable(&self, layout: &Layout) -> Option<&'static str> {
        layout.needs_vrfs("it leaks between VRFs by way of VPN routes only, so it has nothing comparable")
    }

    fn configure(&self, layout: &Layout, folder: &Path) -> std::io::Result<Vec<String>> {
        let target = layout.family.target();
        let mut text = format!(
            "[global.config]\nas = {AS}\nrouter-id = \"{TARGET}\"\nport = 179\nlocal-address-list = [\"{target}\"]\n\
             [global.apply-policy.config]\nexport-policy-list = [\"export\"]\ndefault-export-policy = \"accept-route\"\n\
             default-import-policy = \"accept-route\"\n"
        );
        let mut untold = Vec::new();
        for (who, _) in &layout.neighbors {
            let (address, hold) = (who.address(layout.family), who.hold_time());
            let _ = writeln!(
                text,
                "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{address}\"\npeer-as = {}\n\
                 [neighbors.transport.config]\npassive-mode = true\nlocal-address = \"{target}\"\n\
                 [neighbors.timers.config]\nhold-time = {hold}\nkeepalive-interval = {}\n\
                 [[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{}-unicast\"",
                who.asn(),
                hold / 3,
                layout.family
            );
            if !matches!(who, Who::Sink(_)) {
                untold.push(format!("\"{address}\""));
            }
        }
        let _ = writeln!(
            text,
            "[[defined-sets.neighbor-sets]]\nneighbor-set-name = \"untold\"\nneighbor-info-list = [{}]\n\
             [[policy-definitions]]\nname = \"export\"\n[[policy-definitions.statements]]\nname = \"untold\"\n\
             [policy-definitions.statements.conditions.match-neighbor-set]\nneighbor-set = \"untold\"\n\
             match-set-options = \"any\"\n[policy-definitions.statements.actions]\nroute-disposition = \"reject-route\"",
            untold.join(", ")
        );
        let file = folder.join("gobgp.toml");
        fs::write(&file, text)?;
        Ok(self.arguments.iter().map(|word| (*word).to_owned()).chain([file.display().to_string()]).collect())
    }
}
