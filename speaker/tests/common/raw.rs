//! A neighbour made by hand: a socket, and octets that a test writes and reads.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bgp_wire::{
    AfiSafi, Capability, DecodeCtx, EncodeCtx, Message, Notification, OpenBuf, RefreshSubtype, RouteRefresh,
    UpdateEncoder, frame,
};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::DEADLINE;

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    buffer: BytesMut,
}

pub(crate) const CTX: DecodeCtx = DecodeCtx {
    as4: true,
    add_path: bgp_wire::FamilySet::EMPTY,
    extended_message: false,
    extended_next_hop: bgp_wire::FamilySet::EMPTY,
    peer: bgp_wire::PeerKind::External,
};

impl Raw {
    /// A connection from an address.
    pub(crate) async fn connect(from: IpAddr, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        let stream = socket.connect(to).await.unwrap();
        Self { stream, buffer: BytesMut::new() }
    }

    /// A session: OPEN with both families and four-octet AS numbers, and KEEPALIVE, both ways.
    pub(crate) async fn establish(from: IpAddr, to: SocketAddr, asn: u32) -> Self {
        Self::offering(from, to, asn, &[]).await
    }

    /// A session with further capabilities in the OPEN.
    pub(crate) async fn offering(from: IpAddr, to: SocketAddr, asn: u32, more: &[Capability]) -> Self {
        let mut raw = Self::connect(from, to).await;
        let IpAddr::V4(identifier) = from else { panic!("IPv4 addresses only") };
        let mut open = OpenBuf {
            asn,
            hold_time: 90,
            identifier,
            capabilities: vec![
                Capability::FourOctetAs(asn),
                Capability::Multiprotocol(AfiSafi::IPV4_UNICAST),
                Capability::Multiprotocol(AfiSafi::IPV6_UNICAST),
                Capability::RouteRefresh,
            ],
        };
        open.capabilities.extend_from_slice(more);
        let mut message = BytesMut::new();
        open.encode(&mut message);
        message.extend_from_slice(&frame::KEEPALIVE_MESSAGE);
        raw.send(&message).await;
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let octets = raw.next().await.expect("the speaker answers the OPEN");
            seen.push(octets[18]);
        }
        assert_eq!(seen, [frame::OPEN, frame::KEEPALIVE]);
        raw
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    /// The next whole message; `None` when the speaker has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let read = async {
            loop {
                if let Some(len) = frame::peek(&self.buffer, frame::MAX_LEN).unwrap()
                    && self.buffer.len() >= len
                {
                    return Some(self.buffer.split_to(len).freeze());
                }
                if self.stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                    return None;
                }
            }
        };
        tokio::time::timeout(DEADLINE, read).await.expect("a message, or the end")
    }

    /// Reads on until a NOTIFICATION.
    pub(crate) async fn notification(&mut self) -> Notification {
        loop {
            let octets = self.next().await.expect("a NOTIFICATION before the end");
            if let Message::Notification(notification) = Message::parse(&octets, &CTX).unwrap() {
                return notification;
            }
        }
    }

    /// Reads on until an UPDATE that is no End-of-RIB.
    pub(crate) async fn update(&mut self) -> Bytes {
        loop {
            let octets = self.next().await.expect("an UPDATE before the end");
            if let Message::Update(update) = Message::parse(&octets, &CTX).unwrap()
                && update.end_of_rib().is_none()
            {
                return octets;
            }
        }
    }

    /// Reads on until a ROUTE-REFRESH request for a family.
    pub(crate) async fn refresh_request(&mut self, family: AfiSafi) {
        loop {
            let octets = self.next().await.expect("a ROUTE-REFRESH before the end");
            if let Message::RouteRefresh(refresh) = Message::parse(&octets, &CTX).unwrap()
                && refresh == (RouteRefresh { family, subtype: RefreshSubtype::Request })
            {
                return;
            }
        }
    }

    /// Reads on until a ROUTE-REFRESH of any kind, and says how many prefixes of IPv4 were announced on the way.
    pub(crate) async fn until_refresh(&mut self) -> (RouteRefresh, usize) {
        let mut announced = 0;
        loop {
            let octets = self.next().await.expect("a ROUTE-REFRESH before the end");
            match Message::parse(&octets, &CTX).unwrap() {
                Message::RouteRefresh(refresh) => return (refresh, announced),
                Message::Update(update) => announced += update.nlri().count(),
                _ => {}
            }
        }
    }

    /// Sends a ROUTE-REFRESH.
    pub(crate) async fn refresh(&mut self, family: AfiSafi, subtype: RefreshSubtype) {
        let mut message = BytesMut::new();
        RouteRefresh { family, subtype }.encode(&mut message);
        self.send(&message).await;
    }

    /// Whether the connection stands, as far as what has arrived says.
    pub(crate) async fn is_open(&mut self) -> bool {
        let mut octet = [0];
        match tokio::time::timeout(Duration::from_millis(1), self.stream.peek(&mut octet)).await {
            Ok(Ok(n)) => n > 0,
            Ok(Err(_)) => false,
            Err(_) => true,
        }
    }
}

/// An UPDATE with these path attributes and plain NLRI, both as octets.
pub(crate) fn update(attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let length = 23 + attributes.len() + nlri.len();
    let mut octets = vec![0xff; 16];
    octets.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    octets.extend_from_slice(&[frame::UPDATE, 0, 0]);
    octets.extend_from_slice(&u16::try_from(attributes.len()).unwrap().to_be_bytes());
    octets.extend_from_slice(attributes);
    octets.extend_from_slice(nlri);
    octets
}

/// ORIGIN, AS_PATH of one AS, and NEXT_HOP.
pub(crate) fn mandatory(origin: u8, asn: u32, next_hop: IpAddr) -> Vec<u8> {
    let IpAddr::V4(next_hop) = next_hop else { panic!("IPv4 addresses only") };
    let mut octets = vec![0x40, 1, 1, origin, 0x40, 2, 6, 2, 1];
    octets.extend_from_slice(&asn.to_be_bytes());
    octets.extend_from_slice(&[0x40, 3, 4]);
    octets.extend_from_slice(&next_hop.octets());
    octets
}

/// End-of-RIB of both families.
pub(crate) fn end_of_rib() -> BytesMut {
    let mut encoder = UpdateEncoder::new(EncodeCtx::default());
    let mut octets = BytesMut::new();
    encoder.end_of_rib(AfiSafi::IPV4_UNICAST, &mut octets);
    encoder.end_of_rib(AfiSafi::IPV6_UNICAST, &mut octets);
    octets
}
