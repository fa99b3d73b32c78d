//! Writing UPDATEs: as many routes in each message as fit it, to the octet.

mod routes;

use crate::attributes::{Attributes, RawAttribute, code, expected_flags, flag, is_canonical, split_plain};
use crate::family::PREFIX_ROOM;
use crate::frame::{self, HEADER_LEN};
use crate::{AS_TRANS, AfiSafi, AttributesBuilder, EncodeCtx, Family, NextHop};
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use core::fmt;
use core::net::Ipv6Addr;

/// Why routes cannot be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The attributes leave no room for a route in a message.
    AttributesTooLong {
        /// Octets a message with one route would need at least.
        needed: usize,
        /// Octets a message may have.
        limit: usize,
    },
    /// The family's routes cannot carry a next hop of this kind on this session: IPv6 routes need an IPv6 one, others may have one only
    /// where that was negotiated (RFC 8950).
    NextHopFamily {
        /// The family of the routes.
        family: AfiSafi,
        /// The next hop that does not go with it.
        next_hop: NextHop,
    },
    /// The family's routes need a next hop, of no more than 255 octets.
    NextHopMissing {
        /// The family of the routes.
        family: AfiSafi,
    },
    /// A route is not one of the family, or longer than the family's routes can be.
    RouteFamily {
        /// The family.
        family: AfiSafi,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttributesTooLong { needed, limit } => {
                write!(
                    f,
                    "the attributes do not fit: a message with one route needs {needed} octets of at most {limit}"
                )
            }
            Self::NextHopFamily { family, next_hop } => {
                write!(f, "the next hop {next_hop} cannot go with {family} routes on this session")
            }
            Self::NextHopMissing { family } => write!(f, "{family} routes need a next hop of at most 255 octets"),
            Self::RouteFamily { family } => write!(f, "a route is not one of {family}, or too long for it"),
        }
    }
}

impl core::error::Error for EncodeError {}

/// Writes UPDATEs for one session, or for all that negotiated the same.
#[derive(Debug)]
pub struct UpdateEncoder {
    ctx: EncodeCtx,
    /// Kept between messages for its memory.
    layout: Layout,
}

/// A message as it grows. Its memory is kept and never cleared, so that octets are written to it without more ado.
#[derive(Debug, Default)]
struct Draft {
    memory: Vec<u8>,
    len: usize,
}

impl Draft {
    /// So many octets of memory at `at`, and then some; nothing is lost.
    #[inline(always)]
    fn room(&mut self, at: usize, len: usize) -> &mut [u8] {
        if self.memory.len() < at + len {
            self.memory.resize(2 * (at + len), 0);
        }
        &mut self.memory[at..]
    }

    #[inline(always)]
    fn put(&mut self, octets: &[u8]) {
        self.room(self.len, octets.len())[..octets.len()].copy_from_slice(octets);
        self.len += octets.len();
    }

