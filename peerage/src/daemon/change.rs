//! How a daemon changes: documents applied, deleted, reloaded, accepted; plans carried out; changes confirmed and taken back.
//!
//! Each goes one way: checked, evaluated, kept on disk with who made it, programmed. What awaits its confirmation is on disk before it
//! is programmed, so that it is taken back even after a crash.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use network_peering::{AcceptError, Name, State, Timestamp, Warning};
use tracing::{info, warn};

use super::plan;
use super::set::{DocumentSet, Identity, Result as SetResult};
use super::store::{Kept, Unconfirmed};
use super::{Control, Daemon, invalid, log, now};
use crate::api::schema::{Applied, AppliedDocument, Change, Failure, File, Plan, PlanBody};
use crate::documents::{self, Documents};

/// Plans that can still be carried out.
const PLANS: usize = 16;

/// A plan that was made, and what it was made of.
#[derive(Debug)]
pub(super) struct Foreseen {
    token: String,
    files: Vec<File>,
    body: PlanBody,
}

/// How documents are applied.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Only if what this plan says is still what would happen.
    pub(crate) plan: Option<String>,
    /// Taken back unless it is confirmed within this time.
    pub(crate) confirm_within: Option<Duration>,
}

/// A change on its way.
struct Step {
    documents: DocumentSet,
    state: State,
    results: Vec<(String, SetResult)>,
    /// The warnings of the documents that it is about; without, it is about all.
    warnings: Option<Vec<Warning>>,
    who: String,
    /// What is done, in a word.
    what: &'static str,
    confirm_within: Option<Duration>,
}

/// Rolls an unconfirmed change whose time is over back before anything starts.
pub(super) fn take_back_in_time(kept: &mut Kept, now: Timestamp) {
    let Some(unconfirmed) = kept.unconfirmed.clone().filter(|unconfirmed| unconfirmed.deadline <= now) else { return };
    let number = unconfirmed.number;
    if let Some(before) = number.checked_sub(1).and_then(|number| kept.applied_after(number)).map(<[_]>::to_vec) {
        warn!(change = number, "nobody confirmed the change in time; it is taken back");
        let applied = std::mem::replace(&mut kept.applied, before);
        kept.note(now, "nobody confirmed", vec![format!("change {number} taken back")], applied);
    }
    kept.unconfirmed = None;
}

impl Daemon {
    /// Puts other files in the place of those it stands on.
    ///
    /// # Errors
    /// [`Failure`] with every fault; nothing changed then.
    pub(crate) async fn reload(&self, files: Documents) -> Result<Applied, Failure> {
        let mut control = self.control.lock().await;
        let mut step = Step::new(&control, "the files", "reload")?;
        step.documents.replace_files(files);
        self.carry_out(&mut control, step).await
    }

    /// Adds documents to those in force, in the place of any of the same identity.
    ///
    /// # Errors
    /// [`Failure`] with every fault; nothing changed then. `Conflict` where the plan does not hold any more.
    pub(crate) async fn apply(&self, files: Vec<File>, options: Options, who: &str) -> Result<Applied, Failure> {
        let mut control = self.control.lock().await;
        let mut step = Step::new(&control, who, "apply")?;
        step.confirm_within = options.confirm_within;
        let Some(token) = &options.plan else {
            step.give(files)?;
            return self.carry_out(&mut control, step).await;
        };
        let known = control.plans.iter().find(|plan| plan.token == *token);
        let plan = known.ok_or_else(|| {
            Failure::new("NotFound", format!("there is no plan {token:?} any more; make a new one with `peerage plan`"))
        })?;
        if !files.is_empty() && files != plan.files {
            return Err(Failure::new("Conflict", "the plan was made of other documents; nothing was applied"));
        }
        step.give(plan.files.clone())?;
        let body = self.foresee(&step.documents, step.state.clone(), step.documents_done()).await?;
        if body != plan.body {
            let message = "the ground has moved since the plan was made: it would do something else now; nothing was applied, make a new plan";
            return Err(Failure::new("Conflict", message));
        }
        self.carry_out(&mut control, step).await
    }

    /// What applying these documents would do, with a token by which exactly that can be done.
    ///
    /// # Errors
    /// [`Failure`] with every fault.
    pub(crate) async fn plan(&self, files: Vec<File>) -> Result<Plan, Failure> {
        let mut control = self.control.lock().await;
        let mut step = Step::new(&control, "", "plan")?;
        step.give(files.clone())?;
        let body = self.foresee(&step.documents, step.state.clone(), step.documents_done()).await?;
        let token = format!("{:016x}", RandomState::new().build_hasher().finish());
        control.plans.push_back(Foreseen { token: token.clone(), files, body: body.clone() });
        if control.plans.len() > PLANS {
            control.plans.pop_front();
        }
        Ok(Plan { token, body })
    }

