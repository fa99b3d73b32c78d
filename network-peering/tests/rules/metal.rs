//! The metal-stack peering (rules R34, R35, R37–R46).

use network_peering::Options;

use crate::common::*;

fn joined(a: &str, b: &str) -> String {
    let documents = metal("a", a) + &metal("b", b) + &peering("ab", "a", "b");
    status(eval(&documents, "").peering("ab"))
}

const PRIVATE: &str = "parentnetworkid: s, projectid: p";
const SHARED: &str = "parentnetworkid: s, shared: true";

/// An external network with a public prefix and everything behind it.
fn internet(more: &str) -> String {
    metal("internet", &format!("vrf: 9, prefixes: [203.0.113.0/24], destinationprefixes: [0.0.0.0/0]{more}"))
}

#[test]
fn r38_a_peering_with_an_unknown_network_waits_for_it() {
    let mut play = Play::default();
    let waiting = play.at(0, &(private("a", 1) + &peering("ab", "a", "b")), "");
    assert_eq!(status(waiting.peering("ab")), "Pending Pending NetworkNotFound");
    let bound = play.at(4, &(private("a", 1) + &private("b", 2) + &peering("ab", "a", "b")), "");
    assert_eq!((status(bound.peering("ab")).as_str(), since(bound.peering("ab"))), ("Bound Ready", 4));
}

#[test]
fn r39_private_networks_peer_within_one_project() {
    assert_eq!(joined(&format!("vrf: 1, {PRIVATE}"), &format!("vrf: 2, {PRIVATE}")), "Bound Ready");
    let other = "vrf: 2, parentnetworkid: s, projectid: q";
    assert_eq!(joined(&format!("vrf: 1, {PRIVATE}"), other), "Pending Error CrossProject");
    let none = "parentnetworkid: s";
    assert_eq!(joined(&format!("vrf: 1, {none}"), &format!("vrf: 2, {none}")), "Pending Error CrossProject");
}

#[test]
fn r39_shared_and_external_networks_peer_with_private_ones_only() {
    let private = format!("vrf: 1, {PRIVATE}");
    assert_eq!(joined(&private, &format!("vrf: 2, {SHARED}, projectid: q")), "Bound Ready");
    assert_eq!(joined(&private, "vrf: 2"), "Bound Ready");
    assert_eq!(joined(&private, "vrf: 2, projectid: p"), "Bound Ready");
    assert_eq!(joined(&private, "vrf: 2, projectid: q"), "Pending Error CrossProject");
    assert_eq!(joined(&format!("vrf: 1, {SHARED}"), &format!("vrf: 2, {SHARED}")), "Pending Error NotPeerable");
    assert_eq!(joined(&format!("vrf: 1, {SHARED}"), "vrf: 2"), "Pending Error NotPeerable");
    assert_eq!(joined("vrf: 1", "vrf: 2"), "Pending Error NotPeerable");
}

#[test]
fn r39_a_project_that_changes_withdraws_at_once() {
    let rows = routes(&[("a", "10.1.0.0/24")]);
    let b = |project: &str| {
        metal("b", &format!("vrf: 2, parentnetworkid: super, projectid: {project}, prefixes: [10.2.0.0/16]"))
    };
    let mut play = Play::default();
    let documents = private("a", 1) + &peering("ab", "a", "b");
    assert_eq!(play.at(0, &(documents.clone() + &b("p")), &rows).table("b"), ["10.1.0.0/24 < a"]);
    let crossed = play.at(1, &(documents + &b("q")), &rows);
    assert_eq!(status(crossed.peering("ab")), "Pending Error CrossProject");
    assert_eq!((crossed.table("b"), crossed.refused()), (vec![], vec![]));
}

