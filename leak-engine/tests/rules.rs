//! The rules of leaking, one sentence each.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use bgp_wire::{AfiSafi, FamilySet, NextHop};
use common::*;
use leak_engine::{
    Check, EdgeError, EdgeSpec, EngineError, Filter, Finding, ImportPolicy, ImportRefusal, PrefixList, PrefixRule,
    Rank, Refusal,
};
use rib::{NextHopState, Origination, VrfId};

const V4: AfiSafi = AfiSafi::IPV4_UNICAST;

fn aged(from: u32, to: u32, bound_since: i64) -> EdgeSpec {
    let edge = edge(from, to);
    EdgeSpec { rank: Rank { bound_since, ..edge.rank.clone() }, ..edge }
}

fn limited(from: u32, to: u32, limit: usize) -> EdgeSpec {
    EdgeSpec { limit: Some(limit), ..edge(from, to) }
}

#[test]
fn without_an_edge_nothing_leaks() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.drain();
    assert_eq!(shard.from(1, "10.0.0.0/24"), Some(0));
    assert_eq!(shard.from(2, "10.0.0.0/24"), None);
    assert_eq!(shard.refusal(1, 2, "10.0.0.0/24"), Some(Refusal::NotPeered));
}

#[test]
fn an_edge_leaks_what_stands_and_what_comes_and_takes_all_away_when_it_goes() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.0.0/24", "2001:db8::/32"], &[65001]);
    shard.set_edges(&[edge(1, 2)]);
    shard.announce(machine, &["10.0.1.0/24"], &[65001]);
    shard.drain();
    for prefix in ["10.0.0.0/24", "2001:db8::/32", "10.0.1.0/24"] {
        assert_eq!(shard.from(2, prefix), Some(1), "{prefix}");
    }
    shard.withdraw(machine, &["10.0.0.0/24"]);
    shard.drain();
    assert_eq!(shard.from(2, "10.0.0.0/24"), None);
    shard.set_edges(&[]);
    assert_eq!(shard.from(2, "2001:db8::/32"), None);
    assert_eq!(shard.from(2, "10.0.1.0/24"), None);
    assert_eq!(shard.from(1, "10.0.1.0/24"), Some(0));
}

#[test]
fn a_leaked_route_shares_its_exporters_attributes_and_next_hop() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.set_edges(&[edge(1, 2)]);
    let native = shard.engine.paths(VrfId(1), net("10.0.0.0/24")).next().unwrap();
    let leaked = shard.engine.paths(VrfId(2), net("10.0.0.0/24")).next().unwrap();
    assert_eq!((native.attrs, native.next_hop), (leaked.attrs, leaked.next_hop));
    assert_eq!(leaked.via.vrf, VrfId(1));
    assert_eq!(shard.engine.pools().attrs.len(), 1);
}

#[test]
fn what_leaks_from_a_to_b_never_goes_on_to_c() {
    let mut shard = Shard::new(3);
    let machine = shard.neighbor(1, 1, true);
    shard.set_edges(&[edge(1, 2), edge(2, 1), edge(2, 3), edge(3, 2)]);
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.drain();
    assert_eq!(shard.from(2, "10.0.0.0/24"), Some(1));
    assert_eq!(shard.from(3, "10.0.0.0/24"), None);
    let explanation = shard.engine.explain(VrfId(3), net("10.0.0.0/24"), Some(VrfId(2)));
    let blocked = explanation.blocked().unwrap();
    assert_eq!(blocked.check, Check::Native);
    assert_eq!(blocked.finding.refusal(), Some(Refusal::NotNative));
}

