//! How many instructions small pieces of the engine's work take, against a record that is kept in the repository.
//!
//! Counts hardly vary from machine to machine, unlike times; they do with the compiler, so the record names it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use crate::run;

const RECORD: &str = "benches/instructions.txt";
/// A count that is larger by this much is pointed out.
const SHOWN: f64 = 1.10;
/// One that is larger by this much fails, if the compiler is the recorded one.
const FAILS: f64 = 1.30;

/// Counts everything and compares it with the record, or writes the record anew.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    match args {
        [] => compare(),
        ["--record"] => record(),
        _ => Err("usage: cargo xtask counts [--record]".to_owned()),
    }
}

/// Instructions per element, by piece of work.
type Counts = BTreeMap<String, f64>;

fn compiler() -> Result<String, String> {
    output(run::command("rustc", &["--version"]), "rustc --version").map(|text| text.trim().to_owned())
}

fn record() -> Result<(), String> {
    let mut text = format!(
        "# Instructions per element under callgrind; written by `cargo xtask counts --record`.\n{}\n",
        compiler()?
    );
    for (name, count) in count()? {
        println!("{name} {count:.1}");
        let _ = writeln!(text, "{name} {count:.1}");
    }
    std::fs::write(run::root().join(RECORD), text).map_err(|error| format!("{RECORD}: {error}"))
}

fn compare() -> Result<(), String> {
    let record = std::fs::read_to_string(run::root().join(RECORD)).map_err(|error| format!("{RECORD}: {error}"))?;
    let mut lines = record.lines().filter(|line| !line.starts_with('#'));
    let (then, now) = (lines.next().unwrap_or_default(), compiler()?);
    let known: Counts = lines
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
        .collect();
    let same = then == now;
    if !same {
        println!(
            "{RECORD} was recorded with {then}, this is {now}: differences may be the compiler's and fail nothing"
        );
    }
    let counts = count()?;
    let mut failed = Vec::new();
    println!("instructions per element{:>14}{:>12}{:>9}", "recorded", "now", "change");
    for (name, count) in &counts {
        let Some(before) = known.get(name) else {
            return Err(format!("{name} is not in {RECORD}; record it with `cargo xtask counts --record`"));
        };
        let ratio = count / before;
        let verdict = match ratio {
            _ if ratio > FAILS && same => "  FAR MORE",
            _ if ratio > SHOWN => "  MORE",
            _ if ratio < 1.0 / SHOWN => "  less: record it",
            _ => "",
        };
        println!("{name:<24}{before:>14.1}{count:>12.1}{:>8.1}%{verdict}", (ratio - 1.0) * 100.0);
        if ratio > FAILS && same {
            failed.push(name.as_str());
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} took more than {FAILS} times the instructions in {RECORD}; if that is meant, `cargo xtask counts --record`",
        failed.join(", ")
    ))
}

fn count() -> Result<Counts, String> {
    run::cargo(&["build", "--release", "-p", "benches", "--bin", "counts"])?;
    let program = run::target().join("release").join("counts").display().to_string();
    let mut counts = Counts::new();
    for line in output(Command::new(&program), &program)?.lines() {
        let fields = line.split_once(' ').and_then(|(name, elements)| Some((name, elements.parse::<f64>().ok()?)));
        let (name, elements) = fields.ok_or_else(|| format!("{program} lists `{line}`, which is no piece of work"))?;
        let instructions = instructions(&program, &[name])? - instructions(&program, &[name, "prepare"])?;
        counts.insert(name.to_owned(), instructions / elements);
    }
    Ok(counts)
}

/// All instructions of one call.
fn instructions(program: &str, args: &[&str]) -> Result<f64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", program]).args(args);
    let run = command.output().map_err(|error| format!("valgrind (Debian package valgrind) did not start: {error}"))?;
    let text = String::from_utf8_lossy(&run.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected :")).map(|(_, count)| count.trim());
    match collected.and_then(|count| count.parse().ok()) {
        Some(count) if run.status.success() => Ok(count),
        _ => Err(format!("valgrind {program} {}: {}\n{text}", args.join(" "), run.status)),
    }
}

fn output(mut command: Command, shown: &str) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{shown}: {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
