//! Route target constraint (RFC 4684): which route targets a speaker wants to hear of.

use super::{Form, Route, sealed};
use crate::{AfiSafi, ExtendedCommunity, FamilySet};
use alloc::vec::Vec;
use core::fmt;

/// A wish for the routes whose targets start like this one. The shortest, of no bits, asks for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetMembership<'a> {
    /// Length of the whole in bits: 0, or 32 for the origin AS and up to 64 more for the target.
    pub bits: u8,
    octets: &'a [u8],
}

impl<'a> TargetMembership<'a> {
    /// The wish for all.
    pub const ANY: TargetMembership<'static> = TargetMembership { bits: 0, octets: &[] };

    /// Of the first `bits` bits of these octets: an AS number and as much of a route target as there is, such as [`Self::encode`] made.
    /// `None` for a length that a route does not have, or other than that of the octets.
    pub fn from_octets(bits: u8, octets: &'a [u8]) -> Option<Self> {
        let fits = matches!(bits, 0 | 32..=96) && octets.len() == usize::from(bits).div_ceil(8);
        fits.then_some(Self { bits, octets })
    }

    /// The octets of the wish of an AS for a whole route target; they are 96 bits.
    pub fn encode(origin_as: u32, target: ExtendedCommunity) -> [u8; 12] {
        let mut octets = [0; 12];
        octets[..4].copy_from_slice(&origin_as.to_be_bytes());
        octets[4..].copy_from_slice(&target.0);
        octets
    }

    /// The AS that wishes; `None` in the wish for all.
    pub fn origin_as(&self) -> Option<u32> {
        self.octets.first_chunk().map(|octets| u32::from_be_bytes(*octets))
    }

    /// As many octets of the route target as there are.
    pub fn target_octets(&self) -> &'a [u8] {
        self.octets.get(4..).unwrap_or_default()
    }

    /// The route target, if it is given whole.
    pub fn target(&self) -> Option<ExtendedCommunity> {
        self.target_octets().try_into().ok().filter(|_| self.bits == 96).map(ExtendedCommunity)
    }
}

impl<'a> Route<'a> for TargetMembership<'a> {
    const FAMILIES: FamilySet = FamilySet::EMPTY.with(AfiSafi::ROUTE_TARGETS);

    fn split(octets: &'a [u8], _: Form) -> Option<(Self, &'a [u8])> {
        let (&bits, rest) = octets.split_first()?;
        if !matches!(bits, 0 | 32..=96) {
            return None;
        }
        let (octets, rest) = rest.split_at_checked(usize::from(bits).div_ceil(8))?;
        Some((Self { bits, octets }, rest))
    }

    fn fits(&self, _: Form) -> bool {
        true
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.bits);
        out.extend_from_slice(self.octets);
    }
}

impl sealed::Sealed for TargetMembership<'_> {}

/// `64500 rt:64500:100`, `64500 0002fbf4/24` for a part of a target, `any`.
impl fmt::Display for TargetMembership<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(asn) = self.origin_as() else {
            return f.write_str("any");
        };
        match self.target() {
            Some(target) => write!(f, "{asn} {target}"),
            None => {
                write!(f, "{asn} ")?;
                self.target_octets().iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                write!(f, "/{}", self.bits - 32)
            }
        }
    }
}
