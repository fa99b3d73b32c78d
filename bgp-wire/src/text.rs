//! Text forms: communities, AS numbers and AS paths as operators write them. Each is read in the form in which it is shown.

use crate::as_path::{AsPathBuf, SegmentKind};
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while_m_n};
use nom::character::complete::{char, digit1, multispace0, multispace1};
use nom::combinator::{all_consuming, map, map_opt, map_res, opt, value};
use nom::error::Error;
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, separated_pair, terminated};
use nom::{Finish, IResult, Parser};

/// Text that is not of the form asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// What was expected, by example.
    pub expected: &'static str,
    /// Where the text stops making sense, in octets from its start.
    pub offset: usize,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} (at octet {})", self.expected, self.offset)
    }
}

impl core::error::Error for TextError {}

type Input<'a, T> = IResult<&'a str, T, Error<&'a str>>;

fn whole<'a, T>(
    text: &'a str,
    expected: &'static str,
    parser: impl Parser<&'a str, Output = T, Error = Error<&'a str>>,
) -> Result<T, TextError> {
    let parsed = all_consuming(parser).parse(text).finish();
    parsed.map(|(_, parsed)| parsed).map_err(|error| TextError { expected, offset: text.len() - error.input.len() })
}

fn number<T: FromStr>(input: &str) -> Input<'_, T> {
    map_res(digit1, str::parse).parse(input)
}

fn asn(input: &str) -> Input<'_, u32> {
    number(input)
}

fn ipv4(input: &str) -> Input<'_, Ipv4Addr> {
    map_res(take_while_m_n(7, 15, |c: char| c.is_ascii_digit() || c == '.'), str::parse).parse(input)
}

/// Reads an AS number in plain notation, `64500` or `4200000000` (RFC 5396), with or without a leading `AS`.
///
/// # Errors
/// If the text is anything else, or a number beyond 32 bits.
pub fn parse_asn(text: &str) -> Result<u32, TextError> {
    whole(text, "an AS number such as 64500", preceded(opt(alt((tag("AS"), tag("as")))), asn))
}

/// The form of `Display`, or the name of a well-known community.
impl FromStr for Community {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some((_, community)) = Self::NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*community);
        }
        let pair = map(separated_pair(number, char(':'), number), |(asn, local)| Self::new(asn, local));
        whole(text, "a community such as 64500:100 or no-export", pair)
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

/// `rt:64500:100` and `soo:64500:100`, with an IPv4 address or, marked by an `L` or by its size, a 4-octet AS number in front; or
/// `0x` and 16 hexadecimal digits.
impl FromStr for ExtendedCommunity {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let name = alt((value(2, tag("rt:")), value(3, tag("soo:"))));
        let with_address = map(separated_pair(ipv4, char(':'), number), |(address, local): (Ipv4Addr, u16)| {
            [&[1][..], &[0], &address.octets(), &local.to_be_bytes()].concat()
        });
        let with_wide_asn =
            map(separated_pair(terminated(asn, char('L')), char(':'), number), |(asn, local): (u32, u16)| {
                [&[2][..], &[0], &asn.to_be_bytes(), &local.to_be_bytes()].concat()
            });
        let with_asn = map(separated_pair(number, char(':'), number), |(asn, local): (u16, u32)| {
            [&[0][..], &[0], &asn.to_be_bytes(), &local.to_be_bytes()].concat()
        });
        let with_large_asn = map(separated_pair(asn, char(':'), number), |(asn, local): (u32, u16)| {
            [&[2][..], &[0], &asn.to_be_bytes(), &local.to_be_bytes()].concat()
        });
        let body = alt((with_address, with_wide_asn, with_asn, with_large_asn));
        let named = map_opt((name, body), |(subtype, octets)| {
            let mut octets: [u8; 8] = octets.try_into().ok()?;
            octets[1] = subtype;
            Some(Self(octets))
        });
        let hexadecimal =
            map_res(preceded(tag("0x"), take_while_m_n(16, 16, |c: char| c.is_ascii_hexdigit())), |digits| {
                u64::from_str_radix(digits, 16).map(|octets| Self(octets.to_be_bytes()))
            });
        whole(text, "an extended community such as rt:64500:100", alt((hexadecimal, named)))
    }
}

/// The form of `Display`: `64500 64501 {64502,64503} (64504) [64505]`. Empty text is the empty path.
impl FromStr for AsPathBuf {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut path = Self::new();
        if text.trim().is_empty() {
            return Ok(path);
        }
        let spaced = |input| separated_list1(multispace1, asn).parse(input);
        let listed = |input| separated_list1((multispace0, char(','), multispace0), asn).parse(input);
        let segment = alt((
            map(spaced, |asns| (SegmentKind::Sequence, asns)),
            map(delimited(char('{'), listed, char('}')), |asns| (SegmentKind::Set, asns)),
            map(delimited(char('('), spaced, char(')')), |asns| (SegmentKind::ConfedSequence, asns)),
            map(delimited(char('['), listed, char(']')), |asns| (SegmentKind::ConfedSet, asns)),
        ));
        let segments = delimited(multispace0, separated_list1(multispace1, segment), multispace0);
        for (kind, asns) in whole(text, "an AS path such as 64500 64501 {64502,64503}", segments)? {
            path.push(kind, asns);
        }
        Ok(path)
    }
}
