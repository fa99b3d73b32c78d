//! `--hex`, and arguments that make no sense.

use serde_json::json;

use super::*;

const KEEPALIVE: &str = "ffffffffffffffffffffffffffffffff001304";

#[test]
fn a_pasted_update_is_shown_for_people() {
    let attributes: &[&[u8]] = &[
        ORIGIN,
        AS_PATH,
        NEXT_HOP,
        &[0x80, 4, 4, 0, 0, 0, 50],
        &[0xc0, 8, 8, 0xfb, 0xf4, 0, 1, 0xff, 0xff, 0xff, 1],
        &[0xc0, 99, 2, 0xab, 0xcd],
    ];
    let octets = update(&[8, 10], attributes, &[24, 198, 51, 100, 0]);
    let output = decode(&["--hex", &hex(&octets)]);
    assert_eq!(
        sound(&output),
        "\
UPDATE
  withdrawn           10.0.0.0/8
  announced           198.51.100.0/24, 0.0.0.0/0
  next hop            192.0.2.1
  origin              igp
  AS path             64500 70000
  MED                 50
  communities         64500:1, no-export
  attribute           99 (flags c0) abcd
"
    );
    assert_eq!(stderr(&output), "hex: 77 octets\n  1 UPDATE\n  2 routes announced, 1 route withdrawn\n  1 shown\n");
}

#[test]
fn each_other_message_is_shown_for_people() {
    let shutdown = message(3, &[6, 2, 5, b'h', b'e', b'l', b'l', b'o']);
    let refresh = message(5, &[0, 1, 0, 1]);
    let reset = update(&[], &[&[0x40, 99, 0]], &[]);
    let texts = [hex(&open(70000, true)), KEEPALIVE.to_owned(), hex(&shutdown), hex(&refresh), hex(&reset)];
    let arguments: Vec<&str> = ["--hex"].into_iter().chain(texts.iter().map(String::as_str)).collect();
    assert_eq!(
        sound(&decode(&arguments)),
        format!(
            "\
OPEN
  AS                  70000
  hold time           90 s
  identifier          10.0.0.1
  capability          as4 asn 70000
  capability          add-path tuples family ipv4-unicast mode 3
KEEPALIVE
NOTIFICATION
  error               cease: administrative shutdown (\"hello\")
ROUTE-REFRESH
  family              ipv4-unicast
malformed message
  fault               attribute 99: a well-known attribute is not known here (at octet 23)
  answer              UPDATE message error: unrecognized well-known attribute
  octets              {}
",
            hex(&reset)
        )
    );
}

#[test]
fn octets_are_read_from_standard_input_however_they_are_set() {
    let pasted = "0xff ff:ff:ff ffff ffff\nffff,ffff ffff ffff 00 13 04\n".to_owned() + KEEPALIVE;
    let output = decode_input(&["--hex"], pasted.as_bytes());
    assert_eq!(sound(&output), "KEEPALIVE\nKEEPALIVE\n");
}

#[test]
fn in_json_a_message_has_the_form_of_the_vectors() {
    let faulty = update(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x80, 4, 1, 0]], PREFIX);
    let lines = json_lines(&sound(&decode(&["-o", "json", "--hex", &hex(&announcement()), &hex(&faulty)])));
    assert_eq!(
        lines[0],
        json!({
            "type": "update", "ok": true, "treatment": "accept", "error": null,
            "update": {
                "nlri": [{"prefix": "198.51.100.0/24"}],
                "attrs": {
                    "origin": "igp", "as_path": [{"type": "sequence", "asns": [64500, 70000]}], "next_hop": "192.0.2.1",
                },
            },
        })
    );
    assert_eq!(lines[1]["treatment"], "treat-as-withdraw");
    let fault = lines[1]["faults"][0].as_str().unwrap();
    assert!(fault.starts_with("attribute 4: ") && fault.ends_with("treated as withdrawal"), "{fault}");
}

#[test]
fn two_octet_as_numbers_and_path_identifiers_are_read_where_they_are_asked_for() {
    let octets = update(&[], &[ORIGIN, NARROW_AS_PATH, NEXT_HOP], &[&[0, 0, 0, 7][..], PREFIX].concat());
    let text = sound(&decode(&["--as2", "--add-path", "--hex", &hex(&octets)]));
    assert!(text.contains("announced           198.51.100.0/24 #7\n"), "{text}");
    assert!(text.contains("AS path             64500\n"), "{text}");
}

#[test]
fn what_is_no_message_is_told_and_fails() {
    let cases = [
        ("zz", "`z` is no hexadecimal digit"),
        ("fff", "an odd number of hexadecimal digits"),
        ("00112233445566778899aabbccddeeff001304", "octet 0: the marker is not all ones"),
        (&KEEPALIVE[..36], "octet 0: the message is cut short"),
    ];
    for (text, problem) in cases {
        let (shown, told) = unsound(&decode(&["--hex", text]));
        assert_eq!(shown, "");
        assert!(told.starts_with(&format!("hex: {problem}")), "{told}");
    }
    let (shown, told) = unsound(&decode(&["--hex", &format!("{KEEPALIVE}{}", &KEEPALIVE[..30])]));
    assert_eq!(shown, "KEEPALIVE\n", "what is whole is shown");
    assert!(told.contains("octet 19: the message is cut short"), "{told}");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let cases: [(&[&str], &str); 6] = [
        (&["-o", "json"], "required"),
        (&["--prefix", "10.0.0.0/8"], "required"),
        (&["--hex", "00", "--mrt", "x"], "cannot be used with"),
        (&["--mrt", "x", "--as2"], "cannot be used with"),
        (&["--mrt", "x", "--prefix", "10.0.0.0/33"], "invalid value '10.0.0.0/33'"),
        (&["--mrt", "x", "--as", "many"], "invalid value 'many'"),
    ];
    for (arguments, problem) in cases {
        let output = decode(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(problem), "{}", stderr(&output));
    }
}

#[test]
fn without_arguments_json_lines_are_answered() {
    let case = json!({"name": "one", "kind": "keepalive", "hex": KEEPALIVE}).to_string();
    let lines = json_lines(&sound(&decode_input(&[], case.as_bytes())));
    assert_eq!(lines, [json!({"name": "one", "ok": true, "treatment": "accept", "error": null})]);
}
