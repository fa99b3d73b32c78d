//! `-o pretty`: some lines for each message or route, for people.

use std::fmt::Display;
use std::io::Write as _;

use bgp_wire::attributes::{Attributes, code};
use bgp_wire::mrt::StateChange;
use bgp_wire::{Malformed, Message, Notification, Open, RefreshSubtype, RouteRefresh, Update};
use serde_json::Value;

use super::filter::{Filter, withdraws};
use super::sighting::{End, Seen, Sighting, TableRoute, Time, What, each_route};
use super::{hex, messages};

/// Columns before a list goes on in another line.
const WIDTH: usize = 100;

pub(super) fn write(sighting: &Sighting<'_>, filter: &Filter, out: &mut Vec<u8>) {
    let mut lines = Lines(out);
    let title = match &sighting.what {
        What::Message(Seen { message: Ok(Message::Open(_)), .. }) => "OPEN",
        What::Message(Seen { message: Ok(Message::Update(update)), .. }) => match update.end_of_rib() {
            Some(_) => "UPDATE, end of RIB",
            None => "UPDATE",
        },
        What::Message(Seen { message: Ok(Message::Notification(_)), .. }) => "NOTIFICATION",
        What::Message(Seen { message: Ok(Message::Keepalive), .. }) => "KEEPALIVE",
        What::Message(Seen { message: Ok(Message::RouteRefresh(_)), .. }) => "ROUTE-REFRESH",
        What::Message(Seen { message: Err(_), .. }) => "malformed message",
        What::StateChange { .. } => "state change",
        What::Route(_) => "route",
        What::Peers(_) => "peers",
        What::Other { .. } => "record of another kind",
    };
    lines.title(sighting, title);
    match &sighting.what {
        What::Message(seen) => match &seen.message {
            Ok(message) => lines.message(message, filter),
            Err(malformed) => lines.malformed(malformed, seen.octets),
        },
        What::StateChange { old, new } => {
            let name = |state| StateChange::state_name(state).map_or_else(|| format!("state {state}"), str::to_owned);
            lines.field("state", format_args!("{} to {}", name(*old), name(*new)));
        }
        What::Route(route) => lines.table_route(route),
        What::Peers(peers) => {
            lines.field("collector", peers.collector);
            for (number, peer) in peers.iter().enumerate() {
                lines.field(
                    "peer",
                    format_args!("{number}: AS{} {} (identifier {})", peer.asn, peer.address, peer.identifier),
                );
            }
        }
        What::Other { kind, subtype, len } => {
            lines.field("type", format_args!("{kind}, subtype {subtype}, {len} octets"));
        }
    }
}

struct Lines<'a>(&'a mut Vec<u8>);

