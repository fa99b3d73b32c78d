//! Where everything that is seen goes: counted, filtered, written.

use std::io::{self, Write as _};

use super::filter::Filter;
use super::sighting::Sighting;
use super::tally::Tally;
use super::{Form, bgpdump, json, pretty};

/// Octets gathered before they are written.
const CHUNK: usize = 64 << 10;

/// Faults of a file that are told one by one; the rest are only counted.
const TOLD: u64 = 20;

pub(super) struct Show {
    form: Form,
    filter: Filter,
    out: Vec<u8>,
    name: String,
    /// How much of the file was read, in words.
    pub(super) read: String,
    tally: Tally,
}

impl Show {
    pub(super) fn new(form: Form, filter: Filter) -> Self {
        Self { form, filter, out: Vec::new(), name: String::new(), read: String::new(), tally: Tally::default() }
    }

    /// Begins with a file.
    pub(super) fn start(&mut self, name: &str) {
        self.name = name.to_owned();
        self.read = "nothing read".to_owned();
        self.tally = Tally::default();
    }

    /// Shows it, if it is asked for.
    pub(super) fn sighting(&mut self, sighting: &Sighting<'_>) -> io::Result<()> {
        let asked = self.filter.sighting(sighting);
        self.tally.add(sighting, asked);
        if asked {
            match self.form {
                Form::Pretty => pretty::write(sighting, &self.filter, &mut self.out),
                Form::Json => json::write(sighting, &self.filter, &mut self.out),
                Form::Bgpdump => bgpdump::write(sighting, &self.filter, &mut self.out),
            }
            if self.out.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Tells of something in the file that cannot be read.
    pub(super) fn unreadable(&mut self, problem: &str) {
        self.tally.unreadable += 1;
        if self.tally.unreadable <= TOLD {
            eprintln!("{}: {problem}", self.name);
        }
    }

    /// Tells of the file as a whole; whether all of it could be read.
    pub(super) fn finish(&mut self) -> io::Result<bool> {
        self.flush()?;
        eprintln!("{}", self.tally.text(&self.name, &self.read));
        Ok(self.tally.unreadable == 0)
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&self.out)?;
        self.out.clear();
        stdout.flush()
    }
}
