//! Brings a sink to hold exactly the wanted routes, and keeps it there.
//!
//! It owns what is wanted and what it believes to stand; it is given wishes one by one or as a
//! whole, and sends the least that turns the one into the other. What it believes is only ever
//! learned from the sink: from the answer to each change, and from full comparisons, which also
//! find what others did to our routes. It never acts on events, so a lost one costs nothing
//! beyond the time until the next comparison.
//!
//! At most one change per route waits to be sent, however often the wish for it changes.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
};

use foldhash::fast::RandomState;

use crate::{Change, Foreign, Kind, Route, RouteKey, Sink, SinkError};

/// The most changes given to the sink at once.
const BATCH: usize = 4096;

/// Keeps a [`Sink`] equal to a set of wanted routes.
///
/// The first [`flush`](Self::flush) or [`compare`](Self::compare) reads what stands. Routes of ours
/// that stand already, from before a restart, are adopted when they are wanted as they are; the
/// others are left over until [`converged`](Self::converged), then removed.
#[derive(Debug)]
pub struct Reconciler<S> {
    sink: S,
    entries: HashMap<RouteKey, Entry, RandomState>,
    /// Keys whose entry says `queued`, each once.
    queue: VecDeque<RouteKey>,
    shadows: Vec<Shadow>,
    /// What is believed to stand was read, and no answer was lost since.
    compared: bool,
    converged: bool,
}

#[derive(Debug)]
struct Entry {
    wanted: Option<Route>,
    standing: Standing,
    queued: bool,
    failure: Option<Box<SinkError>>,
}

#[derive(Debug)]
enum Standing {
    Absent,
    AsWanted,
    /// Something else, or something and nothing is wanted.
    Other(Box<Route>),
}

/// What became of the wish for one route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    /// Which.
    pub key: RouteKey,
    /// Whether the table now holds what is wanted, or why not. After a failure nothing of ours is
    /// forwarded by this key, unless its removal failed too; it is tried again at the next comparison.
    pub result: Result<Outcome, SinkError>,
}

/// How a wish was fulfilled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The route stands as wanted.
    Programmed,
    /// The route stands no more.
    Removed,
}

/// What is known of one route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RouteState {
    /// A change waits to be sent.
    Pending,
    /// The route stands as wanted.
    Programmed,
    /// The last try failed.
    Failed(SinkError),
    /// It stands from before a restart and nothing has asked for it yet.
    Leftover,
}

impl fmt::Display for RouteState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("pending"),
            Self::Programmed => f.write_str("programmed"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Leftover => f.write_str("left over from before the restart"),
        }
    }
}

/// What a full comparison found.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Comparison {
    /// Routes of ours that stand.
    pub standing: usize,
    /// Routes that stood as wanted and are gone.
    pub missing: usize,
    /// Routes that stood as wanted and are otherwise now.
    pub differing: usize,
    /// Routes of ours that stand and are not wanted.
    pub unwanted: usize,
}

impl Comparison {
    /// Whether somebody else changed our routes.
    pub fn drifted(&self) -> bool {
        self.missing + self.differing > 0
    }
}

/// A route of another protocol at a wanted route's prefix, in the same table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shadow {
    /// Our route.
    pub ours: RouteKey,
    /// The other.
    pub foreign: Foreign,
}

impl Shadow {
    /// Whether packets take the other route, so that ours stands without effect.
    pub fn foreign_wins(&self) -> bool {
        self.foreign.metric <= self.ours.metric
    }
}

impl fmt::Display for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Foreign { protocol, metric, .. } = self.foreign;
        let verb = if self.foreign_wins() { "is shadowed by" } else { "shadows" };
        write!(f, "{} {verb} the route of protocol {protocol} with metric {metric}", self.ours)
    }
}

