//! The promises CW1 to CW4: a value of any type, and one function that closes it.

mod common;

use std::future::Future;
use std::io;

use asyncdrop::incident::IncidentKind;
use asyncdrop::{AsyncDrop, AsyncDropGuard, AsyncDropWith, BoxedAsyncDropWith, async_trait};
use futures::FutureExt;
use futures::executor::block_on;
use tokio::task::yield_now;

use common::{Diary, message_of_panic, record};

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
    assert!(debug.contains("with::Client"), "{debug}");
    assert!(!debug.contains("hunter2"), "{debug}");
    block_on(client.async_drop()).unwrap();
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
