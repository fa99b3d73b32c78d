//! Takes values off a slice, front to back, and knows where it stands: for formats around BGP messages.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The octets end before the value does; holds where the value starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CutShort(pub(crate) usize);

/// A position in a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }

    /// Octets passed so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.octets.len()
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], CutShort> {
        let taken = self.rest().get(..len).ok_or(CutShort(self.at))?;
        self.at += len;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], CutShort> {
        let taken = self.rest().first_chunk().ok_or(CutShort(self.at))?;
        self.at += N;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, CutShort> {
        self.array().map(u8::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, CutShort> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, CutShort> {
        self.array().map(u32::from_be_bytes)
    }

    /// An address in 4 or 16 octets.
    #[inline]
    pub(crate) fn address(&mut self, ipv6: bool) -> Result<IpAddr, CutShort> {
        if ipv6 {
            self.array::<16>().map(|octets| Ipv6Addr::from(octets).into())
        } else {
            self.array::<4>().map(|octets| Ipv4Addr::from(octets).into())
        }
    }

    /// An AS number in 2 or 4 octets.
    #[inline]
    pub(crate) fn asn(&mut self, wide: bool) -> Result<u32, CutShort> {
        if wide { self.u32() } else { self.u16().map(u32::from) }
    }

    /// What follows its own length in two octets.
    #[inline]
    pub(crate) fn counted(&mut self) -> Result<&'a [u8], CutShort> {
        let len = self.u16()?;
        self.take(len.into())
    }
}
