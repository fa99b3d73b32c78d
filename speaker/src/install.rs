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
use leak_engine::shard_of;
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

/// What became of the wishes of one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Every wish up to this one is done or failed.
    pub(crate) through: u64,
    /// Routes that failed now, and ones that had failed and are right now (`None`).
    pub(crate) failures: Vec<(RouteKey, Option<String>)>,
    /// Why nothing can be installed at all, if so.
    pub(crate) error: Option<String>,
}

/// The thread, as its owner holds it.
#[derive(Debug)]
pub(crate) struct Installer {
    wishes: Arc<Wishes>,
    thread: JoinHandle<()>,
}

/// A shard's end of the thread: its wishes, for its own prefixes, and their numbers.
#[derive(Debug)]
pub(crate) struct Wisher {
    wishes: Arc<Wishes>,
    shard: usize,
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
    /// Tables of which a shard wants nothing any more, before the changes.
    dropped: Vec<(u32, usize)>,
    /// Interfaces whose packets are looked up in a table.
    rules: Option<BTreeMap<String, u32>>,
    /// The number of the last wish of each shard.
    through: Vec<u64>,
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
    /// Starts the thread for a mode, and says what becomes of the wishes to each shard.
    ///
    /// # Errors
    /// [`Error::Fib`] or [`Error::Thread`].
    pub(crate) fn open(mode: FibMode, reports: Vec<mpsc::Sender<Report>>) -> Result<Self, Error> {
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
        reports: Vec<mpsc::Sender<Report>>,
    ) -> io::Result<Self> {
        let shards = reports.len();
        let state = State { through: vec![0; shards], ..State::default() };
        let wishes = Arc::new(Wishes { state: Mutex::new(state), changed: Condvar::new() });
        let worker = Worker {
            reconciler: Reconciler::new(sink),
            rules,
            wanted_rules: None,
            wishes: Arc::clone(&wishes),
            reports,
            through: vec![0; shards],
            converged: false,
            failed: HashMap::new(),
            last: vec![None; shards],
            error: None,
        };
        let thread = std::thread::Builder::new().name("fib".to_owned()).spawn(move || worker.run())?;
        Ok(Self { wishes, thread })
    }

