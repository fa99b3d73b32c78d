//! Any text as a value of each kind that has a text form: what is read is shown in a form that reads the same.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bgp_wire::{AsPathBuf, Community, ExtendedCommunity, LargeCommunity, TextError, parse_asn};
use libfuzzer_sys::fuzz_target;

fn check<T: FromStr<Err = TextError> + Display + Debug + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string().parse(), Ok(value), "from {text:?}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fuzz_target!(|text: &str| {
    check::<Community>(text);
    check::<LargeCommunity>(text);
    check::<ExtendedCommunity>(text);
    check::<AsPathBuf>(text);
    if let Ok(asn) = parse_asn(text) {
        assert_eq!(parse_asn(&asn.to_string()), Ok(asn));
    }
});
