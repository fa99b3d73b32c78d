//! The daemon: brings a speaker to what the documents in force say, and answers what is asked of it.
//!
//! Owns the documents, what the evaluation of the peering rules remembers, and a running [`speaker::Speaker`]. Documents
//! come in by [`Daemon::reload`] and [`Daemon::apply`]; each change goes one way: checked, evaluated, kept, programmed. A
//! fault at any of these leaves everything as it was. The sockets of the API belong to [`crate::api::server`].

mod explain;
mod log;
mod plan;
mod set;
mod status;
mod store;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use network_peering::{InputError, State, Timestamp, Warning};
use speaker::Speaker;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::api::schema::{Applied, AppliedDocument, Failure, Fault, File};
use crate::config::Settings;
use crate::documents::{self, Documents};

use plan::{Plan, View};
use set::{DocumentSet, Result as SetResult};
use store::{Store, StoreError};

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    speaker: Speaker,
    control: Mutex<Control>,
    /// What the last evaluation said, for queries.
    view: RwLock<Arc<View>>,
}

/// What changes with each change of documents; one at a time.
#[derive(Debug)]
struct Control {
    documents: DocumentSet,
    state: State,
    store: Store,
}

/// Why a daemon did not start.
#[derive(Debug)]
pub(crate) enum StartError {
    /// Faults of the documents.
    Documents(Vec<InputError>),
    /// There is no `Speaker` among them.
    NoSpeaker,
    Store(StoreError),
    Speaker(speaker::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Documents(faults) => {
                write!(f, "the documents have {} faults; nothing was started", faults.len())?;
                faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))
            }
            Self::NoSpeaker => write!(
                f,
                "none of the files holds a document of kind Speaker ({}), which says what this speaker is",
                crate::config::API_VERSION
            ),
            Self::Store(error) => write!(f, "{error}; spec.stateFile says where state is kept"),
            Self::Speaker(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl Daemon {
    /// Starts a speaker on these documents and on those applied to an earlier run.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub(crate) async fn start(files: Documents) -> Result<Self, StartError> {
        let (checked, _) = documents::check(&files, &State::default());
        let settings = checked.map_err(StartError::Documents)?.settings.ok_or(StartError::NoSpeaker)?;
        let store = Store::new(&settings.state_file);
        let (state, applied) = store.load().map_err(StartError::Store)?;
        let documents = DocumentSet::new(files, applied);
        for (identity, document) in documents.shadowed() {
            warn!(%identity, file = &*document.file, "the file's document is replaced by one applied later");
        }
        let (plan, warnings) = plan::make(&documents, state, now());
        let plan = plan.map_err(StartError::Documents)?;
        log::warnings(&warnings);
        log::warnings(&plan.view.outcome.warnings);
        store.save(&plan.state, documents.applied()).map_err(StartError::Store)?;
        // Nothing here watches.
        let speaker = Speaker::builder().config(plan.config.clone()).events_kept(0);
        let speaker = speaker.start().await.map_err(StartError::Speaker)?;
        log::transitions(None, &plan.view);
        let Plan { view, state, .. } = plan;
        Ok(Self {
            speaker,
            control: Mutex::new(Control { documents, state, store }),
            view: RwLock::new(Arc::new(view)),
        })
    }

    /// The settings that are in force.
    pub(crate) fn settings(&self) -> Settings {
        self.view().settings.clone()
    }

    /// The addresses that BGP is listened on, with their real ports.
    pub(crate) async fn listening(&self) -> Result<Vec<SocketAddr>, speaker::Error> {
        Ok(self.speaker.status().await?.listening)
    }

    /// Ends the speaker: neighbours are sent CEASE.
    pub(crate) async fn stop(&self) {
        self.speaker.stop().await;
    }

    /// Puts other files in the place of those it stands on.
    ///
    /// # Errors
    /// [`Failure`] with every fault; nothing changed then.
    pub(crate) async fn reload(&self, files: Documents) -> Result<Applied, Failure> {
        let mut control = self.control.lock().await;
        let mut documents = control.documents.clone();
        documents.replace_files(files);
        self.carry_out(&mut control, documents, Vec::new(), None).await
    }

    /// Adds documents to those in force, in the place of any of the same identity.
    ///
    /// # Errors
    /// [`Failure`] with every fault; nothing changed then.
    pub(crate) async fn apply(&self, texts: Vec<File>) -> Result<Applied, Failure> {
        let mut control = self.control.lock().await;
        let mut documents = control.documents.clone();
        let (results, given) = documents.apply(texts);
        // First for themselves, so that faults show the place in what was given.
        let (checked, warnings) = documents::check(&given, &control.state);
        checked.map_err(|faults| invalid(&faults))?;
        let results = results.into_iter().map(|(identity, result)| (identity.to_string(), result));
        self.carry_out(&mut control, documents, results.collect(), Some(warnings)).await
    }

    /// Deletes the `Peering` of this name, `NAME` or `NAMESPACE/NAME`.
    ///
    /// # Errors
    /// `NotFound`, or `Forbidden` for one that a file defines.
    pub(crate) async fn delete_peering(&self, name: &str) -> Result<Applied, Failure> {
        let mut control = self.control.lock().await;
        let mut documents = control.documents.clone();
        match documents.delete(|identity| identity.is_peering(name)) {
            Ok(Some(identity)) => {
                let results = vec![(identity.to_string(), SetResult::Deleted)];
                self.carry_out(&mut control, documents, results, Some(Vec::new())).await
            }
            Ok(None) => Err(Failure::new("NotFound", format!("there is no peering {name:?}"))),
            Err(document) => Err(Failure::new(
                "Forbidden",
                format!(
                    "peering {name:?} is defined in {}, line {}; remove it there and send SIGHUP",
                    document.file, document.root.line
                ),
            )),
        }
    }

    /// Evaluates `documents`, keeps what must outlive the run, and programs the speaker. `given` are the warnings of
    /// the documents that this is about; without, it is about all.
    async fn carry_out(
        &self,
        control: &mut Control,
        documents: DocumentSet,
        results: Vec<(String, SetResult)>,
        given: Option<Vec<Warning>>,
    ) -> Result<Applied, Failure> {
        let (plan, all) = plan::make(&documents, control.state.clone(), now());
        let plan = plan.map_err(|faults| invalid(&faults))?;
        let before = self.view();
        let given = given.unwrap_or(all);
        let mut warnings: Vec<String> =
            given.iter().chain(&plan.view.outcome.warnings).map(Warning::to_string).collect();
        if plan.view.settings.socket != before.settings.socket
            || plan.view.settings.state_file != before.settings.state_file
        {
            warnings.push("api.socket and stateFile take effect at the next start".to_owned());
        }
        control
            .store
            .save(&plan.state, documents.applied())
            .map_err(|error| Failure::new("Internal", error.to_string()))?;
        let applied = match self.speaker.apply(plan.config).await {
            Ok(applied) => applied,
            Err(error) => {
                // What is kept must be what runs.
                if let Err(error) = control.store.save(&control.state, control.documents.applied()) {
                    warn!(%error, "the state could not be put back");
                }
                return Err(Failure::new("Invalid", error.to_string()));
            }
        };
        log::transitions(Some(&before), &plan.view);
        control.documents = documents;
        control.state = plan.state;
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan.view);
        let changes: Vec<String> = applied.changes.iter().map(ToString::to_string).collect();
        info!(changes = changes.len(), "applied");
        let documents = results.into_iter().map(|(document, result)| {
            let result = result.to_string();
            AppliedDocument { document, result }
        });
        Ok(Applied { documents: documents.collect(), changes, warnings })
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn invalid(faults: &[InputError]) -> Failure {
    let errors: Vec<Fault> = faults.iter().map(fault).collect();
    let message = match errors.len() {
        1 => "there is one fault; nothing was applied".to_owned(),
        count => format!("there are {count} faults; nothing was applied"),
    };
    Failure { reason: "Invalid".to_owned(), message, errors }
}

fn fault(error: &InputError) -> Fault {
    Fault {
        path: error.place.path.clone(),
        kind: error.error_type.to_string(),
        message: error.message.clone(),
        file: error.place.file.to_string(),
        document: error.place.document,
        line: (error.place.line > 0).then_some(error.place.line as usize),
    }
}
