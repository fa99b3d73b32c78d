//! The same work with bgp-wire, and the two loops that it is held against: what no reader of the stream can avoid.
//!
//! Every function gives a sum over what it read, so that all can be checked to have read the same.

use std::hint::black_box;

use bgp_wire::{
    Aggregator, AsPathBuf, Attributes, Community, DecodeCtx, EncodeCtx, ExtendedCommunity, FamilySet, Ipv4Unicast,
    Ipv6Unicast, LargeCommunity, NextHop, Nlri, Origin, PeerKind, Update, UpdateEncoder, frame,
};
use bytes::BytesMut;
use ipnet::{Ipv4Net, Ipv6Net};

use crate::corpus::Corpus;

pub(crate) const CONTEXT: DecodeCtx = DecodeCtx {
    as4: true,
    add_path: FamilySet::EMPTY,
    extended_message: true,
    extended_next_hop: FamilySet::EMPTY,
    peer: PeerKind::Internal,
};

/// The messages of a stream.
pub(crate) fn frames(mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = frame::peek(stream, frame::MAX_EXTENDED_LEN).ok().flatten()?;
        let (message, rest) = stream.split_at_checked(length)?;
        stream = rest;
        Some(message)
    })
}

fn updates(stream: &[u8]) -> impl Iterator<Item = Update<'_>> {
    frames(stream).map(|message| Update::parse(message, &CONTEXT).expect("a well-formed UPDATE"))
}

/// A prefix's part of the sum.
pub(crate) fn prefix4(prefix: Ipv4Net) -> u64 {
    u64::from(prefix.addr().to_bits()) + u64::from(prefix.prefix_len())
}

/// A prefix's part of the sum.
pub(crate) fn prefix6(prefix: Ipv6Net) -> u64 {
    (prefix.addr().to_bits() >> 64) as u64 ^ u64::from(prefix.prefix_len())
}

/// A next hop's part of the sum.
pub(crate) fn next_hop(address: NextHop) -> u64 {
    match address {
        NextHop::Ipv4(address) => address.to_bits().into(),
        NextHop::Ipv6(address) | NextHop::Ipv6LinkLocal { global: address, .. } => address.to_bits() as u64,
    }
}

fn sum(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0, u64::wrapping_add)
}

