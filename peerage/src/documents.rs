//! Reading the files that an operator names, before anyone looks at what they hold.
//!
//! Given paths, it yields names and bytes. It never parses.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A path that could not be read.
#[derive(Debug)]
pub(crate) struct ReadError {
    path: PathBuf,
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
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map_err(fail)?;
            files.push(("-".to_owned(), bytes));
        } else if path.is_dir() {
            for entry in manifests(path).map_err(fail)? {
                let bytes = fs::read(&entry).map_err(|error| ReadError { path: entry.clone(), error })?;
                files.push((entry.display().to_string(), bytes));
            }
        } else {
            let bytes = fs::read(path).map_err(fail)?;
            files.push((path.display().to_string(), bytes));
        }
    }
    Ok(files)
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
}
