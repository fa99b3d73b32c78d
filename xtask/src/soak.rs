//! The engine's long run against its twin.

use crate::run;

/// Runs `--events N` random events (ten million without it), those of `--seed N`.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (mut events, mut seed) = ("10000000", "1");
    for pair in args.chunks(2) {
        match pair {
            ["--events", number] => events = number,
            ["--seed", number] => seed = number,
            _ => return Err("usage: cargo xtask soak [--events N] [--seed N]".to_owned()),
        }
    }
    let args = ["test", "-p", "leak-engine", "--test", "soak", "--", "--nocapture"];
    let mut command = run::command(&run::cargo_program(), &args);
    command.env("PEERAGE_SOAK_EVENTS", events).env("PEERAGE_SOAK_SEED", seed);
    run::finish(command, &format!("{events} random events against the twin, seed {seed}"))
}
