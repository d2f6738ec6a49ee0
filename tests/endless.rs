//! A cleanup that never ends: with a timeout around it every helper gives up in time and keeps the value,
//! and dropping the helper then reports it.
//!
//! Two have no timeout around them: `SyncDrop` blocks and has a limit of its own, and a reaper waits in tasks of its own.
//! What becomes of an endless cleanup there is tested in `sync_drop.rs` and `reaper.rs`.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future;
use std::time::Duration;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropHashMap, AsyncDropResult, AsyncDropShared,
    async_drop_all, async_drop_on_err, async_trait, flatten_async_drop, with_async_drop,
    with_async_drop_2, with_async_drop_2_infallible, with_async_drop_both_errors,
};
use tokio::time::timeout;

use crate::cleaned_up_at_once;
use crate::support::{Recorded, record};

const LIMIT: Duration = Duration::from_secs(3600);

/// Waits for an answer that never comes.
#[derive(Debug)]
struct Endless;

#[async_trait]
impl AsyncDrop for Endless {
    type Error = Infallible;

    async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
        future::pending().await
    }
}

fn endless() -> AsyncDropGuard<Endless> {
    AsyncDropGuard::new(Endless)
}

/// Gives up twice, since the second call must not hang or succeed either, and returns what the drop reports.
async fn give_up<T: AsyncDrop + Debug>(mut guard: AsyncDropGuard<T>) -> Vec<Recorded> {
    for _ in 0..2 {
        assert!(timeout(LIMIT, guard.async_drop()).await.is_err());
        assert!(!guard.is_dropped());
    }
    record(|| drop(guard)).1
}

#[track_caller]
fn assert_interrupted(incidents: &[Recorded], values: &[&str]) {
    let expected: Vec<_> = values
        .iter()
        .map(|value| {
            let message = format!("async_drop on {value} was interrupted before it finished");
            (IncidentKind::Interrupted, message)
        })
        .collect();
    let actual: Vec<_> = incidents
        .iter()
        .map(|it| {
            let message = it.message.split(", created at").next().unwrap();
            (it.kind, message.to_owned())
        })
        .collect();
    assert_eq!(actual, expected);
}

#[tokio::test(start_paused = true)]
async fn an_endless_cleanup_of_a_guard_is_given_up_and_reported() {
    assert_interrupted(&give_up(endless()).await, &["Endless"]);
}

#[tokio::test(start_paused = true)]
async fn an_endless_cleanup_of_a_trait_object_is_given_up_and_reported() {
    trait Connection: AsyncDrop<Error = Infallible> + Debug + Send {}
    impl Connection for Endless {}
    let boxed: AsyncDropGuard<Box<dyn Connection>> = endless()
        .into_box()
        .map_unsafe(|connection| connection as _);

    assert_interrupted(&give_up(boxed).await, &["Endless"]);
}

