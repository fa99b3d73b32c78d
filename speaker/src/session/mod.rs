//! One task per neighbour: the sockets and timers around a sans-IO [`bgp_session::Session`].
//!
//! Owns the session and its connections. It is given accepted connections, commands, and the shards' encoded messages; it
//! gives every shard what was received, in order, over a bounded channel each. While one of them is busy it stops reading, so that
//! back-pressure reaches the peer's TCP window, and goes on sending keepalives. It decides nothing about routes.

mod batch;
mod outbox;
#[cfg(test)]
mod tests;
mod transport;

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bgp_session::{Connection, DownReason, Event, Input, Negotiated, Session, State};
use bgp_wire::notification::cease;
use bgp_wire::{Action, AfiSafi, FamilySet, Notification, RefreshSubtype, RouteRefresh, Update, UpdateIndex};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::config::NeighborKey;
use crate::limit::Limit;
use crate::status::MessageCounts;
pub(crate) use batch::{Batch, Milestone, Milestones};
pub(crate) use outbox::Outbox;
use outbox::{Inbox, Popped};
pub(crate) use transport::Endpoint;
use transport::Transport;

/// Most octets of our own messages that wait on a connection before more are taken from the shards' queue.
const UNSENT: usize = 256 << 10;

/// How long a session rests that was ended for what would only happen again.
const PAUSE: Duration = Duration::from_secs(60);

/// How long the neighbour sends no UPDATE before its initial routes count as complete without End-of-RIB.
const QUIET: Duration = Duration::from_secs(5);

/// How long a neighbour may take from the mark that a refresh begins to the one that it ends (RFC 7313 section 4).
const REFRESH: Duration = Duration::from_secs(360);

/// A neighbour as the shards know it. Never used twice in one speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NeighborId(pub(crate) u32);

/// What a session gives every shard.
#[derive(Debug, Clone)]
pub(crate) enum FromSession {
    /// The session is up.
    Established { negotiated: Arc<Negotiated>, ends: Ends, outbox: Outbox, milestones: Arc<Milestones> },
    /// UPDATEs in the order received, parsed once.
    Updates(Arc<Batch>),
    /// A ROUTE-REFRESH. Every beginning of a refresh is followed by its end, whether the neighbour sends that or not.
    Refresh(RouteRefresh),
    /// Of this family nothing is taken any more, and what was taken goes.
    Disabled(AfiSafi),
    /// The neighbour has sent no UPDATE for a while: whoever never sends End-of-RIB has said everything.
    Quiet,
    /// The shards' queue was full and has room again.
    Room,
    /// The session that was up is down.
    Down(Arc<str>, Arc<Milestones>),
}

/// The addresses of a session that is up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    /// The number of the interface, where the addresses mean nothing without it.
    pub(crate) interface: Option<u32>,
}

/// Where a neighbour that is known by its interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Here.
    At(SocketAddr),
    /// It is not known where, and why.
    Nowhere(Arc<str>),
}

/// What a session is told by the rest of the speaker.
#[derive(Debug)]
pub(crate) enum Command {
    /// A connection that its neighbour opened.
    Accepted(TcpStream),
    /// Where its neighbour is now; a session that is up stays.
    Found(Found),
    /// Ask for all routes of a family again, or start over if the neighbour cannot be asked.
    Refresh(AfiSafi),
    /// End the session with this and bring it up again.
    Reset(Notification),
    /// End the session with this, and bring it up again only after a while.
    Pause(Notification),
    /// End it for good.
    Stop(Notification),
}

/// What is shown of a session.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) local_address: Option<IpAddr>,
    pub(crate) remote_address: Option<IpAddr>,
    /// Why it is not known where the neighbour is.
    pub(crate) nowhere: Option<Arc<str>>,
    pub(crate) established_since: Option<SystemTime>,
    pub(crate) established_count: u64,
    pub(crate) last_down: Option<Arc<str>>,
    pub(crate) negotiated: Option<Negotiated>,
    /// Families of the session that are disabled for their routes could not be told apart (RFC 7606).
    pub(crate) disabled: FamilySet,
    pub(crate) messages: MessageCounts,
}

/// A running session, as its owner holds it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) observer: Observer,
    task: JoinHandle<()>,
}

/// A session to look at and to command.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    pub(crate) commands: mpsc::Sender<Command>,
    view: Arc<Mutex<View>>,
}

impl Observer {
    pub(crate) fn view(&self) -> View {
        lock(&self.view).clone()
    }
}

