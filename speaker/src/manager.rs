//! What the handle stands on: brings sessions, listeners and the shard from one configuration to the next.
//!
//! Owns the running sessions and listeners. One change at a time; the shard and the sessions do the work.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use bgp_session::{Capabilities, RemoteAs};
use bgp_wire::{AfiSafi, GracefulRestart, Notification, notification::cease};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{Binding, Class, Config, NeighborConfig, NeighborKey, PeerAddress};
use crate::diff::{Applied, Change, difference};
use crate::error::Error;
use crate::listener::{Expected, Listener, Origin, Registry};
use crate::session::{self, Command, Endpoint, Handle, NeighborId, Observer, Setup};
use crate::shard::{self, ShardNeighbor};
use crate::unnumbered::{Discovery, Wanted};
use crate::watch::{Event, Ring};

/// Commands that wait for a session.
const COMMANDS: usize = 16;

/// What the handle's questions are answered from, so that none waits for a change under way.
#[derive(Debug, Default)]
pub(crate) struct Shown(RwLock<Option<Arc<Standing>>>);

/// What stands after the last change.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) config: Config,
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) sessions: HashMap<NeighborKey, Observer>,
}

impl Shown {
    /// What stands, unless the speaker has stopped.
    pub(crate) fn standing(&self) -> Result<Arc<Standing>, Error> {
        let standing = self.0.read().unwrap_or_else(PoisonError::into_inner);
        standing.clone().ok_or(Error::Stopped)
    }

    fn set(&self, standing: Option<Standing>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = standing.map(Arc::new);
    }
}

#[derive(Debug)]
pub(crate) struct Manager {
    config: Config,
    shown: Arc<Shown>,
    listeners: HashMap<ListenKey, Listener>,
    sessions: HashMap<NeighborKey, Session>,
    registry: Arc<Registry>,
    /// Runs from the first neighbour on that is known by its interface.
    discovery: Option<Discovery>,
    next_id: u32,
    clock: Clock,
    shard: shard::Handle,
    ring: Arc<Ring>,
}

type ListenKey = (SocketAddr, Option<String>);

#[derive(Debug)]
struct Session {
    id: NeighborId,
    handle: Handle,
}

impl Manager {
    /// A manager of nothing yet.
    pub(crate) fn new(config: Config, shown: Arc<Shown>, shard: shard::Handle, ring: Arc<Ring>) -> Self {
        // What identifies the speaker is not a change when it starts.
        let config =
            Config { listen: Vec::new(), vrfs: Vec::new(), neighbors: Vec::new(), edges: Vec::new(), ..config };
        Self {
            config,
            shown,
            listeners: HashMap::new(),
            sessions: HashMap::new(),
            registry: Arc::default(),
            discovery: None,
            next_id: 0,
            clock: Clock::new(),
            shard,
            ring,
        }
    }

    fn show(&self) {
        let mut listening: Vec<_> = self.listeners.values().map(|listener| listener.address).collect();
        listening.sort();
        let sessions = self.sessions.iter();
        self.shown.set(Some(Standing {
            config: self.config.clone(),
            listening,
            sessions: sessions.map(|(key, session)| (key.clone(), session.handle.observer.clone())).collect(),
        }));
    }

