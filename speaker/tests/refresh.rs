//! Route refresh with marks (RFC 7313), both ways, over a socket.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::IpAddr;

use bgp_wire::{AfiSafi, Capability, RefreshSubtype};
use common::raw::{self, Raw};
use common::*;
use speaker::{Speaker, State};

const V4: AfiSafi = AfiSafi::IPV4_UNICAST;

/// A speaker with a neighbour that offers to mark its refreshes and has announced 10.1.0.0/16 and 10.2.0.0/16.
async fn established() -> (Speaker, Raw, IpAddr) {
    let (ours, theirs) = (address(), address());
    let mut config = config(A_AS, ours, &["default"]);
    config.neighbors = vec![passive("default", ours, theirs, B_AS)];
    let speaker = start(config).await;
    let to = speaker.status().await.unwrap().listening[0];
    let mut raw = Raw::offering(theirs, to, B_AS, &[Capability::EnhancedRouteRefresh]).await;
    raw.send(&raw::update(&raw::mandatory(0, B_AS, theirs), &[16, 10, 1, 16, 10, 2])).await;
    has_route(&speaker, "default", "10.1.0.0/16").await;
    has_route(&speaker, "default", "10.2.0.0/16").await;
    (speaker, raw, theirs)
}

#[tokio::test]
async fn what_the_neighbor_does_not_announce_again_between_the_marks_is_withdrawn() {
    let (speaker, mut raw, theirs) = established().await;
    raw.refresh(V4, RefreshSubtype::BeginOfRr).await;
    raw.send(&raw::update(&raw::mandatory(0, B_AS, theirs), &[16, 10, 2, 16, 10, 3])).await;
    has_route(&speaker, "default", "10.3.0.0/16").await;
    assert!(speaker.route("default", net("10.1.0.0/16")).await.unwrap().is_some(), "it stands until the end");
    raw.refresh(V4, RefreshSubtype::EndOfRr).await;
    has_no_route(&speaker, "default", "10.1.0.0/16").await;
    has_route(&speaker, "default", "10.2.0.0/16").await;
    assert_eq!(neighbor_status(&speaker, theirs).await.state, State::Established);
    speaker.stop().await;
}

#[tokio::test]
async fn the_answer_to_a_request_stands_between_the_marks() {
    let (speaker, mut raw, _) = established().await;
    inject(&speaker, "default", &["10.8.0.0/16", "10.9.0.0/16"]).await;
    let mut told = 0;
    while told < 2 {
        let octets = raw.update().await;
        told += bgp_wire::Update::parse(&octets, &raw::CTX).unwrap().nlri().count();
    }
    raw.refresh(V4, RefreshSubtype::Request).await;
    let (begin, _) = raw.until_refresh().await;
    assert_eq!((begin.family, begin.subtype), (V4, RefreshSubtype::BeginOfRr));
    let (end, between) = raw.until_refresh().await;
    assert_eq!((end.family, end.subtype, between), (V4, RefreshSubtype::EndOfRr, 2));
    speaker.stop().await;
}
