//! A large value costs no stack: once it is in a guard or a helper, nothing moves it.
//!
//! A value of 1 MiB is made on a thread with a large stack, and one operation runs on a thread of 2 MiB, which has room
//! for one more of it and no second one. A stack overflow ends the whole process, so each test has one of its own.

use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::thread;

use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropHashMap, AsyncDropResult, AsyncDropShared,
    AsyncDropStack, AsyncDropWith, SyncDrop, async_drop_all, async_drop_on_err, async_trait,
    flatten_async_drop, with_async_drop, with_async_drop_2, with_async_drop_2_infallible,
    with_async_drop_both_errors,
};
use futures::FutureExt;
use futures::executor::block_on;

use crate::support::{message_of_panic, run_in_new_process};
use crate::{cleaned_up_at_once, test_path};

const MIB: usize = 1 << 20;

/// A value of `N` bytes, with something to drop.
struct Sized<const N: usize> {
    bytes: [u8; N],
    name: String,
    /// How many polls of the cleanup return `Pending`.
    waits: usize,
    fails: bool,
}

type Large = Sized<MIB>;

impl<const N: usize> Sized<N> {
    fn guarded() -> AsyncDropGuard<Self> {
        Self::waiting(0)
    }

    fn waiting(waits: usize) -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            bytes: [7; N],
            name: "large".into(),
            waits,
            fails: false,
        })
    }

    fn failing() -> AsyncDropGuard<Self> {
        let mut guard = Self::waiting(0);
        guard.fails = true;
        guard
    }
}

impl<const N: usize> Debug for Sized<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[derive(Debug, PartialEq)]
struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("full")
    }
}

impl std::error::Error for Full {}

#[async_trait]
impl<const N: usize> AsyncDrop for Sized<N> {
    type Error = Full;

    async fn async_drop_impl(&mut self) -> Result<(), Full> {
        for _ in 0..self.waits {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.bytes[N - 1], 7);
        if self.fails { Err(Full) } else { Ok(()) }
    }
}

/// A value that has nothing to drop, and cannot fail.
struct Plain([u8; MIB]);

impl Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain")
    }
}

cleaned_up_at_once!(Plain);

fn on_a_large_stack<R: Send + 'static>(make: fn() -> R) -> R {
    let thread = thread::Builder::new().stack_size(64 * MIB);
    thread.spawn(make).unwrap().join().unwrap()
}

const PASSED: &str = "passed on a stack of 2 MiB";

fn on_a_small_stack(operation: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(2 * MIB);
    thread.spawn(operation).unwrap().join().unwrap();
    eprintln!("{PASSED}");
}

