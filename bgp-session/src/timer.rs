//! The clock's reading as the caller hands it in, the table of running timers, and the seeded jitter.
//!
//! Nothing here reads a clock or a source of entropy: every reading comes with an input, every random number from the
//! seed in [`Config`](crate::Config).

use core::ops::{Add, Sub};
use core::time::Duration;

use crate::Connection;

/// A reading, in nanoseconds, of a monotonic clock that the caller owns; real or virtual.
///
/// Only differences matter. Readings given to one session must not go backwards; if one does, timers merely fire late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of the clock, some 584 years on.
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Same as [`Instant::since`].
    fn sub(self, rhs: Self) -> Duration {
        self.since(rhs)
    }
}

/// The timers of RFC 4271 sections 8 and 10 and RFC 9687.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Bounds one attempt to connect, and the wait between two.
    ConnectRetry,
    /// Keeps a failing session in Idle (DampPeerOscillations).
    IdleHold,
    /// Lets the neighbour send its OPEN first.
    DelayOpen(Connection),
    /// The neighbour has been silent for the hold time.
    Hold(Connection),
    /// Our next KEEPALIVE is due.
    Keepalive(Connection),
    /// The neighbour has not taken an octet for the send hold time.
    SendHold(Connection),
}

impl Timer {
    pub(crate) const ALL: [Self; 10] = [
        Self::ConnectRetry,
        Self::IdleHold,
        Self::DelayOpen(Connection::Outgoing),
        Self::DelayOpen(Connection::Incoming),
        Self::Hold(Connection::Outgoing),
        Self::Hold(Connection::Incoming),
        Self::Keepalive(Connection::Outgoing),
        Self::Keepalive(Connection::Incoming),
        Self::SendHold(Connection::Outgoing),
        Self::SendHold(Connection::Incoming),
    ];

    const fn slot(self) -> usize {
        match self {
            Self::ConnectRetry => 0,
            Self::IdleHold => 1,
            Self::DelayOpen(c) => 2 + c.slot(),
            Self::Hold(c) => 4 + c.slot(),
            Self::Keepalive(c) => 6 + c.slot(),
            Self::SendHold(c) => 8 + c.slot(),
        }
    }
}

/// When each timer fires, if it runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer.slot()] = Some(at);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0[timer.slot()] = None;
    }

    pub(crate) fn runs(&self, timer: Timer) -> bool {
        self.0[timer.slot()].is_some()
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes the earliest timer that is due at `now`, so that overdue timers fire in the order they were due.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let due = |timer: Timer| self.0[timer.slot()].filter(|at| *at <= now).map(|at| (at, timer));
        let (_, timer) = Timer::ALL.into_iter().filter_map(due).min_by_key(|(at, _)| *at)?;
        self.stop(timer);
        Some(timer)
    }
}

/// A seeded generator (splitmix64) for jitter alone; it need not be hard to predict.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `time` times a factor spread evenly over 0.75 to 1.0 (RFC 4271 section 10).
    pub(crate) fn spread(&mut self, time: Duration) -> Duration {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let quarter = time / 4;
        Duration::from_nanos(time - quarter + self.next() % (quarter + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_shortens_a_time_by_a_quarter_at_most_and_repeats_with_its_seed() {
        let mut jitter = Jitter::new(7);
        let times: Vec<_> = (0..1000).map(|_| jitter.spread(Duration::from_secs(4))).collect();
        assert!(times.iter().all(|t| (Duration::from_secs(3)..=Duration::from_secs(4)).contains(t)));
        assert!(times.iter().any(|t| *t < Duration::from_millis(3100)));
        assert!(times.iter().any(|t| *t > Duration::from_millis(3900)));
        let mut again = Jitter::new(7);
        assert!(times.iter().all(|t| *t == again.spread(Duration::from_secs(4))));
    }

    #[test]
    fn overdue_timers_fire_in_the_order_they_were_due() {
        let mut timers = Timers::default();
        timers.set(Timer::ConnectRetry, Instant(30));
        timers.set(Timer::Hold(Connection::Incoming), Instant(10));
        timers.set(Timer::Keepalive(Connection::Outgoing), Instant(40));
        assert_eq!(timers.next(), Some(Instant(10)));
        assert_eq!(timers.expire(Instant(30)), Some(Timer::Hold(Connection::Incoming)));
        assert_eq!(timers.expire(Instant(30)), Some(Timer::ConnectRetry));
        assert_eq!(timers.expire(Instant(30)), None);
        assert_eq!(timers.next(), Some(Instant(40)));
    }

    #[test]
    fn no_time_is_too_long_to_add_or_to_spread() {
        assert_eq!(Instant(1) + Duration::MAX, Instant(u64::MAX));
        assert!(Jitter::new(1).spread(Duration::MAX) > Duration::from_secs(1));
    }
}
