//! Any octets as any message under any context: an error or a message, never a panic; what is not an UPDATE is written as it was read.
//!
//! The input is two octets for the context, one for the message type, and the body.

#![no_main]

use bgp_wire::{Message, OpenBuf, frame};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use peerage_fuzz::{context, message};

fuzz_target!(|data: &[u8]| {
    let &[first, second, kind, ref body @ ..] = data else { return };
    let ctx = context([first, second]);
    let _ = frame::peek(body, ctx.max_len());
    let _ = Message::parse(body, &ctx);

    let Some(octets) = message(kind, body) else { return };
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
