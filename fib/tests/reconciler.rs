//! The reconciler over a table in memory, with others changing the table and answers going wrong.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use fib::{
    Acknowledgement, Change, Dump, Foreign, Hop, MemorySink, NextHops, Outcome, Reconciler, Route, RouteKey,
    RouteState, Sink, SinkError,
};
use proptest::prelude::*;

const ALL: usize = usize::MAX;

fn route(table: u32, prefix: &str, via: &str) -> Route {
    let hop = Hop::via(via.parse().unwrap(), 7);
    Route::unicast(table, prefix.parse().unwrap(), hop)
}

fn foreign(route: &Route, metric: u32) -> Foreign {
    Foreign { table: route.table, prefix: route.prefix, metric, protocol: 4 }
}

/// A sink that counts what it is told and can be made to refuse or to lose answers.
#[derive(Clone, Default)]
struct Flaky {
    memory: MemorySink,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    refuse: BTreeSet<RouteKey>,
    lose_answers: bool,
    /// Routes that dumps pass over.
    unseen: BTreeSet<RouteKey>,
    unreadable: bool,
    sent: usize,
}

impl Flaky {
    fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    fn sent(&self) -> usize {
        std::mem::take(&mut self.faults().sent)
    }

    /// Somebody else changes our routes behind our back.
    fn drift(&mut self, change: Change<'_>) {
        self.memory.apply(&[change])[0].clone().unwrap();
    }
}

