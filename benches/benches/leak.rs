//! What an edge costs: leaking 100,000 routes as they come, and adding and removing an edge over routes that stand.
//!
//! Times are per 100,000 routes, changes taken by a reader included. The memory of a leaked copy is printed first.

use std::time::{Duration, Instant};

use benches::world::Shard;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ROUTES: u32 = 100_000;

/// Times `run` on what `prepare` leaves, as often as asked.
fn timed(times: u64, mut prepare: impl FnMut(), mut run: impl FnMut()) -> Duration {
    (0..times).fold(Duration::ZERO, |total, _| {
        prepare();
        let start = Instant::now();
        run();
        total + start.elapsed()
    })
}

fn leak(criterion: &mut Criterion) {
    let mut shard = Shard::new(ROUTES);
    shard.announce();
    let native = shard.engine.memory();
    shard.set_edge(true);
    let copies = shard.leaked();
    let octets = (shard.engine.memory() - native) as f64 / copies as f64;
    println!("{copies} leaked copies, {octets:.1} octets each");

    let mut group = criterion.benchmark_group("leak");
    group.throughput(Throughput::Elements(u64::from(ROUTES))).sample_size(20);
    let shard = std::cell::RefCell::new(shard);
    group.bench_function("add_edge", |bencher| {
        let set = |stands| shard.borrow_mut().set_edge(stands);
        bencher.iter_custom(|times| timed(times, || set(false), || set(true)));
    });
    group.bench_function("remove_edge", |bencher| {
        let set = |stands| shard.borrow_mut().set_edge(stands);
        bencher.iter_custom(|times| timed(times, || set(true), || set(false)));
    });
    for (name, stands) in [("announce_without_edge", false), ("announce_over_edge", true)] {
        shard.borrow_mut().set_edge(stands);
        group.bench_function(name, |bencher| {
            bencher
                .iter_custom(|times| timed(times, || shard.borrow_mut().withdraw(), || shard.borrow_mut().announce()));
        });
    }
    group.bench_function("withdraw_over_edge", |bencher| {
        bencher.iter_custom(|times| timed(times, || shard.borrow_mut().announce(), || shard.borrow_mut().withdraw()));
    });
    group.finish();
}

criterion_group!(benches, leak);
criterion_main!(benches);
