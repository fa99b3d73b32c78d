//! Router advertisements and solicitations (RFC 4861 sections 4.1 and 4.2), octets to meaning and back.
//!
//! The kernel computes and checks ICMPv6 checksums; the hop limit is for the caller to check.

use std::time::Duration;

/// The types of ICMPv6 messages that are looked at.
pub(super) const TYPES: [u8; 2] = [SOLICIT, ADVERTISE];

const SOLICIT: u8 = 133;
const ADVERTISE: u8 = 134;

/// What a neighbour said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// It is a router for so long; zero: no more.
    Advertisement(Duration),
    /// It wants to hear who is a router.
    Solicitation,
}

/// Reads an ICMPv6 message; `None` for any other and for one that sections 6.1.1 and 6.1.2 call invalid.
pub(super) fn read(octets: &[u8]) -> Option<Message> {
    match octets {
        // Hop limit and flags, the lifetime, then two times of four octets.
        [ADVERTISE, 0, _, _, _, _, high, low, _, _, _, _, _, _, _, _, options @ ..] if are_sound(options) => {
            let seconds = u16::from_be_bytes([*high, *low]);
            Some(Message::Advertisement(Duration::from_secs(seconds.into())))
        }
        [SOLICIT, 0, _, _, _, _, _, _, options @ ..] if are_sound(options) => Some(Message::Solicitation),
        _ => None,
    }
}

fn are_sound(mut options: &[u8]) -> bool {
    while let [_, length, ..] = options {
        // In units of eight octets, the first two included.
        match options.get(usize::from(*length) * 8..) {
            Some(rest) if *length > 0 => options = rest,
            _ => return false,
        }
    }
    options.is_empty()
}

/// An advertisement that says nothing but that we are a router for so many seconds.
pub(super) fn advertisement(lifetime: u16) -> [u8; 16] {
    const HOP_LIMIT: u8 = 64;
    let [high, low] = lifetime.to_be_bytes();
    [ADVERTISE, 0, 0, 0, HOP_LIMIT, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// A solicitation.
pub(super) const SOLICITATION: [u8; 8] = [SOLICIT, 0, 0, 0, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_say_is_understood() {
        assert_eq!(read(&advertisement(18)), Some(Message::Advertisement(Duration::from_secs(18))));
        assert_eq!(read(&advertisement(0)), Some(Message::Advertisement(Duration::ZERO)));
        assert_eq!(read(&SOLICITATION), Some(Message::Solicitation));
    }

    #[test]
    fn options_are_passed_over_and_malformed_ones_void_the_message() {
        let mut octets = advertisement(30).to_vec();
        octets.extend_from_slice(&[1, 1, 2, 0, 0, 0, 0, 1]);
        assert_eq!(read(&octets), Some(Message::Advertisement(Duration::from_secs(30))));
        for end in [&[1, 0, 0, 0, 0, 0, 0, 0][..], &[1, 2, 0, 0, 0, 0, 0, 0], &[1]] {
            let octets = [&advertisement(30)[..], end].concat();
            assert_eq!(read(&octets), None, "{end:?}");
        }
        assert_eq!(read(&advertisement(18)[..15]), None);
        assert_eq!(read(&[128, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
