//! Any octets as the body of an UPDATE under any context: the view and the naive decoder of the tests make the same of it.
//!
//! The input is two octets for the context and the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use peerage_fuzz::naive::view::assert_agree;

fuzz_target!(|data: &[u8]| {
    let Some((ctx, frame)) = peerage_fuzz::update(data) else { return };
    assert_agree(&frame, &ctx);
});
