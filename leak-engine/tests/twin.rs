//! After any sequence of events the leaked view is what the twin computes, with one shard, two or seven, and nothing is left when all
//! inputs are gone.

mod common;
mod world;

use proptest::{collection::vec, prelude::*};
use world::{Event, World, any_event};

/// Engines that share the prefixes out among them.
const SHARDS: [usize; 3] = [1, 2, 7];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn after_any_events_the_view_is_the_twins_and_nothing_remains_without_inputs(
        shards in prop::sample::select(&SHARDS[..]),
        events in vec(any_event(), 1..80),
        check_each in prop::bool::weighted(0.2),
    ) {
        let mut world = World::new(shards);
        for event in &events {
            world.happens(event);
            if check_each {
                world.drain();
                world.check()?;
            }
        }
        world.drain();
        world.check()?;
        world.ends_empty()?;
    }

    #[test]
    fn after_any_events_an_edge_with_a_limit_is_as_full_as_it_may_be(
        shards in prop::sample::select(&SHARDS[..]),
        mut events in vec(any_event(), 1..40),
        check_each in prop::bool::weighted(0.2),
    ) {
        for edge in events.iter_mut().flat_map(|event| if let Event::Edges(edges) = event { edges.as_mut_slice() } else { &mut [] }) {
            edge.limit = Some(edge.to.0 as usize - 1);
        }
        let mut world = World::new(shards);
        for event in &events {
            world.happens(event);
            if check_each {
                world.drain();
                world.check_limits()?;
            }
        }
        world.drain();
        world.check_limits()?;
        world.ends_empty()?;
    }
}