impl<S: Sink> Reconciler<S> {
    /// Nothing is wanted, and nothing known of the sink.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            entries: HashMap::default(),
            queue: VecDeque::new(),
            shadows: Vec::new(),
            compared: false,
            converged: false,
        }
    }

    /// Wants a route, in place of an earlier wish with the same key. [`flush`](Self::flush) sends it.
    pub fn want(&mut self, route: Route) {
        let key = route.key();
        let entry = self.entries.entry(key).or_insert_with(Entry::unknown);
        if entry.wanted.as_ref() == Some(&route) {
            return;
        }
        entry.set_wanted(Some(route));
        enqueue(&mut self.queue, key, entry);
    }

    /// Wants a route no more. One that was never wanted is none of its business: see
    /// [`converged`](Self::converged).
    pub fn withdraw(&mut self, key: &RouteKey) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.wanted.is_some()
        {
            entry.set_wanted(None);
            enqueue(&mut self.queue, *key, entry);
        }
    }

    /// Wants none of these routes any more, as when a VRF loses its table.
    pub fn withdraw_all(&mut self, which: impl Fn(&RouteKey) -> bool) {
        self.retain_wanted(|key| !which(key));
    }

    /// Wants exactly these routes.
    pub fn want_exactly(&mut self, routes: impl IntoIterator<Item = Route>) {
        let mut keys = HashSet::<RouteKey, RandomState>::default();
        for route in routes {
            keys.insert(route.key());
            self.want(route);
        }
        self.retain_wanted(|key| keys.contains(key));
    }

    /// Says that what is wanted is complete, so that routes left over from before a restart are
    /// removed from now on. Calling it again does nothing.
    pub fn converged(&mut self) {
        self.converged = true;
        for (key, entry) in &mut self.entries {
            if entry.wanted.is_none() {
                enqueue(&mut self.queue, *key, entry);
            }
        }
    }

    /// How many routes wait to be sent.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Sends waiting changes, those of at most `budget` routes, and says what became of each.
    ///
    /// Call it again while [`pending`](Self::pending) is not 0. A route that stands as wanted
    /// already costs nothing and is acknowledged all the same.
    ///
    /// # Errors
    /// If the sink could not be read, which is done before the first change and after an answer was
    /// lost. Nothing was sent or forgotten.
    pub fn flush(&mut self, budget: usize) -> Result<Vec<Acknowledgement>, SinkError> {
        if !self.compared {
            self.compare()?;
        }
        let count = budget.min(self.queue.len());
        let mut acknowledgements = Vec::with_capacity(count);
        let mut batch = Vec::with_capacity(count.min(BATCH));
        for _ in 0..count {
            let Some(key) = self.queue.pop_front() else {
                break;
            };
            match self.next_step(key) {
                Step::Send(step) => batch.push(step),
                Step::Done(outcome) => acknowledgements.push(Acknowledgement { key, result: Ok(outcome) }),
                Step::Nothing => {}
            }
            if batch.len() == BATCH {
                self.send(&mut batch, &mut acknowledgements);
            }
        }
        self.send(&mut batch, &mut acknowledgements);
        Ok(acknowledgements)
    }

    /// Reads everything that stands and compares it with what is wanted. The differences, and
    /// routes that failed before, are queued for [`flush`](Self::flush).
    ///
    /// # Errors
    /// If the sink could not be read. Nothing changed.
    pub fn compare(&mut self) -> Result<Comparison, SinkError> {
        let dump = self.sink.dump()?;
        let mut found = Comparison { standing: dump.ours.len(), ..Comparison::default() };
        let mut standing: HashMap<RouteKey, Route, RandomState> = dump.ours.into_iter().map(|r| (r.key(), r)).collect();
        for (key, entry) in &mut self.entries {
            let before = matches!(entry.standing, Standing::AsWanted);
            entry.set_standing(standing.remove(key));
            match &entry.standing {
                Standing::AsWanted => {
                    // It failed before, or its answer was lost, and stands now.
                    if entry.failure.is_some() {
                        enqueue(&mut self.queue, *key, entry);
                    }
                    continue;
                }
                Standing::Absent => found.missing += usize::from(before),
                Standing::Other(_) if entry.wanted.is_some() => {
                    found.differing += usize::from(before);
                }
                Standing::Other(_) => {
                    found.unwanted += 1;
                    if !self.converged && entry.failure.is_none() {
                        continue;
                    }
                }
            }
            enqueue(&mut self.queue, *key, entry);
        }
        for (key, route) in standing {
            found.unwanted += 1;
            let entry = self.entries.entry(key).or_insert_with(Entry::unknown);
            entry.set_standing(Some(route));
            if self.converged {
                enqueue(&mut self.queue, key, entry);
            }
        }
        self.shadows = self.find_shadows(dump.foreign);
        self.compared = true;
        Ok(found)
    }

    /// What is known of a route; `None` if it is not wanted and does not stand.
    pub fn state(&self, key: &RouteKey) -> Option<RouteState> {
        self.entries.get(key).map(Entry::state)
    }

    /// The routes whose last try failed, in no particular order.
    pub fn failures(&self) -> impl Iterator<Item = (&RouteKey, &SinkError)> {
        self.entries.iter().filter_map(|(key, entry)| Some((key, entry.failure.as_deref()?)))
    }

    /// Routes of others at the prefixes of ours, as the last comparison found them.
    pub fn shadows(&self) -> &[Shadow] {
        &self.shadows
    }

    /// The sink, to look at.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    fn retain_wanted(&mut self, keep: impl Fn(&RouteKey) -> bool) {
        for (key, entry) in &mut self.entries {
            if entry.wanted.is_some() && !keep(key) {
                entry.set_wanted(None);
                enqueue(&mut self.queue, *key, entry);
            }
        }
    }

    fn next_step(&mut self, key: RouteKey) -> Step {
        let Some(entry) = self.entries.get_mut(&key) else {
            return Step::Nothing;
        };
        entry.queued = false;
        match (&entry.wanted, &entry.standing) {
            (Some(_), Standing::AsWanted) => {
                entry.failure = None;
                Step::Done(Outcome::Programmed)
            }
            (Some(route), Standing::Absent) => Step::Send(Sending::Add(route.clone())),
            (Some(route), Standing::Other(_)) => Step::Send(Sending::Replace(route.clone())),
            // Also where none is known to stand: an answer may have been lost, and the kernel's dumps may pass over a
            // route. Only an answered removal says that it is gone.
            (None, _) => Step::Send(Sending::Remove(key)),
        }
    }

    fn send(&mut self, batch: &mut Vec<Sending>, acknowledgements: &mut Vec<Acknowledgement>) {
        if batch.is_empty() {
            return;
        }
        let changes: Vec<Change<'_>> = batch.iter().map(Sending::change).collect();
        let mut results = self.sink.apply(&changes);
        debug_assert_eq!(results.len(), changes.len());
        put_again(&mut self.sink, &changes, &mut results);
        let mut clear = Vec::new();
        for (sent, result) in batch.drain(..).zip(results) {
            let key = sent.key();
            match &result {
                Err(error) if !error.refused() => self.compared = false,
                Err(_) if matches!(sent, Sending::Replace(_)) => clear.push(key),
                _ => {}
            }
            let result = self.settle(&key, result);
            acknowledgements.push(Acknowledgement { key, result });
        }
        self.clear(&clear);
    }

    /// Notes a change's answer.
    fn settle(&mut self, key: &RouteKey, result: Result<(), SinkError>) -> Result<Outcome, SinkError> {
        let Some(entry) = self.entries.get_mut(key) else {
            return result.map(|()| Outcome::Removed);
        };
        match result {
            Ok(()) if entry.wanted.is_some() => {
                entry.standing = Standing::AsWanted;
                entry.failure = None;
                Ok(Outcome::Programmed)
            }
            Ok(()) => {
                self.entries.remove(key);
                Ok(Outcome::Removed)
            }
            Err(error) => {
                entry.failure = Some(Box::new(error.clone()));
                Err(error)
            }
        }
    }

    /// Removes routes whose replacement was refused: what stands there is not wanted any more, and
    /// forwarding by it would be worse than not forwarding.
    fn clear(&mut self, keys: &[RouteKey]) {
        if keys.is_empty() {
            return;
        }
        let changes: Vec<Change<'_>> = keys.iter().map(|key| Change::Remove(*key)).collect();
        for (key, result) in keys.iter().zip(self.sink.apply(&changes)) {
            match (result, self.entries.get_mut(key)) {
                (Ok(()), Some(entry)) => entry.standing = Standing::Absent,
                (Err(error), _) if !error.refused() => self.compared = false,
                _ => {}
            }
        }
    }

    fn find_shadows(&self, mut foreign: Vec<Foreign>) -> Vec<Shadow> {
        foreign.sort_unstable();
        let mut shadows = Vec::new();
        for (key, entry) in &self.entries {
            let Some(Route { kind: Kind::Unicast { .. }, .. }) = entry.wanted else {
                continue;
            };
            let at = (key.table, key.prefix);
            let start = foreign.partition_point(|f| (f.table, f.prefix) < at);
            shadows.extend(
                foreign[start..]
                    .iter()
                    .take_while(|f| (f.table, f.prefix) == at)
                    .map(|&foreign| Shadow { ours: *key, foreign }),
            );
        }
        shadows.sort_unstable_by_key(|shadow| (shadow.ours, shadow.foreign));
        shadows
    }
}

