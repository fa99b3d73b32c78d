//! Path attributes (RFC 4271 section 5): their headers, the rule RFC 7606 section 7 sets for each, and a typed view on a block of them.
//!
//! A view never decodes more than it is asked for, and holds nothing but the block and where in it each known attribute stands.

use crate::as_path::{self, AsPath};
use crate::community::{Community, LargeCommunity, List};
use crate::ext_community::{ExtendedCommunity, Ipv6ExtendedCommunity};
use crate::{Action, DecodeCtx, ErrorCode, PeerKind, prefix_sid, tunnel};
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

/// Type codes of the attributes this crate knows.
pub mod code {
    /// ORIGIN (RFC 4271).
    pub const ORIGIN: u8 = 1;
    /// AS_PATH (RFC 4271).
    pub const AS_PATH: u8 = 2;
    /// NEXT_HOP (RFC 4271).
    pub const NEXT_HOP: u8 = 3;
    /// MULTI_EXIT_DISC (RFC 4271).
    pub const MED: u8 = 4;
    /// LOCAL_PREF (RFC 4271).
    pub const LOCAL_PREF: u8 = 5;
    /// ATOMIC_AGGREGATE (RFC 4271).
    pub const ATOMIC_AGGREGATE: u8 = 6;
    /// AGGREGATOR (RFC 4271).
    pub const AGGREGATOR: u8 = 7;
    /// COMMUNITIES (RFC 1997).
    pub const COMMUNITIES: u8 = 8;
    /// ORIGINATOR_ID (RFC 4456).
    pub const ORIGINATOR_ID: u8 = 9;
    /// CLUSTER_LIST (RFC 4456).
    pub const CLUSTER_LIST: u8 = 10;
    /// MP_REACH_NLRI (RFC 4760).
    pub const MP_REACH_NLRI: u8 = 14;
    /// MP_UNREACH_NLRI (RFC 4760).
    pub const MP_UNREACH_NLRI: u8 = 15;
    /// EXTENDED COMMUNITIES (RFC 4360).
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    /// AS4_PATH (RFC 6793).
    pub const AS4_PATH: u8 = 17;
    /// AS4_AGGREGATOR (RFC 6793).
    pub const AS4_AGGREGATOR: u8 = 18;
    /// PMSI_TUNNEL (RFC 6514).
    pub const PMSI_TUNNEL: u8 = 22;
    /// TUNNEL_ENCAPSULATION (RFC 9012).
    pub const TUNNEL_ENCAPSULATION: u8 = 23;
    /// IPV6_ADDRESS_SPECIFIC_EXTENDED_COMMUNITIES (RFC 5701).
    pub const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
    /// AIGP, the accumulated IGP metric (RFC 7311).
    pub const AIGP: u8 = 26;
    /// BGP-LS, what is said of a link or node (RFC 9552).
    pub const LINK_STATE: u8 = 29;
    /// LARGE_COMMUNITY (RFC 8092).
    pub const LARGE_COMMUNITIES: u8 = 32;
    /// OTC, Only to Customer (RFC 9234).
    pub const ONLY_TO_CUSTOMER: u8 = 35;
    /// PREFIX_SID (RFC 8669, RFC 9252).
    pub const PREFIX_SID: u8 = 40;
}

/// Bits of the octet before an attribute's type (RFC 4271 section 4.3).
pub mod flag {
    /// Not well-known.
    pub const OPTIONAL: u8 = 0x80;
    /// To be passed on.
    pub const TRANSITIVE: u8 = 0x40;
    /// Some speaker on the way did not know the attribute.
    pub const PARTIAL: u8 = 0x20;
    /// The length field has two octets.
    pub const EXTENDED_LENGTH: u8 = 0x10;
}

/// ORIGIN: how the route came to be known. Lower is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Origin {
    /// Interior to the originating AS.
    Igp = 0,
    /// Learned by EGP.
    Egp = 1,
    /// Learned by other means.
    Incomplete = 2,
}

