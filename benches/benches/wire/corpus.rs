//! What is measured on: streams of UPDATEs, generated or real, and each of them made malformed.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use benches::table::{Group, internet};
use bgp_wire::mrt::{Body, Reader};
use bgp_wire::{
    AsPathBuf, AttributesBuilder, Community, EncodeCtx, ExtendedCommunity, Ipv4Unicast, Ipv6Unicast, LargeCommunity,
    NextHop, Origin, Update, UpdateEncoder, frame,
};
use bytes::{Bytes, BytesMut};
use ipnet::{Ipv4Net, Ipv6Net};

use crate::ours::{self, CONTEXT};

pub(crate) const NEXT_HOP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const NEXT_HOP_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// UPDATEs, one after the other.
pub(crate) struct Corpus {
    pub(crate) name: String,
    pub(crate) octets: Bytes,
    /// The end of each message.
    pub(crate) ends: Vec<usize>,
    pub(crate) prefixes: usize,
    /// Whether others wrote the messages, who may have written them with more octets than need be.
    pub(crate) is_recorded: bool,
}

impl Corpus {
    fn new(name: impl Into<String>, octets: Bytes) -> Self {
        let (mut ends, mut prefixes) = (Vec::new(), 0);
        for message in ours::frames(&octets) {
            ends.push(ends.last().unwrap_or(&0) + message.len());
            let update = Update::parse(message, &CONTEXT).expect("a well-formed UPDATE");
            assert_eq!(update.action(), None, "a sound UPDATE");
            prefixes += update.nlri().count() + update.withdrawn().count();
            prefixes += update.mp_reach().and_then(|reach| reach.ipv6()).map_or(0, Iterator::count);
        }
        Self { name: name.into(), octets, ends, prefixes, is_recorded: false }
    }

    pub(crate) fn messages(&self) -> usize {
        self.ends.len()
    }
}

fn encoder() -> UpdateEncoder {
    UpdateEncoder::new(EncodeCtx { as4: true, extended_message: true, ..EncodeCtx::default() })
}

fn ipv4(name: impl Into<String>, table: &[Group]) -> Corpus {
    let (mut encoder, mut out) = (encoder(), BytesMut::new());
    for group in table {
        let keys = group.prefixes.iter().map(|prefix| (None, *prefix));
        encoder
            .announce::<Ipv4Unicast>(&group.attributes, NextHop::Ipv4(NEXT_HOP), keys, &mut out)
            .expect("a generated route fits");
    }
    Corpus::new(name, out.freeze())
}

/// The same table 24 bits further down: a /24 becomes a /48.
fn ipv6(name: impl Into<String>, table: &[Group]) -> Corpus {
    let (mut encoder, mut out) = (encoder(), BytesMut::new());
    let lower = |prefix: &Ipv4Net| {
        let bits = 0x002a_05d0 << 104 | u128::from(prefix.addr().to_bits()) << 72;
        Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), 24 + prefix.prefix_len())
    };
    for group in table {
        let keys = group.prefixes.iter().map(|prefix| (None, lower(prefix)));
        encoder
            .announce::<Ipv6Unicast>(&group.attributes, NextHop::Ipv6(NEXT_HOP_6), keys, &mut out)
            .expect("a generated route fits");
    }
    Corpus::new(name, out.freeze())
}

/// A table cut into groups of `size` prefixes.
fn regrouped(count: usize, size: usize) -> Vec<Group> {
    let table = internet(count * size, 65_001, 1);
    let prefixes: Vec<Ipv4Net> = table.iter().flat_map(|group| group.prefixes.iter().copied()).collect();
    let attributes = internet(8 * count, 65_001, 2).into_iter().map(|group| group.attributes);
    prefixes
        .chunks(size)
        .zip(attributes)
        .map(|(prefixes, attributes)| Group { attributes, prefixes: prefixes.to_vec() })
        .collect()
}

/// Two prefixes behind a long path and many communities of every kind.
fn attribute_heavy() -> Vec<Group> {
    let mut table = regrouped(512, 2);
    for (at, group) in table.iter_mut().enumerate() {
        let seed = at as u32;
        let mut builder = AttributesBuilder::new(Origin::Igp);
        builder.as_path(&AsPathBuf::sequence((0..24).map(|hop| 64_500 + hop + seed % 7)));
        builder.med(Some(seed));
        builder.communities((0..40).map(|value| Community::new(64_500, value + at as u16)));
        builder.ext_communities((0..10).map(|value| ExtendedCommunity::route_target_as2(64_500, value + seed)));
        builder.large_communities((0..10).map(|value| LargeCommunity::new(64_500, value, seed)));
        group.attributes = builder.build();
    }
    table
}

/// Two prefixes behind a row of small attributes that nobody knows.
fn many_attributes() -> Vec<Group> {
    let mut table = regrouped(512, 2);
    for group in &mut table {
        let mut builder = AttributesBuilder::from_canonical(&group.attributes);
        (60..250).for_each(|code| _ = builder.unknown(code, &[]));
        group.attributes = builder.build();
    }
    table
}

