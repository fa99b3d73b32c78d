//! The transitions of RFC 4271 section 8.2.2: what each input, message and timer does in each state.

use core::time::Duration;

use bgp_wire::notification::{self, cease};
use bgp_wire::{DecodeCtx, FamilySet, Malformed, Message, Notification, Open, RefreshSubtype, Update, frame};
use bytes::{Bytes, BytesMut};

use crate::connection::{Link, Phase, Transmit};
use crate::open::{self, Offer};
use crate::timer::Timer;
use crate::{Approach, Config, Connection, DownReason, Event, Instant, SendHold, Session};

/// The hold time while the neighbour's OPEN is awaited (RFC 4271 section 8.2.2 suggests four minutes).
const LARGE_HOLD: Duration = Duration::from_secs(240);

/// The least default of the send hold time (RFC 9687 section 6).
const LEAST_SEND_HOLD: Duration = Duration::from_secs(8 * 60);

/// KEEPALIVEs may not be sent more often (RFC 4271 section 4.4).
const LEAST_KEEPALIVE: Duration = Duration::from_secs(1);

/// What follows when the last connection ended.
enum Aftermath {
    /// Listen, and connect again after the ConnectRetry time: nothing was said against a session.
    Retry,
    /// Stay in Idle for the IdleHold time.
    Hold,
    /// Stay in Idle, longer with each failure in a row.
    BackOff,
}

/// Commands and news.
impl Session {
    pub(crate) fn start(&mut self, now: Instant) {
        if !self.running {
            self.running = true;
            self.approach(now);
        }
    }

    pub(crate) fn stop(&mut self, cease: Notification) {
        self.running = false;
        self.drop_everything(&DownReason::AdminStop, &cease);
    }

    pub(crate) fn reset(&mut self, now: Instant, notification: Notification) {
        if !self.running {
            return;
        }
        if self.drop_everything(&DownReason::Sent(notification.clone()), &notification) {
            self.hold_idle(now, self.config.idle_hold);
        } else {
            self.approach(now);
        }
    }

    pub(crate) fn connected(&mut self, now: Instant, connection: Connection) {
        if self.link(connection).is_some() {
            return;
        }
        let wanted = match connection {
            Connection::Outgoing => self.approach == Approach::Connect,
            Connection::Incoming => self.accepts(),
        };
        self.transmit[connection.slot()] = Transmit::default();
        if !wanted {
            self.events.push_back(Event::Close(connection));
            return;
        }
        if connection == Connection::Outgoing {
            self.approach = Approach::Active;
        }
        if self.approach == Approach::Active {
            self.timers.stop(Timer::ConnectRetry);
        }
        self.links[connection.slot()] = Some(Link { phase: Phase::Delaying, offer: self.offer.clone() });
        match self.config.delay_open {
            Some(delay) => self.timers.set(Timer::DelayOpen(connection), now + self.jitter.spread(delay)),
            None => self.send_open(now, connection),
        }
    }

    pub(crate) fn connect_failed(&mut self, now: Instant) {
        if self.approach == Approach::Connect {
            self.approach = Approach::Active;
            self.timers.stop(Timer::ConnectRetry);
            if !self.is_linked() {
                self.wait_to_connect(now);
            }
        }
    }

    pub(crate) fn closed(&mut self, now: Instant, connection: Connection) {
        self.fail(now, connection, DownReason::ConnectionLost, None);
    }

    pub(crate) fn send(&mut self, now: Instant, messages: Bytes) {
        if let Some(connection) = self.established() {
            self.transmit[connection.slot()].push(messages);
            self.watch_sending(now, connection, false);
        }
    }

    pub(crate) fn written(&mut self, now: Instant, connection: Connection, octets: usize) {
        let progress = self.transmit[connection.slot()].written(octets);
        self.watch_sending(now, connection, progress);
    }

    pub(crate) fn unread(&mut self, now: Instant, connection: Connection) {
        if self.established() == Some(connection) {
            self.heard(now, connection);
        }
    }
}

/// Timers.
impl Session {
    pub(crate) fn expired(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::ConnectRetry => {
                if self.approach == Approach::Connect {
                    self.events.push_back(Event::Close(Connection::Outgoing));
                }
                if self.is_linked() {
                    self.approach = Approach::Active;
                } else {
                    self.connect(now);
                }
            }
            Timer::IdleHold => self.approach(now),
            Timer::DelayOpen(connection) => self.send_open(now, connection),
            Timer::Hold(connection) => {
                let notification = Notification::new(notification::HOLD_TIMER_EXPIRED, 0);
                self.fail(now, connection, DownReason::HoldTimerExpired, Some(notification));
            }
            Timer::Keepalive(connection) => self.send_keepalive(now, connection),
            Timer::SendHold(connection) => {
                let notification = Notification::new(notification::SEND_HOLD_TIMER_EXPIRED, 0);
                self.fail(now, connection, DownReason::SendHoldTimerExpired, Some(notification));
            }
        }
    }
}

