//! The speaker's own configuration: a document of kind `Speaker`.
//!
//! Owns the way from a document to [`Settings`], or to every fault that the document has. Nothing here opens a file, looks
//! at the system or applies anything.

mod neighbor;
mod vrf;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use network_peering::fields::{At, Mapping, Sink};
use network_peering::{Document, ErrorType, InputError, Node, Value, Warning};
use speaker::{BGP_PORT, Binding, Config, ConfigFault, FibMode};

use crate::cli::DEFAULT_SOCKET;

/// `apiVersion` of the document.
pub(crate) const API_VERSION: &str = "peerage.dev/v1alpha1";
/// `kind` of the document.
pub(crate) const KIND: &str = "Speaker";
/// Where uids, pins and times are kept unless `spec.stateFile` says otherwise.
const DEFAULT_STATE_FILE: &str = "/var/lib/peerage/state.json";

/// What a `Speaker` document says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// The speaker, without edges: these come from the peerings.
    pub(crate) speaker: Config,
    /// Where the API is served.
    pub(crate) socket: PathBuf,
    /// Where uids, pins, times and applied documents are kept.
    pub(crate) state_file: PathBuf,
}

/// Whether `document` is a `Speaker`.
pub(crate) fn is_speaker(document: &Document) -> bool {
    let is = |key, wanted| document.root.field(key).and_then(Node::text) == Some(wanted);
    is("apiVersion", API_VERSION) && is("kind", KIND)
}

/// Reads a `Speaker` document.
///
/// # Errors
/// Every fault of the document, in the order of its lines.
pub(crate) fn read(document: &Document) -> (Result<Settings, Vec<InputError>>, Vec<Warning>) {
    let sink = Sink::new(document);
    let settings = settings(document, &sink);
    if let Err(faults) = settings.speaker.check() {
        for fault in faults {
            let path = path_of(&fault.path, &settings.speaker);
            // What a placeholder stands for was reported where it was read, as was what holds it or lies in it.
            let known = sink.errors.borrow().iter().any(|error| related(&error.place.path, &path));
            if !known {
                let at = At { node: deepest(&document.root, &path), path };
                sink.error(&at, type_of(&fault.fault), fault.fault.to_string());
            }
        }
    }
    let mut errors = sink.errors.into_inner();
    errors.sort_by_key(|error| error.place.line);
    let warnings = sink.warnings.into_inner();
    if errors.is_empty() { (Ok(settings), warnings) } else { (Err(errors), warnings) }
}

/// What the document says, with a placeholder wherever a field is at fault, so that lists keep their indexes and
/// everything else can still be checked.
fn settings(document: &Document, sink: &Sink<'_>) -> Settings {
    let mut settings = Settings {
        speaker: Config {
            listen: vec![(Ipv4Addr::UNSPECIFIED, BGP_PORT).into(), (Ipv6Addr::UNSPECIFIED, BGP_PORT).into()],
            ..Config::default()
        },
        socket: DEFAULT_SOCKET.into(),
        state_file: DEFAULT_STATE_FILE.into(),
    };
    let Some(root) = At::root(document).mapping(sink) else {
        return settings;
    };
    root.ignore(&["apiVersion", "kind", "status"]);
    if let Some(metadata) = root.required("metadata", sink).and_then(|at| at.mapping(sink)) {
        metadata.ignore(&["namespace", "labels", "annotations", "uid"]);
        settings.speaker.name = metadata.name("name", sink).unwrap_or_default();
        metadata.finish(sink);
    }
    if let Some(spec) = root.required("spec", sink).and_then(|at| at.mapping(sink)) {
        read_spec(&spec, sink, &mut settings);
        spec.finish(sink);
    }
    root.finish(sink);
    settings
}

