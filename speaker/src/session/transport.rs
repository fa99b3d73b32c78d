//! One TCP connection of a session: what is read, what waits to be written, and how it ends.
//!
//! Owns the socket. It knows nothing of BGP but that a connection given up must still deliver its last message.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// Octets asked for in one read.
const READ: usize = 64 << 10;

/// How long a connection that is given up may take to deliver what is still to be written.
const LINGER: Duration = Duration::from_secs(2);

/// Where and how to connect.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// `None` while it is not known.
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) local: Option<IpAddr>,
    pub(crate) ttl: Option<u8>,
    /// A VRF device that the socket is bound to.
    pub(crate) device: Option<String>,
}

impl Endpoint {
    /// Opens a connection.
    ///
    /// # Errors
    /// What the kernel said; binding to a device needs CAP_NET_RAW.
    pub(crate) async fn connect(self) -> io::Result<TcpStream> {
        let remote = self.remote.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let socket = Socket::new(Domain::for_address(remote), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // The scope of a link-local address binds to the interface itself.
        if let Some(device) = &self.device
            && !is_link_local(&remote)
        {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if let Some(local) = self.local {
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::new(local, 0).into())?;
        }
        prepare(&socket, remote.is_ipv4(), self.ttl)?;
        TcpSocket::from_std_stream(socket.into()).connect(remote).await
    }

    /// Prepares a connection that was accepted.
    ///
    /// # Errors
    /// What the kernel said.
    pub(crate) fn accepted(&self, stream: &TcpStream) -> io::Result<()> {
        prepare(&SockRef::from(stream), stream.peer_addr()?.is_ipv4(), self.ttl)
    }
}

fn is_link_local(address: &SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(address) if address.ip().is_unicast_link_local())
}

fn prepare(socket: &Socket, v4: bool, ttl: Option<u8>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    match ttl {
        Some(ttl) if v4 => socket.set_ttl_v4(ttl.into()),
        Some(ttl) => socket.set_unicast_hops_v6(ttl.into()),
        None => Ok(()),
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Transport {
    stream: TcpStream,
    pub(crate) received: BytesMut,
    unsent: VecDeque<Bytes>,
}

impl Transport {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, received: BytesMut::new(), unsent: VecDeque::new() }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }

    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    pub(crate) async fn readable(&self) {
        // An error shows in the read that follows.
        let _ = self.stream.readable().await;
    }

    pub(crate) async fn writable(&self) {
        let _ = self.stream.writable().await;
    }

    /// Reads what is there, once. `Ok(None)`: nothing was; `Ok(Some(0))`: the peer closed.
    ///
    /// # Errors
    /// What the kernel said; the connection is over.
    pub(crate) fn read(&mut self) -> io::Result<Option<usize>> {
        self.received.reserve(READ);
        match self.stream.try_read_buf(&mut self.received) {
            Ok(n) => Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether octets of the peer wait in the socket.
    pub(crate) fn has_unread(&self) -> bool {
        let mut octet = [MaybeUninit::uninit()];
        SockRef::from(&self.stream).peek(&mut octet).is_ok_and(|n| n > 0)
    }

    pub(crate) fn queue(&mut self, messages: Bytes) {
        if !messages.is_empty() {
            self.unsent.push_back(messages);
        }
    }

    /// Writes what the socket takes; says how many octets.
    ///
    /// # Errors
    /// What the kernel said; the connection is over.
    pub(crate) fn write(&mut self) -> io::Result<usize> {
        let mut written = 0;
        while !self.unsent.is_empty() {
            let mut slices = [IoSlice::new(&[]); 32];
            let mut used = 0;
            for (slice, message) in slices.iter_mut().zip(&self.unsent) {
                *slice = IoSlice::new(message);
                used += 1;
            }
            match self.stream.try_write_vectored(&slices[..used]) {
                Ok(n) => {
                    written += n;
                    self.consume(n);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn consume(&mut self, mut octets: usize) {
        while let Some(first) = self.unsent.front_mut() {
            if octets < first.len() {
                first.advance(octets);
                return;
            }
            octets -= first.len();
            self.unsent.pop_front();
        }
    }

    /// Ends the connection so that the peer can read our last message: writes the rest, says that no more comes, and reads until
    /// the peer closes too. Closing at once with octets unread would make the kernel send RST, which discards what the peer has
    /// not read yet.
    pub(crate) async fn close(mut self) {
        let finish = async {
            while self.has_unsent() {
                self.writable().await;
                if self.write().is_err() {
                    return;
                }
            }
            if SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write).is_err() {
                return;
            }
            loop {
                self.readable().await;
                self.received.clear();
                match self.read() {
                    Ok(Some(0)) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        };
        // After the deadline the peer has had its chance.
        let _ = tokio::time::timeout(LINGER, finish).await;
    }
}
