//! YAML and JSON text as a tree that remembers lines.
//!
//! Owns the bounds on what input may cost: octets, nesting and the expansion of aliases. It is given bytes and a name
//! for them; it opens no file and knows no kind of object.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::error::{ErrorType, InputError, Place};

/// The largest accepted file, in octets.
pub const MAX_OCTETS: usize = 64 << 20;
/// The deepest accepted nesting of sequences and mappings.
pub const MAX_DEPTH: usize = 64;
/// How many nodes the aliases of one file may expand to.
pub const MAX_ALIASED_NODES: usize = 100_000;

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The index in the file, from 0; empty documents count.
    pub index: usize,
    /// What the document says.
    pub root: Node,
}

/// A value and the place where it starts.
#[derive(Clone, Debug)]
pub struct Node {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// The value.
    pub value: Value,
}

/// A value of the YAML core schema; JSON is a part of it.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing: `null`, `~`, or no text at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An unquoted number, as it is written.
    Number(String),
    /// Any other text.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the text; a key may stand twice until [`Document::duplicates`] was asked.
    Mapping(Vec<(String, Node)>),
}

impl Node {
    /// The value of `key`, if this is a mapping that has it; of two, the first.
    pub fn field(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What the value is, for a sentence.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    fn nodes(&self) -> usize {
        1 + match &self.value {
            Value::Sequence(items) => items.iter().map(Self::nodes).sum(),
            Value::Mapping(entries) => entries.iter().map(|(_, node)| node.nodes()).sum::<usize>(),
            _ => 0,
        }
    }
}

/// Equal values, wherever they stand and in whatever order their keys come.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(a), Value::Number(b)) | (Value::String(a), Value::String(b)) => a == b,
            (Value::Sequence(a), Value::Sequence(b)) => a == b,
            (Value::Mapping(a), Value::Mapping(b)) => {
                let index: HashMap<&str, &Self> = b.iter().rev().map(|(key, node)| (key.as_str(), node)).collect();
                a.len() == b.len() && a.iter().all(|(key, node)| index.get(key.as_str()) == Some(&node))
            }
            _ => false,
        }
    }
}

impl Eq for Node {}

impl Document {
    /// The place of `node`, whose JSON path is `path`.
    pub fn place(&self, path: impl Into<String>, node: &Node) -> Place {
        Place { file: self.file.clone(), document: self.index, path: path.into(), line: node.line }
    }

    /// A [`ErrorType::Duplicate`] for each key that stands twice in one mapping.
    pub fn duplicates(&self) -> Vec<InputError> {
        let mut errors = Vec::new();
        let mut pending = vec![(String::new(), &self.root)];
        while let Some((path, node)) = pending.pop() {
            match &node.value {
                Value::Sequence(items) => {
                    pending.extend(items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)));
                }
                Value::Mapping(entries) => {
                    let mut first = HashMap::with_capacity(entries.len());
                    for (key, value) in entries {
                        let below = join(&path, key);
                        if let Some(line) = first.insert(key, value.line) {
                            errors.push(InputError {
                                place: self.place(below.clone(), value),
                                error_type: ErrorType::Duplicate,
                                message: format!("the key is given twice, first on line {line}; keep one of the two"),
                            });
                        }
                        pending.push((below, value));
                    }
                }
                _ => {}
            }
        }
        errors.sort_by_key(|error| error.place.line);
        errors
    }
}

/// The JSON path of `key` below `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Reads every document of a file. If the text ends in a fault, what came before it is returned with it.
pub fn read(file: &str, bytes: &[u8]) -> (Vec<Document>, Option<InputError>) {
    let mut reader = Reader::new(file);
    let fault = reader.run(bytes).err();
    (reader.documents, fault)
}

enum Frame {
    Sequence(Node, usize, Vec<Node>),
    Mapping(Node, usize, Vec<(String, Node)>, Option<String>),
}

struct Reader {
    file: Arc<str>,
    documents: Vec<Document>,
    open: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
    before: usize,
}

impl Reader {
    fn new(file: &str) -> Self {
        let (documents, open, anchors) = (Vec::new(), Vec::new(), HashMap::new());
        Self { file: file.into(), documents, open, root: None, anchors, aliased: 0, before: 0 }
    }

    fn fault(&self, line: usize, message: impl Into<String>) -> InputError {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let place = Place { file: self.file.clone(), document: self.documents.len(), path: String::new(), line };
        InputError { place, error_type: ErrorType::Invalid, message: message.into() }
    }

