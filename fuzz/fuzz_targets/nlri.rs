//! Any octets as the routes of any family: what is read is what the naive decoder reads, and is written as it was read.
//!
//! The input is an octet for the family, one for path identifiers and withdrawal, and the routes.

#![no_main]

use bgp_wire::routes::{EvpnRoute, FlowRoute, OpaqueRoutes, Route, TargetMembership};
use bgp_wire::{DecodeCtx, FamilySet, Form, LabelledPrefix, Routes, VpnPrefix};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;
use peerage_fuzz::{family, naive};

/// Whether the family's routes are of this kind; then each reads the same again after it was written.
fn check<'a, R: Route<'a>>(octets: &'a [u8], add_path: bool, form: Form) -> bool {
    let Some(routes) = Routes::<R>::new(octets, add_path, form) else { return false };
    let read = naive::view::items(octets, add_path, form);
    assert_eq!(routes.count(), read.len());
    for ((_, route), (_, read)) in routes.zip(read) {
        drop(route.to_string());
        let mut written = Vec::new();
        route.write(&mut written);
        assert_eq!(naive::view::items(&written, false, form), [(None, read)]);
    }
    true
}

fuzz_target!(|data: &[u8]| {
    let &[choice, flags, ref octets @ ..] = data else { return };
    let form = Form { family: family(choice), withdrawn: flags & 2 != 0 };
    let known = FamilySet::ALL.contains(form.family);
    let add_path = flags & 1 != 0 && known;
    let ctx = DecodeCtx { add_path: if add_path { FamilySet::ALL } else { FamilySet::EMPTY }, ..DecodeCtx::default() };

    let kinds = [
        check::<IpNet>(octets, add_path, form),
        check::<LabelledPrefix<'_>>(octets, add_path, form),
        check::<VpnPrefix<'_>>(octets, add_path, form),
        check::<EvpnRoute<'_>>(octets, add_path, form),
        check::<TargetMembership<'_>>(octets, add_path, form),
        check::<FlowRoute<'_>>(octets, add_path, form),
    ];
    assert_eq!(kinds.iter().filter(|is_kind| **is_kind).count(), usize::from(known));
    if let Some(routes) = OpaqueRoutes::new(octets, form.family) {
        assert!(octets.starts_with(&routes.collect::<Vec<_>>().concat()));
    }
    let numbers = (form.family.afi, form.family.safi);
    if let Some(expected) = naive::routes::read(octets, numbers, &ctx, form.withdrawn) {
        assert_eq!(naive::view::items(octets, add_path, form), expected);
    }
});