#[test]
fn r39_an_edge_that_the_objects_do_not_allow_is_found_wherever_it_comes_from() {
    let load = |documents: String| network_peering::load([("f".to_owned(), documents)]).unwrap();
    let evaluate = |world: &network_peering::World| {
        let now = network_peering::Timestamp::from_unix_seconds(0);
        network_peering::evaluate(world, &mut network_peering::State::default(), now, &Options::default())
    };
    let documents = private("a", 1) + &private("b", 2) + &peering("p", "a", "b");
    let outcome = evaluate(&load(documents.clone()));
    assert_eq!(outcome.edges.len(), 2);
    assert!(outcome.edges.iter().all(|edge| edge.check(&load(documents.clone())) == Ok(())));
    let moved = load(documents.replacen("projectid: p", "projectid: q", 1));
    assert!(outcome.edges.iter().all(|edge| edge.check(&moved) == Err(network_peering::Reason::CrossProject)));
    let gone = load(private("a", 1));
    assert!(outcome.edges.iter().all(|edge| edge.check(&gone) == Err(network_peering::Reason::NetworkNotFound)));

    let labelled = |name: &str, vni, project: &str, target: &str| {
        network_with(name, &format!("labels: {{metal-stack.io/project: {project}}}, "), vni, &to(target))
    };
    let documents = labelled("x", 101, "p", "y") + &labelled("y", 102, "p", "x");
    let outcome = evaluate(&load(documents.clone()));
    let moved = load(documents.replacen("project: p", "project: q", 1));
    assert_eq!(outcome.edges.len(), 2);
    assert!(outcome.edges.iter().all(|edge| edge.check(&moved) == Err(network_peering::Reason::CrossProject)));
}

#[test]
fn r43_ebgp_is_for_an_external_network_alone() {
    use leak_engine::Advertise;
    let modes = |documents: &str| {
        let world = network_peering::load([("f".to_owned(), documents)]).unwrap();
        let now = network_peering::Timestamp::from_unix_seconds(0);
        let options = Options::default();
        let outcome = network_peering::evaluate(&world, &mut network_peering::State::default(), now, &options);
        let edges = outcome.edges.iter();
        edges.map(|edge| (edge.to.name.name.clone(), edge.advertise)).collect::<Vec<_>>()
    };
    let spec = |mode| format!("network1: a, network2: i, advertise: {{network1: {mode}, network2: {mode}}}");
    let networks = private("a", 1) + &metal("i", "vrf: 9, prefixes: [203.0.113.0/24]");
    let both = |mode| modes(&(networks.clone() + &peering_with("p", &spec(mode))));
    assert_eq!(both("ebgp"), [("a".to_owned(), Advertise::None), ("i".to_owned(), Advertise::Ebgp)]);
    assert_eq!(both("all"), [("a".to_owned(), Advertise::All), ("i".to_owned(), Advertise::All)]);
    assert_eq!(both("evpn"), [("a".to_owned(), Advertise::Evpn), ("i".to_owned(), Advertise::Evpn)]);
}

#[test]
fn r40_some_networks_are_never_peerable() {
    let private = format!("vrf: 1, {PRIVATE}");
    assert_eq!(joined(&private, "vrf: 2, underlay: true"), "Pending Error NotPeerable");
    assert_eq!(joined(&private, "vrf: 2, privatesuper: true"), "Pending Error NotPeerable");
    assert_eq!(joined(&private, PRIVATE), "Pending Error NotPeerable", "it has no VRF");
    assert_eq!(joined(&private, &private), "Pending Error SameVRF");
}

#[test]
fn r41_private_networks_of_two_partitions_do_not_peer() {
    let at = |vrf: u32, partition: &str| format!("vrf: {vrf}, {PRIVATE}, partitionid: '{partition}'");
    assert_eq!(joined(&at(1, "x"), &at(2, "y")), "Pending Error PartitionMismatch");
    assert_eq!(joined(&at(1, "x"), &at(2, "x")), "Bound Ready");
    assert_eq!(joined(&at(1, "x"), &at(2, "")), "Bound Ready");
    assert_eq!(joined(&at(1, "x"), &format!("vrf: 2, {SHARED}, partitionid: y")), "Bound Ready");
}