#[test]
fn a_native_route_wins_at_the_same_prefix_and_uncovers_the_leaked_one_when_it_goes() {
    let mut shard = Shard::new(2);
    let (machine, other) = (shard.neighbor(1, 1, true), shard.neighbor(2, 2, true));
    shard.set_edges(&[edge(1, 2)]);
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    // A worse route by every attribute, but the VRF's own.
    shard.announce(other, &["10.0.0.0/24"], &[65001, 65002, 65003]);
    shard.drain();
    assert_eq!(shard.from(2, "10.0.0.0/24"), Some(0));
    let refused = shard.engine.refusal((VrfId(1), VrfId(2)), net("10.0.0.0/24")).unwrap();
    assert_eq!((refused.reason, refused.winner), (Refusal::NativeWins, Some(VrfId(2))));
    assert_eq!(shard.engine.edge(VrfId(1), VrfId(2)).unwrap().refused[&Refusal::NativeWins], 1);
    shard.withdraw(other, &["10.0.0.0/24"]);
    shard.drain();
    assert_eq!(shard.from(2, "10.0.0.0/24"), Some(1));
    assert!(shard.engine.edge(VrfId(1), VrfId(2)).unwrap().refused.is_empty());
}

#[test]
fn removing_a_leaked_route_never_removes_a_native_one() {
    let mut shard = Shard::new(2);
    let (machine, other) = (shard.neighbor(1, 1, true), shard.neighbor(2, 2, true));
    shard.set_edges(&[edge(1, 2)]);
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.announce(other, &["10.0.0.0/24"], &[65002]);
    shard.set_edges(&[]);
    assert_eq!(shard.from(2, "10.0.0.0/24"), Some(0));
}

#[test]
fn the_older_binding_wins_without_multipath_and_removing_it_promotes_the_other() {
    let mut shard = Shard::new(3);
    let (a, b) = (shard.neighbor(1, 1, true), shard.neighbor(2, 2, true));
    shard.announce(a, &["10.0.0.0/24"], &[65001]);
    shard.announce(b, &["10.0.0.0/24"], &[65001]);
    shard.set_edges(&[aged(1, 3, 20), aged(2, 3, 10)]);
    assert_eq!(shard.from(3, "10.0.0.0/24"), Some(2));
    assert_eq!(shard.engine.selected(VrfId(3), net("10.0.0.0/24")).count(), 1);
    let refused = shard.engine.refusal((VrfId(1), VrfId(3)), net("10.0.0.0/24")).unwrap();
    assert_eq!((refused.reason, refused.winner), (Refusal::OlderBindingWins, Some(VrfId(2))));
    // Rebinding makes the winner the younger one.
    shard.set_edges(&[aged(1, 3, 20), aged(2, 3, 30)]);
    assert_eq!(shard.from(3, "10.0.0.0/24"), Some(1));
    shard.set_edges(&[aged(2, 3, 30)]);
    assert_eq!(shard.from(3, "10.0.0.0/24"), Some(2));
}

#[test]
fn a_multipath_route_leaks_as_a_set() {
    let mut shard = Shard::new(2);
    let (a, b) = (shard.neighbor(1, 1, true), shard.neighbor(1, 2, true));
    shard.set_edges(&[edge(1, 2)]);
    let everything = ImportPolicy::accept_all(OWN_AS);
    let prefixes = [net("10.0.0.0/24")];
    shard.receive(a, &announce(&prefixes, &attributes(&[65001], None), hop(1)), &everything);
    shard.receive(b, &announce(&prefixes, &attributes(&[65002], None), hop(2)), &everything);
    shard.drain();
    assert_eq!(shard.shown(VrfId(2), prefixes[0]).unwrap().1, shard.shown(VrfId(1), prefixes[0]).unwrap().1);
    assert_eq!(shard.engine.selected(VrfId(2), prefixes[0]).count(), 2);
    shard.withdraw(a, &["10.0.0.0/24"]);
    shard.drain();
    assert_eq!(shard.engine.paths(VrfId(2), prefixes[0]).count(), 1);
}

