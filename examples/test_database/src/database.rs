//! A database that belongs to one test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use asyncdrop::{AsyncDrop, AsyncDropGuard, Reaped, ReaperHandle, async_trait};
use tokio_postgres::Client;

use crate::server::connect;

// ANCHOR: create
/// A database on a server that other tests use as well.
#[derive(Debug)]
pub struct TestDatabase {
    /// The folder of the server.
    server: PathBuf,
    name: String,
    /// Creates the database, and drops it.
    admin: Option<Client>,
    client: Option<Client>,
}

impl TestDatabase {
    /// Creates the database and its tables.
    pub async fn create(
        reaper: &ReaperHandle,
        server: &Path,
        migrations: &[&str],
    ) -> anyhow::Result<Reaped<Self>> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Again the guard comes first. This can be cancelled while the server creates the database.
        let mut database = reaper.adopt(AsyncDropGuard::new(Self {
            server: server.to_owned(),
            name: format!("test_{number}"),
            admin: None,
            client: None,
        }));
        let create = format!("CREATE DATABASE {}", database.name);
        let admin = database.admin.insert(connect(server, "postgres").await?);
        admin.batch_execute(&create).await?;
        let client = connect(server, &database.name).await?;
        for migration in migrations {
            client.batch_execute(migration).await?;
        }
        database.client = Some(client);
        Ok(database)
    }
}
// ANCHOR_END: create

impl TestDatabase {
    /// A connection for the test itself.
    pub fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("`create` made it")
    }

    /// A further connection, as the code under test would open one.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        connect(&self.server, &self.name).await
    }

    /// The names of the databases of tests that the server has at the moment.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub async fn all(server: &Path) -> Result<Vec<String>, tokio_postgres::Error> {
        let query =
            "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%' ORDER BY datname";
        let rows = connect(server, "postgres").await?.query(query, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

// ANCHOR: cleanup
#[async_trait]
impl AsyncDrop for TestDatabase {
    type Error = tokio_postgres::Error;

    async fn async_drop_impl(&mut self) -> Result<(), tokio_postgres::Error> {
        if let Some(admin) = &self.admin {
            // The server may still be creating the database for a test that was cancelled.
            // On the same connection this comes after it, and waits.
            // And the code under test may have connections of its own.
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            admin.batch_execute(&drop).await?;
        }
        Ok(())
    }
}
// ANCHOR_END: cleanup
