//! Runs programs from the root of the checkout and turns their failure into a sentence.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A command that starts in the root of the checkout.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// The cargo that runs this task.
pub(crate) fn cargo_program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Runs cargo with `args`, its output shown as it comes.
pub(crate) fn cargo(args: &[&str]) -> Result<(), String> {
    finish(command(&cargo_program(), args), &format!("cargo {}", args.join(" ")))
}

/// Runs a prepared command and names it if it fails.
pub(crate) fn finish(mut command: Command, shown: &str) -> Result<(), String> {
    eprintln!("==> {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{shown}` failed: {status}")),
        Err(error) => Err(format!("`{shown}` did not start: {error}")),
    }
}

/// The `peerage` binary of the dev profile, for tasks that use it as anyone could from outside.
pub(crate) struct Peerage(PathBuf);

impl Peerage {
    /// The one that was built last, as by tests that use it. To build it again by itself, with other features of what it depends on,
    /// would compile most of the workspace once more.
    pub(crate) fn standing() -> Self {
        Self(target().join("debug").join("peerage"))
    }

    /// Builds it first.
    pub(crate) fn built() -> Result<Self, String> {
        cargo(&["build", "-p", "peerage"])?;
        Ok(Self::standing())
    }

    /// A command that runs it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        command(&self.0.display().to_string(), args)
    }
}

/// Where cargo builds: where it built this program.
pub(crate) fn target() -> PathBuf {
    let here = std::env::current_exe().ok();
    here.as_deref()
        .and_then(|program| program.ancestors().nth(2))
        .map_or_else(|| root().join("target"), Path::to_path_buf)
}

/// The names of the Rust programs in a folder of the checkout.
pub(crate) fn sources(folder: &str) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(root().join(folder)).map_err(|error| format!("{folder}: {error}"))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.strip_suffix(".rs")).map(str::to_owned))
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(format!("{folder}: no program found"));
    }
    Ok(names)
}

/// What the test programs of one cargo run reported.
#[derive(Default)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that were not run; the project allows none.
    pub(crate) ignored: u64,
}

/// Runs cargo with `args`, shows its output and counts the results in it.
pub(crate) fn cargo_test(args: &[&str], tally: &mut Tally) -> Result<(), String> {
    let shown = format!("cargo {}", args.join(" "));
    eprintln!("==> {shown}");
    let mut child = command(&cargo_program(), args)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{shown}` did not start: {error}"))?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(|error| format!("reading `{shown}`: {error}"))?;
            count(&line, tally);
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| format!("waiting for `{shown}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed: {status}")) }
}

/// Adds up a line such as `test result: ok. 12 passed; 0 failed; 0 ignored; …`.
fn count(line: &str, tally: &mut Tally) {
    let Some(rest) = line.strip_prefix("test result: ") else { return };
    for part in rest.split(['.', ';']) {
        let mut words = part.split_whitespace();
        if let (Some(Ok(number)), Some(kind)) = (words.next().map(str::parse::<u64>), words.next()) {
            match kind {
                "passed" => tally.passed += number,
                "failed" => tally.failed += number,
                "ignored" => tally.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_added_to_the_tally() {
        let mut tally = Tally::default();
        count("test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 4 filtered out", &mut tally);
        count("test something ... ok", &mut tally);
        assert_eq!((tally.passed, tally.failed, tally.ignored), (12, 3, 1));
    }
}
