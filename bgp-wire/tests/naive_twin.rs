//! The view and the naive decoder make the same of every UPDATE, sound, broken or random.

mod naive;

use bgp_wire::{DecodeCtx, FamilySet, PeerKind};
use naive::view::{assert_agree, disagreement};
use proptest::prelude::*;

mod generate;
use generate::*;

proptest! {
    #[test]
    fn a_sound_update_reads_the_same_as_with_the_naive_decoder((ctx, update) in sound_update()) {
        let frame = update.octets();
        prop_assert!(matches!(naive::read(&frame, &ctx), naive::Reading::Update(read) if read.treatment == naive::Treatment::Accept));
        prop_assert_eq!(disagreement(&frame, &ctx), None);
    }

    #[test]
    fn an_update_of_sound_and_broken_parts_reads_the_same((ctx, update) in broken_update()) {
        prop_assert_eq!(disagreement(&update.octets(), &ctx), None);
    }

    #[test]
    fn a_changed_update_reads_the_same((ctx, update) in broken_update(), changes in changes()) {
        prop_assert_eq!(disagreement(&changed(update.octets(), &changes), &ctx), None);
    }

    #[test]
    fn a_sound_update_read_in_another_context_reads_the_same((_, update) in sound_update(), ctx in context()) {
        prop_assert_eq!(disagreement(&update.octets(), &ctx), None);
    }

    #[test]
    fn a_next_hop_of_any_length_reads_the_same((ctx, update) in update_with_next_hop_of_any_length()) {
        prop_assert_eq!(disagreement(&update.octets(), &ctx), None);
    }

    #[test]
    fn random_octets_read_the_same(ctx in context(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(disagreement(&message(&body), &ctx), None);
    }

    #[test]
    fn random_attributes_and_routes_read_the_same(
        ctx in context(), attributes in prop::collection::vec(small_octets(), 0..4), nlri in small_octets(),
    ) {
        let update = Parts { attributes, announced: nlri, ..Parts::default() };
        prop_assert_eq!(disagreement(&update.octets(), &ctx), None);
    }
}

#[test]
fn an_empty_update_reads_the_same() {
    assert_agree(&message(&[0, 0, 0, 0]), &DecodeCtx::default());
    let ctx = DecodeCtx { add_path: FamilySet::ALL, peer: PeerKind::Internal, ..DecodeCtx::default() };
    assert_agree(&message(&[0, 0, 0, 0]), &ctx);
}
