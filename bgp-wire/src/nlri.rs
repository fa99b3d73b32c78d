//! Prefixes as they stand in an UPDATE: length in bits, then as few octets as that needs (RFC 4271 section 4.3), each with a path
//! identifier before it where ADD-PATH was negotiated (RFC 7911 section 3).

use crate::family::Family;
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;

/// The prefixes of one field, decoded as they are asked for. They were checked when the UPDATE was parsed, so that iterating cannot fail.
///
/// Each item is the path identifier (only with ADD-PATH) and the key with its host bits zeroed.
pub struct Nlri<'a, F> {
    rest: &'a [u8],
    add_path: bool,
    family: PhantomData<F>,
}

impl<'a, F: Family> Nlri<'a, F> {
    /// Over octets that [`check`] has passed.
    pub(crate) fn new(rest: &'a [u8], add_path: bool) -> Self {
        Self { rest, add_path, family: PhantomData }
    }

    /// Whether no prefix is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<F> Clone for Nlri<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Nlri<'_, F> {}

impl<F: Family> fmt::Debug for Nlri<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl<F: Family> Iterator for Nlri<'_, F> {
    type Item = (Option<u32>, F::Key);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut path_id = None;
        if self.add_path {
            let (id, rest) = self.rest.split_first_chunk()?;
            path_id = Some(u32::from_be_bytes(*id));
            self.rest = rest;
        }
        let (key, taken) = F::read(self.rest)?;
        self.rest = self.rest.get(taken..)?;
        Some((path_id, key))
    }

    #[inline(always)]
    fn fold<B, G: FnMut(B, Self::Item) -> B>(mut self, init: B, mut f: G) -> B {
        let mut folded = init;
        if !self.add_path {
            loop {
                while let Some(key) = F::read_usual(self.rest)
                    && let Some(rest) = self.rest.get(F::USUAL_OCTETS..)
                {
                    folded = f(folded, (None, key));
                    self.rest = rest;
                }
                if self.rest.is_empty() {
                    return folded;
                }
                let Some((key, rest)) = unusual::<F>(self.rest) else { return folded };
                folded = f(folded, (None, key));
                self.rest = rest;
            }
        }
        for route in self {
            folded = f(folded, route);
        }
        folded
    }

    /// The exact number of routes, for which their lengths are walked through.
    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.count();
        (count, Some(count))
    }

    #[inline]
    fn count(self) -> usize {
        let mut count = 0;
        // Octets that are no route, which parsing lets through nowhere, end the routes.
        let _ = walk::<F>(self.rest, self.add_path, || count += 1);
        count
    }
}

impl<F: Family> ExactSizeIterator for Nlri<'_, F> {}

impl<F: Family> FusedIterator for Nlri<'_, F> {}

/// The prefix at the start, of any length, and what comes after it.
#[inline(never)]
fn unusual<F: Family>(rest: &[u8]) -> Option<(F::Key, &[u8])> {
    let (key, taken) = F::read(rest)?;
    Some((key, rest.get(taken..)?))
}

/// Checks that a field is whole routes. On a prefix that is too long or cut short, gives its offset in the field.
#[inline(always)]
pub(crate) fn check<F: Family>(field: &[u8], add_path: bool) -> Result<(), usize> {
    if !add_path && F::are_usual(field) { Ok(()) } else { walk::<F>(field, add_path, || {}) }
}

/// Walks the length octets of a field.
#[inline(always)]
fn walk<F: Family>(field: &[u8], add_path: bool, mut each: impl FnMut()) -> Result<(), usize> {
    let skip = if add_path { 4 } else { 0 };
    let mut rest = field;
    loop {
        while !add_path
            && let Some(after) = rest.get(F::USUAL_OCTETS..)
            && F::USUAL.contains(&rest[0])
        {
            rest = after;
            each();
        }
        if rest.is_empty() {
            return Ok(());
        }
        let at = field.len() - rest.len();
        let &length = rest.get(skip).ok_or(at)?;
        let taken = skip + 1 + usize::from(length).div_ceil(8);
        if length > F::MAX_PREFIX_LEN || taken > rest.len() {
            return Err(at);
        }
        rest = &rest[taken..];
        each();
    }
}
