//! The promise N2: the public types, and the futures of the async functions, are `Send`, `Sync` and `Unpin`
//! wherever their parts are, and nowhere else.
//!
//! All of it is checked when this file is compiled. The tests have names so that they can be found.

#![allow(dead_code, reason = "nothing here is run")]

use std::cell::Cell;
use std::fmt::Debug;
use std::future::{Pending, Ready};
use std::marker::{PhantomData, PhantomPinned};
use std::rc::Rc;

use asyncdrop::incident::{Incident, IncidentKind};
use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropHashMap, AsyncDropResult, AsyncDropShared,
    AsyncDropSharedGet, AsyncDropStack, AsyncDropWeak, AsyncDropWith, BoxedAsyncDropWith,
    DropErrors, ScopeError, StackKey, SyncDrop, TryInsertError, async_drop_all, async_drop_on_err,
    async_trait, flatten_async_drop, with_async_drop, with_async_drop_both_errors,
};
use static_assertions::{assert_impl_all, assert_not_impl_any};

/// What a test holds across its awaits can be spawned with it.
#[cfg(feature = "testing")]
mod testing {
    use super::*;
    use asyncdrop::testing::{CollectedIncident, Cut, Incidents, Interruptions, Sweep, Trickle};

    assert_impl_all!(Sweep: Send, Sync, Unpin);
    assert_impl_all!(Cut: Send, Sync, Unpin);
    assert_impl_all!(Incidents: Send, Sync, Unpin);
    assert_impl_all!(CollectedIncident: Send, Sync, Unpin);
    assert_impl_all!(Interruptions: Send, Sync, Unpin);
    assert_impl_all!(Trickle<u8>: Send, Sync, Unpin);
    assert_impl_all!(Trickle<Cell<u8>>: Send, Unpin);
    assert_not_impl_any!(Trickle<Cell<u8>>: Sync);
    assert_not_impl_any!(Trickle<Rc<u8>>: Send, Sync);
    assert_not_impl_any!(Trickle<PhantomPinned>: Unpin);
}

/// A value of which the marker decides the auto traits, and whose cleanup fails with `E`.
#[derive(Debug)]
struct Value<M, E = String>(M, PhantomData<fn() -> E>);

macro_rules! impl_async_drop {
    ($($value:ty),*) => {$(
        #[async_trait]
        impl AsyncDrop for $value {
            type Error = String;

            async fn async_drop_impl(&mut self) -> Result<(), String> {
                Ok(())
            }
        }
    )*};
}

/// `Send`, `Sync` and `Unpin`.
type Both = Value<()>;
/// `Send` and not `Sync`.
type SendOnly = Value<Cell<u8>>;
/// `Sync` and not `Send`.
type SyncOnly = Value<std::sync::MutexGuard<'static, u8>>;
/// Neither `Send` nor `Sync`.
type Local = Value<Rc<u8>>;
/// `Send` and `Sync`, and not `Unpin`.
type Pinned = Value<PhantomPinned>;

impl_async_drop!(Both, SendOnly, Pinned);

/// Cleaned up with an error that is not `Send`, and one that is not `Sync`.
type LocalError = Value<(), Rc<u8>>;
type SendOnlyError = Value<(), Cell<u8>>;

#[async_trait]
impl AsyncDrop for LocalError {
    type Error = Rc<u8>;

    async fn async_drop_impl(&mut self) -> Result<(), Rc<u8>> {
        Ok(())
    }
}

#[async_trait]
impl AsyncDrop for SendOnlyError {
    type Error = Cell<u8>;

    async fn async_drop_impl(&mut self) -> Result<(), Cell<u8>> {
        Ok(())
    }
}

#[test]
fn n2_a_guard_is_what_its_value_is() {
    // The guard is what its value is. It moves its value and is `Unpin` only together with it.
    assert_impl_all!(AsyncDropGuard<Both>: Send, Sync, Unpin);
    assert_impl_all!(AsyncDropGuard<SendOnly>: Send);
    assert_not_impl_any!(AsyncDropGuard<SendOnly>: Sync);
    assert_impl_all!(AsyncDropGuard<SyncOnly>: Sync);
    assert_not_impl_any!(AsyncDropGuard<SyncOnly>: Send);
    assert_not_impl_any!(AsyncDropGuard<Local>: Send, Sync);
    assert_not_impl_any!(AsyncDropGuard<Pinned>: Unpin);
}

