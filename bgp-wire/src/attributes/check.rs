//! The rule that each attribute is held against.

use super::{RawAttribute, code, expected_flags, flag, read_aggregator};
use crate::{Action, DecodeCtx, ErrorCode, PeerKind, as_path, prefix_sid, tunnel};

/// Holds an attribute of a known type, other than the two multiprotocol ones, against its rule: RFC 7606 section 7, RFC 6793 section 6,
/// RFC 8092 section 6, RFC 9234 section 5. The flags are checked by the caller unless the attribute is unexpected.
#[inline]
pub(crate) fn check(attribute: &RawAttribute<'_>, ctx: &DecodeCtx) -> Result<(), (Action, ErrorCode)> {
    use Action::{AttributeDiscard, TreatAsWithdraw};
    let value = attribute.value;
    let external = ctx.peer == PeerKind::External;
    let unexpected = match attribute.code {
        code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST => external,
        code::AS4_PATH | code::AS4_AGGREGATOR => ctx.as4 && ctx.peer != PeerKind::Unknown,
        _ => false,
    };
    if unexpected {
        return Err((AttributeDiscard, ErrorCode::UnexpectedAttribute));
    }
    if (attribute.flags ^ expected_flags(attribute.code)) & (flag::OPTIONAL | flag::TRANSITIVE) != 0 {
        let action = match attribute.code {
            code::AIGP | code::TUNNEL_ENCAPSULATION | code::LINK_STATE | code::PREFIX_SID => AttributeDiscard,
            _ => TreatAsWithdraw,
        };
        return Err((action, ErrorCode::AttributeFlags));
    }
    let length = |fits: bool, action| {
        if fits { Ok(()) } else { Err((action, ErrorCode::AttributeLength)) }
    };
    let list_of = |size: usize| length(!value.is_empty() && value.len().is_multiple_of(size), TreatAsWithdraw);
    match attribute.code {
        code::ORIGIN => match value {
            [0..=2] => Ok(()),
            [_] => Err((TreatAsWithdraw, ErrorCode::InvalidOrigin)),
            _ => length(false, TreatAsWithdraw),
        },
        code::AS_PATH => {
            length(ctx.as4 || value.len() <= as_path::MAX_NARROW_LEN, TreatAsWithdraw)?;
            as_path::check(value, ctx.as4, !external).map_err(|code| (TreatAsWithdraw, code))
        }
        code::NEXT_HOP | code::MED | code::LOCAL_PREF | code::ORIGINATOR_ID | code::ONLY_TO_CUSTOMER => {
            length(value.len() == 4, TreatAsWithdraw)
        }
        code::ATOMIC_AGGREGATE => length(value.is_empty(), AttributeDiscard),
        code::AGGREGATOR | code::AS4_AGGREGATOR => {
            let wide = ctx.as4 || attribute.code == code::AS4_AGGREGATOR;
            length(value.len() == if wide { 8 } else { 6 }, AttributeDiscard)?;
            match read_aggregator(value) {
                Some(aggregator) if aggregator.asn == 0 => Err((AttributeDiscard, ErrorCode::AsZero)),
                _ => Ok(()),
            }
        }
        code::COMMUNITIES | code::CLUSTER_LIST => list_of(4),
        code::EXTENDED_COMMUNITIES => list_of(8),
        code::IPV6_EXTENDED_COMMUNITIES => list_of(20),
        code::LARGE_COMMUNITIES => list_of(12),
        code::PMSI_TUNNEL => length(value.len() >= 5, TreatAsWithdraw),
        code::TUNNEL_ENCAPSULATION => {
            length(!value.is_empty(), AttributeDiscard)?;
            length(tunnel::tunnels_are_sound(value), TreatAsWithdraw)
        }
        code::LINK_STATE => length(link_state_is_sound(value), AttributeDiscard),
        code::PREFIX_SID => length(prefix_sid::is_sound(value), AttributeDiscard),
        code::AIGP => length(aigp_is_sound(value), AttributeDiscard),
        code::AS4_PATH => {
            length(value.len() <= as_path::MAX_AS4_LEN, AttributeDiscard)?;
            as_path::check(value, true, true).map_err(|code| (AttributeDiscard, code))
        }
        _ => Ok(()),
    }
}

/// The TLV type of the metric, its length in octets included in the length (RFC 7311 section 3).
pub(super) const AIGP_TLV: u8 = 1;

pub(super) fn split_aigp_tlv(value: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, high, low], _) = value.split_first_chunk()?;
    let (tlv, rest) = value.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    Some((kind, tlv.get(3..)?, rest))
}

/// Whether the value is whole TLVs and each metric of eight octets (RFC 7311 section 3.2).
fn aigp_is_sound(mut value: &[u8]) -> bool {
    while let Some((kind, metric, rest)) = split_aigp_tlv(value) {
        if kind == AIGP_TLV && metric.len() != 8 {
            return false;
        }
        value = rest;
    }
    value.is_empty()
}

/// Whether the value is whole TLVs, of a type and a length in two octets each (RFC 9552 section 8.2.2).
fn link_state_is_sound(mut value: &[u8]) -> bool {
    while let Some((&[_, _, high, low], rest)) = value.split_first_chunk() {
        match rest.get(usize::from(u16::from_be_bytes([high, low]))..) {
            Some(rest) => value = rest,
            None => return false,
        }
    }
    value.is_empty()
}
