//! A socket to the kernel's `rtnetlink`: requests in bulk, and dumps.
//!
//! It knows messages only as what they share: header, sequence number, answer.

use std::io::{self, ErrorKind};

use netlink_packet_core::{
    ErrorBuffer, NLM_F_ACK, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NLMSG_OVERRUN, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::SinkError;

/// The length of a netlink message's header, in octets.
const NETLINK_HEADER_LEN: usize = 16;
/// The most requests in one datagram. Should the kernel refuse them all, its answers (about
/// 1 KiB of buffer each) still fit into the default receive buffer of 208 KiB.
const MAX_REQUESTS: usize = 128;
/// The most octets of requests in one datagram, well below the default send buffer.
const MAX_OCTETS: usize = 64 * 1024;
/// How often a dump is started again because the tables changed meanwhile.
const MAX_DUMPS: u32 = 8;
/// `MSG_DONTWAIT` of recv(2).
const DO_NOT_WAIT: i32 = 0x40;
/// `MSG_TRUNC` of recv(2): tell the datagram's length even if it did not fit.
const TELL_LENGTH: i32 = 0x20;
/// `NLMSGERR_ATTR_MSG`: the kernel's sentence about an error.
const ERROR_TEXT: u16 = 1;

pub(super) const ENOBUFS: i32 = 105;

/// A request: what, and the flags beyond `NLM_F_REQUEST`.
pub(super) struct Request {
    pub(super) message: RouteNetlinkMessage,
    pub(super) flags: u16,
}

pub(super) struct Connection {
    socket: Socket,
    sequence: u32,
    output: Vec<u8>,
    input: Vec<u8>,
}

impl Connection {
    pub(super) fn open() -> Result<Self, SinkError> {
        let socket = open_socket()?;
        socket
            .connect(&SocketAddr::new(0, 0))
            .and_then(|()| socket.set_cap_ack(true))
            .and_then(|()| socket.set_ext_ack(true))
            .map_err(|e| io_error("setting up a netlink socket", &e))?;
        let mut connection =
            Self { socket, sequence: 0, output: Vec::with_capacity(MAX_OCTETS), input: Vec::with_capacity(MAX_OCTETS) };
        connection.announce_input()?;
        Ok(connection)
    }

    /// Lets the kernel see how much is read at once. Before the first read it assumes less than a route with a
    /// hundred next hops takes, and then ends a dump at such a route without a word.
    fn announce_input(&mut self) -> Result<(), SinkError> {
        let mut nothing = NetlinkMessage::<RouteNetlinkMessage>::new(NetlinkHeader::default(), NetlinkPayload::Noop);
        nothing.finalize();
        nothing.header.flags = NLM_F_REQUEST;
        self.exchange(vec![nothing]).pop().unwrap_or(Ok(()))
    }

    /// Sends requests and collects their answers, in the same order.
    ///
    /// Only the last of each datagram asks for an acknowledgement: the kernel works through a
    /// datagram within the send call and reports every error anyway, so silence before the last
    /// answer means success.
    pub(super) fn request(&mut self, requests: impl IntoIterator<Item = Request>) -> Vec<Result<(), SinkError>> {
        let mut results = Vec::new();
        let mut waiting: Vec<NetlinkMessage<RouteNetlinkMessage>> = Vec::new();
        let mut octets = 0;
        for request in requests {
            let mut message = NetlinkMessage::from(request.message);
            message.finalize();
            message.header.flags = NLM_F_REQUEST | request.flags;
            let length = message.buffer_len();
            if waiting.len() == MAX_REQUESTS || octets + length > MAX_OCTETS {
                results.extend(self.exchange(std::mem::take(&mut waiting)));
                octets = 0;
            }
            octets += length.next_multiple_of(4);
            waiting.push(message);
        }
        results.extend(self.exchange(waiting));
        results
    }

    /// Sends one datagram of requests and collects their answers.
    fn exchange(&mut self, mut requests: Vec<NetlinkMessage<RouteNetlinkMessage>>) -> Vec<Result<(), SinkError>> {
        let Some(last) = requests.last_mut() else {
            return Vec::new();
        };
        last.header.flags |= NLM_F_ACK;
        let first = self.sequence.wrapping_add(1);
        self.output.clear();
        for request in &mut requests {
            self.sequence = self.sequence.wrapping_add(1);
            request.header.sequence_number = self.sequence;
            let start = self.output.len();
            let length = request.buffer_len();
            self.output.resize(start + length.next_multiple_of(4), 0);
            request.serialize(&mut self.output[start..start + length]);
        }
        if let Err(error) = retry(|| self.socket.send(&self.output, 0)) {
            return vec![Err(io_error("sending to the kernel", &error)); requests.len()];
        }
        let mut results = vec![Ok(()); requests.len()];
        if !self.collect(first, &mut results) {
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = Err(SinkError::Unconfirmed);
            }
        }
        results
    }

    /// Reads the answers to requests numbered from `first`; all are there when send returns. Says
    /// whether none was lost.
    fn collect(&mut self, first: u32, results: &mut [Result<(), SinkError>]) -> bool {
        let mut complete = true;
        let mut acknowledged = false;
        loop {
            match self.receive(DO_NOT_WAIT) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return complete && acknowledged;
                }
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => {
                    complete = false;
                    continue;
                }
                Err(_) => return false,
            }
            for message in Messages(&self.input) {
                let Ok(message) = message else {
                    complete = false;
                    break;
                };
                if message.message_type() != NLMSG_ERROR {
                    continue;
                }
                let index = message.sequence_number().wrapping_sub(first) as usize;
                let last = index + 1 == results.len();
                if let Some(result) = results.get_mut(index) {
                    acknowledged |= last;
                    if let Some(error) = refusal(&message) {
                        *result = Err(error);
                    }
                }
            }
        }
    }

    /// Asks for a dump and gives each message to `each`. Starts over if the kernel's tables
    /// changed in between; `each` is told so by `None`, and forgets what it got.
    pub(super) fn dump(
        &mut self,
        request: &RouteNetlinkMessage,
        mut each: impl FnMut(Option<NetlinkBuffer<&[u8]>>) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        for _ in 0..MAX_DUMPS {
            each(None)?;
            match self.dump_once(request, &mut each) {
                Err(SinkError::Interrupted(_)) => {}
                Ok(()) => return Ok(()),
                Err(error) => {
                    // The rest of the dump may still be on its way; a new socket has none.
                    *self = Self::open()?;
                    return Err(error);
                }
            }
        }
        Err(SinkError::Interrupted(MAX_DUMPS))
    }

    fn dump_once(
        &mut self,
        request: &RouteNetlinkMessage,
        each: &mut impl FnMut(Option<NetlinkBuffer<&[u8]>>) -> Result<(), SinkError>,
    ) -> Result<(), SinkError> {
        let mut message = NetlinkMessage::from(request.clone());
        message.finalize();
        self.sequence = self.sequence.wrapping_add(1);
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        message.header.sequence_number = self.sequence;
        self.output.clear();
        self.output.resize(message.buffer_len(), 0);
        message.serialize(&mut self.output);
        retry(|| self.socket.send(&self.output, 0)).map_err(|e| io_error("asking the kernel for its tables", &e))?;
        let mut interrupted = false;
        loop {
            self.receive(0).map_err(|e| io_error("reading the kernel's tables", &e))?;
            for message in Messages(&self.input) {
                let message = message?;
                if message.sequence_number() != self.sequence {
                    continue;
                }
                interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                match message.message_type() {
                    NLMSG_DONE => {
                        return match refusal(&message) {
                            Some(error) => Err(error),
                            None if interrupted => Err(SinkError::Interrupted(1)),
                            None => Ok(()),
                        };
                    }
                    NLMSG_ERROR => {
                        return Err(refusal(&message).unwrap_or_else(|| {
                            SinkError::Protocol("a dump was answered by an acknowledgement".into())
                        }));
                    }
                    NLMSG_OVERRUN => {
                        return Err(SinkError::Protocol("a dump was cut short".into()));
                    }
                    _ => each(Some(message))?,
                }
            }
        }
    }

    fn receive(&mut self, flags: i32) -> io::Result<()> {
        receive(&self.socket, &mut self.input, flags)
    }
}

