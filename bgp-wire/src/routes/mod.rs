//! Routes of the families beyond unicast, as borrowed values: multicast prefixes, labelled and VPN prefixes, EVPN, route target
//! constraint, flow specifications.
//!
//! Owns their layout on the wire and their text forms. Is given the NLRI octets of MP_REACH_NLRI or MP_UNREACH_NLRI; decodes one route
//! at a time, as it is asked for. The unicast families have a path of their own, [`crate::Nlri`], which is faster.

mod evpn;
mod flow;
mod labelled;
mod opaque;
mod target;

pub use evpn::{EthernetSegmentId, EvpnRoute, Mac};
pub use flow::{FlowComponent, FlowRoute, FlowRouteBuf, Operations};
pub use labelled::{LabelledPrefix, Labels, RouteDistinguisher, VpnPrefix};
pub use opaque::OpaqueRoutes;
pub use target::TargetMembership;

use crate::{AfiSafi, FamilySet};
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What a route's octets do not say themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The family of the routes.
    pub family: AfiSafi,
    /// Whether the route is withdrawn: then its label may be a placeholder (RFC 8277 section 2.4).
    pub withdrawn: bool,
}

/// A route of one of the families beyond unicast. Sealed.
pub trait Route<'a>: Copy + fmt::Debug + fmt::Display + sealed::Sealed {
    /// The families whose routes have this form.
    const FAMILIES: FamilySet;

    /// Splits the first route off. `None` where the octets are none.
    #[doc(hidden)]
    fn split(octets: &'a [u8], form: Form) -> Option<(Self, &'a [u8])>;

    /// Whether the route can stand in an attribute of this form, so that it is read back the same.
    #[doc(hidden)]
    fn fits(&self, form: Form) -> bool;

    /// Appends the route as it stands in an attribute, without path identifier.
    fn write(&self, out: &mut Vec<u8>);
}

/// The routes of one attribute, decoded as they are asked for. They were checked when the UPDATE was parsed, so that iterating cannot
/// fail. Each item is the path identifier (only with ADD-PATH, RFC 7911) and the route.
pub struct Routes<'a, R> {
    rest: &'a [u8],
    add_path: bool,
    form: Form,
    route: PhantomData<R>,
}

impl<'a, R: Route<'a>> Routes<'a, R> {
    /// The routes in the NLRI octets of an attribute; `None` if those of this family have another form. Octets that are no route end
    /// the list.
    pub fn new(octets: &'a [u8], add_path: bool, form: Form) -> Option<Self> {
        R::FAMILIES.contains(form.family).then_some(Self { rest: octets, add_path, form, route: PhantomData })
    }

    /// Whether no route is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether octets are left that are no route.
    fn is_cut_short(mut self) -> bool {
        self.by_ref().for_each(drop);
        !self.rest.is_empty()
    }
}

impl<R> Clone for Routes<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Routes<'_, R> {}

impl<'a, R: Route<'a>> fmt::Debug for Routes<'a, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl<'a, R: Route<'a>> Iterator for Routes<'a, R> {
    type Item = (Option<u32>, R);

    fn next(&mut self) -> Option<Self::Item> {
        let (path_id, octets) = if self.add_path {
            let (id, octets) = self.rest.split_first_chunk()?;
            (Some(u32::from_be_bytes(*id)), octets)
        } else {
            (None, self.rest)
        };
        if octets.is_empty() {
            return None;
        }
        let (route, rest) = R::split(octets, self.form)?;
        self.rest = rest;
        Some((path_id, route))
    }
}

impl<'a, R: Route<'a>> FusedIterator for Routes<'a, R> {}

