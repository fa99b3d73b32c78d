//! AS_PATH (RFC 4271 section 4.3, RFC 5065, RFC 6793): the ASes a route came through, as a view on the octets and as an owned value.

use crate::ErrorCode;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// Stands in for a 4-octet AS number towards a speaker that has only two octets for it (RFC 6793).
pub const AS_TRANS: u16 = 23456;

/// Longest AS_PATH with 2-octet AS numbers, in octets, and longest AS4_PATH: merged and widened, the two still fit an attribute. Only
/// an extended message could carry longer ones, of more than 8000 ASes.
pub(crate) const MAX_NARROW_LEN: usize = 16384;
pub(crate) const MAX_AS4_LEN: usize = 32767;

/// What a path segment is. The numbers are those on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum SegmentKind {
    /// AS_SET: unordered, from aggregation.
    Set = 1,
    /// AS_SEQUENCE: ordered, the nearest AS first.
    Sequence = 2,
    /// AS_CONFED_SEQUENCE: ordered, within the confederation.
    ConfedSequence = 3,
    /// AS_CONFED_SET: unordered, within the confederation.
    ConfedSet = 4,
}

impl SegmentKind {
    /// The kind with this number on the wire.
    pub const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Set),
            2 => Some(Self::Sequence),
            3 => Some(Self::ConfedSequence),
            4 => Some(Self::ConfedSet),
            _ => None,
        }
    }

    const fn is_confederation(self) -> bool {
        matches!(self, Self::ConfedSequence | Self::ConfedSet)
    }
}

/// A view on an AS_PATH. Where the peer has 2-octet AS numbers, AS4_PATH has been merged into it (RFC 6793 section 4.2.3).
#[derive(Clone, Copy, Default)]
pub struct AsPath<'a> {
    path: &'a [u8],
    wide: bool,
    /// AS4_PATH, where it counts.
    tail: &'a [u8],
    /// How much of `path` stands before `tail`, by the count of RFC 4271 section 9.1.2.2; all of it if `tail` is empty.
    lead: u32,
}

impl<'a> AsPath<'a> {
    #[inline]
    pub(crate) fn wide(path: &'a [u8]) -> Self {
        Self { path, wide: true, tail: &[], lead: u32::MAX }
    }

    pub(crate) fn narrow(path: &'a [u8], as4_path: &'a [u8]) -> Self {
        let narrow = Self { path, wide: false, tail: &[], lead: u32::MAX };
        let (all, tail) = (narrow.path_length(), Self::wide(as4_path).path_length());
        if as4_path.is_empty() || all < tail { narrow } else { Self { tail: as4_path, lead: all - tail, ..narrow } }
    }

    /// A view on the value of AS_PATH as it came, whatever is wrong with it; it ends where the octets are no segment.
    pub fn as_sent(value: &'a [u8], as4: bool) -> Self {
        if as4 { Self::wide(value) } else { Self::narrow(value, &[]) }
    }

