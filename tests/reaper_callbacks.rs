//! What a reaper calls is code of others: it may ask the same reaper for anything, and it may panic.
//!
//! None of it runs under a lock of the reaper's, and no panic of it aborts, gets lost without a word, or leaks.

#![cfg(feature = "tokio")]

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug, Display, Write};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use asyncdrop::{
    AsyncDrop, AsyncDropGuard, AsyncDropReaper, AsyncDropWith, Reaped, ReaperHandle, async_trait,
    incident,
};
use tokio::runtime::Builder;

use crate::support::{poll_once, run_in_new_process};
use crate::test_path;

/// How often [`ask_everything`] ran: a callback that was never called proves nothing.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Calls every method of the reaper that takes `&self`, and every one of a value that it has adopted.
fn ask_everything(handle: &ReaperHandle) {
    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }
    // What it takes and drops calls back again, and each of those. Twice is enough.
    if DEPTH.get() == 2 {
        return;
    }
    DEPTH.set(DEPTH.get() + 1);
    ask(handle);
    DEPTH.set(DEPTH.get() - 1);
}

fn ask(handle: &ReaperHandle) {
    ASKED.fetch_add(1, Ordering::SeqCst);
    let _ = (handle.pending(), format!("{handle:?}"));
    // Shown, since a list that is taken here is in none of those that come later.
    if let Some(errors) = handle.take_errors() {
        let _ = format!("{errors}");
    }
    let plain = || AsyncDropWith::new(1, async |_| io::Result::Ok(()));
    let mut value = handle.adopt(plain());
    *value.deref_twice() += 1;
    assert!(poll_once(pin!(value.async_drop())).is_ready());
    drop(Reaped::into_guard(handle.adopt_as("taken back", plain())).unsafe_into_inner_dont_drop());
    let scope = handle.scope(plain(), async |_| io::Result::Ok(()));
    assert!(poll_once(pin!(scope)).is_ready());
}

trait DerefTwice {
    fn deref_twice(&mut self) -> &mut i32;
}

impl<F, Fut> DerefTwice for Reaped<AsyncDropWith<i32, F, Fut>>
where
    AsyncDropWith<i32, F, Fut>: Debug,
{
    fn deref_twice(&mut self) -> &mut i32 {
        self
    }
}

/// Asks the reaper, or panics, wherever the reaper calls it.
#[derive(Clone)]
struct Callback {
    handle: ReaperHandle,
    /// Which of the callbacks panics.
    panics: Option<&'static str>,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Callback {
    fn new(handle: &ReaperHandle, panics: Option<&'static str>) -> Self {
        let (handle, calls) = (handle.clone(), Arc::default());
        Self {
            handle,
            panics,
            calls,
        }
    }

    fn call(&self, place: &'static str) {
        self.calls.lock().unwrap().push(place);
        if self.panics.is_none() {
            ask_everything(&self.handle);
        }
        if self.panics == Some(place) {
            panic!("{place} panics");
        }
    }

    #[track_caller]
    fn assert_called(&self, places: &[&str]) {
        let calls = self.calls.lock().unwrap();
        for place in places {
            assert!(calls.contains(place), "{place} was not called: {calls:?}");
        }
    }
}

struct Value(Callback);

impl Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.call("the value's Debug");
        f.write_str("Value")
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.call("the value's Drop");
    }
}

#[async_trait]
impl AsyncDrop for Value {
    type Error = Failure;

    async fn async_drop_impl(&mut self) -> Result<(), Failure> {
        self.0.call("the cleanup");
        tokio::task::yield_now().await;
        Err(Failure(self.0.clone()))
    }
}

struct Failure(Callback);

impl Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.call("the error's Debug");
        f.write_str("Failure")
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.call("the error's Display");
        f.write_str("it failed")
    }
}

impl Drop for Failure {
    fn drop(&mut self) {
        self.0.call("the error's Drop");
    }
}

/// An error of its own type, so that the conversion into it is a callback as well.
#[derive(Debug)]
struct Converted(Failure);

impl Display for Converted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

impl Error for Converted {}

impl From<Failure> for Box<dyn Error + Send + Sync> {
    fn from(failure: Failure) -> Self {
        failure.0.call("the conversion");
        Box::new(Converted(failure))
    }
}

struct Writer<'a>(&'a Callback, String);

impl Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.call("the writer");
        self.1.push_str(text);
        Ok(())
    }
}