    pub(crate) async fn apply(&mut self, config: Config) -> Result<Applied, Error> {
        config.check().map_err(Error::Config)?;
        if config.fib != self.config.fib {
            return Err(Error::FibMode);
        }
        if config.shards != self.config.shards {
            return Err(Error::Shards);
        }
        let applied = difference(&self.config, &config);
        if applied.changes.is_empty() {
            // The order of lists may differ, and is what is shown.
            self.config = config;
            self.show();
            return Ok(applied);
        }
        let opened = self.open_listeners(&config)?;
        self.stop_sessions(&applied).await;
        let config = Arc::new(config);
        let mut channels = HashMap::new();
        let mut neighbors = Vec::with_capacity(config.neighbors.len());
        for neighbor in &config.neighbors {
            let key = neighbor.key();
            let (id, commands) = match self.sessions.get(&key) {
                Some(session) => (session.id, session.handle.observer.commands.clone()),
                None => {
                    let id = NeighborId(self.next_id);
                    self.next_id += 1;
                    let (sender, receiver) = mpsc::channel(COMMANDS);
                    channels.insert(key, (id, sender.clone(), receiver));
                    (id, sender)
                }
            };
            neighbors.push(ShardNeighbor { id, config: neighbor.clone(), commands });
        }
        self.shard.apply(Arc::clone(&config), neighbors).await?;
        for neighbor in &config.neighbors {
            if let Some((id, sender, receiver)) = channels.remove(&neighbor.key()) {
                self.start_session(&config, neighbor, id, sender, receiver);
            }
        }
        self.register(&config);
        self.close_listeners(&config).await;
        self.listeners.extend(opened);
        self.config = Arc::unwrap_or_clone(config);
        self.show();
        self.ring.push([Event::Applied(applied.changes.len())]);
        Ok(applied)
    }

    /// Ends everything: sessions with CEASE (administrative shutdown), listeners, the shard and the FIB.
    pub(crate) async fn stop(&mut self) {
        // What the ending sessions withdraw is not for the kernel: there the routes stay, or go all at once at the end.
        self.shard.freeze().await;
        self.registry.replace([]);
        if let Some(discovery) = self.discovery.take() {
            discovery.stop().await;
        }
        for (_, listener) in self.listeners.drain() {
            listener.stop().await;
        }
        let mut stopping = JoinSet::new();
        for (_, session) in self.sessions.drain() {
            let notification = Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN);
            stopping.spawn(session.handle.stop(notification));
        }
        stopping.join_all().await;
        self.shard.stop().await;
        self.shown.set(None);
        self.ring.close();
    }

    fn open_listeners(&self, config: &Config) -> Result<Vec<(ListenKey, Listener)>, Error> {
        let mut opened = Vec::new();
        for key in listen_keys(config) {
            if self.listeners.contains_key(&key) {
                continue;
            }
            let (address, device) = key.clone();
            let listener = Listener::bind(address, device, Arc::clone(&self.registry))
                .map_err(|error| Error::Listen { address, error })?;
            opened.push((key, listener));
        }
        Ok(opened)
    }

    async fn close_listeners(&mut self, config: &Config) {
        let wanted: Vec<_> = listen_keys(config).collect();
        let gone: Vec<_> = self.listeners.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        for key in gone {
            if let Some(listener) = self.listeners.remove(&key) {
                listener.stop().await;
            }
        }
    }

    async fn stop_sessions(&mut self, applied: &Applied) {
        let mut stopping = JoinSet::new();
        for change in &applied.changes {
            let (key, subcode) = match change {
                Change::NeighborRemoved(key) => (key, cease::PEER_DECONFIGURED),
                Change::NeighborReset(key) => (key, cease::OTHER_CONFIGURATION_CHANGE),
                _ => continue,
            };
            if let Some(session) = self.sessions.remove(key) {
                stopping.spawn(session.handle.stop(Notification::cease(subcode)));
            }
        }
        stopping.join_all().await;
    }

    fn start_session(
        &mut self,
        config: &Config,
        neighbor: &NeighborConfig,
        id: NeighborId,
        sender: mpsc::Sender<Command>,
        receiver: mpsc::Receiver<Command>,
    ) {
        let setup = Setup {
            id,
            key: neighbor.key(),
            config: session_config(config, neighbor, id),
            endpoint: endpoint(config, neighbor),
            clock: self.clock,
            shards: self.shard.sessions(),
        };
        let handle = session::start(setup, sender, receiver);
        self.sessions.insert(neighbor.key(), Session { id, handle });
    }

    fn register(&mut self, config: &Config) {
        let expected = config.neighbors.iter().filter_map(|neighbor| {
            let session = self.sessions.get(&neighbor.key())?;
            let remote = neighbor.address.ip()?.to_canonical();
            let origin = Origin { device: device(config, neighbor), remote };
            let expected = Expected {
                local: neighbor.local_address.map(|address| address.to_canonical()),
                commands: session.handle.observer.commands.clone(),
            };
            Some((origin, expected))
        });
        self.registry.replace(expected);
        let wanted: Vec<Wanted> = config
            .neighbors
            .iter()
            .filter_map(|neighbor| {
                let PeerAddress::Interface(interface) = &neighbor.address else { return None };
                Some(Wanted {
                    interface: interface.to_string(),
                    port: neighbor.port,
                    device: device(config, neighbor),
                    commands: self.sessions.get(&neighbor.key())?.handle.observer.commands.clone(),
                })
            })
            .collect();
        if !wanted.is_empty() || self.discovery.is_some() {
            let start = || Discovery::start(Arc::clone(&self.registry));
            self.discovery.get_or_insert_with(start).want(wanted);
        }
    }
}