#[test]
fn a_next_hop_that_becomes_unreachable_takes_the_leak_away_and_brings_it_back() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.set_edges(&[edge(1, 2)]);
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.drain();
    let next_hop = shard.next_hop(1, hop(1)).unwrap();
    shard.engine.set_next_hop_state(next_hop, NextHopState::Unreachable);
    shard.drain();
    assert_eq!(shard.from(2, "10.0.0.0/24"), None);
    let explanation = shard.engine.explain(VrfId(2), net("10.0.0.0/24"), None);
    assert_eq!(explanation.blocked().unwrap().finding, Finding::Unreachable(hop(1)));
    shard.engine.set_next_hop_state(next_hop, resolved(0));
    shard.drain();
    assert_eq!(shard.from(2, "10.0.0.0/24"), Some(1));
}

#[test]
fn a_limit_admits_the_first_prefixes_in_order_and_a_freed_place_goes_to_the_next() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.4.0/24", "10.0.2.0/24", "10.0.1.0/24", "10.0.3.0/24"], &[65001]);
    shard.set_edges(&[limited(1, 2, 2)]);
    let held = |shard: &Shard| {
        ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24"].map(|p| shard.from(2, p).is_some())
    };
    assert_eq!(held(&shard), [false, true, true, false, false]);
    assert_eq!(shard.engine.edge(VrfId(1), VrfId(2)).unwrap().refused[&Refusal::PrefixLimit], 2);
    assert_eq!(shard.refusal(1, 2, "10.0.3.0/24"), Some(Refusal::PrefixLimit));
    // What is there stays, though a smaller prefix comes.
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.drain();
    assert_eq!(held(&shard), [false, true, true, false, false]);
    shard.withdraw(machine, &["10.0.1.0/24"]);
    shard.drain();
    assert_eq!(held(&shard), [true, false, true, false, false]);
    shard.set_edges(&[limited(1, 2, 10)]);
    assert_eq!(held(&shard), [true, false, true, true, true]);
    assert!(shard.engine.edge(VrfId(1), VrfId(2)).unwrap().refused.is_empty());
}

#[test]
fn a_limit_on_one_edge_does_not_touch_another() {
    let mut shard = Shard::new(3);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.1.0/24", "10.0.2.0/24"], &[65001]);
    shard.set_edges(&[limited(1, 2, 1), edge(1, 3)]);
    assert_eq!(shard.engine.counts(VrfId(2), V4).leaked, 1);
    assert_eq!(shard.engine.counts(VrfId(3), V4).leaked, 2);
}

#[test]
fn changing_one_edge_leaves_the_changes_of_the_others_at_none() {
    let mut shard = Shard::new(3);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.1.0/24", "10.0.2.0/24"], &[65001]);
    shard.set_edges(&[edge(1, 2), edge(1, 3)]);
    let narrow = Filter { exposed: Some(set(&["10.0.1.0/24"])), ..Filter::default() };
    shard.engine.set_edges(vec![EdgeSpec { filter: narrow, ..edge(1, 2) }, edge(1, 3)]).unwrap();
    while shard.engine.tick(1) {}
    let mut changed = Vec::new();
    shard.engine.take_changes(100, |change| changed.push((change.vrf, change.prefix)));
    assert_eq!(changed, [(VrfId(2), net("10.0.2.0/24"))]);
}

#[test]
fn neighbours_lost_at_once_take_their_routes_for_a_destination_along_at_once() {
    let mut shard = Shard::new(2);
    let lost = [1, 2, 3].map(|last| shard.neighbor(1, last, true));
    let prefixes = ["10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"];
    for (hops, source) in lost.iter().enumerate() {
        shard.announce(*source, &prefixes, &[65001, 65002, 65003][hops..]);
    }
    shard.set_edges(&[edge(1, 2)]);
    lost.iter().for_each(|source| shard.engine.remove_source(*source).unwrap());
    let mut left = prefixes.len();
    while shard.engine.tick(1) {
        let paths = prefixes.map(|prefix| shard.engine.paths(VrfId(1), net(prefix)).count());
        assert!(paths.iter().all(|paths| [0, 3].contains(paths)), "{paths:?}");
        left = left.min(paths.iter().filter(|paths| **paths > 0).count());
    }
    assert_eq!(left, 0);
    shard.drain();
    assert!(shard.followed.is_empty() && shard.engine.sources().next().is_none());
}

