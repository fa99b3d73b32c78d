//! Address families: the numbers on the wire and the typed keys of the tables.
//!
//! Owns what a family is (AFI and SAFI of RFC 4760) and which families this crate reads and writes as typed prefixes. A family it
//! does not know is still carried as a number; its routes are never interpreted.

use core::fmt;
use core::hash::Hash;
use core::net::{Ipv4Addr, Ipv6Addr};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address family as negotiated and as carried in MP_REACH_NLRI (RFC 4760 section 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AfiSafi {
    /// Address family number as assigned by IANA: 1 is IPv4, 2 is IPv6.
    pub afi: u16,
    /// Subsequent address family: 1 is unicast.
    pub safi: u8,
}

impl AfiSafi {
    /// IPv4 unicast, the family of the plain NLRI field.
    pub const IPV4_UNICAST: Self = Self::new(1, 1);
    /// IPv6 unicast (RFC 2545).
    pub const IPV6_UNICAST: Self = Self::new(2, 1);
    /// IPv4 multicast (RFC 4760).
    pub const IPV4_MULTICAST: Self = Self::new(1, 2);
    /// IPv6 multicast (RFC 4760).
    pub const IPV6_MULTICAST: Self = Self::new(2, 2);
    /// IPv4 unicast with MPLS labels (RFC 8277).
    pub const IPV4_LABELLED: Self = Self::new(1, 4);
    /// IPv6 unicast with MPLS labels (RFC 8277, RFC 4798).
    pub const IPV6_LABELLED: Self = Self::new(2, 4);
    /// IPv4 within VPNs (RFC 4364).
    pub const IPV4_VPN: Self = Self::new(1, 128);
    /// IPv6 within VPNs (RFC 4659).
    pub const IPV6_VPN: Self = Self::new(2, 128);
    /// Route target constraint (RFC 4684).
    pub const ROUTE_TARGETS: Self = Self::new(1, 132);
    /// IPv4 flow specifications (RFC 8955).
    pub const IPV4_FLOWSPEC: Self = Self::new(1, 133);
    /// IPv6 flow specifications (RFC 8956).
    pub const IPV6_FLOWSPEC: Self = Self::new(2, 133);
    /// IPv4 flow specifications within VPNs (RFC 8955 section 8).
    pub const IPV4_FLOWSPEC_VPN: Self = Self::new(1, 134);
    /// IPv6 flow specifications within VPNs (RFC 8956).
    pub const IPV6_FLOWSPEC_VPN: Self = Self::new(2, 134);
    /// EVPN (RFC 7432).
    pub const L2VPN_EVPN: Self = Self::new(25, 70);

    /// The family of these two numbers.
    pub const fn new(afi: u16, safi: u8) -> Self {
        Self { afi, safi }
    }

    /// The families this crate reads, by name. The position is the bit in [`FamilySet`].
    const NAMED: [(&'static str, Self); 14] = [
        ("ipv4-unicast", Self::IPV4_UNICAST),
        ("ipv6-unicast", Self::IPV6_UNICAST),
        ("ipv4-multicast", Self::IPV4_MULTICAST),
        ("ipv6-multicast", Self::IPV6_MULTICAST),
        ("ipv4-labelled", Self::IPV4_LABELLED),
        ("ipv6-labelled", Self::IPV6_LABELLED),
        ("ipv4-vpn", Self::IPV4_VPN),
        ("ipv6-vpn", Self::IPV6_VPN),
        ("route-targets", Self::ROUTE_TARGETS),
        ("ipv4-flowspec", Self::IPV4_FLOWSPEC),
        ("ipv6-flowspec", Self::IPV6_FLOWSPEC),
        ("ipv4-flowspec-vpn", Self::IPV4_FLOWSPEC_VPN),
        ("ipv6-flowspec-vpn", Self::IPV6_FLOWSPEC_VPN),
        ("l2vpn-evpn", Self::L2VPN_EVPN),
    ];

    /// The family named by text such as `ipv4-unicast`; the inverse of `Display` for the families this crate knows.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, family)| *family)
    }

    const fn bit(self) -> u16 {
        match (self.afi, self.safi) {
            (1, 1) => 1,
            (2, 1) => 1 << 1,
            (1, 2) => 1 << 2,
            (2, 2) => 1 << 3,
            (1, 4) => 1 << 4,
            (2, 4) => 1 << 5,
            (1, 128) => 1 << 6,
            (2, 128) => 1 << 7,
            (1, 132) => 1 << 8,
            (1, 133) => 1 << 9,
            (2, 133) => 1 << 10,
            (1, 134) => 1 << 11,
            (2, 134) => 1 << 12,
            (25, 70) => 1 << 13,
            _ => 0,
        }
    }
}

/// A name such as `ipv4-unicast`, or `afi-25-safi-65` for a family this crate does not know.
impl fmt::Display for AfiSafi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(_, family)| family == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "afi-{}-safi-{}", self.afi, self.safi),
        }
    }
}

impl fmt::Debug for AfiSafi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of the families this crate knows; two octets, so that it can travel in every decoding context.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FamilySet(u16);

