//! Each rule of RFC 7606, and of the RFCs that add to it, on an UPDATE that breaks exactly that rule.

mod util;

use bgp_wire::attributes::code;
use bgp_wire::{Action, AfiSafi, DecodeCtx, ErrorCode, FamilySet, Notification, PeerKind, Update};
use util::*;

#[track_caller]
fn assert_fault(frame: &[u8], ctx: &DecodeCtx, action: Action, code: ErrorCode, attribute: u8) {
    let update = Update::parse(frame, ctx).expect("the session stands");
    let faults: Vec<_> = update.faults().collect();
    assert_eq!(update.action(), Some(action));
    assert!(
        faults.iter().any(|fault| (fault.action, fault.code, fault.attribute) == (action, code, Some(attribute))),
        "{faults:?}"
    );
    assert_eq!(routes(&update), ["198.51.100.0/24"], "the routes are still known");
    assert!(update.attributes().get(attribute).is_none() || code == ErrorCode::DuplicateAttribute);
}

#[track_caller]
fn assert_withdrawn(frame: &[u8], ctx: &DecodeCtx, code: ErrorCode, attribute: u8) {
    assert_fault(frame, ctx, Action::TreatAsWithdraw, code, attribute);
}

#[track_caller]
fn assert_discarded(frame: &[u8], ctx: &DecodeCtx, code: ErrorCode, attribute: u8) {
    assert_fault(frame, ctx, Action::AttributeDiscard, code, attribute);
}

#[track_caller]
fn assert_reset(frame: &[u8], ctx: &DecodeCtx, subcode: u8) -> Notification {
    let malformed = Update::parse(frame, ctx).expect_err("the session ends");
    let notification = Notification::from(&malformed);
    assert_eq!((notification.code, notification.subcode), (3, subcode), "{malformed}");
    notification
}

#[track_caller]
fn assert_sound(frame: &[u8], ctx: &DecodeCtx) {
    let faults = faults(frame, ctx).expect("the session stands");
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn an_update_with_the_mandatory_attributes_has_no_fault() {
    assert_sound(&update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX), &EXTERNAL);
}

#[test]
fn wrong_origins_withdraw_the_routes() {
    for (origin, code) in [
        (&[0x40, 1, 1, 3][..], ErrorCode::InvalidOrigin),
        (&[0x40, 1, 2, 0, 0], ErrorCode::AttributeLength),
        (&[0x40, 1, 0], ErrorCode::AttributeLength),
        (&[0xc0, 1, 1, 0], ErrorCode::AttributeFlags),
    ] {
        assert_withdrawn(&update(&[], &[origin, AS_PATH, NEXT_HOP], PREFIX), &EXTERNAL, code, code::ORIGIN);
    }
}

#[test]
fn wrong_as_paths_withdraw_the_routes() {
    for (value, code) in [
        (&[5, 1, 0, 0, 0, 1][..], ErrorCode::MalformedAsPath),
        (&[0, 1, 0, 0, 0, 1], ErrorCode::MalformedAsPath),
        (&[2, 0], ErrorCode::MalformedAsPath),
        (&[2, 2, 0, 0, 0, 1], ErrorCode::MalformedAsPath),
        (&[2, 1, 0, 0, 0, 1, 2], ErrorCode::MalformedAsPath),
        (&[2, 2, 0, 0, 0, 1, 0, 0, 0, 0], ErrorCode::AsZero),
        (&[3, 1, 0, 0, 0, 1], ErrorCode::ConfederationSegment),
        (&[4, 1, 0, 0, 0, 1], ErrorCode::ConfederationSegment),
    ] {
        let as_path = [&[0x40, 2, value.len() as u8], value].concat();
        assert_withdrawn(&update(&[], &[ORIGIN, &as_path, NEXT_HOP], PREFIX), &EXTERNAL, code, code::AS_PATH);
    }
}

#[test]
fn confederation_segments_are_welcome_from_within() {
    let as_path = [0x40, 2, 6, 3, 1, 0, 0, 0, 1];
    for peer in [PeerKind::Internal, PeerKind::Confederation, PeerKind::Unknown] {
        assert_sound(&update(&[], &[ORIGIN, &as_path, NEXT_HOP], PREFIX), &DecodeCtx { peer, ..EXTERNAL });
    }
}