    /// Deletes the `Peering` of this name, `NAME` or `NAMESPACE/NAME`.
    ///
    /// # Errors
    /// `NotFound`, or `Forbidden` for one that a file defines.
    pub(crate) async fn delete_peering(&self, name: &str, who: &str) -> Result<Applied, Failure> {
        let mut control = self.control.lock().await;
        let mut step = Step::new(&control, who, "delete")?;
        step.warnings = Some(Vec::new());
        match step.documents.delete(|identity| identity.is_peering(name)) {
            Ok(Some(identity)) => {
                step.results = vec![(identity.to_string(), SetResult::Deleted)];
                self.carry_out(&mut control, step).await
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

    /// Makes the object that an entry of a network names now the one it is peered with (rule R11). `name` is
    /// `NAMESPACE/NETWORK/ENTRY`.
    ///
    /// # Errors
    /// `NotFound`, or `Forbidden` where the manifest itself gives the uid.
    pub(crate) async fn accept(&self, name: &str, who: &str) -> Result<Applied, Failure> {
        let not_found =
            || Failure::new("NotFound", format!("there is no entry {name:?}; give NAMESPACE/NETWORK/ENTRY"));
        let (network, entry) = name.rsplit_once('/').ok_or_else(not_found)?;
        let network = Name::parse(network).ok_or_else(not_found)?;
        let mut control = self.control.lock().await;
        let mut step = Step::new(&control, who, "accept")?;
        step.warnings = Some(Vec::new());
        step.state.accept(&network, entry).map_err(|error| match error {
            AcceptError::UnknownEntry => not_found(),
            AcceptError::GivenUid => Failure::new("Forbidden", format!("{name}: {error}")),
        })?;
        step.results = vec![(format!("Peering {name}"), SetResult::Configured)];
        self.carry_out(&mut control, step).await
    }

    /// Keeps the change that awaits it.
    ///
    /// # Errors
    /// `NotFound` where none does.
    pub(crate) async fn confirm(&self, who: &str) -> Result<Change, Failure> {
        let mut control = self.control.lock().await;
        let mut kept = control.kept.clone();
        let Some(unconfirmed) = kept.unconfirmed.take() else {
            return Err(Failure::new("NotFound", "no change awaits its confirmation"));
        };
        let made = kept.history.iter_mut().find(|entry| entry.number == unconfirmed.number);
        if let Some(made) = made {
            made.what.push(format!("confirmed by {who}"));
        }
        control.store.save(&kept).map_err(|error| Failure::new("Internal", error.to_string()))?;
        control.kept = kept;
        self.deadline.send_replace(None);
        info!(change = unconfirmed.number, who, "confirmed");
        let made = changes(&control.kept).into_iter().find(|change| change.number == unconfirmed.number);
        made.ok_or_else(|| Failure::new("Internal", "the change is not remembered"))
    }

    /// Goes back to what was applied once change `to` was made; without a number, to before the last change.
    ///
    /// # Errors
    /// `NotFound` where that is not remembered.
    pub(crate) async fn rollback(&self, to: Option<u64>, who: &str) -> Result<Applied, Failure> {
        let mut control = self.control.lock().await;
        self.go_back(&mut control, to, who).await
    }

    async fn go_back(&self, control: &mut Control, to: Option<u64>, who: &str) -> Result<Applied, Failure> {
        let last = control.kept.history.last().map(|last| last.number);
        let to = to.or(last.map(|last| last - 1));
        let found = to.and_then(|to| control.kept.applied_after(to));
        let Some((to, applied)) = to.zip(found.map(<[_]>::to_vec)) else {
            return Err(Failure::new(
                "NotFound",
                "that change is not remembered; `peerage history` lists those that are",
            ));
        };
        let mut documents = control.documents.clone();
        let results = documents.replace_applied(applied);
        let step = Step {
            documents,
            state: control.kept.state.clone(),
            results: results.into_iter().map(|(identity, result)| (identity.to_string(), result)).collect(),
            warnings: Some(Vec::new()),
            who: who.to_owned(),
            what: "rollback",
            confirm_within: None,
        };
        info!(to, who, "rolling back");
        self.carry_out(control, step).await
    }

    /// The changes that are remembered, the oldest first.
    pub(crate) async fn history(&self) -> Vec<Change> {
        changes(&self.control.lock().await.kept)
    }

    /// Takes changes back that nobody confirms in time, for as long as it is polled.
    pub(crate) async fn keep_time(&self) {
        let mut deadline = self.deadline.subscribe();
        loop {
            let at = *deadline.borrow_and_update();
            let Some(at) = at else {
                if deadline.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let seconds = u64::try_from(at.unix_seconds() - now().unix_seconds()).unwrap_or(0);
            tokio::select! {
                _ = deadline.changed() => {}
                () = tokio::time::sleep(Duration::from_secs(seconds)), if seconds > 0 => {}
                () = std::future::ready(()), if seconds == 0 => self.take_back().await,
            }
        }
    }

    async fn take_back(&self) {
        let mut control = self.control.lock().await;
        let Some(unconfirmed) = control.kept.unconfirmed.clone() else {
            self.deadline.send_replace(None);
            return;
        };
        warn!(change = unconfirmed.number, "nobody confirmed the change in time; it is taken back");
        let to = unconfirmed.number.checked_sub(1);
        if let Err(failure) = self.go_back(&mut control, to, "nobody confirmed").await {
            warn!(
                change = unconfirmed.number,
                message = failure.message,
                "the change could not be taken back; trying again"
            );
            drop(control);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Evaluates, keeps what must outlive the run, and programs the speaker.
    async fn carry_out(&self, control: &mut Control, step: Step) -> Result<Applied, Failure> {
        let (plan, all) = plan::make(&step.documents, step.state, now());
        let plan = plan.map_err(|faults| invalid(&faults))?;
        let before = self.view();
        let given = step.warnings.unwrap_or(all);
        let mut warnings: Vec<String> =
            given.iter().chain(&plan.view.outcome.warnings).map(Warning::to_string).collect();
        if plan.view.settings.socket != before.settings.socket
            || plan.view.settings.state_file != before.settings.state_file
        {
            warnings.push("api.socket and stateFile take effect at the next start".to_owned());
        }
        let mut kept = control.kept.clone();
        kept.state = plan.state;
        kept.applied = step.documents.applied().to_vec();
        // One that a rollback takes back need not be confirmed any more.
        kept.unconfirmed = None;
        let differs = kept.applied != control.kept.applied || step.what != "apply";
        if differs {
            let done = step.results.iter().map(|(document, result)| format!("{document} {result}"));
            let what = std::iter::once(step.what.to_owned()).chain(done).collect();
            let number = kept.note(now(), &step.who, what, control.kept.applied.clone());
            if let Some(within) = step.confirm_within {
                let seconds = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
                let deadline = Timestamp::from_unix_seconds(now().unix_seconds().saturating_add(seconds));
                kept.unconfirmed = Some(Unconfirmed { number, deadline });
            }
        }
        control.store.save(&kept).map_err(|error| Failure::new("Internal", error.to_string()))?;
        let applied = match self.speaker.apply(plan.config).await {
            Ok(applied) => applied,
            Err(error) => {
                // What is kept must be what runs.
                if let Err(error) = control.store.save(&control.kept) {
                    warn!(%error, "the state could not be put back");
                }
                return Err(Failure::new("Invalid", error.to_string()));
            }
        };
        log::transitions(Some(&before), &plan.view);
        control.documents = step.documents;
        let unconfirmed = kept.unconfirmed.as_ref().map(|unconfirmed| unconfirmed.deadline);
        control.kept = kept;
        self.deadline.send_replace(unconfirmed);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan.view);
        let changes: Vec<String> = applied.changes.iter().map(ToString::to_string).collect();
        info!(changes = changes.len(), who = step.who, "{}", step.what);
        Ok(Applied {
            documents: done(&step.results),
            changes,
            warnings,
            confirm_by: unconfirmed.map(|deadline| deadline.to_string()),
        })
    }
}

impl Step {
    /// A change of what stands, as yet none.
    fn new(control: &Control, who: &str, what: &'static str) -> Result<Self, Failure> {
        if let Some(unconfirmed) = control.kept.unconfirmed.as_ref().filter(|_| what != "plan") {
            let message = format!(
                "change {} awaits its confirmation until {}; `peerage confirm` keeps it, `peerage rollback` takes it back",
                unconfirmed.number, unconfirmed.deadline
            );
            return Err(Failure::new("Conflict", message));
        }
        Ok(Self {
            documents: control.documents.clone(),
            state: control.kept.state.clone(),
            results: Vec::new(),
            warnings: None,
            who: who.to_owned(),
            what,
            confirm_within: None,
        })
    }

    /// Adds documents. They are checked for themselves first, so that faults show the place in what was given.
    fn give(&mut self, files: Vec<File>) -> Result<(), Failure> {
        let (results, given) = self.documents.apply(files);
        let (checked, warnings) = documents::check(&given, &self.state);
        checked.map_err(|faults| invalid(&faults))?;
        self.results =
            results.into_iter().map(|(identity, result): (Identity, _)| (identity.to_string(), result)).collect();
        self.warnings = Some(warnings);
        Ok(())
    }

    fn documents_done(&self) -> Vec<AppliedDocument> {
        done(&self.results)
    }
}

fn done(results: &[(String, SetResult)]) -> Vec<AppliedDocument> {
    let done = results
        .iter()
        .map(|(document, result)| AppliedDocument { document: document.clone(), result: result.to_string() });
    done.collect()
}

fn changes(kept: &Kept) -> Vec<Change> {
    let awaits = kept.unconfirmed.as_ref();
    let change = |entry: &super::store::Entry| Change {
        number: entry.number,
        at: entry.at.to_string(),
        who: entry.who.clone(),
        what: entry.what.clone(),
        confirm_by: awaits.filter(|awaits| awaits.number == entry.number).map(|awaits| awaits.deadline.to_string()),
    };
    kept.history.iter().map(change).collect()
}
