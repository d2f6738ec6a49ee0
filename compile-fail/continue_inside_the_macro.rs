// A sensor that says 0 is broken, and should be skipped.
use std::io;

use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[derive(Debug)]
struct Sensor {
    stream: DuplexStream,
    off: &'static [u8],
}

#[async_trait]
impl AsyncDrop for Sensor {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.stream.write_all_buf(&mut self.off).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    for degrees in [21, 0, 19] {
        let (stream, mut device) = tokio::io::duplex(64);
        device.write_u8(degrees).await?;
        let off = b"off";
        let sensor = AsyncDropGuard::new(Sensor { stream, off });
        with_async_drop_2!(sensor, {
            if sensor.stream.read_u8().await? == 0 {
                continue;
            }
            println!("{degrees} degrees");
            io::Result::Ok(())
        })?;
    }
    Ok(())
}
