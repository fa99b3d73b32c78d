//! The thread that installs routes: it owns the [`Reconciler`] and its sink, and nothing else waits for the kernel.
//!
//! It is given wishes by key, of which the last for a key counts, so that what waits is bounded by the number of
//! destinations however fast they change. It answers with what became of them. It decides nothing about routes.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fib::{MemorySink, Reconciler, Route, RouteKey, Sink, SinkError};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::config::FibMode;
use crate::error::Error;

/// How often everything is compared with what stands.
const COMPARE: Duration = Duration::from_secs(30);

/// How long to wait after the sink could not be read.
const RETRY: Duration = Duration::from_secs(1);

/// Most routes changed between two looks at the wishes.
const BUDGET: usize = 4096;

/// Most failing routes named in the log one by one; the status counts them all.
const LOGGED: usize = 20;

/// What became of the wishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Every wish up to this one is done or failed.
    pub(crate) through: u64,
    /// Routes that failed now, and ones that had failed and are right now (`None`).
    pub(crate) failures: Vec<(RouteKey, Option<String>)>,
    /// Why nothing can be installed at all, if so.
    pub(crate) error: Option<String>,
}

/// The shard's end of the thread.
#[derive(Debug)]
pub(crate) struct Installer {
    wishes: Arc<Wishes>,
    thread: JoinHandle<()>,
    sequence: u64,
}

#[derive(Debug, Default)]
struct Wishes {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    changes: HashMap<RouteKey, Option<Route>>,
    /// Tables that are ours no more, before the changes.
    dropped: Vec<u32>,
    /// Interfaces whose packets are looked up in a table.
    rules: Option<BTreeMap<String, u32>>,
    through: u64,
    converged: bool,
    stop: Option<Stop>,
}

/// What happens to the routes at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Remove,
    Keep,
}

impl Installer {
    /// Starts the thread for a mode.
    ///
    /// # Errors
    /// [`Error::Fib`] or [`Error::Thread`].
    pub(crate) fn open(mode: FibMode, reports: mpsc::Sender<Report>) -> Result<Self, Error> {
        match mode {
            FibMode::Memory => Self::start(MemorySink::new(), NoRules, reports),
            #[cfg(target_os = "linux")]
            FibMode::Linux => {
                let fault = |error: SinkError| Error::Fib(error.to_string());
                let sink = fib::Netlink::open().map_err(fault)?;
                let rules = fib::linux::Rules::open().map_err(fault)?;
                Self::start(sink, rules, reports)
            }
            #[cfg(not(target_os = "linux"))]
            FibMode::Linux => return Err(Error::Fib("this system is not Linux".to_owned())),
        }
        .map_err(Error::Thread)
    }

    fn start(
        sink: impl Sink + 'static,
        rules: impl Bind + Send + 'static,
        reports: mpsc::Sender<Report>,
    ) -> io::Result<Self> {
        let wishes = Arc::new(Wishes::default());
        let worker = Worker {
            reconciler: Reconciler::new(sink),
            rules,
            wanted_rules: None,
            wishes: Arc::clone(&wishes),
            reports,
            through: 0,
            converged: false,
            failed: HashMap::new(),
            last: None,
            error: None,
        };
        let thread = std::thread::Builder::new().name("fib".to_owned()).spawn(move || worker.run())?;
        Ok(Self { wishes, thread, sequence: 0 })
    }

    /// Gives wishes, in order; `None` is a route no longer wanted. Returns the number of the last.
    pub(crate) fn wish(&mut self, changes: impl IntoIterator<Item = (RouteKey, Option<Route>)>) -> u64 {
        let mut state = self.wishes.lock();
        for (key, route) in changes {
            state.changes.insert(key, route);
            self.sequence += 1;
        }
        state.through = self.sequence;
        drop(state);
        self.wishes.changed.notify_one();
        self.sequence
    }

    /// Wants no route in a table any more. Returns the number of this wish.
    pub(crate) fn withdraw_table(&mut self, table: u32) -> u64 {
        let mut state = self.wishes.lock();
        state.changes.retain(|key, _| key.table != table);
        state.dropped.push(table);
        self.sequence += 1;
        state.through = self.sequence;
        drop(state);
        self.wishes.changed.notify_one();
        self.sequence
    }

