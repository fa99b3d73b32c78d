//! A neighbour that does not read: it slows nobody, costs a bounded queue, and catches up when it reads again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use bgp_wire::{AttributesBuilder, Message, Origin};
use common::raw::{self, Raw};
use common::*;
use ipnet::Ipv4Net;
use speaker::Injected;

const ROUTES: u32 = 150_000;

/// Routes of which few share attributes, so that they are many octets.
fn table() -> Vec<Injected> {
    (0..ROUTES)
        .map(|i| {
            let path = bgp_wire::AsPathBuf::sequence([65100 + i % 1000, 65100 + i / 3, 64999]);
            let mut attributes = AttributesBuilder::new(Origin::Igp);
            attributes.as_path(&path).med(Some(i / 2));
            let address = Ipv4Addr::from(0x0b00_0000 + (i << 8));
            Injected {
                prefix: Ipv4Net::new(address, 24).unwrap().into(),
                attributes: attributes.build().into(),
                next_hop: None,
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_slows_nobody_and_catches_up() {
    let (ours, slow, quick) = (address(), address(), address());
    let mut hub = config(A_AS, ours, &["default"]);
    hub.neighbors = vec![passive("default", ours, slow, 65001), passive("default", ours, quick, 65002)];
    // The slow one reads nothing for a while, nor does it say anything: without a hold time it may.
    hub.neighbors[0].hold_time = Duration::ZERO;
    let hub = start(hub).await;
    let to = hub.status().await.unwrap().listening[0];
    let mut raw = Raw::establish(slow, to, 65001).await;
    let mut other = config(65002, quick, &["default"]);
    other.neighbors = vec![neighbor("default", quick, ours, A_AS)];
    other.neighbors[0].port = to.port();
    let other = start(other).await;
    established(&hub, quick).await;
    established(&hub, slow).await;

    for chunk in table().chunks(1000) {
        hub.inject("default", chunk.to_vec()).await.unwrap();
    }
    eventually("the quick one has everything", async || {
        let accepted = neighbor_status(&other, ours).await.families[0].accepted;
        if accepted == ROUTES as usize { Ok(()) } else { Err(accepted) }
    })
    .await;
    let status = neighbor_status(&hub, slow).await;
    assert!(status.families[0].behind, "{status:#?}");
    let sent = status.messages.octets_sent;

    let mut seen = HashSet::new();
    while seen.len() < ROUTES as usize {
        let octets = raw.next().await.expect("the session stays up");
        if let Message::Update(update) = Message::parse(&octets, &raw::CTX).unwrap() {
            seen.extend(update.nlri().map(|(_, prefix)| prefix));
        }
    }
    let status = neighbor_status(&hub, slow).await;
    assert!(status.messages.octets_sent > sent);
    assert_eq!(status.established_count, 1);
    hub.stop().await;
    other.stop().await;
}
