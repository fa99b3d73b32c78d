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
    if tests.is_ok() && tally.ignored > 0 {
        return Err(format!("{} tests are ignored; the project allows none", tally.ignored));
    }
    let rest =
        tests.and_then(|()| vectors_counted(&mut tally)).and_then(|()| fuzz_counted(&mut tally)).and_then(|()| {
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

/// Runs the wire vectors and replays the routing data where they are kept beside the checkout.
fn vectors_counted(tally: &mut Tally) -> Result<(), String> {
    if let Some(folder) = vectors::beside() {
        vectors::run(&folder)?;
        tally.passed += 1;
    }
    if let Some(folder) = replay::beside() {
        replay::run(&folder)?;
        tally.passed += 1;
    }
    Ok(())
}

/// Runs the fuzz targets for a short while.
fn fuzz_counted(tally: &mut Tally) -> Result<(), String> {
    tally.passed += fuzz::run(fuzz::Length::Short)?;
    Ok(())
}
