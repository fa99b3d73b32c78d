//! The demo's steps: what is applied, what is looked at, and what the rules say must be found.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use serde::Serialize;
use speaker::Speaker;

use super::feed::{Event, Feed};
use super::manifests;
use super::peers::{self, PEER_VRF, PEERS};
use super::report::{Report, took};
use crate::api::client::{Client, ClientError};
use crate::api::schema::{Applied, Apply, Explanation, File, Kind, Neighbor, Peering, Route, Routes, Vrf};
use crate::commands::{Error, explain};
use crate::output::{Table, grouped};

/// Longest that anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it has.
const GLANCE: Duration = Duration::from_millis(5);

/// The demo under way.
pub(super) struct Demo {
    report: Report,
    client: Client,
    peers: Vec<Speaker>,
    /// How many prefixes the ISP's table has.
    table: u64,
    /// One of them.
    sample: Option<IpNet>,
}

impl Demo {
    pub(super) fn new(report: Report, client: Client) -> Self {
        Self { report, client, peers: Vec::new(), table: 0, sample: None }
    }

    /// Everything, from the first session to the summary; whether all expectations held.
    pub(super) async fn run(&mut self, leaf: SocketAddr, feed: Feed) -> Result<bool, Error> {
        self.start(leaf, feed).await?;
        self.before().await?;
        self.private_and_shared().await?;
        self.second_private_and_shared().await?;
        self.two_private().await?;
        self.private_and_external().await?;
        self.refused().await?;
        self.delete().await?;
        Ok(self.report.finish())
    }

    /// Ends the neighbours.
    pub(super) async fn stop(&mut self) {
        for peer in self.peers.drain(..) {
            peer.stop().await;
        }
    }

    async fn start(&mut self, leaf: SocketAddr, feed: Feed) -> Result<(), Error> {
        let began = Instant::now();
        self.table = feed.standing.len() as u64;
        self.sample = feed.standing.iter().filter(|prefix| is_usual(prefix)).min().copied();
        let mut table = Table::new(["WHO", "AS", "ADDRESS", "VRF ON THE LEAF", "ANNOUNCES"]);
        table.row(["leaf".into(), peers::LEAF_AS.to_string(), leaf.to_string(), String::new(), String::new()]);
        for peer in &PEERS {
            let announces = match peer.announces {
                [] => format!("{} prefixes, {}", grouped(self.table), feed.origin),
                announces => announces.join(" "),
            };
            table.row([peer.name.into(), peer.asn.to_string(), peer.address.to_string(), peer.vrf.into(), announces]);
        }
        self.report.say(table.render(0));
        for peer in &PEERS {
            self.peers.push(peers::start(peer, leaf).await?);
        }
        self.until("sessions", async |demo| {
            let neighbors: Vec<Neighbor> = demo.client.get("/v1/neighbors", &()).await?;
            let up = neighbors.iter().filter(|neighbor| neighbor.state == "Established").count();
            Ok((up == PEERS.len(), format!("{up} of {} sessions established", PEERS.len())))
        })
        .await?;
        self.report.expect(
            true,
            format!("all {} BGP sessions are established ({})", PEERS.len(), took(began.elapsed())),
            "",
        );

        let began = Instant::now();
        let isp = self.peers.last().cloned().ok_or("there is no ISP")?;
        let feeding = tokio::spawn(async move {
            for event in feed.events {
                match event {
                    Event::Announce(routes) => isp.inject(PEER_VRF, routes).await?,
                    Event::Withdraw(prefixes) => isp.withdraw(PEER_VRF, prefixes).await?,
                }
            }
            Ok::<(), speaker::Error>(())
        });
        let whole = self.table;
        self.until("the ISP's table", async |demo| {
            let native = demo.vrf("internet").await?.native;
            let share = native * 100 / whole.max(1);
            // A replay withdraws, too: the table is whole only when everything was sent.
            let done = native == whole && feeding.is_finished();
            Ok((done, format!("the ISP's table: {} of {} routes, {share} %", grouped(native), grouped(whole))))
        })
        .await?;
        feeding.await??;
        let time = began.elapsed();
        let rate = grouped((whole as f64 / time.as_secs_f64().max(1e-3)) as u64);
        self.report.expect(
            true,
            format!("the ISP's table is in VRF internet: {} routes in {}, {rate} a second", grouped(whole), took(time)),
            "",
        );
        Ok(())
    }

