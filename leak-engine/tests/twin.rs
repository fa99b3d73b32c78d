//! After any sequence of events the leaked view is what the twin computes, and nothing is left when all inputs are gone.

mod common;
mod world;

use proptest::{collection::vec, prelude::*};
use world::{Event, World, any_event};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn after_any_events_the_view_is_the_twins_and_nothing_remains_without_inputs(
        events in vec(any_event(), 1..80),
        check_each in prop::bool::weighted(0.2),
    ) {
        let mut world = World::new();
        for event in &events {
            world.happens(event);
            if check_each {
                world.shard.drain();
                world.check()?;
            }
        }
        world.shard.drain();
        world.check()?;
        world.ends_empty()?;
    }
    #[test]
    fn after_any_events_an_edge_with_a_limit_is_as_full_as_it_may_be(
        mut events in vec(any_event(), 1..40),
        check_each in prop::bool::weighted(0.2),
    ) {
        for edge in events.iter_mut().flat_map(|event| if let Event::Edges(edges) = event { edges.as_mut_slice() } else { &mut [] }) {
            edge.limit = Some(edge.to.0 as usize - 1);
        }
        let mut world = World::new();
        for event in &events {
            world.happens(event);
            if check_each {
                world.shard.drain();
                world.check_limits()?;
            }
        }
        world.shard.drain();
        world.check_limits()?;
        world.ends_empty()?;
    }
}
