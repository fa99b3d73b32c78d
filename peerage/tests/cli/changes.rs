//! Seeing a change before it is made, taking it back, and proving what stands: plan, confirm, rollback, history, audit, the state file.

use serde_json::{Value, json};

use crate::live::{PEERING, Rig, apply, filled, leaked, ready};
use crate::support::{Daemon, stderr, stdout, until};

fn write(daemon: &Daemon<'_>, name: &str, text: &str) -> String {
    let path = daemon.place.path(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn inject(rig: &Rig, prefix: &str) {
    let attributes = bytes::Bytes::from(bgp_wire::AttributesBuilder::new(bgp_wire::Origin::Igp).build());
    let route = speaker::Injected { prefix: prefix.parse().unwrap(), attributes, next_hop: None };
    rig.runtime.block_on(rig.machine.inject("main", vec![route])).unwrap();
}

/// The prefixes in a list of a plan.
fn prefixes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|route| route["prefix"].as_str().unwrap()).collect()
}

#[test]
fn r49_a_plan_says_what_apply_then_does_and_changes_nothing_itself() {
    let rig = Rig::new();
    let daemon = rig.start();
    let file = write(&daemon, "peering.yaml", PEERING);
    let plan = daemon.json(&["plan", "-f", &file]);
    assert_eq!(plan["documents"], json!([{ "document": "Peering default/to-storage", "result": "created" }]));
    assert_eq!(plan["peerings"], json!([{ "name": "to-storage", "before": null, "after": "Bound" }]));
    assert_eq!(plan["sessionsReset"], json!([]));
    let vrf = |name: &str| plan["vrfs"].as_array().unwrap().iter().find(|vrf| vrf["vrf"] == name).unwrap();
    assert_eq!(prefixes(&vrf("privnet1")["adds"]), ["10.0.100.13/32"]);
    assert_eq!(prefixes(&vrf("storage")["adds"]), ["10.0.1.11/32"]);
    assert_eq!((&vrf("storage")["destinationsBefore"], &vrf("storage")["destinationsAfter"]), (&json!(1), &json!(2)));
    let refused: Vec<&Value> = plan["leaks"].as_array().unwrap().iter().map(|leak| &leak["refused"]).collect();
    assert_eq!(refused, [&json!({ "OutsideDeclared": 1 }), &json!({})]);
    assert_eq!(plan["reachable"].as_array().unwrap().len(), 2);
    assert_eq!(daemon.json(&["get", "peerings"]), json!([]), "nothing is applied");
    assert_eq!(leaked(&daemon, "storage"), Vec::<String>::new());

    let token = plan["token"].as_str().unwrap();
    let text = stdout(&daemon.ask(&["plan", "-f", &file]));
    assert!(text.contains("+ 10.0.1.11/32 from privnet1") && text.contains("sessions reset: 0"), "{text}");
    let answer = daemon.ask(&["apply", "--plan", token]);
    assert!(answer.status.success(), "{}", stderr(&answer));
    daemon.json_until(&["get", "peerings"], ready);
    assert_eq!(leaked(&daemon, "storage"), ["10.0.1.11/32"]);
    let again = daemon.json(&["plan", "-f", &file]);
    assert_eq!((&again["vrfs"], &again["changes"]), (&json!([]), &json!([])), "what stands needs no change");
}

#[test]
fn a_plan_is_carried_out_only_while_it_says_what_would_happen() {
    let rig = Rig::new();
    let daemon = rig.start();
    let create = ["network", "peering", "create", "--network1", "privnet1", "--network2", "storage"];
    let plan = daemon.json(&[&["plan"][..], &create].concat());
    let token = plan["token"].as_str().unwrap();
    inject(&rig, "10.0.1.12/32");
    daemon.json_until(&["get", "neighbors"], |neighbors| neighbors[0]["accepted"] == 3);
    let refused = daemon.ask(&["apply", "--plan", token]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("the ground has moved"), "{}", stderr(&refused));
    assert_eq!(daemon.json(&["get", "peerings"]), json!([]));

    let unknown = daemon.ask(&["apply", "--plan", "0123"]);
    assert!(stderr(&unknown).contains("NotFound"), "{}", stderr(&unknown));
    let plan = daemon.json(&[&["plan"][..], &create].concat());
    let other = write(&daemon, "other.yaml", PEERING);
    let token = plan["token"].as_str().unwrap();
    let differs = daemon.ask(&["apply", "--plan", token, "-f", &other]);
    assert!(stderr(&differs).contains("other documents"), "{}", stderr(&differs));
    assert!(daemon.ask(&["apply", "--plan", token]).status.success());
    daemon.json_until(&["get", "peerings"], ready);
}