impl Lines<'_> {
    fn title(&mut self, sighting: &Sighting<'_>, title: &str) {
        // Writing to a vector cannot fail, here and below.
        if let Some(time) = sighting.time {
            let _ = write!(self.0, "{}  ", self::time(time));
        }
        if let Some(peer) = sighting.peer {
            let _ = write!(self.0, "{}", end(peer));
            if let Some(local) = sighting.local {
                let sent = matches!(&sighting.what, What::Message(seen) if seen.sent);
                let _ = write!(self.0, " {} {}", if sent { "from" } else { "to" }, end(local));
            }
            self.0.extend_from_slice(b"  ");
        }
        let _ = writeln!(self.0, "{title}");
    }

    fn field(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "  {name:<19} {value}");
    }

    /// The items in as few lines as they need.
    fn list(&mut self, name: &str, items: impl Iterator<Item = impl Display>) {
        let (mut line, mut name) = (String::new(), name);
        for item in items {
            let item = item.to_string();
            if !line.is_empty() && line.len() + item.len() + 2 > WIDTH - 22 {
                self.field(name, &line);
                name = "";
                line.clear();
            }
            if !line.is_empty() {
                line.push_str(", ");
            }
            line.push_str(&item);
        }
        if !line.is_empty() {
            self.field(name, line);
        }
    }

    fn message(&mut self, message: &Message<'_>, filter: &Filter) {
        match message {
            Message::Open(open) => self.open(open),
            Message::Update(update) => self.update(update, filter),
            Message::Notification(notification) => self.notification(notification),
            Message::Keepalive => {}
            Message::RouteRefresh(refresh) => self.refresh(refresh),
        }
    }

    fn open(&mut self, open: &Open<'_>) {
        self.field("AS", open.asn());
        self.field("hold time", format_args!("{} s", open.hold_time));
        self.field("identifier", open.identifier);
        let shown = messages::open(open);
        for capability in shown["capabilities"].as_array().into_iter().flatten() {
            let name = capability["name"].as_str().unwrap_or_default();
            let known: Vec<String> = capability
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(key, _)| !["code", "name", "value"].contains(&key.as_str()))
                .map(|(key, value)| format!("{key} {}", plain(value)))
                .collect();
            let octets = capability["value"].as_str().unwrap_or_default();
            let said = if known.is_empty() { octets.to_owned() } else { known.join(", ") };
            let number = if name == "unknown" { format!(" {}", capability["code"]) } else { String::new() };
            self.field("capability", format_args!("{name}{number} {said}").to_string().trim_end());
        }
    }

    fn update(&mut self, update: &Update<'_>, filter: &Filter) {
        let path = filter.path(Some(update.attributes().as_path()));
        let (mut withdrawn, mut announced) = (Vec::new(), Vec::new());
        each_route(update, &mut |route| {
            if filter.route(route.withdrawn, route.prefix, path) {
                let list = if route.withdrawn { &mut withdrawn } else { &mut announced };
                list.push(match route.path_id {
                    Some(id) => format!("{} #{id}", route.text),
                    None => route.text.to_string(),
                });
            }
        });
        if let Some(family) = update.end_of_rib() {
            self.field("family", family);
        }
        for family in [update.mp_unreach().map(|unreach| unreach.family), update.mp_reach().map(|reach| reach.family)] {
            if let Some(family) = family
                && update.end_of_rib().is_none()
            {
                self.field("family", family);
            }
        }
        self.list("withdrawn", withdrawn.into_iter());
        self.list(if withdraws(update) { "treated as withdrawn" } else { "announced" }, announced.into_iter());
        if let Some(next_hop) = update.next_hop() {
            self.field("next hop", next_hop);
        }
        if let Some(next_hop) = update.mp_reach().and_then(|reach| reach.next_hop()) {
            self.field("next hop", next_hop);
        }
        self.attributes(&update.attributes());
        for fault in update.faults() {
            self.field("fault", fault);
        }
    }

    fn table_route(&mut self, route: &TableRoute<'_>) {
        let path_id = route.path_id.map(|id| format!(" #{id}")).unwrap_or_default();
        match route.prefix {
            Some(prefix) => self.field("prefix", format_args!("{prefix}{path_id}")),
            None => self.field("route", format_args!("{} {}{path_id}", route.family, hex(route.nlri))),
        }
        self.field("originated", time(Time { seconds: route.originated, microseconds: None }));
        if let Some(next_hop) = route.next_hop {
            self.field("next hop", next_hop);
        }
        self.attributes(&route.attributes);
    }

    /// All but next hop and routes.
    fn attributes(&mut self, attributes: &Attributes<'_>) {
        if let Some(origin) = attributes.origin() {
            self.field("origin", origin);
        }
        if attributes.get(code::AS_PATH).is_some() {
            self.field("AS path", attributes.as_path());
        }
        let numbers = [("MED", attributes.med()), ("local preference", attributes.local_pref())];
        for (name, number) in numbers.into_iter().chain([("only to customer", attributes.only_to_customer())]) {
            if let Some(number) = number {
                self.field(name, number);
            }
        }
        if attributes.atomic_aggregate() {
            self.field("atomic aggregate", "yes");
        }
        if let Some(aggregator) = attributes.aggregator() {
            self.field("aggregator", aggregator);
        }
        self.list("communities", attributes.communities());
        self.list("extended", attributes.ext_communities());
        self.list("large", attributes.large_communities());
        if let Some(originator) = attributes.originator_id() {
            self.field("originator", originator);
        }
        self.list("cluster list", attributes.cluster_list());
        if let Some(metric) = attributes.aigp() {
            self.field("AIGP metric", metric);
        }
        for attribute in attributes.iter().filter(|attribute| !SHOWN.contains(&attribute.code)) {
            let octets = hex(attribute.value);
            self.field("attribute", format_args!("{} (flags {:02x}) {octets}", attribute.code, attribute.flags));
        }
    }

    fn notification(&mut self, notification: &Notification) {
        self.field("error", notification);
        if !notification.data.is_empty() && notification.shutdown_communication().is_none() {
            self.field("data", hex(&notification.data));
        }
    }

    fn refresh(&mut self, refresh: &RouteRefresh) {
        self.field("family", refresh.family);
        match refresh.subtype {
            RefreshSubtype::Request => {}
            subtype => self.field("subtype", subtype.octet()),
        }
    }

    fn malformed(&mut self, malformed: &Malformed, octets: &[u8]) {
        self.field("fault", malformed);
        self.field("answer", Notification::from(malformed));
        self.field("octets", hex(octets));
    }
}

/// The attributes that have a line of their own.
const SHOWN: [u8; 18] = [
    code::ORIGIN,
    code::AS_PATH,
    code::NEXT_HOP,
    code::MED,
    code::LOCAL_PREF,
    code::ATOMIC_AGGREGATE,
    code::AGGREGATOR,
    code::COMMUNITIES,
    code::ORIGINATOR_ID,
    code::CLUSTER_LIST,
    code::MP_REACH_NLRI,
    code::MP_UNREACH_NLRI,
    code::EXTENDED_COMMUNITIES,
    code::AS4_PATH,
    code::AS4_AGGREGATOR,
    code::AIGP,
    code::LARGE_COMMUNITIES,
    code::ONLY_TO_CUSTOMER,
];

/// `2015-10-23T02:01:55.574059Z`.
fn time(time: Time) -> String {
    let nanoseconds = time.microseconds.unwrap_or_default().saturating_mul(1000);
    let nanoseconds = i32::try_from(nanoseconds.min(999_999_999)).unwrap_or_default();
    match jiff::Timestamp::new(time.seconds.into(), nanoseconds) {
        Ok(timestamp) if time.microseconds.is_some() => format!("{timestamp:.6}"),
        Ok(timestamp) => timestamp.to_string(),
        Err(_) => time.seconds.to_string(),
    }
}

fn end(end: End) -> String {
    match end.asn {
        Some(asn) => format!("AS{asn} {}", end.address),
        None => end.address.to_string(),
    }
}

/// A value in words: `ipv4-unicast`, `family ipv4-unicast mode 3; …`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