impl Handle {
    /// Ends the session with this notification; returns once its connections are closed.
    pub(crate) async fn stop(self, notification: Notification) {
        // A send that fails means the task has ended already.
        let _ = self.observer.commands.send(Command::Stop(notification)).await;
        let _ = self.task.await;
    }
}

/// What a session task needs to run.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) id: NeighborId,
    pub(crate) key: NeighborKey,
    pub(crate) config: bgp_session::Config,
    pub(crate) endpoint: Endpoint,
    pub(crate) clock: Clock,
    pub(crate) shards: Shards,
}

/// Where a session gives what it received, to each shard.
pub(crate) type Shards = Arc<[mpsc::Sender<(NeighborId, FromSession)>]>;

/// Starts a session. The command channel is made by the caller, since the shards and the listeners hold its end too.
pub(crate) fn start(setup: Setup, sender: mpsc::Sender<Command>, commands: mpsc::Receiver<Command>) -> Handle {
    let view = Arc::new(Mutex::new(View {
        state: State::Idle,
        local_address: None,
        remote_address: setup.endpoint.remote.map(|remote| remote.ip()),
        nowhere: None,
        established_since: None,
        established_count: 0,
        last_down: None,
        negotiated: None,
        disabled: FamilySet::EMPTY,
        messages: MessageCounts::default(),
    }));
    let task = Task {
        id: setup.id,
        key: setup.key,
        endpoint: setup.endpoint,
        clock: setup.clock,
        to_shards: vec![VecDeque::new(); setup.shards.len()],
        shards: setup.shards,
        session: Session::new(setup.config),
        commands,
        transports: [None, None],
        connecting: None,
        updates: Vec::new(),
        milestones: Arc::default(),
        inbox: None,
        closing: JoinSet::new(),
        stopping: false,
        restart: None,
        quiet: None,
        refreshes: Vec::new(),
        answering: FamilySet::EMPTY,
        asked: FamilySet::EMPTY,
        faults: Limit::default(),
        messages: MessageCounts::default(),
        view: Arc::clone(&view),
    };
    Handle { observer: Observer { commands: sender, view }, task: tokio::spawn(task.run()) }
}

