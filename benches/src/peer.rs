//! Feeders and sinks: one blocking BGP session each, with no table but what counting needs.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bgp_wire::{
    AfiSafi, Capability, DecodeCtx, EncodeCtx, FamilySet, Ipv4Unicast, Message, NextHop, OpenBuf, PeerKind,
    UpdateEncoder, frame,
};
use bytes::{Buf, BytesMut};
use socket2::{Domain, Socket, Type};

use crate::table::Group;

const HOLD_TIME: u16 = 240;
const KEEPALIVE: [u8; 19] = {
    let mut message = [0xff; 19];
    message[16] = 0;
    message[17] = 19;
    message[18] = 4;
    message
};

fn decode() -> DecodeCtx {
    DecodeCtx {
        as4: true,
        add_path: FamilySet::EMPTY,
        extended_message: false,
        extended_next_hop: FamilySet::EMPTY,
        peer: PeerKind::External,
    }
}

fn open(asn: u32, identifier: Ipv4Addr) -> BytesMut {
    let mut out = BytesMut::new();
    OpenBuf {
        asn,
        hold_time: HOLD_TIME,
        identifier,
        capabilities: vec![Capability::Multiprotocol(AfiSafi::IPV4_UNICAST), Capability::FourOctetAs(asn)],
    }
    .encode(&mut out);
    out
}

/// One TCP connection with whole messages taken from it.
struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    /// The next whole message.
    fn message(&mut self) -> io::Result<BytesMut> {
        loop {
            let length = frame::peek(&self.buffer, frame::MAX_LEN)
                .map_err(|fault| io::Error::other(format!("the target sent a bad header: {fault}")))?;
            match length {
                Some(length) if length <= self.buffer.len() => return Ok(self.buffer.split_to(length)),
                _ => self.fill()?,
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0u8; 65536];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }

    /// Exchanges OPEN and KEEPALIVE; returns once the other side is established.
    fn handshake(stream: TcpStream, asn: u32, identifier: Ipv4Addr) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut connection = Self { stream, buffer: BytesMut::new() };
        connection.stream.write_all(&open(asn, identifier))?;
        loop {
            let message = connection.message()?;
            match Message::parse(&message, &decode()) {
                Ok(Message::Open(_)) => connection.stream.write_all(&KEEPALIVE)?,
                Ok(Message::Keepalive) => break,
                Ok(Message::Notification(notification)) => {
                    return Err(io::Error::other(format!("the target refused the session: {notification}")));
                }
                _ => return Err(io::Error::other("the target sent something else than OPEN and KEEPALIVE")),
            }
        }
        connection.stream.set_read_timeout(None)?;
        let mut alive = connection.stream.try_clone()?;
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_secs(u64::from(HOLD_TIME) / 3));
                if alive.write_all(&KEEPALIVE).is_err() {
                    return;
                }
            }
        });
        Ok(connection)
    }

    /// Connects from `local` to `remote`, trying again until `deadline` passes.
    fn establish(local: Ipv4Addr, remote: SocketAddr, asn: u32, deadline: Duration) -> io::Result<Self> {
        let start = Instant::now();
        loop {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::from((local, 0)).into())?;
            let outcome = socket.connect(&remote.into()).and_then(|()| Self::handshake(socket.into(), asn, local));
            match outcome {
                Ok(connection) => return Ok(connection),
                Err(error) if start.elapsed() > deadline => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// A session that announces one prepared stream.
pub struct Feeder {
    connection: Connection,
    stream: Vec<u8>,
}

impl Feeder {
    /// Establishes the session; `table` is encoded beforehand, so sending costs a copy.
    pub fn connect(local: Ipv4Addr, remote: SocketAddr, asn: u32, table: &[Group]) -> io::Result<Self> {
        let mut encoder = UpdateEncoder::new(EncodeCtx { as4: true, ..EncodeCtx::default() });
        let mut out = BytesMut::new();
        for group in table {
            let keys = group.prefixes.iter().map(|prefix| (None, *prefix));
            encoder
                .announce::<Ipv4Unicast>(&group.attributes, NextHop::Ipv4(local), keys, &mut out)
                .map_err(|error| io::Error::other(format!("a generated route does not fit: {error}")))?;
        }
        let connection = Connection::establish(local, remote, asn, Duration::from_secs(60))?;
        Ok(Self { connection, stream: out.to_vec() })
    }

    /// Sends the stream from a thread of its own, which then keeps the session alive.
    pub fn send(mut self) {
        thread::spawn(move || {
            let mut reader = self.connection.stream.try_clone().ok();
            thread::spawn(move || {
                let mut sink = [0u8; 65536];
                while reader.as_mut().is_some_and(|stream| stream.read(&mut sink).is_ok_and(|count| count > 0)) {}
            });
            if let Err(error) = self.connection.stream.write_all(&self.stream) {
                eprintln!("a feeder was cut off: {error}");
            }
            loop {
                thread::park();
            }
        });
    }
}

/// A session that only counts what it is told.
pub struct Sink {
    held: Arc<AtomicUsize>,
}

impl Sink {
    /// Establishes the session and reads from a thread of its own.
    pub fn connect(local: Ipv4Addr, remote: SocketAddr, asn: u32) -> io::Result<Self> {
        Ok(Self::read(Connection::establish(local, remote, asn, Duration::from_secs(60))?))
    }

    /// Waits for a feeder instead; this is the floor, the harness without a daemon.
    pub fn accept(listener: &TcpListener, asn: u32) -> io::Result<Self> {
        let (stream, _) = listener.accept()?;
        Ok(Self::read(Connection::handshake(stream, asn, Ipv4Addr::new(10, 99, 255, 255))?))
    }

    fn read(mut connection: Connection) -> Self {
        let held = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&held);
        thread::spawn(move || {
            let mut table: HashSet<u64, foldhash::fast::FixedState> = HashSet::default();
            while let Ok(message) = connection.message() {
                let Ok(Message::Update(update)) = Message::parse(message.chunk(), &decode()) else { continue };
                let key =
                    |prefix: ipnet::Ipv4Net| u64::from(u32::from(prefix.addr())) << 8 | u64::from(prefix.prefix_len());
                for (_, prefix) in update.withdrawn() {
                    table.remove(&key(prefix));
                }
                for (_, prefix) in update.nlri() {
                    table.insert(key(prefix));
                }
                count.store(table.len(), Ordering::Release);
            }
        });
        Self { held }
    }

    /// How many prefixes it holds now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// Waits until it holds `wanted` prefixes, at most `limit`.
    pub fn wait(&self, wanted: usize, limit: Duration) -> Result<(), String> {
        let start = Instant::now();
        while self.held() != wanted {
            if start.elapsed() > limit {
                return Err(format!("the sink holds {} of {wanted} prefixes after {limit:?}", self.held()));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}
