//! What is measured: each scenario is a layout of tables and neighbours, and steps that end when sinks hold what they should.

use std::fmt;
use std::ops::Add;
use std::sync::Arc;

use ipnet::IpNet;

use crate::place::{SINKS, WITNESSES, Who};
use crate::supply::{Goal, Load, Supply, cover};
use crate::target::Layout;

/// What a row of a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// One feeder, one sink.
    A,
    /// Ten feeders of the same prefixes with different paths, one sink.
    B,
    /// One feeder, thirty sinks of one policy.
    C,
    /// The feeder of (a) drops.
    DropA,
    /// The feeders of (b) drop.
    DropB,
    /// Ten feeders re-announce with changed paths, five rounds.
    E,
    /// All routes of one VRF leaked to another.
    F,
    /// All routes of one VRF leaked to twenty others.
    G,
    /// A further sink joins when (a) is complete.
    H,
    /// Many VRFs, not peered.
    Apart,
    /// Many VRFs, each peered with sixteen others.
    I,
    /// (f) through a prefix filter of ten thousand entries.
    J,
    /// A peering is added to live tables.
    Added,
    /// And removed.
    Removed,
}

impl Key {
    /// The letter that chooses it.
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::DropA | Self::DropB => "d",
            Self::E => "e",
            Self::F => "f",
            Self::G => "g",
            Self::H => "h",
            Self::Apart | Self::I => "i",
            Self::J => "j",
            Self::Added | Self::Removed => "k",
        }
    }
}

/// A row: what, with how many prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// What.
    pub key: Key,
    /// Prefixes that each feeder announces.
    pub count: usize,
    /// How many feeders, sinks or VRFs, where that varies.
    pub times: usize,
}

/// 1000000 as 1M, 50000 as 50k.
pub fn short(count: usize) -> String {
    match count {
        0 => "0".to_owned(),
        _ if count.is_multiple_of(1_000_000) => format!("{}M", count / 1_000_000),
        _ if count.is_multiple_of(1_000) => format!("{}k", count / 1_000),
        _ => count.to_string(),
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, times) = (short(self.count), self.times);
        write!(f, "({}) ", self.key.letter())?;
        match self.key {
            Key::A => write!(f, "1 × {count} → 1 sink"),
            Key::B => write!(f, "{times} × {count}, the same prefixes → 1 sink"),
            Key::C => write!(f, "{count} → {times} sinks"),
            Key::DropA => write!(f, "the feeder of 1 × {count} drops"),
            Key::DropB => write!(f, "the feeders of {times} × {count} drop"),
            Key::E => write!(f, "churn, {ROUNDS} × {times} × {count}"),
            Key::F => write!(f, "{count} leaked to 1 VRF"),
            Key::G => write!(f, "{count} leaked to {times} VRFs"),
            Key::H => write!(f, "a late sink joins {count}"),
            Key::Apart => write!(f, "{times} VRFs × {count}, not peered"),
            Key::I => write!(f, "{times} VRFs × {count}, each peered with {PEERS}"),
            Key::J => write!(f, "{count} leaked through {times} prefixes"),
            Key::Added => write!(f, "peering of {count} added beside {}", short(times)),
            Key::Removed => write!(f, "peering of {count} removed beside {}", short(times)),
        }
    }
}

const ROUNDS: u64 = 5;
const PEERS: usize = 16;
const CONTESTANTS: usize = 10;

/// How much of everything.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Prefixes of (a), (d) and (h).
    pub prefixes: usize,
    /// Prefixes of (f), a scenario for each; (j) has as many as the first.
    pub leaks: Vec<usize>,
    /// What all other sizes are multiplied with.
    pub scale: f64,
    /// The most that there are.
    pub most: usize,
}

impl Sizes {
    fn of(&self, full: usize) -> usize {
        ((full as f64 * self.scale) as usize).clamp(10, self.most)
    }
}

