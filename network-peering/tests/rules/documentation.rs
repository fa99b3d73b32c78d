//! The table of rules in docs/network-peering.md: every rule once, with every test that is named after it, and no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The rules of this project; these three numbers were never given.
fn rules() -> BTreeSet<u32> {
    (1..=51).filter(|number| ![23, 27, 47].contains(number)).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The rules of the table's rows and the tests in their last column.
fn table() -> Vec<(u32, BTreeSet<String>)> {
    let page = fs::read_to_string(root().join("docs/network-peering.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| R")?.strip_suffix(" |"));
    rows.map(|row| {
        let columns: Vec<&str> = row.split(" | ").collect();
        let [number, meaning, tests] = columns[..] else { panic!("not rule, meaning, tests: {row}") };
        assert!(meaning.len() > 20, "R{number} has no meaning");
        let tests = tests.split(", ").map(|test| test.trim_matches('`').to_owned());
        (number.parse().unwrap(), tests.collect())
    })
    .collect()
}

/// Every test named after a rule, by the rule.
fn tests() -> BTreeMap<u32, BTreeSet<String>> {
    let mut found: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let mut pending: Vec<_> =
        ["network-peering", "leak-engine", "speaker", "peerage"].map(|package| root().join(package)).into();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let inside = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            pending.extend(inside.filter(|path| !path.ends_with("target")));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines() {
                let name = line.trim_start().trim_start_matches("async ").strip_prefix("fn r");
                let Some((number, rest)) = name.and_then(|name| name.split_once('_')) else { continue };
                if let (Ok(number), Some((rest, _))) = (number.parse(), rest.split_once('(')) {
                    found.entry(number).or_default().insert(format!("r{number}_{rest}"));
                }
            }
        }
    }
    found
}

#[test]
fn the_page_lists_every_rule_once_with_all_tests_that_name_it() {
    let table = table();
    let numbers: Vec<u32> = table.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, rules().into_iter().collect::<Vec<_>>());
    let tests = tests();
    for (number, listed) in table {
        assert_eq!(Some(&listed), tests.get(&number), "the tests of R{number}");
    }
    assert!(tests.keys().all(|number| rules().contains(number)), "a test names a rule that there is not");
}
