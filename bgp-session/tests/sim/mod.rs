//! Sessions joined by a simulated network on virtual time. Everything random comes from one seed, so a run replays.

#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;

use bgp_session::{Config, Connection, DownReason, Event, Input, Instant, Negotiated, RemoteAs, Session, State};
use bgp_wire::{Notification, RouteRefresh, notification::cease};
use bytes::{Bytes, BytesMut};

pub mod lone;

pub const SECOND: Duration = Duration::from_secs(1);
pub const MILLISECOND: Duration = Duration::from_millis(1);

/// A configuration whose AS, identifier and seed follow from `number`, with the short timers of a data centre.
pub fn config(number: u8) -> Config {
    Config {
        hold_time: Duration::from_secs(9),
        connect_retry: Duration::from_secs(10),
        seed: u64::from(number),
        ..Config::new(65000 + u32::from(number), Ipv4Addr::new(10, 0, 0, number), RemoteAs::External)
    }
}

pub fn shutdown() -> Notification {
    Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN)
}

/// A whole message.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend_from_slice(&((19 + body.len()) as u16).to_be_bytes());
    message.push(kind);
    message.extend_from_slice(body);
    message
}

/// An UPDATE that withdraws a /32 which tells `number`.
pub fn update(number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    message(2, &[0, 5, 32, a, b, c, d, 0, 0])
}

/// The numbers in such an UPDATE.
pub fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes([frame[22], frame[23], frame[24], frame[25]])
}

/// A generator of the network's whims, apart from the sessions' own.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn time(&mut self, range: &Range<Duration>) -> Duration {
        let span = (range.end - range.start).as_nanos() as u64;
        range.start + Duration::from_nanos(self.below(span))
    }
}

/// How the network behaves from now on.
#[derive(Clone)]
pub struct Network {
    /// One way, drawn anew for each delivery; order within a connection is kept.
    pub latency: Range<Duration>,
    /// Deliver in pieces of 1 to this many octets.
    pub piece: usize,
    /// Attempts to connect that are refused, in percent.
    pub refuse: u64,
    /// Attempts to connect that are never answered, in percent.
    pub swallow: u64,
    /// Deliveries that break the connection instead, in percent; the ends learn of it apart.
    pub reset: u64,
}

impl Default for Network {
    fn default() -> Self {
        Self { latency: MILLISECOND..5 * MILLISECOND, piece: usize::MAX, refuse: 0, swallow: 0, reset: 0 }
    }
}

/// One session, what it told, and its sockets.
pub struct Peer {
    pub session: Session,
    pub neighbor: usize,
    /// Takes nothing from its sockets and misses its timers: a process that is stopped.
    pub frozen: bool,
    pub up: Option<Box<Negotiated>>,
    pub ups: usize,
    pub downs: Vec<DownReason>,
    pub failures: Vec<(Connection, DownReason)>,
    pub updates: Vec<Bytes>,
    pub refreshes: Vec<RouteRefresh>,
    /// When each message was delivered, by type.
    pub heard: Vec<(Instant, u8)>,
    pub attempts: usize,
    attempt: Option<u64>,
    sockets: [Option<u64>; 2],
    buffers: [BytesMut; 2],
}

struct End {
    peer: usize,
    connection: Connection,
    /// Octets sent towards this end and not taken by it.
    unread: usize,
    /// Nothing arrives before what was sent earlier.
    last_arrival: Instant,
    open: bool,
}

struct Socket {
    ends: [End; 2],
    /// Swallows everything without a word.
    dead: bool,
}

enum Happening {
    Syn { from: usize, attempt: u64 },
    Refused { to: usize, attempt: u64 },
    Accepted { to: usize, attempt: u64, socket: u64 },
    Data { socket: u64, end: usize, octets: Bytes },
    Closed { socket: u64, end: usize },
}

/// Any number of pairs of sessions.
pub struct Sim {
    pub now: Instant,
    pub network: Network,
    pub peers: Vec<Peer>,
    pub random: Random,
    sockets: BTreeMap<u64, Socket>,
    queue: BTreeMap<(Instant, u64), Happening>,
    serial: u64,
}

