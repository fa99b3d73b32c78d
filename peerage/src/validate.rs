//! `peerage validate`: reads manifests and says everything that is wrong with them.
//!
//! Owns the form in which faults of the input are shown, for `eval` too. It decides nothing about manifests itself.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, ValueEnum};
use network_peering::{ErrorType, InputError, Place, State, Warning};
use serde::Serialize;

use crate::documents::{self, Checked};
use crate::output;

/// The form of a one-shot command's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object on standard output
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Files or directories; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// The form of the answer
    #[arg(short, long, value_enum)]
    output: Option<Format>,
}

/// Runs the command; the exit code is 1 if the input has a fault.
pub(crate) fn run(args: &ValidateArgs) -> ExitCode {
    let (checked, warnings) = load(&args.files, &State::default());
    print_warnings(&warnings);
    match checked {
        Ok(checked) => show(&match args.output {
            Some(Format::Json) => errors_as_json(&[]),
            None => format!("valid: {}\n", contents(&checked)),
        }),
        Err(errors) => fail(&errors, args.output),
    }
}

/// Reads and checks everything behind `paths`. The warnings come in either case.
pub(crate) fn load(paths: &[PathBuf], state: &State) -> (Result<Checked, Vec<InputError>>, Vec<Warning>) {
    match documents::read(paths) {
        Ok(files) => {
            let files = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
            documents::check(&documents::parse(files), state)
        }
        Err(error) => (Err(vec![unreadable(&error.path.display().to_string(), error.to_string())]), Vec::new()),
    }
}

/// The fault of a file that could not be used at all.
pub(crate) fn unreadable(file: &str, message: String) -> InputError {
    let place = Place { file: Arc::from(file), document: 0, path: String::new(), line: 0 };
    InputError { place, error_type: ErrorType::Invalid, message }
}

/// Shows the faults as the caller wants them: on standard error, or as JSON on standard output.
pub(crate) fn fail(errors: &[InputError], format: Option<Format>) -> ExitCode {
    match format {
        Some(Format::Json) => {
            show(&errors_as_json(errors));
        }
        None => {
            for error in errors {
                eprintln!("{error}");
            }
        }
    }
    ExitCode::FAILURE
}

/// Prints an answer; the exit code says whether it could be.
pub(crate) fn show(answer: &str) -> ExitCode {
    match output::show(answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the answer cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One line each, on standard error.
pub(crate) fn print_warnings(warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("{warning}");
    }
}

fn errors_as_json(errors: &[InputError]) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        errors: &'a [InputError],
    }
    // Strings and numbers only: this cannot fail, and an empty answer would be no JSON.
    serde_json::to_string(&Answer { errors }).map(|text| text + "\n").unwrap_or_default()
}

fn contents(checked: &Checked) -> String {
    let world = &checked.world;
    format!(
        "networks {}, peerings {}, projects {}, prefixes {}, speakers {}",
        world.networks.len(),
        world.peerings.len(),
        world.projects.len(),
        world.prefixes.len(),
        usize::from(checked.settings.is_some())
    )
}
