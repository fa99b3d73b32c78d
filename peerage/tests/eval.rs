//! The contract of `peerage validate` and `peerage eval`, seen from outside: exit codes, the two outputs, the state file.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const PAIR: &str = "\
apiVersion: networking.ironcore.dev/v1alpha1
kind: Network
metadata: {name: a}
spec: {providerID: 'ironcore-net://x/a/101/u', peerings: [{name: e, networkRef: {name: b}}]}
---
apiVersion: networking.ironcore.dev/v1alpha1
kind: Network
metadata: {name: b}
spec: {providerID: 'ironcore-net://x/b/102/u', peerings: [{name: f, networkRef: {name: a}}]}
";

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn peerage(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peerage")).args(words).stdin(Stdio::null()).output().unwrap()
}

fn show(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?} has no JSON"))
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn valid_manifests_are_said_to_be_so() {
    let directory = Directory::new();
    let file = directory.file("a.yaml", PAIR);
    let output = peerage(&["validate", "-f", show(&file), "-o", "json"]);
    assert!(output.status.success());
    assert_eq!(json(&output), serde_json::json!({"errors": []}));
    assert!(peerage(&["validate", "-f", show(&file)]).status.success());
}

#[test]
fn faults_of_all_files_come_at_once_with_their_file_and_document() {
    let directory = Directory::new();
    let first = directory.file("1.yaml", "---\n---\n{id: a, vrf: x}\n");
    let second = directory.file("2.json", "{\"kind\": \"Pod\"}");
    for command in ["validate", "eval"] {
        let output = peerage(&[command, "-f", show(&first), show(&second), "-o", "json"]);
        assert_eq!(output.status.code(), Some(1));
        let answer = json(&output);
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 2, "{answer}");
        assert_eq!((&errors[0]["path"], &errors[0]["type"]), (&"vrf".into(), &"Invalid".into()));
        assert_eq!((&errors[0]["file"], &errors[0]["document"]), (&show(&first).into(), &1.into()));
        assert_eq!((&errors[1]["path"], &errors[1]["file"]), (&"kind".into(), &show(&second).into()));
        let output = peerage(&[command, "-f", show(&first), "-f", show(&second)]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let said = lines(&output.stderr);
        assert!(said[0].starts_with(&format!("{}:3: document 1: vrf: Invalid: ", show(&first))), "{said:?}");
        assert_eq!(said.len(), 2);
    }
}

