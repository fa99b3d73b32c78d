//! Malformed UPDATEs over a socket: one case per action of RFC 7606, with the session's fate and its one log line.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use common::raw::{self, Raw};
use common::*;
use speaker::{Speaker, State};

/// Collects what is logged on this thread, where the session tasks run.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn lines(&self, with: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(with)).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A speaker with an established neighbour that has announced 10.1.0.0/16.
async fn established_by_hand() -> (Speaker, Raw, IpAddr, SocketAddr) {
    let (ours, theirs) = (address(), address());
    let mut config = config(A_AS, ours, &["default"]);
    config.neighbors = vec![passive("default", ours, theirs, B_AS)];
    let speaker = start(config).await;
    let to = speaker.status().await.unwrap().listening[0];
    let mut raw = Raw::establish(theirs, to, B_AS).await;
    raw.send(&raw::update(&raw::mandatory(0, B_AS, theirs), &[16, 10, 1])).await;
    has_route(&speaker, "default", "10.1.0.0/16").await;
    (speaker, raw, theirs, to)
}

/// The session is up still, and takes a further route.
async fn goes_on(speaker: &Speaker, raw: &mut Raw, theirs: IpAddr) {
    raw.send(&raw::update(&raw::mandatory(0, B_AS, theirs), &[16, 10, 9])).await;
    has_route(speaker, "default", "10.9.0.0/16").await;
    let status = neighbor_status(speaker, theirs).await;
    assert_eq!((status.state, status.established_count), (State::Established, 1));
    assert!(raw.is_open().await);
}

#[tokio::test]
async fn attribute_discard_keeps_the_route_without_the_attribute() {
    let log = Log::default();
    let _guard = log.collect();
    let (speaker, mut raw, theirs, _) = established_by_hand().await;
    let mut attributes = raw::mandatory(0, B_AS, theirs);
    // ATOMIC_AGGREGATE must be empty (RFC 7606 section 7.6).
    attributes.extend_from_slice(&[0x40, 6, 1, 0]);
    raw.send(&raw::update(&attributes, &[16, 10, 2])).await;
    has_route(&speaker, "default", "10.2.0.0/16").await;
    goes_on(&speaker, &mut raw, theirs).await;
    assert_eq!(neighbor_status(&speaker, theirs).await.messages.faulty_updates, 1);
    let lines = log.lines("malformed");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains(&theirs.to_string()) && lines[0].contains("discarded"), "{}", lines[0]);
    speaker.stop().await;
}

#[tokio::test]
async fn treat_as_withdraw_withdraws_the_routes_of_that_update_alone() {
    let log = Log::default();
    let _guard = log.collect();
    let (speaker, mut raw, theirs, _) = established_by_hand().await;
    raw.send(&raw::update(&raw::mandatory(0, B_AS, theirs), &[16, 10, 2])).await;
    has_route(&speaker, "default", "10.2.0.0/16").await;
    // ORIGIN 7 is none (RFC 7606 section 7.1).
    raw.send(&raw::update(&raw::mandatory(7, B_AS, theirs), &[16, 10, 2])).await;
    has_no_route(&speaker, "default", "10.2.0.0/16").await;
    has_route(&speaker, "default", "10.1.0.0/16").await;
    goes_on(&speaker, &mut raw, theirs).await;
    let lines = log.lines("malformed");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains(&theirs.to_string()) && lines[0].contains("withdraw"), "{}", lines[0]);
    speaker.stop().await;
}

/// The speaker ends the session, says why, and has none of its routes; the neighbour may come back.
async fn is_reset(log: &Log, octets: &[u8], subcode: u8) {
    let (speaker, mut raw, theirs, to) = established_by_hand().await;
    raw.send(octets).await;
    let notification = raw.notification().await;
    assert_eq!((notification.code, notification.subcode), (bgp_wire::notification::UPDATE_ERROR, subcode));
    assert_eq!(raw.next().await, None);
    drop(raw);
    has_no_route(&speaker, "default", "10.1.0.0/16").await;
    let lines = log.lines(" down ");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains(&theirs.to_string()) && lines[0].contains("cannot be read"), "{}", lines[0]);
    eventually("connections are accepted again", async || {
        let mut octet = [0];
        let raw = Raw::connect(theirs, to).await;
        match raw.stream.peek(&mut octet).await {
            Ok(1) => Ok(()),
            other => Err(other.map_err(|error| error.to_string())),
        }
    })
    .await;
    speaker.stop().await;
}

