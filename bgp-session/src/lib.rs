//! One BGP neighbour's protocol as a state machine without I/O: RFC 4271 section 8.
//!
//! A [`Session`] stands for one neighbour, with both connections of a collision. It is given bytes, commands and clock
//! readings; it gives back bytes, events and the time it wants to be called again. It never reads a clock, opens a socket,
//! starts a thread or draws entropy: the same [`Config`] and the same calls give the same results, so that a run on virtual
//! time replays from its seed.
//!
//! # Driving it
//!
//! Call [`Session::handle`], [`Session::receive`] or [`Session::handle_timeout`] when something happens. After each call:
//!
//! 1. take [`Session::poll_event`] until it gives `None`, and do what the events say;
//! 2. take [`Session::poll_transmit`] for each connection as long as its socket has room, and report what the socket took with
//!    [`Input::Written`]; a chunk once taken must be written to its end before the next;
//! 3. arm one timer for [`Session::poll_timeout`], which any call may have changed.
//!
//! Back-pressure: [`Session::backlog`] says how many octets given with [`Input::Send`] have not left. A caller that stops
//! producing above some mark bounds the memory of the session, and one that reads its socket only while it can take the
//! events carries the pressure to the neighbour. Events of one [`Session::receive`] are no more than the messages in its buffer.
//!
//! ```
//! use bgp_session::{Config, Connection, Event, Input, Instant, RemoteAs, Session, State};
//! use bytes::BytesMut;
//!
//! let now = Instant(0);
//! let mut ours = Session::new(Config::new(65001, [10, 0, 0, 1].into(), RemoteAs::Is(65002)));
//! let mut theirs = Session::new(Config { passive: true, ..Config::new(65002, [10, 0, 0, 2].into(), RemoteAs::External) });
//! ours.handle(now, Input::Start);
//! theirs.handle(now, Input::Start);
//! assert!(matches!(ours.poll_event(), Some(Event::Connect)));
//! ours.handle(now, Input::Connected(Connection::Outgoing));
//! theirs.handle(now, Input::Connected(Connection::Incoming));
//! // A network without a fault.
//! for _ in 0..2 {
//!     while let Some(chunk) = ours.poll_transmit(Connection::Outgoing) {
//!         ours.handle(now, Input::Written(Connection::Outgoing, chunk.len()));
//!         theirs.receive(now, Connection::Incoming, &mut BytesMut::from(chunk));
//!     }
//!     while let Some(chunk) = theirs.poll_transmit(Connection::Incoming) {
//!         theirs.handle(now, Input::Written(Connection::Incoming, chunk.len()));
//!         ours.receive(now, Connection::Outgoing, &mut BytesMut::from(chunk));
//!     }
//! }
//! assert_eq!(ours.state(), State::Established);
//! assert_eq!(ours.negotiated().map(|terms| terms.remote_as), Some(65002));
//! ```
//!
//! # What it takes from which RFC
//!
//! Besides RFC 4271: identifiers and their collision by RFC 6286; capabilities by RFC 5492, with the offers of RFC 4760, 6793,
//! 2918, 7313, 8654, 8950, 7911, 9234, 4724 and the FQDN draft; a disabled family by RFC 4760 section 7 and RFC 7606; errors in unexpected messages by RFC 6608; CEASE by RFC 4486
//! and 9003; the send hold timer by RFC 9687. Chosen where RFC 4271 leaves a choice: DampPeerOscillations,
//! DelayOpen, PassiveTcpEstablishment and SendNOTIFICATIONwithoutOPEN are supported; an attempt to connect that fails leads
//! to Active, where the neighbour may connect meanwhile, not to Idle; in Idle, and once one connection has the neighbour's
//! OPEN, every accepted connection is refused.

mod collision;
mod config;
mod connection;
mod event;
mod fsm;
mod open;
mod refresh;
mod timer;

use std::collections::VecDeque;

use bgp_wire::FamilySet;
use bytes::{Bytes, BytesMut};

pub use crate::config::{Capabilities, Config, ConfigError, RemoteAs, SendHold};
pub use crate::event::{Connection, DownReason, Event, Input, MessageCounts, State, Statistics};
pub use crate::open::Negotiated;
pub use crate::timer::Instant;

use crate::connection::{Link, Phase, Transmit};
use crate::open::Offer;
use crate::refresh::Asked;
use crate::timer::{Jitter, Timers};

/// The protocol with one neighbour. See the [crate documentation](crate) for how to drive it.
#[derive(Debug)]
pub struct Session {
    config: Config,
    running: bool,
    approach: Approach,
    links: [Option<Link>; 2],
    transmit: [Transmit; 2],
    timers: Timers,
    jitter: Jitter,
    /// What the next OPEN offers; less than everything after the neighbour refused capabilities.
    offer: Offer,
    /// Requests for routes that the neighbour is answering; of the established session.
    asked: Vec<Asked>,
    /// Families of the established session whose routes are ignored from here on.
    disabled: FamilySet,
    events: VecDeque<Event>,
    last_down: Option<DownReason>,
    statistics: Statistics,
}

/// What is being done to get a connection, beside those that stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Approach {
    /// Nothing; accepted connections are refused.
    Idle,
    /// An attempt is under way.
    Connect,
    /// Waiting: for the neighbour, for the next attempt, or with what stands.
    Active,
}

