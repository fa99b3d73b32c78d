//! What leaks between ironcore networks, and what is refused (rules R29–R36, R45).

use network_peering::Options;
use serde_json::json;

use crate::common::*;

#[test]
fn r29_each_direction_is_filtered_by_the_exporters_entry() {
    let documents =
        network("a", 101, &to_with("b", ", prefixes: [{name: x, prefix: 10.0.0.0/24}]")) + &network("b", 102, &to("a"));
    let rows = routes(&[("a", "10.0.0.0/24"), ("a", "10.0.1.0/24"), ("b", "10.0.2.0/24")]);
    let answer = eval(&documents, &rows);
    assert_eq!(answer.table("a"), ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24 < b"]);
    assert_eq!(answer.table("b"), ["10.0.0.0/24 < a", "10.0.2.0/24"]);
    assert_eq!(answer.refused(), ["10.0.1.0/24 a>b NotExposed"]);
    assert_eq!(answer.route("b", "10.0.0.0/24")["peering"], "to-a", "the importer's entry");
}

#[test]
fn r30_the_default_export_set_is_every_native_route_but_the_default_routes() {
    let rows = routes(&[("a", "10.0.0.0/8"), ("a", "0.0.0.0/0"), ("a", "::/0"), ("a", "2001:db8::/32")]);
    let answer = eval(&pair("a", "b"), &rows);
    assert_eq!(answer.table("b"), ["10.0.0.0/8 < a", "2001:db8::/32 < a"]);
    assert_eq!(answer.refused(), ["0.0.0.0/0 a>b DefaultRoute", "::/0 a>b DefaultRoute"]);
}

#[test]
fn r31_a_less_specific_route_does_not_pass() {
    let documents =
        network("a", 101, &to_with("b", ", prefixes: [{name: x, prefix: 10.0.0.0/24}]")) + &network("b", 102, &to("a"));
    let rows = routes(&[("a", "10.0.0.0/8"), ("a", "10.0.0.0/24"), ("a", "10.0.0.9/32"), ("a", "2001:db8::/32")]);
    let answer = eval(&documents, &rows);
    assert_eq!(answer.table("b"), ["10.0.0.0/24 < a", "10.0.0.9/32 < a"]);
    assert_eq!(answer.refused(), ["10.0.0.0/8 a>b NotExposed", "2001:db8::/32 a>b NotExposed"]);
}

#[test]
fn r31_where_nothing_is_resolved_nothing_leaks_that_way() {
    let documents = network("a", 101, &to_with("b", ", prefixes: [{name: x, prefixRef: {name: p}}]"))
        + &network("b", 102, &to("a"));
    let rows = routes(&[("a", "10.0.0.0/24"), ("b", "10.0.1.0/24")]);
    let answer = eval(&documents, &rows);
    assert_eq!(status(answer.entry("a", "to-b")), "Bound Pending PrefixRefUnresolved");
    assert_eq!(status(answer.entry("b", "to-a")), "Bound Ready");
    assert_eq!(answer.table("a"), ["10.0.0.0/24", "10.0.1.0/24 < b"]);
    assert_eq!(answer.refused(), ["10.0.0.0/24 a>b NotExposed"]);
    let resolved = eval(&(documents + &prefix("p", "10.0.0.0/16", "Allocated")), &rows);
    assert_eq!(status(resolved.entry("a", "to-b")), "Bound Ready");
    assert_eq!(resolved.table("b"), ["10.0.0.0/24 < a", "10.0.1.0/24"]);
}

#[test]
fn r31_a_reference_is_looked_up_in_the_networks_own_namespace() {
    let documents = network("x/a", 101, &to_with("default/b", ", prefixes: [{name: x, prefixRef: {name: p}}]"))
        + &network("b", 102, &to("x/a"))
        + &prefix("p", "10.0.0.0/16", "Allocated");
    assert_eq!(status(eval(&documents, "").entry("x/a", "to-b")), "Bound Pending PrefixRefUnresolved");
}

#[test]
fn r31_a_default_route_passes_no_explicit_list() {
    let documents =
        network("a", 101, &to_with("b", ", prefixes: [{name: x, prefix: 0.0.0.0/0}]")) + &network("b", 102, &to("a"));
    let answer = eval(&documents, &routes(&[("a", "0.0.0.0/0"), ("a", "10.0.0.0/8")]));
    assert_eq!(answer.table("b"), ["10.0.0.0/8 < a"]);
    assert_eq!(answer.refused(), ["0.0.0.0/0 a>b DefaultRoute"]);
}

#[test]
fn r32_an_empty_list_counts_as_absent_with_a_warning() {
    let documents = network("a", 101, &to_with("b", ", prefixes: []")) + &network("b", 102, &to("a"));
    let answer = eval(&documents, &routes(&[("a", "10.0.0.0/8")]));
    assert_eq!(answer.table("b"), ["10.0.0.0/8 < a"]);
    assert!(answer.warnings[0].contains("spec.peerings[0].prefixes"), "{:?}", answer.warnings);
}

#[test]
fn r33_a_leaked_route_is_never_leaked_on() {
    let documents = network("a", 101, &to("b"))
        + &network("b", 102, &format!("{}, {}", to("a"), to("c")))
        + &network("c", 103, &to("b"));
    let answer = eval(&documents, &routes(&[("a", "10.0.0.0/24"), ("b", "10.1.0.0/24"), ("c", "10.2.0.0/24")]));
    assert_eq!(answer.table("a"), ["10.0.0.0/24", "10.1.0.0/24 < b"]);
    assert_eq!(answer.table("b"), ["10.0.0.0/24 < a", "10.1.0.0/24", "10.2.0.0/24 < c"]);
    assert_eq!(answer.table("c"), ["10.1.0.0/24 < b", "10.2.0.0/24"]);
    assert_eq!(answer.refused(), [""; 0]);
}

#[test]
fn r34_a_native_route_wins_over_a_leaked_one() {
    let answer = eval(&pair("a", "b"), &routes(&[("a", "10.0.0.0/24"), ("b", "10.0.0.0/24")]));
    assert_eq!(answer.table("a"), ["10.0.0.0/24"]);
    assert_eq!(answer.refused(), ["10.0.0.0/24 a>b NativeWins", "10.0.0.0/24 b>a NativeWins"]);
    assert_eq!(answer.conflicts(), ["10.0.0.0/24 a: a before b R34", "10.0.0.0/24 b: b before a R34"]);
}

/// Two exporters, `a` and `b`, into `c`.
fn triangle(a: &str, b: &str) -> String {
    let c = network("c", 103, &format!("{}, {}", to("a"), to("b")));
    c + &network("a", 101, a) + &network("b", 102, b)
}

#[test]
fn r34_the_older_binding_wins_and_its_removal_promotes_the_younger() {
    let rows = routes(&[("a", "10.0.0.0/24"), ("b", "10.0.0.0/24")]);
    let mut play = Play::default();
    play.at(1, &triangle("", &to("c")), &rows);
    let both = play.at(2, &triangle(&to("c"), &to("c")), &rows);
    assert_eq!(both.table("c"), ["10.0.0.0/24 < b"]);
    assert_eq!(both.refused(), ["10.0.0.0/24 a>c OlderBindingWins"]);
    assert_eq!(both.conflicts(), ["10.0.0.0/24 c: b before a R34"]);
    let promoted = play.at(3, &triangle(&to("c"), ""), &rows);
    assert_eq!(promoted.table("c"), ["10.0.0.0/24 < a"]);
    assert_eq!(promoted.conflicts(), [""; 0]);
}

#[test]
fn r34_equal_ages_go_by_the_exporters_name() {
    let rows = routes(&[("a", "10.0.0.0/24"), ("b", "10.0.0.0/24")]);
    assert_eq!(eval(&triangle(&to("c"), &to("c")), &rows).table("c"), ["10.0.0.0/24 < a"]);
}

#[test]
fn r34_the_age_is_the_later_of_the_two_entries_times() {
    let rows = routes(&[("a", "10.0.0.0/24"), ("b", "10.0.0.0/24")]);
    let mut play = Play::default();
    // a binds at 1 and b at 2; then both entries of a are made anew at 3.
    play.at(1, &triangle(&to("c"), ""), &rows);
    assert_eq!(play.at(2, &triangle(&to("c"), &to("c")), &rows).table("c"), ["10.0.0.0/24 < a"]);
    play.at(3, &triangle("", &to("c")), &rows);
    assert_eq!(play.at(4, &triangle(&to("c"), &to("c")), &rows).table("c"), ["10.0.0.0/24 < b"]);
}

#[test]
fn r36_above_the_limit_the_first_by_prefix_are_installed_and_the_exporters_entry_is_in_error() {
    let mut play = Play::with(Options { limit: Some(2), ..Options::default() });
    let rows = routes(&[("a", "10.0.2.0/24"), ("a", "2001:db8::/32"), ("a", "10.0.1.0/24"), ("a", "10.0.0.0/16")]);
    let answer = play.at(0, &pair("a", "b"), &rows);
    assert_eq!(answer.table("b"), ["10.0.0.0/16 < a", "10.0.1.0/24 < a"]);
    assert_eq!(answer.refused(), ["10.0.2.0/24 a>b PrefixLimit", "2001:db8::/32 a>b PrefixLimit"]);
    assert_eq!(status(answer.entry("a", "to-b")), "Bound Error PrefixLimit");
    assert_eq!(status(answer.entry("b", "to-a")), "Bound Ready");
    let fitting = play.at(1, &pair("a", "b"), &routes(&[("a", "10.0.2.0/24"), ("a", "10.0.1.0/24")]));
    assert_eq!(status(fitting.entry("a", "to-b")), "Bound Ready");
}

#[test]
fn r36_the_limit_of_the_exporter_comes_before_the_default() {
    let limited = network_with("a", "annotations: {peerage.dev/limit: '1'}, ", 101, &to("b"));
    let rows = routes(&[("a", "10.0.0.0/24"), ("a", "10.0.1.0/24"), ("b", "10.1.0.0/24"), ("b", "10.1.1.0/24")]);
    let answer = eval(&(limited + &network("b", 102, &to("a"))), &rows);
    assert_eq!(answer.table("b"), ["10.0.0.0/24 < a", "10.1.0.0/24", "10.1.1.0/24"]);
    assert_eq!(answer.table("a").len(), 4, "the other direction has the default limit");
}

#[test]
fn r36_a_refused_route_does_not_count_and_a_full_edge_promotes_the_younger() {
    let a = network_with("a", "annotations: {peerage.dev/limit: '1'}, ", 101, &to("c"));
    let documents = a + &network("b", 102, &to("c")) + &network("c", 103, &format!("{}, {}", to("a"), to("b")));
    let rows = routes(&[
        ("c", "10.0.0.0/24"),
        ("a", "10.0.0.0/24"),
        ("a", "10.0.1.0/24"),
        ("a", "10.0.2.0/24"),
        ("b", "10.0.2.0/24"),
    ]);
    let answer = eval(&documents, &rows);
    assert_eq!(answer.table("c"), ["10.0.0.0/24", "10.0.1.0/24 < a", "10.0.2.0/24 < b"]);
    assert!(answer.refused().contains(&"10.0.2.0/24 a>c PrefixLimit".to_owned()), "{:?}", answer.refused());
}

#[test]
fn r39_a_label_puts_an_ironcore_network_under_the_rule_against_crossing_projects() {
    let labelled = |name: &str, vni, project: &str, peer: &str| {
        network_with(name, &format!("labels: {{metal-stack.io/project: '{project}'}}, "), vni, &to(peer))
    };
    let between = |a: String, b: String| status(eval(&(a + &b), "").entry("a", "to-b"));
    assert_eq!(between(labelled("a", 1, "p", "b"), labelled("b", 2, "p", "a")), "Bound Ready");
    assert_eq!(between(labelled("a", 1, "p", "b"), labelled("b", 2, "q", "a")), "Pending Error CrossProject");
    assert_eq!(between(labelled("a", 1, "p", "b"), network("b", 2, &to("a"))), "Pending Error CrossProject");
    assert_eq!(between(network("a", 1, &to("b")), labelled("b", 2, "p", "a")), "Pending Error CrossProject");
}

#[test]
fn a_multipath_route_leaks_as_a_set() {
    let rows = "
- {network: default/a, prefix: 10.0.0.0/24, nextHop: 192.0.2.9, asPath: [65001, 65002]}
- {network: default/a, prefix: 10.0.0.0/24, nextHop: 192.0.2.2, asPath: [65003]}
- {network: default/a, prefix: 10.0.0.0/24, nextHop: 192.0.2.1, asPath: [65004]}
- {network: default/a, prefix: 10.0.0.0/24, nextHop: 192.0.2.0, asPath: [65005], origin: static}
";
    let answer = eval(&pair("a", "b"), rows);
    for network in ["a", "b"] {
        let route = answer.route(network, "10.0.0.0/24");
        assert_eq!(route["nextHop"], "192.0.2.1");
        assert_eq!(route["asPath"], json!([65004]));
        assert_eq!(route["nextHops"], json!(["192.0.2.1", "192.0.2.2"]));
    }
}

#[test]
fn r45_a_route_of_the_own_zone_comes_before_a_shorter_path() {
    let rows = "
- {network: default/a, prefix: 10.0.0.0/24, nextHop: 192.0.2.1, asPath: [65001], zone: z1}
- {network: default/a, prefix: 10.0.0.0/24, nextHop: 192.0.2.2, asPath: [65002, 65003], zone: z2}
";
    let next_hop = |zone: Option<&str>| {
        let mut play = Play::with(Options { zone: zone.map(Into::into), ..Options::default() });
        text(&play.at(0, &pair("a", "b"), rows).route("b", "10.0.0.0/24")["nextHop"]).to_owned()
    };
    assert_eq!(next_hop(None), "192.0.2.1");
    assert_eq!(next_hop(Some("z1")), "192.0.2.1");
    assert_eq!(next_hop(Some("z2")), "192.0.2.2");
    assert_eq!(next_hop(Some("z3")), "192.0.2.1");
}

#[test]
fn r45_an_edge_confined_to_a_partition_carries_nothing_from_another() {
    let rows = "
- {network: default/a, prefix: 10.0.0.0/24, zone: z1}
- {network: default/a, prefix: 10.0.1.0/24, zone: z2}
";
    let confined = network_with("a", "annotations: {peerage.dev/scope: partition}, ", 101, &to("b"));
    let documents = confined + &network("b", 102, &to("a"));
    let mut play = Play::with(Options { zone: Some("z1".into()), ..Options::default() });
    let answer = play.at(0, &documents, rows);
    assert_eq!(answer.table("b"), ["10.0.0.0/24 < a"]);
    assert_eq!(answer.refused(), ["10.0.1.0/24 a>b ScopePartition"]);
    assert_eq!(eval(&documents, rows).table("b").len(), 2, "without a zone the rule has no effect");
}

#[test]
fn rows_are_canonical_native_whatever_their_origin_and_of_known_networks() {
    let rows = "
- {network: default/a, prefix: 10.0.0.7/24, origin: connected}
- {network: default/a, prefix: 10.0.1.0/24, origin: evpn, communities: ['65001:7']}
- {network: default/nowhere, prefix: 10.0.2.0/24}
";
    let answer = eval(&pair("a", "b"), rows);
    assert_eq!(answer.table("b"), ["10.0.0.0/24 < a", "10.0.1.0/24 < a"]);
    assert_eq!(answer.warnings.len(), 1);
    assert!(answer.warnings[0].contains("default/nowhere") && answer.warnings[0].contains("[2]"));
    let bad = "[{prefix: 10.0.0.0/33, origin: rumour}, 5]";
    let errors = network_peering::read_routes("r", bad.as_bytes()).unwrap_err();
    let shown: Vec<_> = errors.iter().map(|e| format!("{} {}", e.place.path, e.error_type)).collect();
    assert_eq!(shown, ["[0].network Required", "[0].prefix Invalid", "[0].origin NotSupported", "[1] Invalid"]);
}
