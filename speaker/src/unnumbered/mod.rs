//! Finding the neighbours that are known by an interface alone.
//!
//! Owns one task and one raw ICMPv6 socket for all such interfaces. On each it says that we are a router (RFC 4861 router
//! advertisements) and learns the neighbour's link-local address from what the neighbour says; where nothing is heard, the other address
//! of an IPv4 /30 or /31 is taken. It tells the sessions where to connect, and the listeners whose connections are whose. It is given
//! the interfaces and decides nothing about sessions; one that is up is never touched.

mod message;
#[cfg(target_os = "linux")]
mod socket;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use self::message::{Message, SOLICITATION, advertisement};
use self::socket::{Icmp, Interface, Received, To, interfaces};
use crate::listener::{Expected, Origin, Registry};
use crate::session::{Command, Found};

/// Time between two advertisements.
const INTERVAL: Duration = Duration::from_secs(6);

/// How long others may take us for a router after an advertisement, in seconds: that of three.
const LIFETIME: u16 = 18;

/// How long an advertisement is waited for before an IPv4 address will do.
const PATIENCE: Duration = Duration::from_secs(7);

/// How often the interfaces are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A neighbour that is known by its interface.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) interface: String,
    /// The port to connect to.
    pub(crate) port: u16,
    /// The VRF device that the interface belongs to.
    pub(crate) device: Option<String>,
    /// The neighbour's session.
    pub(crate) commands: mpsc::Sender<Command>,
}

/// The running task. Dropping it stops the task in the background.
#[derive(Debug)]
pub(crate) struct Discovery {
    wanted: watch::Sender<Vec<Wanted>>,
    task: JoinHandle<()>,
}

impl Discovery {
    /// Starts the task, with nothing to find.
    pub(crate) fn start(registry: Arc<Registry>) -> Self {
        let (wanted, changes) = watch::channel(Vec::new());
        let finder = Finder { registry, links: BTreeMap::new(), icmp: None, missing: None };
        Self { wanted, task: tokio::spawn(finder.run(changes)) }
    }

    /// The neighbours to find from now on.
    pub(crate) fn want(&self, wanted: Vec<Wanted>) {
        self.wanted.send_replace(wanted);
    }

    /// Says on every link that we are no router any more, and ends; returns when that is done.
    pub(crate) async fn stop(self) {
        drop(self.wanted);
        // It can only have panicked, which the panic hook has told.
        let _ = self.task.await;
    }
}

struct Finder {
    registry: Arc<Registry>,
    /// By interface.
    links: BTreeMap<String, Link>,
    icmp: Option<Icmp>,
    /// Why there is no socket.
    missing: Option<Arc<str>>,
}

struct Link {
    wanted: Wanted,
    /// As last seen.
    interface: Option<Interface>,
    /// Since when it is up.
    since: Instant,
    /// When to advertise next.
    due: Instant,
    /// Who is heard on it, and until when that counts.
    heard: Option<(Ipv6Addr, Instant)>,
    /// What its session was told last.
    told: Option<Found>,
}

impl Finder {
    async fn run(mut self, mut changes: watch::Receiver<Vec<Wanted>>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let wanted = changes.borrow_and_update().clone();
                    self.want(wanted);
                }
                _ = look.tick() => {}
                received = receive(self.icmp.as_ref()) => match received {
                    Ok(received) => self.received(&received),
                    Err(error) => {
                        warn!(%error, "router advertisements cannot be heard; trying again");
                        self.icmp = None;
                        look.tick().await;
                    }
                },
            }
            self.look();
        }
        for link in self.links.values() {
            self.retire(link);
        }
    }

    fn want(&mut self, wanted: Vec<Wanted>) {
        let mut before = std::mem::take(&mut self.links);
        for wanted in wanted {
            let now = Instant::now();
            let mut link = before.remove(&wanted.interface).unwrap_or_else(|| Link {
                wanted: wanted.clone(),
                interface: None,
                since: now,
                due: now,
                heard: None,
                told: None,
            });
            if !link.wanted.commands.same_channel(&wanted.commands) || link.wanted.port != wanted.port {
                link.told = None;
            }
            link.wanted = wanted;
            self.links.insert(link.wanted.interface.clone(), link);
        }
        for link in before.values() {
            self.retire(link);
        }
    }

    /// We are no router there any more.
    fn retire(&self, link: &Link) {
        if let (Some(icmp), Some(interface)) = (&self.icmp, link.interface)
            && let Err(error) = icmp.send(&advertisement(0), To::Nodes, interface.index)
        {
            debug!(interface = link.wanted.interface, %error, "the end cannot be advertised");
        }
    }

    fn received(&mut self, received: &Received) {
        let found = self.links.values_mut().find(|link| link.interface.is_some_and(|i| i.index == received.interface));
        let (Some(link), Some(icmp)) = (found, &self.icmp) else { return };
        let from = received.from;
        match message::read(&received.octets) {
            Some(Message::Advertisement(Duration::ZERO)) => {
                link.heard.take_if(|(address, _)| *address == from);
            }
            Some(Message::Advertisement(lifetime)) if from.is_unicast_link_local() => {
                if link.heard.is_none_or(|(address, _)| address != from) {
                    info!(interface = link.wanted.interface, address = %from, "a router is heard");
                }
                link.heard = Some((from, Instant::now() + lifetime));
            }
            Some(Message::Solicitation) => {
                let to = if from.is_unicast_link_local() { To::One(from) } else { To::Nodes };
                if let Err(error) = icmp.send(&advertisement(LIFETIME), to, received.interface) {
                    debug!(interface = link.wanted.interface, %error, "a solicitation cannot be answered");
                }
            }
            Some(Message::Advertisement(_)) | None => {}
        }
    }

    /// Brings everything in line with the interfaces and what is heard on them.
    fn look(&mut self) {
        if self.links.is_empty() {
            self.icmp = None;
            return self.registry.on_links(HashMap::new(), []);
        }
        self.open();
        let there = interfaces().unwrap_or_else(|error| {
            warn!(%error, "interfaces cannot be listed");
            BTreeMap::new()
        });
        let now = Instant::now();
        let missing = self.missing.clone();
        let mut by_index = HashMap::new();
        let mut by_address = Vec::new();
        for (name, link) in &mut self.links {
            let interface = there.get(name).copied();
            let index = |interface: Option<Interface>| interface.filter(|i| i.running).map(|i| i.index);
            if index(interface) != index(link.interface) {
                (link.since, link.due, link.heard) = (now, now, None);
            }
            link.interface = interface;
            link.heard.take_if(|(_, until)| *until <= now);
            if let Some(icmp) = &self.icmp {
                link.advertise(icmp, now);
            }
            if let Some(interface) = interface {
                by_index.insert(interface.index, link.wanted.commands.clone());
                if let Some(other) = interface.other_end {
                    let origin = Origin { device: link.wanted.device.clone(), remote: other.into() };
                    by_address.push((origin, Expected { local: None, commands: link.wanted.commands.clone() }));
                }
            }
            let found = link.found(now, missing.as_deref());
            if link.told.as_ref() != Some(&found)
                // A session whose queue is full hears it next time.
                && link.wanted.commands.try_send(Command::Found(found.clone())).is_ok()
            {
                link.told = Some(found);
            }
        }
        self.registry.on_links(by_index, by_address);
    }

    fn open(&mut self) {
        if self.icmp.is_some() {
            return;
        }
        match Icmp::open() {
            Ok(icmp) => (self.icmp, self.missing) = (Some(icmp), None),
            Err(error) => {
                let why = match error.kind() {
                    std::io::ErrorKind::PermissionDenied => "needs CAP_NET_RAW to hear who is on the link".to_owned(),
                    _ => format!("cannot hear who is on the link: {error}"),
                };
                if self.missing.as_deref() != Some(why.as_str()) {
                    warn!(%error, "no neighbour can be found by its interface: {why}");
                    self.missing = Some(why.into());
                }
            }
        }
    }
}