    async fn before(&mut self) -> Result<(), Error> {
        self.report.step("Before any peering: every VRF is alone");
        let vrfs: Vec<Vrf> = self.client.get("/v1/vrfs", &()).await?;
        let mut table = Table::new(["VRF", "NETWORK", "NATIVE", "LEAKED"]);
        for vrf in &vrfs {
            let network = vrf.network.clone().unwrap_or_default();
            table.row([vrf.name.clone(), network, grouped(vrf.native), grouped(vrf.leaked)]);
        }
        self.report.say(table.render(0));
        let leaked: u64 = vrfs.iter().map(|vrf| vrf.leaked).sum();
        self.report.expect(leaked == 0, "no VRF holds a leaked route", leaked);
        self.absent("privnet1", "10.0.100.13/32", "storage", "NotPeered").await
    }

    async fn private_and_shared(&mut self) -> Result<(), Error> {
        self.report.step("privnet1 and storage: a private network and a shared one");
        self.peer("privnet1", "storage").await?;
        self.leaked("privnet1", &["10.0.100.13/32"]).await?;
        self.leaked("storage", &["10.0.1.11/32"]).await?;
        self.refusals("privnet1", "storage", "OutsideDeclared", 1).await?;
        self.present("privnet1", "10.0.100.13/32", "storage", "127.0.0.13").await?;
        self.present("storage", "10.0.1.11/32", "privnet1", "127.0.0.11").await?;
        self.absent("storage", "203.0.113.11/32", "privnet1", "OutsideDeclared").await
    }

    async fn second_private_and_shared(&mut self) -> Result<(), Error> {
        self.report.step("privnet2 and storage: storage reaches both, and neither reaches the other through it");
        self.peer("privnet2", "storage").await?;
        self.leaked("storage", &["10.0.1.11/32", "10.0.2.12/32"]).await?;
        self.leaked("privnet2", &["10.0.100.13/32"]).await?;
        self.leaked("privnet1", &["10.0.100.13/32"]).await?;
        self.absent("privnet1", "10.0.2.12/32", "storage", "NotNative").await
    }

    async fn two_private(&mut self) -> Result<(), Error> {
        self.report.step("privnet1 and privnet2: two private networks of one project");
        self.peer("privnet1", "privnet2").await?;
        self.leaked("privnet1", &["10.0.2.12/32", "10.0.100.13/32"]).await?;
        self.leaked("privnet2", &["10.0.1.11/32", "10.0.100.13/32"]).await?;
        self.present("privnet1", "10.0.2.12/32", "privnet2", "127.0.0.12").await?;
        self.present("privnet2", "10.0.1.11/32", "privnet1", "127.0.0.11").await
    }

