//! What an OPEN offers, and the route filters one of the offers lets a ROUTE-REFRESH carry: octets written down from the RFCs, and what
//! is written is read back the same.

mod support;
mod util;

use bgp_wire::{
    AfiSafi, Capability, FilterList, LongLivedFamily, Message, MultipleLabels, OpenBuf, PathsLimit, PrefixFilter,
    PrefixFilterAction, RefreshSubtype, RouteFilterFamily, RouteFilterMode, RouteFilters, RouteRefresh, frame,
};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use util::{EXTERNAL, encode, message};

fn written(capability: &Capability) -> Vec<u8> {
    let capabilities = vec![capability.clone()];
    let open = OpenBuf { asn: 64500, hold_time: 90, identifier: Ipv4Addr::LOCALHOST, capabilities };
    encode(|out| open.encode(out))[frame::HEADER_LEN + 12..].to_vec()
}

#[test]
fn each_capability_is_read_from_its_octets_and_written_to_them() {
    let cases: [(&[u8], Capability); 6] = [
        (
            // RFC 5291 section 5: IPv4 unicast, two kinds: address prefixes both ways, Cisco's old one to send.
            &[3, 9, 0, 1, 0, 1, 2, 64, 3, 128, 2],
            Capability::RouteFilters(vec![RouteFilterFamily {
                family: AfiSafi::IPV4_UNICAST,
                kinds: vec![(64, RouteFilterMode::Both), (128, RouteFilterMode::Send)],
            }]),
        ),
        (
            // RFC 8277 section 2.1.
            &[8, 8, 0, 1, 4, 3, 0, 2, 128, 255],
            Capability::MultipleLabels(vec![
                MultipleLabels { family: AfiSafi::IPV4_LABELLED, count: 3 },
                MultipleLabels { family: AfiSafi::IPV6_VPN, count: 255 },
            ]),
        ),
        (
            // RFC 9494 section 3.1: a day.
            &[71, 7, 0, 2, 1, 0x80, 0x01, 0x51, 0x80],
            Capability::LongLivedGracefulRestart(vec![LongLivedFamily {
                family: AfiSafi::IPV6_UNICAST,
                forwarding_kept: true,
                stale_time: 86_400,
            }]),
        ),
        (b"\x4b\x09\x08leaf/1.2", Capability::SoftwareVersion("leaf/1.2".to_owned())),
        (&[76, 5, 0, 1, 1, 0, 8], Capability::PathsLimit(vec![PathsLimit { family: AfiSafi::IPV4_UNICAST, paths: 8 }])),
        (&[99, 2, 1, 2], Capability::Unknown { code: 99, value: Bytes::from_static(&[1, 2]) }),
    ];
    for (octets, capability) in cases {
        assert_eq!(Capability::decode(octets[0], &octets[2..]), capability);
        assert_eq!(written(&capability), octets);
    }
}

#[test]
fn a_capability_that_does_not_follow_its_rules_is_kept_as_octets() {
    let cases: [&[u8]; 7] = [
        &[3, 5, 0, 1, 0, 1, 2],
        &[8, 3, 0, 1, 4],
        &[71, 6, 0, 2, 1, 0x80, 0, 0],
        &[75, 3, 1, b'a', b'b'],
        &[75, 0],
        &[76, 4, 0, 1, 1, 0],
        &[64, 1, 0],
    ];
    for octets in cases {
        let capability = Capability::decode(octets[0], &octets[2..]);
        assert!(matches!(&capability, Capability::Unknown { code, .. } if *code == octets[0]), "{capability:?}");
        assert_eq!(written(&capability), octets);
    }
}

/// RFC 5291 section 4 and RFC 5292 section 2, by hand.
#[test]
fn route_filters_are_read_after_a_request() {
    let body = [
        &[0, 1, 0, 1][..],
        // At once; of address prefixes, 24 octets.
        &[1, 64, 0, 24],
        // Remove all.
        &[0x80],
        // Deny 10.0.0.0/8 from 16 to 24.
        &[0x20, 0, 0, 0, 5, 16, 24, 8, 10],
        // Remove the permission of 0.0.0.0/0.
        &[0x40, 0, 0, 0, 9, 0, 0, 0],
        // Permit 192.0.0.0/6 of up to 32, cut to what its length says.
        &[0, 0, 0, 1, 0, 0],
    ]
    .concat();
    assert_eq!(
        RouteFilters::parse(&message(5, &body)),
        Some(RouteFilters {
            immediate: true,
            lists: vec![FilterList::Other { kind: 64, entries: Bytes::copy_from_slice(&body[8..]) }],
        }),
        "an entry cut short leaves the octets"
    );
    let body = [&body[..6], &[0, 18], &body[8..26]].concat();
    let filters = RouteFilters::parse(&message(5, &body)).unwrap();
    let entry = |action, deny, sequence, min, max, prefix: &str| {
        let prefix = prefix.parse().expect("a prefix");
        PrefixFilter { action, deny, sequence, min, max, prefix }
    };
    let expected = [
        PrefixFilter::remove_all(),
        entry(PrefixFilterAction::Add, true, 5, 16, 24, "10.0.0.0/8"),
        entry(PrefixFilterAction::Remove, false, 9, 0, 0, "0.0.0.0/0"),
    ];
    assert_eq!(filters, RouteFilters { immediate: true, lists: vec![FilterList::Prefixes(expected.to_vec())] });
    let refresh = RouteRefresh { family: AfiSafi::IPV4_UNICAST, subtype: RefreshSubtype::Request };
    assert_eq!(encode(|out| assert!(refresh.encode_with(&filters, frame::MAX_LEN, out))), message(5, &body));
}

