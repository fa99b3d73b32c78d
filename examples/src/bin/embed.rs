//! A speaker inside another program: a leaf with the VRFs `red` and `blue`, and a neighbour in `blue` whose route leaks to `red`.
//!
//! The neighbour is a second speaker in this process. Both talk BGP over TCP on loopback addresses; no privilege is needed. Exits with 1 if
//! the route does not arrive.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use bgp_wire::{AttributesBuilder, Origin};
use ipnet::IpNet;
use speaker::{
    Advertise, Config, EdgeConfig, Error, Event, Filter, Injected, NeighborConfig, Rank, RemoteAs, Speaker, Standing,
    VrfConfig, Watched,
};

const LEAF: Ipv4Addr = Ipv4Addr::new(127, 0, 7, 1);
const STORAGE: Ipv4Addr = Ipv4Addr::new(127, 0, 7, 2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match tokio::time::timeout(Duration::from_secs(20), run()).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("embed: {error}");
            ExitCode::FAILURE
        }
        Err(_) => {
            eprintln!("embed: the route did not leak within 20 s");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let prefix: IpNet = "10.2.0.0/16".parse()?;
    let leaf = start_leaf().await?;
    let mut watch = leaf.watch(None);
    let port = leaf.status().await?.listening.first().map_or(0, SocketAddr::port);
    let storage = start_storage(port).await?;
    storage
        .inject(
            "default",
            vec![Injected { prefix, attributes: AttributesBuilder::new(Origin::Igp).build().into(), next_hop: None }],
        )
        .await?;

    // The stream says when the route is there; what it is, the table says.
    loop {
        match watch.next().await {
            Some(Watched::Event(_, Event::Route { vrf, prefix: changed, now: Standing::Leaked }))
                if *vrf == *"red" && changed == prefix =>
            {
                break;
            }
            Some(Watched::Event(_, event)) => println!("{event:?}"),
            Some(Watched::Gap(missed)) => println!("{missed} events missed"),
            None => return Err("the speaker stopped".into()),
        }
    }
    let route = leaf.route("red", prefix).await?.ok_or("the route is gone again")?;
    for path in &route.paths {
        println!("red has {} {}, path {}", route.prefix, path.from, path.as_path);
    }
    print!("{}", leaf.explain("red", prefix, None).await?);

    storage.stop().await;
    leaf.stop().await;
    Ok(())
}

/// The leaf: what is native to `blue` appears in `red`.
async fn start_leaf() -> Result<Speaker, Error> {
    let vrf = |name: &str| VrfConfig { name: name.to_owned(), ..VrfConfig::default() };
    let config = Config {
        name: "leaf".to_owned(),
        asn: 64512,
        router_id: LEAF,
        listen: vec![(LEAF, 0).into()],
        vrfs: vec![vrf("red"), vrf("blue")],
        neighbors: vec![NeighborConfig {
            passive: true,
            ..NeighborConfig::new("blue", IpAddr::V4(STORAGE), RemoteAs::Is(65002))
        }],
        edges: vec![EdgeConfig {
            from: "blue".to_owned(),
            to: "red".to_owned(),
            peering: "red-and-blue".to_owned(),
            filter: Filter::default(),
            rank: Rank { bound_since: 0, exporter: "default/blue".into() },
            advertise: Advertise::None,
            limit: None,
        }],
        ..Config::default()
    };
    Speaker::builder().config(config).start().await
}

/// The neighbour in `blue`, which connects to the leaf.
async fn start_storage(port: u16) -> Result<Speaker, Error> {
    let config = Config {
        name: "storage".to_owned(),
        asn: 65002,
        router_id: STORAGE,
        vrfs: vec![VrfConfig { name: "default".to_owned(), ..VrfConfig::default() }],
        neighbors: vec![NeighborConfig {
            local_address: Some(STORAGE.into()),
            port,
            ..NeighborConfig::new("default", LEAF.into(), RemoteAs::External)
        }],
        ..Config::default()
    };
    Speaker::builder().config(config).start().await
}
