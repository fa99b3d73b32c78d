//! The results of all runs, as CSV and Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::bars;
use crate::measure::{Sample, Spread};
use crate::scenario::{Key, Row};

/// The target that others are compared with.
pub const REFERENCE: &str = "bird";

/// One target of a run.
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: String,
    /// By row, the sample of every run.
    pub samples: BTreeMap<Row, Vec<Sample>>,
    /// By row, what went wrong.
    pub failures: BTreeMap<Row, String>,
    /// By row, why the target cannot be asked for it.
    pub unable: BTreeMap<Row, &'static str>,
}

impl Measured {
    /// The spread of a figure; a row that failed in one run has none.
    pub fn spread(&self, row: &Row, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let samples = self.samples.get(row).filter(|_| !self.failures.contains_key(row))?;
        Spread::of(samples, figure)
    }

    /// Wall time in seconds.
    pub fn wall(&self, row: &Row) -> Option<Spread> {
        self.spread(row, |sample| sample.wall.as_secs_f64())
    }

    /// CPU time in seconds.
    pub fn cpu(&self, row: &Row) -> Option<Spread> {
        self.spread(row, |sample| sample.cpu.as_secs_f64())
    }

    /// Peak memory in octets.
    pub fn peak(&self, row: &Row) -> Option<Spread> {
        self.spread(row, |sample| sample.peak as f64 * 1024.0)
    }

    /// The row with this key and the most prefixes.
    pub fn largest(&self, key: Key) -> Option<Row> {
        self.samples.keys().filter(|row| row.key == key).max_by_key(|row| row.count).copied()
    }

    /// Octets of memory for each route, each further path of a prefix, each leaked copy, where the rows for it are there.
    pub fn octets(&self) -> Octets {
        let per = |more: Option<Spread>, less: f64, count: usize| Some((more?.median - less) / count as f64);
        let route = self.largest(Key::A).and_then(|row| {
            let idle = self.spread(&row, |sample| sample.before as f64 * 1024.0)?.median;
            per(self.peak(&row), idle, row.count)
        });
        let path = self.largest(Key::B).and_then(|row| {
            let one = self.peak(&Row { key: Key::A, times: 1, ..row })?.median;
            per(self.peak(&row), one, row.count * (row.times - 1))
        });
        let leaked = self.largest(Key::F).and_then(|row| {
            let plain = self.peak(&Row { key: Key::A, ..row })?.median;
            per(self.peak(&row), plain, row.count)
        });
        let crowd = self.largest(Key::I).and_then(|row| {
            let apart = self.peak(&Row { key: Key::Apart, ..row })?.median;
            per(self.peak(&row), apart, row.count * row.times * 16)
        });
        Octets { route, path, leaked, crowd }
    }
}

/// Octets of memory, by what they are for.
pub struct Octets {
    /// Each route of (a), attributes and what is said to the sink included.
    pub route: Option<f64>,
    /// Each further path of a prefix, from (b).
    pub path: Option<f64>,
    /// Each leaked copy of (f), what is said to the sink included.
    pub leaked: Option<f64>,
    /// Each leaked copy of (i).
    pub crowd: Option<f64>,
}

/// All that was measured.
pub struct Report {
    /// Machine and date.
    pub machine: String,
    /// How it was called.
    pub command: String,
    /// Runs of each.
    pub runs: usize,
    /// Generated tables, or which dump; the family.
    pub tables: String,
    /// How long it all took, in seconds.
    pub took: u64,
    /// Targets, in the order in which they are shown.
    pub targets: Vec<Measured>,
    /// Targets that are not there: name and what is missing.
    pub missing: Vec<(&'static str, String)>,
    /// The harness without a target.
    pub floor: BTreeMap<Row, Vec<Sample>>,
    /// Rows in the order in which they ran.
    pub rows: Vec<Row>,
}

impl Report {
    /// A target by its name.
    pub fn target(&self, name: &str) -> Option<&Measured> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// One line per sample.
    pub fn csv(&self) -> String {
        let mut text =
            "scenario,prefixes,times,target,version,run,wall_s,cpu_s,peak_kib,before_kib,late_ms,noise\n".to_owned();
        let mut lines = |row: &Row, name: &str, version: &str, samples: &[Sample]| {
            for (run, sample) in samples.iter().enumerate() {
                let _ = writeln!(
                    text,
                    "{:?},{},{},{name},\"{version}\",{},{:.4},{:.2},{},{},{:.1},{}",
                    row.key,
                    row.count,
                    row.times,
                    run + 1,
                    sample.wall.as_secs_f64(),
                    sample.cpu.as_secs_f64(),
                    sample.peak,
                    sample.before,
                    sample.late.as_secs_f64() * 1000.0,
                    sample.noise
                );
            }
        };
        for (row, samples) in &self.floor {
            lines(row, "floor", "", samples);
        }
        for target in &self.targets {
            for (row, samples) in &target.samples {
                lines(row, target.name, &target.version, samples);
            }
        }
        text
    }

