//! A second decoder of UPDATE, for the tests alone: written from the RFCs, octet by octet, into owned values, with a verdict of its own.
//!
//! It knows nothing of the crate but [`DecodeCtx`], which says how a message is to be read; [`view`] lays what the crate reads in the
//! same values, so that the two can be compared. The property tests and a fuzz target share it.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod attributes;
pub mod routes;
pub mod view;

use attributes::{Attribute, Values};
use bgp_wire::DecodeCtx;
use routes::Route;

/// Octets that are taken off the front, one field at a time.
#[derive(Clone, Copy)]
pub struct Octets<'a>(pub &'a [u8]);

impl<'a> Octets<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        if count > self.0.len() {
            return None;
        }
        let taken = &self.0[..count];
        self.0 = &self.0[count..];
        Some(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.take(N)?;
        let mut array = [0; N];
        array.copy_from_slice(taken);
        Some(array)
    }

    /// A number of `count` octets, at most eight, in network order.
    pub fn number(&mut self, count: usize) -> Option<u64> {
        Some(self.take(count)?.iter().fold(0, |number, octet| number * 256 + u64::from(*octet)))
    }

    pub fn octet(&mut self) -> Option<u8> {
        self.number(1).map(|number| number as u8)
    }

    pub fn two(&mut self) -> Option<u16> {
        self.number(2).map(|number| number as u16)
    }

    pub fn four(&mut self) -> Option<u32> {
        self.number(4).map(|number| number as u32)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// AFI and SAFI.
pub type Numbers = (u16, u8);

/// A path identifier, where there are some, and a route.
pub type Item = (Option<u32>, Route);

/// What has to be done with a message that does not end the session, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treatment {
    Accept,
    Discard,
    Withdraw,
    DisableFamily,
}

/// What a receiver makes of an UPDATE.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The session ends with a NOTIFICATION of one of these codes and subcodes. Where more than one thing is wrong, each may be named.
    Reset(Vec<(u8, u8)>),
    /// The message can be used, or at least its routes are known.
    Update(Box<Update>),
}

/// MP_REACH_NLRI.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    pub family: Numbers,
    pub next_hop: Vec<u8>,
    pub routes: Vec<Item>,
}

/// MP_UNREACH_NLRI.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreach {
    pub family: Numbers,
    pub routes: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub treatment: Treatment,
    /// The families to disable, in order.
    pub disables: Vec<Numbers>,
    pub withdrawn: Vec<Item>,
    pub announced: Vec<Item>,
    pub reach: Option<Reach>,
    pub unreach: Option<Unreach>,
    pub end_of_rib: Option<Numbers>,
    /// The attributes that stand, but for the multiprotocol ones. Empty where the routes are withdrawn: then they mean nothing.
    pub attributes: Vec<Attribute>,
    /// What those say. That of no attributes where the routes are withdrawn.
    pub values: Values,
}

/// What is wrong, as it is found.
#[derive(Default)]
pub struct Verdict {
    pub resets: Vec<(u8, u8)>,
    pub withdraws: Vec<(u8, u8)>,
    pub disables: Vec<Numbers>,
    pub discards: usize,
}

impl Verdict {
    pub fn reset(&mut self, subcode: u8) {
        self.resets.push((3, subcode));
    }

    pub fn withdraw(&mut self, subcode: u8) {
        self.withdraws.push((3, subcode));
    }

    pub fn discard(&mut self) {
        self.discards += 1;
    }
}

pub const MALFORMED_LIST: u8 = 1;
pub const UNRECOGNIZED_WELL_KNOWN: u8 = 2;
pub const MISSING_WELL_KNOWN: u8 = 3;
pub const FLAGS: u8 = 4;
pub const LENGTH: u8 = 5;
pub const INVALID_ORIGIN: u8 = 6;
pub const OPTIONAL_ATTRIBUTE: u8 = 9;
pub const INVALID_NETWORK: u8 = 10;
pub const MALFORMED_PATH: u8 = 11;