fn read_spec(spec: &Mapping<'_>, sink: &Sink<'_>, settings: &mut Settings) {
    let config = &mut settings.speaker;
    config.asn = spec.required("asn", sink).and_then(|at| at.number(1..=u32::MAX, sink)).unwrap_or(0);
    config.router_id = spec
        .required("routerId", sink)
        .and_then(|at| parsed(&at, "an IPv4 address such as 10.0.0.1", sink))
        .unwrap_or(Ipv4Addr::UNSPECIFIED);
    config.zone = spec.text("zone", sink);
    if let Some(listen) = spec.field("listen") {
        let addresses = listen.sequence(sink).into_iter();
        config.listen = addresses.filter_map(|at| listen_address(&at, sink)).collect();
    }
    config.fib = match spec.field("fib") {
        Some(at) => {
            let modes = [("linux", FibMode::Linux), ("memory", FibMode::Memory)];
            at.one_of(&modes, sink).unwrap_or_default()
        }
        None => default_fib(),
    };
    if let Some(keep) = spec.field("keepRoutes").and_then(|at| at.boolean(sink)) {
        config.keep_routes = keep;
    }
    if let Some(time) = seconds(spec, "convergence", 0..=3_600, sink) {
        config.convergence = time;
    }
    if let Some(shards) = spec.field("shards").and_then(|at| at.number(1..=Config::MAX_SHARDS as u32, sink)) {
        config.shards = shards as usize;
    }
    for at in spec.sequence("vrfs", sink) {
        config.vrfs.push(vrf::read(&at, sink));
    }
    for at in spec.sequence("neighbors", sink) {
        config.neighbors.push(neighbor::read(&at, sink));
    }
    if let Some(api) = spec.mapping("api", sink) {
        if let Some(socket) = api.text("socket", sink) {
            settings.socket = socket.into();
        }
        api.finish(sink);
    }
    if let Some(file) = spec.text("stateFile", sink) {
        settings.state_file = file.into();
    }
}

/// The kernel where this process may change it, otherwise memory.
fn default_fib() -> FibMode {
    const NET_ADMIN: u32 = 12;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    match bits {
        Some(bits) if bits & (1 << NET_ADMIN) != 0 => FibMode::Linux,
        _ => FibMode::Memory,
    }
}

/// `ADDRESS` or `ADDRESS:PORT`, the port being 179 unless given.
fn listen_address(at: &At<'_>, sink: &Sink<'_>) -> Option<SocketAddr> {
    let text = at.string(sink)?;
    let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, BGP_PORT));
    let address = address.or_else(|_| text.parse::<SocketAddr>()).ok();
    if address.is_none() {
        let message = format!("{text:?} is not an address to listen on, such as 0.0.0.0:179 or [::]:179");
        sink.error(at, ErrorType::Invalid, message);
    }
    address
}

/// A value that is written as text; `what` says what it should have been.
fn parsed<T: FromStr>(at: &At<'_>, what: &str, sink: &Sink<'_>) -> Option<T> {
    let text = at.string(sink)?;
    let value = text.parse().ok();
    if value.is_none() {
        sink.error(at, ErrorType::Invalid, format!("{text:?} is not {what}"));
    }
    value
}

/// A time in whole seconds.
fn seconds(
    mapping: &Mapping<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<u32>,
    sink: &Sink<'_>,
) -> Option<Duration> {
    let seconds = mapping.field(key)?.number(range, sink)?;
    Some(Duration::from_secs(seconds.into()))
}

/// The list below `key`, each item read by `read`, which gives a placeholder for one at fault.
fn list<T>(mapping: &Mapping<'_>, key: &'static str, sink: &Sink<'_>, read: impl Fn(&At<'_>) -> T) -> Vec<T> {
    mapping.sequence(key, sink).iter().map(read).collect()
}

/// The path in the document of a path into [`Config`].
fn path_of(path: &str, config: &Config) -> String {
    if path == "name" {
        return "metadata.name".to_owned();
    }
    let mut parts = vec!["spec".to_owned()];
    let mut vrf = None;
    for part in path.split('.') {
        let (name, index) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name == "vrfs" {
            let index = index.trim_matches(['[', ']']).parse::<usize>().ok();
            vrf = index.and_then(|index| config.vrfs.get(index));
        }
        let name = match name {
            "router_id" => "routerId",
            "binding" => match vrf.map(|vrf| &vrf.binding) {
                Some(Binding::Device(_)) => "device",
                _ => "table",
            },
            "statics" => "staticRoutes",
            "local_address" => "localAddress",
            "remote_as" => "remoteAs",
            "hold_time" => "timers.hold",
            "keepalive" => "timers.keepalive",
            "connect_retry" => "timers.connectRetry",
            other => other,
        };
        parts.push(format!("{name}{index}"));
    }
    parts.join(".")
}

