//! Communities of all kinds, and route distinguishers, which have the same parts as route targets.

use super::{Input, TextError, asn, dotted_asn, ipv4, ipv6, number, whole, word};
use crate::community::{Community, LargeCommunity};
use crate::ext_community::{Administrator, ExtendedCommunity, Ipv6ExtendedCommunity, TypedCommunity};
use crate::routes::{EthernetSegmentId, Mac, RouteDistinguisher};
use core::str::FromStr;
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::char;
use nom::combinator::{map, map_opt, map_res, opt, value};
use nom::sequence::{delimited, preceded, separated_pair, terminated};

/// As many octets in hexadecimal as the array has, each with two digits.
fn hexadecimal<const N: usize>(input: &str) -> Input<'_, [u8; N]> {
    let digits = take_while_m_n(2 * N, 2 * N, |c: char| c.is_ascii_hexdigit());
    map_opt(preceded(tag("0x"), digits), |digits: &str| {
        let mut octets = [0; N];
        for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().as_chunks::<2>().0) {
            *octet = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(octets)
    })
    .parse(input)
}

/// As many octets as the array has, with colons between.
pub(super) fn colons<const N: usize>(input: &str) -> Input<'_, [u8; N]> {
    let (mut rest, mut octets) = (input, [0; N]);
    for (at, octet) in octets.iter_mut().enumerate() {
        let pair = map_res(take_while_m_n(2, 2, |c: char| c.is_ascii_hexdigit()), |pair| u8::from_str_radix(pair, 16));
        (rest, *octet) = if at == 0 { { pair }.parse(rest)? } else { preceded(char(':'), pair).parse(rest)? };
    }
    Ok((rest, octets))
}

pub(super) fn mac(input: &str) -> Input<'_, Mac> {
    map(colons, Mac).parse(input)
}

pub(super) fn segment(input: &str) -> Input<'_, EthernetSegmentId> {
    map(colons, EthernetSegmentId).parse(input)
}

/// An AS number has four octets if it is marked so, has a dot, or is too large for two.
fn administrator(input: &str) -> Input<'_, Administrator> {
    let with_address =
        map(separated_pair(ipv4, char(':'), number), |(address, number)| Administrator::Ipv4 { address, number });
    let wide = alt((terminated(asn, char('L')), dotted_asn));
    let with_wide_asn =
        map(separated_pair(wide, char(':'), number), |(asn, number)| Administrator::As4 { asn, number });
    let with_asn = map(separated_pair(number, char(':'), number), |(asn, number)| Administrator::As2 { asn, number });
    let with_large_asn =
        map(separated_pair(asn, char(':'), number), |(asn, number)| Administrator::As4 { asn, number });
    alt((with_address, with_wide_asn, with_asn, with_large_asn)).parse(input)
}

/// The form of `Display`, or the name of a well-known community.
impl FromStr for Community {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let pair = map(separated_pair(number, char(':'), number), |(asn, local)| Self::new(asn, local));
        let name = map_opt(take_while1(|c: char| c.is_ascii_lowercase() || c == '-'), |name: &str| {
            Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, community)| *community)
        });
        whole(text, "a community such as 64500:100 or no-export", alt((name, pair)))
    }
}

impl FromStr for LargeCommunity {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let parts = map((number, char(':'), number, char(':'), number), |(global, _, local1, _, local2)| {
            Self::new(global, local1, local2)
        });
        whole(text, "a large community such as 64500:1:2", parts)
    }
}

/// A number after which a flag may stand by its name.
fn flagged<'a>(flag: u8, name: &'static str) -> impl Parser<&'a str, Output = (u32, u8), Error = super::Rest<'a>> {
    (number, map(opt(word(name)), move |set| if set.is_some() { flag } else { 0 }))
}

fn typed(input: &str) -> Input<'_, TypedCommunity> {
    let encapsulation = alt((
        number,
        map_opt(take_while1(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), |name: &str| {
            TypedCommunity::ENCAPSULATIONS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
        }),
    ));
    let bandwidth = map_res(take_while1(|c: char| c.is_ascii_digit() || c == '.'), str::parse::<f32>);
    alt((
        map(preceded(tag("rt:"), administrator), TypedCommunity::RouteTarget),
        map(preceded(tag("soo:"), administrator), TypedCommunity::RouteOrigin),
        map(preceded(tag("link-bandwidth:"), separated_pair(number, char(':'), bandwidth)), |(asn, bandwidth)| {
            TypedCommunity::LinkBandwidth { asn, bandwidth }
        }),
        map(preceded(tag("color:"), number), |color| TypedCommunity::Color { flags: 0, color }),
        map(preceded(tag("encapsulation:"), encapsulation), TypedCommunity::Encapsulation),
        value(TypedCommunity::DefaultGateway, tag("default-gateway")),
        map(preceded(tag("mac-mobility:"), flagged(TypedCommunity::STICKY, ":sticky")), |(sequence, flags)| {
            TypedCommunity::MacMobility { flags, sequence }
        }),
        map_opt(
            preceded(tag("esi-label:"), flagged(TypedCommunity::SINGLE_ACTIVE, ":single-active")),
            |(label, flags)| (label >> 24 == 0).then_some(TypedCommunity::EsiLabel { flags, label }),
        ),
        map(preceded(tag("es-import:"), mac), TypedCommunity::EsImport),
        map(preceded(tag("router-mac:"), mac), TypedCommunity::RouterMac),
    ))
    .parse(input)
}

/// The form of `Display`; of route targets and origins, an AS number of four octets is known by its `L`, a dot, or its size.
impl FromStr for ExtendedCommunity {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let community = alt((map(hexadecimal, Self), map(typed, Self::from)));
        whole(text, "an extended community such as rt:64500:100", community)
    }
}

/// The form of `Display`.
impl FromStr for Ipv6ExtendedCommunity {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let subtype = alt((value(2, tag("rt:")), value(3, tag("soo:"))));
        let named = (subtype, delimited(char('['), ipv6, char(']')), char(':'), number);
        let community = alt((
            map(hexadecimal, Self),
            map(named, |(subtype, address, _, number)| Self::new(0, subtype, address, number)),
        ));
        whole(text, "an extended community such as rt:[2001:db8::1]:100", community)
    }
}

pub(super) fn distinguisher(input: &str) -> Input<'_, RouteDistinguisher> {
    alt((map(hexadecimal, RouteDistinguisher), map(administrator, RouteDistinguisher::from))).parse(input)
}

/// The form of `Display`; an AS number of four octets is known by its `L`, a dot, or its size.
impl FromStr for RouteDistinguisher {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        whole(text, "a route distinguisher such as 64500:100", distinguisher)
    }
}

/// The form of `Display`.
impl FromStr for Mac {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        whole(text, "a MAC address such as 00:53:00:00:00:01", mac)
    }
}

/// The form of `Display`.
impl FromStr for EthernetSegmentId {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        whole(text, "an Ethernet segment such as 00:11:22:33:44:55:66:77:88:99", segment)
    }
}
