//! Records off any reader, one at a time, in memory that does not grow with the file; and compressed files.

use super::read::{Header, torn};
use super::{HEADER_LEN, MrtError, MrtFault, Record};
use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use std::boxed::Box;
use std::fmt;
use std::io::{self, Cursor, Read};
use std::vec::Vec;

/// Longest record, in octets without header, that a [`Stream`] holds. The longest in collectors' files are a hundredth of it.
pub const MAX_RECORD_LEN: u32 = 16 << 20;

/// Octets asked of the source at once.
const CHUNK: usize = 256 << 10;

/// Why a stream gives no record.
#[derive(Debug)]
pub enum StreamError {
    /// The source failed, or what it unpacks is damaged; nothing can follow.
    Read {
        /// How many octets it gave before, uncompressed.
        offset: u64,
        /// Why.
        error: io::Error,
    },
    /// The record is wrong. After [`MrtFault::Torn`] nothing follows; after another fault the next record does.
    Record(MrtError),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { offset, error } => write!(f, "reading on after octet {offset}: {error}"),
            Self::Record(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { error, .. } => Some(error),
            Self::Record(_) => None,
        }
    }
}

/// The records of a file, in order, as [`super::Reader`] gives them. Holds one record and a chunk of what follows it, so at most
/// [`MAX_RECORD_LEN`] octets and a little more, whatever the file claims.
pub struct Stream<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where in `buffer` the next record starts.
    start: usize,
    /// Where in `buffer` what was read ends.
    end: usize,
    /// Where in the file `start` is.
    offset: u64,
    /// Octets of an oversized record still to pass over.
    skip: u64,
    state: State,
}

enum State {
    Reading,
    /// The source ended or failed; what is in the buffer is yet to be given.
    Ended(Option<io::Error>),
    Done,
}

impl<R: Read> Stream<Decompressed<R>> {
    /// Over a file that may be compressed with gzip or bzip2.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn decompressing(source: R) -> io::Result<Self> {
        Decompressed::new(source).map(Self::new)
    }
}

impl<R: Read> Stream<R> {
    /// Over an uncompressed file.
    pub fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0, end: 0, offset: 0, skip: 0, state: State::Reading }
    }

    /// Octets of the uncompressed file passed so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// As [`StreamError`] says; every record before the fault was given.
    #[inline]
    pub fn next_record(&mut self) -> Option<Result<Record<'_>, StreamError>> {
        if self.skip > 0 && !self.pass_over() {
            return self.failure(0).map(Err);
        }
        if !self.fill(HEADER_LEN) {
            return self.failure(self.end - self.start).map(Err);
        }
        let header = Header::read(&self.buffer[self.start..self.end])?;
        let (record, len) = (self.offset, header.content_len);
        if len > MAX_RECORD_LEN {
            self.skip = u64::from(len) + HEADER_LEN as u64;
            let fault = MrtFault::Oversized(len);
            return Some(Err(StreamError::Record(MrtError { record, offset: record + HEADER_LEN as u64 - 4, fault })));
        }
        let told = HEADER_LEN + len as usize;
        // At the end of the file there may be nothing to look ahead at.
        self.fill(told + header.look_ahead());
        let len = header.len(&self.buffer[self.start..self.end])?;
        if self.end - self.start < len {
            return self.failure(self.end - self.start).map(Err);
        }
        let start = self.start;
        self.start += len;
        self.offset += len as u64;
        Some(header.record(&self.buffer[start..start + len], record).map_err(StreamError::Record))
    }

    /// The one error at the end, if what ends there is not whole.
    fn failure(&mut self, left: usize) -> Option<StreamError> {
        let end = self.offset + left as u64;
        match std::mem::replace(&mut self.state, State::Done) {
            State::Ended(Some(error)) => Some(StreamError::Read { offset: end, error }),
            State::Done => None,
            _ if left == 0 => None,
            _ => Some(StreamError::Record(torn(self.offset, end))),
        }
    }

    /// Whether at least `len` octets from `start` on are in the buffer, after reading as far as needed.
    #[inline]
    fn fill(&mut self, len: usize) -> bool {
        self.end - self.start >= len || self.read_on(len)
    }

    fn read_on(&mut self, len: usize) -> bool {
        if !matches!(self.state, State::Reading) {
            return !matches!(self.state, State::Done) && self.end - self.start >= len;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let mut wanted = len.max(CHUNK);
        if self.buffer.len() < wanted {
            // Claimed lengths are believed only as far as octets come for them.
            wanted = wanted.min((2 * self.end).max(CHUNK));
            self.buffer.resize(wanted.max(self.buffer.len()), 0);
        }
        while self.end < len {
            if self.end == self.buffer.len() {
                self.buffer.resize((2 * self.end).min(len.max(CHUNK)), 0);
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.state = State::Ended(None);
                    return false;
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.state = State::Ended(Some(error));
                    return false;
                }
            }
        }
        true
    }

    /// Leaves an oversized record behind; whether there may be another after it.
    fn pass_over(&mut self) -> bool {
        loop {
            let passed = self.skip.min((self.end - self.start) as u64);
            self.skip -= passed;
            self.start += passed as usize;
            self.offset += passed;
            if self.skip == 0 {
                return true;
            }
            if !self.fill(1) {
                return false;
            }
        }
    }
}

impl<R> fmt::Debug for Stream<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// A reader that unpacks gzip and bzip2, told by their first octets, and passes on anything else as it is.
pub struct Decompressed<R>(Packed<R>);

/// The source, with the octets that were looked at before it.
type Whole<R> = io::Chain<Cursor<Vec<u8>>, R>;

enum Packed<R> {
    No(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
    Bzip2(Box<MultiBzDecoder<Whole<R>>>),
}

impl<R: Read> Decompressed<R> {
    /// Looks at the first octets of the source.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn new(mut source: R) -> io::Result<Self> {
        let mut first = Vec::with_capacity(3);
        (&mut source).take(3).read_to_end(&mut first)?;
        let (gzip, bzip2) = (first.starts_with(&[0x1f, 0x8b]), first.starts_with(b"BZh"));
        let whole = Cursor::new(first).chain(source);
        Ok(Self(match (gzip, bzip2) {
            (true, _) => Packed::Gzip(Box::new(MultiGzDecoder::new(whole))),
            (_, true) => Packed::Bzip2(Box::new(MultiBzDecoder::new(whole))),
            _ => Packed::No(whole),
        }))
    }
}

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Packed::No(source) => source.read(buffer),
            Packed::Gzip(source) => source.read(buffer),
            Packed::Bzip2(source) => source.read(buffer),
        }
    }
}

impl<R> fmt::Debug for Decompressed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Packed::No(_) => "Decompressed(plain)",
            Packed::Gzip(_) => "Decompressed(gzip)",
            Packed::Bzip2(_) => "Decompressed(bzip2)",
        })
    }
}
