//! Text forms are read as they are shown, and refused with a place where they are wrong.

mod support;

use bgp_wire::routes::{EvpnRoute, FlowRoute, FlowRouteBuf};
use bgp_wire::{
    AfiSafi, AsPathBuf, Asdot, Community, ExtendedCommunity, LargeCommunity, NextHop, Origin, RouteDistinguisher,
    TextError, parse_asn, parse_prefix,
};
use proptest::prelude::*;
use support::*;

#[test]
fn communities_are_read_and_shown() {
    for text in ["64500:100", "no-export", "blackhole", "0:0"] {
        assert_eq!(text.parse::<Community>().unwrap().to_string(), text);
    }
    assert_eq!("65535:65281".parse::<Community>().unwrap(), Community::NO_EXPORT);
    for text in ["4200000000:1:2", "0:0:0"] {
        assert_eq!(text.parse::<LargeCommunity>().unwrap().to_string(), text);
    }
    for text in
        ["rt:64500:100", "rt:64500:4000000000", "rt:64500L:100", "rt:192.0.2.1:7", "soo:64500:1", "0x4302030405060708"]
    {
        assert_eq!(text.parse::<ExtendedCommunity>().unwrap().to_string(), text);
    }
    assert_eq!("rt:4200000000:7".parse::<ExtendedCommunity>().unwrap().to_string(), "rt:4200000000L:7");
}

#[test]
fn as_paths_are_read_and_shown() {
    for text in ["", "64500", "64500 64501 {64502,64503}", "(65001 65002) 64500", "[65001,65002] {1}"] {
        assert_eq!(text.parse::<AsPathBuf>().unwrap().to_string(), text);
    }
}

#[test]
fn a_path_is_shown_whole_though_no_segment_on_the_wire_could_hold_it() {
    let mut path = AsPathBuf::new();
    path.push(bgp_wire::SegmentKind::ConfedSequence, 1..=300);
    path.push(bgp_wire::SegmentKind::Set, 1..=20_000);
    assert_eq!(path.to_string().parse(), Ok(path));
}

#[test]
fn as_numbers_are_read_plain_and_with_a_dot() {
    for (text, asn) in
        [("64500", 64500), ("AS4200000000", 4_200_000_000), ("1.10", 65546), ("as64086.59904", 4_200_000_000)]
    {
        assert_eq!(parse_asn(text), Ok(asn));
    }
    for text in ["4294967296", "", "1.", ".1", "65536.1", "1.65536", "1.1.1", "AS"] {
        assert!(parse_asn(text).is_err(), "{text}");
    }
    assert_eq!((Asdot(65546).to_string(), Asdot(64500).to_string()), ("1.10".to_owned(), "64500".to_owned()));
    assert_eq!("1.10 2.20 {3.30}".parse::<AsPathBuf>().unwrap().to_string(), "65546 131092 {196638}");
}

#[test]
fn prefixes_are_read_and_shown() {
    for text in ["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "::ffff:192.0.2.1/128"] {
        assert_eq!(parse_prefix(text).unwrap().to_string(), text);
    }
    for text in ["192.0.2.1/24", "192.0.2.0/33", "192.0.2/24", "192.0.2.0", "2001:db8::/129", "2001:db8::1/64", "x/8"] {
        assert!(parse_prefix(text).is_err(), "{text}");
    }
}

#[test]
fn route_distinguishers_are_read_and_shown() {
    for text in ["64500:100", "64500:4000000000", "192.0.2.1:7", "64500L:100", "0x0003000000000001"] {
        assert_eq!(text.parse::<RouteDistinguisher>().unwrap().to_string(), text);
    }
    assert_eq!("4200000000:7".parse(), Ok(RouteDistinguisher::as4(4_200_000_000, 7)));
    assert_eq!("1.10:7".parse(), Ok(RouteDistinguisher::as4(65546, 7)));
    for text in ["", "1", "1:", "70000:70000", "192.0.2.1:70000", "0x00"] {
        assert!(text.parse::<RouteDistinguisher>().is_err(), "{text}");
    }
}

