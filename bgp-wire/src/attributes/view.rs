//! The typed view on a block of attributes.

use super::check::{AIGP_TLV, check, split_aigp_tlv};
use super::{
    Aggregator, Origin, RawAttribute, Seen, Standing, canonical_flags, code, expected_flags, flag, is_known,
    is_passed_on, plain_run, read_aggregator, write_aggregator,
};
use crate::as_path::{self, AsPath};
use crate::community::{Community, LargeCommunity, List};
use crate::ext_community::{ExtendedCommunity, Ipv6ExtendedCommunity};
use crate::{DecodeCtx, PeerKind};
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

/// A view on the attributes of an UPDATE or of a canonical block. Only what stands is seen: an attribute that was discarded or came a
/// second time is not there.
#[derive(Clone, Copy)]
pub struct Attributes<'a> {
    block: &'a [u8],
    standing: Standing,
    wide: bool,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(block: &'a [u8], standing: Standing, wide: bool) -> Self {
        Self { block, standing, wide }
    }

    /// A view on a canonical block, as [`crate::Update::canonical_attributes`] and [`crate::AttributesBuilder::build`] write it. Of
    /// other octets, what is not a sound attribute is left out.
    pub fn canonical(block: &'a [u8]) -> Self {
        Self::from_dump(block, true)
    }

    /// A view on attributes from a source that checked them; what is not sound is left out all the same.
    pub(crate) fn from_dump(block: &'a [u8], wide: bool) -> Self {
        let ctx = DecodeCtx { as4: wide, peer: PeerKind::Unknown, ..DecodeCtx::default() };
        let (mut standing, plain) = plain_run(block, 0..block.len(), Standing::default(), &ctx);
        let mut seen = Seen::all_standing(standing);
        let mut rest = &block[plain..];
        while let Some((attribute, after)) = RawAttribute::split(rest) {
            if seen.insert(attribute.code) && is_known(attribute.code) && check(&attribute, &ctx).is_ok() {
                standing.insert(attribute.code, block.len() - rest.len());
            }
            rest = after;
        }
        Self { block, standing, wide }
    }

    /// The attribute of this type, if it stands.
    #[inline(always)]
    pub fn get(&self, code: u8) -> Option<RawAttribute<'a>> {
        if is_known(code) {
            if !self.standing.contains(code) {
                return None;
            }
            let (attribute, _) = RawAttribute::read(self.block.get(self.standing.hint(code)..)?)?;
            if attribute.code == code {
                return Some(attribute);
            }
        }
        self.find(code)
    }

    /// The first attribute of this type in the block.
    #[inline(never)]
    fn find(&self, code: u8) -> Option<RawAttribute<'a>> {
        let mut rest = self.block;
        while let Some((attribute, after)) = RawAttribute::split(rest) {
            if attribute.code == code {
                return Some(attribute);
            }
            rest = after;
        }
        None
    }

    #[inline(always)]
    fn value(&self, code: u8) -> Option<&'a [u8]> {
        self.get(code).map(|attribute| attribute.value)
    }

    #[inline(always)]
    fn number(&self, code: u8) -> Option<u32> {
        self.value(code)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
    }

    #[inline]
    fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.number(code).map(Ipv4Addr::from_bits)
    }

    /// ORIGIN.
    #[inline]
    pub fn origin(&self) -> Option<Origin> {
        match self.value(code::ORIGIN)? {
            [0] => Some(Origin::Igp),
            [1] => Some(Origin::Egp),
            [2] => Some(Origin::Incomplete),
            _ => None,
        }
    }

    /// AS_PATH, with AS4_PATH merged in where the peer has 2-octet AS numbers. Empty where it is absent.
    #[inline(always)]
    pub fn as_path(&self) -> AsPath<'a> {
        let path = self.value(code::AS_PATH).unwrap_or_default();
        if self.wide { AsPath::wide(path) } else { self.merged_as_path(path) }
    }

    #[inline(never)]
    fn merged_as_path(&self, path: &'a [u8]) -> AsPath<'a> {
        let as4_path = if self.as4_is_stale() { &[] } else { self.value(code::AS4_PATH).unwrap_or_default() };
        AsPath::narrow(path, as4_path)
    }

    /// AS_PATH as it came, without AS4_PATH merged in.
    pub fn unmerged_as_path(&self) -> AsPath<'a> {
        let path = self.value(code::AS_PATH).unwrap_or_default();
        if self.wide { AsPath::wide(path) } else { AsPath::narrow(path, &[]) }
    }

    /// AS4_PATH as it came. Not part of a canonical block.
    pub fn as4_path(&self) -> Option<AsPath<'a>> {
        self.value(code::AS4_PATH).map(AsPath::wide)
    }

    /// AGGREGATOR as it came, without regard to AS4_AGGREGATOR.
    pub fn unmerged_aggregator(&self) -> Option<Aggregator> {
        self.value(code::AGGREGATOR).and_then(read_aggregator)
    }

    /// AS4_AGGREGATOR as it came. Not part of a canonical block.
    pub fn as4_aggregator(&self) -> Option<Aggregator> {
        self.value(code::AS4_AGGREGATOR).and_then(read_aggregator)
    }

    /// Whether a speaker with 2-octet AS numbers aggregated the route and so left AS4_PATH and AS4_AGGREGATOR behind (RFC 6793 section
    /// 4.2.3).
    fn as4_is_stale(&self) -> bool {
        self.as4_aggregator().is_some()
            && self.unmerged_aggregator().is_some_and(|aggregator| aggregator.asn != as_path::AS_TRANS.into())
    }

    /// NEXT_HOP, the next hop of the plain NLRI field. Not part of a canonical block.
    #[inline(always)]
    pub fn next_hop(&self) -> Option<Ipv4Addr> {
        self.address(code::NEXT_HOP)
    }

    /// MULTI_EXIT_DISC.
    #[inline]
    pub fn med(&self) -> Option<u32> {
        self.number(code::MED)
    }

    /// LOCAL_PREF.
    #[inline]
    pub fn local_pref(&self) -> Option<u32> {
        self.number(code::LOCAL_PREF)
    }

    /// Whether ATOMIC_AGGREGATE is there.
    pub fn atomic_aggregate(&self) -> bool {
        self.standing.contains(code::ATOMIC_AGGREGATE)
    }

    /// AGGREGATOR, or AS4_AGGREGATOR where that holds the AS number proper.
    pub fn aggregator(&self) -> Option<Aggregator> {
        let aggregator = self.unmerged_aggregator()?;
        if self.wide || self.as4_is_stale() {
            return Some(aggregator);
        }
        Some(self.as4_aggregator().unwrap_or(aggregator))
    }

    /// COMMUNITIES.
    #[inline(always)]
    pub fn communities(&self) -> List<'a, Community> {
        List::new(self.value(code::COMMUNITIES).unwrap_or_default())
    }

    /// EXTENDED COMMUNITIES.
    #[inline]
    pub fn ext_communities(&self) -> List<'a, ExtendedCommunity> {
        List::new(self.value(code::EXTENDED_COMMUNITIES).unwrap_or_default())
    }

    /// IPV6_ADDRESS_SPECIFIC_EXTENDED_COMMUNITIES.
    pub fn ipv6_ext_communities(&self) -> List<'a, Ipv6ExtendedCommunity> {
        List::new(self.value(code::IPV6_EXTENDED_COMMUNITIES).unwrap_or_default())
    }

    /// BGP-LS, as it came: TLVs that this crate does not read.
    pub fn link_state(&self) -> Option<&'a [u8]> {
        self.value(code::LINK_STATE)
    }

    /// LARGE_COMMUNITY.
    #[inline]
    pub fn large_communities(&self) -> List<'a, LargeCommunity> {
        List::new(self.value(code::LARGE_COMMUNITIES).unwrap_or_default())
    }

    /// AIGP: the IGP metric accumulated along the way; that of the first TLV counts. Part of a canonical
    /// block only where [`crate::AttributesBuilder::aigp`] put it.
    pub fn aigp(&self) -> Option<u64> {
        let mut rest = self.value(code::AIGP)?;
        while let Some((kind, metric, after)) = split_aigp_tlv(rest) {
            if kind == AIGP_TLV {
                return metric.first_chunk().map(|metric| u64::from_be_bytes(*metric));
            }
            rest = after;
        }
        None
    }

    /// OTC: the AS that marked the route to go to customers only.
    pub fn only_to_customer(&self) -> Option<u32> {
        self.number(code::ONLY_TO_CUSTOMER)
    }

    /// ORIGINATOR_ID: the speaker that brought the route into the AS.
    pub fn originator_id(&self) -> Option<Ipv4Addr> {
        self.address(code::ORIGINATOR_ID)
    }

    /// CLUSTER_LIST: the route reflectors the route passed, the nearest first.
    pub fn cluster_list(&self) -> List<'a, Ipv4Addr> {
        List::new(self.value(code::CLUSTER_LIST).unwrap_or_default())
    }

    /// The attributes this crate does not know, as they came.
    pub fn unknown(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        self.iter().filter(|attribute| !is_known(attribute.code))
    }

    /// Every attribute that stands, in the order of the block.
    #[inline]
    pub fn iter(&self) -> AttributesIter<'a> {
        AttributesIter { rest: self.block, standing: self.standing, seen: Seen::default() }
    }

    /// Every attribute as it came, in the order of the block, whether it stands or not, up to where the block is no attribute.
    pub fn as_sent(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        let mut rest = self.block;
        core::iter::from_fn(move || {
            let (attribute, taken) = RawAttribute::read(rest)?;
            rest = &rest[taken..];
            Some(attribute)
        })
    }

    /// The octets of the block, as they came.
    pub fn octets(&self) -> &'a [u8] {
        self.block
    }

    /// Appends the canonical form; see [`crate::AttributesBuilder`] for what that is.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        if !self.copy_canonical(out) {
            self.write_where(is_passed_on, out);
        }
    }

    /// Does that for a block that is in canonical form but for what belongs to the routes, as most are, and says whether it was one.
    fn copy_canonical(&self, out: &mut Vec<u8>) -> bool {
        let (block, start) = (self.block, out.len());
        // What stands from `run` on is to be copied.
        let (mut run, mut at, mut last) = (0, 0, 0);
        while let Some((attribute, taken)) = RawAttribute::read(&block[at..]) {
            let code = attribute.code;
            if !is_passed_on(code) {
                out.extend_from_slice(&block[run..at]);
                run = at + taken;
            } else if code > last && self.standing.contains(code) && attribute.flags == expected_flags(code) {
                last = code;
            } else {
                break;
            }
            at += taken;
        }
        let whole = self.wide && at == block.len();
        if whole {
            out.extend_from_slice(&block[run..]);
        } else {
            out.truncate(start);
        }
        whole
    }

    /// As [`Self::write_canonical`], of the types that are to be included.
    #[inline]
    pub(crate) fn write_where(&self, included: impl Fn(u8) -> bool + Copy, out: &mut Vec<u8>) {
        let start = out.len();
        let mut last = 0;
        for attribute in self.iter() {
            if !included(attribute.code) {
                continue;
            }
            if attribute.code < last {
                out.truncate(start);
                return self.write_sorted(included, out);
            }
            last = attribute.code;
            self.write_one(attribute, out);
        }
    }

    /// As [`Self::write_canonical`], for a block whose attributes are not in the order of their types. However many the block has, at
    /// most one of each type is left to sort.
    #[cold]
    fn write_sorted(&self, included: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
        let mut attributes: Vec<_> = self.iter().filter(|attribute| included(attribute.code)).collect();
        attributes.sort_unstable_by_key(|attribute| attribute.code);
        attributes.into_iter().for_each(|attribute| self.write_one(attribute, out));
    }

    fn write_one(&self, attribute: RawAttribute<'a>, out: &mut Vec<u8>) {
        let partial = attribute.flags & flag::PARTIAL;
        match attribute.code {
            code::AS_PATH if !self.wide => {
                let mut value = Vec::with_capacity(2 * attribute.value.len());
                self.as_path().write_wide(&mut value);
                RawAttribute { flags: flag::TRANSITIVE, code: code::AS_PATH, value: &value }.write(out);
            }
            code::AGGREGATOR if !self.wide => {
                if let Some(aggregator) = self.aggregator() {
                    let flags = expected_flags(code::AGGREGATOR) | partial;
                    RawAttribute { flags, code: code::AGGREGATOR, value: &write_aggregator(aggregator) }.write(out);
                }
            }
            _ => {
                if let Some(flags) = canonical_flags(&attribute) {
                    RawAttribute { flags, ..attribute }.write(out);
                }
            }
        }
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The attributes that stand, in the order of the block.
#[derive(Clone, Debug)]
pub struct AttributesIter<'a> {
    rest: &'a [u8],
    standing: Standing,
    seen: Seen,
}

impl<'a> Iterator for AttributesIter<'a> {
    type Item = RawAttribute<'a>;

    fn next(&mut self) -> Option<RawAttribute<'a>> {
        loop {
            let (attribute, taken) = RawAttribute::read(self.rest)?;
            self.rest = &self.rest[taken..];
            let first = self.seen.insert(attribute.code);
            if first && (self.standing.contains(attribute.code) || !is_known(attribute.code)) {
                return Some(attribute);
            }
        }
    }
}