/// `igp`, `egp`, `incomplete`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Origin {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Igp => "igp",
            Self::Egp => "egp",
            Self::Incomplete => "incomplete",
        }
    }
}

/// AGGREGATOR: who formed an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aggregator {
    /// The aggregating AS.
    pub asn: u32,
    /// The aggregating speaker's identifier.
    pub identifier: Ipv4Addr,
}

impl Aggregator {
    /// From the value of AGGREGATOR or AS4_AGGREGATOR as it came, AS 0 included; `None` where its length is that of neither.
    pub fn as_sent(value: &[u8]) -> Option<Self> {
        read_aggregator(value)
    }
}

/// `64500 192.0.2.1`.
impl fmt::Display for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.asn, self.identifier)
    }
}

/// One attribute as it stands in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawAttribute<'a> {
    /// The flags, by [`flag`].
    pub flags: u8,
    /// The type, by [`code`].
    pub code: u8,
    /// The value, without header.
    pub value: &'a [u8],
}

impl<'a> RawAttribute<'a> {
    /// The attribute at the start of `rest` and how many octets it takes. `None` where header or value run past the end.
    #[inline(always)]
    pub(crate) fn read(rest: &'a [u8]) -> Option<(Self, usize)> {
        let &[flags, code, length, ..] = rest else {
            return None;
        };
        let (start, length) = if flags & flag::EXTENDED_LENGTH == 0 {
            (3, usize::from(length))
        } else {
            (4, usize::from(u16::from_be_bytes([length, *rest.get(3)?])))
        };
        let value = rest.get(start..start + length)?;
        Some((Self { flags, code, value }, start + length))
    }

    /// The attribute at the start of `rest`, and what comes after it; `None` as with [`Self::read`].
    #[inline(always)]
    fn split(rest: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (attribute, taken) = Self::read(rest)?;
        Some((attribute, &rest[taken..]))
    }

    /// Whether the attribute is optional and to be passed on though this crate does not know it.
    pub const fn is_transitive(&self) -> bool {
        self.flags & flag::TRANSITIVE != 0
    }

    /// Appends the attribute with the shorter length field that holds its length. What makes values sees to it that none is longer
    /// than 65535 octets; a longer one would be cut.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let value = &self.value[..self.value.len().min(usize::from(u16::MAX))];
        let [high, low] = (value.len() as u16).to_be_bytes();
        let flags = self.flags & !flag::EXTENDED_LENGTH;
        if high == 0 {
            out.extend_from_slice(&[flags, self.code, low]);
        } else {
            out.extend_from_slice(&[flags | flag::EXTENDED_LENGTH, self.code, high, low]);
        }
        out.extend_from_slice(value);
    }
}

/// The known types by name.
const NAMED: [(u8, &str); 23] = [
    (code::ORIGIN, "ORIGIN"),
    (code::AS_PATH, "AS_PATH"),
    (code::NEXT_HOP, "NEXT_HOP"),
    (code::MED, "MULTI_EXIT_DISC"),
    (code::LOCAL_PREF, "LOCAL_PREF"),
    (code::ATOMIC_AGGREGATE, "ATOMIC_AGGREGATE"),
    (code::AGGREGATOR, "AGGREGATOR"),
    (code::COMMUNITIES, "COMMUNITIES"),
    (code::ORIGINATOR_ID, "ORIGINATOR_ID"),
    (code::CLUSTER_LIST, "CLUSTER_LIST"),
    (code::MP_REACH_NLRI, "MP_REACH_NLRI"),
    (code::MP_UNREACH_NLRI, "MP_UNREACH_NLRI"),
    (code::EXTENDED_COMMUNITIES, "EXTENDED_COMMUNITIES"),
    (code::AS4_PATH, "AS4_PATH"),
    (code::AS4_AGGREGATOR, "AS4_AGGREGATOR"),
    (code::PMSI_TUNNEL, "PMSI_TUNNEL"),
    (code::TUNNEL_ENCAPSULATION, "TUNNEL_ENCAPSULATION"),
    (code::IPV6_EXTENDED_COMMUNITIES, "IPV6_EXTENDED_COMMUNITIES"),
    (code::AIGP, "AIGP"),
    (code::LINK_STATE, "BGP-LS"),
    (code::LARGE_COMMUNITIES, "LARGE_COMMUNITY"),
    (code::ONLY_TO_CUSTOMER, "OTC"),
    (code::PREFIX_SID, "PREFIX_SID"),
];

