//! One log line per RFC 7606 fault, and a bound on how many a neighbour can cause.

use std::time::Duration;

use bgp_session::Instant;
use bgp_wire::Update;
use tracing::warn;

use crate::config::NeighborKey;

/// Lines per [`WINDOW`] and neighbour.
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct FaultLog {
    window_began: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl FaultLog {
    /// Logs the worst fault of an UPDATE.
    pub(crate) fn log(&mut self, neighbor: &NeighborKey, now: Instant, update: &Update<'_>) {
        let Some(worst) = update.faults().max_by_key(|fault| fault.action) else {
            return;
        };
        if !self.admit(now) {
            return;
        }
        let suppressed = std::mem::take(&mut self.suppressed);
        warn!(
            %neighbor, fault = %worst, faults = update.faults().count(), suppressed,
            "malformed UPDATE (RFC 7606)"
        );
    }

    fn admit(&mut self, now: Instant) -> bool {
        if self.window_began.is_none_or(|began| now >= began + WINDOW) {
            self.window_began = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES {
            self.suppressed += 1;
            return false;
        }
        self.lines += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_faults_is_cut_per_window_and_counted() {
        let mut log = FaultLog::default();
        let now = Instant(0);
        assert_eq!((0..100).filter(|_| log.admit(now)).count(), 10);
        assert_eq!(log.suppressed, 90);
        assert!(log.admit(now + WINDOW));
    }
}
