//! What the shards of one speaker have in common: the installer and the interfaces, and the little that they have to agree on.
//!
//! Nobody waits here but for a moment: the locks are held while a few words change.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rib::VrfId;
use tokio::sync::{Notify, mpsc, watch};

use super::indirect::Indirect;
use crate::config::Config;
use crate::error::Error;
use crate::install::{Installer, Report, Stop};
use crate::kernel::{self, Follower, Links};
use crate::status::EdgeState;
use crate::watch::{Event, Ring};

/// Reports of the installer that wait for a shard.
const REPORTS: usize = 64;

#[derive(Debug)]
pub(super) struct Common {
    pub(super) shards: usize,
    pub(super) installer: Installer,
    follower: Option<Follower>,
    pub(super) ring: Arc<Ring>,
    converged: AtomicUsize,
    /// One for each shard, that it has something to look at here.
    woken: Vec<Notify>,
    indirect: Mutex<Indirect>,
    edges: Mutex<BTreeMap<(VrfId, VrfId), Progress>>,
}

/// How far each shard has got with an edge.
#[derive(Debug)]
struct Progress {
    /// Each with the number of the configuration that it last began anew with; `None` where the edge does not stand.
    parts: Vec<Option<(u64, EdgeState)>>,
    /// What was last told.
    told: EdgeState,
}

impl Common {
    /// Starts the installer and follows the interfaces. The receivers are for what the installer says to each shard.
    pub(super) fn start(config: &Config, ring: Arc<Ring>) -> Result<(Arc<Self>, Vec<mpsc::Receiver<Report>>), Error> {
        let shards = config.shards;
        let (senders, reports) = (0..shards).map(|_| mpsc::channel(REPORTS)).unzip();
        let follower = kernel::follow(config.fib)?;
        let common = Self {
            shards,
            installer: Installer::open(config.fib, senders)?,
            follower,
            ring,
            converged: AtomicUsize::new(0),
            woken: (0..shards).map(|_| Notify::new()).collect(),
            indirect: Mutex::new(Indirect::new(shards)),
            edges: Mutex::default(),
        };
        Ok((Arc::new(common), reports))
    }

    /// Ends the threads; returns when they have ended.
    pub(super) fn stop(self, stop: Stop) {
        self.installer.stop(stop);
        if let Some(follower) = self.follower {
            follower.stop();
        }
    }

    /// The interfaces and their changes; none in memory mode.
    pub(super) fn links(&self) -> Option<watch::Receiver<Links>> {
        self.follower.as_ref().map(|follower| follower.links.clone())
    }

    /// One more shard has heard all that the neighbours say at first. Says whether it is the last.
    pub(super) fn converged(&self) -> bool {
        let last = self.converged.fetch_add(1, Ordering::AcqRel) + 1 == self.shards;
        if last {
            self.installer.converged();
        }
        last
    }

    /// Wakes all other shards.
    pub(super) fn wake_others(&self, shard: usize) {
        let others = self.woken.iter().enumerate().filter(|(other, _)| *other != shard);
        others.for_each(|(_, woken)| woken.notify_one());
    }

    /// Returns when the shard was woken, also if that was before.
    pub(super) async fn woken(&self, shard: usize) {
        self.woken[shard].notified().await;
    }

    /// What is known of next hops that routes of any shard may lead to. Wakes the shards that have to look at something.
    pub(super) fn indirect<T>(&self, ask: impl FnOnce(&mut Indirect) -> T) -> T {
        let mut indirect = self.indirect.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = ask(&mut indirect);
        for shard in indirect.take_woken() {
            self.woken[shard].notify_one();
        }
        answer
    }

    /// An edge begins anew on a shard, with the configuration of this number.
    pub(super) fn edge_began(&self, (from, to): (VrfId, VrfId), shard: usize, config: u64) {
        let mut edges = self.edges();
        let new = || Progress { parts: vec![None; self.shards], told: EdgeState::Pending };
        let progress = edges.entry((from, to)).or_insert_with(new);
        progress.parts[shard] = Some((config, EdgeState::Pending));
        progress.told = EdgeState::Pending;
    }

    /// An edge does not stand on a shard any more.
    pub(super) fn edge_left(&self, ends: (VrfId, VrfId), shard: usize) {
        let mut edges = self.edges();
        let Some(progress) = edges.get_mut(&ends) else { return };
        progress.parts[shard] = None;
        if progress.parts.iter().all(Option::is_none) {
            edges.remove(&ends);
        }
    }

    /// An edge has come to another state on a shard. Tells the watchers if it has on the whole.
    pub(super) fn edge_is(&self, ends: (VrfId, VrfId), shard: usize, state: EdgeState, names: [Arc<str>; 2]) {
        let mut edges = self.edges();
        let Some(progress) = edges.get_mut(&ends) else { return };
        if let Some((_, part)) = &mut progress.parts[shard] {
            *part = state;
        }
        let state = progress.together();
        if state != progress.told {
            progress.told = state.clone();
            let [from, to] = names;
            tracing::info!(%from, %to, %state, "edge");
            self.ring.push([Event::Edge { from, to, state }]);
        }
    }

    fn edges(&self) -> std::sync::MutexGuard<'_, BTreeMap<(VrfId, VrfId), Progress>> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// The state of the whole. While some shards have yet to begin with what others have begun with, what they say is of the past.
    fn together(&self) -> EdgeState {
        let began = |part: &Option<(u64, EdgeState)>| part.as_ref().map(|(config, _)| *config);
        let same = self.parts.iter().all(|part| part.is_some() && began(part) == began(&self.parts[0]));
        if !same {
            return EdgeState::Pending;
        }
        EdgeState::together(self.parts.iter().flatten().map(|(_, state)| state.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Watched;

    const ENDS: (VrfId, VrfId) = (VrfId(1), VrfId(2));

    #[test]
    fn an_edge_is_programmed_once_it_is_on_every_shard_and_fails_where_one_fails() {
        let ring = Ring::new(16);
        let mut watch = ring.watch(None);
        let (common, _reports) = Common::start(&Config { shards: 2, ..Config::default() }, ring).unwrap();
        let mut told = |shard, state: EdgeState| {
            common.edge_is(ENDS, shard, state, ["a".into(), "b".into()]);
            let events = std::iter::from_fn(|| watch.try_next());
            let states = events.map(|event| match event {
                Watched::Event(_, Event::Edge { state, .. }) => state,
                other => panic!("{other:?}"),
            });
            states.collect::<Vec<_>>()
        };
        let failed = EdgeState::Failed("10.0.0.0/8: no".into());
        common.edge_began(ENDS, 0, 1);
        assert_eq!(told(0, EdgeState::Programmed), [], "the other shard has yet to begin");
        common.edge_began(ENDS, 1, 1);
        assert_eq!(told(0, EdgeState::Programmed), []);
        assert_eq!(told(1, EdgeState::Programmed), [EdgeState::Programmed]);
        assert_eq!(told(1, failed.clone()), std::slice::from_ref(&failed));
        assert_eq!(told(1, EdgeState::Programmed), [EdgeState::Programmed]);
        common.edge_began(ENDS, 0, 2);
        assert_eq!(told(0, EdgeState::Programmed), [], "what the other shard says is of the past");
        common.edge_began(ENDS, 1, 2);
        assert_eq!(told(1, EdgeState::Programmed), [EdgeState::Programmed]);
        common.edge_left(ENDS, 0);
        common.edge_left(ENDS, 1);
        assert!(common.edges().is_empty());
        Arc::into_inner(common).unwrap().stop(Stop::Remove);
    }
}