impl Link {
    fn advertise(&mut self, icmp: &Icmp, now: Instant) {
        let Some(interface) = self.interface.filter(|interface| interface.running && interface.link_local) else {
            return;
        };
        if now < self.due {
            return;
        }
        let solicit = || match self.heard {
            None => icmp.send(&SOLICITATION, To::Routers, interface.index),
            Some(_) => Ok(()),
        };
        let said = icmp.join(interface.index);
        let said = said.and_then(|()| icmp.send(&advertisement(LIFETIME), To::Nodes, interface.index));
        match said.and_then(|()| solicit()) {
            Ok(()) => self.due = now + INTERVAL,
            // A link-local address that is still being checked cannot send, for one: the next look tries again.
            Err(error) => debug!(interface = self.wanted.interface, %error, "cannot advertise"),
        }
    }

    /// Where the neighbour is, or why that is not known. `missing` says why nothing can be heard.
    fn found(&self, now: Instant, missing: Option<&str>) -> Found {
        let name = &self.wanted.interface;
        let Some(interface) = self.interface else {
            return Found::Nowhere(format!("there is no interface {name}").into());
        };
        if !interface.running {
            return Found::Nowhere(format!("interface {name} is down").into());
        }
        if let Some((address, _)) = self.heard {
            return Found::At(SocketAddrV6::new(address, self.wanted.port, 0, interface.index).into());
        }
        match interface.other_end {
            Some(other) if missing.is_some() || now >= self.since + PATIENCE => {
                Found::At(SocketAddr::new(IpAddr::V4(other), self.wanted.port))
            }
            _ => Found::Nowhere(match missing {
                Some(why) => format!("{why} {name}").into(),
                None => format!("no router advertisement is heard on {name}").into(),
            }),
        }
    }
}

async fn receive(icmp: Option<&Icmp>) -> std::io::Result<Received> {
    match icmp {
        Some(icmp) => icmp.receive().await,
        None => std::future::pending().await,
    }
}

/// Where the kernel is another, nobody is found.
#[cfg(not(target_os = "linux"))]
mod socket {
    use std::collections::BTreeMap;
    use std::io;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[derive(Debug)]
    pub(super) enum Icmp {}

    #[derive(Debug)]
    pub(super) struct Received {
        pub(super) octets: Vec<u8>,
        pub(super) from: Ipv6Addr,
        pub(super) interface: u32,
    }

    #[derive(Debug, Clone, Copy)]
    pub(super) enum To {
        Nodes,
        Routers,
        One(Ipv6Addr),
    }

    impl Icmp {
        pub(super) fn open() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn join(&self, _: u32) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn send(&self, _: &[u8], _: To, _: u32) -> io::Result<()> {
            match *self {}
        }

        pub(super) async fn receive(&self) -> io::Result<Received> {
            match *self {}
        }
    }

    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub(super) struct Interface {
        pub(super) index: u32,
        pub(super) running: bool,
        pub(super) link_local: bool,
        pub(super) other_end: Option<Ipv4Addr>,
    }

    pub(super) fn interfaces() -> io::Result<BTreeMap<String, Interface>> {
        Ok(BTreeMap::new())
    }
}