    async fn private_and_external(&mut self) -> Result<(), Error> {
        self.report.step("privnet1 and internet: a private network and an external one");
        let before = self.vrf("privnet1").await?.leaked;
        let peering = self.peer("privnet1", "internet").await?;
        let inward = peering.leaks.iter().find(|leak| leak.from == "internet");
        let (routes, refused) = inward.map_or((0, 0), |leak| (leak.routes, leak.refused.values().sum()));
        let after = self.vrf("privnet1").await?.leaked;
        self.report.expect(
            after == before + routes && routes + refused == self.table && routes > 0,
            format!("{} routes of internet are in privnet1, {refused} refused", grouped(routes)),
            format_args!("{after} leaked routes in privnet1, {before} before"),
        );
        self.leaked("internet", &["203.0.113.11/32"]).await?;
        self.present("internet", "203.0.113.11/32", "privnet1", "127.0.0.11").await?;
        self.absent("internet", "10.0.1.11/32", "privnet1", "PolicyDenied").await?;
        if let Some(sample) = self.sample {
            // IPv6 routes of an IPv4 session have the mapped address as next hop.
            let next_hop = if sample.addr().is_ipv4() { "127.0.0.14" } else { "::ffff:127.0.0.14" };
            self.present("privnet1", &sample.to_string(), "internet", next_hop).await?;
            self.report.say(format_args!(
                "privnet2 and storage are peers of privnet1, and get nothing of the internet through it:"
            ));
            self.leaked("privnet2", &["10.0.1.11/32", "10.0.100.13/32"]).await?;
            self.leaked("storage", &["10.0.1.11/32", "10.0.2.12/32"]).await?;
            self.absent("privnet2", &sample.to_string(), "privnet1", "NotNative").await?;
        }
        let neighbors: Vec<Neighbor> = self.client.get("/v1/neighbors", &()).await?;
        let isp = neighbors.iter().find(|neighbor| neighbor.class == "external");
        let sent = isp.map_or(u64::MAX, |isp| isp.advertised);
        self.report.expect(sent == 0, "nothing is sent to the ISP: no export policy, no route (RFC 8212)", sent);
        let machine = self.peers.first().ok_or("there is no machine A")?.neighbors().await?;
        let learned: usize = machine.iter().flat_map(|leaf| &leaf.families).map(|family| family.accepted).sum();
        self.report.expect(learned == 0, "no leaked route is passed on to machine A: it has learned nothing", learned);
        Ok(())
    }

    async fn refused(&mut self) -> Result<(), Error> {
        self.report.step("privnet1 and privnet3: two private networks of two projects, which must not meet");
        let peering = self.apply("privnet1", "privnet3").await?;
        let reason = peering.reason.as_deref().unwrap_or_default();
        self.report.expect(
            peering.phase == "Pending" && peering.state == "Error" && reason == "CrossProject",
            "the peering is refused: Pending, Error, CrossProject",
            format_args!("{}, {}, {reason}", peering.phase, peering.state),
        );
        self.leaked("privnet3", &[]).await?;
        self.absent("privnet1", "10.0.3.0/24", "privnet3", "NotPeered").await
    }

    async fn delete(&mut self) -> Result<(), Error> {
        self.report.step("Delete the peering of privnet1 and internet: its routes go, and nothing else");
        self.report.say("$ peerage network peering delete privnet1-to-internet");
        let began = Instant::now();
        let name = [("name", "privnet1-to-internet")];
        let _: Applied = self.client.delete("/v1/peering", &name).await?;
        self.until("the leaked routes' withdrawal", async |demo| {
            let left = demo.vrf("privnet1").await?.leaked;
            Ok((left <= 2, format!("{} leaked routes left in privnet1", grouped(left))))
        })
        .await?;
        self.report.say(format_args!("withdrawn in {}", took(began.elapsed())));
        self.leaked("privnet1", &["10.0.2.12/32", "10.0.100.13/32"]).await?;
        self.leaked("internet", &[]).await?;
        let native = self.vrf("internet").await?.native;
        self.report.expect(
            native == self.table,
            format!("internet keeps its own {} routes", grouped(self.table)),
            native,
        );
        if let Some(sample) = self.sample {
            self.absent("privnet1", &sample.to_string(), "internet", "NotPeered").await?;
        }
        let neighbors: Vec<Neighbor> = self.client.get("/v1/neighbors", &()).await?;
        let moved = neighbors.iter().filter(|neighbor| neighbor.established_count != 1).count();
        self.report.expect(moved == 0, "no BGP session moved in all this", format_args!("{moved} that did"));
        Ok(())
    }

