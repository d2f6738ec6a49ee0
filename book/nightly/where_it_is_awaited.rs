#![feature(async_drop)]
#![allow(incomplete_features)]

use std::future::{AsyncDrop, Future};
use std::panic::catch_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

struct Lease(&'static str);

impl AsyncDrop for Lease {
    async fn drop(self: Pin<&mut Self>) {
        turn().await;
        println!("{}: awaited", self.0);
    }
}

// The compiler asks for it, because some places cannot await.
impl Drop for Lease {
    fn drop(&mut self) {
        println!("{}: NOT awaited", self.0);
    }
}

fn lease(holder: &'static str) -> Lease {
    Lease(holder)
}

async fn fails() -> Result<(), &'static str> {
    let _lease = lease("left by `?`");
    Err("expired")?;
    Ok(())
}

async fn generic<T>(value: T) {
    turn().await;
    let _moved = value;
}

async fn awaited() {
    let _ = fails().await;
    generic(lease("in a generic async fn")).await;
    let _tuple = (lease("in a tuple"), 1);
    let _option = Some(lease("in an Option"));
}

async fn not_awaited() {
    drop(lease("given to drop()"));
    let mut assigned = Some(lease("assigned over"));
    assert!(assigned.is_some());
    assigned = None;
    assert!(assigned.is_none());
    let _vec = vec![lease("in a Vec")];
    let _box = Box::new(lease("in a Box"));
    let _arc = Arc::new(lease("in an Arc"));
}

async fn panics() {
    let _lease = lease("while a panic unwinds");
    turn().await;
    panic!("the disk is full");
}

fn sync() {
    let _lease = lease("in a fn that is not async");
}

fn main() {
    block_on(awaited());
    block_on(not_awaited());
    sync();
    let _ = catch_unwind(|| block_on(panics()));
}

/// Waits for one turn of the executor.
async fn turn() {
    let mut waited = false;
    let once = std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        match std::mem::replace(&mut waited, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    });
    once.await
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