#[test]
fn setting_the_same_edges_again_changes_nothing() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.1.0/24"], &[65001]);
    shard.set_edges(&[edge(1, 2)]);
    shard.engine.set_edges(vec![edge(1, 2)]).unwrap();
    assert!(!shard.engine.tick(0));
    assert_eq!(shard.engine.pending_changes(), 0);
}

#[test]
fn a_set_of_edges_with_one_that_cannot_stand_changes_nothing() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.1.0/24"], &[65001]);
    shard.set_edges(&[edge(1, 2)]);
    let unknown = shard.engine.set_edges(vec![edge(1, 9)]).unwrap_err();
    assert_eq!(unknown, EdgeError::UnknownVrf { peering: "1-9".into(), vrf: VrfId(9) });
    assert!(matches!(shard.engine.set_edges(vec![edge(1, 1)]), Err(EdgeError::ToItself { .. })));
    assert!(matches!(shard.engine.set_edges(vec![edge(1, 2), edge(1, 2)]), Err(EdgeError::Duplicate { .. })));
    shard.drain();
    assert_eq!(shard.from(2, "10.0.1.0/24"), Some(1));
}

#[test]
fn routes_announced_again_after_two_flushes_stay() {
    let mut shard = Shard::new(1);
    let (machine, other) = (shard.neighbor(1, 1, true), shard.neighbor(1, 2, true));
    shard.announce(other, &["10.0.0.0/8"], &[65001]);
    shard.announce(machine, &["10.0.1.0/24"], &[65001]);
    shard.engine.flush_source(machine).unwrap();
    while shard.engine.paths(VrfId(1), net("10.0.1.0/24")).next().is_some() {
        shard.engine.tick(1);
    }
    shard.engine.flush_source(machine).unwrap();
    shard.announce(machine, &["2001:db8::/32"], &[65001]);
    shard.drain();
    assert_eq!(shard.from(1, "2001:db8::/32"), Some(0));
}

#[test]
fn an_external_neighbour_without_a_policy_gives_nothing_and_the_reason_is_readable() {
    let mut shard = Shard::new(2);
    let isp = shard.neighbor(1, 1, true);
    let messages = announce(&[net("203.0.113.0/24")], &attributes(&[65001], None), hop(1));
    let applied = shard.receive(isp, &messages, &ImportPolicy::deny_all(OWN_AS));
    assert_eq!((applied.accepted, applied.refused), (0, 1));
    assert_eq!(shard.engine.import_refusals(isp)[&ImportRefusal::NoPolicy], 1);
    let explanation = shard.engine.explain(VrfId(1), net("203.0.113.0/24"), None);
    let blocked = explanation.blocked().unwrap();
    assert_eq!(blocked.check, Check::ImportPolicy);
    assert_eq!(blocked.finding, Finding::ImportRefused(ImportRefusal::NoPolicy));
    assert!(explanation.to_string().contains("RFC 8212"), "{explanation}");
}

