//! Which of two colliding connections stays (RFC 4271 section 6.8, RFC 6286 section 2.3).
//!
//! Rule: of two connections on which the neighbour's OPEN came, the one stays that the speaker with the higher identifier
//! opened. That rule alone can lose both: one end is Established on the connection that the other end is about to close, and
//! so closes the one that the other end keeps. Three habits, all of them within the RFC, rule that out between speakers that
//! have them and make it rare with others:
//!
//! - once the neighbour's OPEN was accepted on one connection, no OPEN is sent on another: attempts are given up, accepted
//!   connections refused;
//! - a connection that would lose against another on which our OPEN is out stays in OpenConfirm, even if confirmed, until the
//!   other is gone or the neighbour's first UPDATE tells that it is Established on this one;
//! - a connection that becomes Established ends the other at once.

use core::time::Duration;

use bgp_wire::Notification;
use bgp_wire::notification::cease;

use crate::connection::{Link, Phase};
use crate::timer::Timer;
use crate::{Connection, DownReason, Instant, Negotiated, Session};

/// How long a confirmed connection waits for the OPEN on the one that would win.
const PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    /// Whether a further connection has a chance: none has the neighbour's OPEN yet.
    pub(crate) fn is_open_to_another(&self) -> bool {
        self.links.iter().flatten().all(|link| link.phase.negotiated().is_none())
    }

    /// Whether `connection`, on which the neighbour's OPEN just came, is the one to go; ends the other if that is.
    pub(crate) fn loses_collision(&mut self, now: Instant, connection: Connection, terms: &Negotiated) -> bool {
        match self.link(connection.other()).map(|link| &link.phase) {
            None | Some(Phase::Delaying | Phase::OpenSent) => false,
            Some(Phase::Established(..)) => true,
            Some(Phase::OpenConfirm(_) | Phase::Contested(_)) => {
                let stays = self.winner(terms);
                if stays == connection {
                    self.end_collided(now, connection.other());
                }
                stays != connection
            }
        }
    }

    /// After the neighbour's OPEN was accepted on `connection`: ends whatever has not sent ours.
    pub(crate) fn settle_on(&mut self, now: Instant, connection: Connection) {
        self.give_up_connecting();
        if let Some(Link { phase: Phase::Delaying, .. }) = self.link(connection.other()) {
            self.end_collided(now, connection.other());
        }
    }

    /// A KEEPALIVE came: the first confirms `connection`. If the other would win, that one is given a little time to.
    pub(crate) fn confirmed(&mut self, now: Instant, connection: Connection) {
        let other = connection.other();
        let Some(Phase::OpenConfirm(terms)) = self.link(connection).map(|link| &link.phase) else { return };
        let rivalled = matches!(self.link(other), Some(Link { phase: Phase::OpenSent, .. }));
        if rivalled && self.winner(terms) == other {
            let phase = Phase::Contested(terms.clone());
            if let Some(link) = &mut self.links[connection.slot()] {
                link.phase = phase;
            }
            self.timers.set(Timer::Hold(other), now + PATIENCE);
        } else {
            self.establish(now, connection);
        }
    }

    /// Ends `connection` for the other's sake.
    pub(crate) fn end_collided(&mut self, now: Instant, connection: Connection) {
        let cease = Notification::cease(cease::CONNECTION_COLLISION);
        self.fail(now, connection, DownReason::Collision, Some(cease));
    }

    /// Equal identifiers are told apart by AS.
    fn winner(&self, terms: &Negotiated) -> Connection {
        if (self.config.router_id, self.config.local_as) < (terms.remote_id, terms.remote_as) {
            Connection::Incoming
        } else {
            Connection::Outgoing
        }
    }
}