#[test]
fn r19_of_several_reasons_the_first_is_shown() {
    assert_eq!(
        joined("vrf: 1, parentnetworkid: s, projectid: p, partitionid: x", "vrf: 1, underlay: true"),
        "Pending Error NotPeerable"
    );
    let (a, b) = (
        "vrf: 1, parentnetworkid: s, projectid: p, partitionid: x",
        "vrf: 2, parentnetworkid: s, projectid: q, partitionid: y",
    );
    assert_eq!(joined(a, b), "Pending Error CrossProject");
    let mut play = Play::default();
    play.options.unavailable.insert("default/a".into());
    let documents = metal("a", a) + &metal("b", b) + &peering("ab", "a", "b");
    assert_eq!(status(play.at(0, &documents, "").peering("ab")), "Pending Pending NetworkNotAvailable");
}

#[test]
fn r30_a_metal_network_exports_inside_its_declared_prefixes() {
    let storage =
        metal("s", &format!("vrf: 2, {SHARED}, prefixes: [10.2.0.0/16], destinationprefixes: [10.99.0.0/16]"));
    let documents = private("a", 1) + &storage + &peering("as", "a", "s");
    let rows = routes(&[
        ("a", "10.1.3.0/24"),
        ("a", "10.0.0.0/8"),
        ("a", "10.7.0.0/24"),
        ("s", "10.2.0.0/16"),
        ("s", "10.99.1.0/24"),
        ("s", "10.98.0.0/24"),
    ]);
    let answer = eval(&documents, &rows);
    assert_eq!(answer.table("s"), ["10.1.3.0/24 < a", "10.2.0.0/16", "10.98.0.0/24", "10.99.1.0/24"]);
    assert_eq!(answer.table("a"), ["10.0.0.0/8", "10.1.3.0/24", "10.2.0.0/16 < s", "10.7.0.0/24", "10.99.1.0/24 < s"]);
    assert_eq!(
        answer.refused(),
        ["10.0.0.0/8 a>s OutsideDeclared", "10.7.0.0/24 a>s OutsideDeclared", "10.98.0.0/24 s>a OutsideDeclared"]
    );
}

#[test]
fn r34_nothing_comes_inside_the_importers_own_prefixes() {
    let wide = metal("s", &format!("vrf: 2, {SHARED}, prefixes: [10.0.0.0/8]"));
    let documents = private("a", 1) + &wide + &peering("as", "a", "s");
    let rows = routes(&[("s", "10.1.0.0/16"), ("s", "10.1.2.0/24"), ("s", "10.0.0.0/8"), ("s", "10.3.0.0/24")]);
    let answer = eval(&documents, &rows);
    assert_eq!(answer.table("a"), ["10.0.0.0/8 < s", "10.3.0.0/24 < s"]);
    assert_eq!(answer.refused(), ["10.1.0.0/16 s>a OwnSpace", "10.1.2.0/24 s>a OwnSpace"]);
    assert_eq!(answer.conflicts(), ["10.1.0.0/16 a: a before s R34", "10.1.2.0/24 a: a before s R34"]);
}

#[test]
fn r35_only_an_external_network_exports_a_default_route() {
    let documents = private("a", 1) + &internet("") + &peering("ai", "a", "internet");
    let answer = eval(&documents, &routes(&[("internet", "0.0.0.0/0"), ("internet", "198.51.100.0/24")]));
    assert_eq!(answer.table("a"), ["0.0.0.0/0 < internet", "198.51.100.0/24 < internet"]);
    let own = eval(&documents, &routes(&[("internet", "0.0.0.0/0"), ("a", "0.0.0.0/0")]));
    assert_eq!(own.table("a"), ["0.0.0.0/0"]);
    assert_eq!(own.refused(), ["0.0.0.0/0 a>internet DefaultRoute", "0.0.0.0/0 internet>a NativeWins"]);
    let narrow = metal("internet", "vrf: 9, prefixes: [203.0.113.0/24]");
    let narrow =
        eval(&(private("a", 1) + &narrow + &peering("ai", "a", "internet")), &routes(&[("internet", "0.0.0.0/0")]));
    assert_eq!(narrow.refused(), ["0.0.0.0/0 internet>a OutsideDeclared"]);
}

