//! Text forms are read as they are shown, and refused with a place where they are wrong.

use bgp_wire::{AsPathBuf, Community, ExtendedCommunity, LargeCommunity, parse_asn};

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
fn as_numbers_are_read_in_plain_notation() {
    assert_eq!(parse_asn("64500"), Ok(64500));
    assert_eq!(parse_asn("AS4200000000"), Ok(4_200_000_000));
    assert!(parse_asn("4294967296").is_err() && parse_asn("").is_err() && parse_asn("1.1").is_err());
}

#[test]
fn wrong_text_is_refused_with_the_place_and_an_example() {
    let error = "64500:70000".parse::<Community>().unwrap_err();
    assert_eq!(error.to_string(), "expected a community such as 64500:100 or no-export (at octet 6)");
    for text in ["", "64500", "64500:1:2", "64500:1 ", "a:b", "-1:1"] {
        assert!(text.parse::<Community>().is_err(), "{text}");
    }
    for text in ["rt:1", "xx:1:2", "0x01", "rt:70000:70000", "rt:300.0.0.1:1"] {
        assert!(text.parse::<ExtendedCommunity>().is_err(), "{text}");
    }
    for text in ["64500 {", "{}", "64500,64501", "64500 x"] {
        assert!(text.parse::<AsPathBuf>().is_err(), "{text}");
    }
}
