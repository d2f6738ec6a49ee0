//! The promises RP13 to RP15: a value that is taken back, errors that are taken early, and names.

#![cfg(feature = "tokio")]

use std::fmt::{self, Debug};
use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDropGuard, AsyncDropReaper, AsyncDropWith, CleanupError, Reaped};
use tokio::runtime::Builder;
use tokio::task::yield_now;

use crate::place;
use crate::support::{
    CLEANED_UP, Diary, Ending, Session, ada, failing, message_of_panic, poll_once, record, run,
    run_without_incident, runtime,
};

const SECOND: Duration = Duration::from_secs(1);

async fn let_tasks_run() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[test]
fn rp13_a_value_that_is_taken_back_is_a_guard_again() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut reaper = AsyncDropReaper::new();
        let mut guard = Reaped::into_guard(reaper.adopt(ada(&diary)));
        assert_eq!(reaper.pending(), 0);
        reaper.async_drop().await.unwrap();
        diary.assert_reads(&[]);
        guard.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

#[test]
fn rp13_a_method_that_consumes_the_value_works_on_it() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let upload = AsyncDropWith::new(vec![1, 2], async |_parts| Err("it is aborted"));
        let mut upload = reaper.adopt(upload);
        upload.push(3);
        let parts = AsyncDropWith::into_inner(Reaped::into_guard(upload));
        assert_eq!(parts, [1, 2, 3]);
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp13_a_guard_that_is_forgotten_after_that_is_an_incident_at_its_own_place() {
    let (place, incidents) = run(async {
        let mut reaper = AsyncDropReaper::new();
        let guard = ada(&Diary::default());
        let place = place!(line!() - 1, 21);
        drop(Reaped::into_guard(reaper.adopt(guard)));
        reaper.async_drop().await.unwrap();
        place
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Forgotten);
    assert_eq!(incidents[0].location, place);
}

#[test]
fn rp13_an_interrupted_value_stays_interrupted() {
    let ((), incidents) = run(async {
        let mut reaper = AsyncDropReaper::new();
        let session = Session::of("ada", &Diary::default()).waiting(1);
        let mut value = reaper.adopt(AsyncDropGuard::new(session));
        assert!(poll_once(pin!(value.async_drop())).is_pending());
        drop(Reaped::into_guard(value));
        reaper.async_drop().await.unwrap();
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Interrupted);
}

#[test]
fn rp13_a_value_that_is_done_comes_back_done() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let mut value = reaper.adopt(ada(&Diary::default()));
        value.async_drop().await.unwrap();
        assert!(Reaped::into_guard(value).is_dropped());
        reaper.async_drop().await.unwrap();
    });
}

#[test]
fn rp13_taking_the_last_value_back_wakes_the_reaper_that_waits() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let value = reaper.adopt(ada(&Diary::default()));
        let take = async move {
            yield_now().await;
            Reaped::into_guard(value)
        };
        let (ended, mut guard) = tokio::join!(reaper.async_drop(), take);
        ended.unwrap();
        guard.async_drop().await.unwrap();
    });
}

#[test]
fn rp13_after_the_end_of_the_reaper_it_can_be_taken_back_too() {
    run_without_incident(async {
        let diary = Diary::default();
        let reaper = AsyncDropReaper::new();
        let in_use = reaper.adopt(ada(&diary));
        let handle = reaper.handle();
        let error = AsyncDropReaper::shutdown(reaper, SECOND).await.unwrap_err();
        assert_eq!(error.in_use().len(), 1);
        let late = handle.adopt(ada(&diary));
        for value in [in_use, late] {
            Reaped::into_guard(value).async_drop().await.unwrap();
        }
        assert_eq!(diary.entries().len(), 2 * CLEANED_UP.len());
    });
}

#[test]
fn rp14_each_error_is_returned_once_and_counted_since_the_last_list() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        assert!(reaper.take_errors().is_none());
        drop(reaper.adopt(ada(&Diary::default())));
        drop(reaper.adopt(failing("first")));
        let_tasks_run().await;
        let errors = reaper.take_errors().unwrap();
        assert_eq!((errors.len(), errors.total()), (1, 2));
        assert!(errors.to_string().ends_with(": first"), "{errors}");

        drop(reaper.adopt(ada(&Diary::default())));
        let_tasks_run().await;
        // Nothing failed, so there is no list, and the cleanup counts for the next one.
        assert!(reaper.handle().take_errors().is_none());

        drop(reaper.adopt(failing("second")));
        let_tasks_run().await;
        let errors = reaper.handle().take_errors().unwrap();
        assert_eq!((errors.len(), errors.total()), (1, 2));

        drop(reaper.adopt(failing("third")));
        let errors = reaper.async_drop().await.unwrap_err();
        assert_eq!((errors.len(), errors.total()), (1, 1));
        assert!(errors.to_string().ends_with(": third"), "{errors}");
    });
}

