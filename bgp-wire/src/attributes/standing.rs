//! Which attributes of a block stand, and which types were met: a few words, since every parsed UPDATE has them.

use super::code;

/// The known types of which a block has an attribute that stands, by the bit of each code, and where to look for each first. What stands
/// is the first of its type: a later one never does, even if the first was discarded. Two words, which stay in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    known: u64,
    /// Offsets in the block of the most usual types, an octet for each, by [`hint_shift`]; 0 where it is too far on for that.
    hints: u64,
}

/// Where among the hints the offset of the attributes of this type is; past them for a type that has none.
#[inline(always)]
const fn hint_shift(code: u8) -> u32 {
    match code {
        code::AS_PATH => 0,
        code::NEXT_HOP => 8,
        code::MED => 16,
        code::LOCAL_PREF => 24,
        code::COMMUNITIES => 32,
        code::MP_REACH_NLRI => 40,
        code::EXTENDED_COMMUNITIES => 48,
        code::LARGE_COMMUNITIES => 56,
        _ => u64::BITS,
    }
}

impl Standing {
    /// Adds the attribute of a known type, which is not there yet, that is found at this offset of the block.
    #[inline(always)]
    pub(crate) fn insert(&mut self, known: u8, at: usize) {
        self.insert_if(true, known, at);
    }

    /// As [`Self::insert`], if it is there, and without a branch.
    #[inline(always)]
    pub(crate) fn insert_if(&mut self, there: bool, known: u8, at: usize) {
        self.known |= u64::from(there) << (known & 63);
        let hint = if there && at <= 0xff { at as u64 } else { 0 };
        self.hints |= hint.checked_shl(hint_shift(known)).unwrap_or(0);
    }

    #[inline]
    pub(crate) const fn contains(self, code: u8) -> bool {
        code < 64 && self.known & (1 << code) != 0
    }

    /// As [`Self::contains`], for a known type.
    #[inline]
    pub(crate) const fn contains_known(self, known: u8) -> bool {
        self.known & (1 << (known & 63)) != 0
    }

    /// Whether the type, a known one, comes after all that are there.
    #[inline]
    pub(super) const fn is_beyond(&self, known: u8) -> bool {
        self.known >> (known & 63) == 0
    }

    /// Whether there are the attributes that routes must have: ORIGIN, AS_PATH, and NEXT_HOP if there are some in the plain NLRI field.
    #[inline]
    pub(crate) const fn has_mandatory(&self, plain: bool) -> bool {
        let mandatory = 1 << code::ORIGIN | 1 << code::AS_PATH | (plain as u64) << code::NEXT_HOP;
        self.known & mandatory == mandatory
    }

    /// An offset in the block at which the attribute of this type may be, and at which there is an attribute.
    #[inline(always)]
    pub(super) const fn hint(&self, code: u8) -> usize {
        match self.hints.checked_shr(hint_shift(code)) {
            Some(hints) => (hints & 0xff) as usize,
            None => 0,
        }
    }
}

/// The types met so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Types below 64, all known ones among them, apart from the others to keep them in a register.
    low: u64,
    high: [u64; 3],
}

impl Seen {
    /// The types of attributes that all stand.
    pub(crate) const fn all_standing(standing: Standing) -> Self {
        Self { low: standing.known, high: [0; 3] }
    }

    /// Adds a type; false if it was there.
    #[inline]
    pub(crate) fn insert(&mut self, code: u8) -> bool {
        let word = match code {
            0..64 => &mut self.low,
            _ => &mut self.high[usize::from(code >> 6) - 1],
        };
        let bit = 1 << (code & 63);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Whether no type but this one, below 64, was met.
    pub(crate) fn is_only(&self, code: u8) -> bool {
        self.low & !(1 << (code & 63)) == 0 && self.high == [0; 3]
    }

    /// Whether a type below 64 was met.
    pub(crate) fn contains_known(&self, code: u8) -> bool {
        self.low & (1 << (code & 63)) != 0
    }
}
