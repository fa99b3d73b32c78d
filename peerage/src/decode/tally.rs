//! What was seen in a file, counted, for the lines at the end.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use bgp_wire::{Message, NextHop, Update};

use super::filter::withdraws;
use super::sighting::{Seen, Sighting, What, each_route};
use crate::output::grouped;

#[derive(Debug, Default)]
pub(super) struct Tally {
    opens: u64,
    updates: u64,
    notifications: u64,
    keepalives: u64,
    refreshes: u64,
    state_changes: u64,
    others: u64,
    announced: u64,
    withdrawn: u64,
    table_routes: u64,
    treated_as_withdraw: u64,
    discarded: u64,
    malformed: u64,
    peers: HashSet<IpAddr>,
    last_peer: Option<IpAddr>,
    shown: u64,
    pub(super) unreadable: u64,
}

impl Tally {
    pub(super) fn add(&mut self, sighting: &Sighting<'_>, shown: bool) {
        self.shown += u64::from(shown);
        let peer = sighting.peer.map(|peer| peer.address);
        if let Some(peer) = peer
            && self.last_peer != Some(peer)
        {
            self.last_peer = Some(peer);
            self.peers.insert(peer);
        }
        match &sighting.what {
            What::Message(seen) => self.message(seen),
            What::StateChange { .. } => self.state_changes += 1,
            What::Route(_) => self.table_routes += 1,
            What::Peers(_) => {}
            What::Other { .. } => self.others += 1,
        }
    }

    fn message(&mut self, seen: &Seen<'_>) {
        match &seen.message {
            Ok(Message::Open(_)) => self.opens += 1,
            Ok(Message::Update(update)) => self.update(update),
            Ok(Message::Notification(_)) => self.notifications += 1,
            Ok(Message::Keepalive) => self.keepalives += 1,
            Ok(Message::RouteRefresh(_)) => self.refreshes += 1,
            Err(_) => self.malformed += 1,
        }
    }

    fn update(&mut self, update: &Update<'_>) {
        self.updates += 1;
        let (mut announced, mut withdrawn) = (update.nlri().count() as u64, update.withdrawn().count() as u64);
        if update.mp_reach().is_some() || update.mp_unreach().is_some() {
            (announced, withdrawn) = (0, 0);
            each_route(update, &mut |route| *if route.withdrawn { &mut withdrawn } else { &mut announced } += 1);
        }
        if withdraws(update) {
            self.treated_as_withdraw += 1;
            self.withdrawn += withdrawn + announced;
        } else {
            self.discarded += u64::from(update.action().is_some());
            self.announced += announced;
            self.withdrawn += withdrawn;
        }
    }

    /// The lines at the end, for the file of this name and so many records (or packets) and octets.
    pub(super) fn text(&self, name: &str, read: &str) -> String {
        let mut text = format!("{name}: {read}");
        let list = |items: &[(u64, &str, &str)]| {
            let items = items.iter().filter(|(count, ..)| *count > 0);
            let worded =
                items.map(|(count, one, many)| format!("{} {}", grouped(*count), if *count == 1 { one } else { many }));
            worded.collect::<Vec<_>>().join(", ")
        };
        let lines = [
            list(&[
                (self.updates, "UPDATE", "UPDATEs"),
                (self.opens, "OPEN", "OPENs"),
                (self.keepalives, "KEEPALIVE", "KEEPALIVEs"),
                (self.notifications, "NOTIFICATION", "NOTIFICATIONs"),
                (self.refreshes, "ROUTE-REFRESH", "ROUTE-REFRESHes"),
                (self.state_changes, "state change", "state changes"),
                (self.others, "record of another kind", "records of other kinds"),
            ]),
            list(&[
                (self.table_routes, "route in tables", "routes in tables"),
                (self.announced, "route announced", "routes announced"),
                (self.withdrawn, "route withdrawn", "routes withdrawn"),
                (self.peers.len() as u64, "peer", "peers"),
            ]),
            list(&[
                (self.treated_as_withdraw, "UPDATE treated as withdrawal", "UPDATEs treated as withdrawals"),
                (self.discarded, "UPDATE with an attribute discarded", "UPDATEs with an attribute discarded"),
                (self.malformed, "message that ends its session", "messages that end their session"),
                (self.unreadable, "fault in the file", "faults in the file"),
            ]),
        ];
        for line in lines.iter().filter(|line| !line.is_empty()) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {line}");
        }
        let _ = write!(text, "\n  {} shown", grouped(self.shown));
        text
    }
}

/// The address that routes are shown with: of two, the global one.
pub(super) fn address(next_hop: NextHop) -> IpAddr {
    match next_hop {
        NextHop::Ipv4(address) => address.into(),
        NextHop::Ipv6(address) | NextHop::Ipv6LinkLocal { global: address, .. } => address.into(),
    }
}