    /// The segments from the nearest AS on.
    #[inline]
    pub fn segments(&self) -> Segments<'a> {
        Segments { rest: self.path, wide: self.wide, tail: self.tail, lead: self.lead, in_tail: false }
    }

    /// Every AS number of every segment, in order.
    #[inline(always)]
    pub fn asns(&self) -> impl Iterator<Item = u32> + use<'a> {
        AllAsns { asns: Asns { narrow: &[], wide: &[] }, segments: self.segments() }
    }

    /// The length that path selection compares: a set counts one, confederation segments nothing (RFC 4271 section 9.1.2.2,
    /// RFC 5065 section 5.3).
    pub fn path_length(&self) -> u32 {
        self.segments()
            .map(|segment| match segment.kind {
                SegmentKind::Sequence => segment.asns.len() as u32,
                SegmentKind::Set => 1,
                SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 0,
            })
            .sum()
    }

    /// The AS the route was received from: the first of a leading sequence.
    pub fn first_as(&self) -> Option<u32> {
        let segment = self.segments().find(|segment| !segment.kind.is_confederation())?;
        if segment.kind == SegmentKind::Sequence { segment.asns.clone().next() } else { None }
    }

    /// The AS that originated the route: the last one, if the path ends in a sequence.
    pub fn origin_as(&self) -> Option<u32> {
        let segment = self.segments().filter(|segment| !segment.kind.is_confederation()).last()?;
        if segment.kind == SegmentKind::Sequence { segment.asns.last() } else { None }
    }

    /// Whether the AS number is anywhere in the path.
    pub fn contains(&self, asn: u32) -> bool {
        self.asns().any(|other| other == asn)
    }

    /// Whether the path has no segment, as for a route of the peer's own AS.
    pub fn is_empty(&self) -> bool {
        self.path.is_empty() && self.tail.is_empty()
    }

    /// Appends the segments with 4-octet AS numbers.
    pub(crate) fn write_wide(&self, out: &mut Vec<u8>) {
        if self.wide {
            out.extend_from_slice(self.path);
            return;
        }
        for segment in self.segments() {
            write_segment(segment.kind, segment.asns, out, |asn, out| out.extend_from_slice(&asn.to_be_bytes()));
        }
    }

    /// Appends the segments with 2-octet AS numbers; true if one did not fit and AS4_PATH is needed.
    pub(crate) fn write_narrow(&self, out: &mut Vec<u8>) -> bool {
        let mut trans = false;
        for segment in self.segments() {
            write_segment(segment.kind, segment.asns, out, |asn, out| {
                let narrow = u16::try_from(asn).unwrap_or_else(|_| {
                    trans = true;
                    AS_TRANS
                });
                out.extend_from_slice(&narrow.to_be_bytes());
            });
        }
        trans
    }

    /// Appends what goes into AS4_PATH: the path without confederation segments (RFC 6793 section 4.2.2).
    pub(crate) fn write_as4_path(&self, out: &mut Vec<u8>) {
        for segment in self.segments().filter(|segment| !segment.kind.is_confederation()) {
            write_segment(segment.kind, segment.asns, out, |asn, out| out.extend_from_slice(&asn.to_be_bytes()));
        }
    }
}

/// A segment's count is one octet, so that a longer run of ASes is written as several segments.
fn write_segment(kind: SegmentKind, mut asns: Asns<'_>, out: &mut Vec<u8>, mut write: impl FnMut(u32, &mut Vec<u8>)) {
    while asns.len() > 0 {
        let count = asns.len().min(255);
        out.extend_from_slice(&[kind as u8, count as u8]);
        asns.by_ref().take(count).for_each(|asn| write(asn, out));
    }
}

/// The AS numbers as text: `64500 64501 {64502,64503} (64504)`.
impl fmt::Display for AsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.segments().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            let (open, between, close) = match segment.kind {
                SegmentKind::Sequence => ("", " ", ""),
                SegmentKind::Set => ("{", ",", "}"),
                SegmentKind::ConfedSequence => ("(", " ", ")"),
                SegmentKind::ConfedSet => ("[", ",", "]"),
            };
            f.write_str(open)?;
            for (at, asn) in segment.asns.enumerate() {
                write!(f, "{}{asn}", if at > 0 { between } else { "" })?;
            }
            f.write_str(close)?;
        }
        Ok(())
    }
}

impl fmt::Debug for AsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Two paths are equal if they have the same segments, whatever the width of the numbers on the wire.
impl PartialEq for AsPath<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.segments().eq(other.segments())
    }
}

impl Eq for AsPath<'_> {}

/// One segment of a path.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    /// Sequence or set.
    pub kind: SegmentKind,
    /// Its AS numbers.
    pub asns: Asns<'a>,
}

impl PartialEq for Segment<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.asns.clone().eq(other.asns.clone())
    }
}

