//! What spans shards: with one, two or seven of them a speaker holds the same routes and tells its neighbours the same, once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp_wire::notification::{CEASE, cease};
use bgp_wire::{AfiSafi, Capability, Message, RefreshSubtype};
use common::raw::{self, Raw};
use common::*;
use ipnet::Ipv4Net;
use speaker::{Config, Event, PathFrom, RouteView, Speaker, State, Watched};

const V4: AfiSafi = AfiSafi::IPV4_UNICAST;
const COUNTS: [usize; 3] = [1, 2, 7];

/// So many that every shard has some.
const ROUTES: u8 = 100;

/// A speaker with so many shards, and a neighbour that only accepts.
async fn speaker(shards: usize, edit: impl FnOnce(&mut Config)) -> (Speaker, IpAddr, std::net::SocketAddr) {
    let (ours, theirs) = (address(), address());
    let mut config = config(A_AS, ours, &["default"]);
    config.shards = shards;
    config.neighbors = vec![passive("default", ours, theirs, B_AS)];
    edit(&mut config);
    let speaker = start(config).await;
    let to = speaker.status().await.unwrap().listening[0];
    (speaker, theirs, to)
}

/// 10.0.0.0/16 and so on, as NLRI.
fn nlri(numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
    numbers.into_iter().flat_map(|n| [16, 10, n]).collect()
}

fn withdrawal(withdrawn: &[u8]) -> Vec<u8> {
    let mut octets = raw::update(&[], &[]);
    let length = u16::try_from(withdrawn.len()).unwrap();
    octets[16..18].copy_from_slice(&(23 + length).to_be_bytes());
    octets.splice(19..21, length.to_be_bytes().into_iter().chain(withdrawn.iter().copied()));
    octets
}

async fn has_routes(speaker: &Speaker, vrf: &str, count: usize) -> Vec<RouteView> {
    eventually(&format!("{vrf} has {count} routes"), async || {
        let routes = routes(speaker, vrf, V4).await;
        if routes.len() == count { Ok(routes) } else { Err(routes.len()) }
    })
    .await
}

/// What a speaker says to a neighbour that comes up, until the mark of its end: prefixes with attributes, and how often each came.
async fn told(raw: &mut Raw) -> BTreeMap<Ipv4Net, (Vec<u8>, usize)> {
    let mut told = BTreeMap::new();
    loop {
        let octets = raw.next().await.expect("the session stays up");
        let Message::Update(update) = Message::parse(&octets, &raw::CTX).unwrap() else { continue };
        if update.end_of_rib() == Some(V4) {
            return told;
        }
        let mut attributes = Vec::new();
        update.canonical_attributes(&mut attributes);
        for (_, prefix) in update.nlri() {
            let (last, count) = told.entry(prefix).or_insert_with(|| (Vec::new(), 0));
            *count += 1;
            last.clone_from(&attributes);
        }
    }
}

