//! Whole MRT files: every value of every message and route, against bgpkit-parser and the program bgpdump.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bgp_wire::mrt::{Body, PeerMessage, Reader};
use bgp_wire::{Attributes, Message};
use bgpkit_parser::BgpkitParser;
use bgpkit_parser::models::{Bgp4MpEnum, MrtMessage, TableDumpV2Message};

use crate::others::bgpkit_parser_crate as bgpkit;
use crate::ours;

/// A file, uncompressed, and the same on disk for bgpdump.
pub(crate) struct File {
    pub(crate) octets: Vec<u8>,
    path: PathBuf,
}

impl File {
    pub(crate) fn new(name: &str, octets: Vec<u8>) -> std::io::Result<Self> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::File::create(&path)?.write_all(&octets)?;
        Ok(Self { octets, path })
    }

    /// Routes and messages that bgp-wire reads in the file.
    pub(crate) fn entries(&self) -> usize {
        Reader::new(&self.octets)
            .flatten()
            .map(|record| match record.body {
                Body::Message(_) => 1,
                Body::Table(routes) => routes.iter().count(),
                Body::Rib(rib) => rib.entries().count(),
                _ => 0,
            })
            .sum()
    }

    /// Routes and messages that bgpkit-parser reads in the file.
    pub(crate) fn bgpkit_entries(&self) -> usize {
        BgpkitParser::from_reader(&self.octets[..])
            .disable_warnings()
            .into_record_iter()
            .map(|record| match &record.message {
                MrtMessage::Bgp4Mp(Bgp4MpEnum::Message(_)) | MrtMessage::TableDumpMessage(_) => 1,
                MrtMessage::TableDumpV2Message(TableDumpV2Message::RibAfi(rib)) => rib.rib_entries.len(),
                _ => 0,
            })
            .sum()
    }

    /// UPDATEs of which an attribute does not stand.
    pub(crate) fn faulty(&self) -> usize {
        let faulty = |message: PeerMessage<'_>| matches!(Message::parse(message.message, &message.ctx()), Ok(Message::Update(update)) if update.action().is_some());
        Reader::new(&self.octets)
            .flatten()
            .filter(|record| matches!(record.body, Body::Message(message) if faulty(message)))
            .count()
    }

    /// Every value, with bgp-wire.
    pub(crate) fn ours(&self) -> u64 {
        let mut total = 0u64;
        for record in Reader::new(&self.octets).flatten() {
            let sum = match record.body {
                Body::Message(message) => match Message::parse(message.message, &message.ctx()) {
                    Ok(Message::Update(update)) => ours::everything_of(&update),
                    _ => 0,
                },
                Body::Table(routes) => {
                    routes.iter().fold(0, |sum: u64, route| sum.wrapping_add(route_of(&route.attributes())))
                }
                Body::Rib(rib) => {
                    rib.entries().fold(0, |sum: u64, entry| sum.wrapping_add(route_of(&entry.attributes())))
                }
                _ => 0,
            };
            total = total.wrapping_add(sum);
        }
        total
    }

    /// Every value, with bgpkit-parser.
    pub(crate) fn bgpkit(&self) -> u64 {
        let mut total = 0u64;
        for record in BgpkitParser::from_reader(&self.octets[..]).disable_warnings().into_record_iter() {
            match &record.message {
                MrtMessage::Bgp4Mp(Bgp4MpEnum::Message(message)) => {
                    bgpkit::everything_of(&mut total, &message.bgp_message);
                }
                MrtMessage::TableDumpMessage(route) => {
                    route.attributes.iter().for_each(|attribute| bgpkit::attribute_of(&mut total, attribute));
                }
                MrtMessage::TableDumpV2Message(TableDumpV2Message::RibAfi(rib)) => {
                    for entry in &rib.rib_entries {
                        entry.attributes.iter().for_each(|attribute| bgpkit::attribute_of(&mut total, attribute));
                    }
                }
                _ => {}
            }
        }
        total
    }

    /// The file printed by bgpdump, one line for a route; the text goes nowhere.
    pub(crate) fn bgpdump(&self) -> std::io::Result<()> {
        let status = self.bgpdump_to(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("bgpdump: {status}"))) }
    }

    /// How many lines that are.
    pub(crate) fn bgpdump_lines(&self) -> std::io::Result<usize> {
        let output = self.bgpdump_to(Stdio::piped()).output()?;
        Ok(output.stdout.iter().filter(|octet| **octet == b'\n').count())
    }

    fn bgpdump_to(&self, output: Stdio) -> Command {
        let mut command = Command::new("bgpdump");
        command.args(["-q", "-m"]).arg(&self.path).stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
        command
    }
}

fn route_of(attributes: &Attributes<'_>) -> u64 {
    ours::attributes_of(attributes).wrapping_add(attributes.next_hop().map_or(0, |hop| hop.to_bits().into()))
}