#[test]
fn n2_the_arc_and_its_weak_reference_need_a_value_that_is_send_and_sync() {
    // An owner may run the cleanup and lend the value: it needs both, as a standard `Arc` does. The value is behind a pointer.
    assert_impl_all!(AsyncDropArc<Both>: Send, Sync, Unpin);
    assert_not_impl_any!(AsyncDropArc<SendOnly>: Send, Sync);
    assert_not_impl_any!(AsyncDropArc<SyncOnly>: Send, Sync);
    assert_impl_all!(AsyncDropArc<Pinned>: Unpin);
    assert_impl_all!(AsyncDropWeak<Both>: Send, Sync, Unpin, Clone);
    assert_not_impl_any!(AsyncDropWeak<SendOnly>: Send, Sync);
    assert_not_impl_any!(AsyncDropWeak<SyncOnly>: Send, Sync);
    assert_impl_all!(AsyncDropWeak<Pinned>: Unpin);
}

#[test]
fn n2_a_map_is_what_its_keys_values_and_errors_are() {
    // A map keeps keys, values, and the errors of an interrupted cleanup.
    assert_impl_all!(AsyncDropHashMap<u8, Both>: Send, Sync, Unpin);
    assert_impl_all!(AsyncDropHashMap<u8, SendOnly>: Send);
    assert_not_impl_any!(AsyncDropHashMap<u8, SendOnly>: Sync);
    assert_impl_all!(AsyncDropHashMap<Cell<u8>, Both>: Send);
    assert_not_impl_any!(AsyncDropHashMap<Cell<u8>, Both>: Sync);
    assert_not_impl_any!(AsyncDropHashMap<Rc<u8>, Both>: Send, Sync);
    assert_not_impl_any!(AsyncDropHashMap<u8, LocalError>: Send, Sync);
    assert_impl_all!(AsyncDropHashMap<u8, SendOnlyError>: Send);
    assert_not_impl_any!(AsyncDropHashMap<u8, SendOnlyError>: Sync);
    // A value in a box can be pinned whatever becomes of the map.
    assert_impl_all!(AsyncDropHashMap<u8, Pinned>: Unpin);
}

#[test]
fn n2_the_error_of_try_insert_is_what_it_gives_back() {
    assert_impl_all!(TryInsertError<u8, Both>: Send, Sync, Unpin);
    assert_not_impl_any!(TryInsertError<u8, Local>: Send, Sync);
    assert_not_impl_any!(TryInsertError<Rc<u8>, Both>: Send, Sync);
    assert_not_impl_any!(TryInsertError<u8, Pinned>: Unpin);
    assert_not_impl_any!(TryInsertError<PhantomPinned, Both>: Unpin);
}

#[test]
fn n2_a_result_is_what_its_value_and_its_error_are() {
    assert_impl_all!(AsyncDropResult<Both, u8>: Send, Sync, Unpin);
    assert_impl_all!(AsyncDropResult<SendOnly, u8>: Send);
    assert_not_impl_any!(AsyncDropResult<SendOnly, u8>: Sync);
    assert_impl_all!(AsyncDropResult<SyncOnly, u8>: Sync);
    assert_not_impl_any!(AsyncDropResult<SyncOnly, u8>: Send);
    assert_not_impl_any!(AsyncDropResult<Both, Rc<u8>>: Send, Sync);
    assert_not_impl_any!(AsyncDropResult<Pinned, u8>: Unpin);
}

