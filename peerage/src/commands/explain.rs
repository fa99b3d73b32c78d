//! `explain`: why a prefix is in a VRF, or which step keeps it out.

use std::fmt::Write as _;

use ipnet::IpNet;
use serde::Serialize;

use super::{Error, print};
use crate::api::client::Client;
use crate::api::schema::Explanation;
use crate::cli::ExplainArgs;

#[derive(Serialize)]
pub(crate) struct Query<'a> {
    pub(crate) vrf: &'a str,
    pub(crate) prefix: IpNet,
    pub(crate) from: Option<&'a str>,
}

pub(crate) async fn run(args: ExplainArgs) -> Result<(), Error> {
    let query = Query { vrf: &args.vrf, prefix: args.prefix, from: args.from.as_deref() };
    let client = Client::new(&args.connection.socket);
    let explanation: Explanation = client.get("/v1/explain", &query).await?;
    print(args.output, &explanation, |_| text(&explanation))
}

/// The explanation as people read it: a line for the verdict and one for each step.
pub(crate) fn text(explanation: &Explanation) -> String {
    let mut text = format!("{} in {}: {}", explanation.prefix, explanation.vrf, explanation.verdict);
    if let Some(reason) = &explanation.reason {
        // Writing to a String cannot fail.
        let _ = write!(text, " ({reason})");
    }
    text.push('\n');
    for step in &explanation.steps {
        let mark = if step.passed { "ok" } else { "NO" };
        let _ = writeln!(text, "  {mark}  {:<14} {}", step.check, step.what);
    }
    if let Some(change) = &explanation.change {
        let _ = writeln!(text, "  to let it pass: {change}");
    }
    text
}
