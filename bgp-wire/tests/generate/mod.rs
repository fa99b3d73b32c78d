//! UPDATEs put together octet by octet: sound ones of every family and attribute, and ones with something wrong.
#![allow(dead_code, missing_docs, unreachable_pub)]

use bgp_wire::{AfiSafi, DecodeCtx, FamilySet, PeerKind};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// The fields of an UPDATE; the attributes one by one.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub withdrawn: Vec<u8>,
    pub attributes: Vec<Vec<u8>>,
    pub announced: Vec<u8>,
}

impl Parts {
    pub fn octets(&self) -> Vec<u8> {
        let attributes = self.attributes.concat();
        let mut body = (self.withdrawn.len() as u16).to_be_bytes().to_vec();
        body.extend_from_slice(&self.withdrawn);
        body.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
        body.extend_from_slice(&attributes);
        body.extend_from_slice(&self.announced);
        message(&body)
    }
}

/// An UPDATE with this body.
pub fn message(body: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    message.extend_from_slice(&((19 + body.len()) as u16).to_be_bytes());
    message.push(2);
    message.extend_from_slice(body);
    message
}

const FAMILIES: [(u16, u8); 20] = [
    (1, 1),
    (2, 1),
    (1, 2),
    (2, 2),
    (1, 4),
    (2, 4),
    (1, 128),
    (2, 128),
    (25, 70),
    (1, 132),
    (1, 133),
    (2, 133),
    (1, 134),
    (2, 134),
    (1, 5),
    (25, 65),
    (1, 73),
    (16388, 71),
    (1, 66),
    (0, 0),
];

fn family_set() -> impl Strategy<Value = FamilySet> {
    prop_oneof![
        3 => Just(FamilySet::EMPTY),
        1 => Just(FamilySet::ALL),
        2 => vec(select(&FAMILIES[..]), 0..6)
            .prop_map(|families| families.into_iter().map(|(afi, safi)| AfiSafi::new(afi, safi)).collect()),
    ]
}

pub fn context() -> impl Strategy<Value = DecodeCtx> {
    let peer = select(&[PeerKind::External, PeerKind::Internal, PeerKind::Confederation, PeerKind::Unknown][..]);
    (any::<bool>(), family_set(), any::<bool>(), family_set(), peer).prop_map(
        |(as4, add_path, extended_message, extended_next_hop, peer)| DecodeCtx {
            as4,
            add_path,
            extended_message,
            extended_next_hop,
            peer,
        },
    )
}

pub fn small_octets() -> BoxedStrategy<Vec<u8>> {
    let octet = prop_oneof![3 => 0..=40u8, 1 => any::<u8>(), 1 => select(&[0x40, 0x80, 0xc0, 0x50, 0xff][..])];
    vec(octet, 0..40).boxed()
}

fn octets(count: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), count).boxed()
}

/// A field of as many octets as `bits` need, some of them with host bits set.
fn bits_field(most: u8) -> BoxedStrategy<(u8, Vec<u8>)> {
    (0..=most).prop_flat_map(|bits| (Just(bits), octets(usize::from(bits).div_ceil(8)))).boxed()
}

fn prefix(afi: u16, before: Vec<u8>) -> BoxedStrategy<Vec<u8>> {
    bits_field(if afi == 1 { 32 } else { 128 })
        .prop_map(move |(bits, address)| {
            let mut octets = vec![bits + 8 * before.len() as u8];
            octets.extend_from_slice(&before);
            octets.extend(address);
            octets
        })
        .boxed()
}

/// A label stack as it is sent: the S bit on the last one only, or a placeholder where the route is withdrawn.
fn labels(withdrawn: bool, most: usize) -> BoxedStrategy<Vec<u8>> {
    // Within a stack, 0 and 0x80000 would look like the placeholder.
    let stack = vec(1..0x8_0000u32, 1..=most).prop_map(|labels| {
        let last = labels.len() - 1;
        let octets = labels.iter().enumerate().flat_map(|(at, label)| {
            let field = label << 4 | u32::from(at == last);
            field.to_be_bytes()[1..].to_vec()
        });
        octets.collect::<Vec<u8>>()
    });
    if withdrawn {
        prop_oneof![stack, Just(vec![0x80, 0, 0]), Just(vec![0, 0, 0])].boxed()
    } else {
        prop_oneof![4 => stack, 1 => (0x100..0x10_0000u32).prop_map(|label| (label << 4).to_be_bytes()[1..].to_vec())]
            .boxed()
    }
}