#[test]
fn a_prefix_list_decides_per_prefix_and_a_refused_route_replaces_an_accepted_one_by_nothing() {
    let mut shard = Shard::new(1);
    let isp = shard.neighbor(1, 1, true);
    let rule = PrefixRule { prefix: net("10.0.0.0/8"), ge: None, le: Some(24), permit: true };
    let listed = ImportPolicy::listed(PrefixList::new([rule]).unwrap().into(), OWN_AS);
    let both = [net("10.0.1.0/24"), net("10.0.2.0/25")];
    let messages = announce(&both, &attributes(&[65001], None), hop(1));
    assert_eq!(shard.receive(isp, &messages, &listed).accepted, 1);
    assert_eq!(shard.receive(isp, &messages, &ImportPolicy::accept_all(OWN_AS)).accepted, 2);
    assert_eq!(shard.receive(isp, &messages, &listed).refused, 1);
    shard.drain();
    assert_eq!(shard.from(1, "10.0.1.0/24"), Some(0));
    assert_eq!(shard.from(1, "10.0.2.0/25"), None);
    assert_eq!(shard.engine.import_refusal(isp, both[1]), Some(ImportRefusal::PrefixList));
}

#[test]
fn a_route_with_our_own_as_is_refused_unless_it_is_allowed_in_and_then_it_leaks() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.set_edges(&[edge(1, 2)]);
    let messages = announce(&[net("10.0.1.0/24")], &attributes(&[65001, OWN_AS], None), hop(1));
    let mut import = ImportPolicy::accept_all(OWN_AS);
    assert_eq!(shard.receive(machine, &messages, &import).refused, 1);
    let explanation = shard.engine.explain(VrfId(2), net("10.0.1.0/24"), None);
    assert_eq!(explanation.blocked().unwrap().check, Check::Loop);
    import.allow_own_as = 1;
    assert_eq!(shard.receive(machine, &messages, &import).accepted, 1);
    shard.drain();
    assert_eq!(shard.from(2, "10.0.1.0/24"), Some(1));
    assert_eq!(shard.engine.import_refusal(machine, net("10.0.1.0/24")), None);
}

#[test]
fn above_the_maximum_of_prefixes_the_caller_is_told_and_replacements_still_pass() {
    let mut shard = Shard::new(1);
    let isp = shard.neighbor(1, 1, true);
    let import = ImportPolicy { maximum_prefixes: Some(2), ..ImportPolicy::accept_all(OWN_AS) };
    let two = [net("10.0.1.0/24"), net("10.0.2.0/24")];
    assert!(!shard.receive(isp, &announce(&two, &attributes(&[65001], None), hop(1)), &import).over_maximum);
    assert!(!shard.receive(isp, &announce(&two, &attributes(&[65002], None), hop(1)), &import).over_maximum);
    let third = announce(&[net("10.0.3.0/24")], &attributes(&[65001], None), hop(1));
    assert!(shard.receive(isp, &third, &import).over_maximum);
    assert_eq!(shard.engine.sources().map(|(_, _, paths)| paths).sum::<u32>(), 2);
}

#[test]
fn an_import_policy_that_sets_attributes_is_seen_in_the_decision_and_in_the_leak() {
    let mut shard = Shard::new(2);
    let (a, b) = (shard.neighbor(1, 1, true), shard.neighbor(1, 2, true));
    shard.set_edges(&[edge(1, 2)]);
    let prefixes = [net("10.0.1.0/24")];
    let mut import = ImportPolicy::accept_all(OWN_AS);
    shard.receive(a, &announce(&prefixes, &attributes(&[65001], None), hop(1)), &import);
    import.set.local_pref = Some(300);
    import.set.med = Some(7);
    shard.receive(b, &announce(&prefixes, &attributes(&[65001, 65002], None), hop(2)), &import);
    shard.drain();
    let leaked = shard.engine.selected(VrfId(2), prefixes[0]).next().unwrap();
    assert_eq!((leaked.attr.hot.local_pref(), leaked.attr.hot.med), (300, 7));
    assert_eq!(leaked.via.address, hop(2));
}