/// What begins a step.
pub enum Act {
    /// Feeders send.
    Send(Vec<(usize, Arc<[u8]>)>),
    /// A sink connects that was not there before, and goes when the step is over.
    Join(usize),
    /// All feeders close their connections.
    Drop,
    /// These are the peerings from now on.
    Peerings(Vec<(usize, usize)>),
}

/// One measured step of a plan.
pub struct Step {
    /// How it is reported; the way to a state that is not of interest is not.
    pub row: Option<Row>,
    /// What begins it.
    pub act: Act,
    /// Which sinks end it, and with what.
    pub goals: Vec<(usize, Goal)>,
    /// The sink whose routes it does not touch.
    pub untouched: Option<usize>,
    /// How many leaked routes there are after it.
    pub leaked: Option<usize>,
    /// What the harness alone would move: a pair of sessions for each.
    pub floor: Vec<Load>,
}

/// One start of a target: a layout and what happens in it.
pub struct Plan {
    /// Tables and neighbours.
    pub layout: Layout,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Every row that it gives.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        self.steps.iter().filter_map(|step| step.row)
    }

    /// True if its peerings change while the target runs.
    pub fn reloads(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.act, Act::Peerings(_)))
    }
}

/// The letters of all scenarios; `s` is (a) in other sizes.
pub const LETTERS: &str = "a,b,c,d,e,f,g,h,i,j,k,s";

/// Makes a plan and its tables.
pub type Maker = Box<dyn Fn(&Supply) -> Plan>;

/// The plans of the scenarios chosen. Their tables are made when one is run.
pub fn plans(chosen: &[&str], sizes: &Sizes) -> Vec<Maker> {
    let any = |letters: &[&str]| chosen.iter().any(|letter| letters.contains(letter));
    let (late, drops) = (any(&["h"]), any(&["d"]));
    let mut plans: Vec<Maker> = Vec::new();
    let prefixes = sizes.prefixes;
    let contested = sizes.of(200_000);
    if prefixes > 0 && any(&["a", "d", "h"]) {
        plans.push(Box::new(move |supply| one(supply, prefixes, late, drops)));
    }
    if any(&["s"]) {
        for count in [sizes.of(250_000), sizes.of(2_000_000)] {
            plans.push(Box::new(move |supply| one(supply, count, false, false)));
        }
    }
    if any(&["b", "c", "s"]) {
        plans.push(Box::new(move |supply| one(supply, contested, false, false)));
    }
    if any(&["b", "d"]) {
        plans.push(Box::new(move |supply| many(supply, contested, drops)));
    }
    if any(&["c"]) {
        plans.push(Box::new(move |supply| fan(supply, contested)));
    }
    if any(&["e"]) {
        let count = sizes.of(100_000);
        plans.push(Box::new(move |supply| churn(supply, count)));
    }
    if any(&["f"]) {
        for count in sizes.leaks.iter().copied().filter(|count| *count > 0) {
            plans.push(Box::new(move |supply| leak(supply, count, None)));
        }
    }
    if any(&["g"]) {
        let count = sizes.of(50_000);
        plans.push(Box::new(move |supply| leaks(supply, count)));
    }
    if any(&["i"]) {
        let vrfs = sizes.of(512).max(PEERS + 4);
        let each = sizes.of(1_000).min(sizes.most / vrfs);
        plans.push(Box::new(move |supply| crowd(supply, each, vrfs, false)));
        plans.push(Box::new(move |supply| crowd(supply, each, vrfs, true)));
    }
    if any(&["j"])
        && let Some(count) = sizes.leaks.iter().copied().find(|count| *count > 0)
    {
        let entries = 10_000.min(count / 10);
        plans.push(Box::new(move |supply| leak(supply, count, Some(entries))));
    }
    if any(&["k"]) {
        let (count, others) = (sizes.of(100_000), sizes.of(1_000_000));
        plans.push(Box::new(move |supply| live(supply, count, others)));
    }
    plans
}

fn layout(supply: &Supply, vrfs: usize, neighbors: Vec<(Who, usize)>) -> Layout {
    let witnesses = (0..WITNESSES).map(|n| (Who::Witness(n), 0));
    let neighbors = neighbors.into_iter().chain(witnesses).collect();
    Layout { family: supply.family, vrfs, neighbors, peerings: Vec::new(), filter: None }
}

