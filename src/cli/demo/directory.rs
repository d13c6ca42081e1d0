//! The demo's data directory: a fresh one that is removed at the end, or one to keep.

use std::io;
use std::path::{Path, PathBuf};

/// Tries for a name that nobody has: the process id alone may be of an earlier boot.
const TRIES_MAX: u32 = 100;

/// A directory; a fresh one goes with this value.
pub(super) struct Directory {
    path: PathBuf,
    is_fresh: bool,
}

impl Directory {
    /// `kept`, made if it is not there, or else a fresh one among the temporary files. It holds
    /// keys, so nobody else may read a fresh one.
    ///
    /// # Errors
    /// If no fresh one can be made.
    pub(super) fn make(kept: Option<&Path>) -> io::Result<Self> {
        if let Some(kept) = kept {
            return Ok(Self { path: kept.to_owned(), is_fresh: false });
        }
        for number in 0..TRIES_MAX {
            let name = format!("heliograph-demo-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match make_private(&path) {
                Ok(()) => return Ok(Self { path, is_fresh: true }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no free name for a temporary directory"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.is_fresh {
            // What cannot be removed is among the temporary files, where things get cleared away.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_one_goes_and_a_kept_one_stays() {
        let (first, second) = (Directory::make(None).unwrap(), Directory::make(None).unwrap());
        assert_ne!(first.path(), second.path());
        let path = first.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(first);
        assert!(!path.exists());
        let kept = tempfile::tempdir().unwrap();
        drop(Directory::make(Some(kept.path())).unwrap());
        assert!(kept.path().exists());
    }
}