#[test]
fn r36_a_peerings_own_limit_puts_the_peering_in_error() {
    let documents = private("a", 1) + &shared("s", 2) + &peering_with("as", "network1: a, network2: s, limit: 1");
    let answer = eval(&documents, &routes(&[("a", "10.1.0.0/24"), ("a", "10.1.1.0/24"), ("s", "10.2.0.0/24")]));
    assert_eq!(status(answer.peering("as")), "Bound Error PrefixLimit");
    assert_eq!(answer.table("s"), ["10.1.0.0/24 < a", "10.2.0.0/24"]);
    assert_eq!(answer.table("a").len(), 3);
}

#[test]
fn r42_two_networks_reach_shared_storage_but_not_each_other() {
    let documents =
        private("a", 1) + &private("b", 2) + &shared("s", 3) + &peering("as", "a", "s") + &peering("bs", "s", "b");
    let answer = eval(&documents, &routes(&[("a", "10.1.0.0/24"), ("b", "10.2.0.0/24"), ("s", "10.3.0.0/24")]));
    assert_eq!(answer.table("s"), ["10.1.0.0/24 < a", "10.2.0.0/24 < b", "10.3.0.0/24"]);
    assert_eq!(answer.table("a"), ["10.1.0.0/24", "10.3.0.0/24 < s"]);
    assert_eq!(answer.table("b"), ["10.2.0.0/24", "10.3.0.0/24 < s"]);
}

#[test]
fn r42_where_two_networks_overlap_the_older_one_keeps_its_space_in_storage() {
    let b = metal("b", &format!("vrf: 2, {PRIVATE}, prefixes: [10.0.0.0/8]"));
    let documents = |peerings: String| private("a", 1) + &b + &shared("s", 3) + &peerings;
    let rows = routes(&[("a", "10.1.7.0/24"), ("b", "10.1.8.0/24"), ("b", "10.0.0.0/8"), ("b", "10.50.0.0/16")]);
    let mut play = Play::default();
    play.at(0, &documents(peering("as", "a", "s")), &rows);
    let answer = play.at(1, &documents(peering("as", "a", "s") + &peering("bs", "b", "s")), &rows);
    assert_eq!(answer.table("s"), ["10.1.7.0/24 < a", "10.50.0.0/16 < b"]);
    assert_eq!(answer.refused(), ["10.0.0.0/8 b>s OlderBindingWins", "10.1.8.0/24 b>s OlderBindingWins"]);
    assert_eq!(answer.conflicts(), ["10.0.0.0/8 s: a before b R42", "10.1.8.0/24 s: a before b R42"]);
}

#[test]
fn r43_the_external_network_imports_only_its_own_addresses() {
    let documents = private("a", 1) + &internet("") + &peering("ai", "a", "internet");
    let rows = routes(&[
        ("a", "203.0.113.7/32"),
        ("a", "10.1.0.0/24"),
        ("internet", "8.8.8.0/24"),
        ("internet", "10.1.9.0/24"),
    ]);
    let answer = eval(&documents, &rows);
    assert_eq!(answer.table("internet"), ["8.8.8.0/24", "10.1.9.0/24", "203.0.113.7/32 < a"]);
    assert_eq!(answer.refused(), ["10.1.0.0/24 a>internet PolicyDenied", "10.1.9.0/24 internet>a OwnSpace"]);
    assert_eq!(status(answer.peering("ai")), "Bound Ready");
}

#[test]
fn r43_private_routes_and_a_natted_external_network_need_nat() {
    let documents = private("a", 1) + &internet(", nat: true") + &peering("ai", "a", "internet");
    let natted = eval(&documents, &routes(&[("a", "10.1.0.0/24"), ("internet", "8.8.8.0/24")]));
    assert_eq!(status(natted.peering("ai")), "Bound Ready NATRequired");
    assert_eq!(natted.table("a"), ["8.8.8.0/24 < internet", "10.1.0.0/24"]);
    let public = eval(&documents, &routes(&[("a", "203.0.113.7/32")]));
    assert_eq!(status(public.peering("ai")), "Bound Ready");
}