/// Only the length of each message.
pub(crate) fn lengths(stream: &[u8]) -> u64 {
    let (mut rest, mut messages) = (stream, 0);
    while let Some(&[high, low]) = rest.get(16..18) {
        rest = rest.get(usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default();
        messages += 1;
    }
    messages
}

/// Every value of every message, by plain loops that trust the octets and keep nothing.
pub(crate) fn walk(stream: &[u8]) -> u64 {
    let (mut rest, mut total) = (stream, 0u64);
    while rest.len() >= 23 {
        let (message, after) = rest.split_at(be16(&rest[16..]));
        rest = after;
        let (withdrawn, tail) = message[21..].split_at(be16(&message[19..]));
        let (mut attributes, nlri) = tail[2..].split_at(be16(tail));
        let mut add = |value: u64| total = total.wrapping_add(value);
        walk_prefixes4(withdrawn, &mut add);
        walk_prefixes4(nlri, &mut add);
        while attributes.len() >= 3 {
            let (code, head, len) = if attributes[0] & 0x10 == 0 {
                (attributes[1], 3, usize::from(attributes[2]))
            } else {
                (attributes[1], 4, be16(&attributes[2..]))
            };
            let value = &attributes[head..head + len];
            attributes = &attributes[head + len..];
            match code {
                1 => add(value[0].into()),
                2 => {
                    let mut path = value;
                    while path.len() >= 2 {
                        let (segment, after) = path.split_at(2 + 4 * usize::from(path[1]));
                        segment[2..].as_chunks().0.iter().for_each(|asn| add(u32::from_be_bytes(*asn).into()));
                        path = after;
                    }
                }
                8 | 32 => value.as_chunks().0.iter().for_each(|word| add(u32::from_be_bytes(*word).into())),
                16 => add((value.len() / 8) as u64),
                7 => add(u32::from_be_bytes([value[0], value[1], value[2], value[3]]).into()),
                3..=5 => add(u32::from_be_bytes([value[0], value[1], value[2], value[3]]).into()),
                14 => {
                    let (address, nlri) = value[4..].split_at(value[3].into());
                    let address: [u8; 16] = address[..16].try_into().expect("16 octets");
                    add(u128::from_be_bytes(address) as u64);
                    walk_prefixes6(&nlri[1..], &mut add);
                }
                _ => {}
            }
        }
    }
    total
}

fn be16(octets: &[u8]) -> usize {
    u16::from_be_bytes([octets[0], octets[1]]).into()
}

fn walk_prefixes4(mut field: &[u8], add: &mut impl FnMut(u64)) {
    while let Some((&length, after)) = field.split_first() {
        let wide = match after.first_chunk() {
            Some(wide) => u32::from_be_bytes(*wide),
            None => {
                let mut wide = [0; 4];
                wide[..after.len()].copy_from_slice(after);
                u32::from_be_bytes(wide)
            }
        };
        let address = u64::from(wide) & !(u64::from(u32::MAX) >> length);
        add(address + u64::from(length));
        field = &after[usize::from(length).div_ceil(8)..];
    }
}

fn walk_prefixes6(mut field: &[u8], add: &mut impl FnMut(u64)) {
    while let Some((&length, after)) = field.split_first() {
        let wide = match after.first_chunk() {
            Some(wide) => u64::from_be_bytes(*wide),
            None => {
                let mut wide = [0; 8];
                wide[..after.len().min(8)].copy_from_slice(&after[..after.len().min(8)]);
                u64::from_be_bytes(wide)
            }
        };
        // The prefixes of the corpora are not longer than 64 bits, nor empty.
        add((wide & u64::MAX << (64 - length)) ^ u64::from(length));
        field = &after[usize::from(length).div_ceil(8)..];
    }
}

fn routes(update: &Update<'_>) -> u64 {
    let plain = |nlri: Nlri<'_, Ipv4Unicast>| sum(nlri.map(|(_, prefix)| prefix4(prefix)));
    let mut total = plain(update.withdrawn()).wrapping_add(plain(update.nlri()));
    if let Some(reach) = update.mp_reach() {
        total = total.wrapping_add(reach.next_hop().map_or(0, next_hop));
        if let Some(nlri) = reach.ipv6() {
            total = total.wrapping_add(sum(nlri.map(|(_, prefix)| prefix6(prefix))));
        }
    }
    total.wrapping_add(update.next_hop().map_or(0, next_hop))
}

/// View parse, nothing asked for.
pub(crate) fn parse(stream: &[u8]) -> u64 {
    let mut messages = 0;
    for update in updates(stream) {
        black_box(&update);
        messages += 1;
    }
    messages
}

/// View parse to prefixes and next hop.
pub(crate) fn prefixes(stream: &[u8]) -> u64 {
    updates(stream).fold(0, |total, update| total.wrapping_add(routes(&update)))
}

/// View parse, and every prefix, AS number and community iterated.
pub(crate) fn paths(stream: &[u8]) -> u64 {
    updates(stream).fold(0, |total, update| {
        let attributes = update.attributes();
        let path = sum(attributes.as_path().asns().map(u64::from));
        let communities = sum(attributes.communities().map(|community| community.0.into()));
        total.wrapping_add(routes(&update)).wrapping_add(path).wrapping_add(communities)
    })
}

/// View parse, and every value of every attribute.
pub(crate) fn everything(stream: &[u8]) -> u64 {
    updates(stream).fold(0, |total, update| total.wrapping_add(everything_of(&update)))
}

/// Every value of an UPDATE.
#[inline]
pub(crate) fn everything_of(update: &Update<'_>) -> u64 {
    routes(update).wrapping_add(attributes_of(&update.attributes()))
}

/// Every value of the attributes, but for next hops.
#[inline]
pub(crate) fn attributes_of(attributes: &Attributes<'_>) -> u64 {
    let mut total = 0u64;
    let mut add = |value: u64| total = total.wrapping_add(value);
    add(attributes.origin().map_or(0, |origin| origin as u64));
    add(sum(attributes.as_path().asns().map(u64::from)));
    add(attributes.med().unwrap_or(0).into());
    add(attributes.local_pref().unwrap_or(0).into());
    add(attributes.aggregator().map_or(0, |aggregator| aggregator.asn.into()));
    add(sum(attributes.communities().map(|community| community.0.into())));
    add(attributes.ext_communities().count() as u64);
    add(sum(attributes
        .large_communities()
        .map(|community| u64::from(community.global) + u64::from(community.local1) + u64::from(community.local2))));
    total
}

/// An UPDATE in the crate's owned types, as one who keeps it beyond the octets would.
#[expect(dead_code, reason = "only routes are written again; the rest is decoded to be timed")]
pub(crate) struct Owned {
    pub(crate) withdrawn: Vec<(Option<u32>, Ipv4Net)>,
    pub(crate) announced: Vec<(Option<u32>, Ipv4Net)>,
    pub(crate) announced6: Vec<(Option<u32>, Ipv6Net)>,
    pub(crate) next_hop: Option<NextHop>,
    pub(crate) origin: Option<Origin>,
    pub(crate) as_path: AsPathBuf,
    pub(crate) med: Option<u32>,
    pub(crate) local_pref: Option<u32>,
    pub(crate) aggregator: Option<Aggregator>,
    pub(crate) communities: Vec<Community>,
    pub(crate) ext_communities: Vec<ExtendedCommunity>,
    pub(crate) large_communities: Vec<LargeCommunity>,
}

impl Owned {
    fn new(update: &Update<'_>) -> Self {
        let attributes = update.attributes();
        let reach = update.mp_reach();
        let reach6 = reach.and_then(|reach| reach.ipv6());
        Self {
            withdrawn: update.withdrawn().collect(),
            announced: update.nlri().collect(),
            announced6: reach6.map_or_else(Vec::new, Nlri::<Ipv6Unicast>::collect),
            next_hop: update.next_hop().or_else(|| reach.and_then(|reach| reach.next_hop())),
            origin: attributes.origin(),
            as_path: attributes.as_path().into(),
            med: attributes.med(),
            local_pref: attributes.local_pref(),
            aggregator: attributes.aggregator(),
            communities: attributes.communities().collect(),
            ext_communities: attributes.ext_communities().collect(),
            large_communities: attributes.large_communities().collect(),
        }
    }
}

/// Parse to owned values, which are dropped at once.
pub(crate) fn owned(stream: &[u8]) -> u64 {
    let mut messages = 0;
    for update in updates(stream) {
        black_box(Owned::new(&update));
        messages += 1;
    }
    messages
}

/// Parse to what the RIB keeps: the canonical block, and the prefixes one by one.
pub(crate) fn canonical(stream: &[u8]) -> u64 {
    let (mut block, mut total) = (Vec::new(), 0u64);
    for update in updates(stream) {
        block.clear();
        update.canonical_attributes(&mut block);
        black_box(&block);
        total = total.wrapping_add(routes(&update));
    }
    total
}

/// What the messages of a corpus say, ready to be written again.
pub(crate) struct Source {
    routes: Vec<(Vec<u8>, NextHop, Keys, Keys)>,
}

enum Keys {
    None,
    Ipv4(Vec<(Option<u32>, Ipv4Net)>),
    Ipv6(Vec<(Option<u32>, Ipv6Net)>),
}

impl Source {
    pub(crate) fn new(corpus: &Corpus) -> Self {
        let routes = updates(&corpus.octets).map(|update| {
            let mut attributes = Vec::new();
            update.canonical_attributes(&mut attributes);
            let owned = Owned::new(&update);
            let withdrawn = if owned.withdrawn.is_empty() { Keys::None } else { Keys::Ipv4(owned.withdrawn) };
            let announced = match (owned.announced, owned.announced6) {
                (none, keys) if none.is_empty() && !keys.is_empty() => Keys::Ipv6(keys),
                (none, _) if none.is_empty() => Keys::None,
                (keys, _) => Keys::Ipv4(keys),
            };
            (attributes, owned.next_hop.unwrap_or(NextHop::Ipv4(crate::corpus::NEXT_HOP)), withdrawn, announced)
        });
        Self { routes: routes.collect() }
    }

    /// Writes all messages; gives their octets.
    pub(crate) fn encode(&self, out: &mut BytesMut) -> u64 {
        out.clear();
        let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, extended_message: true, ..EncodeCtx::default() });
        for (attributes, next_hop, withdrawn, announced) in &self.routes {
            if let Keys::Ipv4(keys) = withdrawn {
                encoder.withdraw::<Ipv4Unicast>(keys.iter().copied(), out);
            }
            let result = match announced {
                Keys::Ipv4(keys) => encoder.announce::<Ipv4Unicast>(attributes, *next_hop, keys.iter().copied(), out),
                Keys::Ipv6(keys) => encoder.announce::<Ipv6Unicast>(attributes, *next_hop, keys.iter().copied(), out),
                Keys::None => Ok(()),
            };
            result.expect("what was read fits a message");
        }
        out.len() as u64
    }
}

