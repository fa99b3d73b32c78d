//! One small piece of work on the engine's parts, for counting its instructions: `counts NAME` prepares it and does it,
//! `counts NAME prepare` only prepares it, so that the difference is the work. `counts` alone lists the names, each with
//! how many elements its work has.

use std::hint::black_box;
use std::process::ExitCode;

use benches::table::{Group, internet};
use benches::world::{Shard, World, export_key};
use bgp_wire::{DecodeCtx, Ipv4Unicast, PeerKind, Update};
use ipnet::Ipv4Net;
use rib::adj_out::AdjOut;
use rib::{Path, Pools, SourceId};

/// Prefixes of a table.
const PREFIXES: usize = 20_000;
/// Times that a path comes and goes.
const TURNS: usize = 2_000;

/// A piece of work: its name, its elements, and what does it if the flag is set and else only prepares.
type Work = (&'static str, usize, fn(bool));

const WORKS: &[Work] = &[
    ("intern-new", PREFIXES, |go| {
        let groups = groups(1);
        let mut pools = Pools::default();
        if go {
            intern(&mut pools, &groups);
        }
    }),
    ("intern-known", PREFIXES, |go| {
        let groups = groups(1);
        let mut pools = Pools::default();
        intern(&mut pools, &groups);
        if go {
            intern(&mut pools, &groups);
        }
    }),
    ("insert", PREFIXES, |go| {
        let (groups, mut world) = (groups(1), World::new(1));
        if go {
            world.load(0, &groups, |_| ());
        }
        keep(world);
    }),
    ("insert-second-path", PREFIXES, |go| over_table(go, |world, other| world.load(1, other, |_| ()))),
    ("replace", PREFIXES, |go| over_table(go, |world, other| world.load(0, other, |_| ()))),
    ("withdraw", PREFIXES, |go| over_table(go, |world, other| world.unload(0, other))),
    ("best-of-1", TURNS, |go| best(go, 1)),
    ("best-of-4", TURNS, |go| best(go, 4)),
    ("best-of-32", TURNS, |go| best(go, 32)),
    ("leak", PREFIXES, |go| {
        let mut shard = Shard::new(PREFIXES as u32);
        shard.set_edge(true);
        if go {
            shard.announce();
        }
        keep(shard);
    }),
    ("edge-added", PREFIXES, |go| {
        let mut shard = Shard::new(PREFIXES as u32);
        shard.announce();
        if go {
            shard.set_edge(true);
        }
        keep(shard);
    }),
    ("export", PREFIXES, |go| {
        let (groups, mut world) = (groups(1), World::new(9));
        let mut out = AdjOut::<Ipv4Unicast>::default();
        for peer in &world.sources[1..] {
            out.join(&mut world.table, &mut world.pools, *peer, export_key());
        }
        world.flush(&mut out);
        world.load(0, &groups, |dest| out.mark(dest));
        if go {
            world.flush(&mut out);
        }
        keep((world, out));
    }),
    ("group-join", PREFIXES, |go| {
        let (groups, mut world) = (groups(1), World::new(2));
        let mut out = AdjOut::<Ipv4Unicast>::default();
        world.load(0, &groups, |_| ());
        if go {
            out.join(&mut world.table, &mut world.pools, world.sources[1], export_key());
            world.flush(&mut out);
        }
        keep((world, out));
    }),
    ("update-worst-short", 7 * SHORT * LONG / SHORT, |go| read_worst(go, SHORT, LONG / SHORT)),
    ("update-worst-long", 7 * LONG, |go| read_worst(go, LONG, 1)),
];

/// Octets of the short and of the long UPDATEs that do their worst.
const SHORT: usize = 4_000;
const LONG: usize = 64_000;

/// UPDATEs of about so many octets, each of as many of one small thing as there can be. That a long one takes no more instructions
/// per octet than that of a short one shows that no part of the work grows faster than the message.
fn worst(octets: usize) -> Vec<Vec<u8>> {
    let attribute = |flags: u8, code: u8, value: &[u8]| {
        [&[flags | 0x10, code][..], &(value.len() as u16).to_be_bytes(), value].concat()
    };
    let repeated = |part: &[u8]| part.repeat((octets - 100) / part.len());
    let backwards: Vec<u8> = (20..=255u8).rev().flat_map(|code| [0xc0, code, 0]).collect();
    let (origin, next_hop) = (attribute(0x40, 1, &[0]), attribute(0x40, 3, &[192, 0, 2, 1]));
    let as_path = attribute(0x40, 2, &[2, 1, 0, 0, 0xfb, 0xf4]);
    let all = [&origin[..], &as_path, &next_hop].concat();
    let whole = |attributes: &[u8], routes: &[u8]| {
        let len = 23 + attributes.len() + routes.len();
        let head = [&[0xff; 16][..], &(len as u16).to_be_bytes(), &[2, 0, 0], &(attributes.len() as u16).to_be_bytes()];
        [&head.concat(), attributes, routes].concat()
    };
    let reach = attribute(0x80, 14, &[&[0, 2, 1, 16][..], &[1; 16], &[0], &repeated(&[0])].concat());
    vec![
        whole(&[&all[..], &repeated(&[0xc0, 99, 0])].concat(), &[0]),
        whole(&[&all[..], &repeated(&[0xc0, 8, 0])].concat(), &[0]),
        whole(&[&repeated(&backwards)[..], &all].concat(), &[0]),
        whole(&all, &repeated(&[0])),
        whole(&[&origin[..], &as_path, &reach].concat(), &[]),
        whole(&[&origin[..], &attribute(0x40, 2, &repeated(&[2, 1, 0, 0, 0, 1])), &next_hop].concat(), &[0]),
        whole(&[&all[..], &attribute(0xc0, 8, &repeated(&[0, 1, 0, 1]))].concat(), &[0]),
    ]
}

/// Reads what is in the UPDATEs in every way there is, `times` over.
fn read_worst(go: bool, octets: usize, times: usize) {
    let updates = worst(octets);
    let ctx = DecodeCtx { as4: true, extended_message: true, peer: PeerKind::Unknown, ..DecodeCtx::default() };
    for _ in 0..if go { times } else { 0 } {
        for frame in &updates {
            let Ok(update) = Update::parse(frame, &ctx) else { continue };
            black_box(update.faults().count() + update.nlri().count());
            black_box(update.mp_reach().and_then(|reach| reach.ipv6()).map(Iterator::count));
            let attributes = update.attributes();
            black_box((
                attributes.iter().count(),
                attributes.as_path().path_length(),
                attributes.communities().count(),
            ));
            let mut block = Vec::new();
            update.canonical_attributes(&mut block);
            black_box(block);
        }
    }
}

fn groups(seed: u64) -> Vec<Group> {
    internet(PREFIXES, 65_000, seed)
}

/// Ends without the work of freeing, which is not asked about.
fn keep<T>(value: T) {
    std::mem::forget(black_box(value));
}

fn intern(pools: &mut Pools, groups: &[Group]) {
    for group in groups {
        for _ in &group.prefixes {
            black_box(pools.attrs.intern(&group.attributes));
        }
    }
}

fn over_table(go: bool, work: impl Fn(&mut World, &[Group])) {
    let (own, other, mut world) = (groups(1), groups(2), World::new(2));
    world.load(0, &own, |_| ());
    if go {
        work(&mut world, &other);
    }
    keep(world);
}

/// The best of so many equal paths goes and comes.
fn best(go: bool, paths: u32) {
    let key = Ipv4Net::new_assert([203, 0, 113, 0].into(), 24);
    let mut world = World::new(paths);
    let block = &groups(1)[0].attributes;
    let attrs = world.pools.attrs.intern(block);
    let path = |source: SourceId, next_hop| Path { source, path_id: 0, attrs, next_hop };
    for source in &world.sources {
        world.table.insert(&mut world.pools, key, path(*source, world.next_hop));
    }
    for _ in 0..if go { TURNS } else { 0 } {
        let dest = world.table.get(&key).and_then(|dest| world.table.destination(dest));
        let best = dest.and_then(|dest| dest.best()).map_or(world.sources[0], |best| best.path.source);
        black_box(world.table.withdraw(&mut world.pools, &key, best, 0));
        black_box(world.table.insert(&mut world.pools, key, path(best, world.next_hop)));
    }
    keep(world);
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, go) = match arguments.as_slice() {
        [] => {
            WORKS.iter().for_each(|(name, elements, _)| println!("{name} {elements}"));
            return ExitCode::SUCCESS;
        }
        [name] => (name, true),
        [name, "prepare"] => (name, false),
        _ => return ExitCode::FAILURE,
    };
    match WORKS.iter().find(|(known, ..)| known == name) {
        Some((_, _, work)) => {
            work(go);
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}