#[test]
fn connected_and_static_routes_leak_like_learned_ones() {
    let mut shard = Shard::new(2);
    shard.set_edges(&[edge(1, 2)]);
    let connected = shard.engine.add_source(VrfId(1), Origination::Connected, None).unwrap();
    let unspecified = NextHop::Ipv4([0, 0, 0, 0].into());
    shard.engine.insert(connected, net("10.0.1.7/24"), 0, &attributes(&[], None), unspecified, Some(4)).unwrap();
    shard.drain();
    let leaked = shard.engine.lookup(VrfId(2), "10.0.1.9".parse().unwrap()).unwrap();
    assert_eq!((leaked.prefix, leaked.via.interface), (net("10.0.1.0/24"), Some(4)));
    assert_eq!(shard.engine.withdraw(connected, net("10.0.1.0/24"), 0), Ok(true));
    assert_eq!(shard.engine.withdraw(connected, net("10.0.1.0/24"), 0), Ok(false));
    shard.drain();
    assert!(shard.engine.lookup(VrfId(2), "10.0.1.9".parse().unwrap()).is_none());
}

#[test]
fn a_removed_source_or_vrf_takes_nothing_more() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.1.0/24"], &[65001]);
    shard.set_edges(&[edge(1, 2)]);
    shard.engine.remove_source(machine).unwrap();
    let hop = NextHop::Ipv4([192, 0, 2, 1].into());
    let refused = shard.engine.insert(machine, net("10.0.2.0/24"), 0, &attributes(&[], None), hop, None);
    assert_eq!(refused, Err(EngineError::UnknownSource(machine)));
    shard.engine.remove_vrf(VrfId(1)).unwrap();
    assert_eq!(shard.engine.add_source(VrfId(1), Origination::Static, None), Err(EngineError::UnknownVrf(VrfId(1))));
    assert_eq!(shard.engine.add_vrf(VrfId(1), "again"), Err(EngineError::VrfExists(VrfId(1))));
    shard.drain();
    assert_eq!(shard.from(2, "10.0.1.0/24"), None);
    assert_eq!(shard.engine.add_vrf(VrfId(1), "again"), Ok(()));
}

#[test]
fn a_page_of_routes_continues_where_the_last_one_ended() {
    let mut shard = Shard::new(1);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.3.0/24", "10.0.1.0/24", "10.0.2.0/24"], &[65001]);
    shard.drain();
    let page = |after: Option<&str>| -> Vec<String> {
        shard.engine.routes(VrfId(1), V4, after.map(net), 2).map(|route| route.prefix.to_string()).collect()
    };
    assert_eq!(page(None), ["10.0.1.0/24", "10.0.2.0/24"]);
    assert_eq!(page(Some("10.0.2.0/24")), ["10.0.3.0/24"]);
}

#[test]
fn an_explanation_follows_a_leak_to_the_table_or_to_the_step_that_blocks() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.announce(machine, &["10.0.1.0/24"], &[65001]);
    shard.set_edges(&[edge(1, 2)]);
    let text = shard.engine.explain(VrfId(2), net("10.0.1.0/24"), None).to_string();
    let expected = "\
ok      received       1 path in n1
ok      import policy  passes
ok      loop           passes
ok      next hop       192.0.2.1 is reachable
ok      best path      neighbor 192.0.2.1, the only one
ok      native         native
ok      edge           peering 1-2
ok      exposed        passes
ok      own space      passes
ok      older space    passes
ok      policy         passes
ok      limit          passes
ok      conflict       passes
ok      selected       in the table
";
    assert_eq!(text, expected);

    let own_space = Filter { own_space: set(&["10.0.0.0/16"]), ..Filter::default() };
    shard.set_edges(&[EdgeSpec { filter: own_space, ..edge(1, 2) }]);
    let explanation = shard.engine.explain(VrfId(2), net("10.0.1.0/24"), None);
    assert_eq!(explanation.blocked().unwrap().finding, Finding::Refused(Refusal::OwnSpace));
    assert!(explanation.to_string().ends_with("BLOCKED own space      OwnSpace\n"), "{explanation}");

    let nowhere = shard.engine.explain(VrfId(2), net("198.51.100.0/24"), None);
    assert_eq!(nowhere.blocked().unwrap().finding, Finding::NotReceived { vrf: "n2".into() });
}

