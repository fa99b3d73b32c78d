//! Any octets as the body of an UPDATE under any context: what the views say agrees with itself, and the attributes of a sound one come
//! back the same after being written for any session.
//!
//! The input is two octets for the context and the body.

#![no_main]

use bgp_wire::{
    Action, Attributes, AttributesBuilder, DecodeCtx, EncodeCtx, FamilySet, Ipv4Unicast, NextHop, PeerKind, Update,
    UpdateEncoder, frame,
};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

fn canonical(update: &Update<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    update.canonical_attributes(&mut out);
    out
}

fn check_views(update: &Update<'_>) {
    let faults: Vec<_> = update.faults().collect();
    assert_eq!(update.action(), faults.iter().map(|fault| fault.action).max());
    assert!(faults.iter().all(|fault| fault.offset <= update.frame().len() && fault.action != Action::SessionReset));
    let disabling = update.action() == Some(Action::DisableFamily);
    assert_eq!(update.reset().is_some(), disabling);
    let again = Update::from_index(update.frame(), &update.index());
    assert_eq!(format!("{update:?}"), format!("{again:?}"));
    assert_eq!(update.nlri().next().is_none(), update.nlri().is_empty(), "prefixes that were checked can be read");
    for (_, key) in update.nlri().chain(update.withdrawn()) {
        assert_eq!(key, key.trunc(), "host bits are zero");
    }
    if let Some(reach) = update.mp_reach() {
        let may_lack = !FamilySet::ALL.contains(reach.family) || matches!(reach.family.safi, 133 | 134);
        assert!(reach.next_hop().is_some() || may_lack, "only flow specifications and unknown families lack one");
        for (_, key) in reach.ipv6().into_iter().flatten() {
            assert_eq!(key, key.trunc(), "host bits are zero");
        }
    }
    let attributes = update.attributes();
    for attribute in attributes.iter() {
        assert_eq!(attributes.get(attribute.code), Some(attribute), "both ways to an attribute give the same");
    }
    let path = attributes.as_path();
    assert!(path.path_length() as usize <= path.asns().count());
    assert!(attributes.as_path().asns().all(|asn| asn != 0));
}

fn check_attributes(update: &Update<'_>) {
    let block = canonical(update);
    let (mut again, view) = (Vec::new(), Attributes::canonical(&block));
    view.write_canonical(&mut again);
    assert_eq!(block, again, "the canonical form is its own canonical form");
    assert_eq!(AttributesBuilder::from_canonical(&block).build(), block);
    let attributes = update.attributes();
    assert!(view.as_path().asns().eq(attributes.as_path().asns()));
    assert_eq!(view.aggregator(), attributes.aggregator());
    assert!(view.communities().eq(attributes.communities()));
    assert_eq!((view.med(), view.local_pref()), (attributes.med(), attributes.local_pref()));
}

fn check_written(update: &Update<'_>, as4: bool) {
    let block = canonical(update);
    let ctx =
        EncodeCtx { as4, add_path: update.index().ctx().add_path, extended_message: true, ..EncodeCtx::default() };
    let mut out = BytesMut::new();
    let Some(next_hop @ NextHop::Ipv4(_)) = update.next_hop() else { return };
    // Attributes that fill a message may no longer fit one after a change of the width of AS numbers.
    if UpdateEncoder::new(ctx).announce::<Ipv4Unicast>(&block, next_hop, update.nlri(), &mut out).is_err() {
        return;
    }
    let reader = DecodeCtx { as4, peer: PeerKind::Unknown, ..*update.index().ctx() };
    let (mut rest, mut routes) = (&out[..], Vec::new());
    while let Ok(Some(len)) = frame::peek(rest, ctx.max_len()) {
        let (frame, after) = rest.split_at(len);
        rest = after;
        let written = Update::parse(frame, &reader).expect("what is written is sound");
        assert_eq!(written.action(), None, "{:?}", written.faults().collect::<Vec<_>>());
        assert_eq!(written.next_hop(), update.next_hop());
        let (path, was) = (written.attributes().as_path(), update.attributes().as_path());
        assert_eq!(path.path_length(), was.path_length());
        if as4 {
            assert_eq!(canonical(&written), block);
        }
        routes.extend(written.nlri());
    }
    assert!(rest.is_empty());
    if as4 {
        assert!(routes.into_iter().eq(update.nlri()));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((ctx, octets)) = peerage_fuzz::update(data) else { return };
    let Ok(update) = Update::parse(&octets, &ctx) else { return };
    check_views(&update);
    if update.action() < Some(Action::TreatAsWithdraw) {
        check_attributes(&update);
        check_written(&update, true);
        check_written(&update, false);
    }
});