impl Sink for Flaky {
    fn apply(&mut self, changes: &[Change<'_>]) -> Vec<Result<(), SinkError>> {
        let mut faults = self.faults.lock().unwrap();
        faults.sent += changes.len();
        changes
            .iter()
            .map(|change| {
                let key = match change {
                    Change::Add(route) | Change::Replace(route) => route.key(),
                    Change::Remove(key) => *key,
                };
                if faults.refuse.contains(&key) {
                    return Err(SinkError::Refused { errno: 101, text: "Nexthop has invalid gateway".into() });
                }
                let done = self.memory.apply(&[*change]).remove(0);
                if faults.lose_answers {
                    return Err(SinkError::Unconfirmed);
                }
                done
            })
            .collect()
    }

    fn dump(&mut self) -> Result<Dump, SinkError> {
        if self.faults().unreadable {
            return Err(SinkError::Interrupted(5));
        }
        let mut dump = self.memory.dump()?;
        dump.ours.retain(|route| !self.faults().unseen.contains(&route.key()));
        Ok(dump)
    }
}

fn setup() -> (Flaky, Reconciler<Flaky>) {
    let sink = Flaky::default();
    (sink.clone(), Reconciler::new(sink))
}

fn outcomes(acknowledgements: &[Acknowledgement]) -> Vec<Outcome> {
    acknowledgements.iter().map(|a| a.result.clone().unwrap()).collect()
}

#[test]
fn a_wanted_route_is_programmed_and_acknowledged() {
    let (sink, mut fib) = setup();
    let wanted = route(10, "192.0.2.0/24", "10.0.0.1");
    fib.want(wanted.clone());
    assert_eq!(fib.state(&wanted.key()), Some(RouteState::Pending));
    let acknowledged = fib.flush(ALL).unwrap();
    assert_eq!(outcomes(&acknowledged), [Outcome::Programmed]);
    assert_eq!(sink.memory.route(&wanted.key()), Some(wanted.clone()));
    assert_eq!(fib.state(&wanted.key()), Some(RouteState::Programmed));
}

#[test]
fn wanting_the_same_set_again_sends_nothing() {
    let (sink, mut fib) = setup();
    let routes: Vec<Route> = (0..50).map(|i| route(10, &format!("10.1.{i}.0/24"), "10.0.0.1")).collect();
    fib.want_exactly(routes.clone());
    fib.flush(ALL).unwrap();
    assert_eq!(sink.sent(), 50);
    fib.want_exactly(routes.clone());
    fib.flush(ALL).unwrap();
    assert_eq!(sink.sent(), 0);
    let mut fewer = routes;
    fewer.truncate(48);
    fewer[3] = route(10, "10.1.3.0/24", "10.0.0.9");
    fib.want_exactly(fewer);
    fib.flush(ALL).unwrap();
    assert_eq!(sink.sent(), 3);
}

#[test]
fn a_route_that_changes_often_between_two_flushes_is_sent_once() {
    let (sink, mut fib) = setup();
    for i in 1..100 {
        fib.want(route(10, "192.0.2.0/24", &format!("10.0.0.{i}")));
    }
    assert_eq!(fib.pending(), 1);
    fib.flush(ALL).unwrap();
    assert_eq!(sink.sent(), 1);
    let last = route(10, "192.0.2.0/24", "10.0.0.99");
    assert_eq!(sink.memory.routes(), [last]);
}

#[test]
fn a_wish_that_returns_to_what_stands_sends_nothing() {
    let (sink, mut fib) = setup();
    let a = route(10, "192.0.2.0/24", "10.0.0.1");
    fib.want(a.clone());
    fib.flush(ALL).unwrap();
    sink.sent();
    fib.want(route(10, "192.0.2.0/24", "10.0.0.2"));
    fib.want(a.clone());
    fib.withdraw(&a.key());
    fib.want(a);
    assert_eq!(outcomes(&fib.flush(ALL).unwrap()), [Outcome::Programmed]);
    assert_eq!(sink.sent(), 0);
}

#[test]
fn a_budget_bounds_what_one_flush_sends() {
    let (sink, mut fib) = setup();
    fib.want_exactly((0..10).map(|i| route(10, &format!("10.1.{i}.0/24"), "10.0.0.1")));
    assert_eq!(fib.flush(4).unwrap().len(), 4);
    assert_eq!((sink.memory.len(), fib.pending()), (4, 6));
    fib.flush(ALL).unwrap();
    assert_eq!((sink.memory.len(), fib.pending()), (10, 0));
}

#[test]
fn drift_is_repaired_by_a_comparison() {
    let (mut sink, mut fib) = setup();
    let a = route(10, "192.0.2.0/24", "10.0.0.1");
    let b = route(10, "198.51.100.0/24", "10.0.0.1");
    let stray = route(10, "203.0.113.0/24", "10.0.0.1");
    fib.want_exactly([a.clone(), b.clone()]);
    fib.flush(ALL).unwrap();
    fib.converged();
    sink.drift(Change::Remove(a.key()));
    sink.drift(Change::Replace(&route(10, "198.51.100.0/24", "10.0.0.66")));
    sink.drift(Change::Add(&stray));
    let found = fib.compare().unwrap();
    assert!(found.drifted());
    assert_eq!((found.missing, found.differing, found.unwanted), (1, 1, 1));
    fib.flush(ALL).unwrap();
    assert_eq!(sink.memory.routes(), [a, b]);
    assert!(!fib.compare().unwrap().drifted());
}

#[test]
fn a_restart_adopts_what_is_wanted_and_sweeps_the_rest_after_convergence() {
    let (sink, mut before) = setup();
    let kept = route(10, "192.0.2.0/24", "10.0.0.1");
    let changed = route(10, "198.51.100.0/24", "10.0.0.1");
    let gone = route(11, "203.0.113.0/24", "10.0.0.1");
    before.want_exactly([kept.clone(), changed.clone(), gone.clone()]);
    before.flush(ALL).unwrap();
    drop(before);
    sink.sent();

    let mut after = Reconciler::new(sink.clone());
    let changed = route(10, "198.51.100.0/24", "10.0.0.2");
    after.want(kept.clone());
    after.want(changed.clone());
    assert_eq!(after.flush(ALL).unwrap().len(), 2);
    assert_eq!(sink.sent(), 1, "only the changed route is sent");
    assert_eq!(sink.memory.len(), 3, "nothing is removed before convergence");
    assert_eq!(after.state(&gone.key()), Some(RouteState::Leftover));
    after.compare().unwrap();
    after.flush(ALL).unwrap();
    assert_eq!(sink.memory.len(), 3, "a comparison removes nothing either");

    after.converged();
    assert_eq!(outcomes(&after.flush(ALL).unwrap()), [Outcome::Removed]);
    assert_eq!(sink.memory.routes(), [kept, changed]);
}

#[test]
fn a_refused_route_is_reported_with_its_reason_and_tried_again_at_the_next_comparison() {
    let (sink, mut fib) = setup();
    let wanted = route(10, "192.0.2.0/24", "10.0.0.1");
    let other = route(10, "198.51.100.0/24", "10.0.0.1");
    sink.faults().refuse.insert(wanted.key());
    fib.want_exactly([wanted.clone(), other.clone()]);
    let acknowledged = fib.flush(ALL).unwrap();
    let failed: Vec<_> = acknowledged.iter().filter(|a| a.result.is_err()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].key, wanted.key());
    let state = fib.state(&wanted.key()).unwrap();
    assert_eq!(state.to_string(), "failed: Nexthop has invalid gateway (errno 101)");
    assert_eq!(fib.failures().count(), 1);
    assert_eq!(fib.state(&other.key()), Some(RouteState::Programmed));

