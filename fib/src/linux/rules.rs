//! Binds interfaces to routing tables by policy rules (`ip rule iif IFACE lookup TABLE`).
//!
//! This is how a VRF is bound where there is no VRF device: what comes in on its interfaces is
//! routed by its table. A VRF device needs no rules of ours: enslaving interfaces to it is enough,
//! and its table is told by [`Link::vrf_table`](super::Link::vrf_table).
//!
//! Rules of ours are known by their protocol number, [`PROTOCOL`]; those of others are never
//! touched. Like routes, they stay when the process ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, Parseable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::RouteProtocol,
    rule::{RuleAction, RuleAttribute, RuleHeader, RuleMessage},
};

use super::connection::{Connection, Request};
use crate::{PROTOCOL, SinkError};

/// The priority of our rules: after the local table (0) and the kernel's own rule for VRF devices
/// (1000), before the main table (32766).
pub const RULE_PRIORITY: u32 = 1179;

/// A rule of ours.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule {
    /// Whether it is for IPv6, else for IPv4. The kernel keeps two lists.
    pub ipv6: bool,
    /// The name of the interface that packets come in on. There need not be such an interface.
    pub interface: String,
    /// The table to route them by.
    pub table: u32,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.ipv6 { "ipv6" } else { "ipv4" };
        write!(f, "{family} iif {} lookup {}", self.interface, self.table)
    }
}

/// What [`Rules::apply`] did.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RuleChanges {
    /// Rules that were missing.
    pub added: Vec<Rule>,
    /// Rules of ours that were not wanted.
    pub removed: Vec<Rule>,
    /// Rules that could not be added or removed, and why.
    pub failed: Vec<(Rule, SinkError)>,
}

/// The kernel's policy rules, as far as they are ours.
pub struct Rules {
    connection: Connection,
}

impl Rules {
    /// Connects to the kernel.
    ///
    /// # Errors
    /// If there is no netlink.
    pub fn open() -> Result<Self, SinkError> {
        Ok(Self { connection: Connection::open()? })
    }

    /// Brings our rules to bind exactly these interfaces, by name, to their tables, for IPv4 and
    /// IPv6. Missing ones are added first, so that a packet never falls between two tables; those
    /// that are not wanted any more are removed. What stands already is left alone.
    ///
    /// # Errors
    /// If the rules could not be read. Nothing was changed.
    pub fn apply(&mut self, wanted: &BTreeMap<String, u32>) -> Result<RuleChanges, SinkError> {
        let wanted: BTreeSet<Rule> = wanted
            .iter()
            .flat_map(|(interface, table)| {
                [false, true].map(|ipv6| Rule { ipv6, interface: interface.clone(), table: *table })
            })
            .collect();
        let standing = self.dump()?;
        let mut changes = RuleChanges::default();
        let add: Vec<&Rule> = wanted.difference(&standing).collect();
        let remove: Vec<&Rule> = standing.difference(&wanted).collect();
        let requests = add
            .iter()
            .map(|rule| Request {
                message: RouteNetlinkMessage::NewRule(message(rule)),
                flags: NLM_F_CREATE | NLM_F_EXCL,
            })
            .chain(
                remove.iter().map(|rule| Request { message: RouteNetlinkMessage::DelRule(message(rule)), flags: 0 }),
            );
        let results = self.connection.request(requests);
        let done = add.iter().map(|rule| (rule, true)).chain(remove.iter().map(|rule| (rule, false)));
        for ((rule, added), result) in done.zip(results) {
            let rule = Rule::clone(rule);
            match result {
                Ok(()) if added => changes.added.push(rule),
                Ok(()) => changes.removed.push(rule),
                Err(error) => changes.failed.push((rule, error)),
            }
        }
        Ok(changes)
    }

    fn dump(&mut self) -> Result<BTreeSet<Rule>, SinkError> {
        let mut all = BTreeSet::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut ask = RuleMessage::default();
            ask.header.family = family;
            let mut found = BTreeSet::new();
            self.connection.dump(&RouteNetlinkMessage::GetRule(ask), |answer| {
                match answer {
                    None => found.clear(),
                    Some(answer) => found.extend(RuleMessage::parse(answer.payload()).ok().as_ref().and_then(ours)),
                }
                Ok(())
            })?;
            all.append(&mut found);
        }
        Ok(all)
    }
}

fn message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header = RuleHeader {
        family: if rule.ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet },
        action: RuleAction::ToTable,
        ..RuleHeader::default()
    };
    message.attributes = vec![
        RuleAttribute::Iifname(rule.interface.clone()),
        RuleAttribute::Priority(RULE_PRIORITY),
        RuleAttribute::Table(rule.table),
        RuleAttribute::Protocol(RouteProtocol::from(PROTOCOL)),
    ];
    message
}

/// Reads a rule, if it is one that [`message`] makes.
fn ours(message: &RuleMessage) -> Option<Rule> {
    let mut interface = None;
    let mut table = u32::from(message.header.table);
    let mut marked = false;
    let mut placed = false;
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Iifname(name) => interface = Some(name.clone()),
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::Protocol(protocol) => marked = u8::from(*protocol) == PROTOCOL,
            RuleAttribute::Priority(priority) => placed = *priority == RULE_PRIORITY,
            _ => {}
        }
    }
    (marked && placed).then_some(Rule {
        ipv6: message.header.family == AddressFamily::Inet6,
        interface: interface?,
        table,
    })
}
