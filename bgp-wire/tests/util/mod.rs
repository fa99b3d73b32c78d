//! Messages written out octet by octet, for the tests.
#![allow(dead_code, missing_docs, unreachable_pub)]

use bgp_wire::{DecodeCtx, FamilySet, Ipv4Unicast, Malformed, PeerKind, Update, frame};
use bytes::BytesMut;

/// ORIGIN IGP.
pub const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
/// AS_PATH 64500, in four octets.
pub const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfb, 0xf4];
/// NEXT_HOP 192.0.2.1.
pub const NEXT_HOP: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];
/// 198.51.100.0/24.
pub const PREFIX: &[u8] = &[24, 198, 51, 100];

pub const EXTERNAL: DecodeCtx = DecodeCtx {
    as4: true,
    add_path: FamilySet::EMPTY,
    extended_message: false,
    extended_next_hop: FamilySet::EMPTY,
    peer: PeerKind::External,
};
pub const INTERNAL: DecodeCtx = DecodeCtx { peer: PeerKind::Internal, ..EXTERNAL };
pub const NARROW: DecodeCtx = DecodeCtx { as4: false, ..EXTERNAL };

/// A whole message.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend_from_slice(&((19 + body.len()) as u16).to_be_bytes());
    message.push(kind);
    message.extend_from_slice(body);
    message
}

/// A whole UPDATE.
pub fn update(withdrawn: &[u8], attributes: &[&[u8]], nlri: &[u8]) -> Vec<u8> {
    let attributes = attributes.concat();
    let mut body = (withdrawn.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(withdrawn);
    body.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
    body.extend_from_slice(&attributes);
    body.extend_from_slice(nlri);
    message(frame::UPDATE, &body)
}

/// An UPDATE that announces [`PREFIX`] with the mandatory attributes and one more.
pub fn announcing_with(attribute: &[u8]) -> Vec<u8> {
    update(&[], &[ORIGIN, AS_PATH, NEXT_HOP, attribute], PREFIX)
}

/// The fault's words, one per fault: `(action, code, attribute)`.
pub fn faults(frame: &[u8], ctx: &DecodeCtx) -> Result<Vec<bgp_wire::Fault>, Malformed> {
    Ok(Update::parse(frame, ctx)?.faults().collect())
}

/// The plain routes as text.
pub fn routes(update: &Update<'_>) -> Vec<String> {
    update.nlri().map(|(_, key)| key.to_string()).collect()
}

/// The whole messages in `octets`.
pub fn frames(mut octets: &[u8], max_len: usize) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(len) = frame::peek(octets, max_len).expect("a header") {
        let (frame, rest) = octets.split_at(len);
        frames.push(frame);
        octets = rest;
    }
    assert!(octets.is_empty(), "octets after the last message");
    frames
}

pub type Key = <Ipv4Unicast as bgp_wire::Family>::Key;

pub fn encode(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    write(&mut out);
    out
}