/// The AS numbers of one segment, in order.
#[derive(Clone, Debug)]
pub struct Asns<'a> {
    narrow: &'a [u8],
    wide: &'a [u8],
}

impl Iterator for Asns<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if let Some((asn, rest)) = self.narrow.split_first_chunk() {
            self.narrow = rest;
            return Some(u16::from_be_bytes(*asn).into());
        }
        let (asn, rest) = self.wide.split_first_chunk()?;
        self.wide = rest;
        Some(u32::from_be_bytes(*asn))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.narrow.len() / 2 + self.wide.len() / 4;
        (len, Some(len))
    }

    #[inline]
    fn fold<B, F: FnMut(B, u32) -> B>(self, init: B, mut f: F) -> B {
        let first =
            self.narrow.as_chunks().0.iter().fold(init, |folded, asn| f(folded, u16::from_be_bytes(*asn).into()));
        self.wide.as_chunks().0.iter().fold(first, |folded, asn| f(folded, u32::from_be_bytes(*asn)))
    }
}

impl ExactSizeIterator for Asns<'_> {}

/// The AS numbers of every segment, in order.
#[derive(Clone, Debug)]
struct AllAsns<'a> {
    asns: Asns<'a>,
    segments: Segments<'a>,
}

impl Iterator for AllAsns<'_> {
    type Item = u32;

    #[inline(never)]
    fn next(&mut self) -> Option<u32> {
        loop {
            if let Some(asn) = self.asns.next() {
                return Some(asn);
            }
            self.asns = self.segments.next()?.asns;
        }
    }

    #[inline(always)]
    fn fold<B, F: FnMut(B, u32) -> B>(self, init: B, mut f: F) -> B {
        let mut folded = init;
        if !self.segments.wide || !self.segments.tail.is_empty() || self.segments.in_tail || self.asns.len() > 0 {
            for asn in self {
                folded = f(folded, asn);
            }
            return folded;
        }
        // As nearly every path is: segment by segment with nothing to merge.
        let mut rest = self.segments.rest;
        while let Some(segment) = split_segment(&mut rest, true) {
            for asn in segment.asns.wide.as_chunks().0 {
                folded = f(folded, u32::from_be_bytes(*asn));
            }
        }
        folded
    }
}

/// The segments of a path, in order.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    rest: &'a [u8],
    wide: bool,
    tail: &'a [u8],
    lead: u32,
    /// Within AS4_PATH, where confederation segments do not belong and are skipped (RFC 6793 section 6).
    in_tail: bool,
}

impl<'a> Segments<'a> {
    /// Leaves the part before AS4_PATH and goes on within AS4_PATH.
    fn enter_tail(&mut self) {
        self.rest = core::mem::take(&mut self.tail);
        self.wide = true;
        self.in_tail = true;
    }

    #[inline]
    fn split(&mut self) -> Option<Segment<'a>> {
        loop {
            let segment = split_segment(&mut self.rest, self.wide)?;
            if !(self.in_tail && segment.kind.is_confederation()) {
                return Some(segment);
            }
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    #[inline]
    fn next(&mut self) -> Option<Segment<'a>> {
        if self.tail.is_empty() { self.split() } else { self.next_merged() }
    }
}

impl<'a> Segments<'a> {
    /// The next segment while AS4_PATH is still to come.
    fn next_merged(&mut self) -> Option<Segment<'a>> {
        let segment = match self.split() {
            Some(segment) if segment.kind.is_confederation() => return Some(segment),
            Some(segment) if self.lead > 0 => segment,
            _ => {
                self.enter_tail();
                return self.split();
            }
        };
        if segment.kind == SegmentKind::Set {
            self.lead -= 1;
            return Some(segment);
        }
        let count = segment.asns.len() as u32;
        // A confederation segment next to one that is taken whole is taken too (RFC 6793 section 4.2.3).
        let ends_before_confederation =
            || split_segment(&mut &*self.rest, self.wide).is_some_and(|next| next.kind.is_confederation());
        if count < self.lead || (count == self.lead && ends_before_confederation()) {
            self.lead -= count;
            return Some(segment);
        }
        let narrow = &segment.asns.narrow[..2 * self.lead as usize];
        self.enter_tail();
        // One sequence that was cut in two only because its far end comes from AS4_PATH is shown as one.
        let ahead = self.clone();
        let wide = match self.split() {
            Some(next) if next.kind == SegmentKind::Sequence => next.asns.wide,
            _ => {
                *self = ahead;
                &[]
            }
        };
        Some(Segment { kind: SegmentKind::Sequence, asns: Asns { narrow, wide } })
    }
}

