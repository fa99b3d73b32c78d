//! The commands that ask a running daemon.
//!
//! Each is given its arguments, asks through [`crate::api::client`], and prints one answer. None keeps anything.

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod change;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod peering;
pub(crate) mod plan;
pub(crate) mod routes;

use serde::Serialize;

use crate::cli::Output;
use crate::output;

/// Anything that ends a command without success; its text is for people.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Prints `value` as JSON or YAML where that was asked for, and the table otherwise.
fn print<T: Serialize>(format: Option<Output>, value: &T, table: impl FnOnce(bool) -> String) -> Result<(), Error> {
    let text = match format {
        Some(Output::Json) => output::json(value)?,
        Some(Output::Yaml) => output::yaml(value)?,
        Some(Output::Wide) => table(true),
        None => table(false),
    };
    Ok(output::show(&text)?)
}