#[test]
fn r44_an_external_peering_joins_one_network_with_a_neighbour() {
    let spec = "network1: internet, bgp: {local: {as: 65000, cidr: 172.16.0.1, port: Ethernet0@exit01}, \
                remote: {as: 65001, cidr: 172.16.0.2}}";
    let answer = eval(&(internet("") + &peering_with("isp", spec)), "");
    assert_eq!(status(answer.peering("isp")), "Bound Ready");
    assert_eq!(answer.peering("isp")["peeringType"], "external");
    assert!(answer.peering("isp")["network2"].is_null());
    assert_eq!(status(eval(&peering_with("isp", spec), "").peering("isp")), "Pending Pending NetworkNotFound");
}

#[test]
fn r45_a_confined_peering_exports_to_no_other_partition() {
    let a = metal("a", &format!("vrf: 1, {PRIVATE}, prefixes: [10.1.0.0/16], partitionid: x"));
    let s = metal("s", &format!("vrf: 2, {SHARED}, prefixes: [10.2.0.0/16], partitionid: y"));
    let documents = a + &s + &peering_with("as", "network1: a, network2: s, scope: partition");
    let mut play = Play::with(Options { zone: Some("x".into()), ..Options::default() });
    let answer = play.at(0, &documents, &routes(&[("a", "10.1.0.0/24")]));
    assert_eq!(answer.refused(), ["10.1.0.0/24 a>s ScopePartition"]);
}

fn project(label: &str) -> String {
    format!("---\n{{apiVersion: metal-stack.io/v1, kind: Project, metadata: {{name: p, labels: {{{label}}}}}}}\n")
}

#[test]
fn r46_the_label_peers_every_pair_of_the_projects_private_networks() {
    let members = private("b", 2) + &private("a", 1) + &private("c", 3) + &shared("s", 4);
    let on = project("auto-peer: 'true'");
    let mut play = Play::default();
    let answer = play.at(0, &(members.clone() + &on), &routes(&[("a", "10.1.0.0/24")]));
    assert_eq!(answer.peering_names(), ["auto/a/b", "auto/a/c", "auto/b/c"]);
    assert_eq!(status(answer.peering("auto/a/b")), "Bound Ready");
    assert_eq!(answer.table("b"), ["10.1.0.0/24 < a"]);
    let explicit = play.at(1, &(members.clone() + &on + &peering("mine", "b", "a")), "");
    assert_eq!(explicit.peering_names(), ["auto/a/c", "auto/b/c", "mine"], "an explicit one stands for its pair");
    let off = play.at(2, &(members.clone() + &project("") + &peering("mine", "b", "a")), "");
    assert_eq!(off.peering_names(), ["mine"]);
    for label in ["auto-peer: 'True'", "auto-peer: 'yes'", "auto-peer: true", "auto-peer: ''"] {
        assert_eq!(eval(&(members.clone() + &project(label)), "").peering_names(), [""; 0], "{label}");
    }
}

#[test]
fn r46_partitions_must_be_equal_or_absent_and_overlaps_are_in_error_alone() {
    let member = |id: &str, vrf: u32, prefix: &str, partition: &str| {
        metal(id, &format!("vrf: {vrf}, {PRIVATE}, prefixes: [{prefix}], partitionid: '{partition}'"))
    };
    let documents = member("a", 1, "10.1.0.0/16", "x")
        + &member("b", 2, "10.1.4.0/24", "")
        + &member("c", 3, "10.3.0.0/16", "y")
        + &project("auto-peer: 'true'");
    let answer = eval(&documents, "");
    assert_eq!(answer.peering_names(), ["auto/a/b", "auto/b/c"]);
    assert_eq!(status(answer.peering("auto/a/b")), "Pending Error Conflict");
    assert_eq!(status(answer.peering("auto/b/c")), "Bound Ready");
}

#[test]
fn r46_a_project_of_more_than_32_networks_is_not_peered_and_says_so() {
    let members = |count: u32| (1..=count).map(|vrf| private(&format!("n{vrf}"), vrf)).collect::<String>();
    let on = project("auto-peer: 'true'");
    assert_eq!(eval(&(members(32) + &on), "").peering_names().len(), 32 * 31 / 2);
    let too_many = eval(&(members(33) + &on), "");
    assert_eq!(too_many.peering_names(), [""; 0]);
    assert!(too_many.warnings[0].contains("33") && too_many.warnings[0].contains("auto-peer"));
}