    fn run(&mut self, bytes: &[u8]) -> Result<(), InputError> {
        if bytes.len() > MAX_OCTETS {
            return Err(
                self.fault(0, format!("the file has more than {MAX_OCTETS} octets, and so many are read at most"))
            );
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|octet| **octet == b'\n').count();
            self.fault(line, "the text is not UTF-8; save it as UTF-8")
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match json_values(text) {
            Some(values) => values.iter().try_for_each(|(line, value)| self.parse(&as_yaml(value), *line)),
            None => self.parse(text, 0),
        }
    }

    /// Parses `text`, which begins `before` lines into the file.
    fn parse(&mut self, text: &str, before: usize) -> Result<(), InputError> {
        self.before = before;
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            match event {
                Ok((event, span)) => self.event(event, span)?,
                Err(error) => {
                    let message = format!("this is neither YAML nor JSON: {}", error.info());
                    return Err(self.fault(before + error.marker().line(), message));
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), InputError> {
        let line = self.before + span.start.line();
        let at = |value| Node {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(span.start.col() + 1).unwrap_or(u32::MAX),
            value,
        };
        match event {
            Event::DocumentStart(_) => {
                self.root = None;
                self.anchors.clear();
            }
            Event::DocumentEnd => {
                let root = self.root.take().unwrap_or_else(|| at(Value::Null));
                let document = Document { file: self.file.clone(), index: self.documents.len(), root };
                self.documents.push(document);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                self.complete(at(value), anchor)?;
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(self.fault(line, "the alias stands inside the value that it names"));
                };
                self.aliased += node.nodes();
                if self.aliased > MAX_ALIASED_NODES {
                    let message = format!("the aliases of the file expand to more than {MAX_ALIASED_NODES} values");
                    return Err(self.fault(line, message));
                }
                let node = node.clone();
                self.complete(node, 0)?;
            }
            Event::SequenceStart(anchor, _) => {
                self.open(line, Frame::Sequence(at(Value::Null), anchor, Vec::new()))?;
            }
            Event::MappingStart(anchor, _) => {
                self.open(line, Frame::Mapping(at(Value::Null), anchor, Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Frame::Sequence(node, anchor, items)) => {
                    self.complete(Node { value: Value::Sequence(items), ..node }, anchor)?;
                }
                Some(Frame::Mapping(node, anchor, entries, _)) => {
                    self.complete(Node { value: Value::Mapping(entries), ..node }, anchor)?;
                }
                None => {}
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        Ok(())
    }

    fn open(&mut self, line: usize, frame: Frame) -> Result<(), InputError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fault(line, format!("the document is nested deeper than {MAX_DEPTH} levels")));
        }
        self.open.push(frame);
        Ok(())
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), InputError> {
        if anchor != 0 {
            self.aliased += node.nodes();
            if self.aliased > MAX_ALIASED_NODES {
                let message = format!("the anchors of the file name more than {MAX_ALIASED_NODES} values");
                return Err(self.fault(node.line as usize, message));
            }
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Frame::Sequence(_, _, items)) => items.push(node),
            Some(Frame::Mapping(_, _, entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => match node.value {
                    Value::String(text) | Value::Number(text) => *key = Some(text),
                    Value::Bool(value) => *key = Some(value.to_string()),
                    Value::Null => *key = Some("null".to_owned()),
                    Value::Sequence(_) | Value::Mapping(_) => {
                        let message = format!("{} cannot be a key; keys are text", node.kind());
                        return Err(self.fault(node.line as usize, message));
                    }
                },
            },
        }
        Ok(())
    }
}

/// If `text` is JSON: its values, one after the other, each with the number of lines before it.
fn json_values(text: &str) -> Option<Vec<(usize, &str)>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut values = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let (mut start, mut line) = (0, 0);
    while let Some(value) = stream.next() {
        value.ok()?;
        let value = &text[start..stream.byte_offset()];
        values.push((line, value));
        line += value.matches('\n').count();
        start = stream.byte_offset();
    }
    Some(values)
}

