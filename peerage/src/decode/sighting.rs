//! What a file shows, one at a time, whatever kind of file it is.

use std::fmt::Display;
use std::net::IpAddr;

use bgp_wire::mrt::Peers;
use bgp_wire::routes::{EvpnRoute, FlowRoute, LabelledPrefix, OpaqueRoutes, Route, TargetMembership, VpnPrefix};
use bgp_wire::{AfiSafi, Attributes, DecodeCtx, Malformed, Message, MpReach, MpUnreach, NextHop, Routes, Update};
use ipnet::IpNet;

/// One thing that a file shows.
pub(super) struct Sighting<'a> {
    pub(super) time: Option<Time>,
    /// The one who sent it.
    pub(super) peer: Option<End>,
    /// The one to whom it was sent.
    pub(super) local: Option<End>,
    pub(super) what: What<'a>,
}

/// Seconds since 1970, and microseconds where they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) seconds: u32,
    pub(super) microseconds: Option<u32>,
}

/// One end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) address: IpAddr,
    /// `None` while no OPEN told it.
    pub(super) asn: Option<u32>,
}

pub(super) enum What<'a> {
    Message(Seen<'a>),
    StateChange {
        old: u16,
        new: u16,
    },
    /// A route of a table.
    Route(TableRoute<'a>),
    Peers(Peers<'a>),
    /// An MRT record of another kind.
    Other {
        kind: u16,
        subtype: u16,
        len: usize,
    },
}

/// A message, parsed.
pub(super) struct Seen<'a> {
    pub(super) octets: &'a [u8],
    pub(super) message: Result<Message<'a>, Malformed>,
    pub(super) add_path: bool,
    /// Whether the collector sent it.
    pub(super) sent: bool,
}

impl<'a> Seen<'a> {
    pub(super) fn new(octets: &'a [u8], ctx: &DecodeCtx, sent: bool) -> Self {
        Self { octets, message: Message::parse(octets, ctx), add_path: !ctx.add_path.is_empty(), sent }
    }
}

pub(super) struct TableRoute<'a> {
    pub(super) family: AfiSafi,
    /// `None` in a family of other routes than prefixes; `nlri` has them.
    pub(super) prefix: Option<IpNet>,
    pub(super) nlri: &'a [u8],
    pub(super) path_id: Option<u32>,
    pub(super) originated: u32,
    pub(super) attributes: Attributes<'a>,
    pub(super) next_hop: Option<NextHop>,
    /// Whether the table is a TABLE_DUMP, of the older form.
    pub(super) old_form: bool,
}

/// One route of an UPDATE.
pub(super) struct UpdateRoute<'a> {
    pub(super) withdrawn: bool,
    pub(super) path_id: Option<u32>,
    /// `None` in a family of other routes than prefixes.
    pub(super) prefix: Option<IpNet>,
    pub(super) text: &'a dyn Display,
}

/// Goes through the routes of an UPDATE: the withdrawn ones first, each field in its order.
pub(super) fn each_route(update: &Update<'_>, visit: &mut dyn FnMut(UpdateRoute<'_>)) {
    let mut one = |withdrawn, path_id, prefix, text: &dyn Display| {
        visit(UpdateRoute { withdrawn, path_id, prefix, text });
    };
    for (path_id, net) in update.withdrawn() {
        one(true, path_id, Some(net.into()), &net);
    }
    if let Some(unreach) = update.mp_unreach() {
        each_of(&unreach, &mut |path_id, prefix, text: &dyn Display| one(true, path_id, prefix, text));
    }
    for (path_id, net) in update.nlri() {
        one(false, path_id, Some(net.into()), &net);
    }
    if let Some(reach) = update.mp_reach() {
        each_of(&reach, &mut |path_id, prefix, text: &dyn Display| one(false, path_id, prefix, text));
    }
}

/// Either multiprotocol attribute.
trait Carrier<'a> {
    fn routes<R: Route<'a>>(&self) -> Option<Routes<'a, R>>;
    fn family(&self) -> AfiSafi;
    fn octets(&self) -> &'a [u8];
}

impl<'a> Carrier<'a> for MpReach<'a> {
    fn routes<R: Route<'a>>(&self) -> Option<Routes<'a, R>> {
        self.routes()
    }

    fn family(&self) -> AfiSafi {
        self.family
    }

    fn octets(&self) -> &'a [u8] {
        self.nlri_octets
    }
}

impl<'a> Carrier<'a> for MpUnreach<'a> {
    fn routes<R: Route<'a>>(&self) -> Option<Routes<'a, R>> {
        self.routes()
    }

    fn family(&self) -> AfiSafi {
        self.family
    }

    fn octets(&self) -> &'a [u8] {
        self.nlri_octets
    }
}

type Visit<'v> = dyn FnMut(Option<u32>, Option<IpNet>, &dyn Display) + 'v;

/// The routes of an attribute, of whichever kind they are.
fn each_of<'a>(carrier: &impl Carrier<'a>, visit: &mut Visit<'_>) {
    let known = each_if(carrier.routes(), visit, |net| Some(*net))
        || each_if(carrier.routes(), visit, |route: &LabelledPrefix<'_>| Some(route.prefix))
        || each_if(carrier.routes(), visit, |route: &VpnPrefix<'_>| Some(route.prefix))
        || each_if(carrier.routes(), visit, evpn_prefix)
        || each_if(carrier.routes(), visit, |_: &TargetMembership<'_>| None)
        || each_if(carrier.routes(), visit, |_: &FlowRoute<'_>| None);
    if known || carrier.octets().is_empty() {
        return;
    }
    match OpaqueRoutes::new(carrier.octets(), carrier.family()) {
        Some(routes) => routes.for_each(|route| visit(None, None, &super::hex(route))),
        None => visit(None, None, &super::hex(carrier.octets())),
    }
}

/// Visits the routes, if there are any of this kind.
fn each_if<'a, R: Route<'a>>(
    routes: Option<Routes<'a, R>>,
    visit: &mut Visit<'_>,
    prefix: impl Fn(&R) -> Option<IpNet>,
) -> bool {
    let Some(routes) = routes else { return false };
    routes.for_each(|(path_id, route)| visit(path_id, prefix(&route), &route));
    true
}

fn evpn_prefix(route: &EvpnRoute<'_>) -> Option<IpNet> {
    match route {
        EvpnRoute::Prefix { prefix, .. } => Some(*prefix),
        EvpnRoute::MacIp { address: Some(address), .. } => Some((*address).into()),
        _ => None,
    }
}
