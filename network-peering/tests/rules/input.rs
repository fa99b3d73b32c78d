//! Input of any size and shape: a clear fault, or an answer in a time that grows with the input.

use std::fmt::Write as _;

use network_peering::{MAX_ALIASED_NODES, MAX_DEPTH, MAX_OCTETS, load, read_routes};

use crate::common::*;

/// The only fault of these octets, as `line: sentence`.
fn fault(octets: impl AsRef<[u8]>) -> String {
    let errors = load([("f".to_owned(), octets)]).expect_err("the input is faulty");
    let [error] = &errors[..] else { panic!("one fault is expected: {errors:?}") };
    format!("{}: {}", error.place.line, error.message)
}

#[test]
fn deep_nesting_is_refused_at_its_line_in_every_style() {
    let deep = MAX_DEPTH + 1;
    let said = format!("nested deeper than {MAX_DEPTH} levels");
    let mut block = String::new();
    for depth in 0..100_000 {
        let _ = writeln!(block, "{}a:", " ".repeat(depth.min(2 * deep)));
    }
    let texts = [
        "[".repeat(1_000_000),
        "{a: ".repeat(1_000_000),
        "- ".repeat(1_000_000),
        "{\"a\":".repeat(1_000_000),
        block,
        "[[".repeat(deep) + &"]]".repeat(deep),
    ];
    for text in texts {
        let fault = fault(&text);
        // The parser has a limit of its own for what it must read ahead.
        assert!(fault.contains(&said) || fault.contains("recursion limit"), "{fault}");
    }
    let allowed = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    assert!(!fault(allowed).contains(&said));
}

#[test]
fn aliases_that_expand_without_end_are_refused_and_a_few_are_read() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ["b", "c", "d", "e", "f", "g", "h", "i", "j"].into_iter().zip("abcdefghi".chars()) {
        let _ = writeln!(bomb, "{name}: &{name} [{}]", vec![format!("*{of}"); 10].join(", "));
    }
    assert!(fault(&bomb).contains(&format!("more than {MAX_ALIASED_NODES} values")));
    assert!(fault("a: &a [*a]").contains("alias"));
    assert!(fault("a: *nowhere").contains("YAML"));
    let shared = "---\nid: n\nvrf: 5\nprefixes: &p [10.0.0.0/8]\ndestinationprefixes: *p\n";
    assert!(load([("f".to_owned(), shared)]).is_ok());
}

#[test]
fn what_is_no_text_is_refused_at_its_line() {
    assert_eq!(fault(b"id: a\nname: \xff\n"), "2: the text is not UTF-8; save it as UTF-8");
    for octets in [&b"\xff\xfei\x00d\x00"[..], b"\x00", b"id: \x07", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", &[0xc0, 0x80]]
    {
        assert!(!fault(octets).is_empty());
    }
    let noise: Vec<u8> = (0..1_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    assert!(!fault(noise).is_empty());
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let said = fault(vec![b'x'; MAX_OCTETS + 1]);
    assert_eq!(said, format!("0: the file has more than {MAX_OCTETS} octets, and so many are read at most"));
}

#[test]
fn a_key_that_stands_twice_is_a_duplicate_at_its_path_wherever_it_stands() {
    let twice = "{id: n, vrf: 5, vrf: 6, labels: {a: b, a: c}}";
    assert_eq!(faults(twice), ["vrf Duplicate", "labels.a Duplicate"]);
    let (documents, fault) = network_peering::read("f", b"{a: 1, \"a\": 2, 'a': 3}");
    assert!(fault.is_none());
    assert_eq!(documents[0].duplicates().len(), 2);
}

#[test]
fn faults_of_every_document_are_listed_up_to_the_one_that_ends_the_file() {
    let text = "{id: n, vrf: x}\n---\n{id: n, vrf: 1}\n---\n]\n---\n{id: o, vrf: x}\n";
    let found = faults(text);
    assert_eq!(found[0], "vrf Invalid");
    assert_eq!(found.last().map(String::as_str), Some(" Invalid"));
}

#[test]
fn one_long_line_one_long_key_and_many_documents_are_read_in_one_pass() {
    let long = "x".repeat(4 << 20);
    assert!(!fault(&long).is_empty());
    let key = format!("{{id: n, vrf: 5, {long}: 1}}");
    assert_eq!(warnings(&key).len(), 1);
    let many = "---\n".repeat(200_000);
    assert_eq!(load([("f".to_owned(), many)]).map(|world| world.networks.len()), Ok(0));
    let rows = "- {network: default/n, prefix: 10.0.0.0/24}\n".repeat(50_000);
    assert_eq!(read_routes("r", rows.as_bytes()).map(|(rows, _)| rows.len()), Ok(50_000));
}
