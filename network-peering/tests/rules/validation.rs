//! What documents may say (rules R1–R10, R37, R38, R44): every fault at its path, with its type.

use crate::common::*;

fn spec(fields: &str) -> String {
    format!(
        "{{apiVersion: networking.ironcore.dev/v1alpha1, kind: Network, metadata: {{name: n}}, spec: {{{fields}}}}}\n"
    )
}

fn entries(items: &str) -> String {
    spec(&format!("peerings: [{items}]"))
}

fn prefixes(items: &str) -> String {
    entries(&format!("{{name: e, networkRef: {{name: b}}, prefixes: [{items}]}}"))
}

#[test]
fn r1_an_unknown_kind_is_not_supported_and_its_file_and_document_are_named() {
    let errors = Play::default().faults("---\n---\nkind: Pod\napiVersion: v1\n");
    assert_eq!(errors.len(), 1);
    let error = &errors[0];
    assert_eq!((error.place.path.as_str(), error.place.document, error.place.line), ("kind", 1, 3));
    assert!(error.message.contains("docs") && error.message.contains("document 1"), "{error}");
    assert_eq!(error.error_type.to_string(), "NotSupported");
}

#[test]
fn r1_an_unknown_version_of_a_known_kind_is_not_supported() {
    assert_eq!(faults("{apiVersion: metal-stack.io/v2, kind: Network, metadata: {name: a}}"), ["kind NotSupported"]);
    assert_eq!(faults("{kind: Network, metadata: {name: a}}"), ["kind NotSupported"]);
    assert_eq!(faults("{some: thing}"), ["kind NotSupported"]);
}

#[test]
fn r1_no_document_at_all_is_valid() {
    assert_eq!(faults(""), [""; 0]);
    assert_eq!(faults("---\n# nothing\n---\n"), [""; 0]);
}

#[test]
fn r1_an_unknown_field_is_a_warning_that_names_it() {
    let documents = spec("providerID: x, frobnicate: 1, peerings: [{name: e, networkRef: {name: b}, oops: 2}]");
    let warnings = warnings(&documents);
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("spec.peerings[0].oops"), "{warnings:?}");
    assert!(warnings[1].contains("spec.frobnicate") && warnings[1].contains("docs:1"), "{warnings:?}");
}

#[test]
fn r1_the_kind_of_a_metal_network_follows_type_then_flags_then_parent() {
    let kinds = [
        ("type: child, shared: true", "Bound Ready"),
        ("shared: true", "Bound Ready"),
        ("parentnetworkid: s", "Bound Ready"),
        ("prefixes: []", "Bound Ready"),
        ("underlay: true, shared: true", "Pending Error NotPeerable"),
        ("privatesuper: true, shared: true", "Pending Error NotPeerable"),
        ("type: super-namespaced", "Pending Error NotPeerable"),
        ("type: underlay, shared: true", "Pending Error NotPeerable"),
    ];
    for (fields, expected) in kinds {
        let documents = private("a", 1) + &metal("b", &format!("vrf: 2, projectid: p, {fields}"));
        let answer = eval(&(documents + &peering("ab", "a", "b")), "");
        assert_eq!(status(answer.peering("ab")), expected, "{fields}");
    }
    assert_eq!(faults("{id: a, type: sideways}"), ["type NotSupported"]);
}

#[test]
fn r1_a_bare_document_and_a_wrapped_one_are_read_alike() {
    let wrapped = "---\n{apiVersion: metal-stack.io/v1, kind: Network, metadata: {name: b}, \
                   spec: {vrf: 2, shared: true, prefixes: [10.2.0.0/16]}}\n";
    let answer = eval(&(private("a", 1) + wrapped + &peering("ab", "a", "b")), "");
    assert_eq!(status(answer.peering("ab")), "Bound Ready");
    assert_eq!(answer.names(), ["default/a", "default/b"]);
}

#[test]
fn r1_entries_name_ironcore_networks_and_peerings_metal_ones() {
    let answer = eval(&(network("a", 1, &to("m")) + &private("m", 2) + &peering("x", "m", "a")), "");
    assert_eq!(status(answer.entry("a", "to-m")), "Pending Pending NetworkNotFound");
    assert_eq!(status(answer.peering("x")), "Pending Pending NetworkNotFound");
}

#[test]
fn r2_one_identity_twice_is_a_duplicate_unless_the_documents_are_equal() {
    assert_eq!(faults(&(network("a", 1, "") + &network("a", 2, ""))), ["metadata.name Duplicate"]);
    assert_eq!(faults(&(network("a", 1, "") + &network("a", 1, ""))), [""; 0]);
    assert_eq!(faults(&(metal("a", "vrf: 1") + &metal("a", "vrf: 2"))), ["id Duplicate"]);
    assert_eq!(faults(&(network("a", 1, "") + &metal("a", "vrf: 2"))), [""; 0], "two kinds are two identities");
    assert_eq!(faults(&(network("a", 1, "") + &network("x/a", 2, ""))), [""; 0]);
}