    /// The end of a shard.
    pub(crate) fn wisher(&self, shard: usize) -> Wisher {
        Wisher { wishes: Arc::clone(&self.wishes), shard, sequence: 0 }
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

impl Wisher {
    /// Gives wishes, in order; `None` is a route no longer wanted. Returns the number of the last.
    pub(crate) fn wish(&mut self, changes: impl IntoIterator<Item = (RouteKey, Option<Route>)>) -> u64 {
        let mut state = self.wishes.lock();
        for (key, route) in changes {
            state.changes.insert(key, route);
            self.sequence += 1;
        }
        state.through[self.shard] = self.sequence;
        drop(state);
        self.wishes.changed.notify_one();
        self.sequence
    }

    /// Wants none of the shard's routes in a table any more. Returns the number of this wish.
    pub(crate) fn withdraw_table(&mut self, table: u32) -> u64 {
        let mut state = self.wishes.lock();
        let shards = state.through.len();
        state.changes.retain(|key, _| !is_of(key, table, self.shard, shards));
        state.dropped.push((table, self.shard));
        self.sequence += 1;
        state.through[self.shard] = self.sequence;
        drop(state);
        self.wishes.changed.notify_one();
        self.sequence
    }
}

/// Whether a route is in this table and for a prefix of this shard.
fn is_of(key: &RouteKey, table: u32, shard: usize, shards: usize) -> bool {
    key.table == table && shard_of(key.prefix, shards) == shard
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
    reports: Vec<mpsc::Sender<Report>>,
    /// The last wish taken of each shard.
    through: Vec<u64>,
    converged: bool,
    failed: HashMap<RouteKey, String>,
    /// What was last said to each shard.
    last: Vec<Option<Report>>,
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
        self.through.clone_from(&state.through);
        let (converged, stop) = (state.converged, state.stop);
        drop(state);
        if let Some(rules) = rules
            && self.wanted_rules.as_ref() != Some(&rules)
        {
            self.rules.look(&rules);
            self.wanted_rules = Some(rules);
            self.bind();
        }
        for (table, shard) in dropped {
            let shards = self.reports.len();
            self.reconciler.withdraw_all(|key| is_of(key, table, shard, shards));
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

    /// Tells each shard when everything taken is done, and what failed of its own at once.
    fn report(&mut self, failures: Vec<(RouteKey, Option<String>)>) {
        let done = self.reconciler.pending() == 0 && self.error.is_none();
        let shards = self.reports.len();
        let mut failed = vec![Vec::new(); shards];
        for (key, failure) in failures {
            failed[shard_of(key.prefix, shards)].push((key, failure));
        }
        for (shard, failures) in failed.into_iter().enumerate() {
            let last = &mut self.last[shard];
            let through = match last {
                Some(last) if !done => last.through,
                None if !done => 0,
                _ => self.through[shard],
            };
            let report = Report { through, failures, error: self.error.clone() };
            if !report.failures.is_empty() || last.as_ref() != Some(&report) {
                // The shard is gone only when the speaker ends.
                let _ = self.reports[shard].blocking_send(report.clone());
                *last = Some(Report { failures: Vec::new(), ..report });
            }
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
        let installer = Installer::start(MemorySink::new(), NoRules, vec![reports]).unwrap();
        let mut wisher = installer.wisher(0);
        let last = wisher.wish([route("10.1.0.0/16"), route("10.2.0.0/16")]);
        assert_eq!(last, 2);
        let acknowledged = std::iter::from_fn(|| received.blocking_recv()).find(|report| report.through == last);
        assert!(acknowledged.is_some_and(|report| report.error.is_none()));
        installer.stop(Stop::Remove);
    }

    #[test]
    fn a_route_that_cannot_be_installed_is_reported_and_so_is_its_repair() {
        let (reports, mut received) = mpsc::channel(16);
        let installer = Installer::start(MemorySink::new(), NoRules, vec![reports]).unwrap();
        let mut wisher = installer.wisher(0);
        let (key, _) = route("10.1.0.0/16");
        let bad = Route::unicast(100, key.prefix, Vec::new());
        let last = wisher.wish([(key, Some(bad))]);
        let mut failures = Vec::new();
        while let Some(report) = received.blocking_recv() {
            failures.extend(report.failures);
            if report.through == last {
                break;
            }
        }
        assert!(matches!(failures.as_slice(), [(failed, Some(_))] if *failed == key));
        wisher.wish([route("10.1.0.0/16")]);
        let repaired = std::iter::from_fn(|| received.blocking_recv()).find(|report| report.failures == [(key, None)]);
        assert!(repaired.is_some());
        installer.stop(Stop::Remove);
    }

    #[test]
    fn a_shard_that_wants_nothing_in_a_table_any_more_leaves_the_routes_of_the_others() {
        let sink = MemorySink::new();
        let (senders, mut received): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel(16)).unzip();
        let installer = Installer::start(sink.clone(), NoRules, senders).unwrap();
        let all: Vec<_> = (0..32).map(|n| route(&format!("10.{n}.0.0/16"))).collect();
        let (mut a, mut b) = (installer.wisher(0), installer.wisher(1));
        let of = |shard| all.iter().filter(move |(key, _)| shard_of(key.prefix, 2) == shard).cloned();
        a.wish(of(0));
        let (last_a, last_b) = (a.withdraw_table(100), b.wish(of(1)));
        for (reports, last) in received.iter_mut().zip([last_a, last_b]) {
            while reports.blocking_recv().is_some_and(|report| report.through < last) {}
        }
        let kept: Vec<RouteKey> = sink.routes().iter().map(Route::key).collect();
        assert!(!kept.is_empty());
        assert_eq!(kept, of(1).map(|(key, _)| key).collect::<Vec<_>>());
        installer.stop(Stop::Remove);
    }
}
