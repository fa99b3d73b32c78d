//! Replays routing data of collectors and holds what stands at the end against what is known of it.
//!
//! Every file is given to the built binary, as anyone could from outside; nothing of the codec is linked here.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::run;

/// Where the data is, if it is there: beside the checkout.
pub(crate) fn beside() -> Option<PathBuf> {
    run::root().parent().map(|parent| parent.join("shared/data")).filter(|folder| folder.is_dir())
}

/// What is left when all of a file was done, and what was met on the way.
#[derive(Debug, Default, PartialEq, Eq)]
struct End {
    /// Prefixes that stand, by peer.
    prefixes: usize,
    peers: usize,
    updates: usize,
    /// UPDATEs with 2-octet AS numbers in a path.
    narrow: usize,
    /// UPDATEs that RFC 7606 makes withdrawals of, and their prefixes.
    treated_as_withdraw: usize,
    withdrawn_so: usize,
    state_changes: usize,
    /// Routes of tables, and those of them with a path identifier.
    routes: usize,
    with_path_id: usize,
    /// Messages that would end their session.
    resets: usize,
}

/// The files, and what is known of each.
fn known() -> [(&'static str, End); 5] {
    let add_path = || End { prefixes: 33, peers: 3, routes: 62, with_path_id: 62, ..End::default() };
    [
        (
            "updates.et-header.2015.gz",
            End {
                prefixes: 577_699,
                peers: 1,
                updates: 89_679,
                treated_as_withdraw: 1,
                withdrawn_so: 4,
                state_changes: 4,
                ..End::default()
            },
        ),
        ("updates.20071015.1505.gz", End { prefixes: 2931, peers: 14, updates: 4222, narrow: 4056, ..End::default() }),
        (
            "rrc00_2000.01_bview.20000111.0032.gz",
            End { prefixes: 452_018, peers: 7, routes: 452_018, ..End::default() },
        ),
        ("bview.ipv4_unicast_add_path.gz", add_path()),
        ("bview.ipv6_unicast_add_path.gz", add_path()),
    ]
}

/// Replays every file. Fails unless each ends as it is known to.
pub(crate) fn run(folder: &Path, peerage: &run::Peerage) -> Result<(), String> {
    for (name, expected) in known() {
        let end = replay(&folder.join(name), peerage)?;
        println!("{name}: {end:?}");
        if end != expected {
            return Err(format!("{name} should end as {expected:?}"));
        }
    }
    Ok(())
}

fn replay(file: &Path, peerage: &run::Peerage) -> Result<End, String> {
    let shown = format!("peerage decode --mrt {} -o json", file.display());
    eprintln!("==> {shown}");
    let mut command = peerage.command(&["decode", "--mrt"]);
    command.arg(file).args(["-o", "json"]).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("`{shown}` did not start: {error}"))?;
    let mut replay = Replay::default();
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let line = line.map_err(|error| format!("reading `{shown}`: {error}"))?;
        replay.line(&serde_json::from_str(&line).map_err(|error| format!("`{shown}` printed `{line}`: {error}"))?);
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(replay.end()),
        Ok(status) => Err(format!("`{shown}` failed: {status}")),
        Err(error) => Err(format!("waiting for `{shown}`: {error}")),
    }
}

#[derive(Default)]
struct Replay {
    end: End,
    standing: HashSet<(String, String)>,
    peers: HashSet<String>,
}

impl Replay {
    fn line(&mut self, line: &Value) {
        let peer = line["peer"]["address"].as_str().unwrap_or_default();
        match line["type"].as_str() {
            Some("update") => self.update(peer, line),
            Some("route") => {
                self.end.routes += 1;
                self.end.with_path_id += usize::from(line["path_id"].is_u64());
                self.stands(peer, &line["prefix"], true);
            }
            Some("state-change") => self.end.state_changes += 1,
            Some("malformed") => self.end.resets += 1,
            _ => {}
        }
    }

    fn update(&mut self, peer: &str, line: &Value) {
        self.end.updates += 1;
        self.end.narrow += usize::from(!line["effective_as_path"].is_null());
        let counts_as_withdrawal = line["treatment"] == "treat-as-withdraw";
        self.end.treated_as_withdraw += usize::from(counts_as_withdrawal);
        let update = &line["update"];
        for (pointer, announces) in
            [("/withdrawn", false), ("/mp_unreach/nlri", false), ("/nlri", true), ("/mp_reach/nlri", true)]
        {
            for route in update.pointer(pointer).and_then(Value::as_array).into_iter().flatten() {
                self.end.withdrawn_so += usize::from(announces && counts_as_withdrawal);
                self.stands(peer, &route["prefix"], announces && !counts_as_withdrawal);
            }
        }
    }

    fn stands(&mut self, peer: &str, prefix: &Value, stands: bool) {
        let key = (peer.to_owned(), prefix.as_str().unwrap_or_default().to_owned());
        if stands {
            self.peers.insert(key.0.clone());
            self.standing.insert(key);
        } else {
            self.standing.remove(&key);
        }
    }

    fn end(self) -> End {
        End { prefixes: self.standing.len(), peers: self.peers.len(), ..self.end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_route_that_was_withdrawn_or_counts_so_does_not_stand() {
        let update = |treatment: &str, withdrawn: &[&str], nlri: &[&str]| {
            let routes =
                |prefixes: &[&str]| prefixes.iter().map(|prefix| json!({"prefix": prefix})).collect::<Vec<_>>();
            let update = json!({"withdrawn": routes(withdrawn), "nlri": routes(nlri)});
            json!({"type": "update", "peer": {"address": "192.0.2.1"}, "treatment": treatment, "update": update})
        };
        let mut replay = Replay::default();
        replay.line(&update("accept", &[], &["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"]));
        replay.line(&update("accept", &["10.1.0.0/16"], &[]));
        replay.line(&update("treat-as-withdraw", &[], &["10.2.0.0/16"]));
        let end = replay.end();
        assert_eq!((end.prefixes, end.peers, end.updates), (1, 1, 3));
        assert_eq!((end.treated_as_withdraw, end.withdrawn_so), (1, 1));
    }
}
