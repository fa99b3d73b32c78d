//! The RIB: interning, a table's life, the decision, and export to a group. Times are per element of the stated throughput;
//! the memory of a million routes is printed first.

use std::hint::black_box;
use std::net::Ipv4Addr;

use benches::table::internet;
use benches::world::{World, export_key};
use bgp_wire::Ipv4Unicast;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipnet::Ipv4Net;
use rib::adj_out::AdjOut;
use rib::{Path, Pools, SourceId};

const PREFIXES: usize = 200_000;

fn memory() {
    let count = 1_000_000;
    let mut world = World::new(2);
    world.load(0, &internet(count, 65_000, 1), |_| ());
    let one = world.table.memory();
    println!("one path: {:.1} octets per IPv4 route and its share of the index", one as f64 / count as f64);
    let sets = world.pools.attrs.len();
    let each = world.pools.attrs.memory() as f64 / sets as f64;
    println!("attributes: {sets} sets, {each:.1} octets each");
    world.load(1, &internet(count, 65_001, 2), |_| ());
    println!("second path: {:.1} octets more", (world.table.memory() - one) as f64 / count as f64);
    let mut small = World::new(1);
    small.load(0, &internet(200, 65_000, 1), |_| ());
    println!("a VRF of 200 routes: {} octets", small.table.memory());
}

fn interning(c: &mut Criterion) {
    let groups = internet(PREFIXES, 65_000, 1);
    let mut group = c.benchmark_group("intern");
    group.throughput(Throughput::Elements(groups.len() as u64));
    group.bench_function("new", |b| {
        b.iter_batched_ref(
            Pools::default,
            |pools| {
                for group in &groups {
                    black_box(pools.attrs.intern(&group.attributes));
                }
            },
            BatchSize::LargeInput,
        );
    });
    let mut pools = Pools::default();
    let ids: Vec<_> = groups.iter().map(|group| pools.attrs.intern(&group.attributes)).collect();
    group.bench_function("known", |b| {
        b.iter(|| {
            for (group, id) in groups.iter().zip(&ids) {
                black_box(pools.attrs.intern(&group.attributes));
                pools.attrs.release(*id);
            }
        });
    });
    group.finish();
}

fn table(c: &mut Criterion) {
    let (groups, others) = (internet(PREFIXES, 65_000, 1), internet(PREFIXES, 65_000, 2));
    let loaded = || {
        let mut world = World::new(2);
        world.load(0, &groups, |_| ());
        world
    };
    let mut group = c.benchmark_group("table");
    group.throughput(Throughput::Elements(PREFIXES as u64)).sample_size(10);
    group.bench_function("insert", |b| {
        b.iter_batched_ref(|| World::new(1), |world| world.load(0, &groups, |_| ()), BatchSize::LargeInput);
    });
    group.bench_function("insert second path", |b| {
        b.iter_batched_ref(loaded, |world| world.load(1, &others, |_| ()), BatchSize::LargeInput);
    });
    group.bench_function("replace", |b| {
        b.iter_batched_ref(loaded, |world| world.load(0, &others, |_| ()), BatchSize::LargeInput);
    });
    group.bench_function("announce again", |b| {
        b.iter_batched_ref(loaded, |world| world.load(0, &groups, |_| ()), BatchSize::LargeInput);
    });
    group.bench_function("withdraw", |b| {
        b.iter_batched_ref(loaded, |world| world.unload(0, &groups), BatchSize::LargeInput);
    });
    group.finish();
}

fn decision(c: &mut Criterion) {
    let key: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24);
    let mut group = c.benchmark_group("best path");
    for paths in [1u32, 2, 4, 8, 16, 32] {
        let mut world = World::new(paths + 1);
        let groups = internet(8 * paths as usize, 65_000, 1);
        let block = &groups[0].attributes;
        let attrs = world.pools.attrs.intern(block);
        let path = |source: SourceId, next_hop| Path { source, path_id: 0, attrs, next_hop };
        for source in &world.sources[..paths as usize] {
            world.table.insert(&mut world.pools, key, path(*source, world.next_hop));
        }
        group.bench_with_input(BenchmarkId::new("an equal path comes and goes", paths), &paths, |b, _| {
            let last = world.sources[paths as usize];
            b.iter(|| {
                black_box(world.table.insert(&mut world.pools, key, path(last, world.next_hop)));
                black_box(world.table.withdraw(&mut world.pools, &key, last, 0));
            });
        });
        group.bench_with_input(BenchmarkId::new("the best path goes and comes", paths), &paths, |b, _| {
            b.iter(|| {
                let dest = world.table.get(&key).and_then(|dest| world.table.destination(dest));
                let best = dest.and_then(|dest| dest.best()).map_or(world.sources[0], |best| best.path.source);
                black_box(world.table.withdraw(&mut world.pools, &key, best, 0));
                black_box(world.table.insert(&mut world.pools, key, path(best, world.next_hop)));
            });
        });
    }
    group.finish();
}

fn export(c: &mut Criterion) {
    let groups = internet(PREFIXES, 65_000, 1);
    let key = export_key();
    let mut group = c.benchmark_group("export");
    group.throughput(Throughput::Elements(PREFIXES as u64)).sample_size(10);
    for members in [1, 8, 64] {
        group.bench_with_input(BenchmarkId::new("to members in sync", members), &members, |b, _| {
            let setup = || {
                let mut world = World::new(1 + members);
                let mut out = AdjOut::<Ipv4Unicast>::default();
                for peer in &world.sources[1..] {
                    out.join(&mut world.table, &mut world.pools, *peer, key);
                }
                world.flush(&mut out);
                world.load(0, &groups, |dest| out.mark(dest));
                (world, out)
            };
            b.iter_batched_ref(setup, |(world, out)| world.flush(out), BatchSize::LargeInput);
        });
    }
    for members in [1, 64] {
        // What a joiner costs those who are in sync: it walks the table, they have nothing to be told.
        group.bench_with_input(BenchmarkId::new("group join beside members in sync", members), &members, |b, _| {
            let setup = || {
                let mut world = World::new(2 + members);
                let mut out = AdjOut::<Ipv4Unicast>::default();
                for peer in &world.sources[2..] {
                    out.join(&mut world.table, &mut world.pools, *peer, key);
                }
                world.load(0, &groups, |dest| out.mark(dest));
                world.flush(&mut out);
                out.join(&mut world.table, &mut world.pools, world.sources[1], key);
                (world, out)
            };
            b.iter_batched_ref(setup, |(world, out)| world.flush(out), BatchSize::LargeInput);
        });
    }
    group.bench_function("to a late joiner", |b| {
        let setup = || {
            let mut world = World::new(2);
            world.load(0, &groups, |_| ());
            let mut out = AdjOut::<Ipv4Unicast>::default();
            out.join(&mut world.table, &mut world.pools, world.sources[1], key);
            (world, out)
        };
        b.iter_batched_ref(setup, |(world, out)| world.flush(out), BatchSize::LargeInput);
    });
    group.finish();
}

fn all(c: &mut Criterion) {
    memory();
    interning(c);
    table(c);
    decision(c);
    export(c);
}

criterion_group!(rib_benches, all);
criterion_main!(rib_benches);
