//! Prefixes with MPLS labels (RFC 8277), and those of VPNs, with a route distinguisher too (RFC 4364, RFC 4659).

use super::{Form, Route, is_ipv6, is_of, prefix, sealed, write_prefix};
use crate::{Administrator, AfiSafi, FamilySet};
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;
use ipnet::IpNet;

/// The MPLS labels of a route, the outermost first. A withdrawn route has one that means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Labels<'a> {
    const BITS: usize = 24;

    /// What stands in place of labels in a withdrawn route (RFC 8277 section 2.4).
    pub const WITHDRAWN: Labels<'static> = Labels(&[0x80, 0, 0]);

    /// The labels, each of 20 bits.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.0.as_chunks::<3>().0.iter().map(|&[a, b, c]| u32::from_be_bytes([0, a, b, c]) >> 4)
    }

    /// The stack as on the wire: three octets for each label.
    pub fn octets(&self) -> &'a [u8] {
        self.0
    }

    /// From the octets of a stack, such as those that [`Self::encode`] made. `None` unless they are one to ten times three.
    pub fn from_octets(octets: &'a [u8]) -> Option<Self> {
        (!octets.is_empty() && octets.len() <= 30 && octets.len().is_multiple_of(3)).then_some(Self(octets))
    }

    /// The octets of a stack: the last label has the bottom-of-stack bit. Of each label, the lower 20 bits count.
    pub fn encode(labels: &[u32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(3 * labels.len());
        for (at, label) in labels.iter().enumerate() {
            let [_, a, b, c] = (label << 4 | u32::from(at + 1 == labels.len())).to_be_bytes();
            out.extend_from_slice(&[a, b, c]);
        }
        out
    }

    /// Whether a route with this stack and `after` bits after it has a length its octet can hold, and the stack ends where it is read to
    /// end.
    fn fits(&self, after: u8, form: Form) -> bool {
        let bits = 8 * self.0.len() + usize::from(after);
        let read = Self::split(self.0, 8 * self.0.len(), 0, form.withdrawn);
        bits <= 255 && !self.0.is_empty() && read.is_some_and(|(read, _, _)| read == *self)
    }

    /// The stack at the start of a field of `bits` bits, of which the last `after` are not for labels.
    ///
    /// The stack ends where the S bit says so, or at the placeholder of a withdrawal. Where it has no end it is a single label whose
    /// S bit was not set, which is fine (RFC 8277 section 2.2).
    fn split(field: &'a [u8], bits: usize, after: usize, withdrawn: bool) -> Option<(Self, &'a [u8], usize)> {
        let room = bits.checked_sub(after)? / Self::BITS;
        let (stack, _) = field.as_chunks::<3>();
        let ends = |label: &[u8; 3]| label[2] & 1 == 1 || withdrawn && matches!(label, [0x80 | 0x00, 0, 0]);
        let count = stack.iter().take(room).position(ends).map_or(1, |last| last + 1);
        let (labels, rest) = field.split_at_checked(3 * count)?;
        Some((Self(labels), rest, bits.checked_sub(Self::BITS * count + after)?))
    }
}

/// `100` or `100/200`.
impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(at, label)| write!(f, "{}{label}", if at > 0 { "/" } else { "" }))
    }
}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A prefix with MPLS labels (RFC 8277).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LabelledPrefix<'a> {
    /// The labels.
    pub labels: Labels<'a>,
    /// The prefix, its host bits zero.
    pub prefix: IpNet,
}

impl<'a> Route<'a> for LabelledPrefix<'a> {
    const FAMILIES: FamilySet = FamilySet::EMPTY.with(AfiSafi::IPV4_LABELLED).with(AfiSafi::IPV6_LABELLED);

    fn split(octets: &'a [u8], form: Form) -> Option<(Self, &'a [u8])> {
        let (&bits, rest) = octets.split_first()?;
        let (field, rest) = rest.split_at_checked(usize::from(bits).div_ceil(8))?;
        let (labels, address, bits) = Labels::split(field, bits.into(), 0, form.withdrawn)?;
        let prefix = prefix(address, u8::try_from(bits).ok()?, is_ipv6(form))?;
        Some((Self { labels, prefix }, rest))
    }

    fn fits(&self, form: Form) -> bool {
        is_of(self.prefix, form) && self.labels.fits(self.prefix.prefix_len(), form)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let bits = 8 * self.labels.0.len() + usize::from(self.prefix.prefix_len());
        out.push(bits.min(255) as u8);
        out.extend_from_slice(self.labels.0);
        write_prefix(self.prefix, out);
    }
}