/// A route, without path identifier.
fn route(family: (u16, u8), withdrawn: bool) -> BoxedStrategy<Vec<u8>> {
    match family {
        (afi @ (1 | 2), 1 | 2) => prefix(afi, Vec::new()),
        (afi @ (1 | 2), 4) => {
            labels(withdrawn, if afi == 1 { 4 } else { 3 }).prop_flat_map(move |labels| prefix(afi, labels)).boxed()
        }
        (afi @ (1 | 2), 128) => (labels(withdrawn, if afi == 1 { 3 } else { 2 }), octets(8))
            .prop_flat_map(move |(labels, distinguisher)| prefix(afi, [labels, distinguisher].concat()))
            .boxed(),
        (25, 70) => evpn(),
        (1, 132) => prop_oneof![
            Just(vec![0]),
            (32..=96u8).prop_flat_map(|bits| {
                octets(usize::from(bits).div_ceil(8)).prop_map(move |octets| [vec![bits], octets].concat())
            })
        ]
        .boxed(),
        (afi @ (1 | 2), safi @ (133 | 134)) => flow(afi)
            .prop_flat_map(move |components| {
                let distinguisher = octets(if safi == 134 { 8 } else { 0 });
                (distinguisher, any::<bool>()).prop_map(move |(distinguisher, long)| {
                    let value = [distinguisher, components.clone()].concat();
                    let mut octets = match value.len() as u16 {
                        length @ 0..240 if !long => vec![length as u8],
                        length => (0xf000 | length).to_be_bytes().to_vec(),
                    };
                    octets.extend(value);
                    octets
                })
            })
            .boxed(),
        (_, 5) => (any::<u8>(), vec(any::<u8>(), 0..30))
            .prop_map(|(kind, value)| [vec![kind, value.len() as u8], value].concat())
            .boxed(),
        (25, 65) => vec(any::<u8>(), 12..30).prop_map(|value| [vec![0, value.len() as u8], value].concat()).boxed(),
        (1, 73) => octets(12).prop_map(|value| [vec![96], value].concat()).boxed(),
        (16388, _) => (any::<u16>(), vec(any::<u8>(), 0..30))
            .prop_map(|(kind, value)| [&kind.to_be_bytes()[..], &[0, value.len() as u8], &value].concat())
            .boxed(),
        _ => vec(any::<u8>(), 1..30).boxed(),
    }
}

fn evpn() -> BoxedStrategy<Vec<u8>> {
    let sized = |kind: u8, value: BoxedStrategy<Vec<u8>>| {
        value.prop_map(move |value| [vec![kind, value.len() as u8], value].concat()).boxed()
    };
    let address = |none: bool| {
        let some = prop_oneof![
            octets(4).prop_map(|address| [vec![32], address].concat()),
            octets(16).prop_map(|address| [vec![128], address].concat())
        ];
        if none { prop_oneof![some, Just(vec![0])].boxed() } else { some.boxed() }
    };
    let mac_ip = (octets(22), octets(6), address(true), select(&[3usize, 6][..]).prop_flat_map(octets))
        .prop_map(|(head, mac, address, labels)| [head, vec![48], mac, address, labels].concat());
    let multicast = (octets(12), address(false)).prop_map(|(head, address)| [head, address].concat());
    let segment = (octets(18), address(false)).prop_map(|(head, address)| [head, address].concat());
    let ip_prefix = select(&[4usize, 16][..]).prop_flat_map(|width| {
        (octets(22), 0..=(8 * width) as u8, octets(2 * width + 3))
            .prop_map(|(head, bits, tail)| [head, vec![bits], tail].concat())
    });
    prop_oneof![
        sized(1, octets(25)),
        sized(2, mac_ip.boxed()),
        sized(3, multicast.boxed()),
        sized(4, segment.boxed()),
        sized(5, ip_prefix.boxed()),
        (6..=255u8, vec(any::<u8>(), 0..20)).prop_map(|(kind, value)| [vec![kind, value.len() as u8], value].concat()),
    ]
    .boxed()
}

