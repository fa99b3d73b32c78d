//! The harness itself, end to end with next to nothing to do: what it measures here means nothing.

use std::path::Path;
use std::process::Command;

/// Runs the harness with this project's daemon; answers what it printed.
fn tiny(options: &[&str]) -> String {
    // A test of the whole workspace has built the daemon; what is under test here is the harness, so an older one will do.
    if !Path::new(env!("CARGO_BIN_EXE_harness")).with_file_name("peerage").exists() {
        let built = Command::new(env!("CARGO")).args(["build", "-p", "peerage"]).output().expect("cargo");
        assert!(built.status.success(), "cargo build -p peerage: {}", String::from_utf8_lossy(&built.stderr));
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["convergence", "--runs", "1", "--scale", "0.001", "--only", "peerage", "--limit", "60"]);
    command.args(options).arg("--out").arg(out.path());
    let run = command.output().expect("the harness");
    let (printed, said) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{}\n{said}\n{printed}", run.status);
    let svg = std::fs::read_to_string(out.path().join("results.svg")).expect("a picture");
    assert!(svg.ends_with("</svg>\n"));
    std::fs::read_to_string(out.path().join("results.csv")).expect("a table")
}

#[test]
fn every_scenario_ends_with_the_right_routes_at_every_sink() {
    let csv = tiny(&[]);
    for key in ["A", "H", "DropA", "B", "DropB", "C", "E", "F", "G", "Apart", "I", "J", "Added", "Removed"] {
        let line = csv.lines().find(|line| line.starts_with(&format!("{key},")) && line.contains(",peerage,"));
        assert!(line.is_some(), "no sample of {key} in\n{csv}");
    }
}

#[test]
fn a_run_in_ipv6_ends_with_the_right_routes_as_well() {
    let csv = tiny(&["--family", "ipv6", "--scenario", "a,b,d,f"]);
    assert_eq!(csv.lines().filter(|line| line.contains(",peerage,")).count(), 7, "{csv}");
}