    /// Applies a peering and waits until it is programmed.
    async fn peer(&mut self, network1: &str, network2: &str) -> Result<Peering, Error> {
        let began = Instant::now();
        let name = format!("{network1}-to-{network2}");
        self.apply(network1, network2).await?;
        self.until("the peering", async |demo| {
            let peering = demo.peering(&name).await?;
            let routes: u64 = peering.leaks.iter().map(|leak| leak.routes).sum();
            Ok((peering.state != "Pending", format!("{}: {} routes leaked", peering.state, grouped(routes))))
        })
        .await?;
        let peering = self.peering(&name).await?;
        let reason = peering.reason.as_deref().map(|reason| format!(", {reason}")).unwrap_or_default();
        let (phase, state) = (&peering.phase, &peering.state);
        self.report.expect(
            phase == "Bound" && state == "Ready",
            format!("{name} is Bound and Ready ({})", took(began.elapsed())),
            format_args!("{phase}, {state}{reason}: {}", peering.message.as_deref().unwrap_or_default()),
        );
        for leak in &peering.leaks {
            let refused: Vec<_> = leak.refused.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            let refused = if refused.is_empty() { String::new() } else { format!(", refused: {}", refused.join(", ")) };
            self.report.say(format_args!("{} -> {}: {} leaked{refused}", leak.from, leak.to, grouped(leak.routes)));
        }
        Ok(peering)
    }

    /// Shows a manifest, applies it, and shows what became of the peering.
    async fn apply(&mut self, network1: &str, network2: &str) -> Result<Peering, Error> {
        let name = format!("{network1}-to-{network2}");
        // A whole Internet table is more than a peering carries unless it says so.
        let limit = [network1, network2].contains(&"internet").then_some(2_000_000);
        let text = manifests::peering(network1, network2, limit);
        self.report.say(format_args!("$ peerage apply -f {name}.yaml"));
        self.report.quote(&text);
        let files = vec![File { name: format!("{name}.yaml"), text }];
        let applied: Applied =
            self.client.post("/v1/apply", &Apply { files, plan: None, confirm_within: None }).await?;
        for document in &applied.documents {
            self.report.say(format_args!("{} {}", document.document, document.result));
        }
        let peering = self.peering(&name).await?;
        if let Some(message) = &peering.message
            && peering.state == "Error"
        {
            let reason = peering.reason.as_deref().unwrap_or_default();
            self.report.say(format_args!("{} {}: {reason}: {message}", peering.phase, peering.state));
        }
        Ok(peering)
    }

