//! A PostgreSQL database that belongs to one test, and a server for such databases.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropWeak, Reaped, ReaperHandle, async_trait,
};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::sleep;
use tokio_postgres::{Client, Config, NoTls};

use crate::{delete_folder, unused_path};

/// The user that has no rights. PostgreSQL refuses to be run by root.
const NOBODY: u32 = 65534;

/// The folder with `initdb` and `postgres`, if they are installed.
pub fn installed() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = debian.flatten().map(|version| version.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    debian
        .chain(env::split_paths(&path))
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

// ANCHOR: process
/// The processes of a server, and the folder that holds its data, its socket and its log.
#[derive(Debug)]
pub struct Process {
    programs: PathBuf,
    folder: PathBuf,
    /// What runs in the folder at the moment: first `initdb`, then `postgres`.
    running: Mutex<Option<Child>>,
}

#[async_trait]
impl AsyncDrop for Process {
    type Error = anyhow::Error;

    async fn async_drop_impl(&mut self) -> anyhow::Result<()> {
        if let Some(child) = self.running.get_mut() {
            // None once it was waited for.
            if let Some(id) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
                // "Fast shutdown": the server ends its sessions, writes what it has to, and exits.
                kill_process(id, Signal::INT)?;
            }
            child.wait().await?;
        }
        Ok(delete_folder(&self.folder).await?)
    }
}
// ANCHOR_END: process

impl Process {
    async fn start(&self) -> anyhow::Result<()> {
        // Only its owner gets into the folder, and so to the socket: there is no need for a password.
        DirBuilder::new().mode(0o700).create(&self.folder)?;
        if geteuid().is_root() {
            chown(&self.folder, Some(NOBODY), Some(NOBODY))?;
        }
        let mut running = self.running.lock().await;
        let initdb = self.command(
            "initdb",
            &["--auth=trust", "--username=postgres", "--no-sync"],
        );
        let initdb = running.insert(initdb?.spawn()?);
        ensure!(initdb.wait().await?.success(), "initdb:\n{}", self.log());

        let folder = self
            .folder
            .to_str()
            .context("the folder's name is not UTF-8")?;
        // No port that could be taken already: only a socket in the folder.
        let postgres = self.command("postgres", &["-F", "-h", "", "-k", folder]);
        let postgres = running.insert(postgres?.spawn()?);
        while let Err(error) = self.connect("postgres").await {
            if postgres.try_wait()?.is_some() {
                bail!("postgres: {error}\n{}", self.log());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn command(&self, program: &str, args: &[&str]) -> anyhow::Result<Command> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))?;
        let mut command = Command::new(self.programs.join(program));
        command.arg("-D").arg(self.folder.join("data")).args(args);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        command.kill_on_drop(true);
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(command)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    async fn connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = Config::new();
        config
            .host_path(&self.folder)
            .user("postgres")
            .dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        // This task ends when the client is dropped.
        tokio::spawn(connection);
        Ok(client)
    }
}

// ANCHOR: server
/// A server. It runs until this and the last of its databases are gone.
#[derive(Debug)]
pub struct Server {
    process: Reaped<AsyncDropArc<Process>>,
    /// For more owners of the process.
    shared: AsyncDropWeak<Process>,
}

impl Server {
    pub async fn start(reaper: &ReaperHandle, programs: &Path) -> anyhow::Result<Self> {
        // Again the guard comes first. This can be canceled while `initdb` runs.
        let process = AsyncDropArc::new(AsyncDropGuard::new(Process {
            programs: programs.to_owned(),
            folder: unused_path(),
            running: Mutex::new(None),
        }));
        let shared = AsyncDropArc::downgrade(&process);
        let process = reaper.adopt(process);
        process.start().await?;
        Ok(Self { process, shared })
    }
}
// ANCHOR_END: server

impl Server {
    /// The folder that will be gone after the last database.
    pub fn folder(&self) -> &Path {
        &self.process.folder
    }

    /// The names of the databases of tests that the server has.
    pub async fn databases(&self) -> anyhow::Result<Vec<String>> {
        let query = "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'";
        let client = self.process.connect("postgres").await?;
        let rows = client.query(query, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

// ANCHOR: database
/// A database on a [`Server`]. It is an owner of the server, which so cannot stop before.
#[derive(Debug)]
pub struct TestDatabase {
    server: AsyncDropGuard<AsyncDropArc<Process>>,
    name: String,
    dropped: bool,
    client: Option<Client>,
}

impl TestDatabase {
    /// Creates the database and its tables.
    pub async fn create(
        reaper: &ReaperHandle,
        server: &Server,
        migrations: &[&str],
    ) -> anyhow::Result<Reaped<Self>> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut database = reaper.adopt(AsyncDropGuard::new(Self {
            server: server.shared.upgrade().context("the server is gone")?,
            name: format!("test_{number}"),
            dropped: false,
            client: None,
        }));
        let create = format!("CREATE DATABASE {}", database.name);
        let admin = database.server.connect("postgres").await?;
        admin.batch_execute(&create).await?;
        let client = database.server.connect(&database.name).await?;
        for migration in migrations {
            client.batch_execute(migration).await?;
        }
        database.client = Some(client);
        Ok(database)
    }
}
// ANCHOR_END: database

impl TestDatabase {
    /// A connection for the test itself.
    pub fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("`create` made it")
    }

    async fn drop_database(&mut self) -> anyhow::Result<()> {
        if !self.dropped {
            // Perhaps nothing of `create` has happened yet.
            // And the code under test may have connections of its own.
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            let admin = self.server.connect("postgres").await?;
            admin.batch_execute(&drop).await?;
            self.dropped = true;
        }
        Ok(())
    }
}

// ANCHOR: cleanup
#[async_trait]
impl AsyncDrop for TestDatabase {
    type Error = anyhow::Error;

    async fn async_drop_impl(&mut self) -> anyhow::Result<()> {
        let dropped = self.drop_database().await;
        // Whether that worked or not. The last owner of the server stops it here.
        let stopped = self.server.async_drop().await;
        match (dropped, stopped) {
            (Err(dropped), Err(stopped)) => bail!("{dropped:#}, and then {stopped:#}"),
            (dropped, stopped) => dropped.and(stopped),
        }
    }
}
// ANCHOR_END: cleanup
