//! What was compiled is kept until something changes that it was made of. What runs, runs each time.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Removes the folders in `folder` that nothing is kept in any more.
///
/// # Errors
///
/// When `folder` cannot be read, or one of them not removed.
pub fn forget_all_but(current: &BTreeSet<PathBuf>, folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let kept = entry?.path();
        if kept.is_dir() && !current.contains(&kept) {
            fs::remove_dir_all(kept)?;
        }
    }
    Ok(())
}

/// A folder for what was made of something.
///
/// What it was made of is in there, too, word for word, and written last: where it differs, or lacks, all is made again.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    made_of: String,
}

impl Kept {
    /// The folder does not have to exist.
    pub fn new(folder: PathBuf, made_of: String) -> Self {
        Self { folder, made_of }
    }

    /// Whether all of it is there, made of the same.
    pub fn is_current(&self) -> bool {
        fs::read_to_string(self.list()).is_ok_and(|made_of| made_of == self.made_of)
    }

    /// An empty folder.
    ///
    /// # Errors
    ///
    /// When it cannot be emptied or made.
    pub fn begin(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&self.folder)
    }

    /// From now on it is current.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn finish(&self) -> io::Result<()> {
        fs::write(self.list(), &self.made_of)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn list(&self) -> PathBuf {
        self.folder.join("made of")
    }
}
