//! Sessions between speakers: up, routes both ways, down, and what an apply moves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::net::{IpAddr, SocketAddr};

use bgp_wire::notification::{CEASE, cease};
use bgp_wire::{AfiSafi, Message};
use common::raw::{self, Raw};
use common::*;
use speaker::{
    Accept, Change, Config, Error, Event, NeighborConfig, PathFrom, RemoteAs, State, Watched, permit_within,
};

#[tokio::test]
async fn two_speakers_exchange_routes_both_ways_in_both_families() {
    let pair = Pair::start().await;
    pair.established().await;
    inject(&pair.a, "default", &["10.1.0.0/16", "2001:db8:a::/48"]).await;
    inject(&pair.b, "default", &["10.2.0.0/16", "2001:db8:b::/48"]).await;
    for prefix in ["10.1.0.0/16", "2001:db8:a::/48"] {
        let route = has_route(&pair.b, "default", prefix).await;
        assert_eq!(route.paths[0].as_numbers, [A_AS], "{prefix}");
    }
    for prefix in ["10.2.0.0/16", "2001:db8:b::/48"] {
        let route = has_route(&pair.a, "default", prefix).await;
        assert_eq!(route.paths[0].as_numbers, [B_AS], "{prefix}");
        assert_eq!(route.paths[0].from, PathFrom::Neighbor(pair.b_address));
    }
    pair.b.withdraw("default", vec![net("10.2.0.0/16")]).await.unwrap();
    has_no_route(&pair.a, "default", "10.2.0.0/16").await;
    has_route(&pair.a, "default", "2001:db8:b::/48").await;
    pair.stop().await;
}

#[tokio::test]
async fn the_routes_of_a_neighbor_that_goes_are_withdrawn() {
    let pair = Pair::start().await;
    inject(&pair.b, "default", &["10.2.0.0/16", "2001:db8:b::/48"]).await;
    has_route(&pair.a, "default", "10.2.0.0/16").await;
    has_route(&pair.a, "default", "2001:db8:b::/48").await;
    pair.b.stop().await;
    has_no_route(&pair.a, "default", "10.2.0.0/16").await;
    has_no_route(&pair.a, "default", "2001:db8:b::/48").await;
    let status = neighbor_status(&pair.a, pair.b_address).await;
    let why = status.last_down.unwrap_or_default();
    assert!(why.contains("administrative shutdown"), "{why}");
    pair.a.stop().await;
}

#[tokio::test]
async fn a_session_comes_back_after_the_neighbor_was_restarted() {
    let pair = Pair::start().await;
    pair.established().await;
    pair.b.stop().await;
    let again = start(pair.b_config.clone()).await;
    inject(&again, "default", &["10.2.0.0/16"]).await;
    has_route(&pair.a, "default", "10.2.0.0/16").await;
    let status = established(&pair.a, pair.b_address).await;
    assert_eq!(status.established_count, 2);
    again.stop().await;
    pair.a.stop().await;
}

/// A speaker that waits for a neighbour made by hand.
async fn waiting(edit: impl FnOnce(&mut Config)) -> (speaker::Speaker, IpAddr, SocketAddr) {
    let (ours, theirs) = (address(), address());
    let mut config = config(A_AS, ours, &["default"]);
    config.neighbors = vec![passive("default", ours, theirs, B_AS)];
    edit(&mut config);
    let speaker = start(config).await;
    let to = speaker.status().await.unwrap().listening[0];
    (speaker, theirs, to)
}

#[tokio::test]
async fn stop_tells_every_neighbor_that_it_is_an_administrative_shutdown() {
    let (speaker, theirs, to) = waiting(|_| {}).await;
    let mut raw = Raw::establish(theirs, to, B_AS).await;
    established(&speaker, theirs).await;
    let stopping = tokio::spawn({
        let speaker = speaker.clone();
        async move { speaker.stop().await }
    });
    let notification = raw.notification().await;
    assert_eq!((notification.code, notification.subcode), (CEASE, cease::ADMINISTRATIVE_SHUTDOWN));
    drop(raw);
    stopping.await.unwrap();
    assert!(matches!(speaker.status().await, Err(Error::Stopped)));
    assert!(tokio::net::TcpStream::connect(to).await.is_err(), "nobody listens any more");
    // Stopping again is nothing.
    speaker.stop().await;
}

#[tokio::test]
async fn a_stranger_is_refused_with_connection_rejected() {
    let (speaker, _, to) = waiting(|_| {}).await;
    let mut raw = Raw::connect(address(), to).await;
    let notification = raw.notification().await;
    assert_eq!((notification.code, notification.subcode), (CEASE, cease::CONNECTION_REJECTED));
    assert_eq!(raw.next().await, None);
    speaker.stop().await;
}

