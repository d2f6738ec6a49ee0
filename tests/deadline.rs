//! The promises DL1 to DL3: a cleanup that gets no more than so much time.

#![cfg(feature = "tokio")]

use std::error::Error;
use std::future::{Future, pending};
use std::io;
use std::time::Duration;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropHashMap, DeadlineError, async_trait};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use crate::support::{
    Diary, Ending, Recorded, Session, abandon_after, message_of_panic, poll_once, record,
    run_in_new_process,
};
use crate::{place, test_path};

const LIMIT: Duration = Duration::from_millis(250);

/// The clock goes on only when nobody has anything else to do.
fn run<F: Future>(test: F) -> (F::Output, Vec<Recorded>) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    record(|| runtime.block_on(test))
}

#[track_caller]
fn run_without_incident<F: Future>(test: F) -> F::Output {
    let (output, incidents) = run(test);
    assert_eq!(incidents, []);
    output
}

/// A value whose cleanup takes that long, and then fails if it is told to.
#[derive(Debug)]
struct Upload {
    diary: Diary,
    time: Duration,
    error: Option<io::ErrorKind>,
}

impl Upload {
    #[track_caller]
    fn taking(time: Duration, diary: &Diary) -> AsyncDropGuard<Self> {
        let diary = diary.clone();
        let error = None;
        AsyncDropGuard::new(Self { diary, time, error })
    }
}

#[async_trait]
impl AsyncDrop for Upload {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        self.diary.write("begins");
        sleep(self.time).await;
        self.diary.write("ends");
        match self.error {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.diary.write("dropped");
    }
}

#[test]
fn dl1_a_cleanup_that_ends_in_time_is_an_async_drop() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut upload = Upload::taking(LIMIT - Duration::from_millis(1), &diary);
        upload.async_drop_within(LIMIT).await.unwrap();
        diary.assert_reads(&["begins", "ends", "dropped"]);
        assert!(upload.is_dropped());
        upload.async_drop_within(LIMIT).await.unwrap();
        upload.async_drop().await.unwrap();
        diary.assert_reads(&["begins", "ends", "dropped"]);
    });
}

#[test]
fn dl1_the_error_of_a_cleanup_that_ends_in_time_comes_through_in_its_own_type() {
    run_without_incident(async {
        let mut upload = Upload::taking(Duration::ZERO, &Diary::default());
        upload.error = Some(io::ErrorKind::BrokenPipe);
        let error = upload.async_drop_within(LIMIT).await.unwrap_err();
        assert_eq!(error.to_string(), "the cleanup failed: broken pipe");
        // Its own text has said it, and what lies under it would come next.
        assert!(error.source().is_none());
        let DeadlineError::Cleanup(error) = error else {
            panic!("it was in time")
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert!(upload.is_dropped());
    });
}

#[test]
fn dl2_at_the_deadline_the_value_is_dropped_and_the_error_says_so() {
    run_without_incident(async {
        let diary = Diary::default();
        let line = line!() + 1;
        let mut upload = Upload::taking(LIMIT + Duration::from_millis(1), &diary);
        let start = Instant::now();
        let error = upload.async_drop_within(LIMIT).await.unwrap_err();
        assert_eq!(start.elapsed(), LIMIT);
        diary.assert_reads(&["begins", "dropped"]);
        assert!(upload.is_dropped());

        let place = place!(line, 26);
        assert_eq!(
            error.to_string(),
            format!(
                "async_drop on library::deadline::Upload did not finish within 250ms, created at {place}"
            )
        );
        assert!(error.source().is_none());
        let DeadlineError::Passed { limit, origin, .. } = error else {
            panic!("it was too late")
        };
        assert_eq!(limit, LIMIT);
        assert_eq!(origin.type_name(), "library::deadline::Upload");
        assert_eq!(origin.location().to_string(), place);
        assert_eq!(origin.name(), None);

        // Nothing is left to do, and dropping the guard is no incident.
        upload.async_drop().await.unwrap();
        drop(upload);
        diary.assert_reads(&["begins", "dropped"]);
    });
}

#[test]
fn dl2_a_map_is_abandoned_as_a_whole_and_what_its_values_say_is_heard() {
    let (result, incidents) = run(async {
        let mut map = AsyncDropHashMap::new();
        let diary = Diary::default();
        let mut failing = Upload::taking(Duration::ZERO, &diary);
        failing.error = Some(io::ErrorKind::BrokenPipe);
        assert!(map.insert("fails", failing).is_none());
        assert!(
            map.insert("slow", Upload::taking(2 * LIMIT, &diary))
                .is_none()
        );
        let result = map.async_drop_within(LIMIT).await.map_err(|_| ());
        assert_eq!(
            diary.entries().iter().filter(|it| *it == "dropped").count(),
            2
        );
        result
    });
    assert_eq!(result, Err(()));
    // The deadline speaks for the map. The guard of the slow value, and the error of the other, speak for themselves.
    let mut kinds: Vec<_> = incidents
        .iter()
        .map(|it| format!("{:?}", it.kind))
        .collect();
    kinds.sort();
    assert_eq!(kinds, ["Interrupted", "Suppressed"]);
}

#[test]
fn dl2_a_panic_of_the_cleanup_goes_on() {
    let ((), incidents) = run(async {
        let session = Session::of("ada", &Diary::default()).ending(Ending::Panics("no line"));
        let mut session = AsyncDropGuard::new(session);
        let task = tokio::spawn(async move { session.async_drop_within(LIMIT).await });
        assert!(task.await.unwrap_err().is_panic());
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Interrupted);
}

#[test]
fn dl3_a_limit_of_zero_lets_the_cleanup_run_until_it_has_to_wait() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut session = AsyncDropGuard::new(Session::of("ada", &diary));
        session.async_drop_within(Duration::ZERO).await.unwrap();
        diary.assert_reads(&["ada cleanup begins", "ada cleanup ends", "ada dropped"]);

        let diary = Diary::default();
        let mut upload = Upload::taking(LIMIT, &diary);
        upload.async_drop_within(Duration::ZERO).await.unwrap_err();
        diary.assert_reads(&["begins", "dropped"]);
    });
}