#[tokio::test]
async fn session_reset_for_a_prefix_that_runs_past_the_end() {
    let log = Log::default();
    let _guard = log.collect();
    let attributes = raw::mandatory(0, B_AS, [127, 0, 0, 1].into());
    is_reset(&log, &raw::update(&attributes, &[32, 10, 2]), 10).await;
}

#[tokio::test]
async fn routes_that_cannot_be_told_apart_disable_their_family_and_the_other_goes_on() {
    let log = Log::default();
    let _guard = log.collect();
    let (speaker, mut raw, theirs, _) = established_by_hand().await;
    // IPv6 unicast by 2001:db8::1.
    let reach = |nlri: &[u8]| {
        let mut attributes = raw::mandatory(0, B_AS, theirs);
        attributes.extend_from_slice(&[0x80, 14, 21 + nlri.len() as u8, 0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8]);
        attributes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
        attributes.extend_from_slice(nlri);
        raw::update(&attributes, &[])
    };
    let sound = reach(&[32, 0x20, 1, 0x0d, 0xb8]);
    raw.send(&sound).await;
    let stands = async || speaker.route("default", net("2001:db8::/32")).await.unwrap();
    eventually("the IPv6 route stands", async || stands().await.map(drop).ok_or("no route")).await;
    // A prefix of 129 bits (RFC 7606 section 5.3).
    raw.send(&reach(&[129, 0x20])).await;
    has_no_route(&speaker, "default", "2001:db8::/32").await;
    // Sound or not, nothing more of the family is taken; the session and IPv4 go on.
    raw.send(&sound).await;
    raw.send(&reach(&[129, 0x20])).await;
    goes_on(&speaker, &mut raw, theirs).await;
    assert!(stands().await.is_none());
    has_route(&speaker, "default", "10.1.0.0/16").await;
    assert_eq!(neighbor_status(&speaker, theirs).await.disabled, [bgp_wire::AfiSafi::IPV6_UNICAST]);
    let lines = log.lines("malformed");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let says = ["ipv6-unicast", "disabled", &theirs.to_string()].iter().all(|text| lines[0].contains(text));
    assert!(says, "{}", lines[0]);
    speaker.stop().await;
}

#[tokio::test]
async fn session_reset_for_a_next_hop_of_no_length_the_family_allows() {
    let log = Log::default();
    let _guard = log.collect();
    // IPv6 unicast with a next hop of 3 octets (RFC 7606 section 7.11).
    let mut attributes = raw::mandatory(0, B_AS, [127, 0, 0, 1].into());
    attributes.extend_from_slice(&[0x80, 14, 8, 0, 2, 1, 3, 1, 2, 3, 0]);
    is_reset(&log, &raw::update(&attributes, &[]), 1).await;
}

#[tokio::test]
async fn session_reset_for_attributes_longer_than_the_message() {
    let log = Log::default();
    let _guard = log.collect();
    let mut octets = raw::update(&raw::mandatory(0, B_AS, [127, 0, 0, 1].into()), &[]);
    octets[21..23].copy_from_slice(&[0xff, 0xff]);
    is_reset(&log, &octets, 1).await;
}

#[tokio::test]
async fn a_message_without_the_marker_ends_the_session() {
    let log = Log::default();
    let _guard = log.collect();
    let (speaker, mut raw, theirs, _) = established_by_hand().await;
    raw.send(&[0; 19]).await;
    let notification = raw.notification().await;
    assert_eq!((notification.code, notification.subcode), (1, 1));
    has_no_route(&speaker, "default", "10.1.0.0/16").await;
    let lines = log.lines(" down ");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains(&theirs.to_string()), "{}", lines[0]);
    drop(raw);
    speaker.stop().await;
}
