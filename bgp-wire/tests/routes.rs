//! Routes of the families beyond unicast: octets written down from the RFCs, and what holds for any octets.

mod util;

use bgp_wire::attributes::code;
use bgp_wire::routes::{
    EvpnRoute, FlowRoute, Form, LabelledPrefix, OpaqueRoutes, Route, Routes, TargetMembership, VpnPrefix,
};
use bgp_wire::{AfiSafi, DecodeCtx, FamilySet, NextHop, Update};
use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::*;
use util::*;

fn shown<'a, R: Route<'a>>(octets: &'a [u8], family: AfiSafi) -> Vec<String> {
    let routes = Routes::<R>::new(octets, false, Form { family, withdrawn: false }).expect("a family of this form");
    routes.map(|(_, route)| route.to_string()).collect()
}

/// An UPDATE that announces these octets in a family.
fn announcing(family: AfiSafi, next_hop: &[u8], nlri: &[u8]) -> Vec<u8> {
    let [afi0, afi1] = family.afi.to_be_bytes();
    let reach = [&[afi0, afi1, family.safi, next_hop.len() as u8], next_hop, &[0], nlri].concat();
    let header = [0x80, code::MP_REACH_NLRI, reach.len() as u8];
    update(&[], &[&header, &reach, ORIGIN, AS_PATH], &[])
}

#[test]
fn a_label_stack_ends_at_its_bottom_bit() {
    let octets = [24 + 24, 0x00, 0x06, 0x41, 192, 0, 2, 72, 0x00, 0x06, 0x40, 0x00, 0x0c, 0x81, 10, 0, 1];
    assert_eq!(
        shown::<LabelledPrefix<'_>>(&octets, AfiSafi::IPV4_LABELLED),
        ["192.0.2.0/24 label 100", "10.0.1.0/24 label 100/200"]
    );
}

#[test]
fn the_placeholder_of_a_withdrawn_route_is_one_label() {
    let octets = [48, 0x80, 0, 0, 10, 0, 1];
    let form = Form { family: AfiSafi::IPV4_LABELLED, withdrawn: true };
    let routes: Vec<_> = Routes::<LabelledPrefix<'_>>::new(&octets, false, form).unwrap().collect();
    assert_eq!(routes[0].1.prefix.to_string(), "10.0.1.0/24");
}

