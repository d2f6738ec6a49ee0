// The constructor is the one way to an upload, and it returns a guard.
mod upload {
    use std::io;

    use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
    use tokio::fs::File;

    #[derive(Debug)]
    pub struct Upload {
        file: File,
    }

    impl Upload {
        pub fn new(file: File) -> AsyncDropGuard<Self> {
            AsyncDropGuard::new(Self { file })
        }
    }

    #[async_trait]
    impl AsyncDrop for Upload {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            self.file.sync_all().await
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let file = tokio::fs::File::from_std(tempfile::tempfile()?);
    let mut upload = upload::Upload::new(file);
    upload.async_drop().await
}
