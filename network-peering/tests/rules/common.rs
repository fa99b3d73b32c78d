//! A world played step by step, seen as the user sees it: through the JSON of the evaluator.

use network_peering::{InputError, Options, Report, State, evaluate, load_after, read_routes, tables};
use serde_json::Value;

/// Calls of the evaluator that share a state.
#[derive(Default)]
pub(crate) struct Play {
    pub(crate) state: State,
    pub(crate) options: Options,
}

impl Play {
    pub(crate) fn with(options: Options) -> Self {
        Self { options, ..Self::default() }
    }

    /// One evaluation, `second` seconds after 2024-01-01T00:00:00Z.
    pub(crate) fn at(&mut self, second: u32, documents: &str, routes: &str) -> Answer {
        let now = format!("2024-01-01T00:00:{second:02}Z").parse().unwrap();
        let world = load_after([("docs".to_owned(), documents)], &self.state).expect("the documents are valid");
        let (routes, _) = read_routes("routes", routes.as_bytes()).expect("the routes are valid");
        let mut outcome = evaluate(&world, &mut self.state, now, &self.options);
        let tables = tables(&world, &mut outcome, &routes, &self.options);
        let bytes = self.state.to_json();
        self.state = State::from_json(&bytes).unwrap();
        let warnings = world.warnings.iter().chain(&outcome.warnings).chain(&tables.warnings);
        let warnings = warnings.map(ToString::to_string).collect();
        Answer { json: serde_json::to_value(Report::new(&outcome, &tables)).unwrap(), warnings }
    }

    /// The faults of documents that follow what was played so far.
    pub(crate) fn faults(&self, documents: &str) -> Vec<InputError> {
        load_after([("docs".to_owned(), documents)], &self.state).err().unwrap_or_default()
    }
}

/// One evaluation without a past.
pub(crate) fn eval(documents: &str, routes: &str) -> Answer {
    Play::default().at(0, documents, routes)
}

/// The faults of documents as `path Type`, in order.
pub(crate) fn faults(documents: &str) -> Vec<String> {
    let errors = Play::default().faults(documents);
    errors.iter().map(|error| format!("{} {}", error.place.path, error.error_type)).collect()
}

/// The warnings of valid documents.
pub(crate) fn warnings(documents: &str) -> Vec<String> {
    let world = load_after([("docs".to_owned(), documents)], &State::default()).expect("the documents are valid");
    world.warnings.iter().map(ToString::to_string).collect()
}

pub(crate) struct Answer {
    pub(crate) json: Value,
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    fn find<'a>(list: &'a Value, key: &str, wanted: &str) -> &'a Value {
        let found = list.as_array().unwrap().iter().find(|item| item[key] == wanted);
        found.unwrap_or_else(|| panic!("no {wanted} in {list:#}"))
    }

    pub(crate) fn network(&self, name: &str) -> &Value {
        let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
        let all = self.json["networks"].as_array().unwrap();
        let found = all.iter().find(|network| network["namespace"] == namespace && network["name"] == name);
        found.unwrap_or_else(|| panic!("no {namespace}/{name} in {all:#?}"))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let all = self.json["networks"].as_array().unwrap().iter();
        all.map(|network| format!("{}/{}", text(&network["namespace"]), text(&network["name"]))).collect()
    }

    pub(crate) fn entry(&self, network: &str, entry: &str) -> &Value {
        Self::find(&self.network(network)["peerings"], "name", entry)
    }

    pub(crate) fn peering(&self, name: &str) -> &Value {
        Self::find(&self.json["peerings"], "name", name)
    }

    pub(crate) fn peering_names(&self) -> Vec<&str> {
        self.json["peerings"].as_array().unwrap().iter().map(|peering| text(&peering["name"])).collect()
    }

    /// The routes of a network as `prefix` or `prefix < exporter`.
    pub(crate) fn table(&self, network: &str) -> Vec<String> {
        let name = if network.contains('/') { network.to_owned() } else { format!("default/{network}") };
        let routes = Self::find(&self.json["tables"], "network", &name)["routes"].as_array().unwrap();
        let shown = |route: &Value| match route["from"].as_str() {
            Some(from) => format!("{} < {}", text(&route["prefix"]), from.trim_start_matches("default/")),
            None => text(&route["prefix"]).to_owned(),
        };
        routes.iter().map(shown).collect()
    }

    pub(crate) fn route(&self, network: &str, prefix: &str) -> &Value {
        let table = Self::find(&self.json["tables"], "network", &format!("default/{network}"));
        Self::find(&table["routes"], "prefix", prefix)
    }

    /// The refusals as `prefix exporter>importer reason`.
    pub(crate) fn refused(&self) -> Vec<String> {
        let short = |value: &Value| text(value).trim_start_matches("default/").to_owned();
        let rows = self.json["refused"].as_array().unwrap().iter();
        rows.map(|row| {
            format!("{} {}>{} {}", text(&row["prefix"]), short(&row["from"]), short(&row["to"]), text(&row["reason"]))
        })
        .collect()
    }

    /// The conflicts as `prefix importer: winner before loser rule`.
    pub(crate) fn conflicts(&self) -> Vec<String> {
        let short = |value: &Value| text(value).trim_start_matches("default/").to_owned();
        let rows = self.json["conflicts"].as_array().unwrap().iter();
        rows.map(|row| {
            let (network, winner, loser) = (short(&row["network"]), short(&row["winner"]), short(&row["loser"]));
            format!("{} {network}: {winner} before {loser} {}", text(&row["prefix"]), text(&row["rule"]))
        })
        .collect()
    }
}

