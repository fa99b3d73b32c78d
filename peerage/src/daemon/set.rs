//! The documents that a daemon stands on: those of its files and, over them, those that were applied.
//!
//! Given documents, it says which of them are in force. An applied document stands in for a file's document of the same
//! identity until that file says something new. It reads no file and checks no meaning.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use network_peering::{DEFAULT_NAMESPACE, Document, Node};
use serde::{Deserialize, Serialize};

use crate::api::schema::File;
use crate::documents::{self, Documents};

/// What one document is told apart by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Identity {
    /// The group of `apiVersion`.
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Identity {
    /// What `document` is told apart by; empty words where it does not say.
    pub(crate) fn of(document: &Document) -> Self {
        let word = |node: Option<&Node>| node.and_then(Node::text).unwrap_or_default().to_owned();
        let root = &document.root;
        let metadata = |key| word(root.field("metadata").and_then(|metadata| metadata.field(key)));
        let api_version = word(root.field("apiVersion"));
        let (group, kind, name) = if api_version.is_empty() && root.field("id").is_some() {
            ("metal-stack.io".to_owned(), "Network".to_owned(), word(root.field("id")))
        } else {
            let group = api_version.split('/').next().unwrap_or_default().to_owned();
            (group, word(root.field("kind")), metadata("name"))
        };
        let namespace = Some(metadata("namespace")).filter(|namespace| !namespace.is_empty());
        Self { group, kind, namespace: namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()), name }
    }

    /// Whether this is the metal-stack `Peering` of this name, which is `NAME` or `NAMESPACE/NAME`.
    pub(crate) fn is_peering(&self, name: &str) -> bool {
        let (namespace, name) = name.split_once('/').unwrap_or((DEFAULT_NAMESPACE, name));
        self.group == "metal-stack.io" && self.kind == "Peering" && self.namespace == namespace && self.name == name
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// A text that was applied, and which of its documents still stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppliedFile {
    name: String,
    text: String,
    /// Indexes of documents, from 0.
    standing: Vec<usize>,
}

/// What an `apply` makes of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Result {
    Created,
    Configured,
    Unchanged,
    Deleted,
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        })
    }
}

/// The documents of the files and the applied ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct DocumentSet {
    files: Documents,
    applied: Vec<AppliedFile>,
}

impl DocumentSet {
    /// Files, and what was applied in an earlier run.
    pub(crate) fn new(files: Documents, applied: Vec<AppliedFile>) -> Self {
        Self { files, applied }
    }

    /// The applied texts, to be kept.
    pub(crate) fn applied(&self) -> &[AppliedFile] {
        &self.applied
    }

    /// The documents in force: applied ones, and of the files' those that no applied one stands in for.
    pub(crate) fn in_force(&self) -> Documents {
        let applied: Vec<Document> = self.applied.iter().flat_map(AppliedFile::documents).collect();
        let replaced: HashSet<_> = applied.iter().map(Identity::of).collect();
        let from_files = self.files.documents.iter().filter(|document| !replaced.contains(&Identity::of(document)));
        Documents { documents: from_files.cloned().chain(applied).collect(), broken: self.files.broken.clone() }
    }

    /// The file documents that an applied one stands in for.
    pub(crate) fn shadowed(&self) -> Vec<(Identity, &Document)> {
        let applied: HashSet<_> =
            self.applied.iter().flat_map(AppliedFile::documents).map(|document| Identity::of(&document)).collect();
        let files = self.files.documents.iter().map(|document| (Identity::of(document), document));
        files.filter(|(identity, _)| applied.contains(identity)).collect()
    }

    /// Puts other files in the place of the present ones. Where a file's document is new or differs from what it was,
    /// it is the latest word, and the applied one that stood in for it goes.
    pub(crate) fn replace_files(&mut self, files: Documents) {
        for document in &files.documents {
            let identity = Identity::of(document);
            let before = self.files.documents.iter().find(|before| Identity::of(before) == identity);
            if before.is_none_or(|before| before.root != document.root) {
                self.drop_applied(&identity);
            }
        }
        self.files = files;
    }

    /// Adds texts over what stands, and says what becomes of each of their documents. Faults in the texts themselves
    /// come back as documents that could not be read.
    pub(crate) fn apply(&mut self, texts: Vec<File>) -> (Vec<(Identity, Result)>, Documents) {
        let mut results = Vec::new();
        let mut given = Documents::default();
        let before = self.in_force().documents.into_iter();
        let before: HashMap<_, _> = before.map(|document| (Identity::of(&document), document.root)).collect();
        for File { name, text } in texts {
            let parsed = documents::parse([(name.as_str(), text.as_bytes())]);
            let mut standing = Vec::new();
            for document in &parsed.documents {
                if document.root.is_null() {
                    continue;
                }
                let identity = Identity::of(document);
                let result = match before.get(&identity) {
                    Some(before) if *before == document.root => Result::Unchanged,
                    Some(_) => Result::Configured,
                    None => Result::Created,
                };
                if result != Result::Unchanged {
                    self.drop_applied(&identity);
                    standing.push(document.index);
                }
                results.push((identity, result));
            }
            if !standing.is_empty() {
                self.applied.push(AppliedFile { name, text, standing });
            }
            given.append(parsed);
        }
        (results, given)
    }

