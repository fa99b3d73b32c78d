//! Accepting connections: one task per listen address (and VRF device), and the table that says whose a connection is.
//!
//! A connection is a neighbour's if it comes from a link-local address on the neighbour's interface, or from the neighbour's address, to the neighbour's local address where one is
//! configured, in the neighbour's VRF device or, for a VRF without one, in the plain namespace. Anyone else's is refused.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bgp_wire::{Notification, notification::cease};
use bytes::BytesMut;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::limit::Limit;
use crate::session::Command;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// How long a stranger may take to read its refusal.
const REFUSAL: Duration = Duration::from_secs(1);

/// Who may connect.
#[derive(Debug, Default)]
pub(crate) struct Registry(RwLock<Table>);

#[derive(Debug, Default)]
struct Table {
    /// Neighbours that are known by their address.
    addresses: HashMap<Origin, Vec<Expected>>,
    /// Neighbours that are known by their interface, by its number: any link-local address on it is theirs.
    links: HashMap<u32, mpsc::Sender<Command>>,
    /// The other addresses of such interfaces.
    others: HashMap<Origin, Vec<Expected>>,
}

/// Where a connection comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// The VRF device that it came in by; none in the plain namespace.
    pub(crate) device: Option<String>,
    pub(crate) remote: IpAddr,
}

/// A neighbour that may connect.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) local: Option<IpAddr>,
    pub(crate) commands: mpsc::Sender<Command>,
}

impl Registry {
    pub(crate) fn replace(&self, expected: impl IntoIterator<Item = (Origin, Expected)>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).addresses = grouped(expected);
    }

    /// Replaces the neighbours that are known by their interface.
    pub(crate) fn on_links(
        &self,
        links: HashMap<u32, mpsc::Sender<Command>>,
        others: impl IntoIterator<Item = (Origin, Expected)>,
    ) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        (table.links, table.others) = (links, grouped(others));
    }

    /// The neighbour that `origin` is. `scope` is the number of the interface, where the address means nothing without it.
    fn find(&self, origin: &Origin, scope: u32, local: IpAddr) -> Option<mpsc::Sender<Command>> {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if scope != 0
            && let Some(commands) = table.links.get(&scope)
        {
            return Some(commands.clone());
        }
        let expected = table.addresses.get(origin).into_iter().chain(table.others.get(origin));
        expected
            .flatten()
            .find(|neighbor| neighbor.local.is_none_or(|address| address == local))
            .map(|neighbor| neighbor.commands.clone())
    }
}

fn grouped(expected: impl IntoIterator<Item = (Origin, Expected)>) -> HashMap<Origin, Vec<Expected>> {
    let mut table: HashMap<Origin, Vec<Expected>> = HashMap::new();
    for (origin, neighbor) in expected {
        table.entry(origin).or_default().push(neighbor);
    }
    table
}

/// A running listener; dropping it closes the socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens on an address, in a VRF device if one is named.
    ///
    /// # Errors
    /// What the kernel said: the address is in use or not ours, or the privilege is missing.
    pub(crate) fn bind(address: SocketAddr, device: Option<String>, registry: Arc<Registry>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if let Some(device) = &device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, device, registry));
        Ok(Self { address, task })
    }

    /// Closes the socket; returns once it is closed.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let mut this = self;
        // The task was aborted: its result says nothing.
        let _ = (&mut this.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, device: Option<String>, registry: Arc<Registry>) {
    let mut refusals = Limit::default();
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => dispatch(stream, remote, device.clone(), &registry, &mut refusals),
            Err(error) => {
                // Out of file descriptors, most likely: the connection waits in the backlog meanwhile.
                warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn dispatch(stream: TcpStream, remote: SocketAddr, device: Option<String>, registry: &Registry, refusals: &mut Limit) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let origin = Origin { device, remote: remote.ip().to_canonical() };
    let scope = match remote {
        SocketAddr::V6(remote) if remote.ip().is_unicast_link_local() => remote.scope_id(),
        SocketAddr::V4(_) | SocketAddr::V6(_) => 0,
    };
    match registry.find(&origin, scope, local.ip().to_canonical()) {
        Some(commands) => {
            // A session whose queue is full is ending, or gets more connections than it can look at.
            if commands.try_send(Command::Accepted(stream)).is_err() {
                info!(%remote, %local, "connection dropped: its session is busy");
            }
        }
        None => {
            if let Some(suppressed) = refusals.admit(std::time::Instant::now()) {
                info!(%remote, %local, suppressed, "connection refused: no neighbour has these addresses");
            }
            tokio::spawn(refuse(stream));
        }
    }
}

async fn refuse(mut stream: TcpStream) {
    let mut message = BytesMut::new();
    Notification::cease(cease::CONNECTION_REJECTED).encode(&mut message);
    let told = async {
        stream.write_all(&message).await?;
        stream.shutdown().await?;
        // What it sent must be read, or closing resets the connection before it reads the refusal.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(REFUSAL, told).await;
}
