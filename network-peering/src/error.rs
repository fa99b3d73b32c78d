//! What is wrong with the input, said so that the user finds the place and knows what to do.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// The type of an [`InputError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ErrorType {
    /// A field that must be given is missing.
    Required,
    /// A value that cannot be what the field means.
    Invalid,
    /// Something that may be there once is there again.
    Duplicate,
    /// A value that is well formed but not allowed here.
    Forbidden,
    /// A value that is not one of a closed list.
    NotSupported,
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Where something stands in the input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as the user named it; `-` for standard input.
    pub file: Arc<str>,
    /// The document's index in the file, from 0; empty documents count.
    pub document: usize,
    /// The JSON path inside the document, such as `spec.peerings[0].name`; empty for the document itself.
    pub path: String,
    /// The line in the file, from 1; 0 if it is not known.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: document {}", self.file, self.line, self.document)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.path) }
    }
}

/// One fault of the input. One fault anywhere means that nothing is applied.
///
/// Serialised, it has the fields `path`, `type`, `message`, `file` and `document`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// Where it is.
    pub place: Place,
    /// What kind of fault it is.
    pub error_type: ErrorType,
    /// A sentence that says what is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.error_type, self.message)
    }
}

impl std::error::Error for InputError {}

impl Serialize for InputError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("InputError", 5)?;
        fields.serialize_field("path", &self.place.path)?;
        fields.serialize_field("type", &self.error_type)?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("file", &*self.place.file)?;
        fields.serialize_field("document", &self.place.document)?;
        fields.end()
    }
}

/// Something that was accepted but is probably not what the user meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it is.
    pub place: Place,
    /// A sentence that says what was done with it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: warning: {}", self.place, self.message)
    }
}
