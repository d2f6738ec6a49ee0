#![feature(async_drop)]
#![allow(incomplete_features)]

use std::future::AsyncDrop;
use std::io;
use std::pin::Pin;

struct Lease;

impl AsyncDrop for Lease {
    async fn drop(self: Pin<&mut Self>) -> io::Result<()> {
        Err(io::Error::other("the server is gone"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {}
}

fn main() {}
