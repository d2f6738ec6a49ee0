//! `AsyncDropStack`: the rows ST1 to ST6.

#![cfg(feature = "tokio")]

use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asyncdrop::{
    AsyncDrop, AsyncDropGuard, AsyncDropReaper, AsyncDropStack, CleanupError, StackKey, async_trait,
};
use futures::FutureExt;
use futures::executor::block_on;
use static_assertions::{assert_impl_all, assert_not_impl_any};

use crate::support::record;

type Log = Arc<Mutex<Vec<&'static str>>>;

/// A value that writes down its cleanup, `E` being the way in which that ends.
#[derive(Debug)]
struct Value<E> {
    name: &'static str,
    log: Log,
    pauses: u32,
    end: E,
}

trait End: Debug + Send + Sync {
    type Error: Into<Box<dyn Error + Send + Sync>> + Debug + Send;
    fn end(&mut self) -> Result<(), Self::Error>;
}

#[derive(Debug)]
struct Fine;
impl End for Fine {
    type Error = std::convert::Infallible;
    fn end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[derive(Debug)]
struct Broken;
impl End for Broken {
    type Error = io::Error;
    fn end(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// Panics the first time.
#[derive(Debug)]
struct Panics(bool);
impl End for Panics {
    type Error = String;
    fn end(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.0, false) {
            panic!("no such session");
        }
        Err("only now it failed".into())
    }
}

#[async_trait]
impl<E: End> AsyncDrop for Value<E> {
    type Error = E::Error;
    async fn async_drop_impl(&mut self) -> Result<(), E::Error> {
        while self.pauses > 0 {
            self.pauses -= 1;
            tokio::task::yield_now().await;
        }
        self.log.lock().unwrap().push(self.name);
        self.end.end()
    }
}

#[track_caller]
fn value<E: End>(log: &Log, name: &'static str, pauses: u32, end: E) -> AsyncDropGuard<Value<E>> {
    AsyncDropGuard::new(Value {
        name,
        log: Arc::clone(log),
        pauses,
        end,
    })
}

fn taken(log: &Log) -> Vec<&'static str> {
    std::mem::take(&mut log.lock().unwrap())
}

#[test]
fn st1_the_last_pushed_is_cleaned_up_first_and_each_to_its_end() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    stack.push(value(&log, "first", 0, Fine));
    // This one waits, and the next does not overtake it.
    stack.push(value(&log, "second", 3, Fine));
    stack.push(value(&log, "third", 1, Fine));
    block_on(stack.async_drop()).unwrap();
    assert_eq!(taken(&log), ["third", "second", "first"]);
    block_on(stack.async_drop()).unwrap();
    assert_eq!(taken(&log), [""; 0]);
}

#[test]
fn st2_one_that_fails_or_panics_stops_no_other_and_the_panic_goes_on_after_the_rest() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    stack.push(value(&log, "first", 0, Fine));
    stack.push(value(&log, "second", 0, Panics(true)));
    stack.push(value(&log, "third", 0, Broken));
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(stack.async_drop()))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"no such session"));
    assert_eq!(taken(&log), ["third", "second", "first"]);

    // The one that panicked is left, and no error is lost.
    assert_eq!(stack.len(), 1);
    let errors = block_on(stack.async_drop()).unwrap_err();
    assert_eq!(taken(&log), ["second"]);
    assert_eq!((errors.len(), errors.total()), (2, 3));
    let texts: Vec<_> = errors.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(texts, ["broken pipe", "only now it failed"]);
}

#[test]
fn st3_every_error_comes_back_with_the_type_and_the_place_of_its_value() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    let line = line!() + 1;
    stack.push(value(&log, "first", 0, Broken));
    stack.push(value(&log, "second", 0, Fine));
    stack.push(value(&log, "third", 0, Panics(false)));
    let errors = block_on(stack.async_drop()).unwrap_err();

    let type_names = errors.iter().map(|(origin, _)| origin.type_name());
    assert_eq!(
        type_names.collect::<Vec<_>>(),
        [
            "library::stack::Value<library::stack::Panics>",
            "library::stack::Value<library::stack::Broken>"
        ]
    );
    let lines = errors.iter().map(|(origin, _)| origin.location().line());
    assert_eq!(lines.collect::<Vec<_>>(), [line + 2, line]);
    let text = format!(
        "2 of 3 cleanups failed: \
         library::stack::Value<library::stack::Panics>, created at tests/stack.rs:{}:16: only now it failed; \
         library::stack::Value<library::stack::Broken>, created at tests/stack.rs:{line}:16: broken pipe",
        line + 2
    );
    assert_eq!(errors.to_string(), text);
    assert_eq!(format!("{:#}", anyhow::Error::from(errors)), text);
}