/// A test that makes a value in a box on a large stack, and runs an operation with it on a small one.
macro_rules! costs_no_stack {
    ($($(#[$attribute:meta])* $test:ident: $make:expr => |$value:ident| $operation:block)*) => {$(
        #[test]
        $(#[$attribute])*
        fn $test() {
            fn program() {
                #[allow(unused_mut)]
                let mut $value = on_a_large_stack(|| Box::new($make));
                on_a_small_stack(move || $operation);
            }
            let outcome = run_in_new_process(test_path!(stringify!($test)), program);
            assert!(outcome.lived_on, "{}", outcome.stderr);
            assert!(outcome.stderr.ends_with(&format!("{PASSED}\n")), "{}", outcome.stderr);
        }
    )*};
}

/// Drops what is in `it`, which must be reported as a panic that begins so.
fn forget<T>(it: Box<T>, beginning: &str) {
    let message = message_of_panic(|| drop(it));
    assert!(message.starts_with(beginning), "{message}");
}

/// Drops what is in `it` while the thread is unwinding, which must not abort the process.
fn forget_while_unwinding<T>(it: Box<T>) {
    let message = message_of_panic(|| {
        let _it = it;
        panic!("something else went wrong");
    });
    assert_eq!(message, "something else went wrong");
}

fn interrupt<F: Future>(cleanup: F) {
    assert!(cleanup.now_or_never().is_none());
}

const FORGOT: &str = "Forgot to call async_drop on ";
const INTERRUPTED: &str = "async_drop on ";

mod guard {
    use super::*;

    costs_no_stack! {
        cleaned_up: Large::guarded() => |large| {
            block_on(large.async_drop()).unwrap();
            assert!(large.is_dropped());
        }
        cleaned_up_with_nothing_to_drop: AsyncDropGuard::new(Plain([7; MIB])) => |plain| {
            assert_eq!(plain.0[1], 7);
            block_on(plain.async_drop()).unwrap();
        }
        cleaned_up_with_an_error: Large::failing() => |large| {
            assert_eq!(block_on(large.async_drop()), Err(Full));
        }
        taken_up_after_an_interruption: Large::waiting(1) => |large| {
            interrupt(large.async_drop());
            block_on(large.async_drop()).unwrap();
        }
        interrupted: Large::waiting(1) => |large| {
            interrupt(large.async_drop());
            forget(large, INTERRUPTED);
        }
        forgotten: Large::guarded() => |large| {
            forget(large, FORGOT);
        }
        forgotten_while_unwinding: Large::guarded() => |large| {
            forget_while_unwinding(large);
        }
        forgotten_with_a_hook_that_returns: Large::guarded() => |large| {
            asyncdrop::incident::set_hook(Box::new(|_| {}));
            drop(large);
        }
    }
}

#[cfg(feature = "tokio")]
mod deadline {
    use std::time::Duration;

    use asyncdrop::DeadlineError;

    use super::*;

    fn within<T: AsyncDrop + Debug>(
        guard: &mut AsyncDropGuard<T>,
        limit: Duration,
    ) -> Result<(), DeadlineError<T::Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        runtime.block_on(guard.async_drop_within(limit))
    }

    costs_no_stack! {
        met: Large::waiting(1) => |large| {
            within(&mut large, Duration::from_secs(60)).unwrap();
        }
        passed: Large::waiting(usize::MAX) => |large| {
            let error = within(&mut large, Duration::ZERO).unwrap_err();
            assert!(matches!(error, DeadlineError::Passed { .. }));
            assert!(large.is_dropped());
        }
    }
}

mod sync_drop {
    use std::time::Duration;

    use super::*;

    costs_no_stack! {
        cleaned_up: SyncDrop::new(Large::guarded()) => |large| {
            assert_eq!(large.bytes[0], 7);
            drop(large);
        }
        cleaned_up_with_an_error: SyncDrop::new(Large::failing()) => |large| {
            forget(large, "async_drop on ");
        }
        out_of_time: SyncDrop::with_time_limit(Large::waiting(usize::MAX), Duration::ZERO) => |large| {
            forget(large, "async_drop on ");
        }
        cleaned_up_while_unwinding: SyncDrop::new(Large::guarded()) => |large| {
            forget_while_unwinding(large);
        }
    }
}

mod scopes {
    use super::*;

    costs_no_stack! {
        with: Box::pin(with_async_drop(Large::guarded(), async |large| Ok::<_, Full>(large.bytes[0]))) => |scope| {
            assert_eq!(block_on(*scope), Ok(7));
        }
        with_an_error: Box::pin(with_async_drop(Large::failing(), async |large| Ok::<_, Full>(large.bytes[0]))) => |scope| {
            assert_eq!(block_on(*scope), Err(Full));
        }
        both_errors: Box::pin(with_async_drop_both_errors(Large::failing(), async |_| Err::<(), _>(Full))) => |scope| {
            let error = block_on(*scope).unwrap_err();
            assert_eq!((error.body(), error.cleanup()), (Some(&Full), Some(&Full)));
        }
        interrupted: Box::pin(with_async_drop(Large::waiting(1), async |large| Ok::<_, Full>(large.bytes[0]))) => |scope| {
            let mut scope = *scope;
            assert!(scope.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            forget(Box::new(scope), INTERRUPTED);
        }
    }

    /// A macro moves the guard to a variable of its name, in a function of the caller, and the others return guards by value.
    /// For each move a debug build makes room once or twice.
    mod that_move_the_guard {
        use super::*;

        type Smaller = Sized<{ 64 << 10 }>;

        costs_no_stack! {
               macros: {
                   let large = Smaller::guarded();
                   let scope = async { with_async_drop_2!(large, { Ok::<_, Full>(large.bytes[0]) }) };
                   Box::pin(scope) as Pin<Box<dyn Future<Output = Result<u8, Full>> + Send>>
               } => |scope| {
                   assert_eq!(block_on(*scope), Ok(7));
               }
               infallible_macro: {
                   let small = AsyncDropWith::new([7; 64 << 10], async |_: [u8; 64 << 10]| {
        Ok::<_, std::convert::Infallible>(())
        });
                   let scope = async { with_async_drop_2_infallible!(small, { small[0] }) };
                   Box::pin(scope) as Pin<Box<dyn Future<Output = u8> + Send>>
               } => |scope| {
                   assert_eq!(block_on(*scope), 7);
               }
                   on_err: Box::pin(async_drop_on_err(Smaller::guarded(), async |_| Err::<(), _>(Full))) => |scope| {
                       assert_eq!(block_on(*scope).err(), Some(Full));
                   }
                   on_err_that_went_well: Box::pin(async_drop_on_err(Smaller::guarded(), async |_| Ok::<_, Full>(()))) => |scope| {
                       let (mut large, ()) = block_on(*scope).unwrap();
                       block_on(large.async_drop()).unwrap();
                   }
                   flatten: Box::pin(flatten_async_drop(Ok::<_, Full>(Smaller::guarded()), Err::<AsyncDropGuard<Smaller>, _>(Full))) => |both| {
                       let both: Result<_, Full> = block_on(*both);
                       assert_eq!(both.err(), Some(Full));
                   }
               }
    }

    fn guarded() -> AsyncDropGuard<Sized<10_000>> {
        Sized::guarded()
    }

    /// A future that has room for the value twice, and for a little more.
    const TWICE: usize = 2 * 10_000 + 1_000;
    const ONCE: usize = 10_000 + 1_000;

    async fn body(large: &mut Sized<10_000>) -> Result<u8, Full> {
        tokio::task::yield_now().await;
        Ok(large.bytes[0])
    }

    #[test]
    fn the_future_of_a_scope_has_room_for_its_value_once() {
        let scope = with_async_drop(guarded(), body);
        assert!(size_of_val(&scope) < ONCE, "{}", size_of_val(&scope));
        block_on(scope).unwrap();

        let scope = with_async_drop_both_errors(guarded(), body);
        assert!(size_of_val(&scope) < ONCE, "{}", size_of_val(&scope));
        block_on(scope).unwrap();

        let scope = async_drop_on_err(guarded(), body);
        assert!(size_of_val(&scope) < ONCE, "{}", size_of_val(&scope));
        let (mut large, _) = block_on(scope).unwrap();
        block_on(large.async_drop()).unwrap();
    }

    #[test]
    fn the_future_around_a_scope_macro_has_room_for_its_value_twice() {
        let scope = async {
            let large = guarded();
            with_async_drop_2!(large, { body(&mut large).await })
        };
        assert!(size_of_val(&scope) < TWICE, "{}", size_of_val(&scope));
        block_on(scope).unwrap();
    }

    #[test]
    fn a_future_of_two_guards_has_room_for_each_once() {
        let first = Ok::<_, Full>(guarded());
        let both = flatten_async_drop(first, Err::<AsyncDropGuard<Sized<10_000>>, _>(Full));
        assert!(size_of_val(&both) < TWICE, "{}", size_of_val(&both));
        let both: Result<_, Full> = block_on(both);
        assert_eq!(both.err(), Some(Full));
    }
}

mod many {
    use super::*;

    fn map(
        values: usize,
        make: fn() -> AsyncDropGuard<Large>,
    ) -> AsyncDropGuard<AsyncDropHashMap<usize, Large>> {
        let mut map = AsyncDropHashMap::new();
        for key in 0..values {
            assert!(map.insert(key, make()).is_none());
        }
        map
    }

    fn stack(make: fn() -> AsyncDropGuard<Large>) -> AsyncDropGuard<AsyncDropStack> {
        let mut stack = AsyncDropStack::new();
        stack.push(make());
        stack.push(make());
        stack
    }

    costs_no_stack! {
        all: Box::pin(async_drop_all([(1, Large::guarded()), (2, Large::failing())])) => |all| {
            assert_eq!(block_on(*all).unwrap_err().len(), 1);
        }
        all_cancelled: Box::pin(async_drop_all([(1, Large::waiting(100)), (2, Large::guarded())])) => |all| {
            let mut all = *all;
            assert!(all.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            forget(Box::new(all), INTERRUPTED);
        }
        map_cleaned_up: map(5, Large::guarded) => |map| {
            assert_eq!(map.get(&3).unwrap().bytes[0], 7);
            assert_eq!(map.values().count(), 5);
            block_on(map.async_drop()).unwrap();
        }
        map_cleaned_up_with_errors: map(2, Large::failing) => |map| {
            assert_eq!(block_on(map.async_drop()).unwrap_err().len(), 2);
        }
        map_taken_up_after_an_interruption: map(2, || Large::waiting(100)) => |map| {
            interrupt(map.async_drop());
            block_on(map.async_drop()).unwrap();
        }
        map_forgotten: map(2, Large::guarded) => |map| {
            forget(map, FORGOT);
        }
        stack_cleaned_up: stack(Large::guarded) => |stack| {
            block_on(stack.async_drop()).unwrap();
        }
        stack_cleaned_up_with_errors: stack(Large::failing) => |stack| {
            assert_eq!(block_on(stack.async_drop()).unwrap_err().len(), 2);
        }
        stack_taken_up_after_an_interruption: stack(|| Large::waiting(1)) => |stack| {
            interrupt(stack.async_drop());
            block_on(stack.async_drop()).unwrap();
        }
        stack_forgotten: stack(Large::guarded) => |stack| {
            forget(stack, FORGOT);
        }
    }
}

mod derived {
    use super::*;

    #[derive(Debug, AsyncDrop)]
    struct Fields {
        first: AsyncDropGuard<Large>,
        second: AsyncDropGuard<Sized<1024>>,
    }

    impl Fields {
        fn of(first: AsyncDropGuard<Large>) -> AsyncDropGuard<Self> {
            let second = Sized::failing();
            AsyncDropGuard::new(Self { first, second })
        }
    }

    costs_no_stack! {
        cleaned_up_with_errors: Fields::of(Large::failing()) => |fields| {
            assert_eq!(block_on(fields.async_drop()).unwrap_err().len(), 2);
        }
        taken_up_after_an_interruption: Fields::of(Large::waiting(1)) => |fields| {
            interrupt(fields.async_drop());
            assert_eq!(block_on(fields.async_drop()).unwrap_err().len(), 1);
        }
        forgotten: Fields::of(Large::guarded()) => |fields| {
            forget(fields, FORGOT);
        }
    }
}

mod sharing {
    use super::*;

    type Arcs = [AsyncDropGuard<AsyncDropArc<Large>>; 2];

    fn arcs(large: AsyncDropGuard<Large>) -> Arcs {
        let first = AsyncDropArc::new(large);
        let second = AsyncDropArc::clone(&first);
        [first, second]
    }

    type Creation = Pin<Box<dyn Future<Output = AsyncDropGuard<Large>> + Send>>;

    /// Created, and with two owners.
    fn shared(
        make: fn() -> AsyncDropGuard<Large>,
    ) -> [AsyncDropGuard<AsyncDropShared<Large, Creation>>; 2] {
        let first = AsyncDropShared::new(Box::pin(async move { make() }) as Creation);
        let second = AsyncDropShared::clone(&first);
        block_on(async { first.get().await.async_drop().await }).unwrap();
        [first, second]
    }

    costs_no_stack! {
        arc_cleaned_up: arcs(Large::waiting(1)) => |arcs| {
            assert_eq!(arcs[0].bytes[0], 7);
            block_on(arcs[0].async_drop()).unwrap();
            interrupt(arcs[1].async_drop());
            assert_eq!(arcs[1].bytes[0], 7);
            block_on(arcs[1].async_drop()).unwrap();
        }
        arc_cleaned_up_with_a_weak_reference: AsyncDropArc::new(Large::failing()) => |arc| {
            let weak = AsyncDropArc::downgrade(&arc);
            assert_eq!(block_on(arc.async_drop()), Err(Full));
            assert!(weak.upgrade().is_none());
        }
        arc_forgotten: AsyncDropArc::new(Large::guarded()) => |arc| {
            forget(arc, FORGOT);
        }
        arc_forgotten_while_unwinding: arcs(Large::guarded()) => |arcs| {
            forget_while_unwinding(arcs);
        }
        shared_cleaned_up: shared(|| Large::waiting(1)) => |shared| {
            assert_eq!(shared[0].peek().unwrap().bytes[0], 7);
            block_on(shared[0].async_drop()).unwrap();
            interrupt(shared[1].async_drop());
            block_on(shared[1].async_drop()).unwrap();
        }
        shared_forgotten: shared(Large::guarded) => |shared| {
            forget(shared, FORGOT);
        }
    }
}

mod result {
    use super::*;

    type Outcome = AsyncDropGuard<AsyncDropResult<Large, Full>>;

    fn outcome(large: AsyncDropGuard<Large>) -> Outcome {
        AsyncDropResult::new(Ok(large))
    }

    costs_no_stack! {
        cleaned_up: outcome(Large::waiting(1)) => |result| {
            assert_eq!(result.ok().unwrap().bytes[0], 7);
            interrupt(result.async_drop());
            block_on(result.async_drop()).unwrap();
        }
        forgotten: outcome(Large::guarded()) => |result| {
            forget(result, FORGOT);
        }
    }
}

#[cfg(feature = "tokio")]
mod mutex {
    use asyncdrop::AsyncDropTokioMutex;

    use super::*;

    costs_no_stack! {
        cleaned_up: AsyncDropTokioMutex::new(Large::waiting(1)) => |mutex| {
            assert_eq!(block_on(mutex.lock()).bytes[0], 7);
            interrupt(mutex.async_drop());
            block_on(mutex.async_drop()).unwrap();
        }
        forgotten: AsyncDropTokioMutex::new(Large::guarded()) => |mutex| {
            forget(mutex, FORGOT);
        }
    }
}

/// The close takes the value by value, and so the compiler moves it: into the call, and into the future.
/// A large value goes into a box of its own.
mod with {
    use super::*;

    costs_no_stack! {
        cleaned_up: AsyncDropWith::new([7; 64 << 10], async |bytes: [u8; 64 << 10]| {
            tokio::task::yield_now().await;
            if bytes[0] == 7 { Ok(()) } else { Err(Full) }
        }) => |value| {
            interrupt(value.async_drop());
            block_on(value.async_drop()).unwrap();
        }
        cleaned_up_in_a_box: AsyncDropWith::new(Box::new([7; MIB]), async |bytes: Box<[u8; MIB]>| {
            tokio::task::yield_now().await;
            if bytes[0] == 7 { Ok(()) } else { Err(Full) }
        }) => |value| {
            interrupt(value.async_drop());
            block_on(value.async_drop()).unwrap();
        }
        forgotten: AsyncDropWith::new([7; MIB], async |_: [u8; MIB]| Ok::<_, Full>(())) => |value| {
            assert_eq!(value[0], 7);
            forget(value, FORGOT);
        }
    }
}

#[cfg(feature = "tokio")]
mod reaper {
    use asyncdrop::{AsyncDropReaper, Reaped};
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    type Adopted = (Runtime, AsyncDropGuard<AsyncDropReaper>, Box<Reaped<Large>>);

    fn adopted(make: fn() -> AsyncDropGuard<Large>) -> Adopted {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let entered = runtime.enter();
        let reaper = AsyncDropReaper::new();
        let adopted = Box::new(reaper.adopt(make()));
        drop(entered);
        (runtime, reaper, adopted)
    }

    costs_no_stack! {
        cleaned_up_in_place: adopted(Large::guarded) => |adopted| {
            let (runtime, mut reaper, mut large) = *adopted;
            runtime.block_on(large.async_drop()).unwrap();
            drop(large);
            runtime.block_on(reaper.async_drop()).unwrap();
        }
        handed_over: adopted(|| Large::waiting(1)) => |adopted| {
            let (runtime, mut reaper, large) = *adopted;
            drop(large);
            runtime.block_on(reaper.async_drop()).unwrap();
        }
        handed_over_while_unwinding: adopted(Large::failing) => |adopted| {
            let (runtime, mut reaper, large) = *adopted;
            forget_while_unwinding(large);
            assert_eq!(runtime.block_on(reaper.async_drop()).unwrap_err().len(), 1);
        }
        handed_over_after_the_end: adopted(Large::guarded) => |adopted| {
            let (_runtime, reaper, large) = *adopted;
            asyncdrop::incident::set_hook(Box::new(|_| {}));
            drop(reaper);
            drop(large);
        }
        given_up_at_a_deadline: adopted(|| Large::waiting(usize::MAX)) => |adopted| {
            let (runtime, reaper, large) = *adopted;
            drop(large);
            let end = AsyncDropReaper::shutdown(reaper, std::time::Duration::ZERO);
            assert_eq!(runtime.block_on(end).unwrap_err().left(), 0);
        }
    }
}
