//! What a process used, read from `/proc`.

use std::fs;
use std::time::{Duration, Instant};

/// User and system time of a process since its start. The kernel counts in ticks of 10 ms.
pub fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let field = |index: usize| after_name.split(' ').nth(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((field(11) + field(12)) * 10)
}

/// The most memory that a process has held resident, in KiB.
pub fn peak_rss(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Waits until a process has used no more than 10 ms within half a second, at most 30 s; answers its CPU time.
pub fn quiet(pid: u32) -> Duration {
    let start = Instant::now();
    let mut before = cpu(pid);
    while start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(500));
        let now = cpu(pid);
        if now.saturating_sub(before) <= Duration::from_millis(10) {
            return now;
        }
        before = now;
    }
    before
}

/// What one run of one scenario against one target gave.
#[derive(Clone, Copy)]
pub struct Sample {
    /// From the first UPDATE sent to the sink complete.
    pub wall: Duration,
    /// User and system time of the target over the same span and until it is quiet.
    pub cpu: Duration,
    /// Peak resident memory of the target in KiB.
    pub peak_rss: u64,
}

/// The median of a figure over runs.
pub fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(figure).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_this_process_are_read() {
        let mut work = 0u64;
        while cpu(std::process::id()) < Duration::from_millis(20) {
            work = work.wrapping_add(1);
        }
        assert!(peak_rss(std::process::id()) > 500, "{work}");
    }
}
