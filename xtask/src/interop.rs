//! The tests that use real daemons and the real kernel.

use crate::{packages, run};

/// Runs them, or those whose name contains one of `filter`.
pub(crate) fn run(filter: &[&str]) -> Result<(), String> {
    packages::ensure()?;
    let mut args = vec!["test", "-p", "peerage", "--test", "interop", "--"];
    args.extend_from_slice(filter);
    run::cargo(&args)
}