#[test]
fn a_next_hop_of_wrong_length_withdraws_the_routes() {
    for next_hop in [&[0x40, 3, 3, 192, 0, 2][..], &[0x40, 3, 5, 192, 0, 2, 1, 1], &[0x40, 3, 0]] {
        let frame = update(&[], &[ORIGIN, AS_PATH, next_hop], PREFIX);
        assert_withdrawn(&frame, &EXTERNAL, ErrorCode::AttributeLength, code::NEXT_HOP);
    }
}

#[test]
fn a_missing_mandatory_attribute_withdraws_the_routes() {
    for (attributes, missing) in
        [([AS_PATH, NEXT_HOP], code::ORIGIN), ([ORIGIN, NEXT_HOP], code::AS_PATH), ([ORIGIN, AS_PATH], code::NEXT_HOP)]
    {
        let frame = update(&[], &attributes, PREFIX);
        assert_withdrawn(&frame, &EXTERNAL, ErrorCode::MissingWellKnownAttribute, missing);
    }
}

#[test]
fn a_message_that_only_withdraws_needs_no_attributes() {
    let frame = update(PREFIX, &[], &[]);
    let update = Update::parse(&frame, &EXTERNAL).unwrap();
    assert_eq!(update.action(), None);
    assert_eq!(update.withdrawn().map(|(_, key)| key.to_string()).collect::<Vec<_>>(), ["198.51.100.0/24"]);
}

#[test]
fn optional_attributes_of_wrong_length_withdraw_the_routes() {
    for (attribute, code) in [
        (&[0x80, 4, 3, 0, 0, 1][..], code::MED),
        (&[0x40, 5, 5, 0, 0, 0, 1, 1], code::LOCAL_PREF),
        (&[0xc0, 8, 5, 0, 0, 0, 1, 1], code::COMMUNITIES),
        (&[0xc0, 8, 0], code::COMMUNITIES),
        (&[0x80, 9, 3, 1, 1, 1], code::ORIGINATOR_ID),
        (&[0x80, 10, 5, 1, 1, 1, 1, 1], code::CLUSTER_LIST),
        (&[0x80, 10, 0], code::CLUSTER_LIST),
        (&[0xc0, 16, 7, 0, 2, 0, 0, 0, 0, 0], code::EXTENDED_COMMUNITIES),
        (&[0xc0, 16, 0], code::EXTENDED_COMMUNITIES),
        (&[0xc0, 32, 4, 0, 0, 0, 1], code::LARGE_COMMUNITIES),
        (&[0xc0, 32, 0], code::LARGE_COMMUNITIES),
        (&[0xc0, 35, 2, 0, 1], code::ONLY_TO_CUSTOMER),
    ] {
        assert_withdrawn(&announcing_with(attribute), &INTERNAL, ErrorCode::AttributeLength, code);
    }
}

#[test]
fn attributes_without_bearing_on_the_route_are_discarded() {
    for (attribute, error, code) in [
        (&[0x40, 6, 1, 0][..], ErrorCode::AttributeLength, code::ATOMIC_AGGREGATE),
        (&[0xc0, 7, 6, 0, 1, 1, 1, 1, 1], ErrorCode::AttributeLength, code::AGGREGATOR),
        (&[0xc0, 7, 8, 0, 0, 0, 0, 1, 1, 1, 1], ErrorCode::AsZero, code::AGGREGATOR),
    ] {
        assert_discarded(&announcing_with(attribute), &EXTERNAL, error, code);
    }
}

#[test]
fn what_only_internal_peers_may_send_is_discarded_from_others() {
    let attributes =
        [(&[0x40, 5, 4, 0, 0, 0, 1][..], 5), (&[0x80, 9, 4, 1, 1, 1, 1], 9), (&[0x80, 10, 4, 1, 1, 1, 1], 10)];
    for (attribute, code) in attributes {
        assert_discarded(&announcing_with(attribute), &EXTERNAL, ErrorCode::UnexpectedAttribute, code);
        assert_sound(&announcing_with(attribute), &INTERNAL);
        assert_sound(&announcing_with(attribute), &DecodeCtx { peer: PeerKind::Confederation, ..EXTERNAL });
    }
}