#[tokio::test]
async fn the_tables_and_what_neighbors_are_told_are_the_same_with_any_number_of_shards() {
    let mut first = None;
    for shards in COUNTS {
        let (ours, feeders, sink) = (address(), [address(), address()], address());
        let mut config = config(A_AS, ours, &["default", "other"]);
        config.shards = shards;
        let peers = feeders.into_iter().chain([sink]).zip([65001, 65002, 65003]);
        config.neighbors = peers.map(|(peer, asn)| passive("default", ours, peer, asn)).collect();
        config.edges = vec![edge("default", "other")];
        let speaker = start(config).await;
        let to = speaker.status().await.unwrap().listening[0];
        let mut raws = Vec::new();
        for (feeder, asn) in feeders.into_iter().zip([65001, 65002]) {
            let mut raw = Raw::establish(feeder, to, asn).await;
            for begin in (0..ROUTES).step_by(10) {
                let origin = (u32::from(begin) / 10 + asn) % 3;
                let attributes = raw::mandatory(u8::try_from(origin).unwrap(), asn, feeder);
                raw.send(&raw::update(&attributes, &nlri(begin..begin + 10))).await;
            }
            raw.send(&withdrawal(&nlri([3, 33, 63]))).await;
            raw.send(&raw::update(&raw::mandatory(0, asn, feeder), &nlri([200]))).await;
            raws.push(raw);
            // One after the other, since of equal routes the older one is kept.
            let learned = usize::from(ROUTES) - 3 + 1;
            eventually("its routes are in", async || {
                let accepted = neighbor_status(&speaker, feeder).await.families[0].accepted;
                if accepted == learned { Ok(()) } else { Err(accepted) }
            })
            .await;
        }
        speaker.inject("default", vec![own("10.99.0.0/16"), own("10.210.0.0/16")]).await.unwrap();
        let learned = usize::from(ROUTES) - 3 + 1;
        let seen = eventually("both feeders' routes are in", async || {
            let routes = routes(&speaker, "default", V4).await;
            let paths: usize = routes.iter().map(|route| route.paths.len()).sum();
            let seen = (routes.len(), paths);
            if seen == (learned + 1, 2 * learned + 2) { Ok(routes) } else { Err(seen) }
        })
        .await;
        let seen: Vec<_> = seen.into_iter().map(|route| (route.prefix, shown(&route, &feeders))).collect();
        assert!(seen.is_sorted_by_key(|(prefix, _)| *prefix));
        let leaked = routes(&speaker, "other", V4).await;
        let leaked: Vec<_> = leaked.into_iter().map(|route| (route.prefix, shown(&route, &feeders))).collect();
        let mut raw = Raw::establish(sink, to, 65003).await;
        let told = told(&mut raw).await;
        assert!(told.values().all(|(_, count)| *count == 1), "each route once");
        let all = (seen, leaked, told);
        match &first {
            None => first = Some(all),
            Some(first) => assert_eq!(first, &all, "{shards} shards"),
        }
        drop(raws);
        speaker.stop().await;
    }
}

/// A route without the addresses that differ from run to run.
fn shown(route: &RouteView, feeders: &[IpAddr]) -> Vec<(bool, Option<usize>, String, bool)> {
    let paths = route.paths.iter().map(|path| {
        let from = match path.from {
            PathFrom::Neighbor(address) => feeders.iter().position(|feeder| *feeder == address),
            _ => None,
        };
        (path.best, from, format!("{} {}", path.as_path, path.origin), path.reachable)
    });
    paths.collect()
}

#[tokio::test]
async fn a_refresh_has_one_beginning_and_one_end_however_often_it_is_asked_for() {
    for shards in COUNTS {
        let (speaker, theirs, to) = speaker(shards, |_| {}).await;
        let prefixes: Vec<_> = (0..ROUTES).map(|n| own(&format!("10.{n}.0.0/16"))).collect();
        speaker.inject("default", prefixes).await.unwrap();
        let mut raw = Raw::offering(theirs, to, B_AS, &[Capability::EnhancedRouteRefresh]).await;
        assert_eq!(told(&mut raw).await.len(), usize::from(ROUTES));
        for _ in 0..5 {
            raw.refresh(V4, RefreshSubtype::Request).await;
        }
        // At least two answers: what is asked for while one is given comes after it, in one.
        for _ in 0..2 {
            let (begin, before) = raw.until_refresh().await;
            assert_eq!((begin.family, begin.subtype, before), (V4, RefreshSubtype::BeginOfRr, 0), "{shards} shards");
            let (end, between) = raw.until_refresh().await;
            let all = (V4, RefreshSubtype::EndOfRr, usize::from(ROUTES));
            assert_eq!((end.family, end.subtype, between), all, "{shards} shards");
        }
        drop(raw);
        speaker.stop().await;
    }
}

