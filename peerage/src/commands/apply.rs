//! `apply`: manifests for the running daemon.

use std::path::PathBuf;

use super::{Error, print};
use crate::api::client::Client;
use crate::api::schema::{Applied, Apply, File};
use crate::cli::ApplyArgs;
use crate::documents;

pub(crate) async fn run(args: ApplyArgs) -> Result<(), Error> {
    let apply = Apply {
        files: read(&args.files)?,
        plan: args.plan,
        confirm_within: args.confirm_within.map(|within| within.as_secs()),
    };
    let client = Client::new(&args.connection.socket);
    let applied: Applied = client.post("/v1/apply", &apply).await?;
    for warning in &applied.warnings {
        eprintln!("warning: {warning}");
    }
    print(args.output, &applied, |_| text(&applied))
}

/// The files behind `paths`, as the API takes them.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<File>, Error> {
    let files = documents::read(paths)?.into_iter().map(|(name, bytes)| {
        let text = String::from_utf8(bytes).map_err(|error| format!("{name}: {error}"))?;
        Ok(File { name, text })
    });
    files.collect()
}

/// A line for each document and each change.
pub(super) fn text(applied: &Applied) -> String {
    let mut text = String::new();
    for document in &applied.documents {
        text.push_str(&format!("{} {}\n", document.document, document.result));
    }
    for change in &applied.changes {
        text.push_str(&format!("  {change}\n"));
    }
    if let Some(time) = &applied.confirm_by {
        text.push_str(&format!("taken back at {time} unless `peerage confirm` comes before\n"));
    }
    text
}