#[tokio::test]
async fn applying_what_stands_moves_nothing() {
    let pair = Pair::start().await;
    pair.established().await;
    inject(&pair.b, "default", &["10.2.0.0/16"]).await;
    has_route(&pair.a, "default", "10.2.0.0/16").await;
    let before = neighbor_status(&pair.a, pair.b_address).await;
    let mut watch = pair.a.watch(None);
    let applied = pair.a.apply(pair.a_config.clone()).await.unwrap();
    assert_eq!(applied.changes, []);
    let after = neighbor_status(&pair.a, pair.b_address).await;
    assert_eq!(before.established_since, after.established_since);
    assert_eq!(before.messages.updates_received, after.messages.updates_received);
    assert_eq!(watch.try_next(), None);
    pair.stop().await;
}

#[tokio::test]
async fn a_changed_neighbor_alone_starts_over() {
    let (hub, b, c) = (address(), address(), address());
    let mut hub_config = config(A_AS, hub, &["default"]);
    hub_config.neighbors = vec![passive("default", hub, b, B_AS), passive("default", hub, c, B_AS)];
    let hub_speaker = start(hub_config.clone()).await;
    let port = port(&hub_speaker).await;
    let mut peers = Vec::new();
    for peer in [b, c] {
        let mut config = config(B_AS, peer, &["default"]);
        config.neighbors = vec![neighbor("default", peer, hub, A_AS)];
        config.neighbors[0].port = port;
        peers.push(start(config).await);
    }
    let untouched = established(&hub_speaker, b).await;
    let changed = established(&hub_speaker, c).await;

    hub_config.neighbors[1].hold_time *= 2;
    let key = hub_config.neighbors[1].key();
    let applied = hub_speaker.apply(hub_config).await.unwrap();
    assert_eq!(applied.changes, [Change::NeighborReset(key)]);
    eventually("the changed neighbour is up again", async || {
        let status = neighbor_status(&hub_speaker, c).await;
        let again = status.established_since.is_some() && status.established_since != changed.established_since;
        if again { Ok(()) } else { Err(status) }
    })
    .await;
    let after = neighbor_status(&hub_speaker, b).await;
    assert_eq!(after.established_since, untouched.established_since);
    assert_eq!(after.established_count, 1);
    for speaker in peers.iter().chain([&hub_speaker]) {
        speaker.stop().await;
    }
}

#[tokio::test]
async fn a_removed_neighbor_is_told_and_its_routes_go() {
    let pair = Pair::start().await;
    inject(&pair.b, "default", &["10.2.0.0/16"]).await;
    has_route(&pair.a, "default", "10.2.0.0/16").await;
    let mut config = pair.a_config.clone();
    config.neighbors.clear();
    pair.a.apply(config).await.unwrap();
    has_no_route(&pair.a, "default", "10.2.0.0/16").await;
    eventually("the neighbour knows why", async || {
        let why = neighbor_status(&pair.b, pair.a_address).await.last_down.unwrap_or_default();
        if why.contains("peer deconfigured") { Ok(()) } else { Err(why) }
    })
    .await;
    pair.stop().await;
}

#[tokio::test]
async fn a_faulty_configuration_changes_nothing_and_every_fault_is_named() {
    let pair = Pair::start().await;
    pair.established().await;
    let mut config = pair.a_config.clone();
    config.asn = 0;
    config.neighbors[0].vrf = "nowhere".to_owned();
    config.neighbors[0].hold_time = std::time::Duration::from_secs(2);
    let Err(Error::Config(errors)) = pair.a.apply(config).await else { panic!("it was applied") };
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["asn", "neighbors[0].vrf", "neighbors[0].hold_time"]);
    assert_eq!(neighbor_status(&pair.a, pair.b_address).await.state, State::Established);
    assert_eq!(pair.a.config().await.unwrap(), pair.a_config);
    pair.stop().await;
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_changes_nothing() {
    let pair = Pair::start().await;
    let mut config = pair.a_config.clone();
    config.listen.push("192.0.2.1:179".parse().unwrap());
    config.vrfs.push(vrf("new"));
    let error = pair.a.apply(config).await.unwrap_err();
    assert!(matches!(error, Error::Listen { .. }), "{error}");
    assert_eq!(pair.a.config().await.unwrap(), pair.a_config);
    assert_eq!(pair.a.vrfs().await.unwrap().len(), 1);
    pair.stop().await;
}

