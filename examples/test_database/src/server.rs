//! The server, from `initdb` until its folder is deleted.

use std::collections::hash_map::RandomState;
use std::env;
use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use asyncdrop::{AsyncDrop, AsyncDropGuard, Reaped, ReaperHandle, async_trait};
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Client, Config, NoTls};

/// The user that has no rights. PostgreSQL refuses to be run by root.
const NOBODY: u32 = 65534;

/// How long a process may take to stop when it is told to. After that it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// For how long we try to delete a folder into which something still writes.
const DELETE_LIMIT: Duration = Duration::from_secs(5);

/// How long we wait before we try something again.
const PAUSE: Duration = Duration::from_millis(20);

/// The folder with `initdb` and `postgres`, if they are installed.
pub fn installed() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = debian.flatten().map(|version| version.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    debian
        .chain(env::split_paths(&path))
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

// ANCHOR: server
/// A server, and the folder that holds its data, its socket and its log.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    folder: PathBuf,
    /// What runs in the folder at the moment: first `initdb`, then `postgres`.
    running: Option<Child>,
    /// It has started, so it has to be shut down in order.
    serves: bool,
    /// It did not stop when it was told to.
    killed: bool,
}

impl Server {
    pub async fn start(reaper: &ReaperHandle, programs: &Path) -> anyhow::Result<Reaped<Self>> {
        // The guard comes before the folder, so that no path leaves anything behind.
        let mut server = reaper.adopt(AsyncDropGuard::new(Self {
            programs: programs.to_owned(),
            folder: unused_path(),
            running: None,
            serves: false,
            killed: false,
        }));
        server.create_files().await?;
        server.run().await?;
        server.serves = true;
        Ok(server)
    }
}
// ANCHOR_END: server

impl Server {
    /// Where its socket is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    async fn create_files(&mut self) -> anyhow::Result<()> {
        // Only its owner gets into the folder, and so to the socket: there is no need for a password.
        DirBuilder::new().mode(0o700).create(&self.folder)?;
        if geteuid().is_root() {
            chown(&self.folder, Some(NOBODY), Some(NOBODY))?;
        }
        let args = ["--auth=trust", "--username=postgres", "--no-sync"];
        let ended = self.spawn("initdb", &args)?.wait().await?;
        ensure!(ended.success(), "initdb: {ended}\n{}", self.log());
        Ok(())
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let folder = self.folder.clone();
        let socket = folder.to_str().context("the folder's name is not UTF-8")?;
        // No port that could be taken already: only a socket in the folder.
        self.spawn("postgres", &["-F", "-h", "", "-k", socket])?;
        while let Err(error) = connect(&folder, "postgres").await {
            let postgres = self.running.as_mut().expect("it was spawned");
            if let Some(ended) = postgres.try_wait()? {
                bail!("postgres: {ended}: {error}\n{}", self.log());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    fn spawn(&mut self, program: &str, args: &[&str]) -> anyhow::Result<&mut Child> {
        let log = self.folder.join("log");
        let log = File::options().create(true).append(true).open(log)?;
        let path = self.programs.join(program);
        let mut command = Command::new(&path);
        command.arg("-D").arg(self.folder.join("data")).args(args);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        // A group of its own: Ctrl-C is for us, and we stop it when no test needs it.
        command.process_group(0).kill_on_drop(true);
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let child = command.spawn();
        let child = child.with_context(|| format!("cannot run {}", path.display()))?;
        Ok(self.running.insert(child))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

// ANCHOR: cleanup
#[async_trait]
impl AsyncDrop for Server {
    type Error = anyhow::Error;

    async fn async_drop_impl(&mut self) -> anyhow::Result<()> {
        let stopped = self.stop().await;
        // Whether that worked or not.
        let deleted = delete_folder(&self.folder).await;
        let deleted = deleted.with_context(|| format!("cannot delete {}", self.folder.display()));
        match (stopped, deleted) {
            (Err(stopped), Err(deleted)) => bail!("{stopped:#}, and {deleted:#}"),
            (stopped, deleted) => stopped.and(deleted),
        }
    }
}

impl Server {
    async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(child) = &mut self.running
            // None once it was waited for.
            && let Some(id) = child.id().and_then(|id| Pid::from_raw(id as i32))
        {
            if self.serves {
                // "Fast shutdown": the server ends its sessions, writes what it has to, and exits.
                let told = kill_process(id, Signal::INT);
                match timeout(STOP_LIMIT, child.wait()).await {
                    Ok(ended) => ended.map(drop).and(told.map_err(Into::into))?,
                    // Noted down before the next `.await`, where an interruption would lose it.
                    Err(_elapsed) => self.killed = true,
                }
            }
            if child.id().is_some() {
                // It still runs, so we kill it with all its children.
                kill_process_group(id, Signal::KILL)?;
                child.wait().await?;
            }
        }
        ensure!(!self.killed, "it ran on for {STOP_LIMIT:?}, and was killed");
        Ok(())
    }
}
// ANCHOR_END: cleanup

/// A connection to a database of the server in that folder.
pub(crate) async fn connect(
    folder: &Path,
    database: &str,
) -> Result<Client, tokio_postgres::Error> {
    let mut config = Config::new();
    config.host_path(folder).user("postgres").dbname(database);
    let (client, connection) = config.connect(NoTls).await?;
    // This task ends when the client is dropped. What fails on the connection, fails in the client.
    tokio::spawn(connection);
    Ok(client)
}

/// A path in the folder for temporary files at which there is nothing yet.
fn unused_path() -> PathBuf {
    // Every `RandomState` begins with keys of its own, so that this is a random number.
    let random = RandomState::new().build_hasher().finish();
    env::temp_dir().join(format!("asyncdrop-test-{random:016x}"))
}

/// Deletes a folder. There may be none: its creation can fail, and an interrupted cleanup can have deleted it already.
async fn delete_folder(folder: &Path) -> io::Result<()> {
    let limit = Instant::now() + DELETE_LIMIT;
    loop {
        match tokio::fs::remove_dir_all(folder).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            // A process that ends may still write, into a folder that was empty a moment ago.
            Err(error)
                if error.kind() == ErrorKind::DirectoryNotEmpty && Instant::now() < limit =>
            {
                sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}
