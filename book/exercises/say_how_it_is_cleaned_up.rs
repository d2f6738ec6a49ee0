// fails with: `Thermometer` does not say how it is cleaned up
// ANCHOR: problem
use asyncdrop::AsyncDropGuard;
use std::collections::VecDeque;
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

/// Sends its readings in batches of three.
#[derive(Debug)]
pub struct Thermometer {
    batch: VecDeque<u8>,
    station: DuplexStream,
}

impl Thermometer {
    pub fn new(station: DuplexStream) -> AsyncDropGuard<Self> {
        let batch = VecDeque::new();
        AsyncDropGuard::new(Self { batch, station })
    }

    pub async fn read(&mut self, celsius: u8) -> io::Result<()> {
        self.batch.push_back(celsius);
        if self.batch.len() == 3 {
            self.send_batch().await?;
        }
        Ok(())
    }

    async fn send_batch(&mut self) -> io::Result<()> {
        while let Some(&celsius) = self.batch.front() {
            self.station.write_u8(celsius).await?;
            self.batch.pop_front();
        }
        Ok(())
    }
}
// ANCHOR_END: problem

// ANCHOR: solution
use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait};
use std::collections::VecDeque;
use std::io;
use tokio::io::{AsyncWriteExt, DuplexStream};

/// Sends its readings in batches of three.
#[derive(Debug)]
pub struct Thermometer {
    batch: VecDeque<u8>,
    station: DuplexStream,
}

impl Thermometer {
    pub fn new(station: DuplexStream) -> AsyncDropGuard<Self> {
        let batch = VecDeque::new();
        AsyncDropGuard::new(Self { batch, station })
    }

    pub async fn read(&mut self, celsius: u8) -> io::Result<()> {
        self.batch.push_back(celsius);
        if self.batch.len() == 3 {
            self.send_batch().await?;
        }
        Ok(())
    }

    async fn send_batch(&mut self) -> io::Result<()> {
        while let Some(&celsius) = self.batch.front() {
            self.station.write_u8(celsius).await?;
            self.batch.pop_front();
        }
        Ok(())
    }
}

#[async_trait]
impl AsyncDrop for Thermometer {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.send_batch().await
    }
}
// ANCHOR_END: solution

// ANCHOR: tests
#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn the_last_reading_reaches_the_station() {
        let (ours, mut station) = tokio::io::duplex(64);
        let mut thermometer = Thermometer::new(ours);
        for celsius in [19, 20, 21, 22] {
            thermometer.read(celsius).await.unwrap();
        }
        thermometer.async_drop().await.unwrap();

        let mut received = Vec::new();
        station.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, [19, 20, 21, 22]);
    }
}
// ANCHOR_END: tests
