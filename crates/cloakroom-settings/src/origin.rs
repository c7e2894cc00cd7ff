//! Where a setting stands.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A file and a line, a line of a text, or a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    source: Arc<Source>,
    line: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Source {
    File { path: PathBuf, folder: PathBuf },
    Text { folder: PathBuf },
    Variable { name: String, folder: PathBuf },
}

impl Origin {
    pub(crate) fn file(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let path = path.to_owned();
        Self::new(Source::File { path, folder })
    }

    pub(crate) fn text(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self::new(Source::Text { folder })
    }

    pub(crate) fn variable(name: &str, folder: &Path) -> Self {
        let (name, folder) = (name.to_owned(), folder.to_owned());
        Self::new(Source::Variable { name, folder })
    }

    fn new(source: Source) -> Self {
        let source = Arc::new(source);
        Self { source, line: 0 }
    }

    /// The same source at a line, counted from 1.
    pub(crate) fn at(&self, line: usize) -> Self {
        let source = Arc::clone(&self.source);
        Self { source, line }
    }

    pub(crate) fn line(&self) -> usize {
        self.line
    }

    pub(crate) fn is_variable(&self) -> bool {
        matches!(*self.source, Source::Variable { .. })
    }

    /// What relative paths are relative to.
    pub(crate) fn folder(&self) -> &Path {
        match &*self.source {
            Source::File { folder, .. }
            | Source::Text { folder }
            | Source::Variable { folder, .. } => folder,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.source, self.line) {
            (Source::File { path, .. }, 0) => write!(f, "{}", path.display()),
            (Source::File { path, .. }, line) => write!(f, "{}:{line}", path.display()),
            (Source::Text { .. }, 0) => f.write_str("the text"),
            (Source::Text { .. }, line) => write!(f, "line {line}"),
            (Source::Variable { name, .. }, _) => f.write_str(name),
        }
    }
}
