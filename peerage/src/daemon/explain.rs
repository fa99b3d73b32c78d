//! Why a prefix is in a VRF: the engine's own steps, and where no edge leads on, what the evaluation says of the peering.

use ipnet::IpNet;
use speaker::{Installed, Told};

use super::Daemon;
use super::status::{failure, shown};
use crate::api::schema::{Explanation, Failure, Step};

impl Daemon {
    /// Why `vrf` has a route for `prefix`, or which step keeps it out; `from` is the VRF that it should come from.
    pub(crate) async fn explain(&self, vrf: &str, prefix: IpNet, from: Option<&str>) -> Result<Explanation, Failure> {
        let found = self.speaker.explain(vrf, prefix, from).await.map_err(failure)?;
        let mut steps: Vec<Step> = Vec::new();
        let mut reason = None;
        let mut change = None;
        let mut absent = false;
        for stage in &found.stages {
            let finding = &stage.finding;
            absent |= finding.blocks();
            reason = reason.or_else(|| finding.reason());
            change = change.or_else(|| finding.change());
            let what = finding.to_string();
            steps.push(Step { check: stage.check.to_string(), passed: !finding.blocks(), what });
        }
        if let Some(installed) = &found.installed {
            let passed = !matches!(installed, Installed::Failed(_));
            steps.push(Step { check: "installed".to_owned(), passed, what: installed.to_string() });
        }
        for Told { neighbor, kept_back } in &found.told {
            let what = match kept_back {
                None => format!("to {neighbor}"),
                Some(why) => format!("not to {neighbor}: {why}"),
            };
            steps.push(Step { check: "advertised".to_owned(), passed: true, what });
        }
        if let (Some("NotPeered"), Some(from)) = (reason, &found.from)
            && let Some(peering) = self.peering_between(vrf, from)
            && let Some(last) = steps.last_mut()
        {
            last.what = format!("{}: {peering}", last.what);
        }
        let verdict = match (absent, &found.from) {
            (true, _) => "absent",
            (false, Some(_)) => "leaked",
            (false, None) => "native",
        };
        Ok(Explanation {
            vrf: found.vrf,
            prefix: found.prefix,
            from: found.from,
            verdict: verdict.to_owned(),
            reason: reason.map(str::to_owned),
            change,
            steps,
        })
    }

    /// In words, what the evaluation says of the peering between the networks of two VRFs; nothing if there is none.
    fn peering_between(&self, vrf1: &str, vrf2: &str) -> Option<String> {
        let view = self.view();
        let network = |vrf: &str| view.vrfs.iter().find(|(_, name)| *name == vrf).map(|(network, _)| network.clone());
        let (network1, network2) = (network(vrf1)?, network(vrf2)?);
        let joins = |one: &str, two: &str| (one == network1 && two == network2) || (one == network2 && two == network1);
        let peering = view.outcome.peerings.iter().find_map(|peering| {
            let other = peering.network2.as_ref()?.to_string();
            joins(&peering.network1.to_string(), &other).then(|| (shown(&peering.name), &peering.status))
        });
        let entry = view.outcome.networks.iter().find_map(|network| {
            let entry =
                network.entries.iter().find(|entry| joins(&network.id.to_string(), &entry.target.to_string()))?;
            Some((format!("{}/{}", network.id, entry.name), &entry.status))
        });
        let (name, status) = peering.or(entry)?;
        let reason = status.reason.map(|reason| format!(", {reason}")).unwrap_or_default();
        let message = status.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        Some(format!("peering {name} is {:?}, {:?}{reason}{message}", status.phase, status.state))
    }
}
