//! `--pcap`: packets off a capture file, down to the TCP segments of BGP sessions.
//!
//! Owns what lies below TCP; the crates it uses know the formats. Putting the segments together is [`super::tcp`]'s job.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use bgp_wire::mrt::Decompressed;
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice, ip_number};
use pcap_parser::{Block, InterfaceDescriptionBlock, PcapBlockOwned, PcapError, create_reader};

use super::Assumed;
use super::show::Show;
use super::sighting::Time;
use super::tcp::{Segment, Sessions};
use crate::output::grouped;

const BGP_PORT: u16 = 179;

/// Octets of the file held at once, to begin with and at most: a block has to fit.
const CHUNK: usize = 1 << 20;
const LIMIT: usize = 64 << 20;

/// Shows every message. What cannot be read is told and passed over.
pub(super) fn run(file: Box<dyn Read + Send>, assumed: Assumed, show: &mut Show) -> io::Result<()> {
    let reader = Decompressed::new(file).map(Full);
    let opened = reader
        .map_err(|error| error.to_string())
        .and_then(|reader| create_reader(CHUNK, reader).map_err(|_| "neither pcap nor pcapng".to_owned()));
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(problem) => {
            show.unreadable(&problem);
            return Ok(());
        }
    };
    let mut capture =
        Capture { sessions: Sessions::new(assumed), links: Vec::new(), packets: 0, fragments: 0, foreign: 0 };
    let mut room = CHUNK;
    loop {
        let error = match reader.next() {
            Ok((len, block)) => {
                capture.block(&block, show)?;
                reader.consume(len);
                continue;
            }
            Err(error) => Stop::of(&error),
        };
        let problem = match error {
            Stop::MoreNeeded if reader.refill().is_ok() => continue,
            Stop::MoreRoom => {
                room *= 2;
                if room <= LIMIT && reader.grow(room) {
                    continue;
                }
                "a block is longer than any packet"
            }
            Stop::End => break,
            Stop::Torn if reader.data().is_empty() => break,
            Stop::Torn => "the file ends within a block",
            Stop::MoreNeeded | Stop::Failed => "the file cannot be read on",
            Stop::Wrong => "the block is none",
        };
        show.unreadable(&format!("octet {}: {problem}", reader.consumed()));
        break;
    }
    capture.finish(show)
}

/// Why the reader gave no block.
enum Stop {
    MoreNeeded,
    MoreRoom,
    End,
    Torn,
    Failed,
    Wrong,
}

impl Stop {
    fn of<I>(error: &PcapError<I>) -> Self {
        match error {
            PcapError::Incomplete(_) => Self::MoreNeeded,
            PcapError::BufferTooSmall => Self::MoreRoom,
            PcapError::Eof => Self::End,
            PcapError::UnexpectedEof => Self::Torn,
            PcapError::ReadError => Self::Failed,
            _ => Self::Wrong,
        }
    }
}

struct Capture {
    sessions: Sessions,
    /// By interface: the link type, and how its times are to be read.
    links: Vec<Link>,
    packets: u64,
    fragments: u64,
    foreign: u64,
}

#[derive(Clone, Copy)]
struct Link {
    kind: i32,
    /// Units of time per second.
    resolution: u64,
    /// Seconds to be added.
    offset: i64,
}

impl Link {
    fn of(interface: &InterfaceDescriptionBlock<'_>) -> Self {
        let unit = interface.if_tsresol;
        let resolution =
            if unit & 0x80 == 0 { 10u64.checked_pow(unit.into()) } else { 1u64.checked_shl(u32::from(unit & 0x7f)) };
        // What no clock has is read as the default, microseconds.
        let resolution = resolution.filter(|units| *units > 0).unwrap_or(1_000_000);
        Self { kind: interface.linktype.0, resolution, offset: interface.if_tsoffset }
    }

    fn time(&self, units: u64) -> Time {
        let seconds = (units / self.resolution).wrapping_add_signed(self.offset);
        let microseconds = u128::from(units % self.resolution) * 1_000_000 / u128::from(self.resolution);
        Time { seconds: seconds as u32, microseconds: Some(microseconds as u32) }
    }
}