#[test]
fn the_attributes_of_narrow_as_numbers_are_discarded_from_a_wide_speaker() {
    let as4_path = [0xc0, 17, 6, 2, 1, 0, 0, 0, 1];
    assert_discarded(&announcing_with(&as4_path), &EXTERNAL, ErrorCode::UnexpectedAttribute, code::AS4_PATH);
    let as4_aggregator = [0xc0, 18, 8, 0, 0, 0, 1, 1, 1, 1, 1];
    assert_discarded(
        &announcing_with(&as4_aggregator),
        &EXTERNAL,
        ErrorCode::UnexpectedAttribute,
        code::AS4_AGGREGATOR,
    );
}

#[test]
fn malformed_as4_attributes_are_discarded() {
    let as_path = [0x40, 2, 4, 2, 1, 0xfb, 0xf4];
    for (attribute, code) in [
        (&[0xc0, 17, 2, 2, 0][..], code::AS4_PATH),
        (&[0xc0, 17, 6, 2, 1, 0, 0, 0, 0], code::AS4_PATH),
        (&[0xc0, 18, 6, 0, 0, 1, 1, 1, 1], code::AS4_AGGREGATOR),
        (&[0xc0, 18, 8, 0, 0, 0, 0, 1, 1, 1, 1], code::AS4_AGGREGATOR),
    ] {
        let frame = update(&[], &[ORIGIN, &as_path, NEXT_HOP, attribute], PREFIX);
        let update = Update::parse(&frame, &NARROW).unwrap();
        assert_eq!(update.action(), Some(Action::AttributeDiscard));
        assert!(update.attributes().get(code).is_none());
    }
}

#[test]
fn flags_that_contradict_the_type_withdraw_the_routes() {
    for (attribute, code) in [
        (&[0xc0, 4, 4, 0, 0, 0, 1][..], code::MED),
        (&[0x40, 8, 4, 0, 0, 0, 1], code::COMMUNITIES),
        (&[0x80, 32, 12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1], code::LARGE_COMMUNITIES),
        (&[0x00, 6, 0], code::ATOMIC_AGGREGATE),
    ] {
        assert_withdrawn(&announcing_with(attribute), &INTERNAL, ErrorCode::AttributeFlags, code);
    }
}

#[test]
fn the_partial_flag_is_never_an_error() {
    assert_sound(&announcing_with(&[0xe0, 8, 4, 0, 0, 0, 1]), &EXTERNAL);
    assert_sound(&update(&[], &[&[0x60, 1, 1, 0], AS_PATH, NEXT_HOP], PREFIX), &EXTERNAL);
}

#[test]
fn of_an_attribute_that_comes_twice_the_first_is_kept() {
    let frame = update(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x40, 1, 1, 2]], PREFIX);
    assert_discarded(&frame, &EXTERNAL, ErrorCode::DuplicateAttribute, code::ORIGIN);
    assert_eq!(Update::parse(&frame, &EXTERNAL).unwrap().attributes().origin(), Some(bgp_wire::Origin::Igp));

    let frame = announcing_with(&[0xc0, 99, 1, 7, 0xc0, 99, 1, 8]);
    assert_discarded(&frame, &EXTERNAL, ErrorCode::DuplicateAttribute, 99);
    let update = Update::parse(&frame, &EXTERNAL).unwrap();
    assert_eq!(update.attributes().unknown().map(|attribute| attribute.value).collect::<Vec<_>>(), [[7]]);
}

#[test]
fn a_second_attribute_does_not_stand_in_for_a_discarded_first() {
    let frame = announcing_with(&[0xc0, 7, 1, 0, 0xc0, 7, 8, 0, 0, 0, 1, 1, 1, 1, 1]);
    assert_discarded(&frame, &EXTERNAL, ErrorCode::AttributeLength, code::AGGREGATOR);
    let update = Update::parse(&frame, &EXTERNAL).unwrap();
    assert_eq!(update.attributes().aggregator(), None);
    assert!(!update.attributes().iter().any(|attribute| attribute.code == code::AGGREGATOR));
}

#[test]
fn an_attribute_list_cut_short_withdraws_the_routes() {
    for tail in [&[0x40][..], &[0x40, 5], &[0xc0, 8, 9, 0, 0], &[0xd0, 8, 0], &[0xd0, 8, 0, 9, 1]] {
        let frame = announcing_with(tail);
        let update = Update::parse(&frame, &EXTERNAL).unwrap();
        assert_eq!(update.action(), Some(Action::TreatAsWithdraw), "{tail:x?}");
        assert_eq!(routes(&update), ["198.51.100.0/24"]);
    }
}

