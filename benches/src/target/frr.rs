//! FRR's bgpd alone, without zebra: one table.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Layout, Target, first_line};
use crate::place::{AS, TARGET, Who};

pub(super) struct Frr;

impl Target for Frr {
    fn name(&self) -> &'static str {
        "frr"
    }

    fn program(&self) -> PathBuf {
        "/usr/lib/frr/bgpd".into()
    }

    fn origin(&self) -> &'static str {
        "Debian package frr"
    }

    fn version(&self, program: &Path) -> Result<String, String> {
        first_line(program, "--version")
    }

    fn unable(&self, layout: &Layout) -> Option<&'static str> {
        layout.needs_vrfs("its VRFs need zebra and VRF devices of the kernel")
    }

    fn configure(&self, layout: &Layout, folder: &Path) -> std::io::Result<Vec<String>> {
        let mut text = format!(
            "router bgp {AS}\n bgp router-id {TARGET}\n no bgp ebgp-requires-policy\n no bgp network import-check\n \
             no bgp default ipv4-unicast\n"
        );
        let mut family = format!(" address-family {} unicast\n", layout.family);
        for (who, _) in &layout.neighbors {
            let (address, hold) = (who.address(layout.family), who.hold_time());
            let _ = writeln!(
                text,
                " neighbor {address} remote-as {}\n neighbor {address} passive\n neighbor {address} timers {} {hold}\n \
                 neighbor {address} advertisement-interval 0",
                who.asn(),
                hold / 3
            );
            let _ = writeln!(family, "  neighbor {address} activate");
            if !matches!(who, Who::Sink(_)) {
                let _ = writeln!(family, "  neighbor {address} route-map none out");
            }
            if !matches!(who, Who::Feeder(_)) {
                let _ = writeln!(family, "  neighbor {address} route-map none in");
            }
        }
        let file = folder.join("bgpd.conf");
        fs::write(&file, format!("{text}{family} exit-address-family\nroute-map none deny 10\n"))?;
        let (file, folder) = (file.display(), folder.display());
        let arguments = format!("-S -Z -n -u root -g root -f {file} -i {folder}/bgpd.pid --vty_socket {folder}");
        Ok(arguments.split(' ').map(str::to_owned).collect())
    }
}
