//! The raw ICMPv6 socket and a look at the system's interfaces. It decides nothing.

use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::message::TYPES;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// What messages that are believed carry: a router would have made it less (RFC 4861 section 6.1).
const HOP_LIMIT: u8 = 255;

/// Hears and says who is a router, on all interfaces.
#[derive(Debug)]
pub(super) struct Icmp(
    /// A raw socket; the type is that of tokio's handle for whatever gives datagrams.
    UdpSocket,
);

/// A message from the link.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) octets: Vec<u8>,
    pub(super) from: Ipv6Addr,
    /// The number of the interface.
    pub(super) interface: u32,
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum To {
    Nodes,
    Routers,
    One(Ipv6Addr),
}

impl Icmp {
    /// Opens the socket.
    ///
    /// # Errors
    /// What the kernel said: `PermissionDenied` without CAP_NET_RAW.
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
        socket.set_nonblocking(true)?;
        socket.set_unicast_hops_v6(HOP_LIMIT.into())?;
        socket.set_multicast_hops_v6(HOP_LIMIT.into())?;
        // An address that is ours may be the neighbour's as well: addresses of links are told apart by their link alone.
        socket.set_multicast_loop_v6(false)?;
        setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        // Load the type; if it is one of the two keep all, else nothing.
        let [first, second] = TYPES;
        socket.attach_filter(&[
            SockFilter::new(0x30, 0, 0, 0),
            SockFilter::new(0x15, 1, 0, first.into()),
            SockFilter::new(0x15, 0, 1, second.into()),
            SockFilter::new(0x06, 0, 0, u32::MAX),
            SockFilter::new(0x06, 0, 0, 0),
        ])?;
        UdpSocket::from_std(socket.into()).map(Self)
    }

    /// Hears what is said to routers on an interface; joining again does nothing.
    pub(super) fn join(&self, interface: u32) -> io::Result<()> {
        match SockRef::from(&self.0).join_multicast_v6(&ALL_ROUTERS, interface) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
            other => other,
        }
    }

    pub(super) fn send(&self, octets: &[u8], to: To, interface: u32) -> io::Result<()> {
        let address = match to {
            To::Nodes => ALL_NODES,
            To::Routers => ALL_ROUTERS,
            To::One(address) => address,
        };
        let address = SocketAddrV6::new(address, 0, 0, interface);
        SockRef::from(&self.0).send_to(octets, &address.into()).map(drop)
    }

    /// The next message that comes from the link itself. Cancel safe.
    pub(super) async fn receive(&self) -> io::Result<Received> {
        loop {
            self.0.readable().await?;
            match self.0.try_io(Interest::READABLE, || receive(&self.0)) {
                Ok(Some(received)) => return Ok(received),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// One message; `None` if it is not to be believed.
fn receive(socket: &UdpSocket) -> io::Result<Option<Received>> {
    let mut octets = vec![0; 1500];
    let mut control = nix::cmsg_space!(i32);
    let mut parts = [IoSliceMut::new(&mut octets)];
    let message = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let near = message
        .cmsgs()?
        .any(|part| matches!(part, ControlMessageOwned::Ipv6HopLimit(limit) if limit == i32::from(HOP_LIMIT)));
    let (from, length) = (message.address, message.bytes);
    octets.truncate(length);
    let from = from.filter(|from| near && from.scope_id() != 0);
    Ok(from.map(|from| Received { octets, from: from.ip(), interface: from.scope_id() }))
}

/// An interface of the system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) index: u32,
    pub(super) running: bool,
    /// It has a link-local address, without which nothing can be said on it.
    pub(super) link_local: bool,
    /// The other address of its IPv4 network, if that has two: a /30 or /31.
    pub(super) other_end: Option<Ipv4Addr>,
}

/// The system's interfaces by name.
pub(super) fn interfaces() -> io::Result<BTreeMap<String, Interface>> {
    let mut interfaces: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in getifaddrs()? {
        let interface = interfaces.entry(entry.interface_name).or_default();
        interface.running = entry.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
        let Some(address) = entry.address else { continue };
        if let Some(address) = address.as_sockaddr_in6() {
            interface.link_local |= address.ip().is_unicast_link_local();
        } else if let Some(address) = address.as_sockaddr_in()
            && let Some(mask) = entry.netmask.as_ref().and_then(|mask| mask.as_sockaddr_in())
        {
            interface.other_end = interface.other_end.or(other_end(address.ip(), mask.ip()));
        }
    }
    for (name, interface) in &mut interfaces {
        // One that has gone meanwhile has no number, and counts as not there.
        interface.index = if_nametoindex(name.as_str()).unwrap_or(0);
    }
    interfaces.retain(|_, interface| interface.index != 0);
    Ok(interfaces)
}

fn other_end(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    match (mask.to_bits().leading_ones(), bits & 3) {
        (31, _) => Some(Ipv4Addr::from_bits(bits ^ 1)),
        (30, 1 | 2) => Some(Ipv4Addr::from_bits(bits ^ 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_is_known_of_networks_of_two_addresses_alone() {
        let other = |address: &str, length: u32| {
            let mask = Ipv4Addr::from_bits(u32::MAX << (32 - length));
            other_end(address.parse().unwrap(), mask).map(|address| address.to_string())
        };
        assert_eq!(other("10.0.0.0", 31).as_deref(), Some("10.0.0.1"));
        assert_eq!(other("10.0.0.5", 31).as_deref(), Some("10.0.0.4"));
        assert_eq!(other("10.0.0.1", 30).as_deref(), Some("10.0.0.2"));
        assert_eq!(other("10.0.0.6", 30).as_deref(), Some("10.0.0.5"));
        assert_eq!(other("10.0.0.4", 30), None);
        assert_eq!(other("10.0.0.1", 29), None);
    }
}