/// A bound socket that nothing is asked of yet.
pub(super) fn open_socket() -> Result<Socket, SinkError> {
    let mut socket = Socket::new(NETLINK_ROUTE).map_err(|e| io_error("opening a netlink socket", &e))?;
    socket.bind_auto().map_err(|e| io_error("binding a netlink socket", &e))?;
    Ok(socket)
}

/// Reads what is there into `input`, without waiting.
pub(super) fn receive_now(socket: &Socket, input: &mut Vec<u8>) -> io::Result<()> {
    receive(socket, input, DO_NOT_WAIT)
}

fn receive(socket: &Socket, input: &mut Vec<u8>, flags: i32) -> io::Result<()> {
    input.clear();
    let length = retry(|| socket.recv(input, flags | TELL_LENGTH))?;
    if length > input.len() {
        // Next time it fits.
        let had = input.len();
        *input = Vec::with_capacity(length.next_power_of_two());
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("a datagram of {length} octets did not fit into {had}"),
        ));
    }
    Ok(())
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The messages of a datagram.
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<NetlinkBuffer<&'a [u8]>, SinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.len() < NETLINK_HEADER_LEN {
            return None;
        }
        let whole = std::mem::take(&mut self.0);
        match NetlinkBuffer::new_checked(whole) {
            Ok(buffer) => {
                let length = buffer.length() as usize;
                self.0 = whole.get(length.next_multiple_of(4)..).unwrap_or_default();
                Some(Ok(NetlinkBuffer::new(&whole[..length])))
            }
            Err(error) => Some(Err(SinkError::Protocol(error.to_string()))),
        }
    }
}

/// What an `NLMSG_ERROR` or `NLMSG_DONE` refuses, or `None` if it is an acknowledgement.
fn refusal(message: &NetlinkBuffer<&[u8]>) -> Option<SinkError> {
    let payload = message.payload();
    let Ok(error) = ErrorBuffer::new_checked(payload) else {
        return Some(SinkError::Protocol("an error without a number".into()));
    };
    let errno = error.code()?.get().saturating_abs();
    // With its payload capped, the refused request is its header alone; attributes follow.
    let attributes = (message.flags() & NLM_F_CAPPED != 0)
        .then(|| error.payload().get(NETLINK_HEADER_LEN..))
        .flatten()
        .unwrap_or_default();
    let text = NlasIterator::new(attributes)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == ERROR_TEXT)
        .map(|attribute| String::from_utf8_lossy(attribute.value()).trim_end_matches('\0').to_owned())
        .unwrap_or_else(|| error_text(&io::Error::from_raw_os_error(errno)));
    Some(SinkError::Refused { errno, text })
}

/// Wraps a failure of the connection itself.
pub(super) fn io_error(call: &'static str, error: &io::Error) -> SinkError {
    SinkError::Io { call, errno: error.raw_os_error().unwrap_or(0), text: error_text(error) }
}

/// An error's text without the number that the standard library appends.
fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}