/// One listener per address in the plain namespace, and one per address and VRF device.
fn listen_keys(config: &Config) -> impl Iterator<Item = ListenKey> {
    let devices = config.vrfs.iter().filter_map(|vrf| match &vrf.binding {
        Binding::Device(device) => Some(Some(device.clone())),
        Binding::None | Binding::Table(_) => None,
    });
    std::iter::once(None)
        .chain(devices)
        .flat_map(|device| config.listen.iter().map(move |address| (*address, device.clone())))
}

fn device(config: &Config, neighbor: &NeighborConfig) -> Option<String> {
    match config.vrf(&neighbor.vrf).map(|vrf| &vrf.binding) {
        Some(Binding::Device(device)) => Some(device.clone()),
        _ => None,
    }
}

fn endpoint(config: &Config, neighbor: &NeighborConfig) -> Endpoint {
    let internal = match neighbor.remote_as {
        RemoteAs::Is(asn) => asn == neighbor.local_as.unwrap_or(config.asn),
        RemoteAs::Internal => true,
        RemoteAs::External => false,
    };
    Endpoint {
        remote: neighbor.address.ip().map(|address| (address, neighbor.port).into()),
        local: neighbor.local_address,
        ttl: match neighbor.multihop {
            None if internal => None,
            hops => Some(hops.unwrap_or(1)),
        },
        device: device(config, neighbor),
    }
}

/// The protocol's side of a neighbour's configuration.
fn session_config(config: &Config, neighbor: &NeighborConfig, NeighborId(seed): NeighborId) -> bgp_session::Config {
    let extended_next_hop = if neighbor.extended_next_hop { vec![AfiSafi::IPV4_UNICAST] } else { Vec::new() };
    let hostname = (1..=255).contains(&config.name.len()).then(|| config.name.clone());
    bgp_session::Config {
        passive: neighbor.passive,
        hold_time: neighbor.hold_time,
        keepalive_time: neighbor.keepalive,
        connect_retry: neighbor.connect_retry,
        families: neighbor.families.clone(),
        capabilities: Capabilities {
            extended_next_hop,
            // Without families it says that we mark the end of the initial routes. Some neighbours answer marked refreshes, and mark
            // the end themselves, only where it is offered.
            graceful_restart: Some(GracefulRestart::default()),
            // Whom we do not trust does not learn our name.
            hostname: hostname.filter(|_| neighbor.class == Class::Fabric),
            ..Capabilities::default()
        },
        // Speakers and their sessions differ in it, so that they do not retry in step.
        seed: u64::from(u32::from(config.router_id)) << 32 | u64::from(seed),
        ..bgp_session::Config::new(neighbor.local_as.unwrap_or(config.asn), config.router_id, neighbor.remote_as)
    }
}