    /// Everything, for people.
    pub fn markdown(&self, plot: Option<&str>) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "Measured on {}. {}; {} runs of each, medians, in brackets the least and the most; {} s in all.\n",
            self.machine, self.tables, self.runs, self.took
        );
        let _ = writeln!(text, "    {}\n", self.command);
        text += "| target | version |\n|---|---|\n";
        for target in &self.targets {
            let _ = writeln!(text, "| {} | {} |", target.name, target.version);
        }
        for (name, missing) in &self.missing {
            let _ = writeln!(text, "| {name} | {missing} |");
        }
        if self.target("peerage").is_some() && self.target(REFERENCE).is_some() {
            text += "\n### Bars\n\n";
            text += &bars::markdown(self);
        }
        if let Some(plot) = plot {
            let _ = writeln!(text, "\n![Seconds of wall time by scenario and target]({plot})");
        }
        text += "\n### Time and memory\n\n*Wall* is from the first UPDATE, or the event, to the last sink complete; *CPU* is the target's, user and system, \
                 until it is quiet again; *late* is how late a keepalive came at most to four sessions with a hold time of three seconds. \
                 Ratios are to bird.\n";
        for row in &self.rows {
            text += &self.table(row);
        }
        text += "\n### Octets of memory\n\nAbove the same without them, from peaks of resident memory. Per route from (a); per further path from (b); per leaked copy from (f), which has a group of neighbours to tell, and from (i), which has not.\n\n";
        text += "| target | per route | per further path | per leaked copy (f) | per leaked copy (i) |\n|---|---|---|---|---|\n";
        for target in &self.targets {
            let octets = target.octets();
            let show = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), |octets| format!("{octets:.0}"));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                target.name,
                show(octets.route),
                show(octets.path),
                show(octets.leaked),
                show(octets.crowd)
            );
        }
        text
    }

    fn table(&self, row: &Row) -> String {
        let mut text = format!(
            "\n**{row}**\n\n| target | wall s | CPU s | peak MiB | late ms | wall | CPU | peak |\n|---|---|---|---|---|---|---|---|\n"
        );
        if let Some(floor) = self.floor.get(row).and_then(|floor| Spread::of(floor, |sample| sample.wall.as_secs_f64()))
        {
            let _ = writeln!(text, "| floor, no daemon | {} | | | | | | |", spread(&floor));
        }
        let reference = self.target(REFERENCE);
        for target in &self.targets {
            let (Some(wall), Some(cpu), Some(peak)) = (target.wall(row), target.cpu(row), target.peak(row)) else {
                let failed =
                    target.failures.get(row).and_then(|why| why.lines().next()).map(|why| format!("failed: {why}"));
                let unable = target.unable.get(row).map(|why| format!("not expressible: {why}"));
                let why = unable.or(failed).unwrap_or_else(|| "not measured".to_owned());
                let _ = writeln!(text, "| {} | {why} | | | | | | |", target.name);
                continue;
            };
            let late = target.spread(row, |sample| sample.late.as_secs_f64() * 1000.0);
            let ratio = |mine: &Spread, theirs: Option<Spread>| match theirs {
                Some(theirs) if theirs.median > 0.0 => format!("{:.2}", mine.median / theirs.median),
                _ => "–".to_owned(),
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.0} | {:.0} | {} | {} | {} |",
                target.name,
                spread(&wall),
                spread(&cpu),
                peak.median / 1_048_576.0,
                late.map_or(0.0, |late| late.max),
                ratio(&wall, reference.and_then(|reference| reference.wall(row))),
                ratio(&cpu, reference.and_then(|reference| reference.cpu(row))),
                ratio(&peak, reference.and_then(|reference| reference.peak(row)))
            );
            let noise = target.spread(row, |sample| sample.noise as f64).map_or(0.0, |noise| noise.max);
            if noise > 0.0 {
                let _ =
                    writeln!(text, "| | {noise:.0} UPDATEs to a neighbour whose routes did not change | | | | | | |");
            }
        }
        text
    }
}

fn spread(spread: &Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", spread.median, spread.min, spread.max)
}

/// Puts a generated text between its markers, which are added at the end of a document that has none.
pub fn into_document(document: &str, section: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {section}: begin, generated -->"), format!("<!-- {section}: end -->"));
    let (head, tail) = match (document.find(&begin), document.find(&end)) {
        (Some(from), Some(to)) if from < to => (&document[..from], &document[to + end.len()..]),
        _ => (document, "\n"),
    };
    let gap = if head.is_empty() || head.ends_with("\n\n") || document.len() != head.len() { "" } else { "\n" };
    format!("{head}{gap}{begin}\n\n{}\n\n{end}{tail}", text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_of_a_document_is_replaced_and_the_rest_stays() {
        let once = into_document("# Title\n\nWritten by hand.\n", "speed", "one");
        let twice = into_document(&(once.clone() + "\nMore.\n"), "speed", "two");
        assert!(once.starts_with("# Title\n\nWritten by hand.\n\n<!-- speed"));
        assert!(twice.contains("two") && !twice.contains("one") && twice.ends_with("\nMore.\n"));
        assert_eq!(twice.matches("<!--").count(), 2);
    }
}