#[tokio::test]
async fn one_prefix_too_many_ends_the_session_with_its_cease() {
    let (speaker, theirs, to) = waiting(|config| config.neighbors[0].max_prefixes = Some(2)).await;
    let mut raw = Raw::establish(theirs, to, B_AS).await;
    let attributes = raw::mandatory(0, B_AS, theirs);
    raw.send(&raw::update(&attributes, &[16, 10, 1, 16, 10, 2])).await;
    has_route(&speaker, "default", "10.2.0.0/16").await;
    raw.send(&raw::update(&attributes, &[16, 10, 3])).await;
    let notification = raw.notification().await;
    assert_eq!((notification.code, notification.subcode), (CEASE, cease::MAXIMUM_PREFIXES));
    assert_eq!(notification.data[..], [0, 1, 1, 0, 0, 0, 2], "family and limit (RFC 4486 section 4)");
    drop(raw);
    has_no_route(&speaker, "default", "10.1.0.0/16").await;
    speaker.stop().await;
}

#[tokio::test]
async fn another_import_policy_asks_for_the_routes_again_and_leaves_the_session_up() {
    let pair = Pair::start().await;
    inject(&pair.b, "default", &["10.2.0.0/16", "10.3.0.0/16"]).await;
    has_route(&pair.a, "default", "10.3.0.0/16").await;
    let before = established(&pair.a, pair.b_address).await;
    let mut config = pair.a_config.clone();
    config.neighbors[0].import = Some(permit_within([net("10.2.0.0/15")]));
    pair.a.apply(config.clone()).await.unwrap();
    config.neighbors[0].import = Some(permit_within([net("10.2.0.0/16")]));
    let applied = pair.a.apply(config.clone()).await.unwrap();
    assert_eq!(applied.changes, [Change::NeighborUpdated(config.neighbors[0].key())]);
    has_no_route(&pair.a, "default", "10.3.0.0/16").await;
    has_route(&pair.a, "default", "10.2.0.0/16").await;
    config.neighbors[0].import = Some(Accept::Everything);
    pair.a.apply(config).await.unwrap();
    has_route(&pair.a, "default", "10.3.0.0/16").await;
    let after = neighbor_status(&pair.a, pair.b_address).await;
    assert_eq!(before.established_since, after.established_since);
    pair.stop().await;
}

#[tokio::test]
async fn a_route_refresh_is_answered_with_all_routes_and_can_be_asked_for() {
    let (speaker, theirs, to) = waiting(|_| {}).await;
    let mut raw = Raw::establish(theirs, to, B_AS).await;
    inject(&speaker, "default", &["10.1.0.0/16"]).await;
    raw.update().await;
    let mut request = bytes::BytesMut::new();
    bgp_wire::RouteRefresh { family: AfiSafi::IPV4_UNICAST, subtype: bgp_wire::RefreshSubtype::Request }
        .encode(&mut request);
    raw.send(&request).await;
    let octets = raw.update().await;
    let Message::Update(update) = Message::parse(&octets, &raw::CTX).unwrap() else { panic!("no UPDATE") };
    assert_eq!(update.nlri().map(|(_, prefix)| prefix.to_string()).collect::<Vec<_>>(), ["10.1.0.0/16"]);

    let key = neighbor_status(&speaker, theirs).await.key;
    speaker.refresh(&key, AfiSafi::IPV6_UNICAST).await.unwrap();
    raw.refresh_request(AfiSafi::IPV6_UNICAST).await;
    drop(raw);
    speaker.stop().await;
}

#[tokio::test]
async fn both_families_go_over_an_ipv6_session_with_the_extended_next_hop() {
    let local: IpAddr = "::1".parse().unwrap();
    let extend = |config: &mut Config| {
        config.listen = vec![SocketAddr::new(local, 0)];
        config.neighbors[0].address = local.into();
        config.neighbors[0].local_address = Some(local);
        config.neighbors[0].extended_next_hop = true;
    };
    let pair = Pair::with(extend, |config| {
        extend(config);
        config.listen.clear();
    })
    .await;
    established(&pair.a, local).await;
    inject(&pair.a, "default", &["10.1.0.0/16", "2001:db8:a::/48"]).await;
    let route = has_route(&pair.b, "default", "10.1.0.0/16").await;
    assert_eq!(route.paths[0].next_hop, Some(local));
    has_route(&pair.b, "default", "2001:db8:a::/48").await;
    pair.stop().await;
}

