//! `get`: what the daemon knows, as tables.

use std::collections::BTreeSet;

use super::{Error, print};
use crate::api::client::Client;
use crate::api::schema::{Conflict, Neighbor, Network, Peering, Vrf};
use crate::cli::{GetArgs, Output, Resource};
use crate::output::{Table, grouped};

pub(crate) async fn run(args: GetArgs) -> Result<(), Error> {
    let client = Client::new(&args.connection.socket);
    match args.resource {
        Resource::Networks => {
            let networks: Vec<Network> = client.get("/v1/networks", &()).await?;
            let peerings: Vec<Peering> = client.get("/v1/peerings", &()).await?;
            print(args.output, &networks, |wide| self::networks(&networks, &peerings, wide))
        }
        Resource::Peerings => list_peerings(&client, args.output).await,
        Resource::Neighbors => {
            let neighbors: Vec<Neighbor> = client.get("/v1/neighbors", &()).await?;
            print(args.output, &neighbors, |wide| self::neighbors(&neighbors, wide))
        }
        Resource::Conflicts => {
            let conflicts: Vec<Conflict> = client.get("/v1/conflicts", &()).await?;
            print(args.output, &conflicts, |_| self::conflicts(&conflicts))
        }
        Resource::Vrfs => {
            let vrfs: Vec<Vrf> = client.get("/v1/vrfs", &()).await?;
            print(args.output, &vrfs, |wide| self::vrfs(&vrfs, wide))
        }
    }
}

/// Prints all peerings; `network peering list` is the same.
pub(super) async fn list_peerings(client: &Client, format: Option<Output>) -> Result<(), Error> {
    let peerings: Vec<Peering> = client.get("/v1/peerings", &()).await?;
    print(format, &peerings, |wide| self::peerings(&peerings, wide))
}

fn networks(networks: &[Network], peerings: &[Peering], wide: bool) -> String {
    let mut head = vec!["NAMESPACE", "NAME", "STATE", "VRF", "PEERED-WITH"];
    if wide {
        head.push("UID");
    }
    let mut table = Table::new(head);
    for network in networks {
        let own = format!("{}/{}", network.namespace, network.name);
        let bound = peerings.iter().filter(|peering| peering.phase == "Bound");
        let peers: BTreeSet<&str> = bound
            .filter_map(|peering| match (&peering.network1, peering.network2.as_ref()?) {
                (network1, network2) if *network1 == own => Some(network2.as_str()),
                (network1, network2) if *network2 == own => Some(network1.as_str()),
                _ => None,
            })
            .collect();
        let mut row = vec![
            network.namespace.clone(),
            network.name.clone(),
            network.state.clone(),
            network.vrf.clone().unwrap_or_default(),
            Vec::from_iter(peers).join(","),
        ];
        if wide {
            row.push(network.uid.clone());
        }
        table.row(row);
    }
    table.render(0)
}

fn peerings(peerings: &[Peering], wide: bool) -> String {
    let mut head = vec!["NAME", "NETWORK1", "NETWORK2", "PHASE", "STATE", "REASON", "LEAKED"];
    if wide {
        head.extend(["TYPE", "SINCE", "REFUSED", "MESSAGE"]);
    }
    let mut table = Table::new(head);
    for peering in peerings {
        let leaks = |count: fn(&crate::api::schema::Leak) -> u64| {
            let each: Vec<_> =
                peering.leaks.iter().map(|leak| format!("{}→{}:{}", leak.from, leak.to, count(leak))).collect();
            each.join(" ")
        };
        let mut row = vec![
            peering.name.clone(),
            peering.network1.clone(),
            peering.network2.clone().unwrap_or_default(),
            peering.phase.clone(),
            peering.state.clone(),
            peering.reason.clone().unwrap_or_default(),
            leaks(|leak| leak.routes),
        ];
        if wide {
            row.extend([
                peering.peering_type.clone(),
                peering.last_phase_transition_time.clone(),
                leaks(|leak| leak.refused.values().sum()),
                peering.message.clone().unwrap_or_default(),
            ]);
        }
        table.row(row);
    }
    table.render(0)
}

fn neighbors(neighbors: &[Neighbor], wide: bool) -> String {
    let mut head = vec!["VRF", "ADDRESS", "AS", "CLASS", "STATE", "UP", "ACCEPTED", "REFUSED", "SENT"];
    if wide {
        head.extend(["HOST", "ROUTER-ID", "HOLD", "FAMILIES", "DESCRIPTION", "REASON"]);
    }
    let mut table = Table::new(head);
    for neighbor in neighbors {
        let text = |value: Option<String>| value.unwrap_or_default();
        let mut row = vec![
            neighbor.vrf.clone(),
            neighbor.name(),
            text(neighbor.remote_as.map(|asn| asn.to_string())),
            neighbor.class.clone(),
            neighbor.state.clone(),
            text(neighbor.uptime.map(duration)),
            grouped(neighbor.accepted),
            grouped(neighbor.refused.values().sum()),
            grouped(neighbor.advertised),
        ];
        if wide {
            row.extend([
                text(neighbor.remote_hostname.clone()),
                text(neighbor.remote_id.map(|id| id.to_string())),
                text(neighbor.hold_time.map(|seconds| format!("{seconds}s"))),
                neighbor.families.join(","),
                text(neighbor.description.clone()),
                text(neighbor.reason.clone()),
            ]);
        }
        table.row(row);
    }
    let mut rendered = table.render(0);
    if !wide {
        for neighbor in neighbors {
            if let Some(reason) = &neighbor.reason {
                rendered.push_str(&format!("{} in {}: {reason}\n", neighbor.name(), neighbor.vrf));
            }
        }
    }
    rendered
}

fn vrfs(vrfs: &[Vrf], wide: bool) -> String {
    let mut head = vec!["NAME", "NETWORK", "NATIVE", "LEAKED"];
    if wide {
        head.extend(["BINDING", "INTERFACES"]);
    }
    let mut table = Table::new(head);
    for vrf in vrfs {
        let mut row =
            vec![vrf.name.clone(), vrf.network.clone().unwrap_or_default(), grouped(vrf.native), grouped(vrf.leaked)];
        if wide {
            row.extend([vrf.binding.clone(), vrf.interfaces.join(",")]);
        }
        table.row(row);
    }
    table.render(0)
}

fn conflicts(conflicts: &[Conflict]) -> String {
    let mut table = Table::new(["PREFIX", "NETWORK", "WINNER", "LOSER", "RULE"]);
    for Conflict { prefix, network, winner, loser, rule } in conflicts {
        table.row([prefix.to_string(), network.clone(), winner.clone(), loser.clone(), rule.clone()]);
    }
    table.render(0)
}

/// Seconds as people read them: `42s`, `3m05s`, `2h07m`, `9d04h`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_two_units() {
        assert_eq!(duration(42), "42s");
        assert_eq!(duration(185), "3m05s");
        assert_eq!(duration(7_620), "2h07m");
        assert_eq!(duration(792_000), "9d04h");
    }
}