    sink.faults().refuse.clear();
    fib.compare().unwrap();
    fib.flush(ALL).unwrap();
    assert_eq!(fib.state(&wanted.key()), Some(RouteState::Programmed));
    assert_eq!(fib.failures().count(), 0);
}

#[test]
fn a_route_whose_replacement_is_invalid_does_not_keep_forwarding_by_its_old_next_hop() {
    let (sink, mut fib) = setup();
    let old = route(10, "192.0.2.0/24", "10.0.0.1");
    fib.want(old.clone());
    fib.flush(ALL).unwrap();
    fib.want(Route::unicast(10, old.prefix, Vec::new()));
    let acknowledged = fib.flush(ALL).unwrap();
    assert_eq!(acknowledged[0].result.clone().unwrap_err().to_string(), "no next hop");
    assert!(sink.memory.is_empty());
}

#[test]
fn foreign_routes_at_the_same_prefix_stay_and_are_reported() {
    let (sink, mut fib) = setup();
    let mine = route(10, "192.0.2.0/24", "10.0.0.1");
    sink.memory.add_foreign(foreign(&mine, 0));
    sink.memory.add_foreign(foreign(&mine, 20_000));
    fib.want(mine.clone());
    fib.flush(ALL).unwrap();
    assert_eq!(fib.state(&mine.key()), Some(RouteState::Programmed));
    let wins: Vec<bool> = fib.shadows().iter().map(|s| s.foreign_wins()).collect();
    assert_eq!(wins, [true, false]);
    assert_eq!(
        fib.shadows()[0].to_string(),
        "192.0.2.0/24 table 10 metric 1179 is shadowed by the route of protocol 4 with metric 0"
    );
    fib.withdraw(&mine.key());
    fib.flush(ALL).unwrap();
    assert_eq!(fib.sink().clone().dump().unwrap().foreign.len(), 2);
}

#[test]
fn a_foreign_route_with_our_very_metric_is_not_replaced() {
    let (sink, mut fib) = setup();
    let mine = route(10, "192.0.2.0/24", "10.0.0.1");
    sink.memory.add_foreign(foreign(&mine, mine.metric));
    fib.want(mine.clone());
    fib.flush(ALL).unwrap();
    let state = fib.state(&mine.key()).unwrap();
    assert_eq!(state.to_string(), "failed: File exists (errno 17)");
    assert!(sink.memory.is_empty());
}

#[test]
fn a_sink_that_cannot_be_read_loses_no_wish() {
    let (sink, mut fib) = setup();
    sink.faults().unreadable = true;
    fib.want(route(10, "192.0.2.0/24", "10.0.0.1"));
    assert!(fib.flush(ALL).is_err());
    assert_eq!((fib.pending(), sink.sent()), (1, 0));
    sink.faults().unreadable = false;
    fib.flush(ALL).unwrap();
    assert_eq!(sink.memory.len(), 1);
}

#[test]
fn a_route_that_a_dump_passed_over_is_not_reported_failed() {
    let (sink, mut fib) = setup();
    let wanted = route(10, "192.0.2.0/24", "10.0.0.1");
    fib.want(wanted.clone());
    fib.flush(ALL).unwrap();
    sink.faults().unseen.insert(wanted.key());
    fib.compare().unwrap();
    assert_eq!(outcomes(&fib.flush(ALL).unwrap()), [Outcome::Programmed]);
    assert_eq!(sink.memory.routes(), [wanted]);
}

#[test]
fn withdrawing_a_table_leaves_the_others() {
    let (sink, mut fib) = setup();
    let a = route(10, "192.0.2.0/24", "10.0.0.1");
    let b = route(11, "192.0.2.0/24", "10.0.0.1");
    fib.want_exactly([a, b.clone()]);
    fib.flush(ALL).unwrap();
    fib.withdraw_all(|key| key.table == 10);
    fib.flush(ALL).unwrap();
    assert_eq!(sink.memory.routes(), [b]);
}

