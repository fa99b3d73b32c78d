//! What outlives a run: the evaluation's memory, and the documents that were applied.
//!
//! Two files beside each other: the state file and `applied.json`. Each is replaced whole, so that a crash leaves the old
//! or the new one and never half of either.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use network_peering::State;

use super::set::AppliedFile;

/// Where a daemon keeps what outlives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    state: PathBuf,
    applied: PathBuf,
}

/// A file of the store that cannot be used.
#[derive(Debug)]
pub(crate) struct StoreError {
    path: PathBuf,
    message: String,
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for StoreError {}

impl Store {
    /// A store around this state file.
    pub(crate) fn new(state: &Path) -> Self {
        Self { state: state.to_owned(), applied: state.with_file_name("applied.json") }
    }

    /// What an earlier run kept; nothing, if there was none.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub(crate) fn load(&self) -> Result<(State, Vec<AppliedFile>), StoreError> {
        let state = match read(&self.state)? {
            Some(bytes) => State::from_json(&bytes).map_err(|error| fail(&self.state, error))?,
            None => State::default(),
        };
        let applied = match read(&self.applied)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| fail(&self.applied, error))?,
            None => Vec::new(),
        };
        Ok((state, applied))
    }

    /// Keeps both.
    ///
    /// # Errors
    /// What the system said; then the file is as it was.
    pub(crate) fn save(&self, state: &State, applied: &[AppliedFile]) -> Result<(), StoreError> {
        replace(&self.state, &state.to_json()).map_err(|error| fail(&self.state, error))?;
        let text = serde_json::to_vec_pretty(applied).map_err(|error| fail(&self.applied, error))?;
        replace(&self.applied, &text).map_err(|error| fail(&self.applied, error))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fail(path, error)),
    }
}

/// Writes `bytes` beside `path` and moves them there, if they differ from what is there.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

fn fail(path: &Path, error: impl ToString) -> StoreError {
    StoreError { path: path.to_owned(), message: error.to_string() }
}
