//! Octets and inputs of every kind, in any order and any state: a session never panics, and its outputs keep their order.
//!
//! The input is a list of steps of one octet each, some followed by octets of their own; see [`Reader`].

#![no_main]

use std::time::Duration;

use bgp_session::{Config, Connection, Event, Input, Instant, RemoteAs, Session, State};
use bgp_wire::{
    AddPath, AddPathMode, AfiSafi, Capability, Notification, OpenBuf, Role, Update, frame, notification::cease,
};
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A length octet and that many octets, or as many as there are.
    fn octets(&mut self) -> &'a [u8] {
        let len = usize::from(self.octet().unwrap_or(0)).min(self.0.len());
        let (octets, rest) = self.0.split_at(len);
        self.0 = rest;
        octets
    }
}

fn config(choice: u8) -> Config {
    let bit = |n: u8| choice & (1 << n) != 0;
    let mut config = Config::new(65001, [10, 0, 0, 1].into(), RemoteAs::External);
    config.hold_time = Duration::from_secs(if bit(0) { 0 } else { 9 });
    config.delay_open = bit(1).then_some(Duration::from_secs(3));
    config.passive = bit(2);
    config.families = vec![AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
    config.capabilities.extended_message = bit(3);
    if bit(4) {
        config.capabilities.add_path = vec![AddPath { family: AfiSafi::IPV4_UNICAST, mode: AddPathMode::Both }];
    }
    if bit(5) {
        config.capabilities.extended_next_hop = vec![AfiSafi::IPV4_UNICAST];
    }
    config.capabilities.role = bit(6).then_some(Role::Peer);
    config
}

/// An OPEN that is right, with the capabilities that `value` says, some of them nonsense.
fn open(value: &[u8]) -> BytesMut {
    let mut capabilities = vec![Capability::FourOctetAs(65002), Capability::RouteRefresh, Capability::ExtendedMessage];
    let mut rest = Reader(value);
    while let Some(code) = rest.octet() {
        capabilities.push(Capability::decode(code, rest.octets()));
    }
    let mut message = BytesMut::new();
    OpenBuf { asn: 65002, hold_time: 9, identifier: [10, 0, 0, 2].into(), capabilities }.encode(&mut message);
    message
}

/// A header that is right, before any body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = frame::KEEPALIVE_MESSAGE.to_vec();
    message[16..18].copy_from_slice(&(19 + body.len() as u16).to_be_bytes());
    message[18] = kind;
    message.extend_from_slice(body);
    message
}

fuzz_target!(|data: &[u8]| {
    let mut steps = Reader(data);
    let Some(choice) = steps.octet() else { return };
    let mut session = Session::new(config(choice));
    let mut buffers = [BytesMut::new(), BytesMut::new()];
    let mut now = Instant(0);
    let mut up = false;
    while let Some(step) = steps.octet() {
        let slot = usize::from(step >> 7);
        let connection = Connection::BOTH[slot];
        let received = match step & 0x0f {
            0 => Some(steps.octets().to_vec()),
            1 => Some(open(steps.octets()).to_vec()),
            2 => Some(frame::KEEPALIVE_MESSAGE.to_vec()),
            3 => Some(message(2, steps.octets())),
            4 => Some(message(steps.octet().unwrap_or(5), steps.octets())),
            kind => {
                match kind {
                    5 => session.handle(now, Input::Start),
                    6 => session.handle(now, Input::Connected(connection)),
                    7 => session.handle(now, Input::ConnectFailed),
                    8 => session.handle(now, Input::Closed(connection)),
                    9 => session.handle(now, Input::Stop(Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN))),
                    10 => session.handle(now, Input::Reset(Notification::cease(cease::ADMINISTRATIVE_RESET))),
                    11 => session.handle(now, Input::Send(Bytes::copy_from_slice(steps.octets()))),
                    12 => session.handle(now, Input::Written(connection, steps.octet().unwrap_or(0).into())),
                    13 => {
                        session.handle(now, Input::RequestRefresh(AfiSafi::new(steps.octet().unwrap_or(1).into(), 1)))
                    }
                    14 => now = now + Duration::from_millis(u64::from(steps.octet().unwrap_or(0)) * 100),
                    _ => now = session.poll_timeout().unwrap_or(now),
                }
                None
            }
        };
        if let Some(octets) = received {
            buffers[slot].extend_from_slice(&octets);
            session.receive(now, connection, &mut buffers[slot]);
        }
        session.handle_timeout(now);
        assert!(session.poll_timeout().is_none_or(|next| next > now), "no timer stands that is due");
        while let Some(event) = session.poll_event() {
            match event {
                Event::Established(terms) => {
                    assert!(!std::mem::replace(&mut up, true), "established once");
                    assert!(!terms.families.is_empty());
                }
                Event::Down(reason) => {
                    assert!(std::mem::replace(&mut up, false), "down once");
                    assert!(!reason.to_string().is_empty());
                }
                Event::Update { frame, index } => {
                    assert!(up, "an UPDATE only when established");
                    let update = Update::from_index(&frame, &index);
                    let _ = update.withdrawn().count() + update.nlri().count();
                    let _ = (update.next_hop(), update.end_of_rib(), update.faults().count());
                }
                Event::FamilyDisabled(_) => assert!(up, "a family is disabled only when established"),
                Event::RouteRefresh(_) => assert!(up, "a ROUTE-REFRESH only when established"),
                Event::Connect | Event::Close(_) | Event::Failed(..) => {}
            }
        }
        assert_eq!(up, session.state() == State::Established, "events and state agree");
        if step & 0x40 != 0 {
            while let Some(chunk) = session.poll_transmit(connection) {
                assert!(!chunk.is_empty());
            }
        }
    }
});
