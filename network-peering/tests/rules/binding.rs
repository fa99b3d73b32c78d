//! Binding and status of ironcore peerings (rules R2–R4, R11–R22).

use serde_json::json;

use crate::common::*;
use network_peering::AcceptError;

#[test]
fn r2_a_uid_is_generated_once_and_kept() {
    let mut play = Play::default();
    let uid = |answer: &Answer, name: &str| text(&answer.network(name)["uid"]).to_owned();
    let first = play.at(0, &pair("a", "b"), "");
    let again = play.at(1, &pair("a", "b"), "");
    assert_eq!(uid(&first, "a"), uid(&again, "a"));
    assert_ne!(uid(&first, "a"), uid(&first, "b"));
    assert_eq!(uid(&first, "a").len(), 36);
    play.at(2, &network("b", 102, ""), "");
    let back = play.at(3, &pair("a", "b"), "");
    assert_ne!(uid(&back, "a"), uid(&first, "a"), "what was deleted and comes back is another object");
}

#[test]
fn r2_a_network_with_a_new_uid_starts_anew() {
    let mut play = Play::default();
    let b = network("b", 102, "{name: e, networkRef: {name: a}}");
    play.at(0, &(network_with("a", "uid: one, ", 101, &to("b")) + &b), "");
    let answer = play.at(5, &(network_with("a", "uid: two, ", 101, &to("b")) + &b), "");
    assert_eq!(status(answer.entry("b", "e")), "Pending Pending UIDMismatch");
    assert_eq!(status(answer.entry("a", "to-b")), "Pending Pending NotReciprocated");
    assert_eq!(since(answer.entry("a", "to-b")), 5, "its entry is new");
}

#[test]
fn r3_a_status_in_a_manifest_is_ignored() {
    let mut one_sided = network("a", 101, &to("b"));
    one_sided.truncate(one_sided.rfind('}').unwrap());
    one_sided += ", status: {state: Pending, peerings: [{name: to-b, phase: Bound}], whatever: 1}}\n";
    let answer = eval(&(one_sided + &network("b", 102, "")), "");
    assert_eq!(status(answer.entry("a", "to-b")), "Pending Pending NotReciprocated");
    assert_eq!(answer.network("a")["state"], "Available");
    assert_eq!(answer.warnings, [""; 0]);
}

#[test]
fn r4_without_a_network_id_a_network_and_its_peerings_are_pending_and_its_table_is_empty() {
    let documents = network("a", 0, &to("b")) + &network("b", 102, &to("a"));
    let answer = eval(&documents, &routes(&[("a", "10.0.0.0/24"), ("b", "10.1.0.0/24")]));
    assert_eq!(answer.network("a")["state"], "Pending");
    for (network, entry) in [("a", "to-b"), ("b", "to-a")] {
        assert_eq!(status(answer.entry(network, entry)), "Pending Pending NetworkNotAvailable");
    }
    assert_eq!(answer.table("a"), [""; 0]);
    assert_eq!(answer.table("b"), ["10.1.0.0/24"]);
    assert_eq!(answer.warnings, [""; 0]);
}

#[test]
fn r4_two_networks_of_one_id_cannot_peer() {
    let answer = eval(&(network("a", 7, &to("b")) + &network("b", 7, &to("a"))), "");
    assert_eq!(status(answer.entry("a", "to-b")), "Pending Error SameVRF");
    assert_eq!(answer.network("a")["incomingPeerings"], json!([]));
}

#[test]
fn r11_the_uid_first_seen_is_pinned_and_another_one_is_another_object() {
    let mut play = Play::default();
    let b = |uid: &str| network_with("b", &format!("uid: {uid}, "), 102, &to("a"));
    let a = |reference: &str| network("a", 101, &format!("{{name: e, networkRef: {{name: b{reference}}}}}"));
    let both_routes = routes(&[("a", "10.0.0.0/24"), ("b", "10.1.0.0/24")]);
    let bound = play.at(0, &(a("") + &b("one")), &both_routes);
    assert_eq!(bound.table("a"), ["10.0.0.0/24", "10.1.0.0/24 < b"]);
    let other = play.at(1, &(a("") + &b("two")), &both_routes);
    assert_eq!(status(other.entry("a", "e")), "Pending Pending UIDMismatch");
    assert_eq!(status(other.entry("b", "to-a")), "Pending Pending NotReciprocated");
    assert_eq!(other.table("a"), ["10.0.0.0/24"], "routes are gone at once");
    let still = play.at(2, &(a("") + &b("two")), "");
    assert_eq!(status(still.entry("a", "e")), "Pending Pending UIDMismatch", "only an explicit act changes it");
    let replaced = play.at(3, &(a(", uid: two") + &b("two")), "");
    assert_eq!(status(replaced.entry("a", "e")), "Bound Ready");
}