fn flow(afi: u16) -> BoxedStrategy<Vec<u8>> {
    let prefix = if afi == 1 {
        prefix(1, Vec::new())
    } else {
        prop_oneof![
            Just(vec![0, 0]),
            (1..=128u8).prop_flat_map(|bits| (Just(bits), 0..bits)).prop_flat_map(|(bits, offset)| {
                octets(usize::from(bits - offset).div_ceil(8))
                    .prop_map(move |pattern| [vec![bits, offset], pattern].concat())
            })
        ]
        .boxed()
    };
    let operations = vec((any::<u8>(), octets(8)), 1..4).prop_map(|list| {
        let last = list.len() - 1;
        let each = list.into_iter().enumerate().flat_map(|(at, (operator, value))| {
            let operator = operator & 0x7f | if at == last { 0x80 } else { 0 };
            [vec![operator], value[..1 << (operator >> 4 & 3)].to_vec()].concat()
        });
        each.collect::<Vec<u8>>()
    });
    let prefixes = (option::of(prefix.clone()), option::of(prefix));
    (prefixes, vec(option::of(operations), if afi == 1 { 10 } else { 11 }))
        .prop_map(|((destination, source), fields)| {
            let components = [destination, source].into_iter().chain(fields).enumerate();
            components
                .flat_map(|(at, value)| value.map(|value| [vec![at as u8 + 1], value].concat()).unwrap_or_default())
                .collect()
        })
        .boxed()
}

/// Some routes of a family, with path identifiers if it has them.
fn routes(family: (u16, u8), ctx: DecodeCtx, withdrawn: bool, least: usize) -> BoxedStrategy<Vec<u8>> {
    let add_path = ctx.add_path.contains(AfiSafi::new(family.0, family.1));
    vec((octets(4), route(family, withdrawn)), least..6)
        .prop_map(move |routes| {
            routes.into_iter().flat_map(|(id, route)| if add_path { [id, route].concat() } else { route }).collect()
        })
        .boxed()
}

fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let mut octets = match u8::try_from(value.len()) {
        Ok(length) if flags & 0x10 == 0 => vec![flags, code, length],
        _ => [&[flags | 0x10, code][..], &(value.len() as u16).to_be_bytes()].concat(),
    };
    octets.extend_from_slice(value);
    octets
}

/// An attribute whose length may be written in two octets, and which may be marked partial.
fn framed(flags: u8, code: u8, value: BoxedStrategy<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let extra = prop_oneof![5 => Just(0), 1 => Just(0x10), 1 => Just(0x20), 1 => Just(0x0f)];
    (extra, value).prop_map(move |(extra, value)| attribute(flags | extra, code, &value)).boxed()
}

fn asn(width: usize) -> BoxedStrategy<Vec<u8>> {
    let number = prop_oneof![3 => 1..70_000u32, 1 => Just(23456u32), 1 => 1..=u32::MAX];
    number
        .prop_map(move |number| match width {
            4 => number.to_be_bytes().to_vec(),
            _ => u16::try_from(number).unwrap_or(23456).to_be_bytes().to_vec(),
        })
        .boxed()
}

fn as_path(width: usize, confederation: bool) -> BoxedStrategy<Vec<u8>> {
    let kind = if confederation { prop_oneof![3 => Just(2u8), 2 => 1..=4u8].boxed() } else { (1..=2u8).boxed() };
    let segment =
        (kind, vec(asn(width), 1..6)).prop_map(|(kind, asns)| [vec![kind, asns.len() as u8], asns.concat()].concat());
    vec(segment, 0..5).prop_map(|segments| segments.concat()).boxed()
}

fn list_of(size: usize) -> BoxedStrategy<Vec<u8>> {
    (1..5usize).prop_flat_map(move |count| octets(size * count)).boxed()
}

