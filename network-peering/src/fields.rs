//! Reading typed fields out of a tree, so that every fault is found at once and no field is overlooked.
//!
//! A [`Mapping`] notes which keys were asked for; [`Mapping::finish`] warns of the rest.

use std::{cell::RefCell, collections::HashSet, net::IpAddr};

use ipnet::IpNet;

use crate::{
    document::{Document, Node, Value, join},
    error::{ErrorType, InputError, Place, Warning},
    names,
    timestamp::Timestamp,
};

/// Collects what is found wrong with one document.
pub struct Sink<'a> {
    document: &'a Document,
    /// Faults so far, in the order in which they were found.
    pub errors: RefCell<Vec<InputError>>,
    /// Warnings so far, in the order in which they were found.
    pub warnings: RefCell<Vec<Warning>>,
}

impl<'a> Sink<'a> {
    /// Nothing found yet in `document`.
    pub fn new(document: &'a Document) -> Self {
        Self { document, errors: RefCell::default(), warnings: RefCell::default() }
    }

    /// Where `at` stands in the input.
    pub fn place(&self, at: &At<'_>) -> Place {
        self.document.place(at.path.clone(), at.node)
    }

    /// Notes a fault.
    pub fn error(&self, at: &At<'_>, error_type: ErrorType, message: impl Into<String>) {
        let place = self.place(at);
        self.errors.borrow_mut().push(InputError { place, error_type, message: message.into() });
    }

    /// Notes a warning.
    pub fn warn(&self, at: &At<'_>, message: impl Into<String>) {
        let place = self.place(at);
        self.warnings.borrow_mut().push(Warning { place, message: message.into() });
    }
}

/// A node with its path.
#[derive(Clone)]
pub struct At<'a> {
    /// The JSON path, empty for the document itself.
    pub path: String,
    /// What stands there.
    pub node: &'a Node,
}

impl<'a> At<'a> {
    /// The document itself.
    pub fn root(document: &'a Document) -> Self {
        Self { path: String::new(), node: &document.root }
    }

    /// The place of a key that this node lacks.
    pub fn missing(&self, key: &str) -> Self {
        Self { path: join(&self.path, key), node: self.node }
    }

    fn wrong(&self, sink: &Sink<'_>, wanted: &str) {
        sink.error(self, ErrorType::Invalid, format!("expected {wanted}, found {}", self.node.kind()));
    }

    /// A mapping; anything else is a fault.
    pub fn mapping(&self, sink: &Sink<'_>) -> Option<Mapping<'a>> {
        match &self.node.value {
            Value::Mapping(entries) => Some(Mapping { at: self.clone(), entries, asked: RefCell::default() }),
            _ => {
                self.wrong(sink, "a mapping");
                None
            }
        }
    }

    /// Text; a plain number or boolean is taken as it is written.
    pub fn string(&self, sink: &Sink<'_>) -> Option<String> {
        match &self.node.value {
            Value::String(text) | Value::Number(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            _ => {
                self.wrong(sink, "a string");
                None
            }
        }
    }

    /// `true` or `false`; anything else is a fault.
    pub fn boolean(&self, sink: &Sink<'_>) -> Option<bool> {
        match self.node.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong(sink, "true or false");
                None
            }
        }
    }