#[tokio::test]
async fn an_internal_neighbor_gets_routes_with_local_pref_and_the_path_as_it_is() {
    let internal = |config: &mut Config| {
        config.asn = A_AS;
        config.neighbors[0].remote_as = RemoteAs::Internal;
    };
    let pair = Pair::with(internal, internal).await;
    pair.established().await;
    inject(&pair.a, "default", &["10.1.0.0/16"]).await;
    let route = has_route(&pair.b, "default", "10.1.0.0/16").await;
    assert_eq!(route.paths[0].as_numbers, [] as [u32; 0]);
    assert_eq!(route.paths[0].local_pref, Some(100));
    pair.stop().await;
}

#[tokio::test]
async fn two_that_both_connect_end_with_one_session() {
    // Both need a port that the other knows before it starts.
    let pair = Pair::start().await;
    let port_a = port(&pair.a).await;
    let port_b = port(&pair.b).await;
    let mut config = pair.a_config.clone();
    config.neighbors[0].passive = false;
    config.neighbors[0].port = port_b;
    pair.a.apply(config).await.unwrap();
    let mut config = pair.b_config.clone();
    config.neighbors[0].port = port_a;
    config.neighbors[0].description = Some("both connect".to_owned());
    pair.b.apply(config).await.unwrap();
    pair.established().await;
    inject(&pair.a, "default", &["10.1.0.0/16"]).await;
    has_route(&pair.b, "default", "10.1.0.0/16").await;
    pair.stop().await;
}

#[tokio::test]
async fn a_neighbor_that_never_sends_end_of_rib_is_complete_once_it_is_quiet() {
    let (ours, theirs) = (address(), address());
    let mut config = config(A_AS, ours, &["default"]);
    config.neighbors = vec![passive("default", ours, theirs, B_AS)];
    assert!(config.convergence > 2 * DEADLINE, "the deadline for everybody is not what ends the wait");
    let speaker = start(config).await;
    let mut watch = speaker.watch(Some(speaker::Cursor(0)));
    let to = speaker.status().await.unwrap().listening[0];
    let mut raw = Raw::establish(theirs, to, B_AS).await;
    raw.send(&raw::update(&raw::mandatory(0, B_AS, theirs), &[16, 10, 1])).await;
    eventually("the start is over", async || {
        let status = speaker.status().await.unwrap();
        if status.converged { Ok(()) } else { Err(status) }
    })
    .await;
    let families = neighbor_status(&speaker, theirs).await.families;
    assert!(families.iter().all(|family| !family.end_of_rib), "it sent none: {families:?}");
    speaker.stop().await;
    // All it had said was taken in before.
    let mut order = Vec::new();
    while let Some(Watched::Event(_, event)) = watch.next().await {
        match event {
            Event::Route { now: speaker::Standing::Native, .. } => order.push("route"),
            Event::EndOfRib(_) => order.push("complete"),
            Event::Converged => order.push("converged"),
            _ => {}
        }
    }
    assert_eq!(order, ["route", "complete", "converged"]);
}

#[tokio::test]
async fn a_neighbor_on_an_interface_that_is_not_there_waits_and_says_so() {
    let mut config = config(A_AS, address(), &["default"]);
    config.neighbors = vec![NeighborConfig::on_interface("default", "nowhere0", RemoteAs::External)];
    let speaker = start(config.clone()).await;
    let status = eventually("the status says why", async || {
        let status = speaker.neighbors().await.unwrap().remove(0);
        if status.nowhere.is_some() { Ok(status) } else { Err(status) }
    })
    .await;
    assert_eq!(status.nowhere.as_deref(), Some("there is no interface nowhere0"));
    assert_eq!(status.key.to_string(), "nowhere0 in default");
    // Known by its interface, it cannot be in a second VRF too, nor have an address of ours chosen.
    config.vrfs.push(vrf("other"));
    config.neighbors.push(NeighborConfig::on_interface("other", "nowhere0", RemoteAs::External));
    config.neighbors[0].local_address = Some([127, 0, 0, 1].into());
    let Err(Error::Config(errors)) = speaker.apply(config).await else { panic!("applied") };
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["neighbors[0].local_address", "neighbors[1].interface"]);
    speaker.stop().await;
}

