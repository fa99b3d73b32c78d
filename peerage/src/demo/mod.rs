//! `peerage demo`: the main job end to end, on loopback and in one process.
//!
//! Starts a leaf as `peerage run` does, its neighbours as speakers of their own, and applies manifests to the leaf through
//! its API. Every expectation is checked on what the API answers, so that what holds here holds for anyone who asks.

mod feed;
mod manifests;
mod peers;
mod report;
mod steps;
mod table;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::api::client::Client;
use crate::api::server::Server;
use crate::cli::DemoArgs;
use crate::commands::Error;
use crate::daemon::Daemon;
use crate::documents;

use feed::Feed;
use report::{Report, line};
use steps::Demo;

/// Runs the demo; whether every expectation held.
pub(crate) async fn run(args: DemoArgs) -> Result<bool, Error> {
    let directory = Directory::new()?;
    let socket = directory.0.join("peerage.sock");
    line("peerage demo: a leaf switch and its neighbours, real speakers over real TCP, all on 127.0.0.0/8");
    let mut report = Report::new();
    report.step("Start everyone");
    let feed = match &args.mrt {
        Some(path) => Feed::mrt(path)?,
        None => Feed::generated(args.prefixes as usize),
    };
    let leaf = manifests::LEAF.replace("DIRECTORY", &directory.0.display().to_string());
    let files = documents::parse([("leaf.yaml", leaf.as_bytes()), ("networks.yaml", manifests::NETWORKS.as_bytes())]);
    let daemon = Arc::new(Daemon::start(files).await?);
    let server = Server::bind(&socket).await?;
    let serving = tokio::spawn(server.serve(Arc::clone(&daemon)));
    let mut demo = Demo::new(report, Client::new(&socket));
    let listening = daemon.listening().await?;
    let leaf = listening.first().copied().ok_or("the leaf does not listen")?;
    let outcome = demo.run(leaf, feed).await;
    if outcome.is_ok() && args.keep {
        let path = socket.display();
        line("\nStill up. Ask it from another terminal, for example:");
        line(format_args!("  peerage get peerings --socket {path}"));
        line(format_args!("  peerage routes --vrf storage --leaked --socket {path}"));
        line("Ctrl-C ends it.");
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
    }
    demo.stop().await;
    daemon.stop().await;
    serving.abort();
    // The socket goes with the task that serves it, and only then the directory.
    let _ = serving.await;
    outcome
}

/// A directory of the demo's own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("peerage-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left in a temporary directory harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