fn row(key: Key, count: usize, times: usize) -> Option<Row> {
    Some(Row { key, count, times })
}

fn step(row: Option<Row>, act: Act, goals: Vec<(usize, Goal)>) -> Step {
    Step { row, act, goals, untouched: None, leaked: None, floor: Vec::new() }
}

/// Every feeder sends its load.
fn send(row: Option<Row>, loads: &[Load], goals: Vec<(usize, Goal)>) -> Step {
    let streams = loads.iter().enumerate().map(|(n, load)| (n, Arc::clone(&load.stream)));
    step(row, Act::Send(streams.collect()), goals)
}

fn sum(goals: impl Iterator<Item = Goal>) -> Goal {
    goals.fold(Goal::default(), Add::add)
}

fn one(supply: &Supply, count: usize, late: bool, drops: bool) -> Plan {
    let load = supply.load(count, 0);
    let goal = load.goal;
    let floor = vec![load.clone()];
    let mut steps = vec![Step { floor, ..send(row(Key::A, count, 1), &[load], vec![(0, goal)]) }];
    let mut neighbors = vec![(Who::Feeder(0), 0), (Who::Sink(0), 0)];
    if late {
        neighbors.push((Who::Sink(1), 0));
        steps.push(step(row(Key::H, count, 1), Act::Join(1), vec![(1, goal)]));
    }
    if drops {
        steps.push(step(row(Key::DropA, count, 1), Act::Drop, vec![(0, Goal::default())]));
    }
    Plan { layout: layout(supply, 1, neighbors), steps }
}

fn contestants() -> Vec<(Who, usize)> {
    (0..CONTESTANTS).map(|n| (Who::Feeder(n), 0)).chain([(Who::Sink(0), 0)]).collect()
}

fn contest(supply: &Supply, count: usize, round: u64) -> Vec<Load> {
    (0..CONTESTANTS).map(|n| supply.contested(count, n, CONTESTANTS, round)).collect()
}

fn many(supply: &Supply, count: usize, drops: bool) -> Plan {
    let loads = contest(supply, count, 0);
    let won = sum(loads.iter().map(|load| load.won));
    let mut steps = vec![send(row(Key::B, count, CONTESTANTS), &loads, vec![(0, won)])];
    if drops {
        steps.push(step(row(Key::DropB, count, CONTESTANTS), Act::Drop, vec![(0, Goal::default())]));
    }
    steps[0].floor = loads;
    Plan { layout: layout(supply, 1, contestants()), steps }
}

fn churn(supply: &Supply, count: usize) -> Plan {
    let first = contest(supply, count, 0);
    let won = sum(first.iter().map(|load| load.won));
    let mut loads = contest(supply, count, ROUNDS);
    let mut streams: Vec<Vec<u8>> = vec![Vec::new(); CONTESTANTS];
    for round in 1..=ROUNDS {
        for (stream, load) in streams.iter_mut().zip(contest(supply, count, round)) {
            stream.extend_from_slice(&load.stream);
        }
    }
    for (load, stream) in loads.iter_mut().zip(streams) {
        load.stream = stream.into();
    }
    let last = sum(loads.iter().map(|load| load.won));
    let mut churn = send(row(Key::E, count, CONTESTANTS), &loads, vec![(0, last)]);
    churn.floor = loads;
    let steps = vec![send(None, &first, vec![(0, won)]), churn];
    Plan { layout: layout(supply, 1, contestants()), steps }
}

fn fan(supply: &Supply, count: usize) -> Plan {
    let (load, sinks) = (supply.load(count, 0), 30);
    let neighbors = [(Who::Feeder(0), 0)].into_iter().chain((0..sinks).map(|n| (Who::Sink(n), 0))).collect();
    let goals = (0..sinks).map(|n| (n, load.goal)).collect();
    let floor = vec![load.clone(); sinks];
    let step = Step { floor, ..send(row(Key::C, count, sinks), &[load], goals) };
    Plan { layout: layout(supply, 1, neighbors), steps: vec![step] }
}

