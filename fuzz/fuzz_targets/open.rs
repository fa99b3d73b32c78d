//! Any octets as the body of an OPEN and as a capability: what was read is written, and reads the same from then on.
//!
//! The input is the body; its first two octets are also the type and the length of a capability.

#![no_main]

use bgp_wire::{Capability, DecodeCtx, Message, OpenBuf, frame};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use peerage_fuzz::message;

fn rewritten(open: &OpenBuf) -> OpenBuf {
    let mut octets = BytesMut::new();
    open.encode(&mut octets);
    match Message::parse(&octets, &DecodeCtx::default()) {
        Ok(Message::Open(open)) => OpenBuf::from(open),
        other => panic!("an OPEN stays one: {other:?}"),
    }
}

fuzz_target!(|body: &[u8]| {
    if let Some((&[code, length], rest)) = body.split_first_chunk() {
        let _ = format!("{:?}", Capability::decode(code, &rest[..rest.len().min(length.into())]));
    }
    let Some(octets) = message(frame::OPEN, body) else { return };
    let open = match Message::parse(&octets, &DecodeCtx::default()) {
        Ok(Message::Open(open)) => open,
        Ok(other) => panic!("{other:?} for an OPEN"),
        Err(malformed) => {
            assert!(malformed.offset <= octets.len());
            return;
        }
    };
    assert_eq!(open.capabilities().count(), open.raw_capabilities().count());
    assert_eq!(open.asn(), open.four_octet_as().unwrap_or(open.my_as.into()));
    // What was odd in a capability is put right the first time it is written.
    let once = rewritten(&OpenBuf::from(open));
    assert_eq!(rewritten(&once), once);
});
