use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::io;

#[derive(Debug)]
struct Upload {
    file: &'static str,
}

impl Upload {
    async fn send(&mut self, part: u32) -> io::Result<()> {
        match part {
            3 => Err(io::Error::other(format!(
                "{}: part 3 was refused",
                self.file
            ))),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        Err(io::Error::other("the server did not confirm the end"))
    }
}

// ANCHOR: upload
async fn upload(parts: u32) -> io::Result<u32> {
    let upload = AsyncDropGuard::new(Upload { file: "film.mp4" });
    with_async_drop_2!(upload, {
        for part in 1..=parts {
            upload.send(part).await?;
        }
        Ok(parts)
    })
}
// ANCHOR_END: upload

#[tokio::main]
async fn main() {
    println!("two parts: {}", upload(2).await.unwrap_err());
    println!("three parts: {}", upload(3).await.unwrap_err());
}