    fn octets(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

/// What the messages of one call have in common: everything but the routes.
#[derive(Debug, Default)]
struct Layout {
    /// The header and what stands between it and the routes.
    head: Draft,
    /// What stands after the routes.
    tail: Vec<u8>,
    /// Offset of a 2-octet length that counts up to the end of the message.
    to_end: Option<usize>,
    /// Offset of a 2-octet length that counts up to the end of the routes.
    to_tail: Option<usize>,
}

impl Layout {
    /// Starts with a header and these octets.
    #[inline(always)]
    fn start(&mut self, octets: &[u8]) {
        self.head.len = 0;
        self.head.put(&frame::header(0, frame::UPDATE));
        self.head.put(octets);
        self.tail.clear();
        self.to_end = None;
        self.to_tail = None;
    }

    /// Starts a message whose routes are in a multiprotocol attribute, the first of its attributes (RFC 7606 section 5.1).
    fn start_multiprotocol(&mut self, code: u8, family: AfiSafi) {
        let [afi0, afi1] = family.afi.to_be_bytes();
        let flags = flag::OPTIONAL | flag::EXTENDED_LENGTH;
        self.start(&[0, 0, 0, 0, flags, code, 0, 0, afi0, afi1, family.safi]);
        self.to_end = Some(HEADER_LEN + 2);
        self.to_tail = Some(HEADER_LEN + 6);
    }

    fn put_next_hop(&mut self, addresses: &[Ipv6Addr]) {
        self.head.put(&[16 * addresses.len() as u8]);
        addresses.iter().for_each(|address| self.head.put(&address.octets()));
        // Reserved.
        self.head.put(&[0]);
    }

    /// Appends the message whose routes were written behind the head and end at `routes_end`.
    #[inline(always)]
    fn send(&mut self, routes_end: usize, out: &mut BytesMut) {
        let end = routes_end + self.tail.len();
        if end > routes_end {
            self.head.room(routes_end, self.tail.len())[..self.tail.len()].copy_from_slice(&self.tail);
        }
        let message = &mut self.head.memory[..end];
        put_lengths(message, (self.to_end, self.to_tail), routes_end);
        out.extend_from_slice(message);
    }
}

/// Puts the lengths into a message, its own and those at the two offsets: up to its end, and up to the end of its routes.
#[inline(always)]
fn put_lengths(message: &mut [u8], (to_end, to_tail): (Option<usize>, Option<usize>), routes_end: usize) {
    let end = message.len();
    let mut put =
        |offset: usize, length: usize| message[offset..offset + 2].copy_from_slice(&(length as u16).to_be_bytes());
    put(16, end);
    for (field, counted) in [(to_end, end), (to_tail, routes_end)] {
        if let Some(field) = field {
            put(field, counted - (field + 2));
        }
    }
}

impl UpdateEncoder {
    /// An encoder for what was negotiated.
    pub fn new(ctx: EncodeCtx) -> Self {
        Self { ctx, layout: Layout::default() }
    }

    /// What was negotiated.
    pub fn ctx(&self) -> &EncodeCtx {
        &self.ctx
    }

    /// Appends UPDATEs that announce the routes with these attributes (canonical form) and this next hop. Without routes, nothing is
    /// written. A path identifier is written exactly if ADD-PATH was negotiated for the family; a missing one as 0.
    ///
    /// # Errors
    /// Nothing is appended then.
    pub fn announce<F: Family>(
        &mut self,
        attributes: &[u8],
        next_hop: NextHop,
        keys: impl IntoIterator<Item = (Option<u32>, F::Key)>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.announce_block::<F>(Block { octets: attributes, built: false }, next_hop, keys, out)
    }

    /// As [`Self::announce`], of attributes whose form needs no second look.
    ///
    /// # Errors
    /// Nothing is appended then.
    pub fn announce_built<F: Family>(
        &mut self,
        attributes: &AttributesBuilder,
        next_hop: NextHop,
        keys: impl IntoIterator<Item = (Option<u32>, F::Key)>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.announce_block::<F>(Block { octets: attributes.octets(), built: true }, next_hop, keys, out)
    }

    fn announce_block<F: Family>(
        &mut self,
        attributes: Block<'_>,
        next_hop: NextHop,
        keys: impl IntoIterator<Item = (Option<u32>, F::Key)>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let family = F::AFI_SAFI;
        let layout = &mut self.layout;
        let addresses: &[Ipv6Addr] = match &next_hop {
            NextHop::Ipv4(address) if family == AfiSafi::IPV4_UNICAST => {
                // The attributes do not change from message to message, so that their length is known here.
                const START: usize = HEADER_LEN + 4;
                layout.start(&[0; 4]);
                if let Some((before, after)) = attributes.split().filter(|_| self.ctx.as4) {
                    let [a, b, c, d] = address.octets();
                    layout.head.put(before);
                    layout.head.put(&[flag::TRANSITIVE, code::NEXT_HOP, 4, a, b, c, d]);
                    layout.head.put(after);
                } else {
                    let mut octets = Vec::new();
                    write_attributes(attributes, self.ctx.as4, Some(address.octets()), &mut octets);
                    layout.head.put(&octets);
                }
                let length = (layout.head.len - START).min(usize::from(u16::MAX)) as u16;
                layout.head.memory[START - 2..START].copy_from_slice(&length.to_be_bytes());
                return self.pack::<F>(keys, out);
            }
            NextHop::Ipv6(address) => &[*address],
            NextHop::Ipv6LinkLocal { global, link_local } => &[*global, *link_local],
            NextHop::Ipv4(_) => &[],
        };
        let allowed = family == AfiSafi::IPV6_UNICAST || self.ctx.extended_next_hop.contains(family);
        if addresses.is_empty() || !allowed {
            return Err(EncodeError::NextHopFamily { family, next_hop });
        }
        layout.start_multiprotocol(code::MP_REACH_NLRI, family);
        layout.put_next_hop(addresses);
        write_attributes(attributes, self.ctx.as4, None, &mut layout.tail);
        self.pack::<F>(keys, out)
    }

    /// Appends UPDATEs that withdraw the routes; without routes, nothing.
    pub fn withdraw<F: Family>(&mut self, keys: impl IntoIterator<Item = (Option<u32>, F::Key)>, out: &mut BytesMut) {
        if F::AFI_SAFI == AfiSafi::IPV4_UNICAST {
            self.layout.start(&[0; 2]);
            self.layout.to_tail = Some(HEADER_LEN);
            // No attributes.
            self.layout.tail.extend_from_slice(&[0; 2]);
        } else {
            self.layout.start_multiprotocol(code::MP_UNREACH_NLRI, F::AFI_SAFI);
        }
        // It cannot fail: what stands around the routes of a withdrawal is a few octets.
        let _ = self.pack::<F>(keys, out);
    }

    /// Appends the marker that a family's initial routes are complete (RFC 4724 section 2).
    pub fn end_of_rib(&mut self, family: AfiSafi, out: &mut BytesMut) {
        if family == AfiSafi::IPV4_UNICAST {
            out.put_slice(&frame::header(23, frame::UPDATE));
            out.put_slice(&[0; 4]);
            return;
        }
        let [afi0, afi1] = family.afi.to_be_bytes();
        out.put_slice(&frame::header(29, frame::UPDATE));
        out.put_slice(&[0, 0, 0, 6, flag::OPTIONAL, code::MP_UNREACH_NLRI, 3, afi0, afi1, family.safi]);
    }

    /// Writes as many messages as the routes need. On an error, `out` is as it was.
    fn pack<F: Family>(
        &mut self,
        keys: impl IntoIterator<Item = (Option<u32>, F::Key)>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        /// Octets that writing a route may touch.
        const ROOM: usize = 4 + PREFIX_ROOM;
        let Self { ctx, layout } = self;
        let (limit, head) = (ctx.max_len(), layout.head.len);
        let around = head + layout.tail.len();
        let room = limit.saturating_sub(around);
        let add_path = ctx.add_path.contains(F::AFI_SAFI);
        let skip = if add_path { 4 } else { 0 };
        let before = out.len();
        // Offset in the draft.
        let mut end = head;
        for (path_id, key) in keys {
            // There is always that much room.
            let Some((id, slot)) = layout.head.room(end, ROOM).split_at_mut_checked(skip) else { continue };
            let Some(slot) = slot.first_chunk_mut() else { continue };
            if add_path {
                id.copy_from_slice(&path_id.unwrap_or(0).to_be_bytes());
            }
            let taken = skip + F::write(key, slot);
            if end - head + taken > room {
                if taken > room {
                    out.truncate(before);
                    return Err(EncodeError::AttributesTooLong { needed: around + taken, limit });
                }
                // The tail goes where the route is that did not fit.
                let mut route = [0; ROOM];
                route[..taken].copy_from_slice(&layout.head.memory[end..end + taken]);
                layout.send(end, out);
                layout.head.memory[head..head + taken].copy_from_slice(&route[..taken]);
                end = head;
            }
            end += taken;
        }
        if end > head {
            layout.send(end, out);
        }
        Ok(())
    }
}

/// Attributes in canonical form.
#[derive(Clone, Copy)]
struct Block<'a> {
    octets: &'a [u8],
    /// They are certainly in that form.
    built: bool,
}

impl<'a> Block<'a> {
    /// What stands before NEXT_HOP and what after it, where no more than a look is needed to tell.
    fn split(self) -> Option<(&'a [u8], &'a [u8])> {
        if self.built { Some(split_built(self.octets)) } else { split_plain(self.octets) }
    }
}

/// What stands before NEXT_HOP in a canonical block, and what after it.
fn split_built(block: &[u8]) -> (&[u8], &[u8]) {
    let mut middle = 0;
    while let Some((attribute, taken)) = RawAttribute::read(&block[middle..])
        && attribute.code < code::NEXT_HOP
    {
        middle += taken;
    }
    block.split_at(middle)
}

/// Writes the attributes of a canonical block as the session has them, with NEXT_HOP in its place.
fn write_attributes(attributes: Block<'_>, as4: bool, next_hop: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let block = attributes.octets;
    if as4 && next_hop.is_none() && attributes.split().is_some() {
        return out.extend_from_slice(block);
    }
    let attributes = Attributes::canonical(block);
    let mut next_hop = next_hop;
    let mut put_next_hop = |out: &mut Vec<u8>| {
        if let Some(value) = next_hop.take() {
            RawAttribute { flags: flag::TRANSITIVE, code: code::NEXT_HOP, value: &value }.write(out);
        }
    };
    let mut as4_path = Vec::new();
    let mut as4_aggregator = None;
    for attribute in attributes.iter().filter(|attribute| is_canonical(attribute.code)) {
        if attribute.code > code::NEXT_HOP {
            put_next_hop(out);
        }
        match attribute.code {
            code::AS_PATH if !as4 => {
                let mut value = Vec::with_capacity(attribute.value.len());
                if attributes.as_path().write_narrow(&mut value) {
                    attributes.as_path().write_as4_path(&mut as4_path);
                }
                RawAttribute { value: &value, ..attribute }.write(out);
            }
            code::AGGREGATOR if !as4 => {
                let (asn, identifier) = attribute.value.split_at(attribute.value.len().min(4));
                let narrow = match asn {
                    [0, 0, a, b] => [*a, *b],
                    _ => {
                        as4_aggregator = Some(attribute);
                        AS_TRANS.to_be_bytes()
                    }
                };
                RawAttribute { value: &[&narrow, identifier].concat(), ..attribute }.write(out);
            }
            _ => attribute.write(out),
        }
    }
    put_next_hop(out);
    if !as4_path.is_empty() {
        RawAttribute { flags: expected_flags(code::AS4_PATH), code: code::AS4_PATH, value: &as4_path }.write(out);
    }
    if let Some(aggregator) = as4_aggregator {
        RawAttribute { code: code::AS4_AGGREGATOR, ..aggregator }.write(out);
    }
}
