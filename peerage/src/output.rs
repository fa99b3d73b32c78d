//! How answers look: aligned tables for people, JSON and YAML for programs.
//!
//! Given values and rows, it yields text, and shows text to whoever reads it. It never asks for anything.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::Value;

/// Prints `text` on standard output. A reader that has gone away, such as `head`, has seen enough and is no error.
///
/// # Errors
/// Any other reason why it cannot be written.
pub(crate) fn show(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A table of left-aligned columns, headed in capitals, two blanks apart, without trailing blanks.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub(crate) fn new(head: impl IntoIterator<Item = &'static str>) -> Self {
        Self { head: head.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row; an empty cell is shown as `-`.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table's text, each line indented by `indent` blanks and ended by a line feed.
    pub(crate) fn render(&self, indent: usize) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count().max(1)).max();
            widest.unwrap_or(0).max(self.head[column].len())
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        let head = self.head.iter().map(|cell| (*cell).to_owned()).collect();
        for (index, row) in std::iter::once(&head).chain(&self.rows).enumerate() {
            let mut line = " ".repeat(indent);
            for (cell, width) in row.iter().zip(&widths) {
                let cell = if cell.is_empty() && index > 0 { "-" } else { cell };
                // Writing to a String cannot fail.
                let _ = write!(line, "{cell:<width$}  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// `value` as indented JSON, ended by a line feed.
///
/// # Errors
/// When `value` does not serialise.
pub(crate) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

/// `value` as block YAML (YAML 1.2, readable as 1.1 too), ended by a line feed.
///
/// # Errors
/// When `value` does not serialise.
pub(crate) fn yaml(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = String::new();
    let value = serde_json::to_value(value)?;
    block(&value, 0, &mut text);
    Ok(text)
}

/// Writes `value` as a block whose first line begins at the cursor and whose others are indented by `indent`.
fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    text.push_str(&" ".repeat(indent));
                }
                text.push_str(&scalar(key));
                text.push(':');
                match value {
                    Value::Object(map) if !map.is_empty() => {
                        text.push('\n');
                        text.push_str(&" ".repeat(indent + 2));
                        block(value, indent + 2, text);
                    }
                    Value::Array(items) if !items.is_empty() => {
                        text.push('\n');
                        text.push_str(&" ".repeat(indent));
                        block(value, indent, text);
                    }
                    _ => {
                        text.push(' ');
                        block(value, indent, text);
                    }
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(&" ".repeat(indent));
                }
                text.push_str("- ");
                block(item, indent + 2, text);
            }
        }
        Value::Object(_) => text.push_str("{}\n"),
        Value::Array(_) => text.push_str("[]\n"),
        Value::String(string) => {
            text.push_str(&scalar(string));
            text.push('\n');
        }
        other => {
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
}

/// A string as a YAML scalar: plain where nobody could read it as something else, otherwise in double quotes.
fn scalar(string: &str) -> String {
    let plain_char = |c: char| c.is_ascii_alphanumeric() || " _-./@+(),".contains(c);
    let starts_like_text = string.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
    let a_word = !matches!(
        string.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    // An address with a length, such as 10.0.0.0/8, is never a number.
    let a_prefix = string.parse::<ipnet::Ipv4Net>().is_ok();
    if (starts_like_text || a_prefix) && a_word && string.chars().all(plain_char) && !string.ends_with(' ') {
        string.to_owned()
    } else {
        // A JSON string is a YAML double-quoted scalar.
        Value::String(string.to_owned()).to_string()
    }
}

/// A count with its thousands set apart, as in `200,000`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_marks_empty_cells() {
        let mut table = Table::new(["NAME", "PHASE"]);
        table.row(["privnet1-to-storage".to_owned(), "Bound".to_owned()]);
        table.row(["x".to_owned(), String::new()]);
        assert_eq!(
            table.render(2),
            "  NAME                 PHASE\n  privnet1-to-storage  Bound\n  x                    -\n"
        );
    }

    #[test]
    fn yaml_nests_and_quotes_what_could_be_misread() {
        let value = serde_json::json!({
            "name": "a", "yes": "no", "list": [{"prefix": "10.0.0.0/8", "count": 1}, {"prefix": "2001:db8::/32"}],
            "empty": [], "nothing": null, "map": {"k": "0x10"}, "nested": [["a"], []],
        });
        assert_eq!(
            yaml(&value).unwrap(),
            "name: a\n\"yes\": \"no\"\nlist:\n- prefix: 10.0.0.0/8\n  count: 1\n- prefix: \"2001:db8::/32\"\nempty: []\nnothing: null\nmap:\n  k: \"0x10\"\nnested:\n- - a\n- []\n"
        );
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(577_699), "577,699");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }
}
