//! The daemon: brings a speaker to what the documents in force say, and answers what is asked of it.
//!
//! Owns the documents, what the evaluation of the peering rules remembers, and a running [`speaker::Speaker`]. Documents
//! come in by [`Daemon::reload`] and [`Daemon::apply`]; each change goes one way: checked, evaluated, kept, programmed. A
//! fault at any of these leaves everything as it was. The sockets of the API belong to [`crate::api::server`].

mod change;
mod explain;
mod foresee;
mod log;
mod plan;
mod sessions;
mod set;
mod status;
mod store;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use network_peering::{InputError, State, Timestamp};
use speaker::Speaker;
use tokio::sync::{Mutex, watch};
use tracing::{error, warn};

use crate::api::schema::{Failure, Fault};
use crate::config::Settings;
use crate::documents::{self, Documents};

use change::Foreseen;
pub(crate) use change::Options as ApplyOptions;
use plan::{Plan, View};
use set::DocumentSet;
use store::{Kept, Store, StoreError};

/// A running daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    speaker: Speaker,
    control: Mutex<Control>,
    /// What the last evaluation said, for queries.
    view: RwLock<Arc<View>>,
    /// When a change that nobody confirmed is taken back.
    deadline: watch::Sender<Option<Timestamp>>,
}

/// What changes with each change of documents; one at a time.
#[derive(Debug)]
struct Control {
    documents: DocumentSet,
    kept: Kept,
    store: Store,
    /// Plans that may still be carried out, the oldest first.
    plans: VecDeque<Foreseen>,
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
        let (mut kept, set_aside) = store.load().map_err(StartError::Store)?;
        if let Some(message) = set_aside {
            error!("{message}");
        }
        change::take_back_in_time(&mut kept, now());
        let documents = DocumentSet::new(files, kept.applied.clone());
        for (identity, document) in documents.shadowed() {
            warn!(%identity, file = &*document.file, "the file's document is replaced by one applied later");
        }
        let (plan, warnings) = plan::make(&documents, kept.state.clone(), now());
        let plan = plan.map_err(StartError::Documents)?;
        log::warnings(&warnings);
        log::warnings(&plan.view.outcome.warnings);
        let Plan { config, view, state } = plan;
        kept.state = state;
        store.save(&kept).map_err(StartError::Store)?;
        // Nothing here watches.
        let speaker = Speaker::builder().config(config).events_kept(0);
        let speaker = speaker.start().await.map_err(StartError::Speaker)?;
        log::transitions(None, &view);
        let deadline = watch::Sender::new(kept.unconfirmed.as_ref().map(|unconfirmed| unconfirmed.deadline));
        Ok(Self {
            speaker,
            control: Mutex::new(Control { documents, kept, store, plans: VecDeque::new() }),
            view: RwLock::new(Arc::new(view)),
            deadline,
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
