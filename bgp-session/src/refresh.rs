//! Asking the neighbour for its routes again (RFC 2918), one request per family at a time.
//!
//! A neighbour that is answering one request may take another as part of it, although what it sent by then was judged by an
//! older policy. With the marks of RFC 7313 the end of an answer is known, so a request that comes meanwhile waits for it.

use core::time::Duration;

use bgp_wire::{AfiSafi, RefreshSubtype, RouteRefresh};
use bytes::BytesMut;

use crate::{Instant, Session};

/// A neighbour that has not ended its answer by then is asked again all the same.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request that the neighbour has not finished answering.
#[derive(Debug)]
pub(crate) struct Asked {
    family: AfiSafi,
    at: Instant,
    /// Ask once more when the answer ends.
    again: bool,
}

impl Session {
    /// Asks for the routes of a family, now or when the answer to the last request ends.
    pub(crate) fn request_refresh(&mut self, now: Instant, family: AfiSafi) {
        let Some(connection) = self.established() else { return };
        let Some(terms) = self.negotiated() else { return };
        if !terms.route_refresh || !terms.families.contains(family) {
            return;
        }
        if terms.enhanced_route_refresh {
            match self.asked.iter_mut().find(|asked| asked.family == family) {
                Some(asked) if now < asked.at + PATIENCE => {
                    asked.again = true;
                    return;
                }
                Some(asked) => *asked = Asked { family, at: now, again: false },
                None => self.asked.push(Asked { family, at: now, again: false }),
            }
        }
        let mut message = BytesMut::with_capacity(RouteRefresh::LEN);
        RouteRefresh { family, subtype: RefreshSubtype::Request }.encode(&mut message);
        self.send_urgent(now, connection, message.freeze());
    }

    /// The neighbour has ended its answer for a family.
    pub(crate) fn refreshed(&mut self, now: Instant, family: AfiSafi) {
        let Some(position) = self.asked.iter().position(|asked| asked.family == family) else { return };
        if self.asked.swap_remove(position).again {
            self.request_refresh(now, family);
        }
    }
}
