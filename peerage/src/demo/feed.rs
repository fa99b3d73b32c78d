//! What the ISP sends: a generated table, or the routes of an MRT file.
//!
//! Yields batches for [`speaker::Speaker::inject`] and [`speaker::Speaker::withdraw`], in the order in which the routes
//! came. It opens the MRT file and no session.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use bgp_wire::mrt::{Body, PeerMessage, Stream, StreamError};
use bgp_wire::{Action, AsPathBuf, Attributes, AttributesBuilder, Community, Message, Nlri, Origin, Update};
use bytes::Bytes;
use ipnet::IpNet;
use speaker::Injected;

use super::table;

/// One thing that the ISP does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Announce(Vec<Injected>),
    Withdraw(Vec<IpNet>),
}

/// All that the ISP does.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    pub(crate) events: Vec<Event>,
    /// The prefixes that stand at the end.
    pub(crate) standing: HashSet<IpNet>,
    /// Where it is from, in words.
    pub(crate) origin: String,
}

/// Why an MRT file cannot be replayed.
#[derive(Debug)]
pub(crate) enum FeedError {
    Read(PathBuf, io::Error),
    NoRoutes(PathBuf),
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoRoutes(path) => {
                write!(
                    f,
                    "{}: no unicast routes in it; is it an MRT file (RFC 6396), plain, gzip or bzip2?",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for FeedError {}

impl Feed {
    /// A generated table of `count` prefixes.
    pub(crate) fn generated(count: usize) -> Self {
        let mut feed = Self { origin: "generated".to_owned(), ..Self::default() };
        for announcement in table::generate(count, 1) {
            let mut attributes = AttributesBuilder::new(Origin::Igp);
            attributes.as_path(&AsPathBuf::sequence(announcement.as_path.iter().copied()));
            attributes.med(announcement.med);
            attributes.communities(announcement.communities.iter().copied().map(Community));
            feed.announce(Bytes::from(attributes.build()), announcement.prefixes.into_iter().map(IpNet::V4));
        }
        feed
    }

    /// The routes of an MRT file, plain or packed: the UPDATEs of the first peer in it, or a table's first route to each
    /// prefix.
    pub(crate) fn mrt(path: &Path) -> Result<Self, FeedError> {
        let fail = |error| FeedError::Read(path.to_owned(), error);
        let file = File::open(path).map_err(fail)?;
        let mut stream = Stream::decompressing(file).map_err(fail)?;
        let mut feed = Self { origin: format!("replayed from {}", path.display()), ..Self::default() };
        let mut peer = None;
        // A record that cannot be read is skipped, as the reader goes on after it.
        while let Some(record) = stream.next_record() {
            let record = match record {
                Ok(record) => record,
                Err(StreamError::Read { error, .. }) => return Err(fail(error)),
                Err(StreamError::Record(_)) => continue,
            };
            match record.body {
                Body::Message(message) if *peer.get_or_insert(message.between.peer) == message.between.peer => {
                    feed.replay(&message)
                }
                Body::Table(routes) => {
                    for route in routes.iter() {
                        feed.first(route.prefix.trunc(), &route.attributes());
                    }
                }
                Body::Rib(rib) => {
                    // A collector's own routes have no attributes; those of its peers have.
                    let attributes =
                        rib.entries().map(|entry| entry.attributes()).find(|attributes| attributes.origin().is_some());
                    if let (Some(prefix), Some(attributes)) = (rib.prefix(), attributes) {
                        feed.first(prefix, &attributes);
                    }
                }
                _ => {}
            }
        }
        if feed.standing.is_empty() {
            return Err(FeedError::NoRoutes(path.to_owned()));
        }
        Ok(feed)
    }

    /// Does what an UPDATE of the file says (RFC 7606 decides about faulty ones). Other messages say nothing of routes.
    fn replay(&mut self, message: &PeerMessage<'_>) {
        let Ok(Message::Update(update)) = Message::parse(message.message, &message.ctx()) else {
            return;
        };
        self.withdraw(prefixes(update.withdrawn()));
        if let Some(unreach) = update.mp_unreach() {
            let (v4, v6) = (unreach.ipv4(), unreach.ipv6());
            self.withdraw(v4.into_iter().flat_map(prefixes));
            self.withdraw(v6.into_iter().flat_map(prefixes));
        }
        let announced: Vec<IpNet> = announced(&update).collect();
        if update.action() >= Some(Action::TreatAsWithdraw) {
            self.withdraw(announced);
        } else if !announced.is_empty() {
            let mut canonical = Vec::new();
            update.canonical_attributes(&mut canonical);
            self.announce(passed_on(canonical), announced);
        }
    }

    /// A table's route, if it is the first to its prefix.
    fn first(&mut self, prefix: IpNet, attributes: &Attributes<'_>) {
        if !self.standing.contains(&prefix) {
            let mut canonical = Vec::new();
            attributes.write_canonical(&mut canonical);
            self.announce(passed_on(canonical), [prefix]);
        }
    }

    fn announce(&mut self, attributes: Bytes, prefixes: impl IntoIterator<Item = IpNet>) {
        let routes =
            prefixes.into_iter().map(|prefix| Injected { prefix, attributes: attributes.clone(), next_hop: None });
        let routes: Vec<Injected> = routes.collect();
        self.standing.extend(routes.iter().map(|route| route.prefix));
        match self.events.last_mut() {
            Some(Event::Announce(batch)) if batch.len() < BATCH => batch.extend(routes),
            _ => self.events.push(Event::Announce(routes)),
        }
    }

    fn withdraw(&mut self, prefixes: impl IntoIterator<Item = IpNet>) {
        let prefixes: Vec<IpNet> = prefixes.into_iter().collect();
        if prefixes.is_empty() {
            return;
        }
        for prefix in &prefixes {
            self.standing.remove(prefix);
        }
        match self.events.last_mut() {
            Some(Event::Withdraw(batch)) => batch.extend(prefixes),
            _ => self.events.push(Event::Withdraw(prefixes)),
        }
    }
}

/// The attributes without what would keep the ISP from passing the route on (RFC 1997): what a collector was told, its peer's
/// customers are told here.
fn passed_on(canonical: Vec<u8>) -> Bytes {
    const KEPT_BACK: [Community; 3] = [Community::NO_EXPORT, Community::NO_ADVERTISE, Community::NO_EXPORT_SUBCONFED];
    let attributes = Attributes::canonical(&canonical);
    if !attributes.communities().any(|community| KEPT_BACK.contains(&community)) {
        return canonical.into();
    }
    let mut builder = AttributesBuilder::from_canonical(&canonical);
    for community in KEPT_BACK {
        builder.remove_community(community);
    }
    builder.build().into()
}

/// About as many routes as go to the speaker at once.
const BATCH: usize = 2_000;

fn announced<'a>(update: &Update<'a>) -> impl Iterator<Item = IpNet> + use<'a> {
    let reach = update.mp_reach();
    let v4 = reach.as_ref().and_then(|reach| reach.ipv4());
    let v6 = reach.as_ref().and_then(|reach| reach.ipv6());
    prefixes(update.nlri()).chain(v4.into_iter().flat_map(prefixes)).chain(v6.into_iter().flat_map(prefixes))
}

fn prefixes<'a, F: bgp_wire::Family>(nlri: Nlri<'a, F>) -> impl Iterator<Item = IpNet> + use<'a, F> {
    nlri.map(|(_, key)| key.into())
}
