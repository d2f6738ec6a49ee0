// fails with: left: ""
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::fs;

/// Gets its final name, without `.part`, once all is in it.
#[derive(Debug)]
struct Folder(PathBuf);

#[async_trait]
impl AsyncDrop for Folder {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::rename(&self.0, self.0.with_extension("")).await {
            // An interrupted first run has renamed it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Writes its lines to a file in the end.
#[derive(Debug)]
struct Report {
    lines: String,
    path: PathBuf,
}

#[async_trait]
impl AsyncDrop for Report {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::write(&self.path, &self.lines).await
    }
}

#[derive(Debug)]
pub struct Export {
    folder: AsyncDropGuard<Folder>,
    report: AsyncDropGuard<Report>,
}

impl Export {
    pub async fn create(folder: &Path, lines: String) -> io::Result<AsyncDropGuard<Self>> {
        let part = folder.with_extension("part");
        fs::create_dir(&part).await?;
        let path = part.join("report.txt");
        Ok(AsyncDropGuard::new(Self {
            folder: AsyncDropGuard::new(Folder(part)),
            report: AsyncDropGuard::new(Report { lines, path }),
        }))
    }
}

#[async_trait]
impl AsyncDrop for Export {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let folder = self.folder.async_drop().await;
        let report = self.report.async_drop().await;
        folder.and(report)
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tokio::fs;

/// Gets its final name, without `.part`, once all is in it.
#[derive(Debug)]
struct Folder(PathBuf);

#[async_trait]
impl AsyncDrop for Folder {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::rename(&self.0, self.0.with_extension("")).await {
            // An interrupted first run has renamed it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Writes its lines to a file in the end.
#[derive(Debug)]
struct Report {
    lines: String,
    path: PathBuf,
}

#[async_trait]
impl AsyncDrop for Report {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        fs::write(&self.path, &self.lines).await
    }
}

#[derive(Debug)]
pub struct Export {
    folder: AsyncDropGuard<Folder>,
    report: AsyncDropGuard<Report>,
}

impl Export {
    pub async fn create(folder: &Path, lines: String) -> io::Result<AsyncDropGuard<Self>> {
        let part = folder.with_extension("part");
        fs::create_dir(&part).await?;
        let path = part.join("report.txt");
        Ok(AsyncDropGuard::new(Self {
            folder: AsyncDropGuard::new(Folder(part)),
            report: AsyncDropGuard::new(Report { lines, path }),
        }))
    }
}

#[async_trait]
impl AsyncDrop for Export {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let report = self.report.async_drop().await;
        let folder = self.folder.async_drop().await;
        report.and(folder)
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_finished_folder_has_the_report_in_it() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("sales");
        let sales = "3 kg of apples\n".to_owned();
        let mut export = Export::create(&folder, sales).await.unwrap();
        let ended = export.async_drop().await;

        let report = fs::read_to_string(folder.join("report.txt")).await;
        assert_eq!(report.unwrap_or_default(), "3 kg of apples\n");
        ended.unwrap();
    }
}
// ANCHOR_END: tests