/// Adds routes once more that were refused since one stands already, after removing what is ours there.
///
/// While others change the IPv6 tables, Linux passes over routes in a dump and does not say so. Such a route seems
/// to be missing and is added again; that it stands is no failure then. If the route is not ours, it stays and
/// the second try fails as the first did.
fn put_again(sink: &mut impl Sink, changes: &[Change<'_>], results: &mut [Result<(), SinkError>]) {
    let refused: Vec<(usize, &Route)> = changes
        .iter()
        .enumerate()
        .filter_map(|(index, change)| match (change, &results[index]) {
            (Change::Add(route), Err(error)) if error.stands_already() => Some((index, *route)),
            _ => None,
        })
        .collect();
    if refused.is_empty() {
        return;
    }
    let again: Vec<Change<'_>> =
        refused.iter().flat_map(|(_, route)| [Change::Remove(route.key()), Change::Add(route)]).collect();
    let mut answers = sink.apply(&again).into_iter();
    for (index, _) in refused {
        if let (Some(removed), Some(added)) = (answers.next(), answers.next()) {
            results[index] = removed.and(added);
        }
    }
}

fn enqueue(queue: &mut VecDeque<RouteKey>, key: RouteKey, entry: &mut Entry) {
    if !entry.queued {
        entry.queued = true;
        queue.push_back(key);
    }
}

enum Step {
    Send(Sending),
    Done(Outcome),
    Nothing,
}

enum Sending {
    Add(Route),
    Replace(Route),
    Remove(RouteKey),
}

impl Sending {
    fn key(&self) -> RouteKey {
        match self {
            Self::Add(route) | Self::Replace(route) => route.key(),
            Self::Remove(key) => *key,
        }
    }

    fn change(&self) -> Change<'_> {
        match self {
            Self::Add(route) => Change::Add(route),
            Self::Replace(route) => Change::Replace(route),
            Self::Remove(key) => Change::Remove(*key),
        }
    }
}

impl Entry {
    fn unknown() -> Self {
        Self { wanted: None, standing: Standing::Absent, queued: false, failure: None }
    }

    fn set_wanted(&mut self, wanted: Option<Route>) {
        let standing = match std::mem::replace(&mut self.standing, Standing::Absent) {
            Standing::Absent => None,
            Standing::AsWanted => self.wanted.take(),
            Standing::Other(route) => Some(*route),
        };
        self.wanted = wanted;
        self.failure = None;
        self.set_standing(standing);
    }

    fn set_standing(&mut self, standing: Option<Route>) {
        self.standing = match (standing, &self.wanted) {
            (None, _) => Standing::Absent,
            (Some(route), Some(wanted)) if wanted.matches(&route) => Standing::AsWanted,
            (Some(route), _) => Standing::Other(Box::new(route)),
        };
    }

    fn state(&self) -> RouteState {
        match (&self.failure, &self.wanted) {
            (Some(error), _) => RouteState::Failed((**error).clone()),
            _ if self.queued => RouteState::Pending,
            (None, Some(_)) => RouteState::Programmed,
            (None, None) => RouteState::Leftover,
        }
    }
}