/// A waker that calls back where it is woken and where it is dropped.
struct Bell {
    callback: Callback,
    inner: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.inner.wake_by_ref();
        self.callback.call("the waker");
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.callback.call("the waker's Drop");
    }
}

/// Awaits with a waker of its own.
async fn with_bell<F: Future>(callback: &Callback, future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let bell = Bell {
            callback: callback.clone(),
            inner: context.waker().clone(),
        };
        let waker = Waker::from(Arc::new(bell));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        // The last owner may be here as well as in the reaper.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(waker)));
        polled
    })
    .await
}

/// Takes a reaper through its life, with a callback at every place where it calls others.
///
/// What the test itself calls, and not the reaper, may panic there: it is contained here.
fn life(panics: Option<&'static str>) -> Callback {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (late, callback) = runtime.block_on(async {
        let reaper = {
            let runtime = tokio::runtime::Handle::current();
            let callback: Arc<Mutex<Option<Callback>>> = Arc::default();
            let reaper = AsyncDropReaper::builder()
                .max_concurrent(2)
                .spawner({
                    let callback = Arc::clone(&callback);
                    move |task| {
                        drop(runtime.spawn(task));
                        let callback = callback.lock().unwrap().clone();
                        if let Some(callback) = callback {
                            callback.call_unless_nested("the spawner");
                        }
                    }
                })
                .build();
            *callback.lock().unwrap() = Some(Callback::new(&reaper.handle(), panics));
            (reaper, callback)
        };
        let (mut reaper, spawner) = reaper;
        let callback = spawner.lock().unwrap().clone().unwrap();
        let value = || AsyncDropGuard::new(Value(callback.clone()));

        // In use, in place.
        let mut in_place = reaper.adopt(value());
        let result = catch_unwind_future(in_place.async_drop()).await;
        drop(catch_unwind(AssertUnwindSafe(|| drop(result))));
        drop(in_place);
        // Handed over, several, from here and from a thread that unwinds.
        for _ in 0..4 {
            drop(reaper.adopt(value()));
        }
        let unwinding = reaper.adopt(value());
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _unwinding = unwinding;
            panic!("the first panic");
        }));
        assert!(unwound.is_err());
        // In a scope whose body has failed already, so that the error of the cleanup is reported.
        let body = Failure(callback.clone());
        let scope = reaper.scope(value(), async move |_| Result::<(), _>::Err(body));
        let result = catch_unwind_future(scope).await;
        drop(catch_unwind(AssertUnwindSafe(|| drop(result))));
        // Printed.
        let mut writer = Writer(&callback, String::new());
        let _ = catch_unwind(AssertUnwindSafe(|| {
            write!(writer, "{reaper:?} {:?}", reaper.handle())
        }));

        let handle = reaper.handle();
        // Still in use for a moment, so that there is something to wait for.
        let in_use = reaper.adopt(value());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(in_use);
        });
        // Waited for, with a waker of its own. A panic of the waker may come out of this call.
        let ended = loop {
            match catch_unwind_future(with_bell(&callback, reaper.async_drop())).await {
                Ok(ended) => break ended,
                Err(panic) => drop(panic),
            }
        };
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if let Err(errors) = &ended {
                let _ = format!("{errors} {errors:?}");
            }
        }));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(ended)));
        drop(spawner.lock().unwrap().take());
        (handle, callback)
    });
    // After the end: an incident, and then one on a thread that unwinds.
    drop(late.adopt(AsyncDropGuard::new(Value(callback.clone()))));
    let unwinding = late.adopt(AsyncDropGuard::new(Value(callback.clone())));
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _unwinding = unwinding;
        panic!("the first panic");
    }));
    assert!(unwound.is_err());
    // At a deadline.
    runtime.block_on(async {
        let reaper = AsyncDropReaper::new();
        drop(reaper.adopt(AsyncDropGuard::new(Value(callback.clone()))));
        let error = AsyncDropReaper::shutdown(reaper, Duration::ZERO).await;
        let _ = catch_unwind(AssertUnwindSafe(|| drop(error)));
    });
    drop(runtime);
    callback
}