#[test]
fn r11_clearing_the_uid_or_adding_the_entry_again_accepts_the_object_seen_then() {
    let b = network_with("b", "uid: two, ", 102, &to("a"));
    let a = |reference: &str| network("a", 101, &format!("{{name: e, networkRef: {{name: b{reference}}}}}"));
    let mut play = Play::default();
    let wrong = play.at(0, &(a(", uid: one") + &b), "");
    assert_eq!(status(wrong.entry("a", "e")), "Pending Pending UIDMismatch");
    let cleared = play.at(1, &(a("") + &b), "");
    assert_eq!(status(cleared.entry("a", "e")), "Bound Ready");

    let mut play = Play::default();
    play.at(0, &(a("") + &network_with("b", "uid: one, ", 102, &to("a"))), "");
    assert_eq!(status(play.at(1, &(a("") + &b), "").entry("a", "e")), "Pending Pending UIDMismatch");
    play.at(2, &(network("a", 101, "") + &b), "");
    assert_eq!(status(play.at(3, &(a("") + &b), "").entry("a", "e")), "Bound Ready");
}

#[test]
fn r11_an_object_that_is_accepted_is_pinned_in_the_place_of_the_first() {
    let b = |uid: &str| network_with("b", &format!("uid: {uid}, "), 102, &to("a"));
    let a = network("a", 101, &to("b"));
    let name = network_peering::Name::in_default("a");
    let mut play = Play::default();
    play.at(0, &(a.clone() + &b("one")), "");
    assert_eq!(status(play.at(1, &(a.clone() + &b("two")), "").entry("a", "to-b")), "Pending Pending UIDMismatch");
    assert_eq!(play.state.accept(&name, "to-c"), Err(AcceptError::UnknownEntry));
    assert_eq!(play.state.accept(&name, "to-b"), Ok(()));
    assert_eq!(status(play.at(2, &(a.clone() + &b("two")), "").entry("a", "to-b")), "Bound Ready");
    assert_eq!(status(play.at(3, &(a + &b("one")), "").entry("a", "to-b")), "Pending Pending UIDMismatch");

    let given = network("a", 101, "{name: e, networkRef: {name: b, uid: one}}");
    play.at(4, &(given + &b("two")), "");
    assert_eq!(play.state.accept(&name, "e"), Err(AcceptError::GivenUid));
}

#[test]
fn r20_phase_is_the_control_planes_and_a_refusal_by_policy_is_an_error_without_a_claim() {
    let waiting = eval(&(network("a", 101, &to("b")) + &network("b", 102, "")), "");
    assert_eq!(status(waiting.entry("a", "to-b")), "Pending Pending NotReciprocated");
    let same = eval(&(network("a", 101, &to("b")) + &network("b", 101, &to("a"))), "");
    assert_eq!(status(same.entry("a", "to-b")), "Pending Error SameVRF");
    assert_eq!(same.network("b")["incomingPeerings"], json!([]));
    let both = [("a", "10.0.0.0/24"), ("b", "10.0.0.0/24"), ("b", "0.0.0.0/0")];
    let refused = eval(&pair("a", "b"), &routes(&both));
    assert_eq!(refused.refused().len(), 3);
    assert_eq!(status(refused.entry("b", "to-a")), "Bound Ready", "a refused route is no trouble of the peering");
}

#[test]
fn r12_both_sides_name_each_other_whatever_their_entries_are_called() {
    let one_sided = eval(&(network("a", 101, &to("b")) + &network("b", 102, "")), "");
    assert_eq!(status(one_sided.entry("a", "to-b")), "Pending Pending NotReciprocated");
    let documents = network("a", 101, "{name: x, networkRef: {name: b}}")
        + &network("b", 102, "{name: y, networkRef: {name: a}, prefixes: [{name: p, prefix: 10.0.0.0/8}]}");
    let answer = eval(&documents, "");
    assert_eq!(
        (status(answer.entry("a", "x")), status(answer.entry("b", "y"))),
        ("Bound Ready".into(), "Bound Ready".into())
    );
    let missing = eval(&network("a", 101, &to("b")), "");
    assert_eq!(status(missing.entry("a", "to-b")), "Pending Pending NetworkNotFound");
}

