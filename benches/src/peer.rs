//! One BGP session of the harness: it sends prepared messages, and keeps no more of what it is told than counting needs.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bgp_wire::{AfiSafi, Capability, DecodeCtx, FamilySet, Message, OpenBuf, PeerKind, frame};
use bytes::BytesMut;
use ipnet::IpNet;
use socket2::{Domain, Socket, Type};

use crate::place::{AS, Family, TARGET, Who};
use crate::supply::{Goal, key, tag};

const KEEPALIVE: [u8; 19] = {
    let mut message = [0xff; 19];
    message[16] = 0;
    message[17] = 19;
    message[18] = 4;
    message
};
/// How long a target may take until it talks to us.
const PATIENCE: Duration = Duration::from_secs(60);
const STACK: usize = 256 * 1024;

fn decode() -> DecodeCtx {
    DecodeCtx {
        as4: true,
        add_path: FamilySet::EMPTY,
        extended_message: false,
        extended_next_hop: FamilySet::EMPTY,
        peer: PeerKind::External,
    }
}

/// What a session knows of what it was told.
struct Held {
    /// By [`key`] the [`tag`].
    table: HashMap<u64, u64, foldhash::fast::FixedState>,
    fingerprint: u64,
    updates: u64,
    /// When octets came last, and the longest time between two arrivals since it was asked.
    last: Instant,
    gap: Duration,
    /// Why the session is over.
    ended: Option<String>,
    goal: Option<(Goal, Sender<Instant>)>,
}

impl Held {
    fn goal(&self) -> Goal {
        Goal { count: self.table.len(), fingerprint: self.fingerprint }
    }

    fn holds(&mut self, key: u64, tag: u64) {
        self.fingerprint = self.fingerprint.wrapping_add(Goal::route(key, tag).fingerprint);
        if let Some(old) = self.table.insert(key, tag) {
            self.fingerprint = self.fingerprint.wrapping_sub(Goal::route(key, old).fingerprint);
        }
    }

    fn loses(&mut self, key: u64) {
        if let Some(old) = self.table.remove(&key) {
            self.fingerprint = self.fingerprint.wrapping_sub(Goal::route(key, old).fingerprint);
        }
    }

    /// One message; `skip` hops at the head of every path are not the announcer's.
    fn told(&mut self, message: &[u8], skip: usize) -> Result<(), String> {
        let update = match Message::parse(message, &decode()) {
            Ok(Message::Update(update)) => update,
            Ok(Message::Notification(notification)) => return Err(notification.to_string()),
            Ok(_) => return Ok(()),
            Err(fault) => return Err(format!("the target sent something malformed: {fault}")),
        };
        self.updates += 1;
        for (_, prefix) in update.withdrawn() {
            self.loses(key(IpNet::V4(prefix)));
        }
        if let Some(routes) = update.mp_unreach().and_then(|unreach| unreach.ipv6()) {
            routes.for_each(|(_, prefix)| self.loses(key(IpNet::V6(prefix))));
        }
        let tag = tag(update.attributes().as_path().asns().skip(skip));
        for (_, prefix) in update.nlri() {
            self.holds(key(IpNet::V4(prefix)), tag);
        }
        if let Some(routes) = update.mp_reach().and_then(|reach| reach.ipv6()) {
            routes.for_each(|(_, prefix)| self.holds(key(IpNet::V6(prefix)), tag));
        }
        Ok(())
    }

    fn arrived(&mut self, at: Instant) {
        self.gap = self.gap.max(at - self.last);
        self.last = at;
    }

    fn settle(&mut self) {
        let now = self.goal();
        if let Some((_, sender)) = self.goal.take_if(|(goal, _)| *goal == now) {
            // Nobody listens any more once the limit is over.
            let _ = sender.send(Instant::now());
        }
    }
}

/// An established session; dropping it closes the connection.
pub struct Peer {
    who: Who,
    stream: TcpStream,
    outgoing: Sender<Arc<[u8]>>,
    held: Arc<Mutex<Held>>,
}

impl Peer {
    /// Connects to the target as `who`, trying again until it answers or is no longer `alive`.
    pub fn connect(who: Who, family: Family, alive: impl FnMut() -> bool) -> Result<Self, String> {
        Self::establish(who, family, SocketAddr::from((family.target(), 179)), 1, alive)
    }

