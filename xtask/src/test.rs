//! Everything that must hold before a change lands.

use crate::run::{self, Tally};
use crate::{counts, fuzz, no_std, packages, replay, vectors};

/// Runs every check, the cheap ones first, and ends with one line that counts the tests.
pub(crate) fn everything() -> Result<(), String> {
    packages::ensure()?;
    run::cargo(&["fmt", "--all", "--check"])?;
    run::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    no_std::check()?;
    let mut tally = Tally::default();
    let tests = run::cargo_test(&["test", "--workspace", "--no-fail-fast"], &mut tally);
    let no_test_ignored = match tally.ignored {
        0 => Ok(()),
        ignored => Err(format!("{ignored} tests are ignored; the project allows none")),
    };
    // Each runs whatever became of those before it, so that one run shows all that is wrong.
    let rest = [vectors_counted, replay_counted, fuzz_counted, instructions_counted, demo_counted].map(|stage| {
        let outcome = stage(&mut tally);
        tally.failed += u64::from(outcome.is_err());
        outcome
    });
    let failures: Vec<String> = [tests, no_test_ignored].into_iter().chain(rest).filter_map(Result::err).collect();
    for failure in &failures {
        eprintln!("{failure}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed.max(u64::from(!failures.is_empty())));
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// Runs the wire vectors where they are kept beside the checkout.
fn vectors_counted(tally: &mut Tally) -> Result<(), String> {
    if let Some(folder) = vectors::beside() {
        vectors::run(&folder, &run::Peerage::standing())?;
        tally.passed += 1;
    }
    Ok(())
}

/// Replays the routing data where they are kept beside the checkout.
fn replay_counted(tally: &mut Tally) -> Result<(), String> {
    if let Some(folder) = replay::beside() {
        replay::run(&folder, &run::Peerage::standing())?;
        tally.passed += 1;
    }
    Ok(())
}

/// Runs the fuzz targets for a short while.
fn fuzz_counted(tally: &mut Tally) -> Result<(), String> {
    tally.passed += fuzz::run(fuzz::Length::Short)?;
    Ok(())
}

/// Counts instructions and holds them against the record.
fn instructions_counted(tally: &mut Tally) -> Result<(), String> {
    counts::run(&[])?;
    tally.passed += 1;
    Ok(())
}

/// Runs the demonstration, which fails where an expectation of it does.
fn demo_counted(tally: &mut Tally) -> Result<(), String> {
    run::finish(run::Peerage::standing().command(&["demo"]), "peerage demo")?;
    tally.passed += 1;
    Ok(())
}
