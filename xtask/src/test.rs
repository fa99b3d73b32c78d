//! Everything that must hold before a change lands.

use std::process::Command;

use crate::run::{self, Tally};
use crate::{counts, no_std, packages, vectors};

/// Runs every check, the cheap ones first, and ends with one line that counts the tests.
pub(crate) fn everything() -> Result<(), String> {
    packages::ensure()?;
    run::cargo(&["fmt", "--all", "--check"])?;
    run::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    no_std::check()?;
    let mut tally = Tally::default();
    let tests = run::cargo_test(&["test", "--workspace", "--no-fail-fast"], &mut tally);
    if tests.is_ok() && tally.ignored > 0 {
        return Err(format!("{} tests are ignored; the project allows none", tally.ignored));
    }
    let rest =
        tests.and_then(|()| vectors_counted(&mut tally)).and_then(|()| fuzz_counted(20, &mut tally)).and_then(|()| {
            counts::run(&[])?;
            run::cargo(&["run", "-p", "peerage", "--", "demo"])?;
            tally.passed += 2;
            Ok(())
        });
    if rest.is_err() && tally.failed == 0 {
        tally.failed = 1;
    }
    if let Err(message) = &rest {
        eprintln!("{message}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    rest
}

/// Runs the wire vectors where they are kept beside the checkout.
fn vectors_counted(tally: &mut Tally) -> Result<(), String> {
    if let Some(folder) = vectors::beside() {
        vectors::run(&folder)?;
        tally.passed += 1;
    }
    Ok(())
}

/// The names of the Rust programs in a folder of the checkout.
fn sources(folder: &str) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(run::root().join(folder)).map_err(|error| format!("{folder}: {error}"))?;
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

/// Runs every fuzz target for `seconds` each.
pub(crate) fn fuzz(seconds: u32) -> Result<(), String> {
    fuzz_counted(seconds, &mut Tally::default())
}

fn fuzz_counted(seconds: u32, tally: &mut Tally) -> Result<(), String> {
    let installed = Command::new(run::cargo_program()).args(["fuzz", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        run::cargo(&["install", "--quiet", "--locked", "cargo-fuzz"])?;
    }
    let limit = format!("-max_total_time={seconds}");
    for target in sources("fuzz/fuzz_targets")? {
        // Sanitizer coverage needs an unstable compiler flag; this lets the stable compiler take it.
        let mut command =
            run::command(&run::cargo_program(), &["fuzz", "run", "--sanitizer", "none", &target, "--", &limit]);
        command.args(["-max_len=4200", "-rss_limit_mb=1024", "-print_final_stats=1"]).env("RUSTC_BOOTSTRAP", "1");
        run::finish(command, &format!("cargo fuzz run {target} ({seconds} s)"))?;
        tally.passed += 1;
    }
    Ok(())
}
