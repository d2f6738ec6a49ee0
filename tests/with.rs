//! The promises CW1 to CW4: a value of any type, and one function that closes it.

use std::future::Future;
use std::io;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{
    AsyncDrop, AsyncDropGuard, AsyncDropStack, AsyncDropWith, BoxedAsyncDropWith, async_trait,
    with_async_drop_2,
};
use futures::FutureExt;
use futures::executor::block_on;
use tokio::task::yield_now;

use crate::support::{Diary, message_of_panic, record};

/// Neither `Debug` nor `AsyncDrop`, as a type of another crate may be.
struct Client {
    password: &'static str,
    diary: Diary,
}

impl Client {
    fn new(diary: &Diary) -> Self {
        let diary = diary.clone();
        Self {
            password: "hunter2",
            diary,
        }
    }

    /// Waits twice, and writes down how far it is.
    async fn close(self) -> Result<(), String> {
        self.diary.write("begins");
        yield_now().await;
        self.diary.write("goes on");
        yield_now().await;
        self.diary.write("ends");
        Ok(())
    }
}

const CLOSED: [&str; 3] = ["begins", "goes on", "ends"];

#[test]
fn cw1_the_close_is_called_once_with_the_value() {
    let diary = Diary::default();
    let mut client = AsyncDropWith::new(Client::new(&diary), Client::close);
    diary.assert_reads(&[]);
    block_on(client.async_drop()).unwrap();
    block_on(client.async_drop()).unwrap();
    assert!(client.is_dropped());
    diary.assert_reads(&CLOSED);
}

#[test]
fn cw1_an_interrupted_close_goes_on_where_it_stopped() {
    let diary = Diary::default();
    let mut client = AsyncDropWith::new(Client::new(&diary), Client::close);
    assert!(client.async_drop().now_or_never().is_none());
    diary.assert_reads(&CLOSED[..1]);
    assert!(client.async_drop().now_or_never().is_none());
    diary.assert_reads(&CLOSED[..2]);
    assert_eq!(client.async_drop().now_or_never(), Some(Ok(())));
    diary.assert_reads(&CLOSED);
}

#[test]
fn cw1_an_error_of_the_close_is_returned_once() {
    let mut broken = AsyncDropWith::new((), async |()| Err(io::ErrorKind::BrokenPipe));
    assert_eq!(
        block_on(broken.async_drop()),
        Err(io::ErrorKind::BrokenPipe)
    );
    assert_eq!(block_on(broken.async_drop()), Ok(()));
}

#[test]
fn cw1_a_close_that_panicked_is_not_polled_again() {
    async fn close(diary: Diary) -> Result<(), String> {
        diary.write("begins");
        panic!("the socket is gone")
    }
    let diary = Diary::default();
    let mut client = AsyncDropWith::new(diary.clone(), close);
    for expected in ["the socket is gone", "panicked, so it cannot go on"] {
        let message = message_of_panic(|| block_on(client.async_drop()));
        assert!(message.contains(expected), "{message}");
    }
    diary.assert_reads(&["begins"]);
    let (_, incidents) = record(|| drop(client));
    assert_eq!(incidents.len(), 1);
}

#[test]
fn cw1_a_close_that_nobody_called_is_an_incident() {
    let diary = Diary::default();
    let (_, incidents) = record(|| drop(AsyncDropWith::new(Client::new(&diary), Client::close)));
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].kind, IncidentKind::Forgotten);
    diary.assert_reads(&[]);
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn cw2_a_reaper_goes_on_with_an_interrupted_close() {
    let diary = Diary::default();
    let mut reaper = asyncdrop::AsyncDropReaper::new();
    let mut client = reaper.adopt(AsyncDropWith::new(Client::new(&diary), Client::close));
    assert!(client.async_drop().now_or_never().is_none());
    drop(client);
    reaper.async_drop().await.unwrap();
    diary.assert_reads(&CLOSED);
}

/// An adopted value owns what it holds, but its type may have a lifetime, which is then `'static`.
#[cfg(feature = "tokio")]
#[tokio::test]
async fn cw2_a_value_whose_type_has_a_lifetime_is_adopted_in_a_task() {
    let diary = Diary::default();
    let theirs = diary.clone();
    let task = tokio::spawn(async move {
        let mut reaper = asyncdrop::AsyncDropReaper::new();
        let dropped = AsyncDropWith::new("dropped", async |name: &str| {
            yield_now().await;
            Err(format!("{name}: refused"))
        });
        drop(reaper.adopt(dropped));
        let closed = theirs.clone();
        let closed = AsyncDropWith::new("closed", async move |name| {
            yield_now().await;
            closed.write(name);
            Ok::<_, String>(())
        });
        reaper
            .adopt_as("the other", closed)
            .async_drop()
            .await
            .unwrap();
        reaper.async_drop().await
    });
    let errors = task.await.unwrap().unwrap_err();
    assert!(errors.to_string().ends_with("dropped: refused"), "{errors}");
    diary.assert_reads(&["closed"]);
}

#[test]
fn cw3_used_after_its_close_has_begun_it_panics_and_names_its_type() {
    let diary = Diary::default();
    let mut client = AsyncDropWith::new(Client::new(&diary), Client::close);
    assert_eq!(client.password, "hunter2");
    assert!(client.async_drop().now_or_never().is_none());
    let message = message_of_panic(|| client.password);
    assert!(
        message.contains("Client") && message.contains("was used after its close had begun"),
        "{message}"
    );
    block_on(client.async_drop()).unwrap();
}

