//! A SQLite file that belongs to one test.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use asyncdrop::{AsyncDrop, AsyncDropGuard, Reaped, ReaperHandle, async_trait};
use rusqlite::Connection;

use crate::{delete_folder, unused_path};

// ANCHOR: create
/// A SQLite file, in a folder of its own because SQLite puts its journal beside it.
#[derive(Debug)]
pub struct TestDatabase {
    folder: PathBuf,
    connection: Option<Connection>,
}

impl TestDatabase {
    /// Creates the file and its tables.
    ///
    /// It blocks the thread, for which a test of its own is no bad place.
    #[track_caller]
    pub fn create(reaper: &ReaperHandle, migrations: &[&str]) -> anyhow::Result<Reaped<Self>> {
        // The guard comes before the file, so that no way out of here leaves a file behind.
        let mut database = reaper.adopt(AsyncDropGuard::new(Self {
            folder: unused_path(),
            connection: None,
        }));
        fs::create_dir(&database.folder)?;
        let connection = Connection::open(database.path())?;
        let connection = database.connection.insert(connection);
        for migration in migrations {
            connection.execute_batch(migration)?;
        }
        Ok(database)
    }
}
// ANCHOR_END: create

impl TestDatabase {
    /// Where the code under test finds the database.
    pub fn path(&self) -> PathBuf {
        self.folder.join("test.sqlite")
    }

    /// The folder that will be gone after the test.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A connection for the test itself.
    pub fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("`create` opened it")
    }
}

// ANCHOR: cleanup
#[async_trait]
impl AsyncDrop for TestDatabase {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        // An error while closing does not matter to a file that is deleted next.
        self.connection = None;
        delete_folder(&self.folder).await
    }
}
// ANCHOR_END: cleanup
