//! The codec beside netgauze-bgp-pkt, bgpkit-parser and routecore on the same octets, and beside bgpdump on MRT files.
//!
//! `cargo bench -p benches --bench wire` prints the tables; with `-- --document` it writes them into docs/performance.md as well. Real
//! data is looked for in ../shared/data beside the checkout, or in the folder named by `-- --data FOLDER`.

mod corpus;
mod mrt;
mod others;
mod ours;
mod report;

use std::path::{Path, PathBuf};

use bytes::BytesMut;

use corpus::Corpus;
use others::{bgpkit_parser_crate as bgpkit, netgauze, routecore_crate as routecore};
use report::{CRATES, Report, Task, best, each, times};

const RECORDED: &str = "updates.et-header.2015.gz";
const MRT_FILES: [&str; 3] = [RECORDED, "updates.20071015.1505.gz", "rrc00_2000.01_bview.20000111.0032.gz"];

/// The best times of one kind of work on one corpus, by crate; infinite where a crate cannot do it.
struct Row {
    corpus: String,
    messages: usize,
    seconds: [f64; 4],
}

impl Row {
    /// How many times as long the fastest of the others takes.
    fn lead(&self) -> f64 {
        self.seconds[1..].iter().copied().fold(f64::INFINITY, f64::min) / self.seconds[0]
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.corpus.clone()];
        let time = |seconds: &f64| if seconds.is_finite() { each(*seconds, self.messages) } else { "–".to_owned() };
        cells.extend(self.seconds.iter().map(time));
        cells.push(times(self.lead()));
        cells
    }
}

/// Everything that is measured on one corpus.
struct Measured {
    /// Walking the lengths, the full walk, and bgp-wire's view parse alone, with NLRI, AS_PATH and communities iterated, and
    /// to the canonical block.
    floors: [f64; 5],
    prefixes: Row,
    paths: Row,
    everything: Row,
    owned: Row,
    encode: Row,
}

fn rounds(corpus: &Corpus) -> usize {
    if corpus.octets.len() > 4 << 20 { 15 } else { 60 }
}

fn measure(corpus: &Corpus) -> Measured {
    let octets = &corpus.octets;
    let (ours, theirs) = (ours::Source::new(corpus), (netgauze::Source::new(corpus), bgpkit::Source::new(corpus)));
    let (mut out, mut vec, mut bytes) = (BytesMut::new(), Vec::new(), BytesMut::new());
    let mut tasks: Vec<Task<'_>> = vec![
        Box::new(|| ours::lengths(octets)),
        Box::new(|| ours::walk(octets)),
        Box::new(|| ours::parse(octets)),
        Box::new(|| ours::canonical(octets)),
        Box::new(|| ours::prefixes(octets)),
        Box::new(|| netgauze::prefixes(octets)),
        Box::new(|| bgpkit::prefixes(corpus)),
        Box::new(|| routecore::prefixes(corpus)),
        Box::new(|| ours::everything(octets)),
        Box::new(|| netgauze::everything(octets)),
        Box::new(|| bgpkit::everything(corpus)),
        Box::new(|| routecore::everything(corpus)),
        Box::new(|| ours::owned(octets)),
        Box::new(|| netgauze::decode(octets)),
        Box::new(|| bgpkit::decode(corpus)),
        Box::new(|| routecore::owned(corpus)),
        Box::new(|| ours.encode(&mut out)),
        Box::new(|| theirs.0.encode(&mut vec)),
        Box::new(|| theirs.1.encode(&mut bytes)),
        Box::new(|| ours::paths(octets)),
        Box::new(|| netgauze::paths(octets)),
        Box::new(|| bgpkit::paths(corpus)),
        Box::new(|| routecore::paths(corpus)),
    ];
    let figures = best(rounds(corpus), &mut tasks);
    drop(tasks);
    let check = |from: usize, expected: u64| {
        for (figure, name) in figures[from..from + 4].iter().zip(CRATES) {
            assert_eq!(figure.1, expected, "{name} read something else in {}", corpus.name);
        }
    };
    check(4, figures[4].1);
    check(8, figures[1].1);
    check(19, figures[19].1);
    assert!(corpus.is_recorded || out == octets, "{} is written again as it was", corpus.name);
    let row = |from: usize, crates: usize| {
        let mut seconds = [f64::INFINITY; 4];
        seconds[..crates].iter_mut().zip(&figures[from..]).for_each(|(second, figure)| *second = figure.0);
        Row { corpus: corpus.name.clone(), messages: corpus.messages(), seconds }
    };
    Measured {
        floors: [figures[0].0, figures[1].0, figures[2].0, figures[19].0, figures[3].0],
        prefixes: row(4, 4),
        paths: row(19, 4),
        everything: row(8, 4),
        owned: row(12, 4),
        encode: row(16, 3),
    }
}