    /// Wants exactly these interfaces to be looked up in these tables.
    pub(crate) fn rules(&self, rules: BTreeMap<String, u32>) {
        self.wishes.lock().rules = Some(rules);
        self.wishes.changed.notify_one();
    }

    /// Says that all that is wanted has been wished for, so that what an earlier run left can go.
    pub(crate) fn converged(&self) {
        self.wishes.lock().converged = true;
        self.wishes.changed.notify_one();
    }

    /// Ends the thread; returns when it is done.
    pub(crate) fn stop(self, stop: Stop) {
        self.wishes.lock().stop = Some(stop);
        self.wishes.changed.notify_one();
        if self.thread.join().is_err() {
            warn!("the thread that installs routes died");
        }
    }
}

impl Wishes {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What leads packets into tables.
trait Bind {
    /// Makes these interfaces, and no others, lead into their tables.
    fn bind(&mut self, rules: &BTreeMap<String, u32>);

    /// Says what about the interfaces would keep leaks from working.
    fn look(&self, rules: &BTreeMap<String, u32>);
}

/// In memory no packets are moved.
struct NoRules;

impl Bind for NoRules {
    fn bind(&mut self, _: &BTreeMap<String, u32>) {}

    fn look(&self, _: &BTreeMap<String, u32>) {}
}

#[cfg(target_os = "linux")]
impl Bind for fib::linux::Rules {
    fn bind(&mut self, rules: &BTreeMap<String, u32>) {
        match self.apply(rules) {
            Ok(changes) => {
                for rule in changes.added {
                    info!(%rule, "rule added");
                }
                for rule in changes.removed {
                    info!(%rule, "rule removed");
                }
                for (rule, error) in changes.failed {
                    warn!(%rule, %error, "rule not set");
                }
            }
            Err(error) => warn!(%error, "rules cannot be read"),
        }
    }

    fn look(&self, rules: &BTreeMap<String, u32>) {
        for strict in fib::linux::strict_reverse_paths(rules.keys().map(String::as_str)) {
            warn!("{strict}");
        }
    }
}

struct Worker<S, R> {
    reconciler: Reconciler<S>,
    rules: R,
    wanted_rules: Option<BTreeMap<String, u32>>,
    wishes: Arc<Wishes>,
    reports: mpsc::Sender<Report>,
    /// The last wish taken.
    through: u64,
    converged: bool,
    failed: HashMap<RouteKey, String>,
    last: Option<Report>,
    error: Option<String>,
}

impl<S: Sink, R: Bind> Worker<S, R> {
    fn run(mut self) {
        let mut compare_at = Instant::now();
        loop {
            let stop = self.take(compare_at);
            if let Some(stop) = stop {
                self.finish(stop);
                return;
            }
            if Instant::now() >= compare_at {
                self.bind();
                compare_at = Instant::now() + if self.compare() { COMPARE } else { RETRY };
            }
            let mut failures = Vec::new();
            if self.error.is_none() {
                self.flush(&mut failures);
            }
            self.report(failures);
        }
    }