#[test]
fn rp14_a_cleanup_that_is_still_running_is_counted_when_it_ends() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let waiting = Session::of("ada", &Diary::default()).waiting(100);
        drop(reaper.adopt(AsyncDropGuard::new(waiting.ending(Ending::Fails("late")))));
        drop(reaper.adopt(failing("early")));
        let_tasks_run().await;
        let errors = reaper.take_errors().unwrap();
        assert_eq!((errors.len(), errors.total()), (1, 1));
        let errors = reaper.async_drop().await.unwrap_err();
        assert_eq!((errors.len(), errors.total()), (1, 1));
    });
}

#[test]
fn rp14_after_the_end_there_is_nothing_left_to_take() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        drop(reaper.adopt(failing("line is dead")));
        reaper.async_drop().await.unwrap_err();
        assert!(handle.take_errors().is_none());
    });
}

/// Threads let values fail while another one takes the errors. Each is in one list, and no list has more errors than cleanups.
#[test]
fn rp14_a_race_of_failing_cleanups_and_takers_loses_no_error() {
    const THREADS: usize = 4;
    const VALUES: usize = 2_000;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let mut reaper = {
        let _in = runtime.enter();
        AsyncDropReaper::new()
    };
    let is_over = Arc::new(AtomicBool::new(false));
    let taker = {
        let (handle, is_over) = (reaper.handle(), Arc::clone(&is_over));
        thread::spawn(move || {
            let mut seen = (0, 0);
            while !is_over.load(Ordering::SeqCst) {
                if let Some(errors) = handle.take_errors() {
                    assert!(errors.len() <= errors.total(), "{errors}");
                    seen = (seen.0 + errors.len(), seen.1 + errors.total());
                }
            }
            seen
        })
    };
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let handle = reaper.handle();
            thread::spawn(move || {
                for _ in 0..VALUES {
                    drop(handle.adopt(failing("line is dead")));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|it| it.join().unwrap());
    let last = runtime.block_on(async {
        while reaper.pending() > 0 {
            yield_now().await;
        }
        is_over.store(true, Ordering::SeqCst);
        reaper.async_drop().await
    });
    let mut seen = taker.join().unwrap();
    if let Err(errors) = last {
        seen = (seen.0 + errors.len(), seen.1 + errors.total());
    }
    assert_eq!(seen, (THREADS * VALUES, THREADS * VALUES));
}

#[test]
fn rp15_the_name_is_in_the_error_of_a_cleanup() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        drop(reaper.adopt_as("film.mp4", failing("half of it is missing")));
        drop(
            reaper
                .handle()
                .adopt_as(String::from("photo.jpg"), ada(&Diary::default())),
        );
        let errors = reaper.async_drop().await.unwrap_err();
        let (origin, _) = errors.iter().next().unwrap();
        assert_eq!(origin.name(), Some("film.mp4"));
        let start = r#"1 of 2 cleanups failed: "film.mp4" (library::support::session::Session), created at "#;
        assert!(errors.to_string().starts_with(start), "{errors}");
    });
}

