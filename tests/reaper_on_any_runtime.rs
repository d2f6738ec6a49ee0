//! The promises RP16 and RP18: a reaper with a spawner of its own, and one that does only so much at a time.

use std::future::{Future, pending, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{
    AsyncDropGuard, AsyncDropReaper, AsyncDropWith, BoxedAsyncDropWith, CleanupError, Reaped,
    ReaperHandle,
};
use smol::future::yield_now;

use crate::support::{
    CLEANED_UP, Diary, Ending, Session, abandon_after, ada, failing, message_of_panic, record,
};

/// A reaper that cleans up in tasks of the global executor of smol.
fn on_smol() -> AsyncDropGuard<AsyncDropReaper> {
    AsyncDropReaper::builder()
        .spawner(|cleanup| smol::spawn(cleanup).detach())
        .build()
}

/// A reaper whose tasks a test polls itself, in the order in which they were spawned.
#[derive(Clone, Default)]
struct ByHand(Arc<Mutex<Vec<smol::future::Boxed<()>>>>);

impl ByHand {
    fn spawner(&self) -> impl Fn(smol::future::Boxed<()>) + Send + Sync + 'static {
        let tasks = Arc::clone(&self.0);
        move |task| tasks.lock().unwrap().push(task)
    }

    fn spawned(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Polls each task once, and drops those that have ended.
    fn turn(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        for mut task in tasks {
            if crate::support::poll_once(std::pin::Pin::new(&mut task)).is_pending() {
                self.0.lock().unwrap().push(task);
            }
        }
    }
}

/// A value whose cleanup goes on until the count of those that may end is above zero.
fn gated(
    open: &Arc<AtomicUsize>,
    diary: &Diary,
    name: String,
) -> AsyncDropGuard<BoxedAsyncDropWith<(), io::Error>> {
    let (open, diary) = (Arc::clone(open), diary.clone());
    AsyncDropWith::boxed((), async move |()| {
        diary.write(format!("{name} begins"));
        loop {
            let taken = open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            if taken.is_ok() {
                break;
            }
            yield_now().await;
        }
        diary.write(format!("{name} ends"));
        Ok(())
    })
}

#[test]
fn rp16_on_smol_a_cancelled_value_is_cleaned_up_by_the_reaper() {
    smol::block_on(async {
        let diary = Diary::default();
        let mut reaper = on_smol();
        let value = reaper.adopt(ada(&diary));
        let conversation = async {
            let _value = value;
            pending::<()>().await;
        };
        abandon_after(1, conversation);
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp16_on_smol_every_error_comes_back_and_a_panic_is_one_of_them() {
    smol::block_on(async {
        let mut reaper = on_smol();
        let session =
            |ending| AsyncDropGuard::new(Session::of("ada", &Diary::default()).ending(ending));
        drop(reaper.adopt(session(Ending::Fails("line is dead"))));
        let ((), incidents) = record(|| {
            let panicking = reaper.adopt(session(Ending::Well));
            drop(panicking);
        });
        assert_eq!(incidents, []);
        let errors = reaper.async_drop().await.unwrap_err();
        assert_eq!((errors.len(), errors.total()), (1, 2));
        assert!(errors.to_string().ends_with(": line is dead"), "{errors}");
    });
}

#[test]
fn rp16_a_cleanup_that_panics_does_not_reach_the_runtime() {
    let by_hand = ByHand::default();
    let mut reaper = AsyncDropReaper::builder()
        .spawner(by_hand.spawner())
        .build();
    let session = Session::of("ada", &Diary::default()).ending(Ending::Panics("no reply"));
    drop(reaper.adopt(AsyncDropGuard::new(session)));
    let ((), incidents) = record(|| by_hand.turn());
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Interrupted);
    let errors = smol::block_on(reaper.async_drop()).unwrap_err();
    assert!(
        errors
            .to_string()
            .ends_with("its cleanup panicked: no reply"),
        "{errors}"
    );
}

#[test]
fn rp16_on_smol_scopes_and_threads_hand_over_too() {
    smol::block_on(async {
        let diary = Diary::default();
        let mut reaper = on_smol();
        let scope = reaper.scope(ada(&diary), async |_| {
            pending::<()>().await;
            Result::<_, String>::Ok(())
        });
        abandon_after(1, scope);
        let value = reaper.adopt(ada(&diary));
        thread::spawn(move || drop(value)).join().unwrap();
        reaper.async_drop().await.unwrap();
        assert_eq!(diary.entries().len(), 2 * CLEANED_UP.len());
    });
}

#[test]
fn rp16_on_smol_a_deadline_names_what_is_left_and_drops_it() {
    smol::block_on(async {
        let diary = Diary::default();
        let reaper = on_smol();
        let slow = Session::of("slow", &diary).waiting(usize::MAX);
        // It yields for ever with tokio's `yield_now`, which wakes its task on any runtime.
        drop(reaper.adopt_as("the slow one", AsyncDropGuard::new(slow)));
        let mut in_use = reaper.adopt_as("the one in use", ada(&Diary::default()));
        let deadline = async {
            smol::Timer::after(Duration::from_millis(20)).await;
        };
        let error = AsyncDropReaper::shutdown_by(reaper, deadline)
            .await
            .unwrap_err();
        let names = |values: &[asyncdrop::ValueOrigin]| -> Vec<String> {
            values
                .iter()
                .map(|it| it.name().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(error.being_cleaned_up()), ["the slow one"]);
        assert_eq!(names(error.in_use()), ["the one in use"]);
        assert_eq!(error.left(), 0);
        let text = error.to_string();
        let start =
            r#"not all values were gone at the deadline: 1 still in use ("the one in use" ("#;
        assert!(text.starts_with(start), "{text}");
        assert_eq!(diary.entries().last().unwrap(), "slow dropped");
        in_use.async_drop().await.unwrap();
    });
}

#[test]
fn rp16_a_shutdown_in_time_does_not_wait_for_its_deadline() {
    smol::block_on(async {
        let diary = Diary::default();
        let reaper = on_smol();
        drop(reaper.adopt(ada(&diary)));
        AsyncDropReaper::shutdown_by(reaper, pending())
            .await
            .unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp16_a_spawner_that_drops_its_tasks_is_a_runtime_that_has_ended() {
    let ((), incidents) = record(|| {
        let mut reaper = AsyncDropReaper::builder().spawner(drop).build();
        drop(reaper.adopt(ada(&Diary::default())));
        let errors = smol::block_on(reaper.async_drop()).unwrap_err();
        let (_, error) = errors.into_iter().next().unwrap();
        assert!(matches!(error, CleanupError::RuntimeEnded));
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Forgotten);
}

#[test]
fn rp16_a_spawner_that_panics_stops_no_drop() {
    let ((), incidents) = record(|| {
        let mut reaper = AsyncDropReaper::builder()
            .spawner(|_| panic!("no executor"))
            .build();
        drop(reaper.adopt(ada(&Diary::default())));
        let errors = smol::block_on(reaper.async_drop()).unwrap_err();
        assert_eq!(errors.len(), 1);
    });
    assert_eq!(incidents.len(), 1);
}

/// Something that the spawner of a reaper has. It is gone when nobody has the spawner any more.
fn with_spawner_of(owned: Arc<()>) -> AsyncDropGuard<AsyncDropReaper> {
    AsyncDropReaper::builder()
        .spawner(move |cleanup| {
            let _owned = &owned;
            smol::block_on(cleanup);
        })
        .build()
}

/// A thread that lives on has places for its next values. They are the reaper's, but keep nothing of it alive.
#[test]
fn rp16_nothing_keeps_the_spawner_of_a_reaper_that_has_ended() {
    type End = fn(AsyncDropGuard<AsyncDropReaper>);
    let ends: [End; 3] = [
        |reaper| smol::block_on(AsyncDropReaper::shutdown_by(reaper, pending())).unwrap(),
        |mut reaper| smol::block_on(reaper.async_drop()).unwrap(),
        drop,
    ];
    for end in ends {
        let owned = Arc::new(());
        let spawner = Arc::downgrade(&owned);
        let reaper = with_spawner_of(owned);
        let use_it = |reaper: &ReaperHandle| {
            let mut in_place = reaper.adopt_as("ada", ada(&Diary::default()));
            drop(reaper.adopt(ada(&Diary::default())));
            smol::block_on(in_place.async_drop()).unwrap();
        };
        use_it(&reaper);
        let (used, was_used) = mpsc::channel();
        let (lives_on, ends_at_last) = mpsc::channel::<()>();
        let thread = thread::spawn({
            let handle = reaper.handle();
            move || {
                use_it(&handle);
                drop(handle);
                used.send(()).unwrap();
                ends_at_last.recv().unwrap_err();
            }
        });
        was_used.recv().unwrap();
        let ((), _incidents) = record(|| end(reaper));
        assert!(spawner.upgrade().is_none());
        drop(lives_on);
        thread.join().unwrap();
    }
}

/// Each value that ends leaves its count to its place, which the thread keeps or gives back.
#[test]
fn rp14_every_cleanup_is_counted_in_whatever_thread_it_ends() {
    fn here(cleanup: smol::future::Boxed<()>) {
        smol::block_on(cleanup);
    }
    fn in_a_thread_that_ends(cleanup: smol::future::Boxed<()>) {
        thread::spawn(|| here(cleanup)).join().unwrap();
    }
    for spawn in [here, in_a_thread_that_ends] {
        let mut reaper = AsyncDropReaper::builder().spawner(spawn).build();
        let hand_over_100 = |reaper: &ReaperHandle| {
            for number in 1..100 {
                drop(reaper.adopt(ada(&Diary::default())));
                if number % 10 == 0 {
                    // Without an error there is no list, so all of them count for the next one.
                    assert!(reaper.take_errors().is_none());
                }
            }
            drop(reaper.adopt(failing("the line is dead")));
        };
        for _ in 0..2 {
            hand_over_100(&reaper);
            let errors = reaper.take_errors().unwrap();
            assert_eq!((errors.len(), errors.total()), (1, 100));
        }
        hand_over_100(&reaper);
        let errors = smol::block_on(reaper.async_drop()).unwrap_err();
        assert_eq!((errors.len(), errors.total()), (1, 100));

        let reaper = AsyncDropReaper::builder().spawner(spawn).build();
        hand_over_100(&reaper);
        let mut in_use = reaper.adopt(ada(&Diary::default()));
        let at_once = AsyncDropReaper::shutdown_by(reaper, ready(()));
        let error = smol::block_on(at_once).unwrap_err();
        let errors = error.errors().unwrap();
        assert_eq!((errors.len(), errors.total()), (1, 100));
        smol::block_on(in_use.async_drop()).unwrap();
    }
}

/// It may have something whose `Drop` panics, and that may be dropped in a hand-over, if it drops the reaper itself.
#[test]
fn rp16_a_spawner_that_panics_in_its_own_drop_stops_no_drop() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("no executor");
        }
    }
    let ((), _incidents) = record(|| {
        let owner: Arc<Mutex<Option<AsyncDropGuard<AsyncDropReaper>>>> = Arc::default();
        let (bomb, reaper) = (Bomb, Arc::clone(&owner));
        let spawner = move |_| {
            let _bomb = &bomb;
            drop(reaper.lock().unwrap().take());
        };
        let reaper = AsyncDropReaper::builder().spawner(spawner).build();
        let adopted = reaper.adopt(ada(&Diary::default()));
        *owner.lock().unwrap() = Some(reaper);
        drop(adopted);
    });
}

#[test]
fn rp16_without_a_spawner_and_a_runtime_the_builder_panics() {
    let message = message_of_panic(|| AsyncDropReaper::builder().build());
    assert_eq!(
        message,
        "a reaper was built without a spawner and outside of a tokio runtime, \
         and needs one of them for the tasks in which it cleans up"
    );
}

#[cfg(feature = "tokio")]
#[test]
fn rp16_inside_of_tokio_the_builder_needs_no_spawner() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::builder().build();
        drop(reaper.adopt(ada(&diary)));
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp18_no_more_than_n_cleanups_run_at_a_time_and_the_rest_in_the_order_of_their_hand_over() {
    let (by_hand, open, diary) = (ByHand::default(), Arc::default(), Diary::default());
    let mut reaper = AsyncDropReaper::builder()
        .spawner(by_hand.spawner())
        .max_concurrent(2)
        .build();
    let values: Vec<Reaped<_>> = (1..=5)
        .map(|n| reaper.adopt(gated(&open, &diary, n.to_string())))
        .collect();
    drop(values);
    assert_eq!(reaper.pending(), 5);
    by_hand.turn();
    assert_eq!(by_hand.spawned(), 2);
    diary.assert_reads(&["1 begins", "2 begins"]);

    // Each end lets one more begin.
    for _ in 0..5 {
        open.fetch_add(1, Ordering::SeqCst);
        by_hand.turn();
        assert!(by_hand.spawned() <= 2);
        by_hand.turn();
    }
    let begun: Vec<_> = diary.entries();
    let begun: Vec<_> = begun.iter().filter(|it| it.ends_with("begins")).collect();
    assert_eq!(
        begun,
        ["1 begins", "2 begins", "3 begins", "4 begins", "5 begins"]
    );
    assert_eq!(reaper.pending(), 0);
    smol::block_on(reaper.async_drop()).unwrap();
}

#[test]
fn rp18_a_cleanup_in_place_waits_for_none() {
    let (by_hand, diary) = (ByHand::default(), Diary::default());
    let mut reaper = AsyncDropReaper::builder()
        .spawner(by_hand.spawner())
        .max_concurrent(1)
        .build();
    drop(reaper.adopt(gated(&Arc::default(), &diary, "first".to_owned())));
    by_hand.turn();
    let mut value = reaper.adopt(ada(&Diary::default()));
    smol::block_on(value.async_drop()).unwrap();
    assert_eq!(reaper.pending(), 1);
    abandon_after(1, reaper.async_drop());
    let (error, incidents) = record(|| {
        smol::block_on(AsyncDropReaper::shutdown_by(reaper, async {
            by_hand.0.lock().unwrap().clear();
        }))
    });
    // Its runtime has dropped it, so it is an error and an incident.
    assert_eq!(error.unwrap_err().errors().unwrap().len(), 1);
    assert_eq!(incidents.len(), 1);
}

#[test]
fn rp18_a_deadline_names_those_that_wait_for_their_turn_and_drops_them() {
    let (by_hand, open, diary) = (ByHand::default(), Arc::default(), Diary::default());
    let reaper = AsyncDropReaper::builder()
        .spawner(by_hand.spawner())
        .max_concurrent(1)
        .build();
    let handle = reaper.handle();
    for n in 1..=3 {
        drop(reaper.adopt_as(format!("value {n}"), gated(&open, &diary, n.to_string())));
    }
    let (error, incidents) = record(|| {
        let mut shutdown = pin!(AsyncDropReaper::shutdown_by(reaper, async {}));
        assert!(crate::support::poll_once(shutdown.as_mut()).is_pending());
        // The two that waited are gone already, the one that was running goes with the next turn of its runtime.
        assert_eq!(handle.pending(), 1);
        by_hand.turn();
        smol::block_on(shutdown).unwrap_err()
    });
    assert_eq!(incidents, []);
    let names: Vec<_> = error
        .being_cleaned_up()
        .iter()
        .map(|it| it.name().unwrap())
        .collect();
    assert_eq!(names, ["value 1", "value 2", "value 3"]);
    assert_eq!(error.left(), 0);
    diary.assert_reads(&[]);
}

#[test]
fn rp18_a_panic_and_an_error_give_their_turn_to_the_next() {
    let by_hand = ByHand::default();
    let mut reaper = AsyncDropReaper::builder()
        .spawner(by_hand.spawner())
        .max_concurrent(1)
        .build();
    let diary = Diary::default();
    for ending in [
        Ending::Panics("no reply"),
        Ending::Fails("line is dead"),
        Ending::Well,
    ] {
        let session = Session::of("ada", &diary).ending(ending);
        drop(reaper.adopt(AsyncDropGuard::new(session)));
    }
    let (errors, _) = record(|| {
        for _ in 0..3 {
            by_hand.turn();
        }
        smol::block_on(reaper.async_drop()).unwrap_err()
    });
    assert_eq!((errors.len(), errors.total()), (2, 3));
}

/// Each of them is dropped by the spawner at once, which gives its turn to the next. That must not nest.
#[test]
fn rp18_a_runtime_that_has_ended_drops_a_long_line_without_a_deep_stack() {
    const VALUES: usize = 100_000;
    let by_hand = ByHand::default();
    let has_ended = Arc::new(AtomicUsize::new(0));
    let spawner = {
        let (spawn, has_ended) = (by_hand.spawner(), Arc::clone(&has_ended));
        move |task| {
            if has_ended.load(Ordering::SeqCst) == 0 {
                spawn(task);
            }
        }
    };
    let mut reaper = AsyncDropReaper::builder()
        .spawner(spawner)
        .max_concurrent(1)
        .build();
    let ((), incidents) = record(|| {
        for _ in 0..VALUES {
            drop(reaper.adopt(AsyncDropWith::new((), async |()| io::Result::Ok(()))));
        }
        has_ended.store(1, Ordering::SeqCst);
        by_hand.0.lock().unwrap().clear();
    });
    assert_eq!(incidents.len(), VALUES);
    let errors = smol::block_on(reaper.async_drop()).unwrap_err();
    assert_eq!((errors.len(), errors.total()), (VALUES, VALUES));
}

#[cfg(feature = "tokio")]
#[test]
fn rp18_many_threads_never_exceed_the_limit_and_lose_none() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut reaper = AsyncDropReaper::builder().max_concurrent(3).build();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let handle = reaper.handle();
                tokio::spawn(async move {
                    for _ in 0..500 {
                        let value = AsyncDropWith::new((), async |()| {
                            let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                            assert!(running <= 3, "{running} at a time");
                            tokio::task::yield_now().await;
                            RUNNING.fetch_sub(1, Ordering::SeqCst);
                            ENDED.fetch_add(1, Ordering::SeqCst);
                            io::Result::Ok(())
                        });
                        drop(handle.adopt(value));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        reaper.async_drop().await.unwrap();
    });
    assert_eq!(ENDED.load(Ordering::SeqCst), 4000);
}

#[test]
fn rp18_a_limit_of_zero_is_refused() {
    let message = message_of_panic(|| AsyncDropReaper::builder().max_concurrent(0));
    assert_eq!(
        message,
        "a reaper with max_concurrent(0) would clean nothing up"
    );
}

#[test]
fn rp18_a_reaper_that_is_dropped_still_gives_every_value_its_turn() {
    let (by_hand, diary) = (ByHand::default(), Diary::default());
    let reaper = AsyncDropReaper::builder()
        .spawner(by_hand.spawner())
        .max_concurrent(1)
        .build();
    for _ in 0..3 {
        drop(reaper.adopt(ada(&diary)));
    }
    let (_, incidents) = record(|| catch_unwind(AssertUnwindSafe(|| drop(reaper))));
    assert_eq!(incidents.len(), 1);
    for _ in 0..3 {
        by_hand.turn();
    }
    let ends = diary.entries();
    assert_eq!(ends.iter().filter(|it| it.ends_with("ends")).count(), 3);
}

/// A builder shows what it was told, and not the spawner, which has no `Debug`.
#[test]
fn a_builder_can_be_printed() {
    let builder = AsyncDropReaper::builder().max_concurrent(2).spawner(drop);
    let shown = format!("{builder:?}");
    assert_eq!(
        shown,
        r#"ReaperBuilder { max_concurrent: Some(2), spawner: Some("..") }"#
    );
}

/// The future of a shutdown can be awaited in a spawned task.
#[test]
fn a_shutdown_by_is_send_where_its_deadline_is() {
    fn is_send<F: Future + Send>(future: F) -> F {
        future
    }
    let reaper = on_smol();
    smol::block_on(is_send(AsyncDropReaper::shutdown_by(reaper, pending()))).unwrap();
}