#[test]
fn dl3_a_limit_beyond_all_time_is_no_limit() {
    run_without_incident(async {
        let mut upload = Upload::taking(LIMIT, &Diary::default());
        upload.async_drop_within(Duration::MAX).await.unwrap();
    });
}

#[test]
fn dl3_interrupted_it_can_be_called_again_with_the_whole_limit() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut upload = Upload::taking(LIMIT - Duration::from_millis(50), &diary);
        let soon = LIMIT - Duration::from_millis(100);
        let cancelled = tokio::time::timeout(soon, upload.async_drop_within(LIMIT)).await;
        assert!(cancelled.is_err());
        assert!(!upload.is_dropped());
        upload.async_drop_within(LIMIT).await.unwrap();
        diary.assert_reads(&["begins", "begins", "ends", "dropped"]);
    });
}

#[test]
fn dl3_interrupted_and_dropped_it_is_an_incident() {
    let ((), incidents) = run(async {
        let mut upload = Upload::taking(LIMIT, &Diary::default());
        abandon_after(1, upload.async_drop_within(LIMIT));
    });
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Interrupted);
}

#[test]
fn dl3_never_polled_it_changes_nothing() {
    run_without_incident(async {
        let diary = Diary::default();
        let mut upload = Upload::taking(Duration::ZERO, &diary);
        drop(upload.async_drop_within(Duration::ZERO));
        diary.assert_reads(&[]);
        upload.async_drop().await.unwrap();
    });
}

#[test]
fn dl3_outside_of_a_runtime_it_panics_and_the_guard_stays_armed() {
    let ((), incidents) = record(|| {
        let diary = Diary::default();
        let mut session = AsyncDropGuard::new(Session::of("ada", &diary));
        let message = message_of_panic(|| {
            let mut cleanup = Box::pin(session.async_drop_within(LIMIT));
            let _ = poll_once(cleanup.as_mut());
        });
        assert!(message.contains("no reactor running"), "{message}");
        diary.assert_reads(&[]);
        assert!(!session.is_dropped());
        futures::executor::block_on(session.async_drop()).unwrap();
    });
    assert_eq!(incidents, []);
}

/// A cleanup that owns the guard of another value, and a value whose own `Drop` panics.
#[derive(Debug)]
struct Outer {
    _owned_by_the_value: AsyncDropGuard<Session>,
    owned_by_the_cleanup: Option<AsyncDropGuard<Session>>,
}

#[async_trait]
impl AsyncDrop for Outer {
    type Error = io::Error;

    async fn async_drop_impl(&mut self) -> io::Result<()> {
        let _inner = self.owned_by_the_cleanup.take();
        pending().await
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("the Drop of the value panics");
        }
    }
}

/// The default hook panics for every guard that is dropped with the value. None of that reaches the caller.
#[test]
fn dl2_no_panic_follows_the_deadline() {
    fn program() {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let session = |user| AsyncDropGuard::new(Session::of(user, &Diary::default()));
        let error = runtime.block_on(async {
            let mut outer = AsyncDropGuard::new(Outer {
                _owned_by_the_value: session("ada"),
                owned_by_the_cleanup: Some(session("bob")),
            });
            outer.async_drop_within(LIMIT).await.unwrap_err()
        });
        assert!(matches!(error, DeadlineError::Passed { .. }));
        eprintln!("the end");
    }
    let outcome = run_in_new_process(test_path!("dl2_no_panic_follows_the_deadline"), program);
    assert!(outcome.lived_on, "{}", outcome.stderr);
    for report in [
        r#"Forgot to call async_drop on Session("bob")"#,
        "the Drop of the value panics",
        r#"Forgot to call async_drop on Session("ada")"#,
    ] {
        assert_eq!(
            outcome.stderr.matches(report).count(),
            1,
            "{}",
            outcome.stderr
        );
    }
    assert!(!outcome.stderr.contains("Outer"), "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with("the end\n"), "{}", outcome.stderr);
}

/// A cleanup that waits for ever still ends.
#[test]
fn dl2_a_cleanup_that_waits_for_ever_ends_at_the_deadline() {
    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl AsyncDrop for Silent {
        type Error = io::Error;

        async fn async_drop_impl(&mut self) -> io::Result<()> {
            pending().await
        }
    }

    run_without_incident(async {
        let mut silent = AsyncDropGuard::new(Silent);
        let error = silent.async_drop_within(LIMIT).await.unwrap_err();
        assert!(matches!(error, DeadlineError::Passed { .. }));
    });
}
