use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use std::{collections::VecDeque, mem};
use thiserror::Error;
use tokio::sync::mpsc;

// ANCHOR: library
/// What the library returns: what happened, and the points that would be lost.
#[derive(Debug, Error)]
#[error("{} points are not sent: the collector is gone", .points.len())]
pub struct Unsent {
    pub points: VecDeque<String>,
}
// ANCHOR_END: library

#[derive(Debug)]
pub struct Metrics {
    points: VecDeque<String>,
    collector: mpsc::Sender<String>,
}

impl Metrics {
    pub fn new(collector: mpsc::Sender<String>) -> AsyncDropGuard<Self> {
        let points = VecDeque::new();
        AsyncDropGuard::new(Self { points, collector })
    }

    pub fn add(&mut self, point: String) {
        self.points.push_back(point);
    }
}

// ANCHOR: library

#[async_trait]
impl AsyncDrop for Metrics {
    type Error = Unsent;

    async fn async_drop_impl(&mut self) -> Result<(), Unsent> {
        while let Some(point) = self.points.front() {
            if self.collector.send(point.clone()).await.is_err() {
                let points = mem::take(&mut self.points);
                return Err(Unsent { points });
            }
            // Not earlier: an interrupted `send` has sent nothing.
            self.points.pop_front();
        }
        Ok(())
    }
}
// ANCHOR_END: library

// ANCHOR: application
async fn count(orders: &str, collector: mpsc::Sender<String>) -> anyhow::Result<()> {
    let metrics = Metrics::new(collector);
    with_async_drop_2!(metrics, {
        for order in orders.split(' ') {
            let pieces: u32 = order.parse()?;
            metrics.add(format!("pieces={pieces}"));
        }
        Ok(())
    })
}
// ANCHOR_END: application

#[tokio::main]
async fn main() {
    let (collector, mut points) = mpsc::channel(8);
    println!("{:?}", count("3 5", collector.clone()).await);
    println!("{:?}", points.recv().await);

    points.close();
    // ANCHOR: application
    // In `main`, without a collector:
    let error = count("3 5", collector).await.unwrap_err();
    match error.downcast_ref::<Unsent>() {
        Some(Unsent { points }) => println!("{error}: {points:?}"),
        None => println!("something else: {error}"),
    }
    // ANCHOR_END: application
}