    fn establish(
        who: Who,
        family: Family,
        to: SocketAddr,
        skip: usize,
        mut alive: impl FnMut() -> bool,
    ) -> Result<Self, String> {
        let from = SocketAddr::from((who.address(family), 0));
        let domain = if to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let start = Instant::now();
        loop {
            let attempt = Socket::new(domain, Type::STREAM, None).and_then(|socket| {
                socket.bind(&from.into())?;
                socket.connect_timeout(&to.into(), Duration::from_secs(2))?;
                handshake(socket.into(), who.asn(), who, family)
            });
            match attempt {
                Ok((stream, buffer)) => return Self::run(who, stream, buffer, skip).map_err(|error| error.to_string()),
                Err(error) if !alive() => return Err(format!("{who:?} gets no session, the target ended: {error}")),
                Err(error) if start.elapsed() > PATIENCE => return Err(format!("{who:?} gets no session: {error}")),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// A feeder and the session that it feeds without a daemon between them: what the harness itself costs.
    pub fn pair(feeder: Who, sink: Who, family: Family) -> Result<(Self, Self), String> {
        let address: IpAddr = sink.address(family);
        let listen = || -> io::Result<_> {
            let listener = TcpListener::bind((address, 0))?;
            let at = listener.local_addr()?;
            Ok((listener, at))
        };
        let (listener, to) = listen().map_err(|error| format!("floor: {error}"))?;
        let accepting = thread::spawn(move || {
            let (stream, _) = listener.accept()?;
            let (stream, buffer) = handshake(stream, AS, sink, family)?;
            Self::run(sink, stream, buffer, 0)
        });
        let feeder = Self::establish(feeder, family, to, 0, || true)?;
        match accepting.join() {
            Ok(Ok(sink)) => Ok((feeder, sink)),
            Ok(Err(error)) => Err(format!("floor: {error}")),
            Err(_) => Err("floor: the sink's thread ended".to_owned()),
        }
    }

    fn run(who: Who, stream: TcpStream, buffer: BytesMut, skip: usize) -> io::Result<Self> {
        let held = Held {
            table: HashMap::default(),
            fingerprint: 0,
            updates: 0,
            last: Instant::now(),
            gap: Duration::ZERO,
            ended: None,
            goal: None,
        };
        let held = Arc::new(Mutex::new(held));
        let (outgoing, queue) = mpsc::channel();
        let (reader, writer, shared) = (stream.try_clone()?, stream.try_clone()?, Arc::clone(&held));
        let spawn = || thread::Builder::new().stack_size(STACK);
        spawn().spawn(move || {
            let why = read(reader, buffer, skip, &shared);
            let mut held = lock(&shared);
            held.ended = Some(why);
            held.goal = None;
        })?;
        let every = Duration::from_secs(u64::from(who.hold_time())) / 3;
        spawn().spawn(move || write(writer, &queue, every))?;
        Ok(Self { who, stream, outgoing, held })
    }

    /// Who it is.
    pub fn who(&self) -> Who {
        self.who
    }

    /// Sends messages, from a thread of its own.
    pub fn send(&self, messages: Arc<[u8]>) -> Result<(), String> {
        let ended = || lock(&self.held).ended.clone().unwrap_or_else(|| "it cannot write".to_owned());
        self.outgoing.send(messages).map_err(|_| format!("{:?} has lost its session: {}", self.who, ended()))
    }

    /// Makes room for a table of that size, so that growing it costs no time later.
    pub fn reserve(&self, prefixes: usize) {
        lock(&self.held).table.reserve(prefixes);
    }

    /// Tells when the session holds exactly what the goal says.
    pub fn expect(&self, goal: Goal) -> Receiver<Instant> {
        let (sender, receiver) = mpsc::channel();
        let mut held = lock(&self.held);
        if held.ended.is_none() {
            held.goal = Some((goal, sender));
            held.settle();
        }
        receiver
    }

    /// The end of waiting for a goal: when it was reached.
    pub fn await_goal(&self, goal: Goal, reached: &Receiver<Instant>, limit: Duration) -> Result<Instant, String> {
        reached.recv_timeout(limit).map_err(|why| {
            let held = lock(&self.held);
            let lead = format!("{:?} holds {} of {} prefixes", self.who, held.table.len(), goal.count);
            let paths = if held.table.len() == goal.count { ", not all with the right path" } else { "" };
            match (why, &held.ended) {
                (_, Some(ended)) => format!("{lead}{paths} and has lost its session: {ended}"),
                (RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected, None) => {
                    format!("{lead}{paths} after {} s", limit.as_secs())
                }
            }
        })
    }

    /// UPDATEs so far.
    pub fn updates(&self) -> u64 {
        lock(&self.held).updates
    }

    /// Begins to watch for gaps between arrivals; the one that runs already counts as a whole.
    pub fn watch(&self) {
        lock(&self.held).gap = Duration::ZERO;
    }

    /// How late a keepalive came at most since [`watch`](Self::watch); an error if the session was lost.
    pub fn late(&self) -> Result<Duration, String> {
        let held = lock(&self.held);
        if let Some(ended) = &held.ended {
            return Err(format!("{:?}, who does nothing, has lost its session: {ended}", self.who));
        }
        let due = Duration::from_secs(u64::from(self.who.hold_time())) / 3;
        Ok(held.gap.max(held.last.elapsed()).saturating_sub(due))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Exchanges OPEN and KEEPALIVE; returns once the other side is established, with what came after that.
fn handshake(mut stream: TcpStream, asn: u32, who: Who, family: Family) -> io::Result<(TcpStream, BytesMut)> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let afi_safi = match family {
        Family::Ipv4 => AfiSafi::IPV4_UNICAST,
        Family::Ipv6 => AfiSafi::IPV6_UNICAST,
    };
    let mut open = BytesMut::new();
    OpenBuf {
        asn,
        hold_time: who.hold_time(),
        identifier: if asn == AS { TARGET } else { who.identifier() },
        capabilities: vec![Capability::Multiprotocol(afi_safi), Capability::FourOctetAs(asn)],
    }
    .encode(&mut open);
    stream.write_all(&open)?;
    let mut buffer = BytesMut::new();
    loop {
        let length = frame::peek(&buffer, frame::MAX_LEN).map_err(|fault| io::Error::other(fault.to_string()))?;
        let Some(length) = length.filter(|length| *length <= buffer.len()) else {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => buffer.extend_from_slice(&chunk[..count]),
            }
            continue;
        };
        let message = buffer.split_to(length);
        match Message::parse(&message, &decode()) {
            Ok(Message::Open(_)) => stream.write_all(&KEEPALIVE)?,
            Ok(Message::Keepalive) => break,
            Ok(Message::Notification(notification)) => return Err(io::Error::other(notification.to_string())),
            _ => return Err(io::Error::other("something else than OPEN and KEEPALIVE came")),
        }
    }
    stream.set_read_timeout(None)?;
    Ok((stream, buffer))
}

/// Reads until the session ends; answers why it did.
fn read(mut stream: TcpStream, first: BytesMut, skip: usize, held: &Mutex<Held>) -> String {
    let mut buffer = vec![0; 256 * 1024];
    let mut end = first.len();
    buffer[..end].copy_from_slice(&first);
    loop {
        let mut start = 0;
        let mut here = lock(held);
        loop {
            match frame::peek(&buffer[start..end], frame::MAX_LEN) {
                Ok(Some(length)) if length <= end - start => {
                    if let Err(why) = here.told(&buffer[start..start + length], skip) {
                        return why;
                    }
                    start += length;
                }
                Ok(_) => break,
                Err(fault) => return format!("the target sent a bad header: {fault}"),
            }
        }
        here.settle();
        drop(here);
        buffer.copy_within(start..end, 0);
        end -= start;
        match stream.read(&mut buffer[end..]) {
            Ok(0) => return "the connection was closed".to_owned(),
            Ok(count) => end += count,
            Err(error) => return error.to_string(),
        }
        lock(held).arrived(Instant::now());
    }
}

/// Writes what is asked for, and a keepalive whenever nothing was for long enough.
fn write(mut stream: TcpStream, queue: &Receiver<Arc<[u8]>>, every: Duration) {
    loop {
        let written = match queue.recv_timeout(every) {
            Ok(messages) => stream.write_all(&messages),
            Err(RecvTimeoutError::Timeout) => stream.write_all(&KEEPALIVE),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if written.is_err() {
            return;
        }
    }
}
