//! Which peers and routes are asked for.

use bgp_wire::{Action, AsPath, Message, Update};
use ipnet::IpNet;

use super::sighting::{Sighting, What, each_route};

/// What is asked for: of the prefixes any, of each list of AS numbers any, and all that is not empty.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) exact: Vec<IpNet>,
    pub(super) longer: Vec<IpNet>,
    pub(super) covering: Vec<IpNet>,
    pub(super) peer_as: Vec<u32>,
    pub(super) origin_as: Vec<u32>,
    pub(super) in_path: Vec<u32>,
}

impl Filter {
    /// Whether only some prefixes are asked for.
    pub(super) fn asks_prefixes(&self) -> bool {
        !(self.exact.is_empty() && self.longer.is_empty() && self.covering.is_empty())
    }

    fn asks_paths(&self) -> bool {
        !(self.origin_as.is_empty() && self.in_path.is_empty())
    }

    /// Whether routes to this prefix are asked for; `None` is a route that has none.
    pub(super) fn prefix(&self, prefix: Option<IpNet>) -> bool {
        if !self.asks_prefixes() {
            return true;
        }
        let Some(prefix) = prefix else { return false };
        self.exact.iter().any(|asked| asked.trunc() == prefix)
            || self.longer.iter().any(|asked| asked.contains(&prefix))
            || self.covering.iter().any(|asked| prefix.contains(asked))
    }

    /// Whether routes with this path are asked for; `None` is that of a withdrawal.
    pub(super) fn path(&self, path: Option<AsPath<'_>>) -> bool {
        if !self.asks_paths() {
            return true;
        }
        let Some(path) = path else { return false };
        let originates = || path.origin_as().is_some_and(|asn| self.origin_as.contains(&asn));
        (self.origin_as.is_empty() || originates())
            && (self.in_path.is_empty() || path.asns().any(|asn| self.in_path.contains(&asn)))
    }

    /// Whether anything of it is asked for.
    pub(super) fn sighting(&self, sighting: &Sighting<'_>) -> bool {
        if !self.peer_as.is_empty() {
            // A table of peers is nothing that a peer sent.
            let asn = sighting.peer.and_then(|peer| peer.asn);
            if !asn.is_some_and(|asn| self.peer_as.contains(&asn)) {
                return false;
            }
        }
        if !self.asks_prefixes() && !self.asks_paths() {
            return true;
        }
        match &sighting.what {
            What::Message(seen) => matches!(&seen.message, Ok(Message::Update(update)) if self.update(update)),
            What::Route(route) => self.prefix(route.prefix) && self.path(Some(route.attributes.as_path())),
            What::StateChange { .. } | What::Peers(_) | What::Other { .. } => false,
        }
    }

    fn update(&self, update: &Update<'_>) -> bool {
        let (announced, withdrawn) = (self.path(Some(update.attributes().as_path())), self.path(None));
        if !announced && !withdrawn {
            return false;
        }
        let mut asked = false;
        each_route(update, &mut |route| {
            asked |= self.prefix(route.prefix) && if route.withdrawn { withdrawn } else { announced };
        });
        asked
    }

    /// Whether this route of an UPDATE is asked for, given whether its path is.
    pub(super) fn route(&self, withdrawn: bool, prefix: Option<IpNet>, path: bool) -> bool {
        self.prefix(prefix) && if withdrawn { !self.asks_paths() } else { path }
    }
}

/// Whether RFC 7606 has the routes that the UPDATE announces count as withdrawn.
pub(super) fn withdraws(update: &Update<'_>) -> bool {
    update.action() >= Some(Action::TreatAsWithdraw)
}
