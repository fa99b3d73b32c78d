//! The project's own commands, run as `cargo xtask COMMAND` from anywhere in the checkout.

mod bench;
mod counts;
mod fuzz;
mod interop;
mod no_std;
mod packages;
mod replay;
mod run;
mod seeds;
mod soak;
mod test;
mod vectors;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                 everything the gate runs: format, clippy, unit, property, doc,
                       interop and example tests, the fuzz targets, the demo
  interop [FILTER]     only the tests against real daemons and the real kernel
  vectors DIR          decode every case of a folder of wire vectors, and compare
  no-std               check that bgp-wire needs no operating system
  replay DIR           replay every file of collected routing data, and compare how it ends
  fuzz [--minutes N]   every fuzz target: a short round, or N minutes shared among them;
                       says how often each was run
  soak [--events N] [--seed N]
                       the leak engine against its twin, 10,000,000 random events long
  counts [--record]    instructions that pieces of the engine's work take, against the record
  bench [ARG...]       the side-by-side harness; `cargo xtask bench --help` lists its arguments";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["test"] => test::everything(),
        ["no-std"] => no_std::check(),
        ["interop", filter @ ..] => interop::run(filter),
        ["vectors", folder] => {
            run::Peerage::built().and_then(|peerage| vectors::run(std::path::Path::new(folder), &peerage))
        }
        ["replay", folder] => {
            run::Peerage::built().and_then(|peerage| replay::run(std::path::Path::new(folder), &peerage))
        }
        ["fuzz"] => fuzz::run(fuzz::Length::Short).map(drop),
        ["fuzz", "--minutes", minutes] => match minutes.parse() {
            Ok(minutes @ 1..) => fuzz::run(fuzz::Length::Minutes(minutes)).map(drop),
            _ => Err(format!("--minutes takes a whole number from 1 on, not `{minutes}`")),
        },
        ["soak", rest @ ..] => soak::run(rest),
        ["counts", rest @ ..] => counts::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