#[tokio::test]
async fn a_watcher_sees_a_session_come_and_a_route_appear_and_go() {
    let pair = Pair::start().await;
    let mut watch = pair.a.watch(Some(speaker::Cursor(0)));
    pair.established().await;
    inject(&pair.b, "default", &["10.2.0.0/16"]).await;
    has_route(&pair.a, "default", "10.2.0.0/16").await;
    pair.b.stop().await;
    has_no_route(&pair.a, "default", "10.2.0.0/16").await;
    pair.a.stop().await;
    let mut seen = Vec::new();
    while let Some(item) = watch.next().await {
        let Watched::Event(_, event) = item else { panic!("a gap") };
        seen.push(match event {
            Event::Applied(_) => "applied",
            Event::Established(_) => "up",
            Event::EndOfRib(_) => "complete",
            Event::Converged => "converged",
            Event::Down(..) => "down",
            Event::Route { now: speaker::Standing::Native, .. } => "route",
            Event::Route { now: speaker::Standing::Gone, .. } => "gone",
            _ => "other",
        });
    }
    let order = |kinds: &[&str]| -> Vec<&str> { seen.iter().copied().filter(|kind| kinds.contains(kind)).collect() };
    assert_eq!(order(&["applied", "up", "down", "other"]), ["applied", "up", "down"]);
    assert_eq!(order(&["route", "gone"]), ["route", "gone"]);
    if SHARDS == 1 {
        assert_eq!(order(&["up", "route", "down", "gone"]), ["up", "route", "down", "gone"]);
    }
}

#[tokio::test]
async fn a_hub_passes_routes_between_many_speakers_in_one_process() {
    let hub = address();
    let peers: Vec<IpAddr> = (0..8).map(|_| address()).collect();
    let mut hub_config = config(A_AS, hub, &["default"]);
    hub_config.neighbors = (0..).zip(&peers).map(|(i, peer)| passive("default", hub, *peer, 65001 + i)).collect();
    let hub_speaker = start(hub_config).await;
    let port = port(&hub_speaker).await;
    let mut speakers = Vec::new();
    for (i, peer) in (0..).zip(&peers) {
        let mut config = config(65001 + i, *peer, &["default"]);
        config.neighbors = vec![neighbor("default", *peer, hub, A_AS)];
        config.neighbors[0].port = port;
        let speaker = start(config).await;
        inject(&speaker, "default", &[&format!("10.{i}.0.0/16")]).await;
        speakers.push(speaker);
    }
    for (i, speaker) in speakers.iter().enumerate() {
        for other in (0..peers.len()).filter(|other| *other != i) {
            let route = has_route(speaker, "default", &format!("10.{other}.0.0/16")).await;
            assert_eq!(route.paths[0].as_numbers, [A_AS, 65001 + other as u32]);
        }
    }
    for speaker in speakers.iter().chain([&hub_speaker]) {
        speaker.stop().await;
    }
}

#[tokio::test]
async fn a_next_hop_is_resolved_by_other_routes_and_followed_as_they_change() {
    let (ours, inside, outside) = (address(), address(), address());
    let mut config = config(A_AS, ours, &["default"]);
    config.neighbors = vec![passive("default", ours, inside, A_AS), passive("default", ours, outside, B_AS)];
    let speaker = start(config).await;
    let to = speaker.status().await.unwrap().listening[0];
    let mut inside_raw = Raw::establish(inside, to, A_AS).await;
    let mut outside_raw = Raw::establish(outside, to, B_AS).await;
    // 10.60.0.0/16 by 10.50.0.9, to which nothing leads yet.
    let mut attributes = raw::mandatory(0, 65100, [10, 50, 0, 9].into());
    attributes.extend_from_slice(&[0x40, 5, 4, 0, 0, 0, 100]);
    inside_raw.send(&raw::update(&attributes, &[16, 10, 60])).await;
    let unreachable = || async {
        let route = speaker.route("default", net("10.60.0.0/16")).await.unwrap();
        match &route {
            Some(found) if found.paths.iter().all(|path| !path.best && !path.reachable) => Ok(()),
            _ => Err(route),
        }
    };
    eventually("it is there and leads nowhere", async || unreachable().await).await;

    outside_raw.send(&raw::update(&raw::mandatory(0, B_AS, outside), &[16, 10, 50])).await;
    has_route(&speaker, "default", "10.60.0.0/16").await;
    let mut withdrawal = raw::update(&[], &[]);
    withdrawal.splice(19..21, [0, 3, 16, 10, 50]);
    withdrawal[17] += 3;
    outside_raw.send(&withdrawal).await;
    eventually("it leads nowhere again", async || unreachable().await).await;
    drop((inside_raw, outside_raw));
    speaker.stop().await;
}

#[tokio::test]
async fn a_speaker_ends_when_its_last_handle_goes() {
    let (speaker, theirs, to) = waiting(|_| {}).await;
    let mut raw = Raw::establish(theirs, to, B_AS).await;
    let other = speaker.clone();
    drop(speaker);
    established(&other, theirs).await;
    drop(other);
    raw.notification().await;
    assert_eq!(raw.next().await, None);
    eventually("nobody listens", async || match tokio::net::TcpStream::connect(to).await {
        Ok(_) => Err("somebody listens"),
        Err(_) => Ok(()),
    })
    .await;
}