/// JSON writes a character beyond U+FFFF as two escapes (RFC 8259 section 7), YAML as one; all else is the same.
fn as_yaml(json: &str) -> Cow<'_, str> {
    let unit = |at: usize| {
        let escape = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let mut yaml = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = json[at..].find('\\') {
        at += found;
        let pair = unit(at).zip(unit(at + 6));
        let character = pair.and_then(|(high, low)| char::decode_utf16([high, low]).next()?.ok());
        match character.filter(|character| *character > '\u{ffff}') {
            Some(character) => {
                yaml.push_str(&json[copied..at]);
                yaml.push_str(&format!("\\U{:08x}", u32::from(character)));
                at += 12;
                copied = at;
            }
            // A backslash is followed by an ASCII character; both are passed over, so that "\\\\u" is no escape.
            None => at += 2,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    yaml.push_str(&json[copied..]);
    Cow::Owned(yaml)
}

/// The YAML 1.2 core schema, section 10.3.2.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    if style != ScalarStyle::Plain || is_text {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::String(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let octal = digits.strip_prefix("0o").is_some_and(|rest| rest.bytes().all(|octet| octet.is_ascii_digit()));
    let hexadecimal = digits.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|octet| octet.is_ascii_hexdigit()));
    let decimal = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits.bytes().any(|octet| octet.is_ascii_digit())
        && digits.parse::<f64>().is_ok();
    octal || hexadecimal || decimal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str) -> Vec<Document> {
        let (documents, fault) = read("f", text.as_bytes());
        assert_eq!(fault, None);
        documents
    }

    fn fault(text: &[u8]) -> InputError {
        read("f", text).1.unwrap()
    }

    #[test]
    fn empty_documents_count_and_an_empty_file_has_none() {
        assert_eq!(documents("").len(), 0);
        assert_eq!(documents("# nothing\n").len(), 0);
        let three = documents("---\n---\na: 1\n---\n");
        assert_eq!(three.iter().map(|document| document.index).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(three[0].root.is_null() && three[2].root.is_null());
        assert_eq!(three[1].root.field("a").unwrap().line, 3);
    }

    #[test]
    fn json_is_read_with_tabs_escapes_and_several_values_in_a_file() {
        let two = documents("{\n\t\"a\": \"\\ud83d\\ude00\\/\\\\ud83d\"\n}\n{\"b\": 1}\n");
        assert_eq!(two[0].root.field("a").unwrap().text(), Some("😀/\\ud83d"));
        assert_eq!((two[1].index, two[1].root.field("b").unwrap().line), (1, 4));
    }

    #[test]
    fn a_key_given_twice_is_found_with_its_line_and_path() {
        let document = &documents("a:\n- x: 1\n  x: 2\n")[0];
        let errors = document.duplicates();
        assert_eq!(errors.len(), 1);
        assert_eq!((errors[0].place.path.as_str(), errors[0].place.line), ("a[0].x", 3));
        assert_eq!(errors[0].error_type, ErrorType::Duplicate);
    }

    #[test]
    fn what_came_before_a_fault_is_kept() {
        let (documents, fault) = read("f", b"a: 1\n---\nb: [\n");
        assert_eq!(documents.len(), 1);
        let fault = fault.unwrap();
        assert_eq!((fault.place.document, fault.error_type), (1, ErrorType::Invalid));
    }

    #[test]
    fn aliases_are_followed_within_bounds() {
        let document = &documents("a: &x {k: 1}\nb: *x\n")[0];
        assert_eq!(document.root.field("a"), document.root.field("b"));
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(fault(laughs.as_bytes()).message.contains("aliases"));
        assert!(fault(b"a: &x [*x]").message.contains("alias"));
    }

    #[test]
    fn depth_and_encoding_are_bounded() {
        assert!(fault("[".repeat(100).as_bytes()).message.contains("nested"));
        assert!(fault("- ".repeat(100).as_bytes()).message.contains("nested"));
        assert_eq!(fault(b"a: 1\nb: \xff\n").place.line, 2);
        assert!(fault(b"? [a]\n: 1\n").message.contains("key"));
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let document = &documents("[~, null, '', yes, true, 007, 0x1f, 1e3, -5, 1.2.3, !!str 5, '5']")[0];
        let Value::Sequence(items) = &document.root.value else { panic!() };
        let kinds: Vec<_> = items.iter().map(Node::kind).collect();
        let (number, text) = ("a number", "a string");
        let expected = ["null", "null", text, text, "a boolean", number, number, number, number, text, text, text];
        assert_eq!(kinds, expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-{}\\[\\]&*:,?#!|>'\"a-c0-2 \n\t~%@\\\\]{0,60}") {
            read("f", text.as_bytes());
        }

        #[test]
        fn any_octets_are_read_or_refused(octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            read("f", &octets);
        }
    }
}
