//! What the demo prints: headed steps, what was done, what was found, and whether it is what the rules say.
//!
//! Given sentences and facts. It counts the expectations and remembers which failed; it checks nothing itself.

use std::fmt::Display;
use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use crate::output;

/// The demo's account of itself.
#[derive(Debug)]
pub(crate) struct Report {
    began: Instant,
    steps: usize,
    met: usize,
    failed: Vec<String>,
    terminal: bool,
    /// When progress was last shown, and whether its line is still open.
    progress: Option<Instant>,
}

impl Report {
    /// An empty account that begins now.
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            steps: 0,
            met: 0,
            failed: Vec::new(),
            terminal: io::stdout().is_terminal(),
            progress: None,
        }
    }

    /// Heads the next step.
    pub(crate) fn step(&mut self, title: &str) {
        self.close_progress();
        let number = self.steps;
        self.steps += 1;
        let heading = format!("{number}. {title}");
        if self.terminal {
            line(format_args!("\n\x1b[1m{heading}\x1b[0m"));
        } else {
            line(format_args!("\n{heading}"));
        }
    }

    /// Prints lines, indented below the step.
    pub(crate) fn say(&mut self, text: impl Display) {
        self.close_progress();
        for each in text.to_string().lines() {
            line(format_args!("   {each}"));
        }
    }

    /// Prints a file as it stands, marked off from what the demo says.
    pub(crate) fn quote(&mut self, text: &str) {
        self.close_progress();
        for each in text.lines() {
            line(format_args!("   | {each}"));
        }
    }

    /// Counts an expectation, and prints it with what was found if that is something else.
    pub(crate) fn expect(&mut self, met: bool, sentence: impl Display, found: impl Display) {
        self.close_progress();
        let (green, red, off) = if self.terminal { ("\x1b[32m", "\x1b[31m", "\x1b[0m") } else { ("", "", "") };
        if met {
            self.met += 1;
            line(format_args!("   {green}ok{off}  {sentence}"));
        } else {
            self.failed.push(sentence.to_string());
            line(format_args!("   {red}FAILED{off}  {sentence}; found {found}"));
        }
    }

    /// Shows how far something is: on a terminal in place, otherwise a line now and then.
    pub(crate) fn progress(&mut self, text: impl Display) {
        let pause = if self.terminal { Duration::from_millis(100) } else { Duration::from_secs(1) };
        if self.progress.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        self.progress = Some(Instant::now());
        if self.terminal {
            put(&format!("\r\x1b[2K   {text}"));
        } else {
            line(format_args!("   {text}"));
        }
    }

    /// The summary in one line, and whether everything was as expected.
    pub(crate) fn finish(&mut self) -> bool {
        self.close_progress();
        let (met, all) = (self.met, self.met + self.failed.len());
        let seconds = self.began.elapsed().as_secs_f64();
        line("");
        if self.failed.is_empty() {
            line(format_args!("All {all} expectations hold, in {seconds:.1} s."));
        } else {
            line(format_args!(
                "{met} of {all} expectations hold, in {seconds:.1} s; the first that failed: {}",
                self.failed[0]
            ));
        }
        self.failed.is_empty()
    }

    fn close_progress(&mut self) {
        if self.progress.take().is_some() && self.terminal {
            put("\r\x1b[2K");
        }
    }
}

/// Prints a line.
pub(crate) fn line(text: impl Display) {
    put(&format!("{text}\n"));
}

fn put(text: &str) {
    // The demo decides by its exit code, whoever reads what it prints.
    let _ = output::show(text);
}

/// A time as people read it: `0.8 ms`, `12 ms`, `3.1 s`.
pub(crate) fn took(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1e3),
    }
}
