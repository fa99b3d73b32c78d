//! The binary as its users meet it: commands in, text, files and exit codes out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod input;
mod live;
mod rules;
mod support;

use support::{peerage, stderr, stdout};

#[test]
fn the_version_is_told_as_text_and_as_json() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(stdout(&peerage(&["version"])), format!("peerage {version}\n"));
    let json: serde_json::Value = serde_json::from_slice(&peerage(&["version", "-o", "json"]).stdout).unwrap();
    assert_eq!(json["version"], version);
}

#[test]
fn every_usual_shell_has_a_completion_that_knows_the_commands() {
    let commands = ["explain", "validate", "network", "completion"];
    // The generator for fish goes two levels deep, and these flags are on the third.
    for (shell, flags) in [("bash", &["remoteCidr"][..]), ("zsh", &["remoteCidr"]), ("fish", &[])] {
        let script = stdout(&peerage(&["completion", shell]));
        for word in commands.iter().chain(flags) {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
}

#[test]
fn without_a_daemon_a_client_says_where_it_looked() {
    let answer = peerage(&["get", "networks", "--socket", "/nonexistent/api.sock"]);
    assert!(!answer.status.success());
    assert!(stderr(&answer).contains("/nonexistent/api.sock"), "{}", stderr(&answer));
}

#[test]
fn the_demo_holds_with_a_small_table() {
    let answer = peerage(&["demo", "--prefixes", "2000"]);
    let text = stdout(&answer);
    assert!(answer.status.success(), "{text}{}", stderr(&answer));
    for sentence in [
        "2,000 routes of internet are in privnet1, 0 refused",
        "10.0.2.12/32 of storage is not in privnet1: NotNative",
        "the peering is refused: Pending, Error, CrossProject",
        "internet keeps its own 2,000 routes",
        "expectations hold",
    ] {
        assert!(text.contains(sentence), "{sentence:?} is not in\n{text}");
    }
    assert!(!text.contains("FAILED"), "{text}");
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_peerage"))
        .args(["completion", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let answer = child.wait_with_output().unwrap();
    assert!(answer.status.success(), "{}", stderr(&answer));
    assert_eq!(stderr(&answer), "");
}
