//! OpenBGPD's portable release: one table; three processes, of which two run as a user of their own.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Layout, Target, first_line};
use crate::place::{self, AS, TARGET, Who};

pub(super) struct OpenBgpd;

impl Target for OpenBgpd {
    fn name(&self) -> &'static str {
        "openbgpd"
    }

    fn program(&self) -> PathBuf {
        "/usr/sbin/bgpd".into()
    }

    fn origin(&self) -> &'static str {
        "Debian package openbgpd"
    }

    fn version(&self, program: &Path) -> Result<String, String> {
        first_line(program, "-V")
    }

    fn unable(&self, layout: &Layout) -> Option<&'static str> {
        let user = (!place::is_root()).then_some("it takes on users of its own, so the harness must run as root");
        user.or_else(|| layout.needs_vrfs("its VRFs are OpenBSD's routing domains, which Linux does not have"))
    }

    fn configure(&self, layout: &Layout, folder: &Path) -> std::io::Result<Vec<String>> {
        let mut text = format!(
            "AS {AS}\nrouter-id {TARGET}\nlisten on {} port 179\nfib-update no\nsocket \"{}/bgpd.sock\"\n",
            layout.family.target(),
            folder.display()
        );
        for (who, _) in &layout.neighbors {
            let export = if matches!(who, Who::Sink(_)) { "" } else { "\n  export none" };
            let _ = writeln!(
                text,
                "neighbor {} {{\n  remote-as {}\n  passive\n  holdtime {}\n  announce {} unicast{export}\n}}",
                who.address(layout.family),
                who.asn(),
                who.hold_time(),
                layout.family.to_string().replace("ipv", "IPv"),
            );
        }
        text += "allow from any\nallow to any\n";
        let file = folder.join("bgpd.conf");
        fs::write(&file, text)?;
        // It refuses a file that others could write.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        Ok(vec!["-d".into(), "-f".into(), file.display().to_string()])
    }
}
