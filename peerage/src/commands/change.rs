//! `confirm`, `rollback` and `history`: what was changed, kept and taken back.

use super::{Error, apply, print};
use crate::api::client::Client;
use crate::api::schema::{Applied, Change, Rollback};
use crate::cli::{ClientArgs, RollbackArgs};
use crate::output::Table;

pub(crate) async fn confirm(args: ClientArgs) -> Result<(), Error> {
    let client = Client::new(&args.connection.socket);
    let change: Change = client.post("/v1/confirm", &()).await?;
    print(args.output, &change, |_| format!("change {} confirmed\n", change.number))
}

pub(crate) async fn rollback(args: RollbackArgs) -> Result<(), Error> {
    let client = Client::new(&args.connection.socket);
    let applied: Applied = client.post("/v1/rollback", &Rollback { to: args.to }).await?;
    for warning in &applied.warnings {
        eprintln!("warning: {warning}");
    }
    print(args.output, &applied, |_| apply::text(&applied))
}

pub(crate) async fn history(args: ClientArgs) -> Result<(), Error> {
    let client = Client::new(&args.connection.socket);
    let changes: Vec<Change> = client.get("/v1/history", &()).await?;
    print(args.output, &changes, |_| {
        let mut table = Table::new(["CHANGE", "AT", "WHO", "WHAT"]);
        for change in &changes {
            let mut what = change.what.join(", ");
            if let Some(time) = &change.confirm_by {
                what.push_str(&format!(", taken back at {time} unless confirmed"));
            }
            table.row([change.number.to_string(), change.at.clone(), change.who.clone(), what]);
        }
        table.render(0)
    })
}