#[test]
fn what_would_withdraw_routes_resets_the_session_where_there_are_none() {
    let flags = [0xc0, 1, 1, 0];
    for (withdrawn, attributes, subcode, data) in [
        (&[][..], &[&flags[..]][..], 4, &flags[..]),
        (PREFIX, &[AS_PATH, &flags, &[0x40, 1]], 4, &flags),
        (&[], &[ORIGIN, &[0x80, 4, 1, 0]], 5, &[0x80, 4, 1, 0]),
        (PREFIX, &[&[0x80, 15, 3, 0, 2, 1], &[0x40, 2, 9, 0]], 5, &[]),
        (&[], &[ORIGIN, &[0x80, 15, 4, 0, 2, 1, 129]], 9, &[0x80, 15, 4, 0, 2, 1, 129]),
    ] {
        let notification = assert_reset(&update(withdrawn, attributes, &[]), &EXTERNAL, subcode);
        assert_eq!(notification.data, data);
    }
    let only_discarded = update(PREFIX, &[&[0x40, 5, 4, 0, 0, 0, 1]], &[]);
    assert_eq!(Update::parse(&only_discarded, &EXTERNAL).unwrap().action(), Some(Action::AttributeDiscard));
    let only_withdrawn = update(&[], &[&[0xc0, 15, 3, 0, 2, 1]], &[]);
    assert_eq!(Update::parse(&only_withdrawn, &EXTERNAL).unwrap().action(), Some(Action::TreatAsWithdraw));
}

#[test]
fn a_multiprotocol_attribute_cut_short_resets_the_session() {
    for tail in [&[0x80, 14][..], &[0x80, 14, 30, 0, 2, 1, 16], &[0x80, 15, 4, 0, 2, 1], &[0x90, 15, 0]] {
        assert_reset(&announcing_with(tail), &EXTERNAL, 1);
    }
}

#[test]
fn multiprotocol_attributes_that_come_twice_reset_the_session() {
    let unreach = [0x80, 15, 3, 0, 2, 1];
    assert_reset(&update(&[], &[&unreach, &unreach], &[]), &EXTERNAL, 1);
    let reach = [&[0x80, 14, 21, 0, 2, 1, 16][..], &[0x20; 16], &[0]].concat();
    assert_reset(&update(&[], &[ORIGIN, AS_PATH, &reach, &reach], &[]), &EXTERNAL, 1);
}

#[test]
fn malformed_multiprotocol_attributes_reset_the_session() {
    let reach = |value: &[u8]| [&[0x80, 14, value.len() as u8], value].concat();
    let next_hop = [0x20; 16];
    let wrong = [
        (reach(&[0, 2, 1]), 1),
        (reach(&[0, 2, 1, 16, 0x20]), 1),
        (reach(&[&[0, 2, 1, 16][..], &next_hop].concat()), 1),
        (reach(&[0, 2, 1, 4, 1, 1, 1, 1, 0]), 1),
        ([0x80, 15, 2, 0, 2].to_vec(), 1),
    ];
    for (attribute, subcode) in wrong {
        let notification = assert_reset(&update(&[], &[ORIGIN, AS_PATH, &attribute], &[]), &EXTERNAL, subcode);
        assert_eq!(notification.data, attribute, "the NOTIFICATION carries the attribute");
    }
}

#[test]
fn routes_of_a_multiprotocol_attribute_that_cannot_be_told_apart_disable_their_family() {
    let reach = |value: &[u8]| [&[0x80, 14, value.len() as u8], value].concat();
    let next_hop = [0x20; 16];
    let wrong = [
        reach(&[&[0, 2, 1, 16][..], &next_hop, &[0, 129]].concat()),
        reach(&[&[0, 2, 1, 16][..], &next_hop, &[0, 64, 0x20]].concat()),
        [0x80, 15, 5, 0, 2, 1, 16, 0x20].to_vec(),
    ];
    for attribute in wrong {
        let frame = if attribute[1] == code::MP_REACH_NLRI {
            update(&[], &[ORIGIN, AS_PATH, &attribute], &[])
        } else {
            update(&[], &[&attribute], &[])
        };
        let update = Update::parse(&frame, &EXTERNAL).unwrap();
        assert_eq!(update.action(), Some(Action::DisableFamily));
        assert_eq!(update.disables().iter().collect::<Vec<_>>(), [AfiSafi::IPV6_UNICAST]);
        assert!(update.mp_reach().is_none() && update.mp_unreach().is_none(), "nothing of it is to be used");
        let reset = Notification::from(&update.reset().unwrap());
        assert_eq!((reset.code, reset.subcode), (3, 9));
        assert_eq!(reset.data, attribute, "the NOTIFICATION would carry the attribute");
    }
}