impl sealed::Sealed for LabelledPrefix<'_> {}

/// `192.0.2.0/24 label 100`.
impl fmt::Display for LabelledPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} label {}", self.prefix, self.labels)
    }
}

/// Makes equal prefixes of different VPNs different (RFC 4364 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RouteDistinguisher(pub [u8; 8]);

impl RouteDistinguisher {
    /// `asn:number` with a 2-octet AS number (type 0).
    pub const fn as2(asn: u16, number: u32) -> Self {
        Self::of(Administrator::As2 { asn, number })
    }

    /// `address:number` (type 1).
    pub const fn ipv4(address: Ipv4Addr, number: u16) -> Self {
        Self::of(Administrator::Ipv4 { address, number })
    }

    /// `asn:number` with a 4-octet AS number (type 2).
    pub const fn as4(asn: u32, number: u16) -> Self {
        Self::of(Administrator::As4 { asn, number })
    }

    const fn of(administrator: Administrator) -> Self {
        let [a, b, c, d, e, f] = administrator.octets();
        Self([0, administrator.kind(), a, b, c, d, e, f])
    }

    /// Whose number it is, and the number; `None` for a type that is not assigned.
    pub const fn administrator(self) -> Option<Administrator> {
        match self.0 {
            [0, kind @ 0..=2, a, b, c, d, e, f] => Some(Administrator::read(kind, [a, b, c, d, e, f])),
            _ => None,
        }
    }

    pub(super) fn split(octets: &[u8]) -> Option<(Self, &[u8])> {
        octets.split_first_chunk().map(|(distinguisher, rest)| (Self(*distinguisher), rest))
    }
}

/// `64500:100`, `192.0.2.1:100`, `64500L:100` where the AS number has four octets, else `0x` and 16 hexadecimal digits.
impl fmt::Display for RouteDistinguisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.administrator() {
            Some(administrator) => administrator.fmt(f),
            None => write!(f, "0x{:016x}", u64::from_be_bytes(self.0)),
        }
    }
}

impl From<Administrator> for RouteDistinguisher {
    fn from(administrator: Administrator) -> Self {
        Self::of(administrator)
    }
}

/// A prefix within a VPN (RFC 4364 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VpnPrefix<'a> {
    /// The labels.
    pub labels: Labels<'a>,
    /// What tells the VPN's prefix from the same one of another VPN.
    pub distinguisher: RouteDistinguisher,
    /// The prefix, its host bits zero.
    pub prefix: IpNet,
}

impl<'a> Route<'a> for VpnPrefix<'a> {
    const FAMILIES: FamilySet = FamilySet::EMPTY.with(AfiSafi::IPV4_VPN).with(AfiSafi::IPV6_VPN);

    fn split(octets: &'a [u8], form: Form) -> Option<(Self, &'a [u8])> {
        let (&bits, rest) = octets.split_first()?;
        let (field, rest) = rest.split_at_checked(usize::from(bits).div_ceil(8))?;
        let (labels, field, bits) = Labels::split(field, bits.into(), 64, form.withdrawn)?;
        let (distinguisher, address) = RouteDistinguisher::split(field)?;
        let prefix = prefix(address, u8::try_from(bits).ok()?, is_ipv6(form))?;
        Some((Self { labels, distinguisher, prefix }, rest))
    }

    fn fits(&self, form: Form) -> bool {
        is_of(self.prefix, form) && self.labels.fits(64 + self.prefix.prefix_len(), form)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let bits = 8 * self.labels.0.len() + 64 + usize::from(self.prefix.prefix_len());
        out.push(bits.min(255) as u8);
        out.extend_from_slice(self.labels.0);
        out.extend_from_slice(&self.distinguisher.0);
        write_prefix(self.prefix, out);
    }
}

impl sealed::Sealed for VpnPrefix<'_> {}

/// `64500:100 192.0.2.0/24 label 100`.
impl fmt::Display for VpnPrefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} label {}", self.distinguisher, self.prefix, self.labels)
    }
}
