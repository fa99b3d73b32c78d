//! Measures this speaker and other daemons side by side, in one run on one machine.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::place::{self, Family};
use benches::plot;
use benches::report::{Measured, Report, into_document};
use benches::run::{self, Patience};
use benches::scenario::{self, Key, Plan, Row, Sizes};
use benches::supply::Supply;
use benches::target::{self, Found};

const USAGE: &str = "\
usage: cargo xtask bench convergence [OPTION...]   measure, print, keep results.md, .csv and .svg
       cargo xtask bench compare [OPTION...]       the same, and write docs/performance.md

  --scenario LETTERS  of a,b,c,d,e,f,g,h,i,j,k,s (default: all)
      a  1 feeder × 1M prefixes → 1 sink
      b  10 feeders × 200k, the same prefixes with different paths → 1 sink
      c  200k → 30 sinks of one policy
      d  the feeders of (a) and of (b) drop, until the sink is empty
      e  10 feeders re-announce 100k with changed paths, 5 rounds
      f  leak: 500k and 1M from one VRF to another
      g  leak: 50k from one VRF to 20
      h  a sink joins after (a)
      i  512 VRFs × 1k routes, each peered with 16 others
      j  (f) with 500k through a filter of 10,000 prefixes
      k  a peering of 100k routes added and removed beside 1M others
      s  (a) with 200k, 250k and 2M
  --only NAMES        of peerage, bird, bird3, frr, gobgp, openbgpd, rustybgp (default: those found)
  --runs N            runs of each (default 3)
  --prefixes N        prefixes of (a), (d), (h)
  --leak N[,N]        prefixes of (f); (j) has the first
  --scale X           multiplies all sizes, such as 0.1
  --family FAMILY     ipv4 or ipv6: routes and sessions (default ipv4)
  --mrt FILE          take the tables from an MRT dump, gzip or plain; sizes are cut to what it holds
  --program NAME=PATH use this program for a target
  --shards N          shards of peerage (default 1)
  --limit SECONDS     give up a step after this time (default 120)
  --out FOLDER        where results go (default target/bench)";

/// Below this share of the sizes the harness itself is under test and nothing that it prints is a measurement.
const TINY: f64 = 0.02;

struct Arguments {
    compare: bool,
    letters: String,
    only: Option<String>,
    runs: usize,
    prefixes: Option<usize>,
    leaks: Option<Vec<usize>>,
    scale: f64,
    family: Family,
    mrt: Option<PathBuf>,
    programs: HashMap<String, PathBuf>,
    shards: usize,
    limit: Duration,
    out: PathBuf,
}

fn arguments() -> Result<Arguments, String> {
    let mut words = std::env::args().skip(1);
    let compare = match words.next().as_deref() {
        Some("convergence") => false,
        Some("compare") => true,
        _ => return Err(USAGE.to_owned()),
    };
    let mut arguments = Arguments {
        compare,
        letters: scenario::LETTERS.to_owned(),
        only: None,
        runs: 3,
        prefixes: None,
        leaks: None,
        scale: 1.0,
        family: Family::Ipv4,
        mrt: None,
        programs: HashMap::new(),
        shards: 1,
        limit: Duration::from_secs(120),
        out: PathBuf::from("target/bench"),
    };
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| USAGE.to_owned())?;
        let number = || whole(&flag, &value);
        match flag.as_str() {
            "--scenario" => {
                let known = |letter: &str| scenario::LETTERS.split(',').any(|known| known == letter);
                if let Some(unknown) = value.split(',').find(|letter| !known(letter)) {
                    return Err(format!("there is no scenario `{unknown}`; there are {}", scenario::LETTERS));
                }
                arguments.letters = value;
            }
            "--only" => {
                let known: Vec<&str> = target::all(1).iter().map(|target| target.name()).collect();
                if let Some(unknown) = value.split(',').find(|name| !known.contains(name)) {
                    return Err(format!("there is no target `{unknown}`; there are {}", known.join(", ")));
                }
                arguments.only = Some(value);
            }
            "--runs" => arguments.runs = number()?.max(1),
            "--prefixes" => arguments.prefixes = Some(number()?),
            "--leak" => {
                let counts: Result<_, _> = value.split(',').map(|count| whole(&flag, count)).collect();
                arguments.leaks = Some(counts?);
            }
            "--scale" => {
                let scale: Option<f64> = value.parse().ok().filter(|scale| *scale > 0.0 && *scale <= 1.0);
                arguments.scale = scale.ok_or_else(|| format!("--scale is above 0 and at most 1, not `{value}`"))?;
            }
            "--family" => {
                arguments.family = match value.as_str() {
                    "ipv4" => Family::Ipv4,
                    "ipv6" => Family::Ipv6,
                    _ => return Err(format!("--family is ipv4 or ipv6, not `{value}`")),
                }
            }
            "--mrt" => arguments.mrt = Some(value.into()),
            "--program" => {
                let (name, path) =
                    value.split_once('=').ok_or_else(|| format!("--program is NAME=PATH, not `{value}`"))?;
                arguments.programs.insert(name.to_owned(), path.into());
            }
            "--shards" => arguments.shards = number()?.max(1),
            "--limit" => arguments.limit = Duration::from_secs(number()? as u64),
            "--out" => arguments.out = value.into(),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(arguments)
}