#[test]
fn next_hops_have_one_canonical_form() {
    let a = Hop::via("10.0.0.1".parse().unwrap(), 1);
    let b = Hop::via("10.0.0.2".parse().unwrap(), 2);
    assert_eq!(NextHops::from(vec![a, b]), NextHops::from(vec![b, a, b]));
    assert_eq!(NextHops::from(vec![a.weight(9)]), NextHops::from(a));
    assert_eq!(NextHops::from(vec![a.weight(2), b, a.weight(3)]), NextHops::from(vec![b, a.weight(3)]));
}

#[test]
fn bad_routes_are_refused_with_a_sentence() {
    let via = |hop: &str| hop.parse().unwrap();
    let bad = |prefix: &str, hop: Hop| {
        let route = Route::unicast(10, prefix.parse().unwrap(), hop);
        route.check().unwrap_err().to_string()
    };
    assert_eq!(bad("10.0.0.1/24", Hop::interface(1)), "10.0.0.1/24 has bits set beyond its length; use 10.0.0.0/24");
    assert_eq!(bad("2001:db8::/32", Hop::via(via("10.0.0.1"), 1)), "IPv4 gateway 10.0.0.1 for an IPv6 prefix");
    assert_eq!(
        bad("10.0.0.0/24", Hop::gateway(via("fe80::1"))),
        "next hop via fe80::1 is link-local and needs an interface"
    );
    assert_eq!(
        bad("10.0.0.0/24", Hop::gateway(via("10.0.0.1")).onlink()),
        "next hop via 10.0.0.1 onlink is onlink and needs an interface"
    );
    assert_eq!(
        bad("10.0.0.0/24", Hop::interface(1).weight(0)),
        "next hop interface 1 weight 0 has weight 0; the least is 1"
    );
    let mut sourced = route(10, "192.0.2.0/24", "10.0.0.1");
    sourced.pref_src = Some(via("2001:db8::1"));
    assert_eq!(sourced.check().unwrap_err().to_string(), "source address 2001:db8::1 is not of the prefix's family");
}

#[derive(Clone, Debug)]
enum Step {
    Want(Route),
    Withdraw(RouteKey),
    WantExactly(Vec<Route>),
    Flush(usize),
    Compare,
    Converged,
    DriftRemove(RouteKey),
    DriftChange(Route),
    Foreign(Foreign),
    Refuse(RouteKey, bool),
    LoseAnswers(bool),
    Unreadable(bool),
    Unseen(RouteKey, bool),
    Restart,
}