fn tables(report: &mut Report, all: &[Measured]) {
    let mut head = vec!["ns for an UPDATE"];
    head.extend(CRATES);
    head.push("ahead of the fastest");
    let mut table = |title: &str, pick: fn(&Measured) -> &Row| {
        report.say(title);
        report.table(&head, &all.iter().map(|measured| pick(measured).cells()).collect::<Vec<_>>());
    };
    table("### View parse to prefixes and next hop", |measured| &measured.prefixes);
    table("### View parse, every prefix, AS number and community iterated", |measured| &measured.paths);
    table("### View parse, every value of every attribute", |measured| &measured.everything);
    table(
        "### Owned decode\n\nFor bgp-wire: vectors of prefixes and communities and an `AsPathBuf`, made from the view. netgauze-bgp-pkt and \
         bgpkit-parser have no other form; routecore as `PaMap` and a vector of routes.",
        |measured| &measured.owned,
    );
    table(
        "### Encode\n\nFrom what was decoded before. routecore is left out: it writes IPv4 routes in MP_REACH_NLRI only.",
        |measured| &measured.encode,
    );
    report.say("### Against the floor");
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|measured| {
            let [lengths, walk, parse, paths, canonical] = measured.floors;
            let mut cells = vec![measured.prefixes.corpus.clone()];
            let messages = measured.prefixes.messages;
            cells.extend([lengths, walk, parse, paths, canonical].map(|seconds| each(seconds, messages)));
            cells.push(times(paths / walk));
            cells
        })
        .collect();
    report.table(
        &[
            "ns for an UPDATE",
            "lengths only",
            "full walk, nothing checked",
            "view parse",
            "view parse, NLRI, AS_PATH, communities",
            "canonical block and prefixes",
            "that to the full walk",
        ],
        &rows,
    );
}

/// Every malformation of a corpus; the worst ratio to the well-formed corpus.
fn malformed(report: &mut Report, corpora: &[&Corpus]) -> f64 {
    let mut worst = 0.0f64;
    let mut rows = Vec::new();
    for corpus in corpora {
        let damaged = corpus::malformed(corpus);
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for octets in std::iter::once(&corpus.octets[..]).chain(damaged.iter().map(|damage| &damage.octets[..])) {
            tasks.push(Box::new(move || ours::parse_any(octets)));
            tasks.push(Box::new(move || ours::everything_any(octets)));
            tasks.push(Box::new(move || ours::canonical_any(octets)));
        }
        let figures = best(60, &mut tasks);
        let worth = |name: &str| !name.starts_with("nothing but") || corpus.name.ends_with("many attributes");
        for (index, damage) in damaged.iter().enumerate().filter(|(_, damage)| worth(damage.name)) {
            let stages = &figures[3 * (index + 1)..][..3];
            let ratios: Vec<f64> = stages.iter().zip(&figures).map(|(bad, good)| bad.0 / good.0).collect();
            worst = ratios.iter().copied().fold(worst, f64::max);
            let mut cells = vec![corpus.name.clone(), damage.name.to_owned()];
            cells.extend(ratios.iter().map(|ratio| format!("{ratio:.2}")));
            rows.push(cells);
        }
    }
    report.say(
        "### Malformed input\n\nEvery message of the corpus made malformed, its size kept; time as a multiple of that for the well-formed \
         corpus. Of a message that ends the session only the parse is left. What makes a message a row of small attributes is held against \
         well-formed messages that are such a row too.",
    );
    report.table(
        &[
            "corpus",
            "what is wrong",
            "parse",
            "parse, faults listed, all that stands iterated",
            "parse, canonical block",
        ],
        &rows,
    );
    worst
}