#[test]
fn cw3_the_debug_of_the_guard_is_the_name_of_the_type() {
    let mut client = AsyncDropWith::new(Client::new(&Diary::default()), Client::close);
    let debug = format!("{client:?}");
    assert!(debug.contains("library::with::Client"), "{debug}");
    assert!(!debug.contains("hunter2"), "{debug}");
    block_on(client.async_drop()).unwrap();
}

#[test]
fn cw3_errors_and_panics_call_it_by_the_type_of_its_value() {
    let mut client = AsyncDropWith::new(Client::new(&Diary::default()), async |_| Err("refused"));
    let message = message_of_panic(|| {
        block_on(client.async_drop()).unwrap_err();
        client.password
    });
    assert!(
        message.starts_with("AsyncDropGuard<AsyncDropWith<library::with::Client>> was used after"),
        "{message}"
    );

    let mut stack = AsyncDropStack::new();
    stack.push(AsyncDropWith::new(7, async |_| Err("refused")));
    assert_eq!(
        format!("{stack:?}"),
        "AsyncDropGuard(AsyncDropStack[AsyncDropWith<i32>])"
    );
    let errors = block_on(stack.async_drop()).unwrap_err();
    let (origin, _) = errors.iter().next().unwrap();
    assert!(
        origin
            .to_string()
            .starts_with("AsyncDropWith<i32>, created at tests/with.rs:"),
        "{origin}"
    );
    // What a program reads is the whole name.
    assert!(origin.type_name().contains("{{closure}}"), "{origin:?}");
}

#[test]
fn cw4_a_cleanup_needs_no_value() {
    let diary = Diary::default();
    let mut cleanup = AsyncDropWith::new((), async |()| {
        diary.write("cleaned up");
        Ok::<_, io::Error>(())
    });
    block_on(cleanup.async_drop()).unwrap();
    drop(cleanup);
    diary.assert_reads(&["cleaned up"]);
}

#[test]
fn cw4_a_closure_that_returns_a_future_is_a_close() {
    let mut value = AsyncDropWith::new(7, |value| async move {
        assert_eq!(value, 7);
        Ok::<_, io::Error>(())
    });
    block_on(value.async_drop()).unwrap();
}

#[test]
fn cw4_closes_of_one_boxed_type_stand_in_a_field() {
    struct Service(AsyncDropGuard<BoxedAsyncDropWith<Client, String>>);
    let diary = Diary::default();
    let mut service = Service(AsyncDropWith::boxed(Client::new(&diary), Client::close));
    block_on(service.0.async_drop()).unwrap();
    diary.assert_reads(&CLOSED);
}

#[test]
fn cw4_a_value_that_is_taken_out_is_not_closed() {
    let diary = Diary::default();
    let client = AsyncDropWith::new(Client::new(&diary), Client::close);
    assert_eq!(AsyncDropWith::into_inner(client).password, "hunter2");
    diary.assert_reads(&[]);
}

#[test]
fn cw4_the_guard_is_send_and_sync_where_its_parts_are() {
    fn shared<G: Send + Sync>(guard: G) -> G {
        guard
    }
    fn spawned<F: Future + Send>(future: F) -> F {
        future
    }
    let mut client = shared(AsyncDropWith::new(
        Client::new(&Diary::default()),
        Client::close,
    ));
    block_on(spawned(client.async_drop())).unwrap();
}

struct Cursor<'c> {
    name: &'c str,
    diary: &'c Diary,
}

impl Cursor<'_> {
    async fn close(self) -> Result<(), String> {
        yield_now().await;
        self.diary.write(self.name);
        Ok(())
    }
}

/// In a spawned future rustc no longer knows which lifetime is which.
#[test]
fn cw4_values_that_borrow_are_closed_in_futures_that_are_spawned() {
    fn spawned<F: Future + Send + 'static>(future: F) -> F::Output {
        block_on(future)
    }
    let diary = Diary::default();
    let theirs = diary.clone();
    let result: Result<(), String> = spawned(async move {
        let (name, diary) = (String::from("by a path"), &theirs);
        let mut cursor = AsyncDropWith::new(Cursor { name: &name, diary }, Cursor::close);
        cursor.async_drop().await?;

        let cursor = Cursor {
            name: "by a closure",
            diary,
        };
        let cursor = AsyncDropWith::new(cursor, async |cursor: Cursor<'_>| cursor.close().await);
        with_async_drop_2!(cursor, {
            cursor.diary.write(cursor.name.to_uppercase());
            Ok::<_, String>(())
        })?;

        let mut text = AsyncDropWith::new("by its text", async |text: &str| {
            yield_now().await;
            diary.write(text);
            Ok::<_, String>(())
        });
        text.async_drop().await
    });
    result.unwrap();
    diary.assert_reads(&["by a path", "BY A CLOSURE", "by a closure", "by its text"]);
}

#[derive(Debug)]
struct Service {
    client: AsyncDropGuard<BoxedAsyncDropWith<Client, String>>,
}

/// Its cleanup is a boxed future that must be `Send`, as that of a spawned task is.
#[async_trait]
impl AsyncDrop for Service {
    type Error = String;

    async fn async_drop_impl(&mut self) -> Result<(), String> {
        self.client.async_drop().await
    }
}

#[test]
fn cw4_a_boxed_close_is_cleaned_up_by_the_owner_of_its_field_and_in_a_task() {
    let diary = Diary::default();
    let client = AsyncDropWith::boxed(Client::new(&diary), Client::close);
    let mut service = AsyncDropGuard::new(Service { client });
    block_on(smol::spawn(async move { service.async_drop().await })).unwrap();
    diary.assert_reads(&CLOSED);
}
