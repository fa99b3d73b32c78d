//! A hash whose values do not change between releases and machines, for identifiers that are written down.

const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;

/// FNV-1a with 128 bits, then stirred so that every bit depends on every octet.
pub(crate) fn fnv1a_128(bytes: &[u8]) -> u128 {
    let step = |hash: u128, byte: &u8| (hash ^ u128::from(*byte)).wrapping_mul(PRIME);
    let hash = bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, step);
    (0..4).fold(hash, |hash, _| (hash ^ hash >> 59).wrapping_mul(PRIME * 0x9e37_79b9))
}
