//! The side-by-side harness, with what it measures built first.

use crate::run;

/// Builds this project's daemon unless only others are asked for, then runs the harness.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let only = args.iter().position(|arg| *arg == "--only").and_then(|at| args.get(at + 1));
    if only.is_none_or(|names| names.split(',').any(|name| name == "peerage")) {
        run::cargo(&["build", "--release", "-p", "peerage"])?;
    }
    let mut command = vec!["run", "--release", "-p", "benches", "--bin", "harness", "--"];
    command.extend_from_slice(args);
    run::cargo(&command)
}
