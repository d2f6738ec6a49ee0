use std::hint::black_box;

use asyncdrop::{AsyncDropGuard, AsyncDropTokioMutex};
use tokio::sync::Mutex;

use super::{ASYNCDROP, CLOSES, DROP_GUARD, DROPPER};
use crate::contender::{Contender, Group};
use crate::session::{Session, Value};

pub(super) fn lock() -> Group {
    Group {
        id: "lock".into(),
        title: "Lock and let go".into(),
        operation: "A lock that nobody else wants is taken, the value read, and the lock let go."
            .into(),
        values: None,
        long: false,
        contenders: vec![
            Contender::new("`tokio::sync::Mutex`", async |times, stopwatch| {
                let session = Mutex::new(Session::new(1));
                stopwatch.start();
                for _ in 0..times {
                    black_box(session.lock().await.id);
                }
                stopwatch.stop();
            }),
            Contender::new(ASYNCDROP, async |times, stopwatch| {
                let mut session = AsyncDropTokioMutex::new(AsyncDropGuard::new(Session::new(1)));
                stopwatch.start();
                for _ in 0..times {
                    black_box(session.lock().await.id);
                }
                stopwatch.stop();
                session.async_drop().await.expect(CLOSES);
            }),
            Contender::impossible(DROP_GUARD, "has no mutex"),
            Contender::impossible(DROPPER, "has no mutex"),
        ],
    }
}
