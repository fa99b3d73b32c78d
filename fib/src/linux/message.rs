//! Our routes as `rtnetlink` messages, and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHop, RouteNextHopFlags,
        RouteProtocol, RouteScope, RouteType, RouteVia,
    },
};

use super::connection::Request;
use crate::{Change, Hop, Kind, NextHops, PROTOCOL, Route, RouteKey};

/// The request for a change.
pub(super) fn request(change: &Change<'_>) -> Request {
    match *change {
        Change::Add(route) => {
            Request { message: RouteNetlinkMessage::NewRoute(new_route(route)), flags: NLM_F_CREATE | NLM_F_EXCL }
        }
        Change::Replace(route) => {
            Request { message: RouteNetlinkMessage::NewRoute(new_route(route)), flags: NLM_F_CREATE | NLM_F_REPLACE }
        }
        // No type and scope "nowhere" match any; the protocol must be ours.
        Change::Remove(key) => Request {
            message: RouteNetlinkMessage::DelRoute(keyed(&key, RouteType::Unspec, RouteScope::NoWhere)),
            flags: 0,
        },
    }
}

fn new_route(route: &Route) -> RouteMessage {
    let mut message = match &route.kind {
        Kind::Unreachable => keyed(&route.key(), RouteType::Unreachable, RouteScope::Universe),
        Kind::Unicast { next_hops } => {
            let on_link = next_hops.iter().all(|hop| hop.via.is_none());
            let scope = if on_link && route.prefix.addr().is_ipv4() { RouteScope::Link } else { RouteScope::Universe };
            let mut message = keyed(&route.key(), RouteType::Unicast, scope);
            let family = message.header.address_family;
            match next_hops[..] {
                [hop] => one_hop(&mut message, &hop),
                _ => message
                    .attributes
                    .push(RouteAttribute::MultiPath(next_hops.iter().map(|hop| one_of_many(hop, family)).collect())),
            }
            message
        }
    };
    if let Some(source) = route.pref_src {
        message.attributes.push(RouteAttribute::PrefSource(source.into()));
    }
    message
}

fn keyed(key: &RouteKey, kind: RouteType, scope: RouteScope) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: match key.prefix {
            IpNet::V4(_) => AddressFamily::Inet,
            IpNet::V6(_) => AddressFamily::Inet6,
        },
        destination_prefix_length: key.prefix.prefix_len(),
        // The attribute counts; the header has room for small numbers only.
        table: u8::try_from(key.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
        protocol: RouteProtocol::from(PROTOCOL),
        scope,
        kind,
        ..RouteHeader::default()
    };
    message.attributes = vec![
        RouteAttribute::Destination(key.prefix.addr().into()),
        RouteAttribute::Table(key.table),
        RouteAttribute::Priority(key.metric),
    ];
    message
}

fn one_hop(message: &mut RouteMessage, hop: &Hop) {
    if hop.onlink {
        message.header.flags |= RouteFlags::Onlink;
    }
    if let Some(interface) = hop.interface {
        message.attributes.push(RouteAttribute::Oif(interface));
    }
    let family = message.header.address_family;
    message.attributes.extend(gateway(hop, family));
}

fn one_of_many(hop: &Hop, family: AddressFamily) -> RouteNextHop {
    let mut next_hop = RouteNextHop::default();
    if hop.onlink {
        next_hop.flags |= RouteNextHopFlags::Onlink;
    }
    next_hop.hops = hop.weight.saturating_sub(1);
    next_hop.interface_index = hop.interface.unwrap_or(0);
    next_hop.attributes.extend(gateway(hop, family));
    next_hop
}

fn gateway(hop: &Hop, family: AddressFamily) -> Option<RouteAttribute> {
    Some(match hop.via? {
        // RFC 8950: an IPv4 route via an IPv6 gateway.
        IpAddr::V6(via) if family == AddressFamily::Inet => RouteAttribute::Via(RouteVia::Inet6(via)),
        via => RouteAttribute::Gateway(via.into()),
    })
}

/// A route of the kernel's.
pub(super) struct Standing {
    /// Its kind is [`Kind::Unicast`] without next hops if it is in a form that we never write.
    pub(super) route: Route,
    pub(super) protocol: u8,
    pub(super) form: Form,
}

/// What sort of route it is, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// One that packets are forwarded or refused by.
    Routing,
    /// One that the kernel makes for its own addresses, or for multicast.
    Local,
}

/// Reads a route. `None` if it is none that could stand beside ours: a cached one, one for a
/// traffic class or a source prefix, or of another family.
pub(super) fn standing(message: &RouteMessage) -> Option<Standing> {
    let header = &message.header;
    if header.tos != 0 || header.source_prefix_length != 0 || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let mut prefix = match header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut table = u32::from(header.table);
    let mut metric = 0;
    let mut pref_src = None;
    let mut single = Hop { via: None, interface: None, onlink: header.flags.contains(RouteFlags::Onlink), weight: 1 };
    let mut many = None;
    let mut known = true;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(to) => prefix = address(to)?,
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Priority(number) => metric = *number,
            RouteAttribute::PrefSource(from) => pref_src = address(from),
            RouteAttribute::Oif(interface) => single.interface = Some(*interface),
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) => single.via = via(attribute),
            RouteAttribute::MultiPath(hops) => many = Some(hops),
            RouteAttribute::NhId(_)
            | RouteAttribute::Encap(_)
            | RouteAttribute::EncapType(_)
            | RouteAttribute::Metrics(_) => known = false,
            _ => {}
        }
    }
    let next_hops = || match many {
        Some(hops) => hops.iter().map(hop_of).collect(),
        None => NextHops::from(single),
    };
    let (kind, form) = match header.kind {
        RouteType::Unicast => (next_hops().into(), Form::Routing),
        RouteType::Unreachable => (Kind::Unreachable, Form::Routing),
        RouteType::BlackHole | RouteType::Prohibit => (Kind::Unreachable, Form::Routing),
        _ => (NextHops::default().into(), Form::Local),
    };
    let odd = !known || !matches!(header.kind, RouteType::Unicast | RouteType::Unreachable);
    let protocol = header.protocol.into();
    let kind = if protocol == PROTOCOL && odd { NextHops::default().into() } else { kind };
    Some(Standing {
        route: Route {
            table,
            prefix: IpNet::new(prefix, header.destination_prefix_length).ok()?,
            metric,
            kind,
            pref_src,
        },
        protocol,
        form,
    })
}

fn hop_of(next_hop: &RouteNextHop) -> Hop {
    Hop {
        via: next_hop.attributes.iter().find_map(via),
        interface: (next_hop.interface_index != 0).then_some(next_hop.interface_index),
        onlink: next_hop.flags.contains(RouteNextHopFlags::Onlink),
        weight: next_hop.hops.saturating_add(1),
    }
}

fn via(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(via) => address(via),
        RouteAttribute::Via(RouteVia::Inet(via)) => Some(IpAddr::V4(*via)),
        RouteAttribute::Via(RouteVia::Inet6(via)) => Some(IpAddr::V6(*via)),
        _ => None,
    }
}

fn address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}
