//! What goes into a session and what comes out of it, beside bytes.

use core::fmt;

use bgp_wire::{AfiSafi, Malformed, Notification, RouteRefresh, UpdateIndex};
use bytes::Bytes;

use crate::Negotiated;

/// One of the two transport connections that two neighbours may have at a time (RFC 4271 section 6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Connection {
    /// The one we opened.
    Outgoing,
    /// The one we accepted.
    Incoming,
}

impl Connection {
    /// Both, in the order in which they are looked at.
    pub const BOTH: [Self; 2] = [Self::Outgoing, Self::Incoming];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Outgoing => Self::Incoming,
            Self::Incoming => Self::Outgoing,
        }
    }

    pub(crate) const fn slot(self) -> usize {
        match self {
            Self::Outgoing => 0,
            Self::Incoming => 1,
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
        })
    }
}

/// What a session is told, beside received bytes and the passing of time.
#[derive(Clone, Debug)]
pub enum Input {
    /// Bring the session up and keep trying (ManualStart). Forgets earlier failures. No effect on a started session.
    Start,
    /// Take it down for good with this CEASE, which may carry RFC 9003 text (ManualStop).
    Stop(Notification),
    /// Take it down with this notification, then bring it up again. Forgets earlier failures. No effect on a stopped session.
    Reset(Notification),
    /// A transport connection stands. An accepted one is given only if [`Session::accepts`](crate::Session::accepts) says so.
    Connected(Connection),
    /// The attempt that [`Event::Connect`] asked for failed.
    ConnectFailed,
    /// The connection ended: the neighbour closed it, or reading or writing failed.
    Closed(Connection),
    /// Whole messages to send, as encoded for this session's [`Negotiated::encode`]. Dropped unless Established.
    Send(Bytes),
    /// The transport took this many octets of what [`Session::poll_transmit`](crate::Session::poll_transmit) gave.
    Written(Connection, usize),
    /// Octets of the neighbour lie in the transport and are not read yet, because the caller is busy: they prove that it lives as
    /// well as read ones, and restart the hold timer. No effect unless Established.
    Unread(Connection),
    /// Ask the neighbour for its routes of a family again (RFC 2918). Dropped unless negotiated.
    RequestRefresh(AfiSafi),
}

/// What a session wants done, or tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// Open a connection to the neighbour; answer with [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect,
    /// Write what [`Session::poll_transmit`](crate::Session::poll_transmit) still has for this connection, as far as that
    /// goes without waiting, then close it, or give up the attempt to open it. Nothing of it may be reported any more.
    Close(Connection),
    /// The session is up, under these terms.
    Established(Box<Negotiated>),
    /// An UPDATE, parsed, whose worst fault is less than a session reset. [`Update::from_index`](bgp_wire::Update::from_index)
    /// reads it. Routes of a family outside [`Negotiated::families`], or disabled, are for the caller to ignore.
    Update {
        /// The whole message, header included.
        frame: Bytes,
        /// Where things are in it.
        index: UpdateIndex,
    },
    /// The neighbour sent routes of this family that cannot be told apart (RFC 7606 section 3 j): all of the family that was learned
    /// from it goes, and what still comes is to be ignored until the session ends. The UPDATE follows. Another family goes on.
    FamilyDisabled(AfiSafi),
    /// A ROUTE-REFRESH for a negotiated family: a request, or the marks of RFC 7313 if negotiated.
    RouteRefresh(RouteRefresh),
    /// The session that was Established is so no more; all that was learned from it goes.
    Down(DownReason),
    /// A connection ended before it was Established.
    Failed(Connection, DownReason),
}

/// Why a connection ended; displayed as one line that an operator understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// [`Input::Stop`].
    AdminStop,
    /// [`Input::Reset`], or the neighbour broke a rule: we sent this.
    Sent(Notification),
    /// The neighbour sent a message that cannot be read; it was told so.
    Malformed(Malformed),
    /// The neighbour sent this.
    Received(Notification),
    /// The neighbour was silent for the hold time.
    HoldTimerExpired,
    /// The neighbour took nothing from us for the send hold time (RFC 9687).
    SendHoldTimerExpired,
    /// The transport connection was closed or failed.
    ConnectionLost,
    /// The other of two colliding connections is kept (RFC 4271 section 6.8).
    Collision,
    /// The neighbour sent something before our delayed OPEN that is neither OPEN nor NOTIFICATION.
    UnexpectedBeforeOpen,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdminStop => f.write_str("stopped by configuration or command"),
            Self::Sent(notification) => write!(f, "we sent NOTIFICATION {notification}"),
            Self::Malformed(malformed) => write!(f, "the neighbour's message cannot be read: {malformed}"),
            Self::Received(notification) => write!(f, "the neighbour sent NOTIFICATION {notification}"),
            Self::HoldTimerExpired => f.write_str("hold timer expired: nothing heard from the neighbour"),
            Self::SendHoldTimerExpired => f.write_str("send hold timer expired: the neighbour takes nothing from us"),
            Self::ConnectionLost => f.write_str("connection lost: closed by the neighbour or the network"),
            Self::Collision => f.write_str("the other of two colliding connections is kept"),
            Self::UnexpectedBeforeOpen => f.write_str("the neighbour sent another message before its OPEN"),
        }
    }
}

/// The state of a session (RFC 4271 section 8.2.2): that of the further advanced of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Stopped, or waiting after a failure.
    Idle,
    /// An attempt to connect is under way, or our OPEN is delayed on the connection it gave.
    Connect,
    /// Waiting for the neighbour to connect, or for the next attempt.
    Active,
    /// Our OPEN is out.
    OpenSent,
    /// The neighbour's OPEN was accepted.
    OpenConfirm,
    /// Routes flow.
    Established,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}

/// How many messages of each type went one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// OPEN.
    pub open: u64,
    /// UPDATE.
    pub update: u64,
    /// NOTIFICATION.
    pub notification: u64,
    /// KEEPALIVE.
    pub keepalive: u64,
    /// ROUTE-REFRESH.
    pub route_refresh: u64,
}

impl MessageCounts {
    pub(crate) fn count(&mut self, message_type: u8) {
        match message_type {
            1 => self.open += 1,
            2 => self.update += 1,
            3 => self.notification += 1,
            4 => self.keepalive += 1,
            5 => self.route_refresh += 1,
            _ => {}
        }
    }
}

/// What a session has done since it was made, over all its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Whole messages received whose header is right.
    pub received: MessageCounts,
    /// Messages handed out by [`Session::poll_transmit`](crate::Session::poll_transmit).
    pub sent: MessageCounts,
    /// How often the session became Established.
    pub established: u64,
    /// How often it then went down.
    pub dropped: u64,
    /// Failures in a row, on which the wait in Idle depends (ConnectRetryCounter).
    pub failures: u32,
}