#[test]
fn rp15_the_name_is_in_the_error_of_a_shutdown() {
    run_without_incident(async {
        let reaper = AsyncDropReaper::new();
        let mut in_use = reaper.adopt_as("in use", ada(&Diary::default()));
        let endless = Session::of("ada", &Diary::default()).waiting(usize::MAX);
        drop(reaper.adopt_as("endless", AsyncDropGuard::new(endless)));
        let error = AsyncDropReaper::shutdown(reaper, Duration::ZERO)
            .await
            .unwrap_err();
        assert_eq!(error.in_use()[0].name(), Some("in use"));
        assert_eq!(error.being_cleaned_up()[0].name(), Some("endless"));
        let text = error.to_string();
        assert!(text.contains(r#"1 still in use ("in use" ("#), "{text}");
        assert!(
            text.contains(r#"1 still being cleaned up ("endless" ("#),
            "{text}"
        );
        in_use.async_drop().await.unwrap();
    });
}

#[test]
fn rp15_the_name_is_in_the_incident_of_a_value_that_no_one_cleans_up() {
    let ((), incidents) = run(async {
        let mut reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        reaper.async_drop().await.unwrap();
        drop(handle.adopt_as("film.mp4", ada(&Diary::default())));
        let waiting = Session::of("ada", &Diary::default()).waiting(1);
        let mut value = handle.adopt_as("photo.jpg", AsyncDropGuard::new(waiting));
        assert!(poll_once(pin!(value.async_drop())).is_pending());
        drop(value);
    });
    let messages: Vec<_> = incidents.iter().map(|it| it.message.as_str()).collect();
    let start = r#"Forgot to call async_drop on "film.mp4" (Session("ada")), created at "#;
    assert!(messages[0].starts_with(start), "{messages:?}");
    let start = r#"async_drop on "photo.jpg" (Session("ada")) was interrupted before it finished"#;
    assert!(messages[1].starts_with(start), "{messages:?}");
    assert_eq!(messages.len(), 2);
}

#[test]
fn rp15_the_name_is_in_the_incident_of_an_error_that_came_too_late() {
    let ((), incidents) = run(async {
        let reaper = AsyncDropReaper::new();
        drop(reaper.adopt_as("film.mp4", failing("half of it is missing")));
        // Without an end of the reaper nobody asks for the error.
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(reaper)));
        dropped.unwrap();
        let_tasks_run().await;
    });
    let messages: Vec<_> = incidents.iter().map(|it| it.message.as_str()).collect();
    let start = r#"Suppressed an error of "film.mp4" ("#;
    assert!(
        messages.iter().any(|it| it.starts_with(start)),
        "{messages:?}"
    );
}

#[test]
fn rp15_the_name_is_in_the_error_of_a_runtime_that_has_ended() {
    let ((), incidents) = record(|| {
        let runtime = runtime();
        let mut reaper = runtime.block_on(async {
            let reaper = AsyncDropReaper::new();
            drop(reaper.adopt_as(
                "film.mp4",
                AsyncDropWith::new((), async |()| pending::<Result<(), String>>().await),
            ));
            reaper
        });
        drop(runtime);
        let errors = futures::executor::block_on(reaper.async_drop()).unwrap_err();
        let (origin, error) = errors.iter().next().unwrap();
        assert_eq!(origin.name(), Some("film.mp4"));
        assert!(matches!(error, CleanupError::RuntimeEnded));
    });
    assert!(
        incidents[0].message.contains(r#""film.mp4" ("#),
        "{incidents:?}"
    );
}

#[test]
fn rp15_the_name_is_in_the_panic_of_a_value_that_is_used_after_its_end() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let mut value = reaper.adopt_as("film.mp4", ada(&Diary::default()));
        value.async_drop().await.unwrap();
        let start = r#""film.mp4" (AsyncDropGuard<library::support::session::Session>) was used after async_drop, created at "#;
        let message = message_of_panic(|| value.user);
        assert!(message.starts_with(start), "{message}");
        let message = message_of_panic(|| value.user = "grace");
        assert!(message.starts_with(start), "{message}");
        reaper.async_drop().await.unwrap();
    });
}

/// Its `Debug` must not be seen: it is for those that wrote the type.
#[derive(thiserror::Error)]
#[error("the store refused the upload")]
struct Refused(#[source] io::Error);

impl Debug for Refused {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("it is shown with its Debug")
    }
}

#[test]
fn rp17_an_error_is_shown_with_display_and_its_sources_and_can_be_had_by_downcast() {
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let upload =
            AsyncDropWith::new((), async |()| Err(Refused(io::ErrorKind::TimedOut.into())));
        drop(reaper.adopt(upload));
        let errors = reaper.async_drop().await.unwrap_err();
        let text = "the store refused the upload: timed out";
        assert!(errors.to_string().ends_with(text), "{errors}");
        assert!(format!("{errors:?}").contains(text), "{errors:?}");
        let (_, error) = errors.into_iter().next().unwrap();
        assert_eq!(
            error.downcast_ref::<Refused>().unwrap().0.kind(),
            io::ErrorKind::TimedOut
        );
        assert_eq!(
            error.downcast::<Refused>().unwrap().0.kind(),
            io::ErrorKind::TimedOut
        );
    });
}

#[test]
fn a_reaper_that_is_adopted_by_itself_is_refused() {
    let (message, _) = run(async {
        let reaper = AsyncDropReaper::new();
        let handle = reaper.handle();
        message_of_panic(|| handle.adopt(reaper))
    });
    assert_eq!(
        message,
        "a reaper was adopted by itself, and would wait for its own end"
    );
}

#[test]
fn a_reaper_can_be_adopted_by_another_one() {
    run_without_incident(async {
        let diary = Diary::default();
        let (mut outer, inner) = (AsyncDropReaper::new(), AsyncDropReaper::new());
        drop(inner.adopt(ada(&diary)));
        drop(outer.adopt(inner));
        outer.async_drop().await.unwrap();
        diary.assert_reads(&CLEANED_UP);
    });
}

/// A struct with an adopted value in it needs no bounds but that of the guard.
#[test]
fn a_reaped_value_asks_for_no_bounds_in_a_struct() {
    #[derive(Debug)]
    struct Holder<T: Debug> {
        value: Reaped<T>,
    }
    run_without_incident(async {
        let mut reaper = AsyncDropReaper::new();
        let holder = Holder {
            value: reaper.adopt(ada(&Diary::default())),
        };
        assert!(format!("{holder:?}").contains("Session"));
        drop(holder.value);
        reaper.async_drop().await.unwrap();
    });
}
