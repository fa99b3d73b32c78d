//! The speaker's monotonic clock, as the sessions count it.

use std::future::pending;

use bgp_session::Instant;

/// Nanoseconds since the speaker was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    epoch: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { epoch: tokio::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Instant {
        // 584 years fit.
        Instant(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) async fn sleep_until(&self, deadline: Option<Instant>) {
        match deadline {
            Some(Instant(ns)) => {
                tokio::time::sleep_until(self.epoch + std::time::Duration::from_nanos(ns)).await;
            }
            None => pending().await,
        }
    }
}
