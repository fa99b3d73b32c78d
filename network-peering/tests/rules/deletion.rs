//! Deletion (rules R24–R26).

use crate::common::*;

const DELETING: &str = "deletionTimestamp: '2024-01-01T00:00:00Z', ";

#[test]
fn r24_a_network_claimed_by_a_live_peer_stays_until_the_peer_drops_its_entry() {
    let mut play = Play::default();
    let (a, b) = (network("a", 101, &to("b")), network("b", 102, &to("a")));
    play.at(0, &(a.clone() + &b), "");
    let lingering = play.at(1, &a, "");
    assert_eq!(lingering.names(), ["default/a", "default/b"]);
    assert_eq!(status(lingering.entry("a", "to-b")), "Pending Pending PeerDeleting");
    assert_eq!(status(lingering.entry("b", "to-a")), "Pending Pending PeerDeleting");
    assert_eq!(since(lingering.entry("b", "to-a")), 1);
    assert_eq!(play.at(2, &a, "").names(), ["default/a", "default/b"], "as long as the entry stands");
    assert_eq!(play.at(3, &network("a", 101, ""), "").names(), ["default/a"]);
}

#[test]
fn r24_two_deleted_peers_both_go() {
    let mut play = Play::default();
    play.at(0, &pair("a", "b"), "");
    assert_eq!(play.at(1, "", "").names(), [""; 0]);
    let documents = network_with("a", DELETING, 101, &to("b")) + &network_with("b", DELETING, 102, &to("a"));
    assert_eq!(eval(&documents, "").names(), [""; 0]);
}

#[test]
fn r24_a_network_that_was_never_bound_goes_at_once() {
    let mut play = Play::default();
    play.at(0, &(network("a", 101, &to("b")) + &network("b", 102, "")), "");
    let answer = play.at(1, &network("a", 101, &to("b")), "");
    assert_eq!(answer.names(), ["default/a"]);
    assert_eq!(status(answer.entry("a", "to-b")), "Pending Pending NetworkNotFound");
}

#[test]
fn r24_a_deletion_timestamp_in_the_manifest_means_the_same() {
    let documents = network("a", 101, &to("b")) + &network_with("b", DELETING, 102, &to("a"));
    let answer = eval(&documents, "");
    assert_eq!(answer.names(), ["default/a", "default/b"]);
    assert_eq!(status(answer.entry("a", "to-b")), "Pending Pending PeerDeleting");
    assert_eq!(eval(&network_with("b", DELETING, 102, &to("a")), "").names(), [""; 0]);
}

#[test]
fn r24_a_document_that_comes_back_is_a_new_network_once_the_old_one_is_gone() {
    let mut play = Play::default();
    let (a, b) = (network("a", 101, &to("b")), network("b", 102, &to("a")));
    let before = play.at(0, &(a.clone() + &b), "");
    play.at(1, &a, "");
    let back = play.at(2, &(a.clone() + &b), "");
    assert_eq!(status(back.entry("a", "to-b")), "Pending Pending PeerDeleting", "a deletion is not taken back");
    let released = play.at(3, &(network("a", 101, "") + &b), "");
    assert_ne!(released.network("b")["uid"], before.network("b")["uid"]);
    assert_eq!(status(released.entry("b", "to-a")), "Pending Pending NotReciprocated");
    assert_eq!(status(play.at(4, &(a + &b), "").entry("a", "to-b")), "Bound Ready");
}

#[test]
fn r25_from_the_deletion_on_no_route_passes_either_way() {
    let mut play = Play::default();
    let (a, b) = (network("a", 101, &to("b")), network("b", 102, &to("a")));
    let rows = routes(&[("a", "10.0.0.0/24"), ("b", "10.1.0.0/24")]);
    let bound = play.at(0, &(a.clone() + &b), &rows);
    assert_eq!(bound.table("b"), ["10.0.0.0/24 < a", "10.1.0.0/24"]);
    let lingering = play.at(1, &a, &rows);
    assert_eq!(lingering.table("a"), ["10.0.0.0/24"]);
    assert_eq!(lingering.table("b"), ["10.1.0.0/24"]);
    assert_eq!(lingering.refused(), [""; 0]);
}

#[test]
fn r26_a_claim_is_by_uid_and_not_by_name() {
    let mut play = Play::default();
    let b = network("b", 102, &to("x/a"));
    play.at(0, &(network_with("x/a", "uid: one, ", 101, &to("default/b")) + &b), "");
    let namesake = network_with("x/a", "uid: two, ", 101, &to("default/b")) + &network("y/a", 103, &to("default/b"));
    let answer = play.at(1, &namesake, "");
    assert_eq!(answer.names(), ["x/a", "y/a"], "neither of them is the peer that was bound");
}

#[test]
fn r24_a_metal_network_stays_while_its_peering_and_the_other_side_do() {
    let mut play = Play::default();
    let (a, s, p) = (private("a", 1), shared("s", 2), peering("as", "a", "s"));
    play.at(0, &(a.clone() + &s + &p), "");
    let answer = play.at(1, &(a.clone() + &p), "");
    assert_eq!(status(answer.peering("as")), "Pending Pending PeerDeleting");
    assert_eq!(answer.names(), ["default/a", "default/s"]);
    assert_eq!(play.at(2, &a, "").names(), ["default/a"]);
}

#[test]
fn r24_a_metal_network_that_was_never_peerable_goes_with_its_document() {
    let mut play = Play::default();
    let (a, p) = (private("a", 1), peering("as", "a", "s"));
    play.at(0, &(a.clone() + &metal("s", "vrf: 2, privatesuper: true") + &p), "");
    let answer = play.at(1, &(a + &p), "");
    assert_eq!(answer.names(), ["default/a"]);
    assert_eq!(status(answer.peering("as")), "Pending Pending NetworkNotFound");
}

#[test]
fn r24_a_network_refused_by_its_project_goes_with_its_document() {
    let mut play = Play::default();
    let a = network("a", 101, &to("b"));
    let b = network_with("b", "labels: {metal-stack.io/project: p}, ", 102, &to("a"));
    assert_eq!(status(play.at(0, &(a.clone() + &b), "").entry("a", "to-b")), "Pending Error CrossProject");
    let answer = play.at(1, &a, "");
    assert_eq!(answer.names(), ["default/a"]);
    assert_eq!(status(answer.entry("a", "to-b")), "Pending Pending NetworkNotFound");
}

#[test]
fn a_peering_whose_document_is_gone_leaves_nothing_behind() {
    let mut play = Play::default();
    let (a, s, p) = (private("a", 1), shared("s", 2), peering("as", "a", "s"));
    play.at(0, &(a.clone() + &s + &p), "");
    let answer = play.at(1, &(a.clone() + &s), &routes(&[("a", "10.1.0.0/24")]));
    assert_eq!(answer.peering_names(), [""; 0]);
    assert_eq!(answer.table("s"), [""; 0]);
    assert_eq!(since(play.at(2, &(a + &s + &p), "").peering("as")), 2, "a peering of that name is a new one");
}
