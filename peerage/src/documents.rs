//! The files that an operator names: what is in them, and whether it holds together.
//!
//! Given paths, [`read`] yields names and bytes and [`parse`] the documents in them; [`check`] tells what they mean, or
//! every fault they have. Nothing is kept and nothing applied here.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use network_peering::{Document, ErrorType, InputError, MAX_OCTETS, State, Warning, World};

use crate::config::{self, Settings};

/// A path that could not be read.
#[derive(Debug)]
pub(crate) struct ReadError {
    pub(crate) path: PathBuf,
    error: io::Error,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// The files behind `paths`, in their order: a directory stands for its `*.yaml`, `*.yml` and `*.json` in name order,
/// not recursively, and `-` for standard input.
///
/// # Errors
/// The first path that cannot be read.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        let fail = |error| ReadError { path: path.clone(), error };
        if path == Path::new("-") {
            files.push(("-".to_owned(), bounded(io::stdin()).map_err(fail)?));
        } else if path.is_dir() {
            for entry in manifests(path).map_err(fail)? {
                let bytes = read_file(&entry).map_err(|error| ReadError { path: entry.clone(), error })?;
                files.push((entry.display().to_string(), bytes));
            }
        } else {
            let bytes = read_file(path).map_err(fail)?;
            files.push((path.display().to_string(), bytes));
        }
    }
    Ok(files)
}

/// The octets of a file, but no more than show that it is too large: what is read, and where that ends, is for [`parse`] to say.
///
/// # Errors
/// What the system says.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    bounded(fs::File::open(path)?)
}

/// As [`read_file`], from anything.
///
/// # Errors
/// What the system says.
pub(crate) fn bounded(reader: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_OCTETS as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn manifests(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let wanted =
            path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|wanted| extension == *wanted));
        if wanted && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Documents as they came, with the faults that kept some from being read at all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Documents {
    /// In the order of the files.
    pub(crate) documents: Vec<Document>,
    /// Faults that end a file early, each with the number of documents that come before it.
    pub(crate) broken: Vec<(usize, InputError)>,
}

impl Documents {
    /// Puts what `others` holds behind what is here.
    pub(crate) fn append(&mut self, others: Self) {
        let before = self.documents.len();
        self.documents.extend(others.documents);
        self.broken.extend(others.broken.into_iter().map(|(at, fault)| (before + at, fault)));
    }
}

/// The documents in some files.
pub(crate) fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Documents {
    let mut all = Documents::default();
    for (name, bytes) in files {
        let (documents, fault) = network_peering::read(name, bytes);
        let broken = fault.map(|fault| (documents.len(), fault)).into_iter().collect();
        all.append(Documents { documents, broken });
    }
    all
}

/// What documents say once they are found to be in order.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) world: World,
    /// What the `Speaker` document says, if there is one.
    pub(crate) settings: Option<Settings>,
}

/// Checks documents, each for itself and all of them together.
///
/// # Errors
/// Every fault, in the order of the documents. The warnings come in either case.
pub(crate) fn check(documents: &Documents, state: &State) -> (Result<Checked, Vec<InputError>>, Vec<Warning>) {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let mut settings: Option<(Settings, &Document)> = None;
    let mut manifests = Vec::new();
    let mut order = Vec::new();
    for document in &documents.documents {
        order.push((document.file.clone(), document.index));
        if !config::is_speaker(document) {
            manifests.push(document.clone());
            continue;
        }
        let (read, warned) = config::read(document);
        warnings.extend(warned);
        match (read, &settings) {
            (Err(faults), _) => errors.extend(faults),
            (Ok(read), None) => settings = Some((read, document)),
            (Ok(_), Some((_, first))) if first.root == document.root => {}
            (Ok(_), Some((_, first))) => errors.push(InputError {
                place: document.place("metadata.name", document.root.field("metadata").unwrap_or(&document.root)),
                error_type: ErrorType::Duplicate,
                message: format!("one process runs one Speaker; another is document {} of {}", first.index, first.file),
            }),
        }
    }
    let world = match network_peering::assemble(&manifests, state) {
        Ok(world) => Some(world),
        Err(faults) => {
            errors.extend(faults);
            None
        }
    };
    // The fault that ends a file stands between the documents before and behind it.
    let position = |error: &InputError| {
        let found = order.iter().position(|(file, index)| *file == error.place.file && *index == error.place.document);
        2 * found.unwrap_or(order.len()) + 1
    };
    let mut errors: Vec<_> = errors.into_iter().map(|error| (position(&error), error)).collect();
    errors.extend(documents.broken.iter().map(|(before, fault)| (2 * before, fault.clone())));
    errors.sort_by_key(|(position, _)| *position);
    let errors: Vec<_> = errors.into_iter().map(|(_, error)| error).collect();
    match world {
        Some(world) if errors.is_empty() => {
            warnings.extend(world.warnings.iter().cloned());
            let settings = settings.map(|(settings, _)| settings);
            (Ok(Checked { world, settings }), warnings)
        }
        _ => (Err(errors), warnings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stands_for_its_manifests_in_name_order() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yaml", "c.json", "notes.txt"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        fs::create_dir(directory.path().join("d.yaml")).unwrap();
        let files = read(&[directory.path().to_owned()]).unwrap();
        let contents: Vec<_> = files.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
        assert_eq!(contents, ["a.yaml", "b.yml", "c.json"]);
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = read(&["/nonexistent/x.yaml".into()]).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/x.yaml: "), "{error}");
    }

    #[test]
    fn faults_come_in_the_order_of_the_documents_whatever_they_are() {
        let files = [("1", "id: a\nvrf: x\n---\nb: [\n"), ("2", ": ]["), ("3", "kind: Pod\n")];
        let parsed = parse(files.map(|(name, text)| (name, text.as_bytes())));
        let (checked, _) = check(&parsed, &State::default());
        let places: Vec<_> =
            checked.unwrap_err().iter().map(|error| (error.place.file.to_string(), error.place.document)).collect();
        assert_eq!(places, [("1".into(), 0), ("1".into(), 1), ("2".into(), 0), ("3".into(), 0)]);
    }
}
