//! `peerage eval`: the rules applied once to manifests and routes, without a daemon or privileges.
//!
//! Owns the flags, the state file and the clock; the rules are network-peering's.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use clap::Args;
use network_peering::{
    InputError, Name, Options, Outcome, Report, Route, State, Tables, Timestamp, evaluate, read_routes, tables,
};

use crate::documents;
use crate::validate::{Format, fail, load, print_warnings, show, unreadable};

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// Files or directories; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// Native routes: a list with network, prefix, and perhaps origin, nextHop, asPath, communities and zone
    #[arg(long, value_name = "FILE")]
    routes: Option<PathBuf>,
    /// What the last evaluation left: read if it exists, and written at the end
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The time of the evaluation (RFC 3339); the clock's if not given
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    /// The zone of the box whose tables are computed
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// The limit of a direction that sets none
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// A network that is not available; remembered by the state
    #[arg(long, value_name = "NS/NAME", value_parser = network)]
    unavailable: Vec<String>,
    /// The form of the answer
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

fn network(text: &str) -> Result<String, String> {
    Name::parse(text).map(|name| name.to_string()).ok_or_else(|| format!("{text:?} is not <namespace>/<name>"))
}

/// Runs the command; the exit code is 1 if the input has a fault or the state cannot be kept.
pub(crate) fn run(args: &EvalArgs) -> ExitCode {
    match answer(args) {
        Ok(text) => show(&text),
        Err(errors) => fail(&errors, args.output),
    }
}

fn answer(args: &EvalArgs) -> Result<String, Vec<InputError>> {
    let mut state = match &args.state {
        Some(path) => read_state(path).map_err(|error| vec![error])?,
        None => State::default(),
    };
    let (checked, warned) = load(&args.files, &state);
    let routes = args.routes.as_deref().map_or_else(|| Ok((Vec::new(), Vec::new())), routes);
    print_warnings(&warned);
    let (world, (routes, warnings)) = match (checked, routes) {
        (Ok(checked), Ok(routes)) => (checked.world, routes),
        (checked, routes) => return Err([checked.err(), routes.err()].into_iter().flatten().flatten().collect()),
    };
    print_warnings(&warnings);
    let options = Options {
        limit: args.limit,
        unavailable: args.unavailable.iter().cloned().collect(),
        zone: args.zone.clone(),
        seed: 0,
    };
    let now = args.now.unwrap_or_else(clock);
    let mut outcome = evaluate(&world, &mut state, now, &options);
    let tables = tables(&world, &mut outcome, &routes, &options);
    print_warnings(&outcome.warnings);
    print_warnings(&tables.warnings);
    if let Some(path) = &args.state {
        write_state(path, &state).map_err(|error| vec![state_error(path, &error)])?;
    }
    Ok(match args.output {
        Some(Format::Json) => {
            // Plain data with string keys: this cannot fail.
            serde_json::to_string(&Report::new(&outcome, &tables)).unwrap_or_default() + "\n"
        }
        None => text(&outcome, &tables),
    })
}

fn clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_seconds(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}

fn routes(path: &Path) -> Result<(Vec<Route>, Vec<network_peering::Warning>), Vec<InputError>> {
    let file = path.display().to_string();
    let bytes = if path == Path::new("-") { documents::bounded(io::stdin()) } else { documents::read_file(path) };
    let bytes = bytes.map_err(|error| vec![unreadable(&file, format!("{file}: {error}"))])?;
    read_routes(&file, &bytes)
}

fn read_state(path: &Path) -> Result<State, InputError> {
    match fs::read(path) {
        Ok(bytes) => State::from_json(&bytes).map_err(|error| state_error(path, &error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(state_error(path, &error)),
    }
}

/// Whoever reads the file finds the old state or the new one, never half of one.
fn write_state(path: &Path, state: &State) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::write(&beside, state.to_json()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is left behind is not the state; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn state_error(path: &Path, error: &dyn std::error::Error) -> InputError {
    let file = path.display().to_string();
    unreadable(&file, format!("the state {file} cannot be used: {error}"))
}

fn text(outcome: &Outcome, tables: &Tables) -> String {
    let mut lines = Vec::new();
    for network in &outcome.networks {
        lines.push(format!("network {} {:?} uid {}", network.id, network.state, network.uid));
        for entry in &network.entries {
            lines.push(format!("  peering {} with {}: {}", entry.name, entry.target, entry.status));
        }
    }
    for peering in &outcome.peerings {
        let other = peering.network2.as_ref().map_or_else(|| "its neighbour".to_owned(), ToString::to_string);
        lines.push(format!("peering {}: {} with {other}: {}", peering.name.name, peering.network1, peering.status));
    }
    for table in &tables.tables {
        lines.push(format!("table {}", table.network));
        for route in &table.routes {
            let next_hops: Vec<_> = route.next_hops.iter().map(ToString::to_string).collect();
            let via = if next_hops.is_empty() { String::new() } else { format!(" via {}", next_hops.join(", ")) };
            let origin = match &route.leaked {
                Some((from, peering)) => format!("leaked from {from} by {peering}"),
                None => "native".to_owned(),
            };
            lines.push(format!("  {}{via} {origin}", route.prefix));
        }
    }
    for refused in &tables.refused {
        lines.push(format!("refused {} from {} to {}: {}", refused.prefix, refused.from, refused.to, refused.reason));
    }
    for conflict in &tables.conflicts {
        let (prefix, network) = (conflict.prefix, &conflict.network);
        lines.push(format!(
            "conflict {prefix} in {network}: {} before {} ({})",
            conflict.winner, conflict.loser, conflict.rule
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}