/// Whether the octets are routes of the family, whole and nothing else. Of a family unknown here, only where each ends
/// is checked, if even that is known.
#[inline(never)]
pub(crate) fn are_sound(octets: &[u8], add_path: bool, form: Form) -> bool {
    fn sound<'a, R: Route<'a>>(octets: &'a [u8], add_path: bool, form: Form) -> Option<bool> {
        Routes::<R>::new(octets, add_path, form).map(|routes| !routes.is_cut_short())
    }
    sound::<IpNet>(octets, add_path, form)
        .or_else(|| sound::<LabelledPrefix<'_>>(octets, add_path, form))
        .or_else(|| sound::<VpnPrefix<'_>>(octets, add_path, form))
        .or_else(|| sound::<EvpnRoute<'_>>(octets, add_path, form))
        .or_else(|| sound::<TargetMembership<'_>>(octets, add_path, form))
        .or_else(|| sound::<FlowRoute<'_>>(octets, add_path, form))
        .unwrap_or_else(|| OpaqueRoutes::new(octets, form.family).is_none_or(|routes| !routes.is_cut_short()))
}

/// How many octets the first route takes. `None` where the octets are no route, or of a family whose routes cannot be told apart.
pub(crate) fn first_len(octets: &[u8], form: Form) -> Option<usize> {
    fn len<'a, R: Route<'a>>(octets: &'a [u8], form: Form) -> Option<usize> {
        let mut routes = Routes::<R>::new(octets, false, form)?;
        routes.next()?;
        Some(octets.len() - routes.rest.len())
    }
    len::<IpNet>(octets, form)
        .or_else(|| len::<LabelledPrefix<'_>>(octets, form))
        .or_else(|| len::<VpnPrefix<'_>>(octets, form))
        .or_else(|| len::<EvpnRoute<'_>>(octets, form))
        .or_else(|| len::<TargetMembership<'_>>(octets, form))
        .or_else(|| len::<FlowRoute<'_>>(octets, form))
        .or_else(|| OpaqueRoutes::new(octets, form.family)?.next().map(<[u8]>::len))
}

/// A prefix as unicast and multicast routes have it (RFC 4760 section 5).
impl<'a> Route<'a> for IpNet {
    const FAMILIES: FamilySet = FamilySet::EMPTY
        .with(AfiSafi::IPV4_UNICAST)
        .with(AfiSafi::IPV6_UNICAST)
        .with(AfiSafi::IPV4_MULTICAST)
        .with(AfiSafi::IPV6_MULTICAST);

    fn split(octets: &'a [u8], form: Form) -> Option<(Self, &'a [u8])> {
        let (&bits, rest) = octets.split_first()?;
        let (address, rest) = rest.split_at_checked(usize::from(bits).div_ceil(8))?;
        Some((prefix(address, bits, is_ipv6(form))?, rest))
    }

    fn fits(&self, form: Form) -> bool {
        is_of(*self, form)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.prefix_len());
        write_prefix(*self, out);
    }
}

impl sealed::Sealed for IpNet {}

fn is_ipv6(form: Form) -> bool {
    form.family.afi == 2
}

fn is_of(prefix: IpNet, form: Form) -> bool {
    matches!(prefix, IpNet::V6(_)) == is_ipv6(form)
}

/// The prefix of `bits` bits in as few octets as those need; host bits are zeroed.
fn prefix(address: &[u8], bits: u8, ipv6: bool) -> Option<IpNet> {
    if ipv6 {
        let mut octets = [0; 16];
        octets.get_mut(..address.len())?.copy_from_slice(address);
        Ipv6Net::new(octets.into(), bits).ok().map(|net| net.trunc().into())
    } else {
        let mut octets = [0; 4];
        octets.get_mut(..address.len())?.copy_from_slice(address);
        Ipv4Net::new(octets.into(), bits).ok().map(|net| net.trunc().into())
    }
}

/// Appends the octets of the address that the prefix needs.
fn write_prefix(prefix: IpNet, out: &mut Vec<u8>) {
    let length = usize::from(prefix.prefix_len()).div_ceil(8);
    match prefix {
        IpNet::V4(net) => out.extend_from_slice(&net.trunc().addr().octets()[..length]),
        IpNet::V6(net) => out.extend_from_slice(&net.trunc().addr().octets()[..length]),
    }
}

mod sealed {
    pub trait Sealed {}
}
