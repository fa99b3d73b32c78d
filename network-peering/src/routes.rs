//! Native routes as a file describes them, for the one-shot evaluator.
//!
//! It is given text and yields rows; whether a row's network exists is not its business.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    document::{Document, read},
    error::{ErrorType, InputError, Place, Warning},
    fields::{At, Sink},
    model::Name,
};

/// One path of a native route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network whose table holds it; a metal one is in the default namespace.
    pub network: Name,
    /// The destination, host bits zeroed.
    pub prefix: IpNet,
    /// How the network came by it.
    pub origin: Origin,
    /// The next hop, if it has one.
    pub next_hop: Option<IpAddr>,
    /// The autonomous systems it came through, nearest first.
    pub as_path: Vec<u32>,
    /// Its communities, as text.
    pub communities: Vec<String>,
    /// The partition or zone where it was originated.
    pub zone: Option<String>,
    /// Where it stands in the file.
    pub place: Place,
}

/// How a network came by a native route; an earlier one is preferred to a later one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Learned from a session in the network.
    #[default]
    Session,
    /// An address of an interface.
    Connected,
    /// Configured.
    Static,
    /// Learned as an EVPN type-5 route of the network.
    Evpn,
    /// Learned from outside of the fabric.
    External,
}

const ORIGINS: [(&str, Origin); 5] = [
    ("session", Origin::Session),
    ("connected", Origin::Connected),
    ("static", Origin::Static),
    ("evpn", Origin::Evpn),
    ("external", Origin::External),
];

/// Reads a list of routes from YAML or JSON.
///
/// # Errors
///
/// Every fault of the file.
pub fn read_routes(file: &str, bytes: &[u8]) -> Result<(Vec<Route>, Vec<Warning>), Vec<InputError>> {
    let (documents, fault) = read(file, bytes);
    let (mut routes, mut warnings, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for document in documents.iter().filter(|document| !document.root.is_null()) {
        let sink = Sink::new(document);
        routes.extend(At::root(document).sequence(&sink).iter().filter_map(|row| route(row, document, &sink)));
        errors.extend(document.duplicates());
        errors.extend(sink.errors.into_inner());
        warnings.extend(sink.warnings.into_inner());
    }
    errors.extend(fault);
    if errors.is_empty() { Ok((routes, warnings)) } else { Err(errors) }
}

fn route(row: &At<'_>, document: &Document, sink: &Sink<'_>) -> Option<Route> {
    let fields = row.mapping(sink)?;
    let network = fields.required("network", sink).and_then(|at| {
        let text = at.string(sink)?;
        let name = Name::parse(&text);
        if name.is_none() {
            sink.error(&at, ErrorType::Invalid, format!("{text:?} is not <namespace>/<name>"));
        }
        name
    });
    let prefix = fields.required("prefix", sink).and_then(|at| at.network(sink)).map(|prefix| prefix.trunc());
    let origin = fields.field("origin").map_or(Some(Origin::default()), |at| at.one_of(&ORIGINS, sink));
    let next_hop = fields.field("nextHop").and_then(|at| {
        let text = at.string(sink)?;
        let address = text.parse().ok();
        if address.is_none() {
            sink.error(&at, ErrorType::Invalid, format!("{text:?} is not an IP address"));
        }
        address
    });
    let as_path = fields.sequence("asPath", sink).iter().filter_map(|at| at.number(0..=u32::MAX, sink)).collect();
    let communities = fields.sequence("communities", sink).iter().filter_map(|at| at.string(sink)).collect();
    let zone = fields.text("zone", sink);
    fields.finish(sink);
    let place = document.place(row.path.clone(), row.node);
    Some(Route { network: network?, prefix: prefix?, origin: origin?, next_hop, as_path, communities, zone, place })
}
