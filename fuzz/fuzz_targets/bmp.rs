//! Any octets as BMP messages: what is read is written octet for octet, and the messages inside can be read as the outer one says.

#![no_main]

use bgp_wire::bmp::{self, Message};
use bgp_wire::{DecodeCtx, FamilySet};
use libfuzzer_sys::fuzz_target;

fn look_at(message: &Message<'_>) {
    let _ = format!("{message:?}");
    if let Some(peer) = message.peer() {
        let ctx = peer.ctx(FamilySet::ALL);
        let _ = (peer.address(), peer.rib(), peer.is_filtered());
        if let Message::RouteMonitoring(monitoring) = message {
            let _ = format!("{:?}", bgp_wire::Message::parse(monitoring.message, &ctx));
        }
    }
    match message {
        Message::PeerUp(up) => {
            let _ = (up.local_address(), up.add_path());
            for open in [up.sent_open, up.received_open] {
                let _ = format!("{:?}", bgp_wire::Message::parse(open, &DecodeCtx::default()));
            }
        }
        Message::Statistics(statistics) => {
            for counter in statistics.iter() {
                let _ = (counter.name(), format!("{counter:?}"));
            }
        }
        Message::RouteMirroring(mirroring) => drop(mirroring.items.iter().map(|tlv| tlv.code()).count()),
        Message::Initiation(tlvs) | Message::Termination(tlvs) => drop(tlvs.iter().map(|tlv| tlv.text()).count()),
        _ => {}
    }
}

fuzz_target!(|stream: &[u8]| {
    let mut rest = stream;
    while let Ok(Some(length)) = bmp::peek(rest) {
        let Some((octets, after)) = rest.split_at_checked(length) else { return };
        rest = after;
        match Message::parse(octets) {
            Ok(message) => {
                look_at(&message);
                let mut written = Vec::new();
                message.write(&mut written).expect("what was read has a length");
                assert_eq!(written, octets);
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
