//! Routes of families that this crate does not read, but can tell one from the next.

use crate::AfiSafi;

/// The routes of MCAST-VPN (RFC 6514), VPLS (RFC 4761), SR policy (RFC 9830) or BGP-LS (RFC 9552), each as its octets: type and length
/// first, as they stand in the attribute. Path identifiers are not told apart from routes.
#[derive(Clone, Copy, Debug)]
pub struct OpaqueRoutes<'a> {
    rest: &'a [u8],
    header: Header,
}

#[derive(Clone, Copy, Debug)]
enum Header {
    /// Type, length in octets.
    Mvpn,
    /// Length in two octets.
    Vpls,
    /// Length in bits.
    SrPolicy,
    /// Type in two octets, length in two octets.
    LinkState,
}

impl<'a> OpaqueRoutes<'a> {
    /// The routes in the NLRI octets of an attribute; `None` for any other family.
    pub fn new(octets: &'a [u8], family: AfiSafi) -> Option<Self> {
        let header = match (family.afi, family.safi) {
            (1 | 2, 5) => Header::Mvpn,
            (25, 65) => Header::Vpls,
            (1 | 2, 73) => Header::SrPolicy,
            (16388, 71 | 72) => Header::LinkState,
            _ => return None,
        };
        Some(Self { rest: octets, header })
    }

    pub(super) fn is_cut_short(mut self) -> bool {
        self.by_ref().for_each(drop);
        !self.rest.is_empty()
    }

    /// Octets before a route's value.
    pub const fn header_len(&self) -> usize {
        match self.header {
            Header::SrPolicy => 1,
            Header::Mvpn | Header::Vpls => 2,
            Header::LinkState => 4,
        }
    }
}

impl<'a> Iterator for OpaqueRoutes<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = match (self.header, self.rest) {
            (Header::Mvpn, [_, len, ..]) => usize::from(*len),
            // The shortest is that of discovery (RFC 6074 section 3.2.2.1).
            (Header::Vpls, [high, low, ..]) => {
                Some(usize::from(u16::from_be_bytes([*high, *low]))).filter(|len| *len >= 12)?
            }
            (Header::SrPolicy, [bits, ..]) => usize::from(*bits).div_ceil(8),
            (Header::LinkState, [_, _, high, low, ..]) => usize::from(u16::from_be_bytes([*high, *low])),
            _ => return None,
        };
        let (route, rest) = self.rest.split_at_checked(self.header_len() + length)?;
        self.rest = rest;
        Some(route)
    }
}