#[test]
fn r2_a_missing_namespace_is_default() {
    let without = "---\n{apiVersion: networking.ironcore.dev/v1alpha1, kind: Network, metadata: {name: a}}\n";
    assert_eq!(faults(&(without.to_owned() + &network("default/a", 2, ""))), ["metadata.name Duplicate"]);
    assert_eq!(eval(without, "").names(), ["default/a"]);
}

#[test]
fn r4_the_network_id_is_in_range_or_absent() {
    let provider = |id: &str| spec(&format!("providerID: 'ironcore-net://ns/name/{id}/uid'"));
    for bad in ["0", "16777216", "99999999999999999999999"] {
        assert_eq!(faults(&provider(bad)), ["spec.providerID Invalid"], "{bad}");
        let expected: &[&str] = if bad == "0" { &[] } else { &["vrf Invalid"] };
        assert_eq!(faults(&format!("{{id: a, vrf: {bad}}}")), expected, "{bad}");
    }
    assert_eq!(faults("{id: a, vrf: -1}"), ["vrf Invalid"]);
    for good in ["1", "16777215"] {
        assert_eq!(faults(&provider(good)), [""; 0]);
    }
    for other in ["aws://x", "ironcore-net://ns/name/abc/uid", "ironcore-net://ns/7/uid", ""] {
        let answer = eval(&spec(&format!("providerID: '{other}'")), "");
        assert_eq!(answer.network("n")["state"], "Pending", "{other}");
    }
    assert_eq!(
        faults("{apiVersion: metal-stack.io/v1, kind: Network, metadata: {name: a}, spec: {vrf: 16777216}}"),
        ["spec.vrf Invalid"]
    );
}

#[test]
fn r5_names_are_dns_subdomains_and_namespaces_labels() {
    assert_eq!(
        faults("{apiVersion: metal-stack.io/v1, kind: Project, metadata: {name: A_b}}"),
        ["metadata.name Invalid"]
    );
    assert_eq!(faults("{apiVersion: metal-stack.io/v1, kind: Project}"), ["metadata.name Required"]);
    assert_eq!(faults("{id: -a, vrf: 1}"), ["id Invalid"]);
    assert_eq!(
        faults(&entries("{name: e., networkRef: {name: B, namespace: a.b}}")),
        [
            "spec.peerings[0].name Invalid",
            "spec.peerings[0].networkRef.name Invalid",
            "spec.peerings[0].networkRef.namespace Invalid"
        ]
    );
    assert_eq!(
        faults(&entries("{networkRef: {}}")),
        ["spec.peerings[0].name Required", "spec.peerings[0].networkRef.name Required"]
    );
    assert_eq!(faults(&entries("{name: e}")), ["spec.peerings[0].networkRef Required"]);
    assert_eq!(faults(&entries("{name: e.f-1, networkRef: {name: b.c, namespace: d-1}}")), [""; 0]);
}

#[test]
fn r6_a_network_peers_with_others_only() {
    assert_eq!(faults(&entries("{name: e, networkRef: {name: n}}")), ["spec.peerings[0].networkRef Forbidden"]);
    assert_eq!(
        faults(&entries("{name: e, networkRef: {name: n, namespace: default}}")),
        ["spec.peerings[0].networkRef Forbidden"]
    );
    assert_eq!(faults(&entries("{name: e, networkRef: {name: n, namespace: other}}")), [""; 0]);
    assert_eq!(faults(&spec("incomingPeerings: [{name: n, uid: u}]")), ["spec.incomingPeerings[0] Forbidden"]);
}

#[test]
fn r7_names_and_targets_of_entries_are_unique() {
    assert_eq!(
        faults(&entries("{name: e, networkRef: {name: b}}, {name: e, networkRef: {name: c}}")),
        ["spec.peerings[1].name Duplicate"]
    );
    assert_eq!(
        faults(&entries("{name: e, networkRef: {name: b}}, {name: f, networkRef: {name: b, namespace: default}}")),
        ["spec.peerings[1].networkRef Duplicate"]
    );
    assert_eq!(
        faults(&spec("incomingPeerings: [{name: b, uid: u}, {name: b, namespace: default, uid: v}]")),
        ["spec.incomingPeerings[1] Duplicate"]
    );
}