#[test]
fn r12_an_entry_that_pins_another_uid_does_not_reciprocate() {
    let documents = network_with("a", "uid: one, ", 101, &to("b"))
        + &network("b", 102, "{name: e, networkRef: {name: a, uid: zero}}");
    let answer = eval(&documents, "");
    assert_eq!(status(answer.entry("a", "to-b")), "Pending Pending NotReciprocated");
    assert_eq!(status(answer.entry("b", "e")), "Pending Pending UIDMismatch");
}

#[test]
fn r13_an_unavailable_network_binds_nothing_and_the_state_remembers_it() {
    let mut play = Play::default();
    play.at(0, &pair("a", "b"), "");
    play.options.unavailable.insert("default/b".into());
    let answer = play.at(1, &pair("a", "b"), &routes(&[("a", "10.0.0.0/24")]));
    assert_eq!(answer.network("b")["state"], "Pending");
    for (network, entry) in [("a", "to-b"), ("b", "to-a")] {
        assert_eq!(status(answer.entry(network, entry)), "Pending Pending NetworkNotAvailable");
        assert_eq!(since(answer.entry(network, entry)), 1);
    }
    assert_eq!(answer.table("b"), [""; 0]);
    play.options.unavailable.clear();
    let later = play.at(2, &pair("a", "b"), "");
    assert_eq!(status(later.entry("a", "to-b")), "Pending Pending NetworkNotAvailable");
}

#[test]
fn r14_a_missing_namespace_is_that_of_the_referring_network() {
    let documents = network("x/a", 101, &to("b")) + &network("x/b", 102, &to("a")) + &network("b", 103, &to("a"));
    let answer = eval(&documents, "");
    assert_eq!(status(answer.entry("x/a", "to-b")), "Bound Ready");
    assert_eq!(status(answer.entry("b", "to-a")), "Pending Pending NetworkNotFound");
    let across = network("x/a", 101, &to("y/b")) + &network("y/b", 102, &to("x/a"));
    assert_eq!(status(eval(&across, "").entry("x/a", "to-b")), "Bound Ready");
}

#[test]
fn r15_an_entry_that_cannot_bind_leaves_the_others_alone() {
    let documents = network("a", 101, &format!("{}, {}", to("nowhere"), to("b"))) + &network("b", 102, &to("a"));
    let answer = eval(&documents, "");
    assert_eq!(status(answer.entry("a", "to-nowhere")), "Pending Pending NetworkNotFound");
    assert_eq!(status(answer.entry("a", "to-b")), "Bound Ready");
}

#[test]
fn r16_removing_one_entry_unbinds_both_sides() {
    let mut play = Play::default();
    play.at(0, &pair("a", "b"), "");
    let answer = play.at(1, &(network("a", 101, "") + &network("b", 102, &to("a"))), "");
    assert_eq!(answer.network("a")["peerings"], json!([]));
    assert_eq!(status(answer.entry("b", "to-a")), "Pending Pending NotReciprocated");
}

#[test]
fn r17_incoming_peerings_are_the_bound_peers_and_nothing_else() {
    let claimed = "---\n{apiVersion: networking.ironcore.dev/v1alpha1, kind: Network, metadata: {name: a, uid: ua}, \
                   spec: {providerID: 'ironcore-net://x/y/101/z', incomingPeerings: [{name: stranger, uid: s}], \
                   peerings: [{name: e, networkRef: {name: b}}, {name: f, networkRef: {name: c}}]}}\n";
    let others = network_with("b", "uid: ub, ", 102, &to("a")) + &network_with("c", "uid: uc, ", 103, "");
    let answer = eval(&(claimed.to_owned() + &others), "");
    assert_eq!(answer.network("a")["incomingPeerings"], json!([{"namespace": "default", "name": "b", "uid": "ub"}]));
    assert_eq!(answer.network("b")["incomingPeerings"], json!([{"namespace": "default", "name": "a", "uid": "ua"}]));
    assert_eq!(answer.network("c")["incomingPeerings"], json!([]));
}