#[test]
fn a_plan_of_what_must_not_be_says_why_and_a_faulty_one_lists_its_faults() {
    let rig = Rig::new();
    let daemon = rig.start();
    let refused = write(&daemon, "refused.yaml", &PEERING.replace("network2: storage", "network2: foreign"));
    let plan = daemon.json(&["plan", "-f", &refused]);
    assert!(plan["peerings"][0]["after"].as_str().unwrap().starts_with("Pending Error CrossProject"), "{plan}");
    assert_eq!(plan["vrfs"], json!([]));
    let faulty = write(&daemon, "faulty.yaml", &PEERING.replace("network2: storage", "network2: privnet1"));
    let answer = daemon.ask(&["plan", "-f", &faulty]);
    assert!(stderr(&answer).contains("spec.network2: Forbidden"), "{}", stderr(&answer));
}

#[test]
fn what_is_not_confirmed_in_time_is_taken_back_and_what_is_stays() {
    let rig = Rig::new();
    let daemon = rig.start();
    let file = write(&daemon, "peering.yaml", PEERING);
    let answer = daemon.ask(&["apply", "-f", &file, "--confirm-within", "2s"]);
    assert!(stdout(&answer).contains("unless `peerage confirm` comes before"), "{}", stderr(&answer));
    let meanwhile = daemon.ask(&["network", "peering", "delete", "to-storage"]);
    assert!(stderr(&meanwhile).contains("awaits its confirmation"), "{}", stderr(&meanwhile));
    daemon.json_until(&["get", "peerings"], |peerings| *peerings == json!([]));
    assert_eq!(leaked(&daemon, "storage"), Vec::<String>::new());
    let late = daemon.ask(&["confirm"]);
    assert!(stderr(&late).contains("NotFound"), "{}", stderr(&late));

    assert!(daemon.ask(&["apply", "-f", &file, "--confirm-within", "1h"]).status.success());
    assert!(daemon.ask(&["confirm"]).status.success());
    daemon.json_until(&["get", "peerings"], ready);
    let history = daemon.json(&["history"]);
    let what: Vec<String> = history.as_array().unwrap().iter().map(|change| change["what"].to_string()).collect();
    assert_eq!(what.len(), 3, "{history}");
    assert!(what[1].contains("deleted") && what[2].contains("confirmed by"), "{history}");
    assert_eq!(history[1]["who"], "nobody confirmed");
}

#[test]
fn an_unconfirmed_change_is_taken_back_even_after_a_crash() {
    for (time, restart_is_late) in [("1s", true), ("3s", false)] {
        let rig = Rig::new();
        let daemon = rig.start();
        let file = write(&daemon, "peering.yaml", PEERING);
        let began = std::time::Instant::now();
        assert!(daemon.ask(&["apply", "-f", &file, "--confirm-within", time]).status.success());
        drop(daemon);
        // The deadline is a time of day in whole seconds.
        until("the deadline", || {
            let over = began.elapsed() > std::time::Duration::from_millis(2_100);
            if over || !restart_is_late { Ok(()) } else { Err("it is not over".to_owned()) }
        });
        let daemon = rig.place.start();
        daemon.json_until(&["get", "peerings"], |peerings| *peerings == json!([]));
        filled(&daemon);
        assert_eq!(leaked(&daemon, "storage"), Vec::<String>::new());
        let history = daemon.json(&["history"]);
        assert_eq!(history.as_array().unwrap().last().unwrap()["who"], "nobody confirmed", "{history}");
    }
}