impl Capture {
    fn block(&mut self, block: &PcapBlockOwned<'_>, show: &mut Show) -> io::Result<()> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                self.links = vec![Link { kind: header.network.0, resolution, offset: 0 }];
            }
            PcapBlockOwned::Legacy(packet) => {
                let Some(link) = self.links.first().copied() else { return Ok(()) };
                let units =
                    u64::from(packet.ts_sec).saturating_mul(link.resolution).saturating_add(packet.ts_usec.into());
                self.packet(link, link.time(units), packet.data, show)?;
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.links.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => self.links.push(Link::of(interface)),
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let Some(link) = self.links.get(packet.if_id as usize).copied() else {
                    show.unreadable(&format!("a packet of interface {}, which is not described", packet.if_id));
                    return Ok(());
                };
                let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let data = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
                self.packet(link, link.time(units), data, show)?;
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let Some(link) = self.links.first().copied() else { return Ok(()) };
                let data = packet.data.get(..packet.origlen as usize).unwrap_or(packet.data);
                self.packet(link, Time { seconds: 0, microseconds: None }, data, show)?;
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(())
    }

    fn packet(&mut self, link: Link, time: Time, octets: &[u8], show: &mut Show) -> io::Result<()> {
        self.packets += 1;
        let Some(packet) = below_tcp(link.kind, octets) else {
            self.foreign += 1;
            return Ok(());
        };
        let addresses: Option<(IpAddr, IpAddr)> = match &packet.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                Some((ip.header().source_addr().into(), ip.header().destination_addr().into()))
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                Some((ip.header().source_addr().into(), ip.header().destination_addr().into()))
            }
            _ => None,
        };
        let fragment = packet
            .net
            .as_ref()
            .and_then(LaxNetSlice::ip_payload_ref)
            .is_some_and(|payload| payload.fragmented && payload.ip_number == ip_number::TCP);
        self.fragments += u64::from(fragment);
        let (Some((source, destination)), Some(TransportSlice::Tcp(tcp))) = (addresses, &packet.transport) else {
            return Ok(());
        };
        if fragment || (tcp.source_port() != BGP_PORT && tcp.destination_port() != BGP_PORT) {
            return Ok(());
        }
        let segment = Segment {
            time,
            from: SocketAddr::new(source, tcp.source_port()),
            to: SocketAddr::new(destination, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
            syn: tcp.syn(),
            ends: tcp.fin() || tcp.rst(),
            octets: tcp.payload(),
        };
        self.sessions.segment(&segment, show)
    }

    fn finish(mut self, show: &mut Show) -> io::Result<()> {
        self.sessions.finish(show)?;
        if self.fragments > 0 {
            show.unreadable(&format!(
                "{} fragments of IP packets with TCP, which are not put together",
                self.fragments
            ));
        }
        if self.foreign > 0 {
            show.unreadable(&format!("{} packets of a link type that is not read", self.foreign));
        }
        show.read = format!(
            "{} packets, {} of them of {} BGP sessions",
            grouped(self.packets),
            grouped(self.sessions.segments),
            grouped(self.sessions.count)
        );
        Ok(())
    }
}

/// The packet by its link type, as the registry of pcap numbers them. `None` for a type that is not read, and for what is no packet.
fn below_tcp(kind: i32, octets: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    let typed =
        |kind: &[u8; 2], rest| Some(LaxSlicedPacket::from_ether_type(EtherType(u16::from_be_bytes(*kind)), rest));
    match kind {
        // Ethernet.
        1 => LaxSlicedPacket::from_ethernet(octets).ok(),
        // The address family in the byte order of some machine, then IP.
        0 | 108 => LaxSlicedPacket::from_ip(octets.get(4..)?).ok(),
        // IP without anything before it.
        12 | 14 | 101 | 228 | 229 => LaxSlicedPacket::from_ip(octets).ok(),
        // Linux cooked, both versions.
        113 => typed(octets.get(14..)?.first_chunk()?, octets.get(16..)?),
        276 => typed(octets.first_chunk()?, octets.get(20..)?),
        _ => None,
    }
}

/// A reader that gives as much as is asked for, short of the end.
struct Full<R>(R);

impl<R: Read> Read for Full<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What came before the failure is given first; it comes again at the next call.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