#[test]
fn wrong_flags_of_a_multiprotocol_attribute_withdraw_its_routes() {
    let reach = [&[0xc0, 14, 22, 0, 2, 1, 16][..], &[0x20; 16], &[0, 0]].concat();
    let frame = update(&[], &[ORIGIN, AS_PATH, &reach], &[]);
    let update = Update::parse(&frame, &EXTERNAL).unwrap();
    assert_eq!(update.action(), Some(Action::TreatAsWithdraw));
    let routes = update.mp_reach().unwrap().ipv6().unwrap();
    assert_eq!(routes.map(|(_, key)| key.to_string()).collect::<Vec<_>>(), ["::/0"]);
}

#[test]
fn multiprotocol_routes_need_origin_and_as_path_but_no_next_hop_attribute() {
    let reach = [&[0x80, 14, 22, 0, 2, 1, 16][..], &[0x20; 16], &[0, 0]].concat();
    assert_sound(&update(&[], &[&reach, ORIGIN, AS_PATH], &[]), &EXTERNAL);
    let frame = update(&[], &[&reach, ORIGIN], &[]);
    assert_eq!(Update::parse(&frame, &EXTERNAL).unwrap().action(), Some(Action::TreatAsWithdraw));
}

#[test]
fn an_unrecognized_well_known_attribute_resets_the_session() {
    let notification = assert_reset(&announcing_with(&[0x40, 99, 1, 7]), &EXTERNAL, 2);
    assert_eq!(notification.data[..], [0x40, 99, 1, 7]);
}

#[test]
fn prefixes_that_make_no_sense_reset_the_session() {
    for nlri in [&[33, 1, 1, 1, 1, 1][..], &[24, 198, 51], &[8]] {
        assert_reset(&update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], nlri), &EXTERNAL, 10);
        assert_reset(&update(nlri, &[], &[]), &EXTERNAL, 10);
    }
    let add_path = DecodeCtx { add_path: FamilySet::ALL, ..EXTERNAL };
    assert_reset(&update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], PREFIX), &add_path, 10);
}

#[test]
fn length_fields_beyond_the_message_reset_the_session() {
    for (body, offset) in
        [(&[0, 9, 0, 0][..], 19), (&[0, 0, 0, 9], 21), (&[0, 1, 0, 0], 22), (&[0xff, 0xff, 0xff, 0xff], 19)]
    {
        let frame = message(2, body);
        assert_reset(&frame, &EXTERNAL, 1);
        assert_eq!(Update::parse(&frame, &EXTERNAL).map_err(|malformed| malformed.offset).err(), Some(offset));
    }
}

#[test]
fn a_fault_says_where_it_is() {
    let frame = update(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x80, 4, 1, 0]], PREFIX);
    let fault = faults(&frame, &EXTERNAL).unwrap()[0];
    assert_eq!(frame[fault.offset..fault.offset + 4], [0x80, 4, 1, 0]);
    assert_eq!(
        fault.to_string(),
        "attribute 4: the attribute's length is not one its type allows (at octet 43): treated as withdrawal"
    );
}

#[test]
fn a_path_too_long_to_be_widened_withdraws_the_routes() {
    let extended = DecodeCtx { extended_message: true, ..NARROW };
    let path = |segments: usize| {
        let value: Vec<u8> = [&[2, 255][..], &[1; 510]].concat().repeat(segments);
        [&[0x50, 2][..], &(value.len() as u16).to_be_bytes(), &value].concat()
    };
    let frame = update(&[], &[ORIGIN, &path(32), NEXT_HOP], PREFIX);
    let update_32 = Update::parse(&frame, &extended).unwrap();
    assert_eq!(update_32.action(), None);
    let mut canonical = Vec::new();
    update_32.canonical_attributes(&mut canonical);
    assert_eq!(bgp_wire::Attributes::canonical(&canonical).as_path().path_length(), 32 * 255);
    let frame = update(&[], &[ORIGIN, &path(33), NEXT_HOP], PREFIX);
    assert_withdrawn(&frame, &extended, ErrorCode::AttributeLength, code::AS_PATH);
}
