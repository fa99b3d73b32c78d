//! What an edge costs: leaking 100,000 routes as they come, and adding and removing an edge over routes that stand.
//!
//! Times are per 100,000 routes, changes taken by a reader included. The memory of a leaked copy is printed first.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bgp_wire::{AsPathBuf, AttributesBuilder, NextHop, Origin};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipnet::{IpNet, Ipv4Net};
use leak_engine::{Advertise, EdgeSpec, Engine, Filter, PrefixSet, Rank};
use rib::{NextHopState, Origination, SourceId, VrfId};

const ROUTES: u32 = 100_000;
const BUDGET: usize = 10_000;
/// Routes that come before the engine's own work has its turn.
const BATCH: u32 = 1000;
const FROM: VrfId = VrfId(1);
const TO: VrfId = VrfId(2);

/// Two VRFs, the first with or without routes: one set of attributes for ten prefixes, 16 next hops.
struct Shard {
    engine: Engine,
    source: SourceId,
    attributes: Vec<Vec<u8>>,
}

impl Shard {
    fn new() -> Self {
        let mut engine = Engine::with_seed(1);
        for (vrf, name) in [(FROM, "exporter"), (TO, "importer")] {
            engine.add_vrf(vrf, name).expect("a new VRF");
        }
        let source = engine.add_source(FROM, Origination::Static, None).expect("a VRF that stands");
        let attributes = (0..ROUTES / 10).map(|n| {
            let mut builder = AttributesBuilder::new(Origin::Igp);
            builder.as_path(&AsPathBuf::sequence([65001, 65002, 1000 + n])).build()
        });
        Self { attributes: attributes.collect(), engine, source }
    }

    fn announce(&mut self) {
        for n in 0..ROUTES {
            let next_hop = NextHop::Ipv4([192, 0, 2, (n % 16) as u8].into());
            let attributes = &self.attributes[n as usize / 10];
            self.engine.insert(self.source, prefix(n), 0, attributes, next_hop, None).expect("a source that stands");
            while let Some(new) = self.engine.poll_new_next_hop() {
                let state = NextHopState::Resolved { metric: 0, egress: Box::new([]) };
                self.engine.set_next_hop_state(new, state);
            }
            if n % BATCH == 0 {
                self.drain();
            }
        }
        self.drain();
    }

    fn withdraw(&mut self) {
        self.engine.flush_source(self.source).expect("a source that stands");
        self.drain();
    }

    fn set_edges(&mut self, edges: Vec<EdgeSpec>) {
        self.engine.set_edges(edges).expect("edges between the two VRFs");
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            let more = self.engine.tick(BUDGET);
            let pending = self.engine.take_changes(BUDGET, |changed| {
                black_box(changed);
            });
            if !more && !pending {
                break;
            }
        }
    }
}

fn prefix(n: u32) -> IpNet {
    Ipv4Net::new((0x0a00_0000 + (n << 4)).into(), 28).expect("a length below 32").into()
}

fn edge() -> EdgeSpec {
    let exposed: PrefixSet =
        (0..16).map(|n| prefix(n << 16)).chain(["10.0.0.0/8".parse().expect("a prefix")]).collect();
    EdgeSpec {
        from: FROM,
        to: TO,
        peering: "bench".into(),
        filter: Filter { exposed: Some(exposed), ..Filter::default() },
        rank: Rank { bound_since: 0, exporter: "default/exporter".into() },
        advertise: Advertise::None,
        limit: None,
    }
}

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
    let mut shard = Shard::new();
    shard.announce();
    let native = shard.engine.memory();
    shard.set_edges(vec![edge()]);
    let copies = shard.engine.counts(TO, bgp_wire::AfiSafi::IPV4_UNICAST).leaked;
    let octets = (shard.engine.memory() - native) as f64 / copies as f64;
    println!("{copies} leaked copies, {octets:.1} octets each");

    let mut group = criterion.benchmark_group("leak");
    group.throughput(Throughput::Elements(u64::from(ROUTES))).sample_size(20);
    let shard = std::cell::RefCell::new(shard);
    group.bench_function("add_edge", |bencher| {
        let set = |edges| shard.borrow_mut().set_edges(edges);
        bencher.iter_custom(|times| timed(times, || set(vec![]), || set(vec![edge()])));
    });
    group.bench_function("remove_edge", |bencher| {
        let set = |edges| shard.borrow_mut().set_edges(edges);
        bencher.iter_custom(|times| timed(times, || set(vec![edge()]), || set(vec![])));
    });
    for (name, edges) in [("announce_without_edge", vec![]), ("announce_over_edge", vec![edge()])] {
        shard.borrow_mut().set_edges(edges);
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
