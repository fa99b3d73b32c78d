//! What the targets share: how the first octets of an input say in which context the rest is to be read, and the naive decoder of
//! bgp-wire's own tests.

use bgp_wire::{AfiSafi, DecodeCtx, FamilySet, PeerKind, frame};

#[path = "../../bgp-wire/tests/naive/mod.rs"]
pub mod naive;

/// The context that two octets stand for. Of the first: AS numbers of four octets, extended messages, the peer in two bits, IPv6 next
/// hops. Of the second: the families with path identifiers, one bit for two of them.
pub fn context([choice, families]: [u8; 2]) -> DecodeCtx {
    let add_path = FamilySet::ALL.iter().enumerate().filter(|(at, _)| families >> (at % 8) & 1 == 1);
    DecodeCtx {
        as4: choice & 1 != 0,
        extended_message: choice & 2 != 0,
        peer: [PeerKind::External, PeerKind::Internal, PeerKind::Confederation, PeerKind::Unknown]
            [usize::from(choice >> 2 & 3)],
        extended_next_hop: if choice & 16 != 0 { FamilySet::ALL } else { FamilySet::EMPTY },
        add_path: add_path.map(|(_, family)| family).collect(),
    }
}

/// The families that one octet chooses from: those the crate reads, some it tells apart, some it does not know.
pub fn family(choice: u8) -> AfiSafi {
    let others = [(1, 5), (25, 65), (1, 73), (16388, 71), (1, 66), (3, 1)].map(|(afi, safi)| AfiSafi::new(afi, safi));
    let families: Vec<AfiSafi> = FamilySet::ALL.iter().chain(others).collect();
    families[usize::from(choice) % families.len()]
}

/// A whole message of this type; `None` if the body is longer than a message can be.
pub fn message(kind: u8, body: &[u8]) -> Option<Vec<u8>> {
    let mut octets = frame::KEEPALIVE_MESSAGE.to_vec();
    octets.extend_from_slice(body);
    let length = u16::try_from(octets.len()).ok()?;
    octets[16..18].copy_from_slice(&length.to_be_bytes());
    octets[18] = kind;
    Some(octets)
}

/// The input of the targets that read an UPDATE: two octets of context, and the body.
pub fn update(input: &[u8]) -> Option<(DecodeCtx, Vec<u8>)> {
    let (choice, body) = input.split_first_chunk()?;
    Some((context(*choice), message(frame::UPDATE, body)?))
}
