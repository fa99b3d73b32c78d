//! A quick look that knows the usual attributes where they are sound: most blocks are nothing else. What it does not know is left to
//! [`super::check`], so that it decides nothing by itself but speed.
//!
//! In the run it looks at first, it branches on nothing that differs from one sound message to the next, such as how long a path is: to
//! foresee that wrongly costs the processor more than all the rest.

use super::{RawAttribute, Standing, code, flag, is_canonical};
use crate::{DecodeCtx, PeerKind, as_path};
use core::ops::Range;

const OPTIONAL_TRANSITIVE: u8 = flag::OPTIONAL | flag::TRANSITIVE;

/// Whether the attribute is one of the usual ones and sound, by a quick look: if it is not, [`super::check`] decides.
#[inline(always)]
pub(crate) fn is_plainly_sound(attribute: &RawAttribute<'_>, ctx: &DecodeCtx) -> bool {
    let value = attribute.value;
    let list_of = |size: usize| !value.is_empty() && value.len().is_multiple_of(size);
    let (flags, sound) = match attribute.code {
        code::ORIGIN => (flag::TRANSITIVE, matches!(value, [0..=2])),
        code::AS_PATH => (flag::TRANSITIVE, as_path::is_plain(value, ctx.as4)),
        code::NEXT_HOP => (flag::TRANSITIVE, value.len() == 4),
        code::MED => (flag::OPTIONAL, value.len() == 4),
        code::LOCAL_PREF => (flag::TRANSITIVE, value.len() == 4 && ctx.peer != PeerKind::External),
        code::ATOMIC_AGGREGATE => (flag::TRANSITIVE, value.is_empty()),
        code::AGGREGATOR => (
            OPTIONAL_TRANSITIVE,
            match value {
                [a, b, c, d, _, _, _, _] => ctx.as4 && [*a, *b, *c, *d] != [0; 4],
                [a, b, _, _, _, _] => !ctx.as4 && [*a, *b] != [0; 2],
                _ => false,
            },
        ),
        code::COMMUNITIES => (OPTIONAL_TRANSITIVE, list_of(4)),
        code::EXTENDED_COMMUNITIES => (OPTIONAL_TRANSITIVE, list_of(8)),
        code::LARGE_COMMUNITIES => (OPTIONAL_TRANSITIVE, list_of(12)),
        _ => return false,
    };
    let sound = sound && (attribute.flags ^ flags) & OPTIONAL_TRANSITIVE == 0;
    debug_assert!(!sound || super::check(attribute, ctx).is_ok(), "{attribute:?}");
    sound
}

/// The run of usual, sound attributes of different types that a block has in this range, added to what stands before it, which is none of
/// them; and where the run ends. `octets` are those of the block, and may go on after it.
#[inline(always)]
pub(crate) fn plain_run(octets: &[u8], range: Range<usize>, standing: Standing, ctx: &DecodeCtx) -> (Standing, usize) {
    let end = range.end;
    let (standing, at) = if ctx.as4 {
        usual_start::<true>(octets, range, standing, ctx)
    } else {
        narrow_start(octets, range, standing, ctx)
    };
    if at == end { (standing, at) } else { plain_rest(octets.get(..end).unwrap_or_default(), at, standing, ctx) }
}

#[inline(never)]
fn narrow_start(octets: &[u8], range: Range<usize>, standing: Standing, ctx: &DecodeCtx) -> (Standing, usize) {
    usual_start::<false>(octets, range, standing, ctx)
}

/// The run from `at` on, attribute by attribute.
#[inline(never)]
fn plain_rest(block: &[u8], mut at: usize, mut standing: Standing, ctx: &DecodeCtx) -> (Standing, usize) {
    while let Some((attribute, taken)) = block.get(at..).and_then(RawAttribute::read)
        && is_plainly_sound(&attribute, ctx)
        && !standing.contains_known(attribute.code)
    {
        standing.insert(attribute.code, at);
        at += taken;
    }
    (standing, at)
}

/// The octets of ORIGIN, then those of AS_PATH up to its first AS number.
const PATH_AT: usize = 4;
const ASNS_AT: usize = PATH_AT + 5;

/// Octets of an attribute whose value is a number or an address.
const NUMBER_LEN: usize = 7;

/// Three octets as [`header_at`] has them.
const fn header(flags: u8, code: u8, len: u8) -> u32 {
    u32::from_le_bytes([flags, code, len, 0])
}

