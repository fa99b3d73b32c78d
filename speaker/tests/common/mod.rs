//! Speakers over real TCP on 127.0.0.0/8: each test has addresses of its own, each speaker a free port.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub(crate) mod raw;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bgp_wire::{AfiSafi, AttributesBuilder, Origin};
use ipnet::IpNet;
use speaker::{
    Class, Config, Connected, EdgeConfig, Filter, Injected, NeighborConfig, NeighborStatus, Rank, RemoteAs, RouteView,
    RoutesQuery, Speaker, State, VrfConfig,
};

/// Nothing that a test waits for takes this long unless it does not happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How many shards the speakers of these tests have: more than one where the program's name says so.
pub(crate) const SHARDS: usize = match env!("CARGO_CRATE_NAME").as_bytes() {
    b"shards_2" => 2,
    b"shards_7" => 7,
    _ => 1,
};

/// An address of 127.0.0.0/8 that no other test of this module uses, and none of another one that runs at the same time but by
/// a rare accident, which the port tells apart.
pub(crate) fn address() -> IpAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let module = module_path!().bytes().fold(0, |sum, octet| u32::from(octet) + 7 * (sum % 1000));
    let block = ((std::process::id() + module) % 200) as u8 + 10;
    IpAddr::V4(Ipv4Addr::new(127, block, (next / 250) as u8, (next % 250) as u8 + 1))
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A configuration with its address, AS number and VRFs.
pub(crate) fn config(asn: u32, address: IpAddr, vrfs: &[&str]) -> Config {
    let IpAddr::V4(router_id) = address else { panic!("IPv4 addresses only") };
    Config {
        name: format!("as{asn}"),
        asn,
        router_id,
        listen: vec![SocketAddr::new(address, 0)],
        vrfs: vrfs.iter().map(|name| vrf(name)).collect(),
        shards: SHARDS,
        ..Config::default()
    }
}

pub(crate) fn vrf(name: &str) -> VrfConfig {
    VrfConfig { name: (*name).to_owned(), ..VrfConfig::default() }
}

/// A neighbour with quick timers.
pub(crate) fn neighbor(vrf: &str, local: IpAddr, remote: IpAddr, asn: u32) -> NeighborConfig {
    NeighborConfig {
        local_address: Some(local),
        connect_retry: Duration::from_secs(1),
        ..NeighborConfig::new(vrf, remote, RemoteAs::Is(asn))
    }
}

/// A neighbour that only accepts.
pub(crate) fn passive(vrf: &str, local: IpAddr, remote: IpAddr, asn: u32) -> NeighborConfig {
    NeighborConfig { passive: true, ..neighbor(vrf, local, remote, asn) }
}

pub(crate) async fn start(config: Config) -> Speaker {
    Speaker::builder().config(config).start().await.expect("the speaker starts")
}

/// The port that a speaker listens on.
pub(crate) async fn port(speaker: &Speaker) -> u16 {
    speaker.status().await.unwrap().listening[0].port()
}

