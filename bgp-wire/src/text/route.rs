//! Routes of EVPN and flow specifications.

use super::community::{distinguisher, mac, segment};
use super::{Input, TextError, address, after, number, prefix, whole, word};
use crate::AfiSafi;
use crate::routes::{EvpnRoute, FlowComponent, FlowRoute, FlowRouteBuf, Operations};
use alloc::vec::Vec;
use core::str::FromStr;
use ipnet::IpNet;
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, hex_digit1, space1};
use nom::combinator::{map, map_opt, map_res, opt};
use nom::multi::separated_list1;
use nom::sequence::{preceded, separated_pair, terminated};

/// A label field: 24 bits.
fn label(input: &str) -> Input<'_, u32> {
    map_opt(number, |label: u32| (label >> 24 == 0).then_some(label)).parse(input)
}

fn tag_field(input: &str) -> Input<'_, u32> {
    after("tag", number).parse(input)
}

fn evpn(input: &str) -> Input<'_, EvpnRoute<'static>> {
    let spaced_segment = |input| map(opt(after("segment", segment)), Option::unwrap_or_default).parse(input);
    let head = |input| (preceded(space1, distinguisher), spaced_segment).parse(input);
    let originator = |input| preceded(space1, address).parse(input);
    alt((
        map(
            preceded(word("auto-discovery"), (head, tag_field, after("label", label))),
            |((distinguisher, segment), tag, label)| EvpnRoute::AutoDiscovery { distinguisher, segment, tag, label },
        ),
        map(
            preceded(
                word("mac-ip"),
                (
                    head,
                    tag_field,
                    preceded(space1, mac),
                    opt(originator),
                    after("label", label),
                    opt(preceded(char('/'), label)),
                ),
            ),
            |((distinguisher, segment), tag, mac, address, label, label2)| EvpnRoute::MacIp {
                distinguisher,
                segment,
                tag,
                mac,
                address,
                label,
                label2,
            },
        ),
        map(
            preceded(word("inclusive-multicast"), (preceded(space1, distinguisher), tag_field, originator)),
            |(distinguisher, tag, originator)| EvpnRoute::InclusiveMulticast { distinguisher, tag, originator },
        ),
        map(preceded(word("ethernet-segment"), (head, originator)), |((distinguisher, segment), originator)| {
            EvpnRoute::EthernetSegment { distinguisher, segment, originator }
        }),
        map_opt(
            preceded(
                word("prefix"),
                (head, tag_field, preceded(space1, prefix), opt(after("gateway", address)), after("label", label)),
            ),
            |((distinguisher, segment), tag, prefix, gateway, label)| {
                let none = match prefix {
                    IpNet::V4(_) => core::net::Ipv4Addr::UNSPECIFIED.into(),
                    IpNet::V6(_) => core::net::Ipv6Addr::UNSPECIFIED.into(),
                };
                let gateway = gateway.unwrap_or(none);
                let fits = gateway.is_ipv4() == none.is_ipv4();
                fits.then_some(EvpnRoute::Prefix { distinguisher, segment, tag, prefix, gateway, label })
            },
        ),
    ))
    .parse(input)
}

/// The form of `Display`, of the types 1 to 5.
impl FromStr for EvpnRoute<'static> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        whole(text, "an EVPN route such as prefix 64500:100 tag 0 10.0.0.0/24 label 1000", evpn)
    }
}

const NUMBERS: [(&str, u8); 8] =
    [("false", 0), ("true", 7), ("!=", 6), (">=", 3), ("<=", 5), ("=", 1), (">", 2), ("<", 4)];
const BITS: [(&str, u8); 4] = [("!=", 3), ("!", 2), ("=", 1), ("", 0)];

/// One of these words, the first that fits.
fn operator<'a>(operators: &'static [(&'static str, u8)]) -> impl FnMut(&'a str) -> Input<'a, u8> {
    move |input| {
        let found = operators.iter().find_map(|(text, octet)| Some((input.strip_prefix(text)?, *octet)));
        found.ok_or(nom::Err::Error(super::Rest(input)))
    }
}