impl FamilySet {
    /// No family.
    pub const EMPTY: Self = Self(0);
    /// Every family this crate knows.
    pub const ALL: Self = Self((1 << AfiSafi::NAMED.len()) - 1);
    /// The families with a typed key: IPv4 and IPv6 unicast.
    pub const UNICAST: Self = Self::EMPTY.with(AfiSafi::IPV4_UNICAST).with(AfiSafi::IPV6_UNICAST);

    /// Adds a family. Returns false, and changes nothing, for a family this crate does not know.
    pub fn insert(&mut self, family: AfiSafi) -> bool {
        self.0 |= family.bit();
        family.bit() != 0
    }

    /// The set with one more family; a family this crate does not know is left out.
    #[must_use]
    pub const fn with(self, family: AfiSafi) -> Self {
        Self(self.0 | family.bit())
    }

    /// Whether the family is in the set.
    pub const fn contains(self, family: AfiSafi) -> bool {
        self.0 & family.bit() != 0
    }

    /// The families in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The families of this set that are not in the other.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether no family is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The families in the set, IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = AfiSafi> {
        AfiSafi::NAMED.into_iter().map(|(_, family)| family).filter(move |family| self.contains(*family))
    }
}

impl FromIterator<AfiSafi> for FamilySet {
    fn from_iter<I: IntoIterator<Item = AfiSafi>>(families: I) -> Self {
        families.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for FamilySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Octets that writing a prefix may touch.
pub(crate) const PREFIX_ROOM: usize = 17;

/// A family whose routes have a typed key. Sealed: the implementations are [`Ipv4Unicast`] and [`Ipv6Unicast`].
pub trait Family: sealed::Sealed + Copy + fmt::Debug + 'static {
    /// The family's numbers.
    const AFI_SAFI: AfiSafi;
    /// Longest prefix in bits.
    const MAX_PREFIX_LEN: u8;
    /// What a route of this family is known by. Host bits of a key are always zero.
    type Key: Copy + Eq + Hash + Ord + fmt::Debug + fmt::Display + Into<IpNet> + Send + Sync + 'static;

    /// The lengths in bits that most prefixes have, of one size on the wire: that of [`Self::USUAL_OCTETS`]. Comparing with them lets the
    /// processor go on to the next prefix before it knows where this one ends.
    #[doc(hidden)]
    const USUAL: core::ops::RangeInclusive<u8>;

    /// The octets of a prefix of such a length, its length octet among them.
    #[doc(hidden)]
    const USUAL_OCTETS: usize;

    /// Whether the field is prefixes of such lengths and nothing else, by a quick look: false says nothing.
    #[doc(hidden)]
    #[inline(always)]
    fn are_usual(field: &[u8]) -> bool {
        field.is_empty()
    }

    /// Reads the prefix at the start of `rest` if it is of such a length. `None` says nothing.
    #[doc(hidden)]
    fn read_usual(rest: &[u8]) -> Option<Self::Key>;

    /// Reads the prefix at the start of `rest`: the key and the octets it took. `None` at the end, or where the octets are no prefix.
    #[doc(hidden)]
    fn read(rest: &[u8]) -> Option<(Self::Key, usize)>;

    /// Writes the length octet and the address to the start of `out`; returns how many octets the prefix needs of that.
    #[doc(hidden)]
    fn write(key: Self::Key, out: &mut [u8; 17]) -> usize;
}

/// IPv4 unicast.
#[derive(Clone, Copy, Debug)]
pub enum Ipv4Unicast {}

/// IPv6 unicast.
#[derive(Clone, Copy, Debug)]
pub enum Ipv6Unicast {}

impl Family for Ipv4Unicast {
    const AFI_SAFI: AfiSafi = AfiSafi::IPV4_UNICAST;
    const MAX_PREFIX_LEN: u8 = 32;
    type Key = Ipv4Net;

    const USUAL: core::ops::RangeInclusive<u8> = 17..=24;
    const USUAL_OCTETS: usize = 4;

    // Four prefixes at a time, and the last four again: a field of any number of prefixes up to eight takes no loop, at whose end the
    // processor would not know where to go on.
    #[inline(always)]
    fn are_usual(field: &[u8]) -> bool {
        const LANES: u64 = 1 << 32 | 1;
        const START: u64 = *Ipv4Unicast::USUAL.start() as u64;
        // What is left of two lengths, less the least usual one, when those of the usual ones are taken away. A shorter one borrows from
        // the lane above, but has shown itself by then.
        let beyond_of_two = |octets: u64| (octets & (LANES * 0xff)).wrapping_sub(LANES * START) & !(LANES * 7);
        let beyond = |four: &[u8; 16]| {
            let four = u128::from_le_bytes(*four);
            beyond_of_two(four as u64) | beyond_of_two((four >> 64) as u64)
        };
        let is_usual = |at: usize| field.get(at).is_some_and(|length| Self::USUAL.contains(length));
        match (field.first_chunk(), field.last_chunk()) {
            _ if !field.len().is_multiple_of(4) => false,
            (Some(first), Some(last)) => {
                let all = beyond(first) | beyond(last);
                all == 0 && (field.len() <= 32 || field.as_chunks().0.iter().all(|four| beyond(four) == 0))
            }
            _ => field.is_empty() || is_usual(0) && is_usual(field.len() / 8 * 4) && is_usual(field.len() - 4),
        }
    }