/// The three octets at an offset, if there are four.
#[inline(always)]
fn header_at(octets: &[u8], at: usize) -> u32 {
    octets.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |four| u32::from_le_bytes(*four) & 0xff_ffff)
}

/// ORIGIN and AS_PATH, then such as are there of NEXT_HOP, MULTI_EXIT_DISC, LOCAL_PREF and COMMUNITIES, as nearly all write them: in this
/// order, the path a single sequence. Adds them to what stands, and gives where they end; nothing where the first two do not stand so.
#[inline(always)]
fn usual_start<const WIDE: bool>(
    octets: &[u8],
    range: Range<usize>,
    mut standing: Standing,
    ctx: &DecodeCtx,
) -> (Standing, usize) {
    // The value of ORIGIN and the length of AS_PATH are left open.
    const START: u64 =
        u64::from_le_bytes([flag::TRANSITIVE, code::ORIGIN, 1, 0, flag::TRANSITIVE, code::AS_PATH, 0, 2]);
    const FIXED: u64 = u64::from_le_bytes([0xff, 0xff, 0xff, 0, 0xff, 0xff, 0, 0xff]);
    let (start, len) = (range.start, range.len());
    let none = (standing, start);
    let Some(octets) = octets.get(start..) else { return none };
    let (Some(head), Some(&count)) = (octets.first_chunk(), octets.get(ASNS_AT - 1)) else { return none };
    let head = u64::from_le_bytes(*head);
    let (origin, path_len) = (head >> 24 & 0xff, (head >> 48 & 0xff) as usize);
    let mut at = PATH_AT + 3 + path_len;
    let whole = path_len == 2 + usize::from(count) * if WIDE { 4 } else { 2 } && count > 0 && at <= len;
    if head & FIXED != START || origin > 2 || !whole || as_path::has_zero::<WIDE>(octets, ASNS_AT..at) {
        return none;
    }
    standing.insert(code::ORIGIN, start);
    standing.insert(code::AS_PATH, start + PATH_AT);
    let mut next = header_at(octets, at);
    if next == header(flag::TRANSITIVE, code::NEXT_HOP, 4) && at + NUMBER_LEN <= len {
        standing.insert(code::NEXT_HOP, start + at);
        at += NUMBER_LEN;
        next = header_at(octets, at);
    }
    if next == header(flag::OPTIONAL, code::MED, 4) && at + NUMBER_LEN <= len {
        standing.insert(code::MED, start + at);
        at += NUMBER_LEN;
        next = header_at(octets, at);
    }
    if next == header(flag::TRANSITIVE, code::LOCAL_PREF, 4) && at + NUMBER_LEN <= len && ctx.peer != PeerKind::External
    {
        standing.insert(code::LOCAL_PREF, start + at);
        at += NUMBER_LEN;
        next = header_at(octets, at);
    }
    // What was read here is the attribute, if there is one, and else what comes after the block.
    let value_len = (next >> 16) as usize;
    let end = at + 3 + value_len;
    let there = (next & 0xffff == header(OPTIONAL_TRANSITIVE, code::COMMUNITIES, 0))
        & (value_len != 0)
        & value_len.is_multiple_of(4)
        & (end <= len);
    standing.insert_if(there, code::COMMUNITIES, start + at);
    at = if there { end } else { at };
    (standing, start + at)
}

/// A canonical block of nothing but usual, sound attributes, which needs no change for a session with 4-octet AS numbers: what stands
/// before NEXT_HOP and what after it.
#[inline]
pub(crate) fn split_plain(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let ctx = DecodeCtx { as4: true, peer: PeerKind::Unknown, ..DecodeCtx::default() };
    let (mut standing, mut at) = usual_start::<true>(block, 0..block.len(), Standing::default(), &ctx);
    let mut middle = if at > 0 { PATH_AT + 3 + usize::from(block[PATH_AT + 2]) } else { 0 };
    while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty()) {
        let (attribute, taken) = RawAttribute::read(rest)?;
        if !standing.is_beyond(attribute.code) || !is_canonical(attribute.code) || !is_plainly_sound(&attribute, &ctx) {
            return None;
        }
        standing.insert(attribute.code, at);
        at += taken;
        if attribute.code < code::NEXT_HOP {
            middle = at;
        }
    }
    let parts = block.split_at_checked(middle)?;
    (!standing.contains_known(code::NEXT_HOP)).then_some(parts)
}
