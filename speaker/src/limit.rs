//! A bound on log lines that somebody else can cause.

use std::time::{Duration, Instant};

/// Lines per [`WINDOW`].
const LINES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// Lets ten lines pass in ten seconds, and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Limit {
    window_began: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Limit {
    /// If a line may be written now: how many were not since the last one.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.window_began.is_none_or(|began| now >= began + WINDOW) {
            self.window_began = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_cut_per_window_and_counted() {
        let mut limit = Limit::default();
        let now = Instant::now();
        let passed = (0..100).filter(|_| limit.admit(now).is_some()).count();
        assert_eq!(passed, 10);
        assert_eq!(limit.admit(now + WINDOW), Some(90));
        assert_eq!(limit.admit(now + WINDOW), Some(0));
    }
}
