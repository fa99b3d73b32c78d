//! What holds in every world: order does not matter, repetition changes nothing, nothing is transitive, nothing crosses
//! projects, every refusal is accounted for, and no input panics.

use std::collections::{BTreeMap, BTreeSet};

use network_peering::{State, load, read_routes};
use proptest::prelude::*;

use crate::common::*;

/// The documents and the rows of a world.
#[derive(Clone, Debug)]
struct Sketch {
    documents: Vec<String>,
    rows: Vec<String>,
}

impl Sketch {
    fn documents(&self) -> String {
        self.documents.concat()
    }

    fn rows(&self) -> String {
        self.rows.concat()
    }
}

const PREFIXES: [&str; 7] =
    ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16", "0.0.0.0/0", "203.0.113.5/32", "2001:db8::/32"];

fn ironcore() -> impl Strategy<Value = String> {
    let entry = (0..4u32, prop::option::of(0..3usize), any::<bool>());
    (0..4u32, 0..4u32, prop::collection::vec(entry, 0..4), any::<bool>()).prop_map(|(id, vni, entries, labelled)| {
        let mut seen = BTreeSet::from([id]);
        let entries: Vec<_> = entries
            .into_iter()
            .filter(|(target, ..)| seen.insert(*target))
            .map(|(target, exposed, reference)| {
                let exposed = match (exposed, reference) {
                    (None, _) => String::new(),
                    (Some(_), true) => ", prefixes: [{name: x, prefixRef: {name: nowhere}}]".to_owned(),
                    (Some(at), false) => format!(", prefixes: [{{name: x, prefix: {}}}]", PREFIXES[at]),
                };
                to_with(&format!("i{target}"), &exposed)
            })
            .collect();
        let label = if labelled { "labels: {metal-stack.io/project: p}, " } else { "" };
        network_with(&format!("i{id}"), label, vni, &entries.join(", "))
    })
}

fn metal_network() -> impl Strategy<Value = String> {
    let kind =
        prop::sample::select(vec!["parentnetworkid: s", "parentnetworkid: s", "shared: true", "vrfshared: true"]);
    (0..5u32, 0..6u32, kind, 0..3usize, prop::sample::select(vec!["p", "q", "''"])).prop_map(
        |(id, vrf, kind, prefix, project)| {
            let prefix = PREFIXES[prefix];
            metal(&format!("m{id}"), &format!("vrf: {vrf}, {kind}, projectid: {project}, prefixes: [{prefix}]"))
        },
    )
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let peering = (0..5u32, 0..5u32).prop_filter("two networks", |(a, b)| a < b);
    let row =
        (prop::sample::select(vec!["i0", "i1", "i2", "i3", "m0", "m1", "m2", "m3", "m4"]), 0..PREFIXES.len(), 0..3u32);
    (
        prop::collection::vec(ironcore(), 0..5),
        prop::collection::vec(metal_network(), 0..6),
        prop::collection::btree_set(peering, 0..6),
        prop::collection::vec(row, 0..14),
        any::<bool>(),
    )
        .prop_map(|(ironcore, metal, peerings, rows, auto)| {
            let mut named = BTreeMap::new();
            for document in ironcore.into_iter().chain(metal) {
                let name = document.split(['{', ',']).find(|part| part.trim().starts_with("id:") || part.contains(" name: "));
                named.entry(name.unwrap_or_default().to_owned()).or_insert(document);
            }
            let mut documents: Vec<_> = named.into_values().collect();
            documents.extend(peerings.iter().map(|(a, b)| {
                super::common::peering(&format!("p{a}{b}"), &format!("m{a}"), &format!("m{b}"))
            }));
            if auto {
                documents.push(
                    "---\n{apiVersion: metal-stack.io/v1, kind: Project, metadata: {name: p, labels: {auto-peer: 'true'}}}\n"
                        .to_owned(),
                );
            }
            let rows = rows
                .into_iter()
                .map(|(network, prefix, hop)| {
                    format!("- {{network: default/{network}, prefix: '{}', nextHop: 192.0.2.{hop}}}\n", PREFIXES[prefix])
                })
                .collect();
            Sketch { documents, rows }
        })
}

fn shuffled() -> impl Strategy<Value = (Sketch, Sketch)> {
    sketch().prop_flat_map(|sketch| {
        let documents = Just(sketch.documents.clone()).prop_shuffle();
        let rows = Just(sketch.rows.clone()).prop_shuffle();
        (Just(sketch), (documents, rows).prop_map(|(documents, rows)| Sketch { documents, rows }))
    })
}