fn whole(flag: &str, text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{flag} takes a whole number, not `{text}`"))
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
    match measure(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all that was asked for; false if something failed.
fn measure(arguments: &Arguments) -> Result<bool, String> {
    let start = Instant::now();
    let supply = match &arguments.mrt {
        Some(path) => Supply::mrt(arguments.family, path)?,
        None => Supply::synthetic(arguments.family),
    };
    let most = supply.most();
    let scaled = |full: usize| ((full as f64 * arguments.scale) as usize).clamp(10, most);
    let mut leaks: Vec<usize> = arguments.leaks.clone().unwrap_or_else(|| vec![scaled(500_000), scaled(1_000_000)]);
    leaks.iter_mut().for_each(|count| *count = (*count).min(most));
    leaks.dedup();
    let prefixes = arguments.prefixes.map_or_else(|| scaled(1_000_000), |count| count.min(most));
    let sizes = Sizes { prefixes, leaks, scale: arguments.scale, most };

    place::build()?;
    let (found, missing) = find(arguments);
    if found.is_empty() {
        return Err("none of the targets is there".to_owned());
    }
    let quiet = Duration::from_millis(if arguments.scale < TINY { 40 } else { 500 });
    let patience = Patience { quiet, limit: arguments.limit };
    let tables = match &arguments.mrt {
        Some(path) => format!("Tables from {}, {}", path.display(), arguments.family),
        None => format!("Generated tables, {}", arguments.family),
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    let measured = |found: &Found| Measured {
        name: found.name(),
        version: found.version.clone(),
        samples: BTreeMap::new(),
        failures: BTreeMap::new(),
        unable: BTreeMap::new(),
    };
    let mut report = Report {
        machine: run::machine(),
        command: format!("cargo xtask bench {}", words.join(" ")),
        runs: arguments.runs,
        tables,
        took: 0,
        targets: found.iter().map(measured).collect(),
        missing,
        floor: BTreeMap::new(),
        rows: Vec::new(),
    };
    let letters: Vec<&str> = arguments.letters.split(',').collect();
    for plan in scenario::plans(&letters, &sizes) {
        measure_plan(&plan(&supply), &found, &mut report, patience)?;
    }
    let chosen = |row: &Row| letters.contains(&row.key.letter()) || row.key == Key::A && letters.contains(&"s");
    report.rows.retain(chosen);
    report.took = start.elapsed().as_secs();
    write(arguments, &report)?;
    for target in &report.targets {
        for (row, why) in &target.failures {
            eprintln!("{}: {row}: {why}", target.name);
        }
    }
    Ok(report.targets.iter().all(|target| target.failures.is_empty()))
}

fn find(arguments: &Arguments) -> (Vec<Found>, Vec<(&'static str, String)>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for adapter in target::all(arguments.shards) {
        let name = adapter.name();
        if arguments.only.as_ref().is_some_and(|only| !only.split(',').any(|only| only == name)) {
            continue;
        }
        match target::find(adapter, &arguments.programs) {
            Ok(target) => {
                eprintln!("{name}: {}", target.version);
                found.push(target);
            }
            Err(why) => {
                eprintln!("{name}: {why}");
                missing.push((name, why));
            }
        }
    }
    (found, missing)
}

/// Every run of one plan, the targets in turn.
fn measure_plan(plan: &Plan, found: &[Found], report: &mut Report, patience: Patience) -> Result<(), String> {
    for row in plan.rows() {
        if !report.rows.contains(&row) {
            report.rows.push(row);
        }
    }
    for turn in 1..=report.runs {
        for (row, sample) in run::floor(plan, patience)? {
            report.floor.entry(row).or_default().push(sample);
        }
        for (target, measured) in found.iter().zip(&mut report.targets) {
            if let Some(reason) = target.unable(&plan.layout, plan.reloads()) {
                for row in plan.rows() {
                    measured.unable.insert(row, reason);
                }
                continue;
            }
            if plan.rows().any(|row| measured.failures.contains_key(&row)) {
                continue;
            }
            let outcome = run::once(target, plan, patience);
            for (row, sample) in &outcome.samples {
                eprintln!(
                    "run {turn}, {}, {row}: wall {:.3} s, CPU {:.2} s, peak {} MiB, late {} ms",
                    target.name(),
                    sample.wall.as_secs_f64(),
                    sample.cpu.as_secs_f64(),
                    sample.peak / 1024,
                    sample.late.as_millis()
                );
                measured.samples.entry(*row).or_default().push(*sample);
            }
            if let Some(failure) = outcome.failure {
                eprintln!("run {turn}, {}: {failure}", target.name());
                let whole = outcome.samples.iter().map(|(row, _)| *row).collect::<Vec<_>>();
                for row in plan.rows().filter(|row| !whole.contains(row)) {
                    measured.failures.insert(row, failure.clone());
                }
            }
        }
    }
    Ok(())
}

fn write(arguments: &Arguments, report: &Report) -> Result<(), String> {
    let put = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("written: {}", path.display());
        Ok::<(), String>(())
    };
    std::fs::create_dir_all(&arguments.out).map_err(|error| format!("{}: {error}", arguments.out.display()))?;
    let markdown = report.markdown(Some("results.svg"));
    println!("{markdown}");
    put(&arguments.out.join("results.md"), &markdown)?;
    put(&arguments.out.join("results.csv"), &report.csv())?;
    put(&arguments.out.join("results.svg"), &plot::svg(report))?;
    if arguments.compare {
        let path = Path::new("docs/performance.md");
        let document = std::fs::read_to_string(path).unwrap_or_else(|_| "# Performance\n".to_owned());
        put(path, &into_document(&document, "convergence", &report.markdown(Some("performance.svg"))))?;
        put(Path::new("docs/performance.svg"), &plot::svg(report))?;
    }
    Ok(())
}
