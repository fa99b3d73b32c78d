//! Communities, standard (RFC 1997) and large (RFC 8092), and the lists of values that attributes have.

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::net::Ipv4Addr;

/// A community: an AS number above and a value of that AS's own below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Community(pub u32);

impl Community {
    /// Not to be advertised outside the AS or confederation (RFC 1997).
    pub const NO_EXPORT: Self = Self(0xffff_ff01);
    /// Not to be advertised to any peer (RFC 1997).
    pub const NO_ADVERTISE: Self = Self(0xffff_ff02);
    /// Not to be advertised to external peers, those inside a confederation included (RFC 1997).
    pub const NO_EXPORT_SUBCONFED: Self = Self(0xffff_ff03);
    /// Not to be advertised to bilateral peers (RFC 3765).
    pub const NO_PEER: Self = Self(0xffff_ff04);
    /// To be dropped by forwarding (RFC 7999).
    pub const BLACKHOLE: Self = Self(0xffff_029a);
    /// The peer is about to go (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xffff_0000);

    /// An own route that came back through another VPN is to be taken (RFC 7611).
    pub const ACCEPT_OWN: Self = Self(0xffff_0001);
    /// The route is stale, kept for long after its peer went (RFC 9494).
    pub const LLGR_STALE: Self = Self(0xffff_0006);
    /// The route is not to be kept for long (RFC 9494).
    pub const NO_LLGR: Self = Self(0xffff_0007);

    pub(crate) const NAMED: [(&'static str, Self); 9] = [
        ("no-export", Self::NO_EXPORT),
        ("no-advertise", Self::NO_ADVERTISE),
        ("no-export-subconfed", Self::NO_EXPORT_SUBCONFED),
        ("no-peer", Self::NO_PEER),
        ("blackhole", Self::BLACKHOLE),
        ("graceful-shutdown", Self::GRACEFUL_SHUTDOWN),
        ("accept-own", Self::ACCEPT_OWN),
        ("llgr-stale", Self::LLGR_STALE),
        ("no-llgr", Self::NO_LLGR),
    ];

    /// The community `asn:value`.
    pub const fn new(asn: u16, value: u16) -> Self {
        Self((asn as u32) << 16 | value as u32)
    }

    /// The AS number.
    pub const fn asn(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The value within the AS.
    pub const fn value(self) -> u16 {
        self.0 as u16
    }
}

/// The name of a well-known community such as `no-export`, else `64500:100`.
impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(_, community)| community == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}:{}", self.asn(), self.value()),
        }
    }
}

/// A large community: three numbers of four octets, the first an AS number (RFC 8092).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LargeCommunity {
    /// The AS that gives the other two their meaning.
    pub global: u32,
    /// First part of the AS's own.
    pub local1: u32,
    /// Second part of the AS's own.
    pub local2: u32,
}

impl LargeCommunity {
    /// The community `global:local1:local2`.
    pub const fn new(global: u32, local1: u32, local2: u32) -> Self {
        Self { global, local1, local2 }
    }
}

/// `64500:1:2`.
impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

/// A value of fixed size that an attribute lists. Sealed.
pub trait Listed: Copy + sealed::Sealed {
    /// Octets on the wire.
    const LEN: usize;

    /// Reads the value at the start of `octets`.
    #[doc(hidden)]
    fn read(octets: &[u8]) -> Option<Self>;

    /// Appends the value.
    #[doc(hidden)]
    fn write(self, out: &mut Vec<u8>);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Community {}
    impl Sealed for super::LargeCommunity {}
    impl Sealed for crate::ExtendedCommunity {}
    impl Sealed for crate::Ipv6ExtendedCommunity {}
    impl Sealed for core::net::Ipv4Addr {}
}

impl Listed for Community {
    const LEN: usize = 4;

    #[inline]
    fn read(octets: &[u8]) -> Option<Self> {
        octets.first_chunk().map(|octets| Self(u32::from_be_bytes(*octets)))
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }
}

impl Listed for LargeCommunity {
    const LEN: usize = 12;

    #[inline]
    fn read(octets: &[u8]) -> Option<Self> {
        let octets = u128::from_be_bytes({
            let mut wide = [0; 16];
            wide[4..].copy_from_slice(octets.first_chunk::<12>()?);
            wide
        });
        Some(Self::new((octets >> 64) as u32, (octets >> 32) as u32, octets as u32))
    }

    fn write(self, out: &mut Vec<u8>) {
        for part in [self.global, self.local1, self.local2] {
            out.extend_from_slice(&part.to_be_bytes());
        }
    }
}

impl Listed for Ipv4Addr {
    const LEN: usize = 4;

    #[inline]
    fn read(octets: &[u8]) -> Option<Self> {
        octets.first_chunk::<4>().map(|octets| Self::from(*octets))
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.octets());
    }
}

/// The values an attribute lists, in the order they stand in it. Empty where the attribute is absent.
#[derive(Clone, Copy)]
pub struct List<'a, T> {
    rest: &'a [u8],
    item: PhantomData<T>,
}

impl<'a, T: Listed> List<'a, T> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Self { rest: value, item: PhantomData }
    }

    /// The octets that are left, as on the wire.
    pub fn octets(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether no value is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<T: Listed> Iterator for List<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        let item = T::read(self.rest)?;
        self.rest = self.rest.get(T::LEN..)?;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.rest.len() / T::LEN;
        (len, Some(len))
    }

    #[inline]
    fn fold<B, F: FnMut(B, T) -> B>(self, init: B, f: F) -> B {
        self.rest.chunks_exact(T::LEN).filter_map(T::read).fold(init, f)
    }
}

impl<T: Listed> ExactSizeIterator for List<'_, T> {}
impl<T: Listed> FusedIterator for List<'_, T> {}

impl<T: Listed + fmt::Debug> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}
