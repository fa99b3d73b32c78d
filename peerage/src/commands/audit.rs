//! `audit`: the proof that nothing is leaked but what may be, or the counter-example.

use std::process::ExitCode;

use super::{Error, print};
use crate::api::client::Client;
use crate::api::schema::Audit;
use crate::cli::ClientArgs;
use crate::output::grouped;

pub(crate) async fn run(args: ClientArgs) -> Result<ExitCode, Error> {
    let client = Client::new(&args.connection.socket);
    let audit: Audit = client.get("/v1/audit", &()).await?;
    print(args.output, &audit, |_| text(&audit))?;
    Ok(if audit.faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(audit: &Audit) -> String {
    let mut text = format!(
        "{} destinations, {} leaked paths with a witness, {} wrong\n",
        grouped(audit.destinations),
        grouped(audit.witnessed),
        grouped(audit.faults)
    );
    if audit.limited > 0 {
        text.push_str(&format!("{} native destinations are kept out by a limit\n", grouped(audit.limited)));
    }
    if audit.unsettled > 0 {
        text.push_str(&format!("{} were passed over, since edges were changing\n", grouped(audit.unsettled)));
    }
    for violation in &audit.violations {
        let from = violation.from.as_deref().unwrap_or("nowhere");
        let peering = violation.peering.as_deref().unwrap_or("no peering");
        text.push_str(&format!(
            "WRONG {} in {} from {from} by {peering}: {}\n",
            violation.prefix, violation.vrf, violation.fault
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::schema::Violation;

    #[test]
    fn a_counter_example_is_shown_with_its_place() {
        let violation = Violation {
            vrf: "a".to_owned(),
            prefix: "10.0.0.0/24".parse().unwrap(),
            from: Some("b".to_owned()),
            peering: Some("p".to_owned()),
            fault: "why".to_owned(),
        };
        let audit = Audit {
            destinations: 1_000,
            witnessed: 3,
            limited: 0,
            unsettled: 2,
            faults: 1,
            violations: vec![violation],
        };
        assert_eq!(
            text(&audit),
            "1,000 destinations, 3 leaked paths with a witness, 1 wrong\n2 were passed over, since edges were changing\n\
             WRONG 10.0.0.0/24 in a from b by p: why\n"
        );
    }
}
