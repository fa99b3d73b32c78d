//! What a plan says is exactly what then happens, and the audit finds nothing wrong, in any world.

mod common;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use bgp_wire::AfiSafi;
use ipnet::IpNet;
use leak_engine::{Audit, Engine, PlannedLeak, Refusal};
use proptest::{collection::vec, prelude::*};
use rib::VrfId;
use world::{Event, World, any_event};

/// Every selected leaked route.
fn leaks(engine: &Engine) -> BTreeMap<(VrfId, IpNet), PlannedLeak> {
    let mut leaks = BTreeMap::new();
    for (vrf, _) in engine.vrfs() {
        for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
            for route in engine.routes(vrf, family, None, 1000).filter(|route| route.best) {
                if let Some(edge) = route.edge {
                    leaks.insert((vrf, route.prefix), PlannedLeak { from: edge.from, advertise: edge.advertise });
                }
            }
        }
    }
    leaks
}

fn pairs(leaks: &BTreeMap<(VrfId, IpNet), PlannedLeak>) -> BTreeSet<(VrfId, VrfId)> {
    leaks.iter().map(|((vrf, _), leak)| (leak.from, *vrf)).collect()
}

/// Every edge's refusals by reason.
fn refusals(engine: &Engine) -> BTreeMap<(VrfId, VrfId), BTreeMap<Refusal, usize>> {
    engine.edges().map(|edge| ((edge.spec.from, edge.spec.to), edge.refused)).collect()
}

/// No violation, and as many witnesses as there are leaked paths.
fn audited(engine: &Engine) -> Result<(), TestCaseError> {
    let mut audit = Audit::default();
    while !audit.is_finished() {
        prop_assert_eq!(engine.audit_part(&mut audit, 3), vec![]);
    }
    let mut paths = 0;
    for (vrf, _) in engine.vrfs() {
        for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
            paths += engine.routes(vrf, family, None, 1000).filter(|route| route.edge.is_some()).count();
        }
    }
    prop_assert_eq!((audit.witnessed, audit.unsettled), (paths, 0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn r49_a_plan_is_the_difference_that_setting_the_edges_then_makes(
        mut events in vec(any_event(), 1..60),
        limits in vec(prop::option::weighted(0.4, 0usize..4), 12),
        limited in any::<bool>(),
    ) {
        if limited {
            for edge in events.iter_mut().flat_map(|event| if let Event::Edges(edges) = event { edges.as_mut_slice() } else { &mut [] }) {
                edge.limit = limits[edge.from.0 as usize * 3 % 12 + edge.to.0 as usize % 3];
            }
        }
        let mut world = World::new(1);
        for event in &events {
            let Event::Edges(edges) = event else {
                world.happens(event);
                continue;
            };
            world.drain();
            let engine = &world.shards[0].engine;
            let plan = engine.plan(edges);
            prop_assert!(plan.settled);
            let before = leaks(engine);
            world.happens(event);
            world.drain();
            let engine = &world.shards[0].engine;
            let after = leaks(engine);

            let mut expected = BTreeMap::new();
            for at in before.keys().chain(after.keys()) {
                if before.get(at) != after.get(at) {
                    expected.insert(*at, (before.get(at).copied(), after.get(at).copied()));
                }
            }
            let said: BTreeMap<_, _> =
                plan.routes.iter().map(|route| ((route.vrf, route.prefix), (route.before, route.after))).collect();
            prop_assert_eq!(&said, &expected);
            prop_assert_eq!(said.len(), plan.routes.len());
            let (was, is) = (pairs(&before), pairs(&after));
            prop_assert_eq!(BTreeSet::from_iter(plan.connected), &is - &was);
            prop_assert_eq!(BTreeSet::from_iter(plan.disconnected), &was - &is);
            let refused = refusals(engine);
            for edge in &plan.edges {
                let pair = (edge.from, edge.to);
                let count = |leaks: &BTreeMap<(VrfId, IpNet), PlannedLeak>| {
                    leaks.iter().filter(|((vrf, _), leak)| (leak.from, *vrf) == pair).count()
                };
                prop_assert_eq!((edge.before.unwrap_or(0), edge.after.unwrap_or(0)), (count(&before), count(&after)));
                prop_assert_eq!(edge.after.is_some(), refused.contains_key(&pair));
                let of_edge = plan.conflicts.iter().filter(|conflict| (conflict.from, conflict.vrf) == pair);
                let foreseen: BTreeSet<_> = of_edge.map(|conflict| (conflict.prefix, conflict.reason, conflict.winner)).collect();
                let lists = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST]
                    .map(|family| if edge.after.is_some() { engine.refused(pair, family, None, 1000).0 } else { Vec::new() });
                let claimed = |refusal: &leak_engine::Refused| {
                    matches!(refusal.reason, Refusal::OwnSpace | Refusal::NativeWins | Refusal::OlderBindingWins)
                };
                let listed: BTreeSet<_> = lists.into_iter().flatten().filter(claimed).map(|refused| (refused.prefix, refused.reason, refused.winner)).collect();
                prop_assert_eq!(foreseen, listed);
                if let Some(refused) = refused.get(&pair) {
                    prop_assert_eq!(&edge.refused, refused);
                }
            }
            prop_assert_eq!(engine.plan(edges).routes, vec![], "what stands needs no change");
        }
        world.drain();
        audited(&world.shards[0].engine)?;
    }
}
