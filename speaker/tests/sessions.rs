//! Sessions between speakers: up, routes both ways, down, and what an apply moves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::*;

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
        assert_eq!(route.paths[0].from, speaker::PathFrom::Neighbor(pair.b_address));
    }
    pair.b.withdraw("default", vec![net("10.2.0.0/16")]).await.unwrap();
    has_no_route(&pair.a, "default", "10.2.0.0/16").await;
    has_route(&pair.a, "default", "2001:db8:b::/48").await;
    pair.stop().await;
}
