use std::collections::HashMap;
use std::hint::black_box;

use async_drop_guard::AsyncDropGuard as RivalGuard;
use async_dropper_simple::AsyncDropper;
use asyncdrop::{AsyncDropGuard, AsyncDropHashMap};
use futures_util::future::join_all;

use super::{ASYNCDROP, CLOSES};
use crate::contender::{Contender, Group};
use crate::session::{Connection, Session, Value};

const STD: &str = "`HashMap` and `join_all`";
const DROPPER_IN_STD: &str =
    "async-dropper-simple in a `HashMap` (has no map; one value after another)";
const DROP_GUARD_IN_STD: &str = "async-drop-guard in a `HashMap`, and `join_all` (has no map)";

pub(super) fn clean_up(size: usize) -> Group {
    Group {
        id: format!("map-{size}"),
        title: match size {
            1 => "Clean up a map of 1 value".into(),
            _ => format!("Clean up a map of {} values", thousands(size)),
        },
        operation:
            "All values of a map are cleaned up and dropped, and so is the map. Filling it is not measured. Every error is kept, with its key."
                .into(),
        values: Some(size),
        long: false,
        contenders: contenders::<Session>(size),
    }
}

pub(super) fn clean_up_in_turn(size: usize) -> Group {
    Group {
        id: format!("turn-map-{size}"),
        title: format!(
            "Clean up a map of {} values that wait one turn",
            thousands(size)
        ),
        operation: "The same with cleanups that wait for one turn of the runtime.".into(),
        values: Some(size),
        long: false,
        contenders: contenders::<Connection>(size),
    }
}

fn contenders<V: Value>(size: usize) -> Vec<Contender> {
    vec![
        Contender::new(STD, async move |times, stopwatch| {
            let maps = several(times, || map_of(size, V::new));
            stopwatch.start();
            for mut map in maps {
                let cleanups = map
                    .iter_mut()
                    .map(async |(key, session)| Some((*key, session.close().await.err()?)));
                let errors: Vec<_> = join_all(cleanups).await.into_iter().flatten().collect();
                assert!(errors.is_empty(), "{CLOSES}");
            }
            stopwatch.stop();
        }),
        Contender::new(ASYNCDROP, async move |times, stopwatch| {
            let maps = several(times, || guarded_map::<V>(size));
            stopwatch.start();
            for mut map in maps {
                map.async_drop().await.expect(CLOSES);
            }
            stopwatch.stop();
        }),
        Contender::new(DROP_GUARD_IN_STD, async move |times, stopwatch| {
            let maps = several(times, || map_of(size, |id| RivalGuard::new(V::new(id))));
            stopwatch.start();
            for mut map in maps {
                let cleanups = map
                    .iter_mut()
                    .map(async |(key, guard)| Some((*key, guard.async_drop().await.err()?)));
                let errors: Vec<_> = join_all(cleanups).await.into_iter().flatten().collect();
                assert!(errors.is_empty(), "{CLOSES}");
            }
            stopwatch.stop();
        }),
        Contender::new(DROPPER_IN_STD, async move |times, stopwatch| {
            let maps = several(times, || map_of(size, |id| AsyncDropper::new(V::new(id))));
            stopwatch.start();
            drop(maps);
            stopwatch.stop();
        }),
    ]
}

pub(super) fn fill(size: usize) -> Group {
    Group {
        id: format!("fill-{size}"),
        title: format!("Fill a map of {} values", thousands(size)),
        operation:
            "The values are created, guarded, and inserted into an empty map that has to grow."
                .into(),
        values: Some(size),
        long: false,
        contenders: vec![
            Contender::new("`HashMap`", async move |times, stopwatch| {
                stopwatch.start();
                let maps = several(times, || black_box(map_of(size, Session::new)));
                stopwatch.stop();
                drop(maps);
            }),
            Contender::new(ASYNCDROP, async move |times, stopwatch| {
                stopwatch.start();
                let maps = several(times, || black_box(guarded_map::<Session>(size)));
                stopwatch.stop();
                for mut map in maps {
                    map.async_drop().await.expect(CLOSES);
                }
            }),
        ],
    }
}

fn several<M>(times: u64, map: impl Fn() -> M) -> Vec<M> {
    (0..times).map(|_| map()).collect()
}

/// Grows like the map of [`guarded_map`], which cannot be told its size beforehand.
fn map_of<V>(size: usize, value: impl Fn(u64) -> V) -> HashMap<u64, V> {
    let mut map = HashMap::new();
    for id in 0..size as u64 {
        assert!(map.insert(id, value(id)).is_none());
    }
    map
}

fn guarded_map<V: Value>(size: usize) -> AsyncDropGuard<AsyncDropHashMap<u64, V>> {
    let mut map = AsyncDropHashMap::new();
    for id in 0..size as u64 {
        let session = AsyncDropGuard::new(V::new(id));
        assert!(map.insert(id, session).is_none());
    }
    map
}

/// `10000` as `10,000`.
pub(super) fn thousands(number: usize) -> String {
    if number < 1_000 {
        return number.to_string();
    }
    format!("{},{:03}", thousands(number / 1_000), number % 1_000)
}