/// Messages.
impl Session {
    /// Takes one message whose header is right.
    pub(crate) fn message(&mut self, now: Instant, connection: Connection, message: Bytes) {
        let Some(&kind) = message.get(frame::HEADER_LEN - 1) else { return };
        self.statistics.received.count(kind);
        let Some(link) = self.link(connection) else { return };
        let ctx = link.phase.negotiated().map_or_else(DecodeCtx::default, |terms| terms.decode);
        match (&link.phase, kind) {
            (_, frame::NOTIFICATION) | (Phase::Delaying | Phase::OpenSent, frame::OPEN) => {}
            (Phase::OpenConfirm(_) | Phase::Contested(_), frame::KEEPALIVE) => {}
            // What only an Established neighbour sends tells which connection it chose.
            (Phase::Contested(_), frame::UPDATE | frame::ROUTE_REFRESH) => self.establish(now, connection),
            (Phase::Established(..), frame::UPDATE | frame::KEEPALIVE | frame::ROUTE_REFRESH) => {}
            (Phase::Delaying, _) => return self.fail(now, connection, DownReason::UnexpectedBeforeOpen, None),
            (Phase::OpenSent, _) => return self.unexpected(now, connection, notification::fsm::IN_OPEN_SENT, kind),
            (Phase::OpenConfirm(_) | Phase::Contested(_), _) => {
                return self.unexpected(now, connection, notification::fsm::IN_OPEN_CONFIRM, kind);
            }
            (Phase::Established(..), _) => {
                return self.unexpected(now, connection, notification::fsm::IN_ESTABLISHED, kind);
            }
        }
        match Message::parse(&message, &ctx) {
            Ok(Message::Open(open)) => self.open(now, connection, &open),
            Ok(Message::Notification(notification)) => {
                self.fail(now, connection, DownReason::Received(notification), None);
            }
            Ok(Message::Keepalive) => {
                self.heard(now, connection);
                self.confirmed(now, connection);
            }
            Ok(Message::Update(update)) => {
                if let Err(malformed) = self.disable(&update) {
                    return self.malformed(now, connection, malformed);
                }
                let index = update.index();
                self.heard(now, connection);
                self.events.push_back(Event::Update { frame: message, index });
            }
            Ok(Message::RouteRefresh(refresh)) => {
                self.heard(now, connection);
                if self.negotiated().is_some_and(|terms| terms.admits(refresh)) {
                    self.events.push_back(Event::RouteRefresh(refresh));
                    if refresh.subtype == RefreshSubtype::EndOfRr {
                        self.refreshed(now, refresh.family);
                    }
                }
            }
            Err(malformed) => self.malformed(now, connection, malformed),
        }
    }

    /// Disables the families whose routes in `update` cannot be told apart (RFC 4760 section 7), if another is left to go on with;
    /// else the error to end the session with. Families that are not in use are ignored as it is.
    fn disable(&mut self, update: &Update<'_>) -> Result<(), Malformed> {
        let Some(terms) = self.negotiated() else { return Ok(()) };
        let used = terms.families.difference(self.disabled);
        let disabled = update.disables().intersection(used);
        if disabled == used
            && let Some(malformed) = update.reset()
        {
            return Err(malformed);
        }
        for family in disabled.iter() {
            self.disabled.insert(family);
            self.events.push_back(Event::FamilyDisabled(family));
        }
        Ok(())
    }

    pub(crate) fn malformed(&mut self, now: Instant, connection: Connection, malformed: Malformed) {
        let notification = Notification::from(&malformed);
        self.fail(now, connection, DownReason::Malformed(malformed), Some(notification));
    }

    /// RFC 6608: the data is the type of the message.
    fn unexpected(&mut self, now: Instant, connection: Connection, subcode: u8, kind: u8) {
        let data = Bytes::copy_from_slice(&[kind]);
        self.refuse(now, connection, Notification { code: notification::FSM_ERROR, subcode, data });
    }

    fn refuse(&mut self, now: Instant, connection: Connection, notification: Notification) {
        self.fail(now, connection, DownReason::Sent(notification.clone()), Some(notification));
    }

