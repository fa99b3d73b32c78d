//! `peerage run`: the daemon as a process, from its files and signals to its end.
//!
//! SIGHUP reads the files again; SIGTERM and SIGINT end it. What the daemon does is [`Daemon`]'s.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use network_peering::State;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::api::server::Server;
use crate::cli::RunArgs;
use crate::commands::Error;
use crate::daemon::{Daemon, StartError};
use crate::documents::{self, Documents, ReadError};
use crate::validate;

/// Runs until a signal ends it.
///
/// # Errors
/// What kept it from starting, other than faults of the documents: these are listed, and the exit code is 1.
pub(crate) async fn run(args: RunArgs) -> Result<ExitCode, Error> {
    log_to_stderr();
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let files = load(&args.files)?;
    // The API's socket first: whoever holds it is running already.
    let (checked, warnings) = documents::check(&files, &State::default());
    let settings = match checked {
        Ok(checked) => checked.settings.ok_or(StartError::NoSpeaker)?,
        Err(faults) => {
            validate::print_warnings(&warnings);
            return Ok(validate::fail(&faults, None));
        }
    };
    let server = Server::bind(&settings.socket).await.map_err(|error| {
        format!("{}: {error}; spec.api.socket says where the API is served", settings.socket.display())
    })?;
    let daemon = match Daemon::start(files).await {
        Ok(daemon) => Arc::new(daemon),
        Err(StartError::Documents(faults)) => return Ok(validate::fail(&faults, None)),
        Err(error) => return Err(error.into()),
    };
    let serving = tokio::spawn(server.serve(Arc::clone(&daemon)));
    let timed = Arc::clone(&daemon);
    let timer = tokio::spawn(async move { timed.keep_time().await });
    info!(
        name = settings.speaker.name,
        asn = settings.speaker.asn,
        fib = ?settings.speaker.fib,
        api = %settings.socket.display(),
        "running"
    );

    loop {
        tokio::select! {
            _ = hangup.recv() => reload(&daemon, &args.files).await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    info!("stopping");
    timer.abort();
    daemon.stop().await;
    serving.abort();
    // The socket goes with the task that serves it.
    let _ = serving.await;
    Ok(ExitCode::SUCCESS)
}

async fn reload(daemon: &Daemon, paths: &[PathBuf]) {
    if paths.iter().any(|path| path == Path::new("-")) {
        error!("nothing is reloaded: standard input cannot be read a second time");
        return;
    }
    let files = match load(paths) {
        Ok(files) => files,
        Err(error) => {
            error!("nothing is reloaded: {error}");
            return;
        }
    };
    match daemon.reload(files).await {
        Ok(applied) => {
            for warning in &applied.warnings {
                warn!("{warning}");
            }
            for change in &applied.changes {
                info!("{change}");
            }
            info!(changes = applied.changes.len(), "reloaded");
        }
        Err(failure) => {
            for fault in &failure.errors {
                error!("{fault}");
            }
            error!("nothing is reloaded: {}", failure.message);
        }
    }
}

fn load(paths: &[PathBuf]) -> Result<Documents, ReadError> {
    let files = documents::read(paths)?;
    Ok(documents::parse(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))))
}

/// Everything of `info` and above, unless `PEERAGE_LOG` says otherwise, as `PEERAGE_LOG=speaker=debug` does.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("PEERAGE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
