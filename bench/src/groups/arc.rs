use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use async_drop_guard::{AsyncDropArc as RivalArc, AsyncDropGuard as RivalGuard};
use async_dropper_simple::AsyncDropper;
use async_trait::async_trait;
use asyncdrop::{AsyncDrop, AsyncDropArc, AsyncDropGuard};

use super::{ASYNCDROP, CLOSES, DROP_GUARD};
use crate::contender::{Contender, Group};
use crate::session::{Session, Value};

pub(super) fn clone_and_let_go() -> Group {
    Group {
        id: "arc".into(),
        title: "Clone an `Arc` and let go".into(),
        operation: "One more owner of a shared value is made, and lets go. The value stays with the first owner.".into(),
        values: None,
        long: false,
        contenders: vec![
            Contender::new("`std::sync::Arc` in one guard", async |times, stopwatch| {
                let session = Arc::new(Session::new(1));
                stopwatch.start();
                for _ in 0..times {
                    let owner = Owner(Some(Arc::clone(black_box(&session))));
                    let Ok(()) = AsyncDropGuard::new(owner).async_drop().await;
                }
                stopwatch.stop();
            }),
            Contender::new("`std::sync::Arc` alone", async |times, stopwatch| {
                let session = Arc::new(Session::new(1));
                stopwatch.start();
                for _ in 0..times {
                    drop(black_box(Arc::clone(black_box(&session))));
                }
                stopwatch.stop();
            }),
            Contender::new(ASYNCDROP, async |times, stopwatch| {
                let mut session = AsyncDropArc::new(AsyncDropGuard::new(Session::new(1)));
                stopwatch.start();
                for _ in 0..times {
                    let mut owner = AsyncDropArc::clone(black_box(&session));
                    owner.async_drop().await.expect(CLOSES);
                }
                stopwatch.stop();
                session.async_drop().await.expect(CLOSES);
            }),
            Contender::new(DROP_GUARD, async |times, stopwatch| {
                let mut session = RivalArc::new(RivalGuard::new(Session::new(1)));
                stopwatch.start();
                for _ in 0..times {
                    let mut owner = RivalArc::clone(black_box(&session));
                    owner.async_drop().await.expect(CLOSES);
                }
                stopwatch.stop();
                session.async_drop().await.expect(CLOSES);
            }),
            Contender::new(
                "async-dropper-simple in a `std::sync::Arc` (has none of its own; no guard for each owner)",
                async |times, stopwatch| {
                    let session = Arc::new(AsyncDropper::new(Session::new(1)));
                    stopwatch.start();
                    for _ in 0..times {
                        drop(black_box(Arc::clone(black_box(&session))));
                    }
                    stopwatch.stop();
                },
            ),
        ],
    }
}

/// What an owner of a guarded `Arc` cannot do without: the `Arc`, and a cleanup that lets go of it.
#[derive(Debug)]
struct Owner(Option<Arc<Session>>);

#[async_trait]
impl AsyncDrop for Owner {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        drop(self.0.take());
        Ok(())
    }
}