fn any_route() -> impl Strategy<Value = Route> {
    (10..12_u32, 0..4_u8, 1..4_u8, any::<bool>()).prop_map(|(table, net, via, unreachable)| {
        let prefix = format!("10.{net}.0.0/16").parse().unwrap();
        if unreachable && via == 1 {
            return Route::unreachable(table, prefix);
        }
        route(table, &format!("10.{net}.0.0/16"), &format!("10.0.0.{via}"))
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_route().prop_map(Step::Want),
        3 => any_route().prop_map(|r| Step::Withdraw(r.key())),
        1 => prop::collection::vec(any_route(), 0..6).prop_map(Step::WantExactly),
        4 => (0..5_usize).prop_map(Step::Flush),
        2 => Just(Step::Compare),
        1 => Just(Step::Converged),
        2 => any_route().prop_map(|r| Step::DriftRemove(r.key())),
        2 => any_route().prop_map(Step::DriftChange),
        1 => (any_route(), 0..3_u32).prop_map(|(r, m)| Step::Foreign(foreign(&r, m))),
        2 => (any_route(), any::<bool>()).prop_map(|(r, on)| Step::Refuse(r.key(), on)),
        1 => any::<bool>().prop_map(Step::LoseAnswers),
        1 => any::<bool>().prop_map(Step::Unreadable),
        2 => (any_route(), any::<bool>()).prop_map(|(r, on)| Step::Unseen(r.key(), on)),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever happened, after a comparison and a flush each wish stands or is reported failed,
    /// nothing unwanted stands but what may or must, and others' routes are as they were.
    #[test]
    fn what_is_wanted_stands_or_is_reported_failed(steps in prop::collection::vec(any_step(), 1..60)) {
        let (mut sink, mut fib) = setup();
        let mut wanted = BTreeMap::<RouteKey, Route>::new();
        let mut ever_wanted = BTreeSet::new();
        let mut drifted = BTreeSet::new();
        let mut foreign = BTreeMap::new();
        let mut converged = false;
        let mut last = BTreeMap::new();
        for step in steps {
            match step {
                Step::Want(route) => {
                    ever_wanted.insert(route.key());
                    wanted.insert(route.key(), route.clone());
                    fib.want(route);
                }
                Step::Withdraw(key) => {
                    wanted.remove(&key);
                    fib.withdraw(&key);
                }
                Step::WantExactly(routes) => {
                    ever_wanted.extend(routes.iter().map(Route::key));
                    wanted = routes.iter().map(|r| (r.key(), r.clone())).collect();
                    fib.want_exactly(routes);
                }
                Step::Flush(budget) => {
                    if let Ok(acknowledged) = fib.flush(budget) {
                        last.extend(acknowledged.into_iter().map(|a| (a.key, a.result)));
                    }
                }
                Step::Compare => drop(fib.compare()),
                Step::Converged => {
                    converged = true;
                    fib.converged();
                }
                Step::DriftRemove(key) => sink.drift(Change::Remove(key)),
                Step::DriftChange(route) => {
                    drifted.insert(route.key());
                    sink.drift(Change::Replace(&route));
                }
                Step::Foreign(route) => {
                    sink.memory.add_foreign(route);
                    foreign.insert((route.table, route.prefix, route.metric), route);
                }
                Step::Refuse(key, true) => drop(sink.faults().refuse.insert(key)),
                Step::Refuse(key, false) => drop(sink.faults().refuse.remove(&key)),
                Step::LoseAnswers(on) => sink.faults().lose_answers = on,
                Step::Unreadable(on) => sink.faults().unreadable = on,
                Step::Unseen(key, true) => drop(sink.faults().unseen.insert(key)),
                Step::Unseen(key, false) => drop(sink.faults().unseen.remove(&key)),
                Step::Restart => {
                    fib = Reconciler::new(sink.clone());
                    wanted.clear();
                    ever_wanted.clear();
                    last.clear();
                    converged = false;
                }
            }
        }
        sink.faults().lose_answers = false;
        sink.faults().unreadable = false;
        sink.faults().unseen.retain(|key| wanted.contains_key(key));
        fib.compare().unwrap();
        let acknowledged = fib.flush(ALL).unwrap();
        last.extend(acknowledged.into_iter().map(|a| (a.key, a.result)));

        prop_assert_eq!(fib.pending(), 0);
        let refused = sink.faults().refuse.clone();
        for (key, route) in &wanted {
            let standing = sink.memory.route(key);
            match fib.state(key) {
                Some(RouteState::Programmed) => {
                    prop_assert_eq!(standing.as_ref(), Some(route));
                    prop_assert_eq!(last.get(key), Some(&Ok(Outcome::Programmed)));
                }
                Some(RouteState::Failed(error)) => {
                    prop_assert!(refused.contains(key), "{} failed: {}", key, error);
                    prop_assert_eq!(last.get(key), Some(&Err(error)));
                }
                other => prop_assert!(false, "{} is {:?}", key, other),
            }
        }
        for route in sink.memory.routes() {
            let key = route.key();
            // Until convergence a route that others put there is like one from before.
            let may_be_left =
                !converged && (!ever_wanted.contains(&key) || drifted.contains(&key));
            let must_be_left = refused.contains(&key);
            prop_assert!(
                wanted.contains_key(&key) || may_be_left || must_be_left,
                "{} stands and nobody wants it", route
            );
        }
        let dump = sink.dump().unwrap();
        let expected: Vec<Foreign> = foreign.into_values().collect();
        prop_assert_eq!(dump.foreign, expected);

        sink.faults().unseen.clear();
        // Nothing more to do: a second comparison sends nothing but what is refused anyway.
        sink.sent();
        sink.faults().refuse.clear();
        fib.compare().unwrap();
        fib.flush(ALL).unwrap();
        fib.compare().unwrap();
        sink.sent();
        fib.flush(ALL).unwrap();
        prop_assert_eq!(sink.sent(), 0);
        prop_assert!(wanted.keys().all(|key| fib.state(key) == Some(RouteState::Programmed)));
    }
}