proptest! {
    #[test]
    fn r18_the_order_of_the_input_never_matters((one, other) in shuffled()) {
        let mut plays = [Play::default(), Play::default()];
        let one = plays[0].at(0, &one.documents(), &one.rows());
        let other = plays[1].at(0, &other.documents(), &other.rows());
        prop_assert_eq!(one.json, other.json);
        prop_assert_eq!(&plays[0].state, &plays[1].state);
    }

    #[test]
    fn r48_applying_again_changes_nothing(sketch in sketch()) {
        let mut play = Play::default();
        let first = play.at(0, &sketch.documents(), &sketch.rows());
        let state = play.state.clone();
        let again = play.at(30, &sketch.documents(), &sketch.rows());
        prop_assert_eq!(first.json, again.json);
        prop_assert_eq!(state, play.state);
    }

    #[test]
    fn leaks_come_from_native_routes_of_direct_peers_of_the_same_project(sketch in sketch()) {
        let answer = eval(&sketch.documents(), &sketch.rows());
        for table in answer.json["tables"].as_array().unwrap() {
            for route in table["routes"].as_array().unwrap().iter().filter(|route| route["kind"] == "leaked") {
                let (from, to) = (text(&route["from"]), text(&table["network"]));
                let source = format!("network: {from}, prefix: '{}'", text(&route["prefix"]));
                prop_assert!(sketch.rows.iter().any(|row| row.contains(&source)), "{source} is not native");
                prop_assert!(allowed(&sketch, &answer, from, to), "{from} reaches {to}");
            }
        }
    }

    #[test]
    fn every_native_route_of_a_bound_exporter_arrives_or_is_refused_once(sketch in sketch()) {
        let answer = eval(&sketch.documents(), &sketch.rows());
        let native: BTreeSet<_> = rows_of(&answer, "native");
        let mut expected = BTreeSet::new();
        for (from, to) in bound_pairs(&answer) {
            let of_exporter = native.iter().filter(|(network, ..)| *network == from);
            expected.extend(of_exporter.map(|(_, _, prefix)| (from.clone(), to.clone(), prefix.clone())));
        }
        let arrived = rows_of(&answer, "leaked");
        let refused: Vec<_> = answer.json["refused"].as_array().unwrap().iter()
            .map(|row| (text(&row["from"]).to_owned(), text(&row["to"]).to_owned(), text(&row["prefix"]).to_owned()))
            .collect();
        let once: BTreeSet<_> = refused.iter().cloned().collect();
        prop_assert_eq!(once.len(), refused.len(), "no refusal is listed twice");
        prop_assert!(arrived.is_disjoint(&once));
        prop_assert_eq!(&arrived.union(&once).cloned().collect::<BTreeSet<_>>(), &expected);
    }

    #[test]
    fn any_octets_as_input_never_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = load([("x".to_owned(), &octets)]);
        let _ = read_routes("x", &octets);
        let _ = State::from_json(&octets);
    }

    #[test]
    fn a_damaged_document_never_panics(sketch in sketch(), at in any::<prop::sample::Index>(), with in "[-{}\\[\\],:&*'\"a0 \n]{1,3}") {
        let mut text = sketch.documents();
        if !text.is_empty() {
            let at = at.index(text.len());
            if text.is_char_boundary(at) {
                text.insert_str(at, &with);
            }
        }
        let _ = load([("x".to_owned(), text.as_bytes())]);
    }
}

/// The (exporter, importer, prefix) of leaked routes, or (network, network, prefix) of native ones.
fn rows_of(answer: &Answer, kind: &str) -> BTreeSet<(String, String, String)> {
    let mut rows = BTreeSet::new();
    for table in answer.json["tables"].as_array().unwrap() {
        let to = text(&table["network"]).to_owned();
        for route in table["routes"].as_array().unwrap().iter().filter(|route| route["kind"] == kind) {
            let from = route["from"].as_str().map_or_else(|| to.clone(), str::to_owned);
            rows.insert((from, to.clone(), text(&route["prefix"]).to_owned()));
        }
    }
    rows
}

/// Both directions of every bound pair, as the statuses say.
fn bound_pairs(answer: &Answer) -> BTreeSet<(String, String)> {
    let mut pairs = BTreeSet::new();
    for network in answer.json["networks"].as_array().unwrap() {
        let own = format!("{}/{}", text(&network["namespace"]), text(&network["name"]));
        for peer in network["incomingPeerings"].as_array().unwrap() {
            pairs.insert((own.clone(), format!("{}/{}", text(&peer["namespace"]), text(&peer["name"]))));
        }
    }
    for peering in answer.json["peerings"].as_array().unwrap().iter().filter(|peering| peering["phase"] == "Bound") {
        let (one, two) = (text(&peering["network1"]).to_owned(), text(&peering["network2"]).to_owned());
        pairs.insert((two.clone(), one.clone()));
        pairs.insert((one, two));
    }
    pairs
}

/// Whether the documents themselves allow `from` to reach `to`: both are peered directly, and private networks, or labelled
/// ones, belong to one project.
fn allowed(sketch: &Sketch, answer: &Answer, from: &str, to: &str) -> bool {
    let document = |name: &str| {
        let name = name.trim_start_matches("default/");
        let (wrapped, bare) = (format!("name: {name}}}, spec"), format!("{{id: {name},"));
        sketch
            .documents
            .iter()
            .find(|document| document.contains(&wrapped) || document.contains(&bare))
            .cloned()
            .unwrap()
    };
    let (from_text, to_text) = (document(from), document(to));
    let labelled = |text: &str| text.contains("labels:");
    let private = |text: &str| text.contains("parentnetworkid");
    let project =
        |text: &str| text.split("projectid: ").nth(1).and_then(|rest| rest.split(',').next().map(str::to_owned));
    if private(&from_text) && private(&to_text) {
        let same = project(&from_text) == project(&to_text) && project(&from_text).as_deref() != Some("''");
        return same && bound_pairs(answer).contains(&(from.to_owned(), to.to_owned()));
    }
    labelled(&from_text) == labelled(&to_text) && bound_pairs(answer).contains(&(from.to_owned(), to.to_owned()))
}