    /// A whole number within `range`.
    pub fn number(&self, range: std::ops::RangeInclusive<u32>, sink: &Sink<'_>) -> Option<u32> {
        let (low, high) = (*range.start(), *range.end());
        let Value::Number(text) = &self.node.value else {
            self.wrong(sink, &format!("a whole number from {low} to {high}"));
            return None;
        };
        let number = text.parse::<u32>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            sink.error(self, ErrorType::Invalid, format!("{text} is not a whole number from {low} to {high}"));
        }
        number
    }

    /// The items of a list; anything else is a fault and has none.
    pub fn sequence(&self, sink: &Sink<'_>) -> Vec<Self> {
        match &self.node.value {
            Value::Sequence(items) => {
                items.iter().enumerate().map(|(i, node)| At { path: format!("{}[{i}]", self.path), node }).collect()
            }
            _ => {
                self.wrong(sink, "a list");
                Vec::new()
            }
        }
    }

    /// A prefix in CIDR notation; host bits are zeroed, with a warning.
    pub fn prefix(&self, sink: &Sink<'_>) -> Option<IpNet> {
        let prefix = self.network(sink)?;
        let canonical = prefix.trunc();
        if canonical != prefix {
            sink.warn(self, format!("{prefix} has host bits set; it is read as {canonical}"));
        }
        Some(canonical)
    }

    /// An address and a length in CIDR notation.
    pub fn network(&self, sink: &Sink<'_>) -> Option<IpNet> {
        let text = self.string(sink)?;
        match parse_network(&text) {
            Some(network) => Some(network),
            None => {
                let message = format!("{text:?} is not a prefix such as 10.0.0.0/24 or 2001:db8::/32");
                sink.error(self, ErrorType::Invalid, message);
                None
            }
        }
    }

    /// One name of a closed list.
    pub fn one_of<T: Copy>(&self, names: &[(&str, T)], sink: &Sink<'_>) -> Option<T> {
        let text = self.string(sink)?;
        let found = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            sink.error(self, ErrorType::NotSupported, format!("{text:?} is not one of {}", list.join(", ")));
        }
        found
    }

    /// A DNS subdomain in lower case; anything else is a fault.
    pub fn subdomain(&self, sink: &Sink<'_>) -> Option<String> {
        self.checked(names::is_subdomain, names::SUBDOMAIN, sink)
    }

    /// A DNS label in lower case; anything else is a fault.
    pub fn label(&self, sink: &Sink<'_>) -> Option<String> {
        self.checked(names::is_label, names::LABEL, sink)
    }

    fn checked(&self, valid: fn(&str) -> bool, what: &str, sink: &Sink<'_>) -> Option<String> {
        let text = self.string(sink)?;
        if valid(&text) {
            return Some(text);
        }
        sink.error(self, ErrorType::Invalid, format!("{text:?} is not {what}"));
        None
    }

    /// A time (RFC 3339); anything else is a fault.
    pub fn timestamp(&self, sink: &Sink<'_>) -> Option<Timestamp> {
        let text = self.string(sink)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("{text:?} is not a time such as 2023-02-16T15:06:58Z (RFC 3339)");
            sink.error(self, ErrorType::Invalid, message);
        }
        parsed
    }
}

/// A mapping whose keys are read one by one.
pub struct Mapping<'a> {
    /// Where the mapping itself stands.
    pub at: At<'a>,
    entries: &'a [(String, Node)],
    asked: RefCell<HashSet<&'static str>>,
}

impl<'a> Mapping<'a> {
    /// The value of `key`; a null counts as absent.
    pub fn field(&self, key: &'static str) -> Option<At<'a>> {
        self.asked.borrow_mut().insert(key);
        let (_, node) = self.entries.iter().find(|(name, _)| name == key)?;
        (!node.is_null()).then(|| At { path: join(&self.at.path, key), node })
    }

    /// The value of `key`; without one it is a fault.
    pub fn required(&self, key: &'static str, sink: &Sink<'_>) -> Option<At<'a>> {
        let field = self.field(key);
        if field.is_none() {
            sink.error(&self.at.missing(key), ErrorType::Required, format!("{key} must be given"));
        }
        field
    }

    /// The mapping below `key`, if there is one.
    pub fn mapping(&self, key: &'static str, sink: &Sink<'_>) -> Option<Mapping<'a>> {
        self.field(key)?.mapping(sink)
    }

    /// The items of the list below `key`; none if it is absent.
    pub fn sequence(&self, key: &'static str, sink: &Sink<'_>) -> Vec<At<'a>> {
        self.field(key).map_or_else(Vec::new, |at| at.sequence(sink))
    }

    /// A required name; an empty one is missing.
    pub fn name(&self, key: &'static str, sink: &Sink<'_>) -> Option<String> {
        let at = self.required(key, sink)?;
        if at.node.text() == Some("") {
            sink.error(&at, ErrorType::Required, format!("{key} must not be empty"));
            return None;
        }
        at.subdomain(sink)
    }

    /// A name that may be missing; empty counts as missing.
    pub fn name_if_given(&self, key: &'static str, sink: &Sink<'_>) -> Option<String> {
        self.field(key).filter(|at| at.node.text() != Some(""))?.subdomain(sink)
    }

    /// Text that may be missing; empty counts as missing.
    pub fn text(&self, key: &'static str, sink: &Sink<'_>) -> Option<String> {
        self.field(key)?.string(sink).filter(|text| !text.is_empty())
    }

    /// Keys that may stand there and mean nothing to us.
    pub fn ignore(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// Every key and its value, for mappings whose keys are the user's.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + '_ {
        self.entries.iter().map(|(key, node)| (key.as_str(), At { path: format!("{}[{key}]", self.at.path), node }))
    }

    /// Warns of each key that nobody asked for.
    pub fn finish(self, sink: &Sink<'_>) {
        let asked = self.asked.into_inner();
        for (key, node) in self.entries {
            if !asked.contains(key.as_str()) {
                let at = At { path: join(&self.at.path, key), node };
                sink.warn(&at, format!("the field {key} is unknown and is ignored"));
            }
        }
    }
}

/// An address and a length. Leading zeros are refused: some read them as octal, and a prefix must mean one thing.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let plain = address.parse::<IpAddr>().is_ok() && (length == "0" || !length.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}
