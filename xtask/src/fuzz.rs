//! Runs the fuzz targets, as many at a time as there are processors, and says how often each was run.

use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use crate::{run, seeds};

/// How long the targets run.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    /// The gate's round: 20 seconds for the targets that take whole programs of input, less for those of one part.
    Short,
    /// So many minutes on all processors together, shared alike.
    Minutes(u32),
}

/// The targets that get the whole 20 seconds of a short round.
const BROAD: [&str; 4] = ["message", "update", "session", "manifests"];
const BROAD_SECONDS: u64 = 20;
const OTHER_SECONDS: u64 = 3;

/// What one target did.
struct Outcome {
    target: String,
    executions: u64,
    failure: Option<String>,
}

/// Runs every target and prints a table of executions. Returns how many targets ran without a finding.
pub(crate) fn run(length: Length) -> Result<u64, String> {
    let installed = Command::new(run::cargo_program()).args(["fuzz", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        run::cargo(&["install", "--quiet", "--locked", "cargo-fuzz"])?;
    }
    seeds::write()?;
    let mut build = cargo_fuzz(&["build"]);
    build.args(["--sanitizer", "none"]);
    run::finish(build, "cargo fuzz build")?;

    let targets = run::sources("fuzz/fuzz_targets")?;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let seconds = |target: &str| match length {
        Length::Short if BROAD.contains(&target) => BROAD_SECONDS,
        Length::Short => OTHER_SECONDS,
        Length::Minutes(minutes) => (u64::from(minutes) * 60 * workers as u64 / targets.len() as u64).max(1),
    };
    eprintln!("==> {} fuzz targets, {workers} at a time", targets.len());
    let waiting = Mutex::new(targets.iter());
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    // A statement of its own, at whose end the next worker may look for its target.
                    let Some(target) = lock(&waiting).next() else { break };
                    let outcome = one(target, seconds(target));
                    report(&outcome);
                    lock(&outcomes).push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let executions: u64 = outcomes.iter().map(|outcome| outcome.executions).sum();
    println!("{executions:>14} executions in total");
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
    if failed.is_empty() {
        return Ok(outcomes.len() as u64);
    }
    let names: Vec<_> = failed.iter().map(|outcome| outcome.target.as_str()).collect();
    Err(format!("fuzz targets with findings, their inputs below fuzz/artifacts: {}", names.join(", ")))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Sanitizer coverage needs an unstable compiler flag; the variable lets the stable compiler take it.
fn cargo_fuzz(args: &[&str]) -> Command {
    let mut command = run::command(&run::cargo_program(), &["fuzz"]);
    command.args(args).env("RUSTC_BOOTSTRAP", "1");
    command
}

fn one(target: &str, seconds: u64) -> Outcome {
    let mut command = cargo_fuzz(&["run", "--sanitizer", "none", target, "--"]);
    command.arg(format!("-max_total_time={seconds}"));
    command.args(["-max_len=4200", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    let (executions, failure) = match command.output() {
        Ok(output) => {
            let said = said(&output);
            let executions = executions(&said);
            // A run that ended well but counted nothing did not happen.
            let sound = output.status.success() && executions > 0;
            (executions, (!sound).then(|| format!("{said}\n`cargo fuzz run {target}`: {}", output.status)))
        }
        Err(error) => (0, Some(format!("`cargo fuzz run {target}` did not start: {error}"))),
    };
    Outcome { target: target.to_owned(), executions, failure }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The number in the line `stat::number_of_executed_units: 123`.
fn executions(said: &str) -> u64 {
    let line = said.lines().rev().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

fn report(outcome: &Outcome) {
    if let Some(failure) = &outcome.failure {
        eprintln!("{failure}");
    }
    let end = if outcome.failure.is_some() { ", with a finding" } else { "" };
    println!("{:>14} executions of {}{end}", outcome.executions, outcome.target);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_read_from_the_final_statistics() {
        let said = "#9 pulse\nstat::number_of_executed_units: 1204\nstat::average_exec_per_sec:     60\n";
        assert_eq!(executions(said), 1204);
        assert_eq!(executions("nothing"), 0);
    }
}