    /// Expects exactly these leaked routes in a VRF besides those of the internet.
    async fn leaked(&mut self, vrf: &str, expected: &[&str]) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Query<'a> {
            vrf: &'a str,
            leaked: bool,
            limit: usize,
        }
        let page: Routes =
            self.client.get("/v1/routes", &Query { vrf, leaked: true, limit: expected.len() + 5 }).await?;
        let found: Vec<String> = page.routes.iter().map(|route| route.prefix.to_string()).collect();
        let all = self.vrf(vrf).await?.leaked;
        let sentence = match expected {
            [] => format!("{vrf} holds no leaked route"),
            _ => format!("{vrf} holds exactly these leaked routes: {}", expected.join(" ")),
        };
        let met = found == expected && all == expected.len() as u64;
        self.report.expect(met, sentence, format_args!("{all}: {}", found.join(" ")));
        Ok(())
    }

    /// Expects that one direction of a peering refused this many routes for this reason.
    async fn refusals(&mut self, from: &str, to: &str, reason: &str, expected: u64) -> Result<(), Error> {
        let peerings: Vec<Peering> = self.client.get("/v1/peerings", &()).await?;
        let leaks = peerings.iter().flat_map(|peering| &peering.leaks);
        let counted = leaks.filter(|leak| leak.from == from && leak.to == to);
        let found: u64 = counted.filter_map(|leak| leak.refused.get(reason)).sum();
        let sentence = format!("{expected} native route of {from} is kept from {to}: {reason}");
        self.report.expect(found == expected, sentence, found);
        Ok(())
    }

    /// Expects a leaked route with its exporter's next hop, and shows why it is there.
    async fn present(&mut self, vrf: &str, prefix: &str, from: &str, next_hop: &str) -> Result<(), Error> {
        let explanation = self.explain(vrf, prefix, from).await?;
        let route = self.route(vrf, prefix).await?;
        let found = route.as_ref().map_or_else(
            || "no route".to_owned(),
            |route| {
                let from = route.from.as_deref().unwrap_or_default();
                format!("{} from {from} via {}", route.kind, route.next_hop.as_deref().unwrap_or_default())
            },
        );
        let met = route.is_some_and(|route| {
            route.kind == Kind::Leaked
                && route.from.as_deref() == Some(from)
                && route.next_hop.as_deref() == Some(next_hop)
        });
        self.report.expect(
            met && explanation.verdict == "leaked",
            format!("{vrf} reaches {prefix} in {from}, via {next_hop}"),
            found,
        );
        Ok(())
    }

    /// Expects no route and the reason for it, and shows which step kept it out.
    async fn absent(&mut self, vrf: &str, prefix: &str, from: &str, reason: &str) -> Result<(), Error> {
        let explanation = self.explain(vrf, prefix, from).await?;
        let found = explanation.reason.as_deref().unwrap_or("no reason");
        self.report.expect(
            explanation.verdict == "absent" && found == reason,
            format!("{prefix} of {from} is not in {vrf}: {reason}"),
            format_args!("{}, {found}", explanation.verdict),
        );
        Ok(())
    }

    async fn explain(&mut self, vrf: &str, prefix: &str, from: &str) -> Result<Explanation, Error> {
        let query = explain::Query { vrf, prefix: prefix.parse()?, from: Some(from) };
        let explanation: Explanation = self.client.get("/v1/explain", &query).await?;
        self.report.say(format_args!("$ peerage explain --vrf {vrf} {prefix} --from {from}"));
        // Steps that found nothing worth a line are left out here.
        let mut shown = explanation.clone();
        shown.steps.retain(|step| step.what != "passes" && !["installed", "advertised"].contains(&&*step.check));
        shown.change = None;
        self.report.quote(&explain::text(&shown));
        Ok(explanation)
    }

    async fn route(&self, vrf: &str, prefix: &str) -> Result<Option<Route>, ClientError> {
        let page: Routes = self.client.get("/v1/routes", &[("vrf", vrf), ("prefix", prefix)]).await?;
        Ok(page.routes.into_iter().find(|route| route.selected))
    }

    async fn vrf(&self, name: &str) -> Result<Vrf, Error> {
        let vrfs: Vec<Vrf> = self.client.get("/v1/vrfs", &()).await?;
        Ok(vrfs.into_iter().find(|vrf| vrf.name == name).ok_or_else(|| format!("there is no VRF {name}"))?)
    }

    async fn peering(&self, name: &str) -> Result<Peering, Error> {
        let peerings: Vec<Peering> = self.client.get("/v1/peerings", &()).await?;
        let found = peerings.into_iter().find(|peering| peering.name == name);
        Ok(found.ok_or_else(|| format!("there is no peering {name}"))?)
    }

    /// Looks until something has come about, and shows how far it is.
    async fn until(
        &mut self,
        what: impl Display,
        done: impl AsyncFn(&Self) -> Result<(bool, String), Error>,
    ) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            let (done, progress) = done(self).await?;
            if done {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{what} did not come about within {} s: {progress}", PATIENCE.as_secs()).into());
            }
            if began.elapsed() > Duration::from_millis(200) {
                self.report.progress(progress);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// Whether a prefix is a fit example of the Internet: of a usual length, and none of the demo's own space.
fn is_usual(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(prefix) => {
            let [first, second, third, _] = prefix.addr().octets();
            let own = first == 10 || first == 127 || [first, second, third] == [203, 0, 113];
            (8..=24).contains(&prefix.prefix_len()) && !own
        }
        IpNet::V6(prefix) => (16..=64).contains(&prefix.prefix_len()),
    }
}
