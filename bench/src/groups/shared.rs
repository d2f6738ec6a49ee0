use std::sync::Arc;

use asyncdrop::{AsyncDropGuard, AsyncDropShared};
use futures_util::future::{FutureExt, join_all};
use tokio::task::yield_now;

use super::map::thousands;
use super::{ASYNCDROP, CLOSES, DROP_GUARD, DROPPER};
use crate::contender::{Contender, Group};
use crate::session::{CloseByHand, Session, Value};

pub(super) fn create(waiters: usize) -> Group {
    Group {
        id: format!("shared-{waiters}"),
        title: match waiters {
            1 => "Shared creation, 1 waiter".into(),
            _ => format!("Shared creation, {} waiters", thousands(waiters)),
        },
        operation:
            "A future creates a value after one turn of waiting. All waiters wait for it in one task, each gets an owner, each owner lets go, and the last one cleans up."
                .into(),
        values: Some(waiters),
        long: false,
        contenders: vec![
            Contender::new(
                "`futures` `Shared` of a `std::sync::Arc`, last owner cleans up by hand",
                async move |times, stopwatch| {
                    stopwatch.start();
                    for id in 0..times {
                        let shared = async move {
                            yield_now().await;
                            Arc::new(Session::new(id))
                        }
                        .boxed()
                        .shared();
                        let owners = join_all((0..waiters).map(|_| shared.clone())).await;
                        drop(shared);
                        for owner in owners {
                            if let Some(mut session) = Arc::into_inner(owner) {
                                session.close().await.expect(CLOSES);
                            }
                        }
                    }
                    stopwatch.stop();
                },
            ),
            Contender::new(ASYNCDROP, async move |times, stopwatch| {
                stopwatch.start();
                for id in 0..times {
                    let mut shared = AsyncDropShared::new(async move {
                        yield_now().await;
                        AsyncDropGuard::new(Session::new(id))
                    });
                    let owners = join_all((0..waiters).map(|_| shared.get())).await;
                    shared.async_drop().await.expect(CLOSES);
                    for mut owner in owners {
                        owner.async_drop().await.expect(CLOSES);
                    }
                }
                stopwatch.stop();
            }),
            Contender::impossible(DROP_GUARD, "has nothing for shared creation"),
            Contender::impossible(DROPPER, "has nothing for shared creation"),
        ],
    }
}
