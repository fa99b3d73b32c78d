//! Measures this speaker and other daemons side by side, in one run on one machine.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::measure::{self, Sample, median};
use benches::peer::{Feeder, Sink};
use benches::place;
use benches::table::{self, Group};
use benches::target::{self, Layout, Shape, Target};

const USAGE: &str = "\
usage: cargo xtask bench convergence [--prefixes N] [--leak N] [--runs N] [--only NAME,...]

  --prefixes N   one feeder announces N prefixes, one sink waits for them (default 1000000)
  --leak N       the same with N prefixes leaked from one VRF to another (default 500000)
  --runs N       runs of each, medians are printed (default 3)
  --only NAMES   of peerage, bird, frr";

const LIMIT: Duration = Duration::from_secs(120);

struct Arguments {
    prefixes: usize,
    leak: usize,
    runs: usize,
    only: Option<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut words = std::env::args().skip(1);
    let mut arguments = Arguments { prefixes: 1_000_000, leak: 500_000, runs: 3, only: None };
    match words.next().as_deref() {
        Some("convergence") => {}
        _ => return Err(USAGE.to_owned()),
    }
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| USAGE.to_owned())?;
        let number = || value.parse::<usize>().map_err(|_| format!("{flag} takes a whole number, not `{value}`"));
        match flag.as_str() {
            "--prefixes" => arguments.prefixes = number()?,
            "--leak" => arguments.leak = number()?,
            "--runs" => arguments.runs = number()?.max(1),
            "--only" => arguments.only = Some(value),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(status) = place::enter() {
        return ExitCode::from(u8::try_from(status).unwrap_or(1));
    }
    match measure_all(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(arguments: &Arguments) -> Result<(), String> {
    place::build()?;
    let mut targets = Vec::new();
    for target in target::all() {
        if arguments.only.as_ref().is_some_and(|only| !only.split(',').any(|name| name == target.name())) {
            continue;
        }
        match target.version() {
            Ok(version) => {
                println!("{}: {version}", target.name());
                targets.push(target);
            }
            Err(missing) => println!("{}: {missing}", target.name()),
        }
    }
    scenario("1 feeder -> 1 sink", Shape::Plain, arguments.prefixes, arguments.runs, &targets)?;
    scenario("1 feeder -> leak between VRFs -> 1 sink", Shape::Leak, arguments.leak, arguments.runs, &targets)
}

/// Runs one scenario against every target in turn and prints its table.
fn scenario(
    title: &str,
    shape: Shape,
    prefixes: usize,
    runs: usize,
    targets: &[Box<dyn Target>],
) -> Result<(), String> {
    if prefixes == 0 {
        return Ok(());
    }
    println!("\n{title}, {prefixes} prefixes, median of {runs}");
    let table = table::internet(prefixes, target::feeder_as(0), 1);
    let mut rows: Vec<(&str, Vec<Sample>)> = targets.iter().map(|target| (target.name(), Vec::new())).collect();
    let mut floor = Vec::new();
    let layout = Layout { shape, feeders: 1, sinks: 1 };
    for _ in 0..runs {
        floor.push(bare(&table, prefixes)?);
        for (target, (_, samples)) in targets.iter().zip(&mut rows) {
            if target.unable(shape).is_none() {
                match once(target.as_ref(), layout, &table, prefixes) {
                    Ok(sample) => samples.push(sample),
                    Err(message) => eprintln!("{}: {message}", target.name()),
                }
            }
        }
    }
    print_table(shape, targets, &rows, &floor);
    Ok(())
}

/// One run against one target.
fn once(target: &dyn Target, layout: Layout, table: &[Group], prefixes: usize) -> Result<Sample, String> {
    let running = target.start(layout)?;
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}\n{}", running.log());
    let remote = SocketAddr::from((place::TARGET, 179));
    let sink = Sink::connect(place::sink(0), remote, target::sink_as(0)).map_err(|error| failed("sink", &error))?;
    let feeder = Feeder::connect(place::feeder(0), remote, target::feeder_as(0), table)
        .map_err(|error| failed("feeder", &error))?;
    let before = measure::quiet(running.pid());
    let start = Instant::now();
    feeder.send();
    sink.wait(prefixes, LIMIT).map_err(|error| failed("run", &error))?;
    let wall = start.elapsed();
    let cpu = measure::quiet(running.pid()).saturating_sub(before);
    Ok(Sample { wall, cpu, peak_rss: measure::peak_rss(running.pid()) })
}

/// The harness without a daemon: what the generator and the sink cost by themselves.
fn bare(table: &[Group], prefixes: usize) -> Result<Sample, String> {
    let listener = TcpListener::bind((place::sink(0), 0)).map_err(|error| format!("floor: {error}"))?;
    let remote = listener.local_addr().map_err(|error| format!("floor: {error}"))?;
    let accepting = std::thread::spawn(move || Sink::accept(&listener, target::AS));
    let feeder = Feeder::connect(place::feeder(0), remote, target::feeder_as(0), table)
        .map_err(|error| format!("floor: {error}"))?;
    let sink = match accepting.join() {
        Ok(Ok(sink)) => sink,
        Ok(Err(error)) => return Err(format!("floor: {error}")),
        Err(_) => return Err("floor: the sink's thread ended".to_owned()),
    };
    let start = Instant::now();
    feeder.send();
    sink.wait(prefixes, LIMIT)?;
    Ok(Sample { wall: start.elapsed(), cpu: Duration::ZERO, peak_rss: 0 })
}

fn print_table(shape: Shape, targets: &[Box<dyn Target>], rows: &[(&str, Vec<Sample>)], floor: &[Sample]) {
    let wall = |samples: &[Sample]| median(samples, |sample| sample.wall.as_secs_f64());
    let cpu = |samples: &[Sample]| median(samples, |sample| sample.cpu.as_secs_f64());
    let peak = |samples: &[Sample]| median(samples, |sample| sample.peak_rss as f64 / 1024.0);
    let reference = rows.iter().find(|(name, samples)| *name == "bird" && !samples.is_empty());
    println!("| target | wall s | CPU s | peak MiB | wall / bird | CPU / bird | peak / bird |");
    println!("|---|---|---|---|---|---|---|");
    println!("| floor (no daemon) | {:.2} | – | – | – | – | – |", wall(floor));
    for (target, (name, samples)) in targets.iter().zip(rows) {
        if let Some(reason) = target.unable(shape) {
            println!("| {name} | not measured: {reason} | | | | | |");
            continue;
        }
        if samples.is_empty() {
            println!("| {name} | failed | | | | | |");
            continue;
        }
        let ratio = |figure: &dyn Fn(&[Sample]) -> f64| {
            reference.map_or_else(|| "–".to_owned(), |(_, bird)| format!("{:.2}", figure(samples) / figure(bird)))
        };
        println!(
            "| {name} | {:.2} | {:.2} | {:.0} | {} | {} | {} |",
            wall(samples),
            cpu(samples),
            peak(samples),
            ratio(&wall),
            ratio(&cpu),
            ratio(&peak)
        );
    }
}