#[test]
fn r8_prefixes_are_unique_within_their_peering() {
    assert_eq!(
        faults(&prefixes("{name: x, prefix: 10.0.0.0/24}, {name: x, prefix: 10.0.1.0/24}")),
        ["spec.peerings[0].prefixes[1].name Duplicate"]
    );
    assert_eq!(faults(&prefixes("{name: x, prefix: 10.0.0.0/33}")), ["spec.peerings[0].prefixes[0].prefix Invalid"]);
    for bad in ["10.0.0.1", "010.0.0.0/8", "10.0.0.0/08"] {
        let faults = faults(&prefixes(&format!("{{name: x, prefix: {bad}}}")));
        assert_eq!(faults, ["spec.peerings[0].prefixes[0].prefix Invalid"], "{bad}");
    }
    assert_eq!(
        faults(&prefixes("{name: x, prefixRef: {name: r}}, {name: y, prefixRef: {name: r}}")),
        ["spec.peerings[0].prefixes[1].prefixRef Duplicate"]
    );
    let in_two = "{name: e, networkRef: {name: b}, prefixes: [{name: x, prefix: 10.0.0.0/24}]}, \
                  {name: f, networkRef: {name: c}, prefixes: [{name: x, prefix: 10.0.0.0/24}]}";
    assert_eq!(faults(&entries(in_two)), [""; 0]);
}

#[test]
fn r9_a_prefix_is_inline_or_referenced() {
    assert_eq!(
        faults(&prefixes("{name: x, prefix: 10.0.0.0/24, prefixRef: {name: r}}")),
        ["spec.peerings[0].prefixes[0] Invalid"]
    );
    assert_eq!(faults(&prefixes("{name: x}")), ["spec.peerings[0].prefixes[0] Required"]);
    assert_eq!(faults(&prefixes("{name: x, prefixRef: {}}")), ["spec.peerings[0].prefixes[0] Required"]);
    assert_eq!(faults(&prefixes("{name: x, prefix: 10.0.0.0/24, prefixRef: {}}")), [""; 0]);
}

#[test]
fn r9_host_bits_are_zeroed_with_a_warning() {
    let documents =
        network("a", 1, &to_with("b", ", prefixes: [{name: x, prefix: 10.0.0.7/24}]")) + &network("b", 2, &to("a"));
    let answer = eval(&documents, "");
    assert_eq!(answer.entry("a", "to-b")["prefixes"], serde_json::json!(["10.0.0.0/24"]));
    assert!(answer.warnings.iter().any(|w| w.contains("prefixes[0].prefix") && w.contains("10.0.0.0/24")));
}

#[test]
fn r10_a_provider_id_stays_once_it_is_set() {
    let mut play = Play::default();
    play.at(0, &network("a", 0, ""), "");
    play.at(1, &network("a", 7, ""), "");
    let forbidden = |documents: &str| {
        let errors = play.faults(documents);
        errors.iter().map(|error| format!("{} {}", error.place.path, error.error_type)).collect::<Vec<_>>()
    };
    assert_eq!(forbidden(&network("a", 8, "")), ["spec.providerID Forbidden"]);
    assert_eq!(forbidden(&network("a", 0, "")), ["spec.providerID Forbidden"]);
    assert_eq!(forbidden(&network("a", 7, "")), [""; 0]);
    assert_eq!(forbidden(&network_with("a", "uid: new, ", 8, "")), [""; 0], "another uid is another object");
}

#[test]
fn all_faults_of_all_documents_come_at_once_in_their_order() {
    let documents = entries("{name: e, networkRef: {name: n}}") + "---\n{id: a, vrf: x}\n---\n{kind: X}\n---\na: [\n";
    let errors = Play::default().faults(&documents);
    let seen: Vec<_> = errors.iter().map(|e| (e.place.document, e.place.path.as_str(), e.place.line)).collect();
    assert_eq!(seen[..3], [(0, "spec.peerings[0].networkRef", 1), (1, "vrf", 3), (2, "kind", 5)]);
    assert_eq!((seen.len(), seen[3].0), (4, 3));
}

#[test]
fn a_fault_has_the_fields_of_the_contract() {
    let error = &Play::default().faults("{id: a, vrf: x}")[0];
    let json = serde_json::to_value(error).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["path", "type", "message", "file", "document"]);
    assert_eq!((&json["path"], &json["type"], &json["document"]), (&"vrf".into(), &"Invalid".into(), &0.into()));
}

#[test]
fn a_value_of_the_wrong_type_is_invalid_at_its_path() {
    assert_eq!(faults(&spec("peerings: 5")), ["spec.peerings Invalid"]);
    assert_eq!(faults(&entries("5")), ["spec.peerings[0] Invalid"]);
    assert_eq!(
        faults(&entries("{name: [], networkRef: b}")),
        ["spec.peerings[0].name Invalid", "spec.peerings[0].networkRef Invalid"]
    );
    assert_eq!(faults("{id: a, shared: maybe, prefixes: [1.2.3.4/40]}"), ["shared Invalid", "prefixes[0] Invalid"]);
    assert_eq!(faults("- a\n- b\n"), [" Invalid"]);
    assert_eq!(faults("id: a\nvrf: 1\nvrf: 2\n"), ["vrf Duplicate"]);
}

