//! Holds `peerage decode` against messages whose meaning others wrote down.
//!
//! A folder has files of JSON lines, each a message with what is expected of a decoder. Every case is given to the built binary, as
//! anyone could from outside; nothing of the codec is linked here.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::run;

/// Where the cases are, if there are any: beside the checkout.
pub(crate) fn beside() -> Option<PathBuf> {
    run::root().parent().map(|parent| parent.join("shared/vectors")).filter(|folder| folder.is_dir())
}

/// Runs every case and lists those that fail. Fails unless all pass but those on which the RFCs do not decide.
pub(crate) fn run(folder: &Path, peerage: &run::Peerage) -> Result<(), String> {
    let cases = load(folder)?;
    let answers = decode(&cases, peerage)?;
    let (mut passed, mut failed, mut informative) = (0, 0, 0);
    for (at, case) in cases.iter().enumerate() {
        let verdict = match answers.get(at) {
            Some(answer) => judge(case, answer),
            None => Err("no answer".to_owned()),
        };
        let name = case["name"].as_str().unwrap_or("(no name)");
        let informs = case["expect"]["authority"] == "implementation";
        match verdict {
            Ok(()) if informs => println!("informative, passes: {name}"),
            Err(why) if informs => println!("informative, differs: {name}: {why}"),
            Ok(()) => passed += 1,
            Err(why) => {
                failed += 1;
                println!("FAILED {name}: {why}");
            }
        }
        informative += usize::from(informs);
    }
    println!("{} cases: {passed} passed, {failed} failed, {informative} informative", cases.len());
    if failed > 0 { Err(format!("{failed} of {} cases failed", cases.len())) } else { Ok(()) }
}

fn load(folder: &Path) -> Result<Vec<Value>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(failed)?;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let case = serde_json::from_str(line).map_err(|error| format!("{}:{}: {error}", file.display(), at + 1))?;
            cases.push(case);
        }
    }
    if cases.is_empty() { Err(format!("{}: no case in any *.jsonl", folder.display())) } else { Ok(cases) }
}

