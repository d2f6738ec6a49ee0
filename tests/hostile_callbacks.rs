//! Every function of a user's that the library calls may panic: a cleanup, a `Drop`, a `Debug`, the hook, a conversion.
//! None of that aborts the process, drops a value twice, or leaks one, calm and while the thread is unwinding.

use std::cell::Cell;
use std::fmt::{self, Debug, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};

use asyncdrop::{
    AsyncDrop, AsyncDropArc, AsyncDropGuard, AsyncDropHashMap, AsyncDropResult, AsyncDropShared,
    AsyncDropStack, AsyncDropWith, DropErrors, SyncDrop, async_drop_all, async_drop_on_err,
    async_trait, flatten_async_drop, incident, with_async_drop, with_async_drop_2,
    with_async_drop_both_errors,
};
use futures::executor::block_on;

use crate::support::run_in_new_process;
use crate::test_path;

/// What goes wrong. Each has a bit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    CleanupPanics,
    CleanupFails,
    CleanupNeverEnds,
    DropOfValue,
    DropOfError,
    DropOfKey,
    DebugOfValue,
    DebugOfError,
    Hook,
    Conversion,
}

const FAULTS: [Fault; 10] = [
    Fault::CleanupPanics,
    Fault::CleanupFails,
    Fault::CleanupNeverEnds,
    Fault::DropOfValue,
    Fault::DropOfError,
    Fault::DropOfKey,
    Fault::DebugOfValue,
    Fault::DebugOfError,
    Fault::Hook,
    Fault::Conversion,
];

thread_local! {
    static PRESENT: Cell<u32> = const { Cell::new(0) };
    /// How many values, errors, keys and payloads there are.
    static ALIVE: Cell<isize> = const { Cell::new(0) };
}

impl Fault {
    fn is_present(self) -> bool {
        PRESENT.get() & 1 << self as u32 != 0
    }

    fn panic_if_present(self) {
        if self.is_present() {
            std::panic::panic_any(Counted::new());
        }
    }
}

/// Counts itself, so that what is leaked or dropped twice shows.
struct Counted;

impl Counted {
    fn new() -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

struct Value {
    _counted: Counted,
}

impl Value {
    fn guarded() -> AsyncDropGuard<Self> {
        AsyncDropGuard::new(Self {
            _counted: Counted::new(),
        })
    }
}

impl Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fault::DebugOfValue.panic_if_present();
        f.write_str("Value")
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        Fault::DropOfValue.panic_if_present();
    }
}

#[async_trait]
impl AsyncDrop for Value {
    type Error = Problem;

    async fn async_drop_impl(&mut self) -> Result<(), Problem> {
        clean_up().await
    }
}

async fn clean_up() -> Result<(), Problem> {
    Fault::CleanupPanics.panic_if_present();
    if Fault::CleanupNeverEnds.is_present() {
        std::future::pending::<()>().await;
    }
    if Fault::CleanupFails.is_present() {
        return Err(Problem::new());
    }
    Ok(())
}

struct Problem {
    _counted: Counted,
}

impl Problem {
    fn new() -> Self {
        let _counted = Counted::new();
        Self { _counted }
    }
}

impl Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fault::DebugOfError.panic_if_present();
        f.write_str("Problem")
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

impl std::error::Error for Problem {}

impl Drop for Problem {
    fn drop(&mut self) {
        Fault::DropOfError.panic_if_present();
    }
}

/// What a [`Problem`] is turned into on its way to the caller.
struct Converted(Problem);

impl From<Problem> for Converted {
    fn from(problem: Problem) -> Self {
        if Fault::Conversion.is_present() {
            // The error is the conversion's own, and no library can contain a second panic in there.
            dispose([problem]);
            std::panic::panic_any(Counted::new());
        }
        Self(problem)
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Key(u8);

impl Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, f)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        Fault::DropOfKey.panic_if_present();
    }
}

/// Polls once, and drops the future if that has not ended it.
fn poll<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let context = &mut Context::from_waker(Waker::noop());
    match future.as_mut().poll(context) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

/// What the caller has in hand, it drops when nothing else can go wrong: a list of errors, for example, cannot be dropped
/// where the `Drop` of two of them panics.
fn dispose<T>(in_hand: impl IntoIterator<Item = T>) {
    for it in in_hand {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(it)));
    }
}

fn dispose_list<K>(outcome: Option<Result<(), DropErrors<K, impl Sized>>>) {
    if let Some(Err(errors)) = outcome {
        for (key, error) in errors {
            dispose([key]);
            dispose([error]);
        }
    }
}

