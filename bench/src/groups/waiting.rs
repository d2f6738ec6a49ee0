use std::collections::HashMap;

use async_drop_guard::AsyncDropGuard as RivalGuard;
use async_dropper_simple::AsyncDropper;
use asyncdrop::{AsyncDropGuard, AsyncDropHashMap};
use futures_util::future::join_all;

use super::{CLOSES, map::thousands};
use crate::contender::{Contender, Group, Stopwatch};
use crate::session::{CloseByHand, Lingering};

pub const MANY: &str = "asyncdrop, 10,000 values";

pub(super) fn clean_up(size: usize) -> Group {
    Group {
        id: "waiting".into(),
        title: format!("Clean up a map of {} values that wait 10 ms each", thousands(size)),
        operation:
            "All values of a map are cleaned up, and each cleanup sleeps for 10 ms. Filling the map is not measured."
                .into(),
        values: None,
        long: false,
        contenders: vec![
            Contender::new("asyncdrop, 1 value", async |times, stopwatch| {
                guarded(times, 1, stopwatch).await;
            }),
            Contender::new(MANY, async move |times, stopwatch| {
                guarded(times, size, stopwatch).await;
            }),
            Contender::new("`HashMap` and `join_all`, 1 value", async |times, stopwatch| {
                by_hand(times, 1, stopwatch).await;
            }),
            Contender::new("`HashMap` and `join_all`, 10,000 values", async move |times, stopwatch| {
                by_hand(times, size, stopwatch).await;
            }),
            Contender::new(
                "async-drop-guard in a `HashMap`, and `join_all`, 10,000 values",
                async move |times, stopwatch| {
                    for _ in 0..times {
                        let mut map: HashMap<_, _> = (0..size)
                            .map(|id| (id, RivalGuard::new(Lingering)))
                            .collect();
                        stopwatch.start();
                        for closed in join_all(map.values_mut().map(RivalGuard::async_drop)).await {
                            closed.expect(CLOSES);
                        }
                        drop(map);
                        stopwatch.stop();
                    }
                },
            ),
            Contender::new(
                "async-dropper-simple in a `HashMap`, 10 values only (one after another)",
                async |times, stopwatch| {
                    for _ in 0..times {
                        let map: HashMap<_, _> =
                            (0..10).map(|id| (id, AsyncDropper::new(Lingering))).collect();
                        stopwatch.start();
                        drop(map);
                        stopwatch.stop();
                    }
                },
            ),
        ],
    }
}

async fn guarded(times: u64, size: usize, stopwatch: &mut dyn Stopwatch) {
    for _ in 0..times {
        let mut map = AsyncDropHashMap::new();
        for id in 0..size {
            assert!(map.insert(id, AsyncDropGuard::new(Lingering)).is_none());
        }
        stopwatch.start();
        map.async_drop().await.expect(CLOSES);
        stopwatch.stop();
    }
}

async fn by_hand(times: u64, size: usize, stopwatch: &mut dyn Stopwatch) {
    for _ in 0..times {
        let mut map: HashMap<_, _> = (0..size).map(|id| (id, Lingering)).collect();
        stopwatch.start();
        for closed in join_all(map.values_mut().map(Lingering::close)).await {
            closed.expect(CLOSES);
        }
        drop(map);
        stopwatch.stop();
    }
}
