//! Faulty input: every fault is listed with its place, nothing is applied, the exit code says so.

use crate::support::{Place, peerage, stderr, stdout};

const SPEAKER: &str = "\
apiVersion: peerage.dev/v1alpha1
kind: Speaker
metadata: {name: leaf}
spec:
  asn: many
  routerId: 10.0.0.1
  api: {socket: DIRECTORY/api.sock}
  stateFile: DIRECTORY/state.json
  vrfs:
  - {name: a}
  neighbors:
  - {vrf: b, address: 127.0.0.2, remoteAs: 1, class: fabric}
";

const MANIFESTS: &str = "\
id: one
vrf: 10
prefixes: [10.0.0.0/33]
---
apiVersion: metal-stack.io/v1
kind: Peering
metadata: {name: p}
spec:
  network1: one
  network2: one
";

/// What must be listed, in order: the file's end, line, document, path and type of each fault.
const FAULTS: [&str; 4] = [
    "leaf.yaml:5: document 0: spec.asn: Invalid: ",
    "leaf.yaml:12: document 0: spec.neighbors[0].vrf: Invalid: ",
    "networks.yaml:3: document 0: prefixes[0]: Invalid: ",
    "networks.yaml:10: document 1: spec.network2: Forbidden: ",
];

fn faulty() -> Place {
    let place = Place::new();
    place.write("leaf.yaml", SPEAKER);
    place.write("networks.yaml", MANIFESTS);
    place
}

fn lists_all(text: &str) {
    let mut rest = text;
    for fault in FAULTS {
        let at = rest.find(fault).unwrap_or_else(|| panic!("{fault:?} is not, or not in order, in\n{text}"));
        rest = &rest[at + fault.len()..];
    }
}

#[test]
fn run_lists_every_fault_of_configuration_and_manifests_and_starts_nothing() {
    let place = faulty();
    let answer = peerage(&["run", "-f", place.path("manifests").to_str().unwrap()]);
    assert_eq!(answer.status.code(), Some(1));
    lists_all(&stderr(&answer));
    assert!(!place.path("api.sock").exists() && !place.path("state.json").exists());
}

#[test]
fn validate_lists_the_same_faults() {
    let place = faulty();
    let manifests = place.path("manifests");
    let answer = peerage(&["validate", "-f", manifests.to_str().unwrap()]);
    assert_eq!(answer.status.code(), Some(1));
    lists_all(&stderr(&answer));

    let answer = peerage(&["validate", "-o", "json", "-f", manifests.to_str().unwrap()]);
    assert_eq!(answer.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    let paths: Vec<_> = json["errors"].as_array().unwrap().iter().map(|fault| &fault["path"]).collect();
    assert_eq!(paths, ["spec.asn", "spec.neighbors[0].vrf", "prefixes[0]", "spec.network2"]);
}

#[test]
fn run_without_a_speaker_document_says_what_is_missing() {
    let place = Place::new();
    let file = place.write("networks.yaml", "id: one\nvrf: 10\n");
    let answer = peerage(&["run", "-f", &file]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(stderr(&answer).contains("kind Speaker"), "{}", stderr(&answer));
}

#[test]
fn two_speakers_are_one_too_many() {
    let place = Place::new();
    let good = SPEAKER.replace("many", "1").replace("vrf: b", "vrf: a");
    let file = place.write("two.yaml", &format!("{good}---\n{}", good.replace("leaf", "other")));
    let answer = peerage(&["validate", "-f", &file]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(stderr(&answer).contains(": document 1: metadata.name: Duplicate: "), "{}", stderr(&answer));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let answer = peerage(&["run", "-f", "/nonexistent/leaf.yaml"]);
    assert_eq!(answer.status.code(), Some(1));
    assert!(stderr(&answer).contains("/nonexistent/leaf.yaml"), "{}", stderr(&answer));
    assert_eq!(stdout(&answer), "");
}