    fn open(&mut self, now: Instant, connection: Connection, open: &Open<'_>) {
        let Some(link) = self.link(connection) else { return };
        let terms = match open::negotiate(&self.config, &link.offer, open) {
            Ok(terms) => terms,
            Err(notification) => return self.refuse(now, connection, notification),
        };
        if self.loses_collision(now, connection, &terms) {
            return self.end_collided(now, connection);
        }
        if matches!(self.link(connection), Some(Link { phase: Phase::Delaying, .. })) {
            self.send_open(now, connection);
        }
        // Without a negotiated hold time the large one still bounds the wait for the KEEPALIVE.
        let hold = if terms.hold_time.is_zero() { LARGE_HOLD } else { terms.hold_time };
        self.timers.set(Timer::Hold(connection), now + hold);
        if let Some(link) = &mut self.links[connection.slot()] {
            link.phase = Phase::OpenConfirm(Box::new(terms));
        }
        self.send_keepalive(now, connection);
        self.settle_on(now, connection);
    }

    pub(crate) fn establish(&mut self, now: Instant, connection: Connection) {
        let Some(link) = self.links[connection.slot()].take() else { return };
        let (Phase::OpenConfirm(terms) | Phase::Contested(terms)) = link.phase else { return };
        self.events.push_back(Event::Established(terms.clone()));
        self.links[connection.slot()] = Some(Link { phase: Phase::Established(terms, now), offer: link.offer });
        self.statistics.established += 1;
        self.asked.clear();
        self.disabled = FamilySet::EMPTY;
        self.timers.stop(Timer::Hold(connection));
        self.heard(now, connection);
        self.watch_sending(now, connection, false);
        self.end_collided(now, connection.other());
    }

    /// The neighbour lives: restarts the hold timer.
    pub(crate) fn heard(&mut self, now: Instant, connection: Connection) {
        if let Some(terms) = self.link(connection).and_then(|link| link.phase.negotiated())
            && !terms.hold_time.is_zero()
        {
            let at = now + terms.hold_time;
            self.timers.set(Timer::Hold(connection), at);
        }
    }
}

/// Sending.
impl Session {
    fn send_open(&mut self, now: Instant, connection: Connection) {
        let Some(link) = &mut self.links[connection.slot()] else { return };
        link.phase = Phase::OpenSent;
        let mut message = BytesMut::new();
        open::encode(&self.config, &link.offer, &mut message);
        self.timers.stop(Timer::DelayOpen(connection));
        self.timers.set(Timer::Hold(connection), now + LARGE_HOLD);
        self.send_urgent(now, connection, message.freeze());
    }

    /// Sends a KEEPALIVE, unless one is still queued, and starts the timer for the next.
    fn send_keepalive(&mut self, now: Instant, connection: Connection) {
        let Some(interval) =
            self.link(connection).and_then(|link| link.phase.negotiated()).map(|terms| terms.keepalive)
        else {
            return;
        };
        if !interval.is_zero() {
            let at = now + self.jitter.spread(interval).max(LEAST_KEEPALIVE);
            self.timers.set(Timer::Keepalive(connection), at);
        }
        if !self.transmit[connection.slot()].ends_with_keepalive() {
            self.send_urgent(now, connection, Bytes::from_static(&frame::KEEPALIVE_MESSAGE));
        }
    }

    pub(crate) fn send_urgent(&mut self, now: Instant, connection: Connection, message: Bytes) {
        self.transmit[connection.slot()].push_urgent(message);
        self.watch_sending(now, connection, false);
    }

    /// Keeps the send hold timer (RFC 9687): it runs while something is to be written, anew after each progress.
    fn watch_sending(&mut self, now: Instant, connection: Connection, progress: bool) {
        let timer = Timer::SendHold(connection);
        let Some(Phase::Established(terms, _)) = self.link(connection).map(|link| &link.phase) else { return };
        let time = match self.config.send_hold {
            _ if terms.hold_time.is_zero() => None,
            SendHold::Off => None,
            SendHold::After(time) => Some(time),
            SendHold::Standard => Some(LEAST_SEND_HOLD.max(terms.hold_time * 2)),
        };
        match time {
            Some(time) if self.transmit[connection.slot()].outstanding() > 0 => {
                if progress || !self.timers.runs(timer) {
                    self.timers.set(timer, now + time);
                }
            }
            _ => self.timers.stop(timer),
        }
    }
}

/// Getting a connection, and losing it.
impl Session {
    fn is_linked(&self) -> bool {
        self.links.iter().any(Option::is_some)
    }

    fn approach(&mut self, now: Instant) {
        self.timers.stop(Timer::IdleHold);
        if self.config.passive {
            self.approach = Approach::Active;
        } else {
            self.connect(now);
        }
    }

    fn connect(&mut self, now: Instant) {
        self.approach = Approach::Connect;
        self.timers.set(Timer::ConnectRetry, now + self.jitter.spread(self.config.connect_retry));
        self.events.push_back(Event::Connect);
    }

