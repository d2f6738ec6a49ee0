#![feature(async_drop)]
#![allow(incomplete_features)]

use std::future::{AsyncDrop, Future, pending};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

struct Lease;

impl AsyncDrop for Lease {
    async fn drop(self: Pin<&mut Self>) {
        println!("  the lease was awaited");
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        println!("  the lease was dropped");
    }
}

/// Has nothing async about it.
struct File;

impl Drop for File {
    fn drop(&mut self) {
        println!("  the file was closed");
    }
}

async fn copy() {
    let _file = File;
    pending::<()>().await;
}

async fn copy_with_lease() {
    let _lease = Lease;
    copy().await;
}

fn main() {
    println!("boxed, without a lease:");
    cancel(Box::pin(copy()));

    println!("boxed, with a lease:");
    cancel(Box::pin(copy_with_lease()));

    println!("in a variable of an async block:");
    let whole = pin!(async {
        let mut copying = pin!(copy_with_lease());
        assert!(poll(copying.as_mut()).is_pending());
    });
    let done = poll(whole);
    assert!(done.is_ready());
}

/// Lets the future run until it waits, then drops it, as a runtime does with an aborted task.
fn cancel(mut future: Pin<Box<dyn Future<Output = ()>>>) {
    assert!(poll(future.as_mut()).is_pending());
    drop(future);
}

fn poll<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
