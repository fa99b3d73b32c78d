//! What this project's daemon is to reach, and whether a run did. Most bars are ratios to BIRD 2 of the same run.

use std::fmt::Write;

use crate::measure::Spread;
use crate::report::{Measured, REFERENCE, Report};
use crate::scenario::{Key, Row};

/// One bar: the figure must not be above the limit.
pub struct Bar {
    /// What is compared.
    pub what: String,
    /// What the run gave; nothing where a row for it is missing.
    pub figure: Option<f64>,
    /// The limit.
    pub limit: f64,
}

impl Bar {
    /// Whether it is met, if that is known.
    pub fn met(&self) -> Option<bool> {
        self.figure.map(|figure| figure <= self.limit)
    }
}

/// A figure of a row, and its name.
type Figure = (&'static str, fn(&Measured, &Row) -> Option<Spread>);
/// Figures and the most that each may be.
type Limits = &'static [(Figure, f64)];

const WALL: Figure = ("wall", Measured::wall);
const CPU: Figure = ("CPU", Measured::cpu);
const PEAK: Figure = ("peak", Measured::peak);

/// Bars on the ratio to another target: of which row, the target, the figures and their limits.
const RATIOS: &[(Key, &str, Limits)] = &[
    (Key::A, REFERENCE, &[(WALL, 0.30), (CPU, 0.30), (PEAK, 0.70)]),
    (Key::B, REFERENCE, &[(WALL, 0.30), (CPU, 0.30), (PEAK, 0.60)]),
    (Key::C, REFERENCE, &[(WALL, 0.20), (CPU, 0.20), (PEAK, 1.00)]),
    (Key::C, "frr", &[(WALL, 0.35), (CPU, 0.35)]),
    (Key::DropA, REFERENCE, &[(WALL, 0.30), (CPU, 0.30)]),
    (Key::DropB, REFERENCE, &[(WALL, 0.15), (CPU, 0.15)]),
    (Key::E, REFERENCE, &[(WALL, 0.25), (CPU, 0.25), (PEAK, 0.70)]),
    (Key::F, REFERENCE, &[(WALL, 0.25), (CPU, 0.25), (PEAK, 0.55)]),
    (Key::G, REFERENCE, &[(WALL, 0.20), (CPU, 0.20), (PEAK, 0.50)]),
    (Key::H, REFERENCE, &[(WALL, 0.10), (CPU, 0.10), (PEAK, 0.70)]),
    (Key::H, "bird3", &[(WALL, 0.20), (CPU, 0.20)]),
];

/// All bars of a report.
pub fn all(report: &Report) -> Vec<Bar> {
    let Some(ours) = report.target("peerage") else { return Vec::new() };
    let mut bars = Vec::new();
    for (key, other, figures) in RATIOS {
        // (f) is about the largest, the others have one row each but for the sizes of (a).
        let rows: Vec<Row> = report.rows.iter().copied().filter(|row| row.key == *key).collect();
        let row = if *key == Key::A { rows.first().copied() } else { rows.into_iter().max_by_key(|row| row.count) };
        let Some((row, theirs)) = row.zip(report.target(other)) else { continue };
        for ((name, figure), limit) in *figures {
            let ratio = figure(ours, &row).zip(figure(theirs, &row)).map(|(a, b)| a.median / b.median);
            bars.push(Bar { what: format!("{row}: {name} / {other}"), figure: ratio, limit: *limit });
        }
    }
    bars.extend(own(report, ours));
    bars
}

/// Bars that need more than a ratio of one row.
fn own(report: &Report, ours: &Measured) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut bar = |what: &str, figure: Option<f64>, limit| bars.push(Bar { what: what.to_owned(), figure, limit });
    let has = |key: Key| report.rows.iter().any(|row| row.key == key);
    if has(Key::F) {
        let difference = |target: &Measured, (_, figure): Figure| {
            let row = target.largest(Key::F)?;
            let plain = figure(target, &Row { key: Key::A, ..row })?.median;
            Some(figure(target, &row)?.median - plain)
        };
        for figure in [WALL, CPU] {
            let ratio = report.target(REFERENCE).and_then(|theirs| {
                Some(difference(ours, figure)? / difference(theirs, figure).filter(|difference| *difference > 0.0)?)
            });
            bar(&format!("(f) − (a): {} / {REFERENCE}", figure.0), ratio, 0.20);
        }
        bar("(f): octets per leaked copy", ours.octets().leaked, 64.0);
    }
    if has(Key::E) {
        let flat = ours.largest(Key::E).and_then(|row| {
            let before = ours.spread(&row, |sample| sample.before as f64 * 1024.0)?.median;
            Some(ours.peak(&row)?.median / before)
        });
        bar("(e): peak / memory before the rounds", flat, 1.25);
    }
    if let Some(row) = ours.largest(Key::I) {
        bar("(i): octets per leaked copy above the native tables", ours.octets().crowd, 64.0);
        bar("(i): wall s", ours.wall(&row).map(|wall| wall.median), 3.0);
    }
    if let Some(row) = ours.largest(Key::J) {
        for (name, figure) in [WALL, CPU] {
            let plain = figure(ours, &Row { key: Key::F, count: row.count, times: 1 });
            let ratio = figure(ours, &row).zip(plain).map(|(a, b)| a.median / b.median);
            bar(&format!("(j): {name} / (f)"), ratio, 1.15);
        }
    }
    for key in [Key::Added, Key::Removed] {
        if let Some(row) = ours.largest(key) {
            bar(&format!("{row}: wall s"), ours.wall(&row).map(|wall| wall.median), 0.15);
            let noise = ours.spread(&row, |sample| sample.noise as f64).map(|noise| noise.max);
            bar(&format!("{row}: UPDATEs to neighbours it does not touch"), noise, 0.0);
        }
    }
    for key in [Key::Added, Key::Removed, Key::DropA, Key::DropB] {
        if let Some(row) = ours.largest(key) {
            let late = ours.spread(&row, |sample| sample.late.as_secs_f64() * 1000.0);
            bar(&format!("{row}: a keepalive late by ms"), late.map(|late| late.max), 100.0);
        }
    }
    let plain: Vec<Row> = ours.samples.keys().filter(|row| row.key == Key::A).copied().collect();
    if let (Some(least), Some(most)) = (plain.iter().find(|row| row.count >= 250_000), plain.last())
        && most.count >= 4 * least.count
    {
        let each = |row: &Row| ours.cpu(row).map(|cpu| cpu.median / row.count as f64);
        let ratio = each(most).zip(each(least)).map(|(most, least)| most / least);
        bar(&format!("(a): CPU per route, {} / {}", most.count, least.count), ratio, 1.25);
    }
    if let Some(row) = ours.largest(Key::C) {
        let one = ours.cpu(&Row { key: Key::A, count: row.count, times: 1 });
        let more =
            ours.cpu(&row).zip(one).map(|(many, one)| (many.median - one.median) * 1000.0 / (row.times - 1) as f64);
        bar("(c): CPU ms per further sink", more, 12.0);
    }
    bars
}

/// As a table.
pub fn markdown(report: &Report) -> String {
    let mut text = "| bar | measured | at most | |\n|---|---|---|---|\n".to_owned();
    let bars = all(report);
    for bar in &bars {
        let figure = bar.figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.2}"));
        let verdict = match bar.met() {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "not measured",
        };
        let _ = writeln!(text, "| {} | {figure} | {} | {verdict} |", bar.what, bar.limit);
    }
    let met = bars.iter().filter(|bar| bar.met() == Some(true)).count();
    let _ = writeln!(text, "\n{met} of {} bars are met.", bars.len());
    text
}