/// The MRT files that are there; the least lead over bgpkit-parser and over bgpdump.
fn mrt(report: &mut Report, folder: &Path) -> (f64, f64) {
    let mut rows = Vec::new();
    let (mut least, mut least_dump) = (f64::INFINITY, f64::INFINITY);
    for name in MRT_FILES {
        let file = match corpus::uncompressed(folder, name).and_then(|octets| mrt::File::new(name, octets)) {
            Ok(file) => file,
            Err(error) => {
                report.say(&format!("{name} is missing: {error}"));
                continue;
            }
        };
        let entries = file.entries();
        let figures = best(10, &mut [Box::new(|| file.ours()) as Task<'_>, Box::new(|| file.bgpkit())]);
        let (ours, bgpkit) = (figures[0].0, figures[1].0);
        let dump = bgpdump(&file, entries).unwrap_or_else(|reason| {
            report.say(&format!("bgpdump (Debian package bgpdump) is not measured on {name}: {reason}"));
            f64::NAN
        });
        least = least.min(bgpkit / ours);
        // What is no number is the lesser of none.
        least_dump = least_dump.min(dump / ours);
        let rate = |seconds: f64| {
            let rate = file.octets.len() as f64 / seconds / 1e6;
            if rate.is_finite() { format!("{rate:.0}") } else { "–".to_owned() }
        };
        let (theirs, faulty) = (file.bgpkit_entries(), file.faulty());
        let same = match figures[0].1 == figures[1].1 {
            true => "yes".to_owned(),
            false if theirs != entries => format!("no: {theirs} of the {entries}"),
            false if faulty > 0 => {
                format!("no: {faulty} UPDATEs have an attribute that does not stand, which it reads")
            }
            false => "no".to_owned(),
        };
        rows.push(vec![
            name.trim_end_matches(".gz").to_owned(),
            entries.to_string(),
            rate(ours),
            rate(bgpkit),
            rate(dump),
            times(bgpkit / ours),
            times(dump / ours),
            same,
        ]);
    }
    report.say(
        "### MRT\n\nWhole uncompressed files, every value of every message and route read: in this process with bgp-wire and with \
         bgpkit-parser's record iterator; bgpdump is a process of its own that prints a line for each route to /dev/null, and its figure \
         includes that.",
    );
    report.table(
        &[
            "file",
            "messages or routes",
            "bgp-wire, MB/s",
            "bgpkit-parser, MB/s",
            "bgpdump, MB/s",
            "ahead of bgpkit-parser",
            "ahead of bgpdump",
            "bgpkit-parser read the same",
        ],
        &rows,
    );
    (least, least_dump)
}

/// The best time in which bgpdump prints a file, in seconds, or why it cannot be held against others' times.
fn bgpdump(file: &mrt::File, entries: usize) -> Result<f64, String> {
    let lines = file.bgpdump_lines().map_err(|error| error.to_string())?;
    if lines < entries {
        return Err(format!("it reads {lines} of the {entries} routes, and the bar is without it"));
    }
    let mut printed = Ok(());
    let mut print: [Task<'_>; 1] = [Box::new(|| {
        printed = file.bgpdump();
        0
    })];
    let seconds = best(3, &mut print)[0].0;
    drop(print);
    printed.map(|()| seconds).map_err(|error| error.to_string())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = arguments.iter().position(|argument| argument == "--data").and_then(|at| arguments.get(at + 1));
    let data = data.map_or_else(|| root.join("../shared/data"), PathBuf::from);

    let mut report = Report::default();
    report.say(&report::circumstances());
    let mut corpora = corpus::generated();
    match corpus::uncompressed(&data, RECORDED) {
        Ok(file) => corpora.insert(2, corpus::recorded("IPv4, a full table of 2015", &file)),
        Err(error) => report.say(&format!("{RECORDED} is missing: {error}")),
    }
    let great = &corpora[0];
    report.say(&format!(
        "The first stream has {} prefixes in {} UPDATEs, {:.1} MB.",
        great.prefixes,
        great.messages(),
        great.octets.len() as f64 / 1e6,
    ));
    let all: Vec<Measured> = corpora.iter().map(measure).collect();
    tables(&mut report, &all);
    let named = |name: &str| corpora.iter().position(|corpus| corpus.name == name).expect("a corpus of this name");
    let chosen = ["IPv4, 10 to an UPDATE", "IPv4, 900 to an UPDATE", "IPv4, attribute-heavy", "IPv4, many attributes"];
    let worst = malformed(&mut report, &chosen.map(|name| &corpora[named(name)]));
    let (over_bgpkit, over_bgpdump) = mrt(&mut report, &data);

    let first = &all[0];
    report.at_least(
        "view parse, NLRI, AS_PATH and communities iterated, ahead of the fastest",
        first.paths.lead(),
        5.0,
    );
    report.at_most("the same, to the full walk", first.floors[3] / first.floors[1], 1.5);
    report.at_least("owned decode, ahead of the fastest", first.owned.lead(), 2.5);
    report.at_least("encode, ahead of the fastest", first.encode.lead(), 2.0);
    let one = &all[named("IPv4, 1 to an UPDATE")];
    let one_prefix = |seconds: f64| seconds * 1e9 / one.prefixes.messages as f64;
    report.at_most("view parse of a one-prefix UPDATE, ns", one_prefix(one.floors[2]), 30.0);
    report.at_most("malformed to well-formed, the worst", worst, 2.0);
    for (what, measured, bar) in
        [("MRT, ahead of bgpkit-parser", over_bgpkit, 5.0), ("MRT, ahead of bgpdump", over_bgpdump, 20.0)]
    {
        if measured.is_finite() {
            report.at_least(what, measured, bar);
        } else {
            report.unmeasured(what, &format!("≥ {bar}"));
        }
    }
    let text = report.finish();
    if arguments.iter().any(|argument| argument == "--document")
        && let Err(error) = report::document(&root.join("docs/performance.md"), &text)
    {
        eprintln!("docs/performance.md is not written: {error}");
        std::process::exit(1);
    }
}