#[test]
fn a_vpn_route_has_its_distinguisher_and_its_next_hop_one_that_is_skipped() {
    let nlri = [24 + 64 + 8, 0, 6, 0x41, 0, 1, 192, 0, 2, 7, 0, 9, 10];
    let frame = announcing(AfiSafi::IPV4_VPN, &[0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1], &nlri);
    let update = Update::parse(&frame, &EXTERNAL).unwrap();
    let reach = update.mp_reach().unwrap();
    assert_eq!(reach.next_hop(), Some(NextHop::Ipv4([192, 0, 2, 1].into())));
    let routes: Vec<_> = reach.routes::<VpnPrefix<'_>>().unwrap().map(|(_, route)| route.to_string()).collect();
    assert_eq!(routes, ["192.0.2.7:9 10.0.0.0/8 label 100"]);
    assert!(reach.routes::<LabelledPrefix<'_>>().is_none());
}

#[test]
fn evpn_routes_of_each_type_are_read() {
    let rd = [0, 0, 0xfb, 0xf4, 0, 0, 0, 100];
    let esi = [0; 10];
    let octets = [
        &[1, 25][..],
        &rd,
        &esi,
        &[0xff; 4],
        &[0, 0, 0],
        &[2, 37],
        &rd,
        &esi,
        &[0; 4],
        &[48, 0, 0x53, 0, 0, 0, 1, 32, 10, 0, 0, 5, 0, 3, 0xe8],
        &[3, 17],
        &rd,
        &[0, 0, 0, 7, 32, 192, 0, 2, 1],
        &[4, 23],
        &rd,
        &[1; 10],
        &[32, 192, 0, 2, 1],
        &[5, 34],
        &rd,
        &esi,
        &[0, 0, 0, 0, 24, 10, 1, 2, 3, 0, 0, 0, 0, 0, 3, 0xe8],
        &[99, 2, 0xab, 0xcd],
    ]
    .concat();
    assert_eq!(
        shown::<EvpnRoute<'_>>(&octets, AfiSafi::L2VPN_EVPN),
        [
            "auto-discovery 64500:100 tag 4294967295 label 0",
            "mac-ip 64500:100 tag 0 00:53:00:00:00:01 10.0.0.5 label 1000",
            "inclusive-multicast 64500:100 tag 7 192.0.2.1",
            "ethernet-segment 64500:100 segment 01:01:01:01:01:01:01:01:01:01 192.0.2.1",
            "prefix 64500:100 tag 0 10.1.2.0/24 label 1000",
            "type 99 abcd",
        ]
    );
}

#[test]
fn route_targets_are_read_whole_in_part_and_for_all() {
    let octets =
        [&[96, 0, 0, 0xfb, 0xf4, 0, 2, 0xfb, 0xf4, 0, 0, 0, 1][..], &[48, 0, 0, 0xfb, 0xf4, 0, 2], &[0]].concat();
    assert_eq!(
        shown::<TargetMembership<'_>>(&octets, AfiSafi::ROUTE_TARGETS),
        ["64500 rt:64500:1", "64500 0002/16", "any"]
    );
}

#[test]
fn a_flow_specification_is_shown_by_component() {
    // RFC 8955 section 4.3: packets to 192.0.2.0/24 from 203.0.113.0/24, to port 25, or 137 to 139 or 8080.
    let octets = [18, 1, 24, 192, 0, 2, 3, 0x81, 6, 4, 3, 137, 0x45, 139, 0x91, 0x1f, 0x90, 9, 0x81];
    let octets = [&octets[..], &[2]].concat();
    let octets = [&[octets.len() as u8 - 1], &octets[1..]].concat();
    assert_eq!(
        shown::<FlowRoute<'_>>(&octets, AfiSafi::IPV4_FLOWSPEC),
        ["destination 192.0.2.0/24 protocol =6 port >=137&<=139,=8080 tcp-flags =0x2"]
    );
    let offset = [9, 1, 104, 64, 0x12, 0x34, 0x56, 0x78, 0x9a, 0];
    let routes =
        Routes::<FlowRoute<'_>>::new(&offset[..9], false, Form { family: AfiSafi::IPV6_FLOWSPEC, withdrawn: false });
    assert_eq!(routes.unwrap().count(), 0, "cut short");
    let offset = [8, 1, 104, 64, 0x12, 0x34, 0x56, 0x78, 0x9a];
    assert_eq!(
        shown::<FlowRoute<'_>>(&offset, AfiSafi::IPV6_FLOWSPEC),
        ["destination ::1234:5678:9a00:0/104 offset 64"]
    );
}

#[test]
fn a_next_hop_of_a_vpn_has_its_distinguisher_where_ipv6_was_negotiated_too() {
    let ctx = DecodeCtx { extended_next_hop: FamilySet::ALL, ..EXTERNAL };
    for family in [AfiSafi::IPV4_VPN, AfiSafi::IPV6_VPN] {
        for (length, sound) in [(16, false), (32, false), (24, true), (48, true)] {
            let frame = announcing(family, &vec![0x20; length], &[88, 0, 0, 0x11, 0, 0, 0, 1, 0, 0, 0, 2]);
            assert_eq!(Update::parse(&frame, &ctx).is_ok(), sound, "{family} {length}");
        }
    }
}

#[test]
fn of_a_flow_specifications_prefix_some_bit_counts_or_there_is_none() {
    let form = Form { family: AfiSafi::IPV6_FLOWSPEC, withdrawn: false };
    for (octets, sound) in [
        (&[3, 1, 0, 0][..], true),
        (&[4, 1, 9, 8, 0x80], true),
        (&[3, 1, 8, 8], false),
        (&[3, 1, 8, 9], false),
        (&[0], false),
    ] {
        let routes: Vec<_> = Routes::<FlowRoute<'_>>::new(octets, false, form).unwrap().collect();
        assert_eq!(routes.iter().map(|(_, route)| route.is_sound()).collect::<Vec<_>>(), [sound], "{octets:?}");
    }
}

#[test]
fn a_route_that_is_cut_short_disables_its_family() {
    let narrow = [192, 0, 2, 1];
    let cases: [(AfiSafi, &[u8], &[u8]); 6] = [
        (AfiSafi::IPV4_LABELLED, &narrow, &[0x99, 0, 0]),
        (AfiSafi::IPV4_VPN, &[0; 12], &[88, 0, 0, 0x11, 0]),
        (AfiSafi::L2VPN_EVPN, &narrow, &[3, 17, 0]),
        (AfiSafi::ROUTE_TARGETS, &narrow, &[16, 0, 0]),
        (AfiSafi::IPV4_FLOWSPEC, &[], &[9, 1]),
        (AfiSafi::new(25, 65), &narrow, &[0, 1, 0]),
    ];
    for (family, next_hop, nlri) in cases {
        let frame = announcing(family, next_hop, nlri);
        let update = Update::parse(&frame, &EXTERNAL).unwrap();
        assert_eq!(update.action(), Some(bgp_wire::Action::DisableFamily), "{family}");
        assert_eq!(update.disables(), [family].into_iter().collect(), "{family}");
    }
}

#[test]
fn a_family_that_is_not_known_is_carried_as_it_came() {
    let frame = announcing(AfiSafi::new(7, 7), &[1, 2, 3], &[9, 9, 9]);
    let update = Update::parse(&frame, &EXTERNAL).unwrap();
    assert_eq!(update.mp_reach().unwrap().nlri_octets, [9, 9, 9]);
}

#[test]
fn a_sound_metric_stands_and_any_other_is_discarded() {
    let metric: &[u8] = &[0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 1, 0];
    let frame = announcing_with(metric);
    let update = Update::parse(&frame, &EXTERNAL).unwrap();
    assert_eq!((update.action(), update.attributes().aigp()), (None, Some(256)));
    let mut canonical = Vec::new();
    update.canonical_attributes(&mut canonical);
    assert_eq!(bgp_wire::Attributes::canonical(&canonical).aigp(), None, "it is not passed on");
    for faulty in
        [&[0xc0, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 1, 0][..], &[0x80, 26, 3, 1, 0, 11], &[0x80, 26, 4, 1, 0, 4, 0]]
    {
        let frame = announcing_with(faulty);
        let update = Update::parse(&frame, &EXTERNAL).unwrap();
        assert_eq!(update.action(), Some(bgp_wire::Action::AttributeDiscard));
        assert_eq!(update.attributes().aigp(), None);
    }
}

fn written<'a, R: Route<'a>>(routes: &[R]) -> Vec<u8> {
    let mut out = Vec::new();
    routes.iter().for_each(|route| route.write(&mut out));
    out
}

/// Reads everything there is and writes it again.
fn look_at<'a, R: Route<'a>>(octets: &'a [u8], add_path: bool, form: Form) {
    for (_, route) in Routes::<R>::new(octets, add_path, form).into_iter().flatten() {
        let _ = (route.to_string(), format!("{route:?}"), written(&[route]));
    }
}

proptest! {
    #[test]
    fn any_octets_are_routes_or_refused(
        at in 0..14usize, withdrawn: bool, add_path: bool, octets in vec(prop_oneof![0..8u8, any::<u8>()], 0..120),
    ) {
        let families: Vec<_> = FamilySet::ALL.iter().collect();
        let form = Form { family: families[at], withdrawn };
        look_at::<IpNet>(&octets, add_path, form);
        look_at::<LabelledPrefix<'_>>(&octets, add_path, form);
        look_at::<VpnPrefix<'_>>(&octets, add_path, form);
        look_at::<EvpnRoute<'_>>(&octets, add_path, form);
        look_at::<TargetMembership<'_>>(&octets, add_path, form);
        look_at::<FlowRoute<'_>>(&octets, add_path, form);
        for family in [AfiSafi::new(1, 5), AfiSafi::new(25, 65), AfiSafi::new(2, 73), AfiSafi::new(16388, 71)] {
            let taken: usize = OpaqueRoutes::new(&octets, family).unwrap().map(<[u8]>::len).sum();
            prop_assert!(taken <= octets.len());
        }
        let ctx = DecodeCtx { add_path: if add_path { FamilySet::ALL } else { FamilySet::EMPTY }, ..EXTERNAL };
        let _ = Update::parse(&announcing(form.family, &[0; 16], &octets), &ctx);
    }
}