/// Every corpus of generated UPDATEs, the great streams first.
pub(crate) fn generated() -> Vec<Corpus> {
    let table = internet(1_000_000, 65_001, 1);
    let mut corpora = vec![ipv4("IPv4, 1M prefixes", &table), ipv6("IPv6, 1M prefixes", &table)];
    for (size, count) in [(1, 4096), (10, 2048), (200, 256), (900, 64)] {
        let table = regrouped(count, size);
        corpora.push(ipv4(format!("IPv4, {size} to an UPDATE"), &table));
        corpora.push(ipv6(format!("IPv6, {size} to an UPDATE"), &table));
    }
    let table = attribute_heavy();
    corpora.push(ipv4("IPv4, attribute-heavy", &table));
    corpora.push(ipv4("IPv4, many attributes", &many_attributes()));
    corpora.push(ipv6("IPv6, attribute-heavy", &table));
    corpora
}

/// The sound UPDATEs of an MRT file with 4-octet AS numbers.
pub(crate) fn recorded(name: &str, file: &[u8]) -> Corpus {
    let mut out = BytesMut::new();
    for record in Reader::new(file).flatten() {
        let Body::Message(message) = record.body else { continue };
        let is_update = message.ctx().as4 && message.message.get(18) == Some(&frame::UPDATE);
        let sound = |octets| Update::parse(octets, &CONTEXT).is_ok_and(|update| update.action().is_none());
        if is_update && sound(message.message) {
            out.extend_from_slice(message.message);
        }
    }
    Corpus { is_recorded: true, ..Corpus::new(name, out.freeze()) }
}

/// A file of `folder`, uncompressed.
pub(crate) fn uncompressed(folder: &Path, name: &str) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let file = std::fs::File::open(folder.join(name))?;
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(file), &mut octets)?;
    Ok(octets)
}

/// The stream with the same wrong in each of its messages, which keep their sizes.
pub(crate) struct Malformation {
    pub(crate) name: &'static str,
    pub(crate) octets: Vec<u8>,
}

/// Where the attributes of a message without withdrawn routes begin and end.
fn block(message: &[u8]) -> std::ops::Range<usize> {
    23..23 + usize::from(u16::from_be_bytes([message[21], message[22]]))
}

/// The offset of the attribute of this type in a message.
fn find(message: &[u8], code: u8) -> Option<usize> {
    let mut at = block(message).start;
    while at < block(message).end {
        if message[at + 1] == code {
            return Some(at);
        }
        // The generated attributes are short.
        at += 3 + usize::from(message[at + 2]);
    }
    None
}

/// Each kind of malformed message, made from well-formed ones.
pub(crate) fn malformed(corpus: &Corpus) -> Vec<Malformation> {
    let damage = |name, harm: &dyn Fn(&mut [u8])| {
        let mut octets = corpus.octets.to_vec();
        let mut rest = &mut octets[..];
        while !rest.is_empty() {
            let len = usize::from(u16::from_be_bytes([rest[16], rest[17]]));
            let (message, after) = rest.split_at_mut(len);
            harm(message);
            rest = after;
        }
        Malformation { name, octets }
    };
    let path = |message: &[u8]| find(message, 2).expect("every message has an AS_PATH");
    vec![
        damage("wrong flags on ORIGIN", &|message| message[23] = 0xc0),
        damage("unknown ORIGIN", &|message| message[26] = 9),
        damage("AS_PATH segment past its end", &|message| message[path(message) + 4] += 1),
        damage("unknown AS_PATH segment", &|message| message[path(message) + 3] = 9),
        damage("AS 0 last in AS_PATH", &|message| {
            let end = path(message) + 3 + usize::from(message[path(message) + 2]);
            message[end - 4..end].fill(0);
        }),
        damage("NEXT_HOP missing", &|message| {
            let at = find(message, 3).expect("every message has a NEXT_HOP");
            message[at] = 0xc0;
            message[at + 1] = 99;
        }),
        damage("ORIGIN twice", &|message| {
            let at = path(message);
            message[at + 1] = 1;
        }),
        damage("attribute past the list's end", &|message| message[path(message) + 2] = 250),
        damage("nothing but empty unknown attributes", &|message| {
            let at = block(message);
            for (index, octets) in message[at].chunks_mut(3).enumerate() {
                octets.copy_from_slice(&[0xc0, 100 + index as u8, 0][..octets.len()]);
            }
        }),
        damage("nothing but one attribute again and again", &|message| {
            let at = block(message);
            message[at].chunks_mut(3).for_each(|octets| octets.copy_from_slice(&[0xc0, 99, 0][..octets.len()]));
        }),
        damage("unknown well-known attribute", &|message| message[path(message) + 1] = 99),
        damage("first prefix of 33 bits", &|message| {
            let end = block(message).end;
            message[end] = 33;
        }),
        damage("last prefix cut short", &|message| {
            let (mut at, len) = (block(message).end, message.len());
            let mut last = at;
            while at < len {
                last = at;
                at += 1 + usize::from(message[at]).div_ceil(8);
            }
            message[last] = 32;
        }),
        damage("attribute list past the message's end", &|message| message[21] = 0xff),
        damage("noise", &|message| {
            let mut state = message.len() as u32;
            for octet in &mut message[19..] {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *octet = (state >> 24) as u8;
            }
        }),
    ]
}
