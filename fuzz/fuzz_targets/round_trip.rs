//! Any octets as the body of an UPDATE under any context: a sound one that is written anew says the same, routes of every family
//! included.
//!
//! The input is two octets for the context and the body.

#![no_main]

use bgp_wire::routes::{EvpnRoute, FlowRoute, OpaqueRoutes, Route, TargetMembership};
use bgp_wire::{
    Action, AfiSafi, DecodeCtx, EncodeCtx, Ipv4Unicast, LabelledPrefix, MpReach, MpUnreach, PeerKind, Routes, Update,
    UpdateEncoder, VpnPrefix, frame,
};
use bytes::BytesMut;
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use peerage_fuzz::naive::{Item, view};

/// What one or more UPDATEs say.
#[derive(Default, Debug, PartialEq)]
struct Said {
    withdrawn: Vec<Item>,
    announced: Vec<Item>,
    reached: Vec<Item>,
    unreached: Vec<Item>,
}

fn read(frame: &[u8], ctx: &DecodeCtx, said: &mut Said) -> Vec<u8> {
    let update = Update::parse(frame, ctx).expect("what is written is sound");
    assert_eq!(update.action(), None, "{:?}", update.faults().collect::<Vec<_>>());
    add(&update, ctx, said);
    canonical(&update)
}

fn add(update: &Update<'_>, ctx: &DecodeCtx, said: &mut Said) {
    let found = view::of(update, ctx);
    said.withdrawn.extend(found.withdrawn);
    said.announced.extend(found.announced);
    said.reached.extend(found.reach.into_iter().flat_map(|reach| reach.routes));
    said.unreached.extend(found.unreach.into_iter().flat_map(|unreach| unreach.routes));
}

fn canonical(update: &Update<'_>) -> Vec<u8> {
    let mut block = Vec::new();
    update.canonical_attributes(&mut block);
    block
}

fn announce<'a, R: Route<'a>>(
    encoder: &mut UpdateEncoder,
    reach: &MpReach<'a>,
    block: &[u8],
    routes: Routes<'a, R>,
    out: &mut BytesMut,
) {
    // The next hop of flow specifications means nothing, and need not be an address.
    let next_hop = if FlowRoute::FAMILIES.contains(reach.family) { None } else { reach.next_hop() };
    encoder.announce_routes(reach.family, block, next_hop, routes, out).expect("routes of the family");
}

fn write_reach(encoder: &mut UpdateEncoder, reach: &MpReach<'_>, block: &[u8], out: &mut BytesMut) {
    if let Some(routes) = reach.routes::<IpNet>() {
        announce(encoder, reach, block, routes, out);
    } else if let Some(routes) = reach.routes::<LabelledPrefix<'_>>() {
        announce(encoder, reach, block, routes, out);
    } else if let Some(routes) = reach.routes::<VpnPrefix<'_>>() {
        announce(encoder, reach, block, routes, out);
    } else if let Some(routes) = reach.routes::<EvpnRoute<'_>>() {
        announce(encoder, reach, block, routes, out);
    } else if let Some(routes) = reach.routes::<TargetMembership<'_>>() {
        announce(encoder, reach, block, routes, out);
    } else if let Some(routes) = reach.routes::<FlowRoute<'_>>() {
        announce(encoder, reach, block, routes, out);
    } else {
        let pieces = opaque(reach.nlri_octets, reach.family);
        encoder.announce_opaque(reach.family, block, reach.next_hop_octets, pieces, out).expect("it was one message");
    }
}

fn withdraw<'a, R: Route<'a>>(encoder: &mut UpdateEncoder, family: AfiSafi, routes: Routes<'a, R>, out: &mut BytesMut) {
    encoder.withdraw_routes(family, routes, out).expect("routes of the family");
}

fn write_unreach(encoder: &mut UpdateEncoder, unreach: &MpUnreach<'_>, out: &mut BytesMut) {
    let family = unreach.family;
    if let Some(routes) = unreach.routes::<IpNet>() {
        withdraw(encoder, family, routes, out);
    } else if let Some(routes) = unreach.routes::<LabelledPrefix<'_>>() {
        withdraw(encoder, family, routes, out);
    } else if let Some(routes) = unreach.routes::<VpnPrefix<'_>>() {
        withdraw(encoder, family, routes, out);
    } else if let Some(routes) = unreach.routes::<EvpnRoute<'_>>() {
        withdraw(encoder, family, routes, out);
    } else if let Some(routes) = unreach.routes::<TargetMembership<'_>>() {
        withdraw(encoder, family, routes, out);
    } else if let Some(routes) = unreach.routes::<FlowRoute<'_>>() {
        withdraw(encoder, family, routes, out);
    } else {
        encoder.withdraw_opaque(family, opaque(unreach.nlri_octets, family), out).expect("it was one message");
    }
}

fn opaque(octets: &[u8], family: AfiSafi) -> Vec<&[u8]> {
    match OpaqueRoutes::new(octets, family) {
        Some(routes) => routes.collect(),
        None => Some(octets).into_iter().filter(|octets| !octets.is_empty()).collect(),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((ctx, octets)) = peerage_fuzz::update(data) else { return };
    let Ok(update) = Update::parse(&octets, &ctx) else { return };
    if update.action() >= Some(Action::TreatAsWithdraw) {
        return;
    }
    let mut said = Said::default();
    add(&update, &ctx, &mut said);
    let block = canonical(&update);

    let writer = EncodeCtx {
        as4: true,
        add_path: ctx.add_path,
        extended_message: true,
        extended_next_hop: ctx.extended_next_hop,
    };
    let mut encoder = UpdateEncoder::new(writer);
    let (mut withdrawals, mut announcements) = (BytesMut::new(), BytesMut::new());
    encoder.withdraw::<Ipv4Unicast>(update.withdrawn(), &mut withdrawals);
    if let Some(unreach) = update.mp_unreach() {
        write_unreach(&mut encoder, &unreach, &mut withdrawals);
    }
    if let Some(next_hop) = update.next_hop() {
        encoder
            .announce::<Ipv4Unicast>(&block, next_hop, update.nlri(), &mut announcements)
            .expect("attributes that fit a message before");
    }
    if let Some(reach) = update.mp_reach() {
        write_reach(&mut encoder, &reach, &block, &mut announcements);
    }

    let reader = DecodeCtx { as4: true, extended_message: true, peer: PeerKind::Unknown, ..ctx };
    let mut again = Said::default();
    for (stream, announces) in [(&withdrawals, false), (&announcements, true)] {
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let Ok(Some(length)) = frame::peek(rest, reader.max_len()) else { panic!("whole messages are written") };
            let (frame, after) = rest.split_at(length);
            rest = after;
            let found = read(frame, &reader, &mut again);
            assert!(!announces || found == block, "the attributes are the same: {found:02x?}, were {block:02x?}");
        }
    }
    assert_eq!(again, said);
});