#[test]
fn st3_the_typed_error_comes_back_by_value() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    stack.push(value(&log, "first", 0, Broken));
    for (_, error) in block_on(stack.async_drop()).unwrap_err() {
        assert!(matches!(error, CleanupError::Failed(_)));
        let error: io::Error = error.downcast().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}

#[tokio::test]
async fn st4_interrupted_at_any_poll_it_goes_on_with_what_is_left_and_loses_no_error() {
    for polls in 1..12 {
        let log = Log::default();
        let mut stack = AsyncDropStack::new();
        stack.push(value(&log, "first", 2, Broken));
        stack.push(value(&log, "second", 2, Fine));
        stack.push(value(&log, "third", 2, Broken));
        let result = {
            let mut cleanup = Box::pin(stack.async_drop());
            let mut result = None;
            for _ in 0..polls {
                result = result.or_else(|| (&mut cleanup).now_or_never());
            }
            result
        };
        let errors = match result {
            Some(result) => result.unwrap_err(),
            None => stack.async_drop().await.unwrap_err(),
        };
        assert_eq!(taken(&log), ["third", "second", "first"], "{polls} polls");
        assert_eq!((errors.len(), errors.total()), (2, 3), "{polls} polls");
    }
}

#[test]
fn st4_a_panic_before_an_interruption_goes_on_once_the_rest_is_done() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    stack.push(value(&log, "first", 0, Broken));
    stack.push(value(&log, "second", 3, Fine));
    stack.push(value(&log, "third", 0, Panics(true)));
    assert!(stack.async_drop().now_or_never().is_none());
    assert_eq!((stack.len(), stack.is_empty()), (3, false));
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(stack.async_drop()))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"no such session"));
    assert_eq!(taken(&log), ["third", "third", "second", "first"]);
    assert_eq!((stack.len(), stack.is_empty()), (0, true));
    let errors = block_on(stack.async_drop()).unwrap_err();
    assert_eq!((errors.len(), errors.total()), (2, 3));
}

#[test]
fn st4_what_is_done_is_not_counted() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    let mut done = value(&log, "done before", 0, Fine);
    block_on(done.async_drop()).unwrap();
    let key = stack.push(done);
    assert!(stack.is_empty() && stack.get(key).is_none());
    stack.push(value(&log, "first", 0, Fine));
    stack.push(value(&log, "second", 2, Fine));
    stack.push(value(&log, "third", 0, Fine));
    assert_eq!(stack.len(), 3);
    assert!(stack.async_drop().now_or_never().is_none());
    assert_eq!(stack.len(), 2);
    block_on(stack.async_drop()).unwrap();
    assert_eq!(taken(&log), ["done before", "third", "second", "first"]);
}

#[tokio::test]
async fn st5_a_reaper_keeps_the_order_after_a_cancellation() {
    let log = Log::default();
    let mut reaper = AsyncDropReaper::new();
    let mut stack = AsyncDropStack::new();
    stack.push(value(&log, "first", 0, Broken));
    stack.push(value(&log, "second", 5, Fine));
    stack.push(value(&log, "third", 0, Fine));
    let mut stack = reaper.adopt(stack);
    // Cut in the cleanup of the second.
    assert!(stack.async_drop().now_or_never().is_none());
    drop(stack);
    let errors = reaper.async_drop().await.unwrap_err();
    assert_eq!(taken(&log), ["third", "second", "first"]);
    let text = errors.to_string();
    assert!(
        text.contains("AsyncDropStack, created at tests/stack.rs:"),
        "{text}"
    );
    assert!(
        text.contains("1 of 3 cleanups failed: library::stack::Value<library::stack::Broken>, "),
        "{text}"
    );
}

#[tokio::test]
async fn st5_a_reaper_keeps_the_order_after_a_panic() {
    let log = Log::default();
    let mut reaper = AsyncDropReaper::new();
    let handle = reaper.handle();
    let theirs = Arc::clone(&log);
    let task = tokio::spawn(async move {
        let mut stack = handle.adopt(AsyncDropStack::new());
        stack.push(value(&theirs, "first", 0, Fine));
        stack.push(value(&theirs, "second", 3, Fine));
        tokio::time::sleep(Duration::from_millis(1)).await;
        panic!("in the middle of the work");
    });
    assert!(task.await.unwrap_err().is_panic());
    reaper.async_drop().await.unwrap();
    assert_eq!(taken(&log), ["second", "first"]);
}

