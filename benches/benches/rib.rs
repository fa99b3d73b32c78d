//! The RIB: interning, a table's life, the decision, and export to a group. Times are per element of the stated throughput;
//! the memory of a million routes is printed first.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use benches::table::{Group, internet};
use bgp_wire::{EncodeCtx, FamilySet, Ipv4Unicast, NextHop};
use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ipnet::{IpNet, Ipv4Net};
use rib::adj_out::{AdjOut, ExportKey, ExportRoute, PeerClass, PolicyId};
use rib::{Egress, Neighbor, NextHopId, NextHopState, Origination, Path, Pools, Source, SourceId, Table, VrfId};

const PREFIXES: usize = 200_000;

struct World {
    pools: Pools,
    table: Table<Ipv4Net>,
    sources: Vec<SourceId>,
    next_hop: NextHopId,
}

impl World {
    fn new(sources: u32) -> Self {
        let mut pools = Pools::default();
        let source = |n: u32| {
            let address = Ipv4Addr::from(0x0a00_0000 + n);
            let neighbor =
                Neighbor { external: true, asn: 65_000 + n, router_id: address, address: IpAddr::V4(address) };
            Source { vrf: VrfId(0), origination: Origination::Session(neighbor) }
        };
        let sources = (0..sources).map(|n| pools.sources.add(source(n))).collect();
        let next_hop = pools.next_hops.intern(VrfId(0), NextHop::Ipv4(Ipv4Addr::new(10, 0, 0, 1)), None);
        let egress = Box::new([Egress { gateway: None, interface: 1 }]);
        pools.next_hops.set_state(next_hop, NextHopState::Resolved { metric: 0, egress });
        World { pools, table: Table::new(1, 1), sources, next_hop }
    }

    /// Puts in a table as a session would: interned once per set of attributes.
    fn load(&mut self, source: usize, groups: &[Group], mut changed: impl FnMut(rib::DestId)) {
        for group in groups {
            let attrs = self.pools.attrs.intern(&group.attributes);
            let path = Path { source: self.sources[source], path_id: 0, attrs, next_hop: self.next_hop };
            for key in &group.prefixes {
                if let Some(change) = self.table.insert(&mut self.pools, *key, path) {
                    changed(change.dest);
                }
            }
            self.pools.attrs.release(attrs);
        }
    }

    fn unload(&mut self, source: usize, groups: &[Group]) {
        let source = self.sources[source];
        for key in groups.iter().flat_map(|group| &group.prefixes) {
            black_box(self.table.withdraw(&mut self.pools, key, source, 0));
        }
    }
}

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
    let key = ExportKey {
        local_as: 64_999,
        internal: false,
        class: PeerClass::Fabric,
        role: None,
        local_next_hop: NextHop::Ipv4(Ipv4Addr::new(192, 0, 2, 1)),
        next_hop_self: false,
        encode: EncodeCtx {
            as4: true,
            add_path: FamilySet::EMPTY,
            extended_message: false,
            extended_next_hop: FamilySet::EMPTY,
        },
        policy: PolicyId(0),
    };
    let policy = |_: PolicyId, _: IpNet, _: &ExportRoute<'_>| true;
    let flush = |world: &mut World, out: &mut AdjOut<Ipv4Unicast>| {
        let mut octets = 0;
        let mut send = |_: SourceId, messages: Bytes| octets += messages.len();
        while out.flush(&mut world.table, &mut world.pools, &policy, 4096, &mut send).more {}
        black_box(octets);
    };
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
                flush(&mut world, &mut out);
                world.load(0, &groups, |dest| out.mark(dest));
                (world, out)
            };
            b.iter_batched_ref(setup, |(world, out)| flush(world, out), BatchSize::LargeInput);
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
        b.iter_batched_ref(setup, |(world, out)| flush(world, out), BatchSize::LargeInput);
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
