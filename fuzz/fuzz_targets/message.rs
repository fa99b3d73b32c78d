//! Any octets as any message under any context: an error or a message, never a panic; what is not an UPDATE is written as it was read.
//!
//! The input is an octet for the context, one for the message type, and the body.

#![no_main]

use bgp_wire::{AfiSafi, DecodeCtx, FamilySet, Message, OpenBuf, PeerKind, frame};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

fn context(choice: u8) -> DecodeCtx {
    let family_set = |bit: u8| {
        let chosen = |at: u8, family| (choice & (1 << at) != 0).then_some(family);
        [chosen(bit, AfiSafi::IPV4_UNICAST), chosen(bit + 1, AfiSafi::IPV6_UNICAST)].into_iter().flatten().collect()
    };
    DecodeCtx {
        as4: choice & 1 != 0,
        add_path: family_set(1),
        extended_message: choice & 8 != 0,
        extended_next_hop: if choice & 16 != 0 { FamilySet::ALL } else { FamilySet::EMPTY },
        peer: [PeerKind::External, PeerKind::Internal, PeerKind::Confederation, PeerKind::Unknown]
            [usize::from(choice >> 6)],
    }
}

fuzz_target!(|data: &[u8]| {
    let &[choice, kind, ref body @ ..] = data else { return };
    let ctx = context(choice);
    let _ = frame::peek(body, ctx.max_len());
    let _ = Message::parse(body, &ctx);

    let mut octets = frame::KEEPALIVE_MESSAGE.to_vec();
    octets.extend_from_slice(body);
    let Ok(len) = u16::try_from(octets.len()) else { return };
    octets[16..18].copy_from_slice(&len.to_be_bytes());
    octets[18] = kind;
    let message = match Message::parse(&octets, &ctx) {
        Ok(message) => message,
        Err(malformed) => {
            assert!(malformed.offset <= octets.len());
            return;
        }
    };
    let _ = format!("{message:?}");
    let mut written = BytesMut::new();
    match message {
        Message::Open(open) => {
            let sent = OpenBuf::from(open);
            sent.encode(&mut written);
            let Ok(Message::Open(again)) = Message::parse(&written, &ctx) else { panic!("an OPEN stays one") };
            // What was odd in a capability is put right the first time it is written.
            let settled = OpenBuf::from(again);
            let mut rewritten = BytesMut::new();
            settled.encode(&mut rewritten);
            assert_eq!(written, rewritten);
        }
        Message::Notification(notification) => {
            let _ = notification.to_string();
            notification.encode(&mut written);
            assert!(octets.starts_with(&written[..16]) && octets.len() >= written.len());
        }
        Message::RouteRefresh(refresh) => {
            refresh.encode(&mut written);
            assert_eq!(written[19..], octets[19..23]);
        }
        Message::Keepalive => assert_eq!(octets, frame::KEEPALIVE_MESSAGE),
        Message::Update(_) => {}
    }
});