    /// Removes an applied document. `Err` is the file's document that stays in force under that identity; `Ok(None)`:
    /// there is none at all.
    pub(crate) fn delete(
        &mut self,
        wanted: impl Fn(&Identity) -> bool,
    ) -> std::result::Result<Option<Identity>, Document> {
        let in_file = self.files.documents.iter().find(|document| wanted(&Identity::of(document)));
        if let Some(document) = in_file {
            return Err(document.clone());
        }
        let documents = self.applied.iter().flat_map(AppliedFile::documents);
        let found = documents.map(|document| Identity::of(&document)).find(wanted);
        if let Some(identity) = &found {
            self.drop_applied(identity);
        }
        Ok(found)
    }

    /// Puts other applied texts in the place of the present ones, and says what becomes of each document that differs.
    pub(crate) fn replace_applied(&mut self, applied: Vec<AppliedFile>) -> Vec<(Identity, Result)> {
        let roots = |set: &Self| -> BTreeMap<Identity, Node> {
            set.in_force().documents.into_iter().map(|document| (Identity::of(&document), document.root)).collect()
        };
        let before = roots(self);
        self.applied = applied;
        let after = roots(self);
        let mut results: Vec<(Identity, Result)> = Vec::new();
        for identity in before.keys().filter(|identity| !after.contains_key(identity)) {
            results.push((identity.clone(), Result::Deleted));
        }
        for (identity, root) in after {
            match before.get(&identity) {
                Some(known) if *known == root => {}
                Some(_) => results.push((identity, Result::Configured)),
                None => results.push((identity, Result::Created)),
            }
        }
        results
    }

    fn drop_applied(&mut self, identity: &Identity) {
        for file in &mut self.applied {
            let gone: Vec<usize> = file
                .documents()
                .filter(|document| Identity::of(document) == *identity)
                .map(|document| document.index)
                .collect();
            file.standing.retain(|index| !gone.contains(index));
        }
        self.applied.retain(|file| !file.standing.is_empty());
    }
}

impl AppliedFile {
    fn documents(&self) -> impl Iterator<Item = Document> + '_ {
        let parsed = documents::parse([(self.name.as_str(), self.text.as_bytes())]);
        parsed.documents.into_iter().filter(|document| self.standing.contains(&document.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File { name: name.to_owned(), text: text.to_owned() }
    }

    fn peering(name: &str, network2: &str) -> String {
        format!(
            "apiVersion: metal-stack.io/v1\nkind: Peering\nmetadata: {{name: {name}}}\nspec: {{network1: a, network2: {network2}}}\n"
        )
    }

    fn set(text: &str) -> DocumentSet {
        DocumentSet::new(documents::parse([("base.yaml", text.as_bytes())]), Vec::new())
    }

    fn in_force(set: &DocumentSet) -> Vec<String> {
        let documents = set.in_force().documents;
        documents.iter().map(|document| format!("{} of {}", Identity::of(document), document.file)).collect()
    }

    #[test]
    fn an_applied_document_stands_in_for_the_files_until_the_file_changes() {
        let mut set = set(&peering("p", "b"));
        let (results, _) = set.apply(vec![file("new.yaml", &peering("p", "c"))]);
        assert_eq!(results[0].1, Result::Configured);
        assert_eq!(in_force(&set), ["Peering default/p of new.yaml"]);
        assert_eq!(set.shadowed().len(), 1);

        set.replace_files(documents::parse([("base.yaml", peering("p", "b").as_bytes())]));
        assert_eq!(in_force(&set), ["Peering default/p of new.yaml"]);
        set.replace_files(documents::parse([("base.yaml", peering("p", "d").as_bytes())]));
        assert_eq!(in_force(&set), ["Peering default/p of base.yaml"]);
    }

    #[test]
    fn applying_what_stands_changes_nothing() {
        let mut set = set(&peering("p", "b"));
        let (results, _) = set.apply(vec![file("again.yaml", &peering("p", "b"))]);
        assert_eq!(results[0].1, Result::Unchanged);
        assert!(set.applied().is_empty());
    }

    #[test]
    fn only_what_was_applied_can_be_deleted() {
        let mut set = set(&peering("p", "b"));
        set.apply(vec![file("two.yaml", &format!("{}---\n{}", peering("q", "c"), peering("r", "d")))]);
        assert!(set.delete(|identity| identity.is_peering("p")).is_err());
        assert!(set.delete(|identity| identity.is_peering("q")).unwrap().is_some());
        assert!(set.delete(|identity| identity.is_peering("q")).unwrap().is_none());
        assert_eq!(in_force(&set), ["Peering default/p of base.yaml", "Peering default/r of two.yaml"]);
    }

    #[test]
    fn a_bare_network_and_one_of_metal_stack_are_told_apart_by_id() {
        let documents = documents::parse([(
            "n.yaml",
            b"id: internet\nvrf: 5\n---\napiVersion: metal-stack.io/v1\nkind: Network\nmetadata: {name: internet}\n"
                .as_slice(),
        )]);
        let identities: Vec<_> = documents.documents.iter().map(Identity::of).collect();
        assert_eq!(identities[0], identities[1]);
        assert_eq!(identities[0].to_string(), "Network default/internet");
    }
}
