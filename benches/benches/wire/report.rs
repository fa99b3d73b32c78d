//! The tables: Markdown on the terminal and in the documentation, and the verdict on each bar.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

/// The crates of a table's columns.
pub(crate) const CRATES: [&str; 4] = ["bgp-wire", "netgauze-bgp-pkt", "bgpkit-parser", "routecore"];

/// One piece of work to be timed; gives a sum over what it read.
pub(crate) type Task<'a> = Box<dyn FnMut() -> u64 + 'a>;

/// The best time of each task in seconds, and its sum. The tasks take turns, so that a busy moment of the machine does not fall on one
/// alone, and the best of many rounds counts: what disturbs can only add.
pub(crate) fn best(rounds: usize, tasks: &mut [Task<'_>]) -> Vec<(f64, u64)> {
    let mut best = vec![(f64::INFINITY, 0); tasks.len()];
    for _ in 0..rounds {
        for (task, best) in tasks.iter_mut().zip(&mut best) {
            let start = Instant::now();
            let sum = task();
            *best = (best.0.min(start.elapsed().as_secs_f64()), sum);
        }
    }
    best
}

/// The report as it grows.
#[derive(Default)]
pub(crate) struct Report {
    text: String,
    bars: Vec<(String, f64, String, bool)>,
}

impl Report {
    /// Adds a paragraph or a heading.
    pub(crate) fn say(&mut self, text: &str) {
        println!("{text}\n");
        let _ = writeln!(self.text, "{text}\n");
    }

    /// Adds a table.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
        for row in rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        self.say(text.trim_end());
    }

    /// Adds a bar: what was measured must reach `least`.
    pub(crate) fn at_least(&mut self, what: impl Into<String>, measured: f64, least: f64) {
        self.bars.push((what.into(), measured, format!("≥ {least}"), measured >= least));
    }

    /// Adds a bar: what was measured must not exceed `most`.
    pub(crate) fn at_most(&mut self, what: impl Into<String>, measured: f64, most: f64) {
        self.bars.push((what.into(), measured, format!("≤ {most}"), measured <= most));
    }

    /// Adds a bar that could not be measured.
    pub(crate) fn unmeasured(&mut self, what: impl Into<String>, bar: &str) {
        self.bars.push((what.into(), f64::NAN, bar.to_owned(), false));
    }

    /// Ends with the bars; the whole text.
    pub(crate) fn finish(mut self) -> String {
        let rows: Vec<Vec<String>> = self
            .bars
            .iter()
            .map(|(what, measured, bar, met)| {
                let verdict = if measured.is_nan() {
                    "not measured"
                } else if *met {
                    "met"
                } else {
                    "**missed**"
                };
                vec![what.clone(), bar.clone(), format!("{measured:.2}"), verdict.to_owned()]
            })
            .collect();
        self.say("### Bars");
        self.table(&["", "bar", "measured", ""], &rows);
        self.text
    }
}

/// Nanoseconds for one of `count`.
pub(crate) fn each(seconds: f64, count: usize) -> String {
    let nanoseconds = seconds * 1e9 / count.max(1) as f64;
    if nanoseconds < 100.0 { format!("{nanoseconds:.1}") } else { format!("{nanoseconds:.0}") }
}

/// `2.5×`.
pub(crate) fn times(ratio: f64) -> String {
    if ratio.is_finite() { format!("{ratio:.1}×") } else { "–".to_owned() }
}

/// What was measured on, and what with.
pub(crate) fn circumstances() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock")).unwrap_or_default();
    let version = |name: &str| {
        let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
        let line = entry.and_then(|entry| entry.lines().find_map(|line| line.strip_prefix("version = ")));
        format!("{name} {}", line.unwrap_or("?").trim_matches('"'))
    };
    let rustc = std::process::Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!(
        "One thread of a machine with {cores} cores ({}); {rustc}, bench profile; {}. Each figure is the best of many rounds in which \
         all take turns.",
        model.trim_start_matches([' ', '\t', ':']),
        CRATES[1..].iter().map(|name| version(name)).collect::<Vec<_>>().join(", "),
    )
}

/// Replaces what stands between the markers of the wire section.
pub(crate) fn document(path: &Path, text: &str) -> std::io::Result<()> {
    const MARKERS: [&str; 2] = ["<!-- wire: generated -->\n", "<!-- wire: end -->"];
    let page = std::fs::read_to_string(path)?;
    let parts = page.split_once(MARKERS[0]).and_then(|(before, rest)| Some((before, rest.split_once(MARKERS[1])?.1)));
    let Some((before, after)) = parts else {
        return Err(std::io::Error::other(format!("{}: no markers of the wire section", path.display())));
    };
    std::fs::write(path, format!("{before}{}{}\n{}{after}", MARKERS[0], text.trim_end(), MARKERS[1]))
}