/// What a socket holds before its writer waits.
const WINDOW: usize = 65_536;

impl Sim {
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant(0),
            network: Network::default(),
            peers: Vec::new(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            sockets: BTreeMap::new(),
            queue: BTreeMap::new(),
            serial: 0,
        }
    }

    /// Two sessions that are each other's neighbour, not yet started.
    pub fn pair(a: Config, b: Config) -> Self {
        let mut sim = Self::new(a.seed ^ (b.seed << 32));
        sim.join(a, b);
        sim
    }

    /// Adds two neighbours; gives the index of the first, the second's is one more.
    pub fn join(&mut self, a: Config, b: Config) -> usize {
        let first = self.peers.len();
        for (config, neighbor) in [(a, first + 1), (b, first)] {
            self.peers.push(Peer {
                session: Session::new(config),
                neighbor,
                frozen: false,
                up: None,
                ups: 0,
                downs: Vec::new(),
                failures: Vec::new(),
                updates: Vec::new(),
                refreshes: Vec::new(),
                heard: Vec::new(),
                attempts: 0,
                attempt: None,
                sockets: [None; 2],
                buffers: Default::default(),
            });
        }
        first
    }

    pub fn start(&mut self) {
        for peer in 0..self.peers.len() {
            self.input(peer, Input::Start);
        }
    }

    pub fn input(&mut self, peer: usize, input: Input) {
        self.peers[peer].session.handle(self.now, input);
        self.pump(peer);
    }

    /// Runs until `done`, or for `limit` of virtual time; says whether it came to be.
    pub fn run(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !done(self) {
            if !self.step(end) {
                self.now = end;
                return done(self);
            }
        }
        true
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run(time, |_| false);
    }

    pub fn all_up(&self) -> bool {
        self.peers.iter().all(|peer| peer.session.state() == State::Established)
    }

    #[track_caller]
    pub fn expect_up(&mut self, limit: Duration) {
        let up = self.run(limit, Self::all_up);
        let states: Vec<_> = self.peers.iter().map(|p| (p.session.state(), p.session.last_down())).collect();
        assert!(up, "not up after {limit:?}: {states:?}");
    }

    pub fn terms(&self, peer: usize) -> &Negotiated {
        self.peers[peer].session.negotiated().expect("established")
    }

    /// Breaks every connection; both ends learn of it at once.
    pub fn cut(&mut self) {
        for id in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.break_socket(id, [Duration::ZERO; 2]);
        }
    }

    /// From now on nothing arrives on the connections there are, and nobody is told.
    pub fn blackhole(&mut self) {
        self.sockets.values_mut().for_each(|socket| socket.dead = true);
    }

    /// Lets a frozen peer go on: it reads first, then looks at its timers.
    pub fn thaw(&mut self, peer: usize) {
        self.peers[peer].frozen = false;
        for connection in Connection::BOTH {
            self.read(peer, connection);
        }
    }

    pub fn freeze(&mut self, peer: usize) {
        self.peers[peer].frozen = true;
    }

    /// How many connections stand between the two ends of a pair, as both see it.
    pub fn open_sockets(&self) -> usize {
        self.sockets.values().filter(|socket| socket.ends.iter().all(|end| end.open)).count()
    }

    fn step(&mut self, end: Instant) -> bool {
        let arrival = self.queue.first_key_value().map(|((at, _), _)| *at);
        let timer = |(index, peer): (usize, &Peer)| Some((peer.session.poll_timeout()?, index));
        let timer = self.peers.iter().enumerate().filter(|(_, peer)| !peer.frozen).filter_map(timer).min();
        match (arrival, timer) {
            (Some(at), timer) if at <= end && timer.is_none_or(|(timer, _)| at <= timer) => {
                self.now = self.now.max(at);
                if let Some((_, happening)) = self.queue.pop_first() {
                    self.happen(happening);
                }
            }
            (_, Some((at, peer))) if at <= end => {
                self.now = self.now.max(at);
                self.peers[peer].session.handle_timeout(self.now);
                self.pump(peer);
                let next = self.peers[peer].session.poll_timeout();
                assert!(next.is_none_or(|next| next > self.now), "a due timer was left standing");
            }
            _ => return false,
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Syn { from, attempt } => {
                let to = self.peers[from].neighbor;
                let after = self.random.time(&self.network.latency);
                if self.random.percent(self.network.swallow) {
                } else if self.random.percent(self.network.refuse) || !self.peers[to].session.accepts() {
                    self.schedule(after, Happening::Refused { to: from, attempt });
                } else {
                    let end =
                        |peer, connection, last_arrival| End { peer, connection, unread: 0, last_arrival, open: true };
                    let ends =
                        [end(from, Connection::Outgoing, self.now + after), end(to, Connection::Incoming, self.now)];
                    let socket = self.next_serial();
                    self.sockets.insert(socket, Socket { ends, dead: false });
                    self.schedule(after, Happening::Accepted { to: from, attempt, socket });
                    self.attach(to, Connection::Incoming, socket);
                }
            }
            Happening::Refused { to, attempt } => {
                if self.peers[to].attempt == Some(attempt) {
                    self.peers[to].attempt = None;
                    self.input(to, Input::ConnectFailed);
                }
            }
            Happening::Accepted { to, attempt, socket } => {
                if self.peers[to].attempt == Some(attempt) {
                    self.peers[to].attempt = None;
                    self.attach(to, Connection::Outgoing, socket);
                } else {
                    self.hang_up(socket, 0);
                }
            }
            Happening::Data { socket, end, octets } => {
                let Some(Socket { ends, dead: false }) = self.sockets.get_mut(&socket) else { return };
                let End { peer, connection, open: true, .. } = ends[end] else { return };
                if self.random.percent(self.network.reset) {
                    let later = self.random.time(&self.network.latency);
                    return self.break_socket(socket, [Duration::ZERO, later]);
                }
                self.peers[peer].buffers[slot(connection)].extend_from_slice(&octets);
                self.read(peer, connection);
            }
            Happening::Closed { socket, end } => {
                let Some(socket) = self.sockets.get_mut(&socket) else { return };
                let End { peer, connection, ref mut open, .. } = socket.ends[end];
                if std::mem::replace(open, false) {
                    self.peers[peer].sockets[slot(connection)] = None;
                    self.peers[peer].buffers[slot(connection)].clear();
                    self.input(peer, Input::Closed(connection));
                }
            }
        }
    }

    fn attach(&mut self, peer: usize, connection: Connection, socket: u64) {
        assert_eq!(self.peers[peer].sockets[slot(connection)], None, "a second {connection} connection");
        self.peers[peer].sockets[slot(connection)] = Some(socket);
        self.peers[peer].buffers[slot(connection)].clear();
        self.input(peer, Input::Connected(connection));
    }

    fn read(&mut self, peer: usize, connection: Connection) {
        let this = &mut self.peers[peer];
        let Some(id) = this.sockets[slot(connection)] else { return };
        if this.frozen {
            return;
        }
        let buffer = &mut this.buffers[slot(connection)];
        let mut rest = &buffer[..];
        while let Some(len) = rest.get(16..18).map(|len| usize::from(u16::from_be_bytes([len[0], len[1]]))) {
            let Some((message, more)) = rest.split_at_checked(len).filter(|_| len > 18) else { break };
            this.heard.push((self.now, message[18]));
            rest = more;
        }
        let before = buffer.len();
        this.session.receive(self.now, connection, buffer);
        let taken = before - buffer.len();
        let mut writer = None;
        if let Some(socket) = self.sockets.get_mut(&id) {
            let end = usize::from(connection == Connection::Incoming);
            socket.ends[end].unread -= taken;
            writer = Some(socket.ends[1 - end].peer);
        }
        self.pump(peer);
        if let Some(writer) = writer {
            self.pump(writer);
        }
    }

    /// Does what a driver of the session has to do after each call.
    fn pump(&mut self, index: usize) {
        while let Some(event) = self.peers[index].session.poll_event() {
            let peer = &mut self.peers[index];
            match event {
                Event::Connect => {
                    assert_eq!(peer.attempt, None, "two attempts at a time");
                    assert_eq!(peer.sockets[0], None, "an attempt beside a connection");
                    peer.attempts += 1;
                    let attempt = self.serial + 1;
                    peer.attempt = Some(attempt);
                    let after = self.random.time(&self.network.latency);
                    self.schedule(after, Happening::Syn { from: index, attempt });
                }
                Event::Close(connection) => {
                    self.write(index, connection);
                    let peer = &mut self.peers[index];
                    match peer.sockets[slot(connection)].take() {
                        Some(socket) => self.hang_up(socket, slot(connection)),
                        None => {
                            assert_eq!(connection, Connection::Outgoing, "a connection closed that is not there");
                            assert!(peer.attempt.take().is_some(), "an attempt given up that is not there");
                        }
                    }
                }
                Event::Established(terms) => {
                    assert!(peer.up.is_none(), "established twice");
                    assert_eq!(peer.session.negotiated(), Some(&*terms), "the event tells the terms");
                    peer.up = Some(terms);
                    peer.ups += 1;
                }
                Event::Update { frame, .. } => {
                    assert!(peer.up.is_some(), "an UPDATE outside Established");
                    peer.updates.push(frame);
                }
                Event::FamilyDisabled(family) => panic!("sound UPDATEs disable no family: {family}"),
                Event::RouteRefresh(refresh) => {
                    assert!(peer.up.is_some(), "a ROUTE-REFRESH outside Established");
                    peer.refreshes.push(refresh);
                }
                Event::Down(reason) => {
                    assert!(peer.up.take().is_some(), "down twice: {reason}");
                    peer.downs.push(reason);
                }
                Event::Failed(connection, reason) => peer.failures.push((connection, reason)),
            }
        }
        for connection in Connection::BOTH {
            self.write(index, connection);
        }
        let peer = &self.peers[index];
        assert_eq!(peer.up.is_some(), peer.session.established().is_some(), "events and state agree");
    }

    /// Writes while the neighbour's window has room.
    fn write(&mut self, index: usize, connection: Connection) {
        let Some(id) = self.peers[index].sockets[slot(connection)] else { return };
        let far = 1 - slot(connection);
        while let Some(socket) = self.sockets.get_mut(&id)
            && socket.ends[far].unread < WINDOW
            && let Some(mut chunk) = self.peers[index].session.poll_transmit(connection)
        {
            self.peers[index].session.handle(self.now, Input::Written(connection, chunk.len()));
            socket.ends[far].unread += chunk.len();
            while !chunk.is_empty() {
                let piece = match self.network.piece {
                    usize::MAX => chunk.len(),
                    most => chunk.len().min(1 + self.random.below(most as u64) as usize),
                };
                let octets = chunk.split_to(piece);
                let at = self.arrival(id, far);
                self.schedule_at(at, Happening::Data { socket: id, end: far, octets });
            }
        }
    }

    /// One end closes in order: what it wrote arrives first.
    fn hang_up(&mut self, id: u64, end: usize) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.ends[end].open = false;
        let at = self.arrival(id, 1 - end);
        self.schedule_at(at, Happening::Closed { socket: id, end: 1 - end });
    }

    fn break_socket(&mut self, id: u64, delays: [Duration; 2]) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.dead = true;
        for (end, after) in delays.into_iter().enumerate() {
            self.schedule(after, Happening::Closed { socket: id, end });
        }
    }

    fn arrival(&mut self, id: u64, end: usize) -> Instant {
        let at = self.now + self.random.time(&self.network.latency);
        match self.sockets.get_mut(&id) {
            Some(socket) => {
                let last = &mut socket.ends[end].last_arrival;
                *last = at.max(*last);
                *last
            }
            None => at,
        }
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.schedule_at(self.now + after, happening);
    }

    fn schedule_at(&mut self, at: Instant, happening: Happening) {
        let serial = self.next_serial();
        self.queue.insert((at, serial), happening);
    }
}

fn slot(connection: Connection) -> usize {
    usize::from(connection == Connection::Incoming)
}
