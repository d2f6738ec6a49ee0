use std::hint::black_box;

use async_drop_guard::AsyncDropGuard as RivalGuard;
use async_dropper_simple::AsyncDropper;
use asyncdrop::AsyncDropGuard;

use super::{ASYNCDROP, CLOSES, DROP_GUARD, DROPPER};
use crate::contender::{Contender, Group, Stopwatch};
use crate::session::{Connection, Session, Value};

pub const BY_HAND: &str = "by hand through `async_trait`";
/// The same function as the baseline: what differs from 1.00 here is noise.
pub const PLAIN_OPTION_AGAIN: &str = "the same plain `Option` again (shows the noise)";
const PLAIN_OPTION: &str = "a plain `Option`";

pub(super) fn create_and_clean_up() -> Group {
    Group {
        id: "create".into(),
        title: "Create and clean up, at once".into(),
        operation: "A value is created, guarded, cleaned up and dropped. The cleanup is ready at once and does nothing, so that the cost of the guard shows in full.".into(),
        values: None,
        long: false,
        contenders: contenders::<Session>(),
    }
}

pub(super) fn create_and_clean_up_in_turn() -> Group {
    Group {
        id: "turn-create".into(),
        title: "Create and clean up, waiting one turn".into(),
        operation: "The same with a cleanup that waits for one turn of the runtime, the least that makes it worth being async.".into(),
        values: None,
        long: false,
        contenders: contenders::<Connection>(),
    }
}

fn contenders<V: Value>() -> Vec<Contender> {
    vec![
        Contender::new(BY_HAND, async |times, stopwatch| {
            stopwatch.start();
            for id in 0..times {
                let mut session = V::new(id);
                session.close().await.expect(CLOSES);
            }
            stopwatch.stop();
        }),
        Contender::new(ASYNCDROP, async |times, stopwatch| {
            stopwatch.start();
            for id in 0..times {
                let mut session = AsyncDropGuard::new(V::new(id));
                session.async_drop().await.expect(CLOSES);
            }
            stopwatch.stop();
        }),
        Contender::new(DROP_GUARD, async |times, stopwatch| {
            stopwatch.start();
            for id in 0..times {
                let mut session = RivalGuard::new(V::new(id));
                session.async_drop().await.expect(CLOSES);
            }
            stopwatch.stop();
        }),
        Contender::new(
            "async-dropper-simple (blocks the thread, cleans up in another task)",
            async |times, stopwatch| {
                stopwatch.start();
                for id in 0..times {
                    drop(AsyncDropper::new(V::new(id)));
                }
                stopwatch.stop();
            },
        ),
    ]
}

pub(super) fn deref() -> Group {
    Group {
        id: "deref".into(),
        title: "Deref".into(),
        operation: "A field of the value is read through the guard.".into(),
        values: None,
        long: false,
        contenders: vec![
            Contender::new(PLAIN_OPTION, async |times, stopwatch| {
                read_through_option(times, stopwatch);
            }),
            Contender::new(PLAIN_OPTION_AGAIN, async |times, stopwatch| {
                read_through_option(times, stopwatch);
            }),
            Contender::new(ASYNCDROP, async |times, stopwatch| {
                let mut session = AsyncDropGuard::new(Session::new(1));
                stopwatch.start();
                for _ in 0..times {
                    black_box(black_box(&session).id);
                }
                stopwatch.stop();
                session.async_drop().await.expect(CLOSES);
            }),
            Contender::new(DROP_GUARD, async |times, stopwatch| {
                let mut session = RivalGuard::new(Session::new(1));
                stopwatch.start();
                for _ in 0..times {
                    black_box(black_box(&session).id);
                }
                stopwatch.stop();
                session.async_drop().await.expect(CLOSES);
            }),
            Contender::new(DROPPER, async |times, stopwatch| {
                let session = AsyncDropper::new(Session::new(1));
                stopwatch.start();
                for _ in 0..times {
                    black_box(black_box(&session).id);
                }
                stopwatch.stop();
            }),
        ],
    }
}

#[inline(never)]
fn read_through_option(times: u64, stopwatch: &mut dyn Stopwatch) {
    let session = Some(Session::new(1));
    stopwatch.start();
    for _ in 0..times {
        let Some(session) = black_box(&session) else {
            panic!("the session was taken")
        };
        black_box(session.id);
    }
    stopwatch.stop();
}