#[test]
fn r19_there_is_one_status_per_entry_in_its_order_from_the_first_evaluation() {
    let answer = eval(&network("a", 0, &format!("{}, {}, {}", to("z"), to("b"), to("m"))), "");
    let names: Vec<_> = answer.network("a")["peerings"].as_array().unwrap().iter().map(|e| text(&e["name"])).collect();
    assert_eq!(names, ["to-z", "to-b", "to-m"]);
}

#[test]
fn r19_of_several_reasons_the_first_is_shown() {
    let reason = |documents: &str| text(&eval(documents, "").entry("a", "e")["reason"]).to_owned();
    let a = |vni| network("a", vni, "{name: e, networkRef: {name: b, uid: other}}");
    let deleting = "deletionTimestamp: '2024-01-01T00:00:00Z', ";
    assert_eq!(reason(&a(0)), "NetworkNotFound");
    let held = network("a", 7, "{name: e, networkRef: {name: b, uid: ub}}")
        + &network_with("b", &format!("uid: ub, {deleting}"), 8, &to("a"));
    assert_eq!(reason(&held), "PeerDeleting");
    assert_eq!(reason(&(a(0) + &network("b", 7, ""))), "UIDMismatch");
    let named = |vni| network("a", vni, "{name: e, networkRef: {name: b}}");
    assert_eq!(reason(&(named(0) + &network("b", 7, ""))), "NetworkNotAvailable");
    assert_eq!(reason(&(named(7) + &network("b", 7, ""))), "SameVRF");
    assert_eq!(reason(&(named(7) + &network("b", 8, ""))), "NotReciprocated");
}

#[test]
fn r21_the_transition_time_moves_with_the_phase_and_with_nothing_else() {
    let mut play = Play::default();
    let a = |more: &str| network("a", 101, &to_with("b", more));
    let b = network("b", 102, &to("a"));
    let waiting = play.at(1, &a(""), "");
    assert_eq!(since(waiting.entry("a", "to-b")), 1);
    assert_eq!(since(play.at(2, &(a("") + &network("b", 102, "")), "").entry("a", "to-b")), 1, "another reason");
    assert_eq!(since(play.at(3, &(a("") + &b), "").entry("a", "to-b")), 3);
    assert_eq!(since(play.at(4, &(a("") + &b), "").entry("a", "to-b")), 3, "again");
    let edited = a(", prefixes: [{name: x, prefixRef: {name: none}}]");
    let edited = play.at(5, &(edited + &b), "");
    assert_eq!(status(edited.entry("a", "to-b")), "Bound Pending PrefixRefUnresolved");
    assert_eq!(since(edited.entry("a", "to-b")), 3, "a change of state");
    assert_eq!(since(play.at(6, &a(""), "").entry("a", "to-b")), 6, "the peer is going");
}

#[test]
fn r22_the_status_lists_the_resolved_prefixes_in_the_order_of_the_spec_while_ready() {
    let listed = ", prefixes: [{name: x, prefixRef: {name: late}}, {name: y, prefix: 10.9.0.0/16}, \
                  {name: z, prefixRef: {name: early}}, {name: w, prefixRef: {name: pending}}]";
    let documents = network("a", 101, &to_with("b", listed))
        + &network("b", 102, &to("a"))
        + &prefix("late", "10.200.0.0/16", "Allocated")
        + &prefix("early", "10.1.0.0/16", "Allocated")
        + &prefix("pending", "10.3.0.0/16", "Pending");
    let answer = eval(&documents, "");
    assert_eq!(answer.entry("a", "to-b")["prefixes"], json!(["10.200.0.0/16", "10.9.0.0/16", "10.1.0.0/16"]));
    assert_eq!(answer.entry("b", "to-a")["prefixes"], json!([]));
    let pending = eval(&network("a", 101, &to_with("b", listed)), "");
    assert_eq!(pending.entry("a", "to-b")["prefixes"], json!([]));
}

#[test]
fn r48_the_same_again_changes_neither_answer_nor_state() {
    let documents = pair("a", "b") + &private("p", 3) + &shared("s", 4) + &peering("ps", "p", "s");
    let mut play = Play::default();
    let first = play.at(0, &documents, "");
    let state = play.state.clone();
    let again = play.at(9, &documents, "");
    assert_eq!(first.json, again.json);
    assert_eq!(state, play.state);
}