/// Whether two paths are the same, or one lies in the other.
fn related(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The node at `path`, or the last one on the way that exists.
fn deepest<'a>(root: &'a Node, path: &str) -> &'a Node {
    let mut node = root;
    for part in path.split(['.', '[']) {
        let below = match (&node.value, part.strip_suffix(']')) {
            (Value::Sequence(items), Some(index)) => index.parse().ok().and_then(|index: usize| items.get(index)),
            _ => node.field(part),
        };
        match below {
            Some(below) => node = below,
            None => break,
        }
    }
    node
}

fn type_of(fault: &ConfigFault) -> ErrorType {
    match fault {
        ConfigFault::NoName => ErrorType::Required,
        ConfigFault::DuplicateName(_)
        | ConfigFault::DuplicateTable(..)
        | ConfigFault::DuplicateDevice(..)
        | ConfigFault::DuplicateInterface(..)
        | ConfigFault::DuplicateNeighbor(_)
        | ConfigFault::AmbiguousNeighbor(_) => ErrorType::Duplicate,
        ConfigFault::ReservedTable(_) => ErrorType::Forbidden,
        ConfigFault::UnsupportedFamily(_) => ErrorType::NotSupported,
        _ => ErrorType::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use speaker::{Accept, Class, RemoteAs, Via};

    use super::*;
    use crate::documents;

    fn document(text: &str) -> Document {
        let documents = documents::parse([("leaf.yaml", text.as_bytes())]);
        assert!(documents.broken.is_empty(), "{:?}", documents.broken);
        documents.documents.into_iter().next().unwrap()
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = read(&document(text)).0.unwrap_err();
        let fault = |fault: InputError| format!("{} {} {}", fault.place.line, fault.place.path, fault.error_type);
        faults.into_iter().map(fault).collect()
    }

    /// The example of the user guide, so that it stays true.
    fn example() -> String {
        let guide = include_str!("../../../docs/configuration.md");
        let (_, rest) = guide.split_once("```yaml\n").unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    }

    #[test]
    fn the_example_of_the_guide_is_read_without_fault_or_warning() {
        let (settings, warnings) = read(&document(&example()));
        let settings = settings.unwrap();
        assert_eq!(warnings, []);
        let speaker = &settings.speaker;
        assert_eq!((speaker.name.as_str(), speaker.asn), ("leaf01", 4_200_000_011));
        assert_eq!(settings.socket, PathBuf::from("/run/peerage/peerage.sock"));
        assert_eq!(speaker.vrfs[0].network.as_deref(), Some("default/privnet1"));
        assert_eq!(speaker.vrfs[0].binding, Binding::Table(1001));
        assert_eq!(speaker.vrfs[1].binding, Binding::Device("vrfStorage".to_owned()));
        assert_eq!(speaker.vrfs[1].statics[0].via, Via::Address("10.0.100.2".parse().unwrap()));
        let [fabric, external] = &speaker.neighbors[..] else { panic!("{:?}", speaker.neighbors) };
        assert_eq!((fabric.class, fabric.remote_as, &fabric.import), (Class::Fabric, RemoteAs::External, &None));
        assert_eq!((external.class, external.remote_as), (Class::External, RemoteAs::Is(64_500)));
        let Some(Accept::Listed(rules)) = &external.import else { panic!("{:?}", external.import) };
        assert!(rules.permits("8.8.8.0/24".parse().unwrap()));
        assert!(!rules.permits("10.1.0.0/16".parse().unwrap()));
        assert!(!rules.permits("8.8.8.8/32".parse().unwrap()));
    }

    #[test]
    fn there_is_one_shard_unless_the_document_says_more() {
        let text = |shards: &str| {
            format!(
                "apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata: {{name: leaf}}\n\
                 spec: {{asn: 1, routerId: 10.0.0.1{shards}}}\n"
            )
        };
        let shards = |text: String| read(&document(&text)).0.unwrap().speaker.shards;
        assert_eq!((shards(text("")), shards(text(", shards: 4"))), (1, 4));
        assert_eq!(faults(&text(", shards: 0")), ["4 spec.shards Invalid"]);
        assert_eq!(faults(&text(", shards: 65")), ["4 spec.shards Invalid"]);
    }

    #[test]
    fn every_fault_is_listed_at_once_with_its_line_and_path() {
        let text = "\
apiVersion: peerage.dev/v1alpha1
kind: Speaker
metadata: {name: leaf}
spec:
  asn: 0
  routerId: leaf
  listen: [nowhere]
  fib: hardware
  vrfs:
  - {name: a, table: 255}
  - {name: a, table: 1, device: vrfA}
  - {network: n, staticRoutes: [{prefix: 10.0.0.0/33, via: 10.0.0.1}, {prefix: 10.0.0.0/8}, {prefix: 10.0.0.0/8, via: '2001:db8::1'}]}
  neighbors:
  - {vrf: b, address: 10.0.0.1, remoteAs: any, class: fabric}
  - vrf: a
    remoteAs: 1
    class: friend
    timers: {hold: 2}
    families: [ipv4-unicast, evpn]
    import:
    - {permit: 10.0.0.0/8, le: 7}
    - {le: 7}
";
        assert_eq!(
            faults(text),
            [
                "5 spec.asn Invalid",
                "6 spec.routerId Invalid",
                "7 spec.listen[0] Invalid",
                "8 spec.fib NotSupported",
                "10 spec.vrfs[0].table Forbidden",
                "11 spec.vrfs[1].device Invalid",
                "11 spec.vrfs[1].name Duplicate",
                "12 spec.vrfs[2].name Required",
                "12 spec.vrfs[2].staticRoutes[0].prefix Invalid",
                "12 spec.vrfs[2].staticRoutes[1] Required",
                "12 spec.vrfs[2].staticRoutes[2].via Invalid",
                "14 spec.neighbors[0].remoteAs NotSupported",
                "14 spec.neighbors[0].vrf Invalid",
                "15 spec.neighbors[1].address Required",
                "17 spec.neighbors[1].class NotSupported",
                "18 spec.neighbors[1].timers.hold Invalid",
                "19 spec.neighbors[1].families[1] NotSupported",
                "21 spec.neighbors[1].import[0].le Invalid",
                "22 spec.neighbors[1].import[1] Required",
            ]
        );
    }

    #[test]
    fn a_neighbor_may_be_known_by_its_interface_instead_of_its_address() {
        let with = |more: &str| example().replace("address: 10.0.1.11", more);
        let (settings, warnings) = read(&document(&with("interface: swp1")));
        let neighbor = &settings.unwrap().speaker.neighbors[0];
        assert_eq!(warnings, []);
        assert_eq!(neighbor.key().to_string(), "swp1 in privnet1");
        assert!(neighbor.extended_next_hop, "its IPv4 routes need it");
        // Without the line.
        let faults = |text: &str| -> Vec<String> {
            let faults = faults(&with(text)).into_iter();
            faults.map(|fault| fault.split_once(' ').unwrap().1.to_owned()).collect()
        };
        assert_eq!(faults("interface: swp48"), ["spec.neighbors[0].interface Duplicate"]);
        assert_eq!(faults("interface: swp1\n    address: 10.0.1.11"), ["spec.neighbors[0].address Invalid"]);
        assert_eq!(faults("interface: swp1\n    localAddress: 10.0.1.10"), ["spec.neighbors[0].localAddress Invalid"]);
    }

    #[test]
    fn an_unknown_field_is_a_warning_that_names_it() {
        let text = example().replace("  zone: partition-1\n", "  zoone: partition-1\n");
        let (settings, warnings) = read(&document(&text));
        assert!(settings.is_ok());
        let warnings: Vec<_> =
            warnings.iter().map(|warning| (warning.place.path.as_str(), warning.place.line)).collect();
        assert_eq!(warnings, [("spec.zoone", 8)]);
    }

    #[test]
    fn a_document_without_spec_or_name_is_told_so() {
        assert_eq!(
            faults("apiVersion: peerage.dev/v1alpha1\nkind: Speaker\n"),
            ["1 metadata Required", "1 spec Required"]
        );
    }
}