/// What the binary answers. It is told nothing of what is expected.
fn decode(cases: &[Value], peerage: &run::Peerage) -> Result<Vec<Value>, String> {
    let mut input = String::new();
    for case in cases {
        let mut asked = json!({});
        for key in ["name", "kind", "ctx", "msg", "hex"] {
            if let Some(value) = case.get(key) {
                asked[key] = value.clone();
            }
        }
        input += &format!("{asked}\n");
    }
    let shown = "peerage decode";
    eprintln!("==> {shown}");
    let mut child = peerage
        .command(&["decode"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{shown}` did not start: {error}"))?;
    let stdin = child.stdin.take();
    // Both pipes are finite, so that one thread writes while another reads.
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().map_err(|error| format!("`{shown}`: {error}"))?;
    if let Ok(Some(Err(error))) = writer.join() {
        return Err(format!("`{shown}` did not read its input: {error}"));
    }
    if !output.status.success() {
        return Err(format!("`{shown}` failed: {}", output.status));
    }
    let text = String::from_utf8(output.stdout).map_err(|error| format!("`{shown}`: {error}"))?;
    let parse = |line: &str| serde_json::from_str(line).map_err(|error| format!("`{shown}` printed `{line}`: {error}"));
    text.lines().map(parse).collect()
}

/// Whether the answer is right, or what is wrong with it.
fn judge(case: &Value, answer: &Value) -> Result<(), String> {
    let expect = &case["expect"];
    if answer["name"] != case["name"] {
        return Err(format!("the answer is for {}", answer["name"]));
    }
    if expect["no_panic"] == true {
        return Ok(());
    }
    let treatment = &answer["treatment"];
    if *treatment != expect["treatment"] {
        let also = expect["also_ok"].as_array().is_some_and(|also| also.contains(treatment));
        return if also { Ok(()) } else { Err(format!("{treatment} instead of {}", expect["treatment"])) };
    }
    if treatment == "session-reset" {
        return judge_error(expect, &answer["error"]);
    }
    for part in ["update", "open", "notification", "route_refresh", "effective_as_path", "effective_aggregator"] {
        if let Some(expected) = expect.get(part) {
            compare(expected, answer.get(part).unwrap_or(&Value::Null), part)?;
        }
    }
    Ok(())
}

fn judge_error(expect: &Value, error: &Value) -> Result<(), String> {
    let Some(expected) = expect.get("error") else { return Ok(()) };
    let subcode_fits = match (expect["subcode_any"].as_array(), expected.get("subcode")) {
        (Some(any), _) => any.contains(&error["subcode"]),
        (None, Some(subcode)) => *subcode == error["subcode"],
        (None, None) => true,
    };
    let data_fits = expected.get("data").is_none_or(|data| *data == error["data"]);
    if expected["code"] == error["code"] && subcode_fits && data_fits {
        Ok(())
    } else {
        Err(format!("the error is {error} instead of {expected}"))
    }
}

/// Whether all that is expected is there, and nothing more. What is empty may as well be missing.
fn compare(expected: &Value, found: &Value, at: &str) -> Result<(), String> {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match (expected, found) {
        (Value::Object(fields), Value::Object(others)) => {
            for (key, value) in fields {
                compare(value, others.get(key).unwrap_or(&Value::Null), &format!("{at}.{key}"))?;
            }
            match others.iter().find(|(key, value)| !fields.contains_key(*key) && !is_empty(value)) {
                Some((key, value)) => Err(format!("{at}.{key} is {value} instead of missing")),
                None => Ok(()),
            }
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => items
            .iter()
            .zip(others)
            .enumerate()
            .try_for_each(|(index, (item, other))| compare(item, other, &format!("{at}[{index}]"))),
        _ if expected == found || is_empty(expected) && is_empty(found) => Ok(()),
        _ => Err(format!("{at} is {found} instead of {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_lacks_a_field_or_has_one_too_many_fails() {
        let case = json!({"name": "a", "expect": {"treatment": "accept", "update": {"nlri": [{"prefix": "10.0.0.0/8"}], "attrs": {}}}});
        let answer = |update: Value| json!({"name": "a", "treatment": "accept", "update": update});
        assert_eq!(judge(&case, &answer(json!({"nlri": [{"prefix": "10.0.0.0/8"}]}))), Ok(()));
        assert!(judge(&case, &answer(json!({"attrs": {}}))).is_err());
        assert!(judge(&case, &answer(json!({"nlri": [{"prefix": "10.0.0.0/8", "path_id": 1}]}))).is_err());
        assert!(judge(&case, &answer(json!({"nlri": [{"prefix": "10.0.0.0/9"}]}))).is_err());
    }

    #[test]
    fn an_error_passes_with_any_of_the_subcodes_that_fit() {
        let case = json!({"name": "a", "expect": {"treatment": "session-reset", "error": {"code": 3, "subcode": 9}, "subcode_any": [1, 9]}});
        let answer = |code, subcode| json!({"name": "a", "treatment": "session-reset", "error": {"code": code, "subcode": subcode, "data": ""}});
        assert_eq!(judge(&case, &answer(3, 1)), Ok(()));
        assert!(judge(&case, &answer(3, 2)).is_err());
        assert!(judge(&case, &answer(2, 9)).is_err());
    }

    #[test]
    fn another_treatment_passes_only_if_it_is_named() {
        let case = json!({"name": "a", "expect": {"treatment": "accept", "also_ok": ["treat-as-withdraw"]}});
        let answer = |treatment| json!({"name": "a", "treatment": treatment});
        assert_eq!(judge(&case, &answer("treat-as-withdraw")), Ok(()));
        assert!(judge(&case, &answer("attribute-discard")).is_err());
    }
}