#[test]
fn what_follows_a_request_and_is_no_filters_leaves_the_request() {
    for rest in [&[][..], &[3], &[1, 64], &[1, 64, 0, 9, 0], &[2, 64, 0, 0, 1]] {
        let octets = message(5, &[&[0, 1, 0, 1], rest].concat());
        assert_eq!(RouteFilters::parse(&octets), None, "{rest:?}");
        assert!(matches!(Message::parse(&octets, &EXTERNAL), Ok(Message::RouteRefresh(_))));
    }
}

#[test]
fn filters_that_do_not_fit_are_left_out_from_the_end() {
    let filter = PrefixFilter {
        action: PrefixFilterAction::Add,
        deny: false,
        sequence: 1,
        min: 0,
        max: 0,
        prefix: "10.0.0.0/8".parse().unwrap(),
    };
    let filters = RouteFilters { immediate: false, lists: vec![FilterList::Prefixes(vec![filter; 1000])] };
    let refresh = RouteRefresh { family: AfiSafi::IPV4_UNICAST, subtype: RefreshSubtype::Request };
    let out = encode(|out| assert!(!refresh.encode_with(&filters, frame::MAX_LEN, out)));
    let Some(RouteFilters { lists, .. }) = RouteFilters::parse(&out) else { panic!("filters") };
    assert_eq!(lists, [FilterList::Prefixes(vec![filter; (4096 - 23 - 4) / 9])]);
}

proptest! {
    #[test]
    fn capabilities_are_read_back_the_same(capabilities in vec(support::capability(), 0..12)) {
        let mut sent = OpenBuf { asn: 64500, hold_time: 90, identifier: Ipv4Addr::LOCALHOST, capabilities };
        // It says who the sender is.
        sent.capabilities.retain(|capability| !matches!(capability, Capability::FourOctetAs(_)));
        let octets = encode(|out| sent.encode(out));
        let Ok(Message::Open(open)) = Message::parse(&octets, &EXTERNAL) else { panic!("an OPEN") };
        prop_assert_eq!(OpenBuf::from(open), sent);
    }

    #[test]
    fn any_octets_are_a_capability_that_settles(code: u8, value in vec(any::<u8>(), 0..250)) {
        let capability = Capability::decode(code, &value);
        let again = written(&capability);
        if let Some((&[code, _], value)) = again.split_first_chunk() {
            prop_assert_eq!(written(&Capability::decode(code, value)), again);
        }
    }

    #[test]
    fn filters_are_read_back_the_same(ipv6: bool, v4 in support::route_filters(false), v6 in support::route_filters(true)) {
        let (family, filters) = if ipv6 { (AfiSafi::IPV6_UNICAST, v6) } else { (AfiSafi::IPV4_UNICAST, v4) };
        let refresh = RouteRefresh { family, subtype: RefreshSubtype::Request };
        let octets = encode(|out| assert!(refresh.encode_with(&filters, frame::MAX_LEN, out)));
        prop_assert_eq!(RouteFilters::parse(&octets), Some(filters));
        let Ok(Message::RouteRefresh(read)) = Message::parse(&octets, &EXTERNAL) else { panic!("a ROUTE-REFRESH") };
        prop_assert_eq!(read, refresh);
    }

    #[test]
    fn any_octets_are_filters_or_none(body in vec(any::<u8>(), 4..80)) {
        let octets = message(5, &body);
        if let Some(filters) = RouteFilters::parse(&octets) {
            let refresh = RouteRefresh { family: AfiSafi::new(u16::from_be_bytes([body[0], body[1]]), body[3]), subtype: RefreshSubtype::Request };
            let written = encode(|out| assert!(refresh.encode_with(&filters, frame::MAX_LEN, out)));
            prop_assert_eq!(RouteFilters::parse(&written), Some(filters));
        }
    }
}