/// Messages that may be malformed: parsed, and how many were refused or faulty.
pub(crate) fn parse_any(stream: &[u8]) -> u64 {
    frames(stream)
        .map(|message| Update::parse(message, &CONTEXT).map_or(1, |update| update.action().is_some().into()))
        .sum()
}

/// Messages that may be malformed: parsed, the faults listed, and every route, path and community that stands iterated.
pub(crate) fn everything_any(stream: &[u8]) -> u64 {
    let mut total = 0u64;
    for message in frames(stream) {
        let Ok(update) = Update::parse(message, &CONTEXT) else { continue };
        total = total.wrapping_add(update.faults().map(|fault| fault.offset as u64).sum());
        let attributes = update.attributes();
        total = total.wrapping_add(routes(&update));
        total = total.wrapping_add(sum(attributes.as_path().asns().map(u64::from)));
        total = total.wrapping_add(sum(attributes.communities().map(|community| community.0.into())));
    }
    total
}

/// Messages that may be malformed: parsed, and the canonical block written.
pub(crate) fn canonical_any(stream: &[u8]) -> u64 {
    let (mut block, mut total) = (Vec::new(), 0);
    for message in frames(stream) {
        let Ok(update) = Update::parse(message, &CONTEXT) else { continue };
        block.clear();
        update.canonical_attributes(&mut block);
        total += block.len() as u64;
    }
    total
}
