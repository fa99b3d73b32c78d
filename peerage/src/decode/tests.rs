use serde_json::{Value, json};

use super::cases::answer;

fn decoded(case: &Value) -> Value {
    answer(case.to_string().as_bytes())
}

/// A message of this type with this body, in hexadecimal.
fn message(kind: u8, body: &str) -> String {
    format!("{}{:04x}{kind:02x}{body}", "ff".repeat(16), 19 + body.len() / 2)
}

#[test]
fn an_update_is_shown_with_its_routes_and_attributes() {
    let attributes = "4001010040020602010000fbf4400304c0000201";
    let update = message(2, &format!("0000{:04x}{attributes}18c63364", attributes.len() / 2));
    let answer =
        decoded(&json!({"name": "one", "kind": "update", "ctx": {"as4": true, "peer": "ebgp"}, "msg": update}));
    let update = json!({
        "nlri": [{"prefix": "198.51.100.0/24"}],
        "attrs": {"origin": "igp", "as_path": [{"type": "sequence", "asns": [64500]}], "next_hop": "192.0.2.1"},
    });
    assert_eq!(answer, json!({"name": "one", "ok": true, "treatment": "accept", "error": null, "update": update}));
}

#[test]
fn a_vpn_route_is_shown_with_label_distinguisher_and_path_id() {
    // Path identifier, then 96 bits: label, distinguisher, prefix.
    let nlri = ["00000007", "60", "000641", "0000fbf400000064", "0a"].concat();
    let reach = format!("0001800c0000000000000000c000020100{nlri}");
    let attributes = format!("4001010040020602010000fbf4800e{:02x}{reach}", reach.len() / 2);
    let update = message(2, &format!("0000{:04x}{attributes}", attributes.len() / 2));
    let answer = decoded(&json!({"name": 1, "ctx": {"addpath": ["ipv4-vpn"]}, "msg": update}));
    assert_eq!(
        answer["update"]["mp_reach"],
        json!({
            "family": "ipv4-vpn", "nh_rd": "0:0", "next_hop": "192.0.2.1",
            "nlri": [{"labels": [100], "rd": "64500:100", "prefix": "10.0.0.0/8", "path_id": 7}],
        }),
        "{answer}"
    );
}

#[test]
fn a_message_that_ends_the_session_is_shown_as_its_notification() {
    let answer = decoded(&json!({"name": "bad", "hex": message(9, "")}));
    assert_eq!((&answer["ok"], &answer["treatment"]), (&json!(false), &json!("session-reset")));
    assert_eq!(answer["error"], json!({"code": 1, "subcode": 3, "data": "09"}));
}

#[test]
fn a_line_that_is_no_case_is_answered_by_name() {
    let answer = decoded(&json!({"name": "odd", "msg": "0g"}));
    assert_eq!((&answer["name"], &answer["ok"]), (&json!("odd"), &json!(false)));
    let answer = decoded(&json!({"name": "none"}));
    assert_eq!((&answer["name"], &answer["ok"]), (&json!("none"), &json!(false)));
    let answer = super::cases::answer(b"{");
    assert_eq!((&answer["name"], &answer["ok"]), (&Value::Null, &json!(false)));
}

#[test]
fn a_mapped_ipv4_address_is_shown_in_groups() {
    let reach = "00020110 00000000000000000000ffff c0000201 00 08 20".replace(' ', "");
    let attributes = format!("4001010040020602010000fbf4800e{:02x}{reach}", reach.len() / 2);
    let update = message(2, &format!("0000{:04x}{attributes}", attributes.len() / 2));
    let answer = decoded(&json!({"name": 1, "msg": update}));
    assert_eq!(answer["update"]["mp_reach"]["next_hop"], json!("::ffff:c000:201"), "{answer}");
    assert_eq!(answer["update"]["mp_reach"]["nlri"], json!([{"prefix": "2000::/8"}]));
}

#[test]
fn a_fragment_of_routes_is_read_in_its_family() {
    let case = json!({"name": 1, "kind": "nlri", "ctx": {"families": ["bgpls"]}, "hex": "00020002abcd"});
    let answer = decoded(&case);
    assert_eq!(answer["update"]["mp_reach"]["nlri"], json!([{"nlri_type": 2, "raw": "abcd"}]), "{answer}");
}

#[test]
fn a_next_hop_that_is_no_host_withdraws_what_an_external_peer_announces() {
    let attributes = "400101004002004003047f000001";
    let update = message(2, &format!("0000{:04x}{attributes}080a", attributes.len() / 2));
    let treatment =
        |peer: &str| decoded(&json!({"name": 1, "ctx": {"peer": peer}, "msg": update}))["treatment"].clone();
    assert_eq!((treatment("ebgp"), treatment("ibgp")), (json!("treat-as-withdraw"), json!("accept")));
}