#[test]
fn a_new_rank_decides_again_though_a_step_in_between_takes_the_copy_away() {
    let mut shard = Shard::new(4);
    for (vrf, last) in [(1, 1), (2, 2), (4, 4)] {
        let machine = shard.neighbor(vrf, last, true);
        shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    }
    shard.set_edges(&[aged(1, 2, 0), aged(1, 3, 1), aged(2, 4, 1), aged(4, 3, 0)]);
    assert_eq!(shard.from(3, "10.0.0.0/24"), Some(4));
    // The walks of 1-2 and 2-4 come first, and settle the natives of 2 and 4 before the walk of 4-3 begins.
    let closed = Filter { own_space: set(&["10.0.0.0/24"]), ..Filter::default() };
    let closed = EdgeSpec { filter: closed, ..aged(4, 3, 2) };
    shard.engine.set_edges(vec![aged(1, 2, 2), aged(1, 3, 1), aged(2, 3, 1), aged(2, 4, 0), closed]).unwrap();
    while shard.engine.tick(1) {}
    assert_eq!(shard.from(3, "10.0.0.0/24"), Some(1));
}

#[test]
fn a_route_that_leaves_before_its_next_hops_new_cost_is_worked_in_leaves_the_best_of_the_others() {
    let mut shard = Shard::new(2);
    let [a, b, c] = [1, 2, 3].map(|last| shard.neighbor(1, last, true));
    let (everything, prefix) = (ImportPolicy::accept_all(OWN_AS), net("10.0.0.0/24"));
    let from = |last| announce(&[prefix], &attributes(&[65001], None), hop(last));
    let other = announce(&[net("10.9.0.0/24")], &attributes(&[65001], None), hop(3));
    shard.set_edges(&[edge(1, 2)]);
    shard.receive(a, &from(1), &everything);
    shard.receive(b, &from(2), &everything);
    shard.receive(c, &other, &everything);
    let id = |shard: &Shard, last| shard.next_hop(1, hop(last)).unwrap();
    let ids = [1, 2, 3].map(|last| id(&shard, last));
    for (id, metric) in ids.into_iter().zip([5, 7, 8]) {
        shard.engine.set_next_hop_state(id, resolved(metric));
    }
    shard.drain();
    shard.engine.set_next_hop_state(ids[0], resolved(10));
    shard.receive(c, &from(3), &everything);
    shard.withdraw(a, &["10.0.0.0/24"]);
    shard.drain();
    assert_eq!(shard.engine.selected(VrfId(1), prefix).map(|route| route.next_hop).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(shard.engine.selected(VrfId(2), prefix).map(|route| route.next_hop).collect::<Vec<_>>(), [ids[1]]);
}

/// What stands of a neighbour's routes in VRF 1 and leaked into VRF 2.
fn standing(shard: &mut Shard, prefixes: &[&'static str]) -> Vec<&'static str> {
    shard.drain();
    let stands = |vrf: u32, prefix: &str| shard.from(vrf, prefix).is_some();
    let both = prefixes.iter().filter(|prefix| {
        assert_eq!(stands(1, prefix), stands(2, prefix), "{prefix} is leaked as long as it stands");
        stands(1, prefix)
    });
    both.copied().collect()
}

const REFRESHED: [&str; 4] = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "2001:db8::/32"];

#[test]
fn what_does_not_come_again_in_a_refresh_goes_at_its_end_with_its_leaks() {
    let mut shard = Shard::new(2);
    let (machine, other) = (shard.neighbor(1, 1, true), shard.neighbor(1, 2, true));
    shard.set_edges(&[edge(1, 2)]);
    shard.announce(machine, &["10.0.0.0/24", "10.0.1.0/24", "2001:db8::/32"], &[65001]);
    shard.announce(other, &["10.0.2.0/24"], &[65002]);
    shard.engine.begin_refresh(machine, V4).unwrap();
    shard.announce(machine, &["10.0.1.0/24"], &[65001]);
    assert_eq!(standing(&mut shard, &REFRESHED), REFRESHED, "nothing goes before the end");
    shard.engine.end_refresh(machine, V4).unwrap();
    assert_eq!(standing(&mut shard, &REFRESHED), ["10.0.1.0/24", "10.0.2.0/24", "2001:db8::/32"]);
    // Over is over: a second end takes nothing.
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.engine.end_refresh(machine, V4).unwrap();
    assert_eq!(standing(&mut shard, &REFRESHED), REFRESHED);
}

#[test]
fn a_place_in_the_table_that_another_route_took_during_a_refresh_is_told_apart() {
    let mut shard = Shard::new(2);
    let (machine, other) = (shard.neighbor(1, 1, true), shard.neighbor(1, 2, true));
    shard.set_edges(&[edge(1, 2)]);
    shard.announce(machine, &["10.0.0.0/24", "10.0.1.0/24"], &[65001]);
    shard.engine.begin_refresh(machine, V4).unwrap();
    // The first place goes from one prefix of the neighbour to a route of another, that of a new prefix is marked.
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.withdraw(machine, &["10.0.0.0/24"]);
    shard.announce(other, &["10.0.2.0/24"], &[65002]);
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.engine.end_refresh(machine, V4).unwrap();
    // What comes while the walk is under way stays too.
    shard.announce(machine, &["10.0.3.0/24"], &[65001]);
    let all = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"];
    assert_eq!(standing(&mut shard, &all), ["10.0.0.0/24", "10.0.2.0/24", "10.0.3.0/24"]);
}

#[test]
fn a_refresh_that_begins_again_before_its_end_counts_from_there() {
    let mut shard = Shard::new(2);
    let machine = shard.neighbor(1, 1, true);
    shard.set_edges(&[edge(1, 2)]);
    shard.announce(machine, &REFRESHED, &[65001]);
    shard.engine.begin_refresh(machine, V4).unwrap();
    shard.announce(machine, &["10.0.0.0/24"], &[65001]);
    shard.engine.end_refresh(machine, V4).unwrap();
    shard.engine.begin_refresh(machine, V4).unwrap();
    assert_eq!(standing(&mut shard, &REFRESHED), REFRESHED);
    shard.announce(machine, &["10.0.1.0/24"], &[65001]);
    shard.engine.end_refresh(machine, V4).unwrap();
    assert_eq!(standing(&mut shard, &REFRESHED), ["10.0.1.0/24", "2001:db8::/32"]);
    // A source that leaves in the middle takes the refresh along.
    shard.engine.begin_refresh(machine, V4).unwrap();
    shard.engine.end_refresh(machine, V4).unwrap();
    shard.engine.remove_source(machine).unwrap();
    assert_eq!(standing(&mut shard, &REFRESHED), [""; 0]);
}

#[test]
fn routes_of_a_family_that_import_does_not_take_are_neither_counted_nor_refused() {
    let mut shard = Shard::new(1);
    let machine = shard.neighbor(1, 1, true);
    let families = FamilySet::EMPTY.with(AfiSafi::IPV6_UNICAST);
    let import = ImportPolicy { families, ..ImportPolicy::accept_all(OWN_AS) };
    let next_hop = NextHop::Ipv4([192, 0, 2, 1].into());
    let messages = announce(&[net("10.0.0.0/24"), net("2001:db8::/32")], &attributes(&[65001], None), next_hop);
    let applied = shard.receive(machine, &messages, &import);
    assert_eq!((applied.accepted, applied.refused), (1, 0));
    shard.drain();
    assert_eq!((shard.from(1, "10.0.0.0/24"), shard.from(1, "2001:db8::/32")), (None, Some(0)));
}