/// The name that the RFCs have for an attribute of this type, such as `AS_PATH`; `None` for a type this crate does not know.
pub fn name(code: u8) -> Option<&'static str> {
    NAMED.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// The known types, each by the bit of its code.
const KNOWN: u64 = {
    let (mut known, mut at) = (0, 0);
    while at < NAMED.len() {
        known |= 1 << NAMED[at].0;
        at += 1;
    }
    known
};

/// Whether the type is one this crate knows.
#[inline]
pub(crate) const fn is_known(code: u8) -> bool {
    code < 64 && KNOWN & (1 << code) != 0
}

/// Whether attributes of this type can be part of a canonical block.
pub(crate) const fn is_canonical(code: u8) -> bool {
    !matches!(
        code,
        code::NEXT_HOP | code::MP_REACH_NLRI | code::MP_UNREACH_NLRI | code::AS4_PATH | code::AS4_AGGREGATOR
    )
}

/// Whether attributes of this type go from what was received into a canonical block. AIGP does not: it goes only where it is configured
/// to (RFC 7311 section 3.3).
const fn is_passed_on(code: u8) -> bool {
    is_canonical(code) && code != code::AIGP
}

/// The Optional and Transitive bits a known type must have.
#[inline]
pub(crate) const fn expected_flags(code: u8) -> u8 {
    match code {
        code::ORIGIN | code::AS_PATH | code::NEXT_HOP | code::LOCAL_PREF | code::ATOMIC_AGGREGATE => flag::TRANSITIVE,
        code::MED
        | code::ORIGINATOR_ID
        | code::CLUSTER_LIST
        | code::MP_REACH_NLRI
        | code::MP_UNREACH_NLRI
        | code::AIGP
        | code::LINK_STATE => flag::OPTIONAL,
        _ => flag::OPTIONAL | flag::TRANSITIVE,
    }
}

/// The known types of which a block has an attribute that stands, by the bit of each code, and where to look for each first. What stands
/// is the first of its type: a later one never does, even if the first was discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    known: u64,
    /// Offsets in the block by the low bits of the type, which tell the most usual types apart; where they do not, the last one's.
    hints: [u16; 16],
}

impl Standing {
    /// Adds the attribute of a known type that is found at this offset of the block.
    #[inline]
    pub(crate) fn insert(&mut self, known: u8, at: usize) {
        self.known |= 1 << (known & 63);
        self.hints[usize::from(known & 15)] = u16::try_from(at).unwrap_or(0);
    }

    #[inline]
    pub(crate) const fn contains(self, code: u8) -> bool {
        code < 64 && self.known & (1 << code) != 0
    }

    /// As [`Self::contains`], for a known type.
    #[inline]
    const fn contains_known(self, known: u8) -> bool {
        self.known & (1 << (known & 63)) != 0
    }

    /// Whether there are the three attributes that routes of the plain NLRI field must have.
    #[inline]
    pub(crate) const fn has_mandatory(&self) -> bool {
        const MANDATORY: u64 = 1 << code::ORIGIN | 1 << code::AS_PATH | 1 << code::NEXT_HOP;
        self.known & MANDATORY == MANDATORY
    }

