//! `plan`: what a change would do.

use std::fmt::Write as _;

use super::{Error, apply, peering, print};
use crate::api::client::Client;
use crate::api::schema::{Apply, File, Plan, PlannedRoute};
use crate::cli::{PlanArgs, PlannedCommand, PlannedNetworkCommand, PlannedPeeringCommand};
use crate::output::grouped;

/// Routes that are shown for a VRF unless all are asked for.
const SHOWN: usize = 10;

pub(crate) async fn run(args: PlanArgs) -> Result<(), Error> {
    let (files, connection, format) = match args.command {
        None => (apply::read(&args.files)?, args.connection, args.output),
        Some(PlannedCommand::Network {
            command: PlannedNetworkCommand::Peering { command: PlannedPeeringCommand::Create { create, output } },
        }) => {
            let text = crate::output::yaml(&peering::manifest(&create))?;
            (vec![File { name: "command line".to_owned(), text }], create.connection, output)
        }
    };
    let client = Client::new(&connection.socket);
    let plan: Plan = client.post("/v1/plan", &Apply { files, plan: None, confirm_within: None }).await?;
    print(format, &plan, |wide| text(&plan, if wide { usize::MAX } else { SHOWN }))
}

/// The plan as people read it. Writing to a String cannot fail.
fn text(plan: &Plan, shown: usize) -> String {
    let body = &plan.body;
    let mut text = String::new();
    for document in &body.documents {
        let _ = writeln!(text, "{} would be {}", document.document, document.result);
    }
    for peering in &body.peerings {
        let [before, after] = [&peering.before, &peering.after].map(|status| status.as_deref().unwrap_or("absent"));
        let _ = writeln!(text, "peering {}: {before} -> {after}", peering.name);
    }
    for change in &body.changes {
        let _ = writeln!(text, "  {change}");
    }
    for vrf in &body.vrfs {
        let table = vrf.table.map(|table| format!(", table {table}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "VRF {}{table}: {} added, {} removed, {} changed; {} -> {} destinations",
            vrf.vrf,
            grouped(vrf.added),
            grouped(vrf.removed),
            grouped(vrf.changed),
            grouped(vrf.destinations_before),
            grouped(vrf.destinations_after)
        );
        for (mark, routes, count) in
            [("+", &vrf.adds, vrf.added), ("-", &vrf.removes, vrf.removed), ("~", &vrf.changes, vrf.changed)]
        {
            for PlannedRoute { prefix, before, after } in routes.iter().take(shown) {
                let from = match (before, after) {
                    (Some(before), Some(after)) if before != after => format!("from {before}, then {after}"),
                    (_, Some(from)) | (Some(from), None) => format!("from {from}"),
                    (None, None) => String::new(),
                };
                let _ = writeln!(text, "  {mark} {prefix} {from}");
            }
            let more = count.saturating_sub(routes.len().min(shown) as u64);
            if more > 0 {
                let _ = writeln!(text, "  {mark} and {} more", grouped(more));
            }
        }
    }
    for leak in &body.leaks {
        let count = |count: Option<u64>| count.map_or_else(|| "no edge".to_owned(), grouped);
        let refused: Vec<_> =
            leak.refused.iter().map(|(reason, count)| format!("{} {reason}", grouped(*count))).collect();
        let refused = if refused.is_empty() { String::new() } else { format!("; refused: {}", refused.join(", ")) };
        let (before, after) = (count(leak.before), count(leak.after));
        let _ = writeln!(text, "{} -> {} ({}): {before} -> {after} leaked{refused}", leak.from, leak.to, leak.peering);
    }
    for conflict in body.conflicts.iter().take(shown) {
        let _ = writeln!(
            text,
            "conflict {} in {}: {} before {} ({})",
            conflict.prefix, conflict.network, conflict.winner, conflict.loser, conflict.rule
        );
    }
    if body.conflicts.len() > shown {
        let _ = writeln!(text, "conflict: and {} more", body.conflicts.len() - shown);
    }
    for neighbor in &body.neighbors {
        let _ = writeln!(
            text,
            "neighbor {}: {} announced, {} replaced, {} withdrawn",
            neighbor.neighbor,
            grouped(neighbor.announced),
            grouped(neighbor.replaced),
            grouped(neighbor.withdrawn)
        );
    }
    for (word, pairs) in [("would reach", &body.reachable), ("would no longer reach", &body.unreachable)] {
        for pair in pairs {
            let _ = writeln!(text, "{} {word} {}", pair.to, pair.from);
        }
    }
    let _ = writeln!(text, "sessions reset: {}", body.sessions_reset.len());
    for session in &body.sessions_reset {
        let _ = writeln!(text, "  {session}");
    }
    if !body.settled {
        let _ = writeln!(text, "an earlier change is still being worked on; what it changes is not in here");
    }
    let _ = writeln!(text, "to do exactly this: peerage apply --plan {}", plan.token);
    text
}
