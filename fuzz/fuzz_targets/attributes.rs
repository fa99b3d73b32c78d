//! Any octets as a block of attributes: every accessor gives what the naive decoder finds in what stands, and a block that was built
//! or changed is its own canonical form.

#![no_main]

use std::net::Ipv4Addr;

use bgp_wire::attributes::code;
use bgp_wire::{AsPathBuf, Attributes, AttributesBuilder, Community, LargeCommunity};
use libfuzzer_sys::fuzz_target;
use peerage_fuzz::naive::{attributes::Values, view};

fuzz_target!(|block: &[u8]| {
    let read = Attributes::canonical(block);
    let _ = format!("{read:?}");
    assert_eq!(view::of_attributes(&read), Values::of(&view::standing(&read), true));
    let path = read.as_path();
    assert!(path.path_length() as usize <= path.asns().count());
    assert_eq!(path.is_empty(), path.segments().next().is_none());
    assert_eq!(AsPathBuf::from(path).to_string(), path.to_string());

    let mut builder = AttributesBuilder::from_canonical(block);
    assert_eq!(AttributesBuilder::from_canonical(&builder.build()).build(), builder.build());
    // AIGP, which only its own setter passes on, is no part of what is written from a view.
    let built = builder.remove(code::AIGP).build();
    let mut written = Vec::new();
    Attributes::canonical(&built).write_canonical(&mut written);
    assert_eq!(built, written, "what is built is canonical");
    assert_eq!(AttributesBuilder::from_canonical(&built).build(), built);

    let number = block.iter().fold(1, |number: u32, octet| number.wrapping_mul(31) ^ u32::from(*octet));
    builder
        .prepend(number | 1, (number % 300) as usize)
        .med(Some(number))
        .local_pref(None)
        .only_to_customer(Some(number));
    builder.add_community(Community(number)).add_large_community(LargeCommunity::new(number, 1, 2));
    builder.originator_id(Some(Ipv4Addr::from_bits(number))).cluster_list([Ipv4Addr::LOCALHOST]);
    let changed = builder.build();
    let again = Attributes::canonical(&changed);
    assert_eq!((again.med(), again.local_pref(), again.only_to_customer()), (Some(number), None, Some(number)));
    assert!(again.communities().any(|community| community == Community(number)));
    assert_eq!(AttributesBuilder::from_canonical(&changed).build(), changed);
});