#[inline(always)]
fn split_segment<'a>(rest: &mut &'a [u8], wide: bool) -> Option<Segment<'a>> {
    let (&[kind, count], body) = rest.split_first_chunk()?;
    let (asns, after) = body.split_at_checked(usize::from(count) * if wide { 4 } else { 2 })?;
    *rest = after;
    let asns = if wide { Asns { narrow: &[], wide: asns } } else { Asns { narrow: asns, wide: &[] } };
    Some(Segment { kind: SegmentKind::from_octet(kind)?, asns })
}

/// Whether the value is a single sequence that [`check`] passes, or empty, as nearly every path is: a quick look before the thorough one.
#[inline]
pub(crate) fn is_plain(value: &[u8], wide: bool) -> bool {
    let Some((&[2, count], asns)) = value.split_first_chunk() else { return value.is_empty() };
    count > 0 && asns.len() == usize::from(count) * if wide { 4 } else { 2 } && !any_zero(asns, wide)
}

#[inline(never)]
fn any_zero(asns: &[u8], wide: bool) -> bool {
    if wide { asns.as_chunks().0.contains(&[0; 4]) } else { asns.as_chunks().0.contains(&[0; 2]) }
}

/// Whether one of the AS numbers that stand in this range of the octets is 0. The first 16 octets and the last 16 are all there are of
/// nearly every path; where it has less, its neighbours are read and do not count. So there is no branch on how long the path is, which
/// the processor could not foresee.
#[inline(always)]
pub(crate) fn has_zero<const WIDE: bool>(octets: &[u8], asns: Range<usize>) -> bool {
    static FILL: [u8; 48] = {
        let mut fill = [0xff; 48];
        let mut at = 16;
        while at < 32 {
            fill[at] = 0;
            at += 1;
        }
        fill
    };
    let (len, shown) = (asns.len(), asns.len().min(16));
    let first = octets.get(asns.start..).and_then(|octets| octets.first_chunk::<16>());
    let last = octets.get(..asns.end).and_then(|octets| octets.last_chunk::<16>());
    let (fill_first, fill_last) = (FILL[32 - shown..].first_chunk::<16>(), FILL[shown..].first_chunk::<16>());
    match (first, last, fill_first, fill_last) {
        (Some(first), Some(last), Some(fill_first), Some(fill_last)) if len <= 32 => {
            has_zero_lane::<WIDE>(first, fill_first) | has_zero_lane::<WIDE>(last, fill_last)
        }
        _ => any_zero(octets.get(asns).unwrap_or_default(), WIDE),
    }
}

/// Whether a number of four octets, or two, is 0 where nothing is filled in.
#[inline(always)]
fn has_zero_lane<const WIDE: bool>(octets: &[u8; 16], fill: &[u8; 16]) -> bool {
    const LOWEST: [u64; 2] = [0x0001_0001_0001_0001, 0x0000_0001_0000_0001];
    let lowest = LOWEST[usize::from(WIDE)];
    let highest = lowest << if WIDE { 31 } else { 15 };
    let filled = u128::from_ne_bytes(*octets) | u128::from_ne_bytes(*fill);
    // Taking 1 away borrows from the highest bit of a lane that is 0, and of no other but those above it.
    let borrows = |lanes: u64| lanes.wrapping_sub(lowest) & !lanes;
    (borrows(filled as u64) | borrows((filled >> 64) as u64)) & highest != 0
}