#[test]
fn every_change_can_be_gone_back_to_and_is_listed_with_who_when_and_what() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "one.yaml", PEERING);
    apply(&daemon, "two.yaml", &PEERING.replace("network2: storage", "network2: storage, limit: 1"));
    assert!(daemon.ask(&["network", "peering", "delete", "to-storage"]).status.success());
    apply(&daemon, "none.yaml", "");
    let history = daemon.json(&["history"]);
    let numbers: Vec<u64> =
        history.as_array().unwrap().iter().map(|change| change["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3], "{history}");
    assert_eq!(history[2]["what"], json!(["delete", "Peering default/to-storage deleted"]));
    let who = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    assert_eq!(history[0]["who"], who.trim());
    assert!(history[0]["at"].as_str().unwrap().ends_with('Z'));
    assert!(stdout(&daemon.ask(&["history"])).contains("Peering default/to-storage configured"));

    let back = daemon.ask(&["rollback"]);
    assert!(stdout(&back).contains("Peering default/to-storage created"), "{}{}", stdout(&back), stderr(&back));
    daemon.json_until(&["get", "peerings"], ready);
    let back = daemon.ask(&["rollback", "1"]);
    assert!(stdout(&back).contains("Peering default/to-storage configured"), "{}", stderr(&back));
    assert!(daemon.ask(&["rollback", "3"]).status.success());
    assert_eq!(daemon.json(&["get", "peerings"]), json!([]));
    let unknown = daemon.ask(&["rollback", "77"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("not remembered"), "{}", stderr(&unknown));
    assert!(daemon.stop());
    let daemon = rig.place.start();
    assert_eq!(daemon.json(&["history"]).as_array().unwrap().len(), 6, "it outlives a restart");
}

#[test]
fn an_audit_counts_every_leaked_route_and_its_witness() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "peering.yaml", PEERING);
    daemon.json_until(&["get", "peerings"], ready);
    let audit = daemon.json(&["audit"]);
    assert_eq!((&audit["witnessed"], &audit["faults"], &audit["violations"]), (&json!(2), &json!(0), &json!([])));
    let text = daemon.ask(&["audit"]);
    assert_eq!(text.status.code(), Some(0));
    assert!(stdout(&text).contains("2 leaked paths with a witness, 0 wrong"), "{}", stdout(&text));
}

#[test]
fn a_torn_state_file_is_set_aside_and_the_log_says_so() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "peering.yaml", PEERING);
    assert!(daemon.stop());
    let state = rig.place.path("state.json");
    let whole = std::fs::read(&state).unwrap();
    std::fs::write(&state, &whole[..whole.len() / 2]).unwrap();
    let daemon = rig.place.start();
    assert_eq!(daemon.json(&["get", "peerings"]), json!([]));
    assert_eq!(std::fs::read(rig.place.path("state.json.broken-1")).unwrap(), whole[..whole.len() / 2]);
    assert!(rig.place.log().contains("state.json.broken-1"), "{}", rig.place.log());
}

#[test]
fn an_explanation_ends_with_where_the_route_goes_or_with_what_would_let_it_pass() {
    let rig = Rig::new();
    let daemon = rig.start();
    apply(&daemon, "peering.yaml", PEERING);
    daemon.json_until(&["get", "peerings"], ready);
    let found = daemon.json(&["explain", "--vrf", "privnet1", "10.0.100.13/32"]);
    let steps: Vec<(&str, &str)> = found["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["check"].as_str().unwrap(), step["what"].as_str().unwrap()))
        .collect();
    let [.., selected, installed, advertised] = steps[..] else { panic!("{found}") };
    assert_eq!(selected, ("selected", "in the table"));
    assert_eq!(installed, ("installed", "nowhere: the VRF has no table in the kernel"));
    assert_eq!(advertised, ("advertised", "not to 127.0.0.21 in privnet1: the peering's advertise is none"));
    assert_eq!((&found["reason"], &found["change"]), (&Value::Null, &Value::Null));
    let native = stdout(&daemon.ask(&["explain", "--vrf", "privnet1", "10.0.1.11/32"]));
    assert!(native.contains("not to 127.0.0.21 in privnet1: the best path came from it"), "{native}");

    let expected = [
        ("storage", "192.0.2.1/32", "privnet1", "OutsideDeclared", "declare the prefix in the exporter's prefixes"),
        ("foreign", "10.0.1.11/32", "privnet1", "NotPeered", "peer the two networks, so that both agree"),
        (
            "foreign",
            "10.0.1.11/32",
            "storage",
            "NotNative",
            "peer with privnet1 directly: leaked routes do not leak on",
        ),
        (
            "storage",
            "198.51.100.0/24",
            "privnet1",
            "NotReceived",
            "have somebody announce it in privnet1, or configure it there",
        ),
    ];
    for (vrf, prefix, from, reason, change) in expected {
        let found = daemon.json(&["explain", "--vrf", vrf, prefix, "--from", from]);
        assert_eq!(
            (&found["verdict"], &found["reason"], &found["change"]),
            (&json!("absent"), &json!(reason), &json!(change))
        );
        let text = stdout(&daemon.ask(&["explain", "--vrf", vrf, prefix, "--from", from]));
        assert!(text.contains(&format!("to let it pass: {change}")), "{text}");
    }
}