struct Task {
    id: NeighborId,
    key: NeighborKey,
    endpoint: Endpoint,
    clock: Clock,
    shards: Shards,
    session: Session,
    commands: mpsc::Receiver<Command>,
    transports: [Option<Transport>; 2],
    connecting: Option<Connecting>,
    /// What each shard has not taken yet; while there is any, nothing is read.
    to_shards: Vec<VecDeque<FromSession>>,
    updates: Vec<(Bytes, UpdateIndex)>,
    /// Of the session that is up, or was last.
    milestones: Arc<Milestones>,
    inbox: Option<Inbox>,
    /// Connections given up that still deliver their last message.
    closing: JoinSet<()>,
    stopping: bool,
    /// When a paused session starts again.
    restart: Option<tokio::time::Instant>,
    /// When the neighbour counts as quiet, unless something comes.
    quiet: Option<tokio::time::Instant>,
    /// Refreshes that have begun, and when they end in any case; the next to end first.
    refreshes: Vec<(AfiSafi, tokio::time::Instant)>,
    /// Families whose refresh with marks, which the neighbour asked for, has not ended.
    answering: FamilySet,
    /// Families of these that it has asked for again.
    asked: FamilySet,
    faults: Limit,
    messages: MessageCounts,
    view: Arc<Mutex<View>>,
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// What a task woke up for.
enum Wake {
    Command(Option<Command>),
    Connected(io::Result<TcpStream>),
    Readable(Connection),
    Writable(Connection),
    Timer,
    Restart,
    Quiet,
    Overdue,
    Room,
    ShardGone(usize),
    Messages(Popped),
    Closed,
}

impl Task {
    async fn run(mut self) {
        self.handle(Input::Start);
        loop {
            self.drive();
            if self.stopping && self.closing.is_empty() && self.shards_have_all() {
                break;
            }
            match self.wait().await {
                Wake::Command(Some(command)) => self.command(command),
                Wake::Command(None) => self.stop(Notification::cease(cease::ADMINISTRATIVE_SHUTDOWN)),
                Wake::Connected(result) => self.connected(result),
                Wake::Readable(connection) => self.read(connection),
                Wake::Writable(connection) => self.write(connection),
                Wake::Timer => self.timer(),
                Wake::Restart => {
                    self.restart = None;
                    self.handle(Input::Start);
                }
                Wake::Quiet => self.quiet(),
                Wake::Overdue => self.overdue(),
                Wake::Room | Wake::Closed => {}
                Wake::ShardGone(shard) => self.to_shards[shard].clear(),
                Wake::Messages(popped) => {
                    if popped.room {
                        self.tell(FromSession::Room);
                    }
                    if let Some(family) = popped.refreshed {
                        self.refreshed(family);
                    }
                    self.handle(Input::Send(popped.messages));
                }
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        let reading = self.shards_have_all();
        let waiting = self.to_shards.iter().position(|waiting| !waiting.is_empty());
        let sending = self.session.backlog() < UNSENT;
        let deadline = self.session.poll_timeout();
        let clock = &self.clock;
        let [outgoing, incoming] = &self.transports;
        tokio::select! {
            command = self.commands.recv(), if !self.stopping => Wake::Command(command),
            result = optional(self.connecting.as_mut()) => {
                self.connecting = None;
                Wake::Connected(result)
            }
            () = readable(outgoing, reading) => Wake::Readable(Connection::Outgoing),
            () = readable(incoming, reading) => Wake::Readable(Connection::Incoming),
            () = writable(outgoing) => Wake::Writable(Connection::Outgoing),
            () = writable(incoming) => Wake::Writable(Connection::Incoming),
            () = clock.sleep_until(deadline) => Wake::Timer,
            () = at(self.restart), if !self.stopping => Wake::Restart,
            () = at(self.quiet) => Wake::Quiet,
            () = at(self.refreshes.first().map(|(_, deadline)| *deadline)) => Wake::Overdue,
            // When this shard has taken what waits, the next is waited for: what is read next waits for the slowest anyway.
            (shard, permit) = reserve(&self.shards, waiting) => match permit {
                Ok(permit) => {
                    if let Some(message) = self.to_shards[shard].pop_front() {
                        permit.send((self.id, message));
                    }
                    Wake::Room
                }
                Err(_) => Wake::ShardGone(shard),
            },
            popped = pop(&mut self.inbox, sending) => Wake::Messages(popped),
            Some(_) = self.closing.join_next() => Wake::Closed,
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Accepted(stream) => self.accepted(stream),
            Command::Found(found) => self.found(found),
            Command::Refresh(family) => {
                let can = self.session.negotiated().is_some_and(|negotiated| negotiated.route_refresh);
                if can {
                    self.handle(Input::RequestRefresh(family));
                } else if self.session.state() == State::Established {
                    let reset = Notification::cease(cease::OTHER_CONFIGURATION_CHANGE);
                    self.handle(Input::Reset(reset));
                }
            }
            Command::Reset(notification) => self.handle(Input::Reset(notification)),
            Command::Pause(notification) => {
                self.handle(Input::Stop(notification));
                self.restart = Some(tokio::time::Instant::now() + PAUSE);
            }
            Command::Stop(notification) => self.stop(notification),
        }
    }

    fn found(&mut self, found: Found) {
        let (remote, nowhere) = match found {
            Found::At(address) => (Some(address), None),
            Found::Nowhere(why) => (None, Some(why)),
        };
        let moved = remote.is_some() && remote != self.endpoint.remote;
        self.endpoint.remote = remote;
        {
            let mut view = self.view();
            view.nowhere = nowhere;
            if view.established_since.is_none() {
                view.remote_address = remote.map(|remote| remote.ip());
            }
        }
        // What is under way goes on; what only waits begins anew at once.
        if moved && self.session.state() <= State::Active && self.restart.is_none() {
            self.handle(Input::Reset(Notification::cease(cease::OTHER_CONFIGURATION_CHANGE)));
        }
    }

    fn stop(&mut self, notification: Notification) {
        self.stopping = true;
        self.handle(Input::Stop(notification));
    }

    fn accepted(&mut self, stream: TcpStream) {
        let slot = slot(Connection::Incoming);
        if self.transports[slot].is_some() || !self.session.accepts() {
            debug!(neighbor = %self.key, "connection not accepted now");
            return;
        }
        if let Err(error) = self.endpoint.accepted(&stream) {
            debug!(neighbor = %self.key, %error, "accepted connection lost");
            return;
        }
        self.transports[slot] = Some(Transport::new(stream));
        self.handle(Input::Connected(Connection::Incoming));
    }

    fn connected(&mut self, result: io::Result<TcpStream>) {
        match result {
            Ok(stream) => {
                self.transports[slot(Connection::Outgoing)] = Some(Transport::new(stream));
                self.handle(Input::Connected(Connection::Outgoing));
            }
            Err(error) => {
                debug!(neighbor = %self.key, %error, "cannot connect");
                self.handle(Input::ConnectFailed);
            }
        }
    }

    fn read(&mut self, connection: Connection) {
        let Some(transport) = &mut self.transports[slot(connection)] else {
            return;
        };
        match transport.read() {
            Ok(None) => {}
            Ok(Some(0)) => self.lost(connection),
            Ok(Some(octets)) => {
                self.messages.octets_received += octets as u64;
                let now = self.clock.now();
                self.session.receive(now, connection, &mut transport.received);
            }
            Err(error) => {
                debug!(neighbor = %self.key, %error, "connection failed");
                self.lost(connection);
            }
        }
    }

    fn write(&mut self, connection: Connection) {
        let Some(transport) = &mut self.transports[slot(connection)] else {
            return;
        };
        match transport.write() {
            Ok(0) => {}
            Ok(octets) => {
                self.messages.octets_sent += octets as u64;
                self.handle(Input::Written(connection, octets));
            }
            Err(error) => {
                debug!(neighbor = %self.key, %error, "connection failed");
                self.lost(connection);
            }
        }
    }

    fn timer(&mut self) {
        let now = self.clock.now();
        // Octets that we have not read, because the shard is busy, prove that the neighbour is there as well as read ones would.
        if !self.shards_have_all() {
            for connection in Connection::BOTH {
                let unread = self.transports[slot(connection)].as_ref().is_some_and(Transport::has_unread);
                if unread {
                    self.session.handle(now, Input::Unread(connection));
                }
            }
        }
        self.session.handle_timeout(now);
    }

    /// Nothing came for a while. If more lies unread, because the shard is busy, the neighbour was not quiet.
    fn quiet(&mut self) {
        let unread = !self.shards_have_all() || self.transports.iter().flatten().any(Transport::has_unread);
        self.quiet = unread.then(|| tokio::time::Instant::now() + QUIET);
        if !unread {
            self.tell(FromSession::Quiet);
        }
    }

    /// A refresh began too long ago: it ends here.
    fn overdue(&mut self) {
        let (family, _) = self.refreshes.remove(0);
        warn!(neighbor = %self.key, %family, "route refresh without an end; what did not come again is withdrawn");
        let subtype = RefreshSubtype::EndOfRr;
        self.tell(FromSession::Refresh(RouteRefresh { family, subtype }));
    }

    fn lost(&mut self, connection: Connection) {
        self.transports[slot(connection)] = None;
        self.handle(Input::Closed(connection));
    }

    fn handle(&mut self, input: Input) {
        self.session.handle(self.clock.now(), input);
    }

    /// Does what the session wants, until it wants nothing more.
    fn drive(&mut self) {
        if self.session.poll_timeout().is_some_and(|deadline| deadline <= self.clock.now()) {
            self.timer();
        }
        let updates = self.messages.updates_received;
        loop {
            while let Some(event) = self.session.poll_event() {
                self.event(event);
            }
            self.hand_over();
            let mut written = false;
            for connection in Connection::BOTH {
                written |= self.transmit(connection);
            }
            if !written {
                break;
            }
        }
        if self.messages.updates_received != updates
            && let Some(quiet) = &mut self.quiet
        {
            *quiet = tokio::time::Instant::now() + QUIET;
        }
        self.publish();
    }

    /// Writes what the session wants written as far as the socket takes it, a chunk at a time, so that a keepalive overtakes what
    /// the session still holds. Says whether the session was told anything.
    fn transmit(&mut self, connection: Connection) -> bool {
        let mut any = false;
        while let Some(transport) = &mut self.transports[slot(connection)] {
            if transport.has_unsent() {
                break;
            }
            let Some(messages) = self.session.poll_transmit(connection) else {
                break;
            };
            transport.queue(messages);
            any = true;
            self.write(connection);
        }
        any
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connect if self.endpoint.remote.is_none() => self.handle(Input::ConnectFailed),
            Event::Connect => {
                self.connecting = Some(Box::pin(self.endpoint.clone().connect()));
            }
            Event::Close(connection) => self.close(connection),
            Event::Established(negotiated) => self.established(negotiated),
            Event::Update { frame, index } => {
                self.messages.updates_received += 1;
                let update = Update::from_index(&frame, &index);
                if let Some(action) = update.action() {
                    self.messages.faulty_updates += 1;
                    // That a family is disabled is told once, when it is.
                    if action < Action::DisableFamily {
                        self.fault(&update);
                    }
                }
                self.updates.push((frame, index));
            }
            Event::FamilyDisabled(family) => {
                warn!(
                    neighbor = %self.key, %family,
                    "malformed UPDATE (RFC 7606): its routes cannot be told apart; the family is disabled until the session starts over"
                );
                self.hand_over();
                self.view().disabled.insert(family);
                self.tell(FromSession::Disabled(family));
            }
            Event::RouteRefresh(refresh) => {
                self.hand_over();
                self.refreshes
                    .retain(|(family, _)| refresh.subtype == RefreshSubtype::Request || *family != refresh.family);
                if refresh.subtype == RefreshSubtype::BeginOfRr {
                    self.refreshes.push((refresh.family, tokio::time::Instant::now() + REFRESH));
                }
                match refresh.subtype {
                    RefreshSubtype::Request => self.asked_again(refresh.family),
                    _ => self.tell(FromSession::Refresh(refresh)),
                }
            }
            Event::Down(reason) => self.down(&reason),
            Event::Failed(connection, reason) => {
                self.failed(connection, &reason);
            }
        }
    }

    /// One line for what RFC 7606 has us do about an UPDATE: the worst fault, and from whom.
    fn fault(&mut self, update: &Update<'_>) {
        if let Some(suppressed) = self.faults.admit(std::time::Instant::now())
            && let Some(worst) = update.faults().max_by_key(|fault| fault.action)
        {
            let faults = update.faults().count();
            warn!(neighbor = %self.key, fault = %worst, faults, suppressed, "malformed UPDATE (RFC 7606)");
        }
    }

    fn established(&mut self, negotiated: Box<Negotiated>) {
        let ends = self.ends();
        info!(
            neighbor = %self.key, asn = negotiated.remote_as, id = %negotiated.remote_id,
            hold = negotiated.hold_time.as_secs(), "established"
        );
        {
            let mut view = self.view();
            view.established_since = Some(SystemTime::now());
            view.established_count += 1;
            (view.local_address, view.remote_address) = (Some(ends.local), Some(ends.remote));
            view.negotiated = Some((*negotiated).clone());
        }
        // Where both offered graceful restart the end is marked (RFC 4724 section 3).
        self.quiet = negotiated.graceful_restart.is_none().then(|| tokio::time::Instant::now() + QUIET);
        (self.answering, self.asked) = (FamilySet::EMPTY, FamilySet::EMPTY);
        let (outbox, inbox) = outbox::pair(self.shards.len());
        self.inbox = Some(inbox);
        self.milestones = Arc::new(Milestones::of(self.shards.len()));
        let (negotiated, milestones) = (Arc::from(negotiated), Arc::clone(&self.milestones));
        self.tell(FromSession::Established { negotiated, ends, outbox, milestones });
    }

    /// The addresses of the connection that carries the session. One that was lost this moment has none any more.
    fn ends(&self) -> Ends {
        let transport = self.session.established().and_then(|connection| self.transports[slot(connection)].as_ref());
        let nobody: IpAddr = [0; 4].into();
        let remote = transport.and_then(Transport::peer_addr);
        Ends {
            local: transport.and_then(Transport::local_addr).map_or(nobody, |address| address.ip()),
            remote: remote.map_or(nobody, |address| address.ip()),
            interface: match remote {
                Some(SocketAddr::V6(remote)) if remote.scope_id() != 0 => Some(remote.scope_id()),
                _ => None,
            },
        }
    }

    fn down(&mut self, reason: &DownReason) {
        let text: Arc<str> = reason.to_string().into();
        info!(neighbor = %self.key, reason = %text, "down");
        self.inbox = None;
        self.quiet = None;
        self.refreshes.clear();
        // What was received before the end is void with it; whichever shard has not seen it need not.
        self.updates.clear();
        let stands = |message: &FromSession| matches!(message, FromSession::Established { .. } | FromSession::Down(..));
        self.to_shards.iter_mut().for_each(|waiting| waiting.retain(stands));
        self.tell(FromSession::Down(Arc::clone(&text), Arc::clone(&self.milestones)));
        let mut view = self.view();
        view.established_since = None;
        view.negotiated = None;
        view.disabled = FamilySet::EMPTY;
        view.last_down = Some(text);
    }

    /// A connection ended before there was a session. One line while the reason stays the same.
    fn failed(&mut self, connection: Connection, reason: &DownReason) {
        if *reason == DownReason::Collision {
            return debug!(neighbor = %self.key, %connection, %reason, "not established");
        }
        let text: Arc<str> = reason.to_string().into();
        let was = self.view().last_down.replace(Arc::clone(&text));
        if was.as_ref() == Some(&text) {
            debug!(neighbor = %self.key, %connection, reason = %text, "not established");
        } else {
            info!(neighbor = %self.key, %connection, reason = %text, "not established");
        }
    }

    fn close(&mut self, connection: Connection) {
        if connection == Connection::Outgoing {
            self.connecting = None;
        }
        if let Some(mut transport) = self.transports[slot(connection)].take() {
            while let Some(messages) = self.session.poll_transmit(connection) {
                transport.queue(messages);
            }
            self.closing.spawn(transport.close());
        }
    }

    /// Gathers received UPDATEs into a batch for the shards, and hands over at once what each has room for.
    fn hand_over(&mut self) {
        if !self.updates.is_empty() {
            let batch = Batch::new(std::mem::take(&mut self.updates), self.shards.len());
            self.tell(FromSession::Updates(Arc::new(batch)));
        }
        for (shard, waiting) in self.shards.iter().zip(&mut self.to_shards) {
            while !waiting.is_empty() {
                let Ok(permit) = shard.try_reserve() else {
                    break;
                };
                if let Some(message) = waiting.pop_front() {
                    permit.send((self.id, message));
                }
            }
        }
    }

    /// Every shard is to have this, after what it waits for.
    fn tell(&mut self, message: FromSession) {
        self.to_shards.iter_mut().for_each(|waiting| waiting.push_back(message.clone()));
    }

    fn shards_have_all(&self) -> bool {
        self.to_shards.iter().all(VecDeque::is_empty)
    }

    /// The neighbour asks for all routes of a family. Where they go between marks the next answer waits for the end of the last, since
    /// what the shards mark would not be told apart; the neighbour cannot tell how often it has asked meanwhile.
    fn asked_again(&mut self, family: AfiSafi) {
        let marked = self.session.negotiated().is_some_and(|negotiated| negotiated.enhanced_route_refresh);
        if marked && self.answering.contains(family) {
            self.asked.insert(family);
            return;
        }
        if marked {
            self.answering.insert(family);
        }
        self.tell(FromSession::Refresh(RouteRefresh { family, subtype: RefreshSubtype::Request }));
    }

    /// The last message of a refresh of this family is on its way to the neighbour.
    fn refreshed(&mut self, family: AfiSafi) {
        let done = FamilySet::EMPTY.with(family);
        self.answering = self.answering.difference(done);
        if self.asked.contains(family) {
            self.asked = self.asked.difference(done);
            self.asked_again(family);
        }
    }

    fn publish(&self) {
        let mut view = self.view();
        view.state = self.session.state();
        view.messages = self.messages;
    }

    fn view(&self) -> std::sync::MutexGuard<'_, View> {
        lock(&self.view)
    }
}

fn lock(view: &Mutex<View>) -> std::sync::MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

fn slot(connection: Connection) -> usize {
    match connection {
        Connection::Outgoing => 0,
        Connection::Incoming => 1,
    }
}

async fn optional(connecting: Option<&mut Connecting>) -> io::Result<TcpStream> {
    match connecting {
        Some(connecting) => connecting.await,
        None => pending().await,
    }
}

async fn readable(transport: &Option<Transport>, wanted: bool) {
    match transport {
        Some(transport) if wanted => transport.readable().await,
        _ => pending().await,
    }
}

async fn writable(transport: &Option<Transport>) {
    match transport {
        Some(transport) if transport.has_unsent() => transport.writable().await,
        _ => pending().await,
    }
}

/// A place in the queue of the shard that is waited for.
async fn reserve<T>(
    shards: &[mpsc::Sender<T>],
    waiting: Option<usize>,
) -> (usize, Result<mpsc::Permit<'_, T>, mpsc::error::SendError<()>>) {
    match waiting {
        Some(shard) => (shard, shards[shard].reserve().await),
        None => pending().await,
    }
}

async fn at(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => pending().await,
    }
}

async fn pop(inbox: &mut Option<Inbox>, wanted: bool) -> Popped {
    match inbox {
        Some(inbox) if wanted => inbox.pop().await,
        _ => pending().await,
    }
}