    #[inline(always)]
    fn read_usual(rest: &[u8]) -> Option<Ipv4Net> {
        // A mask that is looked up costs less than one that is shifted into place.
        const MASKS: [u32; 8] = [!0 << 15, !0 << 14, !0 << 13, !0 << 12, !0 << 11, !0 << 10, !0 << 9, !0 << 8];
        let word = u32::from_be_bytes(*rest.first_chunk()?);
        let above = (word >> 24).wrapping_sub(u32::from(*Self::USUAL.start()));
        let mask = MASKS.get(above as usize)?;
        Ipv4Net::new(Ipv4Addr::from_bits(word << 8 & mask), Self::USUAL.start() + above as u8).ok()
    }

    // One wide load in place of a loop over one to four octets; the last few prefixes of a field may lack the octets for it.
    #[inline]
    fn read(rest: &[u8]) -> Option<(Ipv4Net, usize)> {
        if let Some(key) = Self::read_usual(rest) {
            return Some((key, Self::USUAL_OCTETS));
        }
        let word = match rest.first_chunk::<8>() {
            Some(wide) => u64::from_be_bytes(*wide),
            // Put together without passing through memory: a wide load of octets just stored waits for every store before it.
            None => (0..5).fold(0, |word, at| word | u64::from(rest.get(at).copied().unwrap_or(0)) << (56 - 8 * at)),
        };
        let length = (word >> 56) as u8;
        let taken = 1 + usize::from(length).div_ceil(8);
        if length > 32 || taken > rest.len() {
            return None;
        }
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        let address = Ipv4Addr::from_bits((word >> 24) as u32 & mask);
        Ipv4Net::new(address, length).ok().map(|key| (key, taken))
    }

    // One store of eight octets.
    #[inline]
    fn write(key: Ipv4Net, out: &mut [u8; PREFIX_ROOM]) -> usize {
        let word = u64::from(key.prefix_len()) << 56 | u64::from(key.addr().to_bits()) << 24;
        out[..8].copy_from_slice(&word.to_be_bytes());
        1 + usize::from(key.prefix_len()).div_ceil(8)
    }
}

impl Family for Ipv6Unicast {
    const AFI_SAFI: AfiSafi = AfiSafi::IPV6_UNICAST;
    const MAX_PREFIX_LEN: u8 = 128;
    type Key = Ipv6Net;

    const USUAL: core::ops::RangeInclusive<u8> = 41..=48;
    const USUAL_OCTETS: usize = 7;

    // As with IPv4: the first eight, of which the last stands for those that are not there.
    #[inline(always)]
    fn are_usual(field: &[u8]) -> bool {
        let Some(last) = field.len().checked_sub(Self::USUAL_OCTETS) else { return field.is_empty() };
        let is_usual = |at: usize| field.get(at).is_some_and(|length| Self::USUAL.contains(length));
        field.len().is_multiple_of(Self::USUAL_OCTETS)
            && (0..8).fold(true, |all, index| all & is_usual(last.min(Self::USUAL_OCTETS * index)))
            && (8..=last / Self::USUAL_OCTETS).all(|index| is_usual(Self::USUAL_OCTETS * index))
    }

    #[inline(always)]
    fn read_usual(rest: &[u8]) -> Option<Ipv6Net> {
        let (&[length, octets @ ..], _) = rest.split_first_chunk::<9>()?;
        if !Self::USUAL.contains(&length) {
            return None;
        }
        let address = u128::from(u64::from_be_bytes(octets) & u64::MAX << (64 - length)) << 64;
        Ipv6Net::new(address.into(), length).ok()
    }

    #[inline]
    fn read(rest: &[u8]) -> Option<(Ipv6Net, usize)> {
        if let Some(key) = Self::read_usual(rest) {
            return Some((key, Self::USUAL_OCTETS));
        }
        let (&length, octets) = rest.split_first()?;
        let wide = match octets.first_chunk::<16>() {
            Some(wide) => u128::from_be_bytes(*wide),
            None => {
                let mut wide = [0; 16];
                wide[..octets.len()].copy_from_slice(octets);
                u128::from_be_bytes(wide)
            }
        };
        let taken = 1 + usize::from(length).div_ceil(8);
        if length > 128 || taken > rest.len() {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        Ipv6Net::new(Ipv6Addr::from_bits(wide & mask), length).ok().map(|key| (key, taken))
    }

    #[inline]
    fn write(key: Ipv6Net, out: &mut [u8; PREFIX_ROOM]) -> usize {
        out[0] = key.prefix_len();
        out[1..].copy_from_slice(&key.addr().octets());
        1 + usize::from(key.prefix_len()).div_ceil(8)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Ipv4Unicast {}
    impl Sealed for super::Ipv6Unicast {}
}
