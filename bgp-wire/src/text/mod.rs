//! Text forms: what operators write, read in the form in which it is shown.
//!
//! Owns the grammars, and the error that points at the column where text stops making sense. Each `FromStr` here is the inverse of the
//! type's `Display`.

mod community;
mod route;

use crate::as_path::{AsPathBuf, SegmentKind};
use crate::{AfiSafi, NextHop, Origin};
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;
use ipnet::IpNet;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::{char, digit1, multispace0, multispace1, space1};
use nom::combinator::{all_consuming, cut, map, map_opt, map_res, opt};
use nom::error::{ErrorKind, FromExternalError, ParseError};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{Finish, IResult, Parser};

/// Text that is not of the form asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// What was expected, by example.
    pub expected: &'static str,
    /// Where the text stops making sense, in octets from its start.
    pub offset: usize,
    /// The same in characters, from 1.
    pub column: usize,
}

impl TextError {
    fn new(text: &str, expected: &'static str, offset: usize) -> Self {
        Self { expected, offset, column: text.get(..offset).map_or(0, |before| before.chars().count()) + 1 }
    }

    /// The text with a mark under the place, in two lines.
    pub fn point(&self, text: &str) -> String {
        alloc::format!("{text}\n{:>column$}", '^', column = self.column)
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} (at column {})", self.expected, self.column)
    }
}

impl core::error::Error for TextError {}

/// What is left of the text where it stops making sense. Of alternatives, the one that got furthest counts.
struct Rest<'a>(&'a str);

impl<'a> ParseError<&'a str> for Rest<'a> {
    fn from_error_kind(input: &'a str, _: ErrorKind) -> Self {
        Self(input)
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }

    fn or(self, other: Self) -> Self {
        if self.0.len() < other.0.len() { self } else { other }
    }
}

impl<'a, E> FromExternalError<&'a str, E> for Rest<'a> {
    fn from_external_error(input: &'a str, _: ErrorKind, _: E) -> Self {
        Self(input)
    }
}

type Input<'a, T> = IResult<&'a str, T, Rest<'a>>;

fn whole<'a, T>(
    text: &'a str,
    expected: &'static str,
    parser: impl Parser<&'a str, Output = T, Error = Rest<'a>>,
) -> Result<T, TextError> {
    let parsed = all_consuming(parser).parse(text).finish();
    parsed.map(|(_, parsed)| parsed).map_err(|Rest(rest)| TextError::new(text, expected, text.len() - rest.len()))
}

fn number<T: FromStr>(input: &str) -> Input<'_, T> {
    map_res(digit1, str::parse).parse(input)
}

/// The two halves of an AS number with a dot between (RFC 5396).
fn dotted_asn(input: &str) -> Input<'_, u32> {
    let halves = separated_pair(number::<u16>, char('.'), number::<u16>);
    map(halves, |(high, low)| u32::from(high) << 16 | u32::from(low)).parse(input)
}

fn asn(input: &str) -> Input<'_, u32> {
    alt((dotted_asn, number)).parse(input)
}

fn ipv4(input: &str) -> Input<'_, Ipv4Addr> {
    map_res(take_while1(|c: char| c.is_ascii_digit() || c == '.'), str::parse).parse(input)
}

fn ipv6(input: &str) -> Input<'_, Ipv6Addr> {
    map_res(take_while1(|c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.')), str::parse).parse(input)
}

fn address(input: &str) -> Input<'_, IpAddr> {
    alt((map(ipv4, IpAddr::from), map(ipv6, IpAddr::from))).parse(input)
}

/// A prefix without host bits, which would not be shown again.
fn prefix(input: &str) -> Input<'_, IpNet> {
    let mut net = map_opt(separated_pair(address, char('/'), number), |(address, length)| {
        IpNet::new(address, length).ok().filter(|net| net.trunc() == *net)
    });
    net.parse(input)
}

fn word<'a>(word: &'static str) -> impl Parser<&'a str, Output = (), Error = Rest<'a>> {
    map(tag(word), |_| ())
}