    /// An offset in the block at which the attribute of this type may be.
    #[inline]
    fn hint(&self, code: u8) -> usize {
        self.hints[usize::from(code & 15)].into()
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

/// Whether the attribute is one of the usual ones and sound, by a quick look: if it is not, [`check`] decides.
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
            flag::OPTIONAL | flag::TRANSITIVE,
            matches!(value, [a, b, c, d, _, _, _, _] if ctx.as4 && [*a, *b, *c, *d] != [0; 4]),
        ),
        code::COMMUNITIES => (flag::OPTIONAL | flag::TRANSITIVE, list_of(4)),
        code::EXTENDED_COMMUNITIES => (flag::OPTIONAL | flag::TRANSITIVE, list_of(8)),
        code::LARGE_COMMUNITIES => (flag::OPTIONAL | flag::TRANSITIVE, list_of(12)),
        _ => return false,
    };
    let sound = sound && (attribute.flags ^ flags) & (flag::OPTIONAL | flag::TRANSITIVE) == 0;
    debug_assert!(!sound || check(attribute, ctx).is_ok(), "{attribute:?}");
    sound
}

/// The run of usual, sound attributes of different types that a block starts with: which, and how many octets they take. It is all of
/// most blocks.
#[inline]
pub(crate) fn plain_run(block: &[u8], ctx: &DecodeCtx) -> (Standing, usize) {
    let mut standing = Standing::default();
    let mut rest = block;
    while let Some((attribute, after)) = RawAttribute::split(rest)
        && is_plainly_sound(&attribute, ctx)
        && !standing.contains_known(attribute.code)
    {
        standing.insert(attribute.code, block.len() - rest.len());
        rest = after;
    }
    (standing, block.len() - rest.len())
}

/// Holds an attribute of a known type, other than the two multiprotocol ones, against its rule: RFC 7606 section 7, RFC 6793 section 6,
/// RFC 8092 section 6, RFC 9234 section 5. The flags are checked by the caller unless the attribute is unexpected.
#[inline]
pub(crate) fn check(attribute: &RawAttribute<'_>, ctx: &DecodeCtx) -> Result<(), (Action, ErrorCode)> {
    use Action::{AttributeDiscard, TreatAsWithdraw};
    let value = attribute.value;
    let external = ctx.peer == PeerKind::External;
    let unexpected = match attribute.code {
        code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST => external,
        code::AS4_PATH | code::AS4_AGGREGATOR => ctx.as4 && ctx.peer != PeerKind::Unknown,
        _ => false,
    };
    if unexpected {
        return Err((AttributeDiscard, ErrorCode::UnexpectedAttribute));
    }
    if (attribute.flags ^ expected_flags(attribute.code)) & (flag::OPTIONAL | flag::TRANSITIVE) != 0 {
        let action = match attribute.code {
            code::AIGP | code::TUNNEL_ENCAPSULATION | code::LINK_STATE | code::PREFIX_SID => AttributeDiscard,
            _ => TreatAsWithdraw,
        };
        return Err((action, ErrorCode::AttributeFlags));
    }
    let length = |fits: bool, action| {
        if fits { Ok(()) } else { Err((action, ErrorCode::AttributeLength)) }
    };
    let list_of = |size: usize| length(!value.is_empty() && value.len().is_multiple_of(size), TreatAsWithdraw);
    match attribute.code {
        code::ORIGIN => match value {
            [0..=2] => Ok(()),
            [_] => Err((TreatAsWithdraw, ErrorCode::InvalidOrigin)),
            _ => length(false, TreatAsWithdraw),
        },
        code::AS_PATH => {
            length(ctx.as4 || value.len() <= as_path::MAX_NARROW_LEN, TreatAsWithdraw)?;
            as_path::check(value, ctx.as4, !external).map_err(|code| (TreatAsWithdraw, code))
        }
        code::NEXT_HOP | code::MED | code::LOCAL_PREF | code::ORIGINATOR_ID | code::ONLY_TO_CUSTOMER => {
            length(value.len() == 4, TreatAsWithdraw)
        }
        code::ATOMIC_AGGREGATE => length(value.is_empty(), AttributeDiscard),
        code::AGGREGATOR | code::AS4_AGGREGATOR => {
            let wide = ctx.as4 || attribute.code == code::AS4_AGGREGATOR;
            length(value.len() == if wide { 8 } else { 6 }, AttributeDiscard)?;
            match read_aggregator(value) {
                Some(aggregator) if aggregator.asn == 0 => Err((AttributeDiscard, ErrorCode::AsZero)),
                _ => Ok(()),
            }
        }
        code::COMMUNITIES | code::CLUSTER_LIST => list_of(4),
        code::EXTENDED_COMMUNITIES => list_of(8),
        code::IPV6_EXTENDED_COMMUNITIES => list_of(20),
        code::LARGE_COMMUNITIES => list_of(12),
        code::PMSI_TUNNEL => length(value.len() >= 5, TreatAsWithdraw),
        code::TUNNEL_ENCAPSULATION => {
            length(!value.is_empty(), AttributeDiscard)?;
            length(tunnel::tunnels_are_sound(value), TreatAsWithdraw)
        }
        code::LINK_STATE => length(link_state_is_sound(value), AttributeDiscard),
        code::PREFIX_SID => length(prefix_sid::is_sound(value), AttributeDiscard),
        code::AIGP => length(aigp_is_sound(value), AttributeDiscard),
        code::AS4_PATH => {
            length(value.len() <= as_path::MAX_AS4_LEN, AttributeDiscard)?;
            as_path::check(value, true, true).map_err(|code| (AttributeDiscard, code))
        }
        _ => Ok(()),
    }
}

