//! `apply`: manifests for the running daemon.

use super::{Error, print};
use crate::api::client::Client;
use crate::api::schema::{Applied, Apply, File};
use crate::cli::ApplyArgs;
use crate::documents;

pub(crate) async fn run(args: ApplyArgs) -> Result<(), Error> {
    let mut files = Vec::new();
    for (name, bytes) in documents::read(&args.files)? {
        let text = String::from_utf8(bytes).map_err(|error| format!("{name}: {error}"))?;
        files.push(File { name, text });
    }
    let client = Client::new(&args.connection.socket);
    let applied: Applied = client.post("/v1/apply", &Apply { files }).await?;
    for warning in &applied.warnings {
        eprintln!("warning: {warning}");
    }
    print(args.output, &applied, |_| text(&applied))
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
    text
}