/// Waits until a condition holds; fails with what was seen last.
pub(crate) async fn eventually<T, E, F>(what: &str, mut look: F) -> T
where
    E: std::fmt::Debug,
    F: AsyncFnMut() -> Result<T, E>,
{
    let end = tokio::time::Instant::now() + DEADLINE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if tokio::time::Instant::now() > end => {
                panic!("not within {DEADLINE:?}: {what}; seen: {seen:#?}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

pub(crate) async fn neighbor_status(speaker: &Speaker, address: IpAddr) -> NeighborStatus {
    let neighbors = speaker.neighbors().await.unwrap();
    neighbors.into_iter().find(|neighbor| neighbor.key.address == address).expect("the neighbour is configured")
}

pub(crate) async fn established(speaker: &Speaker, address: IpAddr) -> NeighborStatus {
    eventually("the session is established", async || {
        let status = neighbor_status(speaker, address).await;
        if status.state == State::Established { Ok(status) } else { Err(status) }
    })
    .await
}

pub(crate) async fn routes(speaker: &Speaker, vrf: &str, family: AfiSafi) -> Vec<RouteView> {
    let query = RoutesQuery { vrf: vrf.to_owned(), family, after: None, limit: 100_000 };
    speaker.routes(query).await.unwrap().routes
}

pub(crate) async fn has_route(speaker: &Speaker, vrf: &str, prefix: &str) -> RouteView {
    eventually(&format!("{vrf} has {prefix}"), async || {
        let route = speaker.route(vrf, net(prefix)).await.unwrap();
        match route {
            Some(route) if route.paths.iter().any(|path| path.best) => Ok(route),
            _ => Err((route, routes(speaker, vrf, AfiSafi::IPV4_UNICAST).await)),
        }
    })
    .await
}

pub(crate) async fn has_no_route(speaker: &Speaker, vrf: &str, prefix: &str) {
    eventually(&format!("{vrf} has no {prefix}"), async || match speaker.route(vrf, net(prefix)).await.unwrap() {
        None => Ok(()),
        Some(route) => Err(route),
    })
    .await;
}

/// A route of the speaker's own.
pub(crate) fn own(prefix: &str) -> Injected {
    Injected { prefix: net(prefix), attributes: AttributesBuilder::new(Origin::Igp).build().into(), next_hop: None }
}

pub(crate) async fn inject(speaker: &Speaker, vrf: &str, prefixes: &[&str]) {
    speaker.inject(vrf, prefixes.iter().map(|prefix| own(prefix)).collect()).await.unwrap();
}

/// A connected prefix without an interface.
pub(crate) fn connected(prefix: &str) -> Connected {
    Connected { prefix: net(prefix), interface: None }
}

pub(crate) fn edge(from: &str, to: &str) -> EdgeConfig {
    EdgeConfig {
        from: from.to_owned(),
        to: to.to_owned(),
        peering: format!("{from}-to-{to}"),
        filter: Filter::default(),
        rank: Rank { bound_since: 0, exporter: format!("default/{from}").into() },
        advertise: speaker::Advertise::None,
        limit: None,
    }
}

/// An external neighbour, as configured on our side.
pub(crate) fn external(neighbor: NeighborConfig) -> NeighborConfig {
    NeighborConfig { class: Class::External, ..neighbor }
}

/// Two speakers with one session between them, in VRF `default` on both sides: the first one listens, the second connects.
pub(crate) struct Pair {
    pub(crate) a: Speaker,
    pub(crate) b: Speaker,
    pub(crate) a_config: Config,
    pub(crate) b_config: Config,
    pub(crate) a_address: IpAddr,
    pub(crate) b_address: IpAddr,
}

pub(crate) const A_AS: u32 = 64512;
pub(crate) const B_AS: u32 = 4_200_000_001;

impl Pair {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}, |_| {}).await
    }

    /// A pair whose configurations are edited before they start.
    pub(crate) async fn with(edit_a: impl FnOnce(&mut Config), edit_b: impl FnOnce(&mut Config)) -> Self {
        let (a_address, b_address) = (address(), address());
        let mut a_config = config(A_AS, a_address, &["default"]);
        a_config.neighbors = vec![passive("default", a_address, b_address, B_AS)];
        edit_a(&mut a_config);
        let a = start(a_config.clone()).await;
        let mut b_config = config(B_AS, b_address, &["default"]);
        b_config.neighbors = vec![neighbor("default", b_address, a_address, A_AS)];
        b_config.neighbors[0].port = port(&a).await;
        edit_b(&mut b_config);
        let b = start(b_config.clone()).await;
        Self { a, b, a_config, b_config, a_address, b_address }
    }

    pub(crate) async fn established(&self) {
        established(&self.a, self.b_address).await;
        established(&self.b, self.a_address).await;
    }

    pub(crate) async fn stop(self) {
        self.b.stop().await;
        self.a.stop().await;
    }
}
