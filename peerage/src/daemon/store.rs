//! What outlives a run, in one file: the evaluation's memory, the documents that were applied, who changed what, and a change that
//! awaits its confirmation.
//!
//! The file is replaced whole and synced, so that a crash leaves the old or the new one and never half of either. One that is damaged
//! or somebody else's is set aside under another name, never dropped.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use network_peering::{State, StateError, Timestamp};
use serde::{Deserialize, Serialize};

use super::set::AppliedFile;

/// The version of the file that is written, and the newest that is read.
const VERSION: u32 = 1;

/// Changes that are remembered.
const HISTORY: usize = 32;

/// Where a daemon keeps what outlives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store(PathBuf);

/// What is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kept {
    version: u32,
    /// Uids, pins, transition times, deletion marks.
    pub(crate) state: State,
    pub(crate) applied: Vec<AppliedFile>,
    /// The last changes, the oldest first.
    pub(crate) history: Vec<Entry>,
    /// A change that is taken back unless somebody confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unconfirmed: Option<Unconfirmed>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Entry {
    /// From 1, one more each time.
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    /// The user, or what made it.
    pub(crate) who: String,
    pub(crate) what: Vec<String>,
    /// What was applied before it.
    pub(crate) before: Vec<AppliedFile>,
}

/// A change that awaits its confirmation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Unconfirmed {
    /// Its number.
    pub(crate) number: u64,
    /// When it is taken back.
    pub(crate) deadline: Timestamp,
}

impl Default for Kept {
    fn default() -> Self {
        Self { version: VERSION, state: State::default(), applied: Vec::new(), history: Vec::new(), unconfirmed: None }
    }
}

impl Kept {
    /// Notes a change, before which `before` was applied. Returns its number.
    pub(crate) fn note(&mut self, at: Timestamp, who: &str, what: Vec<String>, before: Vec<AppliedFile>) -> u64 {
        let number = self.history.last().map_or(1, |last| last.number + 1);
        self.history.push(Entry { number, at, who: who.to_owned(), what, before });
        let old = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..old);
        number
    }

    /// What was applied once change `number` was made; nothing if that is not remembered.
    pub(crate) fn applied_after(&self, number: u64) -> Option<&[AppliedFile]> {
        if self.history.last().map_or(0, |last| last.number) == number {
            return Some(&self.applied);
        }
        self.history.iter().find(|entry| entry.number == number + 1).map(|entry| entry.before.as_slice())
    }

    fn from_json(bytes: &[u8]) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(bytes).map_err(StateError::Malformed)?;
        if version > VERSION {
            return Err(StateError::Version(version));
        }
        let kept: Self = serde_json::from_slice(bytes).map_err(StateError::Malformed)?;
        State::from_json(&kept.state.to_json())?;
        // Changes are counted from 1, and the next one needs a number too.
        let first = kept.history.first().map_or(1, |first| first.number);
        let counted = (0u64..).zip(&kept.history).all(|(at, entry)| entry.number.checked_sub(first) == Some(at));
        let last = kept.history.last().map_or(0, |last| last.number);
        let awaited = kept.unconfirmed.as_ref().is_none_or(|unconfirmed| unconfirmed.number == last);
        if first == 0 || last == u64::MAX || !counted || !awaited {
            let message = "the numbers of the changes do not follow each other";
            return Err(StateError::Malformed(serde::de::Error::custom(message)));
        }
        Ok(kept)
    }
}

