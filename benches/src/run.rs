//! Runs a plan: against a target, or without one.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::measure::{Meter, Sample};
use crate::peer::Peer;
use crate::place::Who;
use crate::scenario::{Act, Plan, Row, Step};
use crate::target::{Found, Layout, Running};

/// How patient a run is.
#[derive(Clone, Copy)]
pub struct Patience {
    /// How long a target must do nothing to count as quiet.
    pub quiet: Duration,
    /// How long a step may take.
    pub limit: Duration,
}

/// A started target and all sessions with it.
struct Rig<'a> {
    running: Running<'a>,
    meter: Meter,
    layout: Layout,
    feeders: Vec<Peer>,
    sinks: Vec<Option<Peer>>,
    witnesses: Vec<Peer>,
    patience: Patience,
}

/// What one run of a plan against one target gave; after a failure, what there was until then.
pub struct Outcome {
    /// By row.
    pub samples: Vec<(Row, Sample)>,
    /// Why it ended early.
    pub failure: Option<String>,
    /// Memory of the target with its sessions and without routes, in KiB.
    pub idle: u64,
}

/// One run against one target.
pub fn once(found: &Found, plan: &Plan, patience: Patience) -> Outcome {
    let mut outcome = Outcome { samples: Vec::new(), failure: None, idle: 0 };
    let mut rig = match Rig::start(found, plan, patience) {
        Ok(rig) => rig,
        Err(error) => return Outcome { failure: Some(error), ..outcome },
    };
    outcome.idle = rig.meter.resident();
    for step in &plan.steps {
        match rig.step(step) {
            Ok(sample) => outcome.samples.extend(step.row.map(|row| (row, sample))),
            Err(error) => {
                let log = rig.running.log();
                outcome.failure = Some(if log.is_empty() { error } else { format!("{error}\n{log}") });
                break;
            }
        }
    }
    outcome
}

impl<'a> Rig<'a> {
    fn start(found: &'a Found, plan: &Plan, patience: Patience) -> Result<Self, String> {
        let layout = plan.layout.clone();
        let mut running = found.start(&layout)?;
        let meter = Meter::new(running.pid(), patience.quiet);
        let late = plan.steps.iter().find_map(|step| if let Act::Join(sink) = step.act { Some(sink) } else { None });
        let (mut feeders, mut sinks, mut witnesses) = (Vec::new(), Vec::new(), Vec::new());
        for (who, _) in &layout.neighbors {
            let mut connect = || {
                let peer = Peer::connect(*who, layout.family, || running.is_alive());
                peer.map_err(|error| format!("{error}\n{}", running.log()))
            };
            match who {
                Who::Feeder(_) => feeders.push(connect()?),
                Who::Sink(n) if late == Some(*n) => sinks.push(None),
                Who::Sink(_) => sinks.push(Some(connect()?)),
                Who::Witness(_) => {
                    witnesses.push(connect()?);
                    // Their keepalives come one after the other, not all at once.
                    std::thread::sleep(patience.quiet / 2);
                }
            }
        }
        Ok(Self { running, meter, layout, feeders, sinks, witnesses, patience })
    }

    fn step(&mut self, step: &Step) -> Result<Sample, String> {
        let command = match &step.act {
            Act::Peerings(peerings) => {
                self.layout.peerings.clone_from(peerings);
                Some(self.running.prepare(&self.layout)?)
            }
            _ => None,
        };
        let used = self.meter.quiet();
        let before = self.meter.resident();
        self.meter.reset_peak();
        self.witnesses.iter().for_each(Peer::watch);
        let heard = |rig: &Self| {
            let sink = step.untouched.and_then(|sink| rig.sinks.get(sink));
            sink.and_then(Option::as_ref).map_or(0, Peer::updates)
        };
        let noise = heard(self);
        let mut waits: Vec<_> = step.goals.iter().filter_map(|(sink, goal)| self.expect(*sink, *goal)).collect();

        let start = Instant::now();
        match &step.act {
            Act::Send(streams) => {
                for (feeder, stream) in streams {
                    self.feeders[*feeder].send(stream.clone())?;
                }
            }
            Act::Join(sink) => {
                let running = &mut self.running;
                let peer = Peer::connect(Who::Sink(*sink), self.layout.family, || running.is_alive())?;
                self.sinks[*sink] = Some(peer);
                waits = step.goals.iter().filter_map(|(sink, goal)| self.expect(*sink, *goal)).collect();
            }
            Act::Drop => self.feeders.clear(),
            Act::Peerings(_) => {
                let output = command.map(|mut command| command.output());
                let failed = match output {
                    Some(Ok(output)) if output.status.success() => None,
                    Some(Ok(output)) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
                    Some(Err(error)) => Some(error.to_string()),
                    None => Some("it has no reload".to_owned()),
                };
                if let Some(why) = failed {
                    return Err(format!("the peerings could not be changed: {why}"));
                }
            }
        }
        let mut done = start;
        for (sink, goal, reached) in waits {
            if let Some(peer) = self.sinks[sink].as_ref() {
                done = done.max(peer.await_goal(goal, &reached, self.patience.limit)?);
            }
        }
        let wall = done.saturating_duration_since(start);
        let cpu = self.meter.quiet().saturating_sub(used);
        let peak = self.meter.peak();
        let mut late = Duration::ZERO;
        for witness in &self.witnesses {
            late = late.max(witness.late()?);
        }
        if let (Some(wanted), Some(says)) = (step.leaked, self.running.leaked())
            && wanted != says
        {
            return Err(format!("it says it holds {says} leaked routes, which should be {wanted}"));
        }
        let sample = Sample { wall, cpu, peak, before, late, noise: heard(self) - noise };
        if let Act::Join(sink) = step.act {
            self.sinks[sink] = None;
        }
        Ok(sample)
    }

    fn expect(
        &self,
        sink: usize,
        goal: crate::supply::Goal,
    ) -> Option<(usize, crate::supply::Goal, std::sync::mpsc::Receiver<Instant>)> {
        let peer = self.sinks.get(sink)?.as_ref()?;
        peer.reserve(goal.count);
        Some((sink, goal, peer.expect(goal)))
    }
}

/// The harness alone: feeders straight to sinks, one pair for each stream of a step.
pub fn floor(plan: &Plan, patience: Patience) -> Result<Vec<(Row, Sample)>, String> {
    let mut samples = Vec::new();
    for step in &plan.steps {
        let Some(row) = step.row.filter(|_| !step.floor.is_empty()) else { continue };
        let mut pairs = Vec::new();
        for (n, load) in step.floor.iter().enumerate() {
            let (feeder, sink) = Peer::pair(Who::Feeder(n), Who::Sink(n), plan.layout.family)?;
            sink.reserve(load.goal.count);
            let reached = sink.expect(load.goal);
            pairs.push((feeder, sink, reached));
        }
        let start = Instant::now();
        for ((feeder, _, _), load) in pairs.iter().zip(&step.floor) {
            feeder.send(load.stream.clone())?;
        }
        let mut done = start;
        for ((_, sink, reached), load) in pairs.iter().zip(&step.floor) {
            done = done.max(sink.await_goal(load.goal, reached, patience.limit)?);
        }
        samples.push((row, Sample { wall: done - start, ..Sample::default() }));
    }
    Ok(samples)
}

/// The machine that a run was on: processor, cores, memory, kernel.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("\t: unknown processor");
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = read("/proc/meminfo");
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or_default();
    let kib: u64 = kib.trim().trim_end_matches(" kB").parse().unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, {:.0} GiB, Linux {}", kib as f64 / 1_048_576.0, kernel.trim())
}
