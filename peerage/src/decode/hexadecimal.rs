//! `--hex`: messages as somebody pasted them.

use std::io::{self, Read as _};

use bgp_wire::{DecodeCtx, FamilySet, PeerKind, frame};

use super::Assumed;
use super::show::Show;
use super::sighting::{Seen, Sighting, What};

/// Shows the messages in `texts`, each one or several in a row, or in standard input; whether all could be read.
pub(super) fn run(texts: &[String], assumed: Assumed, show: &mut Show) -> io::Result<bool> {
    show.start("hex");
    let mut octets = 0;
    if texts.is_empty() {
        let mut text = String::new();
        match io::stdin().read_to_string(&mut text) {
            Ok(_) => octets += messages(&text, assumed, show)?,
            Err(error) => show.unreadable(&format!("standard input: {error}")),
        }
    }
    for text in texts {
        octets += messages(text, assumed, show)?;
    }
    show.read = format!("{octets} octets");
    show.finish()
}

/// How messages of a session that is not known are read.
pub(super) fn ctx(assumed: Assumed) -> DecodeCtx {
    DecodeCtx {
        as4: assumed.as4,
        add_path: if assumed.add_path { FamilySet::ALL } else { FamilySet::EMPTY },
        extended_message: true,
        extended_next_hop: FamilySet::ALL,
        peer: PeerKind::Unknown,
    }
}

/// How many octets the text has.
fn messages(text: &str, assumed: Assumed, show: &mut Show) -> io::Result<usize> {
    let digits: String =
        text.replace("0x", "").chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | ',')).collect();
    let Some(octets) = super::from_hex(&digits) else {
        let wrong = digits.chars().find(|c| !c.is_ascii_hexdigit());
        show.unreadable(&match wrong {
            Some(c) => format!("`{c}` is no hexadecimal digit"),
            None => "an odd number of hexadecimal digits".to_owned(),
        });
        return Ok(0);
    };
    let ctx = ctx(assumed);
    let mut at = 0;
    while at < octets.len() {
        let rest = &octets[at..];
        let len = match frame::peek(rest, ctx.max_len()) {
            Ok(Some(len)) if len <= rest.len() => len,
            // A message of its own length that is wrong in itself is shown as such.
            Err(_) if rest.starts_with(&[0xff; 16]) && told_len(rest).is_some() => told_len(rest).unwrap_or(rest.len()),
            Ok(_) => {
                show.unreadable(&format!("octet {at}: the message is cut short"));
                break;
            }
            Err(error) => {
                show.unreadable(&format!("octet {at}: {error}"));
                break;
            }
        };
        let what = What::Message(Seen::new(&rest[..len], &ctx, false));
        show.sighting(&Sighting { time: None, peer: None, local: None, what })?;
        at += len;
    }
    Ok(octets.len())
}

/// The length that the header tells, if so many octets are there.
fn told_len(octets: &[u8]) -> Option<usize> {
    let len = usize::from(u16::from_be_bytes([*octets.get(16)?, *octets.get(17)?]));
    (frame::HEADER_LEN..=octets.len()).contains(&len).then_some(len)
}