fn leak(supply: &Supply, count: usize, entries: Option<usize>) -> Plan {
    let load = supply.load(count, 0);
    let mut layout = layout(supply, 2, vec![(Who::Feeder(0), 0), (Who::Sink(0), 1)]);
    layout.peerings = vec![(0, 1)];
    let key = match entries {
        Some(entries) => {
            let prefixes: Vec<IpNet> = supply.table(count, 0).into_iter().flat_map(|group| group.prefixes).collect();
            let filter = cover(prefixes, entries);
            let entries = filter.len();
            layout.filter = Some(filter.into());
            row(Key::J, count, entries)
        }
        None => row(Key::F, count, 1),
    };
    let (floor, goals) = (vec![load.clone()], vec![(0, load.goal)]);
    let step = Step { floor, leaked: Some(load.goal.count), ..send(key, &[load], goals) };
    Plan { layout, steps: vec![step] }
}

fn leaks(supply: &Supply, count: usize) -> Plan {
    let (load, importers) = (supply.load(count, 0), 20);
    let sinks = (0..importers).map(|n| (Who::Sink(n), n + 1));
    let mut layout = layout(supply, 1 + importers, [(Who::Feeder(0), 0)].into_iter().chain(sinks).collect());
    layout.peerings = (1..=importers).map(|vrf| (0, vrf)).collect();
    let goals = (0..importers).map(|n| (n, load.goal)).collect();
    let floor = vec![load.clone(); importers];
    let leaked = Some(load.goal.count * importers);
    let step = Step { floor, leaked, ..send(row(Key::G, count, importers), &[load], goals) };
    Plan { layout, steps: vec![step] }
}

/// Many VRFs in a ring, each peered with its nearest; every so many a sink, which sees its own VRF's routes and the leaked.
fn crowd(supply: &Supply, each: usize, vrfs: usize, peered: bool) -> Plan {
    let loads = supply.parts(each, vrfs);
    let sinks = PEERS.min(SINKS);
    let place = |sink: usize| sink * vrfs / sinks;
    let neighbors = (0..vrfs).map(|vrf| (Who::Feeder(vrf), vrf));
    let mut layout = layout(supply, vrfs, neighbors.chain((0..sinks).map(|n| (Who::Sink(n), place(n)))).collect());
    let mut near = vec![0];
    if peered {
        layout.peerings = (0..vrfs).flat_map(|vrf| (1..=PEERS / 2).map(move |n| (vrf, (vrf + n) % vrfs))).collect();
        near.extend((1..=PEERS / 2).flat_map(|n| [n, vrfs - n]));
    }
    let goal = |sink: usize| sum(near.iter().map(|n| loads[(place(sink) + n) % vrfs].goal));
    let goals = (0..sinks).map(|sink| (sink, goal(sink))).collect();
    let leaked = Some(loads.iter().map(|load| load.goal.count * (near.len() - 1)).sum());
    let key = if peered { Key::I } else { Key::Apart };
    let step = Step { leaked, ..send(row(key, each, vrfs), &loads, goals) };
    Plan { layout, steps: vec![step] }
}

/// One VRF with many routes and a sink of its own; beside it two that become peers, and cease to be.
fn live(supply: &Supply, count: usize, others: usize) -> Plan {
    let loads = [supply.load(others, 0), supply.load(count, 1)];
    let layout =
        layout(supply, 3, vec![(Who::Feeder(0), 0), (Who::Feeder(1), 1), (Who::Sink(0), 0), (Who::Sink(1), 2)]);
    let change = |key, peerings, goal| Step {
        untouched: Some(0),
        ..step(row(key, count, others), Act::Peerings(peerings), vec![(1, goal)])
    };
    let steps = vec![
        send(None, &loads, vec![(0, loads[0].goal)]),
        change(Key::Added, vec![(1, 2)], loads[1].goal),
        change(Key::Removed, Vec::new(), Goal::default()),
    ];
    Plan { layout, steps }
}