/// The close and its future are only ever reached by the one who has the whole to itself, so they need not be `Sync`.
#[test]
fn n2_a_value_with_a_close_is_what_its_value_is() {
    type Close<M> = PhantomFuture<M>;
    assert_impl_all!(AsyncDropWith<u8, Close<()>, Close<()>>: Send, Sync, Unpin);
    assert_impl_all!(AsyncDropWith<u8, Close<Cell<u8>>, Close<Cell<u8>>>: Send, Sync, Unpin);
    assert_impl_all!(AsyncDropWith<Cell<u8>, Close<()>, Close<()>>: Send);
    assert_not_impl_any!(AsyncDropWith<Cell<u8>, Close<()>, Close<()>>: Sync);
    assert_not_impl_any!(AsyncDropWith<Rc<u8>, Close<()>, Close<()>>: Send, Sync);
    assert_not_impl_any!(AsyncDropWith<u8, Close<Rc<u8>>, Close<()>>: Send, Sync);
    assert_not_impl_any!(AsyncDropWith<u8, Close<()>, Close<Rc<u8>>>: Send, Sync);
    assert_not_impl_any!(AsyncDropWith<PhantomPinned, Close<()>, Close<()>>: Unpin);
    // The future lives in a box from the beginning.
    assert_impl_all!(AsyncDropWith<u8, Close<()>, Close<PhantomPinned>>: Unpin);

    assert_impl_all!(BoxedAsyncDropWith<u8, Rc<u8>>: Send, Sync, Unpin);
    assert_impl_all!(BoxedAsyncDropWith<Cell<u8>, u8>: Send);
    assert_not_impl_any!(BoxedAsyncDropWith<Cell<u8>, u8>: Sync);
}

/// Its values can be of any type that is `Send`, so it cannot be `Sync`, but its keys hold nothing of a value.
#[test]
fn n2_a_stack_is_send_and_its_keys_go_everywhere() {
    assert_impl_all!(AsyncDropStack: Send, Unpin);
    assert_not_impl_any!(AsyncDropStack: Sync);
    assert_impl_all!(StackKey<Local>: Send, Sync, Unpin, Copy);
    assert_impl_all!(StackKey<Pinned>: Unpin);
}

// The creation is polled by one thread at a time: it need not be `Sync`. Its output is shared.
type LocalCreation = PhantomFuture<Rc<u8>>;
type SendOnlyCreation = PhantomFuture<Cell<u8>>;
type PinnedCreation = PhantomFuture<PhantomPinned>;
struct PhantomFuture<M>(M);
impl<M> Future for PhantomFuture<M> {
    type Output = AsyncDropGuard<Both>;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::task::Poll::Pending
    }
}