fn next_hop(family: (u16, u8), ctx: DecodeCtx) -> BoxedStrategy<Vec<u8>> {
    let extended = ctx.extended_next_hop.contains(AfiSafi::new(family.0, family.1));
    let lengths: &'static [usize] = match family {
        (1, 1 | 2 | 4) if extended => &[4, 16, 32],
        (1, 1 | 2 | 4) => &[4],
        (2, 1 | 2 | 4) => &[16, 32],
        (1, 128) if extended => &[12, 24, 48],
        (1, 128) => &[12],
        (2, 128) => &[24, 48],
        (25, 70) | (1, 132) => &[4, 16, 32],
        (_, 133 | 134) => &[0, 4],
        _ => &[0, 4, 12, 16],
    };
    select(lengths).prop_flat_map(octets).boxed()
}

fn reach(ctx: DecodeCtx, least: usize) -> BoxedStrategy<Vec<u8>> {
    select(&FAMILIES[..])
        .prop_flat_map(move |family| {
            let value = (next_hop(family, ctx), any::<u8>(), routes(family, ctx, false, least)).prop_map(
                move |(next_hop, reserved, routes)| {
                    [&family.0.to_be_bytes()[..], &[family.1, next_hop.len() as u8], &next_hop, &[reserved], &routes]
                        .concat()
                },
            );
            framed(0x80, 14, value.boxed())
        })
        .boxed()
}

/// An UPDATE whose MP_REACH_NLRI has a next hop that need not fit its family.
pub fn update_with_next_hop_of_any_length() -> impl Strategy<Value = (DecodeCtx, Parts)> {
    let length = prop_oneof![select(&[0usize, 4, 12, 16, 20, 24, 32, 40, 48][..]), 0..60usize];
    (context(), select(&FAMILIES[..]), length).prop_flat_map(|(ctx, family, length)| {
        let rest = (octets(length), routes(family, ctx, false, 0), sound(1, ctx), sound(2, ctx));
        rest.prop_map(move |(next_hop, routes, origin, path)| {
            let value = [&family.0.to_be_bytes()[..], &[family.1, next_hop.len() as u8], &next_hop, &[0], &routes];
            let attributes = vec![attribute(0x80, 14, &value.concat()), origin, path];
            (ctx, Parts { attributes, ..Parts::default() })
        })
    })
}

fn unreach(ctx: DecodeCtx) -> BoxedStrategy<Vec<u8>> {
    select(&FAMILIES[..])
        .prop_flat_map(move |family| {
            let value = routes(family, ctx, true, 0)
                .prop_map(move |routes| [&family.0.to_be_bytes()[..], &[family.1], &routes].concat());
            framed(0x80, 15, value.boxed())
        })
        .boxed()
}

fn tlvs() -> BoxedStrategy<Vec<u8>> {
    let other = (2..=255u8, vec(any::<u8>(), 0..9))
        .prop_map(|(kind, value)| [vec![kind, 0, value.len() as u8 + 3], value].concat());
    let metric = octets(8).prop_map(|value| [vec![1, 0, 11], value].concat());
    vec(prop_oneof![metric, other], 1..4).prop_map(|list| list.concat()).boxed()
}

fn parts(kinds: &'static [u8], kind_octets: usize, most: usize) -> BoxedStrategy<Vec<u8>> {
    let one = (select(kinds), vec(any::<u8>(), 0..most)).prop_map(move |(kind, value)| {
        let mut octets = vec![0; kind_octets - 1];
        octets.extend([kind, 0, value.len() as u8]);
        octets.extend(value);
        octets
    });
    vec(one, 1..4).prop_map(|parts| parts.concat()).boxed()
}

fn tunnels() -> BoxedStrategy<Vec<u8>> {
    let sub_tlv = (any::<u8>(), vec(any::<u8>(), 0..9)).prop_map(|(kind, value)| match kind {
        0..=127 => [vec![kind, value.len() as u8], value].concat(),
        _ => [vec![kind, 0, value.len() as u8], value].concat(),
    });
    let tunnel = vec(sub_tlv, 0..4).prop_map(|sub_tlvs| {
        let sub_tlvs = sub_tlvs.concat();
        [vec![0, 8, 0, sub_tlvs.len() as u8], sub_tlvs].concat()
    });
    vec(tunnel, 1..4).prop_map(|tunnels| tunnels.concat()).boxed()
}

