//! The codec: framing and parsing a stream, touching what a speaker needs, canonical attributes, and encoding. Times are
//! per prefix of the stated throughput; `one prefix` is a single UPDATE.

use std::hint::black_box;
use std::net::Ipv4Addr;

use benches::table::{Group, internet};
use bgp_wire::{DecodeCtx, EncodeCtx, FamilySet, Ipv4Unicast, NextHop, PeerKind, Update, UpdateEncoder, frame};
use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const PREFIXES: usize = 200_000;
const NEXT_HOP: NextHop = NextHop::Ipv4(Ipv4Addr::new(10, 0, 0, 1));
const CONTEXT: DecodeCtx = DecodeCtx {
    as4: true,
    add_path: FamilySet::EMPTY,
    extended_message: false,
    extended_next_hop: FamilySet::EMPTY,
    peer: PeerKind::External,
};

fn encode(table: &[Group], out: &mut BytesMut) {
    let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, ..EncodeCtx::default() });
    for group in table {
        let keys = group.prefixes.iter().map(|prefix| (None, *prefix));
        encoder.announce::<Ipv4Unicast>(&group.attributes, NEXT_HOP, keys, out).expect("a generated route fits");
    }
}

/// Calls `visit` with each UPDATE of a stream.
fn each<'a>(mut stream: &'a [u8], mut visit: impl FnMut(Update<'a>)) {
    while let Some(length) = frame::peek(stream, frame::MAX_LEN).expect("a well-formed stream") {
        let (message, rest) = stream.split_at(length);
        visit(Update::parse(message, &CONTEXT).expect("a well-formed UPDATE"));
        stream = rest;
    }
}

fn wire(criterion: &mut Criterion) {
    let table = internet(PREFIXES, 65_001, 1);
    let mut stream = BytesMut::new();
    encode(&table, &mut stream);
    let mut one = BytesMut::new();
    encode(&internet(1, 65_001, 1), &mut one);

    criterion.bench_function("wire/parse one prefix", |bencher| {
        bencher.iter(|| Update::parse(black_box(&one), &CONTEXT).map(|update| update.index()));
    });
    let mut group = criterion.benchmark_group("wire");
    group.throughput(Throughput::Elements(PREFIXES as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| each(black_box(&stream), |update| _ = black_box(update.index())));
    });
    group.bench_function("parse, prefixes, path and communities", |bencher| {
        bencher.iter(|| {
            let mut sum = 0u64;
            each(black_box(&stream), |update| {
                sum += update.nlri().map(|(_, prefix)| u64::from(prefix.prefix_len())).sum::<u64>();
                let attributes = update.attributes();
                sum += attributes.as_path().asns().map(u64::from).sum::<u64>();
                sum += attributes.communities().count() as u64;
            });
            sum
        });
    });
    group.bench_function("canonical attributes", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            each(black_box(&stream), |update| {
                out.clear();
                update.canonical_attributes(&mut out);
                black_box(out.len());
            });
        });
    });
    group.bench_function("encode", |bencher| {
        let mut out = BytesMut::with_capacity(stream.len());
        bencher.iter(|| {
            out.clear();
            encode(black_box(&table), &mut out);
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