/// Makes something with guards in it, begins its cleanup or does not, and drops it.
type Scenario = (&'static str, fn(Drive));

/// How far a scenario goes before it is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drive {
    /// Nothing is done to it.
    Not,
    /// Its cleanup is polled.
    Once,
    /// And once more, as after an interruption.
    Twice,
}

impl Drive {
    fn times(self) -> usize {
        match self {
            Self::Not => 0,
            Self::Once => 1,
            Self::Twice => 2,
        }
    }
}

/// Something that is cleaned up by hand.
fn drive<T: AsyncDrop + Debug>(
    drive: Drive,
    mut guard: AsyncDropGuard<T>,
    dispose: impl Fn(Option<Result<(), T::Error>>),
) {
    for _ in 0..drive.times() {
        let outcome = catch_unwind(AssertUnwindSafe(|| poll(guard.async_drop())));
        match outcome {
            Ok(outcome) => dispose(outcome),
            Err(panic) => drop(panic),
        }
    }
}

/// A future that owns its guards.
fn run<R>(drive: Drive, future: impl Future<Output = R>) {
    if drive == Drive::Not {
        drop(future);
    } else if let Some(output) = poll(future) {
        dispose([output]);
    }
}

fn dispose_one(outcome: Option<Result<(), Problem>>) {
    dispose(outcome);
}

type Creation = Pin<Box<dyn Future<Output = AsyncDropGuard<Value>> + Send>>;

fn shared() -> AsyncDropGuard<AsyncDropShared<Value, Creation>> {
    AsyncDropShared::new(Box::pin(async { Value::guarded() }) as Creation)
}

const SCENARIOS: &[Scenario] = &[
    ("guard", |how| drive(how, Value::guarded(), dispose_one)),
    ("boxed guard", |how| {
        drive(how, Value::guarded().into_box(), dispose_one);
    }),
    ("arc", |how| {
        drive(how, AsyncDropArc::new(Value::guarded()), dispose_one);
    }),
    ("shared, not created", |how| {
        drive(how, shared(), dispose_one);
    }),
    ("shared", |how| {
        let shared = shared();
        let mut owner = block_on(shared.get());
        dispose_one(poll(owner.async_drop()));
        drive(how, shared, dispose_one);
    }),
    ("result", |how| {
        let result = AsyncDropResult::new(Ok::<_, Problem>(Value::guarded()));
        drive(how, result, dispose_one);
    }),
    ("result of an error", |how| {
        let result = AsyncDropResult::<Value, _>::new(Err(Problem::new()));
        drive(how, result, dispose_one);
    }),
    ("map", |how| {
        let mut map = AsyncDropHashMap::new();
        assert!(map.insert(Key(1), Value::guarded()).is_none());
        assert!(map.insert(Key(2), Value::guarded()).is_none());
        drive(how, map, dispose_list);
    }),
    ("stack", |how| {
        let mut stack = AsyncDropStack::new();
        stack.push(Value::guarded());
        stack.push(Value::guarded());
        drive(how, stack, dispose_list);
    }),
    ("derived", |how| {
        #[derive(Debug, AsyncDrop)]
        struct Fields {
            one: AsyncDropGuard<Value>,
            more: Vec<AsyncDropGuard<Value>>,
        }
        let (one, more) = (Value::guarded(), vec![Value::guarded(), Value::guarded()]);
        drive(how, AsyncDropGuard::new(Fields { one, more }), dispose_list);
    }),
    ("derived, concurrent, first error", |how| {
        #[derive(Debug, AsyncDrop)]
        #[async_drop(concurrent, error = "Problem")]
        struct Fields {
            one: AsyncDropGuard<Value>,
            other: AsyncDropGuard<Value>,
        }
        let (one, other) = (Value::guarded(), Value::guarded());
        drive(how, AsyncDropGuard::new(Fields { one, other }), dispose_one);
    }),
    ("with", |how| {
        let counted = Counted::new();
        let value = AsyncDropWith::new(counted, async |_counted| clean_up().await);
        drive(how, value, dispose_one);
    }),
    ("nested", |how| {
        let inner = AsyncDropArc::new(Value::guarded());
        drive(
            how,
            AsyncDropResult::new(Ok::<_, Problem>(inner)),
            dispose_one,
        );
    }),
    ("SyncDrop", |_| {
        let limit = std::time::Duration::ZERO;
        drop(SyncDrop::with_time_limit(Value::guarded(), limit));
    }),
    ("all", |how| {
        let values = [1, 2].map(|key| (Key(key), Value::guarded()));
        let all = async_drop_all(values);
        match how {
            Drive::Not => drop(all),
            Drive::Once | Drive::Twice => dispose_list(poll(all)),
        }
    }),
    ("scope", |how| {
        run(
            how,
            with_async_drop(Value::guarded(), async |_| Ok::<_, Converted>(())),
        );
    }),
    ("scope whose body returns a guard", |how| {
        run(
            how,
            with_async_drop(Value::guarded(), async |_| {
                Ok::<_, Converted>(Value::guarded())
            }),
        );
    }),
    ("scope whose body fails", |how| {
        run(
            how,
            with_async_drop(Value::guarded(), async |_| {
                Err::<(), _>(Converted(Problem::new()))
            }),
        );
    }),
    ("scope macro whose body fails", |how| {
        run(how, async {
            let value = Value::guarded();
            with_async_drop_2!(value, { Err::<(), _>(Converted(Problem::new())) })
        });
    }),
    ("scope with both errors", |how| {
        let scope =
            with_async_drop_both_errors(Value::guarded(), async |_| Err::<(), _>(Problem::new()));
        match how {
            Drive::Not => drop(scope),
            Drive::Once | Drive::Twice => match poll(scope) {
                Some(Err(asyncdrop::ScopeError::Both { body, cleanup })) => {
                    dispose([body, cleanup]);
                }
                other => dispose([other]),
            },
        }
    }),
    ("cleanup on error", |how| {
        run(
            how,
            async_drop_on_err(Value::guarded(), async |_| Err::<(), _>(Problem::new())),
        );
    }),
    ("two, of which one is an error", |how| {
        let two = flatten_async_drop::<Converted, _, _, Value, _>(
            Ok::<_, Problem>(Value::guarded()),
            Err(Problem::new()),
        );
        run(how, two);
    }),
    ("two errors", |how| {
        let two = flatten_async_drop::<Converted, Value, _, Value, _>(
            Err(Problem::new()),
            Err(Problem::new()),
        );
        run(how, two);
    }),
    #[cfg(feature = "tokio")]
    ("mutex", |how| {
        drive(
            how,
            asyncdrop::AsyncDropTokioMutex::new(Value::guarded()),
            dispose_one,
        );
    }),
    #[cfg(feature = "tokio")]
    ("deadline", |_| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let mut guard = Value::guarded();
        let outcome = runtime.block_on(guard.async_drop_within(std::time::Duration::ZERO));
        dispose(outcome.err());
    }),
];