fn prefix_sid() -> BoxedStrategy<Vec<u8>> {
    let sized = |kind: u8, value: Vec<u8>| [vec![kind, 0, value.len() as u8], value].concat();
    let sid = (octets(21), prop_oneof![Just(Vec::new()), parts(&[1, 2], 1, 8)])
        .prop_map(move |(head, structure)| sized(1, [head, structure].concat()));
    let service = (select(&[5u8, 6][..]), vec(sid, 0..3))
        .prop_map(move |(kind, sids)| sized(kind, [vec![0], sids.concat()].concat()));
    let srgb = (1..4usize).prop_flat_map(|count| octets(2 + 6 * count)).prop_map(move |value| sized(3, value));
    let index = octets(6).prop_map(move |value| sized(1, [vec![0], value].concat()));
    vec(prop_oneof![service, srgb, index, parts(&[2, 4, 7, 255], 1, 9)], 1..4).prop_map(|tlvs| tlvs.concat()).boxed()
}

/// A sound attribute of this type, other than the multiprotocol ones, as this peer may send it.
fn sound(code: u8, ctx: DecodeCtx) -> BoxedStrategy<Vec<u8>> {
    let width = if ctx.as4 { 4 } else { 2 };
    match code {
        1 => framed(0x40, 1, (0..=2u8).prop_map(|origin| vec![origin]).boxed()),
        2 => framed(0x40, 2, as_path(width, ctx.peer != PeerKind::External)),
        3 | 5 => framed(0x40, code, octets(4)),
        4 | 9 => framed(0x80, code, octets(4)),
        6 => framed(0x40, 6, Just(Vec::new()).boxed()),
        7 => framed(0xc0, 7, (asn(width), octets(4)).prop_map(|(asn, id)| [asn, id].concat()).boxed()),
        8 => framed(0xc0, 8, list_of(4)),
        10 => framed(0x80, 10, list_of(4)),
        16 => framed(0xc0, 16, list_of(8)),
        17 => framed(0xc0, 17, as_path(4, true)),
        18 => framed(0xc0, 18, (asn(4), octets(4)).prop_map(|(asn, id)| [asn, id].concat()).boxed()),
        26 => framed(0x80, 26, tlvs()),
        22 => framed(0xc0, 22, (5..30usize).prop_flat_map(octets).boxed()),
        23 => framed(0xc0, 23, tunnels()),
        25 => framed(0xc0, 25, list_of(20)),
        29 => framed(0x80, 29, parts(&[0, 1, 200], 2, 9)),
        40 => framed(0xc0, 40, prefix_sid()),
        32 => framed(0xc0, 32, list_of(12)),
        35 => framed(0xc0, 35, octets(4)),
        code => (select(&[0x80u8, 0xc0][..]), vec(any::<u8>(), 0..300))
            .prop_map(move |(flags, value)| attribute(flags, code, &value))
            .boxed(),
    }
}

/// The types of attribute that need not be there, as far as this peer may send them.
fn optional_codes(ctx: DecodeCtx) -> Vec<u8> {
    let mut codes = vec![4, 6, 7, 8, 16, 22, 23, 25, 26, 29, 32, 35, 40, 99, 128, 255];
    if ctx.peer != PeerKind::External {
        codes.extend([5, 9, 10]);
    }
    if !ctx.as4 {
        codes.extend([17, 17, 18, 7]);
    }
    codes
}

/// An UPDATE with nothing wrong, and the context it was made for.
pub fn sound_update() -> impl Strategy<Value = (DecodeCtx, Parts)> {
    context().prop_flat_map(|ctx| {
        let codes = prop::sample::subsequence(optional_codes(ctx), 0..8).prop_shuffle();
        let options = codes.prop_flat_map(move |mut codes| {
            codes.sort_unstable();
            codes.dedup();
            codes.into_iter().map(|code| sound(code, ctx)).collect::<Vec<_>>()
        });
        let mandatory = (sound(1, ctx), sound(2, ctx), sound(3, ctx));
        let multi = (option::of(reach(ctx, 1)), option::of(unreach(ctx)));
        let plain = (routes((1, 1), ctx, true, 0), routes((1, 1), ctx, false, 0));
        (mandatory, options, multi, plain, any::<bool>()).prop_perturb(
            move |((origin, path, next_hop), options, (reach, unreach), (withdrawn, announced), bare), mut random| {
                let mut attributes: Vec<Vec<u8>> = unreach.into_iter().collect();
                if !bare || reach.is_some() || !announced.is_empty() {
                    attributes.extend([origin, path, next_hop]);
                    attributes.extend(options);
                    attributes.extend(reach);
                }
                for at in (1..attributes.len()).rev() {
                    attributes.swap(at, random.random_range(0..=at));
                }
                (ctx, Parts { withdrawn, attributes, announced })
            },
        )
    })
}