#[test]
fn further_words_are_read_as_they_are_shown() {
    for text in ["igp", "egp", "incomplete"] {
        assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
    }
    for text in ["ipv4-unicast", "l2vpn-evpn", "afi-25-safi-65"] {
        assert_eq!(text.parse::<AfiSafi>().unwrap().to_string(), text);
    }
    for text in ["192.0.2.1", "2001:db8::1", "2001:db8::1 fe80::1"] {
        assert_eq!(text.parse::<NextHop>().unwrap().to_string(), text);
    }
    assert!("IGP".parse::<Origin>().is_err() && "afi-1".parse::<AfiSafi>().is_err());
    assert!("192.0.2.1 fe80::1".parse::<NextHop>().is_err());
}

#[test]
fn evpn_routes_are_read_as_they_are_shown() {
    for text in [
        "auto-discovery 64500:100 tag 4294967295 label 0",
        "mac-ip 64500:100 segment 00:11:22:33:44:55:66:77:88:99 tag 0 00:53:00:00:00:01 10.0.0.5 label 1000/2000",
        "mac-ip 64500:100 tag 0 00:53:00:00:00:01 label 1000",
        "inclusive-multicast 64500:100 tag 7 192.0.2.1",
        "ethernet-segment 64500:100 segment 01:01:01:01:01:01:01:01:01:01 2001:db8::1",
        "prefix 64500:100 tag 0 10.1.2.0/24 label 1000",
        "prefix 192.0.2.1:5 tag 0 2001:db8::/32 gateway 2001:db8::1 label 1000",
    ] {
        assert_eq!(text.parse::<EvpnRoute<'_>>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "prefix 1:1 tag 0 10.0.0.0/8 gateway ::1 label 1",
        "prefix 1:1 tag 0 10.0.0.0/8 label 16777216",
        "mac-ip 1:1 tag 0 label 1",
    ] {
        assert!(text.parse::<EvpnRoute<'_>>().is_err(), "{text}");
    }
}

#[test]
fn flow_specifications_are_read_as_they_are_shown() {
    let read = |text: &str, family| FlowRouteBuf::parse(text, family).map(|route| route.to_string());
    for (text, family) in [
        ("destination 192.0.2.0/24 protocol =6 port >=137&<=139,=8080 tcp-flags =0x2", AfiSafi::IPV4_FLOWSPEC),
        ("protocol =17 fragment !0x1", AfiSafi::IPV4_FLOWSPEC),
        ("destination ::1234:5678:9a00:0/104 offset 64 flow-label >70000", AfiSafi::IPV6_FLOWSPEC),
        ("64500:100 source 192.0.2.0/24", AfiSafi::IPV4_FLOWSPEC_VPN),
    ] {
        assert_eq!(read(text, family).as_deref(), Ok(text));
    }
    assert_eq!(
        read("protocol =6 destination 10.0.0.0/8", AfiSafi::IPV4_FLOWSPEC).unwrap(),
        "destination 10.0.0.0/8 protocol =6",
        "in the order of the wire"
    );
    for text in [
        "",
        "destination 2001:db8::/32",
        "flow-label =1",
        "protocol 6",
        "protocol =6 protocol =17",
        "destination 10.0.0.0/8 offset 1",
    ] {
        assert!(FlowRouteBuf::parse(text, AfiSafi::IPV4_FLOWSPEC).is_err(), "{text}");
    }
    assert!(FlowRouteBuf::parse("protocol =6", AfiSafi::IPV4_UNICAST).is_err());
}

#[test]
fn wrong_text_is_refused_with_the_column_and_an_example() {
    let error = "64500:70000".parse::<Community>().unwrap_err();
    assert_eq!(error.to_string(), "expected a community such as 64500:100 or no-export (at column 7)");
    assert_eq!(error.point("64500:70000"), "64500:70000\n      ^");
    let column = |text: &str| text.parse::<AsPathBuf>().unwrap_err().column;
    assert_eq!((column("64500 {64501,x}"), column("64500 x"), column("64500  64501 é")), (14, 7, 14));
    assert_eq!("prefix 64500:100 tag 0 10.0.0.1/24 label 1000".parse::<EvpnRoute<'_>>().unwrap_err().column, 24);
    assert_eq!("rt:192.0.2.1:70000".parse::<ExtendedCommunity>().unwrap_err().column, 14);
    for text in ["", "64500", "64500:1:2", "64500:1 ", "a:b", "-1:1"] {
        assert!(text.parse::<Community>().is_err(), "{text}");
    }
    for text in ["rt:1", "xx:1:2", "0x01", "rt:70000:70000", "rt:300.0.0.1:1", "encapsulation:x", "esi-label:16777216"]
    {
        assert!(text.parse::<ExtendedCommunity>().is_err(), "{text}");
    }
    for text in ["64500 {", "{}", "64500,64501", "64500 x"] {
        assert!(text.parse::<AsPathBuf>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn every_value_is_read_back_from_its_text(
        community: u32, extended in ext_community(), ipv6 in ipv6_ext_community(), rd in distinguisher(), net in prefix(false), net6 in prefix(true),
        asn: u32, path in as_path(), route in evpn(), next_hop in next_hop(), mac in mac(), family in family(),
    ) {
        let community = Community(community);
        prop_assert_eq!(community.to_string().parse(), Ok(community));
        prop_assert_eq!(extended.to_string().parse(), Ok(extended));
        prop_assert_eq!(ipv6.to_string().parse(), Ok(ipv6));
        prop_assert_eq!(rd.to_string().parse(), Ok(rd));
        prop_assert_eq!(parse_prefix(&net.to_string()), Ok(net));
        prop_assert_eq!(parse_prefix(&net6.to_string()), Ok(net6));
        prop_assert_eq!((parse_asn(&asn.to_string()), parse_asn(&Asdot(asn).to_string())), (Ok(asn), Ok(asn)));
        prop_assert_eq!(route.to_string().parse(), Ok(route));
        prop_assert_eq!(next_hop.to_string().parse(), Ok(next_hop));
        prop_assert_eq!(mac.to_string().parse(), Ok(mac));
        prop_assert_eq!(family.to_string().parse(), Ok(family));
        // Two sequences one after the other are shown as one.
        let text = path.to_string();
        prop_assert_eq!(text.parse::<AsPathBuf>().unwrap().to_string(), text);
    }

    #[test]
    fn a_flow_specification_read_from_its_text_is_shown_the_same(ipv6: bool, v4 in flow(false), v6 in flow(true)) {
        let (octets, family) = if ipv6 { (v6, AfiSafi::IPV6_FLOWSPEC) } else { (v4, AfiSafi::IPV4_FLOWSPEC) };
        let text = FlowRoute::from_octets(&octets, ipv6, None).to_string();
        let read = FlowRouteBuf::parse(&text, family);
        prop_assert_eq!(read.map(|route| route.to_string()), Ok(text));
    }

    #[test]
    fn any_text_is_a_value_or_an_error_with_a_column_in_it(text in "([0-9a-fA-FLrtsox:.{},/=><&!é -]|(prefix|mac-ip|tag|label|destination|port)){0,40}") {
        fn check<T: std::str::FromStr<Err = TextError>>(text: &str) {
            if let Err(error) = text.parse::<T>() {
                assert!(text.is_char_boundary(error.offset) && error.column <= text.chars().count() + 1);
                assert!(error.to_string().starts_with("expected "));
            }
        }
        check::<Community>(&text);
        check::<ExtendedCommunity>(&text);
        check::<LargeCommunity>(&text);
        check::<RouteDistinguisher>(&text);
        check::<AsPathBuf>(&text);
        check::<EvpnRoute<'_>>(&text);
        check::<NextHop>(&text);
        check::<Asdot>(&text);
        let _ = (parse_prefix(&text), FlowRouteBuf::parse(&text, AfiSafi::IPV4_FLOWSPEC), FlowRouteBuf::parse(&text, AfiSafi::IPV6_FLOWSPEC_VPN));
    }
}