#[test]
fn n2_a_shared_creation_is_polled_by_one_thread_at_a_time_and_its_output_is_shared() {
    assert_impl_all!(AsyncDropShared<Both, Pending<AsyncDropGuard<Both>>>: Send, Sync, Unpin);
    assert_impl_all!(AsyncDropShared<Both, Ready<AsyncDropGuard<Both>>>: Send, Sync, Unpin);
    assert_impl_all!(AsyncDropShared<Both, SendOnlyCreation>: Send, Sync, Unpin);
    assert_not_impl_any!(AsyncDropShared<Both, LocalCreation>: Send, Sync);
    assert_impl_all!(AsyncDropShared<Both, PinnedCreation>: Unpin);
    assert_impl_all!(AsyncDropSharedGet<'static, Both, SendOnlyCreation>: Send, Sync, Unpin);
    assert_not_impl_any!(AsyncDropSharedGet<'static, Both, LocalCreation>: Send, Sync);
    assert_impl_all!(AsyncDropSharedGet<'static, Both, PinnedCreation>: Unpin);
}

#[test]
fn n2_a_sync_drop_is_what_its_value_is() {
    assert_impl_all!(SyncDrop<Both>: Send, Sync, Unpin);
    assert_impl_all!(SyncDrop<SendOnly>: Send);
    assert_not_impl_any!(SyncDrop<SendOnly>: Sync);
    assert_not_impl_any!(SyncDrop<Pinned>: Unpin);
}

#[test]
fn n2_the_errors_are_what_their_keys_and_errors_are() {
    assert_impl_all!(DropErrors<u8, u8>: Send, Sync, Unpin);
    assert_impl_all!(DropErrors<u8, Cell<u8>>: Send);
    assert_not_impl_any!(DropErrors<u8, Cell<u8>>: Sync);
    assert_not_impl_any!(DropErrors<u8, Rc<u8>>: Send, Sync);
    assert_not_impl_any!(DropErrors<Rc<u8>, u8>: Send, Sync);
    assert_not_impl_any!(DropErrors<u8, PhantomPinned>: Unpin);
    assert_not_impl_any!(DropErrors<PhantomPinned, u8>: Unpin);
}

#[test]
fn n2_the_error_of_a_field_goes_everywhere() {
    // What it holds is `Send` and `Sync`, and behind a pointer.
    assert_impl_all!(asyncdrop::CleanupErrors: Send, Sync, Unpin);
}

#[test]
fn n2_the_error_of_a_scope_is_what_its_two_errors_are() {
    assert_impl_all!(ScopeError<u8, u8>: Send, Sync, Unpin);
    assert_impl_all!(ScopeError<Cell<u8>, u8>: Send);
    assert_not_impl_any!(ScopeError<Cell<u8>, u8>: Sync);
    assert_not_impl_any!(ScopeError<u8, Rc<u8>>: Send, Sync);
    assert_not_impl_any!(ScopeError<Rc<u8>, u8>: Send, Sync);
    assert_not_impl_any!(ScopeError<u8, PhantomPinned>: Unpin);
    assert_not_impl_any!(ScopeError<PhantomPinned, u8>: Unpin);
}

#[test]
fn n2_an_incident_stays_on_its_thread() {
    // An incident lends a value whose type the hook does not know.
    assert_impl_all!(Incident<'static>: Unpin);
    assert_not_impl_any!(Incident<'static>: Send, Sync);
    assert_impl_all!(IncidentKind: Send, Sync, Unpin, Copy);
}

#[cfg(feature = "tokio")]
mod tokio_mutex {
    use super::*;
    use asyncdrop::AsyncDropTokioMutex;

    #[test]
    fn n2_a_mutex_hands_its_value_to_one_thread_at_a_time() {
        // The lock hands the value out to one thread at a time, so it makes a value `Sync`.
        assert_impl_all!(AsyncDropTokioMutex<Both>: Send, Sync, Unpin);
        assert_impl_all!(AsyncDropTokioMutex<SendOnly>: Send, Sync);
        assert_not_impl_any!(AsyncDropTokioMutex<SyncOnly>: Send, Sync);
        assert_not_impl_any!(AsyncDropTokioMutex<Pinned>: Unpin);
    }

    #[test]
    fn n2_the_futures_of_a_mutex_are_send_when_their_parts_are() {
        fn the_future_of_lock_is_send(mutex: AsyncDropGuard<AsyncDropTokioMutex<SendOnly>>) {
            send(&mutex.lock());
        }

        fn the_future_of_its_cleanup_is_send(
            mut mutex: AsyncDropGuard<AsyncDropTokioMutex<SendOnly>>,
        ) {
            send(&mutex.async_drop());
        }
    }
}

#[cfg(feature = "tokio")]
mod reaper {
    use super::*;
    use asyncdrop::{
        AsyncDropReaper, CleanupError, CleanupErrors, DeadlineError, Reaped, ReaperHandle,
        ShutdownError, ValueOrigin,
    };
    use std::time::Duration;

    #[test]
    fn n2_a_reaper_and_its_handles_go_everywhere() {
        assert_impl_all!(AsyncDropReaper: Send, Sync, Unpin);
        assert_impl_all!(ReaperHandle: Send, Sync, Unpin, Clone);
        assert_impl_all!(asyncdrop::ReaperBuilder: Send, Sync, Unpin);
        assert_impl_all!(CleanupErrors: Send, Sync, Unpin);
        assert_impl_all!(CleanupError: Send, Sync, Unpin);
        assert_impl_all!(ShutdownError: Send, Sync, Unpin);
        assert_impl_all!(ValueOrigin: Send, Sync, Unpin, Clone);
    }

    #[test]
    fn n2_a_reaped_value_is_what_its_value_is() {
        assert_impl_all!(Reaped<Both>: Send, Sync, Unpin);
        assert_impl_all!(Reaped<SendOnly>: Send);
        assert_not_impl_any!(Reaped<SendOnly>: Sync);
        // The value lies in a box, which can be moved.
        assert_impl_all!(Reaped<Pinned>: Unpin);
    }

    #[test]
    fn n2_the_error_of_a_deadline_is_what_the_error_of_the_cleanup_is() {
        assert_impl_all!(DeadlineError<u8>: Send, Sync, Unpin);
        assert_impl_all!(DeadlineError<Cell<u8>>: Send);
        assert_not_impl_any!(DeadlineError<Cell<u8>>: Sync);
        assert_not_impl_any!(DeadlineError<Rc<u8>>: Send, Sync);
        assert_not_impl_any!(DeadlineError<PhantomPinned>: Unpin);
    }

    #[test]
    fn n2_the_futures_of_a_reaper_and_of_a_deadline_are_send_when_their_parts_are() {
        fn those_of_a_reaper(mut reaper: AsyncDropGuard<AsyncDropReaper>) {
            send(&reaper.async_drop());
            send(&AsyncDropReaper::shutdown(reaper, Duration::ZERO));
        }

        fn that_of_a_reaped_value(mut reaped: Reaped<SendOnly>) {
            send(&reaped.async_drop());
        }

        fn that_of_a_scope(reaper: ReaperHandle, guard: AsyncDropGuard<SendOnly>) {
            send(&reaper.scope(guard, async |value| {
                std::future::pending::<()>().await;
                value.0.set(1);
                Result::<(), String>::Ok(())
            }));
        }

        fn that_of_a_deadline(mut guard: AsyncDropGuard<SendOnly>) {
            send(&guard.async_drop_within(Duration::ZERO));
        }
    }
}

fn send<T: Send>(_: &T) {}

#[test]
fn n2_the_futures_are_send_when_their_parts_are() {
    fn the_future_of_async_drop_is_send<T>(mut guard: AsyncDropGuard<T>)
    where
        T: AsyncDrop + Debug + Send,
    {
        send(&guard.async_drop());
    }

    fn the_future_of_async_drop_is_send_for_every_helper(
        mut arc: AsyncDropGuard<AsyncDropArc<Both>>,
        mut map: AsyncDropGuard<AsyncDropHashMap<u8, SendOnly>>,
        mut result: AsyncDropGuard<AsyncDropResult<SendOnly, Cell<u8>>>,
        mut shared: AsyncDropGuard<AsyncDropShared<Both, SendOnlyCreation>>,
    ) {
        send(&arc.async_drop());
        send(&map.async_drop());
        send(&result.async_drop());
        send(&shared.async_drop());
    }

    fn the_future_of_get_is_send(shared: AsyncDropGuard<AsyncDropShared<Both, SendOnlyCreation>>) {
        send(&shared.get());
        send(&async { (&*shared).await });
    }

    fn the_futures_of_the_scopes_are_send(
        one: AsyncDropGuard<SendOnly>,
        other: AsyncDropGuard<SendOnly>,
        third: AsyncDropGuard<SendOnly>,
    ) {
        send(&with_async_drop_both_errors(third, async |value| {
            std::future::pending::<()>().await;
            value.0.set(1);
            Result::<(), String>::Ok(())
        }));
        send(&with_async_drop(one, async |value| {
            std::future::pending::<()>().await;
            value.0.set(1);
            Result::<(), String>::Ok(())
        }));
        send(&async_drop_on_err(other, async |value| {
            std::future::pending::<()>().await;
            value.0.set(1);
            Result::<(), String>::Ok(())
        }));
    }

    fn the_futures_of_flatten_and_all_are_send(
        first: Result<AsyncDropGuard<SendOnly>, Cell<u8>>,
        second: Result<AsyncDropGuard<SendOnly>, Cell<u8>>,
        many: Vec<(Cell<u8>, AsyncDropGuard<SendOnly>)>,
    ) {
        send(&flatten_async_drop::<Cell<u8>, _, _, _, _>(first, second));
        send(&async_drop_all(many));
    }
}