    /// Takes the wishes; waits for some unless there is work left.
    fn take(&mut self, until: Instant) -> Option<Stop> {
        let busy = self.reconciler.pending() > 0 && self.error.is_none();
        let mut state = self.wishes.lock();
        while !busy
            && state.changes.is_empty()
            && state.dropped.is_empty()
            && state.rules.is_none()
            && state.stop.is_none()
            && state.converged == self.converged
        {
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            let waited = self.wishes.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let changes = std::mem::take(&mut state.changes);
        let dropped = std::mem::take(&mut state.dropped);
        let rules = state.rules.take();
        self.through = state.through;
        let (converged, stop) = (state.converged, state.stop);
        drop(state);
        if let Some(rules) = rules
            && self.wanted_rules.as_ref() != Some(&rules)
        {
            self.rules.look(&rules);
            self.wanted_rules = Some(rules);
            self.bind();
        }
        for table in dropped {
            self.reconciler.withdraw_table(table);
        }
        for (key, route) in changes {
            match route {
                Some(route) => self.reconciler.want(route),
                None => self.reconciler.withdraw(&key),
            }
        }
        if converged && !self.converged {
            self.converged = true;
            self.reconciler.converged();
        }
        stop
    }

    /// Brings the rules in line; called again with each comparison, so that a lost one comes back.
    fn bind(&mut self) {
        if let Some(rules) = &self.wanted_rules {
            self.rules.bind(rules);
        }
    }

    fn compare(&mut self) -> bool {
        match self.reconciler.compare() {
            Ok(found) => {
                if found.drifted() {
                    warn!(
                        missing = found.missing,
                        differing = found.differing,
                        "installed routes were changed by someone else; repairing"
                    );
                }
                self.error = None;
                true
            }
            Err(error) => {
                self.failing(&error);
                false
            }
        }
    }

    fn failing(&mut self, error: &SinkError) {
        let text = error.to_string();
        if self.error.as_ref() != Some(&text) {
            warn!(%error, "installed routes cannot be read; trying again");
        }
        self.error = Some(text);
    }

    fn flush(&mut self, failures: &mut Vec<(RouteKey, Option<String>)>) {
        let acknowledgements = match self.reconciler.flush(BUDGET) {
            Ok(acknowledgements) => acknowledgements,
            Err(error) => return self.failing(&error),
        };
        for acknowledgement in acknowledgements {
            let key = acknowledgement.key;
            match acknowledgement.result {
                Ok(_) if self.failed.is_empty() => {}
                Ok(_) => {
                    if self.failed.remove(&key).is_some() {
                        info!(route = %key, "installed after all");
                        failures.push((key, None));
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    if self.failed.insert(key, error.clone()).as_ref() != Some(&error) {
                        if self.failed.len() <= LOGGED {
                            warn!(route = %key, %error, "not installed");
                        }
                        failures.push((key, Some(error)));
                    }
                }
            }
        }
    }

    /// Tells the shard when everything taken is done, and what failed at once.
    fn report(&mut self, failures: Vec<(RouteKey, Option<String>)>) {
        let done = self.reconciler.pending() == 0 && self.error.is_none();
        let through = match &self.last {
            Some(last) if !done => last.through,
            None if !done => 0,
            _ => self.through,
        };
        let report = Report { through, failures, error: self.error.clone() };
        if !report.failures.is_empty() || self.last.as_ref() != Some(&report) {
            // The shard is gone only when the speaker ends.
            let _ = self.reports.blocking_send(report.clone());
            self.last = Some(Report { failures: Vec::new(), ..report });
        }
    }

    fn finish(mut self, stop: Stop) {
        if stop == Stop::Remove {
            self.rules.bind(&BTreeMap::new());
            self.reconciler.want_exactly([]);
            self.reconciler.converged();
        }
        while self.reconciler.pending() > 0 {
            let before = self.reconciler.pending();
            if let Err(error) = self.reconciler.flush(BUDGET) {
                warn!(%error, "installed routes may be left behind");
                return;
            }
            if self.reconciler.pending() >= before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fib::Hop;

    fn route(prefix: &str) -> (RouteKey, Option<Route>) {
        let route = Route::unicast(100, prefix.parse().unwrap(), Hop::gateway([10, 0, 0, 1].into()));
        (route.key(), Some(route))
    }

    #[test]
    fn every_wish_is_acknowledged_by_number() {
        let (reports, mut received) = mpsc::channel(16);
        let mut installer = Installer::start(MemorySink::new(), NoRules, reports).unwrap();
        let last = installer.wish([route("10.1.0.0/16"), route("10.2.0.0/16")]);
        assert_eq!(last, 2);
        let acknowledged = std::iter::from_fn(|| received.blocking_recv()).find(|report| report.through == last);
        assert!(acknowledged.is_some_and(|report| report.error.is_none()));
        installer.stop(Stop::Remove);
    }

    #[test]
    fn a_route_that_cannot_be_installed_is_reported_and_so_is_its_repair() {
        let (reports, mut received) = mpsc::channel(16);
        let mut installer = Installer::start(MemorySink::new(), NoRules, reports).unwrap();
        let (key, _) = route("10.1.0.0/16");
        let bad = Route::unicast(100, key.prefix, Vec::new());
        let last = installer.wish([(key, Some(bad))]);
        let mut failures = Vec::new();
        while let Some(report) = received.blocking_recv() {
            failures.extend(report.failures);
            if report.through == last {
                break;
            }
        }
        assert!(matches!(failures.as_slice(), [(failed, Some(_))] if *failed == key));
        installer.wish([route("10.1.0.0/16")]);
        let repaired = std::iter::from_fn(|| received.blocking_recv()).find(|report| report.failures == [(key, None)]);
        assert!(repaired.is_some());
        installer.stop(Stop::Remove);
    }
}