pub const ORIGIN: u8 = 1;
pub const AS_PATH: u8 = 2;
pub const NEXT_HOP: u8 = 3;
pub const MP_REACH: u8 = 14;
pub const MP_UNREACH: u8 = 15;

/// Reads a whole UPDATE whose header is sound.
pub fn read(frame: &[u8], ctx: &DecodeCtx) -> Reading {
    // RFC 4271 section 6.3: the two lengths and 23 octets must not exceed the message.
    let lengths = |body: &[u8]| -> Option<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        let mut body = Octets(body);
        let withdrawn = body.two()?;
        let withdrawn = body.take(withdrawn.into())?;
        let attributes = body.two()?;
        let attributes = body.take(attributes.into())?;
        Some((withdrawn.to_vec(), attributes.to_vec(), body.0.to_vec()))
    };
    let Some((withdrawn, attributes, nlri)) = frame.get(19..).and_then(lengths) else {
        return Reading::Reset(vec![(3, MALFORMED_LIST)]);
    };
    let mut verdict = Verdict::default();
    // RFC 7606 section 5.3, RFC 4271 section 6.3.
    let mut plain = |octets: &[u8], is_withdrawal: bool| {
        routes::read(octets, (1, 1), ctx, is_withdrawal).unwrap_or_else(|| {
            verdict.reset(INVALID_NETWORK);
            Vec::new()
        })
    };
    let withdrawn = plain(&withdrawn, true);
    let announced = plain(&nlri, false);

    let list = attributes::split(&attributes, &mut verdict);
    let mut block = attributes::check(&list.attributes, ctx, &mut verdict);
    let reach = block.reach.take();
    let unreach = block.unreach.take();

    let announces = !announced.is_empty() || block.announces;
    // RFC 7606 section 3 d, RFC 4760 section 3: those of ORIGIN, AS_PATH and, for the NLRI field, NEXT_HOP.
    if announces {
        let mut mandatory = vec![ORIGIN, AS_PATH];
        if !announced.is_empty() {
            mandatory.push(NEXT_HOP);
        }
        for code in mandatory {
            if !list.attributes.iter().any(|attribute| attribute.code == code) {
                verdict.withdraw(MISSING_WELL_KNOWN);
            }
        }
    }
    // RFC 7606 section 5.2: without reachable routes, "treat as withdraw" is a session reset.
    let others = list.is_cut_short || list.attributes.iter().any(|attribute| attribute.code != MP_UNREACH);
    if !announces && others {
        verdict.resets.append(&mut verdict.withdraws);
        if !verdict.disables.is_empty() {
            verdict.reset(OPTIONAL_ATTRIBUTE);
        }
    }
    if !verdict.resets.is_empty() {
        verdict.resets.sort();
        verdict.resets.dedup();
        return Reading::Reset(verdict.resets);
    }
    verdict.disables.sort();
    verdict.disables.dedup();
    let treatment = if !verdict.disables.is_empty() {
        Treatment::DisableFamily
    } else if !verdict.withdraws.is_empty() {
        Treatment::Withdraw
    } else if verdict.discards > 0 {
        Treatment::Discard
    } else {
        Treatment::Accept
    };
    // RFC 4724 section 2: an UPDATE with nothing in it, or with nothing but an empty MP_UNREACH_NLRI.
    let end_of_rib = if !withdrawn.is_empty() || !announced.is_empty() {
        None
    } else if attributes.is_empty() {
        Some((1, 1))
    } else {
        match (&list.attributes[..], &unreach) {
            ([_], Some(unreach)) if unreach.is_empty && !list.is_cut_short => Some(unreach.value.family),
            _ => None,
        }
    };
    let stand = if treatment >= Treatment::Withdraw { Vec::new() } else { block.standing };
    Reading::Update(Box::new(Update {
        treatment,
        disables: verdict.disables,
        withdrawn,
        announced,
        reach: reach.map(|found| found.value),
        unreach: unreach.map(|found| found.value),
        end_of_rib,
        values: Values::of(&stand, ctx.as4),
        attributes: stand,
    }))
}