#[tokio::test]
async fn a_neighbor_at_its_limit_may_exchange_routes_and_one_more_ends_the_session() {
    for shards in COUNTS {
        let (speaker, theirs, to) = speaker(shards, |config| config.neighbors[0].max_prefixes = Some(10)).await;
        let mut raw = Raw::establish(theirs, to, B_AS).await;
        let attributes = raw::mandatory(0, B_AS, theirs);
        raw.send(&raw::update(&attributes, &nlri(0..10))).await;
        has_routes(&speaker, "default", 10).await;
        for n in 0..90 {
            let mut both = withdrawal(&nlri([n]));
            both.extend(raw::update(&attributes, &nlri([n + 10])));
            raw.send(&both).await;
        }
        has_route(&speaker, "default", "10.99.0.0/16").await;
        has_routes(&speaker, "default", 10).await;
        assert_eq!(neighbor_status(&speaker, theirs).await.state, State::Established);
        raw.send(&raw::update(&attributes, &nlri([100]))).await;
        let notification = raw.notification().await;
        assert_eq!((notification.code, notification.subcode), (CEASE, cease::MAXIMUM_PREFIXES));
        assert_eq!(notification.data[..], [0, 1, 1, 0, 0, 0, 10], "family and limit (RFC 4486 section 4)");
        drop(raw);
        has_routes(&speaker, "default", 0).await;
        speaker.stop().await;
    }
}

#[tokio::test]
async fn an_edge_with_a_limit_is_as_full_as_it_may_be_whichever_shard_has_the_routes() {
    for shards in COUNTS {
        let (speaker, _, _) = speaker(shards, |config| {
            config.vrfs.push(vrf("other"));
            config.edges = vec![speaker::EdgeConfig { limit: Some(20), ..edge("default", "other") }];
        })
        .await;
        let prefixes: Vec<String> = (0..ROUTES).map(|n| format!("10.{n}.0.0/16")).collect();
        speaker.inject("default", prefixes.iter().map(|prefix| own(prefix)).collect()).await.unwrap();
        // Whatever leaves, others take its place, until there are too few.
        for gone in [0, 50, 75, 90, 100] {
            speaker.withdraw("default", prefixes[..gone].iter().map(|prefix| net(prefix)).collect()).await.unwrap();
            let left = prefixes.len() - gone;
            has_routes(&speaker, "other", left.min(20)).await;
            eventually("the counts are right", async || {
                let status = speaker.status().await.unwrap().edges.remove(0);
                let above: usize = status.refused.iter().map(|(_, count)| count).sum();
                let seen = (status.leaked, above);
                if seen == (left.min(20), left.saturating_sub(20)) { Ok(()) } else { Err(seen) }
            })
            .await;
        }
        speaker.stop().await;
    }
}

#[tokio::test]
async fn a_next_hop_is_resolved_by_a_route_of_any_shard_and_followed_as_it_changes() {
    for shards in COUNTS {
        let inside = address();
        let (speaker, outside, to) = speaker(shards, |config| {
            let ours = config.listen[0].ip();
            config.neighbors.push(passive("default", ours, inside, A_AS));
        })
        .await;
        let mut inside_raw = Raw::establish(inside, to, A_AS).await;
        let mut outside_raw = Raw::establish(outside, to, B_AS).await;
        // Each by a next hop of its own in 10.0.0.0/16 and so on, which the other neighbour has routes to.
        for n in 0..20 {
            let mut attributes = raw::mandatory(0, 65100, [10, n, 0, 9].into());
            attributes.extend_from_slice(&[0x40, 5, 4, 0, 0, 0, 100]);
            inside_raw.send(&raw::update(&attributes, &[16, 11, n])).await;
        }
        let reachable = async |count: usize| {
            eventually(&format!("{count} next hops are reachable"), async || {
                let routes = routes(&speaker, "default", V4).await;
                let inside = routes.iter().filter(|route| route.prefix.to_string().starts_with("11."));
                let found: BTreeSet<String> = inside
                    .filter(|route| route.paths.iter().any(|path| path.best && path.reachable))
                    .map(|route| route.prefix.to_string())
                    .collect();
                if found.len() == count { Ok(()) } else { Err((routes.len(), found)) }
            })
            .await;
        };
        has_routes(&speaker, "default", 20).await;
        reachable(0).await;
        let attributes = raw::mandatory(0, B_AS, outside);
        outside_raw.send(&raw::update(&attributes, &nlri(0..20))).await;
        reachable(20).await;
        outside_raw.send(&withdrawal(&nlri(0..15))).await;
        reachable(5).await;
        // A shorter route is as good where there is no longer one.
        outside_raw.send(&raw::update(&attributes, &[8, 10])).await;
        reachable(20).await;
        outside_raw.send(&withdrawal(&[8, 10])).await;
        reachable(5).await;
        drop((inside_raw, outside_raw));
        speaker.stop().await;
    }
}