impl Callback {
    /// The spawner is called by the hand-overs that it makes itself.
    fn call_unless_nested(&self, place: &'static str) {
        thread_local! {
            static NESTED: Cell<bool> = const { Cell::new(false) };
        }
        if !NESTED.replace(true) {
            let called = catch_unwind(AssertUnwindSafe(|| self.call(place)));
            NESTED.set(false);
            if let Err(panic) = called {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

async fn catch_unwind_future<F: Future>(future: F) -> thread::Result<F::Output> {
    use futures::FutureExt;
    AssertUnwindSafe(future).catch_unwind().await
}

const PLACES: [&str; 11] = [
    "the value's Debug",
    "the value's Drop",
    "the cleanup",
    "the error's Debug",
    "the error's Display",
    "the error's Drop",
    "the conversion",
    "the writer",
    "the waker",
    "the waker's Drop",
    "the spawner",
];

#[test]
fn every_callback_can_ask_the_reaper_for_everything() {
    fn program() {
        let hooked: Arc<Mutex<Option<ReaperHandle>>> = Arc::default();
        let in_hook = Arc::clone(&hooked);
        incident::set_hook(Box::new(move |_| {
            let handle = in_hook.lock().unwrap().clone();
            if let Some(handle) = handle {
                ask_everything(&handle);
            }
        }));
        // A reaper of the hook's, because the one that reports may have ended, which ends the recursion.
        let runtime = Builder::new_current_thread().build().unwrap();
        let mut reaper = runtime.block_on(async { AsyncDropReaper::new() });
        *hooked.lock().unwrap() = Some(reaper.handle());
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            let callback = life(None);
            callback.assert_called(&PLACES);
            done.send(()).unwrap();
        });
        ended
            .recv_timeout(Duration::from_secs(50))
            .expect("a callback waits for a lock");
        runtime.block_on(reaper.async_drop()).unwrap();
        eprintln!("asked {}", ASKED.load(Ordering::SeqCst) > PLACES.len());
    }
    let outcome = run_in_new_process(
        test_path!("every_callback_can_ask_the_reaper_for_everything"),
        program,
    );
    assert!(outcome.lived_on, "{outcome:?}");
    assert!(
        outcome.stderr.ends_with("asked true\n"),
        "{}",
        outcome.stderr
    );
}

/// Runs the life of a reaper with a panic in one place, calm and while unwinding: it lives on, and it ends.
#[test]
fn a_panic_in_any_callback_goes_no_further_than_its_caller() {
    fn program() {
        std::panic::set_hook(Box::new(|_| {}));
        incident::set_hook(Box::new(|_| {}));
        for place in PLACES {
            eprintln!("with a panic in {place}");
            let (done, ended) = mpsc::channel();
            thread::spawn(move || {
                life(Some(place)).assert_called(&[place]);
                done.send(()).unwrap();
            });
            let ended = ended.recv_timeout(Duration::from_secs(20));
            if ended.is_err() {
                eprintln!("{place}: {ended:?}");
                std::process::exit(1);
            }
        }
        // And a hook that panics.
        incident::set_hook(Box::new(|_| panic!("the hook panics")));
        life(Some("nowhere"));
        eprintln!("the end");
    }
    let outcome = run_in_new_process(
        test_path!("a_panic_in_any_callback_goes_no_further_than_its_caller"),
        program,
    );
    assert!(outcome.lived_on, "{outcome:?}");
    assert!(outcome.stderr.ends_with("the end\n"), "{}", outcome.stderr);
}

/// The resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Before, each panic that was contained leaked its payload of 160 bytes: 48 MB here.
#[cfg(target_os = "linux")]
#[test]
fn panics_that_are_contained_leak_nothing() {
    fn program() {
        std::panic::set_hook(Box::new(|_| {}));
        let runtime = Builder::new_current_thread().build().unwrap();
        let handle = runtime.block_on(async {
            let mut reaper = AsyncDropReaper::new();
            let handle = reaper.handle();
            reaper.async_drop().await.unwrap();
            handle
        });
        let rounds = |count: usize| {
            for _ in 0..count {
                // The default hook panics, and that is contained.
                drop(handle.adopt(AsyncDropWith::new((), async |()| io::Result::Ok(()))));
            }
        };
        rounds(10_000);
        let before = resident();
        rounds(300_000);
        let grown = resident().saturating_sub(before);
        let verdict = if grown < 4_000_000 {
            "flat"
        } else {
            "it grows"
        };
        eprintln!("{grown} bytes more: {verdict}");
    }
    let outcome = run_in_new_process(
        test_path!("panics_that_are_contained_leak_nothing"),
        program,
    );
    assert!(outcome.stderr.ends_with(": flat\n"), "{outcome:?}");
}