/// The file of the store cannot be used.
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
    /// A store around this file.
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// What an earlier run kept; nothing, if there was none. A file that is not what a run kept is set aside; the second value says
    /// where to, and why.
    ///
    /// # Errors
    /// A file that cannot be read or set aside, or one that a newer program wrote.
    pub(crate) fn load(&self) -> Result<(Kept, Option<String>), StoreError> {
        let bytes = match std::fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Kept::default(), None)),
            Err(error) => return Err(self.fail(error)),
        };
        match Kept::from_json(&bytes) {
            Ok(kept) => Ok((kept, None)),
            Err(error @ StateError::Version(_)) => Err(self.fail(error)),
            Err(error) => {
                let aside = self.set_aside().map_err(|error| self.fail(error))?;
                let message = format!(
                    "{} is damaged or not this program's ({error}); it is kept as {}, and the daemon begins without uids, pins, times \
                     and applied documents",
                    self.0.display(),
                    aside.display()
                );
                Ok((Kept::default(), Some(message)))
            }
        }
    }

    /// Keeps this, if it differs from what is there.
    ///
    /// # Errors
    /// What the system said; then the file is as it was.
    pub(crate) fn save(&self, kept: &Kept) -> Result<(), StoreError> {
        let mut bytes = serde_json::to_vec_pretty(kept).map_err(|error| self.fail(error))?;
        bytes.push(b'\n');
        self.replace(&bytes).map_err(|error| self.fail(error))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        if std::fs::read(&self.0).is_ok_and(|present| present == bytes) {
            return Ok(());
        }
        std::fs::create_dir_all(self.directory())?;
        let beside = self.beside("new");
        let mut file = std::fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.0)?;
        self.sync_directory()
    }

    /// Gives the file a name that no other has.
    fn set_aside(&self) -> io::Result<PathBuf> {
        let free = (1..).map(|n| self.beside(&format!("broken-{n}"))).find(|path| !path.exists());
        let aside = free.unwrap_or_else(|| self.beside("broken"));
        std::fs::rename(&self.0, &aside)?;
        self.sync_directory()?;
        Ok(aside)
    }

    /// A rename lasts once its directory does.
    fn sync_directory(&self) -> io::Result<()> {
        std::fs::File::open(self.directory())?.sync_all()
    }

    fn directory(&self) -> &Path {
        self.0.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.0.as_os_str().to_owned();
        name.push(".");
        name.push(extension);
        name.into()
    }

    fn fail(&self, error: impl ToString) -> StoreError {
        StoreError { path: self.0.clone(), message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/state.json");
        let store = Store::new(&path);
        (directory, store, path)
    }

    fn kept() -> Kept {
        let mut kept = Kept::default();
        kept.note(Timestamp::from_unix_seconds(7), "root", vec!["Peering default/p created".to_owned()], Vec::new());
        kept.unconfirmed = Some(Unconfirmed { number: 1, deadline: Timestamp::from_unix_seconds(9) });
        kept
    }

    #[test]
    fn what_was_kept_is_found_again_and_is_readable() {
        let (_directory, store, path) = store();
        assert_eq!(store.load().unwrap(), (Kept::default(), None));
        store.save(&kept()).unwrap();
        assert_eq!(store.load().unwrap(), (kept(), None));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("\"version\": 1") && text.contains("\"who\": \"root\"") && text.ends_with("}\n"),
            "{text}"
        );
        let names: Vec<_> =
            std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["state.json"], "nothing is left beside it");
    }

    #[test]
    fn a_file_torn_anywhere_or_of_somebody_else_is_set_aside_whole() {
        let (_directory, store, path) = store();
        store.save(&kept()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let torn = (0..whole.len() - 1).step_by(7).map(|length| whole[..length].to_vec());
        let foreign =
            [b"not json".to_vec(), b"{}".to_vec(), b"{\"version\": 1}".to_vec(), b"[1]".to_vec(), vec![0xff; 9]];
        for (n, bytes) in torn.chain(foreign).enumerate() {
            std::fs::write(&path, &bytes).unwrap();
            let (found, message) = store.load().unwrap();
            assert_eq!(found, Kept::default());
            let aside = path.with_file_name(format!("state.json.broken-{}", n + 1));
            assert!(message.unwrap().contains(aside.to_str().unwrap()));
            assert_eq!(std::fs::read(&aside).unwrap(), bytes, "nothing of it is lost");
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_file_with_numbers_that_no_change_can_have_is_set_aside() {
        let (_directory, store, path) = store();
        for number in ["0", "2", "18446744073709551615"] {
            store.save(&kept()).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            let changed = text.replacen("\"number\": 1", &format!("\"number\": {number}"), 1);
            assert_ne!(changed, text);
            std::fs::write(&path, changed).unwrap();
            let (found, message) = store.load().unwrap();
            assert_eq!(found, Kept::default());
            assert!(message.unwrap().contains("do not follow each other"));
        }
    }

    #[test]
    fn a_file_of_a_newer_program_stays_where_it_is() {
        let (_directory, store, path) = store();
        store.save(&kept()).unwrap();
        std::fs::write(&path, "{\"version\": 2, \"more\": []}").unwrap();
        assert!(store.load().unwrap_err().to_string().contains("version 2"));
        assert!(path.exists());
    }

    #[test]
    fn the_last_changes_are_remembered_and_what_stood_after_each() {
        let mut kept = Kept::default();
        for n in 0..40 {
            kept.note(Timestamp::from_unix_seconds(n), "root", Vec::new(), Vec::new());
        }
        assert_eq!((kept.history.len(), kept.history[0].number), (HISTORY, 9));
        assert!(kept.applied_after(40).is_some() && kept.applied_after(8).is_some());
        assert!(kept.applied_after(7).is_none() && kept.applied_after(41).is_none());
    }
}
