use asyncdrop::{AsyncDrop, AsyncDropGuard, async_trait, with_async_drop_2};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::{fmt, io};
use tokio::sync::Mutex;

type Pool = Arc<Mutex<Vec<u32>>>;

/// One of the GPUs of this machine. The cleanup gives it back.
struct Gpu {
    number: u32,
    pool: Pool,
}

impl Gpu {
    async fn take_from(pool: Pool) -> AsyncDropGuard<Self> {
        let number = pool.lock().await.pop().expect("one is free");
        AsyncDropGuard::new(Self { number, pool })
    }
}

#[async_trait]
impl AsyncDrop for Gpu {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.pool.lock().await.push(self.number);
        Ok(())
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpu({})", self.number)
    }
}

// ANCHOR: shown
fn frames_of(video: usize) -> u32 {
    [300, 1200, 500][video]
}

async fn encode(pool: Pool, video: usize) -> io::Result<u32> {
    let gpu = Gpu::take_from(pool).await;
    with_async_drop_2!(gpu, {
        let work = async {
            println!("GPU {} encodes video {video}", gpu.number);
            frames_of(video)
        };
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(frames) => Ok(frames),
            Err(_) => Err(io::Error::other("the encoder panicked")),
        }
    })
}
// ANCHOR_END: shown

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let pool = Pool::new(Mutex::new(vec![0]));
    for video in [1, 7] {
        let request = tokio::spawn(encode(Arc::clone(&pool), video));
        match request.await {
            Ok(encoded) => println!("video {video}: {encoded:?}"),
            Err(_) => println!("video {video}: panicked"),
        }
        println!("free GPUs: {:?}", pool.lock().await);
    }
}