const BGP: &str = "bgp: {local: {as: 65000, cidr: 172.16.0.1/30, port: Ethernet0@exit01}, \
                   remote: {as: 65001, cidr: 172.16.0.2/30}}";

#[test]
fn r37_a_local_peering_has_no_session_and_an_external_one_needs_it() {
    let with = |spec: String| faults(&peering_with("x", &spec));
    assert_eq!(with(format!("network1: a, network2: b, peeringType: local, {BGP}")), ["spec.bgp Invalid"]);
    assert_eq!(with("network1: a, peeringType: external".into()), ["spec.bgp Required"]);
    assert_eq!(with(format!("network1: a, network2: b, {BGP}")), ["spec.network2 Invalid"]);
    assert_eq!(with("network1: a".into()), ["spec.network2 Required"]);
    assert_eq!(with("network2: a".into()), ["spec.network1 Required"]);
    assert_eq!(with("network1: a, network2: b, peeringType: odd".into()), ["spec.peeringType NotSupported"]);
    assert_eq!(with(format!("network1: a, {BGP}")), [""; 0]);
    assert_eq!(with(format!("network1: a, peeringType: external, {BGP}")), [""; 0]);
}

#[test]
fn r38_a_pair_is_peered_once_and_never_with_itself() {
    assert_eq!(faults(&(peering("x", "a", "b") + &peering("y", "b", "a"))), ["spec.network2 Duplicate"]);
    assert_eq!(faults(&peering("x", "a", "a")), ["spec.network2 Forbidden"]);
    assert_eq!(faults(&(peering("x", "a", "b") + &peering("y", "b", "c"))), [""; 0]);
    assert_eq!(faults(&(peering("x", "a", "b") + &peering("x", "a", "b"))), [""; 0], "equal documents");
}

#[test]
fn r43_modes_limits_and_scopes_are_closed_lists() {
    let with = |more: &str| faults(&peering_with("x", &format!("network1: a, network2: b, {more}")));
    assert_eq!(with("advertise: {network1: loud}"), ["spec.advertise.network1 NotSupported"]);
    assert_eq!(with("scope: planet"), ["spec.scope NotSupported"]);
    assert_eq!(with("limit: -1"), ["spec.limit Invalid"]);
    assert_eq!(with("advertise: {network1: ebgp, network2: none}, scope: partition, limit: 5"), [""; 0]);
}

#[test]
fn r44_the_two_addresses_are_hosts_of_one_subnet() {
    let with = |local: &str, remote: &str| {
        faults(&peering_with(
            "x",
            &format!(
                "network1: a, bgp: {{local: {{as: 1, cidr: '{local}', port: e0@s}}, remote: {{as: 2, cidr: '{remote}'}}}}"
            ),
        ))
    };
    for (local, remote) in [
        ("172.16.0.1/30", "172.16.0.2/30"),
        ("172.16.0.1", "172.16.0.2"),
        ("172.16.0.2", "172.16.0.3"),
        ("172.16.0.1/29", "172.16.0.6"),
        ("2001:db8::1", "2001:db8::2"),
        ("2001:db8::2/127", "2001:db8::3/127"),
    ] {
        assert_eq!(with(local, remote), [""; 0], "{local} {remote}");
    }
    for (local, remote) in [
        ("172.16.0.1/30", "172.16.0.5/30"),
        ("172.16.0.1/30", "172.16.0.2/31"),
        ("172.16.0.1/30", "172.16.0.1/30"),
        ("172.16.0.1/30", "172.16.0.3/30"),
        ("172.16.0.3", "172.16.0.4"),
        ("172.16.0.1", "2001:db8::1"),
    ] {
        assert_eq!(with(local, remote), ["spec.bgp.remote.cidr Invalid"], "{local} {remote}");
    }
    assert_eq!(with("nowhere", "172.16.0.1"), ["spec.bgp.local.cidr Invalid"]);
}

#[test]
fn r44_a_session_has_both_systems_and_a_port_of_a_switch() {
    let with = |bgp: &str| faults(&peering_with("x", &format!("network1: a, bgp: {{{bgp}}}")));
    assert_eq!(
        with("local: {}"),
        [
            "spec.bgp.remote Required",
            "spec.bgp.local.port Required",
            "spec.bgp.local.as Required",
            "spec.bgp.local.cidr Required",
        ]
    );
    let local = "local: {as: 0, cidr: 10.0.0.1/30, port: e0}, remote: {as: 4294967296, cidr: 10.0.0.2/30}";
    assert_eq!(with(local), ["spec.bgp.local.port Invalid", "spec.bgp.local.as Invalid", "spec.bgp.remote.as Invalid"]);
}