/// The TLV type of the metric, its length in octets included in the length (RFC 7311 section 3).
const AIGP_TLV: u8 = 1;

fn split_aigp_tlv(value: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, high, low], _) = value.split_first_chunk()?;
    let (tlv, rest) = value.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    Some((kind, tlv.get(3..)?, rest))
}

/// Whether the value is whole TLVs and each metric of eight octets (RFC 7311 section 3.2).
fn aigp_is_sound(mut value: &[u8]) -> bool {
    while let Some((kind, metric, rest)) = split_aigp_tlv(value) {
        if kind == AIGP_TLV && metric.len() != 8 {
            return false;
        }
        value = rest;
    }
    value.is_empty()
}

/// Whether the value is whole TLVs, of a type and a length in two octets each (RFC 9552 section 8.2.2).
fn link_state_is_sound(mut value: &[u8]) -> bool {
    while let Some((&[_, _, high, low], rest)) = value.split_first_chunk() {
        match rest.get(usize::from(u16::from_be_bytes([high, low]))..) {
            Some(rest) => value = rest,
            None => return false,
        }
    }
    value.is_empty()
}

fn read_aggregator(value: &[u8]) -> Option<Aggregator> {
    match *value {
        [a, b, c, d, e, f] => {
            Some(Aggregator { asn: u16::from_be_bytes([a, b]).into(), identifier: [c, d, e, f].into() })
        }
        [a, b, c, d, e, f, g, h] => {
            Some(Aggregator { asn: u32::from_be_bytes([a, b, c, d]), identifier: [e, f, g, h].into() })
        }
        _ => None,
    }
}

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
        let (mut standing, plain) = plain_run(block, &ctx);
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
        if self.wide {
            return AsPath::wide(path);
        }
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

/// The flags an attribute has in canonical form; `None` for one that is not passed on, as it is neither known nor transitive.
pub(crate) const fn canonical_flags(attribute: &RawAttribute<'_>) -> Option<u8> {
    const PASSED_ON: u8 = flag::OPTIONAL | flag::TRANSITIVE;
    if is_known(attribute.code) {
        let expected = expected_flags(attribute.code);
        let partial = if expected == PASSED_ON { attribute.flags & flag::PARTIAL } else { 0 };
        Some(expected | partial)
    } else if attribute.is_transitive() {
        Some(PASSED_ON | flag::PARTIAL)
    } else {
        None
    }
}

pub(crate) fn write_aggregator(aggregator: Aggregator) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (aggregator.asn.to_be_bytes(), aggregator.identifier.octets());
    [a, b, c, d, e, f, g, h]
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
