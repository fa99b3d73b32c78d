//! One engine, or two or seven that share the prefixes, lives through a long run of random events. It is held against the twin time and
//! again, and at the end of each life all inputs go: what then remains in memory is a leak.
//!
//! `PEERAGE_SOAK_EVENTS` is how many events there are (100,000 without it), `PEERAGE_SOAK_SEED` which ones; `cargo xtask soak`
//! sets both.

mod common;
mod world;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use world::{World, any_event};

/// Events between two comparisons with the twin.
const CHECK: u64 = 100;
/// Events of one engine's life.
const LIFE: u64 = 10_000;
/// Engines that share the prefixes out among them, from one life to the next.
const SHARDS: [usize; 3] = [1, 2, 7];

fn number(variable: &str, otherwise: u64) -> u64 {
    let Ok(text) = std::env::var(variable) else { return otherwise };
    text.parse().unwrap_or_else(|_| panic!("{variable} is a whole number, not `{text}`"))
}

#[test]
fn after_a_long_life_the_view_is_the_twins_and_no_memory_is_lost() {
    let (events, seed) = (number("PEERAGE_SOAK_EVENTS", 100_000), number("PEERAGE_SOAK_SEED", 1));
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &octets);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let any = any_event();
    let mut world = World::new(SHARDS[0]);
    for at in 1..=events {
        let event = any.new_tree(&mut runner).expect("every strategy here yields").current();
        world.happens(&event);
        let place = |what: &str, error: &dyn std::fmt::Display| panic!("seed {seed}, event {at}, {what}: {error}");
        if at % CHECK == 0 || at == events {
            world.drain();
            world.check().unwrap_or_else(|error| place("against the twin", &error));
        }
        if at % LIFE == 0 || at == events {
            world.ends_empty().unwrap_or_else(|error| place("after all inputs went", &error));
            world = World::new(SHARDS[(at / LIFE) as usize % SHARDS.len()]);
        }
        if at % 1_000_000 == 0 {
            println!("{at} events");
        }
    }
}
