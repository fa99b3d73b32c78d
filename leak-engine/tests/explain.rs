//! What is explained is what the twin says, for every exporter, importer and prefix of any world, and nothing is left unexplained.

mod common;
mod world;

use bgp_wire::AfiSafi;
use ipnet::IpNet;
use leak_engine::{EdgeSpec, Engine, Finding, Refusal, twin};
use proptest::{collection::vec, prelude::*};
use rib::VrfId;
use world::{PREFIXES, World, any_event};

/// Prefixes that no world has.
const ABSENT: [&str; 2] = ["192.0.2.0/24", "2001:db8:ffff::/48"];

fn natives(engine: &Engine) -> twin::Natives<()> {
    let mut natives = twin::Natives::new();
    for (vrf, _) in engine.vrfs() {
        for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
            let best = engine.routes(vrf, family, None, 1000).filter(|route| route.best && route.edge.is_none());
            natives.extend(best.map(|route| ((vrf, route.prefix), Vec::new())));
        }
    }
    natives
}

/// Where an explanation must end: with nothing, or with this reason.
fn expected(engine: &Engine, view: &twin::View<()>, from: VrfId, to: VrfId, prefix: IpNet) -> Option<&'static str> {
    if view.leaked.get(&(to, prefix)).is_some_and(|(exporter, _)| *exporter == from) {
        return None;
    }
    if let Some(refusal) = view.refused.get(&(from, to, prefix)) {
        return Some(refusal.name());
    }
    let mut paths = engine.paths(from, prefix).peekable();
    if paths.peek().is_none() {
        return Some("NotReceived");
    }
    match paths.find(|route| route.best).map(|best| best.edge.is_some()) {
        None => Some("NextHopUnreachable"),
        Some(true) => Some(Refusal::NotNative.name()),
        Some(false) => Some(Refusal::NotPeered.name()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_explanation_agrees_with_the_twin_and_names_a_reason(events in vec(any_event(), 1..60)) {
        let mut world = World::new(1);
        for event in &events {
            world.happens(event);
        }
        world.drain();
        let engine = &world.shards[0].engine;
        let edges: Vec<EdgeSpec> = engine.edges().map(|edge| edge.spec.clone()).collect();
        let view = twin::leaked(&natives(engine), &edges);
        let vrfs: Vec<VrfId> = engine.vrfs().map(|(vrf, _)| vrf).collect();
        for prefix in PREFIXES.into_iter().chain(ABSENT) {
            let prefix: IpNet = prefix.parse().unwrap();
            for to in &vrfs {
                for from in vrfs.iter().filter(|from| *from != to) {
                    let found = engine.explain(*to, prefix, Some(*from));
                    let reason = found.blocked().map(|stage| stage.finding.reason());
                    let expected = expected(engine, &view, *from, *to, prefix);
                    prop_assert_eq!(reason, expected.map(Some), "{} from {:?} to {:?}\n{}", prefix, from, to, found);
                    let change = found.blocked().map(|stage| stage.finding.change());
                    prop_assert_eq!(change.is_some(), expected.is_some());
                }
                let own = engine.explain(*to, prefix, None);
                let stands = engine.selected(*to, prefix).next().is_some();
                prop_assert_eq!(own.blocked().is_none(), stands, "{}", own);
                for stage in own.stages {
                    prop_assert_eq!(stage.finding.blocks(), stage.finding.reason().is_some());
                    prop_assert_ne!(stage.finding, Finding::Pending);
                }
            }
        }
    }
}
