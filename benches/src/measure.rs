//! What the processes of a target used, read from `/proc`.

use std::fs;
use std::time::{Duration, Instant};

/// The processes of a target: the one that was started and all that came of it.
pub struct Meter {
    root: u32,
    /// How long a target must do nothing to be quiet.
    window: Duration,
}

impl Meter {
    /// For the target whose first process is `root`. It is quiet when it used no more than 10 ms within `window`.
    pub fn new(root: u32, window: Duration) -> Self {
        Self { root, window }
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        let all: Vec<(u32, u32)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
            .filter_map(|pid| {
                stat(pid).first().and_then(|parent| u32::try_from(*parent).ok()).map(|parent| (pid, parent))
            })
            .collect();
        let mut processes = vec![self.root];
        let mut at = 0;
        while let Some(parent) = processes.get(at).copied() {
            processes.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            at += 1;
        }
        processes
    }

    /// User and system time since the start. The kernel counts in ticks of 10 ms.
    pub fn cpu(&self) -> Duration {
        let ticks = |pid: u32| stat(pid).get(10..12).map_or(0, |times| times.iter().sum());
        Duration::from_millis(self.processes().into_iter().map(ticks).sum::<u64>() * 10)
    }

    /// The most memory held resident since the start or the last [`reset_peak`](Self::reset_peak), in KiB. Of several
    /// processes, the sum of what each held at most.
    pub fn peak(&self) -> u64 {
        self.processes().into_iter().map(|pid| status(pid, "VmHWM:")).sum()
    }

    /// Memory resident now, in KiB.
    pub fn resident(&self) -> u64 {
        self.processes().into_iter().map(|pid| status(pid, "VmRSS:")).sum()
    }

    /// Forgets the peak so far, so that the next one is that of a phase.
    pub fn reset_peak(&self) {
        for pid in self.processes() {
            // Without the right to, the peak remains that of all phases so far.
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    /// Waits until the target is quiet, at most 30 s; answers its CPU time.
    pub fn quiet(&self) -> Duration {
        let start = Instant::now();
        let mut before = self.cpu();
        while start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(self.window);
            let now = self.cpu();
            if now.saturating_sub(before) <= Duration::from_millis(10) {
                return now;
            }
            before = now;
        }
        before
    }
}

/// The numbers of `/proc/PID/stat` from the parent's on.
fn stat(pid: u32) -> Vec<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = text.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').skip(1).map(|field| field.parse().unwrap_or(0)).collect()
}

fn status(pid: u32, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What one phase of one run gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// From the first UPDATE sent, or the event of the phase, to all sinks complete.
    pub wall: Duration,
    /// User and system time of the target over the same span and until it is quiet.
    pub cpu: Duration,
    /// Peak resident memory within the phase, in KiB.
    pub peak: u64,
    /// Resident memory when the phase began, in KiB.
    pub before: u64,
    /// How late a keepalive came at most.
    pub late: Duration,
    /// UPDATEs that a neighbour got whose routes the phase did not touch.
    pub noise: u64,
}

/// A figure over runs.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The one in the middle; the upper of two.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of one figure of every sample; without samples nothing.
    pub fn of(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> Option<Self> {
        let mut values: Vec<f64> = samples.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        Some(Self { min: *values.first()?, median: *values.get(values.len() / 2)?, max: *values.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_measured_with_the_processes_that_it_started() {
        let mut target = std::process::Command::new("sh");
        let mut target = target.args(["-c", "sleep 60 & while :; do :; done"]).spawn().expect("sh");
        let meter = Meter::new(target.id(), Duration::from_millis(1));
        let deadline = Instant::now() + Duration::from_secs(30);
        let worked = || meter.processes().len() == 2 && meter.cpu() >= Duration::from_millis(20);
        while !worked() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        let (worked, resident, peak) = (worked(), meter.resident(), meter.peak());
        for process in meter.processes().into_iter().rev() {
            let killed = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
            assert!(killed.is_ok_and(|status| status.success()));
        }
        target.wait().expect("the target");
        assert!(worked && resident > 500 && peak >= resident, "{resident} KiB of at most {peak}");
    }
}