/// An attribute with any value, flags or length.
fn odd_attribute() -> BoxedStrategy<Vec<u8>> {
    let code = prop_oneof![4 => 1..=40u8, 1 => any::<u8>()];
    let flags = prop_oneof![4 => select(&[0x40u8, 0x80, 0xc0, 0x50, 0x90, 0xd0][..]), 1 => any::<u8>()];
    let value = prop_oneof![4 => vec(prop_oneof![0..5u8, any::<u8>()], 0..13), 1 => small_octets()];
    (flags, code, value).prop_map(|(flags, code, value)| attribute(flags, code, &value)).boxed()
}

/// An UPDATE some of whose attributes are wrong, missing or there twice.
pub fn broken_update() -> impl Strategy<Value = (DecodeCtx, Parts)> {
    let odd = vec((any::<Index>(), odd_attribute()), 0..3);
    let change = prop_oneof![
        3 => Just(None),
        1 => any::<Index>().prop_map(|at| Some((at, 0))),
        1 => any::<Index>().prop_map(|at| Some((at, 1))),
        1 => (any::<Index>(), 2..=9).prop_map(Some),
    ];
    (sound_update(), odd, change).prop_map(|((ctx, mut parts), odd, change)| {
        for (at, attribute) in odd {
            parts.attributes.insert(at.index(parts.attributes.len() + 1), attribute);
        }
        if let Some((at, how)) = change
            && !parts.attributes.is_empty()
        {
            let at = at.index(parts.attributes.len());
            match how {
                0 => drop(parts.attributes.remove(at)),
                1 => parts.attributes.push(parts.attributes[at].clone()),
                // Wrong flags.
                how => parts.attributes[at][0] ^= 1 << (how - 2),
            }
        }
        (ctx, parts)
    })
}

/// A change of some octets behind the header.
#[derive(Clone, Debug)]
pub enum Change {
    Set(Index, u8),
    Add(Index, i8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Copy(Index, Index, usize),
}

pub fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, octet)| Change::Set(at, octet)),
        (any::<Index>(), -2..=2i8).prop_map(|(at, by)| Change::Add(at, by)),
        (any::<Index>(), 1..9usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<Index>(), vec(any::<u8>(), 1..9)).prop_map(|(at, octets)| Change::Insert(at, octets)),
        (any::<Index>(), any::<Index>(), 1..30usize).prop_map(|(from, to, count)| Change::Copy(from, to, count)),
    ];
    vec(change, 1..4)
}

/// The message with the changes made and its length put right.
pub fn changed(message: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    let mut body = message[19..].to_vec();
    for change in changes {
        let within = |at: &Index| at.index(body.len().max(1)).min(body.len());
        match change {
            Change::Set(at, octet) => {
                let at = within(at);
                body.splice(at..(at + 1).min(body.len()), [*octet]);
            }
            Change::Add(at, by) => {
                let at = within(at);
                if let Some(octet) = body.get_mut(at) {
                    *octet = octet.wrapping_add_signed(*by);
                }
            }
            Change::Remove(at, count) => {
                let at = within(at);
                body.drain(at..(at + count).min(body.len()));
            }
            Change::Insert(at, octets) => {
                let at = within(at);
                body.splice(at..at, octets.iter().copied());
            }
            Change::Copy(from, to, count) => {
                let (from, to) = (within(from), within(to));
                let part = body[from..(from + count).min(body.len())].to_vec();
                body.splice(to..to, part);
            }
        }
    }
    self::message(&body)
}
