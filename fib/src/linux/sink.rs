//! The kernel's routing tables as a [`Sink`].

use netlink_packet_core::{NetlinkBuffer, Parseable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteHeader, RouteMessage},
};

use super::{
    connection::Connection,
    message::{Standing, request, standing},
};
use crate::{Change, Dump, Foreign, InvalidRoute, PROTOCOL, Sink, SinkError};

/// The routing tables of the network namespace that it was opened in.
///
/// Changing them needs `CAP_NET_ADMIN` there.
pub struct Netlink {
    connection: Connection,
}

impl Netlink {
    /// Connects to the kernel.
    ///
    /// # Errors
    /// If there is no netlink. The right to change tables is not tried; the first change tells.
    pub fn open() -> Result<Self, SinkError> {
        Ok(Self { connection: Connection::open()? })
    }
}

impl Sink for Netlink {
    fn apply(&mut self, changes: &[Change<'_>]) -> Vec<Result<(), SinkError>> {
        let checks: Vec<Result<(), InvalidRoute>> = changes
            .iter()
            .map(|change| match change {
                Change::Add(route) | Change::Replace(route) => route.check(),
                Change::Remove(_) => Ok(()),
            })
            .collect();
        let valid = changes.iter().zip(&checks).filter(|(_, check)| check.is_ok()).map(|(change, _)| request(change));
        let mut answers = self.connection.request(valid).into_iter();
        changes
            .iter()
            .zip(checks)
            .map(|(change, check)| {
                check?;
                let answer = answers.next().unwrap_or(Err(SinkError::Unconfirmed));
                match (change, answer) {
                    // ESRCH: there was none.
                    (Change::Remove(_), Err(SinkError::Refused { errno: 3, .. })) => Ok(()),
                    (_, answer) => answer,
                }
            })
            .collect()
    }

    fn dump(&mut self) -> Result<Dump, SinkError> {
        let mut whole = Dump::default();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let found = dump_routes(&mut self.connection, family, |dump: &mut Dump, found| {
                let route = found.route;
                if found.protocol == PROTOCOL {
                    dump.ours.push(route);
                } else {
                    dump.foreign.push(Foreign {
                        table: route.table,
                        prefix: route.prefix,
                        metric: route.metric,
                        protocol: found.protocol,
                    });
                }
            })?;
            whole.ours.extend(found.ours);
            whole.foreign.extend(found.foreign);
        }
        Ok(whole)
    }
}

/// Reads all routes of a family into a collection.
pub(super) fn dump_routes<C: Default>(
    connection: &mut Connection,
    family: AddressFamily,
    mut add: impl FnMut(&mut C, Standing),
) -> Result<C, SinkError> {
    let mut ask = RouteMessage::default();
    ask.header.address_family = family;
    let mut found = C::default();
    connection.dump(&RouteNetlinkMessage::GetRoute(ask), |message| {
        match message {
            None => found = C::default(),
            Some(message) => {
                if let Some(route) = read_route(&message)? {
                    add(&mut found, route);
                }
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// Reads a route message, of the kernel's or of a notification.
///
/// One of another protocol that cannot be read is passed over; of ours it is an error.
pub(super) fn read_route(message: &NetlinkBuffer<&[u8]>) -> Result<Option<Standing>, SinkError> {
    let payload = message.payload();
    match RouteMessage::parse(payload) {
        Ok(route) => Ok(standing(&route)),
        Err(_) if protocol(payload) != Some(PROTOCOL) => Ok(None),
        Err(error) => Err(SinkError::Protocol(error.to_string())),
    }
}

/// The protocol number of a route message.
pub(super) fn protocol(payload: &[u8]) -> Option<u8> {
    RouteHeader::parse(payload).ok().map(|header| header.protocol.into())
}
