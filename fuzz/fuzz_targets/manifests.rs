//! Any text as manifests and routes: nothing panics, and applying what is valid twice changes nothing the second time.
//!
//! The input is the manifests; what stands behind a NUL is the routes, and behind a second one the state.

#![no_main]

use libfuzzer_sys::fuzz_target;
use network_peering::{Options, Report, State, Timestamp, evaluate, load_after, read_routes, tables};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |octet| *octet == 0);
    let (manifests, rows) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut state = State::from_json(parts.next().unwrap_or_default()).unwrap_or_default();
    let routes = read_routes("routes", rows).map(|(routes, _)| routes).unwrap_or_default();
    let Ok(world) = load_after([("manifests".to_owned(), manifests)], &state) else { return };
    let options = Options { limit: Some(3), zone: Some("z".to_owned()), ..Options::default() };
    let mut answers = Vec::new();
    for second in 0..3 {
        let now = Timestamp::from_unix_seconds(1_700_000_000 + second);
        let mut outcome = evaluate(&world, &mut state, now, &options);
        let found = tables(&world, &mut outcome, &routes, &options);
        answers.push(serde_json::to_string(&Report::new(&outcome, &found)).unwrap());
        state = State::from_json(&state.to_json()).unwrap();
    }
    // The first call may still let something go that the given state remembers; after that, nothing moves.
    assert_eq!(answers[1], answers[2]);
});
