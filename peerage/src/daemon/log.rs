//! What the daemon tells the log of peerings: every transition and refusal, with both uids and the reason (rule R50).

use network_peering::{NetworkId, Outcome, Status, Warning};
use tracing::{info, warn};

use super::plan::View;

/// One line each.
pub(super) fn warnings(warnings: &[Warning]) {
    for warning in warnings {
        warn!("{warning}");
    }
}

/// A line for each peering whose status is another one than before.
pub(super) fn transitions(before: Option<&View>, after: &View) {
    let known = before.map(|view| all(&view.outcome)).unwrap_or_default();
    for (name, networks, status) in all(&after.outcome) {
        let earlier = known.iter().find(|(known, ..)| *known == name).map(|(.., status)| *status);
        if earlier == Some(status) {
            continue;
        }
        let [uid1, uid2] = networks.map(|network| uid(&after.outcome, network.as_ref()));
        let (phase, state) = (status.phase, status.state);
        match (&status.reason, &status.message) {
            (Some(reason), Some(message)) => {
                info!(peering = %name, uid1, uid2, ?phase, ?state, %reason, "{message}");
            }
            _ => info!(peering = %name, uid1, uid2, ?phase, ?state, "in force"),
        }
    }
    for (name, networks, _) in &known {
        if !all(&after.outcome).iter().any(|(after, ..)| after == name) {
            let [uid1, uid2] = networks.clone().map(|network| before.map(|view| uid(&view.outcome, network.as_ref())));
            info!(peering = %name, uid1, uid2, "gone");
        }
    }
}

/// Every peering of both proposals: its name, the networks it joins, its status.
fn all(outcome: &Outcome) -> Vec<(String, [Option<NetworkId>; 2], &Status)> {
    let entries = outcome.networks.iter().flat_map(|network| {
        network.entries.iter().map(|entry| {
            let target = NetworkId { name: entry.target.clone(), api: network.id.api };
            (format!("{}/{}", network.id, entry.name), [Some(network.id.clone()), Some(target)], &entry.status)
        })
    });
    let peerings = outcome.peerings.iter().map(|peering| {
        (peering.name.to_string(), [Some(peering.network1.clone()), peering.network2.clone()], &peering.status)
    });
    entries.chain(peerings).collect()
}

fn uid<'a>(outcome: &'a Outcome, network: Option<&NetworkId>) -> &'a str {
    let found = outcome.networks.iter().find(|known| Some(&known.id) == network);
    found.map_or("none", |network| network.uid.as_str())
}