/// A value after a word and a space, itself after a space: ` tag 7`.
fn after<'a, T>(
    name: &'static str,
    value: impl Parser<&'a str, Output = T, Error = Rest<'a>>,
) -> impl Parser<&'a str, Output = T, Error = Rest<'a>> {
    preceded((space1, word(name), space1), value)
}

/// Reads an AS number in plain notation, `64500` or `4200000000`, or with a dot, `64086.59904` (RFC 5396), with or without a leading `AS`.
///
/// # Errors
/// If the text is anything else, or a number beyond 32 bits.
pub fn parse_asn(text: &str) -> Result<u32, TextError> {
    whole(text, "an AS number such as 64500 or 64086.59904", preceded(opt(alt((tag("AS"), tag("as")))), asn))
}

/// Shows an AS number with a dot if it needs four octets (asdot of RFC 5396): `64500`, `64086.59904`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asdot(pub u32);

impl fmt::Display for Asdot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 16 {
            0 => self.0.fmt(f),
            high => write!(f, "{high}.{}", self.0 & 0xffff),
        }
    }
}

impl FromStr for Asdot {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        parse_asn(text).map(Self)
    }
}

/// Reads a prefix such as `192.0.2.0/24` or `2001:db8::/32`.
///
/// # Errors
/// If the text is anything else, or a bit is set that the length leaves out.
pub fn parse_prefix(text: &str) -> Result<IpNet, TextError> {
    whole(text, "a prefix such as 192.0.2.0/24 without host bits", prefix)
}

/// The form of `Display`.
impl FromStr for Origin {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let all = [Self::Igp, Self::Egp, Self::Incomplete];
        let origin = map_opt(take_while1(|c: char| c.is_ascii_lowercase()), |name: &str| {
            all.into_iter().find(|origin| origin.name() == name)
        });
        whole(text, "igp, egp or incomplete", origin)
    }
}

/// The form of `Display`.
impl FromStr for AfiSafi {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some(family) = Self::from_name(text) {
            return Ok(family);
        }
        let numbers = (word("afi-"), number, word("-safi-"), number);
        whole(
            text,
            "a family such as ipv4-unicast or afi-25-safi-65",
            map(numbers, |(_, afi, _, safi)| Self::new(afi, safi)),
        )
    }
}

/// The form of `Display`.
impl FromStr for NextHop {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let pair =
            map(separated_pair(ipv6, space1, ipv6), |(global, link_local)| Self::Ipv6LinkLocal { global, link_local });
        let next_hop = alt((pair, map(ipv4, Self::Ipv4), map(ipv6, Self::Ipv6)));
        whole(text, "a next hop such as 192.0.2.1 or 2001:db8::1 fe80::1", next_hop)
    }
}

/// The form of `Display`: `64500 64501 {64502,64503} (64504) [64505]`, AS numbers with or without a dot. Empty text is the empty path.
impl FromStr for AsPathBuf {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut path = Self::new();
        if text.trim().is_empty() {
            return Ok(path);
        }
        let spaced = |input| separated_list1(multispace1, asn).parse(input);
        // Within brackets, what is wrong is not a reason to look for another form.
        let listed = |input| separated_list1((multispace0, char(','), multispace0), cut(asn)).parse(input);
        let enclosed = |input| separated_list1(multispace1, cut(asn)).parse(input);
        let segment = alt((
            map(spaced, |asns| (SegmentKind::Sequence, asns)),
            map(delimited(char('{'), listed, cut(char('}'))), |asns| (SegmentKind::Set, asns)),
            map(delimited(char('('), enclosed, cut(char(')'))), |asns| (SegmentKind::ConfedSequence, asns)),
            map(delimited(char('['), listed, cut(char(']'))), |asns| (SegmentKind::ConfedSet, asns)),
        ));
        let segments = delimited(multispace0, separated_list1(multispace1, segment), multispace0);
        for (kind, asns) in whole(text, "an AS path such as 64500 64501 {64502,64503}", segments)? {
            path.push(kind, asns);
        }
        Ok(path)
    }
}
