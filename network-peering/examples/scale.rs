//! How long worlds of growing size take to be read, evaluated and turned into tables. Run it in release; the last argument is the number
//! of networks of the largest one.

use std::fmt::Write as _;
use std::time::Instant;

use network_peering::{Options, State, Timestamp, evaluate, load_after, read_routes, tables};

/// Ironcore networks of which each names its `degree / 2` neighbours on both sides of a ring: `degree` entries each.
fn ring(networks: usize, degree: usize) -> String {
    let mut text = String::new();
    for n in 0..networks {
        let _ = write!(
            text,
            "---\napiVersion: networking.ironcore.dev/v1alpha1\nkind: Network\nmetadata: {{name: n{n}}}\nspec:\n  \
             providerID: ironcore-net://x/n{n}/{}/u\n  peerings:\n",
            n + 1
        );
        for step in 1..=degree / 2 {
            for other in [(n + step) % networks, (n + networks - step) % networks] {
                let _ = writeln!(text, "  - {{name: to-n{other}, networkRef: {{name: n{other}}}}}");
            }
        }
    }
    text
}

/// One network that names all others, and is named by them.
fn star(networks: usize) -> String {
    let head = |n: usize| {
        format!(
            "---\napiVersion: networking.ironcore.dev/v1alpha1\nkind: Network\nmetadata: {{name: n{n}}}\nspec:\n  \
             providerID: ironcore-net://x/n{n}/{}/u\n  peerings:\n",
            n + 1
        )
    };
    let mut text = head(0);
    for n in 1..networks {
        let _ = writeln!(text, "  - {{name: to-n{n}, networkRef: {{name: n{n}}}}}");
    }
    for n in 1..networks {
        text.push_str(&head(n));
        text.push_str("  - {name: hub, networkRef: {name: n0}}\n");
    }
    text
}

/// Metal networks of one project and `degree / 2` peerings for each.
fn metal(networks: usize, degree: usize) -> String {
    let mut text = String::new();
    for n in 0..networks {
        let (a, b) = (n / 250, n % 250);
        let _ = writeln!(
            text,
            "---\n{{id: m{n}, vrf: {}, parentnetworkid: s, projectid: p, prefixes: [10.{a}.{b}.0/24]}}",
            n + 1
        );
        for step in 1..=degree / 2 {
            let other = (n + step) % networks;
            let _ = writeln!(
                text,
                "---\n{{apiVersion: metal-stack.io/v1, kind: Peering, metadata: {{name: p{n}-{other}}}, spec: {{network1: m{n}, \
                 network2: m{other}}}}}"
            );
        }
    }
    text
}

/// Private networks that all peer with one shared one, half of them with overlapping space.
fn storage(networks: usize) -> String {
    let mut text = "{id: m0, vrf: 1, parentnetworkid: s, shared: true, prefixes: [172.16.0.0/12]}\n".to_owned();
    for n in 1..networks {
        let (a, b) = (n / 500, n / 2 % 250);
        let _ = writeln!(
            text,
            "---\n{{id: m{n}, vrf: {}, parentnetworkid: s, projectid: p, prefixes: [10.{a}.{b}.0/24]}}\n---\n\
             {{apiVersion: metal-stack.io/v1, kind: Peering, metadata: {{name: p{n}}}, spec: {{network1: m{n}, network2: m0}}}}",
            n + 1
        );
    }
    text
}

fn measure(shape: &str, networks: usize, documents: &str, prefix: &str) {
    let mut rows = String::new();
    for n in 0..networks {
        let _ = writeln!(rows, "- {{network: default/{prefix}{n}, prefix: 10.{}.{}.0/24}}", n / 250, n % 250);
    }
    let mut state = State::default();
    let (mut times, mut edges, mut leaked) = (Vec::new(), 0, 0);
    for second in 0..2 {
        let began = Instant::now();
        let world = load_after([("w".to_owned(), documents)], &state).expect("the world is valid");
        let read = began.elapsed();
        let (routes, _) = read_routes("r", rows.as_bytes()).expect("the routes are valid");
        let options = Options::default();
        let began = Instant::now();
        let mut outcome = evaluate(&world, &mut state, Timestamp::from_unix_seconds(second), &options);
        let evaluated = began.elapsed();
        let tables = tables(&world, &mut outcome, &routes, &options);
        edges = outcome.edges.len();
        leaked =
            tables.tables.iter().map(|table| table.routes.iter().filter(|route| route.leaked.is_some()).count()).sum();
        times.push(format!("read {read:.0?}, evaluate {evaluated:.0?}, tables {:.0?}", began.elapsed() - evaluated));
    }
    // Half of the networks are deleted.
    let began = Instant::now();
    let half: String = documents.split_inclusive("---\n").take(documents.matches("---\n").count() / 2).collect();
    let world = load_after([("w".to_owned(), half)], &state);
    let gone = world
        .map(|world| evaluate(&world, &mut state, Timestamp::from_unix_seconds(3), &Options::default()).networks.len());
    println!(
        "{shape:<6} {networks:>6} networks, {edges:>6} edges, {leaked:>6} leaked: {}; again: {}; half gone: {:.0?} ({} stay)",
        times[0],
        times[1],
        began.elapsed(),
        gone.unwrap_or_default()
    );
}

fn main() {
    let most = std::env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(10_000);
    for networks in [most / 4, most / 2, most] {
        measure("ring", networks, &ring(networks, 10), "n");
        measure("star", networks, &star(networks), "n");
        measure("shared", networks, &storage(networks), "m");
        measure("metal", networks, &metal(networks, 10), "m");
    }
}