/// Checks a path's value: segments known, not empty, not cut short (RFC 7606 section 7.2), free of AS 0 (RFC 7607).
#[inline]
pub(crate) fn check(value: &[u8], wide: bool, confederation: bool) -> Result<(), ErrorCode> {
    let mut rest = value;
    while let Some((&[kind, count], body)) = rest.split_first_chunk() {
        let kind = SegmentKind::from_octet(kind).ok_or(ErrorCode::MalformedAsPath)?;
        let asns = body.split_at_checked(usize::from(count) * if wide { 4 } else { 2 });
        let Some((asns, after)) = asns.filter(|_| count > 0) else { return Err(ErrorCode::MalformedAsPath) };
        if kind.is_confederation() && !confederation {
            return Err(ErrorCode::ConfederationSegment);
        }
        if any_zero(asns, wide) {
            return Err(ErrorCode::AsZero);
        }
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(ErrorCode::MalformedAsPath) }
}

/// An owned AS path that can be built and changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct AsPathBuf {
    /// The segments as AS_PATH has them with 4-octet AS numbers: so a path is one piece of memory, and reading one into it one copy.
    octets: Vec<u8>,
}

impl AsPathBuf {
    /// The empty path, that of a route of one's own.
    pub const fn new() -> Self {
        Self { octets: Vec::new() }
    }

    /// A path of one sequence, the nearest AS first.
    pub fn sequence(asns: impl IntoIterator<Item = u32>) -> Self {
        let mut path = Self::new();
        path.push(SegmentKind::Sequence, asns);
        path
    }

    /// Adds a segment at the far end; several if there are more ASes than one can have, 255. An empty one, which must not be sent, is
    /// left out.
    pub fn push(&mut self, kind: SegmentKind, asns: impl IntoIterator<Item = u32>) {
        let mut segment = None;
        for asn in asns {
            match segment.filter(|at| self.octets[at + 1] < u8::MAX) {
                Some(at) => self.octets[at + 1] += 1,
                None => {
                    segment = Some(self.octets.len());
                    self.octets.extend_from_slice(&[kind as u8, 1]);
                }
            }
            self.octets.extend_from_slice(&asn.to_be_bytes());
        }
    }

    /// Puts an AS number in front `count` times (RFC 4271 section 5.1.2).
    pub fn prepend(&mut self, asn: u32, count: usize) {
        let mut left = count;
        if let [kind, present, ..] = &mut self.octets[..]
            && *kind == SegmentKind::Sequence as u8
        {
            let joining = left.min(usize::from(u8::MAX - *present));
            *present += joining as u8;
            left -= joining;
            self.octets.splice(2..2, core::iter::repeat_n(asn.to_be_bytes(), joining).flatten());
        }
        if left > 0 {
            let mut front = Self::sequence(core::iter::repeat_n(asn, left));
            front.octets.append(&mut self.octets);
            *self = front;
        }
    }

    /// A view on the path.
    pub fn as_path(&self) -> AsPath<'_> {
        AsPath::wide(&self.octets)
    }

    /// AS_PATH's value in a canonical block. What an attribute cannot hold, more than 16000 ASes, is cut off the far end.
    pub(crate) fn to_wide(&self) -> Vec<u8> {
        let mut end = 0;
        for segment in self.as_path().segments() {
            let after = end + 2 + 4 * segment.asns.len();
            if after > usize::from(u16::MAX) {
                break;
            }
            end = after;
        }
        self.octets[..end].to_vec()
    }
}

impl From<AsPath<'_>> for AsPathBuf {
    fn from(path: AsPath<'_>) -> Self {
        let mut octets = Vec::new();
        path.write_wide(&mut octets);
        Self { octets }
    }
}

/// As [`AsPath`] is shown.
impl fmt::Display for AsPathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_path().fmt(f)
    }
}