/// `=80,>=100&<=200`, or of bits `0x2,=0x3`.
fn operations(input: &str, bits: bool) -> Input<'_, Vec<u8>> {
    const AND: u8 = 0x40;
    let one = |input| {
        if bits {
            let digits = map_res(hex_digit1, |digits| u64::from_str_radix(digits, 16));
            (operator(&BITS), preceded(tag("0x"), digits)).parse(input)
        } else {
            (operator(&NUMBERS), number).parse(input)
        }
    };
    let (mut rest, first) = one(input)?;
    let mut pairs = alloc::vec![first];
    loop {
        let (join, after) = match rest.as_bytes().first() {
            Some(b'&') => (AND, &rest[1..]),
            Some(b',') => (0, &rest[1..]),
            _ => return Ok((rest, Operations::encode(pairs))),
        };
        let (after, (operator, value)) = one(after)?;
        pairs.push((operator | join, value));
        rest = after;
    }
}

/// A component's octets, and its type, after which the next one's has to come.
fn component(input: &str, ipv6: bool) -> Input<'_, (u8, Vec<u8>)> {
    let known = |name: &str| FlowComponent::kind_of(name).filter(|kind| *kind < 13 || ipv6);
    let (rest, kind) =
        terminated(map_opt(take_while1(|c: char| c.is_ascii_lowercase() || c == '-'), known), space1).parse(input)?;
    let mut octets = Vec::new();
    if kind > 2 {
        let (rest, values) = operations(rest, FlowComponent::is_of_bits(kind))?;
        octets.push(kind);
        octets.extend_from_slice(&values);
        return Ok((rest, (kind, octets)));
    }
    let offset = opt(after("offset", number::<u8>));
    let (rest, (prefix, offset)) = map_opt((prefix, offset), |(prefix, offset)| {
        let (offset, net_is_ipv6) = (offset.unwrap_or(0), matches!(prefix, IpNet::V6(_)));
        // Some bit has to count (RFC 8956 section 3.1).
        let fits = net_is_ipv6 == ipv6 && (offset == 0 || ipv6 && offset < prefix.prefix_len());
        fits.then_some((prefix, offset))
    })
    .parse(rest)?;
    let component = match kind {
        1 => FlowComponent::Destination { prefix, offset },
        _ => FlowComponent::Source { prefix, offset },
    };
    component.write(&mut octets);
    Ok((rest, (kind, octets)))
}

impl FlowRouteBuf {
    /// Reads the form in which [`FlowRoute`] is shown; the family says whether it is about IPv6, and whether a route distinguisher comes
    /// first. Components may stand in any order; each number is taken as the shortest that holds it.
    ///
    /// # Errors
    /// If the text is anything else, the same component comes twice, or the family is not one of flow specifications.
    pub fn parse(text: &str, family: AfiSafi) -> Result<Self, TextError> {
        let expected = "a flow specification such as destination 192.0.2.0/24 protocol =6";
        let (ipv6, vpn) = match family {
            AfiSafi::IPV4_FLOWSPEC => (false, false),
            AfiSafi::IPV6_FLOWSPEC => (true, false),
            AfiSafi::IPV4_FLOWSPEC_VPN => (false, true),
            AfiSafi::IPV6_FLOWSPEC_VPN => (true, true),
            _ => return Err(TextError::new(text, "a family of flow specifications", 0)),
        };
        let components = separated_list1(space1, move |input| component(input, ipv6));
        let (distinguisher, mut components) = if vpn {
            let parts = separated_pair(distinguisher, space1, components);
            whole(text, expected, map(parts, |(distinguisher, components)| (Some(distinguisher), components)))?
        } else {
            (None, whole(text, expected, components)?)
        };
        components.sort_by_key(|(kind, _)| *kind);
        let octets: Vec<u8> = components.into_iter().flat_map(|(_, octets)| octets).collect();
        let route = Self { distinguisher, ipv6, octets };
        if FlowRoute::from(&route).is_sound() { Ok(route) } else { Err(TextError::new(text, "each component once", 0)) }
    }
}