    fn wait_to_connect(&mut self, now: Instant) {
        self.approach = Approach::Active;
        if !self.config.passive {
            self.timers.set(Timer::ConnectRetry, now + self.jitter.spread(self.config.connect_retry));
        }
    }

    pub(crate) fn give_up_connecting(&mut self) {
        self.timers.stop(Timer::ConnectRetry);
        if self.approach == Approach::Connect {
            self.approach = Approach::Active;
            self.events.push_back(Event::Close(Connection::Outgoing));
        }
    }

    fn hold_idle(&mut self, now: Instant, time: Duration) {
        self.approach = Approach::Idle;
        self.timers.set(Timer::IdleHold, now + self.jitter.spread(time));
    }

    /// Ends all there is and forgets failures; says whether there was a connection.
    fn drop_everything(&mut self, reason: &DownReason, notification: &Notification) -> bool {
        let mut any = false;
        for connection in Connection::BOTH {
            any |= self.drop_link(connection, reason.clone(), Some(notification.clone()));
        }
        self.give_up_connecting();
        self.timers.stop(Timer::IdleHold);
        self.approach = Approach::Idle;
        self.offer = Offer::Everything;
        self.statistics.failures = 0;
        any
    }

    /// Ends a connection; if it was the last, sees to the next attempt.
    pub(crate) fn fail(
        &mut self,
        now: Instant,
        connection: Connection,
        reason: DownReason,
        notification: Option<Notification>,
    ) {
        let Some(link) = self.link(connection) else { return };
        let aftermath = match (&link.phase, &reason) {
            (_, DownReason::Collision) => Aftermath::Retry,
            (Phase::Delaying | Phase::OpenSent, DownReason::ConnectionLost) => Aftermath::Retry,
            (Phase::Established(_, since), _) => {
                if now - *since >= Config::MAX_IDLE_HOLD {
                    self.statistics.failures = 0;
                }
                Aftermath::BackOff
            }
            (_, DownReason::Received(Notification { code: notification::CEASE, subcode, .. }))
                if matches!(*subcode, cease::CONNECTION_REJECTED | cease::CONNECTION_COLLISION) =>
            {
                Aftermath::Retry
            }
            _ if self.narrower_offer(link, &reason).is_some() => Aftermath::Hold,
            _ => Aftermath::BackOff,
        };
        self.drop_link(connection, reason, notification);
        if matches!(self.link(connection.other()), Some(Link { phase: Phase::Contested(_), .. })) {
            self.establish(now, connection.other());
        }
        if self.is_linked() || self.approach != Approach::Active {
            return;
        }
        match aftermath {
            Aftermath::Retry => self.wait_to_connect(now),
            Aftermath::Hold => self.hold_idle(now, self.config.idle_hold),
            Aftermath::BackOff => {
                let time = self.config.idle_hold.saturating_mul(1 << self.statistics.failures.min(16));
                self.statistics.failures = self.statistics.failures.saturating_add(1);
                self.hold_idle(now, time.min(Config::MAX_IDLE_HOLD.max(self.config.idle_hold)));
            }
        }
    }

    /// What to offer next, if the neighbour ended `link` for what our OPEN offered.
    fn narrower_offer(&self, link: &Link, reason: &DownReason) -> Option<Offer> {
        match (&link.phase, reason) {
            (Phase::OpenSent | Phase::OpenConfirm(_) | Phase::Contested(_), DownReason::Received(answer)) => {
                link.offer.refused_by(&self.config, answer)
            }
            _ => None,
        }
    }

    /// Ends a connection, with nothing said about what follows; false if it did not stand.
    fn drop_link(&mut self, connection: Connection, reason: DownReason, notification: Option<Notification>) -> bool {
        let Some(link) = self.links[connection.slot()].take() else { return false };
        for timer in [
            Timer::DelayOpen(connection),
            Timer::Hold(connection),
            Timer::Keepalive(connection),
            Timer::SendHold(connection),
        ] {
            self.timers.stop(timer);
        }
        self.offer = self.narrower_offer(&link, &reason).unwrap_or(Offer::Everything);
        let transmit = &mut self.transmit[connection.slot()];
        match notification {
            Some(notification) => {
                transmit.drop_backlog();
                let mut message = BytesMut::new();
                notification.encode(&mut message);
                transmit.push_urgent(message.freeze());
            }
            None => *transmit = Transmit::default(),
        }
        self.last_down = Some(reason.clone());
        let lost = reason == DownReason::ConnectionLost;
        if link.phase.is_established() {
            self.statistics.dropped += 1;
            self.events.push_back(Event::Down(reason));
        } else {
            self.events.push_back(Event::Failed(connection, reason));
        }
        if !lost {
            self.events.push_back(Event::Close(connection));
        }
        true
    }
}