impl Session {
    /// A stopped session. A configuration that [`Config::check`] refuses is taken as it is: it panics nowhere, but the
    /// neighbour will refuse our OPEN.
    pub fn new(config: Config) -> Self {
        Self {
            jitter: Jitter::new(config.seed),
            config,
            running: false,
            approach: Approach::Idle,
            links: [None, None],
            transmit: Default::default(),
            timers: Timers::default(),
            offer: Offer::Everything,
            asked: Vec::new(),
            disabled: FamilySet::EMPTY,
            events: VecDeque::new(),
            last_down: None,
            statistics: Statistics::default(),
        }
    }

    /// Takes a command, or news of a connection. Each [`Input`] says when it has no effect.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Start => self.start(now),
            Input::Stop(notification) => self.stop(notification),
            Input::Reset(notification) => self.reset(now, notification),
            Input::Connected(connection) => self.connected(now, connection),
            Input::ConnectFailed => self.connect_failed(now),
            Input::Closed(connection) => self.closed(now, connection),
            Input::Send(messages) => self.send(now, messages),
            Input::Written(connection, octets) => self.written(now, connection, octets),
            Input::Unread(connection) => self.unread(now, connection),
            Input::RequestRefresh(family) => self.request_refresh(now, family),
        }
    }

    /// Takes whole messages from the front of `buffer` and leaves an incomplete one there. UPDATEs are split off, not copied.
    /// The buffer of a connection that does not stand, or that ends on what was read, is emptied.
    pub fn receive(&mut self, now: Instant, connection: Connection, buffer: &mut BytesMut) {
        while let Some(link) = self.link(connection) {
            match bgp_wire::frame::peek(buffer, link.phase.max_len()) {
                Ok(Some(len)) if len <= buffer.len() => {
                    let frame = buffer.split_to(len).freeze();
                    self.message(now, connection, frame);
                }
                Ok(_) => return,
                Err(malformed) => self.malformed(now, connection, malformed),
            }
        }
        buffer.clear();
    }

    /// When [`Session::handle_timeout`] is to be called, if at all. Any other call may change it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Fires the timers that are due at `now`. Give what already lies in the sockets to [`Session::receive`] first, lest a busy
    /// caller take its own lateness for the neighbour's silence.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expire(now) {
            self.expired(now, timer);
        }
    }

    /// The next octets to write to a connection: one or more whole messages, up to 65,536 octets. Messages of the session
    /// itself come before those of [`Input::Send`]. Report what is written with [`Input::Written`]. After [`Event::Close`] this
    /// still gives the NOTIFICATION. `None` until another call queues something.
    pub fn poll_transmit(&mut self, connection: Connection) -> Option<Bytes> {
        self.transmit[connection.slot()].poll(&mut self.statistics.sent)
    }

    /// The next event, in the order in which things happened. `None` until another call causes one.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The state an operator is shown.
    pub fn state(&self) -> State {
        let of_link = |connection: Connection| match (&self.link(connection)?.phase, connection) {
            (Phase::Delaying, Connection::Outgoing) => Some(State::Connect),
            (Phase::Delaying, Connection::Incoming) => Some(State::Active),
            (Phase::OpenSent, _) => Some(State::OpenSent),
            (Phase::OpenConfirm(_) | Phase::Contested(_), _) => Some(State::OpenConfirm),
            (Phase::Established(..), _) => Some(State::Established),
        };
        let approach = match self.approach {
            Approach::Idle => State::Idle,
            Approach::Connect => State::Connect,
            Approach::Active => State::Active,
        };
        Connection::BOTH.into_iter().filter_map(of_link).max().unwrap_or(approach)
    }

    /// The terms of the Established session.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.established().and_then(|connection| self.link(connection)?.phase.negotiated())
    }

    /// The connection that carries the Established session.
    pub fn established(&self) -> Option<Connection> {
        Connection::BOTH
            .into_iter()
            .find(|connection| self.link(*connection).is_some_and(|link| link.phase.is_established()))
    }

    /// Since when the session is Established.
    pub fn established_since(&self) -> Option<Instant> {
        match self.link(self.established()?)?.phase {
            Phase::Established(_, since) => Some(since),
            _ => None,
        }
    }

    /// Whether an accepted connection is welcome. If not, close it and do not tell the session: it is stopped, waits after a
    /// failure, has one already, or had the neighbour's OPEN on the other.
    pub fn accepts(&self) -> bool {
        self.approach != Approach::Idle && self.link(Connection::Incoming).is_none() && self.is_open_to_another()
    }

    /// Octets of the Established session that are queued or handed out and not yet written.
    pub fn backlog(&self) -> usize {
        self.established().map_or(0, |connection| self.transmit[connection.slot()].outstanding())
    }

    /// Whether [`Input::Start`] was given and [`Input::Stop`] was not since.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Why a connection to this neighbour last ended.
    pub fn last_down(&self) -> Option<&DownReason> {
        self.last_down.as_ref()
    }

    /// What the session has done so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// What the session was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn link(&self, connection: Connection) -> Option<&Link> {
        self.links[connection.slot()].as_ref()
    }
}