/// Runs a scenario in its `Drop`, which unwinding calls.
struct WhileUnwinding(Scenario, Drive);

impl Drop for WhileUnwinding {
    fn drop(&mut self) {
        let Self((_, scenario), how) = *self;
        let _ = catch_unwind(|| scenario(how));
    }
}

fn with_every_fault(scenario: Scenario) {
    incident::set_hook(Box::new(|incident| {
        let _ = incident.to_string();
        Fault::Hook.panic_if_present();
    }));
    std::panic::set_hook(Box::new(|_| {}));
    // More than four at a time show nothing new, and take their time.
    for faults in (0..1_u32 << FAULTS.len()).filter(|it| it.count_ones() <= 4) {
        for how in [Drive::Not, Drive::Once, Drive::Twice] {
            for unwinding in [false, true] {
                PRESENT.set(faults);
                // Read by the test when the process is aborted.
                eprintln!("{} {faults:#b} {} {unwinding}", scenario.0, how.times());
                let outcome = catch_unwind(|| {
                    if unwinding {
                        let _scenario = WhileUnwinding(scenario, how);
                        panic!("something else went wrong");
                    }
                    scenario.1(how);
                });
                drop(outcome);
                assert_eq!(ALIVE.get(), 0, "what was made is gone, once");
            }
        }
    }
    PRESENT.set(0);
}

#[test]
fn i3_no_panic_of_a_callback_aborts_the_process_or_leaks_or_drops_twice() {
    let outcome = run_in_new_process(
        test_path!("i3_no_panic_of_a_callback_aborts_the_process_or_leaks_or_drops_twice"),
        || {
            for scenario in SCENARIOS {
                with_every_fault(*scenario);
            }
            eprintln!("all of them lived on");
        },
    );
    let last: Vec<_> = outcome.stderr.lines().rev().take(5).collect();
    assert!(outcome.lived_on, "{last:#?}");
    assert_eq!(last[0], "all of them lived on");
}
