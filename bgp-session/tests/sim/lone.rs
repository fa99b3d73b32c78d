//! One session whose neighbour the test plays by hand, octet by octet.

use std::time::Duration;

use bgp_session::{Config, Connection, DownReason, Event, Input, Instant, Session};
use bytes::BytesMut;

use super::message;

pub const KEEPALIVE: u8 = 4;

/// A session under test.
pub struct Lone {
    pub session: Session,
    pub now: Instant,
    pub events: Vec<Event>,
}

impl Lone {
    /// Started, not yet connected.
    pub fn new(config: Config) -> Self {
        let mut lone = Self { session: Session::new(config), now: Instant(0), events: Vec::new() };
        lone.input(Input::Start);
        lone
    }

    /// With its outgoing connection open and its OPEN out.
    pub fn open_sent(config: Config) -> Self {
        let mut lone = Self::new(config);
        lone.input(Input::Connected(Connection::Outgoing));
        lone.sent(Connection::Outgoing);
        lone
    }

    /// After the exchange of OPENs.
    pub fn open_confirm(config: Config, open: &[u8]) -> Self {
        let mut lone = Self::open_sent(config);
        lone.receive(Connection::Outgoing, open);
        assert_eq!(lone.sent(Connection::Outgoing), [message(KEEPALIVE, &[])]);
        lone
    }

    pub fn established(config: Config, open: &[u8]) -> Self {
        let mut lone = Self::open_confirm(config, open);
        lone.receive(Connection::Outgoing, &message(KEEPALIVE, &[]));
        assert_eq!(lone.session.established(), Some(Connection::Outgoing));
        lone
    }

    pub fn input(&mut self, input: Input) {
        self.session.handle(self.now, input);
        self.collect();
    }

    /// Gives octets to the session; says how many of them it left in the buffer.
    pub fn receive(&mut self, connection: Connection, octets: &[u8]) -> usize {
        let mut buffer = BytesMut::from(octets);
        self.session.receive(self.now, connection, &mut buffer);
        self.collect();
        buffer.len()
    }

    /// Lets time pass, firing each timer at its time.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.session.handle_timeout(at);
            self.collect();
        }
        self.now = end;
    }

    /// The messages sent since last asked, all of them written.
    pub fn sent(&mut self, connection: Connection) -> Vec<Vec<u8>> {
        let mut octets = Vec::new();
        while let Some(chunk) = self.session.poll_transmit(connection) {
            octets.extend_from_slice(&chunk);
            self.session.handle(self.now, Input::Written(connection, chunk.len()));
        }
        messages(&octets)
    }

    /// Code, subcode and data of the NOTIFICATION that is the last thing sent before the connection was closed.
    #[track_caller]
    pub fn last_words(&mut self, connection: Connection) -> (u8, u8, Vec<u8>) {
        assert!(self.closed(connection), "the connection is closed");
        let sent = self.sent(connection);
        let last = sent.last().expect("a NOTIFICATION");
        assert_eq!(last[18], 3, "a NOTIFICATION: {last:?}");
        (last[19], last[20], last[21..].to_vec())
    }

    pub fn closed(&self, connection: Connection) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Close(c) if *c == connection))
    }

    /// How often it asked to connect.
    pub fn attempts(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Connect)).count()
    }

    pub fn reason(&self) -> &DownReason {
        self.session.last_down().expect("a connection ended")
    }

    fn collect(&mut self) {
        self.events.extend(std::iter::from_fn(|| self.session.poll_event()));
    }
}

/// Splits whole messages.
pub fn messages(mut octets: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while !octets.is_empty() {
        let (message, rest) = octets.split_at(usize::from(u16::from_be_bytes([octets[16], octets[17]])));
        messages.push(message.to_vec());
        octets = rest;
    }
    messages
}

/// The neighbour's OPEN as octets, apart from the crate's own encoder.
pub struct Open {
    pub version: u8,
    pub asn: u16,
    pub hold_time: u16,
    pub identifier: [u8; 4],
    pub capabilities: Vec<(u8, Vec<u8>)>,
}

/// From AS 65002 with identifier 10.0.0.2, hold time 9 s, and four-octet AS numbers as the only capability.
pub fn open() -> Open {
    Open {
        version: 4,
        asn: 65002,
        hold_time: 9,
        identifier: [10, 0, 0, 2],
        capabilities: vec![(65, 65002_u32.to_be_bytes().to_vec())],
    }
}

impl Open {
    pub fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.capabilities.push((code, value.to_vec()));
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut body = vec![self.version];
        body.extend_from_slice(&self.asn.to_be_bytes());
        body.extend_from_slice(&self.hold_time.to_be_bytes());
        body.extend_from_slice(&self.identifier);
        let mut parameters = Vec::new();
        for (code, value) in &self.capabilities {
            let len = value.len() as u8;
            parameters.extend_from_slice(&[2, len + 2, *code, len]);
            parameters.extend_from_slice(value);
        }
        body.push(parameters.len() as u8);
        body.extend_from_slice(&parameters);
        message(1, &body)
    }
}

/// The capabilities of an OPEN that was sent, by code.
pub fn capabilities(open: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut capabilities = Vec::new();
    let mut parameters = &open[29..];
    while let [2, len, rest @ ..] = parameters {
        let (mut parameter, rest) = rest.split_at(usize::from(*len));
        while let [code, len, more @ ..] = parameter {
            let (value, more) = more.split_at(usize::from(*len));
            capabilities.push((*code, value.to_vec()));
            parameter = more;
        }
        parameters = rest;
    }
    capabilities
}