#[tokio::test(start_paused = true)]
async fn an_endless_cleanup_in_a_derived_type_keeps_no_other_field() {
    #[derive(Debug)]
    struct Quick;
    cleaned_up_at_once!(Quick);

    #[derive(Debug, AsyncDrop)]
    struct Service {
        cache: AsyncDropGuard<Quick>,
        connection: AsyncDropGuard<Endless>,
    }

    let service = AsyncDropGuard::new(Service {
        cache: AsyncDropGuard::new(Quick),
        connection: endless(),
    });

    assert_interrupted(
        &give_up(service).await,
        &[
            "Service { cache: AsyncDropGuard(<dropped>), connection: AsyncDropGuard(Endless) }",
            "Endless",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_cleanup_in_an_arc_keeps_the_last_owner_only() {
    let mut first = AsyncDropArc::new(endless());
    let last = AsyncDropArc::clone(&first);
    assert_eq!(timeout(LIMIT, first.async_drop()).await, Ok(Ok(())));

    assert_interrupted(
        &give_up(last).await,
        &["AsyncDropArc(AsyncDropGuard(Endless))", "Endless"],
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_cleanup_in_a_map_keeps_no_other_value() {
    #[derive(Debug)]
    enum Connection {
        Quick,
        Endless,
    }

    #[async_trait]
    impl AsyncDrop for Connection {
        type Error = Infallible;

        async fn async_drop_impl(&mut self) -> Result<(), Infallible> {
            match self {
                Self::Quick => Ok(()),
                Self::Endless => future::pending().await,
            }
        }
    }

    let mut map = AsyncDropHashMap::new();
    for (key, connection) in [
        (1, Connection::Quick),
        (2, Connection::Endless),
        (3, Connection::Quick),
    ] {
        assert!(map.insert(key, AsyncDropGuard::new(connection)).is_none());
    }

    assert_interrupted(
        &give_up(map).await,
        &["{2: AsyncDropGuard(Endless)}", "Endless"],
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_cleanup_in_a_result_is_given_up_and_reported() {
    let result = AsyncDropResult::new(Result::<_, Infallible>::Ok(endless()));

    assert_interrupted(
        &give_up(result).await,
        &[
            "AsyncDropResult { result: Ok(AsyncDropGuard(Endless)) }",
            "Endless",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_cleanup_of_a_shared_value_is_given_up_and_reported() {
    let shared = AsyncDropShared::new(async { endless() });

    assert_interrupted(
        &give_up(shared).await,
        &[
            "AsyncDropShared(Endless)",
            "AsyncDropArc(AsyncDropGuard(Endless))",
            "Endless",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_creation_of_a_shared_value_is_given_up_and_reported() {
    let shared = AsyncDropShared::new(future::pending::<AsyncDropGuard<Endless>>());

    assert_interrupted(&give_up(shared).await, &["AsyncDropShared(<not created>)"]);
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn an_endless_cleanup_in_a_mutex_is_given_up_and_reported() {
    let mutex = asyncdrop::AsyncDropTokioMutex::new(endless());

    assert_interrupted(
        &give_up(mutex).await,
        &["AsyncDropTokioMutex(AsyncDropGuard(Endless))", "Endless"],
    );
}

#[test]
fn an_endless_cleanup_in_a_function_that_owns_the_guard_is_reported() {
    let incidents_of = |future| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (outcome, incidents) =
            record(|| runtime.block_on(async { timeout(LIMIT, future).await.is_err() }));
        assert!(outcome, "it was given up");
        incidents
    };
    let run = |future| assert_interrupted(&incidents_of(future), &["Endless"]);
    type Boxed = std::pin::Pin<Box<dyn Future<Output = ()>>>;

    let all: Boxed = Box::pin(async { async_drop_all([("key", endless())]).await.unwrap() });
    run(all);
    run(Box::pin(async {
        let failed = async_drop_on_err(endless(), async |_| Result::<(), _>::Err("refused"));
        drop(failed.await);
    }));
    let incidents = incidents_of(Box::pin(async {
        let first: Result<_, &str> = Ok(endless());
        let second = Result::<AsyncDropGuard<Endless>, _>::Err("refused");
        drop(flatten_async_drop::<&str, _, _, _, _>(first, second).await);
    }));
    let (interrupted, suppressed) = incidents.split_at(1);
    assert_interrupted(interrupted, &["Endless"]);
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0].kind, IncidentKind::Suppressed);
    assert!(suppressed[0].message.contains("refused"));
    run(Box::pin(async {
        let _: Result<(), Infallible> = with_async_drop(endless(), async |_| Ok(())).await;
    }));
    run(Box::pin(async {
        let scope =
            with_async_drop_both_errors(endless(), async |_| Result::<(), _>::Err("refused"));
        drop(scope.await);
    }));
    run(Box::pin(async {
        let connection = endless();
        let _: Result<(), Infallible> = with_async_drop_2!(connection, { Ok(()) });
    }));
    run(Box::pin(async {
        let connection = endless();
        let _: Result<(), &str> =
            with_async_drop_2!(connection, { Err("refused") }, |never| match never {});
    }));
    run(Box::pin(async {
        let connection = endless();
        with_async_drop_2_infallible!(connection, {});
    }));
}
