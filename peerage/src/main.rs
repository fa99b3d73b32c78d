//! The `peerage` binary: a BGP daemon that leaks routes between peered networks, and the commands that talk to it.

mod api;
mod cli;
mod commands;
mod config;
mod daemon;
mod decode;
mod demo;
mod documents;
mod eval;
mod output;
mod run;
mod validate;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::{Cli, Command, NetworkCommand, Output, VersionArgs};
use commands::Error;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Eval(args) => return Ok(eval::run(&args)),
        Command::Run(args) => return daemon(run::run(args)),
        Command::Demo(args) => {
            return daemon(async { Ok(if demo::run(args).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE }) });
        }
        Command::Validate(args) => return Ok(validate::run(&args)),
        Command::Plan(args) => client(commands::plan::run(args))?,
        Command::Apply(args) => client(commands::apply::run(args))?,
        Command::Confirm(args) => client(commands::change::confirm(args))?,
        Command::Rollback(args) => client(commands::change::rollback(args))?,
        Command::History(args) => client(commands::change::history(args))?,
        Command::Audit(args) => return client_code(commands::audit::run(args)),
        Command::Get(args) => client(commands::get::run(args))?,
        Command::Routes(args) => client(commands::routes::run(args))?,
        Command::Explain(args) => client(commands::explain::run(args))?,
        Command::Network(args) => {
            let NetworkCommand::Peering { command } = args.command;
            client(commands::peering::run(command))?;
        }
        Command::Decode(args) => return Ok(decode::run(args)?),
        Command::Version(args) => version(&args)?,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "peerage", &mut script);
            output::show(&String::from_utf8_lossy(&script))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command that is a daemon, or several.
fn daemon(command: impl Future<Output = Result<ExitCode, Error>>) -> Result<ExitCode, Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

/// Runs a command that only asks a daemon.
fn client(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    client_code(command)
}

/// Runs a command that only asks a daemon, and whose answer may be another exit code.
fn client_code<T>(command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

fn version(args: &VersionArgs) -> Result<(), Error> {
    let version = api::schema::Version { version: env!("CARGO_PKG_VERSION").to_owned() };
    let text = match args.output {
        Some(Output::Json) => output::json(&version)?,
        Some(Output::Yaml) => output::yaml(&version)?,
        Some(Output::Wide) | None => format!("peerage {}\n", version.version),
    };
    Ok(output::show(&text)?)
}