/// `phase state reason` of an entry or a peering.
pub(crate) fn status(value: &Value) -> String {
    let mut shown = format!("{} {}", text(&value["phase"]), text(&value["state"]));
    if let Some(reason) = value["reason"].as_str() {
        shown = format!("{shown} {reason}");
        assert!(value["message"].as_str().is_some_and(|message| message.len() > 20), "{value:#}");
    }
    if value["state"] != "Ready" {
        assert!(value["reason"].is_string(), "{value:#}");
    }
    shown
}

/// The seconds of `lastPhaseTransitionTime`, as `Play::at` was given them.
pub(crate) fn since(value: &Value) -> u32 {
    let time = text(&value["lastPhaseTransitionTime"]);
    time.strip_prefix("2024-01-01T00:00:").and_then(|rest| rest.strip_suffix('Z')).unwrap().parse().unwrap()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// An ironcore network; `vni` 0 for none. `peerings` are the items of the list, in flow style, separated by commas.
pub(crate) fn network(name: &str, vni: u32, peerings: &str) -> String {
    network_with(name, "", vni, peerings)
}

/// An ironcore network with more `metadata`, such as `uid: x, `.
pub(crate) fn network_with(name: &str, metadata: &str, vni: u32, peerings: &str) -> String {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    let provider = if vni == 0 { String::new() } else { format!("providerID: 'ironcore-net://x/y/{vni}/z', ") };
    format!(
        "---\n{{apiVersion: networking.ironcore.dev/v1alpha1, kind: Network, \
         metadata: {{{metadata}namespace: {namespace}, name: {name}}}, spec: {{{provider}peerings: [{peerings}]}}}}\n"
    )
}

/// An entry named `to-TARGET` with that target.
pub(crate) fn to(target: &str) -> String {
    to_with(target, "")
}

/// An entry with more fields, such as `, prefixes: []`.
pub(crate) fn to_with(target: &str, more: &str) -> String {
    let (namespace, name) = target.split_once('/').unwrap_or(("", target));
    let namespace = if namespace.is_empty() { String::new() } else { format!("namespace: {namespace}, ") };
    format!("{{name: to-{name}, networkRef: {{{namespace}name: {name}}}{more}}}")
}

/// Two networks that name each other.
pub(crate) fn pair(a: &str, b: &str) -> String {
    network(a, 101, &to(b)) + &network(b, 102, &to(a))
}

/// A bare metal network; `fields` in flow style.
pub(crate) fn metal(id: &str, fields: &str) -> String {
    format!("---\n{{id: {id}, {fields}}}\n")
}

/// A private network of project `p`, its address space derived from its VRF.
pub(crate) fn private(id: &str, vrf: u32) -> String {
    metal(id, &format!("vrf: {vrf}, parentnetworkid: super, projectid: p, prefixes: [10.{vrf}.0.0/16]"))
}

/// A shared network.
pub(crate) fn shared(id: &str, vrf: u32) -> String {
    metal(id, &format!("vrf: {vrf}, parentnetworkid: super, shared: true, prefixes: [10.{vrf}.0.0/16]"))
}

/// A local metal peering.
pub(crate) fn peering(name: &str, network1: &str, network2: &str) -> String {
    peering_with(name, &format!("network1: {network1}, network2: {network2}"))
}

/// A metal peering with this `spec`.
pub(crate) fn peering_with(name: &str, spec: &str) -> String {
    format!("---\n{{apiVersion: metal-stack.io/v1, kind: Peering, metadata: {{name: {name}}}, spec: {{{spec}}}}}\n")
}

/// A prefix object in the default namespace.
pub(crate) fn prefix(name: &str, cidr: &str, phase: &str) -> String {
    format!(
        "---\n{{apiVersion: ipam.ironcore.dev/v1alpha1, kind: Prefix, metadata: {{name: {name}}}, \
         spec: {{prefix: {cidr}}}, status: {{phase: {phase}}}}}\n"
    )
}

/// Rows of `network prefix` words, one per item.
pub(crate) fn routes(rows: &[(&str, &str)]) -> String {
    rows.iter().map(|(network, prefix)| format!("- {{network: default/{network}, prefix: '{prefix}'}}\n")).collect()
}
