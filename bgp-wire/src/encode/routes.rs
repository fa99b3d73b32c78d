//! Writing routes of any family into MP_REACH_NLRI and MP_UNREACH_NLRI, the families this crate does not read among them.

use super::{Block, EncodeError, UpdateEncoder, put_lengths, write_attributes};
use crate::attributes::code;
use crate::routes::{FlowRoute, Form, Route};
use crate::{AfiSafi, FamilySet, NextHop};
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};

impl UpdateEncoder {
    /// Appends UPDATEs that announce the routes of `family` with these attributes (canonical form) and this next hop, which only flow
    /// specifications can do without. Without routes, nothing is written. A path identifier is written exactly if ADD-PATH was
    /// negotiated for the family; a missing one as 0.
    ///
    /// [`Self::announce`] is faster for the unicast families, and the only one to write the plain NLRI field.
    ///
    /// # Errors
    /// Nothing is appended then.
    pub fn announce_routes<'r, R: Route<'r>>(
        &mut self,
        family: AfiSafi,
        attributes: &[u8],
        next_hop: Option<NextHop>,
        routes: impl IntoIterator<Item = (Option<u32>, R)>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let mut octets = Vec::new();
        match next_hop {
            Some(next_hop) if write_next_hop(family, next_hop, self.ctx.extended_next_hop, &mut octets) => {}
            Some(next_hop) => return Err(EncodeError::NextHopFamily { family, next_hop }),
            None if FlowRoute::FAMILIES.contains(family) => {}
            None => return Err(EncodeError::NextHopMissing { family }),
        }
        self.start_reach(family, attributes, &octets);
        let form = Form { family, withdrawn: false };
        self.fill(routes, out, |(path_id, route), octets| self.write_route(path_id, &route, form, octets))
    }

    /// Appends UPDATEs that withdraw the routes of `family`; without routes, nothing. Where routes have labels, those of a withdrawal
    /// mean nothing: [`crate::routes::Labels::WITHDRAWN`] is what RFC 8277 section 2.4 asks for.
    ///
    /// # Errors
    /// If a route is not of the family. Nothing is appended then.
    pub fn withdraw_routes<'r, R: Route<'r>>(
        &mut self,
        family: AfiSafi,
        routes: impl IntoIterator<Item = (Option<u32>, R)>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.layout.start_multiprotocol(code::MP_UNREACH_NLRI, family);
        let form = Form { family, withdrawn: true };
        self.fill(routes, out, |(path_id, route), octets| self.write_route(path_id, &route, form, octets))
    }

    /// As [`Self::announce_routes`], with next hop and routes as octets: for a family that is passed on unread, such as
    /// [`crate::MpReach`] gave them. Each item stays in one message: a route of [`crate::routes::OpaqueRoutes`], or all there are where
    /// one cannot be told from the next.
    ///
    /// # Errors
    /// If an item does not fit a message, or the next hop has more than 255 octets. Nothing is appended then.
    pub fn announce_opaque<'r>(
        &mut self,
        family: AfiSafi,
        attributes: &[u8],
        next_hop: &[u8],
        routes: impl IntoIterator<Item = &'r [u8]>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if next_hop.len() > 255 {
            return Err(EncodeError::NextHopMissing { family });
        }
        self.start_reach(family, attributes, next_hop);
        self.fill(routes, out, |route, octets| {
            octets.extend_from_slice(route);
            Ok(())
        })
    }

    /// As [`Self::withdraw_routes`], with the routes as octets; see [`Self::announce_opaque`].
    ///
    /// # Errors
    /// If an item does not fit a message. Nothing is appended then.
    pub fn withdraw_opaque<'r>(
        &mut self,
        family: AfiSafi,
        routes: impl IntoIterator<Item = &'r [u8]>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.layout.start_multiprotocol(code::MP_UNREACH_NLRI, family);
        self.fill(routes, out, |route, octets| {
            octets.extend_from_slice(route);
            Ok(())
        })
    }

    fn start_reach(&mut self, family: AfiSafi, attributes: &[u8], next_hop: &[u8]) {
        self.layout.start_multiprotocol(code::MP_REACH_NLRI, family);
        self.layout.head.put(&[next_hop.len() as u8]);
        self.layout.head.put(next_hop);
        // Reserved.
        self.layout.head.put(&[0]);
        write_attributes(Block { octets: attributes, built: false }, self.ctx.as4, None, &mut self.layout.tail);
    }

    fn write_route<'r, R: Route<'r>>(
        &self,
        path_id: Option<u32>,
        route: &R,
        form: Form,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if !(R::FAMILIES.contains(form.family) && route.fits(form)) {
            return Err(EncodeError::RouteFamily { family: form.family });
        }
        if self.ctx.add_path.contains(form.family) {
            out.extend_from_slice(&path_id.unwrap_or(0).to_be_bytes());
        }
        route.write(out);
        Ok(())
    }

    /// Writes as many messages as the items need. On an error, `out` is as it was.
    fn fill<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        out: &mut BytesMut,
        mut write: impl FnMut(T, &mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let limit = self.ctx.max_len();
        let (head, tail) = (self.layout.head.octets(), &self.layout.tail);
        let finish = |at: usize, out: &mut BytesMut| {
            let routes_end = out.len() - at;
            out.put_slice(tail);
            put_lengths(&mut out[at..], (self.layout.to_end, self.layout.to_tail), routes_end);
        };
        let before = out.len();
        let mut message = None;
        let mut octets = Vec::new();
        for item in items {
            octets.clear();
            let needed = head.len() + tail.len();
            let outcome = write(item, &mut octets).and_then(|()| match needed + octets.len() {
                needed if needed > limit => Err(EncodeError::AttributesTooLong { needed, limit }),
                _ => Ok(()),
            });
            if let Err(error) = outcome {
                out.truncate(before);
                return Err(error);
            }
            if message.is_none_or(|at| out.len() - at + octets.len() + tail.len() > limit) {
                if let Some(at) = message {
                    finish(at, out);
                }
                message = Some(out.len());
                out.put_slice(head);
            }
            out.put_slice(&octets);
        }
        if let Some(at) = message {
            finish(at, out);
        }
        Ok(())
    }
}

/// Appends the next hop as MP_REACH_NLRI of the family has it; false if it cannot go with the family.
fn write_next_hop(family: AfiSafi, next_hop: NextHop, extended: FamilySet, out: &mut Vec<u8>) -> bool {
    // A family that is about neither kind of address takes either kind of next hop (RFC 7432 section 7, RFC 4684 section 4, RFC 8955).
    let either =
        !matches!(family.afi, 1 | 2) || family == AfiSafi::ROUTE_TARGETS || FlowRoute::FAMILIES.contains(family);
    let allowed = match next_hop {
        NextHop::Ipv4(_) => family.afi == 1 || either,
        NextHop::Ipv6(_) | NextHop::Ipv6LinkLocal { .. } => family.afi == 2 || either || extended.contains(family),
    };
    // RFC 4364 section 4.3.4, RFC 4659 section 3.2.1.
    let distinguisher: &[u8] = if matches!(family, AfiSafi::IPV4_VPN | AfiSafi::IPV6_VPN) { &[0; 8] } else { &[] };
    let mut put = |address: &[u8]| {
        out.extend_from_slice(distinguisher);
        out.extend_from_slice(address);
    };
    match next_hop {
        NextHop::Ipv4(address) => put(&address.octets()),
        NextHop::Ipv6(address) => put(&address.octets()),
        NextHop::Ipv6LinkLocal { global, link_local } => {
            put(&global.octets());
            put(&link_local.octets());
        }
    }
    allowed
}
