// fails with: left: ""
// ANCHOR: problem
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use tokio::fs;

/// A folder for temporary files. The cleanup removes it.
#[derive(Debug)]
struct Scratch(PathBuf);

#[async_trait]
impl AsyncDrop for Scratch {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0).await {
            // A first run that was interrupted has done it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// A file in that folder. The cleanup moves it to where it is kept.
#[derive(Debug)]
struct Report {
    written: PathBuf,
    kept: PathBuf,
}

#[async_trait]
impl AsyncDrop for Report {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let moved = fs::rename(&self.written, &self.kept).await;
        // A first run that was interrupted may have done it.
        if moved.is_err() && fs::try_exists(&self.kept).await? {
            return Ok(());
        }
        moved
    }
}

#[derive(Debug)]
pub struct Run {
    scratch: AsyncDropGuard<Scratch>,
    report: AsyncDropGuard<Report>,
}

impl Run {
    /// Makes the folder `scratch`, with a report that will be kept as `kept`.
    pub async fn start(scratch: PathBuf, kept: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        let written = scratch.join("report.txt");
        fs::create_dir(&scratch).await?;
        fs::write(&written, "3 files copied\n").await?;
        Ok(AsyncDropGuard::new(Self {
            scratch: AsyncDropGuard::new(Scratch(scratch)),
            report: AsyncDropGuard::new(Report { written, kept }),
        }))
    }
}

#[async_trait]
impl AsyncDrop for Run {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let scratch = self.scratch.async_drop().await;
        let report = self.report.async_drop().await;
        match (scratch, report) {
            (Err(scratch), Err(report)) => Err(io::Error::other(format!("{scratch}; {report}"))),
            (scratch, report) => scratch.and(report),
        }
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use tokio::fs;

/// A folder for temporary files. The cleanup removes it.
#[derive(Debug)]
struct Scratch(PathBuf);

#[async_trait]
impl AsyncDrop for Scratch {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0).await {
            // A first run that was interrupted has done it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// A file in that folder. The cleanup moves it to where it is kept.
#[derive(Debug)]
struct Report {
    written: PathBuf,
    kept: PathBuf,
}

#[async_trait]
impl AsyncDrop for Report {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let moved = fs::rename(&self.written, &self.kept).await;
        // A first run that was interrupted may have done it.
        if moved.is_err() && fs::try_exists(&self.kept).await? {
            return Ok(());
        }
        moved
    }
}

#[derive(Debug)]
pub struct Run {
    scratch: AsyncDropGuard<Scratch>,
    report: AsyncDropGuard<Report>,
}

impl Run {
    /// Makes the folder `scratch`, with a report that will be kept as `kept`.
    pub async fn start(scratch: PathBuf, kept: PathBuf) -> io::Result<AsyncDropGuard<Self>> {
        let written = scratch.join("report.txt");
        fs::create_dir(&scratch).await?;
        fs::write(&written, "3 files copied\n").await?;
        Ok(AsyncDropGuard::new(Self {
            scratch: AsyncDropGuard::new(Scratch(scratch)),
            report: AsyncDropGuard::new(Report { written, kept }),
        }))
    }
}

#[async_trait]
impl AsyncDrop for Run {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let report = self.report.async_drop().await;
        let scratch = self.scratch.async_drop().await;
        match (report, scratch) {
            (Err(report), Err(scratch)) => Err(io::Error::other(format!("{report}; {scratch}"))),
            (report, scratch) => report.and(scratch),
        }
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_report_is_kept_and_the_folder_is_not() {
        let home = tempfile::tempdir().unwrap();
        let (scratch, kept) = (home.path().join("scratch"), home.path().join("kept.txt"));
        let mut run = Run::start(scratch.clone(), kept.clone()).await.unwrap();
        let ended = run.async_drop().await;

        let report = fs::read_to_string(kept).await;
        assert_eq!(report.unwrap_or_default(), "3 files copied\n");
        assert!(!scratch.exists());
        ended.unwrap();
    }
}
// ANCHOR_END: tests
