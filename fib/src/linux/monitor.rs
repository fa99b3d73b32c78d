//! Watches links, addresses and the routes of others.
//!
//! The monitor keeps a [`Snapshot`] current and tells how it changed. Where the kernel's
//! notifications are not enough (some were lost, or routes vanish silently with a link or an
//! address) it reads anew and tells the difference, so the events always add up to what stands.

use std::io::{ErrorKind, PipeReader, PipeWriter, pipe};

use netlink_packet_core::{NLM_F_REPLACE, NLMSG_OVERRUN, NetlinkBuffer};
use netlink_sys::Socket;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

use super::{
    connection::{Connection, ENOBUFS, Messages, io_error, open_socket, receive_now},
    message::Standing,
    sink::{protocol, read_route},
    snapshot::{Address, ForeignRoute, Link, Snapshot, read_address, read_link},
};
use crate::{PROTOCOL, SinkError};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

/// `RTNLGRP_`: LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE.
const GROUPS: [u32; 5] = [1, 5, 7, 9, 11];
/// What to ask for as receive buffer, in octets; the kernel gives at most `net.core.rmem_max`.
const RECEIVE_BUFFER: i32 = 4 << 20;
/// The most datagrams that are read before their events are told.
const MAX_DATAGRAMS: usize = 1024;

/// One change of a [`Snapshot`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A link is there now, or has changed.
    Link(Link),
    /// A link is gone.
    LinkGone(Link),
    /// An address is there now, or has changed.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// A route of another protocol is there now, or has changed.
    Route(ForeignRoute),
    /// A route of another protocol is gone.
    RouteGone(ForeignRoute),
}

/// Watches the network namespace that it was opened in. To be run in a thread of its own.
pub struct Monitor {
    notifications: Socket,
    connection: Connection,
    stopped: PipeReader,
    /// What stands, but for what is stale.
    snapshot: Snapshot,
    stale: Stale,
    /// Changes of the snapshot that nobody was told yet.
    untold: Vec<Event>,
    input: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stale {
    Nothing,
    Routes,
    Everything,
}

/// Stops a [`Monitor`], from any thread, when dropped.
#[derive(Debug)]
pub struct Stopper {
    _pipe: PipeWriter,
}

impl Monitor {
    /// Subscribes to notifications and takes the first snapshot, so that nothing falls between.
    ///
    /// # Errors
    /// If there is no netlink, or the snapshot could not be read.
    pub fn open() -> Result<(Self, Stopper), SinkError> {
        let (stopped, pipe) = pipe().map_err(|e| io_error("opening a pipe", &e))?;
        let notifications = open_socket()?;
        notifications
            .set_rx_buf_sz(RECEIVE_BUFFER)
            .and_then(|()| GROUPS.iter().try_for_each(|group| notifications.add_membership(*group)))
            .map_err(|e| io_error("subscribing to notifications", &e))?;
        let mut connection = Connection::open()?;
        let monitor = Self {
            notifications,
            snapshot: Snapshot::read(&mut connection)?,
            connection,
            stopped,
            stale: Stale::Nothing,
            untold: Vec::new(),
            input: Vec::with_capacity(64 * 1024),
        };
        Ok((monitor, Stopper { _pipe: pipe }))
    }

    /// What stands, as of the events told so far.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Waits until something changes, and tells what; never an empty list. `None` once the
    /// [`Stopper`] is dropped.
    ///
    /// # Errors
    /// If the kernel could not be read. It may be called again, and then tells what was missed.
    pub fn wait(&mut self) -> Result<Option<Vec<Event>>, SinkError> {
        loop {
            self.refresh()?;
            if !self.untold.is_empty() {
                return Ok(Some(std::mem::take(&mut self.untold)));
            }
            let mut waiting =
                [PollFd::new(&self.stopped, PollFlags::IN), PollFd::new(&self.notifications, PollFlags::IN)];
            match poll(&mut waiting, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(io_error("waiting for notifications", &error.into())),
            }
            if !waiting[0].revents().is_empty() {
                return Ok(None);
            }
            self.read()?;
        }
    }

    /// Reads everything anew and tells what had been missed, if anything.
    ///
    /// # Errors
    /// If the kernel could not be read.
    pub fn resync(&mut self) -> Result<Vec<Event>, SinkError> {
        self.stale = Stale::Everything;
        self.refresh()?;
        Ok(std::mem::take(&mut self.untold))
    }

    /// Takes in the notifications that are there.
    fn read(&mut self) -> Result<(), SinkError> {
        for _ in 0..MAX_DATAGRAMS {
            match receive_now(&self.notifications, &mut self.input) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.raw_os_error() == Some(ENOBUFS) || error.kind() == ErrorKind::InvalidData => {
                    self.stale = Stale::Everything;
                    continue;
                }
                Err(error) => return Err(io_error("reading notifications", &error)),
            }
            for message in Messages(&self.input) {
                let Ok(message) = message else {
                    self.stale = Stale::Everything;
                    break;
                };
                let stale = take_in(&mut self.snapshot, &message, &mut self.untold);
                self.stale = self.stale.max(stale);
            }
        }
        Ok(())
    }

    /// Reads anew what notifications did not tell.
    fn refresh(&mut self) -> Result<(), SinkError> {
        match self.stale {
            Stale::Nothing => return Ok(()),
            Stale::Routes => {
                let mut new = self.snapshot.clone();
                new.read_routes(&mut self.connection)?;
                self.replace(new);
            }
            Stale::Everything => {
                let new = Snapshot::read(&mut self.connection)?;
                self.replace(new);
            }
        }
        Ok(())
    }

    fn replace(&mut self, new: Snapshot) {
        self.untold.extend(self.snapshot.events_to(&new));
        self.snapshot = new;
        self.stale = Stale::Nothing;
    }
}

/// Applies a notification, and says what it leaves untold.
fn take_in(snapshot: &mut Snapshot, message: &NetlinkBuffer<&[u8]>, events: &mut Vec<Event>) -> Stale {
    let mut stale = Stale::Nothing;
    let event = match message.message_type() {
        RTM_NEWLINK => read_link(message).and_then(|link| {
            if !link.running {
                stale = Stale::Routes;
            }
            snapshot.set_link(link)
        }),
        RTM_DELLINK => read_link(message).and_then(|link| {
            stale = Stale::Routes;
            snapshot.remove_link(link.index)
        }),
        RTM_NEWADDR => read_address(message).and_then(|address| snapshot.set_address(address)),
        RTM_DELADDR => read_address(message).and_then(|address| {
            stale = Stale::Routes;
            snapshot.remove_address(&address)
        }),
        // Most are of our own making.
        RTM_NEWROUTE | RTM_DELROUTE if protocol(message.payload()) == Some(PROTOCOL) => None,
        RTM_NEWROUTE => {
            let replaces = message.flags() & NLM_F_REPLACE != 0;
            foreign(message).and_then(|route| snapshot.add_route(route, replaces))
        }
        RTM_DELROUTE => foreign(message).and_then(|route| snapshot.remove_route(route)),
        NLMSG_OVERRUN => {
            stale = Stale::Everything;
            None
        }
        _ => None,
    };
    events.extend(event);
    stale
}

/// A route of another protocol; one that cannot be read is passed over.
fn foreign(message: &NetlinkBuffer<&[u8]>) -> Option<Standing> {
    read_route(message).ok().flatten()
}
