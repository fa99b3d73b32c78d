//! A forwarding table in memory: the default where there is no privilege, and what tests look at.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{Change, Dump, Foreign, Route, RouteKey, Sink, SinkError};

/// A [`Sink`] in memory. Clones are handles to the same table.
#[derive(Clone, Default, Debug)]
pub struct MemorySink(Arc<Mutex<Tables>>);

#[derive(Default, Debug)]
struct Tables {
    ours: BTreeMap<RouteKey, Route>,
    foreign: BTreeMap<RouteKey, Foreign>,
}

impl MemorySink {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Our routes, ordered by key.
    pub fn routes(&self) -> Vec<Route> {
        self.lock().ours.values().cloned().collect()
    }

    /// Our route with this key.
    pub fn route(&self, key: &RouteKey) -> Option<Route> {
        self.lock().ours.get(key).cloned()
    }

    /// How many routes of ours stand.
    pub fn len(&self) -> usize {
        self.lock().ours.len()
    }

    /// Whether no route of ours stands.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a route of another protocol there, as another daemon would.
    pub fn add_foreign(&self, route: Foreign) {
        let key = RouteKey { table: route.table, prefix: route.prefix, metric: route.metric };
        self.lock().foreign.insert(key, route);
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // Every change is a single insertion or removal, so a panic elsewhere leaves them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn apply(&mut self, changes: &[Change<'_>]) -> Vec<Result<(), SinkError>> {
        let mut tables = self.lock();
        changes.iter().map(|change| tables.apply(change)).collect()
    }

    fn dump(&mut self) -> Result<Dump, SinkError> {
        let tables = self.lock();
        Ok(Dump { ours: tables.ours.values().cloned().collect(), foreign: tables.foreign.values().copied().collect() })
    }
}

impl Tables {
    fn apply(&mut self, change: &Change<'_>) -> Result<(), SinkError> {
        match *change {
            Change::Add(route) => {
                route.check()?;
                let key = route.key();
                if self.ours.contains_key(&key) || self.foreign.contains_key(&key) {
                    return Err(SinkError::Refused { errno: 17, text: "File exists".into() });
                }
                self.ours.insert(key, route.clone());
            }
            Change::Replace(route) => {
                route.check()?;
                self.ours.insert(route.key(), route.clone());
            }
            Change::Remove(key) => {
                self.ours.remove(&key);
            }
        }
        Ok(())
    }
}