#[test]
fn st6_a_key_reaches_its_value_until_that_is_taken() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    let first = stack.push(value(&log, "first", 0, Fine));
    let second = stack.push(value(&log, "second", 0, Broken));
    let third = stack.push(value(&log, "third", 0, Fine));
    assert_eq!(stack[first].name, "first");
    stack[second].name = "changed";
    assert_eq!(stack.get(second).unwrap().name, "changed");
    stack.get_mut(third).unwrap().name = "last";

    let mut taken_out = stack.take(second).unwrap();
    assert!(stack.get(second).is_none() && stack.get_mut(second).is_none());
    assert!(stack.take(second).is_none());
    // The other keys are as good as before.
    assert_eq!((stack[first].name, stack[third].name), ("first", "last"));
    assert_eq!((stack.len(), stack.is_empty()), (2, false));

    block_on(taken_out.async_drop()).unwrap_err();
    block_on(stack.async_drop()).unwrap();
    assert_eq!(taken(&log), ["changed", "last", "first"]);
}

#[test]
fn st6_a_key_of_another_stack_gives_none() {
    let log = Log::default();
    let (mut ours, mut theirs) = (AsyncDropStack::new(), AsyncDropStack::new());
    let key = theirs.push(value(&log, "theirs", 0, Fine));
    ours.push(value(&log, "ours", 0, Fine));
    assert!(ours.get(key).is_none() && ours.take(key).is_none());
    block_on(ours.async_drop()).unwrap();
    block_on(theirs.async_drop()).unwrap();
}

#[test]
fn st6_by_index_such_a_key_panics_and_names_the_type() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    let key = stack.push(value(&log, "first", 0, Fine));
    block_on(stack.take(key).unwrap().async_drop()).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| stack[key].name)).unwrap_err();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        "no library::stack::Value<library::stack::Fine> for this key: it was taken out of the stack or cleaned up, or the key is of another stack"
    );
    block_on(stack.async_drop()).unwrap();
}

#[test]
fn st4_an_error_that_nobody_takes_is_an_incident_and_so_is_what_is_left() {
    let log = Log::default();
    let mut stack = AsyncDropStack::new();
    stack.push(value(&log, "first", 1, Fine));
    stack.push(value(&log, "second", 0, Broken));
    assert!(stack.async_drop().now_or_never().is_none());
    let ((), incidents) = record(|| drop(stack));
    let seen: Vec<_> = incidents.iter().map(|it| &it.message).collect();
    assert_eq!(seen.len(), 3, "{seen:#?}");
    assert!(
        seen[0]
            .starts_with("async_drop on AsyncDropStack[library::stack::Value<library::stack::Fine>] was interrupted"),
        "{seen:#?}"
    );
    assert!(
        seen.iter().any(|it| it
            .starts_with("Suppressed an error of library::stack::Value<library::stack::Broken>: ")),
        "{seen:#?}"
    );
}

#[test]
fn st6_a_key_is_copy_and_send_whatever_its_value_is() {
    assert_impl_all!(StackKey<std::rc::Rc<u8>>: Copy, Send, Sync, Unpin, Eq, std::hash::Hash, Debug);
    assert_impl_all!(AsyncDropStack: Send, Unpin);
    // Values need only be `Send`.
    assert_not_impl_any!(AsyncDropStack: Sync);
}

#[test]
fn st6_a_key_equals_its_copies_alone_and_shows_its_type() {
    let log = Log::default();
    let (mut ours, mut theirs) = (AsyncDropStack::new(), AsyncDropStack::new());
    let first = ours.push(value(&log, "first", 0, Fine));
    let second = ours.push(value(&log, "second", 0, Fine));
    // It has the same place in another stack.
    let other = theirs.push(value(&log, "other", 0, Fine));
    let copy = first;
    assert!(first == copy && first != second && first != other);
    let keys = std::collections::HashSet::from([first, copy, second, other]);
    assert_eq!(keys.len(), 3);
    let hash = |key| std::hash::BuildHasher::hash_one(keys.hasher(), key);
    assert_ne!(hash(first), hash(second));
    assert_eq!(
        format!("{first:?}"),
        "StackKey<library::stack::Value<library::stack::Fine>>(0)"
    );
    block_on(ours.async_drop()).unwrap();
    block_on(theirs.async_drop()).unwrap();
}

#[tokio::test]
async fn st6_a_task_may_hold_a_stack_and_use_its_values_across_an_await() {
    let log = Log::default();
    tokio::spawn(async move {
        let mut stack = AsyncDropStack::new();
        let key = stack.push(value(&log, "first", 0, Fine));
        let use_it = async |value: &Value<Fine>| {
            tokio::task::yield_now().await;
            assert_eq!(value.name, "first");
        };
        use_it(&stack[key]).await;
        stack.async_drop().await.unwrap();
    })
    .await
    .unwrap();
}
