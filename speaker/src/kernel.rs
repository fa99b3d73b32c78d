//! What the speaker needs to know of the box's interfaces, and where its routes go: the system's own, or none of it.
//!
//! In memory mode there are no interfaces but those that the configuration names, with numbers made up here. With Linux a thread
//! follows the kernel's and gives each new state whole; states that nobody looked at are passed over.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Config, FibMode, Via};
use crate::error::Error;

/// The interfaces of the box by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links(pub(crate) BTreeMap<String, Link>);

/// An interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number.
    pub(crate) index: u32,
    /// Whether it can carry packets.
    pub(crate) running: bool,
    /// The number of the device it belongs to.
    pub(crate) master: Option<u32>,
    /// The routing table, if it is a VRF device.
    pub(crate) vrf_table: Option<u32>,
    /// Its addresses that can be used, and the prefixes on the link.
    pub(crate) addresses: Vec<(IpAddr, IpNet)>,
}

impl Links {
    /// The interfaces that a configuration names, all up, numbered in order of their names.
    pub(crate) fn imagined(config: &Config) -> Self {
        let mut links = BTreeMap::new();
        for vrf in &config.vrfs {
            let connected = vrf.connected.iter().filter_map(|c| c.interface.as_ref());
            let statics = vrf.statics.iter().filter_map(|route| match &route.via {
                Via::Interface(interface) | Via::AddressOn(_, interface) => Some(interface),
                Via::Address(_) | Via::Unreachable => None,
            });
            for name in vrf.interfaces.iter().chain(connected).chain(statics) {
                links.insert(name.clone(), Link { running: true, ..Link::default() });
            }
        }
        for (index, link) in (1..).zip(links.values_mut()) {
            link.index = index;
        }
        Self(links)
    }

    pub(crate) fn index(&self, name: &str) -> Option<u32> {
        self.0.get(name).map(|link| link.index)
    }

    /// Names by number.
    pub(crate) fn names(&self) -> HashMap<u32, String> {
        self.0.iter().map(|(name, link)| (link.index, name.clone())).collect()
    }
}

/// Follows the system's interfaces on a thread of its own.
#[derive(Debug)]
pub(crate) struct Follower {
    /// The present state, and its changes.
    pub(crate) links: tokio::sync::watch::Receiver<Links>,
    #[cfg(target_os = "linux")]
    stopper: fib::linux::Stopper,
    thread: std::thread::JoinHandle<()>,
}

impl Follower {
    /// Ends the thread; returns when it has ended.
    pub(crate) fn stop(self) {
        #[cfg(target_os = "linux")]
        drop(self.stopper);
        // It can only have panicked, which the panic hook has told.
        let _ = self.thread.join();
    }
}

/// Begins to follow the system's interfaces; in memory mode there are none.
pub(crate) fn follow(mode: FibMode) -> Result<Option<Follower>, Error> {
    match mode {
        FibMode::Memory => Ok(None),
        FibMode::Linux => linux::follow().map(Some),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use fib::linux::{Monitor, Snapshot};
    use tracing::warn;

    use super::*;

    pub(super) fn follow() -> Result<Follower, Error> {
        let fault = |error: fib::SinkError| Error::Fib(error.to_string());
        let (mut monitor, stopper) = Monitor::open().map_err(fault)?;
        let (sender, links) = tokio::sync::watch::channel(read(monitor.snapshot()));
        let watch = move || loop {
            match monitor.wait() {
                Ok(None) => return,
                Ok(Some(_)) => {
                    let now = read(monitor.snapshot());
                    sender.send_if_modified(|links| {
                        let changed = *links != now;
                        *links = now;
                        changed
                    });
                }
                Err(error) => {
                    warn!(%error, "interfaces cannot be followed; trying again");
                    std::thread::sleep(std::time::Duration::from_secs(1));
                }
            }
        };
        let thread = std::thread::Builder::new().name("links".to_owned()).spawn(watch).map_err(Error::Thread)?;
        Ok(Follower { links, stopper, thread })
    }

    fn read(snapshot: &Snapshot) -> Links {
        let link = |link: &fib::linux::Link| Link {
            index: link.index,
            running: link.running,
            master: link.master,
            vrf_table: link.vrf_table,
            addresses: snapshot
                .addresses_of(link.index)
                .filter(|address| !address.tentative)
                .map(|address| (address.local, address.network))
                .collect(),
        };
        Links(snapshot.links().map(|found| (found.name.clone(), link(found))).collect())
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use super::*;

    pub(super) fn follow() -> Result<Follower, Error> {
        Err(Error::Fib("this system is not Linux".to_owned()))
    }
}