#[tokio::test]
async fn what_happens_to_a_session_happens_once() {
    for shards in COUNTS {
        let (speaker, theirs, to) = speaker(shards, |_| {}).await;
        let mut watch = speaker.watch(Some(speaker::Cursor(0)));
        for _ in 0..3 {
            eventually("the speaker waits for its neighbour", async || {
                let state = neighbor_status(&speaker, theirs).await.state;
                if state == State::Active { Ok(()) } else { Err(state) }
            })
            .await;
            let mut raw = Raw::establish(theirs, to, B_AS).await;
            raw.send(&raw::update(&raw::mandatory(0, B_AS, theirs), &nlri(0..ROUTES))).await;
            raw.send(&raw::end_of_rib()).await;
            has_routes(&speaker, "default", usize::from(ROUTES)).await;
            eventually("it has said everything", async || {
                let status = neighbor_status(&speaker, theirs).await;
                if status.families.iter().all(|family| family.end_of_rib) { Ok(()) } else { Err(status) }
            })
            .await;
            drop(raw);
            has_routes(&speaker, "default", 0).await;
        }
        speaker.stop().await;
        let (mut sessions, mut converged, mut appeared) = (Vec::new(), 0, 0);
        while let Some(item) = watch.next().await {
            let Watched::Event(_, event) = item else { panic!("a gap") };
            match event {
                Event::Established(_) => sessions.push("up"),
                Event::EndOfRib(_) => sessions.push("complete"),
                Event::Down(..) => sessions.push("down"),
                Event::Converged => converged += 1,
                Event::Route { now: speaker::Standing::Native, .. } => appeared += 1,
                _ => {}
            }
        }
        assert_eq!(sessions, ["up", "complete", "down"].repeat(3), "{shards} shards");
        assert_eq!((converged, appeared), (1, 3 * usize::from(ROUTES)), "{shards} shards");
    }
}

#[tokio::test]
async fn pages_of_all_shards_are_in_order_and_complete() {
    for shards in COUNTS {
        let (speaker, _, _) = speaker(shards, |_| {}).await;
        let prefixes: Vec<String> = (0..ROUTES).map(|n| format!("10.{n}.0.0/16")).collect();
        speaker.inject("default", prefixes.iter().map(|prefix| own(prefix)).collect()).await.unwrap();
        let mut query = speaker::RoutesQuery { vrf: "default".to_owned(), family: V4, after: None, limit: 7 };
        let (mut listed, mut pages) = (Vec::new(), 0);
        loop {
            let page = speaker.routes(query.clone()).await.unwrap();
            listed.extend(page.routes.iter().map(|route| route.prefix.to_string()));
            pages += 1;
            query.after = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!((listed, pages), (prefixes, usize::from(ROUTES).div_ceil(7)));
        assert_eq!(speaker.vrfs().await.unwrap()[0].families[0].destinations, usize::from(ROUTES));
        let explained = speaker.explain("default", net("10.42.0.0/16"), None).await.unwrap();
        assert!(explained.blocked().is_none(), "{explained}");
        speaker.stop().await;
    }
}

#[tokio::test]
async fn the_number_of_shards_is_checked_and_stays() {
    let (speaker, _, _) = speaker(2, |_| {}).await;
    let mut config = speaker.config().await.unwrap();
    config.shards = 3;
    assert!(matches!(speaker.apply(config.clone()).await, Err(speaker::Error::Shards)));
    for shards in [0, Config::MAX_SHARDS + 1] {
        config.shards = shards;
        let error = speaker.apply(config.clone()).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("shards: {shards} shards are not usable")), "{error}");
    }
    speaker.stop().await;
}