#[test]
fn a_missing_file_is_a_fault() {
    let output = peerage(&["eval", "-f", "/nonexistent.yaml", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(json(&output)["errors"][0]["message"].as_str().unwrap().contains("/nonexistent.yaml"));
}

#[test]
fn endless_input_is_refused_without_being_read_to_its_end() {
    for arguments in [["validate", "-f", "/dev/zero"], ["eval", "-f", "/dev/zero"]] {
        let output = peerage(&arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(lines(&output.stderr)[0].contains("octets"), "{:?}", lines(&output.stderr));
    }
    let directory = Directory::new();
    let file = directory.file("a.yaml", PAIR);
    let output = peerage(&["eval", "-f", show(&file), "--routes", "/dev/zero"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_empty_directory_is_valid_and_has_no_networks() {
    let directory = Directory::new();
    let output = peerage(&["eval", "-f", show(directory.0.path()), "-o", "json"]);
    assert!(output.status.success());
    let empty = serde_json::json!({"networks": [], "peerings": [], "tables": [], "refused": [], "conflicts": []});
    assert_eq!(json(&output), empty);
}

#[test]
fn manifests_come_from_standard_input_too() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_peerage"))
        .args(["eval", "-f", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(PAIR.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(json(&output)["networks"].as_array().unwrap().len(), 2);
}

#[test]
fn the_answer_has_the_form_of_the_contract() {
    let directory = Directory::new();
    let file = directory.file("a.yaml", PAIR);
    let rows = "- {network: default/b, prefix: 10.2.0.0/24, nextHop: 192.0.2.1, asPath: [65002]}\n\
                - {network: default/c, prefix: 10.3.0.0/24}\n";
    let routes = directory.file("routes.yaml", rows);
    let words =
        ["eval", "-f", show(&file), "--routes", show(&routes), "--now", "2023-02-16T16:06:58.9+01:00", "-o", "json"];
    let output = peerage(&words);
    assert!(output.status.success());
    let answer = json(&output);
    let entry = serde_json::json!({
        "name": "e", "phase": "Bound", "state": "Ready", "reason": null, "message": null,
        "lastPhaseTransitionTime": "2023-02-16T15:06:58Z", "prefixes": [],
    });
    assert_eq!(answer["networks"][0]["peerings"], serde_json::json!([entry]));
    assert_eq!(answer["networks"][0]["incomingPeerings"][0]["uid"], answer["networks"][1]["uid"]);
    let route = serde_json::json!({
        "prefix": "10.2.0.0/24", "kind": "leaked", "from": "default/b", "peering": "e",
        "nextHop": "192.0.2.1", "asPath": [65002], "nextHops": ["192.0.2.1"],
    });
    assert_eq!(answer["tables"][0], serde_json::json!({"network": "default/a", "routes": [route]}));
    let warnings = lines(&output.stderr);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("document 0: [1]: ") && warnings[0].contains("default/c"), "{warnings:?}");
}

#[test]
fn successive_calls_with_a_state_play_a_history() {
    let directory = Directory::new();
    let file = directory.file("a.yaml", PAIR);
    let state = directory.path("state.json");
    let call = |now: &str, more: &[&str]| {
        let words = ["eval", "-f", show(&file), "--state", show(&state), "--now", now, "-o", "json"];
        let output = peerage(&[&words[..], more].concat());
        assert!(output.status.success(), "{output:?}");
        json(&output)
    };
    let first = call("2024-01-01T00:00:00Z", &[]);
    assert_eq!(first, call("2024-01-02T00:00:00Z", &[]), "the same again changes nothing");
    let down = call("2024-01-03T00:00:00Z", &["--unavailable", "default/b"]);
    let entry = &down["networks"][0]["peerings"][0];
    assert_eq!(entry["reason"], "NetworkNotAvailable");
    assert_eq!(entry["lastPhaseTransitionTime"], "2024-01-03T00:00:00Z");
    assert_eq!(down["networks"][0]["uid"], first["networks"][0]["uid"]);

    std::fs::write(&file, PAIR.replace("/101/", "/103/")).unwrap();
    let before = std::fs::read(&state).unwrap();
    let words = ["eval", "-f", show(&file), "--state", show(&state), "-o", "json"];
    let forbidden = peerage(&words);
    assert_eq!(forbidden.status.code(), Some(1));
    assert_eq!(json(&forbidden)["errors"][0]["path"], "spec.providerID");
    assert_eq!(std::fs::read(&state).unwrap(), before, "nothing was applied");
}

#[test]
fn a_state_that_cannot_be_read_is_an_error() {
    let directory = Directory::new();
    let file = directory.file("a.yaml", PAIR);
    for text in ["", "{}", "{\"version\": 99}", "not json"] {
        let state = directory.file("state.json", text);
        let output = peerage(&["eval", "-f", show(&file), "--state", show(&state), "-o", "json"]);
        assert_eq!(output.status.code(), Some(1), "{text:?}");
        assert_eq!(json(&output)["errors"][0]["file"], show(&state));
        assert_eq!(std::fs::read_to_string(&state).unwrap(), text);
    }
}

#[test]
fn faults_of_the_routes_are_listed_like_those_of_manifests() {
    let directory = Directory::new();
    let file = directory.file("a.yaml", PAIR);
    let routes = directory.file("routes.yaml", "- {network: a, prefix: 10.0.0.0/40}\n");
    let output = peerage(&["eval", "-f", show(&file), "--routes", show(&routes), "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer = json(&output);
    let paths: Vec<_> =
        answer["errors"].as_array().unwrap().iter().map(|error| error["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["[0].network", "[0].prefix"]);
}
